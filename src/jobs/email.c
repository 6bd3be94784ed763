// SPDX-License-Identifier: Apache-2.0
// EMAIL: sends one mail, with text and HTML, files attached, or a template filled with data.
#include <unistd.h>

#include "jobs/mail_template.h"
#include "jobs/mailing.h"
#include "jobs/services.h"
#include "jobs/template.h"

enum { SUBJECT_MAX = 250, ATTACHMENT_PATH_MAX = 4096, TEMPLATE_DATA_MAX = 128 * 1024 };

struct email_payload {
    struct strs to, cc, bcc;
    struct str subject, text, html, template_name;
    struct str template_data; // JSON object, or absent
    struct strs attachments;
    struct smtp_config smtp;
};

#define T struct email_payload
static const struct field email_rows[] = {
    FIELD_STRS(T, to, "to", .max = MAIL_RECIPIENTS_MAX,
               .doc = "Recipients: name@domain or Name <name@domain>; 100 at most with cc and bcc."),
    FIELD_STRS(T, cc, "cc", .max = MAIL_RECIPIENTS_MAX, .doc = "Recipients that all others see."),
    FIELD_STRS(T, bcc, "bcc", .max = MAIL_RECIPIENTS_MAX, .doc = "Recipients that nobody sees."),
    FIELD_STR(T, subject, "subject", .max = SUBJECT_MAX, .doc = "Subject; one line."),
    FIELD_STR(T, text, "text", .max = JOB_PAYLOAD_MAX, .doc = "Plain text."),
    FIELD_STR(T, html, "html", .max = JOB_PAYLOAD_MAX, .doc = "HTML; with text beside it, readers choose."),
    FIELD_STR(T, template_name, "templateName", .max = MAIL_TEMPLATE_NAME_MAX,
              .doc = "Instead of text and html: plain, job-failed, report-ready, or NAME of the files NAME.subject, "
                     "NAME.txt and NAME.html in the folder \"templates\" of the data folder."),
    FIELD_JSON(T, template_data, "templateData", FIELD_IS_OBJECT, .max = TEMPLATE_DATA_MAX,
               .doc = "Values for the template's {{path|filter}} places; beside them run, job and param are known."),
    FIELD_STRS(T, attachments, "attachments", .max = MAIL_ATTACHMENTS_MAX,
               .doc = "Paths of files below the server's files.roots; 50 MiB together."),
    FIELD_OBJECT(T, smtp, "smtpConfig", struct smtp_config, &smtp_config_fields,
                 .doc = "A mail server of the job's own instead of the server's mail.url."),
};
#undef T
static const struct fields email_fields = FIELDS("EmailPayload", struct email_payload, email_rows,
                                                 .doc = "A mail.");

// ---- checking ----

static struct str at(struct str base, const char *name, struct arena *a)
{
    return arena_fmt(a, "%.*s/%s", STR_ARG(base), name);
}

static void check_content(const struct email_payload *p, struct str base, struct faults *faults,
                          struct arena *scratch)
{
    json_t *data CLEANUP_JSON = NULL;
    struct err err;
    bool own = p->text.n > 0 || p->html.n > 0, from_template = p->template_name.n > 0;
    if (!own && !from_template)
        faults_add(faults, at(base, "text", faults->a), "is needed, or html, or templateName");
    if (own && from_template)
        faults_add(faults, at(base, "templateName", faults->a), "must be left out where text or html is given");
    if (p->subject.n == 0 && !from_template)
        faults_add(faults, at(base, "subject", faults->a), "is needed");
    if (!mail_header_check("the subject", p->subject, &err))
        faults_add(faults, at(base, "subject", faults->a), "%s", err.text);
    if (from_template && !template_uses(p->template_name, "") && !mail_template_name_ok(p->template_name))
        faults_add(faults, at(base, "templateName", faults->a), "has letters, digits, '-' and '_' only");
    if (p->template_data.p && (!json_parse(p->template_data, &data, &err) || !json_is_object(data)))
        faults_add(faults, at(base, "templateData", faults->a), "must be an object");
    (void)scratch;
}

