// SPDX-License-Identifier: Apache-2.0
// Jobs over REST: decoding definitions, one or many, and showing jobs.
#include "app/job.h"

#include "api/handlers.h"
#include "api/problem.h"
#include "app/once.h"
#include "app/payload.h"
#include "app/schedule.h"

void warnings_write(struct call *c, const struct strs *warnings)
{
    struct sbuf *out = call_out(c);
    sbuf_puts(out, ",\"warnings\":[");
    for (size_t i = 0; i < warnings->n; i++) {
        list_next(c, i);
        sbuf_json(out, warnings->v[i]);
    }
    sbuf_putc(out, ']');
}

static void write_members(struct call *c, const struct job *j, const struct strs *warnings)
{
    struct job shown = *j;
    shown.payload = payload_shown(j, c->a);
    sbuf_putc(call_out(c), '{');
    (void)field_encode_members(&job_fields, &shown, FIELD_ENCODE_API, call_out(c));
    if (warnings && warnings->n > 0)
        warnings_write(c, warnings);
}

void job_write(struct call *c, const struct job *j, const struct strs *warnings)
{
    write_members(c, j, warnings);
    sbuf_putc(call_out(c), '}');
}

// What would be stored, and when it would fire.
static void dry_run_write(struct call *c, const struct job_draft *d)
{
    struct sbuf *out = call_out(c);
    struct occurrence *v;
    struct instant now = clock_now(c->app->clock);
    size_t n = app_job_occurrences(c->app, &d->job, now, PREVIEW_COUNT_DEFAULT, &v, c->a);
    write_members(c, &d->job, &d->warnings);
    sbuf_puts(out, ",\"dryRun\":true,\"nextFireTimes\":[");
    for (size_t i = 0; i < n; i++) {
        char text[INSTANT_TEXT_MAX];
        list_next(c, i);
        sbuf_json(out, str_of(instant_format_offset(v[i].at, v[i].offset_s, text)));
    }
    sbuf_puts(out, "]}");
    c->resp->status = 200;
}

static void job_location(struct call *c, struct ulid id)
{
    char text[ULID_TEXT_MAX];
    call_header(c, "Location", arena_fmt(c->a, "/api/v1/jobs/%s", ulid_format(id, text)));
}

void job_created(struct call *c, const struct job *j, const struct strs *warnings)
{
    job_location(c, j->id);
    call_etag(c, j->version);
    job_write(c, j, warnings);
}

bool api_job_create(struct call *c, struct err *err)
{
    struct job_draft d = {.id = app_once_id()};
    bool dry_run = query_bool(c, "dryRun", false);
    CLEANUP_JSON json_t *v = NULL;
    if (!call_json(c, &v, err))
        return false;
    d.bad = !field_decode(&job_fields, v, FIELD_DECODE_STRICT, STR(""), &d.job, c->a, &c->faults);
    if (d.bad && !call_faulty(c, err))
        return false;
    if (!app_jobs_prepare(c->app, &c->caller, &d, 1, &c->faults, c->a, err) || !call_faulty(c, err))
        return false;
    if (dry_run) {
        dry_run_write(c, &d);
        return true;
    }
    if (!app_jobs_insert(c->app, &c->caller, &d, 1, c->a, err))
        return false;
    job_created(c, &d.job, &d.warnings);
    return true;
}

// The array of a batch; NULL with a fault when there is none.
static json_t *batch_array(struct call *c, json_t *v)
{
    const char *key;
    json_t *member, *jobs = json_object_get(v, "jobs");
    json_object_foreach(v, key, member)
        if (member != jobs)
            faults_add(&c->faults, arena_fmt(c->a, "/%s", key), "is unknown; a batch has \"jobs\" only");
    size_t n = json_array_size(jobs);
    if (!json_is_array(jobs) || n == 0 || n > JOBS_BATCH_MAX)
        faults_add(&c->faults, STR("/jobs"), "must be a list of 1 to %d jobs", JOBS_BATCH_MAX);
    return faults_any(&c->faults) ? NULL : jobs;
}

static void batch_decode(struct call *c, const json_t *v, size_t i, struct job_draft *d, struct faults *faults)
{
    d->base = arena_fmt(c->a, "/jobs/%zu", i);
    d->bad = !field_decode(&job_fields, v, FIELD_DECODE_STRICT, d->base, &d->job, c->a, faults);
}

