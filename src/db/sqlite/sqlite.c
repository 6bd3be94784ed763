// SPDX-License-Identifier: Apache-2.0
// SQLite driver: the only file that includes sqlite3.h for the store. Maps result codes to err_code and
// gives every error the sentence with the remedy. WAL with synchronous=FULL: what was committed survives
// power loss. Before 3.51.3 SQLite can damage a file when two connections move the log into it: only the
// writer does. Connections have no mutex (SQLITE_OPEN_NOMUTEX): one thread at a time. Contention (another
// process on the file) is waited for with jitter, at most BUSY_WAIT_MS_MAX.
#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>

#include "base/mem.h"
#include "base/rng.h"
#include "db/db.h"

enum { BUSY_WAIT_MS_MAX = 2000, BUSY_STEP_MS_MAX = 20, PATH_SHOWN_MAX = 200 };

enum fixed { BEGIN, COMMIT, ROLLBACK, SAVEPOINT, RELEASE, ROLLBACK_TO, FIXED_COUNT };
static const char *const fixed_sql[FIXED_COUNT] = {
    [BEGIN] = "BEGIN IMMEDIATE",   [COMMIT] = "COMMIT",       [ROLLBACK] = "ROLLBACK",
    [SAVEPOINT] = "SAVEPOINT one", [RELEASE] = "RELEASE one", [ROLLBACK_TO] = "ROLLBACK TO one",
};

struct sqlite {
    struct db base; // first
    sqlite3 *h;
    sqlite3_stmt *fixed[FIXED_COUNT];
    int wal_pages; // after the last commit
    int busy_ms;   // waited so far for the present statement
    struct rng rng;
};
struct sqlite_stmt {
    struct db_stmt base; // first
    sqlite3_stmt *h;
    int bind_rc; // first failure of a bind since the last step
};

static struct sqlite *of_db(struct db *d) { return (struct sqlite *)d; }
static sqlite3_stmt *handle(struct db_stmt *s) { return ((struct sqlite_stmt *)s)->h; }

static bool fail(sqlite3 *h, int rc, struct err *err)
{
    static const struct {
        int rc;
        enum err_code code;
        const char *text;
    } known[] = {
        {SQLITE_BUSY, ERR_BUSY, "the data file is in use by another program: try again"},
        {SQLITE_LOCKED, ERR_BUSY, "the data file is in use by another program: try again"},
        {SQLITE_FULL, ERR_FULL, "no space left for the data file: free disk space"},
        {SQLITE_CORRUPT, ERR_CORRUPT, "the data file is damaged: restore it from a backup"},
        {SQLITE_NOTADB, ERR_CORRUPT, "the data file is not a database: restore it from a backup"},
        {SQLITE_READONLY, ERR_IO, "the data file is read-only: give the server's user write permission"},
        {SQLITE_CANTOPEN, ERR_IO,
         "the data file cannot be opened: check that its folder exists and is writable"},
        {SQLITE_PERM, ERR_IO,
         "the data file may not be used: give the server's user read and write permission"},
        {SQLITE_NOMEM, ERR_UNAVAILABLE, "not enough memory for the data store: try again"},
        {SQLITE_TOOBIG, ERR_TOO_LARGE, "a value is too large for the data store: shorten it"},
        {SQLITE_CONSTRAINT, ERR_CONFLICT, "a row with this key exists already"},
    };
    int extended = h ? sqlite3_extended_errcode(h) : rc;
    if ((extended & 0xff) != (rc & 0xff))
        extended = rc;
    const char *text = NULL;
    enum err_code code = ERR_INTERNAL;
    for (size_t i = 0; !text && i < sizeof known / sizeof known[0]; i++)
        if (known[i].rc == (rc & 0xff)) {
            text = known[i].text;
            code = known[i].code;
        }
    if (!text && (rc & 0xff) == SQLITE_IOERR) {
        int os = errno; // of the call that failed: sqlite3_system_errno is not set when a COMMIT fails
        code = os == ENOSPC || os == EDQUOT || os == EFBIG ? ERR_FULL : ERR_IO;
        text = code == ERR_FULL ? known[2].text : "reading or writing the data file failed: check the disk";
    }
    if (text)
        (void)ERR(err, code, "%s", text);
    else
        (void)ERR(err, code, "data store: %s", sqlite3_errstr(rc));
    err->native = extended;
    return false;
}

