// SPDX-License-Identifier: Apache-2.0
// Requests that are carried out once (Idempotency-Key): a part of the store (store/store.h), with its rules;
// tests/store/once_cases.c holds every implementation to it.
//
// A request is claimed first. Its first write marks the claim as carried out in its own transaction, and
// fails when the claim is not its own any more: so of several who claimed one after the other, one has an
// effect. The answer is put last. A claim whose owner died before the first write is free again after its
// lease.
#ifndef STORE_ONCE_H
#define STORE_ONCE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/time.h"
#include "base/ulid.h"

struct store;

enum { ONCE_HASH_BYTES = 32 };
enum once_state { ONCE_CLAIMED, ONCE_CARRIED_OUT, ONCE_ANSWERED };

struct once_claim {
    uint8_t key[ONCE_HASH_BYTES];   // of the caller and his word
    uint8_t print[ONCE_HASH_BYTES]; // of the request
    struct ulid claim;              // who claims
    struct duration lease, keep;    // by the store's clock
};
// What is kept of an answer.
struct once_answer {
    int64_t status;
    struct str headers, body; // may be absent
};
struct once_found {
    bool mine;   // claimed; the rest says nothing then
    bool same;   // it is the same request
    bool leased; // somebody is at it
    int state;   // enum once_state
    struct ulid claim;
    struct once_answer answer; // of ONCE_ANSWERED
};

struct once_ops {
    // Claims what nobody has, what is older than `keep`, and what is the same request but was not carried out
    // within its lease. Else tells what there is.
    bool (*claim)(struct store *s, const struct once_claim *c, struct once_found *ret, struct arena *a,
                  struct err *err);
    // Keeps the answer of one's own claim; NULL: gives it up, if it is not carried out or `always`.
    bool (*end)(struct store *s, const struct once_claim *c, const struct once_answer *answer, bool always,
                struct err *err);
    // Removes at most max that are older than `keep`.
    bool (*trim)(struct store *s, struct duration keep, size_t max, struct err *err);
};

// What this thread is carrying out; its writes mark it. NULL: nothing. It must live until another is set.
struct once_mark {
    const struct once_claim *claim;
    bool marked;
};
void once_mark_set(struct once_mark *m);
// The mark that the next write is to carry; NULL: none.
struct once_mark *once_mark_wanted(void);
bool once_taken_over(struct err *err); // ERR_CONFLICT: the claim is another's by now

#endif
