// SPDX-License-Identifier: Apache-2.0
// The operations of the sql store (store/store.h says what each does), for the table in store_sql.c.
#ifndef STORE_SQL_OPERATIONS_H
#define STORE_SQL_OPERATIONS_H

#include "store/store.h"

bool sql_flush(struct store *s, struct flush *f, struct err *err);
bool sql_plans_page(struct store *s, struct ulid after, size_t max, bool all, struct plan **ret,
                    size_t *ret_n, size_t *ret_bad, struct arena *a, struct err *err);
bool sql_plans_get(struct store *s, const struct ulid *ids, size_t n, struct plan **ret, size_t *ret_n,
                   struct arena *a, struct err *err);
bool sql_runs_unfinished(struct store *s, struct ulid after, size_t max, struct run **ret, size_t *ret_n,
                         struct arena *a, struct err *err);
bool sql_job_definition(struct store *s, struct ulid id, struct str *ret_text, int64_t *ret_version,
                        struct arena *a, struct err *err);
bool sql_jobs_insert(struct store *s, const struct job *v, const struct plan *plans, size_t n,
                     struct err *err);
bool sql_job_update(struct store *s, const struct job *j, const struct plan *p, int64_t expect,
                    struct err *err);
bool sql_job_delete(struct store *s, struct ulid id, int64_t expect, struct instant now, struct err *err);
bool sql_job_set_state(struct store *s, struct ulid id, int state, struct instant next_fire,
                       struct instant now, struct err *err);
bool sql_job_get(struct store *s, struct ulid id, struct job *ret, struct arena *a, struct err *err);
bool sql_jobs_list(struct store *s, const struct job_filter *f, const struct page *p, struct job **ret,
                   size_t *ret_n, struct page_result *ret_page, struct arena *a, struct err *err);
bool sql_run_insert(struct store *s, struct run *r, struct err *err);
bool sql_run_get(struct store *s, struct ulid id, struct run *ret, struct arena *a, struct err *err);
bool sql_runs_list(struct store *s, const struct run_filter *f, const struct page *p, struct run **ret,
                   size_t *ret_n, struct page_result *ret_page, struct arena *a, struct err *err);
bool sql_run_cancel(struct store *s, struct ulid id, struct instant now, enum run_cancel_result *ret,
                    struct err *err);
bool sql_logs_read(struct store *s, struct ulid run_id, int64_t after, size_t max, struct log_line **ret,
                   size_t *ret_n, struct arena *a, struct err *err);
bool sql_dlq_get(struct store *s, struct ulid id, struct dead_letter *ret, struct arena *a, struct err *err);
bool sql_dlq_list(struct store *s, const struct dlq_filter *f, const struct page *p, struct dead_letter **ret,
                  size_t *ret_n, struct page_result *ret_page, struct arena *a, struct err *err);
bool sql_dlq_resolve(struct store *s, struct ulid id, struct str by, struct str reason, struct run *replay,
                     struct str definition, struct instant now, struct err *err);
bool sql_user_insert(struct store *s, const struct user *u, struct err *err);
bool sql_user_insert_first_admin(struct store *s, const struct user *u, struct err *err);
bool sql_user_get(struct store *s, struct ulid id, struct user *ret, struct arena *a, struct err *err);
bool sql_user_by_email(struct store *s, struct str email, struct user *ret, struct arena *a, struct err *err);
bool sql_user_update(struct store *s, const struct user *u, struct err *err);
bool sql_admin_exists(struct store *s, bool *ret, struct err *err);
bool sql_session_insert(struct store *s, const struct session *n, struct err *err);
bool sql_session_rotate(struct store *s, const uint8_t old_hash[32], const uint8_t new_hash[32],
                        struct instant now, struct instant expires, struct ulid *ret_user, struct err *err);
bool sql_session_end(struct store *s, const uint8_t token_hash[32], struct err *err);
bool sql_sessions_end_all(struct store *s, struct ulid user_id, struct err *err);
extern const struct sign_on_ops sql_sign_on_ops;
bool sql_setting_get(struct store *s, struct str key, struct str *ret, struct arena *a, struct err *err);
bool sql_setting_put(struct store *s, struct str key, struct str value, struct err *err);
bool sql_setting_insert(struct store *s, struct str key, struct str value, struct err *err);
bool sql_secret_put(struct store *s, const struct secret *v, struct err *err);
bool sql_secret_get(struct store *s, struct ulid scope, struct str name, struct secret *ret, struct arena *a,
                    struct err *err);
bool sql_secrets_page(struct store *s, struct ulid scope, struct str after, bool all, size_t max,
                      struct secret **ret, size_t *ret_n, struct arena *a, struct err *err);
bool sql_secret_reseal(struct store *s, const struct secret *v, struct str expect, bool *ret_done, struct err *err);
bool sql_secret_delete(struct store *s, struct ulid scope, struct str name, struct err *err);
bool sql_memo_get(struct store *s, struct ulid job_id, struct str name, struct str *ret, struct arena *a,
                  struct err *err);
bool sql_memo_put(struct store *s, struct ulid run_id, int64_t token, struct str name, struct str value,
                  struct err *err);
bool sql_memo_set(struct store *s, struct ulid job_id, struct str name, struct str value, struct err *err);
bool sql_breaker_put(struct store *s, const struct breaker_row *row, int64_t expect, struct duration wait,
                     bool *ret_won, struct err *err);
