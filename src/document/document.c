// SPDX-License-Identifier: Apache-2.0
// The order of calls, clean texts, buffered output; what is written is up to the formats.
#include <errno.h>
#include <math.h>
#include <unistd.h>

#include "base/escape.h"
#include "base/mem.h"
#include "document/writer.h"

enum { TABLE_BUDGET = 1024 * 1024, SCRATCH_BUDGET = 64 * 1024 * 1024 };

const char *const document_format_names[] = {"PDF", "EXCEL", "CSV", "HTML", "JSON", NULL};

static const struct {
    const char *ending, *media_type;
    const struct writer_ops *ops;
} formats[] = {
    [DOCUMENT_PDF] = {"pdf", "application/pdf", &pdf_writer},
    [DOCUMENT_EXCEL] = {"xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", &excel_writer},
    [DOCUMENT_CSV] = {"csv", "text/csv; charset=utf-8", &csv_writer},
    [DOCUMENT_HTML] = {"html", "text/html; charset=utf-8", &html_writer},
    [DOCUMENT_JSON] = {"json", "application/json", &json_writer},
};

const char *document_ending(int format)
{
    return formats[format].ending;
}

const char *document_media_type(int format)
{
    return formats[format].media_type;
}

// ---- output ----

static void output_write(struct output *o, const char *p, size_t n)
{
    while (n > 0 && !o->error) {
        ssize_t done = write(o->fd, p, n);
        if (done < 0 && errno != EINTR)
            o->error = errno;
        if (done > 0) {
            p += done;
            n -= (size_t)done;
        }
    }
}

void output_put(struct output *o, struct str s)
{
    if (o->n + s.n > sizeof o->buffer) {
        output_write(o, o->buffer, o->n);
        o->n = 0;
    }
    if (s.n > sizeof o->buffer) {
        output_write(o, s.p, s.n);
    } else if (s.n > 0) {
        memcpy(o->buffer + o->n, s.p, s.n);
        o->n += s.n;
    }
}

bool output_flush(struct output *o, struct err *err)
{
    output_write(o, o->buffer, o->n);
    o->n = 0;
    if (!o->error)
        return true;
    errno = o->error;
    return ERR_ERRNO(err, "write the document");
}

struct sbuf scratch_text(struct document *d)
{
    struct sbuf b;
    sbuf_init(&b, &d->scratch, SCRATCH_BUDGET);
    return b;
}

bool scratch_write(struct document *d, const struct sbuf *b, struct err *err)
{
    if (!sbuf_ok(b))
        return ERR(err, ERR_TOO_LARGE, "a text of the document is too long");
    output_put(&d->out, sbuf_str(b));
    return !d->out.error || output_flush(&d->out, err);
}

// ---- texts ----

static bool text_clean(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (((unsigned char)s.p[i] < ' ' && !strchr("\t\n\r", s.p[i])) || s.p[i] == '\0' || s.p[i] == 0x7f)
            return false;
    return str_utf8_valid(s);
}

// The text itself, or a copy in which every bad byte is U+FFFD.
static struct str clean(struct document *d, struct str s)
{
    if (text_clean(s))
        return s.p ? s : STR("");
    struct sbuf b = scratch_text(d);
    while (s.n > 0) {
        size_t n = str_utf8_step(s);
        struct str one = {s.p, n > 0 ? n : 1};
        bool ok = n > 1 || (n == 1 && text_clean(one));
        sbuf_put(&b, ok ? one : STR("\xEF\xBF\xBD"));
        s = (struct str){s.p + one.n, s.n - one.n};
    }
    return sbuf_str(&b);
}

void put_markup(struct sbuf *out, struct str s)
{
    escape_put(out, ESCAPE_HTML, s);
}

static void put_instant(struct sbuf *out, int64_t us)
{
    struct civil c = civil_from_s(us / US_PER_S);
    sbuf_fmt(out, "%04d-%02d-%02d %02d:%02d:%02d", c.year, c.month, c.day, c.hour, c.minute, c.second);
}

