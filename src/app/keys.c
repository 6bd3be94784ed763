// SPDX-License-Identifier: Apache-2.0
// Signing keys. Rules: app/keys.h. A ring is read without a lock; one that was replaced stays until the end, because
// somebody may still look at it, and there are few in the life of a process.
#include "app/keys.h"

#include "app/audit.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sync.h"

enum { LOOK_ARENA = 64 * 1024, SWAPS_MAX = 8 };
#define LONG_AGO (INT64_MIN / 2)

#define T struct key_rotation_request
static const struct field request_rows[] = {
    FIELD_BOOL(T, revoke, "revoke", FIELD_DEFAULT(false),
               .doc = "Whether the old keys count no more from now on: every access token ends, refresh "
                      "tokens stay good."),
};
#undef T
const struct fields key_rotation_request_fields =
    FIELDS("KeyRotationRequest", struct key_rotation_request, request_rows, .doc = "Asks for a new signing key.");

#define T struct key_rotation
static const struct field rotation_rows[] = {
    FIELD_STR(T, key_id, "keyId", .flags = FIELD_READ_ONLY, .doc = "Identifier of the new key (kid of its tokens)."),
    FIELD_I64(T, believed, "believed", .flags = FIELD_READ_ONLY, .max = KEYRING_MAX,
              .doc = "How many keys are believed now, the new one included."),
    FIELD_INSTANT(T, at, "at", .flags = FIELD_READ_ONLY, .doc = "When the new key was made."),
};
#undef T
const struct fields key_rotation_fields =
    FIELDS("KeyRotation", struct key_rotation, rotation_rows, .doc = "A new signing key of access tokens.");

const struct str keys_setting = STR_INIT("auth.signingKeys");

struct old_ring {
    struct keyring *ring;
    struct old_ring *next;
};

struct keys {
    struct store *store;
    const struct clock *clock;
    const struct token_key *root;
    _Atomic(struct keyring *) now; // NULL until first looked at
    _Atomic int64_t looked, asked; // when, monotonic
    struct mutex lock;
    struct old_ring *old; // under lock
};

struct keys *keys_new(struct store *s, const struct clock *clock, const struct token_key *root)
{
    struct keys *k = mem_new(struct keys);
    k->store = s;
    k->clock = clock;
    k->root = root;
    atomic_store(&k->looked, LONG_AGO);
    atomic_store(&k->asked, LONG_AGO);
    mutex_init(&k->lock, LOCK_APP_KEYS);
    return k;
}

void keys_free(struct keys *k)
{
    if (!k)
        return;
    while (k->old) {
        struct old_ring *next = k->old->next;
        keyring_free(k->old->ring);
        mem_free(k->old);
        k->old = next;
    }
    keyring_free(atomic_load(&k->now));
    mutex_release(&k->lock);
    mem_free(k);
}

// The text of the ring; absent when there is none yet.
static bool text_read(struct keys *k, struct str *ret, struct arena *a, struct err *err)
{
    struct err why = {0};
    *ret = STR_NONE;
    if (k->store->ops->setting_get(k->store, keys_setting, ret, a, &why) || why.code == ERR_NOT_FOUND)
        return true;
    *err = why;
    return err_wrap(err, "signing keys");
}

// With the lock.
static bool publish(struct keys *k, struct str text, struct err *err)
{
    struct keyring *before = atomic_load(&k->now), *fresh;
    struct str known = before ? keyring_text(before) : STR_NONE;
    if (before && !known.p == !text.p && str_eq(known, text))
        return true;
    if (!keyring_of(k->root, text, &fresh, err))
        return false;
    atomic_store(&k->now, fresh);
    if (before) {
        struct old_ring *o = mem_new(struct old_ring);
        *o = (struct old_ring){before, k->old};
        k->old = o;
    }
    return true;
}

static bool look(struct keys *k, struct err *err)
{
    struct arena a CLEANUP(arena_release);
    struct str text;
    arena_init(&a, LOOK_ARENA);
    WITH_LOCK(&k->lock);
    if (!text_read(k, &text, &a, err) || !publish(k, text, err))
        return false;
    atomic_store(&k->looked, clock_mono(k->clock).us);
    return true;
}

// Whether it is time again, for one of the threads that ask.
static bool turn(_Atomic int64_t *last, int64_t now, struct duration every)
{
    int64_t seen = atomic_load(last);
    return now - seen >= every.us && atomic_compare_exchange_strong(last, &seen, now);
}

