// SPDX-License-Identifier: Apache-2.0
// The contract of db/db.h against the server of CHRONOS_TEST_DB_URL: db_engine. tests/servers/with.py starts
// one.
#include "db_engine.h"

#include "base/mem.h"
#include "base/sync.h"
#include "db/migrate.h"

enum { SLOTS = 48, URL_BUDGET = 65536, CASES_MAX = 64 };

// What the dialects say differently.
enum text { TABLES, PUT_ROWS, END_OTHERS, TEXTS };
static const char *const texts[DB_DIALECTS][TEXTS] = {
    [DB_POSTGRES] =
        {
            [TABLES] =
                "DROP TABLE IF EXISTS t, m; DROP TABLE IF EXISTS schema_migrations;"
                "CREATE TABLE t (k BIGINT PRIMARY KEY, small SMALLINT, f DOUBLE PRECISION, s TEXT, b BYTEA)",
            [PUT_ROWS] = "INSERT INTO t (k, small, s, b) SELECT * FROM unnest(?1::bigint[], ?2::smallint[], "
                         "?3::text[], "
                         "?4::bytea[])",
            [END_OTHERS] = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                           "WHERE application_name = 'victim'",
        },
    [DB_MYSQL] =
        {
            [TABLES] =
                "DROP TABLE IF EXISTS t, m; DROP TABLE IF EXISTS schema_migrations;"
                "CREATE TABLE t (k BIGINT PRIMARY KEY, small SMALLINT, f DOUBLE, s MEDIUMTEXT, b MEDIUMBLOB)",
            [PUT_ROWS] = "INSERT INTO t (k, small, s, b) SELECT k, small, s, unhex(b) FROM JSON_TABLE(?1, "
                         "'$[*]' COLUMNS("
                         "k BIGINT PATH '$[0]', small SMALLINT PATH '$[1]', s MEDIUMTEXT PATH '$[2]', "
                         "b MEDIUMTEXT PATH '$[3]')) v",
            // The victim came last.
            [END_OTHERS] = "SELECT max(id) INTO @victim FROM information_schema.processlist; KILL @victim",
        },
};

static const struct db_engine *engine_of(const struct db_url *u)
{
    return str_starts(u->scheme, STR("postgres")) ? &db_engine_postgres : &db_engine_mysql;
}

bool connect_as(struct world *w, const struct db_url *u, const char *name, struct db **ret)
{
    struct db_config c = {
        .url = u, .application = name, .patience = duration_ms(PATIENCE_MS), .slots = SLOTS};
    return w->engine->open(&c, ret, &w->err);
}

int setup(void **state)
{
    struct world *w = mem_new(struct world);
    arena_init(&w->a, URL_BUDGET);
    assert_ok(w, db_url_parse(str_of(getenv("CHRONOS_TEST_DB_URL")), &w->url, &w->a, &w->err));
    w->engine = engine_of(&w->url);
    assert_ok(w, connect_as(w, &w->url, "test", &w->d));
    assert_ok(w, connect_as(w, &w->url, "test other", &w->other));
    assert_ok(w, db_script(w->d, str_of(texts[w->d->dialect][TABLES]), &w->err));
    *state = w;
    return 0;
}

int teardown(void **state)
{
    struct world *w = *state;
    db_close(w->d);
    db_close(w->other);
    arena_release(&w->a);
    mem_free(w);
    return 0;
}

// ---- short names -------------------------------------------------------------------------------

static const char *const sql[] = {
    [PUT] = "INSERT INTO t (k, small, f, s, b) VALUES (?1, ?2, ?3, ?4, ?5) -- ?6 is '?7'",
    [GET] = "SELECT k, small, f, s, b FROM t WHERE k >= ?1 ORDER BY k",
    [COUNT] = "SELECT count(*) FROM t",
    [CHANGE] = "UPDATE t SET s = ?2 WHERE k >= ?1",
    [FAIL] = "SELECT nothing FROM nowhere",
    [FOR_UPDATE] = "SELECT s FROM t WHERE k = ?1 FOR UPDATE",
};

struct db_stmt *statement(struct world *w, struct db *d, enum slot slot)
{
    struct db_stmt *s = NULL;
    const char *text = slot == ROWS ? texts[d->dialect][PUT_ROWS] : sql[slot];
    assert_ok(w, db_stmt_at(d, slot, str_of(text), &s, &w->err));
    return s;
}

static struct db_stmt *put_of(struct world *w, struct db *d, int64_t k, const char *text)
{
    struct db_stmt *s = statement(w, d, PUT);
    db_put_i64(s, 1, k);
    db_put_i64(s, 2, 7);
    db_put_f64(s, 3, 0.5);
    db_put_text(s, 4, str_of(text));
    db_null(s, 5);
    return s;
}

