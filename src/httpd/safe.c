// SPDX-License-Identifier: Apache-2.0
// Headers that every answer carries. An answer that needs more than this (a page with a script of ours) says
// so itself.
#include "httpd/safe.h"

static const struct {
    struct str name, value;
} always[] = {
    {STR_INIT("Cache-Control"), STR_INIT("no-store")}, // answers hold what belongs to one caller, tokens too
    {STR_INIT("X-Content-Type-Options"), STR_INIT("nosniff")},
    {STR_INIT("Content-Security-Policy"), STR_INIT("default-src 'none'; frame-ancestors 'none'")},
    {STR_INIT("X-Frame-Options"), STR_INIT("DENY")},
    {STR_INIT("Referrer-Policy"), STR_INIT("no-referrer")},
    {STR_INIT("Permissions-Policy"), STR_INIT("camera=(), geolocation=(), microphone=()")},
    {STR_INIT("Cross-Origin-Resource-Policy"), STR_INIT("same-origin")},
};
enum { ALWAYS = sizeof always / sizeof always[0] };

static bool has(const struct httpd_response *r, size_t own, struct str name)
{
    bool found = false;
    for (size_t i = 0; i < own && !found; i++)
        found = str_eq_nocase(r->headers.v[i].key, name);
    return found;
}

void safe_headers(struct httpd_response *r, struct arena *a, bool https)
{
    static const struct str_pair stay = {STR_INIT("Strict-Transport-Security"), STR_INIT("max-age=31536000")};
    size_t own = r->headers.n;
    // The texts are constants: only the list is copied.
    struct str_pair *v = arena_new_array(a, struct str_pair, own + ALWAYS + 1);
    if (!v)
        return;
    if (own > 0)
        memcpy(v, r->headers.v, own * sizeof *v);
    size_t n = own;
    for (size_t i = 0; i < ALWAYS; i++)
        if (!has(r, own, always[i].name))
            v[n++] = (struct str_pair){always[i].name, always[i].value};
    if (https && !has(r, own, stay.key))
        v[n++] = stay;
    r->headers.v = v;
    r->headers.n = n;
}
