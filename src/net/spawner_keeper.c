// SPDX-License-Identifier: Apache-2.0
// The keeper of one program: prepares its folder and script, starts it, waits, and leaves nothing of it
// alive.
//
// Signals from the spawner: SIGTERM = end it politely (grace, then kill), SIGUSR1 = kill it now; the kernel
// sends SIGUSR1 too when the spawner dies. Between fork and exec the program's process may use all of libc:
// the spawner and its keepers have one thread.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/sandbox.h"
#include "net/spawner.h"

enum {
    EXIT_NOT_STARTED = 127,
    STRINGS_MAX = 2 * PROCESS_ARGS_MAX + 2,
    NS_PER_MS = 1000 * 1000,
    MS_PER_S = 1000,
    KILL_ROUNDS_MAX = 100, // of KILL_ROUND_MS: what is stuck in the kernel for longer is left to the spawner
    KILL_ROUND_MS = 100,
    OOM_SCORE = 500,       // the system's memory killer takes programs before the server
};

struct plan {
    struct spawn_slot *slot;
    char home[400], script_path[420];
    char *argv[PROCESS_ARGS_MAX + 2], *env[PROCESS_ARGS_MAX + 3];
    const char *cwd;
    char home_text[420], tmp_text[420];
    struct process_limits limits;
    struct sandbox sandbox;
    const char *paths[3][SANDBOX_PATHS_MAX + 1]; // roots, to be read, to be written
    char group[64];
    int out, err;
    pid_t keeper;
};

// The program could not be started: leaves the reason in the shared slot.
static void fail(const struct plan *p, const char *what, const char *name) __attribute__((noreturn));
static void fail(const struct plan *p, const char *what, const char *name)
{
    int error = errno;
    (void)snprintf(p->slot->report.text, sizeof p->slot->report.text, "%s \"%.100s\": %s", what, name,
                   strerror(error));
    _exit(EXIT_NOT_STARTED);
}

// A wall that cannot be put up: with best_effort it is only noted.
static void lacking(const struct plan *p, const char *why)
{
    struct spawn_report *r = &p->slot->report;
    size_t n = strlen(r->note);
    if (p->sandbox.rules.best_effort) {
        (void)snprintf(r->note + n, sizeof r->note - n, "%s%s", n > 0 ? "; " : "", why);
        return;
    }
    r->unavailable = 1;
    (void)snprintf(r->text, sizeof r->text, "%s", why);
    _exit(EXIT_NOT_STARTED);
}

static void wall(const struct plan *p, enum sandbox_result result, const char *why)
{
    if (result == SANDBOX_LACKING)
        lacking(p, why);
    if (result != SANDBOX_REFUSED)
        return;
    (void)snprintf(p->slot->report.text, sizeof p->slot->report.text, "%s", why);
    _exit(EXIT_NOT_STARTED);
}

// ---- what was asked ----

static bool spec_map(int fd, const struct spawn_spec **ret, const char **ret_strings)
{
    struct stat st;
    if (fstat(fd, &st) != 0 || st.st_size < (off_t)sizeof(struct spawn_spec) || st.st_size > PROCESS_SPEC_MAX)
        return false;
    const struct spawn_spec *s = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (s == MAP_FAILED)
        return false;
    const char *strings = (const char *)(s + 1);
    size_t rest = (size_t)st.st_size - sizeof *s;
    if (s->strings_bytes == 0 || s->strings_bytes > rest || s->script_bytes != rest - s->strings_bytes ||
        strings[s->strings_bytes - 1] != '\0' || s->argc == 0 || s->argc > PROCESS_ARGS_MAX ||
        s->envc > PROCESS_ARGS_MAX || s->roots > SANDBOX_PATHS_MAX || s->reads > SANDBOX_PATHS_MAX ||
        s->writes > SANDBOX_PATHS_MAX || (s->has_script && (s->script_at == 0 || s->script_at > s->argc)))
        return false;
    *ret = s;
    *ret_strings = strings;
    return true;
}

