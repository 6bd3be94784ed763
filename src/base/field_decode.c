// SPDX-License-Identifier: Apache-2.0
// JSON objects to structs. Goes through the whole input and reports every fault, so that a user corrects
// a request once; a member that has a fault keeps its default.
// Pointers are kept as a chain on the stack and written out only when there is something to report.
#include "base/field.h"

#include <math.h>

#include "base/field_impl.h"

enum { POINTER_MAX = 1024, SUGGEST_DISTANCE = 2, LIST_TEXT_MAX = 256 };

// One step from the document's root: a member or an index.
struct path {
    const struct path *up; // NULL: name is the pointer of the base itself
    struct str name;
};

struct decoder {
    unsigned flags;
    struct arena *a;
    struct faults *faults;
};

static void put_pointer(struct sbuf *out, const struct path *path)
{
    if (!path->up) {
        sbuf_put(out, path->name);
        return;
    }
    put_pointer(out, path->up);
    sbuf_putc(out, '/');
    for (size_t i = 0; i < path->name.n; i++) { // RFC 6901: ~ is ~0, / is ~1
        char c = path->name.p[i];
        if (c == '~' || c == '/')
            sbuf_puts(out, c == '~' ? "~0" : "~1");
        else
            sbuf_putc(out, c);
    }
}

#define FAULT(d, path, ...)                                                   \
    do {                                                                      \
        struct sbuf pointer_;                                                 \
        sbuf_init(&pointer_, (d)->a, POINTER_MAX);                            \
        put_pointer(&pointer_, (path));                                       \
        faults_add((d)->faults, sbuf_str(&pointer_), __VA_ARGS__);            \
    } while (0)

static bool text_fits(struct decoder *d, const struct path *path, struct str s, int64_t min, int64_t max)
{
    int64_t n = (int64_t)str_utf8_count(s);
    if (min >= 1 && str_trim(s).n == 0)
        FAULT(d, path, "must not be empty");
    else if (n < min)
        FAULT(d, path, "must have at least %lld characters", (long long)min);
    else if (n > max)
        FAULT(d, path, "must have at most %lld characters", (long long)max);
    else
        return true;
    return false;
}

static bool count_fits(struct decoder *d, const struct path *path, const struct field *f, size_t n)
{
    if ((int64_t)n < f->min)
        FAULT(d, path, "must have at least %lld entries", (long long)f->min);
    else if ((int64_t)n > field_length_max(f))
        FAULT(d, path, "must have at most %lld entries", (long long)field_length_max(f));
    else
        return true;
    return false;
}

static void out_of_memory(struct decoder *d, const struct path *path)
{
    FAULT(d, path, "is too large to be handled");
}

static void take_str(struct decoder *d, const struct path *path, const struct field *f, const json_t *v,
                     struct str *ret)
{
    if (!json_is_string(v)) {
        FAULT(d, path, "must be a string");
        return;
    }
    struct str s = json_str(v);
    if (!text_fits(d, path, s, f->min, field_length_max(f)))
        return;
    struct str copy = arena_str(d->a, s);
    if (copy.p)
        *ret = copy;
    else
        out_of_memory(d, path);
}

static bool in_range(struct decoder *d, const struct path *path, const struct field *f, bool below,
                     bool above)
{
    below = below && field_has_min(f);
    above = above && field_has_max(f);
    if (!below && !above)
        return true;
    if (field_has_min(f) && field_has_max(f))
        FAULT(d, path, "must be between %lld and %lld", (long long)f->min, (long long)f->max);
    else
        FAULT(d, path, "must be at least %lld", (long long)f->min);
    return false;
}

static void take_i64(struct decoder *d, const struct path *path, const struct field *f, const json_t *v,
                     int64_t *ret)
{
    int64_t i = 0;
    bool whole = json_is_integer(v);
    if (whole) {
        i = json_integer_value(v);
    } else if (json_is_real(v)) { // 5.0 is an integer for JSON Schema, and some clients write so
        double real = json_real_value(v);
        whole = real == trunc(real) && fabs(real) < 0x1p63;
        i = whole ? (int64_t)real : 0;
    }
    if (!whole || i == FIELD_ABSENT) {
        FAULT(d, path, "must be an integer");
        return;
    }
    if (in_range(d, path, f, i < f->min, i > f->max))
        *ret = i;
}

static void take_f64(struct decoder *d, const struct path *path, const struct field *f, const json_t *v,
                     double *ret)
{
    if (!json_is_number(v)) {
        FAULT(d, path, "must be a number");
        return;
    }
    double real = json_number_value(v);
    if (in_range(d, path, f, real < (double)f->min, real > (double)f->max))
        *ret = real;
}

static void take_enum(struct decoder *d, const struct path *path, const struct field *f, const json_t *v,
                      int *ret)
{
    int i = json_is_string(v) ? field_enum_find(f->names, json_str(v)) : -1;
    if (i >= 0) {
        *ret = i;
        return;
    }
    struct sbuf words;
    sbuf_init(&words, d->a, LIST_TEXT_MAX);
    for (int k = 0; f->names[k]; k++)
        sbuf_fmt(&words, "%s%s", k > 0 ? ", " : "", f->names[k]);
    FAULT(d, path, "must be one of %.*s", STR_ARG(sbuf_str(&words)));
}

