// SPDX-License-Identifier: Apache-2.0
// PROCESS with ENCRYPT, DECRYPT, CHECKSUM and VERIFY.
//
// A checksum file has one line a file, as sha256sum writes and reads it; its paths are below the folder that
// was summed up, so the folder may be checked somewhere else.
#include <errno.h>
#include <unistd.h>

#include "base/sync.h"
#include "fs/cipher.h"
#include "fs/digest.h"
#include "fs/fresh.h"
#include "jobs/file_system.h"

enum { BASELINE_MAX = 64 * 1024 * 1024 };

// ---- encryption ----

static bool crypt_with(struct file_job *j, bool encrypt, struct err *err)
{
    struct place from, to;
    struct stat st;
    CLEANUP(cleanup_fd) int fd = -1;
    CLEANUP(fresh_drop) struct fresh fresh = {.fd = -1};
    const struct fresh_options o = {j->p->overwrite, j->p->create_directories, S_IRUSR | S_IWUSR};
    if (!file_source(j, &from, &fd, &st, err) || !file_target(j, place_name(&from), &to, err))
        return false;
    if (j->params.dry_run) {
        file_say(j, "would write \"%.*s\"", STR_ARG(to.shown));
        return true;
    }
    if (!fresh_open(&to, &o, &fresh, err) ||
        !(encrypt ? cipher_encrypt : cipher_decrypt)(fd, from.shown, j->params.key, &fresh, &j->stop, err) ||
        !fresh_commit(&fresh, err))
        return false;
    file_say(j, "wrote \"%.*s\"", STR_ARG(to.shown));
    j->files++;
    j->bytes += st.st_size;
    return true;
}

bool file_encrypt(struct file_job *j, struct err *err) { return crypt_with(j, true, err); }

bool file_decrypt(struct file_job *j, struct err *err) { return crypt_with(j, false, err); }

// ---- checksums ----

struct summing {
    struct fresh *to; // NULL: to the log only
    struct place own; // the checksum file, which is not summed up
};

static bool sum_put(struct file_job *j, struct summing *s, int fd, struct str path, struct err *err)
{
    char hex[DIGEST_TEXT_MAX];
    int64_t bytes;
    if (!digest_file(fd, path, &j->stop, hex, &bytes, err))
        return false;
    struct str line = arena_fmt(&j->scratch, "%s  %.*s\n", hex, STR_ARG(path));
    if (!line.p)
        return ERR(err, ERR_TOO_LARGE, "no memory for a line of checksums");
    if (!s->to)
        file_output(j, (struct str){line.p, line.n - 1}, STR_NONE);
    else if (!fresh_write(s->to, line.p, line.n, err))
        return false;
    j->files++;
    j->bytes += bytes;
    return true;
}

static bool sum_entry(struct file_job *j, const struct tree_entry *e, void *ctx, struct err *err)
{
    struct summing *s = ctx;
    struct stat st, own;
    bool there = false;
    CLEANUP(cleanup_fd) int fd = -1;
    if (!S_ISREG(e->st.st_mode)) {
        j->skipped++;
        return true;
    }
    if (s->to && !place_stat(&s->own, &there, &own, err))
        return false;
    if (there && own.st_ino == e->st.st_ino && own.st_dev == e->st.st_dev)
        return true;
    if (memchr(e->path.p, '\n', e->path.n)) {
        j->skipped++;
        file_say(j, "left out a file whose name has a line break");
        return true;
    }
    return entry_open_file(e->dir, e->name, e->path, &fd, &st, err) && sum_put(j, s, fd, e->path, err);
}

static bool sum_all(struct file_job *j, struct summing *s, const struct file_selection *sel, struct err *err)
{
    const struct file_visitor v = {.file = sum_entry, .ctx = s};
    CLEANUP(cleanup_fd) int fd = -1;
    struct stat st;
    if (!sel->single)
        return file_each(j, sel, &v, err);
    return place_open_file(&sel->base, &fd, &st, err) && sum_put(j, s, fd, place_name(&sel->base), err);
}

