// SPDX-License-Identifier: Apache-2.0
// The world: virtual time, processes, attempts that take time and end somehow, and the journal of it all.
#include <stdarg.h>

#include "base/mem.h"
#include "engine/task.h"
#include "tests/sim/hosts.h"

enum { DURATION_LONG_S = 900, STUCK_S = 3600, AGAIN_MS = 500, BEGIN_LATE_US = 3000 };

int64_t sim_between(struct sim *s, int64_t low, int64_t high)
{
    return low + (int64_t)rng_below(&s->rng, (uint64_t)(high - low + 1));
}

bool sim_chance(struct sim *s, double p)
{
    return rng_unit(&s->rng) < p;
}

void sim_trace(struct sim *s, const char *what, const void *bytes, size_t n)
{
    static const uint8_t key[16] = "chronos sim hash";
    struct {
        uint64_t before, mono, what, bytes;
    } in = {s->result.trace, (uint64_t)sim_mono(s).us, hash_bytes(key, what, strlen(what)), hash_bytes(key, bytes, n)};
    s->result.trace = hash_bytes(key, &in, sizeof in);
    if (s->o.verbose) {
        char text[ULID_TEXT_MAX] = "", at[INSTANT_TEXT_MAX];
        if (n == sizeof(struct ulid)) {
            struct ulid id;
            memcpy(&id, bytes, sizeof id);
            (void)ulid_format(id, text);
        } else if (n == HOST_NAME) {
            (void)snprintf(text, sizeof text, "%.*s", (int)n, (const char *)bytes);
        }
        printf("# %12lld %s %s %s\n", (long long)sim_mono(s).us, instant_format(sim_wall(s), at), what, text);
        (void)fflush(stdout); // in order with the log
    }
}

void sim_violation(struct sim *s, const char *fmt, ...)
{
    if (s->result.violations++ > 0)
        return;
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(s->result.first, sizeof s->result.first, fmt, args);
    va_end(args);
    if (s->o.verbose)
        printf("# %12lld VIOLATION %s\n", (long long)sim_mono(s).us, s->result.first);
}

struct happening *event_add(struct sim *s, struct duration in, enum event_kind kind)
{
    struct happening *e = mem_new(struct happening);
    e->at = mono_add(sim_mono(s), in);
    e->order = s->orders++;
    e->kind = kind;
    heap_push(&s->events, e, e->at.us, (uint64_t)e->order);
    return e;
}

void event_drop(struct sim *s, struct happening *e)
{
    if (e->pos != HEAP_NOWHERE)
        heap_remove(&s->events, e->pos);
    mem_free(e);
}

// ---- attempts ----------------------------------------------------------------------------------

static size_t journal_add(struct sim *s, const struct attempt *a, int proc)
{
    if (s->n_starts == s->cap_starts) {
        s->cap_starts = s->cap_starts ? 2 * s->cap_starts : 1024;
        s->starts = mem_resize(s->starts, s->cap_starts, sizeof *s->starts);
    }
    s->starts[s->n_starts] = (struct start){
        .run_id = a->run_id, .run_key = a->run_key, .job = (size_t)(users_job(s, a->job_id) - s->jobs),
        .number = a->number, .trigger = a->trigger, .scheduled = a->scheduled, .wall = clock_now(a->clock),
        .at = sim_mono(s), .end = {INT64_MAX}, .token = ((const struct task *)a->engine_data)->token, .proc = proc,
        .status = -1};
    sim_trace(s, "start", &a->run_id, sizeof a->run_id);
    return s->n_starts++;
}

static void flight_unlink(struct flight *f)
{
    if (f->prev)
        f->prev->next = f->next;
    else
        f->proc->flights = f->next;
    if (f->next)
        f->next->prev = f->prev;
}

// The world's work is over, whether its process hears of it or not.
static void flight_over(struct sim *s, struct flight *f)
{
    struct start *j = &s->starts[f->start];
    if (f->over || !f->begun)
        return;
    f->over = true;
    j->status = f->attempt->result.status;
    j->end = sim_mono(s);
    j->over_time = mono_since(j->end, j->at).us > f->attempt->timeout.us + duration_s(30).us;
    sim_trace(s, run_status_names[j->status], &j->run_id, sizeof j->run_id);
}

void flight_end(struct sim *s, struct flight *f)
{
    struct attempt *a = f->attempt;
    flight_over(s, f);
    if (f->proc->frozen) { // it hears when it moves again
        f->end = event_add(s, duration_ms(sim_between(s, 1, AGAIN_MS)), EVENT_END);
        f->end->flight = f;
        return;
    }
    flight_unlink(f);
    mem_free(f);
    a->sink->done(a->sink, a);
}

// How long it takes and how it will end, unless somebody ends it before.
static struct duration draw_ending(struct sim *s, struct attempt *a, bool *ret_stuck)
{
    static const char *const classes[] = {"HTTP_5XX", "CONNECTION_ERROR", "SCRIPT_ERROR"};
    double dice = rng_unit(&s->rng);
    *ret_stuck = false;
    a->result.status = RUN_SUCCEEDED;
    if (dice < 0.10) {
        a->result.status = RUN_FAILED;
        a->result.error_class = str_of(classes[sim_between(s, 0, 2)]);
    } else if (dice < 0.11) {
        *ret_stuck = s->o.faults && sim_chance(s, 0.1);
        return duration_s(STUCK_S); // hangs until it is cancelled
    } else if (dice < 0.15) {
        return duration_ms(sim_between(s, 0, DURATION_LONG_S * 1000));
    }
    return dice < 0.5 ? (struct duration){0} : duration_ms(sim_between(s, 1, 8000));
}

