// SPDX-License-Identifier: Apache-2.0
// Secrets do not get out of texts: as they are, in every encoding, in pieces, beside each other.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sodium.h>

#include "base/rng.h"
#include "jobs/mask.h"

enum { TEXT_MAX = 1 << 20, STDOUT = 1 };

static struct mask *mask_of(const char *a, const char *b)
{
    struct mask *m = mask_new();
    assert_true(mask_add(m, str_of(a)));
    if (b)
        assert_true(mask_add(m, str_of(b)));
    return m;
}

static void expect(struct mask *m, int stream, const char *text, const char *masked)
{
    struct sbuf out;
    sbuf_init(&out, NULL, TEXT_MAX);
    struct str got = mask_text(m, stream, str_of(text), &out);
    if (!str_is(got, masked))
        fail_msg("\"%s\" became \"%.*s\", not \"%s\"", text, STR_ARG(got), masked);
    sbuf_release(&out);
}

static void plain_and_escaped_forms_are_hidden(void **state)
{
    (void)state;
    struct mask *m = mask_of("p\"a\\s/s w\303\266rd\n&<7>", NULL);
    static const char *const forms[] = {
        "p\"a\\s/s w\303\266rd\n&<7>",
        "p\\\"a\\\\s/s w\303\266rd\\n&<7>",
        "p\\\"a\\\\s\\/s w\\u00f6rd\\n\\u0026\\u003c7\\u003E",
        "p\\\\\\\"a\\\\\\\\s\\\\/s w\\\\u00f6rd\\\\n&<7>",
        "p%22a%5Cs%2Fs%20w%C3%B6rd%0A%26%3C7%3E",
        "p%22a%5cs/s+w%c3%b6rd%0a%26%3c7%3e",
        "%70%22%61%5C%73%2F%73%20%77%C3%B6%72%64%0A%26%3C%37%3E",
        "p&quot;a\\s/s w&#246;rd\n&amp;&lt;7&gt;",
        "p&#34;a&#x5c;s/s w&#xf6;rd\n&#38;&#60;7&#62;",
        "p\\x22a\\\\s/s w\\xc3\\xb6rd\\n&<7>",
    };
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        char text[256], masked[64];
        (void)snprintf(text, sizeof text, "a %s; %s", forms[i], forms[i]);
        (void)snprintf(masked, sizeof masked, "a ***; ***");
        expect(m, -1, text, masked);
    }
    mask_free(m);
}

static void characters_outside_the_basic_plane_are_known_as_pairs(void **state)
{
    (void)state;
    struct mask *m = mask_of("key\xf0\x9f\x98\x80!", NULL);
    expect(m, -1, "\"key\\ud83d\\ude00!\"", "\"***\"");
    expect(m, -1, "\"key\\uD83D\\uDE01!\"", "\"key\\uD83D\\uDE01!\"");
    mask_free(m);
}

static void hex_is_hidden(void **state)
{
    (void)state;
    struct mask *m = mask_of("hunter22", NULL);
    expect(m, -1, "x 68756e7465723232 y", "x *** y");
    expect(m, -1, "68756E7465723232", "***");
    expect(m, -1, "68:75:6e:74:65:72:32:32", "***");
    expect(m, -1, "00000000: 6875 6e74 6572 3232", "00000000: ***");
    mask_free(m);
}

// Every alignment, both alphabets, whatever stands around it.
static void base64_is_hidden_at_every_place(void **state)
{
    (void)state;
    static const char secret[] = "s\377\373cr?t>>~~??value", *const around[] = {"",    "a",     "ab",
                                                                            "abc", "user:", "\377\377"};
    static const int variants[] = {sodium_base64_VARIANT_ORIGINAL, sodium_base64_VARIANT_URLSAFE_NO_PADDING};
    struct mask *m = mask_of(secret, NULL);
    for (size_t i = 0; i < sizeof around / sizeof around[0]; i++)
        for (size_t k = 0; k < sizeof around / sizeof around[0]; k++)
            for (size_t v = 0; v < 2; v++) {
                char raw[128], text[256];
                struct sbuf out;
                int n = snprintf(raw, sizeof raw, "%s%s%s", around[i], secret, around[k]);
                sodium_bin2base64(text, sizeof text, (const uint8_t *)raw, (size_t)n, variants[v]);
                sbuf_init(&out, NULL, TEXT_MAX);
                struct str got = mask_text(m, -1, str_of(text), &out);
                // What is left are the characters that the surroundings decide, and at most one on either side.
                size_t most = 3 + sodium_base64_encoded_len(strlen(around[i]), variants[v]) +
                              sodium_base64_encoded_len(strlen(around[k]), variants[v]) + 3;
                assert_non_null(memmem(got.p, got.n, "***", 3));
                if (got.n > most)
                    fail_msg("%s: %.*s", text, STR_ARG(got));
                sbuf_release(&out);
            }
    mask_free(m);
}

static void base64_in_lines_and_in_urls_is_hidden(void **state)
{
    (void)state;
    struct mask *m = mask_of("aaa>>>bbb???cccddd", NULL); // YWFhPj4+YmJiPz8/Y2NjZGRk
    expect(m, -1, "x=YWFhPj4%2BYmJiPz8%2fY2NjZGRk&", "x=***&");
    expect(m, -1, "\"YWFhPj4+YmJi\\nPz8\\/Y2NjZGRk\"", "\"***\"");
    expect(m, -1, "YWFhPj4+\r\nYmJiPz8/\r\nY2NjZGRk\r\n", "***\r\n");
    mask_free(m);
}

