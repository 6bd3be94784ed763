// SPDX-License-Identifier: Apache-2.0
// Accounts and sessions. Rules: app/session.h. The order throttle → password → store is what keeps guessing slow.
#include "app/session.h"

#include "app/audit.h"
#include "app/browser.h"
#include "app/cached.h"
#include "app/feature.h"
#include "app/keys.h"
#include "auth/password.h"

#define T struct session_answer
static const struct field session_answer_rows[] = {
    FIELD_STR(T, access_token, "accessToken", .flags = FIELD_READ_ONLY,
              .doc = "Send it as \"Authorization: Bearer …\"."),
    FIELD_STR(T, refresh_token, "refreshToken", .flags = FIELD_READ_ONLY,
              .doc = "Gets the next access token, once."),
    FIELD_STR(T, token_type, "tokenType", .flags = FIELD_READ_ONLY, .doc = "Always Bearer."),
    FIELD_I64(T, expires_in, "expiresIn", .flags = FIELD_READ_ONLY, .max = INT64_MAX,
              .doc = "Seconds until the access token expires."),
    FIELD_ID(T, id, "id", .flags = FIELD_READ_ONLY, .doc = "Identifier of the user."),
    FIELD_STR(T, email, "email", .flags = FIELD_READ_ONLY, .doc = "Address of the user."),
    FIELD_STRS(T, roles, "roles", .flags = FIELD_READ_ONLY, .doc = "Roles of the user."),
    FIELD_STR(T, csrf_token, "csrfToken", .flags = FIELD_READ_ONLY,
              .doc = "Of a session in a cookie: send it as \"X-Chronos-CSRF\" with all that changes something."),
};
#undef T
const struct fields session_answer_fields =
    FIELDS("Session", struct session_answer, session_answer_rows, .doc = "Tokens of a session.");

#define T struct registration
static const struct field registration_rows[] = {
    FIELD_STR(T, email, "email", .flags = FIELD_REQUIRED, .min = 1, .max = EMAIL_MAX,
              .doc = "Address to sign in with."),
    FIELD_STR(T, password, "password", .flags = FIELD_REQUIRED | FIELD_SECRET, .min = 1, .max = PASSWORD_MAX,
              .doc = "At least 12 characters."),
    FIELD_STRS(T, roles, "roles", .max = 8, .doc = "Acted on only when an administrator asks."),
};
#undef T
const struct fields registration_fields =
    FIELDS("Registration", struct registration, registration_rows, .doc = "A new account.");

#define T struct credentials
static const struct field credentials_rows[] = {
    FIELD_STR(T, email, "email", .flags = FIELD_REQUIRED, .min = 1, .max = EMAIL_MAX, .doc = "Address of the account."),
    FIELD_STR(T, password, "password", .flags = FIELD_REQUIRED | FIELD_SECRET, .min = 1, .max = PASSWORD_MAX,
              .doc = "Password of the account."),
    FIELD_STR(T, new_password, "newPassword", .flags = FIELD_SECRET, .min = 1, .max = PASSWORD_MAX,
              .doc = "The password from now on; needed when the one until now was given by an administrator."),
    FIELD_BOOL(T, cookie, "cookie", FIELD_DEFAULT(false),
               .doc = "Whether to open a session of this browser, in a cookie, instead of answering tokens."),
};
#undef T
const struct fields credentials_fields =
    FIELDS("Credentials", struct credentials, credentials_rows, .doc = "What one signs in with.");

#define T struct password_change
static const struct field password_change_rows[] = {
    FIELD_STR(T, current_password, "currentPassword", .flags = FIELD_REQUIRED | FIELD_SECRET, .min = 1,
              .max = PASSWORD_MAX, .doc = "The password until now."),
    FIELD_STR(T, new_password, "newPassword", .flags = FIELD_REQUIRED | FIELD_SECRET, .min = 1, .max = PASSWORD_MAX,
              .doc = "The password from now on; at least 12 characters."),
};
#undef T
const struct fields password_change_fields =
    FIELDS("PasswordChange", struct password_change, password_change_rows, .doc = "A change of password.");

static const char refresh_prefix[] = "chr_";

static struct str lower(struct str s, struct arena *a)
{
    char *p = arena_cstr(a, s);
    if (!p)
        return STR_NONE;
    for (size_t i = 0; i < s.n; i++)
        if (p[i] >= 'A' && p[i] <= 'Z')
            p[i] = (char)(p[i] - 'A' + 'a');
    return (struct str){p, s.n};
}

static bool no_memory(struct err *err)
{
    return ERR(err, ERR_TOO_LARGE, "the request needs more memory than one request may have");
}

