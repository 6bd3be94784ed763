// SPDX-License-Identifier: Apache-2.0
// The command line of the one binary. Talks to a server over REST only; what works on the machine itself (server,
// admin, db, setup-link, doctor's look into the store) comes in through hooks, so that this layer needs none above it.
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "base/sbuf.h"
#include "config.h"

// What the shell gets back (api.md §6).
enum cli_exit {
    CLI_OK = 0,
    CLI_FAILURE = 1,
    CLI_USAGE = 2,
    CLI_NOT_FOUND = 3,
    CLI_DENIED = 4,      // not signed in, or not allowed
    CLI_CONFLICT = 5,
    CLI_UNREACHABLE = 6, // no answer in time, or the server says it cannot answer now
    CLI_RUN_FAILED = 7,  // the awaited run ended, and not well
};

enum cli_check_state { CLI_CHECK_PASS, CLI_CHECK_WARN, CLI_CHECK_FAIL };
// Records one finding of `doctor`. fix: what to do, or "".
typedef void (*cli_check_fn)(void *ctx, enum cli_check_state state, const char *name, struct str detail,
                             struct str fix);

// What `db copy` moves, and where.
struct cli_copy {
    struct str from, to; // sqlite:PATH, postgresql://…, mysql://…, or @FILE that holds it; from absent: the setting
    void (*tell)(void *ctx, struct str line); // progress
    void *ctx;
};

// Provided by main.c; a missing one makes its command say that this build lacks it. Texts for the user go to *out.
struct cli_hooks {
    int (*server)(const struct config *c); // returns the exit code of the process
    bool (*admin_create)(const struct config *c, struct str email, struct str password, struct sbuf *out,
                         struct err *err);
    bool (*admin_reset_password)(const struct config *c, struct str email, struct str password, struct sbuf *out,
                                 struct err *err);
    bool (*forget_secrets)(const struct config *c, struct sbuf *out, struct err *err);
    bool (*audit_verify)(const struct config *c, struct sbuf *out, struct err *err);
    bool (*rotate_key)(const struct config *c, bool revoke, struct sbuf *out, struct err *err);
    bool (*forget_key)(const struct config *c, struct sbuf *out, struct err *err);
    bool (*db_migrate)(const struct config *c, struct sbuf *out, struct err *err);
    bool (*db_check)(const struct config *c, struct sbuf *out, struct err *err);
    bool (*db_copy)(const struct config *c, const struct cli_copy *what, struct sbuf *out, struct err *err);
    bool (*setup_link)(const struct config *c, struct sbuf *out, struct err *err); // prints a new one-time link
    void (*doctor)(const struct config *c, cli_check_fn check, void *ctx);
    const char *version; // "0.1.0"; NULL = unknown
};

// Runs one command line; returns an exit code of enum cli_exit (or what hooks->server returned).
int cli_main(int argc, char **argv, const struct cli_hooks *hooks);

#endif
