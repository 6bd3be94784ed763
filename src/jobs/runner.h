// SPDX-License-Identifier: Apache-2.0
// The production executor: runner threads that load, decode and start attempts; and what job types work with.
//
//     engine ── start(batch) ──► lane of the run id ──► runner thread: load → decode → expand → type->start
//            ── cancel(run) ───► lane's table ──► the attempt's loop: type->cancel
//
// An attempt is in its lane's table from start until its end, so that a cancel finds it by id. type->cancel
// runs on the attempt's loop, and an attempt that ends meanwhile is kept until it has returned.
#ifndef JOBS_RUNNER_H
#define JOBS_RUNNER_H

#include "jobs/job_type.h"

struct blocking;
struct breakers;
struct db_pool;
struct egress;
struct job_services;
struct job_settings;
struct loop;
struct monitors;
struct http_client;
struct processes;
struct runner;
struct span_sink;

// What job types work with. Filled by main (or a test), constant while the runner lives.
struct job_env {
    struct loop *const *loops;
    size_t loop_count;           // 0: only types that end at once can be run
    struct http_client *http;    // on the same loops, in the same order
    struct processes *processes; // NULL: scripts cannot be run
    bool scripts_enabled;        // setting; off: SCRIPT fails with one sentence
    atomic_bool scripts_held;    // feature flag: as if they were off, for now
    int script_sandbox;          // enum sandbox_level: the least that every script gets
    struct runner *runner;       // set by runner_new
    struct blocking *blocking;   // NULL: types that block cannot be run
    const struct egress *egress; // which addresses jobs may reach; NULL: all
    const struct job_services *services; // what the layers above do for jobs; NULL: none of it
    const struct job_settings *settings; // NULL: the defaults
    struct breakers *breakers;           // NULL: every target is called, however it fares
    struct monitors *monitors;           // NULL: pings are not waited for
    struct span_sink *spans;             // of jobs/span_sink.h; NULL: nobody wants to know
    struct db_pool *db_pool;             // NULL: connections to users' databases are opened for each attempt
};

enum { RUNNER_THREADS_DEFAULT = 2, RUNNER_THREADS_MAX = 16 };
// Starts the threads (0 = default). env must outlive the runner.
struct runner *runner_new(struct job_env *env, size_t threads);
// Cancels what is left with CANCEL_BY_SHUTDOWN, waits until all has ended, stops. Before that the HTTP
// client, the processes and the loops must still work; nothing may be started any more.
void runner_free(struct runner *r);
struct executor *runner_executor(struct runner *r);
size_t runner_active(struct runner *r); // attempts not ended

// ---- for job types ----

// Which of env->loops (and which lane of env->http) an attempt uses.
size_t attempt_lane(const struct attempt *a);
struct loop *attempt_loop(const struct attempt *a);
void attempt_log(struct attempt *a, int level, int stream, struct str message, struct str context);
// Asks the circuit breaker of what is to be called now: "https://host:443", "postgresql://host:5432", without user,
// password or path. False: the attempt has been ended with CIRCUIT_OPEN. May wait for the store: from start or a body.
// The attempt's result tells what became of the target: CONNECTION_ERROR means that it could not be reached, HTTP_5XX
// and TIMEOUT that it fails, success and most other failures that it works. With several targets the result is about
// the one named last; naming one again only says so.
bool attempt_target(struct attempt *a, struct str target);
// The failure that comes now means that the target could not be reached, whatever its class.
void attempt_target_down(struct attempt *a);
// Replaces the names in the text fields of *obj (template_expand) with the values of this attempt, the secrets of its
// owner among them; for texts a type finds inside its payload, which itself is expanded already. May wait for the
// store. When a secret cannot be had, the attempt fails with SECRET_ERROR, whatever class it is given.
bool attempt_expand(struct attempt *a, const struct fields *t, void *obj, struct err *err)
    __attribute__((warn_unused_result));
// A text as it may leave the attempt: secrets replaced. The text itself when there are none, else one in the arena.
struct str attempt_mask(struct attempt *a, struct str text);
// Masks the result and forgets the secrets; for the runner.
void attempt_unmask(struct attempt *a);
// What {{run.output}} of jobs that this end starts stands for, its beginning; lines of standard output otherwise.
enum { ATTEMPT_OUTPUT_MAX = 16 * 1024 };
void attempt_output(struct attempt *a, struct str text);
// The result is filled: gives the attempt back. attempt_succeed and its like end with it.
void attempt_end(struct attempt *a);
// Ends it as TIMED_OUT by a limit of the type's own.
void attempt_timed_out(struct attempt *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
// The attempt's reason to end early: −1, or enum cancel_why.
static inline int attempt_cancel_asked(const struct attempt *a) { return atomic_load(&a->cancel); }
// W3C trace context that an attempt hands on (model/trace.h); state absent: none. May read the inputs.
enum { TRACEPARENT_MAX = 56 };
void attempt_traceparent(struct attempt *a, char buf[static TRACEPARENT_MAX], struct str *ret_state);

#endif
