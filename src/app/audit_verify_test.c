// SPDX-License-Identifier: Apache-2.0
// Trails with one fault each: what is said of them, and where.
#include "app/audit_verify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/memory/store_memory.h"

enum { ARENA_BUDGET = 4 << 20, RECORDS = 3, OUTSIDE_MAX = 2 * AUDIT_LINE_MAX };

struct fixture {
    struct store *store;
    struct token_key *token;
    struct audit_key key;
    struct arena a;
    struct audit_record v[RECORDS];
    struct audit_mark head, checkpoint, empty;
    char outside[OUTSIDE_MAX];
};

static void chain_up(struct fixture *f)
{
    uint8_t before[AUDIT_MAC_BYTES] = {0};
    for (size_t i = 0; i < RECORDS; i++) {
        audit_chain_next(&f->key, f->v[i].seq, f->v[i].mac, before, f->v[i].chain);
        memcpy(before, f->v[i].chain, sizeof before);
    }
    memcpy(f->head.chain, before, sizeof before);
    f->checkpoint = f->head;
    f->checkpoint.kind = AUDIT_CHECKPOINT;
    audit_mark_sign(&f->key, &f->head);
    audit_mark_sign(&f->key, &f->checkpoint);
}

static int open_fixture(void **state)
{
    static const uint8_t secret[TOKEN_KEY_BYTES] = "a key for tests, 32 bytes long..";
    struct fixture *f = test_calloc(1, sizeof *f);
    arena_init(&f->a, ARENA_BUDGET);
    f->token = token_key_new(secret);
    f->store = store_memory_new();
    audit_key_of(f->token, &f->key);
    for (size_t i = 0; i < RECORDS; i++) {
        f->v[i] = (struct audit_record){.seq = (int64_t)i + 1, .at = instant_s(INT64_C(1798761600)),
                                        .actor = STR("ada@example.org"), .node = STR("n1"), .action = STR("job.update"),
                                        .entity_type = STR("job"), .entity_id = STR("x"), .detail = STR("done")};
        f->v[i].id.b[0] = (uint8_t)(i + 1);
        audit_record_mac(&f->key, &f->v[i], f->v[i].mac);
    }
    f->head = (struct audit_mark){.kind = AUDIT_HEAD, .seq = RECORDS, .at = f->v[0].at};
    f->empty.kind = AUDIT_HEAD;
    chain_up(f);
    *state = f;
    return 0;
}

static int close_fixture(void **state)
{
    struct fixture *f = *state;
    f->store->ops->free(f->store);
    token_key_free(f->token);
    arena_release(&f->a);
    test_free(f);
    return 0;
}

static void put(struct fixture *f)
{
    struct err err = {0};
    struct audit_seal seal = {.records = f->v, .n = RECORDS, .expect = f->empty, .head = f->head,
                              .checkpoint = &f->checkpoint};
    assert_true(f->store->ops->audit_append(f->store, f->v, RECORDS, &err));
    assert_true(f->store->ops->audit_seal(f->store, &seal, &err));
}

static struct audit_verdict verdict(struct fixture *f)
{
    struct audit_verdict v;
    struct err err = {0};
    assert_true(audit_verify(f->store, &f->key, str_of(f->outside), NULL, NULL, &v, &f->a, &err));
    return v;
}

// The place where it breaks and words of the sentence.
static void breaks(struct fixture *f, int64_t at, const char *words)
{
    struct audit_verdict v = verdict(f);
    assert_false(v.intact);
    assert_int_equal(v.at, at);
    if (!str_contains(v.problem, str_of(words)))
        fail_msg("\"%.*s\" instead of \"%s\"", STR_ARG(v.problem), words);
}

static void a_whole_trail_holds(void **state)
{
    struct fixture *f = *state;
    struct audit_record later = f->v[0];
    struct err err = {0};
    put(f);
    later.id.b[0] = RECORDS + 1;
    audit_record_mac(&f->key, &later, later.mac);
    assert_true(f->store->ops->audit_append(f->store, &later, 1, &err));
    (void)audit_mark_line(&f->checkpoint, f->outside);
    struct audit_verdict v = verdict(f);
    assert_true(v.intact);
    assert_int_equal(v.records, RECORDS);
    assert_int_equal(v.first, 1);
    assert_int_equal(v.last, RECORDS);
    assert_int_equal(v.unsealed, 1);
}

static void an_empty_trail_holds(void **state)
{
    assert_true(verdict(*state).intact);
}

static void a_changed_record(void **state)
{
    struct fixture *f = *state;
    f->v[1].detail = STR("dome");
    put(f);
    breaks(f, 2, "record 2 was changed");
    assert_true(ulid_eq(verdict(f).id, f->v[1].id));
}

