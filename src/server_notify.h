// SPDX-License-Identifier: Apache-2.0
// The notifier out of the settings: mail server, address for links, who we are to those who are told.
#ifndef SERVER_NOTIFY_H
#define SERVER_NOTIFY_H

#include "app/notifier.h"
#include "config.h"
#include "engine/cluster.h"

// After the app has its engine and before that ticks. Everything given must outlive the notifier. cluster: NULL when
// nobody else uses the store.
bool server_notifier_open(const struct config *c, struct app *app, const struct egress *egress, struct cluster *cluster,
                          struct notifier **ret, struct arena *a, struct err *err) __attribute__((warn_unused_result));
// For the cluster: another node changed a subscription. arg: the app.
void server_subscription_changed(void *app);

#endif
