// SPDX-License-Identifier: Apache-2.0
// Agreement on the shared cache. Rules: cache_guard.h.
//
// Locks: asking (LOCK_CACHE_ASK) lets one thread at a time read or write the setting; known
// (LOCK_CACHE_KNOWN) guards what is known of it and is never held while the store is asked.
#include "cache_guard.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/sync.h"

enum {
    IDLE_POLL_MS = 2500, // of a node without Redis, while nobody uses one; < HOLD − SETTLE
    STATE_TEXT_MAX = 64,
    ARENA_BUDGET = 4096,
};

static const struct str state_setting = STR_INIT("cache.state");

struct cache_guard {
    struct cache_guard_options o;
    struct rng rng; // under asking
    struct mutex asking;
    pthread_t thread;

    struct mutex known;
    // under known:
    struct cond stop_or_time;
    bool stopping, seen;    // seen: read or written at least once
    struct cache_era era;   // usable is not kept here
    struct mono read_at;    // when the last reading began
    struct mono seen_at;    // when this state was first seen
    struct mono not_before; // it was written after this moment
    struct mono quiet_from; // nobody uses an earlier era from then on
    struct mono named_at;   // when we named our instance
    uint64_t named;         // 0: never yet
};

static struct mono now_of(const struct cache_guard *g) { return clock_mono(g->o.clock); }
static bool within(struct mono now, struct mono from, int64_t ms)
{
    return mono_since(now, from).us <= ms * US_PER_MS;
}
static int64_t hold_ms(const struct cache_guard *g) { return g->o.hold.us / US_PER_MS; }
static bool shared(const struct cache_guard *g) { return !g->o.store->exclusive; }

// "<era> <instance>", 16 hexadecimal digits each; anything else is an era of nobody.
static struct cache_era state_read(struct str text)
{
    struct cache_era e = {.name = ""};
    struct str instance, name = str_split(text, ' ', &instance);
    char digits[CACHE_ERA_MAX] = "";
    if (name.n != CACHE_ERA_MAX - 1 || instance.n != CACHE_ERA_MAX - 1)
        return e;
    memcpy(e.name, name.p, name.n);
    memcpy(digits, instance.p, instance.n);
    e.instance = strtoull(digits, NULL, 16);
    return e;
}

// ---- what is known, under known ----

// Nobody uses this era yet, nor a later one that we do not know of.
static bool held(const struct cache_guard *g, struct mono now)
{
    int64_t lasts = hold_ms(g) - CACHE_SETTLE_MS;
    return g->seen && within(now, g->read_at, lasts) &&
           (g->era.instance == 0 || within(now, g->not_before, lasts));
}

// Nobody uses any era now.
static bool quiet(const struct cache_guard *g, struct mono now)
{
    return held(g, now) && now.us >= g->quiet_from.us;
}

// began: when the reading or writing of this state began.
static void take_in(struct cache_guard *g, const struct cache_era *e, struct mono began, bool ours)
{
    struct mono now = now_of(g);
    bool same = g->seen && strcmp(g->era.name, e->name) == 0 && g->era.instance == e->instance;
    if (!same) {
        bool was_held = held(g, now), never = !g->seen && !e->name[0];
        if (!was_held) // else nobody has come to use the era that ends now
            g->quiet_from = never ? now : mono_add(now, duration_ms(CACHE_SETTLE_MS));
        // A state found at the start may be as old as it likes.
        g->not_before = ours ? began : g->seen ? g->read_at : mono_add(began, duration_ms(-hold_ms(g)));
        g->era = *e;
        g->seen_at = now;
        g->seen = true;
    }
    g->read_at = began;
}

// ---- asking the store, under asking ----

