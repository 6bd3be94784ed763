// SPDX-License-Identifier: Apache-2.0
// Templates over notifications: names, zones, missing values, what cannot be reached; previews of every
// channel.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/json.h"
#include "notify/template.h"

static struct arena arena;
static struct channel_env env;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, 64 * 1024 * 1024);
    env = (struct channel_env){
        .clock = clock_real(), .zones = zones_new(NULL), .mail_from = STR("c@example.com")};
    return 0;
}
static int tear_down(void **state)
{
    (void)state;
    zones_free(env.zones);
    arena_release(&arena);
    return 0;
}

static void templates_are_filled(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
        enum escape escape;
    } cases[] = {
        {"{{job.name}}: {{run.error}}", "nightly-export: the script ended with exit code 1", ESCAPE_NONE},
        {"{{run.scheduledTime|tz}} {{run.scheduledTime|tz:America/New_York}}",
         "2026-11-23 02:30:00 CET 2026-11-22 20:30:00 EST", ESCAPE_NONE},
        {"{{run.durationMs|dur}} {{event|upper}} {{#job.tags}}#{{.}} {{/job.tags}}",
         "41.0 s FAILED #nightly #finance ", ESCAPE_NONE},
        {"{{#run.log}}{{.|lines:1}}{{/run.log}}", "export.csv: no space left on device", ESCAPE_NONE},
        {"{{owner|json}}{\"a\":{{run.log|json}}}",
         "null{\"a\":\"fetching 1204 rows\\nexport.csv: no space left on device\"}", ESCAPE_JSON},
        {"{{title}} {{cluster}} {{streak}}", "FAILED | nightly-export main 3", ESCAPE_NONE},
        {"{{digest|lines:1}}[{{node}}]", "[]", ESCAPE_NONE},
    };
    struct notification n;
    struct err err;
    notification_sample(NOTICE_FAILED, &n);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct str got;
        if (!notify_template_fill(&env, str_of(cases[i].text), cases[i].escape, &n, &got, &arena, &err))
            fail_msg("%s: %s", cases[i].text, err.text);
        assert_string_equal(got.p, cases[i].want);
    }
}

static void faults_are_found_at_save(void **state)
{
    (void)state;
    static const struct {
        const char *text, *fault;
    } cases[] = {
        {"{{run.eror}}", "line 1, column 1: there is no \"run.eror\"; did you mean \"run.error\"?"},
        {"x\n{{#run.error}}{{job.nam}}{{/run.error}}", "line 2, column 15: there is no \"job.nam\""},
        {"{{secret.TOKEN}}", "there is no \"secret.TOKEN\""},
        {"{{config.url}}", "there is no \"config.url\""},
        {"{{run.error|raw}}", "there is no filter \"raw\""},
        {"{{{run.error}}}", "always escaped"},
        {"{{run.error|tz}}", "wants a time"},
        {"{{at|tz:Mars/Olympus}}", "Mars/Olympus"},
        {"{{at|dur}}", "milliseconds"},
        {"{{#run}}", "not closed"},
        {"\xff", "UTF-8"},
    };
    struct err err;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_false(notify_template_check(&env, str_of(cases[i].text), &err));
        if (!strstr(err.text, cases[i].fault))
            fail_msg("%s: %s", cases[i].text, err.text);
    }
    assert_true(notify_template_check(&env, STR_NONE, &err));
    assert_true(notify_template_check(
        &env, STR("{{#node}}{{node}}{{/node}}{{^digest}}-{{/digest}}{{subject}}{{text}}{{url|url}}"), &err));
    char *big = arena_alloc(&arena, NOTIFY_TEMPLATE_MAX + 1);
    memset(big, 'x', NOTIFY_TEMPLATE_MAX + 1);
    assert_false(notify_template_check(&env, (struct str){big, NOTIFY_TEMPLATE_MAX + 1}, &err));
    assert_int_equal(err.code, ERR_TOO_LARGE);
}

static void what_is_missing_is_empty(void **state)
{
    (void)state;
    struct notification n = {.event = NOTICE_NODE_DOWN,
                             .at = instant_s(1),
                             .attempt = FIELD_ABSENT,
                             .node = STR("n1"),
                             .exit_code = FIELD_ABSENT,
                             .streak = FIELD_ABSENT};
    struct str got;
    struct err err;
    n.scheduled = n.started = n.ended = n.next_fire = INSTANT_NEVER;
    assert_true(
        notify_template_fill(&env,
                             STR("{{node}}[{{run.error}}{{run.scheduledTime|tz}}{{run.durationMs|dur}}{{"
                                 "job.name|upper}}{{run.exitCode|default:none}}{{#job.tags}}x{{/job.tags}}]"),
                             ESCAPE_NONE, &n, &got, &arena, &err));
    assert_string_equal(got.p, "n1[none]");
    assert_true(notify_subject_fill(&env, STR(" {{node}}\r\nBcc: x@y.z "), &n, &got, &arena, &err));
    assert_string_equal(got.p, "n1 Bcc: x@y.z");
}

static void every_channel_previews_every_event(void **state)
{
    (void)state;
    struct err err;
    for (size_t c = 0; channels[c]; c++)
        for (int event = 0; event < NOTICE_EVENTS; event++) {
            struct template_preview p;
            void *config = arena_alloc(&arena, channels[c]->config_size);
            field_defaults(channels[c]->config, config);
            if (!template_preview(&env, channels[c], config, STR("{{job.name}} <b>"),
                                  STR("*{{run.error}}* {{event}}"), event, NULL, &p, &arena, &err))
                fail_msg("%s: %s", channels[c]->name, err.text);
            assert_string_equal(p.subject.p, event == NOTICE_NODE_DOWN ? "<b>" : "nightly-export <b>");
            assert_true(
                str_ends(p.text, str_of(channels[c]->escape == ESCAPE_MARKDOWN && event == NOTICE_NODE_DOWN
                                            ? "node\\_down"
                                            : notice_event_names[event])));
            if (!str_is(str_of(channels[c]->name), "HTTP")) {
                json_t *v CLEANUP_JSON = NULL;
                assert_true(json_parse(p.message, &v, &err));
            }
        }
    struct template_preview p;
    assert_false(template_preview(&env, channels[0], NULL, STR_NONE, STR("{{x"), 0, NULL, &p, &arena, &err));
    assert_string_equal(err.field, "/text");
    assert_false(
        template_preview(&env, channels[0], NULL, STR("{{#x}}"), STR_NONE, 0, NULL, &p, &arena, &err));
    assert_string_equal(err.field, "/subject");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(templates_are_filled),
        cmocka_unit_test(faults_are_found_at_save),
        cmocka_unit_test(what_is_missing_is_empty),
        cmocka_unit_test(every_channel_previews_every_event),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
