// SPDX-License-Identifier: Apache-2.0
// YAML to JSON values through libyaml's events, which never recurse; our own builder does, to
// JSON_DEPTH_MAX. Only what JSON can say is taken: anchors, aliases and tags (and with them "billion laughs"
// and object creation) are refused, as are keys that are not scalars.
#include "base/yaml.h"

#include <yaml.h>

#include "base/yaml_scalar.h"

enum { TEXT_SHOWN_MAX = 60 };

struct reader {
    yaml_parser_t parser;
    yaml_event_t event; // the current one
    bool has_event;
    int depth;
    struct err *err;
};

static bool fail_at(struct reader *r, yaml_mark_t mark, const char *what)
{
    return ERR(r->err, ERR_INVALID, "YAML is not valid at line %zu, column %zu: %s", mark.line + 1,
               mark.column + 1, what);
}

static bool fail_here(struct reader *r, const char *what)
{
    return fail_at(r, r->event.start_mark, what);
}

static bool fail_parser(struct reader *r)
{
    const yaml_parser_t *p = &r->parser;
    if (p->error == YAML_READER_ERROR)
        return ERR(r->err, ERR_INVALID, "YAML is not valid at byte %zu: the text is not UTF-8 or holds a "
                   "control character", p->problem_offset);
    // The commonest mistake in a scheduler: a cron expression that starts with *.
    if (p->context && strstr(p->context, "alias"))
        return fail_at(r, p->problem_mark, "text that starts with * must be in quotes");
    char what[ERR_TEXT_MAX];
    (void)snprintf(what, sizeof what, "%s%s%s", p->context ? p->context : "", p->context ? ", " : "",
                   p->problem ? p->problem : "it cannot be read");
    return fail_at(r, p->problem_mark, what);
}

static bool advance(struct reader *r)
{
    if (r->has_event)
        yaml_event_delete(&r->event);
    r->has_event = yaml_parser_parse(&r->parser, &r->event) == 1;
    return r->has_event || fail_parser(r);
}

static bool is_bare(struct reader *r, const yaml_char_t *anchor, const yaml_char_t *tag)
{
    if (anchor)
        return fail_here(r, "anchors (&name) are not supported: write the value out");
    if (tag)
        return fail_here(r, "tags (!name) are not supported: remove it");
    return true;
}

static bool read_scalar(struct reader *r, json_t **ret)
{
    struct str text = {(const char *)r->event.data.scalar.value, r->event.data.scalar.length};
    bool quoted = r->event.data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    if (!is_bare(r, r->event.data.scalar.anchor, r->event.data.scalar.tag))
        return false;
    const char *wrong = NULL;
    json_t *v = quoted ? yaml_string(text, &wrong) : yaml_resolve(text, &wrong);
    if (!v)
        return fail_here(r, wrong);
    *ret = v;
    return true;
}

static bool read_node(struct reader *r, json_t **ret);

static bool read_sequence(struct reader *r, json_t *list)
{
    for (;;) {
        json_t *item = NULL;
        if (!advance(r))
            return false;
        if (r->event.type == YAML_SEQUENCE_END_EVENT)
            return true;
        if (!read_node(r, &item))
            return false;
        must(json_array_append_new(list, item) == 0);
    }
}

// The key in the current event into the map with no value yet; *ret_key is its spelling there.
static bool read_key(struct reader *r, const json_t *map, json_t **ret_key)
{
    if (r->event.type != YAML_SCALAR_EVENT)
        return fail_here(r, "keys must be plain or quoted text");
    if (!is_bare(r, r->event.data.scalar.anchor, r->event.data.scalar.tag))
        return false;
    struct str text = {(const char *)r->event.data.scalar.value, r->event.data.scalar.length};
    const char *wrong = NULL;
    json_t *key = yaml_string(text, &wrong);
    if (!key)
        return fail_here(r, wrong);
    if (json_object_get(map, json_string_value(key))) {
        char what[ERR_TEXT_MAX];
        struct str shown = {text.p, str_utf8_cut(text, TEXT_SHOWN_MAX)};
        (void)snprintf(what, sizeof what, "key \"%.*s\" stands twice in one mapping", STR_ARG(shown));
        json_decref(key);
        return fail_here(r, what);
    }
    *ret_key = key;
    return true;
}

