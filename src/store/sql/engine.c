// SPDX-License-Identifier: Apache-2.0
// What the engine loads: plans and unfinished runs, in pages by id.
#include "store/sql/sql.h"

// One row of a page of plans. A damaged row is counted and left out; only a full arena is an error.
static bool page_row(struct db_stmt *s, struct plan *v, size_t *n, size_t *bad, struct arena *a,
                     struct err *err)
{
    struct err why;
    if (plan_read(s, &v[*n], a, &why)) {
        (*n)++;
        return true;
    }
    if (why.code != ERR_CORRUPT) {
        *err = why;
        return false;
    }
    (*bad)++;
    return true;
}

// Fewer rows than max mean the end for the caller, so damaged rows must not make a page short: the page is
// filled from behind the last row seen.
static bool page_fill(struct db_stmt *s, struct ulid after, size_t max, struct plan *v, size_t *n,
                      size_t *bad, struct arena *a, struct err *err)
{
    for (bool more = true; more && *n < max;) {
        size_t wanted = max - *n, seen = 0;
        bool row = true;
        db_put_id(s, 1, &after);
        db_put_i64(s, 2, (int64_t)wanted);
        struct ulid last = after;
        for (; db_step(s, &row, err) && row; seen++) {
            last = db_id(s, 0);
            if (!page_row(s, v, n, bad, a, err))
                return false;
        }
        if (row) // the step failed
            return false;
        more = seen == wanted && !ulid_eq(last, after);
        after = last;
    }
    return true;
}

bool sql_plans_page(struct store *s, struct ulid after, size_t max, bool all, struct plan **ret,
                    size_t *ret_n, size_t *ret_bad, struct arena *a, struct err *err)
{
    struct sql_read r;
    struct plan *v = arena_new_array(a, struct plan, max);
    size_t n = 0, bad = 0;
    if (!v)
        return sql_no_memory(err);
    if (!sql_read(&r, s, all ? STORE_PLANS_PAGE_ALL : STORE_PLANS_PAGE_DUE, err))
        return false;
    bool ok = page_fill(r.s, after, max, v, &n, &bad, a, err);
    sql_read_end(&r);
    if (!ok)
        return false;
    *ret = v;
    *ret_n = n;
    *ret_bad = bad;
    return true;
}

static bool plans_one_by_one(struct sql_read *r, const struct ulid *ids, size_t n, struct plan *v, size_t *found,
                             struct arena *a, struct err *err)
{
    bool ok = true, row;
    size_t bad = 0;
    for (size_t i = 0; ok && i < n; i++) {
        db_put_id(r->s, 1, &ids[i]);
        ok = db_step(r->s, &row, err) && (!row || page_row(r->s, v, found, &bad, a, err));
        db_reset(r->s);
    }
    return ok;
}

static bool plans_at_once(struct sql_read *r, const struct ulid *ids, size_t n, struct plan *v, size_t *found,
                          struct arena *a, struct err *err)
{
    struct db_cell *cells = arena_new_array(a, struct db_cell, n);
    size_t bad = 0;
    if (!cells)
        return sql_no_memory(err);
    for (size_t i = 0; i < n; i++)
        cells[i] = (struct db_cell){.kind = DB_CELL_BLOB, .bytes = {(const char *)ids[i].b, sizeof ids[i].b}};
    db_put_rows(r->s, cells, n, 1);
    for (bool row = true; row;)
        if (!db_step(r->s, &row, err) || (row && *found < n && !page_row(r->s, v, found, &bad, a, err)))
            return false;
    return true;
}

bool sql_plans_get(struct store *s, const struct ulid *ids, size_t n, struct plan **ret, size_t *ret_n,
                   struct arena *a, struct err *err)
{
    struct sql_read r;
    struct plan *v = arena_new_array(a, struct plan, n);
    size_t found = 0;
    if (!v)
        return sql_no_memory(err);
    bool server = !s->exclusive;
    if (!sql_read(&r, s, server ? STORE_PLAN_GET_ROWS : STORE_PLAN_GET, err))
        return false;
    bool ok = n == 0 || (server ? plans_at_once(&r, ids, n, v, &found, a, err)
                                : plans_one_by_one(&r, ids, n, v, &found, a, err));
    sql_read_end(&r);
    if (!ok)
        return false;
    *ret = v;
    *ret_n = found;
    return true;
}

bool sql_runs_unfinished(struct store *s, struct ulid after, size_t max, struct run **ret, size_t *ret_n,
                         struct arena *a, struct err *err)
{
    struct sql_read r;
    struct run *v = arena_new_array(a, struct run, max);
    size_t n = 0;
    bool ok = true, row;
    if (!v)
        return sql_no_memory(err);
    if (!sql_read(&r, s, STORE_RUNS_UNFINISHED, err))
        return false;
    db_put_id(r.s, 1, &after);
    db_put_i64(r.s, 2, (int64_t)max);
    while (ok && (ok = db_step(r.s, &row, err)) && row) {
        ok = run_read(r.s, &v[n], a, err);
        if (ok)
            v[n++].job_name = arena_str(a, db_bytes(r.s, run_columns.n));
    }
    sql_read_end(&r);
    if (!ok)
        return false;
    *ret = v;
    *ret_n = n;
    return true;
}

bool sql_job_definition(struct store *s, struct ulid id, struct str *ret_text, int64_t *ret_version,
                        struct arena *a, struct err *err)
{
    struct sql_read r;
    char name[ULID_TEXT_MAX];
    if (!sql_read(&r, s, STORE_JOB_DEFINITION, err))
        return false;
    db_put_id(r.s, 1, &id);
    bool ok = sql_only_row(r.s, err, "job", ulid_format(id, name));
    if (ok) {
        struct str text = arena_str(a, db_bytes(r.s, 0));
        ok = text.p || sql_no_memory(err);
        if (ok) {
            *ret_text = text;
            *ret_version = db_i64(r.s, 1);
        }
    }
    sql_read_end(&r);
    return ok;
}
