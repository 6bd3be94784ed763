// SPDX-License-Identifier: Apache-2.0
// Parser of event streams: lines end with LF, CR or CRLF, an empty line ends an event, ":" starts a remark.
#include "cli/sse.h"

void sse_init(struct sse *s)
{
    *s = (struct sse){0};
    sbuf_init(&s->line, NULL, SSE_EVENT_MAX);
    sbuf_init(&s->data, NULL, SSE_EVENT_MAX);
}

void sse_release(struct sse *s)
{
    sbuf_release(&s->line);
    sbuf_release(&s->data);
}

static void word_set(char word[static SSE_WORD_MAX], struct str value)
{
    snprintf(word, SSE_WORD_MAX, "%.*s", STR_ARG(value));
}

void sse_restart(struct sse *s)
{
    sbuf_clear(&s->line);
    sbuf_clear(&s->data);
    s->event[0] = '\0';
    word_set(s->id, str_of(s->last_id));
    s->after_cr = false;
}

// The empty line: hands out what was gathered. Without data there is no event. Only now the id counts: a stream
// that breaks inside an event must be taken up before it.
static bool event_end(struct sse *s, bool (*on_event)(void *, const char *, struct str), void *ctx)
{
    bool go_on = true;
    word_set(s->last_id, str_of(s->id));
    if (s->data.n > 0) {
        struct str data = {s->data.p, s->data.n - 1}; // each data line added a line feed
        go_on = on_event(ctx, s->event[0] ? s->event : "message", data);
    }
    sbuf_clear(&s->data);
    s->event[0] = '\0';
    return go_on;
}

static void field_take(struct sse *s)
{
    struct str value = STR_NONE;
    struct str name = str_split(sbuf_str(&s->line), ':', &value);
    if (value.n > 0 && value.p[0] == ' ')
        value = (struct str){value.p + 1, value.n - 1};
    if (str_is(name, "data")) {
        sbuf_put(&s->data, value);
        sbuf_putc(&s->data, '\n');
    } else if (str_is(name, "event")) {
        word_set(s->event, value);
    } else if (str_is(name, "id") && value.n < SSE_WORD_MAX) {
        word_set(s->id, value);
    }
}

bool sse_feed(struct sse *s, struct str chunk, bool (*on_event)(void *ctx, const char *event, struct str data),
              void *ctx)
{
    for (size_t i = 0; i < chunk.n; i++) {
        char c = chunk.p[i];
        bool half = c == '\n' && s->after_cr;
        s->after_cr = c == '\r';
        if (half)
            continue;
        if (c != '\n' && c != '\r') {
            sbuf_putc(&s->line, c);
            continue;
        }
        bool empty = s->line.n == 0;
        if (!empty)
            field_take(s);
        sbuf_clear(&s->line);
        if (empty && !event_end(s, on_event, ctx))
            return false;
    }
    return true;
}
