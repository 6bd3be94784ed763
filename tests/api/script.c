// SPDX-License-Identifier: Apache-2.0
// Runner of API scripts. See script.h for the language.
#include "script.h"

#include "base/file.h"
#include "contract.h"

enum { VARS_MAX = 32, SCRIPT_MAX = 1 << 20, SCRIPT_ARENA = 16 << 20, HEADERS_MAX = 8 };

struct var {
    struct str name, value;
};
struct runner {
    struct world *w;
    struct arena a;
    const char *path;
    int line;
    struct var vars[VARS_MAX];
    size_t n_vars;
    bool torture;
    struct script_result *result;
};

static struct var *var_find(struct runner *r, struct str name)
{
    for (size_t i = 0; i < r->n_vars; i++)
        if (str_eq(r->vars[i].name, name))
            return &r->vars[i];
    return NULL;
}

static size_t var_len(struct str s) // of the name after '$'
{
    size_t n = 0;
    while (n < s.n && ((s.p[n] >= 'a' && s.p[n] <= 'z') || (s.p[n] >= '0' && s.p[n] <= '9') || s.p[n] == '_'))
        n++;
    return n;
}

// $name becomes its value; an unknown one stays ("$ref" in OpenAPI).
static struct str expand(struct runner *r, struct str s)
{
    struct sbuf out;
    sbuf_init(&out, &r->a, SCRIPT_MAX);
    for (size_t i = 0; i < s.n; i++) {
        struct str rest = {s.p + i + 1, s.n - i - 1};
        size_t n = s.p[i] == '$' ? var_len(rest) : 0;
        struct var *v = n ? var_find(r, (struct str){rest.p, n}) : NULL;
        if (!v) {
            sbuf_putc(&out, s.p[i]);
            continue;
        }
        sbuf_put(&out, v->value);
        i += n;
    }
    sbuf_putc(&out, '\0');
    out.n--;
    return sbuf_str(&out);
}

static bool text_matches(struct runner *r, struct str want, struct str got)
{
    if (str_is(want, "*"))
        return true;
    if (want.n > 1 && want.p[0] == '$' && var_len((struct str){want.p + 1, want.n - 1}) == want.n - 1 &&
        !var_find(r, (struct str){want.p + 1, want.n - 1})) {
        must(r->n_vars < VARS_MAX);
        r->vars[r->n_vars++] = (struct var){arena_str(&r->a, (struct str){want.p + 1, want.n - 1}),
                                            arena_str(&r->a, got)};
        return true;
    }
    return str_eq(expand(r, want), got);
}

static bool matches(struct runner *r, const json_t *want, const json_t *got, const char *where);

static bool object_matches(struct runner *r, const json_t *want, const json_t *got, const char *where)
{
    const char *key;
    json_t *member;
    bool open = json_object_get(want, "…") != NULL;
    json_object_foreach((json_t *)want, key, member) {
        if (strcmp(key, "…") == 0)
            continue;
        json_t *there = json_object_get(got, key);
        if (!there) {
            fprintf(stderr, "%s: member \"%s\" is missing\n", where, key);
            return false;
        }
        if (!matches(r, member, there, key))
            return false;
    }
    json_object_foreach((json_t *)got, key, member) {
        if (!open && !json_object_get(want, key)) {
            fprintf(stderr, "%s: member \"%s\" is not expected\n", where, key);
            return false;
        }
    }
    return true;
}

static bool matches(struct runner *r, const json_t *want, const json_t *got, const char *where)
{
    if (json_is_string(want) && str_is(json_str(want), "*"))
        return true;
    if (json_typeof(want) != json_typeof(got)) {
        fprintf(stderr, "%s: has another type\n", where);
        return false;
    }
    if (json_is_object(want))
        return object_matches(r, want, got, where);
    if (json_is_array(want)) {
        bool same = json_array_size(want) == json_array_size(got);
        if (!same)
            fprintf(stderr, "%s: has %zu elements\n", where, json_array_size(got));
        for (size_t i = 0; same && i < json_array_size(want); i++)
            same = matches(r, json_array_get(want, i), json_array_get(got, i), where);
        return same;
    }
    bool same = json_is_string(want) ? text_matches(r, json_str(want), json_str(got)) : json_equal(want, got);
    if (!same)
        fprintf(stderr, "%s: has another value\n", where);
    return same;
}

bool problem_proper(const struct exchange *x)
{
    static const char *const members[] = {"type", "title", "status", "detail", "instance", "code", "traceId"};
    if (strcmp(x->resp.content_type, "application/problem+json") != 0 || !json_is_object(x->json))
        return false;
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        if (!json_object_get(x->json, members[i]))
            return false;
    return json_integer_value(json_object_get(x->json, "status")) == x->resp.status && !x->resp.source;
}

struct step {
    struct str method, target, who, body, expect, status;
    struct str_map headers;
    struct str check_name, check_value;
};

static bool step_check(struct runner *r, const struct step *s, const struct exchange *x)
{
    int64_t status;
    must(str_to_i64(s->status, &status));
    if (x->resp.status != status) {
        fprintf(stderr, "status is %d, not %lld\n", x->resp.status, (long long)status);
        return false;
    }
    if (status >= 400 && !problem_proper(x)) {
        fprintf(stderr, "the problem is not complete\n");
        return false;
    }
    if (s->expect.n > 0) {
        CLEANUP_JSON json_t *want = NULL;
        struct err err = {0};
        if (!json_parse(s->expect, &want, &err)) {
            fprintf(stderr, "the expectation is no JSON: %s\n", err.text);
            return false;
        }
        if (!x->json || !matches(r, want, x->json, "answer"))
            return false;
    }
    if (s->check_name.n == 0)
        return true;
    struct str got = exchange_header(x, arena_cstr(&r->a, s->check_name));
    bool same = got.p && text_matches(r, s->check_value, got);
    if (!same)
        fprintf(stderr, "header %.*s is \"%.*s\"\n", STR_ARG(s->check_name), STR_ARG(got));
    return same;
}

