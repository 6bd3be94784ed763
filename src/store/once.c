// SPDX-License-Identifier: Apache-2.0
// The mark of the request that a thread carries out. See once.h.
#include "store/once.h"

static _Thread_local struct once_mark *current;

void once_mark_set(struct once_mark *m) { current = m; }

struct once_mark *once_mark_wanted(void) { return current && !current->marked ? current : NULL; }

bool once_taken_over(struct err *err)
{
    return ERR(err, ERR_CONFLICT, "a repetition of this request was faster; ask again for its answer");
}
