// SPDX-License-Identifier: Apache-2.0
// Sending and receiving are one loop over a socket that does not block, so that a long pipeline cannot hang
// on a server that waits for us to read. hiredis' reader builds its objects with our functions, in the
// caller's arena.
#include "net/redis_data.h"

#include <errno.h>
#include <fcntl.h>
#include <hiredis/read.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/dial.h"

enum { READ_BYTES = 64 * 1024, NUMBER_TEXT_MAX = 24 };

struct redis_data {
    struct redis_data_options options;
    int fd;
    int guard; // a copy of fd, for redis_data_interrupt
    _Atomic bool interrupted;
    struct sbuf out;
    size_t waiting; // commands in out
    redisReader *reader;
    char code[REDIS_DATA_CODE_MAX];
};

// ---- objects of the reader ----

static void *made(const redisReadTask *task, struct redis_value v)
{
    struct arena *a = task->privdata;
    struct redis_value *p = arena_new(a, struct redis_value);
    if (!p)
        return NULL;
    *p = v;
    if (task->parent) {
        struct redis_value *list = task->parent->obj;
        list->v[task->idx] = p;
    }
    return p;
}

static void *made_text(const redisReadTask *task, char *text, size_t n)
{
    struct str copy = arena_str(task->privdata, str_of_n(text, n));
    if (!copy.p)
        return NULL;
    return made(task, (struct redis_value){.kind = task->type == REDIS_REPLY_ERROR ? REDIS_VALUE_ERROR
                                                                                   : REDIS_VALUE_TEXT,
                                           .text = copy});
}

static void *made_list(const redisReadTask *task, int n)
{
    struct redis_value list = {.kind = REDIS_VALUE_LIST, .n = (size_t)n};
    list.v = n < 0 ? NULL : arena_new_array(task->privdata, struct redis_value *, (size_t)n);
    return list.v ? made(task, list) : NULL;
}

static void *made_number(const redisReadTask *task, long long n)
{
    return made(task, (struct redis_value){.kind = REDIS_VALUE_INT, .number = n});
}

static void *made_nil(const redisReadTask *task)
{
    return made(task, (struct redis_value){.kind = REDIS_VALUE_NIL});
}

static void freed(void *object) { (void)object; } // with the arena

static redisReplyObjectFunctions functions = {made_text, made_list, made_number, made_nil, freed};

// ---- the connection ----

struct redis_data *redis_data_new(const struct redis_data_options *o)
{
    struct redis_data *r = mem_new(struct redis_data);
    r->options = *o;
    r->fd = r->guard = -1;
    sbuf_init(&r->out, NULL, REDIS_DATA_SEND_MAX);
    must((r->reader = redisReaderCreateWithFunctions(&functions)) != NULL);
    return r;
}

void redis_data_free(struct redis_data *r)
{
    if (!r)
        return;
    redisReaderFree(r->reader);
    if (r->out.p)
        explicit_bzero(r->out.p, r->out.cap); // it held a password
    sbuf_release(&r->out);
    if (r->fd >= 0)
        close(r->fd);
    if (r->guard >= 0)
        close(r->guard);
    mem_free(r);
}

void redis_data_interrupt(struct redis_data *r)
{
    atomic_store(&r->interrupted, true);
    int fd = __atomic_load_n(&r->guard, __ATOMIC_ACQUIRE);
    if (fd >= 0)
        (void)shutdown(fd, SHUT_RDWR);
}

const char *redis_data_code(const struct redis_data *r) { return r->code; }

bool redis_data_fail(struct redis_data *r, const struct redis_value *v, const char *what, struct err *err)
{
    struct str rest, word = str_split(v->text, ' ', &rest);
    (void)snprintf(r->code, sizeof r->code, "%.*s", STR_ARG(word));
    return ERR(err, ERR_CONFLICT, "redis: %s: %.*s", what, STR_ARG(v->text));
}

void redis_data_put(struct redis_data *r, const struct str *words, size_t n)
{
    sbuf_fmt(&r->out, "*%zu\r\n", n);
    for (size_t i = 0; i < n; i++) {
        sbuf_fmt(&r->out, "$%zu\r\n", words[i].n);
        sbuf_put(&r->out, words[i]);
        sbuf_puts(&r->out, "\r\n");
    }
    r->waiting++;
}

// ---- one pipeline ----

struct exchange {
    struct redis_data *r;
    struct mono until;
    size_t sent, answered;
    struct redis_value **v;
    struct arena *a;
};

static bool lost(struct redis_data *r, const char *why, struct err *err)
{
    if (atomic_load(&r->interrupted))
        return ERR(err, ERR_UNAVAILABLE, "redis: stopped");
    return ERR(err, ERR_UNAVAILABLE, "redis: the connection to \"%.*s:%d\" was lost: %s",
               STR_ARG(r->options.host), r->options.port, why);
}

static bool write_some(struct exchange *x, struct err *err)
{
    struct redis_data *r = x->r;
    ssize_t n = send(r->fd, r->out.p + x->sent, r->out.n - x->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno != EAGAIN && errno != EINTR)
        return lost(r, strerror(errno), err);
    x->sent += n > 0 ? (size_t)n : 0;
    return true;
}

