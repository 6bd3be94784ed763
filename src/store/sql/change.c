// SPDX-License-Identifier: Apache-2.0
// What nodes tell each other: rows written in the transaction of the change, read by every node, kept for
// minutes. An exclusive store has nobody to tell.
//
// Rows become visible when their transaction ends, and transactions end in any order: a row may appear whose
// seq is lower than one that was read already. The reader looks back (engine/changes.c).
#include "base/mem.h"
#include "store/sql/sql.h"

static const char channel[] = "chronos_changes"; // also in statement changes_notify

enum { CHANGE_COLUMNS = 3 };

static bool put_rows(struct db *d, const struct change *v, size_t n, int64_t sender, struct err *err)
{
    struct db_stmt *s;
    struct db_cell *cells = mem_array(n * CHANGE_COLUMNS, sizeof *cells);
    for (size_t i = 0; i < n; i++) {
        struct db_cell *c = &cells[i * CHANGE_COLUMNS];
        c[0] = (struct db_cell){.kind = DB_CELL_I64, .i = v[i].kind};
        if (!ulid_is_zero(v[i].subject))
            c[1] = (struct db_cell){.kind = DB_CELL_BLOB,
                                    .bytes = {(const char *)v[i].subject.b, sizeof v[i].subject.b}};
        c[2] = (struct db_cell){.kind = DB_CELL_I64, .i = sender};
    }
    bool ok = sql_query(d, STORE_CHANGE_PUT_ROWS, &s, err);
    if (ok) {
        db_put_rows(s, cells, n, CHANGE_COLUMNS);
        ok = db_run(s, err);
    }
    mem_free(cells);
    return ok;
}

static bool put_one(struct db *d, const struct change *v, int64_t sender, struct err *err)
{
    struct db_stmt *s;
    if (!sql_query(d, STORE_CHANGE_PUT, &s, err))
        return false;
    db_put_i64(s, 1, v->kind);
    bind_optional_id(s, 2, &v->subject);
    db_put_i64(s, 3, sender);
    return db_later(s, err);
}

static bool notify(struct db *d, struct err *err)
{
    struct db_stmt *s;
    return !sql_has(d, STORE_CHANGES_NOTIFY) ||
           (sql_query(d, STORE_CHANGES_NOTIFY, &s, err) && db_later(s, err));
}

bool changes_put(struct store *st, struct db *d, const struct change *v, size_t n, int64_t sender,
                 struct err *err)
{
    if (st->exclusive || n == 0)
        return true;
    if (sender == 0)
        sender = atomic_load(&((struct sql *)st)->sender);
    if (n > 1 && db_takes_rows(d) && sql_has(d, STORE_CHANGE_PUT_ROWS))
        return put_rows(d, v, n, sender, err) && notify(d, err);
    for (size_t i = 0; i < n; i++)
        if (!put_one(d, &v[i], sender, err))
            return false;
    return notify(d, err);
}

bool change_put(struct store *st, struct db *d, int kind, struct ulid subject, int64_t sender,
                struct err *err)
{
    struct change c = {.kind = kind, .subject = subject};
    return changes_put(st, d, &c, 1, sender, err);
}

// ---- reading -----------------------------------------------------------------------------------

bool sql_changes_read(struct store *s, int64_t after, size_t max, struct change **ret, size_t *ret_n,
                      struct arena *a, struct err *err)
{
    struct sql_read r;
    struct change *v = arena_new_array(a, struct change, max);
    size_t n = 0;
    bool ok = true, row;
    if (!v)
        return sql_no_memory(err);
    if (!sql_read(&r, s, STORE_CHANGES_READ, err))
        return false;
    db_put_i64(r.s, 1, after);
    db_put_i64(r.s, 2, (int64_t)max);
    while (ok && (ok = db_step(r.s, &row, err)) && row)
        v[n++] = (struct change){.seq = db_i64(r.s, 0),
                                 .kind = (int)db_i64(r.s, 1),
                                 .subject = db_id(r.s, 2),
                                 .sender = db_i64(r.s, 3),
                                 .at = {db_i64(r.s, 4)}};
    sql_read_end(&r);
    if (!ok)
        return false;
    *ret = v;
    *ret_n = n;
    return true;
}

bool sql_changes_last(struct store *s, int64_t *ret, struct err *err)
{
    struct sql_read r;
    if (!sql_read(&r, s, STORE_CHANGES_LAST, err))
        return false;
    bool ok = sql_only_row(r.s, err, "answer", "last change");
    if (ok)
        *ret = db_i64(r.s, 0);
    sql_read_end(&r);
    return ok;
}

struct trim {
    struct duration age;
    int64_t last;
};

static bool trim_write(struct db *d, void *arg, struct err *err)
{
    const struct trim *w = arg;
    struct db_stmt *s;
    if (!sql_query(d, STORE_CHANGES_REMOVE, &s, err))
        return false;
    db_put_i64(s, 1, w->last);
    db_put_i64(s, 2, w->age.us);
    return db_run(s, err);
}

bool sql_changes_trim(struct store *s, struct duration age, struct err *err)
{
    struct sql_read r;
    struct trim w = {.age = age};
    if (!sql_read(&r, s, STORE_CHANGES_OLD, err))
        return false;
    db_put_i64(r.s, 1, age.us);
    bool ok = sql_only_row(r.s, err, "answer", "old changes");
    if (ok)
        w.last = db_i64(r.s, 0);
    sql_read_end(&r);
    return ok && (w.last == 0 || sql_write(s, trim_write, &w, 1, err));
}

// ---- waiting -----------------------------------------------------------------------------------

static void listener_put(struct sql *q, struct db *d)
{
    mutex_lock(&q->readers_lock);
    if (!q->listener)
        q->listener = TAKE(d);
    mutex_unlock(&q->readers_lock);
    db_close(d); // two were waiting at once
}

static struct db *listener_take(struct sql *q)
{
    WITH_LOCK(&q->readers_lock);
    return TAKE(q->listener);
}

// A new connection has missed what was told meanwhile: the caller looks at once.
bool sql_changes_wait(struct store *s, struct duration at_most, struct err *err)
{
    struct sql *q = (struct sql *)s;
    struct db *d = listener_take(q);
    bool heard, ok, fresh = !d || !db_alive(d);
    if (!connector_keep(&q->connector, true, &d, err))
        return false;
    ok = fresh ? d->ops->listen(d, channel, err) : d->ops->wait(d, at_most, &heard, err);
    if (ok)
        listener_put(q, d);
    else
        db_close(d);
    return ok;
}
