// SPDX-License-Identifier: Apache-2.0
// Files that appear whole: with and without replacing, and what a killed process leaves.
#include "fs/test_world.h"

#include <errno.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "fs/fresh.h"

static bool write_to(const char *path, bool overwrite, struct str text, bool commit)
{
    struct place p = place(path);
    struct fresh f = {.fd = -1};
    const struct fresh_options o = {.overwrite = overwrite};
    if (!fresh_open(&p, &o, &f, &world.err))
        return false;
    assert_true(fresh_write(&f, text.p, text.n, &world.err));
    bool ok = !commit || fresh_commit(&f, &world.err);
    fresh_drop(&f);
    fresh_drop(&f); // is nothing the second time
    return ok;
}

static void what_is_not_committed_never_was(void **state)
{
    (void)state;
    assert_true(write_to("a", false, STR("one"), false));
    assert_false(exists("root/a"));
    assert_true(write_to("a", false, STR("one"), true));
    assert_true(str_is(text_of("root/a"), "one"));
    assert_true(write_to("a", true, STR("two"), false));
    assert_true(str_is(text_of("root/a"), "one"));
}

static void a_taken_name_is_replaced_only_on_demand(void **state)
{
    (void)state;
    assert_true(write_to("a", false, STR("one"), true));
    assert_false(write_to("a", false, STR("two"), true));
    assert_int_equal(world.err.native, EEXIST);
    assert_true(write_to("a", true, STR("two"), true));
    assert_true(str_is(text_of("root/a"), "two"));
    assert_true(write_to("b", true, STR("new"), true)); // overwrite with nothing there
    assert_true(str_is(text_of("root/b"), "new"));
}

static void a_name_that_is_taken_meanwhile_is_not_replaced(void **state)
{
    struct place p = place("a");
    struct fresh f;
    const struct fresh_options o = {0};
    (void)state;
    assert_true(fresh_open(&p, &o, &f, &world.err));
    make_file("root/a", STR("theirs"));
    assert_false(fresh_commit(&f, &world.err));
    assert_int_equal(world.err.native, EEXIST);
    assert_true(str_is(text_of("root/a"), "theirs"));
}

static void a_link_is_replaced_not_followed(void **state)
{
    (void)state;
    assert_return_code(symlink("../outside/secret", in_world("root/a")), errno);
    assert_false(write_to("a", false, STR("x"), true));
    assert_true(write_to("a", true, STR("x"), true));
    assert_true(str_is(text_of("outside/secret"), "the secret"));
    assert_true(str_is(text_of("root/a"), "x"));
}

static void what_killed_processes_left_is_swept(void **state)
{
    (void)state;
    make_file("root/.chronos-0123456789abcdef.part", STR("half"));
    make_file("root/.chronos-in-use.part", STR("half"));
    make_file("root/.chronos-other", STR("not ours"));
    int used = open(in_world("root/.chronos-in-use.part"), O_RDONLY | O_CLOEXEC);
    assert_return_code(flock(used, LOCK_EX), errno);
    int dir = open(in_world("root"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(fresh_sweep(dir), 1);
    assert_false(exists("root/.chronos-0123456789abcdef.part"));
    assert_true(exists("root/.chronos-in-use.part"));
    assert_true(exists("root/.chronos-other"));
    (void)close(used);
    assert_int_equal(fresh_sweep(dir), 1);
    (void)close(dir);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, world_open, world_close)
    const struct CMUnitTest tests[] = {
        TEST(what_is_not_committed_never_was),
        TEST(a_taken_name_is_replaced_only_on_demand),
        TEST(a_name_that_is_taken_meanwhile_is_not_replaced),
        TEST(a_link_is_replaced_not_followed),
        TEST(what_killed_processes_left_is_swept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
