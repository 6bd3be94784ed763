// SPDX-License-Identifier: Apache-2.0
// Scripts and keys of the shared cache. A place holds one of
//   "V" sealed value          kept for CACHE_LIFE_S
//   "L" lease                 of the reader that may put the value; whoever reads meanwhile may not
//   "B" bar                   of a writer between its first and its last step
// The argument why this serves nothing stale is in app/cache.h and cache_guard.h.
#include "redis_cache.h"

#include <inttypes.h>
#include <sodium.h>

#include "auth/seal.h"
#include "auth/throttle.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/sync.h"
#include "cache_guard.h"

enum {
    LEASE_MS = 2000,
    BAR_MS = 30000, // longer than any commit takes
    PLACE_TEXT_MAX = 80,
    NUMBER_TEXT_MAX = 24,
    CALL_ARENA = 16 * 1024,
    TRY_HASH_BYTES = 16,
    TRY_TEXT_MAX = 64,
    MINUTE_S = 60,
    MS_PER_S = 1000,
};

static const char script_get[] =
    "local v = redis.call('GET', KEYS[1]) "
    "if not v then redis.call('SET', KEYS[1], 'L' .. ARGV[1], 'PX', ARGV[2]) return 1 end "
    "if string.sub(v, 1, 1) == 'V' then return v end "
    "return 0";
static const char script_put[] = "if redis.call('GET', KEYS[1]) ~= 'L' .. ARGV[1] then return 0 end "
                                 "redis.call('SET', KEYS[1], 'V' .. ARGV[2], 'PX', ARGV[3]) return 1";
static const char script_bar[] = "redis.call('SET', KEYS[1], 'B' .. ARGV[1], 'PX', ARGV[2]) return 1";
// The bar of another writer stays.
static const char script_clear[] =
    "local v = redis.call('GET', KEYS[1]) "
    "if v and (string.sub(v, 1, 1) ~= 'B' or v == 'B' .. ARGV[1]) then redis.call('DEL', KEYS[1]) end "
    "return 1";
// One hash per key: tries by minute. Takes one from both, or answers the seconds until both have room,
// rounded up to a minute like the throttle of one node.
static const char script_take[] = "local now = tonumber(redis.call('TIME')[1]) "
                                  "local minute = math.floor(now / 60) "
                                  "local span = tonumber(ARGV[3]) "
                                  "local wait = 0 "
                                  "for k = 1, 2 do "
                                  "  local sum, by = 0, {} "
                                  "  local h = redis.call('HGETALL', KEYS[k]) "
                                  "  for i = 1, #h, 2 do "
                                  "    local m, n = tonumber(h[i]), tonumber(h[i + 1]) "
                                  "    if m <= minute - span then redis.call('HDEL', KEYS[k], h[i]) "
                                  "    else sum = sum + n by[#by + 1] = {m, n} end "
                                  "  end "
                                  "  table.sort(by, function(a, b) return a[1] < b[1] end) "
                                  "  for i = 1, #by do "
                                  "    if sum < tonumber(ARGV[k]) then break end "
                                  "    sum = sum - by[i][2] "
                                  "    wait = math.max(wait, (by[i][1] + span) * 60 - now) "
                                  "  end "
                                  "end "
                                  "if wait > 0 then return wait end "
                                  "for k = 1, 2 do "
                                  "  redis.call('HINCRBY', KEYS[k], minute, 1) "
                                  "  redis.call('PEXPIRE', KEYS[k], (span + 1) * 60000) "
                                  "end "
                                  "return 0";
static const char script_give_back[] =
    "for k = 1, 2 do "
    "  local h = redis.call('HGETALL', KEYS[k]) "
    "  local newest = -1 "
    "  for i = 1, #h, 2 do if tonumber(h[i + 1]) > 0 then newest = math.max(newest, tonumber(h[i])) end end "
    "  if newest >= 0 then redis.call('HINCRBY', KEYS[k], newest, -1) end "
    "end "
    "return 0";

static struct metric hits = METRIC_COUNTER_INIT("chronos_cache_requests_total", "result=\"hit\"",
                                                "Questions to the shared cache."),
                     misses = METRIC_COUNTER_INIT("chronos_cache_requests_total", "result=\"miss\"", ""),
                     refused = METRIC_COUNTER_INIT("chronos_cache_requests_total", "result=\"off\"", ""),
                     up = METRIC_GAUGE_INIT("chronos_redis_up", "", "Whether Redis answers: 1 or 0.");

struct redis_cache {
    struct cache base; // must be first
    struct redis *redis;
    struct cache_guard *guard;
    uint8_t value_key[SEAL_KEY_BYTES], try_key[TOKEN_KEY_BYTES];
    _Atomic bool told_up; // what the log said last
};

static struct redis_cache *self_of(struct cache *c) { return (struct redis_cache *)c; }

