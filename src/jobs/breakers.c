// SPDX-License-Identifier: Apache-2.0
// The table of circuit breakers, what attempts say about their targets, and the sharing between nodes.
//
// A call remembers the era it was let through in; every change of state begins a new one, so that calls of
// before say nothing about what came after. The lock is never held while the store is asked.
#include "jobs/breakers.h"

#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/sync.h"
#include "jobs/breaker.h"
#include "jobs/runner.h"
#include "jobs/target.h"

enum {
    SYNC_ARENA_BUDGET = 4 * 1024 * 1024,
    SYNC_ROUNDS = 3,    // when others keep changing the same target
    SYNC_RETRY_S = 1,   // after the store failed
    SYNC_IDLE_S = 30,   // a look now and then, whatever was heard
    PROBE_GRACE_S = 30, // beyond its timeout
};

static struct metric by_state[] = {
    [BREAKER_CLOSED] =
        METRIC_GAUGE_INIT("chronos_breakers", "state=\"CLOSED\"", "Targets by state of their breaker."),
    [BREAKER_OPEN] =
        METRIC_GAUGE_INIT("chronos_breakers", "state=\"OPEN\"", "Targets by state of their breaker."),
    [BREAKER_HALF_OPEN] =
        METRIC_GAUGE_INIT("chronos_breakers", "state=\"HALF_OPEN\"", "Targets by state of their breaker."),
};
static struct metric opened =
    METRIC_COUNTER_INIT("chronos_breakers_opened_total", "", "Times a circuit breaker opened on this node.");
static struct metric probes = METRIC_COUNTER_INIT("chronos_breaker_probes_total", "",
                                                  "Calls let through to see whether a target is back.");
static struct metric refused =
    METRIC_COUNTER_INIT("chronos_breaker_refusals_total", "", "Attempts ended with CIRCUIT_OPEN.");

struct entry {
    struct ulid id;
    struct breaker b;
    uint64_t era;
    int64_t version; // of the row in the store as far as we know
    bool dirty;      // it changed here, and the store does not know yet
    struct mono used;
    struct str node;   // own copy, or absent
    struct str target; // own copy
};

struct breakers {
    const struct clock *clock;
    const struct breaker_share *share; // NULL: nobody
    struct mutex lock;
    struct map by_id; // under lock, as is the next
    uint64_t eras;
    struct waker waker;
    _Atomic bool closing;
    bool started;
    pthread_t thread;
};

// What an attempt calls. Lives in its arena.
struct target_use {
    struct target_use *next;
    struct ulid id;
    uint64_t era;
    bool down; // the type said so
};

// ---- the table, under the lock ----

static void era_begin(struct breakers *t, struct entry *e, int from)
{
    e->era = ++t->eras;
    metric_add(&by_state[from], -1);
    metric_add(&by_state[e->b.state], 1);
}

static void entry_free(struct entry *e)
{
    metric_add(&by_state[e->b.state], -1);
    mem_free((char *)e->target.p);
    mem_free((char *)e->node.p);
    mem_free(e);
}

static struct str own(struct str s)
{
    char *p = mem_array(s.n + 1, 1);
    memcpy(p, s.p, s.n);
    return (struct str){p, s.n};
}

static void node_set(struct entry *e, struct str node)
{
    mem_free((char *)e->node.p);
    e->node = node.n > 0 ? own(node) : STR_NONE;
}

// Makes room by the closed one that was used longest ago. False: all are needed.
static bool evict(struct breakers *t)
{
    struct entry *oldest = NULL;
    void *v;
    for (size_t i = 0; (i = map_next(&t->by_id, i, &v));) {
        struct entry *e = v;
        bool idle = e->b.state == BREAKER_CLOSED && !e->dirty;
        if (idle && (!oldest || e->used.us < oldest->used.us))
            oldest = e;
    }
    if (oldest) {
        (void)map_remove(&t->by_id, oldest->id);
        entry_free(oldest);
    }
    return oldest != NULL;
}

