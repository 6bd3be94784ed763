// SPDX-License-Identifier: Apache-2.0
// The map becomes a JSON object again, each value as what its row wants, and the decoder of field tables does
// the rest.
#include "jobs/user_map.h"

#include "jobs/template.h"

enum { IGNORED_TEXT_MAX = 1024 };

static json_t *as_wanted(const struct field *f, struct str value)
{
    int64_t number;
    if (f->kind == FIELD_KIND_I64 && str_to_i64(value, &number))
        return json_integer(number);
    if (f->kind == FIELD_KIND_BOOL && (str_is(value, "true") || str_is(value, "false")))
        return json_boolean(str_is(value, "true"));
    return json_stringn(value.p, value.n);
}

bool user_map_read(const struct fields *t, const struct str_map *m, struct str base, bool templates,
                   void *ret, struct str *ret_ignored, struct arena *a, struct faults *faults)
{
    json_t *object CLEANUP_JSON = json_object();
    struct sbuf ignored;
    sbuf_init(&ignored, a, IGNORED_TEXT_MAX);
    for (size_t i = 0; i < m->n; i++) {
        const struct str_pair *p = &m->v[i];
        const struct field *f = field_find(t, p->key);
        char *key = arena_cstr(a, p->key);
        if (!f) {
            sbuf_fmt(&ignored, "%s%.*s", ignored.n ? ", " : "", STR_ARG(p->key));
            continue;
        }
        if (templates && f->kind != FIELD_KIND_STR && template_uses(p->value, ""))
            continue;
        if (key)
            must(json_object_set_new(object, key, as_wanted(f, p->value)) == 0);
    }
    *ret_ignored = ignored.n ? sbuf_str(&ignored) : STR_NONE;
    return field_decode(t, object, FIELD_DECODE_UNKNOWN_OK, base, ret, a, faults);
}
