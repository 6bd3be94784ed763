// SPDX-License-Identifier: Apache-2.0
// Counters, gauges and histograms, written as Prometheus text (version 0.0.4) or as OpenMetrics (1.0). Metrics are
// file-scope structs that register themselves at first use; updating one is a relaxed atomic add.
// Names and units: prometheus.io/docs/practices/naming. A counter's name ends with _total, an info's with _info; no
// other metric may have the rest of such a name, because OpenMetrics calls the family by it.
#ifndef BASE_METRICS_H
#define BASE_METRICS_H

#include <stdatomic.h>

#include "base/sbuf.h"
#include "base/time.h"

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM, METRIC_INFO };
enum metrics_format { METRICS_TEXT, METRICS_OPEN };
enum { METRIC_BUCKETS = 24 }; // at most, the last is +Inf; without bounds of its own: 50 µs · 2^i

// Upper bounds of a histogram's buckets but the last, inclusive, rising.
struct metric_bounds {
    int n;
    int64_t us[METRIC_BUCKETS - 1];
};
extern const struct metric_bounds metric_bounds_delays;   // 1 ms … 1 h
extern const struct metric_bounds metric_bounds_runs;     // 5 ms … 1 d
extern const struct metric_bounds metric_bounds_requests; // 0.5 ms … 30 s

struct metric {
    const char *name;   // "chronos_runs_total"
    const char *labels; // "type=\"HTTP\",outcome=\"SUCCESS\"", or ""
    const char *help;
    enum metric_kind kind;
    bool seconds;                             // counter, gauge: the value is in µs, and shown in seconds
    const struct metric_bounds *bounds;       // histogram; NULL: as above
    _Atomic int64_t value;                    // counter, gauge
    _Atomic int64_t buckets[METRIC_BUCKETS];  // histogram of durations, not cumulative
    _Atomic int64_t sum_us;
    _Atomic bool registered;
    struct metric *next;
};

#define METRIC_COUNTER_INIT(n, l, h) {.name = (n), .labels = (l), .help = (h), .kind = METRIC_COUNTER}
#define METRIC_GAUGE_INIT(n, l, h) {.name = (n), .labels = (l), .help = (h), .kind = METRIC_GAUGE}
#define METRIC_HISTOGRAM_INIT(n, l, h) {.name = (n), .labels = (l), .help = (h), .kind = METRIC_HISTOGRAM}
#define METRIC_BOUNDED_INIT(n, l, h, b) \
    {.name = (n), .labels = (l), .help = (h), .kind = METRIC_HISTOGRAM, .bounds = (b)}
#define METRIC_SECONDS_INIT(k, n, l, h) {.name = (n), .labels = (l), .help = (h), .kind = (k), .seconds = true}
#define METRIC_INFO_INIT(n, l, h) {.name = (n), .labels = (l), .help = (h), .kind = METRIC_INFO, .value = 1}

void metric_register(struct metric *m); // makes it appear with 0 before its first use; idempotent
void metric_add(struct metric *m, int64_t n);
void metric_set(struct metric *m, int64_t v);
void metric_observe(struct metric *m, struct duration d);
int64_t metric_value(struct metric *m);
// Upper bound of the bucket that holds the quantile q (0–1), for benches and tests.
struct duration metric_quantile(struct metric *m, double q);
// All registered metrics; HELP and TYPE once per name, same names together.
void metrics_write(struct sbuf *out, enum metrics_format f);
// What is no struct metric, behind that: the head of a family, then its samples ({key="value", …}, values escaped).
struct metric_label {
    const char *key;
    struct str value;
};
void metrics_head(struct sbuf *out, enum metrics_format f, const char *name, enum metric_kind kind, const char *help);
void metrics_sample(struct sbuf *out, const char *name, const struct metric_label *labels, size_t n, int64_t us);
void metrics_end(struct sbuf *out, enum metrics_format f); // what OpenMetrics ends with
const char *metrics_content_type(enum metrics_format f);

#endif
