// SPDX-License-Identifier: Apache-2.0
// Users' SQL on PostgreSQL: one statement at a time, its rows one by one (single-row mode), every wait in
// slices so that the owner itself sees an interrupt and asks the server to stop, again and again, until the
// server has.
#include <errno.h>
#include <poll.h>

#include "base/clock.h"
#include "base/mem.h"
#include "db/postgres/pg.h"
#include "db/query_impl.h"

enum {
    SETTINGS_MAX = 24,
    SETTINGS_BUDGET = 64 * 1024,
    CANCEL_TEXT_MAX = 256,
    NUMBER_MAX = 32,
    KEEPALIVE_S = 10,
    UNACKNOWLEDGED_MS = 20000, // of a peer that has vanished; also bounds the request to stop
    TYPE_BOOL = 16,
    TYPE_BYTEA = 17,
    TYPE_INT8 = 20,
    TYPE_INT2 = 21,
    TYPE_INT4 = 23,
    TYPE_OID = 26,
    TYPE_JSON = 114,
    TYPE_FLOAT4 = 700,
    TYPE_FLOAT8 = 701,
    TYPE_DATE = 1082,
    TYPE_TIME = 1083,
    TYPE_TIMESTAMP = 1114,
    TYPE_TIMESTAMPTZ = 1184,
    TYPE_TIMETZ = 1266,
    TYPE_NUMERIC = 1700,
    TYPE_JSONB = 3802,
};
#define CA_DEFAULT "/etc/ssl/certs/ca-certificates.crt"

struct pg_query {
    struct query base; // first
    PGconn *c;
    PGcancel *cancel;
    PGresult *row;     // the present one, or NULL
    struct arena a;    // of the present statement
    struct str schema; // kept on the heap; absent: the user's default
    struct duration statement_time, answer_time;
    struct mono deadline, next_cancel, give_up; // of the present wait
    bool lost, running, in_transaction, read_only;
};

static struct pg_query *of(struct query *q) { return (struct pg_query *)q; }

static struct mono now(void) { return clock_mono(clock_real()); }

static bool lost(struct pg_query *p, struct query_err *err)
{
    p->lost = true;
    p->running = false;
    static const char gone[] = "the connection to the database server was lost: see whether it runs, and its log";
    return query_fail(err, ERR_UNAVAILABLE, NULL, "%s", query_stopped(&p->base) ? "interrupted" : gone);
}

// ---- waiting -----------------------------------------------------------------------------------

static void ask_to_stop(struct pg_query *p)
{
    char text[CANCEL_TEXT_MAX];
    (void)PQcancel(p->cancel, text, sizeof text); // it may come too early or too late: it is asked again
}

static void wait_begin(struct pg_query *p)
{
    struct duration d = p->answer_time;
    if (p->statement_time.us > 0 && (d.us == 0 || p->statement_time.us < d.us))
        d = (struct duration){p->statement_time.us + QUERY_GRACE_MS * US_PER_MS};
    p->deadline = d.us > 0 ? mono_add(now(), d) : (struct mono){INT64_MAX};
    p->next_cancel = (struct mono){0};
    p->give_up = (struct mono){INT64_MAX};
}

// False: given up.
static bool still_wanted(struct pg_query *p)
{
    struct mono t = now();
    if (query_stopped(&p->base) && t.us >= p->next_cancel.us) {
        if (p->next_cancel.us == 0)
            p->give_up = mono_add(t, duration_ms(QUERY_CANCEL_MS));
        p->next_cancel = mono_add(t, duration_ms(QUERY_CANCEL_EVERY_MS));
        ask_to_stop(p);
    }
    return t.us < p->give_up.us && t.us < p->deadline.us;
}

static bool wait_socket(struct pg_query *p, short events)
{
    struct pollfd f = {.fd = PQsocket(p->c), .events = events};
    if (!still_wanted(p))
        return false;
    if (poll(&f, 1, QUERY_SLICE_MS) < 0 && errno != EINTR)
        return false;
    return (f.revents & POLLIN) == 0 || PQconsumeInput(p->c) == 1;
}

