// SPDX-License-Identifier: Apache-2.0
// Lists of jobs: filters, sorts, pages.
#include "conformance.h"

struct listed {
    struct job *v;
    size_t n;
    struct page_result page;
};

static struct listed list(struct world *w, struct job_filter f, struct page p)
{
    struct listed l;
    assert_ok(w, w->s->ops->jobs_list(w->s, &f, &p, &l.v, &l.n, &l.page, &w->a, &w->err));
    return l;
}

static const struct job_filter any = {.status = -1};

// Every id once, in order, however the rows are cut into pages.
static void check_walk(struct world *w, struct job_filter f, const char *sort, bool ascending,
                       const struct ulid *expected, size_t n)
{
    struct page p = {.size = 2, .sort = str_of(sort), .ascending = ascending};
    size_t seen = 0;
    for (;;) {
        struct listed l = list(w, f, p);
        assert_int_equal(l.page.total, n);
        for (size_t i = 0; i < l.n; i++)
            assert_id(l.v[i].id, expected[ascending ? seen + i : n - 1 - seen - i]);
        seen += l.n;
        if (!l.page.next_cursor.p)
            break;
        assert_int_equal(l.n, 2);
        p.cursor = l.page.next_cursor;
    }
    assert_int_equal(seen, n);
}

static void every_sort_walks_every_job(void **state)
{
    struct world *w = *state;
    enum { N = 5 };
    static const char *const names[N] = {"d", "a", "e", "b", "c"};
    static const int64_t next[N] = {100, 500, 200, 400, 300}, updated[N] = {3, 3, 1, 1, 2};
    static const size_t by_name[N] = {1, 3, 4, 0, 2}, by_next[N] = {0, 2, 4, 3, 1},
                        by_update[N] = {2, 3, 4, 0, 1};
    struct ulid ids[N], sorted[N];
    for (size_t i = 0; i < N; i++) {
        struct job j;
        struct plan p;
        job_make(w, names[i], &j, &p);
        j.updated_at = at_s(updated[i]);
        p.next_fire = at_s(next[i]);
        assert_ok(w, w->s->ops->jobs_insert(w->s, &j, &p, 1, &w->err));
        ids[i] = j.id;
    }
    const struct {
        const char *sort;
        const size_t *order;
    } sorts[] = {{"id", NULL},
                 {"createdAt", NULL},
                 {"name", by_name},
                 {"nextFireTime", by_next},
                 {"updatedAt", by_update}};
    for (size_t k = 0; k < sizeof sorts / sizeof sorts[0]; k++) {
        for (size_t i = 0; i < N; i++)
            sorted[i] = ids[sorts[k].order ? sorts[k].order[i] : i];
        const struct job_filter filters[] = {any,
                                             {.owner_id = w->owner, .status = -1},
                                             {.type = STR("DUMMY"), .status = -1},
                                             {.status = JOB_SCHEDULED}};
        for (size_t i = 0; i < 8; i++)
            check_walk(w, filters[i / 2], sorts[k].sort, i % 2, sorted, N);
    }
}

static void cursor_is_stable_under_inserts(void **state)
{
    struct world *w = *state;
    struct ulid ids[4];
    for (size_t i = 0; i < 4; i++)
        ids[i] = job_add(w, "x").job_id;
    struct listed first = list(w, any, page_of(2));
    assert_id(first.v[1].id, ids[2]);
    (void)job_add(w, "newer");
    struct page p = {.size = 2, .cursor = first.page.next_cursor};
    struct listed second = list(w, any, p);
    assert_int_equal(second.n, 2);
    assert_id(second.v[0].id, ids[1]);
    assert_id(second.v[1].id, ids[0]);
    assert_null(second.page.next_cursor.p);
    assert_int_equal(second.page.total, 5);
}

static void offset_skips(void **state)
{
    struct world *w = *state;
    struct ulid ids[5];
    for (size_t i = 0; i < 5; i++)
        ids[i] = job_add(w, "x").job_id;
    struct page p = {.size = 2, .offset = 4};
    struct listed l = list(w, any, p);
    assert_int_equal(l.n, 1);
    assert_id(l.v[0].id, ids[0]);
    assert_null(l.page.next_cursor.p);
    p.offset = 100;
    assert_int_equal(list(w, any, p).n, 0);
}

static void filters_by_columns(void **state)
{
    struct world *w = *state;
    struct job j;
    struct plan p;
    struct ulid other = id_new(w);
    struct str tags[] = {STR("blue")};
    (void)job_add(w, "Export Nightly");
    job_make(w, "import", &j, &p);
    j.owner_id = other;
    j.type = p.type = STR("HTTP");
    j.tags = (struct strs){tags, 1};
    assert_ok(w, w->s->ops->jobs_insert(w->s, &j, &p, 1, &w->err));
    (void)job_add(w, "blue");
    struct job_filter f = any;
    f.name = STR("NIGHT");
    assert_int_equal(list(w, f, page_of(10)).n, 1);
    f.name = STR("port");
    assert_int_equal(list(w, f, page_of(10)).n, 2);
    assert_int_equal(list(w, f, page_of(10)).page.total, 2);
    f = any;
    f.owner_id = other;
    assert_int_equal(list(w, f, page_of(10)).n, 1);
    assert_int_equal(list(w, f, page_of(10)).page.total, 1);
    f = any;
    f.type = STR("HTTP");
    assert_int_equal(list(w, f, page_of(10)).n, 1);
    f = any;
    f.tag = STR("blue");
    struct listed l = list(w, f, page_of(10));
    assert_int_equal(l.n, 1);
    assert_id(l.v[0].id, j.id);
    f.tag = STR("blu");
    assert_int_equal(list(w, f, page_of(10)).n, 0);
    f = any;
    f.owner_id = w->owner;
    f.name = STR("%");
    assert_int_equal(list(w, f, page_of(10)).n, 0);
}

