// SPDX-License-Identifier: Apache-2.0
// Feature flags. The setting "feature.<name>" holds "on" or "off"; without it the flag has its default.
//
// Lock: waker (LOCK_APP_FEATURES) for the thread that follows other nodes. The flags are one atomic word.
#include "app/feature.h"

#include "app/audit.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sync.h"

enum { LOOK_ARENA_BYTES = 64 * 1024 };

static const struct {
    const char *name, *doc;
} table[FEATURES] = {
    [FEATURE_SCHEDULE] =
        {"schedule", "Jobs start by their schedule. Off is maintenance: what runs goes on, retries and "
                     "starts by hand too; what came due meanwhile follows its misfire policy afterwards."},
    [FEATURE_RUN_NOW] = {"run-now", "Runs may be started by hand, retried and replayed."},
    [FEATURE_SCRIPTS] =
        {"scripts", "SCRIPT jobs may run, where script.enabled allows them. Off: their attempts fail with "
                    "one sentence."},
    [FEATURE_REGISTRATION] = {"registration", "Anybody may register, where auth.registration allows it."},
    [FEATURE_KAFKA_REQUESTS] = {"kafka-requests",
                                "Requests are taken from kafka.requestsTopic. Off: they wait there."},
    [FEATURE_NOTIFICATIONS] = {"notifications",
                               "Notifications are sent. Off: they wait and are sent afterwards."},
};

#define T struct feature_view
static const struct field feature_rows[] = {
    FIELD_STR(T, name, "name", .flags = FIELD_READ_ONLY, .doc = "Name of the flag."),
    FIELD_BOOL(T, enabled, "enabled", .flags = FIELD_READ_ONLY, .doc = "Whether the part is on."),
    FIELD_BOOL(T, enabled_by_default, "enabledByDefault", .flags = FIELD_READ_ONLY,
               .doc = "Whether it is on while nobody has said anything."),
    FIELD_STR(T, description, "description", .flags = FIELD_READ_ONLY, .doc = "What it turns off and on."),
};
#undef T
const struct fields feature_fields = FIELDS("Feature", struct feature_view, feature_rows,
                                            .doc = "A part of the server that can be turned off and on.");

#define T struct feature_change
static const struct field change_rows[] = {
    FIELD_BOOL(T, enabled, "enabled", .flags = FIELD_REQUIRED, .doc = "Whether the part is to be on."),
};
#undef T
const struct fields feature_change_fields = FIELDS("FeatureChange", struct feature_change, change_rows,
                                                   .doc = "Turns a part of the server on or off.");

struct features {
    struct app *app;
    struct feature_listener listener;
    _Atomic uint64_t off; // 1 << enum feature
    struct waker waker;
    _Atomic bool stop;
    bool follows;
    pthread_t thread;
};

static uint64_t bit(enum feature which) { return UINT64_C(1) << which; }

static struct str key_of(enum feature which, struct arena *a)
{
    return arena_fmt(a, "feature.%s", table[which].name);
}

// Tells the parts that do not ask us.
static void act(struct features *f, uint64_t off)
{
    if (f->app->engine)
        engine_hold(f->app->engine, off & bit(FEATURE_SCHEDULE));
    if (f->listener.scripts_held)
        f->listener.scripts_held(f->listener.ctx, off & bit(FEATURE_SCRIPTS));
}

static bool look(struct features *f, struct err *err)
{
    struct store *s = f->app->store;
    struct arena a;
    uint64_t off = 0;
    bool ok = true;
    arena_init(&a, LOOK_ARENA_BYTES);
    for (int i = 0; ok && i < FEATURES; i++) {
        struct str value = STR_NONE;
        struct err why = {0};
        ok = s->ops->setting_get(s, key_of((enum feature)i, &a), &value, &a, &why) ||
             why.code == ERR_NOT_FOUND;
        if (!ok)
            *err = why;
        else if (str_is(value, "off"))
            off |= bit((enum feature)i);
    }
    arena_release(&a);
    if (!ok)
        return false;
    if (atomic_exchange(&f->off, off) != off)
        LOG_INFO("feature flags changed", LOG_INT("off", off));
    act(f, off);
    return true;
}

