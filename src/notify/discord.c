// SPDX-License-Identifier: Apache-2.0
// DISCORD: one embed for a webhook of a channel.
//
// Limits, past which Discord answers 400: title 256, description 4,096, a field's value 1,024, 25 fields, all
// together 6,000 characters. Nobody is mentioned, whatever the texts say.
#include "notify/post.h"
#include "notify/text.h"
#include "notify/view.h"

enum {
    TITLE_UNITS = 256,
    DESCRIPTION_UNITS = 4000,
    SENTENCE_UNITS = 600,
    ERROR_UNITS = 800,
    LOG_UNITS = 1800,
    FACT_UNITS = 120,
    FOOT_UNITS = 200,
    MESSAGE_BYTES = 30000,
};

struct discord_config {
    struct str url;
};

#define T struct discord_config
static const struct field discord_rows[] = {
    FIELD_STR(T, url, "url", .flags = FIELD_REQUIRED | FIELD_SECRET, .max = POST_URL_MAX,
              .doc = "URL of the webhook: https://discord.com/api/webhooks/…"),
};
#undef T
static const struct fields discord_fields =
    FIELDS("DiscordChannel", struct discord_config, discord_rows, .doc = "A webhook of Discord.");

static void discord_check(const void *config, struct str base, struct faults *faults, struct arena *scratch)
{
    const struct discord_config *c = config;
    (void)scratch;
    post_check_url(c->url, base, "url", faults);
    bool of_discord =
        str_contains(c->url, STR("//discord.com/")) || str_contains(c->url, STR("//discordapp.com/"));
    if (of_discord && !str_contains(c->url, STR("/api/webhooks/")))
        faults_add(
            faults, post_pointer(base, "url", faults),
            "must be https://discord.com/api/webhooks/…; copy it from the channel's settings, Integrations");
}

static void put_fields(struct sbuf *out, const struct fact *v, size_t n, struct arena *a)
{
    text_key(out, "fields");
    sbuf_putc(out, '[');
    for (size_t i = 0; i < n; i++) {
        text_comma(out);
        sbuf_puts(out, "{\"inline\":true");
        text_member(out, "name", str_of(v[i].name));
        text_member(out, "value", text_fit(v[i].value, TEXT_HEAD, ESCAPE_MARKDOWN, FACT_UNITS, a));
        sbuf_putc(out, '}');
    }
    sbuf_putc(out, ']');
}

static struct str description(const struct view *v, struct arena *a)
{
    struct sbuf b;
    if (v->text.n > 0)
        return text_head(v->text, DESCRIPTION_UNITS, a);
    sbuf_init(&b, a, a->budget);
    sbuf_put(&b, text_fit(v->sentence, TEXT_HEAD, ESCAPE_MARKDOWN, SENTENCE_UNITS, a));
    if (v->digest.n > 0)
        sbuf_fmt(&b, "\n%.*s", STR_ARG(text_fit(v->digest, TEXT_HEAD, ESCAPE_MARKDOWN, LOG_UNITS, a)));
    if (v->run.error.n > 0)
        sbuf_fmt(&b, "\n%.*s", STR_ARG(text_code(v->run.error, TEXT_HEAD, ESCAPE_NONE, ERROR_UNITS, a)));
    // A digest and a log are not told together.
    if (v->run.log.n > 0 && v->digest.n == 0)
        sbuf_fmt(&b, "\n%.*s", STR_ARG(text_code(v->run.log, TEXT_TAIL, ESCAPE_NONE, LOG_UNITS, a)));
    return sbuf_ok(&b) ? sbuf_str(&b) : v->sentence;
}

struct embed {
    const struct channel_env *env;
    enum view_mood mood;
    struct instant at;
};

static void write_message(void *ctx, const struct view *v, struct sbuf *out, struct arena *a)
{
    static const int colours[] = {
        [MOOD_BAD] = 0xb00020, [MOOD_GOOD] = 0x1b7f3b, [MOOD_WARNING] = 0xb26a00, [MOOD_NEUTRAL] = 0x5f6b7a};
    const struct embed *e = ctx;
    struct fact facts[FACTS_MAX];
    char time[INSTANT_TEXT_MAX];
    size_t n = v->text.n > 0 ? 0 : view_facts(e->env, v, facts, a);
    struct str title = v->subject.n > 0 ? v->subject : v->title;
    sbuf_puts(out, "{\"allowed_mentions\":{\"parse\":[]},\"embeds\":[{");
    text_member(out, "title", text_fit(title, TEXT_HEAD, ESCAPE_MARKDOWN, TITLE_UNITS, a));
    text_member(out, "url", v->url);
    text_member(out, "description", description(v, a));
    text_key(out, "color");
    sbuf_i64(out, colours[e->mood]);
    text_member(out, "timestamp", instant_is_never(e->at) ? STR_NONE : str_of(instant_format(e->at, time)));
    if (n > 0)
        put_fields(out, facts, n, a);
    text_key(out, "footer");
    sbuf_putc(out, '{');
    text_member(out, "text", text_head(arena_fmt(a, "Chronos %.*s", STR_ARG(v->cluster)), FOOT_UNITS, a));
    sbuf_puts(out, "}}]}");
}

static bool discord_render(const struct channel_env *env, const void *config, const struct notification *n,
                           struct sbuf *out, struct arena *a, struct err *err)
{
    struct embed e = {.env = env, .mood = view_mood(n->event), .at = n->at};
    (void)config;
    return view_write(n, MESSAGE_BYTES, write_message, &e, out, a, err);
}

static void discord_send(const struct channel_env *env, const void *config, const struct notification *n,
                         struct channel_result *ret, struct arena *a)
{
    const struct discord_config *c = config;
    struct post p = {.target = "Discord", .url = c->url, .content_type = STR("application/json")};
    post_rendered(env, discord_render, config, n, &p, ret, a);
}

const struct channel channel_discord = {
    .name = "DISCORD",
    .doc = "A message in a channel of Discord, by a webhook.",
    .config = &discord_fields,
    .config_size = sizeof(struct discord_config),
    .escape = ESCAPE_MARKDOWN,
    .check = discord_check,
    .send = discord_send,
    .render = discord_render,
};
