// SPDX-License-Identifier: Apache-2.0
// MESSAGE_QUEUE: PRODUCE, CONSUME, MOVE_DLQ and PURGE on Kafka, RabbitMQ and Redis streams.
//
// Here are the payload and its rules; mq_kafka.c, mq_rabbitmq.c and mq_redis.c do the work on a blocking thread,
// mq_message.c is what they share.
#include "jobs/mq.h"
#include "jobs/template.h"
#include "jobs/user_map.h"
#include "net/kafka_send.h"

enum {
    CONFIG_MAX = 64,
    BATCH_DEFAULT = 100,
    DAY_S = 86400,
    YEAR_S = 366 * DAY_S,
    TIMEOUT_S_DEFAULT = 30,
    TIMEOUT_S_MAX = 600,
    WAIT_S_DEFAULT = 5,
    DEDUPLICATION_S_DEFAULT = 300,
    PRIORITY_MAX = 255,
    PORT_MAX = 65535,
    PARTITION_MAX = INT32_MAX,
    DATABASE_MAX = 9999,
    SECRET_MAX = 1000,
    HOST_MAX = 253,
    BROKERS_MAX = 2000,
    SCRATCH_BUDGET = KAFKA_POLL_ARENA + (8 << 20),
};

static const char *const operation_words[] = {"PRODUCE", "CONSUME", "MOVE_DLQ", "PURGE", NULL};
static const char *const system_words[] = {"KAFKA", "RABBITMQ", "REDIS", NULL};
static const char *const per_words[] = {"MESSAGE", "BATCH", NULL};
static const char *const overflow_words[] = {"drop-head", "reject-publish", NULL};

#define T struct mq_payload
static const struct field payload_rows[] = {
    FIELD_ENUM(T, operation, "operationType", operation_words, FIELD_ALIASES("operation"), .flags = FIELD_REQUIRED,
               .doc = "What is to be done."),
    FIELD_STR(T, queue, "queueName", .flags = FIELD_REQUIRED, .min = 1, .max = MQ_NAME_MAX,
              .doc = "Topic (KAFKA), queue (RABBITMQ) or stream (REDIS)."),
    FIELD_STR(T, body, "messageBody", .max = JOB_PAYLOAD_MAX, .doc = "PRODUCE: the message."),
    FIELD_STRS(T, messages, "messages", .max = MQ_MESSAGES_MAX,
               .doc = "PRODUCE: several messages instead of messageBody; with a transactionalId in one transaction."),
    FIELD_STR(T, group, "messageGroupId", .max = MQ_NAME_MAX,
              .doc = "Messages of one group keep their order: Kafka's key."),
    FIELD_STR(T, deduplication, "messageDeduplicationId", .max = MQ_NAME_MAX,
              .doc = "REDIS: a second message with it is not added. RABBITMQ: message id. KAFKA: a header."),
    FIELD_MAP(T, attributes, "messageAttributes", .max = MQ_HEADERS_MAX, .doc = "Become headers of the message."),
    FIELD_MAP(T, headers, "headers", .max = MQ_HEADERS_MAX, .doc = "Headers of the message."),
    FIELD_I64(T, batch_size, "batchSize", .min = 1, .max = MQ_BATCH_MAX, FIELD_DEFAULT(BATCH_DEFAULT),
              .doc = "CONSUME and MOVE_DLQ: at most so many messages in a run."),
    FIELD_I64(T, visibility_s, "visibilityTimeoutSeconds", .min = 0, .max = DAY_S * 7,
              .doc = "REDIS: what was read and not acknowledged for so long is taken over; 300 when absent."),
    FIELD_STR(T, routing_key, "routingKey", .max = MQ_NAME_MAX, .doc = "RABBITMQ: queueName when absent."),
    FIELD_STR(T, exchange, "exchange", .max = MQ_NAME_MAX, .doc = "RABBITMQ: the default exchange when absent."),
    FIELD_I64(T, priority, "priority", .min = 0, .max = PRIORITY_MAX, .doc = "RABBITMQ: of the message."),
    FIELD_I64(T, ttl_s, "timeToLiveSeconds", .min = 1, .max = YEAR_S,
              .doc = "RABBITMQ: the message expires; REDIS: older entries of the stream are removed."),
    FIELD_BOOL(T, persistent, "persistent", FIELD_DEFAULT(true), .doc = "RABBITMQ: survives a restart of the broker."),
    FIELD_MAP(T, config, "queueConfig", .flags = FIELD_REQUIRED, .min = 1, .max = CONFIG_MAX,
              .doc = "type (KAFKA, RABBITMQ, REDIS), where it is, who we are, and what the type takes besides."),
};
#undef T
static const struct fields payload_fields = FIELDS("MessageQueuePayload", struct mq_payload, payload_rows,
                                                   .doc = "Messages of a queue.");

