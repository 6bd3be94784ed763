// SPDX-License-Identifier: Apache-2.0
// Notifications into views: names, bounds, and the words of the built-in messages.
#include "notify/view.h"

#include "notify/text.h"

enum { // UTF-16 units
    NAME_UNITS = 200,
    WORD_UNITS = 64,
    OWNER_UNITS = 254,
    URL_UNITS = 1000,
    ERROR_UNITS = 1000,
    TITLE_UNITS = 250,
    TAGS_SHOWN = 16,
};

#define T struct view_job
static const struct field job_rows[] = {
    FIELD_ID(T, id, "id", .doc = "Id of the job."),
    FIELD_STR(T, name, "name", .doc = "Its name."),
    FIELD_STR(T, type, "type", .doc = "Its type: HTTP, SCRIPT, …"),
    FIELD_STR(T, owner, "owner", .doc = "E-mail address of its owner."),
    FIELD_STRS(T, tags, "tags", .doc = "Its tags, 16 at most."),
};
#undef T
static const struct fields job_fields = FIELDS("NotifiedJob", struct view_job, job_rows, .doc = "The job.");

#define T struct view_run
static const struct field run_rows[] = {
    FIELD_ID(T, id, "id", .doc = "Id of the run."),
    FIELD_STR(T, key, "key", .doc = "Run key, the same for all attempts of an occurrence."),
    FIELD_STR(T, status, "status", .doc = "FAILED, TIMED_OUT, SUCCEEDED, …"),
    FIELD_STR(T, error, "error", .doc = "What went wrong, 1,000 characters at most."),
    FIELD_STR(T, error_class, "errorClass", .doc = "Class of the failure: TIMEOUT, HTTP_5XX, …"),
    FIELD_STR(T, log, "log", .doc = "The last lines of its log, secrets hidden."),
    FIELD_STR(T, node, "node", .doc = "Node that ran it."),
    FIELD_INSTANT(T, scheduled, "scheduledTime", .doc = "When it was to run."),
    FIELD_INSTANT(T, started, "startTime", .doc = "When it began."),
    FIELD_INSTANT(T, ended, "endTime", .doc = "When it ended."),
    FIELD_I64(T, attempt, "attempt", .doc = "Number of the attempt, from 1."),
    FIELD_I64(T, exit_code, "exitCode", .doc = "Exit code or HTTP status."),
    FIELD_I64(T, duration_ms, "durationMs", .doc = "How long it ran, in milliseconds."),
    FIELD_I64(T, start_delay_ms, "startDelayMs",
              .doc = "From the time it was to run to its start, in milliseconds."),
};
#undef T
static const struct fields run_fields = FIELDS("NotifiedRun", struct view_run, run_rows, .doc = "The run.");

#define T struct view_schedule
static const struct field schedule_rows[] = {
    FIELD_STR(T, timezone, "timezone", .doc = "IANA zone of the schedule."),
    FIELD_INSTANT(T, next_fire, "nextFireTime", .doc = "When the job runs next."),
};
#undef T
static const struct fields schedule_fields =
    FIELDS("NotifiedSchedule", struct view_schedule, schedule_rows, .doc = "The job's schedule.");

#define T struct view
static const struct field view_rows[] = {
    FIELD_STR(T, id, "id", .doc = "Id of this message, the same at every try."),
    FIELD_STR(T, event, "event",
              .doc = "failed, recovered, dead, missed, slow, overdue, started, succeeded, paused, "
                     "node_down, digest or test."),
    FIELD_STR(T, title, "title", .doc = "The built-in subject: \"FAILED | nightly-export\"."),
    FIELD_STR(T, sentence, "sentence", .doc = "The built-in message in one sentence."),
    FIELD_INSTANT(T, at, "at", .doc = "When it happened."),
    FIELD_STR(T, source, "source", .doc = "Who tells: /chronos/<cluster>."),
    FIELD_STR(T, cluster, "cluster", .doc = "Name of the cluster."),
    FIELD_STR(T, url, "url", .doc = "Page of the run or job."),
    FIELD_STR(T, incident, "incident", .doc = "The same for a failure, what follows it and its recovery."),
    FIELD_STR(T, node, "node", .doc = "The node that is down."),
    FIELD_STR(T, digest, "digest", .doc = "One line for each thing that happened, of a digest."),
    FIELD_I64(T, streak, "streak", .doc = "Failures in a row, this one included."),
    FIELD_OBJECT(T, job, "job", struct view_job, &job_fields, .doc = "The job."),
    FIELD_OBJECT(T, run, "run", struct view_run, &run_fields, .doc = "The run."),
    FIELD_OBJECT(T, schedule, "schedule", struct view_schedule, &schedule_fields,
                 .doc = "The job's schedule."),
    FIELD_STR(T, subject, "subject",
              .doc = "The subscription's subject, filled in. For bodies of HTTP channels."),
    FIELD_STR(T, text, "text", .doc = "The subscription's text, filled in. For bodies of HTTP channels."),
};
#undef T
const struct fields view_fields =
    FIELDS("NotificationData", struct view, view_rows, .doc = "What a notification says.");

