// SPDX-License-Identifier: Apache-2.0
// Redis as nodes use it, on a real server (tests/servers/with.py redis): calls, wake-ups, and a cache that
// never serves what an answered write has changed, whatever becomes of Redis.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>

#include "app/cached.h"
#include "base/log.h"
#include "base/metrics.h"
#include "cache_guard.h"
#include "net/redis.h"
#include "redis_cache.h"
#include "store/memory/store_memory.h"

enum {
    PATIENCE_S = 60,
    HOLD_MS = 2500,
    USERS = 4,
    READERS = 8,
    WRITERS = 3,
    WRITES = 700, // of each writer
    BURST = 2000,
    CHANGES = 2000,
    ROUNDS = 2,
    ARENA_BUDGET = 256 * 1024,
};
static const char dead_url[] = "redis://127.0.0.1:1/0";
static const uint8_t SECRET[TOKEN_KEY_BYTES] = {7};

// One node: what the server wires together, without the server.
struct peer {
    struct redis *redis;
    struct cache *cache;
    struct app app;
};
struct world {
    struct str url;
    struct store *store;
    struct token_key *key;
    struct arena a;
};
static struct world w;

static struct redis *redis_open(const char *url, const char *prefix)
{
    struct redis_options o = {
        .url = url ? str_of(url) : w.url, .prefix = str_of(prefix), .clock = clock_real()};
    struct err err = {0};
    struct redis *r = redis_new(&o, &err);
    assert_non_null(r);
    return r;
}

static void peer_open_on(struct peer *n, struct redis *redis)
{
    n->redis = redis;
    struct redis_cache_options o = {.redis = n->redis,
                                    .store = w.store,
                                    .key = w.key,
                                    .clock = clock_real(),
                                    .hold = duration_ms(HOLD_MS)};
    n->cache = redis_cache_new(&o);
    struct app_parts parts = {.store = w.store, .clock = clock_real(), .key = w.key, .cache = n->cache};
    app_settings_init(&parts.settings);
    app_init(&n->app, &parts);
}

static void peer_open(struct peer *n) { peer_open_on(n, redis_open(NULL, "chronos:")); }

static void peer_close(struct peer *n)
{
    app_release(&n->app);
    redis_cache_free(n->cache);
    redis_free(n->redis);
}

// Polls without sleeping on a clock of ours: the waker is never woken.
static bool until(bool (*holds)(void *ctx), void *ctx)
{
    struct waker pause;
    bool ok = false;
    waker_init(&pause, LOCK_TEST);
    for (int i = 0; i < PATIENCE_S * 100 && !(ok = holds(ctx)); i++)
        (void)waker_wait(&pause, duration_ms(10));
    waker_release(&pause);
    return ok;
}

static bool is_up(void *redis)
{
    struct redis_status s;
    redis_status(redis, &s, NULL);
    return s.up;
}

static int64_t counted(const char *result)
{
    struct sbuf out;
    char line[96];
    sbuf_init(&out, NULL, 1 << 20);
    metrics_write(&out, METRICS_TEXT);
    (void)snprintf(line, sizeof line, "\nchronos_cache_requests_total{result=\"%s\"} ", result);
    const char *at = strstr(sbuf_str(&out).p, line);
    int64_t n = at ? strtoll(at + strlen(line), NULL, 10) : 0;
    sbuf_release(&out);
    return n;
}

// ---- users of the test ----

static struct user user_of(int i, int64_t epoch)
{
    struct user u = {
        .email = STR("ada@example.org"), .password_hash = STR("x"), .enabled = true, .session_epoch = epoch};
    static struct str roles[] = {STR_INIT("USER")};
    u.roles = (struct strs){roles, 1};
    u.id.b[15] = (uint8_t)(i + 1);
    return u;
}

