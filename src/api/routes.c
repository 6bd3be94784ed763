// SPDX-License-Identifier: Apache-2.0
// THE table of routes. Dispatch, sign-in and rights, the OpenAPI document and the figures per route follow from it; a
// new endpoint is a handler and a row here. Paths are below /api/v1 and /api, ROUTE_ROOT apart.
#include "api/handlers.h"
#include "app/api_key.h"
#include "app/audit_verify.h"
#include "app/breaker.h"
#include "app/bulk.h"
#include "app/cluster.h"
#include "app/dlq.h"
#include "app/feature.h"
#include "app/info.h"
#include "app/job_stats.h"
#include "app/job_type.h"
#include "app/keys.h"
#include "app/ping.h"
#include "app/log_level.h"
#include "app/oidc.h"
#include "app/schedule.h"
#include "app/secret.h"
#include "app/setup.h"
#include "app/user.h"

static const struct query_param oidc_login_params[] = {
    {"return", QUERY_STR, "Path of this server to go to afterwards.", NULL},
    {"cli", QUERY_STR, "SHA-256 of a command line's verifier, which gets a code instead of a session.", NULL},
    {0}};
static const struct query_param oidc_callback_params[] = {
    {"code", QUERY_STR, "What the provider gave.", NULL},
    {"state", QUERY_STR, "What the sign-in was begun with.", NULL},
    {"iss", QUERY_STR, "Who gave it.", NULL},
    {"error", QUERY_STR, "Why there is no code.", NULL},
    {"error_description", QUERY_STR, "The same for people; not shown.", NULL},
    {0}};
#define AUDIT_FILTERS                                                                                              \
    {"outcome", QUERY_ENUM, "How it ended.", audit_outcome_names}, {"actor", QUERY_STR, "E-mail address.", NULL},  \
        {"from", QUERY_INSTANT, "Not before this instant.", NULL},                                                 \
    {"to", QUERY_INSTANT, "Before this instant.", NULL}
static const struct query_param audit_of_params[] = {QUERY_PAGE, AUDIT_FILTERS, {0}};
static const struct query_param audit_params[] = {QUERY_PAGE, AUDIT_FILTERS,
                                                  {"entityType", QUERY_STR, "Kind of what it was done to.", NULL},
                                                  {"entityId", QUERY_STR, "Its identifier.", NULL},
                                                  {"action", QUERY_STR, "What was done.", NULL},
                                                  {"actorId", QUERY_ID, "User who did it.", NULL},
                                                  {0}};
static const struct query_param dry_run[] = {
    {"dryRun", QUERY_BOOL, "Check and show what would be stored, store nothing.", NULL}, {0}};
static const struct query_param batch_params[] = {
    {"partial", QUERY_BOOL, "Store the good ones and answer each job by itself.", NULL},
    {"dryRun", QUERY_BOOL, "Check and show what would be stored, store nothing.", NULL},
    {0}};
static const struct query_param jobs_params[] = {
    QUERY_PAGE,
    {"name", QUERY_STR, "Part of the name, letter case ignored.", NULL},
    {"type", QUERY_STR, "Job type.", NULL},
    {"tag", QUERY_STR, "A tag.", NULL},
    {"status", QUERY_ENUM, "Status of the job.", job_status_names},
    {0}};
static const struct query_param job_stats_params[] = {
    {"last", QUERY_I64, "How many of the newest runs to look at, 1–200.", NULL, 1, JOB_STATS_RUNS_MAX}, {0}};
#define RUN_FILTERS                                                                                               \
    {"status", QUERY_ENUM, "Status of the run.", run_status_names},                                               \
        {"from", QUERY_INSTANT, "Scheduled at this instant or later.", NULL},                                     \
        {"to", QUERY_INSTANT, "Scheduled before this instant.", NULL},                                            \
        {"trigger", QUERY_ENUM, "What started it.", run_trigger_names},                                           \
        {"errorClass", QUERY_STR, "Failed with this class.", NULL},                                               \
        {"workerId", QUERY_STR, "Ran on this node.", NULL}
static const struct query_param runs_params[] = {
    QUERY_PAGE,
    RUN_FILTERS,
    {"jobId", QUERY_ID, "Runs of this job only.", NULL},
    {0}};
static const struct query_param job_runs_params[] = {QUERY_PAGE, RUN_FILTERS, {0}};
static const struct query_param run_at_params[] = {
    {"runAt", QUERY_INSTANT, "When to run; may stand in the body instead.", NULL}, {0}};
static const struct query_param logs_params[] = {
    {"after", QUERY_I64, "Only lines after this one.", NULL},
    {"size", QUERY_I64, "Lines per page, 1–1000.", NULL, 1, 1000},
    {0}};
static const struct query_param stream_params[] = {
    {"after", QUERY_I64, "Only lines after this one; Last-Event-ID wins.", NULL}, {0}};
