// SPDX-License-Identifier: Apache-2.0
// Definitions that were decoded before: the same result as decoding, never a stale one, within bounds.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "jobs/definitions.h"
#include "jobs/mask.h"
#include "jobs/runner.h"
#include "jobs/services.h"

enum { KB = 1024 };

static void attempt_init(struct attempt *a, uint64_t job, const char *inputs)
{
    *a = (struct attempt){.number = 4, .inputs = str_of(inputs)};
    memcpy(a->job_id.b, &job, sizeof job);
    arena_init(&a->arena, ATTEMPT_ARENA_BUDGET);
}

static const char *definition_of(char text[static KB], const char *name, const char *url)
{
    (void)snprintf(text, KB,
                   "{\"name\":\"%s\",\"type\":\"HTTP\",\"tags\":[\"a\",\"b\"],\"schedule\":{\"scheduleType\":"
                   "\"MANUAL\"},\"retryPolicy\":{\"retryOn\":[\"TIMEOUT\"]},\"payload\":{\"httpUrl\":\"%s\","
                   "\"httpHeaders\":"
                   "{\"A\":\"{{job.name}}\",\"B\":\"x\"},\"expectedStatus\":[\"200\"]}}", name, url);
    return text;
}

// Every text of the job and its payload, as stored.
static void dump(const struct attempt *a, struct sbuf *out)
{
    sbuf_init(out, NULL, 64 * KB);
    field_encode(&job_fields, &a->job, FIELD_ENCODE_STORED, out);
    field_encode(a->type->payload, a->payload, FIELD_ENCODE_STORED, out);
}

static void load(struct definitions *d, struct attempt *a, const char *text)
{
    struct err err;
    if (!definition_load(d, a, str_of(text), &err))
        fail_msg("%s", err.text);
}

static void a_copy_equals_what_is_decoded_and_outlives_the_table(void **state)
{
    (void)state;
    char text[KB];
    struct definitions *d = definitions_new(KB * KB);
    struct attempt v[4];
    struct sbuf first, other;
    definition_of(text, "one", "http://h/{{run.attempt}}");
    for (int i = 0; i < 4; i++) {
        attempt_init(&v[i], 1, NULL);
        load(d, &v[i], text);
    }
    assert_int_equal(d->misses, 2); // kept from the second run on
    assert_int_equal(d->hits, 2);
    definitions_free(d);
    dump(&v[0], &first);
    assert_non_null(strstr(first.p, "http://h/4"));
    assert_non_null(strstr(first.p, "\"A\":\"one\""));
    assert_non_null(strstr(first.p, "\"retryOn\":[\"TIMEOUT\"]"));
    arena_release(&v[0].arena);
    for (int i = 1; i < 4; i++) {
        dump(&v[i], &other);
        assert_string_equal(other.p, first.p);
        sbuf_release(&other);
        arena_release(&v[i].arena);
    }
    sbuf_release(&first);
}

static void templates_are_filled_anew_each_time(void **state)
{
    (void)state;
    char text[KB];
    struct definitions *d = definitions_new(KB * KB);
    definition_of(text, "one", "http://{{param.h}}/");
    for (int i = 0; i < 6; i++) {
        char inputs[64], want[64];
        struct attempt a;
        struct sbuf out;
        (void)snprintf(inputs, sizeof inputs, "{\"h\":\"host%d\"}", i);
        (void)snprintf(want, sizeof want, "\"http://host%d/\"", i);
        attempt_init(&a, 1, inputs);
        load(d, &a, text);
        dump(&a, &out);
        assert_non_null(strstr(out.p, want));
        sbuf_release(&out);
        arena_release(&a.arena);
    }
    assert_int_equal(d->hits, 4);
    definitions_free(d);
}

static void a_changed_job_is_never_served_from_the_table(void **state)
{
    (void)state;
    struct definitions *d = definitions_new(KB * KB);
    for (int i = 0; i < 20; i++) {
        char text[KB], name[32];
        struct attempt a;
        (void)snprintf(name, sizeof name, "version %d", i / 5);
        attempt_init(&a, 1, NULL);
        load(d, &a, definition_of(text, name, "http://h/"));
        assert_true(str_is(a.job.name, name));
        arena_release(&a.arena);
    }
    assert_int_equal(d->misses, 2 + 3);
    assert_int_equal(d->by_job.n, 1);
    definitions_free(d);
}