static bool access_token(struct app *app, const struct user *u, struct ulid family, struct str *ret,
                         struct arena *a, struct err *err)
{
    struct instant now = clock_now(app->clock);
    struct token_claims claims = {
        .user_id = u->id,
        .email = u->email,
        .roles = user_role_bits(u),
        .session_epoch = u->session_epoch,
        .family = family,
        .issued_at = now,
        .expires_at = instant_add(now, app->settings.access_life),
    };
    return keys_sign(app, &claims, ret, a, err);
}

static void answer_fill(struct app *app, const struct user *u, struct str access, struct str refresh,
                        struct session_answer *ret)
{
    *ret = (struct session_answer){
        .access_token = access,
        .refresh_token = refresh,
        .token_type = STR("Bearer"),
        .expires_in = app->settings.access_life.us / US_PER_S,
        .id = u->id,
        .email = u->email,
        .roles = u->roles,
    };
}

// About an account. Who has not signed in yet is the account itself, once its password was right.
static struct audit_note note_of(const char *action, const char *type, const struct user *u)
{
    return (struct audit_note){
        .action = action, .entity_type = type, .entity_id = u->id, .entity_name = u->email};
}

static struct caller as_user(const struct caller *c, const struct user *u)
{
    struct caller who = *c;
    if (!c->signed_in) {
        who.user_id = u->id;
        who.email = u->email;
    }
    return who;
}

bool session_open(struct app *app, const struct user *u, struct session_answer *ret, struct arena *a, struct err *err)
{
    struct instant now = clock_now(app->clock);
    struct session s = {.family = app_id(app), .user_id = u->id, .created_at = now,
                        .expires_at = instant_add(now, app->settings.refresh_life)};
    char token[SECRET_TOKEN_MAX];
    struct str refresh = arena_str(a, str_of(secret_token_new(refresh_prefix, token)));
    struct str access;
    if (!refresh.p)
        return no_memory(err);
    secret_token_hash(refresh, s.token_hash);
    if (!access_token(app, u, s.family, &access, a, err) ||
        !app->store->ops->session_insert(app->store, &s, err))
        return false;
    answer_fill(app, u, access, refresh, ret);
    return true;
}

bool user_make(struct app *app, struct str email, struct str password, struct strs roles, struct user *ret,
               struct faults *faults, struct arena *a, struct err *err)
{
    size_t from = faults->n;
    struct user u = {.id = app_id(app), .email = lower(email, a), .roles = roles, .enabled = true, .session_epoch = 1,
                     .created_at = clock_now(app->clock)};
    struct err why = {0};
    if (!u.email.p)
        return no_memory(err);
    if (!email_valid(u.email))
        faults_add(faults, STR("/email"), "must be an e-mail address such as \"ada@example.org\"");
    if (!password_check(password, u.email, &why))
        faults_add(faults, STR("/password"), "%s", why.text);
    if (faults->n > from)
        return ERR(err, ERR_INVALID, "the account has %zu fault%s", faults->n - from,
                   faults->n - from == 1 ? "" : "s");
    if (!password_hash(password, &u.password_hash, a, err))
        return false;
    *ret = u;
    return true;
}

bool roles_check(const struct strs *roles, struct faults *f)
{
    size_t from = f->n;
    for (size_t i = 0; i < roles->n; i++)
        if (field_enum_find(role_names, roles->v[i]) < 0)
            faults_add(f, arena_fmt(f->a, "/roles/%zu", i),
                       "must be one of ADMIN, OPERATOR, USER, VIEWER, AUDITOR");
    return f->n == from;
}

bool app_register(struct app *app, const struct caller *c, const struct registration *r, struct session_answer *ret,
                  struct faults *faults, struct arena *a, struct err *err)
{
    enum reach reach;
    struct err ignored = {0};
    bool by_admin = c->signed_in && app_authorize(c, ACTION_USER_ADMIN, &reach, &ignored);
    if (!by_admin && !app_feature_want(app, FEATURE_REGISTRATION, err))
        return false;
    if (!app->settings.registration_open && !by_admin)
        return ERR(err, ERR_DENIED, "registration is closed on this server; ask an administrator for an account");
    struct strs roles = {arena_new(a, struct str), 1};
    if (!roles.v)
        return no_memory(err);
    roles.v[0] = str_of(role_names[ROLE_USER]);
    if (by_admin && r->roles.n > 0) {
        if (!roles_check(&r->roles, faults))
            return ERR(err, ERR_INVALID, "\"roles\" names a role that does not exist");
        roles = r->roles;
    }
    struct user u;
    if (!user_make(app, r->email, r->password, roles, &u, faults, a, err))
        return false;
    struct err why = {0};
    struct caller who = as_user(c, &u);
    struct audit_note note = note_of("user.register", "user", &u);
    note.fields = &user_fields;
    note.after = &u;
    audit_with(app, &who, &note, a);
    if (!app->store->ops->user_insert(app->store, &u, &why)) {
        if (why.code == ERR_CONFLICT)
            return ERR(err, ERR_CONFLICT, "an account with this e-mail address exists already; sign in instead");
        *err = why;
        return false;
    }
    if (!by_admin)
        return session_open(app, &u, ret, a, err);
    *ret = (struct session_answer){.expires_in = FIELD_ABSENT, .id = u.id, .email = u.email, .roles = u.roles};
    return true;
}

