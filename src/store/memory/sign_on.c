// SPDX-License-Identifier: Apache-2.0
// Identities, sessions of browsers and swapped settings in memory.
#include "base/mem.h"
#include "store/memory/memory.h"

enum { HASH_BYTES = 32 };

static bool identity_get(struct store *s, const uint8_t key[IDENTITY_KEY_BYTES], struct ulid *ret_user, struct err *err)
{
    struct mem_call c;
    if (!call_begin(&c, s, "identity_get", false, err))
        return false;
    const struct identity *v = map_get(&c.m->identities, map_key(key, IDENTITY_KEY_BYTES));
    if (!v || !map_get(&c.m->users, v->user_id))
        return call_end(&c, ERR(err, ERR_NOT_FOUND, "nobody is known by this identity"), err);
    *ret_user = v->user_id;
    return call_end(&c, true, err);
}

static bool put(struct mem *m, const struct identity *v, const struct user *made, struct err *err)
{
    struct ulid place = map_key(v->key, IDENTITY_KEY_BYTES);
    const struct identity *old = map_get(&m->identities, place);
    if (old && map_get(&m->users, old->user_id))
        return ERR(err, ERR_CONFLICT, "the identity belongs to a user already");
    if (made && !user_put(m, made, err))
        return false;
    struct identity *own = mem_take(m, 1, sizeof *own);
    *own = *v;
    own->issuer = mem_text(m, v->issuer);
    own->subject = mem_text(m, v->subject);
    (void)map_put(&m->identities, place, own);
    return true;
}

static bool identity_put(struct store *s, const struct identity *v, const struct user *made, struct err *err)
{
    struct mem_call c;
    return call_begin(&c, s, "identity_put", true, err) && call_end(&c, put(c.m, v, made, err), err);
}

static bool session_get(struct store *s, const uint8_t token_hash[32], struct session *ret, struct err *err)
{
    struct mem_call c;
    if (!call_begin(&c, s, "session_get", false, err))
        return false;
    const struct session *v = map_get(&c.m->sessions, map_key(token_hash, HASH_BYTES));
    if (!v)
        return call_end(&c, ERR(err, ERR_NOT_FOUND, "there is no such session"), err);
    *ret = *v;
    return call_end(&c, true, err);
}

static bool session_extend(struct store *s, const uint8_t token_hash[32], struct instant expires, struct err *err)
{
    struct mem_call c;
    if (!call_begin(&c, s, "session_extend", true, err))
        return false;
    struct session *v = map_get(&c.m->sessions, map_key(token_hash, HASH_BYTES));
    if (v)
        v->expires_at = expires;
    return call_end(&c, true, err);
}

static bool setting_swap(struct store *s, struct str key, struct str expect, struct str value, bool *ret_done,
                         struct err *err)
{
    struct mem_call c;
    if (!call_begin(&c, s, "setting_swap", true, err))
        return false;
    struct str *v = map_get(&c.m->settings, map_key(key.p, key.n));
    bool done = v && str_eq(*v, expect);
    if (done)
        *v = mem_text(c.m, value);
    else
        write_was_idle();
    if (!call_end(&c, true, err))
        return false;
    *ret_done = done;
    return true;
}

const struct sign_on_ops memory_sign_on_ops = {
    .identity_get = identity_get,
    .identity_put = identity_put,
    .session_get = session_get,
    .session_extend = session_extend,
    .setting_swap = setting_swap,
};
