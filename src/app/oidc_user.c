// SPDX-License-Identifier: Apache-2.0
// Who somebody at the provider is here: bound, made, or taken over; roles out of groups. Rules: app/oidc.h.
#include "app/oidc_impl.h"

#include "app/audit.h"
#include "app/cached.h"

enum { KEY_TEXT_MAX = IDENTITY_ISSUER_MAX + IDENTITY_SUBJECT_MAX + 1, ROLES = ROLE_AUDITOR + 1 };

static bool no_memory(struct err *err)
{
    return ERR(err, ERR_TOO_LARGE, "the request needs more memory than one request may have");
}

// ---- roles -------------------------------------------------------------------------------------

static unsigned roles_of(const struct oidc_settings *s, const struct strs *groups)
{
    unsigned bits = 0;
    for (size_t i = 0; i < s->n_map; i++)
        for (size_t g = 0; g < groups->n; g++)
            if (str_eq(s->map[i].group, groups->v[g]))
                bits |= 1u << s->map[i].role;
    if (bits == 0 && s->default_role >= 0)
        bits = 1u << s->default_role;
    return bits;
}

static bool roles_words(unsigned bits, struct strs *ret, struct arena *a)
{
    *ret = (struct strs){arena_new_array(a, struct str, ROLES), 0};
    for (int role = 0; ret->v && role < ROLES; role++)
        if (bits & 1u << role)
            ret->v[ret->n++] = str_of(role_names[role]);
    return ret->v != NULL;
}

// ---- audit -------------------------------------------------------------------------------------

static void note_change(struct app *app, const struct caller *c, const char *action, const struct user *before,
                        const struct user *after, struct str detail, struct arena *a)
{
    const struct audit_note note = {.action = action, .entity_type = "user", .entity_id = after->id,
                                    .entity_name = after->email, .outcome = AUDIT_DONE, .detail = detail,
                                    .fields = &user_fields, .before = before, .after = after};
    audit_with(app, c, &note, a);
}

static bool changed(struct app *app, const struct user *u, struct err *err)
{
    if (cached_user_update(app, u, err))
        return true;
    audit_drop(app);
    return false;
}

// ---- users -------------------------------------------------------------------------------------

static bool no_role(struct err *err)
{
    return ERR(err, ERR_DENIED, "no group of yours gives you a role here; ask an administrator");
}

// Who is in no group any more keeps the account, and nothing that could be done with it.
static bool put_out(struct app *app, const struct caller *c, const struct user *before, struct arena *a,
                    struct err *err)
{
    struct user u = *before;
    u.roles.n = 0;
    u.session_epoch++;
    note_change(app, c, "user.update", before, &u, STR("no group gives a role any more"), a);
    return changed(app, &u, err) && app->store->ops->sessions_end_all(app->store, u.id, err) && no_role(err);
}

static bool known_user(struct app *app, const struct caller *c, struct ulid id, unsigned roles, struct user *ret,
                       struct arena *a, struct err *err)
{
    struct user u;
    if (!app->store->ops->user_get(app->store, id, &u, a, err))
        return false;
    if (!u.enabled)
        return ERR(err, ERR_DENIED, "this account is turned off; ask an administrator");
    if (roles == 0)
        return put_out(app, c, &u, a, err);
    *ret = u;
    if (user_role_bits(&u) == roles)
        return true;
    if (!roles_words(roles, &ret->roles, a))
        return no_memory(err);
    note_change(app, c, "user.update", &u, ret, STR("roles by the groups at the provider"), a);
    return changed(app, ret, err);
}

