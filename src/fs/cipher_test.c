// SPDX-License-Identifier: Apache-2.0
// Encrypted files: back as they were, and nothing that was touched passes.
#include "fs/test_world.h"

#include "base/mem.h"
#include "base/sync.h"
#include "base/rng.h"
#include "fs/cipher.h"

enum { CHUNK = 64 * 1024, HEAD = 49, SEAL = 17 };
static const struct str key = STR_INIT("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");

typedef bool (*cipher_fn)(int fd, struct str shown, struct str key, struct fresh *to,
                          const struct fs_stop *stop, struct err *err);

static bool pass(cipher_fn fn, const char *from, const char *to, struct str with)
{
    struct place source = place(from), target = place(to);
    struct fresh f = {.fd = -1};
    struct stat st;
    CLEANUP(cleanup_fd) int fd = -1;
    bool ok = place_open_file(&source, &fd, &st, &world.err) &&
              fresh_open(&target, &(struct fresh_options){.overwrite = true}, &f, &world.err) &&
              fn(fd, source.shown, with, &f, NULL, &world.err) && fresh_commit(&f, &world.err);
    fresh_drop(&f);
    return ok;
}

static void make_random(const char *name, size_t n)
{
    char *bytes = mem_array(n + 1, 1);
    rng_secret(bytes, n);
    make_file(name, (struct str){bytes, n});
    mem_free(bytes);
}

static void every_size_comes_back(void **state)
{
    static const size_t sizes[] = {0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 7};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        make_random("root/plain", sizes[i]);
        assert_true(pass(cipher_encrypt, "plain", "sealed", key));
        assert_true(text_of("root/sealed").n >= HEAD + SEAL + sizes[i]);
        assert_true(pass(cipher_decrypt, "sealed", "back", key));
        assert_true(str_eq(text_of("root/plain"), text_of("root/back")));
    }
}

static void a_passphrase_works_as_well(void **state)
{
    (void)state;
    make_random("root/plain", 1000);
    assert_false(pass(cipher_encrypt, "plain", "sealed", STR("too short")));
    assert_true(pass(cipher_encrypt, "plain", "sealed", STR("correct horse battery")));
    assert_false(pass(cipher_decrypt, "sealed", "back", STR("correct horse batterx")));
    assert_false(exists("root/back"));
    assert_true(pass(cipher_decrypt, "sealed", "back", STR("correct horse battery")));
    assert_true(str_eq(text_of("root/plain"), text_of("root/back")));
}

static void refused(struct str bytes)
{
    make_file("root/bad", bytes);
    assert_false(pass(cipher_decrypt, "bad", "back", key));
    assert_int_equal(world.err.code, ERR_CORRUPT);
    assert_false(exists("root/back"));
}

static void what_was_cut_or_changed_is_refused(void **state)
{
    enum { PART = CHUNK + SEAL };
    (void)state;
    make_random("root/plain", 2 * CHUNK + 100);
    assert_true(pass(cipher_encrypt, "plain", "sealed", key));
    struct str sealed = text_of("root/sealed");
    static const size_t places[] = {0, 8, 9, 30, HEAD, HEAD + PART - 1, HEAD + PART, HEAD + 2 * PART + 50};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        struct str bad = arena_str(&world.arena, sealed);
        if (places[i] >= 9 && places[i] < 25)
            continue; // the salt of a passphrase, which a key does not use
        ((char *)(uintptr_t)bad.p)[places[i]] ^= 1;
        refused(bad);
    }
    refused((struct str){sealed.p, 0});
    refused((struct str){sealed.p, HEAD});
    refused((struct str){sealed.p, HEAD + PART}); // whole chunks are missing
    refused((struct str){sealed.p, HEAD + 2 * PART});
    refused((struct str){sealed.p, sealed.n - 1});
    refused(arena_fmt(&world.arena, "%s", "plain text"));
    char *swapped = arena_cstr(&world.arena, sealed);
    memcpy(swapped + HEAD, sealed.p + HEAD + PART, PART);
    memcpy(swapped + HEAD + PART, sealed.p + HEAD, PART);
    refused((struct str){swapped, sealed.n});
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, world_open, world_close)
    const struct CMUnitTest tests[] = {
        TEST(every_size_comes_back),
        TEST(a_passphrase_works_as_well),
        TEST(what_was_cut_or_changed_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
