// SPDX-License-Identifier: Apache-2.0
// PostgreSQL driver: statements and transactions over the wire (wire.c). Isolation is READ COMMITTED: what
// decides is the condition of a statement on the row as it is when the row is locked.
//
// BEGIN waits for the first statement and travels with it; COMMIT takes along what db_later queued. A
// connection that ends while COMMIT is under way leaves the outcome unknown (ERR_UNKNOWN_COMMIT); ended
// earlier, the server has rolled back.
#include <inttypes.h>

#include "base/mem.h"
#include "db/postgres/pg.h"

enum { LOCK_ROUNDS = 20 }; // each as long as lock_timeout

// Of pg_advisory_lock: any fixed number that nobody else uses.
#define MIGRATIONS_KEY "4848616710538254147"

static struct pg_stmt *of_stmt(struct db_stmt *s) { return (struct pg_stmt *)s; }

// ---- statements --------------------------------------------------------------------------------

static void stmt_free(struct pg_stmt *s)
{
    PQclear(s->res);
    mem_free(s->types);
    mem_free(s->params);
    mem_free(s);
}

static bool pg_stmt_prepare(struct db *d, struct str sql, struct db_stmt **ret, struct err *err)
{
    struct pg_stmt *s = mem_new(struct pg_stmt);
    s->base.db = d;
    if (!pg_prepare(pg_of(d), sql, s, err)) {
        stmt_free(s);
        return false;
    }
    *ret = &s->base;
    return true;
}

static void pg_finalize(struct db_stmt *st)
{
    struct pg_stmt *s = of_stmt(st);
    struct pg *q = pg_of(st->db);
    struct err ignored;
    char text[PG_NAME_MAX + 16];
    (void)snprintf(text, sizeof text, "DEALLOCATE %s", s->name);
    if (!q->lost && q->transaction == PG_NONE) // else it goes with the connection
        (void)pg_command(q, text, &ignored);
    stmt_free(s);
}

static void bind(struct db_stmt *st, int at, struct pg_param v)
{
    struct pg_stmt *s = of_stmt(st);
    if (at <= (int)s->columns)
        s->cells = NULL;
    if (at < 1 || at > s->n_params)
        s->misbound = true;
    else
        s->params[at - 1] = v;
}

static void pg_bind_null(struct db_stmt *s, int at) { bind(s, at, (struct pg_param){.kind = PARAM_NULL}); }
static void pg_bind_i64(struct db_stmt *s, int at, int64_t v)
{
    bind(s, at, (struct pg_param){.kind = PARAM_I64, .i = v});
}
static void pg_bind_f64(struct db_stmt *s, int at, double v)
{
    bind(s, at, (struct pg_param){.kind = PARAM_F64, .f = v});
}
static void pg_bind_text(struct db_stmt *s, int at, struct str v)
{
    bind(s, at, (struct pg_param){.kind = v.p ? PARAM_TEXT : PARAM_NULL, .bytes = v});
}
static void pg_bind_blob(struct db_stmt *s, int at, const void *p, size_t n)
{
    bind(s, at, (struct pg_param){.kind = p ? PARAM_BLOB : PARAM_NULL, .bytes = str_of_n(p, n)});
}

static void pg_bind_rows(struct db_stmt *st, const struct db_cell *cells, size_t rows, size_t columns)
{
    struct pg_stmt *s = of_stmt(st);
    s->misbound = s->misbound || columns > (size_t)s->n_params;
    s->cells = cells;
    s->rows = rows;
    s->columns = columns;
}

static bool bound(struct pg_stmt *s, struct err *err)
{
    bool ok = !s->misbound ||
              ERR(err, ERR_INTERNAL, "data store: a statement has fewer parameters than were bound");
    s->misbound = false;
    return ok;
}

static void pg_reset(struct db_stmt *st)
{
    struct pg_stmt *s = of_stmt(st);
    PQclear(s->res);
    s->res = NULL;
    s->misbound = false;
}

static bool pg_step(struct db_stmt *st, bool *ret_row, struct err *err)
{
    struct pg_stmt *s = of_stmt(st);
    struct pg *q = pg_of(st->db);
    if (!s->res) {
        if (!bound(s, err) || !pg_send_stmt(q, s, err) || !pg_answers(q, &s->res, err))
            return false;
        s->row = -1;
    }
    if (++s->row < PQntuples(s->res)) {
        *ret_row = true;
        return true;
    }
    pg_reset(st);
    *ret_row = false;
    return true;
}

