// SPDX-License-Identifier: Apache-2.0
// The relay: duty, batch, delivery, removal. The thread sleeps only when there is nothing to do or nothing
// can be done.
#include "stream/relay.h"

#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/sync.h"
#include "stream/cloud_event.h"

enum { BATCH_ARENA = 64 << 20, DUTY_RENEW_S = RELAY_DUTY_LEASE_S / 3 };

static const struct str duty_name = STR_INIT("events");

static struct metric pending =
    METRIC_GAUGE_INIT("chronos_outbox_events", "", "Events found waiting in the outbox, at most a batch");
static struct metric published =
    METRIC_COUNTER_INIT("chronos_outbox_published_total", "", "Events delivered and removed from the outbox");
static struct metric failures = METRIC_COUNTER_INIT("chronos_outbox_failures_total", "",
                                                    "Batches of events that could not be delivered whole");

struct relay {
    struct relay_config c;
    struct arena a;         // of one batch
    struct map blocked;     // jobs with an undelivered event in this batch
    struct mono duty_until; // held, and not to be asked for before
    bool duty;
    bool failing; // said so in the log
    struct mutex lock;
    char why[RELAY_WHY_MAX]; // under lock: of the last failure; "": none since something was passed on
    struct waker waker, ended;
    _Atomic bool stop;
    pthread_t thread;
    bool started;
};

struct relay *relay_new(const struct relay_config *c)
{
    struct relay *r = mem_new(struct relay);
    r->c = *c;
    arena_init(&r->a, BATCH_ARENA);
    map_init(&r->blocked);
    mutex_init(&r->lock, LOCK_STREAM);
    waker_init(&r->waker, LOCK_STREAM);
    waker_init(&r->ended, LOCK_STREAM);
    metric_register(&pending);
    metric_register(&published);
    metric_register(&failures);
    return r;
}

// ---- duty --------------------------------------------------------------------------------------

static int64_t token_of(const struct relay *r) { return r->c.node_token(r->c.token_ctx); }

static bool duty_shared(const struct relay *r)
{
    return !r->c.store->exclusive && r->c.store->ops->duty_hold && r->c.node_token;
}

static bool duty_take(struct relay *r, bool *ret_held, struct err *err)
{
    int64_t term;
    struct mono now = clock_mono(r->c.clock);
    if (!duty_shared(r) || (r->duty && now.us < r->duty_until.us)) {
        *ret_held = true;
        return true;
    }
    if (!r->c.store->ops->duty_hold(r->c.store, duty_name, token_of(r), duration_s(RELAY_DUTY_LEASE_S),
                                    ret_held, &term, err)) {
        r->duty = false;
        return false;
    }
    if (*ret_held != r->duty)
        LOG_INFO("duty to publish events", LOG_FLAG("held", *ret_held));
    r->duty = *ret_held;
    r->duty_until = mono_add(now, duration_s(DUTY_RENEW_S));
    return true;
}

static void duty_leave(struct relay *r)
{
    struct err err = {0};
    if (r->duty && duty_shared(r) && !r->c.store->ops->duty_release(r->c.store, duty_name, token_of(r), &err))
        LOG_DEBUG("duty not released, its lease will end", LOG_ERROR_FIELD(&err));
    r->duty = false;
}

// ---- one batch ---------------------------------------------------------------------------------

// NULL: no memory.
static struct kafka_message *batch_encode(struct relay *r, const struct outbox_event *v, size_t n)
{
    static struct str_pair type[] = {{STR_INIT("content-type"), STR_INIT(CLOUD_EVENT_CONTENT_TYPE)}};
    struct kafka_message *m = arena_new_array(&r->a, struct kafka_message, n);
    for (size_t i = 0; m && i < n; i++) {
        char job[ULID_TEXT_MAX];
        struct sbuf text;
        sbuf_init(&text, &r->a, CLOUD_EVENT_MAX);
        cloud_event_write(&v[i], r->c.source, &text);
        if (!sbuf_ok(&text))
            return NULL;
        m[i] = (struct kafka_message){.topic = r->c.topic,
                                      .key = arena_str(&r->a, str_of(ulid_format(v[i].job_id, job))),
                                      .value = sbuf_str(&text),
                                      .headers = {type, 1}};
    }
    return r->a.exhausted ? NULL : m;
}

