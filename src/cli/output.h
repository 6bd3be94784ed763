// SPDX-License-Identifier: Apache-2.0
// What the user sees: tables aligned by display width, or the API's JSON as it came, or YAML, JSON lines, names.
// Data goes to standard output, everything else to standard error. Text from a server is never trusted: control
// characters (escape sequences, direction marks) are made visible before a terminal could act on them.
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include <stdio.h>

#include "base/json.h"
#include "base/time.h"

enum output_form { OUTPUT_TABLE, OUTPUT_JSON, OUTPUT_YAML, OUTPUT_JSONL, OUTPUT_NAME };
extern const char *const output_form_names[]; // NULL-terminated

struct output {
    FILE *out, *err;
    enum output_form form;
    bool terminal;         // out is one: long cells are cut
    bool color, color_err; // judged separately
    bool headers;
    bool utc;              // times as instants instead of "5 m ago"
    struct instant now;
};

enum column_kind {
    COLUMN_TEXT,
    COLUMN_TIME,        // RFC 3339 text
    COLUMN_DURATION_MS, // number
    COLUMN_STATUS,      // coloured word
    COLUMN_LIST,        // texts, joined by commas
    COLUMN_SCHEDULE,    // a schedule object, in a few words
};
struct column {
    const char *title;
    const char *path; // dotted: "schedule.timezone"
    enum column_kind kind;
};

// Cell of a JSON value as text; "-" when absent or null.
struct str column_text(const struct output *o, const struct column *col, const json_t *row, struct arena *a);
// A table with one line per element of the array; columns end with a title of NULL.
void output_table(const struct output *o, const struct column *cols, const json_t *rows, struct arena *a);
// "title: value" lines for one object.
void output_record(const struct output *o, const struct column *cols, const json_t *object, struct arena *a);
// An API list {"content":[…]} in the form asked for. body: the answer as it came, printed unchanged for json.
// name_key: the member printed for -o name.
void output_list(const struct output *o, const struct column *cols, const char *name_key, const json_t *list,
                 struct str body, struct arena *a);
// One object in the form asked for; the table form is output_record.
void output_object(const struct output *o, const struct column *cols, const char *name_key, const json_t *object,
                   struct str body, struct arena *a);
// Text with control characters made visible; tabs stay.
struct str text_printable(struct str s, struct arena *a);
// Terminal cells the text takes.
size_t text_width(struct str s);
// "job created" on standard error, "→ next step" below it when not NULL.
void output_done(const struct output *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
