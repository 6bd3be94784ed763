// SPDX-License-Identifier: Apache-2.0
// A look reads the list of jobs page by page; the runs of a job are read only when it has a new one, from the
// newest back to the last success known or BACK_MAX runs.
#include "app/job_series.h"

#include "base/mem.h"
#include "base/sync.h"

enum { BACK_MAX = 20, LOOK_ARENA = 32 << 20, NAME_BYTES = 256 };

struct series {
    struct ulid job, ended;                 // the newest run that had ended when it was looked at
    char name[NAME_BYTES];                  // cut between characters
    struct instant next_fire, last_success; // INSTANT_NEVER: none known
};

struct job_series {
    struct app *app;
    size_t most;
    struct series *next; // of the looking thread alone, as is next_n
    size_t next_n;
    struct mutex lock;
    struct series *shown; // under lock, as is shown_n
    size_t shown_n;
};

struct job_series *job_series_new(struct app *app, size_t most)
{
    struct job_series *s = mem_new(struct job_series);
    s->app = app;
    s->most = most;
    s->next = mem_array(most, sizeof *s->next);
    s->shown = mem_array(most, sizeof *s->shown);
    mutex_init(&s->lock, LOCK_APP_PROBE_JOBS);
    return s;
}

void job_series_free(struct job_series *s)
{
    if (!s)
        return;
    mutex_release(&s->lock);
    mem_free(s->next);
    mem_free(s->shown);
    mem_free(s);
}

// Only the looking thread changes what is shown, so it may read it without the lock.
static const struct series *known(const struct job_series *s, struct ulid job)
{
    for (size_t i = 0; i < s->shown_n; i++)
        if (ulid_eq(s->shown[i].job, job))
            return &s->shown[i];
    return NULL;
}

// Up to the newest run that had ended when it was looked at the last time, nothing changes any more.
static void look_back(struct job_series *s, const struct job *j, const struct series *old, struct series *n,
                      struct arena *a)
{
    struct run r;
    struct err err = {0};
    struct ulid id = j->last_run_id;
    for (int i = 0; i < BACK_MAX && !ulid_is_zero(id); i++) {
        if (old && ulid_eq(id, old->ended))
            break;
        if (!s->app->store->ops->run_get(s->app->store, id, &r, a, &err))
            break;
        if (run_status_final(r.status) && ulid_is_zero(n->ended))
            n->ended = id;
        if (r.status == RUN_SUCCEEDED) {
            n->last_success = r.end;
            return;
        }
        id = r.prev_run;
    }
    if (!old)
        return;
    n->last_success = old->last_success;
    n->ended = ulid_is_zero(n->ended) ? old->ended : n->ended;
}

static void take(struct job_series *s, const struct job *j, struct arena *a)
{
    struct series *n = &s->next[s->next_n++];
    *n = (struct series){.job = j->id, .next_fire = j->next_fire_time, .last_success = INSTANT_NEVER};
    memcpy(n->name, j->name.p ? j->name.p : "", str_utf8_cut(j->name, sizeof n->name - 1));
    look_back(s, j, known(s, j->id), n, a);
}

void job_series_look(struct job_series *s)
{
    struct arena a CLEANUP(arena_release);
    struct job_filter f = {.status = -1};
    struct page p = {.ascending = true};
    struct err err = {0};
    arena_init(&a, LOOK_ARENA);
    s->next_n = 0;
    while (s->next_n < s->most) {
        struct job *v;
        size_t n = 0, left = s->most - s->next_n;
        struct page_result r = {0};
        p.size = left < PAGE_SIZE_MAX ? (int64_t)left : PAGE_SIZE_MAX;
        if (!s->app->store->ops->jobs_list(s->app->store, &f, &p, &v, &n, &r, &a, &err))
            return;
        for (size_t i = 0; i < n; i++)
            take(s, &v[i], &a);
        if (!r.next_cursor.p || n == 0)
            break;
        p.cursor = r.next_cursor;
    }
    WITH_LOCK(&s->lock);
    struct series *old = s->shown;
    s->shown = s->next;
    s->shown_n = s->next_n;
    s->next = old;
}

static void write_family(struct job_series *s, struct sbuf *out, enum metrics_format f, const char *name,
                         const char *help, bool success)
{
    bool head = false;
    for (size_t i = 0; i < s->shown_n; i++) {
        const struct series *v = &s->shown[i];
        char id[ULID_TEXT_MAX];
        struct instant t = success ? v->last_success : v->next_fire;
        if (instant_is_never(t))
            continue;
        if (!head)
            metrics_head(out, f, name, METRIC_GAUGE, help);
        head = true;
        struct metric_label labels[] = {{"job", str_of(v->name)}, {"id", str_of(ulid_format(v->job, id))}};
        metrics_sample(out, name, labels, sizeof labels / sizeof labels[0], t.us);
    }
}

void job_series_write(struct job_series *s, struct sbuf *out, enum metrics_format f)
{
    WITH_LOCK(&s->lock);
    write_family(s, out, f, "chronos_job_last_success_timestamp_seconds",
                 "End of the last successful run (Unix time).", true);
    write_family(s, out, f, "chronos_job_next_fire_timestamp_seconds",
                 "Oldest occurrence not decided yet (Unix time).", false);
}
