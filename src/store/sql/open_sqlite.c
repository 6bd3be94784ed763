// SPDX-License-Identifier: Apache-2.0
// Opens the store on a SQLite file. A lock file beside it (flock) keeps a second server away: two processes
// that write would each believe to hold the due set. The kernel drops the lock when the process ends, however
// it ends.
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "db/migrate.h"
#include "store/sql/sql.h"
#include "store/sql/store_sql.h"
#include "store/sql/store_sqlite_migrations.h"

enum {
    PATH_BYTES_MAX = 4096,
    WRITER_CACHE_KIB = 32 * 1024,
    READER_CACHE_KIB = 2 * 1024,
    SQLITE_READERS = 4,
    LOCK_FILE_MODE = 0600
};

struct sqlite_home {
    char path[PATH_BYTES_MAX];
    int lock_fd;
};

static bool take_lock(struct sqlite_home *h, struct err *err)
{
    char lock[PATH_BYTES_MAX + 8];
    (void)snprintf(lock, sizeof lock, "%s.lock", h->path);
    h->lock_fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, LOCK_FILE_MODE);
    if (h->lock_fd < 0 && errno == ENOENT)
        return ERR(err, ERR_IO,
                   "the folder of data file \"%.200s\" does not exist: create it or choose another", h->path);
    if (h->lock_fd < 0)
        return ERR_ERRNO(
            err, "the folder of data file \"%.200s\" cannot be written: give the server's user permission",
            h->path);
    if (flock(h->lock_fd, LOCK_EX | LOCK_NB) == 0)
        return true;
    return ERR(err, ERR_BUSY,
               "another server uses data file \"%.200s\": stop it first or choose another folder", h->path);
}

// SQLite opens a file that it may not write for reading only; say so before anything is prepared.
static bool check_file(const char *path, struct err *err)
{
    struct stat st;
    if (stat(path, &st) != 0 || access(path, R_OK | W_OK) == 0)
        return true;
    return ERR(err, ERR_IO, "data file \"%.200s\" is read-only: give the server's user write permission",
               path);
}

static bool open_reader(void *ctx, bool read_only, struct db **ret, struct err *err)
{
    must(read_only); // the writer is there as long as the store
    const struct sqlite_home *h = ctx;
    struct db_config c = {
        .path = h->path, .read_only = true, .cache_kib = READER_CACHE_KIB, .slots = STORE_QUERY_COUNT};
    return db_engine_sqlite.open(&c, ret, err);
}

static void home_free(void *ctx)
{
    struct sqlite_home *h = ctx;
    cleanup_fd(&h->lock_fd);
    mem_free(h);
}

static bool open_writer(struct sqlite_home *h, enum store_durability durability, struct instant now,
                        struct db **ret, struct err *err)
{
    struct db_config c = {.path = h->path,
                          .relaxed = durability == STORE_RELAXED,
                          .cache_kib = WRITER_CACHE_KIB,
                          .slots = STORE_QUERY_COUNT + DB_MIGRATE_SLOTS};
    struct db *d;
    if (!take_lock(h, err) || !check_file(h->path, err) || !db_engine_sqlite.open(&c, &d, err))
        return false;
    if (db_migrate(d, STORE_QUERY_COUNT, store_sqlite_migrations, store_sqlite_migrations_n, now, err)) {
        *ret = d;
        return true;
    }
    db_close(d);
    return err_wrap(err, "open \"%.200s\"", h->path);
}

bool store_sqlite_open(const char *path, enum store_durability durability, struct instant now,
                       struct store **ret, struct err *err)
{
    struct sqlite_home *h = mem_new(struct sqlite_home);
    struct db *writer = NULL;
    h->lock_fd = -1;
    if (strlen(path) >= sizeof h->path) {
        mem_free(h);
        return ERR(err, ERR_CONFIG, "the path of the data file is longer than %d bytes", PATH_BYTES_MAX - 1);
    }
    (void)snprintf(h->path, sizeof h->path, "%s", path);
    if (!open_writer(h, durability, now, &writer, err)) {
        home_free(h);
        return false;
    }
    struct sql_config config = {.ops = &sqlite_store_ops,
                                .first = writer,
                                .open = open_reader,
                                .closed = home_free,
                                .ctx = h,
                                .readers = SQLITE_READERS};
    *ret = sql_new(&config);
    return true;
}
