// SPDX-License-Identifier: Apache-2.0
// Event streams, asked for their events as the HTTP server would ask.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log.h"
#include "world.h"

enum { TARGET_MAX = 256, OUT_MAX = 1 << 20, LINES = 600 };

struct fixture {
    struct world w;
    char job[ULID_TEXT_MAX], run_text[ULID_TEXT_MAX];
    struct ulid run;
    struct sbuf out;
};

static void remember(char text[static ULID_TEXT_MAX], const struct exchange *x)
{
    struct str id = json_str(json_object_get(x->json, "id"));
    assert_int_equal(id.n, ULID_TEXT_LEN);
    memcpy(text, id.p, id.n);
    text[id.n] = '\0';
}

static void run_now(struct fixture *f)
{
    struct exchange x;
    char target[TARGET_MAX];
    (void)snprintf(target, sizeof target, "/api/v1/jobs/%s:run-now", f->job);
    world_send(&f->w, &(struct request){"POST", target, "ada", STR_NONE, NULL}, &x);
    assert_int_equal(x.resp.status, 202);
    remember(f->run_text, &x);
    exchange_release(&x);
    assert_true(ulid_parse(str_of(f->run_text), &f->run));
}

static void open_fixture(struct fixture *f)
{
    struct exchange x;
    *f = (struct fixture){0};
    world_open(&f->w);
    world_send(&f->w, &(struct request){"POST", "/api/v1/jobs", "ada",
        STR("{\"name\":\"hers\",\"type\":\"DUMMY\",\"schedule\":{\"scheduleType\":\"MANUAL\"}}"), NULL}, &x);
    assert_int_equal(x.resp.status, 201);
    remember(f->job, &x);
    exchange_release(&x);
    sbuf_init(&f->out, NULL, OUT_MAX);
}

static void close_fixture(struct fixture *f)
{
    sbuf_release(&f->out);
    world_close(&f->w);
}

static void open_logs(struct fixture *f, const char *last_event_id, struct exchange *x)
{
    char target[TARGET_MAX];
    struct str_pair header = {STR("last-event-id"), str_of(last_event_id)};
    struct str_map headers = {&header, last_event_id ? 1 : 0};
    (void)snprintf(target, sizeof target, "/api/v1/jobs/%s/runs/%s/logs:stream", f->job, f->run_text);
    world_send(&f->w, &(struct request){"GET", target, "ada", STR_NONE, &headers}, x);
    assert_int_equal(x->resp.status, 200);
    assert_non_null(x->resp.source);
}

static bool next(struct fixture *f, struct exchange *x)
{
    sbuf_clear(&f->out);
    return x->resp.source->next(x->resp.source->ctx, &f->out);
}

static void a_log_stream_tells_history_then_what_comes_then_the_end(void **state)
{
    (void)state;
    struct fixture f;
    struct exchange x;
    open_fixture(&f);
    run_now(&f);
    world_start_run(&f.w, f.run);
    open_logs(&f, NULL, &x);
    assert_true(next(&f, &x));
    assert_int_equal(f.out.n, 0);
    world_end_run(&f.w, f.run, RUN_SUCCEEDED, NULL);
    assert_false(next(&f, &x));
    assert_true(str_starts(sbuf_str(&f.out), STR("id: 1\ndata: {\"id\":1,")));
    assert_true(str_ends(sbuf_str(&f.out), STR("event: end\ndata: {\"status\":\"SUCCEEDED\"}\n\n")));
    exchange_release(&x);
    close_fixture(&f);
}

static void a_log_stream_resumes_after_the_last_event(void **state)
{
    (void)state;
    struct fixture f;
    struct exchange x;
    open_fixture(&f);
    run_now(&f);
    world_start_run(&f.w, f.run);
    world_end_run(&f.w, f.run, RUN_SUCCEEDED, NULL);
    open_logs(&f, "1", &x);
    assert_false(next(&f, &x));
    assert_true(str_eq(sbuf_str(&f.out), STR("event: end\ndata: {\"status\":\"SUCCEEDED\"}\n\n")));
    exchange_release(&x);
    close_fixture(&f);
}

