// SPDX-License-Identifier: Apache-2.0
// Feature flags: parts of the server that an administrator turns off and on while it runs. A flag never
// allows what a setting forbids. They lie in the store, so that every node follows within FEATURES_LOOK_S,
// and outlive a restart.
#ifndef APP_FEATURE_H
#define APP_FEATURE_H

#include "app/app.h"

enum feature {
    FEATURE_SCHEDULE,       // jobs start by their schedule
    FEATURE_RUN_NOW,        // runs are started by hand, retried and replayed
    FEATURE_SCRIPTS,        // SCRIPT jobs run
    FEATURE_REGISTRATION,   // anybody may register
    FEATURE_KAFKA_REQUESTS, // requests are taken from Kafka
    FEATURE_NOTIFICATIONS,  // notifications are sent
    FEATURES
};
enum { FEATURES_LOOK_S = 2 };

struct feature_view {
    struct str name;
    bool enabled, enabled_by_default;
    struct str description;
};
extern const struct fields feature_fields;
struct feature_change {
    bool enabled;
};
extern const struct fields feature_change_fields;

struct features;
// Who is told whether scripts are held; called from any thread, also when nothing has changed.
struct feature_listener {
    void (*scripts_held)(void *ctx, bool held);
    void *ctx;
};
// Reads what the store says; later changes of other nodes are followed when the store is shared. The engine
// is told, too; both must outlive the features.
bool features_open(struct app *app, const struct feature_listener *listener, struct features **ret,
                   struct err *err) __attribute__((warn_unused_result));
void features_free(struct features *f); // before the engine is freed

// Whether the part is on; everything is without features.
bool app_feature_on(const struct app *app, enum feature which);
// ERR_DENIED with a sentence when it is off.
bool app_feature_want(const struct app *app, enum feature which, struct err *err)
    __attribute__((warn_unused_result));

bool app_features_list(struct app *app, const struct caller *c, struct feature_view ret[static FEATURES],
                       struct err *err) __attribute__((warn_unused_result));
// ERR_NOT_FOUND for a name that is none.
bool app_feature_set(struct app *app, const struct caller *c, struct str name, bool enabled,
                     struct feature_view *ret, struct arena *a, struct err *err)
    __attribute__((warn_unused_result));

#endif
