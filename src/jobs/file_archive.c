// SPDX-License-Identifier: Apache-2.0
// COMPRESS and EXTRACT of FILE_SYSTEM.
#include <errno.h>

#include "base/sync.h"
#include "fs/archive.h"
#include "jobs/file_system.h"

static const char *const endings[] = {".zip", ".tar", ".tar.gz", ".tar.zst", ".gz", ".zst"};

static int format_word(struct str s)
{
    static const struct {
        const char *word;
        enum archive_format format;
    } others[] = {{"GZ", ARCHIVE_GZIP},        {"ZST", ARCHIVE_ZSTD},        {"TGZ", ARCHIVE_TAR_GZ},
                  {"TAR_GZ", ARCHIVE_TAR_GZ},  {"TAR_ZST", ARCHIVE_TAR_ZST}, {"TAR_ZSTD", ARCHIVE_TAR_ZST},
                  {"TAR_GZIP", ARCHIVE_TAR_GZ}};
    int found = field_enum_find(archive_format_names, s);
    for (size_t i = 0; found < 0 && i < sizeof others / sizeof others[0]; i++)
        if (str_eq_nocase(s, str_of(others[i].word)))
            found = (int)others[i].format;
    return found;
}

// As the format says, else the target's name, else GZIP for one file and ZIP for more.
static bool format_of(struct file_job *j, bool single, enum archive_format *ret, struct err *err)
{
    int format = j->params.format.p ? format_word(j->params.format) : archive_format_of(j->p->target_path);
    if (format < 0 && j->params.format.p)
        return ERR(err, ERR_INVALID, "format must be one of ZIP, TAR, TAR.GZ, TAR.ZST, GZIP, ZSTD");
    if (format < 0)
        format = single ? ARCHIVE_GZIP : ARCHIVE_ZIP;
    if (!single && archive_is_single((enum archive_format)format))
        return ERR(err, ERR_INVALID, "%s holds one file only; write ZIP, TAR.GZ or TAR.ZST for a folder",
                   archive_format_names[format]);
    *ret = (enum archive_format)format;
    return true;
}

struct packing {
    struct archive_writer *writer; // NULL: dry run
    struct place to;
    struct stat old; // what the target replaces
    bool old_there;
};

static bool pack_file(struct file_job *j, const struct tree_entry *e, void *ctx, struct err *err)
{
    struct packing *p = ctx;
    struct stat st;
    CLEANUP(cleanup_fd) int fd = -1;
    int64_t bytes = e->st.st_size;
    if (!S_ISREG(e->st.st_mode) ||
        (p->old_there && p->old.st_ino == e->st.st_ino && p->old.st_dev == e->st.st_dev)) {
        file_say(j, "left out \"%.*s\": %s", STR_ARG(e->path),
                 S_ISREG(e->st.st_mode) ? "it is the archive itself" : "it is no regular file");
        j->skipped++;
        return true;
    }
    if (p->writer && (!entry_open_file(e->dir, e->name, e->path, &fd, &st, err) ||
                      !archive_add(p->writer, fd, &st, e->path, &j->stop, &bytes, err)))
        return false;
    file_say(j, "%s \"%.*s\"", p->writer ? "packed" : "would pack", STR_ARG(e->path));
    j->files++;
    j->bytes += bytes;
    return true;
}

static bool pack_folder(struct file_job *j, const struct tree_entry *e, void *ctx, struct err *err)
{
    struct packing *p = ctx;
    int64_t none;
    j->folders++;
    return !p->writer || archive_add(p->writer, -1, &e->st, e->path, &j->stop, &none, err);
}

static bool pack_single(struct file_job *j, struct packing *p, const struct place *from, struct err *err)
{
    CLEANUP(cleanup_fd) int fd = -1;
    struct stat st;
    int64_t bytes = 0;
    if (!place_open_file(from, &fd, &st, err))
        return false;
    if (p->writer && !archive_add(p->writer, fd, &st, place_name(from), &j->stop, &bytes, err))
        return false;
    j->files++;
    j->bytes += st.st_size;
    return true;
}