#define T struct mq_config
static const struct field config_rows[] = {
    FIELD_ENUM(T, type, "type", system_words, .doc = "Kind of the broker."),
    FIELD_STR(T, brokers, "bootstrapServers", FIELD_ALIASES("brokers"), .min = 1, .max = BROKERS_MAX,
              .doc = "KAFKA: \"host:port,host:port\"."),
    FIELD_STR(T, host, "host", .min = 1, .max = HOST_MAX, .doc = "RABBITMQ and REDIS."),
    FIELD_I64(T, port, "port", .min = 1, .max = PORT_MAX, .doc = "5672, with tls 5671; REDIS: 6379."),
    FIELD_STR(T, username, "username", FIELD_ALIASES("user"), .max = SECRET_MAX, .doc = "Who signs in."),
    FIELD_STR(T, password, "password", .flags = FIELD_SECRET, .max = SECRET_MAX, .doc = "Use {{secret.NAME}}."),
    FIELD_STR(T, vhost, "vhost", FIELD_ALIASES("virtualHost"), .max = MQ_NAME_MAX, .doc = "RABBITMQ: / when absent."),
    FIELD_STR(T, group, "group", FIELD_ALIASES("groupId", "consumerGroup"), .min = 1, .max = MQ_NAME_MAX,
              .doc = "KAFKA and REDIS: consumer group; one of the job's own when absent."),
    FIELD_BOOL(T, tls, "tls", FIELD_ALIASES("ssl"), FIELD_DEFAULT(false), .doc = "KAFKA and RABBITMQ."),
    FIELD_STR(T, ca_file, "caFile", .max = BROKERS_MAX, .doc = "PEM of the authorities; the system's when absent."),
    FIELD_I64(T, timeout_s, "timeoutSeconds", .min = 1, .max = TIMEOUT_S_MAX, FIELD_DEFAULT(TIMEOUT_S_DEFAULT),
              .doc = "Longest wait for one answer of the broker."),
    FIELD_I64(T, wait_s, "waitSeconds", .min = 0, .max = DAY_S, FIELD_DEFAULT(WAIT_S_DEFAULT),
              .doc = "CONSUME: how long to wait for batchSize messages."),
    FIELD_STR(T, dead_letter_queue, "deadLetterQueue", FIELD_ALIASES("dlq"), .min = 1, .max = MQ_NAME_MAX,
              .doc = "MOVE_DLQ: where the messages are taken from."),
    FIELD_STR(T, start_job, "startJob", .min = 1, .max = MQ_NAME_MAX,
              .doc = "CONSUME: id of a job that is started with what was read."),
    FIELD_ENUM(T, start_per, "startPer", per_words, FIELD_DEFAULT(MQ_PER_MESSAGE), .doc = "A start for each of what."),
    FIELD_ENUM(T, security, "securityProtocol", kafka_security_words, .doc = "KAFKA: follows from tls and username."),
    FIELD_STR(T, mechanism, "saslMechanism", .max = MQ_NAME_MAX,
              .doc = "KAFKA: PLAIN when absent, SCRAM-SHA-256, SCRAM-SHA-512."),
    FIELD_ENUM(T, acks, "acks", kafka_acks_words, FIELD_DEFAULT(KAFKA_ACKS_ALL), .doc = "KAFKA: who must have it."),
    FIELD_BOOL(T, idempotent, "enableIdempotence", FIELD_ALIASES("idempotence"), FIELD_DEFAULT(true),
               .doc = "KAFKA: no repeats by the client's own retries; only with acks all."),
    FIELD_STR(T, transaction_id, "transactionalId", .min = 1, .max = KAFKA_TRANSACTION_ID_MAX,
              .doc = "KAFKA: all messages of a run in one transaction."),
    FIELD_ENUM(T, compression, "compression", kafka_compression_words, FIELD_DEFAULT(0), .doc = "KAFKA."),
    FIELD_I64(T, partition, "partition", .min = KAFKA_PARTITION_ANY, .max = PARTITION_MAX,
              FIELD_DEFAULT(KAFKA_PARTITION_ANY), .doc = "KAFKA: instead of what the key says."),
    FIELD_BOOL(T, create_queue, "createQueue", FIELD_DEFAULT(false),
               .doc = "RABBITMQ: declares the queue (durable); REDIS: makes the stream."),
    FIELD_BOOL(T, delete_acknowledged, "deleteAcknowledged", FIELD_DEFAULT(false),
               .doc = "REDIS: removes from the stream what was consumed."),
    FIELD_STR(T, dead_letter_exchange, "deadLetterExchange", .max = MQ_NAME_MAX, .doc = "RABBITMQ, with createQueue."),
    FIELD_STR(T, dead_letter_routing_key, "deadLetterRoutingKey", .max = MQ_NAME_MAX,
              .doc = "RABBITMQ, with createQueue."),
    FIELD_STR(T, queue_type, "queueType", .max = MQ_NAME_MAX, .doc = "RABBITMQ, with createQueue: classic, quorum."),
    FIELD_I64(T, max_length, "maxLength", .min = 0, .max = INT32_MAX, FIELD_DEFAULT(0),
              .doc = "RABBITMQ, with createQueue; REDIS: the stream is cut to about that."),
    FIELD_I64(T, max_priority, "maxPriority", .min = 0, .max = PRIORITY_MAX, FIELD_DEFAULT(0),
              .doc = "RABBITMQ, with createQueue."),
    FIELD_I64(T, database, "database", FIELD_ALIASES("db"), .min = 0, .max = DATABASE_MAX, FIELD_DEFAULT(0),
              .doc = "REDIS."),
    FIELD_I64(T, deduplication_s, "deduplicationSeconds", .min = 1, .max = YEAR_S,
              FIELD_DEFAULT(DEDUPLICATION_S_DEFAULT), .doc = "REDIS: how long a messageDeduplicationId is remembered."),
    FIELD_ENUM(T, overflow, "overflow", overflow_words, FIELD_DEFAULT(0), .doc = "RABBITMQ, with createQueue."),
};
#undef T
const struct fields mq_config_fields = FIELDS("QueueConfig", struct mq_config, config_rows, .doc = "Of a broker.");

