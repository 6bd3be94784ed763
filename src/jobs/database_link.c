// SPDX-License-Identifier: Apache-2.0
// Opening: address → breaker → egress guard → connection of the pool or a new one → session. A file of SQLite
// is found below the allowed folders, and is never the server's own.
#include "jobs/database_link.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/file.h"
#include "base/map.h"
#include "base/sync.h"
#include "fs/root.h"
#include "jobs/db_pool.h"
#include "jobs/services.h"
#include "net/dial.h"

enum { OWN_FILES = 6 };

bool database_link_failed(struct database_link *l, const struct query_err *err)
{
    l->err = *err;
    l->error_class = err->e.code == ERR_UNAVAILABLE ? "CONNECTION_ERROR" : "DATABASE_ERROR";
    return false;
}

bool database_link_refuse(struct database_link *l, const char *error_class, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    l->err = (struct query_err){.e.code = ERR_INVALID};
    (void)vsnprintf(l->err.e.text, sizeof l->err.e.text, fmt, args);
    va_end(args);
    l->error_class = error_class;
    return false;
}

void database_link_end(struct database_link *l)
{
    struct attempt *a = l->a;
    if (l->ended || attempt_ended_by_cancel(a))
        return;
    if (l->err.code[0])
        a->result.error_code = arena_str(&a->arena, str_of(l->err.code));
    if (l->err.e.code == ERR_TIMEOUT)
        attempt_timed_out(a, "%s", l->err.e.text);
    else if (l->err.code[0])
        attempt_fail(a, l->error_class, "%s (%s)", l->err.e.text, l->err.code);
    else
        attempt_fail(a, l->error_class, "%s", l->err.e.text);
}

static void interrupt(void *ctx)
{
    struct database_link *l = ctx;
    atomic_store(&l->stop, true);
    if (l->q)
        query_interrupt(l->q);
}

// Nobody looks at it while it changes.
static void set_query(struct database_link *l, struct query *q)
{
    if (l->interruptible)
        attempt_uninterruptible(l->a);
    l->q = q;
    l->interruptible = true;
    attempt_interruptible(l->a, interrupt, l);
}

// ---- where ----

static struct ulid key_of(const struct query_target *t, struct arena *a)
{
    const struct db_url *u = &t->url;
    struct str text =
        arena_fmt(a, "%d\n%.*s\n%lld\n%.*s\n%.*s\n%.*s\n%d\n%.*s\n%.*s\n%lld", (int)t->kind, STR_ARG(u->host),
                  (long long)u->port, STR_ARG(u->name), STR_ARG(u->user), STR_ARG(u->password), (int)t->tls,
                  STR_ARG(t->ca), STR_ARG(t->schema), (long long)t->answer_time.us);
    return map_key(text.p ? text.p : "", text.n);
}

static bool target_read(struct database_link *l, const struct database_login *login)
{
    struct attempt *a = l->a;
    struct query_target *t = &l->target;
    struct err err;
    if (!query_target_parse(login->url, t, &a->arena, &err))
        return database_link_refuse(l, "DEFINITION_ERROR", "%s", err.text);
    if (login->username.p)
        t->url.user = login->username;
    if (login->password.p)
        t->url.password = login->password;
    if (t->ignored.p)
        attempt_log(a, LOG_LINE_WARN, STREAM_SYSTEM,
                    arena_fmt(&a->arena,
                              "parameters of the database address without meaning here are ignored: %.*s",
                              STR_ARG(t->ignored)),
                    STR_NONE);
    l->key = key_of(t, &a->arena);
    struct duration d = login->connect_s != FIELD_ABSENT ? duration_s(login->connect_s) : t->connect_time;
    l->options = (struct query_options){
        .target = t,
        .application = "chronos job",
        .patience = d.us > 0 ? d : duration_s(DATABASE_CONNECT_S_DEFAULT),
        .stop = &l->stop,
        .folder = -1,
    };
    return !a->arena.exhausted ||
           database_link_refuse(l, "DEFINITION_ERROR", "the database address is too long");
}

// What the server keeps for itself, also when somebody allows its folder.
static struct strs own_files(struct database_link *l)
{
    static const char *const tails[] = {"", "-wal", "-shm"};
    const struct job_settings *s = l->a->env->settings;
    struct arena *a = &l->a->arena;
    struct strs v = {.v = arena_new_array(a, struct str, OWN_FILES)};
    for (size_t i = 0; v.v && i < sizeof tails / sizeof tails[0]; i++) {
        v.v[v.n++] = arena_fmt(a, "%.*s/chronos.db%s", STR_ARG(s->data_dir), tails[i]);
        if (s->store_file.n > 0)
            v.v[v.n++] = arena_fmt(a, "%.*s%s", STR_ARG(s->store_file), tails[i]);
    }
    return v;
}

