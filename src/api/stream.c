// SPDX-License-Identifier: Apache-2.0
// Event streams: the log of one run, and the changes of all runs the caller may see. The streams hold no text
// of their own: woken by app/topic, they read what was committed since the last event they sent.
//
// next() runs on a connection thread: it reads at most LINES_PER_CALL rows, writes not much more than
// PORTION_MAX bytes (the server takes HTTPD_STREAM_CHUNK_MAX) and asks to be woken again when there are more.
// Rights are checked when the stream begins and again before something is sent, once in RENEW_S at most: it
// ends for who is disabled, signed out or out of the team.
#include "api/stream.h"

#include "api/handlers.h"
#include "app/job.h"
#include "app/run.h"
#include "app/watch.h"
#include "base/mem.h"

enum {
    LINES_PER_CALL = 256,
    CHANGES_PER_CALL = 64,
    SCRATCH_BUDGET = 16 * 1024 * 1024,
    PORTION_MAX = 96 * 1024,
    RENEW_S = 1,
    TYPE_WORD_MAX = 64,
    EPOCH_DIGITS = 16,
    EVENT_MAX = 96 * 1024, // a line of LOG_LINE_MAX bytes with every byte escaped, and its context
};

struct stream {
    struct httpd_source source;
    struct app *app;
    struct subscriber *subscriber;
    struct httpd_stream *_Atomic open; // NULL until opened
    struct caller caller;              // without texts; teams are those of the last renewal
    struct ulid teams[USER_TEAMS_MAX];
    struct mono renewed;
    struct ulid run_id;
    int64_t after; // last line sent
    // Of events: only these.
    struct ulid job_id;       // zero: any
    int status;               // enum run_status, −1: any
    char type[TYPE_WORD_MAX]; // "": any
};

void event_write(struct sbuf *out, int64_t id, const char *event, struct str data)
{
    if (id > 0)
        sbuf_fmt(out, "id: %lld\n", (long long)id);
    if (event)
        sbuf_fmt(out, "event: %s\n", event);
    sbuf_puts(out, "data: ");
    sbuf_put(out, data);
    sbuf_puts(out, "\n\n");
}

static void wake(void *ctx)
{
    struct stream *s = ctx;
    struct httpd_stream *open = atomic_load(&s->open);
    if (open)
        httpd_stream_wake(open);
}

static void opened(void *ctx, struct httpd_stream *h)
{
    struct stream *s = ctx;
    atomic_store(&s->open, h);
    httpd_stream_wake(h); // for what was published before there was anything to wake
}

static void closed(void *ctx)
{
    struct stream *s = ctx;
    topic_leave(s->app->topic, s->subscriber);
    mem_free(s);
}

static void teams_keep(struct stream *s)
{
    must(s->caller.n_teams <= USER_TEAMS_MAX);
    if (s->caller.n_teams > 0)
        memmove(s->teams, s->caller.teams, s->caller.n_teams * sizeof *s->teams);
    s->caller.teams = s->teams;
}

// Whether who asked may still see what he asked for. While the store does not answer nothing changes.
static bool still_allowed(struct stream *s, struct arena *a)
{
    struct err err = {0};
    struct run r;
    struct mono now = clock_mono(s->app->clock);
    if (now.us - s->renewed.us < RENEW_S * US_PER_S)
        return true;
    s->renewed = now;
    bool ok = app_caller_renew(s->app, &s->caller, a, &err);
    teams_keep(s);
    if (ok && !ulid_is_zero(s->run_id))
        ok = app_run_get(s->app, &s->caller, s->run_id, ULID_ZERO, &r, a, &err);
    return ok || (err.code != ERR_UNAUTHENTICATED && err.code != ERR_DENIED && err.code != ERR_NOT_FOUND);
}

