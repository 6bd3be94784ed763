// SPDX-License-Identifier: Apache-2.0
// Sums over the engine's counters, and what was fixed when the program was built and started.
#include "app/info.h"

#include "app/feature.h"
#include "engine/meters.h"

#define ANSWER .flags = FIELD_READ_ONLY
#define T      struct server_info
static const struct field rows[] = {
    FIELD_STR(T, version, "version", ANSWER, .doc = "Version of the program."),
    FIELD_STR(T, compiler, "compiler", ANSWER, .doc = "What it was built with."),
    FIELD_STR(T, profile, "profile", ANSWER,
              .doc = "What the server is for: development, staging, production."),
    FIELD_STR(T, store, "store", ANSWER, .doc = "Kind of store."),
    FIELD_STR(T, node, "node", ANSWER, .doc = "Name of this node."),
    FIELD_INSTANT(T, started, "startedAt", ANSWER, .doc = "When it was started."),
    FIELD_I64(T, uptime_s, "uptimeSeconds", ANSWER, .max = INT64_MAX, .doc = "For how long it runs."),
    FIELD_STRS(T, job_types, "jobTypes", ANSWER, .doc = "Job types that can run here."),
    FIELD_STRS(T, features, "features", ANSWER, .doc = "Feature flags that are on."),
};
#undef T
const struct fields server_info_fields =
    FIELDS("ServerInfo", struct server_info, rows, .doc = "What this server is.");

static bool can_run(const struct app *app, const struct job_type *t)
{
    struct err ignored;
    return !t->available || (app->job_env && t->available(app->job_env, &ignored));
}

static bool features_fill(struct app *app, const struct caller *c, struct server_info *ret, struct arena *a,
                          struct err *err)
{
    struct feature_view all[FEATURES];
    if (!app->features)
        return true;
    if (!app_features_list(app, c, all, err))
        return false;
    ret->features.v = arena_new_array(a, struct str, FEATURES);
    for (size_t i = 0; ret->features.v && i < FEATURES; i++)
        if (all[i].enabled)
            ret->features.v[ret->features.n++] = all[i].name;
    return ret->features.v || ERR(err, ERR_TOO_LARGE, "the request needs more memory than one request may have");
}

bool app_info(struct app *app, const struct caller *c, struct server_info *ret, struct arena *a,
              struct err *err)
{
    enum reach reach;
    if (!app_authorize(c, ACTION_FEATURE_READ, &reach, err))
        return false;
    *ret = (struct server_info){
        .version = str_of(app->settings.version),
        .compiler = STR(__VERSION__),
        .profile = str_of(app->settings.profile),
        .store = str_of(app->store->ops->name),
        .node = app->cluster.node_name,
        .started = app->started,
        .uptime_s = instant_since(clock_now(app->clock), app->started).us / US_PER_S,
    };
    size_t n = 0;
    while (job_types[n])
        n++;
    ret->job_types.v = arena_new_array(a, struct str, n);
    if (!ret->job_types.v)
        return ERR(err, ERR_TOO_LARGE, "the request needs more memory than one request may have");
    for (size_t i = 0; i < n; i++)
        if (can_run(app, job_types[i]))
            ret->job_types.v[ret->job_types.n++] = str_of(job_types[i]->name);
    return features_fill(app, c, ret, a, err);
}

static void add_type(struct job_totals *t, size_t type, const char *name)
{
    int64_t all = 0;
    if (t->n == TOTALS_TYPES_MAX)
        return;
    for (int s = RUN_SUCCEEDED; s <= RUN_MISSED; s++) {
        int64_t ended = meter_runs(type, s);
        t->types[t->n].by_status[s] = ended;
        t->by_status[s] += ended;
        all += ended;
    }
    t->types[t->n].name = name;
    t->n += all > 0;
}

bool app_job_totals(struct app *app, const struct caller *c, struct job_totals *ret, struct err *err)
{
    enum reach reach;
    if (!app_authorize(c, ACTION_METRICS_READ, &reach, err))
        return false;
    *ret = (struct job_totals){.since = app->started};
    if (app->engine) {
        struct engine_status s;
        engine_status(app->engine, &s);
        ret->plans = s.plans;
        ret->ready = s.ready;
        ret->running = s.running;
        ret->queued = s.queued;
    }
    for (size_t i = 0; job_types[i]; i++)
        add_type(ret, i + 1, job_types[i]->name);
    add_type(ret, 0, "OTHER");
    return true;
}
