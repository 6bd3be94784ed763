// SPDX-License-Identifier: Apache-2.0
// Opens the store of db.url: a file, or the database of a server.
#include "store_open.h"

#include "store/sql/store_sql.h"

bool store_open(const struct config *c, const struct clock *clock, struct store **ret, struct arena *a, struct err *err)
{
    struct str application = arena_fmt(a, "chronos %.*s", STR_ARG(c->node_name));
    const char *path = arena_cstr(a, c->db_path);
    if (!application.p || !path)
        return ERR(err, ERR_CONFIG, "the settings do not fit into memory");
    bool full = c->db_durability == DURABILITY_FULL;
    if (c->db_path.n > 0)
        return store_sqlite_open(path, full ? STORE_DURABLE : STORE_RELAXED, clock_now(clock), ret, err);
    struct store_server_options o = {.application = application.p,
                                     .patience = duration_s(c->db_patience_s),
                                     .readers = c->db_readers,
                                     .strict = full && c->db_strict};
    return store_server_open(c->db_url, &o, clock_now(clock), ret, err);
}
