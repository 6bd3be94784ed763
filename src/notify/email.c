// SPDX-License-Identifier: Apache-2.0
// EMAIL: text first, HTML beside it, for readers of both. All mails of an incident refer to the same
// identifier, so that mailboxes show failure and recovery as one conversation.
//
// HTML has at most 20 KB (mailboxes cut longer ones), tables and inline styles only, nothing from elsewhere,
// and leaves the colours of text and ground to the reader's light or dark.
#include <sodium.h>

#include "notify/post.h"
#include "notify/text.h"
#include "notify/view.h"

enum {
    RECIPIENTS_MAX = 20,
    HTML_MAX = 20000,
    TEXT_BYTES_MAX = 100 * 1024, // of the text part
    SUBJECT_UNITS = 200,
    ID_MAX = 60, // of the part before the @ of an identifier
    HASH_BYTES = 16,
    MAIL_HEADERS = 5,
    LABEL_WIDTH = 11, // of the longest name of a fact
    SMTP_PERMANENT = 500,
};

struct email_config {
    struct strs to;
    struct str reply_to;
};

#define T struct email_config
static const struct field email_rows[] = {
    FIELD_STRS(T, to, "to", .flags = FIELD_REQUIRED, .min = 1, .max = RECIPIENTS_MAX,
               .doc = "Recipients: name@domain or Name <name@domain>."),
    FIELD_STR(T, reply_to, "replyTo", .max = MAIL_ADDRESS_MAX,
              .doc = "Where answers go; the sender when absent."),
};
#undef T
static const struct fields email_fields =
    FIELDS("EmailChannel", struct email_config, email_rows, .doc = "Mail by the server of mail.url.");

static void email_check(const void *config, struct str base, struct faults *faults, struct arena *scratch)
{
    const struct email_config *c = config;
    struct mail_address m;
    struct err err;
    for (size_t i = 0; i < c->to.n; i++)
        if (!mail_address_parse(c->to.v[i], &m, scratch, &err))
            faults_add(faults, arena_fmt(faults->a, "%.*s/to/%zu", STR_ARG(base), i), "%s", err.text);
    if (c->reply_to.n > 0 && !mail_address_parse(c->reply_to, &m, scratch, &err))
        faults_add(faults, post_pointer(base, "replyTo", faults), "%s", err.text);
}

// ---- text ----

struct letter {
    const struct channel_env *env;
    const struct notification *n;
};

static void put_indented(struct sbuf *out, struct str s)
{
    while (s.p) {
        struct str line = str_split(s, '\n', &s);
        sbuf_fmt(out, "  %.*s\n", STR_ARG(line));
    }
}

static void write_text(void *ctx, const struct view *v, struct sbuf *out, struct arena *a)
{
    const struct letter *l = ctx;
    struct fact facts[FACTS_MAX];
    size_t n = view_facts(l->env, v, facts, a);
    if (v->text.n > 0) {
        sbuf_fmt(out, "%.*s\n", STR_ARG(v->text));
    } else {
        sbuf_fmt(out, "%.*s\n\n", STR_ARG(v->sentence));
        if (v->digest.n > 0)
            sbuf_fmt(out, "%.*s\n\n", STR_ARG(v->digest));
        if (v->run.error.n > 0)
            sbuf_fmt(out, "%.*s\n\n", STR_ARG(v->run.error));
        for (size_t i = 0; i < n; i++)
            sbuf_fmt(out, "%-*s%.*s\n", LABEL_WIDTH, facts[i].name, STR_ARG(facts[i].value));
        if (v->run.log.n > 0) {
            sbuf_puts(out, "\nThe last lines of its log:\n\n");
            put_indented(out, v->run.log);
        }
    }
    if (v->url.n > 0)
        sbuf_fmt(out, "\n%.*s\n", STR_ARG(v->url));
    sbuf_fmt(out, "\n-- \nChronos %.*s\n", STR_ARG(v->cluster));
}

// ---- HTML ----

static void put(struct sbuf *out, const char *before, struct str s, const char *after)
{
    sbuf_puts(out, before);
    escape_put(out, ESCAPE_HTML, s);
    sbuf_puts(out, after);
}

#define MONO                                                                                                 \
    "font-family:ui-monospace,Consolas,monospace;font-size:13px;white-space:pre-wrap;word-break:break-word"

static void put_facts(struct sbuf *out, const struct fact *v, size_t n)
{
    sbuf_puts(out,
              "<table role=\"presentation\" cellpadding=\"0\" cellspacing=\"0\" style=\"margin:12px 0\">");
    for (size_t i = 0; i < n; i++) {
        put(out, "<tr><td style=\"padding:2px 16px 2px 0;opacity:.7\">", str_of(v[i].name), "</td>");
        put(out, "<td style=\"padding:2px 0\">", v[i].value, "</td></tr>");
    }
    sbuf_puts(out, "</table>");
}

