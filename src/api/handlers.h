// SPDX-License-Identifier: Apache-2.0
// Handlers of the route table, by file. Each answers one route as routes.c describes it.
#ifndef API_HANDLERS_H
#define API_HANDLERS_H

#include "api/call.h"

#define HANDLER(name) bool name(struct call *c, struct err *err)

// job.c
HANDLER(api_job_create);
HANDLER(api_jobs_batch);
HANDLER(api_jobs_list);
HANDLER(api_job_get);
HANDLER(api_job_replace);
HANDLER(api_job_patch);
HANDLER(api_job_delete);
HANDLER(api_job_pause);
HANDLER(api_job_resume);
HANDLER(api_job_cancel);
// bulk.c
HANDLER(api_jobs_bulk);
// explain.c
HANDLER(api_job_explain);
// job_type.c
HANDLER(api_job_types_list);
HANDLER(api_job_type_get);
// run.c
HANDLER(api_job_run_now);
HANDLER(api_job_schedule);
HANDLER(api_runs_list);
HANDLER(api_job_runs_list);
HANDLER(api_run_get);
HANDLER(api_job_run_get);
HANDLER(api_run_cancel);
HANDLER(api_run_retry);
HANDLER(api_logs_list);
// stream.c
HANDLER(api_logs_stream);
HANDLER(api_events);
// dlq.c
HANDLER(api_dlq_list);
HANDLER(api_dlq_get);
HANDLER(api_dlq_replay);
HANDLER(api_dlq_resolve);
HANDLER(api_dlq_replay_all);
// secret.c
HANDLER(api_secret_put);
HANDLER(api_secrets_list);
HANDLER(api_secret_delete);
HANDLER(api_secrets_rotate);
// schedule.c
HANDLER(api_schedule_preview);
// session.c
HANDLER(api_register);
HANDLER(api_login);
HANDLER(api_refresh);
HANDLER(api_logout);
HANDLER(api_me);
HANDLER(api_password);
// oidc.c
HANDLER(api_oidc_login);
HANDLER(api_oidc_callback);
HANDLER(api_oidc_token);
// key.c
HANDLER(api_keys_rotate);
// user.c
HANDLER(api_user_create);
HANDLER(api_users_list);
HANDLER(api_user_get);
HANDLER(api_user_edit);
HANDLER(api_user_delete);
HANDLER(api_user_reset_password);
// api_key.c
HANDLER(api_key_create);
HANDLER(api_keys_list);
HANDLER(api_key_delete);
// team.c
HANDLER(api_team_create);
HANDLER(api_teams_list);
HANDLER(api_team_get);
HANDLER(api_team_edit);
HANDLER(api_team_delete);
HANDLER(api_members_list);
HANDLER(api_member_put);
HANDLER(api_member_remove);
// setup.c
HANDLER(api_setup_page);
HANDLER(api_setup_script);
HANDLER(api_setup);
// health.c
HANDLER(api_health);
HANDLER(api_live);
HANDLER(api_metrics);
HANDLER(api_job_stats);
HANDLER(api_info);
// job_stats.c
HANDLER(api_job_stats_of);
// ping.c
HANDLER(api_ping);
HANDLER(api_ping_word);
HANDLER(api_ping_address);
// breaker.c
HANDLER(api_audit_list);
HANDLER(api_audit_entity);
HANDLER(api_audit_action);
HANDLER(api_audit_user);
HANDLER(api_audit_verify);
HANDLER(api_breakers_list);
HANDLER(api_breaker_reset);
// notification.c
HANDLER(api_notification_create);
HANDLER(api_notification_get);
HANDLER(api_notifications_list);
HANDLER(api_notification_patch);
HANDLER(api_notification_delete);
HANDLER(api_notification_test);
HANDLER(api_notification_preview);
HANDLER(api_deliveries_list);
HANDLER(api_delivery_get);
HANDLER(api_delivery_replay);
// cluster.c
HANDLER(api_nodes_list);
HANDLER(api_node_drain);
HANDLER(api_node_resume);
HANDLER(api_cluster_info);
// feature.c
HANDLER(api_features_list);
HANDLER(api_feature_set);
HANDLER(api_log_level);
HANDLER(api_log_level_set);
// openapi.c
HANDLER(api_openapi);
// docs.c
HANDLER(api_docs_page);
HANDLER(api_docs_script);
HANDLER(api_docs_style);
HANDLER(api_docs_redirect);
HANDLER(api_root_page);

// Request bodies that belong to no model, and the tables of them.
struct run_request {
    struct str parameters;
    struct instant run_at;
};
struct refresh_request {
    struct str refresh_token;
};
struct resolve_request {
    struct str reason;
};
struct secret_request {
    struct str value;
    bool shared;
    struct ulid team_id;
};
extern const struct fields secret_request_fields;
extern const struct fields run_request_fields, refresh_request_fields, logout_request_fields, resolve_request_fields,
    dlq_replay_fields, replay_filter_fields;

// One object as this interface shows it.
void job_write(struct call *c, const struct job *j, const struct strs *warnings);
void run_write(struct call *c, const struct run *r);
// The same as the answer to who made it, with the headers of that.
void job_created(struct call *c, const struct job *j, const struct strs *warnings);
void run_started(struct call *c, const struct run *r);
// ,"warnings":[…] after other members.
void warnings_write(struct call *c, const struct strs *warnings);

#endif
