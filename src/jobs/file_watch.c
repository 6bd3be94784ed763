// SPDX-License-Identifier: Apache-2.0
// WATCH of FILE_SYSTEM: the run lasts until a matching file is new or has changed since the last run, and is
// quiet.
//
// A file counts when its status change time (ctime) is later than the newest that an earlier run reported;
// that mark is the job's memo. ctime cannot be set back, and moves also when a finished file is renamed into
// the folder. What had changed when a look was taken, and has the same ctime when the settle time has passed,
// is quiet; all that changed before it is quiet too, so that nothing older can be left behind. inotify only
// says when to look; where it says nothing (network file systems) a look every few seconds finds it too.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/sync.h"
#include "fs/fresh.h"
#include "fs/glob.h"
#include "jobs/blocking.h"
#include "jobs/file_system.h"
#include "jobs/services.h"

enum {
    FOUND_MAX = 10000, // files reported by one run; the next reports more
    WATCHES_MAX = 4096,
    FD_PATH_MAX = 32,
    LOOK_EVERY_MS = 2000,
    PAUSE_MS = 50, // between looks, however many events come
    SETTLE_LEAST_MS = 50,
    MARK_MAX = 32,
    NS_PER_S = 1000000000,
    EVENTS_BUFFER = 4096,
    NAMES_BUDGET = 32 * 1024 * 1024,
    INPUTS_MAX = 1024 * 1024,
};
static const char memo_name[] = "watch";

struct found {
    struct str path;
    int64_t changed, size; // ctime in ns
};

struct watching {
    struct file_job *job;
    struct place folder;
    struct strs patterns;
    struct str only; // one name in the folder, when the path names a file
    bool recursive;
    int64_t mark;   // ctime of the newest file reported before; −1 none
    int64_t quiet;  // what changed until then is quiet
    int64_t looked; // the newest ctime at the look that is waited for, taken at looked_at; −1: none
    struct mono looked_at;
    int64_t newest;            // of the last look
    struct found v[FOUND_MAX]; // its oldest
    size_t n;
    bool cut;           // there were more
    struct arena names; // of v
    int events, wake;   // inotify (−1 without), eventfd
    size_t watches;
};

static void wake(void *ctx)
{
    const struct watching *w = ctx;
    const uint64_t one = 1;
    (void)!write(w->wake, &one, sizeof one);
}

// ---- the mark ----

static bool mark_get(struct watching *w, struct err *err)
{
    const struct job_services *s = w->job->a->env->services;
    struct str text = STR_NONE;
    w->mark = -1;
    if (!s || !s->memo_get)
        return true;
    if (!s->memo_get(s->ctx, w->job->a->job_id, str_of(memo_name), &text, &w->job->a->arena, err))
        return err->code == ERR_NOT_FOUND;
    if (text.p && !str_to_i64(text, &w->mark))
        w->mark = -1;
    return true;
}

static bool mark_put(struct watching *w, int64_t mark, struct err *err)
{
    const struct job_services *s = w->job->a->env->services;
    char text[MARK_MAX];
    (void)snprintf(text, sizeof text, "%lld", (long long)mark);
    return !s || !s->memo_put || s->memo_put(s->ctx, w->job->a, str_of(memo_name), str_of(text), err);
}

// ---- looking ----

static int64_t changed_at(const struct stat *st)
{
    return (int64_t)st->st_ctim.tv_sec * NS_PER_S + st->st_ctim.tv_nsec;
}

static void watch_folder(struct watching *w, int fd)
{
    char path[FD_PATH_MAX];
    if (w->events < 0 || w->watches >= WATCHES_MAX)
        return;
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    // The same folder again is the same watch.
    if (inotify_add_watch(w->events, path,
                          IN_CLOSE_WRITE | IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_ATTRIB) >= 0)
        w->watches++;
}

static bool wanted(const struct watching *w, const struct tree_entry *e)
{
    if (w->only.p)
        return e->depth == 1 && str_eq(e->path, w->only);
    return glob_any(&w->patterns, e->path) &&
           !(w->job->params.exclude.n > 0 && glob_any(&w->job->params.exclude, e->path));
}

// When there are too many the newest gives way.
static struct found *room_for(struct watching *w, int64_t changed)
{
    if (w->n < FOUND_MAX)
        return &w->v[w->n++];
    struct found *newest = &w->v[0];
    w->cut = true;
    for (size_t i = 1; i < w->n; i++)
        newest = w->v[i].changed > newest->changed ? &w->v[i] : newest;
    return newest->changed > changed ? newest : NULL;
}

