// SPDX-License-Identifier: Apache-2.0
// Teams and who is in them. What a user's teams are is read with the user, so a change of memberships makes the store
// forget what it remembers of users.
#include "store/sql/account.h"

static bool no_such_team(struct ulid id, struct err *err)
{
    char text[ULID_TEXT_MAX];
    return ERR(err, ERR_NOT_FOUND, "team \"%s\" does not exist", ulid_format(id, text));
}

static bool name_taken(struct str name, struct err *err)
{
    return ERR(err, ERR_CONFLICT, "there is a team with the name \"%.*s\" already", STR_ARG(name));
}

// ---- teams ----

static bool insert_write(struct db *d, void *arg, struct err *err)
{
    const struct team *t = *(const struct team **)arg;
    struct db_stmt *s;
    if (!sql_query(d, STORE_TEAM_PUT, &s, err))
        return false;
    db_put_id(s, 1, &t->id);
    db_put_text(s, 2, t->name);
    db_put_text(s, 3, t->description);
    db_put_i64(s, 4, t->created_at.us);
    if (!db_run(s, err))
        return false;
    return db_changes(d) == 1 || name_taken(t->name, err);
}

bool sql_team_insert(struct store *s, const struct team *t, struct err *err)
{
    return sql_write(s, insert_write, &t, 1, err);
}

static bool team_read(struct db_stmt *s, struct team *ret, struct arena *a, struct err *err)
{
    struct str description = db_bytes(s, 2);
    struct team t = {
        .id = db_id(s, 0),
        .name = arena_str(a, db_bytes(s, 1)),
        .description = description.p ? arena_str(a, description) : STR_NONE,
        .created_at.us = db_i64(s, 3),
        .members = db_i64(s, 4),
    };
    if (!t.name.p || (description.p && !t.description.p))
        return sql_no_memory(err);
    *ret = t;
    return true;
}

bool sql_team_get(struct store *s, struct ulid id, struct team *ret, struct arena *a, struct err *err)
{
    struct sql_read r;
    bool row;
    if (!sql_read(&r, s, STORE_TEAM_GET, err))
        return false;
    db_put_id(r.s, 1, &id);
    bool ok = db_step(r.s, &row, err) && (row ? team_read(r.s, ret, a, err) : no_such_team(id, err));
    sql_read_end(&r);
    return ok;
}

// Locks the row of a team, or of a user. *ret_row false: there is none.
static bool row_lock(struct db *d, enum store_query q, const struct ulid *id, bool *ret_row, struct err *err)
{
    struct db_stmt *s;
    if (!sql_query(d, q, &s, err))
        return false;
    db_put_id(s, 1, id);
    if (!db_step(s, ret_row, err))
        return false;
    if (*ret_row)
        db_reset(s);
    return true;
}

static bool update_write(struct db *d, void *arg, struct err *err)
{
    const struct team *t = *(const struct team **)arg;
    struct db_stmt *s;
    bool row;
    if (!sql_query(d, STORE_TEAM_BY_NAME, &s, err))
        return false;
    db_put_text(s, 1, t->name);
    if (!db_step(s, &row, err))
        return false;
    struct ulid other = row ? db_id(s, 0) : t->id;
    if (row)
        db_reset(s);
    if (!ulid_eq(other, t->id))
        return name_taken(t->name, err);
    if (!sql_query(d, STORE_TEAM_CHANGE, &s, err))
        return false;
    db_put_id(s, 1, &t->id);
    db_put_text(s, 2, t->name);
    db_put_text(s, 3, t->description);
    if (!db_run(s, err))
        return false;
    return db_changes(d) == 1 || no_such_team(t->id, err);
}

bool sql_team_update(struct store *s, const struct team *t, struct err *err)
{
    return sql_write(s, update_write, &t, 1, err);
}

static bool removal_write(struct db *d, void *arg, struct err *err)
{
    const struct ulid *id = arg;
    bool row;
    if (!row_lock(d, STORE_TEAM_LOCK, id, &row, err))
        return false;
    if (!row)
        return no_such_team(*id, err);
    return owns_no_jobs(d, id, "team", err) && run_with_id(d, STORE_MEMBERS_REMOVE_TEAM, id, err) &&
           run_with_id(d, STORE_SECRETS_REMOVE_SCOPE, id, err) && run_with_id(d, STORE_TEAM_REMOVE, id, err);
}

bool sql_team_delete(struct store *s, struct ulid id, struct err *err)
{
    bool ok = sql_write(s, removal_write, &id, 2, err);
    if (s->exclusive)
        user_memory_forget_all(&((struct sql *)s)->users);
    return ok;
}

static bool count(struct store *st, const struct ulid *user, struct page_result *ret, struct err *err)
{
    struct sql_read r;
    if (!sql_read(&r, st, STORE_TEAMS_COUNT, err))
        return false;
    bind_optional_id(r.s, 1, user);
    db_put_i64(r.s, 2, TOTAL_EXACT_MAX + 1);
    bool ok = list_total(&r, ret, err);
    sql_read_end(&r);
    return ok;
}

static bool list(struct store *st, const struct ulid *user, struct cursor *at, struct pager *pager, struct team *out,
                 struct arena *a, struct err *err)
{
    struct sql_read r;
    struct ulid from = at->id;
    bool ok = true, row;
    if (!sql_read(&r, st, at->ascending ? STORE_TEAMS_LIST_ASC : STORE_TEAMS_LIST_DESC, err))
        return false;
    bind_optional_id(r.s, 1, user);
    db_put_id(r.s, 2, &from);
    db_put_i64(r.s, 3, pager->skip + pager->size + 1);
    while (ok && (ok = db_step(r.s, &row, err)) && row)
        if (pager_next(pager) == PAGE_TAKE) {
            ok = team_read(r.s, &out[pager->n - 1], a, err);
            at->id = out[pager->n - 1].id;
        }
    sql_read_end(&r);
    return ok;
}

