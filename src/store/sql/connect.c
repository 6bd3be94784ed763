// SPDX-License-Identifier: Apache-2.0
// Opening connections, and the pause after an attempt that failed.
#include "store/sql/connect.h"

enum { PAUSE_MS_MIN = 100, PAUSE_MS_MAX = 1000 };

void connector_init(struct connector *c, connect_fn open, void *ctx, const struct clock *clock)
{
    *c = (struct connector){.open = open, .ctx = ctx, .clock = clock};
    mutex_init(&c->lock, LOCK_STORE_CONNECT);
    rng_init_random(&c->rng);
}

void connector_release(struct connector *c) { mutex_release(&c->lock); }

// Whether this thread may try now; else *err is what the last attempt met.
static bool may_try(struct connector *c, struct err *err)
{
    WITH_LOCK(&c->lock);
    if (c->last.code == ERR_NONE)
        return true;
    if (c->trying || mono_since(clock_mono(c->clock), c->again).us < 0) {
        *err = c->last;
        return false;
    }
    c->trying = true;
    return true;
}

static void tried(struct connector *c, bool ok, const struct err *err)
{
    WITH_LOCK(&c->lock);
    c->trying = false;
    if (ok) {
        c->last.code = ERR_NONE;
        return;
    }
    int64_t ms = PAUSE_MS_MIN + (int64_t)rng_below(&c->rng, PAUSE_MS_MAX - PAUSE_MS_MIN + 1);
    c->last = *err;
    c->again = mono_add(clock_mono(c->clock), duration_ms(ms));
}

bool connector_open(struct connector *c, bool read_only, struct db **ret, struct err *err)
{
    if (!c->clock)
        return c->open(c->ctx, read_only, ret, err);
    if (!may_try(c, err))
        return false;
    bool ok = c->open(c->ctx, read_only, ret, err);
    if (!ok) // whatever the reason, it is the server that is not as it was when the store was opened
        err->code = ERR_UNAVAILABLE;
    tried(c, ok, err);
    return ok;
}

bool connector_keep(struct connector *c, bool read_only, struct db **d, struct err *err)
{
    if (*d && db_alive(*d))
        return true;
    db_close(TAKE(*d));
    return connector_open(c, read_only, d, err);
}
