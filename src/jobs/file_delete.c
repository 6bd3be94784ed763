// SPDX-License-Identifier: Apache-2.0
// DELETE and CLEANUP of FILE_SYSTEM. Links are removed themselves, never what they point to.
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/sync.h"
#include "jobs/file_system.h"

static const char *verb(const struct file_job *j) { return j->params.dry_run ? "would remove" : "removed"; }

static bool entry_remove(struct file_job *j, const struct tree_entry *e, void *ctx, struct err *err)
{
    (void)ctx;
    if (!j->params.dry_run && unlinkat(e->dir, e->name, 0) != 0)
        return errno == ENOENT || fs_error(err, "remove", e->path);
    file_say(j, "%s \"%.*s\"", verb(j), STR_ARG(e->path));
    j->files++;
    j->bytes += S_ISREG(e->st.st_mode) ? e->st.st_size : 0;
    return true;
}

static bool whole_remove(struct file_job *j, const struct file_selection *s, struct err *err)
{
    CLEANUP(cleanup_fd) int parent = -1;
    int64_t n = 1;
    if (!place_open_parent(&s->base, false, &parent, err))
        return false;
    const char *name = place_name(&s->base).p;
    if (j->params.dry_run)
        n = 1;
    else if (s->single || s->recursive
                 ? !tree_remove(parent, name, s->base.shown, &j->stop, &n, err)
                 : unlinkat(parent, name, AT_REMOVEDIR) != 0 && !fs_error(err, "remove", s->base.shown))
        return false;
    file_say(j, "%s \"%.*s\"", verb(j), STR_ARG(s->base.shown));
    j->files += n;
    return true;
}

bool file_delete(struct file_job *j, struct err *err)
{
    const struct file_visitor v = {.file = entry_remove};
    struct file_selection s;
    if (!file_select(j, false, &s, err))
        return j->params.ignore_missing && err->code == ERR_NOT_FOUND;
    return s.picks && !s.single ? file_each(j, &s, &v, err) : whole_remove(j, &s, err);
}

// ---- CLEANUP ----

static bool old_enough(struct file_job *j, const struct stat *st)
{
    struct instant changed = {(int64_t)st->st_mtim.tv_sec * US_PER_S + st->st_mtim.tv_nsec / 1000};
    return instant_since(clock_now(j->a->clock), changed).us >= j->params.older_than.us;
}

static bool old_remove(struct file_job *j, const struct tree_entry *e, void *ctx, struct err *err)
{
    return !old_enough(j, &e->st) || entry_remove(j, e, ctx, err);
}

// Only empty folders can be removed this way; one that became empty just now was changed just now, so its age
// before the walk counts.
static bool folder_remove(struct file_job *j, const struct tree_entry *e, void *ctx, struct err *err)
{
    (void)ctx;
    if (!j->params.remove_empty || j->params.dry_run || !old_enough(j, &e->st))
        return true;
    if (unlinkat(e->dir, e->name, AT_REMOVEDIR) != 0)
        return errno == ENOTEMPTY || errno == EEXIST || errno == ENOENT || fs_error(err, "remove", e->path);
    file_say(j, "removed the empty folder \"%.*s\"", STR_ARG(e->path));
    j->folders++;
    return true;
}

bool file_cleanup(struct file_job *j, struct err *err)
{
    struct file_selection s;
    const struct file_visitor v = {old_remove, NULL, folder_remove, NULL};
    if (!file_select(j, true, &s, err))
        return false;
    if (s.single) {
        errno = ENOTDIR;
        return fs_error(err, "clean up", s.base.shown);
    }
    return file_each(j, &s, &v, err);
}
