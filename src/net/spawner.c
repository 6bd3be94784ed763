// SPDX-License-Identifier: Apache-2.0
// The spawner's own loop: packets from the server, ends of keepers. It never waits for anything else.
#include "net/spawner.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NAME_MAX_CHARS = 15, END_WAIT_MS = 10000, FOLDER_FDS = 16, CHILDREN_TEXT = 65536 };

static struct spawn_slot *slots; // PROCESS_MAX, shared with the keepers
static int server = -1;
static uint64_t grace_ms = PROCESS_GRACE_S_DEFAULT * 1000;
static char parent[256]; // where our folder is to be
static char folder[320]; // made by us for the first program, "" before

// ---- helpers shared with the keeper ----

bool children_kill(bool (*skip)(pid_t pid))
{
    char path[64], text[CHILDREN_TEXT];
    (void)snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
    if (fd >= 0)
        (void)close(fd);
    if (n < 0)
        return false;
    text[n] = '\0';
    char *at = text;
    for (char *end;; at = end) {
        long pid = strtol(at, &end, 10);
        if (end == at || *end != ' ') // a number cut off by the end of the buffer is not one
            return true;
        if (!skip || !skip((pid_t)pid))
            (void)kill((pid_t)pid, SIGKILL);
    }
}

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    (void)st;
    (void)kind;
    (void)where;
    (void)remove(path);
    return 0;
}

void folder_remove(const char *path)
{
    (void)nftw(path, remove_entry, FOLDER_FDS, FTW_DEPTH | FTW_PHYS);
}

// ---- programs ----

static struct spawn_slot *slot_find(uint64_t id)
{
    for (size_t i = 0; i < PROCESS_MAX; i++)
        if (slots[i].keeper != 0 && slots[i].report.id == id)
            return &slots[i];
    return NULL;
}

static struct spawn_slot *slot_of(pid_t keeper)
{
    for (size_t i = 0; i < PROCESS_MAX; i++)
        if (slots[i].keeper == keeper)
            return &slots[i];
    return NULL;
}

static bool is_keeper(pid_t pid)
{
    return slot_of(pid) != NULL;
}

static void report_send(const struct spawn_report *r)
{
    while (send(server, r, sizeof *r, MSG_NOSIGNAL) < 0 && errno == EINTR)
        continue; // another error means the server is gone: the loop sees that next
}

static void start_refuse(uint64_t id, const char *why)
{
    struct spawn_report r = {.id = id, .code = -1};
    (void)snprintf(r.text, sizeof r.text, "%s", why);
    report_send(&r);
}

// At the first program: the server may make its data folder after it has started us.
static bool folder_ready(void)
{
    if (folder[0])
        return true;
    (void)snprintf(folder, sizeof folder, "%s/chronos-run-XXXXXX", parent);
    if (mkdtemp(folder))
        return true;
    folder[0] = '\0';
    return false;
}

static void program_start(uint64_t id, const int fds[SPAWN_FDS])
{
    struct spawn_slot *s = slot_of(0);
    char why[160];
    if (!s) {
        (void)snprintf(why, sizeof why, "%d programs are running already: try again later", PROCESS_MAX);
        start_refuse(id, why);
        return;
    }
    if (!folder_ready()) {
        (void)snprintf(why, sizeof why, "cannot make a folder in \"%.80s\": %s", parent, strerror(errno));
        start_refuse(id, why);
        return;
    }
    s->report = (struct spawn_report){.id = id, .code = -1};
    s->grouped = false;
    pid_t spawner = getpid(), keeper = fork();
    if (keeper == 0)
        keeper_main(s, fds, folder, grace_ms, spawner);
    if (keeper < 0)
        start_refuse(id, errno == EAGAIN ? "no process left: the limit of the system is reached"
                                         : "no memory for another process");
    else
        s->keeper = keeper;
}

static void program_kill(uint64_t id, bool now)
{
    struct spawn_slot *s = slot_find(id);
    if (s)
        (void)kill(s->keeper, now ? SIGUSR1 : SIGTERM);
}

