// SPDX-License-Identifier: Apache-2.0
// One connection to a Redis server: the inside of net/redis.h, and the only place that knows hiredis. Not
// thread-safe.
#ifndef NET_REDIS_LINK_H
#define NET_REDIS_LINK_H

#include "base/rng.h"
#include "net/redis.h"

enum { REDIS_HOST_MAX = 256, REDIS_SECRET_MAX = 512 };

struct redis_address {
    char host[REDIS_HOST_MAX];
    int port;
    int database;
    uint64_t space; // tells prefixes and databases of one server apart
    bool has_password, has_user;
    char user[REDIS_SECRET_MAX], password[REDIS_SECRET_MAX];
};
// ERR_CONFIG. The text names the fault and shows nothing of the URL, because any part of it may be the password.
bool redis_address_parse(struct str url, struct redis_address *ret, struct err *err)
    __attribute__((warn_unused_result));

struct redis_link;
// Connects, signs in, chooses the database and learns the instance. Blocks for a second or two at most, name
// resolution apart.
struct redis_link *redis_link_open(const struct redis_address *address, struct err *err);
void redis_link_close(struct redis_link *l); // NULL is allowed
uint64_t redis_link_instance(const struct redis_link *l);

// One command. After a failure the link is of no use any more.
bool redis_link_call(struct redis_link *l, const struct str *words, size_t n, struct redis_answer *ret, struct arena *a,
                     struct err *err) __attribute__((warn_unused_result));

// For a link that listens and does nothing else.
bool redis_link_subscribe(struct redis_link *l, struct str channel, struct err *err)
    __attribute__((warn_unused_result));
int redis_link_fd(const struct redis_link *l);
bool redis_link_ping(struct redis_link *l) __attribute__((warn_unused_result)); // its answer comes as a message
// Takes what has arrived and hands each message on. False: the link is lost.
bool redis_link_messages(struct redis_link *l, void (*message)(void *ctx, struct str text), void *ctx)
    __attribute__((warn_unused_result));

// The thread that listens (net/redis_listen.c).
struct redis_listener;
struct redis_listener_options {
    const struct redis_address *address; // must outlive it
    struct str channel, own;             // own: messages with this text are ours; in memory that outlives it
    const struct clock *clock;
    void (*heard)(void *ctx);
    void *ctx;
};
struct redis_listener *redis_listener_new(const struct redis_listener_options *o);
void redis_listener_free(struct redis_listener *l);

// How long to wait before the try after `failures` ones in a row: doubling to REDIS_RETRY_MS_MAX, less up to a half
// by chance, so that the nodes of a cluster do not come back at one instant.
struct duration redis_retry_after(int failures, struct rng *rng);

#endif
