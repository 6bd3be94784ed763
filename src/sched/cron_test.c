// SPDX-License-Identifier: Apache-2.0
// The parser: spellings that mean the same, faults with field and position, days against the rule in words.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/rng.h"
#include "base/time.h"
#include "sched/cron.h"
#include "sched/cron_next.h"

static bool parse(const char *text, enum cron_dialect dialect, struct cron *ret, struct cron_fault *fault,
                  struct err *err)
{
    struct cron_options o = {.dialect = dialect, .seed = 42};
    return cron_parse(str_of(text), &o, ret, fault, err);
}

static struct cron must_parse(const char *text, enum cron_dialect dialect)
{
    struct cron c;
    struct err err;
    if (!parse(text, dialect, &c, NULL, &err))
        fail_msg("%s: %s", text, err.text);
    return c;
}

static void fields_become_masks(void **state)
{
    (void)state;
    struct cron c = must_parse("5,10-12 1/8 L-2,15W,31 jan-Mar,DEC 1-3,friL,MON#2", DIALECT_AUTO);
    assert_int_equal(c.second, 1);
    assert_int_equal(c.minute, 1 << 5 | 7 << 10);
    assert_int_equal(c.hour, 1 << 1 | 1 << 9 | 1 << 17);
    assert_int_equal(c.last, 1 << 2);
    assert_int_equal(c.near, 1 << 15);
    assert_int_equal(c.dom, 1u << 31);
    assert_int_equal(c.month, 1 << 1 | 1 << 2 | 1 << 3 | 1 << 12);
    assert_int_equal(c.dow, 1 << 1 | 1 << 2 | 1 << 3);
    assert_int_equal(c.last_dow, 1 << 5);
    assert_int_equal(c.nth, 1 << (7 + 1));
}

// Two spellings of one schedule.
static void equal_spellings_give_equal_masks(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        enum cron_dialect da, db;
    } rows[] = {
        {"@yearly", "0 0 1 1 *", 0, 0},
        {"@Annually", "0 0 1 1 *", 0, 0},
        {"@monthly", "0 0 1 * *", 0, 0},
        {"@weekly", "0 0 * * 0", 0, 0},
        {"@daily", "0 0 * * *", 0, 0},
        {" @midnight\t", "0 0 * * *", 0, 0},
        {"@HOURLY", "0 * * * *", 0, 0},
        {"@daily", "0 0 * * *", DIALECT_QUARTZ, 0},
        {"* * * * *", "0 * * * * *", 0, DIALECT_UNIX},
        {"* * * * *", "0 * * * * ? *", 0, DIALECT_UNIX},
        {"0 22-2 * * *", "0 22,23,0,1,2 * * *", 0, 0},
        {"0 22-3/2 * * *", "0 22,0,2-2 * * *", 0, 0},
        {"50-10/5 * * * *", "50,55,0,5,10,50-50 * * * *", 0, 0},
        {"0 0 25-5/3 * *", "0 0 25,28,31,3,3-3 * *", 0, 0},
        {"0 0 * NOV-FEB *", "0 0 * 11,12,1,2 *", 0, 0},
        {"0 0 * 11-3/2 *", "0 0 * 11,1,3 *", 0, 0},
        {"0 0 * * FRI-TUE", "0 0 * * 5,6,0,1,2", 0, 0},
        {"0 0 * * 5-2/2", "0 0 * * 5,0,2", 0, 0},
        {"0 0 * * 0-7", "0 0 * * 0-6", 0, 0},
        {"0 0 * * 7", "0 0 * * SUN", 0, 0},
        {"0 0 * * 7-2", "0 0 * * 0-2", 0, 0},
        {"0 0 * * 5-7", "0 0 * * 5,6,0", 0, 0},
        {"0 0 * * 1/2", "0 0 * * 1,3,5,7", 0, 0},
        {"0 0 * * 7#2", "0 0 * * 0#2", 0, 0},
        {"0 0 0 ? * 1", "0 0 0 ? * SUN", 0, 0},
        {"0 0 0 ? * 7", "0 0 0 ? * SAT", 0, 0},
        {"0 0 0 ? * L", "0 0 0 ? * 7", 0, 0},
        {"0 0 0 ? * 6L", "0 0 0 ? * 5L", 0, DIALECT_UNIX},
        {"0 0 ? * 2-6", "0 0 ? * MON-FRI", DIALECT_QUARTZ, 0},
        {"0 0 0 * * 1-5", "0 0 0 ? * MON-FRI", DIALECT_UNIX, 0},
        {"*/59 * * * *", "0,59-59 * * * *", 0, 0},
        {"0 0 * * *", "00 00 ? ? ?", 0, 0},
        {"? ? ? ? ?", "* * * * *", 0, 0},
        {"0 0 L-0 * *", "0 0 l * *", 0, 0},
        {"0 0 0 1 1 ? 2000-2004/2", "0 0 0 1 1 ? 2000,2002,2004", 0, 0},
        {"0 0 L-0W * *", "0 0 lw * *", 0, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cron a = must_parse(rows[i].a, rows[i].da), b = must_parse(rows[i].b, rows[i].db);
        a.flags &= (uint8_t) ~(CRON_WILD_TIME | CRON_UNEVEN);
        b.flags &= (uint8_t) ~(CRON_WILD_TIME | CRON_UNEVEN);
        if (memcmp(&a, &b, sizeof a) != 0)
            fail_msg("\"%s\" and \"%s\" differ", rows[i].a, rows[i].b);
    }
}

