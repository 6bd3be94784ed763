// SPDX-License-Identifier: Apache-2.0
// Whether this server can do its work: from what the probe last found and what the engine says. Bounded in time even
// when the store hangs.
#ifndef APP_HEALTH_H
#define APP_HEALTH_H

#include "app/probe.h"

enum {
    HEALTH_COMPONENTS_MAX = 7 + PROBE_PARTS_MAX,
    LIVE_TICK_AGE_S = 300, // an engine that has not ticked for longer will not: start the process again
    CLOCK_OFF_MS = 500,
};

struct health_component {
    const char *name;
    struct probe_word word;
};
struct health {
    int state;      // enum probe_state of the whole
    bool started;   // the first look is over
    bool draining;  // shutting down: not ready, but alive
    bool ready;     // requests and runs may be given to it
    bool live;      // the process works; false: start it again
    int64_t age_ms; // of what the probe found
    struct health_component v[HEALTH_COMPONENTS_MAX];
    size_t n;
    int64_t plans, due, running, queued; // of the engine
};

// No rights needed: who may see more than UP and DOWN is decided by app_health_details.
void app_health(struct app *app, struct health *ret);
// The engine alone, without the probe: whether the process lives.
bool app_live(struct app *app);
// Whether the caller may see figures and reasons.
bool app_health_details(const struct caller *c);

#endif