static void sandbox_read(struct plan *p, const struct spawn_spec *s, const char *at, const char *end)
{
    const uint32_t counts[] = {s->roots, s->reads, s->writes};
    for (size_t k = 0; k < sizeof counts / sizeof counts[0]; k++)
        for (uint32_t i = 0; i < counts[k] && at < end; i++, at += strlen(at) + 1)
            p->paths[k][i] = at;
    p->sandbox = (struct sandbox){.rules = s->sandbox, .home = p->home, .cwd = p->cwd, .roots = p->paths[0],
                                  .reads = p->paths[1], .writes = p->paths[2]};
}

static void plan_read(struct plan *p, const struct spawn_spec *s, const char *strings)
{
    const char *at = strings, *end = strings + s->strings_bytes;
    size_t n = 0;
    for (uint32_t i = 0; i < s->argc && at < end; i++, at += strlen(at) + 1) {
        if (s->has_script && i == s->script_at)
            p->argv[n++] = p->script_path;
        p->argv[n++] = (char *)at;
    }
    if (s->has_script && s->script_at == s->argc)
        p->argv[n++] = p->script_path;
    n = 0;
    bool has_home = false, has_tmp = false;
    for (uint32_t i = 0; i < s->envc && at < end; i++, at += strlen(at) + 1) {
        has_home = has_home || strncmp(at, "HOME=", strlen("HOME=")) == 0;
        has_tmp = has_tmp || strncmp(at, "TMPDIR=", strlen("TMPDIR=")) == 0;
        p->env[n++] = (char *)at;
    }
    if (!has_home)
        p->env[n++] = p->home_text;
    if (!has_tmp)
        p->env[n++] = p->tmp_text;
    p->cwd = at < end && *at ? at : p->home;
    p->limits = s->limits;
    sandbox_read(p, s, at < end ? at + strlen(at) + 1 : end, end);
}

static void script_write(struct plan *p, const char *text, size_t n)
{
    int fd = open(p->script_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0700);
    if (fd < 0)
        fail(p, "cannot write the script", p->script_path);
    for (ssize_t done; n > 0; text += done, n -= (size_t)done) {
        done = write(fd, text, n);
        if (done < 0 && errno == EINTR)
            done = 0;
        if (done < 0)
            fail(p, "cannot write the script", p->script_path);
    }
    (void)close(fd);
}

static void plan_make(struct plan *p, int spec_fd, const char *dir)
{
    const struct spawn_spec *s;
    const char *strings;
    if (!spec_map(spec_fd, &s, &strings)) {
        errno = EINVAL;
        fail(p, "cannot read the request for", "a program");
    }
    (void)snprintf(p->home, sizeof p->home, "%s/%llu", dir, (unsigned long long)p->slot->report.id);
    (void)snprintf(p->script_path, sizeof p->script_path, "%s/.script", p->home);
    (void)snprintf(p->home_text, sizeof p->home_text, "HOME=%s", p->home);
    (void)snprintf(p->tmp_text, sizeof p->tmp_text, "TMPDIR=%s", p->home);
    if (mkdir(p->home, 0700) != 0)
        fail(p, "cannot make the folder", p->home);
    plan_read(p, s, strings);
    if (s->has_script)
        script_write(p, strings + s->strings_bytes, s->script_bytes);
}

// ---- the program's process, before it becomes the program ----

static void limit(const struct plan *p, __rlimit_resource_t what, int64_t value, const char *name)
{
    struct rlimit have;
    if (getrlimit(what, &have) != 0)
        fail(p, "cannot read the limit", name);
    rlim_t v = (rlim_t)value;
    if (have.rlim_max != RLIM_INFINITY && v > have.rlim_max)
        v = have.rlim_max; // lower than asked is still within what was asked
    if (setrlimit(what, &(struct rlimit){v, v}) != 0)
        fail(p, "cannot set the limit", name);
}

