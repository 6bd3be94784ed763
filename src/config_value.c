// SPDX-License-Identifier: Apache-2.0
// Text to value and back for one row of the settings table. Knows kinds, not names: rules about one
// particular setting stand in config.c. Texts of errors never quote a secret.
#include "config_value.h"

#include "base/sbuf.h"

enum { LIST_MAX = 256 };

static void *member(struct config *c, const struct setting *s) { return (char *)c + s->offset; }
static const void *member_const(const struct config *c, const struct setting *s)
{
    return (const char *)c + s->offset;
}

struct unit {
    const char *name;
    int64_t factor;
};
enum { S_PER_MINUTE = 60, S_PER_HOUR = 3600 };
static const struct unit second_units[] = {
    {"s", 1}, {"m", S_PER_MINUTE}, {"h", S_PER_HOUR}, {"d", S_PER_DAY}, {NULL, 0}};
static const struct unit size_units[] = {
    {"B", 1}, {"K", 1 << 10}, {"KiB", 1 << 10}, {"M", 1 << 20}, {"MiB", 1 << 20},
    {"G", 1 << 30}, {"GiB", 1 << 30}, {NULL, 0}};

// A run of digits with an optional unit behind it; moves *s past both.
static bool amount_take(struct str *s, const struct unit *units, int64_t *ret)
{
    size_t digits = 0, letters = 0;
    while (digits < s->n && s->p[digits] >= '0' && s->p[digits] <= '9')
        digits++;
    while (digits + letters < s->n && (s->p[digits + letters] < '0' || s->p[digits + letters] > '9'))
        letters++;
    struct str word = {s->p + digits, letters};
    int64_t n = 0, factor = letters == 0 ? 1 : 0;
    for (const struct unit *u = units; u->name && letters > 0; u++)
        factor = str_is(word, u->name) ? u->factor : factor;
    if (digits == 0 || factor == 0 || !str_to_i64((struct str){s->p, digits}, &n) ||
        __builtin_mul_overflow(n, factor, ret))
        return false;
    s->p += digits + letters;
    s->n -= digits + letters;
    return true;
}

bool config_seconds_parse(struct str text, int64_t *ret)
{
    int64_t total = 0, part = 0;
    bool alone = str_to_i64(text, &part);
    if (alone && part >= 0) {
        *ret = part;
        return true;
    }
    do {
        // Inside "1h30" a part without unit would be ambiguous.
        if (text.n == 0 || (text.p[text.n - 1] >= '0' && text.p[text.n - 1] <= '9') ||
            !amount_take(&text, second_units, &part) || __builtin_add_overflow(total, part, &total))
            return false;
    } while (text.n > 0);
    *ret = total;
    return true;
}

bool config_size_parse(struct str text, int64_t *ret)
{
    int64_t n;
    if (!amount_take(&text, size_units, &n) || text.n > 0)
        return false;
    *ret = n;
    return true;
}

static bool bool_parse(struct str text, bool *ret)
{
    static const char *const yes[] = {"true", "yes", "on", "1"}, *const no[] = {"false", "no", "off", "0"};
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
        if (str_eq_nocase(text, str_of(yes[i])) || str_eq_nocase(text, str_of(no[i]))) {
            *ret = str_eq_nocase(text, str_of(yes[i]));
            return true;
        }
    }
    return false;
}

static bool number_set(int64_t *ret, const struct setting *s, struct str text, struct err *err)
{
    int64_t n = 0;
    const char *want = s->kind == CONFIG_I64 ? "a whole number"
        : s->kind == CONFIG_SECONDS ? "seconds, or a duration such as 90s, 15m, 12h, 30d"
                                    : "bytes, or a size such as 512KiB, 1MiB";
    bool ok = s->kind == CONFIG_I64 ? str_to_i64(text, &n)
        : s->kind == CONFIG_SECONDS ? config_seconds_parse(text, &n)
                                    : config_size_parse(text, &n);
    if (!ok)
        return ERR(err, ERR_CONFIG, "\"%.*s\" is not %s", STR_ARG(text), want);
    if (n < s->min || n > s->max)
        return ERR(err, ERR_CONFIG, "\"%.*s\" is out of range: give %lld to %lld", STR_ARG(text),
                   (long long)s->min, (long long)s->max);
    *ret = n;
    return true;
}

static bool text_set(struct str *ret, const struct setting *s, struct str text, struct arena *a,
                     struct err *err)
{
    if (text.n < (size_t)s->min)
        return ERR(err, ERR_CONFIG, "it is too short: give at least %lld character(s)", (long long)s->min);
    if (text.n > (size_t)s->max)
        return ERR(err, ERR_CONFIG, "it is longer than %lld characters", (long long)s->max);
    for (size_t i = 0; i < text.n; i++) {
        if ((unsigned char)text.p[i] < ' ' || text.p[i] == '\x7f')
            return ERR(err, ERR_CONFIG, "it holds a control character");
    }
    if (!str_utf8_valid(text))
        return ERR(err, ERR_CONFIG, "it is not UTF-8");
    struct str copy = arena_str(a, text);
    if (!copy.p)
        return ERR(err, ERR_CONFIG, "it does not fit into memory");
    *ret = copy;
    return true;
}

