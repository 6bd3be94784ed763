// SPDX-License-Identifier: Apache-2.0
// Users as administrators see them, API keys, teams.
#include "conformance.h"

static struct str role_words[] = {STR_INIT("ADMIN"), STR_INIT("USER")};

static struct user user_add(struct world *w, const char *email, bool admin)
{
    struct user u = {
        .id = id_new(w),
        .email = arena_str(&w->a, str_of(email)),
        .password_hash = STR("$argon2id$x"),
        .roles = {admin ? role_words : role_words + 1, 1},
        .enabled = true,
        .session_epoch = 1,
        .created_at = at_s(1),
    };
    assert_ok(w, w->s->ops->user_insert(w->s, &u, &w->err));
    return u;
}

static struct user user_get(struct world *w, struct ulid id)
{
    struct user u;
    assert_ok(w, w->s->ops->user_get(w->s, id, &u, &w->a, &w->err));
    return u;
}

// ---- users -------------------------------------------------------------------------------------

static void check_users(struct world *w, struct user_filter f, const struct ulid *expected, size_t n, bool ascending)
{
    struct page p = {.size = 2, .ascending = ascending};
    size_t seen = 0;
    for (;;) {
        struct user *v;
        size_t got = 0;
        struct page_result page;
        assert_ok(w, w->s->ops->accounts->users_list(w->s, &f, &p, &v, &got, &page, &w->a, &w->err));
        assert_int_equal(page.total, n);
        for (size_t i = 0; i < got; i++)
            assert_id(v[i].id, expected[ascending ? seen + i : n - 1 - seen - i]);
        seen += got;
        if (!page.next_cursor.p)
            break;
        assert_int_equal(got, 2);
        p.cursor = page.next_cursor;
    }
    assert_int_equal(seen, n);
}

static void users_are_listed(void **state)
{
    struct world *w = *state;
    enum { N = 5 };
    struct ulid ids[N];
    static const char *const mails[N] = {"ada@x.org", "bob@x.org", "adam@y.org", "carl@x.org", "dora@x.org"};
    for (size_t i = 0; i < N; i++)
        ids[i] = user_add(w, mails[i], i == 0).id;
    struct user off = user_get(w, ids[3]);
    off.enabled = false;
    assert_ok(w, w->s->ops->user_update(w->s, &off, &w->err));
    const struct user_filter any = {.role = -1, .enabled = -1};
    struct user_filter f = any;
    check_users(w, any, ids, N, true);
    check_users(w, any, ids, N, false);
    f.email = STR("ada");
    const struct ulid adas[] = {ids[0], ids[2]};
    check_users(w, f, adas, 2, true);
    f = any;
    f.role = ROLE_ADMIN;
    check_users(w, f, ids, 1, false);
    f = any;
    f.enabled = 0;
    check_users(w, f, ids + 3, 1, true);
    f.enabled = 1;
    const struct ulid on[] = {ids[0], ids[1], ids[2], ids[4]};
    check_users(w, f, on, 4, false);
}

static void the_last_administrator_stays(void **state)
{
    struct world *w = *state;
    struct user a = user_add(w, "a@x.org", true), b = user_add(w, "b@x.org", true);
    struct user off = user_get(w, a.id);
    off.enabled = false;
    assert_ok(w, w->s->ops->user_update(w->s, &off, &w->err));
    struct user last = user_get(w, b.id);
    last.enabled = false;
    assert_err(w, w->s->ops->user_update(w->s, &last, &w->err), ERR_CONFLICT);
    last.enabled = true;
    last.roles = (struct strs){role_words + 1, 1};
    assert_err(w, w->s->ops->user_update(w->s, &last, &w->err), ERR_CONFLICT);
    assert_err(w, w->s->ops->accounts->user_delete(w->s, b.id, &w->err), ERR_CONFLICT);
    assert_true(user_get(w, b.id).enabled);
    assert_ok(w, w->s->ops->accounts->user_delete(w->s, a.id, &w->err)); // disabled: does not count
}

struct demotion {
    struct store *s;
    struct user u;
    bool done;
};

