// SPDX-License-Identifier: Apache-2.0
// Every channel's message against the limits of its target, with absurd inputs; what is refused at save.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/json.h"
#include "notify/template.h"
#include "notify/text.h"

enum { MEGABYTE = 1024 * 1024, BUDGET = 64 * MEGABYTE };

static struct arena arena;
static struct channel_env env;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, BUDGET);
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

// ---- inputs ----

static struct str repeated(const char *part, size_t bytes)
{
    size_t n = strlen(part);
    char *p = arena_alloc(&arena, bytes + n);
    for (size_t at = 0; at < bytes; at += n)
        memcpy(p + at, part, n);
    return (struct str){p, bytes}; // the last part may be cut, inside of a character too
}

// Every text of the notification is this one.
static struct notification absurd(int event, struct str text)
{
    struct notification n;
    notification_sample(event, &n);
    struct str *const texts[] = {&n.id,       &n.source,   &n.job_name,    &n.job_type,      &n.owner,
                                 &n.timezone, &n.status,   &n.error_class, &n.error_message, &n.run_key,
                                 &n.log_tail, &n.incident, &n.node,        &n.digest,        &n.subject,
                                 &n.text};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        *texts[i] = text;
    n.tags.n = 100;
    n.tags.v = arena_new_array(&arena, struct str, n.tags.n);
    for (size_t i = 0; i < n.tags.n; i++)
        n.tags.v[i] = text;
    return n;
}

static struct str render(const struct channel *c, const char *config, const struct notification *n)
{
    void *decoded = arena_alloc(&arena, c->config_size);
    struct faults faults;
    struct sbuf out;
    struct err err;
    json_t *v CLEANUP_JSON = NULL;
    faults_init(&faults, &arena);
    assert_true(json_parse(str_of(config), &v, &err));
    if (!field_decode(c->config, v, FIELD_DECODE_STRICT, STR(""), decoded, &arena, &faults))
        fail_msg("%s: %.*s", c->name, STR_ARG(faults.v[0].detail));
    sbuf_init(&out, &arena, 4 * MEGABYTE);
    if (!c->render(&env, decoded, n, &out, &arena, &err))
        fail_msg("%s, %s: %s", c->name, notice_event_names[n->event], err.text);
    return sbuf_str(&out);
}

#define SECRET "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
static const struct {
    const char *name, *config;
} configs[] = {
    {"WEBHOOK", "{\"url\":\"https://example.com/\",\"secrets\":[\"" SECRET "\"]}"},
    {"WEBHOOK", "{\"url\":\"https://example.com/\",\"secrets\":[\"" SECRET "\"],\"format\":\"cloudevents\"}"},
    {"EMAIL", "{\"to\":[\"ann@example.com\"],\"replyTo\":\"Jörg <j@example.com>\"}"},
    {"SLACK", "{\"url\":\"https://hooks.slack.com/services/T0/B0/x\"}"},
    {"TEAMS", "{\"url\":\"https://prod-01.westeurope.logic.azure.com/workflows/x\"}"},
    {"DISCORD", "{\"url\":\"https://discord.com/api/webhooks/1/x\"}"},
    {"PAGERDUTY", "{\"routingKey\":\"0123456789abcdef0123456789abcdef\"}"},
    {"ALERTMANAGER", "{\"url\":\"http://alertmanager:9093\",\"labels\":{\"team\":\"x\"}}"},
    {"HTTP",
     "{\"url\":\"https://ntfy.example.com/"
     "{{job.name|url}}\",\"body\":\"{\\\"topic\\\":\\\"jobs\\\",\\\"title\\\":"
     "{{title|json}},\\\"message\\\":\\\"{{run.error|trunc:500}}\\\",\\\"code\\\":{{run.exitCode|json}}}\"}"},
};
enum { CONFIGS = sizeof configs / sizeof configs[0] };

// ---- limits ----

static size_t units(const json_t *v) { return text_units(json_str(v)); }

static void check_slack(const json_t *m)
{
    const json_t *blocks = json_object_get(m, "blocks"), *field;
    size_t all = 0, i;
    assert_true(units(json_object_get(m, "text")) > 0 && units(json_object_get(m, "text")) <= 3000);
    assert_true(json_array_size(blocks) <= 50);
    for (size_t k = 0; k < json_array_size(blocks); k++) {
        const json_t *b = json_array_get(blocks, k),
                     *text = json_object_get(json_object_get(b, "text"), "text");
        bool header = str_is(json_str(json_object_get(b, "type")), "header");
        assert_true(units(text) <= (header ? 150u : 3000u));
        all += units(text);
        assert_true(json_array_size(json_object_get(b, "fields")) <= 10);
        json_array_foreach(json_object_get(b, "fields"), i, field)
        {
            assert_in_range(units(json_object_get(field, "text")), 1, 2000);
            all += units(json_object_get(field, "text"));
        }
    }
    assert_true(all < 13000);
}

