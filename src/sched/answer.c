// SPDX-License-Identifier: Apache-2.0
// Reads a request, finds or compiles its schedule, writes the fires. Every fault becomes an answer.
#include "sched/answer.h"

#include "base/json.h"

struct request {
    struct schedule_spec spec;
    struct instant from;
    int64_t count;
};

void answer_cache_init(struct answer_cache *c, struct zones *zones, struct instant now)
{
    *c = (struct answer_cache){.zones = zones, .now = now};
    map_init(&c->compiled);
}

void answer_cache_release(struct answer_cache *c)
{
    void *value;
    for (size_t i = 0; (i = map_next(&c->compiled, i, &value));)
        schedule_unref((struct schedule *)value);
    map_release(&c->compiled);
}

// A text field; {NULL,0} when absent or null.
static bool text_field(const json_t *request, const char *name, struct str *ret, struct err *err)
{
    const json_t *v = json_object_get(request, name);
    if (v && !json_is_null(v) && !json_is_string(v))
        return ERR(err, ERR_INVALID, "\"%s\" must be a string", name);
    *ret = json_str(v);
    return true;
}

static bool word_field(const json_t *request, const char *name, const char *const *words, int *ret,
                       struct err *err)
{
    struct str text;
    if (!text_field(request, name, &text, err))
        return false;
    if (!text.p)
        return true;
    for (int i = 0; words[i]; i++) {
        if (!str_eq_nocase(text, str_of(words[i])))
            continue;
        *ret = i;
        return true;
    }
    char list[128] = "";
    size_t n = 0;
    for (int i = 0; words[i] && n < sizeof list; i++)
        n += (size_t)snprintf(list + n, sizeof list - n, "%s%s", i ? ", " : "", words[i]);
    return ERR(err, ERR_INVALID, "\"%s\" must be one of %s", name, list);
}

static bool request_times(const json_t *json, const struct answer_cache *c, struct request *r,
                          struct err *err)
{
    struct str from;
    if (!text_field(json, "from", &from, err))
        return false;
    if (!from.p && instant_is_never(c->now))
        return ERR(err, ERR_INVALID,
                   "\"from\" is required: an RFC 3339 instant such as 2027-03-28T00:00:00Z");
    r->from = c->now;
    if (from.p && !instant_parse(from, &r->from, err))
        return err_wrap(err, "\"from\"");
    const json_t *count = json_object_get(json, "count");
    r->count = ANSWER_COUNT_DEFAULT;
    if (!count || json_is_null(count))
        return true;
    r->count = json_is_integer(count) ? json_integer_value(count) : 0;
    if (r->count >= 1 && r->count <= ANSWER_COUNT_MAX)
        return true;
    return ERR(err, ERR_INVALID, "\"count\" must be a whole number, 1-%d", ANSWER_COUNT_MAX);
}

static bool request_read(const json_t *json, const struct answer_cache *c, struct request *ret,
                         struct err *err)
{
    struct request r = {.spec = {.kind = SCHEDULE_CRON,
                                 .start_at = INSTANT_NEVER,
                                 .end_at = INSTANT_NEVER,
                                 .interval_seconds = FIELD_ABSENT,
                                 .interval_ms = FIELD_ABSENT}};
    struct schedule_spec *s = &r.spec;
    if (!json_is_object(json))
        return ERR(err, ERR_INVALID, "a request must be a JSON object");
    if (!text_field(json, "expr", &s->cron_expression, err) || !text_field(json, "rrule", &s->rrule, err) ||
        !text_field(json, "tz", &s->timezone, err) ||
        !word_field(json, "dialect", cron_dialect_names, &s->dialect, err) ||
        !word_field(json, "dstGap", dst_gap_names, &s->dst_gap, err) ||
        !word_field(json, "dstOverlap", dst_overlap_names, &s->dst_overlap, err) ||
        !word_field(json, "dayMatch", day_match_names, &s->day_match, err))
        return false;
    if (s->cron_expression.p && s->rrule.p)
        return ERR(err, ERR_INVALID, "give \"expr\" or \"rrule\", not both");
    if (!s->cron_expression.p && !s->rrule.p)
        return ERR(err, ERR_INVALID, "\"expr\" or \"rrule\" is required");
    if (s->rrule.p)
        s->kind = SCHEDULE_RRULE;
    if (!request_times(json, c, &r, err))
        return false;
    *ret = r;
    return true;
}

static void cache_clear(struct answer_cache *c)
{
    answer_cache_release(c);
    map_init(&c->compiled);
}

// The compiled schedule; the cache owns it until the next call.
static bool compiled(struct answer_cache *c, const struct schedule_spec *spec, const struct schedule **ret,
                     struct cron_fault *fault, struct err *err)
{
    struct instant anchor = {0};
    struct ulid key = schedule_key(spec, anchor, 0);
    struct schedule *s = (struct schedule *)map_get(&c->compiled, key);
    bool bounded = spec->cron_expression.n <= SCHEDULE_EXPRESSION_MAX && spec->timezone.n <= ZONE_NAME_MAX;
    if (!s || !bounded || schedule_stale(s)) {
        if (!schedule_compile(c->zones, spec, anchor, 0, &s, fault, err))
            return false;
        if (c->compiled.n >= ANSWER_CACHE_MAX)
            cache_clear(c);
        schedule_unref((struct schedule *)map_put(&c->compiled, key, s));
    }
    *ret = s;
    return true;
}

static void write_fires(const struct schedule *s, const struct request *r, struct sbuf *out)
{
    char text[INSTANT_TEXT_MAX];
    uint32_t hint = 0;
    struct instant t = r->from;
    sbuf_puts(out, "[");
    for (int64_t i = 0; i < r->count; i++) {
        t = schedule_next(s, t);
        if (instant_is_never(t))
            break;
        struct zone_span span = zone_span_at(schedule_zone(s), t.us / US_PER_S, &hint);
        sbuf_puts(out, i ? ",\"" : "\"");
        sbuf_puts(out, instant_format_offset(t, span.offset_s, text));
        sbuf_putc(out, '"');
    }
    sbuf_puts(out, "]");
}

static void write_failure(const struct err *err, const struct cron_fault *fault, struct sbuf *out)
{
    sbuf_puts(out, "false,\"error\":");
    sbuf_json(out, str_of(err->text));
    sbuf_puts(out, ",\"position\":");
    if (fault->field)
        sbuf_i64(out, (int64_t)fault->position);
    else
        sbuf_puts(out, "null");
}

void schedule_answer(struct str line, struct sbuf *out, struct answer_cache *c)
{
    CLEANUP_JSON json_t *json = NULL;
    struct request r;
    struct cron_fault fault = {0};
    const struct schedule *s = NULL;
    struct err err;
    bool ok = json_parse(line, &json, &err) && request_read(json, c, &r, &err) &&
              compiled(c, &r.spec, &s, &fault, &err);
    const json_t *id = json_is_object(json) ? json_object_get(json, "id") : NULL;
    sbuf_puts(out, "{\"id\":");
    if (id)
        json_write(id, out);
    else
        sbuf_puts(out, "null");
    sbuf_puts(out, ",\"valid\":");
    if (ok) {
        sbuf_puts(out, "true,\"next\":");
        write_fires(s, &r, out);
    } else {
        write_failure(&err, &fault, out);
    }
    sbuf_puts(out, "}\n");
}
