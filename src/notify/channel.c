// SPDX-License-Identifier: Apache-2.0
// The channels by name.
#include "notify/channel.h"

const struct channel *channel_find(struct str name)
{
    for (size_t i = 0; channels[i]; i++)
        if (str_is(name, channels[i]->name))
            return channels[i];
    return NULL;
}
