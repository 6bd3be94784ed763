// SPDX-License-Identifier: Apache-2.0
// The users: they write jobs, change them, start and cancel runs. Their calls go straight to the store, as
// the use cases do, and the engine hears of them a moment later. Each remembers what it was promised (eras),
// so that the checkers can compute every due instant by plain arithmetic.
#include "tests/sim/hosts.h"

enum { POKE_LATE_MS = 2000, JOB_ARENA_BUDGET = 1 << 20, JUST_BEFORE_MS = 1500, WORTH_WAITING_S = 1800 };
static const double share_cancels = 0.25, share_by_hand = 0.5; // shares of operations
static const double share_success_starts = 0.15, share_failure_starts = 0.15; // of jobs

struct sim_job *users_job(const struct sim *s, struct ulid id)
{
    struct sim_job *j = map_get(&s->job_index, id);
    must(j != NULL);
    return j;
}

static void poke(struct sim *s, enum event_kind kind, struct ulid id)
{
    bool at_once = sim_chance(s, 0.5);
    struct happening *e = event_add(s, duration_ms(at_once ? 0 : sim_between(s, 0, POKE_LATE_MS)), kind);
    e->id = id;
    hosts_address(s, e);
}

struct instant users_wall(const struct sim *s) { return s->cluster ? hosts_wall(s) : sim_wall(s); }

// First multiple of the step (of the era's grid) strictly after t.
static struct instant grid_after(struct instant origin, struct duration step, struct instant t)
{
    if (t.us < origin.us)
        return origin;
    return (struct instant){origin.us + ((t.us - origin.us) / step.us + 1) * step.us};
}

static void era_open(const struct sim *s, struct sim_job *j, struct instant from, struct duration step)
{
    must(j->n_eras < ERAS_MAX);
    j->rewound |= users_wall(s).us < s->latest.us;
    j->eras[j->n_eras++] = (struct era){from, INSTANT_NEVER, step};
}

static void era_close(struct sim_job *j, struct instant to)
{
    if (j->n_eras > 0 && instant_is_never(j->eras[j->n_eras - 1].to))
        j->eras[j->n_eras - 1].to = to;
}

// ---- writing jobs ------------------------------------------------------------------------------

static void draw_schedule(struct sim *s, struct sim_job *j)
{
    static const int64_t minutes[] = {5, 10, 15, 30, 60};
    double dice = rng_unit(&s->rng);
    struct schedule_spec *spec = &j->job.schedule;
    int64_t every_min = minutes[sim_between(s, 0, 4)];
    j->kind = dice < 0.55   ? SIM_EVERY
              : dice < 0.65 ? SIM_AFTER_END
              : dice < 0.85 ? SIM_CRON
              : dice < 0.93 ? SIM_ONCE
                            : SIM_MANUAL;
    switch (j->kind) {
    case SIM_EVERY:
    case SIM_AFTER_END:
        spec->kind = SCHEDULE_INTERVAL;
        spec->interval_seconds = every_min * 60 + sim_between(s, 0, 59);
        spec->anchor = j->kind == SIM_EVERY ? ANCHOR_START : ANCHOR_END;
        break;
    case SIM_CRON:
        spec->kind = SCHEDULE_CRON;
        spec->cron_expression = every_min == 60   ? STR("0 * * * *")
                                : every_min == 30 ? STR("*/30 * * * *")
                                                  : STR("*/10 * * * *");
        break;
    case SIM_ONCE:
        spec->kind = SCHEDULE_ONCE;
        spec->run_at =
            instant_add(sim_wall(s), duration_ms(sim_between(s, 1, (int64_t)(s->o.hours * 3600e3))));
        break;
    case SIM_MANUAL:
        spec->kind = SCHEDULE_MANUAL;
        break;
    }
}

