// SPDX-License-Identifier: Apache-2.0
// Users, sessions, settings.
#include "conformance.h"

static struct str both[] = {STR_INIT("ADMIN"), STR_INIT("USER")};

static struct user user_make(struct world *w, const char *email, bool admin)
{
    return (struct user){
        .id = id_new(w),
        .email = arena_str(&w->a, str_of(email)),
        .password_hash = STR("$argon2id$x"),
        .roles = {admin ? both : both + 1, admin ? 2 : 1},
        .enabled = true,
        .created_at = at_s(1),
    };
}

static void user_comes_back(void **state)
{
    struct world *w = *state;
    struct user u = user_make(w, "a@x.org", true), back;
    assert_ok(w, w->s->ops->user_insert(w->s, &u, &w->err));
    world_reopen(w);
    assert_ok(w, w->s->ops->user_by_email(w->s, STR("a@x.org"), &back, &w->a, &w->err));
    assert_id(back.id, u.id);
    assert_text(back.password_hash, u.password_hash);
    assert_int_equal(back.roles.n, 2);
    assert_text(back.roles.v[0], STR("ADMIN"));
    assert_text(back.roles.v[1], STR("USER"));
    assert_true(back.enabled);
    assert_int_equal(back.created_at.us, at_s(1).us);
    assert_ok(w, w->s->ops->user_get(w->s, u.id, &back, &w->a, &w->err));
    assert_text(back.email, STR("a@x.org"));
    assert_err(w, w->s->ops->user_get(w->s, id_new(w), &back, &w->a, &w->err), ERR_NOT_FOUND);
    assert_err(w, w->s->ops->user_by_email(w->s, STR("b@x.org"), &back, &w->a, &w->err), ERR_NOT_FOUND);
    u.id = id_new(w);
    assert_err(w, w->s->ops->user_insert(w->s, &u, &w->err), ERR_CONFLICT);
}

static void user_update_replaces(void **state)
{
    struct world *w = *state;
    struct user u = user_make(w, "a@x.org", true), other = user_make(w, "b@x.org", true), back;
    bool admin;
    assert_ok(w, w->s->ops->admin_exists(w->s, &admin, &w->err));
    assert_false(admin);
    assert_ok(w, w->s->ops->user_insert(w->s, &u, &w->err));
    assert_ok(w, w->s->ops->admin_exists(w->s, &admin, &w->err));
    assert_true(admin);
    assert_ok(w, w->s->ops->user_insert(w->s, &other, &w->err));
    u.password_hash = STR("$argon2id$y");
    u.enabled = false;
    u.session_epoch = 4;
    u.roles = (struct strs){both + 1, 1};
    assert_ok(w, w->s->ops->user_update(w->s, &u, &w->err));
    assert_ok(w, w->s->ops->user_get(w->s, u.id, &back, &w->a, &w->err));
    assert_text(back.password_hash, STR("$argon2id$y"));
    assert_false(back.enabled);
    assert_int_equal(back.session_epoch, 4);
    assert_int_equal(back.roles.n, 1);
    u.id = id_new(w);
    assert_err(w, w->s->ops->user_update(w->s, &u, &w->err), ERR_NOT_FOUND);
}

static void first_admin_is_the_only_one(void **state)
{
    struct world *w = *state;
    struct user plain = user_make(w, "u@x.org", false), a = user_make(w, "a@x.org", true);
    struct user b = user_make(w, "b@x.org", true);
    bool admin;
    assert_ok(w, w->s->ops->user_insert(w->s, &plain, &w->err));
    assert_ok(w, w->s->ops->admin_exists(w->s, &admin, &w->err));
    assert_false(admin);
    assert_ok(w, w->s->ops->user_insert_first_admin(w->s, &a, &w->err));
    assert_err(w, w->s->ops->user_insert_first_admin(w->s, &b, &w->err), ERR_CONFLICT);
    assert_non_null(strstr(w->err.text, "administrator"));
}

static void a_disabled_admin_does_not_count(void **state)
{
    struct world *w = *state;
    struct user plain = user_make(w, "u@x.org", false), a = user_make(w, "a@x.org", true);
    struct user b = user_make(w, "b@x.org", true);
    a.enabled = false;
    assert_ok(w, w->s->ops->user_insert(w->s, &plain, &w->err));
    assert_ok(w, w->s->ops->user_insert(w->s, &a, &w->err));
    b.email = STR("u@x.org");
    assert_err(w, w->s->ops->user_insert_first_admin(w->s, &b, &w->err), ERR_CONFLICT);
    assert_non_null(strstr(w->err.text, "e-mail"));
    b.email = STR("b@x.org");
    assert_ok(w, w->s->ops->user_insert_first_admin(w->s, &b, &w->err));
}

// ---- sessions ----------------------------------------------------------------------------------

struct hash {
    uint8_t b[32];
};

static struct hash hash_of(int n)
{
    struct hash h;
    memset(h.b, n, sizeof h.b);
    return h;
}

static struct session session_make(struct world *w, int n, struct ulid user, int64_t expires)
{
    struct session s = {
        .family = id_new(w), .user_id = user, .created_at = at_s(0), .expires_at = at_s(expires)};
    memcpy(s.token_hash, hash_of(n).b, sizeof s.token_hash);
    return s;
}

