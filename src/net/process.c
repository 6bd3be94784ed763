// SPDX-License-Identifier: Apache-2.0
// The server's side of the spawner: packs requests, reads output, notices ends.
//
// A request is packed into a memory file on the caller's thread, so that no message is long; everything
// else runs on the loop. A program has ended when its report is here and both its streams are at their end;
// what holds a stream open longer (stuck in the kernel) is not waited for beyond STREAM_WAIT_S.
#include "net/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include "base/map.h"
#include "base/mem.h"
#include "net/loop.h"
#include "net/spawner.h"

enum { READ_BYTES = 64 * 1024, STREAM_WAIT_S = 1, RESTART_WAIT_S = 1, STREAMS = 2 };

struct process;
struct stream {
    uv_poll_t uv;
    struct process *process;
    int fd; // −1: at its end, or never begun
};

struct process {
    struct processes *all;
    uint64_t id;
    struct process_handlers h;
    void *ctx;
    struct stream streams[STREAMS];
    int fds[SPAWN_FDS]; // to be sent; −1 afterwards
    bool sent, reported;
    struct process_exit exit;
    struct loop_timer give_up; // on streams that do not end
    struct loop_timer deadline;
    struct duration timeout;
    bool timed_out;
    size_t refs;               // poll handles not yet let go by libuv, and 1 until the end was told
    struct process *next;      // among those waiting to be sent
};

struct processes {
    struct loop *loop;
    const struct clock *clock;
    char exe[256];
    struct spawn_request hello;
    _Atomic uint64_t next_id;
    _Atomic int spawner; // process id, 0 = none
    // On the loop:
    int socket; // −1: no spawner
    uv_poll_t *poll;
    int armed;
    struct map running; // by id, waiting ones included
    struct process *waiting, **waiting_end;
    struct loop_timer restart;
    struct mono started;
    bool closing;
    char buffer[READ_BYTES];
};

static void spawner_lost(struct processes *p);
static void waiting_send(struct processes *p);

static struct ulid id_key(uint64_t id)
{
    struct ulid key = ULID_ZERO;
    memcpy(key.b, &id, sizeof id);
    return key;
}

static void fd_close(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

// ---- ends ----

static void process_unref(struct process *x)
{
    if (--x->refs == 0)
        mem_free(x);
}

static void stream_let_go(uv_handle_t *h)
{
    process_unref(((struct stream *)h->data)->process);
}

static void stream_end(struct stream *s)
{
    if (s->fd < 0)
        return;
    uv_close((uv_handle_t *)&s->uv, stream_let_go); // stops it at once
    fd_close(&s->fd);
}

// Tells the owner and frees, or leaves that to libuv.
static void process_end(struct process *x)
{
    struct processes *p = x->all;
    (void)map_remove(&p->running, id_key(x->id));
    loop_timer_stop(p->loop, &x->give_up);
    loop_timer_stop(p->loop, &x->deadline);
    x->exit.timed_out = x->timed_out;
    for (size_t i = 0; i < STREAMS; i++)
        stream_end(&x->streams[i]);
    for (size_t i = 0; i < SPAWN_FDS; i++)
        fd_close(&x->fds[i]);
    x->h.exited(x->ctx, &x->exit);
    process_unref(x);
}

static void process_end_if_over(struct process *x)
{
    if (x->reported && x->streams[0].fd < 0 && x->streams[1].fd < 0)
        process_end(x);
}

static void on_give_up(void *ctx)
{
    process_end(ctx);
}

static void reported(struct process *x)
{
    struct processes *p = x->all;
    x->reported = true;
    loop_timer_set(p->loop, &x->give_up, mono_add(loop_now(p->loop), duration_s(STREAM_WAIT_S)));
    process_end_if_over(x);
}

// ---- output ----

static void on_output(uv_poll_t *h, int status, int events)
{
    struct stream *s = h->data;
    struct process *x = s->process;
    (void)status;
    (void)events;
    ssize_t n = read(s->fd, x->all->buffer, READ_BYTES);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n > 0) {
        enum process_stream which = s == &x->streams[0] ? PROCESS_STDOUT : PROCESS_STDERR;
        x->h.output(x->ctx, which, (struct str){x->all->buffer, (size_t)n});
        return;
    }
    stream_end(s);
    process_end_if_over(x);
}

static bool stream_begin(struct process *x, struct stream *s)
{
    s->uv.data = s;
    if (uv_poll_init(loop_uv(x->all->loop), &s->uv, s->fd) != 0) {
        fd_close(&s->fd);
        return false;
    }
    x->refs++;
    must(uv_poll_start(&s->uv, UV_READABLE, on_output) == 0);
    return true;
}

// ---- the spawner's socket ----

