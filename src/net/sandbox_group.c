// SPDX-License-Identifier: Apache-2.0
// Control groups, where this process may make them: a bound on all processes of one run together. Version 2
// where its controllers can be handed down, else version 1.
//
// They are a help, not the wall: a server that is not root mostly may not make one, and its scripts are then
// bounded by RLIMIT_NPROC, which root is exempt from.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/sandbox.h"

#define MOUNT "/sys/fs/cgroup"
enum { GROUP_PATH_MAX = 512, GROUP_TEXT_MAX = 8192, GROUP_MODE = 0755 };

// ---- finding our own ----

static bool text_read(const char *path, char text[static GROUP_TEXT_MAX])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, GROUP_TEXT_MAX - 1) : -1;
    if (fd >= 0)
        (void)close(fd);
    text[n > 0 ? n : 0] = '\0';
    return n >= 0;
}

static bool text_write(const char *dir, const char *name, const char *text)
{
    char path[GROUP_PATH_MAX];
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    int error = errno;
    if (fd >= 0)
        (void)close(fd);
    errno = error;
    return ok;
}

static bool has_word(const char *list, const char *word)
{
    size_t n = strlen(word);
    for (const char *p = list; (p = strstr(p, word)); p += n)
        if ((p == list || strchr(" ,:\n", p[-1])) && (p[n] == '\0' || strchr(" ,:\n", p[n])))
            return true;
    return false;
}

// The part of /proc/self/cgroup that belongs to a controller ("" = version 2): "4:pids:/path".
static bool own_path(const char *controller, char ret[static GROUP_PATH_MAX])
{
    char text[GROUP_TEXT_MAX], *rest = text;
    if (!text_read("/proc/self/cgroup", text))
        return false;
    for (char *line; (line = strsep(&rest, "\n")) && *line;) {
        char *names = strchr(line, ':'), *path = names ? strchr(names + 1, ':') : NULL;
        if (!path)
            continue;
        *path++ = '\0';
        bool ours = *controller ? has_word(names + 1, controller) : names[1] == '\0';
        if (!ours || strlen(path) + sizeof MOUNT + 32 > GROUP_PATH_MAX)
            continue;
        (void)snprintf(ret, GROUP_PATH_MAX, "%s", strcmp(path, "/") == 0 ? "" : path);
        return true;
    }
    return false;
}

// Version 2: the controller must be ours to hand down; with `take` it is, else only looked at.
static bool group_second(const char *controller, bool take, char dir[static GROUP_PATH_MAX])
{
    char own[GROUP_PATH_MAX], path[GROUP_PATH_MAX + 64], text[GROUP_TEXT_MAX], add[32];
    if (!own_path("", own))
        return false;
    (void)snprintf(dir, GROUP_PATH_MAX, MOUNT "%.400s", own);
    (void)snprintf(path, sizeof path, "%s/cgroup.controllers", dir);
    if (!text_read(path, text) || !has_word(text, controller))
        return false;
    (void)snprintf(path, sizeof path, "%s/cgroup.subtree_control", dir);
    (void)snprintf(add, sizeof add, "+%s", controller);
    if (text_read(path, text) && has_word(text, controller))
        return true;
    return take ? text_write(dir, "cgroup.subtree_control", add) : access(path, W_OK) == 0;
}

static bool group_first(const char *controller, char dir[static GROUP_PATH_MAX])
{
    char own[GROUP_PATH_MAX];
    if (!own_path(controller, own))
        return false;
    (void)snprintf(dir, GROUP_PATH_MAX, MOUNT "/%s%.400s", controller, own);
    return access(dir, W_OK) == 0;
}

// Where groups with this controller can be made. Returns the version, 0: nowhere.
static int group_find(const char *controller, bool take, char dir[static GROUP_PATH_MAX])
{
    if (group_second(controller, take, dir) && access(dir, W_OK) == 0)
        return 2;
    return group_first(controller, dir) ? 1 : 0;
}

void sandbox_group_look(struct sandbox_offer *o)
{
    char dir[GROUP_PATH_MAX];
    int processes = group_find("pids", false, dir), memory = group_find("memory", false, dir);
    o->processes = processes > 0;
    o->memory = memory > 0;
    o->cgroup = processes > memory ? processes : memory;
}

// ---- one run's ----

static bool group_make(const char *controller, const char *name, const char *const files[2], int64_t value)
{
    char dir[GROUP_PATH_MAX], group[GROUP_PATH_MAX + 128], text[32];
    int version = group_find(controller, true, dir);
    if (version == 0)
        return false;
    (void)snprintf(group, sizeof group, "%s/%.100s", dir, name);
    (void)snprintf(text, sizeof text, "%lld", (long long)value);
    return (mkdir(group, GROUP_MODE) == 0 || errno == EEXIST) &&
           text_write(group, files[version - 1], text) && text_write(group, "cgroup.procs", "0");
}

enum sandbox_result sandbox_group_enter(const char *name, int64_t processes, int64_t memory_bytes,
                                        char why[static SANDBOX_WHY_MAX])
{
    static const char *const process_files[] = {"pids.max", "pids.max"};
    static const char *const memory_files[] = {"memory.limit_in_bytes", "memory.max"};
    bool bounded = processes <= 0 || group_make("pids", name, process_files, processes);
    if (memory_bytes > 0) // each process is bounded by RLIMIT_AS in any case
        (void)group_make("memory", name, memory_files, memory_bytes);
    if (bounded || geteuid() != 0)
        return SANDBOX_DONE; // by RLIMIT_NPROC
    (void)snprintf(why, SANDBOX_WHY_MAX,
                   "processes of root are bounded by a control group only, and none can be made");
    return SANDBOX_LACKING;
}

void sandbox_group_remove(const char *name)
{
    static const char *const controllers[] = {"pids", "memory"};
    char dir[GROUP_PATH_MAX], group[GROUP_PATH_MAX + 128];
    for (size_t i = 0; i < sizeof controllers / sizeof controllers[0]; i++) {
        if (group_find(controllers[i], false, dir) == 0)
            continue;
        (void)snprintf(group, sizeof group, "%s/%.100s", dir, name);
        (void)rmdir(group);
    }
}
