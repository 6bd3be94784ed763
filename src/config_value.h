// SPDX-License-Identifier: Apache-2.0
// One setting's value: from text, checked by its row, and back to text. Private to config.
#ifndef CONFIG_VALUE_H
#define CONFIG_VALUE_H

#include "config.h"

// Sets the member of *c that the row stands for. ERR_CONFIG says what was expected.
bool config_value_set(struct config *c, const struct setting *s, struct str text, struct arena *a,
                      struct err *err) __attribute__((warn_unused_result));
// "900", "15m", "1h30m", "30d" in seconds.
bool config_seconds_parse(struct str text, int64_t *ret);
// "1048576", "512KiB", "1MiB", "2GiB" (also K, M, G; powers of 1024) in bytes.
bool config_size_parse(struct str text, int64_t *ret);

#endif