// Looks at a password under the throttle. *ret_user is filled only when it was right.
static bool password_try(struct app *app, struct str email, struct str remote, struct str password,
                         struct user *ret_user, struct duration *ret_wait, struct arena *a, struct err *err)
{
    struct sign_in_try try = {.account = email, .address = remote, .at = clock_now(app->clock)};
    struct duration wait = sign_in_take(app, &try);
    if (wait.us > 0) {
        *ret_wait = wait;
        return ERR(err, ERR_THROTTLED, "too many failed tries; wait %lld s and try again",
                   (long long)(wait.us / US_PER_S));
    }
    struct user u = {0};
    struct err why = {0};
    bool known = app->store->ops->user_by_email(app->store, email, &u, a, &why);
    if (!known && why.code != ERR_NOT_FOUND) {
        sign_in_give_back(app, &try);
        *err = why;
        return false;
    }
    bool too_late = known && u.must_change && u.one_time_until.us <= try.at.us;
    bool usable = known && u.enabled && !too_late;
    why = (struct err){0};
    bool right = password_verify(password, usable ? u.password_hash : STR_NONE, &why);
    if (right && usable) {
        sign_in_give_back(app, &try);
        *ret_user = u;
        return true;
    }
    if (!right && why.code != ERR_UNAUTHENTICATED) {
        sign_in_give_back(app, &try);
        *err = why;
        return false;
    }
    return ERR(err, ERR_UNAUTHENTICATED, "e-mail address or password is wrong");
}

static bool revoke_all(struct app *app, struct user *u, struct err *err)
{
    u->session_epoch++;
    return cached_user_update(app, u, err) &&
           app->store->ops->sessions_end_all(app->store, u->id, err);
}

// A new password and its consequences: every token of before is revoked.
static bool password_set(struct app *app, const struct caller *c, struct user *u, struct str password, struct arena *a,
                         struct err *err)
{
    if (!password_check(password, u->email, err))
        return err_at(err, "/newPassword");
    u->one_time_until = (struct instant){0};
    if (!password_hash(password, &u->password_hash, a, err))
        return false;
    struct caller who = as_user(c, u);
    struct audit_note note = note_of("user.password", "user", u);
    audit_with(app, &who, &note, a);
    return revoke_all(app, u, err);
}

// A password that was wrong: a record of its own, durable before the answer. Too many tries are counted together.
static void try_told(struct app *app, const struct caller *c, const char *action, struct str email,
                     const struct err *why, struct arena *a)
{
    struct audit_note note = {.action = action,
                              .entity_type = "user",
                              .entity_name = email,
                              .outcome = AUDIT_REFUSED,
                              .detail = str_of(why->text)};
    if (why->code == ERR_UNAUTHENTICATED)
        audit_alone(app, c, &note, a);
    else if (why->code == ERR_THROTTLED)
        audit_refusal(app, c, str_of(action), str_of(why->text), a);
}

// Who signs in with a password that an administrator gave changes it; others may.
static bool password_settle(struct app *app, const struct caller *c, struct user *u, struct str password,
                            struct str new_password, struct arena *a, struct err *err)
{
    if (!new_password.p && !u->must_change)
        return true;
    if (!new_password.p) {
        (void)ERR(err, ERR_DENIED, "this password was given by an administrator and must be changed: send "
                                   "\"newPassword\" along (chronos login asks for it)");
        return err_at(err, "/newPassword");
    }
    if (str_eq(password, new_password)) {
        (void)ERR(err, ERR_INVALID, "must be another one than the password until now");
        return err_at(err, "/newPassword");
    }
    return password_set(app, c, u, new_password, a, err);
}

bool app_login(struct app *app, const struct caller *c, const struct credentials *w, struct session_answer *ret,
               struct duration *ret_wait, struct arena *a, struct err *err)
{
    struct str email = lower(w->email, a);
    struct user u;
    if (!email.p)
        return no_memory(err);
    if (!password_try(app, email, c->remote, w->password, &u, ret_wait, a, err)) {
        try_told(app, c, "session.login", email, err, a);
        return false;
    }
    if (!password_settle(app, c, &u, w->password, w->new_password, a, err))
        return false;
    struct caller who = as_user(c, &u);
    struct audit_note note = note_of("session.login", "user", &u);
    audit_with(app, &who, &note, a);
    bool ok = w->cookie ? browser_open(app, &u, ret, a, err) : session_open(app, &u, ret, a, err);
    audit_drop(app);
    return ok;
}

