// SPDX-License-Identifier: Apache-2.0
// Every statement of the store, as the server of CHRONOS_TEST_DB_URL is told it, against the tables of its migrations.
#include "db_engine.h"

#include "db/migrate.h"
#include "store/sql/store_mysql_migrations.h"
#include "store/sql/store_postgres_migrations.h"
#include "store/sql/store_queries.h"

void every_statement_is_understood(void **state)
{
    struct world *w = *state;
    bool mysql = w->d->dialect == DB_MYSQL;
    const struct migration *list = mysql ? store_mysql_migrations : store_postgres_migrations;
    size_t n = mysql ? store_mysql_migrations_n : store_postgres_migrations_n;
    int refused = 0;
    assert_ok(w, db_migrate(w->d, FIRST_MIGRATION_SLOT, list, n, instant_s(0), &w->err));
    for (size_t q = 0; q < STORE_QUERY_COUNT; q++) {
        struct str text = str_trim(store_sql[w->d->dialect][q]);
        struct db_stmt *s;
        if (text.n == 0)
            continue;
        if (w->d->ops->prepare(w->d, text, &s, &w->err))
            w->d->ops->finalize(s);
        else if (++refused > 0)
            print_error("%.*s\n%s\n\n", STR_ARG(text), w->err.text);
    }
    assert_int_equal(refused, 0);
}
