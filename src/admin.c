// SPDX-License-Identifier: Apache-2.0
// Administration on the data store, without a server.
#include "admin.h"

#include <sys/stat.h>
#include <unistd.h>

#include "app/audit.h"
#include "app/secret.h"
#include "app/setup.h"
#include "auth/password.h"
#include "base/file.h"
#include "cache_guard.h"
#include "server_edge.h"
#include "server_key.h"
#include "store/sql/copy.h"
#include "store_open.h"

enum { ARENA_BUDGET = 16 * 1024 * 1024, PAGE = 500, DATA_DIR_MODE = 0700, PRIVATE_UMASK = 0077 };

// The store and the use cases on it, open for one command.
struct desk {
    struct store *store;
    struct zones *zones;
    struct token_key *root; // NULL: nothing is recorded
    struct app app;
    struct arena a;
};

// recorded: what is done has a record in the audit trail, which needs the server's key.
static bool desk_open(struct desk *d, const struct config *c, bool recorded, struct err *err)
{
    *d = (struct desk){0};
    arena_init(&d->a, ARENA_BUDGET);
    const char *dir = arena_cstr(&d->a, c->data_dir);
    const struct clock *clock = clock_real();
    umask(PRIVATE_UMASK);
    if (!dir_make(dir, DATA_DIR_MODE, err) ||
        !store_open(c, clock, &d->store, &d->a, err)) {
        arena_release(&d->a);
        return false;
    }
    if (!store_whole(d->store, err) || (recorded && !server_key_open(c, d->store, &d->root, &d->a, err))) {
        d->store->ops->free(d->store);
        arena_release(&d->a);
        return false;
    }
    struct app_parts parts = {.store = d->store, .clock = clock, .zones = d->zones = zones_new(NULL), .key = d->root};
    app_settings_init(&parts.settings);
    app_init(&d->app, &parts);
    return true;
}

static void desk_close(struct desk *d)
{
    app_release(&d->app);
    token_key_free(d->root);
    zones_free(d->zones);
    d->store->ops->free(d->store);
    arena_release(&d->a);
}

bool admin_create(const struct config *c, struct str email, struct str password, struct sbuf *out,
                  struct err *err)
{
    struct desk d;
    if (!desk_open(&d, c, true, err))
        return false;
    bool ok = app_setup_admin(&d.app, email, password, &d.a, err);
    if (ok)
        sbuf_fmt(out, "administrator %.*s created; sign in with: chronos login --email %.*s\n",
                 STR_ARG(email), STR_ARG(email));
    desk_close(&d);
    return ok;
}

static bool reset(struct desk *d, struct str email, struct str password, struct err *err)
{
    struct user u;
    const struct store_ops *ops = d->store->ops;
    if (!password_check(password, email, err) || !ops->user_by_email(d->store, email, &u, &d->a, err) ||
        !password_hash(password, &u.password_hash, &d->a, err))
        return false;
    u.session_epoch++;
    u.enabled = true;
    u.one_time_until = (struct instant){0};
    const struct audit_note note = {.action = "user.password", .entity_type = "user", .entity_id = u.id,
                                    .entity_name = u.email, .outcome = AUDIT_DONE,
                                    .detail = STR("set on the server's own machine; every session has ended")};
    audit_system(&d->app, "CLI", &note, &d->a);
    return ops->user_update(d->store, &u, err) && ops->sessions_end_all(d->store, u.id, err) &&
           cache_guard_end_era(d->store, clock_real(), err); // running nodes may share a cache
}

bool admin_reset_password(const struct config *c, struct str email, struct str password, struct sbuf *out,
                          struct err *err)
{
    struct desk d;
    if (!desk_open(&d, c, true, err))
        return false;
    bool ok = reset(&d, email, password, err);
    if (ok)
        sbuf_fmt(out, "password of %.*s changed; every session of the account has ended\n", STR_ARG(email));
    desk_close(&d);
    return ok;
}

bool admin_forget_secrets(const struct config *c, struct sbuf *out, struct err *err)
{
    struct desk d;
    int64_t n = 0;
    if (!desk_open(&d, c, true, err))
        return false;
    const struct audit_note note = {.action = "secret.forget", .entity_type = "secret",
                                    .entity_name = STR("all secrets"), .outcome = AUDIT_DONE,
                                    .detail = STR("deleted on the server's own machine: their key is lost")};
    audit_system(&d.app, "CLI", &note, &d.a);
    bool ok = secrets_forget(d.store, &n, err);
    if (ok)
        sbuf_fmt(out, "%lld secrets deleted; jobs that use them fail until they are set again\n", (long long)n);
    desk_close(&d);
    return ok;
}

