// SPDX-License-Identifier: Apache-2.0
// The rules against noise, as scripts in virtual time: what happens, and what is told of it.
#include "app/notice_rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sched/zones.h"

enum { HOUR = 60, ARENA_BUDGET = 1 << 20, NOTHING = -1, CALM = -2, END = -3 };
#define START_S INT64_C(1800000000) // 2027-01-15 08:00 UTC

static struct arena a;

static struct instant at(int64_t minutes) { return instant_s(START_S + minutes * 60); }

static struct subscription sub_of(const char *const *events)
{
    static struct str words[NOTICE_EVENTS];
    struct subscription s;
    field_defaults(&subscription_fields, &s);
    s.all = true;
    s.channel = STR("WEBHOOK");
    s.events.v = words;
    for (; events[s.events.n]; s.events.n++)
        words[s.events.n] = str_of(events[s.events.n]);
    return s;
}

// A notice at a minute (CALM: the rules are asked by themselves), and what is told.
struct step {
    int64_t minute;
    int event;
    const char *message;
    int told;
};

static const char *const usual[] = {"failed", "recovered", NULL};

static void play(const struct subscription *s, const struct step *v)
{
    struct job_memory m;
    job_memory_init(&m);
    for (size_t i = 0; v[i].event != END; i++) {
        struct notice n = {.event = v[i].event, .at = at(v[i].minute), .job_id = {{1}}, .error_class = STR("TIMEOUT"),
                           .message = v[i].message ? str_of(v[i].message) : STR("no answer")};
        struct notice_item item = {.event = NOTHING};
        n.run_id.b[0] = (uint8_t)(i + 1);
        bool told = v[i].event == CALM ? noise_calm(s, &m, n.at, n.job_id, &item) : noise_take(s, &m, &n, &item);
        if ((told ? item.event : NOTHING) != v[i].told)
            fail_msg("step %zu: told %d, expected %d", i, told ? item.event : NOTHING, v[i].told);
        struct job_memory back; // every step survives a restart
        struct str text = job_memory_write(&m, &a);
        assert_non_null(text.p);
        job_memory_read(text, &back, &a);
        assert_true(str_eq(text, job_memory_write(&back, &a)));
        m = back;
    }
}

static void one_failure_one_recovery(void **state)
{
    (void)state;
    struct subscription s = sub_of(usual);
    play(&s, (const struct step[]){{0, NOTICE_RECOVERED, NULL, NOTHING}, // the first success is no recovery
                                   {1, NOTICE_DEAD, NULL, NOTICE_FAILED},
                                   {2, NOTICE_DEAD, NULL, NOTHING},
                                   {3, NOTICE_RECOVERED, NULL, NOTICE_RECOVERED},
                                   {4, NOTICE_RECOVERED, NULL, NOTHING},
                                   {5, NOTICE_SUCCEEDED, NULL, NOTHING},
                                   {0, END, NULL, 0}});
}

static void so_many_in_a_row(void **state)
{
    (void)state;
    struct subscription s = sub_of(usual);
    s.after = 3;
    play(&s, (const struct step[]){{0, NOTICE_DEAD, NULL, NOTHING},
                                   {1, NOTICE_DEAD, NULL, NOTHING},
                                   {2, NOTICE_RECOVERED, NULL, NOTHING}, // nobody had been told
                                   {3, NOTICE_DEAD, NULL, NOTHING},
                                   {4, NOTICE_DEAD, NULL, NOTHING},
                                   {5, NOTICE_DEAD, NULL, NOTICE_FAILED},
                                   {6, NOTICE_DEAD, NULL, NOTHING},
                                   {7, NOTICE_RECOVERED, NULL, NOTICE_RECOVERED},
                                   {0, END, NULL, 0}});
}

