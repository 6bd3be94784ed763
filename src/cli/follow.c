// SPDX-License-Identifier: Apache-2.0
// Follows a run to its end.
#include "cli/follow.h"

#include <poll.h>

#include "cli/format.h"
#include "cli/sse.h"

enum {
    PAUSE_FIRST_MS = 100, // before the stream is opened again; doubles
    PAUSE_MAX_MS = 3000,
    TRIES_MAX = 8,        // without any event between them
    STATUS_OK = 200,
    LINE_ARENA = 4 << 20,
    RUNS_LOOKED_AT = 50,
};

const struct column run_record_columns[] = {
    {"id", "id", COLUMN_TEXT},
    {"job", "jobName", COLUMN_TEXT},
    {"status", "status", COLUMN_STATUS},
    {"attempt", "attempt", COLUMN_TEXT},
    {"trigger", "trigger", COLUMN_TEXT},
    {"scheduled", "scheduledTime", COLUMN_TIME},
    {"started", "startTime", COLUMN_TIME},
    {"ended", "endTime", COLUMN_TIME},
    {"start delay", "startDelayMs", COLUMN_DURATION_MS},
    {"duration", "durationMs", COLUMN_DURATION_MS},
    {"exit code", "exitCode", COLUMN_TEXT},
    {"error class", "errorClass", COLUMN_TEXT},
    {"error", "errorMessage", COLUMN_TEXT},
    {"node", "workerId", COLUMN_TEXT},
    {"run key", "runKey", COLUMN_TEXT},
    {NULL, NULL, COLUMN_TEXT}};

struct watch {
    struct cli *c;
    bool print, ended;
    int64_t events; // received on this connection
    struct sse sse;
};

void log_line_print(const struct cli *c, const json_t *line)
{
    struct arena a;
    arena_init(&a, LINE_ARENA);
    struct str text = json_str(json_object_get(line, "message")), level = json_str(json_object_get(line, "level"));
    struct str at = json_str(json_object_get(line, "timestamp")), stream = json_str(json_object_get(line, "stream"));
    bool bad = str_is(level, "ERROR") || str_is(stream, "STDERR");
    if (c->out.utc)
        fprintf(c->out.out, "%.*s ", STR_ARG(text_printable(at, &a)));
    // The log itself is data: only a terminal needs protection from it.
    text = c->out.terminal ? text_printable(text, &a) : text;
    fputs(bad && c->out.color ? "\033[31m" : "", c->out.out);
    fwrite(text.p ? text.p : "", 1, text.n, c->out.out);
    fputs(bad && c->out.color ? "\033[0m" : "", c->out.out);
    fputc('\n', c->out.out);
    arena_release(&a);
}

static bool event_take(void *ctx, const char *event, struct str data)
{
    struct watch *w = ctx;
    w->events++;
    if (strcmp(event, "end") == 0) {
        w->ended = true;
        return false;
    }
    if (!w->print || strcmp(event, "error") == 0)
        return true;
    CLEANUP_JSON json_t *line = NULL;
    struct err ignored;
    if (w->c->out.form == OUTPUT_JSON || w->c->out.form == OUTPUT_JSONL)
        fprintf(w->c->out.out, "%.*s\n", STR_ARG(data));
    else if (json_parse(data, &line, &ignored) && json_is_object(line))
        log_line_print(w->c, line);
    fflush(w->c->out.out);
    return true;
}

static bool chunk_take(void *ctx, int status, struct str chunk)
{
    struct watch *w = ctx;
    return status == STATUS_OK && sse_feed(&w->sse, chunk, event_take, w);
}

static int run_get(struct client *cl, struct str id, struct reply *ret)
{
    const struct call call = {.method = "GET", .path = client_path(&cl->cli->arena, "runs", id, "")};
    return client_call(cl, &call, ret);
}

static bool run_over(const json_t *run)
{
    struct str status = json_str(json_object_get(run, "status"));
    return status.n > 0 && !str_is(status, "QUEUED") && !str_is(status, "RUNNING");
}