static bool batch_whole(struct call *c, json_t *jobs, struct job_draft *v, size_t n, bool dry_run, struct err *err)
{
    for (size_t i = 0; i < n && c->faults.n < FAULTS_MAX; i++)
        batch_decode(c, json_array_get(jobs, i), i, &v[i], &c->faults);
    if (c->faults.n < FAULTS_MAX && !app_jobs_prepare(c->app, &c->caller, v, n, &c->faults, c->a, err))
        return false;
    if (!call_faulty(c, err))
        return false;
    if (!dry_run && !app_jobs_insert(c->app, &c->caller, v, n, c->a, err))
        return false;
    sbuf_puts(call_out(c), "{\"content\":[");
    for (size_t i = 0; i < n; i++) {
        list_next(c, i);
        job_write(c, &v[i].job, &v[i].warnings);
    }
    sbuf_puts(call_out(c), dry_run ? "],\"dryRun\":true}" : "]}");
    if (dry_run)
        c->resp->status = 200;
    return true;
}

static void result_write(struct call *c, const struct job_draft *d, struct str problem)
{
    struct sbuf *out = call_out(c);
    char text[ULID_TEXT_MAX];
    if (!d->bad)
        sbuf_fmt(out, "{\"id\":\"%s\"}", ulid_format(d->job.id, text));
    else
        sbuf_fmt(out, "{\"problem\":%.*s}", STR_ARG(problem));
}

// Each job for itself: the good ones are stored together, the others are answered with their problem.
static bool batch_partial(struct call *c, json_t *jobs, struct job_draft *v, size_t n, bool dry_run, struct err *err)
{
    struct str *problems = arena_new_array(c->a, struct str, n);
    struct job_draft *good = arena_new_array(c->a, struct job_draft, n);
    size_t n_good = 0;
    if (!problems || !good)
        return ERR(err, ERR_TOO_LARGE, "the request needs more memory than one request may have; send fewer jobs");
    for (size_t i = 0; i < n; i++) {
        struct faults faults;
        faults_init(&faults, c->a);
        batch_decode(c, json_array_get(jobs, i), i, &v[i], &faults);
        if (!app_jobs_prepare(c->app, &c->caller, &v[i], 1, &faults, c->a, err))
            return false;
        if (!v[i].bad) {
            good[n_good++] = v[i];
            continue;
        }
        struct problem p = {.status = 400, .detail = STR("the job has faults"), .faults = &faults};
        struct sbuf text;
        sbuf_init(&text, c->a, FIELD_MAX_DEFAULT);
        problem_write(&p, STR_NONE, NULL, &text);
        problems[i] = sbuf_str(&text);
    }
    if (!dry_run && n_good > 0 && !app_jobs_insert(c->app, &c->caller, good, n_good, c->a, err))
        return false;
    sbuf_puts(call_out(c), "{\"results\":[");
    for (size_t i = 0; i < n; i++) {
        list_next(c, i);
        result_write(c, &v[i], problems[i]);
    }
    sbuf_puts(call_out(c), "]}");
    c->resp->status = 200;
    return true;
}

bool api_jobs_batch(struct call *c, struct err *err)
{
    bool partial = query_bool(c, "partial", false), dry_run = query_bool(c, "dryRun", false);
    CLEANUP_JSON json_t *body = NULL;
    if (!call_json(c, &body, err))
        return false;
    json_t *jobs = batch_array(c, body);
    if (!jobs)
        return call_faulty(c, err);
    size_t n = json_array_size(jobs);
    struct job_draft *v = arena_new_array(c->a, struct job_draft, n);
    if (!v)
        return ERR(err, ERR_TOO_LARGE, "the request needs more memory than one request may have; send fewer jobs");
    return partial ? batch_partial(c, jobs, v, n, dry_run, err) : batch_whole(c, jobs, v, n, dry_run, err);
}

bool api_jobs_list(struct call *c, struct err *err)
{
    struct page p;
    struct job_filter f = {
        .name = query_str(c, "name"), .type = query_str(c, "type"), .tag = query_str(c, "tag"),
        .status = query_enum(c, "status", job_status_names)};
    query_page(c, &job_fields, &p);
    struct job *v;
    size_t n = 0;
    struct page_result r = {0};
    if (!call_faulty(c, err) || !app_jobs_list(c->app, &c->caller, &f, &p, &v, &n, &r, c->a, err))
        return false;
    list_begin(c);
    for (size_t i = 0; i < n; i++) {
        list_next(c, i);
        job_write(c, &v[i], NULL);
    }
    list_end(c, &p, &r);
    return true;
}

bool api_job_get(struct call *c, struct err *err)
{
    struct ulid id;
    struct job j;
    if (!call_id(c, 0, &id, err) || !app_job_get(c->app, &c->caller, ACTION_JOB_READ, id, &j, c->a, err))
        return false;
    call_etag(c, j.version);
    job_write(c, &j, NULL);
    return true;
}

