// SPDX-License-Identifier: Apache-2.0
// Reading archives: every name is checked as text and opened below its folder like any other path of a job.
// The library never writes a file itself.
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/mem.h"
#include "fs/archive.h"
#include "fs/archive_lib.h"

enum {
    BUFFER = 64 * 1024,
    BLOCK = 64 * 1024,
    PERMISSIONS = 0777,
    SHOWN_MAX = 160,
    NAMES_BUDGET = 64 * 1024,
    RATIO_FROM = 1024 * 1024
};

struct extraction {
    struct archive *archive;
    struct str shown;
    const struct archive_target *to;
    const struct archive_bounds *bounds;
    const struct fs_stop *stop;
    struct archive_totals totals;
    struct arena names; // of one entry
    char buffer[BUFFER];
};

static bool unreadable(struct extraction *x, struct err *err)
{
    const char *why = archive_lib.archive_error_string(x->archive);
    int native = archive_lib.archive_errno(x->archive);
    (void)ERR(err, ERR_CORRUPT, "\"%.*s\" cannot be unpacked: %s", (int)str_utf8_cut(x->shown, SHOWN_MAX),
              x->shown.p, why ? why : "it is no archive of a known kind");
    err->native = native > 0 ? native : 0;
    return false;
}

// The small first part may shrink as well as it likes: a megabyte of blanks is no attack.
static bool within_bounds(struct extraction *x, struct err *err)
{
    const struct archive_bounds *b = x->bounds;
    int64_t packed = archive_lib.archive_filter_bytes(x->archive, -1);
    int shown = (int)str_utf8_cut(x->shown, SHOWN_MAX);
    if (x->totals.bytes > b->bytes)
        return ERR(err, ERR_TOO_LARGE, "\"%.*s\" holds more than %lld bytes; raise maxBytes if that is meant",
                   shown, x->shown.p, (long long)b->bytes);
    if (x->totals.files + x->totals.folders + x->totals.skipped > b->entries)
        return ERR(err, ERR_TOO_LARGE,
                   "\"%.*s\" holds more than %lld entries; raise maxEntries if that is meant", shown,
                   x->shown.p, (long long)b->entries);
    if (x->totals.bytes > RATIO_FROM && packed > 0 && x->totals.bytes / packed > b->ratio)
        return ERR(err, ERR_TOO_LARGE,
                   "\"%.*s\" unpacks to more than %lld times its size; raise maxRatio if that is "
                   "meant",
                   shown, x->shown.p, (long long)b->ratio);
    return true;
}

static bool data_write(struct extraction *x, struct fresh *f, struct err *err)
{
    for (;;) {
        if (fs_stopped(x->stop, err))
            return false;
        la_ssize_t n = archive_lib.archive_read_data(x->archive, x->buffer, sizeof x->buffer);
        if (n < 0)
            return unreadable(x, err);
        if (n == 0)
            return true;
        x->totals.bytes += n;
        if (!within_bounds(x, err) || !fresh_write(f, x->buffer, (size_t)n, err))
            return false;
    }
}

static bool file_extract(struct extraction *x, const struct place *to, unsigned mode, struct err *err)
{
    __attribute__((cleanup(fresh_drop))) struct fresh f = {.fd = -1};
    const struct fresh_options o = {.overwrite = x->to->overwrite, .create_dirs = true, .mode = mode};
    x->totals.files++;
    return within_bounds(x, err) && fresh_open(to, &o, &f, err) && data_write(x, &f, err) &&
           fresh_commit(&f, err);
}

// Where an entry goes: below the folder, by a name that is relative and stays so.
static bool name_place(struct extraction *x, const char *name, struct place *ret, struct err *err)
{
    const struct strs self = {&(struct str)STR_INIT(""), 1};
    size_t root;
    struct str rel;
    struct str text = str_of(name);
    if (text.n == 0 || text.p[0] == '/' || !root_find(&self, text, &root, &rel, &x->names, err)) {
        (void)ERR(err, ERR_DENIED, "\"%.*s\" holds the name \"%.*s\", which leads out of the folder",
                  (int)str_utf8_cut(x->shown, SHOWN_MAX), x->shown.p, (int)str_utf8_cut(text, SHOWN_MAX / 2),
                  text.p);
        return false;
    }
    return place_below(&x->to->folder, rel, ret, &x->names, err);
}

static bool entry_extract(struct extraction *x, struct archive_entry *e, struct err *err)
{
    struct place to;
    unsigned mode = archive_lib.archive_entry_perm(e) & PERMISSIONS;
    if (x->to->is_single && archive_lib.archive_filter_code(x->archive, 0) == ARCHIVE_FILTER_NONE)
        return ERR(err, ERR_CORRUPT, "\"%.*s\" is neither gzip nor zstd",
                   (int)str_utf8_cut(x->shown, SHOWN_MAX), x->shown.p);
    if (x->to->is_single)
        return file_extract(x, &x->to->single, 0, err);
    const char *name = archive_lib.archive_entry_pathname(e);
    arena_reset(&x->names);
    if (!name_place(x, name ? name : "", &to, err))
        return false;
    switch (archive_lib.archive_entry_filetype(e)) {
    case AE_IFDIR:
        x->totals.folders++;
        return within_bounds(x, err) && place_make_dir(&to, err);
    case AE_IFREG:
        if (!archive_lib.archive_entry_hardlink(e))
            return file_extract(x, &to, mode | S_IRUSR | S_IWUSR, err);
        break;
    default:
        break;
    }
    x->totals.skipped++;
    return within_bounds(x, err);
}

static bool entries_extract(struct extraction *x, int fd, struct err *err)
{
    struct archive_entry *e;
    struct archive *a = x->archive;
    // Zeros alone would be an empty tar, and a damaged zip would be plain bytes: each only where it is
    // expected.
    bool known = x->to->is_single ? archive_lib.archive_read_support_format_raw(a) == ARCHIVE_OK
                                  : archive_lib.archive_read_support_format_zip(a) == ARCHIVE_OK &&
                                        archive_lib.archive_read_support_format_tar(a) == ARCHIVE_OK;
    bool opened = known && archive_lib.archive_read_support_filter_gzip(a) == ARCHIVE_OK &&
                  archive_lib.archive_read_support_filter_zstd(a) == ARCHIVE_OK &&
                  archive_lib.archive_read_open_fd(a, fd, BLOCK) == ARCHIVE_OK;
    if (!opened)
        return unreadable(x, err);
    for (;;) {
        if (fs_stopped(x->stop, err))
            return false;
        int rc = archive_lib.archive_read_next_header(a, &e);
        if (rc == ARCHIVE_EOF)
            return true;
        if (rc < ARCHIVE_WARN)
            return unreadable(x, err);
        if (!entry_extract(x, e, err))
            return false;
    }
}

bool archive_extract(int fd, struct str shown, const struct archive_target *to,
                     const struct archive_bounds *bounds, const struct fs_stop *stop,
                     struct archive_totals *ret, struct err *err)
{
    if (!archive_lib_need(err))
        return false;
    struct extraction *x = mem_new(struct extraction);
    locale_t before = archive_names_begin();
    x->archive = archive_lib.archive_read_new();
    must(x->archive);
    x->shown = shown;
    x->to = to;
    x->bounds = bounds;
    x->stop = stop;
    arena_init(&x->names, NAMES_BUDGET);
    bool ok = entries_extract(x, fd, err);
    if (ok)
        *ret = x->totals;
    (void)archive_lib.archive_read_free(x->archive);
    archive_names_end(before);
    arena_release(&x->names);
    mem_free(x);
    return ok;
}
