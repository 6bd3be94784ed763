// SPDX-License-Identifier: Apache-2.0
// Some seeds in the everyday suite: no promise is broken; a seed replays exactly; and each protection of the
// store, turned off, is missed (a checker that finds nothing proves nothing).
#include "tests/sim/sim.h"

enum { SEEDS = 40, SEEDS_MUTANT = 200, SEED_FIRST = 100 };

static int failures, cases;

static void report(bool ok, const char *what, const char *detail)
{
    printf("%sok %d - %s%s%s\n", ok ? "" : "not ", ++cases, what, detail[0] ? " # " : "", detail);
    (void)fflush(stdout);
    failures += !ok;
}

static void no_promise_is_broken(bool faults)
{
    char detail[512];
    for (int i = 0; i < SEEDS; i++) {
        struct sim_options o = {.seed = (uint64_t)(SEED_FIRST + i), .jobs = 100, .hours = 24, .faults = faults};
        struct sim_result r = sim_run(&o);
        (void)snprintf(detail, sizeof detail, "seed %d: %lld runs, %lld boots %s", SEED_FIRST + i, (long long)r.runs,
                       (long long)r.boots, r.first);
        report(r.violations == 0 && r.starts > 0,
               faults ? "no promise is broken in a day of faults" : "no promise is broken in a quiet day", detail);
    }
}

static void a_seed_replays_exactly(void)
{
    struct sim_options o = {.seed = SEED_FIRST, .jobs = 50, .hours = 12, .faults = true};
    uint64_t first = sim_run(&o).trace, second = sim_run(&o).trace;
    o.seed++;
    report(first == second && sim_run(&o).trace != first, "a seed replays exactly and another one differs", "");
}

static void a_missing_protection_is_noticed(const char *name, struct store_weakness weak)
{
    char detail[512];
    for (int i = 0; i < SEEDS_MUTANT; i++) {
        struct sim_options o = {.seed = (uint64_t)(SEED_FIRST + i), .jobs = 60, .hours = 24, .faults = true,
                                .weak = weak};
        struct sim_result r = sim_run(&o);
        if (r.violations == 0)
            continue;
        (void)snprintf(detail, sizeof detail, "found at seed %d of %d: %s", i + 1, SEEDS_MUTANT, r.first);
        report(true, name, detail);
        return;
    }
    report(false, name, "no seed noticed");
}

int main(void)
{
    printf("1..%d\n", 2 * SEEDS + 4);
    no_promise_is_broken(false);
    no_promise_is_broken(true);
    a_seed_replays_exactly();
    a_missing_protection_is_noticed("the store without unique runs is found out",
                                    (struct store_weakness){.no_run_unique = true});
    a_missing_protection_is_noticed("the store without fencing tokens is found out",
                                    (struct store_weakness){.no_token = true});
    a_missing_protection_is_noticed("the store without plan versions is found out",
                                    (struct store_weakness){.no_version = true});
    return failures > 0;
}
