// SPDX-License-Identifier: Apache-2.0
// Some seeds in the everyday suite, of one engine alone and of clusters: no promise is broken; a seed replays exactly;
// and each protection, turned off, is missed (a checker that finds nothing proves nothing).
#include "tests/sim/sim.h"

enum { SEEDS = 40, SEEDS_MUTANT = 200, SEED_FIRST = 100, NODES_LEAST = 3, NODES_MORE = 3 };
enum { SEEDS_CLUSTER = 100, SEEDS_CLUSTER_SANITIZED = 15 }; // a change of stacks costs a sanitizer much

static int failures, cases, seeds_cluster = SEEDS_CLUSTER;

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

static struct sim_options cluster_of(int i)
{
    return (struct sim_options){.seed = (uint64_t)(SEED_FIRST + i), .jobs = 60, .hours = 2, .faults = i % 5 != 0,
                                .nodes = NODES_LEAST + i % NODES_MORE};
}

static void no_promise_is_broken_by_a_cluster(void)
{
    char detail[512];
    for (int i = 0; i < seeds_cluster; i++) {
        struct sim_options o = cluster_of(i);
        struct sim_result r = sim_run(&o);
        (void)snprintf(detail, sizeof detail, "sim --seed %d --nodes %d --jobs %d --hours %d%s: %lld runs %s",
                       SEED_FIRST + i, o.nodes, o.jobs, (int)o.hours, o.faults ? "" : " --faults none",
                       (long long)r.runs, r.first);
        report(r.violations == 0 && r.starts > 0, "no promise is broken by a cluster", detail);
    }
}

static void a_cluster_replays_exactly(void)
{
    struct sim_options o = cluster_of(1);
    uint64_t first = sim_run(&o).trace, second = sim_run(&o).trace;
    o.seed++;
    report(first == second && sim_run(&o).trace != first, "a cluster replays exactly and another one differs", "");
}

static void is_noticed(const char *name, struct sim_options o, int seeds)
{
    char detail[512];
    for (int i = 0; i < seeds; i++, o.seed++) {
        struct sim_result r = sim_run(&o);
        if (r.violations == 0)
            continue;
        (void)snprintf(detail, sizeof detail, "found at seed %d of %d: %s", i + 1, seeds, r.first);
        report(true, name, detail);
        return;
    }
    report(false, name, "no seed noticed");
}

static void a_missing_protection_is_noticed(const char *name, struct store_weakness weak)
{
    struct sim_options o = {.seed = SEED_FIRST, .jobs = 60, .hours = 24, .faults = true, .weak = weak};
    is_noticed(name, o, SEEDS_MUTANT);
}

static void a_cluster_notices(const char *name, struct store_weakness weak, bool late_publish)
{
    struct sim_options o = cluster_of(1);
    o.weak = weak;
    o.late_publish = late_publish;
    is_noticed(name, o, SEEDS_MUTANT);
}

int main(void)
{
    const struct store_weakness unique = {.no_run_unique = true}, token = {.no_token = true};
    const struct store_weakness version = {.no_version = true}, lease = {.no_lease = true};
    const struct store_weakness starts = {.no_starts = true};
    const struct store_weakness none = {.no_lease = false};
    const char *sanitized = getenv("CHRONOS_SANITIZED");
    if (sanitized && sanitized[0])
        seeds_cluster = SEEDS_CLUSTER_SANITIZED;
    printf("1..%d\n", 2 * SEEDS + 4 + seeds_cluster + 7);
    no_promise_is_broken(false);
    no_promise_is_broken(true);
    a_seed_replays_exactly();
    a_missing_protection_is_noticed("the store without unique runs is found out", unique);
    a_missing_protection_is_noticed("the store without fencing tokens is found out", token);
    a_missing_protection_is_noticed("the store without plan versions is found out", version);
    a_missing_protection_is_noticed("the store that loses what follows is found out", starts);
    no_promise_is_broken_by_a_cluster();
    a_cluster_replays_exactly();
    a_cluster_notices("a cluster without unique runs is found out", unique, false);
    a_cluster_notices("a cluster without fencing tokens is found out", token, false);
    a_cluster_notices("a cluster without plan versions is found out", version, false);
    a_cluster_notices("a cluster that does not check leases is found out", lease, false);
    a_cluster_notices("nodes that look before they publish are found out", none, true);
    return failures > 0;
}
