// SPDX-License-Identifier: Apache-2.0
// Who is told what: subscriptions of one job (by those who may see the job), of a tag or of all jobs (one's own; they
// tell of the jobs that their owner may see at that moment), and the log of their messages.
//
// The configuration of a channel is sealed as a whole (secrets.key) and shown with its secret members masked.
#ifndef APP_SUBSCRIPTION_H
#define APP_SUBSCRIPTION_H

#include "app/delivery.h"

struct notifier;

// Before requests are answered.
void app_set_notifier(struct app *app, struct notifier *n);

// s: as decoded; owner, id, versions and what is shown are filled. job_id zero: of a tag or of all. Faults of the
// members go to *faults (ERR_INVALID then).
bool app_subscription_create(struct app *app, const struct caller *c, struct subscription *s, struct faults *faults,
                             struct arena *a, struct err *err) __attribute__((warn_unused_result));
// job_id zero: wherever it belongs.
bool app_subscription_get(struct app *app, const struct caller *c, enum action action, struct ulid job_id,
                          struct ulid id, struct subscription *ret, struct arena *a, struct err *err)
    __attribute__((warn_unused_result));
// new: the whole of it; without a configuration the present one stays.
bool app_subscription_change(struct app *app, const struct caller *c, struct ulid job_id,
                             const struct subscription *old, struct subscription *new, struct faults *faults,
                             struct arena *a, struct err *err) __attribute__((warn_unused_result));
bool app_subscription_delete(struct app *app, const struct caller *c, struct ulid job_id, struct ulid id,
                             struct arena *a, struct err *err) __attribute__((warn_unused_result));
// In id order; p: size and cursor.
bool app_subscriptions_list(struct app *app, const struct caller *c, struct ulid job_id, const struct page *p,
                            struct subscription **ret, size_t *ret_n, struct page_result *ret_page, struct arena *a,
                            struct err *err) __attribute__((warn_unused_result));
// Sends one message that says it is a test, at once and whatever the rules say.
bool app_subscription_test(struct app *app, const struct caller *c, struct ulid job_id, struct ulid id,
                           struct delivery *ret, struct arena *a, struct err *err) __attribute__((warn_unused_result));

// -- for app/message_preview.c --
// Adds to *f what is wrong; NULL: there is no such channel.
const struct channel *subscription_channel(struct str name, struct faults *f);
void subscription_templates_check(struct app *app, const struct notice_templates *t, struct faults *f);
// What messages are made with; without a notifier clock and zones alone.
struct notify_env app_notify_env(struct app *app);

// f->owner_id is overwritten.
bool app_deliveries_list(struct app *app, const struct caller *c, struct delivery_filter *f, const struct page *p,
                         struct delivery **ret, size_t *ret_n, struct page_result *ret_page, struct arena *a,
                         struct err *err) __attribute__((warn_unused_result));
bool app_delivery_get(struct app *app, const struct caller *c, enum action action, struct ulid id,
                      struct delivery *ret, struct arena *a, struct err *err) __attribute__((warn_unused_result));
// Sends it once more, under the same id, with the whole schedule of tries before it. ERR_CONFLICT while it is tried.
bool app_delivery_replay(struct app *app, const struct caller *c, struct ulid id, struct delivery *ret,
                         struct arena *a, struct err *err) __attribute__((warn_unused_result));

#endif
