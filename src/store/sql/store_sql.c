// SPDX-License-Identifier: Apache-2.0
// The sql store's ground: connections, life, the table of operations.
#include "base/mem.h"
#include "store/sql/again.h"
#include "store/sql/once.h"
#include "store/sql/account.h"
#include "store/sql/sql.h"

// ---- connections -------------------------------------------------------------------------------

bool sql_query(struct db *d, enum store_query q, struct db_stmt **ret, struct err *err)
{
    return db_stmt_at(d, q, store_sql[d->dialect][q], ret, err);
}

bool sql_write_in(struct store *s, enum sql_lane lane, group_fn fn, void *arg, size_t weight, struct err *err)
{
    struct sql *q = (struct sql *)s;
    struct group *g = &q->lanes[q->n_lanes == 1 ? 0 : lane];
    struct noted_write noted = {.fn = fn, .arg = arg, .notes = notes_collect(s)};
    if (noted.notes.n == 0)
        return group_run(g, fn, arg, weight, err);
    bool ok = group_run(g, noted_write, &noted, weight + noted.notes.n, err);
    notes_free(&noted.notes);
    return ok;
}

bool sql_write(struct store *s, group_fn fn, void *arg, size_t weight, struct err *err)
{
    unsigned turn = atomic_fetch_add_explicit(&((struct sql *)s)->turn, 1, memory_order_relaxed);
    return once_write_in(s, turn % 2 ? LANE_WRITES2 : LANE_WRITES, fn, arg, weight, err);
}

struct db *sql_reader(struct store *s, struct err *err)
{
    struct sql *q = (struct sql *)s;
    mutex_lock(&q->readers_lock);
    while (q->n_idle == 0 && q->n_open == q->readers_max)
        cond_wait(&q->returned, &q->readers_lock);
    struct db *d = q->n_idle ? q->idle[--q->n_idle] : NULL;
    if (!d)
        q->n_open++;
    mutex_unlock(&q->readers_lock);
    if (d || connector_open(&q->connector, true, &d, err))
        return d;
    mutex_lock(&q->readers_lock);
    q->n_open--;
    cond_signal(&q->returned);
    mutex_unlock(&q->readers_lock);
    if (err->code == ERR_IO)
        err->code = ERR_UNAVAILABLE;
    return NULL;
}

// A lost connection goes, and the idle ones with it: what ended one has most likely ended all.
static void reader_drop(struct sql *q, struct db *d)
{
    struct db *gone[READERS_MAX + 1] = {d};
    size_t n = 1;
    mutex_lock(&q->readers_lock);
    for (; q->n_idle > 0; n++)
        gone[n] = q->idle[--q->n_idle];
    q->n_open -= n;
    cond_broadcast(&q->returned);
    mutex_unlock(&q->readers_lock);
    (void)atomic_fetch_add(&q->readers_lost, 1);
    while (n > 0)
        db_close(gone[--n]);
}

void sql_reader_done(struct store *s, struct db *d)
{
    struct sql *q = (struct sql *)s;
    if (!db_alive(d)) {
        reader_drop(q, d);
        return;
    }
    WITH_LOCK(&q->readers_lock);
    q->idle[q->n_idle++] = d;
    cond_signal(&q->returned);
}

bool sql_read(struct sql_read *r, struct store *s, enum store_query q, struct err *err)
{
    *r = (struct sql_read){.store = s, .begun = meter_now()};
    r->db = sql_reader(s, err);
    if (!r->db)
        return false;
    if (sql_query(r->db, q, &r->s, err))
        return true;
    sql_reader_done(s, r->db);
    return false;
}

void sql_read_end(struct sql_read *r)
{
    db_reset(r->s);
    sql_reader_done(r->store, r->db);
    meter_read(r->begun);
}

bool sql_only_row(struct db_stmt *s, struct err *err, const char *what, const char *subject)
{
    bool row;
    if (!db_step(s, &row, err)) {
        if (err->code == ERR_IO)
            err->code = ERR_UNAVAILABLE;
        return false;
    }
    return row || ERR(err, ERR_NOT_FOUND, "%s \"%s\" does not exist", what, subject);
}

bool sql_no_memory(struct err *err)
{
    return ERR(err, ERR_UNAVAILABLE, "the answer is too large for its memory: ask for fewer rows");
}

// ---- life --------------------------------------------------------------------------------------

static void sql_free(struct store *s)
{
    struct sql *q = (struct sql *)s;
    must(q->n_idle == q->n_open);
    db_close(q->listener);
    for (size_t i = 0; i < q->n_idle; i++)
        db_close(q->idle[i]);
    for (size_t i = 0; i < q->n_lanes; i++)
        group_release(&q->lanes[i]); // a file's last connection, so that it alone moves the log into the file
    user_memory_release(&q->users);
    cond_release(&q->returned);
    mutex_release(&q->readers_lock);
    void *ctx = q->connector.ctx;
    connector_release(&q->connector);
    if (q->closed)
        q->closed(ctx);
    mem_free(q);
}

static bool sql_check(struct store *s, struct err *err)
{
    struct arena a CLEANUP(arena_release);
    struct str back;
    arena_init(&a, 1024);
    return sql_setting_put(s, STR("store.check"), STR("ok"), err) &&
           sql_setting_get(s, STR("store.check"), &back, &a, err);
}