static bool state_get(struct cache_guard *g, struct err *err)
{
    struct arena a CLEANUP(arena_release);
    struct str text = STR_NONE;
    struct err why = {0};
    struct mono began = now_of(g);
    arena_init(&a, ARENA_BUDGET);
    if (!g->o.store->ops->setting_get(g->o.store, state_setting, &text, &a, &why) &&
        why.code != ERR_NOT_FOUND) {
        *err = why;
        return false;
    }
    struct cache_era e = state_read(text);
    WITH_LOCK(&g->known);
    take_in(g, &e, began, false);
    return true;
}

static bool state_put(struct cache_guard *g, uint64_t instance, struct err *err)
{
    char text[STATE_TEXT_MAX];
    struct cache_era e = {.instance = instance};
    struct mono began = now_of(g);
    (void)snprintf(e.name, sizeof e.name, "%016llx", (unsigned long long)rng_u64(&g->rng));
    (void)snprintf(text, sizeof text, "%s %016llx", e.name, (unsigned long long)instance);
    if (shared(g) && !g->o.store->ops->setting_put(g->o.store, state_setting, str_of(text), err))
        return false;
    WITH_LOCK(&g->known);
    take_in(g, &e, began, true);
    g->named_at = began;
    g->named = instance;
    return true;
}

// ---- use ----

void cache_guard_era(struct cache_guard *g, struct cache_era *ret)
{
    WITH_LOCK(&g->known);
    struct mono now = now_of(g);
    *ret = g->era;
    ret->usable =
        g->seen && g->era.instance != 0 &&
        (!shared(g) || (within(now, g->read_at, CACHE_TRUST_MS) && !within(now, g->seen_at, hold_ms(g))));
}

// ---- writes ----

// Sleeps until the moment; at the end of the server it returns false at once.
static bool wait_until(struct cache_guard *g, struct mono until)
{
    WITH_LOCK(&g->known);
    for (struct mono now = now_of(g); now.us < until.us && !g->stopping; now = now_of(g))
        (void)cond_wait_for(&g->stop_or_time, &g->known, mono_since(until, now));
    return !g->stopping;
}

enum verdict { SERVED_BY_NOBODY, SERVED_BY_NOBODY_AT, READ_AGAIN, END_THE_ERA };

static enum verdict judge(struct cache_guard *g, const char *era, uint64_t instance, struct mono *ret_at)
{
    WITH_LOCK(&g->known);
    struct mono now = now_of(g);
    if (quiet(g, now))
        return SERVED_BY_NOBODY;
    if (!g->seen || !within(now, g->read_at, CACHE_TRUST_MS))
        return READ_AGAIN;
    bool removed = instance != 0 && instance == g->era.instance && strcmp(era, g->era.name) == 0;
    if (!removed && !held(g, now))
        return END_THE_ERA;
    *ret_at = g->quiet_from;
    return now.us < ret_at->us ? SERVED_BY_NOBODY_AT : SERVED_BY_NOBODY;
}

static bool settle_alone(struct cache_guard *g, const char *era, uint64_t instance, struct err *err)
{
    WITH_LOCK(&g->asking);
    struct cache_era now;
    cache_guard_era(g, &now);
    bool removed = instance != 0 && instance == now.instance && strcmp(era, now.name) == 0;
    return removed || state_put(g, now.instance, err);
}

bool cache_guard_settle(struct cache_guard *g, const char *era, uint64_t instance, struct err *err)
{
    struct err why = {0};
    bool ok = true;
    if (!shared(g))
        return settle_alone(g, era, instance, err);
    while (ok) {
        struct mono at;
        enum verdict v = judge(g, era, instance, &at);
        if (v == SERVED_BY_NOBODY)
            return true;
        if (v == SERVED_BY_NOBODY_AT) {
            ok = wait_until(g, at);
            continue;
        }
        WITH_LOCK(&g->asking);
        v = judge(g, era, instance, &at); // somebody else may have asked meanwhile
        if (v == READ_AGAIN)
            ok = state_get(g, &why);
        else if (v == END_THE_ERA)
            ok = state_put(g, g->o.instance ? g->era.instance : 0, &why);
    }
    return ERR(err, ERR_UNKNOWN_COMMIT,
               "the change may be stored, but other nodes could not be told: look again");
}

