// SPDX-License-Identifier: Apache-2.0
// Sign-ins kept between calls: $XDG_CONFIG_HOME/chronos/credentials.json (else ~/.config/…), mode 0600, one entry
// for each server address. Written atomically. Whoever changes an entry holds the lock file beside it, because
// refresh tokens work once: two processes that renew at the same moment would end the session.
#ifndef CLI_SESSION_H
#define CLI_SESSION_H

#include "base/arena.h"
#include "base/err.h"
#include "base/time.h"

struct cli;
struct session {
    struct str email;
    struct str access_token;  // absent: there is no session
    struct str refresh_token;
    struct instant expires_at; // of the access token
};

// Path of the file. ERR_CONFIG when neither XDG_CONFIG_HOME nor HOME is set.
bool session_path(const struct cli *c, const char **ret, struct arena *a, struct err *err)
    __attribute__((warn_unused_result));
// Entry of the address; absent members when there is none.
bool session_load(const struct cli *c, struct str url, struct session *ret, struct arena *a, struct err *err)
    __attribute__((warn_unused_result));
// Stores the entry, or removes it when access_token is absent. The caller holds the lock.
bool session_save(const struct cli *c, struct str url, const struct session *s, struct arena *a, struct err *err)
    __attribute__((warn_unused_result));
// Waits for the lock. The lock ends when *ret_fd is closed.
bool session_lock(const struct cli *c, int *ret_fd, struct arena *a, struct err *err)
    __attribute__((warn_unused_result));
// Reads a login or refresh answer. False when it is none.
bool session_from_answer(struct str body, struct instant now, struct session *ret, struct arena *a);

#endif
