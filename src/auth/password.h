// SPDX-License-Identifier: Apache-2.0
// Passwords: rules for new ones, argon2id hashes (RFC 9106) in PHC text form. Knows nothing of users or
// sign-in counts (auth/throttle.h does that).
//
// Each hash takes PASSWORD_HASH_BYTES of memory and about 15 ms; at most PASSWORD_HASHES_MAX run at a time
// in the process and others wait a bounded time, so that sign-ins cannot exhaust memory. Thread-safe;
// blocks.
#ifndef AUTH_PASSWORD_H
#define AUTH_PASSWORD_H

#include "base/arena.h"
#include "base/err.h"

enum {
    PASSWORD_HASH_BYTES = 19 * 1024 * 1024, // OWASP's smallest recommended memory for argon2id
    PASSWORD_HASH_PASSES = 3,
    PASSWORD_HASHES_MAX = 2,
};

// Rules for a new password: PASSWORD_MIN … PASSWORD_MAX bytes (model/user.h), valid UTF-8, no control
// characters, not equal to the e-mail address (letter case ignored), not one of auth/common.h. ERR_INVALID with
// field "/password".
bool password_check(struct str password, struct str email, struct err *err)
    __attribute__((warn_unused_result));

// PHC text ("$argon2id$v=19$m=19456,t=3,p=1$…") with a fresh salt, copied to the arena. ERR_THROTTLED
// when no turn came in time, ERR_UNAVAILABLE when memory is short.
bool password_hash(struct str password, struct str *ret_phc, struct arena *a, struct err *err)
    __attribute__((warn_unused_result));

// True when the password belongs to the hash. Else ERR_UNAUTHENTICATED (wrong), ERR_THROTTLED (no turn came
// in time) or ERR_UNAVAILABLE (memory is short). An absent phc (unknown user) costs the same time and is
// always wrong: callers must not shorten that path, or answers tell which accounts exist.
bool password_verify(struct str password, struct str phc, struct err *err)
    __attribute__((warn_unused_result));

#endif
