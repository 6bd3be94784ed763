// SPDX-License-Identifier: Apache-2.0
// The circuit breaker of one target: a state machine that is told the time.
//
//              5 connections failed in a row, or half of the last 20 calls within a minute
//     CLOSED ────────────────────────────────────────────────────────► OPEN ◄──────────┐
//       ▲                                                      wait over │              │ the probe failed:
//       │ the probe succeeded                                            ▼              │ wait twice as long
//       └──────────────────────────────────────────────────────── HALF_OPEN ───────────┘
//
// Not thread-safe; jobs/breakers.h has one for each target.
#ifndef JOBS_BREAKER_H
#define JOBS_BREAKER_H

#include "base/time.h"
#include "model/breaker.h"

enum {
    BREAKER_FAILURES = 5,  // connection-level, in a row
    BREAKER_CALLS = 20,    // of which half …
    BREAKER_WINDOW_S = 60, // … within this time
    BREAKER_WAIT_S = 30,
    BREAKER_WAIT_S_MAX = 600,
};

// What a call says about its target.
enum breaker_verdict {
    VERDICT_NONE,   // nothing: cancelled, or it failed before the target was asked
    VERDICT_ANSWER, // it works, whatever it answered
    VERDICT_FAULT,  // it answered, but with a fault of its own, or too late: counts for the half
    VERDICT_DOWN,   // it could not be reached
};
enum breaker_answer { BREAKER_PASS, BREAKER_REFUSE, BREAKER_PROBE };

struct breaker {
    int state; // enum breaker_state
    struct mono since;
    struct mono until;                // OPEN: a probe may go then; HALF_OPEN: the probe is given up then
    int64_t failures;                 // VERDICT_DOWN in a row
    int64_t opens;                    // in a row, without a success between
    struct mono ended[BREAKER_CALLS]; // the last calls, from `next` on the oldest
    uint32_t failed;                  // a bit for each of them
    uint32_t known, next;
};

void breaker_init(struct breaker *b, struct mono now); // CLOSED
// What a call now may do. BREAKER_PROBE: it may be the one, if breaker_probe follows.
enum breaker_answer breaker_ask(const struct breaker *b, struct mono now);
// OPEN or an overdue HALF_OPEN → HALF_OPEN; the probe is given up after at_most.
void breaker_probe(struct breaker *b, struct mono now, struct duration at_most);
// A call that was let through in this state has ended (of HALF_OPEN: the probe). True when the state changed.
bool breaker_judge(struct breaker *b, enum breaker_verdict v, struct mono now);
// How long it stays open when it has opened so many times in a row.
struct duration breaker_wait(int64_t opens);

#endif
