// SPDX-License-Identifier: Apache-2.0
// Sign-in throttle: counts failed tries per account and, more loosely, per address over a sliding window.
// Memory is a fixed table. Not a lock-out of people: nothing but the tried account and the trying address
// is slowed down.
//
// Invariants: in any THROTTLE_WINDOW_S an account sees at most THROTTLE_ACCOUNT_MAX failed tries. A place
// in the table that is taken from another key keeps its count (Space-Saving, Metwally et al. 2005), so
// filling the table with made-up names never lowers a victim's count. Time is an argument. Lock:
// LOCK_APP_THROTTLE, inside.
#ifndef AUTH_THROTTLE_H
#define AUTH_THROTTLE_H

#include "base/str.h"
#include "base/time.h"

enum {
    THROTTLE_WINDOW_S = 15 * 60,
    THROTTLE_ACCOUNT_MAX = 10,
    THROTTLE_ADDRESS_MAX = 100,
};

struct throttle;

struct throttle *throttle_new(void); // 2 MiB, resident only as far as used
void throttle_free(struct throttle *t);

// Takes one try before the password is looked at, so that tries at the same time are counted too. Zero: go
// ahead. Else a bound is reached, nothing was counted, and the caller is to come back after that time
// (whole seconds, ≥ 1 s). The account is compared bytewise: pass it in lower case, whether it exists or
// not.
struct duration throttle_take(struct throttle *t, struct str account, struct str address, struct instant now)
    __attribute__((warn_unused_result));
// The try ended well (or was not judged): gives it back. A failed try needs no call.
void throttle_give_back(struct throttle *t, struct str account, struct str address, struct instant now);

enum { THROTTLE_SITE_MAX = 64 };
// What counts as one address: an IPv6 customer owns a whole /64. Returns the address itself or a text in buf.
struct str throttle_site(struct str address, char buf[static THROTTLE_SITE_MAX]);

#endif