static void *demote(void *arg)
{
    struct demotion *d = arg;
    struct err err = {0};
    d->u.roles = (struct strs){role_words + 1, 1};
    d->u.session_epoch++;
    d->done = d->s->ops->user_update(d->s, &d->u, &err);
    return NULL;
}

// The survivor of a round is demoted by the next pair, which is made before.
static void of_two_who_demote_each_other_one_stays(void **state)
{
    struct world *w = *state;
    enum { ROUNDS = 10 };
    struct ulid survivor = ULID_ZERO;
    for (int i = 0; i < ROUNDS; i++) {
        struct user u[2];
        for (int k = 0; k < 2; k++) {
            char mail[32];
            (void)snprintf(mail, sizeof mail, "u%d-%d@x.org", i, k);
            u[k] = user_add(w, mail, true);
        }
        if (!ulid_is_zero(survivor))
            assert_ok(w, w->s->ops->accounts->user_delete(w->s, survivor, &w->err));
        struct demotion d[2] = {{.s = w->s, .u = user_get(w, u[0].id)},
                                {.s = world_other(w), .u = user_get(w, u[1].id)}};
        pthread_t t[2];
        for (int k = 0; k < 2; k++)
            t[k] = thread_start("demote", demote, &d[k]);
        for (int k = 0; k < 2; k++)
            (void)pthread_join(t[k], NULL);
        assert_int_equal(d[0].done + d[1].done, 1);
        survivor = u[d[0].done ? 1 : 0].id;
    }
}

static void a_change_of_something_else_is_noticed(void **state)
{
    struct world *w = *state;
    struct user u = user_add(w, "a@x.org", false), mine, theirs;
    mine = theirs = user_get(w, u.id);
    theirs.enabled = false;
    theirs.session_epoch++;
    assert_ok(w, w->s->ops->user_update(w->s, &theirs, &w->err));
    mine.password_hash = STR("$argon2id$z");
    mine.session_epoch++;
    assert_err(w, w->s->ops->user_update(w->s, &mine, &w->err), ERR_STALE);
    assert_false(user_get(w, u.id).enabled);
}

static void one_time_passwords_are_marked(void **state)
{
    struct world *w = *state;
    struct user u = user_add(w, "a@x.org", false);
    assert_false(user_get(w, u.id).must_change);
    struct user v = user_get(w, u.id);
    v.one_time_until = at_s(100);
    assert_ok(w, w->s->ops->user_update(w->s, &v, &w->err));
    world_reopen(w);
    v = user_get(w, u.id);
    assert_true(v.must_change);
    assert_int_equal(v.one_time_until.us, at_s(100).us);
    v.one_time_until = (struct instant){0};
    assert_ok(w, w->s->ops->user_update(w->s, &v, &w->err));
    assert_false(user_get(w, u.id).must_change);
    assert_int_equal(user_get(w, u.id).one_time_until.us, 0);
}

static void who_owns_jobs_is_not_deleted(void **state)
{
    struct world *w = *state;
    struct user u = user_add(w, "a@x.org", false);
    struct job j;
    struct plan p;
    int64_t n = 0;
    job_make(w, "j", &j, &p);
    j.owner_id = u.id;
    assert_ok(w, w->s->ops->jobs_insert(w->s, &j, &p, 1, &w->err));
    assert_err(w, w->s->ops->accounts->user_delete(w->s, u.id, &w->err), ERR_CONFLICT);
    assert_non_null(strstr(w->err.text, "1 jobs"));
    assert_ok(w, w->s->ops->accounts->jobs_owned(w->s, u.id, &n, &w->err));
    assert_int_equal(n, 1);
    struct user other = user_add(w, "b@x.org", false);
    j.owner_id = other.id;
    j.version = p.version = 2;
    assert_ok(w, w->s->ops->job_update(w->s, &j, &p, 1, &w->err));
    assert_id(job_read(w, j.id).owner_id, other.id);
    assert_ok(w, w->s->ops->accounts->user_delete(w->s, u.id, &w->err));
    struct user gone;
    assert_err(w, w->s->ops->user_get(w->s, u.id, &gone, &w->a, &w->err), ERR_NOT_FOUND);
    assert_err(w, w->s->ops->accounts->user_delete(w->s, u.id, &w->err), ERR_NOT_FOUND);
}

