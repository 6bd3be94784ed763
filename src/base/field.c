// SPDX-License-Identifier: Apache-2.0
// Field tables: defaults and look-ups. Decoding, encoding and schemas are in the files beside it.
#include "base/field.h"

#include <math.h>

#include "base/field_impl.h"

static void set_default(const struct field *f, void *obj)
{
    void *at = field_at(f, obj);
    switch (f->kind) {
    case FIELD_KIND_STR:
    case FIELD_KIND_JSON:
        *(struct str *)at = STR_NONE;
        break;
    case FIELD_KIND_BOOL:
        *(bool *)at = f->has_def && f->def != 0;
        break;
    case FIELD_KIND_I64:
        *(int64_t *)at = f->has_def ? f->def : FIELD_ABSENT;
        break;
    case FIELD_KIND_F64:
        *(double *)at = f->has_def ? (double)f->def : (double)NAN;
        break;
    case FIELD_KIND_ENUM:
        *(int *)at = f->has_def ? (int)f->def : -1;
        break;
    case FIELD_KIND_INSTANT:
        *(struct instant *)at = INSTANT_NEVER;
        break;
    case FIELD_KIND_ID:
        *(struct ulid *)at = ULID_ZERO;
        break;
    case FIELD_KIND_STRS:
        *(struct strs *)at = (struct strs){0};
        break;
    case FIELD_KIND_MAP:
        *(struct str_map *)at = (struct str_map){0};
        break;
    case FIELD_KIND_OBJECT:
        field_defaults(f->sub, at);
        break;
    }
}

void field_defaults(const struct fields *t, void *obj)
{
    for (size_t i = 0; i < t->n; i++)
        set_default(&t->v[i], obj);
}

static bool is_called(const struct field *f, struct str name)
{
    if (str_is(name, f->name))
        return true;
    for (const char *const *alias = f->aliases; alias && *alias; alias++)
        if (str_is(name, *alias))
            return true;
    return false;
}

const struct field *field_find(const struct fields *t, struct str name)
{
    for (size_t i = 0; i < t->n; i++)
        if (is_called(&t->v[i], name))
            return &t->v[i];
    return NULL;
}

int field_enum_find(const char *const *names, struct str word)
{
    for (int i = 0; names[i]; i++)
        if (str_eq_nocase(str_of(names[i]), word))
            return i;
    return -1;
}
