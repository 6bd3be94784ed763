// SPDX-License-Identifier: Apache-2.0
// The course of a sign-in by a provider: begin, return, code of a command line. Rules: app/oidc.h.
#include <inttypes.h>
#include <sodium.h>

#include "app/audit.h"
#include "app/browser.h"
#include "app/oidc_impl.h"
#include "auth/seal.h"

enum { BASE64 = sodium_base64_VARIANT_URLSAFE_NO_PADDING, URL_MAX = 8192, CODE_TEXT_MAX = 4096, ERROR_WORD_MAX = 64 };

static const char used_purpose[] = "sign-in by a provider, used", code_purpose[] = "code of a command line";
static const struct str cookie_name = STR_INIT("sign-in by a provider");

#define T struct oidc_code
static const struct field code_rows[] = {
    FIELD_STR(T, code, "code", .flags = FIELD_REQUIRED | FIELD_SECRET, .min = 1, .max = OIDC_CODE_MAX,
              .doc = "What the page showed after the sign-in; good once, for five minutes."),
    FIELD_STR(T, verifier, "verifier", .flags = FIELD_REQUIRED | FIELD_SECRET, .min = OIDC_CHALLENGE_CHARS, .max = 128,
              .doc = "The text whose SHA-256 the sign-in was begun with (parameter \"cli\")."),
};
#undef T
const struct fields oidc_code_fields =
    FIELDS("SignOnCode", struct oidc_code, code_rows, .doc = "Ends a sign-in by a provider.");

static bool none_here(struct err *err)
{
    return ERR(err, ERR_NOT_FOUND, "no OpenID provider is set up on this server (setting oidc.issuer)");
}

static bool no_memory(struct err *err)
{
    return ERR(err, ERR_TOO_LARGE, "the request needs more memory than one request may have");
}

// ---- what the browser carries ------------------------------------------------------------------

// Lines: state, nonce, verifier, end in µs, challenge of a command line or "", path to return to.
struct under_way {
    struct str state, nonce, verifier, challenge, return_to;
    struct instant until;
};

static void sealing_key(const struct app *app, uint8_t ret[static SEAL_KEY_BYTES])
{
    token_key_derive(app->key, "sign-in by a provider", ret);
}

static struct str cookie_write(const struct app *app, const struct under_way *w, struct arena *a)
{
    uint8_t key[SEAL_KEY_BYTES];
    struct str text = arena_fmt(a, "%.*s\n%.*s\n%.*s\n%" PRId64 "\n%.*s\n%.*s", STR_ARG(w->state), STR_ARG(w->nonce),
                                STR_ARG(w->verifier), w->until.us, STR_ARG(w->challenge), STR_ARG(w->return_to));
    sealing_key(app, key);
    struct str sealed = text.p ? seal(key, cookie_name, text, a) : STR_NONE;
    size_t size = sealed.p ? sodium_base64_encoded_len(sealed.n, BASE64) : 0;
    char *out = size > 0 && size <= OIDC_COOKIE_MAX ? arena_alloc(a, size) : NULL;
    sodium_memzero(key, sizeof key);
    if (!out)
        return STR_NONE;
    sodium_bin2base64(out, size, (const uint8_t *)sealed.p, sealed.n, BASE64);
    return str_of(out);
}

static bool cookie_read(const struct app *app, struct str cookie, struct under_way *ret, struct arena *a)
{
    uint8_t key[SEAL_KEY_BYTES], *bytes = arena_alloc(a, OIDC_COOKIE_MAX);
    size_t n = 0;
    struct str text;
    if (!bytes || !cookie.p || cookie.n > OIDC_COOKIE_MAX ||
        sodium_base642bin(bytes, OIDC_COOKIE_MAX, cookie.p, cookie.n, NULL, &n, NULL, BASE64) != 0)
        return false;
    sealing_key(app, key);
    bool ok = seal_open(key, cookie_name, str_of_n((char *)bytes, n), &text, a);
    sodium_memzero(key, sizeof key);
    if (!ok)
        return false;
    struct under_way w = {.until = {0}};
    w.state = str_split(text, '\n', &text);
    w.nonce = str_split(text, '\n', &text);
    w.verifier = str_split(text, '\n', &text);
    ok = str_to_i64(str_split(text, '\n', &text), &w.until.us);
    w.challenge = str_split(text, '\n', &w.return_to);
    *ret = w;
    return ok;
}

// ---- begin -------------------------------------------------------------------------------------

