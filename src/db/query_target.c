// SPDX-License-Identifier: Apache-2.0
// Addresses of users' databases. One table says which parameters mean something to us, each in the spelling
// of the driver that knows it. The folder's rule holds: no text shows any part of an address that may be
// mistyped.
#include "db/query_target.h"

#include "base/sbuf.h"

enum { IGNORED_TEXT_MAX = 1024, TIME_S_MAX = 86400 };

const char *const query_kind_names[] = {"sqlite", "postgresql", "mysql"};

struct reading {
    struct query_target *t;
    struct sbuf ignored;
    struct err *err;
};

static bool is_true(struct str v) { return str_eq_nocase(v, STR("true")) || str_is(v, "1"); }

static bool take_tls(struct reading *r, struct str v)
{
    static const struct {
        const char *word;
        enum query_tls tls;
    } words[] = {
        {"off", QUERY_TLS_OFF},
        {"disable", QUERY_TLS_OFF},
        {"disabled", QUERY_TLS_OFF},
        {"prefer", QUERY_TLS_PREFER},
        {"allow", QUERY_TLS_PREFER},
        {"preferred", QUERY_TLS_PREFER},
        {"require", QUERY_TLS_REQUIRE},
        {"required", QUERY_TLS_REQUIRE},
        {"trust", QUERY_TLS_REQUIRE},
        {"verify-ca", QUERY_TLS_CA},
        {"verify_ca", QUERY_TLS_CA},
        {"verify", QUERY_TLS_VERIFY},
        {"verify-full", QUERY_TLS_VERIFY},
        {"verify_identity", QUERY_TLS_VERIFY},
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (str_eq_nocase(v, str_of(words[i].word))) {
            r->t->tls = words[i].tls;
            return true;
        }
    return ERR(r->err, ERR_CONFIG,
               "the database address asks for TLS in an unknown way: write sslmode=disable, "
               "prefer, require, verify-ca or verify-full");
}

static bool take_use_ssl(struct reading *r, struct str v)
{
    bool stronger = r->t->tls > QUERY_TLS_OFF; // useSSL=true beside requireSSL=true takes nothing back
    r->t->tls = !is_true(v) ? QUERY_TLS_OFF : stronger ? r->t->tls : QUERY_TLS_REQUIRE;
    return true;
}

static bool take_require_ssl(struct reading *r, struct str v)
{
    if (is_true(v) && r->t->tls <= QUERY_TLS_OFF)
        r->t->tls = QUERY_TLS_REQUIRE;
    return true;
}

static bool take_verify(struct reading *r, struct str v)
{
    if (is_true(v))
        r->t->tls = QUERY_TLS_VERIFY;
    return true;
}

static bool take_ca(struct reading *r, struct str v)
{
    r->t->ca = v;
    return true;
}

static bool take_user(struct reading *r, struct str v)
{
    r->t->url.user = v;
    return true;
}

static bool take_password(struct reading *r, struct str v)
{
    r->t->url.password = v;
    return true;
}

static bool take_schema(struct reading *r, struct str v)
{
    r->t->schema = v;
    return true;
}

// Milliseconds for the drivers of MySQL and MariaDB, seconds for PostgreSQL's.
static bool take_time(struct reading *r, struct str v, struct duration *ret)
{
    int64_t n, unit = r->t->kind == QUERY_POSTGRES ? US_PER_S : US_PER_MS;
    if (!str_to_i64(v, &n) || n < 0 || n > TIME_S_MAX * (US_PER_S / unit))
        return ERR(r->err, ERR_CONFIG, "a time-out in the database address is no number of %s from 0 to %d s",
                   unit == US_PER_S ? "seconds" : "milliseconds", TIME_S_MAX);
    ret->us = n * unit;
    return true;
}

static bool take_connect_time(struct reading *r, struct str v)
{
    return take_time(r, v, &r->t->connect_time);
}
static bool take_answer_time(struct reading *r, struct str v) { return take_time(r, v, &r->t->answer_time); }
static bool take_nothing(struct reading *r, struct str v) { return r && v.p; }

enum { ON_POSTGRES = 1 << QUERY_POSTGRES, ON_MYSQL = 1 << QUERY_MYSQL, ON_BOTH = ON_POSTGRES | ON_MYSQL };
static const struct known {
    const char *name;
    unsigned on; // kinds
    bool (*take)(struct reading *r, struct str v);
} known[] = {
    {"tls", ON_BOTH, take_tls},
    {"sslmode", ON_BOTH, take_tls},
    {"ca", ON_BOTH, take_ca},
    {"useSSL", ON_MYSQL, take_use_ssl},
    {"requireSSL", ON_MYSQL, take_require_ssl},
    {"verifyServerCertificate", ON_MYSQL, take_verify},
    {"serverSslCert", ON_MYSQL, take_ca},
    {"ssl", ON_POSTGRES, take_verify},
    {"sslrootcert", ON_POSTGRES, take_ca},
    {"user", ON_BOTH, take_user},
    {"password", ON_BOTH, take_password},
    {"connectTimeout", ON_BOTH, take_connect_time},
    {"connect_timeout", ON_POSTGRES, take_connect_time},
    {"loginTimeout", ON_POSTGRES, take_connect_time},
    {"socketTimeout", ON_BOTH, take_answer_time},
    {"currentSchema", ON_POSTGRES, take_schema},
    // As we behave anyway:
    {"allowPublicKeyRetrieval", ON_MYSQL, take_nothing},
    {"useUnicode", ON_MYSQL, take_nothing},
    {"tcpKeepAlive", ON_BOTH, take_nothing},
};

static bool utf8_asked(struct str name, struct str value)
{
    bool encoding =
        str_is(name, "characterEncoding") || str_is(name, "charset") || str_is(name, "client_encoding");
    return encoding && (str_eq_nocase(value, STR("UTF-8")) || str_eq_nocase(value, STR("UTF8")) ||
                        str_eq_nocase(value, STR("utf8mb4")));
}

static bool take_option(struct reading *r, struct str name, struct str value)
{
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if ((known[i].on & (1U << r->t->kind)) && str_eq_nocase(name, str_of(known[i].name)))
            return known[i].take(r, value);
    if (utf8_asked(name, value))
        return true;
    sbuf_puts(&r->ignored, r->ignored.n ? ", " : "");
    sbuf_put(&r->ignored, name);
    return true;
}

static bool server_parse(struct str text, struct query_target *t, struct arena *a, struct err *err)
{
    enum { PORT_POSTGRES = 5432, PORT_MYSQL = 3306 };
    struct reading r = {.t = t, .err = err};
    if (!db_url_parse(text, &t->url, a, err))
        return false;
    if (str_starts(t->url.host, STR("/")))
        return ERR(err, ERR_CONFIG,
                   "the database address names a socket: a job reaches databases by host and port");
    if (t->url.port == 0)
        t->url.port = t->kind == QUERY_POSTGRES ? PORT_POSTGRES : PORT_MYSQL;
    sbuf_init(&r.ignored, a, IGNORED_TEXT_MAX);
    for (size_t i = 0; i < t->url.n_options; i++)
        if (!take_option(&r, t->url.options[i].name, t->url.options[i].value))
            return false;
    if (t->ca.p && t->tls == QUERY_TLS_PREFER)
        t->tls = QUERY_TLS_VERIFY;
    if (r.ignored.n > 0)
        t->ignored = sbuf_str(&r.ignored);
    return !a->exhausted || ERR(err, ERR_CONFIG, "the database address is too long");
}

static bool file_parse(struct str text, struct query_target *t, struct arena *a, struct err *err)
{
    struct str rest, options, name;
    struct sbuf ignored;
    (void)str_split(text, ':', &rest);
    t->path = str_split(rest, '?', &options);
    if (str_starts(t->path, STR("//"))) // sqlite:///data/file.db
        t->path = (struct str){t->path.p + 2, t->path.n - 2};
    if (t->path.n == 0 || text.n > DB_URL_BYTES_MAX || memchr(t->path.p, '\0', t->path.n))
        return ERR(err, ERR_CONFIG, "the database address names no file: write sqlite:folder/file.db");
    sbuf_init(&ignored, a, IGNORED_TEXT_MAX);
    while (options.n > 0) {
        name = str_split(str_split(options, '&', &options), '=', &(struct str){0});
        sbuf_puts(&ignored, ignored.n ? ", " : "");
        sbuf_put(&ignored, name);
    }
    if (ignored.n > 0)
        t->ignored = sbuf_str(&ignored);
    return true;
}

bool query_target_parse(struct str text, struct query_target *ret, struct arena *a, struct err *err)
{
    static const struct {
        const char *scheme;
        enum query_kind kind;
    } schemes[] = {{"sqlite", QUERY_SQLITE},
                   {"postgresql", QUERY_POSTGRES},
                   {"postgres", QUERY_POSTGRES},
                   {"mysql", QUERY_MYSQL},
                   {"mariadb", QUERY_MYSQL}};
    struct query_target t = {.tls = QUERY_TLS_PREFER};
    struct str scheme = db_url_scheme(text, a);
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        if (!str_is(scheme, schemes[i].scheme))
            continue;
        t.kind = schemes[i].kind;
        if (str_starts(text, STR("jdbc:")))
            (void)str_split(text, ':', &text);
        if (!(t.kind == QUERY_SQLITE ? file_parse(text, &t, a, err) : server_parse(text, &t, a, err)))
            return false;
        *ret = t;
        return true;
    }
    return ERR(err, ERR_CONFIG,
               "the database address begins with none of mysql:, mariadb:, postgresql: and sqlite: "
               "(or jdbc: in front of them)");
}

struct str query_target_server(const struct query_target *t, struct arena *a)
{
    bool v6 = str_find(t->url.host, ':') < t->url.host.n;
    if (t->kind == QUERY_SQLITE)
        return arena_fmt(a, "sqlite:%.*s", STR_ARG(t->path));
    return arena_fmt(a, "%s://%s%.*s%s:%lld", query_kind_names[t->kind], v6 ? "[" : "", STR_ARG(t->url.host),
                     v6 ? "]" : "", (long long)t->url.port);
}

struct str query_target_shown(const struct query_target *t, struct arena *a)
{
    struct str server = query_target_server(t, a);
    return t->kind == QUERY_SQLITE ? server
                                   : arena_fmt(a, "%.*s/%.*s", STR_ARG(server), STR_ARG(t->url.name));
}
