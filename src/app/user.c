// SPDX-License-Identifier: Apache-2.0
// Accounts in the hands of administrators. Rules: app/user.h.
#include "app/user.h"

#include "app/audit.h"
#include "app/cached.h"
#include "app/key_memory.h"
#include "app/owner.h"
#include "app/session.h"
#include "auth/password.h"

enum { STALE_RETRIES_MAX = 3, ROLES_MAX = 8, ONE_TIME_CHARS = 20, GIVE_PAGE = 100, GIVE_BUDGET = 64 * 1024 * 1024 };

#define PASSWORD_ROW(T, text)                                                                                          \
    FIELD_STR(T, password, "password", .flags = FIELD_SECRET, .min = 1, .max = PASSWORD_MAX, .doc = text)

static const struct field request_rows[] = {
    FIELD_STR(struct user_request, email, "email", .flags = FIELD_REQUIRED, .min = 1, .max = EMAIL_MAX,
              .doc = "Address to sign in with."),
    PASSWORD_ROW(struct user_request, "At least 12 characters; absent: one is made, good for one sign-in."),
    FIELD_STRS(struct user_request, roles, "roles", .max = ROLES_MAX, .doc = "ADMIN, OPERATOR, USER, VIEWER, AUDITOR."),
    FIELD_BOOL(struct user_request, enabled, "enabled", FIELD_DEFAULT(true), .doc = "Whether the user may sign in."),
};
const struct fields user_request_fields =
    FIELDS("UserRequest", struct user_request, request_rows, .doc = "A new account, made by an administrator.");

static const struct field edit_rows[] = {
    FIELD_STRS(struct user_edit, roles, "roles", .max = ROLES_MAX, .doc = "ADMIN, OPERATOR, USER, VIEWER, AUDITOR."),
    FIELD_BOOL(struct user_edit, enabled, "enabled", .doc = "Whether the user may sign in."),
};
const struct fields user_edit_fields =
    FIELDS("UserEdit", struct user_edit, edit_rows, .doc = "What changes of an account; absent members stay.");

static const struct field reset_rows[] = {
    PASSWORD_ROW(struct user_reset, "The password for the next sign-in; absent: one is made and shown once."),
};
const struct fields user_reset_fields =
    FIELDS("PasswordReset", struct user_reset, reset_rows, .doc = "A password for one sign-in, which changes it.");

#define T struct user_made
static const struct field made_rows[] = {
    FIELD_ID(T, user.id, "id", .flags = FIELD_READ_ONLY, .doc = "Identifier (ULID)."),
    FIELD_STR(T, user.email, "email", .flags = FIELD_READ_ONLY, .doc = "Address to sign in with."),
    FIELD_STRS(T, user.roles, "roles", .flags = FIELD_READ_ONLY, .doc = "What the user may do."),
    FIELD_BOOL(T, user.enabled, "enabled", .flags = FIELD_READ_ONLY, .doc = "Whether the user may sign in."),
    FIELD_BOOL(T, user.must_change, "mustChangePassword", .flags = FIELD_READ_ONLY,
               .doc = "Whether the password is to be changed at the next sign-in."),
    FIELD_INSTANT(T, user.created_at, "createdAt", .flags = FIELD_READ_ONLY, .doc = "When the account was made."),
    FIELD_STR(T, one_time_password, "oneTimePassword", .flags = FIELD_READ_ONLY,
              .doc = "The password that was made: for 72 hours and one sign-in, which changes it. Shown once."),
};
#undef T
const struct fields user_made_fields =
    FIELDS("UserMade", struct user_made, made_rows, .doc = "An account and, shown this once, its one-time password.");

static bool no_memory(struct err *err)
{
    return ERR(err, ERR_TOO_LARGE, "the request needs more memory than one request may have");
}

static bool may(const struct caller *c, struct err *err)
{
    enum reach reach;
    return app_authorize(c, ACTION_USER_ADMIN, &reach, err);
}

static bool no_such_user(struct ulid id, struct err *err)
{
    char text[ULID_TEXT_MAX];
    return ERR(err, ERR_NOT_FOUND, "user \"%s\" does not exist", ulid_format(id, text));
}

static bool user_find(struct app *app, struct ulid id, struct user *ret, struct arena *a, struct err *err)
{
    struct err why = {0};
    if (app->store->ops->user_get(app->store, id, ret, a, &why))
        return true;
    if (why.code == ERR_NOT_FOUND)
        return no_such_user(id, err);
    *err = why;
    return false;
}

