// SPDX-License-Identifier: Apache-2.0
// Archives of every format, there and back; names that lead out and files that grow too much are refused.
#include "fs/test_world.h"

#include <errno.h>

#include "base/mem.h"
#include "base/sync.h"
#include "fs/archive.h"

static const struct archive_bounds wide = {1 << 30, 100000, 100000};

static bool pack(enum archive_format f, const char *to)
{
    struct place target = place(to);
    struct fresh fresh = {.fd = -1};
    struct stat st, dir;
    int64_t n;
    assert_true(fresh_open(&target, &(struct fresh_options){.overwrite = true}, &fresh, &world.err));
    struct archive_writer *w = archive_writer_new(f, 1, &fresh, &world.err);
    assert_non_null(w);
    CLEANUP(cleanup_fd) int fd = open(in_world("root/in/ä b.txt"), O_RDONLY | O_CLOEXEC);
    assert_true(fstat(fd, &st) == 0 && stat(in_world("root/in"), &dir) == 0);
    bool ok = archive_is_single(f) || archive_add(w, -1, &dir, STR("empty"), NULL, &n, &world.err);
    ok = ok && archive_add(w, fd, &st, STR("deep/ä b.txt"), NULL, &n, &world.err) &&
         archive_finish(w, &world.err);
    archive_writer_free(w);
    return ok && fresh_commit(&fresh, &world.err);
}

static bool unpack_as(const char *from, bool single, const struct archive_bounds *b,
                      struct archive_totals *totals)
{
    struct place source = place(from);
    struct archive_target to = {.folder = place("out"), .single = place("out/single"), .is_single = single};
    struct stat st;
    CLEANUP(cleanup_fd) int fd = -1;
    return place_open_file(&source, &fd, &st, &world.err) &&
           archive_extract(fd, source.shown, &to, b, NULL, totals, &world.err);
}

static bool unpack(const char *from, const struct archive_bounds *b, struct archive_totals *totals)
{
    return unpack_as(from, false, b, totals);
}

static void every_format_comes_back(void **state)
{
    (void)state;
    for (int f = ARCHIVE_ZIP; f <= ARCHIVE_ZSTD; f++) {
        struct archive_totals t = {0};
        int64_t n;
        make_dir("root/in");
        make_file("root/in/ä b.txt", STR("some text, some text, some text"));
        assert_true(pack((enum archive_format)f, "packed"));
        bool single = archive_is_single((enum archive_format)f);
        if (!unpack_as("packed", single, &wide, &t))
            fail_msg("%s: %s", archive_format_names[f], world.err.text);
        assert_true(str_is(text_of(single ? "root/out/single" : "root/out/deep/ä b.txt"),
                           "some text, some text, some text"));
        assert_int_equal(t.files, 1);
        assert_true(single || exists("root/out/empty"));
        assert_false(!single && unpack("packed", &wide, &t)); // it is there already
        assert_true(tree_remove(AT_FDCWD, in_world("root/out"), STR("out"), NULL, &n, &world.err));
    }
}

static void formats_are_known_by_their_names(void **state)
{
    (void)state;
    assert_int_equal(archive_format_of(STR("a.zip")), ARCHIVE_ZIP);
    assert_int_equal(archive_format_of(STR("A.TAR.GZ")), ARCHIVE_TAR_GZ);
    assert_int_equal(archive_format_of(STR("a.tzst")), ARCHIVE_TAR_ZST);
    assert_int_equal(archive_format_of(STR("a.gz")), ARCHIVE_GZIP);
    assert_int_equal(archive_format_of(STR(".zip")), -1);
    assert_int_equal(archive_format_of(STR("a.txt")), -1);
}

// A tar that holds one folder of that name.
static void make_evil(const char *name)
{
    struct place target = place("evil.tar");
    struct fresh f;
    const struct stat st = {.st_mode = S_IFDIR | 0755};
    int64_t n;
    assert_true(fresh_open(&target, &(struct fresh_options){.overwrite = true}, &f, &world.err));
    struct archive_writer *w = archive_writer_new(ARCHIVE_TAR, 0, &f, &world.err);
    assert_true(archive_add(w, -1, &st, str_of(name), NULL, &n, &world.err) && archive_finish(w, &world.err));
    archive_writer_free(w);
    assert_true(fresh_commit(&f, &world.err));
}

static void names_that_lead_out_are_refused(void **state)
{
    static const char *const names[] = {"../x", "/etc/x", "a/../../x", ".."};
    struct archive_totals t;
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        make_evil(names[i]);
        assert_false(unpack("evil.tar", &wide, &t));
        assert_int_equal(world.err.code, ERR_DENIED);
    }
    make_evil("fine/name");
    assert_true(unpack("evil.tar", &wide, &t));
}

static void growth_is_bounded(void **state)
{
    enum { BIG = 8 << 20 };
    static const struct archive_bounds few_bytes = {1000, 100, 100000}, few_entries = {1 << 30, 1, 100000},
                                       low_ratio = {1 << 30, 100, 100};
    struct archive_totals t;
    char *zeros = mem_array(BIG, 1);
    (void)state;
    make_dir("root/in");
    make_file("root/in/ä b.txt", (struct str){zeros, BIG});
    mem_free(zeros);
    assert_true(pack(ARCHIVE_TAR_GZ, "bomb"));
    assert_false(unpack("bomb", &few_bytes, &t));
    assert_int_equal(world.err.code, ERR_TOO_LARGE);
    assert_false(exists("root/out/deep/ä b.txt"));
    assert_false(unpack("bomb", &few_entries, &t));
    assert_false(unpack("bomb", &low_ratio, &t));
    assert_true(unpack("bomb", &wide, &t));
}

static void damaged_archives_are_refused(void **state)
{
    struct archive_totals t;
    (void)state;
    make_dir("root/in");
    make_file("root/in/ä b.txt", STR("text"));
    assert_true(pack(ARCHIVE_TAR_GZ, "packed"));
    struct str whole = text_of("root/packed");
    make_file("root/cut", (struct str){whole.p, whole.n / 2});
    assert_false(unpack("cut", &wide, &t));
    assert_int_equal(world.err.code, ERR_CORRUPT);
    make_file("root/plain", STR("no archive at all"));
    assert_false(unpack("plain", &wide, &t));
    assert_false(unpack_as("plain", true, &wide, &t));
    assert_false(exists("root/out/single"));
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, world_open, world_close)
    const struct CMUnitTest tests[] = {
        TEST(every_format_comes_back),         cmocka_unit_test(formats_are_known_by_their_names),
        TEST(names_that_lead_out_are_refused), TEST(growth_is_bounded),
        TEST(damaged_archives_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
