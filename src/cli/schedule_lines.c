// SPDX-License-Identifier: Apache-2.0
// Blocks of lines in, blocks of lines out.
#include "cli/schedule_lines.h"

#include <errno.h>
#include <unistd.h>

#include "sched/answer.h"

enum { BLOCK = 256 << 10, OUT_MAX = 1 << 30 };

struct lines {
    struct answer_cache cache;
    struct sbuf out;
    int out_fd;
    bool skipping; // inside a line that is too long; it has its answer
};

static bool flush(struct lines *l)
{
    size_t done = 0;
    while (done < l->out.n) {
        ssize_t n = write(l->out_fd, l->out.p + done, l->out.n - done);
        if (n < 0 && errno != EINTR)
            return false;
        done += n > 0 ? (size_t)n : 0;
    }
    sbuf_clear(&l->out);
    return true;
}

static void answer(struct lines *l, struct str line)
{
    if (str_trim(line).n > 0)
        schedule_answer(line, &l->out, &l->cache);
}

// Answers the whole lines at the start; returns how many bytes they took.
static size_t lines_take(struct lines *l, struct str text, bool *ret_ok)
{
    size_t done = 0;
    *ret_ok = true;
    const char *end;
    while (*ret_ok && (end = memchr(text.p + done, '\n', text.n - done))) {
        struct str line = {text.p + done, (size_t)(end - text.p) - done};
        if (!l->skipping)
            answer(l, line);
        l->skipping = false;
        done += line.n + 1;
        if (l->out.n >= BLOCK)
            *ret_ok = flush(l);
    }
    return done;
}

static void too_long(struct lines *l)
{
    if (!l->skipping)
        sbuf_fmt(&l->out, "{\"id\":null,\"valid\":false,\"error\":\"the line is longer than %d bytes\","
                 "\"position\":null}\n", SCHEDULE_LINE_MAX);
    l->skipping = true;
}

static bool lines_run(struct lines *l, int in, char *buf)
{
    size_t have = 0;
    for (;;) {
        size_t room = SCHEDULE_LINE_MAX - have;
        ssize_t got = read(in, buf + have, room < BLOCK ? room : BLOCK);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            if (have > 0 && !l->skipping)
                answer(l, (struct str){buf, have});
            return flush(l) && got == 0;
        }
        have += (size_t)got;
        bool ok;
        size_t done = lines_take(l, (struct str){buf, have}, &ok);
        memmove(buf, buf + done, have - done);
        have -= done;
        if (have == SCHEDULE_LINE_MAX) {
            too_long(l);
            have = 0;
        }
        // Whoever asks line by line gets the answer before the next read may wait.
        if (!ok || !flush(l))
            return false;
    }
}

int schedule_lines(struct cli *c, int in, int out)
{
    struct str dir = cli_env(c, "TZDIR");
    struct zones *zones = zones_new(dir.p);
    struct lines l = {.out_fd = out};
    char *buf = arena_alloc(&c->arena, SCHEDULE_LINE_MAX);
    must(buf);
    answer_cache_init(&l.cache, zones, c->out.now);
    sbuf_init(&l.out, NULL, OUT_MAX);
    bool ok = lines_run(&l, in, buf);
    sbuf_release(&l.out);
    answer_cache_release(&l.cache);
    zones_free(zones);
    if (!ok)
        fputs("chronos: standard input or output broke\n", c->out.err);
    return ok ? CLI_OK : CLI_FAILURE;
}
