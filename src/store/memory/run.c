// SPDX-License-Identifier: Apache-2.0
// Runs, their logs and dead letters in memory.
#include "store/memory/memory.h"

static bool no_such_run(struct ulid id, struct err *err)
{
    char text[ULID_TEXT_MAX];
    return ERR(err, ERR_NOT_FOUND, "run \"%s\" does not exist", ulid_format(id, text));
}

void run_answer(struct mem *m, const struct run_row *row, struct run *ret)
{
    const struct job_row *j = map_get(&m->jobs, row->r.job_id);
    *ret = row->r;
    ret->job_name = j ? j->name : STR_NONE;
    run_derive(ret);
}

static bool insert(struct mem *m, struct run *r, struct err *err)
{
    char text[ULID_TEXT_MAX];
    struct job_row *j = job_live(m, r->job_id);
    must(r->status == RUN_QUEUED);
    if (!j)
        return ERR(err, ERR_NOT_FOUND, "job \"%s\" does not exist", ulid_format(r->job_id, text));
    if (run_taken(m, r->id))
        return ERR(err, ERR_CONFLICT, "run \"%s\" exists already", ulid_format(r->id, text));
    run_chain(m, j, r);
    change_add(m, CHANGE_RUN, r->id, 0);
    return true;
}

bool mem_run_insert(struct store *s, struct run *r, struct err *err)
{
    struct mem_call c;
    return call_begin(&c, s, "run_insert", true, err) && call_end(&c, insert(c.m, r, err), err);
}

bool mem_run_get(struct store *s, struct ulid id, struct run *ret, struct arena *a, struct err *err)
{
    (void)a; // texts of this store never change
    struct mem_call c;
    if (!call_begin(&c, s, "run_get", false, err))
        return false;
    const struct run_row *row = map_get(&c.m->runs, id);
    if (!row)
        return call_end(&c, no_such_run(id, err), err);
    run_answer(c.m, row, ret);
    return call_end(&c, true, err);
}

bool mem_runs_unfinished(struct store *s, struct ulid after, size_t max, struct run **ret, size_t *ret_n,
                         struct arena *a, struct err *err)
{
    struct mem_call c;
    if (!call_begin(&c, s, "runs_unfinished", false, err))
        return false;
    const struct row_list *l = &c.m->unfinished;
    size_t first = row_list_after(l, after), n = l->n - first < max ? l->n - first : max;
    struct run *v = arena_new_array(a, struct run, n);
    if (!v)
        return call_end(&c, ERR(err, ERR_UNAVAILABLE, "no memory for a page of runs"), err);
    for (size_t i = 0; i < n; i++)
        run_answer(c.m, l->v[first + i], &v[i]);
    *ret = v;
    *ret_n = n;
    return call_end(&c, true, err);
}

static enum run_cancel_result cancel(struct mem *m, struct ulid id, struct instant now)
{
    struct run_row *row = map_get(&m->runs, id);
    if (!row)
        return CANCEL_NO_SUCH_RUN;
    if (run_status_final(row->r.status))
        return CANCEL_ALREADY_FINAL;
    if (row->r.status == RUN_RUNNING) {
        row->r.cancel_requested = true;
        change_add(m, CHANGE_CANCEL, id, 0);
        return CANCEL_REQUESTED;
    }
    run_end_cancelled(&row->r, now, false);
    run_status_changed(m, row, RUN_QUEUED);
    change_add(m, CHANGE_RUN, id, 0);
    event_add_run(m, &row->r);
    return CANCEL_DONE;
}

bool mem_run_cancel(struct store *s, struct ulid id, struct instant now, enum run_cancel_result *ret,
                    struct err *err)
{
    struct mem_call c;
    if (!call_begin(&c, s, "run_cancel", true, err))
        return false;
    enum run_cancel_result result = cancel(c.m, id, now);
    if (result == CANCEL_ALREADY_FINAL || result == CANCEL_NO_SUCH_RUN)
        write_was_idle();
    if (!call_end(&c, true, err))
        return false;
    *ret = result;
    return true;
}

