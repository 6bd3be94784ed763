// SPDX-License-Identifier: Apache-2.0
// Definitions of many jobs in one question to a server: a round trip for each would cost more than the work.
#include "store/sql/sql.h"

enum { DEFINITIONS_MAX = 1000 };

static bool definitions_ask(struct sql_read *r, const struct ulid *ids, size_t n, store_definition_fn each,
                            void *ctx, struct err *err)
{
    struct db_cell cells[DEFINITIONS_MAX];
    bool row;
    for (size_t i = 0; i < n; i++)
        cells[i] = (struct db_cell){.kind = DB_CELL_BLOB, .bytes = str_of_n((const char *)ids[i].b, sizeof ids[i].b)};
    db_put_rows(r->s, cells, n, 1);
    while (db_step(r->s, &row, err)) {
        if (!row)
            return true;
        each(ctx, db_id(r->s, 0), db_bytes(r->s, 1), db_i64(r->s, 2));
    }
    return false;
}

bool sql_job_definitions(struct store *s, const struct ulid *ids, size_t n, store_definition_fn each, void *ctx,
                         struct err *err)
{
    struct sql_read r;
    must(n <= DEFINITIONS_MAX);
    if (!sql_read(&r, s, STORE_JOB_DEFINITION_ROWS, err))
        return false;
    bool ok = definitions_ask(&r, ids, n, each, ctx, err);
    sql_read_end(&r);
    return ok;
}