static void a_long_log_comes_in_bounded_portions(void **state)
{
    (void)state;
    struct fixture f;
    struct exchange x;
    struct err err = {0};
    static struct log_line lines[LINES];
    open_fixture(&f);
    run_now(&f);
    world_start_run(&f.w, f.run);
    for (size_t i = 0; i < LINES; i++)
        lines[i] = (struct log_line){.id = (int64_t)i + 2, .run_id = f.run, .message = STR("line")};
    struct flush flush = {.logs = lines, .n_logs = LINES};
    assert_true(f.w.store->ops->flush(f.w.store, &flush, &err));
    world_end_run(&f.w, f.run, RUN_SUCCEEDED, NULL);
    open_logs(&f, NULL, &x);
    int portions = 1;
    size_t events = 0;
    for (bool more = true; more; portions++) {
        more = next(&f, &x);
        for (size_t i = 0; i < f.out.n; i++)
            events += f.out.p[i] == '\n' && i > 0 && f.out.p[i - 1] == '\n';
        assert_true(portions < 10);
    }
    assert_true(portions > 3);
    assert_int_equal(events, LINES + 2); // one line of world_end_run, and the end
    exchange_release(&x);
    close_fixture(&f);
}

static void the_event_stream_tells_only_what_the_caller_may_see(void **state)
{
    (void)state;
    struct fixture f;
    struct exchange hers, others;
    open_fixture(&f);
    world_send(&f.w, &(struct request){"GET", "/api/v1/events", "ada", STR_NONE, NULL}, &hers);
    world_send(&f.w, &(struct request){"GET", "/api/v1/events", "bob", STR_NONE, NULL}, &others);
    run_now(&f);
    world_start_run(&f.w, f.run);
    assert_true(next(&f, &hers));
    assert_true(str_contains(sbuf_str(&f.out), STR("event: run\n")));
    assert_true(str_contains(sbuf_str(&f.out), STR("\"status\":\"QUEUED\"")));
    assert_true(str_contains(sbuf_str(&f.out), STR("\"status\":\"RUNNING\"")));
    assert_true(next(&f, &others));
    assert_int_equal(f.out.n, 0);
    exchange_release(&hers);
    exchange_release(&others);
    close_fixture(&f);
}

static void a_reader_that_is_too_slow_learns_that_it_missed_events(void **state)
{
    (void)state;
    struct fixture f;
    struct exchange x;
    open_fixture(&f);
    run_now(&f);
    world_send(&f.w, &(struct request){"GET", "/api/v1/events", "admin", STR_NONE, NULL}, &x);
    struct ulid job;
    assert_true(ulid_parse(str_of(f.job), &job));
    for (int i = 0; i < TOPIC_CHANGES_MAX + 1; i++)
        topic_run_changed(f.w.app.topic, f.run, job, RUN_RUNNING);
    assert_true(next(&f, &x));
    assert_true(str_starts(sbuf_str(&f.out), STR("event: missed\n")));
    exchange_release(&x);
    close_fixture(&f);
}

// The id of the last event in the output.
static void last_id(struct fixture *f, char ret[static TARGET_MAX])
{
    const char *at = f->out.p, *found = NULL;
    while ((at = strstr(at, "id: ")))
        found = at++;
    assert_non_null(found);
    size_t n = strcspn(found + 4, "\n");
    memcpy(ret, found + 4, n);
    ret[n] = '\0';
}

static void open_events(struct fixture *f, const char *target, const char *last, const char *who, struct exchange *x)
{
    struct str_pair header = {STR("last-event-id"), last ? str_of(last) : STR_NONE};
    struct str_map headers = {&header, last ? 1 : 0};
    world_send(&f->w, &(struct request){"GET", target, who, STR_NONE, &headers}, x);
    assert_int_equal(x->resp.status, 200);
}

