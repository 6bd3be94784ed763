// SPDX-License-Identifier: Apache-2.0
// What job types need of the layers above them, as functions that app/ fills in; and their settings.
//
// All functions are thread-safe and may wait for the store: they are for runner and blocking threads, not for loops.
#ifndef JOBS_SERVICES_H
#define JOBS_SERVICES_H

#include "fs/root.h"
#include "jobs/job_type.h"

struct report_query;
struct report_sink;

struct job_services {
    void *ctx;
    // The value of a secret that the owner of the attempt's job may use, in the arena. ERR_NOT_FOUND, ERR_FORBIDDEN.
    bool (*secret)(void *ctx, struct str name, const struct attempt *by, struct str *ret, struct arena *a,
                   struct err *err);
    // Starts another job with these parameters (a JSON object). Of several calls with one key one starts it, the
    // others do nothing; the owner of `by` must be allowed to run it. ERR_NOT_FOUND, ERR_FORBIDDEN.
    bool (*start_job)(void *ctx, const struct attempt *by, struct ulid job_id, struct str inputs, struct str key,
                      struct err *err);
    // A small durable text of a job that outlives its runs (positions of streams, baselines). Absent when never put.
    bool (*memo_get)(void *ctx, struct ulid job_id, struct str name, struct str *ret, struct arena *a,
                     struct err *err);
    // Durable when it returns. Only while the attempt still owns its run: ERR_STALE after its lease is lost.
    bool (*memo_put)(void *ctx, const struct attempt *by, struct str name, struct str value, struct err *err);
    // The answer to one of the built-in questions of REPORT as rows, for the eyes of the job's owner; jobs/report.h.
    bool (*report)(void *ctx, const struct job *j, const struct report_query *q, struct report_sink *sink,
                   struct err *err);
};

struct job_settings {
    struct strs file_roots; // folders below which jobs may read and write; empty: "files" in the data folder
    struct str mail_url;    // smtp://host:port or smtps://…; absent: mail cannot be sent
    struct str mail_user, mail_password; // absent: none
    struct str mail_from;   // absent: chronos@ and the host name
    struct str data_dir;
    struct str store_file;    // the server's own data file, not for jobs; absent: it has none
    struct str kafka_brokers; // for jobs that name none; absent: there are none
};

// The folders below which jobs may read and write: those of the setting, else the one in the data folder. Without
// memory none.
struct strs job_file_roots(const struct job_settings *s, struct arena *a);
// Opens them, after the default one was made. s NULL: ERR_CONFIG. roots_close ends it.
bool job_roots_open(const struct job_settings *s, struct roots *ret, struct arena *a, struct err *err)
    __attribute__((warn_unused_result));

// What type->check may know of this server: set once, before the first job is saved. NULL: nothing, and what depends
// on it is found when the job runs.
extern const struct job_settings *job_settings_at_save;

#endif
