// SPDX-License-Identifier: Apache-2.0
// Secrets: putting, listing, deleting, sealing again, use. Rules: app/secret.h.
#include "app/secret.h"

#include "app/audit.h"
#include "app/owner.h"
#include "base/log.h"
#include "base/sync.h"

enum { PAGE = 100, PAGE_BUDGET = 8 * 1024 * 1024, RESEALS_MAX = 500, PROOF_BUDGET = 4096 };

const struct str secret_proof_setting = STR_INIT("secrets.proof");

#define T struct secret_rotation
static const struct field rotation_rows[] = {
    FIELD_I64(T, total, "total", .flags = FIELD_READ_ONLY, .max = INT64_MAX, .doc = "Secrets looked at."),
    FIELD_I64(T, resealed, "resealed", .flags = FIELD_READ_ONLY, .max = INT64_MAX,
              .doc = "Secrets sealed again with the first key."),
    FIELD_I64(T, failed, "failed", .flags = FIELD_READ_ONLY, .max = INT64_MAX,
              .doc =
                  "Secrets that no key of this server opens; add theirs to secrets.key, or put them again."),
    FIELD_BOOL(T, more, "more", .flags = FIELD_READ_ONLY, .doc = "Whether others are left; ask again."),
};
#undef T
const struct fields secret_rotation_fields =
    FIELDS("SecretRotation", struct secret_rotation, rotation_rows,
           .doc = "What one step of replacing the key of secrets did.");

static bool have_vault(const struct app *app, struct err *err)
{
    return app->vault ||
           ERR(err, ERR_CONFLICT,
               "this server has no key for secrets: name a file with one in CHRONOS_SECRETS_KEY_FILE, the "
               "same on every node");
}

static bool no_such_secret(struct str name, struct err *err)
{
    return ERR(err, ERR_NOT_FOUND, "secret \"%.*s\" does not exist", STR_ARG(name));
}

// Secrets have no identifier: their owner is part of what is said.
static struct str whose(const struct secret *v, struct arena *a)
{
    char text[ULID_TEXT_MAX];
    return ulid_is_zero(v->scope) ? STR("shared with every job")
                                  : arena_fmt(a, "of %s", ulid_format(v->scope, text));
}

static void noted(struct app *app, const struct caller *c, const char *what, const struct secret *v, struct arena *a)
{
    struct audit_note note = {
        .action = what, .entity_type = "secret", .entity_name = v->name, .detail = whose(v, a)};
    audit_with(app, c, &note, a);
}

// ---- put ---------------------------------------------------------------------------------------

static bool invalid(const char *field, struct err *err, const char *what)
{
    (void)ERR(err, ERR_INVALID, "%s", what);
    return err_at(err, field);
}

static bool put_check(const struct secret_put *p, struct err *err)
{
    if (!secret_name_ok(p->name))
        return ERR(err, ERR_INVALID,
                   "the name of a secret has 1 to %d letters, digits, '_', '-' and '.', and nothing else",
                   SECRET_NAME_MAX);
    if (p->value.n < SECRET_VALUE_MIN)
        return invalid("/value", err,
                       "\"value\" must have at least 4 characters: shorter ones cannot be masked in logs");
    return p->value.n <= SECRET_VALUE_MAX ||
           invalid("/value", err, "\"value\" must have at most 16384 bytes");
}

static bool room(struct app *app, struct ulid scope, struct str name, struct instant *ret_created,
                 struct arena *a, struct err *err)
{
    struct secret old;
    struct err why = {0};
    if (app->store->ops->secret_get(app->store, scope, name, &old, a, &why)) {
        *ret_created = old.created_at;
        return true;
    }
    if (why.code != ERR_NOT_FOUND) {
        *err = why;
        return false;
    }
    struct arena page CLEANUP(arena_release);
    struct str after = STR_NONE;
    size_t n = PAGE;
    for (int seen = 0; n == PAGE;) {
        struct secret *v;
        arena_init(&page, PAGE_BUDGET);
        if (!app->store->ops->secrets_page(app->store, scope, after, false, PAGE, &v, &n, &page, err))
            return false;
        seen += (int)n;
        after = n > 0 ? arena_str(a, v[n - 1].name) : after;
        arena_release(&page);
        if (seen >= SECRETS_MAX)
            return ERR(err, ERR_CONFLICT, "there are %d secrets already, which is the most: delete one first",
                       SECRETS_MAX);
    }
    return true;
}