static void users_make(void)
{
    for (int i = 0; i < USERS; i++) {
        struct user u = user_of(i, 1);
        struct err err = {0};
        u.email = arena_fmt(&w.a, "ada%d@example.org", i);
        (void)w.store->ops->user_insert(w.store, &u, &err);
        assert_true(err.code == ERR_NONE || err.code == ERR_CONFLICT);
    }
}

static int64_t epoch_seen(struct peer *n, int user)
{
    struct arena a;
    struct err err = {0};
    struct caller_facts facts;
    arena_init(&a, ARENA_BUDGET);
    must(cached_caller(&n->app, user_of(user, 0).id, &facts, &a, &err));
    arena_release(&a);
    return facts.session_epoch;
}

static void epoch_write(struct peer *n, int user, int64_t epoch)
{
    struct err err = {0};
    struct user u = user_of(user, epoch);
    bool ok = cached_user_update(&n->app, &u, &err);
    if (!ok)
        print_error("%s\n", err.text);
    must(ok);
}

static bool answers_from_cache(void *node)
{
    int64_t before = counted("hit");
    (void)epoch_seen(node, 0);
    (void)epoch_seen(node, 0);
    return counted("hit") >= before + 1;
}

// ---- calls and wake-ups ----

struct question {
    struct redis *redis;
    const struct redis_eval *eval;
    struct redis_answer *answer;
};

static bool ask(void *ctx)
{
    struct question *q = ctx;
    struct err ignored = {0};
    return redis_eval(q->redis, q->eval, q->answer, &w.a, &ignored);
}

// As often as a busy machine makes it necessary.
static bool answered(struct redis *r, const struct redis_eval *e, struct redis_answer *ret)
{
    struct question q = {r, e, ret};
    return until(ask, &q);
}

static void a_script_runs_with_its_keys_and_arguments(void **state)
{
    (void)state;
    struct redis *r = redis_open(NULL, "chronos:one:"), *other = redis_open(NULL, "chronos:two:");
    struct redis_answer answer;
    struct redis_eval set = {.script = "redis.call('SET', KEYS[1], ARGV[1], 'PX', 60000) return 7",
                             .n_keys = 1,
                             .n_args = 1,
                             .keys = {STR("k")},
                             .args = {STR("a\0b")}};
    struct redis_eval get = {.script = "return redis.call('GET', KEYS[1])", .n_keys = 1, .keys = {STR("k")}};
    assert_true(answered(r, &set, &answer));
    assert_int_equal(answer.kind, REDIS_NUMBER);
    assert_int_equal(answer.number, 7);
    uint64_t instance = answer.instance;
    assert_true(answered(r, &get, &answer));
    assert_int_equal(answer.kind, REDIS_TEXT);
    assert_true(str_eq(answer.text, STR("a\0b")));
    assert_true(answered(other, &get, &answer));
    assert_int_equal(answer.kind, REDIS_NOTHING);
    assert_true(instance != 0 && answer.instance != 0 && answer.instance != instance);
    redis_free(r);
    redis_free(other);
}

static void a_server_that_is_away_is_not_waited_for(void **state)
{
    (void)state;
    struct redis *r = redis_open(dead_url, "chronos:");
    struct redis_eval e = {.script = "return 1"};
    struct mono start = clock_mono(clock_real());
    for (int i = 0; i < 1000; i++) {
        struct redis_answer answer;
        struct err err = {0};
        assert_false(redis_eval(r, &e, &answer, &w.a, &err));
        assert_int_equal(err.code, ERR_UNAVAILABLE);
        redis_wake_others(r);
    }
    assert_true(mono_since(clock_mono(clock_real()), start).us < duration_s(1).us);
    redis_free(r);
}

