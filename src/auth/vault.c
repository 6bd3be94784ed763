// SPDX-License-Identifier: Apache-2.0
// Keys of secrets, and sealed values as text. Rules: auth/vault.h.
#include "auth/vault.h"

#include <errno.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/seal.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/sync.h"

enum {
    KEY_ID_BYTES = 8,
    KEY_FILE_MAX = 256,
    KEY_FILE_BUDGET = 1024,
    KEY_TEXT_MAX = 64,
    LABEL_MAX = 512, // of scope and name
    BASE64 = sodium_base64_VARIANT_URLSAFE_NO_PADDING,
};
_Static_assert(VAULT_KEY_ID_MAX == KEY_ID_BYTES * 2 + 1, "the id of a key as text");

static const char version[] = "v1.";

struct key {
    uint8_t secret[SEAL_KEY_BYTES];
    char id[VAULT_KEY_ID_MAX];
};

struct vault {
    struct key keys[VAULT_KEYS_MAX];
    size_t n;
};

// ---- keys --------------------------------------------------------------------------------------

static void hash(const char *purpose, struct str text, uint8_t *ret, size_t n)
{
    crypto_generichash_state state;
    must(crypto_generichash_init(&state, (const uint8_t *)purpose, strlen(purpose), n) == 0);
    must(crypto_generichash_update(&state, (const uint8_t *)text.p, text.n) == 0);
    must(crypto_generichash_final(&state, ret, n) == 0);
    sodium_memzero(&state, sizeof state);
}

static void key_make(struct key *k, struct str text)
{
    uint8_t id[crypto_generichash_BYTES_MIN];
    hash("chronos secrets key", text, k->secret, sizeof k->secret);
    hash("chronos secrets key id", text, id, sizeof id);
    sodium_bin2hex(k->id, sizeof k->id, id, KEY_ID_BYTES);
}

bool vault_of(struct str keys, struct vault **ret, struct err *err)
{
    must(sodium_init() >= 0);
    struct vault *v = mem_new(struct vault);
    for (struct str rest = keys; rest.n > 0;) {
        struct str text = str_trim(str_split(rest, ',', &rest));
        if (text.n < VAULT_KEY_CHARS_MIN || v->n == VAULT_KEYS_MAX) {
            bool many = v->n == VAULT_KEYS_MAX;
            vault_free(v);
            return many ? ERR(err, ERR_CONFIG,
                              "secrets.key has more than %d keys: leave out those that nothing is "
                              "sealed with any more",
                              VAULT_KEYS_MAX)
                        : ERR(err, ERR_CONFIG,
                              "secrets.key: each key needs at least %d characters by chance, several "
                              "stand with commas between",
                              VAULT_KEY_CHARS_MIN);
        }
        key_make(&v->keys[v->n++], text);
    }
    must(v->n > 0);
    *ret = v;
    return true;
}

struct str vault_key_new(struct arena *a)
{
    must(sodium_init() >= 0);
    uint8_t secret[SEAL_KEY_BYTES];
    char text[KEY_TEXT_MAX];
    rng_secret(secret, sizeof secret);
    sodium_bin2base64(text, sizeof text, secret, sizeof secret, BASE64);
    struct str copy = arena_str(a, str_of(text));
    sodium_memzero(secret, sizeof secret);
    sodium_memzero(text, sizeof text);
    return copy;
}

// A key others can read is no secret; who owns the file may give it to his group (secrets of orchestrators).
static bool file_private(const char *path, struct err *err)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return ERR_ERRNO(err, "look at the key file of secrets \"%s\"", path);
    if (st.st_mode & (S_IRWXO | S_IWGRP))
        return ERR(err, ERR_CONFIG, "the key file of secrets \"%s\" is open to other users: chmod it to 600",
                   path);
    return true;
}

static bool file_make(const char *path, struct arena *a, struct err *err)
{
    struct str key = vault_key_new(a);
    struct str line = arena_fmt(a, "%.*s\n", STR_ARG(key));
    bool ok = file_write(path, line, S_IRUSR | S_IWUSR, err);
    sodium_memzero((char *)key.p, key.n);
    sodium_memzero((char *)line.p, line.n);
    return ok || err_wrap(err, "new key of secrets");
}

