// SPDX-License-Identifier: Apache-2.0
// MONITOR: watches work that runs elsewhere, by pings. Its schedule says when that work is due; a run waits for the
// ping that reports its end, and fails when there is none within the grace. So monitors have calendars, zones, history,
// retries and notifications as every job has.
//
// Pings are kept as memos of the job (ping.start, ping.success, ping.failure, ping.log: the last of each). A run looks
// when it begins; then it waits on its loop, and is woken by the next ping or by its deadline. What the memos say then
// decides, so that a ping nobody was told of still counts.
#include "base/json.h"
#include "jobs/blocking.h"
#include "jobs/monitors.h"
#include "jobs/services.h"
#include "net/loop.h"

enum {
    GRACE_S_DEFAULT = 300,
    GRACE_S_MAX = 7 * 86400,
    EARLY_S_DEFAULT = 60,
    EARLY_S_MAX = 86400,
    EXIT_CODE_OK = 0,
};

struct monitor_payload {
    int64_t grace_seconds, early_seconds;
};

#define T struct monitor_payload
static const struct field monitor_rows[] = {
    FIELD_I64(T, grace_seconds, "graceSeconds", .min = 1, .max = GRACE_S_MAX, .def = GRACE_S_DEFAULT,
              .doc = "How long after its time the work may take until it counts as missing. The job's timeoutSeconds "
                     "must be longer."),
    FIELD_I64(T, early_seconds, "earlySeconds", .min = 0, .max = EARLY_S_MAX, .def = FIELD_ABSENT,
              .doc = "How long before its time a success counts already. Default: the interval of an INTERVAL "
                     "schedule, else 60."),
};
#undef T
static const struct fields monitor_fields =
    FIELDS("MonitorPayload", struct monitor_payload, monitor_rows,
           .doc = "Waits for pings of work that runs elsewhere.");

struct ping {
    struct instant at; // INSTANT_NEVER: there was none
    int64_t exit_code;
    struct str body;
};

enum { PING_START, PING_SUCCESS, PING_FAILURE, PING_LOG, PINGS };

struct wait {
    struct monitor_wait base; // first
    struct attempt *a;
    struct instant since; // pings from then on count
    struct instant until;
    struct loop_timer timer;
    bool resting; // on the loop: the timer is set
    _Atomic bool pinged; // while it waited: written on the loop
    struct ping pings[PINGS];
};

// ---- what pings say ----

static bool ping_read(struct attempt *a, const char *name, struct ping *ret, struct err *err)
{
    json_t *v CLEANUP_JSON = NULL;
    struct str text;
    struct ping p = {.at = INSTANT_NEVER, .exit_code = FIELD_ABSENT};
    const struct job_services *s = a->env->services;
    if (!s)
        return ERR(err, ERR_UNAVAILABLE, "this server keeps no pings");
    if (!s->memo_get(s->ctx, a->job_id, str_of(name), &text, &a->arena, err))
        return false;
    if (text.p && json_parse(text, &v, err)) {
        p.at.us = json_integer_value(json_object_get(v, "at"));
        if (json_is_integer(json_object_get(v, "exitCode")))
            p.exit_code = json_integer_value(json_object_get(v, "exitCode"));
        p.body = arena_str(&a->arena, json_str(json_object_get(v, "body")));
    }
    *ret = p;
    return true;
}

static bool counts(const struct wait *w, const struct ping *p)
{
    return !instant_is_never(p->at) && (w->pinged || p->at.us >= w->since.us);
}

static void body_log(struct attempt *a, const struct ping *p)
{
    for (struct str rest = p->body, line; rest.n > 0;) {
        line = str_split(rest, '\n', &rest);
        attempt_log(a, LOG_LINE_INFO, STREAM_STDOUT, line, STR_NONE);
    }
}

// The four pings. False: the attempt has been ended.
static bool pings_read(struct wait *w)
{
    static const char *const names[PINGS] = {"ping.start", "ping.success", "ping.failure", "ping.log"};
    struct err err;
    for (int i = 0; i < PINGS; i++)
        if (!ping_read(w->a, names[i], &w->pings[i], &err)) {
            attempt_fail(w->a, "INTERNAL_ERROR", "the pings of this job cannot be read: %s", err.text);
            return false;
        }
    return true;
}

static void missing(struct wait *w)
{
    struct attempt *a = w->a;
    const struct monitor_payload *p = a->payload;
    char at[INSTANT_TEXT_MAX];
    if (counts(w, &w->pings[PING_START]))
        attempt_fail(a, "PING_MISSING",
                     "the work began at %s and did not tell of its end within %lld s: see whether it hangs",
                     instant_format(w->pings[PING_START].at, at), (long long)p->grace_seconds);
    else
        attempt_fail(a, "PING_MISSING", "no ping came within %lld s: see whether the work ran at all",
                     (long long)p->grace_seconds);
}

