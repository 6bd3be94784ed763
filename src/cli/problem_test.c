// SPDX-License-Identifier: Apache-2.0
// From status and error code to exit code.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/client.h"

static void each_status_has_one_exit_code(void **state)
{
    (void)state;
    static const struct { int status, code; } rows[] = {
        {200, CLI_OK}, {201, CLI_OK}, {204, CLI_OK}, {304, CLI_FAILURE}, {400, CLI_FAILURE}, {401, CLI_DENIED},
        {403, CLI_DENIED}, {404, CLI_NOT_FOUND}, {409, CLI_CONFLICT}, {410, CLI_NOT_FOUND}, {412, CLI_CONFLICT},
        {413, CLI_FAILURE}, {422, CLI_FAILURE}, {429, CLI_FAILURE}, {500, CLI_FAILURE}, {502, CLI_UNREACHABLE},
        {503, CLI_UNREACHABLE}, {504, CLI_UNREACHABLE}, {507, CLI_FAILURE}, {0, CLI_FAILURE}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(problem_exit(rows[i].status), rows[i].code);
}

static void every_error_code_is_a_failure_of_some_kind(void **state)
{
    (void)state;
    assert_int_equal(problem_exit_of(ERR_NONE), CLI_OK);
    for (int code = ERR_NONE + 1; code <= ERR_INTERNAL; code++)
        assert_int_not_equal(problem_exit_of((enum err_code)code), CLI_OK);
    assert_int_equal(problem_exit_of(ERR_INVALID), CLI_USAGE);
    assert_int_equal(problem_exit_of(ERR_NOT_FOUND), CLI_NOT_FOUND);
    assert_int_equal(problem_exit_of(ERR_DENIED), CLI_DENIED);
    assert_int_equal(problem_exit_of(ERR_CONFLICT), CLI_CONFLICT);
    assert_int_equal(problem_exit_of(ERR_UNAVAILABLE), CLI_UNREACHABLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_status_has_one_exit_code),
        cmocka_unit_test(every_error_code_is_a_failure_of_some_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
