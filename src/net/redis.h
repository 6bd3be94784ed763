// SPDX-License-Identifier: Apache-2.0
// Redis, as far as nodes share it: small scripts on short-lived values, and one channel to wake each other.
//
// Nothing here waits for a server that is away. Connections are made by a thread of this part alone; a call takes one
// that is ready, or fails at once. A call that gets no answer within REDIS_CALL_MS fails, and so does every later one
// until the thread has made a connection again (it tries at most once in REDIS_RETRY_MS_MAX). hiredis 0.14 knows no
// TLS: the way to the server must be private (docs/how-to/redis.md).
//
// A server is told from the same server started again, or from its replica, by its run id: every answer carries the
// instance it came from. Thread-safe.
#ifndef NET_REDIS_H
#define NET_REDIS_H

#include "base/clock.h"

enum {
    REDIS_VALUE_MAX = 256 * 1024, // of an argument or an answer
    REDIS_CONNECTIONS = 16,
    REDIS_CALL_MS = 50,
    REDIS_RETRY_MS_MAX = 1000,
    REDIS_WAKE_GAP_MS = 5, // bursts of redis_wake_others become one message in this time
    REDIS_KEYS_MAX = 2,
    REDIS_ARGS_MAX = 6,
    REDIS_PREFIX_MAX = 64,
};

struct redis;
struct redis_options {
    struct str url;    // redis://[user][:password@]host[:port][/db]
    struct str prefix; // in front of every key and channel, ≤ REDIS_PREFIX_MAX
    const struct clock *clock;
};
// ERR_CONFIG when the URL is none; the text never shows it. Whether the server answers is found out later.
struct redis *redis_new(const struct redis_options *o, struct err *err);
// Nobody may be inside a call. NULL is allowed.
void redis_free(struct redis *r);

struct redis_status {
    bool up;
    uint64_t instance; // of the server last reached; 0 = none yet
    struct str why;    // of the last loss, in the arena; absent: none
};
void redis_status(struct redis *r, struct redis_status *ret, struct arena *a);

// One script (Lua), run by the server as a whole. Keys get the prefix.
struct redis_eval {
    const char *script;
    struct str keys[REDIS_KEYS_MAX], args[REDIS_ARGS_MAX];
    size_t n_keys, n_args;
    bool needed; // waits for a connection that others use, before those for whom it is only an advantage
};
struct redis_answer {
    enum { REDIS_NOTHING, REDIS_NUMBER, REDIS_TEXT } kind;
    int64_t number;
    struct str text;   // in the arena
    uint64_t instance; // that gave it; the same for every process with the same server, database and prefix
};
// ERR_UNAVAILABLE when the server is away, slow or refuses; whether the script ran is then not known.
bool redis_eval(struct redis *r, const struct redis_eval *e, struct redis_answer *ret, struct arena *a,
                struct err *err) __attribute__((warn_unused_result));

// Tells the listeners of other processes, soon and without waiting; lost when the server is away.
void redis_wake_others(struct redis *r);
// From now on heard(ctx) is called when another process woke us, and whenever that may have been missed. On a
// thread of its own, until redis_free; must not block. Once at most.
void redis_listen(struct redis *r, void (*heard)(void *ctx), void *ctx);

#endif
