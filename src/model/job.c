// SPDX-License-Identifier: Apache-2.0
// Field tables of jobs and retry policies, and the rules that one job alone can break.
#include "model/job.h"

#include "model/chain.h"
#include "model/parameter.h"

const char *const priority_names[] = {"LOW", "MEDIUM", "HIGH", "CRITICAL", NULL};
const char *const concurrency_names[] = {"ALLOW", "FORBID", "QUEUE", "REPLACE", NULL};
const char *const backoff_strategy_names[] = {"FIXED", "EXPONENTIAL", NULL};
const char *const job_status_names[] = {"PENDING", "SCHEDULED", "RUNNING", "SUCCEEDED",
                                        "FAILED",  "CANCELLED", "PAUSED",  NULL};

enum { TAG_MAX = 64, TYPE_MAX = 32, DESCRIPTION_MAX = 2000, RETRY_ON_MAX = 32, BACKOFF_S_DEFAULT = 10 };

#define T struct retry_policy
static const struct field retry_rows[] = {
    FIELD_I64(T, max_attempts, "maxAttempts", .min = 0, .max = RETRY_ATTEMPTS_MAX, FIELD_DEFAULT(1),
              .doc = "All attempts of one occurrence including the first; 0 and 1 both mean one."),
    FIELD_ENUM(T, backoff_strategy, "backoffStrategy", backoff_strategy_names, FIELD_DEFAULT(BACKOFF_FIXED),
               .doc = "FIXED waits the same time before each attempt, EXPONENTIAL doubles it."),
    FIELD_I64(T, backoff_seconds, "backoffSeconds", .min = 0, .max = RETRY_BACKOFF_S_MAX,
              FIELD_DEFAULT(BACKOFF_S_DEFAULT), .doc = "Wait before the second attempt."),
    FIELD_I64(T, max_backoff_seconds, "maxBackoffSeconds", .min = 1, .max = RETRY_BACKOFF_S_MAX,
              FIELD_DEFAULT(RETRY_BACKOFF_CAP_S), .doc = "Longest wait of EXPONENTIAL."),
    FIELD_BOOL(T, jitter, "jitter", FIELD_DEFAULT(false),
               .doc = "Spreads each wait evenly between zero and its full length."),
    FIELD_STRS(T, retry_on, "retryOn", .max = RETRY_ON_MAX,
               .doc = "Failure classes or codes to retry; every failure when empty."),
};
#undef T
const struct fields retry_policy_fields =
    FIELDS("RetryPolicy", struct retry_policy, retry_rows, .doc = "What happens after a failed attempt.");