static void so_many_of_the_last(void **state)
{
    (void)state;
    struct subscription s = sub_of(usual);
    s.after = 2;
    s.of_last = 4;
    s.flaps_per_hour = 0;
    play(&s, (const struct step[]){{0, NOTICE_DEAD, NULL, NOTHING},
                                   {1, NOTICE_SUCCEEDED, NULL, NOTHING},
                                   {2, NOTICE_DEAD, NULL, NOTICE_FAILED}, // 2 of 3
                                   {3, NOTICE_SUCCEEDED, NULL, NOTHING},  // 2 of 4
                                   {4, NOTICE_SUCCEEDED, NULL, NOTICE_RECOVERED}, // 1 of 4
                                   {5, NOTICE_DEAD, NULL, NOTICE_FAILED}, // 2 of 4 again
                                   {0, END, NULL, 0}});
}

static void the_same_again_after_a_day(void **state)
{
    (void)state;
    struct subscription s = sub_of(usual);
    play(&s, (const struct step[]){{0, NOTICE_DEAD, "after 10 s", NOTICE_FAILED},
                                   {23 * HOUR, NOTICE_DEAD, "after 11 s", NOTHING}, // numbers do not count
                                   {24 * HOUR - 1, NOTICE_DEAD, "after 10 s", NOTHING},
                                   {24 * HOUR, NOTICE_DEAD, "after 12 s", NOTICE_FAILED},
                                   {25 * HOUR, NOTICE_DEAD, "after 12 s", NOTHING},
                                   {25 * HOUR + 1, NOTICE_DEAD, "refused", NOTICE_FAILED}, // another one: at once
                                   {25 * HOUR + 2, NOTICE_DEAD, "refused", NOTHING},
                                   {26 * HOUR, NOTICE_RECOVERED, NULL, NOTICE_RECOVERED},
                                   {26 * HOUR + 1, NOTICE_DEAD, "refused", NOTICE_FAILED}, // a new one
                                   {0, END, NULL, 0}});
}

static void flapping_makes_one_digest(void **state)
{
    (void)state;
    struct subscription s = sub_of(usual);
    play(&s, (const struct step[]){{0, NOTICE_DEAD, NULL, NOTICE_FAILED},
                                   {5, NOTICE_RECOVERED, NULL, NOTICE_RECOVERED},
                                   {10, NOTICE_DEAD, NULL, NOTICE_FAILED},
                                   {15, NOTICE_RECOVERED, NULL, NOTICE_DIGEST}, // the fourth change
                                   {20, NOTICE_DEAD, NULL, NOTHING},
                                   {25, NOTICE_RECOVERED, NULL, NOTHING},
                                   {30, NOTICE_DEAD, "another", NOTHING},
                                   {35, NOTICE_RECOVERED, NULL, NOTHING},
                                   {79, CALM, NULL, NOTHING},
                                   {80, CALM, NULL, NOTICE_RECOVERED}, // three changes within an hour
                                   {81, CALM, NULL, NOTHING},
                                   {82, NOTICE_RECOVERED, NULL, NOTHING},
                                   {0, END, NULL, 0}});
}

static void flapping_that_ends_badly_is_told(void **state)
{
    (void)state;
    struct subscription s = sub_of((const char *const[]){"failed", "dead", "recovered", NULL});
    play(&s, (const struct step[]){{0, NOTICE_DEAD, NULL, NOTICE_DEAD},
                                   {1, NOTICE_RECOVERED, NULL, NOTICE_RECOVERED},
                                   {2, NOTICE_DEAD, NULL, NOTICE_DEAD},
                                   {3, NOTICE_RECOVERED, NULL, NOTICE_DIGEST},
                                   {4, NOTICE_DEAD, NULL, NOTHING},
                                   {50, NOTICE_DEAD, NULL, NOTHING},
                                   {62, CALM, NULL, NOTICE_DEAD},
                                   {63, NOTICE_DEAD, NULL, NOTHING},
                                   {64, NOTICE_RECOVERED, NULL, NOTICE_RECOVERED},
                                   {0, END, NULL, 0}});
}