static void check_discord(const json_t *m)
{
    const json_t *e = json_array_get(json_object_get(m, "embeds"), 0), *f;
    const json_t *fields = json_object_get(e, "fields");
    size_t i, all = units(json_object_get(e, "title")) + units(json_object_get(e, "description")) +
                    units(json_object_get(json_object_get(e, "footer"), "text"));
    assert_in_range(units(json_object_get(e, "title")), 1, 256);
    assert_in_range(units(json_object_get(e, "description")), 1, 4096);
    assert_true(json_array_size(fields) <= 25);
    json_array_foreach(fields, i, f)
    {
        assert_in_range(units(json_object_get(f, "name")), 1, 256);
        assert_in_range(units(json_object_get(f, "value")), 1, 1024);
        all += units(json_object_get(f, "name")) + units(json_object_get(f, "value"));
    }
    assert_true(all <= 6000);
    assert_int_equal(json_array_size(json_object_get(json_object_get(m, "allowed_mentions"), "parse")), 0);
}

static void check_limits(const char *name, struct str message, const json_t *m)
{
    if (!strcmp(name, "WEBHOOK"))
        assert_true(message.n <= 20 * 1024);
    if (!strcmp(name, "TEAMS"))
        assert_true(message.n <= 28000);
    if (!strcmp(name, "SLACK"))
        check_slack(m);
    if (!strcmp(name, "DISCORD"))
        check_discord(m);
    if (!strcmp(name, "PAGERDUTY")) {
        assert_true(message.n <= 512 * 1024 && units(json_object_get(m, "dedup_key")) <= 255);
        const json_t *payload = json_object_get(m, "payload");
        assert_true(!payload || (units(json_object_get(payload, "summary")) <= 1024 &&
                                 units(json_object_get(payload, "source")) > 0));
    }
    if (!strcmp(name, "EMAIL")) {
        struct str html = json_str(json_object_get(m, "html")),
                   subject = json_str(json_object_get(m, "subject"));
        assert_true(html.n <= 20 * 1024 && text_units(subject) <= 200);
        assert_true(str_find(subject, '\n') == subject.n && str_find(subject, '\r') == subject.n);
        assert_true(json_str(json_object_get(m, "text")).n > 0);
    }
}

static void limits_hold_for_absurd_inputs(void **state)
{
    (void)state;
    static const char *const parts[] = {"x",
                                        "\"",
                                        "\\",
                                        "<",
                                        "&<>\"'",
                                        "\n",
                                        "\x1b[31m",
                                        "\x01\x02",
                                        "\xff",
                                        "\U0001f600",
                                        "`",
                                        "*_~`#|[x](y)",
                                        "<!channel> <@U1> @everyone ",
                                        "{{run.error}}",
                                        "\r\nBcc: eve@example.com\r\n\r\n",
                                        "\xe2\x80\xa8",
                                        "</td></table><script>alert(1)</script>"};
    for (size_t p = 0; p < sizeof parts / sizeof parts[0]; p++) {
        for (size_t c = 0; c < CONFIGS; c++)
            for (int event = 0; event < NOTICE_EVENTS; event += 1 + (p > 3)) {
                arena_reset(&arena);
                struct str text = repeated(parts[p], event == NOTICE_FAILED ? MEGABYTE : 20000 + p);
                struct notification n = absurd(event, text);
                if (c % 2)
                    n.subject = n.text = STR_NONE;
                struct str message = render(channel_find(str_of(configs[c].name)), configs[c].config, &n);
                json_t *m CLEANUP_JSON = NULL;
                struct err err;
                assert_true(str_utf8_valid(message));
                if (!json_parse(message, &m, &err))
                    fail_msg("%s, \"%s\": %s", configs[c].name, parts[p], err.text);
                check_limits(configs[c].name, message, m);
            }
    }
}

