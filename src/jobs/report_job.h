// SPDX-License-Identifier: Apache-2.0
// The parts of the type REPORT: what a report is made from, its tables, the user's query, where the file goes.
#ifndef JOBS_REPORT_JOB_H
#define JOBS_REPORT_JOB_H

#include "db/query.h"
#include "document/document.h"
#include "jobs/mailing.h"
#include "jobs/report.h"

enum report_type { REPORT_JOB_SUMMARY, REPORT_RUN_HISTORY, REPORT_FAILURES, REPORT_SLA, REPORT_AUDIT, REPORT_OF_QUERY };

struct report_payload {
    int type, format;
    struct str_map parameters;
    struct strs recipients;
    bool compress;
    struct str template_name, template_data, target_path;
    struct smtp_config smtp;
};

// What `parameters` say, once read.
struct report_settings {
    struct instant from, to;
    struct ulid job_id;
    int64_t rows_max, query_timeout_s;
    struct str title, database_url, query;
    struct str_map others; // for the query, or without meaning
};
enum { REPORT_ROWS_DEFAULT = 1000000, REPORT_DAYS_DEFAULT = 30, REPORT_QUERY_S_DEFAULT = 300 };

struct report_run {
    struct attempt *a;
    const struct report_payload *p;
    struct report_settings s;
    struct document *doc;
    int64_t rows;      // of the first table
    bool cut;          // rows_max was reached
    struct err err;    // of what failed
    const char *error_class; // of what failed
    bool ended;        // the attempt has been ended already
};

// Every fault of the parameters; at save some may wait for their values ("{{").
void report_settings_read(const struct report_payload *p, struct instant now, struct report_settings *ret,
                          struct str base, struct faults *faults, struct arena *a);

// Writes the content into r->doc. False: r->err says why, or the attempt has ended.
bool report_tables(struct report_run *r);
bool report_query_table(struct report_run *r);
// One statement that reads, or ERR_INVALID.
bool report_query_read(struct str text, enum query_kind kind, struct query_text *ret, struct arena *a,
                       struct err *err);

// A file without a name, in the data folder.
bool report_file_new(const struct attempt *a, int *ret_fd, struct err *err);
// The file as a zip with one entry of this name, in a new file.
bool report_compress(const struct attempt *a, int fd, struct str name, int *ret_fd, struct err *err);
// Copies it to a place below the file roots: there as a whole or not at all.
bool report_publish(struct attempt *a, int fd, struct str path, struct err *err);

#endif