static void step_run(struct runner *r, struct step *s)
{
    struct exchange x;
    struct request q = {.method = arena_cstr(&r->a, s->method), .target = expand(r, s->target).p,
                        .who = str_is(s->who, "nobody") ? NULL : arena_cstr(&r->a, s->who),
                        .body = expand(r, s->body), .headers = &s->headers};
    if (q.body.n == 0)
        q.body = STR_NONE;
    world_send(r->w, &q, &x);
    r->result->requests++;
    if (!contract_holds(&x)) {
        fprintf(stderr, "%s:%d: the answer is not as documented: %.*s\n", r->path, r->line,
                STR_ARG(sbuf_str(&x.resp.body)));
        r->result->failures++;
    }
    int64_t status = 0;
    (void)str_to_i64(s->status, &status);
    if (r->torture && x.resp.status != status) {
        r->result->stopped = true;
        bool health = json_object_get(x.json, "components") != NULL; // it tells of the fault itself
        if (!problem_proper(&x) && !health) {
            fprintf(stderr, "%s:%d: a store fault was answered by %d %.*s\n", r->path, r->line, x.resp.status,
                    STR_ARG(sbuf_str(&x.resp.body)));
            r->result->failures++;
        }
    } else if (!step_check(r, s, &x)) {
        fprintf(stderr, "%s:%d: %.*s %s\n  answered %d %.*s\n", r->path, r->line, STR_ARG(s->method), q.target,
                x.resp.status, STR_ARG(sbuf_str(&x.resp.body)));
        r->result->failures++;
    }
    exchange_release(&x);
}

static struct str word(struct str *rest) { return str_split(*rest, ' ', rest); }

static void command(struct runner *r, struct str line)
{
    struct str rest = expand(r, line), what = word(&rest), arg = word(&rest);
    int64_t seconds;
    struct ulid id;
    if (str_is(what, "advance") && str_to_i64(arg, &seconds)) {
        clock_virtual_advance(&r->w->clock, duration_s(seconds));
        return;
    }
    if (str_is(what, "break")) {
        world_break(r->w, arena_cstr(&r->a, arg));
        return;
    }
    must(ulid_parse(arg, &id));
    if (str_is(what, "start")) {
        world_start_run(r->w, id);
        return;
    }
    must(str_is(what, "end"));
    int status = field_enum_find(run_status_names, word(&rest));
    must(status >= 0);
    world_end_run(r->w, id, status, rest.n ? arena_cstr(&r->a, rest) : NULL);
}

// Reads one step from the request line on. Returns what follows it.
static struct str step_read(struct runner *r, struct str line, struct str rest, struct step *s)
{
    struct str as;
    *s = (struct step){.headers = {arena_new_array(&r->a, struct str_pair, HEADERS_MAX), 0}};
    s->method = word(&line);
    s->target = word(&line);
    as = word(&line);
    must(str_is(as, "as"));
    s->who = line;
    struct sbuf body, expect;
    sbuf_init(&body, &r->a, SCRIPT_MAX);
    sbuf_init(&expect, &r->a, SCRIPT_MAX);
    bool answer = false;
    while (rest.n > 0) {
        struct str after, l = str_split(rest, '\n', &after), value;
        if (answer && (str_trim(l).n == 0 || l.p[0] == '#'))
            break;
        rest = after;
        r->line++;
        if (str_starts(l, STR("=> "))) {
            answer = true;
            l = (struct str){l.p + 3, l.n - 3};
            s->status = word(&l);
            s->check_name = l.p ? str_split(l, ':', &s->check_value) : STR_NONE;
            s->check_value = s->check_value.p ? expand(r, str_trim(s->check_value)) : STR_NONE;
        } else if (!answer && body.n == 0 && l.n > 0 && l.p[0] >= 'A' && l.p[0] <= 'Z') {
            struct str name = str_split(l, ':', &value);
            char *lower = arena_cstr(&r->a, name);
            for (size_t i = 0; i < name.n; i++)
                lower[i] = (char)(lower[i] | 0x20);
            s->headers.v[s->headers.n++] = (struct str_pair){str_of(lower), expand(r, str_trim(value))};
        } else {
            sbuf_put(answer ? &expect : &body, l);
        }
    }
    s->body = sbuf_str(&body);
    s->expect = sbuf_str(&expect);
    return rest;
}

void script_run(struct world *w, const char *path, bool torture, struct script_result *ret)
{
    struct runner r = {.w = w, .path = path, .torture = torture, .result = ret};
    struct str text;
    struct err err = {0};
    *ret = (struct script_result){0};
    arena_init(&r.a, SCRIPT_ARENA);
    must(file_read(path, SCRIPT_MAX, &text, &r.a, &err));
    while (text.n > 0 && !ret->stopped) {
        struct str rest, line = str_split(text, '\n', &rest);
        r.line++;
        text = rest;
        if (str_trim(line).n == 0 || line.p[0] == '#')
            continue;
        if (line.p[0] == '!') {
            command(&r, (struct str){line.p + 2, line.n - 2});
            continue;
        }
        struct step s;
        text = step_read(&r, line, rest, &s);
        step_run(&r, &s);
    }
    arena_release(&r.a);
}
