// SPDX-License-Identifier: Apache-2.0
// Unit tests of base/sync.
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "base/sync.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static struct mutex outer, inner;

enum { SANITIZER_EXIT = 66 }; // of the thread sanitizer, which may see the wrong order before we do

// True when the body, run in a child process, aborts.
static bool aborts(void (*body)(void))
{
    pid_t pid = fork();
    if (pid == 0) {
        (void)close(STDERR_FILENO);
        body();
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status))
        return WEXITSTATUS(status) == SANITIZER_EXIT;
    return WTERMSIG(status) == SIGABRT;
}

static void take_in_order(void)
{
    WITH_LOCK(&outer);
    mutex_lock(&inner);
    mutex_unlock(&inner);
}

static void release_out_of_order(void)
{
    mutex_lock(&outer);
    mutex_lock(&inner);
    mutex_unlock(&outer);
    mutex_unlock(&inner);
    take_in_order();
}

static void take_against_order(void)
{
    mutex_lock(&inner);
    mutex_lock(&outer);
}

static void take_twice(void)
{
    mutex_lock(&inner);
    mutex_lock(&inner);
}

static void unlock_what_is_not_held(void)
{
    mutex_unlock(&inner);
}

static void wait_against_order(void)
{
    struct cond c;
    cond_init(&c);
    mutex_lock(&outer);
    mutex_lock(&inner);
    (void)cond_wait_for(&c, &outer, duration_ms(1)); // taking outer again while inner is held
}

static void locks_are_taken_in_rising_rank_only(void **state)
{
    (void)state;
    mutex_init(&outer, LOCK_LOG);
    mutex_init(&inner, LOCK_TEST);
    assert_false(aborts(take_in_order));
    assert_false(aborts(release_out_of_order));
    assert_true(aborts(take_against_order));
    assert_true(aborts(take_twice));
    assert_true(aborts(unlock_what_is_not_held));
    assert_true(aborts(wait_against_order));
    mutex_release(&outer);
    mutex_release(&inner);
}

struct counter {
    struct mutex lock;
    int value; // under lock
};

static void *count_to_thousand(void *arg)
{
    struct counter *c = arg;
    for (int i = 0; i < 1000; i++) {
        WITH_LOCK(&c->lock);
        c->value++;
    }
    return NULL;
}

static void a_mutex_keeps_threads_apart(void **state)
{
    (void)state;
    struct counter c = {.value = 0};
    pthread_t threads[4];
    mutex_init(&c.lock, LOCK_TEST);
    for (int i = 0; i < 4; i++)
        threads[i] = thread_start("counter", count_to_thousand, &c);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(c.value, 4000);
    mutex_release(&c.lock);
}

static void *report_mask_and_name(void *arg)
{
    sigset_t mask;
    char name[16] = "";
    bool *ok = arg;
    (void)pthread_sigmask(SIG_SETMASK, NULL, &mask);
    while (strcmp(name, "reporter") != 0) // the starter names us after the start
        (void)pthread_getname_np(pthread_self(), name, sizeof name);
    *ok = sigismember(&mask, SIGTERM) == 1 && sigismember(&mask, SIGINT) == 1;
    return NULL;
}

static void threads_start_named_and_with_signals_blocked(void **state)
{
    (void)state;
    bool ok = false;
    sigset_t before, after;
    (void)pthread_sigmask(SIG_SETMASK, NULL, &before);
    pthread_t t = thread_start("reporter", report_mask_and_name, &ok);
    assert_int_equal(pthread_join(t, NULL), 0);
    assert_true(ok);
    (void)pthread_sigmask(SIG_SETMASK, NULL, &after);
    assert_int_equal(sigismember(&before, SIGTERM), sigismember(&after, SIGTERM));
}

static void *wake(void *arg)
{
    waker_wake(arg);
    return NULL;
}

static void a_waker_neither_loses_nor_repeats_a_wake_up(void **state)
{
    (void)state;
    struct waker w;
    waker_init(&w, LOCK_TEST);
    assert_false(waker_wait(&w, duration_ms(0)));
    assert_false(waker_wait(&w, duration_ms(1)));
    waker_wake(&w);
    waker_wake(&w);
    assert_true(waker_wait(&w, duration_ms(0))); // woken before it slept
    assert_false(waker_wait(&w, duration_ms(0)));
    for (int i = 0; i < 50; i++) {
        pthread_t t = thread_start("waker", wake, &w);
        assert_true(waker_wait(&w, duration_s(60)));
        assert_int_equal(pthread_join(t, NULL), 0);
    }
    waker_release(&w);
}

struct gate {
    struct mutex lock;
    struct cond opened;
    bool open; // under lock
};

static void *open_gate(void *arg)
{
    struct gate *g = arg;
    WITH_LOCK(&g->lock);
    g->open = true;
    cond_broadcast(&g->opened);
    return NULL;
}

static void conditions_release_the_lock_while_waiting(void **state)
{
    (void)state;
    struct gate g = {.open = false};
    mutex_init(&g.lock, LOCK_TEST);
    cond_init(&g.opened);
    {
        WITH_LOCK(&g.lock);
        assert_false(cond_wait_for(&g.opened, &g.lock, duration_ms(0)));
        assert_false(cond_wait_for(&g.opened, &g.lock, duration_ms(-5)));
    }
    mutex_lock(&g.lock);
    pthread_t t = thread_start("gate", open_gate, &g);
    while (!g.open)
        cond_wait(&g.opened, &g.lock);
    mutex_unlock(&g.lock);
    assert_int_equal(pthread_join(t, NULL), 0);
    cond_release(&g.opened);
    mutex_release(&g.lock);
}

static void scopes_close_files_and_take_moves_ownership(void **state)
{
    (void)state;
    int copy;
    {
        CLEANUP(cleanup_fd) int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        CLEANUP(cleanup_fd) int none = -1;
        assert_true(fd >= 0 && none < 0);
        copy = fd;
    }
    assert_int_equal(fcntl(copy, F_GETFD), -1);
    char *p = malloc(1);
    char *q = TAKE(p);
    assert_true(q != NULL && p == NULL);
    free(q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(locks_are_taken_in_rising_rank_only),
        cmocka_unit_test(a_mutex_keeps_threads_apart),
        cmocka_unit_test(threads_start_named_and_with_signals_blocked),
        cmocka_unit_test(a_waker_neither_loses_nor_repeats_a_wake_up),
        cmocka_unit_test(conditions_release_the_lock_while_waiting),
        cmocka_unit_test(scopes_close_files_and_take_moves_ownership),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
