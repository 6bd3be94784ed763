// SPDX-License-Identifier: Apache-2.0
// PDF by cairo and pango: A4 across, a title and a number on every page, tables that repeat their head.
//
// Pages go to the file as they are finished. One layout serves all texts; its font map is the document's own, because
// the default one belongs to a thread that may not live longer than the document.
#include <pango/pangocairo.h>
#include <cairo-pdf.h>

#include "base/library.h"
#include "base/mem.h"
#include "document/writer.h"

static const double PAGE_WIDTH = 842, PAGE_HEIGHT = 595, MARGIN = 42, HEAD_HEIGHT = 24, FOOT_HEIGHT = 24, PADDING = 3;
static const double SIZE_TEXT = 9, SIZE_CROWDED = 7, SIZE_SMALL = 8, SIZE_HEADING = 13, SIZE_TITLE = 18;
enum { CELL_LINES_MAX = 6, CELL_BYTES_MAX = 2000, COLOR_TEXT = 0x222222, COLOR_MUTED = 0x777777, COLOR_RULE = 0xCCCCCC,
       COLOR_HEAD = 0xEEF1F5, LINE_TEXT_MAX = 256, CROWDED_COLUMNS = 9 };

static struct {
    __typeof__(&cairo_pdf_surface_create_for_stream) cairo_pdf_surface_create_for_stream;
    __typeof__(&cairo_pdf_surface_set_metadata) cairo_pdf_surface_set_metadata;
    __typeof__(&cairo_create) cairo_create;
    __typeof__(&cairo_destroy) cairo_destroy;
    __typeof__(&cairo_surface_destroy) cairo_surface_destroy;
    __typeof__(&cairo_surface_finish) cairo_surface_finish;
    __typeof__(&cairo_surface_status) cairo_surface_status;
    __typeof__(&cairo_status) cairo_status;
    __typeof__(&cairo_show_page) cairo_show_page;
    __typeof__(&cairo_move_to) cairo_move_to;
    __typeof__(&cairo_line_to) cairo_line_to;
    __typeof__(&cairo_rectangle) cairo_rectangle;
    __typeof__(&cairo_fill) cairo_fill;
    __typeof__(&cairo_stroke) cairo_stroke;
    __typeof__(&cairo_set_line_width) cairo_set_line_width;
    __typeof__(&cairo_set_source_rgb) cairo_set_source_rgb;
} draw;
#define CAIRO(fn) LIBRARY_SYMBOL(draw, fn)
static const struct library_symbol cairo_symbols[] = {
    CAIRO(cairo_pdf_surface_create_for_stream), CAIRO(cairo_pdf_surface_set_metadata), CAIRO(cairo_create),
    CAIRO(cairo_destroy), CAIRO(cairo_surface_destroy), CAIRO(cairo_surface_finish), CAIRO(cairo_surface_status),
    CAIRO(cairo_status), CAIRO(cairo_show_page), CAIRO(cairo_move_to), CAIRO(cairo_line_to), CAIRO(cairo_rectangle),
    CAIRO(cairo_fill), CAIRO(cairo_stroke), CAIRO(cairo_set_line_width), CAIRO(cairo_set_source_rgb),
};
static struct library cairo = LIBRARY("libcairo.so.2", "libcairo2", cairo_symbols);

