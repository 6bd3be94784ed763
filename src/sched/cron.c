// SPDX-License-Identifier: Apache-2.0
// Parser of cron expressions. One pass over the bytes, no allocation; searching is cron_next.c's.
//
//     field = "?" | item *( "," item )
//     item  = ( "*" | value | value "-" value ) [ "/" step ]        all fields; a range may wrap
//           | "H" [ "(" number "-" number ")" ] [ "/" step ]        all fields but year
//           | "L" [ "-" number ] [ "W" ] | number "W"               day of month
//           | value "L" | value "#" 1..5 | "L" (quartz: Saturday)   weekday
#include "sched/cron.h"

#include <stdarg.h>

#include "base/rng.h"
#include "base/time.h"

enum field_id { SECOND, MINUTE, HOUR, DOM, MONTH, DOW, YEAR, FIELD_COUNT };
enum {
    FIELDS_MIN = 5,
    FIELDS_MAX = 7,
    NAME_LEN = 3,
    WEEK = 7,
    NTH_MAX = 5,
    LAST_OFFSET_MAX = 30,
    NUMBER_MAX = 1000000, // larger numbers are read as this: wrong everywhere
    FOUND_MAX = 24,       // bytes of the text quoted in an error
    HASH_DOM_MAX = 28,    // H picks a day that every month has
};

static const char *const month_names[] = {"JAN", "FEB", "MAR", "APR", "MAY", "JUN",
                                          "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"};
static const char *const weekday_names[] = {"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"};

struct field_rule {
    const char *name;
    int32_t min, max;
    int32_t step_max;
    int32_t hash_max;         // H without a range: min … hash_max; −1 = no H
    const char *const *names; // word i means min + i
    int32_t names_n;
};

static const struct field_rule rules[FIELD_COUNT] = {
    [SECOND] = {"second", 0, 59, 59, 59, NULL, 0},
    [MINUTE] = {"minute", 0, 59, 59, 59, NULL, 0},
    [HOUR] = {"hour", 0, 23, 23, 23, NULL, 0},
    [DOM] = {"day of month", 1, 31, 31, HASH_DOM_MAX, NULL, 0},
    [MONTH] = {"month", 1, 12, 12, 12, month_names, 12},
    [DOW] = {"weekday", 0, 7, 7, 6, weekday_names, WEEK},
    [YEAR] = {"year", CRON_YEAR_MIN, CRON_YEAR_MAX, CRON_YEAR_MAX - CRON_YEAR_MIN, -1, NULL, 0},
};
static const struct field_rule rule_dow_quartz = {"weekday", 1, 7, 7, 7, weekday_names, WEEK};

static const struct {
    const char *name, *text;
} macros[] = {
    {"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"}, {"@monthly", "0 0 1 * *"}, {"@weekly", "0 0 * * 0"},
    {"@daily", "0 0 * * *"},  {"@midnight", "0 0 * * *"}, {"@hourly", "0 * * * *"},
};

struct reader {
    struct str s;  // the whole expression
    size_t i, end; // position, end of the field
    enum field_id id;
    const struct field_rule *rule;
    bool sunday_is_1;
    uint64_t seed;
    uint64_t bits[CRON_YEAR_WORDS]; // values of the field, from 0 (year: from 1970)
    struct cron *c;
    struct cron_fault *fault; // may be NULL
    struct err *err;
};

static bool fault_set(struct reader *r, const char *field, size_t at)
{
    if (r->fault)
        *r->fault = (struct cron_fault){field, at};
    return false;
}

// "minute: expected 0-59 at position 3, found "61"".
__attribute__((format(printf, 3, 4))) static bool expected(struct reader *r, size_t at, const char *fmt, ...)
{
    char what[128];
    va_list args;
    va_start(args, fmt);
    vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    struct str found = str_of_n(r->s.p + at, r->end - at);
    found.n = str_utf8_cut(found, FOUND_MAX);
    if (at < r->end)
        ERR(r->err, ERR_INVALID, "%s: expected %s at position %zu, found \"%.*s\"", r->rule->name, what, at,
            STR_ARG(found));
    else
        ERR(r->err, ERR_INVALID, "%s: expected %s at position %zu, found the end of the field", r->rule->name,
            what, at);
    return fault_set(r, r->rule->name, at);
}

static char upper(char ch) { return ch >= 'a' && ch <= 'z' ? (char)(ch - 'a' + 'A') : ch; }

static char peek(const struct reader *r) { return r->i < r->end ? upper(r->s.p[r->i]) : '\0'; }

static bool take(struct reader *r, char want)
{
    if (peek(r) != want)
        return false;
    r->i++;
    return true;
}

