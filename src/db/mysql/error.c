// SPDX-License-Identifier: Apache-2.0
// What the numbers of the server and of the client library mean to us. A text of the server is shown only
// where it helps and cannot hold data: never for a duplicate key, which quotes the row.
#include <errmsg.h>
#include <mysqld_error.h>

#include "db/mysql/impl.h"

// Numbers that the headers of MariaDB or of an older client do not have.
enum {
    CONNECTION_KILLED = 1927,     // MariaDB
    STATEMENT_TIMEOUT = 1969,     // MariaDB, max_statement_time
    EXECUTION_TIMEOUT = 3024,     // MySQL, max_execution_time
    SERVER_ISNT_AVAILABLE = 3168, // MySQL
    SESSION_WAS_KILLED = 3169,    // MySQL
    ROLLED_BACK_AT_COMMIT = 3101, // MySQL: group replication, the set of changes lost against another node's
    LOCK_NOWAIT = 3572,           // MySQL
    CLIENT_INTERACTION_TIMEOUT = 4031, // MySQL: idle for longer than wait_timeout
    IDLE_TRANSACTION = 4152,           // MariaDB
    ACCESS_DENIED_NO_PASSWORD = 1698,
};

enum fate {
    KEEPS, // the statement failed, the transaction goes on
    ENDS,  // the server may have kept the transaction: it is rolled back
    GONE,  // the server has rolled it back
    LOST,  // and the connection with it
};

static const char busy[] = "the database server is busy with other changes of the same data: try again";
static const char gone[] = "the connection to the database server was lost: try again";
static const char full[] = "no space left on the database server: free disk space there";
static const char crowded[] = "the database server has too many connections: raise its max_connections";
static const char read_only[] = "the database server is read-only: connect to the one that takes writes";
static const char big[] = "a value is too large for the database server: raise its max_allowed_packet";
static const char refused[] =
    "the database server refuses user or password: check both in the database address";
static const char forbidden[] = "the database user may not do this: grant it all privileges on the database";

static const char expired[] = "the password of the database user has expired: set a new one";
static const char method[] =
    "the database user signs in by a method that sends the password: use another, or tls=require";