static struct duration step_of(const struct sim_job *j)
{
    const struct schedule_spec *spec = &j->job.schedule;
    if (j->kind == SIM_EVERY || j->kind == SIM_AFTER_END)
        return duration_s(spec->interval_seconds);
    if (j->kind == SIM_CRON)
        return duration_s(str_is(spec->cron_expression, "0 * * * *")      ? 3600
                          : str_is(spec->cron_expression, "*/30 * * * *") ? 1800
                                                                          : 600);
    return (struct duration){0};
}

// The next fire as the user is told it; for all kinds that have one.
static struct instant first_fire(const struct sim *s, const struct sim_job *j)
{
    switch (j->kind) {
    case SIM_EVERY:
        return grid_after(j->job.created_at, step_of(j), users_wall(s));
    case SIM_AFTER_END:
        return instant_add(users_wall(s), step_of(j));
    case SIM_CRON:
        return grid_after((struct instant){0}, step_of(j), users_wall(s));
    case SIM_ONCE:
        return j->job.schedule.run_at.us > users_wall(s).us ? j->job.schedule.run_at : INSTANT_NEVER;
    case SIM_MANUAL:
        break;
    }
    return INSTANT_NEVER;
}

// Sometimes an earlier job follows; *ret_list is the text for the definition.
static const struct sim_job *draw_follower(struct sim *s, const struct sim_job *j, double chance,
                                           char text[static SIM_LIST_MAX], struct str *ret_list)
{
    char id[ULID_TEXT_MAX];
    if (j == s->jobs || !sim_chance(s, chance))
        return NULL;
    const struct sim_job *target = &s->jobs[sim_between(s, 0, j - s->jobs - 1)];
    (void)snprintf(text, SIM_LIST_MAX, "[{\"job\":\"%s\"}]", ulid_format(target->job.id, id));
    *ret_list = str_of(text);
    return target;
}

static void draw_job(struct sim *s, struct sim_job *j)
{
    struct job *v = &j->job;
    field_defaults(&job_fields, v);
    v->id = ulid_new(sim_wall(s), &s->rng);
    v->name = STR("simulated");
    v->type = STR("DUMMY");
    v->payload = STR("{}");
    v->version = 1;
    v->created_at = v->updated_at = sim_wall(s);
    v->priority = (int)sim_between(s, PRIORITY_LOW, PRIORITY_CRITICAL);
    v->concurrency_policy = (int)sim_between(s, CONCURRENCY_ALLOW, CONCURRENCY_REPLACE);
    v->timeout_seconds = sim_between(s, 60, 1200);
    v->retry_policy.max_attempts = sim_between(s, 0, 4);
    v->retry_policy.backoff_strategy = (int)sim_between(s, BACKOFF_FIXED, BACKOFF_EXPONENTIAL);
    v->retry_policy.backoff_seconds = sim_between(s, 0, 60);
    v->retry_policy.jitter = sim_chance(s, 0.3);
    draw_schedule(s, j);
    v->schedule.misfire_policy = (int)sim_between(s, MISFIRE_FIRE_NOW, MISFIRE_IGNORE);
    v->schedule.max_catch_up = sim_between(s, 1, 10);
    j->on_success = draw_follower(s, j, share_success_starts, j->success, &v->on_success);
    j->on_failure = draw_follower(s, j, share_failure_starts, j->failure, &v->on_failure);
}

static struct plan plan_now(const struct sim *s, const struct sim_job *j)
{
    struct plan p = {.state = JOB_STATE_ACTIVE};
    plan_of_job(&j->job, &p);
    p.next_fire = first_fire(s, j);
    return p;
}

void users_insert_jobs(struct sim *s)
{
    struct err err = {0};
    s->calm = true;
    for (int i = 0; i < s->o.jobs; i++) {
        struct sim_job *j = &s->jobs[i];
        draw_job(s, j);
        (void)map_put(&s->job_index, j->job.id, j);
        struct plan p = plan_now(s, j);
        if (!instant_is_never(p.next_fire))
            era_open(s, j, p.next_fire, step_of(j));
        must(s->store->ops->jobs_insert(s->store, &j->job, &p, 1, &err));
    }
    s->calm = false;
}

