// SPDX-License-Identifier: Apache-2.0
// From notices in the store to a target, in virtual time: outages, restarts, a target that is gone, jobs that flap, and
// who may be told what. The channel is one of these tests.
#include "app/notifier.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "store/memory/store_memory.h"

enum { ARENA_BUDGET = 64 << 20, SEEN_MAX = 4096, JOBS = 5, HOUR_S = 3600 };

// ---- a channel ---------------------------------------------------------------------------------

struct pigeon_config {
    struct str loft;
};
static const struct field pigeon_rows[] = {
    FIELD_STR(struct pigeon_config, loft, "loft", .flags = FIELD_SECRET, .max = 100, .doc = "Where it flies to."),
};
static const struct fields pigeon_fields = FIELDS("Pigeon", struct pigeon_config, pigeon_rows);

static struct {
    int verdict;
    size_t n, taken;
    struct {
        char id[ULID_TEXT_MAX];
        int event, verdict;
        char digest[512];
    } seen[SEEN_MAX];
} target;

static void pigeon_send(const struct channel_env *env, const void *config, const struct notification *n,
                        struct channel_result *ret, struct arena *a)
{
    (void)env, (void)a;
    assert_true(str_is(((const struct pigeon_config *)config)->loft, "north"));
    assert_true(target.n < SEEN_MAX);
    (void)snprintf(target.seen[target.n].id, ULID_TEXT_MAX, "%.*s", STR_ARG(n->id));
    (void)snprintf(target.seen[target.n].digest, sizeof target.seen[0].digest, "%.*s", STR_ARG(n->digest));
    target.seen[target.n].event = n->event;
    target.seen[target.n].verdict = target.verdict;
    target.n++;
    target.taken += target.verdict == CHANNEL_SENT;
    ret->verdict = target.verdict;
    (void)snprintf(ret->sentence, sizeof ret->sentence, "as the test says");
}

static const struct channel pigeon = {.name = "PIGEON", .doc = "A bird.", .config = &pigeon_fields,
                                      .config_size = sizeof(struct pigeon_config), .send = pigeon_send};
const struct channel *const channels[] = {&pigeon, NULL};

// ---- a world -----------------------------------------------------------------------------------

struct fixture {
    struct clock_virtual clock;
    struct app app;
    struct vault *vault;
    struct zones *zones;
    struct notifier *n;
    struct arena a;
    struct rng rng;
    struct err err;
    struct ulid user;
    struct subscription s;
};

#define must_ok(f, call)                       \
    do {                                       \
        if (!(call))                           \
            fail_msg("%s", (f)->err.text);     \
    } while (0)

static struct ulid id_of(struct fixture *f) { return ulid_new(clock_now(&f->clock.base), &f->rng); }

static void start(struct fixture *f)
{
    struct notifier_config c = {.app = &f->app,
                                .env = {.channel = {.clock = &f->clock.base, .zones = f->zones}, .source = STR("/x")}};
    must_ok(f, notifier_new(&c, &f->n, &f->err));
}

static struct ulid user_add(struct fixture *f, const char *email, const char *role)
{
    static struct str words[8];
    static size_t used;
    struct str *word = &words[used++ % 8];
    struct user u = {.id = id_of(f), .email = str_of(email), .password_hash = STR("x"), .enabled = true,
                     .roles = {word, 1}, .created_at = clock_now(&f->clock.base)};
    *word = str_of(role);
    must_ok(f, f->app.store->ops->user_insert(f->app.store, &u, &f->err));
    return u.id;
}

static struct ulid job_add(struct fixture *f, struct ulid owner, const char *name)
{
    struct job j;
    field_defaults(&job_fields, &j);
    j.id = id_of(f);
    j.owner_id = owner;
    j.name = str_of(name);
    j.type = STR("DUMMY");
    j.payload = STR("{}");
    j.schedule.kind = SCHEDULE_MANUAL;
    j.version = 1;
    j.created_at = j.updated_at = clock_now(&f->clock.base);
    struct plan p = {.state = JOB_STATE_ACTIVE, .next_fire = INSTANT_NEVER};
    plan_of_job(&j, &p);
    must_ok(f, f->app.store->ops->jobs_insert(f->app.store, &j, &p, 1, &f->err));
    return j.id;
}

