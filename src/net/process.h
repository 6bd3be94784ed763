// SPDX-License-Identifier: Apache-2.0
// Runs programs for jobs through the spawner, a small process of this same binary (net/spawner.h).
//
// A program runs in its own session and directory with few rights and only its standard streams open. When it
// ends, or is killed, everything it started is killed with it, daemons included. When the spawner dies,
// what it ran is LOST and a new spawner is started. Output and ends are told on one loop's thread.
#ifndef NET_PROCESS_H
#define NET_PROCESS_H

#include "base/clock.h"
#include "base/err.h"

struct loop;
struct processes;

enum {
    PROCESS_MAX = 1024,                 // running at once; more are refused with a sentence
    PROCESS_SPEC_MAX = 2 * 1024 * 1024, // bytes of arguments, environment and script
    PROCESS_ARGS_MAX = 1000,
    PROCESS_GRACE_S_DEFAULT = 5,
    PROCESS_FILES_DEFAULT = 1024,
};

struct process_options {
    struct loop *loop;
    const struct clock *clock;
    const char *exe;       // started with the one argument "--spawner"; NULL: /proc/self/exe
    struct str dir;        // folder for scripts and their working directories; absent: $TMPDIR or /tmp
    struct duration grace; // from SIGTERM to SIGKILL; 0: PROCESS_GRACE_S_DEFAULT
};
// Starts the spawner. Call early: the server has few descriptors and little memory then.
struct processes *processes_new(const struct process_options *o, struct err *err);
// Kills every program; each is told `exited` as lost. Not from the loop's thread; the loop must still run.
void processes_free(struct processes *p);

// 0 = no limit of our own, except open_files.
struct process_limits {
    int64_t memory_bytes; // address space of each process
    int64_t cpu_seconds;  // of each process
    int64_t processes;    // of the user that the server runs as, all together; not enforced for root
    int64_t file_bytes;   // largest file it may write
    int64_t open_files;   // default PROCESS_FILES_DEFAULT
};

enum sandbox_level { SANDBOX_NONE, SANDBOX_RESTRICTED, SANDBOX_STRICT };
struct process_sandbox { // how net/sandbox.h walls the program in
    int level;           // enum sandbox_level
    bool no_network;     // STRICT has none in any case
    bool best_effort;    // what the machine cannot give is left out instead of refused
};

struct process_spec {
    struct strs argv;        // argv[0]: a path, or a name looked up in PATH of env
    struct str script;       // absent, or a text written to a private file for this run
    size_t script_at;        // where in argv the path of that file is put in: 1 … argv.n
    struct strs env;         // "NAME=value"; and HOME and TMPDIR = the private folder, unless named
    struct str cwd;          // absent: a private folder, removed afterwards
    struct process_limits limits;
    struct process_sandbox sandbox;
    // With a level of sandbox: folders in which cwd and the paths must lie, and what else it may read, or write.
    struct strs roots, read_paths, write_paths;
    struct duration timeout; // then it is killed as by process_kill; 0 = none
};

struct process_exit {
    int code;      // exit code; −1 when it did not exit by itself
    int signal;    // that ended it, or 0
    bool lost;     // the spawner died: what became of the program is unknown
    bool timed_out; // killed because of the timeout
    bool unavailable; // not started: the machine cannot give the sandbox or limits asked for
    char text[192]; // why it did not start, or was lost; "" otherwise
    struct duration cpu; // user and system time of all its processes
    int64_t max_rss_bytes; // of its largest process
    char note[160];        // what best_effort left out, or ""
};

enum process_stream { PROCESS_STDOUT, PROCESS_STDERR };

// Called on the loop's thread.
struct process_handlers {
    void (*output)(void *ctx, enum process_stream stream, struct str bytes);
    void (*exited)(void *ctx, const struct process_exit *e); // once, after all output
};
// Starts a program, from any thread. The spec is copied. *ret_id is for process_kill and is written before
// the program can end. False: nothing will be called.
bool process_start(struct processes *p, const struct process_spec *spec, const struct process_handlers *h,
                   void *ctx, uint64_t *ret_id, struct err *err) __attribute__((warn_unused_result));
// SIGTERM to its process group, SIGKILL to all of it after the grace time (at once when now is true).
// Unknown ids are ignored. Any thread.
void process_kill(struct processes *p, uint64_t id, bool now);
// Process id of the spawner, for tests and diagnostics; 0 while there is none.
int processes_spawner(struct processes *p);

#endif
