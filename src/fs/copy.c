// SPDX-License-Identifier: Apache-2.0
// Content goes segment by segment between the holes of the source.
#include "fs/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/sync.h"
#include "fs/fresh.h"

enum {
    BUFFER = 256 * 1024,
    PERMISSIONS = 07777,
    PLAIN_PERMISSIONS = 0777,
    XATTR_NAMES_MAX = 16384,
    XATTR_VALUE_MAX = 65536
};

// ---- attributes ----

static void copy_xattrs(int from, int to)
{
    char *names = mem_array(XATTR_NAMES_MAX + XATTR_VALUE_MAX, 1), *value = names + XATTR_NAMES_MAX;
    ssize_t n = flistxattr(from, names, XATTR_NAMES_MAX);
    for (const char *name = names; n > 0 && name < names + n; name += strlen(name) + 1) {
        ssize_t bytes = fgetxattr(from, name, value, XATTR_VALUE_MAX);
        if (bytes >= 0)
            (void)fsetxattr(to, name, value, (size_t)bytes, 0);
    }
    mem_free(names);
}

void copy_attributes(int from, const struct stat *st, int to)
{
    const struct timespec times[] = {st->st_atim, st->st_mtim};
    mode_t mode = st->st_mode & PERMISSIONS;
    if (fchown(to, st->st_uid, st->st_gid) != 0)
        mode &= PLAIN_PERMISSIONS; // another owner's set-user-id would become ours
    copy_xattrs(from, to);
    (void)fchmod(to, mode);
    (void)futimens(to, times);
}

// ---- content ----

struct content {
    int from;
    struct fresh *to;
    const struct fs_stop *stop;
    bool by_hand; // copy_file_range does not work between these two
    char *buffer; // once it is needed
};

static bool chunk_by_hand(struct content *c, off_t at, size_t most, size_t *ret_n, struct err *err)
{
    if (!c->buffer)
        c->buffer = mem_array(BUFFER, 1);
    ssize_t got = pread(c->from, c->buffer, most < BUFFER ? most : BUFFER, at);
    if (got < 0)
        return fs_error(err, "read for the copy", c->to->shown);
    for (ssize_t done = 0; done < got;) {
        ssize_t put = pwrite(c->to->fd, c->buffer + done, (size_t)(got - done), at + done);
        if (put < 0 && errno != EINTR)
            return fs_error(err, "write", c->to->shown);
        done += put > 0 ? put : 0;
    }
    *ret_n = (size_t)got;
    return true;
}

// *ret_n = 0: the source has ended.
static bool chunk(struct content *c, off_t at, size_t most, size_t *ret_n, struct err *err)
{
    if (!c->by_hand) {
        off_t in = at, out = at;
        ssize_t n = copy_file_range(c->from, &in, c->to->fd, &out, most, 0);
        if (n > 0) {
            *ret_n = (size_t)n;
            return true;
        }
        if (n < 0 && errno != EXDEV && errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP &&
            errno != EPERM)
            return fs_error(err, "write", c->to->shown);
        c->by_hand = true; // also where it says 0 too early, as some virtual file systems do
    }
    return chunk_by_hand(c, at, most, ret_n, err);
}

static bool segment(struct content *c, off_t at, off_t end, struct err *err)
{
    while (at < end) {
        size_t n = 0, most = end - at < FS_COPY_CHUNK ? (size_t)(end - at) : FS_COPY_CHUNK;
        if (fs_stopped(c->stop, err) || !chunk(c, at, most, &n, err))
            return false;
        if (n == 0)
            break;
        at += (off_t)n;
    }
    return true;
}

static bool segments(struct content *c, off_t size, struct err *err)
{
    for (off_t at = 0; at < size;) {
        off_t data = lseek(c->from, at, SEEK_DATA);
        if (data < 0 && errno == ENXIO)
            break; // nothing but a hole is left
        bool knows_holes = data >= 0;
        off_t hole = knows_holes ? lseek(c->from, data, SEEK_HOLE) : size;
        at = knows_holes ? data : at;
        if (!segment(c, at, hole > at && hole < size ? hole : size, err))
            return false;
        at = hole > at ? hole : size;
    }
    return true;
}