static struct subscription sub_add(struct fixture *f, struct ulid owner, struct ulid job_id)
{
    struct subscription s;
    field_defaults(&subscription_fields, &s);
    s.id = id_of(f);
    s.owner_id = owner;
    s.job_id = job_id;
    s.all = ulid_is_zero(job_id);
    s.channel = STR("PIGEON");
    s.sealed = vault_seal(f->vault, s.id, STR("notification"), STR("{\"loft\":\"north\"}"), &f->a);
    s.version = 1;
    must_ok(f, f->app.store->ops->subscription_put(f->app.store, &s, 0, &f->err));
    notifier_reload(f->n);
    return s;
}

static int setup(void **state)
{
    struct fixture *f = mem_new(struct fixture);
    struct app_parts parts = {.store = store_memory_new(), .clock = &f->clock.base};
    arena_init(&f->a, ARENA_BUDGET);
    rng_init(&f->rng, 7);
    clock_virtual_init(&f->clock, instant_s(INT64_C(1800000000)));
    store_memory_set_clock(parts.store, &f->clock.base);
    must_ok(f, vault_of(STR("a key for tests that is long enough"), &f->vault, &f->err));
    f->zones = parts.zones = zones_new(NULL);
    parts.vault = f->vault;
    app_settings_init(&parts.settings);
    app_init(&f->app, &parts);
    target.n = target.taken = 0;
    target.verdict = CHANNEL_SENT;
    f->user = user_add(f, "me@x.org", "USER");
    start(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    struct store *s = f->app.store;
    notifier_free(f->n);
    app_release(&f->app);
    s->ops->free(s);
    vault_free(f->vault);
    zones_free(f->zones);
    arena_release(&f->a);
    mem_free(f);
    return 0;
}

static void happens(struct fixture *f, int event, struct ulid job_id)
{
    struct notice n = {.event = event, .at = clock_now(&f->clock.base), .job_id = job_id, .run_id = id_of(f),
                       .error_class = STR("TIMEOUT"), .message = STR("no answer")};
    must_ok(f, f->app.store->ops->notices_put(f->app.store, &n, 1, &f->err));
}

static void pass(struct fixture *f, int64_t seconds)
{
    bool more = true;
    clock_virtual_advance(&f->clock, duration_s(seconds));
    while (more)
        must_ok(f, notifier_decide(f->n, &more, &f->err));
    (void)notifier_send(f->n);
}

static size_t told(int event)
{
    size_t n = 0;
    for (size_t i = 0; i < target.n; i++)
        n += target.seen[i].event == event && target.seen[i].verdict == CHANNEL_SENT;
    return n;
}

// ---- tests -------------------------------------------------------------------------------------

static void a_target_that_is_down_for_an_hour(void **state)
{
    struct fixture *f = *state;
    struct ulid jobs[JOBS];
    struct subscription s = sub_add(f, f->user, ULID_ZERO);
    struct delivery_filter all = {.state = -1};
    struct page page = {.size = PAGE_SIZE_MAX};
    struct page_result r;
    struct delivery *v;
    size_t n;
    s.group_seconds = 0;
    s.version = 2;
    must_ok(f, f->app.store->ops->subscription_put(f->app.store, &s, 1, &f->err));
    notifier_reload(f->n);
    target.verdict = CHANNEL_AGAIN;
    for (size_t i = 0; i < JOBS; i++) {
        jobs[i] = job_add(f, f->user, "a");
        happens(f, NOTICE_DEAD, jobs[i]);
    }
    for (int i = 0; i < HOUR_S / 10; i++)
        pass(f, 10);
    assert_int_equal(target.taken, 0);
    assert_true(target.n <= JOBS * 4); // at once, after 5 s, 5 min and 30 min: not a storm
    target.verdict = CHANNEL_SENT;
    for (int i = 0; i < 3 * HOUR_S / 10; i++)
        pass(f, 10);
    assert_int_equal(told(NOTICE_FAILED), JOBS);
    must_ok(f, f->app.store->ops->deliveries_list(f->app.store, &all, &page, &v, &n, &r, &f->a, &f->err));
    assert_int_equal(n, JOBS);
    for (size_t i = 0; i < n; i++) {
        char id[ULID_TEXT_MAX];
        size_t taken = 0;
        for (size_t k = 0; k < target.n; k++)
            taken += target.seen[k].verdict == CHANNEL_SENT && strcmp(target.seen[k].id, ulid_format(v[i].id, id)) == 0;
        assert_int_equal(taken, 1); // each of them, under the id of every try
        assert_int_equal(v[i].state, DELIVERY_SENT);
    }
}

static void what_is_remembered_survives_a_restart(void **state)
{
    struct fixture *f = *state;
    struct ulid job = job_add(f, f->user, "a");
    (void)sub_add(f, f->user, job);
    happens(f, NOTICE_DEAD, job);
    pass(f, 1);
    notifier_free(f->n);
    start(f);
    happens(f, NOTICE_DEAD, job);
    pass(f, 60);
    assert_int_equal(told(NOTICE_FAILED), 1); // the same again: nothing
    happens(f, NOTICE_RECOVERED, job);
    notifier_free(f->n); // before anything was decided
    start(f);
    pass(f, 60);
    assert_int_equal(told(NOTICE_RECOVERED), 1);
}

// The next transaction of the rules fails, or nobody knows whether it was done.
static enum store_fault one_fault(void *ctx, const char *op, bool writes)
{
    enum store_fault *next = ctx, fault = *next;
    if (!writes || strcmp(op, "notices_settle") != 0)
        return FAULT_NONE;
    *next = FAULT_NONE;
    return fault;
}

static void a_store_that_fails_costs_nothing(void **state)
{
    static const enum store_fault faults[] = {FAULT_FAIL, FAULT_UNKNOWN_COMMITTED, FAULT_UNKNOWN_LOST};
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        enum store_fault next = faults[i];
        struct ulid job = job_add(f, f->user, "a");
        bool more;
        (void)sub_add(f, f->user, job);
        happens(f, NOTICE_DEAD, job);
        store_memory_set_faults(f->app.store, (struct store_faults){one_fault, &next});
        assert_false(notifier_decide(f->n, &more, &f->err));
        store_memory_set_faults(f->app.store, (struct store_faults){0});
        pass(f, 1);
        pass(f, 60);
        assert_int_equal(target.n, i + 1); // one message, whatever became of the first round
    }
}

