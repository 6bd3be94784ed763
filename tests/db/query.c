// SPDX-License-Identifier: Apache-2.0
// The contract of db/query.h against the server of CHRONOS_TEST_DB_URL, or on a file of SQLite without it.
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/sync.h"
#include "db/query.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif
enum { BUDGET = 64 << 20, SECOND_MS = 1000, CANCEL_MS_MAX = 2000, MANY = 200000 };

static struct arena a;
static struct query_target target;
static char folder_path[] = "/tmp/chronos-query-XXXXXX";
static int folder = -1;
static bool sqlite, postgres;

// ---- helpers -----------------------------------------------------------------------------------

static struct query_options options(void)
{
    struct query_options o = {.target = &target, .application = "chronos test", .patience = duration_s(10)};
    o.address = target.url.host;
    o.folder = folder;
    o.file = sqlite ? STR("test.db") : STR_NONE;
    o.create = true;
    return o;
}

static void must_ok(bool ok, const struct query_err *err)
{
    if (!ok)
        fail_msg("%s (%s)", err->e.text, err->code);
}

static struct query *open_one(struct query_session s)
{
    struct query_options o = options();
    struct query *q;
    struct query_err err;
    must_ok(query_open(&o, &q, &err), &err);
    must_ok(query_session(q, &s, &err), &err);
    return q;
}

static struct query_text read_text(const char *sql)
{
    struct query_text t;
    struct err err;
    if (!query_text_read(str_of(sql), target.kind, &t, &a, &err))
        fail_msg("%s", err.text);
    return t;
}

static bool run(struct query *q, const char *sql, const struct query_value *v, size_t n, int64_t *ret_rows,
                struct query_err *err)
{
    struct query_text t = read_text(sql);
    int64_t rows = 0;
    for (size_t i = 0; i < t.n; i++) {
        bool row = true;
        if (!query_start(q, t.v[i].sql, v, n, err))
            return false;
        for (;;) {
            if (!query_next(q, &row, err))
                return false;
            if (!row)
                break;
            rows++;
        }
    }
    *ret_rows = rows;
    return true;
}

static int64_t done(struct query *q, const char *sql)
{
    struct query_err err;
    int64_t rows;
    must_ok(run(q, sql, NULL, 0, &rows, &err), &err);
    return rows;
}

static struct query_err refused(struct query *q, const char *sql)
{
    struct query_err err = {.code = ""};
    int64_t rows;
    assert_false(run(q, sql, NULL, 0, &rows, &err));
    return err;
}

// The one value of a query with parameters.
static struct query_value one(struct query *q, const char *sql, const struct query_value *v, size_t n)
{
    struct query_err err;
    struct query_text t = read_text(sql);
    bool row;
    must_ok(query_start(q, t.v[0].sql, v, n, &err), &err);
    must_ok(query_next(q, &row, &err), &err);
    assert_true(row);
    struct query_value got = query_value(q, 0);
    got.text = got.text.p ? arena_str(&a, got.text) : STR_NONE;
    must_ok(query_next(q, &row, &err), &err);
    assert_false(row);
    return got;
}

static int64_t number(struct query *q, const char *sql)
{
    struct query_value v = one(q, sql, NULL, 0);
    int64_t n = v.i;
    if (v.type != QUERY_I64)
        assert_true(str_to_i64(v.text, &n));
    return n;
}

static void assert_text(struct str got, const char *want)
{
    if (!str_is(got, want))
        fail_msg("\"%.*s\" instead of \"%s\"", STR_ARG(got), want);
}

static const char *by_kind(const char *lite, const char *pg, const char *my)
{
    return sqlite ? lite : postgres ? pg : my;
}

// A statement that takes long by itself, a row at its end.
static const char *slow(void)
{
    return by_kind("WITH RECURSIVE x(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM x) SELECT count(*) FROM x",
                   "SELECT pg_sleep(60)", "SELECT SLEEP(60) FROM (SELECT 1) x");
}

// ---- tests -------------------------------------------------------------------------------------

