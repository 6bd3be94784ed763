// SPDX-License-Identifier: Apache-2.0
// HTML in one file: no script, nothing from elsewhere, charts as SVG inside. Every text is escaped.
#include "document/writer.h"

static bool html_begin(struct document *d, struct err *err)
{
    struct document_cell made = {.kind = DOCUMENT_INSTANT, .i = d->o.made.us};
    struct sbuf b = scratch_text(d);
    sbuf_puts(&b, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta http-equiv=\""
                  "Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\"><title>");
    put_markup(&b, d->o.title);
    sbuf_puts(&b, "</title><style>body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 "
                  "1rem;color:#222}table{border-collapse:collapse;width:100%;margin:1rem 0}th,td{border-bottom:1px "
                  "solid #ddd;padding:.35rem .6rem;text-align:left;vertical-align:top;overflow-wrap:anywhere}th{"
                  "background:#f2f4f7;position:sticky;top:0}.n{text-align:right;font-variant-numeric:tabular-nums;"
                  "overflow-wrap:normal}p{white-space:pre-line}svg{max-width:100%;height:auto}"
                  "footer{color:#666;margin-top:2rem}</style></head>\n<body><h1>");
    put_markup(&b, d->o.title);
    sbuf_puts(&b, "</h1><p>Generated ");
    cell_text(&made, &b);
    sbuf_puts(&b, " UTC</p>\n");
    return scratch_write(d, &b, err);
}

static bool element(struct document *d, const char *name, struct str text, struct err *err)
{
    struct sbuf b = scratch_text(d);
    sbuf_fmt(&b, "<%s>", name);
    put_markup(&b, text);
    sbuf_fmt(&b, "</%s>\n", name);
    return scratch_write(d, &b, err);
}

static bool html_heading(struct document *d, struct str text, struct err *err)
{
    return element(d, "h2", text, err);
}

static bool html_paragraph(struct document *d, struct str text, struct err *err)
{
    return element(d, "p", text, err);
}

static bool html_table(struct document *d, struct str name, struct err *err)
{
    struct sbuf b = scratch_text(d);
    sbuf_puts(&b, "<table aria-label=\"");
    put_markup(&b, name);
    sbuf_puts(&b, "\"><thead><tr>");
    for (size_t i = 0; i < d->n_columns; i++) {
        sbuf_puts(&b, kind_is_number(d->columns[i].kind) ? "<th class=\"n\" scope=\"col\">" : "<th scope=\"col\">");
        put_markup(&b, d->columns[i].title);
        sbuf_puts(&b, "</th>");
    }
    sbuf_puts(&b, "</tr></thead><tbody>\n");
    return scratch_write(d, &b, err);
}

static bool html_row(struct document *d, const struct document_cell *v, struct err *err)
{
    struct sbuf b = scratch_text(d), one = scratch_text(d);
    sbuf_puts(&b, "<tr>");
    for (size_t i = 0; i < d->n_columns; i++) {
        sbuf_clear(&one);
        cell_text(&v[i], &one);
        sbuf_puts(&b, kind_is_number(v[i].kind) ? "<td class=\"n\">" : "<td>");
        put_markup(&b, sbuf_str(&one));
        sbuf_puts(&b, "</td>");
    }
    sbuf_puts(&b, "</tr>\n");
    return scratch_write(d, &b, err);
}

static bool html_table_end(struct document *d, struct err *err)
{
    struct sbuf b = scratch_text(d);
    sbuf_puts(&b, "</tbody></table>\n");
    return scratch_write(d, &b, err);
}

// ---- SVG ----

static void svg_rect(void *ctx, const double v[static 4], unsigned rgb)
{
    sbuf_fmt(ctx, "<rect x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" fill=\"#%06X\"/>", v[0], v[1], v[2],
             v[3], rgb);
}

static void svg_line(void *ctx, const double v[static 4], unsigned rgb)
{
    sbuf_fmt(ctx, "<line x1=\"%.2f\" y1=\"%.2f\" x2=\"%.2f\" y2=\"%.2f\" stroke=\"#%06X\"/>", v[0], v[1], v[2], v[3],
             rgb);
}

static void svg_text(void *ctx, double x, double y, enum chart_anchor anchor, struct str s)
{
    static const char *const anchors[] = {"start", "middle", "end"};
    sbuf_fmt(ctx, "<text x=\"%.2f\" y=\"%.2f\" text-anchor=\"%s\" dominant-baseline=\"middle\">", x, y,
             anchors[anchor]);
    put_markup(ctx, s);
    sbuf_puts(ctx, "</text>");
}

static bool html_chart(struct document *d, const struct document_chart *c, struct err *err)
{
    struct sbuf b = scratch_text(d);
    struct chart_canvas on = {&b, svg_rect, svg_line, svg_text};
    sbuf_fmt(&b, "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" viewBox=\"0 0 %d %d\" width=\"%d\" "
                 "font-size=\"11\" font-family=\"sans-serif\"><title>", CHART_WIDTH, CHART_HEIGHT, CHART_WIDTH);
    put_markup(&b, c->title);
    sbuf_puts(&b, "</title>");
    chart_draw(c, &on);
    sbuf_puts(&b, "</svg>\n");
    return scratch_write(d, &b, err);
}

static bool html_end(struct document *d, struct err *err)
{
    struct sbuf b = scratch_text(d);
    sbuf_puts(&b, "<footer>Chronos</footer></body></html>\n");
    return scratch_write(d, &b, err);
}

const struct writer_ops html_writer = {
    .begin = html_begin,
    .heading = html_heading,
    .paragraph = html_paragraph,
    .table = html_table,
    .row = html_row,
    .table_end = html_table_end,
    .chart = html_chart,
    .end = html_end,
};
