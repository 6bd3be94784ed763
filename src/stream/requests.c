// SPDX-License-Identifier: Apache-2.0
// The thread that reads requests. Whatever goes wrong in the middle of a batch, the rest of it comes again:
// nothing is passed over, and nothing of a partition overtakes.
#include "stream/requests.h"

#include "app/feature.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/sync.h"
#include "stream/request.h"

enum {
    POLL_MS = 1000,
    BACKOFF_FIRST_MS = 200,
    BACKOFF_MAX_MS = 5000,
    DEAD_LETTER_S = 10,
    DEAD_HEADERS = 4,            // that we add
    DEAD_VALUE_MAX = 900 * 1024, // brokers take a message of 1 MB unless they are told otherwise
    TROUBLE_LOG_S = 60,          // how often one trouble is told
};

static struct metric done = METRIC_COUNTER_INIT("chronos_requests_total", "result=\"done\"",
                                                "Requests read from the topic of requests");
static struct metric repeated = METRIC_COUNTER_INIT("chronos_requests_total", "result=\"repeated\"",
                                                    "Requests read from the topic of requests");
static struct metric refused = METRIC_COUNTER_INIT("chronos_requests_total", "result=\"refused\"",
                                                   "Requests read from the topic of requests");

struct requests {
    struct requests_config c;
    struct kafka_options kafka;
    struct kafka_consumer *consumer; // NULL: to be made anew
    struct kafka_producer *producer;
    struct arena batch, one;
    struct mono told; // when trouble was last logged
    bool trouble;
    struct waker waker;
    _Atomic bool stop;
    pthread_t thread;
    bool started;
};

struct requests *requests_new(const struct requests_config *c, struct err *err)
{
    struct requests *r = mem_new(struct requests);
    r->c = *c;
    r->kafka = *c->kafka;
    r->kafka.stop = &r->stop;
    arena_init(&r->batch, KAFKA_POLL_ARENA);
    arena_init(&r->one, REQUEST_ARENA);
    waker_init(&r->waker, LOCK_STREAM);
    metric_register(&done);
    metric_register(&repeated);
    metric_register(&refused);
    if ((r->producer = kafka_producer_new(&r->kafka, err)) &&
        (r->consumer = kafka_consumer_new(&r->kafka, c->group, c->topic, err)))
        return r;
    requests_free(r);
    return NULL;
}

// ---- trouble -----------------------------------------------------------------------------------

static void say_trouble(struct requests *r, struct str why)
{
    struct mono now = clock_mono(r->c.app->clock);
    if (r->trouble && mono_since(now, r->told).us < duration_s(TROUBLE_LOG_S).us)
        return;
    LOG_WARN("requests wait", LOG_STR("topic", r->c.topic), LOG_STR("reason", why));
    r->trouble = true;
    r->told = now;
}

static void say_well(struct requests *r)
{
    if (r->trouble)
        LOG_INFO("requests are read again", LOG_STR("topic", r->c.topic));
    r->trouble = false;
}

// ---- dead letters ------------------------------------------------------------------------------

static bool dead_letter(struct requests *r, const struct kafka_message *m, struct str reason, struct err *err)
{
    size_t n = m->headers.n;
    struct str_pair *headers = arena_new_array(&r->one, struct str_pair, n + DEAD_HEADERS);
    if (!headers)
        return ERR(err, ERR_UNAVAILABLE, "no memory for a dead letter");
    for (size_t i = 0; i < n; i++)
        headers[i] = m->headers.v[i];
    headers[n++] = (struct str_pair){STR("chronos-reason"), reason};
    headers[n++] = (struct str_pair){STR("chronos-topic"), m->topic};
    headers[n++] = (struct str_pair){STR("chronos-partition"), arena_fmt(&r->one, "%d", (int)m->partition)};
    headers[n++] = (struct str_pair){STR("chronos-offset"), arena_fmt(&r->one, "%lld", (long long)m->offset)};
    struct kafka_message dead = {.topic = r->c.dead_letter_topic,
                                 .key = m->key,
                                 .value = m->value.n <= DEAD_VALUE_MAX ? m->value : STR_NONE,
                                 .headers = {headers, n}};
    if (!kafka_produce(r->producer, &dead, 1, duration_s(DEAD_LETTER_S), err))
        return err_wrap(err, "dead letter to \"%.*s\"", STR_ARG(r->c.dead_letter_topic));
    LOG_WARN("request refused", LOG_STR("topic", m->topic), LOG_INT("partition", m->partition),
             LOG_INT("offset", m->offset), LOG_STR("reason", reason));
    return true;
}