static bool rotate(struct world *w, int from, int to, int64_t now, struct ulid *ret_user)
{
    return w->s->ops->session_rotate(w->s, hash_of(from).b, hash_of(to).b, at_s(now), at_s(now + 100),
                                     ret_user, &w->err);
}

static void session_rotates(void **state)
{
    struct world *w = *state;
    struct ulid user = id_new(w), back;
    struct session s = session_make(w, 1, user, 100);
    assert_ok(w, w->s->ops->session_insert(w->s, &s, &w->err));
    assert_ok(w, rotate(w, 1, 2, 50, &back));
    assert_id(back, user);
    assert_ok(w, rotate(w, 2, 3, 140, &back)); // the new one has its own end
    assert_err(w, rotate(w, 9, 10, 50, &back), ERR_UNAUTHENTICATED);
    assert_err(w, rotate(w, 3, 4, 240, &back), ERR_UNAUTHENTICATED); // expired at 240
}

static void used_session_revokes_its_family(void **state)
{
    struct world *w = *state;
    struct ulid user = id_new(w), back;
    struct session s = session_make(w, 1, user, 100), other = session_make(w, 50, user, 100);
    assert_ok(w, w->s->ops->session_insert(w->s, &s, &w->err));
    assert_ok(w, w->s->ops->session_insert(w->s, &other, &w->err));
    assert_ok(w, rotate(w, 1, 2, 10, &back));
    assert_err(w, rotate(w, 1, 3, 20, &back), ERR_UNAUTHENTICATED);
    world_reopen(w);
    assert_err(w, rotate(w, 2, 4, 30, &back), ERR_UNAUTHENTICATED); // the newest is gone too
    assert_ok(w, rotate(w, 50, 51, 30, &back));                     // another family is not
}

static void sessions_end(void **state)
{
    struct world *w = *state;
    struct ulid user = id_new(w), back;
    for (int i = 1; i <= 3; i++) {
        struct session s = session_make(w, i, user, 100);
        assert_ok(w, w->s->ops->session_insert(w->s, &s, &w->err));
    }
    assert_ok(w, rotate(w, 1, 11, 10, &back));
    assert_ok(w, w->s->ops->session_end(w->s, hash_of(1).b, &w->err)); // ends the whole family
    assert_ok(w, w->s->ops->session_end(w->s, hash_of(1).b, &w->err));
    assert_err(w, rotate(w, 11, 12, 20, &back), ERR_UNAUTHENTICATED);
    assert_ok(w, rotate(w, 2, 22, 20, &back));
    assert_ok(w, w->s->ops->sessions_end_all(w->s, user, &w->err));
    assert_err(w, rotate(w, 22, 23, 20, &back), ERR_UNAUTHENTICATED);
    assert_err(w, rotate(w, 3, 33, 20, &back), ERR_UNAUTHENTICATED);
    struct session again = session_make(w, 60, user, 100), same = again;
    assert_ok(w, w->s->ops->session_insert(w->s, &again, &w->err));
    assert_err(w, w->s->ops->session_insert(w->s, &same, &w->err), ERR_CONFLICT);
}

static void settings_are_kept(void **state)
{
    struct world *w = *state;
    struct str back;
    assert_err(w, w->s->ops->setting_get(w->s, STR("setup.token"), &back, &w->a, &w->err), ERR_NOT_FOUND);
    assert_ok(w, w->s->ops->setting_put(w->s, STR("setup.token"), STR("abc"), &w->err));
    assert_ok(w, w->s->ops->setting_put(w->s, STR("setup.token"), STR("def"), &w->err));
    world_reopen(w);
    assert_ok(w, w->s->ops->setting_get(w->s, STR("setup.token"), &back, &w->a, &w->err));
    assert_text(back, STR("def"));
    assert_ok(w, w->s->ops->setting_put(w->s, STR("setup.token"), STR_NONE, &w->err));
    assert_ok(w, w->s->ops->setting_put(w->s, STR("setup.token"), STR_NONE, &w->err));
    assert_err(w, w->s->ops->setting_get(w->s, STR("setup.token"), &back, &w->a, &w->err), ERR_NOT_FOUND);
}

static void only_one_inserts_a_setting(void **state)
{
    struct world *w = *state;
    struct str back;
    assert_ok(w, w->s->ops->setting_insert(w->s, STR("auth.key"), STR("first"), &w->err));
    assert_err(w, w->s->ops->setting_insert(w->s, STR("auth.key"), STR("second"), &w->err), ERR_CONFLICT);
    assert_ok(w, w->s->ops->setting_get(w->s, STR("auth.key"), &back, &w->a, &w->err));
    assert_text(back, STR("first"));
}

static const struct CMUnitTest rows[] = {
    CASE("a user comes back by id and e-mail", user_comes_back),
    CASE("an update replaces password, roles, state and epoch", user_update_replaces),
    CASE("the first administrator is the only one", first_admin_is_the_only_one),
    CASE("a disabled administrator does not count", a_disabled_admin_does_not_count),
    CASE("a session rotates inside its family", session_rotates),
    CASE("a session used twice revokes its family for good", used_session_revokes_its_family),
    CASE("sessions end by family and by user", sessions_end),
    CASE("settings are kept until deleted", settings_are_kept),
    CASE("of those who insert a setting one succeeds", only_one_inserts_a_setting),
};
const struct cases user_cases = CASES(rows);
