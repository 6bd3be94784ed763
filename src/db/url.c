// SPDX-License-Identifier: Apache-2.0
// Addresses of databases. Errors say which part is wrong and show none of it, because any part of a mistyped address
// may be the password.
#include "db/url.h"

enum { PORT_MAX = 65535, HEX_BASE = 16 };

static struct str without_jdbc(struct str text)
{
    static const struct str prefix = STR_INIT("jdbc:");
    return str_starts(text, prefix) ? (struct str){text.p + prefix.n, text.n - prefix.n} : text;
}

struct str db_url_scheme(struct str text, struct arena *a)
{
    struct str rest;
    struct str scheme = str_split(without_jdbc(text), ':', &rest);
    if (!rest.p || scheme.n == 0)
        return STR_NONE;
    char *p = arena_cstr(a, scheme);
    for (size_t i = 0; p && i < scheme.n; i++)
        p[i] = (char)(p[i] >= 'A' && p[i] <= 'Z' ? p[i] - 'A' + 'a' : p[i]);
    return p ? str_of_n(p, scheme.n) : STR_NONE;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool decode(struct str part, const char *what, struct str *ret, struct arena *a, struct err *err)
{
    char *p = arena_cstr(a, part);
    size_t n = 0;
    if (!p)
        return ERR(err, ERR_TOO_LARGE, "the database address is too long");
    for (size_t i = 0; i < part.n; i++) {
        char c = part.p[i];
        if (c == '%') {
            int high = i + 2 < part.n ? hex_digit(part.p[i + 1]) : -1;
            int low = i + 2 < part.n ? hex_digit(part.p[i + 2]) : -1;
            if (high < 0 || low < 0 || high + low == 0)
                return ERR(err, ERR_CONFIG, "the %s of the database address holds a '%%' that is not followed by two "
                           "hexadecimal digits: write it as %%25", what);
            c = (char)(high * HEX_BASE + low);
            i += 2;
        }
        p[n++] = c;
    }
    p[n] = '\0';
    *ret = str_of_n(p, n);
    return true;
}

// user[:password]@ in front of the host. The last '@' ends it, so that one in a password does no harm.
static bool parse_user(struct str *rest, struct db_url *u, struct arena *a, struct err *err)
{
    size_t at = rest->n;
    for (size_t i = 0; i < rest->n; i++)
        at = rest->p[i] == '@' ? i : at;
    if (at == rest->n)
        return true;
    struct str password, user = str_split((struct str){rest->p, at}, ':', &password);
    *rest = (struct str){rest->p + at + 1, rest->n - at - 1};
    return (user.n == 0 || decode(user, "user", &u->user, a, err)) &&
           (!password.p || decode(password, "password", &u->password, a, err));
}

static bool parse_host(struct str text, struct db_url *u, struct arena *a, struct err *err)
{
    struct str host = text, port = STR_NONE;
    if (text.n > 0 && text.p[0] == '[') {
        host = str_split((struct str){text.p + 1, text.n - 1}, ']', &port);
        if (!port.p || (port.n > 0 && port.p[0] != ':'))
            return ERR(err, ERR_CONFIG, "the host of the database address has a '[' without its ']'");
        port = port.n > 0 ? (struct str){port.p + 1, port.n - 1} : STR_NONE;
    } else {
        host = str_split(text, ':', &port);
    }
    if (port.p && (!str_to_i64(port, &u->port) || u->port < 1 || u->port > PORT_MAX))
        return ERR(err, ERR_CONFIG, "the port of the database address is not a number from 1 to %d", PORT_MAX);
    if (host.n == 0)
        return ERR(err, ERR_CONFIG, "the database address has no host: write scheme://user:password@host:port/name");
    return decode(host, "host", &u->host, a, err);
}

static bool parse_options(struct str text, struct db_url *u, struct arena *a, struct err *err)
{
    while (text.n > 0) {
        struct str value, name = str_split(str_split(text, '&', &text), '=', &value);
        if (u->n_options == DB_URL_OPTIONS_MAX)
            return ERR(err, ERR_CONFIG, "the database address has more than %d options", DB_URL_OPTIONS_MAX);
        if (!value.p)
            return ERR(err, ERR_CONFIG, "an option of the database address has no value: write name=value");
        if (!decode(name, "options", &u->options[u->n_options].name, a, err) ||
            !decode(value, "options", &u->options[u->n_options].value, a, err))
            return false;
        u->n_options++;
    }
    return true;
}

bool db_url_parse(struct str text, struct db_url *ret, struct arena *a, struct err *err)
{
    struct db_url u = {.port = 0};
    struct str rest, options, name;
    if (text.n > DB_URL_BYTES_MAX)
        return ERR(err, ERR_CONFIG, "the database address is longer than %d bytes", DB_URL_BYTES_MAX);
    u.scheme = db_url_scheme(text, a);
    (void)str_split(without_jdbc(text), ':', &rest);
    if (!u.scheme.p || !str_starts(rest, STR("//")))
        return ERR(err, ERR_CONFIG, "the database address must look like scheme://user:password@host:port/name");
    rest = str_split((struct str){rest.p + 2, rest.n - 2}, '?', &options);
    size_t slash = rest.n; // behind the last '@', so that a '/' in a password does no harm
    for (size_t i = rest.n; i > 0 && rest.p[i - 1] != '@'; i--)
        slash = rest.p[i - 1] == '/' ? i - 1 : slash;
    name = slash < rest.n ? (struct str){rest.p + slash + 1, rest.n - slash - 1} : STR_NONE;
    rest.n = slash;
    if (name.n == 0)
        return ERR(err, ERR_CONFIG, "the database address names no database: write it behind the last '/'");
    if (!parse_user(&rest, &u, a, err) || !parse_host(rest, &u, a, err) ||
        !decode(name, "database name", &u.name, a, err) || !parse_options(options, &u, a, err))
        return false;
    *ret = u;
    return true;
}

struct str db_url_option(const struct db_url *u, const char *name)
{
    for (size_t i = 0; i < u->n_options; i++)
        if (str_is(u->options[i].name, name))
            return u->options[i].value;
    return STR_NONE;
}

struct str db_url_shown(const struct db_url *u, struct arena *a)
{
    bool v6 = str_find(u->host, ':') < u->host.n;
    struct str port = u->port ? arena_fmt(a, ":%lld", (long long)u->port) : STR("");
    return arena_fmt(a, "%.*s://%.*s%s%s%.*s%s%.*s/%.*s", STR_ARG(u->scheme), STR_ARG(u->user), u->user.n ? "@" : "",
                     v6 ? "[" : "", STR_ARG(u->host), v6 ? "]" : "", STR_ARG(port), STR_ARG(u->name));
}
