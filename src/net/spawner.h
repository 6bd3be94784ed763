// SPDX-License-Identifier: Apache-2.0
// The spawner: a single-threaded process of this binary that starts the programs of jobs.
//
// The server is large and threaded: forking it costs milliseconds per gigabyte and allows nothing between
// fork and exec. The spawner is small, so it forks plainly, twice per program:
//
//     server ──socket── spawner ─┬─ keeper ── program ── …        keeper: child subreaper of one program;
// whatever the
//                                └─ keeper ── program ── …        program leaves behind, daemons too,
// becomes its child
//
// When the program ends the keeper kills all that is left, then exits; the spawner then reports. When the
// server's end of the socket closes, or the spawner dies, the keepers kill their programs.
#ifndef NET_SPAWNER_H
#define NET_SPAWNER_H

#include <sys/types.h>

#include "net/process.h"

enum { SPAWNER_FD = 3 }; // the socket, as seen by a process started with --spawner

// Body of `chronos --spawner`: serves until the socket closes. Returns the exit code.
int spawner_main(int fd);

// ---- messages: one SOCK_SEQPACKET packet each ----

enum spawn_type { SPAWN_HELLO, SPAWN_START, SPAWN_KILL };
struct spawn_request {
    uint32_t type;
    uint32_t now;      // KILL: no grace
    uint64_t id;       // START, KILL
    uint64_t grace_ms; // HELLO
    char dir[256];     // HELLO
};
// START carries these descriptors.
enum spawn_fd { SPAWN_FD_SPEC, SPAWN_FD_STDOUT, SPAWN_FD_STDERR, SPAWN_FDS };

struct spawn_report {
    uint64_t id;
    int32_t code, signal;
    int64_t cpu_us, max_rss_bytes;
    int32_t unavailable; // the sandbox or a limit cannot be given here
    char text[192];
    char note[160];      // what was left out
};

// What SPAWN_FD_SPEC holds: this head, then argv, env, cwd ("" = private), roots and paths, each NUL-terminated,
// then the script.
struct spawn_spec {
    uint32_t argc, envc;
    uint32_t has_script, script_at;
    uint64_t strings_bytes, script_bytes;
    struct process_limits limits;
    struct process_sandbox sandbox;
    uint32_t roots, reads, writes; // numbers of paths
};

// ---- parts, internal ----

// Checks a spec and packs it as above; the memory file is the caller's. ERR_INVALID, ERR_TOO_LARGE, ERR_IO.
bool spawn_spec_pack(const struct process_spec *s, int *ret_fd, struct err *err)
    __attribute__((warn_unused_result));

struct spawn_slot { // in memory shared by the spawner and its keepers
    pid_t keeper;   // 0: free
    bool grouped;   // it may have a control group
    struct spawn_report report;
};
// The keeper's body, in a fresh child of the spawner. Does not return.
void keeper_main(struct spawn_slot *slot, const int fds[SPAWN_FDS], const char *dir, uint64_t grace_ms,
                 pid_t spawner)
    __attribute__((noreturn));
// Kills every direct child of the calling process for which skip (may be NULL) is false; false when /proc
// does not tell.
bool children_kill(bool (*skip)(pid_t pid));
void folder_remove(const char *path); // with all that is in it; best effort, follows no link

#endif
