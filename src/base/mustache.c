// SPDX-License-Identifier: Apache-2.0
// One walk over the text, and a stack of what the open sections are about. Sections are not kept: their end
// is looked for each time, which the count of steps bounds.
#include "base/mustache.h"

#include <stdarg.h>
#include <stdio.h>

enum {
    SHOWN_MAX = 80,
    PATH_MAX_BYTES = 128,
    SUGGEST_DISTANCE_MAX = 3,
    BYTES_OF_A_STEP = 256,
    FAULT_MAX = 256
};

struct walk {
    const struct mustache *m;
    struct str text;
    const json_t *stack[MUSTACHE_DEPTH_MAX + 1];
    size_t depth; // of the stack; its first is the whole of the values
    size_t open;  // sections, inverted ones too
    size_t steps;
    struct sbuf *out;
    struct sbuf value, other; // heap; swapped by filters
    bool failed;
    struct err *err;
};

// kind: 'v' value, '&' value as it is, '#' '^' '/' sections, '!' comment, '\\' a plain "{{".
struct tag {
    char kind;
    size_t at, end;  // all of it, blank rest of its line included
    size_t begin;    // of its braces
    struct str name; // what is inside
};

static int shown(struct str s) { return (int)(s.n < SHOWN_MAX ? s.n : str_utf8_cut(s, SHOWN_MAX)); }

static bool fault(struct walk *w, size_t at, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static bool fault(struct walk *w, size_t at, const char *fmt, ...)
{
    char text[FAULT_MAX];
    size_t line = 1, start = 0;
    va_list args;
    for (size_t i = 0; i < at; i++)
        if (w->text.p[i] == '\n') {
            line++;
            start = i + 1;
        }
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    w->failed = true;
    size_t column = 1 + str_utf8_count((struct str){w->text.p + start, at - start});
    return ERR(w->err, ERR_INVALID, "line %zu, column %zu: %s", line, column, text);
}

static bool too_large(struct walk *w, const char *what)
{
    w->failed = true;
    return ERR(w->err, ERR_TOO_LARGE, "%s", what);
}

// ---- tags ----

static bool step(struct walk *w, size_t bytes)
{
    w->steps += 1 + bytes / BYTES_OF_A_STEP;
    return w->steps <= MUSTACHE_STEPS_MAX ||
           too_large(w, "the template does too much; it has too many sections in sections");
}

// A tag that has its line for itself takes the blanks around it and the line's end.
static void take_line(const struct walk *w, size_t from, struct tag *t)
{
    size_t first = t->at, last = t->end;
    while (first > from && (w->text.p[first - 1] == ' ' || w->text.p[first - 1] == '\t'))
        first--;
    while (last < w->text.n && (w->text.p[last] == ' ' || w->text.p[last] == '\t' || w->text.p[last] == '\r'))
        last++;
    bool starts = first == 0 || w->text.p[first - 1] == '\n';
    bool ends = last == w->text.n || w->text.p[last] == '\n';
    if (!starts || !ends)
        return;
    t->at = first;
    t->end = last < w->text.n ? last + 1 : last;
}

static bool tag_read(struct walk *w, size_t from, size_t open, struct tag *ret)
{
    bool triple = open + 2 < w->text.n && w->text.p[open + 2] == '{';
    size_t inside = open + 2 + triple;
    const char *ending = triple ? "}}}" : "}}";
    const char *close = memmem(w->text.p + inside, w->text.n - inside, ending, strlen(ending));
    if (!close || (size_t)(close - w->text.p) - open > MUSTACHE_TAG_MAX)
        return fault(w, open, "a \"%s\" has no \"%s\" near it; write \\{{ for a plain one",
                     triple ? "{{{" : "{{", ending);
    struct str name = str_trim((struct str){w->text.p + inside, (size_t)(close - w->text.p) - inside});
    struct tag t = {.kind = triple ? '&' : 'v', .at = open, .begin = open, .name = name};
    t.end = (size_t)(close - w->text.p) + strlen(ending);
    if (!triple && name.n > 0 && strchr("#^/!&>=", name.p[0])) {
        t.kind = name.p[0];
        t.name = str_trim((struct str){name.p + 1, name.n - 1});
    }
    if (t.kind == '>' || t.kind == '=')
        return fault(w, open, "partials and other delimiters are not known; write the text itself");
    if (t.kind != '!' && t.name.n == 0)
        return fault(w, open, "the braces are empty; write \\{{ for plain ones");
    if (strchr("#^/!", t.kind))
        take_line(w, from, &t);
    *ret = t;
    return true;
}

// False: there is none before `to`, or the walk has failed.
static bool tag_next(struct walk *w, size_t from, size_t to, struct tag *ret)
{
    const char *open = from < to ? memmem(w->text.p + from, to - from, "{{", 2) : NULL;
    size_t at = open ? (size_t)(open - w->text.p) : to;
    if (!step(w, at - from) || !open)
        return false;
    if (at > from && open[-1] == '\\') {
        *ret = (struct tag){.kind = '\\', .at = at - 1, .begin = at - 1, .end = at + 2};
        return true;
    }
    return tag_read(w, from, at, ret);
}

// The tag that closes the section t opened.
static bool section_end(struct walk *w, const struct tag *t, size_t to, struct tag *ret)
{
    struct tag next;
    size_t open = 1;
    for (size_t at = t->end; tag_next(w, at, to, &next); at = next.end) {
        open += next.kind == '#' || next.kind == '^';
        open -= next.kind == '/';
        if (open == 0) {
            *ret = next;
            return str_eq(next.name, t->name) ||
                   fault(w, next.begin, "\"%.*s\" is closed here, but \"%.*s\" is open", shown(next.name),
                         next.name.p, shown(t->name), t->name.p);
        }
    }
    return w->failed ? false
                     : fault(w, t->begin, "the section \"%.*s\" is not closed; write {{/%.*s}}",
                             shown(t->name), t->name.p, shown(t->name), t->name.p);
}

// ---- values ----

static const json_t *member(const json_t *v, struct str name)
{
    int64_t i;
    if (json_is_object(v))
        return json_object_getn(v, name.p, name.n);
    return json_is_array(v) && str_to_i64(name, &i) && i >= 0 ? json_array_get(v, (size_t)i) : NULL;
}

static const json_t *find(const struct walk *w, struct str path)
{
    struct str rest, first = str_split(path, '.', &rest);
    const json_t *v = NULL;
    if (str_is(path, "."))
        return w->stack[w->depth];
    for (size_t d = w->depth + 1; d > 0 && !v; d--)
        v = member(w->stack[d - 1], first);
    while (v && rest.p) {
        first = str_split(rest, '.', &rest);
        v = member(v, first);
    }
    return json_is_null(v) ? NULL : v;
}

static void nearest(const json_t *values, struct str prefix, struct str path,
                    char best[static PATH_MAX_BYTES], size_t *distance)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)values, key, value)
    {
        char full[PATH_MAX_BYTES];
        int n = snprintf(full, sizeof full, "%.*s%s%s", STR_ARG(prefix), prefix.n > 0 ? "." : "", key);
        if (n < 0 || (size_t)n >= sizeof full)
            continue;
        size_t d = str_distance(str_of(full), path);
        if (d < *distance) {
            *distance = d;
            memcpy(best, full, (size_t)n + 1);
        }
        if (prefix.n == 0 && json_is_object(value))
            nearest(value, str_of(key), path, best, distance);
    }
}

