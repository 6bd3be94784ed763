// SPDX-License-Identifier: Apache-2.0
// ALERTMANAGER: POST /api/v2/alerts. An alert is its labels, so these are the same for a failure and its
// recovery and never name a run. It is sent with an end some days ahead and needs no repeating; the recovery
// ends it now.
#include "notify/post.h"
#include "notify/text.h"
#include "notify/view.h"

enum {
    KEEP_HOURS_DEFAULT = 168,
    KEEP_HOURS_MAX = 8760,
    S_PER_HOUR = 3600,
    SHORT_S = 300, // of what is not a state: a test, a start, a success
    LABELS_MAX = 16,
    LABEL_UNITS = 200,
    ANNOTATION_UNITS = 1500,
    MESSAGE_BYTES = 64 * 1024,
};

struct alertmanager_config {
    struct str url;
    struct str_map headers, labels;
    int64_t keep_hours;
};

#define T struct alertmanager_config
static const struct field alertmanager_rows[] = {
    FIELD_STR(T, url, "url", .flags = FIELD_REQUIRED, .max = POST_URL_MAX,
              .doc = "Address of the Alertmanager, without /api/v2: http://alertmanager:9093"),
    FIELD_MAP(T, headers, "headers", .flags = FIELD_SECRET, .max = LABELS_MAX,
              .doc = "Further headers, such as Authorization."),
    FIELD_MAP(T, labels, "labels", .max = LABELS_MAX,
              .doc = "Further labels for its routes: {\"team\": \"finance\"}."),
    FIELD_I64(T, keep_hours, "keepHours", .min = 1, .max = KEEP_HOURS_MAX, FIELD_DEFAULT(KEEP_HOURS_DEFAULT),
              .doc = "How long an alert fires when nothing more is heard."),
};
#undef T
static const struct fields alertmanager_fields =
    FIELDS("AlertmanagerChannel", struct alertmanager_config, alertmanager_rows,
           .doc = "A Prometheus Alertmanager.");

static bool is_label(struct str s)
{
    bool ok = s.n > 0 && !(s.p[0] >= '0' && s.p[0] <= '9');
    for (size_t i = 0; i < s.n; i++)
        ok = ok && ((s.p[i] >= '0' && s.p[i] <= '9') || ((s.p[i] | ' ') >= 'a' && (s.p[i] | ' ') <= 'z') ||
                    s.p[i] == '_');
    return ok;
}

static void alertmanager_check(const void *config, struct str base, struct faults *faults,
                               struct arena *scratch)
{
    static const char *const reserved[] = {"content-type", "user-agent", NULL};
    static const char *const ours[] = {"alertname", "job", "job_id", "cluster", "severity", "node", NULL};
    const struct alertmanager_config *c = config;
    (void)scratch;
    post_check_url(c->url, base, "url", faults);
    if (str_contains(c->url, STR("/api/v")) || str_find(c->url, '?') < c->url.n)
        faults_add(
            faults, post_pointer(base, "url", faults),
            "is the address of the Alertmanager itself, such as http://alertmanager:9093; leave /api/… out");
    post_check_headers(c->headers, reserved, base, faults);
    for (size_t i = 0; i < c->labels.n; i++) {
        struct str name = c->labels.v[i].key;
        struct str at = arena_fmt(faults->a, "%.*s/labels/%.*s", STR_ARG(base), STR_ARG(name));
        if (!is_label(name))
            faults_add(faults, at, "is no label: letters, digits and '_', not a digit first");
        for (const char *const *o = ours; *o; o++)
            if (str_is(name, *o))
                faults_add(faults, at, "is set by Chronos; choose another name");
    }
}

// ---- alerts ----

static const struct {
    const char *alert, *severity;
    bool lasts; // until the recovery
} alerts[] = {
    [NOTICE_FAILED] = {"ChronosJobFailing", "critical", true},
    [NOTICE_RECOVERED] = {NULL, NULL, false},
    [NOTICE_DEAD] = {"ChronosDeadLetter", "critical", true},
    [NOTICE_MISSED] = {"ChronosJobMissed", "warning", true},
    [NOTICE_SLOW] = {"ChronosJobSlow", "warning", true},
    [NOTICE_OVERDUE] = {"ChronosJobOverdue", "critical", true},
    [NOTICE_STARTED] = {"ChronosJobStarted", "info", false},
    [NOTICE_SUCCEEDED] = {"ChronosJobSucceeded", "info", false},
    [NOTICE_PAUSED] = {"ChronosJobPaused", "warning", false},
    [NOTICE_NODE_DOWN] = {"ChronosNodeDown", "critical", false},
    [NOTICE_DIGEST] = {"ChronosJobFlapping", "warning", true},
    [NOTICE_TEST] = {"ChronosTest", "info", false},
};
_Static_assert(sizeof alerts / sizeof alerts[0] == NOTICE_EVENTS, "an alert for each event");