// What is known, looked at lately. While the store cannot be asked, what was known goes on.
static bool ring_now(struct keys *k, struct keyring **ret, struct err *err)
{
    struct keyring *ring = atomic_load(&k->now);
    struct err why = {0};
    if (!ring && !look(k, err))
        return false;
    if (ring && !k->store->exclusive && turn(&k->looked, clock_mono(k->clock).us, duration_s(KEYS_LOOK_S)) &&
        !look(k, &why))
        LOG_DEBUG("signing keys not looked at", LOG_ERROR_FIELD(&why));
    *ret = atomic_load(&k->now);
    return true;
}

static bool no_key(struct err *err)
{
    return ERR(err, ERR_UNAVAILABLE, "sign-in is not set up on this server: no token key");
}

bool keys_sign(struct app *app, const struct token_claims *claims, struct str *ret, struct arena *a, struct err *err)
{
    struct keyring *ring;
    if (!app->keys)
        return no_key(err);
    return ring_now(app->keys, &ring, err) && token_sign(keyring_newest(ring), claims, ret, a, err);
}

bool keys_verify(struct app *app, struct str token, struct token_claims *ret, struct arena *a, struct err *err)
{
    struct keys *k = app->keys;
    struct keyring *ring;
    struct instant now = clock_now(app->clock);
    if (!k)
        return no_key(err);
    if (!ring_now(k, &ring, err))
        return false;
    const struct token_key *key = keyring_find(ring, token, now, app->settings.access_life);
    // Another node may have a new one. Whoever sends made-up names makes us look a few times a second, not more.
    if (!key && !k->store->exclusive && token_names_key(token) &&
        turn(&k->asked, clock_mono(k->clock).us, duration_ms(KEYS_ASK_MS)) && look(k, err))
        key = keyring_find(atomic_load(&k->now), token, now, app->settings.access_life);
    // The root's own name is refused by token_verify as any other text that is not its token.
    return token_verify(key ? key : keyring_newest(ring), token, now, ret, a, err);
}

// One try. *ret_done false: another node was faster.
static bool rotate_once(struct keys *k, bool revoke, struct instant now, bool *ret_done, struct arena *a,
                        struct err *err)
{
    struct str before, after;
    struct err why = {0};
    struct keyring *ring;
    const struct store_ops *ops = k->store->ops;
    if (!text_read(k, &before, a, err) || !keyring_of(k->root, before, &ring, err))
        return false;
    bool ok = keyring_rotated(ring, revoke, now, &after, a, err);
    keyring_free(ring);
    if (!ok)
        return false;
    *ret_done = true;
    if (before.p)
        return ops->sign_on->setting_swap(k->store, keys_setting, before, after, ret_done, err);
    if (ops->setting_insert(k->store, keys_setting, after, &why))
        return true;
    *ret_done = false;
    if (why.code != ERR_CONFLICT)
        *err = why;
    return why.code == ERR_CONFLICT;
}

bool keys_rotate(struct app *app, const struct caller *c, bool revoke, struct key_rotation *ret, struct arena *a,
                 struct err *err)
{
    struct keys *k = app->keys;
    struct instant now = clock_now(app->clock);
    const struct audit_note note = {.action = "key.rotate", .entity_type = "key", .entity_name = STR("signing keys"),
                                    .outcome = AUDIT_DONE,
                                    .detail = revoke ? STR("the old keys were revoked") : STR_NONE};
    bool done = false;
    if (!k)
        return no_key(err);
    for (int i = 0; !done && i < SWAPS_MAX; i++) {
        // Gone with a write that changed nothing.
        if (c)
            audit_with(app, c, &note, a);
        else
            audit_system(app, "CLI", &note, a);
        if (!rotate_once(k, revoke, now, &done, a, err)) {
            audit_drop(app);
            return false;
        }
    }
    if (!done)
        return ERR(err, ERR_CONFLICT, "other nodes make signing keys at this moment; look whether one is still wanted");
    if (!look(k, err))
        return false;
    const struct keyring *ring = atomic_load(&k->now);
    *ret = (struct key_rotation){.key_id = arena_str(a, str_of(token_key_id(keyring_newest(ring)))),
                                 .believed = (int64_t)keyring_believed(ring, now, app->settings.access_life),
                                 .at = now};
    return true;
}

bool app_key_rotate(struct app *app, const struct caller *c, const struct key_rotation_request *r,
                    struct key_rotation *ret, struct arena *a, struct err *err)
{
    enum reach reach;
    return app_authorize(c, ACTION_KEY_ROTATE, &reach, err) && keys_rotate(app, c, r->revoke, ret, a, err);
}
