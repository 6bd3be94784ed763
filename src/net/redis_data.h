// SPDX-License-Identifier: Apache-2.0
// Redis for jobs: one connection of a thread that may wait, commands in pipelines, answers within bounds.
//
// Beside net/redis.h, which never waits and serves the nodes. A connection belongs to one thread;
// redis_data_interrupt alone may be called by another. Every wait ends after `at_most`. hiredis 0.14 parses
// the answers, whose memory is an arena of the caller's; it knows no TLS, so the way to the server must be
// private. After ERR_UNAVAILABLE, ERR_TIMEOUT and ERR_TOO_LARGE the connection is of no use any more.
#ifndef NET_REDIS_DATA_H
#define NET_REDIS_DATA_H

#include "base/clock.h"
#include "base/sbuf.h"
#include "net/egress.h"

enum {
    REDIS_DATA_SEND_MAX = 8 << 20, // bytes of one pipeline
    REDIS_DATA_CODE_MAX = 32,
};

struct redis_data;
struct redis_data_options { // texts must outlive the connection
    const struct clock *clock;
    const struct egress *egress;         // NULL: all addresses
    struct str host, username, password; // absent: none
    int port, database;
    struct duration at_most;
};

struct redis_value {
    enum { REDIS_VALUE_NIL, REDIS_VALUE_INT, REDIS_VALUE_TEXT, REDIS_VALUE_ERROR, REDIS_VALUE_LIST } kind;
    int64_t number;
    struct str text;        // also of an error: "WRONGTYPE Operation …"
    struct redis_value **v; // of a list
    size_t n;
};

struct redis_data *redis_data_new(const struct redis_data_options *o);
void redis_data_free(struct redis_data *r); // NULL is fine
// Ends the wait of the owning thread soon, and every later one. From any thread, until redis_data_free is
// called.
void redis_data_interrupt(struct redis_data *r);

// Connects, signs in and chooses the database. ERR_DENIED by the egress guard; ERR_TIMEOUT; ERR_UNAVAILABLE;
// ERR_CONFLICT: the server answered with an error (redis_data_code).
bool redis_data_connect(struct redis_data *r, struct err *err) __attribute__((warn_unused_result));

// One command is appended to those that the next redis_data_run sends. Too much for one pipeline:
// ERR_TOO_LARGE there.
void redis_data_put(struct redis_data *r, const struct str *words, size_t n);
#define REDIS_DATA_PUT(r, ...)                                                                               \
    redis_data_put((r), (const struct str[]){__VA_ARGS__},                                                   \
                   sizeof((const struct str[]){__VA_ARGS__}) / sizeof(struct str))
// Sends all and waits for as many answers, for a server that is told to wait itself `longer` than at_most.
// (*ret)[i] is the answer to command i and may be an error of the server's. All in the arena; ERR_TOO_LARGE
// when they do not fit.
bool redis_data_run(struct redis_data *r, struct duration longer, struct redis_value ***ret, size_t *ret_n,
                    struct arena *a, struct err *err) __attribute__((warn_unused_result));
// As redis_data_run of what was put, for one command whose error is a failure (ERR_CONFLICT).
bool redis_data_one(struct redis_data *r, const char *what, struct redis_value **ret, struct arena *a,
                    struct err *err) __attribute__((warn_unused_result));
// Fills *err (ERR_CONFLICT) from an error of the server's; returns false.
bool redis_data_fail(struct redis_data *r, const struct redis_value *v, const char *what, struct err *err);
// First word of the server's last error: "WRONGPASS", "NOAUTH", "WRONGTYPE", "OOM", …; "" = none.
const char *redis_data_code(const struct redis_data *r);

#endif
