// SPDX-License-Identifier: Apache-2.0
// sim --seed N [--seeds N|A..B] [--nodes N|A..B] [--jobs N] [--hours H] [--faults all|none] [--verbose 1]
// Replays a seed exactly; prints the trace hash, and the first violation of a seed that fails.
#include "tests/sim/hosts.h"

static const char usage[] = "usage: sim --seed N [--seeds N|A..B] [--nodes N|3..5] [--jobs N] [--hours N]"
                            " [--faults all|none] [--verbose 1]\n"
                            "           [--without unique|cas|token|version|lease|starts|publish]\n";

static bool number(const char *text, int64_t *ret)
{
    return str_to_i64(str_of(text), ret);
}

struct range { int64_t low, high; };

// "3..5"
static bool range_of(struct str text, struct range *ret)
{
    struct str rest, head = str_split(text, '.', &rest);
    (void)str_split(rest, '.', &rest);
    return head.n < text.n && str_to_i64(head, &ret->low) && str_to_i64(rest, &ret->high) && ret->low >= 0 &&
           ret->high >= ret->low;
}

static bool option(struct sim_options *o, int64_t *seeds, struct range *nodes, struct str name, const char *value)
{
    struct range r;
    int64_t n = 0;
    struct str v = str_of(value);
    bool numeric = number(value, &n);
    if (str_is(name, "--faults") && (str_is(v, "all") || str_is(v, "none")))
        o->faults = str_is(v, "all");
    else if (str_is(name, "--without") && str_is(v, "unique"))
        o->weak.no_run_unique = true;
    else if (str_is(name, "--without") && str_is(v, "cas"))
        o->weak.no_fire_cas = true;
    else if (str_is(name, "--without") && str_is(v, "token"))
        o->weak.no_token = true;
    else if (str_is(name, "--without") && str_is(v, "version"))
        o->weak.no_version = true;
    else if (str_is(name, "--without") && str_is(v, "lease"))
        o->weak.no_lease = true;
    else if (str_is(name, "--without") && str_is(v, "starts"))
        o->weak.no_starts = true;
    else if (str_is(name, "--without") && str_is(v, "publish"))
        o->late_publish = true;
    else if (str_is(name, "--seed") && numeric)
        o->seed = (uint64_t)n;
    else if (str_is(name, "--seeds") && numeric && n > 0)
        *seeds = n;
    else if (str_is(name, "--seeds") && range_of(v, &r)) {
        o->seed = (uint64_t)r.low;
        *seeds = r.high - r.low + 1;
    } else if (str_is(name, "--nodes") && numeric && n >= 0 && n <= HOSTS_MAX)
        *nodes = (struct range){n, n};
    else if (str_is(name, "--nodes") && range_of(v, &r) && r.low > 0 && r.high <= HOSTS_MAX)
        *nodes = r;
    else if (str_is(name, "--jobs") && numeric && n > 0)
        o->jobs = (int)n;
    else if (str_is(name, "--hours") && numeric && n > 0)
        o->hours = (double)n;
    else if (str_is(name, "--verbose") && numeric)
        o->verbose = n != 0;
    else
        return false;
    return true;
}

int main(int argc, char **argv)
{
    struct sim_options o = {.seed = 1, .jobs = 1000, .hours = 24, .faults = true};
    struct range nodes = {0, 0}; // of a range each seed has its own
    int64_t seeds = 1, bad = 0;
    for (int i = 1; i < argc; i += 2)
        if (i + 1 >= argc || !option(&o, &seeds, &nodes, str_of(argv[i]), argv[i + 1])) {
            (void)fputs(usage, stderr);
            return 2;
        }
    for (; seeds > 0; seeds--, o.seed++) {
        o.nodes = (int)(nodes.low + (int64_t)(o.seed % (uint64_t)(nodes.high - nodes.low + 1)));
        struct sim_result r = sim_run(&o);
        printf("seed %llu trace %016llx runs %lld starts %lld boots %lld faults %lld steps %lld operations %lld: %s\n",
               (unsigned long long)o.seed, (unsigned long long)r.trace, (long long)r.runs, (long long)r.starts,
               (long long)r.boots, (long long)r.store_faults, (long long)r.clock_steps, (long long)r.operations,
               r.violations ? r.first : "ok");
        (void)fflush(stdout);
        bad += r.violations > 0;
    }
    return bad > 0;
}
