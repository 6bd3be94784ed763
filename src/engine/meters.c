// SPDX-License-Identifier: Apache-2.0
// The engine's metrics.
#include "engine/meters.h"

#include <pthread.h>
#include <stdio.h>

#include "base/metrics.h"

enum { TYPE_OTHER = 0, TYPES_MAX = 64, STATUSES = RUN_MISSED + 1, LABELS_LEN_MAX = 64 };

// By type (job_types[i] is i + 1) and status. Most types there may ever be: the table is static, so that
// counting is one atomic add.
static struct metric runs[TYPES_MAX][STATUSES];
static char runs_labels[TYPES_MAX][STATUSES][LABELS_LEN_MAX];
static struct metric durations[TYPES_MAX];
static char duration_labels[TYPES_MAX][LABELS_LEN_MAX];
static struct metric start_delay =
    METRIC_BOUNDED_INIT("chronos_start_delay_seconds", "",
                        "From due instant to start, of attempts that ended.", &metric_bounds_delays);
static struct metric flush_seconds =
    METRIC_HISTOGRAM_INIT("chronos_flush_seconds", "", "Time of one transaction of the engine.");
static struct metric missed = METRIC_COUNTER_INIT("chronos_fires_missed_total", "",
                                                  "Occurrences that were not run because it was too late.");
static struct metric retries = METRIC_COUNTER_INIT("chronos_retries_total", "", "Further attempts planned.");
static struct metric dead_letters =
    METRIC_COUNTER_INIT("chronos_dead_lettered_total", "", "Occurrences that used up their attempts.");
static struct metric stale_finishes = METRIC_COUNTER_INIT(
    "chronos_stale_results_total", "", "Results refused because the run had another owner or had ended.");
static struct metric given_up = METRIC_COUNTER_INIT("chronos_attempts_given_up_total", "",
                                                    "Attempts that did not end within timeout and grace.");
static struct metric bad_plans =
    METRIC_COUNTER_INIT("chronos_plans_unreadable_total", "", "Plans that could not be loaded.");
static struct metric active = METRIC_GAUGE_INIT("chronos_runs_active", "", "Attempts in flight.");
static struct metric depth = METRIC_GAUGE_INIT("chronos_queue_depth", "queue=\"due\"",
                                               "Work that waits, by what for."),
                     waiting = METRIC_GAUGE_INIT("chronos_queue_depth", "queue=\"later\"",
                                                 "Work that waits, by what for.");
static struct metric plans = METRIC_GAUGE_INIT("chronos_plans", "", "Plans held in memory.");
static struct metric last_tick =
    METRIC_SECONDS_INIT(METRIC_GAUGE, "chronos_scheduler_last_tick_timestamp_seconds", "",
                        "When the scheduler last looked (Unix time).");

static void register_type(size_t type, const char *name)
{
    for (int s = RUN_SUCCEEDED; s <= RUN_MISSED; s++) {
        struct metric *m = &runs[type][s];
        char *labels = runs_labels[type][s];
        (void)snprintf(labels, LABELS_LEN_MAX, "type=\"%s\",outcome=\"%s\"", name, run_status_names[s]);
        *m = (struct metric)METRIC_COUNTER_INIT("chronos_runs_total", labels,
                                                "Runs that ended, by job type and outcome.");
        metric_register(m);
    }
    (void)snprintf(duration_labels[type], LABELS_LEN_MAX, "type=\"%s\"", name);
    durations[type] = (struct metric)METRIC_BOUNDED_INIT(
        "chronos_run_duration_seconds", duration_labels[type],
        "From start to end of an attempt, by job type.", &metric_bounds_runs);
    metric_register(&durations[type]);
}

static void register_types(void)
{
    register_type(TYPE_OTHER, "OTHER");
    for (size_t i = 0; job_types[i] && i + 1 < TYPES_MAX; i++)
        register_type(i + 1, job_types[i]->name);
}

uint8_t meter_type(struct str name)
{
    for (size_t i = 0; job_types[i] && i + 1 < TYPES_MAX; i++)
        if (str_is(name, job_types[i]->name))
            return (uint8_t)(i + 1);
    return TYPE_OTHER;
}

void meters_register(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, register_types);
    struct metric *all[] = {&start_delay,    &flush_seconds, &missed,    &retries, &dead_letters,
                            &stale_finishes, &given_up,      &bad_plans, &active,  &depth,
                            &waiting,        &plans,         &last_tick};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        metric_register(all[i]);
}

void meter_run_ended(uint8_t type, int status)
{
    must(run_status_final(status));
    metric_add(&runs[type][status], 1);
}

int64_t meter_runs(size_t type, int status)
{
    must(type < TYPES_MAX && run_status_final(status));
    return metric_value(&runs[type][status]);
}

void meter_run_took(uint8_t type, struct duration d) { metric_observe(&durations[type], d); }

void meter_start_delay(struct duration d)
{
    metric_observe(&start_delay, d.us > 0 ? d : (struct duration){0});
}

void meter_missed(int64_t occurrences) { metric_add(&missed, occurrences); }
void meter_retry(void) { metric_add(&retries, 1); }
void meter_dead_letter(void) { metric_add(&dead_letters, 1); }
void meter_stale_finish(void) { metric_add(&stale_finishes, 1); }
void meter_given_up(void) { metric_add(&given_up, 1); }
void meter_bad_plan(int64_t n) { metric_add(&bad_plans, n); }
void meter_flush(struct duration d) { metric_observe(&flush_seconds, d); }

void meter_status(const struct engine_status *s)
{
    metric_set(&active, s->running);
    metric_set(&depth, s->ready);
    metric_set(&waiting, s->queued);
    metric_set(&plans, s->plans);
    metric_set(&last_tick, s->last_tick.us);
}
