// SPDX-License-Identifier: Apache-2.0
// API keys lately used. A reader that was overtaken by a revocation does not remember what it read: it hands back the
// count of changes it saw before reading.
#include "app/key_memory.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/sync.h"

enum { IDLE_S = 3600 };

struct place {
    struct key_facts key; // id zero: empty
    struct mono until;
};

struct use {
    struct ulid id;
    struct instant at;
};

struct key_memory {
    struct store *store;
    const struct clock *clock;
    struct waker waker;
    pthread_t thread;
    _Atomic bool ended;
    struct mutex lock;
    // under lock:
    bool runs; // the thread, from the first use on
    struct place places[KEYS_REMEMBERED];
    int64_t changes;
    struct use pending[KEY_USES_PENDING_MAX];
    size_t n_pending;
};

struct key_memory *key_memory_new(struct store *store, const struct clock *clock)
{
    struct key_memory *m = mem_new(struct key_memory);
    m->store = store;
    m->clock = clock;
    mutex_init(&m->lock, LOCK_APP_KEY_MEMORY);
    waker_init(&m->waker, LOCK_APP_KEY_MEMORY);
    return m;
}

void key_memory_free(struct key_memory *m)
{
    if (!m)
        return;
    atomic_store(&m->ended, true);
    waker_wake(&m->waker);
    if (m->runs)
        (void)pthread_join(m->thread, NULL);
    key_memory_flush(m);
    waker_release(&m->waker);
    mutex_release(&m->lock);
    mem_free(m);
}

// The hash is evenly spread.
static struct place *place_of(struct key_memory *m, const uint8_t *hash)
{
    return &m->places[(hash[0] | (unsigned)hash[1] << 8) % KEYS_REMEMBERED];
}

bool key_memory_get(struct key_memory *m, const uint8_t hash[API_KEY_HASH_BYTES], struct key_facts *ret,
                    int64_t *ret_changes)
{
    struct mono now = clock_mono(m->clock);
    WITH_LOCK(&m->lock);
    *ret_changes = m->changes;
    const struct place *p = place_of(m, hash);
    if (ulid_is_zero(p->key.id) || memcmp(p->key.hash, hash, sizeof p->key.hash) != 0 || now.us >= p->until.us)
        return false;
    *ret = p->key;
    return true;
}

void key_memory_put(struct key_memory *m, const struct key_facts *k, int64_t changes)
{
    struct mono now = clock_mono(m->clock);
    WITH_LOCK(&m->lock);
    if (m->changes != changes)
        return;
    struct place *p = place_of(m, k->hash);
    struct instant used = ulid_eq(p->key.id, k->id) ? p->key.last_used_at : INSTANT_NEVER;
    p->key = *k;
    p->until = (struct mono){now.us + KEY_REMEMBERED_S * US_PER_S};
    // What is known here may not be written yet.
    if (!instant_is_never(used) && (instant_is_never(k->last_used_at) || used.us > k->last_used_at.us))
        p->key.last_used_at = used;
}

void key_memory_forget(struct key_memory *m)
{
    WITH_LOCK(&m->lock);
    m->changes++;
    for (size_t i = 0; i < KEYS_REMEMBERED; i++)
        m->places[i].until = (struct mono){0};
}

// ---- last use ----

void key_memory_flush(struct key_memory *m)
{
    struct use v[KEY_USES_PENDING_MAX];
    size_t n;
    {
        WITH_LOCK(&m->lock);
        n = m->n_pending;
        memcpy(v, m->pending, n * sizeof *v);
        m->n_pending = 0;
    }
    for (size_t i = 0; i < n; i++) {
        struct err err = {0};
        if (!m->store->ops->accounts->key_used(m->store, v[i].id, v[i].at, &err))
            LOG_DEBUG("last use of an API key not written", LOG_ID("key", v[i].id), LOG_ERROR_FIELD(&err));
    }
}

static void *thread_run(void *arg)
{
    struct key_memory *m = arg;
    while (!atomic_load(&m->ended)) {
        (void)waker_wait(&m->waker, duration_s(IDLE_S));
        key_memory_flush(m);
    }
    return NULL;
}

void key_memory_used(struct key_memory *m, const struct key_facts *k)
{
    struct instant now = clock_now(m->clock);
    if (!instant_is_never(k->last_used_at) && now.us - k->last_used_at.us < API_KEY_USE_S * US_PER_S)
        return;
    {
        WITH_LOCK(&m->lock);
        struct place *p = place_of(m, k->hash);
        bool known = ulid_eq(p->key.id, k->id) && !instant_is_never(p->key.last_used_at) &&
                     now.us - p->key.last_used_at.us < API_KEY_USE_S * US_PER_S;
        if (known || m->n_pending == KEY_USES_PENDING_MAX)
            return; // somebody else noted it, or so many wait that a later use will do
        m->pending[m->n_pending++] = (struct use){k->id, now};
        if (ulid_eq(p->key.id, k->id))
            p->key.last_used_at = now;
        if (!m->runs)
            m->thread = thread_start("key uses", thread_run, m);
        m->runs = true;
    }
    waker_wake(&m->waker);
}