static bool flush(struct pg_query *p)
{
    int left;
    while ((left = PQflush(p->c)) == 1)
        if (!wait_socket(p, POLLIN | POLLOUT))
            return false;
    return left == 0;
}

// The next result, NULL when the statement is done. False: the connection is lost.
static bool result(struct pg_query *p, PGresult **ret)
{
    while (PQisBusy(p->c))
        if (!wait_socket(p, POLLIN) || PQstatus(p->c) == CONNECTION_BAD)
            return false;
    *ret = PQgetResult(p->c);
    return true;
}

// ---- errors ------------------------------------------------------------------------------------

static enum err_code code_of(const struct pg_query *p, const char *state, bool fatal)
{
    bool timed = strcmp(state, "57014") == 0 && !query_stopped(&p->base);
    if (timed)
        return ERR_TIMEOUT;
    if (fatal || strncmp(state, "08", 2) == 0 || strncmp(state, "57P", 3) == 0)
        return ERR_UNAVAILABLE;
    return strncmp(state, "40", 2) == 0 || strcmp(state, "55P03") == 0 ? ERR_BUSY : ERR_INVALID;
}

static bool refused(struct pg_query *p, const PGresult *r, struct query_err *err)
{
    const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);
    const char *hint = PQresultErrorField(r, PG_DIAG_MESSAGE_HINT);
    const char *severity = PQresultErrorField(r, PG_DIAG_SEVERITY_NONLOCALIZED);
    if (!state)
        return lost(p, err);
    bool fatal = severity && (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0);
    p->lost |= fatal;
    return query_fail(err, code_of(p, state, fatal), state, "%s%s%s",
                      message ? message : "the statement failed", hint ? "; " : "", hint ? hint : "");
}

// Reads to the end of the statement; the first error is kept in *err and makes it false.
static bool drain(struct pg_query *p, bool ok, struct query_err *err)
{
    PGresult *r = NULL;
    for (;;) {
        if (!result(p, &r))
            return ok ? lost(p, err) : false;
        if (!r)
            break;
        ExecStatusType s = PQresultStatus(r);
        if (ok && (s == PGRES_FATAL_ERROR || s == PGRES_BAD_RESPONSE))
            ok = refused(p, r, err);
        PQclear(r);
    }
    p->running = false;
    return ok;
}

// ---- commands of ours --------------------------------------------------------------------------

// One without rows of interest. *ret_tag: what it says it did.
static bool command(struct pg_query *p, const char *sql, const char *value, char ret_tag[static NUMBER_MAX],
                    struct query_err *err)
{
    PGresult *r = NULL;
    wait_begin(p);
    ret_tag[0] = '\0';
    if (p->lost || PQsendQueryParams(p->c, sql, value ? 1 : 0, NULL, &value, NULL, NULL, 0) != 1 ||
        !flush(p) || !result(p, &r))
        return lost(p, err);
    if (!r)
        return lost(p, err);
    ExecStatusType s = PQresultStatus(r);
    bool ok = s == PGRES_COMMAND_OK || s == PGRES_TUPLES_OK || refused(p, r, err);
    (void)snprintf(ret_tag, NUMBER_MAX, "%s", PQcmdStatus(r));
    PQclear(r);
    return drain(p, ok, err);
}

static bool simple(struct pg_query *p, const char *sql, struct query_err *err)
{
    char tag[NUMBER_MAX];
    return command(p, sql, NULL, tag, err);
}

