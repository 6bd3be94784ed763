// SPDX-License-Identifier: Apache-2.0
// Messages on their way to people.
#include "store/sql/sql.h"

#define COLUMN(k, m) {.kind = (k), .offset = offsetof(struct delivery, m)}
static const struct column delivery_rows[] = {
    COLUMN(COLUMN_ID, id),
    COLUMN(COLUMN_ID, subscription_id),
    COLUMN(COLUMN_ID, job_id),
    COLUMN(COLUMN_ID, run_id),
    COLUMN(COLUMN_ID, owner_id),
    COLUMN(COLUMN_INT, event),
    COLUMN(COLUMN_TEXT, channel),
    COLUMN(COLUMN_INT, state),
    COLUMN(COLUMN_MOMENT, created_at),
    COLUMN(COLUMN_MOMENT, due),
    COLUMN(COLUMN_I64, tries),
    COLUMN(COLUMN_I64_OPTIONAL, code),
    COLUMN(COLUMN_TEXT, sentence),
    COLUMN(COLUMN_INSTANT, ended_at),
    COLUMN(COLUMN_TEXT, body),
};
static const struct columns delivery_columns = {delivery_rows, sizeof delivery_rows / sizeof delivery_rows[0]};

static bool row_read(struct db_stmt *s, struct delivery *ret, struct arena *a, struct err *err)
{
    struct delivery v;
    if (!columns_read(&delivery_columns, s, &v, a))
        return sql_no_memory(err);
    if (v.event < 0 || v.event >= NOTICE_EVENTS || v.state < DELIVERY_PENDING || v.state > DELIVERY_DROPPED)
        return ERR(err, ERR_CORRUPT, "a stored message is of no known kind");
    *ret = v;
    return true;
}

bool delivery_put(struct db *d, const struct delivery *v, struct err *err)
{
    struct db_stmt *s;
    if (!sql_query(d, STORE_DELIVERY_PUT, &s, err))
        return false;
    columns_bind(&delivery_columns, s, v);
    return db_run(s, err);
}

bool sql_delivery_get(struct store *s, struct ulid id, struct delivery *ret, struct arena *a, struct err *err)
{
    struct sql_read r;
    char text[ULID_TEXT_MAX];
    if (!sql_read(&r, s, STORE_DELIVERY_GET, err))
        return false;
    db_put_id(r.s, 1, &id);
    bool ok = sql_only_row(r.s, err, "delivery", ulid_format(id, text)) && row_read(r.s, ret, a, err);
    sql_read_end(&r);
    return ok;
}

struct change_of_delivery {
    const struct delivery *v;
    int64_t expect;
};

static bool update_write(struct db *d, void *arg, struct err *err)
{
    const struct change_of_delivery *w = arg;
    struct db_stmt *s;
    char text[ULID_TEXT_MAX];
    if (!sql_query(d, STORE_DELIVERY_CHANGE, &s, err))
        return false;
    db_put_id(s, 1, &w->v->id);
    db_put_i64(s, 2, w->v->state);
    db_put_i64(s, 3, w->v->due.us);
    db_put_i64(s, 4, w->v->tries);
    if (w->v->code == FIELD_ABSENT)
        db_null(s, 5);
    else
        db_put_i64(s, 5, w->v->code);
    db_put_text(s, 6, w->v->sentence);
    bind_instant(s, 7, w->v->ended_at);
    db_put_i64(s, 8, w->expect);
    if (!db_run(s, err))
        return false;
    return db_changes(d) == 1 ||
           ERR(err, ERR_STALE, "delivery \"%s\" was tried by somebody else", ulid_format(w->v->id, text));
}

bool sql_delivery_update(struct store *s, const struct delivery *v, int64_t expect, struct err *err)
{
    struct change_of_delivery w = {v, expect};
    return sql_write(s, update_write, &w, 1, err);
}

// ---- list --------------------------------------------------------------------------------------

static void bind_filter(struct db_stmt *s, int first, const struct delivery_filter *f)
{
    db_put_i64(s, first, f->state);
    bind_optional_id(s, first + 1, &f->job_id);
    bind_optional_id(s, first + 2, &f->owner_id);
    bind_optional_id(s, first + 3, &f->subscription_id);
}

