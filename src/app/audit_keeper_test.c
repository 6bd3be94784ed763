// SPDX-License-Identifier: Apache-2.0
// Sealing on the memory store with a virtual clock: one keeper, two that do not know of each other, what is removed.
#include "app/audit_keeper.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/audit_trail.h"
#include "app/audit_verify.h"
#include "store/memory/store_memory.h"

enum { ARENA_BUDGET = 64 << 20, KEEP_DAYS = 2, MANY = 1200, KEEPERS = 2 };

struct fixture {
    struct clock_virtual clock;
    struct token_key *key;
    struct app app;
    struct arena a;
    struct audit_keeper *k[KEEPERS];
};

static int open_fixture(void **state)
{
    static const uint8_t secret[TOKEN_KEY_BYTES] = "a key for tests, 32 bytes long..";
    struct fixture *f = test_calloc(1, sizeof *f);
    struct audit_keeper_config c = {.keep_days = KEEP_DAYS};
    arena_init(&f->a, ARENA_BUDGET);
    clock_virtual_init(&f->clock, instant_s(INT64_C(1798761600)));
    f->key = token_key_new(secret);
    struct app_parts parts = {.store = store_memory_new_shared(), .clock = &f->clock.base, .key = f->key};
    app_settings_init(&parts.settings);
    app_init(&f->app, &parts);
    for (size_t i = 0; i < KEEPERS; i++)
        f->k[i] = audit_keeper_new(&c, &f->app);
    *state = f;
    return 0;
}

static int close_fixture(void **state)
{
    struct fixture *f = *state;
    struct store *s = f->app.store;
    for (size_t i = 0; i < KEEPERS; i++)
        audit_keeper_free(f->k[i]);
    app_release(&f->app);
    s->ops->free(s);
    token_key_free(f->key);
    arena_release(&f->a);
    test_free(f);
    return 0;
}

static void record(struct fixture *f, int n)
{
    struct caller c = {.signed_in = true, .way = WAY_TOKEN, .user_id = {{7}}, .email = STR("ada@example.org")};
    struct audit_note note = {.action = "test.do", .entity_type = "thing", .entity_name = STR("a")};
    for (int i = 0; i < n; i++)
        audit_alone(&f->app, &c, &note, &f->a);
}

static void round_of(struct fixture *f, size_t i)
{
    struct err err = {0};
    if (!audit_keeper_round(f->k[i], &err))
        fail_msg("%s", err.text);
}

static struct audit_verdict verdict(struct fixture *f)
{
    struct audit_verdict v;
    struct err err = {0};
    assert_true(audit_verify(f->app.store, audit_trail_key(f->app.audit), STR_NONE, NULL, NULL, &v, &f->a, &err));
    if (!v.intact)
        fail_msg("%.*s", STR_ARG(v.problem));
    return v;
}

static void everything_gets_its_place(void **state)
{
    struct fixture *f = *state;
    record(f, MANY); // several batches
    round_of(f, 0);
    struct audit_verdict v = verdict(f);
    assert_int_equal(v.records, MANY);
    assert_int_equal(v.unsealed, 0);
    round_of(f, 0); // nothing to do
    record(f, 1);
    assert_int_equal(verdict(f).unsealed, 1);
    round_of(f, 0);
    assert_int_equal(verdict(f).last, MANY + 1);
}

static void the_head_fences_two_keepers(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    record(f, 2);
    round_of(f, 0);
    record(f, 2);
    round_of(f, 1); // it learns the head from the store
    record(f, 1);
    assert_false(audit_keeper_round(f->k[0], &err)); // this one still holds the old head
    assert_int_equal(err.code, ERR_STALE);
    assert_int_equal(verdict(f).unsealed, 1);
    round_of(f, 0);
    struct audit_verdict v = verdict(f);
    assert_int_equal(v.records, 5);
    assert_int_equal(v.unsealed, 0);
}

static enum store_fault unknown_seal(void *ctx, const char *op, bool writes)
{
    enum store_fault fault = writes && strcmp(op, "audit_seal") == 0 ? *(enum store_fault *)ctx : FAULT_NONE;
    return fault;
}

static void a_seal_that_nobody_knows_of(void **state)
{
    static enum store_fault faults[] = {FAULT_FAIL, FAULT_UNKNOWN_COMMITTED, FAULT_UNKNOWN_LOST};
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        struct err err = {0};
        record(f, 2);
        store_memory_set_faults(f->app.store, (struct store_faults){unknown_seal, &faults[i]});
        assert_false(audit_keeper_round(f->k[0], &err));
        store_memory_set_faults(f->app.store, (struct store_faults){0});
        round_of(f, 0);
        assert_int_equal(verdict(f).records, 2 * (i + 1));
    }
}

static void a_forged_head_is_nothing_to_build_on(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    struct audit_seal forged = {.expect = {.kind = AUDIT_HEAD}, .head = {.kind = AUDIT_HEAD, .seq = 9}};
    assert_true(f->app.store->ops->audit_seal(f->app.store, &forged, &err));
    record(f, 1);
    assert_false(audit_keeper_round(f->k[0], &err));
    assert_int_equal(err.code, ERR_CORRUPT);
}

static void what_is_old_goes_and_the_rest_holds(void **state)
{
    struct fixture *f = *state;
    enum { FIRST = 3, SECOND = 2 };
    record(f, FIRST);
    round_of(f, 0); // the first round of a trail makes a checkpoint
    clock_virtual_advance(&f->clock, duration_s(KEEP_DAYS * S_PER_DAY / 2));
    record(f, SECOND);
    round_of(f, 0);
    assert_int_equal(verdict(f).first, 1);
    clock_virtual_advance(&f->clock, duration_s(KEEP_DAYS * S_PER_DAY / 2 + S_PER_DAY / 2));
    round_of(f, 0);
    struct audit_verdict v = verdict(f);
    assert_int_equal(v.first, FIRST + 1); // the anchor stands where the chain begins now
    assert_int_equal(v.records, SECOND);
    clock_virtual_advance(&f->clock, duration_s(KEEP_DAYS * S_PER_DAY));
    record(f, 1);
    round_of(f, 1); // whoever does it
    v = verdict(f);
    assert_int_equal(v.first, FIRST + SECOND + 1);
    assert_int_equal(v.records, 1);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, open_fixture, close_fixture)
    const struct CMUnitTest tests[] = {
        CASE(everything_gets_its_place),
        CASE(the_head_fences_two_keepers),
        CASE(a_seal_that_nobody_knows_of),
        CASE(a_forged_head_is_nothing_to_build_on),
        CASE(what_is_old_goes_and_the_rest_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
