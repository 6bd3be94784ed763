// SPDX-License-Identifier: Apache-2.0
// Health and figures, for load balancers, orchestrators and Prometheus. Anybody learns what is up and what is
// down; why, and the figures, are for those who may read metrics.
#include "app/health.h"

#include "api/handlers.h"
#include "app/figures.h"
#include "app/info.h"

static const char *const words[] = {[PROBE_UP] = "UP", [PROBE_DEGRADED] = "DEGRADED", [PROBE_DOWN] = "DOWN"};

static void write_details(struct sbuf *out, const struct probe_word *w)
{
    sbuf_puts(out, ",\"details\":{");
    for (size_t i = 0; i < w->n; i++)
        sbuf_fmt(out, "%s\"%s\":%lld", i ? "," : "", w->figures[i].key, (long long)w->figures[i].value);
    if (w->why[0]) {
        sbuf_puts(out, w->n ? ",\"why\":" : "\"why\":");
        sbuf_json(out, str_of(w->why));
    }
    sbuf_putc(out, '}');
}

static void write_health(struct call *c, const struct health *h, bool details)
{
    struct sbuf *out = call_out(c);
    bool out_of_service = h->draining || !h->started;
    sbuf_fmt(out, "{\"status\":\"%s\",\"ageMs\":%lld,\"components\":{",
             out_of_service ? "OUT_OF_SERVICE" : words[h->state], (long long)h->age_ms);
    for (size_t i = 0; i < h->n; i++) {
        sbuf_fmt(out, "%s\"%s\":{\"status\":\"%s\"", i ? "," : "", h->v[i].name, words[h->v[i].word.state]);
        if (details)
            write_details(out, &h->v[i].word);
        sbuf_putc(out, '}');
    }
    sbuf_puts(out, "}}");
    call_header(c, "Cache-Control", STR("no-store"));
}

// 503 takes a server out of a load balancer; one that is degraded still does its work.
bool api_health(struct call *c, struct err *err)
{
    (void)err; // what is down is part of the answer
    struct health h;
    app_health(c->app, &h);
    write_health(c, &h, app_health_details(&c->caller));
    c->resp->status = h.ready ? 200 : 503;
    return true;
}

bool api_live(struct call *c, struct err *err)
{
    (void)err;
    bool live = app_live(c->app);
    sbuf_fmt(call_out(c), "{\"status\":\"%s\"}", live ? "UP" : "DOWN");
    call_header(c, "Cache-Control", STR("no-store"));
    c->resp->status = live ? 200 : 503;
    return true;
}

// Prometheus says what it understands, the best first; whoever says nothing gets the older text.
static enum metrics_format wanted(const struct call *c)
{
    struct str accept = httpd_header(c->req, "accept"), part;
    while (accept.p) {
        part = str_split(accept, ',', &accept);
        part = str_trim(str_split(part, ';', &(struct str){0}));
        if (str_eq_nocase(part, STR("application/openmetrics-text")))
            return METRICS_OPEN;
        if (str_eq_nocase(part, STR("text/plain")))
            return METRICS_TEXT;
    }
    return METRICS_TEXT;
}

bool api_metrics(struct call *c, struct err *err)
{
    enum reach reach;
    if (!c->app->settings.metrics_public && !app_authorize(&c->caller, ACTION_METRICS_READ, &reach, err))
        return false;
    enum metrics_format f = wanted(c);
    c->resp->content_type = metrics_content_type(f);
    app_figures_write(c->app, call_out(c), f);
    call_header(c, "Vary", STR("Accept"));
    call_header(c, "Cache-Control", STR("no-store"));
    return true;
}

bool api_job_stats(struct call *c, struct err *err)
{
    struct job_totals t;
    char since[INSTANT_TEXT_MAX];
    if (!app_job_totals(c->app, &c->caller, &t, err))
        return false;
    struct sbuf *out = call_out(c);
    sbuf_fmt(out,
             "{\"scheduledJobs\":%lld,\"ready\":%lld,\"running\":%lld,\"queued\":%lld,\"since\":\"%s\","
             "\"byStatus\":{",
             (long long)t.plans, (long long)t.ready, (long long)t.running, (long long)t.queued,
             instant_format(t.since, since));
    for (int s = RUN_SUCCEEDED; s <= RUN_MISSED; s++)
        sbuf_fmt(out, "%s\"%s\":%lld", s > RUN_SUCCEEDED ? "," : "", run_status_names[s],
                 (long long)t.by_status[s]);
    sbuf_puts(out, "},\"byType\":{");
    for (size_t i = 0; i < t.n; i++) {
        sbuf_fmt(out, "%s\"%s\":{", i ? "," : "", t.types[i].name);
        for (int s = RUN_SUCCEEDED; s <= RUN_MISSED; s++)
            sbuf_fmt(out, "%s\"%s\":%lld", s > RUN_SUCCEEDED ? "," : "", run_status_names[s],
                     (long long)t.types[i].by_status[s]);
        sbuf_putc(out, '}');
    }
    sbuf_puts(out, "}}");
    call_header(c, "Cache-Control", STR("no-store"));
    return true;
}

bool api_info(struct call *c, struct err *err)
{
    struct server_info info;
    if (!app_info(c->app, &c->caller, &info, c->a, err))
        return false;
    call_one(c, &server_info_fields, &info);
    call_header(c, "Cache-Control", STR("no-store"));
    return true;
}
