// SPDX-License-Identifier: Apache-2.0
// Metrics as Prometheus text or OpenMetrics. The registry is a list that only grows; joining it is a
// compare-and-swap, so a metric may be used under any lock and costs nothing but its own atomics.
// A histogram is read bucket by bucket while others write: _count is the sum of the buckets that were
// read, so a scrape is consistent in itself.
#include "base/metrics.h"

#include <stdlib.h>

enum { FIRST_BOUND_US = 50 };

// Steps that people think in, finer where the objectives are.
const struct metric_bounds metric_bounds_delays = {19,
                                                   {1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000,
                                                    500000, 1000000, 2500000, 5000000, 10000000, 30000000,
                                                    60000000, 300000000, 600000000, 1800000000, 3600000000}};
const struct metric_bounds metric_bounds_runs = {
    22, {5000,       10000,      25000,      50000,       100000,      250000,     500000,    1000000,
         2500000,    5000000,    10000000,   30000000,    60000000,    120000000,  300000000, 600000000,
         1800000000, 3600000000, 7200000000, 21600000000, 43200000000, 86400000000}};
const struct metric_bounds metric_bounds_requests = {15,
                                                     {500, 1000, 2500, 5000, 10000, 25000, 50000, 100000,
                                                      250000, 500000, 1000000, 2500000, 5000000, 10000000,
                                                      30000000}};

static struct metric *_Atomic registry; // newest first

void metric_register(struct metric *m)
{
    if (atomic_load_explicit(&m->registered, memory_order_relaxed) ||
        atomic_exchange_explicit(&m->registered, true, memory_order_relaxed))
        return;
    struct metric *head = atomic_load_explicit(&registry, memory_order_relaxed);
    do {
        m->next = head;
    } while (!atomic_compare_exchange_weak_explicit(&registry, &head, m, memory_order_release,
                                                    memory_order_relaxed));
}

void metric_add(struct metric *m, int64_t n)
{
    metric_register(m);
    atomic_fetch_add_explicit(&m->value, n, memory_order_relaxed);
}

void metric_set(struct metric *m, int64_t v)
{
    metric_register(m);
    atomic_store_explicit(&m->value, v, memory_order_relaxed);
}

static int bucket_inf(const struct metric *m) { return m->bounds ? m->bounds->n : METRIC_BUCKETS - 1; }

static int64_t bound_us(const struct metric *m, int bucket)
{
    return m->bounds ? m->bounds->us[bucket] : (int64_t)FIRST_BOUND_US << bucket;
}

static int bucket_of(const struct metric *m, int64_t us)
{
    int i = 0, inf = bucket_inf(m);
    while (i < inf && us > bound_us(m, i)) // bounds are inclusive
        i++;
    return i;
}

void metric_observe(struct metric *m, struct duration d)
{
    metric_register(m);
    int64_t us = d.us < 0 ? 0 : d.us; // a stepped clock must not make a sum fall
    atomic_fetch_add_explicit(&m->buckets[bucket_of(m, us)], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&m->sum_us, us, memory_order_relaxed);
}

static int64_t histogram_count(struct metric *m)
{
    int64_t count = 0;
    for (int i = 0; i < METRIC_BUCKETS; i++)
        count += atomic_load_explicit(&m->buckets[i], memory_order_relaxed);
    return count;
}

int64_t metric_value(struct metric *m)
{
    if (m->kind == METRIC_HISTOGRAM)
        return histogram_count(m);
    return atomic_load_explicit(&m->value, memory_order_relaxed);
}

struct duration metric_quantile(struct metric *m, double q)
{
    int64_t seen = 0;
    double wanted = q * (double)histogram_count(m);
    for (int i = 0, inf = bucket_inf(m); i < inf; i++) {
        seen += atomic_load_explicit(&m->buckets[i], memory_order_relaxed);
        if (seen > 0 && (double)seen >= wanted)
            return (struct duration){bound_us(m, i)};
    }
    return (struct duration){seen > 0 || wanted > 0 ? INT64_MAX : 0};
}

// Name, labels and value of one sample. Labels are written by us, so they need no escaping.
static void write_name(struct sbuf *out, const struct metric *m, const char *suffix, const char *le)
{
    sbuf_puts(out, m->name);
    sbuf_puts(out, suffix);
    if (m->labels[0] == '\0' && !le) {
        sbuf_putc(out, ' ');
        return;
    }
    sbuf_putc(out, '{');
    sbuf_puts(out, m->labels);
    if (le) {
        if (m->labels[0] != '\0')
            sbuf_putc(out, ',');
        sbuf_fmt(out, "le=\"%s\"", le);
    }
    sbuf_puts(out, "} ");
}

// Microseconds as seconds without losing a digit: 1500000 is 1.5.
static const char *seconds(int64_t us, char text[static INSTANT_TEXT_MAX])
{
    uint64_t size = us < 0 ? -(uint64_t)us : (uint64_t)us;
    int n = snprintf(text, INSTANT_TEXT_MAX, "%s%llu.%06llu", us < 0 ? "-" : "",
                     (unsigned long long)(size / US_PER_S), (unsigned long long)(size % US_PER_S));
    while (n > 2 && text[n - 1] == '0' && text[n - 2] != '.')
        text[--n] = '\0';
    return text;
}

