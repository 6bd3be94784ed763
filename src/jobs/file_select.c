// SPDX-License-Identifier: Apache-2.0
// From the words of a payload to things on disk: what a path names, what of a folder the patterns pick, where
// a target is.
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/sync.h"
#include "fs/fresh.h"
#include "fs/glob.h"
#include "jobs/file_system.h"

static bool ends_in_slash(struct str path) { return path.n > 0 && path.p[path.n - 1] == '/'; }

// "in/2024/*.csv" is the pattern "*.csv" in the folder "in/2024".
static void cut_pattern(struct str path, struct str *ret_folder, struct str *ret_pattern)
{
    size_t start = 0;
    for (size_t i = 0; i < path.n; i++) {
        if (glob_is((struct str){path.p + i, 1}))
            break;
        if (path.p[i] == '/')
            start = i + 1;
    }
    *ret_folder = start == 0 ? STR(".") : (struct str){path.p, start > 1 ? start - 1 : 1};
    *ret_pattern = (struct str){path.p + start, path.n - start};
}

static bool has_folders(const struct strs *patterns)
{
    for (size_t i = 0; i < patterns->n; i++)
        if (str_find(patterns->v[i], '/') < patterns->v[i].n || str_contains(patterns->v[i], STR("**")))
            return true;
    return false;
}

// Looks through a link that stays below the root.
static bool look_through(const struct place *p, struct stat *ret, struct err *err)
{
    CLEANUP(cleanup_fd) int fd = -1;
    if (!place_open(p, O_PATH, &fd, err))
        return false;
    return fstat(fd, ret) == 0 || fs_error(err, "look at", p->shown);
}

static bool missing(const struct place *p, struct err *err)
{
    errno = ENOENT;
    return fs_error(err, "find", p->shown);
}

static bool select_pattern(struct file_job *j, struct file_selection *s, struct err *err)
{
    struct str folder, pattern;
    cut_pattern(j->p->path, &folder, &pattern);
    struct strs *one = arena_new(&j->a->arena, struct strs);
    if (!one || !(one->v = arena_new_array(&j->a->arena, struct str, 1)))
        return ERR(err, ERR_TOO_LARGE, "no memory for the pattern");
    one->v[one->n++] = pattern;
    s->patterns = *one;
    return glob_check(pattern, err) && place_find(&j->roots, folder, &s->base, &j->a->arena, err) &&
           look_through(&s->base, &s->st, err);
}

bool file_select(struct file_job *j, bool follow, struct file_selection *ret, struct err *err)
{
    struct file_selection s = {.patterns = j->params.patterns};
    bool there;
    if (!place_find(&j->roots, j->p->path, &s.base, &j->a->arena, err) ||
        !place_stat(&s.base, &there, &s.st, err))
        return false;
    if (!there && !glob_is(j->p->path))
        return missing(&s.base, err);
    if (!there && !select_pattern(j, &s, err))
        return false;
    if (there && S_ISLNK(s.st.st_mode) && follow && !look_through(&s.base, &s.st, err))
        return false;
    s.single = !S_ISDIR(s.st.st_mode);
    s.picks = s.patterns.n > 0;
    s.recursive = j->params.recursive || has_folders(&s.patterns);
    if (s.single && !there) {
        errno = ENOTDIR;
        return fs_error(err, "search", s.base.shown);
    }
    *ret = s;
    return true;
}

// ---- walking ----

struct each {
    struct file_job *job;
    const struct file_selection *s;
    const struct file_visitor *v;
};

static bool excluded(const struct file_job *j, const struct tree_entry *e)
{
    if (j->own_there && e->st.st_ino == j->own.st_ino && e->st.st_dev == j->own.st_dev)
        return true;
    return j->params.exclude.n > 0 && glob_any(&j->params.exclude, e->path);
}

