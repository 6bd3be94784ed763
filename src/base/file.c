// SPDX-License-Identifier: Apache-2.0
// Small files as a whole. Writing follows the one order that survives a crash on POSIX systems: new file,
// write, fsync, rename, fsync of the folder (the rename itself is in the folder).
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/sync.h"

enum { READ_FIRST = 4096, PERMISSIONS = 07777 };

// Fills the buffer as far as the file goes. Pipes give less than asked for, so it asks again.
static bool read_some(int fd, char *p, size_t n, size_t *ret_n)
{
    size_t have = 0;
    while (have < n) {
        ssize_t got = read(fd, p + have, n - have);
        if (got == 0)
            break;
        if (got < 0 && errno != EINTR)
            return false;
        if (got > 0)
            have += (size_t)got;
    }
    *ret_n = have;
    return true;
}

bool file_read(const char *path, size_t max, struct str *ret, struct arena *a, struct err *err)
{
    CLEANUP(cleanup_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return ERR(err, ERR_NOT_FOUND, "file \"%s\" does not exist", path);
    if (fd < 0)
        return ERR_ERRNO(err, "open file \"%s\"", path);
    // Read until the end instead of trusting st_size: files in /proc and pipes say 0.
    char *text = NULL;
    size_t cap = max < READ_FIRST ? max : READ_FIRST, n = 0;
    for (;;) {
        char *more = arena_alloc(a, cap + 1); // one byte more tells "longer than max"
        if (!more)
            return ERR(err, ERR_TOO_LARGE, "file \"%s\" does not fit into memory", path);
        if (n > 0)
            memcpy(more, text, n);
        text = more;
        size_t got;
        if (!read_some(fd, text + n, cap + 1 - n, &got))
            return ERR_ERRNO(err, "read file \"%s\"", path);
        n += got;
        if (n <= cap)
            break;
        if (cap == max)
            return ERR(err, ERR_TOO_LARGE, "file \"%s\" is larger than %zu bytes", path, max);
        cap = cap > max / 2 ? max : cap * 2;
    }
    *ret = (struct str){text, n};
    return true;
}

static bool write_all(int fd, struct str text)
{
    while (text.n > 0) {
        ssize_t put = write(fd, text.p, text.n);
        if (put < 0 && errno != EINTR)
            return false;
        if (put > 0)
            text = (struct str){text.p + put, text.n - (size_t)put};
    }
    return true;
}

// The folder of a path into buf; false when it does not fit.
static bool folder_of(const char *path, char buf[static PATH_MAX])
{
    const char *slash = strrchr(path, '/');
    size_t n = slash ? (size_t)(slash - path) : 0;
    if (n >= PATH_MAX)
        return false;
    if (!slash || n == 0) {
        (void)snprintf(buf, PATH_MAX, "%s", slash ? "/" : ".");
        return true;
    }
    memcpy(buf, path, n);
    buf[n] = '\0';
    return true;
}

static bool sync_folder(const char *path)
{
    char folder[PATH_MAX];
    if (!folder_of(path, folder))
        return false;
    CLEANUP(cleanup_fd) int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd >= 0 && fsync(fd) == 0;
}

bool file_write(const char *path, struct str text, unsigned mode, struct err *err)
{
    char fresh[PATH_MAX];
    int n = snprintf(fresh, sizeof fresh, "%s.XXXXXX", path);
    if (n < 0 || (size_t)n >= sizeof fresh)
        return ERR(err, ERR_INVALID, "file name is longer than %d bytes", (int)PATH_MAX);
    CLEANUP(cleanup_fd) int fd = mkostemp(fresh, O_CLOEXEC);
    if (fd < 0)
        return ERR_ERRNO(err, "create a file beside \"%s\"", path);
    // The mode is set before the first byte is there, so that a key is never readable for others.
    bool written = fchmod(fd, mode & PERMISSIONS) == 0 && write_all(fd, text) && fsync(fd) == 0 &&
                   rename(fresh, path) == 0;
    if (!written) {
        (void)ERR_ERRNO(err, "write file \"%s\"", path);
        (void)unlink(fresh);
        return false;
    }
    if (!sync_folder(path))
        return ERR_ERRNO(err, "sync the folder of \"%s\"", path);
    return true;
}

static bool make_one(const char *path, unsigned mode)
{
    struct stat st;
    if (mkdir(path, mode & PERMISSIONS) == 0)
        return true;
    if (errno != EEXIST)
        return false;
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return true;
    errno = ENOTDIR;
    return false;
}

bool dir_make(const char *path, unsigned mode, struct err *err)
{
    char part[PATH_MAX];
    size_t n = strlen(path);
    if (n == 0 || n >= sizeof part)
        return ERR(err, ERR_INVALID, "folder name must have 1 to %d bytes", (int)PATH_MAX - 1);
    memcpy(part, path, n + 1);
    for (size_t i = 1; i <= n; i++) {
        if (part[i] != '/' && part[i] != '\0')
            continue;
        part[i] = '\0';
        if (!make_one(part, mode))
            return ERR_ERRNO(err, "make folder \"%s\"", path);
        part[i] = path[i];
    }
    return true;
}