static struct identity identity_of(struct app *app, const struct id_token *t, struct ulid user)
{
    const struct oidc_settings *s = &app->oidc->set;
    struct identity v = {.issuer = s->issuer, .subject = t->subject, .user_id = user,
                         .created_at = clock_now(app->clock)};
    char text[KEY_TEXT_MAX];
    must(s->issuer.n <= IDENTITY_ISSUER_MAX && t->subject.n <= IDENTITY_SUBJECT_MAX);
    memcpy(text, s->issuer.p, s->issuer.n);
    text[s->issuer.n] = '\0'; // in no address, so that no two pairs give one text
    memcpy(text + s->issuer.n + 1, t->subject.p, t->subject.n);
    secret_token_hash_for("identity at a provider", str_of_n(text, s->issuer.n + 1 + t->subject.n), v.key);
    return v;
}

// An account that was made by a password, perhaps by somebody who does not own the address: what he knows ends here.
static bool take_over(struct app *app, const struct caller *c, const struct id_token *t, const struct user *before,
                      unsigned roles, struct user *ret, struct arena *a, struct err *err)
{
    struct user u = *before;
    struct identity v = identity_of(app, t, u.id);
    if (!app->oidc->set.link_verified || !t->email_verified)
        return ERR(err, ERR_CONFLICT,
                   "an account with your e-mail address exists already: sign in to it with its password, or ask an "
                   "administrator to remove it or to set oidc.linkVerifiedEmail");
    if (!u.enabled)
        return ERR(err, ERR_DENIED, "this account is turned off; ask an administrator");
    u.password_hash = STR_NONE;
    u.session_epoch++;
    if (!roles_words(roles, &u.roles, a))
        return no_memory(err);
    note_change(app, c, "user.update", before, &u, STR("taken over by a verified e-mail address"), a);
    if (!changed(app, &u, err) || !app->store->ops->sessions_end_all(app->store, u.id, err) ||
        !app->store->ops->sign_on->identity_put(app->store, &v, NULL, err))
        return false;
    *ret = u;
    return true;
}

static bool new_user(struct app *app, const struct caller *c, const struct id_token *t, struct str email,
                     unsigned roles, struct user *ret, struct arena *a, struct err *err)
{
    struct user u = {.id = app_id(app), .email = email, .enabled = true, .session_epoch = 1,
                     .created_at = clock_now(app->clock)};
    struct identity v = identity_of(app, t, u.id);
    if (!roles_words(roles, &u.roles, a))
        return no_memory(err);
    note_change(app, c, "user.create", NULL, &u, STR("by the OpenID provider"), a);
    if (!app->store->ops->sign_on->identity_put(app->store, &v, &u, err)) {
        audit_drop(app);
        return false;
    }
    *ret = u;
    return true;
}

static struct str lower(struct str s, struct arena *a)
{
    char *p = arena_cstr(a, s);
    for (size_t i = 0; p && i < s.n; i++)
        if (p[i] >= 'A' && p[i] <= 'Z')
            p[i] = (char)(p[i] - 'A' + 'a');
    return (struct str){p, p ? s.n : 0};
}

bool oidc_user_of(struct app *app, const struct caller *c, const struct id_token *t, struct user *ret, struct arena *a,
                  struct err *err)
{
    unsigned roles = roles_of(&app->oidc->set, &t->groups);
    struct identity v = identity_of(app, t, ULID_ZERO);
    struct ulid id;
    struct user there;
    struct err why = {0};
    if (app->store->ops->sign_on->identity_get(app->store, v.key, &id, &why))
        return known_user(app, c, id, roles, ret, a, err);
    if (why.code != ERR_NOT_FOUND) {
        *err = why;
        return false;
    }
    if (roles == 0)
        return no_role(err);
    struct str email = lower(t->email, a);
    if (!email.p || !email_valid(email) || t->email_doubted)
        return ERR(err, ERR_DENIED,
                   "the provider names no e-mail address of yours, or one it has not verified; it is needed "
                   "for an account "
                   "(scope \"email\")");
    why = (struct err){0};
    if (app->store->ops->user_by_email(app->store, email, &there, a, &why))
        return take_over(app, c, t, &there, roles, ret, a, err);
    if (why.code != ERR_NOT_FOUND) {
        *err = why;
        return false;
    }
    return new_user(app, c, t, email, roles, ret, a, err);
}
