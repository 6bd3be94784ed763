// SPDX-License-Identifier: Apache-2.0
// What HTTP texts mean: URLs, header names and values, Retry-After, reason phrases. Pure; no libcurl here.
// The URL check is for early, clear errors: what a URL really points at is decided by libcurl when it
// connects, and whether that may be reached by the egress guard on the address.
#include "net/http.h"

#include <stdio.h>

enum {
    URL_MAX = 8192,
    HEADER_NAME_MAX = 256,
    HEADER_VALUE_MAX = 16384,
    DATE_TEXT_MAX = 64,
    YEAR_PIVOT = 50, // two-digit years further ahead than this are in the past (RFC 9110 §5.6.7)
    CENTURY = 100,
    DATE_PARTS = 6, // that sscanf stores
    YEAR_MIN = 1970,
    HOUR_MAX = 23,
    MINUTE_MAX = 59,
    LEAP_SECOND = 60,
};

const char *const http_error_names[] = {
    "DONE", "CONNECTION_ERROR", "TIMEOUT", "TLS_ERROR", "EGRESS_DENIED", "REDIRECT_ERROR", "BAD_REQUEST",
    "TOO_LARGE", "CANCELLED", "CLIENT_ERROR", NULL,
};

struct str http_header(const struct http_response *r, const char *name)
{
    for (size_t i = 0; i < r->headers.n; i++)
        if (str_eq_nocase(r->headers.v[i].key, str_of(name)))
            return r->headers.v[i].value;
    return STR_NONE;
}

// ---- Retry-After ----

static int month_of(const char *name)
{
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    for (int i = 0; i < (int)(sizeof months / sizeof months[0]); i++)
        if (memcmp(name, months[i], sizeof months[i]) == 0)
            return i + 1;
    return 0;
}

static int32_t year_of_two_digits(int32_t two, struct instant now)
{
    int32_t this_year = civil_from_s(now.us / US_PER_S).year;
    int32_t year = this_year - this_year % CENTURY + two;
    return year > this_year + YEAR_PIVOT ? year - CENTURY : year;
}

// The three forms of an HTTP date: IMF-fixdate, RFC 850, asctime. All are GMT. False: none of them.
static bool date_scan(const char *text, struct instant now, struct civil *c)
{
    char month[4] = "";
    int end = 0;
    if (sscanf(text, "%*3[A-Za-z], %2d %3[A-Za-z] %4d %2d:%2d:%2d GMT%n", &c->day, month, &c->year, &c->hour,
               &c->minute, &c->second, &end) < DATE_PARTS || end == 0) {
        end = 0;
        if (sscanf(text, "%*9[A-Za-z], %2d-%3[A-Za-z]-%2d %2d:%2d:%2d GMT%n", &c->day, month, &c->year,
                   &c->hour, &c->minute, &c->second, &end) == DATE_PARTS && end > 0)
            c->year = year_of_two_digits(c->year, now);
        else if (sscanf(text, "%*3[A-Za-z] %3[A-Za-z] %2d %2d:%2d:%2d %4d%n", month, &c->day, &c->hour,
                        &c->minute, &c->second, &c->year, &end) < DATE_PARTS || end == 0)
            return false;
    }
    c->month = month_of(month);
    return text[end] == '\0';
}

static bool date_read(const char *text, struct instant now, struct instant *ret)
{
    struct civil c = {0};
    if (!date_scan(text, now, &c) || c.month == 0 || c.year < YEAR_MIN || c.day < 1 ||
        c.day > civil_month_days(c.year, c.month) || c.hour < 0 || c.hour > HOUR_MAX || c.minute < 0 ||
        c.minute > MINUTE_MAX || c.second < 0 || c.second > LEAP_SECOND)
        return false;
    *ret = instant_s(civil_to_s(c));
    return true;
}

