// SPDX-License-Identifier: Apache-2.0
// The root in the store and the outer keys that seal it. Rules: server_key.h.
//
// The setting "auth.root" holds one line for each outer key that opens it: "<id of the outer key> <sealed root>", the
// one that came first in auth.key first.
#include "server_key.h"

#include <sodium.h>

#include "app/keys.h"
#include "auth/seal.h"
#include "base/log.h"
#include "base/rng.h"

enum {
    BASE64 = sodium_base64_VARIANT_URLSAFE_NO_PADDING,
    SEALED_BYTES = TOKEN_KEY_BYTES + SEAL_EXTRA_BYTES,
    SEALED_TEXT = sodium_base64_ENCODED_LEN(SEALED_BYTES, BASE64),
    ROOT_TEXT_MAX = 4096,
    TRIES_MAX = 8, // while other nodes write the same row
};

static const struct str outer_setting = STR_INIT("auth.key"), root_setting = STR_INIT("auth.root");

struct outer {
    char id[TOKEN_KEY_ID_CHARS + 1];
    uint8_t seal[SEAL_KEY_BYTES];
};
struct outers {
    struct outer v[OUTER_KEYS_MAX];
    size_t n;
};

// ---- the outer keys ----------------------------------------------------------------------------

static bool outers_of(struct str texts, struct outers *ret, struct err *err)
{
    *ret = (struct outers){.n = 0};
    for (struct str rest = texts; rest.n > 0;) {
        struct str text = str_trim(str_split(rest, ',', &rest));
        if (ret->n == OUTER_KEYS_MAX)
            return ERR(err, ERR_CONFIG, "auth.key has more than %d keys: leave out the oldest", OUTER_KEYS_MAX);
        if (text.n < TOKEN_SECRET_MIN)
            return ERR(err, ERR_CONFIG,
                       "auth.key: each key needs at least %d characters by chance, several stand with commas between",
                       TOKEN_SECRET_MIN);
        struct token_key *key = token_key_of(text);
        struct outer *o = &ret->v[ret->n++];
        memcpy(o->id, token_key_id(key), TOKEN_KEY_ID_CHARS);
        token_key_derive(key, "root key", o->seal);
        token_key_free(key);
    }
    return ret->n > 0 || ERR(err, ERR_CONFIG, "auth.key holds no key");
}

static bool setting_read(struct store *s, struct str name, struct str *ret, struct arena *a, struct err *err)
{
    struct err why = {0};
    *ret = STR_NONE;
    if (s->ops->setting_get(s, name, ret, a, &why) || why.code == ERR_NOT_FOUND)
        return true;
    *err = why;
    return err_wrap(err, "key of access tokens");
}

// Of nodes that start together on a new database the first one writes; all read what it wrote.
static bool text_of_store(struct store *s, struct str *ret, struct arena *a, struct err *err)
{
    struct err why = {0};
    if (!setting_read(s, outer_setting, ret, a, err))
        return false;
    if (!ret->p) {
        struct str fresh = token_secret_new(a);
        if (!s->ops->setting_insert(s, outer_setting, fresh, &why) && why.code != ERR_CONFLICT) {
            *err = why;
            return err_wrap(err, "key of access tokens");
        }
        if (!s->ops->setting_get(s, outer_setting, ret, a, err))
            return err_wrap(err, "key of access tokens");
    }
    LOG_WARN("the key of access tokens lies in the database: set auth.key before this is more than development");
    return true;
}

// made: whether there is a root already, so that a lost key file is not taken for a first start.
static bool outers_find(const struct config *c, struct store *s, bool made, struct outers *ret, struct arena *a,
                        struct err *err)
{
    struct str text;
    if (c->auth_key.p) {
        text = c->auth_key;
    } else if (s->exclusive) {
        const char *path = arena_fmt(a, "%.*s/token.key", STR_ARG(c->data_dir)).p;
        if (!path)
            return ERR(err, ERR_CONFIG, "data.dir is too long");
        if (!token_secret_load(path, !made, &text, a, err))
            return false;
    } else if (c->keys_required) {
        return ERR(err, ERR_CONFIG,
                   "auth.key is missing, and the nodes of a database server must share it: name a file "
                   "with one secret in CHRONOS_AUTH_KEY_FILE on every node");
    } else if (!text_of_store(s, &text, a, err)) {
        return false;
    }
    return outers_of(text, ret, err);
}

// ---- the root ----------------------------------------------------------------------------------

static bool line_open(const struct outers *o, struct str line, uint8_t ret[static TOKEN_KEY_BYTES], struct arena *a)
{
    struct str text, id = str_split(line, ' ', &text), root;
    uint8_t sealed[SEALED_BYTES];
    size_t n = 0;
    if (sodium_base642bin(sealed, sizeof sealed, text.p, text.n, NULL, &n, NULL, BASE64) != 0 || n != sizeof sealed)
        return false;
    for (size_t i = 0; i < o->n; i++)
        if (str_is(id, o->v[i].id) &&
            seal_open(o->v[i].seal, root_setting, str_of_n((const char *)sealed, n), &root, a)) {
            memcpy(ret, root.p, TOKEN_KEY_BYTES);
            return true;
        }
    return false;
}

