// SPDX-License-Identifier: Apache-2.0
// What an administrator does on the machine itself, on the data store and without a server: the hooks of
// the command line (cli/cli.h). The store is opened for the duration of one call; while a server uses it,
// they answer that it is in use.
#ifndef ADMIN_H
#define ADMIN_H

#include "cli/cli.h"

bool admin_create(const struct config *c, struct str email, struct str password, struct sbuf *out, struct err *err);
// Also ends every session of that user.
bool admin_reset_password(const struct config *c, struct str email, struct str password, struct sbuf *out,
                          struct err *err);
// Deletes every secret and what proves their key.
bool admin_forget_secrets(const struct config *c, struct sbuf *out, struct err *err);
// A new key that signs access tokens; revoke: the old ones count no more.
bool admin_rotate_key(const struct config *c, bool revoke, struct sbuf *out, struct err *err);
// auth.key is lost: gives up the root of all keys.
bool admin_forget_key(const struct config *c, struct sbuf *out, struct err *err);
// Walks the whole audit trail; ERR_CORRUPT names the place where it breaks.
bool admin_audit_verify(const struct config *c, struct sbuf *out, struct err *err);
// A new one-time link to make the first administrator.
bool admin_setup_link(const struct config *c, struct sbuf *out, struct err *err);
bool admin_db_migrate(const struct config *c, struct sbuf *out, struct err *err);
// Reads every plan and every unfinished run; says how many rows cannot be read.
bool admin_db_check(const struct config *c, struct sbuf *out, struct err *err);
// Moves everything from one database to another (admin_copy.c).
bool admin_db_copy(const struct config *c, const struct cli_copy *what, struct sbuf *out, struct err *err);
void admin_doctor(const struct config *c, cli_check_fn check, void *ctx);

#endif