static bool pg_query_session(struct query *q, const struct query_session *s, struct query_err *err)
{
    struct pg_query *p = of(q);
    char sql[NUMBER_MAX * 2], tag[NUMBER_MAX];
    p->statement_time = s->statement_time;
    p->read_only = s->read_only;
    (void)snprintf(sql, sizeof sql, "SET statement_timeout = %lld",
                   (long long)((s->statement_time.us + US_PER_MS - 1) / US_PER_MS));
    return simple(p, sql, err) &&
           (!s->read_only || simple(p, "SET default_transaction_read_only = on", err)) &&
           (!p->schema.p ||
            command(p, "SELECT pg_catalog.set_config('search_path', $1, false)", p->schema.p, tag, err));
}

// Until a transaction has looked at the data once, a statement could still make it writable.
static bool pg_query_begin(struct query *q, enum query_isolation isolation, struct query_err *err)
{
    static const char *const levels[] = {
        [QUERY_ISOLATION_DEFAULT] = "",
        [QUERY_READ_UNCOMMITTED] = " ISOLATION LEVEL READ UNCOMMITTED",
        [QUERY_READ_COMMITTED] = " ISOLATION LEVEL READ COMMITTED",
        [QUERY_REPEATABLE_READ] = " ISOLATION LEVEL REPEATABLE READ",
        [QUERY_SERIALIZABLE] = " ISOLATION LEVEL SERIALIZABLE",
    };
    enum { BEGIN_MAX = 80 };
    struct pg_query *p = of(q);
    char sql[BEGIN_MAX];
    (void)snprintf(sql, sizeof sql, "BEGIN%s%s", levels[isolation], p->read_only ? " READ ONLY" : "");
    if (!simple(p, sql, err) || (p->read_only && !simple(p, "SELECT 1", err)))
        return false;
    p->in_transaction = true;
    return true;
}

static bool pg_query_commit(struct query *q, struct query_err *err)
{
    struct pg_query *p = of(q);
    char tag[NUMBER_MAX];
    p->in_transaction = false;
    if (!command(p, "COMMIT", NULL, tag, err)) {
        if (p->lost && err->code[0] == '\0')
            (void)query_fail(err, ERR_UNKNOWN_COMMIT, NULL,
                             "the connection to the database server was lost while "
                             "committing: whether the changes are there is not known");
        return false;
    }
    return strcmp(tag, "COMMIT") == 0 ||
           query_fail(err, ERR_INVALID, "25P02", "the transaction had failed and was rolled back");
}

// ---- statements --------------------------------------------------------------------------------

struct wire {
    Oid *types;
    const char **values;
    int *lengths, *formats;
};

static void put_value(struct wire *w, size_t i, const struct query_value *v, struct arena *a)
{
    switch (v->type) {
    case QUERY_NULL:
        return;
    case QUERY_BOOL:
        w->types[i] = TYPE_BOOL;
        w->values[i] = v->i ? "t" : "f";
        return;
    case QUERY_I64:
        w->types[i] = v->i >= INT32_MIN && v->i <= INT32_MAX ? TYPE_INT4 : TYPE_INT8;
        w->values[i] = arena_fmt(a, "%lld", (long long)v->i).p;
        return;
    case QUERY_F64:
        w->types[i] = TYPE_FLOAT8;
        w->values[i] = arena_fmt(a, "%.17g", v->f).p;
        return;
    case QUERY_BYTES:
        w->types[i] = TYPE_BYTEA;
        w->formats[i] = 1;
        w->values[i] = v->text.p;
        w->lengths[i] = (int)v->text.n;
        return;
    case QUERY_DECIMAL:
    case QUERY_DATE:
        w->types[i] = v->type == QUERY_DATE ? TYPE_DATE : TYPE_NUMERIC;
        break;
    case QUERY_TEXT: // the server says what it is from where it stands
    case QUERY_JSON:
    case QUERY_TIME:
    case QUERY_TIMESTAMP:
        break;
    }
    w->values[i] = arena_cstr(a, v->text);
}