static void values(void **state)
{
    (void)state;
    struct query *q = open_one((struct query_session){.read_only = false});
    struct query_value v = {.type = QUERY_I64, .i = INT64_C(1) << 40};
    assert_int_equal(one(q, by_kind("SELECT ?", "SELECT ?::bigint", "SELECT ?"), &v, 1).i, v.i);
    v = (struct query_value){.type = QUERY_F64, .f = 0.1};
    assert_true(one(q, by_kind("SELECT ?", "SELECT ?::float8", "SELECT ? + 0e0"), &v, 1).f == 0.1);
    v = (struct query_value){.type = QUERY_TEXT, .text = STR("größe ' \" \\ ;")};
    struct query_value got = one(q, by_kind("SELECT ?", "SELECT ?::text", "SELECT ?"), &v, 1);
    assert_int_equal(got.type, QUERY_TEXT);
    assert_text(got.text, "größe ' \" \\ ;");
    v = (struct query_value){.type = QUERY_BYTES, .text = STR("\0\1\xff'")};
    got = one(q, by_kind("SELECT ?", "SELECT ?::bytea", "SELECT CAST(? AS BINARY)"), &v, 1);
    assert_int_equal(got.type, QUERY_BYTES);
    assert_int_equal(got.text.n, 4);
    assert_memory_equal(got.text.p, "\0\1\xff'", 4);
    v = (struct query_value){.type = QUERY_NULL};
    assert_int_equal(one(q, by_kind("SELECT ?", "SELECT ?::int", "SELECT ?"), &v, 1).type, QUERY_NULL);
    v = (struct query_value){.type = QUERY_BOOL, .i = 1};
    got = one(q, by_kind("SELECT ?", "SELECT ?::boolean", "SELECT ?"), &v, 1);
    assert_int_equal(got.i, 1);
    assert_int_equal(got.type, postgres ? QUERY_BOOL : QUERY_I64);
    if (!sqlite) {
        v = (struct query_value){.type = QUERY_DECIMAL, .text = STR("12345678901234567890.123456789")};
        got = one(q, by_kind("", "SELECT ?::numeric", "SELECT CAST(? AS DECIMAL(40, 9))"), &v, 1);
        assert_int_equal(got.type, QUERY_DECIMAL);
        assert_text(got.text, "12345678901234567890.123456789");
        got = one(q,
                  by_kind("", "SELECT TIMESTAMP '2024-02-29 12:34:56.5'",
                          "SELECT CAST('2024-02-29 12:34:56.5' AS DATETIME(1))"),
                  NULL, 0);
        assert_int_equal(got.type, QUERY_TIMESTAMP);
        assert_text(got.text, "2024-02-29 12:34:56.5");
    }
    query_close(q);
}

static void large_value(void **state)
{
    (void)state;
    enum { BYTES = 3 << 20 };
    struct query *q = open_one((struct query_session){.read_only = false});
    char *p = arena_alloc(&a, BYTES);
    memset(p, 'x', BYTES);
    struct query_value v = {.type = QUERY_TEXT, .text = {p, BYTES}};
    struct query_value got = one(q, by_kind("SELECT ?", "SELECT ?::text", "SELECT ?"), &v, 1);
    assert_int_equal(got.text.n, BYTES);
    query_close(q);
}

static void counts_and_columns(void **state)
{
    (void)state;
    struct query *q = open_one((struct query_session){.read_only = false});
    struct query_err err;
    bool row;
    (void)done(q, "DROP TABLE IF EXISTS t; CREATE TABLE t (id INTEGER PRIMARY KEY, s VARCHAR(50))");
    (void)done(q, "INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, NULL)");
    assert_int_equal(q->affected, 3);
    (void)done(q, "UPDATE t SET s = s WHERE id > 1");
    assert_int_equal(q->affected, 2);
    assert_int_equal(done(q, "SELECT id, s FROM t ORDER BY id"), 3);
    assert_int_equal(q->affected, -1);
    query_close(q);
    q = open_one((struct query_session){.read_only = false});
    must_ok(query_start(q,
                        postgres || sqlite ? STR("SELECT id, s AS \"Name\" FROM t ORDER BY id")
                                           : STR("SELECT id, s AS `Name` FROM t ORDER BY id"),
                        NULL, 0, &err),
            &err);
    must_ok(query_next(q, &row, &err), &err);
    assert_int_equal(q->n_columns, 2);
    assert_text(q->columns[0].name, "id");
    assert_text(q->columns[1].name, "Name");
    assert_int_equal(query_value(q, 0).type, QUERY_I64);
    query_close(q); // in the middle of its rows
}

