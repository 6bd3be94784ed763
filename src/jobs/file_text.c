// SPDX-License-Identifier: Apache-2.0
// READ, WRITE and LIST of FILE_SYSTEM: contents and names through the run's log and payload.
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/sync.h"
#include "fs/fresh.h"
#include "jobs/file_system.h"

enum {
    READ_MOST = 1024 * 1024,
    BASE64_BYTES = 57,
    BASE64_LINE = 80,
    PERMISSIONS = 07777,
    OCTAL = 8,
    LIST_MOST = 100000,
    LIST_BUDGET = 64 * 1024 * 1024
};

// ---- READ ----

static void put_base64(struct file_job *j, const char *bytes, size_t n)
{
    char line[BASE64_LINE];
    for (size_t i = 0; i < n; i += BASE64_BYTES) {
        size_t take = n - i < BASE64_BYTES ? n - i : BASE64_BYTES;
        sodium_bin2base64(line, sizeof line, (const unsigned char *)bytes + i, take,
                          sodium_base64_VARIANT_ORIGINAL);
        file_output(j, str_of(line), STR_NONE);
    }
}

static void put_lines(struct file_job *j, struct str text)
{
    for (struct str line, rest = text; rest.p && rest.n > 0;) {
        line = str_split(rest, '\n', &rest);
        if (line.n > 0 && line.p[line.n - 1] == '\r')
            line.n--;
        file_output(j, line, STR_NONE);
    }
}

static bool read_up_to(int fd, char *buf, size_t most, size_t *ret_n, struct str shown, struct err *err)
{
    size_t n = 0;
    while (n < most) {
        ssize_t got = read(fd, buf + n, most - n);
        if (got == 0)
            break;
        if (got < 0 && errno != EINTR)
            return fs_error(err, "read", shown);
        n += got > 0 ? (size_t)got : 0;
    }
    *ret_n = n;
    return true;
}

bool file_read_text(struct file_job *j, struct err *err)
{
    struct place p;
    struct stat st;
    size_t n = 0;
    CLEANUP(cleanup_fd) int fd = -1;
    size_t most = j->params.max_bytes < READ_MOST ? (size_t)j->params.max_bytes : READ_MOST;
    if (!file_source(j, &p, &fd, &st, err))
        return false;
    char *buf = mem_array(most + 1, 1);
    bool ok = read_up_to(fd, buf, most + 1, &n, p.shown, err);
    size_t shown = n < most ? n : most;
    if (ok && str_eq_nocase(j->params.encoding, STR("BASE64")))
        put_base64(j, buf, shown);
    else if (ok)
        put_lines(j, (struct str){buf, n > most ? str_utf8_cut((struct str){buf, n}, most) : n});
    mem_free(buf);
    if (!ok)
        return false;
    if (n > most)
        file_say(
            j, "\"%.*s\" has %lld bytes, the first %zu are shown; raise maxBytes (at most 1 MiB) to see more",
            STR_ARG(p.shown), (long long)st.st_size, most);
    j->files++;
    j->bytes += (int64_t)shown;
    return true;
}

// ---- WRITE ----

// The bytes to write: the content, or what it stands for in base 64.
static bool content_of(struct file_job *j, struct str *ret, struct err *err)
{
    struct str text = j->p->content;
    size_t n;
    if (!str_eq_nocase(j->params.encoding, STR("BASE64"))) {
        *ret = text;
        return true;
    }
    unsigned char *bytes = arena_alloc(&j->a->arena, text.n + 1);
    if (!bytes || sodium_base642bin(bytes, text.n + 1, text.p, text.n, " \r\n\t", &n, NULL,
                                    sodium_base64_VARIANT_ORIGINAL) != 0)
        return ERR(err, ERR_INVALID, "content is not good base 64; encode it again or set encoding to TEXT");
    *ret = (struct str){(char *)bytes, n};
    return true;
}

static unsigned mode_of(const struct file_job *j)
{
    unsigned mode = 0;
    for (size_t i = 0; i < j->params.mode.n; i++)
        mode = mode * OCTAL + (unsigned)(j->params.mode.p[i] - '0');
    return mode;
}

// Who replaces a text keeps the permissions and, where that is allowed, the owner that it had.
static void keep_attributes(const struct fresh *f, const struct stat *was)
{
    mode_t mode = was->st_mode & PERMISSIONS;
    if (fchown(f->fd, was->st_uid, was->st_gid) != 0)
        mode &= ACCESSPERMS;
    (void)fchmod(f->fd, mode);
}

static bool write_whole(struct file_job *j, const struct place *p, struct str bytes, struct err *err)
{
    CLEANUP(fresh_drop) struct fresh f = {.fd = -1};
    const struct fresh_options o = {j->p->overwrite, j->p->create_directories, 0};
    struct stat was;
    bool there;
    if (!fresh_open(p, &o, &f, err) || !place_stat(p, &there, &was, err) ||
        !fresh_write(&f, bytes.p, bytes.n, err))
        return false;
    if (j->params.mode.p)
        (void)fchmod(f.fd, mode_of(j));
    else if (there && S_ISREG(was.st_mode))
        keep_attributes(&f, &was);
    return fresh_commit(&f, err);
}

