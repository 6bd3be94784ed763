// SPDX-License-Identifier: Apache-2.0
// What people want to be told of the batch under construction. Where nobody wants anything this is one comparison for
// each row; else notices go into the same transaction as the rows they tell of.
//
// A success is written only where the last outcome seen here was no success, because it can be a recovery; whether it
// is one, the layer that tells people knows. What was not seen here counts as unknown and is written once.
#ifndef ENGINE_NOTICE_H
#define ENGINE_NOTICE_H

#include "base/map.h"
#include "store/store.h"

struct engine;
struct closing;
struct entry;

enum outcome { OUTCOME_UNKNOWN, OUTCOME_GOOD, OUTCOME_BAD }; // of the last occurrence that ended

struct interests {
    uint32_t all;      // of every job
    struct map by_job; // events as uintptr_t
};
// Given by another thread, not yet taken: owned by the inbox.
struct interest_order {
    bool given;
    uint32_t all;
    struct interest *v;
    size_t n;
};

void interests_release(struct interests *in);
void interest_order_release(struct interest_order *o);
void interests_apply(struct engine *e); // at the start of a tick

void notice_of_fire(struct engine *e, const struct fire *f);
void notice_of_claim(struct engine *e, const struct claim *c);
void notice_of_finish(struct engine *e, const struct finish *f, struct entry *p, const struct closing *c);

#endif
