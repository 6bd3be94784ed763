// SPDX-License-Identifier: Apache-2.0
// Circuit breakers as nodes tell each other about them (store: table breakers) and as people see them. How
// one decides is jobs/breaker.h.
#ifndef MODEL_BREAKER_H
#define MODEL_BREAKER_H

#include "base/field.h"

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN };
extern const char *const breaker_state_names[];

enum {
    BREAKER_TARGET_MAX = 320, // bytes; longer targets have no breaker
    BREAKER_FORGET_S = 3600,  // one whose probe nobody wanted for so long is forgotten
};

struct breaker_row {
    struct ulid id;       // breaker_id of the target
    struct str target;    // "https://host:443", "postgresql://host:5432"; never a user or a password
    int state;            // enum breaker_state
    int64_t version;      // counts up with every change; 0 = never shared
    int64_t failures;     // connection-level failures in a row
    int64_t opens;        // times in a row that it opened: decides how long it stays so
    struct instant since; // by the store's clock, as is the next
    struct instant until; // OPEN: a probe may go then; HALF_OPEN: the probe is given up then; CLOSED: = since
    struct str node;      // that made the change
};
extern const struct fields breaker_fields;

// The same on every node, for ever.
struct ulid breaker_id(struct str target);

#endif
