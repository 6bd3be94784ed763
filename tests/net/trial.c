// SPDX-License-Identifier: Apache-2.0
// One attempt with its own sink: what the engine is in the server.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "net/http.h"
#include "net/loop.h"
#include "net/process.h"
#include "net/spawner.h"
#include "trial.h"

enum { BUDGET = 64 << 20, LOOPS = 2, LOG_BYTES_MAX = 64 << 20 };

struct target *trial_target;
struct job_env trial_env;
struct arena trial_arena;
static struct loop *loops[LOOPS];
static struct egress rules;
static char folder[64];
static uint64_t next_run;

static bool trial_load(struct attempt_sink *s, struct attempt *a, struct str *ret_definition,
                       int64_t *ret_version,
                       struct err *err)
{
    struct trial *t = (struct trial *)s;
    (void)a;
    if (!t->definition.p)
        return ERR(err, ERR_UNAVAILABLE, "store: not now");
    *ret_definition = t->definition;
    *ret_version = 7;
    return true;
}

static void trial_log(struct attempt_sink *s, struct attempt *a, int level, int stream, struct str message,
                      struct str context)
{
    struct trial *t = (struct trial *)s;
    (void)a;
    (void)level;
    {
        WITH_LOCK(&t->lock);
        sbuf_fmt(&t->log, "%s %.*s %.*s\n", log_stream_names[stream], STR_ARG(message), STR_ARG(context));
        t->lines++;
    }
    waker_wake(&t->logged);
}

static void trial_done(struct attempt_sink *s, struct attempt *a)
{
    struct trial *t = (struct trial *)s;
    (void)a;
    t->ends++;
    waker_wake(&t->ended);
}

void trial_init(struct trial *t, const char *type, const char *payload)
{
    *t = (struct trial){.sink = {.load = trial_load, .log = trial_log, .done = trial_done}};
    struct attempt *a = &t->attempt;
    mutex_init(&t->lock, LOCK_METRICS);
    waker_init(&t->ended, LOCK_TEST);
    waker_init(&t->logged, LOCK_TEST);
    sbuf_init(&t->log, NULL, LOG_BYTES_MAX);
    arena_init(&a->arena, ATTEMPT_ARENA_BUDGET);
    next_run++;
    memcpy(a->run_id.b, &next_run, sizeof next_run);
    a->run_id.b[14] = a->run_id.b[15] = (uint8_t)(next_run * 7);
    assert_true(ulid_parse(STR("01BRZ3NDEKTSV4RRFFQ69G5FAV"), &a->run_key));
    assert_true(ulid_parse(STR("01CRZ3NDEKTSV4RRFFQ69G5FAV"), &a->job_id));
    a->number = 2;
    a->scheduled = instant_s(1000000000);
    a->timeout = duration_s(5);
    a->clock = clock_real();
    a->sink = &t->sink;
    t->definition = arena_fmt(&trial_arena,
                              "{\"name\":\"trial\",\"type\":\"%s\",\"schedule\":{\"scheduleType\":\"MANUAL\"},"
                              "\"payload\":%s}", type, payload);
}

void trial_start(struct trial *t)
{
    struct executor *x = runner_executor(trial_env.runner);
    struct attempt *v[] = {&t->attempt};
    x->start(x, v, 1);
}

void trial_await(struct trial *t)
{
    assert_true(waker_wait(&t->ended, duration_s(PATIENCE_S)));
    assert_int_equal(t->ends, 1);
}

void trial_run(struct trial *t, const char *type, const char *payload)
{
    trial_init(t, type, payload);
    trial_start(t);
    trial_await(t);
}

void trial_cancel(struct trial *t, enum cancel_why why)
{
    struct executor *x = runner_executor(trial_env.runner);
    x->cancel(x, t->attempt.run_id, why);
}

void trial_release(struct trial *t)
{
    arena_release(&t->attempt.arena);
    sbuf_release(&t->log);
    waker_release(&t->ended);
    waker_release(&t->logged);
    mutex_release(&t->lock);
}

void trial_expect(const struct trial *t, int status, const char *error_class, const char *code,
                   const char *message)
{
    const struct attempt_result *r = &t->attempt.result;
    if (r->status != status || !str_is(r->error_class, error_class) || !str_is(r->error_code, code) ||
        !str_contains(r->error_message, str_of(message)))
        fail_msg("%s %.*s %.*s \"%.*s\"\n%s", run_status_names[r->status], STR_ARG(r->error_class),
                 STR_ARG(r->error_code), STR_ARG(r->error_message), t->log.p ? t->log.p : "");
}

void trial_expect_log(struct trial *t, const char *part)
{
    if (!t->log.p || !strstr(t->log.p, part))
        fail_msg("not in the log: %s\n%s", part, t->log.p ? t->log.p : "");
}

const char *trial_http_payload(const char *path, const char *more)
{
    return arena_fmt(&trial_arena, "{\"httpUrl\":\"http://127.0.0.1:%d%s\"%s%s}", target_port(trial_target), path,
                     more[0] ? "," : "",
                     more).p;
}

int trial_world_open(void **state)
{
    (void)state;
    enum { GRACE_MS = 200 };
    struct err err;
    arena_init(&trial_arena, BUDGET);
    trial_target = target_new();
    (void)snprintf(folder, sizeof folder, "/tmp/jobs-test-XXXXXX");
    for (size_t i = 0; i < LOOPS; i++)
        if (!(loops[i] = loop_new("test", clock_real(), &err)))
            return -1;
    if (!mkdtemp(folder) || !egress_parse((struct strs){0}, (struct strs){0}, &rules, &trial_arena, &err))
        return -1;
    struct http_options http = {.clock = clock_real(), .user_agent = STR("chronos/test"), .egress = &rules};
    struct process_options processes = {.loop = loops[0], .clock = clock_real(), .dir = str_of(folder),
                                        .grace = duration_ms(GRACE_MS)};
    trial_env = (struct job_env){.loops = loops, .loop_count = LOOPS, .scripts_enabled = true,
                           .http = http_client_new(&http, loops, LOOPS, &err),
                           .processes = processes_new(&processes, &err)};
    return trial_env.http && trial_env.processes && runner_new(&trial_env, 2) ? 0 : -1;
}

int trial_world_close(void **state)
{
    (void)state;
    runner_free(trial_env.runner);
    http_client_free(trial_env.http);
    processes_free(trial_env.processes);
    for (size_t i = 0; i < LOOPS; i++)
        loop_free(loops[i]);
    target_free(trial_target);
    arena_release(&trial_arena);
    folder_remove(folder);
    return 0;
}
