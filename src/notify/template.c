// SPDX-License-Identifier: Apache-2.0
// Templates over views: a view is written as JSON by its field table, and base/mustache walks over that.
#include "notify/template.h"

#include "base/mustache.h"
#include "notify/text.h"
#include "notify/view.h"

enum { SCRATCH_MAX = 4 * 1024 * 1024, WHOLE_LOG = 16 * 1024, PREVIEW_MAX = 512 * 1024 };

// ---- the filter tz ----

struct filling {
    const struct channel_env *env;
    struct str timezone;
};

static bool run_tz(void *ctx, struct str argument, struct str value, struct sbuf *out, struct err *err)
{
    const struct filling *f = ctx;
    struct str name = argument.n > 0 ? argument : f->timezone;
    struct zones *zones = f->env ? f->env->zones : NULL;
    struct zone *zone = NULL;
    struct instant at;
    if (!instant_parse(value, &at, err))
        return ERR(err, ERR_INVALID, "the filter tz wants a time such as run.scheduledTime");
    if (zones && !zones_get(zones, name, &zone, err))
        return false;
    zone_unref(zone);
    text_time(out, zones, name, at);
    return true;
}

static const struct mustache_filter filters[] = {{"tz", "tz:ZONE", run_tz}, {NULL, NULL, NULL}};

// ---- filling ----

static bool expand(const struct channel_env *env, struct str text, enum escape escape,
                   const struct notification *n, bool check, struct sbuf *out, struct err *err)
{
    struct arena scratch;
    struct sbuf json;
    struct view v;
    json_t *values CLEANUP_JSON = NULL;
    arena_init(&scratch, SCRATCH_MAX);
    sbuf_init(&json, &scratch, SCRATCH_MAX);
    bool ok = view_make(n, WHOLE_LOG, &v, &scratch, err);
    if (ok && check) { // which no notification has beside a failure
        v.node = v.run.node;
        v.digest = v.run.log;
    }
    if (ok) {
        field_encode(&view_fields, &v, FIELD_ENCODE_API, &json);
        ok = (sbuf_ok(&json) || ERR(err, ERR_TOO_LARGE, "no memory for the notification")) &&
             json_parse(sbuf_str(&json), &values, err);
    }
    if (ok) {
        struct filling f = {.env = env, .timezone = v.schedule.timezone};
        const struct mustache m = {
            .values = values, .escape = escape, .check = check, .more = filters, .ctx = &f};
        ok = mustache_expand(&m, text, out, err);
    }
    arena_release(&scratch);
    return ok;
}

bool notify_template_check(const struct channel_env *env, struct str text, struct err *err)
{
    struct notification n;
    struct sbuf out;
    if (!text.p)
        return true;
    if (text.n > NOTIFY_TEMPLATE_MAX)
        return ERR(err, ERR_TOO_LARGE, "a template has at most %d bytes; this one has %zu",
                   NOTIFY_TEMPLATE_MAX, text.n);
    if (!str_utf8_valid(text))
        return ERR(err, ERR_INVALID, "the template is not valid UTF-8");
    notification_sample(NOTICE_FAILED, &n);
    sbuf_init(&out, NULL, NOTIFY_TEXT_MAX);
    bool ok = expand(env, text, ESCAPE_NONE, &n, true, &out, err);
    sbuf_release(&out);
    return ok;
}

bool notify_template_fill(const struct channel_env *env, struct str text, enum escape escape,
                          const struct notification *n, struct str *ret, struct arena *a, struct err *err)
{
    struct sbuf out;
    if (!text.p) {
        *ret = STR_NONE;
        return true;
    }
    sbuf_init(&out, a, NOTIFY_TEXT_MAX);
    if (!expand(env, text, escape, n, false, &out, err))
        return false;
    *ret = sbuf_str(&out);
    return true;
}

bool notify_subject_fill(const struct channel_env *env, struct str text, const struct notification *n,
                         struct str *ret, struct arena *a, struct err *err)
{
    struct str subject;
    if (!notify_template_fill(env, text, ESCAPE_NONE, n, &subject, a, err))
        return false;
    *ret = text_line(subject, NOTIFY_SUBJECT_MAX, a);
    return true;
}

