// SPDX-License-Identifier: Apache-2.0
// The key in the address that work elsewhere pings: which job, and a MAC that proves the address was made here. So
// nothing is stored for it, it cannot be guessed, and it ends with the job.
#ifndef AUTH_PING_KEY_H
#define AUTH_PING_KEY_H

#include "auth/token.h"

enum { PING_KEY_TEXT_MAX = 2 * ULID_TEXT_MAX };

// "01J8…-5RT…"; returns buf.
const char *ping_key_text(const struct token_key *root, struct ulid job_id, char buf[static PING_KEY_TEXT_MAX]);
// False: not an address of ours.
bool ping_key_read(const struct token_key *root, struct str text, struct ulid *ret_job_id)
    __attribute__((warn_unused_result));

#endif
