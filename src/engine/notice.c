// SPDX-License-Identifier: Apache-2.0
// Notices of fires, claims and finishes.
#include "engine/notice.h"

#include "base/mem.h"
#include "engine/closing.h"

void interests_release(struct interests *in) { map_release(&in->by_job); }

void interest_order_release(struct interest_order *o)
{
    mem_free(o->v);
    *o = (struct interest_order){.given = false};
}

void engine_take_interest(struct engine *e, uint32_t all, const struct interest *v, size_t n)
{
    struct interest *own = mem_array(n + 1, sizeof *own);
    if (n > 0)
        memcpy(own, v, n * sizeof *own);
    WITH_LOCK(&e->inbox.lock);
    interest_order_release(&e->inbox.interest);
    e->inbox.interest = (struct interest_order){.given = true, .all = all, .v = own, .n = n};
}

void interests_apply(struct engine *e)
{
    struct interest_order o;
    {
        WITH_LOCK(&e->inbox.lock);
        o = e->inbox.interest;
        e->inbox.interest = (struct interest_order){.given = false};
    }
    if (!o.given)
        return;
    map_release(&e->interests.by_job);
    map_init(&e->interests.by_job);
    e->interests.all = o.all;
    for (size_t i = 0; i < o.n; i++)
        if (o.v[i].events) {
            uintptr_t events = (uintptr_t)map_get(&e->interests.by_job, o.v[i].job_id) | o.v[i].events;
            (void)map_put(&e->interests.by_job, o.v[i].job_id, (void *)events);
        }
    interest_order_release(&o);
}

static uint32_t wanted(const struct engine *e, struct ulid job_id)
{
    if (e->interests.by_job.n == 0)
        return e->interests.all;
    return e->interests.all | (uint32_t)(uintptr_t)map_get(&e->interests.by_job, job_id);
}

static bool is_wanted(uint32_t events, int event) { return (events & notice_bit(event)) != 0; }

static struct notice notice_of_run(int event, const struct run *r, struct instant at)
{
    struct notice n = {.event = event, .at = at, .job_id = r->job_id, .run_id = r->id,
                       .error_class = r->error_class, .message = r->error_message};
    n.message.n = str_utf8_cut(n.message, NOTICE_MESSAGE_MAX);
    return n;
}

void notice_of_fire(struct engine *e, const struct fire *f)
{
    uint32_t events = wanted(e, f->job_id);
    if (!(events & (notice_bit(NOTICE_STARTED) | notice_bit(NOTICE_MISSED))))
        return;
    size_t at = (size_t)(f - e->batch.flush.fires);
    for (size_t i = 0; i < f->n_runs; i++) {
        const struct run *r = &f->runs[i];
        struct notice n;
        if (r->status == RUN_RUNNING && is_wanted(events, NOTICE_STARTED))
            n = notice_of_run(NOTICE_STARTED, r, r->start);
        else if (r->status == RUN_MISSED && is_wanted(events, NOTICE_MISSED))
            n = notice_of_run(NOTICE_MISSED, r, r->end);
        else
            continue;
        batch_notice(&e->batch, PART_FIRE, at, &n);
    }
}

void notice_of_claim(struct engine *e, const struct claim *c)
{
    const struct run *r = c->run;
    if (r->attempt != 1 || !is_wanted(wanted(e, r->job_id), NOTICE_STARTED))
        return;
    struct notice n = notice_of_run(NOTICE_STARTED, r, r->start);
    batch_notice(&e->batch, PART_CLAIM, (size_t)(c - e->batch.flush.claims), &n);
}

// The last attempt failed, a success that may be a recovery, or a success that somebody counts; −1: nothing to tell.
static int event_of_end(uint32_t events, const struct run *r, const struct closing *c, enum outcome last)
{
    if (c->then == CLOSE_DEAD)
        return events & (notice_bit(NOTICE_FAILED) | notice_bit(NOTICE_DEAD)) ? NOTICE_DEAD : -1;
    if (r->status != RUN_SUCCEEDED)
        return -1;
    if (is_wanted(events, NOTICE_SUCCEEDED))
        return NOTICE_SUCCEEDED;
    return last != OUTCOME_GOOD && is_wanted(events, NOTICE_RECOVERED) ? NOTICE_RECOVERED : -1;
}

void notice_of_finish(struct engine *e, const struct finish *f, struct entry *p, const struct closing *c)
{
    const struct run *r = f->run;
    int event = event_of_end(wanted(e, p->job_id), r, c, p->outcome);
    if (event >= 0) {
        struct batch *b = e->ends.batch;
        struct notice n = notice_of_run(event, r, r->end);
        batch_notice(b, PART_FINISH, (size_t)(f - b->flush.finishes), &n);
    }
    if (p->foreign)
        p->outcome = OUTCOME_UNKNOWN; // others see what comes in between
    else if (c->then == CLOSE_DEAD)
        p->outcome = OUTCOME_BAD;
    else if (r->status == RUN_SUCCEEDED)
        p->outcome = OUTCOME_GOOD;
}