// ---- one batch ---------------------------------------------------------------------------------

// False: not now; *ret_why says why.
static bool handle(struct requests *r, const struct caller *c, const struct kafka_message *m,
                   struct str *ret_why)
{
    struct str reason = STR_NONE;
    struct err err = {0};
    arena_reset(&r->one);
    switch (request_act(r->c.app, c, m, &reason, &r->one)) {
    case REQUEST_DONE:
        metric_add(&done, 1);
        return true;
    case REQUEST_REPEATED:
        metric_add(&repeated, 1);
        return true;
    case REQUEST_REFUSED:
        if (dead_letter(r, m, reason, &err)) {
            metric_add(&refused, 1);
            return true;
        }
        *ret_why = arena_str(&r->batch, str_of(err.text));
        return false;
    case REQUEST_LATER:
        break;
    }
    *ret_why = arena_str(&r->batch, reason);
    return false;
}

static bool seen_before(const struct kafka_message *v, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (v[k].partition == v[i].partition)
            return true;
    return false;
}

// All of them come again. When the brokers cannot be told so, a new consumer starts behind what is done.
static void give_back(struct requests *r, const struct kafka_message *v, size_t n)
{
    struct err err = {0};
    for (size_t i = 0; i < n; i++) {
        if (seen_before(v, i) || kafka_rewind(r->consumer, &v[i], &err))
            continue;
        LOG_DEBUG("consumer is made anew", LOG_ERROR_FIELD(&err));
        kafka_consumer_free(TAKE(r->consumer));
        return;
    }
}

// Returns how many were handled.
static size_t handle_all(struct requests *r, const struct kafka_message *v, size_t n, struct str *ret_why)
{
    struct caller c;
    struct err err = {0};
    size_t i = 0;
    if (!request_caller(r->c.app, r->c.user, &c, &r->batch, &err)) {
        *ret_why = arena_str(&r->batch, str_of(err.text));
        return 0;
    }
    while (i < n && !atomic_load(&r->stop) && handle(r, &c, &v[i], ret_why))
        kafka_done(r->consumer, &v[i++]);
    return i;
}

// False: wait before the next one.
static bool requests_pass(struct requests *r)
{
    struct kafka_message *v;
    size_t n = 0;
    struct err err = {0};
    arena_reset(&r->batch);
    if (!app_feature_want(r->c.app, FEATURE_KAFKA_REQUESTS, &err)) {
        say_trouble(r, str_of(err.text));
        return false;
    }
    if ((!r->consumer && !(r->consumer = kafka_consumer_new(&r->kafka, r->c.group, r->c.topic, &err))) ||
        !kafka_poll(r->consumer, duration_ms(POLL_MS), KAFKA_POLL_MAX, &v, &n, &r->batch, &err)) {
        say_trouble(r, str_of(err.text));
        return false;
    }
    if (n == 0)
        return true;
    struct str why = STR_NONE;
    size_t handled = handle_all(r, v, n, &why);
    if (handled == n || atomic_load(&r->stop)) {
        say_well(r);
        return true;
    }
    say_trouble(r, why);
    give_back(r, v + handled, n - handled);
    return false;
}

static void *requests_body(void *arg)
{
    struct requests *r = arg;
    int64_t backoff_ms = BACKOFF_FIRST_MS;
    while (!atomic_load(&r->stop)) {
        if (requests_pass(r)) {
            backoff_ms = BACKOFF_FIRST_MS;
            continue;
        }
        (void)waker_wait(&r->waker, duration_ms(backoff_ms));
        backoff_ms = 2 * backoff_ms < BACKOFF_MAX_MS ? 2 * backoff_ms : BACKOFF_MAX_MS;
    }
    return NULL;
}

void requests_start(struct requests *r)
{
    r->thread = thread_start("requests", requests_body, r);
    r->started = true;
}

void requests_free(struct requests *r)
{
    if (!r)
        return;
    atomic_store(&r->stop, true);
    if (r->started) {
        waker_wake(&r->waker);
        pthread_join(r->thread, NULL);
    }
    kafka_consumer_free(r->consumer);
    kafka_producer_free(r->producer);
    waker_release(&r->waker);
    arena_release(&r->one);
    arena_release(&r->batch);
    mem_free(r);
}
