// SPDX-License-Identifier: Apache-2.0
// What a consumer that reads a batch and ends wants to know for sure: its share, what is left, and that the
// brokers know what is done.
#include "net/kafka_conf.h"

bool kafka_assigned(struct kafka_consumer *c)
{
    rd_kafka_topic_partition_list_t *l = NULL;
    bool some = rd_kafka_assignment(c->base.rk, &l) == RD_KAFKA_RESP_ERR_NO_ERROR && l->cnt > 0;
    if (l)
        rd_kafka_topic_partition_list_destroy(l);
    return some;
}

int64_t kafka_left(struct kafka_consumer *c)
{
    rd_kafka_topic_partition_list_t *l = NULL;
    int64_t left = 0;
    if (rd_kafka_assignment(c->base.rk, &l) == RD_KAFKA_RESP_ERR_NO_ERROR &&
        rd_kafka_position(c->base.rk, l) == RD_KAFKA_RESP_ERR_NO_ERROR)
        for (int i = 0; i < l->cnt; i++) {
            int64_t low, high;
            if (l->elems[i].offset >= 0 &&
                rd_kafka_get_watermark_offsets(c->base.rk, l->elems[i].topic, l->elems[i].partition, &low,
                                               &high) == RD_KAFKA_RESP_ERR_NO_ERROR &&
                high > l->elems[i].offset)
                left += high - l->elems[i].offset;
        }
    if (l)
        rd_kafka_topic_partition_list_destroy(l);
    return left;
}

bool kafka_commit(struct kafka_consumer *c, struct duration at_most, struct err *err)
{
    struct mono until = mono_add(clock_mono(c->base.clock), at_most);
    rd_kafka_queue_t *q = rd_kafka_queue_new(c->base.rk);
    rd_kafka_event_t *e = NULL;
    rd_kafka_resp_err_t code = rd_kafka_commit_queue(c->base.rk, NULL, q, NULL, NULL); // of what is stored
    while (code == RD_KAFKA_RESP_ERR_NO_ERROR && !e && !kafka_stopped(&c->base) &&
           clock_mono(c->base.clock).us < until.us)
        e = rd_kafka_queue_poll(q, kafka_slice(&c->base, until));
    bool ended = e || code != RD_KAFKA_RESP_ERR_NO_ERROR;
    if (e)
        code = rd_kafka_event_error(e);
    if (e)
        rd_kafka_event_destroy(e);
    rd_kafka_queue_destroy(q);
    if (!ended) {
        (void)ERR(err, ERR_TIMEOUT, "kafka: commit: no answer within %lld s",
                  (long long)(at_most.us / US_PER_S));
        err->native = RD_KAFKA_RESP_ERR__TIMED_OUT;
        return false;
    }
    return code == RD_KAFKA_RESP_ERR_NO_ERROR || code == RD_KAFKA_RESP_ERR__NO_OFFSET ||
           kafka_fail(err, code, "commit");
}
