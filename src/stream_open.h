// SPDX-License-Identifier: Apache-2.0
// Events and requests over Kafka, as the settings want them.
#ifndef STREAM_OPEN_H
#define STREAM_OPEN_H

#include "config.h"
#include "engine/cluster.h"
#include "stream/stream.h"

// Before anything is written: turns the store's events on when somebody is to hear of them.
void stream_events_enable(const struct config *c, struct store *store);
// After the engine has started. *ret stays NULL when the settings name no brokers. cluster may be NULL.
bool stream_open_from(const struct config *c, struct app *app, struct cluster *cluster, struct stream **ret,
                      struct arena *a, struct err *err) __attribute__((warn_unused_result));

#endif
