// SPDX-License-Identifier: Apache-2.0
// The probe's thread and what it asks. Its lock is held for copying only; a look under way holds none.
#include "app/probe.h"

#include <stdarg.h>
#include <sys/statvfs.h>

#include "app/job_series.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sync.h"

enum {
    DISK_LOW_SHARE = 20,        // less than 1/20 free
    DISK_LOW_BYTES = 512 << 20, // and less than this
    DISK_FULL_BYTES = 32 << 20,
    OUTBOX_OLD_S = 300,
    MESSAGE_LATE_S = 300,
    PATH_BYTES = 4096,
};

struct part {
    const char *name;
    void (*look)(void *ctx, struct probe_word *ret);
    void *ctx;
};

struct probe {
    struct app *app;
    struct probe_options options;
    struct part parts[PROBE_PARTS_MAX]; // constant after the start
    size_t n_parts;
    struct job_series *jobs; // NULL: none are wanted
    struct mutex lock;
    struct cond looked;
    // under lock:
    struct probe_facts facts;
    struct mono begun; // of the look under way
    bool busy;
    // -
    struct waker waker;
    _Atomic bool stop;
    pthread_t thread;
    bool started;
};

void probe_figure(struct probe_word *w, const char *key, int64_t value)
{
    must(w->n < PROBE_FIGURES_MAX);
    w->figures[w->n].key = key;
    w->figures[w->n++].value = value;
}

void probe_says(struct probe_word *w, int state, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    w->state = state;
    (void)vsnprintf(w->why, sizeof w->why, fmt, args);
    va_end(args);
    w->why[str_utf8_cut(str_of(w->why), sizeof w->why - 1)] = '\0';
}

// ---- one look ----------------------------------------------------------------------------------

static void look_store(struct probe *p, struct probe_facts *f)
{
    struct store *s = p->app->store;
    struct err err = {0};
    struct mono begun = clock_mono(p->app->clock);
    if (!s->ops->check(s, &err))
        probe_says(&f->store, PROBE_DOWN, "%s", err.text);
    probe_figure(&f->store, "latencyMs", mono_since(clock_mono(p->app->clock), begun).us / US_PER_MS);
    f->backlog_known = s->ops->backlog(s, &f->backlog, &err);
}

static void look_outbox(struct probe *p, struct probe_facts *f)
{
    if (!f->backlog_known) {
        probe_says(&f->outbox, PROBE_DEGRADED, "the store does not tell how much waits");
        return;
    }
    probe_figure(&f->outbox, "waiting", f->backlog.outbox);
    if (instant_is_never(f->backlog.outbox_oldest))
        return;
    int64_t age = instant_since(clock_now(p->app->clock), f->backlog.outbox_oldest).us / US_PER_S;
    probe_figure(&f->outbox, "oldestSeconds", age > 0 ? age : 0);
    if (age > OUTBOX_OLD_S)
        probe_says(&f->outbox, PROBE_DEGRADED, "events wait for %lld s: look at the brokers", (long long)age);
}

// A message that waits for its next try is none of ours: its target is away. One that nobody tries is.
static void look_notifications(struct probe *p, struct probe_facts *f)
{
    if (!f->backlog_known) {
        probe_says(&f->notifications, PROBE_DEGRADED, "the store does not tell how much waits");
        return;
    }
    int64_t late = 0;
    if (!instant_is_never(f->backlog.messages_due))
        late = instant_since(clock_now(p->app->clock), f->backlog.messages_due).us / US_PER_S;
    probe_figure(&f->notifications, "waiting", f->backlog.messages);
    probe_figure(&f->notifications, "lateSeconds", late > 0 ? late : 0);
    if (late > MESSAGE_LATE_S)
        probe_says(&f->notifications, PROBE_DEGRADED,
                   "a message should have been sent %lld s ago: is the feature notifications off?", (long long)late);
}

static void look_disk(struct probe *p, struct probe_facts *f)
{
    char path[PATH_BYTES];
    struct statvfs v;
    f->disk_free = f->disk_size = -1;
    if (!p->options.data_dir.p || p->options.data_dir.n >= sizeof path)
        return;
    (void)snprintf(path, sizeof path, "%.*s", STR_ARG(p->options.data_dir));
    if (statvfs(path, &v) != 0) {
        probe_says(&f->disk, PROBE_DOWN, "the data folder cannot be looked at");
        return;
    }
    f->disk_free = (int64_t)(v.f_bavail * v.f_frsize);
    f->disk_size = (int64_t)(v.f_blocks * v.f_frsize);
    probe_figure(&f->disk, "freeBytes", f->disk_free);
    probe_figure(&f->disk, "sizeBytes", f->disk_size);
    if (f->disk_free < DISK_FULL_BYTES)
        probe_says(&f->disk, PROBE_DOWN, "the file system of the data folder is full: make room");
    else if (f->disk_free < DISK_LOW_BYTES && f->disk_free < f->disk_size / DISK_LOW_SHARE)
        probe_says(&f->disk, PROBE_DEGRADED, "the file system of the data folder is nearly full: make room");
}

