// SPDX-License-Identifier: Apache-2.0
// Dead letters.
#include "store/sql/sql.h"

bool sql_dlq_get(struct store *s, struct ulid id, struct dead_letter *ret, struct arena *a, struct err *err)
{
    struct sql_read r;
    struct dead_letter v = {.id = id};
    char text[ULID_TEXT_MAX];
    if (!sql_read(&r, s, STORE_DLQ_GET, err))
        return false;
    db_put_id(r.s, 1, &id);
    bool ok = sql_only_row(r.s, err, "dead letter", ulid_format(id, text)) &&
              (columns_read(&dead_letter_columns, r.s, &v, a) || sql_no_memory(err));
    sql_read_end(&r);
    if (ok)
        *ret = v;
    return ok;
}

// ---- list --------------------------------------------------------------------------------------

static void bind_filter(struct db_stmt *s, int first, const struct dlq_filter *f)
{
    db_put_i64(s, first, f->resolved);
    bind_optional_id(s, first + 1, &f->job_id);
    bind_optional_id(s, first + 2, &f->owner_id);
    db_put_text(s, first + 3, f->error_class);
    bind_instant(s, first + 4, f->before.us > 0 ? f->before : INSTANT_NEVER);
    bind_teams(s, first + 5, &f->owner_id, f->teams, f->n_teams);
}

static bool count(struct store *st, const struct dlq_filter *f, struct page_result *ret, struct err *err)
{
    struct sql_read r;
    if (!sql_read(&r, st, STORE_DLQ_COUNT, err))
        return false;
    db_put_i64(r.s, 1, TOTAL_EXACT_MAX + 1);
    bind_filter(r.s, 2, f);
    bool ok = sql_only_row(r.s, err, "count", "dead letters");
    if (ok)
        page_total(ret, db_i64(r.s, 0), true);
    sql_read_end(&r);
    return ok;
}

static bool list(struct store *st, const struct dlq_filter *f, struct cursor *at, struct pager *pager,
                 struct dead_letter *out, struct arena *a, struct err *err)
{
    struct sql_read r;
    struct ulid from = at->id;
    if (!sql_read(&r, st, at->ascending ? STORE_DLQ_LIST_ASC : STORE_DLQ_LIST_DESC, err))
        return false;
    db_put_id(r.s, 1, &from);
    db_put_i64(r.s, 2, pager->skip + pager->size + 1);
    bind_filter(r.s, 3, f);
    bool ok = true, row;
    while (ok && (ok = db_step(r.s, &row, err)) && row)
        if (pager_next(pager) == PAGE_TAKE) {
            ok = columns_read(&dead_letter_columns, r.s, &out[pager->n - 1], a) || sql_no_memory(err);
            at->id = out[pager->n - 1].id;
        }
    sql_read_end(&r);
    return ok;
}

bool sql_dlq_list(struct store *s, const struct dlq_filter *f, const struct page *p, struct dead_letter **ret,
                  size_t *ret_n, struct page_result *ret_page, struct arena *a, struct err *err)
{
    struct cursor at;
    struct page_result result;
    bool given;
    if (!page_open(p, 'd', dlq_sorts, &at, &given, a, err))
        return false;
    struct pager pager = {.skip = given ? 0 : p->offset, .size = p->size};
    struct dead_letter *out = arena_new_array(a, struct dead_letter, (size_t)p->size);
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

// ---- resolve -----------------------------------------------------------------------------------

struct resolution {
    struct store *store;
    struct ulid id;
    struct str by, reason;
    struct run *replay;
    struct str definition;
    struct instant now;
};

static bool missed(struct db *d, struct ulid id, struct err *err)
{
    struct db_stmt *s;
    char text[ULID_TEXT_MAX];
    if (!sql_query(d, STORE_DLQ_EXISTS, &s, err))
        return false;
    db_put_id(s, 1, &id);
    if (!sql_only_row(s, err, "dead letter", ulid_format(id, text)))
        return false;
    db_reset(s);
    return ERR(err, ERR_CONFLICT, "dead letter \"%s\" is resolved already", ulid_format(id, text));
}

static bool resolve_write(struct db *d, void *arg, struct err *err)
{
    const struct resolution *w = arg;
    struct db_stmt *s;
    if (!sql_query(d, STORE_DLQ_RESOLVE, &s, err))
        return false;
    db_put_id(s, 1, &w->id);
    db_put_i64(s, 2, w->now.us);
    db_put_text(s, 3, w->by);
    db_put_text(s, 4, w->reason);
    if (w->replay)
        db_put_id(s, 5, &w->replay->id);
    else
        db_null(s, 5);
    db_put_text(s, 6, w->definition);
    if (!db_run(s, err))
        return false;
    if (db_changes(d) != 1)
        return missed(d, w->id, err);
    return !w->replay || run_put_told(w->store, d, w->replay, err);
}

bool sql_dlq_resolve(struct store *s, struct ulid id, struct str by, struct str reason, struct run *replay,
                     struct str definition, struct instant now, struct err *err)
{
    struct resolution w = {.store = s, .id = id, .by = by, .reason = reason, .replay = replay,
                           .definition = definition, .now = now};
    return sql_write(s, resolve_write, &w, 3, err);
}