static void when_the_rules_are_asked_again(void **state)
{
    (void)state;
    struct subscription s = sub_of(usual);
    struct job_memory m;
    struct notice_item item;
    job_memory_init(&m);
    assert_true(job_memory_is_new(&m));
    for (int i = 0; i < 4; i++) {
        assert_true(instant_is_never(noise_due(&s, &m)));
        struct notice n = {.event = i % 2 ? NOTICE_RECOVERED : NOTICE_DEAD, .at = at(10 * i)};
        (void)noise_take(&s, &m, &n, &item);
    }
    assert_true(m.flapping);
    assert_int_equal(noise_due(&s, &m).us, at(60).us); // the first of the four is an hour old
    assert_false(noise_calm(&s, &m, at(59), ULID_ZERO, &item));
    assert_true(noise_calm(&s, &m, at(60), ULID_ZERO, &item));
    assert_true(instant_is_never(noise_due(&s, &m)));
}

static void only_what_is_wanted(void **state)
{
    (void)state;
    struct subscription s = sub_of((const char *const[]){"dead", "missed", "slow", "paused", "started", NULL});
    play(&s, (const struct step[]){{0, NOTICE_FAILED, NULL, NOTHING}, // failed, and is no dead letter
                                   {1, NOTICE_DEAD, NULL, NOTICE_DEAD},
                                   {2, NOTICE_RECOVERED, NULL, NOTHING},
                                   {3, NOTICE_OVERDUE, NULL, NOTHING},
                                   {4, NOTICE_MISSED, NULL, NOTICE_MISSED},
                                   {5, NOTICE_MISSED, NULL, NOTHING},
                                   {6, NOTICE_SLOW, NULL, NOTICE_SLOW},
                                   {7, NOTICE_SLOW, NULL, NOTHING},
                                   {8, NOTICE_STARTED, NULL, NOTICE_STARTED},
                                   {9, NOTICE_STARTED, NULL, NOTICE_STARTED},
                                   {10, NOTICE_PAUSED, NULL, NOTICE_PAUSED},
                                   {4 + 24 * HOUR, NOTICE_MISSED, NULL, NOTICE_MISSED},
                                   {0, END, NULL, 0}});
    s.enabled = false;
    play(&s, (const struct step[]){{0, NOTICE_DEAD, NULL, NOTHING},
                                   {1, NOTICE_STARTED, NULL, NOTHING},
                                   {0, END, NULL, 0}});
}

static void every_success_for_who_wants_it(void **state)
{
    (void)state;
    struct subscription s = sub_of((const char *const[]){"succeeded", "recovered", "failed", NULL});
    play(&s, (const struct step[]){{0, NOTICE_SUCCEEDED, NULL, NOTICE_SUCCEEDED},
                                   {1, NOTICE_SUCCEEDED, NULL, NOTICE_SUCCEEDED},
                                   {2, NOTICE_DEAD, NULL, NOTICE_FAILED},
                                   {3, NOTICE_SUCCEEDED, NULL, NOTICE_RECOVERED},
                                   {0, END, NULL, 0}});
}

static void one_thread_for_each_incident(void **state)
{
    (void)state;
    struct subscription s = sub_of(usual);
    struct job_memory m;
    struct notice_item first, second, good;
    job_memory_init(&m);
    struct notice n = {.event = NOTICE_DEAD, .at = at(0), .run_id = {{7}}, .message = STR("a")};
    assert_true(noise_take(&s, &m, &n, &first));
    n = (struct notice){.event = NOTICE_DEAD, .at = at(1), .run_id = {{8}}, .message = STR("b")};
    assert_true(noise_take(&s, &m, &n, &second));
    n = (struct notice){.event = NOTICE_RECOVERED, .at = at(2), .run_id = {{9}}};
    assert_true(noise_take(&s, &m, &n, &good));
    assert_true(ulid_eq(first.incident, first.run_id));
    assert_true(ulid_eq(second.incident, first.incident) && ulid_eq(good.incident, first.incident));
    assert_int_equal(second.streak, 2);
}

