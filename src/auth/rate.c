// SPDX-License-Identifier: Apache-2.0
// Token buckets. A level is kept in millionths of a token: a microsecond then adds exactly per_second of
// them, and no rounding is lost.
#include "auth/rate.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/sync.h"

enum {
    PARTS = 16, // each with a lock
    SETS = 64,  // of a part
    WAYS = 8,
    HASH_KEY_BYTES = 16,
    TOKEN = 1000000,
};

struct place {
    uint64_t key; // keyed hash; 0 = never used, and full
    int64_t level, at_us;
};

struct part {
    struct mutex lock;
    struct place sets[SETS][WAYS]; // under lock
};

struct rate {
    struct rate_terms terms;
    uint8_t hash_key[HASH_KEY_BYTES];
    struct part parts[PARTS];
};

struct rate *rate_new(const struct rate_terms *terms)
{
    struct rate *r = mem_new(struct rate);
    r->terms = *terms;
    must(terms->per_second >= 0 && terms->per_second <= RATE_MAX && terms->burst >= 1 &&
         terms->burst <= RATE_MAX);
    rng_secret(r->hash_key, sizeof r->hash_key);
    for (size_t i = 0; i < PARTS; i++)
        mutex_init(&r->parts[i].lock, LOCK_APP_RATE);
    return r;
}

void rate_free(struct rate *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < PARTS; i++)
        mutex_release(&r->parts[i].lock);
    mem_free(r);
}

const struct rate_terms *rate_terms_of(const struct rate *r) { return &r->terms; }

// Brings the level up to now.
static void refill(const struct rate *r, struct place *p, struct mono now)
{
    int64_t full = r->terms.burst * TOKEN, passed = now.us - p->at_us, added;
    if (p->key == 0 || __builtin_mul_overflow(passed, r->terms.per_second, &added) ||
        added >= full - p->level)
        p->level = full;
    else if (added > 0)
        p->level += added;
    p->at_us = now.us;
}

// The key's place, or the fullest of its set.
static struct place *place_for(const struct rate *r, struct place *set, uint64_t key, struct mono now)
{
    struct place *fullest = NULL;
    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].key == key || set[i].key == 0) { // places are used from the front
            refill(r, &set[i], now);
            return &set[i];
        }
    }
    for (size_t i = 0; i < WAYS; i++) {
        refill(r, &set[i], now);
        if (!fullest || set[i].level > fullest->level)
            fullest = &set[i];
    }
    return fullest;
}

static struct duration time_for(const struct rate *r, int64_t missing)
{
    return (struct duration){(missing + r->terms.per_second - 1) / r->terms.per_second};
}

struct rate_answer rate_take(struct rate *r, struct str key, int64_t n, struct mono now)
{
    int64_t full = r->terms.burst * TOKEN;
    if (r->terms.per_second == 0)
        return (struct rate_answer){.ok = true, .left = r->terms.burst};
    uint64_t hash = hash_bytes(r->hash_key, key.p ? key.p : "", key.n);
    hash = hash ? hash : 1;
    struct part *part = &r->parts[hash % PARTS];
    WITH_LOCK(&part->lock);
    struct place *p = place_for(r, part->sets[hash / PARTS % SETS], hash, now);
    p->key = hash;
    struct rate_answer answer = {.ok = n <= r->terms.burst && n * TOKEN <= p->level};
    if (answer.ok)
        p->level -= n * TOKEN;
    else
        answer.wait = time_for(r, (n < r->terms.burst ? n * TOKEN : full) - p->level);
    if (!answer.ok && answer.wait.us <= 0)
        answer.wait = (struct duration){1};
    answer.left = p->level / TOKEN;
    answer.full = time_for(r, full - p->level);
    return answer;
}
