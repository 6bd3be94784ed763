// SPDX-License-Identifier: Apache-2.0
// Times and durations as people write and read them. Pure.
#ifndef CLI_FORMAT_H
#define CLI_FORMAT_H

#include "base/arena.h"
#include "base/err.h"
#include "base/time.h"

// "812 ms", "4.2 s", "1 m 02 s", "3 h 12 m", "2 d 04 h". Negative durations show as 0 ms.
struct str duration_text(struct duration d, struct arena *a);
// Exact, in the spelling that duration_parse reads: "5m", "1h30m", "500ms", "0s".
struct str duration_exact(struct duration d, struct arena *a);
// "in 6 h 12 m", "5 m 03 s ago", "now" (within a second).
struct str instant_relative(struct instant t, struct instant now, struct arena *a);
// "30" (seconds), "500ms", "5s", "15m", "1h30m", "2d". Not negative. ERR_INVALID names the text.
bool duration_parse(struct str text, struct duration *ret, struct err *err) __attribute__((warn_unused_result));
// RFC 3339, or "+10m" counted from now. ERR_INVALID names the text.
bool instant_parse_relative(struct str text, struct instant now, struct instant *ret, struct err *err)
    __attribute__((warn_unused_result));

#endif