static void put_own_words(const struct letter *l, const struct view *v, struct sbuf *out, struct arena *a)
{
    struct fact facts[FACTS_MAX];
    size_t n = view_facts(l->env, v, facts, a);
    put(out, "<p style=\"margin:0 0 12px\">", v->sentence, "</p>");
    if (v->digest.n > 0)
        put(out, "<p style=\"white-space:pre-line\">", v->digest, "</p>");
    if (v->run.error.n > 0)
        put(out, "<p style=\"margin:0;" MONO "\">", v->run.error, "</p>");
    if (n > 0)
        put_facts(out, facts, n);
    if (v->run.log.n > 0)
        put(out,
            "<p style=\"margin:12px 0 4px;opacity:.7\">The last lines of its log</p><div style=\"border:1px "
            "solid "
            "#8884;border-radius:4px;padding:8px;" MONO "\">",
            v->run.log, "</div>");
}

static void write_html(void *ctx, const struct view *v, struct sbuf *out, struct arena *a)
{
    static const char *const colours[] = {[MOOD_BAD] = "#c0233a",
                                          [MOOD_GOOD] = "#1b7f3b",
                                          [MOOD_WARNING] = "#b26a00",
                                          [MOOD_NEUTRAL] = "#5f6b7a"};
    const struct letter *l = ctx;
    sbuf_fmt(out,
             "<!doctype html><html><head><meta charset=\"utf-8\"><meta name=\"color-scheme\" content=\"light "
             "dark\">"
             "</head><body "
             "style=\"margin:0;padding:16px;font-family:system-ui,sans-serif;font-size:15px;line-height:"
             "1.45\"><table role=\"presentation\" width=\"100%%\" cellpadding=\"0\" cellspacing=\"0\" "
             "style=\"max-width:640px\"><tr><td style=\"border-left:4px solid %s;padding:4px 0 4px 14px\">",
             colours[view_mood(l->n->event)]);
    put(out, "<p style=\"margin:0 0 8px;font-size:17px;font-weight:600\">",
        v->subject.n > 0 ? v->subject : v->title, "</p>");
    if (v->text.n > 0)
        put(out, "<div style=\"white-space:pre-line\">", v->text, "</div>");
    else
        put_own_words(l, v, out, a);
    if (v->url.n > 0)
        put(out, "<p style=\"margin:16px 0 0\"><a href=\"", v->url, "\">Open in Chronos</a></p>");
    put(out, "</td></tr></table><p style=\"margin:16px 0 0;font-size:12px;opacity:.7\">Chronos ", v->cluster,
        "");
    sbuf_puts(out, "</p></body></html>\n");
}

// ---- the letter ----

// The part before the @ of an identifier, from any text.
static struct str identifier(struct str s, struct arena *a)
{
    uint8_t hash[HASH_BYTES];
    char hex[2 * HASH_BYTES + 1];
    bool plain = s.n > 0 && s.n <= ID_MAX;
    for (size_t i = 0; plain && i < s.n; i++)
        plain = (s.p[i] >= '0' && s.p[i] <= '9') || ((s.p[i] | ' ') >= 'a' && (s.p[i] | ' ') <= 'z') ||
                s.p[i] == '-' || s.p[i] == '_';
    if (plain)
        return s;
    (void)crypto_generichash(hash, sizeof hash, (const unsigned char *)(s.p ? s.p : ""), s.n, NULL, 0);
    (void)sodium_bin2hex(hex, sizeof hex, hash, sizeof hash);
    return arena_str(a, str_of(hex));
}

static void add_header(struct mail *m, struct str_pair v[static MAIL_HEADERS], const char *name,
                       struct str value)
{
    if (value.n == 0 || m->headers.n == MAIL_HEADERS)
        return;
    v[m->headers.n++] = (struct str_pair){str_of(name), value};
    m->headers.v = v;
}

static bool put_headers(const struct email_config *c, const struct notification *n, struct mail *m,
                        struct arena *a, struct err *err)
{
    struct str domain, refers;
    struct str_pair *v = arena_new_array(a, struct str_pair, MAIL_HEADERS);
    (void)str_split(m->from.address, '@', &domain);
    struct str id = identifier(n->id, a), incident = identifier(n->incident, a);
    m->message_id = arena_fmt(a, "%.*s@%.*s", STR_ARG(id), STR_ARG(domain));
    refers = n->incident.n > 0 ? arena_fmt(a, "<i.%.*s@%.*s>", STR_ARG(incident), STR_ARG(domain)) : STR_NONE;
    if (!v || a->exhausted)
        return ERR(err, ERR_TOO_LARGE, "no memory for the mail");
    add_header(m, v, "References", refers);
    add_header(m, v, "In-Reply-To", refers);
    add_header(m, v, "List-Unsubscribe", arena_fmt(a, "<mailto:%.*s?subject=unsubscribe>", STR_ARG(m->from.address)));
    if (c->reply_to.n > 0) {
        struct mail_address reply;
        if (!mail_address_parse(c->reply_to, &reply, a, err))
            return false;
        add_header(m, v, "Reply-To", reply.address);
    }
    return true;
}

