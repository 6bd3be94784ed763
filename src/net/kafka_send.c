// SPDX-License-Identifier: Apache-2.0
// A producer for one batch. Calls of librdkafka that wait are made in slices: those of a transaction may be
// repeated until they have ended.
#include "net/kafka_send.h"

#include "net/kafka_conf.h"

enum { TEXT_MAX = 32, PAIRS_MAX = 10, PURGE_S = 2, TRANSACTION_MS_MIN = 1000 };

const char *const kafka_acks_words[] = {"all", "1", "0", NULL};
const char *const kafka_compression_words[] = {"none", "gzip", "snappy", "lz4", "zstd", NULL};

struct sender {
    struct kafka_base base; // first
    size_t outstanding;
    rd_kafka_resp_err_t failed; // of the first message that failed
    struct mono until;
    struct duration at_most;
};

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque)
{
    struct sender *s = opaque;
    struct kafka_message *mine = m->_private;
    (void)rk;
    must(s->outstanding > 0);
    s->outstanding--;
    mine->ret_delivered = m->err == RD_KAFKA_RESP_ERR_NO_ERROR;
    if (!mine->ret_delivered && s->failed == RD_KAFKA_RESP_ERR_NO_ERROR)
        s->failed = m->err;
}

static bool open_producer(struct sender *s, const struct kafka_options *o, const struct kafka_guarantees *g,
                          struct err *err)
{
    char timeout[TEXT_MAX], id[KAFKA_TRANSACTION_ID_MAX + 1];
    struct kafka_pair pairs[PAIRS_MAX];
    size_t n = 0;
    int64_t ms = s->at_most.us / US_PER_MS;
    (void)snprintf(timeout, sizeof timeout, "%lld",
                   (long long)(ms < TRANSACTION_MS_MIN ? TRANSACTION_MS_MIN : ms));
    pairs[n++] = (struct kafka_pair){"acks", kafka_acks_words[g->acks]};
    pairs[n++] = (struct kafka_pair){"enable.idempotence", g->idempotent ? "true" : "false"};
    pairs[n++] = (struct kafka_pair){"compression.codec", kafka_compression_words[g->compression]};
    pairs[n++] = (struct kafka_pair){"message.timeout.ms", timeout};
    pairs[n++] = (struct kafka_pair){"partitioner", "murmur2_random"}; // as the Java clients do
    if (g->transaction_id.n > 0) {
        if (g->transaction_id.n > KAFKA_TRANSACTION_ID_MAX ||
            memchr(g->transaction_id.p, '\0', g->transaction_id.n))
            return ERR(err, ERR_CONFIG, "kafka: a transactional id has 1 to %d bytes",
                       KAFKA_TRANSACTION_ID_MAX);
        memcpy(id, g->transaction_id.p, g->transaction_id.n);
        id[g->transaction_id.n] = '\0';
        pairs[n++] = (struct kafka_pair){"transactional.id", id};
        pairs[n++] = (struct kafka_pair){"transaction.timeout.ms", timeout};
    }
    rd_kafka_conf_t *conf = kafka_conf_new(o, pairs, n, &s->base, err);
    if (!conf)
        return false;
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    return kafka_open(&s->base, RD_KAFKA_PRODUCER, conf, err);
}

static bool over(struct sender *s)
{
    return s->base.denied || s->base.refused || kafka_stopped(&s->base) ||
           clock_mono(s->base.clock).us >= s->until.us;
}

static bool too_late(struct sender *s, const char *what, struct err *err)
{
    if (kafka_stopped(&s->base))
        return ERR(err, ERR_UNAVAILABLE, "kafka: %s: stopped", what);
    if (s->base.denied || s->base.refused || s->base.down)
        return kafka_trouble(&s->base, err);
    (void)ERR(err, ERR_TIMEOUT, "kafka: %s: no answer within %lld s", what,
              (long long)(s->at_most.us / US_PER_S));
    err->native = RD_KAFKA_RESP_ERR__TIMED_OUT;
    return false;
}

// ---- transactions ----

typedef rd_kafka_error_t *(*step_fn)(rd_kafka_t *rk, int timeout_ms);

// Repeats a step that may go on where it was.
static bool repeat(struct sender *s, step_fn step, const char *what, struct err *err)
{
    for (;;) {
        rd_kafka_error_t *e = step(s->base.rk, KAFKA_SLICE_MS);
        if (!e)
            return true;
        if (!rd_kafka_error_is_retriable(e))
            return kafka_ok(e, what, err);
        rd_kafka_error_destroy(e);
        (void)rd_kafka_poll(s->base.rk, 0);
        if (over(s))
            return too_late(s, what, err);
    }
}