static void transactions(void **state)
{
    (void)state;
    struct query_err err;
    struct query *q = open_one((struct query_session){.read_only = false});
    (void)done(q, "DROP TABLE IF EXISTS t; CREATE TABLE t (id INTEGER PRIMARY KEY)");
    must_ok(query_begin(q, QUERY_SERIALIZABLE, &err), &err);
    (void)done(q, "INSERT INTO t VALUES (1)");
    query_close(q); // rolls back
    q = open_one((struct query_session){.read_only = false});
    assert_int_equal(number(q, "SELECT count(*) FROM t"), 0);
    must_ok(query_begin(q, QUERY_READ_COMMITTED, &err), &err);
    (void)done(q, "INSERT INTO t VALUES (1); INSERT INTO t VALUES (2)");
    must_ok(query_commit(q, &err), &err);
    assert_int_equal(number(q, "SELECT count(*) FROM t"), 2);
    query_close(q);
}

static void read_only(void **state)
{
    (void)state;
    struct query_err err;
    struct query *q = open_one((struct query_session){.read_only = false});
    (void)done(q, "DROP TABLE IF EXISTS t; CREATE TABLE t (id INTEGER PRIMARY KEY)");
    query_close(q);
    q = open_one((struct query_session){.read_only = true});
    err = refused(q, "INSERT INTO t VALUES (1)"); // without a transaction too
    assert_string_equal(err.code, by_kind("SQLITE_READONLY", "25006", "25006"));
    must_ok(query_begin(q, QUERY_ISOLATION_DEFAULT, &err), &err);
    assert_int_equal(number(q, "SELECT count(*) FROM t"), 0);
    err = refused(q, by_kind("DROP TABLE t", "SET transaction_read_only = off", "DROP TABLE t"));
    assert_string_equal(err.code, by_kind("SQLITE_READONLY", "25001", "25006"));
    query_close(q);
}

static void errors(void **state)
{
    (void)state;
    struct query *q = open_one((struct query_session){.read_only = false});
    struct query_err err = refused(q, "SELECT * FROM not_there");
    assert_string_equal(err.code, by_kind("SQLITE_ERROR", "42P01", "42S02"));
    assert_int_equal(err.e.code, ERR_INVALID);
    err = refused(q, "SELEC 1");
    assert_string_equal(err.code, by_kind("SQLITE_ERROR", "42601", "42000"));
    (void)done(q,
               "DROP TABLE IF EXISTS t; CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1)");
    err = refused(q, "INSERT INTO t VALUES (1)");
    assert_string_equal(err.code, by_kind("SQLITE_CONSTRAINT", "23505", "23000"));
    assert_int_equal(number(q, "SELECT 1"), 1); // the connection goes on
    query_close(q);
}

static void time_out(void **state)
{
    (void)state;
    struct query *q = open_one((struct query_session){.statement_time = duration_ms(SECOND_MS / 2)});
    struct mono start = clock_mono(clock_real());
    struct query_err err = refused(q, slow());
    if (err.e.code != ERR_TIMEOUT)
        fail_msg("%s (%s)", err.e.text, err.code);
    assert_in_range(mono_since(clock_mono(clock_real()), start).us, 0, CANCEL_MS_MAX * US_PER_MS);
    query_close(q);
}

struct canceller {
    struct query *q;
    struct waker *waker;
};

static void *cancel_main(void *arg)
{
    struct canceller *c = arg;
    (void)waker_wait(c->waker, duration_ms(SECOND_MS / 4));
    query_interrupt(c->q);
    return NULL;
}

static int64_t running(struct query *q)
{
    return number(
        q,
        postgres
            ? "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%pg_sleep(60)%' "
              "AND pid <> pg_backend_pid()"
            : "SELECT count(*) FROM information_schema.processlist WHERE info LIKE '%SLEEP(60)%' AND "
              "id <> connection_id()");
}