static void noted(struct app *app, const struct caller *c, const char *action, const struct user *before,
                  const struct user *after, struct arena *a)
{
    const struct user *u = after ? after : before;
    const struct audit_note note = {.action = action, .entity_type = "user", .entity_id = u->id,
                                    .entity_name = u->email, .fields = &user_fields, .before = before, .after = after};
    audit_with(app, c, &note, a);
}

static bool one_time_password(struct str *ret, struct arena *a, struct err *err)
{
    char text[SECRET_TOKEN_MAX];
    struct str made = arena_str(a, str_of_n(secret_token_new("", text), ONE_TIME_CHARS));
    if (!made.p)
        return no_memory(err);
    *ret = made;
    return true;
}

// ---- make ----

bool app_user_create(struct app *app, const struct caller *c, const struct user_request *r, struct user_made *ret,
                     struct faults *faults, struct arena *a, struct err *err)
{
    static struct str user_role[] = {STR_INIT("USER")};
    struct user_made made = {.one_time_password = STR_NONE};
    struct strs roles = r->roles.n > 0 ? r->roles : (struct strs){user_role, 1};
    struct str password = r->password;
    if (!may(c, err))
        return false;
    if (!roles_check(&roles, faults))
        return ERR(err, ERR_INVALID, "\"roles\" names a role that does not exist");
    if (!password.p) {
        if (!one_time_password(&made.one_time_password, a, err))
            return false;
        password = made.one_time_password;
    }
    if (!user_make(app, r->email, password, roles, &made.user, faults, a, err))
        return false;
    made.user.enabled = r->enabled;
    made.user.must_change = made.one_time_password.p != NULL;
    if (made.user.must_change)
        made.user.one_time_until = instant_add(made.user.created_at, duration_s(ONE_TIME_PASSWORD_S));
    struct err why = {0};
    noted(app, c, "user.create", NULL, &made.user, a);
    if (!app->store->ops->user_insert(app->store, &made.user, &why)) {
        if (why.code == ERR_CONFLICT)
            return ERR(err, ERR_CONFLICT, "an account with this e-mail address exists already");
        *err = why;
        return false;
    }
    *ret = made;
    return true;
}

// ---- read ----

bool app_users_list(struct app *app, const struct caller *c, const struct user_filter *f, const struct page *p,
                    struct user **ret, size_t *ret_n, struct page_result *ret_page, struct arena *a, struct err *err)
{
    return may(c, err) &&
           app->store->ops->accounts->users_list(app->store, f, p, ret, ret_n, ret_page, a, err);
}

bool app_user_get(struct app *app, const struct caller *c, struct ulid id, struct user *ret, struct arena *a,
                  struct err *err)
{
    return may(c, err) && user_find(app, id, ret, a, err);
}

// ---- change ----

// The new state counts from now on: the epoch revokes access tokens, and refresh tokens end.
static bool change(struct app *app, struct user *u, struct err *err)
{
    u->session_epoch++;
    return cached_user_update(app, u, err) && app->store->ops->sessions_end_all(app->store, u->id, err);
}

bool app_user_edit(struct app *app, const struct caller *c, struct ulid id, const struct user_edit *e,
                   struct user *ret, struct faults *faults, struct arena *a, struct err *err)
{
    if (!may(c, err))
        return false;
    if (e->roles.v && !roles_check(&e->roles, faults))
        return ERR(err, ERR_INVALID, "\"roles\" names a role that does not exist");
    if (e->roles.v && e->roles.n == 0) {
        (void)ERR(err, ERR_INVALID, "must name at least one role; to lock somebody out set \"enabled\" to false");
        return err_at(err, "/roles");
    }
    for (int tries = 0;; tries++) {
        struct user before, after;
        struct err why = {0};
        if (!user_find(app, id, &before, a, err))
            return false;
        after = before;
        if (e->roles.v)
            after.roles = e->roles;
        if (e->sets_enabled)
            after.enabled = e->enabled;
        bool same = after.enabled == before.enabled && user_role_bits(&after) == user_role_bits(&before);
        if (!same)
            noted(app, c, "user.update", &before, &after, a);
        if (same || change(app, &after, &why)) {
            *ret = after;
            return true;
        }
        if (why.code != ERR_STALE || tries >= STALE_RETRIES_MAX) {
            *err = why;
            return false;
        }
    }
}

bool app_user_reset_password(struct app *app, const struct caller *c, struct ulid id, const struct user_reset *r,
                             struct user_made *ret, struct arena *a, struct err *err)
{
    struct user_made made = {.one_time_password = STR_NONE};
    struct str password = r->password;
    struct user before;
    if (!may(c, err) || !user_find(app, id, &before, a, err) ||
        (!password.p && !one_time_password(&made.one_time_password, a, err)))
        return false;
    if (!password.p)
        password = made.one_time_password;
    made.user = before;
    if (!password_check(password, before.email, err) || !password_hash(password, &made.user.password_hash, a, err))
        return false;
    made.user.must_change = true;
    made.user.one_time_until = instant_add(clock_now(app->clock), duration_s(ONE_TIME_PASSWORD_S));
    noted(app, c, "user.reset-password", &before, &made.user, a);
    if (!change(app, &made.user, err))
        return false;
    *ret = made;
    return true;
}