// NULL: too many, or another target has its id.
static struct entry *entry_of(struct breakers *t, struct str target, struct mono now)
{
    struct ulid id = breaker_id(target);
    struct entry *e = map_get(&t->by_id, id);
    if (e)
        return str_eq(e->target, target) ? e : NULL;
    if (t->by_id.n >= BREAKERS_MAX && !evict(t))
        return NULL;
    e = mem_new(struct entry);
    *e = (struct entry){.id = id, .target = own(target), .used = now, .era = ++t->eras};
    breaker_init(&e->b, now);
    metric_add(&by_state[e->b.state], 1);
    (void)map_put(&t->by_id, id, e);
    return e;
}

// ---- what happened here, under the lock ----

static void tell(struct breakers *t, struct entry *e, int from)
{
    era_begin(t, e, from);
    switch ((enum breaker_state)e->b.state) {
    case BREAKER_OPEN:
        metric_add(&opened, 1);
        LOG_WARN("circuit opened", LOG_STR("target", e->target), LOG_INT("failures", e->b.failures),
                 LOG_INT("opens", e->b.opens), LOG_DUR("wait", mono_since(e->b.until, e->b.since)));
        break;
    case BREAKER_HALF_OPEN:
        metric_add(&probes, 1);
        LOG_INFO("circuit probed", LOG_STR("target", e->target));
        break;
    case BREAKER_CLOSED:
        LOG_INFO("circuit closed", LOG_STR("target", e->target));
        break;
    }
    if (!t->share)
        return;
    node_set(e, t->share->node);
    e->dirty = e->b.state != BREAKER_HALF_OPEN; // whoever probes writes that itself
    if (e->dirty)
        waker_wake(&t->waker);
}

static void judge(struct breakers *t, const struct target_use *u, enum breaker_verdict v, struct mono now)
{
    struct entry *e = map_get(&t->by_id, u->id);
    if (!e || e->era != u->era)
        return; // evicted, or of an earlier era
    int from = e->b.state;
    if (breaker_judge(&e->b, v, now))
        tell(t, e, from);
}

// ---- attempts ----

void breakers_judge(struct attempt *a)
{
    if (!a->targets)
        return;
    struct breakers *t = a->env->breakers;
    struct mono now = clock_mono(t->clock);
    bool fine = a->result.status == RUN_SUCCEEDED;
    WITH_LOCK(&t->lock);
    for (const struct target_use *u = a->targets; u; u = u->next) {
        bool about = fine || u == a->targets || u->down;
        judge(t, u, about ? target_verdict(&a->result, u->down) : VERDICT_NONE, now);
    }
    a->targets = NULL;
}

static bool refuse(struct attempt *a, struct str target, struct duration wait)
{
    metric_add(&refused, 1);
    if (wait.us > 0)
        a->result.retry_after = wait;
    attempt_fail(a, "CIRCUIT_OPEN",
                 "calls to \"%.*s\" are held back because it failed too often; it is tried again in %lld s",
                 STR_ARG(target), (long long)((wait.us > 0 ? wait.us : 0) / US_PER_S));
    return false;
}

// Moves the use of a target to the front; false: it is new.
static bool named_before(struct attempt *a, struct ulid id)
{
    for (struct target_use **at = &a->targets; *at; at = &(*at)->next)
        if (ulid_eq((*at)->id, id)) {
            struct target_use *u = *at;
            *at = u->next;
            u->next = a->targets;
            a->targets = u;
            return true;
        }
    return false;
}

static void use_add(struct attempt *a, const struct entry *e)
{
    struct target_use *u = arena_new(&a->arena, struct target_use);
    if (!u)
        return; // its call counts for nothing
    *u = (struct target_use){.next = a->targets, .id = e->id, .era = e->era};
    a->targets = u;
}

static struct breaker_row row_of(const struct entry *e, struct instant wall, struct mono now)
{
    bool waits = e->b.state != BREAKER_CLOSED;
    struct duration left = mono_since(e->b.until, now);
    return (struct breaker_row){
        .id = e->id,
        .target = e->target,
        .state = e->b.state,
        .version = e->version,
        .failures = e->b.failures,
        .opens = e->b.opens,
        .since = instant_add(wall, mono_since(e->b.since, now)),
        .until = waits ? instant_add(wall, left) : INSTANT_NEVER,
        .node = e->node,
    };
}

