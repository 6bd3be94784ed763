// SPDX-License-Identifier: Apache-2.0
// Where the key of secrets comes from, and that a wrong one is noticed at once.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <unistd.h>

#include "server_vault.h"
#include "store/memory/store_memory.h"

enum { ARENA_BUDGET = 256 * 1024 };
#define FIRST  "first-key-first-key-first-key-first"
#define SECOND "second-key-second-key-second-key-2"

struct world {
    struct store *store;
    struct config config;
    struct arena a;
    char folder[64];
};

static int world_open(void **state)
{
    static struct world w;
    w = (struct world){.folder = "/tmp/chronos-vault-XXXXXX"};
    must(mkdtemp(w.folder));
    arena_init(&w.a, ARENA_BUDGET);
    w.store = store_memory_new_shared();
    w.config = (struct config){.data_dir = str_of(w.folder), .keys_required = true};
    *state = &w;
    return 0;
}

static int world_close(void **state)
{
    struct world *w = *state;
    (void)unlink(arena_fmt(&w->a, "%s/secrets.key", w->folder).p);
    rmdir(w->folder);
    w->store->ops->free(w->store);
    arena_release(&w->a);
    return 0;
}

static struct vault *open_ok(struct world *w, const char *keys)
{
    struct vault *v = NULL;
    struct err err = {0};
    w->config.secrets_key = keys ? str_of(keys) : STR_NONE;
    if (!server_vault_open(&w->config, w->store, &v, &w->a, &err))
        fail_msg("%s", err.text);
    return v;
}

static void open_refused(struct world *w, const char *keys, const char *part)
{
    struct vault *v = NULL;
    struct err err = {0};
    w->config.secrets_key = keys ? str_of(keys) : STR_NONE;
    assert_false(server_vault_open(&w->config, w->store, &v, &w->a, &err));
    assert_int_equal(err.code, ERR_CONFIG);
    assert_null(v);
    if (!strstr(err.text, part))
        fail_msg("%s", err.text);
}

// A secret, so that the key matters.
static void secret_add(struct world *w)
{
    struct err err = {0};
    struct secret v = {.name = STR("k"), .sealed = STR("sealed"), .created_at = instant_s(1)};
    assert_true(w->store->ops->secret_put(w->store, &v, &err));
}

static void a_wrong_key_is_refused_at_start(void **state)
{
    struct world *w = *state;
    vault_free(open_ok(w, SECOND)); // without secrets another key does no harm
    vault_free(open_ok(w, FIRST));
    secret_add(w);
    vault_free(open_ok(w, FIRST));
    open_refused(w, SECOND, "is not the key");
    vault_free(open_ok(w, SECOND "," FIRST));
    open_refused(w, SECOND, "is not the key"); // nothing was sealed again yet
    open_refused(w, NULL, "missing");
}

static void without_a_key_a_shared_store_has_no_secrets(void **state)
{
    struct world *w = *state;
    assert_null(open_ok(w, NULL));
    w->config.keys_required = false;
    struct vault *v = open_ok(w, NULL), *again = open_ok(w, NULL);
    struct str back, sealed = vault_seal(v, ULID_ZERO, STR("k"), STR("value"), &w->a);
    struct err err = {0};
    assert_true(vault_open(again, ULID_ZERO, STR("k"), sealed, &back, &w->a, &err));
    vault_free(v);
    vault_free(again);
}

static void a_store_of_our_own_keeps_it_in_a_file(void **state)
{
    struct world *w = *state;
    const char *path = arena_fmt(&w->a, "%s/secrets.key", w->folder).p;
    w->store->exclusive = true;
    vault_free(open_ok(w, NULL));
    assert_int_equal(access(path, R_OK), 0);
    assert_int_equal(unlink(path), 0);
    vault_free(open_ok(w, NULL)); // nothing was lost
    secret_add(w);
    vault_free(open_ok(w, NULL));
    assert_int_equal(unlink(path), 0);
    open_refused(w, NULL, "missing"); // another one is not made behind the secrets' back
    open_refused(w, FIRST, "is not the key");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_open, world_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_wrong_key_is_refused_at_start),
        TEST(without_a_key_a_shared_store_has_no_secrets),
        TEST(a_store_of_our_own_keeps_it_in_a_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
