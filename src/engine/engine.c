// SPDX-License-Identifier: Apache-2.0
// The tick. It takes in what happened elsewhere, ends what is overdue, moves due work into one batch, writes it and
// acts on the answer; then it says when it wants to be called again.
#include <sys/prctl.h>

#include "base/log.h"
#include "base/mem.h"
#include "engine/core.h"
#include "engine/meters.h"
#include "sched/zones.h"

enum {
    RUNNING_DEFAULT = 1000,
    FLUSH_DEFAULT = 500,
    PROMOTE_MAX = 8192,        // due items moved per tick
    CLOCK_CHECK_S = 1,         // longest sleep: the wall clock may be set meanwhile
    TIMER_SLACK_NS = 1,        // not the usual 50 µs, by which every start would be later
    CLOCK_JUMP_S = 5,          // a difference to the monotonic clock worth a warning
    STORE_RETRY_FIRST_MS = 100,
    STORE_RETRY_MAX_MS = 2000,
    DRAIN_EXTRA_S = 10,        // after the grace: for cancelled attempts to end
    LATE_SHARE = 2,            // late work gets at most 1/2 of the room
};

struct moment engine_now(const struct engine *e)
{
    return (struct moment){clock_now(e->clock), clock_mono(e->clock)};
}

bool engine_has_late_room(const struct engine *e)
{
    int64_t share = e->config.running_max / LATE_SHARE;
    return e->late_in_flight < (share > 0 ? share : 1);
}

void engine_report_run(struct engine *e, struct ulid run_id, struct ulid job_id, int status)
{
    if (e->listener.run_changed)
        e->listener.run_changed(e->listener.ctx, run_id, job_id, status);
}

static struct str copy_name(struct str s)
{
    char *p = mem_array(1, s.n + 1);
    if (s.n > 0)
        memcpy(p, s.p, s.n);
    return str_of_n(p, s.n);
}

static void token_draw(struct engine *e, uint64_t seed)
{
    if (seed) {
        rng_init(&e->rng, seed);
        e->token = (int64_t)(rng_u64(&e->rng) >> 1 | 1);
        return;
    }
    uint64_t token;
    rng_init_random(&e->rng);
    rng_secret(&token, sizeof token);
    e->token = (int64_t)(token >> 1 | 1); // positive, never 0
}

struct engine *engine_new(const struct engine_config *c, struct store *store, struct executor *executor,
                          const struct clock *clock, const struct engine_listener *listener)
{
    struct engine *e = mem_new(struct engine);
    e->config = *c;
    if (e->config.running_max <= 0)
        e->config.running_max = RUNNING_DEFAULT;
    if (e->config.flush_max <= 0)
        e->config.flush_max = FLUSH_DEFAULT;
    e->node_name = copy_name(c->node_name);
    e->config.node_name = e->node_name;
    e->store = store;
    e->executor = executor;
    e->clock = clock;
    if (listener)
        e->listener = *listener;
    if (!c->zones)
        e->own_zones = zones_new(NULL);
    token_draw(e, c->seed);
    entries_init(&e->entries, c->zones ? c->zones : e->own_zones);
    tasks_init(&e->tasks);
    agenda_init(&e->agenda);
    inbox_init(&e->inbox);
    batch_init(&e->batch, (size_t)e->config.flush_max);
    ends_init(e);
    e->todo.heard = task_queue_of(QUEUE_HEARD);
    e->ended = task_queue_of(QUEUE_ENDED);
    e->starting = mem_array((size_t)e->config.running_max, sizeof(struct attempt *));
    e->last_wall = INSTANT_NEVER;
    e->status = (struct engine_status){.next_wake = INSTANT_NEVER, .last_tick = INSTANT_NEVER, .store_ok = true};
    (void)engine_sink(e);
    map_init(&e->interests.by_job);
    meters_register();
    return e;
}

void engine_free(struct engine *e)
{
    if (!e)
        return;
    tasks_release(&e->tasks);
    entries_release(&e->entries);
    agenda_release(&e->agenda);
    inbox_release(&e->inbox);
    ends_release(e);
    batch_release(&e->batch);
    ids_release(&e->todo.jobs);
    ids_release(&e->todo.runs);
    ids_release(&e->todo.cancels);
    ids_release(&e->rezone.moving);
    ids_release(&e->asks);
    interest_order_release(&e->inbox.interest);
    interests_release(&e->interests);
    zones_free(e->own_zones);
    mem_free((void *)e->starting);
    mem_free((void *)(uintptr_t)e->node_name.p);
    mem_free(e);
}