static bool stale(struct err *err)
{
    return ERR(err, ERR_STALE, "If-Match names no version of this job; read it again and send its ETag");
}

// Stores a decoded definition and answers the job.
static bool replace(struct call *c, struct job_edit *e, struct job_draft *d, struct err *err)
{
    e->dry_run = query_bool(c, "dryRun", false);
    if (!app_job_replace(c->app, &c->caller, e, d, &c->faults, c->a, err))
        return false;
    if (e->dry_run) {
        dry_run_write(c, d);
        return true;
    }
    call_etag(c, d->job.version);
    job_write(c, &d->job, &d->warnings);
    return true;
}

// What a GET answers may be sent back: members that only the server sets are left out of a definition.
static void drop_read_only(json_t *v)
{
    for (size_t i = 0; i < job_fields.n; i++)
        if (job_fields.v[i].flags & (FIELD_READ_ONLY | FIELD_HIDDEN))
            json_object_del(v, job_fields.v[i].name);
}

bool api_job_replace(struct call *c, struct err *err)
{
    struct job_edit e = {.if_version = call_if_match(c)};
    struct job_draft d = {0};
    CLEANUP_JSON json_t *v = NULL;
    if (!call_id(c, 0, &e.id, err) || !call_json(c, &v, err))
        return false;
    struct job seen;
    if (!app_job_get(c->app, &c->caller, ACTION_JOB_WRITE, e.id, &seen, c->a, err))
        return false;
    if (e.if_version < 0)
        return stale(err);
    drop_read_only(v);
    (void)field_decode(&job_fields, v, FIELD_DECODE_STRICT, STR(""), &d.job, c->a, &c->faults);
    if (!json_object_get(v, "teamId"))
        d.job.team_id = seen.team_id; // who does not know of teams takes no job out of one
    return call_faulty(c, err) && replace(c, &e, &d, err);
}

bool api_job_patch(struct call *c, struct err *err)
{
    struct job_edit e = {.if_version = call_if_match(c)};
    struct job_draft d = {0};
    struct job old;
    bool asked = e.if_version != 0;
    CLEANUP_JSON json_t *patch = NULL, *v = NULL;
    if (!call_id(c, 0, &e.id, err) || !call_json(c, &patch, err) ||
        !app_job_get(c->app, &c->caller, ACTION_JOB_WRITE, e.id, &old, c->a, err))
        return false;
    if (e.if_version < 0 || (asked && e.if_version != old.version))
        return stale(err);
    struct sbuf text;
    sbuf_init(&text, c->a, 2 * JOB_PAYLOAD_MAX);
    field_encode(&job_fields, &old, FIELD_ENCODE_STORED, &text);
    if (!sbuf_ok(&text) || !json_parse(sbuf_str(&text), &v, err))
        return sbuf_ok(&text) ? false : ERR(err, ERR_TOO_LARGE, "the job is too large to be patched; replace it");
    drop_read_only(v);
    json_merge_patch(&v, patch);
    (void)field_decode(&job_fields, v, FIELD_DECODE_STRICT, STR(""), &d.job, c->a, &c->faults);
    if (!call_faulty(c, err))
        return false;
    e.if_version = old.version; // the patch was applied to this version and fits no other
    struct err why = {0};
    if (replace(c, &e, &d, &why))
        return true;
    *err = why;
    if (why.code == ERR_STALE && !asked)
        return ERR(err, ERR_CONFLICT, "somebody changed the job at the same time; try again");
    return false;
}

bool api_job_delete(struct call *c, struct err *err)
{
    struct ulid id;
    int64_t version = call_if_match(c);
    struct job seen;
    if (!call_id(c, 0, &id, err))
        return false;
    if (version < 0)
        return app_job_get(c->app, &c->caller, ACTION_JOB_WRITE, id, &seen, c->a, err) && stale(err);
    return app_job_delete(c->app, &c->caller, id, version, c->a, err);
}

typedef bool job_action(struct app *app, const struct caller *c, struct ulid id, struct job *ret, struct arena *a,
                        struct err *err);

static bool act(struct call *c, job_action *action, struct err *err)
{
    struct ulid id;
    struct job j;
    if (!call_id(c, 0, &id, err) || !action(c->app, &c->caller, id, &j, c->a, err))
        return false;
    call_etag(c, j.version);
    job_write(c, &j, NULL);
    return true;
}

bool api_job_pause(struct call *c, struct err *err) { return act(c, app_job_pause, err); }
bool api_job_resume(struct call *c, struct err *err) { return act(c, app_job_resume, err); }
bool api_job_cancel(struct call *c, struct err *err) { return act(c, app_job_cancel, err); }
