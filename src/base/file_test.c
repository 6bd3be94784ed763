// SPDX-License-Identifier: Apache-2.0
// Unit tests of base/file.
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "base/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/sync.h"

static char folder[] = "/tmp/chronos-file-test-XXXXXX";
static char path_buf[PATH_MAX];

static const char *in_folder(const char *name)
{
    (void)snprintf(path_buf, sizeof path_buf, "%s/%s", folder, name);
    return path_buf;
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    static const char *const names[] = {"a", "big", "d/e/f", "d/e", "d", ""};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        (void)remove(in_folder(names[i]));
    return access(folder, F_OK) == 0 ? -1 : 0; // a forgotten temporary file would keep it
}

static void what_is_written_is_read_back(void **state)
{
    (void)state;
    struct arena a;
    struct err err = {0};
    struct str text;
    struct stat st;
    arena_init(&a, 10 << 20);
    assert_true(file_write(in_folder("a"), STR("one\0two"), 0600, &err));
    assert_true(file_read(in_folder("a"), 7, &text, &a, &err));
    assert_true(str_eq(text, STR("one\0two")) && text.p[7] == '\0');
    assert_true(stat(in_folder("a"), &st) == 0 && (st.st_mode & 07777) == 0600);
    assert_true(file_write(in_folder("a"), STR(""), 0644, &err)); // replaces, with its own mode
    assert_true(file_read(in_folder("a"), 7, &text, &a, &err));
    assert_true(text.p && text.n == 0);
    assert_true(stat(in_folder("a"), &st) == 0 && (st.st_mode & 07777) == 0644);
    arena_release(&a);
}

static void large_files_are_read_whole_up_to_the_bound(void **state)
{
    (void)state;
    enum { SIZE = 100000 };
    static char bytes[SIZE];
    struct arena a;
    struct err err = {0};
    struct str text;
    for (size_t i = 0; i < SIZE; i++)
        bytes[i] = (char)(i * 7 / 3);
    arena_init(&a, 10 << 20);
    assert_true(file_write(in_folder("big"), str_of_n(bytes, SIZE), 0600, &err));
    assert_true(file_read(in_folder("big"), SIZE, &text, &a, &err));
    assert_true(str_eq(text, str_of_n(bytes, SIZE)));
    static const size_t bounds[] = {0, 1, 4096, SIZE - 1};
    for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++) {
        assert_false(file_read(in_folder("big"), bounds[i], &text, &a, &err));
        assert_int_equal(err.code, ERR_TOO_LARGE);
    }
    struct arena small;
    arena_init(&small, 1000);
    assert_false(file_read(in_folder("big"), SIZE, &text, &small, &err));
    assert_int_equal(err.code, ERR_TOO_LARGE);
    arena_release(&small);
    arena_release(&a);
}

static void files_of_unknown_size_are_read(void **state)
{
    (void)state;
    struct arena a;
    struct err err = {0};
    struct str text;
    arena_init(&a, 10 << 20);
    assert_true(file_read("/proc/self/stat", 65536, &text, &a, &err)); // st_size is 0
    assert_true(text.n > 10);
    arena_release(&a);
}

static void missing_files_and_folders_are_told_apart(void **state)
{
    (void)state;
    struct arena a;
    struct err err = {0};
    struct str text;
    arena_init(&a, 1 << 20);
    assert_false(file_read(in_folder("none"), 10, &text, &a, &err));
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_false(file_read(folder, 10, &text, &a, &err));
    assert_int_equal(err.code, ERR_IO);
    assert_false(file_write(in_folder("none/a"), STR("x"), 0600, &err));
    assert_int_equal(err.code, ERR_IO);
    assert_false(file_write(folder, STR("x"), 0600, &err)); // a folder cannot be replaced
    assert_int_equal(err.code, ERR_IO);
    arena_release(&a);
}

static void folders_are_made_with_all_their_parents(void **state)
{
    (void)state;
    struct err err = {0};
    struct stat st;
    assert_true(dir_make(in_folder("d/e/f"), 0700, &err));
    assert_true(stat(in_folder("d/e/f"), &st) == 0 && S_ISDIR(st.st_mode));
    assert_true((st.st_mode & 0777) == 0700);
    assert_true(dir_make(in_folder("d/e/f/"), 0700, &err));
    assert_true(dir_make("/", 0700, &err));
    assert_true(file_write(in_folder("a"), STR("x"), 0600, &err));
    assert_false(dir_make(in_folder("a/b"), 0700, &err));
    assert_int_equal(err.code, ERR_IO);
    assert_false(dir_make("", 0700, &err));
    assert_int_equal(err.code, ERR_INVALID);
}

static void a_failed_write_leaves_no_file_behind(void **state)
{
    (void)state;
    struct err err = {0};
    assert_true(dir_make(in_folder("d"), 0700, &err));
    assert_false(file_write(in_folder("d"), STR("x"), 0600, &err));
    DIR *d = opendir(folder);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));)
        assert_null(strstr(e->d_name, "d."));
    (void)closedir(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(large_files_are_read_whole_up_to_the_bound),
        cmocka_unit_test(files_of_unknown_size_are_read),
        cmocka_unit_test(missing_files_and_folders_are_told_apart),
        cmocka_unit_test(folders_are_made_with_all_their_parents),
        cmocka_unit_test(a_failed_write_leaves_no_file_behind),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
