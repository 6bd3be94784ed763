// SPDX-License-Identifier: Apache-2.0
// The matrix of rights, written out a second time as a picture: a slip in the table shows here.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "auth/policy.h"

enum { ROLES = ROLE_AUDITOR + 1 };

// One character per role in the order of enum role: A = all, o = own, - = none.
static const char *const expected[ACTION_COUNT] = {
    [ACTION_SELF] = "ooooo",
    [ACTION_ACCOUNT_WRITE] = "ooooo",
    [ACTION_API_KEY_READ] = "Aoooo",
    [ACTION_API_KEY_WRITE] = "Aoooo",
    [ACTION_SCHEDULE_PREVIEW] = "AAAAA",
    [ACTION_JOB_TYPE_READ] = "AAAAA",
    [ACTION_JOB_READ] = "AAoAA",
    [ACTION_JOB_WRITE] = "A-o--",
    [ACTION_JOB_RUN] = "AAo--",
    [ACTION_RUN_READ] = "AAoAA",
    [ACTION_RUN_CANCEL] = "AAo--",
    [ACTION_DLQ_READ] = "AAoAA",
    [ACTION_DLQ_WRITE] = "AAo--",
    [ACTION_SECRET_READ] = "A-o-A",
    [ACTION_SECRET_WRITE] = "A-o--",
    [ACTION_SECRET_ROTATE] = "A----",
    [ACTION_BREAKER_READ] = "AAAAA",
    [ACTION_BREAKER_WRITE] = "A----",
    [ACTION_AUDIT_READ] = "A---A",
    [ACTION_NOTIFY_READ] = "AAoAA",
    [ACTION_NOTIFY_WRITE] = "A-o--",
    [ACTION_TEAM_READ] = "AAoAA",
    [ACTION_TEAM_WRITE] = "A----",
    [ACTION_TEAM_MANAGE] = "A-o--",
    [ACTION_FEATURE_READ] = "AAAAA",
    [ACTION_FEATURE_WRITE] = "A----",
    [ACTION_LOG_LEVEL] = "A----",
    [ACTION_METRICS_READ] = "AA-AA",
    [ACTION_CLUSTER_READ] = "A----",
    [ACTION_CLUSTER_WRITE] = "A----",
    [ACTION_USER_ADMIN] = "A----",
    [ACTION_KEY_ROTATE] = "A----",
};

static char letter(enum reach r)
{
    return r == REACH_ALL ? 'A' : r == REACH_OWN ? 'o' : '-';
}

static void every_role_has_exactly_the_rights_of_the_matrix(void **state)
{
    (void)state;
    for (int action = 0; action < ACTION_COUNT; action++) {
        char row[ROLES + 1] = {0};
        for (int role = 0; role < ROLES; role++)
            row[role] = letter(policy_reach(1u << role, (enum action)action));
        print_message("# %-18s %s\n", action_name((enum action)action), row);
        assert_string_equal(row, expected[action]);
    }
}

static void without_a_role_nothing_is_allowed(void **state)
{
    (void)state;
    for (int action = 0; action < ACTION_COUNT; action++) {
        assert_int_equal(policy_reach(0, (enum action)action), REACH_NONE);
        assert_int_equal(policy_reach(~0u << ROLES, (enum action)action), REACH_NONE);
    }
}

static void several_roles_give_the_farthest_reach(void **state)
{
    (void)state;
    unsigned user_viewer = 1u << ROLE_USER | 1u << ROLE_VIEWER;
    assert_int_equal(policy_reach(user_viewer, ACTION_JOB_READ), REACH_ALL);
    assert_int_equal(policy_reach(user_viewer, ACTION_JOB_WRITE), REACH_OWN);
    assert_int_equal(policy_reach(user_viewer, ACTION_USER_ADMIN), REACH_NONE);
}

static void actions_are_found_by_their_names(void **state)
{
    (void)state;
    for (int action = 0; action < ACTION_COUNT; action++)
        assert_int_equal(action_find(str_of(action_name((enum action)action))), action);
    assert_int_equal(action_find(STR("job.fly")), -1);
    assert_int_equal(action_find(STR("")), -1);
    assert_true(action_needs_naming(ACTION_USER_ADMIN));
    assert_false(action_needs_naming(ACTION_JOB_READ));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_role_has_exactly_the_rights_of_the_matrix),
        cmocka_unit_test(actions_are_found_by_their_names),
        cmocka_unit_test(without_a_role_nothing_is_allowed),
        cmocka_unit_test(several_roles_give_the_farthest_reach),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
