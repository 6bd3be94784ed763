// SPDX-License-Identifier: Apache-2.0
// Requests over the memory store: what they make, that repetitions make nothing, what is refused and what waits.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/memory/store_memory.h"
#include "stream/request.h"

enum { NOW_S = 1800000000 };
#define EMAIL "robot@example.org"
#define JOB(name) "{\"name\":\"" name "\",\"type\":\"DUMMY\",\"schedule\":{\"scheduleType\":\"MANUAL\"}}"
#define CREATE(name) "{\"action\":\"create\",\"job\":" JOB(name) "}"

static struct {
    struct clock_virtual clock;
    struct store *store;
    struct zones *zones;
    struct app app;
    struct caller caller;
    struct arena a;
    struct str reason;
    bool failing;
} w;

static enum store_fault fault(void *ctx, const char *op, bool writes)
{
    (void)ctx;
    (void)op;
    return w.failing && writes ? FAULT_FAIL : FAULT_NONE;
}

static void add_user(const char *email, const char *role, bool enabled)
{
    struct err err = {0};
    struct str roles = str_of(role);
    struct user u = {.id = app_id(&w.app), .email = str_of(email), .password_hash = STR("x"), .roles = {&roles, 1},
                     .enabled = enabled, .session_epoch = 1, .created_at = clock_now(&w.clock.base)};
    assert_true(w.store->ops->user_insert(w.store, &u, &err));
}

static void act_as(const char *email)
{
    struct err err = {0};
    assert_true(request_caller(&w.app, str_of(email), &w.caller, &w.a, &err));
}

static int open_world(void **state)
{
    (void)state;
    clock_virtual_init(&w.clock, instant_s(NOW_S));
    arena_init(&w.a, REQUEST_ARENA);
    w.failing = false;
    w.store = store_memory_new();
    w.zones = zones_new(NULL);
    struct app_parts parts = {.store = w.store, .clock = &w.clock.base, .zones = w.zones};
    app_settings_init(&parts.settings);
    app_init(&w.app, &parts);
    add_user(EMAIL, "USER", true);
    add_user("viewer@example.org", "VIEWER", true);
    add_user("gone@example.org", "USER", false);
    store_memory_set_faults(w.store, (struct store_faults){.before = fault});
    act_as(EMAIL);
    return 0;
}

static int close_world(void **state)
{
    (void)state;
    app_release(&w.app);
    zones_free(w.zones);
    w.store->ops->free(w.store);
    arena_release(&w.a);
    return 0;
}

static enum request_result send_at(const char *key, const char *value, struct instant at)
{
    struct kafka_message m = {.topic = STR("requests"), .key = str_of(key), .value = str_of(value), .at = at};
    w.reason = STR_NONE;
    return request_act(&w.app, &w.caller, &m, &w.reason, &w.a);
}

static enum request_result send(const char *key, const char *value)
{
    return send_at(key, value, clock_now(&w.clock.base));
}

static void count_job(void *ctx, const struct job_row *j)
{
    (void)j;
    ++*(size_t *)ctx;
}

static size_t jobs(void)
{
    size_t n = 0;
    store_memory_each_job(w.store, count_job, &n);
    return n;
}

static void keep_id(void *ctx, const struct job_row *j) { *(struct ulid *)ctx = j->id; }

static void a_request_makes_one_job_however_often_it_comes(void **state)
{
    (void)state;
    assert_int_equal(send("k1", CREATE("a")), REQUEST_DONE);
    assert_int_equal(send("k1", CREATE("a")), REQUEST_REPEATED);
    clock_virtual_advance(&w.clock, duration_s(REQUEST_MEMORY_DAYS * S_PER_DAY));
    assert_int_equal(send("k1", CREATE("a")), REQUEST_REPEATED); // another message, a week later
    assert_int_equal(send_at("k1", CREATE("a"), instant_s(NOW_S)), REQUEST_REPEATED); // the same, read again
    assert_int_equal(jobs(), 1);
    assert_int_equal(send("k2", CREATE("a")), REQUEST_DONE);
    clock_virtual_advance(&w.clock, duration_s(2 * S_PER_DAY));
    assert_int_equal(send("k1", CREATE("a")), REQUEST_DONE); // forgotten
    assert_int_equal(jobs(), 3);
}

static void a_deleted_job_is_not_made_again_by_the_same_message(void **state)
{
    (void)state;
    struct ulid id = ULID_ZERO;
    struct err err = {0};
    assert_int_equal(send("k", CREATE("a")), REQUEST_DONE);
    store_memory_each_job(w.store, keep_id, &id);
    assert_true(w.store->ops->job_delete(w.store, id, 1, clock_now(&w.clock.base), &err));
    assert_int_equal(send("k", CREATE("a")), REQUEST_REPEATED);
}

