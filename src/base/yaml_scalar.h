// SPDX-License-Identifier: Apache-2.0
// Scalars of the YAML 1.2 core schema, shared by the reader and the writer of base/yaml.h so that both
// agree on which text must be quoted. Not for anyone else.
#ifndef BASE_YAML_SCALAR_H
#define BASE_YAML_SCALAR_H

#include "base/json.h"

// The value of a plain scalar: null, boolean, number or else string. NULL with *ret_wrong set when JSON
// cannot hold it (.inf, .nan, integers beyond 64 bits). New reference.
json_t *yaml_resolve(struct str text, const char **ret_wrong);
// The text as a string value; NULL with *ret_wrong set when it holds NUL. New reference.
json_t *yaml_string(struct str text, const char **ret_wrong);

#endif