// A path of this server: "/x", not "//x" or "/\x", which browsers take for another host.
static bool path_is_ours(struct str path)
{
    bool ok = path.n > 0 && path.n <= OIDC_RETURN_MAX && path.p[0] == '/' &&
              (path.n == 1 || (path.p[1] != '/' && path.p[1] != '\\'));
    for (size_t i = 0; ok && i < path.n; i++)
        ok = path.p[i] > ' ' && path.p[i] < 0x7f && path.p[i] != '\\';
    return ok;
}

static bool base64url(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_'))
            return false;
    }
    return true;
}

static struct str chance(struct arena *a)
{
    char text[SECRET_TOKEN_MAX];
    return arena_str(a, str_of(secret_token_new("", text)));
}

static void param_put(struct sbuf *out, const char *name, struct str value)
{
    sbuf_puts(out, str_find(sbuf_str(out), '?') < out->n ? "&" : "?");
    sbuf_fmt(out, "%s=", name);
    sbuf_url(out, value);
}

static struct str redirect_url(const struct oidc *o, const struct oidc_provider *p, const struct under_way *w,
                               struct arena *a)
{
    struct sbuf url;
    sbuf_init(&url, a, URL_MAX);
    sbuf_put(&url, p->authorization);
    param_put(&url, "response_type", STR("code"));
    param_put(&url, "client_id", o->set.client_id);
    param_put(&url, "redirect_uri", o->set.redirect_url);
    param_put(&url, "scope", o->set.scopes);
    param_put(&url, "state", w->state);
    param_put(&url, "nonce", w->nonce);
    param_put(&url, "code_challenge", pkce_challenge(w->verifier, a));
    param_put(&url, "code_challenge_method", STR("S256"));
    return sbuf_ok(&url) ? sbuf_str(&url) : STR_NONE;
}

bool app_oidc_begin(struct app *app, const struct oidc_begin *b, struct oidc_begun *ret, struct arena *a,
                    struct err *err)
{
    struct oidc_provider p;
    struct under_way w = {.return_to = b->return_to.p ? b->return_to : STR("/"), .challenge = b->challenge};
    if (!app->oidc || !app->key)
        return none_here(err);
    if (!path_is_ours(w.return_to)) {
        (void)ERR(err, ERR_INVALID, "\"return\" must be a path of this server that begins with one \"/\"");
        return err_at(err, "?return");
    }
    if (w.challenge.p && (w.challenge.n != OIDC_CHALLENGE_CHARS || !base64url(w.challenge))) {
        (void)ERR(err, ERR_INVALID, "\"cli\" must be the SHA-256 of a verifier as base64url, 43 characters");
        return err_at(err, "?cli");
    }
    if (!oidc_provider_now(app, &p, a, err))
        return false;
    w.state = chance(a);
    w.nonce = chance(a);
    w.verifier = chance(a);
    w.until = instant_add(clock_now(app->clock), duration_s(OIDC_SIGN_ON_S));
    struct oidc_begun begun = {.url = redirect_url(app->oidc, &p, &w, a), .cookie = cookie_write(app, &w, a)};
    if (!begun.url.p || !begun.cookie.p || a->exhausted)
        return no_memory(err);
    *ret = begun;
    return true;
}

// ---- return ------------------------------------------------------------------------------------

static bool foreign(struct err *err)
{
    return ERR(err, ERR_UNAUTHENTICATED,
               "this sign-in was not begun in this browser, or more than ten minutes ago; start again");
}

// What the provider says instead of a code, if it is a word we may show.
static bool refused(struct str word, struct err *err)
{
    bool fit = word.n > 0 && word.n <= ERROR_WORD_MAX;
    for (size_t i = 0; fit && i < word.n; i++)
        fit = (word.p[i] >= 'a' && word.p[i] <= 'z') || word.p[i] == '_';
    return ERR(err, ERR_DENIED, "the provider ended the sign-in: %.*s", STR_ARG(fit ? word : STR("unknown")));
}

static bool return_check(struct app *app, const struct oidc_return *r, struct under_way *ret, struct arena *a,
                         struct err *err)
{
    if (!cookie_read(app, r->cookie, ret, a) || !r->state.p || !str_eq_secret(r->state, ret->state) ||
        clock_now(app->clock).us >= ret->until.us)
        return foreign(err);
    // RFC 9207: the answer of another provider is not taken for this one's.
    if (r->issuer.p && !str_eq(r->issuer, app->oidc->set.issuer))
        return ERR(err, ERR_UNAUTHENTICATED, "the answer comes from another provider than the sign-in was begun with");
    if (r->error.p)
        return refused(r->error, err);
    return (r->code.n > 0 && r->code.n <= CODE_TEXT_MAX) ||
           ERR(err, ERR_INVALID, "the provider sent no code; start again");
}

