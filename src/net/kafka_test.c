// SPDX-License-Identifier: Apache-2.0
// Producer and consumer against the mock brokers of librdkafka: order, reports of each message, brokers that are away,
// messages that come again. tests/stream has a real broker, which also tells where a group continues.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "net/kafka.h"

enum { KEYS = 7, MANY = 500, PATIENCE_S = 60, ONE_BROKER = 1, PARTITIONS = 3, SHORT_MS = 300 };

static rd_kafka_t *handle;
static rd_kafka_mock_cluster_t *brokers;
static _Atomic bool stop;

static struct kafka_options options(void)
{
    return (struct kafka_options){.clock = clock_real(),
                                  .brokers = str_of(rd_kafka_mock_cluster_bootstraps(brokers)),
                                  .client_id = STR("test"),
                                  .stop = &stop};
}

static int open_brokers(void **state)
{
    char text[256];
    (void)state;
    stop = false;
    handle = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), text, sizeof text);
    brokers = rd_kafka_mock_cluster_new(handle, ONE_BROKER);
    rd_kafka_mock_topic_create(brokers, "t", PARTITIONS, ONE_BROKER);
    return 0;
}

static int close_brokers(void **state)
{
    (void)state;
    rd_kafka_mock_cluster_destroy(brokers);
    rd_kafka_destroy(handle);
    return 0;
}

static struct kafka_producer *producer(void)
{
    struct err err = {0};
    struct kafka_options o = options();
    struct kafka_producer *p = kafka_producer_new(&o, &err);
    assert_non_null(p);
    return p;
}

static struct kafka_consumer *consumer(void)
{
    struct err err = {0};
    struct kafka_options o = options();
    struct kafka_consumer *c = kafka_consumer_new(&o, STR("g"), STR("t"), &err);
    assert_non_null(c);
    return c;
}

// Numbered messages from `first` on; message i has key i mod KEYS.
static struct kafka_message *numbered(size_t first, size_t n, struct arena *a)
{
    struct kafka_message *v = arena_new_array(a, struct kafka_message, n);
    for (size_t i = 0; i < n; i++)
        v[i] = (struct kafka_message){.topic = STR("t"), .key = arena_fmt(a, "k%zu", (first + i) % KEYS),
                                      .value = arena_fmt(a, "%zu", first + i)};
    return v;
}

static void produce_numbered(struct kafka_producer *p, size_t first, size_t n)
{
    struct arena a;
    struct err err = {0};
    arena_init(&a, 16 << 20);
    struct kafka_message *v = numbered(first, n, &a);
    if (!kafka_produce(p, v, n, duration_s(PATIENCE_S), &err))
        fail_msg("%s", err.text);
    for (size_t i = 0; i < n; i++)
        assert_true(v[i].ret_delivered);
    arena_release(&a);
}

// Reads n messages, calls `each` with every one of them and marks it done when told so.
static void read_messages(struct kafka_consumer *c, size_t n, bool (*each)(struct kafka_message *m, void *arg),
                          void *arg)
{
    struct arena a;
    struct mono until = mono_add(clock_mono(clock_real()), duration_s(PATIENCE_S));
    arena_init(&a, KAFKA_POLL_ARENA);
    for (size_t got = 0; got < n;) {
        struct kafka_message *v;
        size_t some;
        struct err err = {0};
        assert_true(clock_mono(clock_real()).us < until.us);
        arena_reset(&a);
        if (!kafka_poll(c, duration_s(1), KAFKA_POLL_MAX, &v, &some, &a, &err))
            continue;
        for (size_t i = 0; i < some; i++)
            if (each(&v[i], arg))
                kafka_done(c, &v[i]);
        got += some;
    }
    arena_release(&a);
}

struct seen {
    int64_t last[KEYS];
    size_t n;
    bool in_order;
};

