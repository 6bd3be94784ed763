// SPDX-License-Identifier: Apache-2.0
// Threads that take turns when told to: a thread of a simulated node stops in the middle of a call of the store, others
// go on, and it goes on later, the same way at every replay.
#ifndef TESTS_SIM_FIBER_H
#define TESTS_SIM_FIBER_H

#include <stdbool.h>

struct fiber;

// turn is called again and again, once for each resume that finds the fiber idle.
struct fiber *fiber_new(void (*turn)(void *arg), void *arg);
// Must be idle: what its turn holds would be lost.
void fiber_free(struct fiber *f);
// Runs until the turn has ended or fiber_pause was called in it. Not from within a fiber.
void fiber_resume(struct fiber *f);
bool fiber_idle(const struct fiber *f); // stands between two turns
void fiber_pause(void);                 // within a turn
bool fiber_inside(void);                // whether a fiber runs

#endif