static struct str place_text(const char *era, struct cache_place p, char buf[static PLACE_TEXT_MAX])
{
    static const char *const kinds[] = {[CACHE_CALLER] = "user", [CACHE_JOB_OWNER] = "owner"};
    char id[ULID_TEXT_MAX];
    (void)snprintf(buf, PLACE_TEXT_MAX, "c:%s:%s:%s", era, kinds[p.kind], ulid_format(p.id, id));
    return str_of(buf);
}

static struct str number_text(uint64_t n, char buf[static NUMBER_TEXT_MAX])
{
    (void)snprintf(buf, NUMBER_TEXT_MAX, "%" PRIu64, n);
    return str_of(buf);
}

static uint64_t by_chance(void)
{
    uint64_t n;
    rng_secret(&n, sizeof n);
    return n;
}

// ---- reading ----

// A value counts only if it came from the server of the era, in which we still are.
static bool still(struct redis_cache *r, const struct cache_era *e, const struct redis_answer *answer)
{
    struct cache_era now;
    cache_guard_era(r->guard, &now);
    return now.usable && strcmp(now.name, e->name) == 0 && answer->instance == e->instance;
}

static bool cache_get(struct cache *c, struct cache_place p, struct cache_ticket *ret_ticket, struct str *ret,
                      struct arena *a)
{
    struct redis_cache *r = self_of(c);
    struct cache_era e;
    char place[PLACE_TEXT_MAX], lease[NUMBER_TEXT_MAX], life[NUMBER_TEXT_MAX];
    struct cache_ticket t = {.lease = by_chance()};
    struct redis_answer answer;
    struct err why = {0};
    cache_guard_era(r->guard, &e);
    if (!r->redis)
        return false;
    struct redis_eval eval = {.script = script_get, .n_keys = 1, .n_args = 2};
    eval.keys[0] = place_text(e.name, p, place);
    eval.args[0] = number_text(t.lease, lease);
    eval.args[1] = number_text(LEASE_MS, life);
    if (!e.usable || !redis_eval(r->redis, &eval, &answer, a, &why) || !still(r, &e, &answer)) {
        metric_add(&refused, 1);
        return false;
    }
    struct str sealed = answer.kind == REDIS_TEXT && answer.text.n > 0
                            ? (struct str){answer.text.p + 1, answer.text.n - 1}
                            : STR_NONE;
    if (sealed.p && seal_open(r->value_key, eval.keys[0], sealed, ret, a)) {
        metric_add(&hits, 1);
        return true;
    }
    metric_add(&misses, 1);
    memcpy(t.era, e.name, sizeof t.era);
    t.instance = e.instance;
    t.given = answer.kind == REDIS_NUMBER && answer.number == 1;
    *ret_ticket = t;
    return false;
}

// A put in an era that ended stays there, where nobody looks.
static void cache_put(struct cache *c, struct cache_place p, const struct cache_ticket *t, struct str value)
{
    struct redis_cache *r = self_of(c);
    char place[PLACE_TEXT_MAX], lease[NUMBER_TEXT_MAX], life[NUMBER_TEXT_MAX];
    struct arena a CLEANUP(arena_release);
    struct redis_answer answer;
    struct err ignored = {0};
    arena_init(&a, CALL_ARENA);
    struct redis_eval eval = {.script = script_put, .n_keys = 1, .n_args = 3};
    eval.keys[0] = place_text(t->era, p, place);
    eval.args[0] = number_text(t->lease, lease);
    eval.args[1] = value.n <= CACHE_VALUE_MAX ? seal(r->value_key, eval.keys[0], value, &a) : STR_NONE;
    eval.args[2] = number_text(CACHE_LIFE_S * MS_PER_S, life);
    if (eval.args[1].p)
        (void)!redis_eval(r->redis, &eval, &answer, &a, &ignored);
}

// ---- writing ----

// Runs a script of a writer on its place in the present era. Returns the instance that ran it, 0: none.
static uint64_t mark(struct redis_cache *r, const char *script, struct cache_place p, uint64_t writer,
                     char *ret_era)
{
    struct cache_era e;
    char place[PLACE_TEXT_MAX], number[NUMBER_TEXT_MAX], life[NUMBER_TEXT_MAX];
    struct arena a CLEANUP(arena_release);
    struct redis_answer answer;
    struct err why = {0};
    arena_init(&a, CALL_ARENA);
    cache_guard_era(r->guard, &e);
    memcpy(ret_era, e.name, CACHE_ERA_MAX);
    struct redis_eval eval = {.script = script, .n_keys = 1, .n_args = 2, .needed = true};
    eval.keys[0] = place_text(e.name, p, place);
    eval.args[0] = number_text(writer, number);
    eval.args[1] = number_text(BAR_MS, life);
    return r->redis && redis_eval(r->redis, &eval, &answer, &a, &why) ? answer.instance : 0;
}

static void cache_before_write(struct cache *c, struct cache_place p, struct cache_ticket *ret_ticket)
{
    struct cache_ticket t = {.lease = by_chance()};
    t.instance = mark(self_of(c), script_bar, p, t.lease, t.era);
    *ret_ticket = t;
}

