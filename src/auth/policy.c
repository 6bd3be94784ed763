// SPDX-License-Identifier: Apache-2.0
// The one table of rights. Change it here and in policy_test.c, which holds the expected matrix on its own.
#include "auth/policy.h"

enum { ROLE_COUNT = ROLE_AUDITOR + 1 };

#define NONE REACH_NONE
#define OWN REACH_OWN
#define ALL REACH_ALL

static const struct {
    const char *name;
    enum reach reach[ROLE_COUNT];
} rights[ACTION_COUNT] = {
    //                                               ADMIN OPERATOR USER VIEWER AUDITOR
    [ACTION_SELF] = {"self",                         {OWN,  OWN,    OWN,  OWN,  OWN}},
    [ACTION_ACCOUNT_WRITE] = {"account.write",       {OWN,  OWN,    OWN,  OWN,  OWN}},
    [ACTION_API_KEY_READ] = {"api-key.read",         {ALL,  OWN,    OWN,  OWN,  OWN}},
    [ACTION_API_KEY_WRITE] = {"api-key.write",       {ALL,  OWN,    OWN,  OWN,  OWN}},
    [ACTION_SCHEDULE_PREVIEW] = {"schedule.preview", {ALL,  ALL,    ALL,  ALL,  ALL}},
    [ACTION_JOB_TYPE_READ] = {"job-type.read",       {ALL,  ALL,    ALL,  ALL,  ALL}},
    [ACTION_JOB_READ] = {"job.read",                 {ALL,  ALL,    OWN,  ALL,  ALL}},
    [ACTION_JOB_WRITE] = {"job.write",               {ALL,  NONE,   OWN,  NONE, NONE}},
    [ACTION_JOB_RUN] = {"job.run",                   {ALL,  ALL,    OWN,  NONE, NONE}},
    [ACTION_RUN_READ] = {"run.read",                 {ALL,  ALL,    OWN,  ALL,  ALL}},
    [ACTION_RUN_CANCEL] = {"run.cancel",             {ALL,  ALL,    OWN,  NONE, NONE}},
    [ACTION_DLQ_READ] = {"dlq.read",                 {ALL,  ALL,    OWN,  ALL,  ALL}},
    [ACTION_DLQ_WRITE] = {"dlq.write",               {ALL,  ALL,    OWN,  NONE, NONE}},
    [ACTION_SECRET_READ] = {"secret.read",           {ALL,  NONE,   OWN,  NONE, ALL}},
    [ACTION_SECRET_WRITE] = {"secret.write",         {ALL,  NONE,   OWN,  NONE, NONE}},
    [ACTION_SECRET_ROTATE] = {"secret.rotate",       {ALL,  NONE,   NONE, NONE, NONE}},
    [ACTION_BREAKER_READ] = {"breaker.read",         {ALL,  ALL,    ALL,  ALL,  ALL}},
    [ACTION_BREAKER_WRITE] = {"breaker.write",       {ALL,  NONE,   NONE, NONE, NONE}},
    [ACTION_AUDIT_READ] = {"audit.read",             {ALL,  NONE,   NONE, NONE, ALL}},
    [ACTION_NOTIFY_READ] = {"notification.read",     {ALL,  ALL,    OWN,  ALL,  ALL}},
    [ACTION_NOTIFY_WRITE] = {"notification.write",   {ALL,  NONE,   OWN,  NONE, NONE}},
    [ACTION_TEAM_READ] = {"team.read",               {ALL,  ALL,    OWN,  ALL,  ALL}},
    [ACTION_TEAM_WRITE] = {"team.write",             {ALL,  NONE,   NONE, NONE, NONE}},
    [ACTION_TEAM_MANAGE] = {"team.manage",           {ALL,  NONE,   OWN,  NONE, NONE}},
    [ACTION_FEATURE_READ] = {"feature.read",         {ALL,  ALL,    ALL,  ALL,  ALL}},
    [ACTION_FEATURE_WRITE] = {"feature.write",       {ALL,  NONE,   NONE, NONE, NONE}},
    [ACTION_LOG_LEVEL] = {"log.level",               {ALL,  NONE,   NONE, NONE, NONE}},
    [ACTION_METRICS_READ] = {"metrics.read",         {ALL,  ALL,    NONE, ALL,  ALL}},
    [ACTION_CLUSTER_READ] = {"cluster.read",         {ALL,  NONE,   NONE, NONE, NONE}},
    [ACTION_CLUSTER_WRITE] = {"cluster.write",       {ALL,  NONE,   NONE, NONE, NONE}},
    [ACTION_USER_ADMIN] = {"user.admin",             {ALL,  NONE,   NONE, NONE, NONE}},
    [ACTION_KEY_ROTATE] = {"key.rotate",             {ALL,  NONE,   NONE, NONE, NONE}},
};

enum reach policy_reach(unsigned role_bits, enum action action)
{
    must((unsigned)action < ACTION_COUNT);
    enum reach farthest = REACH_NONE;
    for (int role = 0; role < ROLE_COUNT; role++)
        if ((role_bits & 1u << role) && rights[action].reach[role] > farthest)
            farthest = rights[action].reach[role];
    return farthest;
}

const char *action_name(enum action action)
{
    must((unsigned)action < ACTION_COUNT);
    return rights[action].name;
}

int action_find(struct str name)
{
    for (int i = 0; i < ACTION_COUNT; i++)
        if (str_is(name, rights[i].name))
            return i;
    return -1;
}

bool action_needs_naming(enum action action)
{
    return action == ACTION_ACCOUNT_WRITE || action == ACTION_API_KEY_WRITE || action == ACTION_USER_ADMIN;
}
