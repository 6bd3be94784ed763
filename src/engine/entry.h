// SPDX-License-Identifier: Apache-2.0
// A plan as the engine holds it: what decides the next fire, and the runs of its job that are known here.
//
// An entry lives while its plan has a next fire or a run of its job is known; jobs that are started by hand only
// cost nothing. One million of them fit because everything wide stays in the store.
#ifndef ENGINE_ENTRY_H
#define ENGINE_ENTRY_H

#include "base/map.h"
#include "engine/agenda.h"
#include "engine/rule.h"
#include "engine/slab.h"
#include "engine/slots.h"

struct task;

struct entry {
    struct agenda_node node; // first member
    struct ulid job_id;
    struct rule *rule;        // NULL: the schedule could not be read (follows is false then)
    struct duration phase;    // of its occurrences against the rule's
    struct task *tasks;       // runs known here, newest first
    struct instant next_fire; // oldest occurrence without a decision; INSTANT_NEVER = none
    struct duration timeout;  // of one attempt
    int64_t version;
    uint8_t priority, concurrency;
    bool follows; // enabled and ACTIVE: the schedule is followed
    bool gone;    // the job was deleted
    bool foreign; // another node decides for the job; it is held because of runs under way
    bool repeats; // an occurrence to decide has a run already: leave those out of the next fire
    bool moves;   // a fire under way moves the next fire to where changed zone data has it
    uint8_t type; // of the job, meter_type
    uint8_t outcome; // enum outcome
};

struct entries {
    struct map by_id;
    struct slab slab;
    struct rules rules;
    struct slots slots; // of the jobs that are decided for here
};

void entries_init(struct entries *es, struct zones *zones);
void entries_release(struct entries *es);
struct entry *entries_find(const struct entries *es, struct ulid job_id); // NULL when not held
// The entry of the job, made when it is not held: without rule, gone until a plan says otherwise.
struct entry *entries_add(struct entries *es, struct ulid job_id);
// Takes over what the store says. An older version than the one held is ignored. A schedule that cannot be read
// keeps the entry from firing (follows is false) and returns false.
bool entry_load(struct entries *es, struct entry *e, const struct plan *p, struct err *err)
    __attribute__((warn_unused_result));
// Objects of the slab that are free now are not.
static inline bool entry_held(const struct entry *e) { return !ulid_is_zero(e->job_id); }
// Must stand in no list of the agenda and have no task.
void entries_remove(struct entries *es, struct entry *e);

// When the next fire is to start, jitter included; INSTANT_NEVER when there is none to follow.
struct instant entry_wake(const struct entry *e);
// Anchor END with no fire to come and no run under way: only the engine can set it going again.
bool entry_stalled(const struct entry *e);

#endif
