// SPDX-License-Identifier: Apache-2.0
// CSV after RFC 4180: the first table, a line of titles in front.
//
// A spreadsheet runs a text that begins like a formula, so such texts get an apostrophe in front.
#include "document/writer.h"

static bool csv_nothing(struct document *d, struct err *err)
{
    (void)d;
    (void)err;
    return true;
}

static bool csv_no_text(struct document *d, struct str text, struct err *err)
{
    (void)text;
    return csv_nothing(d, err);
}

static bool csv_no_chart(struct document *d, const struct document_chart *c, struct err *err)
{
    (void)c;
    return csv_nothing(d, err);
}

static void put_field(struct sbuf *b, struct str s, bool is_text)
{
    bool formula = is_text && s.n > 0 && strchr("=+-@\t\r", s.p[0]), quote = false;
    for (size_t i = 0; i < s.n && !quote; i++)
        quote = strchr(",\"\r\n", s.p[i]) != NULL;
    sbuf_puts(b, quote ? "\"" : "");
    sbuf_puts(b, formula ? "'" : "");
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '"')
            sbuf_putc(b, '"');
        sbuf_putc(b, s.p[i]);
    }
    sbuf_puts(b, quote ? "\"" : "");
}

static bool csv_table(struct document *d, struct str name, struct err *err)
{
    (void)name;
    if (d->tables > 1)
        return true;
    struct sbuf b = scratch_text(d);
    for (size_t i = 0; i < d->n_columns; i++) {
        sbuf_puts(&b, i ? "," : "");
        put_field(&b, d->columns[i].title, true);
    }
    sbuf_puts(&b, "\r\n");
    return scratch_write(d, &b, err);
}

static bool csv_row(struct document *d, const struct document_cell *v, struct err *err)
{
    if (d->tables > 1)
        return true;
    struct sbuf b = scratch_text(d), one = scratch_text(d);
    for (size_t i = 0; i < d->n_columns; i++) {
        sbuf_clear(&one);
        cell_text(&v[i], &one);
        sbuf_puts(&b, i ? "," : "");
        put_field(&b, sbuf_str(&one), v[i].kind == DOCUMENT_TEXT);
    }
    sbuf_puts(&b, "\r\n");
    return scratch_write(d, &b, err);
}

const struct writer_ops csv_writer = {
    .begin = csv_nothing,
    .heading = csv_no_text,
    .paragraph = csv_no_text,
    .table = csv_table,
    .row = csv_row,
    .table_end = csv_nothing,
    .chart = csv_no_chart,
    .end = csv_nothing,
};
