// SPDX-License-Identifier: Apache-2.0
// Nodes on one store come to one root, whatever the order of their starts and however the outer key is replaced.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <unistd.h>

#include "base/sync.h"
#include "server_key.h"
#include "store/memory/store_memory.h"

enum { ARENA_BUDGET = 1024 * 1024, NODES = 8 };

struct world {
    struct store *store;
    struct config config;
    struct arena a;
    char folder[64];
};

static int world_open(void **state)
{
    static struct world w;
    w = (struct world){.folder = "/tmp/chronos-key-XXXXXX"};
    must(mkdtemp(w.folder));
    arena_init(&w.a, ARENA_BUDGET);
    w.store = store_memory_new_shared();
    w.config = (struct config){.data_dir = str_of(w.folder)};
    *state = &w;
    return 0;
}

static int world_close(void **state)
{
    struct world *w = *state;
    (void)unlink(arena_fmt(&w->a, "%s/token.key", w->folder).p);
    rmdir(w->folder);
    w->store->ops->free(w->store);
    arena_release(&w->a);
    return 0;
}

static void expect_id(struct world *w, const struct config *c, const char *id, bool same)
{
    struct err err = {0};
    struct token_key *key;
    assert_true(server_key_open(c, w->store, &key, &w->a, &err));
    assert_int_equal(strcmp(token_key_id(key), id) == 0, same);
    token_key_free(key);
}

struct starter {
    struct world *w;
    struct token_key *key;
};

static void *start(void *arg)
{
    struct starter *s = arg;
    struct arena a;
    struct err err = {0};
    arena_init(&a, ARENA_BUDGET);
    must(server_key_open(&s->w->config, s->w->store, &s->key, &a, &err));
    arena_release(&a);
    return NULL;
}

static void nodes_that_start_together_agree(void **state)
{
    struct world *w = *state;
    struct starter v[NODES];
    pthread_t threads[NODES];
    for (size_t i = 0; i < NODES; i++) {
        v[i] = (struct starter){.w = w};
        threads[i] = thread_start("starter", start, &v[i]);
    }
    for (size_t i = 0; i < NODES; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (size_t i = 1; i < NODES; i++)
        assert_string_equal(token_key_id(v[i].key), token_key_id(v[0].key));
    expect_id(w, &w->config, token_key_id(v[0].key), true);
    for (size_t i = 0; i < NODES; i++)
        token_key_free(v[i].key);
}

#define OLD "0123456789abcdef0123456789abcdef"
#define MID "aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbb"
#define NEW "fedcba9876543210fedcba9876543210"

// The id of the root that this setting opens; "" when the server does not start.
static const char *opened_with(struct world *w, const char *keys)
{
    static char id[TOKEN_KEY_ID_CHARS + 1];
    struct err err = {0};
    struct token_key *key;
    w->config.auth_key = str_of(keys);
    if (!server_key_open(&w->config, w->store, &key, &w->a, &err)) {
        assert_int_equal(err.code, ERR_CONFIG);
        return "";
    }
    memcpy(id, token_key_id(key), sizeof id - 1);
    token_key_free(key);
    return id;
}

static void a_given_secret_is_the_same_everywhere(void **state)
{
    struct world *w = *state;
    struct err err = {0};
    struct token_key *key;
    w->config.keys_required = true;
    assert_false(server_key_open(&w->config, w->store, &key, &w->a, &err));
    assert_int_equal(err.code, ERR_CONFIG);
    w->config.auth_key = STR(OLD);
    assert_true(server_key_open(&w->config, w->store, &key, &w->a, &err));
    struct config elsewhere = w->config;
    elsewhere.data_dir = STR("/nowhere");
    expect_id(w, &elsewhere, token_key_id(key), true);
    assert_string_equal(opened_with(w, NEW), "");
    assert_string_equal(opened_with(w, "too short"), "");
    assert_string_equal(opened_with(w, OLD ", short"), "");
    struct str secret;
    assert_false(w->store->ops->setting_get(w->store, STR("auth.key"), &secret, &w->a, &err));
    token_key_free(key);
}

static void the_root_outlives_every_outer_key(void **state)
{
    struct world *w = *state;
    char root[TOKEN_KEY_ID_CHARS + 1];
    w->config.keys_required = true;
    (void)snprintf(root, sizeof root, "%s", opened_with(w, OLD));
    assert_int_equal(strlen(root), TOKEN_KEY_ID_CHARS);
    assert_string_equal(opened_with(w, MID ", " OLD), root);
    // While the exchange goes on, a node that still has the old one starts, and one that has only the new one, too.
    assert_string_equal(opened_with(w, OLD), root);
    assert_string_equal(opened_with(w, MID ", " OLD), root);
    assert_string_equal(opened_with(w, MID), root);
    // That ended it.
    assert_string_equal(opened_with(w, OLD), "");
    assert_string_equal(opened_with(w, MID), root);
    // The careful way: first told, then used, then alone.
    assert_string_equal(opened_with(w, MID ", " NEW), root);
    assert_string_equal(opened_with(w, NEW ", " MID), root);
    assert_string_equal(opened_with(w, NEW), root);
    assert_string_equal(opened_with(w, MID), "");
    struct err err = {0};
    assert_true(server_key_forget(w->store, &err));
    assert_string_not_equal(opened_with(w, OLD), root);
}

static void a_store_of_our_own_keeps_it_in_a_file(void **state)
{
    struct world *w = *state;
    struct err err = {0};
    struct token_key *key;
    struct str text, row;
    w->store->exclusive = true;
    w->config.keys_required = true;
    assert_true(server_key_open(&w->config, w->store, &key, &w->a, &err));
    const char *path = arena_fmt(&w->a, "%s/token.key", w->folder).p;
    assert_int_equal(access(path, R_OK), 0);
    expect_id(w, &w->config, token_key_id(key), true);
    // What the file holds opens the root elsewhere, too; the store alone does not.
    assert_true(token_secret_load(path, false, &text, &w->a, &err));
    assert_string_equal(opened_with(w, arena_cstr(&w->a, text)), token_key_id(key));
    assert_true(w->store->ops->setting_get(w->store, STR("auth.root"), &row, &w->a, &err));
    assert_false(str_contains(row, text));
    w->config.auth_key = STR_NONE;
    assert_int_equal(unlink(path), 0);
    struct token_key *other;
    assert_false(server_key_open(&w->config, w->store, &other, &w->a, &err)); // no first start: the file is lost
    assert_int_equal(err.code, ERR_CONFIG);
    token_key_free(key);
}

static void a_changed_row_is_noticed(void **state)
{
    struct world *w = *state;
    struct err err = {0};
    struct str row;
    assert_string_not_equal(opened_with(w, OLD), "");
    assert_true(w->store->ops->setting_get(w->store, STR("auth.root"), &row, &w->a, &err));
    char *copy = arena_cstr(&w->a, row);
    for (size_t i = 0; i < row.n; i++) {
        char kept = copy[i];
        copy[i] = kept == 'A' ? 'B' : 'A';
        assert_true(w->store->ops->setting_put(w->store, STR("auth.root"), str_of_n(copy, row.n), &err));
        assert_string_equal(opened_with(w, OLD), "");
        copy[i] = kept;
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_open, world_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nodes_that_start_together_agree),
        TEST(a_given_secret_is_the_same_everywhere),
        TEST(the_root_outlives_every_outer_key),
        TEST(a_store_of_our_own_keeps_it_in_a_file),
        TEST(a_changed_row_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
