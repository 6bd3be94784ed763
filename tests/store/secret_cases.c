// SPDX-License-Identifier: Apache-2.0
// Secrets by scope and name, and memos that only the owner of a run writes.
#include "conformance.h"

static struct secret secret_make(struct world *w, struct ulid scope, const char *name, const char *sealed)
{
    return (struct secret){.scope = scope,
                           .name = arena_str(&w->a, str_of(name)),
                           .owner_id = w->owner,
                           .sealed = arena_str(&w->a, str_of(sealed)),
                           .created_at = at_s(w->tick),
                           .updated_at = at_s(w->tick)};
}

static void secret_add(struct world *w, struct ulid scope, const char *name, const char *sealed)
{
    struct secret v = secret_make(w, scope, name, sealed);
    assert_ok(w, w->s->ops->secret_put(w->s, &v, &w->err));
}

static struct secret secret_read(struct world *w, struct ulid scope, const char *name)
{
    struct secret v = {.shared = false};
    assert_ok(w, w->s->ops->secret_get(w->s, scope, str_of(name), &v, &w->a, &w->err));
    return v;
}

static void a_secret_is_put_replaced_and_deleted(void **state)
{
    struct world *w = *state;
    struct secret back;
    secret_add(w, w->owner, "db.password", "first");
    struct instant created = at_s(w->tick);
    w->tick += 5;
    secret_add(w, w->owner, "db.password", "second");
    world_reopen(w);
    back = secret_read(w, w->owner, "db.password");
    assert_text(back.sealed, STR("second"));
    assert_text(back.name, STR("db.password"));
    assert_id(back.owner_id, w->owner);
    assert_false(back.shared);
    assert_int_equal(back.created_at.us, created.us);
    assert_int_equal(back.updated_at.us, at_s(w->tick).us);
    assert_ok(w, w->s->ops->secret_delete(w->s, w->owner, STR("db.password"), &w->err));
    assert_err(w, w->s->ops->secret_delete(w->s, w->owner, STR("db.password"), &w->err), ERR_NOT_FOUND);
    assert_err(w, w->s->ops->secret_get(w->s, w->owner, STR("db.password"), &back, &w->a, &w->err),
               ERR_NOT_FOUND);
}

static void names_are_apart_by_scope_and_letter(void **state)
{
    struct world *w = *state;
    struct ulid other = id_new(w);
    struct secret back;
    secret_add(w, w->owner, "token", "mine");
    secret_add(w, other, "token", "theirs");
    secret_add(w, ULID_ZERO, "token", "everybody's");
    assert_text(secret_read(w, w->owner, "token").sealed, STR("mine"));
    assert_text(secret_read(w, other, "token").sealed, STR("theirs"));
    assert_text(secret_read(w, ULID_ZERO, "token").sealed, STR("everybody's"));
    assert_true(secret_read(w, ULID_ZERO, "token").shared);
    assert_err(w, w->s->ops->secret_get(w->s, other, STR("TOKEN"), &back, &w->a, &w->err), ERR_NOT_FOUND);
    assert_ok(w, w->s->ops->secret_delete(w->s, w->owner, STR("token"), &w->err));
    assert_text(secret_read(w, other, "token").sealed, STR("theirs"));
}

static void pages_go_through_all_or_one_scope(void **state)
{
    struct world *w = *state;
    struct ulid other = id_new(w);
    static const char *const names[] = {"B", "a", "a.b", "a_b", "z"};
    enum { NAMES = sizeof names / sizeof names[0], PAGE = 2 };
    for (size_t i = 0; i < NAMES; i++) {
        secret_add(w, other, names[NAMES - 1 - i], "x");
        secret_add(w, ULID_ZERO, names[i], "x");
        secret_add(w, w->owner, names[i], "x");
    }
    struct secret at = {.scope = ULID_ZERO}, *v = NULL;
    size_t n = PAGE, seen = 0;
    while (n == PAGE) {
        assert_ok(w, w->s->ops->secrets_page(w->s, at.scope, at.name, true, PAGE, &v, &n, &w->a, &w->err));
        for (size_t i = 0; i < n; i++, seen++) {
            assert_text(v[i].name, str_of(names[seen % NAMES]));
            at = v[i];
        }
    }
    assert_int_equal(seen, 3 * NAMES);
    assert_ok(w, w->s->ops->secrets_page(w->s, w->owner, STR("a.b"), false, NAMES, &v, &n, &w->a, &w->err));
    assert_int_equal(n, 2);
    assert_text(v[0].name, STR("a_b"));
    assert_id(v[1].scope, w->owner);
}

static void resealed_only_what_is_still_there(void **state)
{
    struct world *w = *state;
    bool done;
    secret_add(w, w->owner, "k", "old");
    struct secret v = secret_make(w, w->owner, "k", "new");
    assert_ok(w, w->s->ops->secret_reseal(w->s, &v, STR("older"), &done, &w->err));
    assert_false(done);
    assert_ok(w, w->s->ops->secret_reseal(w->s, &v, STR("old"), &done, &w->err));
    assert_true(done);
    assert_text(secret_read(w, w->owner, "k").sealed, STR("new"));
    v.name = STR("none");
    assert_ok(w, w->s->ops->secret_reseal(w->s, &v, STR("old"), &done, &w->err));
    assert_false(done);
}

// ---- memos -------------------------------------------------------------------------------------

