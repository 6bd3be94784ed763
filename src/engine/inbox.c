// SPDX-License-Identifier: Apache-2.0
// Messages for the engine from other threads.
#include "engine/inbox.h"

#include "base/mem.h"
#include "engine/log_tail.h"

enum { LOG_LINES_FIRST = 256 };

static const char marker_dropped[] = "[%lld lines were dropped here because the store could not keep up]";
static const char marker_cut[] = "[%lld lines (%lld bytes) were left out here: the output exceeded %d bytes]";

void inbox_init(struct inbox *b)
{
    *b = (struct inbox){.content.heard = task_queue_of(QUEUE_HEARD)};
    mutex_init(&b->lock, LOCK_ENGINE_INBOX);
    waker_init(&b->waker, LOCK_ENGINE_WAKER);
    for (size_t i = 0; i < 2; i++)
        arena_init(&b->buffers[i].arena, LOG_BACKLOG_MAX);
}

void inbox_release(struct inbox *b)
{
    ids_release(&b->content.jobs);
    ids_release(&b->content.runs);
    ids_release(&b->content.cancels);
    for (size_t i = 0; i < 2; i++) {
        arena_release(&b->buffers[i].arena);
        mem_free(b->buffers[i].v);
    }
    waker_release(&b->waker);
    mutex_release(&b->lock);
}

void inbox_leave(struct inbox *b, enum inbox_list list, const struct ulid *ids, size_t n)
{
    WITH_LOCK(&b->lock);
    struct ids *lists[] = {[INBOX_JOBS] = &b->content.jobs, [INBOX_RUNS] = &b->content.runs,
                           [INBOX_CANCELS] = &b->content.cancels};
    ids_add(lists[list], ids, n);
}

void inbox_poke(struct inbox *b, enum inbox_list list, const struct ulid *ids, size_t n)
{
    inbox_leave(b, list, ids, n);
    waker_wake(&b->waker);
}

static struct log_line *buffer_slot(struct log_buffer *l)
{
    if (l->n == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : LOG_LINES_FIRST;
        l->v = mem_resize(l->v, cap, sizeof *l->v);
        l->cap = cap;
    }
    return &l->v[l->n];
}

// Under lock. Gives the line the next number of its run; false when the buffer is full.
static bool accept_line(struct inbox *b, struct task *t, const struct log_line *line)
{
    struct log_buffer *l = &b->buffers[b->filling];
    struct log_line copy = *line;
    copy.message = arena_str(&l->arena, line->message);
    copy.context = line->context.p ? arena_str(&l->arena, line->context) : STR_NONE;
    if (l->arena.exhausted)
        return false;
    copy.run_id = t->id;
    copy.id = ++t->attempt_ref->log_lines;
    *buffer_slot(l) = copy;
    l->n++;
    b->log_seq++;
    return true;
}

// Under lock. A line of our own about lines that are missing.
static bool accept_marker(struct inbox *b, struct task *t, struct instant at, char *text)
{
    struct log_line line = {.timestamp = at, .level = LOG_LINE_WARN, .stream = STREAM_SYSTEM,
                            .message = str_of(text)};
    return accept_line(b, t, &line);
}

// Under lock. Says first what was dropped before this line.
static void accept_or_drop(struct inbox *b, struct task *t, const struct log_line *line)
{
    char text[sizeof marker_dropped + ULID_TEXT_MAX];
    if (t->log_dropped > 0) {
        (void)snprintf(text, sizeof text, marker_dropped, (long long)t->log_dropped);
        if (accept_marker(b, t, line->timestamp, text))
            t->log_dropped = 0;
    }
    if (t->log_dropped > 0 || !accept_line(b, t, line))
        t->log_dropped++;
}

void inbox_log(struct inbox *b, struct task *t, const struct log_line *line)
{
    {
        WITH_LOCK(&b->lock);
        t->attempt_ref->log_bytes += (int64_t)(line->message.n + line->context.n);
        if (t->attempt_ref->log_bytes > RUN_OUTPUT_MAX - LOG_TAIL_MAX) {
            log_tail_add(&t->tail, line);
            return;
        }
        accept_or_drop(b, t, line);
    }
    waker_wake(&b->waker);
}

// Under lock.
static void write_tail(struct inbox *b, struct task *t)
{
    struct log_line line;
    bool first = true;
    while (log_tail_pop(t->tail, &line)) {
        int64_t lines = log_tail_dropped_lines(t->tail), bytes = log_tail_dropped_bytes(t->tail);
        if (first && lines > 0) {
            char text[sizeof marker_cut + 3 * ULID_TEXT_MAX];
            (void)snprintf(text, sizeof text, marker_cut, (long long)lines, (long long)bytes, RUN_OUTPUT_MAX);
            (void)accept_marker(b, t, line.timestamp, text);
        }
        first = false;
        accept_or_drop(b, t, &line);
    }
    log_tail_release(&t->tail);
}

void inbox_done(struct inbox *b, struct task *t, struct instant at)
{
    {
        WITH_LOCK(&b->lock);
        write_tail(b, t);
        t->done_at = at;
        t->log_mark = b->log_seq;
        task_queue_push(&b->content.heard, t);
    }
    waker_wake(&b->waker);
}

void inbox_zones(struct inbox *b)
{
    {
        WITH_LOCK(&b->lock);
        b->content.zones = true;
    }
    waker_wake(&b->waker);
}

void inbox_stop(struct inbox *b, struct duration grace)
{
    {
        WITH_LOCK(&b->lock);
        b->stopping = true;
        b->grace = grace;
    }
    waker_wake(&b->waker);
}

bool inbox_take(struct inbox *b, struct inbox_content *c, struct duration *ret_grace)
{
    WITH_LOCK(&b->lock);
    ids_move(&c->jobs, &b->content.jobs);
    ids_move(&c->runs, &b->content.runs);
    ids_move(&c->cancels, &b->content.cancels);
    task_queue_join(&c->heard, &b->content.heard);
    c->zones = c->zones || b->content.zones;
    b->content.zones = false;
    if (b->stopping)
        *ret_grace = b->grace;
    return b->stopping;
}

struct log_buffer *inbox_logs(struct inbox *b)
{
    WITH_LOCK(&b->lock);
    struct log_buffer *own = &b->buffers[!b->filling];
    if (own->sent < own->n || b->buffers[b->filling].n == 0)
        return own;
    own->n = own->sent = 0;
    arena_reset(&own->arena);
    b->filling = !b->filling;
    return &b->buffers[!b->filling];
}
