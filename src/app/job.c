// SPDX-License-Identifier: Apache-2.0
// Jobs: checking definitions, computing their plans, storing and changing them. Rules: app/job.h.
#include "app/job.h"

#include "app/audit.h"
#include "app/cached.h"
#include "app/chain.h"
#include "app/owner.h"
#include "app/limits.h"
#include "app/payload.h"
#include "app/run.h"
#include "app/schedule.h"
#include "app/secret.h"

enum { STALE_RETRIES_MAX = 3, DRAFT_WARNINGS_MAX = JOB_TAGS_MAX + 16, CANCEL_PAGE = PAGE_SIZE_MAX };

static void draft_warn(struct job_draft *d, struct arena *a, struct str text)
{
    if (!d->warnings.v)
        d->warnings.v = arena_new_array(a, struct str, DRAFT_WARNINGS_MAX);
    if (d->warnings.v && text.p && d->warnings.n < DRAFT_WARNINGS_MAX)
        d->warnings.v[d->warnings.n++] = text;
}

// model/ checks one document, whose pointers start at its root; here it may be one of many.
static void faults_rebase(struct faults *f, size_t from, struct str base)
{
    if (base.n == 0)
        return;
    for (size_t i = from; i < f->n; i++)
        f->v[i].pointer = arena_fmt(f->a, "%.*s%.*s", STR_ARG(base), STR_ARG(f->v[i].pointer));
}

static void draft_check_words(struct job_draft *d, struct arena *a)
{
    const struct strs *words = &d->job.retry_policy.retry_on;
    for (size_t i = 0; i < words->n; i++)
        if (!retry_word_known(words->v[i]))
            draft_warn(
                d, a,
                arena_fmt(a, "retryOn \"%.*s\" is no failure class that Chronos reports; it never matches",
                          STR_ARG(words->v[i])));
}

// A schedule with faults of form would only be reported twice by compiling it.
static bool schedule_readable(const struct faults *f, size_t from)
{
    for (size_t i = from; i < f->n; i++)
        if (str_starts(f->v[i].pointer, STR("/schedule")))
            return false;
    return true;
}

// Looks for the secrets a definition names. The first failure of the store is kept for its end.
struct secret_look {
    struct app *app;
    struct ulid owner;
    struct arena *a;
    struct err *err;
    bool failed;
};

static bool secret_known(void *ctx, struct str name)
{
    struct secret_look *l = ctx;
    bool exists = true;
    if (!l->failed && !secret_exists(l->app, l->owner, name, &exists, l->a, l->err))
        l->failed = true;
    return exists;
}

// Everything that one definition alone can break. Returns its first occurrence after `after` in *ret_next. False: the
// store could not be asked.
static bool draft_check(struct app *app, struct job_draft *d, struct instant after, struct schedule_memo *memo,
                        struct instant *ret_next, struct faults *faults, struct arena *a, struct err *err)
{
    size_t from = faults->n;
    struct job *j = &d->job;
    struct secret_look look = {.app = app, .owner = j->owner_id, .a = a, .err = err};
    const struct secret_names secrets = {secret_known, &look};
    job_check(j, faults);
    struct str payload = job_payload_check(j, &secrets, faults, a);
    if (look.failed || !app_chain_check(app, j, faults, a, err))
        return false;
    if (payload.p)
        j->payload = payload;
    struct instant next = INSTANT_NEVER;
    const struct schedule *s = NULL;
    if (schedule_readable(faults, from)) {
        struct schedule_origin origin = schedule_origin_of(j);
        s = schedule_memo_get(memo, &j->schedule, &origin, STR("/schedule"), faults);
        next = s ? schedule_next(s, after) : INSTANT_NEVER;
    }
    faults_rebase(faults, from, d->base);
    d->bad = faults->n > from || faults->n == FAULTS_MAX;
    if (d->bad)
        return true;
    draft_check_words(d, a);
    // A ONCE job in the past is the misfire policy's business, a MANUAL one never fires on purpose.
    bool repeats = j->schedule.kind != SCHEDULE_MANUAL && j->schedule.kind != SCHEDULE_ONCE;
    struct strs doubts = repeats && s ? schedule_memo_warnings(memo, s, after, a) : (struct strs){0};
    for (size_t i = 0; i < doubts.n; i++)
        draft_warn(d, a, doubts.v[i]);
    *ret_next = next;
    return true;
}

