// SPDX-License-Identifier: Apache-2.0
// MESSAGE_QUEUE between its files: the payload, one run, and what the three systems have in common.
#ifndef JOBS_MQ_H
#define JOBS_MQ_H

#include "base/field.h"
#include "jobs/blocking.h"
#include "net/kafka.h"

enum mq_operation { MQ_PRODUCE, MQ_CONSUME, MQ_MOVE_DLQ, MQ_PURGE };
enum mq_system { MQ_KAFKA, MQ_RABBITMQ, MQ_REDIS };
enum mq_start_per { MQ_PER_MESSAGE, MQ_PER_BATCH };
enum {
    MQ_BATCH_MAX = 10000,
    MQ_HEADERS_MAX = 32,
    MQ_NAME_MAX = 255,
    MQ_MESSAGES_MAX = 1000,
    MQ_KEY_MAX = 400,
    MQ_PORT_RABBITMQ = 5672,
    MQ_PORT_RABBITMQ_TLS = 5671,
    MQ_PORT_REDIS = 6379,
};

struct mq_payload {
    int operation;
    struct str queue, body, group, deduplication, routing_key, exchange;
    struct strs messages;
    struct str_map attributes, headers, config;
    int64_t batch_size, visibility_s, priority, ttl_s; // but for batch_size perhaps FIELD_ABSENT
    bool persistent;
};

struct mq_config { // of queueConfig
    int type;
    struct str brokers, host, username, password, vhost, group, ca_file, dead_letter_queue;
    int64_t port, timeout_s, wait_s;
    bool tls;
    // CONSUME
    struct str start_job;
    int start_per;
    // KAFKA
    struct str mechanism, transaction_id;
    int security, acks, compression;
    int64_t partition;
    bool idempotent;
    // RABBITMQ and REDIS: making the queue
    bool create_queue, delete_acknowledged;
    struct str dead_letter_exchange, dead_letter_routing_key, queue_type;
    int64_t max_length, max_priority, database, deduplication_s;
    int overflow;
};
extern const struct fields mq_config_fields;

struct mq_message {   // received
    struct str id;    // tells it from all others of its queue; absent: it has none
    struct str place; // what a reader of the log finds it by
    struct str key, body;
    struct str_map headers;
    bool too_large;
};

// One run. Its blocking thread owns it.
struct mq {
    struct attempt *a;
    const struct mq_payload *p;
    struct mq_config c;
    _Atomic bool stop;    // set when the attempt shall end
    struct arena scratch; // of one message or one answer
    int64_t taken;        // messages that were read …
    int64_t safe;         // … of which the first so many need not come again
    struct sbuf batch;    // parameters of the job to start with all of `safe` … `taken`
    int64_t batch_n;
    struct str batch_first, batch_last; // keys of its first and last message, in …
    char batch_keys[2][MQ_KEY_MAX];
    struct kafka_consumer *consumer; // freed once the attempt has ended: leaving a group may take its time
    const char *error_class, *error_code; // of the failure in err
    struct err err;
};

static inline struct duration mq_timeout(const struct mq *m) { return duration_s(m->c.timeout_s); }
static inline bool mq_stopping(const struct mq *m) { return attempt_cancel_asked(m->a) >= 0; }

// ---- what the systems do; false with m->err, m->error_class and perhaps m->error_code ----
bool mq_kafka(struct mq *m);
bool mq_rabbitmq(struct mq *m);
bool mq_redis(struct mq *m);
// Rules of one system for a payload, at save. Texts may still hold templates.
void mq_kafka_check(const struct mq_payload *p, const struct mq_config *c, struct str base, struct faults *f);
void mq_rabbitmq_check(const struct mq_payload *p, const struct mq_config *c, struct str base,
                       struct faults *f);
void mq_redis_check(const struct mq_payload *p, const struct mq_config *c, struct str base, struct faults *f);
void mq_fault(struct faults *f, struct str base, const char *field, const char *text);

// ---- what they share (mq_message.c) ----

// Sets the failure from m->err; returns false. code may be NULL.
bool mq_fail(struct mq *m, const char *error_class, const char *code);
// A line of the run's log.
void mq_say(struct mq *m, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
// Attributes and headers of the payload, and our own where the user has none of that name.
bool mq_headers(struct mq *m, struct str_map *ret);
size_t mq_body_count(const struct mq_payload *p);
struct str mq_body(const struct mq_payload *p, size_t i);
// Writes a message to the log and hands it to the job that shall be started. False: m->safe counts those
// before it.
bool mq_take(struct mq *m, const struct mq_message *msg);
bool mq_take_end(struct mq *m); // the last one was taken: starts the job for what is not handed over yet

#endif
