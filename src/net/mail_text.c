// SPDX-License-Identifier: Apache-2.0
// The texts of a mail: addresses and header values in, safe header lines out. Pure functions.
#include "net/mail.h"


enum { DOMAIN_MAX = 253, LABEL_MAX = 63, WORD_BYTES = 45, LINE_PLAIN_MAX = 70, PORT_MAX = 65535 };
enum { PORT_SMTP = 25, PORT_SMTPS = 465 };

const char *const mail_error_names[] = {"SENT", "BAD_MESSAGE", "CONNECTION_ERROR", "TIMEOUT", "TLS_ERROR",
                                        "EGRESS_DENIED", "AUTH_REFUSED", "SENDER_REFUSED", "RECIPIENT_REFUSED",
                                        "MESSAGE_REFUSED", "STOPPED", "CLIENT_ERROR", NULL};

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_atext(char c)
{
    return is_alnum(c) || (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

static bool is_control(char c)
{
    return (unsigned char)c < ' ' || c == 0x7f;
}

static bool is_ascii(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] >= 0x80)
            return false;
    return true;
}

bool mail_header_check(const char *what, struct str value, struct err *err)
{
    if (value.n > MAIL_HEADER_MAX)
        return ERR(err, ERR_INVALID, "%s has %zu bytes; at most %d are allowed", what, value.n, MAIL_HEADER_MAX);
    for (size_t i = 0; i < value.n; i++)
        if (is_control(value.p[i]))
            return ERR(err, ERR_INVALID,
                       "%s has a line break or another control character at byte %zu; remove it", what, i + 1);
    if (!str_utf8_valid(value))
        return ERR(err, ERR_INVALID, "%s is not valid UTF-8", what);
    return true;
}

// ---- addresses ----

static bool local_part_ok(struct str s)
{
    bool dot = true; // neither first nor last nor twice
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '.' ? dot : !is_atext(s.p[i]))
            return false;
        dot = s.p[i] == '.';
    }
    return s.n > 0 && s.n <= MAIL_LOCAL_PART_MAX && !dot;
}

static bool domain_ok(struct str s)
{
    struct str rest = s;
    if (s.n == 0 || s.n > DOMAIN_MAX)
        return false;
    while (rest.p) {
        struct str label = str_split(rest, '.', &rest);
        if (label.n == 0 || label.n > LABEL_MAX || label.p[0] == '-' || label.p[label.n - 1] == '-')
            return false;
        for (size_t i = 0; i < label.n; i++)
            if (!is_alnum(label.p[i]) && label.p[i] != '-')
                return false;
    }
    return true;
}

static bool addr_spec_check(struct str s, struct err *err)
{
    struct str domain, local = str_split(s, '@', &domain);
    if (!is_ascii(s))
        return ERR(err, ERR_INVALID,
                   "\"%.*s\" has letters other than ASCII; write the domain in its xn-- form", STR_ARG(s));
    if (s.n > MAIL_ADDRESS_MAX || !domain.p || !local_part_ok(local) || !domain_ok(domain))
        return ERR(err, ERR_INVALID, "\"%.*s\" is not a mail address; write name@domain or Name <name@domain>",
                   (int)(s.n < MAIL_ADDRESS_MAX ? s.n : MAIL_ADDRESS_MAX), s.p);
    return true;
}

// Takes the quotes and their escapes away. Absent when it is not one quoted string.
static struct str unquote(struct str s, struct arena *a)
{
    char *out = arena_alloc(a, s.n + 1);
    size_t n = 0;
    if (!out || s.n < 2 || s.p[s.n - 1] != '"')
        return STR_NONE;
    for (size_t i = 1; i + 1 < s.n; i++) {
        if (s.p[i] == '"')
            return STR_NONE;
        if (s.p[i] == '\\' && ++i + 1 >= s.n)
            return STR_NONE;
        out[n++] = s.p[i];
    }
    return (struct str){out, n};
}

