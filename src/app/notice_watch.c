// SPDX-License-Identifier: Apache-2.0
// Slow, overdue, gone.
#include "app/notice_watch.h"

enum {
    LOOK_ARENA = 64 * 1024 * 1024,
    PLANS_MAX = 200,
    RUNS_PAGE = 500,
    RUNS_PAGES_MAX = 40,
    NOTICES_MAX = 1000,
    TOLD_MAX = 20000,       // then everything is forgotten
    HISTORY = 50,
    NODE_RECENT_S = 600,    // how long an ended lease is news
    PERCENT = 100,
    P95 = 95,
};

struct look {
    struct notice_watch *w;
    struct app *app;
    const struct desk *desk;
    struct arena a;
    struct instant now;
    struct notice *v;
    size_t n;
    struct err *err;
};

void notice_watch_init(struct notice_watch *w) { map_init(&w->told); }
void notice_watch_release(struct notice_watch *w) { map_release(&w->told); }

static bool is_wanted(const struct look *l, int event) { return (desk_wanted(l->desk) & notice_bit(event)) != 0; }

static struct ulid told_key(int event, struct ulid id)
{
    struct {
        struct ulid id;
        int64_t event;
    } key = {id, event};
    return map_key(&key, sizeof key);
}

static void notice(struct look *l, const struct notice *n)
{
    struct ulid key = told_key(n->event, n->run_id);
    if (l->n == NOTICES_MAX || map_get(&l->w->told, key))
        return;
    if (l->w->told.n >= TOLD_MAX) {
        map_release(&l->w->told);
        map_init(&l->w->told);
    }
    (void)map_put(&l->w->told, key, l->w);
    l->v[l->n++] = *n;
}

// ---- overdue -----------------------------------------------------------------------------------

static bool overdue_plans(struct look *l)
{
    static const uint8_t key[16] = "chronos overdue "; // fixed: every node derives the same
    struct plan *v;
    size_t n;
    struct store *s = l->app->store;
    struct duration grace = duration_s(-OVERDUE_GRACE_S);
    if (!s->ops->plans_overdue(s, instant_add(l->now, grace), PLANS_MAX, &v, &n, &l->a, l->err))
        return false;
    for (size_t i = 0; i < n; i++) {
        int64_t jitter = v[i].schedule.jitter_seconds == FIELD_ABSENT ? 0 : v[i].schedule.jitter_seconds;
        if (instant_add(v[i].next_fire, duration_s(jitter + OVERDUE_GRACE_S)).us >= l->now.us ||
            !desk_wants(l->desk, v[i].job_id, NOTICE_OVERDUE))
            continue;
        notice(l, &(struct notice){.event = NOTICE_OVERDUE,
                                   .at = v[i].next_fire,
                                   .job_id = v[i].job_id,
                                   .run_id = ulid_derive(v[i].next_fire, key, &v[i].job_id, sizeof v[i].job_id),
                                   .message = STR("it should have started and did not")});
    }
    return true;
}

// ---- runs --------------------------------------------------------------------------------------

