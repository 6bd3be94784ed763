// SPDX-License-Identifier: Apache-2.0
// Group commit. Operations run without savepoints: nearly none fails, and a savepoint copies every page it
// touches. When one fails after it wrote (or the engine gave the transaction up), the transaction is rolled
// back and the rest runs again, this time with a savepoint each.
//
// The tidier is a thread that joins the queue with an operation of its own: after a second without writes, or
// when the log has grown to TIDY_PAGES, it moves the log into the file, so that no request waits for its own
// checkpoint.
#include "store/sql/group.h"

#include "base/metrics.h"
#include "store/sql/meters.h"

enum { TIDY_PAGES = 8192, TIDY_IDLE_S = 1, LOST_TRIES = 1, BUSY_TRIES = 5, BUSY_PAUSE_MS_MAX = 40 };

enum op_state { OP_WAITING, OP_LEADING, OP_DONE };
struct group_op {
    group_fn fn; // NULL: move the log into the file, outside of a transaction
    void *arg;
    size_t weight;
    struct err *err;
    bool ok, ended;      // ended: its result stands whatever the commit says
    enum op_state state; // set before the event
    struct event event;  // its turn has come: it leads, or it is done
    struct group_op *next;
};

// Callers know stores as available or not.
static bool store_error(struct err *err)
{
    if (err->code == ERR_IO)
        err->code = ERR_UNAVAILABLE;
    return false;
}

enum op_end { OP_KEPT, OP_HARMLESS, OP_BROKE, OP_LOST, OP_BUSY };

// What a failure means for the group: on a server also a whole one may have to run again.
static enum op_end end_of_failure(struct group *g, const struct err *err, enum op_end otherwise)
{
    if (!connector_of_server(g->connector))
        return otherwise;
    return !db_alive(g->db) ? OP_LOST : err->code == ERR_BUSY ? OP_BUSY : otherwise;
}

// Runs one operation; tells whether the transaction still is what it should be.
static enum op_end run_one(struct group *g, struct group_op *op, bool guarded)
{
    struct db *d = g->db;
    int64_t before = db_changes_total(d);
    struct err ignored;
    if (guarded && !db_savepoint(d, op->err))
        return end_of_failure(g, op->err, OP_BROKE);
    if (op->fn(d, op->arg, op->err) && (!guarded || db_savepoint_release(d, op->err))) {
        op->ok = true;
        return OP_KEPT;
    }
    enum op_end end = end_of_failure(g, op->err, OP_BROKE);
    if (end != OP_BROKE || !db_in_transaction(d))
        return end;
    if (guarded)
        return db_savepoint_rollback(d, &ignored) ? OP_HARMLESS : end_of_failure(g, &ignored, OP_BROKE);
    // A server may have put off statements of operations before: whose failure it was shows with savepoints
    // only.
    return !connector_of_server(g->connector) && db_changes_total(d) == before ? OP_HARMLESS : OP_BROKE;
}

static void op_fail(struct group_op *op)
{
    (void)store_error(op->err);
    op->ended = true;
    op->ok = false;
}

static void fail_rest(struct group_op *first, const struct err *err)
{
    for (struct group_op *op = first; op; op = op->next)
        if (!op->ended) {
            *op->err = *err;
            op_fail(op);
        }
}

static bool is_only_one(const struct group_op *first)
{
    int n = 0;
    for (const struct group_op *op = first; op; op = op->next)
        n += !op->ended;
    return n == 1;
}

enum group_end { GROUP_DONE, GROUP_BROKE, GROUP_LOST, GROUP_BUSY };

// An operation failed and the transaction with it. Who is to blame ends; the others run again.
static enum group_end after_break(struct group *g, struct group_op *first, struct group_op *op,
                                  enum op_end end, bool guarded, struct err *ret_why)
{
    *ret_why = *op->err;
    db_rollback(g->db);
    if (end == OP_LOST)
        return GROUP_LOST;
    if (end == OP_BUSY)
        return GROUP_BUSY;
    if (guarded || is_only_one(first) || !connector_of_server(g->connector))
        op_fail(op);
    return GROUP_BROKE;
}

static enum group_end after_commit(struct group *g, const struct group_op *first, bool guarded,
                                   const struct err *err)
{
    if (!connector_of_server(g->connector) || err->code == ERR_UNKNOWN_COMMIT)
        return GROUP_DONE;
    if (!db_alive(g->db))
        return GROUP_LOST;
    if (err->code == ERR_BUSY)
        return GROUP_BUSY;
    return guarded || is_only_one(first) ? GROUP_DONE : GROUP_BROKE;
}

// One try at the whole group. Not GROUP_DONE: the transaction has ended, those that have not are to run
// again.
static enum group_end try_group(struct group *g, struct group_op *first, bool guarded, struct err *ret_why)
{
    if (!connector_keep(g->connector, false, &g->db, ret_why)) {
        fail_rest(first, ret_why);
        return GROUP_DONE;
    }
    if (!db_begin(g->db, ret_why)) {
        if (connector_of_server(g->connector) && !db_alive(g->db))
            return GROUP_LOST;
        fail_rest(first, ret_why);
        return GROUP_DONE;
    }
    for (struct group_op *op = first; op; op = op->next) {
        if (op->ended)
            continue;
        enum op_end end = run_one(g, op, guarded);
        if (end == OP_HARMLESS)
            op_fail(op);
        else if (end != OP_KEPT)
            return after_break(g, first, op, end, guarded, ret_why);
    }
    if (db_commit(g->db, ret_why))
        return GROUP_DONE;
    enum group_end end = after_commit(g, first, guarded, ret_why);
    if (end == GROUP_DONE)
        fail_rest(first, ret_why);
    return end;
}