static bool check_order(struct kafka_message *m, void *arg)
{
    struct seen *s = arg;
    int64_t number, key = 0;
    assert_true(str_to_i64(m->value, &number) && str_to_i64((struct str){m->key.p + 1, m->key.n - 1}, &key));
    s->in_order = s->in_order && number > s->last[key];
    s->last[key] = number;
    s->n++;
    return true;
}

static struct seen nothing_seen(void)
{
    struct seen s = {.in_order = true};
    for (size_t i = 0; i < KEYS; i++)
        s.last[i] = -1;
    return s;
}

static void messages_of_a_key_arrive_in_order(void **state)
{
    (void)state;
    struct kafka_producer *p = producer();
    struct kafka_consumer *c = consumer();
    struct seen s = nothing_seen();
    produce_numbered(p, 0, MANY);
    produce_numbered(p, MANY, MANY);
    read_messages(c, MANY + MANY, check_order, &s);
    assert_true(s.in_order);
    kafka_consumer_free(c);
    kafka_producer_free(p);
}

static bool check_headers(struct kafka_message *m, void *arg)
{
    bool *seen = arg;
    *seen = m->headers.n == 2 && str_is(m->headers.v[0].key, "content-type") &&
            str_is(m->headers.v[0].value, "text/plain") && str_is(m->headers.v[1].value, "") && !m->value.p &&
            str_is(m->topic, "t") && !instant_is_never(m->at);
    return true;
}

static void headers_and_absent_values_survive(void **state)
{
    (void)state;
    struct kafka_producer *p = producer();
    struct kafka_consumer *c = consumer();
    struct err err = {0};
    struct str_pair headers[] = {{STR_INIT("content-type"), STR_INIT("text/plain")}, {STR_INIT("empty"), STR_INIT("")}};
    struct kafka_message m = {.topic = STR("t"), .key = STR("k"), .headers = {headers, 2}};
    bool seen = false;
    assert_true(kafka_produce(p, &m, 1, duration_s(PATIENCE_S), &err));
    read_messages(c, 1, check_headers, &seen);
    assert_true(seen);
    kafka_consumer_free(c);
    kafka_producer_free(p);
}

static void without_brokers_nothing_is_delivered_and_later_all_is(void **state)
{
    (void)state;
    struct kafka_producer *p = producer();
    struct arena a;
    struct err err = {0};
    arena_init(&a, 1 << 20);
    struct kafka_message *v = numbered(0, KEYS, &a);
    rd_kafka_mock_broker_set_down(brokers, ONE_BROKER);
    assert_false(kafka_produce(p, v, KEYS, duration_ms(SHORT_MS), &err));
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    for (size_t i = 0; i < KEYS; i++)
        assert_false(v[i].ret_delivered);
    rd_kafka_mock_broker_set_up(brokers, ONE_BROKER);
    produce_numbered(p, 0, KEYS);
    kafka_producer_free(p);
    arena_release(&a);
}

static void a_message_that_is_too_large_is_named_so(void **state)
{
    (void)state;
    enum { TOO_LARGE = 2 << 20 };
    struct kafka_producer *p = producer();
    struct arena a;
    struct err err = {0};
    arena_init(&a, 2 * TOO_LARGE);
    struct kafka_message *v = numbered(0, 3, &a);
    v[1].value = (struct str){arena_alloc(&a, TOO_LARGE), TOO_LARGE};
    assert_false(kafka_produce(p, v, 3, duration_s(PATIENCE_S), &err));
    assert_int_equal(err.code, ERR_TOO_LARGE);
    assert_false(v[1].ret_delivered);
    assert_false(v[2].ret_delivered);
    kafka_producer_free(p);
    arena_release(&a);
}

struct again {
    struct kafka_consumer *c;
    size_t n;
    bool rewound;
};

static bool rewind_once(struct kafka_message *m, void *arg)
{
    struct again *w = arg;
    struct err err = {0};
    w->n++;
    if (!w->rewound && m->offset == 2) {
        w->rewound = true;
        if (!kafka_rewind(w->c, m, &err))
            fail_msg("%s", err.text);
        return false;
    }
    return m->offset < 2;
}