void attempt_begin(struct flight *f)
{
    struct proc *p = f->proc;
    struct attempt *a = f->attempt;
    struct sim *s = p->sim;
    struct str text;
    struct err err = {0};
    if (!a->sink->load(a->sink, a, &text, &a->job_version, &err)) { // the runner's way to say so
        a->result.status = RUN_FAILED;
        a->result.error_class = STR("STORE_UNAVAILABLE");
        flight_end(s, f);
        return;
    }
    const struct sim_job *j = users_job(s, a->job_id);
    a->job.retry_policy = j->job.retry_policy; // decoding each time would only cost time here
    a->job.name = j->job.name;
    a->job.on_success = j->job.on_success;
    a->job.on_failure = j->job.on_failure;
    a->started = clock_now(p->clock);
    f->start = journal_add(s, a, p->id);
    f->begun = true;
    if (p->host)
        check_start(s, f);
    if (sim_chance(s, 0.05))
        a->sink->log(a->sink, a, LOG_LINE_INFO, STREAM_STDOUT, STR("hello"), STR_NONE);
    struct duration takes = draw_ending(s, a, &f->stuck);
    if (takes.us == 0) {
        flight_end(s, f);
        return;
    }
    f->end = event_add(s, takes, EVENT_END);
    f->end->flight = f;
}

static void world_start(struct executor *x, struct attempt **v, size_t n)
{
    struct proc *p = (struct proc *)x;
    for (size_t i = 0; i < n; i++) {
        struct flight *f = mem_new(struct flight);
        f->proc = p;
        f->attempt = v[i];
        f->next = p->flights;
        if (f->next)
            f->next->prev = f;
        p->flights = f;
        if (p->host) { // on another thread, soon
            f->end = event_add(p->sim, (struct duration){sim_between(p->sim, 0, BEGIN_LATE_US)}, EVENT_BEGIN);
            f->end->flight = f;
        } else {
            attempt_begin(f);
        }
    }
}

static void world_cancel(struct executor *x, struct ulid id, enum cancel_why why)
{
    struct proc *p = (struct proc *)x;
    for (struct flight *f = p->flights; f; f = f->next) {
        if (!ulid_eq(f->attempt->run_id, id) || f->stuck)
            continue;
        f->attempt->result = (struct attempt_result){
            .status = why == CANCEL_BY_TIMEOUT ? RUN_TIMED_OUT : RUN_CANCELLED,
            .error_class = why == CANCEL_BY_TIMEOUT ? STR("TIMEOUT") : STR("CANCELLED"),
            .exit_code = FIELD_ABSENT};
        if (f->over)
            return;
        event_drop(p->sim, f->end);
        f->end = event_add(p->sim, duration_ms(sim_between(p->sim, 0, 5000)), EVENT_END);
        f->end->flight = f;
        f->stuck = true; // ending already
    }
}

// ---- processes ---------------------------------------------------------------------------------

// A result that was told to anybody must never change again.
static void told(void *ctx, struct ulid run_id, struct ulid job_id, int status)
{
    struct sim *s = ctx;
    (void)job_id;
    if (!run_status_final(status))
        return;
    void *before = map_put(&s->told, run_id, (void *)(uintptr_t)(status + 1));
    if (before && (int)(uintptr_t)before != status + 1)
        sim_violation(s, "rule 4: a run was told to end %s and then %s", run_status_names[(int)(uintptr_t)before - 1],
                      run_status_names[status]);
}

struct executor world_executor(void) { return (struct executor){world_start, world_cancel}; }

struct engine_listener world_listener(struct sim *s) { return (struct engine_listener){.run_changed = told, .ctx = s}; }

void proc_boot(struct sim *s)
{
    struct proc *p = mem_new(struct proc);
    struct err err = {0};
    p->x = world_executor();
    p->sim = s;
    p->clock = &s->clock.base;
    p->id = ++s->procs;
    s->result.boots++;
    struct engine_listener listener = world_listener(s);
    struct engine_config c = {.node_name = STR("sim"), .running_max = s->running_max, .flush_max = s->flush_max,
                              .seed = s->o.seed * 1000003 + (uint64_t)p->id, .zones = s->zones};
    store_memory_revive(s->store);
    p->engine = engine_new(&c, s->store, &p->x, p->clock, &listener);
    s->now = p;
    if (!engine_recover(p->engine, &err)) {
        sim_trouble(s);
        proc_kill(s, p);
        (void)event_add(s, duration_s(1), EVENT_BOOT);
    }
}

void flights_drop(struct proc *p)
{
    while (p->flights) {
        struct flight *f = p->flights;
        if (f->begun && !f->over)
            p->sim->starts[f->start].end = sim_mono(p->sim);
        event_drop(p->sim, f->end);
        flight_unlink(f);
        mem_free(f);
    }
}

void proc_kill(struct sim *s, struct proc *p)
{
    flights_drop(p);
    engine_free(p->engine);
    if (s->now == p)
        s->now = NULL;
    if (s->old == p)
        s->old = NULL;
    mem_free(p);
}