static bool is_digit(char ch) { return ch >= '0' && ch <= '9'; }

static bool number(struct reader *r, int32_t min, int32_t max, const char *what, int32_t *ret)
{
    size_t at = r->i;
    int32_t v = 0;
    while (is_digit(peek(r))) {
        v = v * 10 + (r->s.p[r->i++] - '0');
        if (v > NUMBER_MAX)
            v = NUMBER_MAX;
    }
    if (r->i == at || v < min || v > max) {
        r->i = at;
        return expected(r, at, "%s%d-%d", what, min, max);
    }
    *ret = v;
    return true;
}

static bool field_name(struct reader *r, int32_t *ret)
{
    if (r->end - r->i < NAME_LEN)
        return false;
    for (int32_t k = 0; k < r->rule->names_n; k++) {
        if (!str_eq_nocase(str_of_n(r->s.p + r->i, NAME_LEN), str_of(r->rule->names[k])))
            continue;
        r->i += NAME_LEN;
        *ret = r->rule->min + k;
        return true;
    }
    return false;
}

static bool value(struct reader *r, int32_t *ret)
{
    if (field_name(r, ret))
        return true;
    if (is_digit(peek(r)))
        return number(r, r->rule->min, r->rule->max, "", ret);
    const char *words = r->id == MONTH ? " or JAN-DEC" : r->id == DOW ? " or SUN-SAT" : "";
    return expected(r, r->i, "%d-%d%s", r->rule->min, r->rule->max, words);
}

static int32_t weekday_of(const struct reader *r, int32_t v) { return r->sunday_is_1 ? v - 1 : v % WEEK; }

static void value_set(struct reader *r, int32_t v)
{
    int32_t bit = r->id == DOW ? weekday_of(r, v) : r->id == YEAR ? v - CRON_YEAR_MIN : v;
    r->bits[bit / 64] |= UINT64_C(1) << (bit % 64);
}

// lo, lo + step, … up to hi; past the end of the field it counts on from the start.
static void range_set(struct reader *r, int32_t lo, int32_t hi, int32_t step)
{
    bool sunday_twice = r->id == DOW && !r->sunday_is_1; // 0 and 7
    if (sunday_twice && lo == WEEK && hi != WEEK)
        lo = 0;
    int32_t cycle = r->id == DOW ? WEEK : r->rule->max - r->rule->min + 1;
    int32_t length = hi >= lo ? hi - lo : hi + cycle - lo;
    for (int32_t k = 0; k <= length; k += step) {
        int32_t v = lo + k;
        if (hi < lo && v >= r->rule->min + cycle)
            v -= cycle;
        value_set(r, v);
    }
}

static void mark_wild(struct reader *r)
{
    if (r->id <= HOUR)
        r->c->flags |= CRON_WILD_TIME;
}

// Optional "/step"; 1 without. *ret_given tells which.
static bool step_read(struct reader *r, int32_t *ret_step, bool *ret_given)
{
    *ret_given = take(r, '/');
    *ret_step = 1;
    return !*ret_given || number(r, 1, r->rule->step_max, "a step of ", ret_step);
}

static bool star_item(struct reader *r)
{
    int32_t step;
    bool given;
    r->i++;
    if (!step_read(r, &step, &given))
        return false;
    range_set(r, r->rule->min, r->rule->max, step);
    if (r->id <= HOUR && (r->rule->max + 1) % step != 0)
        r->c->flags |= CRON_UNEVEN;
    mark_wild(r);
    return true;
}

// The same job gets the same value for ever; the fields of one job get independent ones.
static uint64_t field_hash(const struct reader *r)
{
    static const uint8_t key[16] = "chronos cron H\1";
    uint64_t in[2] = {r->seed, (uint64_t)r->id};
    return hash_bytes(key, in, sizeof in);
}

static bool hash_item(struct reader *r)
{
    size_t at = r->i++;
    if (r->rule->hash_max < 0)
        return expected(r, at, "%d-%d", r->rule->min, r->rule->max);
    int32_t lo = r->rule->min, hi = r->rule->hash_max, step;
    bool stepped;
    if (take(r, '(')) {
        if (!number(r, r->rule->min, r->rule->max, "", &lo))
            return false;
        if (!take(r, '-'))
            return expected(r, r->i, "\"-\"");
        if (!number(r, lo, r->rule->max, "", &hi))
            return false;
        if (!take(r, ')'))
            return expected(r, r->i, "\")\"");
    }
    if (!step_read(r, &step, &stepped))
        return false;
    int32_t width = hi - lo + 1;
    int32_t first = lo + (int32_t)(field_hash(r) % (uint64_t)(stepped && step < width ? step : width));
    range_set(r, first, stepped ? hi : first, step);
    r->c->flags |= CRON_HASHED;
    if (stepped)
        mark_wild(r);
    return true;
}

