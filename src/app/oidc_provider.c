// SPDX-License-Identifier: Apache-2.0
// Talking to the OpenID provider. Its documents are kept for an hour, and go on to be used while it cannot be asked.
#include "app/oidc_impl.h"

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"

enum { STATUS_OK = 200, MINUTE_S = 60, FORM_MAX = 16 * 1024, ERROR_SHOWN_MAX = 64 };

struct oidc *oidc_new(const struct oidc_settings *s, const struct oidc_web *web)
{
    struct oidc *o = mem_new(struct oidc);
    o->set = *s;
    o->web = *web;
    mutex_init(&o->lock, LOCK_APP_OIDC);
    return o;
}

void oidc_free(struct oidc *o)
{
    if (!o)
        return;
    mem_free(o->document.p);
    mem_free(o->keys.p);
    mutex_release(&o->lock);
    mem_free(o);
}

// A provider that is slow must not take every worker: who comes while many wait is told at once.
static bool ask(struct oidc *o, const struct oidc_exchange *x, int *ret_status, struct str *ret_body, struct arena *a,
                struct err *err)
{
    bool free = atomic_fetch_add(&o->talks, 1) < OIDC_TALKS_MAX;
    bool ok = free ? o->web.ask(o->web.ctx, x, ret_status, ret_body, a, err)
                   : ERR(err, ERR_UPSTREAM, "too many sign-ins wait for the provider at this moment; try again");
    atomic_fetch_sub(&o->talks, 1);
    return ok;
}

static bool document_get(struct oidc *o, struct str url, struct str *ret, struct arena *a, struct err *err)
{
    struct oidc_exchange x = {.url = url};
    int status;
    if (!ask(o, &x, &status, ret, a, err))
        return false;
    return status == STATUS_OK || ERR(err, ERR_UPSTREAM, "the provider answered %d at \"%.*s\"", status, STR_ARG(url));
}

// ---- what is kept ------------------------------------------------------------------------------

static struct str text_copy(struct oidc *o, struct oidc_text *t, struct mono now, bool *ret_fresh, struct arena *a)
{
    WITH_LOCK(&o->lock);
    *ret_fresh = t->p && mono_since(now, t->read).us < OIDC_FRESH_S * US_PER_S;
    return t->p ? arena_str(a, str_of_n(t->p, t->n)) : STR_NONE;
}

static void text_keep(struct oidc *o, struct oidc_text *t, struct str text, struct mono now)
{
    char *copy = mem_array(text.n + 1, 1);
    memcpy(copy, text.p, text.n);
    WITH_LOCK(&o->lock);
    mem_free(t->p);
    *t = (struct oidc_text){copy, text.n, now};
}

bool oidc_provider_now(struct app *app, struct oidc_provider *ret, struct arena *a, struct err *err)
{
    struct oidc *o = app->oidc;
    bool fresh;
    struct str text, known = text_copy(o, &o->document, clock_mono(app->clock), &fresh, a);
    struct err why = {0};
    if (fresh)
        return oidc_provider_read(known, o->set.issuer, ret, a, err);
    struct str base = o->set.issuer;
    while (str_ends(base, STR("/")))
        base.n--;
    struct str url = arena_fmt(a, "%.*s/.well-known/openid-configuration", STR_ARG(base));
    if (document_get(o, url, &text, a, &why) && oidc_provider_read(text, o->set.issuer, ret, a, &why)) {
        text_keep(o, &o->document, text, clock_mono(app->clock));
        return true;
    }
    if (known.p && oidc_provider_read(known, o->set.issuer, ret, a, err)) {
        LOG_WARN("the OpenID provider cannot be asked; what it said before goes on", LOG_ERROR_FIELD(&why));
        return true;
    }
    *err = why;
    return false;
}

// Whether the keys may be asked for again: made-up key ids cost the provider a few questions a minute, not more.
static bool keys_turn(struct oidc *o, struct mono now)
{
    WITH_LOCK(&o->lock);
    if (mono_since(now, o->keys_minute).us >= MINUTE_S * US_PER_S) {
        o->keys_minute = now;
        o->keys_asks = 0;
    }
    return o->keys_asks++ < OIDC_KEYS_ASKS;
}

static bool keys_fetch(struct app *app, const struct oidc_provider *p, struct str *ret, struct arena *a,
                       struct err *err)
{
    struct oidc *o = app->oidc;
    if (!document_get(o, p->jwks, ret, a, err))
        return false;
    text_keep(o, &o->keys, *ret, clock_mono(app->clock));
    return true;
}