static void take_instant(struct decoder *d, const struct path *path, const json_t *v, struct instant *ret)
{
    struct err err;
    if (!json_is_string(v))
        FAULT(d, path, "must be a string with a time such as \"2026-11-23T14:05:09Z\"");
    else if (!instant_parse(json_str(v), ret, &err))
        FAULT(d, path, "%s", err.text);
}

static void take_id(struct decoder *d, const struct path *path, const json_t *v, struct ulid *ret)
{
    if (!json_is_string(v) || !ulid_parse(json_str(v), ret))
        FAULT(d, path, "must be an identifier: a ULID of %d characters", (int)ULID_TEXT_LEN);
}

static void take_strs(struct decoder *d, const struct path *path, const struct field *f, const json_t *v,
                      struct strs *ret)
{
    if (!json_is_array(v)) {
        FAULT(d, path, "must be a list of strings");
        return;
    }
    size_t n = json_array_size(v), before = d->faults->n;
    if (!count_fits(d, path, f, n))
        return;
    struct strs list = {.v = arena_new_array(d->a, struct str, n), .n = n};
    for (size_t i = 0; i < n && list.v; i++) {
        const json_t *item = json_array_get(v, i);
        struct sbuf index;
        sbuf_init(&index, d->a, LIST_TEXT_MAX);
        if (json_is_string(item) && json_string_length(item) <= FIELD_MAX_DEFAULT) {
            list.v[i] = arena_str(d->a, json_str(item));
            continue;
        }
        sbuf_i64(&index, (int64_t)i);
        struct path here = {path, sbuf_str(&index)};
        if (!json_is_string(item))
            FAULT(d, &here, "must be a string");
        else
            FAULT(d, &here, "must have at most %d bytes", (int)FIELD_MAX_DEFAULT);
    }
    if (d->a->exhausted)
        out_of_memory(d, path);
    else if (d->faults->n == before)
        *ret = list;
}

// The text of a scalar; false when the value is not one.
static bool scalar_text(struct decoder *d, const json_t *v, struct str *ret)
{
    if (json_is_string(v)) {
        *ret = arena_str(d->a, json_str(v));
        return true;
    }
    if (!json_is_number(v) && !json_is_boolean(v))
        return false;
    struct sbuf text;
    sbuf_init(&text, d->a, LIST_TEXT_MAX);
    json_write(v, &text);
    *ret = sbuf_str(&text);
    return true;
}

// A list or an object as its text, where the row takes them.
static bool nested_text(struct decoder *d, const struct field *f, const json_t *v, struct str *ret)
{
    struct sbuf text;
    if (!(f->flags & FIELD_NESTED))
        return false;
    sbuf_init(&text, d->a, FIELD_MAX_DEFAULT);
    json_write(v, &text);
    *ret = sbuf_str(&text);
    return sbuf_ok(&text);
}

static void take_map(struct decoder *d, const struct path *path, const struct field *f, const json_t *v,
                     struct str_map *ret)
{
    if (!json_is_object(v)) {
        FAULT(d, path, "must be an object of strings");
        return;
    }
    size_t before = d->faults->n;
    if (!count_fits(d, path, f, json_object_size(v)))
        return;
    struct str_map map = {.v = arena_new_array(d->a, struct str_pair, json_object_size(v))};
    const char *key;
    json_t *item;
    json_object_foreach((json_t *)v, key, item) {
        struct path here = {path, str_of(key)};
        struct str text = STR_NONE;
        if (json_is_null(item) || !map.v)
            continue;
        if (!scalar_text(d, item, &text) && !nested_text(d, f, item, &text))
            FAULT(d, &here, "must be a string");
        else if (text.n > FIELD_MAX_DEFAULT || here.name.n > FIELD_MAX_DEFAULT)
            FAULT(d, path, "must have keys and values of at most %d bytes", (int)FIELD_MAX_DEFAULT);
        else
            map.v[map.n++] = (struct str_pair){arena_str(d->a, here.name), text};
    }
    if (d->a->exhausted)
        out_of_memory(d, path);
    else if (d->faults->n == before)
        *ret = map;
}

static void take_json(struct decoder *d, const struct path *path, const struct field *f, const json_t *v,
                      struct str *ret)
{
    bool object = f->json && strcmp(f->json, FIELD_JSON_OBJECT) == 0;
    bool list = f->json && strcmp(f->json, FIELD_JSON_LIST) == 0;
    if ((object && !json_is_object(v)) || (list && !json_is_array(v))) {
        FAULT(d, path, "must be %s", object ? "an object" : "a list");
        return;
    }
    struct sbuf text;
    sbuf_init(&text, d->a, (size_t)field_length_max(f));
    json_write(v, &text);
    if (sbuf_ok(&text))
        *ret = sbuf_str(&text);
    else
        FAULT(d, path, "must have at most %lld bytes of JSON", (long long)field_length_max(f));
}

static void take_object(struct decoder *d, const struct fields *t, const struct path *path, const json_t *v,
                        void *obj);

