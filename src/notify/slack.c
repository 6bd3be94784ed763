// SPDX-License-Identifier: Apache-2.0
// SLACK: an incoming webhook of Slack, or of what speaks its language (Mattermost, Rocket.Chat).
//
// Limits: 150 characters in a header, 3,000 in a section, 2,000 in a field, 10 fields, 50 blocks; beyond
// about 13,000 in all Slack answers invalid_blocks without saying why.
#include "notify/post.h"
#include "notify/text.h"
#include "notify/view.h"

enum {
    HEADER_UNITS = 150,
    SECTION_UNITS = 2900,
    ERROR_UNITS = 1500,
    LOG_UNITS = 2500,
    FIELD_UNITS = 300,
    FIELDS_SHOWN = 10,
    MESSAGE_BYTES = 38000,
};
static const char slack_host[] = "hooks.slack.com";

struct slack_config {
    struct str url;
};

#define T struct slack_config
static const struct field slack_rows[] = {
    FIELD_STR(T, url, "url", .flags = FIELD_REQUIRED | FIELD_SECRET, .max = POST_URL_MAX,
              .doc = "URL of the incoming webhook: https://hooks.slack.com/services/…"),
};
#undef T
static const struct fields slack_fields =
    FIELDS("SlackChannel", struct slack_config, slack_rows, .doc = "An incoming webhook of Slack.");

static void slack_check(const void *config, struct str base, struct faults *faults, struct arena *scratch)
{
    const struct slack_config *c = config;
    (void)scratch;
    post_check_url(c->url, base, "url", faults);
    bool hooks = str_starts(c->url, STR("https://hooks.slack.com/services/")) ||
                 str_starts(c->url, STR("https://hooks.slack.com/workflows/"));
    if (str_contains(c->url, str_of(slack_host)) && !hooks)
        faults_add(faults, post_pointer(base, "url", faults),
                   "must begin with https://hooks.slack.com/services/; copy it from the page of the incoming "
                   "webhook");
}

// ---- blocks ----

static void put_section(struct sbuf *out, struct str mrkdwn)
{
    text_comma(out);
    sbuf_puts(out, "{\"type\":\"section\",\"text\":{\"type\":\"mrkdwn\"");
    text_member(out, "text", mrkdwn);
    sbuf_puts(out, "}}");
}

static void put_fields(struct sbuf *out, const struct fact *v, size_t n, struct arena *a)
{
    text_comma(out);
    sbuf_puts(out, "{\"type\":\"section\",\"fields\":[");
    for (size_t i = 0; i < n && i < FIELDS_SHOWN; i++) {
        struct str value = text_fit(v[i].value, TEXT_HEAD, ESCAPE_MRKDWN, FIELD_UNITS, a);
        text_comma(out);
        sbuf_puts(out, "{\"type\":\"mrkdwn\"");
        text_member(out, "text", arena_fmt(a, "*%s*\n%.*s", v[i].name, STR_ARG(value)));
        sbuf_puts(out, "}");
    }
    sbuf_puts(out, "]}");
}

static void put_own_words(const struct channel_env *env, const struct view *v, struct sbuf *out,
                          struct arena *a)
{
    struct fact facts[FACTS_MAX];
    size_t n = view_facts(env, v, facts, a);
    put_section(out, text_fit(v->sentence, TEXT_HEAD, ESCAPE_MRKDWN, SECTION_UNITS, a));
    if (v->digest.n > 0)
        put_section(out, text_fit(v->digest, TEXT_HEAD, ESCAPE_MRKDWN, SECTION_UNITS, a));
    if (v->run.error.n > 0)
        put_section(out, text_code(v->run.error, TEXT_HEAD, ESCAPE_MRKDWN, ERROR_UNITS, a));
    if (n > 0)
        put_fields(out, facts, n, a);
    if (v->run.log.n > 0)
        put_section(out, text_code(v->run.log, TEXT_TAIL, ESCAPE_MRKDWN, LOG_UNITS, a));
}

static void put_foot(const struct view *v, struct sbuf *out, struct arena *a)
{
    struct str cluster = text_fit(v->cluster, TEXT_HEAD, ESCAPE_MRKDWN, FIELD_UNITS, a);
    struct str url = text_fit(v->url, TEXT_HEAD, ESCAPE_MRKDWN, SECTION_UNITS / 2, a);
    bool linked = url.n > 0 && str_find(url, '|') == url.n;
    text_comma(out);
    sbuf_puts(out, "{\"type\":\"context\",\"elements\":[{\"type\":\"mrkdwn\"");
    text_member(out, "text",
                linked ? arena_fmt(a, "<%.*s|Open> · Chronos %.*s", STR_ARG(url), STR_ARG(cluster))
                       : arena_fmt(a, "Chronos %.*s", STR_ARG(cluster)));
    sbuf_puts(out, "}]}");
}

static void write_message(void *ctx, const struct view *v, struct sbuf *out, struct arena *a)
{
    struct str title = v->subject.n > 0 ? v->subject : v->title;
    struct str summary = arena_fmt(a, "%.*s: %.*s", STR_ARG(title), STR_ARG(v->sentence));
    sbuf_putc(out, '{');
    text_member(out, "text",
                text_fit(v->subject.n > 0 ? title : summary, TEXT_HEAD, ESCAPE_MRKDWN, SECTION_UNITS, a));
    text_key(out, "blocks");
    sbuf_puts(out, "[{\"type\":\"header\",\"text\":{\"type\":\"plain_text\",\"emoji\":false");
    text_member(out, "text", text_head(title, HEADER_UNITS, a));
    sbuf_puts(out, "}}");
    if (v->text.n > 0)
        put_section(out, text_head(v->text, SECTION_UNITS, a));
    else
        put_own_words(ctx, v, out, a);
    put_foot(v, out, a);
    sbuf_puts(out, "]}");
}

static bool slack_render(const struct channel_env *env, const void *config, const struct notification *n,
                         struct sbuf *out, struct arena *a, struct err *err)
{
    (void)config;
    return view_write(n, MESSAGE_BYTES, write_message, (void *)env, out, a, err);
}

static void slack_send(const struct channel_env *env, const void *config, const struct notification *n,
                       struct channel_result *ret, struct arena *a)
{
    const struct slack_config *c = config;
    struct post p = {
        .target = "Slack", .url = c->url, .content_type = STR("application/json; charset=utf-8")};
    post_rendered(env, slack_render, config, n, &p, ret, a);
}

const struct channel channel_slack = {
    .name = "SLACK",
    .doc = "A message in a channel of Slack, by an incoming webhook.",
    .config = &slack_fields,
    .config_size = sizeof(struct slack_config),
    .escape = ESCAPE_MRKDWN,
    .check = slack_check,
    .send = slack_send,
    .render = slack_render,
};