bool app_job_check(struct app *app, struct job *j, struct faults *faults, struct arena *a, struct err *err)
{
    struct job_draft *d = arena_new(a, struct job_draft);
    struct schedule_memo memo;
    struct instant next;
    if (!d)
        return ERR(err, ERR_TOO_LARGE, "the request needs more memory than one request may have");
    *d = (struct job_draft){.job = *j};
    schedule_memo_init(&memo, app->zones);
    bool asked = draft_check(app, d, clock_now(app->clock), &memo, &next, faults, a, err);
    schedule_memo_release(&memo);
    *j = d->job;
    return asked;
}

static void draft_plan(struct job_draft *d, struct instant next_fire)
{
    d->plan = (struct plan){.state = JOB_STATE_ACTIVE, .next_fire = next_fire};
    plan_of_job(&d->job, &d->plan);
    d->job.next_fire_time = next_fire;
    d->job.status = job_status_of(&d->plan, NULL);
}

// Whose a draft is to be: the team's it names, else `otherwise`. A fault of the draft when the caller may not give the
// team anything; false: the store could not be asked.
static bool draft_owner(struct app *app, const struct caller *c, enum reach reach, struct job_draft *d,
                        struct ulid otherwise, struct faults *faults, struct arena *a, struct err *err)
{
    struct err why = {0};
    d->job.owner_id = ulid_is_zero(d->job.team_id) ? otherwise : d->job.team_id;
    if (ulid_is_zero(d->job.team_id) || owner_team_check(app, c, reach, d->job.team_id, "/teamId", a, &why))
        return true;
    if (why.code != ERR_INVALID) {
        *err = why;
        return false;
    }
    faults_add_err(faults, d->base, &why);
    d->bad = true;
    return true;
}

bool app_jobs_prepare(struct app *app, const struct caller *c, struct job_draft *v, size_t n,
                      struct faults *faults, struct arena *a, struct err *err)
{
    enum reach reach;
    if (!app_authorize(c, ACTION_JOB_WRITE, &reach, err))
        return false;
    struct instant now = clock_now(app->clock);
    struct schedule_memo memo;
    schedule_memo_init(&memo, app->zones);
    bool ok = true;
    for (size_t i = 0; ok && i < n; i++) {
        struct job *j = &v[i].job;
        j->id = ulid_is_zero(v[i].id) ? app_id(app) : v[i].id;
        j->owner_id = c->user_id;
        ok = v[i].bad || draft_owner(app, c, reach, &v[i], c->user_id, faults, a, err);
        j->version = 1;
        j->created_at = j->updated_at = now;
        j->last_run_id = ULID_ZERO;
        j->run_count = 0;
        struct instant next = INSTANT_NEVER;
        if (!ok || v[i].bad)
            continue;
        ok = draft_check(app, &v[i], now, &memo, &next, faults, a, err);
        if (j->schedule.kind == SCHEDULE_ONCE)
            next = j->schedule.run_at;
        if (ok && !v[i].bad)
            draft_plan(&v[i], next);
    }
    schedule_memo_release(&memo);
    return ok;
}

// before or after may be NULL: it is new, or it goes.
static void job_noted(struct app *app, const struct caller *c, const char *action, const struct job *before,
                      const struct job *after, struct arena *a)
{
    const struct job *j = after ? after : before;
    struct audit_note note = {.action = action,
                              .entity_type = "job",
                              .entity_id = j->id,
                              .entity_name = j->name,
                              .fields = &job_fields,
                              .before = before,
                              .after = after};
    audit_with(app, c, &note, a);
}

