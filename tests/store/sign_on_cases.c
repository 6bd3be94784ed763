// SPDX-License-Identifier: Apache-2.0
// Identities of an OpenID provider, sessions of browsers, settings that several nodes change.
#include "conformance.h"

static struct user person(struct world *w, const char *email)
{
    static struct str role = STR_INIT("USER");
    return (struct user){.id = id_new(w), .email = str_of(email), .roles = {&role, 1}, .enabled = true,
                         .session_epoch = 1, .created_at = at_s(0)};
}

static struct identity identity(struct ulid user, int n)
{
    struct identity v = {.issuer = STR("https://id.example.org"), .subject = STR("sub'ject; --"), .user_id = user,
                         .created_at = at_s(0)};
    memset(v.key, n, sizeof v.key);
    return v;
}

static void an_identity_is_bound_once(void **state)
{
    struct world *w = *state;
    const struct sign_on_ops *o = w->s->ops->sign_on;
    struct user a = person(w, "a@x.org"), b = person(w, "b@x.org"), back;
    struct identity v = identity(a.id, 1), other = identity(b.id, 1);
    struct ulid user;
    assert_err(w, o->identity_get(w->s, v.key, &user, &w->err), ERR_NOT_FOUND);
    assert_ok(w, o->identity_put(w->s, &v, &a, &w->err));
    world_reopen(w);
    o = w->s->ops->sign_on;
    assert_ok(w, o->identity_get(w->s, v.key, &user, &w->err));
    assert_id(user, a.id);
    assert_ok(w, w->s->ops->user_get(w->s, a.id, &back, &w->a, &w->err));
    assert_true(!back.password_hash.p);
    // Neither the identity nor the user of a second binding stays.
    assert_err(w, o->identity_put(w->s, &other, &b, &w->err), ERR_CONFLICT);
    assert_err(w, w->s->ops->user_get(w->s, b.id, &back, &w->a, &w->err), ERR_NOT_FOUND);
    assert_ok(w, o->identity_get(w->s, v.key, &user, &w->err));
    assert_id(user, a.id);
}

static void an_address_that_is_taken_binds_nothing(void **state)
{
    struct world *w = *state;
    const struct sign_on_ops *o = w->s->ops->sign_on;
    struct user a = person(w, "a@x.org"), same = person(w, "a@x.org");
    struct identity v = identity(same.id, 2);
    struct ulid user;
    assert_ok(w, w->s->ops->user_insert(w->s, &a, &w->err));
    assert_err(w, o->identity_put(w->s, &v, &same, &w->err), ERR_CONFLICT);
    assert_err(w, o->identity_get(w->s, v.key, &user, &w->err), ERR_NOT_FOUND);
    v.user_id = a.id; // by hand, to the user who has it
    assert_ok(w, o->identity_put(w->s, &v, NULL, &w->err));
    assert_ok(w, o->identity_get(w->s, v.key, &user, &w->err));
    assert_id(user, a.id);
}

static void an_identity_without_its_user_is_free(void **state)
{
    struct world *w = *state;
    const struct sign_on_ops *o = w->s->ops->sign_on;
    struct user a = person(w, "a@x.org");
    struct identity gone = identity(id_new(w), 3), v = identity(a.id, 3);
    struct ulid user;
    assert_ok(w, o->identity_put(w->s, &gone, NULL, &w->err));
    assert_err(w, o->identity_get(w->s, v.key, &user, &w->err), ERR_NOT_FOUND);
    assert_ok(w, o->identity_put(w->s, &v, &a, &w->err));
    assert_ok(w, o->identity_get(w->s, v.key, &user, &w->err));
    assert_id(user, a.id);
}

static void a_session_is_seen_and_extended(void **state)
{
    struct world *w = *state;
    const struct sign_on_ops *o = w->s->ops->sign_on;
    struct session n = {.family = id_new(w), .user_id = id_new(w), .created_at = at_s(5), .expires_at = at_s(10)}, back;
    memset(n.token_hash, 7, sizeof n.token_hash);
    assert_err(w, o->session_get(w->s, n.token_hash, &back, &w->err), ERR_NOT_FOUND);
    assert_ok(w, o->session_extend(w->s, n.token_hash, at_s(20), &w->err));
    assert_ok(w, w->s->ops->session_insert(w->s, &n, &w->err));
    assert_ok(w, o->session_extend(w->s, n.token_hash, at_s(20), &w->err));
    world_reopen(w);
    o = w->s->ops->sign_on;
    assert_ok(w, o->session_get(w->s, n.token_hash, &back, &w->err));
    assert_true(ulid_eq(back.family, n.family) && ulid_eq(back.user_id, n.user_id) && !back.used);
    assert_int_equal(back.created_at.us, at_s(5).us);
    assert_int_equal(back.expires_at.us, at_s(20).us);
    assert_ok(w, w->s->ops->sessions_end_all(w->s, n.user_id, &w->err));
    assert_err(w, o->session_get(w->s, n.token_hash, &back, &w->err), ERR_NOT_FOUND);
}

static void a_setting_is_swapped_by_who_knows_it(void **state)
{
    struct world *w = *state;
    struct store *other = world_other(w);
    struct str key = STR("auth.signingKeys"), back;
    bool done = true;
    assert_ok(w, w->s->ops->sign_on->setting_swap(w->s, key, STR("a"), STR("b"), &done, &w->err));
    assert_false(done);
    assert_ok(w, w->s->ops->setting_insert(w->s, key, STR("a"), &w->err));
    assert_ok(w, other->ops->sign_on->setting_swap(other, key, STR("a"), STR("b"), &done, &w->err));
    assert_true(done);
    assert_ok(w, w->s->ops->sign_on->setting_swap(w->s, key, STR("a"), STR("c"), &done, &w->err));
    assert_false(done);
    assert_ok(w, w->s->ops->setting_get(w->s, key, &back, &w->a, &w->err));
    assert_text(back, STR("b"));
}

static const struct CMUnitTest rows[] = {
    CASE("an identity is bound once, with its user", an_identity_is_bound_once),
    CASE("an address that is taken binds nothing", an_address_that_is_taken_binds_nothing),
    CASE("an identity without its user is free", an_identity_without_its_user_is_free),
    CASE("a session is seen and extended", a_session_is_seen_and_extended),
    CASE("a setting is swapped by who knows it", a_setting_is_swapped_by_who_knows_it),
};
const struct cases sign_on_cases = CASES(rows);
