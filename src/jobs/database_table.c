// SPDX-License-Identifier: Apache-2.0
// The table is written block by block, each line a line of the log; only the present block is in memory.
#include "jobs/database_table.h"

#include "base/mem.h"
#include "base/sbuf.h"

enum {
    CELL_BYTES_MAX = 4 * DATABASE_CELL_WIDTH_MAX + 8,
    CELLS_BUDGET = 8 * 1024 * 1024,
    LINE_MAX = DATABASE_COLUMNS_MAX * (CELL_BYTES_MAX + 3) + 64,
    BYTES_SHOWN = DATABASE_CELL_WIDTH_MAX / 2,
};

// What would break the line or the table becomes a blank; what is too long ends with "…".
static struct str neat(struct str s, struct arena *a)
{
    struct sbuf b;
    size_t width = 0;
    sbuf_init(&b, a, CELL_BYTES_MAX);
    while (s.n > 0) {
        size_t n = str_utf8_step(s);
        bool bad = n == 0 || (unsigned char)s.p[0] < ' ' || s.p[0] == 0x7f;
        if (++width > DATABASE_CELL_WIDTH_MAX) {
            sbuf_puts(&b, "…");
            break;
        }
        if (bad)
            sbuf_putc(&b, n == 0 ? '?' : ' ');
        else
            sbuf_put(&b, str_of_n(s.p, n));
        n = n == 0 ? 1 : n;
        s = str_of_n(s.p + n, s.n - n);
    }
    return sbuf_str(&b);
}

static struct str hex(struct str bytes, struct arena *a)
{
    struct sbuf b;
    sbuf_init(&b, a, CELL_BYTES_MAX);
    sbuf_puts(&b, "0x");
    for (size_t i = 0; i < bytes.n && i < BYTES_SHOWN; i++)
        sbuf_fmt(&b, "%02x", (unsigned)(uint8_t)bytes.p[i]);
    if (bytes.n > BYTES_SHOWN)
        sbuf_fmt(&b, "… (%zu bytes)", bytes.n);
    return sbuf_str(&b);
}

struct str database_cell_text(const struct query_value *v, struct arena *a)
{
    struct sbuf b;
    switch (v->type) {
    case QUERY_NULL:
        return STR("NULL");
    case QUERY_BOOL:
        return v->i ? STR("true") : STR("false");
    case QUERY_I64:
        return arena_fmt(a, "%lld", (long long)v->i);
    case QUERY_F64:
        sbuf_init(&b, a, CELL_BYTES_MAX);
        sbuf_f64(&b, v->f);
        return sbuf_str(&b);
    case QUERY_BYTES:
        return hex(v->text, a);
    default:
        return neat(v->text, a);
    }
}

void database_table_begin(struct database_table *t, struct attempt *a, const struct query *q)
{
    *t = (struct database_table){.a = a, .columns_all = q->n_columns};
    t->columns = q->n_columns < DATABASE_COLUMNS_MAX ? q->n_columns : DATABASE_COLUMNS_MAX;
    arena_init(&t->cells, CELLS_BUDGET);
    t->v = mem_array((DATABASE_TABLE_ROWS + 1) * t->columns, sizeof *t->v);
    t->right = mem_array(t->columns, sizeof *t->right);
    arena_init(&t->names, CELLS_BUDGET);
    for (size_t i = 0; i < t->columns; i++) // row 0: the names
        t->v[i] = neat(q->columns[i].name, &t->names);
}

static void put_cell(struct sbuf *b, struct str s, size_t width, bool right, bool last)
{
    size_t blanks = width - str_utf8_count(s);
    for (size_t i = 0; right && i < blanks; i++)
        sbuf_putc(b, ' ');
    sbuf_put(b, s);
    for (size_t i = 0; !right && !last && i < blanks; i++)
        sbuf_putc(b, ' ');
}

static void put_line(struct database_table *t, const struct str *row, const size_t *widths)
{
    struct sbuf b;
    sbuf_init(&b, &t->cells, LINE_MAX);
    for (size_t c = 0; c < t->columns; c++) {
        sbuf_puts(&b, c > 0 ? " | " : "");
        put_cell(&b, row[c], widths[c], t->right[c] && row != t->v, c + 1 == t->columns);
    }
    attempt_log(t->a, LOG_LINE_INFO, STREAM_STDOUT, sbuf_str(&b), STR_NONE);
}

static void put_rule(struct database_table *t, const size_t *widths)
{
    struct sbuf b;
    sbuf_init(&b, &t->cells, LINE_MAX);
    for (size_t c = 0; c < t->columns; c++) {
        sbuf_puts(&b, c > 0 ? "-+-" : "");
        for (size_t i = 0; i < widths[c]; i++)
            sbuf_putc(&b, '-');
    }
    attempt_log(t->a, LOG_LINE_INFO, STREAM_STDOUT, sbuf_str(&b), STR_NONE);
}

static void block_write(struct database_table *t)
{
    size_t widths[DATABASE_COLUMNS_MAX] = {0};
    for (size_t r = 0; r <= t->rows; r++)
        for (size_t c = 0; c < t->columns; c++) {
            size_t n = str_utf8_count(t->v[r * t->columns + c]);
            widths[c] = n > widths[c] ? n : widths[c];
        }
    if (!t->titled) {
        put_line(t, t->v, widths);
        put_rule(t, widths);
    }
    t->titled = true;
    for (size_t r = 1; r <= t->rows; r++)
        put_line(t, t->v + r * t->columns, widths);
    t->rows = 0;
    arena_reset(&t->cells);
}

void database_table_row(struct database_table *t, struct query *q)
{
    if (t->rows == DATABASE_TABLE_ROWS)
        block_write(t);
    t->rows++;
    for (size_t c = 0; c < t->columns; c++) {
        struct query_value v = query_value(q, c);
        t->right[c] |= v.type == QUERY_I64 || v.type == QUERY_F64 || v.type == QUERY_DECIMAL;
        t->v[t->rows * t->columns + c] = database_cell_text(&v, &t->cells);
    }
}

void database_table_end(struct database_table *t)
{
    if (t->columns > 0)
        block_write(t);
    if (t->columns_all > t->columns)
        attempt_log(t->a, LOG_LINE_WARN, STREAM_SYSTEM,
                    arena_fmt(&t->a->arena, "%zu further columns are not shown", t->columns_all - t->columns),
                    STR_NONE);
    mem_free(t->v);
    mem_free(t->right);
    arena_release(&t->names);
    arena_release(&t->cells);
}