// A refresh token that was used before: stolen, or sent twice. Its session has ended for everybody.
static void reuse_told(struct app *app, const struct caller *c, struct ulid user_id, struct arena *a)
{
    struct audit_note note = {.action = "session.reuse",
                              .entity_type = "user",
                              .entity_id = user_id,
                              .outcome = AUDIT_REFUSED,
                              .detail = STR("a refresh token was used twice; its session has ended")};
    audit_alone(app, c, &note, a);
}

bool session_continue(struct app *app, const struct caller *c, const uint8_t old_hash[static SECRET_TOKEN_HASH_BYTES],
                      struct session_answer *ret, struct arena *a, struct err *err)
{
    uint8_t new_hash[SECRET_TOKEN_HASH_BYTES];
    char token[SECRET_TOKEN_MAX];
    struct str refresh = arena_str(a, str_of(secret_token_new(refresh_prefix, token)));
    if (!refresh.p)
        return no_memory(err);
    secret_token_hash(refresh, new_hash);
    struct instant now = clock_now(app->clock);
    struct ulid user_id = ULID_ZERO;
    struct user u;
    struct str access;
    struct err why = {0};
    bool ok = app->store->ops->session_rotate(app->store, old_hash, new_hash, now,
                                              instant_add(now, app->settings.refresh_life), &user_id, &why) &&
              app->store->ops->user_get(app->store, user_id, &u, a, &why);
    if (!ok && why.code != ERR_NOT_FOUND && why.code != ERR_UNAUTHENTICATED) {
        *err = why;
        return false;
    }
    if (!ok && why.code == ERR_UNAUTHENTICATED && !ulid_is_zero(user_id))
        reuse_told(app, c, user_id, a);
    if (!ok || !u.enabled)
        return ERR(err, ERR_UNAUTHENTICATED, "the refresh token is unknown, used or expired; sign in again");
    if (!access_token(app, &u, ULID_ZERO, &access, a, err))
        return false;
    answer_fill(app, &u, access, refresh, ret);
    return true;
}

bool app_refresh(struct app *app, const struct caller *c, struct str refresh_token, struct session_answer *ret,
                 struct arena *a, struct err *err)
{
    uint8_t hash[SECRET_TOKEN_HASH_BYTES];
    secret_token_hash(refresh_token, hash);
    return session_continue(app, c, hash, ret, a, err);
}

bool app_logout(struct app *app, const struct caller *c, struct str refresh_token, struct arena *a, struct err *err)
{
    struct user u;
    enum reach reach;
    if (!app_authorize(c, ACTION_ACCOUNT_WRITE, &reach, err) || !app_me(app, c, &u, a, err))
        return false;
    struct audit_note note = note_of("session.logout", "user", &u);
    note.detail = refresh_token.p ? STR("this session") : STR("every session of the account");
    audit_with(app, c, &note, a);
    if (!refresh_token.p)
        return revoke_all(app, &u, err);
    uint8_t hash[SECRET_TOKEN_HASH_BYTES];
    secret_token_hash(refresh_token, hash);
    return app->store->ops->session_end(app->store, hash, err);
}

bool app_me(struct app *app, const struct caller *c, struct user *ret, struct arena *a, struct err *err)
{
    enum reach reach;
    return app_authorize(c, ACTION_SELF, &reach, err) &&
           app->store->ops->user_get(app->store, c->user_id, ret, a, err);
}

bool app_password_change(struct app *app, const struct caller *c, const struct password_change *p,
                         struct session_answer *ret, struct duration *ret_wait, struct arena *a, struct err *err)
{
    enum reach reach;
    struct user u;
    struct err why = {0};
    if (!app_authorize(c, ACTION_ACCOUNT_WRITE, &reach, err))
        return false;
    if (!password_try(app, c->email, c->remote, p->current_password, &u, ret_wait, a, &why)) {
        try_told(app, c, "user.password", c->email, &why, a);
        if (why.code == ERR_UNAUTHENTICATED) {
            (void)ERR(err, ERR_DENIED, "the current password is wrong");
            return err_at(err, "/currentPassword");
        }
        *err = why;
        return false;
    }
    if (!password_set(app, c, &u, p->new_password, a, err))
        return false;
    // The sessions of browsers have ended, too: this one goes on in a new one.
    return c->way == WAY_COOKIE ? browser_open(app, &u, ret, a, err) : session_open(app, &u, ret, a, err);
}
