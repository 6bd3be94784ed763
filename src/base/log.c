// SPDX-License-Identifier: Apache-2.0
// Log lines on standard error. A line is built whole and leaves by one write(2); every variable part goes
// through JSON escaping, so no field can forge a second line or a terminal command.
// Locks: LOG, around the write only.
#include "base/log.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/sbuf.h"
#include "base/sync.h"

enum {
    LINE_MAX_BYTES = 8192,   // fields that would pass it are left out and "truncated" is set
    VALUE_MAX_BYTES = 2048,  // one string; six bytes for each when all must be escaped
    BUFFER_BYTES = LINE_MAX_BYTES + 6 * VALUE_MAX_BYTES + 512,
    TIME_OF_DAY_AT = 11,     // in 2026-11-23T14:05:09.123Z
    TIME_OF_DAY_LEN = 12,
};

struct line {
    struct sbuf out;
    bool text, colour;
};

static _Atomic int least_level = LOG_LEVEL_INFO;
static _Atomic int line_format = LOG_FORMAT_AUTO;
static struct mutex log_lock = {PTHREAD_MUTEX_INITIALIZER, LOCK_LOG};

static const char *const level_names[] = {"debug", "info", "warn", "error"};

void log_configure(enum log_level least, enum log_format format)
{
    atomic_store(&least_level, (int)least);
    atomic_store(&line_format, (int)format);
}

enum log_level log_level_now(void) { return (enum log_level)atomic_load(&least_level); }

void log_level_set(enum log_level least) { atomic_store(&least_level, (int)least); }

bool log_level_parse(struct str s, enum log_level *ret)
{
    for (int i = LOG_LEVEL_DEBUG; i <= LOG_LEVEL_ERROR; i++)
        if (str_eq_nocase(s, str_of(level_names[i]))) {
            *ret = (enum log_level)i;
            return true;
        }
    if (!str_eq_nocase(s, STR("warning")))
        return false;
    *ret = LOG_LEVEL_WARN;
    return true;
}

static bool is_plain_word(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] > '~' || strchr("\"\\=", s.p[i]))
            return false;
    return s.n > 0;
}

static void put_key(struct line *l, const char *key, const char *unit)
{
    if (l->text) {
        sbuf_fmt(&l->out, l->colour ? " \033[2m%s%s=\033[0m" : " %s%s=", key, unit);
        return;
    }
    sbuf_putc(&l->out, ',');
    sbuf_putc(&l->out, '"');
    sbuf_puts(&l->out, key);
    sbuf_puts(&l->out, unit);
    sbuf_puts(&l->out, "\":");
}

static void put_string(struct line *l, const char *key, struct str value)
{
    put_key(l, key, "");
    if (!value.p && !l->text) {
        sbuf_puts(&l->out, "null");
        return;
    }
    struct str cut = {value.p, str_utf8_cut(value, VALUE_MAX_BYTES)};
    if (l->text && is_plain_word(cut))
        sbuf_put(&l->out, cut);
    else
        sbuf_json(&l->out, cut);
}

// 12500 µs is 12.5 ms.
static void put_ms(struct sbuf *out, int64_t us)
{
    if (us < 0)
        sbuf_putc(out, '-');
    uint64_t left = us < 0 ? 0 - (uint64_t)us : (uint64_t)us;
    sbuf_i64(out, (int64_t)(left / US_PER_MS));
    unsigned rest = (unsigned)(left % US_PER_MS), width = 3;
    if (rest == 0)
        return;
    while (rest % 10 == 0) {
        rest /= 10;
        width--;
    }
    sbuf_fmt(out, ".%0*u", (int)width, rest);
}

static void put_error(struct line *l, const char *key, const struct err *err)
{
    put_string(l, key, str_of(err->text));
    put_string(l, "errorCode", str_of(err_code_name(err->code)));
    if (err->native != 0) {
        put_key(l, "errorNative", "");
        sbuf_i64(&l->out, err->native);
    }
}

