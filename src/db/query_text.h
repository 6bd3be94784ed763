// SPDX-License-Identifier: Apache-2.0
// The text of a user's SQL: cut into statements, its parameters found and turned into the engine's placeholders.
//
//     "UPDATE t SET a = :a WHERE b = ?; …"  ──►  statement "UPDATE t SET a = $1 WHERE b = $2", places {"a"}, {0}
//
// Quotes, comments, dollar quotes, casts (::) and assignments (:=) of each engine are left alone. "??" is a plain
// question mark, for operators of PostgreSQL. Nothing else of the language is understood.
#ifndef DB_QUERY_TEXT_H
#define DB_QUERY_TEXT_H

#include "base/err.h"

enum query_kind { QUERY_SQLITE, QUERY_POSTGRES, QUERY_MYSQL };
enum { QUERY_STATEMENTS_MAX = 100, QUERY_PLACES_MAX = 1000, QUERY_TEXT_MAX = 1024 * 1024 };

struct query_place {
    struct str name; // of the parameter; absent: by position
    size_t position; // from 0, counted over all statements of the text
};
struct query_statement {
    struct str sql;  // with the engine's placeholders, one for each place, in order; without the semicolon
    struct str verb; // its first word, as it is written
    struct query_place *places;
    size_t n;
};
struct query_text {
    struct query_statement *v;
    size_t n;
    size_t positions; // parameters by position in the whole text
    bool named;       // there are parameters with names
};

// ERR_INVALID: no statement, a quote or comment that does not end, both kinds of parameters, too much of something.
bool query_text_read(struct str text, enum query_kind kind, struct query_text *ret, struct arena *a,
                     struct err *err) __attribute__((warn_unused_result));
// The rows of a query (one statement that reads) in the order of one of its columns; with `after` (">" or ">=") only
// those after the value of a parameter, which is :offset, or the last ? when the query has parameters by position.
// Rows without a value in that column are left out.
struct str query_text_in_order(struct str query, enum query_kind kind, struct str column, const char *after,
                               bool by_position, struct arena *a);
// Begins, ends or changes a transaction, which is not for a statement to do.
bool query_statement_controls(const struct query_statement *s);
// By its first word it only reads. What it really does the database knows.
bool query_statement_reads(const struct query_statement *s);

#endif