static struct {
    __typeof__(&pango_font_map_create_context) pango_font_map_create_context;
    __typeof__(&pango_layout_new) pango_layout_new;
    __typeof__(&pango_layout_set_text) pango_layout_set_text;
    __typeof__(&pango_layout_set_width) pango_layout_set_width;
    __typeof__(&pango_layout_set_height) pango_layout_set_height;
    __typeof__(&pango_layout_set_wrap) pango_layout_set_wrap;
    __typeof__(&pango_layout_set_ellipsize) pango_layout_set_ellipsize;
    __typeof__(&pango_layout_set_alignment) pango_layout_set_alignment;
    __typeof__(&pango_layout_set_font_description) pango_layout_set_font_description;
    __typeof__(&pango_layout_get_size) pango_layout_get_size;
    __typeof__(&pango_font_description_new) pango_font_description_new;
    __typeof__(&pango_font_description_free) pango_font_description_free;
    __typeof__(&pango_font_description_set_family) pango_font_description_set_family;
    __typeof__(&pango_font_description_set_weight) pango_font_description_set_weight;
    __typeof__(&pango_font_description_set_absolute_size) pango_font_description_set_absolute_size;
    __typeof__(&pango_attr_list_new) pango_attr_list_new;
    __typeof__(&pango_attr_list_insert) pango_attr_list_insert;
    __typeof__(&pango_attr_list_unref) pango_attr_list_unref;
    __typeof__(&pango_attr_insert_hyphens_new) pango_attr_insert_hyphens_new;
    __typeof__(&pango_layout_set_attributes) pango_layout_set_attributes;
} text;
#define PANGO(fn) LIBRARY_SYMBOL(text, fn)
static const struct library_symbol pango_symbols[] = {
    PANGO(pango_font_map_create_context), PANGO(pango_layout_new), PANGO(pango_layout_set_text),
    PANGO(pango_layout_set_width), PANGO(pango_layout_set_height), PANGO(pango_layout_set_wrap),
    PANGO(pango_layout_set_ellipsize), PANGO(pango_layout_set_alignment), PANGO(pango_layout_set_font_description),
    PANGO(pango_layout_get_size), PANGO(pango_font_description_new), PANGO(pango_font_description_free),
    PANGO(pango_font_description_set_family), PANGO(pango_font_description_set_weight),
    PANGO(pango_font_description_set_absolute_size), PANGO(pango_attr_list_new), PANGO(pango_attr_list_insert),
    PANGO(pango_attr_list_unref), PANGO(pango_attr_insert_hyphens_new), PANGO(pango_layout_set_attributes),
};
static struct library pango = LIBRARY("libpango-1.0.so.0", "libpango-1.0-0", pango_symbols);

static struct {
    __typeof__(&pango_cairo_font_map_new) pango_cairo_font_map_new;
    __typeof__(&pango_cairo_update_context) pango_cairo_update_context;
    __typeof__(&pango_cairo_show_layout) pango_cairo_show_layout;
} both;
#define BOTH(fn) LIBRARY_SYMBOL(both, fn)
static const struct library_symbol pangocairo_symbols[] = {
    BOTH(pango_cairo_font_map_new), BOTH(pango_cairo_update_context), BOTH(pango_cairo_show_layout)};
static struct library pangocairo = LIBRARY("libpangocairo-1.0.so.0", "libpangocairo-1.0-0", pangocairo_symbols);

static struct {
    __typeof__(&g_object_unref) g_object_unref;
} object;
static const struct library_symbol gobject_symbols[] = {LIBRARY_SYMBOL(object, g_object_unref)};
static struct library gobject = LIBRARY("libgobject-2.0.so.0", "libglib2.0-0", gobject_symbols);

struct pdf {
    cairo_surface_t *surface;
    cairo_t *cr;
    PangoFontMap *fonts;
    PangoContext *context;
    PangoLayout *layout;
    PangoFontDescription *font, *bold;
    double y; // of what comes next; 0: no page has been begun
    int64_t page;
    size_t columns; // drawn of the table's
    double widths[DOCUMENT_PDF_COLUMNS_MAX], size; // of its columns, of its letters
};

// ---- texts ----

struct style {
    double size, width; // width 0: as long as it is
    bool bold, right, middle;
    int lines; // at most; 0: any
    unsigned rgb;
};

static void color(cairo_t *cr, unsigned rgb)
{
    draw.cairo_set_source_rgb(cr, (rgb >> 16 & 255) / 255.0, (rgb >> 8 & 255) / 255.0, (rgb & 255) / 255.0);
}

