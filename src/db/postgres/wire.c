// SPDX-License-Identifier: Apache-2.0
// What travels on a connection. It stays in pipeline mode: statements are queued and sent together, and every
// batch ends with a synchronisation point, after which the state of the transaction is known whatever failed
// before.
//
// The socket does not block, and every wait is bounded: a server that says nothing for the patience of the
// connection counts as lost. While sending, answers are read too, so that two full buffers never wait for
// each other.
#include <errno.h>
#include <poll.h>

#include "base/mem.h"
#include "db/postgres/pg.h"

enum {
    SCRIPT_PATIENCE = 60, // changes of the schema may take that many times longer than a statement
    PENDING_MAX = 256     // statements sent without asking for an answer
};

bool pg_lost(struct pg *q, struct err *err)
{
    q->lost = true;
    q->transaction = PG_NONE;
    q->saved = false;
    q->pending = 0;
    return ERR(err, ERR_UNAVAILABLE, "the connection to the database server was lost: try again");
}

// ---- waiting -----------------------------------------------------------------------------------

bool pg_wait_readable(struct pg *q, int ms, bool *ret_ready)
{
    struct pollfd p = {.fd = PQsocket(q->c), .events = POLLIN};
    int rest = PQflush(q->c);
    if (rest < 0 || p.fd < 0)
        return false;
    if (rest > 0)
        p.events |= POLLOUT;
    int n = poll(&p, 1, ms);
    *ret_ready = n > 0 || (n < 0 && errno == EINTR);
    return n <= 0 || !(p.revents & (POLLIN | POLLERR | POLLHUP)) || PQconsumeInput(q->c) == 1;
}

bool pg_alive(struct pg *q)
{
    struct err ignored;
    bool heard = !q->lost;
    while (heard)
        if (!pg_wait_readable(q, 0, &heard) || PQstatus(q->c) != CONNECTION_OK) {
            (void)pg_lost(q, &ignored);
            return false;
        }
    return !q->lost;
}

// The next answer; NULL ends those of one statement.
static bool next_answer(struct pg *q, int patience_ms, PGresult **ret, struct err *err)
{
    bool ready = true;
    while (PQisBusy(q->c))
        if (!ready || !pg_wait_readable(q, patience_ms, &ready))
            return pg_lost(q, err);
    *ret = PQgetResult(q->c);
    return *ret || PQstatus(q->c) == CONNECTION_OK || pg_lost(q, err);
}

// ---- sending -----------------------------------------------------------------------------------

static bool sent(struct pg *q, int ok, struct err *err)
{
    q->pending++;
    return ok == 1 || pg_lost(q, err);
}

static bool send_begin(struct pg *q, struct err *err)
{
    if (q->lost)
        return pg_lost(q, err);
    if (q->transaction != PG_WANTED)
        return true;
    q->transaction = PG_OPEN;
    return sent(q, PQsendQueryParams(q->c, "BEGIN", 0, NULL, NULL, NULL, NULL, 1), err);
}

bool pg_send_text(struct pg *q, const char *sql, struct err *err)
{
    return send_begin(q, err) && sent(q, PQsendQueryParams(q->c, sql, 0, NULL, NULL, NULL, NULL, 1), err);
}

bool pg_send_stmt(struct pg *q, struct pg_stmt *s, struct err *err)
{
    if (q->pending >= PENDING_MAX && !pg_answers(q, NULL, err))
        return false;
    if (!send_begin(q, err) || !pg_values(q, s, err))
        return false;
    return sent(q, PQsendQueryPrepared(q->c, s->name, s->n_params, q->pointers, q->lengths, q->formats, 1),
                err);
}

// ---- answers -----------------------------------------------------------------------------------

// Rows that a statement changed; 0 for one that only reads.
static int64_t rows_changed(PGresult *r)
{
    static const struct str writing[] = {STR_INIT("INSERT "), STR_INIT("UPDATE "), STR_INIT("DELETE "),
                                         STR_INIT("MERGE ")};
    struct str tag = str_of(PQcmdStatus(r));
    int64_t n = 0;
    for (size_t i = 0; i < sizeof writing / sizeof writing[0]; i++)
        if (str_starts(tag, writing[i]))
            (void)str_to_i64(str_of(PQcmdTuples(r)), &n);
    return n;
}

// An error inside a transaction ends it, or what came since its savepoint; one that met another transaction
// always ends all of it.
static void note_error(struct pg *q, bool again)
{
    if (q->transaction == PG_OPEN && (!q->saved || again))
        q->transaction = PG_BROKEN;
}

// Reads one answer; the error of the first bad one is kept.
static bool take_answer(struct pg *q, PGresult *r, struct err *err)
{
    bool fatal = false, again = false;
    switch (PQresultStatus(r)) {
    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
        q->changes = rows_changed(r);
        q->changes_total += q->changes;
        return true;
    case PGRES_PIPELINE_ABORTED:
    case PGRES_PIPELINE_SYNC:
        return true;
    default:
        (void)pg_error(r, err, &fatal, &again);
        note_error(q, again);
        q->lost = q->lost || fatal;
        return false;
    }
}

