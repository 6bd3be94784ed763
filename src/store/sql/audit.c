// SPDX-License-Identifier: Apache-2.0
// The audit trail. Records are inserted in the transaction of what they tell of (noted_write); the chain is written
// later by one sealer, fenced by the row of the head: whoever finds another head than he started from writes nothing.
#include "store/sql/sql.h"

#define COLUMN(k, m) {.kind = (k), .offset = offsetof(struct audit_record, m)}
static const struct column audit_rows[] = {
    COLUMN(COLUMN_ID, id),          COLUMN(COLUMN_MOMENT, at),        COLUMN(COLUMN_TEXT, actor),
    COLUMN(COLUMN_TEXT, way),       COLUMN(COLUMN_TEXT, address),     COLUMN(COLUMN_TEXT, request_id),
    COLUMN(COLUMN_TEXT, node),      COLUMN(COLUMN_TEXT, action),      COLUMN(COLUMN_TEXT, entity_type),
    COLUMN(COLUMN_TEXT, entity_id), COLUMN(COLUMN_TEXT, entity_name), COLUMN(COLUMN_INT, outcome),
    COLUMN(COLUMN_TEXT, detail),    COLUMN(COLUMN_TEXT, changes),
};
#undef COLUMN
static const struct columns audit_columns = {audit_rows, sizeof audit_rows / sizeof audit_rows[0]};
enum { AUDIT_COLUMNS = sizeof audit_rows / sizeof audit_rows[0] };
// Behind them; as bytes, because a user of zeros means nobody, and is no NULL.
enum { COL_ACTOR_ID = AUDIT_COLUMNS, COL_MAC, COL_SEQ, COL_CHAIN };

// ---- writing -----------------------------------------------------------------------------------

static bool record_put(struct db *d, const struct audit_record *r, struct err *err)
{
    struct db_stmt *s;
    if (!sql_query(d, STORE_AUDIT_PUT, &s, err))
        return false;
    columns_bind(&audit_columns, s, r);
    db_put_blob(s, COL_ACTOR_ID + 1, r->actor_id.b, sizeof r->actor_id.b);
    db_put_blob(s, COL_MAC + 1, r->mac, sizeof r->mac);
    return db_later(s, err);
}

bool noted_write(struct db *d, void *arg, struct err *err)
{
    const struct noted_write *w = arg;
    (void)write_idle_ask();
    if (!w->fn(d, w->arg, err))
        return false;
    if (write_idle_ask())
        return true;
    for (const struct note *n = w->notes.first; n; n = n->next)
        if (!record_put(d, n->record, err))
            return false;
    return true;
}

void sql_audit_take(struct store *s, const struct audit_record *v, size_t n) { notes_add(s, v, n); }

void sql_audit_drop(struct store *s) { notes_drop(s); }

struct records {
    const struct audit_record *v;
    size_t n;
};

static bool append_write(struct db *d, void *arg, struct err *err)
{
    const struct records *w = arg;
    for (size_t i = 0; i < w->n; i++)
        if (!record_put(d, &w->v[i], err))
            return false;
    return true;
}

bool sql_audit_append(struct store *s, const struct audit_record *v, size_t n, struct err *err)
{
    struct records w = {v, n};
    return sql_write(s, append_write, &w, n, err);
}

// ---- reading -----------------------------------------------------------------------------------

static bool bytes_read(struct db_stmt *s, int col, uint8_t *ret, size_t n)
{
    struct str v = db_bytes(s, col);
    if (v.n == n)
        memcpy(ret, v.p, n);
    return v.n == n;
}

