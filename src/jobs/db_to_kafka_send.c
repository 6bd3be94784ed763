// SPDX-License-Identifier: Apache-2.0
// Batches on their way to Kafka. A position is kept when everything up to it is acknowledged, never before;
// what fails is sent again from the first failure on, in order, so that the newest row of a key stays the
// last.
#include <poll.h>

#include "jobs/db_to_kafka.h"
#include "jobs/services.h"

enum {
    ACKNOWLEDGED_S = 30,
    BACKOFF_S_MAX = 30,
    SLICE_MS = 100,
    REJECTS_SAID = 20,
    WORD_S = 5,
    KEEP_TRIES = 3,
};

bool move_kafka_failed(struct move *m, const struct err *err)
{
    struct database_link *l = &m->link;
    const char *name = err->native ? kafka_error_name(err) : NULL;
    bool down = kafka_error_unreachable(err);
    while (name && *name == '_') // librdkafka's own have one in front
        name++;
    (void)database_link_refuse(l,
                               err->code == ERR_DENIED && down ? "EGRESS_DENIED"
                               : down                          ? "CONNECTION_ERROR"
                                                               : "KAFKA_ERROR",
                               "%s", err->text);
    if (!down && name)
        (void)snprintf(l->err.code, sizeof l->err.code, "%s", name);
    m->kafka_failed = true;
    return false;
}

static void say(struct move *m, int level, struct str text)
{
    attempt_log(m->link.a, level, STREAM_SYSTEM, text, STR_NONE);
}

bool move_reject(struct move *m, const char *why)
{
    if (!m->p->dead_letter_topic.p && !m->p->skip_on_error)
        return database_link_refuse(&m->link, "KAFKA_ERROR",
                                    "row %lld %s: set deadLetterTopic or skipOnError, or leave "
                                    "columns out by excludeFields",
                                    (long long)m->read, why);
    if (m->p->dead_letter_topic.p)
        m->dead++;
    else
        m->skipped++;
    if (m->rejects_said++ < REJECTS_SAID) {
        char text[ERR_TEXT_MAX];
        (void)snprintf(text, sizeof text, "row %lld %s: %s", (long long)m->read, why,
                       m->p->dead_letter_topic.p ? "sent to the dead letters" : "left out");
        say(m, LOG_LINE_WARN, str_of(text));
    }
    return true;
}

// ---- sending ----

static struct str part(const struct move_batch *b, size_t at, size_t n)
{
    return n == SIZE_MAX ? STR_NONE : str_of_n(b->bytes.p + at, n);
}

static void messages_make(struct move *m, struct move_batch *b)
{
    for (size_t i = 0; i < b->n; i++) {
        const struct move_record *r = &b->records[i];
        b->v[i] = (struct kafka_message){.topic = r->dead ? m->p->dead_letter_topic : m->p->topic,
                                         .key = part(b, r->key, r->key_n),
                                         .value = part(b, r->value, r->value_n),
                                         .headers = m->headers};
    }
}

// After a failure of one all that have begun are back.
static void all_again(struct move *m)
{
    for (size_t i = 0; i < MOVE_BATCHES; i++)
        if (m->batches[i].state == MOVE_TRAVELS)
            m->batches[i].state = MOVE_AGAIN;
}

void move_batch_begin(struct move *m, struct move_batch *b)
{
    struct err err;
    messages_make(m, b);
    b->state = MOVE_TRAVELS;
    for (size_t i = 0; i < MOVE_BATCHES; i++)
        if (m->batches[i].state == MOVE_AGAIN)
            b->state = MOVE_AGAIN; // behind those that have to go again
    if (b->state == MOVE_TRAVELS && !kafka_begin(m->producer, b->v, b->n, &err))
        all_again(m); // and settling finds out why
}

// Waits a while, unless somebody wants the run to end.
static bool pause_for(struct move *m, int64_t seconds)
{
    const struct clock *clock = m->link.a->clock;
    struct mono until = mono_add(clock_mono(clock), duration_s(seconds));
    while (!database_link_stopped(&m->link) && clock_mono(clock).us < until.us)
        (void)poll(NULL, 0, SLICE_MS);
    return !database_link_stopped(&m->link);
}

