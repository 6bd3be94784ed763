// SPDX-License-Identifier: Apache-2.0
// `parameters` of FILE_SYSTEM: a map that belongs to the user, and the keys of it that act, each in one row.
#include <math.h>

#include "base/json.h"
#include "fs/cipher.h"
#include "fs/glob.h"
#include "jobs/file_system.h"

enum {
    ITEMS_MAX = 4096,
    NUMBER_TEXT_MAX = 32,
    READ_DEFAULT = 64 * 1024,
    EXTRACT_GIB_DEFAULT = 10,
    EXTRACT_ENTRIES_DEFAULT = 100000,
    EXTRACT_RATIO_DEFAULT = 200,
    LIST_DEFAULT = 1000,
    SETTLE_S_DEFAULT = 2,
    KIB = 1024,
};

static const char *const action_names[FILE_ACTIONS] = {
    "COPY",  "MOVE",    "DELETE",  "COMPRESS", "READ",   "WRITE",   "LIST", "WATCH",   "CSV_TRANSFORM",
    "SPLIT", "ENCRYPT", "DECRYPT", "CHECKSUM", "VERIFY", "CLEANUP", "SYNC", "EXTRACT",
};
static const char process_doc[] =
    "must be one of CSV_TRANSFORM, SPLIT, ENCRYPT, DECRYPT, CHECKSUM, VERIFY, CLEANUP, "
    "SYNC, EXTRACT";

const char *file_action_name(enum file_action action) { return action_names[action]; }

static struct str value_of(const struct str_map *m, const char *key)
{
    for (size_t i = 0; i < m->n; i++)
        if (str_is(m->v[i].key, key))
            return m->v[i].value;
    return STR_NONE;
}

static bool is_template(struct str s) { return s.n >= 2 && memmem(s.p, s.n, "{{", 2) != NULL; }

int file_action_of(const struct file_payload *p, const char **ret_wrong)
{
    static const struct {
        const char *word;
        enum file_action action;
    } others[] = {{"CSV", FILE_CSV}, {"DECOMPRESS", FILE_EXTRACT}, {"UNPACK", FILE_EXTRACT}};
    if (p->operation < FILE_CSV) // the operations stand in the same order; PROCESS is what follows
        return p->operation;
    struct str type = value_of(&p->parameters, "processingType");
    for (int i = FILE_CSV; i < FILE_ACTIONS; i++)
        if (str_eq_nocase(type, str_of(action_names[i])))
            return i;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (str_eq_nocase(type, str_of(others[i].word)))
            return (int)others[i].action;
    *ret_wrong = is_template(type) ? NULL : process_doc;
    return -1;
}

// ---- values ----

typedef const char *(*take_fn)(struct arena *a, void *at, struct str value); // what is wrong, or NULL

static const char *take_bool(struct arena *a, void *at, struct str v)
{
    (void)a;
    *(bool *)at = str_eq_nocase(v, STR("true"));
    return *(bool *)at || str_eq_nocase(v, STR("false")) ? NULL : "must be true or false";
}

static const char *take_text(struct arena *a, void *at, struct str v)
{
    (void)a;
    *(struct str *)at = v;
    return v.n > 0 ? NULL : "must not be empty";
}

static const char *take_count(struct arena *a, void *at, struct str v)
{
    (void)a;
    return str_to_i64(v, at) && *(int64_t *)at >= 1 ? NULL : "must be a whole number from 1";
}

// The number in front; *ret_unit is what follows.
static bool take_number(struct str v, double *ret, struct str *ret_unit)
{
    char text[NUMBER_TEXT_MAX], *end;
    v = str_trim(v);
    if (v.n == 0 || v.n >= sizeof text || !strchr("0123456789.", v.p[0]))
        return false;
    memcpy(text, v.p, v.n);
    text[v.n] = '\0';
    *ret = strtod(text, &end);
    *ret_unit = str_trim((struct str){v.p + (end - text), v.n - (size_t)(end - text)});
    return isfinite(*ret) && *ret >= 0;
}

