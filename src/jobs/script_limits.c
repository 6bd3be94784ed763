// SPDX-License-Identifier: Apache-2.0
// Limits and sandbox of a script.
//
// The level of the setting is the least that any script gets; a job may ask for more. Paths that a job opens
// to its script must lie below the folders that jobs may use at all (files.roots), so that a job's author
// cannot open the server's own folder.
#include "jobs/script_limits.h"

#include <limits.h>
#include <stdlib.h>

#include "jobs/services.h"
#include "jobs/template.h"

enum {
    MB = 1024 * 1024,
    MEMORY_MB_MAX = 1024 * 1024,
    PROCESSES_MAX = 100000,
    FILES_MAX = 65536,
    FILES_MIN = 8,
    PATHS_MAX = 30,
    MEMORY_MIN = MB,
};
static const int64_t bytes_max = (int64_t)MEMORY_MB_MAX * MB;

static const char *const level_names[] = {
    [SANDBOX_NONE] = "NONE", [SANDBOX_RESTRICTED] = "RESTRICTED", [SANDBOX_STRICT] = "STRICT", NULL};

#define T struct script_limits
static const struct field limit_rows[] = {
    FIELD_ENUM(
        T, sandbox, "sandbox", level_names,
        .doc = "NONE: own session and limits. RESTRICTED: files of the system read-only, files of the server "
               "closed, calls that reach other processes refused. STRICT: only /usr, /bin, /lib and /etc to "
               "read, no network, only usual system calls. At least the server's setting script.sandbox."),
    FIELD_BOOL(T, network, "network", FIELD_DEFAULT(true), .doc = "Whether it may open network sockets."),
    FIELD_STRS(T, read_paths, "readPaths", .max = PATHS_MAX,
               .doc = "Folders or files below files.roots that a sandboxed script may read."),
    FIELD_STRS(T, write_paths, "writePaths", .max = PATHS_MAX,
               .doc = "Folders or files below files.roots that a sandboxed script may write."),
    FIELD_BOOL(T, best_effort, "bestEffort", FIELD_DEFAULT(false),
               .doc =
                   "Run without what this machine cannot give, instead of failing with SANDBOX_UNAVAILABLE."),
    FIELD_I64(T, memory_bytes, "memoryBytes", .min = MEMORY_MIN, .max = bytes_max,
              .doc = "Address space of each process; of all together where a control group can be made."),
    FIELD_I64(T, memory_mb, "memoryMb", .min = 1, .max = MEMORY_MB_MAX, .doc = "The same in MiB."),
    FIELD_I64(T, cpu_seconds, "cpuSeconds", .min = 1, .max = JOB_TIMEOUT_S_MAX,
              .doc = "CPU time of each process."),
    FIELD_I64(
        T, processes, "processes", .min = 1, .max = PROCESSES_MAX,
        .doc =
            "Processes and threads of the run where a control group can be made; else of the server's user, "
            "all together."),
    FIELD_I64(T, file_bytes, "fileBytes", .min = 1, .max = bytes_max,
              .doc = "Largest file that may be written."),
    FIELD_I64(T, file_mb, "fileMb", .min = 1, .max = MEMORY_MB_MAX, .doc = "The same in MiB."),
    FIELD_I64(T, open_files, "openFiles", .min = FILES_MIN, .max = FILES_MAX,
              .doc = "Open files of each process."),
};
#undef T
const struct fields script_limit_fields =
    FIELDS("ScriptLimits", struct script_limits, limit_rows, .doc = "What a script may use and touch.");

// ---- checking ----

static void paths_check(const struct strs *paths, const char *name, struct str base, struct faults *faults)
{
    for (size_t i = 0; i < paths->n; i++)
        if (!str_starts(paths->v[i], STR("/")) && !str_contains(paths->v[i], STR("{{")))
            faults_add(faults, arena_fmt(faults->a, "%.*s/%s/%zu", STR_ARG(base), name, i),
                       "must be an absolute path");
}

static void twice_check(int64_t bytes, int64_t mb, const char *name, struct str base, struct faults *faults)
{
    if (bytes != FIELD_ABSENT && mb != FIELD_ABSENT)
        faults_add(faults, arena_fmt(faults->a, "%.*s/%sMb", STR_ARG(base), name),
                   "must be left out beside %sBytes", name);
}

void script_limits_check(const struct script_limits *l, struct str base, struct faults *faults)
{
    paths_check(&l->read_paths, "readPaths", base, faults);
    paths_check(&l->write_paths, "writePaths", base, faults);
    twice_check(l->memory_bytes, l->memory_mb, "memory", base, faults);
    twice_check(l->file_bytes, l->file_mb, "file", base, faults);
}

// ---- applying ----

static int64_t limit(int64_t bytes, int64_t mb)
{
    return bytes != FIELD_ABSENT ? bytes : mb != FIELD_ABSENT ? mb * MB : 0;
}

static int64_t plain(int64_t value) { return value == FIELD_ABSENT ? 0 : value; }

// Settings may be relative to the server's folder, and the script runs in another. What is not there opens
// nothing.
static void root_add(struct strs *roots, struct str path, struct arena *a)
{
    char real[PATH_MAX];
    const char *given = arena_cstr(a, path);
    if (given && realpath(given, real))
        roots->v[roots->n++] = arena_str(a, str_of(real));
}

static bool roots_of(const struct job_settings *s, struct strs *ret, struct arena *a)
{
    if (!s)
        return true;
    struct strs given = job_file_roots(s, a), roots = {.v = arena_new_array(a, struct str, given.n)};
    if (!roots.v)
        return false;
    for (size_t i = 0; i < given.n && i < PATHS_MAX; i++)
        root_add(&roots, given.v[i], a);
    *ret = roots;
    return !a->exhausted;
}

bool script_limits_apply(const struct attempt *a, const struct script_limits *l, struct process_spec *spec,
                         struct arena *arena)
{
    int least = a->env->script_sandbox;
    spec->limits = (struct process_limits){
        .memory_bytes = limit(l->memory_bytes, l->memory_mb),
        .cpu_seconds = plain(l->cpu_seconds),
        .processes = plain(l->processes),
        .file_bytes = limit(l->file_bytes, l->file_mb),
        .open_files = plain(l->open_files),
    };
    spec->sandbox = (struct process_sandbox){
        .level = l->sandbox > least ? l->sandbox : least,
        .no_network = !l->network,
        .best_effort =
            l->best_effort && least == SANDBOX_NONE, // what the server insists on is no job's to give up
    };
    spec->read_paths = l->read_paths;
    spec->write_paths = l->write_paths;
    return roots_of(a->env->settings, &spec->roots, arena);
}