void end_victim(struct world *w)
{
    assert_ok(w, db_script(w->other, str_of(texts[w->other->dialect][END_OTHERS]), &w->err));
}

bool put(struct world *w, struct db *d, int64_t k, const char *text)
{
    return db_run(put_of(w, d, k, text), &w->err);
}

static bool change(struct world *w, struct db *d, int64_t from, const char *text)
{
    struct db_stmt *s = statement(w, d, CHANGE);
    db_put_i64(s, 1, from);
    db_put_text(s, 2, str_of(text));
    return db_run(s, &w->err);
}

int64_t count(struct world *w, struct db *d)
{
    struct db_stmt *s = statement(w, d, COUNT);
    bool row = false;
    assert_ok(w, db_step(s, &row, &w->err));
    assert_true(row);
    int64_t n = db_i64(s, 0);
    db_reset(s);
    return n;
}

// ---- values and rows ---------------------------------------------------------------------------

static void values_come_back(void **state)
{
    struct world *w = *state;
    static const uint8_t blob[] = {0, 1, 255, '\'', '\\', 0};
    static const int64_t keys[] = {INT64_MIN, -1, 0, INT64_MAX};
    static const struct str words[] = {STR_INIT(""), STR_INIT("it's \\ \"q\" ?1 $1"),
                                       STR_INIT("\xF0\x9F\x95\x90 ü\n"), STR_INIT("x")};
    struct db_stmt *s = statement(w, w->d, PUT);
    bool row;
    for (int i = 0; i < 4; i++) {
        db_put_i64(s, 1, keys[i]);
        db_put_i64(s, 2, i - 2);
        db_put_f64(s, 3, -1.25 * i);
        db_put_text(s, 4, words[i]);
        db_put_blob(s, 5, blob, (size_t)i * 2);
        assert_ok(w, db_run(s, &w->err));
        assert_int_equal(db_changes(w->d), 1);
    }
    s = statement(w, w->d, GET);
    db_put_i64(s, 1, INT64_MIN);
    for (int i = 0; i < 4; i++) {
        assert_ok(w, db_step(s, &row, &w->err));
        assert_true(row);
        assert_true(db_i64(s, 0) == keys[i]);
        assert_int_equal(db_i64(s, 1), i - 2);
        assert_true(db_f64(s, 2) == -1.25 * i);
        assert_true(str_eq(db_bytes(s, 3), words[i]) && db_bytes(s, 3).p);
        assert_int_equal(db_bytes(s, 4).n, i * 2);
        assert_memory_equal(db_bytes(s, 4).p, blob, (size_t)i * 2);
        assert_false(db_is_null(s, 4));
    }
    assert_ok(w, db_step(s, &row, &w->err));
    assert_false(row);
}

static void nulls_come_back(void **state)
{
    struct world *w = *state;
    struct db_stmt *s = statement(w, w->d, PUT);
    bool row;
    db_put_i64(s, 1, 1);
    db_null(s, 2);
    db_null(s, 3);
    db_put_text(s, 4, STR_NONE);
    db_null(s, 5);
    assert_ok(w, db_run(s, &w->err));
    s = statement(w, w->d, GET);
    db_put_i64(s, 1, 1);
    assert_ok(w, db_step(s, &row, &w->err));
    for (int i = 1; i < 5; i++)
        assert_true(db_is_null(s, i));
    assert_null(db_bytes(s, 3).p);
    assert_int_equal(db_i64(s, 1), 0);
    assert_true(ulid_is_zero(db_id(s, 4)));
    db_reset(s);
}

static void identifiers_come_back(void **state)
{
    struct world *w = *state;
    struct ulid id = {{1, 2, 0, 4, 0xFF}};
    struct db_stmt *s = put_of(w, w->d, 1, "x");
    bool row;
    db_put_id(s, 5, &id);
    assert_ok(w, db_run(s, &w->err));
    s = statement(w, w->d, GET);
    db_put_i64(s, 1, 1);
    assert_ok(w, db_step(s, &row, &w->err));
    assert_true(ulid_eq(db_id(s, 4), id));
    db_reset(s);
}

static void a_statement_left_early_runs_again(void **state)
{
    struct world *w = *state;
    bool row;
    for (int i = 0; i < 5; i++)
        assert_ok(w, put(w, w->d, i, "x"));
    struct db_stmt *s = statement(w, w->d, GET);
    for (int i = 0; i < 5; i++) {
        db_put_i64(s, 1, i);
        assert_ok(w, db_step(s, &row, &w->err));
        assert_int_equal(db_i64(s, 0), i);
        assert_int_equal(count(w, w->d), 5); // another statement in between
        assert_int_equal(db_i64(s, 0), i);
        db_reset(s);
    }
}

