// SPDX-License-Identifier: Apache-2.0
// Counters, gauges and histograms in Prometheus text format (version 0.0.4). Metrics are file-scope
// structs that register themselves at first use; updating one is a relaxed atomic add.
// Names and units: prometheus.io/docs/practices/naming.
#ifndef BASE_METRICS_H
#define BASE_METRICS_H

#include <stdatomic.h>

#include "base/sbuf.h"
#include "base/time.h"

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };
enum { METRIC_BUCKETS = 24 }; // 50 µs · 2^i, the last is +Inf

struct metric {
    const char *name;   // "chronos_runs_total"
    const char *labels; // "type=\"HTTP\",outcome=\"SUCCESS\"", or ""
    const char *help;
    enum metric_kind kind;
    _Atomic int64_t value;                    // counter, gauge
    _Atomic int64_t buckets[METRIC_BUCKETS];  // histogram of durations, not cumulative
    _Atomic int64_t sum_us;
    _Atomic bool registered;
    struct metric *next;
};

#define METRIC_COUNTER_INIT(n, l, h) {.name = (n), .labels = (l), .help = (h), .kind = METRIC_COUNTER}
#define METRIC_GAUGE_INIT(n, l, h) {.name = (n), .labels = (l), .help = (h), .kind = METRIC_GAUGE}
#define METRIC_HISTOGRAM_INIT(n, l, h) {.name = (n), .labels = (l), .help = (h), .kind = METRIC_HISTOGRAM}

void metric_register(struct metric *m); // makes it appear with 0 before its first use; idempotent
void metric_add(struct metric *m, int64_t n);
void metric_set(struct metric *m, int64_t v);
void metric_observe(struct metric *m, struct duration d);
int64_t metric_value(struct metric *m);
// Upper bound of the bucket that holds the quantile q (0–1), for benches and tests.
struct duration metric_quantile(struct metric *m, double q);
// All registered metrics; HELP and TYPE once per name, same names together.
void metrics_write(struct sbuf *out);

#endif
