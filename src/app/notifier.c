// SPDX-License-Identifier: Apache-2.0
// The notifier's threads: one decides and hands out, the others send.
#include "app/notifier.h"

#include "app/feature.h"
#include "app/notice_watch.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/sync.h"

enum { DUE_MAX = 1000, DUE_ARENA = 128 * 1024 * 1024, TRIM_MAX = 500, TRIM_EVERY_S = 600, SLOW_KEPT_MAX = 10000 };

static const struct str duty_name = STR_INIT("notifications");

struct sender {
    struct notifier *n;
    pthread_t thread;
    struct waker waker;
    struct arena a;        // the sender's while busy
    struct delivery d;     // in an arena of its own
    struct arena given;
    bool busy, slow;       // under lock; slow: it counts towards NOTIFIER_SLOW_MAX
};

struct notifier {
    struct notifier_config c;
    struct desk *desk;
    struct mutex desk_lock; // the desk is used by the thread, and loaded by who changed subscriptions
    struct notice_watch watch;
    struct waker waker;
    struct mutex lock;
    struct sender senders[NOTIFIER_THREADS];
    struct map slow;  // under lock: subscriptions whose target was slow
    size_t n_slow_busy; // under lock
    _Atomic bool stop, changed, failing;
    struct mono reload_at, look_at, trim_at, duty_until;
    bool duty, started;
    pthread_t thread;
};

// ---- life --------------------------------------------------------------------------------------

bool notifier_new(const struct notifier_config *c, struct notifier **ret, struct err *err)
{
    struct notifier *n = mem_new(struct notifier);
    n->c = *c;
    n->desk = desk_new(c->app);
    notice_watch_init(&n->watch);
    map_init(&n->slow);
    waker_init(&n->waker, LOCK_NOTIFIER_WAKER);
    mutex_init(&n->lock, LOCK_NOTIFIER);
    mutex_init(&n->desk_lock, LOCK_NOTIFIER_DESK);
    for (size_t i = 0; i < NOTIFIER_THREADS; i++) {
        struct sender *s = &n->senders[i];
        s->n = n;
        waker_init(&s->waker, LOCK_NOTIFIER_WAKER);
        arena_init(&s->a, DELIVERY_ARENA);
        arena_init(&s->given, DELIVERY_ARENA);
    }
    n->reload_at = mono_add(clock_mono(c->app->clock), duration_s(NOTIFIER_RELOAD_S));
    if (!desk_load(n->desk, err)) {
        notifier_free(n);
        return false;
    }
    *ret = n;
    return true;
}

void notifier_stop(struct notifier *n)
{
    if (!n || !n->started)
        return;
    atomic_store(&n->stop, true);
    waker_wake(&n->waker);
    pthread_join(n->thread, NULL);
    for (size_t i = 0; i < NOTIFIER_THREADS; i++) {
        waker_wake(&n->senders[i].waker);
        pthread_join(n->senders[i].thread, NULL);
    }
    n->started = false;
}

void notifier_free(struct notifier *n)
{
    if (!n)
        return;
    notifier_stop(n);
    for (size_t i = 0; i < NOTIFIER_THREADS; i++) {
        waker_release(&n->senders[i].waker);
        arena_release(&n->senders[i].a);
        arena_release(&n->senders[i].given);
    }
    notice_watch_release(&n->watch);
    map_release(&n->slow);
    desk_free(n->desk);
    waker_release(&n->waker);
    mutex_release(&n->lock);
    mutex_release(&n->desk_lock);
    mem_free(n);
}

const struct notify_env *notifier_env(const struct notifier *n) { return &n->c.env; }

size_t notifier_subscriptions(struct notifier *n)
{
    WITH_LOCK(&n->desk_lock);
    return desk_size(n->desk);
}

void notifier_wake(struct notifier *n, bool subscriptions)
{
    if (subscriptions)
        atomic_store(&n->changed, true);
    waker_wake(&n->waker);
}

static void say(struct notifier *n, bool ok, const struct err *err)
{
    if (!ok && !atomic_load(&n->failing))
        LOG_WARN("people cannot be told now, notices wait in the store", LOG_ERROR_FIELD(err));
    if (ok && atomic_load(&n->failing))
        LOG_INFO("people are told again");
    atomic_store(&n->failing, !ok);
}

