// SPDX-License-Identifier: Apache-2.0
// The consumer. What is done is stored in librdkafka, which tells the brokers each second, before a partition
// goes to another member and at the end; nothing that is not done is ever told.
#include "net/kafka_conf.h"

#include "base/log.h"
#include "base/mem.h"

enum {
    BATCH_BYTES_MAX = 8 << 20, // of one poll; with KAFKA_VALUE_MAX it stays below KAFKA_POLL_ARENA
    SEEK_MS = 5000,
};

static const struct kafka_pair settings[] = {
    {"enable.auto.offset.store", "false"}, // kafka_done stores
    {"enable.auto.commit", "true"},        // of what is stored
    {"auto.commit.interval.ms", "1000"},   {"auto.offset.reset", "earliest"},
    {"enable.partition.eof", "false"},     {"queued.max.messages.kbytes", "16384"},
};

static bool subscribe(struct kafka_consumer *c, struct str topic, struct err *err)
{
    char name[KAFKA_TOPIC_MAX + 1];
    memcpy(name, topic.p, topic.n);
    name[topic.n] = '\0';
    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
    (void)rd_kafka_topic_partition_list_add(topics, name, RD_KAFKA_PARTITION_UA);
    rd_kafka_resp_err_t code = rd_kafka_subscribe(c->base.rk, topics);
    rd_kafka_topic_partition_list_destroy(topics);
    return code == RD_KAFKA_RESP_ERR_NO_ERROR || kafka_fail(err, code, "subscribe");
}

