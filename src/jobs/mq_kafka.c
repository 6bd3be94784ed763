// SPDX-License-Identifier: Apache-2.0
// MESSAGE_QUEUE on Kafka. A position is committed only for what is safe, and waited for.
#include "jobs/mq.h"
#include "net/kafka_send.h"

#include "jobs/template.h"

enum {
    CHUNK = 16,  // messages of one poll: few, because one that is not safe stops the rest
    JOIN_S = 15, // for a group to give us partitions
    POLL_MS = 500,
    MOVE_IDLE_S = 3,
    PARTITION_MAX = 1 << 20,
};

static bool fail(struct mq *m)
{
    if (m->err.code == ERR_DENIED && kafka_error_unreachable(&m->err))
        return mq_fail(m, "EGRESS_DENIED", NULL);
    if (m->err.code == ERR_TIMEOUT)
        return mq_fail(m, "TIMEOUT", NULL);
    if (kafka_error_unreachable(&m->err))
        return mq_fail(m, "CONNECTION_ERROR", NULL);
    const char *name = m->err.native ? kafka_error_name(&m->err) : NULL;
    while (name && *name == '_') // librdkafka's own have one in front
        name++;
    bool sign_in = name && str_is(str_of(name), "AUTHENTICATION");
    return mq_fail(m, "KAFKA_ERROR", sign_in ? "SASL_AUTHENTICATION_FAILED" : name);
}

static struct kafka_options options(struct mq *m)
{
    const struct mq_config *c = &m->c;
    bool sasl = c->username.n > 0 && c->security < 0;
    return (struct kafka_options){
        .clock = m->a->clock,
        .brokers = c->brokers,
        .client_id = STR("chronos-job"),
        .security = c->security >= 0 ? c->security
                    : c->tls         ? (sasl ? KAFKA_SASL_SSL : KAFKA_SSL)
                    : sasl           ? KAFKA_SASL_PLAINTEXT
                                     : KAFKA_PLAINTEXT,
        .mechanism = c->mechanism.p ? c->mechanism : STR("PLAIN"),
        .username = c->username,
        .password = c->password,
        .ca_file = c->ca_file,
        .stop = &m->stop,
        .egress = m->a->env->egress,
    };
}

static struct kafka_guarantees guarantees(const struct mq_config *c)
{
    return (struct kafka_guarantees){.acks = c->acks,
                                     .idempotent = c->idempotent && c->acks == KAFKA_ACKS_ALL,
                                     .transaction_id = c->transaction_id,
                                     .compression = c->compression,
                                     .partition = (int32_t)c->partition};
}

// ---- PRODUCE ----

static bool produce(struct mq *m)
{
    const struct mq_payload *p = m->p;
    struct kafka_options o = options(m);
    struct kafka_guarantees g = guarantees(&m->c);
    size_t n = mq_body_count(p);
    struct kafka_message *v = arena_new_array(&m->a->arena, struct kafka_message, n);
    struct str_map headers;
    if (!v || !mq_headers(m, &headers))
        return ERR(&m->err, ERR_TOO_LARGE, "no memory for the messages") ||
               mq_fail(m, "DEFINITION_ERROR", NULL);
    if (p->deduplication.p)
        headers.v[headers.n++] = (struct str_pair){STR("messageDeduplicationId"), p->deduplication};
    for (size_t i = 0; i < n; i++)
        v[i] = (struct kafka_message){
            .topic = p->queue, .key = p->group, .value = mq_body(p, i), .headers = headers};
    if (!kafka_send(&o, &g, v, n, mq_timeout(m), &m->err))
        return fail(m);
    mq_say(m, "%zu message%s in topic \"%.*s\"%s", n, n == 1 ? "" : "s", STR_ARG(p->queue),
           g.transaction_id.p ? ", committed" : "");
    return true;
}

// ---- CONSUME ----

