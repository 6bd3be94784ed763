// SPDX-License-Identifier: Apache-2.0
// What jobs are told of this server: when they are saved, and where their files may be.
#include "jobs/services.h"

#include "base/file.h"

enum { FOLDER_MODE = 0700 };

const struct job_settings *job_settings_at_save;

struct strs job_file_roots(const struct job_settings *s, struct arena *a)
{
    if (s->file_roots.n > 0)
        return s->file_roots;
    struct strs one = {arena_new_array(a, struct str, 1), 1};
    if (one.v)
        one.v[0] = arena_fmt(a, "%.*s/files", STR_ARG(s->data_dir));
    return one.v && one.v[0].p ? one : (struct strs){0};
}

bool job_roots_open(const struct job_settings *s, struct roots *ret, struct arena *a, struct err *err)
{
    if (!s)
        return ERR(err, ERR_CONFIG, "no folder is allowed: name one in the setting files.roots");
    struct strs paths = job_file_roots(s, a);
    if (s->file_roots.n == 0 && paths.n == 1) { // the default one is made when it is first wanted
        const char *path = arena_cstr(a, paths.v[0]);
        if (!path || !dir_make(path, FOLDER_MODE, err))
            return false;
    }
    return roots_open(&paths, ret, a, err);
}
