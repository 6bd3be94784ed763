// SPDX-License-Identifier: Apache-2.0
// From a path to a row of the route table.
#ifndef API_DISPATCH_H
#define API_DISPATCH_H

#include "api/call.h"

struct api {
    struct app *app;
};

enum { METHODS_MAX = 64 };

// Row for method and path (as requested, with its base path), its path parameters in param. NULL: none; then allow
// holds the methods that the path does have ("GET, POST"), or "".
const struct route *route_find(struct str method, struct str path, struct str param[ROUTE_PARAMS_MAX],
                               char allow[static METHODS_MAX]);
// The pattern matches the whole path.
bool route_matches(const char *pattern, struct str path, struct str param[ROUTE_PARAMS_MAX]);
// Answers the request.
void api_dispatch(struct api *api, const struct httpd_request *req, struct httpd_response *resp);

#endif
