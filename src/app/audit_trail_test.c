// SPDX-License-Identifier: Apache-2.0
// Events that wait: floods of refusals become few records, and what did not fit is told.
#include "app/audit_trail.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/memory/store_memory.h"

enum { ARENA_BUDGET = 16 << 20, MANY = 6000 };

struct fixture {
    struct clock_virtual clock;
    struct store *store;
    struct audit_trail *trail;
    struct arena a;
    struct audit_record *v;
    size_t n;
    uint8_t next;
};

static int open_fixture(void **state)
{
    static const uint8_t secret[TOKEN_KEY_BYTES] = "a key for tests, 32 bytes long..";
    struct fixture *f = test_calloc(1, sizeof *f);
    struct token_key *key = token_key_new(secret);
    arena_init(&f->a, ARENA_BUDGET);
    clock_virtual_init(&f->clock, instant_s(INT64_C(1798761600)));
    f->store = store_memory_new();
    f->trail = audit_trail_new(key, f->store, &f->clock.base);
    token_key_free(key);
    *state = f;
    return 0;
}

static int close_fixture(void **state)
{
    struct fixture *f = *state;
    audit_trail_free(f->trail);
    f->store->ops->free(f->store);
    arena_release(&f->a);
    test_free(f);
    return 0;
}

static struct audit_record event(struct fixture *f, const char *address)
{
    static int n;
    struct audit_record r = {.at = clock_now(&f->clock.base),
                             .actor = STR("anonymous"),
                             .node = STR("n1"),
                             .action = STR("request.refuse"),
                             .entity_type = STR("route"),
                             .entity_id = STR("GET /jobs"),
                             .address = str_of(address),
                             .detail = STR("sign in first")};
    n++;
    memcpy(r.id.b, &n, sizeof n);
    return r;
}

static void list(struct fixture *f)
{
    struct err err;
    assert_true(f->store->ops->audit_unsealed(f->store, ULID_ZERO, MANY, &f->v, &f->n, &f->a, &err));
}

static void flush(struct fixture *f, bool all)
{
    struct err err = {0};
    assert_true(audit_trail_flush(f->trail, all, &err));
    list(f);
}

static void a_flood_from_one_address_is_one_record(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < MANY; i++) {
        struct audit_record r = event(f, i % 2 ? "10.0.0.1" : "10.0.0.2");
        audit_trail_refusal(f->trail, &r);
    }
    flush(f, false);
    assert_int_equal(f->n, 0); // the second is not over
    clock_virtual_advance(&f->clock, duration_s(1));
    flush(f, false);
    assert_int_equal(f->n, 2);
    assert_true(str_contains(f->v[0].detail, STR("and 2999 more from this address")));
    uint8_t mac[AUDIT_MAC_BYTES];
    audit_record_mac(audit_trail_key(f->trail), &f->v[0], mac);
    assert_memory_equal(mac, f->v[0].mac, sizeof mac);
}

static void many_addresses_are_bounded(void **state)
{
    struct fixture *f = *state;
    char address[32];
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(address, sizeof address, "10.0.%d.%d", i / 250, i % 250);
        struct audit_record r = event(f, address);
        audit_trail_refusal(f->trail, &r);
    }
    flush(f, true);
    assert_in_range(f->n, 2, 100);
    bool told = false;
    for (size_t i = 0; i < f->n; i++)
        told |= str_contains(f->v[i].detail, STR("from many addresses"));
    assert_true(told);
}

static void what_does_not_fit_is_told(void **state)
{
    struct fixture *f = *state;
    size_t kept = 0;
    for (int i = 0; i < MANY; i++) {
        struct audit_record r = event(f, "10.0.0.1");
        kept += audit_trail_later(f->trail, &r);
    }
    assert_true(kept < MANY);
    flush(f, false);
    struct audit_record r = event(f, "10.0.0.1");
    assert_true(audit_trail_later(f->trail, &r));
    flush(f, false);
    assert_int_equal(f->n, kept + 2);
}

static void what_was_written_already_is_no_obstacle(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    struct audit_record r = event(f, "10.0.0.1"), next = event(f, "10.0.0.1");
    assert_true(f->store->ops->audit_append(f->store, &r, 1, &err));
    assert_true(audit_trail_later(f->trail, &r) && audit_trail_later(f->trail, &next));
    flush(f, false);
    assert_int_equal(f->n, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_flood_from_one_address_is_one_record, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(many_addresses_are_bounded, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(what_does_not_fit_is_told, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(what_was_written_already_is_no_obstacle, open_fixture, close_fixture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
