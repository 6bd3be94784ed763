// SPDX-License-Identifier: Apache-2.0
// The answer to an HTTP job. One log line holds all of it as context, as far as a line may be long; a
// longer body follows as lines of standard output, up to what the client keeps.
#include "jobs/http_answer.h"

#include <sodium.h>
#include <stdio.h>

#include "jobs/http_expect.h"

enum {
    STATUS_MIN = 100,
    STATUS_MAX = 599,
    STATUS_PER_CLASS = 100,
    HEADERS_LOGGED_MAX = 2048, // bytes of JSON
    URL_LOGGED_MAX = 1024,
    BODY_LOGGED_MAX = 6144,
    BINARY_LOGGED_MAX = 3072, // bytes, a third more as base64
};

// ---- status ----

static bool class_of(struct str rule, int *ret)
{
    bool ok = rule.n == 3 && rule.p[0] >= '1' && rule.p[0] <= '5' &&
              str_eq_nocase((struct str){rule.p + 1, 2}, STR("xx"));
    if (ok)
        *ret = rule.p[0] - '0';
    return ok;
}

// The statuses that a rule covers, from *ret_low to *ret_high.
static bool rule_read(struct str rule, int64_t *ret_low, int64_t *ret_high)
{
    int class;
    struct str s = str_trim(rule), high_text, low_text = str_split(s, '-', &high_text);
    int64_t low, high;
    if (class_of(s, &class)) {
        *ret_low = (int64_t)class * STATUS_PER_CLASS;
        *ret_high = *ret_low + STATUS_PER_CLASS - 1;
        return true;
    }
    if (!str_to_i64(str_trim(low_text), &low))
        return false;
    high = low;
    if (high_text.p && !str_to_i64(str_trim(high_text), &high))
        return false;
    *ret_low = low;
    *ret_high = high;
    return low >= STATUS_MIN && high <= STATUS_MAX && low <= high;
}

bool http_status_rule_ok(struct str rule)
{
    int64_t low, high;
    return rule_read(rule, &low, &high);
}

bool http_status_expected(const struct strs *rules, int status)
{
    int64_t low, high;
    if (rules->n == 0)
        return status / STATUS_PER_CLASS == 2;
    for (size_t i = 0; i < rules->n; i++)
        if (rule_read(rules->v[i], &low, &high) && status >= low && status <= high)
            return true;
    return false;
}

// ---- log ----

static struct str headers_json(const struct http_response *r, struct arena *a)
{
    struct sbuf b;
    sbuf_init(&b, a, HEADERS_LOGGED_MAX);
    sbuf_putc(&b, '{');
    bool first = true;
    for (size_t i = 0; i < r->headers.n; i++) {
        struct sbuf one;
        sbuf_init(&one, a, HEADERS_LOGGED_MAX);
        sbuf_json(&one, r->headers.v[i].key);
        sbuf_putc(&one, ':');
        sbuf_json(&one, r->headers.v[i].value);
        if (!sbuf_ok(&one) || b.n + one.n + 2 >= HEADERS_LOGGED_MAX)
            continue; // a long one is left out, the others stay
        sbuf_puts(&b, first ? "" : ",");
        sbuf_put(&b, sbuf_str(&one));
        first = false;
    }
    sbuf_putc(&b, '}');
    return sbuf_str(&b);
}

// UTF-8; where the client has cut the body, its last character may be in pieces.
static bool is_text(const struct http_response *r)
{
    enum { CHARACTER_REST_MAX = 3 };
    struct str s = r->body;
    for (size_t n; s.n > 0 && (n = str_utf8_step(s)) > 0;)
        s = (struct str){s.p + n, s.n - n};
    return s.n == 0 || (r->truncated && s.n <= CHARACTER_REST_MAX);
}

static void body_json(struct sbuf *b, const struct http_response *r, size_t most)
{
    if (!is_text(r)) {
        char text[BINARY_LOGGED_MAX * 2];
        size_t n = r->body.n < BINARY_LOGGED_MAX ? r->body.n : BINARY_LOGGED_MAX;
        n = n < most ? n : most;
        (void)sodium_bin2base64(text, sizeof text, (const unsigned char *)r->body.p, n,
                                sodium_base64_VARIANT_ORIGINAL);
        sbuf_puts(b, ",\"bodyBase64\":");
        sbuf_json(b, str_of(text));
        return;
    }
    sbuf_puts(b, ",\"body\":");
    sbuf_json(b, (struct str){r->body.p, str_utf8_cut(r->body, r->body.n < most ? r->body.n : most)});
}

static struct str url_logged(const struct http_payload *p, struct arena *a)
{
    struct str url = http_url_public(p->url, a);
    return (struct str){url.p, str_utf8_cut(url, url.n < URL_LOGGED_MAX ? url.n : URL_LOGGED_MAX)};
}