static bool pg_query_start(struct query *q, struct str sql, const struct query_value *v, size_t n,
                           struct query_err *err)
{
    struct pg_query *p = of(q);
    must(!p->running);
    if (p->lost || query_stopped(q))
        return lost(p, err);
    arena_reset(&p->a);
    struct wire w = {arena_new_array(&p->a, Oid, n), arena_new_array(&p->a, const char *, n),
                     arena_new_array(&p->a, int, n), arena_new_array(&p->a, int, n)};
    const char *text = arena_cstr(&p->a, sql);
    for (size_t i = 0; !p->a.exhausted && i < n; i++)
        put_value(&w, i, &v[i], &p->a);
    if (p->a.exhausted)
        return query_fail(err, ERR_INVALID, NULL, "the statement and its parameters are larger than %d bytes",
                          QUERY_ROW_BYTES_MAX);
    wait_begin(p);
    if (PQsendQueryParams(p->c, text, (int)n, w.types, w.values, w.lengths, w.formats, 0) != 1)
        return lost(p, err);
    p->running = true;
    (void)PQsetSingleRowMode(p->c);
    return flush(p) || lost(p, err);
}

static enum query_type type_of(Oid oid)
{
    switch (oid) {
    case TYPE_BOOL:
        return QUERY_BOOL;
    case TYPE_BYTEA:
        return QUERY_BYTES;
    case TYPE_INT2:
    case TYPE_INT4:
    case TYPE_INT8:
    case TYPE_OID:
        return QUERY_I64;
    case TYPE_FLOAT4:
    case TYPE_FLOAT8:
        return QUERY_F64;
    case TYPE_NUMERIC:
        return QUERY_DECIMAL;
    case TYPE_JSON:
    case TYPE_JSONB:
        return QUERY_JSON;
    case TYPE_DATE:
        return QUERY_DATE;
    case TYPE_TIME:
    case TYPE_TIMETZ:
        return QUERY_TIME;
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ:
        return QUERY_TIMESTAMP;
    default:
        return QUERY_TEXT;
    }
}

static void describe(struct pg_query *p, const PGresult *r)
{
    if (p->base.columns || PQnfields(r) == 0)
        return;
    query_columns_new(&p->base, (size_t)PQnfields(r));
    for (int i = 0; i < PQnfields(r); i++) {
        query_column_name(&p->base, (size_t)i, str_of(PQfname(r, i)));
        p->base.columns[i].type = type_of(PQftype(r, i));
    }
}

// A copy has a protocol of its own; the server must not wait for our half of it.
static bool no_copy(struct pg_query *p, struct query_err *err)
{
    p->lost = true;
    return query_fail(err, ERR_INVALID, "0A000", "COPY from and to the client is not possible here");
}

static bool pg_query_next(struct query *q, bool *ret_row, struct query_err *err)
{
    struct pg_query *p = of(q);
    PQclear(p->row);
    p->row = NULL;
    for (;;) {
        PGresult *r = NULL;
        wait_begin(p);
        if (p->lost || !result(p, &r))
            return lost(p, err);
        if (!r)
            break;
        ExecStatusType s = PQresultStatus(r);
        describe(p, r);
        if (s == PGRES_SINGLE_TUPLE) {
            p->row = r;
            *ret_row = true;
            return true;
        }
        bool copy = s == PGRES_COPY_IN || s == PGRES_COPY_OUT || s == PGRES_COPY_BOTH;
        bool ok = s == PGRES_COMMAND_OK || s == PGRES_TUPLES_OK || s == PGRES_EMPTY_QUERY;
        if (!ok && !copy)
            (void)refused(p, r, err);
        int64_t count;
        if (ok && strncmp(PQcmdStatus(r), "SELECT", sizeof "SELECT" - 1) != 0 &&
            str_to_i64(str_of(PQcmdTuples(r)), &count))
            q->affected = count;
        PQclear(r);
        if (copy)
            return no_copy(p, err);
        if (!ok)
            return drain(p, false, err);
    }
    p->running = false;
    *ret_row = false;
    return true;
}