// ---- the code ----------------------------------------------------------------------------------

static void form_put(struct sbuf *out, const char *name, struct str value)
{
    sbuf_fmt(out, "%s%s=", out->n > 0 ? "&" : "", name);
    sbuf_url(out, value);
}

// RFC 6749 §2.3.1: what goes into the header is form-encoded first.
static struct str encoded(struct str s, struct arena *a)
{
    struct sbuf out;
    sbuf_init(&out, a, FORM_MAX);
    sbuf_url(&out, s);
    return sbuf_str(&out);
}

// The word of a failure that the provider gave, if it is one (RFC 6749 §5.2).
static struct str error_word(const json_t *v)
{
    struct str word = json_str(json_object_get(v, "error"));
    for (size_t i = 0; i < word.n; i++)
        if (!((word.p[i] >= 'a' && word.p[i] <= 'z') || word.p[i] == '_'))
            return STR("unknown");
    return word.n > 0 && word.n <= ERROR_SHOWN_MAX ? word : STR("unknown");
}

static bool token_read(int status, struct str body, struct str *ret, struct arena *a, struct err *err)
{
    CLEANUP_JSON json_t *v = NULL;
    struct err ignored;
    enum { CLIENT_FAULT = 400, SERVER_FAULT = 500 };
    bool read = json_parse(body, &v, &ignored) && json_is_object(v);
    if (status >= CLIENT_FAULT && status < SERVER_FAULT && read)
        return ERR(err, ERR_UNAUTHENTICATED, "the provider did not accept the code of this sign-in (%.*s); start again",
                   STR_ARG(error_word(v)));
    struct str token = read ? json_str(json_object_get(v, "id_token")) : STR_NONE;
    if (status != STATUS_OK || !token.p)
        return ERR(err, ERR_UPSTREAM, "the provider answered %d and no ID token", status);
    *ret = arena_str(a, token);
    return true;
}

static bool code_exchange(struct oidc *o, const struct oidc_provider *p, struct str code, struct str verifier,
                          struct str *ret, struct arena *a, struct err *err)
{
    struct sbuf form;
    struct oidc_exchange x = {.url = p->token};
    bool secret = o->set.client_secret.n > 0;
    sbuf_init(&form, a, FORM_MAX);
    form_put(&form, "grant_type", STR("authorization_code"));
    form_put(&form, "code", code);
    form_put(&form, "redirect_uri", o->set.redirect_url);
    form_put(&form, "code_verifier", verifier);
    if (!secret || p->secret_in_body)
        form_put(&form, "client_id", o->set.client_id);
    if (secret && p->secret_in_body)
        form_put(&form, "client_secret", o->set.client_secret);
    if (secret && !p->secret_in_body) {
        x.user = encoded(o->set.client_id, a);
        x.password = encoded(o->set.client_secret, a);
    }
    if (!sbuf_ok(&form) || a->exhausted)
        return ERR(err, ERR_TOO_LARGE, "the code of this sign-in is too long");
    x.form = sbuf_str(&form);
    int status;
    struct str body;
    return ask(o, &x, &status, &body, a, err) && token_read(status, body, ret, a, err);
}

bool oidc_identify(struct app *app, struct str code, struct str verifier, struct str nonce, struct id_token *ret,
                   struct arena *a, struct err *err)
{
    struct oidc *o = app->oidc;
    struct oidc_provider p;
    struct str token;
    if (!oidc_provider_now(app, &p, a, err) || !code_exchange(o, &p, code, verifier, &token, a, err))
        return false;
    struct id_token_expected x = {.issuer = o->set.issuer, .client_id = o->set.client_id, .nonce = nonce,
                                  .groups_claim = o->set.groups_claim, .now = clock_now(app->clock)};
    struct mono now = clock_mono(app->clock);
    bool fresh, unknown = false;
    struct str keys = text_copy(o, &o->keys, now, &fresh, a);
    bool fetched = !fresh;
    if (!fresh && !keys_fetch(app, &p, &keys, a, err))
        return false;
    struct err why = {0};
    if (id_token_verify(token, keys, &x, ret, &unknown, a, &why))
        return true;
    if (!unknown || fetched || !keys_turn(o, now)) {
        *err = why;
        return false;
    }
    return keys_fetch(app, &p, &keys, a, err) && id_token_verify(token, keys, &x, ret, &unknown, a, err);
}