static bool last_dom_item(struct reader *r)
{
    r->i++;
    int32_t back = 0;
    if (take(r, '-') && !number(r, 0, LAST_OFFSET_MAX, "days before the last, ", &back))
        return false;
    if (take(r, 'W'))
        r->c->last_near |= UINT32_C(1) << back;
    else
        r->c->last |= UINT32_C(1) << back;
    return true;
}

// What may follow a value in the weekday field: "L" or "#n". *ret_done: it did.
static bool weekday_suffix(struct reader *r, int32_t v, bool *ret_done)
{
    int32_t day = weekday_of(r, v), n;
    *ret_done = true;
    if (take(r, 'L')) {
        r->c->last_dow |= (uint8_t)(1 << day);
        return true;
    }
    if (take(r, '#')) {
        if (!number(r, 1, NTH_MAX, "which one of the month, ", &n))
            return false;
        r->c->nth |= UINT64_C(1) << ((n - 1) * WEEK + day);
        return true;
    }
    *ret_done = false;
    return true;
}

static bool value_item(struct reader *r)
{
    size_t at = r->i;
    int32_t lo, hi, step;
    bool done = false, stepped;
    if (!value(r, &lo))
        return false;
    if (r->id == DOW && !weekday_suffix(r, lo, &done))
        return false;
    if (done)
        return true;
    if (r->id == DOM && take(r, 'W')) {
        r->c->near |= UINT32_C(1) << lo;
        return true;
    }
    bool ranged = take(r, '-');
    hi = lo;
    if (ranged && !value(r, &hi))
        return false;
    if (r->id == YEAR && hi < lo)
        return expected(r, at, "a rising range of years");
    if (!step_read(r, &step, &stepped))
        return false;
    if (stepped && !ranged)
        hi = r->rule->max;
    range_set(r, lo, hi, step);
    if (stepped || ranged)
        mark_wild(r);
    return true;
}

static bool item(struct reader *r)
{
    switch (peek(r)) {
    case '*':
        return star_item(r);
    case 'H':
        return hash_item(r);
    case 'L':
        if (r->id == DOM)
            return last_dom_item(r);
        if (r->id == DOW && r->sunday_is_1) { // quartz: the last day of the week
            r->i++;
            value_set(r, WEEK);
            return true;
        }
        return value_item(r);
    case '?':
        return expected(r, r->i, "\"?\" to stand alone");
    default:
        return value_item(r);
    }
}

static void field_store(const struct reader *r)
{
    struct cron *c = r->c;
    switch (r->id) {
    case SECOND:
        c->second = r->bits[0];
        break;
    case MINUTE:
        c->minute = r->bits[0];
        break;
    case HOUR:
        c->hour = (uint32_t)r->bits[0];
        break;
    case DOM:
        c->dom = (uint32_t)r->bits[0];
        break;
    case MONTH:
        c->month = (uint16_t)r->bits[0];
        break;
    case DOW:
        c->dow = (uint8_t)r->bits[0];
        break;
    default:
        memcpy(c->year, r->bits, sizeof c->year);
        break;
    }
}

static bool field_parse(struct reader *r)
{
    bool any = r->end - r->i == 1 && (peek(r) == '*' || peek(r) == '?');
    memset(r->bits, 0, sizeof r->bits);
    if (any && r->id == DOM)
        r->c->flags |= CRON_DOM_ANY;
    if (any && r->id == DOW)
        r->c->flags |= CRON_DOW_ANY;
    do {
        if (any ? !star_item(r) : !item(r))
            return false;
    } while (take(r, ','));
    if (r->i < r->end)
        return expected(r, r->i, "\",\" or the end of the field");
    field_store(r);
    return true;
}

struct span {
    size_t begin, end;
};

// Fields are separated by blanks and tabs. Returns how many there are, also past FIELDS_MAX; spans beyond
// FIELDS_MAX share the last place.
static size_t fields_split(struct str s, struct span spans[static FIELDS_MAX + 1])
{
    size_t n = 0, i = 0;
    for (;;) {
        while (i < s.n && (s.p[i] == ' ' || s.p[i] == '\t'))
            i++;
        if (i >= s.n)
            return n;
        size_t begin = i;
        while (i < s.n && s.p[i] != ' ' && s.p[i] != '\t')
            i++;
        if (n <= FIELDS_MAX)
            spans[n] = (struct span){begin, i};
        n++;
    }
}

static bool macro_text(struct str word, struct str *ret)
{
    for (size_t i = 0; i < sizeof macros / sizeof macros[0]; i++) {
        if (!str_eq_nocase(word, str_of(macros[i].name)))
            continue;
        *ret = str_of(macros[i].text);
        return true;
    }
    return false;
}

