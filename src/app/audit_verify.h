// SPDX-License-Identifier: Apache-2.0
// Reading the audit trail, and proving it: every record from the anchor (or the first) to the head carries
// its MAC, stands in its place and continues the chain; checkpoints agree with it; what is not sealed yet
// carries its MAC.
#ifndef APP_AUDIT_VERIFY_H
#define APP_AUDIT_VERIFY_H

#include "app/app.h"
#include "auth/audit_chain.h"

struct audit_verdict {
    bool intact;
    int64_t records, unsealed, first, last; // verified; places of the first and last of the chain
    int64_t at;                             // place where it breaks; 0: none
    struct ulid id;                         // of the record there; zero: none
    struct str problem;                     // one sentence; absent: intact
};
extern const struct fields audit_verdict_fields;

// Bounded memory. checkpoints: lines kept outside of the store, absent: none. progress may be NULL.
bool audit_verify(struct store *s, const struct audit_key *key, struct str checkpoints,
                  void (*progress)(void *ctx, int64_t done, int64_t of), void *ctx, struct audit_verdict *ret,
                  struct arena *a, struct err *err) __attribute__((warn_unused_result));

// The same for who may read the trail; and lists of it.
bool app_audit_verify(struct app *app, const struct caller *c, struct audit_verdict *ret, struct arena *a,
                      struct err *err) __attribute__((warn_unused_result));
bool app_audit_list(struct app *app, const struct caller *c, const struct audit_filter *f,
                    const struct page *p, struct audit_record **ret, size_t *ret_n,
                    struct page_result *ret_page, struct arena *a, struct err *err)
    __attribute__((warn_unused_result));

#endif
