// SPDX-License-Identifier: Apache-2.0
// Requests that are carried out once, however often they are sent (Idempotency-Key).
//
// What is promised: of all requests of one user with one key, on whatever nodes and whichever of them die,
// one has an effect, because the effect and the note that there was one share a transaction. The first answer
// is given again for ONCE_KEEP_S; only when the server died between effect and answer, or the answer may not
// be kept, can a repetition tell no more than that it was done.
#ifndef APP_ONCE_H
#define APP_ONCE_H

#include "app/app.h"

enum {
    ONCE_KEY_MAX = 255, // characters
    ONCE_LEASE_S = 10,  // a claim without an effect is free again after it
    ONCE_KEEP_S = 24 * 3600,
    ONCE_ANSWER_MAX = 1024 * 1024, // bytes of an answer that is kept
};

// What a request is told apart by.
struct once_request {
    struct str key;
    struct str method, path, query, body;
};
enum once_verdict {
    ONCE_GO,     // carry it out, then app_once_end
    ONCE_REPEAT, // *ret_answer is the first answer
    ONCE_LOST,   // it was carried out, but the answer is not known
};
struct once {
    struct once_claim claim;
    struct once_mark mark;
};
// Claims the request for the caller. From ONCE_GO on the writes of this thread belong to it, until
// app_once_end. ERR_INVALID (field "Idempotency-Key"): no key. ERR_UNPROCESSABLE: the key is another
// request's. ERR_CONFLICT with *ret_wait: the same request is being carried out. With ONCE_LOST claim.claim
// is the identifier that what was made has.
bool app_once_begin(struct app *app, const struct caller *c, const struct once_request *r, struct once *ret,
                    enum once_verdict *ret_verdict, struct once_answer *ret_answer, struct duration *ret_wait,
                    struct arena *a, struct err *err) __attribute__((warn_unused_result));
// answer: to be kept; NULL: there is none, and the key is free again unless something was done. refused:
// nothing was done that counts, so that the key is free again in any case.
void app_once_end(struct app *app, struct once *o, const struct once_answer *answer, bool refused);
// The identifier for the first thing that the request of this thread makes, so that it can be found again;
// zero: any.
struct ulid app_once_id(void);

#endif
