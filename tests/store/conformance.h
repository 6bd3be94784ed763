// SPDX-License-Identifier: Apache-2.0
// Ground of the conformance suite: a fresh store per test, rows to put into it, and short names for
// operations that must succeed. Which store: argv[1].
#ifndef TESTS_STORE_CONFORMANCE_H
#define TESTS_STORE_CONFORMANCE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/sync.h"
#include "store/store.h"

enum { WORLD_PATH_MAX = 256, ARENA_BUDGET = 64 * 1024 * 1024 };

struct world {
    struct store *s;
    struct store *other;        // world_other, once asked for
    struct clock_virtual clock; // of the memory store
    struct arena a;
    struct rng rng;
    struct err err;
    struct ulid owner;
    char dir[WORLD_PATH_MAX]; // of a file, else ""
    int64_t tick;
};

extern const char *store_kind;

int world_setup(void **state);
int world_teardown(void **state);
// Ends the store and opens what it left. Memory: nothing changes.
void world_reopen(struct world *w);
// The store of another process on the same database; where there can be only one, the same store.
struct store *world_other(struct world *w);
// Moves the store's clock where that is possible; on others time passes by itself.
void world_pass(struct world *w, struct duration d);

#define CASE(sentence, f)                                                                                    \
    {                                                                                                        \
        .name = (sentence), .test_func = (f), .setup_func = world_setup, .teardown_func = world_teardown     \
    }
struct cases {
    const struct CMUnitTest *v;
    size_t n;
};
extern const struct cases account_cases, audit_cases, flush_cases, job_cases, job_list_cases, run_cases,
    dlq_cases, user_cases, race_cases, node_cases, change_cases, duty_cases, outbox_cases, trim_cases,
    secret_cases, sign_on_cases, breaker_cases, chain_cases, backlog_cases, once_cases, notice_cases;
#define CASES(rows)                                                                                          \
    {                                                                                                        \
        (rows), sizeof(rows) / sizeof((rows)[0])                                                             \
    }

#define assert_ok(w, call)                                                                                   \
    do {                                                                                                     \
        if (!(call))                                                                                         \
            fail_msg("%s: %s", #call, (w)->err.text);                                                        \
    } while (0)
#define assert_err(w, call, expected)                                                                        \
    do {                                                                                                     \
        assert_false(call);                                                                                  \
        if ((w)->err.code != (expected))                                                                     \
            fail_msg("%s: %s", err_code_name((w)->err.code), (w)->err.text);                                 \
    } while (0)
#define assert_id(a_, b_)   assert_memory_equal((a_).b, (b_).b, 16)
#define assert_text(a_, b_) assert_true(str_eq((a_), (b_)))

// Instants of the tests: seconds after 2027-01-15.
struct instant at_s(int64_t s);
struct ulid id_new(struct world *w);

// A cron job due at at_s(60), and its plan. The pointers stay valid for the test.
void job_make(struct world *w, const char *name, struct job *ret, struct plan *ret_plan);
struct plan job_add(struct world *w, const char *name); // made and inserted
struct job job_read(struct world *w, struct ulid id);
struct plan plan_read_one(struct world *w, struct ulid id);
struct run run_read_one(struct world *w, struct ulid id);

// The run of an occurrence: RUNNING with a token, or as status says.
struct run run_make(const struct plan *p, struct instant scheduled, int64_t attempt, int status,
                    int64_t token);
// Fires one run at the plan's next fire; the plan moves on by a minute. Must win.
struct run fire_one(struct world *w, struct plan *p, int status, int64_t token);
bool fire(struct world *w, struct fire *f);           // one fire, must not fail; true when won
bool finish(struct world *w, struct finish *f);       // true when recorded
struct finish finish_make(struct run *r, int status); // *r gets status, end, exit code
struct page page_of(int64_t size);
struct dead_letter letter_make(struct world *w, const struct run *r, const char *reason);

#endif