static bool enum_set(int *ret, const struct setting *s, struct str text, struct arena *a, struct err *err)
{
    for (int i = 0; s->names[i]; i++) {
        if (str_eq_nocase(text, str_of(s->names[i]))) {
            *ret = i;
            return true;
        }
    }
    return ERR(err, ERR_CONFIG, "\"%.*s\" is not one of %.*s", STR_ARG(text),
               STR_ARG(config_kind_text(s, a)));
}

static bool list_set(struct strs *ret, const struct setting *s, struct str text, struct arena *a,
                     struct err *err)
{
    struct strs list = {arena_new_array(a, struct str, LIST_MAX), 0};
    struct str rest = text;
    while (list.v && rest.p) {
        struct str item = str_trim(str_split(rest, ',', &rest));
        if (item.n == 0)
            continue;
        if (list.n == LIST_MAX)
            return ERR(err, ERR_CONFIG, "it holds more than %d entries", LIST_MAX);
        if (!text_set(&list.v[list.n], s, item, a, err))
            return false;
        list.n++;
    }
    *ret = list;
    return true;
}

bool config_value_set(struct config *c, const struct setting *s, struct str text, struct arena *a,
                      struct err *err)
{
    bool yes;
    switch (s->kind) {
    case CONFIG_STR:
        return text_set(member(c, s), s, text, a, err);
    case CONFIG_BOOL:
        if (!bool_parse(text, &yes))
            return ERR(err, ERR_CONFIG, "\"%.*s\" is not true or false", STR_ARG(text));
        *(bool *)member(c, s) = yes;
        return true;
    case CONFIG_ENUM:
        return enum_set(member(c, s), s, text, a, err);
    case CONFIG_LIST:
        return list_set(member(c, s), s, text, a, err);
    case CONFIG_I64:
    case CONFIG_SECONDS:
    case CONFIG_SIZE:
        return number_set(member(c, s), s, text, err);
    }
    return ERR(err, ERR_INTERNAL, "the setting has an unknown kind");
}

// scheme://user:password@host: the password as "***".
static struct str url_mask(struct str url, struct arena *a)
{
    size_t at = url.n, colon = url.n, start = 0;
    for (size_t i = 0; i + 2 < url.n; i++) {
        if (memcmp(url.p + i, "://", 3) == 0) {
            start = i + 3;
            break;
        }
    }
    for (size_t i = start; i < url.n && url.p[i] != '/'; i++) {
        at = url.p[i] == '@' ? i : at;
        colon = url.p[i] == ':' && colon == url.n ? i : colon;
    }
    if (start == 0 || at == url.n || colon > at)
        return url;
    return arena_fmt(a, "%.*s:***%.*s", (int)colon, url.p, (int)(url.n - at), url.p + at);
}

struct str config_value_text(const struct config *c, const struct setting *s, struct arena *a)
{
    const void *p = member_const(c, s);
    switch (s->kind) {
    case CONFIG_STR: {
        struct str text = *(const struct str *)p;
        if ((s->flags & CONFIG_SECRET) && text.n > 0)
            return STR("***");
        return s->flags & CONFIG_URL ? url_mask(text, a) : text;
    }
    case CONFIG_BOOL:
        return *(const bool *)p ? STR("true") : STR("false");
    case CONFIG_ENUM:
        return str_of(s->names[*(const int *)p]);
    case CONFIG_LIST: {
        const struct strs *list = p;
        struct sbuf out;
        sbuf_init(&out, a, (size_t)s->max * LIST_MAX);
        for (size_t i = 0; i < list->n; i++) {
            sbuf_puts(&out, i ? ", " : "");
            sbuf_put(&out, list->v[i]);
        }
        return sbuf_str(&out);
    }
    default:
        return arena_fmt(a, "%lld", (long long)*(const int64_t *)p);
    }
}

struct str config_kind_text(const struct setting *s, struct arena *a)
{
    switch (s->kind) {
    case CONFIG_STR:
        return STR("text");
    case CONFIG_I64:
        return STR("number");
    case CONFIG_BOOL:
        return STR("true or false");
    case CONFIG_SECONDS:
        return STR("seconds");
    case CONFIG_SIZE:
        return STR("bytes");
    case CONFIG_LIST:
        return STR("list");
    case CONFIG_ENUM:
        break;
    }
    struct str text = str_of(s->names[0]);
    for (int i = 1; s->names[i]; i++)
        text = arena_fmt(a, "%.*s | %s", STR_ARG(text), s->names[i]);
    return text;
}
