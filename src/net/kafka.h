// SPDX-License-Identifier: Apache-2.0
// Kafka: a producer that says of each message whether the brokers have it, and a consumer that is told what is done.
//
// librdkafka stays behind this header; it knows nothing of jobs. A producer and a consumer belong to one thread each;
// what librdkafka's own threads have to say goes to the log (debug). Every call returns within the time it is given
// and a little, whatever the brokers do; those that wait look at `stop` several times a second.
#ifndef NET_KAFKA_H
#define NET_KAFKA_H

#include <stdatomic.h>

#include "base/clock.h"
#include "net/egress.h"

enum kafka_security { KAFKA_PLAINTEXT, KAFKA_SSL, KAFKA_SASL_PLAINTEXT, KAFKA_SASL_SSL };
extern const char *const kafka_security_words[]; // "plaintext", …, NULL-terminated

enum {
    KAFKA_TOPIC_MAX = 249,
    KAFKA_KEY_MAX = 64 * 1024,     // of a received message; what is longer comes without key and value
    KAFKA_VALUE_MAX = 1024 * 1024, // likewise
    KAFKA_PRODUCE_MAX = 1000000,   // key and value of a message that is sent; longer ones are ERR_TOO_LARGE
    KAFKA_HEADERS_MAX = 32,        // more are dropped
    KAFKA_HEADER_NAME_MAX = 256,   // longer names and
    KAFKA_HEADER_BYTES_MAX = 4096, // longer values are cut
    KAFKA_POLL_MAX = 64,           // messages
    KAFKA_POLL_ARENA = 32 << 20,   // enough for what one kafka_poll may return
    KAFKA_CLOSE_S = 5,             // a consumer leaves its group within this time, or without a word
};

// Texts are copied.
struct kafka_options {
    const struct clock *clock;
    struct str brokers;  // "host:port,host:port"
    struct str client_id;
    int security;        // enum kafka_security
    struct str mechanism, username, password; // SASL: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512
    struct str ca_file;  // PEM of the authorities; absent: the system's
    const _Atomic bool *stop; // set by another thread: waits end soon; NULL: never
    const struct egress *egress; // judges the address of every connection, also those that brokers name; NULL: all
};

// Errors of these functions hold librdkafka's code in err.native.
const char *kafka_error_name(const struct err *err); // "UNKNOWN_TOPIC_OR_PART"
// No broker could be reached at all; with ERR_DENIED because the egress guard refuses their addresses.
bool kafka_error_unreachable(const struct err *err);

struct kafka_message {
    struct str topic;
    struct str key;         // messages of one key keep their order; absent: none
    struct str value;       // absent: none
    struct str_map headers; // names may repeat
    // Received:
    int32_t partition;
    int64_t offset;
    struct instant at; // by its sender's clock or the broker's; INSTANT_NEVER: not told
    bool too_large;    // key and value were left out
    // Produced:
    bool ret_delivered; // every replica in sync has it
};

// False with ERR_CONFIG when the name can be none of a topic.
bool kafka_topic_check(struct str topic, struct err *err) __attribute__((warn_unused_result));

// ---- producer ----------------------------------------------------------------------------------

struct kafka_producer;

// NULL with *err set when the options are refused. Reaches for no broker yet.
struct kafka_producer *kafka_producer_new(const struct kafka_options *o, struct err *err);
void kafka_producer_free(struct kafka_producer *p); // NULL is fine
// Sends all in their order and waits until each is acknowledged or at_most has passed. False: *err says why the first
// one failed, ret_delivered which ones did not. Those may have arrived all the same; whoever sends everything from the
// first failure of a key again, in order, repeats messages but never changes which one of a key comes first.
// ERR_TOO_LARGE, ERR_DENIED, ERR_INVALID: not to be repeated as it is; else ERR_UNAVAILABLE.
bool kafka_produce(struct kafka_producer *p, struct kafka_message *v, size_t n, struct duration at_most,
                   struct err *err) __attribute__((warn_unused_result));
// The two halves of kafka_produce, so that the next messages can be made while these travel: several may have begun,
// and they are awaited in that order. Begun messages must live, unchanged, until they were awaited or either half has
// failed; then all that have begun are taken back.
bool kafka_begin(struct kafka_producer *p, struct kafka_message *v, size_t n, struct err *err)
    __attribute__((warn_unused_result));
bool kafka_await(struct kafka_producer *p, struct kafka_message *v, size_t n, struct duration at_most, struct err *err)
    __attribute__((warn_unused_result));
// Waits until a broker answers.
bool kafka_reach(struct kafka_producer *p, struct duration at_most, struct err *err)
    __attribute__((warn_unused_result));

// ---- consumer ----------------------------------------------------------------------------------

struct kafka_consumer;

// A member of the group. What the group has never read is read from its oldest message on.
struct kafka_consumer *kafka_consumer_new(const struct kafka_options *o, struct str group, struct str topic,
                                          struct err *err);
// Tells the brokers what is done and leaves. NULL is fine.
void kafka_consumer_free(struct kafka_consumer *c);
// Up to max messages, those of a partition in order; waits at most at_most for the first. None in time is no error.
// *ret lives in the arena, which must have KAFKA_POLL_ARENA left. ERR_UNAVAILABLE: brokers or topic cannot be reached.
bool kafka_poll(struct kafka_consumer *c, struct duration at_most, size_t max, struct kafka_message **ret,
                size_t *ret_n, struct arena *a, struct err *err) __attribute__((warn_unused_result));
// This one and all before it in its partition need not come again. The brokers are told within a second, at a
// rebalance and at the end; until then a crash brings them once more.
void kafka_done(struct kafka_consumer *c, const struct kafka_message *m);
// Whether the brokers have given us partitions to read; known after some kafka_poll.
bool kafka_assigned(struct kafka_consumer *c);
// Tells the brokers what is done and waits for their answer, so that it does not come again whatever happens to us.
bool kafka_commit(struct kafka_consumer *c, struct duration at_most, struct err *err)
    __attribute__((warn_unused_result));
// Messages behind what kafka_poll has returned, in our partitions, as far as is known here.
int64_t kafka_left(struct kafka_consumer *c);
// This one and all behind it in its partition are to come again. On failure free the consumer and make another one:
// it starts behind what is done.
bool kafka_rewind(struct kafka_consumer *c, const struct kafka_message *m, struct err *err)
    __attribute__((warn_unused_result));

#endif