static bool count(struct store *st, const struct delivery_filter *f, struct page_result *ret, struct err *err)
{
    struct sql_read r;
    if (!sql_read(&r, st, STORE_DELIVERIES_COUNT, err))
        return false;
    db_put_i64(r.s, 1, TOTAL_EXACT_MAX + 1);
    bind_filter(r.s, 2, f);
    bool ok = sql_only_row(r.s, err, "count", "deliveries");
    if (ok)
        page_total(ret, db_i64(r.s, 0), true);
    sql_read_end(&r);
    return ok;
}

static bool list(struct store *st, const struct delivery_filter *f, struct cursor *at, struct pager *pager,
                 struct delivery *out, struct arena *a, struct err *err)
{
    struct sql_read r;
    struct ulid from = at->id;
    if (!sql_read(&r, st, at->ascending ? STORE_DELIVERIES_LIST_ASC : STORE_DELIVERIES_LIST_DESC, err))
        return false;
    db_put_id(r.s, 1, &from);
    db_put_i64(r.s, 2, pager->skip + pager->size + 1);
    bind_filter(r.s, 3, f);
    bool ok = true, row;
    while (ok && (ok = db_step(r.s, &row, err)) && row)
        if (pager_next(pager) == PAGE_TAKE) {
            ok = row_read(r.s, &out[pager->n - 1], a, err);
            at->id = out[pager->n - 1].id;
        }
    sql_read_end(&r);
    return ok;
}

bool sql_deliveries_list(struct store *s, const struct delivery_filter *f, const struct page *p,
                         struct delivery **ret, size_t *ret_n, struct page_result *ret_page, struct arena *a,
                         struct err *err)
{
    struct cursor at;
    struct page_result result;
    bool given;
    if (!page_open(p, 'n', dlq_sorts, &at, &given, a, err))
        return false;
    struct pager pager = {.skip = given ? 0 : p->offset, .size = p->size};
    struct delivery *out = arena_new_array(a, struct delivery, (size_t)p->size);
    if (!out)
        return sql_no_memory(err);
    if (!list(s, f, &at, &pager, out, a, err) || !count(s, f, &result, err))
        return false;
    result.next_cursor = pager.more ? cursor_write(&at, a) : STR_NONE;
    *ret = out;
    *ret_n = pager.n;
    *ret_page = result;
    return true;
}

bool sql_deliveries_due(struct store *s, struct instant now, size_t max, struct delivery **ret, size_t *ret_n,
                        struct arena *a, struct err *err)
{
    struct sql_read r;
    struct delivery *v = arena_new_array(a, struct delivery, max);
    size_t n = 0;
    bool ok = true, row;
    if (!v)
        return sql_no_memory(err);
    if (!sql_read(&r, s, STORE_DELIVERIES_DUE, err))
        return false;
    db_put_i64(r.s, 1, now.us);
    db_put_i64(r.s, 2, (int64_t)max);
    while (ok && (ok = db_step(r.s, &row, err)) && row)
        ok = row_read(r.s, &v[n++], a, err);
    sql_read_end(&r);
    if (!ok)
        return false;
    *ret = v;
    *ret_n = n;
    return true;
}

// ---- retention ---------------------------------------------------------------------------------

struct ids {
    const struct ulid *v;
    size_t n;
};

static bool remove_write(struct db *d, void *arg, struct err *err)
{
    const struct ids *w = arg;
    for (size_t i = 0; i < w->n; i++) {
        struct db_stmt *s;
        if (!sql_query(d, STORE_DELIVERY_REMOVE, &s, err))
            return false;
        db_put_id(s, 1, &w->v[i]);
        if (!db_later(s, err))
            return false;
    }
    return true;
}

bool sql_deliveries_trim(struct store *s, struct instant before, size_t max, size_t *ret_n, struct err *err)
{
    struct arena a CLEANUP(arena_release);
    arena_init(&a, max * sizeof(struct ulid) + sizeof(struct ulid));
    struct ulid bound = trim_bound(before), *ids = arena_new_array(&a, struct ulid, max);
    struct sql_read r;
    size_t n = 0;
    bool ok = true, row;
    if (!ids)
        return sql_no_memory(err);
    if (!sql_read(&r, s, STORE_DELIVERIES_OLD, err))
        return false;
    db_put_id(r.s, 1, &bound);
    db_put_i64(r.s, 2, (int64_t)max);
    while (ok && (ok = db_step(r.s, &row, err)) && row)
        ids[n++] = db_id(r.s, 0);
    sql_read_end(&r);
    struct ids w = {ids, n};
    if (!ok || (n > 0 && !sql_write(s, remove_write, &w, n, err)))
        return false;
    *ret_n = n;
    return true;
}