static void line_write(const struct log_line *l, struct sbuf *out, struct arena *a)
{
    struct sbuf line;
    sbuf_init(&line, a, EVENT_MAX);
    field_encode(&log_line_fields, l, FIELD_ENCODE_API, &line);
    if (!sbuf_ok(&line)) {
        struct log_line bare = *l; // its context is what is too large
        bare.context = STR_NONE;
        bare.message = STR("[this line is too large for a stream; read it page by page]");
        sbuf_clear(&line);
        field_encode(&log_line_fields, &bare, FIELD_ENCODE_API, &line);
    }
    event_write(out, l->id, NULL, sbuf_str(&line));
}

static bool logs_some(struct stream *s, struct sbuf *out, struct arena *a)
{
    struct err err = {0};
    struct log_line *v;
    size_t n = 0;
    int status = RUN_RUNNING;
    // The status first: a line written before the end is committed before it, so none is missed after the
    // end.
    if (!app_run_status(s->app, s->run_id, &status, a, &err) ||
        !app_logs_read(s->app, s->run_id, s->after, LINES_PER_CALL, &v, &n, a, &err)) {
        event_write(out, 0, "error", STR("{\"detail\":\"the log cannot be read now; connect again\"}"));
        return false;
    }
    size_t told = 0;
    for (; told < n && out->n < PORTION_MAX; told++) {
        line_write(&v[told], out, a);
        s->after = v[told].id;
    }
    if (told < n || n == LINES_PER_CALL) {
        wake(s);
        return true;
    }
    if (!run_status_final(status))
        return true;
    event_write(out, 0, "end", arena_fmt(a, "{\"status\":\"%s\"}", run_status_names[status]));
    return false;
}

static bool logs_next(void *ctx, struct sbuf *out)
{
    struct arena a;
    arena_init(&a, SCRATCH_BUDGET);
    bool more = still_allowed(ctx, &a) && logs_some(ctx, out, &a);
    arena_release(&a);
    return more;
}

static void id_write(struct stream *s, int64_t seq, struct sbuf *out)
{
    sbuf_fmt(out, "id: %016llx-%lld\n", (unsigned long long)topic_epoch(s->app->topic), (long long)seq);
}

static void run_write_event(struct stream *s, const struct run_change *c, struct sbuf *out, struct arena *a)
{
    char run[ULID_TEXT_MAX], job[ULID_TEXT_MAX];
    if (s->status >= 0 && s->status != c->status)
        return;
    id_write(s, c->seq, out);
    event_write(out, 0, "run",
                arena_fmt(a, "{\"runId\":\"%s\",\"jobId\":\"%s\",\"status\":\"%s\"}",
                          ulid_format(c->run_id, run), ulid_format(c->job_id, job),
                          run_status_names[c->status]));
}

// As the job is now; one that is gone is told as deleted to those who could see it.
static void job_write_event(struct stream *s, const struct run_change *c, const struct job *j,
                            struct sbuf *out, struct arena *a)
{
    char job[ULID_TEXT_MAX];
    if (s->status >= 0)
        return;
    (void)ulid_format(c->job_id, job);
    id_write(s, c->seq, out);
    event_write(out, 0, "job",
                j ? arena_fmt(a, "{\"jobId\":\"%s\",\"status\":\"%s\",\"version\":%lld}", job,
                              job_status_names[j->status], (long long)j->version)
                  : arena_fmt(a, "{\"jobId\":\"%s\",\"deleted\":true}", job));
}

static void change_write(struct stream *s, const struct run_change *c, struct sbuf *out, struct arena *a)
{
    struct err err = {0};
    struct job j;
    bool of_job = ulid_is_zero(c->run_id);
    if (!ulid_is_zero(s->job_id) && !ulid_eq(s->job_id, c->job_id))
        return;
    if (!of_job && !s->type[0]) {
        if (app_job_reachable(s->app, &s->caller, ACTION_RUN_READ, c->job_id, a, &err))
            run_write_event(s, c, out, a);
        return;
    }
    bool there = app_job_get(s->app, &s->caller, ACTION_RUN_READ, c->job_id, &j, a, &err);
    if (s->type[0] && (!there || !str_eq_nocase(j.type, str_of(s->type))))
        return;
    if (!there && !app_job_reachable(s->app, &s->caller, ACTION_RUN_READ, c->job_id, a, &err))
        return;
    if (of_job)
        job_write_event(s, c, there ? &j : NULL, out, a);
    else
        run_write_event(s, c, out, a);
}

