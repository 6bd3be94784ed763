// SPDX-License-Identifier: Apache-2.0
// One connection to a Redis server, over hiredis. A connection that failed once is never used again: an
// answer that comes late would be taken for the next one's.
#include "net/redis_link.h"

#include <hiredis/hiredis.h>

#include "base/mem.h"

enum {
    OPEN_TIMEOUT_MS = 1000,
    WORDS_MAX = 3 + REDIS_KEYS_MAX + REDIS_ARGS_MAX,
    INSTANCE_DIGITS = 16,
    NUMBER_TEXT_MAX = 24,
};

struct redis_link {
    redisContext *c;
    uint64_t instance;
};

static void reply_cleanup(redisReply **reply)
{
    if (*reply)
        freeReplyObject(*reply);
}

static struct timeval timeval_ms(int64_t ms)
{
    enum { MS_PER_S = 1000 };
    return (struct timeval){.tv_sec = ms / MS_PER_S, .tv_usec = ms % MS_PER_S * US_PER_MS};
}

static bool lost(const redisContext *c, const char *what, struct err *err)
{
    return ERR(err, ERR_UNAVAILABLE, "redis: %s: %s", what, c && c->err ? c->errstr : "no memory");
}

// NULL with *err when the connection broke or the server refused.
static redisReply *ask(redisContext *c, const struct str *words, size_t n, const char *what, struct err *err)
{
    const char *v[WORDS_MAX];
    size_t sizes[WORDS_MAX];
    must(n <= WORDS_MAX);
    for (size_t i = 0; i < n; i++) {
        v[i] = words[i].n ? words[i].p : "";
        sizes[i] = words[i].n;
    }
    redisReply *reply = redisCommandArgv(c, (int)n, v, sizes);
    if (!reply) {
        (void)lost(c, what, err);
        return NULL;
    }
    if (reply->type == REDIS_REPLY_ERROR) {
        (void)ERR(err, ERR_UNAVAILABLE, "redis: %s: %.*s", what, (int)reply->len, reply->str);
        freeReplyObject(reply);
        return NULL;
    }
    return reply;
}

static bool tell(redisContext *c, const struct str *words, size_t n, const char *what, struct err *err)
{
    redisReply *reply = ask(c, words, n, what, err);
    if (!reply)
        return false;
    freeReplyObject(reply);
    return true;
}

static bool sign_in(redisContext *c, const struct redis_address *a, struct err *err)
{
    if (!a->has_password)
        return true;
    struct str words[3] = {STR("AUTH")};
    size_t n = 1;
    if (a->has_user)
        words[n++] = str_of(a->user);
    words[n++] = str_of(a->password);
    return tell(c, words, n, "sign in", err);
}

static bool choose_database(redisContext *c, int database, struct err *err)
{
    char number[NUMBER_TEXT_MAX];
    if (database == 0)
        return true;
    (void)snprintf(number, sizeof number, "%d", database);
    struct str words[] = {STR("SELECT"), str_of(number)};
    return tell(c, words, sizeof words / sizeof words[0], "choose the database", err);
}

// "run_id:<40 hex digits>" changes with every start of a server, and a replica has its own.
static bool learn_instance(redisContext *c, uint64_t space, uint64_t *ret, struct err *err)
{
    static const struct str mark = STR_INIT("run_id:");
    struct str words[] = {STR("INFO"), STR("server")};
    __attribute__((cleanup(reply_cleanup))) redisReply *reply =
        ask(c, words, sizeof words / sizeof words[0], "ask for its run id", err);
    if (!reply)
        return false;
    struct str rest = {reply->str, reply->type == REDIS_REPLY_STRING ? (size_t)reply->len : 0};
    while (rest.n > 0) {
        struct str line = str_trim(str_split(rest, '\n', &rest));
        char digits[INSTANCE_DIGITS + 1] = "";
        if (!str_starts(line, mark) || line.n < mark.n + INSTANCE_DIGITS)
            continue;
        memcpy(digits, line.p + mark.n, INSTANCE_DIGITS);
        *ret = (strtoull(digits, NULL, 16) ^ space) | 1; // never 0
        return true;
    }
    return ERR(err, ERR_UNAVAILABLE, "redis: the server tells no run id");
}