// All of them, with as many tries as the payload gives; *ret_first is the first that is not there.
static bool send_range(struct move *m, struct kafka_message *v, size_t n, size_t *ret_first, struct err *err)
{
    int64_t wait_s = 1;
    *ret_first = 0;
    for (int64_t tries = 0;; tries++) {
        if (kafka_produce(m->producer, v + *ret_first, n - *ret_first, duration_s(ACKNOWLEDGED_S), err))
            return true;
        while (*ret_first < n && v[*ret_first].ret_delivered)
            ++*ret_first;
        bool again =
            err->code == ERR_UNAVAILABLE && !database_link_stopped(&m->link) && tries < m->p->max_retries;
        if (!again || !pause_for(m, wait_s))
            return false;
        say(m, LOG_LINE_WARN, arena_fmt(&m->link.a->arena, "%s: trying again", err->text));
        wait_s = wait_s * 2 < BACKOFF_S_MAX ? wait_s * 2 : BACKOFF_S_MAX;
    }
}

static bool send_dead(struct move *m, struct move_batch *b, size_t i, const char *why)
{
    struct err err;
    size_t first;
    if (!move_reject(m, why))
        return false;
    b->unsent++;
    if (!m->p->dead_letter_topic.p || b->records[i].dead)
        return true;
    move_row_bury(m, b, &b->records[i], why);
    messages_make(m, b); // the bytes may have moved
    return send_range(m, &b->v[i], 1, &first, &err) || move_kafka_failed(m, &err);
}

// Some of them are refused by the brokers for good: halves tell which.
static bool send_apart(struct move *m, struct move_batch *b, size_t from, size_t n)
{
    struct err err;
    size_t first;
    if (send_range(m, b->v + from, n, &first, &err))
        return true;
    if (err.code != ERR_TOO_LARGE && err.code != ERR_INVALID)
        return move_kafka_failed(m, &err);
    if (n == 1)
        return send_dead(m, b, from, "is refused by the brokers: it is too large or not valid for the topic");
    return send_apart(m, b, from, n / 2) && send_apart(m, b, from + n / 2, n - n / 2);
}

static bool deliver(struct move *m, struct move_batch *b)
{
    struct err err;
    size_t first = 0;
    if (b->state == MOVE_TRAVELS && kafka_await(m->producer, b->v, b->n, duration_s(ACKNOWLEDGED_S), &err))
        return true;
    if (b->state == MOVE_TRAVELS) {
        all_again(m);
        while (first < b->n && b->v[first].ret_delivered)
            first++;
        if (database_link_stopped(&m->link) || (err.code == ERR_UNAVAILABLE && m->p->max_retries == 0))
            return move_kafka_failed(m, &err);
    }
    return send_apart(m, b, first, b->n - first);
}

// ---- the position ----

static bool keep(struct move *m, struct str text)
{
    struct attempt *a = m->link.a;
    const struct job_services *s = a->env->services;
    struct err err;
    for (int i = 0; i < KEEP_TRIES; i++) {
        if (s->memo_put(s->ctx, a, m->memo, text, &err))
            return true;
        if (err.code == ERR_STALE || database_link_stopped(&m->link) || !pause_for(m, 1))
            break;
    }
    return database_link_refuse(&m->link, "POSITION_ERROR", "the position cannot be kept: %s", err.text);
}

static void progress(struct move *m)
{
    struct attempt *a = m->link.a;
    struct mono now = clock_mono(a->clock);
    char text[RUN_ERROR_MESSAGE_MAX];
    if (now.us < m->next_word.us)
        return;
    m->next_word = mono_add(now, duration_s(WORD_S));
    int64_t ms = instant_since(clock_now(a->clock), m->began).us / US_PER_MS;
    (void)snprintf(text, sizeof text, "%lld rows acknowledged, %lld rows/s", (long long)m->sent,
                   (long long)(ms > 0 ? m->sent * 1000 / ms : 0));
    say(m, LOG_LINE_INFO, str_of(text));
}

bool move_batch_settle(struct move *m, struct move_batch *b)
{
    if (b->state == MOVE_EMPTY)
        return true;
    if (b->n > 0 && !deliver(m, b))
        return false;
    if (b->position.n > 0 && !keep(m, sbuf_str(&b->position)))
        return false;
    m->sent += (int64_t)(b->n - b->unsent);
    b->state = MOVE_EMPTY;
    progress(m);
    return true;
}