void store_failed(struct engine *e, const char *doing, const struct err *err)
{
    int64_t ms = STORE_RETRY_FIRST_MS;
    for (int64_t i = 0; i < e->store_failures && ms < STORE_RETRY_MAX_MS; i++)
        ms *= 2;
    ms = ms < STORE_RETRY_MAX_MS ? ms : STORE_RETRY_MAX_MS;
    ms = ms / 2 + (int64_t)rng_below(&e->rng, (uint64_t)ms / 2 + 1);
    e->store_retry = mono_add(clock_mono(e->clock), duration_ms(ms));
    if (e->store_failures++ == 0)
        LOG_WARN("store failed, trying again", LOG_CSTR("doing", doing), LOG_ERROR_FIELD(err));
}

void store_worked(struct engine *e)
{
    if (e->store_failures > 0)
        LOG_INFO("store works again", LOG_INT("failures", e->store_failures));
    e->store_failures = 0;
}

bool store_resting(const struct engine *e, struct mono now)
{
    return e->store_failures > 0 && now.us < e->store_retry.us;
}

// A step of the wall clock needs no repair, since every decision compares instants; but somebody should know.
static void clock_check(struct engine *e, struct moment now)
{
    if (!instant_is_never(e->last_wall)) {
        int64_t wall = now.wall.us - e->last_wall.us, mono = now.mono.us - e->last_mono.us;
        struct duration jump = {wall - mono};
        if (jump.us > CLOCK_JUMP_S * US_PER_S)
            LOG_WARN("clock was set forward, missed occurrences follow their misfire policy", LOG_DUR("by", jump));
        else if (jump.us < -CLOCK_JUMP_S * US_PER_S)
            LOG_WARN("clock was set back, occurrences already decided do not fire again", LOG_DUR("by", jump));
    }
    e->last_wall = now.wall;
    e->last_mono = now.mono;
}

// What was held is late now, and its misfire policy decides.
static void release_held(struct engine *e)
{
    struct agenda_node *n;
    for (int i = 0; i < PROMOTE_MAX && (n = agenda_top(&e->agenda, AGENDA_HELD)) != NULL; i++)
        agenda_put(&e->agenda, n, AGENDA_DUE, n->key);
}

static void promote(struct engine *e, struct moment now)
{
    struct agenda_node *n;
    e->holding = atomic_load(&e->hold);
    if (!e->holding)
        release_held(e);
    for (int i = 0; i < PROMOTE_MAX; i++) {
        n = agenda_top(&e->agenda, AGENDA_DUE);
        if (!n || n->key > now.wall.us)
            return;
        if (n->kind == NODE_TASK) {
            task_enqueue(e, (struct task *)n, now);
            continue;
        }
        struct entry *p = (struct entry *)n;
        if (e->holding) {
            agenda_put(&e->agenda, n, AGENDA_HELD, n->key);
            continue;
        }
        bool late = now.wall.us - n->key > p->rule->misfire_threshold.us;
        agenda_put(&e->agenda, n, late ? AGENDA_LATE : AGENDA_READY, urgency(now.mono, p->priority, late));
    }
}

static void cancel_running(struct engine *e)
{
    void *t = NULL;
    e->cancelled_all = true;
    for (size_t i = 0; (i = map_next(&e->tasks.by_id, i, &t)) != 0;)
        if (((struct task *)t)->state == TASK_RUNNING)
            dispatch_cancel(e, t, CANCEL_BY_SHUTDOWN);
}

static void take_inbox(struct engine *e, struct moment now)
{
    struct duration grace = {0};
    bool stopping = inbox_take(&e->inbox, &e->todo, &grace);
    struct task *t;
    while ((t = task_queue_pop(&e->todo.heard)) != NULL)
        finish_take(e, t, now);
    if (stopping && !e->draining) {
        e->draining = true;
        e->drain_until = mono_add(now.mono, grace);
        LOG_INFO("engine stops starting runs", LOG_INT("running", e->in_flight), LOG_DUR("grace", grace));
    }
    if (e->draining && !e->cancelled_all && now.mono.us >= e->drain_until.us)
        cancel_running(e);
}

// True when there may be more to do at once.
static bool work(struct engine *e)
{
    if (e->batch_state == BATCH_UNKNOWN) {
        if (unknown_resolve(e, &e->batch))
            e->batch_state = BATCH_IDLE;
        return e->batch_state == BATCH_IDLE;
    }
    poke_apply(e);
    if (store_resting(e, clock_mono(e->clock)))
        return false;
    promote(e, engine_now(e));
    ends_give(e);
    bool more = flush_run(e) || e->todo.jobs.n + e->todo.runs.n > 0;
    ends_give(e); // what was refused above
    more = share_step(e) || more; // after what is due
    return rezone_step(e) || more;
}

static void earlier(struct instant *t, struct instant other)
{
    if (other.us < t->us)
        *t = other;
}

static struct instant mono_to_wall(struct mono m, struct moment now)
{
    return instant_add(now.wall, mono_since(m, now.mono));
}

