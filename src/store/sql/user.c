// SPDX-License-Identifier: Apache-2.0
// Users and settings.
#include "store/sql/sql.h"

enum { ROLES_TEXT_MAX = 256 };

// Roles are words of the model without blanks: kept as one text.
static struct str roles_join(const struct strs *roles, char buf[static ROLES_TEXT_MAX])
{
    size_t n = 0;
    for (size_t i = 0; i < roles->n; i++) {
        struct str w = roles->v[i];
        must(n + w.n + 1 < ROLES_TEXT_MAX);
        if (i > 0)
            buf[n++] = ' ';
        memcpy(buf + n, w.p, w.n);
        n += w.n;
    }
    return (struct str){buf, n};
}

static bool roles_split(struct str text, struct strs *ret, struct arena *a)
{
    size_t n = 0;
    for (struct str rest = text; rest.n > 0; n++)
        (void)str_split(rest, ' ', &rest);
    struct str *v = arena_new_array(a, struct str, n);
    if (!v)
        return false;
    n = 0;
    for (struct str rest = text; rest.n > 0;)
        v[n++] = str_split(rest, ' ', &rest);
    *ret = (struct strs){v, n};
    return true;
}

static bool is_admin(const struct user *u) { return u->enabled && (user_role_bits(u) & (1u << ROLE_ADMIN)); }

// ---- users -------------------------------------------------------------------------------------

struct new_user {
    struct store *store;
    const struct user *u;
    bool first_admin;
};

// Two set-ups on different nodes come one after the other: both write this row first.
static bool setup_lock(struct db *d, struct err *err)
{
    struct db_stmt *s;
    if (!sql_query(d, STORE_SETTING_PUT, &s, err))
        return false;
    db_put_text(s, 1, STR("setup.lock"));
    db_put_text(s, 2, STR(""));
    return db_run(s, err);
}

static bool user_refused(struct db *d, const struct new_user *w, struct err *err)
{
    struct db_stmt *s;
    if (!sql_query(d, STORE_ADMIN_EXISTS, &s, err) || !sql_only_row(s, err, "answer", "admin"))
        return false;
    bool admin = db_i64(s, 0) != 0;
    db_reset(s);
    if (w->first_admin && admin)
        return ERR(err, ERR_CONFLICT, "an administrator exists already: sign in as that user");
    return ERR(err, ERR_CONFLICT, "a user with the e-mail \"%.*s\" exists already", STR_ARG(w->u->email));
}

static bool user_write(struct db *d, void *arg, struct err *err)
{
    const struct new_user *w = arg;
    char roles[ROLES_TEXT_MAX];
    struct db_stmt *s;
    if (w->first_admin && !w->store->exclusive && !setup_lock(d, err))
        return false;
    if (!sql_query(d, w->first_admin ? STORE_USER_PUT_FIRST_ADMIN : STORE_USER_PUT, &s, err))
        return false;
    db_put_id(s, 1, &w->u->id);
    db_put_text(s, 2, w->u->email);
    db_put_text(s, 3, w->u->password_hash);
    db_put_text(s, 4, roles_join(&w->u->roles, roles));
    db_put_i64(s, 5, w->u->enabled);
    db_put_i64(s, 6, w->u->session_epoch);
    bind_instant(s, 7, w->u->created_at);
    db_put_i64(s, 8, is_admin(w->u));
    if (!db_run(s, err))
        return false;
    return db_changes(d) == 1 || user_refused(d, w, err);
}

bool sql_user_insert(struct store *s, const struct user *u, struct err *err)
{
    struct new_user w = {.store = s, .u = u};
    return sql_write(s, user_write, &w, 1, err);
}

bool sql_user_insert_first_admin(struct store *s, const struct user *u, struct err *err)
{
    struct new_user w = {.store = s, .u = u, .first_admin = true};
    return sql_write(s, user_write, &w, 1, err);
}

static bool user_read(struct sql_read *r, struct user *ret, struct arena *a, struct err *err)
{
    bool row;
    if (!db_step(r->s, &row, err))
        return false;
    if (!row)
        return ERR(err, ERR_NOT_FOUND, "there is no such user");
    struct str hash = db_bytes(r->s, 2), roles = arena_str(a, db_bytes(r->s, 3));
    struct user u = {
        .id = db_id(r->s, 0),
        .email = arena_str(a, db_bytes(r->s, 1)),
        .password_hash = hash.p ? arena_str(a, hash) : STR_NONE,
        .enabled = db_i64(r->s, 4) != 0,
        .session_epoch = db_i64(r->s, 5),
        .created_at = read_instant(r->s, 6),
    };
    if (!u.email.p || !roles.p || (hash.p && !u.password_hash.p) || !roles_split(roles, &u.roles, a))
        return sql_no_memory(err);
    *ret = u;
    return true;
}

