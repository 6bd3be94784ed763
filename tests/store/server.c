// SPDX-License-Identifier: Apache-2.0
// Stores on a database server, and emptying its tables behind their back.
#include "server.h"

#include "base/sync.h"
#include "db/db.h"
#include "db/url.h"
#include "empty_queries.h"
#include "store/sql/store_sql.h"

enum { PATIENCE_S = 10, READERS = 4, URL_BUDGET = 64 * 1024 };

static const struct {
    const char *kind;
    const struct db_engine *engine;
} kinds[] = {
    {"postgresql", &db_engine_postgres},
    {"mysql", &db_engine_mysql},
};
static struct db *cleaner;

static const struct db_engine *engine_of(const char *kind)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(kinds[i].kind, kind) == 0)
            return kinds[i].engine;
    return NULL;
}

bool server_kind_known(const char *kind) { return engine_of(kind) != NULL; }

static bool url_get(struct str *ret, struct err *err)
{
    const char *text = getenv("CHRONOS_TEST_DB_URL");
    if (!text)
        return ERR(err, ERR_CONFIG, "CHRONOS_TEST_DB_URL is not set: run through tests/servers/with.py");
    *ret = str_of(text);
    return true;
}

struct store *server_store(struct err *err)
{
    struct store_server_options o = {
        .application = "chronos tests", .patience = duration_s(PATIENCE_S), .readers = READERS};
    struct store *s = NULL;
    struct str url;
    return url_get(&url, err) && store_server_open(url, &o, instant_s(1), &s, err) ? s : NULL;
}

static bool connect_cleaner(const char *kind, struct err *err)
{
    struct arena a CLEANUP(arena_release);
    struct db_url url;
    struct str text;
    arena_init(&a, URL_BUDGET);
    struct db_config c = {.url = &url, .application = "chronos tests", .patience = duration_s(PATIENCE_S)};
    return url_get(&text, err) && db_url_parse(text, &url, &a, err) &&
           engine_of(kind)->open(&c, &cleaner, err);
}

bool server_empty(const char *kind, struct err *err)
{
    if (!cleaner && !connect_cleaner(kind, err))
        return false;
    for (size_t i = 0; i < EMPTY_QUERY_COUNT; i++)
        if (!db_script(cleaner, empty_sql[i], err))
            return false;
    return true;
}

void server_done(void)
{
    db_close(cleaner);
    cleaner = NULL;
}
