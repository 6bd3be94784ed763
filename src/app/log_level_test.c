// SPDX-License-Identifier: Apache-2.0
// The log's level at run time: who may ask and change it, and that the trail tells of it.
#include "app/log_level.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/audit_verify.h"
#include "base/log.h"
#include "store/memory/store_memory.h"

enum { ARENA_BUDGET = 4 << 20, LIST = 10 };

static void it_is_changed_by_who_may_and_told(void **state)
{
    (void)state;
    static const uint8_t secret[TOKEN_KEY_BYTES] = "a key for tests, 32 bytes long..";
    struct clock_virtual clock;
    struct arena a;
    struct app app;
    struct log_level_view v = {0};
    struct err err = {0};
    struct caller user = {.signed_in = true, .user_id = {{2}}, .roles = 1U << ROLE_USER}, admin = user;
    admin.roles = 1U << ROLE_ADMIN;
    arena_init(&a, ARENA_BUDGET);
    clock_virtual_init(&clock, instant_s(INT64_C(1798761600)));
    struct token_key *key = token_key_new(secret);
    struct app_parts parts = {.store = store_memory_new(), .clock = &clock.base, .key = key};
    app_settings_init(&parts.settings);
    parts.settings.log_level = LOG_LEVEL_INFO;
    app_init(&app, &parts);
    log_level_set(LOG_LEVEL_INFO);

    assert_false(app_log_level(&app, &user, &v, &err));
    assert_false(app_log_level_set(&app, &user, LOG_LEVEL_ERROR, &v, &a, &err));
    assert_int_equal(err.code, ERR_DENIED);
    assert_int_equal(log_level_now(), LOG_LEVEL_INFO);

    assert_true(app_log_level_set(&app, &admin, LOG_LEVEL_ERROR, &v, &a, &err));
    assert_int_equal(log_level_now(), LOG_LEVEL_ERROR);
    assert_int_equal(v.level, LOG_LEVEL_ERROR);
    assert_true(app_log_level(&app, &admin, &v, &err));
    assert_int_equal(v.configured, LOG_LEVEL_INFO); // what counts after a restart

    struct audit_filter f = {.outcome = -1, .action = STR("log.level")};
    struct page p = {.size = LIST};
    struct page_result page;
    struct audit_record *r;
    size_t n;
    assert_true(app_audit_list(&app, &admin, &f, &p, &r, &n, &page, &a, &err));
    assert_int_equal(n, 1);
    assert_true(str_contains(r[0].changes, STR("\"error\"")));

    struct store *s = app.store;
    app_release(&app);
    s->ops->free(s);
    token_key_free(key);
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(it_is_changed_by_who_may_and_told)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
