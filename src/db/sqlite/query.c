// SPDX-License-Identifier: Apache-2.0
// Users' SQL on a file of SQLite, and on nothing else: the file is opened below a folder that the caller has
// opened, no symbolic link is followed, no other file can be attached and no code be loaded.
//
// The library would resolve links in a name by itself and open what they name a moment later. Its file system
// is therefore copied with one function replaced: a name is taken as it is, "/proc/self/fd/<folder>/<file>",
// and all files beside it (journal, log) are reached through the same open folder.
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/sync.h"
#include "db/query_impl.h"

enum {
    NAME_BYTES_MAX = 240, // room for "-journal" behind it
    PATH_BYTES_MAX = NAME_BYTES_MAX + 64,
    PROGRESS_STEPS = 1000, // of its machine between two looks at the clock
    BUSY_SLICE_MS = 20,
    BUSY_MS_MAX = 10000,
};
#define FILES_NAME "chronos-beneath"

struct lite {
    struct query base; // first
    sqlite3 *h;
    sqlite3_stmt *s;
    int folder;
    struct duration statement_time;
    struct mono deadline;
    bool read_only, allow_all, timed_out, row_waits, done;
    bool changes; // the present statement can
};

static struct lite *of(struct query *q) { return (struct lite *)q; }

// ---- files -------------------------------------------------------------------------------------

static int name_as_it_is(sqlite3_vfs *vfs, const char *name, int n, char *out)
{
    (void)vfs;
    return (size_t)snprintf(out, (size_t)n, "%s", name) < (size_t)n ? SQLITE_OK : SQLITE_CANTOPEN;
}

static sqlite3_vfs beneath;

static void beneath_make(void)
{
    (void)sqlite3_initialize();
    const sqlite3_vfs *normal = sqlite3_vfs_find(NULL);
    must(normal);
    beneath = *normal;
    beneath.pNext = NULL;
    beneath.zName = FILES_NAME;
    beneath.xFullPathname = name_as_it_is;
    must(sqlite3_vfs_register(&beneath, 0) == SQLITE_OK);
}

