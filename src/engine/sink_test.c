// SPDX-License-Identifier: Apache-2.0
// The definition as attempts load it, also when it cannot be loaded.
#include "../tests/sim/bench.h"

static enum store_fault no_definitions(void *ctx, const char *op, bool writes)
{
    (void)ctx;
    (void)writes;
    return strcmp(op, "job_definition") == 0 ? FAULT_FAIL : FAULT_NONE;
}

// An attempt that cannot load its job says so at once, as the runner does.
static void start_and_fail(struct executor *x, struct attempt **v, size_t n)
{
    struct bench *b = (struct bench *)x;
    for (size_t i = 0; i < n; i++) {
        bench_load(v[i]);
        b->started++;
        v[i]->result.status = RUN_FAILED;
        v[i]->result.error_class = STR("LOAD");
        v[i]->sink->done(v[i]->sink, v[i]);
    }
}

static void a_definition_that_cannot_be_read_uses_up_no_attempt(void **state)
{
    struct bench *b = *state;
    struct job j = bench_job(b, SCHEDULE_MANUAL); // one attempt only
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    bench_insert(b, &j);
    struct ulid id = bench_run_now(b, j.id, PRIORITY_LOW);
    b->x.start = start_and_fail;
    store_memory_set_faults(b->store, (struct store_faults){no_definitions, NULL});
    bench_settle(b);
    store_memory_set_faults(b->store, (struct store_faults){0});
    b->x.start = bench_start;
    bench_until(b, 10);
    struct run r = bench_run_get(b, id);
    assert_int_equal(r.status, RUN_LOST);
    assert_true(str_is(r.error_class, "LOAD_FAILED"));
    assert_int_equal(b->n_held, 1);
    assert_int_equal(b->held[0]->number, 2);
}

// The job is deleted between the claim and the load.
static void delete_and_start(struct executor *x, struct attempt **v, size_t n)
{
    struct bench *b = (struct bench *)x;
    struct err err = {0};
    assert_true(b->store->ops->job_delete(b->store, v[0]->job_id, 1, bench_at(0), &err));
    start_and_fail(x, v, n);
}

static void a_run_whose_job_is_gone_at_load_ends_cancelled(void **state)
{
    struct bench *b = *state;
    struct job j = bench_job(b, SCHEDULE_MANUAL);
    j.retry_policy.max_attempts = 5;
    bench_insert(b, &j);
    b->x.start = delete_and_start;
    struct ulid id = bench_run_now(b, j.id, PRIORITY_LOW);
    bench_until(b, 100);
    struct run r = bench_run_get(b, id);
    assert_int_equal(r.status, RUN_CANCELLED);
    assert_true(str_is(r.error_class, "JOB_DELETED"));
    assert_int_equal(bench_runs(b), 1);
}

// Fails the one run there is, and replays its dead letter with a definition of the name "edited".
static struct run replay(struct bench *b, struct ulid job_id, struct ulid named, struct ulid resolved)
{
    struct instant now = clock_now(&b->clock.base);
    struct replay_mark mark = {.letter = named, .job_version = 7, .edited = true};
    struct ulid key = ulid_new(now, &b->rng);
    struct err err = {0};
    struct job edited = bench_job(b, SCHEDULE_MANUAL);
    struct sbuf text;
    edited.id = job_id;
    edited.name = STR("edited");
    edited.retry_policy.max_attempts = 2;
    edited.retry_policy.backoff_seconds = 1;
    sbuf_init(&text, &b->arena, FIELD_MAX_DEFAULT);
    field_encode(&job_fields, &edited, FIELD_ENCODE_STORED, &text);
    struct run r = {.id = run_id_of(job_id, now, key, 1), .job_id = job_id, .scheduled = now, .first_scheduled = now,
                    .occurrences = 1, .due = now, .start = INSTANT_NEVER, .end = INSTANT_NEVER, .attempt = 1,
                    .status = RUN_QUEUED, .trigger = TRIGGER_REPLAY, .exit_code = FIELD_ABSENT, .run_key = key,
                    .inputs = replay_inputs(STR_NONE, &mark, &b->arena)};
    assert_true(b->store->ops->dlq_resolve(b->store, resolved, STR("me"), STR("r"), &r, sbuf_str(&text), now, &err));
    engine_poke_run(b->engine, r.id);
    bench_settle(b);
    return r;
}

static struct dead_letter open_letter(struct bench *b, struct ulid job_id)
{
    struct err err = {0};
    struct page all = {.size = 2};
    struct dlq_filter open = {.job_id = job_id, .resolved = 0};
    struct page_result page;
    struct dead_letter *v;
    size_t n;
    assert_true(b->store->ops->dlq_list(b->store, &open, &all, &v, &n, &page, &b->arena, &err));
    assert_int_equal(n, 1);
    return v[0];
}

static struct dead_letter letter_make(struct bench *b, struct job *ret)
{
    *ret = bench_job(b, SCHEDULE_MANUAL);
    bench_insert(b, ret);
    (void)bench_run_now(b, ret->id, PRIORITY_LOW);
    bench_settle(b);
    bench_end(b, 0, RUN_FAILED, "X");
    bench_settle(b);
    return open_letter(b, ret->id);
}

static void a_replay_runs_what_its_dead_letter_says(void **state)
{
    struct bench *b = *state;
    struct job j;
    struct dead_letter d = letter_make(b, &j), last;
    struct run r = replay(b, j.id, d.id, d.id);
    assert_int_equal(b->n_held, 1);
    assert_true(str_is(b->held[0]->job.name, "edited"));
    bench_end(b, 0, RUN_FAILED, "X");
    clock_virtual_advance(&b->clock, duration_s(1));
    bench_settle(b);
    assert_int_equal(b->n_held, 1); // its own retry policy, and the next attempt runs the same
    assert_int_equal(b->held[0]->number, 2);
    assert_true(str_is(b->held[0]->job.name, "edited"));
    bench_end(b, 0, RUN_FAILED, "X");
    bench_settle(b);
    last = open_letter(b, j.id);
    assert_memory_equal(last.run_key.b, r.run_key.b, 16);
    assert_true(str_contains(last.definition, STR("edited"))); // replaying that again repeats what ran
    assert_int_equal(last.job_version, d.job_version); // of the job it was made from
}

static void nobody_names_the_dead_letter_of_another(void **state)
{
    struct bench *b = *state;
    struct job j, other;
    struct dead_letter d = letter_make(b, &j), mine = letter_make(b, &other);
    (void)replay(b, j.id, d.id, d.id);
    bench_end(b, 0, RUN_SUCCEEDED, NULL);
    bench_settle(b);
    (void)replay(b, other.id, d.id, mine.id);
    assert_int_equal(b->n_held, 1);
    assert_true(str_is(b->held[0]->job.name, "job"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_definition_that_cannot_be_read_uses_up_no_attempt),
        TEST(a_run_whose_job_is_gone_at_load_ends_cancelled),
        TEST(a_replay_runs_what_its_dead_letter_says),
        TEST(nobody_names_the_dead_letter_of_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
