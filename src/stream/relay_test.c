// SPDX-License-Identifier: Apache-2.0
// The relay over a store and a receiver that fail when told to: nothing is removed that was not delivered, nothing of
// a job overtakes, and only the holder of the duty publishes.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/run.h"
#include "stream/relay.h"

enum { JOBS = 3, EVENTS = 30, RECEIVED_MAX = 1000 };

struct received {
    char key[ULID_TEXT_MAX];
    char value[512];
};

static struct world {
    struct store store;
    struct clock_virtual clock;
    struct outbox_event v[EVENTS];
    size_t n;
    bool read_fails, remove_fails;
    int64_t holder; // token that has the duty
    size_t asked;   // for the duty
    // The receiver:
    struct received received[RECEIVED_MAX];
    size_t n_received;
    size_t fail_at; // this message of the batch and all behind it of its job fail; SIZE_MAX: none
    bool refuse_all;
} w;

static bool events_read(struct store *s, size_t max, struct outbox_event **ret, size_t *ret_n, struct arena *a,
                        struct err *err)
{
    (void)s;
    if (w.read_fails)
        return ERR(err, ERR_UNAVAILABLE, "down");
    *ret_n = w.n < max ? w.n : max;
    *ret = arena_new_array(a, struct outbox_event, *ret_n);
    memcpy(*ret, w.v, *ret_n * sizeof **ret);
    return true;
}

static bool events_remove(struct store *s, const int64_t *seqs, size_t n, struct err *err)
{
    (void)s;
    if (w.remove_fails)
        return ERR(err, ERR_UNAVAILABLE, "down");
    for (size_t i = 0; i < n; i++) {
        size_t at = 0;
        while (w.v[at].seq != seqs[i])
            assert_true(++at < w.n);
        memmove(&w.v[at], &w.v[at + 1], (--w.n - at) * sizeof w.v[0]);
    }
    return true;
}

static bool duty_hold(struct store *s, struct str name, int64_t token, struct duration lease, bool *ret_held,
                      int64_t *ret_term, struct err *err)
{
    (void)s;
    (void)lease;
    (void)err;
    assert_true(str_is(name, "events"));
    w.asked++;
    *ret_held = token == w.holder;
    *ret_term = 1;
    return true;
}

static const struct store_ops ops = {.events_read = events_read, .events_remove = events_remove,
                                     .duty_hold = duty_hold};

static bool receive(void *ctx, struct kafka_message *v, size_t n, struct err *err)
{
    (void)ctx;
    bool all = true;
    for (size_t i = 0; i < n; i++) {
        bool fails = w.refuse_all || (i >= w.fail_at && str_eq(v[i].key, v[w.fail_at].key));
        v[i].ret_delivered = !fails;
        all = all && !fails;
        if (fails)
            continue;
        struct received *r = &w.received[w.n_received++];
        assert_true(str_is(v[i].headers.v[0].key, "content-type"));
        assert_true(str_starts(v[i].headers.v[0].value, STR("application/cloudevents+json")));
        snprintf(r->key, sizeof r->key, "%.*s", STR_ARG(v[i].key));
        snprintf(r->value, sizeof r->value, "%.*s", STR_ARG(v[i].value));
    }
    return all || ERR(err, ERR_UNAVAILABLE, "not acknowledged");
}

static int64_t our_token(void *ctx)
{
    (void)ctx;
    return 5;
}

static struct ulid numbered(unsigned n)
{
    struct ulid id = {{0}};
    id.b[sizeof id.b - 1] = (uint8_t)(n + 1);
    return id;
}

static int fill(void **state)
{
    (void)state;
    w = (struct world){.store = {.ops = &ops, .exclusive = true}, .n = EVENTS, .fail_at = SIZE_MAX};
    clock_virtual_init(&w.clock, instant_s(1800000000));
    for (unsigned i = 0; i < EVENTS; i++)
        w.v[i] = (struct outbox_event){.seq = i + 1, .of = OUTBOX_RUN, .what = RUN_QUEUED, .at = instant_s(i),
                                       .job_id = numbered(i % JOBS), .run_id = numbered(i),
                                       .scheduled = INSTANT_NEVER, .start = INSTANT_NEVER, .end = INSTANT_NEVER,
                                       .exit_code = FIELD_ABSENT};
    return 0;
}

static struct relay *relay(void)
{
    struct relay_config c = {.store = &w.store, .clock = &w.clock.base, .topic = STR("t"), .source = STR("/chronos/x"),
                             .send = receive, .node_token = w.store.exclusive ? NULL : our_token};
    return relay_new(&c);
}

// Number of the run in a received event, from its subject.
static size_t place_of(size_t run, size_t from)
{
    char id[ULID_TEXT_MAX], wanted[64];
    snprintf(wanted, sizeof wanted, "/run/%s\"", ulid_format(numbered((unsigned)run), id));
    for (size_t i = from; i < w.n_received; i++)
        if (strstr(w.received[i].value, wanted))
            return i;
    return SIZE_MAX;
}

