// SPDX-License-Identifier: Apache-2.0
// Accounts and sessions: register, sign in, refresh, sign out, change the password.
//
// An access token lives minutes and is checked against the user's session epoch with every request; a refresh token
// lives weeks, is used once, and a second use revokes its family (RFC 9700 §4.14). Wrong passwords and unknown
// accounts answer alike and take the same time.
#ifndef APP_SESSION_H
#define APP_SESSION_H

#include "app/app.h"

// What register, login and refresh answer (api.md §2).
struct session_answer {
    struct str access_token, refresh_token, token_type;
    int64_t expires_in; // seconds
    struct ulid id;     // of the user
    struct str email;
    struct strs roles;
    struct str csrf_token; // of a browser's session, which has no tokens
    struct str cookie;     // of a browser's session; not part of the body
};
extern const struct fields session_answer_fields;

struct registration {
    struct str email, password;
    struct strs roles; // acted on only when an administrator asks
};
extern const struct fields registration_fields;
// Creates an account with role USER. Closed registration: ERR_DENIED unless an administrator asks, who may also
// choose the roles, and who gets no tokens of the new account. ERR_CONFLICT: address taken.
bool app_register(struct app *app, const struct caller *c, const struct registration *r, struct session_answer *ret,
                  struct faults *faults, struct arena *a, struct err *err) __attribute__((warn_unused_result));

struct credentials {
    struct str email, password;
    struct str new_password; // absent: as it is
    bool cookie; // a session of a browser instead of tokens
};
extern const struct fields credentials_fields;
// ERR_UNAUTHENTICATED, or ERR_THROTTLED with *ret_wait.
bool app_login(struct app *app, const struct caller *c, const struct credentials *w, struct session_answer *ret,
               struct duration *ret_wait, struct arena *a, struct err *err) __attribute__((warn_unused_result));
bool app_refresh(struct app *app, const struct caller *c, struct str refresh_token, struct session_answer *ret,
                 struct arena *a, struct err *err) __attribute__((warn_unused_result));
// Ends the session of the refresh token; without one, every session of the caller, access tokens included.
bool app_logout(struct app *app, const struct caller *c, struct str refresh_token, struct arena *a, struct err *err)
    __attribute__((warn_unused_result));
bool app_me(struct app *app, const struct caller *c, struct user *ret, struct arena *a, struct err *err)
    __attribute__((warn_unused_result));

struct password_change {
    struct str current_password, new_password;
};
extern const struct fields password_change_fields;
// Every token of the user is revoked; the answer holds new ones for this client.
bool app_password_change(struct app *app, const struct caller *c, const struct password_change *p,
                         struct session_answer *ret, struct duration *ret_wait, struct arena *a, struct err *err)
    __attribute__((warn_unused_result));

// -- for app/setup.c --
// A user record with a hashed password; the address is checked and lower-cased. Faults carry /email and /password.
bool user_make(struct app *app, struct str email, struct str password, struct strs roles, struct user *ret,
               struct faults *faults, struct arena *a, struct err *err) __attribute__((warn_unused_result));
// Faults under /roles for words that are none. True: no fault.
bool roles_check(const struct strs *roles, struct faults *f);
// A new pair of tokens for a secret of this hash, which is used up; used again, its whole family ends.
bool session_continue(struct app *app, const struct caller *c, const uint8_t old_hash[static SECRET_TOKEN_HASH_BYTES],
                      struct session_answer *ret, struct arena *a, struct err *err) __attribute__((warn_unused_result));
// Opens a new session family.
bool session_open(struct app *app, const struct user *u, struct session_answer *ret, struct arena *a, struct err *err)
    __attribute__((warn_unused_result));

#endif
