// SPDX-License-Identifier: Apache-2.0
// Users' SQL on MariaDB and MySQL: prepared statements whose rows are fetched one by one, unbuffered.
#include <errmsg.h>
#include <mysqld_error.h>
#include <poll.h>

#include "base/mem.h"
#include "base/sync.h"
#include "db/mysql/query_impl.h"

enum {
    FIRST_BUFFER = 64,
    SQL_MAX = 256,
    MAP_BINARY = 63, // number of the character set of bytes
    BITS_MAX = 8,
    // Numbers that the headers of MariaDB or of an older client do not have.
    STATEMENT_TIMEOUT = 1969,
    EXECUTION_TIMEOUT = 3024,
    LOCK_NOWAIT = 3572,
    CONNECTION_KILLED = 1927,
    SESSION_WAS_KILLED = 3169,
};

// ---- errors ------------------------------------------------------------------------------------

static bool is_lost(unsigned number)
{
    static const unsigned known[] = {
        ER_SERVER_SHUTDOWN,         ER_NORMAL_SHUTDOWN,      CONNECTION_KILLED,     SESSION_WAS_KILLED,
        ER_NET_READ_ERROR,          ER_NET_READ_INTERRUPTED, ER_NET_ERROR_ON_WRITE, ER_NET_WRITE_INTERRUPTED,
        ER_NEW_ABORTING_CONNECTION, ER_UNKNOWN_COM_ERROR};
    if (number >= CR_MIN_ERROR && number <= CR_MAX_ERROR)
        return true;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (known[i] == number)
            return true;
    return false;
}

static bool failed(struct my_query *m, unsigned number, const char *state, const char *text,
                   struct query_err *err)
{
    char code[QUERY_CODE_MAX];
    bool general = strcmp(state, "HY000") == 0 || state[0] == '\0' || strcmp(state, "00000") == 0;
    (void)snprintf(code, sizeof code, "%.8s", state);
    if (general)
        (void)snprintf(code, sizeof code, "%u", number);
    m->lost |= is_lost(number) || m->killed;
    if (query_stopped(&m->base))
        return query_fail(err, ERR_UNAVAILABLE, NULL, "interrupted");
    if (m->timed_out || number == STATEMENT_TIMEOUT || number == EXECUTION_TIMEOUT)
        return query_fail(err, ERR_TIMEOUT, code, "the statement took longer than %lld s",
                          (long long)(m->statement_time.us / US_PER_S));
    if (is_lost(number))
        return query_fail(err, ERR_UNAVAILABLE, NULL,
                          "the connection to the database server was lost: see whether it runs, and its log");
    bool busy = number == ER_LOCK_DEADLOCK || number == ER_LOCK_WAIT_TIMEOUT || number == LOCK_NOWAIT ||
                number == ER_CHECKREAD;
    return query_fail(err, busy ? ERR_BUSY : ERR_INVALID, code, "%s", text);
}

static bool handle_failed(struct my_query *m, struct query_err *err)
{
    return failed(m, mysql_errno(m->h), mysql_sqlstate(m->h), mysql_error(m->h), err);
}

static bool stmt_failed(struct my_query *m, struct query_err *err)
{
    if (mysql_stmt_errno(m->s) == 0) // an error between rows is told to the connection alone
        return handle_failed(m, err);
    return failed(m, mysql_stmt_errno(m->s), mysql_stmt_sqlstate(m->s), mysql_stmt_error(m->s), err);
}

// ---- commands of ours --------------------------------------------------------------------------

static void clock_start(struct my_query *m)
{
    int64_t grace = m->mariadb ? QUERY_GRACE_MS * US_PER_MS : 0; // MySQL watches over nothing but SELECT
    m->timed_out = false;
    m->deadline = m->statement_time.us > 0
                      ? mono_add(my_query_now(), (struct duration){m->statement_time.us + grace})
                      : (struct mono){0};
}

static bool command(struct my_query *m, const char *sql, struct query_err *err)
{
    clock_start(m);
    if (m->lost || query_stopped(&m->base))
        return failed(m, CR_SERVER_GONE_ERROR, "", "", err);
    if (WAITING(m, int, mysql_real_query, m->h, sql, strlen(sql)) != 0)
        return handle_failed(m, err);
    MYSQL_RES *r = WAITING(m, MYSQL_RES *, mysql_store_result, m->h);
    mysql_free_result(r);
    return mysql_errno(m->h) == 0 || handle_failed(m, err);
}