static bool unknown(struct walk *w, size_t at, struct str path)
{
    char best[PATH_MAX_BYTES] = "";
    size_t distance = SUGGEST_DISTANCE_MAX + 1;
    nearest(w->m->values, STR(""), path, best, &distance);
    return fault(w, at, "there is no \"%.*s\"%s%s%s", shown(path), path.p, best[0] ? "; did you mean \"" : "",
                 best, best[0] ? "\"?" : "");
}

static void put_value(struct sbuf *out, const json_t *v)
{
    if (json_is_string(v))
        sbuf_put(out, json_str(v));
    else if (v)
        json_write(v, out);
}

// ---- filters ----

struct place {
    const json_t *value;
    size_t at;
    bool missing, raw;
    bool made; // a filter has been there: it is a text now, whatever it was
    bool json; // the last filter wrote JSON
};

static void swap_texts(struct walk *w)
{
    struct sbuf t = w->value;
    w->value = w->other;
    w->other = t;
}

static void change_case(struct sbuf *b, char first, char last)
{
    for (size_t i = 0; i < b->n; i++)
        if (b->p[i] >= first && b->p[i] <= last)
            b->p[i] ^= ' ';
}

static void put_lines(struct sbuf *out, struct str s, int64_t n)
{
    size_t from = s.n > 0 && s.p[s.n - 1] == '\n' ? s.n - 1 : s.n;
    if (n == 0)
        return;
    while (from > 0 && (s.p[from - 1] != '\n' || --n > 0))
        from--;
    sbuf_put(out, (struct str){s.p + from, s.n - from});
}

