// SPDX-License-Identifier: Apache-2.0
// The bridge to sched/preview. See preview.h.
#include "app/preview.h"

#include "sched/preview.h"

size_t preview_occurrences(const struct schedule *s, struct instant after, size_t count, struct occurrence **ret,
                           struct arena *a)
{
    struct fires fires;
    struct err err = {0};
    *ret = NULL;
    if (!schedule_preview(s, after, count, &fires, a, &err))
        return 0;
    struct occurrence *v = arena_new_array(a, struct occurrence, fires.n);
    if (!v)
        return 0;
    for (size_t i = 0; i < fires.n; i++)
        v[i] = (struct occurrence){.at = fires.v[i].at, .offset_s = fires.v[i].offset_s,
                                   .note = fires.v[i].note.n ? fires.v[i].note : STR_NONE};
    *ret = v;
    return fires.n;
}

struct strs preview_warnings(const struct schedule *s, struct instant from, struct arena *a)
{
    return schedule_warnings(s, from, a);
}
