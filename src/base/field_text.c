// SPDX-License-Identifier: Apache-2.0
// Our own stored text straight into a struct: what an attempt reads before it begins, thousands of times a
// second.
//
// Knows only what field_encode writes: compact JSON, each member once and under its first name, values within
// the bounds of their rows. Everything else, good or bad, is left to field_decode, which also says what is
// wrong.
#include "base/field.h"

#include "base/field_impl.h"

struct scan {
    const char *p, *end;
    struct arena *a;
};

static bool take(struct scan *s, char c)
{
    if (s->p == s->end || *s->p != c)
        return false;
    s->p++;
    return true;
}

static bool take_word(struct scan *s, struct str word)
{
    if ((size_t)(s->end - s->p) < word.n || memcmp(s->p, word.p, word.n) != 0)
        return false;
    s->p += word.n;
    return true;
}

// A string without its quotes, escapes still in it; *ret_escapes counts them.
static bool take_quoted(struct scan *s, struct str *ret, size_t *ret_escapes)
{
    size_t escapes = 0;
    bool ascii = true;
    if (!take(s, '"'))
        return false;
    const char *begin = s->p;
    for (; s->p < s->end && *s->p != '"'; s->p++) {
        unsigned char c = (unsigned char)*s->p;
        if (c < ' ')
            return false;
        ascii = ascii && c < 0x80;
        if (c == '\\') {
            escapes++;
            if (++s->p == s->end)
                return false;
        }
    }
    struct str text = {begin, (size_t)(s->p - begin)};
    if (!take(s, '"') || (!ascii && !str_utf8_valid(text)))
        return false;
    *ret = text;
    *ret_escapes = escapes;
    return true;
}

// What an escape of one letter stands for; 0: another kind.
static char escape_meant(char c)
{
    static const char letters[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    const char *at = c ? strchr(letters, c) : NULL;
    return at ? meant[at - letters] : '\0';
}

static bool unescape(struct scan *s, struct str raw, struct str *ret)
{
    char *out = arena_alloc(s->a, raw.n + 1);
    size_t n = 0;
    if (!out)
        return false;
    for (size_t i = 0; i < raw.n; i++) {
        out[n] = raw.p[i];
        if (raw.p[i] == '\\' && !(out[n] = escape_meant(raw.p[++i])))
            return false;
        n++;
    }
    out[n] = '\0';
    *ret = (struct str){out, n};
    return true;
}

// In the arena.
static bool take_text(struct scan *s, struct str *ret)
{
    struct str raw;
    size_t escapes;
    if (!take_quoted(s, &raw, &escapes))
        return false;
    if (escapes > 0)
        return unescape(s, raw, ret);
    *ret = arena_str(s->a, raw);
    return ret->p != NULL;
}

// Without escapes, where it stands.
static bool take_plain(struct scan *s, struct str *ret)
{
    size_t escapes;
    return take_quoted(s, ret, &escapes) && escapes == 0;
}

static bool take_str(struct scan *s, const struct field *f, struct str *ret)
{
    struct str text;
    if (!take_text(s, &text) || (int64_t)text.n > field_length_max(f)) // bytes: never fewer than characters
        return false;
    if (f->min > 1 || (f->min == 1 && (text.n == 0 || (unsigned char)text.p[0] <= ' ')))
        return false;
    *ret = text;
    return true;
}

static bool take_i64(struct scan *s, const struct field *f, int64_t *ret)
{
    enum { DIGITS_MAX = 18 }; // of any value that cannot overflow
    bool negative = take(s, '-');
    const char *begin = s->p;
    int64_t v = 0;
    for (; s->p < s->end && *s->p >= '0' && *s->p <= '9'; s->p++) {
        if (s->p - begin == DIGITS_MAX)
            return false;
        v = v * 10 + (*s->p - '0');
    }
    size_t n = (size_t)(s->p - begin);
    if (n == 0 || (n > 1 && *begin == '0') || (negative && v == 0))
        return false;
    v = negative ? -v : v;
    if ((field_has_min(f) && v < f->min) || (field_has_max(f) && v > f->max))
        return false;
    *ret = v;
    return true;
}

static bool take_bool(struct scan *s, bool *ret)
{
    bool yes = take_word(s, STR("true"));
    if (!yes && !take_word(s, STR("false")))
        return false;
    *ret = yes;
    return true;
}

static bool take_enum(struct scan *s, const struct field *f, int *ret)
{
    struct str word;
    int i = take_plain(s, &word) ? field_enum_find(f->names, word) : -1;
    if (i >= 0)
        *ret = i;
    return i >= 0;
}

static bool take_instant(struct scan *s, struct instant *ret)
{
    struct str text;
    struct err err;
    return take_plain(s, &text) && instant_parse(text, ret, &err);
}

static bool take_id(struct scan *s, struct ulid *ret)
{
    struct str text;
    return take_plain(s, &text) && ulid_parse(text, ret);
}

// How many strings stand in front of the closing bracket, with `per_item` of them an entry; without moving.
static size_t count_items(const struct scan *s, char close, size_t per_item)
{
    struct scan look = *s;
    struct str raw;
    size_t n = 0, escapes;
    while (look.p < look.end && *look.p != close) {
        if (*look.p != '"') {
            look.p++; // a comma or colon; anything else is found by the caller
            continue;
        }
        if (!take_quoted(&look, &raw, &escapes))
            return 0;
        n++;
    }
    return n / per_item;
}

static bool take_strs(struct scan *s, const struct field *f, struct strs *ret)
{
    if (!take(s, '['))
        return false;
    struct strs list = {.n = count_items(s, ']', 1)};
    if ((int64_t)list.n < f->min || (int64_t)list.n > field_length_max(f))
        return false;
    list.v = arena_new_array(s->a, struct str, list.n);
    for (size_t i = 0; i < list.n; i++)
        if (!list.v || (i > 0 && !take(s, ',')) || !take_text(s, &list.v[i]) ||
            list.v[i].n > FIELD_MAX_DEFAULT)
            return false;
    if (!list.v || !take(s, ']'))
        return false;
    *ret = list;
    return true;
}

static bool map_has(const struct str_map *map, size_t n, struct str key)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(map->v[i].key, key))
            return true;
    return false;
}

