// SPDX-License-Identifier: Apache-2.0
// Runs every API script: once as written, then again and again with the nth store call failing.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <glob.h>

#include "base/log.h"
#include "script.h"

enum { PATH_TEXT_MAX = 4096, CALLS_MAX = 2000 };

static void scripts(glob_t *ret)
{
    char pattern[PATH_TEXT_MAX];
    const char *root = getenv("CHRONOS_SOURCE_ROOT");
    (void)snprintf(pattern, sizeof pattern, "%s/tests/api/scripts/*.api", root ? root : ".");
    assert_int_equal(glob(pattern, 0, NULL, ret), 0);
}

static void every_script_gets_the_answers_it_expects(void **state)
{
    (void)state;
    glob_t g;
    scripts(&g);
    int failures = 0;
    for (size_t i = 0; i < g.gl_pathc; i++) {
        struct world w;
        struct script_result r;
        world_open(&w);
        script_run(&w, g.gl_pathv[i], false, &r);
        world_close(&w);
        assert_true(r.requests > 0);
        failures += r.failures;
    }
    globfree(&g);
    assert_int_equal(failures, 0);
}

struct nth {
    const struct world *w;
    int left; // calls until the one that fails
    bool hit;
};

static enum store_fault fail_nth(void *ctx, const char *op, bool writes)
{
    struct nth *n = ctx;
    (void)op;
    (void)writes;
    if (n->w->moving || n->left-- != 0)
        return FAULT_NONE;
    n->hit = true;
    return FAULT_FAIL;
}

struct counts {
    size_t jobs, runs, fired;
};

static void count_job(void *ctx, const struct job_row *row)
{
    struct counts *c = ctx;
    assert_true(row->version == row->plan.version); // definition and plan were written together
    c->jobs++;
}

static void count_letter(void *ctx, const struct dead_letter *d)
{
    struct counts *c = ctx;
    if (d->resolved && str_is(d->resolution, "replayed"))
        c->fired++;
    (void)ctx;
}

static void check_whole(struct world *w)
{
    struct counts c = {0};
    store_memory_each_job(w->store, count_job, &c);
    store_memory_each_dead_letter(w->store, count_letter, &c);
    assert_true(c.fired <= store_memory_run_count(w->store)); // a replay has its run
}

static void a_failing_store_call_gives_a_proper_problem_and_nothing_half_written(void **state)
{
    (void)state;
    glob_t g;
    scripts(&g);
    int failures = 0;
    for (size_t i = 0; i < g.gl_pathc; i++)
        for (int n = 0; n < CALLS_MAX; n++) {
            struct world w;
            struct script_result r;
            struct nth nth = {.w = &w, .left = n};
            world_open(&w);
            store_memory_set_faults(w.store, (struct store_faults){fail_nth, &nth});
            script_run(&w, g.gl_pathv[i], true, &r);
            store_memory_set_faults(w.store, (struct store_faults){0});
            check_whole(&w);
            world_close(&w);
            failures += r.failures;
            if (!nth.hit)
                break;
        }
    globfree(&g);
    assert_int_equal(failures, 0);
}

int main(void)
{
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_script_gets_the_answers_it_expects),
        cmocka_unit_test(a_failing_store_call_gives_a_proper_problem_and_nothing_half_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