static const char *take_size(struct arena *a, void *at, struct str v)
{
    static const char wrong[] = "must be a size such as 1048576, 512KB, 10MB or 2GB";
    double n;
    struct str unit;
    (void)a;
    if (!take_number(v, &n, &unit))
        return wrong;
    static const char prefixes[] = "kmgt";
    const char *prefix = unit.n > 0 ? strchr(prefixes, unit.p[0] | 0x20) : NULL;
    for (const char *k = prefixes; prefix && k <= prefix; k++)
        n *= KIB;
    if (prefix)
        unit = (struct str){unit.p + 1, unit.n - 1};
    if (!(unit.n == 0 || str_eq_nocase(unit, STR("B")) || str_eq_nocase(unit, STR("iB"))) || n < 1 ||
        n >= 0x1p62)
        return wrong;
    *(int64_t *)at = (int64_t)n;
    return NULL;
}

static const char *take_duration(struct arena *a, void *at, struct str v)
{
    static const struct {
        const char *unit;
        double seconds;
    } units[] = {{"", 1},     {"s", 1},    {"ms", 0.001}, {"m", 60},
                 {"min", 60}, {"h", 3600}, {"d", 86400},  {"w", 7 * 86400.0}};
    double n;
    struct str unit;
    (void)a;
    if (take_number(v, &n, &unit))
        for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
            if (str_eq_nocase(unit, str_of(units[i].unit)) && n * units[i].seconds <= (double)INT32_MAX) {
                ((struct duration *)at)->us = (int64_t)(n * units[i].seconds * (double)US_PER_S);
                return NULL;
            }
    return "must be a number of seconds, or a length such as 30m, 12h or 7d";
}

static const char *take_days(struct arena *a, void *at, struct str v)
{
    char text[NUMBER_TEXT_MAX];
    int n = snprintf(text, sizeof text, "%.*sd", STR_ARG(str_trim(v)));
    const char *wrong = n < (int)sizeof text ? take_duration(a, at, (struct str){text, (size_t)n}) : "";
    return wrong ? "must be a number of days" : NULL;
}

// Room for what stands between commas, in a list of either spelling.
static size_t items_at_most(struct str v)
{
    size_t n = 1;
    for (size_t i = 0; i < v.n && n < ITEMS_MAX; i++)
        n += v.p[i] == ',';
    return n;
}

// A JSON list, or words between commas.
static const char *take_list(struct arena *a, void *at, struct str v)
{
    const size_t most = items_at_most(v);
    struct strs list = {.v = arena_new_array(a, struct str, most)};
    json_t *json CLEANUP_JSON = NULL;
    struct err err;
    v = str_trim(v);
    if (!list.v)
        return "is too large";
    if (str_starts(v, STR("["))) {
        size_t i;
        json_t *item;
        if (!json_parse(v, &json, &err) || !json_is_array(json) || json_array_size(json) > most)
            return "must be a list of texts";
        json_array_foreach(json, i, item)
        {
            if (!json_is_string(item))
                return "must be a list of texts";
            list.v[list.n++] = arena_str(a, json_str(item));
        }
    } else {
        size_t depth = 0;
        for (size_t from = 0, i = 0; i <= v.n && list.n < most; i++) {
            depth += i < v.n && v.p[i] == '{';
            depth -= i < v.n && v.p[i] == '}' && depth > 0;
            if (i < v.n && (v.p[i] != ',' || depth > 0)) // the comma of {a,b} is the pattern's
                continue;
            list.v[list.n] = str_trim((struct str){v.p + from, i - from});
            list.n += list.v[list.n].n > 0;
            from = i + 1;
        }
    }
    *(struct strs *)at = list;
    return list.n > 0 ? NULL : "must not be empty";
}

static const char *take_globs(struct arena *a, void *at, struct str v)
{
    struct err err;
    const char *wrong = take_list(a, at, v);
    const struct strs *list = at;
    for (size_t i = 0; !wrong && i < list->n; i++)
        if (!glob_check(list->v[i], &err))
            wrong = arena_cstr(a, str_of(err.text));
    return wrong;
}