bool mail_address_parse(struct str text, struct mail_address *ret, struct arena *a, struct err *err)
{
    struct str s = str_trim(text), rest;
    struct mail_address r = {.address = s};
    if (!mail_header_check("an address", text, err))
        return false;
    if (s.n > 0 && s.p[s.n - 1] == '>') {
        size_t at = s.n;
        while (at > 0 && s.p[at - 1] != '<')
            at--;
        rest = (struct str){s.p + at, s.n - at - 1};
        r.name = str_trim((struct str){s.p, at > 0 ? at - 1 : 0});
        r.address = at > 0 ? str_trim(rest) : s;
        if (r.name.n > 0 && r.name.p[0] == '"')
            r.name = unquote(r.name, a);
        else if (str_find(r.name, '<') < r.name.n || str_find(r.name, '"') < r.name.n ||
                 str_find(r.name, ',') < r.name.n)
            r.name = STR_NONE;
        if (!r.name.p || r.name.n > MAIL_NAME_MAX)
            return ERR(err, ERR_INVALID,
                       "the name before \"<%.*s>\" is not one; put it into double quotes, at most %d bytes",
                       STR_ARG(r.address), MAIL_NAME_MAX);
    }
    if (!addr_spec_check(r.address, err))
        return false;
    r.address = arena_str(a, r.address);
    r.name = r.name.n > 0 ? arena_str(a, r.name) : STR_NONE;
    if (a->exhausted)
        return ERR(err, ERR_TOO_LARGE, "no memory for an address");
    *ret = r;
    return true;
}

// ---- the server's URL ----

static int starttls_of(struct str word)
{
    return str_is(word, "require") ? MAIL_STARTTLS_REQUIRE
           : str_is(word, "try")   ? MAIL_STARTTLS_TRY
           : str_is(word, "off")   ? MAIL_STARTTLS_OFF
                                   : MAIL_STARTTLS_DEFAULT;
}

static bool options_parse(struct str text, struct mail_server *s, struct arena *a, struct err *err)
{
    while (text.p && text.n > 0) {
        struct str value, key, one = str_split(text, '&', &text);
        key = str_split(one, '=', &value);
        if (str_is(key, "starttls") && starttls_of(value) != MAIL_STARTTLS_DEFAULT)
            s->starttls = starttls_of(value);
        else if (str_is(key, "cafile") && value.n > 0)
            s->ca_file = arena_str(a, value);
        else
            return ERR(err, ERR_INVALID,
                       "a mail server's URL has no \"%.*s\"; write starttls=require, try or off, or cafile=/path",
                       STR_ARG(one));
    }
    return true;
}

static bool host_parse(struct str text, struct mail_server *s, struct err *err)
{
    struct str port = STR_NONE, host = text;
    if (text.n > 0 && text.p[0] == '[') {
        size_t end = str_find(text, ']');
        host = (struct str){text.p + 1, end > 0 ? end - 1 : 0};
        if (end < text.n && end + 1 < text.n)
            port = (struct str){text.p + end + 1, text.n - end - 1};
        if (end == text.n || (port.p && port.p[0] != ':'))
            host = STR_NONE;
        port = port.p ? (struct str){port.p + 1, port.n - 1} : port;
        for (size_t i = 0; i < host.n; i++)
            if (!is_alnum(host.p[i]) && host.p[i] != ':' && host.p[i] != '.')
                host = STR_NONE;
    } else {
        host = str_split(text, ':', &port);
        if (!domain_ok(host))
            host = STR_NONE;
    }
    s->port = s->tls_first ? PORT_SMTPS : PORT_SMTP;
    if (host.n == 0 || (port.p && (!str_to_i64(port, &s->port) || s->port < 1 || s->port > PORT_MAX)))
        return ERR(err, ERR_INVALID, "a mail server's URL is smtp://host:port or smtps://host:port");
    s->host = host;
    return true;
}

bool mail_server_parse(struct str url, struct mail_server *ret, struct arena *a, struct err *err)
{
    struct mail_server s = {.tls_first = str_starts(url, STR("smtps://"))};
    struct str options, rest;
    if (!s.tls_first && !str_starts(url, STR("smtp://")))
        return ERR(err, ERR_INVALID, "a mail server's URL starts with smtp:// or smtps://");
    size_t skip = s.tls_first ? sizeof "smtps://" - 1 : sizeof "smtp://" - 1;
    rest = str_split((struct str){url.p + skip, url.n - skip}, '?', &options);
    if (str_find(rest, '@') < rest.n)
        return ERR(err, ERR_INVALID,
                   "a mail server's URL holds no user and password; they have settings of their own");
    if (rest.n > 0 && rest.p[rest.n - 1] == '/')
        rest.n--;
    if (!host_parse(rest, &s, err) || !options_parse(options, &s, a, err))
        return false;
    s.host = arena_str(a, s.host);
    if (a->exhausted)
        return ERR(err, ERR_TOO_LARGE, "no memory for the mail server's URL");
    *ret = s;
    return true;
}

