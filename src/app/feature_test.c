// SPDX-License-Identifier: Apache-2.0
// Flags on the memory store: who may turn them, who is told, and what outlives a restart or a store that fails.
#include "app/feature.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/memory/store_memory.h"

enum { ARENA_BUDGET = 4 << 20 };

struct fixture {
    struct clock_virtual clock;
    struct app app;
    struct features *features;
    struct arena a;
    struct caller admin, user;
    bool held; // scripts, as the listener was told
};

static void on_scripts(void *ctx, bool held) { ((struct fixture *)ctx)->held = held; }

static void open_features(struct fixture *f)
{
    struct feature_listener listener = {on_scripts, f};
    struct err err = {0};
    assert_true(features_open(&f->app, &listener, &f->features, &err));
}

static int open_fixture(void **state)
{
    struct fixture *f = test_calloc(1, sizeof *f);
    struct app_parts parts = {.store = store_memory_new(), .clock = &f->clock.base};
    arena_init(&f->a, ARENA_BUDGET);
    clock_virtual_init(&f->clock, instant_s(INT64_C(1798761600)));
    app_settings_init(&parts.settings);
    app_init(&f->app, &parts);
    f->admin = (struct caller){.signed_in = true, .way = WAY_TOKEN, .user_id = {{1}}, .roles = 1U << ROLE_ADMIN};
    f->user = (struct caller){.signed_in = true, .way = WAY_TOKEN, .user_id = {{2}}, .roles = 1U << ROLE_USER};
    open_features(f);
    *state = f;
    return 0;
}

static int close_fixture(void **state)
{
    struct fixture *f = *state;
    struct store *s = f->app.store;
    features_free(f->features);
    app_release(&f->app);
    s->ops->free(s);
    arena_release(&f->a);
    test_free(f);
    return 0;
}

static bool set(struct fixture *f, const struct caller *c, const char *name, bool enabled, struct err *err)
{
    struct feature_view v;
    *err = (struct err){0};
    return app_feature_set(&f->app, c, str_of(name), enabled, &v, &f->a, err) && v.enabled == enabled &&
           str_is(v.name, name);
}

static void everything_is_on_at_first(void **state)
{
    struct fixture *f = *state;
    struct feature_view v[FEATURES];
    struct err err = {0};
    assert_true(app_features_list(&f->app, &f->admin, v, &err));
    for (int i = 0; i < FEATURES; i++) {
        assert_true(v[i].enabled && v[i].enabled_by_default && v[i].description.n > 0);
        assert_true(app_feature_on(&f->app, (enum feature)i));
    }
}

static void one_flag_is_turned_and_no_other(void **state)
{
    struct fixture *f = *state;
    struct err err;
    assert_true(set(f, &f->admin, "run-now", false, &err));
    for (int i = 0; i < FEATURES; i++)
        assert_int_equal(app_feature_on(&f->app, (enum feature)i), i != FEATURE_RUN_NOW);
    assert_false(app_feature_want(&f->app, FEATURE_RUN_NOW, &err));
    assert_int_equal(err.code, ERR_DENIED);
    assert_true(str_contains(str_of(err.text), STR("run-now")));
    assert_true(set(f, &f->admin, "run-now", true, &err) && app_feature_want(&f->app, FEATURE_RUN_NOW, &err));
}

static void who_holds_scripts_is_told(void **state)
{
    struct fixture *f = *state;
    struct err err;
    assert_false(f->held);
    assert_true(set(f, &f->admin, "scripts", false, &err) && f->held);
    assert_true(set(f, &f->admin, "run-now", false, &err) && f->held);
    assert_true(set(f, &f->admin, "scripts", true, &err) && !f->held);
}

static void a_restart_changes_nothing(void **state)
{
    struct fixture *f = *state;
    struct err err;
    assert_true(set(f, &f->admin, "scripts", false, &err));
    features_free(f->features);
    f->held = false;
    assert_true(app_feature_on(&f->app, FEATURE_SCRIPTS)); // there are no flags now
    open_features(f);
    assert_false(app_feature_on(&f->app, FEATURE_SCRIPTS));
    assert_true(f->held);
}

static void refusals(void **state)
{
    struct fixture *f = *state;
    struct err err;
    assert_false(set(f, &f->user, "scripts", false, &err));
    assert_int_equal(err.code, ERR_DENIED);
    assert_false(set(f, &f->admin, "nothing", false, &err));
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_true(app_feature_on(&f->app, FEATURE_SCRIPTS));
}

static enum store_fault away(void *ctx, const char *op, bool writes)
{
    (void)ctx, (void)op, (void)writes;
    return FAULT_FAIL;
}

static void a_store_that_fails_leaves_the_flag(void **state)
{
    struct fixture *f = *state;
    struct err err;
    store_memory_set_faults(f->app.store, (struct store_faults){away, NULL});
    assert_false(set(f, &f->admin, "scripts", false, &err));
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    store_memory_set_faults(f->app.store, (struct store_faults){0});
    assert_true(app_feature_on(&f->app, FEATURE_SCRIPTS));
    assert_false(f->held);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, open_fixture, close_fixture)
    const struct CMUnitTest tests[] = {
        CASE(everything_is_on_at_first),
        CASE(one_flag_is_turned_and_no_other),
        CASE(who_holds_scripts_is_told),
        CASE(a_restart_changes_nothing),
        CASE(refusals),
        CASE(a_store_that_fails_leaves_the_flag),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
