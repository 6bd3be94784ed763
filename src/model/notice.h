// SPDX-License-Identifier: Apache-2.0
// What happened that people may want to be told: rows written in the transaction of what they tell (notices), and
// removed when everybody who wants them has been dealt with. Nothing is written that no subscription wants.
#ifndef MODEL_NOTICE_H
#define MODEL_NOTICE_H

#include "base/field.h"

// What can be told. The words are those of subscriptions and of messages.
enum notice_event {
    NOTICE_FAILED,    // the last attempt of an occurrence failed
    NOTICE_RECOVERED, // the first success after that
    NOTICE_DEAD,      // a dead letter was written; it failed, too
    NOTICE_MISSED,    // an occurrence was passed over by the misfire rule
    NOTICE_SLOW,      // a run takes longer than expected
    NOTICE_OVERDUE,   // a run should have started and did not
    NOTICE_STARTED,
    NOTICE_SUCCEEDED,
    NOTICE_PAUSED,
    NOTICE_NODE_DOWN,
    NOTICE_DIGEST,    // several of these at once: the job flaps, or quiet hours are over
    NOTICE_TEST,      // somebody pressed the button
    NOTICE_EVENTS
};
extern const char *const notice_event_names[]; // "failed", …, NULL-terminated
enum { NOTICE_WANTABLE = NOTICE_DIGEST, NOTICE_MESSAGE_MAX = 500 }; // events below may be asked for; bytes

// Sets of events.
static inline uint32_t notice_bit(int event) { return 1u << event; }

struct notice {
    int64_t seq;      // rising
    int event;        // enum notice_event
    struct instant at;
    struct ulid job_id; // zero: of no job
    struct ulid run_id; // of an overdue run, and of a node: one that stands for it; zero: none
    struct str error_class, message; // absent: none; message of node_down: the node's name
};

// Which events somebody wants, job by job and of all jobs. A bounded list: whoever has more asks for all.
enum { INTEREST_JOBS_MAX = 20000 };
struct interest {
    struct ulid job_id;
    uint32_t events; // of notice_bit
};

#endif
