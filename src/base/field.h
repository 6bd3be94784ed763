// SPDX-License-Identifier: Apache-2.0
// Field tables: one row per struct member drives decoding, validation, encoding with redaction,
// OpenAPI, SQL binding, CLI columns and audit diffs. The struct is written by hand; its table stands
// beside it. A row whose kind does not match the member's C type does not compile.
//
//     static const struct field job_rows[] = {
//         FIELD_STR(struct job, name, "name", .flags = FIELD_REQUIRED, .max = JOB_NAME_MAX, .doc = "…"),
//         FIELD_ENUM(struct job, priority, "priority", priority_names, .def = PRIORITY_MEDIUM, .doc = "…"),
//     };
//     const struct fields job_fields = FIELDS("Job", struct job, job_rows);
#ifndef BASE_FIELD_H
#define BASE_FIELD_H

#include "base/json.h"
#include "base/time.h"
#include "base/ulid.h"

enum field_kind {
    FIELD_KIND_STR,     // struct str
    FIELD_KIND_BOOL,    // bool
    FIELD_KIND_I64,     // int64_t; FIELD_ABSENT when optional, absent and without default
    FIELD_KIND_F64,     // double; NaN when absent
    FIELD_KIND_ENUM,    // int; index into names; −1 when absent and without default
    FIELD_KIND_INSTANT, // struct instant; INSTANT_NEVER when absent
    FIELD_KIND_ID,      // struct ulid; all zero when absent
    FIELD_KIND_STRS,    // struct strs
    FIELD_KIND_MAP,     // struct str_map: the user's own keys; numbers and booleans are taken as their text
    FIELD_KIND_JSON,    // struct str: any JSON value kept as compact text
    FIELD_KIND_OBJECT,  // nested struct with its own table
};

#define FIELD_ABSENT INT64_MIN

enum {
    FIELD_REQUIRED = 1 << 0,
    FIELD_READ_ONLY = 1 << 1, // in answers only: refused in requests (not with FIELD_DECODE_STORED)
    FIELD_SECRET = 1 << 2,    // never printed: encoded as "***"
    FIELD_NULLABLE = 1 << 3,  // encoded as null when absent (else left out)
    FIELD_HIDDEN = 1 << 4,    // stored, but not part of the API
    FIELD_INDEXED = 1 << 5,   // may be used in filters and sort
    FIELD_NESTED = 1 << 6,    // maps: lists and objects are taken too, as their JSON text
    FIELD_NO_SECRETS = 1 << 7, // others can see it while it is used: may hold no {{secret.NAME}}
};

struct fields;

struct field {
    const char *name;           // JSON spelling
    const char *const *aliases; // other accepted spellings, NULL-terminated, or NULL
    enum field_kind kind;
    unsigned flags;
    size_t offset;
    // Numbers: range (both 0: none; max 0 with min > 0: no upper bound). Strings: characters; with min ≥ 1
    // blanks alone count as empty. Lists and maps: entries. Raw JSON: bytes. There max 0 = FIELD_MAX_DEFAULT.
    int64_t min, max;
    int64_t def;                // default of numbers, booleans and enums when has_def
    bool has_def;
    const char *const *names;   // enum words, NULL-terminated; word i has value i
    const struct fields *sub;   // object
    const char *doc;            // one sentence for OpenAPI and help
    const char *json;           // raw JSON: what it may be, as members of a JSON Schema; NULL: anything
};

struct fields {
    const char *name; // schema name in OpenAPI
    const char *doc;
    const struct field *v;
    size_t n;
    size_t size; // of the struct
};

enum { FIELD_MAX_DEFAULT = 65536 };

#define FIELD_AT_(T, m, ctype) \
    (offsetof(T, m) + 0 * sizeof(char[__builtin_types_compatible_p(__typeof__(((T *)0)->m), ctype) ? 1 : -1]))
#define FIELD_STR(T, m, js, ...) \
    {.name = (js), .kind = FIELD_KIND_STR, .offset = FIELD_AT_(T, m, struct str), __VA_ARGS__}
#define FIELD_BOOL(T, m, js, ...) \
    {.name = (js), .kind = FIELD_KIND_BOOL, .offset = FIELD_AT_(T, m, bool), __VA_ARGS__}
#define FIELD_I64(T, m, js, ...) \
    {.name = (js), .kind = FIELD_KIND_I64, .offset = FIELD_AT_(T, m, int64_t), __VA_ARGS__}
#define FIELD_F64(T, m, js, ...) \
    {.name = (js), .kind = FIELD_KIND_F64, .offset = FIELD_AT_(T, m, double), __VA_ARGS__}
#define FIELD_ENUM(T, m, js, words, ...) \
    {.name = (js), .kind = FIELD_KIND_ENUM, .names = (words), .offset = FIELD_AT_(T, m, int), __VA_ARGS__}