// ---- checking ----

void mq_fault(struct faults *f, struct str base, const char *field, const char *text)
{
    faults_add(f, arena_fmt(f->a, "%.*s/%s", STR_ARG(base), field), "%s", text);
}

static void produce_check(const struct mq_payload *p, struct str base, struct faults *f)
{
    if (p->body.p && p->messages.n > 0)
        mq_fault(f, base, "messages", "cannot be given together with messageBody");
    if (!p->body.p && p->messages.n == 0)
        mq_fault(f, base, "messageBody", "is required for PRODUCE");
    if (p->deduplication.p && p->messages.n > 1)
        mq_fault(f, base, "messageDeduplicationId", "stands for one message; leave it out with several");
}

static void operation_check(const struct mq_payload *p, const struct mq_config *c, struct str base, struct faults *f)
{
    struct ulid id;
    if (p->operation == MQ_PRODUCE)
        produce_check(p, base, f);
    if (p->operation == MQ_MOVE_DLQ && !c->dead_letter_queue.p)
        mq_fault(f, base, "queueConfig/deadLetterQueue", "is required for MOVE_DLQ: where the messages are taken from");
    if (p->operation == MQ_MOVE_DLQ && str_eq(c->dead_letter_queue, p->queue))
        mq_fault(f, base, "queueConfig/deadLetterQueue", "must not be queueName itself");
    if (c->start_job.p && p->operation != MQ_CONSUME)
        mq_fault(f, base, "queueConfig/startJob", "has a meaning for CONSUME only");
    if (c->start_job.p && !template_uses(c->start_job, "") && !ulid_parse(c->start_job, &id))
        mq_fault(f, base, "queueConfig/startJob", "must be the id of a job");
}

