// SPDX-License-Identifier: Apache-2.0
// What waits, counted.
#include "store/memory/memory.h"

static int64_t at_most(size_t n) { return n < BACKLOG_COUNT_MAX ? (int64_t)n : BACKLOG_COUNT_MAX; }

bool mem_backlog(struct store *s, struct store_backlog *ret, struct err *err)
{
    struct mem_call c;
    size_t open = 0;
    if (!call_begin(&c, s, "backlog", false, err))
        return false;
    for (size_t i = 0; i < c.m->dlq_by_id.n; i++)
        open += !((const struct dead_letter *)c.m->dlq_by_id.v[i])->resolved;
    const struct outbox_event *first = c.m->outbox.v;
    struct store_backlog b = {.dead_letters = at_most(open),
                              .outbox = at_most(c.m->outbox.n),
                              .outbox_oldest = c.m->outbox.n ? first->at : INSTANT_NEVER};
    if (!call_end(&c, true, err))
        return false;
    *ret = b;
    return true;
}