// Prepares the layout; returns its height.
static double lay(struct pdf *p, const struct style *s, struct str t)
{
    int width, height;
    PangoFontDescription *font = s->bold ? p->bold : p->font;
    text.pango_font_description_set_absolute_size(font, s->size * PANGO_SCALE);
    text.pango_layout_set_font_description(p->layout, font);
    text.pango_layout_set_width(p->layout, s->width > 0 ? (int)(s->width * PANGO_SCALE) : -1);
    text.pango_layout_set_height(p->layout, s->lines > 0 ? -s->lines : -1);
    text.pango_layout_set_ellipsize(p->layout, s->lines > 0 ? PANGO_ELLIPSIZE_END : PANGO_ELLIPSIZE_NONE);
    text.pango_layout_set_alignment(p->layout, s->right    ? PANGO_ALIGN_RIGHT
                                               : s->middle ? PANGO_ALIGN_CENTER
                                                           : PANGO_ALIGN_LEFT);
    text.pango_layout_set_text(p->layout, t.p, (int)t.n);
    text.pango_layout_get_size(p->layout, &width, &height);
    return (double)height / PANGO_SCALE;
}

static double show(struct pdf *p, double x, double y, const struct style *s, struct str t)
{
    double height = lay(p, s, t);
    color(p->cr, s->rgb);
    draw.cairo_move_to(p->cr, x, y);
    both.pango_cairo_show_layout(p->cr, p->layout);
    return height;
}

static void rule(struct pdf *p, double y)
{
    color(p->cr, COLOR_RULE);
    draw.cairo_set_line_width(p->cr, 0.5);
    draw.cairo_move_to(p->cr, MARGIN, y);
    draw.cairo_line_to(p->cr, PAGE_WIDTH - MARGIN, y);
    draw.cairo_stroke(p->cr);
}

// ---- pages ----

static const struct style style_small = {.size = SIZE_SMALL, .lines = 1, .rgb = COLOR_MUTED};

static void page_begin(struct document *d)
{
    struct pdf *p = d->own;
    struct style left = style_small, right = style_small;
    char line[LINE_TEXT_MAX];
    struct document_cell made = {.kind = DOCUMENT_INSTANT, .i = d->o.made.us};
    struct sbuf b = scratch_text(d);
    if (p->page > 0)
        draw.cairo_show_page(p->cr);
    p->page++;
    left.width = right.width = (PAGE_WIDTH - 2 * MARGIN) / 2;
    right.right = true;
    show(p, MARGIN, MARGIN / 2, &left, d->o.title);
    cell_text(&made, &b);
    sbuf_puts(&b, " UTC");
    show(p, PAGE_WIDTH / 2, MARGIN / 2, &right, sbuf_str(&b));
    rule(p, MARGIN / 2 + HEAD_HEIGHT / 2 + PADDING);
    (void)snprintf(line, sizeof line, "Page %lld", (long long)p->page);
    show(p, PAGE_WIDTH / 2, PAGE_HEIGHT - MARGIN, &right, str_of(line));
    show(p, MARGIN, PAGE_HEIGHT - MARGIN, &left, STR("Chronos"));
    p->y = MARGIN + HEAD_HEIGHT / 2;
}

static double bottom(void)
{
    return PAGE_HEIGHT - MARGIN - FOOT_HEIGHT / 2;
}

static void room_for(struct document *d, double height)
{
    struct pdf *p = d->own;
    if (p->page == 0 || p->y + height > bottom())
        page_begin(d);
}

static cairo_status_t on_write(void *ctx, const unsigned char *bytes, unsigned int n)
{
    struct output *o = ctx;
    output_put(o, (struct str){(const char *)bytes, n});
    return o->error ? CAIRO_STATUS_WRITE_ERROR : CAIRO_STATUS_SUCCESS;
}

