// SPDX-License-Identifier: Apache-2.0
// The tokens of this process, by a hash of all that was said to get them: whoever knows other credentials, or
// has changed them, gets another token.
//
// Few and bounded: an installation has a handful of token services. The one that ends first makes room.
#include "jobs/http_token.h"

#include <pthread.h>
#include <sodium.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/sync.h"

enum {
    KEPT_MAX = 128,
    TOKEN_BYTES_MAX = 8192,
    FORM_BYTES_MAX = 65536,
    EARLY_S = 30,         // before its end a token is not used any more
    LIFE_S_DEFAULT = 300, // of a token that does not say
    LIFE_S_MAX = 86400,
    BODY_KEPT = 64 * 1024,
};

struct kept {
    uint8_t key[crypto_generichash_BYTES];
    char *token; // NULL: free
    size_t n;
    struct mono until;
};
static struct kept kept[KEPT_MAX];
static struct mutex lock;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void init(void) { mutex_init(&lock, LOCK_HTTP_TOKENS); }

static void table_lock(void)
{
    must(pthread_once(&once, init) == 0);
    mutex_lock(&lock);
}

static void key_make(const struct http_auth_payload *auth, uint8_t key[static crypto_generichash_BYTES])
{
    const struct str parts[] = {auth->token_url, auth->client_id, auth->client_secret, auth->scope,
                                auth->audience};
    crypto_generichash_state s;
    must(crypto_generichash_init(&s, NULL, 0, crypto_generichash_BYTES) == 0);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        uint64_t n = parts[i].n;
        must(crypto_generichash_update(&s, (const uint8_t *)&n, sizeof n) == 0);
        must(crypto_generichash_update(&s, (const uint8_t *)(parts[i].p ? parts[i].p : ""), parts[i].n) == 0);
    }
    must(crypto_generichash_final(&s, key, crypto_generichash_BYTES) == 0);
}

static void forget(struct kept *k)
{
    if (k->token)
        sodium_memzero(k->token, k->n);
    mem_free(k->token);
    *k = (struct kept){.token = NULL};
}

// NULL when there is none.
static struct kept *find(const uint8_t key[static crypto_generichash_BYTES])
{
    for (size_t i = 0; i < KEPT_MAX; i++)
        if (kept[i].token && memcmp(kept[i].key, key, sizeof kept[i].key) == 0)
            return &kept[i];
    return NULL;
}

struct str http_token_find(const struct http_auth_payload *auth, struct mono now, struct arena *a)
{
    uint8_t key[crypto_generichash_BYTES];
    struct str token = STR_NONE;
    key_make(auth, key);
    table_lock();
    struct kept *k = find(key);
    if (k && k->until.us > now.us)
        token = arena_str(a, str_of_n(k->token, k->n));
    mutex_unlock(&lock);
    return token;
}

static void keep(const struct http_auth_payload *auth, struct str token, struct mono until)
{
    uint8_t key[crypto_generichash_BYTES];
    key_make(auth, key);
    table_lock();
    struct kept *k = find(key);
    if (!k) {
        k = &kept[0];
        for (size_t i = 1; i < KEPT_MAX && k->token; i++)
            if (!kept[i].token || kept[i].until.us < k->until.us)
                k = &kept[i];
    }
    forget(k);
    memcpy(k->key, key, sizeof key);
    k->token = mem_array(token.n, 1);
    memcpy(k->token, token.p, token.n);
    k->n = token.n;
    k->until = until;
    mutex_unlock(&lock);
}

void http_token_drop(const struct http_auth_payload *auth, struct str token)
{
    uint8_t key[crypto_generichash_BYTES];
    key_make(auth, key);
    table_lock();
    struct kept *k = find(key);
    if (k && str_eq_secret(str_of_n(k->token, k->n), token))
        forget(k);
    mutex_unlock(&lock);
}

// ---- asking ----

static void form_put(struct sbuf *b, const char *name, struct str value)
{
    if (value.n == 0)
        return;
    sbuf_fmt(b, "%s%s=", b->n ? "&" : "", name);
    sbuf_url(b, value);
}

bool http_token_request(const struct http_auth_payload *auth, struct http_request *ret, struct arena *a)
{
    enum { HEADERS = 2 };
    struct str_pair *headers = arena_new_array(a, struct str_pair, HEADERS);
    if (!headers)
        return false;
    headers[0] = (struct str_pair){STR("Content-Type"), STR("application/x-www-form-urlencoded")};
    headers[1] = (struct str_pair){STR("Accept"), STR("application/json")};
    struct sbuf form, id, secret;
    sbuf_init(&form, a, FORM_BYTES_MAX);
    sbuf_init(&id, a, FORM_BYTES_MAX);
    sbuf_init(&secret, a, FORM_BYTES_MAX);
    form_put(&form, "grant_type", STR("client_credentials"));
    form_put(&form, "scope", auth->scope);
    form_put(&form, "audience", auth->audience);
    ret->method = STR("POST");
    ret->url = auth->token_url;
    ret->headers = (struct str_map){headers, HEADERS};
    ret->body_kept = BODY_KEPT;
    if (auth->secret_in_body) {
        form_put(&form, "client_id", auth->client_id);
        form_put(&form, "client_secret", auth->client_secret);
    } else { // RFC 6749 §2.3.1: both encoded as in a form
        sbuf_url(&id, auth->client_id);
        sbuf_url(&secret, auth->client_secret);
        ret->auth = (struct http_auth){HTTP_AUTH_BASIC, .user = sbuf_str(&id), .password = sbuf_str(&secret)};
    }
    ret->body = sbuf_str(&form);
    return sbuf_ok(&form) && sbuf_ok(&id) && sbuf_ok(&secret);
}

bool http_token_take(const struct http_auth_payload *auth, struct str body, struct mono now, struct str *ret,
                     struct arena *a, struct err *err)
{
    json_t *json CLEANUP_JSON = NULL;
    struct err parse, bad;
    if (!json_parse(body, &json, &parse))
        return ERR(err, ERR_INVALID, "the answer is not JSON");
    struct str token = json_str(json_object_get(json, "access_token"));
    struct str type = json_str(json_object_get(json, "token_type"));
    const json_t *life = json_object_get(json, "expires_in");
    if (token.n == 0 || token.n > TOKEN_BYTES_MAX || !http_header_check(STR("Authorization"), token, &bad))
        return ERR(err, ERR_INVALID, "the answer has no access_token that fits into a header");
    if (type.p && !str_eq_nocase(type, STR("Bearer")))
        return ERR(err, ERR_INVALID, "the answer's token_type is not Bearer");
    int64_t s = json_is_number(life) ? (int64_t)json_number_value(life) : LIFE_S_DEFAULT;
    s = s < LIFE_S_MAX ? s : LIFE_S_MAX;
    *ret = arena_str(a, token);
    if (s > EARLY_S)
        keep(auth, token, mono_add(now, duration_s(s - EARLY_S)));
    return ret->p != NULL || ERR(err, ERR_TOO_LARGE, "no memory for the token");
}