// ---- the batch ----

static rd_kafka_headers_t *headers_of(const struct str_map *m)
{
    rd_kafka_headers_t *h = rd_kafka_headers_new(m->n);
    for (size_t i = 0; i < m->n; i++)
        (void)rd_kafka_header_add(h, m->v[i].key.p, (ssize_t)m->v[i].key.n, m->v[i].value.p,
                                  (ssize_t)m->v[i].value.n);
    return h;
}

static rd_kafka_resp_err_t enqueue(struct sender *s, int32_t partition, struct kafka_message *m)
{
    char topic[KAFKA_TOPIC_MAX + 1];
    must(m->topic.n <= KAFKA_TOPIC_MAX);
    memcpy(topic, m->topic.p, m->topic.n);
    topic[m->topic.n] = '\0';
    rd_kafka_headers_t *headers = headers_of(&m->headers);
    rd_kafka_resp_err_t code = rd_kafka_producev(
        s->base.rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition),
        RD_KAFKA_V_KEY(m->key.p, m->key.n), RD_KAFKA_V_VALUE((void *)(uintptr_t)m->value.p, m->value.n),
        RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_OPAQUE(m), RD_KAFKA_V_END);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        s->outstanding++;
    else
        rd_kafka_headers_destroy(headers);
    return code;
}

static bool deliver(struct sender *s, const struct kafka_guarantees *g, struct kafka_message *v, size_t n,
                    struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        rd_kafka_resp_err_t refused = enqueue(s, g->partition, &v[i]);
        while (refused == RD_KAFKA_RESP_ERR__QUEUE_FULL && !over(s)) {
            (void)rd_kafka_poll(s->base.rk, KAFKA_SLICE_MS);
            refused = enqueue(s, g->partition, &v[i]);
        }
        if (refused != RD_KAFKA_RESP_ERR_NO_ERROR)
            return kafka_fail(err, refused, "produce");
    }
    while (s->outstanding > 0 && s->failed == RD_KAFKA_RESP_ERR_NO_ERROR && !over(s))
        (void)rd_kafka_poll(s->base.rk, kafka_slice(&s->base, s->until));
    if (s->failed == RD_KAFKA_RESP_ERR__MSG_TIMED_OUT ||
        (s->failed == RD_KAFKA_RESP_ERR_NO_ERROR && s->outstanding))
        return too_late(s, "produce", err);
    return s->failed == RD_KAFKA_RESP_ERR_NO_ERROR || kafka_fail(err, s->failed, "produce");
}

static bool send_all(struct sender *s, const struct kafka_guarantees *g, struct kafka_message *v, size_t n,
                     struct err *err)
{
    if (g->transaction_id.n == 0)
        return deliver(s, g, v, n, err);
    if (!repeat(s, rd_kafka_init_transactions, "begin the transaction", err) ||
        !kafka_ok(rd_kafka_begin_transaction(s->base.rk), "begin the transaction", err))
        return false;
    if (deliver(s, g, v, n, err))
        return repeat(s, rd_kafka_commit_transaction, "commit", err);
    if (!kafka_stopped(&s->base) && !s->base.down) { // else it ends by its own time-out
        struct err unused;
        s->until = mono_add(clock_mono(s->base.clock), duration_s(PURGE_S));
        (void)rd_kafka_purge(s->base.rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
        (void)repeat(s, rd_kafka_abort_transaction, "abort", &unused);
    }
    return false;
}

bool kafka_send(const struct kafka_options *o, const struct kafka_guarantees *g, struct kafka_message *v,
                size_t n, struct duration at_most, struct err *err)
{
    struct sender s = {.at_most = at_most};
    for (size_t i = 0; i < n; i++)
        v[i].ret_delivered = false;
    if (!open_producer(&s, o, g, err))
        return false;
    s.until = mono_add(clock_mono(s.base.clock), at_most);
    bool ok = send_all(&s, g, v, n, err);
    (void)rd_kafka_purge(s.base.rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    struct mono until = mono_add(clock_mono(s.base.clock), duration_s(PURGE_S));
    while (s.outstanding > 0 && clock_mono(s.base.clock).us < until.us)
        (void)rd_kafka_poll(s.base.rk, kafka_slice(&s.base, until));
    rd_kafka_destroy(s.base.rk);
    return ok;
}