bool app_secret_put(struct app *app, const struct caller *c, const struct secret_put *p, struct secret *ret,
                    struct arena *a, struct err *err)
{
    enum reach reach;
    if (!app_authorize(c, ACTION_SECRET_WRITE, &reach, err) || !put_check(p, err) || !have_vault(app, err))
        return false;
    if (p->shared && reach != REACH_ALL)
        return ERR(err, ERR_DENIED, "only an administrator may put shared secrets: leave out \"shared\"");
    bool team = !ulid_is_zero(p->team_id);
    if (team && p->shared)
        return invalid("/teamId", err, "cannot be given together with \"shared\"");
    if (team && !owner_team_check(app, c, reach, p->team_id, "/teamId", a, err))
        return false;
    struct instant now = clock_now(app->clock);
    struct secret v = {.scope = p->shared ? ULID_ZERO : team ? p->team_id : c->user_id,
                       .team_id = p->team_id,
                       .name = p->name,
                       .owner_id = c->user_id,
                       .created_at = now,
                       .updated_at = now,
                       .shared = p->shared};
    if (!room(app, v.scope, v.name, &v.created_at, a, err))
        return false;
    v.sealed = vault_seal(app->vault, v.scope, v.name, p->value, a);
    if (!v.sealed.p)
        return ERR(err, ERR_TOO_LARGE, "the secret needs more memory than one request may have");
    noted(app, c, "secret.put", &v, a);
    if (!app->store->ops->secret_put(app->store, &v, err))
        return false;
    v.sealed = STR_NONE;
    *ret = v;
    return true;
}

// ---- list --------------------------------------------------------------------------------------

// "ULID.name" of the last row of the page before.
static bool cursor_read(struct str text, struct ulid *ret_scope, struct str *ret_name, struct err *err)
{
    *ret_scope = ULID_ZERO;
    *ret_name = STR_NONE;
    if (!text.p)
        return true;
    struct str name, id = str_split(text, '.', &name);
    if (ulid_parse(id, ret_scope) && secret_name_ok(name)) {
        *ret_name = name;
        return true;
    }
    return ERR(err, ERR_INVALID, "\"cursor\" is not one of this list: take nextCursor of the page before");
}

// Which part of the store a reader goes through: everything, or the shared ones and then his own.
static bool part(struct app *app, const struct caller *c, enum reach reach, struct ulid scope,
                 struct str after, size_t max, struct secret **ret, size_t *ret_n, struct arena *a,
                 struct err *err)
{
    const struct store_ops *ops = app->store->ops;
    if (reach == REACH_ALL)
        return ops->secrets_page(app->store, scope, after, true, max, ret, ret_n, a, err);
    struct secret *v, *own;
    size_t n = 0, more = 0;
    bool in_shared = ulid_is_zero(scope);
    if (in_shared && !ops->secrets_page(app->store, ULID_ZERO, after, false, max, &v, &n, a, err))
        return false;
    struct str from = in_shared ? STR_NONE : after;
    if (n < max && !ops->secrets_page(app->store, c->user_id, from, false, max - n, &own, &more, a, err))
        return false;
    struct secret *all = arena_new_array(a, struct secret, n + more);
    if (!all)
        return ERR(err, ERR_UNAVAILABLE, "the answer is too large for its memory: ask for fewer rows");
    if (n > 0)
        memcpy(all, v, n * sizeof *v);
    if (more > 0)
        memcpy(all + n, own, more * sizeof *own);
    *ret = all;
    *ret_n = n + more;
    return true;
}

