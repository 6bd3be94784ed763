// SPDX-License-Identifier: Apache-2.0
// Driver of MySQL 8 and MariaDB on libmariadb: opens and closes connections. A session reads what is
// committed, waits little for locks, and counts rows that were matched, changed or not (CLIENT_FOUND_ROWS),
// as every engine of ours does. A lost connection is never mended behind our back: its transaction and its
// statements would be gone.
#include <pthread.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/sync.h"
#include "db/mysql/impl.h"
#include "db/url.h"

enum {
    OPEN_BUDGET = 16 * 1024,
    LOCK_WAIT_S_MAX = 5,
    // A session that says nothing for so long is ended by the server, so that the locks of a node that has
    // vanished do not outlive its lease. maria_alive notices.
    IDLE_S_MAX = 30,
    PACKET_MIN = 16 * 1024 * 1024,
    MARIADB_VERSION_MIN = 100600, // JSON_TABLE
    MYSQL_VERSION_MIN = 80019,    // comparing rows, JSON_TABLE
};

enum tls { TLS_OFF, TLS_PREFER, TLS_REQUIRE, TLS_VERIFY };
static const char *const tls_names[] = {"off", "prefer", "require", "verify"};

struct choice {
    enum tls tls;
    const char *ca;     // path or NULL
    const char *socket; // path or NULL
};

static int64_t maria_changes(struct db *d) { return maria_of(d)->changes; }
static int64_t maria_changes_total(struct db *d) { return maria_of(d)->changes_total; }

// The connection goes first: closing statements of a living one would be a message to the server each.
static void maria_close(struct db *d)
{
    struct maria *m = maria_of(d);
    mysql_close(m->h);
    for (size_t i = 0; i < d->cache_n; i++)
        if (d->cache[i])
            maria_finalize(d->cache[i]);
    mem_free(d->cache);
    mem_free(m);
}

static const struct db_ops maria_ops = {
    .name = "mysql",
    .close = maria_close,
    .prepare = maria_prepare,
    .finalize = maria_finalize,
    .bind_null = maria_bind_null,
    .bind_i64 = maria_bind_i64,
    .bind_f64 = maria_bind_f64,
    .bind_text = maria_bind_text,
    .bind_blob = maria_bind_blob,
    .step = maria_step,
    .reset = maria_reset,
    .is_null = maria_is_null,
    .i64 = maria_i64,
    .f64 = maria_f64,
    .bytes = maria_bytes,
    .changes = maria_changes,
    .changes_total = maria_changes_total,
    .script = maria_script,
    .begin = maria_begin,
    .commit = maria_commit,
    .rollback = maria_rollback,
    .savepoint = maria_savepoint,
    .savepoint_release = maria_savepoint_release,
    .savepoint_rollback = maria_savepoint_rollback,
    .in_transaction = maria_in_transaction,
    .alive = maria_alive,
    .bind_rows = maria_bind_rows,
    .run_each = maria_run_each,
    .migrations_lock = maria_migrations_lock,
    .cluster_note = maria_cluster_note,
    .ddl_commits = true,
};

// ---- what the address says ---------------------------------------------------------------------

static bool tls_of(struct str word, enum tls *ret, struct err *err)
{
    for (size_t i = 0; i < sizeof tls_names / sizeof tls_names[0]; i++)
        if (str_is(word, tls_names[i])) {
            *ret = (enum tls)i;
            return true;
        }
    return ERR(err, ERR_CONFIG,
               "the option \"tls\" of the database address must be off, prefer, require or verify");
}

static bool read_options(const struct db_url *u, struct choice *c, struct arena *a, struct err *err)
{
    struct str tls = db_url_option(u, "tls"), ca = db_url_option(u, "ca");
    for (size_t i = 0; i < u->n_options; i++)
        if (!str_is(u->options[i].name, "tls") && !str_is(u->options[i].name, "ca"))
            return ERR(err, ERR_CONFIG,
                       "the database address has an option that is not known: use \"tls\" and \"ca\"");
    c->tls = ca.p ? TLS_VERIFY : TLS_PREFER;
    if (tls.p && !tls_of(tls, &c->tls, err))
        return false;
    c->ca = ca.p ? arena_cstr(a, ca) : NULL;
    return true;
}

// A host that begins with '/' is a socket, or the folder with the server's socket.
static const char *socket_path(struct str host, struct arena *a)
{
    static const char *const names[] = {"mysqld.sock", "mysql.sock"};
    struct stat st;
    const char *path = arena_cstr(a, host);
    if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode))
        return path;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *in = arena_fmt(a, "%s/%s", path, names[i]).p;
        if (stat(in, &st) == 0)
            return in;
    }
    return arena_fmt(a, "%s/%s", path, names[0]).p;
}

// ---- connecting --------------------------------------------------------------------------------

static unsigned seconds(struct duration d)
{
    return d.us <= US_PER_S ? 1 : (unsigned)((d.us + US_PER_S - 1) / US_PER_S);
}