// ---- statements --------------------------------------------------------------------------------

static bool sqlite_prepare(struct db *d, struct str sql, struct db_stmt **ret, struct err *err)
{
    sqlite3_stmt *h = NULL;
    int rc = sqlite3_prepare_v3(of_db(d)->h, sql.p, (int)sql.n, SQLITE_PREPARE_PERSISTENT, &h, NULL);
    if (rc != SQLITE_OK) {
        (void)fail(of_db(d)->h, rc, err);
        return (rc & 0xff) == SQLITE_ERROR
                   ? ERR(err, ERR_INTERNAL, "data store: statement refused: %s", sqlite3_errmsg(of_db(d)->h))
                   : false;
    }
    struct sqlite_stmt *s = mem_new(struct sqlite_stmt);
    s->base.db = d;
    s->h = h;
    *ret = &s->base;
    return true;
}

static void sqlite_finalize(struct db_stmt *s)
{
    sqlite3_finalize(handle(s));
    mem_free(s);
}

static void bound(struct db_stmt *s, int rc)
{
    struct sqlite_stmt *st = (struct sqlite_stmt *)s;
    if (rc != SQLITE_OK && st->bind_rc == SQLITE_OK)
        st->bind_rc = rc;
}

static void sqlite_bind_null(struct db_stmt *s, int at) { bound(s, sqlite3_bind_null(handle(s), at)); }
static void sqlite_bind_i64(struct db_stmt *s, int at, int64_t v)
{
    bound(s, sqlite3_bind_int64(handle(s), at, v));
}
static void sqlite_bind_f64(struct db_stmt *s, int at, double v)
{
    bound(s, sqlite3_bind_double(handle(s), at, v));
}

static void sqlite_bind_text(struct db_stmt *s, int at, struct str v)
{
    bound(s, v.p ? sqlite3_bind_text64(handle(s), at, v.p, v.n, SQLITE_STATIC, SQLITE_UTF8)
                 : sqlite3_bind_null(handle(s), at));
}

static void sqlite_bind_blob(struct db_stmt *s, int at, const void *p, size_t n)
{
    bound(s, sqlite3_bind_blob64(handle(s), at, p, n, SQLITE_STATIC));
}

static bool sqlite_step(struct db_stmt *s, bool *ret_row, struct err *err)
{
    struct sqlite_stmt *st = (struct sqlite_stmt *)s;
    int rc = st->bind_rc ? st->bind_rc : sqlite3_step(st->h);
    if (rc == SQLITE_ROW) {
        *ret_row = true;
        return true;
    }
    bool ok = rc == SQLITE_DONE || fail(of_db(s->db)->h, rc, err);
    (void)sqlite3_reset(st->h); // repeats the failure of the step
    st->bind_rc = SQLITE_OK;
    if (ok)
        *ret_row = false;
    return ok;
}

static void sqlite_reset(struct db_stmt *s) { (void)sqlite3_reset(handle(s)); }

static bool sqlite_is_null(struct db_stmt *s, int col)
{
    return sqlite3_column_type(handle(s), col) == SQLITE_NULL;
}
static int64_t sqlite_i64(struct db_stmt *s, int col) { return sqlite3_column_int64(handle(s), col); }
static double sqlite_f64(struct db_stmt *s, int col) { return sqlite3_column_double(handle(s), col); }

// column_blob gives text as its bytes too; an empty value is told from NULL by its type.
static struct str sqlite_bytes(struct db_stmt *s, int col)
{
    const char *p = sqlite3_column_blob(handle(s), col);
    if (!p)
        return sqlite_is_null(s, col) ? STR_NONE : STR("");
    return (struct str){p, (size_t)sqlite3_column_bytes(handle(s), col)};
}

static int64_t sqlite_changes(struct db *d) { return sqlite3_changes(of_db(d)->h); }
static int64_t sqlite_changes_total(struct db *d) { return sqlite3_total_changes64(of_db(d)->h); }