static void a_server_that_hangs_costs_one_bounded_wait(void **state)
{
    (void)state;
    struct redis *r = redis_open(NULL, "chronos:");
    struct redis_eval slow = {
        .script = "local t = redis.call('TIME') local till = t[1] * 1000000 + t[2] + 300000 repeat t = "
                  "redis.call('TIME') until t[1] * 1000000 + t[2] > till return 1"};
    struct redis_eval quick = {.script = "return 1"};
    struct redis_answer answer;
    struct err err = {0};
    assert_true(until(is_up, r));
    struct mono start = clock_mono(clock_real());
    assert_false(redis_eval(r, &slow, &answer, &w.a, &err));
    for (int i = 0; i < 100; i++)
        (void)!redis_eval(r, &quick, &answer, &w.a, &err);
    assert_true(mono_since(clock_mono(clock_real()), start).us < duration_ms(250).us);
    assert_true(until(is_up, r));
    redis_free(r);
}

struct ear {
    struct waker waker;
    _Atomic int64_t times;
};

static void on_heard(void *ctx)
{
    struct ear *ear = ctx;
    atomic_fetch_add(&ear->times, 1);
    waker_wake(&ear->waker);
}

static void others_are_woken_and_we_are_not(void **state)
{
    (void)state;
    struct redis *speaker = redis_open(NULL, "chronos:"), *listener = redis_open(NULL, "chronos:"),
                 *stranger = redis_open(NULL, "chronos:other:");
    struct ear own = {.times = 0}, other = {.times = 0}, far = {.times = 0};
    struct ear *ears[] = {&own, &other, &far};
    for (size_t i = 0; i < 3; i++)
        waker_init(&ears[i]->waker, LOCK_TEST);
    redis_listen(speaker, on_heard, &own);
    redis_listen(listener, on_heard, &other);
    redis_listen(stranger, on_heard, &far);
    for (size_t i = 0; i < 3; i++) // the first call says that the ear is open
        assert_true(waker_wait(&ears[i]->waker, duration_s(PATIENCE_S)));
    assert_true(until(is_up, speaker));
    struct mono start = clock_mono(clock_real());
    redis_wake_others(speaker);
    assert_true(waker_wait(&other.waker, duration_s(PATIENCE_S)));
    print_message("# woken after %lld us\n", (long long)mono_since(clock_mono(clock_real()), start).us);
    for (int i = 0; i < BURST; i++)
        redis_wake_others(speaker);
    assert_true(waker_wait(&other.waker, duration_s(PATIENCE_S)));
    redis_free(speaker);
    redis_free(listener);
    redis_free(stranger);
    assert_int_equal(own.times, 1);
    assert_int_equal(far.times, 1);
    assert_true(other.times < BURST / 10);
    for (size_t i = 0; i < 3; i++)
        waker_release(&ears[i]->waker);
}

// ---- the cache ----

struct race {
    struct peer *nodes[2];
    _Atomic int64_t next[USERS], answered[USERS];
    _Atomic int64_t reads, stale, writers;
    struct mutex turn[USERS]; // a user has one writer at a time, as its row has
};
struct racer {
    struct race *race;
    int number;
};

static void *write_body(void *arg)
{
    struct racer *me = arg;
    struct race *r = me->race;
    for (int i = 0; i < WRITES; i++) {
        int user = (me->number + i) % USERS;
        WITH_LOCK(&r->turn[user]);
        int64_t epoch = atomic_fetch_add(&r->next[user], 1) + 1;
        epoch_write(r->nodes[i % 2], user, epoch);
        atomic_store(&r->answered[user], epoch);
    }
    atomic_fetch_sub(&r->writers, 1);
    return NULL;
}

static void *read_body(void *arg)
{
    struct racer *me = arg;
    struct race *r = me->race;
    for (int64_t i = 0; atomic_load(&r->writers) > 0; i++) {
        int user = (int)((i / 3 + me->number) % USERS);
        int64_t floor = atomic_load(&r->answered[user]);
        if (epoch_seen(r->nodes[me->number % 2], user) < floor)
            atomic_fetch_add(&r->stale, 1);
        atomic_fetch_add(&r->reads, 1);
    }
    return NULL;
}