bool app_jobs_insert(struct app *app, const struct caller *c, const struct job_draft *v, size_t n,
                     struct arena *a, struct err *err)
{
    enum reach reach;
    if (!app_authorize(c, ACTION_JOB_WRITE, &reach, err))
        return false;
    bool counted = n > 0 && c->way != WAY_NONE; // what a message brings was counted where it came from
    if (counted && !app_limit_jobs(app, v->job.owner_id, (int64_t)n, err))
        return false;
    struct ulid *ids = arena_new_array(a, struct ulid, n);
    struct job *jobs = n == 1 ? NULL : arena_new_array(a, struct job, n);
    struct plan *plans = n == 1 ? NULL : arena_new_array(a, struct plan, n);
    if (!ids || (n != 1 && (!jobs || !plans)))
        return ERR(err, ERR_TOO_LARGE,
                   "the request needs more memory than one request may have; send fewer jobs");
    struct instant soonest = INSTANT_NEVER;
    for (size_t i = 0; i < n; i++) {
        must(!v[i].bad);
        ids[i] = v[i].job.id;
        if (v[i].plan.next_fire.us < soonest.us)
            soonest = v[i].plan.next_fire;
        if (n != 1) {
            jobs[i] = v[i].job;
            plans[i] = v[i].plan;
        }
    }
    for (size_t i = 0; i < n; i++)
        job_noted(app, c, "job.create", NULL, &v[i].job, a);
    if (!app->store->ops->jobs_insert(app->store, n == 1 ? &v->job : jobs, n == 1 ? &v->plan : plans, n, err))
        return false;
    if (counted)
        app_limit_jobs_made(app, v->job.owner_id, (int64_t)n);
    app_poke_new_jobs(app, ids, n, soonest);
    return true;
}

static bool no_such_job(struct ulid id, struct err *err)
{
    char text[ULID_TEXT_MAX];
    return ERR(err, ERR_NOT_FOUND, "job \"%s\" does not exist", ulid_format(id, text));
}

// Whatever the store says about the absence of a job, everybody hears the same sentence.
static bool job_read(struct app *app, const struct caller *c, enum reach reach, struct ulid id,
                     struct job *ret, struct arena *a, struct err *err)
{
    struct job j;
    struct err why = {0};
    if (!app->store->ops->job_get(app->store, id, &j, a, &why)) {
        if (why.code == ERR_NOT_FOUND)
            return no_such_job(id, err);
        *err = why;
        return false;
    }
    if (reach != REACH_ALL && !caller_owns(c, j.owner_id))
        return no_such_job(id, err);
    *ret = j;
    return true;
}

bool app_job_get(struct app *app, const struct caller *c, enum action action, struct ulid id, struct job *ret,
                 struct arena *a, struct err *err)
{
    enum reach reach;
    return app_authorize(c, action, &reach, err) && job_read(app, c, reach, id, ret, a, err);
}

bool app_job_reachable(struct app *app, const struct caller *c, enum action action, struct ulid id,
                       struct arena *a, struct err *err)
{
    enum reach reach;
    struct cache_ticket ticket;
    struct ulid owner;
    if (!app_authorize(c, action, &reach, err))
        return false;
    // Another owner's costs what an absent one costs: nobody shall tell them apart by the time.
    if (cached_job_owner(app, id, &ticket, &owner, a) && (reach == REACH_ALL || caller_owns(c, owner)))
        return true;
    struct job j;
    struct err why = {0};
    if (job_read(app, c, reach, id, &j, a, &why)) {
        cached_job_owner_put(app, id, &ticket, j.owner_id);
        return true;
    }
    if (why.code != ERR_NOT_FOUND) {
        *err = why;
        return false;
    }
    struct run_filter f = {.owner_id = app_owner_filter(c, reach), .teams = c->teams, .n_teams = c->n_teams,
                           .job_id = id, .status = -1};
    struct page one = {.size = 1};
    struct run *runs;
    size_t n = 0;
    struct page_result page;
    if (!app->store->ops->runs_list(app->store, &f, &one, &runs, &n, &page, a, err))
        return false;
    return n > 0 || no_such_job(id, err);
}

bool app_jobs_list(struct app *app, const struct caller *c, struct job_filter *f, const struct page *p,
                   struct job **ret, size_t *ret_n, struct page_result *ret_page, struct arena *a,
                   struct err *err)
{
    enum reach reach;
    if (!app_authorize(c, ACTION_JOB_READ, &reach, err))
        return false;
    f->owner_id = app_owner_filter(c, reach);
    f->teams = c->teams;
    f->n_teams = c->n_teams;
    return app->store->ops->jobs_list(app->store, f, p, ret, ret_n, ret_page, a, err);
}