#define T struct job
static const struct field job_rows[] = {
    FIELD_ID(T, id, "id", .flags = FIELD_READ_ONLY | FIELD_INDEXED, .doc = "Identifier (ULID)."),
    FIELD_STR(T, name, "name", .flags = FIELD_REQUIRED | FIELD_INDEXED, .min = 1, .max = JOB_NAME_MAX,
              .doc = "What people call the job."),
    FIELD_STR(T, description, "description", .max = DESCRIPTION_MAX, .doc = "Free text for people."),
    FIELD_STR(T, type, "type", .flags = FIELD_REQUIRED | FIELD_INDEXED, .min = 1, .max = TYPE_MAX,
              .doc = "Job type: HTTP, SCRIPT, DUMMY, …"),
    FIELD_ENUM(T, priority, "priority", priority_names, FIELD_DEFAULT(PRIORITY_MEDIUM),
               .doc = "Order among work that is due at the same time."),
    FIELD_BOOL(T, enabled, "enabled", FIELD_DEFAULT(true), .doc = "Whether the schedule is followed."),
    FIELD_STRS(T, tags, "tags", .max = JOB_TAGS_MAX, .doc = "Words to find and group jobs by."),
    FIELD_OBJECT(T, schedule, "schedule", struct schedule_spec, &schedule_fields, .flags = FIELD_REQUIRED,
                 .doc = "When the job is to run."),
    FIELD_JSON(T, payload, "payload", FIELD_IS_OBJECT, .max = JOB_PAYLOAD_MAX,
               .doc = "What the job does; its fields belong to the type."),
    FIELD_JSON(T, parameters, "parameters", FIELD_IS_LIST, .max = JOB_PARAMETERS_TEXT_MAX,
               .doc = "List of what may be given to a run: {name, type (STRING NUMBER BOOLEAN), default, required, "
                      "description}. A job without it takes any parameters."),
    FIELD_OBJECT(T, retry_policy, "retryPolicy", struct retry_policy, &retry_policy_fields,
                 .doc = "What happens after a failed attempt."),
    FIELD_I64(T, timeout_seconds, "timeoutSeconds", .min = 1, .max = JOB_TIMEOUT_S_MAX,
              FIELD_DEFAULT(JOB_TIMEOUT_S_DEFAULT), .doc = "Longest time one attempt may take."),
    FIELD_I64(T, expected_seconds, "expectedSeconds", .min = 0, .max = JOB_TIMEOUT_S_MAX, FIELD_DEFAULT(0),
              .doc = "A run that takes longer is slow (notifications); 0: twice what most runs took."),
    FIELD_ENUM(T, concurrency_policy, "concurrencyPolicy", concurrency_names,
               FIELD_DEFAULT(CONCURRENCY_ALLOW),
               .doc = "What happens when the job is due while a run of it is active."),
    FIELD_JSON(T, on_success, "onSuccess", FIELD_IS_LIST, .max = CHAIN_BYTES_MAX,
               .doc = "Jobs that a success starts: [{\"job\": id, \"parameters\": {name: text}}], at most 16."),
    FIELD_JSON(T, on_failure, "onFailure", FIELD_IS_LIST, .max = CHAIN_BYTES_MAX,
               .doc = "Jobs that are started when the last attempt has failed, as onSuccess."),
    FIELD_ID(T, owner_id, "ownerId", .flags = FIELD_READ_ONLY, .doc = "User or team that owns the job."),
    FIELD_ID(T, team_id, "teamId",
             .doc = "Team to which the job is given: its members own it together. Left out of a PUT: as it was."),
    FIELD_ENUM(T, status, "status", job_status_names, .flags = FIELD_READ_ONLY | FIELD_INDEXED,
               FIELD_DEFAULT(JOB_PENDING), .doc = "What the job is doing now."),
    FIELD_I64(T, version, "version", .flags = FIELD_READ_ONLY, .min = 0, .max = INT64_MAX, FIELD_DEFAULT(0),
              .doc = "Counts up with every change; the ETag of the job."),
    FIELD_INSTANT(T, created_at, "createdAt", .flags = FIELD_READ_ONLY | FIELD_INDEXED,
                  .doc = "When it was created."),
    FIELD_INSTANT(T, updated_at, "updatedAt", .flags = FIELD_READ_ONLY | FIELD_INDEXED,
                  .doc = "When it last changed."),
    FIELD_INSTANT(T, next_fire_time, "nextFireTime",
                  .flags = FIELD_READ_ONLY | FIELD_NULLABLE | FIELD_INDEXED,
                  .doc = "Next scheduled instant; null when there is none."),
    FIELD_ID(T, last_run_id, "lastRunId", .flags = FIELD_READ_ONLY | FIELD_NULLABLE, .doc = "Newest run."),
    FIELD_I64(T, run_count, "runCount", .flags = FIELD_READ_ONLY, .min = 0, .max = INT64_MAX,
              FIELD_DEFAULT(0), .doc = "Runs recorded so far."),
};
#undef T
const struct fields job_fields =
    FIELDS("Job", struct job, job_rows, .doc = "Work to be done at the right time.");

static void check_words(const struct strs *words, size_t max, const char *pointer, struct faults *f)
{
    for (size_t i = 0; i < words->n; i++) {
        struct str w = str_trim(words->v[i]);
        if (w.n == 0 || words->v[i].n > max)
            faults_add(f, arena_fmt(f->a, "%s/%zu", pointer, i), "must have 1 to %zu characters", max);
    }
}

// Nobody gives parameters to a run that the schedule starts.
static void check_parameters(const struct job *j, struct faults *f)
{
    struct parameters p;
    if (!parameters_read(j->parameters, STR("/parameters"), &p, f) || j->schedule.kind == SCHEDULE_MANUAL)
        return;
    for (size_t i = 0; i < p.n; i++)
        if (p.v[i].required && !p.v[i].def.p)
            faults_add(f, arena_fmt(f->a, "/parameters/%zu/required", i),
                       "needs a default beside it: runs that the schedule starts are given none (or make the job "
                       "MANUAL)");
}