static bool take_new(struct watching *w, const struct tree_entry *e, struct err *err)
{
    int64_t changed = changed_at(&e->st);
    w->newest = changed > w->newest ? changed : w->newest;
    if (changed > w->quiet)
        return true; // not quiet yet: only its time matters
    struct found *f = room_for(w, changed);
    if (!f)
        return true;
    *f = (struct found){arena_str(&w->names, e->path), changed, e->st.st_size};
    return f->path.p ||
           ERR(err, ERR_TOO_LARGE, "too many new files to remember; set a pattern that names fewer");
}

static enum tree_next on_entry(void *ctx, const struct tree_entry *e, struct err *err)
{
    struct watching *w = ctx;
    if (S_ISDIR(e->st.st_mode) && w->recursive) {
        CLEANUP(cleanup_fd) int fd = openat(e->dir, e->name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd >= 0)
            watch_folder(w, fd);
        return TREE_ON;
    }
    bool is_new = S_ISREG(e->st.st_mode) && wanted(w, e) && changed_at(&e->st) > w->mark;
    return is_new && !take_new(w, e, err) ? TREE_FAIL : TREE_OVER;
}

static bool look(struct watching *w, struct err *err)
{
    CLEANUP(cleanup_fd) int fd = -1;
    const struct tree_visitor v = {on_entry, NULL, &w->job->stop, w};
    w->n = 0;
    w->cut = false;
    w->newest = -1;
    arena_reset(&w->names);
    if (!place_open_dir(&w->folder, &fd, err))
        return false;
    watch_folder(w, fd);
    return tree_walk(fd, w->folder.shown, &v, err);
}

// ---- waiting ----

// Until something happens or the time has come.
static void wait_ms(struct watching *w, int64_t ms)
{
    char buf[EVENTS_BUFFER] __attribute__((aligned(8)));
    struct pollfd fds[] = {{.fd = w->wake, .events = POLLIN}, {.fd = w->events, .events = POLLIN}};
    struct pollfd pause = {.fd = w->wake, .events = POLLIN};
    if (poll(fds, 2, (int)(ms > 0 ? ms : 0)) > 0 && fds[1].revents) {
        (void)poll(&pause, 1, PAUSE_MS);
        while (read(w->events, buf, sizeof buf) > 0)
            continue;
    }
}

static int64_t ms_until(struct mono now, struct mono then)
{
    return mono_since(then, now).us / US_PER_MS + 1;
}

// What this look says of what is quiet; the next one then finds it.
static void judge(struct watching *w, struct mono now, struct duration settle)
{
    if (w->looked >= 0 && mono_since(now, w->looked_at).us >= settle.us) {
        w->quiet = w->looked;
        w->looked = -1;
    }
    if (w->looked < 0 && w->newest > w->quiet) {
        w->looked = w->newest;
        w->looked_at = now;
    }
}

// On success w->v holds what is new and quiet. False with *ret_timed_out: nothing came in time.
static bool wait_for_files(struct watching *w, bool *ret_timed_out, struct err *err)
{
    const struct clock *c = w->job->a->clock;
    const struct file_params *p = &w->job->params;
    struct duration settle =
        p->settle.us > SETTLE_LEAST_MS * US_PER_MS ? p->settle : duration_ms(SETTLE_LEAST_MS);
    struct mono end = mono_add(clock_mono(c), p->wait);
    for (;;) {
        if (fs_stopped(&w->job->stop, err) || !look(w, err))
            return false;
        if (w->n > 0)
            return true;
        struct mono now = clock_mono(c);
        int64_t quiet = w->quiet;
        judge(w, now, settle);
        if (w->quiet != quiet)
            continue;
        if (p->wait.us > 0 && now.us >= end.us) {
            *ret_timed_out = true;
            return false;
        }
        int64_t ms = LOOK_EVERY_MS,
                left = w->looked >= 0 ? ms_until(now, mono_add(w->looked_at, settle)) : ms;
        ms = left < ms ? left : ms;
        if (p->wait.us > 0 && ms_until(now, end) < ms)
            ms = ms_until(now, end);
        wait_ms(w, ms);
    }
}

// ---- what came ----

static int by_change(const void *a, const void *b)
{
    const struct found *x = a, *y = b;
    return x->changed != y->changed ? (x->changed > y->changed) - (x->changed < y->changed)
                                    : str_cmp(x->path, y->path);
}

static struct str shown(struct watching *w, struct str path, struct arena *a)
{
    struct place p;
    struct err err;
    return place_below(&w->folder, path, &p, a, &err) ? p.shown : path;
}

static void put_found(struct watching *w)
{
    for (size_t i = 0; i < w->n; i++) {
        struct sbuf context;
        arena_reset(&w->job->scratch);
        struct str path = shown(w, w->v[i].path, &w->job->scratch);
        sbuf_init(&context, &w->job->scratch, FIELD_MAX_DEFAULT);
        sbuf_puts(&context, "{\"path\":");
        sbuf_json(&context, path);
        sbuf_fmt(&context, ",\"size\":%lld}", (long long)w->v[i].size);
        file_output(w->job, path, sbuf_ok(&context) ? sbuf_str(&context) : STR_NONE);
        w->job->files++;
        w->job->bytes += w->v[i].size;
    }
}

