// SPDX-License-Identifier: Apache-2.0
// One mail of an attempt, from settings and payload to the run's outcome.
//
// The Message-ID is made of the run key: all attempts of one occurrence carry the same one, so that a mailbox can drop
// what arrives twice.
#include "jobs/mailing.h"

#include <unistd.h>

#include "base/file.h"
#include "jobs/mail_template.h"
#include "jobs/services.h"
#include "jobs/template.h"

enum { HOST_MAX = 64, RUN_HEADERS = 5, CONFIG_TEXT_MAX = 1024 };

#define T struct smtp_config
static const struct field smtp_config_rows[] = {
    FIELD_STR(T, url, "url", .max = CONFIG_TEXT_MAX, .doc = "smtp://host:587 or smtps://host:465."),
    FIELD_STR(T, user, "user", .max = CONFIG_TEXT_MAX, .doc = "User name; none when absent."),
    FIELD_STR(T, password, "password", .max = CONFIG_TEXT_MAX, .flags = FIELD_SECRET,
              .doc = "Password, best as {{secret.NAME}}."),
    FIELD_STR(T, from, "from", .max = CONFIG_TEXT_MAX, .doc = "Sender: name@domain or Name <name@domain>."),
};
#undef T
const struct fields smtp_config_fields = FIELDS("SmtpConfig", struct smtp_config, smtp_config_rows,
                                                .doc = "A mail server of the job's own.");

// ---- at save ----

void mailing_check_addresses(struct strs v, struct str base, const char *field, struct faults *faults,
                             struct arena *scratch)
{
    struct mail_address m;
    struct err err;
    for (size_t i = 0; i < v.n; i++)
        if (!template_uses(v.v[i], "") && !mail_address_parse(v.v[i], &m, scratch, &err))
            faults_add(faults, arena_fmt(faults->a, "%.*s/%s/%zu", STR_ARG(base), field, i), "%s", err.text);
}

void mailing_check_config(const struct smtp_config *c, struct str base, struct faults *faults, struct arena *scratch)
{
    struct mail_server s;
    struct mail_address m;
    struct err err;
    if (c->url.n > 0 && !template_uses(c->url, "") && !mail_server_parse(c->url, &s, scratch, &err))
        faults_add(faults, arena_fmt(faults->a, "%.*s/smtpConfig/url", STR_ARG(base)), "%s", err.text);
    if (c->url.n == 0 && (c->user.n > 0 || c->password.n > 0 || c->from.n > 0))
        faults_add(faults, arena_fmt(faults->a, "%.*s/smtpConfig/url", STR_ARG(base)),
                   "is needed when smtpConfig is given");
    if (c->from.n > 0 && !template_uses(c->from, "") && !mail_address_parse(c->from, &m, scratch, &err))
        faults_add(faults, arena_fmt(faults->a, "%.*s/smtpConfig/from", STR_ARG(base)), "%s", err.text);
}

// ---- server, sender, recipients ----

bool mailing_server(struct attempt *a, const struct smtp_config *own, struct mail_server *ret)
{
    const struct job_settings *set = a->env->settings;
    bool owns = own->url.n > 0;
    struct str url = owns ? own->url : set ? set->mail_url : STR_NONE;
    struct err err;
    if (url.n == 0) {
        attempt_fail(a, "EMAIL_ERROR", "no mail server is set; set mail.url of the server, or smtpConfig of the job");
        return false;
    }
    if (!mail_server_parse(url, ret, &a->arena, &err)) {
        attempt_fail(a, "DEFINITION_ERROR", "%s", err.text);
        return false;
    }
    ret->user = owns ? own->user : set->mail_user;
    ret->password = owns ? own->password : set->mail_password;
    return true;
}

