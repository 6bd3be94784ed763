// SPDX-License-Identifier: Apache-2.0
// Settings of the sign-in by an OpenID provider.
#ifndef CONFIG_OIDC_H
#define CONFIG_OIDC_H

#include "base/arena.h"
#include "base/err.h"

struct config_oidc {
    struct str issuer; // "": there is no provider
    struct str client_id, client_secret;
    struct str scopes, groups_claim, default_role;
    struct strs role_map; // "group=ROLE"
    struct str redirect_url;
    bool link_verified;
};

// The rules between the settings.
void config_oidc_check(const struct config_oidc *o, struct faults *faults);
// "group=ROLE": its parts. ERR_CONFIG.
bool config_oidc_role(struct str entry, struct str *ret_group, int *ret_role, struct err *err)
    __attribute__((warn_unused_result));

#endif
