// SPDX-License-Identifier: Apache-2.0
// What jobs are told of this server when they are saved.
#include "jobs/services.h"

const struct job_settings *job_settings_at_save;