static bool sqlite_script(struct db *d, struct str sql, struct err *err)
{
    sqlite3 *h = of_db(d)->h;
    const char *p = sql.p, *end = sql.p + sql.n;
    while (p < end) {
        sqlite3_stmt *s = NULL;
        int rc = sqlite3_prepare_v2(h, p, (int)(end - p), &s, &p);
        while (rc == SQLITE_OK && s && (rc = sqlite3_step(s)) == SQLITE_ROW)
            rc = SQLITE_OK;
        sqlite3_finalize(s);
        if (rc != SQLITE_OK && rc != SQLITE_DONE)
            return (rc & 0xff) == SQLITE_ERROR
                       ? ERR(err, ERR_INTERNAL, "data store: statement refused: %s", sqlite3_errmsg(h))
                       : fail(h, rc, err);
    }
    return true;
}

// ---- transactions ------------------------------------------------------------------------------

static bool run_fixed(struct db *d, enum fixed which, struct err *err)
{
    struct sqlite *q = of_db(d);
    int rc = SQLITE_OK;
    if (!q->fixed[which])
        rc =
            sqlite3_prepare_v3(q->h, fixed_sql[which], -1, SQLITE_PREPARE_PERSISTENT, &q->fixed[which], NULL);
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(q->fixed[which]);
        bool ok = rc == SQLITE_DONE || fail(q->h, rc, err);
        (void)sqlite3_reset(q->fixed[which]);
        return ok;
    }
    return fail(q->h, rc, err);
}

static bool sqlite_begin(struct db *d, struct err *err) { return run_fixed(d, BEGIN, err); }

static bool sqlite_in_transaction(struct db *d) { return !sqlite3_get_autocommit(of_db(d)->h); }

static void sqlite_rollback(struct db *d)
{
    struct err ignored; // a failing ROLLBACK has rolled back as well
    if (sqlite_in_transaction(d))
        (void)run_fixed(d, ROLLBACK, &ignored);
}

// A failed COMMIT of the log was not acknowledged and is overwritten by the next one.
static bool sqlite_commit(struct db *d, struct err *err)
{
    if (run_fixed(d, COMMIT, err))
        return true;
    sqlite_rollback(d);
    return false;
}

static bool sqlite_savepoint(struct db *d, struct err *err) { return run_fixed(d, SAVEPOINT, err); }
static bool sqlite_savepoint_release(struct db *d, struct err *err) { return run_fixed(d, RELEASE, err); }
static bool sqlite_savepoint_rollback(struct db *d, struct err *err)
{
    return run_fixed(d, ROLLBACK_TO, err) && run_fixed(d, RELEASE, err);
}

static int64_t sqlite_backlog(struct db *d) { return of_db(d)->wal_pages; }

