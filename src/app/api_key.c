// SPDX-License-Identifier: Apache-2.0
// API keys: made, listed, revoked, used. Rules: app/api_key.h.
#include "app/api_key.h"

#include "app/audit.h"
#include "app/cached.h"
#include "app/key_memory.h"

const struct str api_key_prefix = STR_INIT("chr_");

#define T struct api_key_made
static const struct field made_rows[] = {
    FIELD_ID(T, key.id, "id", .flags = FIELD_READ_ONLY, .doc = "Identifier (ULID)."),
    FIELD_STR(T, token, "token", .flags = FIELD_READ_ONLY,
              .doc = "The key: send it as \"Authorization: Bearer …\". It is not shown again."),
    FIELD_STR(T, key.name, "name", .flags = FIELD_READ_ONLY, .max = API_KEY_NAME_MAX, .doc = "What people call it."),
    FIELD_STRS(T, key.scopes, "scopes", .flags = FIELD_READ_ONLY, .max = API_KEY_SCOPES_MAX, .doc = "What it may do."),
    FIELD_ID(T, key.owner_id, "ownerId", .flags = FIELD_READ_ONLY, .doc = "User for whom it acts."),
    FIELD_INSTANT(T, key.created_at, "createdAt", .flags = FIELD_READ_ONLY, .doc = "When it was made."),
    FIELD_INSTANT(T, key.expires_at, "expiresAt", .flags = FIELD_READ_ONLY | FIELD_NULLABLE,
                  .doc = "From when on it is refused; null: never."),
};
#undef T
const struct fields api_key_made_fields =
    FIELDS("ApiKeyMade", struct api_key_made, made_rows, .doc = "A new API key, shown this once.");

static bool no_memory(struct err *err)
{
    return ERR(err, ERR_TOO_LARGE, "the request needs more memory than one request may have");
}

static struct audit_note note_of(const char *action, const struct api_key *k)
{
    return (struct audit_note){.action = action, .entity_type = "api-key", .entity_id = k->id, .entity_name = k->name};
}

// ---- scopes ----

// What the scopes leave out. Who one is may always be asked.
static uint64_t denied_by(const struct strs *scopes)
{
    uint64_t denied = 0;
    for (int action = 0; action < ACTION_COUNT; action++) {
        bool given = action == ACTION_SELF;
        for (size_t i = 0; i < scopes->n && !given; i++)
            given = str_is(scopes->v[i], action_name((enum action)action)) ||
                    (str_is(scopes->v[i], "*") && !action_needs_naming((enum action)action));
        denied |= given ? 0 : UINT64_C(1) << action;
    }
    return denied;
}

_Static_assert(ACTION_COUNT <= 64, "a bit for each action");

static void scopes_check(const struct strs *scopes, struct faults *f)
{
    for (size_t i = 0; i < scopes->n; i++)
        if (!str_is(scopes->v[i], "*") && action_find(scopes->v[i]) < 0)
            faults_add(f, arena_fmt(f->a, "/scopes/%zu", i),
                       "is no action: \"*\", or names such as \"job.read\", \"job.run\" and \"run.read\"");
    if (scopes->n == 0)
        faults_add(f, STR("/scopes"), "must name at least one action, or \"*\"");
}

static bool request_check(struct app *app, const struct caller *c, const struct api_key_request *r,
                          struct faults *f, struct err *err)
{
    size_t from = f->n;
    scopes_check(&r->scopes, f);
    if (!instant_is_never(r->expires_at) && r->expires_at.us <= clock_now(app->clock).us)
        faults_add(f, STR("/expiresAt"), "must be in the future, or absent for a key that does not expire");
    if (f->n > from)
        return ERR(err, ERR_INVALID, "the API key has %zu fault%s", f->n - from, f->n - from == 1 ? "" : "s");
    uint64_t more = c->denied & ~denied_by(&r->scopes);
    for (int action = 0; action < ACTION_COUNT; action++)
        if (more & UINT64_C(1) << action)
            return ERR(err, ERR_DENIED, "the API key you use lacks the scope \"%s\" and cannot give it to another",
                       action_name((enum action)action));
    return true;
}

// ---- create ----

static bool room(struct app *app, struct ulid owner, struct arena *a, struct err *err)
{
    struct page one = {.size = 1};
    struct page_result page;
    struct api_key *v;
    size_t n = 0;
    if (!app->store->ops->accounts->keys_list(app->store, owner, &one, &v, &n, &page, a, err))
        return false;
    return page.total < API_KEYS_MAX ||
           ERR(err, ERR_CONFLICT, "you have %d API keys, which is the most: delete one first", API_KEYS_MAX);
}

