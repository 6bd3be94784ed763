// SPDX-License-Identifier: Apache-2.0
// Differences by field table. Members are compared as stored and shown as answers show them, so that a
// changed secret is told and not shown. Works on text, row by row: a document tree would cost more than the
// insert it tells of.
#include "app/audit_diff.h"

#include "app/payload.h"
#include "base/sync.h"
#include "model/audit.h"

enum { TEXT_MAX = 4 * 1024 * 1024, CUT_KEEPS = AUDIT_VALUE_MAX - 96, ROOM_FOR_NOTE = 128 };

static const char masked[] = "\"***\"";

// ---- hiding by looks -----------------------------------------------------------------------------

static bool has_word(struct str key, const char *word)
{
    size_t n = strlen(word);
    for (size_t i = 0; i + n <= key.n; i++)
        if (str_eq_nocase((struct str){key.p + i, n}, str_of(word)))
            return true;
    return false;
}

static bool tells_secret(struct str key)
{
    static const char *const words[] = {"authorization", "password", "passwd",  "secret",     "token",
                                        "api-key",       "apikey",   "api_key", "credential", "cookie"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (has_word(key, words[i]))
            return true;
    return false;
}

// From the opening quote to behind the closing one.
static size_t string_end(struct str s, size_t from)
{
    size_t i = from + 1;
    while (i < s.n && s.p[i] != '"')
        i += s.p[i] == '\\' ? 2 : 1;
    return i < s.n ? i + 1 : s.n;
}

// Where the password of scheme://user:password@host begins and ends in a text that goes on behind "://".
static bool url_password(struct str s, size_t from, size_t *ret_begin, size_t *ret_end)
{
    size_t colon = 0, at = 0;
    for (size_t i = from; i < s.n && !strchr("/?#\" \\", s.p[i]); i++) {
        if (s.p[i] == ':' && !colon)
            colon = i + 1;
        if (s.p[i] == '@')
            at = i;
    }
    *ret_begin = colon;
    *ret_end = at;
    return colon && at > colon;
}

static void put_without_passwords(struct str s, struct sbuf *out)
{
    static const struct str mark = STR_INIT("://");
    size_t from = 0;
    for (size_t i = 0; i + mark.n <= s.n; i++) {
        size_t begin, end;
        if (s.p[i] != ':' || !str_eq((struct str){s.p + i, mark.n}, mark) ||
            !url_password(s, i + mark.n, &begin, &end))
            continue;
        sbuf_put(out, (struct str){s.p + from, begin - from});
        sbuf_puts(out, PAYLOAD_MASK);
        from = i = end;
    }
    sbuf_put(out, (struct str){s.p + from, s.n - from});
}

// A template names a secret and does not hold it.
static bool is_template(struct str quoted)
{
    return quoted.n > 2 && str_starts((struct str){quoted.p + 1, quoted.n - 1}, STR("{{")) &&
           str_ends(quoted, STR("}}\""));
}

void audit_mask(struct str json, struct sbuf *out)
{
    bool hide = false;
    for (size_t i = 0; i < json.n;) {
        if (json.p[i] != '"') {
            hide = hide && (json.p[i] == ':' || json.p[i] == ' ');
            sbuf_putc(out, json.p[i++]);
            continue;
        }
        size_t end = string_end(json, i);
        struct str text = {json.p + i, end - i};
        if (end < json.n && json.p[end] == ':') {
            hide = tells_secret(text);
            sbuf_put(out, text);
        } else if (hide && !is_template(text)) {
            sbuf_puts(out, masked);
        } else {
            put_without_passwords(text, out);
        }
        i = end;
    }
}

// ---- rows ----------------------------------------------------------------------------------------

struct diff {
    struct sbuf *out;
    struct sbuf raw[2], one[2],
        shown; // values before and after as stored, the same as shown; room for one of them
    struct arena *a;
    const char *path; // of the object the rows belong to: "" or "schedule."
    size_t begun;     // length of *out before the first member
    size_t left_out;
};

// The value of one member as JSON, absent when it is left out.
static struct str value_of(const struct field *f, const void *obj, unsigned flags, struct sbuf *out)
{
    struct fields row = {.v = f, .n = 1};
    sbuf_clear(out);
    if (!obj || !field_encode_members(&row, obj, flags, out) || !sbuf_ok(out))
        return STR_NONE;
    size_t key = strlen(f->name) + 3; // quotes and colon
    return (struct str){out->p + key, out->n - key};
}

static bool same(struct str a, struct str b) { return !a.p == !b.p && str_eq(a, b); }

// A text that was cut becomes a string that says so, whatever it was.
static void put_side(struct diff *d, const char *side, struct str value, bool secret)
{
    sbuf_fmt(d->out, "\"%s\":", side);
    if (!value.p || secret) {
        sbuf_puts(d->out, value.p ? masked : "null");
        return;
    }
    sbuf_clear(&d->shown);
    audit_mask(value, &d->shown);
    struct str text = sbuf_str(&d->shown);
    if (text.n <= AUDIT_VALUE_MAX) {
        sbuf_put(d->out, text);
        return;
    }
    struct sbuf cut CLEANUP(sbuf_release);
    sbuf_init(&cut, NULL, AUDIT_VALUE_MAX);
    sbuf_put(&cut, (struct str){text.p, str_utf8_cut(text, CUT_KEEPS)});
    sbuf_fmt(&cut, "… (cut; %zu bytes in all)", text.n);
    sbuf_json(d->out, sbuf_str(&cut));
}

// Both sides of a member that differs; an absent one is null, and left out when the object itself is absent.
static void put_member(struct diff *d, const char *name, const struct str side[2], const bool there[2],
                       bool secret)
{
    static const char *const names[] = {"before", "after"};
    size_t longest = 2 * (2 * (size_t)AUDIT_VALUE_MAX) + ROOM_FOR_NOTE; // escaped once more when cut
    if (d->out->n - d->begun + longest > AUDIT_CHANGES_MAX) {
        d->left_out++;
        return;
    }
    struct sbuf key CLEANUP(sbuf_release);
    sbuf_init(&key, NULL, TEXT_MAX);
    sbuf_fmt(&key, "%s%s", d->path, name);
    sbuf_putc(d->out, d->out->n == d->begun ? '{' : ',');
    sbuf_json(d->out, sbuf_str(&key));
    sbuf_puts(d->out, ":{");
    for (int i = 0; i < 2; i++) {
        if (!there[i])
            continue;
        put_side(d, names[i], side[i], secret);
        if (i == 0 && there[1])
            sbuf_putc(d->out, ',');
    }
    sbuf_putc(d->out, '}');
}

// ---- payloads: member by member ------------------------------------------------------------------

static json_t *parse(struct str text)
{
    json_t *v = NULL;
    struct err ignored = {0};
    return text.p && json_parse(text, &v, &ignored) ? v : NULL;
}

static struct str text_of(const json_t *v, struct sbuf *out)
{
    sbuf_clear(out);
    if (!v)
        return STR_NONE;
    json_write(v, out);
    return sbuf_str(out);
}

// False: they are no two objects, and are shown whole.
static bool objects(struct diff *d, const struct field *f, const struct str raw[2], const struct str shown[2])
{
    CLEANUP_JSON json_t *before = parse(raw[0]);
    CLEANUP_JSON json_t *after = parse(raw[1]);
    CLEANUP_JSON json_t *before_shown = parse(shown[0]);
    CLEANUP_JSON json_t *after_shown = parse(shown[1]);
    const char *key;
    json_t *v;
    const bool there[2] = {true, true};
    if (!json_is_object(before) || !json_is_object(after))
        return false;
    struct str path = arena_fmt(d->a, "%s%s.", d->path, f->name);
    const char *outer = d->path;
    d->path = path.p ? path.p : outer;
    // One pass over the keys of both.
    CLEANUP_JSON json_t *all = json_object();
    (void)json_object_update(all, before);
    (void)json_object_update(all, after);
    json_object_foreach(all, key, v)
    {
        if (json_equal(json_object_get(before, key), json_object_get(after, key)))
            continue;
        struct str sides[2] = {text_of(json_object_get(before_shown, key), &d->one[0]),
                               text_of(json_object_get(after_shown, key), &d->one[1])};
        put_member(d, key, sides, there, tells_secret(str_of(key)) && !json_is_object(v));
    }
    d->path = outer;
    return true;
}

// ---- rows ----------------------------------------------------------------------------------------

// What changes with every write, or belongs to no definition.
static bool is_noise(const struct field *f)
{
    static const char *const names[] = {"id",           "version",   "createdAt", "updatedAt",
                                        "nextFireTime", "lastRunId", "runCount"};
    for (size_t i = 0; f->flags & FIELD_READ_ONLY && i < sizeof names / sizeof names[0]; i++)
        if (strcmp(f->name, names[i]) == 0)
            return true;
    return (f->flags & (FIELD_HIDDEN | FIELD_SECRET)) == FIELD_HIDDEN;
}

static void rows(struct diff *d, const struct fields *t, const void *const obj[2],
                 const void *const shown[2]);

static void inner(struct diff *d, const struct field *f, const void *const obj[2], const void *const shown[2])
{
    const void *in[2] = {(const char *)obj[0] + f->offset, (const char *)obj[1] + f->offset};
    const void *in_shown[2] = {(const char *)shown[0] + f->offset, (const char *)shown[1] + f->offset};
    struct str path = arena_fmt(d->a, "%s%s.", d->path, f->name);
    const char *outer = d->path;
    if (!path.p)
        return;
    d->path = path.p;
    rows(d, f->sub, in, in_shown);
    d->path = outer;
}

static void one_row(struct diff *d, const struct field *f, const void *const obj[2],
                    const void *const shown[2])
{
    const bool there[2] = {obj[0] != NULL, obj[1] != NULL};
    struct str raw[2], one[2];
    for (int i = 0; i < 2; i++)
        raw[i] = value_of(f, obj[i], FIELD_ENCODE_STORED, &d->raw[i]);
    if (same(raw[0], raw[1]))
        return;
    if (f->kind == FIELD_KIND_OBJECT && there[0] && there[1]) {
        inner(d, f, obj, shown);
        return;
    }
    bool secret = f->flags & FIELD_SECRET;
    for (int i = 0; i < 2; i++) // a default is not stored, and shown all the same beside another value
        one[i] = secret ? raw[i] : value_of(f, shown[i], FIELD_ENCODE_API, &d->one[i]);
    if (f->kind != FIELD_KIND_JSON || !objects(d, f, raw, one))
        put_member(d, f->name, one, there, secret);
}

static void rows(struct diff *d, const struct fields *t, const void *const obj[2], const void *const shown[2])
{
    for (size_t i = 0; i < t->n; i++)
        if (!is_noise(&t->v[i]))
            one_row(d, &t->v[i], obj, shown);
}

bool audit_diff(const struct fields *t, const void *before, const void *after, struct arena *a,
                struct sbuf *out)
{
    struct diff d = {.out = out, .a = a, .path = "", .begun = out->n};
    struct sbuf *own[] = {&d.raw[0], &d.raw[1], &d.one[0], &d.one[1], &d.shown};
    const void *obj[2] = {before, after}, *shown[2] = {before, after};
    struct job jobs[2];
    for (int i = 0; i < 2 && t == &job_fields; i++)
        if (obj[i]) {
            jobs[i] = *(const struct job *)obj[i];
            jobs[i].payload = payload_shown(&jobs[i], a);
            shown[i] = &jobs[i];
        }
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        sbuf_init(own[i], NULL, TEXT_MAX);
    rows(&d, t, obj, shown);
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        sbuf_release(own[i]);
    if (out->n == d.begun)
        return false;
    if (d.left_out)
        sbuf_fmt(out, ",\"…\":{\"after\":\"%zu more were left out\"}", d.left_out);
    sbuf_putc(out, '}');
    return true;
}
