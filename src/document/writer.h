// SPDX-License-Identifier: Apache-2.0
// What a format is to document.c, and what formats share. Internal to document/.
#ifndef DOCUMENT_WRITER_H
#define DOCUMENT_WRITER_H

#include "base/sbuf.h"
#include "document/document.h"

// A file written through a buffer. The first error stays.
struct output {
    int fd;
    int error; // errno, or 0
    size_t n;
    char buffer[64 * 1024];
};
void output_put(struct output *o, struct str s);
bool output_flush(struct output *o, struct err *err);

struct writer_ops {
    bool (*begin)(struct document *d, struct err *err);
    bool (*heading)(struct document *d, struct str text, struct err *err);
    bool (*paragraph)(struct document *d, struct str text, struct err *err);
    bool (*table)(struct document *d, struct str name, struct err *err);
    bool (*row)(struct document *d, const struct document_cell *v, struct err *err);
    bool (*table_end)(struct document *d, struct err *err);
    bool (*chart)(struct document *d, const struct document_chart *c, struct err *err);
    bool (*end)(struct document *d, struct err *err);
    void (*free)(struct document *d); // what the format owns
};
extern const struct writer_ops pdf_writer, excel_writer, csv_writer, html_writer, json_writer;

struct document {
    const struct writer_ops *ops;
    struct document_options o;
    struct document_column *columns; // of the present table, in `table`
    size_t n_columns;
    int64_t rows, tables; // rows of the present table; tables begun
    bool in_table;
    struct arena table, scratch; // of the present table; of one call
    struct output out;
    void *own; // the format's
};

// ---- for formats ----

// A cell as people read it; instants in UTC to the second.
void cell_text(const struct document_cell *c, struct sbuf *out);
static inline bool kind_is_number(int kind) { return kind >= DOCUMENT_INTEGER && kind <= DOCUMENT_DECIMAL; }
// Text of the scratch arena.
struct sbuf scratch_text(struct document *d);
// Hands a scratch text to the output.
bool scratch_write(struct document *d, const struct sbuf *b, struct err *err);
void put_markup(struct sbuf *out, struct str s); // escaped for HTML and SVG

// ---- charts: drawn once, on what each format offers ----

enum chart_anchor { CHART_LEFT, CHART_MIDDLE, CHART_RIGHT };
struct chart_canvas {
    void *ctx;
    void (*rect)(void *ctx, const double box[static 4], unsigned rgb); // x, y, width, height
    void (*line)(void *ctx, const double ends[static 4], unsigned rgb);
    void (*text)(void *ctx, double x, double y, enum chart_anchor anchor, struct str s);
};
enum { CHART_WIDTH = 720, CHART_HEIGHT = 260 };
void chart_draw(const struct document_chart *c, const struct chart_canvas *on);

#endif