static struct duration wait_bounded(int64_t seconds)
{
    return duration_s(seconds < 0 ? 0 : seconds < HTTP_RETRY_AFTER_S_MAX ? seconds : HTTP_RETRY_AFTER_S_MAX);
}

struct duration http_retry_after(struct str value, struct instant now)
{
    struct str v = str_trim(value);
    int64_t seconds;
    if (v.n == 0 || v.n >= DATE_TEXT_MAX)
        return (struct duration){0};
    if (str_to_i64(v, &seconds))
        return wait_bounded(seconds);
    char text[DATE_TEXT_MAX];
    memcpy(text, v.p, v.n);
    text[v.n] = '\0';
    struct instant at;
    if (!date_read(text, now, &at) || at.us <= now.us)
        return (struct duration){0};
    return wait_bounded((instant_since(at, now).us + US_PER_S - 1) / US_PER_S);
}

// ---- URLs and headers ----

// Bytes that would end the request line early or be read differently by other programs.
static bool url_bytes_ok(struct str url)
{
    for (size_t i = 0; i < url.n; i++) {
        unsigned char c = (unsigned char)url.p[i];
        if (c <= ' ' || c == 0x7f || c == '\\')
            return false;
    }
    return true;
}

struct str http_url_authority(struct str url)
{
    size_t at = str_find(url, ':');
    if (at + 3 > url.n || memcmp(url.p + at, "://", 3) != 0)
        return STR_NONE;
    struct str rest = {url.p + at + 3, url.n - at - 3};
    size_t n = 0;
    while (n < rest.n && rest.p[n] != '/' && rest.p[n] != '?' && rest.p[n] != '#')
        n++;
    return (struct str){rest.p, n};
}

struct str http_url_host(struct str url)
{
    struct str host = http_url_authority(url);
    for (size_t i = host.n; i > 0; i--) // behind the last @
        if (host.p[i - 1] == '@') {
            host = (struct str){host.p + i, host.n - i};
            break;
        }
    if (host.n > 0 && host.p[0] == '[') {
        size_t close = str_find(host, ']');
        return (struct str){host.p, close < host.n ? close + 1 : host.n};
    }
    return (struct str){host.p, str_find(host, ':')};
}

struct str http_url_public(struct str url, struct arena *a)
{
    struct str authority = http_url_authority(url);
    struct str host = http_url_host(url);
    if (!authority.p || host.p == authority.p)
        return url;
    return arena_fmt(a, "%.*s%.*s", (int)(authority.p - url.p), url.p, (int)(url.p + url.n - host.p), host.p);
}

static bool percent_hides_control(struct str s)
{
    for (size_t i = 0; i + 2 < s.n; i++)
        if (s.p[i] == '%' && (s.p[i + 1] == '0' || s.p[i + 1] == '1' ||
                              (s.p[i + 1] == '7' && (s.p[i + 2] == 'f' || s.p[i + 2] == 'F'))))
            return true;
    return false;
}

static bool port_ok(struct str host, struct str authority)
{
    struct str port = {host.p + host.n, (size_t)(authority.p + authority.n - host.p) - host.n};
    int64_t number;
    if (port.n == 0)
        return true;
    return port.p[0] == ':' && str_to_i64((struct str){port.p + 1, port.n - 1}, &number) && number >= 1 &&
           number <= UINT16_MAX;
}

