// SPDX-License-Identifier: Apache-2.0
// The parts every use case needs: who asks, how far he may reach, new identifiers, pokes.
#include "app/app.h"

#include "app/api_key.h"
#include "app/audit_trail.h"
#include "app/cached.h"
#include "app/key_memory.h"
#include "app/keys.h"
#include "app/owner.h"
#include "app/watch.h"

void app_settings_init(struct app_settings *s)
{
    *s = (struct app_settings){
        .registration_open = true,
        .metrics_public = true,
        .access_life = duration_s(ACCESS_LIFE_S_DEFAULT),
        .refresh_life = duration_s(REFRESH_LIFE_S_DEFAULT),
        .browser_idle = duration_s(BROWSER_IDLE_S_DEFAULT),
        .browser_max = duration_s(BROWSER_MAX_S_DEFAULT),
        .version = "0.1.0",
        .profile = "development",
    };
}

void app_init(struct app *app, const struct app_parts *parts)
{
    *app = (struct app){.store = parts->store, .clock = parts->clock, .key = parts->key, .vault = parts->vault,
                        .zones = parts->zones, .cache = parts->cache, .settings = parts->settings};
    app->cluster.node_name = STR("chronos");
    app->keys = parts->key ? keys_new(parts->store, parts->clock, parts->key) : NULL;
    app->started = clock_now(parts->clock);
    app->throttle = throttle_new();
    app->key_memory = key_memory_new(parts->store, parts->clock);
    app->topic = topic_new();
    if (parts->key)
        app->audit = audit_trail_new(parts->key, parts->store, parts->clock);
}

void app_set_job_env(struct app *app, const struct job_env *env)
{
    app->job_env = env;
}

void app_set_engine(struct app *app, struct engine *engine) { app->engine = engine; }

void app_set_cluster(struct app *app, const struct app_cluster *c)
{
    app->cluster = *c;
    if (c->cluster && !app->watch) {
        app->watch = watch_new(app->store, app->topic);
        watch_start(app->watch);
    }
}

static void on_run_changed(void *ctx, struct ulid run_id, struct ulid job_id, int status)
{
    struct app *app = ctx;
    topic_run_changed(app->topic, run_id, job_id, status);
}

static void on_logs_added(void *ctx, struct ulid run_id)
{
    struct app *app = ctx;
    topic_logs_added(app->topic, run_id);
}

struct engine_listener app_listener(struct app *app)
{
    return (struct engine_listener){.run_changed = on_run_changed, .logs_added = on_logs_added, .ctx = app};
}

void app_release(struct app *app)
{
    watch_free(app->watch);
    audit_trail_free(app->audit);
    keys_free(app->keys);
    key_memory_free(app->key_memory);
    throttle_free(app->throttle);
    topic_free(app->topic);
    *app = (struct app){0};
}

bool app_caller(struct app *app, struct ulid user_id, int64_t epoch, enum sign_in_way way, struct caller *ret,
                struct arena *a, struct err *err)
{
    struct caller_facts u;
    struct err why = {0};
    const char *what = way == WAY_COOKIE ? "session" : "access token";
    if (!cached_caller(app, user_id, &u, a, &why)) {
        if (why.code != ERR_NOT_FOUND) {
            *err = why;
            return false;
        }
        return ERR(err, ERR_UNAUTHENTICATED, "the %s was revoked; sign in again", what);
    }
    if (!u.enabled || u.session_epoch != epoch)
        return ERR(err, ERR_UNAUTHENTICATED, "the %s was revoked; sign in again", what);
    *ret = (struct caller){.signed_in = true, .way = way, .user_id = user_id, .email = u.email, .roles = u.roles,
                           .session_epoch = u.session_epoch, .teams = u.teams, .n_teams = u.n_teams};
    return true;
}

bool app_caller_renew(struct app *app, struct caller *c, struct arena *a, struct err *err)
{
    struct caller now;
    if (!app_caller(app, c->user_id, c->session_epoch, c->way, &now, a, err) ||
        (c->way == WAY_API_KEY && !api_key_lives(app, c, a, err)))
        return false;
    c->roles = now.roles;
    c->teams = now.teams;
    c->n_teams = now.n_teams;
    return true;
}

bool app_authenticate(struct app *app, struct str token, struct caller *ret, struct arena *a, struct err *err)
{
    struct token_claims claims;
    if (str_starts(token, api_key_prefix))
        return app_api_key_authenticate(app, token, ret, a, err);
    return keys_verify(app, token, &claims, a, err) &&
           app_caller(app, claims.user_id, claims.session_epoch, WAY_TOKEN, ret, a, err);
}

bool app_authorize(const struct caller *c, enum action action, enum reach *ret, struct err *err)
{
    if (!c->signed_in)
        return ERR(err, ERR_UNAUTHENTICATED,
                   "sign in first: send \"Authorization: Bearer\" with an access token");
    enum reach reach = policy_reach(c->roles, action);
    if (c->denied & UINT64_C(1) << action)
        return ERR(err, ERR_DENIED, "the scopes of this API key leave out \"%s\"; use another key or sign in",
                   action_name(action));
    if (reach == REACH_NONE)
        return ERR(err, ERR_DENIED, "your roles do not allow \"%s\"; ask an administrator", action_name(action));
    *ret = reach;
    return true;
}

bool caller_owns(const struct caller *c, struct ulid owner)
{
    return ulid_eq(owner, c->user_id) || caller_in_team(c, owner);
}

struct ulid app_owner_filter(const struct caller *c, enum reach reach)
{
    return reach == REACH_ALL ? ULID_ZERO : c->user_id;
}

// Adds one to the random part; false when it would run over into the time.
static bool ulid_step(struct ulid *id)
{
    enum { TIME_BYTES = 6 };
    for (int i = (int)sizeof id->b - 1; i >= TIME_BYTES; i--)
        if (++id->b[i] != 0)
            return true;
    return false;
}

struct ulid app_id(struct app *app)
{
    static _Thread_local struct rng rng;
    static _Thread_local struct ulid last;
    static _Thread_local bool seeded;
    if (!seeded) {
        rng_init_random(&rng);
        seeded = true;
    }
    struct ulid fresh = ulid_new(clock_now(app->clock), &rng);
    struct ulid next = last;
    bool same_ms = ulid_time(fresh).us == ulid_time(last).us;
    last = same_ms && ulid_step(&next) ? next : fresh;
    return last;
}

void app_wake_others(struct app *app)
{
    if (app->cache)
        app->cache->ops->wake_others(app->cache);
}

// Of a cluster all nodes' changes are found by looking, our own too.
static void tell_jobs(struct app *app, const struct ulid *ids, size_t n)
{
    for (size_t i = 0; i < n && !app->watch; i++)
        topic_job_changed(app->topic, ids[i]);
}

void app_poke_jobs(struct app *app, const struct ulid *ids, size_t n)
{
    tell_jobs(app, ids, n);
    if (app->engine)
        engine_poke_jobs(app->engine, ids, n);
    app_wake_others(app);
}

void app_poke_new_jobs(struct app *app, const struct ulid *ids, size_t n, struct instant soonest)
{
    tell_jobs(app, ids, n);
    if (app->engine)
        engine_poke_new_jobs(app->engine, ids, n, soonest);
    app_wake_others(app);
}

void app_poke_run(struct app *app, struct ulid id)
{
    if (app->engine)
        engine_poke_run(app->engine, id);
    app_wake_others(app);
}
