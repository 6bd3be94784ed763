// SPDX-License-Identifier: Apache-2.0
// /proc tells: the boot id names the kernel's life, the namespace its processes, the start time the process behind a
// number that may be used again.
#include "base/procid.h"

#include <unistd.h>

#include "base/file.h"

enum { TEXT_BUDGET = 16 * 1024, FILE_MAX = 4096, START_FIELD = 22, COMMAND_FIELD = 2, NS_TEXT_MAX = 64 };

// "boot/namespace": what must be equal for numbers of processes to mean the same.
static struct str realm(struct arena *a)
{
    struct str boot;
    struct err err;
    char ns[NS_TEXT_MAX];
    ssize_t n = readlink("/proc/self/ns/pid", ns, sizeof ns);
    if (n <= 0 || !file_read("/proc/sys/kernel/random/boot_id", FILE_MAX, &boot, a, &err))
        return STR_NONE;
    return arena_fmt(a, "%.*s/%.*s", STR_ARG(str_trim(boot)), (int)n, ns);
}

// Start time in ticks since boot. The command's name, in brackets, may hold anything.
static bool start_of(struct str pid, struct str *ret, struct arena *a)
{
    struct str path = arena_fmt(a, "/proc/%.*s/stat", STR_ARG(pid)), text;
    struct err err;
    if (!path.p || !file_read(path.p, FILE_MAX, &text, a, &err))
        return false;
    size_t at = 0;
    for (size_t i = 0; i < text.n; i++)
        at = text.p[i] == ')' ? i + 2 : at;
    if (at == 0 || at >= text.n)
        return false;
    struct str rest = {text.p + at, text.n - at}, field = STR_NONE;
    for (int i = COMMAND_FIELD; i < START_FIELD && rest.p; i++)
        field = str_split(rest, ' ', &rest);
    *ret = field;
    return field.n > 0;
}

struct str procid_self(struct arena *a)
{
    struct str where = realm(a), pid = arena_fmt(a, "%lld", (long long)getpid()), start;
    if (!where.p || !pid.p || !start_of(pid, &start, a))
        return STR_NONE;
    return arena_fmt(a, "%.*s/%.*s/%.*s", STR_ARG(where), STR_ARG(pid), STR_ARG(start));
}

bool procid_gone(void *ctx, struct str process)
{
    (void)ctx;
    struct arena a __attribute__((cleanup(arena_release)));
    arena_init(&a, TEXT_BUDGET);
    struct str where = realm(&a), rest, start, now;
    if (!where.p || !str_starts(process, where) || process.n <= where.n + 1)
        return false;
    struct str pid = str_split((struct str){process.p + where.n + 1, process.n - where.n - 1}, '/', &start);
    rest = arena_fmt(&a, "/proc/%.*s", STR_ARG(pid));
    if (!start.p || !rest.p)
        return false;
    if (access(rest.p, F_OK) != 0)
        return true;
    return start_of(pid, &now, &a) && !str_eq(now, start);
}
