// SPDX-License-Identifier: Apache-2.0
// Finding a template, and replacing its places.
#include "jobs/mail_template.h"

#include "base/file.h"

enum { FILTERS_MAX = 8, PLACE_MAX = 512, VALUE_MAX = 256 * 1024, PATH_SHOWN_MAX = 80 };

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

// ---- places ----

static const json_t *find(const json_t *values, struct str path)
{
    const json_t *v = values;
    while (v && path.p) {
        int64_t i;
        struct str name = str_split(path, '.', &path);
        if (json_is_object(v))
            v = json_object_getn(v, name.p, name.n);
        else if (json_is_array(v) && str_to_i64(name, &i) && i >= 0)
            v = json_array_get(v, (size_t)i);
        else
            v = NULL;
    }
    return json_is_null(v) ? NULL : v;
}

static void put_html(struct sbuf *out, struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        const char *as = s.p[i] == '&'    ? "&amp;"
                         : s.p[i] == '<'  ? "&lt;"
                         : s.p[i] == '>'  ? "&gt;"
                         : s.p[i] == '"'  ? "&quot;"
                         : s.p[i] == '\'' ? "&#39;"
                                          : NULL;
        if (as)
            sbuf_puts(out, as);
        else
            sbuf_putc(out, s.p[i]);
    }
}

struct place {
    const json_t *value;
    struct sbuf text, other; // heap; swapped by filters
    bool missing, raw;
};

static void put_value(struct sbuf *out, const json_t *v)
{
    if (json_is_string(v))
        sbuf_put(out, json_str(v));
    else if (v)
        json_write(v, out);
}

static void swap_texts(struct place *p)
{
    struct sbuf t = p->text;
    p->text = p->other;
    p->other = t;
}

static void change_case(struct place *p, char first, char last)
{
    for (size_t i = 0; i < p->text.n; i++)
        if (p->text.p[i] >= first && p->text.p[i] <= last)
            p->text.p[i] ^= ' ';
}

static bool filter(struct place *p, struct str one)
{
    struct str argument, name = str_split(one, ':', &argument);
    int64_t most;
    sbuf_clear(&p->other);
    if (str_is(name, "upper") || str_is(name, "lower")) {
        change_case(p, name.p[0] == 'u' ? 'a' : 'A', name.p[0] == 'u' ? 'z' : 'Z');
    } else if (str_is(name, "json")) {
        if (json_is_string(p->value))
            sbuf_json(&p->other, sbuf_str(&p->text));
        else
            sbuf_put(&p->other, sbuf_str(&p->text));
        swap_texts(p);
    } else if (str_is(name, "url")) {
        sbuf_url(&p->other, sbuf_str(&p->text));
        swap_texts(p);
    } else if (str_is(name, "raw")) {
        p->raw = true;
    } else if (str_is(name, "default")) {
        if (p->missing && argument.p)
            sbuf_put(&p->text, argument);
        p->missing = false;
    } else if (str_is(name, "cut") && argument.p && str_to_i64(argument, &most) && most >= 0) {
        p->text.n = p->text.n > (size_t)most ? str_utf8_cut(sbuf_str(&p->text), (size_t)most) : p->text.n;
    } else {
        return false;
    }
    return true;
}

static bool place_fill(struct place *p, struct str inside, const json_t *values, struct err *err)
{
    struct str filters, path = str_trim(str_split(inside, '|', &filters));
    p->value = find(values, path);
    p->missing = !p->value;
    put_value(&p->text, p->value);
    for (size_t n = 0; filters.p; n++) {
        struct str one = str_split(filters, '|', &filters);
        if (n == FILTERS_MAX || !filter(p, str_trim(one)))
            return ERR(err, ERR_INVALID,
                       "there is no filter \"%.*s\"; there are upper, lower, json, url, raw, default:TEXT, cut:N",
                       (int)(one.n < PATH_SHOWN_MAX ? one.n : PATH_SHOWN_MAX), one.p);
    }
    if (p->missing)
        return ERR(err, ERR_INVALID,
                   "the template wants \"%.*s\", which templateData does not give; add it, or write {{%.*s|default:…}}",
                   (int)(path.n < PATH_SHOWN_MAX ? path.n : PATH_SHOWN_MAX), path.p,
                   (int)(path.n < PATH_SHOWN_MAX ? path.n : PATH_SHOWN_MAX), path.p);
    return true;
}

static bool place_put(struct str inside, const json_t *values, bool html, struct sbuf *out, struct err *err)
{
    struct place p = {.missing = true};
    sbuf_init(&p.text, NULL, VALUE_MAX);
    sbuf_init(&p.other, NULL, VALUE_MAX);
    bool ok = place_fill(&p, inside, values, err);
    if (ok && html && !p.raw)
        put_html(out, sbuf_str(&p.text));
    else if (ok)
        sbuf_put(out, sbuf_str(&p.text));
    if (ok && !(sbuf_ok(&p.text) && sbuf_ok(&p.other)))
        ok = ERR(err, ERR_TOO_LARGE, "a value of the template has more than %d bytes", VALUE_MAX);
    sbuf_release(&p.text);
    sbuf_release(&p.other);
    return ok;
}

static size_t find_pair(struct str s, size_t from, char c)
{
    while (from + 1 < s.n && !(s.p[from] == c && s.p[from + 1] == c))
        from++;
    return from + 1 < s.n ? from : s.n;
}

bool mail_template_expand(struct str text, const json_t *values, bool html, struct sbuf *out, struct err *err)
{
    size_t at = 0;
    while (at < text.n) {
        size_t open = find_pair(text, at, '{');
        bool plain = open > at && open < text.n && text.p[open - 1] == '\\';
        sbuf_put(out, (struct str){text.p + at, open - at - plain});
        if (open == text.n)
            break;
        if (plain) {
            sbuf_puts(out, "{{");
            at = open + 2;
            continue;
        }
        size_t close = find_pair(text, open + 2, '}');
        if (close == text.n || close - open > PLACE_MAX)
            return ERR(err, ERR_INVALID, "a \"{{\" of the template has no \"}}\" near it; write \\{{ for a plain one");
        if (!place_put((struct str){text.p + open + 2, close - open - 2}, values, html, out, err))
            return false;
        at = close + 2;
    }
    return sbuf_ok(out) || ERR(err, ERR_TOO_LARGE, "the text made from the template is too long");
}
