// SPDX-License-Identifier: Apache-2.0
// A flush whose commit nobody knows of: neither success nor failure. Every row is read again and compared by token
// before anything is done about it. The batch waits, whole, until the store can answer.
#include "engine/core.h"

enum seen { SEEN_NOT, SEEN_OURS, SEEN_WAITING, SEEN_OTHER };

// What became of a run. SEEN_OURS: RUNNING with our token.
static bool look(struct engine *e, struct ulid id, int64_t token, enum seen *ret, struct err *err)
{
    struct run r;
    struct err why = {0};
    if (!e->store->ops->run_get(e->store, id, &r, &e->batch.arena, &why)) {
        if (why.code != ERR_NOT_FOUND) {
            *err = why;
            return false;
        }
        *ret = SEEN_NOT;
        return true;
    }
    if (r.status == RUN_QUEUED)
        *ret = SEEN_WAITING;
    else
        *ret = r.status == RUN_RUNNING && r.token == token ? SEEN_OURS : SEEN_OTHER;
    return true;
}

// A fire without runs stays "not won": its plan is read again, which tells all there is to know.
static bool fire_resolve(struct engine *e, struct fire *f, struct err *err)
{
    enum seen seen = SEEN_NOT;
    if (f->n_runs > 0 && !look(e, f->runs[0].id, e->token, &seen, err))
        return false;
    bool ours = f->n_runs > 0 && f->runs[0].status == RUN_RUNNING;
    f->ret_exists = false;
    f->ret_won = ours ? seen == SEEN_OURS : seen != SEEN_NOT;
    return true;
}

static bool claim_resolve(struct engine *e, struct claim *c, struct err *err)
{
    enum seen seen;
    if (!look(e, c->run->id, e->token, &seen, err))
        return false;
    c->ret_won = seen == SEEN_OURS;
    return true;
}

// Not written: the result is kept for the next flush.
static bool finish_resolve(struct engine *e, struct finish *f, struct task **t, struct err *err)
{
    enum seen seen, next = SEEN_OTHER;
    if (!*t)
        return true;
    if (!look(e, f->run->id, f->run->token, &seen, err) || (f->retry && !look(e, f->retry->id, 0, &next, err)))
        return false;
    bool written = f->run->token != 0 ? seen != SEEN_OURS : seen != SEEN_WAITING;
    if (!written)
        task_queue_push(&e->ended, TAKE(*t));
    f->ret_recorded = written && next != SEEN_NOT;
    return true;
}

static bool resolve(struct engine *e, struct err *err)
{
    struct batch *b = &e->batch;
    for (size_t i = 0; i < b->flush.n_fires; i++)
        if (!fire_resolve(e, &b->flush.fires[i], err))
            return false;
    for (size_t i = 0; i < b->flush.n_claims; i++)
        if (!claim_resolve(e, &b->flush.claims[i], err))
            return false;
    for (size_t i = 0; i < b->flush.n_finishes; i++)
        if (!finish_resolve(e, &b->flush.finishes[i], &b->finished[i], err))
            return false;
    return true;
}

void unknown_resolve(struct engine *e)
{
    struct err err = {0};
    if (!resolve(e, &err)) {
        store_failed(e, "find out what became of a batch", &err);
        return;
    }
    store_worked(e);
    e->batch_state = BATCH_IDLE;
    e->batch.flush.n_logs = 0; // sent again: a line the store has already is ignored
    flush_act(e);
}