struct str mail_server_name(const struct mail_server *s, struct arena *a)
{
    bool v6 = str_find(s->host, ':') < s->host.n;
    return arena_fmt(a, "%s://%s%.*s%s:%lld", s->tls_first ? "smtps" : "smtp", v6 ? "[" : "", STR_ARG(s->host),
                     v6 ? "]" : "", (long long)s->port);
}

// ---- header texts ----

static void put_base64(struct sbuf *out, struct str s)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < s.n; i += 3) {
        uint32_t v = (uint32_t)(uint8_t)s.p[i] << 16;
        v |= i + 1 < s.n ? (uint32_t)(uint8_t)s.p[i + 1] << 8 : 0;
        v |= i + 2 < s.n ? (uint32_t)(uint8_t)s.p[i + 2] : 0;
        sbuf_putc(out, digits[v >> 18]);
        sbuf_putc(out, digits[v >> 12 & 63]);
        sbuf_putc(out, i + 1 < s.n ? digits[v >> 6 & 63] : '=');
        sbuf_putc(out, i + 2 < s.n ? digits[v & 63] : '=');
    }
}

void mail_put_words(struct sbuf *out, struct str text)
{
    // A line that looks like an encoded word already must not be read as one.
    if (is_ascii(text) && text.n <= LINE_PLAIN_MAX && !str_contains(text, STR("=?"))) {
        sbuf_put(out, text);
        return;
    }
    for (size_t at = 0; at < text.n;) {
        struct str part = {text.p + at, text.n - at};
        part.n = str_utf8_cut(part, WORD_BYTES);
        sbuf_puts(out, at > 0 ? "\r\n " : "");
        sbuf_puts(out, "=?UTF-8?B?");
        put_base64(out, part);
        sbuf_puts(out, "?=");
        at += part.n;
    }
}

void mail_put_value(struct sbuf *out, struct str value)
{
    if (is_ascii(value) && str_starts(value, STR("<")) && str_ends(value, STR(">")))
        sbuf_put(out, value);
    else
        mail_put_words(out, value);
}

static void put_name(struct sbuf *out, struct str name)
{
    bool atoms = true;
    for (size_t i = 0; i < name.n; i++)
        atoms = atoms && (is_atext(name.p[i]) || name.p[i] == ' ');
    if (!is_ascii(name) || atoms || name.n > LINE_PLAIN_MAX || str_contains(name, STR("=?"))) {
        mail_put_words(out, name);
        return;
    }
    sbuf_putc(out, '"');
    for (size_t i = 0; i < name.n; i++) {
        sbuf_puts(out, name.p[i] == '"' || name.p[i] == '\\' ? "\\" : "");
        sbuf_putc(out, name.p[i]);
    }
    sbuf_putc(out, '"');
}

void mail_put_addresses(struct sbuf *out, const struct mail_addresses *v)
{
    for (size_t i = 0; i < v->n; i++) {
        sbuf_puts(out, i > 0 ? ",\r\n " : "");
        if (v->v[i].name.n == 0) {
            sbuf_put(out, v->v[i].address);
            continue;
        }
        put_name(out, v->v[i].name);
        sbuf_fmt(out, "\r\n <%.*s>", STR_ARG(v->v[i].address));
    }
}

void mail_put_date(struct sbuf *out, struct instant t)
{
    static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    int64_t s = t.us / US_PER_S;
    struct civil c = civil_from_s(s);
    sbuf_fmt(out, "%s, %02d %s %d %02d:%02d:%02d +0000", days[civil_weekday(s / S_PER_DAY)], c.day,
             months[c.month - 1], c.year, c.hour, c.minute, c.second);
}

