// SPDX-License-Identifier: Apache-2.0
// One request from a topic: {"action":"create","job":{…}} or {"action":"run","jobId"|"jobName":…,"parameters":{…}}.
//
// Identity: what a request makes has an id that follows from topic, key and the day of the message, so reading the
// message again finds it there, on whatever node and however often. Another message with the same key counts as a
// repetition when its time is within REQUEST_MEMORY_DAYS behind the first one's.
#ifndef STREAM_REQUEST_H
#define STREAM_REQUEST_H

#include "app/app.h"
#include "net/kafka.h"

enum {
    REQUEST_MEMORY_DAYS = 7,
    REQUEST_KEY_MAX = 256, // bytes
    REQUEST_REASON_MAX = 1000,
    REQUEST_ARENA = 64 << 20,
};

enum request_result {
    REQUEST_DONE,     // committed
    REQUEST_REPEATED, // it had been done before
    REQUEST_REFUSED,  // it can never be done as it is: *ret_reason says why
    REQUEST_LATER,    // store or settings do not allow it now: *ret_reason says why
};

// The user on whose behalf requests act. ERR_CONFIG when he does not exist or is disabled.
bool request_caller(struct app *app, struct str email, struct caller *ret, struct arena *a, struct err *err)
    __attribute__((warn_unused_result));
// Does what the message asks for. The reason lives in the arena.
enum request_result request_act(struct app *app, const struct caller *c, const struct kafka_message *m,
                                struct str *ret_reason, struct arena *a);

#endif
