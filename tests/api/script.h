// SPDX-License-Identifier: Apache-2.0
// API scripts: text files that hold requests and the exact answers.
//
//     # a comment
//     POST /api/v1/jobs as ada          a request; "as nobody" sends no token
//     If-Match: "1"                     further headers
//     {"name":"a", …}                   body, to the arrow
//     => 201 Location: /api/v1/jobs/$job    status, and headers to check
//     {"id":"$job", "createdAt":"*", …} the answer: every member, in any order
//
// In expectations "*" matches any value and "$name" stores the text on its first use and compares it afterwards;
// "…": "…" as a member allows further members. In requests $name stands for the stored text. Lines that start with
// "!": "! advance SECONDS", "! start $run", "! end $run STATUS [CLASS]", "! break TARGET" (a circuit breaker)
// move the world.
#ifndef TESTS_API_SCRIPT_H
#define TESTS_API_SCRIPT_H

#include "world.h"

struct script_result {
    int requests;
    int failures;     // unexpected answers, printed to standard error
    bool stopped;     // torture: an injected fault was answered by a proper problem, the rest was not run
};
// torture: a store call may fail, so any request may be answered by a problem; it must be a proper one.
void script_run(struct world *w, const char *path, bool torture, struct script_result *ret);

// True for a complete problem document whose status is the answer's.
bool problem_proper(const struct exchange *x);

#endif
