// SPDX-License-Identifier: Apache-2.0
// The parts of a multipart form are JSON, because a field table has no lists of objects; each part is decoded
// by a table of its own. Files are opened before the request is sent and read while it is, so that a large
// one takes no memory.
#include "jobs/http_parts.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "base/sync.h"
#include "fs/root.h"
#include "jobs/services.h"

enum { NAME_CHARS_MAX = 1024, PATH_CHARS_MAX = 4096, PEM_BYTES_MAX = 65536 };

struct part {
    struct str name, value, file, filename, content_type;
};
#define T struct part
static const struct field part_rows[] = {
    FIELD_STR(T, name, "name", .flags = FIELD_REQUIRED | FIELD_NO_SECRETS, .min = 1, .max = NAME_CHARS_MAX,
              .doc = "Name in the form."),
    FIELD_STR(T, value, "value", .flags = FIELD_NO_SECRETS, .max = JOB_PAYLOAD_MAX, .doc = "Text of the part."),
    FIELD_STR(T, file, "file", .flags = FIELD_NO_SECRETS, .min = 1, .max = PATH_CHARS_MAX,
              .doc = "File below files.roots to send instead."),
    FIELD_STR(T, filename, "filename", .flags = FIELD_NO_SECRETS, .max = NAME_CHARS_MAX,
              .doc = "Name of the file as the service sees it."),
    FIELD_STR(T, content_type, "contentType", .flags = FIELD_NO_SECRETS, .max = NAME_CHARS_MAX,
              .doc = "Media type of the part."),
};
#undef T
static const struct fields part_fields =
    FIELDS("HttpPart", struct part, part_rows, .doc = "One part of a form.");

// ---- checking ----

void http_file_check(struct str path, struct str pointer, struct faults *faults)
{
    struct str rest = path, part;
    if (http_later(path))
        return;
    if (!str_starts(path, STR("/")))
        faults_add(faults, pointer, "must be an absolute path below one of files.roots");
    while (rest.p) {
        part = str_split(rest, '/', &rest);
        if (str_is(part, ".."))
            faults_add(faults, pointer, "must not hold \"..\"");
    }
}

// Goes into a header of the part.
static void quoted_check(struct str text, const char *name, struct str pointer, struct faults *faults)
{
    for (size_t i = 0; i < text.n; i++)
        if ((unsigned char)text.p[i] < ' ' || text.p[i] == 0x7f) {
            faults_add(faults, arena_fmt(faults->a, "%.*s/%s", STR_ARG(pointer), name),
                       "must hold no line break or control character");
            return;
        }
}

static void part_check(const struct part *p, struct str pointer, struct faults *faults)
{
    struct str file = arena_fmt(faults->a, "%.*s/file", STR_ARG(pointer));
    if ((p->value.p != NULL) == (p->file.p != NULL))
        faults_add(faults, pointer, "needs value or file, and not both");
    if (p->file.p)
        http_file_check(p->file, file, faults);
    quoted_check(p->name, "name", pointer, faults);
    quoted_check(p->filename, "filename", pointer, faults);
    quoted_check(p->content_type, "contentType", pointer, faults);
}

// The list decoded; faults are added, and NULL returned, for what is wrong.
static struct part *parts_read(struct str multipart, struct str pointer, struct faults *faults,
                               struct arena *a, size_t *ret_n)
{
    json_t *list CLEANUP_JSON = NULL;
    struct err err;
    size_t i, before = faults->n;
    json_t *one;
    if (!json_parse(multipart, &list, &err) || !json_is_array(list) || json_array_size(list) == 0 ||
        json_array_size(list) > PARTS_MAX) {
        faults_add(faults, pointer, "must be a list of 1 to %d parts", PARTS_MAX);
        return NULL;
    }
    struct part *v = arena_new_array(a, struct part, json_array_size(list));
    if (!v) {
        faults_add(faults, pointer, "is too large");
        return NULL;
    }
    json_array_foreach(list, i, one)
    {
        struct str at = arena_fmt(faults->a, "%.*s/%zu", STR_ARG(pointer), i);
        if (!json_is_object(one))
            faults_add(faults, at, "must be an object");
        else if (field_decode(&part_fields, one, FIELD_DECODE_STRICT, at, &v[i], a, faults))
            part_check(&v[i], at, faults);
    }
    *ret_n = json_array_size(list);
    return faults->n == before ? v : NULL;
}