// ---- the thread ----

struct outlook {
    uint64_t theirs; // the instance that is named
    bool lately;     // we named ours, so others may still be leaving theirs
    bool renew;      // the quiet is about to end
};

static struct outlook outlook_of(struct cache_guard *g, uint64_t ours)
{
    WITH_LOCK(&g->known);
    struct mono now = now_of(g);
    return (struct outlook){
        .theirs = g->era.instance,
        .lately = g->named == ours && within(now, g->named_at, hold_ms(g)),
        .renew = !within(now, g->not_before, hold_ms(g) / 2),
    };
}

// Names our instance when another one is named, and keeps everybody quiet while we have none.
static void look(struct cache_guard *g)
{
    struct err why = {0};
    uint64_t ours = g->o.instance ? g->o.instance(g->o.ctx) : 0;
    WITH_LOCK(&g->asking);
    if (shared(g) && !state_get(g, &why)) {
        LOG_DEBUG("the state of the cache cannot be read", LOG_ERROR_FIELD(&why));
        return;
    }
    struct outlook o = outlook_of(g, ours);
    bool ok = true;
    if (ours && ours != o.theirs && !(shared(g) && o.lately)) {
        if (o.theirs && shared(g))
            LOG_WARN("another Redis server was in use; if this repeats, give every node the same redis.url");
        ok = state_put(g, ours, &why);
    } else if (!ours && o.theirs && o.renew && shared(g)) {
        ok = state_put(g, g->o.instance ? o.theirs : 0, &why);
    }
    if (!ok)
        LOG_WARN("other nodes cannot be told to leave the cache", LOG_ERROR_FIELD(&why));
}

static void *look_body(void *arg)
{
    struct cache_guard *g = arg;
    for (bool on = true; on;) {
        look(g);
        WITH_LOCK(&g->known);
        bool idle = !g->o.instance && g->era.instance == 0;
        if (!g->stopping)
            (void)cond_wait_for(&g->stop_or_time, &g->known,
                                duration_ms(idle ? IDLE_POLL_MS : CACHE_POLL_MS));
        on = !g->stopping;
    }
    return NULL;
}

struct cache_guard *cache_guard_new(const struct cache_guard_options *o)
{
    struct cache_guard *g = mem_new(struct cache_guard);
    g->o = *o;
    if (g->o.hold.us == 0)
        g->o.hold = duration_ms(CACHE_HOLD_MS);
    must(hold_ms(g) > 2 * CACHE_SETTLE_MS);
    rng_init_random(&g->rng);
    mutex_init(&g->asking, LOCK_CACHE_ASK);
    mutex_init(&g->known, LOCK_CACHE_KNOWN);
    cond_init(&g->stop_or_time);
    if (shared(g) || g->o.instance)
        g->thread = thread_start("cache-guard", look_body, g);
    return g;
}

void cache_guard_free(struct cache_guard *g)
{
    if (!g)
        return;
    {
        WITH_LOCK(&g->known);
        g->stopping = true;
        cond_broadcast(&g->stop_or_time);
    }
    if (shared(g) || g->o.instance)
        pthread_join(g->thread, NULL);
    cond_release(&g->stop_or_time);
    mutex_release(&g->known);
    mutex_release(&g->asking);
    mem_free(g);
}

static uint64_t no_instance(void *ctx)
{
    (void)ctx;
    return 0;
}

bool cache_guard_end_era(struct store *s, const struct clock *clock, struct err *err)
{
    if (s->exclusive)
        return true;
    struct cache_guard_options o = {.store = s, .clock = clock, .instance = no_instance};
    struct cache_guard *g = cache_guard_new(&o);
    bool ok = cache_guard_settle(g, "", 0, err);
    cache_guard_free(g);
    return ok;
}
