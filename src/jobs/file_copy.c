// SPDX-License-Identifier: Apache-2.0
// COPY, MOVE and SYNC of FILE_SYSTEM: one file, a folder with all it holds, or what patterns pick of it.
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/sync.h"
#include "fs/copy.h"
#include "fs/digest.h"
#include "fs/fresh.h"
#include "jobs/file_system.h"

struct transfer {
    struct place to; // the folder, or the one file
    struct copy_options options;
    bool update_only; // SYNC: what is the same already is left
    bool remove;      // MOVE: the source goes when its copy is there
    struct file_selection *from;
    struct stat to_st; // of the folder, once it is there
    bool to_there;
};

static const char *verb(const struct file_job *j)
{
    bool move = j->action == FILE_MOVE;
    if (j->params.dry_run)
        return move ? "would move" : "would copy";
    return move ? "moved" : "copied";
}

static void say_done(struct file_job *j, struct str from, const struct place *to)
{
    file_say(j, "%s \"%.*s\" to \"%.*s\"", verb(j), STR_ARG(from), STR_ARG(to->shown));
}

// A dry run finds what would be in the way.
static bool would_fit(struct file_job *j, const struct transfer *t, const struct place *to, struct err *err)
{
    struct stat st;
    bool there;
    if (!place_stat(to, &there, &st, err))
        return err->code == ERR_CONFLICT && j->p->create_directories;
    if (there && !t->options.overwrite) {
        errno = EEXIST;
        return fs_error(err, "write", to->shown);
    }
    return true;
}

// ---- SYNC: what is the same already ----

static bool same_content(struct file_job *j, int from, const struct stat *st, const struct place *to,
                         bool *ret, struct err *err)
{
    CLEANUP(cleanup_fd) int fd = -1;
    char a[DIGEST_TEXT_MAX], b[DIGEST_TEXT_MAX];
    struct stat other;
    int64_t n;
    if (!place_open_file(to, &fd, &other, err))
        return false;
    if (!str_eq_nocase(j->params.compare, STR("CHECKSUM"))) {
        *ret = other.st_size == st->st_size && other.st_mtim.tv_sec == st->st_mtim.tv_sec &&
               other.st_mtim.tv_nsec == st->st_mtim.tv_nsec;
        return true;
    }
    if (!digest_file(from, to->shown, &j->stop, a, &n, err) ||
        !digest_file(fd, to->shown, &j->stop, b, &n, err))
        return false;
    *ret = strcmp(a, b) == 0;
    return true;
}

static bool is_same(struct file_job *j, int from, const struct stat *st, const struct place *to, bool *ret,
                    struct err *err)
{
    struct stat other;
    bool there;
    *ret = false;
    if (!place_stat(to, &there, &other, err))
        return false;
    return !there || !S_ISREG(other.st_mode) || same_content(j, from, st, to, ret, err);
}

// ---- one thing ----

static bool one_file(struct file_job *j, const struct transfer *t, int fd, const struct stat *st,
                     struct str shown, const struct place *to, struct err *err)
{
    int64_t bytes = st->st_size;
    bool same = false;
    if (t->update_only && !is_same(j, fd, st, to, &same, err))
        return false;
    if (same)
        return true;
    if (j->params.dry_run ? !would_fit(j, t, to, err)
                          : !copy_file(fd, to, &t->options, &j->stop, &bytes, err))
        return false;
    say_done(j, shown, to);
    j->files++;
    j->bytes += bytes;
    return true;
}

static bool link_done(struct file_job *j, const struct transfer *t, const struct tree_entry *e,
                      const struct place *to, struct err *err)
{
    if (j->params.dry_run ? !would_fit(j, t, to, err) : !copy_link(e->dir, e->name, to, &t->options, err))
        return false;
    say_done(j, e->path, to);
    j->files++;
    return true;
}

static bool remove_source(struct file_job *j, const struct transfer *t, const struct tree_entry *e,
                          struct err *err)
{
    if (!t->remove || j->params.dry_run || unlinkat(e->dir, e->name, 0) == 0 || errno == ENOENT)
        return true;
    return fs_error(err, "remove", e->path);
}

// Renames; falls back to a copy between devices.
static bool entry_renamed(struct file_job *j, const struct transfer *t, const struct tree_entry *e,
                          const struct place *to, bool *ret_done, struct err *err)
{
    bool other_device = false;
    *ret_done =
        t->remove && !j->params.dry_run && move_entry(e->dir, e->name, to, &t->options, &other_device, err);
    if (*ret_done) {
        say_done(j, e->path, to);
        j->files++;
        j->bytes += S_ISREG(e->st.st_mode) ? e->st.st_size : 0;
    }
    return *ret_done || !t->remove || j->params.dry_run || other_device;
}

