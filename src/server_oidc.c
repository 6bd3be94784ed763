// SPDX-License-Identifier: Apache-2.0
// The OpenID provider over HTTP: bounded in time and size, no redirects, certificates checked.
#include "server_oidc.h"

#include "auth/id_token.h"
#include "net/http.h"

enum { CONNECT_S = 5, ANSWER_S = 10, HEADERS = 3 };

// Addresses that no provider has (link-local, metadata services) stay closed.
static const struct egress open_but_metadata;

static bool ask(void *ctx, const struct oidc_exchange *x, int *ret_status, struct str *ret_body, struct arena *a,
                struct err *err)
{
    (void)ctx;
    struct str_pair headers[HEADERS] = {{STR("Accept"), STR("application/json")}};
    struct http_request r = {.url = x->url, .headers = {headers, 1}, .connect_timeout = duration_s(CONNECT_S),
                             .timeout = duration_s(ANSWER_S), .response_max = JWKS_TEXT_MAX,
                             .body_kept = JWKS_TEXT_MAX, .egress = &open_but_metadata};
    struct http_response answer;
    if (x->form.p) {
        r.method = STR("POST");
        r.body = x->form;
        headers[r.headers.n++] =
            (struct str_pair){STR("Content-Type"), STR("application/x-www-form-urlencoded")};
    }
    if (x->user.p)
        r.auth = (struct http_auth){.kind = HTTP_AUTH_BASIC, .user = x->user, .password = x->password};
    if (!http_call(&r, &answer, a, err))
        return false;
    if (answer.error != HTTP_DONE)
        return ERR(err, ERR_UPSTREAM, "OpenID provider \"%.*s\": %s", STR_ARG(http_url_host(x->url)), answer.sentence);
    *ret_status = answer.status;
    *ret_body = answer.body;
    return true;
}

bool server_oidc_open(const struct config *c, struct oidc **ret, struct arena *a, struct err *err)
{
    const struct config_oidc *o = &c->oidc;
    *ret = NULL;
    if (o->issuer.n == 0)
        return true;
    struct oidc_role *map = arena_new_array(a, struct oidc_role, o->role_map.n);
    if (!map)
        return ERR(err, ERR_CONFIG, "oidc.roleMap is too long");
    for (size_t i = 0; i < o->role_map.n; i++)
        if (!config_oidc_role(o->role_map.v[i], &map[i].group, &map[i].role, err))
            return false;
    struct oidc_settings s = {.issuer = o->issuer,
                              .client_id = o->client_id,
                              .client_secret = o->client_secret,
                              .scopes = o->scopes,
                              .groups_claim = o->groups_claim,
                              .redirect_url = o->redirect_url,
                              .map = map,
                              .n_map = o->role_map.n,
                              .default_role =
                                  o->default_role.n > 0 ? field_enum_find(role_names, o->default_role) : -1,
                              .link_verified = o->link_verified};
    const struct oidc_web web = {.ask = ask};
    *ret = oidc_new(&s, &web);
    return true;
}
