// SPDX-License-Identifier: Apache-2.0
// What waits, counted in one statement that looks at a bounded number of rows.
#include "store/sql/sql.h"

bool sql_backlog(struct store *st, struct store_backlog *ret, struct err *err)
{
    struct sql_read r;
    bool row = false;
    if (!sql_read(&r, st, STORE_BACKLOG, err))
        return false;
    db_put_i64(r.s, 1, BACKLOG_COUNT_MAX);
    bool ok = db_step(r.s, &row, err);
    if (ok && row)
        *ret = (struct store_backlog){.dead_letters = db_i64(r.s, 0),
                                      .outbox = db_i64(r.s, 1),
                                      .outbox_oldest = db_is_null(r.s, 2) ? INSTANT_NEVER
                                                                          : (struct instant){db_i64(r.s, 2)},
                                      .audit_unsealed = db_i64(r.s, 3),
                                      .messages = db_i64(r.s, 4),
                                      .messages_due = db_is_null(r.s, 5) ? INSTANT_NEVER
                                                                         : (struct instant){db_i64(r.s, 5)}};
    sql_read_end(&r);
    if (!ok && err->code == ERR_IO)
        err->code = ERR_UNAVAILABLE;
    return ok;
}