// ---- operations --------------------------------------------------------------------------------

static bool plan_read(struct sim *s, const struct sim_job *j, struct plan *ret)
{
    struct err err = {0};
    CLEANUP(arena_release) struct arena a;
    arena_init(&a, JOB_ARENA_BUDGET);
    struct plan *v;
    size_t n;
    must(s->store->ops->plans_get(s->store, &j->job.id, 1, &v, &n, &a, &err));
    if (n == 1)
        *ret = *v; // texts are not looked at
    return n == 1;
}

static void set_state(struct sim *s, struct sim_job *j, int state, struct instant next)
{
    struct err err = {0};
    must(s->store->ops->job_set_state(s->store, j->job.id, state, next, users_wall(s), &err));
    j->job.version++;
    sim_trace(s, state == JOB_STATE_PAUSED ? "pause" : "resume", &j->job.id, sizeof j->job.id);
    poke(s, EVENT_POKE_JOB, j->job.id);
}

static void pause_or_resume(struct sim *s, struct sim_job *j, struct instant next_fire)
{
    if (j->paused) {
        struct instant next = first_fire(s, j);
        set_state(s, j, JOB_STATE_ACTIVE, next);
        if (!instant_is_never(next))
            era_open(s, j, next, step_of(j));
    } else {
        era_close(j, next_fire);
        set_state(s, j, JOB_STATE_PAUSED, INSTANT_NEVER);
    }
    j->paused = !j->paused;
}

static void edit(struct sim *s, struct sim_job *j, struct instant next_fire)
{
    struct err err = {0};
    if (j->paused || j->kind == SIM_MANUAL || j->kind == SIM_ONCE)
        return;
    era_close(j, next_fire);
    if (j->kind != SIM_CRON)
        j->job.schedule.interval_seconds = sim_between(s, 300, 3600);
    else
        j->job.schedule.cron_expression = sim_chance(s, 0.5) ? STR("*/30 * * * *") : STR("0 * * * *");
    int64_t expect = j->job.version++;
    struct plan p = plan_now(s, j);
    must(s->store->ops->job_update(s->store, &j->job, &p, expect, &err));
    era_open(s, j, p.next_fire, step_of(j));
    sim_trace(s, "edit", &j->job.id, sizeof j->job.id);
    poke(s, EVENT_POKE_JOB, j->job.id);
}

// As a restored backup would: the plan says again what was decided already. The identity of the occurrence
// must hold.
static void rewind_plan(struct sim *s, struct sim_job *j, struct instant next_fire)
{
    struct era *e = j->n_eras > 0 ? &j->eras[j->n_eras - 1] : NULL;
    struct run r;
    struct err err = {0};
    CLEANUP(arena_release) struct arena a;
    arena_init(&a, JOB_ARENA_BUDGET);
    if (j->paused || !e || (j->kind != SIM_EVERY && j->kind != SIM_CRON) || instant_is_never(next_fire))
        return;
    struct instant before = {next_fire.us - e->step.us};
    struct ulid id = run_id_of(j->job.id, before, run_key_of(j->job.id, before), 1);
    if (before.us < e->from.us || before.us > users_wall(s).us ||
        !s->store->ops->run_get(s->store, id, &r, &a, &err))
        return;
    j->rewound = true;
    set_state(s, j, JOB_STATE_ACTIVE, before);
}

static void remove_job(struct sim *s, struct sim_job *j, struct instant next_fire)
{
    struct err err = {0};
    if (!sim_chance(s, 0.3))
        return;
    era_close(j, next_fire);
    must(s->store->ops->job_delete(s->store, j->job.id, j->job.version, users_wall(s), &err));
    j->deleted = true;
    sim_trace(s, "delete", &j->job.id, sizeof j->job.id);
    poke(s, EVENT_POKE_JOB, j->job.id);
}