bool http_url_check(struct str url, struct err *err)
{
    if (url.n == 0 || url.n > URL_MAX)
        return ERR(err, ERR_INVALID, "a URL has 1 to %d bytes, this has %zu", URL_MAX, url.n);
    if (!url_bytes_ok(url))
        return ERR(err, ERR_INVALID, "the URL holds a blank, a control character or a backslash: "
                                     "write it percent-encoded");
    size_t colon = str_find(url, ':');
    struct str scheme = {url.p, colon};
    if (!str_eq_nocase(scheme, STR("http")) && !str_eq_nocase(scheme, STR("https")))
        return ERR(err, ERR_INVALID, "the URL must start with http:// or https://");
    struct str authority = http_url_authority(url);
    struct str host = http_url_host(url);
    if (!authority.p || host.n == 0 || (host.p[0] == '[' && host.p[host.n - 1] != ']'))
        return ERR(err, ERR_INVALID, "the URL names no host");
    if (percent_hides_control((struct str){authority.p, (size_t)(host.p - authority.p) + host.n}))
        return ERR(err, ERR_INVALID, "the user or host of the URL holds a control character");
    if (!port_ok(host, authority))
        return ERR(err, ERR_INVALID, "the port of the URL is not a number from 1 to 65535");
    return true;
}

static bool is_token_char(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c));
}

bool http_header_check(struct str name, struct str value, struct err *err)
{
    // These frame the message; a value of the user's own would let one request pass for two.
    static const char *const framing[] = {"Content-Length", "Transfer-Encoding", "Connection", "Upgrade",
                                          "TE", "Trailer", "Expect"};
    if (name.n == 0 || name.n > HEADER_NAME_MAX || value.n > HEADER_VALUE_MAX)
        return ERR(err, ERR_INVALID, "a header has a name of 1 to %d bytes and a value of at most %d",
                   HEADER_NAME_MAX, HEADER_VALUE_MAX);
    for (size_t i = 0; i < name.n; i++)
        if (!is_token_char((unsigned char)name.p[i]))
            return ERR(err, ERR_INVALID, "a header name holds only letters, digits and !#$%%&'*+-.^_`|~");
    for (size_t i = 0; i < value.n; i++)
        if (((unsigned char)value.p[i] < ' ' && value.p[i] != '\t') || value.p[i] == 0x7f)
            return ERR(err, ERR_INVALID,
                       "the value of header \"%.*s\" holds a line break or control character", STR_ARG(name));
    for (size_t i = 0; i < sizeof framing / sizeof framing[0]; i++)
        if (str_eq_nocase(name, str_of(framing[i])))
            return ERR(err, ERR_INVALID, "header \"%s\" is set by Chronos itself: leave it out", framing[i]);
    return true;
}

const char *http_reason(int status)
{
    static const struct { int status; const char *reason; } reasons[] = {
        {200, "OK"}, {201, "Created"}, {202, "Accepted"}, {203, "Non-Authoritative Information"},
        {204, "No Content"}, {205, "Reset Content"}, {206, "Partial Content"}, {300, "Multiple Choices"},
        {301, "Moved Permanently"}, {302, "Found"}, {303, "See Other"}, {304, "Not Modified"},
        {307, "Temporary Redirect"}, {308, "Permanent Redirect"}, {400, "Bad Request"}, {401, "Unauthorized"},
        {402, "Payment Required"}, {403, "Forbidden"}, {404, "Not Found"}, {405, "Method Not Allowed"},
        {406, "Not Acceptable"}, {407, "Proxy Authentication Required"}, {408, "Request Timeout"},
        {409, "Conflict"}, {410, "Gone"}, {411, "Length Required"}, {412, "Precondition Failed"},
        {413, "Content Too Large"}, {414, "URI Too Long"}, {415, "Unsupported Media Type"},
        {416, "Range Not Satisfiable"}, {417, "Expectation Failed"}, {421, "Misdirected Request"},
        {422, "Unprocessable Content"}, {423, "Locked"}, {425, "Too Early"}, {426, "Upgrade Required"},
        {428, "Precondition Required"}, {429, "Too Many Requests"}, {431, "Request Header Fields Too Large"},
        {451, "Unavailable For Legal Reasons"}, {500, "Internal Server Error"}, {501, "Not Implemented"},
        {502, "Bad Gateway"}, {503, "Service Unavailable"}, {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"}, {507, "Insufficient Storage"}, {508, "Loop Detected"},
        {511, "Network Authentication Required"},
    };
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "";
}