static void take_value(struct decoder *d, const struct path *path, const struct field *f, const json_t *v,
                       void *at)
{
    switch (f->kind) {
    case FIELD_KIND_STR:
        take_str(d, path, f, v, at);
        break;
    case FIELD_KIND_BOOL:
        if (json_is_boolean(v))
            *(bool *)at = json_is_true(v);
        else
            FAULT(d, path, "must be true or false");
        break;
    case FIELD_KIND_I64:
        take_i64(d, path, f, v, at);
        break;
    case FIELD_KIND_F64:
        take_f64(d, path, f, v, at);
        break;
    case FIELD_KIND_ENUM:
        take_enum(d, path, f, v, at);
        break;
    case FIELD_KIND_INSTANT:
        take_instant(d, path, v, at);
        break;
    case FIELD_KIND_ID:
        take_id(d, path, v, at);
        break;
    case FIELD_KIND_STRS:
        take_strs(d, path, f, v, at);
        break;
    case FIELD_KIND_MAP:
        take_map(d, path, f, v, at);
        break;
    case FIELD_KIND_JSON:
        take_json(d, path, f, v, at);
        break;
    case FIELD_KIND_OBJECT:
        take_object(d, f->sub, path, v, at);
        break;
    }
}

static bool is_stored(const struct decoder *d)
{
    return d->flags & FIELD_DECODE_STORED;
}

// The row's value under any of its spellings; *ret_n counts the spellings present.
static const json_t *find_value(const struct field *f, const json_t *v, struct str *ret_name, size_t *ret_n)
{
    const json_t *found = json_object_get(v, f->name);
    size_t n = found != NULL;
    if (found)
        *ret_name = str_of(f->name);
    for (const char *const *alias = f->aliases; alias && *alias; alias++) {
        const json_t *other = json_object_get(v, *alias);
        n += other != NULL;
        if (other && !found) {
            found = other;
            *ret_name = str_of(*alias);
        }
    }
    *ret_n = n;
    return found;
}

// Decodes one row; returns how many members of the object it accounts for.
static size_t take_row(struct decoder *d, const struct path *path, const struct field *f, const json_t *v,
                       void *obj)
{
    if ((f->flags & FIELD_HIDDEN) && !is_stored(d))
        return 0; // to a client it does not exist
    struct str name = str_of(f->name);
    size_t spellings;
    const json_t *value = find_value(f, v, &name, &spellings);
    struct path here = {path, name};
    bool refused = (f->flags & FIELD_READ_ONLY) && !is_stored(d);
    if (spellings > 1)
        FAULT(d, &here, "is given under two names; keep only \"%s\"", f->name);
    else if (value && refused)
        FAULT(d, &here, "is read-only; leave it out");
    else if (value && !json_is_null(value))
        take_value(d, &here, f, value, field_at(f, obj));
    else if ((f->flags & FIELD_REQUIRED) && !refused)
        FAULT(d, &here, "is required");
    return spellings;
}

static const char *suggestion(const struct decoder *d, const struct fields *t, struct str key)
{
    const char *best = NULL;
    size_t best_distance = SUGGEST_DISTANCE + 1;
    for (size_t i = 0; i < t->n; i++) {
        const struct field *f = &t->v[i];
        if ((f->flags & (FIELD_HIDDEN | FIELD_READ_ONLY)) && !is_stored(d))
            continue;
        size_t distance = str_distance(str_of(f->name), key);
        if (distance < best_distance && distance < strlen(f->name)) {
            best = f->name;
            best_distance = distance;
        }
    }
    return best;
}

static void report_unknown(struct decoder *d, const struct fields *t, const struct path *path,
                           const json_t *v)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)v, key, value) {
        const struct field *f = field_find(t, str_of(key));
        if (f && !((f->flags & FIELD_HIDDEN) && !is_stored(d)))
            continue;
        struct path here = {path, str_of(key)};
        const char *meant = suggestion(d, t, here.name);
        if (meant)
            FAULT(d, &here, "is not a known field; did you mean \"%s\"?", meant);
        else
            FAULT(d, &here, "is not a known field");
    }
}

static void take_object(struct decoder *d, const struct fields *t, const struct path *path, const json_t *v,
                        void *obj)
{
    if (!json_is_object(v)) {
        FAULT(d, path, "must be an object");
        return;
    }
    size_t known = 0;
    for (size_t i = 0; i < t->n; i++)
        known += take_row(d, path, &t->v[i], v, obj);
    bool skip = is_stored(d) || (d->flags & FIELD_DECODE_UNKNOWN_OK);
    if (!skip && known < json_object_size(v))
        report_unknown(d, t, path, v);
}

bool field_decode(const struct fields *t, const json_t *v, unsigned flags, struct str base, void *obj,
                  struct arena *a, struct faults *faults)
{
    struct decoder d = {.flags = flags, .a = a, .faults = faults};
    struct path root = {NULL, base};
    size_t before = faults->n;
    bool had_room = before < FAULTS_MAX;
    field_defaults(t, obj);
    take_object(&d, t, &root, v, obj);
    return had_room && faults->n == before;
}