static void nothing_gets_out_of_its_place(void **state)
{
    (void)state;
    struct notification n;
    notification_sample(NOTICE_FAILED, &n);
    n.subject = n.text = STR_NONE;
    n.job_name = STR("<b>a</b> *x* <!channel> [l](http://e)");
    n.error_message = STR("</p><script>alert(1)</script> @everyone ``` <@U1>");
    n.log_tail = n.error_message;
    struct str mail = render(channel_find(STR("EMAIL")), configs[2].config, &n);
    assert_false(str_contains(mail, STR("<script")) && !str_contains(mail, STR("&lt;script")));
    json_t *m CLEANUP_JSON = NULL;
    struct err err;
    assert_true(json_parse(mail, &m, &err));
    assert_false(str_contains(json_str(json_object_get(m, "html")), STR("<script")));
    assert_false(str_contains(json_str(json_object_get(m, "html")), STR("<b>")));
    assert_true(str_contains(json_str(json_object_get(m, "text")), STR("<script>")));
    struct str slack = render(channel_find(STR("SLACK")), configs[3].config, &n);
    json_t *s CLEANUP_JSON = NULL;
    assert_true(json_parse(slack, &s, &err));
    assert_false(str_contains(json_str(json_object_get(s, "text")), STR("<!channel>")));
    // As a plain_text header it stands as written; in mrkdwn never.
    const json_t *sections = json_object_get(s, "blocks");
    for (size_t i = 1; i < json_array_size(sections); i++) {
        struct str text =
            json_str(json_object_get(json_object_get(json_array_get(sections, i), "text"), "text"));
        assert_false(str_contains(text, STR("<!")) || str_contains(text, STR("<@")));
    }
    struct str discord = render(channel_find(STR("DISCORD")), configs[5].config, &n);
    assert_true(str_contains(discord, STR("\\\\<b\\\\>a\\\\</b\\\\> \\\\*x\\\\*")));
}

static void alerts_begin_and_end_alike(void **state)
{
    (void)state;
    struct notification failed, recovered;
    struct err err;
    const char *labels[2] = {NULL, NULL};
    json_t *a CLEANUP_JSON = NULL;
    json_t *b CLEANUP_JSON = NULL;
    notification_sample(NOTICE_FAILED, &failed);
    notification_sample(NOTICE_RECOVERED, &recovered);
    recovered.run_id = ULID_ZERO;
    recovered.at = instant_add(failed.at, duration_s(60));
    assert_true(json_parse(render(channel_find(STR("ALERTMANAGER")), configs[7].config, &failed), &a, &err));
    assert_true(
        json_parse(render(channel_find(STR("ALERTMANAGER")), configs[7].config, &recovered), &b, &err));
    labels[0] = json_dumps(json_object_get(json_array_get(a, 0), "labels"), JSON_SORT_KEYS);
    for (size_t i = 0; i < json_array_size(b); i++) {
        const json_t *alert = json_array_get(b, i);
        assert_string_equal(json_string_value(json_object_get(alert, "endsAt")), "2026-11-23T01:31:42.000Z");
        char *text = json_dumps(json_object_get(alert, "labels"), JSON_SORT_KEYS);
        if (strcmp(text, labels[0]) == 0)
            labels[1] = "found";
        free(text);
    }
    assert_non_null(labels[1]);
    free((char *)labels[0]);
    json_t *p CLEANUP_JSON = NULL;
    json_t *q CLEANUP_JSON = NULL;
    assert_true(json_parse(render(channel_find(STR("PAGERDUTY")), configs[6].config, &failed), &p, &err));
    assert_true(json_parse(render(channel_find(STR("PAGERDUTY")), configs[6].config, &recovered), &q, &err));
    assert_string_equal(json_string_value(json_object_get(p, "event_action")), "trigger");
    assert_string_equal(json_string_value(json_object_get(q, "event_action")), "resolve");
    assert_string_equal(json_string_value(json_object_get(p, "dedup_key")),
                        json_string_value(json_object_get(q, "dedup_key")));
    assert_string_equal(json_string_value(json_object_get(p, "routing_key")), "***");
}

// ---- at save ----

