// SPDX-License-Identifier: Apache-2.0
// A few connections shared by all threads, and the one thread that makes them, sends wake-ups and notices a
// loss while nobody calls.
//
// A loss ends a round: every connection of it is closed, at once when it is idle, else when it comes back.
// The next round begins when a connection was made. All connections of a round lead to one instance. Lock:
// lock (LOCK_REDIS) guards everything below it in the struct; no call to the server is made under it.
#include "net/redis.h"

#include "base/mem.h"
#include "base/sync.h"
#include "net/redis_link.h"

enum {
    WAIT_MS = 2, // for a connection that others use
    WAIT_NEEDED_MS = 40,
    RESERVE = 2, // connections for those who need one
    RETRY_MS_FIRST = 50,
    DOUBLINGS_MAX = 10,
    LOOK_EVERY_MS = 1000, // whether the server still answers
    STEADY_S = 5,         // a round that lasted so long is no failed try
    OWN_TEXT_MAX = 17,
    CALL_ARENA = 4096,
};

struct place {
    struct redis_link *link;
    uint64_t round;
};

struct redis {
    struct redis_address address;
    struct str prefix, channel; // in a
    struct arena a;
    const struct clock *clock;
    char own[OWN_TEXT_MAX]; // what our own messages say
    struct redis_listener *listener;
    pthread_t thread;
    struct rng rng; // of the thread

    struct mutex lock;
    struct cond came_back, came_back_spare, work;
    struct place idle[REDIS_CONNECTIONS];
    size_t n_idle, n_open; // of this round
    uint64_t round, instance;
    bool up, stopping, wake_wanted;
    int failures;
    struct mono up_since, retry_at, woke_at, looked_at;
    char why[ERR_TEXT_MAX];
};

struct duration redis_retry_after(int failures, struct rng *rng)
{
    int64_t ms = RETRY_MS_FIRST << (failures < DOUBLINGS_MAX ? failures : DOUBLINGS_MAX);
    ms = ms < REDIS_RETRY_MS_MAX ? ms : REDIS_RETRY_MS_MAX;
    return duration_ms(ms - (int64_t)rng_below(rng, (uint64_t)ms / 2 + 1));
}

// ---- connections, under the lock ----

static void signal_idle(struct redis *r)
{
    cond_signal(&r->came_back);
    if (r->n_idle > RESERVE)
        cond_signal(&r->came_back_spare);
}

// Returns how many links the caller has to close after the lock.
static size_t round_end(struct redis *r, const struct err *why,
                        struct redis_link *ret[static REDIS_CONNECTIONS])
{
    struct mono now = clock_mono(r->clock);
    size_t n = r->n_idle;
    for (size_t i = 0; i < n; i++)
        ret[i] = r->idle[i].link;
    if (r->up && mono_since(now, r->up_since).us > duration_s(STEADY_S).us)
        r->failures = 0;
    r->round++;
    r->n_idle = r->n_open = 0;
    r->up = false;
    r->retry_at = mono_add(now, redis_retry_after(r->failures++, &r->rng));
    (void)snprintf(r->why, sizeof r->why, "%s", why->text);
    cond_broadcast(&r->came_back);
    cond_broadcast(&r->came_back_spare);
    cond_signal(&r->work);
    return n;
}

static void lose(struct redis *r, uint64_t round, const struct err *why)
{
    struct redis_link *links[REDIS_CONNECTIONS];
    size_t n = 0;
    {
        WITH_LOCK(&r->lock);
        if (round == r->round)
            n = round_end(r, why, links);
    }
    for (size_t i = 0; i < n; i++)
        redis_link_close(links[i]);
}

static bool take(struct redis *r, bool needed, struct place *ret, struct err *err)
{
    size_t spare = needed ? 0 : RESERVE;
    WITH_LOCK(&r->lock);
    struct mono now = clock_mono(r->clock),
                until = mono_add(now, duration_ms(needed ? WAIT_NEEDED_MS : WAIT_MS));
    for (; r->up && r->n_idle <= spare && now.us < until.us; now = clock_mono(r->clock))
        (void)cond_wait_for(needed ? &r->came_back : &r->came_back_spare, &r->lock, mono_since(until, now));
    if (!r->up)
        return ERR(err, ERR_UNAVAILABLE, "%s", r->why[0] ? r->why : "redis: not connected yet");
    if (r->n_idle <= spare)
        return ERR(err, ERR_UNAVAILABLE, "redis: every connection is busy");
    *ret = r->idle[--r->n_idle];
    return true;
}