static void a_missing_record(void **state)
{
    struct fixture *f = *state;
    f->v[2].seq = f->head.seq = RECORDS + 1;
    chain_up(f);
    put(f);
    breaks(f, 3, "record 3 is missing");
}

static void an_exchanged_record(void **state)
{
    struct fixture *f = *state;
    f->v[1].detail = STR("another"); // with a hash that fits, in a chain of the one before it
    audit_record_mac(&f->key, &f->v[1], f->v[1].mac);
    put(f);
    breaks(f, 2, "record 2 does not continue the chain");
}

static void a_forged_checkpoint(void **state)
{
    struct fixture *f = *state;
    f->checkpoint.mac[0] ^= 1;
    put(f);
    breaks(f, RECORDS, "the checkpoint at 3 is forged");
}

static void a_forged_head(void **state)
{
    struct fixture *f = *state;
    f->head.mac[0] ^= 1;
    put(f);
    breaks(f, RECORDS, "the head is forged");
}

static void a_forged_anchor(void **state)
{
    struct fixture *f = *state;
    struct audit_mark none = {.kind = AUDIT_ANCHOR}, anchor = f->head;
    struct err err = {0};
    put(f);
    anchor.kind = AUDIT_ANCHOR; // signed as the head
    anchor.seq = 1;
    assert_true(f->store->ops->audit_trim(f->store, &none, &anchor, &err));
    breaks(f, 1, "the anchor is forged");
}

static void a_head_of_another_chain(void **state)
{
    struct fixture *f = *state;
    f->head.chain[0] ^= 1;
    audit_mark_sign(&f->key, &f->head);
    put(f);
    breaks(f, RECORDS, "the head does not belong to the last record");
}

static void a_tail_that_the_head_knows(void **state)
{
    struct fixture *f = *state;
    f->head.seq++;
    audit_mark_sign(&f->key, &f->head);
    put(f);
    breaks(f, RECORDS + 1, "the tail was cut off: the head says 4");
}

static void a_tail_that_a_checkpoint_knows(void **state)
{
    struct fixture *f = *state;
    f->checkpoint.seq++;
    audit_mark_sign(&f->key, &f->checkpoint);
    put(f);
    breaks(f, RECORDS + 1, "the tail was cut off: a checkpoint says 4");
}

static void a_tail_that_is_known_outside(void **state)
{
    struct fixture *f = *state;
    struct audit_mark outside = f->checkpoint;
    put(f);
    outside.seq++;
    audit_mark_sign(&f->key, &outside);
    (void)snprintf(f->outside, 7, "seq=1\n"); // half a line is no proof
    (void)audit_mark_line(&outside, f->outside + 6);
    breaks(f, RECORDS + 1, "the tail was cut off: a checkpoint outside of the store says 4");
    outside.mac[0] ^= 1; // nor is one that anybody may have written
    (void)audit_mark_line(&outside, f->outside + 6);
    assert_true(verdict(f).intact);
}

static void a_chain_that_is_another_outside(void **state)
{
    struct fixture *f = *state;
    struct audit_mark outside = f->checkpoint;
    put(f);
    outside.chain[0] ^= 1;
    audit_mark_sign(&f->key, &outside);
    (void)audit_mark_line(&outside, f->outside);
    breaks(f, RECORDS, "the chain is another one than a checkpoint outside of the store");
}

static void a_changed_record_without_a_place(void **state)
{
    struct fixture *f = *state;
    struct audit_record later = f->v[0]; // with the hash of another id
    struct err err = {0};
    put(f);
    later.id.b[0] = RECORDS + 1;
    assert_true(f->store->ops->audit_append(f->store, &later, 1, &err));
    breaks(f, 0, "a record that is not sealed yet was changed");
    assert_true(ulid_eq(verdict(f).id, later.id));
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, open_fixture, close_fixture)
    const struct CMUnitTest tests[] = {
        CASE(a_whole_trail_holds),
        CASE(an_empty_trail_holds),
        CASE(a_changed_record),
        CASE(a_missing_record),
        CASE(an_exchanged_record),
        CASE(a_forged_checkpoint),
        CASE(a_forged_head),
        CASE(a_forged_anchor),
        CASE(a_head_of_another_chain),
        CASE(a_tail_that_the_head_knows),
        CASE(a_tail_that_a_checkpoint_knows),
        CASE(a_tail_that_is_known_outside),
        CASE(a_chain_that_is_another_outside),
        CASE(a_changed_record_without_a_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
