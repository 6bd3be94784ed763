// SPDX-License-Identifier: Apache-2.0
// Health: one question to the store, one look at the engine.
#include "app/health.h"

void app_health(struct app *app, struct health *ret)
{
    struct err err = {0};
    *ret = (struct health){.store_ok = app->store->ops->check(app->store, &err), .engine_ok = true};
    if (!app->engine)
        return;
    struct engine_status s;
    engine_status(app->engine, &s);
    struct instant latest = instant_add(s.next_wake, duration_s(READY_TICK_AGE_S));
    ret->engine_ok = s.store_ok && clock_now(app->clock).us <= latest.us;
    ret->draining = s.draining;
    ret->plans = s.plans;
    ret->ready = s.ready;
    ret->running = s.running;
    ret->queued = s.queued;
}
