// SPDX-License-Identifier: Apache-2.0
// Walls around a program that the spawner starts: landlock for files and signals, seccomp for system calls, a
// control group for what all its processes use together. For the program's process between fork and exec;
// internal to net/process and net/spawner.
//
// The filters are written by hand as BPF (sandbox_calls.c) and landlock is asked by plain system calls:
// nothing of it allocates, so that it works in a process that was forked a moment ago, and no library has to
// be there.
#ifndef NET_SANDBOX_H
#define NET_SANDBOX_H

#include <sys/types.h>

#include "net/process.h"
#include "net/sandbox_offer.h"

enum { SANDBOX_WHY_MAX = 160, SANDBOX_PATHS_MAX = 32 };
enum sandbox_result {
    SANDBOX_DONE,
    SANDBOX_LACKING, // the machine cannot: *why names what is missing
    SANDBOX_REFUSED, // a path lies outside the roots, or cannot be opened
};

struct sandbox {
    struct process_sandbox rules;
    const char *home; // writable in any case
    const char *cwd;
    const char *const *roots; // NULL-terminated, as the two below
    const char *const *reads, *const *writes;
};

// Files: closes everything but what the level leaves open. PR_SET_NO_NEW_PRIVS must be set. The process has
// changed to s->cwd before.
enum sandbox_result sandbox_files(const struct sandbox *s, char why[static SANDBOX_WHY_MAX]);
// System calls; the last step before exec.
enum sandbox_result sandbox_calls(const struct process_sandbox *rules, char why[static SANDBOX_WHY_MAX]);

// Control groups, named after the run: made and entered by the program's process, removed by its keeper.
enum sandbox_result sandbox_group_enter(const char *name, int64_t processes, int64_t memory_bytes,
                                        char why[static SANDBOX_WHY_MAX]);
void sandbox_group_remove(const char *name);
void sandbox_group_look(struct sandbox_offer *o); // fills its part
int sandbox_landlock(void);                       // version, 0: none
bool sandbox_seccomp(void);

#endif
