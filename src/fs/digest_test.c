// SPDX-License-Identifier: Apache-2.0
// Unit tests of fs/digest.
#include "fs/test_world.h"

#include <errno.h>

#include "base/sync.h"
#include "fs/digest.h"

static bool asked(void *ctx)
{
    (void)ctx;
    return true;
}

static void sums_are_those_of_sha256sum(void **state)
{
    char hex[DIGEST_TEXT_MAX];
    int64_t bytes;
    (void)state;
    make_file("root/a", STR("abc"));
    make_file("root/empty", STR(""));
    CLEANUP(cleanup_fd) int fd = open(in_world("root/a"), O_RDONLY | O_CLOEXEC);
    CLEANUP(cleanup_fd) int empty = open(in_world("root/empty"), O_RDONLY | O_CLOEXEC);
    assert_true(digest_file(fd, STR("a"), NULL, hex, &bytes, &world.err));
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_int_equal(bytes, 3);
    assert_true(digest_file(empty, STR("empty"), NULL, hex, &bytes, &world.err));
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    const struct fs_stop stop = {asked, NULL};
    assert_false(digest_file(fd, STR("a"), &stop, hex, &bytes, &world.err));
    assert_int_equal(world.err.native, ECANCELED);
}

static void lines_are_read_as_sha256sum_writes_them(void **state)
{
#define SUM "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    struct str hex, path;
    (void)state;
    assert_true(digest_line_parse(STR(SUM "  dir/a b"), &hex, &path));
    assert_true(str_is(path, "dir/a b") && hex.n == 64);
    assert_true(digest_line_parse(STR(SUM " *x\r"), &hex, &path) && str_is(path, "x"));
    assert_false(digest_line_parse(STR(SUM), &hex, &path));
    assert_false(digest_line_parse(STR(SUM "  "), &hex, &path));
    assert_false(digest_line_parse(STR("zz7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  x"),
                                   &hex, &path));
    assert_false(digest_line_parse(STR(""), &hex, &path));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sums_are_those_of_sha256sum, world_open, world_close),
        cmocka_unit_test(lines_are_read_as_sha256sum_writes_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
