// SPDX-License-Identifier: Apache-2.0
// A fresh folder with a root in it and a secret beside it, for the unit tests of fs/.
#ifndef FS_TEST_WORLD_H
#define FS_TEST_WORLD_H

// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "fs/tree.h"

static struct test_world {
    char folder[PATH_MAX / 4];
    struct arena arena, keep; // keep: for the whole test, also when it empties the other
    struct roots roots;
    struct err err;
} world;

__attribute__((unused)) static const char *in_world(const char *name)
{
    struct str s = arena_fmt(&world.arena, "%s/%s", world.folder, name);
    assert_non_null(s.p);
    return s.p;
}
__attribute__((unused)) static void make_file(const char *name, struct str text)
{
    assert_true(file_write(in_world(name), text, 0644, &world.err));
}
__attribute__((unused)) static void make_dir(const char *name)
{
    assert_true(dir_make(in_world(name), 0755, &world.err));
}
__attribute__((unused)) static struct str text_of(const char *name)
{
    enum { MOST = 1 << 20 };
    struct str text;
    if (!file_read(in_world(name), MOST, &text, &world.arena, &world.err))
        fail_msg("%s", world.err.text);
    return text;
}
__attribute__((unused)) static bool exists(const char *name)
{
    return faccessat(AT_FDCWD, in_world(name), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}
__attribute__((unused)) static struct place place(const char *path)
{
    struct place p;
    if (!place_find(&world.roots, str_of(path), &p, &world.arena, &world.err))
        fail_msg("%s", world.err.text);
    return p;
}

// "root" is the root, "outside/secret" what nobody may reach.
__attribute__((unused)) static int world_open(void **state)
{
    static const char pattern[] = "/tmp/chronos-fs-test-XXXXXX";
    (void)state;
    arena_init(&world.arena, 256 << 20);
    arena_init(&world.keep, 1 << 20);
    memcpy(world.folder, pattern, sizeof pattern);
    assert_non_null(mkdtemp(world.folder));
    make_dir("root");
    make_dir("outside");
    make_file("outside/secret", STR("the secret"));
    struct str path = arena_str(&world.keep, str_of(in_world("root")));
    const struct strs paths = {&path, 1};
    return roots_open(&paths, &world.roots, &world.keep, &world.err) ? 0 : -1;
}
__attribute__((unused)) static int world_close(void **state)
{
    int64_t n;
    (void)state;
    roots_close(&world.roots);
    bool ok = tree_remove(AT_FDCWD, world.folder, str_of(world.folder), NULL, &n, &world.err);
    arena_release(&world.arena);
    arena_release(&world.keep);
    return ok && n > 0 ? 0 : -1;
}

#endif
