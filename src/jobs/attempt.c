// SPDX-License-Identifier: Apache-2.0
// How an attempt ends, and the small things every type needs of it.
#include <stdarg.h>
#include <stdio.h>

#include "base/sync.h"
#include "jobs/mask.h"
#include "jobs/runner.h"
#include "jobs/span_sink.h"
#include "model/trace.h"

enum { MASKED_MAX = 16 * 1024 * 1024 };

static struct str sentence(struct attempt *a, const char *fmt, va_list args)
    __attribute__((format(printf, 2, 0)));
static struct str sentence(struct attempt *a, const char *fmt, va_list args)
{
    char text[RUN_ERROR_MESSAGE_MAX];
    (void)vsnprintf(text, sizeof text, fmt, args);
    struct str s = str_of(text);
    s.n = str_utf8_cut(s, s.n); // the cut may have hit a character
    return arena_str(&a->arena, s);
}

void attempt_succeed(struct attempt *a, int64_t exit_code)
{
    a->result.status = RUN_SUCCEEDED;
    a->result.exit_code = exit_code;
    attempt_end(a);
}

void attempt_fail(struct attempt *a, const char *error_class, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    a->result.status = RUN_FAILED;
    a->result.error_class = a->secret_missing ? STR("SECRET_ERROR") : str_of(error_class);
    a->result.error_message = sentence(a, fmt, args);
    va_end(args);
    attempt_end(a);
}

void attempt_timed_out(struct attempt *a, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    a->result.status = RUN_TIMED_OUT;
    a->result.error_class = STR("TIMEOUT");
    a->result.error_message = sentence(a, fmt, args);
    va_end(args);
    attempt_end(a);
}

void attempt_cancelled(struct attempt *a, enum cancel_why why)
{
    static const char *const reasons[] = {
        [CANCEL_BY_USER] = "cancelled by a user",
        [CANCEL_BY_REPLACE] = "cancelled: a newer run of the job replaces it",
        [CANCEL_BY_SHUTDOWN] = "cancelled: the server is stopping",
        [CANCEL_BY_LEASE] = "cancelled: the node lost its lease",
    };
    a->result.status = why == CANCEL_BY_TIMEOUT ? RUN_TIMED_OUT : RUN_CANCELLED;
    a->result.error_class = why == CANCEL_BY_TIMEOUT ? STR("TIMEOUT") : STR("CANCELLED");
    if (why == CANCEL_BY_TIMEOUT)
        a->result.error_message = arena_fmt(&a->arena, "the attempt took longer than %lld s",
                                            (long long)(a->timeout.us / US_PER_S));
    else
        a->result.error_message = str_of(reasons[why]);
    attempt_end(a);
}

size_t attempt_lane(const struct attempt *a)
{
    enum { SPREAD_BYTE = 15 }; // the last byte of a run id is of a hash
    return a->env->loop_count ? a->run_id.b[SPREAD_BYTE] % a->env->loop_count : 0;
}

struct loop *attempt_loop(const struct attempt *a)
{
    return a->env->loop_count ? a->env->loops[attempt_lane(a)] : NULL;
}

static bool starts_others(const struct attempt *a) { return a->job.on_success.n > 0 || a->job.on_failure.n > 0; }

void attempt_output(struct attempt *a, struct str text)
{
    if (!starts_others(a))
        return;
    text = attempt_mask(a, text);
    size_t n = text.n < ATTEMPT_OUTPUT_MAX ? text.n : ATTEMPT_OUTPUT_MAX;
    a->result.output = arena_str(&a->arena, (struct str){text.p, str_utf8_cut(text, n)});
}

// Lines of standard output, as many as fit.
static void output_add(struct attempt *a, int stream, struct str line)
{
    if (stream != STREAM_STDOUT || !starts_others(a))
        return;
    struct str *out = &a->result.output;
    char *at = out->p ? (char *)out->p : arena_alloc(&a->arena, ATTEMPT_OUTPUT_MAX);
    if (!at)
        return;
    out->p = at;
    size_t room = ATTEMPT_OUTPUT_MAX - out->n;
    if (room < line.n + 1)
        return;
    memcpy(at + out->n, line.p, line.n);
    at[out->n + line.n] = '\n';
    out->n += line.n + 1;
}

void attempt_log(struct attempt *a, int level, int stream, struct str message, struct str context)
{
    if (!a->mask) {
        output_add(a, stream, message);
        a->sink->log(a->sink, a, level, stream, message, context);
        return;
    }
    struct sbuf masked CLEANUP(sbuf_release), also CLEANUP(sbuf_release);
    sbuf_init(&masked, NULL, MASKED_MAX);
    sbuf_init(&also, NULL, MASKED_MAX);
    message = mask_text(a->mask, stream, message, &masked);
    output_add(a, stream, message);
    a->sink->log(a->sink, a, level, stream, message, mask_text(a->mask, -1, context, &also));
}

struct str attempt_mask(struct attempt *a, struct str text)
{
    struct sbuf masked;
    if (!a->mask || !text.p)
        return text;
    sbuf_init(&masked, &a->arena, MASKED_MAX);
    return mask_text(a->mask, -1, text, &masked);
}

void attempt_unmask(struct attempt *a)
{
    if (!a->mask)
        return;
    a->result.error_code = attempt_mask(a, a->result.error_code);
    a->result.error_message = attempt_mask(a, a->result.error_message);
    mask_free(a->mask);
    a->mask = NULL;
}

void attempt_traceparent(struct attempt *a, char buf[static TRACEPARENT_MAX], struct str *ret_state)
{
    struct run_trace t;
    trace_of_run(a->inputs, a->run_key, a->run_id, &t, &a->arena);
    if (!t.has_parent && a->env && a->env->spans)
        t.own.sampled = a->env->spans->samples(a->env->spans, t.own.trace);
    trace_format(&t.own, buf);
    *ret_state = t.state;
}
