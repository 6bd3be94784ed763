// SPDX-License-Identifier: Apache-2.0
// Metrics that are asked for rather than counted: what waits in the store, the disk, the clock, this process.
#ifndef APP_FIGURES_H
#define APP_FIGURES_H

#include "app/app.h"
#include "base/metrics.h"

// Before the first scrape: all that can be known here appear.
void figures_register(void);
// Everything as OpenMetrics or text. Bounded in time: what is slow comes from the probe's memory.
void app_figures_write(struct app *app, struct sbuf *out, enum metrics_format f);

// Of the notifier: one delivery came to its end, or is tried again. channel: name of a struct channel.
enum figure_outcome { FIGURE_SENT, FIGURE_RETRIED, FIGURE_FAILED };
void figure_notification(struct str channel, enum figure_outcome outcome);

#endif
