// SPDX-License-Identifier: Apache-2.0
// Second tries of reads.
#include "store/sql/again.h"

#include "store/sql/sql.h"

static unsigned lost(struct store *s) { return atomic_load(&((struct sql *)s)->readers_lost); }

// AGAIN(call): the call, and once more when it failed while a connection for reading was lost.
#define AGAIN(call)                                                                                          \
    unsigned before = lost(s);                                                                               \
    return (call) || (err->code == ERR_UNAVAILABLE && lost(s) != before && (call))

bool again_plans_page(struct store *s, struct ulid after, size_t max, bool all, struct plan **ret,
                      size_t *ret_n, size_t *ret_bad, struct arena *a, struct err *err)
{
    AGAIN(sql_plans_page(s, after, max, all, ret, ret_n, ret_bad, a, err));
}

bool again_plans_get(struct store *s, const struct ulid *ids, size_t n, struct plan **ret, size_t *ret_n,
                     struct arena *a, struct err *err)
{
    AGAIN(sql_plans_get(s, ids, n, ret, ret_n, a, err));
}

bool again_runs_unfinished(struct store *s, struct ulid after, size_t max, struct run **ret, size_t *ret_n,
                           struct arena *a, struct err *err)
{
    AGAIN(sql_runs_unfinished(s, after, max, ret, ret_n, a, err));
}

bool again_job_definition(struct store *s, struct ulid id, struct str *ret_text, int64_t *ret_version,
                          struct arena *a, struct err *err)
{
    AGAIN(sql_job_definition(s, id, ret_text, ret_version, a, err));
}

bool again_job_get(struct store *s, struct ulid id, struct job *ret, struct arena *a, struct err *err)
{
    AGAIN(sql_job_get(s, id, ret, a, err));
}

bool again_jobs_list(struct store *s, const struct job_filter *f, const struct page *p, struct job **ret,
                     size_t *ret_n, struct page_result *ret_page, struct arena *a, struct err *err)
{
    AGAIN(sql_jobs_list(s, f, p, ret, ret_n, ret_page, a, err));
}

bool again_run_get(struct store *s, struct ulid id, struct run *ret, struct arena *a, struct err *err)
{
    AGAIN(sql_run_get(s, id, ret, a, err));
}

bool again_runs_list(struct store *s, const struct run_filter *f, const struct page *p, struct run **ret,
                     size_t *ret_n, struct page_result *ret_page, struct arena *a, struct err *err)
{
    AGAIN(sql_runs_list(s, f, p, ret, ret_n, ret_page, a, err));
}

bool again_logs_read(struct store *s, struct ulid run_id, int64_t after, size_t max, struct log_line **ret,
                     size_t *ret_n, struct arena *a, struct err *err)
{
    AGAIN(sql_logs_read(s, run_id, after, max, ret, ret_n, a, err));
}

bool again_dlq_get(struct store *s, struct ulid id, struct dead_letter *ret, struct arena *a, struct err *err)
{
    AGAIN(sql_dlq_get(s, id, ret, a, err));
}

bool again_dlq_list(struct store *s, const struct dlq_filter *f, const struct page *p,
                    struct dead_letter **ret, size_t *ret_n, struct page_result *ret_page, struct arena *a,
                    struct err *err)
{
    AGAIN(sql_dlq_list(s, f, p, ret, ret_n, ret_page, a, err));
}

bool again_user_get(struct store *s, struct ulid id, struct user *ret, struct arena *a, struct err *err)
{
    AGAIN(sql_user_get(s, id, ret, a, err));
}

bool again_user_by_email(struct store *s, struct str email, struct user *ret, struct arena *a,
                         struct err *err)
{
    AGAIN(sql_user_by_email(s, email, ret, a, err));
}

bool again_admin_exists(struct store *s, bool *ret, struct err *err) { AGAIN(sql_admin_exists(s, ret, err)); }

bool again_setting_get(struct store *s, struct str key, struct str *ret, struct arena *a, struct err *err)
{
    AGAIN(sql_setting_get(s, key, ret, a, err));
}