static bool same_file(int folder, const char *name, struct str other)
{
    enum { OTHER_BYTES_MAX = 4096 };
    char path[OTHER_BYTES_MAX];
    struct stat a, b;
    if (other.n >= sizeof path)
        return false;
    memcpy(path, other.p, other.n);
    path[other.n] = '\0';
    return fstatat(folder, name, &a, AT_SYMLINK_NOFOLLOW) == 0 && stat(path, &b) == 0 &&
           a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static bool file_fit(const struct query_options *o, const char *name, struct query_err *err)
{
    struct stat st;
    bool there = fstatat(o->folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
    if (there && !S_ISREG(st.st_mode))
        return query_fail(err, ERR_INVALID, "SQLITE_CANTOPEN", "the database file is no regular file");
    if (!there && !o->create)
        return query_fail(err, ERR_INVALID, "SQLITE_CANTOPEN", "the database file does not exist");
    for (size_t i = 0; i < o->refused.n; i++)
        if (same_file(o->folder, name, o->refused.v[i]))
            return query_fail(err, ERR_INVALID, "SQLITE_AUTH", "the server's own data file is not for jobs");
    return true;
}

// ---- errors ------------------------------------------------------------------------------------

static const char *name_of(int rc)
{
    static const char *const names[] = {
        [SQLITE_ERROR] = "SQLITE_ERROR",
        [SQLITE_PERM] = "SQLITE_PERM",
        [SQLITE_ABORT] = "SQLITE_ABORT",
        [SQLITE_BUSY] = "SQLITE_BUSY",
        [SQLITE_LOCKED] = "SQLITE_LOCKED",
        [SQLITE_NOMEM] = "SQLITE_NOMEM",
        [SQLITE_READONLY] = "SQLITE_READONLY",
        [SQLITE_INTERRUPT] = "SQLITE_INTERRUPT",
        [SQLITE_IOERR] = "SQLITE_IOERR",
        [SQLITE_CORRUPT] = "SQLITE_CORRUPT",
        [SQLITE_FULL] = "SQLITE_FULL",
        [SQLITE_CANTOPEN] = "SQLITE_CANTOPEN",
        [SQLITE_SCHEMA] = "SQLITE_SCHEMA",
        [SQLITE_TOOBIG] = "SQLITE_TOOBIG",
        [SQLITE_CONSTRAINT] = "SQLITE_CONSTRAINT",
        [SQLITE_MISMATCH] = "SQLITE_MISMATCH",
        [SQLITE_MISUSE] = "SQLITE_MISUSE",
        [SQLITE_AUTH] = "SQLITE_AUTH",
        [SQLITE_RANGE] = "SQLITE_RANGE",
        [SQLITE_NOTADB] = "SQLITE_NOTADB",
    };
    int primary = rc & 0xff;
    bool known = primary > 0 && (size_t)primary < sizeof names / sizeof names[0];
    return known && names[primary] ? names[primary] : "SQLITE_ERROR";
}

static bool failed(struct lite *l, int rc, struct query_err *err)
{
    int primary = rc & 0xff;
    enum err_code code = primary == SQLITE_BUSY || primary == SQLITE_LOCKED ? ERR_BUSY : ERR_INVALID;
    if (query_stopped(&l->base))
        return query_fail(err, ERR_UNAVAILABLE, name_of(rc), "interrupted");
    if (l->timed_out)
        return query_fail(err, ERR_TIMEOUT, "SQLITE_INTERRUPT", "the statement took longer than %lld s",
                          (long long)(l->statement_time.us / US_PER_S));
    if (primary == SQLITE_AUTH)
        return query_fail(err, ERR_INVALID, l->read_only ? "SQLITE_READONLY" : "SQLITE_AUTH",
                          l->read_only ? "the job is read-only: a statement wants to change something"
                                       : "a statement does what jobs may not do with a database file");
    return query_fail(err, code, name_of(rc), "%s", sqlite3_errmsg(l->h));
}

// ---- limits ------------------------------------------------------------------------------------

// True: time to end.
static int on_progress(void *ctx)
{
    struct lite *l = ctx;
    l->timed_out = l->deadline.us > 0 && clock_mono(clock_real()).us >= l->deadline.us;
    return query_stopped(&l->base) || l->timed_out;
}

// Waits a little for whoever else uses the file; false: no longer.
static int on_busy(void *ctx, int count)
{
    struct lite *l = ctx;
    if (on_progress(l) || count * BUSY_SLICE_MS >= BUSY_MS_MAX)
        return 0;
    (void)sqlite3_sleep(BUSY_SLICE_MS);
    return 1;
}

static bool pragma_reads(const char *name)
{
    static const char *const known[] = {"table_info",
                                        "table_xinfo",
                                        "table_list",
                                        "index_list",
                                        "index_info",
                                        "index_xinfo",
                                        "foreign_key_list",
                                        "foreign_key_check",
                                        "database_list",
                                        "integrity_check",
                                        "quick_check",
                                        "compile_options",
                                        NULL};
    for (const char *const *k = known; name && *k; k++)
        if (str_eq_nocase(str_of(name), str_of(*k)))
            return true;
    return false;
}

static int on_authorise(void *ctx, int action, const char *first, const char *second, const char *third,
                        const char *inner)
{
    const struct lite *l = ctx;
    (void)third;
    (void)inner;
    if (l->allow_all)
        return SQLITE_OK;
    switch (action) {
    case SQLITE_SELECT:
    case SQLITE_READ:
    case SQLITE_RECURSIVE:
        return SQLITE_OK;
    case SQLITE_ATTACH:
    case SQLITE_DETACH:
    case SQLITE_TRANSACTION:
    case SQLITE_SAVEPOINT:
        return SQLITE_DENY;
    case SQLITE_PRAGMA:
        return pragma_reads(first) ? SQLITE_OK : SQLITE_DENY;
    case SQLITE_FUNCTION:
        return second && str_eq_nocase(str_of(second), STR("load_extension")) ? SQLITE_DENY : SQLITE_OK;
    default:
        return l->read_only ? SQLITE_DENY : SQLITE_OK;
    }
}

// ---- commands of ours --------------------------------------------------------------------------

static bool command(struct lite *l, const char *sql, struct query_err *err)
{
    l->allow_all = true;
    int rc = sqlite3_exec(l->h, sql, NULL, NULL, NULL);
    l->allow_all = false;
    return rc == SQLITE_OK || failed(l, rc, err);
}

static bool lite_session(struct query *q, const struct query_session *s, struct query_err *err)
{
    struct lite *l = of(q);
    l->statement_time = s->statement_time;
    l->read_only = s->read_only;
    return !s->read_only || command(l, "PRAGMA query_only = 1", err);
}

// Isolation is serializable, whatever is asked for.
static bool lite_begin(struct query *q, enum query_isolation isolation, struct query_err *err)
{
    (void)isolation;
    return command(of(q), of(q)->read_only ? "BEGIN" : "BEGIN IMMEDIATE", err);
}

static bool lite_commit(struct query *q, struct query_err *err) { return command(of(q), "COMMIT", err); }

// ---- statements --------------------------------------------------------------------------------

static int bind(sqlite3_stmt *s, int at, const struct query_value *v)
{
    switch (v->type) {
    case QUERY_NULL:
        return sqlite3_bind_null(s, at);
    case QUERY_BOOL:
    case QUERY_I64:
        return sqlite3_bind_int64(s, at, v->i);
    case QUERY_F64:
        return sqlite3_bind_double(s, at, v->f);
    case QUERY_BYTES:
        return sqlite3_bind_blob64(s, at, v->text.p, v->text.n, SQLITE_STATIC);
    default:
        return sqlite3_bind_text64(s, at, v->text.p, v->text.n, SQLITE_STATIC, SQLITE_UTF8);
    }
}

static void describe(struct lite *l)
{
    int n = sqlite3_column_count(l->s);
    query_columns_new(&l->base, (size_t)n);
    for (int i = 0; i < n; i++)
        query_column_name(&l->base, (size_t)i, str_of(sqlite3_column_name(l->s, i)));
}

static void statement_end(struct lite *l)
{
    (void)sqlite3_finalize(l->s);
    l->s = NULL;
}

static bool step(struct lite *l, struct query_err *err)
{
    int rc = sqlite3_step(l->s);
    l->row_waits = rc == SQLITE_ROW;
    l->done = rc == SQLITE_DONE;
    if (l->done && l->changes)
        l->base.affected = sqlite3_changes64(l->h);
    if (rc == SQLITE_ROW || rc == SQLITE_DONE)
        return true;
    (void)failed(l, rc, err);
    statement_end(l);
    return false;
}

static bool lite_start(struct query *q, struct str sql, const struct query_value *v, size_t n,
                       struct query_err *err)
{
    struct lite *l = of(q);
    const char *tail = NULL;
    must(!l->s);
    l->timed_out = false;
    l->deadline =
        l->statement_time.us > 0 ? mono_add(clock_mono(clock_real()), l->statement_time) : (struct mono){0};
    int rc = sqlite3_prepare_v2(l->h, sql.p, (int)sql.n, &l->s, &tail);
    if (rc != SQLITE_OK)
        return failed(l, rc, err);
    if (!l->s || str_trim(str_of_n(tail, (size_t)(sql.p + sql.n - tail))).n > 0) {
        statement_end(l);
        return query_fail(err, ERR_INVALID, "SQLITE_ERROR", "something stands behind the end of a statement");
    }
    for (size_t i = 0; rc == SQLITE_OK && i < n; i++)
        rc = bind(l->s, (int)i + 1, &v[i]);
    if (rc != SQLITE_OK || (size_t)sqlite3_bind_parameter_count(l->s) != n) {
        (void)query_fail(err, ERR_INVALID, name_of(rc), "the parameters cannot be bound: %s",
                         sqlite3_errstr(rc));
        statement_end(l);
        return false;
    }
    describe(l);
    l->changes = !sqlite3_stmt_readonly(l->s);
    return step(l, err);
}

static bool lite_next(struct query *q, bool *ret_row, struct query_err *err)
{
    struct lite *l = of(q);
    must(l->s);
    if (!l->row_waits && !l->done && !step(l, err))
        return false;
    *ret_row = l->row_waits;
    l->row_waits = false;
    if (l->done)
        statement_end(l);
    l->done = false;
    return true;
}

static struct query_value lite_value(struct query *q, size_t column)
{
    struct lite *l = of(q);
    int at = (int)column;
    const char *p;
    switch (sqlite3_column_type(l->s, at)) {
    case SQLITE_NULL:
        return (struct query_value){.type = QUERY_NULL};
    case SQLITE_INTEGER:
        return (struct query_value){.type = QUERY_I64, .i = sqlite3_column_int64(l->s, at)};
    case SQLITE_FLOAT:
        return (struct query_value){.type = QUERY_F64, .f = sqlite3_column_double(l->s, at)};
    case SQLITE_BLOB:
        p = sqlite3_column_blob(l->s, at);
        return (struct query_value){.type = QUERY_BYTES,
                                    .text = str_of_n(p ? p : "", (size_t)sqlite3_column_bytes(l->s, at))};
    default:
        p = (const char *)sqlite3_column_text(l->s, at);
        return (struct query_value){.type = QUERY_TEXT,
                                    .text = str_of_n(p ? p : "", (size_t)sqlite3_column_bytes(l->s, at))};
    }
}

// ---- life --------------------------------------------------------------------------------------

static void lite_close(struct query *q)
{
    struct lite *l = of(q);
    statement_end(l);
    (void)sqlite3_close(l->h);
    cleanup_fd(&l->folder);
    mem_free(l);
}

static void lite_interrupt(struct query *q) { sqlite3_interrupt(of(q)->h); }

static bool lite_reset(struct query *q) { return q == NULL; } // opening one costs nothing: never reused

static bool lite_alive(struct query *q) { return of(q)->h != NULL; }

static const struct query_ops ops = {
    .close = lite_close,
    .session = lite_session,
    .begin = lite_begin,
    .commit = lite_commit,
    .start = lite_start,
    .next = lite_next,
    .value = lite_value,
    .interrupt = lite_interrupt,
    .reset = lite_reset,
    .alive = lite_alive,
};

static bool open_file(struct lite *l, const struct query_options *o, struct query_err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    char name[NAME_BYTES_MAX], path[PATH_BYTES_MAX] = ":memory:";
    bool memory = !o->file.p;
    (void)pthread_once(&once, beneath_make);
    if (!memory) {
        if (o->file.n == 0 || o->file.n >= sizeof name || str_find(o->file, '/') < o->file.n)
            return query_fail(err, ERR_INVALID, "SQLITE_CANTOPEN",
                              "the name of the database file is too long");
        memcpy(name, o->file.p, o->file.n);
        name[o->file.n] = '\0';
        if (!file_fit(o, name, err))
            return false;
        l->folder = fcntl(o->folder, F_DUPFD_CLOEXEC, 0);
        if (l->folder < 0)
            return query_fail(err, ERR_INVALID, "SQLITE_CANTOPEN", "too many open files");
        (void)snprintf(path, sizeof path, "/proc/self/fd/%d/%s", l->folder, name);
    }
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | (o->create || memory ? SQLITE_OPEN_CREATE : 0);
    int rc = sqlite3_open_v2(path, &l->h, flags, memory ? NULL : FILES_NAME);
    must(l->h); // out of memory
    return rc == SQLITE_OK || query_fail(err, ERR_INVALID, name_of(rc),
                                         "the database file cannot be opened: %s", sqlite3_errmsg(l->h));
}

bool query_open_sqlite(const struct query_options *o, struct query **ret, struct query_err *err)
{
    struct lite *l = mem_new(struct lite);
    l->base.ops = &ops;
    l->base.affected = -1;
    l->folder = -1;
    if (!open_file(l, o, err)) {
        lite_close(&l->base);
        return false;
    }
    (void)sqlite3_extended_result_codes(l->h, 1);
    (void)sqlite3_limit(l->h, SQLITE_LIMIT_ATTACHED, 0);
    (void)sqlite3_limit(l->h, SQLITE_LIMIT_LENGTH, QUERY_ROW_BYTES_MAX);
    (void)sqlite3_db_config(l->h, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    (void)sqlite3_db_config(l->h, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    (void)sqlite3_db_config(l->h, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
    (void)sqlite3_busy_handler(l->h, on_busy, l);
    sqlite3_progress_handler(l->h, PROGRESS_STEPS, on_progress, l);
    (void)sqlite3_set_authorizer(l->h, on_authorise, l);
    *ret = &l->base;
    return true;
}
