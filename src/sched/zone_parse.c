// SPDX-License-Identifier: Apache-2.0
// Reads TZif files (RFC 9636) into struct zone. Takes any bytes: every count and index is checked
// against the length before use. Refused: version 1 (32-bit times only) and files with leap seconds
// ("right/…"), whose time scale is not the one of struct instant.
//
//     header v1 | data v1 (skipped) | header v2+ | times types codes abbreviations | \n rule \n
#include "sched/zone.h"

#include "base/mem.h"
#include "base/time.h"
#include "sched/zone_rule.h"

enum {
    HEADER_LEN = 44,
    TIMES_MAX = 4096,
    TYPES_MAX = 256,
    CHARS_MAX = 4096,
    RULE_TEXT_MAX = 256,
    // The footer's rule is carried on for one cycle of the calendar and a margin on both sides.
    RULE_YEARS = 404,
    RULE_CYCLE_YEARS = 402,
    RULE_FIRST_YEAR = 1900, // of a file whose rule has no transition before it
    OFFSET_S_MIN = -89999,  // RFC 9636 3.2: −25 h < offset < 26 h
    OFFSET_S_MAX = 93599,
};
// Times outside this are of no use and would overflow: ±10^12 s are 31,000 years.
#define TIME_S_MAX INT64_C(1000000000000)

struct counts {
    uint32_t isut, isstd, leap, time, type, chars;
};

// What is read so far. Arrays lie in the scratch arena.
struct draft {
    int64_t *at;
    uint16_t *kind;
    uint32_t n;
    struct zone_type *types;
    uint32_t types_n;
    int64_t cycle_s;
};