static bool state_check(struct document *d, struct err *err)
{
    struct pdf *p = d->own;
    if (d->out.error)
        return output_flush(&d->out, err);
    if (draw.cairo_status(p->cr) == CAIRO_STATUS_SUCCESS &&
        draw.cairo_surface_status(p->surface) == CAIRO_STATUS_SUCCESS)
        return true;
    return ERR(err, ERR_IO, "the PDF cannot be drawn");
}

static bool pdf_begin(struct document *d, struct err *err)
{
    if (!library_need(&cairo, err) || !library_need(&pango, err) || !library_need(&pangocairo, err) ||
        !library_need(&gobject, err))
        return false;
    struct pdf *p = d->own = mem_new(struct pdf);
    p->surface = draw.cairo_pdf_surface_create_for_stream(on_write, &d->out, PAGE_WIDTH, PAGE_HEIGHT);
    p->cr = draw.cairo_create(p->surface);
    p->fonts = both.pango_cairo_font_map_new();
    p->context = text.pango_font_map_create_context(p->fonts);
    both.pango_cairo_update_context(p->cr, p->context);
    p->layout = text.pango_layout_new(p->context);
    text.pango_layout_set_wrap(p->layout, PANGO_WRAP_WORD_CHAR);
    PangoAttrList *plain = text.pango_attr_list_new(); // an id that is broken must not get a hyphen
    text.pango_attr_list_insert(plain, text.pango_attr_insert_hyphens_new(FALSE));
    text.pango_layout_set_attributes(p->layout, plain);
    text.pango_attr_list_unref(plain);
    p->font = text.pango_font_description_new();
    p->bold = text.pango_font_description_new();
    text.pango_font_description_set_family(p->font, "sans-serif");
    text.pango_font_description_set_family(p->bold, "sans-serif");
    text.pango_font_description_set_weight(p->bold, PANGO_WEIGHT_BOLD);
    const char *title = arena_cstr(&d->scratch, d->o.title);
    draw.cairo_pdf_surface_set_metadata(p->surface, CAIRO_PDF_METADATA_TITLE, title ? title : "");
    draw.cairo_pdf_surface_set_metadata(p->surface, CAIRO_PDF_METADATA_CREATOR, "Chronos");
    page_begin(d);
    const struct style s = {.size = SIZE_TITLE, .bold = true, .width = PAGE_WIDTH - 2 * MARGIN, .rgb = COLOR_TEXT};
    p->y += show(p, MARGIN, p->y, &s, d->o.title) + PADDING * 2;
    return state_check(d, err);
}

// ---- blocks ----

static bool block(struct document *d, const struct style *s, struct str t, double before, struct err *err)
{
    struct pdf *p = d->own;
    double height = lay(p, s, t);
    room_for(d, height + before);
    p->y += before;
    p->y += show(p, MARGIN, p->y, s, t) + PADDING;
    return state_check(d, err);
}

static bool pdf_heading(struct document *d, struct str t, struct err *err)
{
    const struct style s = {.size = SIZE_HEADING, .bold = true, .width = PAGE_WIDTH - 2 * MARGIN, .rgb = COLOR_TEXT};
    return block(d, &s, t, PADDING * 3, err);
}

// Longer ones than a page are cut: nobody prints a log as a paragraph.
static bool pdf_paragraph(struct document *d, struct str t, struct err *err)
{
    enum { LINES_MAX = 30 };
    const struct style s = {.size = SIZE_TEXT, .width = PAGE_WIDTH - 2 * MARGIN, .lines = LINES_MAX, .rgb = COLOR_TEXT};
    return block(d, &s, t, 0, err);
}

// ---- tables ----

static double weight_of(const struct document_column *c)
{
    if (c->weight > 0)
        return c->weight;
    return c->kind == DOCUMENT_TEXT || c->kind == DOCUMENT_NONE ? 3 : c->kind == DOCUMENT_INSTANT ? 0.5 : 0.2;
}

