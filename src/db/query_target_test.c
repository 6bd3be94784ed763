// SPDX-License-Identifier: Apache-2.0
// Addresses of users' databases as the drivers of each write them.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "db/query_target.h"

static struct arena a;

static int setup(void **state)
{
    (void)state;
    arena_init(&a, 1 << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_release(&a);
    return 0;
}

static struct query_target good(const char *text)
{
    struct query_target t;
    struct err err;
    if (!query_target_parse(str_of(text), &t, &a, &err))
        fail_msg("%s: %s", text, err.text);
    return t;
}

static const char *bad(const char *text)
{
    struct query_target t;
    struct err err;
    assert_false(query_target_parse(str_of(text), &t, &a, &err));
    return arena_cstr(&a, str_of(err.text));
}

static void servers(void **state)
{
    (void)state;
    struct query_target t =
        good("jdbc:mysql://bob:x@db.example.com/jobs?useSSL=true&connectTimeout=5000&"
             "socketTimeout=30000&serverTimezone=UTC&characterEncoding=UTF-8&autoReconnect=true");
    assert_int_equal(t.kind, QUERY_MYSQL);
    assert_int_equal(t.url.port, 3306);
    assert_int_equal(t.tls, QUERY_TLS_REQUIRE);
    assert_int_equal(t.connect_time.us, 5 * US_PER_S);
    assert_int_equal(t.answer_time.us, 30 * US_PER_S);
    assert_true(str_is(t.ignored, "serverTimezone, autoReconnect"));
    assert_string_equal(query_target_shown(&t, &a).p, "mysql://db.example.com:3306/jobs");
    t = good("jdbc:postgresql://[::1]:5433/jobs?user=bob&password=a%26b&currentSchema=s&sslmode=verify-full&"
             "connectTimeout=7");
    assert_int_equal(t.kind, QUERY_POSTGRES);
    assert_true(str_is(t.url.user, "bob") && str_is(t.url.password, "a&b") && str_is(t.schema, "s"));
    assert_int_equal(t.tls, QUERY_TLS_VERIFY);
    assert_int_equal(t.connect_time.us, 7 * US_PER_S);
    assert_false(t.ignored.p);
    assert_string_equal(query_target_server(&t, &a).p, "postgresql://[::1]:5433");
    t = good("mariadb://h/d?sslMode=VERIFY_CA&useSSL=true&requireSSL=true");
    assert_int_equal(t.tls, QUERY_TLS_REQUIRE < QUERY_TLS_CA ? QUERY_TLS_CA : 0);
    assert_int_equal(good("mysql://h/d?useSSL=false").tls, QUERY_TLS_OFF);
    assert_int_equal(good("mysql://h/d?requireSSL=true&verifyServerCertificate=true").tls, QUERY_TLS_VERIFY);
    assert_int_equal(good("postgresql://h/d?ssl=true").tls, QUERY_TLS_VERIFY);
    assert_int_equal(good("postgresql://h/d?ca=%2Fa.pem").tls, QUERY_TLS_VERIFY);
    assert_int_equal(good("postgresql://h/d").tls, QUERY_TLS_PREFER);
}

static void files(void **state)
{
    (void)state;
    assert_true(str_is(good("sqlite:a/b.db").path, "a/b.db"));
    assert_true(str_is(good("jdbc:sqlite:/data/b.db?cache=shared").path, "/data/b.db"));
    assert_true(str_is(good("jdbc:sqlite:/data/b.db?cache=shared").ignored, "cache"));
    assert_true(str_is(good("sqlite:///data/b.db").path, "/data/b.db"));
    assert_true(str_is(good("sqlite::memory:").path, ":memory:"));
}

static void refused(void **state)
{
    (void)state;
    static const char kinds[] =
        "the database address begins with none of mysql:, mariadb:, postgresql: and sqlite: "
        "(or jdbc: in front of them)";
    assert_string_equal(bad("oracle:thin:@h"), kinds);
    assert_string_equal(bad("jdbc:sqlserver://h"), kinds);
    assert_string_equal(bad("nothing"), kinds);
    assert_non_null(strstr(bad("mysql://h"), "names no database"));
    assert_non_null(strstr(bad("postgresql://%2Fvar%2Frun/d"), "names a socket"));
    assert_non_null(strstr(bad("postgresql://h/d?connectTimeout=soon"), "no number of seconds"));
    assert_non_null(strstr(bad("mysql://h/d?sslMode=maybe"), "unknown way"));
    assert_non_null(strstr(bad("sqlite:"), "names no file"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(servers),
        cmocka_unit_test(files),
        cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
