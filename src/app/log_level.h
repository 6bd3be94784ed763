// SPDX-License-Identifier: Apache-2.0
// What the server writes into its log, changed while it runs: on the node that is asked, until it ends.
#ifndef APP_LOG_LEVEL_H
#define APP_LOG_LEVEL_H

#include "app/app.h"

struct log_level_view {
    int level, configured; // enum log_level
    struct str node;
};
extern const struct fields log_level_fields;
struct log_level_change {
    int level;
};
extern const struct fields log_level_change_fields;

bool app_log_level(struct app *app, const struct caller *c, struct log_level_view *ret, struct err *err)
    __attribute__((warn_unused_result));
bool app_log_level_set(struct app *app, const struct caller *c, int level, struct log_level_view *ret,
                       struct arena *a, struct err *err) __attribute__((warn_unused_result));

#endif
