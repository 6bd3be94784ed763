// SPDX-License-Identifier: Apache-2.0
// The decisions about an occurrence of a job in the order in which the engine takes them. See explain.h.
#include "app/explain.h"

#include "app/job.h"
#include "app/schedule.h"
#include "engine/slots.h"
#include "jobs/breakers.h"

const char *const explain_verdict_names[] = {"YES", "NO", "NOTE", NULL};

struct tracing {
    struct app *app;
    const struct job *j;
    const struct plan *plan;
    struct explain *e;
    struct arena *a;
    struct instant now;
};

static void step(struct tracing *t, const char *name, int verdict, struct str detail, struct str remedy)
{
    if (t->e->n < EXPLAIN_STEPS_MAX)
        t->e->v[t->e->n++] = (struct explain_step){name, verdict, detail, remedy};
    if (verdict == EXPLAIN_NO && t->e->runs) {
        t->e->runs = false;
        t->e->summary = detail;
    }
}

static struct str command(struct tracing *t, const char *verb)
{
    char id[ULID_TEXT_MAX];
    return arena_fmt(t->a, "chronos job %s %s", verb, ulid_format(t->j->id, id));
}

static void ask_state(struct tracing *t)
{
    static const char *const words[] = {
        [JOB_STATE_PAUSED] = "the job is paused: its schedule is not followed",
        [JOB_STATE_CANCELLED] = "the job was cancelled: its schedule is not followed"};
    if (t->plan->enabled)
        step(t, "enabled", EXPLAIN_YES, STR("the job is enabled"), STR_NONE);
    else
        step(t, "enabled", EXPLAIN_NO, STR("the job is not enabled: its schedule is not followed"),
             arena_fmt(t->a, "set \"enabled\": true with %.*s", STR_ARG(command(t, "edit"))));
    if (t->plan->state == JOB_STATE_ACTIVE)
        step(t, "state", EXPLAIN_YES, STR("the schedule is followed"), STR_NONE);
    else
        step(t, "state", EXPLAIN_NO, str_of(words[t->plan->state]), command(t, "resume"));
}

static void ask_schedule(struct tracing *t)
{
    char at[INSTANT_TEXT_MAX], other[INSTANT_TEXT_MAX];
    struct occurrence *v;
    if (t->j->schedule.kind == SCHEDULE_MANUAL) {
        step(t, "schedule", EXPLAIN_NO, STR("the job has no schedule: it starts by hand only"),
             command(t, "run"));
        return;
    }
    if (instant_is_never(t->e->at)) {
        step(t, "schedule", EXPLAIN_NO, STR("the schedule has ended, or never fires"), command(t, "edit"));
        return;
    }
    bool pending = t->e->at.us == t->plan->next_fire.us;
    size_t n = app_job_occurrences(t->app, t->j, (struct instant){t->e->at.us - 1}, 1, &v, t->a);
    (void)instant_format(t->e->at, at);
    if (pending || (n == 1 && v[0].at.us == t->e->at.us))
        step(t, "schedule", EXPLAIN_YES, arena_fmt(t->a, "the schedule fires at %s", at), STR_NONE);
    else
        step(t, "schedule", EXPLAIN_NO,
             n == 1 ? arena_fmt(t->a, "the schedule does not fire at %s; the next time is %s", at,
                                instant_format(v[0].at, other))
                    : arena_fmt(t->a, "the schedule does not fire at %s, nor later", at),
             STR_NONE);
    if (n == 1 && v[0].note.p && v[0].at.us == t->e->at.us)
        step(t, "schedule", EXPLAIN_NOTE, v[0].note, STR_NONE);
}

static void ask_misfire(struct tracing *t)
{
    char due[INSTANT_TEXT_MAX];
    if (t->plan->next_fire.us > t->now.us) {
        if (t->e->at.us < t->now.us)
            step(t, "misfire", EXPLAIN_NO,
                 STR("that instant is past and was decided: its run, or the decision not to run, "
                     "is in the list of runs"),
                 arena_fmt(t->a, "chronos run list --job %.*s", STR_ARG(t->j->name)));
        return;
    }
    int64_t late_s = (t->now.us - t->plan->next_fire.us) / US_PER_S;
    bool missed = late_s > t->plan->schedule.misfire_threshold_seconds;
    step(t, "misfire", EXPLAIN_NOTE,
         arena_fmt(t->a, "an occurrence is due since %s%s", instant_format(t->plan->next_fire, due),
                   missed ? "; it counts as missed, and the misfire policy decides about it" : ""),
         STR_NONE);
}

static void ask_running(struct tracing *t, const struct run *r)
{
    char id[ULID_TEXT_MAX];
    int64_t s = instant_is_never(r->start) ? 0 : (t->now.us - r->start.us) / US_PER_S;
    struct str since = arena_fmt(t->a, "run %s is %s for %lld s", ulid_format(r->id, id),
                                 r->status == RUN_RUNNING ? "running" : "waiting", (long long)s);
    struct str end = arena_fmt(t->a, "chronos run cancel %s", id);
    switch (t->plan->concurrency) {
    case CONCURRENCY_FORBID:
        step(t, "concurrency", EXPLAIN_NO,
             arena_fmt(t->a, "%.*s, and the policy FORBID skips a start meanwhile", STR_ARG(since)), end);
        break;
    case CONCURRENCY_QUEUE:
        step(t, "concurrency", EXPLAIN_NOTE,
             arena_fmt(t->a, "%.*s, and the policy QUEUE lets the next one wait for its end", STR_ARG(since)),
             end);
        break;
    case CONCURRENCY_REPLACE:
        step(t, "concurrency", EXPLAIN_NOTE,
             arena_fmt(t->a, "%.*s, and the policy REPLACE ends it for the next one", STR_ARG(since)),
             STR_NONE);
        break;
    default:
        step(t, "concurrency", EXPLAIN_NOTE,
             arena_fmt(t->a, "%.*s; the policy ALLOW starts others beside it", STR_ARG(since)), STR_NONE);
    }
}

