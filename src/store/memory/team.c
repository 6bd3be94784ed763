// SPDX-License-Identifier: Apache-2.0
// Teams and who is in them, in memory.
#include "store/memory/account.h"

static struct team *team_find(struct mem *m, struct ulid id)
{
    size_t at = row_list_after(&m->teams, id);
    struct team *t = at > 0 ? m->teams.v[at - 1] : NULL;
    return t && ulid_eq(t->id, id) ? t : NULL;
}

static bool no_such_team(struct ulid id, struct err *err)
{
    char text[ULID_TEXT_MAX];
    return ERR(err, ERR_NOT_FOUND, "team \"%s\" does not exist", ulid_format(id, text));
}

static bool name_free(struct mem *m, const struct team *t, struct err *err)
{
    for (size_t i = 0; i < m->teams.n; i++) {
        const struct team *o = m->teams.v[i];
        if (str_eq(o->name, t->name) && !ulid_eq(o->id, t->id))
            return ERR(err, ERR_CONFLICT, "there is a team with the name \"%.*s\" already", STR_ARG(t->name));
    }
    return true;
}

static void team_own(struct mem *m, struct team *to, const struct team *from)
{
    to->name = mem_text(m, from->name);
    to->description = mem_text(m, from->description);
}

static bool team_put(struct mem *m, const struct team *t, struct err *err)
{
    if (team_find(m, t->id))
        return ERR(err, ERR_CONFLICT, "this team exists already");
    if (!name_free(m, t, err))
        return false;
    struct team *own = mem_take(m, 1, sizeof *own);
    *own = *t;
    team_own(m, own, t);
    row_list_add(&m->teams, own);
    return true;
}

bool mem_team_insert(struct store *s, const struct team *t, struct err *err)
{
    struct mem_call c;
    return call_begin(&c, s, "team_insert", true, err) && call_end(&c, team_put(c.m, t, err), err);
}

// ---- memberships ----

static const struct membership *membership_at(const struct mem *m, size_t i)
{
    return (const struct membership *)m->memberships.v + i;
}

static size_t membership_find(const struct mem *m, struct ulid team, struct ulid user)
{
    size_t i = 0;
    while (i < m->memberships.n &&
           !(ulid_eq(membership_at(m, i)->team, team) && ulid_eq(membership_at(m, i)->user, user)))
        i++;
    return i;
}

void memberships_remove(struct mem *m, struct ulid team, struct ulid user)
{
    for (size_t i = m->memberships.n; i > 0; i--) {
        const struct membership *v = membership_at(m, i - 1);
        if ((ulid_is_zero(team) || ulid_eq(v->team, team)) && (ulid_is_zero(user) || ulid_eq(v->user, user)))
            mem_rows_remove(&m->memberships, i - 1, 1);
    }
}

bool teams_of(struct mem *m, struct ulid user, struct user *ret, struct arena *a)
{
    struct ulid *v = arena_new_array(a, struct ulid, USER_TEAMS_MAX);
    size_t n = 0;
    for (size_t i = 0; v && i < m->memberships.n && n < USER_TEAMS_MAX; i++)
        if (ulid_eq(membership_at(m, i)->user, user))
            v[n++] = membership_at(m, i)->team;
    ret->teams = v;
    ret->n_teams = n;
    return v != NULL;
}

static int64_t members_of(const struct mem *m, struct ulid team)
{
    int64_t n = 0;
    for (size_t i = 0; i < m->memberships.n; i++)
        n += ulid_eq(membership_at(m, i)->team, team);
    return n;
}

// ---- teams, further ----

bool mem_team_get(struct store *s, struct ulid id, struct team *ret, struct arena *a, struct err *err)
{
    (void)a; // texts of this store never change
    struct mem_call c;
    if (!call_begin(&c, s, "team_get", false, err))
        return false;
    const struct team *t = team_find(c.m, id);
    if (!t)
        return call_end(&c, no_such_team(id, err), err);
    struct team found = *t;
    found.members = members_of(c.m, id);
    *ret = found;
    return call_end(&c, true, err);
}

static bool team_change(struct mem *m, const struct team *t, struct err *err)
{
    struct team *own = team_find(m, t->id);
    if (!own)
        return no_such_team(t->id, err);
    if (!name_free(m, t, err))
        return false;
    team_own(m, own, t);
    return true;
}

bool mem_team_update(struct store *s, const struct team *t, struct err *err)
{
    struct mem_call c;
    return call_begin(&c, s, "team_update", true, err) && call_end(&c, team_change(c.m, t, err), err);
}

static bool team_remove(struct mem *m, struct ulid id, struct err *err)
{
    if (!team_find(m, id))
        return no_such_team(id, err);
    if (!has_no_jobs(m, id, "team", err))
        return false;
    memberships_remove(m, id, ULID_ZERO);
    secrets_remove(m, id);
    row_list_remove(&m->teams, id);
    return true;
}

bool mem_team_delete(struct store *s, struct ulid id, struct err *err)
{
    struct mem_call c;
    return call_begin(&c, s, "team_delete", true, err) && call_end(&c, team_remove(c.m, id, err), err);
}

