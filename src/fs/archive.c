// SPDX-License-Identifier: Apache-2.0
// Writing archives, entry by entry, into a fresh file.
#include "fs/archive.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/mem.h"
#include "fs/archive_lib.h"

enum { BUFFER = 256 * 1024, PERMISSIONS = 0777, OPTION_MAX = 64 };

const char *const archive_format_names[] = {"ZIP", "TAR", "TAR.GZ", "TAR.ZST", "GZIP", "ZSTD", NULL};

int archive_format_of(struct str name)
{
    static const struct {
        const char *end;
        enum archive_format format;
    } ends[] = {
        {".tar.gz", ARCHIVE_TAR_GZ}, {".tgz", ARCHIVE_TAR_GZ}, {".tar.zst", ARCHIVE_TAR_ZST},
        {".tzst", ARCHIVE_TAR_ZST},  {".zip", ARCHIVE_ZIP},    {".tar", ARCHIVE_TAR},
        {".gz", ARCHIVE_GZIP},       {".zst", ARCHIVE_ZSTD},
    };
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        size_t n = strlen(ends[i].end);
        if (name.n > n && str_eq_nocase((struct str){name.p + name.n - n, n}, str_of(ends[i].end)))
            return (int)ends[i].format;
    }
    return -1;
}

struct archive_writer {
    struct archive *archive;
    struct fresh *to;
    struct err err; // of the file, when writing to it failed
    bool failed;
    char buffer[BUFFER];
};

static bool failure(struct archive_writer *w, struct err *err)
{
    if (w->failed) {
        *err = w->err;
        return false;
    }
    const char *why = archive_lib.archive_error_string(w->archive);
    return ERR(err, ERR_IO, "the archive cannot be written: %s", why ? why : "libarchive gave no reason");
}

static la_ssize_t on_bytes(struct archive *a, void *ctx, const void *bytes, size_t n)
{
    struct archive_writer *w = ctx;
    (void)a;
    if (!w->failed && !fresh_write(w->to, bytes, n, &w->err))
        w->failed = true;
    return w->failed ? -1 : (la_ssize_t)n;
}

static int format_set(struct archive *a, enum archive_format f)
{
    int rc = f == ARCHIVE_ZIP       ? archive_lib.archive_write_set_format_zip(a)
             : archive_is_single(f) ? archive_lib.archive_write_set_format_raw(a)
                                    : archive_lib.archive_write_set_format_pax_restricted(a);
    if (rc == ARCHIVE_OK && (f == ARCHIVE_TAR_GZ || f == ARCHIVE_GZIP))
        rc = archive_lib.archive_write_add_filter_gzip(a);
    if (rc == ARCHIVE_OK && (f == ARCHIVE_TAR_ZST || f == ARCHIVE_ZSTD))
        rc = archive_lib.archive_write_add_filter_zstd(a);
    return rc;
}

static int level_set(struct archive *a, enum archive_format f, int level)
{
    char option[OPTION_MAX];
    if (level == 0 || f == ARCHIVE_TAR)
        return ARCHIVE_OK;
    const char *module = f == ARCHIVE_ZIP                           ? "zip"
                         : f == ARCHIVE_TAR_GZ || f == ARCHIVE_GZIP ? "gzip"
                                                                    : "zstd";
    (void)snprintf(option, sizeof option, "%s:compression-level=%d", module, level);
    return archive_lib.archive_write_set_options(a, option);
}

struct archive_writer *archive_writer_new(enum archive_format f, int level, struct fresh *to, struct err *err)
{
    if (!archive_lib_need(err))
        return NULL;
    struct archive_writer *w = mem_new(struct archive_writer);
    w->to = to;
    w->archive = archive_lib.archive_write_new();
    must(w->archive);
    int rc = format_set(w->archive, f);
    if (rc == ARCHIVE_OK)
        rc = level_set(w->archive, f, level);
    (void)archive_lib.archive_write_set_bytes_in_last_block(w->archive, 1); // no padding behind the end
    if (rc == ARCHIVE_OK)
        rc = archive_lib.archive_write_open(w->archive, w, NULL, on_bytes, NULL);
    if (rc == ARCHIVE_OK)
        return w;
    (void)failure(w, err);
    archive_writer_free(w);
    return NULL;
}

void archive_writer_free(struct archive_writer *w)
{
    if (!w)
        return;
    w->failed = true; // what is still in its buffers goes nowhere
    (void)archive_lib.archive_write_free(w->archive);
    mem_free(w);
}

static bool put_data(struct archive_writer *w, int fd, int64_t size, struct str name,
                     const struct fs_stop *stop, struct err *err)
{
    for (int64_t at = 0; at < size;) {
        size_t most = size - at < BUFFER ? (size_t)(size - at) : BUFFER;
        ssize_t n = pread(fd, w->buffer, most, at);
        if (fs_stopped(stop, err))
            return false;
        if (n < 0)
            return fs_error(err, "read", name);
        if (n == 0)
            return ERR(err, ERR_CONFLICT,
                       "\"%.*s\" became shorter while it was read; run it when nobody writes",
                       (int)str_utf8_cut(name, FS_NAME_MAX / 2), name.p);
        if (archive_lib.archive_write_data(w->archive, w->buffer, (size_t)n) < 0)
            return failure(w, err);
        at += n;
    }
    return true;
}

bool archive_add(struct archive_writer *w, int fd, const struct stat *st, struct str name,
                 const struct fs_stop *stop, int64_t *ret_bytes, struct err *err)
{
    char path[FS_PATH_MAX];
    if (name.n >= sizeof path) {
        errno = ENAMETOOLONG;
        return fs_error(err, "archive", name);
    }
    memcpy(path, name.p, name.n);
    path[name.n] = '\0';
    locale_t before = archive_names_begin();
    struct archive_entry *e = archive_lib.archive_entry_new();
    int64_t size = fd >= 0 ? st->st_size : 0;
    archive_lib.archive_entry_set_pathname(e, path);
    archive_lib.archive_entry_set_filetype(e, fd >= 0 ? AE_IFREG : AE_IFDIR);
    archive_lib.archive_entry_set_perm(e, st->st_mode & PERMISSIONS);
    archive_lib.archive_entry_set_size(e, size);
    archive_lib.archive_entry_set_mtime(e, st->st_mtim.tv_sec, st->st_mtim.tv_nsec);
    bool ok = archive_lib.archive_write_header(w->archive, e) >= ARCHIVE_WARN || failure(w, err);
    archive_lib.archive_entry_free(e);
    ok = ok && (fd < 0 || put_data(w, fd, size, name, stop, err));
    ok = ok && (archive_lib.archive_write_finish_entry(w->archive) >= ARCHIVE_WARN || failure(w, err));
    archive_names_end(before);
    if (ok)
        *ret_bytes = size;
    return ok;
}

bool archive_finish(struct archive_writer *w, struct err *err)
{
    locale_t before = archive_names_begin();
    bool ok = archive_lib.archive_write_close(w->archive) == ARCHIVE_OK && !w->failed;
    archive_names_end(before);
    return ok || failure(w, err);
}
