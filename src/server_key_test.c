// SPDX-License-Identifier: Apache-2.0
// Nodes on one store come to one key, whatever the order of their starts; a store of our own keeps it in a
// file.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <unistd.h>

#include "base/sync.h"
#include "server_key.h"
#include "store/memory/store_memory.h"

enum { ARENA_BUDGET = 64 * 1024, NODES = 8 };

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
    w.config = (struct config){.data_dir = str_of(w.folder), .profile = PROFILE_DEVELOPMENT};
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

static void a_given_secret_is_the_same_everywhere(void **state)
{
    struct world *w = *state;
    struct err err = {0};
    struct token_key *key;
    w->config.profile = PROFILE_PRODUCTION;
    assert_false(server_key_open(&w->config, w->store, &key, &w->a, &err));
    assert_int_equal(err.code, ERR_CONFIG);
    w->config.auth_key = STR("0123456789abcdef0123456789abcdef");
    assert_true(server_key_open(&w->config, w->store, &key, &w->a, &err));
    struct config elsewhere = w->config, other = w->config;
    elsewhere.data_dir = STR("/nowhere");
    other.auth_key = STR("0123456789abcdef0123456789abcdeF");
    expect_id(w, &elsewhere, token_key_id(key), true);
    expect_id(w, &other, token_key_id(key), false);
    struct str secret;
    assert_false(w->store->ops->setting_get(w->store, STR("auth.key"), &secret, &w->a, &err));
    token_key_free(key);
}

static void a_store_of_our_own_keeps_it_in_a_file(void **state)
{
    struct world *w = *state;
    struct err err = {0};
    struct token_key *key;
    w->store->exclusive = true;
    w->config.profile = PROFILE_PRODUCTION;
    assert_true(server_key_open(&w->config, w->store, &key, &w->a, &err));
    assert_int_equal(access(arena_fmt(&w->a, "%s/token.key", w->folder).p, R_OK), 0);
    expect_id(w, &w->config, token_key_id(key), true);
    token_key_free(key);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_open, world_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nodes_that_start_together_agree),
        TEST(a_given_secret_is_the_same_everywhere),
        TEST(a_store_of_our_own_keeps_it_in_a_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