bool vault_load(const char *path, bool make, struct vault **ret, struct err *err)
{
    struct arena a CLEANUP(arena_release);
    struct str text;
    arena_init(&a, KEY_FILE_BUDGET);
    bool missing = access(path, F_OK) != 0 && errno == ENOENT;
    if (missing && !make)
        return ERR(err, ERR_CONFIG,
                   "the key file of secrets \"%s\" is missing, and there are secrets that were sealed "
                   "with it: put it back from a backup",
                   path);
    // Always read back, so that what is used is what the next start will find.
    if ((missing && !file_make(path, &a, err)) || !file_private(path, err) ||
        !file_read(path, KEY_FILE_MAX, &text, &a, err))
        return false;
    bool ok = str_trim(text).n >= VAULT_KEY_CHARS_MIN ? vault_of(str_trim(text), ret, err)
                                                      : ERR(err, ERR_CONFIG,
                                                            "the key file of secrets \"%s\" holds no "
                                                            "key: put it back from a backup",
                                                            path);
    sodium_memzero((char *)text.p, text.n);
    return ok;
}

void vault_free(struct vault *v)
{
    if (!v)
        return;
    sodium_memzero(v, sizeof *v);
    mem_free(v);
}

// ---- values ------------------------------------------------------------------------------------

static struct str label(struct ulid scope, struct str name, char buf[static LABEL_MAX])
{
    static const char what[] = "secret";
    size_t n = sizeof what;
    must(name.n <= LABEL_MAX - sizeof what - sizeof scope.b);
    memcpy(buf, what, sizeof what);
    memcpy(buf + n, scope.b, sizeof scope.b);
    n += sizeof scope.b;
    if (name.n > 0)
        memcpy(buf + n, name.p, name.n);
    return str_of_n(buf, n + name.n);
}

struct str vault_seal(const struct vault *v, struct ulid scope, struct str name, struct str value,
                      struct arena *a)
{
    char buf[LABEL_MAX];
    struct str sealed = seal(v->keys[0].secret, label(scope, name, buf), value, a);
    size_t max = sodium_base64_encoded_len(sealed.n, BASE64), head = strlen(version) + VAULT_KEY_ID_MAX;
    char *out = sealed.p ? arena_alloc(a, head + max) : NULL;
    if (!out)
        return STR_NONE;
    (void)snprintf(out, head + 1, "%s%s.", version, v->keys[0].id);
    sodium_bin2base64(out + head, max, (const uint8_t *)sealed.p, sealed.n, BASE64);
    return str_of(out);
}

// Splits "v1.ID.BASE64".
static bool parts(struct str sealed, struct str *ret_id, struct str *ret_body)
{
    struct str head = str_of(version);
    if (!str_starts(sealed, head))
        return false;
    *ret_id = str_split((struct str){sealed.p + head.n, sealed.n - head.n}, '.', ret_body);
    return ret_body->n > 0;
}

bool vault_current(const struct vault *v, struct str sealed)
{
    struct str id, body;
    return parts(sealed, &id, &body) && str_is(id, v->keys[0].id);
}

static const struct key *key_find(const struct vault *v, struct str id)
{
    for (size_t i = 0; i < v->n; i++)
        if (str_is(id, v->keys[i].id))
            return &v->keys[i];
    return NULL;
}

bool vault_open(const struct vault *v, struct ulid scope, struct str name, struct str sealed, struct str *ret,
                struct arena *a, struct err *err)
{
    char buf[LABEL_MAX];
    struct str id, body, value;
    size_t n = 0;
    if (!parts(sealed, &id, &body))
        return ERR(err, ERR_CORRUPT, "secret \"%.*s\" is damaged: put it again", STR_ARG(name));
    const struct key *k = key_find(v, id);
    if (!k)
        return ERR(err, ERR_CONFIG,
                   "secret \"%.*s\" was sealed with a key that this server does not have: add that key "
                   "behind the others in secrets.key, or put the secret again",
                   STR_ARG(name));
    uint8_t *bytes = arena_alloc(a, body.n);
    if (!bytes)
        return ERR(err, ERR_TOO_LARGE, "secret \"%.*s\" does not fit into memory", STR_ARG(name));
    if (sodium_base642bin(bytes, body.n, body.p, body.n, NULL, &n, NULL, BASE64) != 0 ||
        !seal_open(k->secret, label(scope, name, buf), str_of_n((const char *)bytes, n), &value, a))
        return ERR(err, ERR_CORRUPT, "secret \"%.*s\" is damaged: put it again", STR_ARG(name));
    *ret = value;
    return true;
}