// The next fire of an edited job; `first` is the first occurrence of the new schedule after now.
static struct instant edited_next_fire(const struct plan *old, const struct job *new_job,
                                       struct instant first, struct instant now)
{
    if (old->next_fire.us <= now.us)
        return old->next_fire; // due and undecided
    if (new_job->schedule.kind != SCHEDULE_ONCE)
        return first;
    bool moved =
        old->schedule.kind != SCHEDULE_ONCE || old->schedule.run_at.us != new_job->schedule.run_at.us;
    return moved ? new_job->schedule.run_at : old->next_fire;
}

// The plan beside a job: state and next fire as stored, which the job's status only hints at.
static bool plan_read(struct app *app, struct ulid id, struct plan *ret, struct arena *a, struct err *err)
{
    struct plan *v;
    size_t n = 0;
    if (!app->store->ops->plans_get(app->store, &id, 1, &v, &n, a, err))
        return false;
    if (n == 0)
        return no_such_job(id, err);
    *ret = v[0];
    return true;
}

// One try: reads the job, fills the draft, writes when the version still is the one read.
static bool replace_once(struct app *app, const struct caller *c, const struct job_edit *e,
                         struct job_draft *d, struct faults *faults, struct arena *a, struct err *err)
{
    struct job old;
    if (!app_job_get(app, c, ACTION_JOB_WRITE, e->id, &old, a, err))
        return false;
    if (e->if_version && old.version != e->if_version)
        return ERR(err, ERR_STALE, "the job has version %lld by now, not %lld; read it again",
                   (long long)old.version, (long long)e->if_version);
    struct plan plan;
    if (!plan_read(app, e->id, &plan, a, err))
        return false;
    struct instant now = clock_now(app->clock), first = INSTANT_NEVER;
    struct job *j = &d->job;
    j->id = old.id;
    j->owner_id = old.owner_id;
    enum reach reach;
    if (!ulid_eq(j->team_id, old.team_id) && (!app_authorize(c, ACTION_JOB_WRITE, &reach, err) ||
                                              !draft_owner(app, c, reach, d, c->user_id, faults, a, err)))
        return false;
    if (d->bad)
        return ERR(err, ERR_INVALID, "the job has %zu fault%s", faults->n, faults->n == 1 ? "" : "s");
    j->created_at = old.created_at;
    j->updated_at = now;
    j->version = old.version + 1;
    j->last_run_id = old.last_run_id;
    j->run_count = old.run_count;
    struct schedule_memo memo;
    schedule_memo_init(&memo, app->zones);
    payload_keep_secrets(&old, j, a);
    d->warnings.n = 0;
    bool asked = draft_check(app, d, now, &memo, &first, faults, a, err);
    schedule_memo_release(&memo);
    if (!asked)
        return false;
    if (d->bad)
        return ERR(err, ERR_INVALID, "the job has %zu fault%s", faults->n, faults->n == 1 ? "" : "s");
    draft_plan(d, edited_next_fire(&plan, j, first, now));
    d->plan.state = plan.state;
    d->plan.last_run = plan.last_run;
    d->plan.run_count = plan.run_count;
    if (e->dry_run)
        return true;
    old.status = j->status; // it follows from the runs, not from the edit
    job_noted(app, c, "job.update", &old, j, a);
    return ulid_eq(j->owner_id, old.owner_id)
               ? app->store->ops->job_update(app->store, j, &d->plan, old.version, err)
               : cached_job_give(app, j, &d->plan, old.version, err);
}

bool app_job_replace(struct app *app, const struct caller *c, const struct job_edit *e, struct job_draft *d,
                     struct faults *faults, struct arena *a, struct err *err)
{
    for (int tries = 0;; tries++) {
        struct err why = {0};
        if (replace_once(app, c, e, d, faults, a, &why))
            break;
        if (why.code != ERR_STALE || e->if_version || tries >= STALE_RETRIES_MAX) {
            *err = why;
            return false;
        }
    }
    if (e->dry_run)
        return true;
    app_poke_jobs(app, &e->id, 1);
    struct job stored;
    struct err ignored = {0};
    if (app_job_get(app, c, ACTION_JOB_READ, e->id, &stored, a, &ignored))
        d->job = stored; // with the status that follows from its runs
    return true;
}