static void write_histogram(struct sbuf *out, struct metric *m)
{
    char text[INSTANT_TEXT_MAX];
    int64_t seen = 0;
    for (int i = 0, inf = bucket_inf(m); i <= inf; i++) {
        seen += atomic_load_explicit(&m->buckets[i], memory_order_relaxed);
        write_name(out, m, "_bucket", i == inf ? "+Inf" : seconds(bound_us(m, i), text));
        sbuf_i64(out, seen);
        sbuf_putc(out, '\n');
    }
    write_name(out, m, "_sum", NULL);
    sbuf_puts(out, seconds(atomic_load_explicit(&m->sum_us, memory_order_relaxed), text));
    sbuf_putc(out, '\n');
    write_name(out, m, "_count", NULL);
    sbuf_i64(out, seen);
    sbuf_putc(out, '\n');
}

// OpenMetrics names a family without the suffix of its samples.
static struct str family_name(const char *name, enum metric_kind kind, enum metrics_format f)
{
    struct str family = str_of(name), suffix = kind == METRIC_COUNTER ? STR("_total") : STR("_info");
    if (f == METRICS_OPEN && (kind == METRIC_COUNTER || kind == METRIC_INFO) && str_ends(family, suffix))
        family.n -= suffix.n;
    return family;
}

static void write_escaped(struct sbuf *out, struct str text, bool quotes)
{
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '\n')
            sbuf_puts(out, "\\n");
        else if (text.p[i] == '\\')
            sbuf_puts(out, "\\\\");
        else if (text.p[i] == '"' && quotes)
            sbuf_puts(out, "\\\"");
        else
            sbuf_putc(out, text.p[i]);
    }
}

void metrics_head(struct sbuf *out, enum metrics_format f, const char *name, enum metric_kind kind,
                  const char *help)
{
    static const char *const kinds[] = {
        [METRIC_COUNTER] = "counter",
        [METRIC_GAUGE] = "gauge",
        [METRIC_HISTOGRAM] = "histogram",
        [METRIC_INFO] = "info",
    };
    struct str family = family_name(name, kind, f);
    const char *word = kind == METRIC_INFO && f == METRICS_TEXT ? "gauge" : kinds[kind];
    sbuf_fmt(out, "# HELP %.*s ", STR_ARG(family));
    write_escaped(out, str_of(help), f == METRICS_OPEN);
    sbuf_fmt(out, "\n# TYPE %.*s %s\n", STR_ARG(family), word);
}

void metrics_sample(struct sbuf *out, const char *name, const struct metric_label *labels, size_t n,
                    int64_t us)
{
    char text[INSTANT_TEXT_MAX];
    sbuf_puts(out, name);
    for (size_t i = 0; i < n; i++) {
        sbuf_fmt(out, "%s%s=\"", i == 0 ? "{" : ",", labels[i].key);
        write_escaped(out, labels[i].value, true);
        sbuf_putc(out, '"');
    }
    sbuf_fmt(out, "%s%s\n", n > 0 ? "} " : " ", seconds(us, text));
}

void metrics_end(struct sbuf *out, enum metrics_format f)
{
    if (f == METRICS_OPEN)
        sbuf_puts(out, "# EOF\n");
}

const char *metrics_content_type(enum metrics_format f)
{
    return f == METRICS_OPEN ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                             : "text/plain; version=0.0.4; charset=utf-8";
}

static int by_name(const void *a, const void *b)
{
    const struct metric *x = *(struct metric *const *)a, *y = *(struct metric *const *)b;
    int order = strcmp(x->name, y->name);
    return order != 0 ? order : strcmp(x->labels, y->labels);
}

static void write_value(struct sbuf *out, struct metric *m)
{
    char text[INSTANT_TEXT_MAX];
    int64_t value = atomic_load_explicit(&m->value, memory_order_relaxed);
    write_name(out, m, "", NULL);
    if (m->seconds)
        sbuf_puts(out, seconds(value, text));
    else
        sbuf_i64(out, value);
    sbuf_putc(out, '\n');
}

void metrics_write(struct sbuf *out, enum metrics_format f)
{
    struct metric *head = atomic_load_explicit(&registry, memory_order_acquire);
    size_t n = 0;
    for (struct metric *m = head; m; m = m->next)
        n++;
    struct metric **v = calloc(n + 1, sizeof *v);
    must(v != NULL);
    n = 0;
    for (struct metric *m = head; m; m = m->next)
        v[n++] = m;
    qsort(v, n, sizeof(struct metric *), by_name);
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || strcmp(v[i]->name, v[i - 1]->name) != 0)
            metrics_head(out, f, v[i]->name, v[i]->kind, v[i]->help);
        if (v[i]->kind == METRIC_HISTOGRAM)
            write_histogram(out, v[i]);
        else
            write_value(out, v[i]);
    }
    free(v);
}
