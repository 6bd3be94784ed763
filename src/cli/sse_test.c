// SPDX-License-Identifier: Apache-2.0
// The event stream parser: every way a stream may be cut must give the same events.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/sse.h"

enum { SEEN_MAX = 4096 };

struct seen {
    char text[SEEN_MAX];
    int events, stop_after;
};

static bool on_event(void *ctx, const char *event, struct str data)
{
    struct seen *s = ctx;
    size_t n = strlen(s->text);
    snprintf(s->text + n, sizeof s->text - n, "[%s:%.*s]", event, STR_ARG(data));
    return ++s->events != s->stop_after;
}

static const char stream[] = ": remark\n\nid: 1\ndata: one\n\nevent: end\r\ndata: two\r\ndata:three\r\n\r\nid: 3\n\n"
                             "data\n\nid: 4\ndata: cut";
static const char expected[] = "[message:one][end:two\nthree][message:]";

static void every_cut_gives_the_same_events(void **state)
{
    (void)state;
    for (size_t first = 0; first < sizeof stream; first++) {
        for (size_t second = first; second < sizeof stream; second++) {
            struct sse s;
            struct seen seen = {0};
            sse_init(&s);
            assert_true(sse_feed(&s, (struct str){stream, first}, on_event, &seen));
            assert_true(sse_feed(&s, (struct str){stream + first, second - first}, on_event, &seen));
            assert_true(sse_feed(&s, (struct str){stream + second, sizeof stream - 1 - second}, on_event, &seen));
            assert_string_equal(seen.text, expected);
            assert_string_equal(s.last_id, "3"); // 4 belongs to an event that never ended
            sse_restart(&s);
            assert_true(sse_feed(&s, STR("data: new\n\n"), on_event, &seen));
            assert_string_equal(s.last_id, "3");
            assert_non_null(strstr(seen.text, "[message:new]"));
            sse_release(&s);
        }
    }
}

static void the_listener_may_stop(void **state)
{
    (void)state;
    struct sse s;
    struct seen seen = {.stop_after = 1};
    sse_init(&s);
    assert_false(sse_feed(&s, STR("data: a\n\ndata: b\n\n"), on_event, &seen));
    assert_string_equal(seen.text, "[message:a]");
    sse_release(&s);
}

static void an_endless_line_is_cut_at_the_bound(void **state)
{
    (void)state;
    static char block[64 << 10];
    struct sse s;
    struct seen seen = {0};
    memset(block, 'x', sizeof block);
    sse_init(&s);
    sse_feed(&s, STR("data: "), on_event, &seen);
    for (int i = 0; i < 64; i++)
        assert_true(sse_feed(&s, (struct str){block, sizeof block}, on_event, &seen));
    assert_true(s.line.n <= SSE_EVENT_MAX);
    sse_release(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cut_gives_the_same_events),
        cmocka_unit_test(the_listener_may_stop),
        cmocka_unit_test(an_endless_line_is_cut_at_the_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