static void the_event_stream_goes_on_where_it_was_left(void **state)
{
    (void)state;
    struct fixture f;
    struct exchange x;
    char id[TARGET_MAX];
    open_fixture(&f);
    open_events(&f, "/api/v1/events", NULL, "ada", &x);
    run_now(&f);
    assert_true(next(&f, &x));
    last_id(&f, id);
    exchange_release(&x);
    world_start_run(&f.w, f.run); // nobody listens
    open_events(&f, "/api/v1/events", id, "ada", &x);
    assert_true(next(&f, &x));
    assert_true(str_contains(sbuf_str(&f.out), STR("\"status\":\"RUNNING\"")));
    assert_false(str_contains(sbuf_str(&f.out), STR("QUEUED")));
    assert_false(str_contains(sbuf_str(&f.out), STR("missed")));
    exchange_release(&x);
    open_events(&f, "/api/v1/events", "0123456789abcdef-1", "ada", &x); // of another node
    assert_true(next(&f, &x));
    assert_true(str_starts(sbuf_str(&f.out), STR("event: missed\n")));
    exchange_release(&x);
    close_fixture(&f);
}

static void the_event_stream_tells_of_jobs_and_filters(void **state)
{
    (void)state;
    struct fixture f;
    struct exchange all, one, other, failed, x;
    char target[TARGET_MAX];
    open_fixture(&f);
    open_events(&f, "/api/v1/events", NULL, "ada", &all);
    (void)snprintf(target, sizeof target, "/api/v1/events?type=DUMMY&jobId=%s", f.job);
    open_events(&f, target, NULL, "ada", &one);
    open_events(&f, "/api/v1/events?type=HTTP", NULL, "ada", &other);
    open_events(&f, "/api/v1/events?status=FAILED", NULL, "ada", &failed);
    (void)snprintf(target, sizeof target, "/api/v1/jobs/%s:pause", f.job);
    world_send(&f.w, &(struct request){"POST", target, "ada", STR_NONE, NULL}, &x);
    assert_int_equal(x.resp.status, 200);
    exchange_release(&x);
    run_now(&f);
    assert_true(next(&f, &all));
    assert_true(str_contains(sbuf_str(&f.out), STR("event: job\n")));
    assert_true(str_contains(sbuf_str(&f.out), STR("\"status\":\"PAUSED\",\"version\":2")));
    assert_true(next(&f, &one));
    assert_true(str_contains(sbuf_str(&f.out), STR("event: job\n")) && str_contains(sbuf_str(&f.out), STR("QUEUED")));
    assert_true(next(&f, &other));
    assert_int_equal(f.out.n, 0);
    assert_true(next(&f, &failed));
    assert_int_equal(f.out.n, 0);
    exchange_release(&all);
    exchange_release(&one);
    exchange_release(&other);
    exchange_release(&failed);
    close_fixture(&f);
}

static void who_is_disabled_hears_no_more(void **state)
{
    (void)state;
    struct fixture f;
    struct exchange x;
    struct err err = {0};
    struct user u;
    open_fixture(&f);
    open_events(&f, "/api/v1/events", NULL, "ada", &x);
    run_now(&f);
    assert_true(f.w.store->ops->user_by_email(f.w.store, STR("ada@example.org"), &u, &f.w.arena, &err));
    u.enabled = false;
    u.read_epoch = 0;
    assert_true(f.w.store->ops->user_update(f.w.store, &u, &err));
    clock_virtual_advance(&f.w.clock, duration_s(2));
    assert_false(next(&f, &x));
    assert_true(str_starts(sbuf_str(&f.out), STR("event: end\n")));
    assert_false(str_contains(sbuf_str(&f.out), STR("runId")));
    exchange_release(&x);
    close_fixture(&f);
}

int main(void)
{
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_log_stream_tells_history_then_what_comes_then_the_end),
        cmocka_unit_test(a_log_stream_resumes_after_the_last_event),
        cmocka_unit_test(a_long_log_comes_in_bounded_portions),
        cmocka_unit_test(the_event_stream_tells_only_what_the_caller_may_see),
        cmocka_unit_test(a_reader_that_is_too_slow_learns_that_it_missed_events),
        cmocka_unit_test(the_event_stream_goes_on_where_it_was_left),
        cmocka_unit_test(the_event_stream_tells_of_jobs_and_filters),
        cmocka_unit_test(who_is_disabled_hears_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
