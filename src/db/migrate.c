// SPDX-License-Identifier: Apache-2.0
// Migrations: compares the table of applied ones with ours, then applies the rest in one transaction, so that
// a failed upgrade leaves the old schema. Never goes back: an older program refuses newer data.
#include "db/migrate.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/rng.h"
#include "db/migrate_queries.h"

enum { CHECKSUM_MAX = 17 };

static const char *migration_checksum(const struct migration *m, char buf[static CHECKSUM_MAX])
{
    static const uint8_t key[16] = "chronos-migrate"; // fixed: the sum must be the same for ever
    (void)snprintf(buf, CHECKSUM_MAX, "%016" PRIx64, hash_bytes(key, m->sql.p, m->sql.n));
    return buf;
}

static bool statement(struct db *d, size_t first_slot, enum migrate_query q, struct db_stmt **ret,
                      struct err *err)
{
    return db_stmt_at(d, first_slot + (size_t)q, migrate_sql[q], ret, err);
}

static bool check_row(struct db_stmt *s, const struct migration *v, size_t n, struct err *err)
{
    int64_t version = db_i64(s, 0);
    if (version < 1 || (size_t)version > n)
        return ERR(err, ERR_CONFIG,
                   "the data was written by a newer program (schema %" PRId64 ", this program knows %zu): "
                   "install the newer version or restore a backup",
                   version, n);
    char sum[CHECKSUM_MAX];
    if (!str_is(db_bytes(s, 2), migration_checksum(&v[version - 1], sum)))
        return ERR(err, ERR_CONFIG,
                   "schema change %" PRId64 " \"%s\" differs from the one that was applied: "
                   "use the program that made this data",
                   version, v[version - 1].name);
    return true;
}

// Counts the applied migrations; they must be ours, from the first without gaps.
static bool applied_count(struct db *d, size_t slot, const struct migration *v, size_t n, size_t *ret,
                          struct err *err)
{
    struct db_stmt *s;
    if (!statement(d, slot, MIGRATE_LIST, &s, err))
        return false;
    size_t count = 0;
    for (bool row;; count++) {
        if (!db_step(s, &row, err))
            return false;
        if (!row)
            break;
        bool known = check_row(s, v, n, err);
        if (known && db_i64(s, 0) != (int64_t)count + 1)
            known = ERR(err, ERR_CORRUPT, "the list of schema changes has a gap: restore a backup");
        if (!known) {
            db_reset(s);
            return false;
        }
    }
    *ret = count;
    return true;
}

static bool apply(struct db *d, size_t slot, const struct migration *m, struct instant now, struct err *err)
{
    char sum[CHECKSUM_MAX];
    struct db_stmt *s;
    if (!db_script(d, m->sql, err) || !statement(d, slot, MIGRATE_INSERT, &s, err))
        return err_wrap(err, "apply schema change \"%s\"", m->name);
    db_put_i64(s, 1, m->version);
    db_put_text(s, 2, str_of(m->name));
    db_put_text(s, 3, str_of(migration_checksum(m, sum)));
    db_put_i64(s, 4, now.us);
    return db_run(s, err) || err_wrap(err, "apply schema change \"%s\"", m->name);
}

bool db_migrate(struct db *d, size_t slot, const struct migration *v, size_t n, struct instant now,
                struct err *err)
{
    struct db_stmt *table;
    if (!db_begin(d, err))
        return false;
    size_t done = 0;
    bool ok = statement(d, slot, MIGRATE_TABLE, &table, err) && db_run(table, err) &&
              applied_count(d, slot, v, n, &done, err);
    for (size_t i = done; ok && i < n; i++)
        ok = apply(d, slot, &v[i], now, err);
    if (!ok) {
        db_rollback(d);
        return false;
    }
    return db_commit(d, err);
}
