// SPDX-License-Identifier: Apache-2.0
// Sessions of browsers. Rules: app/browser.h. They are rows of the table of sessions, as refresh tokens are.
#include "app/browser.h"

#include <inttypes.h>

#include "app/audit.h"
#include "base/log.h"

enum { EXTEND_PARTS = 16 }; // the end is moved when a 16th of browser_idle has passed since it was

static const char cookie_prefix[] = "chb_", purpose[] = "session of a browser";

static bool no_memory(struct err *err)
{
    return ERR(err, ERR_TOO_LARGE, "the request needs more memory than one request may have");
}

static struct instant earlier(struct instant a, struct instant b) { return a.us < b.us ? a : b; }

bool browser_open(struct app *app, const struct user *u, struct session_answer *ret, struct arena *a, struct err *err)
{
    struct instant now = clock_now(app->clock);
    const struct app_settings *set = &app->settings;
    struct duration life = set->browser_idle.us < set->browser_max.us ? set->browser_idle : set->browser_max;
    struct session s = {.family = app_id(app), .user_id = u->id, .created_at = now,
                        .expires_at = instant_add(now, life)};
    char token[SECRET_TOKEN_MAX];
    struct str cookie = arena_fmt(a, "%s.%" PRId64, secret_token_new(cookie_prefix, token), u->session_epoch);
    struct str csrf = browser_csrf(app, cookie, a);
    if (!cookie.p || !csrf.p)
        return no_memory(err);
    secret_token_hash_for(purpose, cookie, s.token_hash);
    if (!app->store->ops->session_insert(app->store, &s, err))
        return false;
    *ret = (struct session_answer){.cookie = cookie, .csrf_token = csrf, .expires_in = life.us / US_PER_S, .id = u->id,
                                   .email = u->email, .roles = u->roles};
    return true;
}

static bool unknown(struct err *err)
{
    return ERR(err, ERR_UNAUTHENTICATED, "the session has ended; sign in again");
}

// Not worth failing a request for.
static void keep_alive(struct app *app, const struct session *s, struct instant now)
{
    struct duration idle = app->settings.browser_idle;
    struct instant end = earlier(instant_add(now, idle), instant_add(s->created_at, app->settings.browser_max));
    struct err why = {0};
    if (instant_since(end, s->expires_at).us <= idle.us / EXTEND_PARTS)
        return;
    if (!app->store->ops->sign_on->session_extend(app->store, s->token_hash, end, &why))
        LOG_DEBUG("session not kept alive", LOG_ERROR_FIELD(&why));
}

bool browser_authenticate(struct app *app, struct str cookie, struct caller *ret, struct arena *a, struct err *err)
{
    uint8_t hash[SECRET_TOKEN_HASH_BYTES];
    struct session s;
    struct str epoch_text;
    int64_t epoch;
    struct err why = {0};
    struct instant now = clock_now(app->clock);
    (void)str_split(cookie, '.', &epoch_text);
    if (cookie.n > BROWSER_COOKIE_MAX || !str_starts(cookie, str_of(cookie_prefix)) || !epoch_text.p ||
        !str_to_i64(epoch_text, &epoch))
        return unknown(err);
    secret_token_hash_for(purpose, cookie, hash);
    if (!app->store->ops->sign_on->session_get(app->store, hash, &s, &why)) {
        if (why.code == ERR_NOT_FOUND)
            return unknown(err);
        *err = why;
        return false;
    }
    // Judged by both bounds anew, so that a shorter setting holds for the sessions that are there.
    if (now.us >= s.expires_at.us || now.us >= instant_add(s.created_at, app->settings.browser_max).us)
        return unknown(err);
    if (!app_caller(app, s.user_id, epoch, WAY_COOKIE, ret, a, err))
        return false;
    keep_alive(app, &s, now);
    return true;
}

struct str browser_csrf(const struct app *app, struct str cookie, struct arena *a)
{
    uint8_t key[TOKEN_KEY_BYTES];
    if (!app->key || !cookie.p)
        return STR_NONE;
    token_key_derive(app->key, "forged requests of browsers", key);
    return secret_token_mac(key, cookie, a);
}

bool app_browser_logout(struct app *app, const struct caller *c, struct str cookie, struct arena *a, struct err *err)
{
    enum reach reach;
    uint8_t hash[SECRET_TOKEN_HASH_BYTES];
    if (!app_authorize(c, ACTION_SELF, &reach, err))
        return false;
    const struct audit_note note = {.action = "session.logout", .entity_type = "user", .entity_id = c->user_id,
                                    .entity_name = c->email, .outcome = AUDIT_DONE};
    secret_token_hash_for(purpose, cookie, hash);
    audit_with(app, c, &note, a);
    if (app->store->ops->session_end(app->store, hash, err))
        return true;
    audit_drop(app);
    return false;
}