// ---- messages ----------------------------------------------------------------------------------

static void tell(struct told_memory *g, int event)
{
    told_add(g, &(struct notice_item){.event = event, .at = at(0), .job_name = STR("n\303\266")});
}

static void the_first_at_once_the_rest_together(void **state)
{
    (void)state;
    struct subscription s = sub_of(usual);
    struct told_memory g, out;
    struct instant t = at(0);
    told_memory_init(&g);
    tell(&g, NOTICE_FAILED);
    assert_true(told_release(&s, NULL, &g, t, &out));
    assert_int_equal(out.n, 1);
    assert_int_equal(g.until.us, instant_add(t, duration_s(30)).us);
    tell(&g, NOTICE_FAILED);
    tell(&g, NOTICE_RECOVERED);
    assert_false(told_release(&s, NULL, &g, instant_add(t, duration_s(29)), &out));
    assert_true(told_release(&s, NULL, &g, instant_add(t, duration_s(30)), &out));
    assert_int_equal(out.n, 2);
    assert_false(told_release(&s, NULL, &g, instant_add(t, duration_s(60)), &out));
    assert_true(instant_is_never(g.until)); // nothing is left to remember
    s.group_seconds = 0;
    tell(&g, NOTICE_FAILED);
    tell(&g, NOTICE_RECOVERED);
    for (int i = 0; i < 2; i++) {
        assert_true(told_release(&s, NULL, &g, t, &out));
        assert_int_equal(out.n, 1);
        assert_int_equal(out.items[0].event, i == 0 ? NOTICE_FAILED : NOTICE_RECOVERED);
    }
    assert_false(told_release(&s, NULL, &g, t, &out));
    assert_true(instant_is_never(g.until));
}

static void nothing_is_lost_beyond_the_room(void **state)
{
    (void)state;
    struct told_memory g, back;
    told_memory_init(&g);
    for (int i = 0; i < TOLD_ITEMS_MAX + 7; i++)
        tell(&g, NOTICE_FAILED);
    g.until = at(3);
    told_memory_read(told_memory_write(&g, &a), &back, &a);
    assert_int_equal(back.n, TOLD_ITEMS_MAX);
    assert_int_equal(back.more, 7);
    assert_int_equal(back.until.us, at(3).us);
    assert_true(str_eq(back.items[49].job_name, STR("n\303\266")));
    told_memory_read(STR("{broken"), &back, &a);
    assert_int_equal(back.n, 0);
}

static struct instant utc(int month, int day, int hour, int minute)
{
    return instant_s(civil_to_s((struct civil){2027, month, day, hour, minute, 0}));
}

