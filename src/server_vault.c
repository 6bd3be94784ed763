// SPDX-License-Identifier: Apache-2.0
// The key of secrets, from the setting, the data folder or the store. Rules: server_vault.h.
//
// The store holds one sealed word. It is sealed again only when all secrets have been (app/secret.c), so a
// server whose keys open it can open every secret.
#include "server_vault.h"

#include "app/secret.h"
#include "base/log.h"

static const struct str key_setting = STR_INIT("secrets.key");

static bool setting_read(struct store *s, struct str key, struct str *ret, struct arena *a, struct err *err)
{
    struct err why = {0};
    *ret = STR_NONE;
    if (s->ops->setting_get(s, key, ret, a, &why) || why.code == ERR_NOT_FOUND)
        return true;
    *err = why;
    return err_wrap(err, "key of secrets");
}

// Of nodes that start together on a new database the first one writes; all read what it wrote.
static bool setting_read_or_put(struct store *s, struct str key, struct str fresh, struct str *ret,
                                struct arena *a, struct err *err)
{
    struct err why = {0};
    if (!fresh.p)
        return ERR(err, ERR_UNAVAILABLE, "no memory for the key of secrets");
    if (s->ops->setting_insert(s, key, fresh, &why) || why.code == ERR_CONFLICT)
        return setting_read(s, key, ret, a, err);
    *err = why;
    return err_wrap(err, "key of secrets");
}

static bool of_store(struct store *s, struct vault **ret, struct arena *a, struct err *err)
{
    struct str key;
    if (!setting_read(s, key_setting, &key, a, err) ||
        (!key.p && !setting_read_or_put(s, key_setting, vault_key_new(a), &key, a, err)))
        return false;
    LOG_WARN("the key of secrets lies in the database: set secrets.key before this is more than development");
    return vault_of(key, ret, err);
}

static bool missing(struct str proof, struct vault **ret, struct err *err)
{
    *ret = NULL;
    return !proof.p ||
           ERR(err, ERR_CONFIG,
               "secrets.key is missing, and the secrets of this database are sealed: name the file with "
               "their key in CHRONOS_SECRETS_KEY_FILE on every node");
}

static bool find(const struct config *c, struct store *store, struct str proof, struct vault **ret,
                 struct arena *a, struct err *err)
{
    if (c->secrets_key.p)
        return vault_of(c->secrets_key, ret, err);
    if (store->exclusive) {
        const char *path = arena_fmt(a, "%.*s/secrets.key", STR_ARG(c->data_dir)).p;
        return path ? vault_load(path, !proof.p, ret, err) : ERR(err, ERR_CONFIG, "data.dir is too long");
    }
    return c->keys_required ? missing(proof, ret, err) : of_store(store, ret, a, err);
}

static bool prove(const struct vault *v, struct store *store, struct str proof, struct arena *a,
                  struct err *err)
{
    struct str word;
    struct err why = {0};
    struct str fresh = proof.p ? proof : secret_proof_new(v, a);
    if (!proof.p && !setting_read_or_put(store, secret_proof_setting, fresh, &proof, a, err))
        return false;
    if (vault_open(v, ULID_ZERO, secret_proof_setting, proof, &word, a, &why))
        return true;
    return ERR(
        err, ERR_CONFIG,
        "secrets.key is not the key that the secrets of this database are sealed with: give that key, or "
        "write \"new, old\" and run chronos secret rotate; chronos admin forget-secrets gives all secrets up");
}

// Whether nobody could miss the key that was used last: there are no secrets, and no other node that may put some.
static bool unneeded(struct store *s, bool *ret, struct arena *a, struct err *err)
{
    struct secret *v;
    struct node *nodes;
    struct instant now;
    size_t n = 0;
    *ret = false;
    if (!s->ops->secrets_page(s, ULID_ZERO, STR_NONE, true, 1, &v, &n, a, err))
        return false;
    if (n > 0)
        return true;
    if (!s->exclusive && !s->ops->nodes_list(s, &nodes, &n, &now, a, err))
        return false;
    *ret = true;
    for (size_t i = 0; i < n; i++)
        *ret &= nodes[i].state == NODE_DEAD;
    return true;
}

// The proof of the key that was used last; forgotten when it is of no use.
static bool proof_read(struct store *s, struct str *ret, struct arena *a, struct err *err)
{
    bool forget;
    if (!setting_read(s, secret_proof_setting, ret, a, err))
        return false;
    if (!ret->p)
        return true;
    if (!unneeded(s, &forget, a, err) || (forget && !s->ops->setting_put(s, secret_proof_setting, STR_NONE, err)))
        return err_wrap(err, "key of secrets");
    if (forget)
        *ret = STR_NONE;
    return true;
}

bool server_vault_open(const struct config *c, struct store *store, struct vault **ret, struct arena *a,
                       struct err *err)
{
    struct str proof;
    struct vault *v = NULL;
    if (!proof_read(store, &proof, a, err) || !find(c, store, proof, &v, a, err))
        return false;
    if (v && !prove(v, store, proof, a, err)) {
        vault_free(v);
        return false;
    }
    *ret = v;
    return true;
}