static void a_flapping_job_makes_one_digest(void **state)
{
    struct fixture *f = *state;
    struct ulid job = job_add(f, f->user, "flapper");
    (void)sub_add(f, f->user, job);
    for (int i = 0; i < 12; i++) {
        happens(f, i % 2 ? NOTICE_RECOVERED : NOTICE_DEAD, job);
        pass(f, 120);
    }
    assert_int_equal(told(NOTICE_FAILED), 2);
    assert_int_equal(told(NOTICE_RECOVERED), 1);
    assert_int_equal(told(NOTICE_DIGEST), 1);
    for (size_t i = 0; i < target.n; i++)
        if (target.seen[i].event == NOTICE_DIGEST)
            assert_non_null(strstr(target.seen[i].digest, "flapping: flapper"));
    for (int i = 0; i < 12; i++)
        pass(f, 600);
    assert_int_equal(told(NOTICE_DIGEST), 1);
    assert_int_equal(told(NOTICE_RECOVERED), 2); // calm, and good
    assert_int_equal(target.n, 5);
}

static void many_jobs_make_one_message_more(void **state)
{
    struct fixture *f = *state;
    (void)sub_add(f, f->user, ULID_ZERO);
    happens(f, NOTICE_DEAD, job_add(f, f->user, "first"));
    pass(f, 1);
    for (int i = 0; i < 60; i++)
        happens(f, NOTICE_DEAD, job_add(f, f->user, "other"));
    pass(f, 1);
    assert_int_equal(target.n, 1);
    pass(f, 30);
    assert_int_equal(target.n, 2);
    assert_int_equal(target.seen[1].event, NOTICE_DIGEST);
}