static bool ask_concurrency(struct tracing *t, struct err *err)
{
    static const int active[] = {RUN_RUNNING, RUN_QUEUED};
    size_t found = 0;
    for (size_t i = 0; i < 2 && found == 0; i++) {
        struct run_filter f = {.job_id = t->j->id, .status = active[i]};
        struct page p = {.size = 1};
        struct page_result page;
        struct run *v;
        if (!t->app->store->ops->runs_list(t->app->store, &f, &p, &v, &found, &page, t->a, err))
            return false;
        if (found > 0)
            ask_running(t, &v[0]);
    }
    if (found == 0)
        step(t, "concurrency", EXPLAIN_YES, STR("no run of the job is active"), STR_NONE);
    return true;
}

// The host of a target: "https://host:443" → "host".
static struct str host_of(struct str target)
{
    const char *at = memmem(target.p, target.n, "://", 3);
    struct str rest, host = at ? (struct str){at + 3, (size_t)(target.p + target.n - at) - 3} : target;
    return str_split(host, ':', &rest);
}

static bool ask_breakers(struct tracing *t, struct err *err)
{
    struct breaker_row *v;
    size_t n = 0, open = 0;
    char until[INSTANT_TEXT_MAX], id[ULID_TEXT_MAX];
    if (t->app->breakers && !breakers_list(t->app->breakers, &v, &n, t->a, err))
        return false;
    for (size_t i = 0; i < n; i++) {
        struct str host = host_of(v[i].target);
        if (v[i].state != BREAKER_OPEN || host.n == 0 || !str_contains(t->j->payload, host))
            continue;
        open++;
        step(t, "breaker", EXPLAIN_NO,
             arena_fmt(t->a,
                       "calls to %.*s are held back until %s, after %lld failures in a row: a run would fail",
                       STR_ARG(v[i].target), instant_format(v[i].until, until), (long long)v[i].failures),
             arena_fmt(t->a, "chronos breaker reset %s", ulid_format(v[i].id, id)));
    }
    if (open == 0)
        step(t, "breaker", EXPLAIN_YES, STR("no circuit breaker holds its target back"), STR_NONE);
    return true;
}

// The node that decides for the job, as the living ones divide the jobs among them.
static bool ask_node(struct tracing *t, struct err *err)
{
    struct node *v;
    size_t n = 0;
    struct instant now;
    struct view view = {.n = 0};
    if (!t->app->cluster.cluster) {
        step(t, "node", EXPLAIN_YES,
             arena_fmt(t->a, "this server (%.*s) decides", STR_ARG(t->app->cluster.node_name)), STR_NONE);
        return true;
    }
    if (!t->app->store->ops->nodes_list(t->app->store, &v, &n, &now, t->a, err))
        return false;
    for (size_t i = 0; i < n; i++)
        if (v[i].state == NODE_ACTIVE && v[i].lease_until.us > now.us)
            view_add(&view, v[i].token);
    int64_t owner = view_owner(&view, slot_of(t->j->id));
    for (size_t i = 0; i < n; i++)
        if (v[i].token == owner && owner != 0) {
            step(t, "node", EXPLAIN_YES, arena_fmt(t->a, "node %.*s decides", STR_ARG(v[i].name)), STR_NONE);
            return true;
        }
    step(t, "node", EXPLAIN_NO, STR("no living node takes jobs: all are draining or gone"),
         STR("chronos node list"));
    return true;
}

bool app_job_explain(struct app *app, const struct caller *c, struct ulid id, struct instant at,
                     struct explain *ret, struct arena *a, struct err *err)
{
    struct job j;
    struct plan *plan;
    size_t n = 0;
    char text[INSTANT_TEXT_MAX];
    if (!app_job_get(app, c, ACTION_JOB_READ, id, &j, a, err) ||
        !app->store->ops->plans_get(app->store, &id, 1, &plan, &n, a, err))
        return false;
    if (n == 0)
        return ERR(err, ERR_CONFLICT, "the job was deleted meanwhile");
    *ret = (struct explain){.at = instant_is_never(at) ? plan->next_fire : at, .runs = true};
    struct tracing t = {.app = app, .j = &j, .plan = plan, .e = ret, .a = a, .now = clock_now(app->clock)};
    ask_state(&t);
    ask_schedule(&t);
    ask_misfire(&t);
    if (!ask_concurrency(&t, err) || !ask_breakers(&t, err) || !ask_node(&t, err))
        return false;
    if (ret->runs)
        ret->summary = arena_fmt(a, "it would run at %s", instant_format(ret->at, text));
    return true;
}
