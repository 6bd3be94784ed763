// SPDX-License-Identifier: Apache-2.0
// Names of operations and their groups, and which problems an operation can end in.
#include "api/openapi.h"

enum { WORDS_MAX = 12, WORD_MAX = 32 };

// ---- names ----

// The last word of a path that begins at p: its length.
static size_t word_length(const char *p)
{
    size_t n = 0;
    while (p[n] && p[n] != '/' && p[n] != ':' && p[n] != '{')
        n++;
    return n;
}

// "api-keys" → "ApiKeys", "openapi.json" → "OpenapiJson".
static void put_word(struct sbuf *out, struct str word, bool capital)
{
    for (size_t i = 0; i < word.n; i++) {
        char c = word.p[i];
        if (c == '-' || c == '.') {
            capital = true;
            continue;
        }
        sbuf_putc(out, capital && c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c);
        capital = false;
    }
}

// One of several: "jobs" → "job", "deliveries" → "delivery".
static void put_singular(struct sbuf *out, struct str word)
{
    if (word.n > 3 && str_ends(word, STR("ies"))) {
        put_word(out, (struct str){word.p, word.n - 3}, true);
        sbuf_putc(out, 'y');
    } else if (word.n > 2 && word.p[word.n - 1] == 's' && word.p[word.n - 2] != 's') {
        put_word(out, (struct str){word.p, word.n - 1}, true);
    } else {
        put_word(out, word, true);
    }
}

static const char *verb(const struct route *r)
{
    static const char *const verbs[][2] = {{"PUT", "put"}, {"PATCH", "change"}, {"DELETE", "delete"}};
    if (strcmp(r->method, "GET") == 0)
        return r->answer == ANSWER_LIST ? "list" : r->answer == ANSWER_STREAM ? "follow" : "get";
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        if (strcmp(r->method, verbs[i][0]) == 0)
            return verbs[i][1];
    return r->status == 201 ? "create" : "post";
}

void operation_id(const struct route *r, struct sbuf *out)
{
    const char *colon = strchr(r->path, ':');
    if (colon)
        put_word(out, str_of(colon + 1), false);
    else
        sbuf_puts(out, verb(r));
    size_t before = out->n;
    for (const char *p = r->path; *p && p != colon;) {
        if (*p == '{') {
            const char *end = strchr(p, '}');
            if (p - r->path > 1 && p[-2] == '}') // no word between two parameters: the second one's name
                put_word(out, (struct str){p + 1, (size_t)(end - p) - 1}, true);
            p = end + 1;
            continue;
        }
        size_t n = word_length(p);
        if (n == 0) {
            p++;
            continue;
        }
        bool last = p[n] == '\0' || p + n == colon;
        bool one = p[n] == '/' && p[n + 1] == '{';
        if (one || (last && !colon && strcmp(verb(r), "create") == 0))
            put_singular(out, (struct str){p, n});
        else
            put_word(out, (struct str){p, n}, true);
        p += n;
    }
    if (out->n == before)
        sbuf_puts(out, "Root");
}

struct str operation_tag(const struct route *r)
{
    if (r->flags & ROUTE_ROOT)
        return STR("server");
    const char *p = r->path + 1;
    return (struct str){p, word_length(p)};
}

// ---- problems ----

static bool has_parameter(const struct route *r, const char *name)
{
    for (const struct query_param *q = r->query; q && q->name; q++)
        if (strcmp(q->name, name) == 0)
            return true;
    return false;
}

void operation_problems(const struct route *r, int ret[static PROBLEM_STATUSES_MAX])
{
    bool get = strcmp(r->method, "GET") == 0, public = r->action == ACTION_PUBLIC;
    bool body = r->request || r->in, object = strchr(r->path, '{') || has_parameter(r, "jobId");
    bool signs_in = public && !get;
    const struct {
        int status;
        bool can;
    } rows[] = {
        {400, body || r->query || object || (r->flags & ROUTE_IDEMPOTENT)},
        {401, !public || signs_in || (r->flags & ROUTE_CALLER)},
        {403, !public || signs_in || (r->flags & ROUTE_CALLER)},
        {404, object || signs_in},
        {409, !get || (r->flags & ROUTE_ROOT)},
        {412, r->flags & ROUTE_IF_MATCH},
        {413, true},
        {415, !get},
        {422, (r->flags & ROUTE_IDEMPOTENT) || body},
        {429, true},
        {500, true},
        {503, true},
        {504, true},
        {507, !get},
    };
    size_t n = 0;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].can)
            ret[n++] = rows[i].status;
    ret[n] = 0;
}
