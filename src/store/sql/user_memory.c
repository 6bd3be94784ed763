// SPDX-License-Identifier: Apache-2.0
// Users lately read. A reader that was overtaken by a change does not remember what it read: it hands back
// the count of changes it saw before reading.
#include "store/sql/user_memory.h"

#include "base/mem.h"

static struct user_place *place_of(struct user_memory *m, struct ulid id)
{
    return &m->v[id.b[sizeof id.b - 1] % USERS_REMEMBERED];
}

static bool user_copy(const struct user *u, struct user *ret, struct arena *a)
{
    struct user copy = *u;
    struct ulid *teams = arena_new_array(a, struct ulid, u->n_teams);
    if (!teams)
        return false;
    if (u->n_teams > 0)
        memcpy(teams, u->teams, u->n_teams * sizeof *teams);
    copy.teams = teams;
    copy.email = arena_str(a, u->email);
    copy.password_hash = u->password_hash.p ? arena_str(a, u->password_hash) : STR_NONE;
    copy.roles.v = arena_new_array(a, struct str, u->roles.n);
    if (!copy.email.p || !copy.roles.v || (u->password_hash.p && !copy.password_hash.p))
        return false;
    for (size_t i = 0; i < u->roles.n; i++) {
        copy.roles.v[i] = arena_str(a, u->roles.v[i]);
        if (!copy.roles.v[i].p)
            return false;
    }
    *ret = copy;
    return true;
}

static void place_clear(struct user_place *p)
{
    arena_release(&p->arena);
    p->user = (struct user){.id = ULID_ZERO};
}

void user_memory_init(struct user_memory *m)
{
    *m = (struct user_memory){.v = mem_array(USERS_REMEMBERED, sizeof *m->v)};
    mutex_init(&m->lock, LOCK_STORE_USERS);
}

void user_memory_release(struct user_memory *m)
{
    for (size_t i = 0; i < USERS_REMEMBERED; i++)
        place_clear(&m->v[i]);
    mem_free(m->v);
    mutex_release(&m->lock);
}

bool user_memory_get(struct user_memory *m, struct ulid id, struct user *ret, int64_t *ret_changes,
                     struct arena *a)
{
    WITH_LOCK(&m->lock);
    *ret_changes = m->changes;
    const struct user_place *p = place_of(m, id);
    return !ulid_is_zero(id) && ulid_eq(p->user.id, id) && user_copy(&p->user, ret, a);
}

void user_memory_put(struct user_memory *m, const struct user *u, int64_t changes)
{
    WITH_LOCK(&m->lock);
    if (m->changes != changes)
        return;
    struct user_place *p = place_of(m, u->id);
    place_clear(p);
    arena_init(&p->arena, USER_MEMORY_BUDGET);
    if (!user_copy(u, &p->user, &p->arena))
        place_clear(p);
}

void user_memory_forget(struct user_memory *m, struct ulid id)
{
    WITH_LOCK(&m->lock);
    m->changes++;
    struct user_place *p = place_of(m, id);
    if (ulid_eq(p->user.id, id))
        place_clear(p);
}

void user_memory_forget_all(struct user_memory *m)
{
    WITH_LOCK(&m->lock);
    m->changes++;
    for (size_t i = 0; i < USERS_REMEMBERED; i++)
        place_clear(&m->v[i]);
}
