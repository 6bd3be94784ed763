// SPDX-License-Identifier: Apache-2.0
// Waiting runs are woken on their loop, each by pings of its own job only, and not after they left.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/sync.h"
#include "jobs/monitors.h"
#include "net/loop.h"

enum { WAITS = 3 };

struct one {
    struct monitor_wait base; // first
    _Atomic int woken;
};

static void on_woken(struct monitor_wait *w) { atomic_fetch_add(&((struct one *)w)->woken, 1); }

static void nothing(void *arg, uint64_t n)
{
    (void)arg;
    (void)n;
}

static void only_the_jobs_own_runs_are_woken(void **state)
{
    (void)state;
    struct err err;
    struct loop *loop = loop_new("monitors", clock_real(), &err);
    struct monitors *m = monitors_new();
    const struct ulid a = {{1}}, b = {{2}};
    struct one v[WAITS] = {0};
    assert_non_null(loop);
    for (int i = 0; i < WAITS; i++) {
        v[i].base = (struct monitor_wait){.job_id = i == 0 ? a : b, .loop = loop, .woken = on_woken};
        monitors_add(m, &v[i].base);
    }
    monitors_wake(m, b);
    assert_true(loop_call(loop, nothing, NULL, 0)); // what was posted before has run
    assert_int_equal(v[0].woken, 0);
    assert_int_equal(v[1].woken, 1);
    assert_int_equal(v[2].woken, 1);
    monitors_remove(m, &v[1].base);
    monitors_wake(m, b);
    monitors_wake(m, a);
    monitors_remove(m, &v[2].base); // a message may be on its way to it
    assert_true(loop_call(loop, nothing, NULL, 0));
    assert_int_equal(v[0].woken, 1);
    assert_int_equal(v[1].woken, 1);
    assert_true(v[2].woken <= 2);
    monitors_remove(m, &v[0].base);
    monitors_wake(m, a);
    loop_free(loop);
    monitors_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_jobs_own_runs_are_woken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