static struct instant next_wake(const struct engine *e, bool more)
{
    struct moment now = engine_now(e);
    struct instant wake = INSTANT_NEVER;
    const struct agenda_node *deadline = agenda_top(&e->agenda, AGENDA_DEADLINES);
    const struct agenda_node *due = agenda_top(&e->agenda, AGENDA_DUE);
    if (deadline)
        earlier(&wake, mono_to_wall((struct mono){deadline->key}, now));
    if (e->draining && !e->cancelled_all)
        earlier(&wake, mono_to_wall(e->drain_until, now));
    if (share_deadline(e).us != INT64_MAX)
        earlier(&wake, mono_to_wall(share_deadline(e), now));
    if (store_resting(e, now.mono)) {
        earlier(&wake, mono_to_wall(e->store_retry, now));
        return wake;
    }
    if (due && !e->draining)
        earlier(&wake, (struct instant){due->key});
    if (more)
        earlier(&wake, now.wall);
    return wake;
}

static void status_publish(struct engine *e, struct instant wake)
{
    struct engine_status s = {
        .plans = (int64_t)e->entries.by_id.n,
        .ready = (int64_t)(agenda_count(&e->agenda, AGENDA_READY) + agenda_count(&e->agenda, AGENDA_LATE)),
        .running = e->in_flight,
        .queued = e->queued,
        .slots = slots_count(&e->entries.slots),
        .next_wake = wake,
        .last_tick = e->last_wall,
        .store_ok = e->store_failures == 0,
        .draining = e->draining,
    };
    meter_status(&s);
    WITH_LOCK(&e->inbox.lock);
    e->status = s;
}

struct instant engine_tick(struct engine *e)
{
    struct moment now = engine_now(e);
    bool more = false;
    clock_check(e, now);
    take_inbox(e, now);
    ends_collect(e);
    interests_apply(e);
    share_apply(e);
    share_watch_lease(e, now.mono);
    deadlines_check(e, now.mono);
    if (!store_resting(e, now.mono))
        more = work(e);
    struct instant wake = next_wake(e, more);
    status_publish(e, wake);
    return wake;
}

bool engine_at_rest(const struct engine *e)
{
    return e->in_flight == 0 && e->ended.n == 0 && e->batch_state == BATCH_IDLE && ends_idle(e);
}

static bool engine_finished(struct engine *e, struct moment now)
{
    if (!e->draining)
        return false;
    if (now.mono.us >= mono_add(e->drain_until, duration_s(DRAIN_EXTRA_S)).us)
        return true; // what is left is found LOST by the next start
    const struct log_buffer *logs = inbox_logs(&e->inbox);
    return engine_at_rest(e) && logs->sent == logs->n;
}

void engine_run(struct engine *e)
{
    (void)prctl(PR_SET_TIMERSLACK, TIMER_SLACK_NS); // of this thread; a kernel without it wakes us a little later
    ends_start(e);
    for (;;) {
        struct instant wake = engine_tick(e);
        struct moment now = engine_now(e);
        if (engine_finished(e, now))
            break;
        struct duration sleep = instant_is_never(wake) ? duration_s(CLOCK_CHECK_S) : instant_since(wake, now.wall);
        if (sleep.us > CLOCK_CHECK_S * US_PER_S)
            sleep = duration_s(CLOCK_CHECK_S);
        if (sleep.us > 0)
            (void)waker_wait(&e->inbox.waker, sleep);
    }
    ends_stop(e);
}

void engine_hold(struct engine *e, bool held)
{
    if (atomic_exchange(&e->hold, held) != held)
        waker_wake(&e->inbox.waker);
}

void engine_poke_jobs(struct engine *e, const struct ulid *ids, size_t n)
{
    inbox_poke(&e->inbox, INBOX_JOBS, ids, n);
}

void engine_poke_new_jobs(struct engine *e, const struct ulid *ids, size_t n, struct instant soonest)
{
    if (instant_is_never(soonest))
        return;
    inbox_leave(&e->inbox, INBOX_JOBS, ids, n);
    if (instant_since(soonest, clock_now(e->clock)).us <= CLOCK_CHECK_S * US_PER_S)
        waker_wake(&e->inbox.waker);
}

void engine_poke_run(struct engine *e, struct ulid run_id)
{
    inbox_poke(&e->inbox, INBOX_RUNS, &run_id, 1);
}

void engine_cancel_run(struct engine *e, struct ulid run_id)
{
    inbox_poke(&e->inbox, INBOX_CANCELS, &run_id, 1);
}

void engine_zones_changed(struct engine *e)
{
    inbox_zones(&e->inbox);
}

void engine_stop(struct engine *e, struct duration grace)
{
    inbox_stop(&e->inbox, grace);
}

void engine_status(struct engine *e, struct engine_status *ret)
{
    WITH_LOCK(&e->inbox.lock);
    *ret = e->status;
}