bool pg_answers(struct pg *q, PGresult **ret, struct err *err)
{
    struct err first, ignored;
    PGresult *r, *last = NULL;
    bool ok = !q->lost && PQpipelineSync(q->c) == 1;
    if (!ok)
        return pg_lost(q, err);
    for (bool synced = false; !synced;) {
        if (!next_answer(q, q->patience_ms, &r, ok ? &first : &ignored)) {
            ok = false;
            break;
        }
        if (!r)
            continue;
        synced = PQresultStatus(r) == PGRES_PIPELINE_SYNC;
        ok = take_answer(q, r, ok ? &first : &ignored) && ok;
        PGresult *over = synced ? r : last;
        last = synced ? last : r;
        PQclear(over);
    }
    q->pending = 0;
    if (q->lost)
        (void)pg_lost(q, &ignored);
    if (ok && ret)
        *ret = last;
    else
        PQclear(last);
    if (!ok)
        *err = first;
    return ok;
}

bool pg_command(struct pg *q, const char *sql, struct err *err)
{
    return pg_send_text(q, sql, err) && pg_answers(q, NULL, err);
}

// ---- statements --------------------------------------------------------------------------------

// "?7" becomes "$7", outside of quotes and comments.
static void translate(struct str sql, struct sbuf *b)
{
    char within = 0; // the quote we are in, or '-' for a comment to the end of its line
    for (size_t i = 0; i < sql.n; i++) {
        char c = sql.p[i], next = i + 1 < sql.n ? sql.p[i + 1] : '\0';
        if (within)
            within = c == (within == '-' ? '\n' : within) ? 0 : within;
        else if (c == '\'' || c == '"' || (c == '-' && next == '-'))
            within = c;
        sbuf_putc(b, c == '?' && !within ? '$' : c);
    }
}

// Keeps the types of the parameters; columns must be of types we can read.
static bool described(struct pg_stmt *s, const PGresult *r, struct err *err)
{
    for (int i = 0; i < PQnfields(r); i++)
        if (!pg_type_readable(PQftype(r, i)))
            return ERR(err, ERR_INTERNAL,
                       "data store: column %d of a statement has a type that is not read: cast it", i + 1);
    s->n_params = PQnparams(r);
    s->types = mem_array((size_t)s->n_params, sizeof *s->types);
    s->params = mem_array((size_t)s->n_params, sizeof *s->params);
    for (int i = 0; i < s->n_params; i++)
        s->types[i] = PQparamtype(r, i);
    return true;
}

bool pg_prepare(struct pg *q, struct str sql, struct pg_stmt *s, struct err *err)
{
    struct sbuf text;
    PGresult *r = NULL;
    if (q->lost)
        return pg_lost(q, err);
    sbuf_init(&text, NULL, sql.n);
    translate(sql, &text);
    (void)snprintf(s->name, sizeof s->name, "s%lld", (long long)++q->names);
    bool ok = sent(q, PQsendPrepare(q->c, s->name, sbuf_str(&text).p, 0, NULL), err) &&
              sent(q, PQsendDescribePrepared(q->c, s->name), err) && pg_answers(q, &r, err) &&
              described(s, r, err);
    PQclear(r);
    sbuf_release(&text);
    return ok;
}

// ---- scripts -----------------------------------------------------------------------------------

static bool script_answers(struct pg *q, struct err *err)
{
    struct err first, ignored;
    bool ok = true;
    for (PGresult *r = NULL;;) {
        if (!next_answer(q, q->patience_ms * SCRIPT_PATIENCE, &r, ok ? &first : &ignored))
            ok = false;
        if (q->lost || !r)
            break;
        ok = take_answer(q, r, ok ? &first : &ignored) && ok;
        PQclear(r);
        r = NULL;
    }
    if (!ok)
        *err = first;
    return ok;
}

bool pg_script(struct pg *q, struct str sql, struct err *err)
{
    struct sbuf text;
    if (!send_begin(q, err) ||
        (q->transaction == PG_OPEN && !pg_send_text(q, "SET LOCAL statement_timeout = 0", err)) ||
        (q->pending > 0 && !pg_answers(q, NULL, err)))
        return false;
    if (PQexitPipelineMode(q->c) != 1)
        return pg_lost(q, err);
    sbuf_init(&text, NULL, sql.n);
    sbuf_put(&text, sql);
    bool ok = (PQsendQuery(q->c, sbuf_str(&text).p) == 1 || pg_lost(q, err)) && script_answers(q, err);
    sbuf_release(&text);
    return q->lost || PQenterPipelineMode(q->c) == 1 ? ok : pg_lost(q, err);
}
