// SPDX-License-Identifier: Apache-2.0
// What the parts of FILE_SYSTEM share: the payload, its parameters as numbers, one run of it.
//
// A run is one action: an operation, or for PROCESS its processingType. Actions live in file_<part>.c; each
// does its work through fs/ and returns false with an error, which file_system.c turns into the attempt's
// end.
#ifndef JOBS_FILE_SYSTEM_H
#define JOBS_FILE_SYSTEM_H

#include "fs/tree.h"
#include "jobs/runner.h"

enum file_action {
    FILE_COPY,
    FILE_MOVE,
    FILE_DELETE,
    FILE_COMPRESS,
    FILE_READ,
    FILE_WRITE,
    FILE_LIST,
    FILE_WATCH,
    FILE_CSV,
    FILE_SPLIT,
    FILE_ENCRYPT,
    FILE_DECRYPT,
    FILE_CHECKSUM,
    FILE_VERIFY,
    FILE_CLEANUP,
    FILE_SYNC,
    FILE_EXTRACT,
    FILE_ACTIONS,
};

struct file_payload {
    int operation;
    struct str path, target_path, content;
    bool create_directories, overwrite;
    struct str_map parameters;
};

// Defaults are in file_params.c, beside the keys.
struct file_params {
    bool dry_run, recursive, preserve, append, header, include_existing, ignore_missing, delete_extra,
        remove_empty;
    struct strs patterns, exclude, columns;
    struct str format, encoding, mode, filter, delimiter, output_delimiter, line_ending, key, baseline,
        start_job, compare;
    struct str_map rename;
    int64_t level, max_bytes, max_entries, max_ratio, lines, size;
    struct duration wait, settle, older_than; // 0: not given
};

struct file_job {
    struct attempt *a;
    const struct file_payload *p;
    struct file_params params;
    enum file_action action;
    struct roots roots;
    struct fs_stop stop;
    struct arena scratch; // of one entry of a walk
    int64_t files, folders, bytes, skipped, said;
    struct stat own;        // a folder that walks leave out, when own_there: where their result goes
    bool own_there;
    const char *error_code; // of a failure that is no system error
};

// ---- file_params.c ----

// The action of a payload; −1 with *ret_wrong when PROCESS has no known processingType, −1 without when that
// is a template still.
int file_action_of(const struct file_payload *p, const char **ret_wrong);
const char *file_action_name(enum file_action action);
// Fills the parameters that the action knows. Each wrong one is a fault when faults is given; values that
// hold a template are taken as they are only without faults. Names of the others go to *ret_ignored (may be
// NULL).
void file_params_read(const struct file_payload *p, enum file_action action, struct file_params *ret,
                      struct sbuf *ret_ignored, struct str base, struct faults *faults, struct arena *a);

// ---- file_select.c ----

// What a path means: one thing, or those in a folder that the patterns name.
struct file_selection {
    struct place base; // the thing, or the folder
    bool single;
    bool picks; // by patterns, else a whole folder
    bool recursive;
    struct strs patterns;
    struct stat st; // of base
};
// follow: a link that the path names stands for what it points to.
bool file_select(struct file_job *j, bool follow, struct file_selection *ret, struct err *err)
    __attribute__((warn_unused_result));
struct file_visitor {
    bool (*file)(struct file_job *j, const struct tree_entry *e, void *ctx,
                 struct err *err); // links and others too
    bool (*folder)(struct file_job *j, const struct tree_entry *e, void *ctx, struct err *err); // may be NULL
    bool (*folder_end)(struct file_job *j, const struct tree_entry *e, void *ctx,
                       struct err *err); // may be NULL
    void *ctx;
};
// Walks a selection that is not single. scratch is emptied before each entry.
bool file_each(struct file_job *j, const struct file_selection *s, const struct file_visitor *v,
               struct err *err) __attribute__((warn_unused_result));
// targetPath for one thing of that name: a target that is a folder, or ends with a slash, takes it in. Sweeps
// its folder of what killed runs left.
bool file_target(struct file_job *j, struct str name, struct place *ret, struct err *err)
    __attribute__((warn_unused_result));
// targetPath as a folder.
bool file_target_folder(struct file_job *j, struct place *ret, struct err *err)
    __attribute__((warn_unused_result));
// Removes what killed runs left beside a place.
void file_sweep(struct file_job *j, const struct place *p);
// Opens the one file that the path names.
bool file_source(struct file_job *j, struct place *ret, int *ret_fd, struct stat *ret_st, struct err *err)
    __attribute__((warn_unused_result));

// ---- file_system.c ----

// A line of the run's log; after the first thousand they are left out.
void file_say(struct file_job *j, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
// A line of what the job is for: listings, contents.
void file_output(struct file_job *j, struct str line, struct str context);
// targetPath or the fault that it is missing.
bool file_needs_target(struct file_job *j, struct err *err) __attribute__((warn_unused_result));

// ---- the actions ----

bool file_copy(struct file_job *j, struct err *err) __attribute__((warn_unused_result));
bool file_move(struct file_job *j, struct err *err) __attribute__((warn_unused_result));
bool file_sync(struct file_job *j, struct err *err) __attribute__((warn_unused_result));
bool file_delete(struct file_job *j, struct err *err) __attribute__((warn_unused_result));
bool file_cleanup(struct file_job *j, struct err *err) __attribute__((warn_unused_result));
bool file_read_text(struct file_job *j, struct err *err) __attribute__((warn_unused_result));
bool file_write_text(struct file_job *j, struct err *err) __attribute__((warn_unused_result));
bool file_list(struct file_job *j, struct err *err) __attribute__((warn_unused_result));
bool file_compress(struct file_job *j, struct err *err) __attribute__((warn_unused_result));
bool file_extract(struct file_job *j, struct err *err) __attribute__((warn_unused_result));
bool file_csv(struct file_job *j, struct err *err) __attribute__((warn_unused_result));
bool file_split(struct file_job *j, struct err *err) __attribute__((warn_unused_result));
bool file_encrypt(struct file_job *j, struct err *err) __attribute__((warn_unused_result));
bool file_decrypt(struct file_job *j, struct err *err) __attribute__((warn_unused_result));
bool file_checksum(struct file_job *j, struct err *err) __attribute__((warn_unused_result));
bool file_verify(struct file_job *j, struct err *err) __attribute__((warn_unused_result));
// Waits. Ends as timed out itself when nothing came: then *ret_ended.
bool file_watch(struct file_job *j, bool *ret_ended, struct err *err) __attribute__((warn_unused_result));

#endif
