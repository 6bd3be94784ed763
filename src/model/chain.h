// SPDX-License-Identifier: Apache-2.0
// Chains: jobs that the end of a run starts (onSuccess, onFailure of a job), and what they are told.
//
// The parameters of a link may hold {{run.id}} run.key run.status run.outcome run.exitCode run.errorClass
// run.errorMessage run.attempt run.scheduledTime run.output job.id job.name param.NAME of the run that ended;
// what is not there is an empty text, \{{ stands for plain braces. The started run's inputs are these
// parameters and "cause".
#ifndef MODEL_CHAIN_H
#define MODEL_CHAIN_H

#include "model/run.h"

enum {
    CHAIN_LINKS_MAX = 16,
    CHAIN_PARAMETERS_MAX = 32,
    CHAIN_BYTES_MAX = 32 * 1024,  // of one list, as JSON
    CHAIN_INPUTS_MAX = 64 * 1024, // of a started run; values are cut to fit
    CHAIN_DEPTH_MAX = 100,        // runs that caused each other: a ring that no save has seen ends here
};
#define CHAIN_CAUSE "cause" // the name in the inputs that is not the user's

struct chain_link {
    struct ulid job;
    struct str_map parameters;
};
extern const struct fields chain_link_fields;

struct chain {
    struct chain_link *v;
    size_t n;
};

// Reads a list; absent is an empty one. Every fault is added with its pointer below base ("/onSuccess").
bool chain_read(struct str text, struct str base, struct chain *ret, struct arena *a, struct faults *faults);
// Rules of a list that one job alone can break: as above, and none to itself.
void chain_check(struct str text, struct str base, struct ulid own, struct faults *faults);

// The run that ended.
struct chain_cause {
    const struct run
        *run; // id, job_id, run_key, status, scheduled, attempt, exit_code, error_class, error_message
    struct str job_name, output;
    struct str inputs; // its own: param.NAME
    int64_t depth;     // of the run that it starts
};
// Inputs of the run that a link starts. Absent: no memory.
struct str chain_inputs(const struct chain_link *l, const struct chain_cause *c, struct arena *a);
// How many runs caused each other up to the one with these inputs; 0: nobody did.
int64_t chain_depth(struct str inputs);
// The started run exists once: its key follows from its job and from the run that caused it.
struct ulid chain_run_key(struct ulid job, const struct run *cause);

#endif