// ---- API keys ----------------------------------------------------------------------------------

static struct str scope_words[] = {STR_INIT("job.read"), STR_INIT("run.read")};

static struct api_key key_make(struct world *w, struct ulid owner, int n)
{
    struct api_key k = {.id = id_new(w), .owner_id = owner, .name = STR("deploy"), .scopes = {scope_words, 2},
                        .created_at = at_s(1), .expires_at = INSTANT_NEVER, .last_used_at = INSTANT_NEVER};
    memset(k.hash, n, sizeof k.hash);
    return k;
}

static void keys_come_back_by_hash(void **state)
{
    struct world *w = *state;
    const struct account_ops *ops = w->s->ops->accounts;
    struct ulid owner = id_new(w);
    struct api_key k = key_make(w, owner, 1), back;
    k.expires_at = at_s(50);
    assert_ok(w, ops->key_insert(w->s, &k, &w->err));
    assert_err(w, ops->key_insert(w->s, &k, &w->err), ERR_CONFLICT);
    world_reopen(w);
    ops = w->s->ops->accounts;
    assert_ok(w, ops->key_by_hash(w->s, k.hash, &back, &w->a, &w->err));
    assert_id(back.id, k.id);
    assert_id(back.owner_id, owner);
    assert_text(back.name, STR("deploy"));
    assert_int_equal(back.scopes.n, 2);
    assert_text(back.scopes.v[1], STR("run.read"));
    assert_int_equal(back.expires_at.us, at_s(50).us);
    assert_true(instant_is_never(back.last_used_at));
    assert_ok(w, ops->key_used(w->s, k.id, at_s(20), &w->err));
    assert_ok(w, ops->key_used(w->s, k.id, at_s(10), &w->err));
    assert_ok(w, ops->key_used(w->s, id_new(w), at_s(10), &w->err));
    assert_ok(w, ops->key_by_hash(w->s, k.hash, &back, &w->a, &w->err));
    assert_int_equal(back.last_used_at.us, at_s(20).us);
    uint8_t other[API_KEY_HASH_BYTES] = {0};
    assert_err(w, ops->key_by_hash(w->s, other, &back, &w->a, &w->err), ERR_NOT_FOUND);
}

static size_t keys_of(struct world *w, struct ulid owner, struct page p, struct str *ret_cursor)
{
    struct api_key *v;
    size_t n = 0;
    struct page_result page;
    assert_ok(w, w->s->ops->accounts->keys_list(w->s, owner, &p, &v, &n, &page, &w->a, &w->err));
    for (size_t i = 0; i < n && !ulid_is_zero(owner); i++)
        assert_id(v[i].owner_id, owner);
    *ret_cursor = page.next_cursor;
    return n;
}

static void keys_are_listed_and_deleted_by_owner(void **state)
{
    struct world *w = *state;
    const struct account_ops *ops = w->s->ops->accounts;
    struct user u = user_add(w, "a@x.org", false);
    struct ulid other = id_new(w);
    struct api_key v[3] = {key_make(w, u.id, 1), key_make(w, other, 2), key_make(w, u.id, 3)}, back;
    struct str cursor;
    for (size_t i = 0; i < 3; i++)
        assert_ok(w, ops->key_insert(w->s, &v[i], &w->err));
    struct page p = {.size = 1};
    assert_int_equal(keys_of(w, u.id, p, &cursor), 1);
    p.cursor = cursor;
    assert_int_equal(keys_of(w, u.id, p, &cursor), 1);
    assert_null(cursor.p);
    assert_int_equal(keys_of(w, ULID_ZERO, (struct page){.size = 5, .ascending = true}, &cursor), 3);
    assert_err(w, ops->key_delete(w->s, v[1].id, u.id, &back, &w->a, &w->err), ERR_NOT_FOUND);
    assert_ok(w, ops->key_delete(w->s, v[0].id, u.id, &back, &w->a, &w->err));
    assert_memory_equal(back.hash, v[0].hash, sizeof back.hash);
    assert_err(w, ops->key_delete(w->s, v[0].id, u.id, &back, &w->a, &w->err), ERR_NOT_FOUND);
    assert_ok(w, ops->key_delete(w->s, v[1].id, ULID_ZERO, &back, &w->a, &w->err));
    assert_ok(w, ops->user_delete(w->s, u.id, &w->err)); // with the key that is left
    assert_err(w, ops->key_by_hash(w->s, v[2].hash, &back, &w->a, &w->err), ERR_NOT_FOUND);
}