static void cancel(void **state)
{
    (void)state;
    struct waker w;
    struct query *q = open_one((struct query_session){.read_only = false});
    struct canceller c = {q, &w};
    waker_init(&w, LOCK_TEST);
    pthread_t t = thread_start("cancel", cancel_main, &c);
    struct mono start = clock_mono(clock_real());
    struct query_err err = refused(q, slow());
    assert_int_equal(err.e.code, postgres ? ERR_INVALID : ERR_UNAVAILABLE);
    assert_in_range(mono_since(clock_mono(clock_real()), start).us, 0, CANCEL_MS_MAX * US_PER_MS);
    must(pthread_join(t, NULL) == 0);
    waker_release(&w);
    assert_false(query_reset(q));
    query_close(q);
    if (sqlite)
        return;
    q = open_one((struct query_session){.read_only = false});
    for (int i = 0; i < 1000 && running(q) > 0; i++)
        continue;
    assert_int_equal(running(q), 0);
    query_close(q);
}

static void reuse(void **state)
{
    (void)state;
    struct query_err err;
    struct query *q = open_one((struct query_session){.read_only = true, .statement_time = duration_s(5)});
    must_ok(query_begin(q, QUERY_ISOLATION_DEFAULT, &err), &err);
    (void)done(q, postgres ? "SET search_path = nowhere" : "SET @mine = 1");
    assert_true(query_reset(q));
    assert_true(query_alive(q));
    struct query_session s = {.read_only = false};
    must_ok(query_session(q, &s, &err), &err);
    (void)done(
        q, "DROP TABLE IF EXISTS t; CREATE TABLE t (id INTEGER PRIMARY KEY)"); // writable, and in the schema
    if (!postgres)
        assert_int_equal(one(q, "SELECT @mine", NULL, 0).type, QUERY_NULL);
    query_close(q);
}

// Kilobytes of this process in memory.
static long resident(void)
{
    struct str text, rest;
    struct err err;
    int64_t pages;
    must(file_read("/proc/self/statm", 256, &text, &a, &err));
    (void)str_split(text, ' ', &rest);
    must(str_to_i64(str_split(rest, ' ', &rest), &pages));
    return (long)(pages * sysconf(_SC_PAGESIZE) / 1024);
}

static void many_rows(void **state)
{
    (void)state;
    enum { GROWTH_KB_MAX = 20 * 1024 };
    struct query_err err;
    struct query *q = open_one((struct query_session){.read_only = false});
    const char *sql =
        by_kind("WITH RECURSIVE x(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM x WHERE n < 200000) "
                "SELECT n, printf('%0500d', n) FROM x",
                "SELECT n, lpad(n::text, 500, '0') FROM generate_series(1, 200000) n",
                "SELECT seq, lpad(seq, 500, '0') FROM seq_1_to_200000");
    long before = resident();
    struct query_text t = read_text(sql);
    int64_t rows = 0, last = 0;
    bool row;
    must_ok(query_start(q, t.v[0].sql, NULL, 0, &err), &err);
    for (;;) {
        must_ok(query_next(q, &row, &err), &err);
        if (!row)
            break;
        rows++;
        last = query_value(q, 0).i;
        assert_int_equal(query_value(q, 1).text.n, 500);
    }
    assert_int_equal(rows, MANY);
    assert_int_equal(last, MANY);
    if (!SANITIZED) // which keeps what was freed
        assert_in_range(resident() - before + GROWTH_KB_MAX, 0, 2 * GROWTH_KB_MAX);
    query_close(q);
}

static void refusals(void **state)
{
    (void)state;
    struct query_options o = options();
    struct query_target other = target;
    struct query *q;
    struct query_err err;
    o.target = &other;
    other.url.password = STR("wrong canary");
    assert_false(query_open(&o, &q, &err));
    assert_int_equal(err.e.code, ERR_INVALID);
    assert_string_equal(err.code, postgres ? "28P01" : "28000");
    assert_null(strstr(err.e.text, "canary"));
    other = target;
    other.url.port = 1;
    assert_false(query_open(&o, &q, &err));
    assert_int_equal(err.e.code, ERR_UNAVAILABLE);
    _Atomic bool stop = true;
    other = target;
    o.stop = &stop;
    assert_false(query_open(&o, &q, &err));
}