static void changes_are_counted(void **state)
{
    struct world *w = *state;
    int64_t before = db_changes_total(w->d);
    for (int i = 0; i < 3; i++)
        assert_ok(w, put(w, w->d, i, "x"));
    assert_ok(w, change(w, w->d, 1, "y"));
    assert_int_equal(db_changes(w->d), 2);
    assert_ok(w, change(w, w->d, 1, "y")); // matched, though nothing differs
    assert_int_equal(db_changes(w->d), 2);
    assert_ok(w, change(w, w->d, 9, "y"));
    assert_int_equal(db_changes(w->d), 0);
    assert_int_equal(db_changes_total(w->d) - before, 7);
    (void)count(w, w->d);
    assert_int_equal(db_changes_total(w->d) - before, 7);
}

static void rows_go_together(void **state)
{
    struct world *w = *state;
    struct db_cell cells[300][4];
    struct ulid id = {{9}};
    bool row;
    for (int i = 0; i < 300; i++) {
        cells[i][0] = (struct db_cell){.kind = DB_CELL_I64, .i = i};
        cells[i][1] = (struct db_cell){.kind = i % 3 ? DB_CELL_I64 : DB_CELL_NULL, .i = -i};
        cells[i][2] =
            (struct db_cell){.kind = i % 2 ? DB_CELL_TEXT : DB_CELL_NULL, .bytes = STR("a\"b\\c ü {},[]")};
        cells[i][3] =
            (struct db_cell){.kind = DB_CELL_BLOB, .bytes = str_of_n((const char *)id.b, sizeof id.b)};
    }
    assert_true(db_takes_rows(w->d));
    struct db_stmt *s = statement(w, w->d, ROWS);
    db_put_rows(s, cells[0], 300, 4);
    assert_ok(w, db_run(s, &w->err));
    assert_int_equal(db_changes(w->d), 300);
    db_put_rows(s, cells[0], 0, 4);
    assert_ok(w, db_run(s, &w->err));
    assert_int_equal(db_changes(w->d), 0);
    s = statement(w, w->d, GET);
    db_put_i64(s, 1, 297);
    assert_ok(w, db_step(s, &row, &w->err));
    assert_true(db_is_null(s, 1));
    assert_true(str_is(db_bytes(s, 3), "a\"b\\c ü {},[]"));
    assert_ok(w, db_step(s, &row, &w->err));
    assert_int_equal(db_i64(s, 1), -298);
    assert_true(db_is_null(s, 3));
    assert_true(ulid_eq(db_id(s, 4), id));
    db_reset(s);
}

static void wrong_statements_are_our_mistake(void **state)
{
    struct world *w = *state;
    struct db_stmt *s;
    assert_err(w, db_stmt_at(w->d, FAIL, str_of(sql[FAIL]), &s, &w->err), ERR_INTERNAL);
    s = statement(w, w->d, COUNT);
    db_put_i64(s, 1, 1); // it has no parameter
    assert_err(w, db_run(s, &w->err), ERR_INTERNAL);
    assert_int_equal(count(w, w->d), 0);
    assert_err(w, db_script(w->d, STR("CREATE TABLE m (k BIGINT); nonsense"), &w->err), ERR_INTERNAL);
    assert_true(db_alive(w->d));
}

// ---- transactions ------------------------------------------------------------------------------

static void commit_shows_and_rollback_does_not(void **state)
{
    struct world *w = *state;
    assert_ok(w, db_begin(w->d, &w->err));
    assert_ok(w, db_commit(w->d, &w->err)); // nothing in it
    assert_ok(w, db_begin(w->d, &w->err));
    assert_true(db_in_transaction(w->d));
    assert_ok(w, put(w, w->d, 1, "x"));
    assert_int_equal(count(w, w->other), 0);
    assert_ok(w, db_commit(w->d, &w->err));
    assert_false(db_in_transaction(w->d));
    assert_int_equal(count(w, w->other), 1);
    assert_ok(w, db_begin(w->d, &w->err));
    assert_ok(w, put(w, w->d, 2, "x"));
    db_rollback(w->d);
    assert_int_equal(count(w, w->d), 1);
    db_rollback(w->d); // outside of one: nothing happens
}

