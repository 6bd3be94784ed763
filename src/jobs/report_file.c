// SPDX-License-Identifier: Apache-2.0
// The report as a file: without a name while it is made, then packed and put into its place.
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/sync.h"
#include "fs/archive.h"
#include "fs/fresh.h"
#include "jobs/report_job.h"
#include "jobs/services.h"

enum { CHUNK = 256 * 1024, FILE_MODE = 0600, REPORT_MODE = 0640 };

bool report_file_new(const struct attempt *a, int *ret_fd, struct err *err)
{
    const struct job_settings *set = a->env->settings;
    char folder[FS_PATH_MAX];
    bool own = set && set->data_dir.n > 0 && set->data_dir.n < sizeof folder;
    (void)snprintf(folder, sizeof folder, "%.*s", STR_ARG(own ? set->data_dir : STR("/tmp")));
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, FILE_MODE);
    if (fd < 0)
        return ERR_ERRNO(err, "make a file for the report in the data folder");
    *ret_fd = fd;
    return true;
}

bool report_compress(const struct attempt *a, int fd, struct str name, int *ret_fd, struct err *err)
{
    struct fresh to = {.fd = -1, .dir = -1};
    struct stat st;
    int64_t bytes;
    if (!report_file_new(a, &to.fd, err))
        return false;
    bool ok = (lseek(fd, 0, SEEK_SET) == 0 && fstat(fd, &st) == 0) || ERR_ERRNO(err, "read the report");
    struct archive_writer *w = ok ? archive_writer_new(ARCHIVE_ZIP, 0, &to, err) : NULL;
    ok = w && archive_add(w, fd, &st, name, NULL, &bytes, err) && archive_finish(w, err);
    archive_writer_free(w);
    if (!ok) {
        (void)close(to.fd);
        return false;
    }
    *ret_fd = to.fd;
    return true;
}

static bool copy(struct attempt *a, int fd, struct fresh *to, struct err *err)
{
    char *chunk = arena_alloc(&a->arena, CHUNK);
    off_t at = 0;
    if (!chunk)
        return ERR(err, ERR_TOO_LARGE, "no memory to copy the report");
    for (;;) {
        ssize_t n = pread(fd, chunk, CHUNK, at);
        if (n == 0)
            return true;
        if (n < 0)
            return ERR_ERRNO(err, "read the report");
        if (attempt_cancel_asked(a) >= 0)
            return ERR(err, ERR_TIMEOUT, "the report was stopped");
        if (!fresh_write(to, chunk, (size_t)n, err))
            return false;
        at += n;
    }
}

bool report_publish(struct attempt *a, int fd, struct str path, struct err *err)
{
    const struct fresh_options o = {.overwrite = true, .create_dirs = true, .mode = REPORT_MODE};
    struct roots roots;
    struct place place;
    struct fresh to = {.fd = -1, .dir = -1};
    if (!job_roots_open(a->env->settings, &roots, &a->arena, err))
        return false;
    bool ok = place_find(&roots, path, &place, &a->arena, err) && fresh_open(&place, &o, &to, err);
    if (ok)
        ok = copy(a, fd, &to, err) && fresh_commit(&to, err);
    fresh_drop(&to);
    roots_close(&roots);
    return ok;
}
