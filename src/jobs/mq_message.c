// SPDX-License-Identifier: Apache-2.0
// What the systems of MESSAGE_QUEUE share: the messages that are sent, and what becomes of those that are
// received.
//
// A received message is safe once it is in the log and, where a job is to be started with it, that start is
// durable. Only what is safe is acknowledged; a start has a key made of the message, so that one that comes
// again starts nothing.
#include "jobs/mq.h"

#include <sodium.h>
#include <stdarg.h>

#include "jobs/services.h"

enum {
    INPUTS_MAX = 64 * 1024, // of a start
    OWN_HEADERS_MAX = 9,
    CONTEXT_MAX = 8 * 1024,
    SAY_MAX = 1000,
};

bool mq_fail(struct mq *m, const char *error_class, const char *code)
{
    m->error_class = error_class;
    m->error_code = code;
    return false;
}

void mq_say(struct mq *m, const char *fmt, ...)
{
    char text[SAY_MAX];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    attempt_log(m->a, LOG_LINE_INFO, STREAM_SYSTEM, str_of(text), STR_NONE);
}

// ---- sending ----

size_t mq_body_count(const struct mq_payload *p) { return p->messages.n > 0 ? p->messages.n : 1; }

struct str mq_body(const struct mq_payload *p, size_t i)
{
    return p->messages.n > 0 ? p->messages.v[i] : p->body;
}

static bool has(const struct str_map *m, struct str name)
{
    for (size_t i = 0; i < m->n; i++)
        if (str_eq_nocase(m->v[i].key, name))
            return true;
    return false;
}

static void add(struct str_map *m, struct str name, struct str value)
{
    if (value.p && !has(m, name))
        m->v[m->n++] = (struct str_pair){name, value};
}

static struct str id_text(struct ulid id, struct arena *a)
{
    char text[ULID_TEXT_MAX];
    return arena_str(a, str_of(ulid_format(id, text)));
}

bool mq_headers(struct mq *m, struct str_map *ret)
{
    struct attempt *a = m->a;
    const struct mq_payload *p = m->p;
    char time[INSTANT_TEXT_MAX], trace[TRACEPARENT_MAX];
    struct str_map h = {
        .v = arena_new_array(&a->arena, struct str_pair, p->attributes.n + p->headers.n + OWN_HEADERS_MAX)};
    if (!h.v)
        return false;
    for (size_t i = 0; i < p->headers.n; i++)
        add(&h, p->headers.v[i].key, p->headers.v[i].value);
    for (size_t i = 0; i < p->attributes.n; i++)
        add(&h, p->attributes.v[i].key, p->attributes.v[i].value);
    struct str state;
    attempt_traceparent(a, trace, &state);
    (void)instant_format(a->scheduled, time);
    add(&h, STR("Chronos-Run-Key"), id_text(a->run_key, &a->arena));
    add(&h, STR("Chronos-Run-Id"), id_text(a->run_id, &a->arena));
    add(&h, STR("Chronos-Job-Id"), id_text(a->job_id, &a->arena));
    add(&h, STR("Chronos-Scheduled-Time"), arena_str(&a->arena, str_of(time)));
    add(&h, STR("Chronos-Attempt"), arena_fmt(&a->arena, "%lld", (long long)a->number));
    add(&h, STR("traceparent"), arena_str(&a->arena, str_of(trace)));
    if (state.p)
        add(&h, STR("tracestate"), state);
    *ret = h;
    return !a->arena.exhausted;
}

// ---- receiving ----

static void put_headers(struct sbuf *out, const struct mq_message *msg)
{
    sbuf_putc(out, '{');
    for (size_t i = 0; i < msg->headers.n; i++) {
        sbuf_puts(out, i > 0 ? "," : "");
        sbuf_json(out, msg->headers.v[i].key);
        sbuf_putc(out, ':');
        sbuf_json(out, msg->headers.v[i].value);
    }
    sbuf_putc(out, '}');
}

static void put_member(struct sbuf *out, const char *name, struct str value)
{
    if (value.p) {
        sbuf_fmt(out, "\"%s\":", name);
        sbuf_json(out, value);
        sbuf_putc(out, ',');
    }
}

static void log_message(struct mq *m, const struct mq_message *msg)
{
    struct sbuf context;
    sbuf_init(&context, &m->scratch, CONTEXT_MAX);
    sbuf_putc(&context, '{');
    put_member(&context, "place", msg->place);
    put_member(&context, "key", msg->key);
    put_member(&context, "messageId", msg->id);
    sbuf_puts(&context, "\"headers\":");
    put_headers(&context, msg);
    sbuf_putc(&context, '}');
    struct str about = sbuf_ok(&context) ? sbuf_str(&context) : STR_NONE;
    if (msg->too_large)
        attempt_log(m->a, LOG_LINE_WARN, STREAM_STDOUT, STR("(a message that is too large to be read here)"),
                    about);
    else if (!str_utf8_valid(msg->body))
        attempt_log(m->a, LOG_LINE_INFO, STREAM_STDOUT,
                    arena_fmt(&m->scratch, "(%zu bytes that are no text)", msg->body.n), about);
    else
        attempt_log(m->a, LOG_LINE_INFO, STREAM_STDOUT, msg->body, about);
}

