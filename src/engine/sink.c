// SPDX-License-Identifier: Apache-2.0
// What attempts call, on the executor's threads: the job's definition, log lines, the end.
#include "engine/core.h"

enum { PREFETCH_MAX = 64 };

static const char cut_marker[] = " …[cut]";

struct wanted {
    struct attempt **v;
    size_t n;
};

// Replays may run another definition than the job's: that of their dead letter.
static bool may_be_replay(const struct attempt *a)
{
    struct ulid letter;
    return replay_letter(a->inputs, &letter);
}

static void definition_take(void *ctx, struct ulid job_id, struct str text, int64_t version)
{
    const struct wanted *w = ctx;
    for (size_t i = 0; i < w->n; i++) { // more than one when runs of a job start together
        struct task *t = w->v[i]->engine_data;
        if (!ulid_eq(w->v[i]->job_id, job_id) || may_be_replay(w->v[i]))
            continue;
        struct str copy = arena_str(&w->v[i]->arena, text);
        if (!copy.p)
            continue;
        t->definition = copy;
        t->definition_version = version;
        t->load = LOAD_DONE;
    }
}

// What is not found here, or not now, is read by sink_load, which tells the two apart.
static void sink_prefetch(struct attempt_sink *s, struct attempt **v, size_t n)
{
    struct engine *e = ((struct engine_sink *)s)->engine;
    struct ulid ids[PREFETCH_MAX];
    struct err ignored;
    if (!e->store->ops->job_definitions)
        return;
    for (size_t at = 0, k; at < n; at += k) {
        for (k = 0; k < PREFETCH_MAX && at + k < n; k++)
            ids[k] = v[at + k]->job_id;
        struct wanted w = {v + at, k};
        if (k > 1 && !e->store->ops->job_definitions(e->store, ids, k, definition_take, &w, &ignored))
            return;
    }
}

// *ret absent: the run is no replay, or one of the job as it is. Inputs are words of users, so the dead letter itself
// must name this run.
static bool replay_definition(struct engine *e, struct attempt *a, struct str *ret, int64_t *ret_version,
                              struct err *err)
{
    struct ulid id;
    struct dead_letter d;
    struct err why = {0};
    *ret = STR_NONE;
    if (!replay_letter(a->inputs, &id))
        return true;
    if (!e->store->ops->dlq_get(e->store, id, &d, &a->arena, &why)) {
        if (why.code == ERR_NOT_FOUND)
            return true;
        *err = why;
        return false;
    }
    struct ulid first = run_id_of(a->job_id, a->scheduled, a->run_key, 1);
    if (ulid_eq(d.job_id, a->job_id) && ulid_eq(d.replay_run_id, first)) {
        *ret = d.replay_definition;
        *ret_version = d.job_version;
    }
    return true;
}

static bool definition_read(struct engine *e, struct attempt *a, struct str *ret, int64_t *ret_version,
                            struct err *err)
{
    return replay_definition(e, a, ret, ret_version, err) &&
           (ret->n > 0 || e->store->ops->job_definition(e->store, a->job_id, ret, ret_version, &a->arena, err));
}

static bool sink_load(struct attempt_sink *s, struct attempt *a, struct str *ret_definition, int64_t *ret_version,
                      struct err *err)
{
    struct engine *e = ((struct engine_sink *)s)->engine;
    struct task *t = a->engine_data;
    struct str text;
    int64_t version;
    if (t->load == LOAD_DONE) {
        *ret_definition = t->definition;
        *ret_version = t->definition_version;
        return true;
    }
    if (!definition_read(e, a, &text, &version, err)) {
        t->load = err->code == ERR_NOT_FOUND ? LOAD_GONE : LOAD_FAILED;
        return false;
    }
    t->load = LOAD_DONE;
    t->definition = text;
    t->definition_version = version;
    *ret_definition = text;
    *ret_version = version;
    return true;
}

// The message within LOG_LINE_MAX, cut between characters and marked.
static struct str cut_line(struct str message, char buf[static LOG_LINE_MAX])
{
    if (message.n <= LOG_LINE_MAX)
        return message;
    size_t keep = str_utf8_cut(message, LOG_LINE_MAX - (sizeof cut_marker - 1));
    memcpy(buf, message.p, keep);
    memcpy(buf + keep, cut_marker, sizeof cut_marker - 1);
    return str_of_n(buf, keep + sizeof cut_marker - 1);
}

static void sink_log(struct attempt_sink *s, struct attempt *a, int level, int stream, struct str message,
                     struct str context)
{
    struct engine *e = ((struct engine_sink *)s)->engine;
    char buf[LOG_LINE_MAX];
    struct log_line line = {
        .timestamp = clock_now(e->clock),
        .level = level,
        .stream = stream,
        .message = cut_line(message, buf),
        // Half an object would not be JSON: all or nothing.
        .context = context.n <= LOG_LINE_MAX ? context : STR("{\"context\":\"left out: longer than a line may be\"}"),
    };
    inbox_log(&e->inbox, a->engine_data, &line);
}

static void sink_done(struct attempt_sink *s, struct attempt *a)
{
    struct engine *e = ((struct engine_sink *)s)->engine;
    inbox_done(&e->inbox, a->engine_data, clock_now(e->clock));
}

struct attempt_sink *engine_sink(struct engine *e)
{
    e->sink = (struct engine_sink){{sink_prefetch, sink_load, sink_log, sink_done}, e};
    return &e->sink.base;
}