static bool my_session(struct query *q, const struct query_session *s, struct query_err *err)
{
    struct my_query *m = my_query_of(q);
    char sql[SQL_MAX];
    m->statement_time = s->statement_time;
    m->read_only = s->read_only;
    long long ms = (long long)((s->statement_time.us + US_PER_MS - 1) / US_PER_MS);
    if (m->mariadb)
        (void)snprintf(sql, sizeof sql, "SET NAMES utf8mb4, SESSION max_statement_time = %lld.%03lld",
                       ms / 1000, ms % 1000);
    else
        (void)snprintf(sql, sizeof sql, "SET NAMES utf8mb4, SESSION max_execution_time = %lld", ms);
    return command(m, sql, err) && (!s->read_only || command(m, "SET SESSION TRANSACTION READ ONLY", err));
}

static bool my_begin(struct query *q, enum query_isolation isolation, struct query_err *err)
{
    static const char *const levels[] = {
        [QUERY_READ_UNCOMMITTED] = "SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED",
        [QUERY_READ_COMMITTED] = "SET TRANSACTION ISOLATION LEVEL READ COMMITTED",
        [QUERY_REPEATABLE_READ] = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
        [QUERY_SERIALIZABLE] = "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE",
    };
    struct my_query *m = my_query_of(q);
    return (isolation == QUERY_ISOLATION_DEFAULT || command(m, levels[isolation], err)) &&
           command(m, m->read_only ? "START TRANSACTION READ ONLY" : "START TRANSACTION", err);
}

static bool my_commit(struct query *q, struct query_err *err)
{
    struct my_query *m = my_query_of(q);
    if (command(m, "COMMIT", err))
        return true;
    if (m->lost && !query_stopped(q))
        return query_fail(err, ERR_UNKNOWN_COMMIT, NULL,
                          "the connection to the database server was lost while "
                          "committing: whether the changes are there is not known");
    return false;
}

// ---- statements --------------------------------------------------------------------------------

static MYSQL_BIND bind_of(struct query_value *v)
{
    static my_bool is_null = 1, is_not_null;
    MYSQL_BIND b = {.is_null = v->type == QUERY_NULL ? &is_null : &is_not_null};
    switch (v->type) {
    case QUERY_NULL:
        b.buffer_type = MYSQL_TYPE_NULL;
        return b;
    case QUERY_BOOL:
    case QUERY_I64:
        b.buffer_type = MYSQL_TYPE_LONGLONG;
        b.buffer = &v->i;
        return b;
    case QUERY_F64:
        b.buffer_type = MYSQL_TYPE_DOUBLE;
        b.buffer = &v->f;
        return b;
    case QUERY_DECIMAL:
        b.buffer_type = MYSQL_TYPE_NEWDECIMAL;
        break;
    case QUERY_BYTES:
        b.buffer_type = MYSQL_TYPE_BLOB;
        break;
    default:
        b.buffer_type = MYSQL_TYPE_STRING;
        break;
    }
    b.buffer = (void *)(uintptr_t)v->text.p;
    b.buffer_length = v->text.n; // sent as long as it says when there is no length of its own
    return b;
}

static void statement_end(struct my_query *m)
{
    for (size_t i = 0; m->cells && i < m->n_cells; i++)
        mem_free(m->cells[i].p);
    mem_free(m->cells);
    mem_free(m->out);
    m->cells = NULL;
    m->out = NULL;
    if (m->s)
        (void)mysql_stmt_close(m->s);
    m->s = NULL;
}

static enum query_type type_of(const MYSQL_FIELD *f)
{
    switch (f->type) {
    case MYSQL_TYPE_TINY:
    case MYSQL_TYPE_SHORT:
    case MYSQL_TYPE_INT24:
    case MYSQL_TYPE_LONG:
    case MYSQL_TYPE_LONGLONG:
    case MYSQL_TYPE_YEAR:
    case MYSQL_TYPE_BIT:
        return QUERY_I64;
    case MYSQL_TYPE_DOUBLE:
        return QUERY_F64;
    case MYSQL_TYPE_FLOAT: // as its own few digits
    case MYSQL_TYPE_DECIMAL:
    case MYSQL_TYPE_NEWDECIMAL:
        return QUERY_DECIMAL;
    case MYSQL_TYPE_DATE:
    case MYSQL_TYPE_NEWDATE:
        return QUERY_DATE;
    case MYSQL_TYPE_TIME:
        return QUERY_TIME;
    case MYSQL_TYPE_DATETIME:
    case MYSQL_TYPE_TIMESTAMP:
        return QUERY_TIMESTAMP;
    case MYSQL_TYPE_JSON:
        return QUERY_JSON;
    case MYSQL_TYPE_NULL:
        return QUERY_NULL;
    default:
        return f->charsetnr == MAP_BINARY ? QUERY_BYTES : QUERY_TEXT;
    }
}

