// SPDX-License-Identifier: Apache-2.0
// Jobs and their plans in memory. Definitions are kept as the same text the sql stores keep.
#include "base/mem.h"
#include "store/memory/memory.h"

enum { SCRATCH_BUDGET = 16 * 1024 * 1024 };

struct job_row *job_live(struct mem *m, struct ulid id)
{
    struct job_row *j = map_get(&m->jobs, id);
    return j && !j->deleted ? j : NULL;
}

static bool no_such_job(struct ulid id, struct err *err)
{
    char text[ULID_TEXT_MAX];
    return ERR(err, ERR_NOT_FOUND, "job \"%s\" does not exist", ulid_format(id, text));
}

static bool stale_job(struct ulid id, struct err *err)
{
    char text[ULID_TEXT_MAX];
    return ERR(err, ERR_STALE, "job \"%s\" was changed by somebody else: read it again",
               ulid_format(id, text));
}

static void plan_own(struct mem *m, struct plan *to, const struct plan *from)
{
    struct ulid last_run = to->last_run;
    int64_t run_count = to->run_count;
    *to = *from;
    to->last_run = last_run;
    to->run_count = run_count;
    to->type = mem_text(m, from->type);
    to->schedule.cron_expression = mem_text(m, from->schedule.cron_expression);
    to->schedule.rrule = mem_text(m, from->schedule.rrule);
    to->schedule.timezone = mem_text(m, from->schedule.timezone);
}

static bool row_write(struct mem *m, struct job_row *row, const struct job *j, const struct plan *p,
                      struct err *err)
{
    struct arena scratch CLEANUP(arena_release);
    arena_init(&scratch, SCRATCH_BUDGET);
    struct str text;
    if (!job_text_write(j, &text, &scratch, err))
        return false;
    row->definition = mem_text(m, text);
    row->owner_id = j->owner_id;
    row->name = mem_text(m, j->name);
    row->type = mem_text(m, j->type);
    row->version = j->version;
    row->updated_at = j->updated_at;
    plan_own(m, &row->plan, p);
    return true;
}

static void job_told(struct mem *m, int what, const struct job_row *row)
{
    change_add(m, CHANGE_JOB, row->id, 0);
    event_add_job(m, what, row->id, row->version);
}

static bool insert_all(struct mem *m, const struct job *v, const struct plan *plans, size_t n,
                       struct err *err)
{
    struct job_row **rows = mem_array(n, sizeof *rows);
    bool ok = true;
    for (size_t i = 0; ok && i < n; i++) {
        char text[ULID_TEXT_MAX];
        must(ulid_eq(v[i].id, plans[i].job_id));
        if (map_get(&m->jobs, v[i].id))
            ok = ERR(err, ERR_CONFLICT, "job \"%s\" exists already", ulid_format(v[i].id, text));
        rows[i] = mem_take(m, 1, sizeof **rows);
        rows[i]->id = v[i].id;
        rows[i]->owner_id = v[i].owner_id;
        rows[i]->created_at = v[i].created_at;
        ok = ok && row_write(m, rows[i], &v[i], &plans[i], err);
        if (ok)
            (void)map_put(&m->jobs, v[i].id, rows[i]);
        else // all or nothing, also when one id occurs twice in the list
            for (size_t k = 0; k < i; k++)
                (void)map_remove(&m->jobs, v[k].id);
    }
    for (size_t i = 0; ok && i < n; i++) {
        row_list_add(&m->jobs_by_id, rows[i]);
        job_told(m, OUTBOX_JOB_CREATED, rows[i]);
    }
    mem_free(rows);
    return ok;
}

bool mem_jobs_insert(struct store *s, const struct job *v, const struct plan *plans, size_t n,
                     struct err *err)
{
    struct mem_call c;
    return call_begin(&c, s, "jobs_insert", true, err) &&
           call_end(&c, insert_all(c.m, v, plans, n, err), err);
}

static bool update(struct mem *m, const struct job *j, const struct plan *p, int64_t expect, struct err *err)
{
    struct job_row *row = job_live(m, j->id);
    if (!row)
        return no_such_job(j->id, err);
    if (row->version != expect)
        return stale_job(j->id, err);
    if (!row_write(m, row, j, p, err))
        return false;
    job_told(m, OUTBOX_JOB_UPDATED, row);
    return true;
}

bool mem_job_update(struct store *s, const struct job *j, const struct plan *p, int64_t expect,
                    struct err *err)
{
    struct mem_call c;
    return call_begin(&c, s, "job_update", true, err) && call_end(&c, update(c.m, j, p, expect, err), err);
}

