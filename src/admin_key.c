// SPDX-License-Identifier: Apache-2.0
// The keys of access tokens, on the data store and without a server.
#include <sys/stat.h>

#include "admin.h"
#include "app/keys.h"
#include "base/file.h"
#include "server_key.h"
#include "store/sql/copy.h"
#include "store_open.h"

enum { ARENA_BUDGET = 16 * 1024 * 1024, DATA_DIR_MODE = 0700, PRIVATE_UMASK = 0077 };

static bool key_store_open(const struct config *c, struct store **ret, struct arena *a, struct err *err)
{
    const char *dir = arena_cstr(a, c->data_dir);
    umask(PRIVATE_UMASK);
    if (!dir_make(dir, DATA_DIR_MODE, err) || !store_open(c, clock_real(), ret, a, err))
        return false;
    if (store_whole(*ret, err))
        return true;
    (*ret)->ops->free(*ret);
    return false;
}

static bool rotate(const struct config *c, struct store *s, bool revoke, struct sbuf *out, struct arena *a,
                   struct err *err)
{
    struct token_key *root;
    struct key_rotation done;
    if (!server_key_open(c, s, &root, a, err))
        return false;
    struct app app;
    struct app_parts parts = {.store = s, .clock = clock_real(), .key = root};
    app_settings_init(&parts.settings);
    app_init(&app, &parts);
    bool ok = keys_rotate(&app, NULL, revoke, &done, a, err);
    if (ok)
        sbuf_fmt(out, "access tokens are signed with the key %.*s from now on; %s\n", STR_ARG(done.key_id),
                 revoke ? "those of the old keys have ended, refresh tokens stay good"
                        : "those of the old keys are good until they run out");
    app_release(&app);
    token_key_free(root);
    return ok;
}

bool admin_rotate_key(const struct config *c, bool revoke, struct sbuf *out, struct err *err)
{
    struct arena a CLEANUP(arena_release);
    struct store *s;
    arena_init(&a, ARENA_BUDGET);
    if (!key_store_open(c, &s, &a, err))
        return false;
    bool ok = rotate(c, s, revoke, out, &a, err);
    s->ops->free(s);
    return ok;
}

bool admin_forget_key(const struct config *c, struct sbuf *out, struct err *err)
{
    struct arena a CLEANUP(arena_release);
    struct store *s;
    arena_init(&a, ARENA_BUDGET);
    if (!key_store_open(c, &s, &a, err))
        return false;
    bool ok = server_key_forget(s, err);
    if (ok)
        sbuf_fmt(out, "the keys are forgotten; the next start makes new ones. Access tokens end, and what is "
                      "in the audit "
                      "trail until now can be verified with the old key only\n");
    s->ops->free(s);
    return ok;
}
