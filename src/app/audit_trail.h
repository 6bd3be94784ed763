// SPDX-License-Identifier: Apache-2.0
// Behind app/audit.h: the key of the trail, and the events that wait for the thread that writes them, because nobody
// waits for them: uses of secrets by runs, and refusals, which are counted by address and second, so that a flood of
// them is a few records. All of it bounded; what did not fit is counted and said.
#ifndef APP_AUDIT_TRAIL_H
#define APP_AUDIT_TRAIL_H

#include "app/audit.h"
#include "auth/audit_chain.h"

struct audit_trail;
// clock and store must outlive it.
struct audit_trail *audit_trail_new(const struct token_key *key, struct store *store, const struct clock *clock);
// Writes what waits; a failure is logged.
void audit_trail_free(struct audit_trail *t); // NULL is allowed
const struct audit_key *audit_trail_key(const struct audit_trail *t);

// To be written soon; copied. False: there is no room, and it is counted.
bool audit_trail_later(struct audit_trail *t, const struct audit_record *r);
// A refusal. The first of its address in a second is kept whole and said with the number of the others.
void audit_trail_refusal(struct audit_trail *t, const struct audit_record *r);
// Writes what waits, at most a batch at a time. Called by one thread at a time; all: refusals of this second, too.
bool audit_trail_flush(struct audit_trail *t, bool all, struct err *err);

#endif
