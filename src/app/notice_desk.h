// SPDX-License-Identifier: Apache-2.0
// From notices to messages: one round takes the oldest notices and everything that has become due, asks the rules, and
// gives the store the outcome in one transaction. No state of its own but the subscriptions, which it loads.
#ifndef APP_NOTICE_DESK_H
#define APP_NOTICE_DESK_H

#include "app/notice_rules.h"
#include "app/app.h"

enum { DESK_NOTICES_MAX = 200, DESK_MARKS_MAX = 200 };

struct desk;

struct desk *desk_new(struct app *app); // app must outlive it
void desk_free(struct desk *d);
// Reads all subscriptions again and tells the engine what is wanted. False: those of before stay.
bool desk_load(struct desk *d, struct err *err) __attribute__((warn_unused_result));
size_t desk_size(const struct desk *d); // subscriptions
// Events that anybody wants.
uint32_t desk_wanted(const struct desk *d);
// Whether anybody wants the event of this job, as far as that is known without the job's tags.
bool desk_wants(const struct desk *d, struct ulid job_id, int event);
// One round. *ret_more: there may be more at once.
bool desk_round(struct desk *d, bool *ret_more, struct err *err) __attribute__((warn_unused_result));

#endif