static void limits_set(const struct plan *p)
{
    const struct process_limits *l = &p->limits;
    limit(p, RLIMIT_CORE, 0, "core");
    limit(p, RLIMIT_NOFILE, l->open_files > 0 ? l->open_files : PROCESS_FILES_DEFAULT, "openFiles");
    if (l->cpu_seconds > 0)
        limit(p, RLIMIT_CPU, l->cpu_seconds, "cpuSeconds");
    if (l->file_bytes > 0)
        limit(p, RLIMIT_FSIZE, l->file_bytes, "fileBytes");
    if (l->processes > 0)
        limit(p, RLIMIT_NPROC, l->processes, "processes");
    if (l->memory_bytes > 0)
        limit(p, RLIMIT_AS, l->memory_bytes, "memoryBytes");
}

static void streams_set(const struct plan *p)
{
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(p->out, STDOUT_FILENO) < 0 ||
        dup2(p->err, STDERR_FILENO) < 0)
        fail(p, "cannot connect the streams of", p->argv[0]);
    (void)close_range(STDERR_FILENO + 1, ~0U, 0);
}

static void signals_default(void)
{
    sigset_t none;
    for (int s = 1; s < NSIG; s++)
        (void)signal(s, SIG_DFL);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static void oom_first(void)
{
    FILE *f = fopen("/proc/self/oom_score_adj", "we");
    if (!f)
        return;
    (void)fprintf(f, "%d", OOM_SCORE);
    (void)fclose(f);
}

static void program_become(const struct plan *p) __attribute__((noreturn));
static void program_become(const struct plan *p)
{
    char why[SANDBOX_WHY_MAX];
    (void)setsid();
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != p->keeper)
        _exit(EXIT_NOT_STARTED); // the keeper died before that took effect
    oom_first();
    (void)umask(077);
    if (chdir(p->cwd) != 0)
        fail(p, "cannot change to the folder", p->cwd);
    streams_set(p);
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    signals_default();
    p->slot->grouped = p->limits.processes > 0 || p->limits.memory_bytes > 0;
    wall(p, sandbox_group_enter(p->group, p->limits.processes, p->limits.memory_bytes, why), why);
    wall(p, sandbox_files(&p->sandbox, why), why);
    limits_set(p);
    wall(p, sandbox_calls(&p->sandbox.rules, why), why);
    environ = (char **)p->env;
    (void)execvp(p->argv[0], p->argv);
    fail(p, "cannot execute", p->argv[0]);
}

// ---- waiting and killing ----

static void report_fill(struct spawn_report *r, int status)
{
    r->code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    r->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    if (r->text[0])
        r->code = -1;
}

// Of everything that was reaped here: the program, what it waited for, and what it left behind.
static void usage_fill(struct spawn_report *r)
{
    enum { RSS_UNIT = 1024 };
    struct rusage u;
    if (getrusage(RUSAGE_CHILDREN, &u) != 0)
        return;
    r->cpu_us = (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * US_PER_S + u.ru_utime.tv_usec + u.ru_stime.tv_usec;
    r->max_rss_bytes = u.ru_maxrss * RSS_UNIT;
}

// Reaps what has ended; true once the program itself has.
static bool reap(pid_t program, struct spawn_report *r)
{
    bool ended = false;
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
        if (pid != program)
            continue;
        report_fill(r, status);
        ended = true;
    }
    return ended;
}

static int64_t now_ms(void)
{
    return clock_mono(clock_real()).us / US_PER_MS;
}

// Waits for a signal of the set, or until a moment (INT64_MAX: without end); −1 when that has come.
static int signal_await(const sigset_t *signals, int64_t until_ms)
{
    if (until_ms == INT64_MAX)
        return sigwaitinfo(signals, NULL);
    int64_t left_ms = until_ms - now_ms();
    if (left_ms <= 0)
        return -1;
    struct timespec left = {.tv_sec = left_ms / MS_PER_S, .tv_nsec = left_ms % MS_PER_S * NS_PER_MS};
    return sigtimedwait(signals, NULL, &left);
}

