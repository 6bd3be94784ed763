// SPDX-License-Identifier: Apache-2.0
// The OpenAPI document as a promise: whether an answer is what it says, and bodies made from it.
#ifndef TESTS_API_CONTRACT_H
#define TESTS_API_CONTRACT_H

#include "world.h"

// The document of this server, read once.
const json_t *contract_document(void);
// Follows $ref.
const json_t *contract_schema(const json_t *schema);
// Whether the value is as the schema says; if not, *why (if not NULL) says where.
bool contract_fits(const json_t *schema, const json_t *value, char *why, size_t why_max);
// Whether the answer is one that its route documents: status, content type, every member. Prints what is wrong.
bool contract_holds(const struct exchange *x);
// The operation of a route, by its path as requested. NULL: none.
const json_t *contract_operation(struct str method, struct str path);

#endif
