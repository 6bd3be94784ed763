// SPDX-License-Identifier: Apache-2.0
// Walks: what they show, where they end, what they never enter; removing trees.
#include "fs/test_world.h"

#include <errno.h>

#include "base/sync.h"

struct seen {
    int files, folders, left, links, stop_after, asked;
    bool enter;
};

static enum tree_next on_visit(void *ctx, const struct tree_entry *e, struct err *err)
{
    struct seen *s = ctx;
    (void)err;
    s->files += S_ISREG(e->st.st_mode);
    s->folders += S_ISDIR(e->st.st_mode);
    s->links += S_ISLNK(e->st.st_mode);
    return s->enter ? TREE_ON : TREE_OVER;
}
static bool on_leave(void *ctx, const struct tree_entry *e, struct err *err)
{
    struct seen *s = ctx;
    (void)e;
    (void)err;
    s->left++;
    return true;
}
static bool asked(void *ctx)
{
    struct seen *s = ctx;
    return s->stop_after > 0 && ++s->asked > s->stop_after;
}

static bool walk(struct seen *s)
{
    CLEANUP(cleanup_fd) int dir = open(in_world("root"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const struct fs_stop stop = {asked, s};
    const struct tree_visitor v = {on_visit, on_leave, &stop, s};
    return tree_walk(dir, STR("root"), &v, &world.err);
}

static void make_tree(void)
{
    make_dir("root/a/b/c");
    make_file("root/a/1", STR("1"));
    make_file("root/a/b/c/2", STR("2"));
    make_file("root/.chronos-0.part", STR("ours"));
    assert_return_code(symlink(in_world("outside"), in_world("root/a/out")), errno);
}

static void a_walk_shows_all_and_follows_no_link(void **state)
{
    struct seen s = {.enter = true};
    (void)state;
    make_tree();
    assert_true(walk(&s));
    assert_int_equal(s.files, 2);
    assert_int_equal(s.folders, 3);
    assert_int_equal(s.left, 3);
    assert_int_equal(s.links, 1);
    s = (struct seen){.enter = false};
    assert_true(walk(&s));
    assert_int_equal(s.files + s.folders, 1);
}

static void a_walk_ends_when_asked(void **state)
{
    struct seen s = {.enter = true, .stop_after = 2};
    (void)state;
    make_tree();
    assert_false(walk(&s));
    assert_int_equal(world.err.native, ECANCELED);
    assert_true(s.files + s.folders + s.links <= 2);
}

static void a_walk_has_a_deepest_folder(void **state)
{
    struct seen s = {.enter = true};
    struct str path = STR("root");
    (void)state;
    for (int i = 0; i < TREE_DEPTH_MAX + 2; i++)
        path = arena_fmt(&world.arena, "%.*s/d", STR_ARG(path));
    make_dir(path.p);
    assert_false(walk(&s));
    assert_int_equal(world.err.native, ENAMETOOLONG);
    path.n -= 2 * 4;
    int64_t n;
    CLEANUP(cleanup_fd)
    int dir = open(arena_cstr(&world.arena, str_of(in_world(arena_cstr(&world.arena, path)))),
                   O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(tree_remove(dir, "d", STR("d"), NULL, &n, &world.err)); // for the end of the test
}

static void a_tree_is_removed_and_nothing_else(void **state)
{
    int64_t n;
    (void)state;
    make_tree();
    CLEANUP(cleanup_fd) int dir = open(in_world("root"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    make_file("root/a/b/.chronos-1.part", STR("of one who was killed"));
    assert_true(tree_remove(dir, "a", STR("a"), NULL, &n, &world.err));
    assert_int_equal(n, 6);
    assert_false(exists("root/a"));
    assert_true(exists("outside/secret"));
    assert_true(tree_remove(dir, "none", STR("none"), NULL, &n, &world.err) && n == 0);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, world_open, world_close)
    const struct CMUnitTest tests[] = {
        TEST(a_walk_shows_all_and_follows_no_link),
        TEST(a_walk_ends_when_asked),
        TEST(a_walk_has_a_deepest_folder),
        TEST(a_tree_is_removed_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
