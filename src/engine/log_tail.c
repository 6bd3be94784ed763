// SPDX-License-Identifier: Apache-2.0
// The newest lines of a run that says too much.
#include "engine/log_tail.h"

#include "base/mem.h"

struct tail_line {
    struct tail_line *next;
    struct log_line line; // its texts point into bytes
    char bytes[];
};

struct log_tail {
    struct tail_line *head, *last;
    struct tail_line *popped; // handed out by the last pop
    size_t bytes;
    int64_t dropped_lines, dropped_bytes;
};

static size_t line_bytes(const struct log_line *l)
{
    return l->message.n + l->context.n;
}

static struct str keep(char **at, struct str s)
{
    if (!s.p)
        return STR_NONE;
    memcpy(*at, s.p, s.n);
    struct str kept = str_of_n(*at, s.n);
    *at += s.n;
    return kept;
}

static struct tail_line *tail_take(struct log_tail *t)
{
    struct tail_line *l = t->head;
    t->head = l->next;
    if (!t->head)
        t->last = NULL;
    t->bytes -= line_bytes(&l->line);
    return l;
}

void log_tail_add(struct log_tail **owner, const struct log_line *line)
{
    if (!*owner)
        *owner = mem_new(struct log_tail);
    struct log_tail *t = *owner;
    struct tail_line *l = mem_array(1, sizeof *l + line_bytes(line));
    char *at = l->bytes;
    l->line = *line;
    l->line.message = keep(&at, line->message);
    l->line.context = keep(&at, line->context);
    l->next = NULL;
    if (t->last)
        t->last->next = l;
    else
        t->head = l;
    t->last = l;
    t->bytes += line_bytes(line);
    while (t->bytes > LOG_TAIL_MAX) {
        struct tail_line *gone = tail_take(t);
        t->dropped_lines++;
        t->dropped_bytes += (int64_t)line_bytes(&gone->line);
        mem_free(gone);
    }
}

bool log_tail_pop(struct log_tail *t, struct log_line *ret)
{
    if (!t)
        return false;
    mem_free(TAKE(t->popped));
    if (!t->head)
        return false;
    t->popped = tail_take(t);
    *ret = t->popped->line;
    return true;
}

int64_t log_tail_dropped_lines(const struct log_tail *t)
{
    return t ? t->dropped_lines : 0;
}

int64_t log_tail_dropped_bytes(const struct log_tail *t)
{
    return t ? t->dropped_bytes : 0;
}

void log_tail_release(struct log_tail **owner)
{
    struct log_tail *t = TAKE(*owner);
    if (!t)
        return;
    while (t->head)
        mem_free(tail_take(t));
    mem_free(t->popped);
    mem_free(t);
}