static const struct {
    const char *text, *field;
    size_t position;
    enum cron_dialect dialect;
} wrong[] = {
    {"", "expression", 0, 0},
    {"   ", "expression", 3, 0},
    {"* * * *", "expression", 7, 0},
    {"* * * * * * * *", "expression", 14, 0},
    {"@never", "expression", 0, 0},
    {"@daily 5", "expression", 0, 0},
    {"60 * * * *", "minute", 0, 0},
    {"* 24 * * *", "hour", 2, 0},
    {"* * 0 * *", "day of month", 4, 0},
    {"* * 32 * *", "day of month", 4, 0},
    {"* * * 13 *", "month", 6, 0},
    {"* * * 0 *", "month", 6, 0},
    {"* * * * 8", "weekday", 8, 0},
    {"0 0 0 ? * 0", "weekday", 10, 0},
    {"0 0 0 ? * 8", "weekday", 10, 0},
    {"60 * * * * *", "second", 0, 0},
    {"0 0 0 1 1 ? 1969", "year", 12, 0},
    {"0 0 0 1 1 ? 2200", "year", 12, 0},
    {"0 0 0 1 1 ? 2005-2001", "year", 12, 0},
    {"*/0 * * * *", "minute", 2, 0},
    {"*/60 * * * *", "minute", 2, 0},
    {"* */24 * * *", "hour", 4, 0},
    {"* * */32 * *", "day of month", 6, 0},
    {"* * * */13 *", "month", 8, 0},
    {"* * * * */8", "weekday", 10, 0},
    {"5, * * * *", "minute", 2, 0},
    {",5 * * * *", "minute", 0, 0},
    {"1,,2 * * * *", "minute", 2, 0},
    {"5- * * * *", "minute", 2, 0},
    {"5-99 * * * *", "minute", 2, 0},
    {"-5 * * * *", "minute", 0, 0},
    {"5/ * * * *", "minute", 2, 0},
    {"1-2-3 * * * *", "minute", 3, 0},
    {"1/2/3 * * * *", "minute", 3, 0},
    {"** * * * *", "minute", 1, 0},
    {"*5 * * * *", "minute", 1, 0},
    {"?,5 * * * *", "minute", 0, 0},
    {"1,? * * * *", "minute", 2, 0},
    {"*,? * * * *", "minute", 2, 0},
    {"99999999999999999999 * * * *", "minute", 0, 0},
    {"L * * * *", "minute", 0, 0},
    {"5W * * * *", "minute", 1, 0},
    {"* * L-31 * *", "day of month", 6, 0},
    {"* * L- * *", "day of month", 6, 0},
    {"* * W * *", "day of month", 4, 0},
    {"* * 0W * *", "day of month", 4, 0},
    {"* * 32W * *", "day of month", 4, 0},
    {"* * 1-5W * *", "day of month", 7, 0},
    {"* * 5WL * *", "day of month", 6, 0},
    {"* * * * 5#6", "weekday", 10, 0},
    {"* * * * 5#0", "weekday", 10, 0},
    {"* * * * #1", "weekday", 8, 0},
    {"* * * * L", "weekday", 8, 0},
    {"* * * * 1-5L", "weekday", 11, 0},
    {"* * * FOO *", "month", 6, 0},
    {"* * * JANUARY *", "month", 9, 0},
    {"* * * * MONDAY", "weekday", 11, 0},
    {"H(5 * * * *", "minute", 3, 0},
    {"H(9-5) * * * *", "minute", 4, 0},
    {"H() * * * *", "minute", 2, 0},
    {"H(0-60) * * * *", "minute", 4, 0},
    {"H/0 * * * *", "minute", 2, 0},
    {"0 0 0 1 1 ? H", "year", 12, 0},
    {"0 0 0 * * *", "day of month", 6, DIALECT_QUARTZ},
    {"0 0 0 ? * ?", "day of month", 6, DIALECT_QUARTZ},
    {"0 0 0 1 * 2", "day of month", 6, DIALECT_QUARTZ},
    {"a b c d e", "minute", 0, 0},
    {"\xff * * * *", "minute", 0, 0},
    {"5;6 * * * *", "minute", 1, 0},
};