// Nobody signals a group of a server without a tidier.
static void pause_before_next(struct group *g)
{
    int64_t ms = 1 + (int64_t)rng_below(&g->rng, BUSY_PAUSE_MS_MAX);
    WITH_LOCK(&g->lock);
    (void)cond_wait_for(&g->changed, &g->lock, duration_ms(ms));
}

static bool any_left(const struct group_op *first)
{
    for (const struct group_op *op = first; op; op = op->next)
        if (!op->ended)
            return true;
    return false;
}

static void run_group(struct group *g, struct group_op *first)
{
    if (!first->fn) {
        first->ok = db_tidy(g->db, first->err) || store_error(first->err);
        return;
    }
    struct err why;
    bool guarded = false;
    int busy = 0, lost = 0;
    enum group_end end;
    while (any_left(first) && (end = try_group(g, first, guarded, &why)) != GROUP_DONE) {
        guarded |= end == GROUP_BROKE;
        if ((end == GROUP_LOST && ++lost > LOST_TRIES) || (end == GROUP_BUSY && ++busy > BUSY_TRIES)) {
            fail_rest(first, &why);
            return;
        }
        if (end == GROUP_BUSY)
            pause_before_next(g);
    }
}

// Cuts off the front of the queue: as many as fit; what runs outside of transactions goes alone. Lock held.
static struct group_op *take_front(struct group *g)
{
    struct group_op *first = g->first, *last = first;
    size_t weight = first->weight;
    while (first->fn && last->next && last->next->fn && weight + last->next->weight <= GROUP_WEIGHT_MAX) {
        last = last->next;
        weight += last->weight;
    }
    g->first = last->next;
    if (!g->first)
        g->last = NULL;
    last->next = NULL;
    return first;
}

static void lead(struct group *g, const struct group_op *self)
{
    mutex_lock(&g->lock);
    struct group_op *taken = take_front(g);
    mutex_unlock(&g->lock);
    struct mono begun = meter_now();
    run_group(g, taken);
    if (g->meter && taken->fn)
        metric_observe(g->meter, mono_since(meter_now(), begun));
    int64_t backlog = g->db ? db_backlog(g->db) : 0;
    mutex_lock(&g->lock);
    // The tidier sleeps while there is nothing to move, and looks by itself once a second while there is
    // something.
    bool rouse = (g->backlog == 0 && backlog > 0) || (g->backlog < TIDY_PAGES && backlog >= TIDY_PAGES);
    g->backlog = backlog;
    g->groups++;
    struct group_op *successor = g->first;
    g->led = successor != NULL;
    if (rouse)
        cond_signal(&g->changed);
    mutex_unlock(&g->lock);
    // The next group starts first; those who are done have only answers to write. Nobody needs the lock to
    // wake up.
    if (successor) {
        successor->state = OP_LEADING;
        event_set(&successor->event);
    }
    for (struct group_op *op = taken, *next; op; op = next) {
        next = op->next; // once it is done the operation may be gone
        op->state = OP_DONE;
        if (op != self)
            event_set(&op->event);
    }
}

static bool submit(struct group *g, struct group_op *op)
{
    event_init(&op->event);
    mutex_lock(&g->lock);
    if (g->last)
        g->last->next = op;
    else
        g->first = op;
    g->last = op;
    bool leads = !g->led;
    g->led = true;
    mutex_unlock(&g->lock);
    if (!leads)
        event_wait(&op->event);
    if (op->state != OP_DONE)
        lead(g, op);
    event_release(&op->event);
    return op->ok;
}

bool group_run(struct group *g, group_fn fn, void *arg, size_t weight, struct err *err)
{
    struct err mine;
    struct group_op op = {.fn = fn, .arg = arg, .weight = weight, .err = &mine};
    if (submit(g, &op))
        return true;
    *err = mine;
    return false;
}

// ---- the tidier --------------------------------------------------------------------------------

// Waits until the log should be moved; false at the end. Lock held.
static bool tidy_is_due(struct group *g)
{
    while (!g->stop) {
        if (g->backlog >= TIDY_PAGES)
            return true;
        int64_t groups = g->groups;
        if (g->backlog == 0)
            cond_wait(&g->changed, &g->lock);
        else if (!cond_wait_for(&g->changed, &g->lock, duration_s(TIDY_IDLE_S)) && g->groups == groups)
            return true; // nothing was written for a while
    }
    return false;
}

static void *tidier_main(void *arg)
{
    struct group *g = arg;
    mutex_lock(&g->lock);
    while (tidy_is_due(g)) {
        mutex_unlock(&g->lock);
        struct err err; // the next try comes with the next write; a full disk is reported to writers
        struct group_op op = {.weight = 1, .err = &err};
        (void)submit(g, &op);
        mutex_lock(&g->lock);
        if (!op.ok)
            g->backlog = 0;
    }
    mutex_unlock(&g->lock);
    return NULL;
}

void group_init(struct group *g, struct connector *c, struct db *d)
{
    *g = (struct group){.connector = c, .db = d, .tidies = d && d->ops->tidy};
    rng_init_random(&g->rng);
    mutex_init(&g->lock, LOCK_STORE_GROUP);
    cond_init(&g->changed);
    if (g->tidies)
        g->tidier = thread_start("store-tidier", tidier_main, g);
}

void group_release(struct group *g)
{
    mutex_lock(&g->lock);
    g->stop = true;
    cond_signal(&g->changed);
    mutex_unlock(&g->lock);
    if (g->tidies)
        (void)pthread_join(g->tidier, NULL);
    must(!g->first && !g->led);
    cond_release(&g->changed);
    mutex_release(&g->lock);
    db_close(g->db);
}
