// SPDX-License-Identifier: Apache-2.0
// JSON: {"title":…, "generatedAt":…, "content":[{"heading":…}, {"paragraph":…}, {"table":…, "columns":[…],
// "rows":[{…}]}, {"chart":…, "labels":[…], "series":[…]}]}. One row is one line.
#include "document/writer.h"

static char written; // d->own points here once there is an item in front

// Texts given may be in the scratch memory, so it is not reset here; the next row does.
static struct sbuf item(struct document *d, const char *kind)
{
    struct sbuf b = scratch_text(d);
    sbuf_fmt(&b, "%s{\"%s\":", d->own ? ",\n" : "\n", kind);
    d->own = &written;
    return b;
}

static bool json_begin(struct document *d, struct err *err)
{
    char time[INSTANT_TEXT_MAX];
    struct sbuf b = scratch_text(d);
    sbuf_puts(&b, "{\"title\":");
    sbuf_json(&b, d->o.title);
    sbuf_fmt(&b, ",\"generatedAt\":\"%s\",\"content\":[", instant_format(d->o.made, time));
    return scratch_write(d, &b, err);
}

static bool text_item(struct document *d, const char *kind, struct str text, struct err *err)
{
    struct sbuf b = item(d, kind);
    sbuf_json(&b, text);
    sbuf_putc(&b, '}');
    return scratch_write(d, &b, err);
}

static bool json_heading(struct document *d, struct str text, struct err *err)
{
    return text_item(d, "heading", text, err);
}

static bool json_paragraph(struct document *d, struct str text, struct err *err)
{
    return text_item(d, "paragraph", text, err);
}

static const char *kind_name(int kind)
{
    static const char *const names[] = {"none", "text", "integer", "number", "decimal", "boolean", "instant"};
    return names[kind];
}

static bool json_table(struct document *d, struct str name, struct err *err)
{
    struct sbuf b = item(d, "table");
    sbuf_json(&b, name);
    sbuf_puts(&b, ",\"columns\":[");
    for (size_t i = 0; i < d->n_columns; i++) {
        sbuf_puts(&b, i ? ",{\"key\":" : "{\"key\":");
        sbuf_json(&b, d->columns[i].key);
        sbuf_puts(&b, ",\"title\":");
        sbuf_json(&b, d->columns[i].title);
        sbuf_fmt(&b, ",\"kind\":\"%s\"}", kind_name(d->columns[i].kind));
    }
    sbuf_puts(&b, "],\"rows\":[");
    return scratch_write(d, &b, err);
}

static void put_cell(struct sbuf *b, const struct document_cell *c)
{
    char time[INSTANT_TEXT_MAX];
    switch (c->kind) {
    case DOCUMENT_INTEGER:
    case DOCUMENT_BOOLEAN:
        cell_text(c, b);
        break;
    case DOCUMENT_NUMBER:
        sbuf_f64(b, c->f);
        break;
    case DOCUMENT_TEXT:
    case DOCUMENT_DECIMAL:
        sbuf_json(b, c->text);
        break;
    case DOCUMENT_INSTANT:
        sbuf_fmt(b, "\"%s\"", instant_format((struct instant){c->i}, time));
        break;
    default:
        sbuf_puts(b, "null");
        break;
    }
}

static bool json_row(struct document *d, const struct document_cell *v, struct err *err)
{
    struct sbuf b = scratch_text(d);
    sbuf_puts(&b, d->rows > 1 ? ",\n{" : "\n{");
    for (size_t i = 0; i < d->n_columns; i++) {
        sbuf_puts(&b, i ? "," : "");
        sbuf_json(&b, d->columns[i].key);
        sbuf_putc(&b, ':');
        put_cell(&b, &v[i]);
    }
    sbuf_putc(&b, '}');
    return scratch_write(d, &b, err);
}

static bool json_table_end(struct document *d, struct err *err)
{
    output_put(&d->out, STR("]}"));
    return !d->out.error || output_flush(&d->out, err);
}

static bool json_chart(struct document *d, const struct document_chart *c, struct err *err)
{
    struct sbuf b = item(d, "chart");
    sbuf_json(&b, c->title);
    sbuf_puts(&b, ",\"labels\":[");
    for (size_t i = 0; i < c->n; i++) {
        sbuf_puts(&b, i ? "," : "");
        sbuf_json(&b, c->labels[i]);
    }
    sbuf_puts(&b, "],\"series\":[");
    for (size_t s = 0; s < c->n_series; s++) {
        sbuf_puts(&b, s ? ",{\"name\":" : "{\"name\":");
        sbuf_json(&b, c->series[s].name);
        sbuf_puts(&b, ",\"values\":[");
        for (size_t i = 0; i < c->n; i++) {
            sbuf_puts(&b, i ? "," : "");
            sbuf_f64(&b, c->series[s].v[i]);
        }
        sbuf_puts(&b, "]}");
    }
    sbuf_puts(&b, "]}");
    return scratch_write(d, &b, err);
}

static bool json_end(struct document *d, struct err *err)
{
    output_put(&d->out, STR("\n]}\n"));
    return output_flush(&d->out, err);
}

const struct writer_ops json_writer = {
    .begin = json_begin,
    .heading = json_heading,
    .paragraph = json_paragraph,
    .table = json_table,
    .row = json_row,
    .table_end = json_table_end,
    .chart = json_chart,
    .end = json_end,
};