bool sql_breakers_list(struct store *s, struct breaker_row **ret, size_t *ret_n, struct instant *ret_now,
                       struct arena *a, struct err *err);
bool sql_node_register(struct store *s, const struct node *n, struct duration lease, struct err *err);
bool sql_node_renew(struct store *s, int64_t token, struct duration lease, int64_t running,
                    int64_t clock_offset_us, struct err *err);
bool sql_node_publish(struct store *s, int64_t token, int state, struct str view, struct err *err);
bool sql_node_leave(struct store *s, int64_t token, struct err *err);
bool sql_node_want(struct store *s, struct str name, bool drain, struct err *err);
bool sql_nodes_list(struct store *s, struct node **ret, size_t *ret_n, struct instant *ret_now,
                    struct arena *a, struct err *err);
bool sql_changes_read(struct store *s, int64_t after, size_t max, struct change **ret, size_t *ret_n,
                      struct arena *a, struct err *err);
bool sql_changes_last(struct store *s, int64_t *ret, struct err *err);
bool sql_changes_trim(struct store *s, struct duration age, struct err *err);
bool sql_job_definitions(struct store *s, const struct ulid *ids, size_t n, store_definition_fn each,
                         void *ctx, struct err *err);
bool sql_changes_wait(struct store *s, struct duration at_most, struct err *err);
bool sql_duty_hold(struct store *s, struct str name, int64_t token, struct duration lease, bool *ret_held,
                   int64_t *ret_term, struct err *err);
bool sql_duty_release(struct store *s, struct str name, int64_t token, struct err *err);
void sql_events_enable(struct store *s, bool on);
bool sql_events_read(struct store *s, size_t max, struct outbox_event **ret, size_t *ret_n, struct arena *a,
                     struct err *err);
bool sql_events_remove(struct store *s, const int64_t *seqs, size_t n, struct err *err);
bool sql_backlog(struct store *s, struct store_backlog *ret, struct err *err);
bool sql_subscription_put(struct store *s, const struct subscription *v, int64_t expect, struct err *err);
bool sql_subscription_get(struct store *s, struct ulid id, struct subscription *ret, struct arena *a, struct err *err);
bool sql_subscriptions_page(struct store *s, struct ulid job_id, struct ulid after, size_t max,
                            struct subscription **ret, size_t *ret_n, struct arena *a, struct err *err);
bool sql_subscription_delete(struct store *s, struct ulid id, struct instant now, struct err *err);
bool sql_notices_put(struct store *s, const struct notice *v, size_t n, struct err *err);
bool sql_notices_read(struct store *s, size_t max, struct notice **ret, size_t *ret_n, struct arena *a,
                      struct err *err);
bool sql_notices_settle(struct store *s, const struct settlement *v, struct err *err);
bool sql_marks_of(struct store *s, struct ulid job_id, struct notice_mark **ret, size_t *ret_n, struct arena *a,
                  struct err *err);
bool sql_marks_due(struct store *s, struct instant now, size_t max, struct notice_mark **ret, size_t *ret_n,
                   struct arena *a, struct err *err);
bool sql_delivery_get(struct store *s, struct ulid id, struct delivery *ret, struct arena *a, struct err *err);
bool sql_delivery_update(struct store *s, const struct delivery *v, int64_t expect, struct err *err);
bool sql_deliveries_list(struct store *s, const struct delivery_filter *f, const struct page *p,
                         struct delivery **ret, size_t *ret_n, struct page_result *ret_page, struct arena *a,
                         struct err *err);
bool sql_deliveries_due(struct store *s, struct instant now, size_t max, struct delivery **ret, size_t *ret_n,
                        struct arena *a, struct err *err);
bool sql_deliveries_trim(struct store *s, struct instant before, size_t max, size_t *ret_n, struct err *err);
bool sql_plans_overdue(struct store *s, struct instant before, size_t max, struct plan **ret, size_t *ret_n,
                       struct arena *a, struct err *err);
bool sql_history_trim(struct store *s, struct instant before, size_t max, size_t *ret_n, bool *ret_more,
                      struct err *err);
void sql_audit_take(struct store *s, const struct audit_record *v, size_t n);
void sql_audit_drop(struct store *s);
bool sql_audit_append(struct store *s, const struct audit_record *v, size_t n, struct err *err);
bool sql_audit_get(struct store *s, struct ulid id, struct audit_record *ret, struct arena *a, struct err *err);
bool sql_audit_list(struct store *s, const struct audit_filter *f, const struct page *p, struct audit_record **ret,
                    size_t *ret_n, struct page_result *ret_page, struct arena *a, struct err *err);
bool sql_audit_unsealed(struct store *s, struct ulid after, size_t max, struct audit_record **ret, size_t *ret_n,
                        struct arena *a, struct err *err);
bool sql_audit_chain(struct store *s, int64_t after, size_t max, struct audit_record **ret, size_t *ret_n,
                     struct arena *a, struct err *err);
bool sql_audit_marks(struct store *s, int kind, int64_t after, size_t max, struct audit_mark **ret, size_t *ret_n,
                     struct arena *a, struct err *err);
bool sql_audit_seal(struct store *s, const struct audit_seal *w, struct err *err);
bool sql_audit_trim(struct store *s, const struct audit_mark *expect, const struct audit_mark *anchor, struct err *err);

#endif
