// SPDX-License-Identifier: Apache-2.0
// The producer. One session of librdkafka is idempotent and keeps the order of each partition over its own
// retries; messages wait without a time-out of their own, because one that gives up while those behind it go
// on would be overtaken. After any failure the session is thrown away with all it holds: what the brokers
// have of each partition is then a beginning of what was sent, and sending again from the first failure
// cannot change an order.
#include "net/kafka_conf.h"

#include "base/mem.h"

enum {
    PURGE_S = 2, // reports of messages that were taken back come at once
};

struct kafka_producer {
    struct kafka_base base; // first
    struct kafka_options options;
    char *texts; // of the options
    struct arena a;
    size_t outstanding;         // delivery reports to come
    rd_kafka_resp_err_t failed; // of the first message that failed since all were awaited
};

static const struct kafka_pair settings[] = {
    {"enable.idempotence", "true"}, // with acks=all
    {"enable.gapless.guarantee", "true"},
    {"message.timeout.ms", "0"},
    {"queue.buffering.max.kbytes", "131072"},
    {"partitioner", "murmur2_random"}, // as the Java clients do, so that everybody's keys meet
};

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque)
{
    struct kafka_producer *p = opaque;
    struct kafka_message *mine = m->_private;
    (void)rk;
    must(p->outstanding > 0);
    p->outstanding--;
    mine->ret_delivered = m->err == RD_KAFKA_RESP_ERR_NO_ERROR;
    bool purged = m->err == RD_KAFKA_RESP_ERR__PURGE_QUEUE || m->err == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT;
    if (!mine->ret_delivered && !purged && p->failed == RD_KAFKA_RESP_ERR_NO_ERROR)
        p->failed = m->err;
}

static bool session_open(struct kafka_producer *p, struct err *err)
{
    if (p->base.rk)
        return true;
    rd_kafka_conf_t *conf =
        kafka_conf_new(&p->options, settings, sizeof settings / sizeof settings[0], &p->base, err);
    if (!conf)
        return false;
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    return kafka_open(&p->base, RD_KAFKA_PRODUCER, conf, err);
}

