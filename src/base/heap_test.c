// SPDX-License-Identifier: Apache-2.0
// Unit tests of base/heap.
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "base/heap.h"

#include "base/rng.h"

enum { ITEMS = 400, STEPS = 40000 };

struct item {
    int64_t due;
    uint64_t order;
    int pos;
};

static bool sooner(const struct item *a, const struct item *b)
{
    return a->due < b->due || (a->due == b->due && a->order < b->order);
}

static void remember(void *item, int pos) { ((struct item *)item)->pos = pos; }

static const struct item *least(const struct item v[ITEMS])
{
    const struct item *best = NULL;
    for (int i = 0; i < ITEMS; i++)
        if (v[i].pos != HEAP_NOWHERE && (!best || sooner(&v[i], best)))
            best = &v[i];
    return best;
}

static void check(const struct heap *h, const struct item v[ITEMS])
{
    size_t inside = 0;
    for (int i = 0; i < ITEMS; i++) {
        if (v[i].pos == HEAP_NOWHERE)
            continue;
        inside++;
        assert_ptr_equal(h->v[v[i].pos].item, &v[i]);
        assert_false(v[i].pos > 0 && sooner(&v[i], h->v[(v[i].pos - 1) / 2].item));
    }
    assert_int_equal(inside, h->n);
    const struct item *top = heap_top(h), *want = least(v);
    assert_true((top == NULL) == (want == NULL) &&
                (!top || (top->due == want->due && top->order == want->order)));
}

static void every_operation_agrees_with_a_plain_search(void **state)
{
    (void)state;
    static struct item v[ITEMS];
    struct heap h;
    struct rng rng;
    rng_init(&rng, 11);
    heap_init(&h, remember);
    for (int i = 0; i < ITEMS; i++)
        v[i].pos = HEAP_NOWHERE;
    for (int step = 0; step < STEPS; step++) {
        struct item *x = &v[rng_below(&rng, ITEMS)];
        uint64_t action = rng_below(&rng, 8);
        if (x->pos == HEAP_NOWHERE && action < 5) {
            x->due = (int64_t)rng_below(&rng, 100) - 50; // equal ones are wanted
            x->order = rng_below(&rng, 5);
            heap_push(&h, x, x->due, x->order);
        } else if (x->pos != HEAP_NOWHERE && action < 4) {
            x->due = (int64_t)rng_below(&rng, 100) - 50;
            heap_move(&h, x->pos, x->due, x->order);
        } else if (x->pos != HEAP_NOWHERE && action < 6) {
            heap_remove(&h, x->pos);
            assert_int_equal(x->pos, HEAP_NOWHERE);
        } else {
            struct item *top = heap_pop(&h);
            assert_true(!top || top->pos == HEAP_NOWHERE);
        }
        if (step % 16 == 0)
            check(&h, v);
    }
    heap_release(&h);
}

static void popping_gives_rising_order_and_then_nothing(void **state)
{
    (void)state;
    static struct item v[ITEMS];
    struct heap h;
    struct rng rng;
    rng_init(&rng, 12);
    heap_init(&h, remember);
    assert_null(heap_top(&h));
    assert_null(heap_pop(&h));
    for (int i = 0; i < ITEMS; i++) {
        v[i].due = (int64_t)rng_u64(&rng);
        heap_push(&h, &v[i], v[i].due, 0);
    }
    int64_t last = INT64_MIN;
    for (int i = 0; i < ITEMS; i++) {
        struct item *x = heap_pop(&h);
        assert_true(x->due >= last);
        last = x->due;
    }
    assert_null(heap_pop(&h));
    heap_release(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_operation_agrees_with_a_plain_search),
        cmocka_unit_test(popping_gives_rising_order_and_then_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
