// SPDX-License-Identifier: Apache-2.0
// openat2 below a root, and the walk that stands for it on older kernels: every part is opened by itself with
// O_NOFOLLOW, relative to the one before, so that a part that was exchanged for a link is refused, not
// followed.
#include "fs/root.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/sync.h"

enum { SHOWN_MAX = 160, AGAIN_MAX = 64, FOLDER_MODE = 0777 };

static _Atomic bool openat2_off;

void root_openat2_switch(bool on) { atomic_store(&openat2_off, !on); }

// ---- errors ----

bool fs_error(struct err *err, const char *what, struct str path)
{
    int native = errno;
    enum err_code code = ERR_IO;
    const char *reason = NULL;
    switch (native) {
    case ENOENT:
        code = ERR_NOT_FOUND;
        reason = "it does not exist";
        break;
    case EEXIST:
        code = ERR_CONFLICT;
        reason = "it exists already; set overwrite to replace it";
        break;
    case EACCES:
    case EPERM:
        code = ERR_DENIED;
        reason = "the user that the server runs as may not do that";
        break;
    case EROFS:
        code = ERR_DENIED;
        reason = "the file system is read-only";
        break;
    case EXDEV:
    case ELOOP:
        code = ERR_DENIED;
        reason = "a link on the way leads out of the allowed folders (setting files.roots)";
        break;
    case ENOTDIR:
        code = ERR_CONFLICT;
        reason = "a part of the path is no folder";
        break;
    case EISDIR:
        code = ERR_CONFLICT;
        reason = "it is a folder";
        break;
    case ENOTEMPTY:
        code = ERR_CONFLICT;
        reason = "the folder is not empty; set recursive";
        break;
    case ENAMETOOLONG:
        code = ERR_INVALID;
        reason = "a name in it is longer than the file system allows";
        break;
    case ENOSPC:
        code = ERR_FULL;
        reason = "no space is left on the device; free some or write elsewhere";
        break;
    case EDQUOT:
        code = ERR_FULL;
        reason = "the quota of the server's user is used up";
        break;
    case EFBIG:
        code = ERR_FULL;
        reason = "the file is larger than the system allows";
        break;
    default:
        break;
    }
    int shown = (int)str_utf8_cut(path, SHOWN_MAX);
    char buf[ERR_FIELD_MAX];
    err_set(err, code, __FILE__, __LINE__, "cannot %s \"%.*s\"%s: %s", what, shown, path.p ? path.p : "",
            path.n > SHOWN_MAX ? "…" : "", reason ? reason : strerror_r(native, buf, sizeof buf));
    err->native = native;
    return false;
}

bool fs_stopped(const struct fs_stop *stop, struct err *err)
{
    if (!stop || !stop->asked || !stop->asked(stop->ctx))
        return false;
    (void)ERR(err, ERR_TIMEOUT, "the run is to end");
    err->native = ECANCELED;
    return true;
}

// ---- paths as text ----

// Takes "." and doubled slashes out. The buffer has room for the path and a NUL.
static bool normalise(struct str path, char *out, size_t *ret_n, struct err *err)
{
    size_t n = 0;
    for (struct str part, rest = path; rest.p;) {
        part = str_split(rest, '/', &rest);
        if (part.n == 0 || str_is(part, "."))
            continue;
        if (str_is(part, ".."))
            return ERR(err, ERR_INVALID, "must not hold \"..\"; write the path without it");
        if (part.n > FS_NAME_MAX)
            return ERR(err, ERR_INVALID, "must have names of at most %d bytes", (int)FS_NAME_MAX);
        if (n > 0)
            out[n++] = '/';
        memcpy(out + n, part.p, part.n);
        n += part.n;
    }
    out[n] = '\0';
    *ret_n = n;
    return true;
}

// What of an absolute path is below the root; −1 when it is not.
static ssize_t below(struct str root, struct str path)
{
    while (root.n > 0 && root.p[root.n - 1] == '/')
        root.n--;
    if (!str_starts(path, root))
        return -1;
    return path.n == root.n || path.p[root.n] == '/' ? (ssize_t)root.n : -1;
}