static void rules_check(const struct mq_payload *p, const struct mq_config *c, struct str base, struct faults *f)
{
    operation_check(p, c, base, f);
    if (c->type == MQ_KAFKA)
        mq_kafka_check(p, c, base, f);
    else if (c->type == MQ_RABBITMQ)
        mq_rabbitmq_check(p, c, base, f);
    else if (c->type == MQ_REDIS)
        mq_redis_check(p, c, base, f);
}

static bool type_given(const struct mq_payload *p)
{
    for (size_t i = 0; i < p->config.n; i++)
        if (str_is(p->config.v[i].key, "type"))
            return true;
    return false;
}

static void mq_check(const void *payload, struct str base, struct faults *faults, struct arena *scratch)
{
    const struct mq_payload *p = payload;
    struct mq_config c;
    struct str ignored, below = arena_fmt(scratch, "%.*s/queueConfig", STR_ARG(base));
    (void)user_map_read(&mq_config_fields, &p->config, below, true, &c, &ignored, scratch, faults);
    if (!type_given(p))
        mq_fault(faults, base, "queueConfig/type", "is required: KAFKA, RABBITMQ or REDIS");
    rules_check(p, &c, base, faults);
}

// ---- running ----

static void tell_ignored(struct mq *m, struct str ignored)
{
    static const unsigned kafka = 1U << MQ_KAFKA, rabbit = 1U << MQ_RABBITMQ, redis = 1U << MQ_REDIS;
    const struct mq_payload *p = m->p;
    const struct {
        const char *name;
        bool given;
        unsigned meant; // for which systems
    } fields[] = {
        {"exchange", p->exchange.p, rabbit},
        {"routingKey", p->routing_key.p, rabbit},
        {"priority", p->priority != FIELD_ABSENT, rabbit},
        {"timeToLiveSeconds", p->ttl_s != FIELD_ABSENT, rabbit | redis},
        {"visibilityTimeoutSeconds", p->visibility_s != FIELD_ABSENT, redis},
        {"transactionalId", m->c.transaction_id.p, kafka},
    };
    if (ignored.p)
        attempt_log(m->a, LOG_LINE_WARN, STREAM_SYSTEM,
                    arena_fmt(&m->a->arena, "queueConfig without meaning for MESSAGE_QUEUE is ignored: %.*s",
                              STR_ARG(ignored)),
                    STR_NONE);
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        if (fields[i].given && !(fields[i].meant & 1U << m->c.type))
            attempt_log(m->a, LOG_LINE_WARN, STREAM_SYSTEM,
                        arena_fmt(&m->a->arena, "%s has no meaning for %s and is ignored", fields[i].name,
                                  system_words[m->c.type]),
                        STR_NONE);
}

// What templates made of the payload is checked like what was saved. False: the attempt has been ended.
static bool prepare(struct mq *m)
{
    struct attempt *a = m->a;
    struct str ignored;
    struct faults *f = arena_new(&a->arena, struct faults);
    if (!f) {
        attempt_fail(a, "DEFINITION_ERROR", "no memory for the payload");
        return false;
    }
    faults_init(f, &a->arena);
    if (user_map_read(&mq_config_fields, &m->p->config, STR("/queueConfig"), false, &m->c, &ignored, &a->arena, f))
        rules_check(m->p, &m->c, STR(""), f);
    if (m->c.type < 0 && !faults_any(f))
        mq_fault(f, STR(""), "queueConfig/type", "is required: KAFKA, RABBITMQ or REDIS");
    if (faults_any(f)) {
        attempt_fail(a, "DEFINITION_ERROR", "%.*s %.*s", STR_ARG(f->v[0].pointer), STR_ARG(f->v[0].detail));
        return false;
    }
    tell_ignored(m, ignored);
    return true;
}

