// SPDX-License-Identifier: Apache-2.0
// Reading and doing one request. Rules: stream/request.h.
#include "stream/request.h"

#include "app/job.h"
#include "app/run.h"
#include "base/json.h"

enum request_action { REQUEST_CREATE, REQUEST_RUN };
static const char *const action_names[] = {"create", "run", NULL};

struct request {
    int action;
    struct str job; // of create
    struct ulid job_id;
    struct str job_name, parameters;
    struct instant run_at;
};

#define T struct request
static const struct field request_rows[] = {
    FIELD_ENUM(T, action, "action", action_names, .flags = FIELD_REQUIRED, .doc = "What to do."),
    FIELD_JSON(T, job, "job", .max = KAFKA_VALUE_MAX, .doc = "create: the job, as in POST /jobs."),
    FIELD_ID(T, job_id, "jobId", .doc = "run: which job."),
    FIELD_STR(T, job_name, "jobName", .max = JOB_NAME_MAX, .doc = "run: its name, when one job has it."),
    FIELD_JSON(T, parameters, "parameters", .max = RUN_INPUTS_MAX,
               .doc = "run: object of values for {{param.NAME}}."),
    FIELD_INSTANT(T, run_at, "runAt", .doc = "run: when to start; at once when absent or past."),
};
#undef T
static const struct fields request_fields =
    FIELDS("Request", struct request, request_rows, .doc = "A request from a topic.");

bool request_caller(struct app *app, struct str email, struct caller *ret, struct arena *a, struct err *err)
{
    struct user u;
    struct err why = {0};
    bool found = app->store->ops->user_by_email(app->store, email, &u, a, &why);
    if (!found && why.code != ERR_NOT_FOUND) {
        *err = why;
        return false;
    }
    if (!found || !u.enabled)
        return ERR(err, ERR_CONFIG, "the user \"%.*s\" of kafka.requestsUser does not exist or is disabled",
                   STR_ARG(email));
    *ret = (struct caller){.signed_in = true,
                           .user_id = u.id,
                           .email = u.email,
                           .roles = user_role_bits(&u),
                           .teams = u.teams,
                           .n_teams = u.n_teams,
                           .remote = STR("kafka")};
    return true;
}

// ---- identity ----------------------------------------------------------------------------------

// Equal on every node and for ever, so a constant, not a secret.
static const uint8_t id_salt[16] = "chronos request";

// What the message makes when its time is `days_before` days earlier.
static struct ulid id_of(const struct kafka_message *m, struct instant at, int days_before, struct arena *a)
{
    struct str both = arena_fmt(a, "%.*s\n%.*s", STR_ARG(m->topic), STR_ARG(m->key));
    int64_t day = at.us / US_PER_S / S_PER_DAY - days_before;
    return ulid_derive(instant_s(day > 0 ? day * S_PER_DAY : 0), id_salt, both.p, both.n);
}

// When the message was sent; its sender may be wrong, but it was not sent in the future.
static struct instant time_of(const struct app *app, const struct kafka_message *m)
{
    struct instant now = clock_now(app->clock);
    return m->at.us < now.us ? m->at : now;
}

static bool id_known(struct app *app, int action, struct ulid id, bool *ret, struct arena *a, struct err *err)
{
    struct job j;
    struct run r;
    struct err why = {0};
    const struct store_ops *ops = app->store->ops;
    *ret = action == REQUEST_CREATE ? ops->job_get(app->store, id, &j, a, &why)
                                    : ops->run_get(app->store, id, &r, a, &why);
    if (*ret || why.code == ERR_NOT_FOUND)
        return true;
    *err = why;
    return false;
}

static bool was_done(struct app *app, int action, const struct kafka_message *m, bool *ret, struct arena *a,
                     struct err *err)
{
    struct instant at = time_of(app, m);
    *ret = false;
    for (int day = 0; day <= REQUEST_MEMORY_DAYS && !*ret; day++)
        if (!id_known(app, action, id_of(m, at, day, a), ret, a, err))
            return false;
    return true;
}

// ---- doing -------------------------------------------------------------------------------------

static bool create(struct app *app, const struct caller *c, const struct kafka_message *m, const json_t *job,
                   struct faults *faults, struct arena *a, struct err *err)
{
    struct job_draft d = {.id = id_of(m, time_of(app, m), 0, a)};
    d.bad = !field_decode(&job_fields, job, FIELD_DECODE_STRICT, STR("/job"), &d.job, a, faults);
    d.base = STR("/job");
    if (!app_jobs_prepare(app, c, &d, 1, faults, a, err))
        return false;
    if (faults_any(faults))
        return ERR(err, ERR_INVALID, "the job has faults");
    return app_jobs_insert(app, c, &d, 1, a, err);
}