void cell_text(const struct document_cell *c, struct sbuf *out)
{
    switch (c->kind) {
    case DOCUMENT_TEXT:
    case DOCUMENT_DECIMAL:
        sbuf_put(out, c->text);
        break;
    case DOCUMENT_INTEGER:
        sbuf_i64(out, c->i);
        break;
    case DOCUMENT_NUMBER:
        if (isfinite(c->f))
            sbuf_f64(out, c->f);
        break;
    case DOCUMENT_BOOLEAN:
        sbuf_puts(out, c->i ? "true" : "false");
        break;
    case DOCUMENT_INSTANT:
        put_instant(out, c->i);
        break;
    default:
        break;
    }
}

// ---- calls ----

bool document_begin(const struct document_options *o, struct document **ret, struct err *err)
{
    struct document *d = mem_new(struct document);
    d->o = *o;
    d->ops = formats[o->format].ops;
    d->out.fd = o->fd;
    arena_init(&d->table, TABLE_BUDGET);
    arena_init(&d->scratch, SCRATCH_BUDGET);
    d->o.title = clean(d, o->title);
    if (!d->ops->begin(d, err)) {
        document_free(d);
        return false;
    }
    *ret = d;
    return true;
}

bool document_heading(struct document *d, struct str text, struct err *err)
{
    must(!d->in_table);
    bool ok = d->ops->heading(d, clean(d, text), err);
    return ok;
}

bool document_paragraph(struct document *d, struct str text, struct err *err)
{
    must(!d->in_table);
    return d->ops->paragraph(d, clean(d, text), err);
}

bool document_table(struct document *d, struct str name, const struct document_column *v, size_t n, struct err *err)
{
    must(!d->in_table);
    if (n == 0 || n > DOCUMENT_COLUMNS_MAX)
        return ERR(err, ERR_TOO_LARGE, "a table of a document has 1 to %d columns; this one has %zu",
                   DOCUMENT_COLUMNS_MAX, n);
    arena_reset(&d->table);
    d->columns = arena_new_array(&d->table, struct document_column, n);
    d->n_columns = n;
    for (size_t i = 0; d->columns && i < n; i++) {
        d->columns[i] = v[i];
        d->columns[i].key = arena_str(&d->table, clean(d, v[i].key));
        d->columns[i].title = arena_str(&d->table, clean(d, v[i].title));
    }
    if (d->table.exhausted)
        return ERR(err, ERR_TOO_LARGE, "the names of the columns are too long");
    d->in_table = true;
    d->rows = 0;
    d->tables++;
    return d->ops->table(d, clean(d, name), err);
}

bool document_row(struct document *d, const struct document_cell *v, struct err *err)
{
    struct document_cell cells[DOCUMENT_COLUMNS_MAX];
    must(d->in_table);
    arena_reset(&d->scratch);
    for (size_t i = 0; i < d->n_columns; i++) {
        cells[i] = v[i];
        if (v[i].kind == DOCUMENT_TEXT || v[i].kind == DOCUMENT_DECIMAL)
            cells[i].text = clean(d, v[i].text);
    }
    if (d->scratch.exhausted)
        return ERR(err, ERR_TOO_LARGE, "a row of the document is too long");
    d->rows++;
    return d->ops->row(d, cells, err);
}

bool document_table_end(struct document *d, struct err *err)
{
    must(d->in_table);
    d->in_table = false;
    return d->ops->table_end(d, err);
}

bool document_chart(struct document *d, const struct document_chart *c, struct err *err)
{
    must(!d->in_table && c->n <= DOCUMENT_CHART_POINTS_MAX && c->n_series <= DOCUMENT_SERIES_MAX);
    return c->n == 0 || c->n_series == 0 || d->ops->chart(d, c, err);
}

bool document_end(struct document *d, struct err *err)
{
    must(!d->in_table);
    return d->ops->end(d, err) && output_flush(&d->out, err);
}

void document_free(struct document *d)
{
    if (!d)
        return;
    if (d->ops->free)
        d->ops->free(d);
    arena_release(&d->table);
    arena_release(&d->scratch);
    mem_free(d);
}
