// SPDX-License-Identifier: Apache-2.0
// REPORT: a document of what happened here, or of what a database says; mailed, or written to a file.
#include <sys/stat.h>
#include <unistd.h>

#include "base/sync.h"
#include "jobs/database_link.h"
#include "jobs/mail_template.h"
#include "jobs/report_job.h"
#include "jobs/services.h"
#include "jobs/template.h"

enum { PARAMETERS_MAX = 100, DATA_MAX = 128 * 1024, TITLE_MAX = 200, DAYS_MAX = 36600, QUERY_S_MAX = 86400 };

static const char *const type_names[] = {"JOB_SUMMARY", "RUN_HISTORY", "FAILURES", "SLA", "AUDIT", "QUERY", NULL};
static const char *const titles[] = {"Jobs", "Run history", "Failures", "Service levels", "Audit", "Query"};

#define T struct report_payload
static const struct field report_rows[] = {
    FIELD_ENUM(T, type, "reportType", type_names, .flags = FIELD_REQUIRED, .doc = "What is reported."),
    FIELD_MAP(T, parameters, "parameters", .max = PARAMETERS_MAX,
              .doc = "from and to (RFC 3339) or days (30), jobId, maxRows, title. QUERY: databaseUrl, query, "
                     "queryTimeoutSeconds, and the query's own parameters by name."),
    FIELD_STRS(T, recipients, "recipients", .max = MAIL_RECIPIENTS_MAX, .doc = "Who gets the file by mail."),
    FIELD_ENUM(T, format, "format", document_format_names, FIELD_DEFAULT(DOCUMENT_PDF), .doc = "Kind of file."),
    FIELD_BOOL(T, compress, "compress", FIELD_DEFAULT(false), .doc = "Whether the file is put into a zip."),
    FIELD_STR(T, template_name, "templateName", .max = MAIL_TEMPLATE_NAME_MAX,
              .doc = "Template of the mail; report-ready when absent."),
    FIELD_JSON(T, template_data, "templateData", FIELD_IS_OBJECT, .max = DATA_MAX, .doc = "Values for the template."),
    FIELD_STR(T, target_path, "targetPath", .max = FS_PATH_MAX,
              .doc = "File below the server's files.roots that the report replaces as a whole."),
    FIELD_OBJECT(T, smtp, "smtpConfig", struct smtp_config, &smtp_config_fields,
                 .doc = "A mail server of the job's own instead of the server's mail.url."),
};
#undef T
static const struct fields report_fields = FIELDS("ReportPayload", struct report_payload, report_rows,
                                                  .doc = "A report as a file.");

// ---- parameters ----

struct reading {
    struct report_settings *s;
    struct faults *faults;
    struct str base;
    int64_t days;
};

static void wrong(struct reading *r, const char *key, const char *text)
{
    faults_add(r->faults, arena_fmt(r->faults->a, "%.*s/parameters/%s", STR_ARG(r->base), key), "%s", text);
}

static void take_instant(struct reading *r, const char *key, struct str v, struct instant *ret)
{
    struct err err;
    if (!template_uses(v, "") && !instant_parse(v, ret, &err))
        wrong(r, key, "must be an instant such as 2026-01-31T00:00:00Z");
}

static void take_number(struct reading *r, const char *key, struct str v, int64_t most, int64_t *ret)
{
    int64_t n;
    if (template_uses(v, ""))
        return;
    if (str_to_i64(v, &n) && n >= 1 && n <= most)
        *ret = n;
    else
        wrong(r, key, arena_fmt(r->faults->a, "must be a whole number from 1 to %lld", (long long)most).p);
}

static bool take(struct reading *r, struct str key, struct str v)
{
    struct report_settings *s = r->s;
    if (str_is(key, "from"))
        take_instant(r, "from", v, &s->from);
    else if (str_is(key, "to"))
        take_instant(r, "to", v, &s->to);
    else if (str_is(key, "days"))
        take_number(r, "days", v, DAYS_MAX, &r->days);
    else if (str_is(key, "maxRows"))
        take_number(r, "maxRows", v, REPORT_ROWS_DEFAULT, &s->rows_max);
    else if (str_is(key, "queryTimeoutSeconds"))
        take_number(r, "queryTimeoutSeconds", v, QUERY_S_MAX, &s->query_timeout_s);
    else if (str_is(key, "title"))
        s->title = v;
    else if (str_is(key, "databaseUrl"))
        s->database_url = v;
    else if (str_is(key, "query"))
        s->query = v;
    else if (!str_is(key, "jobId"))
        return false;
    else if (!template_uses(v, "") && !ulid_parse(v, &s->job_id))
        wrong(r, "jobId", "must be the id of a job");
    return true;
}