static bool reload(struct notifier *n, struct err *err)
{
    WITH_LOCK(&n->desk_lock);
    atomic_store(&n->changed, false);
    if (desk_load(n->desk, err))
        return true;
    atomic_store(&n->changed, true);
    return false;
}

void notifier_reload(struct notifier *n)
{
    struct err err = {0};
    if (!reload(n, &err))
        LOG_WARN("subscriptions cannot be read now", LOG_ERROR_FIELD(&err));
    waker_wake(&n->waker);
}

// ---- duty --------------------------------------------------------------------------------------

static bool duty_take(struct notifier *n, bool *ret_held, struct err *err)
{
    int64_t term;
    struct store *s = n->c.app->store;
    struct mono now = clock_mono(n->c.app->clock);
    if (s->exclusive || !n->c.node_token || (n->duty && now.us < n->duty_until.us)) {
        *ret_held = true;
        return true;
    }
    if (!s->ops->duty_hold(s, duty_name, n->c.node_token(n->c.token_ctx), duration_s(NOTIFIER_DUTY_S), ret_held,
                           &term, err)) {
        n->duty = false;
        return false;
    }
    if (*ret_held != n->duty)
        LOG_INFO("duty to tell people", LOG_FLAG("held", *ret_held));
    n->duty = *ret_held;
    n->duty_until = mono_add(now, duration_s(NOTIFIER_DUTY_S / 3));
    return true;
}

static void duty_leave(struct notifier *n)
{
    struct err err = {0};
    struct store *s = n->c.app->store;
    if (n->duty && !s->exclusive && n->c.node_token &&
        !s->ops->duty_release(s, duty_name, n->c.node_token(n->c.token_ctx), &err))
        LOG_DEBUG("duty not released, its lease will end", LOG_ERROR_FIELD(&err));
    n->duty = false;
}

// ---- sending -----------------------------------------------------------------------------------

static void slow_note(struct notifier *n, struct ulid subscription_id, struct duration waited)
{
    if (waited.us < duration_ms(NOTIFIER_SLOW_MS).us) {
        (void)map_remove(&n->slow, subscription_id);
        return;
    }
    if (n->slow.n >= SLOW_KEPT_MAX) {
        map_release(&n->slow);
        map_init(&n->slow);
    }
    (void)map_put(&n->slow, subscription_id, n);
}

static void sender_try(struct notifier *n, const struct delivery *d, struct arena *a)
{
    struct err err = {0};
    struct duration waited = {0};
    uint64_t chance;
    rng_secret(&chance, sizeof chance);
    double jitter = (double)(chance >> 11) / (double)(UINT64_C(1) << 53);
    bool ok = delivery_try(n->c.app, &n->c.env, d, jitter, &waited, a, &err);
    if (!ok)
        say(n, false, &err);
    WITH_LOCK(&n->lock);
    slow_note(n, d->subscription_id, waited);
}

static void *sender_body(void *arg)
{
    struct sender *s = arg;
    struct notifier *n = s->n;
    for (;;) {
        bool busy;
        {
            WITH_LOCK(&n->lock);
            busy = s->busy;
        }
        if (!busy && atomic_load(&n->stop))
            return NULL;
        if (!busy) {
            (void)waker_wait(&s->waker, duration_s(1));
            continue;
        }
        sender_try(n, &s->d, &s->a);
        arena_reset(&s->a);
        arena_reset(&s->given);
        {
            WITH_LOCK(&n->lock);
            n->n_slow_busy -= s->slow;
            s->busy = s->slow = false;
        }
        waker_wake(&n->waker);
    }
}

static bool copy_to(struct sender *s, const struct delivery *d)
{
    arena_reset(&s->given);
    s->d = *d;
    s->d.channel = arena_str(&s->given, d->channel);
    s->d.body = arena_str(&s->given, d->body);
    s->d.sentence = STR_NONE;
    return s->d.channel.p && s->d.body.p;
}

