// SPDX-License-Identifier: Apache-2.0
// Circuit breakers: list, reset, share. Rules: app/breaker.h.
#include "app/breaker.h"

#include "app/audit.h"
#include "base/log.h"

static bool share_put(void *ctx, const struct breaker_row *row, int64_t expect, struct duration wait,
                      bool *ret_won, struct err *err)
{
    struct store *s = ctx;
    return s->ops->breaker_put(s, row, expect, wait, ret_won, err);
}

static bool share_list(void *ctx, struct breaker_row **ret, size_t *ret_n, struct instant *ret_now,
                       struct arena *a, struct err *err)
{
    struct store *s = ctx;
    return s->ops->breakers_list(s, ret, ret_n, ret_now, a, err);
}

struct breaker_share app_breaker_share(struct store *store, struct str node)
{
    return (struct breaker_share){.ctx = store, .put = share_put, .list = share_list, .node = node};
}

void app_set_breakers(struct app *app, struct breakers *b) { app->breakers = b; }

bool app_breakers_list(struct app *app, const struct caller *c, struct breaker_row **ret, size_t *ret_n,
                       struct arena *a, struct err *err)
{
    enum reach reach;
    if (!app_authorize(c, ACTION_BREAKER_READ, &reach, err))
        return false;
    if (app->breakers)
        return breakers_list(app->breakers, ret, ret_n, a, err);
    *ret_n = 0;
    return true;
}

bool app_breaker_reset(struct app *app, const struct caller *c, struct ulid id, struct breaker_row *ret,
                       struct arena *a, struct err *err)
{
    enum reach reach;
    char text[ULID_TEXT_MAX];
    struct breaker_row *v;
    size_t n = 0;
    if (!app_authorize(c, ACTION_BREAKER_WRITE, &reach, err))
        return false;
    if (app->breakers &&
        (!breakers_reset(app->breakers, id, err) || !breakers_list(app->breakers, &v, &n, a, err)))
        return false;
    for (size_t i = 0; i < n; i++)
        if (ulid_eq(v[i].id, id)) {
            LOG_INFO("circuit reset", LOG_STR("target", v[i].target), LOG_STR("by", c->email));
            struct audit_note note = {.action = "breaker.reset",
                                      .entity_type = "breaker",
                                      .entity_id = id,
                                      .entity_name = v[i].target};
            audit_alone(app, c, &note, a); // the reset itself is shared by a thread, later
            app_wake_others(app);
            *ret = v[i];
            return true;
        }
    return ERR(err, ERR_NOT_FOUND, "circuit breaker \"%s\" does not exist", ulid_format(id, text));
}
