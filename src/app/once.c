// SPDX-License-Identifier: Apache-2.0
// Requests that are carried out once. See once.h.
#include "app/once.h"

#include "base/log.h"
#include "base/sbuf.h"

enum { TRIM_EVERY = 64, TRIM_ROWS = 256, HASHED_MAX = 64 * 1024, WAIT_S = 1 };

static bool key_good(struct str key)
{
    bool good = key.n > 0 && key.n <= ONCE_KEY_MAX;
    for (size_t i = 0; good && i < key.n; i++)
        good = key.p[i] >= ' ' && key.p[i] <= '~';
    return good;
}

// Length and bytes, so that no two lists of texts give the same.
static void put_part(struct sbuf *out, struct str s)
{
    sbuf_i64(out, (int64_t)s.n);
    sbuf_putc(out, ':');
    sbuf_put(out, s);
}

static bool hashes(const struct caller *c, const struct once_request *r, struct once_claim *ret,
                   struct arena *a)
{
    struct sbuf key, print;
    uint8_t body[SECRET_TOKEN_HASH_BYTES];
    _Static_assert((int)SECRET_TOKEN_HASH_BYTES == (int)ONCE_HASH_BYTES, "one hash for all");
    sbuf_init(&key, a, HASHED_MAX);
    sbuf_init(&print, a, HASHED_MAX);
    put_part(&key, (struct str){(const char *)c->user_id.b, sizeof c->user_id.b});
    put_part(&key, r->key);
    secret_token_hash(r->body, body);
    put_part(&print, r->method);
    put_part(&print, r->path);
    put_part(&print, r->query);
    put_part(&print, (struct str){(const char *)body, sizeof body});
    secret_token_hash(sbuf_str(&key), ret->key);
    secret_token_hash(sbuf_str(&print), ret->print);
    return sbuf_ok(&key) && sbuf_ok(&print);
}

// Every so often a few old ones go, more than came since.
static void trim_sometimes(struct app *app)
{
    static _Atomic unsigned claims;
    struct err err = {0};
    if (atomic_fetch_add_explicit(&claims, 1, memory_order_relaxed) % TRIM_EVERY == 0 &&
        !app->store->ops->once->trim(app->store, duration_s(ONCE_KEEP_S), TRIM_ROWS, &err))
        LOG_WARN("old idempotency keys were not removed; the next request tries again",
                 LOG_ERROR_FIELD(&err));
}

static bool verdict(const struct once_found *f, enum once_verdict *ret, struct duration *ret_wait,
                    struct err *err)
{
    if (!f->mine && !f->same)
        return ERR(err, ERR_UNPROCESSABLE,
                   "this Idempotency-Key was used for another request; give each request a key of its own");
    if (!f->mine && f->state != ONCE_ANSWERED && f->leased) {
        *ret_wait = duration_s(WAIT_S);
        return ERR(err, ERR_CONFLICT, "the same request is being carried out; ask again for its answer");
    }
    *ret = f->mine ? ONCE_GO : f->state == ONCE_ANSWERED && f->answer.status != 0 ? ONCE_REPEAT : ONCE_LOST;
    return true;
}

bool app_once_begin(struct app *app, const struct caller *c, const struct once_request *r, struct once *ret,
                    enum once_verdict *ret_verdict, struct once_answer *ret_answer, struct duration *ret_wait,
                    struct arena *a, struct err *err)
{
    struct once_found found;
    *ret = (struct once){
        .claim = {.claim = app_id(app), .lease = duration_s(ONCE_LEASE_S), .keep = duration_s(ONCE_KEEP_S)}};
    if (!key_good(r->key))
        return ERR(err, ERR_INVALID, "Idempotency-Key must be 1 to %d printable characters, such as a UUID",
                   ONCE_KEY_MAX);
    if (!hashes(c, r, &ret->claim, a))
        return ERR(err, ERR_TOO_LARGE, "the request needs more memory than one request may have");
    trim_sometimes(app);
    if (!app->store->ops->once->claim(app->store, &ret->claim, &found, a, err) ||
        !verdict(&found, ret_verdict, ret_wait, err))
        return false;
    if (*ret_verdict == ONCE_GO) {
        ret->mark.claim = &ret->claim;
        once_mark_set(&ret->mark);
        return true;
    }
    ret->claim.claim = found.claim;
    *ret_answer = found.answer;
    return true;
}

void app_once_end(struct app *app, struct once *o, const struct once_answer *answer, bool refused)
{
    struct err err = {0};
    once_mark_set(NULL);
    if (!app->store->ops->once->end(app->store, &o->claim, answer, refused, &err))
        LOG_WARN("the answer of a request with an Idempotency-Key was not kept", LOG_ERROR_FIELD(&err));
}

struct ulid app_once_id(void)
{
    const struct once_mark *m = once_mark_wanted();
    return m ? m->claim->claim : ULID_ZERO;
}
