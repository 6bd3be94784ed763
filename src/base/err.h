// SPDX-License-Identifier: Apache-2.0
// Errors are values on the caller's stack: a code to branch on, a sentence to show.
//
// On failure a function returns false, fills *err and leaves ret_ arguments untouched; on success
// *err is untouched. Each layer may put context in front with err_wrap, so that the text reads
// outward-in: "claim run 01H…: sqlite: disk is full". Texts are fit for a user: lower case, no full
// stop, the subject in quotes; they hold no secret, no SQL and no path of the server's own.
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/str.h"

// What a caller may branch on. HTTP status, problem type and exit code follow from it (api/problem.c).
enum err_code {
    ERR_NONE = 0,
    ERR_INVALID,         // 400: the input is wrong; field says where
    ERR_UNAUTHENTICATED, // 401
    ERR_DENIED,          // 403
    ERR_NOT_FOUND,       // 404
    ERR_CONFLICT,        // 409: exists already, or not possible in this state
    ERR_STALE,           // 412: If-Match or version did not match
    ERR_TOO_LARGE,       // 413: over a documented bound
    ERR_UNPROCESSABLE,   // 422: Idempotency-Key reused with another body
    ERR_THROTTLED,       // 429
    ERR_UNAVAILABLE,     // 503: store or service cannot answer now, try again
    ERR_FULL,            // 507: no space left
    ERR_TIMEOUT,         // 504
    ERR_BUSY,            // retryable contention in a store (serialization, deadlock, SQLITE_BUSY)
    ERR_UNKNOWN_COMMIT,  // connection lost during COMMIT: neither success nor failure
    ERR_IO,              // operating system error
    ERR_CORRUPT,         // stored data is damaged
    ERR_CONFIG,          // a setting is wrong
    ERR_UPSTREAM,        // 502: a service that we asked did not answer as it should
    ERR_INTERNAL,        // our own mistake
};

enum { ERR_TEXT_MAX = 320, ERR_FIELD_MAX = 128 };

struct err {
    enum err_code code;
    int native; // errno, SQLite result code, …; 0 when none
    char field[ERR_FIELD_MAX]; // JSON Pointer of the bad input, or ""
    char text[ERR_TEXT_MAX];
    const char *file;
    int line;
};

const char *err_code_name(enum err_code code); // "NOT_FOUND", stable upper-case word

// Fills *err and returns false: `return ERR(err, ERR_NOT_FOUND, "job \"%s\" does not exist", id);`
#define ERR(err, code, ...) err_set((err), (code), __FILE__, __LINE__, __VA_ARGS__)
bool err_set(struct err *err, enum err_code code, const char *file, int line, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
// As ERR, for a system call: appends strerror(errno) and keeps errno in native. ENOSPC/EDQUOT give ERR_FULL.
#define ERR_ERRNO(err, ...) err_set_errno((err), __FILE__, __LINE__, __VA_ARGS__)
bool err_set_errno(struct err *err, const char *file, int line, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
// Puts "context: " in front of the text. Returns false.
bool err_wrap(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
// Names the input that is wrong. Returns false.
bool err_at(struct err *err, const char *pointer);

// Every fault found in one input, so that a caller can be told all of them at once.
struct fault {
    struct str pointer; // JSON Pointer (RFC 6901), "" = whole document
    struct str detail;
};
enum { FAULTS_MAX = 100 };
struct faults {
    struct arena *a;
    struct fault v[FAULTS_MAX];
    size_t n; // entries in v; more faults than FAULTS_MAX are dropped
};
void faults_init(struct faults *f, struct arena *a);
void faults_add(struct faults *f, struct str pointer, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
// Adds one found by a function that reports through err, under the pointer base + err->field.
void faults_add_err(struct faults *f, struct str base, const struct err *err);
static inline bool faults_any(const struct faults *f) { return f->n > 0; }

// Our own invariants, checked in every build. Input is never checked with it.
#define must(x) ((x) ? (void)0 : must_fail(#x, __FILE__, __LINE__))
void must_fail(const char *what, const char *file, int line) __attribute__((noreturn));

#endif
