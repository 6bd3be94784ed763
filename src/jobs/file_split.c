// SPDX-License-Identifier: Apache-2.0
// PROCESS with SPLIT: one file into parts of so many lines or bytes, and a manifest that names them.
//
// Each part appears whole; the manifest comes last, so where it is, all parts are.
#include <errno.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/sync.h"
#include "fs/digest.h"
#include "fs/fresh.h"
#include "jobs/file_system.h"

enum { BUFFER = 256 * 1024, HEADER_MAX = 1024 * 1024, PARTS_MAX = 100000, MANIFEST_MAX = 32 * 1024 * 1024 };

struct splitting {
    struct file_job *job;
    struct place from, folder;
    struct str stem, ending;
    int fd;
    int64_t at, size; // of the source
    char *header;     // its first line, repeated in each part
    size_t header_n;
    struct fresh part; // fd −1: none is open
    char part_name[FS_NAME_MAX + 1];
    int64_t parts, part_bytes, part_lines;
    struct sbuf manifest;
    char buffer[BUFFER];
};

static bool part_open(struct splitting *s, struct err *err)
{
    struct place to;
    const struct fresh_options o = {.overwrite = s->job->p->overwrite,
                                    .create_dirs = s->job->p->create_directories};
    arena_reset(&s->job->scratch);
    if (++s->parts > PARTS_MAX)
        return ERR(err, ERR_TOO_LARGE, "the file has more than %d parts; make them larger", (int)PARTS_MAX);
    int n = snprintf(s->part_name, sizeof s->part_name, "%.*s-%04lld%.*s", STR_ARG(s->stem),
                     (long long)s->parts, STR_ARG(s->ending));
    if (n >= (int)sizeof s->part_name) {
        errno = ENAMETOOLONG;
        return fs_error(err, "split", s->from.shown);
    }
    s->part_bytes = s->part_lines = 0;
    if (!place_below(&s->folder, str_of(s->part_name), &to, &s->job->scratch, err) ||
        !fresh_open(&to, &o, &s->part, err))
        return false;
    s->part.shown = str_of(s->part_name);
    s->part_bytes = (int64_t)s->header_n;
    return s->header_n == 0 || fresh_write(&s->part, s->header, s->header_n, err);
}

static bool part_close(struct splitting *s, struct err *err)
{
    char hex[DIGEST_TEXT_MAX];
    int64_t bytes;
    if (s->part.fd < 0)
        return true;
    if (!digest_file(s->part.fd, str_of(s->part_name), &s->job->stop, hex, &bytes, err) ||
        !fresh_commit(&s->part, err))
        return false;
    sbuf_puts(&s->manifest, s->parts > 1 ? ",\n  {\"name\":" : "\n  {\"name\":");
    sbuf_json(&s->manifest, str_of(s->part_name));
    sbuf_fmt(&s->manifest, ",\"bytes\":%lld,\"lines\":%lld,\"sha256\":\"%s\"}", (long long)bytes,
             (long long)s->part_lines, hex);
    s->job->files++;
    s->job->bytes += bytes;
    file_say(s->job, "wrote part \"%s\"", s->part_name);
    return sbuf_ok(&s->manifest) || ERR(err, ERR_TOO_LARGE, "no memory for the manifest");
}

// How much of the bytes still belongs to the open part; *ret_full when it is complete then.
static size_t part_takes(struct splitting *s, struct str bytes, bool *ret_full)
{
    const struct file_params *p = &s->job->params;
    size_t n = bytes.n;
    *ret_full = false;
    if (p->size > 0 && (int64_t)n >= p->size - s->part_bytes) {
        n = (size_t)(p->size - s->part_bytes);
        *ret_full = true;
    }
    for (size_t i = 0; i < n; i++) {
        s->part_lines += bytes.p[i] == '\n';
        if (p->lines > 0 && bytes.p[i] == '\n' && s->part_lines == p->lines) {
            *ret_full = true;
            return i + 1;
        }
    }
    return n;
}

static bool bytes_split(struct splitting *s, struct str bytes, struct err *err)
{
    while (bytes.n > 0) {
        bool full;
        if (s->part.fd < 0 && !part_open(s, err))
            return false;
        size_t n = part_takes(s, bytes, &full);
        if (!fresh_write(&s->part, bytes.p, n, err))
            return false;
        s->part_bytes += (int64_t)n;
        bytes = (struct str){bytes.p + n, bytes.n - n};
        if (full && !part_close(s, err))
            return false;
    }
    return true;
}