static void faults_name_field_and_position(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct cron c, untouched;
        struct cron_fault fault;
        struct err err;
        memset(&c, 0x5a, sizeof c);
        memcpy(&untouched, &c, sizeof c);
        if (parse(wrong[i].text, wrong[i].dialect, &c, &fault, &err))
            fail_msg("\"%s\" was accepted", wrong[i].text);
        assert_memory_equal(&c, &untouched, sizeof c);
        assert_int_equal(err.code, ERR_INVALID);
        if (strcmp(fault.field, wrong[i].field) != 0 || fault.position != wrong[i].position)
            fail_msg("\"%s\": %s at %zu (%s)", wrong[i].text, fault.field, fault.position, err.text);
    }
}

static void a_line_break_is_no_separator(void **state)
{
    (void)state;
    struct cron c;
    struct cron_fault fault;
    struct err err;
    assert_false(parse("* * * * 1\n", DIALECT_AUTO, &c, &fault, &err));
    assert_string_equal(fault.field, "weekday");
    assert_int_equal(fault.position, 9);
}

static void an_error_is_a_sentence_with_the_remedy(void **state)
{
    (void)state;
    struct cron c;
    struct err err;
    assert_false(parse("0 25 * * *", DIALECT_AUTO, &c, NULL, &err));
    assert_string_equal(err.text, "hour: expected 0-23 at position 2, found \"25\"");
    assert_false(parse("0 0 1 FEBRUAR *", DIALECT_AUTO, &c, NULL, &err));
    assert_string_equal(err.text,
                        "month: expected \",\" or the end of the field at position 9, found \"RUAR\"");
    assert_false(parse("*/ * * * *", DIALECT_AUTO, &c, NULL, &err));
    assert_string_equal(err.text,
                        "minute: expected a step of 1-59 at position 2, found the end of the field");
}