struct redis_link *redis_link_open(const struct redis_address *address, struct err *err)
{
    redisContext *c = redisConnectWithTimeout(address->host, address->port, timeval_ms(OPEN_TIMEOUT_MS));
    uint64_t instance = 0;
    bool ok = c && !c->err;
    if (!ok)
        (void)lost(c, "connect", err);
    ok = ok && redisSetTimeout(c, timeval_ms(OPEN_TIMEOUT_MS)) == REDIS_OK && sign_in(c, address, err) &&
         choose_database(c, address->database, err) && learn_instance(c, address->space, &instance, err) &&
         redisSetTimeout(c, timeval_ms(REDIS_CALL_MS)) == REDIS_OK;
    if (!ok) {
        if (c)
            redisFree(c);
        return NULL;
    }
    (void)redisEnableKeepAlive(c);
    struct redis_link *l = mem_new(struct redis_link);
    *l = (struct redis_link){c, instance};
    return l;
}

void redis_link_close(struct redis_link *l)
{
    if (!l)
        return;
    redisFree(l->c);
    mem_free(l);
}

uint64_t redis_link_instance(const struct redis_link *l) { return l->instance; }

bool redis_link_call(struct redis_link *l, const struct str *words, size_t n, struct redis_answer *ret,
                     struct arena *a, struct err *err)
{
    __attribute__((cleanup(reply_cleanup))) redisReply *reply = ask(l->c, words, n, "no answer", err);
    if (!reply)
        return false;
    struct redis_answer answer = {.instance = l->instance};
    if (reply->type == REDIS_REPLY_INTEGER) {
        answer.kind = REDIS_NUMBER;
        answer.number = reply->integer;
    } else if (reply->type == REDIS_REPLY_STRING || reply->type == REDIS_REPLY_STATUS) {
        if ((size_t)reply->len > REDIS_VALUE_MAX)
            return ERR(err, ERR_UNAVAILABLE, "redis: an answer has more than %d bytes", REDIS_VALUE_MAX);
        answer.kind = REDIS_TEXT;
        answer.text = arena_str(a, str_of_n(reply->str, (size_t)reply->len));
        if (!answer.text.p)
            return ERR(err, ERR_UNAVAILABLE, "redis: an answer does not fit into memory");
    }
    *ret = answer;
    return true;
}

// ---- listening ----

bool redis_link_subscribe(struct redis_link *l, struct str channel, struct err *err)
{
    struct str words[] = {STR("SUBSCRIBE"), channel};
    return tell(l->c, words, sizeof words / sizeof words[0], "subscribe", err);
}

int redis_link_fd(const struct redis_link *l) { return l->c->fd; }

bool redis_link_ping(struct redis_link *l)
{
    int done = 0;
    if (redisAppendCommand(l->c, "PING") != REDIS_OK)
        return false;
    while (!done)
        if (redisBufferWrite(l->c, &done) != REDIS_OK)
            return false;
    return true;
}

bool redis_link_messages(struct redis_link *l, void (*message)(void *ctx, struct str text), void *ctx)
{
    enum { MESSAGE_PARTS = 3 }; // "message", channel, text
    if (redisBufferRead(l->c) != REDIS_OK)
        return false;
    for (;;) {
        void *next = NULL;
        if (redisGetReplyFromReader(l->c, &next) != REDIS_OK)
            return false;
        __attribute__((cleanup(reply_cleanup))) redisReply *reply = next;
        if (!reply)
            return true;
        if (reply->type == REDIS_REPLY_ERROR)
            return false;
        const redisReply *text = reply->elements == MESSAGE_PARTS ? reply->element[MESSAGE_PARTS - 1] : NULL;
        if (text && text->type == REDIS_REPLY_STRING)
            message(ctx, str_of_n(text->str, (size_t)text->len));
    }
}