static bool open_consumer(struct mq *m, struct str topic)
{
    struct kafka_options o = options(m);
    char id[ULID_TEXT_MAX];
    struct str group =
        m->c.group.p ? m->c.group : arena_fmt(&m->a->arena, "chronos-%s", ulid_format(m->a->job_id, id));
    m->consumer = kafka_consumer_new(&o, group, topic, &m->err);
    return m->consumer || fail(m);
}

static bool take_one(struct mq *m, const struct kafka_message *k)
{
    struct mq_message msg = {
        .headers = k->headers, .key = k->key, .body = k->value, .too_large = k->too_large};
    msg.place =
        arena_fmt(&m->scratch, "%.*s-%d-%lld", STR_ARG(k->topic), (int)k->partition, (long long)k->offset);
    // With its time, because a topic that was deleted and made again counts from 0 again.
    msg.id = arena_fmt(&m->scratch, "%.*s-%lld", STR_ARG(msg.place), (long long)k->at.us);
    return mq_take(m, &msg);
}

struct place {
    int32_t partition;
    int64_t offset;
};

// Tells the brokers of the first m->safe places.
static bool commit(struct mq *m, const struct place *places)
{
    struct err unused, *err = m->error_class ? &unused : &m->err; // the first failure is the one that is told
    for (int64_t i = 0; i < m->safe; i++) {
        struct kafka_message k = {
            .topic = m->p->queue, .partition = places[i].partition, .offset = places[i].offset};
        kafka_done(m->consumer, &k);
    }
    if (m->safe == 0 || kafka_commit(m->consumer, mq_timeout(m), err))
        return true;
    return m->error_class ? false : fail(m);
}

// When to stop reading: after the wait, which begins once we have partitions.
struct reading {
    struct mono until;
    bool assigned;
};

static bool may_wait(struct mq *m, struct reading *r)
{
    struct mono now = clock_mono(m->a->clock);
    if (!r->assigned && kafka_assigned(m->consumer)) {
        r->assigned = true;
        r->until = mono_add(now, duration_s(m->c.wait_s));
    }
    return now.us <= r->until.us && !mq_stopping(m);
}

static bool read_all(struct mq *m, struct place *places)
{
    struct reading r = {.until = mono_add(clock_mono(m->a->clock), duration_s(JOIN_S + m->c.wait_s))};
    while (m->taken < m->p->batch_size && may_wait(m, &r)) {
        struct kafka_message *v;
        size_t n, max = (size_t)(m->p->batch_size - m->taken);
        arena_reset(&m->scratch);
        if (!kafka_poll(m->consumer, duration_ms(POLL_MS), max < CHUNK ? max : CHUNK, &v, &n, &m->scratch,
                        &m->err))
            return fail(m);
        for (size_t i = 0; i < n && !mq_stopping(m); i++) {
            places[m->taken] = (struct place){v[i].partition, v[i].offset};
            if (!take_one(m, &v[i]))
                return false;
        }
    }
    if (!r.assigned && !mq_stopping(m))
        mq_say(m, "the group gave no partition to this run within %d s", JOIN_S);
    return mq_take_end(m);
}

static bool consume(struct mq *m)
{
    struct place *places = arena_new_array(&m->a->arena, struct place, (size_t)m->p->batch_size);
    if (!places)
        return ERR(&m->err, ERR_TOO_LARGE, "no memory for the batch") || mq_fail(m, "DEFINITION_ERROR", NULL);
    if (!open_consumer(m, m->p->queue))
        return false;
    bool ok = read_all(m, places);
    ok = commit(m, places) && ok;
    if (ok)
        mq_say(m, "%lld message%s consumed, %lld left", (long long)m->safe, m->safe == 1 ? "" : "s",
               (long long)kafka_left(m->consumer));
    return ok;
}

// ---- MOVE_DLQ ----

