// SPDX-License-Identifier: Apache-2.0
// PAGERDUTY: Events API v2. A failure triggers an incident, its recovery resolves it: both carry the same
// dedup_key. A test leaves nothing open: it triggers and resolves.
#include "notify/post.h"
#include "notify/text.h"
#include "notify/view.h"

enum {
    KEY_LENGTH = 32,
    SUMMARY_UNITS = 1024,
    SOURCE_UNITS = 255,
    DEDUP_UNITS = 255,
    MESSAGE_BYTES = 64 * 1024, // PagerDuty takes 512 KB
};
static const struct str enqueue_url = STR_INIT("https://events.pagerduty.com/v2/enqueue");

struct pagerduty_config {
    struct str routing_key, url;
};

#define T struct pagerduty_config
static const struct field pagerduty_rows[] = {
    FIELD_STR(T, routing_key, "routingKey", .flags = FIELD_REQUIRED | FIELD_SECRET, .max = KEY_LENGTH,
              .doc = "Integration key of an Events API v2 integration: 32 characters."),
    FIELD_STR(
        T, url, "url", .max = POST_URL_MAX,
        .doc =
            "https://events.pagerduty.com/v2/enqueue when absent; https://events.eu.pagerduty.com/v2/enqueue "
            "for accounts in the EU."),
};
#undef T
static const struct fields pagerduty_fields =
    FIELDS("PagerDutyChannel", struct pagerduty_config, pagerduty_rows, .doc = "A service of PagerDuty.");

static void pagerduty_check(const void *config, struct str base, struct faults *faults, struct arena *scratch)
{
    const struct pagerduty_config *c = config;
    bool ok = c->routing_key.n == KEY_LENGTH;
    (void)scratch;
    for (size_t i = 0; ok && i < c->routing_key.n; i++) {
        char k = c->routing_key.p[i];
        ok = (k >= '0' && k <= '9') || ((k | ' ') >= 'a' && (k | ' ') <= 'z');
    }
    if (!ok)
        faults_add(faults, post_pointer(base, "routingKey", faults),
                   "is the integration key of an \"Events API V2\" integration: %d letters and digits",
                   KEY_LENGTH);
    if (c->url.n > 0)
        post_check_url(c->url, base, "url", faults);
}

struct page {
    const struct pagerduty_config *config;
    const struct channel_env *env;
    int event;
    bool resolve;
};

static const char *severity(int event)
{
    switch (view_mood(event)) {
    case MOOD_BAD:
        return event == NOTICE_DEAD || event == NOTICE_NODE_DOWN ? "critical" : "error";
    case MOOD_WARNING:
        return "warning";
    default:
        return "info";
    }
}

static void put_details(const struct page *p, const struct view *v, struct sbuf *out, struct arena *a)
{
    struct fact facts[FACTS_MAX];
    size_t n = view_facts(p->env, v, facts, a);
    text_key(out, "custom_details");
    sbuf_putc(out, '{');
    text_member(out, "text", v->text);
    text_member(out, "error", v->run.error);
    for (size_t i = 0; i < n; i++)
        text_member(out, facts[i].name, facts[i].value);
    text_member(out, "digest", v->digest);
    text_member(out, "log", v->run.log);
    sbuf_putc(out, '}');
}

static void put_payload(const struct page *p, const struct view *v, struct sbuf *out, struct arena *a)
{
    char time[INSTANT_TEXT_MAX];
    text_key(out, "payload");
    sbuf_putc(out, '{');
    text_member(out, "summary", text_head(v->subject.n > 0 ? v->subject : v->title, SUMMARY_UNITS, a));
    text_member(out, "source", v->source.n > 0 ? text_head(v->source, SOURCE_UNITS, a) : STR("chronos"));
    text_member(out, "severity", str_of(severity(p->event)));
    text_member(out, "timestamp", instant_is_never(v->at) ? STR_NONE : str_of(instant_format(v->at, time)));
    text_member(out, "component", v->job.name);
    text_member(out, "group", v->cluster);
    text_member(out, "class", v->run.error_class.n > 0 ? v->run.error_class : v->event);
    put_details(p, v, out, a);
    sbuf_putc(out, '}');
}

static void write_message(void *ctx, const struct view *v, struct sbuf *out, struct arena *a)
{
    const struct page *p = ctx;
    sbuf_putc(out, '{');
    text_member(out, "routing_key", p->config->routing_key);
    text_member(out, "event_action", p->resolve ? STR("resolve") : STR("trigger"));
    text_member(out, "dedup_key", text_head(v->incident, DEDUP_UNITS, a));
    text_member(out, "client", STR("Chronos"));
    text_member(out, "client_url", v->url);
    if (!p->resolve)
        put_payload(p, v, out, a);
    sbuf_putc(out, '}');
}

static bool pagerduty_render(const struct channel_env *env, const void *config, const struct notification *n,
                             struct sbuf *out, struct arena *a, struct err *err)
{
    static const struct pagerduty_config hidden = {.routing_key = STR_INIT("***")};
    (void)config;
    struct page p = {
        .config = &hidden, .env = env, .event = n->event, .resolve = n->event == NOTICE_RECOVERED};
    return view_write(n, MESSAGE_BYTES, write_message, &p, out, a, err);
}

static void post_page(const struct channel_env *env, const struct pagerduty_config *c,
                      const struct notification *n, bool resolve, struct channel_result *ret, struct arena *a)
{
    struct page page = {.config = c, .env = env, .event = n->event, .resolve = resolve};
    struct post p = {.target = "PagerDuty",
                     .url = c->url.n > 0 ? c->url : enqueue_url,
                     .content_type = STR("application/json"),
                     .secrets = {c->routing_key},
                     .n_secrets = 1};
    struct sbuf body;
    struct err err;
    sbuf_init(&body, a, a->budget);
    if (!view_write(n, MESSAGE_BYTES, write_message, &page, &body, a, &err)) {
        channel_fail(ret, CHANNEL_REFUSED, "%s", err.text);
        return;
    }
    p.body = sbuf_str(&body);
    post_send(env, &p, ret, a);
}

static void pagerduty_send(const struct channel_env *env, const void *config, const struct notification *n,
                           struct channel_result *ret, struct arena *a)
{
    post_page(env, config, n, n->event == NOTICE_RECOVERED, ret, a);
    if (n->event == NOTICE_TEST && ret->verdict == CHANNEL_SENT)
        post_page(env, config, n, true, ret, a);
}

const struct channel channel_pagerduty = {
    .name = "PAGERDUTY",
    .doc = "An incident of PagerDuty, resolved by the recovery.",
    .config = &pagerduty_fields,
    .config_size = sizeof(struct pagerduty_config),
    .escape = ESCAPE_NONE,
    .check = pagerduty_check,
    .send = pagerduty_send,
    .render = pagerduty_render,
};