static void on_report(struct processes *p, const struct spawn_report *r)
{
    struct process *x = map_get(&p->running, id_key(r->id));
    if (!x || x->reported)
        return;
    x->exit = (struct process_exit){.code = r->code, .signal = r->signal, .cpu = {r->cpu_us},
                                    .max_rss_bytes = r->max_rss_bytes, .unavailable = r->unavailable != 0};
    (void)snprintf(x->exit.text, sizeof x->exit.text, "%.*s", (int)sizeof r->text - 1, r->text);
    (void)snprintf(x->exit.note, sizeof x->exit.note, "%.*s", (int)sizeof r->note - 1, r->note);
    reported(x);
}

static void on_socket(uv_poll_t *h, int status, int events)
{
    struct processes *p = h->data;
    enum { REPORTS_PER_TURN = 64 };
    for (int i = 0; i < REPORTS_PER_TURN && (status < 0 || (events & UV_READABLE)); i++) {
        struct spawn_report r;
        ssize_t n = recv(p->socket, &r, sizeof r, MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            break;
        if (n != (ssize_t)sizeof r) {
            spawner_lost(p);
            return;
        }
        on_report(p, &r);
    }
    waiting_send(p);
}

static void socket_arm(struct processes *p, int events)
{
    if (p->armed == events)
        return;
    p->armed = events;
    must(uv_poll_start(p->poll, events, on_socket) == 0);
}

// False when the socket is full (*ret_full) or broken.
static bool packet_send(struct processes *p, const struct spawn_request *r, const int fds[SPAWN_FDS],
                        bool *ret_full)
{
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(SPAWN_FDS * sizeof(int))];
    } control = {.space = {0}};
    struct iovec data = {(void *)r, sizeof *r};
    struct msghdr m = {.msg_iov = &data, .msg_iovlen = 1};
    if (fds) {
        m.msg_control = &control;
        m.msg_controllen = sizeof control;
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(SPAWN_FDS * sizeof(int));
        memcpy(CMSG_DATA(c), fds, SPAWN_FDS * sizeof(int));
    }
    ssize_t n = sendmsg(p->socket, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
    *ret_full = n < 0 && (errno == EAGAIN || errno == EINTR || errno == ETOOMANYREFS || errno == ENOBUFS);
    return n >= 0;
}

static void waiting_send(struct processes *p)
{
    while (p->waiting && p->socket >= 0) {
        struct process *x = p->waiting;
        bool full;
        struct spawn_request r = {.type = SPAWN_START, .id = x->id};
        if (!packet_send(p, &r, x->fds, &full)) {
            if (full)
                socket_arm(p, UV_READABLE | UV_WRITABLE);
            else
                spawner_lost(p);
            return;
        }
        p->waiting = x->next;
        if (!p->waiting)
            p->waiting_end = &p->waiting;
        x->sent = true;
        for (size_t i = 0; i < SPAWN_FDS; i++)
            fd_close(&x->fds[i]);
    }
    if (p->socket >= 0)
        socket_arm(p, UV_READABLE);
}

// ---- the spawner's process ----

static int spawner_exec(struct processes *p, int socket, struct err *err)
{
    static const char *const environment[] = {"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8", NULL};
    const char *const argv[] = {"chronos", "--spawner", NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t none;
    pid_t pid = -1;
    must(posix_spawn_file_actions_init(&files) == 0 && posix_spawnattr_init(&attr) == 0);
    (void)sigemptyset(&none);
    int rc = posix_spawnattr_setsigmask(&attr, &none);
    if (rc == 0)
        rc = posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK);
    if (rc == 0)
        rc = posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (rc == 0)
        rc = posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    if (rc == 0)
        rc = posix_spawn_file_actions_adddup2(&files, socket, SPAWNER_FD); // also clears close-on-exec
    if (rc == 0)
        rc = posix_spawn(&pid, p->exe, &files, &attr, (char *const *)argv, (char *const *)environment);
    must(posix_spawn_file_actions_destroy(&files) == 0 && posix_spawnattr_destroy(&attr) == 0);
    if (rc == 0)
        return pid;
    errno = rc;
    (void)ERR_ERRNO(err, "cannot start the spawner \"%s\"", p->exe);
    return -1;
}

// Starts the process and greets it; the socket is ours.
static bool spawner_start(struct processes *p, struct err *err)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return ERR_ERRNO(err, "cannot make a socket for the spawner");
    int pid = spawner_exec(p, pair[1], err);
    (void)close(pair[1]);
    if (pid < 0) {
        (void)close(pair[0]);
        return false;
    }
    p->socket = pair[0];
    atomic_store(&p->spawner, pid);
    bool full;
    (void)packet_send(p, &p->hello, NULL, &full); // a spawner gone already is noticed by the first read
    return true;
}

