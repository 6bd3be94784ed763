// SPDX-License-Identifier: Apache-2.0
// Two nodes of a Galera cluster that change the same row: the loser learns it when it commits. Against the
// cluster of tests/servers/galera.py.
#include "db_engine.h"

#include "base/mem.h"
#include "base/sync.h"

enum { NODES = 3, GALERA_SLOTS = 6 };
enum galera_slot { CHANGE_ROW, READ_ROW, PUT_ROW, PUT_SLOWLY, LOOK };

struct cluster {
    struct arena a;
    struct db_url first;
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
        if (i == 0)
            c->first = u;
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

// Hundreds of milliseconds of arithmetic, in which no server looks whether it should stop.
#define HASH(text) "LENGTH(SHA2(REPEAT('" text "', 7000000), 512))"
#define HASHES     HASH("a") "+" HASH("b") "+" HASH("c") "+" HASH("d") "+" HASH("e") "+" HASH("f")
#define SLOW       HASHES "+" HASHES "+" HASHES

struct array {
    struct cluster *c;
    atomic_bool done;
    bool ok;
    struct err err;
};

static void *put_slowly(void *arg)
{
    struct array *v = arg;
    struct db_cell row[] = {{.kind = DB_CELL_I64, .i = 2}, {.kind = DB_CELL_I64, .i = 9}};
    struct db_stmt *s;
    v->ok = db_stmt_at(v->c->d[0], PUT_SLOWLY,
                       STR("INSERT INTO g VALUES (?1, ?2) ON DUPLICATE KEY UPDATE v = " SLOW), &s, &v->err) &&
            db_run_each(s, row, 1, 2, &v->err);
    atomic_store(&v->done, true);
    return NULL;
}

static bool puts_slowly(struct cluster *c, struct db *d)
{
    struct db_stmt *s;
    bool row;
    assert_ok(c, db_stmt_at(d, LOOK,
                            STR("SELECT COUNT(*) FROM information_schema.processlist "
                                "WHERE command <> 'Sleep' AND info LIKE 'INSERT INTO g %'"),
                            &s, &c->err));
    assert_ok(c, db_step(s, &row, &c->err));
    int64_t n = db_i64(s, 0);
    db_reset(s);
    return n > 0;
}

// The server rolls back and says OK to the array, and to the commit of nothing that would follow.
static void an_array_that_gives_way_is_busy(void **state)
{
    struct cluster *c = *state;
    struct array array = {.c = c};
    struct db *beside;
    struct db_config conf = {
        .url = &c->first, .application = "test", .patience = duration_s(10), .slots = GALERA_SLOTS};
    assert_ok(c, db_engine_mysql.open(&conf, &beside, &c->err));
    assert_int_equal(read_row(c, 1, 1), 0);
    assert_ok(c, db_begin(c->d[0], &c->err));
    assert_ok(c, change(c, 0, 1, 100));
    pthread_t t = thread_start("array", put_slowly, &array);
    while (!puts_slowly(c, beside) && !atomic_load(&array.done))
        ;
    assert_ok(c, change(c, 1, 1, 200));
    assert_int_equal(pthread_join(t, NULL), 0);
    if (!array.ok)
        assert_int_equal(array.err.code, ERR_BUSY);
    else // the other change came when the array was through
        assert_err(c, db_commit(c->d[0], &c->err), ERR_BUSY);
    assert_false(db_in_transaction(c->d[0]));
    assert_true(db_alive(c->d[0]));
    for (int i = 0; i < NODES; i++) {
        assert_int_equal(read_row(c, i, 1), 200);
        assert_int_equal(read_row(c, i, 2), 0);
    }
    db_close(beside);
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
        GALERA_CASE("an array that gives way is busy", an_array_that_gives_way_is_busy),
        GALERA_CASE("changes of other rows do not collide", other_rows_do_not_collide),
        GALERA_CASE("several nodes are noted", several_nodes_are_noted),
    };
    if (!getenv("CHRONOS_TEST_DB_URLS")) {
        (void)printf("1..0 # SKIP CHRONOS_TEST_DB_URLS names no cluster\n");
        return 0;
    }
    return cmocka_run_group_tests_name("galera", cases, NULL, NULL);
}
