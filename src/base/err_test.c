// SPDX-License-Identifier: Apache-2.0
// Unit tests of base/err.
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "base/err.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static void an_error_keeps_code_text_and_place(void **state)
{
    (void)state;
    struct err err = {.field = "/old"};
    assert_false(ERR(&err, ERR_NOT_FOUND, "job \"%s\" does not exist", "a"));
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_string_equal(err.text, "job \"a\" does not exist");
    assert_string_equal(err.field, "");
    assert_true(err.line > 0 && strstr(err.file, "err_test.c") != NULL);
    assert_false(err_wrap(&err, "run %d", 7));
    assert_string_equal(err.text, "run 7: job \"a\" does not exist");
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_false(err_at(&err, "/job"));
    assert_string_equal(err.field, "/job");
    assert_false(ERR(&err, ERR_CONFIG, "again: %s", err.text)); // its own text as an argument
    assert_string_equal(err.text, "again: run 7: job \"a\" does not exist");
}

static void system_errors_carry_errno_and_full_disks_their_own_code(void **state)
{
    (void)state;
    struct err err;
    errno = EACCES;
    assert_false(ERR_ERRNO(&err, "open \"%s\"", "x"));
    assert_int_equal(err.code, ERR_IO);
    assert_int_equal(err.native, EACCES);
    assert_string_equal(err.text, "open \"x\": Permission denied");
    errno = ENOSPC;
    assert_false(ERR_ERRNO(&err, "write"));
    assert_int_equal(err.code, ERR_FULL);
    errno = EDQUOT;
    assert_false(ERR_ERRNO(&err, "write"));
    assert_int_equal(err.code, ERR_FULL);
}

static void long_texts_are_cut_between_characters(void **state)
{
    (void)state;
    struct err err;
    char text[ERR_TEXT_MAX * 2];
    for (size_t shift = 0; shift < 4; shift++) {
        memset(text, 'a', sizeof text);
        for (size_t i = shift; i + 3 < sizeof text; i += 3)
            memcpy(text + i, "\xE2\x82\xAC", 3);
        text[sizeof text - 1] = '\0';
        (void)ERR(&err, ERR_INVALID, "%s", text);
        size_t n = strlen(err.text);
        assert_true(n >= ERR_TEXT_MAX - 4 && n < ERR_TEXT_MAX);
        assert_true(str_utf8_valid(str_of(err.text)));
        (void)err_wrap(&err, "%s", "x");
        assert_true(str_utf8_valid(str_of(err.text)));
        (void)err_at(&err, text);
        assert_true(str_utf8_valid(str_of(err.field)) && strlen(err.field) >= ERR_FIELD_MAX - 4);
    }
}

static void every_code_has_its_own_name(void **state)
{
    (void)state;
    for (int i = ERR_NONE; i <= ERR_INTERNAL; i++) {
        assert_non_null(err_code_name((enum err_code)i));
        for (int k = ERR_NONE; k < i; k++)
            assert_string_not_equal(err_code_name((enum err_code)i), err_code_name((enum err_code)k));
    }
    assert_string_equal(err_code_name((enum err_code)99), "INTERNAL");
}

static void faults_are_collected_up_to_their_bound(void **state)
{
    (void)state;
    struct arena a;
    struct faults f;
    struct err err;
    arena_init(&a, 1 << 20);
    faults_init(&f, &a);
    assert_false(faults_any(&f));
    faults_add(&f, STR("/name"), "must be %d", 5);
    (void)ERR(&err, ERR_INVALID, "is wrong");
    (void)err_at(&err, "/cron");
    faults_add_err(&f, STR("/schedule"), &err);
    assert_true(faults_any(&f));
    assert_int_equal(f.n, 2);
    assert_true(str_is(f.v[0].pointer, "/name") && str_is(f.v[0].detail, "must be 5"));
    assert_true(str_is(f.v[1].pointer, "/schedule/cron") && str_is(f.v[1].detail, "is wrong"));
    for (int i = 0; i < 2 * FAULTS_MAX; i++)
        faults_add(&f, STR(""), "x");
    assert_int_equal(f.n, FAULTS_MAX);
    arena_release(&a);
}

static void a_fault_counts_even_without_memory(void **state)
{
    (void)state;
    struct arena a;
    struct faults f;
    arena_init(&a, 0);
    faults_init(&f, &a);
    faults_add(&f, STR("/name"), "must be set");
    assert_int_equal(f.n, 1);
    assert_true(f.v[0].detail.n > 0 && f.v[0].pointer.p);
    arena_release(&a);
}

static void a_broken_invariant_aborts(void **state)
{
    (void)state;
    must(1 + 1 == 2);
    pid_t pid = fork();
    if (pid == 0) {
        (void)close(STDERR_FILENO);
        must(1 + 1 == 3);
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_error_keeps_code_text_and_place),
        cmocka_unit_test(system_errors_carry_errno_and_full_disks_their_own_code),
        cmocka_unit_test(long_texts_are_cut_between_characters),
        cmocka_unit_test(every_code_has_its_own_name),
        cmocka_unit_test(faults_are_collected_up_to_their_bound),
        cmocka_unit_test(a_fault_counts_even_without_memory),
        cmocka_unit_test(a_broken_invariant_aborts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
