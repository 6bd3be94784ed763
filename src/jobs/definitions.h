// SPDX-License-Identifier: Apache-2.0
// Decoded definitions of the jobs that run often, one table per runner thread, so without locks.
//
// Parsing and decoding cost most of a small attempt's time; copying what was decoded costs a tenth of it. An entry is
// used only when the text is the very same, so it can never be stale. A job is kept from its second run on:
// a hundred thousand jobs that run once leave nothing behind. Every attempt gets copies in its own arena.
#ifndef JOBS_DEFINITIONS_H
#define JOBS_DEFINITIONS_H

#include "base/map.h"
#include "jobs/job_type.h"

enum {
    DEFINITIONS_BYTES_MAX = 32 * 1024 * 1024, // over all runner threads
    DEFINITIONS_TEXT_MAX = 16 * 1024,         // longer texts are decoded every time
    DEFINITIONS_SEEN = 16384,
};

struct definition;

struct definitions {
    struct map by_job;
    struct definition *newest, *oldest;
    size_t bytes, bytes_max;
    uint32_t seen[DEFINITIONS_SEEN]; // hashes of jobs decoded before, each in its place
    struct faults faults;            // scratch: large for a runner's stack
    int64_t hits, misses;
};

struct definitions *definitions_new(size_t bytes_max);
void definitions_free(struct definitions *d);

// Fills a->job, a->type and a->payload from the text of a definition, templates expanded. ERR_CORRUPT: the text or
// a field of it is bad; ERR_INVALID: unknown type, or a template that cannot be filled. May wait for the store when
// the job uses secrets, which are never kept here.
bool definition_load(struct definitions *d, struct attempt *a, struct str text, struct err *err)
    __attribute__((warn_unused_result));

#endif
