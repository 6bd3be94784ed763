// SPDX-License-Identifier: Apache-2.0
// A spreadsheet by libxlsxwriter, which keeps one row in memory and the rest in temporary files of its own.
//
// Texts are written as strings, so a text that looks like a formula stays a text. The library wants the name of a file:
// it gets the one of our descriptor.
#include <math.h>
#include <stdio.h>
#include <xlsxwriter.h>

#include "base/library.h"
#include "base/mem.h"
#include "base/sync.h"
#include "document/writer.h"

enum {
    SHEET_NAME_MAX = 31, // letters
    CELL_LETTERS_MAX = 32000,
    DECIMAL_DIGITS_EXACT = 15, // a double keeps these
    NAME_BYTES = 160,
    WIDTH_TEXT = 32,
    WIDTH_NUMBER = 14,
    WIDTH_INSTANT = 20,
    WIDTH_NOTE = 100,
};
static const int64_t INTEGER_EXACT = INT64_C(1) << 53;
static const double EPOCH_SERIAL = 25569; // days from the spreadsheet's day 0 to 1970

static struct {
    __typeof__(&workbook_new_opt) workbook_new_opt;
    __typeof__(&workbook_add_worksheet) workbook_add_worksheet;
    __typeof__(&workbook_add_format) workbook_add_format;
    __typeof__(&workbook_add_chart) workbook_add_chart;
    __typeof__(&workbook_close) workbook_close;
    __typeof__(&workbook_set_properties) workbook_set_properties;
    __typeof__(&workbook_get_worksheet_by_name) workbook_get_worksheet_by_name;
    __typeof__(&worksheet_write_string) worksheet_write_string;
    __typeof__(&worksheet_write_number) worksheet_write_number;
    __typeof__(&worksheet_write_boolean) worksheet_write_boolean;
    __typeof__(&worksheet_set_column) worksheet_set_column;
    __typeof__(&worksheet_freeze_panes) worksheet_freeze_panes;
    __typeof__(&worksheet_activate) worksheet_activate;
    __typeof__(&worksheet_insert_chart) worksheet_insert_chart;
    __typeof__(&format_set_bold) format_set_bold;
    __typeof__(&format_set_num_format) format_set_num_format;
    __typeof__(&chart_add_series) chart_add_series;
    __typeof__(&chart_series_set_name) chart_series_set_name;
    __typeof__(&chart_title_set_name) chart_title_set_name;
    __typeof__(&lxw_strerror) lxw_strerror;
    __typeof__(&lxw_workbook_free) lxw_workbook_free;
} lib;
#define SYMBOL(fn) LIBRARY_SYMBOL(lib, fn)
static const struct library_symbol symbols[] = {
    SYMBOL(workbook_new_opt),       SYMBOL(workbook_add_worksheet),  SYMBOL(workbook_add_format),
    SYMBOL(workbook_add_chart),     SYMBOL(workbook_close),          SYMBOL(workbook_set_properties),
    SYMBOL(worksheet_write_string), SYMBOL(worksheet_write_number),  SYMBOL(worksheet_write_boolean),
    SYMBOL(worksheet_set_column),   SYMBOL(worksheet_freeze_panes),  SYMBOL(worksheet_activate),
    SYMBOL(worksheet_insert_chart), SYMBOL(format_set_bold),         SYMBOL(format_set_num_format),
    SYMBOL(chart_add_series),       SYMBOL(chart_series_set_name),   SYMBOL(chart_title_set_name),
    SYMBOL(lxw_strerror),           SYMBOL(lxw_workbook_free),       SYMBOL(workbook_get_worksheet_by_name),
};
static struct library xlsxwriter = LIBRARY("libxlsxwriter.so.4", "libxlsxwriter4", symbols);

struct excel {
    lxw_workbook *book;
    lxw_worksheet *notes, *sheet; // of headings, paragraphs; of the present table
    lxw_format *bold, *instant;
    lxw_row_t note_row, row;
    bool activated;
    char heading[NAME_BYTES]; // of what comes next
    char path[64];
};

static bool failed(lxw_error e, struct err *err)
{
    if (e == LXW_ERROR_CREATING_TMPFILE || e == LXW_ERROR_CREATING_XLSX_FILE)
        return ERR_ERRNO(err, "write the spreadsheet");
    return ERR(err, ERR_IO, "the spreadsheet cannot be written: %s", lib.lxw_strerror(e));
}

static const char *text_of(struct document *d, struct str s)
{
    size_t letters = 0, n = 0;
    while (n < s.n && letters < CELL_LETTERS_MAX) {
        n += str_utf8_step((struct str){s.p + n, s.n - n});
        letters++;
    }
    const char *text = arena_cstr(&d->scratch, (struct str){s.p, n});
    return text ? text : "";
}

