// SPDX-License-Identifier: Apache-2.0
// Words of notifications, and the channels by name.
#include "notify/channel.h"

const char *const notice_event_names[] = {
    "failed", "recovered", "dead", "missed", "slow", "overdue", "started", "succeeded", "paused", "node_down",
    "digest", "test", NULL};
_Static_assert(sizeof notice_event_names / sizeof notice_event_names[0] == NOTICE_EVENTS + 1, "a word for each event");

const struct channel *channel_find(struct str name)
{
    for (size_t i = 0; channels[i]; i++)
        if (str_is(name, channels[i]->name))
            return channels[i];
    return NULL;
}