#define FIELD_INSTANT(T, m, js, ...) \
    {.name = (js), .kind = FIELD_KIND_INSTANT, .offset = FIELD_AT_(T, m, struct instant), __VA_ARGS__}
#define FIELD_ID(T, m, js, ...) \
    {.name = (js), .kind = FIELD_KIND_ID, .offset = FIELD_AT_(T, m, struct ulid), __VA_ARGS__}
#define FIELD_STRS(T, m, js, ...) \
    {.name = (js), .kind = FIELD_KIND_STRS, .offset = FIELD_AT_(T, m, struct strs), __VA_ARGS__}
#define FIELD_MAP(T, m, js, ...) \
    {.name = (js), .kind = FIELD_KIND_MAP, .offset = FIELD_AT_(T, m, struct str_map), __VA_ARGS__}
#define FIELD_JSON(T, m, js, ...) \
    {.name = (js), .kind = FIELD_KIND_JSON, .offset = FIELD_AT_(T, m, struct str), __VA_ARGS__}
#define FIELD_OBJECT(T, m, js, U, table, ...) \
    {.name = (js), .kind = FIELD_KIND_OBJECT, .sub = (table), .offset = FIELD_AT_(T, m, U), __VA_ARGS__}
#define FIELD_JSON_OBJECT "\"type\":\"object\""
#define FIELD_JSON_LIST   "\"type\":\"array\",\"items\":{\"type\":\"object\"}"
#define FIELD_IS_OBJECT   .json = FIELD_JSON_OBJECT
#define FIELD_IS_LIST     .json = FIELD_JSON_LIST
#define FIELD_DEFAULT(v) .def = (v), .has_def = true
#define FIELD_ALIASES(...) .aliases = (const char *const[]){__VA_ARGS__, NULL}
#define FIELDS(schema, T, rows, ...) \
    {.name = (schema), .v = (rows), .n = sizeof(rows) / sizeof((rows)[0]), .size = sizeof(T), __VA_ARGS__}

enum {
    FIELD_DECODE_STRICT = 0,       // requests: unknown, read-only, duplicate and missing fields are faults
    FIELD_DECODE_STORED = 1 << 0, // our own text: read-only and hidden fields are taken, unknown ones skipped
    FIELD_DECODE_UNKNOWN_OK = 1 << 1, // unknown keys are skipped (payload maps that belong to the user)
};

// Sets every default. Strings become {NULL,0}.
void field_defaults(const struct fields *t, void *obj);
// Fills *obj (defaults first) from a JSON object; strings are copied into the arena. Every fault is added to
// *faults with its pointer below base ("" or "/payload"); true when it added none.
bool field_decode(const struct fields *t, const json_t *v, unsigned flags, struct str base, void *obj,
                  struct arena *a, struct faults *faults);
// The same for the text that field_encode wrote for storage, several times as fast. False: it is written another way or
// does not fit, and field_decode is to look at it; *obj and the arena may hold parts of it then.
bool field_decode_text(const struct fields *t, struct str text, void *obj, struct arena *a);
enum {
    FIELD_ENCODE_API = 0,           // secrets masked, hidden left out
    FIELD_ENCODE_STORED = 1 << 0,   // for our own tables: everything but what has its default value
};
// Writes {"name":…} of a struct. field_encode_members writes the members without the braces and tells
// whether it wrote any, so that callers may add their own.
void field_encode(const struct fields *t, const void *obj, unsigned flags, struct sbuf *out);
bool field_encode_members(const struct fields *t, const void *obj, unsigned flags, struct sbuf *out);
// Row by JSON name or alias; NULL when none.
const struct field *field_find(const struct fields *t, struct str name);
// Index of the word (case-insensitive) or −1.
int field_enum_find(const char *const *names, struct str word);
// JSON Schema (2020-12) of the table; request = true leaves read-only fields out.
void field_schema(const struct fields *t, bool request, struct sbuf *out);
enum field_schema_use { FIELD_SCHEMA_ANSWER, FIELD_SCHEMA_REQUEST, FIELD_SCHEMA_PATCH };
// The same in parts. For a patch (RFC 7396) nothing is required, and null takes a member away. The members are
// "properties", "required" and "additionalProperties" without braces; `more` are further properties, or NULL; nested
// tables are references below `refs` ("#/components/schemas/"), or inline when it is NULL.
void field_schema_members(const struct fields *t, enum field_schema_use use, const char *more, const char *refs,
                          struct sbuf *out);
// Name of a nested table in references: with "Input" or "Patch" behind it, as its use says.
void field_schema_name(const struct fields *t, enum field_schema_use use, struct sbuf *out);

#endif
