// SPDX-License-Identifier: Apache-2.0
// Rules between the settings of the sign-in by an OpenID provider.
#include "config_oidc.h"

#include "auth/id_token.h"
#include "base/field.h"
#include "model/user.h"

static void check_address(const char *setting, struct str url, struct faults *faults)
{
    struct err err = {0};
    if (!oidc_address_check(url, &err))
        faults_add(faults, str_of(setting), "%s", err.text);
}

bool config_oidc_role(struct str entry, struct str *ret_group, int *ret_role, struct err *err)
{
    // The last "=": groups of directories have some inside.
    size_t at = entry.n;
    while (at > 0 && entry.p[at - 1] != '=')
        at--;
    struct str group = at > 0 ? str_trim((struct str){entry.p, at - 1}) : STR_NONE;
    int role = field_enum_find(role_names, str_trim((struct str){entry.p + at, entry.n - at}));
    if (group.n == 0 || role < 0)
        return ERR(err, ERR_CONFIG, "\"%.*s\" must read group=ROLE, with one of ADMIN, OPERATOR, USER, VIEWER, AUDITOR",
                   STR_ARG(entry));
    *ret_group = group;
    *ret_role = role;
    return true;
}

void config_oidc_check(const struct config_oidc *o, struct faults *faults)
{
    if (o->issuer.n == 0) {
        if (o->client_id.n > 0)
            faults_add(faults, STR("oidc.issuer"),
                       "it is missing, but oidc.clientId is given: give the provider's address");
        return;
    }
    check_address("oidc.issuer", o->issuer, faults);
    if (o->client_id.n == 0)
        faults_add(faults, STR("oidc.clientId"), "it is missing: register this server with the provider");
    check_address("oidc.redirectUrl", o->redirect_url, faults);
    if (!str_ends(o->redirect_url, STR("/auth/oidc/callback")))
        faults_add(faults, STR("oidc.redirectUrl"),
                   "must be where browsers reach this server, with /api/v1/auth/oidc/callback behind it");
    bool openid = false;
    for (struct str rest = o->scopes; rest.n > 0;)
        openid |= str_is(str_split(rest, ' ', &rest), "openid");
    if (!openid)
        faults_add(faults, STR("oidc.scopes"), "must hold the word \"openid\"");
    if (o->default_role.n > 0 && field_enum_find(role_names, o->default_role) < 0)
        faults_add(faults, STR("oidc.defaultRole"), "must be one of ADMIN, OPERATOR, USER, VIEWER, AUDITOR, or empty");
    for (size_t i = 0; i < o->role_map.n; i++) {
        struct str group;
        int role;
        struct err err = {0};
        if (!config_oidc_role(o->role_map.v[i], &group, &role, &err))
            faults_add(faults, STR("oidc.roleMap"), "%s", err.text);
    }
}