static void give_back(struct redis *r, struct place p)
{
    {
        WITH_LOCK(&r->lock);
        if (p.round == r->round) {
            r->idle[r->n_idle++] = p;
            signal_idle(r);
            return;
        }
    }
    redis_link_close(p.link);
}

static bool call(struct redis *r, bool needed, const struct str *words, size_t n, struct redis_answer *ret,
                 struct arena *a, struct err *err)
{
    struct place p = {0};
    if (!take(r, needed, &p, err))
        return false;
    if (!redis_link_call(p.link, words, n, ret, a, err)) {
        redis_link_close(p.link);
        lose(r, p.round, err);
        return false;
    }
    give_back(r, p);
    return true;
}

bool redis_eval(struct redis *r, const struct redis_eval *e, struct redis_answer *ret, struct arena *a,
                struct err *err)
{
    struct str words[3 + REDIS_KEYS_MAX + REDIS_ARGS_MAX] = {STR("EVAL"), str_of(e->script)};
    size_t n = 2;
    must(e->n_keys <= REDIS_KEYS_MAX && e->n_args <= REDIS_ARGS_MAX);
    words[n++] = arena_fmt(a, "%zu", e->n_keys);
    for (size_t i = 0; i < e->n_keys; i++)
        words[n++] = arena_fmt(a, "%.*s%.*s", STR_ARG(r->prefix), STR_ARG(e->keys[i]));
    for (size_t i = 0; i < e->n_args; i++) {
        if (e->args[i].n > REDIS_VALUE_MAX)
            return ERR(err, ERR_TOO_LARGE, "redis: a value has more than %d bytes", REDIS_VALUE_MAX);
        words[n++] = e->args[i];
    }
    if (a->exhausted)
        return ERR(err, ERR_TOO_LARGE, "redis: the call does not fit into memory");
    return call(r, e->needed, words, n, ret, a, err);
}

// ---- the thread ----

static void add_link(struct redis *r, struct redis_link *link)
{
    struct redis_link *stale[REDIS_CONNECTIONS];
    size_t n = 0;
    {
        WITH_LOCK(&r->lock);
        if (r->n_open > 0 && r->instance != redis_link_instance(link)) {
            struct err why;
            (void)ERR(&why, ERR_UNAVAILABLE, "redis: another server answers now");
            n = round_end(r, &why, stale);
        }
        r->instance = redis_link_instance(link);
        r->idle[r->n_idle++] = (struct place){link, r->round};
        r->n_open++;
        if (!r->up) {
            r->up = true;
            r->up_since = r->looked_at = clock_mono(r->clock);
        }
        signal_idle(r);
    }
    for (size_t i = 0; i < n; i++)
        redis_link_close(stale[i]);
}

static void open_one(struct redis *r)
{
    struct err err = {0};
    uint64_t round;
    {
        WITH_LOCK(&r->lock);
        round = r->round;
    }
    struct redis_link *link = redis_link_open(&r->address, &err);
    if (link) {
        add_link(r, link);
        return;
    }
    {
        WITH_LOCK(&r->lock);
        if (r->up) { // those we have may be all that the server grants
            r->retry_at = mono_add(clock_mono(r->clock), duration_ms(REDIS_RETRY_MS_MAX));
            return;
        }
    }
    lose(r, round, &err);
}

// Sends what is to be sent; the answer does not matter, a loss is noticed by the call itself.
static void say(struct redis *r, const struct str *words, size_t n)
{
    struct arena a;
    struct redis_answer answer;
    struct err ignored = {0};
    arena_init(&a, CALL_ARENA);
    (void)!call(r, true, words, n, &answer, &a, &ignored);
    arena_release(&a);
}

static void send_wake(struct redis *r)
{
    struct str words[] = {STR("PUBLISH"), r->channel, str_of(r->own)};
    say(r, words, sizeof words / sizeof words[0]);
}

static void look(struct redis *r)
{
    struct str words[] = {STR("PING")};
    say(r, words, sizeof words / sizeof words[0]);
}

enum duty { DUTY_END, DUTY_OPEN, DUTY_WAKE, DUTY_LOOK, DUTY_NONE };

static struct mono sooner(struct mono a, struct mono b) { return a.us < b.us ? a : b; }

