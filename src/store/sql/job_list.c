// SPDX-License-Identifier: Apache-2.0
// The list of jobs. Name, type and owner are conditions of the statement; status and tag are derived from the
// row and checked here, over at most SCAN_MAX rows per call: past that a page may be short and carries a
// cursor.
#include "store/sql/job.h"
#include "store/sql/sql.h"

enum { SCAN_MAX = 10000, NAME_COLUMN = 12 };

#define BY(sort)                                                                                             \
    {                                                                                                        \
        {STORE_JOBS_BY_##sort##_DESC_ANY, STORE_JOBS_BY_##sort##_DESC_OWNER,                                 \
         STORE_JOBS_BY_##sort##_DESC_OWNERS},                                                                \
        {                                                                                                    \
            STORE_JOBS_BY_##sort##_ASC_ANY, STORE_JOBS_BY_##sort##_ASC_OWNER,                                \
            STORE_JOBS_BY_##sort##_ASC_OWNERS                                                                \
        }                                                                                                    \
    }
enum { OF_ANY, OF_OWNER, OF_OWNERS, SCOPES };
static const enum store_query queries[][2][SCOPES] = {
    // [sort][ascending][whose]
    [JOB_SORT_ID] = BY(ID),          [JOB_SORT_CREATED] = BY(ID), [JOB_SORT_UPDATED] = BY(UPDATE),
    [JOB_SORT_NEXT_FIRE] = BY(NEXT), [JOB_SORT_NAME] = BY(NAME),
};

struct listing {
    const struct job_filter *f;
    struct cursor at; // where it starts, then the last row seen
    struct pager pager;
    struct job *out;
    int64_t scanned, limit, matched;
    bool counting; // matches only, nothing kept
    bool cut;      // stopped at the limit
};

static int scope_of(const struct job_filter *f)
{
    return ulid_is_zero(f->owner_id) ? OF_ANY : f->n_teams > 0 ? OF_OWNERS : OF_OWNER;
}

static bool checks_rows(const struct job_filter *f) { return f->status >= 0 || f->tag.p; }

static bool row_matches(struct db_stmt *s, const struct job_filter *f)
{
    return (f->status < 0 || job_row_status(s) == f->status) &&
           (!f->tag.p || job_text_has_tag(job_row_definition(s), f->tag));
}

static void bind_filter(struct db_stmt *s, int first, const struct job_filter *f)
{
    db_put_text(s, first, f->type);
    db_put_text(s, first + 1, f->name.n ? f->name : STR_NONE);
    if (!ulid_is_zero(f->owner_id))
        db_put_id(s, first + 2, &f->owner_id);
    if (scope_of(f) == OF_OWNERS)
        bind_teams(s, first + 3, &f->owner_id, f->teams, f->n_teams);
}

// Takes one row; false in *ret_go: the page is full.
static bool take_row(struct listing *l, struct db_stmt *s, bool *ret_go, struct arena *a, struct err *err)
{
    l->scanned++;
    bool matches = row_matches(s, l->f);
    enum page_step step = PAGE_SKIP;
    if (matches && l->counting)
        l->matched++;
    else if (matches)
        step = pager_next(&l->pager);
    *ret_go = step != PAGE_FULL;
    if (step == PAGE_FULL || l->counting)
        return true;
    job_row_cursor(s, &l->at);
    if (l->at.sort == JOB_SORT_NAME && (step == PAGE_TAKE || l->scanned == l->limit)) {
        l->at.text = arena_str(a, db_bytes(s, NAME_COLUMN));
        if (!l->at.text.p)
            return sql_no_memory(err);
    }
    return step != PAGE_TAKE || job_row_read(s, &l->out[l->pager.n - 1], a, err);
}

static bool list_run(struct store *st, struct listing *l, struct arena *a, struct err *err)
{
    struct sql_read r;
    struct cursor from = l->at;
    if (!sql_read(&r, st, queries[from.sort][from.ascending][scope_of(l->f)], err))
        return false;
    if (from.sort == JOB_SORT_NAME)
        db_put_text(r.s, 1, from.text);
    else
        db_put_i64(r.s, 1, from.number);
    db_put_id(r.s, 2, &from.id);
    db_put_i64(r.s, 3, l->limit);
    bind_filter(r.s, 4, l->f);
    bool ok = true, row, go = true;
    while (ok && go && (ok = db_step(r.s, &row, err)) && row)
        ok = take_row(l, r.s, &go, a, err);
    l->cut = ok && go && l->scanned == l->limit;
    sql_read_end(&r);
    return ok;
}

// Everything that matches, up to a bound: by counting in the database, or by looking at rows.
static bool count(struct store *st, const struct job_filter *f, struct page_result *ret, struct arena *a,
                  struct err *err)
{
    if (checks_rows(f)) {
        struct listing l = {.f = f, .counting = true, .limit = SCAN_MAX, .at = {.list = 'j'}};
        memset(l.at.id.b, 0xFF, sizeof l.at.id.b);
        if (!list_run(st, &l, a, err))
            return false;
        page_total(ret, l.matched, !l.cut);
        return true;
    }
    struct sql_read r;
    static const enum store_query counts[SCOPES] = {STORE_JOBS_COUNT_ANY, STORE_JOBS_COUNT_OWNER,
                                                    STORE_JOBS_COUNT_OWNERS};
    if (!sql_read(&r, st, counts[scope_of(f)], err))
        return false;
    db_put_i64(r.s, 1, TOTAL_EXACT_MAX + 1);
    bind_filter(r.s, 2, f);
    bool ok = sql_only_row(r.s, err, "count", "jobs");
    if (ok)
        page_total(ret, db_i64(r.s, 0), true);
    sql_read_end(&r);
    return ok;
}

bool sql_jobs_list(struct store *s, const struct job_filter *f, const struct page *p, struct job **ret,
                   size_t *ret_n, struct page_result *ret_page, struct arena *a, struct err *err)
{
    struct listing l = {.f = f};
    struct page_result result;
    bool given;
    if (!page_open(p, 'j', job_sorts, &l.at, &given, a, err))
        return false;
    l.out = arena_new_array(a, struct job, (size_t)p->size);
    if (!l.out)
        return sql_no_memory(err);
    l.pager = (struct pager){.skip = given ? 0 : p->offset, .size = p->size};
    l.limit = checks_rows(f) ? SCAN_MAX : l.pager.skip + p->size + 1;
    if (!list_run(s, &l, a, err) || !count(s, f, &result, a, err))
        return false;
    bool more = l.pager.more || (l.cut && checks_rows(f));
    result.next_cursor = more ? cursor_write(&l.at, a) : STR_NONE;
    *ret = l.out;
    *ret_n = l.pager.n;
    *ret_page = result;
    return true;
}
