// SPDX-License-Identifier: Apache-2.0
// The words the engine writes into runs it decides about itself: error classes (stable, part of the API) and their
// sentences.
#ifndef ENGINE_REASONS_H
#define ENGINE_REASONS_H

#include "base/arena.h"
#include "base/ulid.h"

#define REASON_OVERLAP STR("OVERLAP")
#define REASON_COALESCED STR("COALESCED")
#define REASON_MISFIRED STR("MISFIRED")
#define REASON_JOB_DELETED STR("JOB_DELETED")
#define REASON_LOST STR("LOST")
#define REASON_TIMEOUT STR("TIMEOUT")
#define REASON_CANCELLED STR("CANCELLED")
#define REASON_LOAD_FAILED STR("LOAD_FAILED")

#define MESSAGE_COALESCED STR("a newer occurrence of the job runs instead")
#define MESSAGE_MISFIRED STR("the node could not start it within the misfire threshold of the job")
#define MESSAGE_JOB_DELETED STR("the job was deleted before it could start")
#define MESSAGE_LOST STR("the node that ran it was lost before the result was recorded")
#define MESSAGE_HANDED_BACK STR("the node was shut down before the run had ended; it is repeated")
#define MESSAGE_LEASE_LOST STR("the node could not renew its lease and stopped the run; it is repeated")
#define MESSAGE_GIVEN_UP STR("the attempt did not end within its timeout and the grace after it")
#define MESSAGE_CANCELLED STR("the run was cancelled by a user")
#define MESSAGE_LOAD_FAILED STR("the definition of the job could not be read; it is tried again")

static inline struct str reason_overlap(struct ulid in_way, struct arena *a)
{
    char text[ULID_TEXT_MAX];
    return arena_fmt(a, "run \"%s\" of the same job is in the way", ulid_format(in_way, text));
}

#endif