bool app_api_key_create(struct app *app, const struct caller *c, const struct api_key_request *r,
                        struct api_key_made *ret, struct faults *faults, struct arena *a, struct err *err)
{
    enum reach reach;
    char text[SECRET_TOKEN_MAX];
    if (!app_authorize(c, ACTION_API_KEY_WRITE, &reach, err) || !request_check(app, c, r, faults, err) ||
        !room(app, c->user_id, a, err))
        return false;
    struct api_key_made made = {
        .key = {.id = app_id(app), .owner_id = c->user_id, .name = r->name, .scopes = r->scopes,
                .created_at = clock_now(app->clock), .expires_at = r->expires_at, .last_used_at = INSTANT_NEVER},
        .token = arena_str(a, str_of(secret_token_new(api_key_prefix.p, text))),
    };
    if (!made.token.p)
        return no_memory(err);
    secret_token_hash(made.token, made.key.hash);
    struct audit_note note = note_of("api-key.create", &made.key);
    note.fields = &api_key_fields;
    note.after = &made.key;
    audit_with(app, c, &note, a);
    if (!app->store->ops->accounts->key_insert(app->store, &made.key, err))
        return false;
    *ret = made;
    return true;
}

// ---- list and delete ----

bool app_api_keys_list(struct app *app, const struct caller *c, struct ulid owner, bool all, const struct page *p,
                       struct api_key **ret, size_t *ret_n, struct page_result *ret_page, struct arena *a,
                       struct err *err)
{
    enum reach reach;
    if (!app_authorize(c, ACTION_API_KEY_READ, &reach, err))
        return false;
    bool others = all || (!ulid_is_zero(owner) && !ulid_eq(owner, c->user_id));
    if (others && reach != REACH_ALL)
        return ERR(err, ERR_DENIED, "only an administrator may list the API keys of others: leave out \"all\" and "
                                    "\"ownerId\"");
    struct ulid whose = all && ulid_is_zero(owner) ? ULID_ZERO : others ? owner : c->user_id;
    return app->store->ops->accounts->keys_list(app->store, whose, p, ret, ret_n, ret_page, a, err);
}

bool app_api_key_delete(struct app *app, const struct caller *c, struct ulid id, struct arena *a, struct err *err)
{
    enum reach reach;
    struct api_key k = {.id = id};
    struct err why = {0};
    char text[ULID_TEXT_MAX];
    if (!app_authorize(c, ACTION_API_KEY_WRITE, &reach, err))
        return false;
    struct audit_note note = note_of("api-key.delete", &k);
    audit_with(app, c, &note, a);
    bool ok = app->store->ops->accounts->key_delete(app->store, id, app_owner_filter(c, reach), &k, a, &why);
    key_memory_forget(app->key_memory); // also after a failure: it may have been stored all the same
    if (ok)
        return true;
    if (why.code == ERR_NOT_FOUND)
        return ERR(err, ERR_NOT_FOUND, "API key \"%s\" does not exist", ulid_format(id, text));
    *err = why;
    return false;
}

// ---- use ----

static bool key_find(struct app *app, const uint8_t *hash, struct key_facts *ret, struct arena *a, struct err *err)
{
    int64_t changes;
    struct api_key k;
    if (key_memory_get(app->key_memory, hash, ret, &changes))
        return true;
    if (!app->store->ops->accounts->key_by_hash(app->store, hash, &k, a, err))
        return false;
    *ret = (struct key_facts){.id = k.id, .owner_id = k.owner_id, .denied = denied_by(&k.scopes),
                              .expires_at = k.expires_at, .last_used_at = k.last_used_at};
    memcpy(ret->hash, hash, sizeof ret->hash);
    key_memory_put(app->key_memory, ret, changes);
    return true;
}

static bool refused(struct err why, struct err *err)
{
    if (why.code == ERR_NONE || why.code == ERR_NOT_FOUND)
        return ERR(err, ERR_UNAUTHENTICATED, "the API key is unknown, was deleted or has expired; make another one");
    *err = why;
    return false;
}

bool app_api_key_authenticate(struct app *app, struct str token, struct caller *ret, struct arena *a, struct err *err)
{
    uint8_t hash[SECRET_TOKEN_HASH_BYTES];
    struct key_facts k;
    struct caller_facts u;
    struct err why = {0};
    secret_token_hash(token, hash);
    if (!key_find(app, hash, &k, a, &why) || k.expires_at.us <= clock_now(app->clock).us ||
        !cached_caller(app, k.owner_id, &u, a, &why) || !u.enabled)
        return refused(why, err);
    key_memory_used(app->key_memory, &k);
    *ret = (struct caller){.signed_in = true, .way = WAY_API_KEY, .user_id = k.owner_id, .email = u.email,
                           .roles = u.roles, .key_id = k.id, .denied = k.denied, .teams = u.teams,
                           .n_teams = u.n_teams, .session_epoch = u.session_epoch};
    return true;
}

bool api_key_lives(struct app *app, const struct caller *c, struct arena *a, struct err *err)
{
    struct page p = {.size = API_KEYS_MAX};
    struct page_result page;
    struct api_key *v;
    size_t n = 0;
    struct err why = {0};
    if (!app->store->ops->accounts->keys_list(app->store, c->user_id, &p, &v, &n, &page, a, err))
        return false;
    for (size_t i = 0; i < n; i++)
        if (ulid_eq(v[i].id, c->key_id) && v[i].expires_at.us > clock_now(app->clock).us)
            return true;
    return refused(why, err);
}
