// SPDX-License-Identifier: Apache-2.0
// Series of single jobs, for the few installations that want them (metrics.jobs): when each fires next and when it
// last succeeded. Bounded by a number of jobs, the oldest ones.
#ifndef APP_JOB_SERIES_H
#define APP_JOB_SERIES_H

#include "app/app.h"
#include "base/metrics.h"

struct job_series;
struct job_series *job_series_new(struct app *app, size_t most);
void job_series_free(struct job_series *s); // NULL is fine
// Reads what is new since the last time. One thread; failures leave what was known.
void job_series_look(struct job_series *s);
void job_series_write(struct job_series *s, struct sbuf *out, enum metrics_format f); // any thread

#endif
