// SPDX-License-Identifier: Apache-2.0
// A walk over the jobs that follow from a job, as the store has them now.
#include "app/chain.h"

#include "app/owner.h"

#include "base/map.h"
#include "model/chain.h"

enum { PATH_SHOWN_MAX = 12 };

struct step {
    struct ulid id;
    struct str name;
    const struct step *from; // NULL: the job itself starts it
    struct str pointer;      // of the link of the job itself that leads here
};

struct walk {
    struct app *app;
    const struct job *job;
    struct faults *faults;
    struct arena *a;
    struct step steps[CHAIN_JOBS_MAX];
    size_t n;
    struct map seen;
    struct caller owner;
    bool all; // the owner may run every job
    bool full;
    struct str told; // the link whose ring was shown last: one of each is enough
};

static bool owner_find(struct walk *w, struct err *err)
{
    bool found;
    if (!owner_as_caller(w->app, w->job->owner_id, &found, &w->owner, w->a, err))
        return false;
    if (!found)
        w->owner = (struct caller){.user_id = w->job->owner_id};
    w->all = found && policy_reach(w->owner.roles, ACTION_JOB_RUN) == REACH_ALL;
    return true;
}

static void path_write(const struct step *s, struct sbuf *out)
{
    const struct step *path[PATH_SHOWN_MAX];
    size_t n = 0;
    for (; s && n < PATH_SHOWN_MAX; s = s->from)
        path[n++] = s;
    if (s)
        sbuf_puts(out, "… → ");
    while (n-- > 0) {
        sbuf_json(out, path[n]->name);
        sbuf_puts(out, " → ");
    }
}

static void cycle_found(struct walk *w, const struct step *s)
{
    struct sbuf path;
    if (w->told.p == s->pointer.p)
        return;
    w->told = s->pointer;
    sbuf_init(&path, w->faults->a, FIELD_MAX_DEFAULT);
    path_write(s, &path);
    sbuf_json(&path, w->job->name);
    struct str text = sbuf_str(&path);
    faults_add(w->faults, s->pointer, "leads back to this job: %.*s", STR_ARG(text));
}

static void step_add(struct walk *w, struct ulid id, const struct step *from, struct str pointer)
{
    if (map_get(&w->seen, id))
        return;
    if (w->n == CHAIN_JOBS_MAX) {
        if (!w->full)
            faults_add(w->faults, pointer, "leads to more than %d jobs", CHAIN_JOBS_MAX);
        w->full = true;
        return;
    }
    struct step *s = &w->steps[w->n++];
    *s = (struct step){.id = id, .from = from, .pointer = pointer};
    (void)map_put(&w->seen, id, s);
}

static void links_add(struct walk *w, struct str list, const struct step *from)
{
    struct chain c;
    struct faults ignored;
    faults_init(&ignored, w->a);
    if (!chain_read(list, STR(""), &c, w->a, &ignored))
        return; // it was stored before there was this rule; it starts nothing
    for (size_t i = 0; i < c.n; i++)
        if (ulid_eq(c.v[i].job, w->job->id))
            cycle_found(w, from);
        else
            step_add(w, c.v[i].job, from, from->pointer);
}

static bool step_take(struct walk *w, struct step *s, struct err *err)
{
    struct job j;
    struct err why = {0};
    char text[ULID_TEXT_MAX];
    bool found = w->app->store->ops->job_get(w->app->store, s->id, &j, w->a, &why);
    if (!found && why.code != ERR_NOT_FOUND) {
        *err = why;
        return false;
    }
    bool may = found && (w->all || caller_owns(&w->owner, j.owner_id));
    if (!may && !s->from) // another owner's job answers as one that is absent
        faults_add(w->faults, s->pointer, "job \"%s\" does not exist", ulid_format(s->id, text));
    if (!found || (!may && !s->from))
        return true;
    s->name = j.name;
    links_add(w, j.on_success, s);
    links_add(w, j.on_failure, s);
    return true;
}

static void first_steps(struct walk *w, struct str list, const char *member)
{
    struct chain c;
    struct faults ignored;
    faults_init(&ignored, w->a);
    if (!chain_read(list, STR(""), &c, w->a, &ignored))
        return;
    for (size_t i = 0; i < c.n; i++)
        if (!ulid_eq(c.v[i].job, w->job->id))
            step_add(w, c.v[i].job, NULL, arena_fmt(w->faults->a, "/%s/%zu/job", member, i));
}

bool app_chain_check(struct app *app, const struct job *j, struct faults *faults, struct arena *a,
                     struct err *err)
{
    if (j->on_success.n == 0 && j->on_failure.n == 0)
        return true;
    struct walk *w = arena_new(a, struct walk);
    if (!w)
        return ERR(err, ERR_TOO_LARGE,
                   "the request needs more memory than one request may have; send fewer jobs");
    *w = (struct walk){.app = app, .job = j, .faults = faults, .a = a};
    bool ok = owner_find(w, err);
    map_init(&w->seen);
    if (ok) {
        first_steps(w, j->on_success, "onSuccess");
        first_steps(w, j->on_failure, "onFailure");
    }
    for (size_t i = 0; ok && i < w->n; i++)
        ok = step_take(w, &w->steps[i], err);
    map_release(&w->seen);
    return ok;
}
