// SPDX-License-Identifier: Apache-2.0
// Group commit. Operations run without savepoints: nearly none fails, and a savepoint copies every page it
// touches. When one fails after it wrote (or the engine gave the transaction up), the transaction is rolled
// back and the rest runs again, this time with a savepoint each.
//
// The tidier is a thread that joins the queue with an operation of its own: after a second without writes, or
// when the log has grown to TIDY_PAGES, it moves the log into the file, so that no request waits for its own
// checkpoint.
#include "store/sql/group.h"

enum { TIDY_PAGES = 8192, TIDY_IDLE_S = 1 };

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

enum op_end { OP_KEPT, OP_HARMLESS, OP_BROKE };

// Runs one operation; tells whether the transaction still is what it should be.
static enum op_end run_one(struct db *d, struct group_op *op, bool guarded)
{
    int64_t before = db_changes_total(d);
    struct err ignored;
    if (guarded && !db_savepoint(d, op->err)) {
        op->ok = false;
        return OP_BROKE;
    }
    op->ok = op->fn(d, op->arg, op->err);
    if (op->ok)
        return !guarded || db_savepoint_release(d, &ignored) ? OP_KEPT : OP_BROKE;
    (void)store_error(op->err);
    if (!db_in_transaction(d))
        return OP_BROKE;
    if (guarded)
        return db_savepoint_rollback(d, &ignored) ? OP_HARMLESS : OP_BROKE;
    return db_changes_total(d) == before ? OP_HARMLESS : OP_BROKE;
}

static void fail_rest(struct group_op *first, const struct err *err)
{
    for (struct group_op *op = first; op; op = op->next)
        if (!op->ended) {
            op->ok = false;
            *op->err = *err;
        }
}

// One try at the whole group. False: an operation broke the transaction; it has ended, the others are to run
// again.
static bool try_group(struct db *d, struct group_op *first, bool guarded)
{
    struct err err;
    if (!db_begin(d, &err)) {
        (void)store_error(&err);
        fail_rest(first, &err);
        return true;
    }
    for (struct group_op *op = first; op; op = op->next) {
        if (op->ended)
            continue;
        enum op_end end = run_one(d, op, guarded);
        op->ended = !op->ok;
        if (end == OP_BROKE) {
            op->ended = true;
            op->ok = false;
            db_rollback(d);
            return false;
        }
    }
    if (!db_commit(d, &err)) {
        (void)store_error(&err);
        fail_rest(first, &err);
    }
    return true;
}

static void run_group(struct db *d, struct group_op *first)
{
    if (!first->fn) {
        first->ok = db_tidy(d, first->err) || store_error(first->err);
        return;
    }
    for (bool guarded = false; !try_group(d, first, guarded); guarded = true)
        ;
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
    run_group(g->db, taken);
    int64_t backlog = db_backlog(g->db);
    mutex_lock(&g->lock);
    // The tidier sleeps while there is nothing to move, and looks by itself once a second while there is something.
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

void group_init(struct group *g, struct db *d)
{
    *g = (struct group){.db = d};
    mutex_init(&g->lock, LOCK_STORE_GROUP);
    cond_init(&g->changed);
    g->tidier = thread_start("store-tidier", tidier_main, g);
}

void group_release(struct group *g)
{
    mutex_lock(&g->lock);
    g->stop = true;
    cond_signal(&g->changed);
    mutex_unlock(&g->lock);
    (void)pthread_join(g->tidier, NULL);
    must(!g->first && !g->led);
    cond_release(&g->changed);
    mutex_release(&g->lock);
}
