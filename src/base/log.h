// SPDX-License-Identifier: Apache-2.0
// Structured log lines on standard error: JSON lines, or readable on a terminal. The event text is a
// constant; everything variable is a typed field. One record per event whatever a field holds.
// Libraries (base model sched net db store) log at debug only: who decides, logs.
//
//     LOG_INFO("run finished", LOG_ID("run", id), LOG_STR("outcome", s), LOG_DUR("took", d));
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/err.h"
#include "base/time.h"
#include "base/ulid.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };
enum log_format { LOG_FORMAT_AUTO, LOG_FORMAT_JSON, LOG_FORMAT_TEXT }; // AUTO: text on a terminal

struct log_field {
    const char *key;
    enum { LOG_KIND_STR, LOG_KIND_I64, LOG_KIND_ID, LOG_KIND_DUR, LOG_KIND_ERR, LOG_KIND_BOOL } kind;
    struct str s;
    int64_t i;
    struct ulid id;
    const struct err *err;
};

#define LOG_STR(k, v) ((struct log_field){.key = (k), .kind = LOG_KIND_STR, .s = (v)})
#define LOG_CSTR(k, v) ((struct log_field){.key = (k), .kind = LOG_KIND_STR, .s = str_of(v)})
#define LOG_INT(k, v) ((struct log_field){.key = (k), .kind = LOG_KIND_I64, .i = (int64_t)(v)})
#define LOG_FLAG(k, v) ((struct log_field){.key = (k), .kind = LOG_KIND_BOOL, .i = (v)})
#define LOG_ID(k, v) ((struct log_field){.key = (k), .kind = LOG_KIND_ID, .id = (v)})
#define LOG_DUR(k, v) ((struct log_field){.key = (k), .kind = LOG_KIND_DUR, .i = (v).us})
#define LOG_ERROR_FIELD(e) ((struct log_field){.key = "error", .kind = LOG_KIND_ERR, .err = (e)})

void log_configure(enum log_level least, enum log_format format);
enum log_level log_level_now(void);
void log_level_set(enum log_level least); // from any thread
bool log_level_parse(struct str s, enum log_level *ret);
void log_write(enum log_level level, const char *event, const struct log_field *fields, size_t n);

#define LOG_WRITE_(level, event, ...)                                                      \
    do {                                                                                   \
        const struct log_field log_fields_[] = {{.key = NULL}, ##__VA_ARGS__};             \
        log_write((level), (event), log_fields_ + 1, sizeof log_fields_ / sizeof log_fields_[0] - 1); \
    } while (0)
#define LOG_DEBUG(event, ...) LOG_WRITE_(LOG_LEVEL_DEBUG, event, ##__VA_ARGS__)
#define LOG_INFO(event, ...) LOG_WRITE_(LOG_LEVEL_INFO, event, ##__VA_ARGS__)
#define LOG_WARN(event, ...) LOG_WRITE_(LOG_LEVEL_WARN, event, ##__VA_ARGS__)
#define LOG_ERROR(event, ...) LOG_WRITE_(LOG_LEVEL_ERROR, event, ##__VA_ARGS__)

#endif