static double natural_width(struct pdf *p, bool bold, struct str t)
{
    int width, height;
    const struct style s = {.size = p->size, .bold = bold};
    (void)lay(p, &s, t);
    text.pango_layout_get_size(p->layout, &width, &height);
    return (double)width / PANGO_SCALE + 2 * PADDING + 1;
}

// The longest word of the title fits, and a date; what is left goes to texts first.
static void widths_find(const struct document *d, struct pdf *p)
{
    double all = PAGE_WIDTH - 2 * MARGIN, least = 0, weights = 0;
    p->size = p->columns >= CROWDED_COLUMNS ? SIZE_CROWDED : SIZE_TEXT;
    for (size_t i = 0; i < p->columns; i++) {
        const struct document_column *c = &d->columns[i];
        struct str rest = c->title;
        double wide = natural_width(p, false, c->kind == DOCUMENT_INSTANT ? STR("2000-00-00") : STR("00000"));
        while (rest.p) {
            double word = natural_width(p, true, str_split(rest, ' ', &rest));
            wide = word > wide ? word : wide;
        }
        p->widths[i] = wide;
        least += wide;
        weights += weight_of(c);
    }
    for (size_t i = 0; i < p->columns; i++)
        p->widths[i] = least < all ? p->widths[i] + (all - least) * weight_of(&d->columns[i]) / weights
                                   : p->widths[i] * all / least;
}

struct cell_text {
    struct str s;
    bool right;
};

// Draws a line of cells, or only measures it.
static double cells(struct document *d, const struct cell_text *v, bool bold, bool drawn)
{
    struct pdf *p = d->own;
    double x = MARGIN, high = 0;
    for (size_t i = 0; i < p->columns; i++) {
        double wide = p->widths[i];
        const struct style s = {.size = p->size, .width = wide - 2 * PADDING, .bold = bold, .right = v[i].right,
                                .lines = CELL_LINES_MAX, .rgb = COLOR_TEXT};
        double h = drawn ? show(p, x + PADDING, p->y + PADDING, &s, v[i].s) : lay(p, &s, v[i].s);
        high = h > high ? h : high;
        x += wide;
    }
    return high + 2 * PADDING;
}

static void head_draw(struct document *d)
{
    struct pdf *p = d->own;
    struct cell_text v[DOCUMENT_PDF_COLUMNS_MAX];
    for (size_t i = 0; i < p->columns; i++)
        v[i] = (struct cell_text){d->columns[i].title, kind_is_number(d->columns[i].kind)};
    double high = cells(d, v, true, false);
    color(p->cr, COLOR_HEAD);
    draw.cairo_rectangle(p->cr, MARGIN, p->y, PAGE_WIDTH - 2 * MARGIN, high);
    draw.cairo_fill(p->cr);
    (void)cells(d, v, true, true);
    p->y += high;
    rule(p, p->y);
}

static bool pdf_table(struct document *d, struct str name, struct err *err)
{
    enum { ROWS_WITH_HEAD = 3 };
    struct pdf *p = d->own;
    (void)name;
    p->columns = d->n_columns < DOCUMENT_PDF_COLUMNS_MAX ? d->n_columns : DOCUMENT_PDF_COLUMNS_MAX;
    widths_find(d, p);
    room_for(d, ROWS_WITH_HEAD * (SIZE_TEXT * 2 + 2 * PADDING));
    p->y += PADDING;
    head_draw(d);
    return state_check(d, err);
}

static bool pdf_row(struct document *d, const struct document_cell *v, struct err *err)
{
    struct pdf *p = d->own;
    struct cell_text t[DOCUMENT_PDF_COLUMNS_MAX];
    if (d->rows > DOCUMENT_PDF_ROWS_MAX)
        return true;
    for (size_t i = 0; i < p->columns; i++) {
        struct sbuf b = scratch_text(d);
        cell_text(&v[i], &b);
        struct str s = sbuf_str(&b);
        t[i] = (struct cell_text){{s.p, str_utf8_cut(s, CELL_BYTES_MAX)}, kind_is_number(v[i].kind)};
    }
    double high = cells(d, t, false, false);
    if (p->y + high > bottom()) {
        page_begin(d);
        head_draw(d);
    }
    (void)cells(d, t, false, true);
    p->y += high;
    rule(p, p->y);
    return state_check(d, err);
}

