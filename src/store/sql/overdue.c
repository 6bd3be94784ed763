// SPDX-License-Identifier: Apache-2.0
// Plans whose next fire should have been decided long ago.
#include "store/sql/sql.h"

bool sql_plans_overdue(struct store *s, struct instant before, size_t max, struct plan **ret, size_t *ret_n,
                       struct arena *a, struct err *err)
{
    struct sql_read r;
    struct plan *v = arena_new_array(a, struct plan, max);
    size_t n = 0;
    bool ok = true, row;
    if (!v)
        return sql_no_memory(err);
    if (!sql_read(&r, s, STORE_PLANS_OVERDUE, err))
        return false;
    db_put_i64(r.s, 1, before.us);
    db_put_i64(r.s, 2, (int64_t)max);
    while (ok && (ok = db_step(r.s, &row, err)) && row) {
        struct err why = {0};
        if (plan_read(r.s, &v[n], a, &why)) {
            n++;
        } else if (why.code != ERR_CORRUPT) { // a damaged one never fires; the engine says so
            *err = why;
            ok = false;
        }
    }
    sql_read_end(&r);
    if (!ok)
        return false;
    *ret = v;
    *ret_n = n;
    return true;
}