struct kafka_consumer *kafka_consumer_new(const struct kafka_options *o, struct str group, struct str topic,
                                          struct err *err)
{
    enum { SETTINGS = sizeof settings / sizeof settings[0], GROUP_MAX = 256 };
    char name[GROUP_MAX];
    if (!kafka_topic_check(topic, err))
        return NULL;
    if (group.n == 0 || group.n >= sizeof name || memchr(group.p, '\0', group.n)) {
        (void)ERR(err, ERR_CONFIG, "kafka: a group has 1 to %zu bytes", sizeof name - 1);
        return NULL;
    }
    memcpy(name, group.p, group.n);
    name[group.n] = '\0';
    struct kafka_pair pairs[SETTINGS + 1];
    memcpy(pairs, settings, sizeof settings);
    pairs[SETTINGS] = (struct kafka_pair){"group.id", name};
    struct kafka_consumer *c = mem_new(struct kafka_consumer);
    rd_kafka_conf_t *conf = kafka_conf_new(o, pairs, SETTINGS + 1, &c->base, err);
    if (conf && kafka_open(&c->base, RD_KAFKA_CONSUMER, conf, err)) {
        (void)rd_kafka_poll_set_consumer(c->base.rk);
        if (subscribe(c, topic, err))
            return c;
        rd_kafka_destroy_flags(c->base.rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    }
    mem_free(c);
    return NULL;
}

// rd_kafka_consumer_close would wait for brokers that are away.
static void leave(struct kafka_consumer *c)
{
    rd_kafka_queue_t *q = rd_kafka_queue_new(c->base.rk);
    rd_kafka_error_t *e = rd_kafka_consumer_close_queue(c->base.rk, q);
    struct mono until = mono_add(clock_mono(c->base.clock), duration_s(KAFKA_CLOSE_S));
    while (!e && !rd_kafka_consumer_closed(c->base.rk) && clock_mono(c->base.clock).us < until.us) {
        rd_kafka_event_t *event = rd_kafka_queue_poll(q, kafka_slice(&c->base, until));
        if (event && rd_kafka_event_type(event) == RD_KAFKA_EVENT_REBALANCE)
            (void)rd_kafka_assign(c->base.rk, NULL); // only revocations come now
        if (event)
            rd_kafka_event_destroy(event);
    }
    if (e)
        rd_kafka_error_destroy(e);
    rd_kafka_queue_destroy(q);
}

void kafka_consumer_free(struct kafka_consumer *c)
{
    if (!c)
        return;
    leave(c);
    rd_kafka_destroy_flags(c->base.rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    mem_free(c);
}

static struct str cut(const void *p, size_t n, size_t max, struct arena *a)
{
    return p ? arena_str(a, str_of_n(p, n < max ? n : max)) : STR_NONE;
}

static void headers_copy(const rd_kafka_message_t *m, struct str_map *ret, struct arena *a)
{
    rd_kafka_headers_t *h;
    if (rd_kafka_message_headers(m, &h) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return;
    size_t n = rd_kafka_header_cnt(h);
    n = n < KAFKA_HEADERS_MAX ? n : KAFKA_HEADERS_MAX;
    ret->v = arena_new_array(a, struct str_pair, n);
    for (size_t i = 0; ret->v && i < n; i++) {
        const char *name;
        const void *value;
        size_t bytes;
        if (rd_kafka_header_get_all(h, i, &name, &value, &bytes) != RD_KAFKA_RESP_ERR_NO_ERROR)
            break;
        ret->v[ret->n++] = (struct str_pair){cut(name, strlen(name), KAFKA_HEADER_NAME_MAX, a),
                                             cut(value, bytes, KAFKA_HEADER_BYTES_MAX, a)};
    }
}

static void message_copy(const rd_kafka_message_t *m, struct kafka_message *ret, struct arena *a)
{
    rd_kafka_timestamp_type_t kind;
    int64_t ms = rd_kafka_message_timestamp(m, &kind);
    *ret = (struct kafka_message){
        .topic = arena_str(a, str_of(rd_kafka_topic_name(m->rkt))),
        .partition = m->partition,
        .offset = m->offset,
        .at = kind == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE || ms < 0 || ms > INT64_MAX / US_PER_MS
                  ? INSTANT_NEVER
                  : (struct instant){ms * US_PER_MS},
        .too_large = m->key_len > KAFKA_KEY_MAX || m->len > KAFKA_VALUE_MAX,
    };
    if (!ret->too_large && m->key)
        ret->key = arena_str(a, str_of_n(m->key, m->key_len));
    if (!ret->too_large && m->payload)
        ret->value = arena_str(a, str_of_n(m->payload, m->len));
    headers_copy(m, &ret->headers, a);
}

// The next message, or NULL. Errors that librdkafka tells as messages become the reason.
static rd_kafka_message_t *next_message(struct kafka_consumer *c, int ms)
{
    rd_kafka_message_t *m = rd_kafka_consumer_poll(c->base.rk, ms);
    if (!m || m->err == RD_KAFKA_RESP_ERR_NO_ERROR)
        return m;
    snprintf(c->base.reason, sizeof c->base.reason, "%s", rd_kafka_message_errstr(m));
    c->base.code = m->err;
    c->base.down = true;
    rd_kafka_message_destroy(m);
    return NULL;
}

bool kafka_poll(struct kafka_consumer *c, struct duration at_most, size_t max, struct kafka_message **ret,
                size_t *ret_n, struct arena *a, struct err *err)
{
    struct kafka_message *v = arena_new_array(a, struct kafka_message, max);
    size_t n = 0, bytes = 0;
    struct mono until = mono_add(clock_mono(c->base.clock), at_most);
    must(max <= KAFKA_POLL_MAX);
    while (n < max && bytes < BATCH_BYTES_MAX && !c->base.down) {
        int ms = n == 0 && !kafka_stopped(&c->base) ? kafka_slice(&c->base, until) : 0;
        rd_kafka_message_t *m = next_message(c, ms);
        if (!m && ms == 0)
            break;
        if (!m)
            continue;
        message_copy(m, &v[n], a);
        bytes += v[n].value.n;
        n++;
        rd_kafka_message_destroy(m);
    }
    must(!a->exhausted); // the bounds above are made for KAFKA_POLL_ARENA
    if (n == 0 && c->base.down)
        return kafka_trouble(&c->base, err);
    *ret = v;
    *ret_n = n;
    return true;
}

static rd_kafka_topic_partition_list_t *place(const struct kafka_message *m, int64_t offset)
{
    char topic[KAFKA_TOPIC_MAX + 1];
    must(m->topic.n <= KAFKA_TOPIC_MAX);
    memcpy(topic, m->topic.p, m->topic.n);
    topic[m->topic.n] = '\0';
    rd_kafka_topic_partition_list_t *l = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(l, topic, m->partition)->offset = offset;
    return l;
}

void kafka_done(struct kafka_consumer *c, const struct kafka_message *m)
{
    rd_kafka_topic_partition_list_t *l = place(m, m->offset + 1);
    rd_kafka_resp_err_t code = rd_kafka_offsets_store(c->base.rk, l);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) // the partition went to another member, which reads it again
        LOG_DEBUG("kafka offset not stored", LOG_CSTR("reason", rd_kafka_err2str(code)));
    rd_kafka_topic_partition_list_destroy(l);
}

bool kafka_rewind(struct kafka_consumer *c, const struct kafka_message *m, struct err *err)
{
    rd_kafka_topic_partition_list_t *l = place(m, m->offset);
    bool ok = kafka_ok(rd_kafka_seek_partitions(c->base.rk, l, SEEK_MS), "seek", err);
    if (ok && l->elems[0].err != RD_KAFKA_RESP_ERR_NO_ERROR)
        ok = kafka_fail(err, l->elems[0].err, "seek");
    rd_kafka_topic_partition_list_destroy(l);
    return ok;
}