// {"file": first, "files": [all]}; one start for one set of files, also when this run is repeated.
static bool start_other(struct watching *w, int64_t mark, struct err *err)
{
    const struct job_services *s = w->job->a->env->services;
    struct ulid id;
    struct sbuf inputs;
    if (!w->job->params.start_job.p)
        return true;
    if (!s || !s->start_job || !ulid_parse(w->job->params.start_job, &id))
        return ERR(err, ERR_UNAVAILABLE, "this server starts no jobs for others; leave startJob out");
    sbuf_init(&inputs, NULL, INPUTS_MAX);
    for (size_t i = 0; i < w->n; i++) {
        arena_reset(&w->job->scratch);
        struct str path = shown(w, w->v[i].path, &w->job->scratch);
        sbuf_puts(&inputs, i == 0 ? "{\"file\":" : ",");
        sbuf_json(&inputs, path);
        if (i == 0) {
            sbuf_puts(&inputs, ",\"files\":[");
            sbuf_json(&inputs, path);
        }
    }
    sbuf_puts(&inputs, "]}");
    struct str key = arena_fmt(&w->job->a->arena, "watch:%lld:%lld", (long long)w->mark, (long long)mark);
    bool ok = sbuf_ok(&inputs) ? s->start_job(s->ctx, w->job->a, id, sbuf_str(&inputs), key, err)
                               : ERR(err, ERR_TOO_LARGE, "too many files to name in one start; watch fewer");
    sbuf_release(&inputs);
    return ok || err_wrap(err, "start job %.*s", STR_ARG(w->job->params.start_job));
}

// ---- all of it ----

// A folder, a file in a folder (which need not be there yet), or a pattern.
static bool place_to_watch(struct watching *w, struct err *err)
{
    struct file_job *j = w->job;
    struct file_selection s;
    struct place p;
    bool there;
    struct stat st;
    if (!place_find(&j->roots, j->p->path, &p, &j->a->arena, err) || !place_stat(&p, &there, &st, err))
        return false;
    if ((!there && !glob_is(j->p->path)) || (there && S_ISREG(st.st_mode))) {
        w->only = place_name(&p);
        size_t n = p.rel.n > w->only.n ? p.rel.n - w->only.n - 1 : 0;
        p.rel = (struct str){arena_cstr(&j->a->arena, (struct str){p.rel.p, n}), n};
        n = p.shown.n > w->only.n && str_ends(p.shown, w->only) ? p.shown.n - w->only.n : 0;
        p.shown = n > 0 ? (struct str){p.shown.p, n} : STR(".");
        w->folder = p;
        return p.rel.p || ERR(err, ERR_TOO_LARGE, "no memory for the path");
    }
    if (!file_select(j, true, &s, err))
        return false;
    w->folder = s.base;
    w->patterns = s.patterns;
    w->recursive = s.recursive;
    return true;
}

// What is there at the first run does not count when the user says so.
static bool skip_existing(struct watching *w, struct err *err)
{
    if (w->mark >= 0 || w->job->params.include_existing)
        return true;
    if (!look(w, err))
        return false;
    w->mark = w->newest > 0 ? w->newest : 0;
    return mark_put(w, w->mark, err);
}

static bool watch(struct watching *w, bool *ret_timed_out, struct err *err)
{
    if (!place_to_watch(w, err) || !mark_get(w, err) || !skip_existing(w, err) ||
        !wait_for_files(w, ret_timed_out, err))
        return false;
    qsort(w->v, w->n, sizeof w->v[0], by_change);
    // The next run takes what was cut off, those of the same moment once more.
    int64_t mark = w->v[w->n - 1].changed - w->cut;
    put_found(w);
    return start_other(w, mark, err) && mark_put(w, mark, err);
}

bool file_watch(struct file_job *j, bool *ret_ended, struct err *err)
{
    struct watching *w = mem_new(struct watching);
    bool timed_out = false;
    w->job = j;
    w->looked = -1;
    arena_init(&w->names, NAMES_BUDGET);
    w->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    w->events =
        inotify_init1(IN_NONBLOCK | IN_CLOEXEC); // −1 where there are too many: looks find files as well
    must(w->wake >= 0);
    attempt_interruptible(j->a, wake, w);
    bool ok = watch(w, &timed_out, err);
    attempt_uninterruptible(j->a);
    cleanup_fd(&w->events);
    cleanup_fd(&w->wake);
    arena_release(&w->names);
    mem_free(w);
    if (!timed_out)
        return ok;
    attempt_timed_out(j->a, "no matching file came within %g s",
                      (double)j->params.wait.us / (double)US_PER_S);
    *ret_ended = true;
    return false;
}
