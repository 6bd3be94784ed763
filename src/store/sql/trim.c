// SPDX-License-Identifier: Apache-2.0
// Retention: old runs go page by page along their primary key, which is in the order of time. Where a call
// ended the next one goes on, so that the newest runs of resting jobs, which stay, are not looked at each
// time.
#include "store/sql/sql.h"

enum { ROW_BYTES = 128 };

static bool page_read(struct store *s, struct ulid after, struct ulid bound, size_t max, struct trim_row *v,
                      size_t *ret_n, struct err *err)
{
    struct sql_read r;
    size_t n = 0;
    bool ok = true, row;
    if (!sql_read(&r, s, STORE_TRIM_PAGE, err))
        return false;
    db_put_id(r.s, 1, &after);
    db_put_id(r.s, 2, &bound);
    db_put_i64(r.s, 3, (int64_t)max);
    while (ok && (ok = db_step(r.s, &row, err)) && row)
        v[n++] = (struct trim_row){.id = db_id(r.s, 0),
                                   .prev = db_id(r.s, 1),
                                   .final = run_status_final((int)db_i64(r.s, 2)),
                                   .newest = db_i64(r.s, 3) != 0,
                                   .prev_exists = db_i64(r.s, 4) != 0};
    sql_read_end(&r);
    if (ok)
        *ret_n = n;
    return ok;
}

struct removal {
    struct ulid *ids;
    size_t n, letters_max, letters;
    struct instant before;
};

static bool removal_write(struct db *d, void *arg, struct err *err)
{
    struct removal *w = arg;
    struct db_stmt *s;
    if (!sql_run_ids(d, STORE_LOGS_REMOVE, STORE_LOGS_REMOVE_ROWS, w->ids, w->n, err) ||
        !sql_run_ids(d, STORE_RUN_REMOVE, STORE_RUN_REMOVE_ROWS, w->ids, w->n, err) ||
        !sql_query(d, STORE_DLQ_TRIM, &s, err))
        return false;
    db_put_i64(s, 1, w->before.us);
    db_put_i64(s, 2, (int64_t)w->letters_max);
    if (!db_run(s, err))
        return false;
    w->letters = (size_t)db_changes(d);
    return true;
}

// What was found final and not the newest stays so: nothing is locked between looking and removing.
static bool trim(struct store *s, struct instant before, size_t max, size_t *ret_n, bool *ret_more,
                 struct arena *a, struct err *err)
{
    struct sql *q = (struct sql *)s;
    struct trim_row *v = arena_new_array(a, struct trim_row, max);
    struct removal w = {.ids = arena_new_array(a, struct ulid, max), .letters_max = max, .before = before};
    size_t n = 0;
    mutex_lock(&q->readers_lock);
    struct ulid after = q->trimmed;
    mutex_unlock(&q->readers_lock);
    if (!v || !w.ids)
        return sql_no_memory(err);
    if (!page_read(s, after, trim_bound(before), max, v, &n, err))
        return false;
    trim_choose(v, n);
    for (size_t i = 0; i < n; i++)
        if (v[i].remove)
            w.ids[w.n++] = v[i].id;
    if (!sql_write(s, removal_write, &w, w.n + 1, err))
        return false;
    WITH_LOCK(&q->readers_lock);
    q->trimmed = n == max ? v[n - 1].id : ULID_ZERO;
    *ret_n = w.n;
    *ret_more = n == max || w.letters == max;
    return true;
}

bool sql_history_trim(struct store *s, struct instant before, size_t max, size_t *ret_n, bool *ret_more,
                      struct err *err)
{
    struct arena a CLEANUP(arena_release);
    must(max > 0);
    arena_init(&a, (max + 1) * ROW_BYTES);
    return trim(s, before, max, ret_n, ret_more, &a, err);
}