static bool job_remove(struct mem *m, struct ulid id, int64_t expect, struct instant now, struct err *err)
{
    struct job_row *row = job_live(m, id);
    if (!row)
        return no_such_job(id, err);
    if (expect != 0 && row->version != expect)
        return stale_job(id, err);
    row->deleted = true;
    row->updated_at = now;
    memos_remove(m, id);
    mem_subscriptions_forget(m, id, now);
    job_told(m, OUTBOX_JOB_DELETED, row);
    for (size_t i = m->unfinished.n; i > 0; i--) {
        struct run_row *r = m->unfinished.v[i - 1];
        if (!ulid_eq(r->r.job_id, id) || r->r.status != RUN_QUEUED)
            continue;
        run_end_cancelled(&r->r, now, true);
        run_status_changed(m, r, RUN_QUEUED);
        event_add_run(m, &r->r);
    }
    return true;
}

bool mem_job_delete(struct store *s, struct ulid id, int64_t expect, struct instant now, struct err *err)
{
    struct mem_call c;
    return call_begin(&c, s, "job_delete", true, err) &&
           call_end(&c, job_remove(c.m, id, expect, now, err), err);
}

static bool set_state(struct mem *m, struct ulid id, int state, struct instant next_fire, struct instant now,
                      struct err *err)
{
    struct job_row *row = job_live(m, id);
    if (!row)
        return no_such_job(id, err);
    row->plan.state = state;
    if (!instant_is_never(next_fire))
        row->plan.next_fire = next_fire;
    row->plan.version = ++row->version;
    row->updated_at = now;
    job_told(m, OUTBOX_JOB_STATE_CHANGED, row);
    if (state == JOB_STATE_PAUSED)
        notice_of_pause(m, id, now);
    return true;
}

bool mem_job_set_state(struct store *s, struct ulid id, int state, struct instant next_fire,
                       struct instant now, struct err *err)
{
    struct mem_call c;
    return call_begin(&c, s, "job_set_state", true, err) &&
           call_end(&c, set_state(c.m, id, state, next_fire, now, err), err);
}

// ---- reading -----------------------------------------------------------------------------------

static int row_status(struct mem *m, const struct job_row *row)
{
    const struct run_row *last = map_get(&m->runs, row->plan.last_run);
    return job_status_of(&row->plan, last ? &last->r : NULL);
}

static bool row_answer(struct mem *m, const struct job_row *row, struct job *ret, struct arena *a,
                       struct err *err)
{
    struct job j;
    if (!job_text_read(row->definition, &j, a, err))
        return false;
    j.id = row->id;
    j.owner_id = row->owner_id;
    j.version = row->version;
    j.created_at = row->created_at;
    j.updated_at = row->updated_at;
    j.status = row_status(m, row);
    j.next_fire_time = row->plan.next_fire;
    j.last_run_id = row->plan.last_run;
    j.run_count = row->plan.run_count;
    *ret = j;
    return true;
}

bool mem_job_get(struct store *s, struct ulid id, struct job *ret, struct arena *a, struct err *err)
{
    struct mem_call c;
    if (!call_begin(&c, s, "job_get", false, err))
        return false;
    const struct job_row *row = job_live(c.m, id);
    return call_end(&c, row ? row_answer(c.m, row, ret, a, err) : no_such_job(id, err), err);
}

bool mem_job_definition(struct store *s, struct ulid id, struct str *ret_text, int64_t *ret_version,
                        struct arena *a, struct err *err)
{
    (void)a; // texts of this store never change
    struct mem_call c;
    if (!call_begin(&c, s, "job_definition", false, err))
        return false;
    const struct job_row *row = job_live(c.m, id);
    if (!row)
        return call_end(&c, no_such_job(id, err), err);
    *ret_text = row->definition;
    *ret_version = row->version;
    return call_end(&c, true, err);
}

static bool plan_can_fire(const struct plan *p) { return p->enabled && p->state == JOB_STATE_ACTIVE; }

bool mem_plans_page(struct store *s, struct ulid after, size_t max, bool all, struct plan **ret,
                    size_t *ret_n, size_t *ret_bad, struct arena *a, struct err *err)
{
    struct mem_call c;
    if (!call_begin(&c, s, "plans_page", false, err))
        return false;
    const struct row_list *l = &c.m->jobs_by_id;
    size_t i = row_list_after(l, after), n = 0, room = l->n - i < max ? l->n - i : max;
    struct plan *v = arena_new_array(a, struct plan, room);
    for (; v && i < l->n && n < room; i++) {
        const struct job_row *row = l->v[i];
        if (!row->deleted && (all || plan_can_fire(&row->plan)))
            v[n++] = row->plan;
    }
    if (!v)
        return call_end(&c, ERR(err, ERR_UNAVAILABLE, "no memory for a page of plans"), err);
    *ret = v;
    *ret_n = n;
    *ret_bad = 0;
    return call_end(&c, true, err);
}