static void put_oneline(struct sbuf *out, struct str s)
{
    s = str_trim(s);
    for (size_t i = 0; i < s.n; i++) {
        bool blank = s.p[i] == '\n' || s.p[i] == '\r' || s.p[i] == '\t';
        if (!blank)
            sbuf_putc(out, s.p[i]);
        else if (out->n > 0 && out->p[out->n - 1] != ' ')
            sbuf_putc(out, ' ');
    }
}

static void put_shortened(struct sbuf *out, struct str s, int64_t most)
{
    size_t n = 0;
    if ((int64_t)str_utf8_count(s) <= most) {
        sbuf_put(out, s);
        return;
    }
    for (int64_t i = 0; i + 1 < most && n < s.n; i++) {
        size_t bytes = str_utf8_step((struct str){s.p + n, s.n - n});
        n += bytes > 0 ? bytes : 1;
    }
    sbuf_put(out, (struct str){s.p, n});
    sbuf_puts(out, most > 0 ? "…" : "");
}

// Those with a number. False: it is none of them, or the number is none.
static bool filter_counted(struct walk *w, struct str name, struct str argument)
{
    struct str value = sbuf_str(&w->value);
    int64_t n;
    if (!argument.p || !str_to_i64(argument, &n) || n < 0)
        return false;
    if (str_is(name, "cut")) {
        w->value.n = w->value.n > (size_t)n ? str_utf8_cut(value, (size_t)n) : w->value.n;
        return true;
    }
    if (str_is(name, "trunc"))
        put_shortened(&w->other, value, n);
    else if (str_is(name, "lines"))
        put_lines(&w->other, value, n);
    else
        return false;
    swap_texts(w);
    return true;
}

static bool filter_own(struct walk *w, struct place *p, struct str name, struct str argument)
{
    struct str value = sbuf_str(&w->value);
    if (str_is(name, "upper") || str_is(name, "lower")) {
        change_case(&w->value, name.p[0] == 'u' ? 'a' : 'A', name.p[0] == 'u' ? 'z' : 'Z');
        return true;
    }
    if (str_is(name, "raw") && w->m->raw) {
        p->raw = true;
        return true;
    }
    if (str_is(name, "default")) {
        if (p->missing && argument.p)
            sbuf_put(&w->value, argument);
        p->missing = false;
        return true;
    }
    p->json = str_is(name, "json");
    if (p->json && (json_is_string(p->value) || p->made))
        sbuf_json(&w->other, value);
    else if (p->json)
        sbuf_puts(&w->other, w->value.n > 0 ? w->value.p : "null");
    else if (str_is(name, "url"))
        sbuf_url(&w->other, value);
    else if (str_is(name, "oneline"))
        put_oneline(&w->other, value);
    else
        return filter_counted(w, name, argument);
    swap_texts(w);
    return true;
}

static bool filter_dur(struct walk *w, const struct place *p)
{
    int64_t ms;
    if (w->value.n == 0)
        return true;
    if (!str_to_i64(sbuf_str(&w->value), &ms))
        return fault(w, p->at, "the filter dur wants a number of milliseconds");
    sbuf_duration(&w->other, ms);
    swap_texts(w);
    return true;
}

static bool filter_unknown(struct walk *w, const struct place *p, struct str one)
{
    char more[FAULT_MAX / 2] = "";
    for (const struct mustache_filter *f = w->m->more; f && f->name; f++) {
        size_t n = strlen(more);
        (void)snprintf(more + n, sizeof more - n, ", %s", f->shown);
    }
    return fault(
        w, p->at,
        "there is no filter \"%.*s\"; there are upper, lower, json, url, %sdefault:TEXT, cut:N, trunc:N, "
        "lines:N, oneline, dur%s",
        shown(one), one.p, w->m->raw ? "raw, " : "", more);
}

static bool filter(struct walk *w, struct place *p, struct str one)
{
    struct str argument, name = str_split(one, ':', &argument);
    sbuf_clear(&w->other);
    p->json = false;
    if (str_is(name, "dur"))
        return filter_dur(w, p);
    for (const struct mustache_filter *f = w->m->more; f && f->name; f++) {
        struct err why;
        if (!str_is(name, f->name))
            continue;
        if (w->value.n > 0 && !f->run(w->m->ctx, argument, sbuf_str(&w->value), &w->other, &why))
            return fault(w, p->at, "%s", why.text);
        if (w->value.n > 0)
            swap_texts(w);
        return true;
    }
    return filter_own(w, p, name, argument) || filter_unknown(w, p, one);
}

// ---- walking ----

