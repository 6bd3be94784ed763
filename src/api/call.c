// SPDX-License-Identifier: Apache-2.0
// What handlers share: reading ids, bodies and If-Match, writing objects and lists.
#include "api/call.h"

bool call_id(const struct call *c, size_t i, struct ulid *ret, struct err *err)
{
    if (ulid_parse(c->param[i], ret))
        return true;
    enum { SHOWN_MAX = 64 };
    struct str shown = c->param[i];
    shown.n = str_utf8_cut(shown, SHOWN_MAX);
    return ERR(err, ERR_NOT_FOUND, "\"%.*s\" does not exist", STR_ARG(shown));
}

bool call_faulty(struct call *c, struct err *err)
{
    if (!faults_any(&c->faults))
        return true;
    if (c->faults.n == 1)
        return ERR(err, ERR_INVALID, "%.*s %.*s", STR_ARG(c->faults.v[0].pointer), STR_ARG(c->faults.v[0].detail));
    return ERR(err, ERR_INVALID, "the request has %zu faults", c->faults.n);
}

bool call_json(struct call *c, json_t **ret, struct err *err)
{
    struct str body = str_trim(c->req->body);
    if (body.n == 0) {
        if (!(c->route->flags & ROUTE_BODY_OPTIONAL))
            return ERR(err, ERR_INVALID, "a JSON object is wanted as the body of this request");
        *ret = NULL;
        return true;
    }
    json_t *v;
    if (!json_parse(body, &v, err))
        return false;
    if (!json_is_object(v)) {
        json_decref(v);
        return ERR(err, ERR_INVALID, "the body must be a JSON object");
    }
    *ret = v;
    return true;
}

bool call_decode(struct call *c, void *obj, struct err *err)
{
    CLEANUP_JSON json_t *v = NULL;
    if (!call_json(c, &v, err))
        return false;
    if (!v) {
        field_defaults(c->route->request, obj);
        return true;
    }
    (void)field_decode(c->route->request, v, FIELD_DECODE_STRICT, STR(""), obj, c->a, &c->faults);
    return call_faulty(c, err);
}

int64_t call_if_match(const struct call *c)
{
    struct str s = str_trim(httpd_header(c->req, "if-match"));
    if (!s.p || str_is(s, "*"))
        return 0;
    int64_t version;
    // What follows a '-' is the state of the rest (api/etag.h).
    const char *dash = s.n > 2 ? memchr(s.p, '-', s.n) : NULL;
    if (dash && s.p[0] == '"' && s.p[s.n - 1] == '"' && dash > s.p + 1)
        return str_to_i64((struct str){s.p + 1, (size_t)(dash - s.p) - 1}, &version) && version > 0 ? version : -1;
    // Weak tags never match (RFC 9110 §13.1.1); a list could only ever match by its one current member.
    if (s.n > 2 && s.p[0] == '"' && s.p[s.n - 1] == '"' &&
        str_to_i64((struct str){s.p + 1, s.n - 2}, &version) && version > 0)
        return version;
    return -1;
}

struct sbuf *call_out(struct call *c) { return &c->resp->body; }

void call_header(struct call *c, const char *name, struct str value)
{
    httpd_response_header(c->resp, c->a, name, value);
}

void call_etag(struct call *c, int64_t version)
{
    call_header(c, "ETag", arena_fmt(c->a, "\"%lld\"", (long long)version));
}

void call_one(struct call *c, const struct fields *t, const void *obj)
{
    field_encode(t, obj, FIELD_ENCODE_API, call_out(c));
}

void list_begin(struct call *c) { sbuf_puts(call_out(c), "{\"content\":["); }

void list_next(struct call *c, size_t i)
{
    if (i > 0)
        sbuf_putc(call_out(c), ',');
}

void list_end(struct call *c, const struct page *p, const struct page_result *r)
{
    struct sbuf *out = call_out(c);
    sbuf_puts(out, "],\"page\":");
    sbuf_i64(out, p->offset / p->size);
    sbuf_puts(out, ",\"size\":");
    sbuf_i64(out, p->size);
    sbuf_puts(out, ",\"totalElements\":");
    sbuf_i64(out, r->total);
    sbuf_puts(out, ",\"totalPages\":");
    sbuf_i64(out, (r->total + p->size - 1) / p->size);
    sbuf_puts(out, ",\"nextCursor\":");
    if (r->next_cursor.p)
        sbuf_json(out, r->next_cursor);
    else
        sbuf_puts(out, "null");
    if (r->total_is_estimate)
        sbuf_puts(out, ",\"totalIsEstimate\":true");
    sbuf_putc(out, '}');
}