static void the_table_stays_within_its_bytes_and_keeps_the_newest(void **state)
{
    (void)state;
    enum { JOBS = 200, ROUNDS = 3 };
    char text[KB];
    struct definitions *d = definitions_new(64 * KB);
    definition_of(text, "one", "http://h/");
    for (uint64_t i = 0; i < (uint64_t)JOBS * ROUNDS; i++) {
        struct attempt a;
        attempt_init(&a, i % JOBS, NULL);
        load(d, &a, text);
        arena_release(&a.arena);
        assert_true(d->bytes <= 64 * KB);
    }
    assert_true(d->by_job.n > 5 && d->by_job.n < JOBS);
    struct attempt last;
    attempt_init(&last, JOBS - 1, NULL);
    int64_t hits = d->hits;
    load(d, &last, text);
    assert_int_equal(d->hits, hits + 1);
    arena_release(&last.arena);
    definitions_free(d);
}

static void bad_definitions_are_not_kept(void **state)
{
    (void)state;
    struct definitions *d = definitions_new(KB * KB);
    for (int i = 0; i < 3; i++) {
        struct attempt a;
        struct err err;
            attempt_init(&a, 1, NULL);
        assert_false(definition_load(d, &a, STR("{\"name\":1}"), &err));
        assert_int_equal(err.code, ERR_CORRUPT);
        arena_release(&a.arena);
    }
    assert_int_equal(d->by_job.n, 0);
    definitions_free(d);
}

static bool counted_secret(void *ctx, struct str name, const struct attempt *by, struct str *ret, struct arena *a,
                           struct err *err)
{
    int *asked = ctx;
    assert_true(str_is(by->job.name, "j"));
    if (str_is(name, "gone"))
        return ERR(err, ERR_NOT_FOUND, "secret \"gone\" does not exist");
    *ret = arena_fmt(a, "value-%d", ++*asked);
    return true;
}

static void secrets_are_got_for_each_attempt_and_never_kept(void **state)
{
    (void)state;
    int asked = 0;
    const struct job_services services = {.ctx = &asked, .secret = counted_secret};
    struct job_env env = {.services = &services};
    struct definitions *d = definitions_new(KB * KB);
    char text[KB];
    enum { TIMES = 4 };
    for (int i = 1; i <= TIMES; i++) {
        struct attempt a;
        struct sbuf out;
        char value[16];
        attempt_init(&a, 1, NULL);
        a.env = &env;
        load(d, &a, definition_of(text, "j", "http://a/{{secret.K}}"));
        dump(&a, &out);
        (void)snprintf(value, sizeof value, "a/value-%d", i);
        assert_non_null(memmem(out.p, out.n, value, strlen(value)));
        assert_non_null(a.mask);
        assert_true(a.arena.wipe);
        assert_true(str_is(attempt_mask(&a, str_of(value)), "a/***"));
        mask_free(a.mask);
        sbuf_release(&out);
        arena_release(&a.arena);
    }
    assert_int_equal(asked, TIMES);
    assert_int_equal(d->hits, TIMES - 2);
    definitions_free(d);
}

static void a_secret_that_is_gone_has_its_own_class(void **state)
{
    (void)state;
    int asked = 0;
    const struct job_services services = {.ctx = &asked, .secret = counted_secret};
    struct job_env env = {.services = &services};
    struct definitions *d = definitions_new(KB * KB);
    char text[KB];
    struct attempt a;
    struct err err;
    attempt_init(&a, 1, NULL);
    a.env = &env;
    assert_false(definition_load(d, &a, str_of(definition_of(text, "j", "http://a/{{secret.gone}}")), &err));
    assert_true(a.secret_missing);
    assert_non_null(strstr(err.text, "\"gone\""));
    arena_release(&a.arena);
    definitions_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_copy_equals_what_is_decoded_and_outlives_the_table),
        cmocka_unit_test(templates_are_filled_anew_each_time),
        cmocka_unit_test(a_changed_job_is_never_served_from_the_table),
        cmocka_unit_test(the_table_stays_within_its_bytes_and_keeps_the_newest),
        cmocka_unit_test(bad_definitions_are_not_kept),
        cmocka_unit_test(secrets_are_got_for_each_attempt_and_never_kept),
        cmocka_unit_test(a_secret_that_is_gone_has_its_own_class),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