static void spawner_reap(struct processes *p)
{
    int pid = atomic_exchange(&p->spawner, 0);
    if (pid == 0)
        return;
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        continue;
}

static void poll_let_go(uv_handle_t *h)
{
    mem_free(h);
}

static void socket_close(struct processes *p)
{
    if (p->socket < 0)
        return;
    uv_close((uv_handle_t *)p->poll, poll_let_go);
    p->poll = NULL;
    p->armed = 0;
    fd_close(&p->socket);
}

static void socket_watch(struct processes *p)
{
    p->poll = mem_new(uv_poll_t);
    must(uv_poll_init(loop_uv(p->loop), p->poll, p->socket) == 0);
    p->poll->data = p;
    p->started = loop_now(p->loop);
    socket_arm(p, UV_READABLE);
    waiting_send(p);
}

static void on_restart(void *ctx)
{
    struct processes *p = ctx;
    struct err err;
    if (spawner_start(p, &err))
        socket_watch(p);
    else
        loop_timer_set(p->loop, &p->restart, mono_add(loop_now(p->loop), duration_s(RESTART_WAIT_S)));
}

static void all_lost(struct processes *p, bool sent_only, const char *why)
{
    size_t n = 0;
    struct process **v = mem_array(p->running.n, sizeof *v);
    void *value;
    for (size_t i = 0; (i = map_next(&p->running, i, &value));)
        if (((struct process *)value)->sent || !sent_only)
            v[n++] = value;
    for (size_t i = 0; i < n; i++) {
        if (v[i]->reported)
            continue;
        v[i]->exit = (struct process_exit){.code = -1, .lost = true};
        (void)snprintf(v[i]->exit.text, sizeof v[i]->exit.text, "%s", why);
        reported(v[i]);
    }
    mem_free(v);
}

static void spawner_lost(struct processes *p)
{
    int pid = atomic_load(&p->spawner);
    socket_close(p);
    if (pid > 0)
        (void)kill(pid, SIGKILL); // in case it only misbehaves; its keepers then kill their programs
    spawner_reap(p);
    all_lost(p, true, "the process that watched the script ended unexpectedly");
    // At once, unless it dies all the time.
    struct mono earliest = mono_add(p->started, duration_s(RESTART_WAIT_S)), now = loop_now(p->loop);
    if (!p->closing)
        loop_timer_set(p->loop, &p->restart, earliest.us > now.us ? earliest : now);
}

// ---- killing ----

static void waiting_remove(struct processes *p, struct process *x)
{
    struct process **at = &p->waiting;
    while (*at != x)
        at = &(*at)->next;
    *at = x->next;
    if (!*at)
        p->waiting_end = at;
}

static void kill_program(struct processes *p, uint64_t id, bool now)
{
    struct process *x = map_get(&p->running, id_key(id));
    if (!x || x->reported)
        return;
    if (!x->sent) {
        waiting_remove(p, x);
        x->exit = (struct process_exit){.code = -1, .signal = SIGTERM};
        process_end(x);
        return;
    }
    bool full;
    struct spawn_request r = {.type = SPAWN_KILL, .id = id, .now = now};
    if (!packet_send(p, &r, NULL, &full))
        spawner_lost(p); // a spawner that does not read is of no use: its end kills the programs
}

static void on_deadline(void *ctx)
{
    struct process *x = ctx;
    x->timed_out = !x->reported;
    kill_program(x->all, x->id, false);
}

static void kill_soft(void *arg, uint64_t id)
{
    kill_program(arg, id, false);
}

static void kill_hard(void *arg, uint64_t id)
{
    kill_program(arg, id, true);
}

void process_kill(struct processes *p, uint64_t id, bool now)
{
    // Not taken only when the loop is stopping: processes_free kills the rest.
    (void)!loop_post(p->loop, now ? kill_hard : kill_soft, p, id);
}

int processes_spawner(struct processes *p)
{
    return atomic_load(&p->spawner);
}

// ---- starting ----

static bool fds_open(struct process *x, const struct process_spec *spec, struct err *err)
{
    if (!spawn_spec_pack(spec, &x->fds[SPAWN_FD_SPEC], err))
        return false;
    for (size_t i = 0; i < STREAMS; i++) {
        int pair[2];
        if (pipe2(pair, O_CLOEXEC) != 0)
            return ERR_ERRNO(err, "cannot make a pipe");
        x->streams[i].fd = pair[0];
        x->fds[SPAWN_FD_STDOUT + i] = pair[1];
        if (fcntl(pair[0], F_SETFL, O_NONBLOCK) != 0)
            return ERR_ERRNO(err, "cannot set up a pipe");
    }
    return true;
}

