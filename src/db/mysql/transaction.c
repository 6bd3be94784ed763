// SPDX-License-Identifier: Apache-2.0
// Transactions, scripts and locks. A session that begins a transaction is put out of autocommit once and
// stays so: the next statement begins the next transaction by itself, which saves the round trip of START
// TRANSACTION. A statement outside of transactions puts it back.
#include <errmsg.h>
#include <poll.h>

#include "db/mysql/impl.h"
#include "db/mysql/text.h"

enum { LOCK_WAIT_S = 60 };

static bool raw(struct maria *m, struct str sql, struct err *err)
{
    if (m->lost)
        return maria_failed(m, CR_SERVER_GONE_ERROR, "", err);
    if (mysql_real_query(m->h, sql.p, sql.n) == 0) {
        MYSQL_RES *rows = mysql_store_result(m->h);
        mysql_free_result(rows);
        if (rows || mysql_field_count(m->h) == 0)
            return true;
    }
    return maria_failed(m, mysql_errno(m->h), mysql_error(m->h), err);
}

bool maria_set_autocommit(struct maria *m, bool on, struct err *err)
{
    if (m->lost)
        return maria_failed(m, CR_SERVER_GONE_ERROR, "", err);
    if (m->autocommit == on)
        return true;
    if (mysql_autocommit(m->h, on) != 0)
        return maria_failed(m, mysql_errno(m->h), mysql_error(m->h), err);
    m->autocommit = on;
    return true;
}

bool maria_run(struct maria *m, struct str sql, struct err *err)
{
    return (m->in_transaction || maria_set_autocommit(m, true, err)) && raw(m, sql, err);
}

bool maria_number(struct maria *m, struct str sql, unsigned column, int64_t *ret, struct err *err)
{
    if (!m->in_transaction && !maria_set_autocommit(m, true, err))
        return false;
    MYSQL_RES *rows = mysql_real_query(m->h, sql.p, sql.n) == 0 ? mysql_store_result(m->h) : NULL;
    if (!rows)
        return maria_failed(m, mysql_errno(m->h), mysql_error(m->h), err);
    MYSQL_ROW row = mysql_num_fields(rows) > column ? mysql_fetch_row(rows) : NULL;
    int64_t n = 0;
    if (row && row[column] && !str_to_i64(str_of(row[column]), &n))
        n = str_is(str_of(row[column]), "ON");
    mysql_free_result(rows);
    *ret = n;
    return true;
}

// ---- transactions ------------------------------------------------------------------------------

bool maria_in_transaction(struct db *d) { return maria_of(d)->in_transaction; }

bool maria_begin(struct db *d, struct err *err)
{
    struct maria *m = maria_of(d);
    if (!maria_set_autocommit(m, false, err))
        return false;
    m->in_transaction = true;
    return true;
}

void maria_rollback(struct db *d)
{
    struct maria *m = maria_of(d);
    struct err ignored;
    bool needed = m->in_transaction && !m->lost;
    m->in_transaction = false;
    // What cannot be rolled back ends with the connection.
    if (needed && !raw(m, STR("ROLLBACK"), &ignored))
        m->lost = true;
}

// Deadlocks (Galera: the set of changes lost against another node's) and refusals of a read-only server have
// not committed. Of anything else, and of no answer above all, nobody knows: a node of Galera may have lost
// its majority after it had sent the changes.
bool maria_commit(struct db *d, struct err *err)
{
    struct maria *m = maria_of(d);
    if (m->lost || !m->in_transaction)
        return maria_failed(m, CR_SERVER_GONE_ERROR, "", err);
    if (raw(m, STR("COMMIT"), err)) {
        m->in_transaction = false;
        return true;
    }
    int native = err->native;
    if (!maria_not_committed(native)) {
        (void)ERR(err, ERR_UNKNOWN_COMMIT,
                  "the database server was lost while committing: look whether the change is there");
        err->native = native;
    }
    maria_rollback(d);
    return false;
}

bool maria_savepoint(struct db *d, struct err *err) { return raw(maria_of(d), STR("SAVEPOINT one"), err); }
bool maria_savepoint_release(struct db *d, struct err *err)
{
    return raw(maria_of(d), STR("RELEASE SAVEPOINT one"), err);
}
bool maria_savepoint_rollback(struct db *d, struct err *err)
{
    return raw(maria_of(d), STR("ROLLBACK TO SAVEPOINT one"), err) && maria_savepoint_release(d, err);
}

// ---- the connection ----------------------------------------------------------------------------

// A server says nothing unasked but good-bye: what can be read between statements is the end of the
// connection.
bool maria_alive(struct db *d)
{
    struct maria *m = maria_of(d);
    struct pollfd p = {.fd = mysql_get_socket(m->h), .events = POLLIN};
    if (!m->lost && !m->in_transaction && poll(&p, 1, 0) != 0)
        m->lost = true;
    return !m->lost;
}

bool maria_script(struct db *d, struct str sql, struct err *err)
{
    struct str one;
    while (mysql_script_next(&sql, &one))
        if (!maria_run(maria_of(d), one, err))
            return false;
    return true;
}

// A named lock of the server belongs to the session, whatever commits meanwhile. It is known to one node of a
// Galera cluster only; there a schema change that two nodes begin must be one that may be repeated.
bool maria_migrations_lock(struct db *d, bool on, struct err *err)
{
    struct maria *m = maria_of(d);
    int64_t got = 0;
    if (!on)
        return maria_run(m, STR("DO RELEASE_LOCK(CONCAT('chronos:', LEFT(DATABASE(), 56)))"), err);
    // One second each, so that no wait is longer than the patience with an answer.
    for (int i = 0; i < LOCK_WAIT_S; i++) {
        if (!maria_number(m, STR("SELECT GET_LOCK(CONCAT('chronos:', LEFT(DATABASE(), 56)), 1)"), 0, &got,
                          err))
            return false;
        if (got == 1)
            return true;
    }
    return ERR(err, ERR_BUSY,
               "another server has been changing the schema for a minute: wait for it, or end it");
}

bool maria_cluster_note(struct db *d, const char **ret, struct err *err)
{
    struct maria *m = maria_of(d);
    int64_t on = 0, nodes = 0;
    *ret = NULL;
    if (!maria_number(m, STR("SHOW SESSION VARIABLES LIKE 'wsrep_on'"), 1, &on, err) ||
        (on && !maria_number(m, STR("SHOW GLOBAL STATUS LIKE 'wsrep_cluster_size'"), 1, &nodes, err)))
        return false;
    if (nodes > 1)
        *ret = "the database is a Galera cluster of several nodes: one writer at a time is the supported "
               "set-up, so "
               "let every server use the same node";
    return true;
}