static struct str memo_read(struct world *w, struct ulid job_id, const char *name)
{
    struct str v = STR("not asked");
    assert_ok(w, w->s->ops->memo_get(w->s, job_id, str_of(name), &v, &w->a, &w->err));
    return v;
}

static void the_owner_of_a_run_writes_memos(void **state)
{
    struct world *w = *state;
    enum { TOKEN = 5 };
    struct plan p = job_add(w, "a");
    struct run r = fire_one(w, &p, RUN_RUNNING, TOKEN);
    assert_null(memo_read(w, p.job_id, "position").p);
    assert_ok(w, w->s->ops->memo_put(w->s, r.id, TOKEN, STR("position"), STR("10"), &w->err));
    assert_ok(w, w->s->ops->memo_put(w->s, r.id, TOKEN, STR("position"), STR("20 \303\244"), &w->err));
    assert_ok(w, w->s->ops->memo_put(w->s, r.id, TOKEN, STR("Position"), STR(""), &w->err));
    world_reopen(w);
    assert_text(memo_read(w, p.job_id, "position"), STR("20 \303\244"));
    assert_int_equal(memo_read(w, p.job_id, "Position").n, 0);
    assert_null(memo_read(w, id_new(w), "position").p);
}

static void anybody_may_tell_a_job_something(void **state)
{
    struct world *w = *state;
    struct plan p = job_add(w, "a"), gone = job_add(w, "b");
    assert_ok(w, w->s->ops->memo_set(w->s, p.job_id, STR("ping.start"), STR("1"), &w->err));
    assert_ok(w, w->s->ops->memo_set(w->s, p.job_id, STR("ping.start"), STR("2"), &w->err));
    assert_text(memo_read(w, p.job_id, "ping.start"), STR("2"));
    assert_ok(w, w->s->ops->job_delete(w->s, gone.job_id, gone.version, at_s(5), &w->err));
    assert_err(w, w->s->ops->memo_set(w->s, gone.job_id, STR("ping.start"), STR("1"), &w->err), ERR_NOT_FOUND);
    assert_err(w, w->s->ops->memo_set(w->s, id_new(w), STR("ping.start"), STR("1"), &w->err), ERR_NOT_FOUND);
}

static void nobody_else_writes_memos(void **state)
{
    struct world *w = *state;
    enum { TOKEN = 5 };
    struct plan p = job_add(w, "a");
    struct run r = fire_one(w, &p, RUN_RUNNING, TOKEN), queued = fire_one(w, &p, RUN_QUEUED, 0);
    assert_ok(w, w->s->ops->memo_put(w->s, r.id, TOKEN, STR("position"), STR("10"), &w->err));
    assert_err(w, w->s->ops->memo_put(w->s, r.id, TOKEN + 1, STR("position"), STR("11"), &w->err), ERR_STALE);
    assert_err(w, w->s->ops->memo_put(w->s, queued.id, 0, STR("position"), STR("12"), &w->err), ERR_STALE);
    assert_err(w, w->s->ops->memo_put(w->s, id_new(w), TOKEN, STR("position"), STR("13"), &w->err),
               ERR_STALE);
    struct finish f = finish_make(&r, RUN_SUCCEEDED);
    assert_true(finish(w, &f));
    assert_err(w, w->s->ops->memo_put(w->s, r.id, TOKEN, STR("position"), STR("14"), &w->err), ERR_STALE);
    assert_text(memo_read(w, p.job_id, "position"), STR("10"));
}

static void memos_go_with_their_job(void **state)
{
    struct world *w = *state;
    enum { TOKEN = 5 };
    struct plan p = job_add(w, "a"), other = job_add(w, "b");
    struct run r = fire_one(w, &p, RUN_RUNNING, TOKEN), kept = fire_one(w, &other, RUN_RUNNING, TOKEN);
    assert_ok(w, w->s->ops->memo_put(w->s, r.id, TOKEN, STR("one"), STR("1"), &w->err));
    assert_ok(w, w->s->ops->memo_put(w->s, r.id, TOKEN, STR("two"), STR("2"), &w->err));
    assert_ok(w, w->s->ops->memo_put(w->s, kept.id, TOKEN, STR("one"), STR("3"), &w->err));
    assert_ok(w, w->s->ops->job_delete(w->s, p.job_id, 0, at_s(8), &w->err));
    assert_null(memo_read(w, p.job_id, "one").p);
    assert_null(memo_read(w, p.job_id, "two").p);
    assert_text(memo_read(w, other.job_id, "one"), STR("3"));
    assert_err(w, w->s->ops->memo_put(w->s, r.id, TOKEN, STR("one"), STR("4"), &w->err), ERR_STALE);
    assert_null(memo_read(w, p.job_id, "one").p);
}

static const struct CMUnitTest rows[] = {
    CASE("a secret is put, replaced and deleted", a_secret_is_put_replaced_and_deleted),
    CASE("names of secrets are apart by scope and by letter case", names_are_apart_by_scope_and_letter),
    CASE("pages go through the secrets of all scopes or of one", pages_go_through_all_or_one_scope),
    CASE("a secret is sealed anew only while nobody put another value", resealed_only_what_is_still_there),
    CASE("the owner of a run writes memos of its job", the_owner_of_a_run_writes_memos),
    CASE("a job is told something from outside while it exists", anybody_may_tell_a_job_something),
    CASE("a stale owner, a queued, unknown or ended run writes none", nobody_else_writes_memos),
    CASE("memos are deleted with their job", memos_go_with_their_job),
};
const struct cases secret_cases = CASES(rows);
