// SPDX-License-Identifier: Apache-2.0
// What the parts of a server say of themselves, for health and figures.
#ifndef SERVER_HEALTH_H
#define SERVER_HEALTH_H

#include "app/app.h"
#include "config.h"

struct httpd;
struct redis;
struct stream;

struct server_parts {
    const struct config *config;
    const struct clock *clock;
    struct redis *redis;           // NULL: none
    struct stream *const *stream;  // what it points at is NULL without Kafka
    struct httpd *const *httpd;    // what it points at serves before the probe starts
};
// Before requests are answered: until server_health_start, health says that the server is starting. *parts must
// outlive it. Owner: caller, probe_free after the HTTP server has stopped.
struct probe *server_health_new(const struct server_parts *parts, struct app *app);

struct exporter;
struct job_env;
// Spans of runs, when the settings name a collector: *ret stays NULL without.
bool server_spans_open(const struct config *c, struct job_env *env, const struct clock *clock, const char *store,
                       struct exporter **ret, struct err *err) __attribute__((warn_unused_result));

#endif