// The parameters of a started job that tell one message.
static void put_parameters(struct sbuf *out, struct mq *m, const struct mq_message *msg)
{
    sbuf_putc(out, '{');
    put_member(out, "queue", m->p->queue);
    put_member(out, "place", msg->place);
    put_member(out, "key", msg->key);
    put_member(out, "messageId", msg->id);
    if (msg->body.p && str_utf8_valid(msg->body)) {
        put_member(out, "body", msg->body);
    } else if (msg->body.p) {
        size_t size = sodium_base64_encoded_len(msg->body.n, sodium_base64_VARIANT_ORIGINAL);
        char *text = arena_alloc(&m->scratch, size);
        if (text)
            put_member(out, "bodyBase64",
                       str_of(sodium_bin2base64(text, size, (const unsigned char *)msg->body.p, msg->body.n,
                                                sodium_base64_VARIANT_ORIGINAL)));
    }
    sbuf_puts(out, "\"headers\":");
    put_headers(out, msg);
    sbuf_putc(out, '}');
}

static bool start(struct mq *m, struct str inputs, struct str key)
{
    const struct job_services *s = m->a->env->services;
    struct ulid job;
    if (!s || !s->start_job)
        return ERR(&m->err, ERR_UNAVAILABLE, "this server cannot start jobs from jobs") ||
               mq_fail(m, "START_JOB_ERROR", NULL);
    if (!ulid_parse(m->c.start_job, &job))
        return ERR(&m->err, ERR_INVALID, "queueConfig.startJob \"%.*s\" is no job id",
                   STR_ARG(m->c.start_job)) ||
               mq_fail(m, "DEFINITION_ERROR", NULL);
    if (s->start_job(s->ctx, m->a, job, inputs, key, &m->err))
        return true;
    (void)err_wrap(&m->err, "the job %.*s cannot be started", STR_ARG(m->c.start_job));
    return mq_fail(m, "START_JOB_ERROR", err_code_name(m->err.code));
}

static bool too_large(struct mq *m, const struct mq_message *msg)
{
    (void)ERR(
        &m->err, ERR_TOO_LARGE,
        "the message at %.*s is too large to be the parameters of a job (at most %d KiB): take it out of the "
        "queue by hand, or leave out queueConfig.startJob",
        STR_ARG(msg->place), INPUTS_MAX / 1024);
    return mq_fail(m, "START_JOB_ERROR", "TOO_LARGE");
}

// The same whenever this job reads this message.
static struct str key_of(struct mq *m, const struct mq_message *msg)
{
    char id[ULID_TEXT_MAX];
    if (msg->id.p)
        return arena_fmt(&m->scratch, "%s %.*s %.*s", ulid_format(m->a->job_id, id), STR_ARG(m->p->queue),
                         STR_ARG(msg->id));
    // It cannot be known again: another attempt starts the job once more.
    return arena_fmt(&m->scratch, "%s %lld", ulid_format(m->a->run_id, id), (long long)m->taken);
}

bool mq_take_end(struct mq *m)
{
    if (m->batch_n > 0) {
        sbuf_fmt(&m->batch, "],\"count\":%lld}", (long long)m->batch_n);
        struct str key = arena_fmt(&m->scratch, "%.*s / %.*s / %lld", STR_ARG(m->batch_first),
                                   STR_ARG(m->batch_last), (long long)m->batch_n);
        if (!start(m, sbuf_str(&m->batch), key))
            return false;
        m->batch_n = 0;
        sbuf_clear(&m->batch);
    }
    m->safe = m->taken;
    return true;
}

// Keeps a text beyond the scratch memory of one message.
static void keep(struct str *at, char *room, struct str s)
{
    size_t n = s.n < MQ_KEY_MAX ? s.n : MQ_KEY_MAX;
    memcpy(room, s.p, n);
    *at = str_of_n(room, n);
}

static bool take_into_batch(struct mq *m, const struct mq_message *msg)
{
    static const char tail[] = "],\"count\":10000}";
    struct sbuf one;
    sbuf_init(&one, &m->scratch, INPUTS_MAX);
    put_parameters(&one, m, msg);
    if (m->batch_n > 0 && m->batch.n + one.n + sizeof tail > INPUTS_MAX) {
        int64_t all = m->taken;
        m->taken--; // the batch ends before this one
        bool ok = mq_take_end(m);
        m->taken = all;
        if (!ok)
            return false;
    }
    bool first = m->batch_n == 0;
    sbuf_puts(&m->batch, first ? "{\"messages\":[" : ",");
    if (!sbuf_ok(&one) || m->batch.n + one.n + sizeof tail > INPUTS_MAX)
        return too_large(m, msg);
    sbuf_put(&m->batch, sbuf_str(&one));
    struct str key = key_of(m, msg);
    if (first)
        keep(&m->batch_first, m->batch_keys[0], key);
    keep(&m->batch_last, m->batch_keys[1], key);
    m->batch_n++;
    return true;
}

bool mq_take(struct mq *m, const struct mq_message *msg)
{
    m->taken++;
    log_message(m, msg);
    if (!m->c.start_job.p) {
        m->safe = m->taken;
        return true;
    }
    if (msg->too_large)
        return too_large(m, msg);
    if (m->c.start_per == MQ_PER_BATCH)
        return take_into_batch(m, msg);
    struct sbuf inputs;
    sbuf_init(&inputs, &m->scratch, INPUTS_MAX);
    put_parameters(&inputs, m, msg);
    if (!sbuf_ok(&inputs))
        return too_large(m, msg);
    if (!start(m, sbuf_str(&inputs), key_of(m, msg)))
        return false;
    m->safe = m->taken;
    return true;
}