// Never less than one written before, also where a row was forgotten meanwhile.
static int64_t version_after(int64_t version, struct instant wall)
{
    return wall.us > version ? wall.us : version + 1;
}

// Asks the store whether the probe is ours.
static bool probe_won(struct breakers *t, struct breaker_row *row, struct duration wait)
{
    bool won = false;
    struct err err = {0};
    int64_t expect = row->version;
    row->version = version_after(expect, clock_now(t->clock));
    row->node = t->share->node;
    if (!t->share->put(t->share->ctx, row, expect, wait, &won, &err)) {
        LOG_WARN("circuit cannot be probed", LOG_STR("target", row->target), LOG_ERROR_FIELD(&err));
        return false;
    }
    if (!won)
        breakers_wake(t); // somebody was faster
    return won;
}

// The probe of this entry was begun under the lock; false: it is another node's, and so is the word on what
// follows.
static bool probe_settle(struct breakers *t, struct attempt *a, struct breaker_row *row, struct duration wait)
{
    bool won = !t->share || probe_won(t, row, wait);
    struct mono now = clock_mono(t->clock);
    WITH_LOCK(&t->lock);
    struct entry *e = map_get(&t->by_id, row->id);
    if (!e)
        return won;
    if (won) {
        e->version = t->share ? row->version : 0;
        use_add(a, e);
    } else if (e->b.state == BREAKER_HALF_OPEN) {
        e->b.state = BREAKER_OPEN;
        e->b.until = mono_add(now, duration_s(SYNC_RETRY_S));
        era_begin(t, e, BREAKER_HALF_OPEN);
    }
    return won;
}

// Names of targets are shown to others. One with a secret in it, user and password apart, has no breaker.
static bool holds_secret(struct attempt *a, struct str target)
{
    for (size_t at; (at = str_find(target, '@')) < target.n;)
        target = (struct str){target.p + at + 1, target.n - at - 1};
    return attempt_mask(a, target).p != target.p;
}

bool attempt_target(struct attempt *a, struct str target)
{
    struct breakers *t = a->env ? a->env->breakers : NULL;
    if (holds_secret(a, target))
        return true;
    struct str clean = target_clean(target, &a->arena);
    if (!t || !clean.p || named_before(a, breaker_id(clean)))
        return true;
    struct duration most = a->timeout.us > 0 && a->timeout.us < duration_s(BREAKER_PROBE_S_MAX).us
                               ? a->timeout
                               : duration_s(BREAKER_PROBE_S_MAX);
    most.us += duration_s(PROBE_GRACE_S).us;
    struct mono now = clock_mono(t->clock);
    struct duration left = {0};
    struct breaker_row row;
    {
        WITH_LOCK(&t->lock);
        struct entry *e = entry_of(t, clean, now);
        if (!e)
            return true;
        e->used = now;
        enum breaker_answer answer = breaker_ask(&e->b, now);
        if (answer == BREAKER_PASS) {
            use_add(a, e);
            return true;
        }
        left = mono_since(e->b.until, now);
        if (answer == BREAKER_PROBE) {
            int from = e->b.state;
            breaker_probe(&e->b, now, most);
            tell(t, e, from);
            row = row_of(e, clock_now(t->clock), now);
            row.target = clean; // the entry may go meanwhile
        }
    }
    bool probes_now = left.us <= 0 && probe_settle(t, a, &row, most);
    return probes_now || refuse(a, clean, left);
}

void attempt_target_down(struct attempt *a)
{
    if (a->targets)
        a->targets->down = true;
}

// ---- sharing ----

// Under the lock.
static void adopt(struct breakers *t, const struct breaker_row *row, struct instant store_now,
                  struct mono now)
{
    struct entry *e = map_get(&t->by_id, row->id);
    if (!e && row->state == BREAKER_CLOSED)
        return;
    e = e ? e : entry_of(t, row->target, now);
    if (!e || row->version <= e->version)
        return;
    int from = e->b.state;
    e->version = row->version;
    e->dirty = false;
    if (row->state == BREAKER_CLOSED && from == BREAKER_CLOSED)
        return; // our counts stay
    breaker_init(&e->b, now);
    e->b.state = row->state;
    e->b.failures = row->failures;
    e->b.opens = row->opens;
    e->b.since = mono_add(now, instant_since(row->since, store_now));
    e->b.until = mono_add(now, instant_since(row->until, store_now));
    node_set(e, row->node);
    era_begin(t, e, from);
    LOG_INFO("circuit changed by another node", LOG_STR("target", e->target), LOG_STR("node", row->node),
             LOG_CSTR("state", breaker_state_names[row->state]));
}