static bool pdf_table_end(struct document *d, struct err *err)
{
    struct pdf *p = d->own;
    char line[LINE_TEXT_MAX];
    p->y += 2 * PADDING;
    if (d->n_columns > p->columns) {
        (void)snprintf(line, sizeof line, "%zu more columns do not fit on the page; other formats have them.",
                       d->n_columns - p->columns);
        if (!pdf_paragraph(d, str_of(line), err))
            return false;
    }
    if (d->rows > DOCUMENT_PDF_ROWS_MAX) {
        (void)snprintf(line, sizeof line, "%lld more rows are left out; other formats have them.",
                       (long long)d->rows - DOCUMENT_PDF_ROWS_MAX);
        return pdf_paragraph(d, str_of(line), err);
    }
    return true;
}

// ---- charts ----

static void chart_rect(void *ctx, const double v[static 4], unsigned rgb)
{
    struct pdf *p = ctx;
    color(p->cr, rgb);
    draw.cairo_rectangle(p->cr, MARGIN + v[0], p->y + v[1], v[2], v[3]);
    draw.cairo_fill(p->cr);
}

static void chart_line(void *ctx, const double v[static 4], unsigned rgb)
{
    struct pdf *p = ctx;
    color(p->cr, rgb);
    draw.cairo_set_line_width(p->cr, 1);
    draw.cairo_move_to(p->cr, MARGIN + v[0], p->y + v[1]);
    draw.cairo_line_to(p->cr, MARGIN + v[2], p->y + v[3]);
    draw.cairo_stroke(p->cr);
}

static void chart_text(void *ctx, double x, double y, enum chart_anchor anchor, struct str s)
{
    enum { WIDE = 300 };
    struct pdf *p = ctx;
    double left = anchor == CHART_LEFT ? x : anchor == CHART_MIDDLE ? x - WIDE / 2.0 : x - WIDE;
    const struct style style = {.size = SIZE_SMALL, .width = WIDE, .right = anchor == CHART_RIGHT,
                                .middle = anchor == CHART_MIDDLE, .lines = 1, .rgb = COLOR_TEXT};
    show(p, MARGIN + left, p->y + y - SIZE_SMALL * 0.6, &style, s);
}

static bool pdf_chart(struct document *d, const struct document_chart *c, struct err *err)
{
    struct pdf *p = d->own;
    struct chart_canvas on = {p, chart_rect, chart_line, chart_text};
    room_for(d, CHART_HEIGHT + PADDING * 2);
    p->y += PADDING * 2;
    chart_draw(c, &on);
    p->y += CHART_HEIGHT;
    return state_check(d, err);
}

// ---- end ----

static bool pdf_end(struct document *d, struct err *err)
{
    struct pdf *p = d->own;
    draw.cairo_show_page(p->cr);
    draw.cairo_surface_finish(p->surface);
    return state_check(d, err);
}

static void pdf_free(struct document *d)
{
    struct pdf *p = d->own;
    if (!p)
        return;
    text.pango_font_description_free(p->font);
    text.pango_font_description_free(p->bold);
    object.g_object_unref(p->layout);
    object.g_object_unref(p->context);
    object.g_object_unref(p->fonts);
    draw.cairo_destroy(p->cr);
    draw.cairo_surface_destroy(p->surface);
    mem_free(p);
}

const struct writer_ops pdf_writer = {
    .begin = pdf_begin,
    .heading = pdf_heading,
    .paragraph = pdf_paragraph,
    .table = pdf_table,
    .row = pdf_row,
    .table_end = pdf_table_end,
    .chart = pdf_chart,
    .end = pdf_end,
    .free = pdf_free,
};
