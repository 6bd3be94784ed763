// SPDX-License-Identifier: Apache-2.0
// Somebody who asks, as every use case is told of him.
#ifndef APP_CALLER_H
#define APP_CALLER_H

#include "base/str.h"
#include "base/ulid.h"

// How a request proved who asks.
enum sign_in_way { WAY_NONE, WAY_TOKEN, WAY_COOKIE, WAY_API_KEY };
struct caller {
    bool signed_in;
    enum sign_in_way way;
    struct ulid user_id;
    struct str email;
    unsigned roles;          // 1 << enum role, as the store says now, not as the token said
    int64_t session_epoch;   // the user's, as it was then
    struct ulid key_id;      // of the API key that was used; zero: none
    uint64_t denied;         // 1 << enum action that the API key's scopes leave out
    const struct ulid *teams; // what belongs to these is the caller's own, too
    size_t n_teams;
    struct str remote;       // address
    struct str request_id;   // for the audit trail
    struct str trace_parent, trace_state; // W3C headers of the request, checked; absent: none
};
// Whether what belongs to this owner is the caller's own.
bool caller_owns(const struct caller *c, struct ulid owner);

#endif