// ---- words ----

static const struct {
    const char *head, *what; // "FAILED", what follows the job's name
    enum view_mood mood;
} words[] = {
    [NOTICE_FAILED] = {"FAILED", "failed", MOOD_BAD},
    [NOTICE_RECOVERED] = {"RECOVERED", "works again", MOOD_GOOD},
    [NOTICE_DEAD] = {"DEAD LETTER", "used up its attempts and waits for a person", MOOD_BAD},
    [NOTICE_MISSED] = {"MISSED", "did not run at the time it should have", MOOD_BAD},
    [NOTICE_SLOW] = {"SLOW", "takes longer than expected", MOOD_WARNING},
    [NOTICE_OVERDUE] = {"OVERDUE", "should have started and did not", MOOD_BAD},
    [NOTICE_STARTED] = {"STARTED", "has started", MOOD_NEUTRAL},
    [NOTICE_SUCCEEDED] = {"SUCCEEDED", "succeeded", MOOD_GOOD},
    [NOTICE_PAUSED] = {"PAUSED", "is paused", MOOD_WARNING},
    [NOTICE_NODE_DOWN] = {"NODE DOWN", "is down; others take over its jobs", MOOD_BAD},
    [NOTICE_DIGEST] = {"DIGEST", "has changed several times", MOOD_WARNING},
    [NOTICE_TEST] = {"TEST", "is not affected: this is a test message", MOOD_NEUTRAL},
};
_Static_assert(sizeof words / sizeof words[0] == NOTICE_EVENTS, "words for each event");

enum view_mood view_mood(int event) { return words[event].mood; }

static void put_words(const struct notification *n, struct view *v, struct arena *a)
{
    const char *head = words[n->event].head, *what = words[n->event].what;
    bool of_node = n->event == NOTICE_NODE_DOWN, named = of_node ? v->node.n > 0 : v->job.name.n > 0;
    struct str name = of_node ? v->node : v->job.name;
    if (named) {
        v->title = arena_fmt(a, "%s | %.*s", head, STR_ARG(name));
        v->sentence = arena_fmt(a, "%s \"%.*s\" %s.", of_node ? "Node" : "Job", STR_ARG(name), what);
    } else {
        v->title = arena_fmt(a, "%s | Chronos", head);
        v->sentence = n->event == NOTICE_DIGEST ? STR("Several things have happened.")
                      : n->event == NOTICE_TEST ? STR("This is a test message of Chronos.")
                                                : arena_fmt(a, "%s %s.", of_node ? "A node" : "A job", what);
    }
    if (n->event == NOTICE_FAILED && n->streak != FIELD_ABSENT && n->streak > 1)
        v->sentence = arena_fmt(a, "Job \"%.*s\" failed, %lld times in a row now.", STR_ARG(name),
                                (long long)n->streak);
}

// ---- views ----

static int64_t between_ms(struct instant from, struct instant to)
{
    if (instant_is_never(from) || instant_is_never(to) || to.us < from.us)
        return FIELD_ABSENT;
    return instant_since(to, from).us / US_PER_MS;
}

static struct str cluster_of(struct str source)
{
    static const struct str prefix = STR_INIT("/chronos/");
    return str_starts(source, prefix) ? (struct str){source.p + prefix.n, source.n - prefix.n} : source;
}

static struct strs tags_of(const struct notification *n, struct arena *a)
{
    struct strs tags = {.n = n->tags.n < TAGS_SHOWN ? n->tags.n : TAGS_SHOWN};
    tags.v = tags.n > 0 ? arena_new_array(a, struct str, tags.n) : NULL;
    for (size_t i = 0; tags.v && i < tags.n; i++)
        tags.v[i] = text_line(n->tags.v[i], WORD_UNITS, a);
    return tags.v ? tags : (struct strs){NULL, 0};
}