static void pieces_of_one_text_are_hidden(void **state)
{
    (void)state;
    static const char secret[] = "correct-horse-battery-staple";
    size_t n = strlen(secret);
    for (size_t at = 1; at < n; at++) {
        struct mask *m = mask_of(secret, NULL);
        char first[64], second[64];
        (void)snprintf(first, sizeof first, "a %.*s", (int)at, secret);
        (void)snprintf(second, sizeof second, "%s z", secret + at);
        char shown[64];
        (void)snprintf(shown, sizeof shown, at >= MASK_PART_MIN ? "a ***" : "%s", first);
        expect(m, STDOUT, first, shown);
        expect(m, 2, "other streams do not disturb", "other streams do not disturb");
        expect(m, STDOUT, second, "*** z");
        expect(m, STDOUT, "after that", "after that");
        mask_free(m);
    }
    struct mask *m = mask_of(secret, NULL); // three pieces
    expect(m, STDOUT, "a correct-h", "a ***");
    expect(m, STDOUT, "orse-batte", "***");
    expect(m, STDOUT, "ry-staple.", "***.");
    expect(m, STDOUT, "a correct-h", "a ***");
    expect(m, STDOUT, "our", "our"); // it was not one
    mask_free(m);
}

static void a_cut_escape_goes_on_in_the_next_piece(void **state)
{
    (void)state;
    struct mask *m = mask_of("pass/word", NULL);
    expect(m, STDOUT, "pass%2", "***");
    expect(m, STDOUT, "Fword!", "***!");
    mask_free(m);
}

static void lines_of_a_secret_are_hidden_alone(void **state)
{
    (void)state;
    struct mask *m = mask_of("-----BEGIN KEY-----\nMIIEvQIBADAN\r\nBgkqhkiG9w0B\nx\n", NULL);
    expect(m, STDOUT, "> MIIEvQIBADAN <", "> *** <");
    expect(m, STDOUT, "BgkqhkiG9w0B", "***");
    expect(m, STDOUT, "x", "x");
    mask_free(m);
}

static void several_secrets_hide_the_longest(void **state)
{
    (void)state;
    struct mask *m = mask_of("token", "token-of-ada");
    expect(m, -1, "a token-of-ada b token c", "a *** b *** c");
    expect(m, -1, "tokentoken-of-adatoken", "*********");
    mask_free(m);
}

static void other_texts_stay_as_they_are(void **state)
{
    (void)state;
    struct mask *m = mask_of("hunter22", NULL);
    static const char *const texts[] = {
        "", "hunter2", "hunter 22", "h", "100% & more &lt; \\ \\\\ \\u", "%", "&", "a=1&page", "hunt%65r23",
        "\xff\xfe\\x4",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct sbuf out;
        sbuf_init(&out, NULL, TEXT_MAX);
        struct str text = str_of(texts[i]), got = mask_text(m, -1, text, &out);
        if (strcmp(texts[i], "hunter2") == 0) // may be the beginning of one
            assert_true(str_is(got, "***"));
        else if (got.p != text.p)
            fail_msg("\"%s\" became \"%.*s\"", texts[i], STR_ARG(got));
        sbuf_release(&out);
    }
    mask_free(m);
}

static void a_text_made_to_be_slow_is_hidden_whole(void **state)
{
    (void)state;
    enum { SECRET_N = 16000, TEXT_N = 60000 };
    static char secret[SECRET_N + 2], text[TEXT_N + 1];
    memset(secret, 'a', SECRET_N);
    secret[SECRET_N] = 'b';
    memset(text, 'a', TEXT_N);
    for (size_t i = SECRET_N - 1; i < TEXT_N; i += SECRET_N)
        text[i] = 'c';
    struct mask *m = mask_of(secret, NULL);
    expect(m, -1, text, "***");
    mask_free(m);
}

// Whatever is done to a text, no secret of eight characters comes through in it.
static void random_texts_never_show_a_secret(void **state)
{
    (void)state;
    enum { ROUNDS = 20000, N = 24 };
    struct rng rng;
    rng_init(&rng, 11);
    struct mask *m = mask_of("abcabcab", NULL);
    for (int round = 0; round < ROUNDS; round++) {
        char text[N + 1];
        struct sbuf out;
        for (size_t i = 0; i < N; i++)
            text[i] = "abc"[rng_below(&rng, 3)];
        text[N] = '\0';
        sbuf_init(&out, NULL, TEXT_MAX);
        struct str got = mask_text(m, round % 2 ? STDOUT : -1, str_of(text), &out);
        assert_null(memmem(got.p, got.n, "abcabcab", 8));
        sbuf_release(&out);
    }
    mask_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_and_escaped_forms_are_hidden),
        cmocka_unit_test(characters_outside_the_basic_plane_are_known_as_pairs),
        cmocka_unit_test(hex_is_hidden),
        cmocka_unit_test(base64_is_hidden_at_every_place),
        cmocka_unit_test(base64_in_lines_and_in_urls_is_hidden),
        cmocka_unit_test(pieces_of_one_text_are_hidden),
        cmocka_unit_test(a_cut_escape_goes_on_in_the_next_piece),
        cmocka_unit_test(lines_of_a_secret_are_hidden_alone),
        cmocka_unit_test(several_secrets_hide_the_longest),
        cmocka_unit_test(other_texts_stay_as_they_are),
        cmocka_unit_test(a_text_made_to_be_slow_is_hidden_whole),
        cmocka_unit_test(random_texts_never_show_a_secret),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
