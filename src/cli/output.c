// SPDX-License-Identifier: Apache-2.0
// Tables, records and the other forms of an answer.
#include "cli/output.h"

#include <stdarg.h>

#include "base/yaml.h"
#include "cli/format.h"

const char *const output_form_names[] = {"table", "json", "yaml", "jsonl", "name", NULL};

enum { COLUMNS_MAX = 16, CELL_WIDTH_MAX = 60, TEXT_OUT_MAX = 256 << 20, GAP = 2 };

static const json_t *at_path(const json_t *v, const char *path)
{
    struct str rest = str_of(path);
    while (v && rest.p) {
        struct str part = str_split(rest, '.', &rest);
        v = json_object_getn(v, part.p, part.n);
    }
    return v;
}

static struct str time_text(const struct output *o, struct str text, struct arena *a)
{
    struct instant t;
    struct err err;
    if (o->utc || !instant_parse(text, &t, &err))
        return text;
    return instant_relative(t, o->now, a);
}

static struct str list_text(const json_t *v, struct arena *a)
{
    struct sbuf out;
    sbuf_init(&out, a, TEXT_OUT_MAX);
    for (size_t i = 0; i < json_array_size(v); i++) {
        sbuf_puts(&out, i ? "," : "");
        sbuf_put(&out, json_str(json_array_get(v, i)));
    }
    return out.n ? sbuf_str(&out) : STR("-");
}

// "every 5m", "0 2 * * * Europe/Berlin", "once 2027-…", "manual".
static struct str schedule_words(const struct output *o, const json_t *v, struct arena *a)
{
    struct str kind = json_str(json_object_get(v, "scheduleType")), zone = json_str(json_object_get(v, "timezone"));
    const json_t *s = json_object_get(v, "intervalSeconds"), *ms = json_object_get(v, "intervalMs");
    if (str_is(kind, "INTERVAL")) {
        struct duration d = json_is_integer(s) ? duration_s(json_integer_value(s))
                                               : duration_ms(json_integer_value(ms));
        return arena_fmt(a, "every %.*s", STR_ARG(duration_exact(d, a)));
    }
    if (str_is(kind, "ONCE"))
        return arena_fmt(a, "once %.*s", STR_ARG(time_text(o, json_str(json_object_get(v, "runAt")), a)));
    struct str text = json_str(json_object_get(v, str_is(kind, "CRON") ? "cronExpression" : "rrule"));
    if (!text.p)
        return str_is(kind, "MANUAL") ? STR("manual") : kind.p ? kind : STR("-");
    return zone.n ? arena_fmt(a, "%.*s %.*s", STR_ARG(text), STR_ARG(zone)) : text;
}

struct str column_text(const struct output *o, const struct column *col, const json_t *row, struct arena *a)
{
    const json_t *v = at_path(row, col->path);
    struct str text = json_str(v);
    if (!v || json_is_null(v))
        return STR("-");
    if (col->kind == COLUMN_SCHEDULE)
        text = schedule_words(o, v, a);
    else if (json_is_array(v))
        text = list_text(v, a);
    else if (col->kind == COLUMN_TIME && text.p)
        text = time_text(o, text, a);
    else if (col->kind == COLUMN_DURATION_MS && json_is_number(v))
        text = duration_text(duration_ms((int64_t)json_number_value(v)), a);
    else if (!text.p) {
        struct sbuf out;
        sbuf_init(&out, a, TEXT_OUT_MAX);
        json_write(v, &out);
        text = sbuf_str(&out);
    }
    return text_printable(text, a);
}

// SGR colour of a status word; "" when it has none. The word itself always stands, too.
static const char *status_color(struct str word)
{
    static const struct { const char *word, *sgr; } colors[] = {
        {"SUCCEEDED", "32"}, {"SUCCESS", "32"}, {"FAILED", "31"}, {"FAILURE", "31"}, {"TIMED_OUT", "31"},
        {"LOST", "31"}, {"RUNNING", "34"}, {"QUEUED", "33"}, {"SKIPPED", "33"}, {"MISSED", "33"},
        {"PAUSED", "33"}, {"CANCELLED", "90"}};
    for (size_t i = 0; i < sizeof colors / sizeof colors[0]; i++) {
        if (str_is(word, colors[i].word))
            return colors[i].sgr;
    }
    return "";
}

static void put_cell(const struct output *o, struct str text, size_t pad_to, const char *sgr)
{
    bool colored = o->color && sgr[0];
    if (colored)
        fprintf(o->out, "\033[%sm", sgr);
    fwrite(text.p ? text.p : "", 1, text.n, o->out);
    if (colored)
        fputs("\033[0m", o->out);
    size_t width = text_width(text);
    if (width < pad_to)
        fprintf(o->out, "%*s", (int)(pad_to - width), "");
}

