// SPDX-License-Identifier: Apache-2.0
// What a job type is, and how the engine has attempts executed.
//
// A type is one file with one const struct job_type at its bottom; the Meson list is the registry. An attempt
// belongs to the executor from start until done() was called, exactly once; then it is the engine's again.
#ifndef JOBS_JOB_TYPE_H
#define JOBS_JOB_TYPE_H

#include <stdatomic.h>

#include "base/clock.h"
#include "model/job.h"
#include "model/run.h"

struct attempt;
struct target_use; // jobs/breakers.c
struct mask; // jobs/mask.h
struct job_env; // jobs/runner.h: loops, HTTP client, spawner, settings

enum cancel_why { CANCEL_BY_USER, CANCEL_BY_TIMEOUT, CANCEL_BY_REPLACE, CANCEL_BY_SHUTDOWN, CANCEL_BY_LEASE };

struct attempt_result {
    int status;                  // RUN_SUCCEEDED, RUN_FAILED, RUN_TIMED_OUT or RUN_CANCELLED
    struct str error_class;      // "HTTP_5XX", "SCRIPT_ERROR", …; absent on success
    struct str error_code;       // "503", "EXIT_75": matched by retryOn; absent when none
    struct str error_message;    // one sentence
    int64_t exit_code;           // FIELD_ABSENT = none
    struct duration retry_after; // the target asked to wait this long; 0 = no word
    struct str output;           // {{run.output}} of jobs that this end starts; kept only when there are some
};

// What the engine offers an attempt. All functions are thread-safe and copy what they are given.
struct attempt_sink {
    // Several attempts are about to be loaded: whatever can be read for them at once is. May be NULL.
    void (*prefetch)(struct attempt_sink *s, struct attempt **v, size_t n);
    // Text of the job's definition, in the attempt's arena. Runs on the executor's thread.
    bool (*load)(struct attempt_sink *s, struct attempt *a, struct str *ret_definition, int64_t *ret_version,
                 struct err *err);
    // One line of the run's log. Lines over LOG_LINE_MAX are cut with a marker; past RUN_OUTPUT_MAX the
    // middle is left out.
    void (*log)(struct attempt_sink *s, struct attempt *a, int level, int stream, struct str message,
                struct str context);
    // The attempt has ended: its result is complete. The attempt must not be touched afterwards.
    void (*done)(struct attempt_sink *s, struct attempt *a);
};

enum { ATTEMPT_ARENA_BUDGET = 4 * 1024 * 1024 };

struct attempt {
    // Set by the engine, constant while executing:
    struct ulid run_id, job_id, run_key;
    int64_t number; // from 1
    int64_t token;  // under which the run is owned
    struct instant scheduled;
    int trigger;
    struct str inputs;       // JSON object or absent
    struct duration timeout; // the engine cancels with CANCEL_BY_TIMEOUT after it
    struct attempt_sink *sink;
    const struct clock *clock;
    // Set by the executor:
    struct mask *mask;  // hides its secrets in what it says; NULL: it has none
    bool secret_missing; // one could not be had
    struct arena arena; // initialised by the engine with ATTEMPT_ARENA_BUDGET, released by it
    struct job job;     // decoded definition
    int64_t job_version;
    const struct job_type *type;
    void *payload; // decoded, templates expanded
    struct job_env *env;
    struct instant started; // when the type's start was called
    struct target_use *targets; // that it calls, the last named first
    struct attempt_result result;
    void *state;                  // the type's own
    _Atomic int cancel;           // −1, or enum cancel_why once asked
    int executor_state;           // the executor's own, under its lock
    void *engine_data;            // the engine's own
    int64_t log_bytes, log_lines; // kept by the sink
};

struct job_type {
    const char *name; // "HTTP"
    const char *doc;
    const struct fields *payload;
    // Rules beyond the field table, at save; templates are not expanded yet. May be NULL.
    void (*check)(const void *payload, struct str base, struct faults *faults, struct arena *scratch);
    // Begins the attempt on a runner thread and returns soon; ends by attempt_done, at once or later from
    // any thread.
    void (*start)(struct attempt *a);
    // Asks a started attempt to end soon (never after done). May be NULL when start always ends at once.
    void (*cancel)(struct attempt *a, enum cancel_why why);

    // For those who read about it (GET /job-types); all may be left out.
    const char *const *examples;        // payloads as JSON that pass the check, NULL-terminated
    const char *const *failure_classes; // besides those every type has, NULL-terminated
    // Whether runs of it can work on this server; ERR_UNAVAILABLE says what is missing, and what helps.
    bool (*available)(const struct job_env *env, struct err *err);
};

// Types compiled into this binary, NULL-terminated.
extern const struct job_type *const job_types[];
const struct job_type *job_type_find(struct str name); // NULL when unknown

// Which secrets the owner of a job has.
struct secret_names {
    bool (*known)(void *ctx, struct str name);
    void *ctx;
};

// Checks a payload at save: known type, payload.type equal or absent, fields, templates, the type's own
// rules. Pointers below "/payload". Returns the canonical payload text in the arena (absent on faults).
// secrets NULL: any name will do.
struct str job_payload_check(const struct job *j, const struct secret_names *secrets, struct faults *faults,
                             struct arena *a);

// Ends: fill the result, call the sink.
void attempt_succeed(struct attempt *a, int64_t exit_code);
void attempt_fail(struct attempt *a, const char *error_class, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
// TIMED_OUT or CANCELLED, as the reason says.
void attempt_cancelled(struct attempt *a, enum cancel_why why);

// How attempts get executed: threads and sockets in production (jobs/runner.h), virtual time in the
// simulator.
struct executor {
    // Takes the attempts over.
    void (*start)(struct executor *x, struct attempt **v, size_t n);
    // Asks the attempt of this run to end; unknown ids are ignored (it may have ended meanwhile).
    void (*cancel)(struct executor *x, struct ulid run_id, enum cancel_why why);
};

#endif