static bool take_map(struct scan *s, const struct field *f, struct str_map *ret)
{
    if (!take(s, '{'))
        return false;
    struct str_map map = {.n = count_items(s, '}', 2)};
    if ((int64_t)map.n < f->min || (int64_t)map.n > field_length_max(f))
        return false;
    map.v = arena_new_array(s->a, struct str_pair, map.n);
    for (size_t i = 0; i < map.n; i++) {
        struct str_pair *pair = &map.v[i];
        if (!map.v || (i > 0 && !take(s, ',')) || !take_text(s, &pair->key) || !take(s, ':') ||
            !take_text(s, &pair->value) || pair->key.n > FIELD_MAX_DEFAULT ||
            pair->value.n > FIELD_MAX_DEFAULT || map_has(&map, i, pair->key))
            return false;
    }
    if (!map.v || !take(s, '}'))
        return false;
    *ret = map;
    return true;
}

// Any value, kept as it stands. Whoever uses it parses it: here only its end must be found.
static bool take_raw(struct scan *s, const struct field *f, struct str *ret)
{
    const char *begin = s->p;
    int depth = 0;
    do {
        struct str raw;
        size_t escapes;
        if (s->p == s->end || (unsigned char)*s->p <= ' ')
            return false;
        if (*s->p == '"') {
            if (!take_quoted(s, &raw, &escapes))
                return false;
            continue;
        }
        depth += (*s->p == '{' || *s->p == '[') - (*s->p == '}' || *s->p == ']');
        if (depth < 0 || depth > JSON_DEPTH_MAX)
            return false;
        s->p++;
    } while (depth > 0 || (s->p < s->end && *s->p != ',' && *s->p != '}'));
    struct str text = {begin, (size_t)(s->p - begin)};
    if ((int64_t)text.n > field_length_max(f) || str_is(text, "null"))
        return false;
    *ret = arena_str(s->a, text);
    return ret->p != NULL;
}

static bool take_object(struct scan *s, const struct fields *t, void *obj);

static bool take_value(struct scan *s, const struct field *f, void *at)
{
    switch (f->kind) {
    case FIELD_KIND_STR:
        return take_str(s, f, at);
    case FIELD_KIND_BOOL:
        return take_bool(s, at);
    case FIELD_KIND_I64:
        return take_i64(s, f, at);
    case FIELD_KIND_F64:
        return false;
    case FIELD_KIND_ENUM:
        return take_enum(s, f, at);
    case FIELD_KIND_INSTANT:
        return take_instant(s, at);
    case FIELD_KIND_ID:
        return take_id(s, at);
    case FIELD_KIND_STRS:
        return take_strs(s, f, at);
    case FIELD_KIND_MAP:
        return take_map(s, f, at);
    case FIELD_KIND_JSON:
        return take_raw(s, f, at);
    case FIELD_KIND_OBJECT:
        return take_object(s, f->sub, at);
    }
    return false;
}

// The row of this name behind the last one, since rows are written in their order. t->n: none has it; NULL is
// another spelling, or a place where it should not stand.
static const struct field *find_row(const struct fields *t, size_t from, struct str name)
{
    while (from < t->n && !str_is(name, t->v[from].name))
        from++;
    return from < t->n || !field_find(t, name) ? t->v + from : NULL;
}

static bool required_between(const struct fields *t, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        if (t->v[i].flags & FIELD_REQUIRED)
            return true;
    return false;
}

static bool take_object(struct scan *s, const struct fields *t, void *obj)
{
    size_t next = 0, escapes;
    struct str name, skipped;
    if (!take(s, '{'))
        return false;
    for (bool first = true; !take(s, '}'); first = false) {
        if ((!first && !take(s, ',')) || !take_plain(s, &name) || !take(s, ':'))
            return false;
        const struct field *f = find_row(t, next, name);
        if (f == t->v + t->n) { // a text beside the table, as "type" in front of a payload's fields
            if (!take_quoted(s, &skipped, &escapes))
                return false;
            continue;
        }
        if (!f || required_between(t, next, (size_t)(f - t->v)) || !take_value(s, f, field_at(f, obj)))
            return false;
        next = (size_t)(f - t->v) + 1;
    }
    return !required_between(t, next, t->n);
}

bool field_decode_text(const struct fields *t, struct str text, void *obj, struct arena *a)
{
    struct scan s = {.p = text.p, .end = text.p + text.n, .a = a};
    field_defaults(t, obj);
    return take_object(&s, t, obj) && s.p == s.end;
}