bool mailing_addresses(struct attempt *a, struct strs v, struct mail_addresses *ret)
{
    struct mail_addresses r = {.v = arena_new_array(&a->arena, struct mail_address, v.n), .n = v.n};
    struct err err;
    bool ok = r.v || ERR(&err, ERR_TOO_LARGE, "no memory for the recipients");
    for (size_t i = 0; ok && i < v.n; i++)
        ok = mail_address_parse(v.v[i], &r.v[i], &a->arena, &err);
    if (ok)
        *ret = r;
    else
        attempt_fail(a, "DEFINITION_ERROR", "%s", err.text);
    return ok;
}

static bool sender(struct attempt *a, const struct smtp_config *own, struct mail *m)
{
    const struct job_settings *set = a->env->settings;
    char host[HOST_MAX] = "";
    struct err err;
    struct str from = own->url.n > 0 && own->from.n > 0 ? own->from : set ? set->mail_from : STR_NONE;
    if (from.n == 0) {
        bool named = gethostname(host, sizeof host - 1) == 0 && host[0] != '\0';
        from = arena_fmt(&a->arena, "Chronos <chronos@%s>", named ? host : "localhost");
    }
    if (mail_address_parse(from, &m->from, &a->arena, &err))
        return true;
    attempt_fail(a, "DEFINITION_ERROR", "the sender cannot be used: %s", err.text);
    return false;
}

static bool stop_asked(void *ctx)
{
    return attempt_cancel_asked(ctx) >= 0;
}

static struct str id_text(struct ulid id, struct arena *a)
{
    char text[ULID_TEXT_MAX];
    return arena_str(a, str_of(ulid_format(id, text)));
}

bool mailing_begin(struct attempt *a, const struct smtp_config *own, struct mail *ret)
{
    struct mail m = {.egress = a->env->egress, .stop = stop_asked, .ctx = a};
    struct str_pair *v = arena_new_array(&a->arena, struct str_pair, RUN_HEADERS);
    char time[INSTANT_TEXT_MAX];
    if (!sender(a, own, &m))
        return false;
    struct str domain;
    (void)str_split(m.from.address, '@', &domain);
    struct str key = id_text(a->run_key, &a->arena);
    m.message_id = arena_fmt(&a->arena, "%.*s@%.*s", STR_ARG(key), STR_ARG(domain));
    m.date = clock_now(a->clock);
    struct duration most = duration_s(MAIL_TIMEOUT_S_DEFAULT);
    m.timeout = a->timeout.us > 0 && a->timeout.us < most.us ? a->timeout : most;
    if (!v || a->arena.exhausted) {
        attempt_fail(a, "DEFINITION_ERROR", "no memory for the mail");
        return false;
    }
    v[0] = (struct str_pair){STR("Chronos-Run-Key"), key};
    v[1] = (struct str_pair){STR("Chronos-Run-Id"), id_text(a->run_id, &a->arena)};
    v[2] = (struct str_pair){STR("Chronos-Job-Id"), id_text(a->job_id, &a->arena)};
    v[3] = (struct str_pair){STR("Chronos-Scheduled-Time"),
                             arena_str(&a->arena, str_of(instant_format(a->scheduled, time)))};
    v[4] = (struct str_pair){STR("Chronos-Attempt"), arena_fmt(&a->arena, "%lld", (long long)a->number)};
    m.headers = (struct str_map){v, RUN_HEADERS};
    *ret = m;
    return true;
}

// ---- templates ----

static json_t *text_value(struct str s)
{
    return json_stringn(s.p ? s.p : "", s.n);
}

static json_t *id_value(struct ulid id)
{
    char text[ULID_TEXT_MAX];
    return json_string(ulid_format(id, text));
}

static void run_values(const struct attempt *a, json_t *values)
{
    char time[INSTANT_TEXT_MAX];
    struct err err;
    json_t *run = json_object(), *job = json_object(), *param = NULL;
    (void)json_object_set_new(run, "id", id_value(a->run_id));
    (void)json_object_set_new(run, "key", id_value(a->run_key));
    (void)json_object_set_new(run, "scheduledTime", json_string(instant_format(a->scheduled, time)));
    (void)json_object_set_new(run, "attempt", json_integer(a->number));
    (void)json_object_set_new(job, "id", id_value(a->job_id));
    (void)json_object_set_new(job, "name", text_value(a->job.name));
    if (!a->inputs.p || !json_parse(a->inputs, &param, &err))
        param = json_object();
    (void)json_object_set_new(values, "run", run);
    (void)json_object_set_new(values, "job", job);
    (void)json_object_set_new(values, "param", param);
}

