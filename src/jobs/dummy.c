// SPDX-License-Identifier: Apache-2.0
// DUMMY: does nothing, for as long and as badly as asked. For trying schedules, retries and alerts.
//
// metadata belongs to the user and takes any key; the ones below act, others are named once in the run's log.
// successProbability is decided by a hash of the run's id: the same run always ends the same way.
#include <math.h>

#include "base/json.h"
#include "base/rng.h"
#include "jobs/runner.h"
#include "net/loop.h"

enum { DELAY_S_MAX = JOB_TIMEOUT_S_MAX, LINES_MAX = 100000, NUMBER_TEXT_MAX = 32, IGNORED_TEXT_MAX = 2048 };

struct dummy_payload {
    struct str metadata; // JSON object, or absent
};

#define T struct dummy_payload
static const struct field dummy_rows[] = {
    FIELD_JSON(T, metadata, "metadata", FIELD_IS_OBJECT, .max = JOB_PAYLOAD_MAX,
               .doc = "simulatedDelaySeconds, simulateFailure, failureMessage, successProbability (0 to 1), "
                      "outputLines (a number, or a list of lines)."),
};
#undef T
static const struct fields dummy_fields = FIELDS("DummyPayload", struct dummy_payload, dummy_rows,
                                                 .doc = "A job that only pretends to work.");

struct plan {
    struct attempt *attempt;
    double delay_s, success_probability;
    bool fail;
    struct str failure_message;
    int64_t lines;        // how many to make up, when line_list is NULL
    json_t *line_list;    // borrowed
    struct sbuf ignored;  // names of keys without meaning
    struct loop_timer timer;
};

// ---- reading metadata ----

// A number, or a text that is one. NaN when neither.
static double number_of(const json_t *v)
{
    if (json_is_number(v))
        return json_number_value(v);
    char text[NUMBER_TEXT_MAX], *end = text;
    struct str s = str_trim(json_str(v));
    if (s.n == 0 || s.n >= sizeof text)
        return NAN;
    memcpy(text, s.p, s.n);
    text[s.n] = '\0';
    double d = strtod(text, &end);
    return *end == '\0' ? d : NAN;
}

// 1, 0, or −1 when it is neither.
static int flag_of(const json_t *v)
{
    if (json_is_boolean(v))
        return json_is_true(v);
    struct str s = json_str(v);
    return str_eq_nocase(s, STR("true")) ? 1 : str_eq_nocase(s, STR("false")) ? 0 : -1;
}

static const char *take_delay(struct plan *p, json_t *v)
{
    p->delay_s = number_of(v);
    return p->delay_s >= 0 && p->delay_s <= DELAY_S_MAX ? NULL
                                                        : "must be a number of seconds from 0 to 604800";
}

static const char *take_fail(struct plan *p, json_t *v)
{
    p->fail = flag_of(v) == 1;
    return flag_of(v) >= 0 ? NULL : "must be true or false";
}

static const char *take_message(struct plan *p, json_t *v)
{
    p->failure_message = json_str(v);
    bool ok = json_is_string(v) && p->failure_message.n < RUN_ERROR_MESSAGE_MAX;
    return ok ? NULL : "must be a text of less than 1000 bytes";
}

static const char *take_probability(struct plan *p, json_t *v)
{
    p->success_probability = number_of(v);
    bool ok = p->success_probability >= 0 && p->success_probability <= 1;
    return ok ? NULL : "must be a number from 0 to 1";
}

static const char *take_lines(struct plan *p, json_t *v)
{
    size_t i;
    json_t *line;
    double n = json_is_array(v) ? (double)json_array_size(v) : number_of(v);
    bool ok = n >= 0 && n <= LINES_MAX && floor(n) == n;
    json_array_foreach(v, i, line)
        ok = ok && json_is_string(line);
    p->lines = ok ? (int64_t)n : 0;
    p->line_list = json_is_array(v) ? v : NULL;
    return ok ? NULL : "must be a whole number from 0 to 100000, or a list of texts";
}

static const struct {
    const char *key;
    const char *(*take)(struct plan *p, json_t *v); // returns what is wrong, or NULL
} known[] = {
    {"simulatedDelaySeconds", take_delay},   {"simulateFailure", take_fail}, {"failureMessage", take_message},
    {"successProbability", take_probability}, {"outputLines", take_lines},
};

static const char *take(struct plan *p, const char *key, json_t *v)
{
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (str_is(str_of(key), known[i].key))
            return json_is_null(v) ? NULL : known[i].take(p, v);
    sbuf_puts(&p->ignored, p->ignored.n ? ", " : "");
    sbuf_puts(&p->ignored, key);
    return NULL;
}

static void plan_read(struct plan *p, const json_t *metadata, struct str base, struct faults *faults,
                      struct arena *a)
{
    *p = (struct plan){.success_probability = 1};
    sbuf_init(&p->ignored, a, IGNORED_TEXT_MAX);
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)metadata, key, v) {
        const char *wrong = take(p, key, v);
        if (wrong && faults)
            faults_add(faults, arena_fmt(faults->a, "%.*s/metadata/%s", STR_ARG(base), key), "%s", wrong);
    }
}