static void email_check(const void *payload, struct str base, struct faults *faults, struct arena *scratch)
{
    const struct email_payload *p = payload;
    size_t recipients = p->to.n + p->cc.n + p->bcc.n;
    if (recipients == 0)
        faults_add(faults, at(base, "to", faults->a), "needs a recipient");
    if (recipients > MAIL_RECIPIENTS_MAX)
        faults_add(faults, at(base, "to", faults->a), "has with cc and bcc more than %d recipients",
                   MAIL_RECIPIENTS_MAX);
    mailing_check_addresses(p->to, base, "to", faults, scratch);
    mailing_check_addresses(p->cc, base, "cc", faults, scratch);
    mailing_check_addresses(p->bcc, base, "bcc", faults, scratch);
    mailing_check_config(&p->smtp, base, faults, scratch);
    check_content(p, base, faults, scratch);
    for (size_t i = 0; i < p->attachments.n; i++)
        if (p->attachments.v[i].n == 0 || p->attachments.v[i].n > ATTACHMENT_PATH_MAX)
            faults_add(faults, arena_fmt(faults->a, "%.*s/attachments/%zu", STR_ARG(base), i),
                       "must be the path of a file");
}

// ---- running ----

// Not in the attempt's arena: an attempt that has been ended is gone.
struct files {
    struct mail_attachment v[MAIL_ATTACHMENTS_MAX];
    size_t n;
};

static void files_close(struct files *f)
{
    for (size_t i = 0; i < f->n; i++)
        (void)close(f->v[i].fd);
    f->n = 0;
}

// The attachment is the file as it is when it is read; its descriptor stays open until the mail is sent.
static bool file_open(struct attempt *a, const struct roots *roots, struct str path, struct files *f, struct err *err)
{
    struct place place;
    struct stat st;
    int fd = -1;
    if (!place_find(roots, path, &place, &a->arena, err) || !place_open_file(&place, &fd, &st, err))
        return err_wrap(err, "attachment");
    f->v[f->n++] = (struct mail_attachment){.name = place_name(&place), .fd = fd};
    return true;
}

static bool files_open(struct attempt *a, const struct email_payload *p, struct files *ret)
{
    struct roots roots;
    struct err err;
    if (p->attachments.n == 0)
        return true;
    bool open = job_roots_open(a->env->settings, &roots, &a->arena, &err), ok = open;
    for (size_t i = 0; ok && i < p->attachments.n && i < MAIL_ATTACHMENTS_MAX; i++)
        ok = file_open(a, &roots, p->attachments.v[i], ret, &err);
    if (open)
        roots_close(&roots); // before the end of the attempt, whose memory they are in
    if (!ok)
        attempt_fail(a, "FILE_ERROR", "%s", err.text);
    return ok;
}

static bool compose(struct attempt *a, const struct email_payload *p, struct mail *m)
{
    json_t *values CLEANUP_JSON = NULL;
    if (!mailing_begin(a, &p->smtp, m) || !mailing_addresses(a, p->to, &m->to) ||
        !mailing_addresses(a, p->cc, &m->cc) || !mailing_addresses(a, p->bcc, &m->bcc))
        return false;
    m->subject = p->subject;
    m->text = p->text;
    m->html = p->html;
    return p->template_name.n == 0 || (mailing_values(a, p->template_data, &values) &&
                                       mailing_template(a, p->template_name, values, m));
}

static void email_run(struct attempt *a)
{
    const struct email_payload *p = a->payload;
    struct mail_server server;
    struct mail m;
    struct files files;
    files.n = 0;
    if (attempt_ended_by_cancel(a))
        return;
    bool ok = mailing_server(a, &p->smtp, &server) && compose(a, p, &m) && files_open(a, p, &files);
    if (ok) {
        m.attachments = files.v;
        m.n_attachments = files.n;
        ok = mailing_send(a, &server, &m);
    }
    files_close(&files);
    if (ok)
        attempt_succeed(a, FIELD_ABSENT);
}

static void email_start(struct attempt *a)
{
    attempt_block(a, email_run);
}

static const char *const examples[] = {
    "{\"to\":[\"ops@example.com\"],\"subject\":\"Backup of {{run.scheduledTime}}\","
    "\"text\":\"The backup is done.\"}",
    NULL};
static const char *const classes[] = {"EMAIL_ERROR", "FILE_ERROR", "CONNECTION_ERROR", "EGRESS_DENIED", NULL};

const struct job_type job_type_email = {
    .name = "EMAIL",
    .doc = "Sends a mail.",
    .payload = &email_fields,
    .check = email_check,
    .start = email_start,
    .cancel = attempt_block_cancel,
    .examples = examples,
    .failure_classes = classes,
};
