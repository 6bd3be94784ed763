// SPDX-License-Identifier: Apache-2.0
// What one subscription alone can break, and what it asks for.
#include "model/subscription.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct arena a;

static struct subscription good(void)
{
    struct subscription s;
    field_defaults(&subscription_fields, &s);
    s.channel = STR("WEBHOOK");
    s.all = true;
    return s;
}

static void faults_of(const struct subscription *s, const char *pointer)
{
    struct faults f;
    faults_init(&f, &a);
    subscription_check(s, &f);
    if (!pointer)
        assert_int_equal(f.n, 0);
    else if (f.n != 1 || !str_is(f.v[0].pointer, pointer))
        fail_msg("%zu faults instead of one at %s", f.n, pointer);
}

static void each_rule_is_broken_once(void **state)
{
    (void)state;
    struct str words[] = {STR("failed"), STR("nonsense"), STR("node_down")};
    struct subscription s = good();
    faults_of(&s, NULL);
    s.all = false;
    faults_of(&s, "/tag");
    s.tag = STR("t");
    faults_of(&s, NULL);
    s.job_id.b[0] = 1;
    faults_of(&s, "/tag");
    s = good();
    s.events = (struct strs){words, 2};
    faults_of(&s, "/events/1");
    words[1] = STR("RECOVERED"); // letter case does not matter
    s.events.n = 3;
    faults_of(&s, NULL);
    s.all = false;
    s.tag = STR("t");
    faults_of(&s, "/events/2"); // a node belongs to no tag
    s = good();
    s.after = 3;
    s.of_last = 2;
    faults_of(&s, "/ofLast");
    s = good();
    s.quiet_hours = (struct quiet_hours){STR("22:00"), STR("24:00"), STR_NONE};
    faults_of(&s, "/quietHours/to");
    s.quiet_hours.to = STR("22:00");
    faults_of(&s, "/quietHours/to");
    s.quiet_hours = (struct quiet_hours){STR_NONE, STR("07:00"), STR_NONE};
    faults_of(&s, "/quietHours/from");
}

static void wall_times(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t s;
    } rows[] = {{"00:00", 0}, {"07:30", 27000}, {"23:59", 86340}, {"24:00", -1}, {"7:30", -1},
                {"07:60", -1}, {"0730", -1},    {"-1:00", -1},    {"", -1},      {"07:3x", -1}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(wall_time_s(str_of(rows[i].text)), rows[i].s);
}

static void what_it_asks_for(void **state)
{
    (void)state;
    struct str words[] = {STR("slow"), STR("dead")};
    struct subscription s = good();
    const uint32_t failed = notice_bit(NOTICE_FAILED), dead = notice_bit(NOTICE_DEAD),
                   recovered = notice_bit(NOTICE_RECOVERED), slow = notice_bit(NOTICE_SLOW);
    assert_int_equal(subscription_events(&s), failed | recovered);
    assert_int_equal(subscription_interest(&s), failed | dead | recovered);
    s.events = (struct strs){words, 1};
    assert_int_equal(subscription_interest(&s), slow);
    s.events.n = 2;
    assert_int_equal(subscription_events(&s), slow | dead);
    assert_int_equal(subscription_interest(&s), slow | failed | dead | recovered); // a success ends the row
    s.of_last = 5;
    assert_int_equal(subscription_interest(&s), slow | failed | dead | recovered | notice_bit(NOTICE_SUCCEEDED));
    s.enabled = false;
    assert_int_equal(subscription_interest(&s), 0);
}

static void stored_and_read_back(void **state)
{
    (void)state;
    struct subscription s = good(), back;
    struct str text;
    struct err err;
    s.sealed = STR("v1.x");
    s.config = STR("{\"url\":\"x\"}");
    s.off_reason = STR("gone");
    s.group_seconds = 0;
    assert_true(subscription_text_write(&s, &text, &a, &err));
    assert_true(subscription_text_read(text, &back, &a, &err));
    assert_true(str_eq(back.sealed, s.sealed) && str_eq(back.config, s.config));
    assert_true(str_eq(back.off_reason, s.off_reason));
    assert_int_equal(back.group_seconds, 0);
    assert_true(back.of_last == FIELD_ABSENT);
    assert_false(subscription_text_read(STR("{\"after\":\"x\"}"), &back, &a, &err));
    assert_int_equal(err.code, ERR_CORRUPT);
    assert_false(subscription_text_read(STR("{"), &back, &a, &err));
}

static int setup(void **state)
{
    (void)state;
    arena_init(&a, 1 << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_release(&a);
    return 0;
}

int main(void)
{
#define CASE(sentence, f) {.name = (sentence), .test_func = (f), .setup_func = setup, .teardown_func = teardown}
    const struct CMUnitTest tests[] = {
        CASE("each rule is broken once", each_rule_is_broken_once),
        CASE("wall times", wall_times),
        CASE("what a subscription asks for", what_it_asks_for),
        CASE("a subscription is stored and read back", stored_and_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