static void describe(struct my_query *m)
{
    const MYSQL_FIELD *fields = mariadb_stmt_fetch_fields(m->s);
    size_t n = mysql_stmt_field_count(m->s);
    query_columns_new(&m->base, n);
    m->n_cells = n;
    m->cells = mem_array(n, sizeof *m->cells);
    m->out = mem_array(n, sizeof *m->out);
    for (size_t i = 0; i < n; i++) {
        struct cell *c = &m->cells[i];
        struct query_column *column = &m->base.columns[i];
        query_column_name(&m->base, i, str_of_n(fields[i].name, fields[i].name_length));
        column->type = type_of(&fields[i]);
        c->bits = fields[i].type == MYSQL_TYPE_BIT;
        c->how = column->type == QUERY_I64 && !c->bits ? INTEGER : column->type == QUERY_F64 ? REAL : TEXT;
        c->cap = FIRST_BUFFER;
        c->p = mem_array(c->cap, 1);
        m->out[i] = (MYSQL_BIND){.is_null = &c->null,
                                 .length = &c->n,
                                 .buffer = c->p,
                                 .buffer_length = c->cap,
                                 .buffer_type = MYSQL_TYPE_STRING};
        if (c->how == TEXT)
            continue;
        m->out[i].buffer_type = c->how == INTEGER ? MYSQL_TYPE_LONGLONG : MYSQL_TYPE_DOUBLE;
        m->out[i].buffer = c->how == INTEGER ? (void *)&c->i : (void *)&c->f;
        m->out[i].is_unsigned = (fields[i].flags & UNSIGNED_FLAG) != 0;
    }
    must(mysql_stmt_bind_result(m->s, m->out) == 0);
}

// Servers before MariaDB 10.6, and MySQL, cannot prepare everything. What has no parameters runs as a text.
static bool run_text(struct my_query *m, struct str sql, struct query_err *err)
{
    const char *text = arena_cstr(&m->a, sql);
    statement_end(m);
    if (!text)
        return query_fail(err, ERR_INVALID, NULL, "the statement is too long");
    if (!command(m, text, err))
        return false;
    my_ulonglong n = mysql_affected_rows(m->h);
    m->base.affected = n == (my_ulonglong)-1 ? -1 : (int64_t)n;
    return true;
}

static bool prepare_and_run(struct my_query *m, struct str sql, const struct query_value *v, size_t n,
                            struct query_err *err)
{
    if (WAITING(m, int, mysql_stmt_prepare, m->s, sql.p, sql.n) != 0) {
        if (mysql_stmt_errno(m->s) == ER_UNSUPPORTED_PS && n == 0)
            return run_text(m, sql, err);
        return stmt_failed(m, err);
    }
    if (mysql_stmt_param_count(m->s) != n)
        return query_fail(err, ERR_INVALID, NULL, "the server sees %lu parameters in a statement, not %zu",
                          mysql_stmt_param_count(m->s), n);
    MYSQL_BIND *in = arena_new_array(&m->a, MYSQL_BIND, n + 1);
    struct query_value *copy = arena_new_array(&m->a, struct query_value, n + 1);
    for (size_t i = 0; in && copy && i < n; i++) {
        copy[i] = v[i];
        in[i] = bind_of(&copy[i]);
    }
    if (m->a.exhausted)
        return query_fail(err, ERR_INVALID, NULL, "the statement has too many parameters");
    if (n > 0 && mysql_stmt_bind_param(m->s, in) != 0)
        return stmt_failed(m, err);
    if (WAITING(m, int, mysql_stmt_execute, m->s) != 0)
        return stmt_failed(m, err);
    if (mysql_stmt_field_count(m->s) > 0)
        describe(m);
    else
        m->base.affected = (int64_t)mysql_stmt_affected_rows(m->s);
    return true;
}

static bool my_start(struct query *q, struct str sql, const struct query_value *v, size_t n,
                     struct query_err *err)
{
    struct my_query *m = my_query_of(q);
    must(!m->s);
    arena_reset(&m->a);
    clock_start(m);
    if (m->lost || query_stopped(q))
        return failed(m, CR_SERVER_GONE_ERROR, "", "", err);
    m->s = mysql_stmt_init(m->h);
    must(m->s);
    if (prepare_and_run(m, sql, v, n, err))
        return true;
    statement_end(m);
    return false;
}