void mail_put_disposition(struct sbuf *out, struct str name)
{
    // One form only: readers disagree on which of two they take.
    if (!is_ascii(name)) {
        sbuf_puts(out, "attachment;\r\n filename*=UTF-8''");
        sbuf_url(out, name);
        return;
    }
    sbuf_puts(out, "attachment; filename=\"");
    for (size_t i = 0; i < name.n; i++)
        sbuf_putc(out, is_alnum(name.p[i]) || strchr("._- ", name.p[i]) ? name.p[i] : '_');
    sbuf_putc(out, '"');
}

const char *mail_type_of(struct str name)
{
    static const struct {
        const char *ending, *type;
    } rows[] = {
        {".txt", "text/plain; charset=utf-8"},
        {".log", "text/plain; charset=utf-8"},
        {".csv", "text/csv; charset=utf-8"},
        {".html", "text/html; charset=utf-8"},
        {".json", "application/json"},
        {".xml", "application/xml"},
        {".pdf", "application/pdf"},
        {".xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
        {".zip", "application/zip"},
        {".gz", "application/gzip"},
        {".png", "image/png"},
        {".jpg", "image/jpeg"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (str_ends(name, str_of(rows[i].ending)))
            return rows[i].type;
    return "application/octet-stream";
}

// ---- the whole message ----

static bool addresses_check(const struct mail_addresses *v, struct err *err)
{
    for (size_t i = 0; i < v->n; i++)
        if (!addr_spec_check(v->v[i].address, err) || !mail_header_check("a recipient's name", v->v[i].name, err))
            return false;
    return true;
}

static bool headers_check(const struct mail *m, struct err *err)
{
    for (size_t i = 0; i < m->headers.n; i++) {
        struct str name = m->headers.v[i].key;
        bool ok = name.n > 0 && name.n <= LINE_PLAIN_MAX;
        for (size_t k = 0; ok && k < name.n; k++)
            ok = is_alnum(name.p[k]) || name.p[k] == '-';
        if (!ok)
            return ERR(err, ERR_INVALID, "a header's name has letters, digits and '-' only");
        if (!mail_header_check("a header", m->headers.v[i].value, err))
            return false;
    }
    return true;
}

bool mail_check(const struct mail *m, struct err *err)
{
    size_t recipients = m->to.n + m->cc.n + m->bcc.n;
    if (recipients == 0 || recipients > MAIL_RECIPIENTS_MAX)
        return ERR(err, ERR_INVALID, "a mail needs 1 to %d recipients; this one has %zu", MAIL_RECIPIENTS_MAX,
                   recipients);
    if (!addr_spec_check(m->from.address, err) || !mail_header_check("the sender's name", m->from.name, err) ||
        !addresses_check(&m->to, err) || !addresses_check(&m->cc, err) || !addresses_check(&m->bcc, err) ||
        !mail_header_check("the subject", m->subject, err) || !headers_check(m, err) ||
        !addr_spec_check(m->message_id, err))
        return false;
    if (!str_utf8_valid(m->text) || !str_utf8_valid(m->html))
        return ERR(err, ERR_INVALID, "the text of the mail is not valid UTF-8");
    if (m->text.n > MAIL_TEXT_MAX || m->html.n > MAIL_TEXT_MAX)
        return ERR(err, ERR_TOO_LARGE, "the text of the mail has more than %d bytes; attach a file instead",
                   MAIL_TEXT_MAX);
    if (m->n_attachments > MAIL_ATTACHMENTS_MAX)
        return ERR(err, ERR_INVALID, "the mail has %zu attachments; at most %d are allowed", m->n_attachments,
                   MAIL_ATTACHMENTS_MAX);
    for (size_t i = 0; i < m->n_attachments; i++) {
        const struct mail_attachment *t = &m->attachments[i];
        if (t->name.n == 0 || t->name.n > MAIL_NAME_MAX)
            return ERR(err, ERR_INVALID, "an attachment needs a name of 1 to %d bytes", MAIL_NAME_MAX);
        if (!mail_header_check("an attachment's name", t->name, err) ||
            !mail_header_check("an attachment's type", t->type, err))
            return false;
    }
    return true;
}