// What is to be done now; waits at most once when it is nothing.
static enum duty next_duty(struct redis *r)
{
    WITH_LOCK(&r->lock);
    struct mono now = clock_mono(r->clock), next = mono_add(r->looked_at, duration_ms(LOOK_EVERY_MS));
    if (r->stopping)
        return DUTY_END;
    if (!r->up) {
        r->wake_wanted = false; // nobody would hear it
        next = r->retry_at;
    }
    if (r->n_open < REDIS_CONNECTIONS && r->retry_at.us <= now.us)
        return DUTY_OPEN;
    struct mono wake_at = mono_add(r->woke_at, duration_ms(REDIS_WAKE_GAP_MS));
    if (r->wake_wanted && wake_at.us <= now.us) {
        r->wake_wanted = false;
        r->woke_at = now;
        return DUTY_WAKE;
    }
    if (r->up && next.us <= now.us) {
        r->looked_at = now;
        return DUTY_LOOK;
    }
    next = r->wake_wanted ? sooner(next, wake_at) : next;
    (void)cond_wait_for(&r->work, &r->lock, mono_since(next, now));
    return DUTY_NONE;
}

static void *keep(void *arg)
{
    struct redis *r = arg;
    for (;;) {
        switch (next_duty(r)) {
        case DUTY_END:
            return NULL;
        case DUTY_OPEN:
            open_one(r);
            break;
        case DUTY_WAKE:
            send_wake(r);
            break;
        case DUTY_LOOK:
            look(r);
            break;
        case DUTY_NONE:
            break;
        }
    }
}

// ---- the whole ----

static uint64_t space_of(int database, struct str prefix)
{
    static const uint8_t same_everywhere[16] = "chronos instance";
    char text[REDIS_PREFIX_MAX + 16];
    int n = snprintf(text, sizeof text, "%d %.*s", database, STR_ARG(prefix));
    return hash_bytes(same_everywhere, text, (size_t)n);
}

struct redis *redis_new(const struct redis_options *o, struct err *err)
{
    struct redis_address address;
    if (o->prefix.n > REDIS_PREFIX_MAX) {
        (void)ERR(err, ERR_CONFIG, "the prefix of keys has more than %d bytes", REDIS_PREFIX_MAX);
        return NULL;
    }
    if (!redis_address_parse(o->url, &address, err))
        return NULL;
    struct redis *r = mem_new(struct redis);
    r->address = address;
    explicit_bzero(&address, sizeof address);
    r->clock = o->clock;
    arena_init(&r->a, CALL_ARENA);
    r->prefix = arena_str(&r->a, o->prefix);
    r->address.space = space_of(r->address.database, o->prefix);
    r->channel = arena_fmt(&r->a, "%.*swake", STR_ARG(o->prefix));
    rng_init_random(&r->rng);
    (void)snprintf(r->own, sizeof r->own, "%016llx", (unsigned long long)rng_u64(&r->rng));
    mutex_init(&r->lock, LOCK_REDIS);
    cond_init(&r->came_back);
    cond_init(&r->came_back_spare);
    cond_init(&r->work);
    r->retry_at = clock_mono(r->clock);
    r->thread = thread_start("redis", keep, r);
    return r;
}

void redis_free(struct redis *r)
{
    if (!r)
        return;
    redis_listener_free(r->listener);
    {
        WITH_LOCK(&r->lock);
        r->stopping = true;
        cond_signal(&r->work);
    }
    pthread_join(r->thread, NULL);
    must(r->n_idle == r->n_open);
    for (size_t i = 0; i < r->n_idle; i++)
        redis_link_close(r->idle[i].link);
    cond_release(&r->work);
    cond_release(&r->came_back_spare);
    cond_release(&r->came_back);
    mutex_release(&r->lock);
    arena_release(&r->a);
    explicit_bzero(&r->address, sizeof r->address);
    mem_free(r);
}

void redis_status(struct redis *r, struct redis_status *ret, struct arena *a)
{
    WITH_LOCK(&r->lock);
    *ret = (struct redis_status){.up = r->up, .instance = r->instance};
    if (r->why[0] && a)
        ret->why = arena_str(a, str_of(r->why));
}

void redis_wake_others(struct redis *r)
{
    WITH_LOCK(&r->lock);
    if (!r->wake_wanted) {
        r->wake_wanted = true;
        cond_signal(&r->work);
    }
}

void redis_listen(struct redis *r, void (*heard)(void *ctx), void *ctx)
{
    must(!r->listener);
    struct redis_listener_options o = {.address = &r->address,
                                       .channel = r->channel,
                                       .own = str_of(r->own),
                                       .clock = r->clock,
                                       .heard = heard,
                                       .ctx = ctx};
    r->listener = redis_listener_new(&o);
}