static bool teams_answer(struct mem *m, struct ulid user, const struct page *p, struct team **ret, size_t *ret_n,
                         struct page_result *ret_page, struct arena *a, struct err *err)
{
    struct id_page l = {.v = (const void **)arena_array(a, m->teams.n + 1, sizeof *l.v)};
    struct team *out = arena_new_array(a, struct team, (size_t)p->size);
    if (!l.v || !out)
        return ERR(err, ERR_UNAVAILABLE, "no memory for a page of teams");
    for (size_t i = 0; i < m->teams.n; i++) {
        const struct team *t = m->teams.v[i];
        if (ulid_is_zero(user) || membership_find(m, t->id, user) < m->memberships.n)
            l.v[l.n++] = t;
    }
    if (!id_page_cut(&l, p, 't', a, err))
        return false;
    for (size_t i = 0; i < l.count; i++) {
        out[i] = *(const struct team *)id_page_at(&l, i);
        out[i].members = members_of(m, out[i].id);
    }
    *ret = out;
    *ret_n = l.count;
    *ret_page = l.result;
    return true;
}

bool mem_teams_list(struct store *s, struct ulid user, const struct page *p, struct team **ret, size_t *ret_n,
                    struct page_result *ret_page, struct arena *a, struct err *err)
{
    struct mem_call c;
    return call_begin(&c, s, "teams_list", false, err) &&
           call_end(&c, teams_answer(c.m, user, p, ret, ret_n, ret_page, a, err), err);
}

// ---- members ----

static int member_cmp(const void *a, const void *b)
{
    return ulid_cmp(((const struct team_member *)a)->user_id, ((const struct team_member *)b)->user_id);
}

bool mem_members_list(struct store *s, struct ulid team, struct team_member **ret, size_t *ret_n, struct arena *a,
                      struct err *err)
{
    struct mem_call c;
    struct team_member *v = arena_new_array(a, struct team_member, TEAM_MEMBERS_MAX);
    size_t n = 0;
    if (!v)
        return ERR(err, ERR_UNAVAILABLE, "no memory for the members of a team");
    if (!call_begin(&c, s, "members_list", false, err))
        return false;
    for (size_t i = 0; i < c.m->memberships.n && n < TEAM_MEMBERS_MAX; i++) {
        const struct membership *r = membership_at(c.m, i);
        const struct user *u = map_get(&c.m->users, r->user);
        if (u && ulid_eq(r->team, team))
            v[n++] = (struct team_member){r->user, u->email, r->role};
    }
    if (n > 1)
        qsort(v, n, sizeof *v, member_cmp);
    *ret = v;
    *ret_n = n;
    return call_end(&c, true, err);
}

bool mem_member_role(struct store *s, struct ulid team, struct ulid user, int *ret, struct err *err)
{
    struct mem_call c;
    if (!call_begin(&c, s, "member_role", false, err))
        return false;
    size_t i = membership_find(c.m, team, user);
    *ret = i < c.m->memberships.n ? membership_at(c.m, i)->role : -1;
    return call_end(&c, true, err);
}

static bool member_add(struct mem *m, const struct membership *v, struct err *err)
{
    if (!team_find(m, v->team))
        return no_such_team(v->team, err);
    if (!map_get(&m->users, v->user))
        return ERR(err, ERR_NOT_FOUND, "there is no such user");
    size_t at = membership_find(m, v->team, v->user);
    if (at < m->memberships.n) {
        ((struct membership *)m->memberships.v)[at].role = v->role;
        return true;
    }
    int64_t teams = 0;
    for (size_t i = 0; i < m->memberships.n; i++)
        teams += ulid_eq(membership_at(m, i)->user, v->user);
    if (members_of(m, v->team) >= TEAM_MEMBERS_MAX)
        return ERR(err, ERR_CONFLICT, "the team has %d members already, which is the most", TEAM_MEMBERS_MAX);
    if (teams >= USER_TEAMS_MAX)
        return ERR(err, ERR_CONFLICT, "the user is in %d teams already, which is the most", USER_TEAMS_MAX);
    *(struct membership *)mem_rows_add(&m->memberships) = *v;
    return true;
}

bool mem_member_put(struct store *s, struct ulid team, struct ulid user, int role, struct err *err)
{
    struct mem_call c;
    const struct membership v = {team, user, role};
    return call_begin(&c, s, "member_put", true, err) && call_end(&c, member_add(c.m, &v, err), err);
}

bool mem_member_remove(struct store *s, struct ulid team, struct ulid user, struct err *err)
{
    struct mem_call c;
    if (!call_begin(&c, s, "member_remove", true, err))
        return false;
    size_t i = membership_find(c.m, team, user);
    if (i == c.m->memberships.n)
        return call_end(&c, ERR(err, ERR_NOT_FOUND, "this user is not in the team"), err);
    mem_rows_remove(&c.m->memberships, i, 1);
    return call_end(&c, true, err);
}