static void start_by_hand(struct sim *s, struct sim_job *j)
{
    struct err err = {0};
    struct instant now = users_wall(s);
    struct ulid key = ulid_new(now, &s->rng);
    struct run r = {.id = run_id_of(j->job.id, now, key, 1),
                    .job_id = j->job.id,
                    .job_version = j->job.version,
                    .scheduled = now,
                    .first_scheduled = now,
                    .occurrences = 1,
                    .due = now,
                    .start = INSTANT_NEVER,
                    .end = INSTANT_NEVER,
                    .attempt = 1,
                    .status = RUN_QUEUED,
                    .trigger = TRIGGER_MANUAL,
                    .priority = j->job.priority,
                    .exit_code = FIELD_ABSENT,
                    .run_key = key,
                    .inputs = STR("{\"by\":\"hand\"}")};
    must(s->store->ops->run_insert(s->store, &r, &err));
    sim_trace(s, "run now", &r.id, sizeof r.id);
    poke(s, EVENT_POKE_RUN, r.id);
}

static void cancel_some_run(struct sim *s)
{
    struct err err = {0};
    enum run_cancel_result result;
    if (s->n_starts == 0)
        return;
    size_t recent = s->n_starts > 50 ? 50 : s->n_starts;
    struct ulid id = s->starts[s->n_starts - 1 - (size_t)sim_between(s, 0, (int64_t)recent - 1)].run_id;
    must(s->store->ops->run_cancel(s->store, id, users_wall(s), &result, &err));
    sim_trace(s, "cancel", &id, sizeof id);
    if (result == CANCEL_DONE || result == CANCEL_REQUESTED)
        poke(s, EVENT_POKE_CANCEL, id);
}

// Changes are made best when the occurrence they are to change is about to be decided by somebody who has not heard.
static bool wait_for_fire(struct sim *s, const struct sim_job *j, struct instant next_fire)
{
    struct duration left = instant_since(next_fire, users_wall(s));
    struct duration early = duration_ms(sim_between(s, 1, JUST_BEFORE_MS));
    if (!s->cluster || instant_is_never(next_fire) || left.us > duration_s(WORTH_WAITING_S).us || left.us < early.us ||
        sim_chance(s, 0.5))
        return false;
    event_add(s, (struct duration){left.us - early.us}, EVENT_OPERATION)->id = j->job.id;
    return true;
}

static void operate_on(struct sim *s, struct sim_job *j, double dice, bool at_once)
{
    struct plan p;
    bool there = !j->deleted && plan_read(s, j, &p);
    // What is due but not decided yet is left alone: deciding about the past is the engine's.
    bool steady = there && p.next_fire.us > users_wall(s).us && j->n_eras < ERAS_MAX - 1;
    if (steady && dice >= share_by_hand && !at_once && wait_for_fire(s, j, p.next_fire))
        return;
    s->result.operations++;
    if (dice < share_cancels)
        cancel_some_run(s);
    else if (there && dice < share_by_hand)
        start_by_hand(s, j);
    else if (steady && dice < 0.7)
        pause_or_resume(s, j, p.next_fire);
    else if (steady && dice < 0.8)
        edit(s, j, p.next_fire);
    else if (steady && dice < 0.92)
        rewind_plan(s, j, p.next_fire);
    else if (steady)
        remove_job(s, j, p.next_fire);
}

void users_operate(struct sim *s, struct ulid job)
{
    bool chosen = !ulid_is_zero(job);
    if (store_memory_crashed(s->store) || !hosts_serve(s))
        return; // the server is down: nothing is acknowledged
    struct sim_job *j = chosen ? users_job(s, job) : &s->jobs[sim_between(s, 0, s->o.jobs - 1)];
    double dice = rng_unit(&s->rng);
    s->calm = true;
    operate_on(s, j, chosen ? share_by_hand + dice * (1 - share_by_hand) : dice, chosen);
    s->calm = false;
}