static void put_run(const struct notification *n, size_t room, struct view_run *r, struct arena *a)
{
    r->id = n->run_id;
    r->key = text_line(n->run_key, WORD_UNITS, a);
    r->status = text_line(n->status, WORD_UNITS, a);
    r->error = text_head(n->error_message, room < ERROR_UNITS ? room : ERROR_UNITS, a);
    r->error_class = text_line(n->error_class, WORD_UNITS, a);
    r->log = text_tail(n->log_tail, CHANNEL_LOG_TAIL_LINES, room, a);
    r->node = n->event == NOTICE_NODE_DOWN ? STR_NONE : text_line(n->node, NAME_UNITS, a);
    r->scheduled = n->scheduled;
    r->started = n->started;
    r->ended = n->ended;
    r->attempt = n->attempt;
    r->exit_code = n->exit_code;
    r->duration_ms = between_ms(n->started, n->ended);
    r->start_delay_ms = between_ms(n->scheduled, n->started);
}

bool view_make(const struct notification *n, size_t room, struct view *ret, struct arena *a, struct err *err)
{
    struct view v;
    field_defaults(&view_fields, &v);
    v.id = text_line(n->id, WORD_UNITS, a);
    v.event = str_of(notice_event_names[n->event]);
    v.at = n->at;
    v.source = text_line(n->source, NAME_UNITS, a);
    v.cluster = cluster_of(v.source);
    v.url = text_line(n->url, URL_UNITS, a);
    v.incident = text_line(n->incident, NAME_UNITS, a);
    v.node = n->event == NOTICE_NODE_DOWN ? text_line(n->node, NAME_UNITS, a) : STR_NONE;
    v.digest = text_head(n->digest, room, a);
    v.streak = n->streak;
    v.job.id = n->job_id;
    v.job.name = text_line(n->job_name, NAME_UNITS, a);
    v.job.type = text_line(n->job_type, WORD_UNITS, a);
    v.job.owner = text_line(n->owner, OWNER_UNITS, a);
    v.job.tags = tags_of(n, a);
    put_run(n, room, &v.run, a);
    v.schedule.timezone = text_line(n->timezone, WORD_UNITS, a);
    v.schedule.next_fire = n->next_fire;
    v.subject = text_line(n->subject, TITLE_UNITS, a);
    v.text = text_head(n->text, room, a);
    put_words(n, &v, a);
    if (a->exhausted)
        return ERR(err, ERR_TOO_LARGE, "no memory for the notification");
    *ret = v;
    return true;
}

bool view_write(const struct notification *n, size_t bytes, view_writer *write, void *ctx, struct sbuf *out,
                struct arena *a, struct err *err)
{
    for (size_t room = VIEW_ROOM;; room /= 2) {
        struct view v;
        if (!view_make(n, room, &v, a, err))
            return false;
        sbuf_clear(out);
        write(ctx, &v, out, a);
        if (!a->exhausted && sbuf_ok(out) && out->n <= bytes)
            return true;
        if (room == 0 || a->exhausted)
            return ERR(err, ERR_TOO_LARGE, "the message has more than %zu bytes even without its log", bytes);
    }
}

// ---- facts ----

struct facts {
    struct fact *v;
    size_t n;
};

static void add(struct facts *f, const char *name, struct str value)
{
    if (value.n > 0 && f->n < FACTS_MAX)
        f->v[f->n++] = (struct fact){name, value};
}

static struct str local(const struct channel_env *env, const struct view *v, struct instant t,
                        struct arena *a)
{
    struct sbuf b;
    if (instant_is_never(t))
        return STR_NONE;
    sbuf_init(&b, a, WORD_UNITS);
    text_time(&b, env->zones, v->schedule.timezone, t);
    return sbuf_str(&b);
}

static struct str duration(int64_t ms, struct arena *a)
{
    struct sbuf b;
    if (ms == FIELD_ABSENT)
        return STR_NONE;
    sbuf_init(&b, a, WORD_UNITS);
    sbuf_duration(&b, ms);
    return sbuf_str(&b);
}

size_t view_facts(const struct channel_env *env, const struct view *v, struct fact ret[static FACTS_MAX],
                  struct arena *a)
{
    struct facts f = {.v = ret};
    add(&f, "Scheduled", local(env, v, v->run.scheduled, a));
    add(&f, "Started", local(env, v, v->run.started, a));
    add(&f, "Took", duration(v->run.duration_ms, a));
    if (v->run.attempt != FIELD_ABSENT)
        add(&f, "Attempt", arena_fmt(a, "%lld", (long long)v->run.attempt));
    if (v->run.exit_code != FIELD_ABSENT)
        add(&f, "Exit code", arena_fmt(a, "%lld", (long long)v->run.exit_code));
    add(&f, "Class", v->run.error_class);
    add(&f, "Type", v->job.type);
    add(&f, "Owner", v->job.owner);
    add(&f, "Node", v->run.node.n > 0 ? v->run.node : v->node);
    add(&f, "Next run", local(env, v, v->schedule.next_fire, a));
    if (instant_is_never(v->run.scheduled))
        add(&f, "When", local(env, v, v->at, a));
    return f.n;
}