static struct str bytes_of(struct pg_query *p, const char *text)
{
    size_t n = 0;
    arena_reset(&p->a);
    unsigned char *raw = PQunescapeBytea((const unsigned char *)text, &n);
    struct str s = raw ? arena_str(&p->a, str_of_n((const char *)raw, n)) : STR("");
    PQfreemem(raw);
    return s;
}

static struct query_value pg_query_value(struct query *q, size_t column)
{
    struct pg_query *p = of(q);
    int at = (int)column;
    struct query_value v = {.type = q->columns[column].type};
    if (PQgetisnull(p->row, 0, at))
        return (struct query_value){.type = QUERY_NULL};
    const char *text = PQgetvalue(p->row, 0, at);
    v.text = str_of_n(text, (size_t)PQgetlength(p->row, 0, at));
    if (v.type == QUERY_I64 && !str_to_i64(v.text, &v.i))
        v.type = QUERY_TEXT;
    if (v.type == QUERY_F64)
        v.f = strtod(text, NULL);
    if (v.type == QUERY_BOOL)
        v.i = text[0] == 't';
    if (v.type == QUERY_BYTES)
        v.text = bytes_of(p, text);
    return v;
}

// ---- life --------------------------------------------------------------------------------------

static void pg_query_close(struct query *q)
{
    struct pg_query *p = of(q);
    if (p->running && !p->lost)
        ask_to_stop(p);
    PQclear(p->row);
    PQfreeCancel(p->cancel);
    PQfinish(p->c);
    arena_release(&p->a);
    mem_free((void *)(uintptr_t)p->schema.p);
    mem_free(p);
}

static bool pg_query_reset(struct query *q)
{
    struct pg_query *p = of(q);
    struct query_err err;
    PQclear(p->row);
    p->row = NULL;
    p->statement_time = (struct duration){QUERY_GRACE_MS * US_PER_MS}; // nobody may wait for it
    if (p->running || p->lost)
        return false;
    bool open = PQtransactionStatus(p->c) != PQTRANS_IDLE;
    return (!open || simple(p, "ROLLBACK", &err)) && simple(p, "DISCARD ALL", &err);
}

static bool pg_query_alive(struct query *q)
{
    struct pg_query *p = of(q);
    return !p->lost && PQconsumeInput(p->c) == 1 && PQstatus(p->c) == CONNECTION_OK &&
           PQtransactionStatus(p->c) == PQTRANS_IDLE;
}

static const struct query_ops ops = {
    .close = pg_query_close,
    .session = pg_query_session,
    .begin = pg_query_begin,
    .commit = pg_query_commit,
    .start = pg_query_start,
    .next = pg_query_next,
    .value = pg_query_value,
    .reset = pg_query_reset,
    .alive = pg_query_alive,
};

// ---- connecting --------------------------------------------------------------------------------

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

// Nothing of the account that this server runs under may reach a user's database: no password file, no
// certificate.
static void fill(const struct query_options *o, struct settings *s)
{
    static const char *const modes[] = {
        [QUERY_TLS_PREFER] = "prefer", [QUERY_TLS_OFF] = "disable",        [QUERY_TLS_REQUIRE] = "require",
        [QUERY_TLS_CA] = "verify-ca",  [QUERY_TLS_VERIFY] = "verify-full",
    };
    const struct query_target *t = o->target;
    struct str between = arena_fmt(&s->a, "%d", KEEPALIVE_S);
    setting(s, "host", t->url.host);
    setting(s, "hostaddr", o->address);
    setting(s, "port", arena_fmt(&s->a, "%lld", (long long)t->url.port));
    setting(s, "dbname", t->url.name);
    setting(s, "user", t->url.user);
    setting(s, "password", t->url.password);
    setting(s, "passfile", STR("/dev/null"));
    setting(s, "sslcert", STR("/dev/null/none"));
    setting(s, "application_name", str_of(o->application));
    setting(s, "client_encoding", STR("UTF8"));
    setting(s, "options",
            STR("-c DateStyle=ISO -c IntervalStyle=iso_8601 -c bytea_output=hex -c extra_float_digits=1 "
                "-c client_min_messages=error"));
    setting(s, "gssencmode", STR("disable"));
    setting(s, "sslmode", str_of(modes[t->tls]));
    if (t->tls >= QUERY_TLS_CA)
        setting(s, "sslrootcert", t->ca.p ? t->ca : STR(CA_DEFAULT));
    setting(s, "tcp_user_timeout", arena_fmt(&s->a, "%d", UNACKNOWLEDGED_MS));
    setting(s, "keepalives_idle", between);
    setting(s, "keepalives_interval", between);
}

