// SPDX-License-Identifier: Apache-2.0
// SQL texts on their way to MySQL: our placeholders become the server's, a script becomes statements. Pure.
#ifndef DB_MYSQL_TEXT_H
#define DB_MYSQL_TEXT_H

#include "base/err.h"
#include "base/sbuf.h"

enum { MYSQL_PARAMETERS_MAX = 64, MYSQL_PLACES_MAX = 256 };

// What becomes of a statement that names its parameters ?1 … ?N, in any order and more than once.
struct mysql_text {
    struct sbuf sql;                 // every place a bare ?; on the heap, the caller releases it
    uint8_t place[MYSQL_PLACES_MAX]; // which parameter (from 1) stands there
    size_t places;
    // It ended with ON CONFLICT DO NOTHING, which is cut off: a duplicate key is no failure then, and changes
    // nothing.
    bool or_nothing;
};
// ERR_INTERNAL when it has too many parameters. *ret must be released by mysql_text_release also then.
bool mysql_text_of(struct str sql, struct mysql_text *ret, struct err *err)
    __attribute__((warn_unused_result));
void mysql_text_release(struct mysql_text *t);

// Cuts the next statement off a script: without its ';', comments in front of it or blanks. False at the end.
bool mysql_script_next(struct str *rest, struct str *ret);

#endif