void probe_look(struct probe *p)
{
    struct probe_facts f = {.asked = true, .n_parts = p->n_parts};
    {
        WITH_LOCK(&p->lock);
        p->begun = clock_mono(p->app->clock);
        p->busy = true;
    }
    look_store(p, &f);
    look_outbox(p, &f);
    look_notifications(p, &f);
    look_disk(p, &f);
    for (size_t i = 0; i < p->n_parts; i++) {
        f.part_names[i] = p->parts[i].name;
        p->parts[i].look(p->parts[i].ctx, &f.parts[i]);
    }
    if (p->jobs && f.store.state == PROBE_UP)
        job_series_look(p->jobs);
    f.at = clock_mono(p->app->clock);
    WITH_LOCK(&p->lock);
    p->facts = f;
    p->busy = false;
    cond_broadcast(&p->looked);
}

// ---- asking ------------------------------------------------------------------------------------

static bool fresh(const struct probe *p, struct mono now)
{
    return p->facts.asked && mono_since(now, p->facts.at).us <= duration_ms(PROBE_FRESH_MS).us;
}

void probe_facts(struct probe *p, struct probe_facts *ret)
{
    struct mono now = clock_mono(p->app->clock), until = mono_add(now, duration_ms(PROBE_PATIENCE_MS));
    mutex_lock(&p->lock);
    bool ask = p->started && !fresh(p, now);
    if (ask && !p->busy) {
        mutex_unlock(&p->lock);
        waker_wake(&p->waker);
        mutex_lock(&p->lock);
    }
    while (ask && !fresh(p, now)) {
        struct duration left = mono_since(until, clock_mono(p->app->clock));
        if (left.us <= 0 || !cond_wait_for(&p->looked, &p->lock, left))
            break;
    }
    *ret = p->facts;
    ret->hanging = p->busy ? mono_since(clock_mono(p->app->clock), p->begun) : (struct duration){0};
    mutex_unlock(&p->lock);
}

void probe_jobs_write(struct probe *p, struct sbuf *out, enum metrics_format f)
{
    if (p->jobs)
        job_series_write(p->jobs, out, f);
}

// ---- life --------------------------------------------------------------------------------------

static void *probe_main(void *arg)
{
    struct probe *p = arg;
    while (!p->stop) {
        probe_look(p);
        if (!p->stop)
            (void)waker_wait(&p->waker, duration_s(PROBE_PERIOD_S));
    }
    return NULL;
}

struct probe *probe_new(struct app *app, const struct probe_options *o)
{
    struct probe *p = mem_new(struct probe);
    p->app = app;
    p->options = *o;
    p->facts.disk_free = p->facts.disk_size = -1;
    if (o->job_series > 0)
        p->jobs = job_series_new(app, (size_t)o->job_series);
    mutex_init(&p->lock, LOCK_APP_PROBE);
    cond_init(&p->looked);
    waker_init(&p->waker, LOCK_APP_PROBE_WAKER);
    return p;
}

void probe_add(struct probe *p, const char *name, void (*look)(void *ctx, struct probe_word *ret), void *ctx)
{
    must(p->n_parts < PROBE_PARTS_MAX && !p->started);
    p->parts[p->n_parts++] = (struct part){name, look, ctx};
}

bool probe_start(struct probe *p)
{
    p->thread = thread_start("probe", probe_main, p);
    WITH_LOCK(&p->lock);
    p->started = true;
    return true;
}

void probe_stop(struct probe *p)
{
    {
        WITH_LOCK(&p->lock);
        if (!p->started)
            return;
        p->started = false;
    }
    p->stop = true;
    waker_wake(&p->waker);
    (void)pthread_join(p->thread, NULL);
}

void probe_free(struct probe *p)
{
    if (!p)
        return;
    probe_stop(p);
    job_series_free(p->jobs);
    waker_release(&p->waker);
    cond_release(&p->looked);
    mutex_release(&p->lock);
    mem_free(p);
}