bool sql_teams_list(struct store *s, struct ulid user, const struct page *p, struct team **ret, size_t *ret_n,
                    struct page_result *ret_page, struct arena *a, struct err *err)
{
    struct cursor at;
    struct page_result result;
    bool given;
    if (!page_open(p, 't', id_sorts, &at, &given, a, err))
        return false;
    struct pager pager = {.skip = given ? 0 : p->offset, .size = p->size};
    struct team *out = arena_new_array(a, struct team, (size_t)p->size);
    if (!out)
        return sql_no_memory(err);
    if (!list(s, &user, &at, &pager, out, a, err) || !count(s, &user, &result, err))
        return false;
    result.next_cursor = pager.more ? cursor_write(&at, a) : STR_NONE;
    *ret = out;
    *ret_n = pager.n;
    *ret_page = result;
    return true;
}

// ---- members ----

bool sql_members_list(struct store *s, struct ulid team, struct team_member **ret, size_t *ret_n, struct arena *a,
                      struct err *err)
{
    struct sql_read r;
    struct team_member *v = arena_new_array(a, struct team_member, TEAM_MEMBERS_MAX);
    size_t n = 0;
    bool ok = true, row = true;
    if (!v)
        return sql_no_memory(err);
    if (!sql_read(&r, s, STORE_MEMBERS_LIST, err))
        return false;
    db_put_id(r.s, 1, &team);
    db_put_i64(r.s, 2, TEAM_MEMBERS_MAX);
    while (ok && n < TEAM_MEMBERS_MAX && (ok = db_step(r.s, &row, err)) && row) {
        v[n] = (struct team_member){db_id(r.s, 0), arena_str(a, db_bytes(r.s, 1)), (int)db_i64(r.s, 2)};
        ok = v[n++].email.p || sql_no_memory(err);
    }
    sql_read_end(&r);
    if (!ok)
        return false;
    *ret = v;
    *ret_n = n;
    return true;
}

bool sql_member_role(struct store *s, struct ulid team, struct ulid user, int *ret, struct err *err)
{
    struct sql_read r;
    bool row;
    if (!sql_read(&r, s, STORE_MEMBER_ROLE, err))
        return false;
    db_put_id(r.s, 1, &team);
    db_put_id(r.s, 2, &user);
    bool ok = db_step(r.s, &row, err);
    if (ok)
        *ret = row ? (int)db_i64(r.s, 0) : -1;
    sql_read_end(&r);
    return ok;
}

struct membership {
    struct ulid team, user;
    int role;
};

// Both rows are locked, so that the counts hold until the end of the transaction.
static bool room(struct db *d, const struct membership *w, struct err *err)
{
    struct db_stmt *s;
    bool team, user;
    if (!row_lock(d, STORE_TEAM_LOCK, &w->team, &team, err) || !row_lock(d, STORE_USER_LOCK, &w->user, &user, err))
        return false;
    if (!team)
        return no_such_team(w->team, err);
    if (!user)
        return ERR(err, ERR_NOT_FOUND, "there is no such user");
    if (!sql_query(d, STORE_MEMBER_ROOM, &s, err))
        return false;
    db_put_id(s, 1, &w->team);
    db_put_id(s, 2, &w->user);
    if (!sql_only_row(s, err, "count", "members"))
        return false;
    int64_t members = db_i64(s, 0), teams = db_i64(s, 1);
    db_reset(s);
    if (members >= TEAM_MEMBERS_MAX)
        return ERR(err, ERR_CONFLICT, "the team has %d members already, which is the most", TEAM_MEMBERS_MAX);
    return teams < USER_TEAMS_MAX ||
           ERR(err, ERR_CONFLICT, "the user is in %d teams already, which is the most", USER_TEAMS_MAX);
}

static bool member_write(struct db *d, void *arg, struct err *err)
{
    const struct membership *w = arg;
    struct db_stmt *s;
    if (!room(d, w, err) || !sql_query(d, STORE_MEMBER_PUT, &s, err))
        return false;
    db_put_id(s, 1, &w->team);
    db_put_id(s, 2, &w->user);
    db_put_i64(s, 3, w->role);
    return db_run(s, err);
}

static void forget(struct store *s, struct ulid user)
{
    if (s->exclusive)
        user_memory_forget(&((struct sql *)s)->users, user);
}

bool sql_member_put(struct store *s, struct ulid team, struct ulid user, int role, struct err *err)
{
    struct membership w = {team, user, role};
    bool ok = sql_write(s, member_write, &w, 1, err);
    forget(s, user);
    return ok;
}

static bool leave_write(struct db *d, void *arg, struct err *err)
{
    const struct membership *w = arg;
    struct db_stmt *s;
    if (!sql_query(d, STORE_MEMBER_REMOVE, &s, err))
        return false;
    db_put_id(s, 1, &w->team);
    db_put_id(s, 2, &w->user);
    if (!db_run(s, err))
        return false;
    return db_changes(d) == 1 || ERR(err, ERR_NOT_FOUND, "this user is not in the team");
}

bool sql_member_remove(struct store *s, struct ulid team, struct ulid user, struct err *err)
{
    struct membership w = {team, user, 0};
    bool ok = sql_write(s, leave_write, &w, 1, err);
    forget(s, user);
    return ok;
}
