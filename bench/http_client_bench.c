// SPDX-License-Identifier: Apache-2.0
// How many requests one loop of the HTTP client fires per second: http_client_bench URL IN_FLIGHT SECONDS [LOOPS].
// Keeps IN_FLIGHT requests under way; each answer starts the next. Prints one JSON line.
#include <stdio.h>
#include <sys/resource.h>

#include "base/mem.h"
#include "base/metrics.h"
#include "base/sync.h"
#include "net/http.h"
#include "net/loop.h"

enum { LOOPS_MAX = 16 };

struct bench {
    struct http_client *client;
    struct str url;
    _Atomic int64_t done, failed, open;
    _Atomic bool stop;
    struct waker idle;
};

struct slot {
    struct bench *b;
    struct http_request request;
    uint64_t id;
};

static struct metric latency = METRIC_HISTOGRAM_INIT("bench_seconds", "", "Time of one request.");

static void on_done(void *ctx, const struct http_response *r)
{
    struct slot *s = ctx;
    struct bench *b = s->b;
    atomic_fetch_add(&b->done, 1);
    if (r->error != HTTP_DONE || r->status >= 400) {
        if (atomic_fetch_add(&b->failed, 1) == 0)
            (void)fprintf(stderr, "first failure: %d %s\n", r->status, r->sentence);
    }
    metric_observe(&latency, r->total);
    if (!atomic_load(&b->stop) && http_send(b->client, &s->request, on_done, s, &s->id))
        return;
    if (atomic_fetch_sub(&b->open, 1) == 1)
        waker_wake(&b->idle);
}

static double cpu_seconds(void)
{
    struct rusage u;
    must(getrusage(RUSAGE_SELF, &u) == 0);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / (double)US_PER_S;
}

static void run(struct bench *b, int64_t in_flight, int64_t seconds, size_t loops)
{
    const struct clock *clock = clock_real();
    struct slot *slots = mem_array((size_t)in_flight, sizeof *slots);
    struct mono start = clock_mono(clock);
    atomic_store(&b->open, in_flight);
    for (int64_t i = 0; i < in_flight; i++) {
        slots[i] = (struct slot){.b = b, .request = {.url = b->url, .lane = (size_t)i}};
        must(http_send(b->client, &slots[i].request, on_done, &slots[i], &slots[i].id));
    }
    (void)waker_wait(&b->idle, duration_s(seconds));
    int64_t done = atomic_load(&b->done);
    double took = (double)mono_since(clock_mono(clock), start).us / (double)US_PER_S;
    atomic_store(&b->stop, true);
    while (atomic_load(&b->open) > 0)
        (void)waker_wait(&b->idle, duration_s(1));
    struct rusage u;
    must(getrusage(RUSAGE_SELF, &u) == 0);
    (void)printf("{\"bench\":\"http_client\",\"inFlight\":%lld,\"loops\":%zu,\"perSecond\":%.0f,\"failed\":%lld,"
                 "\"p50Ms\":%.2f,\"p99Ms\":%.2f,\"cpuMicrosEach\":%.1f,\"maxRssMb\":%.1f}\n",
                 (long long)in_flight, loops, (double)done / took, (long long)atomic_load(&b->failed),
                 (double)metric_quantile(&latency, 0.5).us / 1000, (double)metric_quantile(&latency,
                                                                                           0.99).us / 1000,
                 cpu_seconds() * 1e6 / (double)atomic_load(&b->done), (double)u.ru_maxrss / 1024);
    mem_free(slots);
}

int main(int argc, char **argv)
{
    int64_t in_flight, seconds, loop_count = 1;
    if (argc < 4 || !str_to_i64(str_of(argv[2]), &in_flight) || !str_to_i64(str_of(argv[3]), &seconds) ||
        (argc > 4 && !str_to_i64(str_of(argv[4]), &loop_count)) || loop_count < 1 || loop_count > LOOPS_MAX) {
        (void)fprintf(stderr, "usage: http_client_bench URL IN_FLIGHT SECONDS [LOOPS]\n");
        return 2;
    }
    struct err err;
    struct loop *loops[LOOPS_MAX];
    for (int64_t i = 0; i < loop_count; i++) {
        loops[i] = loop_new("bench", clock_real(), &err);
        must(loops[i]);
    }
    struct bench b = {.url = str_of(argv[1])};
    waker_init(&b.idle, LOCK_TEST);
    b.client = http_client_new(&(struct http_options){.clock = clock_real(), .user_agent = STR("bench")},
                               loops,
                               (size_t)loop_count, &err);
    must(b.client);
    run(&b, in_flight, seconds, (size_t)loop_count);
    http_client_free(b.client);
    for (int64_t i = 0; i < loop_count; i++)
        loop_free(loops[i]);
    waker_release(&b.idle);
    return 0;
}
