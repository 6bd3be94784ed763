// SPDX-License-Identifier: Apache-2.0
// TEAMS: an adaptive card for the URL of a Teams workflow ("when a Teams webhook request is received"). The
// older connectors and their message cards are gone. A workflow takes the card before it shows it, so its 202
// proves little.
//
// Texts of jobs go into RichTextBlocks, which know no markup; a card has at most 28 KB.
#include "net/http.h"
#include "notify/post.h"
#include "notify/text.h"
#include "notify/view.h"

enum {
    TITLE_UNITS = 250,
    TEXT_UNITS = 4000,
    ERROR_UNITS = 1500,
    LOG_UNITS = 2500,
    FACT_UNITS = 300,
    MESSAGE_BYTES = 25000,
    HTTP_ACCEPTED = 202,
};

struct teams_config {
    struct str url;
};

#define T struct teams_config
static const struct field teams_rows[] = {
    FIELD_STR(T, url, "url", .flags = FIELD_REQUIRED | FIELD_SECRET, .max = POST_URL_MAX,
              .doc = "URL of the workflow that posts to the channel."),
};
#undef T
static const struct fields teams_fields =
    FIELDS("TeamsChannel", struct teams_config, teams_rows, .doc = "A workflow of Microsoft Teams.");

static void teams_check(const void *config, struct str base, struct faults *faults, struct arena *scratch)
{
    const struct teams_config *c = config;
    (void)scratch;
    post_check_url(c->url, base, "url", faults);
    struct str host = http_url_host(c->url);
    if (str_ends(host, STR(".webhook.office.com")) || str_is(host, "outlook.office.com"))
        faults_add(
            faults, post_pointer(base, "url", faults),
            "is that of a connector, which Teams has taken away; make a workflow \"Send webhook alerts to a "
            "channel\" and copy its URL");
}

// ---- the card ----

static void put_run(struct sbuf *out, struct str text, const char *more)
{
    text_comma(out);
    sbuf_puts(out, "{\"type\":\"RichTextBlock\",\"inlines\":[{\"type\":\"TextRun\"");
    text_key(out, "text");
    sbuf_json(out, text);
    sbuf_fmt(out, "%s}", more);
    sbuf_puts(out, "]");
}

// Line by line: a run of text has no line ends.
static void put_lines(struct sbuf *out, struct str text, const char *more)
{
    for (bool first = true; text.p; first = false) {
        struct str line = str_split(text, '\n', &text);
        put_run(out, line.n > 0 ? line : STR(" "), more);
        sbuf_puts(out, first ? "}" : ",\"spacing\":\"None\"}");
    }
}

static void put_facts(struct sbuf *out, const struct fact *v, size_t n, struct arena *a)
{
    text_comma(out);
    sbuf_puts(out, "{\"type\":\"FactSet\",\"facts\":[");
    for (size_t i = 0; i < n; i++) {
        text_comma(out);
        sbuf_putc(out, '{');
        text_member(out, "title", str_of(v[i].name));
        text_member(out, "value", text_fit(v[i].value, TEXT_HEAD, ESCAPE_MARKDOWN, FACT_UNITS, a));
        sbuf_putc(out, '}');
    }
    sbuf_puts(out, "]}");
}

static void put_own_words(const struct channel_env *env, const struct view *v, struct sbuf *out,
                          struct arena *a)
{
    static const char mono[] = ",\"fontType\":\"Monospace\",\"size\":\"Small\"";
    struct fact facts[FACTS_MAX];
    size_t n = view_facts(env, v, facts, a);
    put_lines(out, v->sentence, "");
    if (v->digest.n > 0)
        put_lines(out, v->digest, "");
    if (v->run.error.n > 0)
        put_lines(out, text_head(v->run.error, ERROR_UNITS, a), mono);
    if (n > 0)
        put_facts(out, facts, n, a);
    if (v->run.log.n > 0)
        put_lines(out, text_tail(v->run.log, CHANNEL_LOG_TAIL_LINES, LOG_UNITS, a), mono);
}

struct card {
    const struct channel_env *env;
    enum view_mood mood;
};

static void write_message(void *ctx, const struct view *v, struct sbuf *out, struct arena *a)
{
    static const char *const colours[] = {[MOOD_BAD] = "Attention",
                                          [MOOD_GOOD] = "Good",
                                          [MOOD_WARNING] = "Warning",
                                          [MOOD_NEUTRAL] = "Default"};
    const struct card *c = ctx;
    struct str title = text_head(v->subject.n > 0 ? v->subject : v->title, TITLE_UNITS, a);
    const char *look =
        arena_fmt(a, ",\"weight\":\"Bolder\",\"size\":\"Medium\",\"color\":\"%s\"", colours[c->mood]).p;
    sbuf_puts(
        out,
        "{\"type\":\"message\",\"attachments\":[{\"contentType\":\"application/vnd.microsoft.card.adaptive\","
        "\"contentUrl\":null,\"content\":{\"$schema\":\"http://adaptivecards.io/schemas/adaptive-card.json\","
        "\"type\":\"AdaptiveCard\",\"version\":\"1.4\",\"msteams\":{\"width\":\"Full\"}");
    text_member(out, "fallbackText", title);
    text_key(out, "body");
    sbuf_putc(out, '[');
    put_run(out, title, look ? look : "");
    sbuf_putc(out, '}');
    if (v->text.n > 0) {
        text_comma(out);
        sbuf_puts(out, "{\"type\":\"TextBlock\",\"wrap\":true");
        text_member(out, "text", text_head(v->text, TEXT_UNITS, a));
        sbuf_putc(out, '}');
    } else {
        put_own_words(c->env, v, out, a);
    }
    sbuf_putc(out, ']');
    if (v->url.n > 0) {
        text_key(out, "actions");
        sbuf_puts(out, "[{\"type\":\"Action.OpenUrl\",\"title\":\"Open\"");
        text_member(out, "url", v->url);
        sbuf_puts(out, "}]");
    }
    sbuf_puts(out, "}}]}");
}

static bool teams_render(const struct channel_env *env, const void *config, const struct notification *n,
                         struct sbuf *out, struct arena *a, struct err *err)
{
    struct card c = {.env = env, .mood = view_mood(n->event)};
    (void)config;
    return view_write(n, MESSAGE_BYTES, write_message, &c, out, a, err);
}

static void teams_send(const struct channel_env *env, const void *config, const struct notification *n,
                       struct channel_result *ret, struct arena *a)
{
    const struct teams_config *c = config;
    struct post p = {.target = "Teams", .url = c->url, .content_type = STR("application/json")};
    post_rendered(env, teams_render, config, n, &p, ret, a);
    if (ret->verdict == CHANNEL_SENT && ret->code == HTTP_ACCEPTED) {
        channel_fail(ret, CHANNEL_SENT,
                     "Teams accepted it; whether it was shown only the workflow's history tells");
        ret->code = HTTP_ACCEPTED;
    }
}

const struct channel channel_teams = {
    .name = "TEAMS",
    .doc = "A card in a channel of Microsoft Teams, by a workflow.",
    .config = &teams_fields,
    .config_size = sizeof(struct teams_config),
    .escape = ESCAPE_MARKDOWN,
    .check = teams_check,
    .send = teams_send,
    .render = teams_render,
};
