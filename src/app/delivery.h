// SPDX-License-Identifier: Apache-2.0
// One message: its words out of what was decided, one try to hand it over, and what came of it.
#ifndef APP_DELIVERY_H
#define APP_DELIVERY_H

#include "app/app.h"
#include "app/notice_rules.h"
#include "notify/channel.h"

// Constant while messages are sent.
struct notify_env {
    struct channel_env channel;
    struct str source;     // "/chronos/<installation>"
    struct str public_url; // where people reach the console, no slash at the end; absent: links are left out
};

enum { DELIVERY_ARENA = 8 * 1024 * 1024 };

// Scope and name of a sealed configuration.
bool subscription_config_open(struct app *app, const struct subscription *s, struct str *ret, struct arena *a,
                              struct err *err) __attribute__((warn_unused_result));
// The configuration of a channel out of its JSON text, in the arena. ERR_INVALID with *faults.
bool channel_config_read(const struct channel *c, struct str text, bool stored, struct str base, void **ret,
                         struct faults *faults, struct arena *a) __attribute__((warn_unused_result));

// What would be told of a run, in the arena; NULL when that is full or the store does not answer.
struct notification *notification_of_run(struct app *app, const struct notify_env *env, const struct run *r, int event,
                                         struct arena *a, struct err *err);

// Tries once, may wait for CHANNEL_TIMEOUT_S, and writes what came of it. The subscription is turned off when its
// target is gone. *ret_waited: how long the target took. False: the store could not be asked or told; the message is
// tried again, with the same id.
bool delivery_try(struct app *app, const struct notify_env *env, const struct delivery *d, double jitter,
                  struct duration *ret_waited, struct arena *a, struct err *err) __attribute__((warn_unused_result));

#endif
