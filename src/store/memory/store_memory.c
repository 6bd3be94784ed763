// SPDX-License-Identifier: Apache-2.0
// The memory store's ground: life, lock, faults, texts, sorted lists, inspection.
#include "store/memory/store_memory.h"

#include <stdint.h>

#include "base/mem.h"
#include "store/memory/account.h"
#include "store/memory/once.h"

enum { ROW_LIST_FIRST = 64, STILL_S = 1800000000 };

// ---- sorted lists ------------------------------------------------------------------------------

static struct ulid row_id(const void *row)
{
    struct ulid id;
    memcpy(&id, row, sizeof id);
    return id;
}

size_t row_list_after(const struct row_list *l, struct ulid id)
{
    size_t low = 0, high = l->n;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (ulid_cmp(row_id(l->v[middle]), id) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void row_list_add(struct row_list *l, void *row)
{
    if (l->n == l->cap) {
        l->cap = l->cap ? 2 * l->cap : ROW_LIST_FIRST;
        l->v = mem_resize(l->v, l->cap, sizeof *l->v);
    }
    struct ulid id = row_id(row);
    size_t at = l->n;
    if (at > 0 && ulid_cmp(row_id(l->v[at - 1]), id) > 0)
        at = row_list_after(l, id);
    memmove(l->v + at + 1, l->v + at, (l->n - at) * sizeof *l->v);
    l->v[at] = row;
    l->n++;
}

void row_list_remove(struct row_list *l, struct ulid id)
{
    size_t at = row_list_after(l, id);
    if (at == 0 || !ulid_eq(row_id(l->v[at - 1]), id))
        return;
    memmove(l->v + at - 1, l->v + at, (l->n - at) * sizeof *l->v);
    l->n--;
}

// ---- rows in the order of writing ---------------------------------------------------------------

void *mem_rows_add(struct mem_rows *r)
{
    if (r->n == r->cap) {
        r->cap = r->cap ? 2 * r->cap : ROW_LIST_FIRST;
        r->v = mem_resize(r->v, r->cap, r->size);
    }
    void *row = (char *)r->v + r->n++ * r->size;
    memset(row, 0, r->size);
    return row;
}

void mem_rows_remove(struct mem_rows *r, size_t at, size_t n)
{
    char *first = (char *)r->v + at * r->size;
    if (n > 0)
        memmove(first, first + n * r->size, (r->n - at - n) * r->size);
    r->n -= n;
}

// ---- texts -------------------------------------------------------------------------------------

void *mem_take(struct mem *m, size_t count, size_t size)
{
    void *p = arena_array(&m->arena, count, size);
    must(p);
    return p;
}

struct str mem_text(struct mem *m, struct str s)
{
    if (s.n == 0)
        return s.p ? STR("") : STR_NONE;
    struct ulid key = map_key(s.p, s.n);
    const char *known = map_get(&m->strings, key);
    if (known)
        return (struct str){known, s.n};
    struct str own = arena_str(&m->arena, s);
    must(own.p);
    (void)map_put(&m->strings, key, (void *)(uintptr_t)own.p);
    return own;
}

// ---- calls -------------------------------------------------------------------------------------

static bool died(struct err *err) { return ERR(err, ERR_UNAVAILABLE, "the process died (injected)"); }

bool call_begin(struct mem_call *c, struct store *s, const char *op, bool writes, struct err *err)
{
    struct mem *m = (struct mem *)s;
    *c = (struct mem_call){.m = m, .writes = writes};
    if (writes)
        c->notes = notes_collect(s);
    mutex_lock(&m->lock);
    if (!m->crashed && m->faults.before)
        c->fault = m->faults.before(m->faults.ctx, op, writes);
    bool dying = c->fault == FAULT_CRASH_BEFORE || (!writes && c->fault == FAULT_CRASH_AFTER);
    m->crashed |= dying;
    bool go =
        !m->crashed && (c->fault == FAULT_NONE ||
                        (writes && (c->fault == FAULT_UNKNOWN_COMMITTED || c->fault == FAULT_CRASH_AFTER)));
    bool crashed = m->crashed;
    bool taken_over = go && writes && !once_may_write(m);
    if (go && !taken_over)
        return true;
    mutex_unlock(&m->lock);
    notes_free(&c->notes);
    if (taken_over)
        return once_taken_over(err);
    if (crashed)
        return died(err);
    return writes && c->fault == FAULT_UNKNOWN_LOST
               ? ERR(err, ERR_UNKNOWN_COMMIT, "the connection was lost during the commit (injected)")
               : ERR(err, ERR_UNAVAILABLE, "the store does not answer (injected)");
}

bool call_end(struct mem_call *c, bool ok, struct err *err)
{
    if (ok && c->writes)
        once_written(c->m, c->fault == FAULT_NONE);
    if (!write_idle_ask() && ok)
        audit_put_notes(c->m, &c->notes);
    notes_free(&c->notes);
    if (c->fault == FAULT_CRASH_AFTER)
        c->m->crashed = true;
    mutex_unlock(&c->m->lock);
    if (c->fault == FAULT_CRASH_AFTER)
        return died(err);
    if (ok && c->fault == FAULT_UNKNOWN_COMMITTED)
        return ERR(err, ERR_UNKNOWN_COMMIT, "the connection was lost during the commit (injected)");
    return ok;
}

static bool mem_check(struct store *s, struct err *err)
{
    struct mem_call c;
    return call_begin(&c, s, "check", true, err) && call_end(&c, true, err);
}

// ---- life --------------------------------------------------------------------------------------

static void mem_store_free(struct store *s)
{
    struct mem *m = (struct mem *)s;
    struct map *maps[] = {&m->strings,  &m->jobs,     &m->runs,    &m->dlq,  &m->users,
                          &m->sessions, &m->settings, &m->secrets, &m->memos, &m->identities};
    struct row_list *lists[] = {&m->jobs_by_id, &m->runs_by_id, &m->unfinished, &m->dlq_by_id, &m->audit_by_id,
                                &m->keys, &m->teams};
    for (size_t i = 0; i < sizeof maps / sizeof maps[0]; i++)
        map_release(maps[i]);
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        mem_free(lists[i]->v);
    struct mem_rows *rows[] = {&m->nodes, &m->changes, &m->duties, &m->outbox, &m->breakers,
                                &m->subscriptions, &m->notices, &m->marks,
                               &m->deliveries, &m->once, &m->audit_marks,
                               &m->memberships};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        mem_free(rows[i]->v);
    arena_release(&m->arena);
    mutex_release(&m->lock);
    mem_free(m);
}

static const struct store_ops memory_ops = {
    .name = "memory",
    .free = mem_store_free,
    .check = mem_check,
    .flush = mem_flush,
    .plans_page = mem_plans_page,
    .plans_get = mem_plans_get,
    .runs_unfinished = mem_runs_unfinished,
    .job_definition = mem_job_definition,
    .jobs_insert = mem_jobs_insert,
    .job_update = mem_job_update,
    .job_delete = mem_job_delete,
    .job_set_state = mem_job_set_state,
    .job_get = mem_job_get,
    .jobs_list = mem_jobs_list,
    .run_insert = mem_run_insert,
    .run_get = mem_run_get,
    .runs_list = mem_runs_list,
    .run_cancel = mem_run_cancel,
    .logs_read = mem_logs_read,
    .dlq_get = mem_dlq_get,
    .dlq_list = mem_dlq_list,
    .dlq_resolve = mem_dlq_resolve,
    .user_insert = mem_user_insert,
    .user_insert_first_admin = mem_user_insert_first_admin,
    .user_get = mem_user_get,
    .user_by_email = mem_user_by_email,
    .user_update = mem_user_update,
    .admin_exists = mem_admin_exists,
    .accounts = &mem_account_ops,
    .session_insert = mem_session_insert,
    .session_rotate = mem_session_rotate,
    .session_end = mem_session_end,
    .sessions_end_all = mem_sessions_end_all,
    .sign_on = &memory_sign_on_ops,
    .once = &mem_once_ops,
    .setting_get = mem_setting_get,
    .setting_put = mem_setting_put,
    .setting_insert = mem_setting_insert,
    .secret_put = mem_secret_put,
    .secret_get = mem_secret_get,
    .secrets_page = mem_secrets_page,
    .secret_reseal = mem_secret_reseal,
    .secret_delete = mem_secret_delete,
    .memo_get = mem_memo_get,
    .memo_put = mem_memo_put,
    .memo_set = mem_memo_set,
    .breaker_put = mem_breaker_put,
    .breakers_list = mem_breakers_list,
    .node_register = mem_node_register,
    .node_renew = mem_node_renew,
    .node_publish = mem_node_publish,
    .node_leave = mem_node_leave,
    .node_want = mem_node_want,
    .nodes_list = mem_nodes_list,
    .changes_read = mem_changes_read,
    .changes_last = mem_changes_last,
    .changes_trim = mem_changes_trim,
    .duty_hold = mem_duty_hold,
    .duty_release = mem_duty_release,
    .events_enable = mem_events_enable,
    .events_read = mem_events_read,
    .events_remove = mem_events_remove,
    .backlog = mem_backlog,
    .audit_take = mem_audit_take,
    .audit_drop = mem_audit_drop,
    .audit_append = mem_audit_append,
    .audit_get = mem_audit_get,
    .audit_list = mem_audit_list,
    .audit_unsealed = mem_audit_unsealed,
    .audit_chain = mem_audit_chain,
    .audit_seal = mem_audit_seal,
    .audit_marks = mem_audit_marks,
    .audit_trim = mem_audit_trim,
    .subscription_put = mem_subscription_put,
    .subscription_get = mem_subscription_get,
    .subscriptions_page = mem_subscriptions_page,
    .subscription_delete = mem_subscription_delete,
    .notices_put = mem_notices_put,
    .notices_read = mem_notices_read,
    .notices_settle = mem_notices_settle,
    .marks_of = mem_marks_of,
    .marks_due = mem_marks_due,
    .delivery_get = mem_delivery_get,
    .delivery_update = mem_delivery_update,
    .deliveries_list = mem_deliveries_list,
    .deliveries_due = mem_deliveries_due,
    .deliveries_trim = mem_deliveries_trim,
    .plans_overdue = mem_plans_overdue,
    .history_trim = mem_history_trim,
};

struct store *store_memory_new_shared(void)
{
    struct mem *m = mem_new(struct mem);
    m->base.ops = &memory_ops;
    m->nodes.size = sizeof(struct node);
    m->changes.size = sizeof(struct change);
    m->duties.size = sizeof(struct duty);
    m->outbox.size = sizeof(struct outbox_event);
    m->breakers.size = sizeof(struct breaker_row);
    m->memberships.size = sizeof(struct membership);
    m->subscriptions.size = sizeof(struct subscription_row);
    m->notices.size = sizeof(struct notice);
    m->marks.size = sizeof(struct notice_mark);
    m->deliveries.size = sizeof(struct delivery);
    m->audit_marks.size = sizeof(struct audit_mark);
    clock_virtual_init(&m->still, instant_s(STILL_S));
    m->clock = &m->still.base;
    mutex_init(&m->lock, LOCK_STORE_MEMORY);
    arena_init(&m->arena, SIZE_MAX);
    struct map *maps[] = {&m->strings,  &m->jobs,     &m->runs,    &m->dlq,  &m->users,
                          &m->sessions, &m->settings, &m->secrets, &m->memos, &m->identities};
    for (size_t i = 0; i < sizeof maps / sizeof maps[0]; i++)
        map_init(maps[i]);
    return &m->base;
}

struct store *store_memory_new(void)
{
    struct store *s = store_memory_new_shared();
    s->exclusive = true;
    return s;
}

void store_memory_set_clock(struct store *s, const struct clock *clock)
{
    WITH_LOCK(&((struct mem *)s)->lock);
    ((struct mem *)s)->clock = clock;
}

// ---- faults and inspection ---------------------------------------------------------------------

void store_memory_set_faults(struct store *s, struct store_faults f)
{
    WITH_LOCK(&((struct mem *)s)->lock);
    ((struct mem *)s)->faults = f;
}

bool store_memory_crashed(struct store *s)
{
    WITH_LOCK(&((struct mem *)s)->lock);
    return ((struct mem *)s)->crashed;
}

void store_memory_revive(struct store *s)
{
    WITH_LOCK(&((struct mem *)s)->lock);
    ((struct mem *)s)->crashed = false;
}

void store_memory_set_weakness(struct store *s, struct store_weakness w)
{
    WITH_LOCK(&((struct mem *)s)->lock);
    ((struct mem *)s)->weak = w;
}

void store_memory_each_run(struct store *s, void (*f)(void *ctx, const struct run *r), void *ctx)
{
    struct mem *m = (struct mem *)s;
    WITH_LOCK(&m->lock);
    for (size_t i = 0; i < m->runs_by_id.n; i++)
        f(ctx, &((struct run_row *)m->runs_by_id.v[i])->r);
}

void store_memory_each_job(struct store *s, void (*f)(void *ctx, const struct job_row *j), void *ctx)
{
    struct mem *m = (struct mem *)s;
    WITH_LOCK(&m->lock);
    for (size_t i = 0; i < m->jobs_by_id.n; i++)
        f(ctx, m->jobs_by_id.v[i]);
}

void store_memory_each_dead_letter(struct store *s, void (*f)(void *ctx, const struct dead_letter *d),
                                   void *ctx)
{
    struct mem *m = (struct mem *)s;
    WITH_LOCK(&m->lock);
    for (size_t i = 0; i < m->dlq_by_id.n; i++)
        f(ctx, m->dlq_by_id.v[i]);
}

size_t store_memory_run_count(struct store *s)
{
    struct mem *m = (struct mem *)s;
    WITH_LOCK(&m->lock);
    return m->runs_by_id.n;
}
