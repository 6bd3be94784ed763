// SPDX-License-Identifier: Apache-2.0
// Users and settings.
#include "store/sql/account.h"
#include "store/sql/sql.h"

enum { ROLES_TEXT_MAX = 256 };

// Roles are words of the model: kept as one text.
static struct str roles_join(const struct strs *roles, char buf[static ROLES_TEXT_MAX])
{
    return words_join(roles, buf, ROLES_TEXT_MAX);
}

struct str words_join(const struct strs *words, char *buf, size_t size)
{
    size_t n = 0;
    for (size_t i = 0; i < words->n; i++) {
        struct str w = words->v[i];
        must(n + w.n + 1 < size);
        if (i > 0)
            buf[n++] = ' ';
        memcpy(buf + n, w.p, w.n);
        n += w.n;
    }
    return (struct str){buf, n};
}

bool words_split(struct str text, struct strs *ret, struct arena *a)
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

bool admins_lock(struct db *d, struct err *err)
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

static bool one_time_write(struct db *d, const struct user *u, struct err *err)
{
    struct db_stmt *s;
    bool given = u->one_time_until.us != 0;
    if (!sql_query(d, given ? STORE_ONE_TIME_PUT : STORE_ONE_TIME_REMOVE, &s, err))
        return false;
    db_put_id(s, 1, &u->id);
    if (given)
        db_put_i64(s, 2, u->one_time_until.us);
    return db_run(s, err);
}

static bool user_write(struct db *d, void *arg, struct err *err)
{
    const struct new_user *w = arg;
    char roles[ROLES_TEXT_MAX];
    struct db_stmt *s;
    if (w->first_admin && !w->store->exclusive && !admins_lock(d, err))
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
    if (db_changes(d) != 1)
        return user_refused(d, w, err);
    return w->u->one_time_until.us == 0 || one_time_write(d, w->u, err);
}

bool user_row_put(struct store *st, struct db *d, const struct user *u, struct err *err)
{
    struct new_user w = {.store = st, .u = u};
    return user_write(d, &w, err);
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

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : 0;
}

// Identifiers as hexadecimal digits, one behind the other.
static bool teams_read(struct str hex, struct user *u, struct arena *a)
{
    enum { DIGITS = 2 * sizeof(struct ulid) };
    size_t n = hex.n / DIGITS < USER_TEAMS_MAX ? hex.n / DIGITS : USER_TEAMS_MAX;
    struct ulid *v = arena_new_array(a, struct ulid, n);
    if (!v)
        return false;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < sizeof v->b; k++) {
            const char *p = hex.p + i * DIGITS + 2 * k;
            v[i].b[k] = (uint8_t)(hex_digit(p[0]) << 4 | hex_digit(p[1]));
        }
    u->teams = v;
    u->n_teams = n;
    return true;
}

bool user_row_read(struct db_stmt *s, struct user *ret, struct arena *a, struct err *err)
{
    struct str hash = db_bytes(s, 2), roles = arena_str(a, db_bytes(s, 3));
    struct user u = {
        .id = db_id(s, 0),
        .email = arena_str(a, db_bytes(s, 1)),
        .password_hash = hash.p ? arena_str(a, hash) : STR_NONE,
        .enabled = db_i64(s, 4) != 0,
        .session_epoch = db_i64(s, 5),
        .read_epoch = db_i64(s, 5),
        .created_at = read_instant(s, 6),
        .one_time_until = {db_i64(s, 7)},
        .must_change = !db_is_null(s, 7),
    };
    if (!u.email.p || !roles.p || (hash.p && !u.password_hash.p) || !words_split(roles, &u.roles, a) ||
        !teams_read(db_bytes(s, 8), &u, a))
        return sql_no_memory(err);
    *ret = u;
    return true;
}

static bool user_read(struct sql_read *r, struct user *ret, struct arena *a, struct err *err)
{
    bool row;
    if (!db_step(r->s, &row, err))
        return false;
    if (!row)
        return ERR(err, ERR_NOT_FOUND, "there is no such user");
    return user_row_read(r->s, ret, a, err);
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

bool last_admin(struct err *err)
{
    return ERR(err, ERR_CONFLICT, "this is the last administrator who can sign in: make another one first");
}

bool user_may_change(struct db *d, const struct ulid *id, int64_t read_epoch, bool stays_admin, struct err *err)
{
    struct db_stmt *s;
    bool row;
    if (!sql_query(d, STORE_USER_STATE, &s, err))
        return false;
    db_put_id(s, 1, id);
    if (!db_step(s, &row, err))
        return false;
    if (!row)
        return ERR(err, ERR_NOT_FOUND, "there is no such user");
    bool admin = db_i64(s, 0) != 0, others = db_i64(s, 2) != 0;
    int64_t epoch = db_i64(s, 1);
    db_reset(s);
    if (read_epoch != 0 && epoch != read_epoch)
        return ERR(err, ERR_STALE, "the account was changed by somebody else: read it again");
    return !admin || stays_admin || others || last_admin(err);
}

struct user_change {
    struct store *store;
    const struct user *u;
};

static bool change_write(struct db *d, void *arg, struct err *err)
{
    const struct user_change *w = arg;
    const struct user *u = w->u;
    char roles[ROLES_TEXT_MAX];
    struct db_stmt *s;
    if ((!w->store->exclusive && !is_admin(u) && !admins_lock(d, err)) ||
        !user_may_change(d, &u->id, u->read_epoch, is_admin(u), err) || !one_time_write(d, u, err) ||
        !sql_query(d, STORE_USER_CHANGE, &s, err))
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
    struct user_change w = {s, u};
    bool ok = sql_write(s, change_write, &w, 1, err);
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