static enum tree_next on_entry(void *ctx, const struct tree_entry *e, struct err *err)
{
    struct each *x = ctx;
    arena_reset(&x->job->scratch);
    if (excluded(x->job, e))
        return TREE_OVER;
    if (S_ISDIR(e->st.st_mode)) {
        bool wanted = x->v->folder && (!x->s->picks || glob_any(&x->s->patterns, e->path));
        if (wanted && !x->v->folder(x->job, e, x->v->ctx, err))
            return TREE_FAIL;
        return x->s->recursive ? TREE_ON : TREE_OVER;
    }
    if (!glob_any(&x->s->patterns, e->path))
        return TREE_ON;
    return x->v->file(x->job, e, x->v->ctx, err) ? TREE_ON : TREE_FAIL;
}

static bool on_leave(void *ctx, const struct tree_entry *e, struct err *err)
{
    struct each *x = ctx;
    arena_reset(&x->job->scratch);
    return !x->v->folder_end || (x->s->picks && !glob_any(&x->s->patterns, e->path)) ||
           x->v->folder_end(x->job, e, x->v->ctx, err);
}

bool file_each(struct file_job *j, const struct file_selection *s, const struct file_visitor *v,
               struct err *err)
{
    CLEANUP(cleanup_fd) int fd = -1;
    struct each x = {j, s, v};
    const struct tree_visitor visitor = {on_entry, on_leave, &j->stop, &x};
    return place_open_dir(&s->base, &fd, err) && tree_walk(fd, s->base.shown, &visitor, err);
}

// ---- targets ----

bool file_needs_target(struct file_job *j, struct err *err)
{
    return j->p->target_path.n > 0 || ERR(err, ERR_INVALID, "%s needs targetPath; say where the result goes",
                                          file_action_name(j->action));
}

static void sweep(struct file_job *j, const struct place *folder)
{
    CLEANUP(cleanup_fd) int fd = -1;
    struct err err;
    if (j->params.dry_run || !place_open_dir(folder, &fd, &err))
        return; // it is not there yet, or the work will say what is wrong with it
    size_t n = fresh_sweep(fd);
    if (n > 0)
        file_say(j, "removed %zu temporary files that a killed run left", n);
}

void file_sweep(struct file_job *j, const struct place *p)
{
    struct place parent = *p;
    size_t name = place_name(p).n, n = p->rel.n > name ? p->rel.n - name - 1 : 0;
    parent.rel = (struct str){arena_cstr(&j->a->arena, (struct str){p->rel.p, n}), n};
    if (parent.rel.p)
        sweep(j, &parent);
}

bool file_target(struct file_job *j, struct str name, struct place *ret, struct err *err)
{
    struct place p;
    struct stat st;
    bool there;
    CLEANUP(cleanup_fd) int fd = -1;
    struct err ignored;
    if (!file_needs_target(j, err) || !place_find(&j->roots, j->p->target_path, &p, &j->a->arena, err) ||
        !place_stat(&p, &there, &st, err))
        return false;
    bool folder = ends_in_slash(j->p->target_path) || p.rel.n == 0 || (there && S_ISDIR(st.st_mode)) ||
                  (there && S_ISLNK(st.st_mode) && place_open_dir(&p, &fd, &ignored));
    if (folder && !place_below(&p, arena_str(&j->a->arena, name), &p, &j->a->arena, err))
        return false;
    file_sweep(j, &p);
    *ret = p;
    return true;
}

bool file_target_folder(struct file_job *j, struct place *ret, struct err *err)
{
    if (!file_needs_target(j, err) || !place_find(&j->roots, j->p->target_path, ret, &j->a->arena, err))
        return false;
    sweep(j, ret);
    return true;
}

bool file_source(struct file_job *j, struct place *ret, int *ret_fd, struct stat *ret_st, struct err *err)
{
    return place_find(&j->roots, j->p->path, ret, &j->a->arena, err) &&
           place_open_file(ret, ret_fd, ret_st, err);
}
