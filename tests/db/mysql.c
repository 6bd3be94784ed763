// SPDX-License-Identifier: Apache-2.0
// What only the driver of MySQL and MariaDB promises, against the server of tests/servers/mariadb_tls.py.
#include "db_engine.h"

#include "base/mem.h"
#include "db/migrate.h"

enum { CASE_SLOTS = 16, MIGRATION_SLOT = 8, URL_MAX = 1024, BIG = 3 * 1024 * 1024 };
enum mysql_slot { PUT_OR_NOTHING, READ, READ_ALL };

static int start(void **state)
{
    struct world *w = mem_new(struct world);
    arena_init(&w->a, 1 << 20);
    assert_ok(w, db_url_parse(str_of(getenv("CHRONOS_TEST_DB_URL")), &w->url, &w->a, &w->err));
    w->engine = &db_engine_mysql;
    assert_ok(w, connect_as(w, &w->url, "test", &w->d));
    assert_ok(w, connect_as(w, &w->url, "test other", &w->other));
    assert_ok(w,
              db_script(w->d,
                        STR("DROP TABLE IF EXISTS t, m, later; DROP TABLE IF EXISTS schema_migrations;"
                            "CREATE TABLE t (k BIGINT PRIMARY KEY, s VARBINARY(100) UNIQUE, big LONGTEXT)"),
                        &w->err));
    *state = w;
    return 0;
}

static int end(void **state)
{
    struct world *w = *state;
    db_close(w->d);
    db_close(w->other);
    arena_release(&w->a);
    mem_free(w);
    return 0;
}

bool connect_as(struct world *w, const struct db_url *u, const char *name, struct db **ret)
{
    struct db_config c = {
        .url = u, .application = name, .patience = duration_ms(PATIENCE_MS), .slots = CASE_SLOTS};
    return w->engine->open(&c, ret, &w->err);
}

static bool put_or_nothing(struct world *w, int64_t k, struct str text, struct str big)
{
    struct db_stmt *s;
    assert_ok(w, db_stmt_at(w->d, PUT_OR_NOTHING,
                            STR("INSERT INTO t VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING"), &s, &w->err));
    db_put_i64(s, 1, k);
    db_put_text(s, 2, text);
    db_put_text(s, 3, big);
    return db_run(s, &w->err);
}

static int64_t number(struct world *w, const char *sql)
{
    struct db_stmt *s = NULL;
    bool row;
    assert_ok(w, w->d->ops->prepare(w->d, str_of(sql), &s, &w->err));
    assert_ok(w, db_step(s, &row, &w->err));
    assert_true(row);
    int64_t n = db_i64(s, 0);
    w->d->ops->finalize(s);
    return n;
}

// ---- statements --------------------------------------------------------------------------------

static void or_nothing_counts_what_it_did(void **state)
{
    struct world *w = *state;
    assert_ok(w, db_begin(w->d, &w->err));
    assert_ok(w, put_or_nothing(w, 1, STR("a"), STR_NONE));
    assert_int_equal(db_changes(w->d), 1);
    assert_ok(w, put_or_nothing(w, 1, STR("b"), STR_NONE)); // the key is taken
    assert_int_equal(db_changes(w->d), 0);
    assert_ok(w, put_or_nothing(w, 2, STR("a"), STR_NONE)); // so is the other one
    assert_int_equal(db_changes(w->d), 0);
    assert_int_equal(db_changes_total(w->d), 1);
    assert_true(db_in_transaction(w->d));
    char text[200];
    memset(text, 'x', sizeof text);
    assert_err(w, put_or_nothing(w, 3, str_of_n(text, sizeof text), STR_NONE),
               ERR_TOO_LARGE); // hides nothing else
    assert_ok(w, db_commit(w->d, &w->err));
    assert_int_equal(number(w, "SELECT count(*) FROM t"), 1);
}

static void long_values_come_back_whole(void **state)
{
    struct world *w = *state;
    struct db_stmt *s;
    bool row;
    char *big = mem_array(BIG, 1);
    memset(big, 'y', BIG);
    assert_ok(w, put_or_nothing(w, 1, STR("short"), STR("z")));
    assert_ok(w, put_or_nothing(w, 2, STR("long"), str_of_n(big, BIG)));
    assert_ok(w, db_stmt_at(w->d, READ_ALL, STR("SELECT big FROM t ORDER BY k"), &s, &w->err));
    for (int i = 0; i < 2; i++) { // the buffers of the first time are given back in between
        assert_ok(w, db_step(s, &row, &w->err));
        assert_true(str_is(db_bytes(s, 0), "z"));
        assert_ok(w, db_step(s, &row, &w->err));
        assert_int_equal(db_bytes(s, 0).n, BIG);
        assert_memory_equal(db_bytes(s, 0).p, big, BIG);
        assert_ok(w, db_step(s, &row, &w->err));
        assert_false(row);
    }
    mem_free(big);
}