bool mem_logs_read(struct store *s, struct ulid run_id, int64_t after, size_t max, struct log_line **ret,
                   size_t *ret_n, struct arena *a, struct err *err)
{
    struct mem_call c;
    if (!call_begin(&c, s, "logs_read", false, err))
        return false;
    const struct run_row *row = map_get(&c.m->runs, run_id);
    size_t first = 0, total = row ? row->n_logs : 0;
    while (first < total && row->logs[first].id <= after)
        first++;
    size_t n = total - first < max ? total - first : max;
    struct log_line *v = arena_new_array(a, struct log_line, n);
    if (!v)
        return call_end(&c, ERR(err, ERR_UNAVAILABLE, "no memory for a page of log lines"), err);
    if (n)
        memcpy(v, row->logs + first, n * sizeof *v);
    *ret = v;
    *ret_n = n;
    return call_end(&c, true, err);
}

// ---- lists -------------------------------------------------------------------------------------

static bool run_matches(struct mem *m, const struct run_row *row, const struct run_filter *f)
{
    const struct job_row *j = map_get(&m->jobs, row->r.job_id);
    return run_filter_fits(f, row->r.status, row->r.scheduled, row->r.trigger, row->r.worker, row->r.error_class) &&
           owner_among(f->owner_id, f->teams, f->n_teams, j ? j->owner_id : ULID_ZERO);
}

// The runs a filter may match, in the list's order. Those of one job come from its chain.
static const struct run_row **runs_ordered(struct mem *m, const struct run_filter *f, bool ascending,
                                           size_t *ret_n, struct arena *a)
{
    const struct job_row *j = ulid_is_zero(f->job_id) ? NULL : map_get(&m->jobs, f->job_id);
    bool chain = !ulid_is_zero(f->job_id);
    size_t n = 0, most = !chain ? m->runs_by_id.n : j ? (size_t)j->plan.run_count : 0;
    const struct run_row **v = arena_array(a, most, sizeof *v);
    if (!v)
        return NULL;
    const struct run_row *at = chain && j ? map_get(&m->runs, j->plan.last_run) : NULL;
    for (; chain && at && n < most; at = map_get(&m->runs, at->r.prev_run))
        v[n++] = at;
    for (; !chain && n < most; n++)
        v[n] = m->runs_by_id.v[most - 1 - n];
    for (size_t i = 0; ascending && i < n / 2; i++) {
        const struct run_row *swap = v[i];
        v[i] = v[n - 1 - i];
        v[n - 1 - i] = swap;
    }
    *ret_n = n;
    return v;
}

static bool runs_answer(struct mem *m, const struct run_filter *f, const struct page *p,
                        const struct cursor *at, bool given, struct run **ret, size_t *ret_n,
                        struct page_result *ret_page, struct arena *a, struct err *err)
{
    size_t n = 0;
    const struct run_row **v = runs_ordered(m, f, p->ascending, &n, a);
    struct run *out = arena_new_array(a, struct run, (size_t)p->size);
    if (!v || !out)
        return ERR(err, ERR_UNAVAILABLE, "no memory for a page of runs");
    struct pager pager = {.skip = given ? 0 : p->offset, .size = p->size};
    struct cursor last = *at;
    int64_t total = 0;
    bool past = !given;
    for (size_t i = 0; i < n; i++) {
        if (!run_matches(m, v[i], f)) {
            past |= ulid_eq(v[i]->r.id, at->id);
            continue;
        }
        total++;
        if (past && !pager.more && pager_next(&pager) == PAGE_TAKE) {
            run_answer(m, v[i], &out[pager.n - 1]);
            last.id = v[i]->r.id;
        }
        past |= ulid_eq(v[i]->r.id, at->id);
    }
    page_total(ret_page, total, true);
    ret_page->next_cursor = pager.more ? cursor_write(&last, a) : STR_NONE;
    *ret = out;
    *ret_n = pager.n;
    return true;
}

bool mem_runs_list(struct store *s, const struct run_filter *f, const struct page *p, struct run **ret,
                   size_t *ret_n, struct page_result *ret_page, struct arena *a, struct err *err)
{
    struct cursor at;
    bool given;
    struct mem_call c;
    char list = ulid_is_zero(f->job_id) ? 'r' : 'c';
    if (!page_open(p, list, run_sorts, &at, &given, a, err) || !call_begin(&c, s, "runs_list", false, err))
        return false;
    return call_end(&c, runs_answer(c.m, f, p, &at, given, ret, ret_n, ret_page, a, err), err);
}