static bool compose(const struct channel_env *env, const struct email_config *c, const struct notification *n,
                    struct mail *ret, struct arena *a, struct err *err)
{
    struct mail m = {
        .date = clock_now(env->clock), .timeout = duration_s(CHANNEL_TIMEOUT_S), .egress = env->egress};
    struct letter l = {.env = env, .n = n};
    struct sbuf text, html;
    struct view v;
    sbuf_init(&text, a, a->budget);
    sbuf_init(&html, a, a->budget);
    if (!mail_address_parse(env->mail_from.n > 0 ? env->mail_from : STR("Chronos <chronos@localhost>"),
                            &m.from, a, err))
        return err_wrap(err, "the sender (mail.from)");
    m.to = (struct mail_addresses){arena_new_array(a, struct mail_address, c->to.n), c->to.n};
    for (size_t i = 0; m.to.v && i < c->to.n; i++)
        if (!mail_address_parse(c->to.v[i], &m.to.v[i], a, err))
            return false;
    if (!view_make(n, VIEW_ROOM, &v, a, err) ||
        !view_write(n, TEXT_BYTES_MAX, write_text, &l, &text, a, err) ||
        !view_write(n, HTML_MAX, write_html, &l, &html, a, err) || !put_headers(c, n, &m, a, err))
        return false;
    m.subject = text_line(v.subject.n > 0 ? v.subject : v.title, SUBJECT_UNITS, a);
    m.text = sbuf_str(&text);
    m.html = sbuf_str(&html);
    if (!m.to.v || a->exhausted)
        return ERR(err, ERR_TOO_LARGE, "no memory for the mail");
    *ret = m;
    return true;
}

// As JSON: subject, text, html and the headers of ours.
static bool email_render(const struct channel_env *env, const void *config, const struct notification *n,
                         struct sbuf *out, struct arena *a, struct err *err)
{
    struct mail m;
    if (!compose(env, config, n, &m, a, err))
        return false;
    sbuf_putc(out, '{');
    text_member(out, "subject", m.subject);
    text_member(out, "text", m.text);
    text_member(out, "html", m.html);
    text_key(out, "headers");
    sbuf_putc(out, '{');
    text_member(out, "Message-ID", arena_fmt(a, "<%.*s>", STR_ARG(m.message_id)));
    for (size_t i = 0; i < m.headers.n; i++)
        text_member(out, m.headers.v[i].key.p, m.headers.v[i].value);
    sbuf_puts(out, "}}");
    return sbuf_ok(out) || ERR(err, ERR_TOO_LARGE, "the mail is too long");
}

static enum channel_verdict judge(const struct mail_result *r)
{
    switch (r->error) {
    case MAIL_SENT:
        return CHANNEL_SENT;
    case MAIL_BAD_MESSAGE:
    case MAIL_EGRESS_DENIED:
        return CHANNEL_REFUSED;
    case MAIL_SENDER_REFUSED:
    case MAIL_RECIPIENT_REFUSED:
    case MAIL_MESSAGE_REFUSED:
        return r->code >= SMTP_PERMANENT ? CHANNEL_REFUSED : CHANNEL_AGAIN;
    default: // a password is the server's setting: it may be put right meanwhile
        return CHANNEL_AGAIN;
    }
}

static void email_send(const struct channel_env *env, const void *config, const struct notification *n,
                       struct channel_result *ret, struct arena *a)
{
    struct mail m;
    struct mail_result r;
    struct err err;
    if (!env->mail) {
        channel_fail(ret, CHANNEL_AGAIN, "no mail server is set; set mail.url of the server");
        return;
    }
    if (!compose(env, config, n, &m, a, &err)) {
        channel_fail(ret, CHANNEL_REFUSED, "%s", err.text);
        return;
    }
    mail_send(env->mail, &m, &r);
    if (r.error == MAIL_SENT)
        channel_fail(ret, CHANNEL_SENT, "the mail server took it for %zu recipient%s", m.to.n,
                     m.to.n == 1 ? "" : "s");
    else
        channel_fail(ret, judge(&r), "%s", r.sentence);
    ret->code = r.code > 0 ? r.code : FIELD_ABSENT;
}

const struct channel channel_email = {
    .name = "EMAIL",
    .doc = "A mail, with the server of mail.url.",
    .config = &email_fields,
    .config_size = sizeof(struct email_config),
    .escape = ESCAPE_NONE,
    .check = email_check,
    .send = email_send,
    .render = email_render,
};