static bool excel_begin(struct document *d, struct err *err)
{
    lxw_workbook_options o = {.constant_memory = LXW_TRUE};
    if (!library_need(&xlsxwriter, err))
        return false;
    struct excel *x = d->own = mem_new(struct excel);
    (void)snprintf(x->path, sizeof x->path, "/proc/self/fd/%d", d->o.fd);
    x->book = lib.workbook_new_opt(x->path, &o);
    if (!x->book)
        return ERR(err, ERR_IO, "the spreadsheet cannot be begun");
    x->bold = lib.workbook_add_format(x->book);
    x->instant = lib.workbook_add_format(x->book);
    if (!x->bold || !x->instant)
        return ERR(err, ERR_IO, "the spreadsheet cannot be begun");
    lib.format_set_bold(x->bold);
    lib.format_set_num_format(x->instant, "yyyy-mm-dd hh:mm:ss");
    lxw_doc_properties properties = {.title = (char *)text_of(d, d->o.title), .author = (char *)"Chronos",
                                     .created = (time_t)(d->o.made.us / US_PER_S)};
    (void)lib.workbook_set_properties(x->book, &properties);
    return true;
}

// A name that no other sheet has, without the letters that sheets may not have.
static lxw_worksheet *sheet_add(struct document *d, struct str name)
{
    struct excel *x = d->own;
    char text[NAME_BYTES];
    for (int turn = 1;; turn++) {
        char end[16] = "";
        if (turn > 1)
            (void)snprintf(end, sizeof end, " %d", turn);
        size_t n = 0, letters = 0, most = SHEET_NAME_MAX - strlen(end);
        while (n < name.n && letters < most && n + 4 < sizeof text - sizeof end) {
            size_t step = str_utf8_step((struct str){name.p + n, name.n - n});
            memcpy(text + n, name.p + n, step);
            if (strchr("[]:*?/\\'\n\r\t", text[n]))
                text[n] = ' ';
            n += step;
            letters++;
        }
        if (n == 0)
            text[n++] = '_';
        memcpy(text + n, end, strlen(end) + 1);
        if (!lib.workbook_get_worksheet_by_name(x->book, text))
            return lib.workbook_add_worksheet(x->book, text);
    }
}

static bool note(struct document *d, struct str text, lxw_format *format, struct err *err)
{
    struct excel *x = d->own;
    if (!x->notes) {
        x->notes = sheet_add(d, STR("Notes"));
        if (!x->notes)
            return ERR(err, ERR_IO, "the spreadsheet has no room for a sheet");
        (void)lib.worksheet_set_column(x->notes, 0, 0, WIDTH_NOTE, NULL);
        (void)lib.worksheet_write_string(x->notes, x->note_row++, 0, text_of(d, d->o.title), x->bold);
    }
    lxw_error e = lib.worksheet_write_string(x->notes, x->note_row++, 0, text_of(d, text), format);
    return e == LXW_NO_ERROR || failed(e, err);
}

static bool excel_heading(struct document *d, struct str text, struct err *err)
{
    struct excel *x = d->own;
    return note(d, text, x->bold, err);
}

static bool excel_paragraph(struct document *d, struct str text, struct err *err)
{
    return note(d, text, NULL, err);
}

static bool sheet_begin(struct document *d, struct str name, struct err *err)
{
    struct excel *x = d->own;
    x->sheet = sheet_add(d, name);
    x->row = 0;
    if (!x->sheet)
        return ERR(err, ERR_IO, "the spreadsheet has no room for a sheet");
    for (size_t i = 0; i < d->n_columns; i++) {
        int kind = d->columns[i].kind;
        double width = kind == DOCUMENT_INSTANT ? WIDTH_INSTANT : kind_is_number(kind) ? WIDTH_NUMBER : WIDTH_TEXT;
        (void)lib.worksheet_set_column(x->sheet, (lxw_col_t)i, (lxw_col_t)i, width, NULL);
    }
    for (size_t i = 0; i < d->n_columns; i++)
        (void)lib.worksheet_write_string(x->sheet, 0, (lxw_col_t)i, text_of(d, d->columns[i].title), x->bold);
    lib.worksheet_freeze_panes(x->sheet, 1, 0);
    if (!x->activated)
        lib.worksheet_activate(x->sheet);
    x->activated = true;
    x->row = 1;
    return true;
}

static bool excel_table(struct document *d, struct str name, struct err *err)
{
    struct excel *x = d->own;
    (void)snprintf(x->heading, sizeof x->heading, "%.*s", (int)str_utf8_cut(name, sizeof x->heading - 1), name.p);
    return sheet_begin(d, name, err);
}

static bool decimal_exact(struct str s, double *ret)
{
    char text[DECIMAL_DIGITS_EXACT + 4], *end = text;
    if (s.n == 0 || s.n > DECIMAL_DIGITS_EXACT)
        return false;
    memcpy(text, s.p, s.n);
    text[s.n] = '\0';
    *ret = strtod(text, &end);
    return *end == '\0' && isfinite(*ret);
}

