// SPDX-License-Identifier: Apache-2.0
// Sends notifications for tests/guard/test_channels.py: one JSON object a line on standard input, one a line
// back. Members: channel, config, action ("send", "render" or "check"), event, id, incident, jobName, error, log,
// subject and text (templates), denied (["loopback"]), mail ("smtp://…").
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "notify/template.h"

enum { ARENA_MAX = 64 * 1024 * 1024, LINE_MAX_BYTES = 8 * 1024 * 1024, BEGAN_S = 60 };

struct order {
    const json_t *json;
    const struct channel *channel;
    void *config;
    struct channel_env env;
    struct egress egress;
    struct mail_server mail;
    struct notification n;
};

static struct str text(const struct order *o, const char *name, struct str otherwise)
{
    const json_t *v = json_object_get(o->json, name);
    return v ? json_str(v) : otherwise;
}

static bool prepare(struct order *o, struct arena *a, struct err *err)
{
    struct faults faults;
    const json_t *denied = json_object_get(o->json, "denied");
    struct str word = json_str(json_array_get(denied, 0));
    int event = field_enum_find(notice_event_names, text(o, "event", STR("failed")));
    faults_init(&faults, a);
    o->channel = channel_find(text(o, "channel", STR("")));
    if (!o->channel || event < 0)
        return ERR(err, ERR_INVALID, "there is no such channel or event");
    o->config = arena_alloc(a, o->channel->config_size);
    (void)field_decode(o->channel->config, json_object_get(o->json, "config"), FIELD_DECODE_STRICT,
                       STR("/config"), o->config, a, &faults);
    if (!faults_any(&faults))
        o->channel->check(o->config, STR("/config"), &faults, a);
    if (faults_any(&faults))
        return ERR(err, ERR_INVALID, "%.*s: %.*s", STR_ARG(faults.v[0].pointer), STR_ARG(faults.v[0].detail));
    if (!egress_parse((struct strs){&word, word.n > 0}, (struct strs){NULL, 0}, &o->egress, a, err))
        return false;
    o->env = (struct channel_env){.egress = &o->egress,
                                  .clock = clock_real(),
                                  .zones = zones_new(NULL),
                                  .mail_from = STR("Chronos <chronos@example.com>")};
    if (text(o, "mail", STR_NONE).p && !mail_server_parse(text(o, "mail", STR_NONE), &o->mail, a, err))
        return false;
    o->env.mail = text(o, "mail", STR_NONE).p ? &o->mail : NULL;
    notification_sample(event, &o->n);
    o->n.at = clock_now(clock_real());
    if (event != NOTICE_RECOVERED) // Alertmanager wants alerts to begin before they end
        o->n.at = instant_add(o->n.at, duration_s(-BEGAN_S));
    o->n.id = text(o, "id", o->n.id);
    o->n.incident = text(o, "incident", o->n.incident);
    o->n.job_name = text(o, "jobName", o->n.job_name);
    o->n.error_message = text(o, "error", o->n.error_message);
    o->n.log_tail = text(o, "log", o->n.log_tail);
    return true;
}

static bool obey(struct order *o, struct sbuf *out, struct arena *a, struct err *err)
{
    static const char *const verdicts[] = {"SENT", "AGAIN", "REFUSED", "GONE"};
    struct template_preview p;
    struct channel_result r;
    if (!prepare(o, a, err) || !notify_template_check(&o->env, text(o, "text", STR_NONE), err))
        return false;
    struct str action = text(o, "action", STR("send"));
    if (!template_preview(&o->env, o->channel, str_is(action, "render") ? o->config : NULL,
                          text(o, "subject", STR_NONE), text(o, "text", STR_NONE), o->n.event, &o->n, &p, a,
                          err))
        return err_wrap(err, "%s", err->field);
    if (str_is(action, "render")) {
        sbuf_puts(out, "{\"message\":");
        sbuf_json(out, p.message);
        sbuf_puts(out, "}");
    } else if (str_is(action, "send")) {
        o->n.subject = p.subject;
        o->n.text = p.text;
        o->channel->send(&o->env, o->config, &o->n, &r, a);
        sbuf_fmt(out,
                 "{\"verdict\":\"%s\",\"code\":%lld,\"retryAfter\":%lld,\"sentence\":", verdicts[r.verdict],
                 (long long)(r.code == FIELD_ABSENT ? 0 : r.code), (long long)(r.retry_after.us / US_PER_S));
        sbuf_json(out, str_of(r.sentence));
        sbuf_puts(out, "}");
    } else {
        sbuf_puts(out, "{}");
    }
    return true;
}

static void answer(struct str line)
{
    struct arena a;
    struct sbuf out;
    struct err err;
    struct order o = {.json = NULL};
    json_t *v CLEANUP_JSON = NULL;
    arena_init(&a, ARENA_MAX);
    sbuf_init(&out, &a, ARENA_MAX);
    bool ok = json_parse(line, &v, &err);
    o.json = v;
    if (!ok || !obey(&o, &out, &a, &err)) {
        sbuf_clear(&out);
        sbuf_puts(&out, "{\"fault\":");
        sbuf_json(&out, str_of(err.text));
        sbuf_puts(&out, "}");
    }
    puts(sbuf_str(&out).p);
    (void)fflush(stdout);
    zones_free(o.env.zones);
    arena_release(&a);
}

int main(void)
{
    char *line = NULL;
    size_t cap = 0;
    for (ssize_t n; (n = getline(&line, &cap, stdin)) > 0;)
        answer(str_trim((struct str){line, (size_t)n}));
    free(line);
    return 0;
}