// Names are not unique: only one that a single job has among those the caller may see will do.
static bool job_by_name(struct app *app, const struct caller *c, struct str name, struct ulid *ret,
                        struct arena *kept, struct err *err)
{
    struct job_filter f = {.name = name, .status = -1};
    struct page p = {.size = PAGE_SIZE_MAX};
    struct page_result page = {0};
    struct ulid id = ULID_ZERO;
    struct arena a;
    size_t same = 0;
    bool ok = true;
    arena_init(&a, REQUEST_ARENA);
    do {
        struct job *v;
        size_t n = 0;
        ok = app_jobs_list(app, c, &f, &p, &v, &n, &page, &a, err);
        for (size_t i = 0; ok && i < n; i++)
            if (str_eq(v[i].name, name)) {
                id = v[i].id;
                same++;
            }
        p.cursor = ok && page.next_cursor.p ? arena_str(kept, page.next_cursor) : STR_NONE;
        arena_reset(&a);
    } while (ok && p.cursor.p && same < 2);
    arena_release(&a);
    if (ok && same == 1) {
        *ret = id;
        return true;
    }
    if (ok)
        (void)ERR(err, same ? ERR_INVALID : ERR_NOT_FOUND, "%s named \"%.*s\"%s",
                  same ? "several jobs are" : "no job is", STR_ARG(name), same ? ": give \"jobId\"" : "");
    return false;
}

static bool run(struct app *app, const struct caller *c, const struct kafka_message *m,
                const struct request *r, struct faults *faults, struct arena *a, struct err *err)
{
    struct run_start s = {.job_id = r->job_id,
                          .at = r->run_at,
                          .trigger = TRIGGER_API,
                          .inputs = r->parameters,
                          .id = id_of(m, time_of(app, m), 0, a)};
    struct run made;
    bool by_id = !ulid_is_zero(r->job_id), by_name = r->job_name.n > 0;
    if (by_id == by_name)
        faults_add(faults, STR(""), "\"run\" needs either \"jobId\" or \"jobName\"");
    if (r->parameters.p && (r->parameters.n == 0 || r->parameters.p[0] != '{'))
        faults_add(faults, STR("/parameters"), "must be an object");
    if (faults_any(faults))
        return ERR(err, ERR_INVALID, "the request has faults");
    return (by_id || job_by_name(app, c, r->job_name, &s.job_id, a, err)) &&
           app_run_start(app, c, &s, &made, a, err);
}

static bool read_request(const struct kafka_message *m, json_t **ret, struct request *r,
                         struct faults *faults, struct arena *a, struct err *err)
{
    if (m->too_large)
        return ERR(err, ERR_TOO_LARGE, "the message is larger than %d bytes", KAFKA_VALUE_MAX);
    if (m->key.n == 0 || m->key.n > REQUEST_KEY_MAX)
        return ERR(err, ERR_INVALID,
                   "the message needs a key of 1 to %d bytes: it makes the request idempotent",
                   REQUEST_KEY_MAX);
    if (!json_parse(m->value.p ? m->value : STR(""), ret, err))
        return false;
    if (!field_decode(&request_fields, *ret, FIELD_DECODE_STRICT, STR(""), r, a, faults))
        return ERR(err, ERR_INVALID, "the request has faults");
    if (r->action == REQUEST_CREATE && !json_is_object(json_object_get(*ret, "job")))
        faults_add(faults, STR("/job"), "is required with \"create\": the job to make");
    return !faults_any(faults) || ERR(err, ERR_INVALID, "the request has faults");
}

// Whether the message is to blame. What is not, passes.
static bool refused(enum err_code code)
{
    switch (code) {
    case ERR_INVALID:
    case ERR_UNAUTHENTICATED:
    case ERR_DENIED:
    case ERR_NOT_FOUND:
    case ERR_CONFLICT:
    case ERR_STALE:
    case ERR_TOO_LARGE:
    case ERR_UNPROCESSABLE:
    case ERR_INTERNAL:
        return true;
    default:
        return false;
    }
}

static struct str reason_of(const struct err *err, const struct faults *faults, struct arena *a)
{
    struct sbuf out;
    sbuf_init(&out, a, 4 * REQUEST_REASON_MAX);
    sbuf_puts(&out, err->text);
    for (size_t i = 0; i < faults->n && out.n < REQUEST_REASON_MAX; i++)
        sbuf_fmt(&out, "%s%.*s: %.*s", i ? "; " : ": ", STR_ARG(faults->v[i].pointer),
                 STR_ARG(faults->v[i].detail));
    struct str s = sbuf_str(&out);
    return str_of_n(s.p, str_utf8_cut(s, REQUEST_REASON_MAX));
}

enum request_result request_act(struct app *app, const struct caller *c, const struct kafka_message *m,
                                struct str *ret_reason, struct arena *a)
{
    struct faults *faults = arena_new(a, struct faults);
    struct request r;
    struct err err = {0};
    CLEANUP_JSON json_t *v = NULL;
    bool known = false, made = false;
    must(faults);
    faults_init(faults, a);
    bool ok = read_request(m, &v, &r, faults, a, &err) && was_done(app, r.action, m, &known, a, &err);
    if (ok && !known) {
        ok = made = r.action == REQUEST_CREATE ? create(app, c, m, json_object_get(v, "job"), faults, a, &err)
                                               : run(app, c, m, &r, faults, a, &err);
        ok = ok ||
             err.code == ERR_CONFLICT; // nobody but a request gives such an id: it was done at the same time
    }
    if (ok)
        return made ? REQUEST_DONE : REQUEST_REPEATED;
    *ret_reason = reason_of(&err, faults, a);
    return refused(err.code) ? REQUEST_REFUSED : REQUEST_LATER;
}
