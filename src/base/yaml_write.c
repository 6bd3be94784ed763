// SPDX-License-Identifier: Apache-2.0
// JSON values as block-style YAML for people: two spaces a level, quotes only where the text would be read
// back as something else, scripts as literal blocks. Invariant: yaml_parse(yaml_write(v)) equals v.
#include "base/yaml.h"

#include "base/yaml_scalar.h"

enum {
    STEP = 2,            // spaces a level
    KEY_PLAIN_MAX = 500, // libyaml ends the search for a key's colon at 1024 characters
};

static void put_indent(struct sbuf *out, int n)
{
    for (int i = 0; i < n; i++)
        sbuf_putc(out, ' ');
}

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// Narrower than the grammar of plain scalars on purpose: what is not clearly plain gets quotes.
static bool is_plain(struct str s)
{
    if (s.n == 0 || !(is_alnum(s.p[0]) || s.p[0] == '/' || s.p[0] == '_') || s.p[s.n - 1] == ' ')
        return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (!is_alnum(c) && !strchr(" _-./+@*(),=?%;$<>~^", c) && c != ':')
            return false;
        if (c == ':' && (i + 1 == s.n || s.p[i + 1] == ' '))
            return false;
    }
    const char *wrong;
    CLEANUP_JSON json_t *back = yaml_resolve(s, &wrong);
    return json_is_string(back);
}

// A literal block keeps its text byte for byte only when nothing in it needs escapes, its first line
// shows the indent, and it ends with no or one line feed.
static bool is_block(struct str s)
{
    size_t lf = str_find(s, '\n');
    if (lf == s.n || lf == 0 || s.p[0] == ' ' || s.p[0] == '\t')
        return false;
    if (s.n >= 2 && s.p[s.n - 1] == '\n' && s.p[s.n - 2] == '\n')
        return false;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool fine = (c >= 0x20 && c < 0x7F) || c == '\n' || c == '\t';
        if (!fine)
            return false;
    }
    return true;
}

static void put_block(struct str s, int indent, struct sbuf *out)
{
    bool ends = s.p[s.n - 1] == '\n';
    sbuf_puts(out, ends ? "|\n" : "|-\n");
    if (ends)
        s.n--;
    while (s.p) {
        struct str line = str_split(s, '\n', &s);
        if (line.n > 0)
            put_indent(out, indent);
        sbuf_put(out, line);
        sbuf_putc(out, '\n');
    }
}

// A string after "key:" or "-", with its line end. Double-quoted YAML takes every escape of JSON.
static void put_string(struct str s, int indent, struct sbuf *out)
{
    if (is_block(s)) {
        put_block(s, indent, out);
        return;
    }
    if (is_plain(s))
        sbuf_put(out, s);
    else
        sbuf_json(out, s);
    sbuf_putc(out, '\n');
}

static void put_key(struct str key, struct sbuf *out)
{
    struct str text = key;
    if (is_plain(key) && key.n <= KEY_PLAIN_MAX) {
        sbuf_put(out, text);
        sbuf_putc(out, ':');
        return;
    }
    size_t before = out->n;
    sbuf_json(out, key);
    if (out->n - before <= KEY_PLAIN_MAX) {
        sbuf_putc(out, ':');
        return;
    }
    out->n = before; // too long to be found as a key without its mark
    sbuf_puts(out, "? ");
    sbuf_json(out, key);
    sbuf_putc(out, '\n');
}

static bool is_leaf(const json_t *v)
{
    return !(json_is_object(v) && json_object_size(v) > 0) && !(json_is_array(v) && json_array_size(v) > 0);
}

static void put_leaf(const json_t *v, int indent, struct sbuf *out)
{
    if (json_is_string(v)) {
        put_string(json_str(v), indent, out);
        return;
    }
    json_write(v, out); // {} and [] are flow style, numbers and words are the same in both languages
    sbuf_putc(out, '\n');
}

// Writes a collection whose first line is already indented (after "- ") when inline_first.
static void put_collection(const json_t *v, int indent, bool inline_first, struct sbuf *out);

static void put_map(const json_t *v, int indent, bool inline_first, struct sbuf *out)
{
    const char *key;
    json_t *member;
    json_object_foreach((json_t *)v, key, member) {
        if (!inline_first)
            put_indent(out, indent);
        inline_first = false;
        put_key(str_of(key), out);
        if (out->n > 0 && out->p[out->n - 1] == '\n') { // "? key": its value has a line of its own
            put_indent(out, indent);
            sbuf_putc(out, ':');
        }
        if (is_leaf(member)) {
            sbuf_putc(out, ' ');
            put_leaf(member, indent + STEP, out);
        } else {
            sbuf_putc(out, '\n');
            put_collection(member, indent + STEP, false, out);
        }
    }
}

static void put_list(const json_t *v, int indent, bool inline_first, struct sbuf *out)
{
    size_t i;
    json_t *item;
    json_array_foreach(v, i, item) {
        if (!inline_first)
            put_indent(out, indent);
        inline_first = false;
        sbuf_puts(out, "- ");
        if (is_leaf(item))
            put_leaf(item, indent + STEP, out);
        else
            put_collection(item, indent + STEP, true, out);
    }
}

static void put_collection(const json_t *v, int indent, bool inline_first, struct sbuf *out)
{
    if (json_is_object(v))
        put_map(v, indent, inline_first, out);
    else
        put_list(v, indent, inline_first, out);
}

void yaml_write(const json_t *v, struct sbuf *out)
{
    if (is_leaf(v))
        put_leaf(v, STEP, out);
    else
        put_collection(v, 0, false, out);
}
