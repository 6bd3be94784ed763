// SPDX-License-Identifier: Apache-2.0
// JSON documents: jansson behind our own limits. A document is a jansson json_t; writing is done
// straight into an sbuf (base/field.h), not through a document.
// Refused: depth over JSON_DEPTH_MAX, duplicate keys, bad UTF-8, NUL in strings, anything after the value.
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <jansson.h>

#include "base/err.h"
#include "base/sbuf.h"

enum { JSON_DEPTH_MAX = 64 };

// Parses one document. The error says line, column and what was expected. Owner of *ret: the caller
// (json_decref).
bool json_parse(struct str text, json_t **ret, struct err *err) __attribute__((warn_unused_result));
// Compact text of a value, keys in their order.
void json_write(const json_t *v, struct sbuf *out);
// RFC 7396: changes *target by the patch; takes no reference of patch.
void json_merge_patch(json_t **target, const json_t *patch);
// Borrowed view of a string value; {NULL,0} when it is not a string.
struct str json_str(const json_t *v);

static inline void cleanup_json(json_t **v) { json_decref(*v); }
#define CLEANUP_JSON __attribute__((cleanup(cleanup_json)))

#endif