static bool root_open(const struct outers *o, struct str row, uint8_t ret[static TOKEN_KEY_BYTES], struct arena *a)
{
    for (struct str rest = row; rest.n > 0;)
        if (line_open(o, str_split(rest, '\n', &rest), ret, a))
            return true;
    return false;
}

static struct str line_of(struct str row, const char *id)
{
    for (struct str rest = row; rest.n > 0;) {
        struct str line = str_split(rest, '\n', &rest), ignored;
        if (str_is(str_split(line, ' ', &ignored), id))
            return line;
    }
    return STR_NONE;
}

static void line_put(struct sbuf *out, struct str line)
{
    sbuf_puts(out, out->n > 0 ? "\n" : "");
    sbuf_put(out, line);
}

static void seal_put(struct sbuf *out, const struct outer *o, const uint8_t root[static TOKEN_KEY_BYTES],
                     struct arena *a)
{
    char text[SEALED_TEXT];
    struct str sealed = seal(o->seal, root_setting, str_of_n((const char *)root, TOKEN_KEY_BYTES), a);
    must(sealed.n == SEALED_BYTES);
    sodium_bin2base64(text, sizeof text, (const uint8_t *)sealed.p, sealed.n, BASE64);
    line_put(out, arena_fmt(a, "%s %s", o->id, text));
}

// What the row should be. Several keys are there to be exchanged: each of them opens it, and what else opened it stays,
// for nodes that have not been told yet. One key alone that is the first of the row ends the exchange: the others go.
static struct str row_wanted(const struct outers *o, struct str row, const uint8_t root[static TOKEN_KEY_BYTES],
                             struct arena *a)
{
    struct sbuf out;
    size_t lines = o->n;
    struct str first = line_of(row, o->v[0].id);
    sbuf_init(&out, a, ROOT_TEXT_MAX);
    if (o->n == 1 && row.p)
        return first.p && first.p == row.p ? first : row;
    for (size_t i = 0; i < o->n; i++) {
        struct str line = line_of(row, o->v[i].id);
        if (line.p)
            line_put(&out, line);
        else
            seal_put(&out, &o->v[i], root, a);
    }
    for (struct str rest = row; rest.n > 0 && lines < OUTER_KEYS_MAX;) {
        struct str line = str_split(rest, '\n', &rest), ignored, id = str_split(line, ' ', &ignored);
        bool listed = false;
        for (size_t i = 0; i < o->n; i++)
            listed |= str_is(id, o->v[i].id);
        if (!listed) {
            line_put(&out, line);
            lines++;
        }
    }
    must(sbuf_ok(&out));
    return sbuf_str(&out);
}

// One try at having the root. *ret_done false: another node wrote the row meanwhile.
static bool root_try(struct store *s, const struct outers *o, struct str row, uint8_t root[static TOKEN_KEY_BYTES],
                     bool *ret_done, struct arena *a, struct err *err)
{
    struct err why = {0};
    *ret_done = true;
    if (!row.p) {
        rng_secret(root, TOKEN_KEY_BYTES);
        if (s->ops->setting_insert(s, root_setting, row_wanted(o, row, root, a), &why))
            return true;
        *ret_done = false;
        if (why.code != ERR_CONFLICT)
            *err = why;
        return why.code == ERR_CONFLICT;
    }
    if (!root_open(o, row, root, a))
        return ERR(err, ERR_CONFIG,
                   "auth.key (or token.key in the data folder) is not the key that this database was used with: give "
                   "that key, or \"new, old\" to replace it; when it is lost, chronos admin forget-key gives up what "
                   "follows from it");
    struct str wanted = row_wanted(o, row, root, a);
    return str_eq(wanted, row) || s->ops->sign_on->setting_swap(s, root_setting, row, wanted, ret_done, err);
}

bool server_key_open(const struct config *c, struct store *store, struct token_key **ret, struct arena *a,
                     struct err *err)
{
    struct outers outers;
    struct str row;
    uint8_t root[TOKEN_KEY_BYTES];
    bool done = false, ok = setting_read(store, root_setting, &row, a, err) &&
                            outers_find(c, store, row.p != NULL, &outers, a, err);
    for (int i = 0; ok && !done && i < TRIES_MAX; i++)
        ok = setting_read(store, root_setting, &row, a, err) &&
             root_try(store, &outers, row, root, &done, a, err);
    if (ok && !done)
        ok = ERR(err, ERR_BUSY, "key of access tokens: other nodes write it at this moment; try again");
    if (ok)
        *ret = token_key_new(root);
    sodium_memzero(root, sizeof root);
    sodium_memzero(&outers, sizeof outers);
    return ok;
}

bool server_key_forget(struct store *store, struct err *err)
{
    return store->ops->setting_put(store, keys_setting, STR_NONE, err) &&
           store->ops->setting_put(store, root_setting, STR_NONE, err);
}