static void what_is_rewound_comes_again(void **state)
{
    (void)state;
    enum { MESSAGES = 3 };
    struct kafka_producer *p = producer();
    struct arena a;
    struct err err = {0};
    arena_init(&a, 1 << 20);
    struct kafka_message *v = numbered(0, MESSAGES, &a);
    for (size_t i = 0; i < MESSAGES; i++)
        v[i].key = STR("one");
    assert_true(kafka_produce(p, v, MESSAGES, duration_s(PATIENCE_S), &err));
    struct again w = {.c = consumer()};
    read_messages(w.c, MESSAGES + 1, rewind_once, &w);
    assert_true(w.rewound);
    assert_int_equal(w.n, MESSAGES + 1);
    kafka_consumer_free(w.c);
    kafka_producer_free(p);
    arena_release(&a);
}

static void a_stop_ends_every_wait(void **state)
{
    (void)state;
    struct kafka_producer *p = producer();
    struct kafka_consumer *c = consumer();
    struct arena a;
    struct err err = {0};
    struct kafka_message *v;
    size_t n;
    arena_init(&a, KAFKA_POLL_ARENA);
    rd_kafka_mock_broker_set_down(brokers, ONE_BROKER);
    stop = true;
    struct mono begin = clock_mono(clock_real());
    assert_false(kafka_produce(p, numbered(0, 1, &a), 1, duration_s(PATIENCE_S), &err));
    if (kafka_poll(c, duration_s(PATIENCE_S), 1, &v, &n, &a, &err))
        assert_int_equal(n, 0);
    kafka_consumer_free(c);
    kafka_producer_free(p);
    assert_true(mono_since(clock_mono(clock_real()), begin).us < duration_s(PATIENCE_S).us / 2);
    arena_release(&a);
}

static void wrong_options_are_refused_at_once(void **state)
{
    (void)state;
    struct err err = {0};
    struct kafka_options o = options();
    assert_null(kafka_consumer_new(&o, STR("g"), STR("a topic"), &err));
    assert_int_equal(err.code, ERR_CONFIG);
    assert_null(kafka_consumer_new(&o, STR(""), STR("t"), &err));
    o.security = KAFKA_SASL_PLAINTEXT;
    o.mechanism = STR("NONSENSE");
    o.password = STR("a secret");
    assert_null(kafka_producer_new(&o, &err));
    assert_int_equal(err.code, ERR_CONFIG);
    assert_null(strstr(err.text, "a secret"));
    o = options();
    o.brokers = STR("");
    assert_null(kafka_producer_new(&o, &err));
    assert_false(kafka_topic_check(STR(".."), &err));
    assert_false(kafka_topic_check(STR(""), &err));
    assert_true(kafka_topic_check(STR("chronos.events"), &err));
}

#define WITH_BROKERS(test) cmocka_unit_test_setup_teardown(test, open_brokers, close_brokers)

#ifdef __SANITIZE_THREAD__
enum { THREAD_SANITIZER = 1 };
#else
enum { THREAD_SANITIZER = 0 };
#endif

int main(void)
{
    if (THREAD_SANITIZER) { // librdkafka starts threads by thrd_create, of which it does not know: they crash
        puts("1..0 # SKIP threads of librdkafka cannot run under the thread sanitizer");
        return 0;
    }
    const struct CMUnitTest tests[] = {
        WITH_BROKERS(messages_of_a_key_arrive_in_order),
        WITH_BROKERS(headers_and_absent_values_survive),
        WITH_BROKERS(without_brokers_nothing_is_delivered_and_later_all_is),
        WITH_BROKERS(a_message_that_is_too_large_is_named_so),
        WITH_BROKERS(what_is_rewound_comes_again),
        WITH_BROKERS(a_stop_ends_every_wait),
        WITH_BROKERS(wrong_options_are_refused_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