static struct str target_of(struct mq *m)
{
    struct arena *a = &m->a->arena;
    const struct mq_config *c = &m->c;
    struct str rest;
    if (c->type == MQ_KAFKA)
        return arena_fmt(a, "kafka://%.*s", STR_ARG(str_trim(str_split(c->brokers, ',', &rest))));
    int64_t own = c->type == MQ_REDIS ? MQ_PORT_REDIS : c->tls ? MQ_PORT_RABBITMQ_TLS : MQ_PORT_RABBITMQ;
    int64_t port = c->port != FIELD_ABSENT ? c->port : own;
    return arena_fmt(a, "%s://%.*s:%lld", c->type == MQ_REDIS ? "redis" : c->tls ? "amqps" : "amqp", STR_ARG(c->host),
                     (long long)port);
}

static void interrupt(void *ctx)
{
    struct mq *m = ctx;
    atomic_store(&m->stop, true);
}

static void end(struct mq *m, bool ok)
{
    struct attempt *a = m->a;
    if (ok) {
        attempt_succeed(a, FIELD_ABSENT);
        return;
    }
    if (attempt_ended_by_cancel(a))
        return;
    if (m->error_code)
        a->result.error_code = arena_str(&a->arena, str_of(m->error_code));
    bool told = !m->error_code || str_contains(str_of(m->err.text), str_of(m->error_code));
    if (str_is(str_of(m->error_class), "TIMEOUT"))
        attempt_timed_out(a, "%s", m->err.text);
    else if (told)
        attempt_fail(a, m->error_class, "%s", m->err.text);
    else
        attempt_fail(a, m->error_class, "%s (%s)", m->err.text, m->error_code);
}

static void body(struct attempt *a)
{
    enum { BATCH_TEXT_MAX = 72 * 1024 };
    static bool (*const systems[])(struct mq *) = {
        [MQ_KAFKA] = mq_kafka, [MQ_RABBITMQ] = mq_rabbitmq, [MQ_REDIS] = mq_redis};
    struct mq m = {.a = a, .p = a->payload};
    if (attempt_ended_by_cancel(a) || !prepare(&m) || !attempt_target(a, target_of(&m)))
        return;
    arena_init(&m.scratch, SCRATCH_BUDGET);
    sbuf_init(&m.batch, NULL, BATCH_TEXT_MAX);
    if (m.c.type == MQ_KAFKA)
        attempt_interruptible(a, interrupt, &m);
    bool ok = systems[m.c.type](&m);
    if (m.c.type == MQ_KAFKA)
        attempt_uninterruptible(a);
    bool stopped = ok && mq_stopping(&m) && m.p->operation != MQ_PRODUCE && m.p->operation != MQ_PURGE;
    if (!stopped || !attempt_ended_by_cancel(a))
        end(&m, ok);
    kafka_consumer_free(m.consumer);
    sbuf_release(&m.batch);
    arena_release(&m.scratch);
}

static void mq_start(struct attempt *a) { attempt_block(a, body); }

static const char *const examples[] = {
    "{\"operationType\":\"PRODUCE\",\"queueName\":\"orders\",\"messageBody\":\"{\\\"id\\\":1}\","
    "\"queueConfig\":{\"type\":\"KAFKA\",\"bootstrapServers\":\"kafka.internal:9092\"}}",
    "{\"operationType\":\"CONSUME\",\"queueName\":\"mails\",\"batchSize\":100,"
    "\"queueConfig\":{\"type\":\"RABBITMQ\",\"host\":\"rabbit.internal\"}}",
    NULL};
static const char *const classes[] = {"BROKER_ERROR", "KAFKA_ERROR", "CONNECTION_ERROR", "START_JOB_ERROR",
                                      "EGRESS_DENIED", NULL};

const struct job_type job_type_message_queue = {
    .name = "MESSAGE_QUEUE",
    .doc = "Sends, receives, moves and removes messages of Kafka, RabbitMQ and Redis streams.",
    .payload = &payload_fields,
    .check = mq_check,
    .start = mq_start,
    .cancel = attempt_block_cancel,
    .examples = examples,
    .failure_classes = classes,
};
