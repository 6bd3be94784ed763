// SPDX-License-Identifier: Apache-2.0
// How many DUMMY attempts one runner thread takes per second, from a definition's text to the end:
// runner_bench ATTEMPTS [THREADS [JOBS]]. The attempts are spread over JOBS jobs (default 100) in turn; the sink hands
// out one text and drops logs. Prints one JSON line.
#include <stdio.h>

#include "base/mem.h"
#include "base/sync.h"
#include "jobs/runner.h"

enum { BATCH = 500, IN_FLIGHT_MAX = 5000 };

static const char definition[] =
    "{\"id\":\"01ARZ3NDEKTSV4RRFFQ69G5FAV\",\"name\":\"nightly-export-of-everything\",\"type\":\"DUMMY\",\"priority\":"
    "\"HIGH\",\"enabled\":true,\"tags\":[\"billing\"],\"schedule\":{\"scheduleType\":"
    "\"INTERVAL\",\"intervalSeconds\":60},"
    "\"payload\":{\"type\":\"DUMMY\",\"metadata\":{}},\"retryPolicy\":{\"maxAttempts\":3,\"backoffStrategy\":"
    "\"EXPONENTIAL\",\"backoffSeconds\":60,\"retryOn\":[\"TIMEOUT\"]},\"timeoutSeconds\":300,"
    "\"concurrencyPolicy\":\"FORBID\"}";

struct bench {
    struct attempt_sink sink;
    _Atomic int64_t done, failed, open;
    struct waker room;
};

static bool load(struct attempt_sink *s, struct attempt *a, struct str *ret_definition, int64_t *ret_version,
                 struct err *err)
{
    (void)s;
    (void)err;
    *ret_definition = arena_str(&a->arena, str_of(definition)); // as a store would
    *ret_version = 1;
    return true;
}

static void drop_log(struct attempt_sink *s, struct attempt *a, int level, int stream, struct str message,
                     struct str context)
{
    (void)s;
    (void)a;
    (void)level;
    (void)stream;
    (void)message;
    (void)context;
}

static void done(struct attempt_sink *s, struct attempt *a)
{
    struct bench *b = (struct bench *)s;
    if (a->result.status != RUN_SUCCEEDED)
        atomic_fetch_add(&b->failed, 1);
    arena_release(&a->arena);
    mem_free(a);
    atomic_fetch_add(&b->done, 1);
    if (atomic_fetch_sub(&b->open, 1) == IN_FLIGHT_MAX - BATCH)
        waker_wake(&b->room);
}

static void submit(struct bench *b, struct executor *x, uint64_t first, uint64_t jobs)
{
    struct attempt *v[BATCH];
    for (uint64_t i = 0; i < BATCH; i++) {
        struct attempt *a = v[i] = mem_new(struct attempt);
        uint64_t hash = (first + i) * UINT64_C(0x9e3779b97f4a7c15);
        memcpy(a->run_id.b, &first, sizeof first);
        memcpy(a->run_id.b + sizeof first, &hash, sizeof hash);
        uint64_t job = (first + i) % jobs;
        memcpy(a->job_id.b, &job, sizeof job);
        a->number = 1;
        a->clock = clock_real();
        a->sink = &b->sink;
        arena_init(&a->arena, ATTEMPT_ARENA_BUDGET);
    }
    atomic_fetch_add(&b->open, BATCH);
    x->start(x, v, BATCH);
}

int main(int argc, char **argv)
{
    int64_t attempts, threads = 1, jobs = 100;
    if (argc < 2 || !str_to_i64(str_of(argv[1]), &attempts) ||
        (argc > 2 && !str_to_i64(str_of(argv[2]), &threads)) ||
        (argc > 3 && (!str_to_i64(str_of(argv[3]), &jobs) || jobs < 1))) {
        (void)fprintf(stderr, "usage: runner_bench ATTEMPTS [THREADS [JOBS]]\n");
        return 2;
    }
    struct bench b = {.sink = {load, drop_log, done}};
    struct job_env env = {0};
    waker_init(&b.room, LOCK_TEST);
    struct runner *r = runner_new(&env, (size_t)threads);
    struct mono start = clock_mono(clock_real());
    for (int64_t i = 0; i < attempts; i += BATCH) {
        while (atomic_load(&b.open) > IN_FLIGHT_MAX - BATCH)
            (void)waker_wait(&b.room, duration_ms(1));
        submit(&b, runner_executor(r), (uint64_t)i, (uint64_t)jobs);
    }
    while (atomic_load(&b.open) > 0)
        (void)waker_wait(&b.room, duration_ms(1));
    double took = (double)mono_since(clock_mono(clock_real()), start).us / (double)US_PER_S;
    (void)printf("{\"bench\":\"runner\",\"threads\":%lld,\"jobs\":%lld,\"definitionBytes\":%zu,\"perSecond\":%.0f,"
                 "\"failed\":%lld}\n", (long long)threads, (long long)jobs, sizeof definition - 1,
                 (double)atomic_load(&b.done) / took,
                 (long long)atomic_load(&b.failed));
    runner_free(r);
    waker_release(&b.room);
    return 0;
}
