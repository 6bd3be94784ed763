// SPDX-License-Identifier: Apache-2.0
// One character at a time; JSON and URLs are written by base/sbuf.
#include "base/escape.h"

// What stands for a character, or NULL: itself.
static const char *entity(char c, bool quotes)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return quotes ? "&quot;" : NULL;
    case '\'':
        return quotes ? "&#39;" : NULL;
    default:
        return NULL;
    }
}

static void put_entities(struct sbuf *out, struct str s, bool quotes)
{
    size_t done = 0;
    for (size_t i = 0; i < s.n; i++) {
        const char *as = entity(s.p[i], quotes);
        if (!as)
            continue;
        sbuf_put(out, (struct str){s.p + done, i - done});
        sbuf_puts(out, as);
        done = i + 1;
    }
    sbuf_put(out, (struct str){s.p + done, s.n - done});
}

// Lists, quotes and headings begin at the start of a line only; the rest means something anywhere.
static void put_markdown(struct sbuf *out, struct str s)
{
    bool at_start = true;
    for (size_t i = 0; i < s.n; i++) {
        if (strchr("\\`*_[]<>#|~", s.p[i]) || (at_start && strchr("-+=", s.p[i])))
            sbuf_putc(out, '\\');
        sbuf_putc(out, s.p[i]);
        at_start = s.p[i] == '\n' || (at_start && s.p[i] == ' ');
    }
}

// The string without its quotes.
static void put_json(struct sbuf *out, struct str s)
{
    size_t before = out->n;
    sbuf_json(out, s);
    if (!sbuf_ok(out))
        return;
    out->n -= 2;
    memmove(out->p + before, out->p + before + 1, out->n - before);
    out->p[out->n] = '\0';
}

void escape_put(struct sbuf *out, enum escape how, struct str s)
{
    switch (how) {
    case ESCAPE_NONE:
        sbuf_put(out, s);
        break;
    case ESCAPE_HTML:
    case ESCAPE_MRKDWN:
        put_entities(out, s, how == ESCAPE_HTML);
        break;
    case ESCAPE_JSON:
        put_json(out, s);
        break;
    case ESCAPE_MARKDOWN:
        put_markdown(out, s);
        break;
    case ESCAPE_URL:
        sbuf_url(out, s);
        break;
    }
}
