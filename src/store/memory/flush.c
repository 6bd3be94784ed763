// SPDX-License-Identifier: Apache-2.0
// The hot path in memory: fires, claims, finishes and log lines, each decided by what the row holds now.
#include "base/mem.h"
#include "store/memory/memory.h"

enum { LOGS_FIRST = 8 };

bool run_taken(struct mem *m, struct ulid id) { return !m->weak.no_run_unique && map_get(&m->runs, id); }

void run_status_changed(struct mem *m, struct run_row *r, int from)
{
    if (!run_status_final(from) && run_status_final(r->r.status))
        row_list_remove(&m->unfinished, r->r.id);
}

void run_chain(struct mem *m, struct job_row *j, struct run *r)
{
    struct run_row *row = mem_take(m, 1, sizeof *row);
    r->prev_run = j->plan.last_run;
    row->r = *r;
    row->r.job_name = j->name;
    row->r.error_class = mem_text(m, r->error_class);
    row->r.error_message = mem_text(m, r->error_message);
    row->r.worker = mem_text(m, r->worker);
    row->r.inputs = mem_text(m, r->inputs);
    (void)map_put(&m->runs, r->id, row);
    row_list_add(&m->runs_by_id, row);
    if (!run_status_final(r->status))
        row_list_add(&m->unfinished, row);
    j->plan.last_run = r->id;
    j->plan.run_count++;
    event_add_run(m, r);
}

static bool fire_is_due(const struct mem *m, const struct job_row *j, const struct fire *f)
{
    return (m->weak.no_fire_cas || j->plan.next_fire.us == f->expect_next.us) &&
           (m->weak.no_version || j->plan.version == f->expect_version);
}

static void fire_decide(struct mem *m, struct fire *f)
{
    f->ret_won = f->ret_exists = false;
    struct job_row *j = job_live(m, f->job_id);
    if (!j || !fire_is_due(m, j, f))
        return;
    for (size_t i = 0; i < f->n_runs; i++)
        if (run_taken(m, f->runs[i].id)) {
            f->ret_exists = true;
            return;
        }
    for (size_t i = 0; i < f->n_runs; i++)
        run_chain(m, j, &f->runs[i]);
    j->plan.next_fire = f->new_next;
    f->ret_won = true;
}

static void claim_decide(struct mem *m, struct claim *c)
{
    struct run_row *row = map_get(&m->runs, c->run->id);
    c->ret_won = row && row->r.status == RUN_QUEUED;
    if (!c->ret_won)
        return;
    must(run_may_move(row->r.status, RUN_RUNNING));
    row->r.status = RUN_RUNNING;
    row->r.start = c->run->start;
    row->r.worker = mem_text(m, c->run->worker);
    row->r.token = c->run->token;
    row->r.attempt = c->run->attempt;
    event_add_run(m, &row->r);
}

void dead_letter_put(struct mem *m, const struct dead_letter *d)
{
    struct dead_letter *row = map_get(&m->dlq, d->id);
    bool fresh = !row;
    if (fresh)
        row = mem_take(m, 1, sizeof *row);
    *row = *d;
    struct str *texts[] = {&row->job_name, &row->reason,      &row->error_class, &row->definition,
                           &row->inputs,   &row->resolved_by, &row->resolution, &row->replay_definition};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        *texts[i] = mem_text(m, *texts[i]);
    if (fresh) {
        (void)map_put(&m->dlq, d->id, row);
        row_list_add(&m->dlq_by_id, row);
    }
}

static void finish_write(struct mem *m, struct run_row *row, const struct run *r)
{
    int from = row->r.status;
    must(m->weak.no_token || run_may_move(from, r->status));
    row->r.status = r->status;
    if (!instant_is_never(r->start))
        row->r.start = r->start;
    row->r.end = r->end;
    row->r.exit_code = r->exit_code;
    row->r.error_class = mem_text(m, r->error_class);
    row->r.error_message = mem_text(m, r->error_message);
    row->r.job_version = r->job_version;
    run_status_changed(m, row, from);
}

