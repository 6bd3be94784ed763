// SPDX-License-Identifier: Apache-2.0
// What waits, counted.
#include "store/memory/memory.h"

static int64_t at_most(size_t n) { return n < BACKLOG_COUNT_MAX ? (int64_t)n : BACKLOG_COUNT_MAX; }

static int64_t unsealed(const struct mem *m)
{
    size_t n = 0;
    for (size_t i = 0; i < m->audit_by_id.n; i++)
        n += ((const struct audit_record *)m->audit_by_id.v[i])->seq == 0;
    return at_most(n);
}

static void count_messages(const struct mem *m, struct store_backlog *b)
{
    size_t n = 0;
    const struct delivery *v = m->deliveries.v;
    for (size_t i = 0; i < m->deliveries.n; i++) {
        n += !instant_is_never(v[i].due);
        if (v[i].due.us < b->messages_due.us)
            b->messages_due = v[i].due;
    }
    b->messages = at_most(n);
}

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
                              .outbox_oldest = c.m->outbox.n ? first->at : INSTANT_NEVER,
                              .audit_unsealed = unsealed(c.m),
                              .messages_due = INSTANT_NEVER};
    count_messages(c.m, &b);
    if (!call_end(&c, true, err))
        return false;
    *ret = b;
    return true;
}