// No callback comes after this: the messages are the caller's again.
static void session_end(struct kafka_producer *p)
{
    if (!p->base.rk)
        return;
    (void)rd_kafka_purge(p->base.rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    struct mono until = mono_add(clock_mono(p->base.clock), duration_s(PURGE_S));
    while (p->outstanding > 0 && clock_mono(p->base.clock).us < until.us)
        (void)rd_kafka_poll(p->base.rk, kafka_slice(&p->base, until));
    rd_kafka_destroy(p->base.rk);
    p->base.rk = NULL;
    p->outstanding = 0;
}

static struct str kept(struct arena *a, struct str s) { return s.p ? arena_str(a, s) : STR_NONE; }

struct kafka_producer *kafka_producer_new(const struct kafka_options *o, struct err *err)
{
    enum { OPTIONS_BUDGET = 32 * 1024 };
    struct kafka_producer *p = mem_new(struct kafka_producer);
    arena_init(&p->a, OPTIONS_BUDGET);
    p->options = *o;
    p->options.brokers = kept(&p->a, o->brokers);
    p->options.client_id = kept(&p->a, o->client_id);
    p->options.mechanism = kept(&p->a, o->mechanism);
    p->options.username = kept(&p->a, o->username);
    p->options.password = kept(&p->a, o->password);
    p->options.ca_file = kept(&p->a, o->ca_file);
    if (!p->a.exhausted ? session_open(p, err) : ERR(err, ERR_CONFIG, "kafka: the settings are too long"))
        return p;
    kafka_producer_free(p);
    return NULL;
}

void kafka_producer_free(struct kafka_producer *p)
{
    if (!p)
        return;
    session_end(p);
    arena_release(&p->a);
    mem_free(p);
}

static rd_kafka_headers_t *headers_of(const struct str_map *m)
{
    rd_kafka_headers_t *h = rd_kafka_headers_new(m->n);
    for (size_t i = 0; i < m->n; i++) {
        must(m->v[i].key.n <= KAFKA_HEADER_NAME_MAX);
        (void)rd_kafka_header_add(h, m->v[i].key.p, (ssize_t)m->v[i].key.n, m->v[i].value.p,
                                  (ssize_t)m->v[i].value.n);
    }
    return h;
}

// Hands one message to the session, which reads it where it is.
static rd_kafka_resp_err_t enqueue(struct kafka_producer *p, struct kafka_message *m)
{
    char topic[KAFKA_TOPIC_MAX + 1];
    must(m->topic.n <= KAFKA_TOPIC_MAX);
    memcpy(topic, m->topic.p, m->topic.n);
    topic[m->topic.n] = '\0';
    rd_kafka_headers_t *headers = headers_of(&m->headers);
    rd_kafka_resp_err_t code =
        rd_kafka_producev(p->base.rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_KEY(m->key.p, m->key.n),
                          RD_KAFKA_V_VALUE((void *)(uintptr_t)m->value.p, m->value.n),
                          RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_OPAQUE(m), RD_KAFKA_V_END);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        p->outstanding++;
    else
        rd_kafka_headers_destroy(headers);
    return code;
}

static bool too_late(struct kafka_producer *p, struct duration at_most, struct err *err)
{
    if (kafka_stopped(&p->base))
        return ERR(err, ERR_UNAVAILABLE, "kafka: stopped while waiting for the brokers");
    if (p->base.denied || p->base.refused)
        return kafka_trouble(&p->base, err);
    (void)ERR(err, ERR_UNAVAILABLE, "kafka: not acknowledged within %lld s: %s",
              (long long)(at_most.us / US_PER_S),
              p->base.reason[0] ? p->base.reason : "the brokers do not answer");
    err->native = (int)(p->base.code ? p->base.code : RD_KAFKA_RESP_ERR__TIMED_OUT);
    return false;
}

// All that was begun is taken back.
static bool failed(struct kafka_producer *p)
{
    session_end(p);
    return false;
}

// How many were handed over; the next one was refused.
static size_t begin_some(struct kafka_producer *p, struct kafka_message *v, size_t n, rd_kafka_resp_err_t *ret_refused)
{
    size_t begun = 0;
    for (size_t i = 0; i < n; i++)
        v[i].ret_delivered = false;
    if (p->outstanding == 0)
        p->failed = RD_KAFKA_RESP_ERR_NO_ERROR;
    *ret_refused = RD_KAFKA_RESP_ERR_NO_ERROR;
    while (begun < n && (*ret_refused = enqueue(p, &v[begun])) == RD_KAFKA_RESP_ERR_NO_ERROR)
        begun++;
    return begun;
}

bool kafka_begin(struct kafka_producer *p, struct kafka_message *v, size_t n, struct err *err)
{
    rd_kafka_resp_err_t refused;
    if (!session_open(p, err))
        return false;
    if (begin_some(p, v, n, &refused) == n)
        return true;
    (void)kafka_fail(err, refused, "produce");
    return failed(p);
}

bool kafka_await(struct kafka_producer *p, struct kafka_message *v, size_t n, struct duration at_most,
                 struct err *err)
{
    struct mono until = mono_add(clock_mono(p->base.clock), at_most);
    size_t done = 0;
    for (;;) {
        while (done < n && v[done].ret_delivered)
            done++;
        if (done == n) {
            p->base.reason[0] = '\0';
            p->base.down = false;
            return true;
        }
        if (p->failed != RD_KAFKA_RESP_ERR_NO_ERROR || p->outstanding == 0)
            (void)kafka_fail(err, p->failed ? p->failed : RD_KAFKA_RESP_ERR__STATE, "produce");
        else if (p->base.denied || kafka_stopped(&p->base) || clock_mono(p->base.clock).us >= until.us)
            (void)too_late(p, at_most, err);
        else {
            (void)rd_kafka_poll(p->base.rk, kafka_slice(&p->base, until));
            continue;
        }
        return failed(p);
    }
}

// Those before one that is refused are sent all the same.
bool kafka_produce(struct kafka_producer *p, struct kafka_message *v, size_t n, struct duration at_most,
                   struct err *err)
{
    rd_kafka_resp_err_t refused;
    if (!session_open(p, err))
        return false;
    size_t begun = begin_some(p, v, n, &refused);
    if (!kafka_await(p, v, begun, at_most, err))
        return false;
    if (begun == n)
        return true;
    (void)kafka_fail(err, refused, "produce");
    return failed(p);
}

bool kafka_reach(struct kafka_producer *p, struct duration at_most, struct err *err)
{
    struct mono until = mono_add(clock_mono(p->base.clock), at_most);
    const struct rd_kafka_metadata *found;
    if (!session_open(p, err))
        return false;
    while (rd_kafka_metadata(p->base.rk, 0, NULL, &found, KAFKA_SLICE_MS) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        (void)rd_kafka_poll(p->base.rk, 0);
        if (p->base.denied || p->base.refused || kafka_stopped(&p->base) ||
            clock_mono(p->base.clock).us >= until.us) {
            (void)too_late(p, at_most, err);
            return failed(p);
        }
    }
    rd_kafka_metadata_destroy(found);
    return true;
}
