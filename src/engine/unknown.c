// SPDX-License-Identifier: Apache-2.0
// A flush whose commit nobody knows of: neither success nor failure. Every row is read again and compared by token
// before anything is done about it. The batch waits, whole, until the store can answer.
#include "engine/core.h"

// The row as it is now; *ret_found says whether there is one.
static bool look(struct engine *e, struct batch *b, struct ulid id, struct run *ret, bool *ret_found,
                 struct err *err)
{
    struct err why = {0};
    bool found = e->store->ops->run_get(e->store, id, ret, &b->arena, &why);
    if (!found && why.code != ERR_NOT_FOUND) {
        *err = why;
        return false;
    }
    *ret_found = found;
    return true;
}

static bool held(const struct run *row, int64_t token)
{
    return row->status == RUN_RUNNING && row->token == token;
}

// The row says what we wanted to write, and it was us: others decide at other instants.
static bool ended_by(const struct run *row, const struct run *wanted)
{
    return row->status == wanted->status && row->token == wanted->token && row->end.us == wanted->end.us;
}

// The row that tells whether a fire was written: its rows are written together, but one that waits may stand there
// since the plan was set back and proves nothing.
static const struct run *fire_witness(const struct fire *f)
{
    const struct run *witness = NULL;
    for (size_t i = 0; i < f->n_runs; i++) {
        if (f->runs[i].status == RUN_RUNNING)
            return &f->runs[i];
        if (f->runs[i].status != RUN_QUEUED)
            witness = &f->runs[i];
    }
    return witness;
}

// A fire without a witness stays "not won": its plan and the runs that may wait are read again, which tells all there
// is to know.
static bool fire_resolve(struct engine *e, struct batch *b, struct fire *f, struct err *err)
{
    const struct run *witness = fire_witness(f);
    struct run row;
    bool found = false;
    if (witness && !look(e, b, witness->id, &row, &found, err))
        return false;
    f->ret_won = f->ret_exists = false;
    if (found)
        f->ret_won = witness->status == RUN_RUNNING ? held(&row, e->token) : ended_by(&row, witness);
    for (size_t i = 0; i < f->n_runs && !witness; i++)
        ids_add(&e->todo.runs, &f->runs[i].id, 1);
    return true;
}

static bool claim_resolve(struct engine *e, struct batch *b, struct claim *c, struct err *err)
{
    struct run row;
    bool found;
    if (!look(e, b, c->run->id, &row, &found, err))
        return false;
    c->ret_won = found && held(&row, e->token);
    return true;
}

// Not written: the result is kept for the next flush.
static bool finish_resolve(struct engine *e, struct batch *b, struct finish *f, struct task **t, struct err *err)
{
    struct run row;
    bool found;
    if (!*t)
        return true; // seen before the store failed again
    if (!look(e, b, f->run->id, &row, &found, err))
        return false;
    bool open = found && row.token == f->run->token && !run_status_final(row.status);
    if (open) {
        (*t)->entry->outcome = OUTCOME_UNKNOWN;
        task_queue_push(&e->ended, TAKE(*t));
    }
    f->ret_recorded = found && !open && ended_by(&row, f->run);
    f->ret_started = UINT32_MAX; // a run that is not there shows when it is claimed
    return true;
}

static bool resolve(struct engine *e, struct batch *b, struct err *err)
{
    for (size_t i = 0; i < b->flush.n_fires; i++)
        if (!fire_resolve(e, b, &b->flush.fires[i], err))
            return false;
    for (size_t i = 0; i < b->flush.n_claims; i++)
        if (!claim_resolve(e, b, &b->flush.claims[i], err))
            return false;
    for (size_t i = 0; i < b->flush.n_finishes; i++)
        if (!finish_resolve(e, b, &b->flush.finishes[i], &b->finished[i], err))
            return false;
    return true;
}

bool unknown_resolve(struct engine *e, struct batch *b)
{
    struct err err = {0};
    if (!resolve(e, b, &err)) {
        store_failed(e, "find out what became of a batch", &err);
        return false;
    }
    store_worked(e);
    b->flush.n_logs = 0; // sent again: a line the store has already is ignored
    flush_act(e, b);
    return true;
}