static bool find_absolute(const struct strs *roots, struct str path, size_t *ret_root, struct str *ret_rel,
                          struct err *err)
{
    ssize_t best = -1;
    for (size_t i = 0; i < roots->n; i++) {
        ssize_t n = below(roots->v[i], path);
        if (n > best) {
            best = n;
            *ret_root = i;
        }
    }
    if (best < 0)
        return ERR(err, ERR_DENIED,
                   "is outside the allowed folders; write a path below one of them or add its folder "
                   "to the setting files.roots");
    *ret_rel = (struct str){path.p + best, path.n - (size_t)best};
    return true;
}

bool root_find(const struct strs *roots, struct str path, size_t *ret_root, struct str *ret_rel,
               struct arena *a, struct err *err)
{
    if (path.n == 0 || path.n >= FS_PATH_MAX)
        return ERR(err, ERR_INVALID, "must have 1 to %d bytes", (int)FS_PATH_MAX - 1);
    if (memchr(path.p, '\0', path.n))
        return ERR(err, ERR_INVALID, "must not hold a NUL character");
    char *clean = arena_alloc(a, path.n + 2);
    if (!clean)
        return ERR(err, ERR_TOO_LARGE, "no memory for the path");
    bool absolute = path.p[0] == '/';
    size_t n = 0, root = 0;
    clean[0] = '/';
    if (!normalise(path, clean + absolute, &n, err))
        return false;
    struct str rel = {clean, n + absolute};
    if (absolute && !find_absolute(roots, rel, &root, &rel, err))
        return false;
    if (roots->n == 0)
        return ERR(err, ERR_CONFIG, "no folder is allowed; name one in the setting files.roots");
    if (rel.n > 0 && rel.p[0] == '/')
        rel = (struct str){rel.p + 1, rel.n - 1};
    *ret_root = root;
    *ret_rel = rel;
    return true;
}

// ---- roots ----