static uint32_t be32(const char *p)
{
    const unsigned char *b = (const unsigned char *)p;
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static int64_t be64(const char *p) { return (int64_t)((uint64_t)be32(p) << 32 | be32(p + 4)); }

static bool corrupt(struct err *err, struct str name, const char *what)
{
    return ERR(err, ERR_CORRUPT, "time zone data of \"%.*s\": %s; install the tzdata package again",
               STR_ARG(name), what);
}

static bool header_read(struct str b, struct counts *ret, char *ret_version)
{
    if (b.n < HEADER_LEN || memcmp(b.p, "TZif", 4) != 0)
        return false;
    const char *p = b.p + 20;
    *ret = (struct counts){be32(p), be32(p + 4), be32(p + 8), be32(p + 12), be32(p + 16), be32(p + 20)};
    *ret_version = b.p[4];
    return true;
}

static uint64_t data_len(const struct counts *c, uint64_t time_len)
{
    return c->time * time_len + c->time + c->type * UINT64_C(6) + c->chars + c->leap * (time_len + 4) +
           (uint64_t)c->isstd + c->isut;
}

static bool types_read(const struct counts *c, const char *p, const char *chars, struct draft *d)
{
    for (uint32_t i = 0; i < c->type; i++, p += 6) {
        int32_t offset = (int32_t)be32(p);
        uint32_t at = (unsigned char)p[5];
        if (offset < OFFSET_S_MIN || offset > OFFSET_S_MAX || (unsigned char)p[4] > 1 || at >= c->chars)
            return false;
        size_t len = strnlen(chars + at, c->chars - at);
        if (len == c->chars - at || len >= ZONE_ABBR_MAX)
            return false;
        d->types[i] = (struct zone_type){.offset_s = offset, .dst = p[4] == 1};
        memcpy(d->types[i].abbr, chars + at, len);
    }
    d->types_n = c->type;
    return true;
}

static bool times_read(const struct counts *c, const char *times, const char *kinds, struct draft *d)
{
    d->kind[0] = 0; // RFC 9636 3.2: type 0 holds before the first transition
    for (uint32_t i = 0; i < c->time; i++) {
        int64_t t = be64(times + (size_t)i * 8);
        if (t < -TIME_S_MAX || t > TIME_S_MAX || (i > 0 && t <= d->at[i - 1]))
            return false;
        if ((unsigned char)kinds[i] >= c->type)
            return false;
        d->at[i] = t;
        d->kind[i + 1] = (unsigned char)kinds[i];
    }
    d->n = c->time;
    return true;
}

static uint16_t type_add(struct draft *d, const struct zone_type *t)
{
    for (uint32_t i = 0; i < d->types_n; i++) {
        const struct zone_type *old = &d->types[i];
        if (old->offset_s == t->offset_s && old->dst == t->dst && strcmp(old->abbr, t->abbr) == 0)
            return (uint16_t)i;
    }
    d->types[d->types_n] = *t;
    return (uint16_t)d->types_n++;
}

// Appends a transition made from the rule. Those the table has already are passed over; of two at one
// instant the later given holds, so that summer time all year long leaves no empty winter behind.
static void rule_append(struct draft *d, uint32_t table_n, int64_t at, uint16_t kind)
{
    if (d->n > table_n && at <= d->at[d->n - 1]) {
        if (at == d->at[d->n - 1])
            d->kind[d->n] = kind;
        return;
    }
    if (d->n > 0 && at <= d->at[d->n - 1])
        return;
    if (d->kind[d->n] == kind && d->n > 0)
        return;
    d->at[d->n] = at;
    d->kind[++d->n] = kind;
}

static void rule_expand(struct draft *d, const struct zone_rule *r)
{
    uint16_t std = type_add(d, &r->std);
    if (!r->has_dst) {
        // Without a table the rule speaks for all times; with one, its last type equals the rule.
        if (d->n == 0)
            d->kind[0] = std;
        return;
    }
    uint16_t dst = type_add(d, &r->dst);
    uint32_t table_n = d->n;
    int32_t first = table_n > 0 ? civil_from_s(d->at[table_n - 1]).year : RULE_FIRST_YEAR;
    for (int32_t y = first; y < first + RULE_YEARS; y++) {
        int64_t begin = zone_rule_begin_s(r, y), end = zone_rule_end_s(r, y);
        if (begin < end) {
            rule_append(d, table_n, begin, dst);
            rule_append(d, table_n, end, std);
        } else {
            rule_append(d, table_n, end, std);
            rule_append(d, table_n, begin, dst);
        }
    }
    if (d->n > table_n)
        d->cycle_s = civil_to_days(first + RULE_CYCLE_YEARS, 1, 1) * S_PER_DAY;
}

static bool footer_read(struct str b, struct str name, struct draft *d, struct err *err)
{
    if (b.n < 2 || b.p[0] != '\n')
        return corrupt(err, name, "the footer is missing");
    struct str text = {b.p + 1, 0};
    while (1 + text.n < b.n && text.n <= RULE_TEXT_MAX && text.p[text.n] != '\n')
        text.n++;
    if (1 + text.n >= b.n || text.n > RULE_TEXT_MAX)
        return corrupt(err, name, "the footer does not end");
    if (text.n == 0)
        return true; // no rule: the last offset stays
    struct zone_rule rule;
    if (!zone_rule_parse(text, &rule))
        return corrupt(err, name, "the footer is not a POSIX rule");
    rule_expand(d, &rule);
    return true;
}

static struct zone *zone_build(const struct draft *d, struct str name)
{
    size_t types = d->types_n * sizeof(struct zone_type), at = d->n * sizeof(int64_t);
    size_t kind = (d->n + 1) * sizeof(uint16_t);
    struct zone *z = (struct zone *)mem_array(1, sizeof *z + at + types + kind);
    atomic_init(&z->refs, 1);
    memcpy(z->name, name.p, name.n);
    z->n = d->n;
    z->cycle_s = d->cycle_s;
    z->at = (int64_t *)(z + 1);
    z->types = (struct zone_type *)((char *)z->at + at);
    z->kind = (uint16_t *)((char *)z->types + types);
    if (at > 0)
        memcpy(z->at, d->at, at);
    memcpy(z->types, d->types, types);
    memcpy(z->kind, d->kind, kind);
    return z;
}

static bool draft_alloc(struct draft *d, struct arena *scratch)
{
    size_t most = TIMES_MAX + 2 * RULE_YEARS;
    *d = (struct draft){.cycle_s = INT64_MAX};
    d->at = arena_new_array(scratch, int64_t, most);
    d->kind = arena_new_array(scratch, uint16_t, most + 1);
    d->types = arena_new_array(scratch, struct zone_type, TYPES_MAX + 2);
    return d->at && d->kind && d->types;
}

static bool data_read(struct str b, struct str name, struct draft *d, struct err *err)
{
    struct counts c;
    char version;
    if (!header_read(b, &c, &version))
        return corrupt(err, name, "not a TZif file");
    if (version < '2')
        return corrupt(err, name, "version 1 of the format has no 64-bit times");
    uint64_t skip = HEADER_LEN + data_len(&c, 4);
    if (skip > b.n)
        return corrupt(err, name, "the file is cut short");
    b = str_of_n(b.p + skip, b.n - skip);
    if (!header_read(b, &c, &version))
        return corrupt(err, name, "the second header is missing");
    if (c.leap > 0)
        return corrupt(err, name, "it counts leap seconds, which Chronos does not");
    if (c.time > TIMES_MAX || c.type < 1 || c.type > TYPES_MAX || c.chars < 1 || c.chars > CHARS_MAX)
        return corrupt(err, name, "a count is out of bounds");
    uint64_t len = HEADER_LEN + data_len(&c, 8);
    if (len > b.n)
        return corrupt(err, name, "the file is cut short");
    const char *times = b.p + HEADER_LEN, *kinds = times + (size_t)c.time * 8;
    const char *types = kinds + c.time, *chars = types + (size_t)c.type * 6;
    if (!types_read(&c, types, chars, d))
        return corrupt(err, name, "an offset or abbreviation is out of bounds");
    if (!times_read(&c, times, kinds, d))
        return corrupt(err, name, "the transitions are not in order");
    return footer_read(str_of_n(b.p + len, b.n - len), name, d, err);
}

bool zone_parse(struct str bytes, struct str name, struct zone **ret, struct err *err)
{
    if (name.n > ZONE_NAME_MAX)
        return ERR(err, ERR_INVALID, "time zone name is longer than %d bytes", ZONE_NAME_MAX);
    if (bytes.n > ZONE_FILE_MAX)
        return corrupt(err, name, "the file is too large");
    struct arena scratch;
    arena_init(&scratch, (size_t)ZONE_FILE_MAX);
    struct draft d;
    struct zone *z = NULL;
    bool ok = draft_alloc(&d, &scratch) || ERR(err, ERR_FULL, "out of memory while reading a time zone");
    ok = ok && data_read(bytes, name, &d, err);
    if (ok)
        z = zone_build(&d, name);
    arena_release(&scratch);
    if (ok)
        *ret = z;
    return ok;
}

struct zone *zone_utc(void)
{
    struct zone_type utc = {.abbr = "UTC"};
    uint16_t kind = 0;
    struct draft d = {.kind = &kind, .types = &utc, .types_n = 1, .cycle_s = INT64_MAX};
    return zone_build(&d, STR("UTC"));
}
