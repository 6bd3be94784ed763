// SPDX-License-Identifier: Apache-2.0
// CloudEvents 1.0. What a run or job has not (yet) is left out.
#include "stream/cloud_event.h"

#include "model/run.h"

static void put_str(struct sbuf *out, const char *name, struct str v)
{
    if (!v.p)
        return;
    sbuf_fmt(out, ",\"%s\":", name);
    sbuf_json(out, v);
}

static void put_i64(struct sbuf *out, const char *name, int64_t v)
{
    if (v != FIELD_ABSENT)
        sbuf_fmt(out, ",\"%s\":%lld", name, (long long)v);
}

static void put_id(struct sbuf *out, const char *name, struct ulid id)
{
    char text[ULID_TEXT_MAX];
    if (!ulid_is_zero(id))
        sbuf_fmt(out, ",\"%s\":\"%s\"", name, ulid_format(id, text));
}

static void put_instant(struct sbuf *out, const char *name, struct instant t)
{
    char text[INSTANT_TEXT_MAX];
    if (!instant_is_never(t))
        sbuf_fmt(out, ",\"%s\":\"%s\"", name, instant_format(t, text));
}

// "stateChanged" of "io.chronos.job.stateChanged.v1".
static struct str word_of(struct str type)
{
    struct str word = STR_NONE, part = STR_NONE, rest = type;
    while (rest.p) { // the last but one
        word = part;
        part = str_split(rest, '.', &rest);
    }
    return word;
}

static void put_data_of_run(struct sbuf *out, const struct outbox_event *e)
{
    struct run r = {.status = e->what, .start = e->start, .end = e->end, .due = e->scheduled};
    run_derive(&r);
    put_id(out, "runId", e->run_id);
    put_i64(out, "jobVersion", e->job_version);
    put_instant(out, "scheduledTime", e->scheduled);
    put_instant(out, "startTime", e->start);
    put_instant(out, "endTime", e->end);
    put_i64(out, "attempt", e->attempt);
    put_str(out, "status", str_of(run_status_names[e->what]));
    put_str(out, "outcome", r.outcome < 0 ? STR_NONE : str_of(run_outcome_names[r.outcome]));
    put_i64(out, "exitCode", e->exit_code);
    put_str(out, "errorClass", e->error_class);
    put_str(out, "errorMessage", e->error_message);
    put_str(out, "workerId", e->worker);
    put_i64(out, "durationMs", r.duration_ms);
    put_id(out, "runKey", e->run_key);
}

void cloud_event_write(const struct outbox_event *e, struct str source, struct sbuf *out)
{
    char job[ULID_TEXT_MAX], run[ULID_TEXT_MAX];
    const char *type = outbox_event_type(e);
    ulid_format(e->job_id, job);
    ulid_format(e->run_id, run);
    sbuf_puts(out, "{\"specversion\":\"1.0\"");
    if (e->of == OUTBOX_RUN)
        sbuf_fmt(out, ",\"id\":\"%s.%s\"", run, run_status_names[e->what]);
    else
        sbuf_fmt(out, ",\"id\":\"%s.%lld.%.*s\"", job, (long long)e->job_version,
                 STR_ARG(word_of(str_of(type))));
    put_str(out, "source", source);
    put_str(out, "type", str_of(type));
    if (e->of == OUTBOX_RUN)
        sbuf_fmt(out, ",\"subject\":\"job/%s/run/%s\"", job, run);
    else
        sbuf_fmt(out, ",\"subject\":\"job/%s\"", job);
    put_instant(out, "time", e->at);
    sbuf_fmt(out, ",\"datacontenttype\":\"application/json\",\"data\":{\"jobId\":\"%s\"", job);
    if (e->of == OUTBOX_RUN)
        put_data_of_run(out, e);
    else
        put_i64(out, "version", e->job_version);
    sbuf_puts(out, "}}");
}
