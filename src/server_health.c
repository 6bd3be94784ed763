// SPDX-License-Identifier: Apache-2.0
// Joins the probe to Redis and Kafka, and the runner to the exporter of spans.
#include "server_health.h"

#include "app/figures.h"
#include "app/probe.h"
#include "httpd/httpd.h"
#include "jobs/runner.h"
#include "net/redis.h"
#include "otel/exporter.h"
#include "stream/stream.h"

enum { LOOK_ARENA = 4096, CERTIFICATE_SOON_DAYS = 14 };

static void look_redis(void *ctx, struct probe_word *ret)
{
    struct redis_status s;
    struct arena a CLEANUP(arena_release);
    arena_init(&a, LOOK_ARENA);
    redis_status(ctx, &s, &a);
    if (!s.up)
        probe_says(ret, PROBE_DOWN, "away: %.*s; answers come from the database", STR_ARG(s.why));
}

static void look_kafka(void *ctx, struct probe_word *ret)
{
    struct stream *const *stream = ctx;
    char why[PROBE_WHY_MAX];
    if (*stream && !stream_works(*stream, why))
        probe_says(ret, PROBE_DOWN, "events wait in the outbox: %s", why);
}

static void look_tls(void *ctx, struct probe_word *ret)
{
    const struct server_parts *parts = ctx;
    struct httpd *h = *parts->httpd;
    if (!h || instant_is_never(httpd_tls_expires(h)))
        return;
    struct duration left = instant_since(httpd_tls_expires(h), clock_now(parts->clock));
    int64_t days = left.us / US_PER_S / S_PER_DAY;
    probe_figure(ret, "daysLeft", days);
    if (left.us <= 0)
        probe_says(ret, PROBE_DOWN, "the certificate has expired: renew http.tls.certificate");
    else if (days < CERTIFICATE_SOON_DAYS)
        probe_says(ret, PROBE_DEGRADED, "the certificate expires in %lld days: renew http.tls.certificate",
                   (long long)days);
}

struct probe *server_health_new(const struct server_parts *parts, struct app *app)
{
    struct probe_options o = {.data_dir = parts->config->data_dir, .job_series = parts->config->metrics_jobs};
    struct probe *p = probe_new(app, &o);
    if (parts->redis)
        probe_add(p, "redis", look_redis, parts->redis);
    if (parts->config->kafka.brokers.n > 0)
        probe_add(p, "kafka", look_kafka, (void *)(uintptr_t)parts->stream);
    if (parts->config->edge.tls_certificate.n > 0)
        probe_add(p, "tls", look_tls, (void *)(uintptr_t)parts);
    figures_register();
    app->probe = p;
    app->settings.profile = config_settings[config_find(STR("profile"))].names[parts->config->profile];
    return p;
}

bool server_spans_open(const struct config *c, struct job_env *env, const struct clock *clock,
                       const char *store, struct exporter **ret, struct err *err)
{
    if (!c->otel_endpoint.p)
        return true;
    struct exporter_options o = {.endpoint = c->otel_endpoint,
                                 .headers = c->otel_headers,
                                 .sample_ratio = c->otel_sample_ratio,
                                 .resource = {STR(CHRONOS_VERSION), c->node_name, str_of(store)},
                                 .clock = clock};
    struct exporter *x = exporter_open(&o, err);
    if (!x)
        return false;
    env->spans = exporter_sink(x);
    *ret = x;
    return true;
}
