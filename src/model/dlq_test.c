// SPDX-License-Identifier: Apache-2.0
// What a replay's inputs say about it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/sync.h"
#include "model/dlq.h"

enum { ARENA_BUDGET = 1024 * 1024 };
#define LETTER "01KA3V5J8M2C00000000000001"
#define MARKED "\"replay\":{\"deadLetterId\":\"" LETTER "\",\"jobVersion\":3,\"edited\":true}"

static void a_mark_is_put_replaced_and_taken_away(void **state)
{
    (void)state;
    CLEANUP(arena_release) struct arena a;
    struct replay_mark mark = {.job_version = 3, .edited = true};
    struct ulid letter;
    arena_init(&a, ARENA_BUDGET);
    assert_true(ulid_parse(STR(LETTER), &mark.letter));
    assert_true(str_is(replay_inputs(STR_NONE, &mark, &a), "{" MARKED "}"));
    struct str both = replay_inputs(STR("{\"day\":1,\"replay\":7}"), &mark, &a);
    assert_true(str_is(both, "{\"day\":1," MARKED "}"));
    assert_true(replay_letter(both, &letter));
    assert_true(ulid_eq(letter, mark.letter));
    assert_true(str_is(replay_inputs(both, NULL, &a), "{\"day\":1}"));
    assert_null(replay_inputs(STR("{" MARKED "}"), NULL, &a).p);
    assert_true(str_is(replay_inputs(STR("{\"day\":1}"), NULL, &a), "{\"day\":1}"));
    assert_null(replay_inputs(STR_NONE, NULL, &a).p);
}

static void other_inputs_are_no_replay(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "{}",
                                        "{\"replay\":7}",
                                        "{\"replay\":{}}",
                                        "{\"replay\":{\"deadLetterId\":\"x\"}}",
                                        "{\"a\":\"\\\"replay\\\"\"}",
                                        "\"replay\""};
    struct ulid letter;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_false(replay_letter(str_of(texts[i]), &letter));
    assert_false(replay_letter(STR_NONE, &letter));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mark_is_put_replaced_and_taken_away),
        cmocka_unit_test(other_inputs_are_no_replay),
    };
    return cmocka_run_group_tests_name("model/dlq", tests, NULL, NULL);
}
