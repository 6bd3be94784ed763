// SPDX-License-Identifier: Apache-2.0
// Runs known to the engine.
#include "engine/task.h"

#include "base/mem.h"
#include "engine/log_tail.h"

void tasks_init(struct tasks *ts)
{
    map_init(&ts->by_id);
    slab_init(&ts->slab, sizeof(struct task));
    slab_init(&ts->attempts, sizeof(struct attempt));
}

static void task_release(struct tasks *ts, struct task *t)
{
    task_attempt_give(ts, t);
    mem_free((void *)(uintptr_t)t->inputs.p);
}

void tasks_release(struct tasks *ts)
{
    void *t = NULL;
    for (size_t i = 0; (i = map_next(&ts->by_id, i, &t)) != 0;)
        task_release(ts, t);
    map_release(&ts->by_id);
    slab_release(&ts->slab);
    slab_release(&ts->attempts);
}

struct task *tasks_find(const struct tasks *ts, struct ulid run_id)
{
    return map_get(&ts->by_id, run_id);
}

static struct str copy_text(struct str s)
{
    if (!s.p)
        return STR_NONE;
    char *p = mem_array(1, s.n + 1);
    memcpy(p, s.p, s.n);
    return str_of_n(p, s.n);
}

struct task *task_new(struct tasks *ts, struct entry *e, const struct run *r)
{
    struct task *t = slab_take(&ts->slab);
    node_init(&t->node, NODE_TASK);
    t->node.order = node_order(r->id);
    t->entry = e;
    t->id = r->id;
    t->run_key = r->run_key;
    t->scheduled = r->scheduled;
    t->due = r->due;
    t->start = r->start;
    t->end = INSTANT_NEVER;
    t->attempt = r->attempt;
    t->lost_count = r->lost_count;
    t->job_version = r->job_version;
    t->token = r->token;
    t->inputs = copy_text(r->inputs);
    t->cancel_why = -1;
    t->state = TASK_QUEUED;
    t->trigger = (uint8_t)r->trigger;
    t->priority = (uint8_t)r->priority;
    t->next = e->tasks;
    if (t->next)
        t->next->prev = t;
    e->tasks = t;
    must(map_put(&ts->by_id, t->id, t) == NULL);
    return t;
}

void task_free(struct tasks *ts, struct task *t)
{
    must(t->node.list == AGENDA_NONE);
    if (t->prev)
        t->prev->next = t->next;
    else
        t->entry->tasks = t->next;
    if (t->next)
        t->next->prev = t->prev;
    (void)map_remove(&ts->by_id, t->id);
    task_release(ts, t);
    slab_give(&ts->slab, t);
}

void task_attempt_take(struct tasks *ts, struct task *t)
{
    struct attempt *a = slab_take(&ts->attempts);
    arena_init(&a->arena, ATTEMPT_ARENA_BUDGET);
    atomic_init(&a->cancel, -1);
    a->engine_data = t;
    t->attempt_ref = a;
}

void task_attempt_give(struct tasks *ts, struct task *t)
{
    if (!t->attempt_ref)
        return;
    arena_release(&t->attempt_ref->arena);
    slab_give(&ts->attempts, TAKE(t->attempt_ref));
    log_tail_release(&t->tail);
}

void task_queue_push(struct task_queue *q, struct task *t)
{
    t->queued_behind[q->link] = NULL;
    if (q->tail)
        q->tail->queued_behind[q->link] = t;
    else
        q->head = t;
    q->tail = t;
    q->n++;
}

struct task *task_queue_pop(struct task_queue *q)
{
    struct task *t = q->head;
    if (!t)
        return NULL;
    q->head = t->queued_behind[q->link];
    if (!q->head)
        q->tail = NULL;
    q->n--;
    return t;
}

void task_queue_join(struct task_queue *q, struct task_queue *from)
{
    must(q->link == from->link);
    if (!from->head)
        return;
    if (q->tail)
        q->tail->queued_behind[q->link] = from->head;
    else
        q->head = from->head;
    q->tail = from->tail;
    q->n += from->n;
    *from = task_queue_of(from->link);
}
