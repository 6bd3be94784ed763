// SPDX-License-Identifier: Apache-2.0
// Wiring of what stands between the network and the use cases: from settings to the parts, and the
// certificate's watch.
#ifndef SERVER_EDGE_H
#define SERVER_EDGE_H

#include "app/app.h"
#include "cli/cli.h"
#include "config.h"
#include "httpd/httpd.h"

// Settings of the use cases and of the HTTP server that this is about.
void edge_app_settings(const struct config *c, struct app_settings *s);
void edge_httpd_config(const struct config *c, struct httpd_config *h);
struct limits *edge_limits(const struct config *c);
// Reads the certificate again when its files changed, or when told to (`always`), and says in the log and in
// the metric chronos_tls_certificate_expiry_seconds when it expires. Call now and then; without TLS nothing
// happens.
void edge_watch(struct httpd *h, struct instant now, bool always);
// For `chronos doctor`: whether certificate and key can be used, and for how long.
void edge_doctor(const struct config *c, struct instant now, cli_check_fn check, void *ctx);

#endif