bool mailing_values(struct attempt *a, struct str data, json_t **ret)
{
    json_t *values = NULL;
    struct err err;
    if (!json_parse(data.p ? data : STR("{}"), &values, &err) || !json_is_object(values)) {
        json_decref(values);
        attempt_fail(a, "DEFINITION_ERROR", "templateData is not a JSON object");
        return false;
    }
    run_values(a, values);
    *ret = values;
    return true;
}

static bool fill(struct attempt *a, struct str from, const json_t *values, bool html, struct str *ret)
{
    struct sbuf b;
    struct err err;
    if (ret->n > 0 || !from.p)
        return true;
    sbuf_init(&b, &a->arena, MAIL_TEXT_MAX);
    if (!mail_template_expand(from, values, html, &b, &err)) {
        attempt_fail(a, "DEFINITION_ERROR", "%s", err.text);
        return false;
    }
    *ret = sbuf_str(&b);
    return true;
}

bool mailing_template(struct attempt *a, struct str name, const json_t *values, struct mail *m)
{
    struct mail_template t;
    struct err err;
    struct str data_dir = a->env->settings ? a->env->settings->data_dir : STR_NONE;
    if (!mail_template_load(name, data_dir, &t, &a->arena, &err)) {
        attempt_fail(a, "DEFINITION_ERROR", "%s", err.text);
        return false;
    }
    return fill(a, t.subject, values, false, &m->subject) && fill(a, t.text, values, false, &m->text) &&
           fill(a, t.html, values, true, &m->html);
}

// ---- sending ----

static void fail_with(struct attempt *a, const struct mail_result *r)
{
    switch (r->error) {
    case MAIL_TIMEOUT:
        attempt_timed_out(a, "%s", r->sentence);
        break;
    case MAIL_BAD_MESSAGE:
        attempt_fail(a, "DEFINITION_ERROR", "%s", r->sentence);
        break;
    case MAIL_EGRESS_DENIED:
        attempt_fail(a, "EGRESS_DENIED", "%s", r->sentence);
        break;
    case MAIL_CLIENT_ERROR:
        attempt_fail(a, "INTERNAL_ERROR", "%s", r->sentence);
        break;
    case MAIL_CONNECTION_ERROR:
    case MAIL_TLS_ERROR:
        a->result.error_code = str_of(mail_error_names[r->error]);
        attempt_fail(a, "CONNECTION_ERROR", "%s", r->sentence);
        break;
    default:
        a->result.error_code = r->code ? arena_fmt(&a->arena, "%d", r->code) : str_of(mail_error_names[r->error]);
        attempt_fail(a, "EMAIL_ERROR", "%s", r->sentence);
        break;
    }
}

bool mailing_send(struct attempt *a, const struct mail_server *s, const struct mail *m)
{
    struct mail_result r;
    struct str server = mail_server_name(s, &a->arena);
    if (!attempt_target(a, server))
        return false;
    mail_send(s, m, &r);
    if (r.error == MAIL_STOPPED && attempt_ended_by_cancel(a))
        return false;
    if (r.error != MAIL_SENT) {
        fail_with(a, &r);
        return false;
    }
    size_t n = m->to.n + m->cc.n + m->bcc.n;
    attempt_log(a, LOG_LINE_INFO, STREAM_SYSTEM,
                arena_fmt(&a->arena, "mail to %zu recipient%s taken by %.*s, message id <%.*s>", n, n == 1 ? "" : "s",
                          STR_ARG(server), STR_ARG(m->message_id)), STR_NONE);
    return true;
}