// First receptions of each job's events come in the order of the events.
static void check_complete_and_in_order(void)
{
    for (size_t i = 0; i < EVENTS; i++) {
        assert_true(place_of(i, 0) != SIZE_MAX);
        if (i >= JOBS)
            assert_true(place_of(i - JOBS, 0) < place_of(i, 0));
    }
}

static void all_events_are_passed_on_once(void **state)
{
    (void)state;
    struct relay *r = relay();
    assert_int_equal(relay_pass(r), RELAY_MORE);
    assert_int_equal(relay_pass(r), RELAY_IDLE);
    assert_int_equal(w.n, 0);
    assert_int_equal(w.n_received, EVENTS);
    check_complete_and_in_order();
    relay_free(r);
}

static void a_failed_event_holds_back_its_job_only(void **state)
{
    (void)state;
    struct relay *r = relay();
    w.fail_at = 4; // of job 1
    assert_int_equal(relay_pass(r), RELAY_FAILED);
    assert_int_equal(w.n, EVENTS / JOBS - 1);
    for (size_t i = 0; i < w.n; i++)
        assert_true(ulid_eq(w.v[i].job_id, numbered(1)));
    w.fail_at = SIZE_MAX;
    assert_int_equal(relay_pass(r), RELAY_MORE);
    assert_int_equal(w.n, 0);
    check_complete_and_in_order();
    relay_free(r);
}

static bool receive_behind_a_gap(void *ctx, struct kafka_message *v, size_t n, struct err *err)
{
    bool all = receive(ctx, v, n, err);
    if (n == EVENTS)
        v[3].ret_delivered = all = false; // job 0; what follows of it is said to have arrived
    return all || ERR(err, ERR_UNAVAILABLE, "lost");
}

static void nothing_behind_a_gap_is_removed(void **state)
{
    (void)state;
    struct relay_config c = {.store = &w.store, .clock = &w.clock.base, .topic = STR("t"), .source = STR("/chronos/x"),
                             .send = receive_behind_a_gap};
    struct relay *r = relay_new(&c);
    assert_int_equal(relay_pass(r), RELAY_FAILED);
    assert_int_equal(w.n, EVENTS / JOBS - 1); // all of job 0 but its first
    assert_int_equal(w.v[0].seq, 4);
    assert_int_equal(relay_pass(r), RELAY_MORE);
    assert_int_equal(w.n, 0);
    relay_free(r);
}

static void while_nothing_is_delivered_all_stays(void **state)
{
    (void)state;
    struct relay *r = relay();
    w.refuse_all = true;
    assert_int_equal(relay_pass(r), RELAY_FAILED);
    assert_int_equal(relay_pass(r), RELAY_FAILED);
    assert_int_equal(w.n, EVENTS);
    w.refuse_all = false;
    assert_int_equal(relay_pass(r), RELAY_MORE);
    check_complete_and_in_order();
    relay_free(r);
}

static void a_store_that_fails_makes_repetitions_only(void **state)
{
    (void)state;
    struct relay *r = relay();
    w.read_fails = true;
    assert_int_equal(relay_pass(r), RELAY_FAILED);
    w.read_fails = false;
    w.remove_fails = true;
    assert_int_equal(relay_pass(r), RELAY_FAILED);
    assert_int_equal(w.n, EVENTS);
    w.remove_fails = false;
    assert_int_equal(relay_pass(r), RELAY_MORE);
    assert_int_equal(w.n_received, 2 * EVENTS);
    assert_string_equal(w.received[0].value, w.received[EVENTS].value);
    check_complete_and_in_order();
    relay_free(r);
}

static void only_the_holder_of_the_duty_publishes(void **state)
{
    (void)state;
    w.store.exclusive = false;
    w.holder = 4; // somebody else
    struct relay *r = relay();
    assert_int_equal(relay_pass(r), RELAY_IDLE);
    assert_int_equal(w.n_received, 0);
    w.holder = 5;
    assert_int_equal(relay_pass(r), RELAY_MORE);
    assert_int_equal(w.n_received, EVENTS);
    size_t asked = w.asked;
    assert_int_equal(relay_pass(r), RELAY_IDLE);
    assert_int_equal(w.asked, asked); // held for a while
    clock_virtual_advance(&w.clock, duration_s(RELAY_DUTY_LEASE_S));
    assert_int_equal(relay_pass(r), RELAY_IDLE);
    assert_int_equal(w.asked, asked + 1);
    relay_free(r);
}

static void the_thread_publishes_and_ends(void **state)
{
    (void)state;
    struct relay *r = relay();
    relay_start(r);
    relay_free(r); // whatever it was doing
    assert_true(w.n == 0 || w.n == EVENTS);
}

#define FILLED(test) cmocka_unit_test_setup(test, fill)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FILLED(all_events_are_passed_on_once),
        FILLED(a_failed_event_holds_back_its_job_only),
        FILLED(nothing_behind_a_gap_is_removed),
        FILLED(while_nothing_is_delivered_all_stays),
        FILLED(a_store_that_fails_makes_repetitions_only),
        FILLED(only_the_holder_of_the_duty_publishes),
        FILLED(the_thread_publishes_and_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