bool app_secrets_list(struct app *app, const struct caller *c, const struct secrets_page *p,
                      struct secret **ret, size_t *ret_n, struct page_result *ret_page, struct arena *a,
                      struct err *err)
{
    enum reach reach;
    struct ulid scope;
    struct str after;
    struct secret *v;
    size_t n = 0, size = (size_t)p->size;
    char id[ULID_TEXT_MAX];
    if (!app_authorize(c, ACTION_SECRET_READ, &reach, err) || !cursor_read(p->cursor, &scope, &after, err))
        return false;
    bool team = !ulid_is_zero(p->team_id);
    if (team && !owner_team_check(app, c, reach, p->team_id, "/teamId", a, err))
        return false;
    struct ulid own = team ? p->team_id : c->user_id;
    if ((team || reach != REACH_ALL) && !ulid_is_zero(scope) && !ulid_eq(scope, own))
        return ERR(err, ERR_INVALID,
                   "\"cursor\" is not one of this list: take nextCursor of the page before");
    if (team && !app->store->ops->secrets_page(app->store, own, after, false, size + 1, &v, &n, a, err))
        return false;
    if (!team && !part(app, c, reach, scope, after, size + 1, &v, &n, a, err))
        return false;
    *ret_page = (struct page_result){.total = (int64_t)n, .total_is_estimate = n > size || p->cursor.p};
    if (n > size) {
        n = size;
        ret_page->next_cursor =
            arena_fmt(a, "%s.%.*s", ulid_format(v[n - 1].scope, id), STR_ARG(v[n - 1].name));
    }
    for (size_t i = 0; i < n; i++) {
        v[i].sealed = STR_NONE;
        // A user's own are in the scope of who put them.
        bool of_team = !v[i].shared && !ulid_eq(v[i].scope, v[i].owner_id);
        v[i].team_id = of_team ? v[i].scope : ULID_ZERO;
    }
    *ret = v;
    *ret_n = n;
    return true;
}

// ---- delete ------------------------------------------------------------------------------------

static bool delete_in(struct app *app, const struct caller *c, struct ulid scope, struct str name,
                      struct arena *a, struct err *err)
{
    struct secret v = {.scope = scope, .name = name};
    noted(app, c, "secret.delete", &v, a);
    return app->store->ops->secret_delete(app->store, scope, name, err);
}

bool app_secret_delete(struct app *app, const struct caller *c, struct str name, bool shared,
                       struct ulid owner, struct arena *a, struct err *err)
{
    enum reach reach;
    struct err why = {0};
    if (!app_authorize(c, ACTION_SECRET_WRITE, &reach, err))
        return false;
    bool others = !ulid_is_zero(owner) && !ulid_eq(owner, c->user_id);
    if (!secret_name_ok(name) || ((shared || (others && !caller_in_team(c, owner))) && reach != REACH_ALL))
        return no_such_secret((struct str){name.p, str_utf8_cut(name, SECRET_NAME_MAX)}, err);
    struct ulid scope = shared ? ULID_ZERO : others ? owner : c->user_id;
    if (delete_in(app, c, scope, name, a, &why))
        return true;
    if (why.code == ERR_NOT_FOUND && ulid_is_zero(owner) && !shared && reach == REACH_ALL)
        return delete_in(app, c, ULID_ZERO, name, a, err);
    *err = why;
    return false;
}

// ---- rotation ----------------------------------------------------------------------------------

static bool reseal(struct app *app, const struct secret *v, struct secret_rotation *r, struct arena *a,
                   struct err *err)
{
    struct str value;
    struct secret fresh = *v;
    struct err why = {0};
    bool done;
    if (!vault_open(app->vault, v->scope, v->name, v->sealed, &value, a, &why)) {
        LOG_WARN("a secret cannot be opened", LOG_STR("secret", v->name), LOG_ID("owner", v->owner_id),
                 LOG_CSTR("why", why.text));
        r->failed++;
        return true;
    }
    fresh.sealed = vault_seal(app->vault, v->scope, v->name, value, a);
    explicit_bzero((char *)value.p, value.n);
    if (!fresh.sealed.p)
        return ERR(err, ERR_UNAVAILABLE, "no memory to seal a secret again");
    if (!app->store->ops->secret_reseal(app->store, &fresh, v->sealed, &done, err))
        return false;
    r->resealed += done;
    return true;
}

static bool page_rotate(struct app *app, const struct secret *v, size_t n, struct secret_rotation *r,
                        struct arena *a, struct err *err)
{
    for (size_t i = 0; i < n && !r->more; i++) {
        r->total++;
        if (vault_current(app->vault, v[i].sealed))
            continue;
        if (!reseal(app, &v[i], r, a, err))
            return false;
        r->more = r->resealed >= RESEALS_MAX;
    }
    return true;
}

static struct audit_note rotation_note(const struct secret_rotation *r, struct arena *a)
{
    return (struct audit_note){.action = "secret.rotate",
                               .entity_type = "secret",
                               .entity_name = STR("*"),
                               .outcome = r->failed ? AUDIT_FAILED : AUDIT_DONE,
                               .detail = arena_fmt(a, "%lld sealed again, %lld could not be opened",
                                                   (long long)r->resealed, (long long)r->failed)};
}