static bool put_place(struct walk *w, const struct tag *t)
{
    struct str filters, path = str_trim(str_split(t->name, '|', &filters));
    struct place p = {.value = find(w, path), .at = t->begin, .raw = t->kind == '&'};
    p.missing = !p.value;
    if (p.missing && w->m->check)
        return unknown(w, t->begin, path);
    if (p.raw && !w->m->raw)
        return fault(w, t->begin, "values are always escaped here; write {{%.*s}}", shown(path), path.p);
    sbuf_clear(&w->value);
    put_value(&w->value, p.value);
    for (size_t n = 0; filters.p; n++) {
        struct str one = str_trim(str_split(filters, '|', &filters));
        if (n == MUSTACHE_FILTERS_MAX)
            return fault(w, t->begin, "there are more than %d filters in a row", MUSTACHE_FILTERS_MAX);
        if (!filter(w, &p, one))
            return false;
        p.made = true;
    }
    if (p.missing && w->m->strict)
        return fault(w, t->begin, "\"%.*s\" is not given; add it, or write {{%.*s|default:…}}", shown(path),
                     path.p, shown(path), path.p);
    if (!sbuf_ok(&w->value) || !sbuf_ok(&w->other))
        return too_large(w, "a value of the template is too long");
    // JSON inside of JSON brings its own quotes.
    escape_put(w->out, p.raw || (p.json && w->m->escape == ESCAPE_JSON) ? ESCAPE_NONE : w->m->escape,
               sbuf_str(&w->value));
    return true;
}

static bool is_empty(const json_t *v)
{
    return !v || json_is_false(v) || (json_is_string(v) && json_string_length(v) == 0) ||
           (json_is_array(v) && json_array_size(v) == 0) || (json_is_object(v) && json_object_size(v) == 0);
}

static bool walk_range(struct walk *w, size_t from, size_t to);

// about: what the section is about; NULL for an inverted one.
static bool walk_inside(struct walk *w, const json_t *about, size_t from, size_t to)
{
    w->open++;
    if (about)
        w->stack[++w->depth] = about;
    bool ok = walk_range(w, from, to);
    w->depth -= about != NULL;
    w->open--;
    return ok;
}

// *ret_after: behind the closing tag.
static bool walk_section(struct walk *w, const struct tag *t, size_t to, size_t *ret_after)
{
    struct tag close = {.at = 0};
    if (w->open == MUSTACHE_DEPTH_MAX)
        return fault(w, t->begin, "sections are more than %d deep", MUSTACHE_DEPTH_MAX);
    if (!section_end(w, t, to, &close))
        return false;
    const json_t *v = find(w, t->name);
    bool ok = true;
    if (!v && w->m->check)
        return unknown(w, t->begin, t->name);
    *ret_after = close.end;
    if (t->kind == '^')
        return !(is_empty(v) || w->m->check) || walk_inside(w, NULL, t->end, close.at);
    if (is_empty(v) && !w->m->check)
        return true;
    if (!json_is_array(v))
        return walk_inside(w, v, t->end, close.at);
    for (size_t i = 0; ok && i < json_array_size(v); i++)
        ok = walk_inside(w, json_array_get(v, i), t->end, close.at);
    return ok;
}

static bool walk_range(struct walk *w, size_t from, size_t to)
{
    struct tag t;
    while (tag_next(w, from, to, &t)) {
        sbuf_put(w->out, (struct str){w->text.p + from, t.at - from});
        from = t.end;
        if (t.kind == '/')
            return fault(w, t.begin, "\"%.*s\" is closed, but not open", shown(t.name), t.name.p);
        if (t.kind == '\\')
            sbuf_puts(w->out, "{{");
        else if ((t.kind == '#' || t.kind == '^') && !walk_section(w, &t, to, &from))
            return false;
        else if ((t.kind == 'v' || t.kind == '&') && !put_place(w, &t))
            return false;
        if (!sbuf_ok(w->out))
            break;
    }
    if (w->failed)
        return false;
    if (from < to && sbuf_ok(w->out))
        sbuf_put(w->out, (struct str){w->text.p + from, to - from});
    return sbuf_ok(w->out) || too_large(w, "the text made from the template is too long");
}

bool mustache_expand(const struct mustache *m, struct str text, struct sbuf *out, struct err *err)
{
    struct walk w = {.m = m, .text = text, .out = out, .err = err};
    w.stack[0] = m->values;
    sbuf_init(&w.value, NULL, MUSTACHE_VALUE_MAX);
    sbuf_init(&w.other, NULL, MUSTACHE_VALUE_MAX);
    bool ok = walk_range(&w, 0, text.n);
    sbuf_release(&w.value);
    sbuf_release(&w.other);
    return ok;
}
