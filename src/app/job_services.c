// SPDX-License-Identifier: Apache-2.0
// Services of running jobs. A job may do what its owner may do, as the owner's rights are now.
#include "app/job_services.h"

#include "app/audit.h"
#include "app/job.h"
#include "app/owner.h"
#include "app/run.h"
#include "app/secret.h"
#include "base/sync.h"

enum { ARENA_BUDGET = 1024 * 1024, USES_REMEMBERED = 32 };

// Whether this thread's current run has used this secret before. A run fills its fields in on one thread.
static bool used_before(struct ulid run_id, struct str name)
{
    static _Thread_local struct ulid run;
    static _Thread_local uint64_t names[USES_REMEMBERED];
    static _Thread_local size_t n;
    static const uint8_t salt[16] = "chronos uses ...";
    uint64_t hash = hash_bytes(salt, name.p, name.n);
    if (!ulid_eq(run, run_id))
        n = 0;
    run = run_id;
    for (size_t i = 0; i < n && i < USES_REMEMBERED; i++)
        if (names[i] == hash)
            return true;
    names[n++ % USES_REMEMBERED] = hash;
    return false;
}

static void use_noted(struct app *app, struct str name, const struct attempt *by)
{
    char run[ULID_TEXT_MAX], job[ULID_TEXT_MAX];
    if (used_before(by->run_id, name))
        return;
    struct arena a CLEANUP(arena_release);
    arena_init(&a, ARENA_BUDGET);
    struct audit_note note = {.action = "secret.use",
                              .entity_type = "secret",
                              .entity_name = name,
                              .detail = arena_fmt(&a, "by run %s of job %s", ulid_format(by->run_id, run),
                                                  ulid_format(by->job_id, job))};
    audit_soon(app, NULL, &note, &a);
}

static bool service_secret(void *ctx, struct str name, const struct attempt *by, struct str *ret, struct arena *a,
                           struct err *err)
{
    if (!secret_value(ctx, by->job.owner_id, name, ret, a, err))
        return false;
    use_noted(ctx, name, by);
    return true;
}

// ---- starting jobs -----------------------------------------------------------------------------

static bool owner_of(struct app *app, const struct job *j, struct caller *ret, struct arena *a,
                     struct err *err)
{
    bool found;
    if (!owner_as_caller(app, j->owner_id, &found, ret, a, err))
        return false;
    if (!found)
        return ERR(err, ERR_DENIED,
                   "the owner of job \"%.*s\" does not exist any more or is disabled, so it may start no "
                   "other job",
                   STR_ARG(j->name));
    ret->remote = STR("job");
    return true;
}

// The run a key makes on a day. The same on every node and for ever, so a constant and no secret.
static struct ulid start_id(struct ulid job_id, struct str key, struct instant now, int days_before,
                            struct arena *a)
{
    static const uint8_t salt[16] = "chronos start...";
    char text[ULID_TEXT_MAX];
    struct str both = arena_fmt(a, "%s\n%.*s", ulid_format(job_id, text), STR_ARG(key));
    return ulid_derive(instant_s((now.us / US_PER_S / S_PER_DAY - days_before) * S_PER_DAY), salt, both.p,
                       both.n);
}

static bool started_before(struct app *app, struct ulid job_id, struct str key, struct instant now, bool *ret,
                           struct arena *a, struct err *err)
{
    *ret = false;
    for (int day = 0; day <= START_KEY_DAYS && !*ret; day++) {
        struct run r;
        struct err why = {0};
        *ret = app->store->ops->run_get(app->store, start_id(job_id, key, now, day, a), &r, a, &why);
        if (!*ret && why.code != ERR_NOT_FOUND) {
            *err = why;
            return false;
        }
    }
    return true;
}

static bool service_start_job(void *ctx, const struct attempt *by, struct ulid job_id, struct str inputs,
                              struct str key, struct err *err)
{
    struct app *app = ctx;
    struct arena a CLEANUP(arena_release);
    struct caller owner;
    struct run made;
    struct err why = {0};
    bool known;
    struct instant now = clock_now(app->clock);
    arena_init(&a, ARENA_BUDGET);
    if (!owner_of(app, &by->job, &owner, &a, err) || !started_before(app, job_id, key, now, &known, &a, err))
        return false;
    struct run_start s = {.job_id = job_id,
                          .at = INSTANT_NEVER,
                          .trigger = TRIGGER_API,
                          .inputs = inputs,
                          .drop_unknown = true,
                          .id = start_id(job_id, key, now, 0, &a)};
    if (known || app_run_start(app, &owner, &s, &made, &a, &why) || why.code == ERR_CONFLICT)
        return true; // nobody but a start with this key gives such an id: it was done at the same time
    *err = why;
    return false;
}

// ---- memos -------------------------------------------------------------------------------------

static bool memo_name_ok(struct str name, struct err *err)
{
    return (name.n > 0 && name.n <= MEMO_NAME_MAX) ||
           ERR(err, ERR_INVALID, "the name of a memo has 1 to %d bytes", MEMO_NAME_MAX);
}

static bool service_memo_get(void *ctx, struct ulid job_id, struct str name, struct str *ret, struct arena *a,
                             struct err *err)
{
    struct app *app = ctx;
    return memo_name_ok(name, err) && app->store->ops->memo_get(app->store, job_id, name, ret, a, err);
}

static bool service_memo_put(void *ctx, const struct attempt *by, struct str name, struct str value,
                             struct err *err)
{
    struct app *app = ctx;
    if (!memo_name_ok(name, err))
        return false;
    if (value.n > MEMO_VALUE_MAX)
        return ERR(err, ERR_TOO_LARGE, "memo \"%.*s\" has %zu bytes; at most %d are kept", STR_ARG(name),
                   value.n, MEMO_VALUE_MAX);
    return app->store->ops->memo_put(app->store, by->run_id, by->token, name, value, err);
}

void app_job_services(struct app *app, struct job_services *ret)
{
    ret->ctx = app;
    ret->secret = service_secret;
    ret->start_job = service_start_job;
    ret->memo_get = service_memo_get;
    ret->memo_put = service_memo_put;
}