static const struct known {
    unsigned number;
    enum err_code code;
    enum fate fate;
    const char *text;
} known[] = {
    {ER_LOCK_DEADLOCK, ERR_BUSY, GONE, busy},
    {ROLLED_BACK_AT_COMMIT, ERR_BUSY, GONE, busy},
    {ER_LOCK_WAIT_TIMEOUT, ERR_BUSY, ENDS, busy},
    {ER_CHECKREAD, ERR_BUSY, ENDS, busy},
    {LOCK_NOWAIT, ERR_BUSY, ENDS, busy},
    {ER_QUERY_INTERRUPTED, ERR_BUSY, ENDS, "the statement was interrupted on the database server: try again"},
    {STATEMENT_TIMEOUT, ERR_BUSY, ENDS,
     "the statement took longer than the database server allows: try again"},
    {EXECUTION_TIMEOUT, ERR_BUSY, ENDS,
     "the statement took longer than the database server allows: try again"},
    {ER_NEED_REPREPARE, ERR_BUSY, ENDS, busy},
    {ER_DUP_ENTRY, ERR_CONFLICT, KEEPS, "a row with this key exists already"},
    {ER_DUP_UNIQUE, ERR_CONFLICT, KEEPS, "a row with this key exists already"},
    {ER_DISK_FULL, ERR_FULL, ENDS, full},
    {ER_RECORD_FILE_FULL, ERR_FULL, ENDS, full},
    {ER_DATA_TOO_LONG, ERR_TOO_LARGE, KEEPS, "a value is too large for the data store: shorten it"},
    {ER_NET_PACKET_TOO_LARGE, ERR_TOO_LARGE, LOST, big},
    {CR_NET_PACKET_TOO_LARGE, ERR_TOO_LARGE, LOST, big},
    {ER_OUTOFMEMORY, ERR_UNAVAILABLE, ENDS, "not enough memory on the database server: try again"},
    {ER_OUT_OF_SORTMEMORY, ERR_UNAVAILABLE, ENDS, "not enough memory on the database server: try again"},
    {ER_OPTION_PREVENTS_STATEMENT, ERR_UNAVAILABLE, ENDS, read_only},
    {ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION, ERR_UNAVAILABLE, ENDS, read_only},
    {ER_READ_ONLY_MODE, ERR_UNAVAILABLE, ENDS, read_only},
    {ER_UNKNOWN_COM_ERROR, ERR_UNAVAILABLE, LOST,
     "the database cluster has no majority here: try again"}, // Galera
    {ER_ERROR_DURING_COMMIT, ERR_UNAVAILABLE, LOST, "the database server failed while committing: try again"},
    {ER_ERROR_DURING_ROLLBACK, ERR_UNAVAILABLE, LOST, gone},
    {CR_CONNECTION_ERROR, ERR_UNAVAILABLE, LOST, gone},
    {CR_CONN_HOST_ERROR, ERR_UNAVAILABLE, LOST, gone},
    {CR_SERVER_GONE_ERROR, ERR_UNAVAILABLE, LOST, gone},
    {CR_SERVER_LOST, ERR_UNAVAILABLE, LOST, gone},
    {CR_SERVER_LOST_EXTENDED, ERR_UNAVAILABLE, LOST, gone},
    {CR_MALFORMED_PACKET, ERR_UNAVAILABLE, LOST, gone},
    {CR_COMMANDS_OUT_OF_SYNC, ERR_INTERNAL, LOST, "data store: statements got into each other's way"},
    {CR_ERR_NET_READ, ERR_UNAVAILABLE, LOST, gone},
    {CR_ERR_NET_WRITE, ERR_UNAVAILABLE, LOST, gone},
    {CR_UNKNOWN_ERROR, ERR_UNAVAILABLE, LOST, gone},
    {ER_SERVER_SHUTDOWN, ERR_UNAVAILABLE, LOST, "the database server is shutting down: try again"},
    {ER_NORMAL_SHUTDOWN, ERR_UNAVAILABLE, LOST, "the database server is shutting down: try again"},
    {ER_NET_READ_ERROR, ERR_UNAVAILABLE, LOST, gone},
    {ER_NET_READ_INTERRUPTED, ERR_UNAVAILABLE, LOST, gone},
    {ER_NET_ERROR_ON_WRITE, ERR_UNAVAILABLE, LOST, gone},
    {ER_NET_WRITE_INTERRUPTED, ERR_UNAVAILABLE, LOST, gone},
    {ER_NEW_ABORTING_CONNECTION, ERR_UNAVAILABLE, LOST, gone},
    {CONNECTION_KILLED, ERR_UNAVAILABLE, LOST, gone},
    {SERVER_ISNT_AVAILABLE, ERR_UNAVAILABLE, LOST, gone},
    {SESSION_WAS_KILLED, ERR_UNAVAILABLE, LOST, gone},
    {CLIENT_INTERACTION_TIMEOUT, ERR_UNAVAILABLE, LOST, gone},
    {IDLE_TRANSACTION, ERR_UNAVAILABLE, LOST, gone},
    {ER_CON_COUNT_ERROR, ERR_UNAVAILABLE, LOST, crowded},
    {ER_TOO_MANY_USER_CONNECTIONS, ERR_UNAVAILABLE, LOST, crowded},
    {ER_USER_LIMIT_REACHED, ERR_UNAVAILABLE, LOST, crowded},
    {ER_ACCESS_DENIED_ERROR, ERR_CONFIG, KEEPS, refused},
    {ACCESS_DENIED_NO_PASSWORD, ERR_CONFIG, KEEPS, refused},
    {ER_DBACCESS_DENIED_ERROR, ERR_CONFIG, KEEPS, forbidden},
    {ER_TABLEACCESS_DENIED_ERROR, ERR_CONFIG, KEEPS, forbidden},
    {ER_COLUMNACCESS_DENIED_ERROR, ERR_CONFIG, KEEPS, forbidden},
    {ER_SPECIFIC_ACCESS_DENIED_ERROR, ERR_CONFIG, KEEPS, forbidden},
    {ER_BAD_DB_ERROR, ERR_CONFIG, KEEPS, "the database does not exist on its server: create it"},
    {ER_HOST_NOT_PRIVILEGED, ERR_CONFIG, KEEPS,
     "the database server accepts nobody from this machine: grant it there"},
    {ER_HOST_IS_BLOCKED, ERR_UNAVAILABLE, LOST,
     "the database server has blocked this machine: run FLUSH HOSTS there"},
    {ER_MUST_CHANGE_PASSWORD, ERR_CONFIG, KEEPS, expired},
    {ER_NOT_SUPPORTED_AUTH_MODE, ERR_CONFIG, KEEPS,
     "the database user signs in by an outdated method: change it"},
    {CR_AUTH_PLUGIN_CANNOT_LOAD, ERR_CONFIG, KEEPS, method},
    {CR_AUTH_PLUGIN_ERR, ERR_CONFIG, KEEPS, method},
    {CR_PLUGIN_NOT_ALLOWED, ERR_CONFIG, KEEPS, method},
    {ER_MUST_CHANGE_PASSWORD_LOGIN, ERR_CONFIG, KEEPS, expired},
    {CR_UNKNOWN_HOST, ERR_UNAVAILABLE, LOST,
     "the name of the database server cannot be resolved: check the host"},
    {CR_SSL_CONNECTION_ERROR, ERR_CONFIG, LOST, NULL},
};

