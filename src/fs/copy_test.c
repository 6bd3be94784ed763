// SPDX-License-Identifier: Apache-2.0
// Copies and moves of single files: content, holes, attributes, links, being asked to end.
#include "fs/test_world.h"

#include <errno.h>
#include <sys/xattr.h>

#include "base/sync.h"
#include "fs/copy.h"

static bool copy(const char *from, const char *to, const struct copy_options *o, const struct fs_stop *stop)
{
    struct place source = place(from), target = place(to);
    struct stat st;
    int64_t bytes;
    CLEANUP(cleanup_fd) int fd = -1;
    return place_open_file(&source, &fd, &st, &world.err) &&
           copy_file(fd, &target, o, stop, &bytes, &world.err);
}

static void content_is_the_same(void **state)
{
    const struct copy_options plain = {0}, make = {.create_dirs = true};
    (void)state;
    make_file("root/a", STR("content"));
    make_file("root/empty", STR(""));
    assert_true(copy("a", "b", &plain, NULL));
    assert_true(str_is(text_of("root/b"), "content"));
    assert_false(copy("a", "b", &plain, NULL));
    assert_true(copy("a", "x/y/b", &make, NULL));
    assert_true(copy("empty", "b", &(struct copy_options){.overwrite = true}, NULL));
    assert_int_equal(text_of("root/b").n, 0);
}

static void holes_stay_holes(void **state)
{
    enum { BIG = 256 << 20 };
    struct stat st;
    const struct copy_options plain = {0};
    (void)state;
    CLEANUP(cleanup_fd) int fd = open(in_world("root/sparse"), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    assert_int_equal(pwrite(fd, "begin", 5, 0), 5);
    assert_int_equal(pwrite(fd, "middle", 6, BIG / 2), 6);
    assert_return_code(ftruncate(fd, BIG), errno);
    assert_true(copy("sparse", "copy", &plain, NULL));
    assert_return_code(stat(in_world("root/copy"), &st), errno);
    assert_int_equal(st.st_size, BIG);
    assert_true(st.st_blocks * 512 < BIG / 16);
    char word[6];
    CLEANUP(cleanup_fd) int to = open(in_world("root/copy"), O_RDONLY | O_CLOEXEC);
    assert_int_equal(pread(to, word, 6, BIG / 2), 6);
    assert_memory_equal(word, "middle", 6);
}

static void attributes_are_kept_on_demand(void **state)
{
    const struct timespec times[] = {{.tv_sec = 1000}, {.tv_sec = 2000, .tv_nsec = 123456789}};
    struct stat st;
    char value[8];
    (void)state;
    make_file("root/a", STR("x"));
    assert_return_code(chmod(in_world("root/a"), 0751), errno);
    bool labels = setxattr(in_world("root/a"), "user.label", "blue", 4, 0) == 0; // not on every file system
    assert_return_code(utimensat(AT_FDCWD, in_world("root/a"), times, 0), errno);
    assert_true(copy("a", "b", &(struct copy_options){.preserve = true}, NULL));
    assert_return_code(stat(in_world("root/b"), &st), errno);
    assert_int_equal(st.st_mode & 07777, 0751);
    assert_int_equal(st.st_mtim.tv_sec, 2000);
    assert_int_equal(st.st_mtim.tv_nsec, 123456789);
    assert_true(!labels || getxattr(in_world("root/b"), "user.label", value, sizeof value) == 4);
    assert_true(copy("a", "c", &(struct copy_options){0}, NULL));
    assert_return_code(stat(in_world("root/c"), &st), errno);
    assert_int_not_equal(st.st_mtim.tv_sec, 2000);
}

static bool asked(void *ctx) { return ++*(int *)ctx > 3; }

static void a_copy_ends_when_asked_and_leaves_nothing(void **state)
{
    enum { CHUNKS = 8 };
    int count = 0;
    const struct fs_stop stop = {asked, &count};
    static char block[FS_COPY_CHUNK];
    (void)state;
    memset(block, 'x', sizeof block);
    CLEANUP(cleanup_fd) int fd = open(in_world("root/big"), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    for (int i = 0; i < CHUNKS; i++)
        assert_int_equal(write(fd, block, sizeof block), sizeof block);
    if (copy("big", "copy", &(struct copy_options){0}, &stop))
        return; // one reflink, faster than anybody can ask
    assert_int_equal(world.err.native, ECANCELED);
    assert_false(exists("root/copy"));
}

static void links_are_copied_as_links(void **state)
{
    struct place to = place("copy");
    char points_to[64];
    (void)state;
    assert_return_code(symlink("../outside/secret", in_world("root/link")), errno);
    CLEANUP(cleanup_fd) int dir = open(in_world("root"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(copy_link(dir, "link", &to, &(struct copy_options){0}, &world.err));
    assert_false(copy_link(dir, "link", &to, &(struct copy_options){0}, &world.err));
    assert_true(copy_link(dir, "link", &to, &(struct copy_options){.overwrite = true}, &world.err));
    assert_int_equal(readlink(in_world("root/copy"), points_to, sizeof points_to), 17);
}

static void moving_replaces_only_on_demand(void **state)
{
    struct place to = place("sub/b");
    bool other = false;
    (void)state;
    make_file("root/a", STR("new"));
    make_dir("root/sub");
    make_file("root/sub/b", STR("old"));
    CLEANUP(cleanup_fd) int dir = open(in_world("root"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_false(move_entry(dir, "a", &to, &(struct copy_options){0}, &other, &world.err));
    assert_int_equal(world.err.native, EEXIST);
    assert_true(move_entry(dir, "a", &to, &(struct copy_options){.overwrite = true}, &other, &world.err));
    assert_true(str_is(text_of("root/sub/b"), "new"));
    assert_false(exists("root/a") || other);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, world_open, world_close)
    const struct CMUnitTest tests[] = {
        TEST(content_is_the_same),           TEST(holes_stay_holes),
        TEST(attributes_are_kept_on_demand), TEST(a_copy_ends_when_asked_and_leaves_nothing),
        TEST(links_are_copied_as_links),     TEST(moving_replaces_only_on_demand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