// The context within LOG_LINE_MAX: as much of the body as goes in. *ret_all: all of it did.
static struct str answer_json(const struct http_payload *p, const char *method, const struct http_response *r,
                              struct arena *a, bool *ret_all)
{
    struct str headers = headers_json(r, a), url = url_logged(p, a);
    for (size_t most = BODY_LOGGED_MAX;; most /= 2) { // escapes make a body longer by an unknown factor
        struct sbuf b;
        sbuf_init(&b, a, LOG_LINE_MAX);
        sbuf_fmt(&b, "{\"method\":\"%s\",\"url\":", method);
        sbuf_json(&b, url);
        sbuf_fmt(&b, ",\"status\":%d,\"headers\":%.*s", r->status, STR_ARG(headers));
        sbuf_fmt(&b, ",\"bodyBytes\":%lld,\"truncated\":%s", (long long)r->body_bytes,
                 r->truncated || r->body.n > most ? "true" : "false");
        if (most > 0)
            body_json(&b, r, most);
        sbuf_putc(&b, '}');
        *ret_all = r->body.n <= most;
        if (sbuf_ok(&b) || most == 0)
            return sbuf_ok(&b) ? sbuf_str(&b) : STR_NONE;
    }
}

static void body_log(struct attempt *a, const struct http_response *r)
{
    struct str rest = r->body;
    while (rest.n > 0) {
        struct str line = {rest.p, str_find(rest, '\n')};
        size_t n = str_utf8_cut(line, line.n < LOG_LINE_MAX ? line.n : LOG_LINE_MAX);
        attempt_log(a, LOG_LINE_INFO, STREAM_STDOUT, (struct str){line.p, n}, STR_NONE);
        n += n == line.n && n < rest.n; // the line break
        rest = (struct str){rest.p + n, rest.n - n};
    }
}

static struct str reason_of(const struct http_response *r)
{
    return r->reason.n > 0 ? r->reason : str_of(http_reason(r->status));
}

static void answer_log(struct attempt *a, const struct http_payload *p, const char *method,
                       const struct http_response *r, bool expected)
{
    bool all;
    struct str context = answer_json(p, method, r, &a->arena, &all);
    struct str reason = reason_of(r);
    struct str message = arena_fmt(&a->arena, "HTTP %d%s%.*s in %.1f ms", r->status, reason.n ? " " : "",
                                   STR_ARG(reason), (double)r->total.us / (double)US_PER_MS);
    attempt_log(a, expected ? LOG_LINE_INFO : LOG_LINE_ERROR, STREAM_SYSTEM, message, context);
    if (!all && is_text(r))
        body_log(a, r);
}

// ---- outcome ----

static void answer_end(struct attempt *a, const struct http_payload *p, const struct http_response *r)
{
    static const char *const classes[] = {"HTTP_ERROR", "HTTP_1XX", "HTTP_2XX",
                                          "HTTP_3XX",   "HTTP_4XX", "HTTP_5XX"};
    size_t class = (size_t)r->status / STATUS_PER_CLASS;
    struct str reason = reason_of(r), host = http_url_host(p->url);
    a->result.exit_code = r->status;
    a->result.error_code = arena_fmt(&a->arena, "%d", r->status);
    a->result.retry_after = r->retry_after;
    attempt_fail(a, classes[class < sizeof classes / sizeof classes[0] ? class : 0],
                 "\"%.*s\" answered %d%s%.*s%s", STR_ARG(host), r->status, reason.n ? " " : "",
                 STR_ARG(reason),
                 class == 3 && !p->follow_redirects ? "; redirects are followed with followRedirects" : "");
}

static void unexpected_end(struct attempt *a, const struct http_payload *p, const struct http_response *r,
                           const struct err *why)
{
    struct str host = http_url_host(p->url);
    a->result.exit_code = r->status;
    a->result.error_code = arena_fmt(&a->arena, "%d", r->status);
    attempt_fail(a, "UNEXPECTED_BODY", "\"%.*s\" answered %d, but %s", STR_ARG(host), r->status, why->text);
}

static void failure_end(struct attempt *a, const struct http_response *r)
{
    switch (r->error) {
    case HTTP_TIMEOUT:
        if (r->connect.us == 0)
            attempt_target_down(a);
        attempt_timed_out(a, "%s", r->sentence);
        return;
    case HTTP_EGRESS_DENIED:
        attempt_fail(a, "EGRESS_DENIED", "%s", r->sentence);
        return;
    case HTTP_BAD_REQUEST:
        attempt_fail(a, "DEFINITION_ERROR", "%s", r->sentence);
        return;
    case HTTP_CLIENT_ERROR:
        attempt_fail(a, "INTERNAL_ERROR", "%s", r->sentence);
        return;
    case HTTP_DONE:
    case HTTP_CANCELLED:
    case HTTP_CONNECTION_ERROR:
    case HTTP_TLS_ERROR:
    case HTTP_REDIRECT_ERROR:
    case HTTP_TOO_LARGE:
        break;
    }
    a->result.error_code = str_of(http_error_names[r->error]); // "TLS_ERROR", …: for retryOn
    attempt_fail(a, "CONNECTION_ERROR", "%s", r->sentence);
}

void http_answer_record(struct attempt *a, const struct http_payload *p, const char *method,
                        const struct http_response *r)
{
    if (r->error != HTTP_DONE) {
        attempt_log(a, LOG_LINE_ERROR, STREAM_SYSTEM, str_of(r->sentence), STR_NONE);
        failure_end(a, r);
        return;
    }
    struct err why;
    if (is_text(r))
        attempt_output(a, r->body);
    bool expected = http_status_expected(&p->expected_status, r->status);
    bool said = !expected || http_expect_holds(&p->expect, r, &a->arena, &why);
    answer_log(a, p, method, r, expected && said);
    if (!expected)
        answer_end(a, p, r);
    else if (!said)
        unexpected_end(a, p, r, &why);
    else
        attempt_succeed(a, r->status);
}