static void a_parameter_may_stand_anywhere(void **state)
{
    struct world *w = *state;
    struct db_stmt *s;
    bool row;
    assert_ok(w, db_stmt_at(w->d, READ,
                            STR("SELECT ?3, ?1, ?3, '?2', sum(?1), 0.5 FROM DUAL WHERE ?3 IS NOT NULL"), &s,
                            &w->err));
    for (int i = 0; i < 3; i++) {
        db_put_i64(s, 1, i);
        if (i == 1)
            db_null(s, 3);
        else
            db_put_text(s, 3, i ? STR("second") : STR("first"));
        assert_ok(w, db_step(s, &row, &w->err));
        assert_true(row); // an aggregate has one
        if (i != 1) {
            assert_true(str_is(db_bytes(s, 0), i ? "second" : "first"));
            assert_int_equal(db_i64(s, 1), i);
            assert_true(str_is(db_bytes(s, 3), "?2"));
            assert_int_equal(db_i64(s, 4), i);
            assert_true(db_f64(s, 5) == 0.5);
        }
        db_reset(s);
    }
}

// ---- the session -------------------------------------------------------------------------------

static void a_session_is_as_we_need_it(void **state)
{
    struct world *w = *state;
    assert_ok(w, db_begin(w->d, &w->err));
    assert_ok(w, db_commit(w->d, &w->err));
    assert_int_equal(number(w, "SELECT @@autocommit"), 1); // outside of a transaction
    assert_ok(w, db_begin(w->d, &w->err));
    assert_int_equal(number(w, "SELECT @@autocommit"), 0);
    assert_int_equal(number(w, "SELECT @@tx_isolation = 'READ-COMMITTED'"), 1);
    assert_int_equal(number(w, "SELECT @@sql_mode LIKE '%STRICT_ALL_TABLES%'"), 1);
    assert_int_equal(number(w, "SELECT @@time_zone = '+00:00'"), 1);
    assert_int_equal(number(w, "SELECT @@character_set_connection = 'utf8mb4'"), 1);
    assert_true(number(w, "SELECT @@innodb_lock_wait_timeout") <= 5);
    assert_true(number(w, "SELECT @@wait_timeout") <= 60);
    db_rollback(w->d);
}

static void the_end_of_an_idle_connection_is_noticed(void **state)
{
    struct world *w = *state;
    struct db *d;
    assert_ok(w, connect_as(w, &w->url, "victim", &d));
    assert_true(db_alive(d));
    assert_ok(w,
              db_script(w->other,
                        STR("SELECT max(id) INTO @victim FROM information_schema.processlist; KILL @victim"),
                        &w->err));
    while (db_alive(d)) // without a statement that would fail
        ;
    assert_err(w, db_begin(d, &w->err), ERR_UNAVAILABLE);
    db_close(d);
}

static void a_server_alone_needs_no_note(void **state)
{
    struct world *w = *state;
    const char *note = "";
    assert_ok(w, db_cluster_note(w->d, &note, &w->err));
    assert_null(note);
}

// ---- schema changes ----------------------------------------------------------------------------

static void a_schema_change_left_half_done_is_done_again(void **state)
{
    struct world *w = *state;
    static const struct migration list[] = {
        {1, "one", STR_INIT("CREATE TABLE IF NOT EXISTS m (k BIGINT);")},
        {2, "two",
         STR_INIT("CREATE TABLE IF NOT EXISTS later (k BIGINT); INSERT INTO m SELECT missing FROM t;")},
        {3, "three", STR_INIT("INSERT INTO m VALUES (3);")},
    };
    assert_false(db_migrate(w->d, MIGRATION_SLOT, list, 3, instant_s(1), &w->err));
    assert_non_null(strstr(w->err.text, "\"two\""));
    assert_int_equal(number(w, "SELECT count(*) FROM later"), 0); // its first half is there
    assert_false(db_migrate(w->other, MIGRATION_SLOT, list, 3, instant_s(2), &w->err));
    assert_non_null(strstr(w->err.text, "half done"));
    assert_ok(w, db_script(w->d, STR("ALTER TABLE t ADD missing BIGINT"), &w->err));
    assert_ok(w, db_migrate(w->other, MIGRATION_SLOT, list, 3, instant_s(3), &w->err));
    assert_ok(w, db_migrate(w->d, MIGRATION_SLOT, list, 3, instant_s(4), &w->err));
    assert_int_equal(number(w, "SELECT count(*) FROM m"), 1);
    assert_int_equal(
        number(w, "SELECT count(*) FROM schema_migrations WHERE applied_at IN (1000000, 3000000)"), 3);
}

