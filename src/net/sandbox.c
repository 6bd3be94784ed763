// SPDX-License-Identifier: Apache-2.0
// Landlock: which files a program may read and write; and the capabilities by which root would get round it.
//
// RESTRICTED and STRICT leave the system's folders readable and the private folder, the working directory and
// the listed paths open; everything else is closed, the server's data folder first of all. A path of the
// job's own must really (links resolved by opening it) lie below one of the roots. What a program may not be
// told by landlock of an older kernel (truncate by path, before version 3) is closed by sandbox_calls.c.
#include "net/sandbox.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <limits.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

// Of versions after the headers of Debian 12.
enum {
    ACCESS_TRUNCATE = 1 << 14,  // since version 3
    ACCESS_IOCTL_DEV = 1 << 15, // since version 5
    SCOPE_ABSTRACT_UNIX_SOCKET = 1 << 0,
    SCOPE_SIGNAL = 1 << 1, // both since version 6
    VERSION_REFER = 2,
    VERSION_TRUNCATE = 3,
    VERSION_IOCTL_DEV = 5,
    VERSION_SCOPE = 6,
};
struct ruleset_attr {
    uint64_t handled_fs, handled_net, scoped;
};

enum {
    ACCESS_READ = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR,
    ACCESS_FIRST = (1 << 13) - 1, // all of version 1
    ACCESS_OF_FILES = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |
                      LANDLOCK_ACCESS_FS_READ_FILE | ACCESS_TRUNCATE | ACCESS_IOCTL_DEV,
    ACCESS_DEVICE =
        LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | ACCESS_TRUNCATE | ACCESS_IOCTL_DEV,
};

static const char *const system_dirs[] = {"/usr",   "/bin",   "/sbin",   "/lib",
                                          "/lib32", "/lib64", "/libx32", NULL};
static const char *const more_dirs[] = {"/opt", "/proc",         "/sys",  "/dev",
                                        "/run", "/var/lib/dpkg", "/snap", NULL};
static const char *const devices[] = {"/dev/null",   "/dev/zero",    "/dev/full",
                                      "/dev/random", "/dev/urandom", NULL};
// Of /etc: what belongs to this server or to passwords.
static const char *const hidden[] = {"chronos", "shadow",    "shadow-", "gshadow", "gshadow-",
                                     "sudoers", "sudoers.d", "ssh",     NULL};

struct walls {
    int ruleset;
    uint64_t handled;
    char *why;
};

int sandbox_landlock(void)
{
    long v = syscall(SYS_landlock_create_ruleset, NULL, (size_t)0, LANDLOCK_CREATE_RULESET_VERSION);
    return v > 0 ? (int)v : 0;
}

// ---- rules ----

static bool rule_add_fd(const struct walls *w, int fd, uint64_t access)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return false;
    if (!S_ISDIR(st.st_mode))
        access &= ACCESS_OF_FILES;
    struct landlock_path_beneath_attr rule = {.allowed_access = access & w->handled, .parent_fd = fd};
    return rule.allowed_access == 0 ||
           syscall(SYS_landlock_add_rule, w->ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0U) == 0;
}

// What is not there needs no rule.
static bool rule_add(const struct walls *w, const char *path, uint64_t access)
{
    int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT || errno == EACCES || errno == ENOTDIR;
    bool ok = rule_add_fd(w, fd, access);
    (void)close(fd);
    return ok;
}

static bool rules_add(const struct walls *w, const char *const *paths, uint64_t access)
{
    for (; *paths; paths++)
        if (!rule_add(w, *paths, access))
            return false;
    return true;
}

static bool is_hidden(const char *name)
{
    for (const char *const *h = hidden; *h; h++)
        if (strcmp(name, *h) == 0)
            return true;
    return false;
}

// Entry by entry: a rule opens all that is below it, and nothing can be taken out again.
static bool etc_add(const struct walls *w)
{
    bool ok = rule_add(w, "/etc", LANDLOCK_ACCESS_FS_READ_DIR);
    DIR *dir = opendir("/etc");
    for (struct dirent *e; ok && dir && (e = readdir(dir));) {
        char path[sizeof "/etc/" + NAME_MAX];
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 || is_hidden(e->d_name))
            continue;
        (void)snprintf(path, sizeof path, "/etc/%s", e->d_name);
        ok = rule_add(w, path, ACCESS_READ);
    }
    if (dir)
        (void)closedir(dir);
    return ok;
}

// ---- paths of the job's own ----

static bool below(const char *path, const char *root)
{
    size_t n = strlen(root);
    while (n > 1 && root[n - 1] == '/')
        n--;
    return strncmp(path, root, n) == 0 && (n == 1 || path[n] == '/' || path[n] == '\0');
}

static bool below_a_root(const struct sandbox *s, const char *real)
{
    char root[PATH_MAX];
    if (below(real, s->home))
        return true;
    for (const char *const *r = s->roots; *r; r++)
        if (realpath(*r, root) && below(real, root))
            return true;
    return false;
}

