// SPDX-License-Identifier: Apache-2.0
// Unit tests of base/metrics.
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "base/metrics.h"

#include "base/sync.h"

static struct metric ok_runs = METRIC_COUNTER_INIT("t_runs_total", "outcome=\"OK\"", "Runs that ended.");
static struct metric between = METRIC_GAUGE_INIT("t_queue", "", "Waiting \\ now\nhere.");
static struct metric bad_runs = METRIC_COUNTER_INIT("t_runs_total", "outcome=\"BAD\"", "Runs that ended.");
static struct metric delay = METRIC_HISTOGRAM_INIT("t_delay_seconds", "", "Delay.");
static struct metric took = METRIC_HISTOGRAM_INIT("t_took_seconds", "type=\"HTTP\"", "Took.");
static struct metric shared = METRIC_COUNTER_INIT("t_shared_total", "", "Shared.");

static void values_are_grouped_by_name_with_one_head_each(void **state)
{
    (void)state;
    metric_add(&ok_runs, 2);
    metric_add(&ok_runs, 1);
    metric_set(&between, -4);
    metric_register(&bad_runs);
    metric_register(&bad_runs);
    struct sbuf b;
    sbuf_init(&b, NULL, 1 << 20);
    metrics_write(&b, METRICS_TEXT);
    assert_string_equal(b.p, "# HELP t_queue Waiting \\\\ now\\nhere.\n"
                             "# TYPE t_queue gauge\n"
                             "t_queue -4\n"
                             "# HELP t_runs_total Runs that ended.\n"
                             "# TYPE t_runs_total counter\n"
                             "t_runs_total{outcome=\"BAD\"} 0\n"
                             "t_runs_total{outcome=\"OK\"} 3\n");
    assert_true(metric_value(&ok_runs) == 3 && metric_value(&between) == -4);
    sbuf_release(&b);
}

static void histograms_are_cumulative_seconds(void **state)
{
    (void)state;
    metric_observe(&took, (struct duration){50});
    metric_observe(&took, (struct duration){51});
    metric_observe(&took, (struct duration){-7});
    metric_observe(&took, duration_s(1000));
    struct sbuf b;
    sbuf_init(&b, NULL, 1 << 20);
    metrics_write(&b, METRICS_TEXT);
    static const char *const lines[] = {
        "# TYPE t_took_seconds histogram\n"
        "t_took_seconds_bucket{type=\"HTTP\",le=\"0.00005\"} 2\n"
        "t_took_seconds_bucket{type=\"HTTP\",le=\"0.0001\"} 3\n",
        "le=\"0.0002\"} 3\n",
        "le=\"209.7152\"} 3\nt_took_seconds_bucket{type=\"HTTP\",le=\"+Inf\"} 4\n"
        "t_took_seconds_sum{type=\"HTTP\"} 1000.000101\n"
        "t_took_seconds_count{type=\"HTTP\"} 4\n",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        if (!strstr(b.p, lines[i]))
            fail_msg("%s is not in\n%s", lines[i], b.p);
    assert_int_equal(metric_value(&took), 4);
    sbuf_release(&b);
}

static struct metric cpu = METRIC_SECONDS_INIT(METRIC_COUNTER, "t_cpu_seconds_total", "", "With \"quotes\".");
static struct metric build = METRIC_INFO_INIT("t_build_info", "version=\"1\"", "What it is.");
static const struct metric_bounds two = {2, {1000000, 60000000}};
static struct metric few = METRIC_BOUNDED_INIT("t_few_seconds", "", "Few.", &two);

static void openmetrics_names_families_without_suffixes(void **state)
{
    (void)state;
    metric_set(&cpu, 1500000);
    metric_register(&build);
    metric_observe(&few, duration_s(60));
    struct metric_label labels[] = {{"job", STR("a \"b\"\\\n")}};
    struct sbuf b;
    sbuf_init(&b, NULL, 1 << 20);
    metrics_write(&b, METRICS_OPEN);
    metrics_head(&b, METRICS_OPEN, "t_job_time_seconds", METRIC_GAUGE, "Time.");
    metrics_sample(&b, "t_job_time_seconds", labels, 1, -2500000);
    metrics_end(&b, METRICS_OPEN);
    static const char *const lines[] = {
        "# HELP t_cpu_seconds With \\\"quotes\\\".\n# TYPE t_cpu_seconds counter\nt_cpu_seconds_total 1.5\n",
        "# TYPE t_build info\nt_build_info{version=\"1\"} 1\n",
        ("t_few_seconds_bucket{le=\"1.0\"} 0\nt_few_seconds_bucket{le=\"60.0\"} 1\n"
         "t_few_seconds_bucket{le=\"+Inf\"} 1\nt_few_seconds_sum 60.0\n"),
        "t_job_time_seconds{job=\"a \\\"b\\\"\\\\\\n\"} -2.5\n# EOF\n",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        if (!strstr(b.p, lines[i]))
            fail_msg("%s is not in\n%s", lines[i], b.p);
    sbuf_release(&b);
}

static void quantiles_are_the_bound_of_their_bucket(void **state)
{
    (void)state;
    assert_true(metric_quantile(&delay, 0.5).us == 0); // nothing seen yet
    for (int i = 0; i < 98; i++)
        metric_observe(&delay, (struct duration){60});
    metric_observe(&delay, (struct duration){1500});
    metric_observe(&delay, duration_s(3600));
    assert_true(metric_quantile(&delay, 0).us == 100);
    assert_true(metric_quantile(&delay, 0.5).us == 100);
    assert_true(metric_quantile(&delay, 0.98).us == 100);
    assert_true(metric_quantile(&delay, 0.99).us == 1600);
    assert_true(metric_quantile(&delay, 1).us == INT64_MAX);
}

static void *add_thousand(void *arg)
{
    for (int i = 0; i < 1000; i++)
        metric_add(arg, 1);
    return NULL;
}

static void threads_may_share_a_metric_from_its_first_use(void **state)
{
    (void)state;
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        threads[i] = thread_start("adder", add_thousand, &shared);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(metric_value(&shared), 4000);
    struct sbuf b;
    sbuf_init(&b, NULL, 1 << 20);
    metrics_write(&b, METRICS_TEXT);
    char *first = strstr(b.p, "\nt_shared_total 4000\n");
    assert_true(first && !strstr(first + 1, "\nt_shared_total "));
    sbuf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_grouped_by_name_with_one_head_each),
        cmocka_unit_test(histograms_are_cumulative_seconds),
        cmocka_unit_test(openmetrics_names_families_without_suffixes),
        cmocka_unit_test(quantiles_are_the_bound_of_their_bucket),
        cmocka_unit_test(threads_may_share_a_metric_from_its_first_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
