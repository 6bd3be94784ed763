// SPDX-License-Identifier: Apache-2.0
// Opening a connection: what the address says as settings of libpq, and how a session of ours behaves.
//
// Sessions plan by index and nested loop only. Every statement is written for that; the planner would choose
// by the statistics of tables that were just filled, or guess the length of arrays, and keep the choice for
// the life of the connection (force_generic_plan). Where no index fits, it still scans.
#include <errno.h>
#include <poll.h>

#include "base/clock.h"
#include "base/mem.h"
#include "db/postgres/pg.h"
#include "db/url.h"

enum {
    VALUES_BYTES_MAX = 256 * 1024 * 1024, // of one statement
    SETTINGS_MAX = 24,
    TEXTS_BUDGET = 64 * 1024,
    VERSION_LEAST = 120000,
    KEEPALIVE_COUNT = 3,
    // The server gives up before we do: parts of the patience.
    LOCK_SHARE = 2,
    STATEMENT_SHARE = 4,
    PORT_DEFAULT = 5432,
};
#define CA_DEFAULT "/etc/ssl/certs/ca-certificates.crt"

struct settings {
    const char *names[SETTINGS_MAX + 1], *values[SETTINGS_MAX + 1];
    size_t n;
    struct arena a;
};

static void setting(struct settings *s, const char *name, struct str value)
{
    if (!value.p)
        return;
    must(s->n < SETTINGS_MAX);
    s->names[s->n] = name;
    s->values[s->n++] = arena_cstr(&s->a, value);
}

static bool tls_settings(const struct db_url *u, struct settings *s, struct err *err)
{
    static const struct {
        const char *option, *mode;
    } modes[] = {{"off", "disable"}, {"prefer", "prefer"}, {"require", "require"}, {"verify", "verify-full"}};
    struct str tls = db_url_option(u, "tls"), ca = db_url_option(u, "ca");
    const char *mode = NULL;
    if (!tls.p)
        tls = ca.p ? STR("verify") : STR("prefer");
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++)
        if (str_is(tls, modes[i].option))
            mode = modes[i].mode;
    if (!mode)
        return ERR(err, ERR_CONFIG, "option tls of the database address is off, prefer, require or verify");
    if (!ca.p && str_is(tls, "verify"))
        ca = STR(CA_DEFAULT);
    setting(s, "sslmode", str_of(mode));
    if (!str_is(tls, "prefer")) // a wrong file must not end a connection that needs none
        setting(s, "sslrootcert", ca);
    return true;
}

static bool options_known(const struct db_url *u, struct err *err)
{
    for (size_t i = 0; i < u->n_options; i++)
        if (!str_is(u->options[i].name, "tls") && !str_is(u->options[i].name, "ca"))
            return ERR(err, ERR_CONFIG,
                       "option \"%.*s\" of the database address is not known: tls and ca are",
                       STR_ARG(u->options[i].name));
    return true;
}

// Ends by itself what nobody waits for any more: a statement past our patience, a transaction of a process
// that stands still while it holds locks.
static struct str session_options(const struct db_config *c, struct arena *a)
{
    long long ms = c->patience.us / US_PER_MS;
    return arena_fmt(
        a,
        "-c client_min_messages=warning -c default_transaction_isolation=read\\ committed -c jit=off "
        "-c plan_cache_mode=force_generic_plan -c enable_hashjoin=off -c enable_mergejoin=off -c "
        "enable_seqscan=off "
        "-c enable_bitmapscan=off -c max_parallel_workers_per_gather=0 -c lock_timeout=%lld -c "
        "statement_timeout=%lld "
        "-c idle_in_transaction_session_timeout=%lld%s",
        ms / LOCK_SHARE, ms - ms / STATEMENT_SHARE, ms, c->relaxed ? " -c synchronous_commit=off" : "");
}