static const struct query_param explain_params[] = {
    {"at", QUERY_INSTANT, "About this instant; the next fire when absent.", NULL}, {0}};
static const struct query_param events_params[] = {
    {"jobId", QUERY_ID, "Events of this job only.", NULL},
    {"type", QUERY_STR, "Events of jobs of this type only.", NULL},
    {"status", QUERY_ENUM, "Runs that come to this status only.", run_status_names},
    {0}};
static const struct query_param dlq_params[] = {
    QUERY_PAGE,
    {"resolved", QUERY_BOOL, "Resolved ones only, or unresolved ones only.", NULL},
    {"jobId", QUERY_ID, "Dead letters of this job only.", NULL},
    {"errorClass", QUERY_STR, "Those that failed with this class only.", NULL},
    {"to", QUERY_INSTANT, "Created before this instant.", NULL},
    {0}};
static const struct query_param replay_params[] = {
    {"jobId", QUERY_ID, "Dead letters of this job only.", NULL}, {0}};

static const struct query_param secrets_params[] = {
    {"cursor", QUERY_STR, "nextCursor of the page before.", NULL},
    {"size", QUERY_I64, "Rows per page, 1–200.", NULL, 1, PAGE_SIZE_MAX},
    {"teamId", QUERY_ID, "Those of this team only; for its members.", NULL},
    {0}};
static const struct query_param secret_delete_params[] = {
    {"shared", QUERY_BOOL, "The shared one.", NULL},
    {"ownerId", QUERY_ID, "The one of this user; for administrators.", NULL},
    {"teamId", QUERY_ID, "The one of this team; for its members.", NULL},
    {0}};

static const struct query_param users_params[] = {
    QUERY_PAGE,
    {"email", QUERY_STR, "Part of the address.", NULL},
    {"role", QUERY_ENUM, "Who have this role.", role_names},
    {"enabled", QUERY_BOOL, "Those who may sign in only, or those who may not.", NULL},
    {0}};
static const struct query_param transfer_params[] = {
    {"transferTo", QUERY_ID, "User or team that gets the jobs; needed while there are any.", NULL}, {0}};
static const struct query_param api_keys_params[] = {
    QUERY_PAGE,
    {"ownerId", QUERY_ID, "Those of this user; for administrators.", NULL},
    {"all", QUERY_BOOL, "Those of everybody; for administrators.", NULL},
    {0}};
static const struct query_param teams_params[] = {
    QUERY_PAGE, {"mine", QUERY_BOOL, "Only those the caller is in.", NULL}, {0}};

static const struct query_param notifications_params[] = {
    {"cursor", QUERY_STR, "nextCursor of the page before.", NULL},
    {"size", QUERY_I64, "Rows per page, 1–200.", NULL},
    {0}};
static const struct query_param deliveries_params[] = {
    QUERY_PAGE,
    {"status", QUERY_ENUM, "What became of them.", delivery_state_names},
    {"jobId", QUERY_ID, "Messages about this job only.", NULL},
    {"subscriptionId", QUERY_ID, "Messages of this notification only.", NULL},
    {0}};

#define JOB &job_fields
#define NOTIFICATION &subscription_fields
#define DELIVERY &delivery_fields
#define RUN &run_fields
#define LETTER &dead_letter_fields
#define SESSION &session_answer_fields
#define RUN_REQUEST &run_request_fields