void report_settings_read(const struct report_payload *p, struct instant now, struct report_settings *ret,
                          struct str base, struct faults *faults, struct arena *a)
{
    struct report_settings s = {.from = INSTANT_NEVER, .to = now, .rows_max = REPORT_ROWS_DEFAULT,
                                .query_timeout_s = REPORT_QUERY_S_DEFAULT, .title = str_of(titles[p->type])};
    struct reading r = {&s, faults, base, REPORT_DAYS_DEFAULT};
    s.others.v = arena_new_array(a, struct str_pair, p->parameters.n);
    for (size_t i = 0; s.others.v && i < p->parameters.n; i++)
        if (!take(&r, p->parameters.v[i].key, p->parameters.v[i].value))
            s.others.v[s.others.n++] = p->parameters.v[i];
    if (s.title.n == 0 || s.title.n > TITLE_MAX)
        wrong(&r, "title", "must have 1 to 200 bytes");
    if (instant_is_never(s.from))
        s.from = (struct instant){s.to.us - r.days * S_PER_DAY * US_PER_S};
    if (s.from.us >= s.to.us)
        wrong(&r, "from", "must be before \"to\"");
    if (p->type == REPORT_OF_QUERY && s.database_url.n == 0)
        wrong(&r, "databaseUrl", "is needed");
    if (p->type == REPORT_OF_QUERY && s.query.n == 0)
        wrong(&r, "query", "is needed");
    *ret = s;
}

// The query, as far as it can be known without its database.
static void check_query(const struct report_settings *s, struct str base, struct faults *faults, struct arena *scratch)
{
    struct query_text text;
    struct err err;
    int kind = -1;
    if (s->database_url.n > 0)
        database_url_check(s->database_url, arena_fmt(faults->a, "%.*s/parameters/databaseUrl", STR_ARG(base)), &kind,
                           faults);
    if (kind >= 0 && s->query.n > 0 && !template_uses(s->query, "") &&
        !report_query_read(s->query, (enum query_kind)kind, &text, scratch, &err))
        faults_add(faults, arena_fmt(faults->a, "%.*s/parameters/query", STR_ARG(base)), "%s", err.text);
}

static void report_check(const void *payload, struct str base, struct faults *faults, struct arena *scratch)
{
    const struct report_payload *p = payload;
    struct report_settings s;
    json_t *data CLEANUP_JSON = NULL;
    struct err err;
    report_settings_read(p, instant_s(DAYS_MAX * S_PER_DAY), &s, base, faults, scratch);
    if (p->type == REPORT_OF_QUERY)
        check_query(&s, base, faults, scratch);
    mailing_check_addresses(p->recipients, base, "recipients", faults, scratch);
    mailing_check_config(&p->smtp, base, faults, scratch);
    if (p->recipients.n == 0 && p->target_path.n == 0)
        faults_add(faults, arena_fmt(faults->a, "%.*s/recipients", STR_ARG(base)), "is needed, or targetPath");
    if (p->template_name.n > 0 && !template_uses(p->template_name, "") && !mail_template_name_ok(p->template_name))
        faults_add(faults, arena_fmt(faults->a, "%.*s/templateName", STR_ARG(base)),
                   "has letters, digits, '-' and '_' only");
    if (p->template_data.p && (!json_parse(p->template_data, &data, &err) || !json_is_object(data)))
        faults_add(faults, arena_fmt(faults->a, "%.*s/templateData", STR_ARG(base)), "must be an object");
}

// ---- running ----

static void ignored_log(struct report_run *r)
{
    struct sbuf b;
    if (r->p->type == REPORT_OF_QUERY || r->s.others.n == 0)
        return;
    sbuf_init(&b, &r->a->arena, DATA_MAX);
    sbuf_puts(&b, "parameters without meaning for this report are ignored:");
    for (size_t i = 0; i < r->s.others.n; i++)
        sbuf_fmt(&b, "%s %.*s", i ? "," : "", STR_ARG(r->s.others.v[i].key));
    attempt_log(r->a, LOG_LINE_WARN, STREAM_SYSTEM, sbuf_str(&b), STR_NONE);
}

static bool write_document(struct report_run *r, int fd)
{
    struct document_options o = {.format = r->p->format, .title = r->s.title, .made = clock_now(r->a->clock), .fd = fd};
    if (!document_begin(&o, &r->doc, &r->err))
        return false;
    bool ok = r->p->type == REPORT_OF_QUERY ? report_query_table(r) : report_tables(r);
    ok = ok && document_end(r->doc, &r->err);
    document_free(r->doc);
    return ok;
}

static struct str file_name(struct report_run *r)
{
    char day[INSTANT_TEXT_MAX];
    struct sbuf b;
    (void)instant_format(r->a->scheduled, day);
    sbuf_init(&b, &r->a->arena, FS_NAME_MAX);
    for (size_t i = 0; i < r->s.title.n && i < TITLE_MAX / 2; i++) {
        char c = r->s.title.p[i];
        bool plain = (c >= '0' && c <= '9') || ((c | ' ') >= 'a' && (c | ' ') <= 'z');
        sbuf_putc(&b, plain ? c : '-');
    }
    sbuf_fmt(&b, "-%.10s.%s", day, document_ending(r->p->format));
    return sbuf_str(&b);
}

