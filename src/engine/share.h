// SPDX-License-Identifier: Apache-2.0
// The engine's view of its share in a cluster: which jobs are decided here, and until when. Engine's thread only.
#ifndef ENGINE_SHARE_H
#define ENGINE_SHARE_H

#include "engine/slots.h"
#include "store/store.h"

struct engine;
struct entry;

struct share {
    bool clustered;           // a share was given
    struct mono lease_until;
    struct duration margin;   // before its end, in which nothing is started and what runs is stopped
    bool fenced;              // the store says that the lease has ended
    bool waits;               // a share was given, and what is in the air comes first
    bool blocked;             // what is under way in new slots is not known yet: nothing is decided
    bool stopped;             // attempts were asked to end because of it
    struct slots loading;     // plans of these slots are being walked through
    bool sweep_runs;
    bool walks;               // the walk is under way; place: behind the last plan seen
    struct ulid place;
};

void share_apply(struct engine *e); // takes in what the cluster wants
bool share_lease_endangered(const struct engine *e, struct mono now); // ended, or ends soon: runs are to stop
bool share_may_decide(const struct engine *e, struct mono now);
void share_fenced(struct engine *e); // the store refused our token
void share_watch_lease(struct engine *e, struct mono now);
struct mono share_deadline(const struct engine *e); // when share_watch_lease has something to do; INT64_MAX: never
bool share_step(struct engine *e); // loads a portion of what is new; true while there is more
void share_tell(struct engine *e, const struct finish *f, const struct entry *p); // the owner of the job, by the flush

#endif