static void quiet_hours_hold(void **state)
{
    struct zones *zs = zones_new(NULL);
    struct zone *z;
    struct err err;
    (void)state;
    assert_true(zones_get(zs, STR("Europe/Berlin"), &z, &err));
    const struct quiet_hours night = {STR("22:00"), STR("07:00"), STR_NONE},
                             noon = {STR("12:00"), STR("13:30"), STR_NONE},
                             early = {STR("00:30"), STR("02:30"), STR_NONE}, none = {STR_NONE, STR_NONE, STR_NONE};
    const struct {
        const struct quiet_hours *q;
        struct instant now, end;
    } rows[] = {
        {&night, utc(1, 10, 20, 59), utc(1, 10, 20, 59)}, // 21:59
        {&night, utc(1, 10, 21, 0), utc(1, 11, 6, 0)},    // over midnight
        {&night, utc(1, 11, 5, 59), utc(1, 11, 6, 0)},
        {&night, utc(1, 11, 6, 0), utc(1, 11, 6, 0)},
        {&night, utc(3, 27, 21, 0), utc(3, 28, 5, 0)},    // summer time begins in this night
        {&night, utc(10, 30, 20, 0), utc(10, 31, 6, 0)},  // and ends in this one
        {&early, utc(3, 27, 23, 30), utc(3, 28, 1, 0)},   // 02:30 does not exist: when the clock jumps
        {&early, utc(10, 30, 23, 0), utc(10, 31, 0, 30)}, // 02:30 comes twice: at the first,
        {&early, utc(10, 31, 1, 10), utc(10, 31, 1, 30)}, // and what comes in the second hour waits, too
        {&noon, utc(7, 1, 10, 0), utc(7, 1, 11, 30)},
        {&noon, utc(7, 1, 11, 30), utc(7, 1, 11, 30)},
        {&none, utc(7, 1, 1, 0), utc(7, 1, 1, 0)},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (quiet_end(rows[i].q, z, rows[i].now).us != rows[i].end.us)
            fail_msg("row %zu", i);
    struct subscription s = sub_of(usual);
    struct told_memory g, out;
    s.quiet_hours = night;
    told_memory_init(&g);
    tell(&g, NOTICE_FAILED);
    assert_false(told_release(&s, z, &g, utc(1, 10, 22, 0), &out));
    tell(&g, NOTICE_RECOVERED);
    assert_false(told_release(&s, z, &g, utc(1, 11, 5, 0), &out));
    assert_int_equal(g.until.us, utc(1, 11, 6, 0).us);
    assert_true(told_release(&s, z, &g, utc(1, 11, 6, 0), &out));
    assert_int_equal(out.n, 2); // held, not dropped
    zone_unref(z);
    zones_free(zs);
}

static void tries_go_on_for_days(void **state)
{
    (void)state;
    static const int64_t waits_s[] = {5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400};
    for (size_t i = 0; i < sizeof waits_s / sizeof waits_s[0]; i++) {
        int64_t tries = (int64_t)i + 1;
        assert_int_equal(instant_since(delivery_next_try(tries, at(0), (struct duration){0}, 0), at(0)).us,
                         waits_s[i] * US_PER_S);
        assert_true(instant_since(delivery_next_try(tries, at(0), (struct duration){0}, 1), at(0)).us <=
                    waits_s[i] * US_PER_S * 11 / 10);
    }
    assert_true(instant_is_never(delivery_next_try(10, at(0), (struct duration){0}, 0)));
    assert_int_equal(delivery_next_try(1, at(0), duration_s(3600), 0).us, at(60).us); // as the target asked
    assert_int_equal(delivery_next_try(1, at(0), duration_s(99 * 86400), 0).us, at(24 * HOUR).us);
}

static int setup(void **state)
{
    (void)state;
    arena_init(&a, ARENA_BUDGET);
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
        CASE("one failure is told, and one recovery", one_failure_one_recovery),
        CASE("failures are told from the so-manieth in a row on", so_many_in_a_row),
        CASE("failures are told when they are so many of the last outcomes", so_many_of_the_last),
        CASE("the same failure again after a day, another one at once", the_same_again_after_a_day),
        CASE("a job that flaps makes one digest", flapping_makes_one_digest),
        CASE("flapping that ends in failure is told", flapping_that_ends_badly_is_told),
        CASE("the rules say when to ask them again", when_the_rules_are_asked_again),
        CASE("only what is wanted is told", only_what_is_wanted),
        CASE("every success is told to who wants it", every_success_for_who_wants_it),
        CASE("a failure, another and the recovery are one incident", one_thread_for_each_incident),
        CASE("the first message goes at once, the rest together", the_first_at_once_the_rest_together),
        CASE("what finds no room is counted", nothing_is_lost_beyond_the_room),
        CASE("quiet hours hold, over midnight and clock changes", quiet_hours_hold),
        CASE("tries go on for days", tries_go_on_for_days),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
