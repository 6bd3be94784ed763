// SPDX-License-Identifier: Apache-2.0
// Words of what can be told.
#include "model/notice.h"

const char *const notice_event_names[] = {"failed",  "recovered", "dead",   "missed",    "slow",   "overdue",
                                          "started", "succeeded", "paused", "node_down", "digest", "test",
                                          NULL};
_Static_assert(sizeof notice_event_names / sizeof notice_event_names[0] == NOTICE_EVENTS + 1,
               "a word for each event");