static bool content_copy(struct content *c, off_t size, struct err *err)
{
    if (size > 0 && ioctl(c->to->fd, FICLONE, c->from) == 0)
        return true;
    return segments(c, size, err) &&
           (ftruncate(c->to->fd, size) == 0 || fs_error(err, "write", c->to->shown));
}

bool copy_file(int from, const struct place *to, const struct copy_options *o, const struct fs_stop *stop,
               int64_t *ret_bytes, struct err *err)
{
    struct stat st;
    CLEANUP(fresh_drop) struct fresh fresh = {.fd = -1};
    if (fstat(from, &st) != 0)
        return fs_error(err, "read for the copy", to->shown);
    // Private until its content and owner are right, when it is to be like the source.
    const struct fresh_options how = {o->overwrite, o->create_dirs,
                                      o->preserve ? S_IRUSR | S_IWUSR : st.st_mode & PLAIN_PERMISSIONS};
    if (!fresh_open(to, &how, &fresh, err))
        return false;
    struct content c = {.from = from, .to = &fresh, .stop = stop};
    bool ok = content_copy(&c, st.st_size, err);
    mem_free(c.buffer);
    if (ok && o->preserve)
        copy_attributes(from, &st, fresh.fd);
    if (!ok || !fresh_commit(&fresh, err))
        return false;
    *ret_bytes = st.st_size;
    return true;
}

// ---- links ----

bool copy_link(int dir, const char *name, const struct place *to, const struct copy_options *o,
               struct err *err)
{
    char points_to[FS_PATH_MAX], temp[FRESH_NAME_MAX];
    CLEANUP(cleanup_fd) int parent = -1;
    ssize_t n = readlinkat(dir, name, points_to, sizeof points_to - 1);
    if (n < 0)
        return fs_error(err, "read link", to->shown);
    points_to[n] = '\0';
    if (!place_open_parent(to, o->create_dirs, &parent, err))
        return false;
    if (symlinkat(points_to, parent, place_name(to).p) == 0)
        return true;
    if (errno != EEXIST || !o->overwrite)
        return fs_error(err, "write", to->shown);
    fresh_temp_name(temp);
    if (symlinkat(points_to, parent, temp) != 0)
        return fs_error(err, "write", to->shown);
    if (renameat(parent, temp, parent, place_name(to).p) == 0)
        return true;
    (void)fs_error(err, "write", to->shown);
    (void)unlinkat(parent, temp, 0);
    return false;
}

// ---- moving ----

static bool sync_dir(int dir)
{
    CLEANUP(cleanup_fd) int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 || fsync(fd) == 0;
}

// RENAME_NOREPLACE is not known everywhere; there a look before is the best there is.
static int rename_fresh(int dir, const char *name, int parent, const char *new_name)
{
    struct stat st;
    if (renameat2(dir, name, parent, new_name, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -1;
    if (fstatat(parent, new_name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        errno = EEXIST;
        return -1;
    }
    return renameat(dir, name, parent, new_name);
}

bool move_entry(int dir, const char *name, const struct place *to, const struct copy_options *o,
                bool *ret_other_device, struct err *err)
{
    CLEANUP(cleanup_fd) int parent = -1;
    if (!place_open_parent(to, o->create_dirs, &parent, err))
        return false;
    const char *new_name = place_name(to).p;
    int done =
        o->overwrite ? renameat(dir, name, parent, new_name) : rename_fresh(dir, name, parent, new_name);
    if (done == 0)
        return (sync_dir(parent) && sync_dir(dir)) || fs_error(err, "sync the folder of", to->shown);
    if (errno != EXDEV)
        return fs_error(err, "move to", to->shown);
    *ret_other_device = true;
    return false;
}
