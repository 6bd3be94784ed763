// SPDX-License-Identifier: Apache-2.0
// Fibers over ucontext. The sanitizers are told of every change of stack.
#include "tests/sim/fiber.h"

#include <pthread.h>
#include <ucontext.h>

#include "base/mem.h"
#include "base/sync.h"

#if defined(__SANITIZE_ADDRESS__)
#define FIBER_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FIBER_ASAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define FIBER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define FIBER_TSAN 1
#endif
#endif

#ifdef FIBER_ASAN
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef FIBER_TSAN
#include <sanitizer/tsan_interface.h>
#endif

enum { STACK_SIZE = 512 * 1024 }; // touched as it is used only

struct fiber {
    ucontext_t inner, outer;
    void (*turn)(void *arg);
    void *arg;
    char *stack;
    bool idle;
    // Of the sanitizers:
    void *tsan_inner, *tsan_outer, *asan_inner, *asan_outer;
    const void *outer_stack;
    size_t outer_size;
};

static struct fiber *running;

static void leave_outer(struct fiber *f)
{
#ifdef FIBER_ASAN
    __sanitizer_start_switch_fiber(&f->asan_outer, f->stack, STACK_SIZE);
#endif
#ifdef FIBER_TSAN
    f->tsan_outer = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(f->tsan_inner, 0);
#endif
    (void)f;
}

static void enter_outer(struct fiber *f)
{
#ifdef FIBER_ASAN
    __sanitizer_finish_switch_fiber(f->asan_outer, NULL, NULL);
#endif
    (void)f;
}

static void leave_inner(struct fiber *f)
{
#ifdef FIBER_ASAN
    __sanitizer_start_switch_fiber(&f->asan_inner, f->outer_stack, f->outer_size);
#endif
#ifdef FIBER_TSAN
    __tsan_switch_to_fiber(f->tsan_outer, 0);
#endif
    (void)f;
}

static void enter_inner(struct fiber *f)
{
#ifdef FIBER_ASAN
    __sanitizer_finish_switch_fiber(f->asan_inner, &f->outer_stack, &f->outer_size);
#endif
    (void)f;
}

static void switch_out(struct fiber *f)
{
    leave_inner(f);
    must(swapcontext(&f->inner, &f->outer) == 0);
    enter_inner(f);
}

static void fiber_main(void)
{
    struct fiber *f = running;
    enter_inner(f);
    for (;;) {
        f->turn(f->arg);
        f->idle = true;
        switch_out(f);
    }
}

struct fiber *fiber_new(void (*turn)(void *arg), void *arg)
{
    struct fiber *f = mem_new(struct fiber);
    f->turn = turn;
    f->arg = arg;
    f->idle = true;
    f->stack = mem_array(1, STACK_SIZE);
    must(getcontext(&f->inner) == 0);
    f->inner.uc_stack.ss_sp = f->stack;
    f->inner.uc_stack.ss_size = STACK_SIZE;
    makecontext(&f->inner, fiber_main, 0);
#ifdef FIBER_TSAN
    f->tsan_inner = __tsan_create_fiber(0);
#endif
    return f;
}

void fiber_free(struct fiber *f)
{
    if (!f)
        return;
    must(f->idle && running != f);
#ifdef FIBER_TSAN
    __tsan_destroy_fiber(f->tsan_inner);
#endif
    mem_free(f->stack);
    mem_free(f);
}

void fiber_resume(struct fiber *f)
{
    must(!running);
    running = f;
    f->idle = false;
    leave_outer(f);
    must(swapcontext(&f->outer, &f->inner) == 0);
    enter_outer(f);
    running = NULL;
}

bool fiber_idle(const struct fiber *f) { return f->idle; }

bool fiber_inside(void) { return running != NULL; }

void fiber_pause(void)
{
    must(running != NULL);
    switch_out(running);
}
