// SPDX-License-Identifier: Apache-2.0
// Metrics in Prometheus text format 0.0.4. The registry is a list that only grows; joining it is a
// compare-and-swap, so a metric may be used under any lock and costs nothing but its own atomics.
// A histogram is read bucket by bucket while others write: _count is the sum of the buckets that were
// read, so a scrape is consistent in itself.
#include "base/metrics.h"

#include <stdlib.h>

enum { FIRST_BOUND_US = 50, BUCKET_INF = METRIC_BUCKETS - 1 };

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

static int64_t bound_us(int bucket)
{
    return (int64_t)FIRST_BOUND_US << bucket;
}

static int bucket_of(int64_t us)
{
    int i = 0;
    while (i < BUCKET_INF && us > bound_us(i)) // bounds are inclusive
        i++;
    return i;
}

void metric_observe(struct metric *m, struct duration d)
{
    metric_register(m);
    int64_t us = d.us < 0 ? 0 : d.us; // a stepped clock must not make a sum fall
    atomic_fetch_add_explicit(&m->buckets[bucket_of(us)], 1, memory_order_relaxed);
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
    for (int i = 0; i < BUCKET_INF; i++) {
        seen += atomic_load_explicit(&m->buckets[i], memory_order_relaxed);
        if (seen > 0 && (double)seen >= wanted)
            return (struct duration){bound_us(i)};
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
    int n = snprintf(text, INSTANT_TEXT_MAX, "%lld.%06lld", (long long)(us / US_PER_S),
                     (long long)(us % US_PER_S));
    while (n > 2 && text[n - 1] == '0' && text[n - 2] != '.')
        text[--n] = '\0';
    return text;
}

static void write_histogram(struct sbuf *out, struct metric *m)
{
    char text[INSTANT_TEXT_MAX];
    int64_t seen = 0;
    for (int i = 0; i < METRIC_BUCKETS; i++) {
        seen += atomic_load_explicit(&m->buckets[i], memory_order_relaxed);
        write_name(out, m, "_bucket", i == BUCKET_INF ? "+Inf" : seconds(bound_us(i), text));
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

static void write_head(struct sbuf *out, const struct metric *m)
{
    static const char *const kinds[] = {
        [METRIC_COUNTER] = "counter",
        [METRIC_GAUGE] = "gauge",
        [METRIC_HISTOGRAM] = "histogram",
    };
    sbuf_fmt(out, "# HELP %s ", m->name);
    for (const char *c = m->help; *c; c++) {
        if (*c == '\n')
            sbuf_puts(out, "\\n");
        else if (*c == '\\')
            sbuf_puts(out, "\\\\");
        else
            sbuf_putc(out, *c);
    }
    sbuf_fmt(out, "\n# TYPE %s %s\n", m->name, kinds[m->kind]);
}

static int by_name(const void *a, const void *b)
{
    const struct metric *x = *(struct metric *const *)a, *y = *(struct metric *const *)b;
    int order = strcmp(x->name, y->name);
    return order != 0 ? order : strcmp(x->labels, y->labels);
}

void metrics_write(struct sbuf *out)
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
            write_head(out, v[i]);
        if (v[i]->kind == METRIC_HISTOGRAM) {
            write_histogram(out, v[i]);
        } else {
            write_name(out, v[i], "", NULL);
            sbuf_i64(out, atomic_load_explicit(&v[i]->value, memory_order_relaxed));
            sbuf_putc(out, '\n');
        }
    }
    free(v);
}