void job_check(const struct job *j, struct faults *f)
{
    check_parameters(j, f);
    schedule_check(&j->schedule, STR("/schedule"), f);
    check_words(&j->tags, TAG_MAX, "/tags", f);
    check_words(&j->retry_policy.retry_on, TAG_MAX, "/retryPolicy/retryOn", f);
    chain_check(j->on_success, STR("/onSuccess"), j->id, f);
    chain_check(j->on_failure, STR("/onFailure"), j->id, f);
    const struct retry_policy *r = &j->retry_policy;
    if (r->backoff_strategy == BACKOFF_EXPONENTIAL && r->max_backoff_seconds < r->backoff_seconds)
        faults_add(f, STR("/retryPolicy/maxBackoffSeconds"), "must not be less than backoffSeconds");
    if (j->schedule.kind == SCHEDULE_INTERVAL && j->schedule.anchor == ANCHOR_END &&
        j->concurrency_policy != CONCURRENCY_ALLOW && j->concurrency_policy != CONCURRENCY_FORBID)
        faults_add(f, STR("/concurrencyPolicy"),
                   "must be ALLOW or FORBID with anchor END, which never overlaps itself");
}

// Classes a failure can have (api.md §3), and the parents that cover several of them.
static const char *const classes[] = {
    "TIMEOUT",         "CONNECTION_ERROR", "HTTP_4XX",         "HTTP_5XX",       "DATABASE_ERROR",
    "KAFKA_ERROR",     "BROKER_ERROR",     "SCRIPT_ERROR",     "FILE_ERROR",     "CACHE_ERROR",
    "EMAIL_ERROR",     "DUMMY_ERROR",      "LOST",             "EGRESS_DENIED",  "CIRCUIT_OPEN",
    "UNEXPECTED_BODY", "HTTP_3XX",         "HTTP_ERROR",       "REPORT_ERROR",   "POSITION_ERROR",
    "SECRET_ERROR",    "TOKEN_ERROR",      "DEFINITION_ERROR", "INTERNAL_ERROR", "NOT_AVAILABLE",
    "LOAD_ERROR",      "TLS_ERROR",        "HTTP_1XX",         "HTTP_2XX",       "START_JOB_ERROR",
    "PING_MISSING",    "PING_FAILED",      NULL,
};
static const struct {
    const char *word, *covers;
} parents[] = {
    {"NETWORK_ERROR", "CONNECTION_ERROR"},
    {"NETWORK_ERROR", "TIMEOUT"},
    {"5XX", "HTTP_5XX"},
    {"4XX", "HTTP_4XX"},
};
enum { PARENTS = sizeof parents / sizeof parents[0] };

static bool word_covers(struct str word, struct str error_class, struct str code)
{
    if (str_eq_nocase(word, error_class) || (code.n > 0 && str_eq_nocase(word, code)))
        return true;
    for (size_t i = 0; i < PARENTS; i++)
        if (str_eq_nocase(word, str_of(parents[i].word)) && str_is(error_class, parents[i].covers))
            return true;
    return false;
}

bool retry_policy_covers(const struct retry_policy *p, struct str error_class, struct str code)
{
    // Nothing was tried: what the target fails with is not known, so no list can mean it.
    if (p->retry_on.n == 0 || str_is(error_class, "CIRCUIT_OPEN"))
        return true;
    for (size_t i = 0; i < p->retry_on.n; i++)
        if (word_covers(p->retry_on.v[i], error_class, code))
            return true;
    return false;
}

// Five digits or letters, a digit among them: "40001", "57P01".
static bool is_sqlstate(struct str word)
{
    enum { SQLSTATE_LEN = 5 };
    bool digit = false;
    for (size_t i = 0; i < word.n; i++) {
        bool is_digit = word.p[i] >= '0' && word.p[i] <= '9';
        if (!is_digit && !(word.p[i] >= 'A' && word.p[i] <= 'Z'))
            return false;
        digit = digit || is_digit;
    }
    return digit && word.n == SQLSTATE_LEN;
}

bool retry_word_known(struct str word)
{
    for (size_t i = 0; classes[i]; i++)
        if (str_eq_nocase(word, str_of(classes[i])))
            return true;
    for (size_t i = 0; i < PARENTS; i++)
        if (str_eq_nocase(word, str_of(parents[i].word)))
            return true;
    int64_t number;
    if (str_to_i64(word, &number))
        return number >= 0;
    if (is_sqlstate(word))
        return true;
    struct str exit_prefix = STR("EXIT_");
    return word.n > exit_prefix.n && str_eq_nocase((struct str){word.p, exit_prefix.n}, exit_prefix) &&
           str_to_i64((struct str){word.p + exit_prefix.n, word.n - exit_prefix.n}, &number) && number >= 0;
}
