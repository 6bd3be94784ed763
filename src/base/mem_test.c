// SPDX-License-Identifier: Apache-2.0
// Unit tests of base/mem.
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "base/mem.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static void arrays_are_zeroed_and_keep_their_content_when_resized(void **state)
{
    (void)state;
    int *v = mem_array(100, sizeof *v);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(v[i], 0);
        v[i] = i;
    }
    v = mem_resize(v, 10000, sizeof *v);
    for (int i = 0; i < 100; i++)
        assert_int_equal(v[i], i);
    mem_free(v);
    int *one = mem_new(int);
    assert_int_equal(*one, 0);
    mem_free(one);
    mem_free(NULL);
}

static void empty_arrays_are_valid_too(void **state)
{
    (void)state;
    void *v = mem_array(0, 8);
    assert_non_null(v);
    v = mem_resize(v, 0, 8);
    assert_non_null(v);
    mem_free(v);
    v = mem_resize(NULL, 3, 8);
    assert_non_null(v);
    mem_free(v);
}

static void an_overflowing_size_ends_the_process(void **state)
{
    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        (void)close(STDERR_FILENO);
        size_t huge = SIZE_MAX / 2;
        mem_free(mem_resize(NULL, huge, 3));
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arrays_are_zeroed_and_keep_their_content_when_resized),
        cmocka_unit_test(empty_arrays_are_valid_too),
        cmocka_unit_test(an_overflowing_size_ends_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
