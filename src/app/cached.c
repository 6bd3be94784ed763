// SPDX-License-Identifier: Apache-2.0
// Reads through the cache and writes around it. Values are short texts: "<enabled> <roles> <epoch> <e-mail>"
// of a user, the owner's identifier of a job. One that cannot be read counts as absent.
#include "app/cached.h"

enum { FACTS_TEXT_MAX = EMAIL_MAX + 64 };

static bool place_get(struct app *app, struct cache_place p, struct cache_ticket *ret_ticket, struct str *ret,
                      struct arena *a)
{
    *ret_ticket = (struct cache_ticket){.given = false};
    return app->cache && app->cache->ops->get(app->cache, p, ret_ticket, ret, a);
}

static void place_put(struct app *app, struct cache_place p, const struct cache_ticket *t, struct str value)
{
    if (t->given)
        app->cache->ops->put(app->cache, p, t, value);
}

static void before_write(struct app *app, struct cache_place p, struct cache_ticket *ret)
{
    if (app->cache)
        app->cache->ops->before_write(app->cache, p, ret);
}

// Also after a write that failed: it may have been stored all the same.
static bool after_write(struct app *app, struct cache_place p, const struct cache_ticket *t, bool ok,
                        struct err *err)
{
    struct err why = {0};
    if (app->cache && !app->cache->ops->after_write(app->cache, p, t, &why) && ok) {
        *err = why;
        return false;
    }
    return ok;
}

// ---- users ----

static bool facts_read(struct str text, struct caller_facts *ret)
{
    struct str rest;
    int64_t enabled, roles, epoch;
    if (!str_to_i64(str_split(text, ' ', &rest), &enabled) ||
        !str_to_i64(str_split(rest, ' ', &rest), &roles) ||
        !str_to_i64(str_split(rest, ' ', &rest), &epoch) || !rest.p)
        return false;
    *ret = (struct caller_facts){enabled != 0, (unsigned)roles, epoch, rest};
    return true;
}

bool cached_caller(struct app *app, struct ulid id, struct caller_facts *ret, struct arena *a,
                   struct err *err)
{
    struct cache_place place = {CACHE_CALLER, id};
    struct cache_ticket ticket;
    struct str text;
    struct user u;
    if (place_get(app, place, &ticket, &text, a) && facts_read(text, ret))
        return true;
    if (!app->store->ops->user_get(app->store, id, &u, a, err))
        return false;
    *ret = (struct caller_facts){u.enabled, user_role_bits(&u), u.session_epoch, u.email};
    char buf[FACTS_TEXT_MAX];
    int n = snprintf(buf, sizeof buf, "%d %u %lld %.*s", u.enabled, ret->roles, (long long)u.session_epoch,
                     STR_ARG(u.email));
    if (n > 0 && (size_t)n < sizeof buf)
        place_put(app, place, &ticket, str_of_n(buf, (size_t)n));
    return true;
}

bool cached_user_update(struct app *app, const struct user *u, struct err *err)
{
    struct cache_place place = {CACHE_CALLER, u->id};
    struct cache_ticket ticket = {.given = false};
    before_write(app, place, &ticket);
    bool ok = app->store->ops->user_update(app->store, u, err);
    return after_write(app, place, &ticket, ok, err);
}

// ---- jobs ----

bool cached_job_owner(struct app *app, struct ulid id, struct cache_ticket *ret_ticket, struct ulid *ret,
                      struct arena *a)
{
    struct str text;
    return place_get(app, (struct cache_place){CACHE_JOB_OWNER, id}, ret_ticket, &text, a) &&
           ulid_parse(text, ret);
}

void cached_job_owner_put(struct app *app, struct ulid id, const struct cache_ticket *t, struct ulid owner)
{
    char text[ULID_TEXT_MAX];
    place_put(app, (struct cache_place){CACHE_JOB_OWNER, id}, t, str_of(ulid_format(owner, text)));
}

bool cached_job_delete(struct app *app, struct ulid id, int64_t version, struct err *err)
{
    struct cache_place place = {CACHE_JOB_OWNER, id};
    struct cache_ticket ticket = {.given = false};
    before_write(app, place, &ticket);
    bool ok = app->store->ops->job_delete(app->store, id, version, clock_now(app->clock), err);
    return after_write(app, place, &ticket, ok, err);
}

// ---- tries at passwords ----

struct duration sign_in_take(struct app *app, struct sign_in_try *t)
{
    struct duration wait = throttle_take(app->throttle, t->account, t->address, t->at);
    t->shared = false;
    if (wait.us > 0 || !app->cache)
        return wait;
    wait = app->cache->ops->tries_take(app->cache, t->account, t->address, &t->shared);
    if (wait.us > 0)
        throttle_give_back(app->throttle, t->account, t->address, t->at);
    return wait;
}

void sign_in_give_back(struct app *app, const struct sign_in_try *t)
{
    throttle_give_back(app->throttle, t->account, t->address, t->at);
    if (t->shared)
        app->cache->ops->tries_give_back(app->cache, t->account, t->address);
}