bool sql_user_get(struct store *s, struct ulid id, struct user *ret, struct arena *a, struct err *err)
{
    struct user_memory *memory = &((struct sql *)s)->users;
    int64_t changes;
    if (s->exclusive && user_memory_get(memory, id, ret, &changes, a))
        return true;
    struct sql_read r;
    if (!sql_read(&r, s, STORE_USER_GET, err))
        return false;
    db_put_id(r.s, 1, &id);
    bool ok = user_read(&r, ret, a, err);
    sql_read_end(&r);
    if (ok && s->exclusive)
        user_memory_put(memory, ret, changes);
    return ok;
}

bool sql_user_by_email(struct store *s, struct str email, struct user *ret, struct arena *a, struct err *err)
{
    struct sql_read r;
    if (!sql_read(&r, s, STORE_USER_BY_EMAIL, err))
        return false;
    db_put_text(r.s, 1, email);
    bool ok = user_read(&r, ret, a, err);
    sql_read_end(&r);
    return ok;
}

static bool change_write(struct db *d, void *arg, struct err *err)
{
    const struct user *u = *(const struct user **)arg;
    char roles[ROLES_TEXT_MAX];
    struct db_stmt *s;
    if (!sql_query(d, STORE_USER_CHANGE, &s, err))
        return false;
    db_put_id(s, 1, &u->id);
    db_put_text(s, 2, u->password_hash);
    db_put_text(s, 3, roles_join(&u->roles, roles));
    db_put_i64(s, 4, u->enabled);
    db_put_i64(s, 5, u->session_epoch);
    db_put_i64(s, 6, is_admin(u));
    if (!db_run(s, err))
        return false;
    return db_changes(d) == 1 || ERR(err, ERR_NOT_FOUND, "there is no such user");
}

bool sql_user_update(struct store *s, const struct user *u, struct err *err)
{
    bool ok = sql_write(s, change_write, &u, 1, err);
    // Also after a failure: a commit may have succeeded without our learning it.
    if (s->exclusive)
        user_memory_forget(&((struct sql *)s)->users, u->id);
    return ok;
}

bool sql_admin_exists(struct store *s, bool *ret, struct err *err)
{
    struct sql_read r;
    if (!sql_read(&r, s, STORE_ADMIN_EXISTS, err))
        return false;
    bool ok = sql_only_row(r.s, err, "answer", "admin");
    if (ok)
        *ret = db_i64(r.s, 0) != 0;
    sql_read_end(&r);
    return ok;
}

// ---- settings ----------------------------------------------------------------------------------

bool sql_setting_get(struct store *s, struct str key, struct str *ret, struct arena *a, struct err *err)
{
    struct sql_read r;
    bool row;
    if (!sql_read(&r, s, STORE_SETTING_GET, err))
        return false;
    db_put_text(r.s, 1, key);
    bool ok = db_step(r.s, &row, err);
    if (ok && !row)
        ok = ERR(err, ERR_NOT_FOUND, "setting \"%.*s\" is not set", STR_ARG(key));
    if (ok) {
        struct str value = arena_str(a, db_bytes(r.s, 0));
        ok = value.p || sql_no_memory(err);
        if (ok)
            *ret = value;
    }
    sql_read_end(&r);
    return ok;
}

struct setting {
    struct str key, value;
};

static bool setting_write(struct db *d, void *arg, struct err *err)
{
    const struct setting *w = arg;
    struct db_stmt *s;
    if (!sql_query(d, w->value.p ? STORE_SETTING_PUT : STORE_SETTING_REMOVE, &s, err))
        return false;
    db_put_text(s, 1, w->key);
    if (w->value.p)
        db_put_text(s, 2, w->value);
    return db_run(s, err);
}

bool sql_setting_put(struct store *s, struct str key, struct str value, struct err *err)
{
    struct setting w = {key, value};
    return sql_write(s, setting_write, &w, 1, err);
}

static bool setting_new_write(struct db *d, void *arg, struct err *err)
{
    const struct setting *w = arg;
    struct db_stmt *s;
    if (!sql_query(d, STORE_SETTING_NEW, &s, err))
        return false;
    db_put_text(s, 1, w->key);
    db_put_text(s, 2, w->value);
    if (!db_run(s, err))
        return false;
    return db_changes(d) == 1 || ERR(err, ERR_CONFLICT, "setting \"%.*s\" is set already", STR_ARG(w->key));
}

bool sql_setting_insert(struct store *s, struct str key, struct str value, struct err *err)
{
    struct setting w = {key, value};
    return sql_write(s, setting_new_write, &w, 1, err);
}
