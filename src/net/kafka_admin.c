// SPDX-License-Identifier: Apache-2.0
// What is done with a topic as a whole. Looking up a topic waits inside librdkafka without an interruption;
// so it is asked in steps of less than a second.
#include "net/kafka_conf.h"
#include "net/kafka_send.h"

enum { STEP_MS = 900, PARTITIONS_MAX = 10000, TEXT_MAX = 256 };

struct admin {
    struct kafka_base base; // first
    struct mono until;
    char topic[KAFKA_TOPIC_MAX + 1];
};

static bool over(struct admin *d, const char *what, struct err *err)
{
    if (kafka_stopped(&d->base))
        return ERR(err, ERR_UNAVAILABLE, "kafka: %s: stopped", what);
    (void)rd_kafka_poll(d->base.rk, 0); // errors
    if (d->base.denied || d->base.refused || d->base.down)
        return kafka_trouble(&d->base, err);
    if (clock_mono(d->base.clock).us < d->until.us)
        return true;
    (void)ERR(err, ERR_TIMEOUT, "kafka: %s: no answer in time", what);
    err->native = RD_KAFKA_RESP_ERR__TIMED_OUT;
    return false;
}

// How many partitions the topic has.
static bool count_partitions(struct admin *d, int32_t *ret, struct err *err)
{
    const struct rd_kafka_metadata *m = NULL;
    rd_kafka_topic_t *t = rd_kafka_topic_new(d->base.rk, d->topic, NULL);
    bool ok = true;
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR__TIMED_OUT;
    while (ok && (code == RD_KAFKA_RESP_ERR__TIMED_OUT || code == RD_KAFKA_RESP_ERR__TRANSPORT) &&
           (ok = over(d, "look for the topic", err)))
        code = rd_kafka_metadata(d->base.rk, 0, t, &m, STEP_MS);
    if (ok && code == RD_KAFKA_RESP_ERR_NO_ERROR && m->topic_cnt == 1)
        code = m->topics[0].err;
    if (ok && code != RD_KAFKA_RESP_ERR_NO_ERROR)
        ok = kafka_fail(err, code, "look for the topic");
    if (ok && m->topics[0].partition_cnt > PARTITIONS_MAX)
        ok = ERR(err, ERR_TOO_LARGE, "kafka: the topic has more than %d partitions", PARTITIONS_MAX);
    if (ok)
        *ret = m->topics[0].partition_cnt;
    if (m)
        rd_kafka_metadata_destroy(m);
    rd_kafka_topic_destroy(t);
    return ok;
}

// Adds up what lies in the partitions, and names the end of each.
static bool ends_of(struct admin *d, rd_kafka_topic_partition_list_t *l, int32_t n, int64_t *ret_n,
                    struct err *err)
{
    *ret_n = 0;
    for (int32_t i = 0; i < n; i++) {
        int64_t low = 0, high = 0;
        rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR__TIMED_OUT;
        while (code == RD_KAFKA_RESP_ERR__TIMED_OUT) {
            if (!over(d, "look for the ends of its partitions", err))
                return false;
            code = rd_kafka_query_watermark_offsets(d->base.rk, d->topic, i, &low, &high, STEP_MS);
        }
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
            return kafka_fail(err, code, "look for the ends of its partitions");
        rd_kafka_topic_partition_list_add(l, d->topic, i)->offset = high;
        *ret_n += high - low;
    }
    return true;
}

static bool result_of(rd_kafka_event_t *e, struct err *err)
{
    rd_kafka_resp_err_t code = rd_kafka_event_error(e);
    const rd_kafka_DeleteRecords_result_t *r = rd_kafka_event_DeleteRecords_result(e);
    const rd_kafka_topic_partition_list_t *l = r ? rd_kafka_DeleteRecords_result_offsets(r) : NULL;
    for (int i = 0; l && i < l->cnt && code == RD_KAFKA_RESP_ERR_NO_ERROR; i++)
        code = l->elems[i].err;
    return code == RD_KAFKA_RESP_ERR_NO_ERROR || kafka_fail(err, code, "purge");
}

static bool delete_records(struct admin *d, rd_kafka_topic_partition_list_t *l, struct err *err)
{
    rd_kafka_queue_t *q = rd_kafka_queue_new(d->base.rk);
    rd_kafka_DeleteRecords_t *request = rd_kafka_DeleteRecords_new(l);
    rd_kafka_event_t *e = NULL;
    bool ok = true;
    rd_kafka_DeleteRecords(d->base.rk, &request, 1, NULL, q);
    while (!e && (ok = over(d, "purge", err)))
        e = rd_kafka_queue_poll(q, kafka_slice(&d->base, d->until));
    ok = ok && result_of(e, err);
    if (e)
        rd_kafka_event_destroy(e);
    rd_kafka_DeleteRecords_destroy(request);
    rd_kafka_queue_destroy(q);
    return ok;
}

bool kafka_purge(const struct kafka_options *o, struct str topic, struct duration at_most, int64_t *ret_n,
                 int32_t *ret_partitions, struct err *err)
{
    struct admin d = {.until = mono_add(clock_mono(o->clock), at_most)};
    int32_t partitions = 0;
    int64_t n = 0;
    if (!kafka_topic_check(topic, err))
        return false;
    memcpy(d.topic, topic.p, topic.n);
    rd_kafka_conf_t *conf = kafka_conf_new(o, NULL, 0, &d.base, err);
    if (!conf || !kafka_open(&d.base, RD_KAFKA_PRODUCER, conf, err))
        return false;
    bool ok = count_partitions(&d, &partitions, err);
    rd_kafka_topic_partition_list_t *l = rd_kafka_topic_partition_list_new(partitions);
    ok = ok && ends_of(&d, l, partitions, &n, err) && delete_records(&d, l, err);
    rd_kafka_topic_partition_list_destroy(l);
    rd_kafka_destroy(d.base.rk);
    if (ok) {
        *ret_n = n;
        *ret_partitions = partitions;
    }
    return ok;
}