// Cuts at a character so that at most `width` cells are taken; the mark takes one of them.
static struct str cell_cut(struct str s, size_t width, struct arena *a)
{
    if (text_width(s) <= width)
        return s;
    size_t n = 0;
    while (n < s.n) {
        size_t step = str_utf8_step((struct str){s.p + n, s.n - n});
        if (text_width((struct str){s.p, n + (step ? step : 1)}) > width - 1)
            break;
        n += step ? step : 1;
    }
    return arena_fmt(a, "%.*s…", (int)n, s.p);
}

void output_table(const struct output *o, const struct column *cols, const json_t *rows, struct arena *a)
{
    size_t n_cols = 0, n_rows = json_array_size(rows), widths[COLUMNS_MAX] = {0};
    while (cols[n_cols].title && n_cols < COLUMNS_MAX)
        n_cols++;
    struct str *cells = arena_new_array(a, struct str, n_cols * n_rows + 1);
    for (size_t c = 0; c < n_cols && o->headers; c++)
        widths[c] = text_width(str_of(cols[c].title));
    for (size_t i = 0; cells && i < n_cols * n_rows; i++) {
        size_t c = i % n_cols;
        cells[i] = column_text(o, &cols[c], json_array_get(rows, i / n_cols), a);
        if (o->terminal) // long texts must not break the lines; elsewhere nothing is cut
            cells[i] = cell_cut(cells[i], CELL_WIDTH_MAX, a);
        size_t width = text_width(cells[i]);
        widths[c] = width > widths[c] ? width : widths[c];
    }
    for (size_t c = 0; c < n_cols && o->headers; c++)
        put_cell(o, str_of(cols[c].title), c + 1 < n_cols ? widths[c] + GAP : 0, "1");
    if (o->headers)
        fputc('\n', o->out);
    for (size_t i = 0; cells && i < n_cols * n_rows; i++) {
        size_t c = i % n_cols;
        bool last = c + 1 == n_cols;
        put_cell(o, cells[i], last ? 0 : widths[c] + GAP, cols[c].kind == COLUMN_STATUS ? status_color(cells[i]) : "");
        if (last)
            fputc('\n', o->out);
    }
}

void output_record(const struct output *o, const struct column *cols, const json_t *object, struct arena *a)
{
    size_t width = 0;
    for (const struct column *c = cols; c->title; c++)
        width = strlen(c->title) > width ? strlen(c->title) : width;
    for (const struct column *c = cols; c->title; c++) {
        struct str text = column_text(o, c, object, a);
        if (str_is(text, "-"))
            continue;
        put_cell(o, str_of(c->title), width + GAP, "1");
        put_cell(o, text, 0, c->kind == COLUMN_STATUS ? status_color(text) : "");
        fputc('\n', o->out);
    }
}

static void put_json_line(const struct output *o, const json_t *v, struct arena *a)
{
    struct sbuf out;
    sbuf_init(&out, a, TEXT_OUT_MAX);
    json_write(v, &out);
    struct str text = sbuf_str(&out);
    fwrite(text.p, 1, text.n, o->out);
    fputc('\n', o->out);
}

static void put_body(const struct output *o, struct str body)
{
    fwrite(body.p, 1, body.n, o->out);
    if (body.n == 0 || body.p[body.n - 1] != '\n')
        fputc('\n', o->out);
}

static void put_yaml(const struct output *o, const json_t *v, struct arena *a)
{
    struct sbuf out;
    sbuf_init(&out, a, TEXT_OUT_MAX);
    yaml_write(v, &out);
    put_body(o, sbuf_str(&out));
}

static void put_name(const struct output *o, const char *name_key, const json_t *v, struct arena *a)
{
    struct str name = json_str(json_object_get(v, name_key));
    put_body(o, text_printable(name.p ? name : STR("-"), a));
}

void output_list(const struct output *o, const struct column *cols, const char *name_key, const json_t *list,
                 struct str body, struct arena *a)
{
    const json_t *rows = json_object_get(list, "content");
    size_t i;
    json_t *row;
    switch (o->form) {
    case OUTPUT_JSON:
        put_body(o, body);
        return;
    case OUTPUT_YAML:
        put_yaml(o, list, a);
        return;
    case OUTPUT_JSONL:
        json_array_foreach(rows, i, row)
            put_json_line(o, row, a);
        return;
    case OUTPUT_NAME:
        json_array_foreach(rows, i, row)
            put_name(o, name_key, row, a);
        return;
    case OUTPUT_TABLE:
        output_table(o, cols, rows, a);
    }
}

void output_object(const struct output *o, const struct column *cols, const char *name_key, const json_t *object,
                   struct str body, struct arena *a)
{
    switch (o->form) {
    case OUTPUT_JSON:
        put_body(o, body);
        return;
    case OUTPUT_JSONL:
        put_json_line(o, object, a);
        return;
    case OUTPUT_YAML:
        put_yaml(o, object, a);
        return;
    case OUTPUT_NAME:
        put_name(o, name_key, object, a);
        return;
    case OUTPUT_TABLE:
        output_record(o, cols, object, a);
    }
}

void output_done(const struct output *o, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vfprintf(o->err, fmt, args);
    va_end(args);
    fputc('\n', o->err);
}
