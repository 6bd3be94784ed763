// SPDX-License-Identifier: Apache-2.0
// Ground of the tests of db/db.h: two connections to the server of CHRONOS_TEST_DB_URL and an empty table.
#ifndef TESTS_DB_DB_ENGINE_H
#define TESTS_DB_DB_ENGINE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "db/db.h"
#include "db/url.h"

enum { PATIENCE_MS = 2000 };

struct world {
    struct arena a;
    struct db_url url;
    const struct db_engine *engine;
    struct db *d, *other;
    struct err err;
};

#define assert_ok(w, call)                                                                                   \
    do {                                                                                                     \
        if (!(call))                                                                                         \
            fail_msg("%s: %s", #call, (w)->err.text);                                                        \
    } while (0)
#define assert_err(w, call, expected)                                                                        \
    do {                                                                                                     \
        assert_false(call);                                                                                  \
        if ((w)->err.code != (expected))                                                                     \
            fail_msg("%s: %s", err_code_name((w)->err.code), (w)->err.text);                                 \
    } while (0)

// Statements of the tests have a slot each.
enum slot { PUT, GET, COUNT, CHANGE, FAIL, ROWS, FOR_UPDATE, FIRST_MIGRATION_SLOT };
int setup(void **state);
int teardown(void **state);
#define CASE(sentence, f)                                                                                    \
    {                                                                                                        \
        .name = (sentence), .test_func = (f), .setup_func = setup, .teardown_func = teardown                 \
    }

bool connect_as(struct world *w, const struct db_url *u, const char *name, struct db **ret);
struct db_stmt *statement(struct world *w, struct db *d, enum slot slot);
bool put(struct world *w, struct db *d, int64_t k, const char *text); // one row
int64_t count(struct world *w, struct db *d);                         // of rows
void end_victim(struct world *w); // ends the connection of the application "victim"

void every_statement_is_understood(void **state);
enum { LOSS_CASES = 5 };
extern const struct CMUnitTest loss_cases[LOSS_CASES];

#endif