static void an_expression_longer_than_the_bound_is_refused(void **state)
{
    (void)state;
    static char text[SCHEDULE_EXPRESSION_MAX + 2];
    struct cron c;
    struct cron_fault fault;
    struct err err;
    struct cron_options o = {0};
    for (size_t i = 0; i < sizeof text; i += 2)
        memcpy(text + i, "1,", 2);
    memcpy(text + SCHEDULE_EXPRESSION_MAX - 10, "1  * * * *", 10);
    assert_true(cron_parse(str_of_n(text, SCHEDULE_EXPRESSION_MAX), &o, &c, &fault, &err));
    assert_int_equal(c.minute, 2);
    assert_false(cron_parse(str_of_n(text, SCHEDULE_EXPRESSION_MAX + 1), &o, &c, &fault, &err));
    assert_int_equal(fault.position, SCHEDULE_EXPRESSION_MAX);
}

static void hashed_fields_are_stable_and_in_range(void **state)
{
    (void)state;
    uint64_t minutes = 0, days = 0;
    for (uint64_t seed = 0; seed < 2000; seed++) {
        struct cron_options o = {.seed = seed};
        struct cron a, b;
        struct err err;
        assert_true(cron_parse(STR("H H(2-4) H H H"), &o, &a, NULL, &err));
        assert_true(cron_parse(STR("h h(2-4) h h h"), &o, &b, NULL, &err));
        assert_memory_equal(&a, &b, sizeof a);
        assert_int_equal(__builtin_popcountll(a.minute), 1);
        assert_int_equal(a.hour & ~(7u << 2), 0);
        assert_int_equal(__builtin_popcount(a.hour), 1);
        assert_true(a.flags & CRON_HASHED);
        assert_false(a.flags & CRON_WILD_TIME);
        minutes |= a.minute;
        days |= a.dom;
        assert_true(cron_parse(STR("H/15 H(8-17)/3 H/7 * *"), &o, &a, NULL, &err));
        assert_int_equal(__builtin_popcountll(a.minute), 4);
        assert_int_equal(a.hour & ~(0x3ffu << 8), 0);
        assert_int_equal(__builtin_popcount(a.dom), 4);
        assert_true(cron_parse(STR("H(50-55)/30 * * * *"), &o, &a, NULL, &err));
        assert_int_equal(__builtin_popcountll(a.minute), 1);
        assert_int_equal(a.minute & ~(UINT64_C(0x3f) << 50), 0);
    }
    assert_int_equal(minutes, (UINT64_C(1) << 60) - 1); // every minute is somebody's
    assert_int_equal(days, (UINT64_C(1) << 29) - 2);    // 1 … 28: days of every month
}

static void only_an_item_that_begins_with_h_uses_the_hash(void **state)
{
    (void)state;
    assert_true(cron_uses_hash(STR("H * * * *")));
    assert_true(cron_uses_hash(STR("0 1,h(2-3) * * *")));
    assert_false(cron_uses_hash(STR("0 0 * MAR THU")));
    assert_false(cron_uses_hash(STR("@hourly")));
}

