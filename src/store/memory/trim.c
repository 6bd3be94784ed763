// SPDX-License-Identifier: Apache-2.0
// Retention in memory.
#include "store/memory/memory.h"

// Fills the next page of runs below a bound; false when the arena has no room.
static bool page_fill(struct mem *m, struct ulid bound, size_t max, struct trim_row **ret, size_t *ret_n,
                      struct arena *a)
{
    size_t n = 0, at = row_list_after(&m->runs_by_id, m->trimmed);
    struct trim_row *v = arena_new_array(a, struct trim_row, max);
    if (!v)
        return false;
    for (; n < max && at < m->runs_by_id.n; at++, n++) {
        const struct run_row *row = m->runs_by_id.v[at];
        const struct job_row *j = job_live(m, row->r.job_id);
        if (ulid_cmp(row->r.id, bound) >= 0)
            break;
        v[n] = (struct trim_row){.id = row->r.id,
                                 .prev = row->r.prev_run,
                                 .prev_exists = map_get(&m->runs, row->r.prev_run) != NULL,
                                 .final = run_status_final(row->r.status),
                                 .newest = j && ulid_eq(j->plan.last_run, row->r.id)};
    }
    *ret = v;
    *ret_n = n;
    return true;
}

static void letters_trim(struct mem *m, struct instant before, size_t max, bool *ret_more)
{
    size_t removed = 0;
    *ret_more = false;
    for (size_t i = m->dlq_by_id.n; i > 0; i--) {
        struct dead_letter *d = m->dlq_by_id.v[i - 1];
        if (!d->resolved || d->scheduled.us >= before.us)
            continue;
        if (removed == max) {
            *ret_more = true;
            return;
        }
        (void)map_remove(&m->dlq, d->id);
        row_list_remove(&m->dlq_by_id, d->id);
        removed++;
    }
}

static bool trim(struct mem *m, struct instant before, size_t max, size_t *ret_n, bool *ret_more,
                 struct err *err)
{
    struct arena a CLEANUP(arena_release);
    struct trim_row *v = NULL;
    size_t n = 0, removed = 0;
    bool letters;
    arena_init(&a, (max + 1) * sizeof *v);
    if (!page_fill(m, trim_bound(before), max, &v, &n, &a))
        return ERR(err, ERR_UNAVAILABLE, "no memory for the runs to remove");
    trim_choose(v, n);
    for (size_t i = 0; i < n; i++)
        if (v[i].remove) {
            (void)map_remove(&m->runs, v[i].id);
            row_list_remove(&m->runs_by_id, v[i].id);
            removed++;
        }
    bool more = n == max;
    m->trimmed = more ? v[n - 1].id : ULID_ZERO;
    letters_trim(m, before, max, &letters);
    *ret_n = removed;
    *ret_more = more || letters;
    return true;
}

bool mem_history_trim(struct store *s, struct instant before, size_t max, size_t *ret_n, bool *ret_more,
                      struct err *err)
{
    struct mem_call c;
    must(max > 0);
    return call_begin(&c, s, "history_trim", true, err) &&
           call_end(&c, trim(c.m, before, max, ret_n, ret_more, err), err);
}