// Method, path, action, status, handler, answer, then by name: request, response, query, flags, doc.
const struct route routes[] = {
    {"POST", "/auth/register", ACTION_PUBLIC, 201, api_register, ANSWER_ONE, .request = &registration_fields,
     .response = SESSION, .flags = ROUTE_CALLER, .doc = "Creates an account and signs it in."},
    {"POST", "/auth/login", ACTION_PUBLIC, 200, api_login, ANSWER_ONE, .request = &credentials_fields,
     .response = SESSION, .doc = "Signs in."},
    {"POST", "/auth/refresh", ACTION_PUBLIC, 200, api_refresh, ANSWER_ONE, .request = &refresh_request_fields,
     .response = SESSION, .doc = "Changes a refresh token for new tokens; a used one revokes its family."},
    {"POST", "/auth/logout", ACTION_ACCOUNT_WRITE, 204, api_logout, ANSWER_NONE, .request = &logout_request_fields,
     .flags = ROUTE_BODY_OPTIONAL, .doc = "Ends one session, or all of the caller's, access tokens included."},
    {"GET", "/auth/me", ACTION_SELF, 200, api_me, ANSWER_ONE, .response = &user_fields,
     .doc = "Who the caller is."},
    {"PUT", "/auth/password", ACTION_ACCOUNT_WRITE, 200, api_password, ANSWER_ONE, .request = &password_change_fields,
     .response = SESSION, .doc = "Changes the password, revokes every token and answers new ones."},
    {"GET", "/auth/oidc/login", ACTION_PUBLIC, 302, api_oidc_login, ANSWER_OTHER, .out = "Page",
     .query = oidc_login_params,
     .doc = "Sends a browser to the OpenID provider to sign in."},
    {"GET", "/auth/oidc/callback", ACTION_PUBLIC, 302, api_oidc_callback, ANSWER_OTHER, .out = "Page",
     .query = oidc_callback_params,
     .flags = ROUTE_QUERY_ANY, .doc = "Where the provider sends the browser back to: opens its session."},
    {"POST", "/auth/oidc/token", ACTION_PUBLIC, 200, api_oidc_token, ANSWER_ONE, .request = &oidc_code_fields,
     .response = SESSION, .flags = ROUTE_SHOWN_ONCE, .doc = "Ends the sign-in of a command line by a provider."},
    {"POST", "/auth/keys:rotate", ACTION_KEY_ROTATE, 200, api_keys_rotate, ANSWER_ONE,
     .request = &key_rotation_request_fields, .response = &key_rotation_fields, .flags = ROUTE_BODY_OPTIONAL,
     .doc = "Makes a new key that signs access tokens; the old ones are believed until their tokens have run out."},
    {"POST", "/setup", ACTION_PUBLIC, 201, api_setup, ANSWER_ONE, .request = &setup_request_fields,
     .response = SESSION,
     .doc = "Creates the first administrator with the token the server printed; 409 afterwards."},

    {"POST", "/jobs", ACTION_JOB_WRITE, 201, api_job_create, ANSWER_ONE, .request = JOB, .response = JOB,
     .query = dry_run, .flags = ROUTE_IDEMPOTENT, .out = "SavedJob", .doc = "Creates a job."},
    {"GET", "/jobs", ACTION_JOB_READ, 200, api_jobs_list, ANSWER_LIST, .response = JOB, .query = jobs_params,
     .doc = "Lists jobs, newest first."},
    {"POST", "/jobs:batch", ACTION_JOB_WRITE, 201, api_jobs_batch, ANSWER_OTHER, .query = batch_params,
     .flags = ROUTE_IDEMPOTENT, .in = "JobsBatchInput", .out = "JobsBatch",
     .doc = "Creates up to 1,000 jobs, {\"jobs\":[…]}: all or none, or each by itself with partial=true."},
    {"POST", "/jobs:bulk", ACTION_JOB_RUN, 200, api_jobs_bulk, ANSWER_ONE, .request = &bulk_request_fields,
     .response = &bulk_result_fields, .query = dry_run, .flags = ROUTE_IDEMPOTENT,
     .doc = "Pauses, resumes, deletes or runs all jobs that a filter finds, if they are as many as expected."},
    {"GET", "/jobs/{id}", ACTION_JOB_READ, 200, api_job_get, ANSWER_ONE, .response = JOB, .doc = "Shows a job."},
    {"PUT", "/jobs/{id}", ACTION_JOB_WRITE, 200, api_job_replace, ANSWER_ONE, .request = JOB, .response = JOB,
     .query = dry_run, .flags = ROUTE_IF_MATCH,
     .out = "SavedJob",
     .doc = "Replaces a definition. Members that only the server sets are ignored, so an answer may be sent back."},
    {"PATCH", "/jobs/{id}", ACTION_JOB_WRITE, 200, api_job_patch, ANSWER_ONE, .request = JOB, .response = JOB,
     .query = dry_run, .flags = ROUTE_IF_MATCH, .out = "SavedJob",
     .doc = "Changes members of a definition (JSON Merge Patch, RFC 7396)."},
    {"DELETE", "/jobs/{id}", ACTION_JOB_WRITE, 204, api_job_delete, ANSWER_NONE, .flags = ROUTE_IF_MATCH,
     .doc = "Deletes a job; its history stays."},
    {"POST", "/jobs/{id}:pause", ACTION_JOB_WRITE, 200, api_job_pause, ANSWER_ONE, .response = JOB,
     .doc = "Stops following the schedule; active runs go on."},
    {"POST", "/jobs/{id}:resume", ACTION_JOB_WRITE, 200, api_job_resume, ANSWER_ONE, .response = JOB,
     .doc = "Follows the schedule again; the misfire policy decides on what came due meanwhile."},
    {"POST", "/jobs/{id}:cancel", ACTION_JOB_WRITE, 200, api_job_cancel, ANSWER_ONE, .response = JOB,
     .doc = "Cancels active runs and stops the schedule until resume."},
    {"POST", "/jobs/{id}:run-now", ACTION_JOB_RUN, 202, api_job_run_now, ANSWER_ONE, .request = RUN_REQUEST,
     .response = RUN, .flags = ROUTE_BODY_OPTIONAL | ROUTE_IDEMPOTENT, .doc = "Starts a run at once."},
    {"POST", "/jobs/{id}:schedule", ACTION_JOB_RUN, 202, api_job_schedule, ANSWER_ONE, .request = RUN_REQUEST,
     .response = RUN, .query = run_at_params, .flags = ROUTE_BODY_OPTIONAL | ROUTE_IDEMPOTENT,
     .doc = "Starts an extra run at an instant."},
    {"GET", "/jobs/{id}/stats", ACTION_RUN_READ, 200, api_job_stats_of, ANSWER_ONE, .response = &job_stats_fields,
     .query = job_stats_params,
     .doc = "How a job fares, worked out from its newest runs: durations, delays, rhythm, drift."},
    {"GET", "/jobs/{id}:explain", ACTION_JOB_READ, 200, api_job_explain, ANSWER_OTHER, .out = "Explanation",
     .query = explain_params, .doc = "Tells why a job runs or does not: each decision, and what helps."},
    {"GET", "/jobs/{id}/runs", ACTION_RUN_READ, 200, api_job_runs_list, ANSWER_LIST, .response = RUN,
     .query = job_runs_params, .doc = "Lists the runs of a job, newest first."},
    {"GET", "/jobs/{id}/runs/{runId}", ACTION_RUN_READ, 200, api_job_run_get, ANSWER_ONE, .response = RUN,
     .doc = "Shows a run."},
    {"GET", "/jobs/{id}/runs/{runId}/logs", ACTION_RUN_READ, 200, api_logs_list, ANSWER_OTHER,
     .response = &log_line_fields, .query = logs_params, .out = "LogPage",
     .doc = "Lines of a run's log, oldest first."},
    {"GET", "/jobs/{id}/runs/{runId}/logs:stream", ACTION_RUN_READ, 200, api_logs_stream, ANSWER_STREAM,
     .response = &log_line_fields, .query = stream_params,
     .doc = "Lines of a run's log as they come; \"end\" with the final status closes it."},

    {"POST", "/schedules:preview", ACTION_SCHEDULE_PREVIEW, 200, api_schedule_preview, ANSWER_OTHER,
     .request = &preview_request_fields, .out = "Preview", .doc = "Tells when a schedule will fire."},

    {"GET", "/runs", ACTION_RUN_READ, 200, api_runs_list, ANSWER_LIST, .response = RUN, .query = runs_params,
     .doc = "Lists runs, newest first."},
    {"GET", "/runs/{runId}", ACTION_RUN_READ, 200, api_run_get, ANSWER_ONE, .response = RUN, .doc = "Shows a run."},
    {"POST", "/runs/{runId}:cancel", ACTION_RUN_CANCEL, 202, api_run_cancel, ANSWER_ONE, .response = RUN,
     .doc = "Ends a queued run at once, asks a running one to end."},
    {"POST", "/runs/{runId}:retry", ACTION_JOB_RUN, 202, api_run_retry, ANSWER_ONE, .response = RUN,
     .flags = ROUTE_IDEMPOTENT, .doc = "Starts an ended run again, with its parameters and the job as it is now."},

    {"GET", "/dlq", ACTION_DLQ_READ, 200, api_dlq_list, ANSWER_LIST, .response = LETTER, .query = dlq_params,
     .doc = "Lists dead letters, newest first."},
    {"POST", "/dlq:replay-all", ACTION_DLQ_WRITE, 202, api_dlq_replay_all, ANSWER_ONE,
     .request = &replay_filter_fields, .response = &replay_all_fields, .query = replay_params,
     .flags = ROUTE_BODY_OPTIONAL | ROUTE_IDEMPOTENT, .doc = "Replays unresolved dead letters, oldest first."},
    {"GET", "/dlq/{id}", ACTION_DLQ_READ, 200, api_dlq_get, ANSWER_ONE, .response = LETTER,
     .doc = "Shows a dead letter."},
    {"POST", "/dlq/{id}:replay", ACTION_DLQ_WRITE, 202, api_dlq_replay, ANSWER_ONE, .request = &dlq_replay_fields,
     .response = RUN, .flags = ROUTE_BODY_OPTIONAL | ROUTE_IDEMPOTENT,
     .doc = "Resolves a dead letter by running it again, as it was or as the job is now, perhaps with changes."},
    {"POST", "/dlq/{id}:resolve", ACTION_DLQ_WRITE, 200, api_dlq_resolve, ANSWER_ONE,
     .request = &resolve_request_fields, .response = LETTER, .doc = "Resolves a dead letter without running it."},

    {"PUT", "/secrets/{name}", ACTION_SECRET_WRITE, 200, api_secret_put, ANSWER_ONE,
     .request = &secret_request_fields, .response = &secret_fields, .doc = "Puts the value of a secret."},
    {"GET", "/secrets", ACTION_SECRET_READ, 200, api_secrets_list, ANSWER_LIST, .response = &secret_fields,
     .query = secrets_params, .doc = "Lists names, owners and dates of secrets; values are never shown."},
    {"DELETE", "/secrets/{name}", ACTION_SECRET_WRITE, 204, api_secret_delete, ANSWER_NONE,
     .query = secret_delete_params, .doc = "Deletes a secret; jobs that use it fail from then on."},
    {"POST", "/secrets:rotate", ACTION_SECRET_ROTATE, 200, api_secrets_rotate, ANSWER_ONE,
     .response = &secret_rotation_fields,
     .doc = "Seals secrets again with the first key of secrets.key, a part at a time."},

    {"POST", "/users", ACTION_USER_ADMIN, 201, api_user_create, ANSWER_ONE, .request = &user_request_fields,
     .response = &user_made_fields, .flags = ROUTE_IDEMPOTENT,
     .doc = "Makes an account; without a password one that is good for one sign-in."},
    {"GET", "/users", ACTION_USER_ADMIN, 200, api_users_list, ANSWER_LIST, .response = &user_fields,
     .query = users_params, .doc = "Lists accounts, newest first."},
    {"GET", "/users/{userId}", ACTION_USER_ADMIN, 200, api_user_get, ANSWER_ONE, .response = &user_fields,
     .doc = "Shows an account."},
    {"PATCH", "/users/{userId}", ACTION_USER_ADMIN, 200, api_user_edit, ANSWER_ONE, .request = &user_edit_fields,
     .response = &user_fields, .doc = "Changes roles, disables or enables: at once, and every token is revoked."},
    {"DELETE", "/users/{userId}", ACTION_USER_ADMIN, 204, api_user_delete, ANSWER_NONE, .query = transfer_params,
     .doc = "Deletes an account with its keys and secrets; its history stays. 409 while it owns jobs."},
    {"POST", "/users/{userId}:reset-password", ACTION_USER_ADMIN, 200, api_user_reset_password, ANSWER_ONE,
     .request = &user_reset_fields, .response = &user_made_fields, .flags = ROUTE_BODY_OPTIONAL,
     .doc = "Gives a password that must be changed at the next sign-in, and ends every session."},

    {"GET", "/audit", ACTION_AUDIT_READ, 200, api_audit_list, ANSWER_LIST, .response = &audit_record_fields,
     .query = audit_params, .doc = "Lists the audit trail, newest first."},
    {"GET", "/audit:verify", ACTION_AUDIT_READ, 200, api_audit_verify, ANSWER_ONE, .response = &audit_verdict_fields,
     .doc = "Verifies the whole audit trail and says where it breaks."},
    {"GET", "/audit/entity/{entityType}/{entityId}", ACTION_AUDIT_READ, 200, api_audit_entity, ANSWER_LIST,
     .response = &audit_record_fields, .query = audit_of_params, .doc = "Lists what was done to one thing."},
    {"GET", "/audit/action/{action}", ACTION_AUDIT_READ, 200, api_audit_action, ANSWER_LIST,
     .response = &audit_record_fields, .query = audit_of_params, .doc = "Lists who did one kind of thing."},
    {"GET", "/audit/user/{userId}", ACTION_AUDIT_READ, 200, api_audit_user, ANSWER_LIST,
     .response = &audit_record_fields, .query = audit_of_params, .doc = "Lists what one user did."},

    {"POST", "/api-keys", ACTION_API_KEY_WRITE, 201, api_key_create, ANSWER_ONE, .request = &api_key_request_fields,
     .response = &api_key_made_fields, .flags = ROUTE_IDEMPOTENT | ROUTE_SHOWN_ONCE,
     .doc = "Makes an API key for the caller; it is shown this once."},
    {"GET", "/api-keys", ACTION_API_KEY_READ, 200, api_keys_list, ANSWER_LIST, .response = &api_key_fields,
     .query = api_keys_params, .doc = "Lists the caller's API keys, without the keys themselves."},
    {"DELETE", "/api-keys/{keyId}", ACTION_API_KEY_WRITE, 204, api_key_delete, ANSWER_NONE,
     .doc = "Revokes an API key."},

    {"POST", "/teams", ACTION_TEAM_WRITE, 201, api_team_create, ANSWER_ONE, .request = &team_fields,
     .response = &team_fields, .flags = ROUTE_IDEMPOTENT, .doc = "Makes a team."},
    {"GET", "/teams", ACTION_TEAM_READ, 200, api_teams_list, ANSWER_LIST, .response = &team_fields,
     .query = teams_params, .doc = "Lists the caller's teams, or all."},
    {"GET", "/teams/{teamId}", ACTION_TEAM_READ, 200, api_team_get, ANSWER_ONE, .response = &team_fields,
     .doc = "Shows a team."},
    {"PATCH", "/teams/{teamId}", ACTION_TEAM_WRITE, 200, api_team_edit, ANSWER_ONE, .request = &team_fields,
     .response = &team_fields, .doc = "Changes name or description of a team."},
    {"DELETE", "/teams/{teamId}", ACTION_TEAM_WRITE, 204, api_team_delete, ANSWER_NONE, .query = transfer_params,
     .doc = "Deletes a team with its secrets. 409 while it owns jobs."},
    {"GET", "/teams/{teamId}/members", ACTION_TEAM_READ, 200, api_members_list, ANSWER_LIST,
     .response = &team_member_fields, .doc = "Lists who is in a team, all on one page."},
    {"PUT", "/teams/{teamId}/members/{userId}", ACTION_TEAM_MANAGE, 200, api_member_put, ANSWER_ONE,
     .request = &team_membership_fields, .response = &team_member_fields, .flags = ROUTE_BODY_OPTIONAL,
     .doc = "Takes a user into a team or changes the role; for its managers."},
    {"DELETE", "/teams/{teamId}/members/{userId}", ACTION_TEAM_MANAGE, 204, api_member_remove, ANSWER_NONE,
     .doc = "Takes a user out of a team, whose access ends at once; for its managers, and for who leaves."},

    {"GET", "/breakers", ACTION_BREAKER_READ, 200, api_breakers_list, ANSWER_LIST, .response = &breaker_fields,
     .doc = "Lists the targets of jobs, and whether calls to them are held back because they failed too often."},
    {"POST", "/breakers/{breakerId}:reset", ACTION_BREAKER_WRITE, 200, api_breaker_reset, ANSWER_ONE,
     .response = &breaker_fields, .doc = "Lets calls to a target through again, on every node."},

    {"GET", "/jobs/{id}/ping-url", ACTION_JOB_RUN, 200, api_ping_address, ANSWER_ONE,
     .response = &ping_address_fields, .doc = "Where the work that a MONITOR watches is to ping."},
    {"GET", "/ping/{key}", ACTION_PUBLIC, 200, api_ping, ANSWER_OTHER, .out = "Text", .flags = ROUTE_ROOT,
     .doc = "Tells a MONITOR that its work has ended well."},
    {"POST", "/ping/{key}", ACTION_PUBLIC, 200, api_ping, ANSWER_OTHER, .out = "Text",
     .flags = ROUTE_ROOT | ROUTE_BODY_ANY,
     .doc = "As GET; the body goes to the run's log."},
    {"GET", "/ping/{key}/{word}", ACTION_PUBLIC, 200, api_ping_word, ANSWER_OTHER, .out = "Text", .flags = ROUTE_ROOT,
     .doc = "Tells a MONITOR of its work: start, success, fail, log, or an exit code."},
    {"POST", "/ping/{key}/{word}", ACTION_PUBLIC, 200, api_ping_word, ANSWER_OTHER,
     .out = "Text", .flags = ROUTE_ROOT | ROUTE_BODY_ANY, .doc = "As GET; the body goes to the run's log."},

    {"GET", "/notifications/deliveries", ACTION_NOTIFY_READ, 200, api_deliveries_list, ANSWER_LIST,
     .response = DELIVERY,
     .query = deliveries_params, .doc = "Lists messages, newest first, and what became of them."},
    {"GET", "/notifications/deliveries/{id}", ACTION_NOTIFY_READ, 200, api_delivery_get, ANSWER_ONE,
     .response = DELIVERY, .doc = "Shows a message."},
    {"POST", "/notifications/deliveries/{id}:replay", ACTION_NOTIFY_WRITE, 202, api_delivery_replay, ANSWER_ONE,
     .response = DELIVERY, .flags = ROUTE_IDEMPOTENT, .doc = "Sends a message once more, under the same id."},
    {"POST", "/notifications", ACTION_NOTIFY_WRITE, 201, api_notification_create, ANSWER_ONE, .request = NOTIFICATION,
     .response = NOTIFICATION, .flags = ROUTE_IDEMPOTENT,
     .doc = "Tells somebody about the jobs with a tag, or all jobs, that the caller may see."},
    {"GET", "/notifications", ACTION_NOTIFY_READ, 200, api_notifications_list, ANSWER_LIST, .response = NOTIFICATION,
     .query = notifications_params, .doc = "Lists who is told what, oldest first."},
    {"POST", "/notifications:preview", ACTION_NOTIFY_WRITE, 200, api_notification_preview, ANSWER_OTHER,
     .request = &message_draft_fields, .out = "MessagePreview",
     .doc = "Fills in the words of a notification with a run or a made-up one; nothing is sent."},
    {"GET", "/notifications/{id}", ACTION_NOTIFY_READ, 200, api_notification_get, ANSWER_ONE,
     .response = NOTIFICATION,
     .doc = "Shows a notification."},
    {"PATCH", "/notifications/{id}", ACTION_NOTIFY_WRITE, 200, api_notification_patch, ANSWER_ONE,
     .request = NOTIFICATION, .response = NOTIFICATION, .flags = ROUTE_IF_MATCH,
     .doc = "Changes members (JSON Merge Patch, RFC 7396); \"config\" as a whole."},
    {"DELETE", "/notifications/{id}", ACTION_NOTIFY_WRITE, 204, api_notification_delete, ANSWER_NONE,
     .doc = "Ends a notification; its waiting messages are dropped."},
    {"POST", "/notifications/{id}:test", ACTION_NOTIFY_WRITE, 202, api_notification_test, ANSWER_ONE,
     .response = DELIVERY, .flags = ROUTE_IDEMPOTENT, .doc = "Sends a test message."},
    {"POST", "/jobs/{id}/notifications", ACTION_NOTIFY_WRITE, 201, api_notification_create, ANSWER_ONE,
     .request = NOTIFICATION, .response = NOTIFICATION, .flags = ROUTE_IDEMPOTENT,
     .doc = "Tells somebody about one job."},
    {"GET", "/jobs/{id}/notifications", ACTION_NOTIFY_READ, 200, api_notifications_list, ANSWER_LIST,
     .response = NOTIFICATION, .query = notifications_params, .doc = "Lists who is told about a job."},
    {"GET", "/jobs/{id}/notifications/{notificationId}", ACTION_NOTIFY_READ, 200, api_notification_get, ANSWER_ONE,
     .response = NOTIFICATION, .doc = "Shows a notification of a job."},
    {"PATCH", "/jobs/{id}/notifications/{notificationId}", ACTION_NOTIFY_WRITE, 200, api_notification_patch, ANSWER_ONE,
     .request = NOTIFICATION, .response = NOTIFICATION, .flags = ROUTE_IF_MATCH,
     .doc = "As PATCH /notifications/{id}."},
    {"DELETE", "/jobs/{id}/notifications/{notificationId}", ACTION_NOTIFY_WRITE, 204, api_notification_delete,
     ANSWER_NONE, .doc = "As DELETE /notifications/{id}."},
    {"POST", "/jobs/{id}/notifications/{notificationId}:test", ACTION_NOTIFY_WRITE, 202, api_notification_test,
     ANSWER_ONE, .response = DELIVERY, .flags = ROUTE_IDEMPOTENT, .doc = "As POST /notifications/{id}:test."},

    {"GET", "/events", ACTION_RUN_READ, 200, api_events, ANSWER_STREAM,
     .query = events_params,
     .doc = "Changes of the runs and jobs the caller may see, as they happen. Goes on behind Last-Event-ID; "
            "\"missed\" says "
            "that some were left out."},

    {"GET", "/job-types", ACTION_JOB_TYPE_READ, 200, api_job_types_list, ANSWER_LIST,
     .response = &job_type_info_fields,
     .doc = "What jobs can do: each type with its payload's JSON Schema, examples, and whether it can run here."},
    {"GET", "/job-types/{type}", ACTION_JOB_TYPE_READ, 200, api_job_type_get, ANSWER_ONE,
     .response = &job_type_info_fields, .doc = "Shows a job type."},

    {"GET", "/cluster/nodes", ACTION_CLUSTER_READ, 200, api_nodes_list, ANSWER_LIST, .response = &cluster_node_fields,
     .doc = "Lists the nodes, those that ended in the last hour included."},
    {"POST", "/cluster/nodes/{name}:drain", ACTION_CLUSTER_WRITE, 202, api_node_drain, ANSWER_ONE,
     .response = &cluster_node_fields, .doc = "Asks a node to hand its jobs over and to finish what it runs."},
    {"POST", "/cluster/nodes/{name}:resume", ACTION_CLUSTER_WRITE, 202, api_node_resume, ANSWER_ONE,
     .response = &cluster_node_fields, .doc = "Asks a draining node to take part again."},

    {"GET", "/actuator/health", ACTION_PUBLIC, 200, api_health, ANSWER_OTHER, .flags = ROUTE_ROOT | ROUTE_CALLER,
     .out = "Health",
     .doc = "Whether the server can do its work, by component; with details for those who may read metrics."},
    {"GET", "/actuator/info", ACTION_FEATURE_READ, 200, api_info, ANSWER_ONE, .response = &server_info_fields,
     .flags = ROUTE_ROOT, .doc = "What this server is: version, build, profile, store, job types."},
    {"GET", "/actuator/health/liveness", ACTION_PUBLIC, 200, api_live, ANSWER_OTHER, .flags = ROUTE_ROOT,
     .out = "Health", .doc = "Whether the process answers."},
    {"GET", "/actuator/health/readiness", ACTION_PUBLIC, 200, api_health, ANSWER_OTHER, .flags = ROUTE_ROOT,
     .out = "Health", .doc = "Whether the server can do its work."},
    {"GET", "/livez", ACTION_PUBLIC, 200, api_live, ANSWER_OTHER, .flags = ROUTE_ROOT,
     .out = "Health", .doc = "Whether the process answers."},
    {"GET", "/readyz", ACTION_PUBLIC, 200, api_health, ANSWER_OTHER, .flags = ROUTE_ROOT,
     .out = "Health", .doc = "Whether the server can do its work."},
    {"GET", "/metrics", ACTION_PUBLIC, 200, api_metrics, ANSWER_OTHER, .flags = ROUTE_ROOT | ROUTE_CALLER,
     .out = "Figures",
     .doc = "Figures as OpenMetrics or Prometheus text; open unless the setting metrics.public is false."},
    {"GET", "/actuator/prometheus", ACTION_PUBLIC, 200, api_metrics, ANSWER_OTHER,
     .flags = ROUTE_ROOT | ROUTE_CALLER, .out = "Figures", .doc = "As /metrics."},
    {"GET", "/actuator/job-stats", ACTION_METRICS_READ, 200, api_job_stats, ANSWER_OTHER, .flags = ROUTE_ROOT,
     .out = "ServerStats",
     .doc = "Scheduled jobs and active runs on this node now, and runs that ended since it began, by type and "
            "status."},
    {"GET", "/actuator/cluster-info", ACTION_METRICS_READ, 200, api_cluster_info, ANSWER_ONE,
     .response = &cluster_info_fields, .flags = ROUTE_ROOT, .doc = "This node's part in the cluster."},
    {"GET", "/actuator/features", ACTION_FEATURE_READ, 200, api_features_list, ANSWER_LIST,
     .response = &feature_fields, .flags = ROUTE_ROOT, .doc = "Lists the feature flags and whether they are on."},
    {"PUT", "/actuator/features/{name}", ACTION_FEATURE_WRITE, 200, api_feature_set, ANSWER_ONE,
     .request = &feature_change_fields, .response = &feature_fields, .flags = ROUTE_ROOT,
     .doc = "Turns a part of the server on or off, on every node."},
    {"GET", "/actuator/loglevel", ACTION_LOG_LEVEL, 200, api_log_level, ANSWER_ONE, .response = &log_level_fields,
     .flags = ROUTE_ROOT, .doc = "What this node writes into its log."},
    {"PUT", "/actuator/loglevel", ACTION_LOG_LEVEL, 200, api_log_level_set, ANSWER_ONE,
     .request = &log_level_change_fields, .response = &log_level_fields, .flags = ROUTE_ROOT,
     .doc = "Changes what this node writes into its log, until it ends."},
    {"GET", "/openapi.json", ACTION_PUBLIC, 200, api_openapi, ANSWER_OTHER, .flags = ROUTE_ROOT,
     .out = "Document", .doc = "This interface as an OpenAPI 3.1 document."},
    {"GET", "/v3/api-docs", ACTION_PUBLIC, 200, api_openapi, ANSWER_OTHER, .flags = ROUTE_ROOT,
     .out = "Document", .doc = "As /openapi.json."},
    {"GET", "/docs/api", ACTION_PUBLIC, 200, api_docs_page, ANSWER_OTHER, .out = "Page", .flags = ROUTE_ROOT,
     .doc = "A page to read this interface and to try it."},
    {"GET", "/docs/api/reader.js", ACTION_PUBLIC, 200, api_docs_script, ANSWER_OTHER, .out = "Script",
     .flags = ROUTE_ROOT, .doc = "The script of that page."},
    {"GET", "/docs/api/reader.css", ACTION_PUBLIC, 200, api_docs_style, ANSWER_OTHER, .out = "Style",
     .flags = ROUTE_ROOT, .doc = "The looks of that page."},
    {"GET", "/swagger-ui", ACTION_PUBLIC, 302, api_docs_redirect, ANSWER_NONE, .flags = ROUTE_ROOT,
     .doc = "Leads to /docs/api."},
    {"GET", "/swagger-ui/index.html", ACTION_PUBLIC, 302, api_docs_redirect, ANSWER_NONE, .flags = ROUTE_ROOT,
     .doc = "Leads to /docs/api."},
    {"GET", "/setup", ACTION_PUBLIC, 200, api_setup_page, ANSWER_OTHER, .flags = ROUTE_ROOT,
     .out = "Page", .doc = "A page to create the first administrator."},
    {"GET", "/setup.js", ACTION_PUBLIC, 200, api_setup_script, ANSWER_OTHER, .flags = ROUTE_ROOT,
     .out = "Script", .doc = "The script of that page."},
    {"GET", "/", ACTION_PUBLIC, 200, api_root_page, ANSWER_OTHER, .flags = ROUTE_ROOT,
     .out = "Page", .doc = "Where to go from here."},
};
const size_t routes_n = sizeof routes / sizeof routes[0];