bool roots_open(const struct strs *paths, struct roots *ret, struct arena *a, struct err *err)
{
    struct roots r = {.v = arena_new_array(a, struct root, paths->n)};
    if (!r.v || paths->n > ROOTS_MAX)
        return ERR(err, ERR_CONFIG, "setting files.roots names more than %d folders", (int)ROOTS_MAX);
    for (size_t i = 0; i < paths->n; i++) {
        const char *path = arena_cstr(a, paths->v[i]);
        int fd = path ? open(path, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
        if (fd < 0) {
            roots_close(&r);
            return fs_error(err, "open the allowed folder", paths->v[i]);
        }
        r.v[r.n++] = (struct root){paths->v[i], fd};
    }
    *ret = r;
    return true;
}

void roots_close(struct roots *r)
{
    for (size_t i = 0; i < r->n; i++)
        (void)close(r->v[i].fd);
    *r = (struct roots){0};
}

// ---- places ----

bool place_find(const struct roots *r, struct str path, struct place *ret, struct arena *a, struct err *err)
{
    struct str names[ROOTS_MAX];
    struct strs list = {names, r->n};
    size_t root;
    struct str rel;
    for (size_t i = 0; i < r->n; i++)
        names[i] = r->v[i].path;
    if (!root_find(&list, path, &root, &rel, a, err)) {
        enum err_code code = err->code;
        char why[ERR_TEXT_MAX];
        (void)snprintf(why, sizeof why, "%s", err->text);
        bool cut = path.n > SHOWN_MAX;
        err_set(err, code, __FILE__, __LINE__, "path \"%.*s\"%s %.*s", (int)str_utf8_cut(path, SHOWN_MAX),
                path.p, cut ? "…" : "", (int)sizeof why - SHOWN_MAX, why);
        return false;
    }
    *ret = (struct place){&r->v[root], rel, path};
    return true;
}

bool place_below(const struct place *folder, struct str rel, struct place *ret, struct arena *a,
                 struct err *err)
{
    const char *between = folder->rel.n > 0 && rel.n > 0 ? "/" : "";
    const char *shown_between = folder->shown.n > 0 && folder->shown.p[folder->shown.n - 1] != '/' ? "/" : "";
    struct place p = {folder->root, arena_fmt(a, "%.*s%s%.*s", STR_ARG(folder->rel), between, STR_ARG(rel)),
                      rel.n == 0
                          ? folder->shown
                          : arena_fmt(a, "%.*s%s%.*s", STR_ARG(folder->shown), shown_between, STR_ARG(rel))};
    if (!p.rel.p || !p.shown.p)
        return ERR(err, ERR_TOO_LARGE, "no memory for the paths of files");
    if (p.rel.n >= FS_PATH_MAX) {
        errno = ENAMETOOLONG;
        return fs_error(err, "reach", p.shown);
    }
    *ret = p;
    return true;
}

struct str place_name(const struct place *p)
{
    const char *slash = p->rel.n > 0 ? memrchr(p->rel.p, '/', p->rel.n) : NULL;
    size_t at = slash ? (size_t)(slash - p->rel.p) + 1 : 0;
    return (struct str){p->rel.p + at, p->rel.n - at};
}

// ---- opening ----

// errno as openat2 gives it.
static int open_by_walk(int root, const char *rel, int flags)
{
    char part[FS_NAME_MAX + 1];
    int at = openat(root, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    while (at >= 0) {
        size_t n = strcspn(rel, "/");
        bool last = rel[n] == '\0';
        if (n > FS_NAME_MAX) {
            errno = ENAMETOOLONG;
            break;
        }
        memcpy(part, n > 0 ? rel : ".", n > 0 ? n : 1);
        part[n > 0 ? n : 1] = '\0';
        int next = openat(
            at, part, last ? flags | O_NOFOLLOW | O_CLOEXEC : O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        int why = errno;
        (void)close(at);
        at = next;
        errno = why;
        if (last)
            return at;
        rel += n + 1;
    }
    int why = errno;
    if (at >= 0)
        (void)close(at);
    errno = why;
    return -1;
}

static int open_beneath(int root, const char *rel, int flags)
{
    struct open_how how = {.flags = (uint64_t)(flags | O_CLOEXEC),
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    if (!atomic_load_explicit(&openat2_off, memory_order_relaxed)) {
        // EAGAIN: something above was renamed meanwhile and the kernel cannot promise that ".." of a link
        // stayed below.
        for (int i = 0; i < AGAIN_MAX; i++) {
            long fd = syscall(SYS_openat2, root, rel[0] ? rel : ".", &how, sizeof how);
            if (fd >= 0 || (errno != EAGAIN && errno != EINTR && errno != ENOSYS))
                return (int)fd;
            if (errno == ENOSYS) {
                root_openat2_switch(false);
                break;
            }
        }
    }
    return atomic_load(&openat2_off) ? open_by_walk(root, rel, flags) : -1;
}

bool place_open(const struct place *p, int flags, int *ret_fd, struct err *err)
{
    int fd = open_beneath(p->root->fd, p->rel.p, flags);
    if (fd < 0)
        return fs_error(err, "open", p->shown);
    *ret_fd = fd;
    return true;
}

// Takes the descriptor over.
static bool take_file(int fd, struct str shown, int *ret_fd, struct stat *ret_st, struct err *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        (void)fs_error(err, "look at", shown);
    } else if (S_ISREG(st.st_mode)) {
        *ret_fd = fd;
        *ret_st = st;
        return true;
    } else if (S_ISDIR(st.st_mode)) {
        errno = EISDIR;
        (void)fs_error(err, "read", shown);
    } else {
        (void)ERR(err, ERR_DENIED, "cannot read \"%.*s\": it is no regular file",
                  (int)str_utf8_cut(shown, SHOWN_MAX), shown.p);
        err->native = EINVAL;
    }
    (void)close(fd);
    return false;
}

bool place_open_file(const struct place *p, int *ret_fd, struct stat *ret_st, struct err *err)
{
    // A look first: even opening a device can do something.
    int fd, looked;
    struct stat st;
    if (!place_open(p, O_PATH, &looked, err))
        return false;
    if (!take_file(looked, p->shown, &looked, &st, err))
        return false;
    (void)close(looked);
    return place_open(p, O_RDONLY | O_NONBLOCK | O_NOCTTY, &fd, err) &&
           take_file(fd, p->shown, ret_fd, ret_st, err);
}

bool entry_open_file(int dir, const char *name, struct str shown, int *ret_fd, struct stat *ret_st,
                     struct err *err)
{
    int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return fs_error(err, "open", shown);
    return take_file(fd, shown, ret_fd, ret_st, err);
}

bool place_open_dir(const struct place *p, int *ret_fd, struct err *err)
{
    return place_open(p, O_RDONLY | O_DIRECTORY, ret_fd, err);
}

// ---- folders ----

static struct place parent_of(const struct place *p, char buf[static FS_PATH_MAX])
{
    size_t name = place_name(p).n, n = p->rel.n > name ? p->rel.n - name - 1 : 0;
    memcpy(buf, p->rel.p, n);
    buf[n] = '\0';
    return (struct place){p->root, {buf, n}, p->shown};
}

// One part after the other; each parent is opened from the root, as links on the way may need that.
static bool make_dirs(const struct place *p, struct err *err)
{
    char part[FS_PATH_MAX], above[FS_PATH_MAX];
    for (size_t n = 0; n < p->rel.n; n++) {
        n += str_find((struct str){p->rel.p + n, p->rel.n - n}, '/');
        memcpy(part, p->rel.p, n);
        part[n] = '\0';
        struct place here = {p->root, {part, n}, p->shown};
        struct place parent = parent_of(&here, above);
        CLEANUP(cleanup_fd) int dir = -1;
        if (!place_open(&parent, O_PATH | O_DIRECTORY, &dir, err))
            return false;
        if (mkdirat(dir, place_name(&here).p, FOLDER_MODE) != 0 && errno != EEXIST)
            return fs_error(err, "make folder", p->shown);
    }
    return true;
}

static bool open_folder(const struct place *p, bool create, int *ret_fd, struct err *err)
{
    int fd = open_beneath(p->root->fd, p->rel.p, O_PATH | O_DIRECTORY);
    if (fd < 0 && errno == ENOENT && !create) {
        (void)ERR(err, ERR_NOT_FOUND,
                  "cannot reach \"%.*s\": its folder does not exist; make it or set "
                  "createDirectories",
                  (int)str_utf8_cut(p->shown, SHOWN_MAX), p->shown.p);
        err->native = ENOENT;
        return false;
    }
    if (fd < 0 && errno == ENOENT) {
        if (!make_dirs(p, err))
            return false;
        fd = open_beneath(p->root->fd, p->rel.p, O_PATH | O_DIRECTORY);
    }
    if (fd < 0)
        return fs_error(err, "reach", p->shown);
    *ret_fd = fd;
    return true;
}

bool place_open_parent(const struct place *p, bool create, int *ret_fd, struct err *err)
{
    char buf[FS_PATH_MAX];
    if (p->rel.n == 0)
        return ERR(err, ERR_DENIED, "\"%.*s\" is an allowed folder itself; name something in it",
                   (int)str_utf8_cut(p->shown, SHOWN_MAX), p->shown.p);
    struct place parent = parent_of(p, buf);
    return open_folder(&parent, create, ret_fd, err);
}

bool place_make_dir(const struct place *p, struct err *err)
{
    CLEANUP(cleanup_fd) int fd = -1;
    return open_folder(p, true, &fd, err);
}

bool place_stat(const struct place *p, bool *ret_there, struct stat *ret_st, struct err *err)
{
    int fd = open_beneath(p->root->fd, p->rel.p, O_PATH | O_NOFOLLOW);
    if (fd < 0 && errno != ENOENT)
        return fs_error(err, "look at", p->shown);
    bool there = fd >= 0 && fstat(fd, ret_st) == 0;
    if (fd >= 0)
        (void)close(fd);
    *ret_there = there;
    return true;
}
