// SPDX-License-Identifier: Apache-2.0
// The MAC is 128 bits of keyed BLAKE2b over the job's id, compared in constant time.
#include "auth/ping_key.h"

#include <sodium.h>

static struct ulid mac_of(const struct token_key *root, struct ulid job_id)
{
    uint8_t key[TOKEN_KEY_BYTES];
    struct ulid mac;
    token_key_derive(root, "ping", key);
    must(crypto_generichash(mac.b, sizeof mac.b, job_id.b, sizeof job_id.b, key, sizeof key) == 0);
    sodium_memzero(key, sizeof key);
    return mac;
}

const char *ping_key_text(const struct token_key *root, struct ulid job_id, char buf[static PING_KEY_TEXT_MAX])
{
    char job[ULID_TEXT_MAX], mac[ULID_TEXT_MAX];
    (void)snprintf(buf, PING_KEY_TEXT_MAX, "%s-%s", ulid_format(job_id, job), ulid_format(mac_of(root, job_id), mac));
    return buf;
}

bool ping_key_read(const struct token_key *root, struct str text, struct ulid *ret_job_id)
{
    struct ulid job_id, given;
    struct str mac, job = str_split(text, '-', &mac);
    if (!ulid_parse(job, &job_id) || !ulid_parse(mac, &given))
        return false;
    struct ulid own = mac_of(root, job_id);
    if (sodium_memcmp(own.b, given.b, sizeof own.b) != 0)
        return false;
    *ret_job_id = job_id;
    return true;
}