static void race_run(struct peer *a, struct peer *b)
{
    static struct race r;
    struct racer racers[READERS + WRITERS];
    pthread_t threads[READERS + WRITERS];
    int64_t hits = counted("hit"), misses = counted("miss");
    r = (struct race){.nodes = {a, b}, .writers = WRITERS};
    for (int i = 0; i < USERS; i++) {
        r.next[i] = r.answered[i] = epoch_seen(a, i);
        mutex_init(&r.turn[i], LOCK_APP_THROTTLE);
    }
    for (int i = 0; i < READERS + WRITERS; i++) {
        racers[i] = (struct racer){&r, i};
        threads[i] = thread_start("racer", i < WRITERS ? write_body : read_body, &racers[i]);
    }
    for (int i = 0; i < READERS + WRITERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    print_message("# %lld reads beside %d writes: %lld hits, %lld misses\n", (long long)r.reads,
                  WRITERS * WRITES, (long long)(counted("hit") - hits),
                  (long long)(counted("miss") - misses));
    assert_int_equal(r.stale, 0);
    for (int i = 0; i < USERS; i++)
        mutex_release(&r.turn[i]);
}

static void no_reader_of_any_node_sees_less_than_was_answered(void **state)
{
    (void)state;
    struct peer a, b;
    peer_open(&a);
    peer_open(&b);
    assert_true(until(answers_from_cache, &a) && until(answers_from_cache, &b));
    int64_t before = counted("hit");
    race_run(&a, &b);
    assert_true(counted("hit") > before);
    peer_close(&a);
    peer_close(&b);
}

static void changes_are_seen_at_once(struct peer *writer, struct peer *reader)
{
    int64_t epoch = epoch_seen(reader, 0);
    struct mono start = clock_mono(clock_real());
    for (int i = 0; i < CHANGES; i++) {
        epoch_write(writer, 0, ++epoch);
        assert_int_equal(epoch_seen(reader, 0), epoch);
    }
    struct duration took = mono_since(clock_mono(clock_real()), start);
    print_message("# %d changes without Redis took %lld ms\n", CHANGES, (long long)(took.us / US_PER_MS));
}

// One node serves from the cache; the other comes, changes things, cannot tell this Redis, and goes again.
static void changes_of_a_node_with(struct redis *(*make)(void))
{
    struct peer a, b;
    peer_open(&b);
    for (int round = 0; round < ROUNDS; round++) {
        assert_true(until(answers_from_cache, &b));
        peer_open_on(&a, make());
        if (round % 2 == 0)
            race_run(&a, &b);
        changes_are_seen_at_once(&a, &b);
        peer_close(&a);
    }
    peer_close(&b);
}

static struct redis *lost(void) { return redis_open(dead_url, "chronos:"); }
static struct redis *none(void) { return NULL; }
static struct redis *elsewhere(void) { return redis_open(NULL, "chronos:elsewhere:"); }

static void a_node_that_lost_redis_changes_things_at_once(void **state)
{
    (void)state;
    changes_of_a_node_with(lost);
}

static void a_node_without_redis_changes_things_at_once(void **state)
{
    (void)state;
    changes_of_a_node_with(none);
}

static void nodes_with_different_settings_leave_the_cache(void **state)
{
    (void)state;
    changes_of_a_node_with(elsewhere);
}

static void a_program_beside_the_nodes_ends_the_era(void **state)
{
    (void)state;
    struct peer b;
    struct err err = {0};
    peer_open(&b);
    assert_true(until(answers_from_cache, &b));
    for (int i = 0; i < 3; i++) {
        int64_t epoch = epoch_seen(&b, 1);
        struct user u = user_of(1, epoch + 1);
        assert_true(w.store->ops->user_update(w.store, &u, &err));
        assert_true(cache_guard_end_era(w.store, clock_real(), &err));
        assert_int_equal(epoch_seen(&b, 1), epoch + 1);
    }
    assert_true(until(answers_from_cache, &b));
    peer_close(&b);
}

static void a_store_of_our_own_needs_no_agreement(void **state)
{
    (void)state;
    struct peer a, before;
    w.store->exclusive = true;
    peer_open(&before);
    assert_true(until(answers_from_cache, &before));
    (void)epoch_seen(&before, 2);
    peer_close(&before);
    struct err err = {0};
    struct user u = user_of(2, 4711); // without a server
    assert_true(w.store->ops->user_update(w.store, &u, &err));
    peer_open(&a);
    assert_true(until(answers_from_cache, &a));
    assert_int_equal(epoch_seen(&a, 2), 4711);
    race_run(&a, &a);
    peer_close(&a);
    w.store->exclusive = false;
}

static void tries_are_counted_over_the_nodes(void **state)
{
    (void)state;
    struct peer a, b, alone;
    peer_open(&a);
    peer_open(&b);
    peer_open_on(&alone, redis_open(dead_url, "chronos:"));
    assert_true(until(is_up, a.redis) && until(is_up, b.redis));
    struct str account = arena_fmt(&w.a, "%lld@example.org", (long long)clock_now(clock_real()).us);
    struct peer *nodes[] = {&a, &b};
    struct sign_in_try try = {.account = account, .address = STR("2001:db8::1")};
    for (int i = 0; i < THROTTLE_ACCOUNT_MAX;) {
        try.at = clock_now(clock_real());
        assert_int_equal(sign_in_take(&nodes[i % 2]->app, &try).us, 0);
        if (try.shared)
            i++;
        else // not answered in time, on a busy machine
            sign_in_give_back(&nodes[i % 2]->app, &try);
    }
    assert_true(sign_in_take(&a.app, &try).us > 0);
    assert_true(sign_in_take(&b.app, &try).us > 0);
    assert_int_equal(sign_in_take(&alone.app, &try).us, 0); // it knows its own tries only
    assert_false(try.shared);
    try.shared = true;
    sign_in_give_back(&a.app, &try);
    assert_int_equal(sign_in_take(&b.app, &try).us, 0);
    assert_true(sign_in_take(&a.app, &try).us > 0);
    peer_close(&a);
    peer_close(&b);
    peer_close(&alone);
}

static int world_open(void **state)
{
    (void)state;
    const char *url = getenv("CHRONOS_TEST_REDIS");
    if (!url) {
        print_error("run me through tests/servers/with.py redis\n");
        return -1;
    }
    signal(SIGPIPE, SIG_IGN);
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    arena_init(&w.a, 8 * ARENA_BUDGET);
    w.url = str_of(url);
    w.store = store_memory_new_shared();
    w.key = token_key_new(SECRET);
    users_make();
    return 0;
}

static int world_close(void **state)
{
    (void)state;
    w.store->ops->free(w.store);
    token_key_free(w.key);
    arena_release(&w.a);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_script_runs_with_its_keys_and_arguments),
        cmocka_unit_test(a_server_that_is_away_is_not_waited_for),
        cmocka_unit_test(a_server_that_hangs_costs_one_bounded_wait),
        cmocka_unit_test(others_are_woken_and_we_are_not),
        cmocka_unit_test(no_reader_of_any_node_sees_less_than_was_answered),
        cmocka_unit_test(a_node_that_lost_redis_changes_things_at_once),
        cmocka_unit_test(a_node_without_redis_changes_things_at_once),
        cmocka_unit_test(nodes_with_different_settings_leave_the_cache),
        cmocka_unit_test(a_program_beside_the_nodes_ends_the_era),
        cmocka_unit_test(a_store_of_our_own_needs_no_agreement),
        cmocka_unit_test(tries_are_counted_over_the_nodes),
    };
    return cmocka_run_group_tests(tests, world_open, world_close);
}
