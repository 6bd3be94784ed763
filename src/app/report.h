// SPDX-License-Identifier: Apache-2.0
// What reports are made from: runs, jobs and dead letters that the owner of the reporting job may see.
#ifndef APP_REPORT_H
#define APP_REPORT_H

#include "app/app.h"
#include "jobs/report.h"

// job_services.report, with the app as its context; of the job its id is enough. The owner must still be there and
// enabled: ERR_DENIED. Pages through the store; a run is told once, those that are written meanwhile perhaps not.
bool app_report(void *app, const struct job *j, const struct report_query *q, struct report_sink *sink,
                struct err *err) __attribute__((warn_unused_result));

#endif
