// SPDX-License-Identifier: Apache-2.0
// What the end of a run means: nothing more, another attempt, or a dead letter (semantics.md §4).
#ifndef ENGINE_CLOSING_H
#define ENGINE_CLOSING_H

#include "engine/core.h"

enum closing_then { CLOSE_DONE, CLOSE_RETRY, CLOSE_DEAD };

struct closing {
    enum closing_then then;
    struct instant retry_due; // RETRY
    // DEAD:
    struct str reason;
    struct str definition; // absent when it could not be read
    int64_t version;
    struct str job_name; // when DEAD or with a chain
    // Nothing more or DEAD: onSuccess or onFailure of the job; absent: none.
    struct str chain;
};

// Corrects the result first (handed back, job deleted, definition not readable), then decides. Strings live in the
// attempt's or the batch's arena. Fails when the policy has to be read from the store and that fails: ask again later.
bool closing_decide(struct engine *e, struct task *t, struct closing *ret, struct err *err)
    __attribute__((warn_unused_result));

#endif