static void quiet_hours_hold_until_their_end(void **state)
{
    struct fixture *f = *state;
    struct ulid job = job_add(f, f->user, "a");
    struct subscription s = sub_add(f, f->user, job);
    s.quiet_hours = (struct quiet_hours){STR("08:00"), STR("09:00"), STR("UTC")}; // it is 08:00
    s.version = 2;
    must_ok(f, f->app.store->ops->subscription_put(f->app.store, &s, 1, &f->err));
    notifier_reload(f->n);
    happens(f, NOTICE_DEAD, job);
    for (int i = 0; i < 59; i++)
        pass(f, 60);
    assert_int_equal(target.n, 0);
    pass(f, 60);
    assert_int_equal(told(NOTICE_FAILED), 1);
}

static void a_target_that_is_gone(void **state)
{
    struct fixture *f = *state;
    struct ulid job = job_add(f, f->user, "a");
    struct subscription s = sub_add(f, f->user, job), back;
    target.verdict = CHANNEL_GONE;
    happens(f, NOTICE_DEAD, job);
    pass(f, 1);
    must_ok(f, f->app.store->ops->subscription_get(f->app.store, s.id, &back, &f->a, &f->err));
    assert_false(back.enabled);
    assert_true(str_contains(back.off_reason, STR("gone")));
    pass(f, HOUR_S);
    assert_int_equal(target.n, 1);
}

static void only_what_its_owner_may_see(void **state)
{
    struct fixture *f = *state;
    struct ulid other = user_add(f, "other@x.org", "USER"), admin = user_add(f, "root@x.org", "ADMIN");
    (void)sub_add(f, f->user, ULID_ZERO);
    happens(f, NOTICE_DEAD, job_add(f, other, "foreign"));
    happens(f, NOTICE_NODE_DOWN, ULID_ZERO);
    pass(f, 1);
    assert_int_equal(target.n, 0);
    (void)sub_add(f, admin, ULID_ZERO);
    happens(f, NOTICE_DEAD, job_add(f, other, "foreign"));
    pass(f, 1);
    assert_int_equal(target.n, 1);
}

static void tags_choose(void **state)
{
    struct fixture *f = *state;
    struct subscription s = sub_add(f, f->user, ULID_ZERO);
    s.all = false;
    s.tag = STR("billing");
    s.version = 2;
    must_ok(f, f->app.store->ops->subscription_put(f->app.store, &s, 1, &f->err));
    notifier_reload(f->n);
    happens(f, NOTICE_DEAD, job_add(f, f->user, "untagged"));
    pass(f, 1);
    assert_int_equal(target.n, 0);
}

int main(void)
{
#define CASE(sentence, f) {.name = (sentence), .test_func = (f), .setup_func = setup, .teardown_func = teardown}
    const struct CMUnitTest tests[] = {
        CASE("a target that is down for an hour gets each message once it is back", a_target_that_is_down_for_an_hour),
        CASE("what is remembered survives a restart", what_is_remembered_survives_a_restart),
        CASE("a store that fails in between costs no message and doubles none", a_store_that_fails_costs_nothing),
        CASE("a job that flaps makes one digest", a_flapping_job_makes_one_digest),
        CASE("many jobs at once make one message more", many_jobs_make_one_message_more),
        CASE("quiet hours hold until their end", quiet_hours_hold_until_their_end),
        CASE("a target that is gone turns its subscription off", a_target_that_is_gone),
        CASE("somebody is told only what he may see", only_what_its_owner_may_see),
        CASE("tags choose the jobs", tags_choose),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
