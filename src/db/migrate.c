// SPDX-License-Identifier: Apache-2.0
// Migrations: compares the table of applied ones with ours, then applies the rest in one transaction, so that
// a failed upgrade leaves the old schema. Never goes back: an older program refuses newer data.
// Where changes of the schema commit by themselves, each migration is marked before it begins and after it
// has ended, so that one that was interrupted is known, named, and done again.
#include "db/migrate.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/rng.h"
#include "db/migrate_queries.h"

enum { CHECKSUM_MAX = 17, BEGUN = -1 };

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

// Counts the applied migrations; they must be ours, from the first without gaps. *ret_begun: the one behind
// them was begun and not finished.
static bool applied_count(struct db *d, size_t slot, const struct migration *v, size_t n, size_t *ret,
                          bool *ret_begun, struct err *err)
{
    struct db_stmt *s;
    if (!statement(d, slot, MIGRATE_LIST, &s, err))
        return false;
    size_t count = 0;
    bool begun = false;
    for (bool row;; count++) {
        if (!db_step(s, &row, err))
            return false;
        if (!row)
            break;
        bool known = check_row(s, v, n, err);
        if (known && (begun || db_i64(s, 0) != (int64_t)count + 1))
            known = ERR(err, ERR_CORRUPT, "the list of schema changes has a gap: restore a backup");
        if (!known) {
            db_reset(s);
            return false;
        }
        begun = db_i64(s, 3) == BEGUN;
    }
    *ret = begun ? count - 1 : count;
    *ret_begun = begun;
    return true;
}

static bool record(struct db *d, size_t slot, const struct migration *m, int64_t at, struct err *err)
{
    char sum[CHECKSUM_MAX];
    struct db_stmt *s;
    if (!statement(d, slot, MIGRATE_INSERT, &s, err))
        return false;
    db_put_i64(s, 1, m->version);
    db_put_text(s, 2, str_of(m->name));
    db_put_text(s, 3, str_of(migration_checksum(m, sum)));
    db_put_i64(s, 4, at);
    return db_run(s, err);
}

static bool finish(struct db *d, size_t slot, const struct migration *m, struct instant now, struct err *err)
{
    struct db_stmt *s;
    if (!statement(d, slot, MIGRATE_FINISH, &s, err))
        return false;
    db_put_i64(s, 1, m->version);
    db_put_i64(s, 2, now.us);
    return db_run(s, err);
}

static bool apply(struct db *d, size_t slot, const struct migration *m, struct instant now, struct err *err)
{
    return (db_script(d, m->sql, err) && record(d, slot, m, now.us, err)) ||
           err_wrap(err, "apply schema change \"%s\"", m->name);
}

// begun: an earlier try was interrupted.
static bool apply_committing(struct db *d, size_t slot, const struct migration *m, bool begun,
                             struct instant now, struct err *err)
{
    // Another server that is doing the same right now does no harm, where the lock does not reach it.
    if (!begun && !record(d, slot, m, BEGUN, err) && err->code != ERR_CONFLICT)
        return err_wrap(err, "begin schema change \"%s\"", m->name);
    return (db_script(d, m->sql, err) && finish(d, slot, m, now, err)) ||
           err_wrap(err, "apply schema change \"%s\"%s", m->name,
                    begun ? ", which an earlier try left half done" : "");
}

static bool migrate_committing(struct db *d, size_t slot, const struct migration *v, size_t n,
                               struct instant now, struct err *err)
{
    struct db_stmt *table;
    size_t done = 0;
    bool begun = false;
    bool ok = statement(d, slot, MIGRATE_TABLE, &table, err) && db_run(table, err) &&
              applied_count(d, slot, v, n, &done, &begun, err);
    for (size_t i = done; ok && i < n; i++, begun = false)
        ok = apply_committing(d, slot, &v[i], begun, now, err);
    return ok;
}

bool db_migrate(struct db *d, size_t slot, const struct migration *v, size_t n, struct instant now,
                struct err *err)
{
    struct db_stmt *table;
    if (d->ops->ddl_commits)
        return migrate_committing(d, slot, v, n, now, err);
    if (!db_begin(d, err))
        return false;
    size_t done = 0;
    bool begun;
    bool ok = statement(d, slot, MIGRATE_TABLE, &table, err) && db_run(table, err) &&
              applied_count(d, slot, v, n, &done, &begun, err);
    for (size_t i = done; ok && i < n; i++)
        ok = apply(d, slot, &v[i], now, err);
    if (!ok) {
        db_rollback(d);
        return false;
    }
    return db_commit(d, err);
}
