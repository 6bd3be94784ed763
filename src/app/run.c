// SPDX-License-Identifier: Apache-2.0
// Runs by hand, looking at runs, cancelling them. Rules: app/run.h.
#include "app/run.h"

#include "app/feature.h"
#include "app/audit.h"
#include "app/job.h"
#include "app/limits.h"
#include "model/parameter.h"
#include "model/trace.h"

void run_make(struct app *app, const struct job *j, int trigger, struct instant at, struct str inputs,
              struct run *ret)
{
    struct ulid key = app_id(app);
    *ret = (struct run){
        .id = run_id_of(j->id, at, key, 1),
        .job_id = j->id,
        .job_name = j->name,
        .job_version = j->version,
        .scheduled = at,
        .first_scheduled = at,
        .occurrences = 1,
        .due = at,
        .start = INSTANT_NEVER,
        .end = INSTANT_NEVER,
        .attempt = 1,
        .status = RUN_QUEUED,
        .trigger = trigger,
        .priority = j->priority,
        .exit_code = FIELD_ABSENT,
        .inputs = inputs,
        .run_key = key,
    };
    run_derive(ret);
}

// A run that somebody starts, starts again or cancels; its job's name is what people know it by.
static void run_noted(struct app *app, const struct caller *c, const char *action, const struct run *r, struct str name,
                      struct str detail, struct arena *a)
{
    struct audit_note note = {
        .action = action, .entity_type = "run", .entity_id = r->id, .entity_name = name, .detail = detail};
    audit_with(app, c, &note, a);
}

// After the commit: the engine takes it up, streams learn of it.
static bool run_queue(struct app *app, struct run *r, struct err *err)
{
    if (!app->store->ops->run_insert(app->store, r, err))
        return false;
    app_poke_run(app, r->id);
    topic_run_changed(app->topic, r->id, r->job_id, RUN_QUEUED);
    return true;
}

bool run_start_allowed(struct app *app, const struct caller *c, struct ulid owner, struct err *err)
{
    // What a job or a message starts was allowed where it came from.
    return c->way == WAY_NONE || (app_feature_want(app, FEATURE_RUN_NOW, err) && app_limit_run(app, owner, err));
}

bool run_inputs_take(const struct job *j, const struct run_start *s, struct str *ret, struct arena *a,
                     struct err *err)
{
    struct parameters p = {0};
    struct faults *mine = arena_new(a, struct faults);
    *ret = s->inputs;
    if (!j->parameters.p || !mine)
        return mine || ERR(err, ERR_TOO_LARGE, "the request needs more memory than one request may have");
    faults_init(mine, a);
    if (!parameters_read(j->parameters, STR("/parameters"), &p, mine))
        return ERR(err, ERR_CORRUPT, "the parameters of the job cannot be read: edit the job");
    if (p.n == 0)
        return true;
    *ret = parameters_take(&p, s->inputs, s->drop_unknown, mine);
    for (size_t i = 0; s->faults && i < mine->n; i++)
        faults_add(s->faults, mine->v[i].pointer, "%.*s", STR_ARG(mine->v[i].detail));
    if (!faults_any(mine))
        return true;
    (void)ERR(err, ERR_INVALID, "%.*s %.*s", STR_ARG(mine->v[0].pointer), STR_ARG(mine->v[0].detail));
    return s->faults ? false : err_at(err, arena_cstr(a, mine->v[0].pointer));
}

bool app_run_start(struct app *app, const struct caller *c, const struct run_start *s, struct run *ret,
                   struct arena *a, struct err *err)
{
    struct job j;
    if (!app_job_get(app, c, ACTION_JOB_RUN, s->job_id, &j, a, err))
        return false;
    if (s->inputs.n > RUN_INPUTS_MAX) {
        (void)ERR(err, ERR_INVALID, "\"parameters\" has %zu bytes; at most %d are allowed", s->inputs.n,
                  RUN_INPUTS_MAX);
        return err_at(err, "/parameters");
    }
    struct instant at = instant_is_never(s->at) ? clock_now(app->clock) : s->at;
    struct run r;
    struct str inputs;
    if (!run_inputs_take(&j, s, &inputs, a, err) || !run_start_allowed(app, c, j.owner_id, err))
        return false;
    run_make(app, &j, s->trigger, at, trace_inputs(inputs, c->trace_parent, c->trace_state, a), &r);
    if (!ulid_is_zero(s->id))
        r.id = r.run_key = s->id;
    run_noted(app, c, "run.start", &r, j.name, STR_NONE, a);
    if (!run_queue(app, &r, err))
        return false;
    *ret = r;
    return true;
}

static bool no_such_run(struct ulid id, struct err *err)
{
    char text[ULID_TEXT_MAX];
    return ERR(err, ERR_NOT_FOUND, "run \"%s\" does not exist", ulid_format(id, text));
}

// Loads a run for an action; absence and lack of reach give the same answer.
static bool run_read(struct app *app, const struct caller *c, enum action action, struct ulid id, struct ulid job_id,
                     struct run *ret, struct arena *a, struct err *err)
{
    enum reach reach;
    if (!app_authorize(c, action, &reach, err))
        return false;
    struct run r;
    struct err why = {0};
    bool ok = app->store->ops->run_get(app->store, id, &r, a, &why);
    if (ok && !ulid_is_zero(job_id) && !ulid_eq(r.job_id, job_id))
        return no_such_run(id, err);
    if (!ok || !app_job_reachable(app, c, action, r.job_id, a, &why)) {
        if (why.code == ERR_NOT_FOUND)
            return no_such_run(id, err);
        *err = why;
        return false;
    }
    run_derive(&r);
    *ret = r;
    return true;
}