static bool record_read(struct db_stmt *s, struct audit_record *ret, struct arena *a, struct err *err)
{
    struct audit_record r = {.seq = db_i64(s, COL_SEQ)};
    if (!columns_read(&audit_columns, s, &r, a))
        return sql_no_memory(err);
    r.actor_id = db_id(s, COL_ACTOR_ID);
    // What was damaged here cannot fit any more: whoever verifies sees it, and lists still work.
    (void)bytes_read(s, COL_MAC, r.mac, sizeof r.mac);
    (void)bytes_read(s, COL_CHAIN, r.chain, sizeof r.chain);
    if (r.outcome < AUDIT_DONE || r.outcome > AUDIT_FAILED)
        r.outcome = AUDIT_FAILED;
    *ret = r;
    return true;
}

bool sql_audit_get(struct store *s, struct ulid id, struct audit_record *ret, struct arena *a, struct err *err)
{
    struct sql_read r;
    char text[ULID_TEXT_MAX];
    if (!sql_read(&r, s, STORE_AUDIT_GET, err))
        return false;
    db_put_id(r.s, 1, &id);
    bool ok = sql_only_row(r.s, err, "audit record", ulid_format(id, text)) && record_read(r.s, ret, a, err);
    sql_read_end(&r);
    return ok;
}

// Rows of a bound statement, until max of them.
static bool records_read(struct sql_read *r, size_t max, struct audit_record *v, size_t *ret_n, struct arena *a,
                         struct err *err)
{
    bool ok = true, row = true;
    size_t n = 0;
    while (ok && n < max && (ok = db_step(r->s, &row, err)) && row)
        ok = record_read(r->s, &v[n++], a, err);
    sql_read_end(r);
    if (ok)
        *ret_n = n;
    return ok;
}

bool sql_audit_unsealed(struct store *s, struct ulid after, size_t max, struct audit_record **ret, size_t *ret_n,
                        struct arena *a, struct err *err)
{
    struct sql_read r;
    struct audit_record *v = arena_new_array(a, struct audit_record, max);
    if (!v)
        return sql_no_memory(err);
    if (!sql_read(&r, s, STORE_AUDIT_UNSEALED, err))
        return false;
    db_put_id(r.s, 1, &after);
    db_put_i64(r.s, 2, (int64_t)max);
    if (!records_read(&r, max, v, ret_n, a, err))
        return false;
    *ret = v;
    return true;
}

bool sql_audit_chain(struct store *s, int64_t after, size_t max, struct audit_record **ret, size_t *ret_n,
                     struct arena *a, struct err *err)
{
    struct sql_read r;
    struct audit_record *v = arena_new_array(a, struct audit_record, max);
    if (!v)
        return sql_no_memory(err);
    if (!sql_read(&r, s, STORE_AUDIT_CHAIN, err))
        return false;
    db_put_i64(r.s, 1, after);
    db_put_i64(r.s, 2, (int64_t)max);
    if (!records_read(&r, max, v, ret_n, a, err))
        return false;
    *ret = v;
    return true;
}

// ---- list --------------------------------------------------------------------------------------

enum scope { SCOPE_ANY, SCOPE_ENTITY, SCOPE_ACTION, SCOPE_ACTOR };

// The index that leaves least.
static enum scope scope_of(const struct audit_filter *f)
{
    return f->entity_type.p && f->entity_id.p ? SCOPE_ENTITY
           : !ulid_is_zero(f->actor_id)       ? SCOPE_ACTOR
           : f->action.p                      ? SCOPE_ACTION
                                              : SCOPE_ANY;
}

// Identifiers begin with their instant, so a span of time is a span of identifiers.
static void span_of(const struct audit_filter *f, struct ulid *ret_low, struct ulid *ret_high)
{
    *ret_low = f->from.us > 0 ? trim_bound(f->from) : ULID_ZERO;
    if (f->before.us > 0)
        *ret_high = trim_bound((struct instant){f->before.us + US_PER_MS - 1});
    else
        memset(ret_high->b, UINT8_MAX, sizeof ret_high->b);
}