#define SQL_OPS                                                                                              \
    .free = sql_free, .check = sql_check, .flush = sql_flush, .plans_page = again_plans_page,                \
    .plans_get = again_plans_get, .runs_unfinished = again_runs_unfinished,                                  \
    .job_definition = again_job_definition, .jobs_insert = sql_jobs_insert, .job_update = sql_job_update,    \
    .job_delete = sql_job_delete, .job_set_state = sql_job_set_state, .job_get = again_job_get,              \
    .jobs_list = again_jobs_list, .run_insert = sql_run_insert, .run_get = again_run_get,                    \
    .runs_list = again_runs_list, .run_cancel = sql_run_cancel, .logs_read = again_logs_read,                \
    .dlq_get = again_dlq_get, .dlq_list = again_dlq_list, .dlq_resolve = sql_dlq_resolve,                    \
    .user_insert = sql_user_insert, .user_insert_first_admin = sql_user_insert_first_admin,                  \
    .user_get = again_user_get, .user_by_email = again_user_by_email, .user_update = sql_user_update,        \
    .admin_exists = again_admin_exists, .accounts = &sql_account_ops,                                        \
    .session_insert = sql_session_insert,                                                                    \
    .session_rotate = sql_session_rotate, .session_end = sql_session_end,                                    \
    .sessions_end_all = sql_sessions_end_all, .sign_on = &sql_sign_on_ops,                                   \
    .setting_get = again_setting_get,                                                                        \
    .once = &sql_once_ops, .memo_set = sql_memo_set, .setting_put = sql_setting_put,                         \
    .setting_insert = sql_setting_insert,                                                                    \
    .secret_put = sql_secret_put, .secret_get = again_secret_get, .secrets_page = again_secrets_page,        \
    .secret_reseal = sql_secret_reseal, .secret_delete = sql_secret_delete, .memo_get = again_memo_get,      \
    .memo_put = sql_memo_put, .breaker_put = sql_breaker_put, .breakers_list = again_breakers_list,          \
    .node_register = sql_node_register, .node_renew = sql_node_renew,              \
    .node_publish = sql_node_publish,                                                                        \
    .node_leave = sql_node_leave, .node_want = sql_node_want, .nodes_list = again_nodes_list,                \
    .changes_read = again_changes_read, .changes_last = again_changes_last,                                  \
    .changes_trim = sql_changes_trim, .duty_hold = sql_duty_hold, .duty_release = sql_duty_release,          \
    .audit_take = sql_audit_take, .audit_drop = sql_audit_drop, .audit_append = sql_audit_append,            \
    .audit_get = again_audit_get, .audit_list = again_audit_list, .audit_unsealed = again_audit_unsealed,    \
    .audit_chain = again_audit_chain, .audit_seal = sql_audit_seal, .audit_marks = again_audit_marks,        \
    .audit_trim = sql_audit_trim,                                                                            \
    .subscription_put = sql_subscription_put,                                                                \
    .subscription_get = again_subscription_get,                                                              \
    .subscriptions_page = again_subscriptions_page,                                                          \
    .subscription_delete = sql_subscription_delete,                                                          \
    .notices_put = sql_notices_put,                                                                          \
    .notices_read = sql_notices_read,                                                                        \
    .notices_settle = sql_notices_settle,                                                                    \
    .marks_of = sql_marks_of,                                                                                \
    .marks_due = sql_marks_due,                                                                              \
    .delivery_get = again_delivery_get,                                                                      \
    .delivery_update = sql_delivery_update,                                                                  \
    .deliveries_list = again_deliveries_list,                                                                \
    .deliveries_due = sql_deliveries_due,                                                                    \
    .deliveries_trim = sql_deliveries_trim,                                                                  \
    .plans_overdue = sql_plans_overdue,                                                                      \
    .events_enable = sql_events_enable, .events_read = again_events_read,                                    \
    .events_remove = sql_events_remove, .backlog = sql_backlog, .history_trim = sql_history_trim

const struct store_ops sqlite_store_ops = {.name = "sqlite", SQL_OPS};
const struct store_ops postgres_store_ops = {
    .name = "postgresql", SQL_OPS, .job_definitions = sql_job_definitions, .changes_wait = sql_changes_wait};
const struct store_ops mysql_store_ops = {.name = "mysql", SQL_OPS, .job_definitions = sql_job_definitions};

struct store *sql_new(const struct sql_config *c)
{
    struct sql *q = mem_new(struct sql);
    q->base.ops = c->ops;
    q->base.exclusive = c->clock == NULL;
    q->closed = c->closed;
    q->readers_max = c->readers;
    q->n_lanes = q->base.exclusive ? 1 : LANES;
    connector_init(&q->connector, c->open, c->ctx, c->clock);
    mutex_init(&q->readers_lock, LOCK_STORE_READERS);
    cond_init(&q->returned);
    user_memory_init(&q->users);
    for (size_t i = 0; i < q->n_lanes; i++) {
        group_init(&q->lanes[i], &q->connector, i == LANE_ENGINE ? c->first : NULL);
        q->lanes[i].meter = meter_of_lane(i, q->n_lanes == 1);
    }
    return &q->base;
}