static bool header_take(struct splitting *s, struct err *err)
{
    s->header = mem_array(HEADER_MAX, 1);
    ssize_t n = pread(s->fd, s->header, HEADER_MAX, 0);
    if (n < 0)
        return fs_error(err, "read", s->from.shown);
    size_t end = str_find((struct str){s->header, (size_t)n}, '\n');
    if (end == (size_t)n && n == HEADER_MAX)
        return ERR(err, ERR_TOO_LARGE, "the first line has more than 1 MiB; is the file text?");
    s->header_n = end == (size_t)n ? end : end + 1;
    s->at = (int64_t)s->header_n;
    return true;
}

static bool all_split(struct splitting *s, struct err *err)
{
    if (s->job->params.header && !header_take(s, err))
        return false;
    for (;;) {
        ssize_t n = pread(s->fd, s->buffer, BUFFER, s->at);
        if (n < 0 && errno != EINTR)
            return fs_error(err, "read", s->from.shown);
        if (fs_stopped(&s->job->stop, err) ||
            (n > 0 && !bytes_split(s, (struct str){s->buffer, (size_t)n}, err)))
            return false;
        if (n == 0)
            break;
        s->at += n > 0 ? n : 0;
    }
    return (s->parts > 0 || part_open(s, err)) && part_close(s, err); // an empty file has one empty part
}

static bool manifest_write(struct splitting *s, struct err *err)
{
    char hex[DIGEST_TEXT_MAX];
    int64_t bytes;
    struct place to;
    CLEANUP(fresh_drop) struct fresh f = {.fd = -1};
    const struct fresh_options o = {.overwrite = s->job->p->overwrite};
    arena_reset(&s->job->scratch);
    struct str name = arena_fmt(&s->job->scratch, "%.*s.manifest.json", STR_ARG(place_name(&s->from)));
    if (!digest_file(s->fd, s->from.shown, &s->job->stop, hex, &bytes, err))
        return false;
    sbuf_fmt(&s->manifest, "\n ],\n \"bytes\":%lld,\"sha256\":\"%s\"}\n", (long long)bytes, hex);
    if (!sbuf_ok(&s->manifest))
        return ERR(err, ERR_TOO_LARGE, "no memory for the manifest");
    return place_below(&s->folder, name, &to, &s->job->scratch, err) && fresh_open(&to, &o, &f, err) &&
           fresh_write(&f, s->manifest.p, s->manifest.n, err) && fresh_commit(&f, err);
}

static bool split(struct splitting *s, struct err *err)
{
    struct stat st;
    if (!file_source(s->job, &s->from, &s->fd, &st, err) || !file_target_folder(s->job, &s->folder, err))
        return false;
    if (s->job->p->create_directories && !s->job->params.dry_run && !place_make_dir(&s->folder, err))
        return false;
    struct str name = place_name(&s->from);
    const char *dot = memrchr(name.p, '.', name.n);
    size_t stem = dot && dot > name.p ? (size_t)(dot - name.p) : name.n;
    s->stem = (struct str){name.p, stem};
    s->ending = (struct str){name.p + stem, name.n - stem};
    if (s->job->params.dry_run) {
        file_say(s->job, "would split \"%.*s\" into \"%.*s\"", STR_ARG(s->from.shown),
                 STR_ARG(s->folder.shown));
        return true;
    }
    sbuf_puts(&s->manifest, "{\"source\":");
    sbuf_json(&s->manifest, name);
    sbuf_puts(&s->manifest, ",\n \"parts\":[");
    return all_split(s, err) && manifest_write(s, err);
}

bool file_split(struct file_job *j, struct err *err)
{
    struct splitting *s = mem_new(struct splitting);
    s->job = j;
    s->fd = -1;
    s->part.fd = -1;
    sbuf_init(&s->manifest, NULL, MANIFEST_MAX);
    bool ok = split(s, err);
    fresh_drop(&s->part);
    cleanup_fd(&s->fd);
    sbuf_release(&s->manifest);
    mem_free(s->header);
    mem_free(s);
    return ok;
}