// A JSON object of texts, or old=new between commas.
static const char *take_pairs(struct arena *a, void *at, struct str v)
{
    static const char wrong[] = "must be an object of texts, or old=new,old2=new2";
    const size_t most = items_at_most(v);
    struct str_map map = {.v = arena_new_array(a, struct str_pair, most)};
    json_t *json CLEANUP_JSON = NULL, *item;
    struct err err;
    const char *key;
    v = str_trim(v);
    if (!map.v)
        return "is too large";
    if (str_starts(v, STR("{"))) {
        if (!json_parse(v, &json, &err) || !json_is_object(json) || json_object_size(json) > most)
            return wrong;
        json_object_foreach(json, key, item)
        {
            if (!json_is_string(item))
                return wrong;
            map.v[map.n++] = (struct str_pair){arena_str(a, str_of(key)), arena_str(a, json_str(item))};
        }
    }
    for (struct str rest = json ? STR_NONE : v, pair, to; rest.p && map.n < most;) {
        pair = str_split(rest, ',', &rest);
        struct str from = str_split(pair, '=', &to);
        if (!to.p)
            return wrong;
        map.v[map.n++] = (struct str_pair){str_trim(from), str_trim(to)};
    }
    *(struct str_map *)at = map;
    return NULL;
}

static const char *take_delimiter(struct arena *a, void *at, struct str v)
{
    struct str *to = at;
    (void)a;
    *to = str_eq_nocase(v, STR("TAB")) || str_is(v, "\\t") ? STR("\t") : v;
    return to->n == 1 && !strchr("\"\r\n", to->p[0]) ? NULL : "must be one character, or TAB";
}

static const char *take_ulid(struct arena *a, void *at, struct str v)
{
    struct ulid id;
    (void)a;
    *(struct str *)at = v;
    return ulid_parse(v, &id) ? NULL : "must be the id of a job";
}

static const char *take_key(struct arena *a, void *at, struct str v)
{
    (void)a;
    *(struct str *)at = v;
    return v.n >= CIPHER_PASSPHRASE_MIN
               ? NULL
               : "must be 64 hexadecimal digits or a passphrase of at least 12 bytes";
}

static const char *take_mode(struct arena *a, void *at, struct str v)
{
    (void)a;
    *(struct str *)at = v;
    bool octal = v.n >= 3 && v.n <= 4;
    for (size_t i = 0; i < v.n; i++)
        octal = octal && v.p[i] >= '0' && v.p[i] <= '7';
    return octal && (v.n == 3 || v.p[0] == '0') ? NULL : "must be permissions in octal, such as 0640";
}

static const char *take_encoding(struct arena *a, void *at, struct str v)
{
    (void)a;
    *(struct str *)at = v;
    return str_eq_nocase(v, STR("TEXT")) || str_eq_nocase(v, STR("BASE64")) ? NULL : "must be TEXT or BASE64";
}

static const char *take_compare(struct arena *a, void *at, struct str v)
{
    (void)a;
    *(struct str *)at = v;
    return str_eq_nocase(v, STR("TIME")) || str_eq_nocase(v, STR("CHECKSUM")) ? NULL
                                                                              : "must be TIME or CHECKSUM";
}

static const char *take_line_ending(struct arena *a, void *at, struct str v)
{
    (void)a;
    *(struct str *)at = v;
    return str_eq_nocase(v, STR("LF")) || str_eq_nocase(v, STR("CRLF")) ? NULL : "must be LF or CRLF";
}

// ---- keys ----

#define BIT(action) (UINT32_C(1) << FILE_##action)
#define PICKING                                                                                              \
    (BIT(COPY) | BIT(MOVE) | BIT(DELETE) | BIT(COMPRESS) | BIT(LIST) | BIT(WATCH) | BIT(CHECKSUM) |          \
     BIT(CLEANUP) | BIT(SYNC))
#define CHANGING  (~(BIT(READ) | BIT(LIST) | BIT(WATCH) | BIT(VERIFY)))
#define M(member) offsetof(struct file_params, member)