static void a_taken_key_is_a_conflict(void **state)
{
    struct world *w = *state;
    assert_ok(w, put(w, w->d, 1, "x"));
    assert_ok(w, db_begin(w->d, &w->err));
    assert_ok(w, put(w, w->d, 2, "x"));
    assert_err(w, put(w, w->d, 1, "x"), ERR_CONFLICT);
    db_rollback(w->d);
    assert_int_equal(count(w, w->d), 1);
    assert_true(db_alive(w->d));
}

static void a_savepoint_keeps_the_rest(void **state)
{
    struct world *w = *state;
    assert_ok(w, db_begin(w->d, &w->err));
    assert_ok(w, put(w, w->d, 1, "x"));
    assert_ok(w, db_savepoint(w->d, &w->err));
    assert_ok(w, put(w, w->d, 2, "x"));
    assert_err(w, put(w, w->d, 1, "x"), ERR_CONFLICT);
    assert_true(db_in_transaction(w->d));
    assert_ok(w, db_savepoint_rollback(w->d, &w->err));
    assert_ok(w, db_savepoint(w->d, &w->err));
    assert_ok(w, put(w, w->d, 3, "x"));
    assert_ok(w, db_savepoint_release(w->d, &w->err));
    assert_ok(w, db_savepoint(w->d, &w->err));
    assert_ok(w, db_savepoint_rollback(w->d, &w->err)); // nothing in it
    assert_ok(w, db_commit(w->d, &w->err));
    assert_int_equal(count(w, w->other), 2);
}

static void later_is_sent_with_what_follows(void **state)
{
    struct world *w = *state;
    int64_t before = db_changes_total(w->d);
    assert_ok(w, db_begin(w->d, &w->err));
    for (int i = 0; i < 1000; i++)
        assert_ok(w, db_later(put_of(w, w->d, i, "x"), &w->err));
    assert_true(db_changes_total(w->d) > before);
    assert_int_equal(count(w, w->d), 1000);
    assert_ok(w, db_later(put_of(w, w->d, 1000, "x"), &w->err));
    assert_ok(w, db_commit(w->d, &w->err));
    assert_int_equal(count(w, w->other), 1001);
    assert_ok(w, db_begin(w->d, &w->err));
    assert_ok(w, db_later(put_of(w, w->d, 2000, "x"), &w->err));
    db_rollback(w->d);
    assert_int_equal(count(w, w->other), 1001);
}

// Where an engine runs it at once it may say so at once.
static void what_fails_later_shows_later(void **state)
{
    struct world *w = *state;
    assert_ok(w, put(w, w->d, 1, "x"));
    assert_ok(w, db_begin(w->d, &w->err));
    if (db_later(put_of(w, w->d, 1, "x"), &w->err))
        assert_false(db_commit(w->d, &w->err));
    assert_int_equal(w->err.code, ERR_CONFLICT);
    db_rollback(w->d);
    assert_ok(w, db_begin(w->d, &w->err));
    if (db_later(put_of(w, w->d, 1, "x"), &w->err))
        assert_false(put(w, w->d, 5, "x"));
    assert_int_equal(w->err.code, ERR_CONFLICT);
    db_rollback(w->d);
    assert_int_equal(count(w, w->d), 1);
}

// ---- several at once ---------------------------------------------------------------------------

static void a_lock_is_not_waited_for_for_ever(void **state)
{
    struct world *w = *state;
    assert_ok(w, put(w, w->d, 1, "x"));
    assert_ok(w, db_begin(w->d, &w->err));
    assert_ok(w, change(w, w->d, 1, "mine"));
    assert_ok(w, db_begin(w->other, &w->err));
    assert_ok(w, put(w, w->other, 2, "x"));
    assert_err(w, change(w, w->other, 1, "theirs"), ERR_BUSY);
    assert_false(db_in_transaction(w->other));
    db_rollback(w->other);
    assert_ok(w, db_commit(w->d, &w->err));
    assert_int_equal(count(w, w->other), 1);
    assert_ok(w, change(w, w->other, 1, "theirs"));
}

struct taker {
    struct world *w;
    struct db *d;
    int64_t second;
    bool ok;
    struct err err;
};

static void *take_second(void *arg)
{
    struct taker *t = arg;
    struct db_stmt *s;
    t->ok = db_stmt_at(t->d, FOR_UPDATE, str_of(sql[FOR_UPDATE]), &s, &t->err);
    if (t->ok) {
        bool row;
        db_put_i64(s, 1, t->second);
        t->ok = db_step(s, &row, &t->err);
        db_reset(s);
    }
    return NULL;
}