static bool read_mapping(struct reader *r, json_t *map)
{
    for (;;) {
        CLEANUP_JSON json_t *key = NULL;
        json_t *value = NULL;
        if (!advance(r))
            return false;
        if (r->event.type == YAML_MAPPING_END_EVENT)
            return true;
        if (!read_key(r, map, &key) || !advance(r) || !read_node(r, &value))
            return false;
        must(json_object_set_new(map, json_string_value(key), value) == 0);
    }
}

// A collection whose start is the current event.
static bool read_collection(struct reader *r, json_t **ret)
{
    bool is_map = r->event.type == YAML_MAPPING_START_EVENT;
    bool bare = is_map ? is_bare(r, r->event.data.mapping_start.anchor, r->event.data.mapping_start.tag)
                       : is_bare(r, r->event.data.sequence_start.anchor, r->event.data.sequence_start.tag);
    if (!bare)
        return false;
    if (++r->depth > JSON_DEPTH_MAX)
        return fail_here(r, "it is nested too deeply: 64 levels are the most");
    CLEANUP_JSON json_t *v = is_map ? json_object() : json_array();
    must(v != NULL);
    if (is_map ? !read_mapping(r, v) : !read_sequence(r, v))
        return false;
    r->depth--;
    *ret = json_incref(v);
    return true;
}

// The value whose first event is the current one.
static bool read_node(struct reader *r, json_t **ret)
{
    switch (r->event.type) {
    case YAML_SCALAR_EVENT:
        return read_scalar(r, ret);
    case YAML_SEQUENCE_START_EVENT:
    case YAML_MAPPING_START_EVENT:
        return read_collection(r, ret);
    case YAML_ALIAS_EVENT:
        return fail_here(r, "aliases (*name) are not supported: write the value out, or put text in quotes");
    default:
        return fail_here(r, "a value is expected");
    }
}

// Events: STREAM-START (DOCUMENT-START node DOCUMENT-END)* STREAM-END.
static bool read_stream(struct reader *r, json_t *list)
{
    if (!advance(r))
        return false;
    for (;;) {
        json_t *v = NULL;
        if (!advance(r))
            return false;
        if (r->event.type == YAML_STREAM_END_EVENT)
            return true;
        if (!advance(r) || !read_node(r, &v))
            return false;
        must(json_array_append_new(list, v) == 0);
        if (!advance(r))
            return false;
    }
}

bool yaml_parse_all(struct str text, json_t **ret, struct err *err)
{
    struct reader r = {.err = err};
    CLEANUP_JSON json_t *list = json_array();
    must(list != NULL && yaml_parser_initialize(&r.parser) == 1);
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING); // else a UTF-16 mark is honoured
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)(text.p ? text.p : ""), text.n);
    bool ok = read_stream(&r, list);
    if (r.has_event)
        yaml_event_delete(&r.event);
    yaml_parser_delete(&r.parser);
    if (!ok)
        return false;
    *ret = json_incref(list);
    return true;
}

bool yaml_parse(struct str text, json_t **ret, struct err *err)
{
    CLEANUP_JSON json_t *list = NULL;
    if (!yaml_parse_all(text, &list, err))
        return false;
    if (json_array_size(list) == 0)
        return ERR(err, ERR_INVALID, "YAML expected, but the text is empty");
    if (json_array_size(list) > 1)
        return ERR(err, ERR_INVALID, "YAML holds %zu documents where one is expected", json_array_size(list));
    *ret = json_incref(json_array_get(list, 0));
    return true;
}
