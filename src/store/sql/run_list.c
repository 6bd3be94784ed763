// SPDX-License-Identifier: Apache-2.0
// Lists of runs. Those of one job follow its chain from the newest, one row by primary key at a time: no
// index by job is needed, whatever the length of the history. Others go by id, which is the order of
// scheduled instants. Filters are checked on at most SCAN_MAX rows per call: past that a page may be short
// and carries a cursor.
#include "store/sql/sql.h"

enum { SCAN_MAX = 5000, LINKS_AT_ONCE = 200 };

struct listing {
    const struct run_filter *f;
    struct pager pager;
    struct run *out;
    struct ulid last; // last row kept, or passed when the scan stops
    int64_t scanned, matched;
    bool counting;
    bool cut;
};

static bool owner_matches(const struct run_filter *f, struct ulid owner)
{
    return owner_among(f->owner_id, f->teams, f->n_teams, owner);
}

enum { STATUS_COLUMN = 3, SCHEDULED_COLUMN, TRIGGER_COLUMN = 13, WORKER_COLUMN = 17, CLASS_COLUMN, PREV_COLUMN = 22 };

static bool row_fits(const struct run_filter *f, struct db_stmt *s)
{
    return !run_filter_narrow(f) ||
           run_filter_fits(f, (int)db_i64(s, STATUS_COLUMN), (struct instant){db_i64(s, SCHEDULED_COLUMN)},
                           (int)db_i64(s, TRIGGER_COLUMN), db_bytes(s, WORKER_COLUMN), db_bytes(s, CLASS_COLUMN));
}

// Takes the row under the statement. *ret_go false: the page is full.
static bool take_row(struct listing *l, struct db_stmt *s, bool matches, struct str job_name, bool *ret_go,
                     struct arena *a, struct err *err)
{
    enum page_step step = PAGE_SKIP;
    l->scanned++;
    if (matches && l->counting)
        l->matched++;
    else if (matches)
        step = pager_next(&l->pager);
    l->cut = step != PAGE_FULL && l->scanned == SCAN_MAX;
    *ret_go = step != PAGE_FULL && !l->cut;
    if (step == PAGE_FULL || l->counting)
        return true;
    l->last = db_id(s, 0);
    if (step != PAGE_TAKE)
        return true;
    struct run *r = &l->out[l->pager.n - 1];
    if (!run_read(s, r, a, err))
        return false;
    r->job_name = arena_str(a, job_name);
    return true;
}

// ---- by id -------------------------------------------------------------------------------------

static enum store_query by_id_query(const struct run_filter *f, bool ascending)
{
    bool active = f->status == RUN_QUEUED || f->status == RUN_RUNNING;
    if (active)
        return ascending ? STORE_RUNS_ACTIVE_ASC : STORE_RUNS_ACTIVE_DESC;
    if (f->status > RUN_SUCCEEDED)
        return ascending ? STORE_RUNS_NOT_SUCCEEDED_ASC : STORE_RUNS_NOT_SUCCEEDED_DESC;
    return ascending ? STORE_RUNS_BY_ID_ASC : STORE_RUNS_BY_ID_DESC;
}

// Ids begin with the instant that a run was scheduled for, one that was asked for under its own id with about that:
// a day away from the range asked for there is nothing more.
static const struct duration apart = {INT64_C(86400) * US_PER_S};

static bool is_past(const struct run_filter *f, struct ulid id, bool ascending)
{
    int64_t at = ulid_time(id).us;
    return ascending ? f->to.us != 0 && at > f->to.us + apart.us : f->from.us != 0 && at < f->from.us - apart.us;
}

// The nearer of where a list begins and where the range does.
static struct ulid range_begin(const struct run_filter *f, struct ulid from, bool ascending)
{
    if (ascending ? f->from.us == 0 : f->to.us == 0)
        return from;
    struct ulid edge = trim_bound((struct instant){ascending ? f->from.us - apart.us : f->to.us + apart.us});
    return (ulid_cmp(edge, from) > 0) == ascending ? edge : from;
}

static bool by_id(struct store *st, struct listing *l, struct ulid from, bool ascending, struct arena *a,
                  struct err *err)
{
    struct sql_read r;
    const struct run_filter *f = l->f;
    from = range_begin(f, from, ascending);
    if (!sql_read(&r, st, by_id_query(f, ascending), err))
        return false;
    db_put_id(r.s, 1, &from);
    db_put_i64(r.s, 2, SCAN_MAX);
    bool ok = true, row, go = true;
    while (ok && go && (ok = db_step(r.s, &row, err)) && row) {
        struct ulid id = db_id(r.s, 0);
        if (is_past(f, id, ascending))
            break;
        bool matches = row_fits(f, r.s) && owner_matches(f, db_id(r.s, run_columns.n + 1));
        ok = take_row(l, r.s, matches, db_bytes(r.s, run_columns.n), &go, a, err);
    }
    sql_read_end(&r);
    return ok;
}

