// SPDX-License-Identifier: Apache-2.0
// Who did what, when, from where, and what it changed: one record for each write, sign-in, refusal, use of a secret and
// action of an operator. Records are only ever added. Each is sealed into a chain: its MAC covers the record and the
// MAC before it, so that a changed, removed or inserted record shows.
#ifndef MODEL_AUDIT_H
#define MODEL_AUDIT_H

#include "base/field.h"

enum audit_outcome { AUDIT_DONE, AUDIT_REFUSED, AUDIT_FAILED };
extern const char *const audit_outcome_names[];

enum {
    AUDIT_DETAIL_MAX = 1024,
    AUDIT_CHANGES_MAX = 64 * 1024, // bytes of the before and after; longer values are cut, and say so
    AUDIT_MAC_BYTES = 32,
};

struct audit_record {
    struct ulid id;
    int64_t seq;          // place in the chain, from 1 without gaps; 0: not sealed yet
    struct instant at;    // by the clock of the node
    struct ulid actor_id; // user; zero: nobody who is known, or the system itself
    struct str actor;     // e-mail address, or "system"
    struct str way;       // "TOKEN", "COOKIE", "API_KEY", "CLI", "KAFKA", absent: none
    struct str address;   // of who asked; absent: none
    struct str request_id;
    struct str node;
    struct str action;      // "job.update", "session.login", …: a word of docs/reference/audit.md
    struct str entity_type; // "job", "run", "user", …
    struct str entity_id;   // ULID, or the name of what has none
    struct str entity_name; // as it was then; may be absent
    int outcome;            // enum audit_outcome
    struct str detail;      // one sentence: why it was refused; may be absent
    struct str changes;     // JSON {"field":{"before":…,"after":…}}, secrets shown as "***"; may be absent
};
extern const struct fields audit_record_fields;

#endif