// Behind what is there; when it does not fit, the file is as it was.
static bool append_to(int fd, const struct place *p, struct str bytes, struct err *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return fs_error(err, "look at", p->shown);
    for (size_t done = 0; done < bytes.n;) {
        ssize_t n = write(fd, bytes.p + done, bytes.n - done);
        if (n < 0 && errno != EINTR) {
            (void)fs_error(err, "write", p->shown);
            (void)!ftruncate(fd, st.st_size);
            return false;
        }
        done += n > 0 ? (size_t)n : 0;
    }
    return fsync(fd) == 0 || fs_error(err, "write", p->shown);
}

static bool append(struct file_job *j, const struct place *p, struct str bytes, struct err *err)
{
    CLEANUP(cleanup_fd) int fd = -1;
    struct stat st;
    bool there;
    if (!place_stat(p, &there, &st, err))
        return false;
    if (!there)
        return write_whole(j, p, bytes, err);
    if (!S_ISREG(st.st_mode))
        return ERR(err, ERR_DENIED, "cannot write \"%.*s\": it is no regular file",
                   (int)str_utf8_cut(p->shown, FS_NAME_MAX / 2), p->shown.p);
    return place_open(p, O_WRONLY | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, &fd, err) &&
           append_to(fd, p, bytes, err);
}

bool file_write_text(struct file_job *j, struct err *err)
{
    struct place p;
    struct str bytes;
    struct stat st;
    bool there;
    if (!place_find(&j->roots, j->p->path, &p, &j->a->arena, err) || !content_of(j, &bytes, err))
        return false;
    file_sweep(j, &p);
    if (j->params.dry_run) {
        if (!place_stat(&p, &there, &st, err))
            return false;
        if (there && !j->p->overwrite && !j->params.append) {
            errno = EEXIST;
            return fs_error(err, "write", p.shown);
        }
    } else if (!(j->params.append ? append(j, &p, bytes, err) : write_whole(j, &p, bytes, err))) {
        return false;
    }
    file_say(j, "%s %zu bytes to \"%.*s\"", j->params.dry_run ? "would write" : "wrote", bytes.n,
             STR_ARG(p.shown));
    j->files++;
    j->bytes += (int64_t)bytes.n;
    return true;
}

// ---- LIST ----

struct listed {
    struct str path;
    int64_t size;
    struct instant changed;
    mode_t mode;
};
struct listing {
    struct arena arena;
    struct listed *v;
    size_t n, max;
};

static bool list_entry(struct file_job *j, const struct tree_entry *e, void *ctx, struct err *err)
{
    struct listing *l = ctx;
    (void)err;
    *(S_ISDIR(e->st.st_mode) ? &j->folders : &j->files) += 1;
    j->bytes += S_ISREG(e->st.st_mode) ? e->st.st_size : 0;
    struct str path = l->n < l->max ? arena_str(&l->arena, e->path) : STR_NONE;
    if (!path.p) {
        j->skipped++;
        return true;
    }
    struct instant changed = {(int64_t)e->st.st_mtim.tv_sec * US_PER_S + e->st.st_mtim.tv_nsec / 1000};
    l->v[l->n++] = (struct listed){path, e->st.st_size, changed, e->st.st_mode};
    return true;
}

static int by_path(const void *a, const void *b)
{
    return str_cmp(((const struct listed *)a)->path, ((const struct listed *)b)->path);
}

static void put_listed(struct file_job *j, const struct listed *l)
{
    char time[INSTANT_TEXT_MAX];
    const char *type = S_ISDIR(l->mode)   ? "FOLDER"
                       : S_ISLNK(l->mode) ? "LINK"
                       : S_ISREG(l->mode) ? "FILE"
                                          : "OTHER";
    struct sbuf context;
    arena_reset(&j->scratch);
    sbuf_init(&context, &j->scratch, FIELD_MAX_DEFAULT);
    sbuf_puts(&context, "{\"path\":");
    sbuf_json(&context, l->path);
    sbuf_fmt(&context, ",\"type\":\"%s\",\"size\":%lld,\"modified\":\"%s\"}", type, (long long)l->size,
             instant_format(l->changed, time));
    file_output(j, l->path, sbuf_ok(&context) ? sbuf_str(&context) : STR_NONE);
}

bool file_list(struct file_job *j, struct err *err)
{
    struct file_selection s;
    if (!file_select(j, true, &s, err))
        return false;
    struct listing l = {.max =
                            (size_t)(j->params.max_entries < LIST_MOST ? j->params.max_entries : LIST_MOST)};
    const struct file_visitor v = {list_entry, list_entry, NULL, &l};
    const struct tree_entry self = {.path = s.base.shown, .st = s.st};
    arena_init(&l.arena, LIST_BUDGET);
    l.v = arena_new_array(&l.arena, struct listed, l.max);
    bool ok = l.v && (s.single ? list_entry(j, &self, &l, err) : file_each(j, &s, &v, err));
    if (ok && l.n > 0)
        qsort(l.v, l.n, sizeof l.v[0], by_path);
    for (size_t i = 0; ok && i < l.n; i++)
        put_listed(j, &l.v[i]);
    if (ok && j->skipped > 0)
        file_say(j, "%lld more are not shown; raise maxEntries (at most %d) or set a pattern",
                 (long long)j->skipped, (int)LIST_MOST);
    arena_release(&l.arena);
    return ok;
}
