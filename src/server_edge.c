// SPDX-License-Identifier: Apache-2.0
// Wiring of the edge. See server_edge.h.
#include "server_edge.h"

#include "app/limits.h"
#include "base/log.h"
#include "base/metrics.h"
#include "httpd/tls.h"

enum { EXPIRY_WARN_DAYS = 21, EXPIRY_ERROR_DAYS = 3 };

static struct metric expiry = METRIC_GAUGE_INIT("chronos_tls_certificate_expiry_seconds", "",
                                                "Seconds until the server's certificate expires.");

void edge_app_settings(const struct config *c, struct app_settings *s)
{
    s->log_level = c->log_level;
    s->log_access = c->edge.access_log;
    s->cors_origins = c->edge.cors_origins;
}

void edge_httpd_config(const struct config *c, struct httpd_config *h)
{
    h->tls_certificate = c->edge.tls_certificate;
    h->tls_key = c->edge.tls_key;
    h->trusted_proxies = c->edge.trusted_proxies;
    h->forwarded_standard = c->edge.forwarded == FORWARDED_STANDARD;
}

struct limits *edge_limits(const struct config *c)
{
    const struct limits_config l = {.requests_per_s = c->edge.requests_per_s,
                                    .burst = c->edge.burst,
                                    .anonymous_per_s = c->edge.anonymous_per_s,
                                    .jobs_per_owner = c->edge.jobs_per_owner,
                                    .runs_per_s = c->edge.runs_per_s};
    return limits_new(&l);
}

// Once a day at most, and whenever a certificate was read.
static void say_expiry(struct instant expires, struct instant now, bool fresh)
{
    static struct instant said; // never: long ago
    int64_t left_s = instant_since(expires, now).us / US_PER_S;
    char text[INSTANT_TEXT_MAX];
    metric_set(&expiry, left_s);
    if (!fresh && instant_since(now, said).us < duration_s(S_PER_DAY).us)
        return;
    said = now;
    instant_format(expires, text);
    if (left_s < (int64_t)EXPIRY_ERROR_DAYS * S_PER_DAY)
        LOG_ERROR("the certificate has expired or is about to: renew http.tls.certificate",
                  LOG_CSTR("expires", text));
    else if (left_s < (int64_t)EXPIRY_WARN_DAYS * S_PER_DAY)
        LOG_WARN("the certificate expires soon: renew http.tls.certificate", LOG_CSTR("expires", text));
    else
        LOG_INFO("certificate", LOG_CSTR("expires", text));
}

void edge_watch(struct httpd *h, struct instant now, bool always)
{
    static bool begun;
    struct err err = {0};
    bool changed = false;
    if (instant_is_never(httpd_tls_expires(h)))
        return;
    if (!httpd_tls_reload(h, always, &changed, &err))
        LOG_ERROR("the new certificate cannot be used, the old one stays", LOG_ERROR_FIELD(&err));
    say_expiry(httpd_tls_expires(h), now, changed || !begun);
    begun = true;
}

void edge_doctor(const struct config *c, struct instant now, cli_check_fn check, void *ctx)
{
    struct tls *t;
    struct err err = {0};
    char text[80];
    if (c->edge.tls_certificate.n == 0)
        return;
    if (!tls_open(c->edge.tls_certificate, c->edge.tls_key, &t, &err)) {
        check(ctx, CLI_CHECK_FAIL, "certificate", str_of(err.text), STR("see the sentence"));
        return;
    }
    int64_t days = instant_since(tls_expires(t), now).us / US_PER_S / S_PER_DAY;
    tls_close(t);
    (void)snprintf(text, sizeof text, "expires in %lld days", (long long)days);
    enum cli_check_state state = days < EXPIRY_ERROR_DAYS  ? CLI_CHECK_FAIL
                                 : days < EXPIRY_WARN_DAYS ? CLI_CHECK_WARN
                                                           : CLI_CHECK_PASS;
    check(ctx, state, "certificate", str_of(text),
          state == CLI_CHECK_PASS ? STR("")
                                  : STR("renew http.tls.certificate; the server takes it without a restart"));
}