void http_parts_check(struct str multipart, struct str pointer, struct faults *faults, struct arena *scratch)
{
    size_t n;
    if (multipart.p)
        (void)parts_read(multipart, pointer, faults, scratch, &n);
}

// ---- files ----

static bool file_open(struct attempt *a, struct str path, int *ret_fd, int64_t *ret_size, struct err *err)
{
    struct roots roots;
    struct place place;
    struct stat st;
    if (!job_roots_open(a->env->settings, &roots, &a->arena, err))
        return false;
    bool ok = place_find(&roots, path, &place, &a->arena, err) && place_open_file(&place, ret_fd, &st, err);
    roots_close(&roots);
    if (ok)
        *ret_size = st.st_size;
    return ok;
}

static bool pem_read(struct attempt *a, struct str path, struct str *ret, struct err *err)
{
    CLEANUP(cleanup_fd) int fd = -1;
    int64_t size;
    size_t n = 0;
    if (!file_open(a, path, &fd, &size, err))
        return false;
    if (size > PEM_BYTES_MAX)
        return ERR(err, ERR_TOO_LARGE, "\"%.*s\" has more than %d bytes", STR_ARG(path), PEM_BYTES_MAX);
    char *text = arena_alloc(&a->arena, (size_t)size + 1);
    if (!text)
        return ERR(err, ERR_TOO_LARGE, "no memory for \"%.*s\"", STR_ARG(path));
    for (ssize_t got; n < (size_t)size; n += (size_t)got) {
        got = read(fd, text + n, (size_t)size - n);
        if (got < 0 && errno == EINTR)
            got = 0;
        else if (got <= 0)
            return ERR_ERRNO(err, "cannot read \"%.*s\"", STR_ARG(path));
    }
    *ret = (struct str){text, n};
    return true;
}

static bool tls_read(struct attempt *a, const struct http_tls_payload *t, struct http_tls *ret,
                     struct err *err)
{
    *ret = (struct http_tls){.ca = t->ca, .cert = t->cert, .key = t->key, .key_password = t->key_password};
    return (!t->ca_file.p || pem_read(a, t->ca_file, &ret->ca, err)) &&
           (!t->cert_file.p || pem_read(a, t->cert_file, &ret->cert, err)) &&
           (!t->key_file.p || pem_read(a, t->key_file, &ret->key, err));
}

static struct str base_name(struct str path)
{
    size_t slash = path.n;
    while (slash > 0 && path.p[slash - 1] != '/')
        slash--;
    return (struct str){path.p + slash, path.n - slash};
}

static bool part_open(struct attempt *a, const struct part *p, struct http_part *ret, struct err *err)
{
    *ret = (struct http_part){.name = p->name,
                              .value = p->value,
                              .filename = p->filename,
                              .content_type = p->content_type,
                              .fd = -1};
    if (!p->file.p)
        return true;
    if (!ret->filename.p)
        ret->filename = base_name(p->file);
    return file_open(a, p->file, &ret->fd, &ret->size, err);
}

static bool parts_open(struct attempt *a, struct str multipart, struct http_files *ret, struct err *err)
{
    struct faults faults;
    size_t n = 0;
    faults_init(&faults, &a->arena);
    struct part *v = parts_read(multipart, STR("multipart"), &faults, &a->arena, &n);
    if (!v)
        return ERR(err, ERR_INVALID, "%.*s %.*s", STR_ARG(faults.v[0].pointer), STR_ARG(faults.v[0].detail));
    for (ret->parts_n = 0; ret->parts_n < n; ret->parts_n++)
        if (!part_open(a, &v[ret->parts_n], &ret->parts[ret->parts_n], err))
            return false;
    return true;
}

bool http_files_open(struct attempt *a, const struct http_payload *p, struct http_files *ret, struct err *err)
{
    ret->parts_n = 0;
    if (tls_read(a, &p->tls, &ret->tls, err) && (!p->multipart.p || parts_open(a, p->multipart, ret, err)))
        return true;
    http_files_close(ret);
    return false;
}

void http_files_close(struct http_files *f)
{
    for (size_t i = 0; i < f->parts_n; i++)
        cleanup_fd(&f->parts[i].fd);
    f->parts_n = 0;
}
