// SPDX-License-Identifier: Apache-2.0
// API keys lately used, and when: so that a request with one need not ask the store for it, and the time of its last
// use is written by another thread, once a minute at most.
//
// A key is remembered for KEY_REMEMBERED_S: what another node revokes is refused here after that time. What this node
// revokes is forgotten at once. Thread-safe. Lock: LOCK_APP_KEY_MEMORY, inside.
#ifndef APP_KEY_MEMORY_H
#define APP_KEY_MEMORY_H

#include "base/clock.h"
#include "store/store.h"

enum { KEYS_REMEMBERED = 512, KEY_REMEMBERED_S = 1, KEY_USES_PENDING_MAX = 256 };

struct key_facts {
    uint8_t hash[API_KEY_HASH_BYTES];
    struct ulid id, owner_id;
    uint64_t denied; // 1 << enum action that the scopes leave out
    struct instant expires_at, last_used_at;
};

struct key_memory;
struct key_memory *key_memory_new(struct store *store, const struct clock *clock);
void key_memory_free(struct key_memory *m); // writes what is pending; NULL is allowed

// False: not remembered; ask the store and hand *ret_changes to key_memory_put.
bool key_memory_get(struct key_memory *m, const uint8_t hash[API_KEY_HASH_BYTES], struct key_facts *ret,
                    int64_t *ret_changes);
// Unless a key was revoked meanwhile.
void key_memory_put(struct key_memory *m, const struct key_facts *k, int64_t changes);
// After the commit of a revocation: all of them, which are soon read again.
void key_memory_forget(struct key_memory *m);
// The key was used now; written soon when the last time was API_KEY_USE_S ago.
void key_memory_used(struct key_memory *m, const struct key_facts *k);
// Writes what is pending now, for tests and the end.
void key_memory_flush(struct key_memory *m);

#endif
