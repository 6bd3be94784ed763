// SPDX-License-Identifier: Apache-2.0
// The started run takes the instant of the occurrence that caused it, and a key made of its job and that run:
// whoever records the end a second time finds it there.
#include "engine/chain.h"

#include "base/log.h"
#include "model/chain.h"

static struct run start_row(const struct engine *e, const struct task *t, const struct run *cause,
                            struct ulid job, struct str inputs)
{
    const struct entry *p = entries_find(&e->entries, job);
    struct ulid key = chain_run_key(job, cause);
    return (struct run){
        .id = run_id_of(job, cause->scheduled, key, 1),
        .job_id = job,
        .job_version = p ? p->version : 1,
        .scheduled = cause->scheduled,
        .first_scheduled = cause->scheduled,
        .occurrences = 1,
        .due = cause->end,
        .start = INSTANT_NEVER,
        .end = INSTANT_NEVER,
        .attempt = 1,
        .status = RUN_QUEUED,
        .trigger = TRIGGER_CHAIN,
        .priority = p ? p->priority : t->priority,
        .exit_code = FIELD_ABSENT,
        .inputs = inputs,
        .run_key = key,
    };
}

static bool links_read(const struct task *t, struct str text, struct chain *ret, struct arena *a)
{
    struct faults *faults = arena_new(a, struct faults);
    if (!faults)
        return false;
    faults_init(faults, a);
    if (!chain_read(text, STR(""), ret, a, faults)) {
        LOG_WARN("list of jobs to start cannot be read, none is started", LOG_ID("job", t->entry->job_id),
                 LOG_STR("why", faults->v[0].detail));
        ret->n = 0;
    }
    return !a->exhausted;
}

bool chain_make(struct engine *e, const struct task *t, const struct run *row, const struct closing *c,
                struct run **ret, size_t *ret_n)
{
    struct arena *a = &e->ends.batch->arena;
    struct chain links;
    if (c->chain.n == 0)
        return true;
    if (!links_read(t, c->chain, &links, a))
        return false;
    struct chain_cause cause = {.run = row,
                                .job_name = c->job_name,
                                .output = str_trim(t->result.output),
                                .inputs = t->attempt_ref && !t->given_up ? t->attempt_ref->inputs : t->inputs,
                                .depth = chain_depth(t->inputs) + 1};
    if (cause.depth > CHAIN_DEPTH_MAX) {
        LOG_WARN("too many runs caused each other, no further one is started", LOG_ID("job", row->job_id),
                 LOG_ID("run", row->id), LOG_INT("most", CHAIN_DEPTH_MAX));
        return true;
    }
    struct run *starts = arena_new_array(a, struct run, links.n);
    if (!starts && links.n > 0)
        return false;
    for (size_t i = 0; i < links.n; i++) {
        struct str inputs = chain_inputs(&links.v[i], &cause, a);
        if (!inputs.p)
            return false;
        starts[i] = start_row(e, t, row, links.v[i].job, inputs);
    }
    *ret = starts;
    *ret_n = links.n;
    return true;
}

static void start_take(struct engine *e, const struct run *r, struct moment now)
{
    struct entry *p = entries_find(&e->entries, r->job_id);
    engine_report_run(e, r->id, r->job_id, RUN_QUEUED);
    if (!slots_has(&e->entries.slots, slot_of(r->job_id)) || tasks_find(&e->tasks, r->id))
        return; // another node was told, or a poke was faster
    if (!p || p->foreign || p->gone) {
        ids_add(&e->todo.runs, &r->id, 1);
        return;
    }
    e->queued++;
    task_enqueue(e, task_new(&e->tasks, p, r), now);
}

void chain_act(struct engine *e, const struct finish *f, struct moment now)
{
    for (size_t i = 0; i < f->n_starts; i++)
        if (f->ret_started & 1u << i)
            start_take(e, &f->starts[i], now);
        else
            LOG_WARN("job that a run was to start was deleted, it is left out", LOG_ID("run", f->run->id),
                     LOG_ID("job", f->starts[i].job_id));
}
