// SPDX-License-Identifier: Apache-2.0
// A process exchanges a folder for a link to the outside, as fast as it can, while files are read, copied,
// written, moved, listed and removed through that name. Whatever each call answers, nothing outside is read
// or changed.
//
// CHRONOS_ROUNDS scales the 500 rounds of each kind (20: the full 10,000).
#include "fs/test_world.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/sync.h"
#include "fs/copy.h"

enum { ROUNDS = 500 };

static _Atomic long *swaps; // shared with the swapper

static long rounds(void)
{
    int64_t n = 1;
    const char *scale = getenv("CHRONOS_ROUNDS");
    return ROUNDS * (scale && str_to_i64(str_of(scale), &n) ? (long)n : 1);
}

// "d" is a folder at one moment and a link to ../outside at the next, in one rename each.
static pid_t swapper_start(void)
{
    char folder[PATH_MAX], link_name[PATH_MAX];
    (void)snprintf(folder, sizeof folder, "%s/root/d", world.folder);
    (void)snprintf(link_name, sizeof link_name, "%s/root/l", world.folder);
    make_dir("root/d");
    make_file("root/d/secret", STR("harmless"));
    assert_return_code(symlink("../outside", link_name), errno);
    swaps = mmap(NULL, sizeof *swaps, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(swaps, MAP_FAILED);
    pid_t pid = fork();
    if (pid == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL) == 0) // also when a test fails
        for (;; atomic_fetch_add(swaps, 1))
            (void)renameat2(AT_FDCWD, folder, AT_FDCWD, link_name, RENAME_EXCHANGE);
    assert_true(pid > 0);
    return pid;
}

static void swapper_stop(pid_t pid)
{
    int status;
    assert_return_code(kill(pid, SIGKILL), errno);
    assert_int_equal(waitpid(pid, &status, 0), pid);
}

static void read_it(void)
{
    struct place p = place("d/secret");
    struct stat st;
    char text[64];
    CLEANUP(cleanup_fd) int fd = -1;
    if (!place_open_file(&p, &fd, &st, &world.err))
        return;
    ssize_t n = read(fd, text, sizeof text);
    assert_true(n == 8 && memcmp(text, "harmless", 8) == 0);
}

static void copy_into(void)
{
    struct place from = place("source"), to = place("d/copied");
    struct stat st;
    int64_t n;
    CLEANUP(cleanup_fd) int fd = -1;
    assert_true(place_open_file(&from, &fd, &st, &world.err));
    (void)!copy_file(fd, &to, &(struct copy_options){.overwrite = true, .create_dirs = true}, NULL, &n,
                     &world.err);
}

static void copy_out(void)
{
    struct place from = place("d/secret"), to = place("taken");
    struct stat st;
    int64_t n;
    CLEANUP(cleanup_fd) int fd = -1;
    if (place_open_file(&from, &fd, &st, &world.err) &&
        copy_file(fd, &to, &(struct copy_options){.overwrite = true}, NULL, &n, &world.err))
        assert_true(str_is(text_of("root/taken"), "harmless"));
}

static void make_folders(void)
{
    struct place p = place("d/made/deeper");
    (void)!place_make_dir(&p, &world.err);
}

static void remove_it(void)
{
    struct place p = place("d/copied");
    int64_t n;
    CLEANUP(cleanup_fd) int parent = -1;
    if (place_open_parent(&p, false, &parent, &world.err))
        (void)!tree_remove(parent, "copied", STR("copied"), NULL, &n, &world.err);
}

static enum tree_next on_entry(void *ctx, const struct tree_entry *e, struct err *err)
{
    (void)ctx;
    (void)err;
    assert_false(strcmp(e->name, "only-outside") == 0);
    return TREE_ON;
}

static void walk_it(void)
{
    const struct tree_visitor v = {.visit = on_entry};
    struct place p = place(".");
    CLEANUP(cleanup_fd) int fd = -1;
    if (place_open_dir(&p, &fd, &world.err))
        (void)!tree_walk(fd, p.shown, &v, &world.err);
}

static void move_in_and_out(void)
{
    struct place in = place("d/moved"), out = place("moved");
    bool other;
    CLEANUP(cleanup_fd) int root = open(in_world("root"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CLEANUP(cleanup_fd) int parent = -1;
    if (!exists("root/moved"))
        make_file("root/moved", STR("moved"));
    if (move_entry(root, "moved", &in, &(struct copy_options){.overwrite = true}, &other, &world.err) &&
        place_open_parent(&in, false, &parent, &world.err))
        (void)!move_entry(parent, "moved", &out, &(struct copy_options){.overwrite = true}, &other,
                          &world.err);
}

// What a whole tree is removed through, while its parent is exchanged.
static void remove_tree(void)
{
    struct place p = place("d/made");
    int64_t n;
    CLEANUP(cleanup_fd) int parent = -1;
    if (place_open_parent(&p, false, &parent, &world.err))
        (void)!tree_remove(parent, "made", STR("made"), NULL, &n, &world.err);
}

static void race(void)
{
    static void (*const attacks[])(void) = {read_it,   copy_into, copy_out,        make_folders,
                                            remove_it, walk_it,   move_in_and_out, remove_tree};
    const long n = rounds();
    make_file("root/source", STR("source"));
    make_file("outside/only-outside", STR("x"));
    pid_t swapper = swapper_start();
    while (atomic_load(swaps) == 0)
        continue; // until it runs
    for (long i = 0; i < n; i++)
        for (size_t k = 0; k < sizeof attacks / sizeof attacks[0]; k++) {
            attacks[k]();
            arena_reset(&world.arena);
        }
    swapper_stop(swapper);
    print_message("# %ld rounds of each, %ld swaps meanwhile\n", n, atomic_load(swaps));
    assert_true(str_is(text_of("outside/secret"), "the secret"));
    static const char *const escaped[] = {"outside/copied", "outside/made", "outside/moved"};
    for (size_t i = 0; i < sizeof escaped / sizeof escaped[0]; i++)
        assert_false(exists(escaped[i]));
    assert_true(exists("outside/only-outside"));
}

static void nobody_gets_out_through_openat2(void **state)
{
    (void)state;
    race();
}
static void nobody_gets_out_of_the_walk(void **state)
{
    (void)state;
    root_openat2_switch(false);
    race();
    root_openat2_switch(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nobody_gets_out_through_openat2, world_open, world_close),
        cmocka_unit_test_setup_teardown(nobody_gets_out_of_the_walk, world_open, world_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