// Each sign-in ends once, on whichever node: its state becomes a row that can be put only once.
static bool use_up(struct app *app, const struct under_way *w, struct ulid user, struct err *err)
{
    struct session s = {.family = app_id(app), .user_id = user, .created_at = clock_now(app->clock),
                        .expires_at = w->until, .used = true};
    struct err why = {0};
    secret_token_hash_for(used_purpose, w->state, s.token_hash);
    if (app->store->ops->session_insert(app->store, &s, &why))
        return true;
    if (why.code == ERR_CONFLICT)
        return ERR(err, ERR_UNAUTHENTICATED, "this sign-in has been used already; start again");
    *err = why;
    return false;
}

static void code_hash(struct str code, struct str challenge, uint8_t ret[static SECRET_TOKEN_HASH_BYTES])
{
    char text[OIDC_CODE_MAX + OIDC_CHALLENGE_CHARS];
    must(code.n <= OIDC_CODE_MAX && challenge.n == OIDC_CHALLENGE_CHARS);
    memcpy(text, challenge.p, challenge.n);
    memcpy(text + challenge.n, code.p, code.n);
    secret_token_hash_for(code_purpose, str_of_n(text, challenge.n + code.n), ret);
}

static bool code_open(struct app *app, const struct user *u, struct str challenge, struct str *ret, struct arena *a,
                      struct err *err)
{
    struct instant now = clock_now(app->clock);
    struct session s = {.family = app_id(app), .user_id = u->id, .created_at = now,
                        .expires_at = instant_add(now, duration_s(OIDC_CODE_S))};
    char text[SECRET_TOKEN_MAX];
    struct str code = arena_str(a, str_of(secret_token_new("chc_", text)));
    if (!code.p)
        return no_memory(err);
    code_hash(code, challenge, s.token_hash);
    if (!app->store->ops->session_insert(app->store, &s, err))
        return false;
    *ret = code;
    return true;
}

static void note_login(struct app *app, const struct caller *c, const struct user *u, struct arena *a)
{
    struct caller who = *c;
    who.user_id = u->id;
    who.email = u->email;
    const struct audit_note note = {.action = "session.login", .entity_type = "user", .entity_id = u->id,
                                    .entity_name = u->email, .outcome = AUDIT_DONE,
                                    .detail = STR("by the OpenID provider")};
    audit_with(app, &who, &note, a);
}

static bool finish(struct app *app, const struct caller *c, const struct oidc_return *r, struct oidc_done *ret,
                   struct arena *a, struct err *err)
{
    struct under_way w = {.until = {0}};
    struct id_token t;
    struct user u;
    if (!return_check(app, r, &w, a, err) || !oidc_identify(app, r->code, w.verifier, w.nonce, &t, a, err) ||
        !oidc_user_of(app, c, &t, &u, a, err) || !use_up(app, &w, u.id, err))
        return false;
    struct oidc_done done = {.return_to = arena_str(a, w.return_to)};
    note_login(app, c, &u, a);
    bool ok = w.challenge.n > 0 ? code_open(app, &u, w.challenge, &done.code, a, err)
                                : browser_open(app, &u, &done.session, a, err);
    if (!ok) {
        audit_drop(app);
        return false;
    }
    *ret = done;
    return true;
}

bool app_oidc_finish(struct app *app, const struct caller *c, const struct oidc_return *r, struct oidc_done *ret,
                     struct arena *a, struct err *err)
{
    struct err why = {0};
    if (!app->oidc || !app->key)
        return none_here(err);
    if (finish(app, c, r, ret, a, &why))
        return true;
    const struct audit_note note = {.action = "session.login", .entity_type = "user",
                                    .entity_name = STR("somebody at the OpenID provider"), .outcome = AUDIT_REFUSED,
                                    .detail = str_of(why.text)};
    audit_alone(app, c, &note, a);
    *err = why;
    return false;
}

bool app_oidc_redeem(struct app *app, const struct oidc_code *r, struct session_answer *ret, struct arena *a,
                     struct err *err)
{
    uint8_t hash[SECRET_TOKEN_HASH_BYTES];
    struct str challenge = pkce_challenge(r->verifier, a);
    if (!app->oidc)
        return none_here(err);
    if (!challenge.p)
        return no_memory(err);
    code_hash(r->code, challenge, hash);
    static const struct caller nobody; // he proves himself by the code alone
    return session_continue(app, &nobody, hash, ret, a, err);
}