static const struct known *find(unsigned number)
{
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (known[i].number == number)
            return &known[i];
    return NULL;
}

static bool said(unsigned number, const struct known *k, const char *text, struct err *err)
{
    if (k && k->text)
        (void)ERR(err, k->code, "%s", k->text);
    else
        (void)ERR(err, k ? k->code : ERR_INTERNAL, "data store: %s", text);
    err->native = (int)number;
    return false;
}

bool maria_failed(struct maria *m, unsigned number, const char *text, struct err *err)
{
    const struct known *k = find(number);
    // A number of the client library that is not in the table: the connection is in no known state.
    bool library = (number >= CR_MIN_ERROR && number <= CR_MAX_ERROR) || number >= CR_EVENT_CREATE_FAILED;
    enum fate fate = k ? k->fate : library ? LOST : KEEPS;
    (void)said(number, k, text, err);
    m->lost |= fate == LOST;
    if (fate == ENDS)
        maria_rollback(&m->base);
    if (fate != KEEPS)
        m->in_transaction = false;
    return false;
}

bool maria_not_committed(int number)
{
    static const int refusals[] = {
        ER_LOCK_DEADLOCK, ROLLED_BACK_AT_COMMIT,        ER_LOCK_WAIT_TIMEOUT,
        ER_CHECKREAD,     ER_OPTION_PREVENTS_STATEMENT, ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION,
        ER_READ_ONLY_MODE};
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++)
        if (refusals[i] == number)
            return true;
    return false;
}

bool maria_open_failed(unsigned number, const char *text, struct err *err)
{
    const struct known *k = find(number);
    if (number == CR_CONNECTION_ERROR || number == CR_CONN_HOST_ERROR || number == CR_SERVER_LOST ||
        number == CR_SERVER_GONE_ERROR) {
        (void)ERR(err, ERR_UNAVAILABLE,
                  "the database server cannot be reached: check that it runs and its address");
        err->native = (int)number;
        return false;
    }
    if (number == CR_SSL_CONNECTION_ERROR)
        return ERR(err, ERR_CONFIG, "TLS with the database server failed: %s", text);
    return said(number, k, text, err);
}