static bool proof_renew(struct app *app, const struct caller *c, const struct secret_rotation *r, struct err *err)
{
    struct arena a CLEANUP(arena_release);
    arena_init(&a, PROOF_BUDGET);
    struct audit_note note = rotation_note(r, &a);
    audit_with(app, c, &note, &a);
    return app->store->ops->setting_put(app->store, secret_proof_setting, secret_proof_new(app->vault, &a),
                                        err);
}

// A step that leaves some to do, or could not open all, has no write that ends it.
static void step_told(struct app *app, const struct caller *c, const struct secret_rotation *r)
{
    struct arena a CLEANUP(arena_release);
    arena_init(&a, PROOF_BUDGET);
    struct audit_note note = rotation_note(r, &a);
    audit_alone(app, c, &note, &a);
}

bool app_secrets_rotate(struct app *app, const struct caller *c, struct secret_rotation *ret, struct err *err)
{
    enum reach reach;
    struct secret_rotation r = {0};
    struct secret last = {.name = STR_NONE}, *v;
    char name[SECRET_NAME_MAX];
    if (!app_authorize(c, ACTION_SECRET_ROTATE, &reach, err) || !have_vault(app, err))
        return false;
    for (size_t n = PAGE; n == PAGE && !r.more;) {
        struct arena a CLEANUP(arena_release);
        arena_init(&a, PAGE_BUDGET);
        if (!app->store->ops->secrets_page(app->store, last.scope, last.name, true, PAGE, &v, &n, &a, err) ||
            !page_rotate(app, v, n, &r, &a, err))
            return false;
        if (n > 0) {
            last.scope = v[n - 1].scope;
            last.name = (struct str){name, v[n - 1].name.n};
            must(last.name.n <= sizeof name);
            memcpy(name, v[n - 1].name.p, last.name.n);
        }
    }
    if (!r.more && r.failed == 0 && !proof_renew(app, c, &r, err))
        return false;
    if (r.more || r.failed > 0)
        step_told(app, c, &r);
    *ret = r;
    return true;
}

// ---- use ---------------------------------------------------------------------------------------

static bool find(struct app *app, struct ulid owner, struct str name, struct secret *ret, struct arena *a,
                 struct err *err)
{
    struct err why = {0};
    if (!secret_name_ok(name))
        return no_such_secret((struct str){name.p, str_utf8_cut(name, SECRET_NAME_MAX)}, err);
    if (app->store->ops->secret_get(app->store, owner, name, ret, a, &why))
        return true;
    if (why.code == ERR_NOT_FOUND)
        return app->store->ops->secret_get(app->store, ULID_ZERO, name, ret, a, err);
    *err = why;
    return false;
}

bool secret_exists(struct app *app, struct ulid owner, struct str name, bool *ret, struct arena *a,
                   struct err *err)
{
    struct secret v;
    struct err why = {0};
    *ret = find(app, owner, name, &v, a, &why);
    if (*ret || why.code == ERR_NOT_FOUND)
        return true;
    *err = why;
    return false;
}

bool secret_value(struct app *app, struct ulid owner, struct str name, struct str *ret, struct arena *a,
                  struct err *err)
{
    struct secret v;
    return have_vault(app, err) && find(app, owner, name, &v, a, err) &&
           vault_open(app->vault, v.scope, v.name, v.sealed, ret, a, err);
}

struct str secret_proof_new(const struct vault *v, struct arena *a)
{
    return vault_seal(v, ULID_ZERO, secret_proof_setting, STR("chronos"), a);
}

bool secrets_forget(struct store *s, int64_t *ret, struct err *err)
{
    int64_t done = 0;
    for (size_t n = PAGE; n == PAGE;) {
        struct arena a CLEANUP(arena_release);
        struct secret *v;
        arena_init(&a, PAGE_BUDGET);
        if (!s->ops->secrets_page(s, ULID_ZERO, STR_NONE, true, PAGE, &v, &n, &a, err))
            return false;
        for (size_t i = 0; i < n; i++, done++)
            if (!s->ops->secret_delete(s, v[i].scope, v[i].name, err))
                return false;
    }
    if (!s->ops->setting_put(s, secret_proof_setting, STR_NONE, err))
        return false;
    *ret = done;
    return true;
}