static bool fill(const struct db_config *c, struct settings *s, struct err *err)
{
    const struct db_url *u = c->url;
    long long ms = c->patience.us / US_PER_MS, s_between = c->patience.us / US_PER_S / KEEPALIVE_COUNT + 1;
    struct str between = arena_fmt(&s->a, "%lld", s_between);
    if (!options_known(u, err) || !tls_settings(u, s, err))
        return false;
    setting(s, "host", u->host);
    setting(s, "port", arena_fmt(&s->a, "%lld", (long long)(u->port ? u->port : PORT_DEFAULT)));
    setting(s, "dbname", u->name);
    setting(s, "user", u->user);
    setting(s, "password", u->password);
    setting(s, "application_name", str_of(c->application));
    setting(s, "client_encoding", STR("UTF8"));
    setting(s, "options", session_options(c, &s->a));
    setting(s, "target_session_attrs", STR("read-write"));
    setting(s, "gssencmode", STR("disable"));
    setting(s, "tcp_user_timeout", arena_fmt(&s->a, "%lld", ms));
    setting(s, "keepalives_idle", between);
    setting(s, "keepalives_interval", between);
    setting(s, "keepalives_count", arena_fmt(&s->a, "%d", KEEPALIVE_COUNT));
    return !s->a.exhausted || ERR(err, ERR_CONFIG, "the database address is too long");
}

static void ignore_notice(void *arg, const PGresult *r)
{
    (void)arg;
    (void)r;
}

// One step after the other until the patience has passed.
static bool handshake(PGconn *c, struct duration patience, struct err *err)
{
    const struct clock *clock = clock_real();
    struct mono end = mono_add(clock_mono(clock), patience);
    for (PostgresPollingStatusType step = PGRES_POLLING_WRITING; step != PGRES_POLLING_OK;
         step = PQconnectPoll(c)) {
        if (step == PGRES_POLLING_FAILED)
            return pg_connect_error(PQerrorMessage(c), err);
        int64_t ms = mono_since(end, clock_mono(clock)).us / US_PER_MS;
        struct pollfd p = {.fd = PQsocket(c), .events = step == PGRES_POLLING_READING ? POLLIN : POLLOUT};
        int n = ms > 0 ? poll(&p, 1, (int)ms) : 0;
        if (n == 0 || (n < 0 && errno != EINTR))
            return ERR(err, ERR_UNAVAILABLE,
                       "the database server does not answer: check its address and that it runs");
    }
    return true;
}

static bool fit(PGconn *c, struct err *err)
{
    const char *encoding = PQparameterStatus(c, "server_encoding");
    if (PQserverVersion(c) < VERSION_LEAST)
        return ERR(err, ERR_CONFIG, "the database server is older than PostgreSQL %d: use a newer one",
                   VERSION_LEAST / 10000);
    if (!encoding || strcmp(encoding, "UTF8") != 0)
        return ERR(err, ERR_CONFIG,
                   "the database is not encoded in UTF-8: create one that is (createdb -E UTF8)");
    return true;
}

static bool connect_server(const struct db_config *c, PGconn **ret, struct err *err)
{
    struct settings s = {.n = 0};
    arena_init(&s.a, TEXTS_BUDGET);
    bool ok = fill(c, &s, err);
    PGconn *h = ok ? PQconnectStartParams(s.names, s.values, 0) : NULL;
    arena_release(&s.a);
    must(!ok || h); // out of memory
    if (ok && PQstatus(h) == CONNECTION_BAD)
        ok = pg_connect_error(PQerrorMessage(h), err);
    if (ok) {
        (void)PQsetErrorVerbosity(h, PQERRORS_SQLSTATE);
        (void)PQsetNoticeReceiver(h, ignore_notice, NULL);
        ok = handshake(h, c->patience, err) && fit(h, err);
    }
    if (ok && (PQsetnonblocking(h, 1) != 0 || PQenterPipelineMode(h) != 1))
        ok = ERR(err, ERR_UNAVAILABLE, "the connection to the database server was lost: try again");
    if (ok)
        *ret = h;
    else
        PQfinish(h);
    return ok;
}

bool pg_open(const struct db_config *c, const struct db_ops *ops, struct db **ret, struct err *err)
{
    PGconn *h = NULL;
    if (!connect_server(c, &h, err))
        return err_wrap(err, "database \"%.*s\" at \"%.*s\"", STR_ARG(c->url->name), STR_ARG(c->url->host));
    struct pg *q = mem_new(struct pg);
    q->base = (struct db){.ops = ops,
                          .dialect = DB_POSTGRES,
                          .cache = mem_array(c->slots, sizeof(struct db_stmt *)),
                          .cache_n = c->slots};
    q->c = h;
    q->patience_ms = (int)(c->patience.us / US_PER_MS);
    sbuf_init(&q->values, NULL, VALUES_BYTES_MAX);
    *ret = &q->base;
    return true;
}