static void bad_configurations_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *channel, *config, *pointer, *detail;
    } cases[] = {
        {"WEBHOOK", "{\"url\":\"ftp://x/\",\"secrets\":[\"" SECRET "\"]}", "/url", "http"},
        {"WEBHOOK", "{\"url\":\"https://u:p@x/\",\"secrets\":[\"" SECRET "\"]}", "/url", "user"},
        {"WEBHOOK", "{\"url\":\"https://x/\"}", "/secrets", "openssl rand"},
        {"WEBHOOK", "{\"url\":\"https://x/\",\"secrets\":[\"whsec_c2hvcnQ=\"]}", "/secrets/0",
         "24 to 64 bytes"},
        {"WEBHOOK", "{\"url\":\"https://x/\",\"secrets\":[\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"]}",
         "/secrets/0", "whsec_"},
        {"WEBHOOK", "{\"url\":\"https://x/\",\"ed25519Key\":\"whsk_AAAA\"}", "/ed25519Key", "ed25519"},
        {"WEBHOOK",
         "{\"url\":\"https://x/\",\"secrets\":[\"" SECRET "\"],\"headers\":{\"Webhook-Id\":\"1\"}}",
         "/headers/Webhook-Id", "is set by Chronos"},
        {"WEBHOOK", "{\"url\":\"https://x/\",\"secrets\":[\"" SECRET "\"],\"headers\":{\"X\":\"a\\r\\nb\"}}",
         "/headers/X", ""},
        {"EMAIL", "{\"to\":[\"ann\"]}", "/to/0", "ann"},
        {"EMAIL", "{\"to\":[\"a@b.c\"],\"replyTo\":\"x\\ny@b.c\"}", "/replyTo", ""},
        {"SLACK", "{\"url\":\"https://hooks.slack.com/other\"}", "/url", "/services/"},
        {"TEAMS", "{\"url\":\"https://x.webhook.office.com/webhookb2/y\"}", "/url", "workflow"},
        {"DISCORD", "{\"url\":\"https://discord.com/channels/1\"}", "/url", "/api/webhooks/"},
        {"PAGERDUTY", "{\"routingKey\":\"short\"}", "/routingKey", "32"},
        {"ALERTMANAGER", "{\"url\":\"http://a:9093/api/v2/alerts\"}", "/url", "leave /api"},
        {"ALERTMANAGER", "{\"url\":\"http://a:9093\",\"labels\":{\"a-b\":\"1\"}}", "/labels/a-b", "letters"},
        {"ALERTMANAGER", "{\"url\":\"http://a:9093\",\"labels\":{\"job\":\"1\"}}", "/labels/job",
         "another name"},
        {"HTTP", "{\"url\":\"https://{{node}}/\"}", "/url", "path and query only"},
        {"HTTP", "{\"url\":\"https://x/{{jobname}}\"}", "/url", "line 1, column 11: there is no \"jobname\""},
        {"HTTP", "{\"url\":\"https://x/\",\"body\":\"{\\\"a\\\":{{run.error}}}\"}", "/body", "no valid JSON"},
        {"HTTP", "{\"url\":\"https://x/\",\"body\":\"{\\\"a\\\":{{run.exitCode}}}\"}", "/body",
         "where values are missing"},
        {"HTTP", "{\"url\":\"https://x/\",\"method\":\"GET\",\"body\":\"x\"}", "/body", "not sent with GET"},
        {"HTTP", "{\"url\":\"https://x/\",\"contentType\":\"text/plain\\r\\nX: y\"}", "/contentType", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct channel *c = channel_find(str_of(cases[i].channel));
        void *config = arena_alloc(&arena, c->config_size);
        struct faults faults;
        struct err err;
        json_t *v CLEANUP_JSON = NULL;
        faults_init(&faults, &arena);
        assert_true(json_parse(str_of(cases[i].config), &v, &err));
        (void)field_decode(c->config, v, FIELD_DECODE_STRICT, STR("/config"), config, &arena, &faults);
        if (faults.n == 0)
            c->check(config, STR("/config"), &faults, &arena);
        if (faults.n != 1 || !str_ends(faults.v[0].pointer, str_of(cases[i].pointer)) ||
            !str_contains(faults.v[0].detail, str_of(cases[i].detail)))
            fail_msg("%s: %zu faults, %.*s: %.*s", cases[i].config, faults.n,
                     faults.n ? (int)faults.v[0].pointer.n : 0, faults.n ? faults.v[0].pointer.p : "",
                     faults.n ? (int)faults.v[0].detail.n : 0, faults.n ? faults.v[0].detail.p : "");
    }
    for (size_t i = 0; i < CONFIGS; i++) {
        const struct channel *c = channel_find(str_of(configs[i].name));
        void *config = arena_alloc(&arena, c->config_size);
        struct faults faults;
        struct err err;
        json_t *v CLEANUP_JSON = NULL;
        faults_init(&faults, &arena);
        assert_true(json_parse(str_of(configs[i].config), &v, &err));
        (void)field_decode(c->config, v, FIELD_DECODE_STRICT, STR(""), config, &arena, &faults);
        c->check(config, STR(""), &faults, &arena);
        if (faults.n > 0)
            fail_msg("%s: %.*s %.*s", configs[i].config, STR_ARG(faults.v[0].pointer),
                     STR_ARG(faults.v[0].detail));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_hold_for_absurd_inputs),
        cmocka_unit_test(nothing_gets_out_of_its_place),
        cmocka_unit_test(alerts_begin_and_end_alike),
        cmocka_unit_test(bad_configurations_are_named),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