static int by_length(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

// What is usual for the job; 0: not known.
static struct duration usual(struct look *l, struct ulid job_id)
{
    struct run_filter f = {.job_id = job_id, .status = RUN_SUCCEEDED};
    struct page p = {.size = HISTORY};
    struct page_result ignored;
    struct err why = {0};
    struct run *v;
    size_t n = 0;
    int64_t took[HISTORY];
    struct store *s = l->app->store;
    if (!s->ops->runs_list(s, &f, &p, &v, &n, &ignored, &l->a, &why) || n < SLOW_HISTORY_MIN)
        return (struct duration){0};
    for (size_t i = 0; i < n; i++)
        took[i] = instant_since(v[i].end, v[i].start).us;
    qsort(took, n, sizeof took[0], by_length);
    struct duration most = {SLOW_FACTOR * took[(n - 1) * P95 / PERCENT]};
    return most.us > duration_s(SLOW_AT_LEAST_S).us ? most : duration_s(SLOW_AT_LEAST_S);
}

static void slow_run(struct look *l, const struct run *r)
{
    struct job j;
    struct err why = {0};
    struct store *s = l->app->store;
    struct duration ran = instant_since(l->now, r->start);
    if (ran.us < US_PER_S || map_get(&l->w->told, told_key(NOTICE_SLOW, r->id)) ||
        !desk_wants(l->desk, r->job_id, NOTICE_SLOW) || !s->ops->job_get(s, r->job_id, &j, &l->a, &why))
        return;
    struct duration most = j.expected_seconds > 0 ? duration_s(j.expected_seconds) : usual(l, r->job_id);
    if (most.us > 0 && ran.us > most.us)
        notice(l, &(struct notice){.event = NOTICE_SLOW,
                                   .at = instant_add(r->start, most),
                                   .job_id = r->job_id,
                                   .run_id = r->id,
                                   .message = arena_fmt(&l->a, "it was expected to take at most %lld s",
                                                        (long long)(most.us / US_PER_S))});
}

static void late_run(struct look *l, const struct run *r)
{
    if (instant_add(r->due, duration_s(OVERDUE_GRACE_S)).us < l->now.us &&
        desk_wants(l->desk, r->job_id, NOTICE_OVERDUE))
        notice(l, &(struct notice){.event = NOTICE_OVERDUE,
                                   .at = r->due,
                                   .job_id = r->job_id,
                                   .run_id = r->id,
                                   .message = STR("it waits and was not started")});
}

static bool unfinished_runs(struct look *l)
{
    struct ulid after = ULID_ZERO;
    struct store *s = l->app->store;
    size_t n = RUNS_PAGE;
    for (int page = 0; page < RUNS_PAGES_MAX && n == RUNS_PAGE; page++) {
        struct run *v;
        if (!s->ops->runs_unfinished(s, after, RUNS_PAGE, &v, &n, &l->a, l->err))
            return false;
        for (size_t i = 0; i < n; i++)
            if (v[i].status == RUN_RUNNING && is_wanted(l, NOTICE_SLOW) && !instant_is_never(v[i].start))
                slow_run(l, &v[i]);
            else if (v[i].status == RUN_QUEUED && is_wanted(l, NOTICE_OVERDUE))
                late_run(l, &v[i]);
        after = n > 0 ? v[n - 1].id : after;
    }
    return true;
}

// ---- nodes -------------------------------------------------------------------------------------

static bool dead_nodes(struct look *l)
{
    static const uint8_t key[16] = "chronos gonenode"; // fixed: every node derives the same
    struct node *v;
    size_t n;
    struct instant now;
    struct store *s = l->app->store;
    if (!s->ops->nodes_list(s, &v, &n, &now, &l->a, l->err))
        return false;
    for (size_t i = 0; i < n; i++)
        if (v[i].state == NODE_DEAD && instant_since(now, v[i].lease_until).us < duration_s(NODE_RECENT_S).us)
            notice(l, &(struct notice){.event = NOTICE_NODE_DOWN,
                                       .at = v[i].lease_until,
                                       .run_id = ulid_derive(v[i].lease_until, key, &v[i].token, sizeof v[i].token),
                                       .message = v[i].name});
    return true;
}

static bool look(struct look *l)
{
    if (is_wanted(l, NOTICE_OVERDUE) && !overdue_plans(l))
        return false;
    if ((is_wanted(l, NOTICE_OVERDUE) || is_wanted(l, NOTICE_SLOW)) && !unfinished_runs(l))
        return false;
    if (is_wanted(l, NOTICE_NODE_DOWN) && !l->app->store->exclusive && !dead_nodes(l))
        return false;
    struct store *s = l->app->store;
    return s->ops->notices_put(s, l->v, l->n, l->err);
}

bool notice_watch_look(struct notice_watch *w, struct app *app, const struct desk *d, struct err *err)
{
    const uint32_t ours = notice_bit(NOTICE_OVERDUE) | notice_bit(NOTICE_SLOW) | notice_bit(NOTICE_NODE_DOWN);
    struct look l = {.w = w, .app = app, .desk = d, .now = clock_now(app->clock), .err = err};
    if (!(desk_wanted(d) & ours))
        return true;
    arena_init(&l.a, LOOK_ARENA);
    l.v = arena_new_array(&l.a, struct notice, NOTICES_MAX);
    bool ok = l.v ? look(&l) : ERR(err, ERR_UNAVAILABLE, "no memory to look at runs");
    if (!ok) { // nothing of it was written
        map_release(&w->told);
        map_init(&w->told);
    }
    arena_release(&l.a);
    return ok;
}