// Sends a chunk on and tells its place only then.
static bool move_chunk(struct mq *m, struct kafka_message *v, size_t n)
{
    struct kafka_options o = options(m);
    struct kafka_guarantees g = guarantees(&m->c);
    struct kafka_message *copies = arena_new_array(&m->scratch, struct kafka_message, n);
    if (!copies)
        return ERR(&m->err, ERR_TOO_LARGE, "no memory for the messages") || mq_fail(m, "KAFKA_ERROR", NULL);
    for (size_t i = 0; i < n; i++) {
        if (v[i].too_large)
            return ERR(&m->err, ERR_TOO_LARGE, "a message at offset %lld is too large to be moved",
                       (long long)v[i].offset) ||
                   mq_fail(m, "KAFKA_ERROR", "TOO_LARGE");
        copies[i] = v[i];
        copies[i].topic = m->p->queue;
    }
    if (!kafka_send(&o, &g, copies, n, mq_timeout(m), &m->err))
        return fail(m);
    for (size_t i = 0; i < n; i++)
        kafka_done(m->consumer, &v[i]);
    if (!kafka_commit(m->consumer, mq_timeout(m), &m->err))
        return fail(m);
    m->taken += (int64_t)n;
    return true;
}

static bool move(struct mq *m)
{
    struct reading r = {.until = mono_add(clock_mono(m->a->clock), duration_s(JOIN_S))};
    if (!open_consumer(m, m->c.dead_letter_queue))
        return false;
    m->c.wait_s = m->c.wait_s < MOVE_IDLE_S ? m->c.wait_s : MOVE_IDLE_S;
    while (m->taken < m->p->batch_size && may_wait(m, &r)) {
        struct kafka_message *v;
        size_t n, max = (size_t)(m->p->batch_size - m->taken);
        arena_reset(&m->scratch);
        if (!kafka_poll(m->consumer, duration_ms(POLL_MS), max < KAFKA_POLL_MAX ? max : KAFKA_POLL_MAX, &v,
                        &n, &m->scratch, &m->err))
            return fail(m);
        if (n > 0 && !move_chunk(m, v, n))
            return false;
        if (n > 0)
            r.until = mono_add(clock_mono(m->a->clock), duration_s(m->c.wait_s));
    }
    mq_say(m, "%lld message%s moved from \"%.*s\" to \"%.*s\"", (long long)m->taken, m->taken == 1 ? "" : "s",
           STR_ARG(m->c.dead_letter_queue), STR_ARG(m->p->queue));
    return true;
}

// ---- PURGE ----

static bool purge(struct mq *m)
{
    struct kafka_options o = options(m);
    int64_t n;
    int32_t partitions;
    if (!kafka_purge(&o, m->p->queue, mq_timeout(m), &n, &partitions, &m->err))
        return fail(m);
    mq_say(m, "%lld messages removed from %d partitions of topic \"%.*s\"", (long long)n, (int)partitions,
           STR_ARG(m->p->queue));
    return true;
}

bool mq_kafka(struct mq *m)
{
    static bool (*const operations[])(struct mq *) = {
        [MQ_PRODUCE] = produce, [MQ_CONSUME] = consume, [MQ_MOVE_DLQ] = move, [MQ_PURGE] = purge};
    return operations[m->p->operation](m);
}

static void topic_check(struct str topic, struct str base, const char *field, struct faults *f)
{
    struct err err;
    if (topic.p && !template_uses(topic, "") && !kafka_topic_check(topic, &err))
        mq_fault(f, base, field, err.text);
}

void mq_kafka_check(const struct mq_payload *p, const struct mq_config *c, struct str base, struct faults *f)
{
    if (!c->brokers.p)
        mq_fault(f, base, "queueConfig/bootstrapServers", "is required for KAFKA: \"host:port,host:port\"");
    topic_check(p->queue, base, "queueName", f);
    topic_check(c->dead_letter_queue, base, "queueConfig/deadLetterQueue", f);
    if (c->acks != KAFKA_ACKS_ALL && c->transaction_id.p)
        mq_fault(f, base, "queueConfig/acks", "must be \"all\" with a transactionalId");
    if (c->partition < KAFKA_PARTITION_ANY || c->partition > PARTITION_MAX)
        mq_fault(f, base, "queueConfig/partition", "must be a partition from 0, or left out");
}
