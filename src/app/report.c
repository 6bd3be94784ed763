// SPDX-License-Identifier: Apache-2.0
// Paging through the store for a report. Rules: app/report.h.
#include "app/report.h"

#include "app/owner.h"

enum { PAGE_BUDGET = 16 * 1024 * 1024 };

struct paging {
    struct app *app;
    const struct report_query *q;
    struct report_sink *sink;
    struct ulid owner; // zero: any
    struct ulid teams[USER_TEAMS_MAX]; // of the owner
    size_t n_teams;
    struct page page;
    struct arena arena;  // of one page
    struct arena cursor; // of the way to the next
    bool done;
};

static bool owner_find(struct paging *p, const struct job *j, enum action action, struct err *err)
{
    struct job stored; // the definition that runs does not say whose it is
    struct caller c;
    enum reach reach;
    bool found;
    if (!p->app->store->ops->job_get(p->app->store, j->id, &stored, &p->arena, err) ||
        !owner_as_caller(p->app, stored.owner_id, &found, &c, &p->arena, err))
        return false;
    if (!found)
        return ERR(err, ERR_DENIED, "the owner of this job is not there any more; give it another one");
    if (!app_authorize(&c, action, &reach, err))
        return false;
    p->owner = app_owner_filter(&c, reach);
    p->n_teams = c.n_teams;
    if (c.n_teams > 0)
        memcpy(p->teams, c.teams, c.n_teams * sizeof *c.teams);
    return true;
}

static bool runs_page(struct paging *p, struct page_result *ret, struct err *err)
{
    struct run_filter f = {
        .owner_id = p->owner, .teams = p->teams, .n_teams = p->n_teams, .job_id = p->q->job_id, .status = -1};
    struct run *v;
    size_t n;
    if (!p->app->store->ops->runs_list(p->app->store, &f, &p->page, &v, &n, ret, &p->arena, err))
        return false;
    for (size_t i = 0; i < n; i++) {
        // Ids are in the order of scheduled instants, except along the chain of one job, where retries lie between.
        if (v[i].scheduled.us < p->q->from.us && ulid_is_zero(p->q->job_id)) {
            p->done = true;
            return true;
        }
        if (v[i].scheduled.us < p->q->from.us || v[i].scheduled.us >= p->q->to.us)
            continue;
        run_derive(&v[i]);
        if (!p->sink->run(p->sink->ctx, &v[i], err))
            return false;
    }
    return true;
}

static bool jobs_page(struct paging *p, struct page_result *ret, struct err *err)
{
    struct job_filter f = {.owner_id = p->owner, .teams = p->teams, .n_teams = p->n_teams, .status = -1};
    struct job *v;
    size_t n;
    if (!p->app->store->ops->jobs_list(p->app->store, &f, &p->page, &v, &n, ret, &p->arena, err))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!p->sink->job(p->sink->ctx, &v[i], err))
            return false;
    return true;
}

static bool dead_page(struct paging *p, struct page_result *ret, struct err *err)
{
    struct dlq_filter f = {.owner_id = p->owner,
                           .teams = p->teams,
                           .n_teams = p->n_teams,
                           .job_id = p->q->job_id,
                           .resolved = -1};
    struct dead_letter *v;
    size_t n;
    if (!p->app->store->ops->dlq_list(p->app->store, &f, &p->page, &v, &n, ret, &p->arena, err))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (v[i].created_at.us < p->q->from.us || v[i].created_at.us >= p->q->to.us)
            continue;
        if (!p->sink->dead(p->sink->ctx, &v[i], err))
            return false;
    }
    return true;
}

static bool pages_walk(struct paging *p, struct err *err)
{
    bool (*const page)(struct paging *, struct page_result *, struct err *) =
        p->q->subject == REPORT_RUNS ? runs_page : p->q->subject == REPORT_JOBS ? jobs_page : dead_page;
    while (!p->done) {
        struct page_result result = {.total = 0};
        if (p->sink->stop && p->sink->stop(p->sink->ctx))
            return ERR(err, ERR_TIMEOUT, "the report was stopped");
        arena_reset(&p->arena);
        if (!page(p, &result, err))
            return false;
        arena_reset(&p->cursor);
        p->page.cursor = result.next_cursor.p ? arena_str(&p->cursor, result.next_cursor) : STR_NONE;
        p->done = p->done || !p->page.cursor.p;
    }
    return true;
}

bool app_report(void *app, const struct job *j, const struct report_query *q, struct report_sink *sink,
                struct err *err)
{
    static const enum action actions[] = {ACTION_RUN_READ, ACTION_JOB_READ, ACTION_DLQ_READ};
    struct paging p = {.app = app, .q = q, .sink = sink, .page = {.size = PAGE_SIZE_MAX}};
    arena_init(&p.arena, PAGE_BUDGET);
    arena_init(&p.cursor, PAGE_BUDGET);
    bool ok = owner_find(&p, j, actions[q->subject], err) && pages_walk(&p, err);
    arena_release(&p.arena);
    arena_release(&p.cursor);
    return ok;
}
