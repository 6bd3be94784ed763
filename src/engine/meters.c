// SPDX-License-Identifier: Apache-2.0
// The engine's metrics.
#include "engine/meters.h"

#include "base/metrics.h"

#define RUNS(word) METRIC_COUNTER_INIT("chronos_runs_total", "outcome=\"" word "\"", "Runs that ended, by outcome.")
static struct metric runs[] = {
    [RUN_SUCCEEDED] = RUNS("SUCCEEDED"), [RUN_FAILED] = RUNS("FAILED"), [RUN_TIMED_OUT] = RUNS("TIMED_OUT"),
    [RUN_CANCELLED] = RUNS("CANCELLED"), [RUN_LOST] = RUNS("LOST"),     [RUN_SKIPPED] = RUNS("SKIPPED"),
    [RUN_MISSED] = RUNS("MISSED"),
};
static struct metric start_delay =
    METRIC_HISTOGRAM_INIT("chronos_start_delay_seconds", "", "From the due instant of a run to its start.");
static struct metric flush_seconds =
    METRIC_HISTOGRAM_INIT("chronos_flush_seconds", "", "Time of one transaction of the engine.");
static struct metric missed =
    METRIC_COUNTER_INIT("chronos_fires_missed_total", "", "Occurrences that were not run because it was too late.");
static struct metric retries = METRIC_COUNTER_INIT("chronos_retries_total", "", "Further attempts planned.");
static struct metric dead_letters =
    METRIC_COUNTER_INIT("chronos_dead_letters_total", "", "Occurrences that used up their attempts.");
static struct metric stale_finishes = METRIC_COUNTER_INIT(
    "chronos_stale_results_total", "", "Results refused because the run had another owner or had ended.");
static struct metric given_up = METRIC_COUNTER_INIT(
    "chronos_attempts_given_up_total", "", "Attempts that did not end within timeout and grace.");
static struct metric bad_plans =
    METRIC_COUNTER_INIT("chronos_plans_unreadable_total", "", "Plans that could not be loaded.");
static struct metric active = METRIC_GAUGE_INIT("chronos_runs_active", "", "Attempts in flight.");
static struct metric depth = METRIC_GAUGE_INIT("chronos_queue_depth", "", "Due work waiting for room.");
static struct metric plans = METRIC_GAUGE_INIT("chronos_plans", "", "Plans held in memory.");
static struct metric last_tick = METRIC_GAUGE_INIT("chronos_scheduler_last_tick_timestamp_seconds", "",
                                                   "When the scheduler last looked (Unix time).");

void meters_register(void)
{
    for (int s = RUN_SUCCEEDED; s <= RUN_MISSED; s++)
        metric_register(&runs[s]);
    struct metric *all[] = {&start_delay, &flush_seconds, &missed,    &retries, &dead_letters, &stale_finishes,
                            &given_up,    &bad_plans,     &active,    &depth,   &plans,        &last_tick};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        metric_register(all[i]);
}

void meter_run_ended(int status)
{
    must(run_status_final(status));
    metric_add(&runs[status], 1);
}

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
    metric_set(&plans, s->plans);
    metric_set(&last_tick, s->last_tick.us / US_PER_S);
}
