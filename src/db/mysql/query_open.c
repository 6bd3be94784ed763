// SPDX-License-Identifier: Apache-2.0
// Connections for users' SQL on MariaDB and MySQL, and every wait on them. Each call that may wait goes
// through the library's non-blocking side: it hands the wait to us, so that the owner itself sees an
// interrupt or the end of the time. It then has the server end the connection's thread (KILL on a connection
// of its own) and lets the call fail. KILL QUERY was rejected: it is lost when it comes between two
// statements.
#include <errmsg.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>

#include "base/mem.h"
#include "base/sync.h"
#include "db/mysql/query_impl.h"

enum {
    TEXTS_BUDGET = 32 * 1024,
    SQL_MAX = 256,
    STACK_BYTES = 256 * 1024, // of the library's non-blocking calls
    KILL_S = 2,
};

// ---- connecting --------------------------------------------------------------------------------

static void set_options(MYSQL *h, const struct query_options *o, unsigned patience, struct arena *a)
{
    const struct query_target *t = o->target;
    unsigned off = 0, answer = (unsigned)(t->answer_time.us / US_PER_S);
    unsigned long packet = QUERY_ROW_BYTES_MAX;
    my_bool no = 0, tls = t->tls != QUERY_TLS_OFF, verify = t->tls >= QUERY_TLS_CA;
    (void)mysql_options(h, MYSQL_OPT_CONNECT_TIMEOUT, &patience);
    if (answer > 0) {
        (void)mysql_options(h, MYSQL_OPT_READ_TIMEOUT, &answer);
        (void)mysql_options(h, MYSQL_OPT_WRITE_TIMEOUT, &answer);
    }
    (void)mysql_options(h, MYSQL_OPT_RECONNECT, &no);
    (void)mysql_options(h, MYSQL_OPT_LOCAL_INFILE, &off); // or a server could ask for any file of ours
    (void)mysql_options(h, MYSQL_OPT_MAX_ALLOWED_PACKET, &packet);
    (void)mysql_options(h, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    (void)mysql_options(h, MYSQL_REPORT_DATA_TRUNCATION, &no); // lengths tell
    (void)mysql_options4(h, MYSQL_OPT_CONNECT_ATTR_ADD, "program_name", o->application);
    (void)mysql_options(h, MYSQL_OPT_SSL_ENFORCE, &tls);
    (void)mysql_options(h, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verify);
    if (tls && t->ca.p)
        (void)mysql_options(h, MYSQL_OPT_SSL_CA, arena_cstr(a, t->ca));
    // Methods that hand the password itself to the server only where nobody else can be at the other end.
    if (t->tls < QUERY_TLS_REQUIRE)
        (void)mysql_options(h, MARIADB_OPT_RESTRICTED_AUTH,
                            "mysql_native_password,caching_sha2_password,sha256_password,client_ed25519");
}

struct account {
    const char *host, *user, *password, *name;
    unsigned port;
};

// A certificate is for a name: where it is checked, it is the name that is connected to.
static struct account account_of(const struct query_options *o, struct arena *a)
{
    const struct db_url *u = &o->target->url;
    struct str host = o->target->tls == QUERY_TLS_VERIFY ? u->host : o->address;
    return (struct account){arena_cstr(a, host), u->user.p ? arena_cstr(a, u->user) : NULL,
                            u->password.p ? arena_cstr(a, u->password) : NULL, arena_cstr(a, u->name),
                            (unsigned)u->port};
}

void my_query_kill(struct my_query *m)
{
    struct arena a CLEANUP(arena_release);
    char sql[SQL_MAX];
    if (m->killed)
        return;
    m->killed = true;
    arena_init(&a, TEXTS_BUDGET);
    MYSQL *h = mysql_init(NULL);
    unsigned patience = KILL_S;
    must(h);
    set_options(h, &m->options, patience, &a);
    (void)mysql_options(h, MYSQL_OPT_READ_TIMEOUT, &patience);
    (void)mysql_options(h, MYSQL_OPT_WRITE_TIMEOUT, &patience);
    struct account k = account_of(&m->options, &a);
    (void)snprintf(sql, sizeof sql, "KILL %lu", m->id);
    if (mysql_real_connect(h, k.host, k.user, k.password, k.name, k.port, NULL, 0))
        (void)mysql_query(h, sql);
    mysql_close(h);
}

// ---- waiting -----------------------------------------------------------------------------------

int my_query_wait(struct my_query *m, int wants)
{
    struct pollfd f = {.fd = mysql_get_socket(m->h)};
    f.events = (short)((wants & MYSQL_WAIT_READ ? POLLIN : 0) | (wants & MYSQL_WAIT_WRITE ? POLLOUT : 0) |
                       (wants & MYSQL_WAIT_EXCEPT ? POLLPRI : 0));
    struct mono until =
        mono_add(my_query_now(),
                 duration_ms(wants & MYSQL_WAIT_TIMEOUT ? mysql_get_timeout_value_ms(m->h) : INT32_MAX));
    for (;;) {
        bool late = m->deadline.us > 0 && my_query_now().us >= m->deadline.us;
        if (query_stopped(&m->base) || late || query_open_stopped(&m->options)) {
            m->timed_out |= late;
            if (m->id > 0)
                my_query_kill(m);
            return MYSQL_WAIT_TIMEOUT;
        }
        if ((wants & MYSQL_WAIT_TIMEOUT) && my_query_now().us >= until.us)
            return MYSQL_WAIT_TIMEOUT;
        int n = poll(&f, 1, QUERY_SLICE_MS);
        if (n < 0 && errno != EINTR)
            return MYSQL_WAIT_TIMEOUT;
        if (n > 0)
            return (f.revents & (POLLIN | POLLHUP | POLLERR) ? MYSQL_WAIT_READ : 0) |
                   (f.revents & POLLOUT ? MYSQL_WAIT_WRITE : 0) |
                   (f.revents & POLLPRI ? MYSQL_WAIT_EXCEPT : 0);
    }
}

// ---- opening -----------------------------------------------------------------------------------

static bool connect_failed(struct my_query *m, const struct query_options *o, struct query_err *err)
{
    unsigned number = mysql_errno(m->h);
    const char *state = mysql_sqlstate(m->h);
    bool general = number >= CR_MIN_ERROR && number <= CR_MAX_ERROR;
    struct err why;
    if (query_open_stopped(o))
        return query_fail(err, ERR_UNAVAILABLE, NULL, "stopped while connecting");
    (void)maria_open_failed(number, mysql_error(m->h), &why);
    return query_fail(err, why.code == ERR_UNAVAILABLE ? ERR_UNAVAILABLE : ERR_INVALID,
                      general ? NULL : state, "%s", why.code == ERR_INTERNAL ? mysql_error(m->h) : why.text);
}

static void keep(struct my_query *m, const struct query_options *o)
{
    struct db_url *u = &m->target.url;
    m->target = *o->target;
    u->host = arena_str(&m->texts, u->host);
    u->name = arena_str(&m->texts, u->name);
    u->user = u->user.p ? arena_str(&m->texts, u->user) : STR_NONE;
    u->password = u->password.p ? arena_str(&m->texts, u->password) : STR_NONE;
    m->target.ca = m->target.ca.p ? arena_str(&m->texts, m->target.ca) : STR_NONE;
    m->options = *o;
    m->options.target = &m->target;
    m->options.address = arena_str(&m->texts, o->address);
    m->options.application = arena_cstr(&m->texts, str_of(o->application));
}

static void library_init(void) { must(mysql_server_init(0, NULL, NULL) == 0); }

bool query_open_mysql(const struct query_options *o, struct query **ret, struct query_err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    size_t stack = STACK_BYTES;
    (void)pthread_once(&once, library_init);
    struct my_query *m = mem_new(struct my_query);
    m->base.ops = &my_query_ops;
    m->base.affected = -1;
    arena_init(&m->texts, TEXTS_BUDGET);
    arena_init(&m->a, QUERY_ROW_BYTES_MAX);
    keep(m, o);
    m->h = mysql_init(NULL);
    must(m->h);
    (void)mysql_options(m->h, MYSQL_OPT_NONBLOCK, &stack);
    set_options(m->h, o, (unsigned)((o->patience.us + US_PER_S - 1) / US_PER_S), &m->texts);
    struct account k = account_of(o, &m->texts);
    bool ok = !m->texts.exhausted || query_fail(err, ERR_INVALID, NULL, "the database address is too long");
    if (ok && !WAITING(m, MYSQL *, mysql_real_connect, m->h, k.host, k.user, k.password, k.name, k.port, NULL,
                       CLIENT_FOUND_ROWS))
        ok = connect_failed(m, o, err);
    // A server without TLS gets no TLS from the library, whatever was asked for.
    if (ok && o->target->tls >= QUERY_TLS_REQUIRE && !mysql_get_ssl_cipher(m->h))
        ok = query_fail(err, ERR_INVALID, NULL,
                        "the database server offers no TLS: set it up there, or write useSSL=false");
    if (!ok) {
        m->lost = true;
        my_query_ops.close(&m->base);
        return false;
    }
    m->options.stop = NULL;
    m->id = mysql_thread_id(m->h);
    m->mariadb = mariadb_connection(m->h);
    *ret = &m->base;
    return true;
}
