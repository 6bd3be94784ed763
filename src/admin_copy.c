// SPDX-License-Identifier: Apache-2.0
// chronos db copy: opens both databases and has everything moved (store/sql/copy.h).
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/sync.h"
#include "db/url.h"
#include "store/sql/copy.h"
#include "store/sql/store_sql.h"
#include "store_open.h"

enum {
    ARENA_BUDGET = 1024 * 1024,
    TOLD_EVERY_S = 1,
    TOLD_BYTES_MAX = 128,
    URL_FILE_MAX = 4096,
    PATIENCE_S = 3600, // counting a large table takes a server longer than any question of a node may
    PRIVATE_UMASK = 0077
};

// Progress at most once a second; a table's end always.
struct teller {
    void (*tell)(void *ctx, struct str line);
    void *ctx;
    struct mono last;
};

static void on_progress(void *ctx, const char *table, bool verifying, int64_t done, int64_t of)
{
    struct teller *t = ctx;
    struct mono now = clock_mono(clock_real());
    if (done < of && mono_since(now, t->last).us < duration_s(TOLD_EVERY_S).us)
        return;
    t->last = now;
    char line[TOLD_BYTES_MAX];
    (void)snprintf(line, sizeof line, "%s %s: %" PRId64 " of %" PRId64 " rows", verifying ? "verify" : "copy",
                   table, done, of);
    t->tell(t->ctx, str_of(line));
}

// The URL behind a flag: as it stands there, or the first line of @FILE. Flags stand in the list of
// processes.
static bool url_of(struct str flag, struct str *ret, struct arena *a, struct err *err)
{
    struct db_url u;
    struct err ignored;
    struct str rest;
    if (flag.n > 1 && flag.p[0] == '@') {
        const char *path = arena_cstr(a, (struct str){flag.p + 1, flag.n - 1});
        if (!path || !file_read(path, URL_FILE_MAX, ret, a, err))
            return false;
        *ret = str_trim(str_split(*ret, '\n', &rest));
        return true;
    }
    if (store_server_scheme(db_url_scheme(flag, a)) && db_url_parse(flag, &u, a, &ignored) && u.password.p)
        return ERR(err, ERR_CONFIG,
                   "a password is never given as a flag: write the address into a file and give @FILE");
    *ret = flag;
    return true;
}

// The settings with another database; without a flag, as they are.
static bool point_at(const struct config *c, struct str flag, struct config *ret, struct arena *a,
                     struct err *err)
{
    struct db_url u;
    struct str url, head = STR("sqlite:");
    *ret = *c;
    ret->db_patience_s = PATIENCE_S;
    if (!flag.p)
        return true;
    if (!url_of(flag, &url, a, err))
        return false;
    ret->db_url = url;
    ret->db_path = STR_NONE;
    if (str_starts(url, head)) {
        struct str path = {url.p + head.n, url.n - head.n};
        ret->db_path = str_starts(path, STR("//")) ? (struct str){path.p + 2, path.n - 2} : path;
        ret->db_shown = ret->db_path;
        return path.n > 0 || ERR(err, ERR_CONFIG, "the path is missing: give sqlite:PATH");
    }
    if (!store_server_scheme(db_url_scheme(url, a)))
        return ERR(err, ERR_CONFIG,
                   "unknown kind of database: give sqlite:PATH, postgresql://…, mysql://… or mariadb://…");
    if (!db_url_parse(url, &u, a, err))
        return false;
    ret->db_shown = db_url_shown(&u, a);
    return true;
}

// A file that is not there would be made; as a source that is a slip.
static bool file_there(const struct config *c, struct arena *a, struct err *err)
{
    const char *path = arena_cstr(a, c->db_path);
    return c->db_path.n == 0 || (path && access(path, F_OK) == 0) ||
           ERR(err, ERR_NOT_FOUND, "data file \"%.*s\" does not exist", STR_ARG(c->db_path));
}

static void report(const struct store_copy_table *tables, struct sbuf *out)
{
    for (size_t i = 0; i < STORE_COPY_TABLES; i++)
        sbuf_fmt(out, "%-14s %12" PRId64 " rows  sum %016" PRIx64 "\n", tables[i].name, tables[i].rows,
                 tables[i].sum);
}

static bool copy(const struct config *from, const struct config *to, struct teller *t, struct sbuf *out,
                 struct arena *a, struct err *err)
{
    struct store_copy_table tables[STORE_COPY_TABLES];
    struct store_copy c = {.progress = on_progress, .ctx = t};
    const struct clock *clock = clock_real();
    bool ok = store_open(from, clock, &c.from, a, err) || err_wrap(err, "the source");
    if (ok)
        ok = store_open(to, clock, &c.to, a, err) || err_wrap(err, "the target");
    ok = ok && store_copy(&c, tables, err);
    if (ok) {
        report(tables, out);
        sbuf_fmt(out, "everything in %.*s is now in %.*s, read back and compared\n", STR_ARG(from->db_shown),
                 STR_ARG(to->db_shown));
    }
    if (c.to)
        c.to->ops->free(c.to);
    if (c.from)
        c.from->ops->free(c.from);
    return ok;
}

bool admin_db_copy(const struct config *c, const struct cli_copy *what, struct sbuf *out, struct err *err)
{
    struct arena a CLEANUP(arena_release);
    struct config from, to;
    struct teller t = {.tell = what->tell, .ctx = what->ctx, .last = clock_mono(clock_real())};
    arena_init(&a, ARENA_BUDGET);
    if (!point_at(c, what->from, &from, &a, err) || !file_there(&from, &a, err))
        return err_wrap(err, "the source");
    if (!point_at(c, what->to, &to, &a, err))
        return err_wrap(err, "the target");
    if (str_eq(from.db_shown, to.db_shown))
        return ERR(err, ERR_INVALID, "source and target are the same database");
    umask(PRIVATE_UMASK);
    return copy(&from, &to, &t, out, &a, err);
}
