// SPDX-License-Identifier: Apache-2.0
// What the field_*.c files share. Not for anyone else: use base/field.h.
#ifndef BASE_FIELD_IMPL_H
#define BASE_FIELD_IMPL_H

#include "base/field.h"

// The member of a row in an object.
static inline void *field_at(const struct field *f, void *obj) { return (char *)obj + f->offset; }
static inline const void *field_get(const struct field *f, const void *obj)
{
    return (const char *)obj + f->offset;
}

// Bounds of a number row: a row without min and max has none, max 0 with min > 0 means "no upper bound".
static inline bool field_has_min(const struct field *f) { return f->min != 0 || f->max != 0; }
static inline bool field_has_max(const struct field *f)
{
    return f->max != 0 || f->min < 0;
}
// Most characters of a string, items of a list or map, bytes of raw JSON.
static inline int64_t field_length_max(const struct field *f)
{
    return f->max > 0 ? f->max : FIELD_MAX_DEFAULT;
}

#endif
