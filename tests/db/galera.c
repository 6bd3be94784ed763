// SPDX-License-Identifier: Apache-2.0
// Two nodes of a Galera cluster that change the same row: the loser learns it when it commits. Against the
// cluster of tests/servers/galera.py.
#include "db_engine.h"

#include "base/mem.h"

enum { NODES = 3, GALERA_SLOTS = 4 };
enum galera_slot { CHANGE_ROW, READ_ROW, PUT_ROW };

struct cluster {
    struct arena a;
    struct db *d[NODES];
    struct err err;
};

static int start(void **state)
{
    struct cluster *c = mem_new(struct cluster);
    struct str rest = str_of(getenv("CHRONOS_TEST_DB_URLS"));
    arena_init(&c->a, 1 << 16);
    for (int i = 0; i < NODES; i++) {
        struct db_url u;
        assert_ok(c, db_url_parse(str_split(rest, ' ', &rest), &u, &c->a, &c->err));
        struct db_config conf = {
            .url = &u, .application = "test", .patience = duration_s(10), .slots = GALERA_SLOTS};
        assert_ok(c, db_engine_mysql.open(&conf, &c->d[i], &c->err));
    }
    assert_ok(
        c, db_script(c->d[0],
                     STR("DROP TABLE IF EXISTS g; CREATE TABLE g (k BIGINT PRIMARY KEY, v BIGINT NOT NULL);"
                         "INSERT INTO g VALUES (1, 0), (2, 0)"),
                     &c->err));
    *state = c;
    return 0;
}

static int end(void **state)
{
    struct cluster *c = *state;
    for (int i = 0; i < NODES; i++)
        db_close(c->d[i]);
    arena_release(&c->a);
    mem_free(c);
    return 0;
}

static bool change(struct cluster *c, int node, int64_t k, int64_t v)
{
    struct db_stmt *s;
    assert_ok(c, db_stmt_at(c->d[node], CHANGE_ROW, STR("UPDATE g SET v = ?2 WHERE k = ?1"), &s, &c->err));
    db_put_i64(s, 1, k);
    db_put_i64(s, 2, v);
    return db_run(s, &c->err);
}

// What the node holds once it has applied everything that was committed before (wsrep_sync_wait).
static int64_t read_row(struct cluster *c, int node, int64_t k)
{
    struct db_stmt *s;
    bool row;
    assert_ok(c, db_script(c->d[node], STR("SET SESSION wsrep_sync_wait = 1"), &c->err));
    assert_ok(c, db_stmt_at(c->d[node], READ_ROW, STR("SELECT v FROM g WHERE k = ?1"), &s, &c->err));
    db_put_i64(s, 1, k);
    assert_ok(c, db_step(s, &row, &c->err));
    assert_true(row);
    int64_t v = db_i64(s, 0);
    db_reset(s);
    assert_ok(c, db_script(c->d[node], STR("SET SESSION wsrep_sync_wait = 0"), &c->err));
    return v;
}

static void the_later_commit_is_busy(void **state)
{
    struct cluster *c = *state;
    assert_int_equal(read_row(c, 1, 1), 0);
    for (int round = 1; round <= 20; round++) {
        int first = round % 2, second = 1 - first;
        assert_ok(c, db_begin(c->d[first], &c->err));
        assert_ok(c, db_begin(c->d[second], &c->err));
        assert_ok(c, change(c, first, 1, 10 * round));
        assert_ok(c, change(c, second, 1, 10 * round + 1)); // neither sees the other's lock
        assert_ok(c, db_commit(c->d[first], &c->err));
        assert_err(c, db_commit(c->d[second], &c->err), ERR_BUSY);
        assert_false(db_in_transaction(c->d[second]));
        assert_true(db_alive(c->d[second]));
        for (int i = 0; i < NODES; i++)
            assert_int_equal(read_row(c, i, 1), 10 * round);
        assert_ok(c, db_begin(c->d[second], &c->err)); // once more, and it goes through
        assert_ok(c, change(c, second, 1, 10 * round + 2));
        assert_ok(c, db_commit(c->d[second], &c->err));
        assert_int_equal(read_row(c, first, 1), 10 * round + 2);
    }
}

static void the_later_insert_is_busy(void **state)
{
    struct cluster *c = *state;
    struct db_stmt *s;
    for (int i = 0; i < 2; i++) {
        assert_ok(c, db_begin(c->d[i], &c->err));
        assert_ok(c, db_stmt_at(c->d[i], PUT_ROW, STR("INSERT INTO g VALUES (?1, ?2) ON CONFLICT DO NOTHING"),
                                &s, &c->err));
        db_put_i64(s, 1, 7);
        db_put_i64(s, 2, i);
        assert_ok(c, db_run(s, &c->err));
        assert_int_equal(db_changes(c->d[i]), 1);
    }
    assert_ok(c, db_commit(c->d[0], &c->err));
    assert_err(c, db_commit(c->d[1], &c->err), ERR_BUSY);
    for (int i = 0; i < NODES; i++)
        assert_int_equal(read_row(c, i, 7), 0);
}

static void other_rows_do_not_collide(void **state)
{
    struct cluster *c = *state;
    for (int i = 0; i < 2; i++) {
        assert_ok(c, db_begin(c->d[i], &c->err));
        assert_ok(c, change(c, i, 1 + i, 5));
    }
    for (int i = 0; i < 2; i++)
        assert_ok(c, db_commit(c->d[i], &c->err));
}

static void several_nodes_are_noted(void **state)
{
    struct cluster *c = *state;
    const char *note = NULL;
    assert_ok(c, db_cluster_note(c->d[2], &note, &c->err));
    assert_non_null(note);
    assert_non_null(strstr(note, "one writer"));
}

int main(void)
{
#define GALERA_CASE(sentence, f)                                                                             \
    {                                                                                                        \
        .name = (sentence), .test_func = (f), .setup_func = start, .teardown_func = end                      \
    }
    static const struct CMUnitTest cases[] = {
        GALERA_CASE("of two that change a row the later commit is busy", the_later_commit_is_busy),
        GALERA_CASE("of two that insert a key the later commit is busy", the_later_insert_is_busy),
        GALERA_CASE("changes of other rows do not collide", other_rows_do_not_collide),
        GALERA_CASE("several nodes are noted", several_nodes_are_noted),
    };
    if (!getenv("CHRONOS_TEST_DB_URLS")) {
        (void)printf("1..0 # SKIP CHRONOS_TEST_DB_URLS names no cluster\n");
        return 0;
    }
    return cmocka_run_group_tests_name("galera", cases, NULL, NULL);
}