static bool count_all(struct store *st, struct page_result *ret, struct err *err)
{
    struct sql_read r;
    if (!sql_read(&r, st, STORE_RUNS_COUNT, err))
        return false;
    db_put_i64(r.s, 1, TOTAL_EXACT_MAX + 1);
    bool ok = sql_only_row(r.s, err, "count", "runs");
    if (ok)
        page_total(ret, db_i64(r.s, 0), true);
    sql_read_end(&r);
    return ok;
}

static bool count_by_id(struct store *st, const struct run_filter *f, struct page_result *ret,
                        struct arena *a, struct err *err)
{
    if (!run_filter_narrow(f) && ulid_is_zero(f->owner_id))
        return count_all(st, ret, err);
    struct listing l = {.f = f, .counting = true};
    struct ulid highest;
    memset(highest.b, 0xFF, sizeof highest.b);
    if (!by_id(st, &l, highest, false, a, err))
        return false;
    page_total(ret, l.matched, !l.cut);
    return true;
}

// ---- along the chain of a job ------------------------------------------------------------------

struct chain {
    struct ulid head, owner;
    int64_t length;
    struct str name;
};

// A job that does not exist has an empty chain.
static bool chain_find(struct store *st, struct ulid job_id, struct chain *ret, struct arena *a,
                       struct err *err)
{
    struct sql_read r;
    bool row;
    *ret = (struct chain){.length = 0};
    if (!sql_read(&r, st, STORE_JOB_CHAIN, err))
        return false;
    db_put_id(r.s, 1, &job_id);
    bool ok = db_step(r.s, &row, err);
    if (ok && row)
        *ret = (struct chain){.head = db_id(r.s, 0),
                              .length = db_i64(r.s, 1),
                              .owner = db_id(r.s, 2),
                              .name = arena_str(a, db_bytes(r.s, 3))};
    sql_read_end(&r);
    return ok;
}

// What is done with each run of a chain. *ret_go false: no more are wanted.
typedef bool (*link_fn)(void *ctx, struct db_stmt *s, bool *ret_go, struct arena *a, struct err *err);

// Walks towards older runs on a server, some with each question.
static bool links_in_blocks(struct store *st, struct ulid from, link_fn take, void *ctx, struct arena *a,
                            struct err *err)
{
    struct sql_read r;
    if (!sql_read(&r, st, STORE_RUN_LINKS, err))
        return false;
    struct ulid at = from;
    bool ok = true, go = true;
    while (ok && go && !ulid_is_zero(at)) {
        size_t n = 0;
        bool row = true;
        struct ulid first = at;
        db_put_id(r.s, 1, &first);
        db_put_i64(r.s, 2, LINKS_AT_ONCE);
        for (; ok && go && (ok = db_step(r.s, &row, err)) && row; n++) {
            at = db_id(r.s, PREV_COLUMN);
            ok = take(ctx, r.s, &go, a, err);
        }
        if (row)
            db_reset(r.s);
        go = go && n == LINKS_AT_ONCE; // else the chain ends, or older history was removed
    }
    sql_read_end(&r);
    return ok;
}

// The same where a question costs nothing.
static bool links_one_by_one(struct store *st, struct ulid from, link_fn take, void *ctx, struct arena *a,
                             struct err *err)
{
    struct sql_read r;
    if (!sql_read(&r, st, STORE_RUN_LINK, err))
        return false;
    struct ulid at = from;
    bool ok = true, row = true, go = true;
    while (ok && go && !ulid_is_zero(at)) {
        struct ulid id = at;
        db_put_id(r.s, 1, &id);
        ok = db_step(r.s, &row, err);
        if (!ok || !row)
            break; // older history was removed
        at = db_id(r.s, PREV_COLUMN);
        ok = take(ctx, r.s, &go, a, err);
        db_reset(r.s);
    }
    sql_read_end(&r);
    return ok;
}

static bool links_walk(struct store *st, struct ulid from, link_fn take, void *ctx, struct arena *a,
                       struct err *err)
{
    return st->exclusive ? links_one_by_one(st, from, take, ctx, a, err)
                         : links_in_blocks(st, from, take, ctx, a, err);
}

struct walk {
    struct listing *l;
    const struct chain *c;
};

static bool link_take(void *ctx, struct db_stmt *s, bool *ret_go, struct arena *a, struct err *err)
{
    const struct walk *w = ctx;
    bool matches = row_fits(w->l->f, s);
    return take_row(w->l, s, matches, w->c->name, ret_go, a, err);
}

// Walks towards older runs. order: when not NULL only these ids, in this order (oldest first).
static bool chain_walk(struct store *st, struct listing *l, const struct chain *c, struct ulid from,
                       const struct ulid *order, size_t n_order, struct arena *a, struct err *err)
{
    struct walk w = {l, c};
    if (!order)
        return links_walk(st, from, link_take, &w, a, err);
    struct sql_read r;
    if (!sql_read(&r, st, STORE_RUN_LINK, err))
        return false;
    bool ok = true, row = true, go = true;
    for (size_t i = 0; ok && go && row && i < n_order; i++) {
        db_put_id(r.s, 1, &order[i]);
        ok = db_step(r.s, &row, err) && (!row || link_take(&w, r.s, &go, a, err));
        db_reset(r.s);
    }
    sql_read_end(&r);
    return ok;
}