static bool listed(const struct breaker_row *rows, size_t n, struct ulid id)
{
    for (size_t i = 0; i < n; i++)
        if (ulid_eq(rows[i].id, id))
            return true;
    return false;
}

// Under the lock: rows that the store has forgotten.
static void forget(struct breakers *t, const struct breaker_row *rows, size_t n, struct mono now)
{
    void *v;
    for (size_t i = 0; (i = map_next(&t->by_id, i, &v));) {
        struct entry *e = v;
        if (e->version == 0 || listed(rows, n, e->id))
            continue;
        e->version = 0;
        if (e->b.state == BREAKER_CLOSED || mono_since(now, e->b.until).us < duration_s(BREAKER_FORGET_S).us)
            continue;
        int from = e->b.state;
        breaker_init(&e->b, now);
        e->dirty = false;
        era_begin(t, e, from);
    }
}

static bool pull(struct breakers *t, struct arena *a, struct err *err)
{
    struct breaker_row *rows;
    size_t n;
    struct instant store_now;
    if (!t->share->list(t->share->ctx, &rows, &n, &store_now, a, err))
        return false;
    struct mono now = clock_mono(t->clock);
    WITH_LOCK(&t->lock);
    for (size_t i = 0; i < n; i++)
        adopt(t, &rows[i], store_now, now);
    forget(t, rows, n, now);
    return true;
}

// Some dirty entry, its texts in the arena; false: there is none.
static bool dirty_next(struct breakers *t, struct breaker_row *ret, struct duration *ret_wait,
                       struct arena *a)
{
    struct mono now = clock_mono(t->clock);
    void *v;
    WITH_LOCK(&t->lock);
    for (size_t i = 0; (i = map_next(&t->by_id, i, &v));) {
        struct entry *e = v;
        if (!e->dirty)
            continue;
        int64_t left = mono_since(e->b.until, now).us;
        *ret = row_of(e, clock_now(t->clock), now);
        ret->target = arena_str(a, e->target);
        ret->node = arena_str(a, e->node);
        *ret_wait = (struct duration){e->b.state == BREAKER_OPEN && left > 0 ? left : 0};
        return ret->target.p && ret->node.p;
    }
    return false;
}

static void written(struct breakers *t, const struct breaker_row *row)
{
    WITH_LOCK(&t->lock);
    struct entry *e = map_get(&t->by_id, row->id);
    if (!e || e->version > row->version)
        return;
    e->version = row->version;
    e->dirty = e->b.state != row->state && e->b.state != BREAKER_HALF_OPEN; // it changed again meanwhile
}

bool breakers_sync(struct breakers *t, struct err *err)
{
    CLEANUP(arena_release) struct arena a;
    arena_init(&a, SYNC_ARENA_BUDGET);
    struct breaker_row row;
    struct duration wait;
    if (!t->share)
        return true;
    if (!pull(t, &a, err))
        return false;
    for (int lost = 0; lost < SYNC_ROUNDS && dirty_next(t, &row, &wait, &a);) {
        bool won;
        int64_t expect = row.version;
        row.version = version_after(expect, clock_now(t->clock));
        if (!t->share->put(t->share->ctx, &row, expect, wait, &won, err))
            return false;
        if (won)
            written(t, &row);
        else if (lost++, !pull(t, &a, err))
            return false;
    }
    return true;
}

static void *sharer_main(void *arg)
{
    struct breakers *t = arg;
    while (!atomic_load(&t->closing)) {
        struct err err = {0};
        bool ok = breakers_sync(t, &err);
        if (!ok)
            LOG_DEBUG("circuit breakers cannot be shared now", LOG_ERROR_FIELD(&err));
        (void)waker_wait(&t->waker, duration_s(ok ? SYNC_IDLE_S : SYNC_RETRY_S));
    }
    return NULL;
}

