// SPDX-License-Identifier: Apache-2.0
// Requests that are carried out once, in memory.
#include "store/memory/once.h"

#include "store/memory/memory.h"

struct once_row {
    uint8_t key[ONCE_HASH_BYTES], print[ONCE_HASH_BYTES];
    struct ulid claim;
    int state;
    struct instant lease_until, created_at;
    struct once_answer answer;
};

static struct once_row *row_find(struct mem *m, const uint8_t key[ONCE_HASH_BYTES])
{
    struct once_row *v = m->once.v;
    for (size_t i = 0; i < m->once.n; i++)
        if (memcmp(v[i].key, key, ONCE_HASH_BYTES) == 0)
            return &v[i];
    return NULL;
}

static struct once_row *row_own(struct mem *m, const struct once_claim *c)
{
    struct once_row *row = row_find(m, c->key);
    return row && ulid_eq(row->claim, c->claim) ? row : NULL;
}

static bool is_old(const struct once_row *row, struct duration keep, struct instant now)
{
    return row->created_at.us <= now.us - keep.us;
}

static void claim(struct mem *m, const struct once_claim *c, struct once_found *ret)
{
    struct instant now = clock_now(m->clock);
    struct once_row *row = row_find(m, c->key);
    bool same = row && memcmp(row->print, c->print, ONCE_HASH_BYTES) == 0;
    bool leased = row && row->lease_until.us > now.us;
    if (row && !is_old(row, c->keep, now) && !(row->state == ONCE_CLAIMED && !leased && same)) {
        *ret = (struct once_found){
            .same = same, .leased = leased, .state = row->state, .claim = row->claim, .answer = row->answer};
        return;
    }
    m->once.size = sizeof *row;
    if (!row)
        row = mem_rows_add(&m->once);
    *row = (struct once_row){.claim = c->claim, .lease_until = instant_add(now, c->lease), .created_at = now};
    memcpy(row->key, c->key, sizeof row->key);
    memcpy(row->print, c->print, sizeof row->print);
    *ret = (struct once_found){.mine = true};
}

static bool once_claim(struct store *s, const struct once_claim *c, struct once_found *ret, struct arena *a,
                       struct err *err)
{
    (void)a; // texts of this store never change
    struct mem_call call;
    struct once_found found;
    if (!call_begin(&call, s, "once_claim", true, err))
        return false;
    claim(call.m, c, &found);
    if (!call_end(&call, true, err))
        return false;
    *ret = found;
    return true;
}

static bool once_end(struct store *s, const struct once_claim *c, const struct once_answer *answer,
                     bool always, struct err *err)
{
    struct mem_call call;
    if (!call_begin(&call, s, "once_end", true, err))
        return false;
    struct once_row *row = row_own(call.m, c);
    if (row && answer && row->state < ONCE_ANSWERED) {
        row->state = ONCE_ANSWERED;
        row->answer = (struct once_answer){answer->status, mem_text(call.m, answer->headers),
                                           mem_text(call.m, answer->body)};
    } else if (row && !answer && row->state <= (always ? ONCE_CARRIED_OUT : ONCE_CLAIMED)) {
        mem_rows_remove(&call.m->once, (size_t)(row - (struct once_row *)call.m->once.v), 1);
    }
    return call_end(&call, true, err);
}

static bool once_trim(struct store *s, struct duration keep, size_t max, struct err *err)
{
    struct mem_call call;
    if (!call_begin(&call, s, "once_trim", true, err))
        return false;
    struct once_row *v = call.m->once.v;
    struct instant now = clock_now(call.m->clock);
    for (size_t i = call.m->once.n; i-- > 0 && max > 0;)
        if (is_old(&v[i], keep, now)) {
            mem_rows_remove(&call.m->once, i, 1);
            max--;
        }
    return call_end(&call, true, err);
}

const struct once_ops mem_once_ops = {.claim = once_claim, .end = once_end, .trim = once_trim};

bool once_may_write(struct mem *m)
{
    const struct once_mark *mark = once_mark_wanted();
    const struct once_row *row = mark ? row_own(m, mark->claim) : NULL;
    return !mark || (row && row->state == ONCE_CLAIMED);
}

void once_written(struct mem *m, bool told)
{
    struct once_mark *mark = once_mark_wanted();
    struct once_row *row = mark ? row_own(m, mark->claim) : NULL;
    if (row)
        row->state = ONCE_CARRIED_OUT;
    if (mark)
        mark->marked = told;
}