// Takes what has arrived. The reader keeps what is not whole yet, so the arena's budget bounds it, too.
static bool read_some(struct exchange *x, size_t wanted, struct err *err)
{
    struct redis_data *r = x->r;
    char buffer[READ_BYTES];
    ssize_t n = recv(r->fd, buffer, sizeof buffer, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    if (n <= 0)
        return lost(r, n == 0 ? "closed by the server" : strerror(errno), err);
    if (redisReaderFeed(r->reader, buffer, (size_t)n) != REDIS_OK)
        return lost(r, r->reader->errstr, err);
    while (x->answered < wanted) {
        void *reply = NULL;
        if (redisReaderGetReply(r->reader, &reply) != REDIS_OK)
            return x->a->exhausted
                       ? ERR(err, ERR_TOO_LARGE, "redis: the answer is too large: ask for less at once")
                       : lost(r, r->reader->errstr, err);
        if (!reply)
            break;
        x->v[x->answered++] = reply;
    }
    if (r->reader->len - r->reader->pos > x->a->budget - x->a->used)
        return ERR(err, ERR_TOO_LARGE, "redis: the answer is too large: ask for less at once");
    return true;
}

static bool exchange(struct exchange *x, size_t wanted, struct err *err)
{
    struct redis_data *r = x->r;
    while (x->answered < wanted) {
        int64_t left_ms = mono_since(x->until, clock_mono(r->options.clock)).us / US_PER_MS;
        if (atomic_load(&r->interrupted))
            return lost(r, "stopped", err);
        if (left_ms <= 0)
            return ERR(err, ERR_TIMEOUT, "redis: \"%.*s:%d\" does not answer within %lld s",
                       STR_ARG(r->options.host), r->options.port,
                       (long long)(r->options.at_most.us / US_PER_S));
        struct pollfd p = {.fd = r->fd, .events = POLLIN};
        p.events |= x->sent < r->out.n ? POLLOUT : 0;
        if (poll(&p, 1, left_ms < INT32_MAX ? (int)left_ms : INT32_MAX) < 0 && errno != EINTR)
            return ERR_ERRNO(err, "redis: waiting failed");
        if ((p.revents & POLLOUT) && !write_some(x, err))
            return false;
        if ((p.revents & ~POLLOUT) && !read_some(x, wanted, err))
            return false;
    }
    return true;
}

bool redis_data_run(struct redis_data *r, struct duration longer, struct redis_value ***ret, size_t *ret_n,
                    struct arena *a, struct err *err)
{
    struct duration wait = {r->options.at_most.us + longer.us};
    size_t n = r->waiting;
    struct exchange x = {.r = r, .until = mono_add(clock_mono(r->options.clock), wait), .a = a};
    bool ok = sbuf_ok(&r->out) ||
              ERR(err, ERR_TOO_LARGE, "redis: a command has more than %d bytes", REDIS_DATA_SEND_MAX);
    x.v = ok ? arena_new_array(a, struct redis_value *, n) : NULL;
    if (ok && !x.v)
        ok = ERR(err, ERR_TOO_LARGE, "redis: no memory for %zu answers", n);
    r->reader->privdata = a;
    ok = ok && exchange(&x, n, err);
    sbuf_clear(&r->out);
    r->waiting = 0;
    if (!ok)
        return false;
    *ret = x.v;
    *ret_n = n;
    return true;
}

bool redis_data_one(struct redis_data *r, const char *what, struct redis_value **ret, struct arena *a,
                    struct err *err)
{
    struct redis_value **v;
    size_t n;
    must(r->waiting == 1);
    if (!redis_data_run(r, (struct duration){0}, &v, &n, a, err))
        return false;
    if (v[0]->kind == REDIS_VALUE_ERROR)
        return redis_data_fail(r, v[0], what, err);
    *ret = v[0];
    return true;
}

// ---- signing in ----

static bool sign_in(struct redis_data *r, struct arena *a, struct err *err)
{
    const struct redis_data_options *o = &r->options;
    struct redis_value *v;
    char database[NUMBER_TEXT_MAX];
    if (o->password.n && o->username.n)
        REDIS_DATA_PUT(r, STR("AUTH"), o->username, o->password);
    else if (o->password.n)
        REDIS_DATA_PUT(r, STR("AUTH"), o->password);
    if (o->password.n && !redis_data_one(r, "sign in", &v, a, err))
        return false;
    (void)snprintf(database, sizeof database, "%d", o->database);
    REDIS_DATA_PUT(r, STR("SELECT"), str_of(database));
    return redis_data_one(r, "choose the database", &v, a, err);
}

bool redis_data_connect(struct redis_data *r, struct err *err)
{
    enum { SIGN_IN_ARENA = 256 * 1024 };
    const struct redis_data_options *o = &r->options;
    struct dial d = {.clock = o->clock,
                     .host = o->host,
                     .port = o->port,
                     .egress = o->egress,
                     .at_most = o->at_most,
                     .stop = &r->interrupted};
    if (!dial(&d, &r->fd, err))
        return false;
    int copy = fcntl(r->fd, F_DUPFD_CLOEXEC, 0);
    if (copy < 0)
        return ERR_ERRNO(err, "a socket cannot be opened");
    __atomic_store_n(&r->guard, copy, __ATOMIC_RELEASE);
    struct arena a;
    arena_init(&a, SIGN_IN_ARENA);
    bool ok = sign_in(r, &a, err);
    arena_release(&a);
    return ok;
}
