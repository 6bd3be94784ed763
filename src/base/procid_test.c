// SPDX-License-Identifier: Apache-2.0
// A process that runs is not gone, one that has ended is, and of a stranger nothing is known.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/procid.h"

static struct arena a;

static void we_are_not_gone(void **state)
{
    (void)state;
    struct str self = procid_self(&a);
    assert_non_null(self.p);
    assert_false(procid_gone(NULL, self));
}

static void who_has_ended_is_gone(void **state)
{
    (void)state;
    int fds[2];
    char text[512];
    assert_int_equal(pipe(fds), 0);
    pid_t child = fork();
    if (child == 0) {
        struct str self = procid_self(&a);
        _exit(write(fds[1], self.p, self.n) == (ssize_t)self.n ? 0 : 1);
    }
    ssize_t n = read(fds[0], text, sizeof text);
    assert_true(n > 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_true(procid_gone(NULL, str_of_n(text, (size_t)n)));
    close(fds[0]);
    close(fds[1]);
}

static void a_number_used_again_is_another_process(void **state)
{
    (void)state;
    struct str self = procid_self(&a);
    struct str other = arena_fmt(&a, "%.*s9", STR_ARG(self));
    assert_true(procid_gone(NULL, other));
}

static void strangers_are_not_known(void **state)
{
    (void)state;
    assert_false(procid_gone(NULL, STR("")));
    assert_false(procid_gone(NULL, STR("another-boot/pid:[1]/1/1")));
    struct str self = procid_self(&a);
    assert_false(procid_gone(NULL, str_of_n(self.p, self.n / 2)));
}

static int setup(void **state)
{
    (void)state;
    arena_init(&a, 1 << 16);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_release(&a);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(we_are_not_gone),
        cmocka_unit_test(who_has_ended_is_gone),
        cmocka_unit_test(a_number_used_again_is_another_process),
        cmocka_unit_test(strangers_are_not_known),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
