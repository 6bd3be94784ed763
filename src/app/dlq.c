// SPDX-License-Identifier: Apache-2.0
// Dead letters: looking, replaying, resolving. Rules: app/dlq.h.
#include "app/dlq.h"

#include "app/job.h"
#include "app/run.h"

#define T struct replay_all
static const struct field replay_all_rows[] = {
    FIELD_I64(T, replayed, "replayed", .flags = FIELD_READ_ONLY, .max = INT64_MAX, .doc = "Runs started."),
    FIELD_I64(T, failed, "failed", .flags = FIELD_READ_ONLY, .max = INT64_MAX,
              .doc = "Dead letters that could not be replayed: resolved meanwhile, or their job is gone."),
    FIELD_BOOL(T, more, "more", .flags = FIELD_READ_ONLY, .doc = "Whether others are left; ask again."),
};
#undef T
const struct fields replay_all_fields =
    FIELDS("ReplayAll", struct replay_all, replay_all_rows, .doc = "What a replay of all dead letters did.");

static bool no_such_letter(struct ulid id, struct err *err)
{
    char text[ULID_TEXT_MAX];
    return ERR(err, ERR_NOT_FOUND, "dead letter \"%s\" does not exist", ulid_format(id, text));
}

static bool dlq_read(struct app *app, const struct caller *c, enum action action, struct ulid id,
                     struct dead_letter *ret, struct arena *a, struct err *err)
{
    enum reach reach;
    if (!app_authorize(c, action, &reach, err))
        return false;
    struct dead_letter d;
    struct err why = {0};
    if (!app->store->ops->dlq_get(app->store, id, &d, a, &why) ||
        !app_job_reachable(app, c, action, d.job_id, a, &why)) {
        if (why.code == ERR_NOT_FOUND)
            return no_such_letter(id, err);
        *err = why;
        return false;
    }
    *ret = d;
    return true;
}

bool app_dlq_get(struct app *app, const struct caller *c, struct ulid id, struct dead_letter *ret, struct arena *a,
                 struct err *err)
{
    return dlq_read(app, c, ACTION_DLQ_READ, id, ret, a, err);
}

bool app_dlq_list(struct app *app, const struct caller *c, struct dlq_filter *f, const struct page *p,
                  struct dead_letter **ret, size_t *ret_n, struct page_result *ret_page, struct arena *a,
                  struct err *err)
{
    enum reach reach;
    if (!app_authorize(c, ACTION_DLQ_READ, &reach, err))
        return false;
    f->owner_id = app_owner_filter(c, reach);
    return app->store->ops->dlq_list(app->store, f, p, ret, ret_n, ret_page, a, err);
}

static bool replay(struct app *app, const struct caller *c, const struct dead_letter *d, struct run *ret,
                   struct arena *a, struct err *err)
{
    if (d->resolved)
        return ERR(err, ERR_CONFLICT, "the dead letter is resolved already");
    struct job j;
    struct err why = {0};
    if (!app_job_get(app, c, ACTION_DLQ_WRITE, d->job_id, &j, a, &why)) {
        if (why.code == ERR_NOT_FOUND)
            return ERR(err, ERR_CONFLICT, "the job of this dead letter was deleted; resolve it instead");
        *err = why;
        return false;
    }
    struct run r;
    struct instant now = clock_now(app->clock);
    run_make(app, &j, TRIGGER_REPLAY, now, d->inputs, &r);
    if (!app->store->ops->dlq_resolve(app->store, d->id, c->email, STR("replayed"), &r, now, err))
        return false;
    app_poke_run(app, r.id);
    topic_run_changed(app->topic, r.id, r.job_id, RUN_QUEUED);
    *ret = r;
    return true;
}

bool app_dlq_replay(struct app *app, const struct caller *c, struct ulid id, struct run *ret, struct arena *a,
                    struct err *err)
{
    struct dead_letter d;
    return dlq_read(app, c, ACTION_DLQ_WRITE, id, &d, a, err) && replay(app, c, &d, ret, a, err);
}

bool app_dlq_resolve(struct app *app, const struct caller *c, struct ulid id, struct str reason,
                     struct dead_letter *ret, struct arena *a, struct err *err)
{
    struct dead_letter d;
    if (!dlq_read(app, c, ACTION_DLQ_WRITE, id, &d, a, err))
        return false;
    if (str_trim(reason).n == 0 || reason.n > DLQ_RESOLUTION_MAX) {
        (void)ERR(err, ERR_INVALID, "\"reason\" must say in 1 to %d characters why nothing is left to do",
                  DLQ_RESOLUTION_MAX);
        return err_at(err, "/reason");
    }
    if (!app->store->ops->dlq_resolve(app->store, id, c->email, reason, NULL, clock_now(app->clock), err))
        return false;
    return dlq_read(app, c, ACTION_DLQ_READ, id, ret, a, err);
}

bool app_dlq_replay_all(struct app *app, const struct caller *c, struct ulid job_id, struct replay_all *ret,
                        struct arena *a, struct err *err)
{
    enum reach reach;
    if (!app_authorize(c, ACTION_DLQ_WRITE, &reach, err))
        return false;
    struct dlq_filter f = {.owner_id = app_owner_filter(c, reach), .job_id = job_id, .resolved = 0};
    struct page p = {.size = PAGE_SIZE_MAX, .ascending = true};
    struct replay_all done = {0};
    while (done.replayed + done.failed < REPLAY_ALL_MAX) {
        struct dead_letter *v;
        size_t n = 0;
        struct page_result page = {0};
        if (!app->store->ops->dlq_list(app->store, &f, &p, &v, &n, &page, a, err))
            return false;
        for (size_t i = 0; i < n; i++) {
            struct run r;
            struct err why = {0};
            if (replay(app, c, &v[i], &r, a, &why)) {
                done.replayed++;
            } else if (why.code == ERR_CONFLICT || why.code == ERR_NOT_FOUND) {
                done.failed++;
            } else {
                *err = why;
                return err_wrap(err, "after %lld replays", (long long)done.replayed);
            }
        }
        p.cursor = page.next_cursor;
        if (!p.cursor.p)
            break;
    }
    done.more = p.cursor.p != NULL;
    *ret = done;
    return true;
}
