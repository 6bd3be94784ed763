// SPDX-License-Identifier: Apache-2.0
// Failed tries are counted in one-minute buckets per key. A key lives in one set of SET_WAYS places, chosen
// by a keyed hash that nobody outside can predict. A new key in a full set takes over the place with the
// fewest live tries *together with its counts*: counts can then only be too high, never too low.
//
// How much too high? At most PASSWORD_HASHES_MAX hashes run at a time, which allows about 120,000 judged
// tries in the window; spread over PLACES that is below THROTTLE_ACCOUNT_MAX for everybody else.
//
// Lock: lock (LOCK_APP_THROTTLE) guards both tables.
#include "auth/throttle.h"

#include <arpa/inet.h>

#include "base/mem.h"
#include "base/rng.h"
#include "base/sync.h"

enum {
    BUCKET_S = 60,
    BUCKETS = THROTTLE_WINDOW_S / BUCKET_S + 1, // the oldest one is only partly inside the window
    BUCKET_FULL = UINT8_MAX,
    SET_WAYS = 16,
    SETS = 2048,
    PLACES = SETS * SET_WAYS,
    HASH_KEY_BYTES = 16,
    IPV6_SITE_BYTES = 8,
};

struct place {
    uint64_t key;            // keyed hash of the account or address; 0 = never used
    int64_t minute;          // of tries[0]
    uint8_t tries[BUCKETS];  // [i]: tries in minute − i
};

struct table {
    struct place *v;         // PLACES
    unsigned max;            // tries per window
};

struct throttle {
    struct mutex lock;
    uint8_t hash_key[HASH_KEY_BYTES];
    struct table accounts, addresses;
};

struct throttle *throttle_new(void)
{
    struct throttle *t = mem_new(struct throttle);
    mutex_init(&t->lock, LOCK_APP_THROTTLE);
    rng_secret(t->hash_key, sizeof t->hash_key);
    t->accounts = (struct table){mem_array(PLACES, sizeof(struct place)), THROTTLE_ACCOUNT_MAX};
    t->addresses = (struct table){mem_array(PLACES, sizeof(struct place)), THROTTLE_ADDRESS_MAX};
    return t;
}

void throttle_free(struct throttle *t)
{
    if (!t)
        return;
    mutex_release(&t->lock);
    mem_free(t->accounts.v);
    mem_free(t->addresses.v);
    mem_free(t);
}

static int64_t minute_of(struct instant now)
{
    return now.us / (BUCKET_S * US_PER_S);
}

// Moves the buckets so that tries[0] is the present minute. A clock that went back keeps counting in the
// newest bucket, unless it went back by more than the window: then the counts are kept as if made now,
// neither lost nor for ever.
static void place_turn(struct place *p, int64_t minute)
{
    int64_t steps = minute - p->minute;
    if (steps <= 0) {
        if (steps < -BUCKETS)
            p->minute = minute;
        return;
    }
    size_t by = steps < BUCKETS ? (size_t)steps : BUCKETS;
    memmove(p->tries + by, p->tries, BUCKETS - by);
    memset(p->tries, 0, by);
    p->minute = minute;
}

static unsigned place_sum(const struct place *p)
{
    unsigned n = 0;
    for (size_t i = 0; i < BUCKETS; i++)
        n += p->tries[i];
    return n;
}

static uint64_t key_of(const struct throttle *t, const void *bytes, size_t n)
{
    uint64_t key = hash_bytes(t->hash_key, bytes, n);
    return key ? key : 1;
}

static uint64_t account_key(const struct throttle *t, struct str account)
{
    return key_of(t, account.p ? account.p : "", account.n);
}

struct str throttle_site(struct str address, char buf[static THROTTLE_SITE_MAX])
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr in6;
    if (str_find(address, ':') == address.n || address.n >= sizeof text)
        return address;
    memcpy(text, address.p, address.n);
    text[address.n] = '\0';
    if (inet_pton(AF_INET6, text, &in6) != 1 || IN6_IS_ADDR_V4MAPPED(&in6))
        return address;
    memset(in6.s6_addr + IPV6_SITE_BYTES, 0, sizeof in6.s6_addr - IPV6_SITE_BYTES);
    return inet_ntop(AF_INET6, &in6, buf, THROTTLE_SITE_MAX) ? str_of(buf) : address;
}

static uint64_t address_key(const struct throttle *t, struct str address)
{
    char site[THROTTLE_SITE_MAX];
    return account_key(t, throttle_site(address, site));
}

// The key's place, or the least tried one of its set (an unused one has no tries). What stands there bounds
// the tries of an absent key from above: it would not have been pushed out by a smaller count.
static struct place *place_for(struct table *table, uint64_t key, int64_t minute)
{
    struct place *set = table->v + (key % SETS) * SET_WAYS, *least = NULL;
    for (size_t i = 0; i < SET_WAYS; i++) {
        place_turn(&set[i], minute);
        if (set[i].key == key)
            return &set[i];
        if (!least || place_sum(&set[i]) < place_sum(least))
            least = &set[i];
    }
    return least;
}

// Seconds until enough of the oldest buckets have left the window; 0 when there is room now.
static int64_t place_wait_s(const struct place *p, unsigned max, struct instant now)
{
    unsigned left = place_sum(p);
    if (left < max)
        return 0;
    size_t oldest = BUCKETS;
    while (left >= max && oldest > 0)
        left -= p->tries[--oldest];
    int64_t free_at_s = (p->minute + BUCKETS - (int64_t)oldest) * BUCKET_S;
    int64_t wait = free_at_s - now.us / US_PER_S;
    return wait < 1 ? 1 : wait;
}

static void place_add(struct place *p, uint64_t key)
{
    p->key = key;
    if (p->tries[0] < BUCKET_FULL)
        p->tries[0]++;
}

static void place_give_back(struct place *p, uint64_t key)
{
    if (p->key != key)
        return;
    for (size_t i = 0; i < BUCKETS; i++)
        if (p->tries[i] > 0) {
            p->tries[i]--;
            return;
        }
}

struct duration throttle_take(struct throttle *t, struct str account, struct str address, struct instant now)
{
    WITH_LOCK(&t->lock);
    uint64_t by_account = account_key(t, account), by_address = address_key(t, address);
    struct place *a = place_for(&t->accounts, by_account, minute_of(now));
    struct place *b = place_for(&t->addresses, by_address, minute_of(now));
    int64_t wait_a = place_wait_s(a, t->accounts.max, now);
    int64_t wait_b = place_wait_s(b, t->addresses.max, now);
    if (wait_a > 0 || wait_b > 0)
        return duration_s(wait_a > wait_b ? wait_a : wait_b);
    place_add(a, by_account);
    place_add(b, by_address);
    return duration_s(0);
}

void throttle_give_back(struct throttle *t, struct str account, struct str address, struct instant now)
{
    WITH_LOCK(&t->lock);
    uint64_t by_account = account_key(t, account), by_address = address_key(t, address);
    place_give_back(place_for(&t->accounts, by_account, minute_of(now)), by_account);
    place_give_back(place_for(&t->addresses, by_address, minute_of(now)), by_address);
}
