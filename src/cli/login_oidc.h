// SPDX-License-Identifier: Apache-2.0
// Signing in with an OpenID provider from a terminal.
#ifndef CLI_LOGIN_OIDC_H
#define CLI_LOGIN_OIDC_H

#include "cli/client.h"

// Tells the address to open, asks for the code that the page shows, and gets the answer of a sign-in. An exit code.
int login_oidc(struct cli *c, struct client *cl, struct reply *ret);

#endif
