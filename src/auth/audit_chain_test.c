// SPDX-License-Identifier: Apache-2.0
// The chain of the audit trail: every member counts, and so does its place.
#include "auth/audit_chain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const uint8_t secret[TOKEN_KEY_BYTES] = "a key for tests, 32 bytes long..";

static struct audit_key key_of(uint8_t first)
{
    uint8_t bytes[TOKEN_KEY_BYTES];
    struct audit_key ret;
    memcpy(bytes, secret, sizeof bytes);
    bytes[0] = first;
    struct token_key *k = token_key_new(bytes);
    audit_key_of(k, &ret);
    token_key_free(k);
    return ret;
}

static struct audit_record sample(void)
{
    return (struct audit_record){.id = {{1}},
                                 .at = instant_s(5),
                                 .actor = STR("ada@example.org"),
                                 .node = STR("n1"),
                                 .action = STR("job.update"),
                                 .entity_type = STR("job"),
                                 .entity_id = STR("x")};
}

static bool differs(const struct audit_key *k, const struct audit_record *r)
{
    struct audit_record plain = sample();
    uint8_t one[AUDIT_MAC_BYTES], other[AUDIT_MAC_BYTES];
    audit_record_mac(k, &plain, one);
    audit_record_mac(k, r, other);
    return !audit_mac_eq(one, other);
}

static void every_member_is_covered(void **state)
{
    (void)state;
    struct audit_key k = key_of('a');
    struct audit_record r = sample();
    struct str *texts[AUDIT_TEXTS];
    assert_false(differs(&k, &r));
    for (size_t i = 0; i < AUDIT_TEXTS; i++) {
        r = sample();
        audit_record_texts(&r, texts);
        *texts[i] = STR("other");
        assert_true(differs(&k, &r));
        r = sample();
        *texts[i] = texts[i]->p && i % 2 ? STR_NONE : STR("");
        assert_true(differs(&k, &r));
    }
    r = sample();
    r.at.us++;
    assert_true(differs(&k, &r));
    r = sample();
    r.outcome = AUDIT_FAILED;
    assert_true(differs(&k, &r));
    r = sample();
    r.id.b[15] = 1;
    assert_true(differs(&k, &r));
    r = sample();
    r.actor_id.b[0] = 1;
    assert_true(differs(&k, &r));
    r = sample();
    r.seq = 5; // its place is the chain's
    assert_false(differs(&k, &r));
}

static void texts_do_not_run_together(void **state)
{
    (void)state;
    struct audit_key k = key_of('a');
    struct audit_record one = sample(), other = sample();
    uint8_t a[AUDIT_MAC_BYTES], b[AUDIT_MAC_BYTES];
    one.entity_type = STR("jobx"), one.entity_id = STR("");
    other.entity_type = STR("job"), other.entity_id = STR("x");
    audit_record_mac(&k, &one, a);
    audit_record_mac(&k, &other, b);
    assert_false(audit_mac_eq(a, b));
}

static void the_chain_knows_place_and_past(void **state)
{
    (void)state;
    struct audit_key k = key_of('a'), other = key_of('b');
    const uint8_t mac[AUDIT_MAC_BYTES] = {1}, mac2[AUDIT_MAC_BYTES] = {2}, past[AUDIT_MAC_BYTES] = {0};
    uint8_t c[5][AUDIT_MAC_BYTES];
    audit_chain_next(&k, 1, mac, past, c[0]);
    audit_chain_next(&k, 2, mac, past, c[1]);
    audit_chain_next(&k, 1, mac2, past, c[2]);
    audit_chain_next(&k, 1, mac, mac, c[3]);
    audit_chain_next(&other, 1, mac, past, c[4]);
    for (size_t i = 1; i < sizeof c / sizeof c[0]; i++)
        assert_false(audit_mac_eq(c[0], c[i]));
}

static void marks_are_signed_and_survive_a_line(void **state)
{
    (void)state;
    struct audit_key k = key_of('a');
    struct audit_mark m = {.kind = AUDIT_CHECKPOINT, .seq = 12, .at.us = 1800000000123456, .chain = {9, 8, 7}}, back;
    char line[AUDIT_LINE_MAX];
    audit_mark_sign(&k, &m);
    assert_true(audit_mark_holds(&k, &m));
    assert_true(audit_mark_read(str_of(audit_mark_line(&m, line)), &back));
    assert_int_equal(back.seq, 12);
    assert_true(audit_mark_holds(&k, &back));
    back.seq = 11;
    assert_false(audit_mark_holds(&k, &back));
    m.kind = AUDIT_HEAD; // a checkpoint cannot pass as a head
    assert_false(audit_mark_holds(&k, &m));
    assert_false(audit_mark_read(STR(""), &back));
    assert_false(audit_mark_read(STR("seq=1 at=2026-01-02T03:04:05Z chain=00 mac=00"), &back));
    assert_false(audit_mark_read(STR("hello"), &back));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_member_is_covered),
        cmocka_unit_test(texts_do_not_run_together),
        cmocka_unit_test(the_chain_knows_place_and_past),
        cmocka_unit_test(marks_are_signed_and_survive_a_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