// Those delivered that no undelivered one of their job stands before.
static size_t batch_removable(struct relay *r, const struct outbox_event *v, const struct kafka_message *m,
                              size_t n, int64_t *seqs)
{
    size_t out = 0;
    bool whole = true;
    for (size_t i = 0; i < n; i++) {
        if (!m[i].ret_delivered) {
            (void)map_put(&r->blocked, v[i].job_id, r);
            whole = false;
        } else if (whole || !map_get(&r->blocked, v[i].job_id)) {
            seqs[out++] = v[i].seq;
        }
    }
    if (!whole) {
        map_release(&r->blocked);
        map_init(&r->blocked);
    }
    return out;
}

static void failure_note(struct relay *r, const char *why)
{
    WITH_LOCK(&r->lock);
    (void)snprintf(r->why, sizeof r->why, "%.*s", (int)sizeof r->why - 1, why);
}

static void say(struct relay *r, bool ok, const struct err *err)
{
    if (!ok)
        metric_add(&failures, 1);
    if (!ok && !r->failing)
        LOG_WARN("events cannot be published, they wait in the outbox", LOG_ERROR_FIELD(err));
    if (ok && r->failing)
        LOG_INFO("events are published again");
    r->failing = !ok;
    failure_note(r, ok ? "" : err->text);
}

bool relay_works(struct relay *r, char why[static RELAY_WHY_MAX])
{
    WITH_LOCK(&r->lock);
    memcpy(why, r->why, sizeof r->why);
    return r->why[0] == '\0';
}

static bool batch_pass_on(struct relay *r, const struct outbox_event *v, size_t n, struct err *err)
{
    struct kafka_message *m = batch_encode(r, v, n);
    int64_t *seqs = arena_new_array(&r->a, int64_t, n);
    if (!m || !seqs)
        return ERR(err, ERR_UNAVAILABLE, "no memory for a batch of events");
    bool all = r->c.send(r->c.send_ctx, m, n, err);
    size_t done = batch_removable(r, v, m, n, seqs);
    struct err why = {0};
    if (done > 0 && !r->c.store->ops->events_remove(r->c.store, seqs, done, &why)) {
        *err = why; // they are sent once more
        return false;
    }
    metric_add(&published, (int64_t)done);
    return all;
}

enum relay_result relay_pass(struct relay *r)
{
    struct outbox_event *v;
    size_t n = 0;
    bool held = false;
    struct err err = {0};
    arena_reset(&r->a);
    bool ok = duty_take(r, &held, &err);
    if (ok && !held) {
        metric_set(&pending, 0);
        failure_note(r, "");
        return RELAY_IDLE;
    }
    ok = ok && r->c.store->ops->events_read(r->c.store, RELAY_BATCH_MAX, &v, &n, &r->a, &err);
    if (ok)
        metric_set(&pending, (int64_t)n);
    ok = ok && (n == 0 || batch_pass_on(r, v, n, &err));
    if (!ok || n > 0)
        say(r, ok, &err);
    return !ok ? RELAY_FAILED : n > 0 ? RELAY_MORE : RELAY_IDLE;
}

// ---- the thread --------------------------------------------------------------------------------

static void *relay_body(void *arg)
{
    struct relay *r = arg;
    int64_t backoff_ms = RELAY_IDLE_MS;
    while (!atomic_load(&r->stop)) {
        enum relay_result did = relay_pass(r);
        if (did != RELAY_FAILED)
            backoff_ms = RELAY_IDLE_MS;
        if (did != RELAY_MORE)
            (void)waker_wait(&r->waker, duration_ms(backoff_ms));
        if (did == RELAY_FAILED)
            backoff_ms = 2 * backoff_ms < RELAY_BACKOFF_MAX_MS ? 2 * backoff_ms : RELAY_BACKOFF_MAX_MS;
    }
    // What the engine wrote last is passed on too, when it can be.
    while (!r->failing && relay_pass(r) == RELAY_MORE)
        ;
    duty_leave(r);
    waker_wake(&r->ended);
    return NULL;
}

void relay_start(struct relay *r)
{
    r->thread = thread_start("events", relay_body, r);
    r->started = true;
}

bool relay_stop(struct relay *r, struct duration at_most)
{
    atomic_store(&r->stop, true);
    waker_wake(&r->waker);
    return !r->started || waker_wait(&r->ended, at_most);
}

void relay_free(struct relay *r)
{
    if (!r)
        return;
    (void)relay_stop(r, (struct duration){0});
    if (r->started)
        pthread_join(r->thread, NULL);
    mutex_release(&r->lock);
    waker_release(&r->waker);
    waker_release(&r->ended);
    map_release(&r->blocked);
    arena_release(&r->a);
    mem_free(r);
}
