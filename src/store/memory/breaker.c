// SPDX-License-Identifier: Apache-2.0
// States of circuit breakers in memory.
#include "store/memory/memory.h"

static struct breaker_row *find(struct mem *m, struct ulid id)
{
    struct breaker_row *v = m->breakers.v;
    for (size_t i = 0; i < m->breakers.n; i++)
        if (ulid_eq(v[i].id, id))
            return &v[i];
    return NULL;
}

static void forget_old(struct mem *m)
{
    const struct breaker_row *v = m->breakers.v;
    struct instant now = clock_now(m->clock);
    for (size_t i = m->breakers.n; i-- > 0;)
        if (instant_since(now, v[i].until).us > duration_s(BREAKER_FORGET_S).us)
            mem_rows_remove(&m->breakers, i, 1);
}

bool mem_breaker_put(struct store *s, const struct breaker_row *row, int64_t expect, struct duration wait,
                     bool *ret_won, struct err *err)
{
    struct mem_call c;
    if (!call_begin(&c, s, "breaker_put", true, err))
        return false;
    forget_old(c.m);
    struct breaker_row *own = find(c.m, row->id);
    bool won = own ? own->version == expect : expect == 0;
    if (won) {
        own = own ? own : mem_rows_add(&c.m->breakers);
        *own = *row;
        own->target = mem_text(c.m, row->target);
        own->node = mem_text(c.m, row->node);
        own->since = clock_now(c.m->clock);
        own->until = instant_add(own->since, wait);
        change_add(c.m, CHANGE_BREAKER, row->id, 0);
    } else {
        write_was_idle();
    }
    if (!call_end(&c, true, err))
        return false;
    *ret_won = won;
    return true;
}

bool mem_breakers_list(struct store *s, struct breaker_row **ret, size_t *ret_n, struct instant *ret_now,
                       struct arena *a, struct err *err)
{
    struct mem_call c;
    if (!call_begin(&c, s, "breakers_list", false, err))
        return false;
    size_t n = c.m->breakers.n;
    struct breaker_row *out = arena_new_array(a, struct breaker_row, n + 1);
    if (!out)
        return call_end(&c, ERR(err, ERR_UNAVAILABLE, "no memory for a list of circuit breakers"), err);
    if (n > 0)
        memcpy(out, c.m->breakers.v, n * sizeof *out);
    *ret = out;
    *ret_n = n;
    *ret_now = clock_now(c.m->clock);
    return call_end(&c, true, err);
}