bool mem_plans_get(struct store *s, const struct ulid *ids, size_t n, struct plan **ret, size_t *ret_n,
                   struct arena *a, struct err *err)
{
    struct mem_call c;
    if (!call_begin(&c, s, "plans_get", false, err))
        return false;
    struct plan *v = arena_new_array(a, struct plan, n);
    size_t found = 0;
    for (size_t i = 0; v && i < n; i++) {
        const struct job_row *row = job_live(c.m, ids[i]);
        if (row)
            v[found++] = row->plan;
    }
    if (!v)
        return call_end(&c, ERR(err, ERR_UNAVAILABLE, "no memory for plans"), err);
    *ret = v;
    *ret_n = found;
    return call_end(&c, true, err);
}

// ---- list --------------------------------------------------------------------------------------

struct listed {
    struct cursor at;
    const struct job_row *row;
};

static int listed_cmp(const void *a, const void *b)
{
    return cursor_cmp(&((const struct listed *)a)->at, &((const struct listed *)b)->at);
}

static struct cursor row_cursor(const struct job_row *row, const struct cursor *kind)
{
    struct cursor c = *kind;
    c.id = row->id;
    c.text = row->name;
    c.number = c.sort == JOB_SORT_UPDATED     ? row->updated_at.us
               : c.sort == JOB_SORT_NEXT_FIRE ? row->plan.next_fire.us
                                              : 0;
    return c;
}

static bool row_matches(struct mem *m, const struct job_row *row, const struct job_filter *f)
{
    return !row->deleted && owner_among(f->owner_id, f->teams, f->n_teams, row->owner_id) &&
           text_has_part(row->name, f->name) && (!f->type.p || str_eq(f->type, row->type)) &&
           (!f->tag.p || job_text_has_tag(row->definition, f->tag)) &&
           (f->status < 0 || row_status(m, row) == f->status);
}

static size_t list_sorted(struct mem *m, const struct job_filter *f, const struct cursor *kind,
                          struct listed *v)
{
    size_t n = 0;
    for (size_t i = 0; i < m->jobs_by_id.n; i++) {
        const struct job_row *row = m->jobs_by_id.v[i];
        if (row_matches(m, row, f))
            v[n++] = (struct listed){row_cursor(row, kind), row};
    }
    if (n > 1)
        qsort(v, n, sizeof *v, listed_cmp);
    return n;
}

static bool list_answer(struct mem *m, const struct job_filter *f, const struct page *p,
                        const struct cursor *at, bool given, struct job **ret, size_t *ret_n,
                        struct page_result *ret_page, struct arena *a, struct err *err)
{
    struct listed *v = mem_array(m->jobs_by_id.n, sizeof *v);
    struct job *out = arena_new_array(a, struct job, (size_t)p->size);
    struct pager pager = {.skip = given ? 0 : p->offset, .size = p->size};
    struct cursor last = *at;
    size_t n = list_sorted(m, f, at, v);
    bool ok = out || ERR(err, ERR_UNAVAILABLE, "no memory for a page of jobs");
    for (size_t i = 0; ok && i < n && !pager.more; i++) {
        if (given && cursor_cmp(&v[i].at, at) <= 0)
            continue;
        if (pager_next(&pager) != PAGE_TAKE)
            continue;
        ok = row_answer(m, v[i].row, &out[pager.n - 1], a, err);
        last = v[i].at;
    }
    mem_free(v);
    if (!ok)
        return false;
    page_total(ret_page, (int64_t)n, true);
    ret_page->next_cursor = pager.more ? cursor_write(&last, a) : STR_NONE;
    *ret = out;
    *ret_n = pager.n;
    return true;
}

bool mem_jobs_list(struct store *s, const struct job_filter *f, const struct page *p, struct job **ret,
                   size_t *ret_n, struct page_result *ret_page, struct arena *a, struct err *err)
{
    struct cursor at;
    bool given;
    struct mem_call c;
    if (!page_open(p, 'j', job_sorts, &at, &given, a, err) || !call_begin(&c, s, "jobs_list", false, err))
        return false;
    return call_end(&c, list_answer(c.m, f, p, &at, given, ret, ret_n, ret_page, a, err), err);
}