static void ignore_notice(void *arg, const PGresult *r)
{
    (void)arg;
    (void)r;
}

static bool connect_failed(const char *text, struct query_err *err)
{
    enum { STATE_LEN = 5 };
    static const char mark[] = "FATAL:  ";
    const char *at = strstr(text, mark);
    char state[STATE_LEN + 1] = "";
    if (at && strlen(at + sizeof mark - 1) >= STATE_LEN)
        memcpy(state, at + sizeof mark - 1, STATE_LEN);
    struct err why;
    (void)pg_connect_error(text, &why);
    return query_fail(err, why.code == ERR_UNAVAILABLE ? ERR_UNAVAILABLE : ERR_INVALID, state, "%s",
                      why.text);
}

static bool handshake(PGconn *c, const struct query_options *o, struct query_err *err)
{
    struct mono end = mono_add(now(), o->patience);
    for (PostgresPollingStatusType step = PGRES_POLLING_WRITING; step != PGRES_POLLING_OK;) {
        if (step == PGRES_POLLING_FAILED)
            return connect_failed(PQerrorMessage(c), err);
        if (query_open_stopped(o))
            return query_fail(err, ERR_UNAVAILABLE, NULL, "stopped while connecting");
        if (now().us >= end.us)
            return query_fail(err, ERR_UNAVAILABLE, NULL, "the database server does not answer within %lld s",
                              (long long)(o->patience.us / US_PER_S));
        struct pollfd p = {.fd = PQsocket(c), .events = step == PGRES_POLLING_READING ? POLLIN : POLLOUT};
        if (poll(&p, 1, QUERY_SLICE_MS) > 0)
            step = PQconnectPoll(c);
    }
    return true;
}

bool query_open_postgres(const struct query_options *o, struct query **ret, struct query_err *err)
{
    struct settings s = {.n = 0};
    arena_init(&s.a, SETTINGS_BUDGET);
    fill(o, &s);
    bool fits = !s.a.exhausted;
    PGconn *c = fits ? PQconnectStartParams(s.names, s.values, 0) : NULL;
    arena_release(&s.a);
    if (!fits)
        return query_fail(err, ERR_INVALID, NULL, "the database address is too long");
    must(c);
    (void)PQsetErrorVerbosity(c, PQERRORS_SQLSTATE);
    (void)PQsetNoticeReceiver(c, ignore_notice, NULL);
    bool ok = PQstatus(c) != CONNECTION_BAD ? handshake(c, o, err) : connect_failed(PQerrorMessage(c), err);
    if (!ok) {
        PQfinish(c);
        return false;
    }
    (void)PQsetErrorVerbosity(c, PQERRORS_DEFAULT);
    must(PQsetnonblocking(c, 1) == 0);
    struct pg_query *p = mem_new(struct pg_query);
    p->base.ops = &ops;
    p->base.affected = -1;
    p->c = c;
    p->cancel = PQgetCancel(c);
    p->answer_time = o->target->answer_time;
    arena_init(&p->a, QUERY_ROW_BYTES_MAX);
    if (o->target->schema.p) {
        char *copy = mem_array(o->target->schema.n + 1, 1);
        memcpy(copy, o->target->schema.p, o->target->schema.n);
        p->schema = str_of_n(copy, o->target->schema.n);
    }
    *ret = &p->base;
    return true;
}
