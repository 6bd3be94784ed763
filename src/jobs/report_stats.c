// SPDX-License-Identifier: Apache-2.0
// Counting runs.
#include "jobs/report_stats.h"

#include <stdio.h>

enum { EXACT = 16, HOURLY_S_MAX = 3 * 86400, HOUR_S = 3600, FIRST_JOBS = 64, PERCENT = 100 };

// 16 buckets for each power of two.
static size_t bucket_of(int64_t value)
{
    if (value < EXACT)
        return value < 0 ? 0 : (size_t)value;
    int power = 63 - __builtin_clzll((unsigned long long)value); // ≥ 4
    size_t bucket = (size_t)(power - 3) * EXACT + (size_t)((value >> (power - 4)) & (EXACT - 1));
    return bucket < STATS_BUCKETS ? bucket : STATS_BUCKETS - 1;
}

static int64_t bucket_top(size_t bucket)
{
    if (bucket < EXACT)
        return (int64_t)bucket;
    int power = (int)(bucket / EXACT) + 3;
    return (((int64_t)(bucket % EXACT) + EXACT + 1) << (power - 4)) - 1;
}

void histogram_add(struct histogram *h, int64_t value)
{
    h->v[bucket_of(value)]++;
    h->n++;
    h->most = value > h->most ? value : h->most;
}

int64_t histogram_at(const struct histogram *h, double share)
{
    int64_t wanted = (int64_t)(share * (double)h->n + 0.999999), seen = 0;
    wanted = wanted < 1 ? 1 : wanted;
    for (size_t i = 0; h->n > 0 && i < STATS_BUCKETS; i++) {
        seen += h->v[i];
        if (seen >= wanted)
            return i == STATS_BUCKETS - 1 || bucket_top(i) > h->most ? h->most : bucket_top(i);
    }
    return h->most;
}

void stats_init(struct stats *s, struct instant from, struct instant to)
{
    *s = (struct stats){.from = from};
    map_init(&s->by_job);
    int64_t range_s = instant_since(to, from).us / US_PER_S;
    int64_t slot_s = range_s <= HOURLY_S_MAX ? HOUR_S : S_PER_DAY;
    while (range_s / slot_s + 2 > STATS_SLOTS_MAX)
        slot_s += S_PER_DAY;
    s->slot = duration_s(slot_s);
    s->from.us -= s->from.us % s->slot.us; // slots begin at full hours and days
    s->slots = (size_t)((to.us - s->from.us + s->slot.us - 1) / s->slot.us);
}

void stats_release(struct stats *s)
{
    for (size_t i = 0; i < s->n; i++)
        mem_free(s->v[i]);
    mem_free(s->v);
    map_release(&s->by_job);
}

static struct job_stats *job_of(struct stats *s, const struct run *r)
{
    struct job_stats *j = map_get(&s->by_job, r->job_id);
    if (j || s->n == STATS_JOBS_MAX)
        return j;
    if (s->n == s->cap) {
        s->cap = s->cap ? s->cap * 2 : FIRST_JOBS;
        s->v = mem_resize(s->v, s->cap, sizeof(struct job_stats *));
    }
    j = mem_new(struct job_stats);
    j->job_id = r->job_id;
    j->last = INSTANT_NEVER;
    (void)snprintf(j->name, sizeof j->name, "%.*s", STR_ARG(r->job_name));
    s->v[s->n++] = j;
    (void)map_put(&s->by_job, r->job_id, j);
    return j;
}

static void count(struct job_stats *j, const struct run *r)
{
    j->by_status[r->status]++;
    if (instant_is_never(r->start))
        return;
    if (instant_is_never(j->last) || r->start.us > j->last.us)
        j->last = r->start;
    histogram_add(&j->delay, r->start_delay_ms);
    if (!run_status_final(r->status) || instant_is_never(r->end))
        return;
    histogram_add(&j->duration, r->duration_ms);
    j->duration_ms += r->duration_ms;
    j->durations++;
}

void stats_add(struct stats *s, const struct run *r)
{
    struct job_stats *j = job_of(s, r);
    count(&s->all, r);
    if (j)
        count(j, r);
    else
        s->left_out++;
    int64_t slot = (r->scheduled.us - s->from.us) / s->slot.us;
    if (slot < 0 || slot >= (int64_t)s->slots)
        return;
    s->good[slot] += r->status == RUN_SUCCEEDED;
    s->bad[slot] += run_status_failed(r->status);
}

int64_t stats_failed(const struct job_stats *j)
{
    return j->by_status[RUN_FAILED] + j->by_status[RUN_TIMED_OUT] + j->by_status[RUN_LOST];
}

int64_t stats_runs(const struct job_stats *j)
{
    return j->by_status[RUN_SUCCEEDED] + stats_failed(j) + j->by_status[RUN_CANCELLED];
}

double stats_success_rate(const struct job_stats *j)
{
    int64_t judged = j->by_status[RUN_SUCCEEDED] + stats_failed(j);
    return judged > 0 ? PERCENT * (double)j->by_status[RUN_SUCCEEDED] / (double)judged : -1;
}

void stats_slot_label(const struct stats *s, size_t i, char *buf, size_t n)
{
    struct civil c = civil_from_s((s->from.us + s->slot.us * (int64_t)i) / US_PER_S);
    if (s->slot.us < S_PER_DAY * US_PER_S)
        (void)snprintf(buf, n, "%02d-%02d %02d:00", c.month, c.day, c.hour);
    else
        (void)snprintf(buf, n, "%04d-%02d-%02d", c.year, c.month, c.day);
}