static bool on_file(struct file_job *j, const struct tree_entry *e, void *ctx, struct err *err)
{
    struct transfer *t = ctx;
    struct place to;
    struct stat st;
    bool done;
    CLEANUP(cleanup_fd) int fd = -1;
    if (!place_below(&t->to, e->path, &to, &j->scratch, err) || !entry_renamed(j, t, e, &to, &done, err))
        return false;
    if (done)
        return true;
    if (S_ISLNK(e->st.st_mode))
        return link_done(j, t, e, &to, err) && remove_source(j, t, e, err);
    if (!S_ISREG(e->st.st_mode)) {
        file_say(j, "left out \"%.*s\": it is no regular file", STR_ARG(e->path));
        j->skipped++;
        return true;
    }
    return entry_open_file(e->dir, e->name, e->path, &fd, &st, err) &&
           one_file(j, t, fd, &st, e->path, &to, err) && remove_source(j, t, e, err);
}

// By its path, before anything is made; and by what it is, as links may lead there another way.
static bool inside_itself(const struct transfer *t, const struct stat *st, struct err *err)
{
    const struct str from = t->from->base.rel, to = t->to.rel;
    bool below = t->from->base.root == t->to.root && str_starts(to, from) &&
                 (from.n == 0 || to.n == from.n || to.p[from.n] == '/') && !t->from->picks;
    bool same = t->to_there && st->st_dev == t->to_st.st_dev && st->st_ino == t->to_st.st_ino;
    if (!below && !same)
        return false;
    (void)ERR(err, ERR_CONFLICT,
              "the target \"%.*s\" is in the folder that is copied; choose one outside of it",
              (int)str_utf8_cut(t->to.shown, FS_NAME_MAX / 2), t->to.shown.p);
    return true;
}

static bool on_folder(struct file_job *j, const struct tree_entry *e, void *ctx, struct err *err)
{
    struct transfer *t = ctx;
    struct place to;
    CLEANUP(cleanup_fd) int fd = -1;
    if (inside_itself(t, &e->st, err) || !place_below(&t->to, e->path, &to, &j->scratch, err))
        return false;
    j->folders++;
    if (j->params.dry_run)
        return true;
    if (!place_make_dir(&to, err) || !place_open_dir(&to, &fd, err))
        return false;
    (void)fresh_sweep(fd);
    return true;
}

