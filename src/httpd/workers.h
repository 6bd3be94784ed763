// SPDX-License-Identifier: Apache-2.0
// Threads that handle requests, fed by a bounded queue. Handlers block (on commits), so there are many
// threads and few of them run: wake-ups are what costs, and are sent one at a time.
//
// Lock: LOCK_HTTPD_QUEUE, inside; not held while an item runs.
#ifndef HTTPD_WORKERS_H
#define HTTPD_WORKERS_H

#include <stdbool.h>
#include <stddef.h>

struct workers;

// Starts the threads. run(item) is called on one of them for every pushed item, in about the order of pushes.
struct workers *workers_new(size_t threads, size_t waiting_max, void (*run)(void *item));
// False when waiting_max items wait already, or after workers_stop.
bool workers_push(struct workers *w, void *item);
// Refuses new items, runs those that wait, joins the threads. workers_push may still be called (and refuses).
void workers_stop(struct workers *w);
void workers_free(struct workers *w); // after workers_stop

#endif
