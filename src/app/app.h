// SPDX-License-Identifier: Apache-2.0
// Use cases: authorise → validate → one store operation → tell the engine. Knows neither HTTP nor SQL and
// builds no JSON; what it decides is the same for REST, the command line and tests.
//
// Invariants: every function that takes a caller checks the policy itself, whoever calls it; an object that the
// caller may not reach answers ERR_NOT_FOUND, exactly as an absent one. A struct app is set up once and then only
// read, the topic and the set-up counter apart, which are thread-safe.
#ifndef APP_APP_H
#define APP_APP_H

#include <stdatomic.h>

#include "app/cache.h"
#include "app/caller.h"
#include "app/topic.h"
#include "auth/policy.h"
#include "auth/throttle.h"
#include "auth/token.h"
#include "auth/vault.h"
#include "base/clock.h"
#include "engine/engine.h"
#include "sched/zones.h"
#include "store/store.h"

enum {
    ACCESS_LIFE_S_DEFAULT = 15 * 60,
    REFRESH_LIFE_S_DEFAULT = 30 * 86400,
    BROWSER_IDLE_S_DEFAULT = 8 * 3600,
    BROWSER_MAX_S_DEFAULT = 7 * 86400,
    READY_TICK_AGE_S = 10, // an engine that has not ticked for longer, though it wanted to, is not ready
};

struct app_settings {
    bool registration_open;        // auth.registration
    bool metrics_public;           // metrics.public: figures without a token; they name no job and no user
    struct duration access_life;   // of an access token
    struct duration refresh_life;  // of a refresh token; each rotation starts it anew
    struct duration browser_idle, browser_max; // session of a browser: without requests, and at all
    const char *version;           // of this program
    const char *profile;           // word of the setting
    int log_level;                 // enum log_level: log.level
    bool log_access;               // log.access
    struct strs cors_origins;      // http.cors.origins
};

struct breakers;
struct monitors;
struct features;
struct limits;
struct probe;
struct cluster;
struct cluster_status;
// This server as a node of the cluster.
struct app_cluster {
    struct str node_name, address;
    struct cluster *cluster; // of engine/cluster.h; NULL: it is no member
    void (*status)(struct cluster *c, struct cluster_status *ret); // cluster_status
};

struct app {
    struct store *store;
    struct engine *engine;       // NULL: works on the store without a server; nobody is told
    const struct clock *clock;
    const struct token_key *key; // the root of all keys; NULL: nobody can sign in
    struct keys *keys;           // that sign access tokens; NULL as key
    struct oidc *oidc;           // sign-in by an OpenID provider; NULL: not set up
    const struct vault *vault;   // NULL: there can be no secrets
    struct zones *zones;
    struct throttle *throttle;
    struct key_memory *key_memory; // API keys lately used
    struct cache *cache; // NULL: nothing is shared besides the store
    struct topic *topic;
    struct audit_trail *audit; // NULL: without a key nothing is recorded
    struct watch *watch; // of a cluster, else NULL
    struct app_settings settings;
    const struct job_env *job_env; // what job types work with here; NULL: not known
    struct app_cluster cluster;
    struct breakers *breakers; // NULL: no job runs here
    struct notifier *notifier; // of app/notifier.h; NULL: nobody is told
    struct monitors *monitors; // NULL: nothing waits for pings here
    struct limits *limits;     // NULL: no bounds
    struct features *features; // of app/feature.h; NULL: everything is on
    struct probe *probe; // of app/probe.h; NULL: health asks the store itself
    struct instant started;
    _Atomic int64_t setup_minute, setup_tries; // app/setup.c
};

// Defaults of every setting: registration open, metrics public, lives as above.
void app_settings_init(struct app_settings *s);
// The parts an app is made of. They stay the caller's and must outlive it.
struct app_parts {
    struct store *store;
    const struct clock *clock;
    const struct token_key *key; // may be NULL
    const struct vault *vault;   // may be NULL
    struct zones *zones;
    struct cache *cache; // may be NULL
    struct app_settings settings;
};
// Fills *app. The engine is set afterwards by app_set_engine, because the engine wants app_listener first.
void app_init(struct app *app, const struct app_parts *parts);
void app_set_engine(struct app *app, struct engine *engine);
// Before requests are answered: what job types are asked with whether they can run here. It must outlive the app.
void app_set_job_env(struct app *app, const struct job_env *env);
// Before requests are answered; the texts must outlive the app. A member's event streams follow the runs of all nodes.
void app_set_cluster(struct app *app, const struct app_cluster *c);
// What engine_new is to be given: commits wake the event streams.
struct engine_listener app_listener(struct app *app);
void app_release(struct app *app);

// The caller behind an access token. One primary-key read, or the cache: the user must exist, be enabled and have the
// token's session epoch. ERR_UNAUTHENTICATED. email is in the arena; remote is the caller's own to fill.
bool app_authenticate(struct app *app, struct str token, struct caller *ret, struct arena *a, struct err *err)
    __attribute__((warn_unused_result));
// The caller behind a user whom a session of this epoch proved, in any way. ERR_UNAUTHENTICATED as above.
bool app_caller(struct app *app, struct ulid user_id, int64_t epoch, enum sign_in_way way, struct caller *ret,
                struct arena *a, struct err *err) __attribute__((warn_unused_result));
// The same caller at a later moment, for what lasts longer than a request: roles and teams as they are now, teams
// in the arena. ERR_UNAUTHENTICATED when the user was disabled, signed out or deleted, or the API key revoked.
bool app_caller_renew(struct app *app, struct caller *c, struct arena *a, struct err *err)
    __attribute__((warn_unused_result));
// How far the caller may reach with the action. ERR_UNAUTHENTICATED without a sign-in, ERR_DENIED without reach.
bool app_authorize(const struct caller *c, enum action action, enum reach *ret, struct err *err)
    __attribute__((warn_unused_result));
// Zero when the reach is all, else the caller: what the filters of the store take.
struct ulid app_owner_filter(const struct caller *c, enum reach reach);

// A new identifier, rising within a thread even inside one millisecond, so that what was created together stays
// in order.
struct ulid app_id(struct app *app);

// Other nodes should look for what we have just committed.
void app_wake_others(struct app *app);
// Tell the engine and the other nodes; nothing happens without them.
void app_poke_jobs(struct app *app, const struct ulid *ids, size_t n);
// soonest: first next fire among jobs that were just inserted.
void app_poke_new_jobs(struct app *app, const struct ulid *ids, size_t n, struct instant soonest);
void app_poke_run(struct app *app, struct ulid id);

#endif
