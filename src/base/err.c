// SPDX-License-Identifier: Apache-2.0
// Errors as values: filling, wrapping, and the list of all faults of one input. Nothing here can fail:
// texts are cut to their buffers, a fault whose text does not fit the arena keeps a general sentence.
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const code_names[] = {
    [ERR_NONE] = "NONE",
    [ERR_INVALID] = "INVALID",
    [ERR_UNAUTHENTICATED] = "UNAUTHENTICATED",
    [ERR_DENIED] = "DENIED",
    [ERR_NOT_FOUND] = "NOT_FOUND",
    [ERR_CONFLICT] = "CONFLICT",
    [ERR_STALE] = "STALE",
    [ERR_TOO_LARGE] = "TOO_LARGE",
    [ERR_UNPROCESSABLE] = "UNPROCESSABLE",
    [ERR_THROTTLED] = "THROTTLED",
    [ERR_UNAVAILABLE] = "UNAVAILABLE",
    [ERR_FULL] = "FULL",
    [ERR_TIMEOUT] = "TIMEOUT",
    [ERR_BUSY] = "BUSY",
    [ERR_UNKNOWN_COMMIT] = "UNKNOWN_COMMIT",
    [ERR_IO] = "IO",
    [ERR_CORRUPT] = "CORRUPT",
    [ERR_CONFIG] = "CONFIG",
    [ERR_UPSTREAM] = "UPSTREAM",
    [ERR_INTERNAL] = "INTERNAL",
};

const char *err_code_name(enum err_code code)
{
    size_t i = (size_t)code;
    return i < sizeof code_names / sizeof code_names[0] ? code_names[i] : "INTERNAL";
}

// Ends the text of a full buffer at a character boundary: snprintf cuts at bytes.
static void cut_at_character(char *text, size_t size, int wanted)
{
    if (wanted >= 0 && (size_t)wanted < size)
        return;
    size_t n = strnlen(text, size), tail = n;
    while (tail > 0 && n - tail < 3 && ((unsigned char)text[tail - 1] & 0xC0) == 0x80)
        tail--;
    if (tail > 0 && (unsigned char)text[tail - 1] >= 0xC0 &&
        str_utf8_step((struct str){text + tail - 1, n - tail + 1}) == 0)
        text[tail - 1] = '\0';
}

static void fill(struct err *err, enum err_code code, int native, const char *file, int line)
{
    err->code = code;
    err->native = native;
    err->field[0] = '\0';
    err->file = file;
    err->line = line;
}

bool err_set(struct err *err, enum err_code code, const char *file, int line, const char *fmt, ...)
{
    char text[ERR_TEXT_MAX]; // apart from err->text, which may be one of the arguments
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    cut_at_character(text, sizeof text, n);
    fill(err, code, 0, file, line);
    memcpy(err->text, text, sizeof text);
    return false;
}

bool err_set_errno(struct err *err, const char *file, int line, const char *fmt, ...)
{
    int native = errno;
    char text[ERR_TEXT_MAX], reason[ERR_FIELD_MAX], what[ERR_TEXT_MAX];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    const char *why = strerror_r(native, reason, sizeof reason);
    int n = snprintf(text, sizeof text, "%s: %s", what, why);
    cut_at_character(text, sizeof text, n);
    bool full = native == ENOSPC || native == EDQUOT;
    fill(err, full ? ERR_FULL : ERR_IO, native, file, line);
    memcpy(err->text, text, sizeof text);
    return false;
}

bool err_wrap(struct err *err, const char *fmt, ...)
{
    char context[ERR_TEXT_MAX], text[ERR_TEXT_MAX];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(context, sizeof context, fmt, args);
    va_end(args);
    int n = snprintf(text, sizeof text, "%s: %s", context, err->text);
    cut_at_character(text, sizeof text, n);
    memcpy(err->text, text, sizeof text);
    return false;
}

bool err_at(struct err *err, const char *pointer)
{
    char field[ERR_FIELD_MAX];
    int n = snprintf(field, sizeof field, "%s", pointer);
    cut_at_character(field, sizeof field, n);
    memcpy(err->field, field, sizeof field);
    return false;
}

void faults_init(struct faults *f, struct arena *a)
{
    f->a = a;
    f->n = 0;
}

static void faults_push(struct faults *f, struct str pointer, struct str detail)
{
    f->v[f->n++] = (struct fault){
        .pointer = pointer.p ? pointer : STR(""),
        .detail = detail.p ? detail : STR("is not valid"),
    };
}

void faults_add(struct faults *f, struct str pointer, const char *fmt, ...)
{
    if (f->n == FAULTS_MAX)
        return;
    char text[ERR_TEXT_MAX];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    cut_at_character(text, sizeof text, n);
    faults_push(f, arena_str(f->a, pointer), arena_str(f->a, str_of(text)));
}

void faults_add_err(struct faults *f, struct str base, const struct err *err)
{
    if (f->n == FAULTS_MAX)
        return;
    struct str pointer = arena_fmt(f->a, "%.*s%s", STR_ARG(base), err->field);
    faults_push(f, pointer, arena_str(f->a, str_of(err->text)));
}

// Not through base/log: whatever broke may hold its lock.
void must_fail(const char *what, const char *file, int line)
{
    (void)fprintf(stderr, "chronos: internal error: %s does not hold at %s:%d\n", what, file, line);
    abort();
}