// ---- teams -------------------------------------------------------------------------------------

static struct team team_add(struct world *w, const char *name)
{
    struct team t = {.id = id_new(w), .name = arena_str(&w->a, str_of(name)), .created_at = at_s(1)};
    assert_ok(w, w->s->ops->accounts->team_insert(w->s, &t, &w->err));
    return t;
}

static void teams_come_back(void **state)
{
    struct world *w = *state;
    const struct account_ops *ops = w->s->ops->accounts;
    struct team t = team_add(w, "billing"), other = team_add(w, "data"), back;
    assert_ok(w, ops->team_get(w->s, t.id, &back, &w->a, &w->err));
    assert_text(back.name, STR("billing"));
    assert_null(back.description.p);
    assert_int_equal(back.members, 0);
    struct team same = {.id = id_new(w), .name = STR("billing"), .created_at = at_s(2)};
    assert_err(w, ops->team_insert(w->s, &same, &w->err), ERR_CONFLICT);
    t.name = STR("invoices");
    t.description = STR("they write invoices");
    assert_ok(w, ops->team_update(w->s, &t, &w->err));
    assert_ok(w, ops->team_update(w->s, &t, &w->err)); // its own name is not taken
    other.name = STR("invoices");
    assert_err(w, ops->team_update(w->s, &other, &w->err), ERR_CONFLICT);
    world_reopen(w);
    ops = w->s->ops->accounts;
    assert_ok(w, ops->team_get(w->s, t.id, &back, &w->a, &w->err));
    assert_text(back.name, STR("invoices"));
    assert_text(back.description, STR("they write invoices"));
    assert_ok(w, ops->team_delete(w->s, t.id, &w->err));
    assert_err(w, ops->team_delete(w->s, t.id, &w->err), ERR_NOT_FOUND);
    assert_err(w, ops->team_get(w->s, t.id, &back, &w->a, &w->err), ERR_NOT_FOUND);
    assert_err(w, ops->team_update(w->s, &t, &w->err), ERR_NOT_FOUND);
}

