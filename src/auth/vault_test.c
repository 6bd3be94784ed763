// SPDX-License-Identifier: Apache-2.0
// What was sealed opens with the same key, scope and name only; an old key opens and a new one seals.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/stat.h>
#include <unistd.h>

#include "auth/vault.h"

enum { ARENA_BUDGET = 1024 * 1024, PATH_BYTES = 128 };
static const struct ulid MINE = {.b = {1}}, THEIRS = {.b = {2}};

// The setting splits at commas, so keys here have none.
static struct vault *vault(const char *keys)
{
    struct vault *v = NULL;
    struct err err = {0};
    if (!vault_of(str_of(keys), &v, &err))
        fail_msg("%s", err.text);
    return v;
}

static void what_was_sealed_opens_in_its_place_only(void **state)
{
    struct arena *a = *state;
    struct vault *v = vault("0123456789012345678901234567890123456789");
    struct err err = {0};
    struct str sealed = vault_seal(v, MINE, STR("db"), STR("value \303\244"), a), back;
    assert_true(vault_open(v, MINE, STR("db"), sealed, &back, a, &err));
    assert_true(str_eq(back, STR("value \303\244")));
    assert_false(vault_open(v, THEIRS, STR("db"), sealed, &back, a, &err));
    assert_int_equal(err.code, ERR_CORRUPT);
    assert_false(vault_open(v, MINE, STR("db2"), sealed, &back, a, &err));
    assert_false(vault_open(v, ULID_ZERO, STR("db"), sealed, &back, a, &err));
    struct str cut = {sealed.p, sealed.n - 1};
    assert_false(vault_open(v, MINE, STR("db"), cut, &back, a, &err));
    assert_false(vault_open(v, MINE, STR("db"), STR("v1."), &back, a, &err));
    assert_false(vault_open(v, MINE, STR("db"), STR(""), &back, a, &err));
    vault_free(v);
}

static void keys_are_replaced_one_behind_the_other(void **state)
{
    struct arena *a = *state;
    static const char first[] = "1111111111111111111111111111111111", second[] = "2222222222222222222222222222222222";
    struct err err = {0};
    struct str back, both = arena_fmt(a, "%s, %s", second, first);
    struct vault *before = vault(first), *between = vault(both.p), *after = vault(second);
    struct str sealed = vault_seal(before, MINE, STR("k"), STR("value"), a);
    assert_true(vault_current(before, sealed));
    assert_false(vault_current(between, sealed));
    assert_true(vault_open(between, MINE, STR("k"), sealed, &back, a, &err));
    assert_false(vault_open(after, MINE, STR("k"), sealed, &back, a, &err));
    assert_int_equal(err.code, ERR_CONFIG);
    assert_null(strstr(err.text, "value"));
    sealed = vault_seal(between, MINE, STR("k"), back, a);
    assert_true(vault_current(after, sealed));
    assert_true(vault_open(after, MINE, STR("k"), sealed, &back, a, &err));
    assert_false(vault_open(before, MINE, STR("k"), sealed, &back, a, &err));
    vault_free(before);
    vault_free(between);
    vault_free(after);
}

static void weak_keys_are_refused(void **state)
{
    (void)state;
    struct vault *v;
    struct err err = {0};
    static const char *const bad[] = {"short", "1111111111111111111111111111111111, short",
                                      "1111111111111111111111111111111111,,2222222222222222222222222222222222"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(vault_of(str_of(bad[i]), &v, &err));
        assert_int_equal(err.code, ERR_CONFIG);
        assert_null(strstr(err.text, "1111"));
    }
}

static void a_file_is_made_once_and_kept(void **state)
{
    struct arena *a = *state;
    char folder[] = "/tmp/chronos-vault-XXXXXX", path[PATH_BYTES];
    struct vault *v, *again;
    struct err err = {0};
    struct stat st;
    struct str back;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/secrets.key", folder);
    assert_false(vault_load(path, false, &v, &err));
    assert_int_equal(err.code, ERR_CONFIG);
    assert_true(vault_load(path, true, &v, &err));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_true(vault_load(path, false, &again, &err));
    struct str sealed = vault_seal(v, MINE, STR("k"), STR("value"), a);
    assert_true(vault_open(again, MINE, STR("k"), sealed, &back, a, &err));
    assert_int_equal(chmod(path, 0644), 0);
    struct vault *open_to_all = NULL;
    assert_false(vault_load(path, false, &open_to_all, &err));
    (void)unlink(path);
    (void)rmdir(folder);
    vault_free(v);
    vault_free(again);
}

static int arena_open(void **state)
{
    static struct arena a;
    arena_init(&a, ARENA_BUDGET);
    *state = &a;
    return 0;
}

static int arena_close(void **state)
{
    arena_release(*state);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, arena_open, arena_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_sealed_opens_in_its_place_only),
        TEST(keys_are_replaced_one_behind_the_other),
        TEST(weak_keys_are_refused),
        TEST(a_file_is_made_once_and_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
