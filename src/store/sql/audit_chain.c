// SPDX-License-Identifier: Apache-2.0
// The chain of the audit trail: places, head, checkpoints, anchor. Each operation is one transaction that begins with
// the conditional change of the row it is fenced by.
#include "store/sql/sql.h"

// Moves the head or the anchor from what it was expected to be. *ret_moved false: it is another.
static bool mark_move(struct db *d, const struct audit_mark *expect, const struct audit_mark *to, bool *ret_moved,
                      struct err *err)
{
    struct db_stmt *s;
    bool first = expect->seq == 0;
    if (!sql_query(d, first ? STORE_AUDIT_MARK_PUT : STORE_AUDIT_MARK_MOVE, &s, err))
        return false;
    db_put_i64(s, 1, to->kind);
    db_put_i64(s, 2, to->seq);
    db_put_i64(s, 3, to->at.us);
    db_put_blob(s, 4, to->chain, sizeof to->chain);
    db_put_blob(s, 5, to->mac, sizeof to->mac);
    db_put_i64(s, 6, first ? 0 : expect->seq);
    if (!first)
        db_put_blob(s, 7, expect->chain, sizeof expect->chain);
    if (!db_run(s, err))
        return false;
    *ret_moved = db_changes(d) == 1;
    return true;
}

static bool checkpoint_put(struct db *d, const struct audit_mark *m, struct err *err)
{
    struct db_stmt *s;
    if (!sql_query(d, STORE_AUDIT_MARK_PUT, &s, err))
        return false;
    db_put_i64(s, 1, m->kind);
    db_put_i64(s, 2, m->seq);
    db_put_i64(s, 3, m->at.us);
    db_put_blob(s, 4, m->chain, sizeof m->chain);
    db_put_blob(s, 5, m->mac, sizeof m->mac);
    db_put_i64(s, 6, m->seq); // its slot: there is one for each place
    return db_run(s, err);
}

static bool place_put(struct db *d, const struct audit_record *r, struct err *err)
{
    struct db_stmt *s;
    if (!sql_query(d, STORE_AUDIT_PLACE, &s, err))
        return false;
    db_put_id(s, 1, &r->id);
    db_put_i64(s, 2, r->seq);
    db_put_blob(s, 3, r->chain, sizeof r->chain);
    if (!db_run(s, err))
        return false;
    return db_changes(d) == 1 || ERR(err, ERR_STALE, "a record was sealed meanwhile");
}

static bool seal_write(struct db *d, void *arg, struct err *err)
{
    const struct audit_seal *w = arg;
    bool moved;
    if (!mark_move(d, &w->expect, &w->head, &moved, err))
        return false;
    if (!moved)
        return ERR(err, ERR_STALE, "another node has sealed meanwhile");
    for (size_t i = 0; i < w->n; i++)
        if (!place_put(d, &w->records[i], err))
            return false;
    return !w->checkpoint || checkpoint_put(d, w->checkpoint, err);
}

bool sql_audit_seal(struct store *s, const struct audit_seal *w, struct err *err)
{
    struct audit_seal own = *w;
    return sql_write(s, seal_write, &own, w->n + 1, err);
}

static bool mark_read(struct db_stmt *s, int kind, struct audit_mark *ret)
{
    struct str chain = db_bytes(s, 2), mac = db_bytes(s, 3);
    *ret = (struct audit_mark){.kind = kind, .seq = db_i64(s, 0), .at.us = db_i64(s, 1)};
    if (chain.n == sizeof ret->chain)
        memcpy(ret->chain, chain.p, chain.n);
    if (mac.n == sizeof ret->mac)
        memcpy(ret->mac, mac.p, mac.n);
    return true;
}

bool sql_audit_marks(struct store *s, int kind, int64_t after, size_t max, struct audit_mark **ret, size_t *ret_n,
                     struct arena *a, struct err *err)
{
    struct sql_read r;
    struct audit_mark *v = arena_new_array(a, struct audit_mark, max);
    size_t n = 0;
    bool ok = true, row = true;
    if (!v)
        return sql_no_memory(err);
    if (!sql_read(&r, s, STORE_AUDIT_MARKS, err))
        return false;
    db_put_i64(r.s, 1, kind);
    db_put_i64(r.s, 2, after);
    db_put_i64(r.s, 3, (int64_t)max);
    while (ok && n < max && (ok = db_step(r.s, &row, err)) && row)
        ok = mark_read(r.s, kind, &v[n++]);
    sql_read_end(&r);
    if (!ok)
        return false;
    *ret = v;
    *ret_n = n;
    return true;
}

struct trimming {
    const struct audit_mark *expect, *anchor;
};

static bool remove_upto(struct db *d, enum store_query q, int64_t seq, struct err *err)
{
    struct db_stmt *s;
    if (!sql_query(d, q, &s, err))
        return false;
    db_put_i64(s, 1, seq);
    return db_run(s, err);
}

static bool trim_write(struct db *d, void *arg, struct err *err)
{
    const struct trimming *w = arg;
    bool moved;
    if (!mark_move(d, w->expect, w->anchor, &moved, err))
        return false;
    if (!moved)
        return ERR(err, ERR_STALE, "another node has moved the anchor meanwhile");
    return remove_upto(d, STORE_AUDIT_TRIM, w->anchor->seq, err) &&
           remove_upto(d, STORE_AUDIT_TRIM_MARKS, w->anchor->seq, err);
}

bool sql_audit_trim(struct store *s, const struct audit_mark *expect, const struct audit_mark *anchor, struct err *err)
{
    struct trimming w = {expect, anchor};
    return sql_write(s, trim_write, &w, 2, err);
}
