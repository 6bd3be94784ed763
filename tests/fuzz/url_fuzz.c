// SPDX-License-Identifier: Apache-2.0
// Fuzzes addresses: of databases, and the networks that jobs may reach. What is shown of an address holds no
// password.
#include "db/url.h"
#include "net/egress.h"

enum { BUDGET = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct db_url u;
    struct err err = {0};
    arena_init(&a, BUDGET);
    struct str text = str_of_n((const char *)data, size);
    (void)db_url_scheme(text, &a);
    if (db_url_parse(text, &u, &a, &err)) {
        struct str shown = db_url_shown(&u, &a);
        u.password = STR_NONE; // what people see does not depend on it
        must(str_eq(shown, db_url_shown(&u, &a)));
        (void)db_url_option(&u, "sslmode");
    } else {
        must(err.code == ERR_CONFIG && err.text[0]);
    }
    struct egress e;
    struct err why = {0};
    struct str entry[] = {text};
    if (!egress_parse((struct strs){entry, 1}, (struct strs){NULL, 0}, &e, &a, &why))
        must(why.code == ERR_CONFIG && why.text[0]);
    arena_release(&a);
    return 0;
}