static void a_run_starts_once_by_id_or_name(void **state)
{
    (void)state;
    struct ulid id = ULID_ZERO;
    char text[ULID_TEXT_MAX], request[256];
    assert_int_equal(send("k", CREATE("the name")), REQUEST_DONE);
    store_memory_each_job(w.store, keep_id, &id);
    snprintf(request, sizeof request, "{\"action\":\"run\",\"jobId\":\"%s\",\"parameters\":{\"day\":\"1\"}}",
             ulid_format(id, text));
    assert_int_equal(send("r1", request), REQUEST_DONE);
    assert_int_equal(send("r1", request), REQUEST_REPEATED);
    assert_int_equal(send("r2", "{\"action\":\"run\",\"jobName\":\"the name\"}"), REQUEST_DONE);
    assert_int_equal(store_memory_run_count(w.store), 2);
    assert_int_equal(send("k3", CREATE("the name")), REQUEST_DONE);
    assert_int_equal(send("r3", "{\"action\":\"run\",\"jobName\":\"the name\"}"), REQUEST_REFUSED);
    assert_true(str_contains(w.reason, STR("several jobs")));
    assert_int_equal(send("r4", "{\"action\":\"run\",\"jobName\":\"the nam\"}"), REQUEST_REFUSED);
    assert_true(str_contains(w.reason, STR("no job")));
}

static void what_cannot_be_read_is_refused_with_a_reason(void **state)
{
    static const struct {
        const char *key, *value, *reason;
    } bad[] = {
        {"", CREATE("a"), "key"},
        {"k", "", "empty"},
        {"k", "\xff\xfe garbage", ""},
        {"k", "[]", ""},
        {"k", "{}", "action"},
        {"k", "{\"action\":\"explode\"}", "/action"},
        {"k", "{\"action\":\"create\"}", "/job"},
        {"k", "{\"action\":\"create\",\"job\":{\"name\":\"\"}}", "/job/name"},
        {"k", "{\"action\":\"create\",\"job\":" JOB("a") ",\"colour\":1}", "/colour"},
        {"k", "{\"action\":\"run\"}", "jobId"},
        {"k", "{\"action\":\"run\",\"jobId\":\"01JD00000000000000000000J1\"}", "does not exist"},
        {"k", "{\"action\":\"run\",\"jobName\":\"a\",\"parameters\":[]}", "/parameters"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(send(bad[i].key, bad[i].value), REQUEST_REFUSED);
        if (w.reason.n == 0 || !str_contains(w.reason, str_of(bad[i].reason)))
            fail_msg("\"%.*s\" does not name \"%s\"", STR_ARG(w.reason), bad[i].reason);
    }
    struct kafka_message large = {.topic = STR("requests"), .too_large = true};
    assert_int_equal(request_act(&w.app, &w.caller, &large, &w.reason, &w.a), REQUEST_REFUSED);
    assert_int_equal(jobs(), 0);
}

static void the_rights_of_the_user_decide(void **state)
{
    (void)state;
    struct err err = {0};
    act_as("viewer@example.org");
    assert_int_equal(send("k", CREATE("a")), REQUEST_REFUSED);
    assert_false(request_caller(&w.app, STR("gone@example.org"), &w.caller, &w.a, &err));
    assert_int_equal(err.code, ERR_CONFIG);
    assert_false(request_caller(&w.app, STR("nobody@example.org"), &w.caller, &w.a, &err));
}

static void while_the_store_fails_a_request_waits(void **state)
{
    (void)state;
    w.failing = true;
    assert_int_equal(send("k", CREATE("a")), REQUEST_LATER);
    w.failing = false;
    assert_int_equal(send("k", CREATE("a")), REQUEST_DONE);
    assert_int_equal(jobs(), 1);
}

static void a_message_from_the_future_counts_as_sent_now(void **state)
{
    (void)state;
    assert_int_equal(send_at("k", CREATE("a"), instant_s(2 * (int64_t)NOW_S)), REQUEST_DONE);
    assert_int_equal(send("k", CREATE("a")), REQUEST_REPEATED);
    assert_int_equal(send_at("k", CREATE("a"), INSTANT_NEVER), REQUEST_REPEATED);
}

#define IN_WORLD(test) cmocka_unit_test_setup_teardown(test, open_world, close_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_WORLD(a_request_makes_one_job_however_often_it_comes),
        IN_WORLD(a_deleted_job_is_not_made_again_by_the_same_message),
        IN_WORLD(a_run_starts_once_by_id_or_name),
        IN_WORLD(what_cannot_be_read_is_refused_with_a_reason),
        IN_WORLD(the_rights_of_the_user_decide),
        IN_WORLD(while_the_store_fails_a_request_waits),
        IN_WORLD(a_message_from_the_future_counts_as_sent_now),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