bool again_secret_get(struct store *s, struct ulid scope, struct str name, struct secret *ret, struct arena *a,
                      struct err *err)
{
    AGAIN(sql_secret_get(s, scope, name, ret, a, err));
}

bool again_secrets_page(struct store *s, struct ulid scope, struct str after, bool all, size_t max,
                        struct secret **ret, size_t *ret_n, struct arena *a, struct err *err)
{
    AGAIN(sql_secrets_page(s, scope, after, all, max, ret, ret_n, a, err));
}

bool again_memo_get(struct store *s, struct ulid job_id, struct str name, struct str *ret, struct arena *a,
                    struct err *err)
{
    AGAIN(sql_memo_get(s, job_id, name, ret, a, err));
}

bool again_breakers_list(struct store *s, struct breaker_row **ret, size_t *ret_n, struct instant *ret_now,
                         struct arena *a, struct err *err)
{
    AGAIN(sql_breakers_list(s, ret, ret_n, ret_now, a, err));
}

bool again_nodes_list(struct store *s, struct node **ret, size_t *ret_n, struct instant *ret_now,
                      struct arena *a, struct err *err)
{
    AGAIN(sql_nodes_list(s, ret, ret_n, ret_now, a, err));
}

bool again_changes_read(struct store *s, int64_t after, size_t max, struct change **ret, size_t *ret_n,
                        struct arena *a, struct err *err)
{
    AGAIN(sql_changes_read(s, after, max, ret, ret_n, a, err));
}

bool again_changes_last(struct store *s, int64_t *ret, struct err *err)
{
    AGAIN(sql_changes_last(s, ret, err));
}

bool again_events_read(struct store *s, size_t max, struct outbox_event **ret, size_t *ret_n, struct arena *a,
                       struct err *err)
{
    AGAIN(sql_events_read(s, max, ret, ret_n, a, err));
}

bool again_audit_get(struct store *s, struct ulid id, struct audit_record *ret, struct arena *a, struct err *err)
{
    AGAIN(sql_audit_get(s, id, ret, a, err));
}

bool again_audit_list(struct store *s, const struct audit_filter *f, const struct page *p, struct audit_record **ret,
                    size_t *ret_n, struct page_result *ret_page, struct arena *a, struct err *err)
{
    AGAIN(sql_audit_list(s, f, p, ret, ret_n, ret_page, a, err));
}

bool again_audit_unsealed(struct store *s, struct ulid after, size_t max, struct audit_record **ret, size_t *ret_n,
                        struct arena *a, struct err *err)
{
    AGAIN(sql_audit_unsealed(s, after, max, ret, ret_n, a, err));
}

bool again_audit_chain(struct store *s, int64_t after, size_t max, struct audit_record **ret, size_t *ret_n,
                     struct arena *a, struct err *err)
{
    AGAIN(sql_audit_chain(s, after, max, ret, ret_n, a, err));
}

bool again_audit_marks(struct store *s, int kind, int64_t after, size_t max, struct audit_mark **ret, size_t *ret_n,
                     struct arena *a, struct err *err)
{
    AGAIN(sql_audit_marks(s, kind, after, max, ret, ret_n, a, err));
}

bool again_subscription_get(struct store *s, struct ulid id, struct subscription *ret, struct arena *a,
                            struct err *err)
{
    AGAIN(sql_subscription_get(s, id, ret, a, err));
}

bool again_subscriptions_page(struct store *s, struct ulid job_id, struct ulid after, size_t max,
                              struct subscription **ret, size_t *ret_n, struct arena *a, struct err *err)
{
    AGAIN(sql_subscriptions_page(s, job_id, after, max, ret, ret_n, a, err));
}

bool again_delivery_get(struct store *s, struct ulid id, struct delivery *ret, struct arena *a, struct err *err)
{
    AGAIN(sql_delivery_get(s, id, ret, a, err));
}

bool again_deliveries_list(struct store *s, const struct delivery_filter *f, const struct page *p,
                           struct delivery **ret, size_t *ret_n, struct page_result *ret_page, struct arena *a,
                           struct err *err)
{
    AGAIN(sql_deliveries_list(s, f, p, ret, ret_n, ret_page, a, err));
}
