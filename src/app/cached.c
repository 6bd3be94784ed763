// SPDX-License-Identifier: Apache-2.0
// Reads through the cache and writes around it. Values are short texts: "<enabled> <roles> <epoch> <teams> <e-mail>"
// of a user, the identifiers of the teams one behind the other ("-": none), the owner's identifier of a job. One
// that cannot be read counts as absent.
#include "app/cached.h"

enum { TEAMS_TEXT_MAX = USER_TEAMS_MAX * ULID_TEXT_LEN + 1, FACTS_TEXT_MAX = EMAIL_MAX + TEAMS_TEXT_MAX + 64 };

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

static bool teams_read(struct str text, struct caller_facts *ret, struct arena *a)
{
    size_t n = text.n / ULID_TEXT_LEN;
    struct ulid *v = arena_new_array(a, struct ulid, n);
    if (!v || n > USER_TEAMS_MAX)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!ulid_parse((struct str){text.p + i * ULID_TEXT_LEN, ULID_TEXT_LEN}, &v[i]))
            return false;
    ret->teams = v;
    ret->n_teams = n;
    return true;
}

static const char *teams_write(const struct user *u, char text[static TEAMS_TEXT_MAX])
{
    char *p = text;
    for (size_t i = 0; i < u->n_teams; i++, p += ULID_TEXT_LEN)
        (void)ulid_format(u->teams[i], p);
    return u->n_teams > 0 ? text : "-";
}

static bool facts_read(struct str text, struct caller_facts *ret, struct arena *a)
{
    struct str rest, teams;
    int64_t enabled, roles, epoch;
    if (!str_to_i64(str_split(text, ' ', &rest), &enabled) ||
        !str_to_i64(str_split(rest, ' ', &rest), &roles) ||
        !str_to_i64(str_split(rest, ' ', &rest), &epoch))
        return false;
    teams = str_split(rest, ' ', &rest);
    *ret = (struct caller_facts){
        .enabled = enabled != 0, .roles = (unsigned)roles, .session_epoch = epoch, .email = rest};
    return rest.p && teams_read(teams, ret, a);
}

bool cached_caller(struct app *app, struct ulid id, struct caller_facts *ret, struct arena *a,
                   struct err *err)
{
    struct cache_place place = {CACHE_CALLER, id};
    struct cache_ticket ticket;
    struct str text;
    struct user u;
    if (place_get(app, place, &ticket, &text, a) && facts_read(text, ret, a))
        return true;
    if (!app->store->ops->user_get(app->store, id, &u, a, err))
        return false;
    *ret = (struct caller_facts){u.enabled, user_role_bits(&u), u.session_epoch, u.email, u.teams, u.n_teams};
    char buf[FACTS_TEXT_MAX], teams[TEAMS_TEXT_MAX];
    int n = snprintf(buf, sizeof buf, "%d %u %lld %s %.*s", u.enabled, ret->roles, (long long)u.session_epoch,
                     teams_write(&u, teams), STR_ARG(u.email));
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

bool cached_user_delete(struct app *app, struct ulid id, struct err *err)
{
    struct cache_place place = {CACHE_CALLER, id};
    struct cache_ticket ticket = {.given = false};
    before_write(app, place, &ticket);
    bool ok = app->store->ops->accounts->user_delete(app->store, id, err);
    return after_write(app, place, &ticket, ok, err);
}

bool cached_member_change(struct app *app, struct ulid team, struct ulid user, int role, struct err *err)
{
    struct cache_place place = {CACHE_CALLER, user};
    struct cache_ticket ticket = {.given = false};
    const struct account_ops *ops = app->store->ops->accounts;
    before_write(app, place, &ticket);
    bool ok = role < 0 ? ops->member_remove(app->store, team, user, err)
                       : ops->member_put(app->store, team, user, role, err);
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

bool cached_job_give(struct app *app, const struct job *j, const struct plan *p, int64_t expect, struct err *err)
{
    struct cache_place place = {CACHE_JOB_OWNER, j->id};
    struct cache_ticket ticket = {.given = false};
    before_write(app, place, &ticket);
    bool ok = app->store->ops->job_update(app->store, j, p, expect, err);
    return after_write(app, place, &ticket, ok, err);
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
