// SPDX-License-Identifier: Apache-2.0
// Rings of signing keys as text. Rules: keyring.h.
#include "auth/keyring.h"

#include <inttypes.h>
#include <sodium.h>

#include "auth/seal.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/sbuf.h"

enum {
    BASE64 = sodium_base64_VARIANT_URLSAFE_NO_PADDING,
    SEALED_BYTES = TOKEN_KEY_BYTES + SEAL_EXTRA_BYTES,
    SEALED_TEXT = sodium_base64_ENCODED_LEN(SEALED_BYTES, BASE64),
    SCRATCH_BYTES = 1024,
};

struct entry {
    struct token_key *own; // NULL: the root
    const struct token_key *key;
    struct instant made;
    struct str line; // of the text, without its end
};

struct keyring {
    const struct token_key *root;
    struct entry v[KEYRING_MAX];
    size_t n;
    char *text; // NULL: none
    size_t text_n;
};

static void sealing_key(const struct token_key *root, uint8_t ret[static SEAL_KEY_BYTES])
{
    _Static_assert((int)SEAL_KEY_BYTES == (int)TOKEN_KEY_BYTES, "a derived key seals");
    token_key_derive(root, "signing keys", ret);
}

// The secret of a line, opened under the words before it, so that neither ids nor dates can be exchanged.
static bool secret_open(const struct token_key *root, struct str name, struct str text,
                        uint8_t ret[static TOKEN_KEY_BYTES])
{
    uint8_t key[SEAL_KEY_BYTES], sealed[SEALED_BYTES];
    size_t n = 0;
    struct str secret;
    struct arena a;
    arena_init(&a, SCRATCH_BYTES);
    a.wipe = true;
    sealing_key(root, key);
    bool ok = sodium_base642bin(sealed, sizeof sealed, text.p, text.n, NULL, &n, NULL, BASE64) == 0 &&
              n == sizeof sealed &&
              seal_open(key, name, str_of_n((const char *)sealed, n), &secret, &a) && secret.n == TOKEN_KEY_BYTES;
    if (ok)
        memcpy(ret, secret.p, TOKEN_KEY_BYTES);
    sodium_memzero(key, sizeof key);
    arena_release(&a);
    return ok;
}

static bool entry_read(struct keyring *r, struct str line)
{
    struct str made, secret, id = str_split(line, ' ', &made);
    struct entry *e = &r->v[r->n];
    made = str_split(made, ' ', &secret);
    if (!str_to_i64(made, &e->made.us))
        return false;
    e->line = line;
    e->key = r->root;
    if (!str_is(secret, "-")) {
        uint8_t bytes[TOKEN_KEY_BYTES];
        struct str name = {line.p, line.n - secret.n - 1};
        if (!secret_open(r->root, name, secret, bytes))
            return false;
        e->key = e->own = token_key_new(bytes);
        sodium_memzero(bytes, sizeof bytes);
    }
    r->n++;
    return str_is(id, token_key_id(e->key));
}

bool keyring_of(const struct token_key *root, struct str text, struct keyring **ret, struct err *err)
{
    struct keyring *r = mem_new(struct keyring);
    r->root = root;
    bool ok = text.n <= KEYRING_TEXT_MAX;
    if (!text.p) {
        r->v[r->n++] = (struct entry){.key = root};
    } else if (ok) {
        r->text = mem_array(text.n + 1, 1);
        r->text_n = text.n;
        memcpy(r->text, text.p, text.n);
        for (struct str rest = {r->text, r->text_n}; ok && rest.n > 0;) {
            struct str line = str_split(rest, '\n', &rest);
            ok = r->n < KEYRING_MAX && entry_read(r, line);
        }
    }
    if (ok && r->n > 0) {
        *ret = r;
        return true;
    }
    keyring_free(r);
    return ERR(err, ERR_CORRUPT, "the signing keys in the store are damaged: run chronos admin forget-key");
}

void keyring_free(struct keyring *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->n; i++)
        token_key_free(r->v[i].own);
    mem_free(r->text);
    mem_free(r);
}

struct str keyring_text(const struct keyring *r)
{
    return (struct str){r->text, r->text_n};
}

const struct token_key *keyring_newest(const struct keyring *r)
{
    return r->v[0].key;
}

// A key was replaced when the one before it in the ring was made.
static bool believed(const struct keyring *r, size_t i, struct instant now, struct duration life)
{
    if (i == 0)
        return true;
    struct instant last = instant_add(r->v[i - 1].made, duration_s(KEYRING_LAG_S));
    return now.us < instant_add(last, life).us;
}

const struct token_key *keyring_find(const struct keyring *r, struct str token, struct instant now,
                                     struct duration life)
{
    for (size_t i = 0; i < r->n; i++)
        if (token_is_of(r->v[i].key, token))
            return believed(r, i, now, life) ? r->v[i].key : NULL;
    return NULL;
}

size_t keyring_believed(const struct keyring *r, struct instant now, struct duration life)
{
    size_t n = 0;
    for (size_t i = 0; i < r->n; i++)
        n += believed(r, i, now, life);
    return n;
}

// "<id> <made> <sealed>" of a new key.
static bool line_new(const struct token_key *root, struct instant now, struct sbuf *out)
{
    uint8_t secret[TOKEN_KEY_BYTES], key[SEAL_KEY_BYTES];
    char text[SEALED_TEXT];
    struct arena a;
    arena_init(&a, SCRATCH_BYTES);
    rng_secret(secret, sizeof secret);
    struct token_key *made = token_key_new(secret);
    sealing_key(root, key);
    struct str name = arena_fmt(&a, "%s %" PRId64, token_key_id(made), now.us);
    struct str sealed = seal(key, name, str_of_n((const char *)secret, sizeof secret), &a);
    if (sealed.p) {
        sodium_bin2base64(text, sizeof text, (const uint8_t *)sealed.p, sealed.n, BASE64);
        sbuf_fmt(out, "%.*s %s", STR_ARG(name), text);
    }
    token_key_free(made);
    sodium_memzero(secret, sizeof secret);
    sodium_memzero(key, sizeof key);
    arena_release(&a);
    return sealed.p != NULL;
}

bool keyring_rotated(const struct keyring *r, bool revoke, struct instant now, struct str *ret, struct arena *a,
                     struct err *err)
{
    struct sbuf out;
    size_t n = 1;
    sbuf_init(&out, a, KEYRING_TEXT_MAX);
    bool made = line_new(r->root, now, &out);
    for (size_t i = 0; !revoke && i < r->n; i++) {
        // The newest until now is replaced at this moment.
        if (i > 0 && !believed(r, i, now, duration_s(TOKEN_LIFE_MAX_S)))
            continue;
        n++;
        if (r->v[i].line.p)
            sbuf_fmt(&out, "\n%.*s", STR_ARG(r->v[i].line));
        else
            sbuf_fmt(&out, "\n%s 0 -", token_key_id(r->root));
    }
    if (n > KEYRING_MAX)
        return ERR(err, ERR_CONFLICT,
                   "tokens of %d signing keys may still be in use: wait until the oldest has been replaced for a day, "
                   "or revoke the old keys",
                   KEYRING_MAX);
    if (!made || !sbuf_ok(&out))
        return ERR(err, ERR_TOO_LARGE, "no memory for the signing keys");
    *ret = sbuf_str(&out);
    return true;
}
