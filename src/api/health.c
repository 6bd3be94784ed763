// SPDX-License-Identifier: Apache-2.0
// Health and figures, for load balancers and Prometheus. Health tells no more than up or down, to anybody.
#include "app/health.h"

#include "api/handlers.h"
#include "base/metrics.h"

static void component(struct sbuf *out, const char *name, bool up)
{
    sbuf_fmt(out, "\"%s\":{\"status\":\"%s\"}", name, up ? "UP" : "DOWN");
}

bool api_health(struct call *c, struct err *err)
{
    (void)err; // what is down is part of the answer
    struct health h;
    app_health(c->app, &h);
    bool ready = health_ready(&h);
    struct sbuf *out = call_out(c);
    sbuf_fmt(out, "{\"status\":\"%s\"", ready ? "UP" : h.draining ? "OUT_OF_SERVICE" : "DOWN");
    sbuf_puts(out, ",\"components\":{");
    component(out, "store", h.store_ok);
    sbuf_putc(out, ',');
    component(out, "engine", h.engine_ok);
    sbuf_puts(out, "}}");
    c->resp->status = ready ? 200 : 503;
    call_header(c, "Cache-Control", STR("no-store"));
    return true;
}

bool api_live(struct call *c, struct err *err)
{
    (void)err;
    sbuf_puts(call_out(c), "{\"status\":\"UP\"}");
    return true;
}

bool api_metrics(struct call *c, struct err *err)
{
    enum reach reach;
    if (!c->app->settings.metrics_public && !app_authorize(&c->caller, ACTION_METRICS_READ, &reach, err))
        return false;
    c->resp->content_type = "text/plain; version=0.0.4; charset=utf-8";
    metrics_write(call_out(c));
    return true;
}

bool api_job_stats(struct call *c, struct err *err)
{
    (void)err;
    struct health h;
    app_health(c->app, &h);
    sbuf_fmt(call_out(c), "{\"scheduledJobs\":%lld,\"ready\":%lld,\"running\":%lld,\"queued\":%lld}",
             (long long)h.plans, (long long)h.ready, (long long)h.running, (long long)h.queued);
    return true;
}