// ---- delete ----

// One job to its new owner. One that changed or went away meanwhile is left for the next round.
static bool job_give(struct app *app, const struct caller *c, const struct job *old, struct ulid to, bool to_team,
                     struct arena *a, struct err *err)
{
    struct job j = *old;
    struct plan *plan;
    size_t n = 0;
    struct err why = {0};
    if (!app->store->ops->plans_get(app->store, &j.id, 1, &plan, &n, a, err))
        return false;
    if (n == 0 || plan->version != old->version)
        return true;
    j.owner_id = to;
    j.team_id = to_team ? to : ULID_ZERO;
    j.version = plan->version = old->version + 1;
    j.updated_at = clock_now(app->clock);
    const struct audit_note note = {.action = "job.give", .entity_type = "job", .entity_id = j.id,
                                    .entity_name = j.name, .fields = &job_fields, .before = old, .after = &j};
    audit_with(app, c, &note, a);
    if (cached_job_give(app, &j, plan, old->version, &why)) {
        app_poke_jobs(app, &j.id, 1);
        return true;
    }
    if (why.code == ERR_STALE || why.code == ERR_NOT_FOUND)
        return true;
    *err = why;
    return false;
}

static bool jobs_give(struct app *app, const struct caller *c, struct ulid from, struct ulid to, bool to_team,
                      struct arena *a, struct err *err)
{
    (void)a;
    struct job_filter f = {.owner_id = from, .status = -1};
    struct page p = {.size = GIVE_PAGE, .ascending = true};
    for (size_t n = GIVE_PAGE; n > 0;) {
        struct arena page CLEANUP(arena_release);
        struct page_result result;
        struct job *v;
        arena_init(&page, GIVE_BUDGET);
        n = 0;
        if (!app->store->ops->jobs_list(app->store, &f, &p, &v, &n, &result, &page, err))
            return false;
        for (size_t i = 0; i < n; i++)
            if (!job_give(app, c, &v[i], to, to_team, &page, err))
                return false;
    }
    return true;
}

// Before jobs are given away for nothing.
static bool not_the_last_admin(struct app *app, const struct user *u, struct arena *a, struct err *err)
{
    const struct user_filter f = {.role = ROLE_ADMIN, .enabled = 1};
    const struct page p = {.size = 1};
    struct page_result result;
    struct user *v;
    size_t n = 0;
    if (!u->enabled || !(user_role_bits(u) & 1u << ROLE_ADMIN))
        return true;
    if (!app->store->ops->accounts->users_list(app->store, &f, &p, &v, &n, &result, a, err))
        return false;
    return result.total > 1 ||
           ERR(err, ERR_CONFLICT, "this is the last administrator who can sign in: make another one first");
}

bool jobs_hand_over(struct app *app, const struct caller *c, struct ulid from, const char *what,
                    struct ulid transfer_to, struct arena *a, struct err *err)
{
    bool to_team;
    int64_t jobs = 0;
    if (!app->store->ops->accounts->jobs_owned(app->store, from, &jobs, err))
        return false;
    if (ulid_is_zero(transfer_to))
        return jobs == 0 || ERR(err, ERR_CONFLICT,
                                "%lld jobs belong to this %s: delete them, or give them to a user or a team with "
                                "\"transferTo\" (--transfer-to)",
                                (long long)jobs, what);
    if (ulid_eq(transfer_to, from)) {
        (void)ERR(err, ERR_INVALID, "must be somebody else");
        return err_at(err, "/transferTo");
    }
    return owner_exists(app, transfer_to, "/transferTo", &to_team, a, err) &&
           jobs_give(app, c, from, transfer_to, to_team, a, err);
}

bool app_user_delete(struct app *app, const struct caller *c, struct ulid id, struct ulid transfer_to,
                     struct arena *a, struct err *err)
{
    struct user u;
    if (!may(c, err) || !user_find(app, id, &u, a, err) || !not_the_last_admin(app, &u, a, err) ||
        !jobs_hand_over(app, c, id, "user", transfer_to, a, err))
        return false;
    noted(app, c, "user.delete", &u, NULL, a);
    bool ok = cached_user_delete(app, id, err);
    key_memory_forget(app->key_memory);
    return ok;
}