static void users_know_their_teams(void **state)
{
    struct world *w = *state;
    const struct account_ops *ops = w->s->ops->accounts;
    struct team a = team_add(w, "a"), b = team_add(w, "b");
    struct user u = user_add(w, "u@x.org", false), v = user_add(w, "v@x.org", false);
    int role = 7;
    assert_int_equal(user_get(w, u.id).n_teams, 0);
    assert_ok(w, ops->member_put(w->s, a.id, u.id, TEAM_MANAGER, &w->err));
    assert_ok(w, ops->member_put(w->s, b.id, u.id, TEAM_MEMBER, &w->err));
    assert_ok(w, ops->member_put(w->s, a.id, v.id, TEAM_MEMBER, &w->err));
    struct user back = user_get(w, u.id);
    assert_int_equal(back.n_teams, 2);
    assert_true(ulid_eq(back.teams[0], a.id) || ulid_eq(back.teams[1], a.id));
    assert_true(ulid_eq(back.teams[0], b.id) || ulid_eq(back.teams[1], b.id));
    assert_ok(w, ops->member_role(w->s, a.id, u.id, &role, &w->err));
    assert_int_equal(role, TEAM_MANAGER);
    assert_ok(w, ops->member_put(w->s, a.id, u.id, TEAM_MEMBER, &w->err));
    assert_ok(w, ops->member_role(w->s, a.id, u.id, &role, &w->err));
    assert_int_equal(role, TEAM_MEMBER);
    assert_ok(w, ops->member_role(w->s, b.id, v.id, &role, &w->err));
    assert_int_equal(role, -1);
    struct team_member *m;
    size_t n = 0;
    assert_ok(w, ops->members_list(w->s, a.id, &m, &n, &w->a, &w->err));
    assert_int_equal(n, 2);
    assert_id(m[0].user_id, u.id);
    assert_text(m[1].email, STR("v@x.org"));
    assert_err(w, ops->member_put(w->s, id_new(w), u.id, TEAM_MEMBER, &w->err), ERR_NOT_FOUND);
    assert_err(w, ops->member_put(w->s, a.id, id_new(w), TEAM_MEMBER, &w->err), ERR_NOT_FOUND);
    assert_ok(w, ops->member_remove(w->s, a.id, u.id, &w->err));
    assert_err(w, ops->member_remove(w->s, a.id, u.id, &w->err), ERR_NOT_FOUND);
    assert_int_equal(user_get(w, u.id).n_teams, 1);
    assert_ok(w, ops->team_delete(w->s, b.id, &w->err));
    assert_int_equal(user_get(w, u.id).n_teams, 0);
}

static void teams_are_listed_and_bounded(void **state)
{
    struct world *w = *state;
    const struct account_ops *ops = w->s->ops->accounts;
    struct user u = user_add(w, "u@x.org", false);
    struct ulid last = ULID_ZERO;
    for (int i = 0; i < USER_TEAMS_MAX + 1; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "team %d", i);
        last = team_add(w, name).id;
        if (i < USER_TEAMS_MAX)
            assert_ok(w, ops->member_put(w->s, last, u.id, TEAM_MEMBER, &w->err));
    }
    assert_err(w, ops->member_put(w->s, last, u.id, TEAM_MEMBER, &w->err), ERR_CONFLICT);
    assert_int_equal(user_get(w, u.id).n_teams, USER_TEAMS_MAX);
    struct page p = {.size = 20};
    size_t seen = 0;
    for (bool more = true; more;) {
        struct team *v;
        size_t n = 0;
        struct page_result page;
        assert_ok(w, ops->teams_list(w->s, u.id, &p, &v, &n, &page, &w->a, &w->err));
        assert_int_equal(page.total, USER_TEAMS_MAX);
        assert_int_equal(v[0].members, 1);
        seen += n;
        p.cursor = page.next_cursor;
        more = page.next_cursor.p != NULL;
    }
    assert_int_equal(seen, USER_TEAMS_MAX);
}