static bool cache_after_write(struct cache *c, struct cache_place p, const struct cache_ticket *t,
                              struct err *err)
{
    struct redis_cache *r = self_of(c);
    char era[CACHE_ERA_MAX];
    uint64_t instance = mark(r, script_clear, p, t->lease, era);
    return cache_guard_settle(r->guard, era, instance, err);
}

// ---- tries ----

static struct str try_text(const struct redis_cache *r, char kind, struct str who,
                           char buf[static TRY_TEXT_MAX])
{
    uint8_t hash[TRY_HASH_BYTES];
    char hex[2 * TRY_HASH_BYTES + 1];
    must(crypto_generichash(hash, sizeof hash, (const uint8_t *)(who.p ? who.p : ""), who.n, r->try_key,
                            sizeof r->try_key) == 0);
    sodium_bin2hex(hex, sizeof hex, hash, sizeof hash);
    (void)snprintf(buf, TRY_TEXT_MAX, "t:%c:%s", kind, hex);
    return str_of(buf);
}

static bool try_eval(struct redis_cache *r, const char *script, struct str account, struct str address,
                     struct redis_answer *ret)
{
    char by_account[TRY_TEXT_MAX], by_address[TRY_TEXT_MAX], site[THROTTLE_SITE_MAX];
    char most[NUMBER_TEXT_MAX], most_site[NUMBER_TEXT_MAX], span[NUMBER_TEXT_MAX];
    struct arena a CLEANUP(arena_release);
    struct err why = {0};
    arena_init(&a, CALL_ARENA);
    if (!r->redis)
        return false;
    struct redis_eval eval = {.script = script, .n_keys = 2, .n_args = 3, .needed = true};
    eval.keys[0] = try_text(r, 'a', account, by_account);
    eval.keys[1] = try_text(r, 'i', throttle_site(address, site), by_address);
    eval.args[0] = number_text(THROTTLE_ACCOUNT_MAX, most);
    eval.args[1] = number_text(THROTTLE_ADDRESS_MAX, most_site);
    eval.args[2] = number_text(THROTTLE_WINDOW_S / MINUTE_S + 1, span);
    return redis_eval(r->redis, &eval, ret, &a, &why);
}

static struct duration cache_tries_take(struct cache *c, struct str account, struct str address,
                                        bool *ret_counted)
{
    struct redis_answer answer = {.kind = REDIS_NOTHING};
    bool told = try_eval(self_of(c), script_take, account, address, &answer) && answer.kind == REDIS_NUMBER;
    *ret_counted = told && answer.number == 0;
    return duration_s(told ? answer.number : 0);
}

static void cache_tries_give_back(struct cache *c, struct str account, struct str address)
{
    struct redis_answer answer;
    (void)!try_eval(self_of(c), script_give_back, account, address, &answer);
}

static void cache_wake_others(struct cache *c)
{
    struct redis_cache *r = self_of(c);
    if (r->redis)
        redis_wake_others(r->redis);
}

static const struct cache_ops ops = {
    .get = cache_get,
    .put = cache_put,
    .before_write = cache_before_write,
    .after_write = cache_after_write,
    .tries_take = cache_tries_take,
    .tries_give_back = cache_tries_give_back,
    .wake_others = cache_wake_others,
};

// ---- the whole ----

// Asked several times a second by the guard's thread, which makes it the place to tell of a loss and a
// return.
static uint64_t instance_now(void *ctx)
{
    struct redis_cache *r = ctx;
    struct redis_status s;
    struct arena a CLEANUP(arena_release);
    arena_init(&a, CALL_ARENA);
    redis_status(r->redis, &s, &a);
    metric_set(&up, s.up);
    if (s.up && !r->told_up)
        LOG_INFO("redis is connected");
    else if (!s.up && r->told_up)
        LOG_WARN("redis is away: answers come from the database until it is back", LOG_STR("why", s.why));
    r->told_up = s.up;
    return s.up ? s.instance : 0;
}

struct cache *redis_cache_new(const struct redis_cache_options *o)
{
    struct redis_cache *r = mem_new(struct redis_cache);
    must(sodium_init() >= 0);
    r->base.ops = &ops;
    r->redis = o->redis;
    token_key_derive(o->key, "cache values", r->value_key);
    token_key_derive(o->key, "sign-in tries", r->try_key);
    if (o->redis) {
        metric_register(&hits);
        metric_register(&misses);
        metric_register(&refused);
        metric_register(&up);
    }
    struct cache_guard_options g = {.store = o->store,
                                    .clock = o->clock,
                                    .instance = o->redis ? instance_now : NULL,
                                    .ctx = r,
                                    .hold = o->hold};
    r->guard = cache_guard_new(&g);
    return &r->base;
}

void redis_cache_free(struct cache *c)
{
    struct redis_cache *r = self_of(c);
    if (!r)
        return;
    cache_guard_free(r->guard);
    sodium_memzero(r->value_key, sizeof r->value_key);
    sodium_memzero(r->try_key, sizeof r->try_key);
    mem_free(r);
}
