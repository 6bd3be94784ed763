// SPDX-License-Identifier: Apache-2.0
// The first administrator, on the memory store with a virtual clock.
#include "app/setup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/memory/store_memory.h"

enum { ARENA_BUDGET = 1 << 20 };

struct fixture {
    struct clock_virtual clock;
    struct token_key *key;
    struct app app;
    struct arena a;
    struct session_answer answer;
    struct faults faults;
    struct duration wait;
    struct err err;
};

static void open_fixture(struct fixture *f)
{
    static const uint8_t secret[TOKEN_KEY_BYTES] = "a key for tests, 32 bytes long..";
    *f = (struct fixture){0};
    arena_init(&f->a, ARENA_BUDGET);
    faults_init(&f->faults, &f->a);
    clock_virtual_init(&f->clock, instant_s(INT64_C(1798761600)));
    f->key = token_key_new(secret);
    struct app_parts parts = {.store = store_memory_new(), .clock = &f->clock.base, .key = f->key};
    app_settings_init(&parts.settings);
    app_init(&f->app, &parts);
}

static void close_fixture(struct fixture *f)
{
    struct store *s = f->app.store;
    app_release(&f->app);
    s->ops->free(s);
    token_key_free(f->key);
    arena_release(&f->a);
}

static struct str issue(struct fixture *f)
{
    struct str token;
    assert_true(app_setup_issue(&f->app, &token, &f->a, &f->err));
    return token;
}

static bool finish(struct fixture *f, struct str token, const char *password)
{
    struct setup_request r = {token, STR("Root@example.org"), str_of(password)};
    f->err = (struct err){0};
    faults_init(&f->faults, &f->a);
    static const struct caller nobody;
    return app_setup_finish(&f->app, &nobody, &r, &f->answer, &f->faults, &f->wait, &f->a, &f->err);
}

static void the_token_makes_the_first_administrator_once(void **state)
{
    (void)state;
    struct fixture f;
    struct caller c;
    open_fixture(&f);
    struct str token = issue(&f);
    assert_true(token.n >= 22); // 128 bits and more in base 64
    assert_true(finish(&f, token, "a long enough one"));
    assert_true(str_is(f.answer.email, "root@example.org"));
    assert_true(app_authenticate(&f.app, f.answer.access_token, &c, &f.a, &f.err));
    assert_int_equal(c.roles, 1u << ROLE_ADMIN);
    assert_false(finish(&f, token, "a long enough one"));
    assert_int_equal(f.err.code, ERR_CONFLICT);
    assert_null(issue(&f).p); // the next start has no link to print
    close_fixture(&f);
}

static void only_the_hash_of_the_token_is_stored(void **state)
{
    (void)state;
    struct fixture f;
    struct str stored;
    open_fixture(&f);
    struct str token = issue(&f);
    assert_true(f.app.store->ops->setting_get(f.app.store, STR("setup.token"), &stored, &f.a, &f.err));
    assert_false(str_contains(stored, token));
    close_fixture(&f);
}

static void a_bad_password_does_not_use_the_token_up(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f);
    struct str token = issue(&f);
    assert_false(finish(&f, token, "short"));
    assert_int_equal(f.err.code, ERR_INVALID);
    assert_true(str_is(f.faults.v[0].pointer, "/password"));
    assert_true(finish(&f, token, "a long enough one"));
    close_fixture(&f);
}

static void a_token_lives_one_hour_and_a_new_start_replaces_it(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f);
    struct str first = issue(&f);
    clock_virtual_advance(&f.clock, duration_s(SETUP_LIFE_S));
    assert_false(finish(&f, first, "a long enough one"));
    assert_int_equal(f.err.code, ERR_UNAUTHENTICATED);
    struct str second = issue(&f);
    assert_false(finish(&f, first, "a long enough one"));
    assert_int_equal(f.err.code, ERR_UNAUTHENTICATED);
    assert_true(finish(&f, second, "a long enough one"));
    close_fixture(&f);
}

static void tries_are_counted_per_minute(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f);
    struct str token = issue(&f);
    for (int i = 0; i < SETUP_TRIES_PER_MINUTE; i++) {
        assert_false(finish(&f, STR("guess"), "a long enough one"));
        assert_int_equal(f.err.code, ERR_UNAUTHENTICATED);
    }
    assert_false(finish(&f, token, "a long enough one"));
    assert_int_equal(f.err.code, ERR_THROTTLED);
    assert_true(f.wait.us > 0 && f.wait.us <= duration_s(60).us);
    clock_virtual_advance(&f.clock, f.wait);
    assert_true(finish(&f, token, "a long enough one"));
    close_fixture(&f);
}

static void the_environment_names_the_first_administrator_only_while_there_is_none(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f);
    assert_false(app_setup_admin(&f.app, STR("root"), STR("a long enough one"), &f.a, &f.err));
    assert_int_equal(f.err.code, ERR_CONFIG);
    assert_true(app_setup_admin(&f.app, STR("root@example.org"), STR("a long enough one"), &f.a, &f.err));
    assert_false(app_setup_admin(&f.app, STR("b@example.org"), STR("a long enough one"), &f.a, &f.err));
    assert_int_equal(f.err.code, ERR_CONFLICT);
    close_fixture(&f);
}

static void closed_registration_refuses_strangers(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f);
    f.app.settings.registration_open = false;
    struct registration r = {.email = STR("a@example.org"), .password = STR("a long enough one")};
    struct caller stranger = {0}, admin = {.signed_in = true, .roles = 1u << ROLE_ADMIN};
    assert_false(app_register(&f.app, &stranger, &r, &f.answer, &f.faults, &f.a, &f.err));
    assert_int_equal(f.err.code, ERR_DENIED);
    assert_true(app_register(&f.app, &admin, &r, &f.answer, &f.faults, &f.a, &f.err));
    assert_null(f.answer.access_token.p);
    close_fixture(&f);
}

static void ten_wrong_passwords_close_an_account_for_a_while(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f);
    struct registration r = {.email = STR("a@example.org"), .password = STR("a long enough one")};
    struct caller c = {.remote = STR("192.0.2.1")};
    assert_true(app_register(&f.app, &c, &r, &f.answer, &f.faults, &f.a, &f.err));
    struct credentials wrong = {STR("A@example.org"), STR("wrong")}, right = {r.email, r.password};
    for (int i = 0; i < THROTTLE_ACCOUNT_MAX; i++)
        assert_false(app_login(&f.app, &c, &wrong, &f.answer, &f.wait, &f.a, &f.err));
    assert_false(app_login(&f.app, &c, &right, &f.answer, &f.wait, &f.a, &f.err));
    assert_int_equal(f.err.code, ERR_THROTTLED);
    clock_virtual_advance(&f.clock, duration_s(2 * THROTTLE_WINDOW_S));
    assert_true(app_login(&f.app, &c, &right, &f.answer, &f.wait, &f.a, &f.err));
    close_fixture(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_token_makes_the_first_administrator_once),
        cmocka_unit_test(only_the_hash_of_the_token_is_stored),
        cmocka_unit_test(a_bad_password_does_not_use_the_token_up),
        cmocka_unit_test(a_token_lives_one_hour_and_a_new_start_replaces_it),
        cmocka_unit_test(tries_are_counted_per_minute),
        cmocka_unit_test(the_environment_names_the_first_administrator_only_while_there_is_none),
        cmocka_unit_test(closed_registration_refuses_strangers),
        cmocka_unit_test(ten_wrong_passwords_close_an_account_for_a_while),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
