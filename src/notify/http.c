// SPDX-License-Identifier: Apache-2.0
// HTTP: any other target (ntfy, Telegram, Matrix, Mattermost, one of your own): method, URL, headers and a
// body that is a template. Values are escaped for the body's content type, and in the URL for URLs, whose
// host they cannot change.
#include "net/http.h"
#include "notify/post.h"
#include "notify/template.h"
#include "notify/text.h"

enum { HEADERS_OWN_MAX = 16, TYPE_MAX = 128 };

enum method { METHOD_POST, METHOD_PUT, METHOD_PATCH, METHOD_GET };
static const char *const method_names[] = {"POST", "PUT", "PATCH", "GET", NULL};
static const struct str type_default = STR_INIT("application/json");

struct http_config {
    int method; // enum method
    struct str url, content_type, body;
    struct str_map headers;
};

#define T struct http_config
static const struct field http_rows[] = {
    FIELD_ENUM(T, method, "method", method_names, FIELD_DEFAULT(METHOD_POST),
               .doc = "POST, PUT, PATCH or GET."),
    FIELD_STR(T, url, "url", .flags = FIELD_REQUIRED | FIELD_SECRET, .max = POST_URL_MAX,
              .doc = "URL; path and query may hold {{names}}."),
    FIELD_MAP(T, headers, "headers", .flags = FIELD_SECRET, .max = HEADERS_OWN_MAX,
              .doc = "Headers, as they stand."),
    FIELD_STR(T, content_type, "contentType", .max = TYPE_MAX,
              .doc =
                  "Media type of the body, application/json when absent. It decides how values are escaped."),
    FIELD_STR(T, body, "body", .max = NOTIFY_TEMPLATE_MAX, .doc = "Body, a template."),
};
#undef T
static const struct fields http_fields =
    FIELDS("HttpChannel", struct http_config, http_rows, .doc = "Any HTTP target, with a body of your own.");

static struct str content_type(const struct http_config *c)
{
    return c->content_type.n > 0 ? c->content_type : type_default;
}

static enum escape escape_of(struct str type)
{
    return str_contains(type, STR("json"))              ? ESCAPE_JSON
           : str_contains(type, STR("html"))            ? ESCAPE_HTML
           : str_contains(type, STR("xml"))             ? ESCAPE_HTML
           : str_contains(type, STR("form-urlencoded")) ? ESCAPE_URL
                                                        : ESCAPE_NONE;
}

// ---- at save ----

static void check_url(const struct http_config *c, const struct channel_env *env, struct str base,
                      struct faults *faults, struct arena *scratch)
{
    struct notification n;
    struct str filled;
    struct err err;
    size_t brace = str_find(http_url_authority(c->url), '{');
    notification_sample(NOTICE_FAILED, &n);
    if (!notify_template_check(env, c->url, &err) ||
        !notify_template_fill(env, c->url, ESCAPE_URL, &n, &filled, scratch, &err))
        faults_add(faults, post_pointer(base, "url", faults), "%s", err.text);
    else if (brace < http_url_authority(c->url).n)
        faults_add(faults, post_pointer(base, "url", faults),
                   "may hold {{names}} in its path and query only");
    else
        post_check_url(filled, base, "url", faults);
}

// One in which all is absent that can be.
static void bare_notification(struct notification *ret)
{
    notification_sample(NOTICE_NODE_DOWN, ret);
    ret->node = ret->source = ret->url = ret->incident = ret->subject = ret->text = STR_NONE;
}

static bool gives_json(struct str body, const struct channel_env *env, const struct notification *n,
                       struct arena *scratch, struct err *err)
{
    json_t *value CLEANUP_JSON = NULL;
    struct str filled;
    return notify_template_fill(env, body, ESCAPE_JSON, n, &filled, scratch, err) &&
           json_parse(filled, &value, err);
}

static void check_body(const struct http_config *c, const struct channel_env *env, struct str base,
                       struct faults *faults, struct arena *scratch)
{
    struct err err;
    struct str at = post_pointer(base, "body", faults);
    if (c->method == METHOD_GET && c->body.n > 0) {
        faults_add(faults, at, "is not sent with GET; leave it out or choose POST");
        return;
    }
    if (!notify_template_check(env, c->body, &err)) {
        faults_add(faults, at, "%s", err.text);
        return;
    }
    if (c->body.n == 0 || escape_of(content_type(c)) != ESCAPE_JSON)
        return;
    struct notification whole, bare;
    notification_sample(NOTICE_FAILED, &whole);
    bare_notification(&bare);
    if (!gives_json(c->body, env, &whole, scratch, &err))
        faults_add(faults, at, "gives no valid JSON: %s", err.text);
    else if (!gives_json(c->body, env, &bare, scratch, &err))
        faults_add(faults, at,
                   "gives no valid JSON where values are missing: %s; write numbers as {{name|json}}",
                   err.text);
}

static void http_check(const void *config, struct str base, struct faults *faults, struct arena *scratch)
{
    static const char *const reserved[] = {"content-type", "user-agent", NULL};
    const struct http_config *c = config;
    struct err err;
    struct zones *zones = zones_new(NULL);
    const struct channel_env env = {.zones = zones};
    check_url(c, &env, base, faults, scratch);
    check_body(c, &env, base, faults, scratch);
    zones_free(zones);
    post_check_headers(c->headers, reserved, base, faults);
    if (c->content_type.n > 0 && !http_header_check(STR("Content-Kind"), c->content_type, &err))
        faults_add(faults, post_pointer(base, "contentType", faults), "%s", err.text);
}

// ---- sending ----

static bool http_render(const struct channel_env *env, const void *config, const struct notification *n,
                        struct sbuf *out, struct arena *a, struct err *err)
{
    const struct http_config *c = config;
    struct str body;
    if (!notify_template_fill(env, c->body, escape_of(content_type(c)), n, &body, a, err))
        return err_wrap(err, "body");
    sbuf_put(out, body);
    return sbuf_ok(out) || ERR(err, ERR_TOO_LARGE, "the body is too long");
}

static void http_send_notification(const struct channel_env *env, const void *config,
                                   const struct notification *n, struct channel_result *ret, struct arena *a)
{
    const struct http_config *c = config;
    struct post p = {.target = "the target", .method = str_of(method_names[c->method])};
    struct err err;
    if (!notify_template_fill(env, c->url, ESCAPE_URL, n, &p.url, a, &err)) {
        channel_fail(ret, CHANNEL_REFUSED, "url: %s", err.text);
        return;
    }
    post_add_headers(&p, c->headers);
    if (c->method == METHOD_GET) {
        post_send(env, &p, ret, a);
        return;
    }
    p.content_type = content_type(c);
    post_rendered(env, http_render, config, n, &p, ret, a);
}

const struct channel channel_http = {
    .name = "HTTP",
    .doc = "A request of your own making to any HTTP target: ntfy, Telegram, Matrix, …",
    .config = &http_fields,
    .config_size = sizeof(struct http_config),
    .escape = ESCAPE_NONE,
    .check = http_check,
    .send = http_send_notification,
    .render = http_render,
};
