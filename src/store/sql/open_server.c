// SPDX-License-Identifier: Apache-2.0
// Opens the store in the database of a server: schema changes under a lock that other nodes respect, a look
// at whether the server keeps what it acknowledges, then connections as they are needed.
#include "base/log.h"
#include "base/mem.h"
#include "db/migrate.h"
#include "db/url.h"
#include "store/sql/sql.h"
#include "store/sql/store_mysql_migrations.h"
#include "store/sql/store_postgres_migrations.h"
#include "store/sql/store_sql.h"

enum { HOME_BUDGET = 64 * 1024, SHORTCOMING_SHOWN_MAX = 160 };

struct server_kind {
    const char *schemes[2];
    const struct db_engine *engine;
    const struct store_ops *ops;
    const struct migration *migrations;
    const size_t *n_migrations;
};
static const struct server_kind kinds[] = {
    {{"postgresql", "postgres"},
     &db_engine_postgres,
     &postgres_store_ops,
     store_postgres_migrations,
     &store_postgres_migrations_n},
    {{"mysql", "mariadb"},
     &db_engine_mysql,
     &mysql_store_ops,
     store_mysql_migrations,
     &store_mysql_migrations_n},
};

struct server_home {
    struct arena arena;
    const struct server_kind *kind;
    struct db_url url; // texts in arena
    const char *application;
    struct duration patience;
};

static void home_free(void *ctx)
{
    struct server_home *h = ctx;
    arena_release(&h->arena);
    mem_free(h);
}

static const struct server_kind *kind_of(struct str scheme)
{
    for (const struct server_kind *k = kinds; k < kinds + sizeof kinds / sizeof kinds[0]; k++)
        for (size_t i = 0; i < sizeof k->schemes / sizeof k->schemes[0]; i++)
            if (str_is(scheme, k->schemes[i]))
                return k;
    return NULL;
}

bool store_server_scheme(struct str scheme) { return kind_of(scheme) != NULL; }

static bool home_fill(struct server_home *h, struct str url, const struct store_server_options *o,
                      struct err *err)
{
    struct str own = arena_str(&h->arena, url);
    h->application = arena_cstr(&h->arena, str_of(o->application));
    h->patience = o->patience;
    if (!own.p || !h->application)
        return ERR(err, ERR_CONFIG, "the address of the database is too long");
    if (!db_url_parse(own, &h->url, &h->arena, err))
        return false;
    h->kind = kind_of(h->url.scheme);
    return h->kind || ERR(err, ERR_CONFIG,
                          "the database \"%.*s\" is not known: use \"postgresql\", \"mysql\" or \"mariadb\"",
                          STR_ARG(h->url.scheme));
}

// read_only changes nothing on a server: readers are only kept apart from writers.
static bool connect_server(void *ctx, bool read_only, struct db **ret, struct err *err)
{
    const struct server_home *h = ctx;
    struct db_config c = {.url = &h->url,
                          .application = h->application,
                          .patience = h->patience,
                          .read_only = read_only,
                          .slots = STORE_QUERY_COUNT + DB_MIGRATE_SLOTS};
    return h->kind->engine->open(&c, ret, err);
}

static bool migrate(struct db *d, const struct server_kind *k, struct instant now, struct err *err)
{
    struct err ignored; // the lock ends with the connection at the latest
    if (!db_migrations_lock(d, true, err))
        return false;
    bool ok = db_migrate(d, STORE_QUERY_COUNT, k->migrations, *k->n_migrations, now, err);
    (void)db_migrations_lock(d, false, &ignored);
    return ok;
}

// Settings of the server by which it may lose what it has acknowledged.
static bool check_durability(struct db *d, bool strict, struct err *err)
{
    struct db_stmt *s;
    bool row;
    if (!sql_query(d, STORE_SHORTCOMINGS, &s, err))
        return false;
    while (db_step(s, &row, err)) {
        if (!row)
            return true;
        struct str what = db_bytes(s, 0);
        if (strict) {
            (void)ERR(err, ERR_CONFIG, "the database server may lose commits: %.*s: change it in the server",
                      (int)(what.n < SHORTCOMING_SHOWN_MAX ? what.n : SHORTCOMING_SHOWN_MAX), what.p);
            db_reset(s);
            return false;
        }
        LOG_WARN("the database server may lose commits", LOG_STR("setting", what));
    }
    return false;
}

// A sentence about the servers behind this one; nothing that keeps a node from starting.
static void tell_cluster_note(struct db *d)
{
    const char *note = NULL;
    struct err err;
    if (!db_cluster_note(d, &note, &err))
        LOG_WARN("the database server does not say whether it is one of a cluster", LOG_ERROR_FIELD(&err));
    else if (note)
        LOG_WARN("the database is a cluster", LOG_CSTR("note", note));
}

bool store_server_open(struct str url, const struct store_server_options *o, struct instant now,
                       struct store **ret, struct err *err)
{
    struct server_home *h = mem_new(struct server_home);
    struct db *d = NULL;
    arena_init(&h->arena, HOME_BUDGET);
    if (!home_fill(h, url, o, err) || !connect_server(h, false, &d, err) || !migrate(d, h->kind, now, err) ||
        !check_durability(d, o->strict, err)) {
        db_close(d);
        home_free(h);
        return false;
    }
    tell_cluster_note(d);
    int64_t readers = o->readers < 1 ? 1 : o->readers > READERS_MAX ? READERS_MAX : o->readers;
    struct sql_config config = {.ops = h->kind->ops,
                                .first = d,
                                .open = connect_server,
                                .closed = home_free,
                                .ctx = h,
                                .clock = clock_real(),
                                .readers = (size_t)readers};
    *ret = sql_new(&config);
    return true;
}
