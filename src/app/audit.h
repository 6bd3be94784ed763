// SPDX-License-Identifier: Apache-2.0
// The audit trail: writing records from use cases, reading and verifying them.
//
// A record of a write shares the write's transaction: a use case notes what it is about to do with
// audit_with, and the next write of this thread to the store takes the note along; when that write fails, the
// note is gone with it. What writes nothing (a refusal, a failed sign-in, the use of a secret) is recorded by
// audit_alone.
#ifndef APP_AUDIT_H
#define APP_AUDIT_H

#include "app/app.h"
#include "model/audit.h"

struct audit_note {
    const char *action;      // "job.update"
    const char *entity_type; // "job"
    struct ulid entity_id;   // zero: entity_name is all there is
    struct str entity_name;
    int outcome; // enum audit_outcome
    struct str detail;
    // What changed, by the table of the objects: members that differ. Both absent: nothing is shown; one
    // absent: it was created or is gone. Members with FIELD_SECRET are shown as "***".
    const struct fields *fields;
    const void *before, *after;
};

// Goes with the next write of this thread. Several notes before one write all go with it.
void audit_with(struct app *app, const struct caller *c, const struct audit_note *note, struct arena *a);
// The use case ends without a write after all. Harmless when there was one.
void audit_drop(struct app *app);
// The same without a caller, for what the system does by itself ("system") or what an administrator does
// without a server.
void audit_system(struct app *app, const char *way, const struct audit_note *note, struct arena *a);
// A record of its own, durable when this returns. A failure is logged and does not fail what is recorded.
void audit_alone(struct app *app, const struct caller *c, const struct audit_note *note, struct arena *a);
// Written soon by another thread, for what nobody waits for: a run used a secret. Bounded.
void audit_soon(struct app *app, const struct caller *c, const struct audit_note *note, struct arena *a);
// A request begins on this thread: what an earlier one left behind is forgotten.
void audit_begin(struct app *app);
// A request that was refused (401, 403). Many from one address within a second become one record with their
// number. None when the request has told why by a record of its own.
void audit_refusal(struct app *app, const struct caller *c, struct str what, struct str why, struct arena *a);

#endif
