// SPDX-License-Identifier: Apache-2.0
// Verifying the audit trail on the data store and without a server.
#include "admin.h"
#include "app/audit_keeper.h"
#include "app/audit_verify.h"
#include "base/file.h"
#include "base/sync.h"
#include "server_key.h"
#include "store_open.h"

enum { ARENA_BUDGET = 96 * 1024 * 1024, FILE_MAX = 64 * 1024 * 1024, TOLD_EVERY = 100000 };

// The data folder's checkpoints; none on a machine that never was a node.
static bool outside_read(const struct config *c, struct str *ret, struct arena *a, struct err *err)
{
    struct str path = arena_fmt(a, "%.*s/" AUDIT_CHECKPOINTS_FILE, STR_ARG(c->data_dir));
    struct err why = {0};
    *ret = STR_NONE;
    if (!path.p || file_read(path.p, FILE_MAX, ret, a, &why) || why.code == ERR_NOT_FOUND)
        return true;
    *err = why;
    return false;
}

static void progress(void *ctx, int64_t done, int64_t of)
{
    (void)ctx;
    if (done % TOLD_EVERY == 0)
        fprintf(stderr, "%lld of %lld records\n", (long long)done, (long long)of);
}

static bool verify(const struct config *c, struct store *s, struct sbuf *out, struct arena *a,
                   struct err *err)
{
    struct token_key *root;
    struct audit_key key;
    struct audit_verdict v;
    struct str outside;
    char id[ULID_TEXT_MAX];
    if (!outside_read(c, &outside, a, err) || !server_key_open(c, s, &root, a, err))
        return false;
    audit_key_of(root, &key);
    token_key_free(root);
    if (!audit_verify(s, &key, outside, progress, NULL, &v, a, err))
        return false;
    if (v.intact) {
        sbuf_fmt(out, "the audit trail is intact: records %lld to %lld, %lld not sealed yet\n",
                 (long long)v.first, (long long)v.last, (long long)v.unsealed);
        return true;
    }
    return ERR(err, ERR_CORRUPT, "the audit trail is broken at %lld%s%s: %.*s", (long long)v.at,
               ulid_is_zero(v.id) ? "" : ", record ", ulid_is_zero(v.id) ? "" : ulid_format(v.id, id),
               STR_ARG(v.problem));
}

bool admin_audit_verify(const struct config *c, struct sbuf *out, struct err *err)
{
    struct arena a CLEANUP(arena_release);
    struct store *s;
    arena_init(&a, ARENA_BUDGET);
    if (!store_open(c, clock_real(), &s, &a, err))
        return false;
    bool ok = verify(c, s, out, &a, err);
    s->ops->free(s);
    return ok;
}