void breakers_wake(struct breakers *t) { waker_wake(&t->waker); }

// ---- people ----

static int by_target(const void *a, const void *b)
{
    const struct breaker_row *x = a, *y = b;
    return str_cmp(x->target, y->target);
}

bool breakers_list(struct breakers *t, struct breaker_row **ret, size_t *ret_n, struct arena *a,
                   struct err *err)
{
    if (t->share && !pull(t, a, err))
        return false;
    struct mono now = clock_mono(t->clock);
    struct instant wall = clock_now(t->clock);
    WITH_LOCK(&t->lock);
    struct breaker_row *rows = arena_new_array(a, struct breaker_row, t->by_id.n + 1);
    size_t n = 0;
    void *v;
    for (size_t i = 0; rows && (i = map_next(&t->by_id, i, &v));) {
        rows[n] = row_of(v, wall, now);
        rows[n].target = arena_str(a, rows[n].target);
        rows[n].node = rows[n].node.p ? arena_str(a, rows[n].node) : STR_NONE;
        n++;
    }
    if (!rows || a->exhausted)
        return ERR(err, ERR_TOO_LARGE, "too many circuit breakers to list");
    qsort(rows, n, sizeof *rows, by_target);
    *ret = rows;
    *ret_n = n;
    return true;
}

// Closes it here; false: unknown. *ret is what others are to be told, if anything.
static bool close_here(struct breakers *t, struct ulid id)
{
    struct mono now = clock_mono(t->clock);
    WITH_LOCK(&t->lock);
    struct entry *e = map_get(&t->by_id, id);
    if (!e)
        return false;
    int from = e->b.state;
    breaker_init(&e->b, now);
    if (from != BREAKER_CLOSED)
        tell(t, e, from);
    return true;
}

static bool still_dirty(struct breakers *t, struct ulid id)
{
    WITH_LOCK(&t->lock);
    const struct entry *e = map_get(&t->by_id, id);
    return e && (e->dirty || e->b.state != BREAKER_CLOSED);
}

bool breakers_reset(struct breakers *t, struct ulid id, struct err *err)
{
    char text[ULID_TEXT_MAX];
    if (!breakers_sync(t, err))
        return false;
    for (int i = 0; i < SYNC_ROUNDS; i++) { // others may change it at the same time
        if (!close_here(t, id))
            return ERR(err, ERR_NOT_FOUND, "circuit breaker \"%s\" does not exist", ulid_format(id, text));
        if (!breakers_sync(t, err))
            return false;
        if (!still_dirty(t, id))
            return true;
    }
    return ERR(err, ERR_BUSY, "circuit breaker \"%s\" keeps changing, try again", ulid_format(id, text));
}

// ---- life ----

struct breakers *breakers_new(const struct clock *clock, const struct breaker_share *share)
{
    struct breakers *t = mem_new(struct breakers);
    t->clock = clock;
    t->share = share;
    mutex_init(&t->lock, LOCK_BREAKERS);
    waker_init(&t->waker, LOCK_BREAKERS_WAKER);
    map_init(&t->by_id);
    for (size_t i = 0; i < sizeof by_state / sizeof by_state[0]; i++)
        metric_register(&by_state[i]);
    metric_register(&opened);
    metric_register(&probes);
    metric_register(&refused);
    return t;
}

void breakers_start(struct breakers *t)
{
    if (!t->share)
        return;
    t->started = true;
    t->thread = thread_start("breakers", sharer_main, t);
}

void breakers_free(struct breakers *t)
{
    if (!t)
        return;
    atomic_store(&t->closing, true);
    waker_wake(&t->waker);
    if (t->started)
        must(pthread_join(t->thread, NULL) == 0);
    void *v;
    for (size_t i = 0; (i = map_next(&t->by_id, i, &v));)
        entry_free(v);
    map_release(&t->by_id);
    waker_release(&t->waker);
    mutex_release(&t->lock);
    mem_free(t);
}
