// SPDX-License-Identifier: Apache-2.0
// Query parameters. A parameter that a route does not know is refused: a mistyped filter would otherwise
// answer with everything.
#include <stdarg.h>

#include "api/call.h"

void query_fault(struct call *c, const char *name, const char *fmt, ...)
{
    enum { DETAIL_MAX = 256 };
    char text[DETAIL_MAX];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    // A parameter has no JSON Pointer; problem.c writes "?name" as {"parameter":"name"}.
    faults_add(&c->faults, arena_fmt(c->a, "?%s", name), "%s", text);
}

struct str query_str(struct call *c, const char *name)
{
    struct str v = httpd_query(c->req, name);
    if (v.p && !str_utf8_valid(v)) {
        query_fault(c, name, "must be UTF-8");
        return STR_NONE;
    }
    return v;
}

int64_t query_i64(struct call *c, const char *name, int64_t min, int64_t max, int64_t otherwise)
{
    struct str s = query_str(c, name);
    int64_t v;
    if (!s.p)
        return otherwise;
    if (str_to_i64(s, &v) && v >= min && v <= max)
        return v;
    query_fault(c, name, "must be a whole number from %lld to %lld", (long long)min, (long long)max);
    return otherwise;
}

bool query_bool(struct call *c, const char *name, bool otherwise)
{
    struct str s = query_str(c, name);
    if (!s.p)
        return otherwise;
    if (str_is(s, "true"))
        return true;
    if (!str_is(s, "false"))
        query_fault(c, name, "must be \"true\" or \"false\"");
    return false;
}

struct instant query_instant(struct call *c, const char *name)
{
    struct str s = query_str(c, name);
    struct instant t;
    struct err err = {0};
    if (!s.p)
        return INSTANT_NEVER;
    if (instant_parse(s, &t, &err))
        return t;
    query_fault(c, name, "%s", err.text);
    return INSTANT_NEVER;
}

struct ulid query_id(struct call *c, const char *name)
{
    struct str s = query_str(c, name);
    struct ulid id;
    if (!s.p)
        return ULID_ZERO;
    if (ulid_parse(s, &id))
        return id;
    query_fault(c, name, "must be an identifier of %d characters", ULID_TEXT_LEN);
    return ULID_ZERO;
}

int query_enum(struct call *c, const char *name, const char *const *names)
{
    struct str s = query_str(c, name);
    if (!s.p)
        return -1;
    int v = field_enum_find(names, s);
    if (v >= 0)
        return v;
    enum { WORDS_MAX = 200 };
    struct sbuf words;
    sbuf_init(&words, c->a, WORDS_MAX);
    for (size_t i = 0; names[i]; i++)
        sbuf_fmt(&words, "%s%s", i ? ", " : "", names[i]);
    query_fault(c, name, "must be one of %.*s", STR_ARG(sbuf_str(&words)));
    return -1;
}

static void query_sort(struct call *c, const struct fields *t, struct page *ret)
{
    struct str direction, field = query_str(c, "sort");
    if (!field.p)
        return;
    field = str_split(field, ',', &direction);
    const struct field *row = field_find(t, field);
    if (!row || !(row->flags & FIELD_INDEXED)) {
        struct sbuf words;
        sbuf_init(&words, c->a, FIELD_MAX_DEFAULT);
        for (size_t i = 0; i < t->n; i++)
            if (t->v[i].flags & FIELD_INDEXED)
                sbuf_fmt(&words, "%s%s", words.n ? ", " : "", t->v[i].name);
        query_fault(c, "sort", "can be by %.*s", STR_ARG(sbuf_str(&words)));
        return;
    }
    bool ascending = !direction.p || str_eq_nocase(direction, STR("asc"));
    if (!ascending && !str_eq_nocase(direction, STR("desc")))
        query_fault(c, "sort", "the direction must be \"asc\" or \"desc\"");
    ret->sort = str_of(row->name);
    ret->ascending = ascending;
}

void query_page(struct call *c, const struct fields *t, struct page *ret)
{
    *ret = (struct page){.size = query_i64(c, "size", 1, PAGE_SIZE_MAX, PAGE_SIZE_DEFAULT)};
    ret->offset = ret->size * query_i64(c, "page", 0, PAGE_NUMBER_MAX, 0);
    ret->cursor = query_str(c, "cursor");
    if (ret->cursor.p && ret->offset)
        query_fault(c, "cursor", "give \"page\" or \"cursor\", not both");
    query_sort(c, t, ret);
}

static const struct query_param *param_find(const struct query_param *v, struct str name)
{
    for (; v && v->name; v++)
        if (str_is(name, v->name))
            return v;
    return NULL;
}

void query_check(struct call *c)
{
    enum { SEEN_MAX = 32 };
    const struct query_param *seen[SEEN_MAX];
    size_t n = 0;
    struct str rest = c->req->query;
    while (rest.n > 0) {
        struct str pair = str_split(rest, '&', &rest), value;
        struct str name = str_split(pair, '=', &value);
        if (name.n == 0)
            continue;
        const struct query_param *p = param_find(c->route->query, name);
        for (size_t i = 0; p && i < n; i++)
            if (seen[i] == p)
                query_fault(c, p->name, "is given twice");
        if (p && n < SEEN_MAX)
            seen[n++] = p;
        if (!p && !(c->route->flags & ROUTE_QUERY_ANY))
            query_fault(c, arena_cstr(c->a, name), "is no parameter of this route; /openapi.json lists them");
    }
}
