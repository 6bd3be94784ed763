// SPDX-License-Identifier: Apache-2.0
// Field table and identity of circuit breakers.
#include "model/breaker.h"

const char *const breaker_state_names[] = {"CLOSED", "OPEN", "HALF_OPEN", NULL};

#define T struct breaker_row
static const struct field rows[] = {
    FIELD_ID(T, id, "id", .flags = FIELD_READ_ONLY, .doc = "Identifier, made from the target."),
    FIELD_STR(T, target, "target", .flags = FIELD_READ_ONLY, .doc = "What jobs call: scheme, host and port."),
    FIELD_ENUM(T, state, "state", breaker_state_names, .flags = FIELD_READ_ONLY,
               .doc =
                   "CLOSED lets calls through, OPEN refuses them, HALF_OPEN waits for the one that probes."),
    FIELD_INSTANT(T, since, "since", .flags = FIELD_READ_ONLY, .doc = "When it came into this state."),
    FIELD_I64(T, failures, "failures", .flags = FIELD_READ_ONLY, .max = INT64_MAX,
              .doc = "Failed connections in a row, as this node or the one that opened it counted them."),
    FIELD_I64(T, opens, "opens", .flags = FIELD_READ_ONLY, .max = INT64_MAX,
              .doc = "How often in a row it opened; each time it waits twice as long."),
    FIELD_INSTANT(T, until, "nextProbe", .flags = FIELD_READ_ONLY | FIELD_NULLABLE,
                  .doc = "When one call may go through to see whether the target is back; null when closed."),
    FIELD_STR(T, node, "node", .flags = FIELD_READ_ONLY | FIELD_NULLABLE, .doc = "Node that saw the change."),
};
#undef T
const struct fields breaker_fields =
    FIELDS("Breaker", struct breaker_row, rows, .doc = "Whether calls to one target are let through.");

// Nodes must agree, so the key is a constant, not a secret.
static const uint8_t id_salt[16] = "chronos breaker";

struct ulid breaker_id(struct str target)
{
    return ulid_derive((struct instant){0}, id_salt, target.p, target.n);
}
