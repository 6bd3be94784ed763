// SPDX-License-Identifier: Apache-2.0
// The queue and the thread that empties it. Its lock is held for copying one span, or taking a batch out.
#include "otel/exporter.h"

#include <math.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/sync.h"
#include "net/http.h"

enum {
    BATCH_BYTES_MAX = 4 << 20,
    ANSWER_ARENA = 1 << 20,
    BACKOFF_FIRST_MS = 1000,
    BACKOFF_MAX_MS = 30000,
    RATIO_TEXT_MAX = 64,
    CLOSE_TIMEOUT_S = 3,
    RATIO_BYTE = 8, // the last 8 bytes of a trace are by chance
};
#define TRACES_PATH "/v1/traces"

static struct metric exported =
    METRIC_COUNTER_INIT("chronos_spans_exported_total", "", "Spans that the collector took.");
static struct metric dropped_full =
                         METRIC_COUNTER_INIT("chronos_spans_dropped_total", "reason=\"queue_full\"",
                                             "Spans that nobody will see."),
                     dropped_refused = METRIC_COUNTER_INIT(
                         "chronos_spans_dropped_total", "reason=\"refused\"", "Spans that nobody will see."),
                     dropped_failed = METRIC_COUNTER_INIT("chronos_spans_dropped_total", "reason=\"failed\"",
                                                          "Spans that nobody will see.");

struct exporter {
    struct span_sink sink; // first
    struct exporter_options o;
    struct arena a;        // URL and headers
    struct str url, shown; // shown: without user and password
    struct str_map headers;
    uint64_t threshold; // of the last 8 bytes of a trace; 0: none is sent
    bool all;
    struct span *batch; // of the thread alone
    struct mutex lock;
    struct span *queue; // under lock, as is all to the blank line: a ring
    size_t first, n;

    struct waker waker;
    _Atomic bool stop;
    bool failing; // said so in the log
    pthread_t thread;
};

// ---- from attempts -----------------------------------------------------------------------------

static bool samples(struct span_sink *s, const uint8_t trace[TRACE_BYTES])
{
    const struct exporter *x = (const struct exporter *)s;
    uint64_t v = 0;
    for (int i = RATIO_BYTE; i < TRACE_BYTES; i++)
        v = v << 8 | trace[i];
    return x->all || v < x->threshold;
}

static void ended(struct span_sink *s, struct attempt *a)
{
    struct exporter *x = (struct exporter *)s;
    struct run_trace t;
    struct span span;
    trace_of_run(a->inputs, a->run_key, a->run_id, &t, &a->arena);
    if (t.has_parent ? !t.own.sampled : !samples(s, t.own.trace))
        return;
    span_of(a, &t, &span);
    bool wake = false, full;
    {
        WITH_LOCK(&x->lock);
        full = x->n == EXPORT_QUEUE_MAX;
        if (!full)
            x->queue[(x->first + x->n++) % EXPORT_QUEUE_MAX] = span;
        wake = x->n == EXPORT_BATCH_MAX;
    }
    if (full)
        metric_add(&dropped_full, 1);
    if (wake)
        waker_wake(&x->waker);
}

// ---- sending -----------------------------------------------------------------------------------

enum sent { SENT_DONE, SENT_AGAIN, SENT_REFUSED };

static int64_t rejected_in(struct str body)
{
    CLEANUP_JSON json_t *v = NULL;
    struct err ignored;
    int64_t n = 0;
    if (body.n == 0 || !json_parse(body, &v, &ignored))
        return 0;
    const json_t *count = json_object_get(json_object_get(v, "partialSuccess"), "rejectedSpans");
    if (!str_to_i64(json_str(count), &n)) // 64-bit numbers are texts, but not everybody writes them so
        n = json_integer_value(count);
    return n > 0 ? n : 0;
}

