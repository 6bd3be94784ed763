// SPDX-License-Identifier: Apache-2.0
// The metrics of the REST interface: time to answer, by route and class of status.
#ifndef API_METERS_H
#define API_METERS_H

#include "api/call.h"

void meters_prepare(const struct app *app); // once before the first request
// route NULL: nothing is at that path, or the request was refused before anybody looked. All those share one
// series.
void meter_request(const struct route *route, int status, struct duration took);

#endif