static bool changes_next(void *ctx, struct sbuf *out)
{
    struct stream *s = ctx;
    struct run_change v[CHANGES_PER_CALL];
    bool missed, allowed;
    struct arena a;
    size_t n = topic_take(s->app->topic, s->subscriber, v, CHANGES_PER_CALL, &missed);
    if (n == 0 && !missed)
        return true;
    arena_init(&a, SCRATCH_BUDGET);
    allowed = still_allowed(s, &a);
    if (!allowed)
        event_write(out, 0, "end", STR("{\"detail\":\"sign in again\"}"));
    if (missed && allowed)
        event_write(out, 0, "missed", STR("{\"detail\":\"events were left out; read the lists again\"}"));
    for (size_t i = 0; allowed && i < n; i++)
        change_write(s, &v[i], out, &a);
    arena_release(&a);
    if (n == CHANGES_PER_CALL)
        wake(s);
    return allowed;
}

static struct stream *stream_answer(struct call *c, struct ulid run_id, bool (*next)(void *, struct sbuf *),
                                    int64_t after, struct err *err)
{
    struct stream *s = mem_new(struct stream);
    s->app = c->app;
    s->caller = c->caller;
    s->caller.email = s->caller.remote = s->caller.request_id = STR_NONE; // they end with the request
    teams_keep(s);
    s->renewed = clock_mono(c->app->clock);
    s->run_id = run_id;
    s->after = after;
    s->source = (struct httpd_source){.next = next, .closed = closed, .opened = opened, .ctx = s};
    s->subscriber = topic_join(c->app->topic, run_id, wake, s);
    if (!s->subscriber) {
        mem_free(s);
        (void)ERR(err, ERR_UNAVAILABLE, "too many event streams are open; try again later");
        return NULL;
    }
    call_header(c, "Cache-Control", STR("no-store"));
    call_header(c, "X-Accel-Buffering", STR("no")); // nginx would hold events back
    c->resp->source = &s->source;
    return s;
}

bool api_logs_stream(struct call *c, struct err *err)
{
    struct ulid job_id, id;
    struct run r;
    int64_t after = query_i64(c, "after", 0, INT64_MAX, 0), last;
    if (!call_id(c, 0, &job_id, err) || !call_id(c, 1, &id, err) || !call_faulty(c, err) ||
        !app_run_get(c->app, &c->caller, id, job_id, &r, c->a, err))
        return false;
    struct str seen = httpd_header(c->req, "last-event-id");
    if (seen.n > 0 && str_to_i64(seen, &last) && last >= 0)
        after = last;
    return stream_answer(c, id, logs_next, after, err) != NULL;
}

// Goes on behind the last event that the client has seen.
static void resume(struct call *c, struct stream *s)
{
    struct str number, epoch = str_split(httpd_header(c->req, "last-event-id"), '-', &number);
    char own[EPOCH_DIGITS + 1];
    int64_t after;
    if (epoch.n == 0)
        return;
    (void)snprintf(own, sizeof own, "%016llx", (unsigned long long)topic_epoch(c->app->topic));
    bool known = str_is(epoch, own) && number.p && str_to_i64(number, &after);
    topic_resume(c->app->topic, s->subscriber, known ? after : -1);
}

bool api_events(struct call *c, struct err *err)
{
    struct ulid job_id = query_id(c, "jobId");
    int status = query_enum(c, "status", run_status_names);
    struct str type = query_str(c, "type");
    if (type.n >= TYPE_WORD_MAX)
        query_fault(c, "type", "must be a job type; GET /job-types lists them");
    if (!call_faulty(c, err))
        return false;
    struct stream *s = stream_answer(c, ULID_ZERO, changes_next, 0, err);
    if (!s)
        return false;
    s->job_id = job_id;
    s->status = status;
    if (type.n > 0)
        memcpy(s->type, type.p, type.n);
    resume(c, s);
    if (c->app->watch)
        watch_follow(c->app->watch);
    return true;
}
