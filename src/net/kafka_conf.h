// SPDX-License-Identifier: Apache-2.0
// What producer and consumer of Kafka have in common: librdkafka's settings, its errors and its log. Inside of net/.
#ifndef NET_KAFKA_CONF_H
#define NET_KAFKA_CONF_H

#include <librdkafka/rdkafka.h>

#include "net/kafka.h"

enum {
    KAFKA_SLICE_MS = 100, // how often a waiting call looks at `stop`
    KAFKA_REASON_MAX = 200,
};

// What a handle needs for as long as it lives. The first member of producer and consumer, whose address librdkafka
// hands to the callbacks.
struct kafka_base {
    const struct clock *clock;
    const _Atomic bool *stop;
    const struct egress *egress;
    rd_kafka_t *rk;
    _Atomic bool refused; // an address, by the egress guard; on any thread
    // By the owner's thread only:
    char reason[KAFKA_REASON_MAX]; // the last trouble with a broker; "" = none
    rd_kafka_resp_err_t code;      // likewise
    bool down;                     // with all of them, as far as we know
    bool denied;                   // they do not let us in: waiting would not help
};

struct kafka_consumer {
    struct kafka_base base; // first
};

struct kafka_pair {
    const char *name, *value;
};
// Common settings and the given ones; error and log callbacks. NULL with *err set. Owner: the caller.
rd_kafka_conf_t *kafka_conf_new(const struct kafka_options *o, const struct kafka_pair *more, size_t n,
                                struct kafka_base *base, struct err *err);
// Makes the handle; takes the settings over in any case.
bool kafka_open(struct kafka_base *b, rd_kafka_type_t type, rd_kafka_conf_t *conf, struct err *err)
    __attribute__((warn_unused_result));
// Fills *err from librdkafka's code; returns false.
bool kafka_fail(struct err *err, rd_kafka_resp_err_t code, const char *what);
// Consumes the error object; true when it is NULL.
bool kafka_ok(rd_kafka_error_t *e, const char *what, struct err *err);

static inline bool kafka_stopped(const struct kafka_base *b)
{
    return b->stop && atomic_load_explicit(b->stop, memory_order_relaxed);
}
// Tells the last trouble and forgets it; returns false.
bool kafka_trouble(struct kafka_base *b, struct err *err);
// Milliseconds until then, at most a slice, at least 0.
int kafka_slice(const struct kafka_base *b, struct mono until);

#endif
