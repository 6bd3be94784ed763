// SPDX-License-Identifier: Apache-2.0
// Sign-in by an OpenID provider: authorization code with PKCE (RFC 7636), state and nonce. What belongs to a sign-in
// under way travels in a sealed cookie of the browser that began it, so any node may finish it; it can be used once.
//
// A user is bound to (issuer, subject) and to nothing else. An address that an account has already is taken over only
// when the setting says so and the provider vouches for it; that account's password and sessions then end. Roles follow
// the groups at each sign-in: who is in no group any more loses them and every session.
#ifndef APP_OIDC_H
#define APP_OIDC_H

#include "app/session.h"

enum {
    OIDC_SIGN_ON_S = 600,     // from the begin to the return of the browser
    OIDC_CODE_S = 300,        // life of the code that is copied to a command line
    OIDC_RETURN_MAX = 512,
    OIDC_CHALLENGE_CHARS = 43,
    OIDC_CODE_MAX = 64,
    OIDC_COOKIE_MAX = 2048,
    OIDC_TALKS_MAX = 8,       // with the provider at the same time; more are refused
    OIDC_FRESH_S = 3600,      // the provider's documents are read again after this time
    OIDC_KEYS_ASKS = 6,       // and its keys, when a token names one they do not hold, so often a minute
};

struct oidc_role {
    struct str group;
    int role; // enum role
};
struct oidc_settings {
    struct str issuer, client_id, client_secret; // secret absent: a public client
    struct str scopes;                           // with blanks between
    struct str groups_claim;
    struct str redirect_url; // of our callback, as the provider knows it
    const struct oidc_role *map;
    size_t n_map;
    int default_role;     // of who is in none of the groups; −1: refused
    bool link_verified;   // a verified address takes over the account that has it
};

// How the provider is asked: GET, or POST of a form.
struct oidc_exchange {
    struct str url, form;      // form absent: GET
    struct str user, password; // HTTP basic; absent: none
};
struct oidc_web {
    // Any answer is a success. ERR_UPSTREAM: none came in time, or it was too long.
    bool (*ask)(void *ctx, const struct oidc_exchange *x, int *ret_status, struct str *ret_body, struct arena *a,
                struct err *err);
    void *ctx;
};

// Texts and ctx stay the caller's and must outlive it. Owner: caller, who sets app.oidc.
struct oidc *oidc_new(const struct oidc_settings *s, const struct oidc_web *web);
void oidc_free(struct oidc *o); // NULL is fine

struct oidc_begin {
    struct str return_to; // a path of ours; absent: "/"
    struct str challenge; // of a command line that waits for a code; absent: a browser's session
};
struct oidc_begun {
    struct str url;    // where the browser is to go
    struct str cookie; // what it is to bring back
};
// ERR_INVALID: return_to leads elsewhere. ERR_NOT_FOUND: no provider is set up.
bool app_oidc_begin(struct app *app, const struct oidc_begin *b, struct oidc_begun *ret, struct arena *a,
                    struct err *err) __attribute__((warn_unused_result));

struct oidc_return {
    struct str code, state, issuer, error; // of the query
    struct str cookie;
};
struct oidc_done {
    struct session_answer session; // of the browser
    struct str return_to;
    struct str code; // for the command line instead of a session
};
bool app_oidc_finish(struct app *app, const struct caller *c, const struct oidc_return *r, struct oidc_done *ret,
                     struct arena *a, struct err *err) __attribute__((warn_unused_result));

struct oidc_code {
    struct str code, verifier;
};
extern const struct fields oidc_code_fields;
// The command line's code against tokens, once; a second try ends the session that the first one got.
bool app_oidc_redeem(struct app *app, const struct oidc_code *r, struct session_answer *ret, struct arena *a,
                     struct err *err) __attribute__((warn_unused_result));

#endif
