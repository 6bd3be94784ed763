// SPDX-License-Identifier: Apache-2.0
// Who may do what: one table role × action. The answer is a reach: none, one's own objects, or all. Whether
// an object is one's own is decided where the object is loaded (app); another owner's object then answers
// "not found".
//
// ADMIN may do all. OPERATOR sees and runs all jobs, cancels and replays, and changes no definition. USER
// has his own. VIEWER sees all and changes nothing. AUDITOR sees all and the audit trail. Several roles:
// the farthest reach.
#ifndef AUTH_POLICY_H
#define AUTH_POLICY_H

#include "model/user.h"

enum action {
    ACTION_SELF,             // own account: who am I
    ACTION_ACCOUNT_WRITE,    // own account: password, sessions, sign-out
    ACTION_API_KEY_READ,     // own API keys; all of them with the reach "all"
    ACTION_API_KEY_WRITE,
    ACTION_SCHEDULE_PREVIEW, // next fires of an expression; touches no stored object
    ACTION_JOB_TYPE_READ,    // what jobs can do here; touches no stored object
    ACTION_JOB_READ,         // definitions, next fires, explain
    ACTION_JOB_WRITE,        // create, edit, pause, resume, delete
    ACTION_JOB_RUN,          // run now, retry, schedule an extra run
    ACTION_RUN_READ,         // runs, their logs and events
    ACTION_RUN_CANCEL,
    ACTION_DLQ_READ,
    ACTION_DLQ_WRITE,        // replay, resolve
    ACTION_SECRET_READ,      // names and dates, never values
    ACTION_SECRET_WRITE,     // put and delete; those of everybody need the reach "all"
    ACTION_SECRET_ROTATE,    // seal all with the newest key
    ACTION_BREAKER_READ,
    ACTION_BREAKER_WRITE,    // let calls to a target through again
    ACTION_AUDIT_READ,
    ACTION_NOTIFY_READ,      // subscriptions and deliveries
    ACTION_NOTIFY_WRITE,
    ACTION_TEAM_READ,
    ACTION_TEAM_WRITE,       // make, rename and delete teams
    ACTION_TEAM_MANAGE,      // take people in and out; own: of teams whose manager one is
    ACTION_FEATURE_READ,     // feature flags
    ACTION_FEATURE_WRITE,
    ACTION_LOG_LEVEL,        // what the server writes into its log, at run time
    ACTION_METRICS_READ,     // figures of the whole server
    ACTION_CLUSTER_READ,
    ACTION_CLUSTER_WRITE,    // drain and resume nodes
    ACTION_USER_ADMIN,
    ACTION_KEY_ROTATE,       // a new signing key of access tokens
    ACTION_COUNT
};

enum reach { REACH_NONE, REACH_OWN, REACH_ALL };

// Farthest reach that any of the roles (bits 1 << enum role) has; bits that are no role count for nothing.
enum reach policy_reach(unsigned role_bits, enum action action);
const char *action_name(enum action action); // "job.read", for audit, scopes and messages
// The action of a name, or −1.
int action_find(struct str name);
// Whether a key may do it only when its scopes name it: "*" leaves out what concerns accounts.
bool action_needs_naming(enum action action);

#endif
