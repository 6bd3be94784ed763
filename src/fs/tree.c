// SPDX-License-Identifier: Apache-2.0
// The walk keeps one open folder for each level, and one path that grows and shrinks with it.
#include "fs/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/sync.h"
#include "fs/fresh.h"

enum { PATH_ROOM = 16384 }; // of paths in a walk; deeper ones end it with an error

struct walk {
    const struct tree_visitor *v;
    struct str shown;
    char *path;
    size_t n; // bytes of path in use
};

// Its own frame, once: the walk's frames are on the stack a hundred times.
__attribute__((noinline)) static bool fail(const struct walk *w, const char *what, struct err *err)
{
    char text[FS_PATH_MAX];
    int why = errno;
    int n = snprintf(text, sizeof text, "%.*s/%.*s", STR_ARG(w->shown), (int)w->n, w->path);
    errno = why;
    return fs_error(err, what, (struct str){text, n < (int)sizeof text ? (size_t)n : sizeof text - 1});
}

static bool folder_walk(struct walk *w, int fd, size_t depth, struct err *err);

static bool enter(struct walk *w, const struct tree_entry *e, struct err *err)
{
    int fd = openat(e->dir, e->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno != ENOENT)
        return fail(w, "open folder", err);
    if (fd >= 0 && !folder_walk(w, fd, e->depth + 1, err))
        return false;
    return !w->v->leave || w->v->leave(w->v->ctx, e, err);
}

static bool entry_walk(struct walk *w, int dir, const char *name, size_t depth, struct err *err)
{
    size_t before = w->n, n = strlen(name);
    struct tree_entry e = {.dir = dir, .name = name, .depth = depth};
    if (fs_stopped(w->v->stop, err))
        return false;
    if (before + n + 2 > PATH_ROOM) {
        errno = ENAMETOOLONG;
        return fail(w, "read folder", err);
    }
    if (fstatat(dir, name, &e.st, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT || fail(w, "look into folder", err);
    if (before > 0)
        w->path[w->n++] = '/';
    memcpy(w->path + w->n, name, n + 1);
    w->n += n;
    e.path = (struct str){w->path, w->n};
    enum tree_next next = w->v->visit(w->v->ctx, &e, err);
    bool ok = next != TREE_FAIL && (next == TREE_OVER || !S_ISDIR(e.st.st_mode) || enter(w, &e, err));
    w->n = before;
    w->path[before] = '\0';
    return ok;
}

// Takes the descriptor over.
static bool folder_walk(struct walk *w, int fd, size_t depth, struct err *err)
{
    DIR *d = depth <= TREE_DEPTH_MAX ? fdopendir(fd) : NULL;
    bool ok = true;
    if (!d) {
        if (depth > TREE_DEPTH_MAX)
            errno = ENAMETOOLONG;
        (void)fail(w, "read folder", err);
        (void)close(fd);
        return false;
    }
    while (ok) {
        errno = 0;
        struct dirent *e = readdir(d);
        if (!e) {
            ok = errno == 0 || fail(w, "read folder", err);
            break;
        }
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 && !fresh_is_temp(e->d_name))
            ok = entry_walk(w, fd, e->d_name, depth, err);
    }
    (void)closedir(d);
    return ok;
}

bool tree_walk(int dir, struct str shown, const struct tree_visitor *v, struct err *err)
{
    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return fs_error(err, "read folder", shown);
    struct walk w = {.v = v, .shown = shown, .path = mem_array(PATH_ROOM, 1)};
    bool ok = folder_walk(&w, fd, 1, err);
    mem_free(w.path);
    return ok;
}

// ---- removing ----

struct removal {
    struct str shown;
    int64_t n;
};

static enum tree_next remove_file(void *ctx, const struct tree_entry *e, struct err *err)
{
    struct removal *r = ctx;
    if (S_ISDIR(e->st.st_mode))
        return TREE_ON;
    if (unlinkat(e->dir, e->name, 0) == 0)
        r->n++;
    else if (errno != ENOENT && !fs_error(err, "remove", e->path))
        return TREE_FAIL;
    return TREE_ON;
}

static int remove_empty(const struct tree_entry *e)
{
    return unlinkat(e->dir, e->name, AT_REMOVEDIR) == 0 || errno == ENOENT ? 0 : -1;
}

static bool remove_folder(void *ctx, const struct tree_entry *e, struct err *err)
{
    struct removal *r = ctx;
    int done = remove_empty(e);
    if (done != 0 && errno == ENOTEMPTY) { // perhaps only what somebody was killed over
        CLEANUP(cleanup_fd) int fd = openat(e->dir, e->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd >= 0)
            (void)fresh_sweep(fd);
        done = remove_empty(e);
    }
    r->n += done == 0;
    return done == 0 || fs_error(err, "remove", e->path);
}

bool tree_remove(int dir, const char *name, struct str shown, const struct fs_stop *stop, int64_t *ret_n,
                 struct err *err)
{
    struct removal r = {.shown = shown};
    struct stat st;
    bool ok = true;
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        ok = errno == ENOENT || fs_error(err, "remove", shown);
    } else if (S_ISDIR(st.st_mode)) {
        CLEANUP(cleanup_fd) int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        const struct tree_visitor v = {remove_file, remove_folder, stop, &r};
        const struct tree_entry self = {.dir = dir, .name = name, .path = shown};
        if (fd < 0)
            ok = fs_error(err, "remove", shown);
        else
            ok = tree_walk(fd, shown, &v, err) && remove_folder(&r, &self, err);
    } else if (unlinkat(dir, name, 0) == 0) {
        r.n++;
    } else {
        ok = errno == ENOENT || fs_error(err, "remove", shown);
    }
    *ret_n = r.n;
    return ok;
}
