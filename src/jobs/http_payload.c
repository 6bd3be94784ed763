// SPDX-License-Identifier: Apache-2.0
// Fields of an HTTP job and the rules between them. Passwords are FIELD_SECRET: masked in every answer.
#include "jobs/http_payload.h"

#include "jobs/http_answer.h"
#include "jobs/http_expect.h"
#include "jobs/http_parts.h"
#include "jobs/template.h"

enum {
    URL_BYTES_MAX = 8192,
    HEADERS_MAX = 100,
    EXPECTED_MAX = 32,
    TIMEOUT_S_DEFAULT = 30,
    NAME_CHARS_MAX = 1024,
    SECRET_CHARS_MAX = 16384,
    PEM_CHARS_MAX = 65536,
    PATH_CHARS_MAX = 4096,
};

const char *const http_method_names[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", NULL};
static const char *const auth_names[] = {"BASIC", "BEARER", "OAUTH2", "AWS_SIGV4", NULL};

#define T struct http_auth_payload
#define SECRET(member, js, text)                                                                             \
    FIELD_STR(T, member, js, .flags = FIELD_SECRET, .max = SECRET_CHARS_MAX, .doc = (text))
#define NAME(member, js, text) FIELD_STR(T, member, js, .max = NAME_CHARS_MAX, .doc = (text))
static const struct field auth_rows[] = {
    FIELD_ENUM(T, type, "type", auth_names, .doc = "How the request proves who sends it."),
    NAME(username, "username", "BASIC: user name."),
    SECRET(password, "password", "BASIC: password."),
    SECRET(token, "token", "BEARER: the token."),
    FIELD_STR(T, token_url, "tokenUrl", .max = URL_BYTES_MAX,
              .doc = "OAUTH2: where a token is asked for with the client's credentials."),
    NAME(client_id, "clientId", "OAUTH2: name of the client."),
    SECRET(client_secret, "clientSecret", "OAUTH2: secret of the client."),
    NAME(scope, "scope", "OAUTH2: scopes, separated by blanks."),
    NAME(audience, "audience", "OAUTH2: audience, where the service wants one."),
    FIELD_BOOL(T, secret_in_body, "secretInBody", FIELD_DEFAULT(false),
               .doc =
                   "OAUTH2: send clientId and clientSecret in the form instead of the Authorization header."),
    NAME(access_key_id, "accessKeyId", "AWS_SIGV4: id of the access key."),
    SECRET(secret_access_key, "secretAccessKey", "AWS_SIGV4: the access key."),
    SECRET(session_token, "sessionToken", "AWS_SIGV4: token of a temporary key."),
    NAME(region, "region", "AWS_SIGV4: region, such as eu-central-1."),
    NAME(service, "service", "AWS_SIGV4: service, such as execute-api or s3."),
};
#undef T
static const struct fields auth_fields =
    FIELDS("HttpAuth", struct http_auth_payload, auth_rows, .doc = "How the request proves who sends it.");

#define T                       struct http_tls_payload
#define PEM(member, js, text)   FIELD_STR(T, member, js, .max = PEM_CHARS_MAX, .doc = (text))
#define FILE_(member, js, text) FIELD_STR(T, member, js, .max = PATH_CHARS_MAX, .doc = (text))
static const struct field tls_rows[] = {
    PEM(ca, "caCertificate", "Authorities to trust instead of the system's, as PEM text."),
    FILE_(ca_file, "caFile", "The same from a file below files.roots."),
    PEM(cert, "clientCertificate", "Certificate to show, with its chain, as PEM text."),
    FILE_(cert_file, "clientCertificateFile", "The same from a file below files.roots."),
    FIELD_STR(T, key, "clientKey", .flags = FIELD_SECRET, .max = PEM_CHARS_MAX,
              .doc = "Its private key, as PEM text: best {{secret.NAME}}."),
    FILE_(key_file, "clientKeyFile", "The same from a file below files.roots."),
    SECRET(key_password, "clientKeyPassword", "Password of the private key."),
};
#undef T
static const struct fields tls_fields =
    FIELDS("HttpTls", struct http_tls_payload, tls_rows,
           .doc = "Certificates. The server's is always checked: a private authority is named, not the check "
                  "switched off.");

#define T struct http_expect_payload
static const struct field expect_rows[] = {
    FIELD_STR(T, contains, "contains", .max = FIELD_MAX_DEFAULT, .doc = "A text the body must hold."),
    FIELD_STR(T, regex, "regex", .max = EXPECT_REGEX_MAX,
              .doc = "A POSIX extended regular expression that must match somewhere in the body."),
    FIELD_STR(T, pointer, "pointer", .max = NAME_CHARS_MAX,
              .doc = "A JSON Pointer; the body must be JSON and have that value."),
    FIELD_JSON(T, equals, "equals", .max = FIELD_MAX_DEFAULT, .doc = "What the value at pointer must be."),
};
#undef T
static const struct fields expect_fields = FIELDS("HttpExpectedBody", struct http_expect_payload, expect_rows,
                                                  .doc = "What the body must say besides the right status.");

#define T struct http_payload
static const struct field http_rows[] = {
    FIELD_STR(T, url, "httpUrl", FIELD_ALIASES("url"), .flags = FIELD_REQUIRED, .min = 1,
              .max = URL_BYTES_MAX, .doc = "Absolute http or https URL."),
    FIELD_ENUM(T, method, "httpMethod", http_method_names, FIELD_ALIASES("method"), FIELD_DEFAULT(0),
               .doc = "Request method."),
    FIELD_MAP(T, headers, "httpHeaders", FIELD_ALIASES("headers"), .max = HEADERS_MAX,
              .doc = "Request headers."),
    FIELD_STR(T, body, "httpBody", FIELD_ALIASES("body"), .max = JOB_PAYLOAD_MAX,
              .doc = "Request body, as it is sent."),
    FIELD_JSON(
        T, multipart, "multipart", FIELD_IS_LIST, .max = JOB_PAYLOAD_MAX,
        .doc =
            "A form instead of a body: a list of {name, value or file, filename, contentType}; files below "
            "files.roots."),
    FIELD_I64(T, timeout_seconds, "timeoutSeconds", .min = 1, .max = JOB_TIMEOUT_S_MAX,
              FIELD_DEFAULT(TIMEOUT_S_DEFAULT),
              .doc = "Longest time for the whole exchange; the job's own timeoutSeconds holds as well."),
    FIELD_STRS(T, expected_status, "expectedStatus", .max = EXPECTED_MAX,
               .doc = "Statuses that are a success: \"200\", \"2xx\" or \"200-204\"; 2xx when absent."),
    FIELD_OBJECT(T, expect, "expectedBody", struct http_expect_payload, &expect_fields,
                 .doc = "What the body must say besides the right status."),
    FIELD_BOOL(T, follow_redirects, "followRedirects", FIELD_DEFAULT(false),
               .doc = "Whether up to 5 redirects are followed."),
    FIELD_I64(T, response_max, "maxResponseBytes", .min = 1, .max = INT64_MAX,
              .doc = "A longer answer fails the run; without it the rest is read, counted and dropped."),
    FIELD_OBJECT(T, auth, "auth", struct http_auth_payload, &auth_fields,
                 .doc = "How the request proves who sends it."),
    FIELD_OBJECT(T, tls, "tls", struct http_tls_payload, &tls_fields, .doc = "Certificates."),
    FIELD_STR(T, proxy, "proxy", .max = URL_BYTES_MAX, .doc = "http or https URL of a proxy to go through."),
    FIELD_STR(T, proxy_user, "proxyUser", .max = NAME_CHARS_MAX, .doc = "User name at the proxy."),
    FIELD_STR(T, proxy_password, "proxyPassword", .flags = FIELD_SECRET, .max = SECRET_CHARS_MAX,
              .doc = "Password at the proxy."),
};
#undef T
const struct fields http_fields =
    FIELDS("HttpPayload", struct http_payload, http_rows, .doc = "A request to an HTTP service.");

// ---- checking ----

bool http_later(struct str text) { return template_uses(text, ""); }

static struct str at(struct str base, const char *name, struct arena *a)
{
    return arena_fmt(a, "%.*s/%s", STR_ARG(base), name);
}

static void url_check(struct str url, struct str pointer, struct faults *faults)
{
    struct err err;
    // What templates make of a text is checked again when the request is sent.
    if (!http_later(url) && !http_url_check(url, &err))
        faults_add(faults, pointer, "%s", err.text);
}

// Which fields belong to which type of auth.
static const struct {
    size_t offset;
    const char *name;
    int type;
    bool required;
} auth_rules[] = {
    {offsetof(struct http_auth_payload, username), "username", AUTH_BASIC, true},
    {offsetof(struct http_auth_payload, password), "password", AUTH_BASIC, true},
    {offsetof(struct http_auth_payload, token), "token", AUTH_BEARER, true},
    {offsetof(struct http_auth_payload, token_url), "tokenUrl", AUTH_OAUTH2, true},
    {offsetof(struct http_auth_payload, client_id), "clientId", AUTH_OAUTH2, true},
    {offsetof(struct http_auth_payload, client_secret), "clientSecret", AUTH_OAUTH2, true},
    {offsetof(struct http_auth_payload, scope), "scope", AUTH_OAUTH2, false},
    {offsetof(struct http_auth_payload, audience), "audience", AUTH_OAUTH2, false},
    {offsetof(struct http_auth_payload, access_key_id), "accessKeyId", AUTH_AWS_SIGV4, true},
    {offsetof(struct http_auth_payload, secret_access_key), "secretAccessKey", AUTH_AWS_SIGV4, true},
    {offsetof(struct http_auth_payload, session_token), "sessionToken", AUTH_AWS_SIGV4, false},
    {offsetof(struct http_auth_payload, region), "region", AUTH_AWS_SIGV4, true},
    {offsetof(struct http_auth_payload, service), "service", AUTH_AWS_SIGV4, true},
};
enum { AUTH_RULES = sizeof auth_rules / sizeof auth_rules[0] };

static void auth_check(const struct http_payload *p, struct str base, struct faults *faults)
{
    struct str auth = at(base, "auth", faults->a);
    for (size_t i = 0; i < AUTH_RULES; i++) {
        const struct str *value = (const void *)((const char *)&p->auth + auth_rules[i].offset);
        bool ours = p->auth.type == auth_rules[i].type;
        if (!ours && value->p && p->auth.type < 0)
            faults_add(faults, at(auth, "type", faults->a),
                       "must be given with %s: BASIC, BEARER, OAUTH2 or AWS_SIGV4", auth_rules[i].name);
        else if (!ours && value->p)
            faults_add(faults, at(auth, auth_rules[i].name, faults->a), "belongs to type %s: leave it out",
                       auth_names[auth_rules[i].type]);
        else if (ours && auth_rules[i].required && value->n == 0)
            faults_add(faults, at(auth, auth_rules[i].name, faults->a), "is needed for type %s",
                       auth_names[auth_rules[i].type]);
    }
    if (p->auth.type < 0)
        return;
    if (p->auth.token_url.n > 0)
        url_check(p->auth.token_url, at(auth, "tokenUrl", faults->a), faults);
    for (size_t i = 0; i < p->headers.n; i++)
        if (str_eq_nocase(p->headers.v[i].key, STR("Authorization")))
            faults_add(faults, at(base, "httpHeaders/Authorization", faults->a),
                       "must be left out beside auth");
}

static void one_of_two(struct str text, struct str file, const char *name, struct str tls,
                       struct faults *faults)
{
    if (text.p && file.p)
        faults_add(faults, at(tls, name, faults->a), "must be left out beside the text");
    if (file.p)
        http_file_check(file, at(tls, name, faults->a), faults);
}

static void tls_check(const struct http_payload *p, struct str base, struct faults *faults)
{
    const struct http_tls_payload *t = &p->tls;
    struct str tls = at(base, "tls", faults->a);
    one_of_two(t->ca, t->ca_file, "caFile", tls, faults);
    one_of_two(t->cert, t->cert_file, "clientCertificateFile", tls, faults);
    one_of_two(t->key, t->key_file, "clientKeyFile", tls, faults);
    bool cert = t->cert.p || t->cert_file.p, key = t->key.p || t->key_file.p;
    if (cert && !key)
        faults_add(faults, at(tls, "clientKey", faults->a), "is needed with clientCertificate");
    if (key && !cert)
        faults_add(faults, at(tls, "clientCertificate", faults->a), "is needed with clientKey");
    if (t->key_password.p && !key)
        faults_add(faults, at(tls, "clientKeyPassword", faults->a), "must be left out without clientKey");
}

static void proxy_check(const struct http_payload *p, struct str base, struct faults *faults)
{
    struct str pointer = at(base, "proxy", faults->a);
    if (!p->proxy.p && (p->proxy_user.p || p->proxy_password.p))
        faults_add(faults, pointer, "is needed with proxyUser and proxyPassword");
    if (!p->proxy.p)
        return;
    url_check(p->proxy, pointer, faults);
    if (!http_later(p->proxy) && str_contains(http_url_authority(p->proxy), STR("@")))
        faults_add(faults, pointer, "must hold no user and password: use proxyUser and proxyPassword");
}

static void headers_check(const struct http_payload *p, struct str base, struct faults *faults)
{
    struct err err;
    for (size_t i = 0; i < p->headers.n; i++)
        if (!http_header_check(p->headers.v[i].key, p->headers.v[i].value, &err))
            faults_add(
                faults,
                arena_fmt(faults->a, "%.*s/httpHeaders/%.*s", STR_ARG(base), STR_ARG(p->headers.v[i].key)),
                "%s", err.text);
    for (size_t i = 0; i < p->expected_status.n; i++)
        if (!http_status_rule_ok(p->expected_status.v[i]))
            faults_add(faults, arena_fmt(faults->a, "%.*s/expectedStatus/%zu", STR_ARG(base), i),
                       "must be a status such as \"200\", a class such as \"2xx\" or a range such as "
                       "\"200-204\"");
}

void http_check(const void *payload, struct str base, struct faults *faults, struct arena *scratch)
{
    const struct http_payload *p = payload;
    bool head = str_is(str_of(http_method_names[p->method]), "HEAD");
    url_check(p->url, at(base, "httpUrl", faults->a), faults);
    headers_check(p, base, faults);
    if (p->body.n > 0 && head)
        faults_add(faults, at(base, "httpBody", faults->a), "must be left out with HEAD");
    if (p->multipart.p && (p->body.p || head || str_is(str_of(http_method_names[p->method]), "GET")))
        faults_add(faults, at(base, "multipart", faults->a), "needs a method such as POST, and no httpBody");
    http_parts_check(p->multipart, at(base, "multipart", faults->a), faults, scratch);
    http_expect_check(&p->expect, at(base, "expectedBody", faults->a), faults, scratch);
    auth_check(p, base, faults);
    tls_check(p, base, faults);
    proxy_check(p, base, faults);
}