// A passive checkpoint never waits for readers; what it could not move stays for the next one.
static bool sqlite_tidy(struct db *d, struct err *err)
{
    int rc = sqlite3_wal_checkpoint_v2(of_db(d)->h, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    if (rc != SQLITE_OK)
        return fail(of_db(d)->h, rc, err);
    of_db(d)->wal_pages = 0;
    return true;
}

// ---- open and close ----------------------------------------------------------------------------

static int on_commit(void *arg, sqlite3 *h, const char *name, int pages)
{
    (void)h;
    (void)name;
    ((struct sqlite *)arg)->wal_pages = pages;
    return SQLITE_OK;
}

static int on_busy(void *arg, int count)
{
    struct sqlite *q = arg;
    if (count == 0)
        q->busy_ms = 0;
    if (q->busy_ms >= BUSY_WAIT_MS_MAX)
        return 0;
    int ms = 1 + (int)rng_below(&q->rng, BUSY_STEP_MS_MAX);
    q->busy_ms += ms;
    (void)sqlite3_sleep(ms);
    return 1;
}

static void sqlite_close(struct db *d)
{
    struct sqlite *q = of_db(d);
    for (size_t i = 0; i < d->cache_n; i++)
        if (d->cache[i])
            sqlite_finalize(d->cache[i]);
    for (size_t i = 0; i < FIXED_COUNT; i++)
        sqlite3_finalize(q->fixed[i]);
    (void)sqlite3_close_v2(q->h);
    mem_free(d->cache);
    mem_free(q);
}

static const struct db_ops sqlite_ops = {
    .name = "sqlite",
    .close = sqlite_close,
    .prepare = sqlite_prepare,
    .finalize = sqlite_finalize,
    .bind_null = sqlite_bind_null,
    .bind_i64 = sqlite_bind_i64,
    .bind_f64 = sqlite_bind_f64,
    .bind_text = sqlite_bind_text,
    .bind_blob = sqlite_bind_blob,
    .step = sqlite_step,
    .reset = sqlite_reset,
    .is_null = sqlite_is_null,
    .i64 = sqlite_i64,
    .f64 = sqlite_f64,
    .bytes = sqlite_bytes,
    .changes = sqlite_changes,
    .changes_total = sqlite_changes_total,
    .script = sqlite_script,
    .begin = sqlite_begin,
    .commit = sqlite_commit,
    .rollback = sqlite_rollback,
    .savepoint = sqlite_savepoint,
    .savepoint_release = sqlite_savepoint_release,
    .savepoint_rollback = sqlite_savepoint_rollback,
    .in_transaction = sqlite_in_transaction,
    .backlog = sqlite_backlog,
    .tidy = sqlite_tidy,
};

// No mmap: an I/O error would be a signal. Temporary b-trees stay in memory: the folder of temporary files
// may be another disk. The limit cuts a log that one long reader made grow.
static bool configure(struct sqlite *q, const struct db_config *c, struct err *err)
{
    char cache[64];
    (void)snprintf(cache, sizeof cache, "PRAGMA cache_size=-%lld;", (long long)c->cache_kib);
    struct str common = STR("PRAGMA mmap_size=0; PRAGMA temp_store=MEMORY; PRAGMA wal_autocheckpoint=0;"
                            "PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON;");
    struct str role = c->read_only ? STR("PRAGMA query_only=1;")
                                   : STR("PRAGMA journal_mode=WAL; PRAGMA foreign_keys=ON;"
                                         "PRAGMA journal_size_limit=67108864;");
    struct str durability = c->relaxed ? STR("PRAGMA synchronous=NORMAL;") : STR("PRAGMA synchronous=FULL;");
    (void)sqlite3_busy_handler(q->h, on_busy, q);
    if (!sqlite_script(&q->base, role, err) || !sqlite_script(&q->base, durability, err) ||
        !sqlite_script(&q->base, common, err) || !sqlite_script(&q->base, str_of(cache), err))
        return false;
    if (!c->read_only && sqlite3_db_readonly(q->h, "main") != 0)
        return fail(NULL, SQLITE_READONLY, err);
    if (!c->read_only)
        (void)sqlite3_wal_hook(q->h, on_commit, q);
    return true;
}

// SQLite counts its memory under one lock for the whole process; nobody reads the count.
static void library_init(void) { (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); }

static bool sqlite_open(const struct db_config *c, struct db **ret, struct err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, library_init);
    struct sqlite *q = mem_new(struct sqlite);
    struct db_stmt **cache = mem_array(c->slots, sizeof(struct db_stmt *));
    q->base = (struct db){.ops = &sqlite_ops, .cache = cache, .cache_n = c->slots};
    rng_init_random(&q->rng);
    // Readers open read-write too: a reader of a log may have to make the shared index; query_only keeps them
    // honest.
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | (c->read_only ? 0 : SQLITE_OPEN_CREATE);
    int rc = sqlite3_open_v2(c->path, &q->h, flags, NULL);
    (void)sqlite3_extended_result_codes(q->h, 1);
    if ((rc == SQLITE_OK || fail(q->h, rc, err)) && configure(q, c, err)) {
        *ret = &q->base;
        return true;
    }
    sqlite_close(&q->base);
    return err_wrap(err, "open \"%.*s\"", PATH_SHOWN_MAX, c->path);
}

const struct db_engine db_engine_sqlite = {.name = "sqlite", .open = sqlite_open};
