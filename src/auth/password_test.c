// SPDX-License-Identifier: Apache-2.0
// The rules for passwords, and that hashing them can neither be cheated nor used to stop the server: unknown
// users and damaged hashes cost the same and are wrong, a flood is refused.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "auth/password.h"

#include "base/sync.h"

enum { BUDGET = 64 * 1024, LONG_TEXT = 1025, THREADS = 24 };

static const char *check_text(struct str password, struct err *err)
{
    *err = (struct err){.code = ERR_NONE};
    return password_check(password, STR("some.body@example.org"), err) ? "" : err->text;
}

static void the_rules_for_new_passwords_hold(void **state)
{
    (void)state;
    static char long_text[LONG_TEXT];
    for (size_t i = 0; i < sizeof long_text; i++)
        long_text[i] = (char)('a' + i * i % 26);
    struct err err;
    assert_string_equal(check_text(STR("amber kettle on 7 hills"), &err), "");
    assert_string_equal(check_text(str_of_n(long_text, LONG_TEXT - 1), &err), "");
    assert_non_null(strstr(check_text(STR("elevenchars"), &err), "too short"));
    assert_string_equal(err.field, "/password");
    assert_int_equal(err.code, ERR_INVALID);
    assert_non_null(strstr(check_text(str_of_n(long_text, LONG_TEXT), &err), "too long"));
    assert_non_null(strstr(check_text(STR("Some.Body@example.ORG"), &err), "e-mail"));
    assert_non_null(strstr(check_text(STR("with a\0NUL inside"), &err), "control"));
    assert_non_null(strstr(check_text(STR("bad utf-8 \xff\xfe here"), &err), "UTF-8"));
    assert_non_null(strstr(check_text(STR_NONE, &err), "too short"));
}

static void a_hash_fits_its_password_only(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, BUDGET);
    struct err err = {.code = ERR_NONE};
    struct str phc, again;
    assert_true(password_hash(STR("correct horse"), &phc, &a, &err));
    assert_true(str_starts(phc, STR("$argon2id$v=19$m=19456,t=3,p=1$")));
    assert_true(password_hash(STR("correct horse"), &again, &a, &err));
    assert_false(str_eq(phc, again));
    assert_true(password_verify(STR("correct horse"), phc, &err));
    assert_true(password_verify(STR("correct horse"), again, &err));
    assert_false(password_verify(STR("correct horsE"), phc, &err));
    assert_int_equal(err.code, ERR_UNAUTHENTICATED);
    arena_release(&a);
}

static void unknown_users_and_damaged_hashes_are_refused(void **state)
{
    (void)state;
    struct err err = {.code = ERR_NONE};
    assert_false(password_verify(STR("correct horse"), STR_NONE, &err));
    assert_int_equal(err.code, ERR_UNAUTHENTICATED);
    static const char *const damaged[] = {"", "x", "$argon2id$v=19$m=19456,t=3,p=1$", "plain"};
    for (size_t i = 0; i < sizeof damaged / sizeof damaged[0]; i++) {
        err.code = ERR_NONE;
        assert_false(password_verify(STR("correct horse"), str_of(damaged[i]), &err));
        assert_int_equal(err.code, ERR_UNAUTHENTICATED);
    }
    static char huge[LONG_TEXT];
    memset(huge, 'x', sizeof huge);
    assert_false(password_verify(str_of_n(huge, sizeof huge), STR_NONE, &err));
}

static atomic_int right, refused, other;

static void *verify_many(void *arg)
{
    const struct str *phc = arg;
    struct err err = {.code = ERR_NONE};
    if (password_verify(STR("correct horse"), *phc, &err))
        atomic_fetch_add(&right, 1);
    else if (err.code == ERR_THROTTLED)
        atomic_fetch_add(&refused, 1);
    else
        atomic_fetch_add(&other, 1);
    return NULL;
}

static void a_flood_of_sign_ins_is_refused_and_not_queued(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, BUDGET);
    struct err err = {.code = ERR_NONE};
    struct str phc;
    assert_true(password_hash(STR("correct horse"), &phc, &a, &err));
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        threads[i] = thread_start("verify", verify_many, &phc);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(atomic_load(&other), 0);
    assert_int_equal(atomic_load(&right) + atomic_load(&refused), THREADS);
    assert_true(atomic_load(&right) >= PASSWORD_HASHES_MAX);
    assert_true(password_verify(STR("correct horse"), phc, &err));
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rules_for_new_passwords_hold),
        cmocka_unit_test(a_hash_fits_its_password_only),
        cmocka_unit_test(unknown_users_and_damaged_hashes_are_refused),
        cmocka_unit_test(a_flood_of_sign_ins_is_refused_and_not_queued),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