static void program_wait(pid_t program, const sigset_t *signals, uint64_t grace_ms, struct spawn_report *r)
{
    int64_t kill_at_ms = INT64_MAX;
    bool asked = false;
    while (!reap(program, r)) {
        int s = signal_await(signals, kill_at_ms);
        if (s == SIGTERM && !asked) {
            asked = true;
            (void)kill(program, SIGTERM); // its own session may not exist yet
            (void)kill(-program, SIGTERM);
            kill_at_ms = now_ms() + (int64_t)grace_ms;
        } else if (s == SIGUSR1 || (s < 0 && kill_at_ms <= now_ms())) {
            (void)kill(program, SIGKILL);
            (void)kill(-program, SIGKILL);
            kill_at_ms = INT64_MAX;
        }
    }
}

// Kills until no child is left: what is killed hands its children to us.
static void rest_kill(pid_t program, const sigset_t *signals)
{
    enum { ROUND_NS = KILL_ROUND_MS * NS_PER_MS };
    const struct timespec round = {.tv_nsec = ROUND_NS};
    (void)kill(-program, SIGKILL); // the group still exists when it has members
    for (int quiet = 0; quiet < KILL_ROUNDS_MAX;) {
        pid_t pid;
        (void)children_kill(NULL);
        while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
            continue;
        if (pid < 0 && errno == ECHILD)
            return;
        if (sigtimedwait(signals, NULL, &round) < 0)
            quiet++;
    }
}

// The folder may be large: it is removed by a child, which the spawner inherits, so that the end is known
// at once.
static void home_remove(const struct plan *p)
{
    (void)unlink(p->script_path);
    if (rmdir(p->home) == 0 || errno == ENOENT)
        return;
    if (fork() == 0) {
        folder_remove(p->home);
        _exit(0);
    }
}

static void keeper_prepare(sigset_t *ret, pid_t spawner)
{
    (void)sigemptyset(ret);
    (void)sigaddset(ret, SIGCHLD);
    (void)sigaddset(ret, SIGTERM);
    (void)sigaddset(ret, SIGUSR1);
    (void)sigprocmask(SIG_SETMASK, ret, NULL);
    (void)prctl(PR_SET_NAME, "chronos-keeper");
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    (void)prctl(PR_SET_PDEATHSIG, SIGUSR1);
    if (getppid() != spawner)
        _exit(1);
}

void keeper_main(struct spawn_slot *slot, const int fds[SPAWN_FDS], const char *dir, uint64_t grace_ms,
                 pid_t spawner)
{
    static struct plan p; // large, and this process has one
    sigset_t signals;
    keeper_prepare(&signals, spawner);
    p.slot = slot;
    p.out = fds[SPAWN_FD_STDOUT];
    p.err = fds[SPAWN_FD_STDERR];
    p.keeper = getpid();
    (void)snprintf(p.group, sizeof p.group, "chronos-%d-%llu", (int)spawner, (unsigned long long)slot->report.id);
    pid_t program = fork();
    if (program == 0) {
        plan_make(&p, fds[SPAWN_FD_SPEC], dir);
        program_become(&p);
    }
    (void)close_range(STDERR_FILENO + 1, ~0U, 0); // the streams end when the program's copies do
    if (program > 0) {
        program_wait(program, &signals, grace_ms, &slot->report);
        rest_kill(program, &signals);
        usage_fill(&slot->report);
        if (slot->grouped)
            sandbox_group_remove(p.group);
    } else {
        (void)snprintf(slot->report.text, sizeof slot->report.text, "cannot start a process: %s",
                       strerror(errno));
    }
    (void)snprintf(p.home, sizeof p.home, "%s/%llu", dir, (unsigned long long)slot->report.id);
    (void)snprintf(p.script_path, sizeof p.script_path, "%s/.script", p.home);
    home_remove(&p);
    _exit(0);
}
