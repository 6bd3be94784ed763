// SPDX-License-Identifier: Apache-2.0
// Finding a template; base/mustache fills it.
#include "jobs/mail_template.h"

#include "base/file.h"
#include "base/mustache.h"

// ---- the built-in ones ----

static const struct {
    const char *name;
    struct mail_template texts;
} built_in[] = {
    {"plain",
     {STR_INIT("{{subject|default:Message of Chronos}}"),
      STR_INIT("{{message|default:}}\n\n-- \nJob {{job.name}}, run {{run.id}}\n"),
      STR_INIT("<!doctype html><html><body style=\"font-family:sans-serif\"><p style=\"white-space:pre-line\">"
               "{{message|default:}}</p><hr><p style=\"color:#666\">Job {{job.name}}, run {{run.id}}</p>"
               "</body></html>\n")}},
    {"job-failed",
     {STR_INIT("Job {{jobName|default:}} failed"),
      STR_INIT("The job {{jobName|default:}} failed.\n\nClass:  {{errorClass|default:unknown}}\nReason: "
               "{{errorMessage|default:not given}}\nRun:    {{runId|default:unknown}}\n"),
      STR_INIT("<!doctype html><html><body style=\"font-family:sans-serif\"><h2 style=\"color:#b00020\">Job "
               "{{jobName|default:}} failed</h2><table><tr><td>Class</td><td>{{errorClass|default:unknown}}</td></tr>"
               "<tr><td>Reason</td><td>{{errorMessage|default:not given}}</td></tr><tr><td>Run</td><td>"
               "{{runId|default:unknown}}</td></tr></table></body></html>\n")}},
    {"report-ready",
     {STR_INIT("{{report.title}}"),
      STR_INIT("{{message|default:The report is ready.}}\n\nReport: {{report.title}}\nRows:   {{report.rows}}\nFile:   "
               "{{report.file}} ({{report.bytes}} bytes)\nMade:   {{run.scheduledTime}} by the job {{job.name}}\n"),
      STR_INIT("<!doctype html><html><body style=\"font-family:sans-serif\"><h2>{{report.title}}</h2><p>"
               "{{message|default:The report is ready.}}</p><table><tr><td>Rows</td><td>{{report.rows}}</td></tr><tr>"
               "<td>File</td><td>{{report.file}} ({{report.bytes}} bytes)</td></tr><tr><td>Made</td><td>"
               "{{run.scheduledTime}} by the job {{job.name}}</td></tr></table></body></html>\n")}},
};

bool mail_template_name_ok(struct str name)
{
    bool ok = name.n > 0 && name.n <= MAIL_TEMPLATE_NAME_MAX;
    for (size_t i = 0; ok && i < name.n; i++) {
        char c = name.p[i];
        ok = (c >= '0' && c <= '9') || ((c | ' ') >= 'a' && (c | ' ') <= 'z') || c == '-' || c == '_';
    }
    return ok;
}

// Absent when there is no such file.
static bool part_read(struct str data_dir, struct str name, const char *ending, struct str *ret, struct arena *a,
                      struct err *err)
{
    struct err why = {0};
    struct str path = arena_fmt(a, "%.*s/templates/%.*s%s", STR_ARG(data_dir), STR_ARG(name), ending);
    if (!path.p)
        return ERR(err, ERR_TOO_LARGE, "no memory for a template");
    if (file_read(path.p, MAIL_TEMPLATE_FILE_MAX, ret, a, &why) || why.code == ERR_NOT_FOUND)
        return true;
    return ERR(err, ERR_INVALID, "template \"%.*s%s\" cannot be read; it is a file of at most %d bytes",
               STR_ARG(name), ending, MAIL_TEMPLATE_FILE_MAX);
}

bool mail_template_load(struct str name, struct str data_dir, struct mail_template *ret, struct arena *a,
                        struct err *err)
{
    struct mail_template t = {.subject = STR_NONE};
    if (!mail_template_name_ok(name))
        return ERR(err, ERR_INVALID, "a template's name has letters, digits, '-' and '_', at most %d",
                   MAIL_TEMPLATE_NAME_MAX);
    if (data_dir.n > 0 && (!part_read(data_dir, name, ".subject", &t.subject, a, err) ||
                           !part_read(data_dir, name, ".txt", &t.text, a, err) ||
                           !part_read(data_dir, name, ".html", &t.html, a, err)))
        return false;
    for (size_t i = 0; !t.text.p && !t.html.p && i < sizeof built_in / sizeof built_in[0]; i++)
        if (str_is(name, built_in[i].name))
            t = built_in[i].texts;
    if (!t.text.p && !t.html.p)
        return ERR(err, ERR_NOT_FOUND,
                   "there is no template \"%.*s\"; put %.*s.txt or %.*s.html into the folder \"templates\" of the data "
                   "folder, or use plain, job-failed or report-ready",
                   STR_ARG(name), STR_ARG(name), STR_ARG(name));
    t.subject = t.subject.p ? str_trim(t.subject) : t.subject;
    *ret = t;
    return true;
}

bool mail_template_expand(struct str text, const json_t *values, bool html, struct sbuf *out, struct err *err)
{
    const enum escape escape = html ? ESCAPE_HTML : ESCAPE_NONE;
    const struct mustache m = {.values = values, .escape = escape, .strict = true, .raw = true};
    return mustache_expand(&m, text, out, err) || err_wrap(err, "the template");
}
