// SPDX-License-Identifier: Apache-2.0
// Sign-in by an OpenID provider: from the settings to the part of the app, and its way to the network.
#ifndef SERVER_OIDC_H
#define SERVER_OIDC_H

#include "app/oidc.h"
#include "config.h"

// *ret is NULL without oidc.issuer. Texts are the config's and the arena's. Owner: caller, oidc_free.
bool server_oidc_open(const struct config *c, struct oidc **ret, struct arena *a, struct err *err)
    __attribute__((warn_unused_result));

#endif