static bool pack(struct file_job *j, struct packing *p, const struct file_selection *s, struct err *err)
{
    const struct file_visitor v = {pack_file, s->picks ? NULL : pack_folder, NULL, p};
    return s->single ? pack_single(j, p, &s->base, err) : file_each(j, s, &v, err);
}

static bool pack_target(struct file_job *j, const struct file_selection *s, enum archive_format f,
                        struct place *ret, struct err *err)
{
    struct str name = place_name(&s->base);
    if (name.n == 0)
        name = STR("files");
    if (j->p->target_path.n > 0)
        return file_target(j, arena_fmt(&j->a->arena, "%.*s%s", STR_ARG(name), endings[f]), ret, err);
    struct str path = arena_fmt(&j->a->arena, "%.*s%s", STR_ARG(s->base.shown), endings[f]);
    if (s->picks || !place_find(&j->roots, path, ret, &j->a->arena, err))
        return s->picks ? ERR(err, ERR_INVALID,
                              "COMPRESS with a pattern needs targetPath; say where the archive goes")
                        : false;
    file_sweep(j, ret);
    return true;
}

bool file_compress(struct file_job *j, struct err *err)
{
    enum { LEVEL_MOST = 19 };
    struct file_selection s;
    enum archive_format f = ARCHIVE_ZIP;
    struct packing p = {0};
    CLEANUP(fresh_drop) struct fresh fresh = {.fd = -1};
    const struct fresh_options o = {j->p->overwrite, j->p->create_directories, 0};
    if (!file_select(j, true, &s, err) || !format_of(j, s.single, &f, err))
        return false;
    s.recursive = true;
    if (!pack_target(j, &s, f, &p.to, err) || !place_stat(&p.to, &p.old_there, &p.old, err))
        return false;
    if (j->params.dry_run)
        return pack(j, &p, &s, err);
    int level = (int)(j->params.level < LEVEL_MOST ? j->params.level : LEVEL_MOST);
    if (!fresh_open(&p.to, &o, &fresh, err) || !(p.writer = archive_writer_new(f, level, &fresh, err)))
        return false;
    bool ok = pack(j, &p, &s, err) && archive_finish(p.writer, err);
    archive_writer_free(p.writer);
    if (!ok || !fresh_commit(&fresh, err))
        return false;
    file_say(j, "wrote \"%.*s\"", STR_ARG(p.to.shown));
    return true;
}

// ---- EXTRACT ----

// "a.txt.gz" holds "a.txt".
static struct str unpacked_name(struct str name)
{
    int f = archive_format_of(name);
    return f >= 0 ? (struct str){name.p, name.n - strlen(endings[f])} : name;
}

bool file_extract(struct file_job *j, struct err *err)
{
    struct place from;
    struct stat st;
    struct archive_totals totals;
    struct archive_target to = {.overwrite = j->p->overwrite};
    CLEANUP(cleanup_fd) int fd = -1;
    const struct archive_bounds bounds = {j->params.max_bytes, j->params.max_entries, j->params.max_ratio};
    if (!file_source(j, &from, &fd, &st, err))
        return false;
    struct str name = place_name(&from), single = arena_str(&j->a->arena, unpacked_name(name));
    int f = archive_format_of(name);
    if (!place_find(&j->roots, j->p->target_path, &to.folder, &j->a->arena, err))
        return false;
    bool one = f >= 0 && archive_is_single((enum archive_format)f);
    to.is_single = one;
    if (one && !file_target(j, single, &to.single, err))
        return false;
    if (j->params.dry_run) {
        file_say(j, "would unpack \"%.*s\" to \"%.*s\"", STR_ARG(from.shown), STR_ARG(j->p->target_path));
        return true;
    }
    if (!one && !file_target_folder(j, &to.folder, err))
        return false;
    if (!archive_extract(fd, from.shown, &to, &bounds, &j->stop, &totals, err))
        return false;
    j->files += totals.files;
    j->folders += totals.folders;
    j->bytes += totals.bytes;
    j->skipped += totals.skipped;
    file_say(j, "unpacked \"%.*s\"", STR_ARG(from.shown));
    return true;
}