// Every day of two hundred years against the words of the rule, day by day.
static void days_equal_the_rule_tested_day_by_day(void **state)
{
    (void)state;
    struct cron nearest = must_parse("0 0 1W,15W,31W * *", 0), last = must_parse("0 0 L,L-3 * *", 0);
    struct cron last_work = must_parse("0 0 LW * *", 0), nth = must_parse("0 0 * * MON#1,5#5", 0);
    struct cron last_friday = must_parse("0 0 * * 5L", 0), either = must_parse("0 0 13 * 5", 0);
    struct cron both = must_parse("0 0 13 * 5", DIALECT_SPRING);
    for (int64_t day = 0; day < civil_to_days(2200, 1, 1); day++) {
        struct civil d = civil_from_s(day * S_PER_DAY);
        int32_t days = civil_month_days(d.year, d.month), week = civil_weekday(day);
        bool work = week >= 1 && week <= 5, friday_13 = d.day == 13 && week == 5;
        // A working day serves day n when it is n, or n falls on the weekend beside it.
        bool first = d.day == 1 ? work : d.day <= 3 && week == 1 && (d.day == 2 || d.day == 3);
        bool middle = (d.day == 15 && work) || (d.day == 14 && week == 5) || (d.day == 16 && week == 1);
        bool end =
            days == 31 && ((d.day == 31 && work) || (d.day == 30 && week == 5) || (d.day == 29 && week == 5));
        bool last_is = (d.day == days && work) || (week == 5 && (d.day == days - 1 || d.day == days - 2));
        struct {
            const struct cron *c;
            bool want;
        } rows[] = {
            {&nearest, first || middle || end},
            {&last, d.day == days || d.day == days - 3},
            {&last_work, last_is},
            {&nth, (week == 1 && d.day <= 7) || (week == 5 && d.day >= 29)},
            {&last_friday, week == 5 && d.day > days - 7},
            {&either, d.day == 13 || week == 5},
            {&both, friday_13},
        };
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
            bool got = cron_days(rows[i].c, d.year, d.month) >> d.day & 1;
            if (got != rows[i].want)
                fail_msg("rule %zu on %d-%02d-%02d: %d", i, d.year, d.month, d.day, got);
        }
    }
}

// Pieces of expressions and some noise, put together at random.
static size_t random_text(struct rng *rng, char *text, size_t max)
{
    static const char *const pieces[] = {
        "*",  "*/2", "5", "1-3", "FRI-MON", "L",   "L-3",    "LW",   "15W",  "?",  "H", "H(1-5)", "5#2",
        "6L", "/7",  ",", ",2",  "-",       "DEC", "@daily", "2020", "\xff", "\t", "(", "99"};
    size_t n = 0;
    for (uint64_t fields = 4 + rng_below(rng, 4); fields > 0; fields--) {
        for (uint64_t parts = rng_below(rng, 6) ? 1 : 3; parts > 0; parts--) {
            const char *piece =
                pieces[rng_below(rng, rng_below(rng, 4) ? 4 : sizeof pieces / sizeof pieces[0])];
            n += (size_t)snprintf(text + n, max - n, "%s", piece);
        }
        n += (size_t)snprintf(text + n, max - n, " ");
    }
    return n;
}

static void any_bytes_are_parsed_or_refused(void **state)
{
    (void)state;
    struct rng rng;
    uint64_t seed = 20261123;
    rng_init(&rng, seed);
    print_message("# seed %llu\n", (unsigned long long)seed);
    int accepted = 0, refused = 0;
    for (int i = 0; i < 200000; i++) {
        char text[256];
        size_t n = random_text(&rng, text, sizeof text);
        struct cron_options o = {.dialect = (enum cron_dialect)rng_below(&rng, 4), .seed = rng_u64(&rng)};
        struct cron c;
        struct cron_fault fault = {0};
        struct err err;
        if (cron_parse(str_of_n(text, n), &o, &c, &fault, &err)) {
            accepted++;
            assert_true(c.second && c.minute && c.hour && c.month);
            assert_true(c.dom || c.near || c.last || c.last_near);
            assert_true(c.dow || c.nth || c.last_dow);
        } else {
            refused++;
            assert_non_null(fault.field);
            assert_true(fault.position <= n);
        }
    }
    assert_true(accepted > 1000 && refused > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_become_masks),
        cmocka_unit_test(equal_spellings_give_equal_masks),
        cmocka_unit_test(faults_name_field_and_position),
        cmocka_unit_test(a_line_break_is_no_separator),
        cmocka_unit_test(an_error_is_a_sentence_with_the_remedy),
        cmocka_unit_test(an_expression_longer_than_the_bound_is_refused),
        cmocka_unit_test(hashed_fields_are_stable_and_in_range),
        cmocka_unit_test(only_an_item_that_begins_with_h_uses_the_hash),
        cmocka_unit_test(days_equal_the_rule_tested_day_by_day),
        cmocka_unit_test(any_bytes_are_parsed_or_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