bool file_checksum(struct file_job *j, struct err *err)
{
    struct file_selection sel;
    struct summing s = {0};
    CLEANUP(fresh_drop) struct fresh fresh = {.fd = -1};
    const struct fresh_options o = {j->p->overwrite, j->p->create_directories, 0};
    if (!file_select(j, true, &sel, err))
        return false;
    if (j->p->target_path.n > 0 && !j->params.dry_run) {
        if (!file_target(j, STR("SHA256SUMS"), &s.own, err) || !fresh_open(&s.own, &o, &fresh, err))
            return false;
        s.to = &fresh;
    }
    return sum_all(j, &s, &sel, err) && (!s.to || fresh_commit(&fresh, err));
}

// ---- verifying ----

struct verifying {
    const struct file_selection *sel;
    int64_t wrong, missing;
};

static bool line_verify(struct file_job *j, struct verifying *v, struct str hex, struct str path,
                        struct err *err)
{
    char now[DIGEST_TEXT_MAX];
    struct place p;
    struct stat st;
    int64_t bytes;
    struct err gone;
    CLEANUP(cleanup_fd) int fd = -1;
    size_t root;
    struct str rel;
    const struct strs self = {&(struct str)STR_INIT(""), 1};
    if (str_starts(path, STR("/")) || !root_find(&self, path, &root, &rel, &j->scratch, &gone))
        return ERR(err, ERR_DENIED, "the baseline names a path outside of the folder; write it anew");
    if (v->sel->single)
        p = v->sel->base;
    else if (!place_below(&v->sel->base, rel, &p, &j->scratch, err))
        return false;
    if (!place_open_file(&p, &fd, &st, &gone)) {
        v->missing++;
        file_say(j, "missing: %s", gone.text);
        return true;
    }
    if (!digest_file(fd, p.shown, &j->stop, now, &bytes, err))
        return false;
    j->files++;
    j->bytes += bytes;
    if (!str_eq_nocase(str_of(now), hex)) {
        v->wrong++;
        file_say(j, "changed: \"%.*s\"", STR_ARG(path));
    }
    return true;
}

static bool baseline_verify(struct file_job *j, struct verifying *v, struct str text, struct err *err)
{
    struct str hex, path;
    for (struct str line, rest = text; rest.p && rest.n > 0;) {
        line = str_split(rest, '\n', &rest);
        if (line.n == 0)
            continue;
        arena_reset(&j->scratch);
        if (!digest_line_parse(line, &hex, &path))
            return ERR(err, ERR_CORRUPT,
                       "the baseline has a line that is no checksum; write it anew with CHECKSUM");
        if (!line_verify(j, v, hex, path, err))
            return false;
    }
    return true;
}

static bool baseline_read(struct file_job *j, struct arena *a, struct str *ret, struct err *err)
{
    struct place p;
    struct stat st;
    CLEANUP(cleanup_fd) int fd = -1;
    if (!place_find(&j->roots, j->params.baseline, &p, &j->a->arena, err) ||
        !place_open_file(&p, &fd, &st, err))
        return false;
    char *text = st.st_size <= BASELINE_MAX ? arena_alloc(a, (size_t)st.st_size + 1) : NULL;
    if (!text)
        return ERR(err, ERR_TOO_LARGE, "the baseline is larger than %d bytes; check fewer files at once",
                   (int)BASELINE_MAX);
    size_t n = 0;
    for (ssize_t got = 1; got != 0 && n<(size_t)st.st_size; n += got> 0 ? (size_t)got : 0)
        if ((got = read(fd, text + n, (size_t)st.st_size - n)) < 0 && errno != EINTR)
            return fs_error(err, "read", p.shown);
    *ret = (struct str){text, n};
    return true;
}

bool file_verify(struct file_job *j, struct err *err)
{
    struct file_selection sel;
    struct verifying v = {.sel = &sel};
    struct arena a;
    struct str text = STR_NONE;
    arena_init(&a, BASELINE_MAX + 1);
    bool ok = file_select(j, true, &sel, err) && baseline_read(j, &a, &text, err) &&
              baseline_verify(j, &v, text, err);
    arena_release(&a);
    if (!ok || v.wrong + v.missing == 0)
        return ok;
    j->error_code = "CHECKSUM_MISMATCH";
    return ERR(err, ERR_CORRUPT,
               "%lld files differ from the baseline and %lld are missing; the run's log names them",
               (long long)v.wrong, (long long)v.missing);
}