static const struct key {
    const char *name;
    uint32_t actions;
    take_fn take;
    size_t at;
} keys[] = {
    {"dryRun", CHANGING, take_bool, M(dry_run)},
    {"recursive", PICKING, take_bool, M(recursive)},
    {"pattern", PICKING, take_globs, M(patterns)},
    {"patterns", PICKING, take_globs, M(patterns)},
    {"exclude", PICKING, take_globs, M(exclude)},
    {"preserveAttributes", BIT(COPY) | BIT(SYNC), take_bool, M(preserve)},
    {"ignoreMissing", BIT(DELETE) | BIT(MOVE) | BIT(COPY), take_bool, M(ignore_missing)},
    {"format", BIT(COMPRESS), take_text, M(format)},
    {"level", BIT(COMPRESS), take_count, M(level)},
    {"encoding", BIT(READ) | BIT(WRITE), take_encoding, M(encoding)},
    {"append", BIT(WRITE), take_bool, M(append)},
    {"mode", BIT(WRITE), take_mode, M(mode)},
    {"maxBytes", BIT(READ) | BIT(EXTRACT), take_size, M(max_bytes)},
    {"maxEntries", BIT(LIST) | BIT(EXTRACT), take_count, M(max_entries)},
    {"maxRatio", BIT(EXTRACT), take_count, M(max_ratio)},
    {"waitSeconds", BIT(WATCH), take_duration, M(wait)},
    {"settleSeconds", BIT(WATCH), take_duration, M(settle)},
    {"includeExisting", BIT(WATCH), take_bool, M(include_existing)},
    {"startJob", BIT(WATCH), take_ulid, M(start_job)},
    {"columns", BIT(CSV), take_list, M(columns)},
    {"rename", BIT(CSV), take_pairs, M(rename)},
    {"filter", BIT(CSV), take_text, M(filter)},
    {"delimiter", BIT(CSV), take_delimiter, M(delimiter)},
    {"outputDelimiter", BIT(CSV), take_delimiter, M(output_delimiter)},
    {"lineEnding", BIT(CSV), take_line_ending, M(line_ending)},
    {"header", BIT(CSV) | BIT(SPLIT), take_bool, M(header)},
    {"lines", BIT(SPLIT), take_count, M(lines)},
    {"size", BIT(SPLIT), take_size, M(size)},
    {"key", BIT(ENCRYPT) | BIT(DECRYPT), take_key, M(key)},
    {"encryptionKey", BIT(ENCRYPT) | BIT(DECRYPT), take_key, M(key)},
    {"baseline", BIT(VERIFY), take_text, M(baseline)},
    {"olderThan", BIT(CLEANUP), take_duration, M(older_than)},
    {"olderThanSeconds", BIT(CLEANUP), take_duration, M(older_than)},
    {"olderThanDays", BIT(CLEANUP), take_days, M(older_than)},
    {"removeEmptyFolders", BIT(CLEANUP), take_bool, M(remove_empty)},
    {"deleteExtra", BIT(SYNC), take_bool, M(delete_extra)},
    {"compare", BIT(SYNC), take_compare, M(compare)},
};

static void defaults(struct file_params *p, enum file_action action)
{
    *p = (struct file_params){
        .recursive = action == FILE_SYNC,
        .header = action == FILE_CSV,
        .include_existing = true,
        .delimiter = STR(","),
        .max_ratio = EXTRACT_RATIO_DEFAULT,
        .settle = duration_s(SETTLE_S_DEFAULT),
        .max_bytes = action == FILE_READ ? READ_DEFAULT : (int64_t)EXTRACT_GIB_DEFAULT * KIB * KIB * KIB,
        .max_entries = action == FILE_LIST ? LIST_DEFAULT : EXTRACT_ENTRIES_DEFAULT,
    };
}

static const struct key *key_find(struct str name, enum file_action action)
{
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (str_is(name, keys[i].name) && keys[i].actions >> action & 1)
            return &keys[i];
    return NULL;
}

static void ignore(struct sbuf *ignored, struct str name)
{
    if (!ignored || str_is(name, "processingType"))
        return;
    sbuf_puts(ignored, ignored->n > 0 ? ", " : "");
    sbuf_put(ignored, name);
}

void file_params_read(const struct file_payload *p, enum file_action action, struct file_params *ret,
                      struct sbuf *ret_ignored, struct str base, struct faults *faults, struct arena *a)
{
    defaults(ret, action);
    for (size_t i = 0; i < p->parameters.n; i++) {
        struct str name = p->parameters.v[i].key, value = p->parameters.v[i].value;
        const struct key *k = key_find(name, action);
        if (!k) {
            ignore(ret_ignored, name);
            continue;
        }
        if (base.p && is_template(value))
            continue; // at save nobody knows yet
        const char *wrong = k->take(a, (char *)ret + k->at, value);
        if (wrong && faults)
            faults_add(faults, arena_fmt(faults->a, "%.*s/parameters/%.*s", STR_ARG(base), STR_ARG(name)),
                       "%s", wrong);
    }
}