static void succeed(struct wait *w)
{
    struct instant began = w->pings[PING_START].at, ended = w->pings[PING_SUCCESS].at;
    body_log(w->a, &w->pings[PING_SUCCESS]);
    if (counts(w, &w->pings[PING_START]) && began.us <= ended.us)
        attempt_log(w->a, LOG_LINE_INFO, STREAM_SYSTEM,
                    arena_fmt(&w->a->arena, "the work took %lld ms", (long long)((ended.us - began.us) / US_PER_MS)),
                    STR_NONE);
    attempt_succeed(w->a, EXIT_CODE_OK);
}

static void end(struct wait *w)
{
    const struct ping *failure = &w->pings[PING_FAILURE], *success = &w->pings[PING_SUCCESS];
    if (counts(w, &w->pings[PING_LOG]))
        body_log(w->a, &w->pings[PING_LOG]);
    if (counts(w, failure) && !(counts(w, success) && success->at.us > failure->at.us)) {
        body_log(w->a, failure);
        attempt_fail(w->a, "PING_FAILED", "the work told that it failed, with exit code %lld",
                     (long long)failure->exit_code);
    } else if (counts(w, success)) {
        succeed(w);
    } else {
        missing(w);
    }
}

// ---- waiting ----

// On a thread that may wait for the store; it always ends the attempt.
static void last_look(struct attempt *a)
{
    struct wait *w = a->state;
    if (!attempt_ended_by_cancel(a) && pings_read(w))
        end(w);
}

static void look(struct wait *w)
{
    w->resting = false;
    loop_timer_stop(w->base.loop, &w->timer);
    monitors_remove(w->a->env->monitors, &w->base);
    attempt_block(w->a, last_look);
}

static void on_timer(void *ctx) { look(ctx); }

static void rest(void *arg, uint64_t number)
{
    struct wait *w = arg;
    (void)number;
    int why = attempt_cancel_asked(w->a);
    if (why >= 0) {
        monitors_remove(w->a->env->monitors, &w->base);
        attempt_cancelled(w->a, (enum cancel_why)why);
        return;
    }
    w->resting = true;
    struct duration left = instant_since(w->until, clock_now(w->a->clock));
    if (w->pinged || left.us < 0)
        left = (struct duration){0};
    loop_timer_set(w->base.loop, &w->timer, mono_add(loop_now(w->base.loop), left));
}

// The ping is stored, so whatever the clock of its node says it is the newest.
static void on_woken(struct monitor_wait *base)
{
    struct wait *w = (struct wait *)base;
    w->pinged = true;
    if (w->resting)
        loop_timer_set(w->base.loop, &w->timer, loop_now(w->base.loop));
}

static struct instant since_of(const struct attempt *a, const struct monitor_payload *p)
{
    struct duration early = schedule_interval(&a->job.schedule);
    if (p->early_seconds != FIELD_ABSENT)
        early = duration_s(p->early_seconds);
    else if (early.us == 0)
        early = duration_s(EARLY_S_DEFAULT);
    return (struct instant){a->scheduled.us - early.us};
}

static bool decided(const struct wait *w)
{
    return counts(w, &w->pings[PING_FAILURE]) || counts(w, &w->pings[PING_SUCCESS]) ||
           clock_now(w->a->clock).us >= w->until.us;
}

static void monitor_start(struct attempt *a)
{
    const struct monitor_payload *p = a->payload;
    struct wait *w = arena_new(&a->arena, struct wait);
    struct loop *loop = attempt_loop(a);
    if (!w || !loop || !a->env->monitors) {
        attempt_fail(a, "NOT_AVAILABLE", "this server has nothing that takes pings");
        return;
    }
    *w = (struct wait){.base = {.job_id = a->job_id, .loop = loop, .woken = on_woken},
                       .a = a,
                       .since = since_of(a, p),
                       .until = instant_add(a->scheduled, duration_s(p->grace_seconds))};
    loop_timer_init(&w->timer, on_timer, w);
    a->state = w;
    monitors_add(a->env->monitors, &w->base); // before the look, so that no ping falls between
    bool read = pings_read(w);
    if (read && !decided(w) && loop_post(loop, rest, w, 0))
        return;
    monitors_remove(a->env->monitors, &w->base);
    if (read)
        end(w);
}

// On the attempt's loop, as rest and the timer are.
static void monitor_cancel(struct attempt *a, enum cancel_why why)
{
    struct wait *w = a->state;
    if (!w->resting) { // rest comes and sees the wish, or the last look does
        attempt_block_cancel(a, why);
        return;
    }
    w->resting = false;
    loop_timer_stop(w->base.loop, &w->timer);
    monitors_remove(a->env->monitors, &w->base);
    attempt_cancelled(a, why);
}

static const char *const examples[] = {"{\"graceSeconds\":1800}", "{\"graceSeconds\":60,\"earlySeconds\":300}", NULL};
static const char *const classes[] = {"PING_MISSING", "PING_FAILED", NULL};

const struct job_type job_type_monitor = {
    .name = "MONITOR",
    .doc = "Watches work that runs elsewhere: fails unless that work pings in time.",
    .payload = &monitor_fields,
    .start = monitor_start,
    .cancel = monitor_cancel,
    .examples = examples,
    .failure_classes = classes,
};