static enum sent send_text(struct exporter *x, struct str text, size_t n, struct duration timeout,
                           char why[static ERR_TEXT_MAX])
{
    enum {
        OK_FROM = 200,
        OK_TO = 299,
        TOO_MANY = 429,
        BAD_GATEWAY = 502,
        UNAVAILABLE = 503,
        GATEWAY_TIMEOUT = 504
    };
    struct arena a CLEANUP(arena_release);
    struct http_response r;
    struct err err = {0};
    arena_init(&a, ANSWER_ARENA);
    struct http_request q = {
        .method = STR("POST"), .url = x->url, .headers = x->headers, .body = text, .timeout = timeout};
    if (!http_call(&q, &r, &a, &err)) {
        (void)snprintf(why, ERR_TEXT_MAX, "%s", err.text);
        return SENT_AGAIN;
    }
    if (r.error != HTTP_DONE) {
        (void)snprintf(why, ERR_TEXT_MAX, "%s", r.sentence);
        return r.error == HTTP_BAD_REQUEST ? SENT_REFUSED : SENT_AGAIN;
    }
    if (r.status >= OK_FROM && r.status <= OK_TO) {
        int64_t rejected = rejected_in(r.body);
        rejected = rejected > (int64_t)n ? (int64_t)n : rejected;
        metric_add(&exported, (int64_t)n - rejected);
        metric_add(&dropped_refused, rejected);
        return SENT_DONE;
    }
    (void)snprintf(why, ERR_TEXT_MAX, "the collector answered %d", r.status);
    bool later = r.status == TOO_MANY || r.status == BAD_GATEWAY || r.status == UNAVAILABLE ||
                 r.status == GATEWAY_TIMEOUT;
    return later ? SENT_AGAIN : SENT_REFUSED;
}

static void say(struct exporter *x, bool ok, const char *why)
{
    if (!ok && !x->failing)
        LOG_WARN("spans cannot be sent", LOG_STR("to", x->shown), LOG_CSTR("why", why));
    if (ok && x->failing)
        LOG_INFO("spans are sent again");
    x->failing = !ok;
}

static void pause_before_next(struct exporter *x, struct duration pause)
{
    struct mono until = mono_add(clock_mono(x->o.clock), pause);
    while (!x->stop) {
        struct duration left = mono_since(until, clock_mono(x->o.clock));
        if (left.us <= 0)
            return;
        (void)waker_wait(&x->waker, left); // a full batch wakes it, too
    }
}

// Tries again after pauses; once only when the server ends.
static void send_batch(struct exporter *x, size_t n)
{
    char why[ERR_TEXT_MAX] = "";
    struct sbuf text CLEANUP(sbuf_release);
    sbuf_init(&text, NULL, BATCH_BYTES_MAX);
    spans_write(&x->o.resource, x->batch, n, &text);
    enum sent sent = sbuf_ok(&text) ? SENT_AGAIN : SENT_REFUSED;
    for (int64_t i = 0, pause = BACKOFF_FIRST_MS; sent == SENT_AGAIN && i < EXPORT_TRIES_MAX; i++) {
        bool last = x->stop;
        sent = send_text(x, sbuf_str(&text), n, duration_s(last ? CLOSE_TIMEOUT_S : EXPORT_TIMEOUT_S), why);
        say(x, sent == SENT_DONE, why);
        if (sent != SENT_AGAIN || last)
            break;
        if (i + 1 < EXPORT_TRIES_MAX)
            pause_before_next(x, duration_ms(pause));
        pause = 2 * pause < BACKOFF_MAX_MS ? 2 * pause : BACKOFF_MAX_MS;
    }
    if (sent != SENT_DONE)
        metric_add(sent == SENT_REFUSED ? &dropped_refused : &dropped_failed, (int64_t)n);
}

static size_t take_batch(struct exporter *x)
{
    WITH_LOCK(&x->lock);
    size_t n = x->n < EXPORT_BATCH_MAX ? x->n : EXPORT_BATCH_MAX;
    for (size_t i = 0; i < n; i++)
        x->batch[i] = x->queue[(x->first + i) % EXPORT_QUEUE_MAX];
    x->first = (x->first + n) % EXPORT_QUEUE_MAX;
    x->n -= n;
    return n;
}

