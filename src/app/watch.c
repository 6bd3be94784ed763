// SPDX-License-Identifier: Apache-2.0
// Looking at runs of other nodes. What a run was is remembered while it is on the newest page; unfinished
// ones that older news pushed out are remembered longer and looked at one by one, a few each time.
#include "app/watch.h"

#include "base/err.h"
#include "base/mem.h"

enum { SEEN_MAX = 2048, SCRATCH_BUDGET = 4 * 1024 * 1024 };

struct seen {
    struct ulid run_id;
    int status;
    bool on_page;
};

struct watch {
    struct store *store;
    struct topic *topic;
    struct waker waker;
    pthread_t thread;
    bool runs;          // the thread
    _Atomic bool ended; // asked to end
    struct mutex lock;
    // under lock:
    struct seen seen[SEEN_MAX];
    size_t n_seen;
    size_t turn;   // where the looks at single runs go on
    bool followed; // somebody followed all runs at the last look, and seen is what there was
    int idle;      // looks since somebody did
    int64_t change; // last change of the store that was read; -1: none yet
};

struct watch *watch_new(struct store *store, struct topic *topic)
{
    struct watch *w = mem_new(struct watch);
    w->store = store;
    w->topic = topic;
    w->change = -1;
    waker_init(&w->waker, LOCK_APP_WATCH);
    mutex_init(&w->lock, LOCK_APP_WATCH);
    return w;
}

static struct seen *seen_find(struct watch *w, struct ulid run_id)
{
    for (size_t i = 0; i < w->n_seen; i++)
        if (ulid_eq(w->seen[i].run_id, run_id))
            return &w->seen[i];
    return NULL;
}

// Remembers what the run is now; true when that is news.
static bool seen_put(struct watch *w, const struct run *r)
{
    struct seen *s = seen_find(w, r->id);
    bool news = !s || s->status != r->status;
    if (!s && w->n_seen < SEEN_MAX)
        s = &w->seen[w->n_seen++];
    if (s)
        *s = (struct seen){.run_id = r->id, .status = r->status, .on_page = true};
    return news;
}

// Forgets finished runs that have left the page.
static void seen_trim(struct watch *w)
{
    size_t kept = 0;
    for (size_t i = 0; i < w->n_seen; i++)
        if (w->seen[i].on_page || !run_status_final(w->seen[i].status))
            w->seen[kept++] = w->seen[i];
    w->n_seen = kept;
}

static void look_at_page(struct watch *w, const struct run *v, size_t n)
{
    size_t known = 0;
    for (size_t i = 0; i < w->n_seen; i++)
        w->seen[i].on_page = false;
    for (size_t i = n; i-- > 0;) { // oldest first
        known += seen_find(w, v[i].id) != NULL;
        if (seen_put(w, &v[i]) && w->followed)
            topic_run_found(w->topic, v[i].id, v[i].job_id, v[i].status);
    }
    if (w->followed && n == WATCH_PAGE && known == 0)
        topic_missed(w->topic);
    seen_trim(w);
}

static void look_at_open(struct watch *w, struct arena *a)
{
    for (size_t i = 0, looks = 0; i < w->n_seen && looks < WATCH_OPEN_LOOKS; i++) {
        struct seen *s = &w->seen[w->turn++ % w->n_seen];
        struct run r;
        struct err err = {0};
        if (s->on_page || run_status_final(s->status))
            continue;
        looks++;
        if (!w->store->ops->run_get(w->store, s->run_id, &r, a, &err)) {
            if (err.code != ERR_NOT_FOUND)
                return;                // the store is away: later
            s->status = RUN_CANCELLED; // removed; nothing more will come
            continue;
        }
        if (r.status != s->status) {
            s->status = r.status;
            topic_run_found(w->topic, r.id, r.job_id, r.status);
        }
    }
}

// What other nodes are told of jobs tells the streams, too.
static void look_at_jobs(struct watch *w, struct arena *a)
{
    struct change *v;
    size_t n = WATCH_CHANGES;
    struct err err = {0};
    if (w->change < 0 && !w->store->ops->changes_last(w->store, &w->change, &err))
        return;
    while (n == WATCH_CHANGES && w->store->ops->changes_read(w->store, w->change, WATCH_CHANGES, &v, &n, a, &err))
        for (size_t i = 0; i < n; i++) {
            w->change = v[i].seq;
            if (v[i].kind == CHANGE_JOB)
                topic_job_changed(w->topic, v[i].subject);
        }
}

static void look_at_all(struct watch *w)
{
    struct arena a CLEANUP(arena_release);
    struct run_filter f = {.status = -1};
    struct page p = {.size = WATCH_PAGE};
    struct page_result result;
    struct run *v;
    size_t n = 0;
    struct err err = {0};
    arena_init(&a, SCRATCH_BUDGET);
    if (!w->store->ops->runs_list(w->store, &f, &p, &v, &n, &result, &a, &err))
        return;
    look_at_page(w, v, n);
    look_at_open(w, &a);
    look_at_jobs(w, &a);
    w->followed = true;
}

void watch_follow(struct watch *w)
{
    WITH_LOCK(&w->lock);
    if (!w->followed)
        look_at_all(w);
}

void watch_look(struct watch *w)
{
    topic_look(w->topic, WATCH_STREAMS);
    WITH_LOCK(&w->lock);
    w->idle = topic_listened(w->topic) ? 0 : w->idle + 1;
    if (w->idle == 0 || (w->followed && w->idle < WATCH_LINGER)) {
        look_at_all(w);
    } else if (w->followed) {
        w->followed = false;
        w->n_seen = 0;
        w->change = -1;
        topic_unwatched(w->topic);
    }
}

static void *body(void *arg)
{
    struct watch *w = arg;
    while (!atomic_load(&w->ended)) {
        watch_look(w);
        (void)waker_wait(&w->waker, duration_ms(WATCH_PERIOD_MS));
    }
    return NULL;
}

void watch_start(struct watch *w)
{
    w->thread = thread_start("watch", body, w);
    w->runs = true;
}

void watch_free(struct watch *w)
{
    if (!w)
        return;
    atomic_store(&w->ended, true);
    waker_wake(&w->waker);
    if (w->runs)
        pthread_join(w->thread, NULL);
    waker_release(&w->waker);
    mutex_release(&w->lock);
    mem_free(w);
}