static void dummy_check(const void *payload, struct str base, struct faults *faults, struct arena *scratch)
{
    const struct dummy_payload *d = payload;
    json_t *metadata CLEANUP_JSON = NULL;
    struct err err;
    struct plan p;
    if (!d->metadata.p)
        return;
    if (!json_parse(d->metadata, &metadata, &err) || !json_is_object(metadata)) {
        faults_add(faults, arena_fmt(faults->a, "%.*s/metadata", STR_ARG(base)), "must be an object");
        return;
    }
    plan_read(&p, metadata, base, faults, scratch);
}

// ---- running ----

static void output_write(struct attempt *a, const struct plan *p)
{
    if (p->ignored.n > 0)
        attempt_log(a, LOG_LINE_WARN, STREAM_SYSTEM,
                    arena_fmt(&a->arena, "metadata without meaning for DUMMY is ignored: %.*s",
                              STR_ARG(sbuf_str(&p->ignored))), STR_NONE);
    for (int64_t i = 0; i < p->lines; i++) {
        char text[NUMBER_TEXT_MAX];
        (void)snprintf(text, sizeof text, "line %lld", (long long)i + 1);
        struct str line = p->line_list ? json_str(json_array_get(p->line_list, (size_t)i)) : str_of(text);
        attempt_log(a, LOG_LINE_INFO, STREAM_STDOUT, line, STR_NONE);
    }
}

static double chance_of(const struct attempt *a)
{
    static const uint8_t key[16] = "dummy-succeeds?";
    return (double)(hash_bytes(key, a->run_id.b, sizeof a->run_id.b) >> 11) * 0x1p-53; // 53 bits: 0 ≤ x < 1
}

static void finish(struct plan *p)
{
    struct attempt *a = p->attempt;
    if (!p->fail && chance_of(a) < p->success_probability)
        attempt_succeed(a, FIELD_ABSENT);
    else if (p->failure_message.p)
        attempt_fail(a, "DUMMY_ERROR", "%.*s", STR_ARG(p->failure_message));
    else
        attempt_fail(a, "DUMMY_ERROR", "failed as asked by the job's metadata");
}

static void on_timer(void *ctx)
{
    finish(ctx);
}

static void wait_begin(void *arg, uint64_t n)
{
    struct plan *p = arg;
    (void)n;
    int why = attempt_cancel_asked(p->attempt);
    if (why >= 0) {
        attempt_cancelled(p->attempt, (enum cancel_why)why);
        return;
    }
    struct loop *l = attempt_loop(p->attempt);
    struct duration delay = {(int64_t)(p->delay_s * (double)US_PER_S)};
    loop_timer_set(l, &p->timer, mono_add(loop_now(l), delay));
}

static void dummy_start(struct attempt *a)
{
    const struct dummy_payload *d = a->payload;
    json_t *metadata CLEANUP_JSON = NULL;
    struct err err;
    struct plan *p = arena_new(&a->arena, struct plan);
    if (!p || (d->metadata.p && !json_parse(d->metadata, &metadata, &err))) {
        attempt_fail(a, "DEFINITION_ERROR", "the metadata cannot be read");
        return;
    }
    plan_read(p, metadata, STR(""), NULL, &a->arena);
    output_write(a, p);
    p->line_list = NULL;
    p->attempt = a;
    p->failure_message = p->failure_message.p ? arena_str(&a->arena, p->failure_message) : STR_NONE;
    if (!(p->delay_s > 0)) {
        finish(p);
        return;
    }
    loop_timer_init(&p->timer, on_timer, p);
    a->state = p;
    if (!attempt_loop(a) || !loop_post(attempt_loop(a), wait_begin, p, 0))
        attempt_fail(a, "DUMMY_ERROR", "the server is stopping or has too much to do");
}

// On the attempt's loop, as the timer is: either is whole before the other.
static void dummy_cancel(struct attempt *a, enum cancel_why why)
{
    struct plan *p = a->state;
    if (!loop_timer_armed(&p->timer))
        return; // wait_begin comes and sees the wish
    loop_timer_stop(attempt_loop(a), &p->timer);
    attempt_cancelled(a, why);
}

static const char *const examples[] = {
    "{\"metadata\":{\"simulatedDelaySeconds\":2,\"outputLines\":3,\"successProbability\":0.9}}", NULL};
static const char *const classes[] = {"DUMMY_ERROR", NULL};

const struct job_type job_type_dummy = {
    .name = "DUMMY",
    .doc = "Does nothing; waits, fails or writes lines as asked. For trying things out.",
    .payload = &dummy_fields,
    .check = dummy_check,
    .start = dummy_start,
    .cancel = dummy_cancel,
    .examples = examples,
    .failure_classes = classes,
};
