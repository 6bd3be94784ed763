// SPDX-License-Identifier: Apache-2.0
// OTLP's JSON: identifiers as hexadecimal digits, 64-bit numbers as text, enumerations as numbers.
#include "otel/span.h"

enum { KIND_INTERNAL = 1, STATUS_OK = 1, STATUS_ERROR = 2, NS_PER_US = 1000 };

static void copy_text(char *to, size_t size, struct str from)
{
    size_t n = str_utf8_cut(from, size - 1);
    memcpy(to, from.p ? from.p : "", n);
    to[n] = '\0';
}

void span_of(struct attempt *a, const struct run_trace *t, struct span *ret)
{
    struct instant now = clock_now(a->clock);
    *ret = (struct span){
        .own = t->own,
        .has_parent = t->has_parent,
        .run = a->run_id,
        .job = a->job_id,
        .run_key = a->run_key,
        .attempt = a->number,
        .exit_code = a->result.exit_code,
        .status = a->result.status,
        .trigger = a->trigger,
        .scheduled = a->scheduled,
        .start = instant_is_never(a->started) ? now : a->started,
        .end = now,
        .type = a->type ? a->type->name : NULL,
    };
    memcpy(ret->parent, t->parent, sizeof ret->parent);
    if (ret->end.us < ret->start.us)
        ret->end = ret->start; // the clock was set back meanwhile
    copy_text(ret->name, sizeof ret->name, a->job.name);
    copy_text(ret->error_class, sizeof ret->error_class, a->result.error_class);
    copy_text(ret->error_message, sizeof ret->error_message, a->result.error_message);
    copy_text(ret->state, sizeof ret->state, t->state);
}

static void attribute(struct sbuf *out, bool first, const char *key, struct str value)
{
    sbuf_fmt(out, "%s{\"key\":\"%s\",\"value\":{\"stringValue\":", first ? "" : ",", key);
    sbuf_json(out, value);
    sbuf_puts(out, "}}");
}

static void attribute_id(struct sbuf *out, const char *key, struct ulid id)
{
    char text[ULID_TEXT_MAX];
    attribute(out, false, key, str_of(ulid_format(id, text)));
}

static void attribute_i64(struct sbuf *out, const char *key, int64_t value)
{
    sbuf_fmt(out, ",{\"key\":\"%s\",\"value\":{\"intValue\":\"%lld\"}}", key, (long long)value);
}

static void write_attributes(const struct span *s, struct sbuf *out)
{
    char time[INSTANT_TEXT_MAX];
    sbuf_puts(out, ",\"attributes\":[");
    attribute(out, true, "chronos.job.name", str_of(s->name));
    attribute_id(out, "chronos.job.id", s->job);
    if (s->type)
        attribute(out, false, "chronos.job.type", str_of(s->type));
    attribute_id(out, "chronos.run.id", s->run);
    attribute_id(out, "chronos.run.key", s->run_key);
    attribute_i64(out, "chronos.run.attempt", s->attempt);
    attribute(out, false, "chronos.run.outcome", str_of(run_status_names[s->status]));
    attribute(out, false, "chronos.run.trigger", str_of(run_trigger_names[s->trigger]));
    attribute(out, false, "chronos.run.scheduled_time", str_of(instant_format(s->scheduled, time)));
    if (s->exit_code != FIELD_ABSENT)
        attribute_i64(out, "chronos.run.exit_code", s->exit_code);
    if (s->error_class[0])
        attribute(out, false, "error.type", str_of(s->error_class));
    sbuf_putc(out, ']');
}

static void write_span(const struct span *s, struct sbuf *out)
{
    char trace[2 * TRACE_BYTES + 1], span[2 * SPAN_BYTES + 1], parent[2 * SPAN_BYTES + 1];
    trace_hex(s->own.trace, TRACE_BYTES, trace);
    trace_hex(s->own.span, SPAN_BYTES, span);
    trace_hex(s->parent, SPAN_BYTES, parent);
    sbuf_fmt(out, "{\"traceId\":\"%s\",\"spanId\":\"%s\"", trace, span);
    if (s->has_parent)
        sbuf_fmt(out, ",\"parentSpanId\":\"%s\"", parent);
    if (s->state[0]) {
        sbuf_puts(out, ",\"traceState\":");
        sbuf_json(out, str_of(s->state));
    }
    char name[sizeof s->name + sizeof "run "];
    (void)snprintf(name, sizeof name, "run %s", s->name);
    sbuf_puts(out, ",\"name\":");
    sbuf_json(out, str_of(name));
    sbuf_fmt(out, ",\"kind\":%d,\"startTimeUnixNano\":\"%lld\",\"endTimeUnixNano\":\"%lld\"", KIND_INTERNAL,
             (long long)(s->start.us * NS_PER_US), (long long)(s->end.us * NS_PER_US));
    write_attributes(s, out);
    if (s->status == RUN_SUCCEEDED) {
        sbuf_fmt(out, ",\"status\":{\"code\":%d}}", STATUS_OK);
        return;
    }
    sbuf_fmt(out, ",\"status\":{\"code\":%d,\"message\":", STATUS_ERROR);
    sbuf_json(out, str_of(s->error_message));
    sbuf_puts(out, "}}");
}

void spans_write(const struct span_resource *r, const struct span *v, size_t n, struct sbuf *out)
{
    sbuf_puts(out, "{\"resourceSpans\":[{\"resource\":{\"attributes\":[");
    attribute(out, true, "service.name", STR("chronos"));
    attribute(out, false, "service.version", r->version);
    attribute(out, false, "service.instance.id", r->node);
    attribute(out, false, "chronos.store", r->store);
    sbuf_puts(out, "]},\"scopeSpans\":[{\"scope\":{\"name\":\"chronos\",\"version\":");
    sbuf_json(out, r->version);
    sbuf_puts(out, "},\"spans\":[");
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            sbuf_putc(out, ',');
        write_span(&v[i], out);
    }
    sbuf_puts(out, "]}]}]}");
}
