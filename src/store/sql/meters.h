// SPDX-License-Identifier: Apache-2.0
// What the sql store tells of itself: how long commits and reads take, and which duties this process holds.
#ifndef STORE_SQL_METERS_H
#define STORE_SQL_METERS_H

#include "base/clock.h"

struct metric;

// By lane (enum sql_lane); a file has one lane, which counts as the writes.
struct metric *meter_of_lane(size_t lane, bool only_one);
// What the times are measured with: the store's callers keep virtual clocks, commits take real time.
struct mono meter_now(void);
void meter_read(struct mono begun);
void meter_duty(struct str name, bool held);

#endif
