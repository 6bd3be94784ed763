// SPDX-License-Identifier: Apache-2.0
// YAML documents as JSON values (libyaml): mappings, sequences and scalars of the YAML 1.2 core schema.
// Aliases, anchors, tags and duplicate keys are refused; depth and size are bounded as for JSON.
#ifndef BASE_YAML_H
#define BASE_YAML_H

#include "base/json.h"

// One document. The error names line and column.
bool yaml_parse(struct str text, json_t **ret, struct err *err) __attribute__((warn_unused_result));
// Every document of a stream, as a JSON array.
bool yaml_parse_all(struct str text, json_t **ret, struct err *err) __attribute__((warn_unused_result));
// Block-style YAML text of a value.
void yaml_write(const json_t *v, struct sbuf *out);

#endif
