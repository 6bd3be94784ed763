// SPDX-License-Identifier: Apache-2.0
// Runs on other nodes, for the event streams of this one: nobody tells us, so their rows are looked at while
// somebody follows them. A log stream looks for itself when it is woken; for those who follow all runs the
// newest runs are compared with what they were. What came and went in more than WATCH_PAGE runs between two
// looks is told as missed.
#ifndef APP_WATCH_H
#define APP_WATCH_H

#include "app/topic.h"
#include "store/store.h"

enum { WATCH_PERIOD_MS = 500, WATCH_STREAMS = 256, WATCH_PAGE = PAGE_SIZE_MAX };

struct watch;
// Store and topic must outlive it.
struct watch *watch_new(struct store *store, struct topic *topic);
void watch_start(struct watch *w); // a thread that looks every WATCH_PERIOD_MS
void watch_free(struct watch *w);  // ends the thread; NULL is allowed
// Somebody who joined the topic of all runs hears of what changes from now on, jobs included. It is looked on for
// WATCH_LINGER looks after the last one left, so that he may come back and go on.
enum { WATCH_LINGER = 120, WATCH_CHANGES = 1000 };
void watch_follow(struct watch *w);
// One look: wakes at most WATCH_STREAMS log streams; one page of runs, and WATCH_OPEN_LOOKS single ones, if
// anybody follows all.
enum { WATCH_OPEN_LOOKS = 32 };
void watch_look(struct watch *w);

#endif
