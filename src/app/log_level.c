// SPDX-License-Identifier: Apache-2.0
// The level of the log at run time.
#include "app/log_level.h"

#include "app/audit.h"
#include "base/log.h"

static const char *const level_words[] = {"debug", "info", "warn", "error", NULL};

#define T struct log_level_view
static const struct field view_rows[] = {
    FIELD_ENUM(T, level, "level", level_words, .flags = FIELD_READ_ONLY,
               .doc = "Least important level that is written."),
    FIELD_ENUM(T, configured, "configured", level_words, .flags = FIELD_READ_ONLY,
               .doc = "What the setting log.level says, which counts again after a restart."),
    FIELD_STR(T, node, "node", .flags = FIELD_READ_ONLY, .doc = "The node this is about."),
};
#undef T
const struct fields log_level_fields =
    FIELDS("LogLevel", struct log_level_view, view_rows, .doc = "What a node writes into its log.");

#define T struct log_level_change
static const struct field change_rows[] = {
    FIELD_ENUM(T, level, "level", level_words, .flags = FIELD_REQUIRED,
               .doc = "Least important level to be written."),
};
#undef T
const struct fields log_level_change_fields = FIELDS("LogLevelChange", struct log_level_change, change_rows,
                                                     .doc = "Another level for the log of one node.");

static struct log_level_view view(const struct app *app)
{
    return (struct log_level_view){log_level_now(), app->settings.log_level, app->cluster.node_name};
}

bool app_log_level(struct app *app, const struct caller *c, struct log_level_view *ret, struct err *err)
{
    enum reach reach;
    if (!app_authorize(c, ACTION_LOG_LEVEL, &reach, err))
        return false;
    *ret = view(app);
    return true;
}

bool app_log_level_set(struct app *app, const struct caller *c, int level, struct log_level_view *ret,
                       struct arena *a, struct err *err)
{
    enum reach reach;
    if (!app_authorize(c, ACTION_LOG_LEVEL, &reach, err))
        return false;
    const struct log_level_view before = view(app);
    struct log_level_view after = before;
    after.level = level;
    struct audit_note note = {.action = "log.level",
                              .entity_type = "node",
                              .entity_name = before.node,
                              .outcome = AUDIT_DONE,
                              .fields = &log_level_fields,
                              .before = &before,
                              .after = &after};
    log_level_set((enum log_level)level);
    LOG_WARN("log level changed", LOG_CSTR("level", level_words[level]), LOG_ID("by", c->user_id));
    audit_alone(app, c, &note, a); // nothing is written to the store besides
    *ret = view(app);
    return true;
}