// The strict dialect wants exactly one day field to be "?".
static bool quartz_days(struct reader *r, const struct span *dom, const struct span *dow)
{
    int marks = (r->s.p[dom->begin] == '?') + (r->s.p[dow->begin] == '?');
    if (marks == 1)
        return true;
    r->rule = &rules[DOM];
    r->end = dom->end;
    if (marks == 2)
        return expected(r, dom->begin, "\"?\" in one of day of month and weekday, not in both (quartz)");
    return expected(r, dom->begin, "\"?\" in one of day of month and weekday (dialect quartz)");
}

static bool fields_parse(struct reader *r, const struct span *spans, size_t n, enum cron_dialect dialect)
{
    enum field_id first = n == FIELDS_MIN ? MINUTE : SECOND;
    if (first == MINUTE)
        r->c->second = 1;
    if (n < FIELDS_MAX) { // every year
        r->id = YEAR;
        r->rule = &rules[YEAR];
        range_set(r, CRON_YEAR_MIN, CRON_YEAR_MAX, 1);
        field_store(r);
    }
    for (size_t k = 0; k < n; k++) {
        r->id = (enum field_id)(first + k);
        r->rule = r->id == DOW && r->sunday_is_1 ? &rule_dow_quartz : &rules[r->id];
        r->i = spans[k].begin;
        r->end = spans[k].end;
        if (!field_parse(r))
            return false;
    }
    return dialect != DIALECT_QUARTZ || quartz_days(r, &spans[DOM - first], &spans[DOW - first]);
}

static bool count_fault(struct reader *r, size_t n, const struct span *spans)
{
    ERR(r->err, ERR_INVALID,
        "cron expression has %zu fields; expected 5 (minute hour day month weekday), "
        "6 (second first), 7 (year last) or a macro such as @daily",
        n);
    return fault_set(r, "expression", n > FIELDS_MAX ? spans[FIELDS_MAX].begin : r->s.n);
}

static bool macro_fault(struct reader *r, const struct span *word)
{
    struct str found = str_of_n(r->s.p + word->begin, word->end - word->begin);
    found.n = str_utf8_cut(found, FOUND_MAX);
    ERR(r->err, ERR_INVALID,
        "cron macro \"%.*s\" at position %zu does not exist; expected @yearly, @annually, @monthly, "
        "@weekly, @daily, @midnight or @hourly",
        STR_ARG(found), word->begin);
    return fault_set(r, "expression", word->begin);
}

bool cron_uses_hash(struct str expr)
{
    // H begins an item; the H of THU does not.
    for (size_t i = 0; i < expr.n; i++) {
        bool begins = i == 0 || expr.p[i - 1] == ' ' || expr.p[i - 1] == '\t' || expr.p[i - 1] == ',';
        if (begins && upper(expr.p[i]) == 'H')
            return true;
    }
    return false;
}

bool cron_parse(struct str expr, const struct cron_options *o, struct cron *ret, struct cron_fault *ret_fault,
                struct err *err)
{
    struct cron c = {0};
    struct span spans[FIELDS_MAX + 1];
    struct reader r = {.s = expr, .seed = o->seed, .c = &c, .fault = ret_fault, .err = err};
    if (expr.n > SCHEDULE_EXPRESSION_MAX) {
        ERR(err, ERR_INVALID, "cron expression is %zu bytes long; expected at most %d", expr.n,
            SCHEDULE_EXPRESSION_MAX);
        return fault_set(&r, "expression", SCHEDULE_EXPRESSION_MAX);
    }
    size_t n = fields_split(expr, spans);
    enum cron_dialect dialect = o->dialect;
    if (n >= 1 && expr.p[spans[0].begin] == '@') {
        struct str word = str_of_n(expr.p + spans[0].begin, spans[0].end - spans[0].begin);
        if (n > 1 || !macro_text(word, &r.s))
            return macro_fault(&r, &spans[0]);
        n = fields_split(r.s, spans);
        dialect = DIALECT_UNIX;
    }
    if (n < FIELDS_MIN || n > FIELDS_MAX)
        return count_fault(&r, n, spans);
    r.sunday_is_1 = dialect == DIALECT_QUARTZ || (dialect == DIALECT_AUTO && n > FIELDS_MIN);
    if (!fields_parse(&r, spans, n, dialect))
        return false;
    if (o->day_match == DAY_MATCH_AND || (o->day_match == DAY_MATCH_AUTO && o->dialect == DIALECT_SPRING))
        c.flags |= CRON_BOTH;
    *ret = c;
    return true;
}
