// SPDX-License-Identifier: Apache-2.0
// Where the secret of the installation comes from. Rules: server_key.h.
#include "server_key.h"

#include "base/log.h"

static const struct str secret_setting = STR_INIT("auth.key"), id_setting = STR_INIT("auth.keyId");

// Of nodes that start together on a new database the first one writes; all read what it wrote.
static bool secret_of_store(struct store *s, struct str *ret, struct arena *a, struct err *err)
{
    struct err why = {0};
    if (s->ops->setting_get(s, secret_setting, ret, a, &why))
        return true;
    if (why.code == ERR_NOT_FOUND) {
        struct str fresh = token_secret_new(a);
        why = (struct err){0};
        if (fresh.p && (s->ops->setting_insert(s, secret_setting, fresh, &why) || why.code == ERR_CONFLICT))
            return s->ops->setting_get(s, secret_setting, ret, a, err);
    }
    *err = why;
    return err_wrap(err, "key of access tokens");
}

// Nodes with different secrets would refuse each other's tokens, which looks like a broken sign-in: say it at
// once. It may be on purpose, as the first node with a new secret.
static bool compare(struct store *s, const struct token_key *key, struct arena *a, struct err *err)
{
    struct str before, id = str_of(token_key_id(key));
    struct err why = {0};
    if (!s->ops->setting_get(s, id_setting, &before, a, &why)) {
        if (why.code != ERR_NOT_FOUND) {
            *err = why;
            return false;
        }
        before = STR_NONE;
    }
    if (before.p && str_eq(before, id))
        return true;
    if (before.p)
        LOG_WARN(
            "auth.key is not the one that was used last on this database: nodes with another one refuse our "
            "access tokens, and everybody must sign in again");
    return s->ops->setting_put(s, id_setting, id, err);
}

static bool of_store(const struct config *c, struct store *s, struct token_key **ret, struct arena *a,
                     struct err *err)
{
    struct str secret;
    if (c->profile != PROFILE_DEVELOPMENT)
        return ERR(err, ERR_CONFIG,
                   "auth.key is missing, and the nodes of a database server must share it: name a file "
                   "with one secret in CHRONOS_AUTH_KEY_FILE on every node");
    if (!secret_of_store(s, &secret, a, err))
        return false;
    if (secret.n < TOKEN_SECRET_MIN)
        return ERR(err, ERR_CORRUPT, "the key of access tokens in the database is damaged: set auth.key");
    LOG_WARN(
        "the key of access tokens lies in the database: set auth.key before this is more than development");
    *ret = token_key_of(secret);
    return true;
}

bool server_key_open(const struct config *c, struct store *store, struct token_key **ret, struct arena *a,
                     struct err *err)
{
    struct token_key *key = NULL;
    if (c->auth_key.p) {
        key = token_key_of(c->auth_key);
    } else if (store->exclusive) {
        const char *path = arena_fmt(a, "%.*s/token.key", STR_ARG(c->data_dir)).p;
        return path ? token_key_load(path, ret, err) : ERR(err, ERR_CONFIG, "data.dir is too long");
    } else if (!of_store(c, store, &key, a, err)) {
        return false;
    }
    if (!store->exclusive && !compare(store, key, a, err)) {
        token_key_free(key);
        return false;
    }
    *ret = key;
    return true;
}
