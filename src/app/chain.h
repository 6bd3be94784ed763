// SPDX-License-Identifier: Apache-2.0
// Chains at save: the jobs that a job starts must exist, its owner must be allowed to run them, and none of
// them may lead back to it. Two saves at one moment may still close a ring; the engine ends what it starts
// (CHAIN_DEPTH_MAX).
#ifndef APP_CHAIN_H
#define APP_CHAIN_H

#include "app/app.h"

enum { CHAIN_JOBS_MAX = 1000 }; // that may follow from one job

// Adds faults below /onSuccess and /onFailure; lists with faults of form (chain_check) are left alone. False:
// the store could not be asked.
bool app_chain_check(struct app *app, const struct job *j, struct faults *faults, struct arena *a,
                     struct err *err) __attribute__((warn_unused_result));

#endif
