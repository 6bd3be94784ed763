// SPDX-License-Identifier: Apache-2.0
// Inside of users' SQL on MariaDB and MySQL: query_open.c connects, waits and ends, query.c runs statements.
#ifndef DB_MYSQL_QUERY_IMPL_H
#define DB_MYSQL_QUERY_IMPL_H

#include "base/clock.h"
#include "db/mysql/impl.h"
#include "db/query_impl.h"

enum how { INTEGER, REAL, TEXT };
struct cell {
    enum how how;
    bool bits;
    my_bool null;
    int64_t i;
    double f;
    char *p;
    unsigned long n, cap;
};
struct my_query {
    struct query base; // first
    MYSQL *h;
    MYSQL_STMT *s;
    struct cell *cells;
    size_t n_cells;
    MYSQL_BIND *out;
    struct query_options options; // of the second connection; texts in `texts`
    struct query_target target;
    struct arena texts, a; // a: of the present statement
    unsigned long id;      // of our thread in the server
    bool mariadb, lost, killed, timed_out, read_only;
    struct duration statement_time;
    struct mono deadline; // of the present statement or command; 0: none
};

static inline struct my_query *my_query_of(struct query *q) { return (struct my_query *)q; }
static inline struct mono my_query_now(void) { return clock_mono(clock_real()); }

// Waits for what the library wants and says what came. Not wanted any more: a time-out, which ends the call.
int my_query_wait(struct my_query *m, int wants);
// Has the server end our thread, on a connection of its own.
void my_query_kill(struct my_query *m);
extern const struct query_ops my_query_ops;

// The result of a call of the library that may wait: WAITING(m, int, mysql_stmt_fetch, m->s).
#define WAITING(m, type, call, handle, ...)                                                                  \
    ({                                                                                                       \
        type ret_;                                                                                           \
        int wants_ = call##_start(&ret_, handle __VA_OPT__(, ) __VA_ARGS__);                                 \
        while (wants_)                                                                                       \
            wants_ = call##_cont(&ret_, handle, my_query_wait(m, wants_));                                   \
        ret_;                                                                                                \
    })

#endif
