// SPDX-License-Identifier: Apache-2.0
// Reads of a server's database, each run once more when the connection it took turned out to be lost:
// connections that wait idle do not learn that the server was restarted.
#ifndef STORE_SQL_AGAIN_H
#define STORE_SQL_AGAIN_H

#include "store/store.h"

bool again_plans_page(struct store *s, struct ulid after, size_t max, bool all, struct plan **ret,
                      size_t *ret_n, size_t *ret_bad, struct arena *a, struct err *err);
bool again_plans_get(struct store *s, const struct ulid *ids, size_t n, struct plan **ret, size_t *ret_n,
                     struct arena *a, struct err *err);
bool again_runs_unfinished(struct store *s, struct ulid after, size_t max, struct run **ret, size_t *ret_n,
                           struct arena *a, struct err *err);
bool again_job_definition(struct store *s, struct ulid id, struct str *ret_text, int64_t *ret_version,
                          struct arena *a, struct err *err);
bool again_job_get(struct store *s, struct ulid id, struct job *ret, struct arena *a, struct err *err);
bool again_jobs_list(struct store *s, const struct job_filter *f, const struct page *p, struct job **ret,
                     size_t *ret_n, struct page_result *ret_page, struct arena *a, struct err *err);
bool again_run_get(struct store *s, struct ulid id, struct run *ret, struct arena *a, struct err *err);
bool again_runs_list(struct store *s, const struct run_filter *f, const struct page *p, struct run **ret,
                     size_t *ret_n, struct page_result *ret_page, struct arena *a, struct err *err);
bool again_logs_read(struct store *s, struct ulid run_id, int64_t after, size_t max, struct log_line **ret,
                     size_t *ret_n, struct arena *a, struct err *err);
bool again_dlq_get(struct store *s, struct ulid id, struct dead_letter *ret, struct arena *a,
                   struct err *err);
bool again_dlq_list(struct store *s, const struct dlq_filter *f, const struct page *p,
                    struct dead_letter **ret, size_t *ret_n, struct page_result *ret_page, struct arena *a,
                    struct err *err);
bool again_user_get(struct store *s, struct ulid id, struct user *ret, struct arena *a, struct err *err);
bool again_user_by_email(struct store *s, struct str email, struct user *ret, struct arena *a,
                         struct err *err);
bool again_admin_exists(struct store *s, bool *ret, struct err *err);
bool again_setting_get(struct store *s, struct str key, struct str *ret, struct arena *a, struct err *err);
bool again_secret_get(struct store *s, struct ulid scope, struct str name, struct secret *ret, struct arena *a,
                      struct err *err);
bool again_secrets_page(struct store *s, struct ulid scope, struct str after, bool all, size_t max,
                        struct secret **ret, size_t *ret_n, struct arena *a, struct err *err);
bool again_subscription_get(struct store *s, struct ulid id, struct subscription *ret, struct arena *a,
                            struct err *err);
bool again_subscriptions_page(struct store *s, struct ulid job_id, struct ulid after, size_t max,
                              struct subscription **ret, size_t *ret_n, struct arena *a, struct err *err);
bool again_delivery_get(struct store *s, struct ulid id, struct delivery *ret, struct arena *a, struct err *err);
bool again_deliveries_list(struct store *s, const struct delivery_filter *f, const struct page *p,
                           struct delivery **ret, size_t *ret_n, struct page_result *ret_page, struct arena *a,
                           struct err *err);
bool again_memo_get(struct store *s, struct ulid job_id, struct str name, struct str *ret, struct arena *a,
                    struct err *err);
bool again_breakers_list(struct store *s, struct breaker_row **ret, size_t *ret_n, struct instant *ret_now,
                         struct arena *a, struct err *err);
bool again_nodes_list(struct store *s, struct node **ret, size_t *ret_n, struct instant *ret_now,
                      struct arena *a, struct err *err);
bool again_changes_read(struct store *s, int64_t after, size_t max, struct change **ret, size_t *ret_n,
                        struct arena *a, struct err *err);
bool again_changes_last(struct store *s, int64_t *ret, struct err *err);
bool again_events_read(struct store *s, size_t max, struct outbox_event **ret, size_t *ret_n, struct arena *a,
                       struct err *err);
bool again_audit_get(struct store *s, struct ulid id, struct audit_record *ret, struct arena *a, struct err *err);
bool again_audit_list(struct store *s, const struct audit_filter *f, const struct page *p, struct audit_record **ret,
                    size_t *ret_n, struct page_result *ret_page, struct arena *a, struct err *err);
bool again_audit_unsealed(struct store *s, struct ulid after, size_t max, struct audit_record **ret, size_t *ret_n,
                        struct arena *a, struct err *err);
bool again_audit_chain(struct store *s, int64_t after, size_t max, struct audit_record **ret, size_t *ret_n,
                     struct arena *a, struct err *err);
bool again_audit_marks(struct store *s, int kind, int64_t after, size_t max, struct audit_mark **ret, size_t *ret_n,
                     struct arena *a, struct err *err);

#endif
