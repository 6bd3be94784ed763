// SPDX-License-Identifier: Apache-2.0
// A map that belongs to the user (queueConfig, cacheConfig), read by a field table: what the table knows is
// typed and checked, other keys are named as ignored.
#ifndef JOBS_USER_MAP_H
#define JOBS_USER_MAP_H

#include "base/field.h"

// Fills *ret, a struct of the table t without required fields. Values are texts; where the table wants a
// number or a truth, the text of one is taken. Faults get pointers below base. With templates set, "{{" in a
// text is not expanded yet: such a value stays as it is where a text is wanted, and is left out elsewhere.
// *ret_ignored is a list of names, absent when there are none.
bool user_map_read(const struct fields *t, const struct str_map *m, struct str base, bool templates,
                   void *ret, struct str *ret_ignored, struct arena *a, struct faults *faults);

#endif
