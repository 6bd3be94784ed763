// SPDX-License-Identifier: Apache-2.0
// A list of subscribers under one lock. Publishing costs a walk of the list: there are at most as many as open
// event streams, and none at all on most servers, which the counter tells without the lock.
#include "app/topic.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/rng.h"
#include "model/run.h"

enum { TOLD_MAX = 4096, LOCAL_LOOK_ROUNDS = 20 };

struct subscriber {
    struct subscriber *next, **prev;
    struct ulid run_id; // zero: all runs
    void (*wake)(void *ctx);
    void *ctx;
    int64_t at; // of all runs: the last change it took
    bool missed;
    bool local;      // its run was heard of from our own engine
    int64_t looked;  // round in which it was woken last to look for itself
};

// What was told of a run last, so that what is found by looking is told once.
struct told {
    struct ulid run_id;
    int status;
    bool found; // by looking, not by our own engine
};

struct topic {
    struct mutex lock;
    struct subscriber *first; // under lock, as everything in a subscriber
    _Atomic int64_t count;    // subscribers; read without the lock as a hint
    _Atomic int64_t listeners; // of them, those of all runs
    uint64_t epoch;            // constant
    _Atomic bool followed;     // somebody has followed all runs
    int64_t seq;               // under lock: of the newest change
    int64_t whole_from;        // under lock: changes behind this one are complete
    struct run_change v[TOPIC_CHANGES_MAX]; // under lock: the newest ones, by seq
    int64_t round;             // under lock
    struct told told[TOLD_MAX]; // under lock
};

struct topic *topic_new(void)
{
    struct topic *t = mem_new(struct topic);
    struct rng rng;
    rng_init_random(&rng);
    t->epoch = rng_u64(&rng);
    mutex_init(&t->lock, LOCK_TOPIC);
    return t;
}

void topic_free(struct topic *t)
{
    if (!t)
        return;
    must(t->first == NULL);
    mutex_release(&t->lock);
    mem_free(t);
}

struct subscriber *topic_join(struct topic *t, struct ulid run_id, void (*wake)(void *ctx), void *ctx)
{
    WITH_LOCK(&t->lock);
    if (t->count >= TOPIC_SUBSCRIBERS_MAX)
        return NULL;
    struct subscriber *s = mem_new(struct subscriber);
    *s = (struct subscriber){
        .next = t->first, .prev = &t->first, .run_id = run_id, .wake = wake, .ctx = ctx, .looked = t->round - 1,
        .at = t->seq};
    if (s->next)
        s->next->prev = &s->next;
    t->first = s;
    t->count++;
    t->listeners += ulid_is_zero(run_id);
    if (ulid_is_zero(run_id) && !atomic_load(&t->followed)) {
        t->whole_from = t->seq;
        atomic_store(&t->followed, true);
    }
    return s;
}

void topic_leave(struct topic *t, struct subscriber *s)
{
    if (!s)
        return;
    WITH_LOCK(&t->lock);
    *s->prev = s->next;
    if (s->next)
        s->next->prev = s->prev;
    t->count--;
    t->listeners -= ulid_is_zero(s->run_id);
    mem_free(s);
}

uint64_t topic_epoch(const struct topic *t) { return t->epoch; }

void topic_resume(struct topic *t, struct subscriber *s, int64_t after)
{
    WITH_LOCK(&t->lock);
    if (after < t->whole_from || after > t->seq)
        s->missed = true;
    else
        s->at = after;
}

size_t topic_take(struct topic *t, struct subscriber *s, struct run_change *v, size_t max, bool *ret_missed)
{
    WITH_LOCK(&t->lock);
    size_t n = 0;
    if (t->seq - s->at > TOPIC_CHANGES_MAX) {
        s->at = t->seq - TOPIC_CHANGES_MAX;
        s->missed = true;
    }
    while (n < max && s->at < t->seq)
        v[n++] = t->v[++s->at % TOPIC_CHANGES_MAX];
    *ret_missed = s->missed;
    s->missed = false;
    return n;
}