bool admin_setup_link(const struct config *c, struct sbuf *out, struct err *err)
{
    struct desk d;
    if (!desk_open(&d, c, false, err))
        return false;
    struct str token;
    bool ok = app_setup_issue(&d.app, &token, &d.a, err);
    if (ok && !token.p)
        ok = ERR(err, ERR_CONFLICT, "an administrator exists already; use chronos admin reset-password");
    else if (ok)
        sbuf_fmt(out, "http://%.*s/setup#t=%.*s\nvalid once, for an hour, when the server runs\n",
                 STR_ARG(c->http_listen), STR_ARG(token));
    desk_close(&d);
    return ok;
}

bool admin_db_migrate(const struct config *c, struct sbuf *out, struct err *err)
{
    struct desk d;
    if (!desk_open(&d, c, false, err))
        return false;
    sbuf_fmt(out, "%.*s is up to date\n", STR_ARG(c->db_shown));
    desk_close(&d);
    return true;
}

// Walks plans and unfinished runs; every row is decoded on the way.
static bool walk(struct desk *d, size_t *ret_plans, size_t *ret_runs, size_t *ret_bad, struct err *err)
{
    const struct store_ops *ops = d->store->ops;
    struct ulid after = ULID_ZERO;
    for (size_t n = PAGE; n == PAGE;) {
        struct plan *plans;
        size_t bad = 0;
        if (!ops->plans_page(d->store, after, PAGE, true, &plans, &n, &bad, &d->a, err))
            return false;
        *ret_plans += n;
        *ret_bad += bad;
        if (n > 0)
            after = plans[n - 1].job_id;
        arena_reset(&d->a);
    }
    after = ULID_ZERO;
    for (size_t n = PAGE; n == PAGE;) {
        struct run *runs;
        if (!ops->runs_unfinished(d->store, after, PAGE, &runs, &n, &d->a, err))
            return false;
        *ret_runs += n;
        if (n > 0)
            after = runs[n - 1].id;
        arena_reset(&d->a);
    }
    return true;
}

bool admin_db_check(const struct config *c, struct sbuf *out, struct err *err)
{
    struct desk d;
    if (!desk_open(&d, c, false, err))
        return false;
    size_t plans = 0, runs = 0, bad = 0;
    bool ok = d.store->ops->check(d.store, err) && walk(&d, &plans, &runs, &bad, err);
    if (ok)
        sbuf_fmt(out, "%zu jobs, %zu unfinished runs, %zu rows that cannot be read\n", plans, runs, bad);
    if (ok && bad > 0)
        ok = ERR(err, ERR_CORRUPT, "%zu rows cannot be read; restore a backup, or edit or delete these jobs",
                 bad);
    desk_close(&d);
    return ok;
}

void admin_doctor(const struct config *c, cli_check_fn check, void *ctx)
{
    struct desk d;
    struct err err = {0};
    bool file = c->db_path.n > 0;
    edge_doctor(c, clock_now(clock_real()), check, ctx);
    if (file && access(c->db_path.p, F_OK) != 0) {
        check(ctx, CLI_CHECK_PASS, "store", STR("will be created at the first start"), STR(""));
        return;
    }
    if (!desk_open(&d, c, false, &err)) {
        bool busy = err.code == ERR_BUSY;
        check(ctx, busy ? CLI_CHECK_PASS : CLI_CHECK_FAIL, "store",
              str_of(busy ? "in use by a running server" : err.text),
              busy   ? STR("")
              : file ? STR("see the sentence; chronos config show tells where the data is expected")
                     : STR("see the sentence; chronos config show tells the address of the database"));
        return;
    }
    bool ok = d.store->ops->check(d.store, &err);
    check(ctx, ok ? CLI_CHECK_PASS : CLI_CHECK_FAIL, "store",
          ok ? STR("reads and writes work") : str_of(err.text),
          ok     ? STR("")
          : file ? STR("check disk space and rights of the data folder")
                 : STR("look into the log of the database server"));
    bool admin = false;
    if (ok && d.store->ops->admin_exists(d.store, &admin, &err))
        check(ctx, admin ? CLI_CHECK_PASS : CLI_CHECK_WARN, "administrator",
              admin ? STR("exists") : STR("none yet"), admin ? STR("") : STR("chronos setup-link"));
    desk_close(&d);
}
