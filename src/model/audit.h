// SPDX-License-Identifier: Apache-2.0
// Who did what, when, from where, and what it changed: one record for each write, sign-in, refusal, use of a secret and
// action of an operator. Records are only ever added. Each is sealed into a chain: its MAC covers the record and the
// MAC before it, so that a changed, removed or inserted record shows.
#ifndef MODEL_AUDIT_H
#define MODEL_AUDIT_H

#include "base/field.h"

enum audit_outcome { AUDIT_DONE, AUDIT_REFUSED, AUDIT_FAILED };
extern const char *const audit_outcome_names[];

// Bytes. Every store has columns of these sizes; longer texts are cut before they get there.
enum {
    AUDIT_WORD_MAX = 64, // address, request id, node, action
    AUDIT_WAY_MAX = 16,
    AUDIT_TYPE_MAX = 32,
    AUDIT_ID_MAX = 256,
    AUDIT_ACTOR_MAX = 320,
    AUDIT_NAME_MAX = 1024,
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
    uint8_t mac[AUDIT_MAC_BYTES];   // of all members above but seq, from the first moment
    uint8_t chain[AUDIT_MAC_BYTES]; // of seq, mac and the chain before; with seq
};
extern const struct fields audit_record_fields;

enum { AUDIT_TEXTS = 11 };
// Places of all texts of a record, always in the same order.
void audit_record_texts(struct audit_record *r, struct str *ret[static AUDIT_TEXTS]);
// One block with its own texts, to be freed with mem_free.
struct audit_record *audit_record_copy(const struct audit_record *r) __attribute__((warn_unused_result));

// A place in the chain, signed by itself.
enum audit_mark_kind {
    AUDIT_HEAD,       // the last sealed record; there is one
    AUDIT_ANCHOR,     // the last record that retention removed; at most one
    AUDIT_CHECKPOINT, // some record in between, kept outside of the store, too
};
struct audit_mark {
    int kind; // enum audit_mark_kind
    int64_t seq;
    struct instant at;
    uint8_t chain[AUDIT_MAC_BYTES], mac[AUDIT_MAC_BYTES];
};

#endif
