// SPDX-License-Identifier: Apache-2.0
// Every statement of a dialect is one that its server understands. What no
// other test reaches would else fail first at a user's.
#include "conformance.h"

#include "db/url.h"
#include "server.h"
#include "store/sql/copy_queries.h"
#include "store/sql/store_queries.h"

enum { PATIENCE_S = 10, URL_BUDGET = 64 * 1024 };

static struct arena arena;
static struct db *db;
static struct store *store;

static int start(void **state)
{
    struct db_url url;
    struct err err;
    (void)state;
    arena_init(&arena, URL_BUDGET);
    store = server_store(&err); // makes the tables
    if (!store || !db_url_parse(str_of(getenv("CHRONOS_TEST_DB_URL")), &url, &arena, &err))
        fail_msg("%s", err.text);
    struct db_config c = {
        .url = &url, .application = "chronos tests", .patience = duration_s(PATIENCE_S), .slots = 1};
    const struct db_engine *e =
        str_starts(url.scheme, STR("postgres")) ? &db_engine_postgres : &db_engine_mysql;
    if (!e->open(&c, &db, &err))
        fail_msg("%s", err.text);
    return 0;
}

static int end(void **state)
{
    (void)state;
    db_close(db);
    store->ops->free(store);
    arena_release(&arena);
    return 0;
}

// ret_n: how many there are, without those the dialect has no use for.
static void prepare_all(const struct str *sql, size_t n, int *ret_n)
{
    for (size_t i = 0; i < n; i++) {
        struct db_stmt *s = NULL;
        struct err err;
        if (str_trim(sql[i]).n == 0)
            continue;
        if (!db->ops->prepare(db, sql[i], &s, &err))
            fail_msg("%.*s: %s", STR_ARG(sql[i]), err.text);
        db->ops->finalize(s);
        (*ret_n)++;
    }
}

static void every_statement_is_understood(void **state)
{
    (void)state;
    int n = 0, copies = 0;
    prepare_all(store_sql[db->dialect], STORE_QUERY_COUNT, &n);
    prepare_all(copy_sql[db->dialect], COPY_QUERY_COUNT, &copies);
    assert_true(n > STORE_QUERY_COUNT / 2);
    assert_true(copies > COPY_QUERY_COUNT / 2);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_statement_is_understood, start, end),
    };
    return cmocka_run_group_tests_name("statements", tests, NULL, NULL);
}
