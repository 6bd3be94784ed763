// SPDX-License-Identifier: Apache-2.0
// Documents of headings, paragraphs, tables and charts, as PDF, spreadsheet, CSV, HTML or JSON.
//
//     document_begin → heading | paragraph | chart | (table → row … → table_end) … → document_end → document_free
//
// Rows are written as they come: memory does not grow with their number. Texts may hold anything; what is not UTF-8 or
// a control character becomes U+FFFD. CSV has the rows of the first table only, because a CSV file is one table.
// Not thread-safe, one thread per document; several documents may be written at once.
#ifndef DOCUMENT_DOCUMENT_H
#define DOCUMENT_DOCUMENT_H

#include "base/err.h"
#include "base/time.h"

enum document_format { DOCUMENT_PDF, DOCUMENT_EXCEL, DOCUMENT_CSV, DOCUMENT_HTML, DOCUMENT_JSON };
extern const char *const document_format_names[]; // "PDF", …, NULL-terminated
const char *document_ending(int format);          // "pdf", "xlsx", …
const char *document_media_type(int format);

enum document_kind {
    DOCUMENT_NONE, // no value
    DOCUMENT_TEXT,
    DOCUMENT_INTEGER,
    DOCUMENT_NUMBER,
    DOCUMENT_DECIMAL, // digits as a text, kept as they are
    DOCUMENT_BOOLEAN,
    DOCUMENT_INSTANT,
};
enum {
    DOCUMENT_COLUMNS_MAX = 256,
    DOCUMENT_CHART_POINTS_MAX = 400,
    DOCUMENT_SERIES_MAX = 6,
    DOCUMENT_PDF_COLUMNS_MAX = 16,    // more do not fit on a page: the rest is left out, and the page says so
    DOCUMENT_PDF_ROWS_MAX = 200000,   // of one table; as well
    DOCUMENT_SHEET_ROWS_MAX = 1000000, // of a spreadsheet's sheet; a further sheet follows
};

struct document_column {
    struct str key;   // of JSON
    struct str title;
    int kind;         // enum document_kind: how it is aligned; cells have kinds of their own
    double weight;    // share of the width that is left when all heads have room; 0: by kind
};
struct document_cell {
    int kind;
    int64_t i;       // INTEGER, BOOLEAN, INSTANT in µs
    double f;        // NUMBER
    struct str text; // TEXT, DECIMAL
};
struct document_series {
    struct str name;
    const double *v; // one for each label; none below 0
};
struct document_chart {
    struct str title;
    const struct str *labels;
    size_t n;
    const struct document_series *series;
    size_t n_series;
    bool line; // else bars
};

struct document_options {
    int format;
    struct str title;
    struct instant made;
    int fd; // a regular file, empty, open for reading and writing; stays the caller's
};

struct document;

// ERR_UNAVAILABLE: the library of the format is not there. The texts of the options must outlive the document.
bool document_begin(const struct document_options *o, struct document **ret, struct err *err)
    __attribute__((warn_unused_result));
bool document_heading(struct document *d, struct str text, struct err *err) __attribute__((warn_unused_result));
bool document_paragraph(struct document *d, struct str text, struct err *err) __attribute__((warn_unused_result));
// The name is of the sheet or the section. ERR_TOO_LARGE past DOCUMENT_COLUMNS_MAX.
bool document_table(struct document *d, struct str name, const struct document_column *v, size_t n, struct err *err)
    __attribute__((warn_unused_result));
bool document_row(struct document *d, const struct document_cell *v, struct err *err)
    __attribute__((warn_unused_result)); // as many cells as columns
bool document_table_end(struct document *d, struct err *err) __attribute__((warn_unused_result));
bool document_chart(struct document *d, const struct document_chart *c, struct err *err)
    __attribute__((warn_unused_result));
// Completes the file. ERR_FULL, ERR_IO.
bool document_end(struct document *d, struct err *err) __attribute__((warn_unused_result));
void document_free(struct document *d); // NULL is fine; also in the middle

#endif
