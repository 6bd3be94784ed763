// SPDX-License-Identifier: Apache-2.0
// Seccomp: which system calls a program may make, as BPF that is put together on the stack.
//
// RESTRICTED takes away what no job needs and what reaches past its own process: tracing, mounts, namespaces,
// kernel modules, keys, io_uring (it does file work unseen by filters). STRICT turns it round: only the calls
// in a list, the rest is answered as if the kernel did not know it, which is what C libraries have a second
// way for. Calls of another architecture (32-bit programs on a 64-bit kernel) would pass unseen and end the
// program.
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "net/sandbox.h"
#include "net/sandbox_calls.h"

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#define ARCHITECTURE 0U // unknown: no filter can be made
#endif

enum {
    FILTER_MAX = 1024,    // instructions
    X32_BIT = 0x40000000, // calls of the x32 interface
    VERSION_TRUNCATE = 3, // of landlock
    NAMESPACES = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |
                 CLONE_NEWNET,
};

struct filter {
    struct sock_filter v[FILTER_MAX];
    size_t n;
};

// ---- instructions ----

static void put(struct filter *f, uint16_t code, uint32_t k, uint8_t if_true, uint8_t if_false)
{
    must(f->n < FILTER_MAX);
    f->v[f->n++] = (struct sock_filter){code, if_true, if_false, k};
}

static void load(struct filter *f, size_t offset)
{
    put(f, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void load_number(struct filter *f) { load(f, offsetof(struct seccomp_data, nr)); }

// The low half of an argument; our machines are little-endian.
static void load_argument(struct filter *f, size_t i)
{
    load(f, offsetof(struct seccomp_data, args) + i * sizeof(uint64_t));
}

static void answer(struct filter *f, uint32_t action) { put(f, BPF_RET | BPF_K, action, 0, 0); }

static uint32_t refuse(int error) { return SECCOMP_RET_ERRNO | ((uint32_t)error & SECCOMP_RET_DATA); }

// When the call in the accumulator is this one.
static void answer_call(struct filter *f, int number, uint32_t action)
{
    put(f, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 1);
    answer(f, action);
}

// ---- rules ----

static void begin(struct filter *f)
{
    load(f, offsetof(struct seccomp_data, arch));
    put(f, BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0);
    answer(f, SECCOMP_RET_KILL_PROCESS);
    load_number(f);
#if defined(__x86_64__)
    put(f, BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 1);
    answer(f, refuse(ENOSYS));
#endif
}

// Sockets of families that reach another machine; with `all`, of any family (local ones reach other
// services).
static void no_network(struct filter *f, bool all)
{
    if (all) {
        answer_call(f, SYS_socket, refuse(EACCES));
        return;
    }
    put(f, BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 4);
    load_argument(f, 0);
    put(f, BPF_JMP | BPF_JEQ | BPF_K, AF_UNIX, 1, 0);
    answer(f, refuse(EACCES));
    load_number(f);
}

static void no_namespaces(struct filter *f)
{
    answer_call(f, SYS_clone3, refuse(ENOSYS)); // its flags are in memory; libc goes on with clone
    put(f, BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 4);
    load_argument(f, 0);
    put(f, BPF_JMP | BPF_JSET | BPF_K, NAMESPACES, 0, 1);
    answer(f, refuse(EPERM));
    load_number(f);
}

// Typing into the terminal of another session.
static void no_terminal_input(struct filter *f)
{
    put(f, BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 0, 5);
    load_argument(f, 1);
    put(f, BPF_JMP | BPF_JEQ | BPF_K, TIOCSTI, 1, 0);
    put(f, BPF_JMP | BPF_JEQ | BPF_K, TIOCLINUX, 0, 1);
    answer(f, refuse(EPERM));
    load_number(f);
}

// What landlock does not see before its version 3.
static void no_truncation(struct filter *f)
{
    if (sandbox_landlock() >= VERSION_TRUNCATE)
        return;
    answer_call(f, SYS_truncate, refuse(EACCES));
    put(f, BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 5);
    load_argument(f, 2);
    put(f, BPF_ALU | BPF_AND | BPF_K, O_TRUNC | O_ACCMODE, 0, 0);
    put(f, BPF_JMP | BPF_JEQ | BPF_K, O_TRUNC | O_RDONLY, 0, 1);
    answer(f, refuse(EACCES));
    load_number(f);
    answer_call(f, SYS_openat2, refuse(ENOSYS));
#ifdef SYS_open
    answer_call(f, SYS_open, refuse(ENOSYS));
#endif
}

static void rules_put(struct filter *f, const struct process_sandbox *rules)
{
    begin(f);
    if (rules->no_network || rules->level == SANDBOX_STRICT)
        no_network(f, rules->level == SANDBOX_STRICT);
    if (rules->level != SANDBOX_NONE) {
        no_namespaces(f);
        no_terminal_input(f);
        no_truncation(f);
    }
    if (rules->level == SANDBOX_RESTRICTED)
        for (size_t i = 0; i < sandbox_denied_n; i++)
            answer_call(f, sandbox_denied[i], refuse(EPERM));
    if (rules->level == SANDBOX_STRICT) {
        for (size_t i = 0; i < sandbox_allowed_n; i++)
            answer_call(f, sandbox_allowed[i], SECCOMP_RET_ALLOW);
        answer(f, refuse(ENOSYS));
        return;
    }
    answer(f, SECCOMP_RET_ALLOW);
}

bool sandbox_seccomp(void)
{
    uint32_t action = SECCOMP_RET_KILL_PROCESS;
    return ARCHITECTURE != 0U && syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

enum sandbox_result sandbox_calls(const struct process_sandbox *rules, char why[static SANDBOX_WHY_MAX])
{
    if (rules->level == SANDBOX_NONE && !rules->no_network)
        return SANDBOX_DONE;
    if (!sandbox_seccomp()) {
        (void)snprintf(why, SANDBOX_WHY_MAX, "the kernel has no seccomp filters for this processor");
        return SANDBOX_LACKING;
    }
    struct filter f = {.n = 0};
    rules_put(&f, rules);
    struct sock_fprog program = {.len = (unsigned short)f.n, .filter = f.v};
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0)
        return SANDBOX_DONE;
    (void)snprintf(why, SANDBOX_WHY_MAX, "the kernel does not take the filter: %s", strerror(errno));
    return SANDBOX_LACKING;
}
