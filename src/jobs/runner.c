// SPDX-License-Identifier: Apache-2.0
// Runner threads. Each has a lane: the attempts handed to it, and the table of all its attempts by run id.
//
// The lane's lock is held for moments only, never while a type, the sink or a loop is called.
// executor_state says how far an attempt is: a cancel that comes before STARTED is seen by the runner
// thread itself; one that comes later goes to the attempt's loop, where PINNED keeps the attempt until
// type->cancel has returned.
#include "jobs/runner.h"

#include "base/map.h"
#include "base/mem.h"
#include "base/sync.h"
#include "jobs/breakers.h"
#include "jobs/definitions.h"
#include "jobs/span_sink.h"
#include "net/loop.h"

enum { STARTED = 1, PINNED = 2, ENDED = 4, PENDING_FIRST = 256 };

struct batch {
    struct attempt **v;
    size_t n, cap;
};

struct lane {
    struct runner *runner;
    struct mutex lock;
    struct cond work, empty;
    struct batch pending; // under lock
    struct map table;     // under lock
    bool closing;         // under lock
    struct batch taken;   // the thread's own, as is the next
    struct definitions *definitions;
    pthread_t thread;
};

struct runner {
    struct executor executor; // first
    struct job_env *env;
    struct lane *lanes;
    size_t n;
};

static struct lane *lane_of(struct runner *r, struct ulid run_id)
{
    enum { SPREAD_BYTE = 14 }; // of a hash, and not the byte that chooses the loop
    return &r->lanes[run_id.b[SPREAD_BYTE] % r->n];
}

static void batch_add(struct batch *b, struct attempt *a)
{
    if (b->n == b->cap) {
        b->cap = b->cap ? b->cap * 2 : PENDING_FIRST;
        b->v = mem_resize(b->v, b->cap, sizeof b->v[0]);
    }
    b->v[b->n++] = a;
}

// ---- the end of an attempt ----

// Under the lock: takes it out of the table.
static void table_remove(struct lane *l, struct attempt *a)
{
    must(map_remove(&l->table, a->run_id) == a);
    if (l->closing && l->table.n == 0)
        cond_broadcast(&l->empty);
}

// Nothing of the attempt's secrets stays in its result or here.
static void hand_over(struct attempt *a)
{
    attempt_unmask(a);
    if (a->env && a->env->spans)
        a->env->spans->ended(a->env->spans, a);
    a->sink->done(a->sink, a);
}

void attempt_end(struct attempt *a)
{
    breakers_judge(a);
    if (a->env && a->env->runner) {
        struct lane *l = lane_of(a->env->runner, a->run_id);
        WITH_LOCK(&l->lock);
        a->executor_state |= ENDED;
        if (a->executor_state & PINNED)
            return; // handed over by whoever pinned it
        table_remove(l, a);
    }
    hand_over(a);
}

// ---- cancelling ----

struct cancel_note {
    struct lane *lane;
    struct ulid run_id;
};

static struct attempt *pin(struct lane *l, struct ulid run_id)
{
    WITH_LOCK(&l->lock);
    struct attempt *a = map_get(&l->table, run_id);
    if (!a || (a->executor_state & (PINNED | ENDED)))
        return NULL;
    a->executor_state |= PINNED;
    return a;
}

static void unpin(struct lane *l, struct attempt *a)
{
    {
        WITH_LOCK(&l->lock);
        a->executor_state &= ~PINNED;
        if (!(a->executor_state & ENDED))
            return;
        table_remove(l, a);
    }
    hand_over(a);
}

static void cancel_started(struct lane *l, struct ulid run_id)
{
    struct attempt *a = pin(l, run_id);
    if (!a)
        return;
    if (a->type->cancel)
        a->type->cancel(a, (enum cancel_why)attempt_cancel_asked(a));
    unpin(l, a);
}

static void on_cancel_note(void *arg, uint64_t n)
{
    struct cancel_note *note = arg;
    (void)n;
    cancel_started(note->lane, note->run_id);
    mem_free(note);
}

static void cancel_post(struct lane *l, struct ulid run_id)
{
    const struct job_env *env = l->runner->env;
    enum { SPREAD_BYTE = 15 };
    if (env->loop_count == 0) {
        cancel_started(l, run_id);
        return;
    }
    struct cancel_note *note = mem_new(struct cancel_note);
    *note = (struct cancel_note){l, run_id};
    // Not taken only by a loop that drowns in messages: the attempt then ends by itself or by its next
    // cancel.
    if (!loop_post(env->loops[run_id.b[SPREAD_BYTE] % env->loop_count], on_cancel_note, note, 0))
        mem_free(note);
}

static void runner_cancel(struct executor *x, struct ulid run_id, enum cancel_why why)
{
    struct lane *l = lane_of((struct runner *)x, run_id);
    bool started;
    {
        WITH_LOCK(&l->lock);
        struct attempt *a = map_get(&l->table, run_id);
        if (!a || attempt_cancel_asked(a) >= 0)
            return;
        atomic_store(&a->cancel, (int)why);
        started = a->executor_state & STARTED;
    }
    if (started)
        cancel_post(l, run_id);
}

// ---- starting ----

static void runner_start(struct executor *x, struct attempt **v, size_t n)
{
    struct runner *r = (struct runner *)x;
    for (size_t i = 0; i < n; i++) {
        v[i]->env = r->env;
        v[i]->executor_state = 0;
        v[i]->targets = NULL;
        v[i]->mask = NULL;
        v[i]->secret_missing = false;
        v[i]->result = (struct attempt_result){.exit_code = FIELD_ABSENT};
        atomic_store(&v[i]->cancel, -1);
    }
    for (size_t k = 0; k < r->n; k++) { // one lock per lane and batch
        struct lane *l = &r->lanes[k];
        WITH_LOCK(&l->lock);
        bool was_empty = l->pending.n == 0;
        for (size_t i = 0; i < n; i++) {
            if (lane_of(r, v[i]->run_id) != l)
                continue;
            batch_add(&l->pending, v[i]);
            must(map_put(&l->table, v[i]->run_id, v[i]) == NULL);
        }
        if (was_empty && l->pending.n > 0)
            cond_signal(&l->work);
    }
}