// What lists show to somebody in teams: his own and theirs, nobody else's.
static void lists_show_what_belongs_to_teams(void **state)
{
    struct world *w = *state;
    enum { N = 4 };
    struct ulid owners[N], jobs[N], teams[2];
    for (size_t i = 0; i < N; i++) {
        struct job j;
        struct plan p;
        char name[8];
        (void)snprintf(name, sizeof name, "j%zu", i);
        job_make(w, name, &j, &p);
        owners[i] = j.owner_id = id_new(w);
        jobs[i] = j.id;
        assert_ok(w, w->s->ops->jobs_insert(w->s, &j, &p, 1, &w->err));
        struct run r = fire_one(w, &p, RUN_RUNNING, 1);
        struct dead_letter d = letter_make(w, &r, "no");
        struct finish f = finish_make(&r, RUN_FAILED);
        f.dead = &d;
        assert_true(finish(w, &f));
    }
    teams[0] = owners[1];
    teams[1] = owners[3];
    static const char *const sorts[] = {"id", "updatedAt", "nextFireTime", "name"};
    for (size_t i = 0; i < 2 * sizeof sorts / sizeof sorts[0]; i++) {
        struct job_filter f = {.owner_id = owners[0], .teams = teams, .n_teams = 2, .status = -1};
        struct page p = {.size = 2, .sort = str_of(sorts[i / 2]), .ascending = i % 2};
        size_t seen = 0;
        for (bool more = true; more;) {
            struct job *v;
            size_t n = 0;
            struct page_result page;
            assert_ok(w, w->s->ops->jobs_list(w->s, &f, &p, &v, &n, &page, &w->a, &w->err));
            assert_int_equal(page.total, 3);
            for (size_t k = 0; k < n; k++)
                assert_false(ulid_eq(v[k].id, jobs[2]));
            seen += n;
            p.cursor = page.next_cursor;
            more = page.next_cursor.p != NULL;
        }
        assert_int_equal(seen, 3);
    }
    struct run_filter rf = {.owner_id = owners[0], .teams = teams, .n_teams = 2, .status = -1};
    struct dlq_filter df = {.owner_id = owners[0], .teams = teams, .n_teams = 2, .resolved = -1};
    struct page p = page_of(10);
    struct page_result page;
    struct run *runs;
    struct dead_letter *letters;
    size_t n = 0;
    assert_ok(w, w->s->ops->runs_list(w->s, &rf, &p, &runs, &n, &page, &w->a, &w->err));
    assert_int_equal(n, 3);
    rf.job_id = jobs[2];
    assert_ok(w, w->s->ops->runs_list(w->s, &rf, &p, &runs, &n, &page, &w->a, &w->err));
    assert_int_equal(n, 0);
    rf.job_id = jobs[3];
    assert_ok(w, w->s->ops->runs_list(w->s, &rf, &p, &runs, &n, &page, &w->a, &w->err));
    assert_int_equal(n, 1);
    assert_ok(w, w->s->ops->dlq_list(w->s, &df, &p, &letters, &n, &page, &w->a, &w->err));
    assert_int_equal(n, 3);
    assert_int_equal(page.total, 3);
}

static void a_team_with_jobs_stays(void **state)
{
    struct world *w = *state;
    const struct account_ops *ops = w->s->ops->accounts;
    struct team t = team_add(w, "t");
    struct job j;
    struct plan p;
    job_make(w, "j", &j, &p);
    j.owner_id = t.id;
    assert_ok(w, w->s->ops->jobs_insert(w->s, &j, &p, 1, &w->err));
    struct secret v = {.scope = t.id, .name = STR("S"), .owner_id = t.id, .sealed = STR("x")}, back;
    assert_ok(w, w->s->ops->secret_put(w->s, &v, &w->err));
    assert_err(w, ops->team_delete(w->s, t.id, &w->err), ERR_CONFLICT);
    assert_ok(w, w->s->ops->job_delete(w->s, j.id, 1, at_s(5), &w->err));
    assert_ok(w, w->s->ops->secret_get(w->s, t.id, v.name, &back, &w->a, &w->err));
    assert_ok(w, ops->team_delete(w->s, t.id, &w->err));
    assert_err(w, w->s->ops->secret_get(w->s, t.id, v.name, &back, &w->a, &w->err), ERR_NOT_FOUND);
}

static const struct CMUnitTest rows[] = {
    CASE("users are listed by address, role and state", users_are_listed),
    CASE("the last administrator stays", the_last_administrator_stays),
    CASE("of two administrators who demote each other one stays", of_two_who_demote_each_other_one_stays),
    CASE("a change of something else in between is noticed", a_change_of_something_else_is_noticed),
    CASE("passwords given by administrators are marked", one_time_passwords_are_marked),
    CASE("who owns jobs is not deleted", who_owns_jobs_is_not_deleted),
    CASE("API keys come back by hash", keys_come_back_by_hash),
    CASE("API keys are listed and deleted by owner", keys_are_listed_and_deleted_by_owner),
    CASE("teams come back", teams_come_back),
    CASE("users know their teams", users_know_their_teams),
    CASE("teams are listed, and a user is in 32 at most", teams_are_listed_and_bounded),
    CASE("lists show what belongs to teams", lists_show_what_belongs_to_teams),
    CASE("a team with jobs stays", a_team_with_jobs_stays),
};
const struct cases account_cases = CASES(rows);