static void put_field(struct line *l, const struct log_field *f)
{
    char id[ULID_TEXT_MAX];
    switch (f->kind) {
    case LOG_KIND_STR:
        put_string(l, f->key, f->s);
        break;
    case LOG_KIND_I64:
        put_key(l, f->key, "");
        sbuf_i64(&l->out, f->i);
        break;
    case LOG_KIND_ID:
        put_string(l, f->key, str_of(ulid_format(f->id, id)));
        break;
    case LOG_KIND_DUR:
        put_key(l, f->key, "Ms");
        put_ms(&l->out, f->i);
        break;
    case LOG_KIND_ERR:
        put_error(l, f->key, f->err);
        break;
    case LOG_KIND_BOOL:
        put_key(l, f->key, "");
        sbuf_puts(&l->out, f->i ? "true" : "false");
        break;
    }
}

// 14:05:09.123 INFO  event …
static void put_text_head(struct line *l, enum log_level level, const char *ts, const char *event)
{
    static const char *const words[] = {"DEBUG", "INFO ", "WARN ", "ERROR"};
    static const char *const colours[] = {"\033[90m", "\033[32m", "\033[33m", "\033[31m"};
    sbuf_put(&l->out, str_of_n(ts + TIME_OF_DAY_AT, TIME_OF_DAY_LEN));
    sbuf_fmt(&l->out, " %s%s%s ", l->colour ? colours[level] : "", words[level],
             l->colour ? "\033[0m" : "");
    sbuf_puts(&l->out, event);
}

static void put_json_head(struct line *l, enum log_level level, const char *ts, const char *event)
{
    sbuf_fmt(&l->out, "{\"ts\":\"%s\",\"level\":\"%s\",\"event\":", ts, level_names[level]);
    sbuf_json(&l->out, str_of(event));
}

static void put_fields(struct line *l, const struct log_field *fields, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        size_t before = l->out.n;
        put_field(l, &fields[i]);
        if (l->out.n > LINE_MAX_BYTES || !sbuf_ok(&l->out)) {
            l->out.n = before; // whole fields only: the line stays one valid record
            l->out.overflow = false;
            put_key(l, "truncated", "");
            sbuf_puts(&l->out, "true");
            return;
        }
    }
}

// Standard error may be a full pipe or closed: a line that cannot be written is lost, the work goes on.
static void emit(struct str line)
{
    WITH_LOCK(&log_lock);
    while (line.n > 0) {
        ssize_t put = write(STDERR_FILENO, line.p, line.n);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return;
        line = (struct str){line.p + put, line.n - (size_t)put};
    }
}

void log_write(enum log_level level, const char *event, const struct log_field *fields, size_t n)
{
    if ((int)level < atomic_load_explicit(&least_level, memory_order_relaxed))
        return;
    int saved = errno; // callers log between a failed call and its report
    int format = atomic_load_explicit(&line_format, memory_order_relaxed);
    bool terminal = format != LOG_FORMAT_JSON && isatty(STDERR_FILENO) == 1;
    const char *no_colour = getenv("NO_COLOR"); // no-color.org: set and not empty
    struct line l = {
        .text = format == LOG_FORMAT_TEXT || (format == LOG_FORMAT_AUTO && terminal),
        .colour = terminal && !(no_colour && no_colour[0] != '\0'),
    };
    char ts[INSTANT_TEXT_MAX];
    (void)instant_format(clock_now(clock_real()), ts);
    sbuf_init(&l.out, NULL, BUFFER_BYTES);
    if (l.text)
        put_text_head(&l, level, ts, event);
    else
        put_json_head(&l, level, ts, event);
    put_fields(&l, fields, n);
    sbuf_puts(&l.out, l.text ? "\n" : "}\n");
    emit(sbuf_str(&l.out));
    sbuf_release(&l.out);
    errno = saved;
}