static void starts_put(struct mem *m, struct finish *f)
{
    for (size_t i = 0; i < f->n_starts; i++) {
        struct job_row *j = job_live(m, f->starts[i].job_id);
        if (!j || m->weak.no_starts || run_taken(m, f->starts[i].id))
            continue;
        run_chain(m, j, &f->starts[i]);
        f->ret_started |= 1u << i;
    }
}

static void finish_decide(struct mem *m, struct finish *f)
{
    struct run_row *row = map_get(&m->runs, f->run->id);
    int from = f->run->token ? RUN_RUNNING : RUN_QUEUED; // token 0 is nobody's: such a run waits
    bool owned = row && row->r.status == from && row->r.token == f->run->token;
    f->ret_recorded = row && (m->weak.no_token || owned);
    f->ret_started = 0;
    if (!f->ret_recorded)
        return;
    finish_write(m, row, f->run);
    event_add_run(m, &row->r);
    struct job_row *j = job_live(m, row->r.job_id);
    if (f->retry && j && !run_taken(m, f->retry->id))
        run_chain(m, j, f->retry);
    if (f->dead)
        dead_letter_put(m, f->dead);
    starts_put(m, f);
    if (j && !instant_is_never(f->plan_next) && instant_is_never(j->plan.next_fire) &&
        j->plan.schedule.kind == SCHEDULE_INTERVAL && j->plan.schedule.anchor == ANCHOR_END)
        j->plan.next_fire = f->plan_next;
}

static bool log_known(const struct run_row *row, int64_t id)
{
    for (size_t i = row->n_logs; i > 0 && row->logs[i - 1].id >= id; i--)
        if (row->logs[i - 1].id == id)
            return true;
    return false;
}

static void log_append(struct mem *m, const struct log_line *l)
{
    struct run_row *row = map_get(&m->runs, l->run_id);
    if (!row || log_known(row, l->id))
        return;
    if (row->n_logs == row->cap_logs) {
        size_t cap = row->cap_logs ? 2 * row->cap_logs : LOGS_FIRST;
        struct log_line *v = mem_take(m, cap, sizeof *v);
        if (row->n_logs)
            memcpy(v, row->logs, row->n_logs * sizeof *v);
        row->logs = v;
        row->cap_logs = cap;
    }
    size_t at = row->n_logs++;
    for (; at > 0 && row->logs[at - 1].id > l->id; at--)
        row->logs[at] = row->logs[at - 1];
    row->logs[at] = *l;
    row->logs[at].message = mem_text(m, l->message);
    row->logs[at].context = mem_text(m, l->context);
}

// A caller that gets an error must not learn from the flags what a lost connection would not have told.
static void flags_clear(struct flush *f)
{
    for (size_t i = 0; i < f->n_fires; i++)
        f->fires[i].ret_won = f->fires[i].ret_exists = false;
    for (size_t i = 0; i < f->n_claims; i++)
        f->claims[i].ret_won = false;
    for (size_t i = 0; i < f->n_finishes; i++) {
        f->finishes[i].ret_recorded = false;
        f->finishes[i].ret_started = 0;
    }
}

static bool flush_decide(struct mem *m, struct flush *f, struct err *err)
{
    if (f->node_token && !m->weak.no_lease && !node_leased(m, f->node_token))
        return node_gone(err);
    for (size_t i = 0; i < f->n_fires; i++)
        fire_decide(m, &f->fires[i]);
    for (size_t i = 0; i < f->n_claims; i++)
        claim_decide(m, &f->claims[i]);
    for (size_t i = 0; i < f->n_finishes; i++)
        finish_decide(m, &f->finishes[i]);
    notices_of_flush(m, f);
    for (size_t i = 0; i < f->n_logs; i++)
        log_append(m, &f->logs[i]);
    for (size_t i = 0; i < f->n_changes; i++)
        change_add(m, f->changes[i].kind, f->changes[i].subject, f->node_token);
    return true;
}

bool mem_flush(struct store *s, struct flush *f, struct err *err)
{
    struct mem_call c;
    if (call_begin(&c, s, "flush", true, err) && call_end(&c, flush_decide(c.m, f, err), err))
        return true;
    flags_clear(f);
    return false;
}
