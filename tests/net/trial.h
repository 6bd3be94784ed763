// SPDX-License-Identifier: Apache-2.0
// Whole attempts without an engine: a sink per attempt, and the runner with all it needs.
#ifndef TESTS_NET_TRIAL_H
#define TESTS_NET_TRIAL_H

#include "base/sbuf.h"
#include "base/sync.h"
#include "http_target.h"
#include "jobs/runner.h"

enum { PATIENCE_S = 60 };

// One attempt with its own sink: what the engine is in the server.
struct trial {
    struct attempt_sink sink;
    struct attempt attempt;
    struct str definition; // absent: loading fails
    struct mutex lock;
    struct sbuf log;       // "stream message context\n", under lock
    int64_t lines;
    int ends;
    struct waker ended, logged;
};

// Opens everything on loopback and in a fresh folder, and closes it again: cmocka group fixtures.
int trial_world_open(void **state);
int trial_world_close(void **state);
extern struct job_env trial_env;
extern struct target *trial_target;
extern struct arena trial_arena; // for the length of the test program

// A definition of the type with this payload (JSON); run-time parameters are set by the test.
void trial_init(struct trial *t, const char *type, const char *payload);
void trial_start(struct trial *t);
void trial_await(struct trial *t); // its one end
void trial_run(struct trial *t, const char *type, const char *payload); // all three
void trial_cancel(struct trial *t, enum cancel_why why);
void trial_release(struct trial *t);
// The result: class and code exactly, message in part.
void trial_expect(const struct trial *t, int status, const char *error_class, const char *code, const char *message);
void trial_expect_log(struct trial *t, const char *part);
// Payload of an HTTP job to a path of the test server.
const char *trial_http_payload(const char *path, const char *more);

#endif