// What was longer than its buffer is fetched again, with room.
static bool complete(struct my_query *m, size_t i)
{
    struct cell *c = &m->cells[i];
    if (c->how != TEXT || c->null || c->n <= c->cap)
        return true;
    c->cap = c->n;
    c->p = mem_resize(c->p, c->cap, 1);
    m->out[i].buffer = c->p;
    m->out[i].buffer_length = c->cap;
    if (mysql_stmt_fetch_column(m->s, &m->out[i], (unsigned)i, 0) != 0)
        return false;
    return mysql_stmt_bind_result(m->s, m->out) == 0;
}

// A procedure gives several results; the first one counts.
static bool further_results(struct my_query *m, struct query_err *err)
{
    int more;
    while ((more = WAITING(m, int, mysql_stmt_next_result, m->s)) == 0)
        if (mysql_stmt_field_count(m->s) > 0)
            (void)WAITING(m, my_bool, mysql_stmt_free_result, m->s);
    return more < 0 || stmt_failed(m, err);
}

static bool my_next(struct query *q, bool *ret_row, struct query_err *err)
{
    struct my_query *m = my_query_of(q);
    int end = m->cells ? WAITING(m, int, mysql_stmt_fetch, m->s) : MYSQL_NO_DATA;
    bool row = end == 0 || end == MYSQL_DATA_TRUNCATED;
    bool ok = row || (end == MYSQL_NO_DATA && (!m->s || further_results(m, err)));
    if (end != MYSQL_NO_DATA && !row)
        ok = stmt_failed(m, err);
    for (size_t i = 0; ok && row && i < q->n_columns; i++)
        ok = complete(m, i) || stmt_failed(m, err);
    if (!ok || !row)
        statement_end(m);
    if (ok)
        *ret_row = row;
    return ok;
}

static struct query_value my_value(struct query *q, size_t column)
{
    struct my_query *m = my_query_of(q);
    const struct cell *c = &m->cells[column];
    struct query_value v = {.type = q->columns[column].type, .i = c->i, .f = c->f, .text = {c->p, c->n}};
    if (c->null)
        return (struct query_value){.type = QUERY_NULL};
    if (c->how == INTEGER && m->out[column].is_unsigned && c->i < 0) { // past the range of int64_t
        v.type = QUERY_DECIMAL;
        v.text = arena_fmt(&m->a, "%llu", (unsigned long long)c->i);
    }
    if (c->bits && c->n <= BITS_MAX) {
        uint64_t bits = 0;
        for (size_t i = 0; i < c->n; i++)
            bits = bits << 8 | (uint8_t)c->p[i];
        v.i = (int64_t)bits;
    }
    return v;
}

// ---- life --------------------------------------------------------------------------------------

static void my_close(struct query *q)
{
    struct my_query *m = my_query_of(q);
    if (m->cells && !m->lost) { // rows are left: closing would read them all
        my_query_kill(m);
        m->timed_out = true;
        atomic_store(&q->interrupted, true);
    }
    if (m->lost || m->killed)
        mysql_close(TAKE(m->h)); // first, so that nothing is sent to the server
    statement_end(m);
    if (m->h)
        mysql_close(m->h);
    arena_release(&m->texts);
    arena_release(&m->a);
    mem_free(m);
}

static bool my_reset(struct query *q)
{
    struct my_query *m = my_query_of(q);
    struct query_err err;
    if (m->lost || m->s)
        return false;
    m->statement_time = duration_ms(QUERY_GRACE_MS); // nobody may wait for it
    clock_start(m);
    if (WAITING(m, int, mysql_reset_connection, m->h) != 0)
        return false;
    return WAITING(m, int, mysql_select_db, m->h, m->target.url.name.p) == 0 || handle_failed(m, &err);
}

static bool my_alive(struct query *q)
{
    struct my_query *m = my_query_of(q);
    struct pollfd f = {.fd = mysql_get_socket(m->h), .events = POLLIN};
    return !m->lost && poll(&f, 1, 0) == 0; // a server speaks unasked only to say good-bye
}

const struct query_ops my_query_ops = {
    .close = my_close,
    .session = my_session,
    .begin = my_begin,
    .commit = my_commit,
    .start = my_start,
    .next = my_next,
    .value = my_value,
    .reset = my_reset,
    .alive = my_alive,
};