bool app_run_get(struct app *app, const struct caller *c, struct ulid id, struct ulid job_id, struct run *ret,
                 struct arena *a, struct err *err)
{
    return run_read(app, c, ACTION_RUN_READ, id, job_id, ret, a, err);
}

static struct str again_of(const struct run *old, struct arena *a)
{
    char text[ULID_TEXT_MAX];
    return arena_fmt(a, "again what was run %s", ulid_format(old->id, text));
}

bool app_run_retry(struct app *app, const struct caller *c, struct ulid id, struct run *ret, struct arena *a,
                   struct err *err)
{
    struct run old, r;
    struct job j;
    if (!run_read(app, c, ACTION_JOB_RUN, id, ULID_ZERO, &old, a, err))
        return false;
    if (!run_status_final(old.status))
        return ERR(err, ERR_CONFLICT, "the run has not ended yet; cancel it first or wait for its end");
    struct err why = {0};
    if (!app_job_get(app, c, ACTION_JOB_RUN, old.job_id, &j, a, &why)) {
        if (why.code == ERR_NOT_FOUND)
            return ERR(err, ERR_CONFLICT, "the job of this run was deleted; it cannot run again");
        *err = why;
        return false;
    }
    if (!run_start_allowed(app, c, j.owner_id, err))
        return false;
    struct str inputs = trace_inputs(old.inputs, c->trace_parent, c->trace_state, a);
    run_make(app, &j, TRIGGER_REPLAY, clock_now(app->clock), inputs, &r);
    run_noted(app, c, "run.retry", &r, j.name, again_of(&old, a), a);
    if (!run_queue(app, &r, err))
        return false;
    *ret = r;
    return true;
}

bool app_runs_list(struct app *app, const struct caller *c, struct run_filter *f, const struct page *p,
                   struct run **ret, size_t *ret_n, struct page_result *ret_page, struct arena *a, struct err *err)
{
    enum reach reach;
    if (!app_authorize(c, ACTION_RUN_READ, &reach, err))
        return false;
    if (!ulid_is_zero(f->job_id) && !app_job_reachable(app, c, ACTION_RUN_READ, f->job_id, a, err))
        return false;
    f->owner_id = app_owner_filter(c, reach);
    f->teams = c->teams;
    f->n_teams = c->n_teams;
    struct run *v;
    size_t n = 0;
    if (!app->store->ops->runs_list(app->store, f, p, &v, &n, ret_page, a, err))
        return false;
    for (size_t i = 0; i < n; i++)
        run_derive(&v[i]);
    *ret = v;
    *ret_n = n;
    return true;
}

bool run_cancel_one(struct app *app, const struct run *r, enum run_cancel_result *ret, struct err *err)
{
    enum run_cancel_result result;
    if (!app->store->ops->run_cancel(app->store, r->id, clock_now(app->clock), &result, err))
        return false;
    if (result == CANCEL_REQUESTED && app->engine)
        engine_cancel_run(app->engine, r->id);
    if (result == CANCEL_REQUESTED)
        app_wake_others(app);
    if (result == CANCEL_DONE) {
        app_poke_run(app, r->id);
        topic_run_changed(app->topic, r->id, r->job_id, RUN_CANCELLED);
    }
    if (ret)
        *ret = result;
    return true;
}

bool app_run_cancel(struct app *app, const struct caller *c, struct ulid id, struct run *ret, struct arena *a,
                    struct err *err)
{
    struct run r;
    if (!run_read(app, c, ACTION_RUN_CANCEL, id, ULID_ZERO, &r, a, err))
        return false;
    enum run_cancel_result result;
    run_noted(app, c, "run.cancel", &r, r.job_name, STR_NONE, a);
    if (!run_cancel_one(app, &r, &result, err))
        return false;
    if (result == CANCEL_NO_SUCH_RUN)
        return no_such_run(id, err);
    if (result == CANCEL_ALREADY_FINAL)
        return ERR(err, ERR_CONFLICT, "the run has already ended; there is nothing to cancel");
    struct run after;
    struct err ignored = {0};
    if (app->store->ops->run_get(app->store, id, &after, a, &ignored))
        r = after;
    else if (result == CANCEL_DONE)
        r.status = RUN_CANCELLED; // committed, whatever reading it back says
    run_derive(&r);
    *ret = r;
    return true;
}

bool app_logs_read(struct app *app, struct ulid run_id, int64_t after, size_t max, struct log_line **ret,
                   size_t *ret_n, struct arena *a, struct err *err)
{
    return app->store->ops->logs_read(app->store, run_id, after, max, ret, ret_n, a, err);
}

bool app_run_status(struct app *app, struct ulid run_id, int *ret_status, struct arena *a, struct err *err)
{
    struct run r;
    if (!app->store->ops->run_get(app->store, run_id, &r, a, err))
        return false;
    *ret_status = r.status;
    return true;
}