// With topic.lock held.
static void tell(struct topic *t, struct ulid run_id, struct ulid job_id, int status, bool local)
{
    t->seq++;
    t->v[t->seq % TOPIC_CHANGES_MAX] =
        (struct run_change){.seq = t->seq, .run_id = run_id, .job_id = job_id, .status = status};
    for (struct subscriber *s = t->first; s; s = s->next) {
        bool all = ulid_is_zero(s->run_id);
        if (!all && !ulid_eq(s->run_id, run_id))
            continue;
        s->local = s->local || local;
        s->wake(s->ctx);
    }
}

static struct told *told_of(struct topic *t, struct ulid run_id)
{
    uint64_t random; // ids end with it
    memcpy(&random, run_id.b + sizeof run_id.b - sizeof random, sizeof random);
    return &t->told[random % TOLD_MAX];
}

static int stage(int status) { return run_status_final(status) ? RUN_RUNNING + 1 : status; }

// Whether this or something later was told of the run.
static bool overtaken(const struct told *told, struct ulid run_id, int status)
{
    return ulid_eq(told->run_id, run_id) && stage(told->status) >= stage(status);
}

// Whether anybody follows, or may come back to go on.
static bool is_heard(struct topic *t)
{
    return atomic_load_explicit(&t->count, memory_order_seq_cst) > 0 || atomic_load(&t->followed);
}

void topic_run_changed(struct topic *t, struct ulid run_id, struct ulid job_id, int status)
{
    if (!is_heard(t))
        return;
    WITH_LOCK(&t->lock);
    struct told *told = told_of(t, run_id);
    if (told->found && overtaken(told, run_id, status))
        return; // what was looked at was faster
    *told = (struct told){.run_id = run_id, .status = status};
    tell(t, run_id, job_id, status, status == RUN_RUNNING);
}

void topic_run_found(struct topic *t, struct ulid run_id, struct ulid job_id, int status)
{
    WITH_LOCK(&t->lock);
    struct told *told = told_of(t, run_id);
    if (overtaken(told, run_id, status))
        return;
    *told = (struct told){.run_id = run_id, .status = status, .found = true};
    tell(t, run_id, job_id, status, false);
}

void topic_job_changed(struct topic *t, struct ulid job_id)
{
    if (!is_heard(t))
        return;
    WITH_LOCK(&t->lock);
    tell(t, ULID_ZERO, job_id, 0, true);
}

void topic_unwatched(struct topic *t)
{
    WITH_LOCK(&t->lock);
    t->whole_from = t->seq + 1;
}

bool topic_listened(struct topic *t) { return atomic_load(&t->listeners) > 0; }

void topic_look(struct topic *t, size_t max)
{
    if (atomic_load(&t->count) == 0)
        return;
    WITH_LOCK(&t->lock);
    size_t woken = 0;
    for (struct subscriber *s = t->first; s; s = s->next) {
        bool rarely = s->local && t->round % LOCAL_LOOK_ROUNDS != 0;
        if (ulid_is_zero(s->run_id) || s->looked == t->round || rarely)
            continue;
        if (woken++ == max)
            return; // the others are first next time
        s->looked = t->round;
        s->wake(s->ctx);
    }
    t->round++;
}

void topic_logs_added(struct topic *t, struct ulid run_id)
{
    if (atomic_load_explicit(&t->count, memory_order_seq_cst) == 0)
        return;
    WITH_LOCK(&t->lock);
    for (struct subscriber *s = t->first; s; s = s->next)
        if (ulid_eq(s->run_id, run_id)) {
            s->local = true;
            s->wake(s->ctx);
        }
}

void topic_missed(struct topic *t)
{
    WITH_LOCK(&t->lock);
    t->whole_from = t->seq;
    for (struct subscriber *s = t->first; s; s = s->next)
        if (ulid_is_zero(s->run_id)) {
            s->missed = true;
            s->wake(s->ctx);
        }
}