static void *exporter_main(void *arg)
{
    struct exporter *x = arg;
    for (;;) {
        bool last = x->stop;
        size_t n;
        while ((n = take_batch(x)) > 0 &&
               !(last && x->failing)) // a collector that is away is asked once at the end
            send_batch(x, n);
        metric_add(&dropped_failed, (int64_t)n);
        if (last)
            return NULL;
        if (!x->stop)
            (void)waker_wait(&x->waker, duration_s(EXPORT_PERIOD_S));
    }
}

// ---- life --------------------------------------------------------------------------------------

static bool read_ratio(struct exporter *x, struct err *err)
{
    char text[RATIO_TEXT_MAX], *end;
    struct str s = str_trim(x->o.sample_ratio);
    (void)snprintf(text, sizeof text, "%.*s", STR_ARG(s));
    double ratio = strtod(text, &end);
    if (s.n == 0 || s.n >= sizeof text || *end != '\0' || !(ratio >= 0 && ratio <= 1))
        return ERR(err, ERR_CONFIG, "otel.sampleRatio \"%.*s\" must be a number from 0 to 1, such as 0.1",
                   STR_ARG(s));
    x->all = ratio == 1;
    x->threshold = x->all ? UINT64_MAX : (uint64_t)ldexp(ratio, 64);
    return true;
}

static bool read_headers(struct exporter *x, struct err *err)
{
    struct str rest = x->o.headers, value;
    x->headers.v = arena_new_array(&x->a, struct str_pair, EXPORT_HEADERS_MAX + 1);
    x->headers.v[x->headers.n++] = (struct str_pair){STR("Content-Type"), STR("application/json")};
    while (rest.p) {
        struct str one = str_split(rest, ',', &rest), name = str_trim(str_split(one, '=', &value));
        if (str_trim(one).n == 0)
            continue;
        value = str_trim(value);
        if (x->headers.n > EXPORT_HEADERS_MAX)
            return ERR(err, ERR_CONFIG, "otel.headers has more than %d headers", EXPORT_HEADERS_MAX);
        if (!value.p || !http_header_check(name, value, err)) // the text may hold a secret: it is not shown
            return ERR(err, ERR_CONFIG,
                       "otel.headers must read \"name=value,name=value\"; entry %zu does not", x->headers.n);
        x->headers.v[x->headers.n++] = (struct str_pair){name, value};
    }
    return true;
}

static bool read_url(struct exporter *x, struct err *err)
{
    struct str url = str_trim(x->o.endpoint);
    while (str_ends(url, STR("/")))
        url.n--;
    x->url = str_ends(url, STR(TRACES_PATH)) ? url : arena_fmt(&x->a, "%.*s" TRACES_PATH, STR_ARG(url));
    if (!http_url_check(x->url, err))
        return err_wrap(err, "otel.endpoint");
    x->shown = http_url_public(x->url, &x->a);
    return true;
}

struct exporter *exporter_open(const struct exporter_options *o, struct err *err)
{
    struct exporter *x = mem_new(struct exporter);
    x->o = *o;
    arena_init(&x->a, ANSWER_ARENA);
    if (!read_ratio(x, err) || !read_headers(x, err) || !read_url(x, err)) {
        err->code = ERR_CONFIG;
        arena_release(&x->a);
        mem_free(x);
        return NULL;
    }
    x->sink = (struct span_sink){.ended = ended, .samples = samples};
    x->queue = mem_array(EXPORT_QUEUE_MAX, sizeof *x->queue);
    x->batch = mem_array(EXPORT_BATCH_MAX, sizeof *x->batch);
    mutex_init(&x->lock, LOCK_OTEL);
    waker_init(&x->waker, LOCK_OTEL_WAKER);
    struct metric *all[] = {&exported, &dropped_full, &dropped_refused, &dropped_failed};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        metric_register(all[i]);
    x->thread = thread_start("spans", exporter_main, x);
    return x;
}

struct span_sink *exporter_sink(struct exporter *x) { return &x->sink; }

void exporter_close(struct exporter *x)
{
    if (!x)
        return;
    x->stop = true;
    waker_wake(&x->waker);
    (void)pthread_join(x->thread, NULL);
    waker_release(&x->waker);
    mutex_release(&x->lock);
    arena_release(&x->a);
    mem_free(x->queue);
    mem_free(x->batch);
    mem_free(x);
}