// After its content, which would change its times.
static bool on_folder_end(struct file_job *j, const struct tree_entry *e, void *ctx, struct err *err)
{
    struct transfer *t = ctx;
    struct place to;
    CLEANUP(cleanup_fd) int from = -1;
    CLEANUP(cleanup_fd) int fd = -1;
    if (!t->options.preserve || j->params.dry_run)
        return true;
    if (!place_below(&t->to, e->path, &to, &j->scratch, err) || !place_open_dir(&to, &fd, err))
        return false;
    from = openat(e->dir, e->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (from >= 0)
        copy_attributes(from, &e->st, fd);
    return true;
}

// ---- all of it ----

static bool target_made(struct file_job *j, struct transfer *t, struct err *err)
{
    CLEANUP(cleanup_fd) int fd = -1;
    CLEANUP(cleanup_fd) int parent = -1;
    if (j->params.dry_run)
        return true;
    if (t->to.rel.n > 0 && !place_open_parent(&t->to, j->p->create_directories, &parent, err))
        return false;
    if (!place_make_dir(&t->to, err) || !place_open_dir(&t->to, &fd, err))
        return false;
    t->to_there = fstat(fd, &t->to_st) == 0;
    j->own = t->to_st;
    j->own_there = t->to_there && t->from->picks;
    return true;
}

static bool folder_transfer(struct file_job *j, struct transfer *t, struct err *err)
{
    const struct file_visitor v = {on_file, t->from->picks ? NULL : on_folder,
                                   t->from->picks ? NULL : on_folder_end, t};
    CLEANUP(cleanup_fd) int fd = -1;
    CLEANUP(cleanup_fd) int from = -1;
    if (!t->from->recursive && !t->from->picks)
        return ERR(err, ERR_INVALID, "\"%.*s\" is a folder; set the parameter recursive, or a pattern",
                   (int)str_utf8_cut(t->from->base.shown, FS_NAME_MAX / 2), t->from->base.shown.p);
    if (!file_target_folder(j, &t->to, err) || inside_itself(t, &t->from->st, err) ||
        !target_made(j, t, err) || (!t->from->picks && inside_itself(t, &t->from->st, err)))
        return false;
    t->options.create_dirs = true; // those of the source, below the target
    if (!file_each(j, t->from, &v, err))
        return false;
    if (!t->options.preserve || t->from->picks || j->params.dry_run)
        return true;
    if (!place_open_dir(&t->to, &fd, err) || !place_open_dir(&t->from->base, &from, err))
        return false;
    copy_attributes(from, &t->from->st, fd);
    return true;
}

static bool gone_is_fine(const struct file_job *j, struct err *err)
{
    return j->params.ignore_missing && err->code == ERR_NOT_FOUND;
}

static bool single_copy(struct file_job *j, struct transfer *t, struct err *err)
{
    CLEANUP(cleanup_fd) int fd = -1;
    struct stat st;
    return file_target(j, place_name(&t->from->base), &t->to, err) &&
           place_open_file(&t->from->base, &fd, &st, err) &&
           one_file(j, t, fd, &st, t->from->base.shown, &t->to, err);
}

bool file_copy(struct file_job *j, struct err *err)
{
    struct file_selection from;
    struct transfer t = {.options = {j->p->overwrite, j->p->create_directories, j->params.preserve},
                         .from = &from};
    if (!file_select(j, true, &from, err))
        return gone_is_fine(j, err);
    return from.single ? single_copy(j, &t, err) : folder_transfer(j, &t, err);
}

// ---- MOVE ----

static bool whole_copy_and_remove(struct file_job *j, struct transfer *t, int parent, const char *name,
                                  struct err *err)
{
    int64_t removed;
    if (S_ISDIR(t->from->st.st_mode)) {
        t->remove = false; // at the end, all at once
        t->from->recursive = true;
        if (!folder_transfer(j, t, err))
            return false;
    } else if (S_ISLNK(t->from->st.st_mode)) {
        const struct tree_entry e = {
            .dir = parent, .name = name, .path = t->from->base.shown, .st = t->from->st};
        if (!link_done(j, t, &e, &t->to, err))
            return false;
    } else if (!single_copy(j, t, err)) {
        return false;
    }
    return tree_remove(parent, name, t->from->base.shown, &j->stop, &removed, err);
}

static bool whole_move(struct file_job *j, struct transfer *t, struct err *err)
{
    CLEANUP(cleanup_fd) int parent = -1;
    bool other_device = false;
    struct str name = place_name(&t->from->base);
    if (!place_open_parent(&t->from->base, false, &parent, err) || !file_target(j, name, &t->to, err))
        return false;
    if (j->params.dry_run) {
        if (!would_fit(j, t, &t->to, err))
            return false;
    } else if (!move_entry(parent, name.p, &t->to, &t->options, &other_device, err)) {
        return other_device && whole_copy_and_remove(j, t, parent, name.p, err);
    }
    say_done(j, t->from->base.shown, &t->to);
    *(S_ISDIR(t->from->st.st_mode) ? &j->folders : &j->files) += 1;
    j->bytes += S_ISREG(t->from->st.st_mode) ? t->from->st.st_size : 0;
    return true;
}

bool file_move(struct file_job *j, struct err *err)
{
    struct file_selection from;
    struct transfer t = {
        .options = {j->p->overwrite, j->p->create_directories, true}, .remove = true, .from = &from};
    if (!file_select(j, false, &from, err))
        return gone_is_fine(j, err);
    return from.picks && !from.single ? folder_transfer(j, &t, err) : whole_move(j, &t, err);
}

// ---- SYNC ----

static bool place_is_dir(const struct place *p)
{
    CLEANUP(cleanup_fd) int fd = -1;
    struct err err;
    return place_open_dir(p, &fd, &err);
}

static bool extra_remove(struct file_job *j, const struct tree_entry *e, void *ctx, struct err *err)
{
    struct transfer *t = ctx;
    struct place source;
    struct stat st;
    bool there;
    int64_t n = 0;
    if (!place_below(&t->from->base, e->path, &source, &j->scratch, err) ||
        !place_stat(&source, &there, &st, err))
        return false;
    if (there)
        return true;
    file_say(j, "%s \"%.*s\": it is not in the source", j->params.dry_run ? "would remove" : "removed",
             STR_ARG(e->path));
    j->files++;
    return j->params.dry_run || tree_remove(e->dir, e->name, e->path, &j->stop, &n, err);
}

bool file_sync(struct file_job *j, struct err *err)
{
    struct file_selection from, extra;
    struct transfer t = {.options = {true, true, true}, .update_only = true, .from = &from};
    if (!file_select(j, true, &from, err))
        return false;
    if (from.single) {
        errno = ENOTDIR;
        return fs_error(err, "sync", from.base.shown);
    }
    if (!folder_transfer(j, &t, err))
        return false;
    extra = from;
    extra.base = t.to;
    if (!j->params.delete_extra || (j->params.dry_run && !place_is_dir(&t.to)))
        return true;
    const struct file_visitor v = {extra_remove, from.picks ? NULL : extra_remove, NULL, &t};
    return file_each(j, &extra, &v, err);
}