static void files(void **state)
{
    (void)state;
    struct query_options o = options();
    struct query *q;
    struct query_err err;
    char other[64];
    (void)snprintf(other, sizeof other, "%s/other.db", folder_path);
    struct str list[] = {str_of(other)};
    assert_int_equal(symlinkat("test.db", folder, "link.db"), 0);
    o.file = STR("link.db");
    assert_false(query_open(&o, &q, &err)); // a link
    o.file = STR("new.db");
    o.create = false;
    assert_false(query_open(&o, &q, &err)); // not there
    o.create = true;
    o.file = STR("other.db");
    must_ok(query_open(&o, &q, &err), &err);
    struct query_session s = {.read_only = false};
    must_ok(query_session(q, &s, &err), &err);
    (void)done(q, "CREATE TABLE t (a)");
    char attach[200];
    (void)snprintf(attach, sizeof attach, "ATTACH '%s/test.db' AS b", folder_path);
    assert_string_equal(refused(q, attach).code, "SQLITE_AUTH");
    (void)snprintf(attach, sizeof attach, "VACUUM INTO '%s/copy.db'", folder_path);
    (void)refused(q, attach);
    (void)snprintf(attach, sizeof attach, "%s/copy.db", folder_path);
    assert_int_equal(access(attach, F_OK), -1);
    assert_non_null(strstr(refused(q, "SELECT load_extension('x')").e.text, "not authorized"));
    assert_string_equal(refused(q, "PRAGMA journal_mode = WAL").code, "SQLITE_AUTH");
    query_close(q);
    o.refused = (struct strs){list, 1};
    assert_false(query_open(&o, &q, &err)); // named as not for jobs
    assert_string_equal(err.code, "SQLITE_AUTH");
}

static int setup(void **state)
{
    (void)state;
    struct err err;
    const char *url = getenv("CHRONOS_TEST_DB_URL");
    arena_init(&a, BUDGET);
    must(query_target_parse(url ? str_of(url) : STR("sqlite:test.db"), &target, &a, &err));
    sqlite = target.kind == QUERY_SQLITE;
    postgres = target.kind == QUERY_POSTGRES;
    must(!sqlite || mkdtemp(folder_path));
    folder = sqlite ? open(folder_path, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
    return 0;
}

static int teardown(void **state)
{
    static const char *const names[] = {"test.db", "other.db", "link.db", "new.db", "test.db-journal"};
    (void)state;
    for (size_t i = 0; sqlite && i < sizeof names / sizeof names[0]; i++)
        (void)unlinkat(folder, names[i], 0);
    if (sqlite)
        (void)rmdir(folder_path);
    cleanup_fd(&folder);
    arena_release(&a);
    return 0;
}

int main(void)
{
    const struct CMUnitTest of_server[] = {
        cmocka_unit_test(values),       cmocka_unit_test(large_value), cmocka_unit_test(counts_and_columns),
        cmocka_unit_test(transactions), cmocka_unit_test(read_only),   cmocka_unit_test(errors),
        cmocka_unit_test(time_out),     cmocka_unit_test(cancel),      cmocka_unit_test(many_rows),
        cmocka_unit_test(reuse),        cmocka_unit_test(refusals),
    };
    const struct CMUnitTest of_file[] = {
        cmocka_unit_test(values),       cmocka_unit_test(large_value), cmocka_unit_test(counts_and_columns),
        cmocka_unit_test(transactions), cmocka_unit_test(read_only),   cmocka_unit_test(errors),
        cmocka_unit_test(time_out),     cmocka_unit_test(cancel),      cmocka_unit_test(many_rows),
        cmocka_unit_test(files),
    };
    return getenv("CHRONOS_TEST_DB_URL") ? cmocka_run_group_tests(of_server, setup, teardown)
                                         : cmocka_run_group_tests(of_file, setup, teardown);
}