static void one_of_a_deadlock_is_busy(void **state)
{
    struct world *w = *state;
    struct taker v[2] = {{.w = w, .d = w->d, .second = 2}, {.w = w, .d = w->other, .second = 1}};
    pthread_t t[2];
    for (int i = 1; i <= 2; i++)
        assert_ok(w, put(w, w->d, i, "x"));
    for (int i = 0; i < 2; i++) {
        struct db_stmt *s = statement(w, v[i].d, FOR_UPDATE);
        bool row;
        assert_ok(w, db_begin(v[i].d, &w->err));
        db_put_i64(s, 1, i + 1);
        assert_ok(w, db_step(s, &row, &w->err));
        db_reset(s);
    }
    for (int i = 0; i < 2; i++)
        t[i] = thread_start("taker", take_second, &v[i]);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_join(t[i], NULL), 0);
    assert_true(v[0].ok != v[1].ok);
    const struct taker *loser = v[0].ok ? &v[1] : &v[0];
    assert_int_equal(loser->err.code, ERR_BUSY);
    assert_false(db_in_transaction(loser->d));
    db_rollback(w->d);
    db_rollback(w->other);
}

static void migrations_run_once(void **state)
{
    struct world *w = *state;
    static const struct migration list[] = {
        {1, "one", STR_INIT("CREATE TABLE m (k BIGINT); INSERT INTO m VALUES (1);")},
        {2, "two", STR_INIT("INSERT INTO m VALUES (2); INSERT INTO m VALUES (3);")},
    };
    for (int i = 0; i < 2; i++) {
        struct db *d = i ? w->other : w->d;
        assert_ok(w, db_migrations_lock(d, true, &w->err));
        assert_ok(w, db_migrate(d, FIRST_MIGRATION_SLOT, list, 2, instant_s(0), &w->err));
        assert_ok(w, db_migrations_lock(d, false, &w->err));
    }
    assert_ok(w, db_migrations_lock(w->d, true, &w->err));
    db_close(w->d); // gives the lock back
    assert_ok(w, db_migrations_lock(w->other, true, &w->err));
    assert_ok(w, connect_as(w, &w->url, "test", &w->d));
}

static void notices_are_heard(void **state)
{
    struct world *w = *state;
    bool heard = true;
    if (!w->d->ops->listen) { // cmocka's skip() reads as a failure in TAP
        print_message("# this engine gives no notices\n");
        return;
    }
    assert_ok(w, w->d->ops->listen(w->d, "chronos", &w->err));
    assert_ok(w, w->d->ops->wait(w->d, duration_ms(0), &heard, &w->err));
    assert_false(heard);
    assert_ok(w, db_script(w->other, STR("NOTIFY chronos"), &w->err));
    assert_ok(w, w->d->ops->wait(w->d, duration_ms(PATIENCE_MS), &heard, &w->err));
    assert_true(heard);
    assert_ok(w, w->d->ops->wait(w->d, duration_ms(0), &heard, &w->err));
    assert_false(heard);
}

int main(void)
{
    static const struct CMUnitTest cases[] = {
        CASE("values come back as they were", values_come_back),
        CASE("nulls come back", nulls_come_back),
        CASE("identifiers come back", identifiers_come_back),
        CASE("a statement left early runs again", a_statement_left_early_runs_again),
        CASE("changes are counted", changes_are_counted),
        CASE("many rows go with one statement", rows_go_together),
        CASE("wrong statements are our mistake", wrong_statements_are_our_mistake),
        CASE("a commit shows, a rollback does not", commit_shows_and_rollback_does_not),
        CASE("a taken key is a conflict", a_taken_key_is_a_conflict),
        CASE("a savepoint keeps the rest", a_savepoint_keeps_the_rest),
        CASE("what is put off is sent with what follows", later_is_sent_with_what_follows),
        CASE("what was put off and fails shows afterwards", what_fails_later_shows_later),
        CASE("a lock is not waited for for ever", a_lock_is_not_waited_for_for_ever),
        CASE("one of a deadlock is busy", one_of_a_deadlock_is_busy),
        CASE("schema changes run once", migrations_run_once),
        CASE("every statement of the store is understood", every_statement_is_understood),
        CASE("notices are heard", notices_are_heard),
    };
    if (!getenv("CHRONOS_TEST_DB_URL")) {
        (void)printf("1..0 # SKIP CHRONOS_TEST_DB_URL names no server\n");
        return 0;
    }
    struct CMUnitTest all[CASES_MAX];
    size_t n = sizeof cases / sizeof cases[0];
    memcpy(all, cases, sizeof cases);
    memcpy(all + n, loss_cases, sizeof loss_cases);
    return _cmocka_run_group_tests("db", all, n + LOSS_CASES, NULL, NULL);
}
