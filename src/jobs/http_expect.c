// SPDX-License-Identifier: Apache-2.0
// Rules on the body: a text, a regular expression, a value at a JSON Pointer (RFC 6901).
//
// Expressions run on an event loop, so that what they may cost is bounded before they are stored: no
// references back, and counts that multiply to no more than REPEATS_MAX. The body they see is what the client
// keeps of it.
#include "jobs/http_expect.h"

#include <regex.h>

#include "base/json.h"

enum { REPEATS_MAX = 1000, SHOWN_MAX = 80 };

// ---- regular expressions ----

// The largest number in "{2,10}"; 1 without one.
static int64_t count_of(struct str braces)
{
    int64_t most = 1, n;
    for (struct str rest = braces, word; rest.p; most = n > most ? n : most) {
        word = str_split(rest, ',', &rest);
        if (!str_to_i64(word, &n))
            n = 1;
    }
    return most;
}

static bool cheap(struct str regex, struct err *err)
{
    int64_t repeats = 1;
    for (size_t i = 0; i < regex.n; i++) {
        char c = regex.p[i], next = i + 1 < regex.n ? regex.p[i + 1] : '\0';
        if (c == '\\' && next >= '1' && next <= '9')
            return ERR(err, ERR_INVALID, "must not refer back to a group (\\%c)", next);
        if (c == '\\')
            i++;
        if (c != '{')
            continue;
        struct str rest = {regex.p + i + 1, regex.n - i - 1};
        repeats *= count_of((struct str){rest.p, str_find(rest, '}')});
        if (repeats > REPEATS_MAX)
            return ERR(err, ERR_INVALID, "has counts in {…} that multiply to more than %d", REPEATS_MAX);
    }
    return true;
}

static bool regex_compile(struct str text, regex_t *ret, struct arena *a, struct err *err)
{
    const char *pattern = arena_cstr(a, text);
    if (!pattern)
        return ERR(err, ERR_TOO_LARGE, "is too large");
    if (!cheap(text, err))
        return false;
    int rc = regcomp(ret, pattern, REG_EXTENDED | REG_NOSUB);
    if (rc == 0)
        return true;
    char why[SHOWN_MAX];
    (void)regerror(rc, NULL, why, sizeof why);
    return ERR(err, ERR_INVALID, "is not a POSIX extended regular expression: %s", why);
}

// ---- JSON Pointers ----

static struct str unescaped(struct str token, struct arena *a)
{
    struct sbuf b;
    sbuf_init(&b, a, token.n + 1);
    for (size_t i = 0; i < token.n; i++) {
        bool escape = token.p[i] == '~' && i + 1 < token.n;
        if (escape && (token.p[i + 1] == '0' || token.p[i + 1] == '1'))
            sbuf_putc(&b, token.p[++i] == '0' ? '~' : '/');
        else
            sbuf_putc(&b, token.p[i]);
    }
    return sbuf_str(&b);
}

static const json_t *value_at(const json_t *v, struct str pointer, struct arena *a)
{
    struct str rest = pointer;
    (void)str_split(rest, '/', &rest); // what is before the first slash is empty
    while (v && rest.p) {
        struct str token = unescaped(str_split(rest, '/', &rest), a);
        int64_t i;
        if (json_is_array(v))
            v = str_to_i64(token, &i) && i >= 0 ? json_array_get(v, (size_t)i) : NULL;
        else
            v = json_object_getn(v, token.p, token.n);
    }
    return v;
}

// ---- at save ----

void http_expect_check(const struct http_expect_payload *e, struct str pointer, struct faults *faults,
                       struct arena *scratch)
{
    struct err err;
    regex_t regex;
    struct arena *a = faults->a;
    if (e->regex.p && !http_later(e->regex)) {
        if (regex_compile(e->regex, &regex, scratch, &err))
            regfree(&regex);
        else
            faults_add(faults, arena_fmt(a, "%.*s/regex", STR_ARG(pointer)), "%s", err.text);
    }
    if (e->pointer.n > 0 && e->pointer.p[0] != '/' && !http_later(e->pointer))
        faults_add(faults, arena_fmt(a, "%.*s/pointer", STR_ARG(pointer)),
                   "must be a JSON Pointer such as \"/status\" or \"/items/0/id\"");
    if (e->equals.p && !e->pointer.p)
        faults_add(faults, arena_fmt(a, "%.*s/equals", STR_ARG(pointer)), "needs pointer beside it");
}

// ---- at the answer ----

bool http_expect_any(const struct http_expect_payload *e)
{
    return e->contains.p || e->regex.p || e->pointer.p;
}

static bool pointer_holds(const struct http_expect_payload *e, struct str body, struct arena *a,
                          struct err *err)
{
    json_t *json CLEANUP_JSON = NULL, *wanted CLEANUP_JSON = NULL;
    struct err parse;
    if (!json_parse(body, &json, &parse))
        return ERR(err, ERR_INVALID, "the body is not JSON: %s", parse.text);
    const json_t *v = value_at(json, e->pointer, a);
    int n = (int)str_utf8_cut(e->pointer, SHOWN_MAX);
    if (!v)
        return ERR(err, ERR_INVALID, "the body has no value at \"%.*s\"", n, e->pointer.p);
    if (!e->equals.p)
        return true;
    if (!json_parse(e->equals, &wanted, err))
        return err_wrap(err, "expectedBody.equals");
    return json_equal(v, wanted) ||
           ERR(err, ERR_INVALID, "the value at \"%.*s\" is another", n, e->pointer.p);
}

static bool regex_holds(struct str pattern, struct str body, struct arena *a, struct err *err)
{
    regex_t regex;
    const char *text = arena_cstr(a, body);
    if (!text)
        return ERR(err, ERR_TOO_LARGE, "no memory for the body");
    if (!regex_compile(pattern, &regex, a, err))
        return err_wrap(err, "expectedBody.regex");
    bool found = regexec(&regex, text, 0, NULL, 0) == 0;
    regfree(&regex);
    return found || ERR(err, ERR_INVALID, "the body does not match the regular expression");
}

bool http_expect_holds(const struct http_expect_payload *e, const struct http_response *r, struct arena *a,
                       struct err *err)
{
    struct err why;
    bool ok = true;
    if (e->contains.p && !str_contains(r->body, e->contains))
        ok = ERR(&why, ERR_INVALID, "the body does not hold the expected text");
    ok = ok && (!e->regex.p || regex_holds(e->regex, r->body, a, &why));
    ok = ok && (!e->pointer.p || pointer_holds(e, r->body, a, &why));
    if (ok)
        return true;
    if (r->truncated)
        (void)err_wrap(&why, "within the first %zu bytes", r->body.n);
    *err = why;
    return false;
}
