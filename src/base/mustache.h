// SPDX-License-Identifier: Apache-2.0
// Texts with places, a subset of Mustache: values of a JSON object, sections, inverted sections, filters. No code.
//
//     Dear {{customer.name|default:customer}}, {{count}} files are ready.
//     {{#run.error}}Failed: {{.|trunc:80}}{{/run.error}}{{^run.error}}All is well.{{/run.error}}
//
// A path is names and list positions with dots between; "." is what the section is about. A section is written once
// for each element of a list, once for another value, not at all for what is missing, null, false, "", [] or {}.
// Its names are looked for from the inside out. A section's tag that has its line for itself takes the line away.
// Filters, several in a row: upper lower json url raw default:TEXT cut:BYTES trunc:CHARACTERS lines:N (the last ones)
// oneline dur (milliseconds), and those of the caller. Every value is escaped; what was put in is not looked at again.
// "\{{" stands for a plain "{{", {{!…}} for nothing. Partials, lambdas and other delimiters are refused.
//
// Bounded: depth, steps, the length of a value, and the output by its buffer.
#ifndef BASE_MUSTACHE_H
#define BASE_MUSTACHE_H

#include "base/escape.h"
#include "base/json.h"

enum {
    MUSTACHE_DEPTH_MAX = 8,
    MUSTACHE_STEPS_MAX = 100000, // tags walked over, each time anew
    MUSTACHE_FILTERS_MAX = 8,    // of one place
    MUSTACHE_TAG_MAX = 512,
    MUSTACHE_VALUE_MAX = 256 * 1024,
};

// A filter of the caller's: writes what becomes of the value. ERR_INVALID: the argument or the value does not fit.
struct mustache_filter {
    const char *name, *shown; // "tz", "tz:ZONE"
    bool (*run)(void *ctx, struct str argument, struct str value, struct sbuf *out, struct err *err);
};

struct mustache {
    const json_t *values; // object
    enum escape escape;
    bool strict; // a value that is missing and has no default is an error; else it is empty
    // At save: `values` has everything that can be there. A path that it does not know is an error, and both branches
    // of every section are walked.
    bool check;
    bool raw;    // the filter `raw` and {{{path}}} may leave a value as it is
    const struct mustache_filter *more; // ended by one without a name; NULL: none
    void *ctx;
};

// ERR_INVALID begins with "line L, column C: "; ERR_TOO_LARGE: a bound was passed.
bool mustache_expand(const struct mustache *m, struct str text, struct sbuf *out, struct err *err)
    __attribute__((warn_unused_result));

#endif
