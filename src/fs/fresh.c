// SPDX-License-Identifier: Apache-2.0
// The order that survives a crash: content, fsync, name, fsync of the folder.
//
// Whoever writes a temporary file holds its flock until it has its final name. Between creating and locking
// somebody may sweep it: then it has no name any more, which the creator sees in the link count and tries
// again.
#include "fs/fresh.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/rng.h"
#include "base/sync.h"

enum { TRIES_MAX = 100, FILE_MODE = 0666, FD_PATH_MAX = 32 };
static const char temp_head[] = ".chronos-", temp_tail[] = ".part";

void fresh_temp_name(char buf[static FRESH_NAME_MAX])
{
    uint64_t chance;
    rng_secret(&chance, sizeof chance);
    (void)snprintf(buf, FRESH_NAME_MAX, "%s%016llx%s", temp_head, (unsigned long long)chance, temp_tail);
}

bool fresh_is_temp(const char *name)
{
    return str_starts(str_of(name), str_of(temp_head)) && str_ends(str_of(name), str_of(temp_tail));
}

// ---- opening ----

// For file systems that know no unnamed files.
static int open_named(struct fresh *f, unsigned mode)
{
    for (int i = 0; i < TRIES_MAX; i++) {
        struct stat st;
        fresh_temp_name(f->temp);
        int fd = openat(f->dir, f->temp, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
        if (fd < 0 && errno != EEXIST)
            return -1;
        if (fd >= 0 && flock(fd, LOCK_EX) == 0 && fstat(fd, &st) == 0 && st.st_nlink > 0) {
            f->named = true;
            return fd;
        }
        if (fd >= 0)
            (void)close(fd);
    }
    errno = EAGAIN;
    return -1;
}

static int open_unnamed(const struct fresh *f, unsigned mode)
{
    int fd = openat(f->dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, mode);
    if (fd >= 0)
        (void)flock(fd, LOCK_EX); // nobody else knows it; for the moment it has a temporary name
    return fd;
}

static bool name_free(const struct fresh *f)
{
    struct stat st;
    return f->overwrite || fstatat(f->dir, f->name, &st, AT_SYMLINK_NOFOLLOW) != 0;
}

bool fresh_open(const struct place *to, const struct fresh_options *o, struct fresh *ret, struct err *err)
{
    struct fresh f = {.fd = -1, .dir = -1, .overwrite = o->overwrite, .shown = to->shown};
    unsigned mode = o->mode ? o->mode : FILE_MODE;
    if (!place_open_parent(to, o->create_dirs, &f.dir, err))
        return false;
    (void)snprintf(f.name, sizeof f.name, "%.*s", STR_ARG(place_name(to)));
    if (name_free(&f)) {
        f.fd = open_unnamed(&f, mode);
        if (f.fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL || errno == ENOENT))
            f.fd = open_named(&f, mode);
    } else {
        errno = EEXIST;
    }
    if (f.fd < 0) {
        (void)fs_error(err, "write", to->shown);
        (void)close(f.dir);
        return false;
    }
    *ret = f;
    return true;
}

bool fresh_write(struct fresh *f, const void *bytes, size_t n, struct err *err)
{
    for (const char *at = bytes; n > 0;) {
        ssize_t put = write(f->fd, at, n);
        if (put < 0 && errno != EINTR)
            return fs_error(err, "write", f->shown);
        if (put > 0) {
            at += put;
            n -= (size_t)put;
        }
    }
    return true;
}

// ---- naming ----

static int link_fd(int fd, int dir, const char *name)
{
    if (linkat(fd, "", dir, name, AT_EMPTY_PATH) == 0)
        return 0;
    if (errno != ENOENT && errno != EPERM && errno != EINVAL)
        return -1;
    char path[FD_PATH_MAX]; // without CAP_DAC_READ_SEARCH older kernels want it this way
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return linkat(AT_FDCWD, path, dir, name, AT_SYMLINK_FOLLOW);
}

static int link_temp(struct fresh *f)
{
    for (int i = 0; i < TRIES_MAX; i++) {
        fresh_temp_name(f->temp);
        if (link_fd(f->fd, f->dir, f->temp) == 0) {
            f->named = true;
            return 0;
        }
        if (errno != EEXIST)
            break;
    }
    return -1;
}

// Where renameat2 knows no NOREPLACE, a second name does the same: link fails when the first is taken.
static int rename_new(struct fresh *f)
{
    if (renameat2(f->dir, f->temp, f->dir, f->name, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -1;
    return linkat(f->dir, f->temp, f->dir, f->name, 0) == 0 ? unlinkat(f->dir, f->temp, 0) : -1;
}

static bool give_name(struct fresh *f)
{
    if (!f->overwrite && !f->named)
        return link_fd(f->fd, f->dir, f->name) == 0;
    if (!f->named && link_temp(f) != 0)
        return false;
    int done = f->overwrite ? renameat(f->dir, f->temp, f->dir, f->name) : rename_new(f);
    if (done == 0)
        f->named = false;
    return done == 0;
}

bool fresh_commit(struct fresh *f, struct err *err)
{
    bool ok = fsync(f->fd) == 0 && give_name(f);
    if (ok) {
        CLEANUP(cleanup_fd) int dir = openat(f->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        ok = dir < 0 || fsync(dir) == 0; // a folder that may not be read cannot be synced
    }
    if (!ok)
        (void)fs_error(err, "write", f->shown);
    fresh_drop(f);
    return ok;
}

void fresh_drop(struct fresh *f)
{
    if (f->fd < 0)
        return;
    if (f->named)
        (void)unlinkat(f->dir, f->temp, 0);
    (void)close(f->fd);
    (void)close(f->dir);
    f->fd = f->dir = -1;
}

// ---- sweeping ----

static bool sweep_one(int dir, const char *name)
{
    CLEANUP(cleanup_fd) int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 && unlinkat(dir, name, 0) == 0;
}

size_t fresh_sweep(int dir)
{
    size_t n = 0;
    int again = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = again >= 0 ? fdopendir(again) : NULL;
    if (!d) {
        if (again >= 0)
            (void)close(again);
        return 0;
    }
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        n += fresh_is_temp(e->d_name) && sweep_one(dir, e->d_name);
    (void)closedir(d);
    return n;
}