// One more change than there will be: whoever compares the totals must see that something was written.
static bool pg_later(struct db_stmt *st, struct err *err)
{
    struct pg *q = pg_of(st->db);
    if (!bound(of_stmt(st), err) || !pg_send_stmt(q, of_stmt(st), err))
        return false;
    q->changes_total++;
    return true;
}

static bool pg_is_null(struct db_stmt *s, int col)
{
    return PQgetisnull(of_stmt(s)->res, of_stmt(s)->row, col) != 0;
}
static int64_t pg_column_i64(struct db_stmt *s, int col)
{
    return pg_i64(of_stmt(s)->res, of_stmt(s)->row, col);
}
static double pg_column_f64(struct db_stmt *s, int col)
{
    return pg_f64(of_stmt(s)->res, of_stmt(s)->row, col);
}
static struct str pg_bytes(struct db_stmt *st, int col)
{
    const struct pg_stmt *s = of_stmt(st);
    if (PQgetisnull(s->res, s->row, col))
        return STR_NONE;
    return str_of_n(PQgetvalue(s->res, s->row, col), (size_t)PQgetlength(s->res, s->row, col));
}

static int64_t pg_changes(struct db *d) { return pg_of(d)->changes; }
static int64_t pg_changes_total(struct db *d) { return pg_of(d)->changes_total; }
static bool pg_run_script(struct db *d, struct str sql, struct err *err)
{
    return pg_script(pg_of(d), sql, err);
}
static bool pg_is_alive(struct db *d) { return pg_alive(pg_of(d)); }

// ---- transactions ------------------------------------------------------------------------------

static bool pg_begin(struct db *d, struct err *err)
{
    struct pg *q = pg_of(d);
    if (!pg_alive(q))
        return pg_lost(q, err);
    must(q->transaction == PG_NONE);
    q->transaction = PG_WANTED;
    return true;
}

static bool pg_in_transaction(struct db *d)
{
    return pg_of(d)->transaction == PG_WANTED || pg_of(d)->transaction == PG_OPEN;
}

static void pg_rollback(struct db *d)
{
    struct pg *q = pg_of(d);
    struct err ignored;
    if (q->pending > 0 && !q->lost)
        (void)pg_answers(q, NULL, &ignored); // a failure among them would make the server skip the ROLLBACK
    bool open = q->transaction == PG_OPEN || q->transaction == PG_BROKEN;
    q->transaction = PG_NONE;
    q->saved = false;
    if (open && !q->lost && !pg_command(q, "ROLLBACK", &ignored))
        (void)pg_lost(q, &ignored); // its state is not known: not to be used again
}

static bool pg_commit(struct db *d, struct err *err)
{
    struct pg *q = pg_of(d);
    PGresult *r = NULL;
    if (q->transaction == PG_WANTED) {
        q->transaction = PG_NONE;
        return true;
    }
    if (q->transaction != PG_OPEN) {
        pg_rollback(d);
        return ERR(err, ERR_UNAVAILABLE, "the transaction was ended by the database server: try again");
    }
    if (pg_send_text(q, "COMMIT", err) && pg_answers(q, &r, err)) {
        bool done = strcmp(PQcmdStatus(r), "COMMIT") == 0;
        PQclear(r);
        q->transaction = PG_NONE;
        q->saved = false;
        return done ||
               ERR(err, ERR_UNAVAILABLE, "the transaction was ended by the database server: try again");
    }
    if (q->lost)
        return ERR(err, ERR_UNKNOWN_COMMIT,
                   "the connection to the database server was lost while saving: it may be saved or not");
    pg_rollback(d);
    return false;
}

static bool pg_savepoint(struct db *d, struct err *err)
{
    if (!pg_send_text(pg_of(d), "SAVEPOINT one", err))
        return false;
    pg_of(d)->saved = true;
    return true;
}

static bool pg_savepoint_release(struct db *d, struct err *err)
{
    if (!pg_command(pg_of(d), "RELEASE SAVEPOINT one", err))
        return false;
    pg_of(d)->saved = false;
    return true;
}