// Ids of a chain, filled from the back.
struct links {
    struct ulid *v;
    size_t n, most;
};

static bool link_note(void *ctx, struct db_stmt *s, bool *ret_go, struct arena *a, struct err *err)
{
    struct links *w = ctx;
    (void)a;
    (void)err;
    w->v[w->most - ++w->n] = db_id(s, 0);
    *ret_go = w->n < w->most;
    return true;
}

// Ids from the oldest; the chain is held as a whole, so only short ones can be listed that way.
static bool chain_oldest_first(struct store *st, const struct chain *c, struct ulid **ret, size_t *ret_n,
                               struct arena *a, struct err *err)
{
    if (c->length > TOTAL_EXACT_MAX) {
        (void)ERR(err, ERR_INVALID, "a job with more than %d runs is listed newest first only",
                  TOTAL_EXACT_MAX);
        return err_at(err, "/sort"), false;
    }
    struct links w = {.v = arena_new_array(a, struct ulid, (size_t)c->length), .most = (size_t)c->length};
    if (!w.v)
        return sql_no_memory(err);
    if (w.most > 0 && !links_walk(st, c->head, link_note, &w, a, err))
        return false;
    *ret = w.v + w.most - w.n;
    *ret_n = w.n;
    return true;
}

static bool count_chain(struct store *st, const struct run_filter *f, const struct chain *c,
                        struct page_result *ret, struct arena *a, struct err *err)
{
    if (!run_filter_narrow(f)) {
        page_total(ret, c->length, true);
        return true;
    }
    struct listing l = {.f = f, .counting = true};
    if (!chain_walk(st, &l, c, c->head, NULL, 0, a, err))
        return false;
    page_total(ret, l.matched, !l.cut);
    return true;
}

// The run after the cursor's, in the direction of age. None when retention has removed the cursor's run: then
// also everything behind it.
static bool chain_resume(struct store *st, struct ulid id, struct ulid *ret, struct err *err)
{
    struct sql_read r;
    bool row;
    if (!sql_read(&r, st, STORE_RUN_LINK, err))
        return false;
    db_put_id(r.s, 1, &id);
    bool ok = db_step(r.s, &row, err);
    if (ok)
        *ret = row ? db_id(r.s, PREV_COLUMN) : ULID_ZERO;
    sql_read_end(&r);
    return ok;
}

static bool along_chain(struct store *st, struct listing *l, const struct cursor *at, bool given,
                        struct page_result *ret, struct arena *a, struct err *err)
{
    struct chain c;
    struct ulid from, *order = NULL;
    size_t n = 0, first = 0;
    if (!chain_find(st, l->f->job_id, &c, a, err))
        return false;
    if (!owner_matches(l->f, c.owner))
        c = (struct chain){.length = 0};
    from = c.head;
    if (at->ascending && !chain_oldest_first(st, &c, &order, &n, a, err))
        return false;
    if (!at->ascending && given && !chain_resume(st, at->id, &from, err))
        return false;
    while (given && first < n && !ulid_eq(order[first], at->id))
        first++;
    if (given && n > 0)
        first++;
    if (at->ascending)
        c.length = (int64_t)n; // of what retention has left
    if (at->ascending && first >= n)
        return count_chain(st, l->f, &c, ret, a, err);
    if (!chain_walk(st, l, &c, from, order ? order + first : NULL, n - first, a, err))
        return false;
    if (!at->ascending && !given && !l->pager.more && !l->cut)
        c.length = l->scanned; // the walk came to the end
    return count_chain(st, l->f, &c, ret, a, err);
}

bool sql_runs_list(struct store *s, const struct run_filter *f, const struct page *p, struct run **ret,
                   size_t *ret_n, struct page_result *ret_page, struct arena *a, struct err *err)
{
    struct listing l = {.f = f};
    struct page_result result;
    struct cursor at;
    bool given, chain = !ulid_is_zero(f->job_id);
    if (!page_open(p, chain ? 'c' : 'r', run_sorts, &at, &given, a, err))
        return false;
    l.out = arena_new_array(a, struct run, (size_t)p->size);
    if (!l.out)
        return sql_no_memory(err);
    l.pager = (struct pager){.skip = given ? 0 : p->offset, .size = p->size};
    bool ok = chain ? along_chain(s, &l, &at, given, &result, a, err)
                    : by_id(s, &l, at.id, p->ascending, a, err) && count_by_id(s, f, &result, a, err);
    if (!ok)
        return false;
    at.id = l.last;
    result.next_cursor = l.pager.more || l.cut ? cursor_write(&at, a) : STR_NONE;
    *ret = l.out;
    *ret_n = l.pager.n;
    *ret_page = result;
    return true;
}