// ---- previews ----

static struct ulid sample_id(uint8_t last)
{
    struct ulid id = {
        .b = {0x01, 0x9a, 0xb0, 0x5c, 0x6e, 0x00, 0x4d, 0x11, 0x9c, 0x20, 0x5f, 0x3a, 0x77, 0x02, 0x61}};
    id.b[sizeof id.b - 1] = last;
    return id;
}

void notification_sample(int event, struct notification *ret)
{
    static struct str tags[] = {STR_INIT("nightly"), STR_INIT("finance")};
    static const int64_t scheduled_s = 1795397400; // 2026-11-23T01:30:00Z
    const int64_t took_s = 42, day_s = S_PER_DAY, attempts = 3;
    *ret = (struct notification){
        .id = STR("msg_sample"),
        .event = event,
        .at = instant_s(scheduled_s + took_s),
        .source = STR("/chronos/main"),
        .url = STR("https://chronos.example.com/ui/runs/sample"),
        .job_id = sample_id(1),
        .run_id = sample_id(2),
        .job_name = STR("nightly-export"),
        .job_type = STR("SCRIPT"),
        .owner = STR("ann@example.com"),
        .tags = {tags, sizeof tags / sizeof tags[0]},
        .scheduled = instant_s(scheduled_s),
        .started = instant_s(scheduled_s + 1),
        .ended = instant_s(scheduled_s + took_s),
        .next_fire = instant_s(scheduled_s + day_s),
        .timezone = STR("Europe/Berlin"),
        .attempt = attempts,
        .exit_code = 1,
        .status = STR("FAILED"),
        .error_class = STR("SCRIPT_ERROR"),
        .error_message = STR("the script ended with exit code 1"),
        .run_key = STR("01KB1SAMPLE0000000000000000"),
        .log_tail = STR("fetching 1204 rows\nexport.csv: no space left on device\n"),
        .streak = attempts,
        .incident = STR("sample-incident"),
        .node = STR("node-1"),
        .digest = STR("02:30 failed: exit code 1\n03:30 recovered\n04:30 failed: exit code 1\n"),
        .subject = STR("Subject"),
        .text = STR("Text"),
    };
    if (event != NOTICE_DIGEST)
        ret->digest = STR_NONE;
    if (event == NOTICE_RECOVERED || (event >= NOTICE_STARTED && event != NOTICE_NODE_DOWN))
        ret->error_message = ret->error_class = ret->log_tail = STR_NONE;
    if (event == NOTICE_NODE_DOWN) {
        ret->job_id = ret->run_id = ULID_ZERO;
        ret->job_name = ret->job_type = ret->owner = ret->timezone = ret->status = ret->run_key = STR_NONE;
        ret->error_message = ret->error_class = ret->log_tail = STR_NONE;
        ret->tags = (struct strs){NULL, 0};
        ret->scheduled = ret->started = ret->ended = ret->next_fire = INSTANT_NEVER;
        ret->attempt = ret->exit_code = ret->streak = FIELD_ABSENT;
    }
}

bool template_preview(const struct channel_env *env, const struct channel *c, const void *config,
                      struct str subject, struct str text, int event, const struct notification *n,
                      struct template_preview *ret, struct arena *a, struct err *err)
{
    struct template_preview p = {.subject = STR_NONE};
    struct notification told;
    struct sbuf out;
    if (n)
        told = *n;
    else
        notification_sample(event, &told);
    told.subject = told.text = STR_NONE;
    struct err why = {0};
    if (!notify_subject_fill(env, subject, &told, &p.subject, a, &why))
        return (*err = why, err_at(err, "/subject"));
    if (!notify_template_fill(env, text, c->escape, &told, &p.text, a, &why))
        return (*err = why, err_at(err, "/text"));
    told.subject = p.subject;
    told.text = p.text;
    if (config) {
        sbuf_init(&out, a, PREVIEW_MAX);
        if (!c->render(env, config, &told, &out, a, err))
            return false;
        p.message = sbuf_str(&out);
    }
    *ret = p;
    return true;
}