static void fds_drop(struct process *x)
{
    for (size_t i = 0; i < SPAWN_FDS; i++)
        fd_close(&x->fds[i]);
    for (size_t i = 0; i < STREAMS; i++)
        fd_close(&x->streams[i].fd);
}

static void process_add(void *arg, uint64_t n)
{
    struct process *x = arg;
    struct processes *p = x->all;
    (void)n;
    loop_timer_init(&x->give_up, on_give_up, x);
    loop_timer_init(&x->deadline, on_deadline, x);
    if (x->timeout.us > 0)
        loop_timer_set(p->loop, &x->deadline, mono_add(loop_now(p->loop), x->timeout));
    (void)map_put(&p->running, id_key(x->id), x);
    for (size_t i = 0; i < STREAMS; i++)
        (void)stream_begin(x, &x->streams[i]);
    if (p->closing) {
        x->exit = (struct process_exit){.code = -1, .lost = true, .text = "the server is stopping"};
        process_end(x);
        return;
    }
    *p->waiting_end = x;
    p->waiting_end = &x->next;
    waiting_send(p);
}

bool process_start(struct processes *p, const struct process_spec *spec, const struct process_handlers *h,
                   void *ctx, uint64_t *ret_id, struct err *err)
{
    struct process *x = mem_new(struct process);
    x->all = p;
    x->refs = 1;
    x->h = *h;
    x->ctx = ctx;
    x->timeout = spec->timeout;
    for (size_t i = 0; i < SPAWN_FDS; i++)
        x->fds[i] = -1;
    for (size_t i = 0; i < STREAMS; i++)
        x->streams[i] = (struct stream){.process = x, .fd = -1};
    *ret_id = x->id = atomic_fetch_add(&p->next_id, 1);
    bool ok = fds_open(x, spec, err);
    if (ok && !loop_post(p->loop, process_add, x, 0))
        ok = ERR(err, ERR_UNAVAILABLE, "the server is stopping or has too much to do");
    if (ok)
        return true; // x may have ended already
    fds_drop(x);
    mem_free(x);
    return false;
}

// ---- life ----

static void watch_first(void *arg, uint64_t n)
{
    struct processes *p = arg;
    (void)n;
    loop_timer_init(&p->restart, on_restart, p);
    socket_watch(p);
}

static bool hello_make(struct processes *p, const struct process_options *o, struct err *err)
{
    const char *tmp = getenv("TMPDIR");
    struct str dir = o->dir.p ? o->dir : tmp && tmp[0] == '/' ? str_of(tmp) : STR("/tmp");
    if (dir.n >= sizeof p->hello.dir)
        return ERR(err, ERR_CONFIG, "the folder for scripts has a path of more than %zu bytes",
                   sizeof p->hello.dir - 1);
    struct duration grace = o->grace.us > 0 ? o->grace : duration_s(PROCESS_GRACE_S_DEFAULT);
    p->hello = (struct spawn_request){.type = SPAWN_HELLO, .grace_ms = (uint64_t)(grace.us / US_PER_MS)};
    memcpy(p->hello.dir, dir.p, dir.n);
    return true;
}

struct processes *processes_new(const struct process_options *o, struct err *err)
{
    struct processes *p = mem_new(struct processes);
    p->loop = o->loop;
    p->clock = o->clock;
    p->socket = -1;
    p->waiting_end = &p->waiting;
    atomic_store(&p->next_id, 1);
    (void)snprintf(p->exe, sizeof p->exe, "%s", o->exe ? o->exe : "/proc/self/exe");
    if (!hello_make(p, o, err) || !spawner_start(p, err)) {
        mem_free(p);
        return NULL;
    }
    map_init(&p->running);
    must(loop_call(p->loop, watch_first, p, 0));
    return p;
}

static void close_all(void *arg, uint64_t n)
{
    struct processes *p = arg;
    (void)n;
    p->closing = true;
    loop_timer_stop(p->loop, &p->restart);
    socket_close(p); // the spawner kills everything and ends
    p->waiting = NULL;
    p->waiting_end = &p->waiting;
    all_lost(p, false, "the server is stopping");
}

static void count_running(void *arg, uint64_t address)
{
    *(size_t *)(uintptr_t)address = ((struct processes *)arg)->running.n;
}

void processes_free(struct processes *p)
{
    if (!p)
        return;
    must(loop_call(p->loop, close_all, p, 0));
    spawner_reap(p);
    // Streams end when the spawner has killed everything, or are given up.
    for (size_t left = 1; left > 0;)
        must(loop_call(p->loop, count_running, p, (uint64_t)(uintptr_t)&left));
    map_release(&p->running);
    mem_free(p);
}
