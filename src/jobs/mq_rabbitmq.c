// SPDX-License-Identifier: Apache-2.0
// MESSAGE_QUEUE on RabbitMQ. Messages that are read stay unacknowledged until all of them are safe; then one
// acknowledgement is for all, so that no more is fetched than was asked for.
#include "jobs/mq.h"
#include "net/amqp.h"

#include "jobs/template.h"

enum { MOVE_WAIT_S = 2, MS_PER_S = 1000 };

struct rabbit {
    struct mq *m;
    struct amqp *q;
};

static bool fail(struct mq *m)
{
    const char *name = amqp_error_name(&m->err);
    if (name)
        return mq_fail(m, "BROKER_ERROR", name);
    if (m->err.code == ERR_DENIED)
        return mq_fail(m, "EGRESS_DENIED", NULL);
    if (m->err.code == ERR_TIMEOUT)
        return mq_fail(m, "TIMEOUT", NULL);
    return mq_fail(m, m->err.code == ERR_UNAVAILABLE ? "CONNECTION_ERROR" : "BROKER_ERROR", NULL);
}

static bool look(struct rabbit *r, struct str queue, int64_t *ret_messages)
{
    const struct mq_config *c = &r->m->c;
    bool dead_letters = r->m->p->operation == MQ_MOVE_DLQ && str_eq(queue, c->dead_letter_queue);
    struct amqp_queue how = {.make = c->create_queue && !dead_letters,
                             .length_max = c->max_length,
                             .priority_max = c->max_priority,
                             .refuse_overflow = c->overflow == 1,
                             .dead_exchange = c->dead_letter_exchange,
                             .dead_key = c->dead_letter_routing_key,
                             .type = c->queue_type};
    return amqp_declare(r->q, queue, &how, ret_messages, &r->m->err) || fail(r->m);
}

// ---- PRODUCE ----

static struct str content_type(const struct str_map *headers, struct str body)
{
    for (size_t i = 0; i < headers->n; i++)
        if (str_eq_nocase(headers->v[i].key, STR("Content-Type")))
            return headers->v[i].value;
    struct str text = str_trim(body);
    return text.n > 0 && (text.p[0] == '{' || text.p[0] == '[') ? STR("application/json") : STR("text/plain");
}

static bool produce(struct rabbit *r)
{
    struct mq *m = r->m;
    const struct mq_payload *p = m->p;
    size_t n = mq_body_count(p);
    int64_t unused;
    struct str_map headers;
    char key[ULID_TEXT_MAX];
    if (m->c.create_queue && !look(r, p->queue, &unused))
        return false;
    if (!mq_headers(m, &headers))
        return ERR(&m->err, ERR_TOO_LARGE, "no memory for the headers") ||
               mq_fail(m, "DEFINITION_ERROR", NULL);
    if (p->group.p)
        headers.v[headers.n++] = (struct str_pair){STR("messageGroupId"), p->group};
    struct amqp_mail mail = {
        .exchange = p->exchange.p ? p->exchange : STR(""),
        .routing_key = p->routing_key.p ? p->routing_key : p->queue,
        .headers = headers,
        .priority = p->priority == FIELD_ABSENT ? AMQP_PRIORITY_NONE : (int)p->priority,
        .persistent = p->persistent,
    };
    if (p->ttl_s != FIELD_ABSENT)
        mail.expiration_ms = arena_fmt(&m->a->arena, "%lld", (long long)(p->ttl_s * MS_PER_S));
    for (size_t i = 0; i < n; i++) {
        mail.body = mq_body(p, i);
        mail.content_type = content_type(&headers, mail.body);
        mail.message_id = p->deduplication.p ? p->deduplication
                                             : arena_fmt(&m->a->arena, n > 1 ? "%s-%zu" : "%s",
                                                         ulid_format(m->a->run_key, key), i);
        if (!amqp_publish(r->q, &mail, &m->err))
            return fail(m);
    }
    mq_say(m, "%zu message%s confirmed by the broker (exchange \"%.*s\", routing key \"%.*s\")", n,
           n == 1 ? "" : "s", STR_ARG(mail.exchange), STR_ARG(mail.routing_key));
    return true;
}

// ---- CONSUME ----

static bool take_one(struct mq *m, const struct amqp_mail *mail)
{
    struct mq_message msg = {.key = mail->routing_key,
                             .id = mail->message_id,
                             .headers = mail->headers,
                             .body = mail->body,
                             .too_large = mail->too_large};
    msg.place = arena_fmt(&m->scratch, "%.*s #%llu%s", STR_ARG(m->p->queue), (unsigned long long)mail->tag,
                          mail->redelivered ? " (redelivered)" : "");
    return mq_take(m, &msg);
}

static bool read_all(struct rabbit *r)
{
    struct mq *m = r->m;
    struct mono until = mono_add(clock_mono(m->a->clock), duration_s(m->c.wait_s));
    bool some = true;
    while (m->taken < m->p->batch_size && !mq_stopping(m)) {
        struct amqp_mail mail;
        struct duration left = mono_since(until, clock_mono(m->a->clock));
        arena_reset(&m->scratch);
        if (!amqp_next(r->q, left, &mail, &some, &m->scratch, &m->err))
            return fail(m);
        if (!some)
            break;
        if (!take_one(m, &mail))
            return false;
    }
    return mq_take_end(m);
}

