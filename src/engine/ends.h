// SPDX-License-Identifier: Apache-2.0
// Results on their way to the store: in the engine's own batch, or in one of their own that another thread
// writes.
#ifndef ENGINE_ENDS_H
#define ENGINE_ENDS_H

#include <stdatomic.h>

#include "engine/batch.h"

struct engine;

enum ends_state { ENDS_IDLE, ENDS_GIVEN, ENDS_WRITTEN, ENDS_UNKNOWN };
struct ends {
    struct batch *batch; // where finishes and log lines go: own, or the engine's
    struct batch own;    // the writer's while GIVEN, else the engine's
    _Atomic int state;   // enum ends_state
    bool ok;             // of the last write, as err is
    struct err err;
    struct waker waker;
    _Atomic bool stop;
    pthread_t thread;
};

void ends_init(struct engine *e);
void ends_release(struct engine *e);
bool ends_apart(const struct engine *e);
bool ends_idle(const struct engine *e); // none is in the air
void ends_collect(struct engine *e);    // acts on what was written
void ends_give(struct engine *e);       // hands over what has ended, when the writer has nothing
void ends_start(struct engine *e);      // the writer's thread
void ends_stop(struct engine *e);

#endif
