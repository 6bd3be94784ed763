// SPDX-License-Identifier: Apache-2.0
// What the use cases do for running jobs (jobs/services.h): secrets of their owner, starts of other jobs, memos.
#ifndef APP_JOB_SERVICES_H
#define APP_JOB_SERVICES_H

#include "app/app.h"
#include "jobs/services.h"

// How long a key of start_job is remembered, at least.
enum { START_KEY_DAYS = 2 };

// Fills everything but `report` (app/report.h). The app must outlive *ret.
void app_job_services(struct app *app, struct job_services *ret);

#endif
