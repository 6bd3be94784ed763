// SPDX-License-Identifier: Apache-2.0
// Whether this server can do its work.
#ifndef APP_HEALTH_H
#define APP_HEALTH_H

#include "app/app.h"

struct health {
    bool store_ok;   // reads and writes work now
    bool engine_ok;  // ticks when it wants to, its last flush succeeded
    bool draining;   // shutting down: not ready, but alive
    int64_t plans, ready, running, queued; // of the engine
};
static inline bool health_ready(const struct health *h) { return h->store_ok && h->engine_ok && !h->draining; }

// Asks the store, so it takes as long as a small write. No rights needed: it tells no more than up or down.
void app_health(struct app *app, struct health *ret);

#endif
