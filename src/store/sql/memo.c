// SPDX-License-Identifier: Apache-2.0
// What a job remembers from run to run. A memo is written only by who owns the run: the row of the run is
// locked in the same transaction, so that an owner who is being replaced comes either before his successor or
// not at all.
#include "store/sql/sql.h"

bool sql_memo_get(struct store *s, struct ulid job_id, struct str name, struct str *ret, struct arena *a,
                  struct err *err)
{
    struct sql_read r;
    bool row;
    if (!sql_read(&r, s, STORE_MEMO_GET, err))
        return false;
    db_put_id(r.s, 1, &job_id);
    db_put_text(r.s, 2, name);
    bool ok = db_step(r.s, &row, err);
    if (ok && row) {
        struct str value = arena_str(a, db_bytes(r.s, 0));
        ok = value.p || sql_no_memory(err);
        if (ok)
            *ret = value;
    } else if (ok) {
        *ret = STR_NONE;
    }
    sql_read_end(&r);
    return ok;
}

struct memo {
    struct store *store;
    struct ulid run_id, job_id;
    int64_t token;
    struct str name, value;
};

static bool row_put(struct db *d, const struct ulid *job_id, const struct memo *w, struct err *err)
{
    struct db_stmt *s;
    if (!sql_query(d, STORE_MEMO_PUT, &s, err))
        return false;
    db_put_id(s, 1, job_id);
    db_put_text(s, 2, w->name);
    db_put_text(s, 3, w->value);
    return db_run(s, err);
}

static bool memo_write(struct db *d, void *arg, struct err *err)
{
    const struct memo *w = arg;
    struct db_stmt *s;
    bool row;
    if (!sql_query(d, STORE_MEMO_JOB, &s, err))
        return false;
    db_put_id(s, 1, &w->run_id);
    db_put_i64(s, 2, w->token);
    if (!db_step(s, &row, err))
        return false;
    if (!row)
        return ERR(err, ERR_STALE, "the run has another owner by now, or its job was deleted");
    struct ulid job_id = db_id(s, 0);
    db_reset(s);
    return row_put(d, &job_id, w, err);
}

bool sql_memo_put(struct store *s, struct ulid run_id, int64_t token, struct str name, struct str value,
                  struct err *err)
{
    struct memo w = {.run_id = run_id, .token = token, .name = name, .value = value};
    return sql_write(s, memo_write, &w, 1, err);
}

static bool memo_tell(struct db *d, void *arg, struct err *err)
{
    const struct memo *w = arg;
    struct db_stmt *s;
    char text[ULID_TEXT_MAX];
    if (!sql_query(d, STORE_MEMO_HOLD, &s, err))
        return false;
    db_put_id(s, 1, &w->job_id);
    if (!sql_only_row(s, err, "job", ulid_format(w->job_id, text)))
        return false;
    db_reset(s);
    return row_put(d, &w->job_id, w, err) && change_put(w->store, d, CHANGE_PING, w->job_id, 0, err);
}

bool sql_memo_set(struct store *s, struct ulid job_id, struct str name, struct str value, struct err *err)
{
    struct memo w = {.store = s, .job_id = job_id, .name = name, .value = value};
    return sql_write(s, memo_tell, &w, 1, err);
}
