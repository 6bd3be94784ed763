// SPDX-License-Identifier: Apache-2.0
// The rules that keep notifications from becoming noise. Pure: what was told is an argument, so is the time.
//
// Of one subscription and one job, outcomes become things to tell:
//  - failures from the `after`-th on, in a row or among `ofLast` outcomes; once, again with another signature at once,
//    with the same one after repeatHours; then one recovery, and none without a failure that was told;
//  - a job that changes between good and bad flapsPerHour times within an hour makes one digest; when it is calm again,
//    how it is then is told;
//  - missed, slow and overdue at most once in repeatHours each; started, succeeded, paused and node_down always.
// Of one subscription, what is to be told becomes messages:
//  - the first at once; what follows within groupSeconds together, when they are over (0: each by itself);
//  - in quiet hours all is held until their end.
#ifndef APP_NOTICE_RULES_H
#define APP_NOTICE_RULES_H

#include "model/subscription.h"
#include "sched/zone.h"

enum { FLIPS_KEPT = 60, TOLD_ITEMS_MAX = 50, ITEM_MESSAGE_MAX = 300 };

// One thing to tell.
struct notice_item {
    int event;
    struct instant at;
    struct ulid job_id, run_id;
    struct ulid incident; // the same for a failure, what follows it and its recovery; zero: none
    struct str job_name, error_class, message;
    int64_t streak; // failures in a row; 0: none
};

// Of a subscription and a job.
struct job_memory {
    bool down;                // enough failures, and no recovery since
    bool open;                // that was told
    bool flapping;            // it changes too often to tell each
    int64_t streak;           // failures in a row
    int64_t history;          // the last outcomes, newest in bit 0; 1: failed
    struct ulid incident;     // while open
    struct instant told_at;   // of the last failure or digest; INSTANT_NEVER: none
    int64_t signature;        // of that
    struct instant missed_at, slow_at, overdue_at; // told; INSTANT_NEVER: not
    int64_t flips[FLIPS_KEPT]; // changes of `down`, newest first, in microseconds
    size_t n_flips;
    struct ulid bad_run; // of the last failure
    struct str bad_class, bad_message;
};
void job_memory_init(struct job_memory *m);
// JSON and back. An absent text is a new memory; one that cannot be read, too. Absent: no memory left in the arena.
struct str job_memory_write(const struct job_memory *m, struct arena *a);
void job_memory_read(struct str text, struct job_memory *ret, struct arena *a);
// Nothing in it differs from a new one.
bool job_memory_is_new(const struct job_memory *m);

// True: *ret is to be told. Strings of *m and *ret may be those of the notice.
bool noise_take(const struct subscription *s, struct job_memory *m, const struct notice *n, struct notice_item *ret);
// When noise_calm should be asked; INSTANT_NEVER.
struct instant noise_due(const struct subscription *s, const struct job_memory *m);
// A job that flapped may be calm.
bool noise_calm(const struct subscription *s, struct job_memory *m, struct instant now, struct ulid job_id,
                struct notice_item *ret);
// Alike for failures that are the same to a reader: numbers in messages do not count.
int64_t failure_signature(struct str error_class, struct str message);

// Of a subscription alone: what is held, and until when.
struct told_memory {
    struct instant until; // INSTANT_NEVER: no window is open
    struct notice_item items[TOLD_ITEMS_MAX];
    size_t n;
    int64_t more; // that found no room
};
void told_memory_init(struct told_memory *g);
// As above, also the body of a message.
struct str told_memory_write(const struct told_memory *g, struct arena *a);
void told_memory_read(struct str text, struct told_memory *ret, struct arena *a);
// Adds something to tell. zone: of the quiet hours.
void told_add(struct told_memory *g, const struct notice_item *item);
// What is to be sent now: true, with all of it in *ret, and the window opens anew; without groupSeconds one thing at a
// time. Ask until it is false: until says then when to ask again, INSTANT_NEVER: nothing is left to remember.
bool told_release(const struct subscription *s, const struct zone *zone, struct told_memory *g, struct instant now,
                   struct told_memory *ret);

// When the quiet hours end that now lies in; now itself outside of them.
struct instant quiet_end(const struct quiet_hours *q, const struct zone *zone, struct instant now);

// When a message is tried after so many tries; INSTANT_NEVER: no more. asked: what the target wants at least.
// jitter: from 0 to 1.
struct instant delivery_next_try(int64_t tries, struct instant now, struct duration asked, double jitter);

#endif
