// SPDX-License-Identifier: Apache-2.0
// Lines of a program's output.
#include "jobs/script_output.h"

void script_output_init(struct script_output *o, void (*emit)(void *ctx, struct str line), void *ctx)
{
    *o = (struct script_output){.emit = emit, .ctx = ctx};
    sbuf_init(&o->line, NULL, SCRIPT_LINE_MAX);
}

// Replaces what is not text; most lines are fine and are not copied.
static void emit_text(struct script_output *o, struct str s)
{
    if (str_utf8_valid(s) && str_find(s, '\0') == s.n) {
        o->emit(o->ctx, s);
        return;
    }
    static const char replacement[] = "\xef\xbf\xbd";
    struct sbuf b;
    sbuf_init(&b, NULL, SCRIPT_LINE_MAX * (sizeof replacement - 1));
    while (s.n > 0) {
        size_t n = s.p[0] ? str_utf8_step(s) : 0;
        sbuf_put(&b, n ? (struct str){s.p, n} : STR("\xef\xbf\xbd"));
        n = n ? n : 1;
        s = (struct str){s.p + n, s.n - n};
    }
    o->emit(o->ctx, sbuf_str(&b));
    sbuf_release(&b);
}

static void line_end(struct script_output *o)
{
    emit_text(o, sbuf_str(&o->line));
    sbuf_clear(&o->line);
    o->cr = false;
}

// The line is as long as a piece may be: hands on what is whole, keeps a character that is cut in two.
static void piece_end(struct script_output *o)
{
    enum { CHARACTER_MAX = 4 };
    char rest[CHARACTER_MAX];
    size_t whole = str_utf8_cut(sbuf_str(&o->line), o->line.n - 1), n = o->line.n - whole;
    if (n > CHARACTER_MAX)
        whole = o->line.n, n = 0;
    memcpy(rest, o->line.p + whole, n);
    o->line.n = whole;
    line_end(o);
    sbuf_put(&o->line, (struct str){rest, n});
}

static void text_add(struct script_output *o, struct str s)
{
    if (s.n > 0 && o->cr) { // a lone CR: what follows writes over the line
        sbuf_clear(&o->line);
        o->cr = false;
    }
    while (s.n > 0) {
        size_t room = SCRIPT_LINE_MAX - o->line.n, n = s.n < room ? s.n : room;
        sbuf_put(&o->line, (struct str){s.p, n});
        s = (struct str){s.p + n, s.n - n};
        if (o->line.n == SCRIPT_LINE_MAX)
            piece_end(o);
    }
}

void script_output_feed(struct script_output *o, struct str bytes)
{
    while (bytes.n > 0) {
        size_t n = 0;
        while (n < bytes.n && bytes.p[n] != '\n' && bytes.p[n] != '\r')
            n++;
        text_add(o, (struct str){bytes.p, n});
        if (n < bytes.n && bytes.p[n] == '\n')
            line_end(o);
        else if (n < bytes.n)
            o->cr = true;
        n += n < bytes.n;
        bytes = (struct str){bytes.p + n, bytes.n - n};
    }
}

void script_output_end(struct script_output *o)
{
    if (o->line.n > 0)
        line_end(o);
    sbuf_release(&o->line);
}