static void bind_filter(struct db_stmt *s, int first, const struct audit_filter *f)
{
    db_put_text(s, first, f->entity_type);
    db_put_text(s, first + 1, f->entity_id);
    db_put_text(s, first + 2, f->action);
    bind_optional_id(s, first + 3, &f->actor_id);
    db_put_text(s, first + 4, f->actor);
    db_put_i64(s, first + 5, f->outcome);
    db_put_i64(s, first + 6, f->from.us > 0 ? f->from.us : 0);
    db_put_i64(s, first + 7, f->before.us > 0 ? f->before.us : INT64_MAX);
}

enum { FILTER_AT = 4 };

static bool list(struct store *st, const struct audit_filter *f, struct cursor *at, struct pager *pager,
                 struct audit_record *out, struct arena *a, struct err *err)
{
    static const enum store_query queries[][2] = {
        [SCOPE_ANY] = {STORE_AUDIT_LIST_DESC_ANY, STORE_AUDIT_LIST_ASC_ANY},
        [SCOPE_ENTITY] = {STORE_AUDIT_LIST_DESC_ENTITY, STORE_AUDIT_LIST_ASC_ENTITY},
        [SCOPE_ACTION] = {STORE_AUDIT_LIST_DESC_ACTION, STORE_AUDIT_LIST_ASC_ACTION},
        [SCOPE_ACTOR] = {STORE_AUDIT_LIST_DESC_ACTOR, STORE_AUDIT_LIST_ASC_ACTOR},
    };
    struct sql_read r;
    struct ulid low, high;
    span_of(f, &low, &high);
    if (at->ascending ? ulid_cmp(at->id, low) > 0 : ulid_cmp(at->id, high) < 0)
        *(at->ascending ? &low : &high) = at->id;
    if (!sql_read(&r, st, queries[scope_of(f)][at->ascending], err))
        return false;
    db_put_id(r.s, 1, &low);
    db_put_id(r.s, 2, &high);
    db_put_i64(r.s, 3, pager->skip + pager->size + 1);
    bind_filter(r.s, FILTER_AT, f);
    bool ok = true, row;
    while (ok && (ok = db_step(r.s, &row, err)) && row)
        if (pager_next(pager) == PAGE_TAKE) {
            ok = record_read(r.s, &out[pager->n - 1], a, err);
            at->id = out[pager->n - 1].id;
        }
    sql_read_end(&r);
    return ok;
}

static bool count(struct store *st, const struct audit_filter *f, struct page_result *ret, struct err *err)
{
    static const enum store_query queries[] = {
        [SCOPE_ANY] = STORE_AUDIT_COUNT_ANY,
        [SCOPE_ENTITY] = STORE_AUDIT_COUNT_ENTITY,
        [SCOPE_ACTION] = STORE_AUDIT_COUNT_ACTION,
        [SCOPE_ACTOR] = STORE_AUDIT_COUNT_ACTOR,
    };
    struct sql_read r;
    struct ulid low, high;
    span_of(f, &low, &high);
    if (!sql_read(&r, st, queries[scope_of(f)], err))
        return false;
    db_put_id(r.s, 1, &low);
    db_put_id(r.s, 2, &high);
    db_put_i64(r.s, 3, TOTAL_EXACT_MAX + 1);
    bind_filter(r.s, FILTER_AT, f);
    bool ok = sql_only_row(r.s, err, "count", "audit records");
    if (ok)
        page_total(ret, db_i64(r.s, 0), true);
    sql_read_end(&r);
    return ok;
}

bool sql_audit_list(struct store *s, const struct audit_filter *f, const struct page *p, struct audit_record **ret,
                    size_t *ret_n, struct page_result *ret_page, struct arena *a, struct err *err)
{
    struct cursor at;
    struct page_result result;
    bool given;
    if (!page_open(p, 'a', audit_sorts, &at, &given, a, err))
        return false;
    struct pager pager = {.skip = given ? 0 : p->offset, .size = p->size};
    struct audit_record *out = arena_new_array(a, struct audit_record, (size_t)p->size);
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
