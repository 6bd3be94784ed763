// SPDX-License-Identifier: Apache-2.0
// Paths as text, and places that stay below their root, with openat2 and without.
#include "fs/test_world.h"

#include <errno.h>
#include <sys/stat.h>

#include "base/sync.h"
#include "fs/root.h"

static const char *found(const char *path, struct arena *a, struct err *err)
{
    struct str list[] = {STR("/srv/files"), STR("/srv/files/deep/"), STR("/data")};
    const struct strs roots = {list, 3};
    size_t root;
    struct str rel;
    if (!root_find(&roots, str_of(path), &root, &rel, a, err))
        return err_code_name(err->code);
    return arena_fmt(a, "%zu:%.*s", root, STR_ARG(rel)).p;
}

static void paths_belong_to_the_longest_root(void **state)
{
    static const struct {
        const char *path, *expected;
    } rows[] = {
        {"a/b", "0:a/b"},
        {"./a//b/.", "0:a/b"},
        {".", "0:"},
        {"/srv/files/x", "0:x"},
        {"/srv/files", "0:"},
        {"/srv//files/deep/x", "1:x"},
        {"/data/a", "2:a"},
        {"/srv/filesx/a", "DENIED"},
        {"/etc/passwd", "DENIED"},
        {"/", "DENIED"},
        {"../a", "INVALID"},
        {"a/../../b", "INVALID"},
        {"/data/../etc", "INVALID"},
        {"", "INVALID"},
        {"a/..b/c..", "0:a/..b/c.."},
    };
    struct arena a;
    struct err err;
    (void)state;
    arena_init(&a, 1 << 20);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_string_equal(found(rows[i].path, &a, &err), rows[i].expected);
    arena_release(&a);
}

static void long_names_and_nuls_are_refused(void **state)
{
    static char name[FS_PATH_MAX + 1];
    struct str one = STR("/r");
    const struct strs roots = {&one, 1};
    size_t root;
    struct str rel;
    (void)state;
    memset(name, 'x', sizeof name);
    assert_true(root_find(&roots, (struct str){name, FS_NAME_MAX}, &root, &rel, &world.arena, &world.err));
    assert_false(
        root_find(&roots, (struct str){name, FS_NAME_MAX + 1}, &root, &rel, &world.arena, &world.err));
    assert_false(root_find(&roots, (struct str){name, FS_PATH_MAX}, &root, &rel, &world.arena, &world.err));
    assert_false(root_find(&roots, STR("a\0b"), &root, &rel, &world.arena, &world.err));
    assert_int_equal(world.err.code, ERR_INVALID);
}

static void denied(const char *path)
{
    struct place p = place(path);
    struct stat st;
    int fd;
    world.err.native = 0;
    assert_false(place_open_file(&p, &fd, &st, &world.err));
    assert_int_not_equal(world.err.native, ENOENT);
    assert_true(place_open_parent(&p, true, &fd, &world.err) ? close(fd) == 0 : true);
}

static void links_out_of_the_root_are_refused(void)
{
    make_dir("root/real");
    make_file("root/real/x", STR("inside"));
    assert_return_code(symlink(in_world("outside"), in_world("root/abs")), errno);
    assert_return_code(symlink("../outside", in_world("root/up")), errno);
    assert_return_code(symlink("/proc/self/root", in_world("root/proc")), errno);
    assert_return_code(symlink("../outside/secret", in_world("root/file")), errno);
    denied("abs/secret");
    denied("up/secret");
    denied("file");
    struct place p = place("up/made/x");
    int fd;
    assert_false(place_open_parent(&p, true, &fd, &world.err));
    assert_false(exists("outside/made"));
}

static void nothing_leads_out(void **state)
{
    (void)state;
    links_out_of_the_root_are_refused();
}
static void nothing_leads_out_without_openat2(void **state)
{
    (void)state;
    root_openat2_switch(false);
    links_out_of_the_root_are_refused();
    struct place p = place("real/x");
    struct stat st;
    int fd;
    assert_true(place_open_file(&p, &fd, &st, &world.err)); // and what is fine works
    assert_int_equal(st.st_size, 6);
    (void)close(fd);
    root_openat2_switch(true);
}

static void links_inside_are_followed(void **state)
{
    struct stat st;
    (void)state;
    make_dir("root/real");
    make_file("root/real/x", STR("inside"));
    assert_return_code(symlink("real", in_world("root/alias")), errno);
    assert_return_code(symlink("../root/real/x", in_world("root/real/leaves-and-returns")), errno);
    struct place p = place("alias/x");
    CLEANUP(cleanup_fd) int fd = -1;
    assert_true(place_open_file(&p, &fd, &st, &world.err));
    p = place("real/leaves-and-returns");
    int no;
    assert_false(place_open_file(&p, &no, &st, &world.err));
}

static void devices_pipes_and_folders_are_no_files(void **state)
{
    struct stat st;
    int fd;
    (void)state;
    assert_return_code(mkfifo(in_world("root/pipe"), 0600), errno);
    make_dir("root/d");
    struct place p = place("pipe");
    assert_false(place_open_file(&p, &fd, &st, &world.err)); // and does not wait for a writer
    p = place("d");
    assert_false(place_open_file(&p, &fd, &st, &world.err));
    assert_int_equal(world.err.native, EISDIR);
    p = place("none");
    assert_false(place_open_file(&p, &fd, &st, &world.err));
    assert_int_equal(world.err.code, ERR_NOT_FOUND);
}

static void folders_are_made_on_demand(void **state)
{
    struct place p = place("a/b/c/file");
    int fd;
    (void)state;
    assert_false(place_open_parent(&p, false, &fd, &world.err));
    assert_non_null(strstr(world.err.text, "createDirectories"));
    assert_true(place_open_parent(&p, true, &fd, &world.err));
    (void)close(fd);
    assert_true(exists("root/a/b/c"));
    p = place("a/b/d");
    assert_true(place_make_dir(&p, &world.err) && place_make_dir(&p, &world.err));
    assert_true(exists("root/a/b/d"));
    make_file("root/plain", STR(""));
    p = place("plain/x/y");
    assert_false(place_open_parent(&p, true, &fd, &world.err));
}

static void a_place_is_named_below_its_folder(void **state)
{
    struct place folder = place("a/"), p;
    (void)state;
    assert_true(place_below(&folder, STR("b/c"), &p, &world.arena, &world.err));
    assert_string_equal(p.rel.p, "a/b/c");
    assert_string_equal(p.shown.p, "a/b/c");
    assert_true(str_is(place_name(&p), "c"));
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, world_open, world_close)
    const struct CMUnitTest tests[] = {
        TEST(paths_belong_to_the_longest_root),
        TEST(long_names_and_nuls_are_refused),
        TEST(nothing_leads_out),
        TEST(nothing_leads_out_without_openat2),
        TEST(links_inside_are_followed),
        TEST(devices_pipes_and_folders_are_no_files),
        TEST(folders_are_made_on_demand),
        TEST(a_place_is_named_below_its_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
