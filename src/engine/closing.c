// SPDX-License-Identifier: Apache-2.0
// What the end of a run means.
#include "engine/closing.h"

#include "base/json.h"
#include "engine/reasons.h"
#include "sched/backoff.h"

enum { LOAD_RETRY_S = 1 };

// What is known of the job the run belonged to.
struct background {
    bool gone;
    struct retry_policy policy;
    struct str job_name, definition;
    struct str on_failure;
    int64_t version;
};

static void result_set(struct task *t, int status, struct str error_class, struct str message)
{
    t->result = (struct attempt_result){
        .status = status, .error_class = error_class, .error_message = message, .exit_code = FIELD_ABSENT};
}

static void result_correct(struct task *t)
{
    bool heard = t->attempt_ref && !t->given_up; // the executor's fields are ours to read
    bool lease = t->cancel_why == CANCEL_BY_LEASE;
    if (t->result.status == RUN_CANCELLED && (lease || t->cancel_why == CANCEL_BY_SHUTDOWN)) {
        t->handed_back = true;
        result_set(t, RUN_LOST, REASON_LOST, lease ? MESSAGE_LEASE_LOST : MESSAGE_HANDED_BACK);
    } else if (heard && t->load == LOAD_GONE) {
        result_set(t, RUN_CANCELLED, REASON_JOB_DELETED, MESSAGE_JOB_DELETED);
    } else if (heard && t->load == LOAD_FAILED && run_status_failed(t->result.status)) {
        result_set(t, RUN_LOST, REASON_LOAD_FAILED, MESSAGE_LOAD_FAILED); // it never started: no attempt used up
    } else if (t->result.status == RUN_TIMED_OUT && !t->result.error_class.p) {
        t->result.error_class = REASON_TIMEOUT;
    }
}

static void background_decode(struct background *b, struct arena *a)
{
    json_t *doc = NULL;
    struct err err = {0};
    if (!json_parse(b->definition, &doc, &err))
        return; // damaged: the policy stays "one attempt", and the dead letter keeps the text
    struct job job;
    struct faults *faults = arena_new(a, struct faults);
    if (faults) {
        faults_init(faults, a);
        (void)field_decode(&job_fields, doc, FIELD_DECODE_STORED, STR(""), &job, a, faults);
        b->policy = job.retry_policy;
        b->job_name = job.name;
        b->on_failure = job.on_failure;
    }
    json_decref(doc);
}

static bool background_find(struct engine *e, const struct task *t, struct background *ret, struct err *err)
{
    struct background b = {.gone = t->entry->gone, .version = t->job_version};
    struct arena *a = &e->ends.batch->arena;
    if (t->attempt_ref && !t->given_up && t->load == LOAD_DONE) {
        b.policy = t->attempt_ref->job.retry_policy;
        b.job_name = t->attempt_ref->job.name;
        b.on_failure = t->attempt_ref->job.on_failure;
        b.definition = t->definition;
        b.version = t->definition_version;
    } else if (!b.gone) {
        struct err why = {0};
        if (e->store->ops->job_definition(e->store, t->entry->job_id, &b.definition, &b.version, a, &why)) {
            background_decode(&b, a);
        } else if (why.code == ERR_NOT_FOUND) {
            b.gone = true;
        } else {
            *err = why;
            return false;
        }
    }
    *ret = b;
    return true;
}

static struct duration longer(struct duration a, struct duration b)
{
    return a.us > b.us ? a : b;
}

// Lost: nobody knows how far it came. The next attempt is not counted against the job's own attempts.
static struct str lost_reason(const struct task *t, const struct background *b, struct arena *a)
{
    if (t->handed_back)
        return STR_NONE;
    if (t->lost_count >= RUN_LOST_MAX)
        return arena_fmt(a, "the run was lost %d times more", RUN_LOST_MAX);
    if (!retry_policy_covers(&b->policy, REASON_LOST, STR_NONE))
        return STR("the run was lost, and retryOn does not list LOST");
    return STR_NONE;
}

static struct str failed_reason(const struct task *t, const struct background *b, struct arena *a)
{
    int64_t used = t->attempt - t->lost_count;
    int64_t max = b->policy.max_attempts > 1 ? b->policy.max_attempts : 1;
    struct str word = t->result.error_class;
    if (!retry_policy_covers(&b->policy, word, t->result.error_code))
        return arena_fmt(a, "retryOn does not list %.*s", STR_ARG(word));
    if (used >= max)
        return arena_fmt(a, "all %lld attempts failed, the last one with %.*s", (long long)max, STR_ARG(word));
    return STR_NONE;
}

static struct duration retry_wait(struct engine *e, const struct task *t, const struct background *b)
{
    if (t->result.status == RUN_LOST)
        return duration_s(t->load == LOAD_FAILED && !t->handed_back ? LOAD_RETRY_S : 0);
    struct rng *jitter = b->policy.jitter ? &e->rng : NULL;
    struct duration wait = backoff_wait(&b->policy, t->attempt - t->lost_count, jitter);
    struct duration asked = t->result.retry_after, most = duration_s(RETRY_BACKOFF_S_MAX);
    return longer(wait, asked.us < most.us ? asked : most);
}

bool closing_decide(struct engine *e, struct task *t, struct closing *ret, struct err *err)
{
    struct closing c = {.then = CLOSE_DONE, .retry_due = INSTANT_NEVER};
    struct background b;
    result_correct(t);
    if (t->result.status == RUN_SUCCEEDED && t->attempt_ref && !t->given_up) {
        c.chain = t->attempt_ref->job.on_success;
        c.job_name = t->attempt_ref->job.name;
    }
    if (run_status_failed(t->result.status)) {
        if (!background_find(e, t, &b, err))
            return false;
        bool lost = t->result.status == RUN_LOST;
        if (b.gone) {
            if (lost)
                result_set(t, RUN_CANCELLED, REASON_JOB_DELETED, MESSAGE_JOB_DELETED);
        } else {
            struct arena *a = &e->ends.batch->arena;
            c.reason = lost ? lost_reason(t, &b, a) : failed_reason(t, &b, a);
            c.then = c.reason.p ? CLOSE_DEAD : CLOSE_RETRY;
            c.retry_due = instant_add(t->end, retry_wait(e, t, &b));
            c.job_name = b.job_name;
            c.definition = b.definition;
            c.version = b.version;
            if (c.then == CLOSE_DEAD)
                c.chain = b.on_failure;
        }
    }
    *ret = c;
    return true;
}