// ---- addresses ---------------------------------------------------------------------------------

static bool opens(struct world *w, const char *format, const char *a, const char *b)
{
    char text[URL_MAX];
    struct db_url u;
    struct db *d = NULL;
    (void)snprintf(text, sizeof text, "%s",
                   getenv(format[0] == 'S' ? "CHRONOS_TEST_DB_SOCKET_URL" : "CHRONOS_TEST_DB_URL"));
    size_t n = strlen(text);
    (void)snprintf(text + n, sizeof text - n, "%s%s%s%s", a ? "?tls=" : "", a ? a : "", b ? "&ca=" : "",
                   b ? b : "");
    assert_ok(w, db_url_parse(str_of(text), &u, &w->a, &w->err));
    bool ok = connect_as(w, &u, "test", &d);
    db_close(d);
    return ok;
}

static void tls_is_what_the_address_says(void **state)
{
    struct world *w = *state;
    const char *ca = getenv("CHRONOS_TEST_DB_CA");
    assert_true(opens(w, "TCP", NULL, NULL));
    assert_true(opens(w, "TCP", "off", NULL));
    assert_true(opens(w, "TCP", "prefer", NULL));
    assert_true(opens(w, "TCP", "require", NULL));
    assert_true(opens(w, "TCP", "verify", ca));
    assert_false(opens(w, "TCP", "verify", NULL));
    assert_int_equal(w->err.code, ERR_CONFIG);
    assert_false(opens(w, "TCP", "maybe", NULL));
    assert_int_equal(w->err.code, ERR_CONFIG);
    // By default it is used where there is one.
    assert_int_equal(number(w, "SELECT variable_value <> '' FROM information_schema.session_status "
                               "WHERE variable_name = 'Ssl_cipher'"),
                     1);
}

static void a_host_may_be_a_socket(void **state)
{
    struct world *w = *state;
    struct db_url u = w->url;
    struct db *d;
    assert_true(opens(w, "SOCKET", NULL, NULL));
    struct db_url by_path;
    assert_ok(w, db_url_parse(str_of(getenv("CHRONOS_TEST_DB_SOCKET_URL")), &by_path, &w->a, &w->err));
    u.host = by_path.host;
    while (u.host.p[u.host.n - 1] != '/')
        u.host.n--;
    assert_ok(w, connect_as(w, &u, "test", &d)); // its folder
    db_close(d);
    u.host = STR("/nowhere/at/all");
    assert_err(w, connect_as(w, &u, "test", &d), ERR_UNAVAILABLE);
}

int main(void)
{
#define MYSQL_CASE(sentence, f)                                                                              \
    {                                                                                                        \
        .name = (sentence), .test_func = (f), .setup_func = start, .teardown_func = end                      \
    }
    static const struct CMUnitTest cases[] = {
        MYSQL_CASE("an insert or nothing counts what it did", or_nothing_counts_what_it_did),
        MYSQL_CASE("long values come back whole", long_values_come_back_whole),
        MYSQL_CASE("a parameter may stand anywhere", a_parameter_may_stand_anywhere),
        MYSQL_CASE("a session is as we need it", a_session_is_as_we_need_it),
        MYSQL_CASE("the end of an idle connection is noticed", the_end_of_an_idle_connection_is_noticed),
        MYSQL_CASE("a server alone needs no note", a_server_alone_needs_no_note),
        MYSQL_CASE("a schema change left half done is done again",
                   a_schema_change_left_half_done_is_done_again),
        MYSQL_CASE("TLS is what the address says", tls_is_what_the_address_says),
        MYSQL_CASE("a host may be a socket", a_host_may_be_a_socket),
    };
    if (!getenv("CHRONOS_TEST_DB_URL")) {
        (void)printf("1..0 # SKIP CHRONOS_TEST_DB_URL names no server\n");
        return 0;
    }
    return cmocka_run_group_tests_name("mysql", cases, NULL, NULL);
}
