// SPDX-License-Identifier: Apache-2.0
// One action on all jobs that a filter finds. See bulk.h.
#include "app/bulk.h"

#include "app/job.h"
#include "app/run.h"

enum { SCRATCH_BUDGET = 64 * 1024 * 1024, NAME_MAX_CHARS = 200, WORD_MAX = 100 };

static const char *const action_words[] = {"pause", "resume", "delete", "run", NULL};

#define T struct bulk_filter
static const struct field filter_rows[] = {
    FIELD_STR(T, name, "name", .min = 1, .max = NAME_MAX_CHARS,
              .doc = "Part of the name, letter case ignored."),
    FIELD_STR(T, type, "type", .min = 1, .max = WORD_MAX, .doc = "Job type."),
    FIELD_STR(T, tag, "tag", .min = 1, .max = WORD_MAX, .doc = "A tag."),
    FIELD_ENUM(T, status, "status", job_status_names, .doc = "Status of the job."),
};
#undef T
static const struct fields filter_fields = FIELDS("BulkFilter", struct bulk_filter, filter_rows,
                                                  .doc = "Which jobs; all of the caller's when empty.");

#define T struct bulk_request
static const struct field request_rows[] = {
    FIELD_ENUM(T, action, "action", action_words, .flags = FIELD_REQUIRED, .doc = "What is done with each."),
    FIELD_OBJECT(T, filter, "filter", struct bulk_filter, &filter_fields, .flags = FIELD_REQUIRED,
                 .doc = "Which jobs."),
    FIELD_I64(T, expected, "expectedCount", .flags = FIELD_REQUIRED, .min = 0, .max = BULK_MAX,
              .doc = "How many there should be; another number is answered by 409, and nothing is done."),
};
#undef T
const struct fields bulk_request_fields =
    FIELDS("Bulk", struct bulk_request, request_rows, .doc = "One action on many jobs.");

#define T struct bulk_result
static const struct field result_rows[] = {
    FIELD_I64(T, matched, "matched", .doc = "Jobs that the filter found."),
    FIELD_I64(T, done, "done", .doc = "Jobs that it was done with."),
    FIELD_I64(T, failed, "failed", .doc = "Jobs that changed, went or could not be reached meanwhile."),
    FIELD_BOOL(T, dry_run, "dryRun", .doc = "Nothing was done."),
};
#undef T
const struct fields bulk_result_fields =
    FIELDS("BulkResult", struct bulk_result, result_rows, .doc = "What became of an action on many jobs.");

// Every job that matches, at most one more than are allowed.
static bool collect(struct app *app, const struct caller *c, const struct bulk_filter *want, struct ulid *ids,
                    size_t *ret_n, struct err *err)
{
    struct page p = {.size = PAGE_SIZE_MAX};
    struct arena a CLEANUP(arena_release);
    struct arena cursors CLEANUP(arena_release);
    size_t total = 0;
    bool more = true;
    arena_init(&a, SCRATCH_BUDGET);
    arena_init(&cursors, SCRATCH_BUDGET);
    while (more && total <= BULK_MAX) {
        struct job_filter f = {
            .name = want->name, .type = want->type, .tag = want->tag, .status = want->status};
        struct job *v;
        size_t n = 0;
        struct page_result page = {0};
        arena_reset(&a);
        if (!app_jobs_list(app, c, &f, &p, &v, &n, &page, &a, err))
            return false;
        for (size_t i = 0; i < n && total <= BULK_MAX; i++)
            ids[total++] = v[i].id;
        more = page.next_cursor.p != NULL;
        p.cursor = more ? arena_str(&cursors, page.next_cursor) : STR_NONE;
    }
    *ret_n = total;
    return true;
}

static bool act(struct app *app, const struct caller *c, int action, struct ulid id, struct err *err)
{
    struct arena a CLEANUP(arena_release);
    struct job j;
    struct run r;
    arena_init(&a, SCRATCH_BUDGET);
    switch (action) {
    case BULK_PAUSE:
        return app_job_pause(app, c, id, &j, &a, err);
    case BULK_RESUME:
        return app_job_resume(app, c, id, &j, &a, err);
    case BULK_DELETE:
        return app_job_delete(app, c, id, 0, &a, err);
    default: {
        struct run_start s = {.job_id = id, .at = INSTANT_NEVER, .trigger = TRIGGER_MANUAL};
        return app_run_start(app, c, &s, &r, &a, err);
    }
    }
}

static bool is_of_store(const struct err *err)
{
    return err->code == ERR_UNAVAILABLE || err->code == ERR_UNKNOWN_COMMIT || err->code == ERR_FULL;
}

bool app_jobs_bulk(struct app *app, const struct caller *c, const struct bulk_request *r, bool dry_run,
                   struct bulk_result *ret, struct arena *a, struct err *err)
{
    enum reach reach;
    struct ulid *ids = arena_new_array(a, struct ulid, BULK_MAX + 1);
    size_t n = 0;
    if (!app_authorize(c, r->action == BULK_RUN ? ACTION_JOB_RUN : ACTION_JOB_WRITE, &reach, err))
        return false;
    if (!ids)
        return ERR(err, ERR_TOO_LARGE, "the request needs more memory than one request may have");
    if (!collect(app, c, &r->filter, ids, &n, err))
        return false;
    if (n > BULK_MAX) {
        (void)ERR(err, ERR_INVALID, "the filter finds more than %d jobs; narrow it", BULK_MAX);
        return err_at(err, "/filter"), false;
    }
    if (!dry_run && (int64_t)n != r->expected)
        return ERR(err, ERR_CONFLICT, "the filter finds %zu jobs, not %lld; look at them and ask again", n,
                   (long long)r->expected);
    struct bulk_result done = {.matched = (int64_t)n, .dry_run = dry_run};
    for (size_t i = 0; i < n && !dry_run; i++) {
        struct err why = {0};
        bool ok = act(app, c, r->action, ids[i], &why);
        if (!ok && is_of_store(&why)) { // the rest would fail the same way
            *err = why;
            return false;
        }
        done.done += ok;
        done.failed += !ok;
    }
    *ret = done;
    return true;
}
