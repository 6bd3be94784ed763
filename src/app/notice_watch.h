// SPDX-License-Identifier: Apache-2.0
// What no transaction tells, because nothing happens: runs that take too long, occurrences that were not started, nodes
// whose lease has ended. Looked for now and then by the one node that tells people, within bounds.
#ifndef APP_NOTICE_WATCH_H
#define APP_NOTICE_WATCH_H

#include "app/notice_desk.h"
#include "base/map.h"

enum {
    OVERDUE_GRACE_S = 60,   // beyond its jitter
    SLOW_HISTORY_MIN = 20,  // successes that are needed to know what is usual
    SLOW_FACTOR = 2,        // times the 95th percentile
    SLOW_AT_LEAST_S = 10,
};

// What was told already by this process; the rules and the ids of messages keep repetitions out anyhow.
struct notice_watch {
    struct map told;
};
void notice_watch_init(struct notice_watch *w);
void notice_watch_release(struct notice_watch *w);
// One look. Nothing is read that nobody wants to know.
bool notice_watch_look(struct notice_watch *w, struct app *app, const struct desk *d, struct err *err)
    __attribute__((warn_unused_result));

#endif