static void keepers_reap(void)
{
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
        struct spawn_slot *s = slot_of(pid);
        if (!s)
            continue; // somebody's orphan
        s->keeper = 0;
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
            // Its children are ours now, and nobody else's can be.
            (void)children_kill(is_keeper);
            (void)snprintf(s->report.text, sizeof s->report.text,
                           "the process that watched the program was killed");
        }
        report_send(&s->report);
    }
}

// ---- packets ----

static void fds_close(int *fds, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (fds[i] >= 0)
            (void)close(fds[i]);
}

// False when the server is gone.
static bool request_receive(struct spawn_request *r, int fds[SPAWN_FDS])
{
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(SPAWN_FDS * sizeof(int))];
    } control;
    struct iovec data = {r, sizeof *r};
    struct msghdr m = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = &control,
                       .msg_controllen = sizeof control};
    for (size_t i = 0; i < SPAWN_FDS; i++)
        fds[i] = -1;
    ssize_t n;
    do
        n = recvmsg(server, &m, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n != (ssize_t)sizeof *r)
        return false;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
            memcpy(fds, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));
    return true;
}

static bool request_handle(void)
{
    struct spawn_request r;
    int fds[SPAWN_FDS];
    bool ok = request_receive(&r, fds);
    if (ok && r.type == SPAWN_HELLO) {
        grace_ms = r.grace_ms;
        (void)snprintf(parent, sizeof parent, "%.*s", (int)sizeof r.dir - 1, r.dir);
    } else if (ok && r.type == SPAWN_START && fds[SPAWN_FD_STDERR] >= 0) {
        program_start(r.id, fds);
    } else if (ok && r.type == SPAWN_KILL) {
        program_kill(r.id, r.now != 0);
    }
    fds_close(fds, SPAWN_FDS);
    return ok;
}

// ---- life ----

static bool spawner_prepare(sigset_t *ret_signals)
{
    (void)prctl(PR_SET_NAME, "chronos-spawner");
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGINT, SIG_IGN); // Ctrl-C is for the server, which then closes the socket
    (void)close_range(SPAWNER_FD + 1, ~0U, 0);
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGCHLD);
    (void)sigprocmask(SIG_SETMASK, &set, NULL);
    *ret_signals = set;
    slots = mmap(NULL, PROCESS_MAX * sizeof *slots, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                 -1, 0);
    return slots != MAP_FAILED && fcntl(server, F_SETFD, FD_CLOEXEC) == 0;
}

// Has every keeper kill its program at once, and waits for them a bounded time.
static void programs_end(int signals)
{
    struct pollfd p = {.fd = signals, .events = POLLIN};
    for (int waited_ms = 0; waited_ms < END_WAIT_MS;) {
        enum { STEP_MS = 100 };
        bool any = false;
        for (size_t i = 0; i < PROCESS_MAX; i++) {
            any = any || slots[i].keeper != 0;
            if (slots[i].keeper != 0)
                (void)kill(slots[i].keeper, SIGUSR1);
        }
        if (!any)
            return;
        struct signalfd_siginfo info;
        if (poll(&p, 1, STEP_MS) > 0)
            (void)!read(signals, &info, sizeof info);
        else
            waited_ms += STEP_MS;
        keepers_reap();
    }
}

int spawner_main(int fd)
{
    sigset_t set;
    server = fd;
    if (!spawner_prepare(&set))
        return 1;
    int signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (signals < 0)
        return 1;
    struct pollfd p[] = {{.fd = server, .events = POLLIN}, {.fd = signals, .events = POLLIN}};
    for (bool serving = true; serving;) {
        if (poll(p, sizeof p / sizeof p[0], -1) < 0 && errno == EINTR)
            continue;
        struct signalfd_siginfo info;
        if (p[1].revents & POLLIN) {
            (void)!read(signals, &info, sizeof info);
            keepers_reap();
        }
        if (p[0].revents & (POLLIN | POLLHUP | POLLERR))
            serving = request_handle();
    }
    programs_end(signals);
    (void)children_kill(NULL);
    if (folder[0])
        folder_remove(folder);
    return 0;
}