static bool consume(struct rabbit *r)
{
    struct mq *m = r->m;
    int64_t waiting;
    if (!look(r, m->p->queue, &waiting))
        return false;
    if (!amqp_consume(r->q, m->p->queue, (int)m->p->batch_size, &m->err))
        return fail(m);
    bool ok = read_all(r);
    struct err unused, *err = ok ? &m->err : &unused;
    // Tags count from 1 in each channel. Once something is acknowledged more would come.
    if (m->safe > 0 && (!amqp_enough(r->q, err) || !amqp_ack(r->q, (uint64_t)m->safe, true, err)))
        return ok ? fail(m) : false;
    if (!ok)
        return false;
    // What was acknowledged is known to the broker once it has answered something that was asked later.
    if (!look(r, m->p->queue, &waiting))
        return false;
    mq_say(m, "%lld message%s consumed, %lld left", (long long)m->safe, m->safe == 1 ? "" : "s",
           (long long)waiting);
    return true;
}

// ---- MOVE_DLQ ----

static bool move(struct rabbit *r)
{
    struct mq *m = r->m;
    struct amqp_mail mail;
    int64_t waiting, unused;
    bool some = true;
    if (!look(r, m->p->queue, &unused) || !look(r, m->c.dead_letter_queue, &waiting))
        return false;
    if (!amqp_consume(r->q, m->c.dead_letter_queue, 1, &m->err))
        return fail(m);
    int64_t most = waiting < m->p->batch_size ? waiting : m->p->batch_size;
    while (m->taken < most && some && !mq_stopping(m)) {
        arena_reset(&m->scratch);
        if (!amqp_next(r->q, duration_s(MOVE_WAIT_S), &mail, &some, &m->scratch, &m->err))
            return fail(m);
        if (!some)
            break;
        if (mail.too_large)
            return ERR(&m->err, ERR_TOO_LARGE,
                       "a message of \"%.*s\" has more than %d bytes: move it by hand",
                       STR_ARG(m->c.dead_letter_queue), AMQP_BODY_BYTES_MAX) ||
                   mq_fail(m, "BROKER_ERROR", "TOO_LARGE");
        mail.exchange = m->p->exchange.p ? m->p->exchange : STR("");
        mail.routing_key = m->p->routing_key.p ? m->p->routing_key : m->p->queue;
        mail.headers.n = 0; // they are among the properties
        if (!amqp_publish(r->q, &mail, &m->err) || !amqp_ack(r->q, mail.tag, false, &m->err))
            return fail(m);
        m->taken++;
    }
    mq_say(m, "%lld message%s moved from \"%.*s\" to \"%.*s\"", (long long)m->taken, m->taken == 1 ? "" : "s",
           STR_ARG(m->c.dead_letter_queue), STR_ARG(m->p->queue));
    return true;
}

// ---- PURGE ----

static bool purge(struct rabbit *r)
{
    int64_t n;
    if (!amqp_purge(r->q, r->m->p->queue, &n, &r->m->err))
        return fail(r->m);
    mq_say(r->m, "%lld messages removed from queue \"%.*s\"", (long long)n, STR_ARG(r->m->p->queue));
    return true;
}

// ---- all ----

static void interrupt(void *ctx) { amqp_interrupt(ctx); }

bool mq_rabbitmq(struct mq *m)
{
    static bool (*const operations[])(struct rabbit *) = {
        [MQ_PRODUCE] = produce, [MQ_CONSUME] = consume, [MQ_MOVE_DLQ] = move, [MQ_PURGE] = purge};
    const struct mq_config *c = &m->c;
    int64_t own_port = c->tls ? MQ_PORT_RABBITMQ_TLS : MQ_PORT_RABBITMQ;
    struct amqp_options o = {
        .clock = m->a->clock,
        .egress = m->a->env->egress,
        .host = c->host,
        .port = (int)(c->port != FIELD_ABSENT ? c->port : own_port),
        .vhost = c->vhost.p ? c->vhost : STR("/"),
        .username = c->username.p ? c->username : STR("guest"),
        .password = c->password.p ? c->password : STR("guest"),
        .tls = c->tls,
        .ca_file = c->ca_file,
        .client_name = STR("chronos"),
        .at_most = mq_timeout(m),
    };
    struct rabbit r = {m, amqp_new(&o)};
    attempt_interruptible(m->a, interrupt, r.q);
    bool ok = amqp_connect(r.q, &m->err) ? operations[m->p->operation](&r) : fail(m);
    attempt_uninterruptible(m->a);
    amqp_free(r.q);
    return ok;
}

static void name_check(struct str name, struct str base, const char *field, struct faults *f)
{
    if (name.n > AMQP_NAME_BYTES_MAX)
        mq_fault(f, base, field, "must have at most 255 bytes");
}

void mq_rabbitmq_check(const struct mq_payload *p, const struct mq_config *c, struct str base,
                       struct faults *f)
{
    if (!c->host.p)
        mq_fault(f, base, "queueConfig/host", "is required for RABBITMQ");
    name_check(p->queue, base, "queueName", f);
    name_check(p->exchange, base, "exchange", f);
    name_check(p->routing_key, base, "routingKey", f);
    name_check(p->deduplication, base, "messageDeduplicationId", f);
    name_check(c->dead_letter_queue, base, "queueConfig/deadLetterQueue", f);
}