bool app_job_delete(struct app *app, const struct caller *c, struct ulid id, int64_t if_version,
                    struct arena *a, struct err *err)
{
    for (int tries = 0;; tries++) {
        struct job j;
        if (!app_job_get(app, c, ACTION_JOB_WRITE, id, &j, a, err))
            return false;
        if (if_version && j.version != if_version)
            return ERR(err, ERR_STALE, "the job has version %lld by now, not %lld; read it again",
                       (long long)j.version, (long long)if_version);
        struct err why = {0};
        job_noted(app, c, "job.delete", &j, NULL, a);
        if (cached_job_delete(app, id, j.version, &why))
            break;
        if (why.code != ERR_STALE || if_version || tries >= STALE_RETRIES_MAX) {
            *err = why;
            return false;
        }
    }
    app_poke_jobs(app, &id, 1);
    return true;
}

struct new_state {
    const char *action; // of the audit trail
    int state, status;
    struct instant next_fire;
};

static bool set_state(struct app *app, const struct caller *c, const struct job *j, const struct new_state *to,
                      struct job *ret, struct arena *a, struct err *err)
{
    struct job after = *j;
    struct ulid id = j->id;
    after.status = to->status;
    job_noted(app, c, to->action, j, &after, a);
    if (!app->store->ops->job_set_state(app->store, id, to->state, to->next_fire, clock_now(app->clock), err))
        return false;
    app_poke_jobs(app, &id, 1);
    return app_job_get(app, c, ACTION_JOB_READ, id, ret, a, err);
}

bool app_job_pause(struct app *app, const struct caller *c, struct ulid id, struct job *ret, struct arena *a,
                   struct err *err)
{
    struct job j;
    if (!app_job_get(app, c, ACTION_JOB_WRITE, id, &j, a, err))
        return false;
    struct new_state to = {"job.pause", JOB_STATE_PAUSED, JOB_PAUSED, INSTANT_NEVER};
    return set_state(app, c, &j, &to, ret, a, err);
}

bool app_job_resume(struct app *app, const struct caller *c, struct ulid id, struct job *ret, struct arena *a,
                    struct err *err)
{
    struct job j;
    if (!app_job_get(app, c, ACTION_JOB_WRITE, id, &j, a, err))
        return false;
    struct plan plan;
    if (!plan_read(app, id, &plan, a, err))
        return false;
    struct instant next = INSTANT_NEVER;
    if (plan.state == JOB_STATE_CANCELLED) {
        struct occurrence *first;
        if (app_job_occurrences(app, &j, clock_now(app->clock), 1, &first, a) == 1)
            next = first->at;
    }
    struct new_state to = {"job.resume", JOB_STATE_ACTIVE, JOB_PENDING, next};
    return set_state(app, c, &j, &to, ret, a, err);
}

// Cancels every run of the job that has the status; each pass removes what it saw from the list, so the
// number of passes is bounded by the number of runs.
static bool cancel_runs(struct app *app, struct ulid job_id, int status, struct arena *a, struct err *err)
{
    struct run_filter f = {.job_id = job_id, .status = status};
    struct page p = {.size = CANCEL_PAGE};
    do {
        struct run *runs;
        size_t n = 0;
        struct page_result page = {0};
        if (!app->store->ops->runs_list(app->store, &f, &p, &runs, &n, &page, a, err))
            return false;
        for (size_t i = 0; i < n; i++)
            if (!run_cancel_one(app, &runs[i], NULL, err))
                return false;
        p.cursor = page.next_cursor;
    } while (p.cursor.p);
    return true;
}

bool app_job_cancel(struct app *app, const struct caller *c, struct ulid id, struct job *ret, struct arena *a,
                    struct err *err)
{
    struct job j;
    if (!app_job_get(app, c, ACTION_JOB_WRITE, id, &j, a, err))
        return false;
    struct new_state to = {"job.cancel", JOB_STATE_CANCELLED, JOB_CANCELLED, INSTANT_NEVER};
    if (!set_state(app, c, &j, &to, ret, a, err))
        return false;
    return cancel_runs(app, id, RUN_QUEUED, a, err) && cancel_runs(app, id, RUN_RUNNING, a, err) &&
           app_job_get(app, c, ACTION_JOB_READ, id, ret, a, err);
}
