// SPDX-License-Identifier: Apache-2.0
// Forms with files, and certificates from files, of an HTTP job. Internal to jobs/http*.
#ifndef JOBS_HTTP_PARTS_H
#define JOBS_HTTP_PARTS_H

#include "jobs/http_payload.h"
#include "jobs/runner.h"

enum { PARTS_MAX = 50 };

// What a request needs of the file system; the descriptors stay open until it has ended.
struct http_files {
    struct http_part parts[PARTS_MAX];
    size_t parts_n;
    struct http_tls tls;
};

// A path that could lie below a root, as text.
void http_file_check(struct str path, struct str pointer, struct faults *faults);
void http_parts_check(struct str multipart, struct str pointer, struct faults *faults, struct arena *scratch);
// Reads certificates and opens the files of the form; texts live in the attempt's arena. ERR_DENIED: outside
// the roots. On failure nothing is left open.
bool http_files_open(struct attempt *a, const struct http_payload *p, struct http_files *ret, struct err *err)
    __attribute__((warn_unused_result));
void http_files_close(struct http_files *f);

#endif
