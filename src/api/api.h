// SPDX-License-Identifier: Apache-2.0
// The REST interface: one table of routes (routes.c) from which dispatch, rights, the OpenAPI document and the
// figures per route follow. Owner: main; stop the HTTP server before api_free.
#ifndef API_API_H
#define API_API_H

#include "app/app.h"
#include "httpd/httpd.h"

struct api;

struct api *api_new(struct app *app); // app must outlive it
void api_free(struct api *api);
// What httpd_start is to be given; valid until api_free. Thread-safe.
struct httpd_handlers api_handlers(struct api *api);

#endif