// Opened first and asked then where that really is, so that nobody can put a link there in between.
static enum sandbox_result own_path_add(const struct walls *w, const struct sandbox *s, const char *path,
                                        uint64_t access)
{
    char link[64], real[PATH_MAX];
    int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0) {
        (void)snprintf(w->why, SANDBOX_WHY_MAX, "cannot open \"%.80s\": %s", path, strerror(errno));
        return SANDBOX_REFUSED;
    }
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, real, sizeof real - 1);
    real[n > 0 ? n : 0] = '\0';
    bool inside = n > 0 && below_a_root(s, real);
    bool ok = inside && rule_add_fd(w, fd, access);
    (void)close(fd);
    if (!ok)
        (void)snprintf(w->why, SANDBOX_WHY_MAX,
                       inside ? "cannot open \"%.80s\" to the script"
                              : "\"%.80s\" is not below one of files.roots",
                       path);
    return ok ? SANDBOX_DONE : SANDBOX_REFUSED;
}

static enum sandbox_result own_paths_add(const struct walls *w, const struct sandbox *s)
{
    enum sandbox_result r = own_path_add(w, s, s->cwd, w->handled);
    for (const char *const *p = s->reads; *p && r == SANDBOX_DONE; p++)
        r = own_path_add(w, s, *p, ACCESS_READ);
    for (const char *const *p = s->writes; *p && r == SANDBOX_DONE; p++)
        r = own_path_add(w, s, *p, w->handled);
    return r;
}

// ---- the walls ----

static bool ruleset_open(struct walls *w)
{
    int version = sandbox_landlock();
    struct ruleset_attr attr = {.handled_fs = ACCESS_FIRST};
    size_t size = sizeof attr.handled_fs; // an older kernel takes no more
    if (version >= VERSION_REFER)
        attr.handled_fs |= LANDLOCK_ACCESS_FS_REFER;
    if (version >= VERSION_TRUNCATE)
        attr.handled_fs |= ACCESS_TRUNCATE;
    if (version >= VERSION_IOCTL_DEV)
        attr.handled_fs |= ACCESS_IOCTL_DEV;
    if (version >= VERSION_SCOPE) {
        attr.scoped = SCOPE_SIGNAL | SCOPE_ABSTRACT_UNIX_SOCKET;
        size = sizeof attr;
    }
    w->handled = attr.handled_fs;
    w->ruleset = version > 0 ? (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0U) : -1;
    return w->ruleset >= 0;
}

static bool system_add(const struct walls *w, int level)
{
    return rules_add(w, system_dirs, ACCESS_READ) && etc_add(w) && rules_add(w, devices, ACCESS_DEVICE) &&
           (level == SANDBOX_STRICT || rules_add(w, more_dirs, ACCESS_READ));
}

// Root may do much by capabilities that landlock does not see (read another process's environment, say). Only
// the one remains by which it opens files of other users, where the walls let it.
static bool capabilities_drop(void)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0}};
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    if (geteuid() == 0) {
        for (unsigned long c = 0; prctl(PR_CAPBSET_READ, c) >= 0; c++)
            if (c != CAP_DAC_OVERRIDE && c != CAP_SETPCAP)
                (void)prctl(PR_CAPBSET_DROP, c); // one that we do not have is not gained by exec either
        (void)prctl(PR_CAPBSET_DROP, CAP_SETPCAP);
        if (syscall(SYS_capget, &head, data) != 0)
            return false;
        data[0].effective &= CAP_TO_MASK(CAP_DAC_OVERRIDE);
        data[0].permitted &= CAP_TO_MASK(CAP_DAC_OVERRIDE);
        data[0].inheritable = 0;
        data[1] = (struct __user_cap_data_struct){0};
    }
    return syscall(SYS_capset, &head, data) == 0;
}

enum sandbox_result sandbox_files(const struct sandbox *s, char why[static SANDBOX_WHY_MAX])
{
    struct walls w = {.why = why};
    if (s->rules.level == SANDBOX_NONE)
        return SANDBOX_DONE;
    if (!ruleset_open(&w)) {
        (void)snprintf(why, SANDBOX_WHY_MAX, "the kernel has no landlock");
        return SANDBOX_LACKING;
    }
    enum sandbox_result r = SANDBOX_DONE;
    if (!system_add(&w, s->rules.level) || !rule_add(&w, s->home, w.handled)) {
        (void)snprintf(why, SANDBOX_WHY_MAX, "landlock does not take a rule: %s", strerror(errno));
        r = SANDBOX_LACKING;
    }
    if (r == SANDBOX_DONE)
        r = own_paths_add(&w, s);
    if (r == SANDBOX_DONE &&
        (!capabilities_drop() || syscall(SYS_landlock_restrict_self, w.ruleset, 0U) != 0)) {
        (void)snprintf(why, SANDBOX_WHY_MAX, "landlock cannot be entered: %s", strerror(errno));
        r = SANDBOX_LACKING;
    }
    (void)close(w.ruleset);
    return r;
}

void sandbox_look(struct sandbox_offer *ret)
{
    struct sandbox_offer o = {.landlock = sandbox_landlock()};
    o.seccomp = sandbox_seccomp();
    o.openat2 = syscall(SYS_openat2, -1, NULL, NULL, 0) < 0 && errno != ENOSYS;
    sandbox_group_look(&o);
    *ret = o;
}