// Waits until the stream of one run ended. *ret holds the run afterwards.
static int watch_run(struct client *cl, struct str run_id, struct watch *w, struct mono deadline, struct reply *ret)
{
    struct cli *c = cl->cli;
    int code = run_get(cl, run_id, ret), pause = PAUSE_FIRST_MS;
    struct str job_id = code == CLI_OK ? arena_str(&c->arena, json_str(json_object_get(ret->json, "jobId"))) : STR_NONE;
    // A run that is over is still read once when its lines are wanted.
    bool wanted = w->print || (code == CLI_OK && !run_over(ret->json));
    struct str path = client_path(&c->arena, "jobs", job_id, arena_fmt(&c->arena, "/runs/%.*s/logs:stream",
                                                                       STR_ARG(run_id)).p);
    for (int tries = 0; code == CLI_OK && wanted && !w->ended && tries < TRIES_MAX; tries++) {
        struct duration left = mono_since(deadline, clock_mono(c->clock));
        int status = 0;
        if (left.us <= 0) {
            fputs("chronos: the run did not end in time; it goes on\n", c->out.err);
            return CLI_UNREACHABLE;
        }
        if (tries > 0) {
            poll(NULL, 0, pause);
            pause = pause * 2 > PAUSE_MAX_MS ? PAUSE_MAX_MS : pause * 2;
        }
        w->events = 0;
        sse_restart(&w->sse);
        client_stream(cl, path, left, str_of(w->sse.last_id), chunk_take, w, &status);
        tries = w->events > 0 ? 0 : tries; // it works: only idle tries count
        if (w->ended || status != STATUS_OK) { // reading the run tells why there is no stream, and renews the token
            reply_release(ret);
            code = run_get(cl, run_id, ret);
            wanted = code == CLI_OK && (w->print || !run_over(ret->json));
        }
    }
    if (code == CLI_OK && !run_over(ret->json)) {
        fputs("chronos: the event stream of the run breaks again and again\n", c->out.err);
        return CLI_UNREACHABLE;
    }
    return code;
}

// Id of the next attempt of the same occurrence, absent when there is none.
static struct str next_attempt(struct client *cl, const json_t *run)
{
    struct cli *c = cl->cli;
    CLEANUP_REPLY struct reply r = {0};
    struct str job_id = json_str(json_object_get(run, "jobId")), key = json_str(json_object_get(run, "runKey"));
    json_int_t attempt = json_integer_value(json_object_get(run, "attempt"));
    const struct call call = {.method = "GET",
                              .path = client_path(&c->arena, "jobs", job_id,
                                                  arena_fmt(&c->arena, "/runs?size=%d", RUNS_LOOKED_AT).p)};
    size_t i;
    json_t *other;
    if (key.n == 0 || client_try(cl, &call, &r) != CLI_OK)
        return STR_NONE;
    json_array_foreach(json_object_get(r.json, "content"), i, other) {
        if (str_eq(json_str(json_object_get(other, "runKey")), key) &&
            json_integer_value(json_object_get(other, "attempt")) == attempt + 1)
            return arena_str(&c->arena, json_str(json_object_get(other, "id")));
    }
    return STR_NONE;
}

static int run_verdict(const struct cli *c, const json_t *run, bool print, struct str body)
{
    struct arena *a = (struct arena *)&c->arena;
    struct str status = text_printable(json_str(json_object_get(run, "status")), a);
    struct str why = text_printable(json_str(json_object_get(run, "errorMessage")), a);
    struct str took = duration_text(duration_ms(json_integer_value(json_object_get(run, "durationMs"))), a);
    bool good = str_is(status, "SUCCEEDED");
    if (!print)
        output_object(&c->out, run_record_columns, "id", run, body, a);
    if (print || c->out.form != OUTPUT_TABLE)
        fprintf(c->out.err, "run %.*s %.*s in %.*s%s%.*s\n", STR_ARG(json_str(json_object_get(run, "id"))),
                STR_ARG(status), STR_ARG(took), why.n ? ": " : "", STR_ARG(why));
    return good ? CLI_OK : CLI_RUN_FAILED;
}

int follow_run(struct client *cl, const struct follow *f)
{
    struct cli *c = cl->cli;
    struct watch w = {.c = c, .print = f->print};
    struct mono deadline = {INT64_MAX};
    struct str run_id = f->run_id;
    CLEANUP_REPLY struct reply r = {0};
    if (f->timeout.us > 0)
        deadline = mono_add(clock_mono(c->clock), f->timeout);
    sse_init(&w.sse);
    int code;
    for (;;) {
        w.ended = false;
        w.sse.last_id[0] = '\0'; // each run numbers its lines anew
        code = watch_run(cl, run_id, &w, deadline, &r);
        if (code != CLI_OK || !f->attempts || str_is(json_str(json_object_get(r.json, "status")), "SUCCEEDED"))
            break;
        struct str next = next_attempt(cl, r.json);
        if (next.n == 0)
            break;
        output_done(&c->out, "attempt %lld failed, waiting for the next one (%.*s)",
                    (long long)json_integer_value(json_object_get(r.json, "attempt")),
                    STR_ARG(text_printable(next, &c->arena)));
        run_id = next;
        reply_release(&r);
    }
    sse_release(&w.sse);
    return code == CLI_OK ? run_verdict(c, r.json, f->print, r.body) : code;
}