static void filters_by_derived_status(void **state)
{
    struct world *w = *state;
    struct plan paused = job_add(w, "paused"), running = job_add(w, "running"), failed = job_add(w, "failed");
    (void)job_add(w, "scheduled");
    assert_ok(
        w, w->s->ops->job_set_state(w->s, paused.job_id, JOB_STATE_PAUSED, INSTANT_NEVER, at_s(1), &w->err));
    (void)fire_one(w, &running, RUN_RUNNING, 1);
    struct run r = run_make(&failed, failed.next_fire, 1, RUN_RUNNING, 2);
    struct fire last = {.job_id = failed.job_id,
                        .expect_version = 1,
                        .expect_next = failed.next_fire,
                        .new_next = INSTANT_NEVER,
                        .runs = &r,
                        .n_runs = 1};
    assert_true(fire(w, &last));
    struct finish f = finish_make(&r, RUN_FAILED);
    assert_true(finish(w, &f));
    const struct {
        int status;
        const char *name;
    } expected[] = {{JOB_PAUSED, "paused"},
                    {JOB_RUNNING, "running"},
                    {JOB_FAILED, "failed"},
                    {JOB_SCHEDULED, "scheduled"}};
    for (size_t i = 0; i < 4; i++) {
        struct job_filter filter = {.status = expected[i].status};
        struct listed l = list(w, filter, page_of(10));
        assert_int_equal(l.n, 1);
        assert_int_equal(l.page.total, 1);
        assert_int_equal(l.v[0].status, expected[i].status);
        assert_text(l.v[0].name, str_of(expected[i].name));
    }
}

static void pages_by_status_keep_their_place(void **state)
{
    struct world *w = *state;
    struct ulid paused[5];
    for (size_t i = 0; i < 5; i++) {
        paused[i] = job_add(w, "p").job_id;
        (void)job_add(w, "s");
        assert_ok(
            w, w->s->ops->job_set_state(w->s, paused[i], JOB_STATE_PAUSED, INSTANT_NEVER, at_s(1), &w->err));
    }
    struct job_filter f = {.status = JOB_PAUSED};
    struct page p = page_of(2);
    size_t seen = 0;
    for (bool more = true; more;) {
        struct listed l = list(w, f, p);
        for (size_t i = 0; i < l.n; i++)
            assert_id(l.v[i].id, paused[4 - seen - i]);
        seen += l.n;
        more = l.page.next_cursor.p != NULL;
        p.cursor = l.page.next_cursor;
    }
    assert_int_equal(seen, 5);
}

static void bad_pages_are_refused(void **state)
{
    struct world *w = *state;
    (void)job_add(w, "a");
    (void)job_add(w, "b");
    struct listed l;
    struct page bad[] = {
        {.size = 0},
        {.size = PAGE_SIZE_MAX + 1},
        {.size = 10, .offset = -1},
        {.size = 10, .offset = TOTAL_EXACT_MAX + 1},
        {.size = 10, .sort = STR("payload")},
        {.size = 10, .cursor = STR("xyz")},
        {.size = 10, .cursor = STR("")},
        {.size = 10, .sort = STR("name"), .cursor = list(w, any, page_of(1)).page.next_cursor},
    };
    static const char *const fields[] = {"/size", "/size",   "/page",   "/page",
                                         "/sort", "/cursor", "/cursor", "/cursor"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_err(w, w->s->ops->jobs_list(w->s, &any, &bad[i], &l.v, &l.n, &l.page, &w->a, &w->err),
                   ERR_INVALID);
        assert_string_equal(w->err.field, fields[i]);
    }
}

static void deleted_jobs_are_not_listed(void **state)
{
    struct world *w = *state;
    struct ulid gone = job_add(w, "a").job_id, stays = job_add(w, "b").job_id;
    assert_ok(w, w->s->ops->job_delete(w->s, gone, 1, at_s(1), &w->err));
    struct listed l = list(w, any, page_of(10));
    assert_int_equal(l.n, 1);
    assert_int_equal(l.page.total, 1);
    assert_false(l.page.total_is_estimate);
    assert_id(l.v[0].id, stays);
}

static const struct CMUnitTest rows[] = {
    CASE("every sort walks every job once in both directions", every_sort_walks_every_job),
    CASE("a cursor is stable while jobs are inserted", cursor_is_stable_under_inserts),
    CASE("an offset skips rows", offset_skips),
    CASE("jobs are filtered by name, owner, type and tag", filters_by_columns),
    CASE("jobs are filtered by the status that follows from plan and last run", filters_by_derived_status),
    CASE("pages of one status keep their place", pages_by_status_keep_their_place),
    CASE("a page that makes no sense is refused with the field", bad_pages_are_refused),
    CASE("deleted jobs are not listed", deleted_jobs_are_not_listed),
};
const struct cases job_list_cases = CASES(rows);