struct message {
    const struct alertmanager_config *config;
    int event;
};

static void put_time(struct sbuf *out, const char *name, struct instant t)
{
    char time[INSTANT_TEXT_MAX];
    text_member(out, name, str_of(instant_format(t, time)));
}

static void put_labels(const struct message *m, int event, const struct view *v, struct sbuf *out,
                       struct arena *a)
{
    char id[ULID_TEXT_MAX];
    text_key(out, "labels");
    sbuf_putc(out, '{');
    text_member(out, "alertname", str_of(alerts[event].alert));
    text_member(out, "severity", str_of(alerts[event].severity));
    text_member(out, "cluster", v->cluster);
    text_member(out, "job", v->job.name);
    if (!ulid_is_zero(v->job.id))
        text_member(out, "job_id", str_of(ulid_format(v->job.id, id)));
    text_member(out, "node", v->node);
    for (size_t i = 0; i < m->config->labels.n; i++) {
        const struct str_pair *l = &m->config->labels.v[i];
        text_member(out, arena_cstr(a, l->key), text_line(l->value, LABEL_UNITS, a));
    }
    sbuf_putc(out, '}');
}

static void put_alert(const struct message *m, int event, const struct view *v, struct sbuf *out,
                      struct arena *a)
{
    bool over = m->event == NOTICE_RECOVERED;
    int64_t lasts_s = alerts[event].lasts ? m->config->keep_hours * S_PER_HOUR : SHORT_S;
    text_comma(out);
    sbuf_putc(out, '{');
    put_labels(m, event, v, out, a);
    if (!over)
        put_time(out, "startsAt", v->at);
    put_time(out, "endsAt", over ? v->at : instant_add(v->at, duration_s(lasts_s)));
    text_member(out, "generatorURL", v->url);
    if (!over) {
        text_key(out, "annotations");
        sbuf_putc(out, '{');
        text_member(out, "summary", v->subject.n > 0 ? v->subject : v->sentence);
        text_member(out, "description",
                    text_head(v->text.n > 0        ? v->text
                              : v->run.error.n > 0 ? v->run.error
                                                   : v->digest,
                              ANNOTATION_UNITS, a));
        text_member(out, "log", text_tail(v->run.log, CHANNEL_LOG_TAIL_LINES, ANNOTATION_UNITS, a));
        sbuf_putc(out, '}');
    }
    sbuf_putc(out, '}');
}

static void write_message(void *ctx, const struct view *v, struct sbuf *out, struct arena *a)
{
    const struct message *m = ctx;
    sbuf_putc(out, '[');
    if (m->event != NOTICE_RECOVERED)
        put_alert(m, m->event, v, out, a);
    for (int event = 0; m->event == NOTICE_RECOVERED && event < NOTICE_EVENTS; event++)
        if (alerts[event].lasts)
            put_alert(m, event, v, out, a);
    sbuf_putc(out, ']');
}

static bool alertmanager_render(const struct channel_env *env, const void *config,
                                const struct notification *n, struct sbuf *out, struct arena *a,
                                struct err *err)
{
    struct message m = {.config = config, .event = n->event};
    (void)env;
    return view_write(n, MESSAGE_BYTES, write_message, &m, out, a, err);
}

static void alertmanager_send(const struct channel_env *env, const void *config, const struct notification *n,
                              struct channel_result *ret, struct arena *a)
{
    const struct alertmanager_config *c = config;
    struct str root = c->url;
    while (root.n > 0 && root.p[root.n - 1] == '/')
        root.n--;
    struct post p = {.target = "Alertmanager", .content_type = STR("application/json")};
    p.url = arena_fmt(a, "%.*s/api/v2/alerts", STR_ARG(root));
    post_add_headers(&p, c->headers);
    post_rendered(env, alertmanager_render, config, n, &p, ret, a);
}

const struct channel channel_alertmanager = {
    .name = "ALERTMANAGER",
    .doc = "An alert of a Prometheus Alertmanager, ended by the recovery.",
    .config = &alertmanager_fields,
    .config_size = sizeof(struct alertmanager_config),
    .escape = ESCAPE_NONE,
    .check = alertmanager_check,
    .send = alertmanager_send,
    .render = alertmanager_render,
};