static void set_options(MYSQL *h, const struct db_config *c, const struct choice *o)
{
    unsigned patience = seconds(c->patience), off = 0;
    unsigned protocol = o->socket ? MYSQL_PROTOCOL_SOCKET : MYSQL_PROTOCOL_TCP;
    my_bool no = 0, tls = o->tls != TLS_OFF && !o->socket, verify = o->tls == TLS_VERIFY && !o->socket;
    (void)mysql_options(h, MYSQL_OPT_CONNECT_TIMEOUT, &patience);
    (void)mysql_options(h, MYSQL_OPT_READ_TIMEOUT, &patience);
    (void)mysql_options(h, MYSQL_OPT_WRITE_TIMEOUT, &patience);
    (void)mysql_options(h, MYSQL_OPT_RECONNECT, &no);
    (void)mysql_options(h, MYSQL_OPT_LOCAL_INFILE, &off); // or a server could ask for any file of ours
    (void)mysql_options(h, MYSQL_OPT_PROTOCOL, &protocol);
    (void)mysql_options(h, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    (void)mysql_options(h, MYSQL_REPORT_DATA_TRUNCATION, &no); // buffers are always large enough
    (void)mysql_options4(h, MYSQL_OPT_CONNECT_ATTR_ADD, "program_name",
                         c->application ? c->application : "chronos");
    (void)mysql_options(h, MYSQL_OPT_SSL_ENFORCE, &tls);
    (void)mysql_options(h, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verify);
    if (tls && o->ca)
        (void)mysql_options(h, MYSQL_OPT_SSL_CA, o->ca);
    // Methods that hand the password itself to the server only where nobody else can be at the other end.
    if (o->tls < TLS_REQUIRE && !o->socket)
        (void)mysql_options(h, MARIADB_OPT_RESTRICTED_AUTH,
                            "mysql_native_password,caching_sha2_password,sha256_password,client_ed25519");
}

static bool connect_server(struct maria *m, const struct db_config *c, const struct choice *o,
                           struct arena *a, struct err *err)
{
    const struct db_url *u = c->url;
    const char *user = u->user.p ? arena_cstr(a, u->user) : NULL;
    const char *password = u->password.p ? arena_cstr(a, u->password) : NULL;
    const char *name = arena_cstr(a, u->name), *host = o->socket ? NULL : arena_cstr(a, u->host);
    if (a->exhausted)
        return ERR(err, ERR_CONFIG, "the database address is too long");
    if (!mysql_real_connect(m->h, host, user, password, name, (unsigned)u->port, o->socket,
                            CLIENT_FOUND_ROWS))
        return maria_open_failed(mysql_errno(m->h), mysql_error(m->h), err);
    // A server without TLS gets no TLS from the library, whatever was asked for.
    if (o->tls >= TLS_REQUIRE && !o->socket && !mysql_get_ssl_cipher(m->h))
        return ERR(err, ERR_CONFIG, "the database server offers no TLS: set it up there, or use tls=off");
    return true;
}

// ---- the session -------------------------------------------------------------------------------

static bool check_server(struct maria *m, struct err *err)
{
    unsigned long version = mysql_get_server_version(m->h);
    int64_t packet;
    if (version < (mariadb_connection(m->h) ? MARIADB_VERSION_MIN : MYSQL_VERSION_MIN))
        return ERR(err, ERR_CONFIG,
                   "the database server is too old: use MySQL 8.0.19 or MariaDB 10.6, or later");
    if (!maria_number(m, STR("SELECT @@max_allowed_packet"), 0, &packet, err))
        return false;
    return packet >= PACKET_MIN || ERR(err, ERR_CONFIG,
                                       "the database server takes at most %lld bytes at once: set its "
                                       "max_allowed_packet to 16M or more",
                                       (long long)packet);
}

static bool start_session(struct maria *m, const struct db_config *c, struct arena *a, struct err *err)
{
    unsigned patience = seconds(c->patience), lock_wait = patience / 2;
    lock_wait = lock_wait < 1 ? 1 : lock_wait > LOCK_WAIT_S_MAX ? LOCK_WAIT_S_MAX : lock_wait;
    struct str set =
        arena_fmt(a,
                  "SET SESSION autocommit = 1, time_zone = '+00:00', innodb_lock_wait_timeout = %u, "
                  "lock_wait_timeout = %u, wait_timeout = %d, sql_mode = "
                  "'STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION', NAMES utf8mb4",
                  lock_wait, patience, IDLE_S_MAX);
    m->autocommit = true;
    return maria_run(m, set, err) &&
           maria_run(m, STR("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"), err) &&
           (!c->read_only || maria_run(m, STR("SET SESSION TRANSACTION READ ONLY"), err));
}

// MariaDB runs a statement for many rows of parameters; MySQL does not.
static bool takes_arrays(struct maria *m)
{
    unsigned extended = 0;
    return mariadb_get_infov(m->h, MARIADB_CONNECTION_EXTENDED_SERVER_CAPABILITIES, &extended) == 0 &&
           (extended & (unsigned)(MARIADB_CLIENT_STMT_BULK_OPERATIONS >> 32)) != 0;
}

static void library_init(void) { must(mysql_server_init(0, NULL, NULL) == 0); }

static bool maria_open(const struct db_config *c, struct db **ret, struct err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, library_init);
    struct arena a CLEANUP(arena_release);
    arena_init(&a, OPEN_BUDGET);
    struct choice o = {.tls = TLS_OFF};
    struct maria *m = mem_new(struct maria);
    struct db_stmt **cache = mem_array(c->slots, sizeof(struct db_stmt *));
    m->base = (struct db){.ops = &maria_ops, .dialect = DB_MYSQL, .cache = cache, .cache_n = c->slots};
    m->h = mysql_init(NULL);
    must(m->h);
    bool ok = read_options(c->url, &o, &a, err);
    if (ok && str_starts(c->url->host, STR("/")))
        o.socket = socket_path(c->url->host, &a);
    if (ok)
        set_options(m->h, c, &o);
    if (ok && connect_server(m, c, &o, &a, err) && start_session(m, c, &a, err) && check_server(m, err)) {
        m->base.runs_each = takes_arrays(m);
        *ret = &m->base;
        return true;
    }
    maria_close(&m->base);
    struct str shown = db_url_shown(c->url, &a);
    return err_wrap(err, "open \"%.*s\"", STR_ARG(shown));
}

const struct db_engine db_engine_mysql = {.name = "mysql", .dialect = DB_MYSQL, .open = maria_open};