static void attempt_begin(struct lane *l, struct attempt *a)
{
    struct str definition;
    struct err err;
    int why = attempt_cancel_asked(a);
    if (why >= 0) {
        attempt_cancelled(a, (enum cancel_why)why);
        return;
    }
    if (!a->sink->load(a->sink, a, &definition, &a->job_version, &err)) {
        attempt_fail(a, "LOAD_ERROR", "the job cannot be loaded: %s", err.text);
        return;
    }
    if (!definition_load(l->definitions, a, definition, &err)) {
        attempt_fail(a, "DEFINITION_ERROR", "%s", err.text);
        return;
    }
    a->started = clock_now(a->clock);
    a->type->start(a);
}

// Marks as started what has not ended at once; cancels that came in between are passed on now.
static void batch_started(struct lane *l, const struct ulid *ids, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bool cancel = false;
        {
            WITH_LOCK(&l->lock);
            struct attempt *a = map_get(&l->table, ids[i]);
            if (a && !(a->executor_state & ENDED)) {
                a->executor_state |= STARTED;
                cancel = attempt_cancel_asked(a) >= 0;
            }
        }
        if (cancel)
            cancel_post(l, ids[i]);
    }
}

// All have the same sink: attempts of one engine.
static void batch_prefetch(struct attempt **v, size_t n)
{
    struct attempt_sink *sink = v[0]->sink;
    if (sink->prefetch)
        sink->prefetch(sink, v, n);
}

static bool batch_take(struct lane *l)
{
    WITH_LOCK(&l->lock);
    while (l->pending.n == 0 && !l->closing)
        cond_wait(&l->work, &l->lock);
    struct batch empty = l->taken;
    empty.n = 0;
    l->taken = l->pending;
    l->pending = empty;
    return l->taken.n > 0;
}

static void *lane_main(void *arg)
{
    struct lane *l = arg;
    enum { MARK_EVERY = 64 }; // a cancel is not to wait for a long batch
    while (batch_take(l)) {
        for (size_t i = 0; i < l->taken.n; i += MARK_EVERY) {
            struct ulid ids[MARK_EVERY];
            size_t n = 0, left = l->taken.n - i;
            batch_prefetch(l->taken.v + i, left < MARK_EVERY ? left : MARK_EVERY);
            for (size_t k = i; k < l->taken.n && n < MARK_EVERY; k++) {
                ids[n++] = l->taken.v[k]->run_id;
                attempt_begin(l, l->taken.v[k]);
            }
            batch_started(l, ids, n);
        }
    }
    return NULL;
}

// ---- life ----

struct runner *runner_new(struct job_env *env, size_t threads)
{
    struct runner *r = mem_new(struct runner);
    r->executor = (struct executor){.start = runner_start, .cancel = runner_cancel};
    r->env = env;
    r->n = threads == 0 ? RUNNER_THREADS_DEFAULT : threads;
    if (r->n > RUNNER_THREADS_MAX)
        r->n = RUNNER_THREADS_MAX;
    r->lanes = mem_array(r->n, sizeof r->lanes[0]);
    env->runner = r;
    for (size_t i = 0; i < r->n; i++) {
        struct lane *l = &r->lanes[i];
        l->runner = r;
        mutex_init(&l->lock, LOCK_RUNNER);
        cond_init(&l->work);
        cond_init(&l->empty);
        map_init(&l->table);
        l->definitions = definitions_new(DEFINITIONS_BYTES_MAX / r->n);
        l->thread = thread_start("runner", lane_main, l);
    }
    return r;
}

static void lane_cancel_all(struct lane *l)
{
    struct ulid *ids;
    size_t n = 0;
    {
        WITH_LOCK(&l->lock);
        l->closing = true;
        ids = mem_array(l->table.n, sizeof *ids);
        void *value;
        for (size_t i = 0; (i = map_next(&l->table, i, &value));)
            ids[n++] = ((struct attempt *)value)->run_id;
        cond_broadcast(&l->work);
    }
    for (size_t i = 0; i < n; i++)
        runner_cancel(&l->runner->executor, ids[i], CANCEL_BY_SHUTDOWN);
    mem_free(ids);
}

static void lane_stop(struct lane *l)
{
    lane_cancel_all(l);
    mutex_lock(&l->lock);
    while (l->table.n > 0)
        cond_wait(&l->empty, &l->lock);
    mutex_unlock(&l->lock);
    must(pthread_join(l->thread, NULL) == 0);
    map_release(&l->table);
    definitions_free(l->definitions);
    cond_release(&l->work);
    cond_release(&l->empty);
    mutex_release(&l->lock);
    mem_free(l->pending.v);
    mem_free(l->taken.v);
}

void runner_free(struct runner *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->n; i++)
        lane_stop(&r->lanes[i]);
    r->env->runner = NULL;
    mem_free(r->lanes);
    mem_free(r);
}

struct executor *runner_executor(struct runner *r)
{
    return &r->executor;
}

size_t runner_active(struct runner *r)
{
    size_t n = 0;
    for (size_t i = 0; i < r->n; i++) {
        WITH_LOCK(&r->lanes[i].lock);
        n += r->lanes[i].table.n;
    }
    return n;
}
