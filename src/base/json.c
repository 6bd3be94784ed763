// SPDX-License-Identifier: Apache-2.0
// JSON through jansson. A scan of our own goes first: jansson recurses up to 2048 levels deep, which is
// more than a thread's stack should be asked for, and its own depth limit is fixed when it is built.
// Texts of errors name line and column but do not quote the input, which may hold secrets.
#include "base/json.h"

#include <pthread.h>

static void seed_objects(void)
{
    json_object_seed(0); // from the system's generator
}

// Line and column of a byte, both from 1; columns count bytes.
static void locate(struct str text, size_t at, int *ret_line, int *ret_column)
{
    int line = 1, column = 1;
    for (size_t i = 0; i < at; i++) {
        column++;
        if (text.p[i] == '\n') {
            line++;
            column = 1;
        }
    }
    *ret_line = line;
    *ret_column = column;
}

// Byte where the nesting passes the limit, or text.n. Brackets inside strings do not count; a text that
// is not JSON at all is left for jansson to refuse.
static size_t too_deep_at(struct str text)
{
    int depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (in_string) {
            i += c == '\\';
            in_string = c != '"';
        } else if (c == '"') {
            in_string = true;
        } else if (c == '[' || c == '{') {
            if (++depth > JSON_DEPTH_MAX)
                return i;
        } else if (c == ']' || c == '}') {
            depth--;
        }
    }
    return text.n;
}

// What is wrong, in our words where jansson's would quote the input.
static const char *reason(json_error_t *e)
{
    switch (json_error_code(e)) {
    case json_error_premature_end_of_input:
        return "the text ends too early";
    case json_error_end_of_input_expected:
        return "something follows the value";
    case json_error_duplicate_key:
        return "a key stands twice in one object";
    case json_error_numeric_overflow:
        return "a number is too large";
    case json_error_invalid_utf8:
        return "the text is not UTF-8";
    case json_error_null_character:
    case json_error_null_byte_in_key:
        return "strings may not hold NUL (\\u0000)";
    default:
        break;
    }
    char *quote = strstr(e->text, " near '");
    if (quote)
        *quote = '\0';
    return e->text;
}

bool json_parse(struct str text, json_t **ret, struct err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    must(pthread_once(&once, seed_objects) == 0);
    if (str_trim(text).n == 0)
        return ERR(err, ERR_INVALID, "JSON expected, but the text is empty");
    size_t deep = too_deep_at(text);
    if (deep < text.n) {
        int line, column;
        locate(text, deep, &line, &column);
        return ERR(err, ERR_INVALID, "JSON is nested deeper than %d levels at line %d, column %d",
                   (int)JSON_DEPTH_MAX, line, column);
    }
    json_error_t e;
    json_t *v = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &e);
    if (!v)
        return ERR(err, ERR_INVALID, "JSON is not valid at line %d, column %d: %s",
                   e.line < 1 ? 1 : e.line, e.column < 1 ? 1 : e.column, reason(&e));
    *ret = v;
    return true;
}

static void write_object(const json_t *v, struct sbuf *out)
{
    const char *key;
    json_t *member;
    bool first = true;
    sbuf_putc(out, '{');
    json_object_foreach((json_t *)v, key, member) {
        if (!first)
            sbuf_putc(out, ',');
        first = false;
        sbuf_json(out, str_of(key));
        sbuf_putc(out, ':');
        json_write(member, out);
    }
    sbuf_putc(out, '}');
}

static void write_array(const json_t *v, struct sbuf *out)
{
    size_t i;
    json_t *item;
    sbuf_putc(out, '[');
    json_array_foreach(v, i, item) {
        if (i > 0)
            sbuf_putc(out, ',');
        json_write(item, out);
    }
    sbuf_putc(out, ']');
}

void json_write(const json_t *v, struct sbuf *out)
{
    if (!v) {
        sbuf_puts(out, "null");
        return;
    }
    switch (json_typeof(v)) {
    case JSON_OBJECT:
        write_object(v, out);
        break;
    case JSON_ARRAY:
        write_array(v, out);
        break;
    case JSON_STRING:
        sbuf_json(out, json_str(v));
        break;
    case JSON_INTEGER:
        sbuf_i64(out, json_integer_value(v));
        break;
    case JSON_REAL:
        sbuf_f64(out, json_real_value(v));
        break;
    case JSON_TRUE:
        sbuf_puts(out, "true");
        break;
    case JSON_FALSE:
        sbuf_puts(out, "false");
        break;
    case JSON_NULL:
        sbuf_puts(out, "null");
        break;
    }
}

void json_merge_patch(json_t **target, const json_t *patch)
{
    if (!json_is_object(patch)) {
        json_t *copy = json_deep_copy(patch);
        must(copy != NULL);
        json_decref(*target);
        *target = copy;
        return;
    }
    if (!json_is_object(*target)) {
        json_decref(*target);
        *target = json_object();
        must(*target != NULL);
    }
    const char *key;
    json_t *change;
    json_object_foreach((json_t *)patch, key, change) {
        if (json_is_null(change)) {
            (void)json_object_del(*target, key); // a key that is not there is fine
            continue;
        }
        json_t *member = json_incref(json_object_get(*target, key));
        json_merge_patch(&member, change);
        must(json_object_set_new(*target, key, member) == 0);
    }
}

struct str json_str(const json_t *v)
{
    return (struct str){json_string_value(v), json_string_length(v)};
}