static bool mail_it(struct report_run *r, int fd, struct str name)
{
    struct attempt *a = r->a;
    struct mail_server server;
    struct mail m;
    struct stat st;
    json_t *values CLEANUP_JSON = NULL, *report = NULL;
    r->ended = true; // these end the attempt when they fail
    if (!mailing_server(a, &r->p->smtp, &server) || !mailing_begin(a, &r->p->smtp, &m) ||
        !mailing_addresses(a, r->p->recipients, &m.to) || !mailing_values(a, r->p->template_data, &values))
        return false;
    report = json_object();
    (void)json_object_set_new(report, "title", json_stringn(r->s.title.p, r->s.title.n));
    (void)json_object_set_new(report, "rows", json_integer(r->rows));
    (void)json_object_set_new(report, "file", json_stringn(name.p, name.n));
    (void)json_object_set_new(report, "bytes", json_integer(fstat(fd, &st) == 0 ? st.st_size : 0));
    (void)json_object_set_new(values, "report", report);
    if (!mailing_template(a, r->p->template_name.n > 0 ? r->p->template_name : STR("report-ready"), values, &m))
        return false;
    struct mail_attachment file = {.name = name, .fd = fd};
    m.attachments = &file;
    m.n_attachments = 1;
    if (!mailing_send(a, &server, &m))
        return false;
    r->ended = false;
    return true;
}

static bool deliver(struct report_run *r, int *fd)
{
    struct attempt *a = r->a;
    struct str name = file_name(r);
    r->error_class = "FILE_ERROR";
    if (r->p->compress) {
        int packed;
        if (!report_compress(a, *fd, name, &packed, &r->err))
            return false;
        (void)close(*fd);
        *fd = packed;
        name = arena_fmt(&a->arena, "%.*s.zip", STR_ARG(name));
    }
    if (r->p->target_path.n > 0) {
        if (!report_publish(a, *fd, r->p->target_path, &r->err))
            return false;
        attempt_log(a, LOG_LINE_INFO, STREAM_SYSTEM,
                    arena_fmt(&a->arena, "report written to \"%.*s\"", STR_ARG(r->p->target_path)), STR_NONE);
    }
    return r->p->recipients.n == 0 || mail_it(r, *fd, name);
}

static void finish(struct report_run *r, bool ok)
{
    struct attempt *a = r->a;
    if (r->ended)
        return;
    if (ok)
        attempt_succeed(a, FIELD_ABSENT);
    else if (attempt_ended_by_cancel(a))
        return;
    else if (r->err.code == ERR_TIMEOUT)
        attempt_timed_out(a, "%s", r->err.text);
    else
        attempt_fail(a, r->error_class, "%s", r->err.text);
}

static void report_body(struct attempt *a)
{
    struct report_run r = {.a = a, .p = a->payload, .error_class = "REPORT_ERROR"};
    struct faults faults;
    int fd = -1;
    if (attempt_ended_by_cancel(a))
        return;
    faults_init(&faults, &a->arena);
    report_settings_read(r.p, clock_now(a->clock), &r.s, STR(""), &faults, &a->arena);
    if (faults_any(&faults)) {
        attempt_fail(a, "DEFINITION_ERROR", "%.*s %.*s", STR_ARG(faults.v[0].pointer), STR_ARG(faults.v[0].detail));
        return;
    }
    ignored_log(&r);
    bool ok = report_file_new(a, &fd, &r.err) && write_document(&r, fd);
    if (ok)
        attempt_log(a, LOG_LINE_INFO, STREAM_SYSTEM,
                    arena_fmt(&a->arena, "report has %lld rows%s", (long long)r.rows,
                              r.cut ? ", the most that maxRows allows" : ""), STR_NONE);
    ok = ok && deliver(&r, &fd);
    if (fd >= 0)
        (void)close(fd);
    finish(&r, ok);
}

static void report_start(struct attempt *a)
{
    attempt_block(a, report_body);
}

static const char *const examples[] = {
    "{\"reportType\":\"JOB_SUMMARY\",\"format\":\"PDF\","
    "\"targetPath\":\"reports/summary-{{run.id}}.pdf\"}",
    "{\"reportType\":\"FAILURES\",\"format\":\"CSV\",\"targetPath\":\"reports/failures.csv\"}",
    NULL};
static const char *const classes[] = {"REPORT_ERROR", "DATABASE_ERROR", "FILE_ERROR", "EMAIL_ERROR",
                                      "CONNECTION_ERROR", "EGRESS_DENIED", NULL};

const struct job_type job_type_report = {
    .name = "REPORT",
    .doc = "Makes a report as PDF, spreadsheet, CSV, HTML or JSON, and mails it or writes it to a file.",
    .payload = &report_fields,
    .check = report_check,
    .start = report_start,
    .cancel = attempt_block_cancel,
    .examples = examples,
    .failure_classes = classes,
};
