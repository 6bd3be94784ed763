// SPDX-License-Identifier: Apache-2.0
// Rotation of signing keys: who signs, who is believed and for how long, and that a ring is bound to its root.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "auth/keyring.h"
#include "model/user.h"

enum { BUDGET = 1 << 20, NOW_S = 1790000000, LIFE_S = 900 };

static const uint8_t SECRET[TOKEN_KEY_BYTES] = "0123456789abcdef0123456789abcde";

struct fixture {
    struct arena a;
    struct token_key *root;
    struct keyring *first; // the root alone
    struct err err;
};

static int fixture_new(void **state)
{
    static struct fixture f;
    f = (struct fixture){.root = token_key_new(SECRET)};
    arena_init(&f.a, BUDGET);
    must(keyring_of(f.root, STR_NONE, &f.first, &f.err));
    *state = &f;
    return 0;
}

static int fixture_free(void **state)
{
    struct fixture *f = *state;
    keyring_free(f->first);
    token_key_free(f->root);
    arena_release(&f->a);
    return 0;
}

static struct str token_of(struct fixture *f, const struct keyring *r, int64_t now_s)
{
    struct token_claims c = {.email = STR("a@b.example"), .roles = 1u << ROLE_USER, .session_epoch = 1,
                             .issued_at = instant_s(now_s), .expires_at = instant_s(now_s + LIFE_S)};
    struct str token;
    assert_true(token_sign(keyring_newest(r), &c, &token, &f->a, &f->err));
    return token;
}

static struct keyring *rotated(struct fixture *f, const struct keyring *r, bool revoke, int64_t now_s)
{
    struct str text;
    struct keyring *next;
    if (!keyring_rotated(r, revoke, instant_s(now_s), &text, &f->a, &f->err))
        return NULL;
    assert_true(keyring_of(f->root, text, &next, &f->err));
    assert_true(str_eq(keyring_text(next), text));
    return next;
}

static bool believes(struct fixture *f, const struct keyring *r, struct str token, int64_t now_s)
{
    struct token_claims c;
    const struct token_key *key = keyring_find(r, token, instant_s(now_s), duration_s(LIFE_S));
    return key && token_verify(key, token, instant_s(now_s), &c, &f->a, &f->err);
}

static void the_root_signs_until_the_first_rotation(void **state)
{
    struct fixture *f = *state;
    assert_ptr_equal(keyring_newest(f->first), f->root);
    assert_null(keyring_text(f->first).p);
    assert_true(believes(f, f->first, token_of(f, f->first, NOW_S), NOW_S));
}

static void an_old_key_is_believed_until_its_tokens_have_run_out(void **state)
{
    struct fixture *f = *state;
    struct str before = token_of(f, f->first, NOW_S);
    struct keyring *r = rotated(f, f->first, false, NOW_S + 1);
    struct str after = token_of(f, r, NOW_S + 1);
    assert_false(str_eq(str_of(token_key_id(keyring_newest(r))), str_of(token_key_id(f->root))));
    assert_true(believes(f, r, before, NOW_S + 2));
    assert_true(believes(f, r, after, NOW_S + 2));
    assert_true(believes(f, r, before, NOW_S + LIFE_S - 1));
    // A token that was signed with the old key long after the rotation is nobody's.
    int64_t late = NOW_S + 1 + LIFE_S + KEYRING_LAG_S;
    assert_true(keyring_find(r, before, instant_s(late - 1), duration_s(LIFE_S)) == f->root);
    assert_null(keyring_find(r, before, instant_s(late), duration_s(LIFE_S)));
    assert_false(believes(f, r, token_of(f, f->first, late), late));
    assert_int_equal(keyring_believed(r, instant_s(late), duration_s(LIFE_S)), 1);
    assert_null(keyring_find(f->first, after, instant_s(NOW_S + 2), duration_s(LIFE_S)));
    assert_true(token_names_key(after));
    keyring_free(r);
}

static void revoked_keys_are_gone_at_once(void **state)
{
    struct fixture *f = *state;
    struct str before = token_of(f, f->first, NOW_S);
    struct keyring *r = rotated(f, f->first, true, NOW_S);
    assert_false(believes(f, r, before, NOW_S));
    assert_int_equal(keyring_believed(r, instant_s(NOW_S), duration_s(LIFE_S)), 1);
    keyring_free(r);
}

static void a_ring_stays_small(void **state)
{
    struct fixture *f = *state;
    struct keyring *r = f->first;
    int64_t now = NOW_S;
    struct keyring *old[KEYRING_MAX + 2];
    size_t n = 0;
    while (n < KEYRING_MAX - 1) {
        r = rotated(f, r, false, ++now);
        assert_non_null(r);
        old[n++] = r;
    }
    assert_null(rotated(f, r, false, ++now));
    assert_int_equal(f->err.code, ERR_CONFLICT);
    old[n++] = r = rotated(f, r, false, now + TOKEN_LIFE_MAX_S + KEYRING_LAG_S);
    assert_non_null(r);
    for (size_t i = 0; i < n; i++)
        keyring_free(old[i]);
}

static void what_follows_from_the_root_stays(void **state)
{
    struct fixture *f = *state;
    uint8_t before[TOKEN_KEY_BYTES], after[TOKEN_KEY_BYTES];
    token_key_derive(f->root, "audit", before);
    struct keyring *r = rotated(f, f->first, true, NOW_S);
    token_key_derive(f->root, "audit", after);
    assert_memory_equal(before, after, sizeof before);
    keyring_free(r);
}

static void damaged_and_foreign_texts_are_refused(void **state)
{
    struct fixture *f = *state;
    struct keyring *r = rotated(f, f->first, false, NOW_S), *none;
    struct str text = keyring_text(r);
    uint8_t other[TOKEN_KEY_BYTES] = "another root of thirty-two bytes";
    struct token_key *stranger = token_key_new(other);
    assert_false(keyring_of(stranger, text, &none, &f->err));
    assert_int_equal(f->err.code, ERR_CORRUPT);
    char *copy = arena_cstr(&f->a, text);
    size_t line = str_find(text, '\n');
    for (size_t i = 0; i < line; i++) {
        char kept = copy[i];
        copy[i] = kept == 'A' ? 'B' : 'A';
        struct keyring *odd = NULL;
        if (keyring_of(f->root, str_of_n(copy, text.n), &odd, &f->err))
            fail_msg("byte %zu of a line was changed and nobody noticed", i);
        copy[i] = kept;
    }
    static const char *const texts[] = {"", "x", "\n", "a b c", "0123456789abcdef 1 -"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_false(keyring_of(f->root, str_of(texts[i]), &none, &f->err));
    token_key_free(stranger);
    keyring_free(r);
}

static void only_names_of_our_form_are_looked_up(void **state)
{
    struct fixture *f = *state;
    static const char *const texts[] = {"", "x.y.z", "eyJhbGciOiJub25lIn0.e30.", "e30.e30.x"};
    assert_true(token_names_key(token_of(f, f->first, NOW_S)));
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_false(token_names_key(str_of(texts[i])));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fixture_new, fixture_free)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_root_signs_until_the_first_rotation),
        TEST(an_old_key_is_believed_until_its_tokens_have_run_out),
        TEST(revoked_keys_are_gone_at_once),
        TEST(a_ring_stays_small),
        TEST(what_follows_from_the_root_stays),
        TEST(damaged_and_foreign_texts_are_refused),
        TEST(only_names_of_our_form_are_looked_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
