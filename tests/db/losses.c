// SPDX-License-Identifier: Apache-2.0
// What becomes of a connection that is ended, falls silent, or loses its answer; and refusals.
#include "proxy.h"
#include "db_engine.h"

static void an_ended_connection_is_lost(void **state)
{
    struct world *w = *state;
    struct db *d;
    assert_ok(w, connect_as(w, &w->url, "victim", &d));
    assert_ok(w, db_begin(d, &w->err));
    assert_ok(w, put(w, d, 1, "x"));
    end_victim(w);
    assert_err(w, put(w, d, 2, "x"), ERR_UNAVAILABLE);
    assert_false(db_alive(d));
    assert_false(db_in_transaction(d));
    assert_false(db_commit(d, &w->err));
    assert_int_equal(w->err.code, ERR_UNAVAILABLE);
    assert_err(w, db_begin(d, &w->err), ERR_UNAVAILABLE);
    db_close(d);
    assert_int_equal(count(w, w->d), 0);
}

static struct proxy *through_proxy(struct world *w, struct db **ret)
{
    struct proxy *p = proxy_new(arena_cstr(&w->a, w->url.host), w->url.port);
    struct db_url u = w->url;
    u.port = proxy_port(p);
    assert_ok(w, connect_as(w, &u, "test", ret));
    return p;
}

static void a_lost_commit_is_unknown(void **state)
{
    struct world *w = *state;
    struct db *d;
    struct proxy *p = through_proxy(w, &d);
    assert_ok(w, db_begin(d, &w->err));
    assert_ok(w, put(w, d, 1, "x"));
    proxy_set(p, PROXY_ONE_WAY);
    assert_err(w, db_commit(d, &w->err), ERR_UNKNOWN_COMMIT);
    assert_false(db_alive(d));
    assert_false(db_in_transaction(d));
    assert_int_equal(count(w, w->d), 1); // it was saved
    db_close(d);
    proxy_free(p);
}

static void silence_is_a_lost_connection(void **state)
{
    struct world *w = *state;
    struct db *d;
    struct proxy *p = through_proxy(w, &d);
    assert_ok(w, put(w, d, 2, "x"));
    assert_ok(w, db_begin(d, &w->err));
    proxy_set(p, PROXY_SILENT);
    assert_err(w, put(w, d, 1, "x"), ERR_UNAVAILABLE);
    assert_false(db_alive(d));
    db_close(d);
    struct db_url u = w->url;
    u.port = proxy_port(p);
    assert_err(w, connect_as(w, &u, "test", &d), ERR_UNAVAILABLE);
    proxy_free(p);
}

static void a_refusal_says_what_to_do(void **state)
{
    struct world *w = *state;
    struct db_url u = w->url;
    struct db *d;
    u.password = STR("s3cret-guess");
    assert_err(w, connect_as(w, &u, "test", &d), ERR_CONFIG);
    assert_null(strstr(w->err.text, "s3cret"));
    u = w->url;
    u.name = STR("no_such_database");
    assert_err(w, connect_as(w, &u, "test", &d), ERR_CONFIG);
    u = w->url;
    u.options[0].name = STR("tsl");
    u.options[0].value = STR("off");
    u.n_options = 1;
    assert_err(w, connect_as(w, &u, "test", &d), ERR_CONFIG);
    u.options[0].name = STR("tls");
    u.options[0].value = STR("verify"); // the test's server has no certificate that anybody trusts
    assert_err(w, connect_as(w, &u, "test", &d), ERR_CONFIG);
    struct proxy *p = proxy_new("127.0.0.1", 1);
    u = w->url;
    u.port = proxy_port(p);
    proxy_free(p); // nobody listens there any more
    assert_err(w, connect_as(w, &u, "test", &d), ERR_UNAVAILABLE);
}

// Also against a server without a certificate: then nobody asks for one.
static void a_trusted_certificate_is_enough(void **state)
{
    struct world *w = *state;
    struct db_url u = w->url;
    const char *ca = getenv("CHRONOS_TEST_DB_CA");
    struct db *d;
    u.options[0].name = STR("tls");
    u.options[0].value = ca ? STR("verify") : STR("off");
    u.options[1].name = STR("ca");
    u.options[1].value = str_of(ca);
    u.n_options = ca ? 2 : 1;
    assert_ok(w, connect_as(w, &u, "test", &d));
    assert_int_equal(count(w, d), 0);
    db_close(d);
    if (!ca)
        return;
    u.host = STR("localhost"); // not the name in it
    assert_err(w, connect_as(w, &u, "test", &d), ERR_CONFIG);
    u.options[0].value = STR("require");
    u.n_options = 1;
    assert_ok(w, connect_as(w, &u, "test", &d));
    db_close(d);
}

const struct CMUnitTest loss_cases[LOSS_CASES] = {
    CASE("an ended connection is lost", an_ended_connection_is_lost),
    CASE("a commit without an answer is unknown", a_lost_commit_is_unknown),
    CASE("silence is a lost connection", silence_is_a_lost_connection),
    CASE("a refusal says what to do", a_refusal_says_what_to_do),
    CASE("a certificate that is trusted is enough", a_trusted_certificate_is_enough),
};
