// SPDX-License-Identifier: Apache-2.0
// The engine's metrics. Thread-safe; they belong to the process, not to one engine.
#ifndef ENGINE_METERS_H
#define ENGINE_METERS_H

#include "base/time.h"
#include "engine/engine.h"

void meters_register(void); // all of them appear with 0
// Number of a job type's label; types that are not compiled in share one, so that the label's values are bounded.
uint8_t meter_type(struct str name);
void meter_run_ended(uint8_t type, int status); // enum run_status, final
void meter_run_took(uint8_t type, struct duration d); // an attempt that was started, from start to end
// Runs that ended so since this process began; type 0: all that are not compiled in, i + 1: job_types[i].
int64_t meter_runs(size_t type, int status);
// From the due instant to the attempt's real start; counted when the executor gives the attempt back.
void meter_start_delay(struct duration d);
void meter_missed(int64_t occurrences);
void meter_retry(void);
void meter_dead_letter(void);
void meter_stale_finish(void);
void meter_given_up(void);
void meter_bad_plan(int64_t n);
void meter_flush(struct duration d);
void meter_status(const struct engine_status *s);

#endif
