// SPDX-License-Identifier: Apache-2.0
// One attempt's connection to a user's database: from the payload's address to an open session, and from any
// failure to the attempt's result.
//
//     struct database_link l = {.a = a};
//     bool ok = database_link_open(&l, &login, &session) && work(&l);
//     database_link_close(&l, ok);
//     ok ? attempt_succeed(a, FIELD_ABSENT) : database_link_end(&l);
//
// For bodies of blocking types. While it is open a cancel interrupts what runs in the database and sets
// `stop`.
#ifndef JOBS_DATABASE_LINK_H
#define JOBS_DATABASE_LINK_H

#include "db/query.h"
#include "jobs/blocking.h"

enum { DATABASE_CONNECT_S_DEFAULT = 10, DATABASE_CONNECT_S_MAX = 300 };

struct database_login {
    struct str url;
    struct str username, password; // absent: those of the url
    int64_t connect_s;             // FIELD_ABSENT: the url's, or the default
};
struct database_link {
    struct attempt *a;
    struct query_target target;
    struct query *q;
    struct ulid key;
    struct query_options options;
    int folder; // of a file
    _Atomic bool stop;
    bool interruptible;
    bool ended; // the attempt: it must not be touched any more
    const char *error_class;
    struct query_err err;
};

// False: database_link_end says why.
bool database_link_open(struct database_link *l, const struct database_login *login,
                        const struct query_session *s) __attribute__((warn_unused_result));
// keep: nothing went wrong with the connection, and it may serve another attempt.
void database_link_close(struct database_link *l, bool keep);
// Notes what went wrong; both return false.
bool database_link_failed(struct database_link *l, const struct query_err *err);
bool database_link_refuse(struct database_link *l, const char *error_class, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
// Ends the attempt: as cancelled when that was asked for, else as was noted.
void database_link_end(struct database_link *l);
static inline bool database_link_stopped(const struct database_link *l)
{
    return atomic_load_explicit(&l->stop, memory_order_relaxed) || attempt_cancel_asked(l->a) >= 0;
}

// At save: adds a fault when the address can be none; *ret_kind is set when it says which engine (else −1).
void database_url_check(struct str url, struct str pointer, int *ret_kind, struct faults *faults);

#endif