static lxw_error cell_write(struct document *d, lxw_col_t column, const struct document_cell *c)
{
    struct excel *x = d->own;
    double number;
    switch (c->kind) {
    case DOCUMENT_INTEGER:
        if (c->i >= -INTEGER_EXACT && c->i <= INTEGER_EXACT)
            return lib.worksheet_write_number(x->sheet, x->row, column, (double)c->i, NULL);
        return lib.worksheet_write_string(x->sheet, x->row, column,
                                          arena_fmt(&d->scratch, "%lld", (long long)c->i).p, NULL);
    case DOCUMENT_NUMBER:
        return isfinite(c->f) ? lib.worksheet_write_number(x->sheet, x->row, column, c->f, NULL) : LXW_NO_ERROR;
    case DOCUMENT_BOOLEAN:
        return lib.worksheet_write_boolean(x->sheet, x->row, column, c->i != 0, NULL);
    case DOCUMENT_INSTANT:
        number = (double)c->i / (double)(US_PER_S * S_PER_DAY) + EPOCH_SERIAL;
        return lib.worksheet_write_number(x->sheet, x->row, column, number, x->instant);
    case DOCUMENT_DECIMAL:
        if (decimal_exact(c->text, &number))
            return lib.worksheet_write_number(x->sheet, x->row, column, number, NULL);
        return lib.worksheet_write_string(x->sheet, x->row, column, text_of(d, c->text), NULL);
    case DOCUMENT_TEXT:
        return lib.worksheet_write_string(x->sheet, x->row, column, text_of(d, c->text), NULL);
    default:
        return LXW_NO_ERROR;
    }
}

static bool excel_row(struct document *d, const struct document_cell *v, struct err *err)
{
    struct excel *x = d->own;
    lxw_error e = LXW_NO_ERROR;
    if (x->row > DOCUMENT_SHEET_ROWS_MAX && !sheet_begin(d, str_of(x->heading), err))
        return false;
    for (size_t i = 0; e == LXW_NO_ERROR && i < d->n_columns; i++)
        e = cell_write(d, (lxw_col_t)i, &v[i]);
    x->row++;
    return e == LXW_NO_ERROR || failed(e, err);
}

static bool excel_table_end(struct document *d, struct err *err)
{
    (void)d;
    (void)err;
    return true;
}

// A sheet with the chart's values, and the chart beside them.
static bool excel_chart(struct document *d, const struct document_chart *c, struct err *err)
{
    struct excel *x = d->own;
    lxw_worksheet *s = sheet_add(d, c->title);
    lxw_chart *chart = lib.workbook_add_chart(x->book, c->line ? LXW_CHART_LINE : LXW_CHART_COLUMN);
    if (!s || !chart)
        return ERR(err, ERR_IO, "the spreadsheet has no room for a chart");
    (void)lib.worksheet_set_column(s, 0, 0, WIDTH_INSTANT, NULL);
    for (size_t k = 0; k < c->n_series; k++)
        (void)lib.worksheet_write_string(s, 0, (lxw_col_t)(k + 1), text_of(d, c->series[k].name), x->bold);
    for (size_t i = 0; i < c->n; i++) {
        (void)lib.worksheet_write_string(s, (lxw_row_t)(i + 1), 0, text_of(d, c->labels[i]), NULL);
        for (size_t k = 0; k < c->n_series; k++)
            (void)lib.worksheet_write_number(s, (lxw_row_t)(i + 1), (lxw_col_t)(k + 1), c->series[k].v[i], NULL);
    }
    for (size_t k = 0; k < c->n_series; k++) {
        char labels[NAME_BYTES], values[NAME_BYTES];
        char column = (char)('B' + (int)k);
        (void)snprintf(labels, sizeof labels, "='%s'!$A$2:$A$%zu", s->name, c->n + 1);
        (void)snprintf(values, sizeof values, "='%s'!$%c$2:$%c$%zu", s->name, column, column, c->n + 1);
        lxw_chart_series *series = lib.chart_add_series(chart, labels, values);
        if (series)
            lib.chart_series_set_name(series, text_of(d, c->series[k].name));
    }
    lib.chart_title_set_name(chart, text_of(d, c->title));
    lxw_error e = lib.worksheet_insert_chart(s, 1, (lxw_col_t)(c->n_series + 2), chart);
    return e == LXW_NO_ERROR || failed(e, err);
}

static bool excel_end(struct document *d, struct err *err)
{
    struct excel *x = d->own;
    lxw_workbook *book = TAKE(x->book); // closing frees it, whatever comes of it
    lxw_error e = lib.workbook_close(book);
    return e == LXW_NO_ERROR || failed(e, err);
}

static void excel_free(struct document *d)
{
    struct excel *x = d->own;
    if (x && x->book)
        lib.lxw_workbook_free(x->book);
    mem_free(x);
}

const struct writer_ops excel_writer = {
    .begin = excel_begin,
    .heading = excel_heading,
    .paragraph = excel_paragraph,
    .table = excel_table,
    .row = excel_row,
    .table_end = excel_table_end,
    .chart = excel_chart,
    .end = excel_end,
    .free = excel_free,
};
