// SPDX-License-Identifier: Apache-2.0
// Sends the spans of runs to a collector: OTLP over HTTP with JSON. Attempts put their span into a bounded queue and go
// on; one thread sends batches. What does not fit, or cannot be sent after several tries, is dropped and counted.
#ifndef OTEL_EXPORTER_H
#define OTEL_EXPORTER_H

#include "jobs/span_sink.h"
#include "otel/span.h"

enum {
    EXPORT_QUEUE_MAX = 2048,
    EXPORT_BATCH_MAX = 512,
    EXPORT_PERIOD_S = 2,
    EXPORT_TIMEOUT_S = 5,
    EXPORT_TRIES_MAX = 5,
    EXPORT_HEADERS_MAX = 32,
};

struct exporter_options {
    struct str endpoint; // "http://collector:4318"; "/v1/traces" is added unless it is there
    struct str headers;  // "name=value,name=value", or absent
    struct str sample_ratio; // "0.1": of the traces that begin here
    struct span_resource resource;
    const struct clock *clock;
};

struct exporter;
// All texts must outlive it. NULL with *err (ERR_CONFIG) when the options are refused; a collector that is away is no
// reason. Starts the thread.
struct exporter *exporter_open(const struct exporter_options *o, struct err *err);
struct span_sink *exporter_sink(struct exporter *x);
// Sends what is waiting, once, then ends. NULL is fine. No attempt may end any more.
void exporter_close(struct exporter *x);

#endif
