// SPDX-License-Identifier: Apache-2.0
// Tells people. On every node it keeps the engine's interest; on the one that has the duty, or the only one, it also
// turns notices into messages (notice_desk), looks for what does not happen (notice_watch) and hands messages over.
//
// A message leaves the store's list of what is due only when its target has taken it, or will never: at least once,
// whatever ends meanwhile. One message at a time goes to the target of a subscription, so that a target that is stuck
// holds up its own only; targets that were slow share half of the threads.
#ifndef APP_NOTIFIER_H
#define APP_NOTIFIER_H

#include "app/delivery.h"

enum {
    NOTIFIER_THREADS = 8,
    NOTIFIER_SLOW_MAX = NOTIFIER_THREADS / 2,
    NOTIFIER_SLOW_MS = 3000,   // a try that took longer makes its target a slow one
    NOTIFIER_POLL_MS = 500,    // with subscriptions; without there is nothing to look for
    NOTIFIER_RELOAD_S = 30,
    NOTIFIER_LOOK_S = 15,
    NOTIFIER_DUTY_S = 30,
    DELIVERY_KEEP_DAYS = 30,
};

struct notifier;
struct notifier_config {
    struct app *app;
    struct notify_env env;
    int64_t (*node_token)(void *ctx); // NULL: nobody else uses the store
    void *token_ctx;
};

// App, engine and everything in env must outlive it. Loads the subscriptions, so that the engine knows what is wanted
// before its first tick. False only when the store cannot be read.
bool notifier_new(const struct notifier_config *c, struct notifier **ret, struct err *err)
    __attribute__((warn_unused_result));
void notifier_start(struct notifier *n);
void notifier_stop(struct notifier *n); // ends the threads after the tries under way; NULL is fine
void notifier_free(struct notifier *n); // NULL is fine; stops first
// From any thread: subscriptions are other ones now, or a message is to be sent.
void notifier_wake(struct notifier *n, bool subscriptions);
// Reads the subscriptions now: when it returns the engine knows what is wanted from the next tick on. For the thread
// that changed them.
void notifier_reload(struct notifier *n);
size_t notifier_subscriptions(struct notifier *n); // how many there were lately
const struct notify_env *notifier_env(const struct notifier *n);

// The thread's work, one part at a time; tests call it instead of starting one.
// Decides; *ret_more: at once again.
bool notifier_decide(struct notifier *n, bool *ret_more, struct err *err) __attribute__((warn_unused_result));
// Sends what is due now, one message of each subscription, on this thread. Returns how many.
size_t notifier_send(struct notifier *n);

#endif