static void *follow(void *arg)
{
    struct features *f = arg;
    while (!atomic_load(&f->stop)) {
        struct err err = {0};
        (void)waker_wait(&f->waker, duration_s(FEATURES_LOOK_S));
        if (!atomic_load(&f->stop) && !look(f, &err))
            LOG_DEBUG("feature flags cannot be read", LOG_ERROR_FIELD(&err)); // what was read last stands
    }
    return NULL;
}

bool features_open(struct app *app, const struct feature_listener *listener, struct features **ret,
                   struct err *err)
{
    struct features *f = mem_new(struct features);
    f->app = app;
    f->listener = *listener;
    waker_init(&f->waker, LOCK_APP_FEATURES);
    if (!look(f, err)) {
        features_free(f);
        return err_wrap(err, "feature flags");
    }
    f->follows = !app->store->exclusive;
    if (f->follows)
        f->thread = thread_start("features", follow, f);
    app->features = f;
    *ret = f;
    return true;
}

void features_free(struct features *f)
{
    if (!f)
        return;
    atomic_store(&f->stop, true);
    if (f->follows) {
        waker_wake(&f->waker);
        must(pthread_join(f->thread, NULL) == 0);
    }
    if (f->app->features == f)
        f->app->features = NULL;
    waker_release(&f->waker);
    mem_free(f);
}

bool app_feature_on(const struct app *app, enum feature which)
{
    return !app->features || !(atomic_load(&app->features->off) & bit(which));
}

bool app_feature_want(const struct app *app, enum feature which, struct err *err)
{
    return app_feature_on(app, which) ||
           ERR(err, ERR_DENIED, "an administrator has turned \"%s\" off for now; try again later",
               table[which].name);
}

static struct feature_view view(const struct app *app, enum feature which)
{
    return (struct feature_view){.name = str_of(table[which].name),
                                 .enabled = app_feature_on(app, which),
                                 .enabled_by_default = true,
                                 .description = str_of(table[which].doc)};
}

bool app_features_list(struct app *app, const struct caller *c, struct feature_view ret[static FEATURES],
                       struct err *err)
{
    enum reach reach;
    if (!app_authorize(c, ACTION_FEATURE_READ, &reach, err))
        return false;
    for (int i = 0; i < FEATURES; i++)
        ret[i] = view(app, (enum feature)i);
    return true;
}

static int feature_find(struct str name)
{
    int i = 0;
    while (i < FEATURES && !str_is(name, table[i].name))
        i++;
    return i;
}

bool app_feature_set(struct app *app, const struct caller *c, struct str name, bool enabled,
                     struct feature_view *ret, struct arena *a, struct err *err)
{
    enum { NAME_SHOWN_MAX = 64 };
    enum reach reach;
    if (!app_authorize(c, ACTION_FEATURE_WRITE, &reach, err))
        return false;
    int which = feature_find(name);
    name.n = str_utf8_cut(name, NAME_SHOWN_MAX);
    if (which == FEATURES)
        return ERR(err, ERR_NOT_FOUND, "feature \"%.*s\" does not exist; GET /actuator/features lists them",
                   STR_ARG(name));
    if (!app->features)
        return ERR(err, ERR_UNAVAILABLE, "feature flags are not open yet");
    const struct feature_view before = view(app, (enum feature)which);
    struct feature_view after = before;
    after.enabled = enabled;
    struct audit_note note = {.action = enabled ? "feature.enable" : "feature.disable",
                              .entity_type = "feature",
                              .entity_name = before.name,
                              .outcome = AUDIT_DONE,
                              .fields = &feature_fields,
                              .before = &before,
                              .after = &after};
    audit_with(app, c, &note, a);
    struct str key = key_of((enum feature)which, a);
    if (!key.p || !app->store->ops->setting_put(app->store, key, enabled ? STR("on") : STR("off"), err)) {
        audit_drop(app);
        return key.p || ERR(err, ERR_TOO_LARGE, "the request needs more memory than one request may have");
    }
    if (!look(app->features, err))
        return false;
    app_wake_others(app);
    *ret = view(app, (enum feature)which);
    return true;
}