static bool pg_savepoint_rollback(struct db *d, struct err *err)
{
    struct pg *q = pg_of(d);
    struct err ignored;
    if (q->pending > 0 && !q->lost)
        (void)pg_answers(q, NULL, &ignored); // as for ROLLBACK
    if (q->transaction != PG_OPEN)
        return ERR(err, ERR_BUSY, "the transaction was ended by the database server: try again");
    if (!pg_send_text(q, "ROLLBACK TO SAVEPOINT one", err))
        return false;
    return pg_savepoint_release(d, err);
}

// ---- notices and locks -------------------------------------------------------------------------

static bool pg_listen(struct db *d, const char *channel, struct err *err)
{
    char text[128];
    char *name = PQescapeIdentifier(pg_of(d)->c, channel, strlen(channel));
    if (!name)
        return pg_lost(pg_of(d), err);
    (void)snprintf(text, sizeof text, "LISTEN %s", name);
    PQfreemem(name);
    return pg_command(pg_of(d), text, err);
}

static bool take_notices(struct pg *q)
{
    bool any = false;
    for (PGnotify *n; (n = PQnotifies(q->c)); any = true)
        PQfreemem(n);
    return any;
}

static bool pg_wait(struct db *d, struct duration at_most, bool *ret_heard, struct err *err)
{
    struct pg *q = pg_of(d);
    bool ready = false, heard = false;
    if (!pg_alive(q))
        return pg_lost(q, err);
    heard = take_notices(q);
    if (!heard) {
        if (!pg_wait_readable(q, (int)(at_most.us / US_PER_MS), &ready) || !pg_alive(q))
            return pg_lost(q, err);
        heard = take_notices(q);
    }
    *ret_heard = heard;
    return true;
}

static bool pg_migrations_lock(struct db *d, bool on, struct err *err)
{
    struct pg *q = pg_of(d);
    if (!on)
        return pg_command(q, "SELECT pg_advisory_unlock(" MIGRATIONS_KEY ")", err);
    for (int round = 1;; round++) {
        if (pg_command(q, "SELECT pg_advisory_lock(" MIGRATIONS_KEY ")", err))
            return true;
        if (err->code != ERR_BUSY || q->lost)
            return false;
        if (round == LOCK_ROUNDS)
            return ERR(err, ERR_BUSY,
                       "another server is changing the schema of this database: start again later");
    }
}

// ---- life --------------------------------------------------------------------------------------

static void pg_close(struct db *d)
{
    struct pg *q = pg_of(d);
    for (size_t i = 0; i < d->cache_n; i++)
        if (d->cache[i])
            stmt_free(of_stmt(d->cache[i]));
    PQfinish(q->c);
    sbuf_release(&q->values);
    mem_free(q->offsets);
    mem_free(q->pointers);
    mem_free(q->lengths);
    mem_free(q->formats);
    mem_free(d->cache);
    mem_free(q);
}

static const struct db_ops postgres_ops = {
    .name = "postgresql",
    .close = pg_close,
    .prepare = pg_stmt_prepare,
    .finalize = pg_finalize,
    .bind_null = pg_bind_null,
    .bind_i64 = pg_bind_i64,
    .bind_f64 = pg_bind_f64,
    .bind_text = pg_bind_text,
    .bind_blob = pg_bind_blob,
    .step = pg_step,
    .reset = pg_reset,
    .is_null = pg_is_null,
    .i64 = pg_column_i64,
    .f64 = pg_column_f64,
    .bytes = pg_bytes,
    .changes = pg_changes,
    .changes_total = pg_changes_total,
    .script = pg_run_script,
    .begin = pg_begin,
    .commit = pg_commit,
    .rollback = pg_rollback,
    .savepoint = pg_savepoint,
    .savepoint_release = pg_savepoint_release,
    .savepoint_rollback = pg_savepoint_rollback,
    .in_transaction = pg_in_transaction,
    .alive = pg_is_alive,
    .later = pg_later,
    .bind_rows = pg_bind_rows,
    .migrations_lock = pg_migrations_lock,
    .listen = pg_listen,
    .wait = pg_wait,
};

static bool postgres_open(const struct db_config *c, struct db **ret, struct err *err)
{
    return pg_open(c, &postgres_ops, ret, err);
}

const struct db_engine db_engine_postgres = {
    .name = "postgresql", .dialect = DB_POSTGRES, .open = postgres_open};