// Under lock: a sender for the message; NULL: none is free for it, or its subscription has one under way.
static struct sender *sender_for(struct notifier *n, const struct delivery *d)
{
    struct sender *free = NULL;
    bool slow = map_get(&n->slow, d->subscription_id) != NULL;
    for (size_t i = 0; i < NOTIFIER_THREADS; i++) {
        struct sender *s = &n->senders[i];
        if (s->busy && ulid_eq(s->d.subscription_id, d->subscription_id))
            return NULL;
        if (!s->busy)
            free = s;
    }
    if (!free || (slow && n->n_slow_busy >= NOTIFIER_SLOW_MAX) || !copy_to(free, d))
        return NULL;
    free->busy = true;
    free->slow = slow;
    n->n_slow_busy += slow;
    return free;
}

static bool due(struct notifier *n, struct delivery **ret, size_t *ret_n, struct arena *a, struct err *err)
{
    struct app *app = n->c.app;
    if (!app_feature_on(app, FEATURE_NOTIFICATIONS)) { // they stay due
        *ret_n = 0;
        return true;
    }
    return app->store->ops->deliveries_due(app->store, clock_now(app->clock), DUE_MAX, ret, ret_n, a, err);
}

static bool hand_out(struct notifier *n, struct err *err)
{
    struct arena a CLEANUP(arena_release);
    struct delivery *v;
    size_t count;
    arena_init(&a, DUE_ARENA);
    if (!due(n, &v, &count, &a, err))
        return false;
    for (size_t i = 0; i < count; i++) {
        struct sender *s;
        {
            WITH_LOCK(&n->lock);
            s = sender_for(n, &v[i]);
        }
        if (s)
            waker_wake(&s->waker);
    }
    return true;
}

size_t notifier_send(struct notifier *n)
{
    struct arena a CLEANUP(arena_release);
    struct arena one CLEANUP(arena_release);
    struct delivery *v;
    size_t count;
    struct err err = {0};
    arena_init(&a, DUE_ARENA);
    arena_init(&one, DELIVERY_ARENA);
    if (!due(n, &v, &count, &a, &err)) {
        say(n, false, &err);
        return 0;
    }
    for (size_t i = 0; i < count; i++) {
        sender_try(n, &v[i], &one);
        arena_reset(&one);
    }
    return count;
}

// ---- the thread --------------------------------------------------------------------------------

static bool passed(struct notifier *n, struct mono *at, int64_t period_s)
{
    struct mono now = clock_mono(n->c.app->clock);
    if (now.us < at->us)
        return false;
    *at = mono_add(now, duration_s(period_s));
    return true;
}

static bool trim(struct notifier *n, struct err *err)
{
    struct app *app = n->c.app;
    size_t removed;
    struct instant before = instant_add(clock_now(app->clock), duration_s(-DELIVERY_KEEP_DAYS * S_PER_DAY));
    return !passed(n, &n->trim_at, TRIM_EVERY_S) ||
           app->store->ops->deliveries_trim(app->store, before, TRIM_MAX, &removed, err);
}

bool notifier_decide(struct notifier *n, bool *ret_more, struct err *err)
{
    bool held = false;
    *ret_more = false;
    if ((atomic_load(&n->changed) || passed(n, &n->reload_at, NOTIFIER_RELOAD_S)) && !reload(n, err))
        return false;
    if (!duty_take(n, &held, err))
        return false;
    if (!held)
        return true;
    WITH_LOCK(&n->desk_lock);
    if (passed(n, &n->look_at, NOTIFIER_LOOK_S) && !notice_watch_look(&n->watch, n->c.app, n->desk, err))
        return false;
    return desk_round(n->desk, ret_more, err);
}

static bool holds(const struct notifier *n) { return n->c.app->store->exclusive || !n->c.node_token || n->duty; }

static void *notifier_body(void *arg)
{
    struct notifier *n = arg;
    while (!atomic_load(&n->stop)) {
        struct err err = {0};
        bool more = false;
        bool ok = notifier_decide(n, &more, &err) && (!holds(n) || (hand_out(n, &err) && trim(n, &err)));
        say(n, ok, &err);
        if (!ok || !more)
            (void)waker_wait(&n->waker, duration_ms(NOTIFIER_POLL_MS));
    }
    duty_leave(n);
    return NULL;
}

void notifier_start(struct notifier *n)
{
    for (size_t i = 0; i < NOTIFIER_THREADS; i++)
        n->senders[i].thread = thread_start("notify", sender_body, &n->senders[i]);
    n->thread = thread_start("notifier", notifier_body, n);
    n->started = true;
}