static bool file_find(struct database_link *l, bool create)
{
    struct roots roots = {0};
    struct place place;
    struct err err;
    if (str_is(l->target.path, ":memory:"))
        return true;
    bool ok = job_roots_open(l->a->env->settings, &roots, &l->a->arena, &err) &&
              place_find(&roots, l->target.path, &place, &l->a->arena, &err) &&
              (place_name(&place).n > 0 ||
               ERR(&err, ERR_INVALID, "the database address names a folder, not a file")) &&
              place_open_parent(&place, false, &l->folder, &err);
    if (ok) {
        l->options.folder = l->folder;
        l->options.file = arena_str(&l->a->arena, place_name(&place));
        l->options.refused = own_files(l);
        l->options.create = create;
    }
    roots_close(&roots);
    return ok || database_link_refuse(l, "FILE_ERROR", "%s", err.text);
}

static bool address_find(struct database_link *l)
{
    char address[DIAL_ADDRESS_MAX];
    struct err err;
    struct dial d = {.clock = l->a->clock,
                     .host = l->target.url.host,
                     .port = (int)l->target.url.port,
                     .egress = l->a->env->egress,
                     .at_most = l->options.patience,
                     .stop = &l->stop};
    if (!dial_address(&d, address, &err))
        return database_link_refuse(l, err.code == ERR_DENIED ? "EGRESS_DENIED" : "CONNECTION_ERROR", "%s",
                                    err.text);
    l->options.address = arena_str(&l->a->arena, str_of(address));
    return true;
}

// ---- opening and closing ----

static bool session_begin(struct database_link *l, const struct query_session *s, struct query_err *err)
{
    struct query *q = db_pool_take(l->a->env->db_pool, l->key);
    if (q) {
        set_query(l, q);
        if (query_session(q, s, err))
            return true;
        set_query(l, NULL); // it had been lost: a new one
        query_close(q);
        if (database_link_stopped(l))
            return false;
    }
    if (l->target.kind != QUERY_SQLITE && !address_find(l)) {
        *err = l->err;
        return false;
    }
    if (!query_open(&l->options, &q, err))
        return database_link_failed(l, err);
    set_query(l, q);
    return query_session(q, s, err) || database_link_failed(l, err);
}

bool database_link_open(struct database_link *l, const struct database_login *login,
                        const struct query_session *s)
{
    struct query_err err = {.code = ""};
    l->folder = -1;
    if (!target_read(l, login))
        return false;
    if (l->target.kind == QUERY_SQLITE) {
        if (!file_find(l, !s->read_only))
            return false;
    } else if (!attempt_target(l->a, query_target_server(&l->target, &l->a->arena))) {
        l->ended = true;
        return false;
    }
    set_query(l, NULL);
    return session_begin(l, s, &err);
}

void database_link_close(struct database_link *l, bool keep)
{
    struct query *q = l->q;
    if (l->interruptible)
        attempt_uninterruptible(l->a);
    l->interruptible = false;
    l->q = NULL;
    if (q && keep && !database_link_stopped(l) && query_reset(q))
        db_pool_give(l->a->env->db_pool, l->key, q);
    else
        query_close(q);
    cleanup_fd(&l->folder);
    l->folder = -1;
}

void database_url_check(struct str url, struct str pointer, int *ret_kind, struct faults *faults)
{
    struct arena a CLEANUP(arena_release);
    struct query_target t;
    struct err err;
    enum { CHECK_BUDGET = 64 * 1024 };
    *ret_kind = -1;
    arena_init(&a, CHECK_BUDGET);
    if (url.n >= 2 && memmem(url.p, url.n, "{{", 2)) {
        static const struct {
            const char *start;
            enum query_kind kind;
        } starts[] = {{"mysql:", QUERY_MYSQL},
                      {"mariadb:", QUERY_MYSQL},
                      {"postgresql:", QUERY_POSTGRES},
                      {"postgres:", QUERY_POSTGRES},
                      {"sqlite:", QUERY_SQLITE}};
        if (str_starts(url, STR("jdbc:")))
            (void)str_split(url, ':', &url);
        for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++)
            if (str_starts(url, str_of(starts[i].start)))
                *ret_kind = (int)starts[i].kind;
        return;
    }
    if (query_target_parse(url, &t, &a, &err))
        *ret_kind = (int)t.kind;
    else
        faults_add(faults, pointer, "%s", err.text);
}
