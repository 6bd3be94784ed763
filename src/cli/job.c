// SPDX-License-Identifier: Apache-2.0
// Jobs: create, look, change, start.
#include "cli/commands.h"
#include "cli/follow.h"
#include "cli/format.h"
#include "cli/job_edit.h"
#include "cli/job_explain.h"
#include "cli/job_flags.h"
#include "cli/job_stats.h"
#include "cli/job_types.h"
#include "cli/list.h"

enum { QUERY_MAX = 16 << 10, BATCH_MAX = 1000 };

static const struct column list_columns[] = {
    {"NAME", "name", COLUMN_TEXT},       {"STATUS", "status", COLUMN_STATUS},
    {"TYPE", "type", COLUMN_TEXT},       {"SCHEDULE", "schedule", COLUMN_SCHEDULE},
    {"NEXT", "nextFireTime", COLUMN_TIME}, {"TAGS", "tags", COLUMN_LIST},
    {"ID", "id", COLUMN_TEXT},           {NULL, NULL, COLUMN_TEXT}};

static const struct column ping_columns[] = {{"url", "url", COLUMN_TEXT}, {NULL, NULL, COLUMN_TEXT}};
static const struct column record_columns[] = {
    {"name", "name", COLUMN_TEXT},
    {"id", "id", COLUMN_TEXT},
    {"description", "description", COLUMN_TEXT},
    {"type", "type", COLUMN_TEXT},
    {"status", "status", COLUMN_STATUS},
    {"schedule", "schedule", COLUMN_SCHEDULE},
    {"misfire", "schedule.misfirePolicy", COLUMN_TEXT},
    {"next", "nextFireTime", COLUMN_TIME},
    {"next fires", "nextFireTimes", COLUMN_LIST},
    {"priority", "priority", COLUMN_TEXT},
    {"enabled", "enabled", COLUMN_TEXT},
    {"concurrency", "concurrencyPolicy", COLUMN_TEXT},
    {"attempts", "retryPolicy.maxAttempts", COLUMN_TEXT},
    {"timeout (s)", "timeoutSeconds", COLUMN_TEXT},
    {"tags", "tags", COLUMN_LIST},
    {"payload", "payload", COLUMN_TEXT},
    {"runs", "runCount", COLUMN_TEXT},
    {"last run", "lastRunId", COLUMN_TEXT},
    {"version", "version", COLUMN_TEXT},
    {"created", "createdAt", COLUMN_TIME},
    {"updated", "updatedAt", COLUMN_TIME},
    {NULL, NULL, COLUMN_TEXT}};

static int list_run(struct cli *c)
{
    struct sbuf query;
    sbuf_init(&query, &c->arena, QUERY_MAX);
    query_flag(c, &query, "name", "name");
    query_flag(c, &query, "status", "status");
    query_flag(c, &query, "type", "type");
    query_flag(c, &query, "tag", "tag");
    return list_show(c, &(struct list){.path = STR(API_BASE "/jobs"), .query = sbuf_str(&query),
                                       .columns = list_columns, .name_key = "name"});
}

// Opens the client and finds the job of the first argument.
static int job_open(struct cli *c, struct client *cl, struct str *ret_id)
{
    struct err err;
    if (!client_open(c, cl, &err))
        return cli_fail(c, &err);
    return job_resolve(cl, line_arg(c, 0), ret_id);
}

static int get_run(struct cli *c)
{
    struct client cl;
    struct str id;
    CLEANUP_REPLY struct reply r = {0};
    int code = job_open(c, &cl, &id);
    if (code == CLI_OK)
        code = client_call(&cl, &(struct call){.method = "GET", .path = client_path(&c->arena, "jobs", id, "")}, &r);
    if (code == CLI_OK)
        output_object(&c->out, record_columns, "name", r.json, r.body, &c->arena);
    return code;
}

static int explain_run(struct cli *c)
{
    struct client cl;
    struct str id;
    int code = job_open(c, &cl, &id);
    return code == CLI_OK ? job_explain_show(c, &cl, id) : code;
}

static void warnings_tell(const struct cli *c, const json_t *job)
{
    size_t i;
    json_t *w;
    json_array_foreach(json_object_get(job, "warnings"), i, w)
        fprintf(c->out.err, "warning: %.*s\n", STR_ARG(text_printable(json_str(w), (struct arena *)&c->arena)));
}

// "created hello (01J…), next run in 5 m 00 s", or the job in another form.
static void change_show(const struct cli *c, const char *verb, const struct reply *r)
{
    struct arena *a = (struct arena *)&c->arena;
    static const struct column next = {"", "nextFireTime", COLUMN_TIME};
    warnings_tell(c, r->json);
    if (c->out.form != OUTPUT_TABLE) {
        output_object(&c->out, record_columns, "name", r->json, r->body, a);
        return;
    }
    struct str name = text_printable(json_str(json_object_get(r->json, "name")), a);
    struct str at = column_text(&c->out, &next, r->json, a);
    fprintf(c->out.out, "%s %.*s (%.*s)", verb, STR_ARG(name),
            STR_ARG(text_printable(json_str(json_object_get(r->json, "id")), a)));
    if (!str_is(at, "-"))
        fprintf(c->out.out, ", next run %.*s", STR_ARG(at));
    fputc('\n', c->out.out);
}

static struct str json_text(struct cli *c, const json_t *v)
{
    struct sbuf out;
    sbuf_init(&out, &c->arena, CLI_INPUT_MAX);
    json_write(v, &out);
    return sbuf_str(&out);
}

static int create_one(struct cli *c, struct client *cl, json_t *job)
{
    bool dry = flag_on(c, "dry-run");
    CLEANUP_REPLY struct reply r = {0};
    const struct call call = {.method = "POST", .path = dry ? STR(API_BASE "/jobs?dryRun=true") : STR(API_BASE "/jobs"),
                              .body = json_text(c, job), .idempotent_key = !dry};
    int code = client_call(cl, &call, &r);
    if (code != CLI_OK)
        return code;
    if (dry && c->out.form == OUTPUT_TABLE) {
        warnings_tell(c, r.json);
        output_record(&c->out, record_columns, r.json, &c->arena);
        return code;
    }
    change_show(c, "created", &r);
    if (c->out.form == OUTPUT_TABLE && str_is(json_str(json_object_get(json_object_get(job, "schedule"),
                                                                       "scheduleType")), "MANUAL"))
        output_done(&c->out, "  → start it: chronos job run %.*s --wait",
                    STR_ARG(text_printable(json_str(json_object_get(r.json, "name")), &c->arena)));
    return code;
}

static int create_many(struct cli *c, struct client *cl, json_t *jobs)
{
    bool dry = flag_on(c, "dry-run");
    if (json_array_size(jobs) > BATCH_MAX)
        return cli_usage(c, "%zu jobs in one file, at most %d: split it", json_array_size(jobs), BATCH_MAX);
    CLEANUP_JSON json_t *batch = json_pack("{s:O}", "jobs", jobs);
    CLEANUP_REPLY struct reply r = {0};
    const struct call call = {.method = "POST", .body = json_text(c, batch), .idempotent_key = !dry,
                              .path = dry ? STR(API_BASE "/jobs:batch?dryRun=true") : STR(API_BASE "/jobs:batch")};
    int code = client_call(cl, &call, &r);
    if (code != CLI_OK)
        return code;
    output_list(&c->out, list_columns, "name", r.json, r.body, &c->arena);
    output_done(&c->out, "%zu jobs %s", json_array_size(json_object_get(r.json, "content")),
                dry ? "would be created" : "created");
    return code;
}

static int create_run(struct cli *c)
{
    struct client cl;
    struct err err;
    struct str file = flag_str(c, "file"), text, name = line_arg(c, 0);
    CLEANUP_JSON json_t *jobs = NULL, *job = NULL;
    if (file.p && (name.p || job_flags_given(c) || flag_on(c, "disabled")))
        return cli_usage(c, "give a file, or a name with flags, not both");
    if (!client_open(c, &cl, &err))
        return cli_fail(c, &err);
    if (file.p) {
        if (!cli_read(c, file, CLI_INPUT_MAX, &text, &err) || !jobs_from_text(text, &jobs, &err))
            return err_wrap(&err, "%.*s", STR_ARG(file)), cli_fail(c, &err);
        return json_array_size(jobs) == 1 ? create_one(c, &cl, json_array_get(jobs, 0)) : create_many(c, &cl, jobs);
    }
    if (name.n == 0)
        return cli_usage(c, "what is it to be called? chronos job create NAME --http URL --every 5m, or -f FILE");
    if (!str_utf8_valid(name))
        return cli_usage(c, "the name is not UTF-8");
    if (!job_from_flags(c, true, &job, &err))
        return cli_fail(c, &err);
    json_object_set_new(job, "name", json_stringn(name.p, name.n));
    if (flag_on(c, "disabled"))
        json_object_set_new(job, "enabled", json_false());
    return create_one(c, &cl, job);
}

static int edit_run(struct cli *c)
{
    struct client cl;
    struct str id;
    CLEANUP_REPLY struct reply r = {0};
    int code = job_open(c, &cl, &id);
    if (code == CLI_OK)
        code = job_edit(&cl, id, &r);
    if (code == CLI_OK && r.status > 0)
        change_show(c, "changed", &r);
    return code;
}

// One request for each job named; tells about those that went well and returns the last code that was not.
static int each_job(struct cli *c, const char *method, const char *tail, const char *done)
{
    int worst = CLI_OK;
    bool gone = strcmp(method, "DELETE") == 0; // nothing is left to show
    struct client cl;
    struct err err;
    if (!client_open(c, &cl, &err))
        return cli_fail(c, &err);
    for (size_t i = 0; i < c->line.args_n; i++) {
        struct str id;
        CLEANUP_REPLY struct reply r = {0};
        int code = job_resolve(&cl, line_arg(c, i), &id);
        if (code == CLI_OK)
            code = client_call(&cl, &(struct call){.method = method,
                                                   .path = client_path(&c->arena, "jobs", id, tail)}, &r);
        if (code == CLI_OK && !gone)
            change_show(c, done, &r);
        else if (code == CLI_OK)
            output_done(&c->out, "%s %.*s", done, STR_ARG(text_printable(line_arg(c, i), &c->arena)));
        worst = code != CLI_OK ? code : worst;
    }
    return worst;
}

static int delete_run(struct cli *c) { return each_job(c, "DELETE", "", "deleted"); }
static int ping_url_run(struct cli *c)
{
    struct client cl;
    struct str id;
    CLEANUP_REPLY struct reply r = {0};
    int code = job_open(c, &cl, &id);
    struct str path = code == CLI_OK ? client_path(&c->arena, "jobs", id, "/ping-url") : STR_NONE;
    if (code == CLI_OK)
        code = client_call(&cl, &(struct call){.method = "GET", .path = path}, &r);
    if (code == CLI_OK)
        output_object(&c->out, ping_columns, "url", r.json, r.body, &c->arena);
    return code;
}

static int pause_run(struct cli *c) { return each_job(c, "POST", ":pause", "paused"); }
static int resume_run(struct cli *c) { return each_job(c, "POST", ":resume", "resumed"); }
static int cancel_run(struct cli *c) { return each_job(c, "POST", ":cancel", "cancelled"); }

// Body of run-now: {"parameters":{…}} from --param NAME=VALUE; absent without one.
static bool parameters_body(struct cli *c, struct str *ret, struct err *err)
{
    CLEANUP_JSON json_t *body = json_pack("{s:{}}", "parameters");
    json_t *map = json_object_get(body, "parameters");
    if (!cli_parameters(c, map, err))
        return false;
    *ret = json_object_size(map) > 0 ? json_text(c, body) : STR_NONE;
    return true;
}

static int run_run(struct cli *c)
{
    struct client cl;
    struct err err;
    struct str id, body, timeout = flag_str(c, "wait-timeout");
    struct follow f = {.print = flag_on(c, "logs"), .attempts = true};
    CLEANUP_REPLY struct reply r = {0};
    if (!parameters_body(c, &body, &err) || (timeout.p && !duration_parse(timeout, &f.timeout, &err)))
        return cli_fail(c, &err);
    int code = job_open(c, &cl, &id);
    if (code == CLI_OK)
        code = client_call(&cl, &(struct call){.method = "POST", .path = client_path(&c->arena, "jobs", id, ":run-now"),
                                               .body = body, .idempotent_key = true}, &r);
    if (code != CLI_OK)
        return code;
    f.run_id = arena_str(&c->arena, json_str(json_object_get(r.json, "id")));
    if (flag_on(c, "wait") || f.print || timeout.p)
        return follow_run(&cl, &f);
    if (c->out.form == OUTPUT_TABLE) {
        fprintf(c->out.out, "started run %.*s\n", STR_ARG(text_printable(f.run_id, &c->arena)));
        output_done(&c->out, "  → watch it: chronos run logs -f %.*s", STR_ARG(text_printable(f.run_id, &c->arena)));
    } else {
        output_object(&c->out, run_record_columns, "id", r.json, r.body, &c->arena);
    }
    return code;
}

static const struct cli_flag list_flags[] = {
    {"name", 0, "TEXT", "Part of the name"},
    {"status", 0, "STATUS", "PENDING, SCHEDULED, RUNNING, SUCCEEDED, FAILED, CANCELLED or PAUSED"},
    {"type", 0, "TYPE", "HTTP, SCRIPT, …"},
    {"tag", 0, "TAG", "A tag that it has"},
    LIST_FLAGS,
    {NULL, 0, NULL, NULL}};
static const struct cli_flag create_flags[] = {
    {"file", 'f', "FILE", "Definition in YAML or JSON, several documents allowed; - reads standard input"},
    JOB_FLAGS,
    {"disabled", 0, NULL, "Do not follow the schedule yet"},
    {"dry-run", 0, NULL, "Check and show what would be stored, store nothing"},
    {NULL, 0, NULL, NULL}};
static const struct cli_flag edit_flags[] = {
    {"file", 'f', "FILE", "Replace the definition by this one; - reads standard input"},
    JOB_FLAGS,
    {NULL, 0, NULL, NULL}};
static const struct cli_flag run_flags[] = {
    {"wait", 'w', NULL, "Wait for the end, retries included; exit code 7 when it failed"},
    {"logs", 0, NULL, "Wait and print its log"},
    {"wait-timeout", 0, "DURATION", "Wait at most so long; exit code 6 then"},
    {"param", 0, "NAME=VALUE", "Parameter of this run, may be repeated"},
    {NULL, 0, NULL, NULL}};

static const struct cli_flag explain_flags[] = {
    {"at", 0, "TIME", "About this instant instead of the next fire"}, {NULL, 0, NULL, NULL}};

#define ONE_JOB .args = "JOB", .args_min = 1, .args_max = 1
#define JOBS .args = "JOB…", .args_min = 1, .args_max = CLI_ARGS_ANY
const struct cli_command command_job = {
    "job", "jobs", "Jobs: what is to be done, and when",
    (const struct cli_verb[]){
        {.name = "create", .alias = "new", .args = "[NAME]", .args_max = 1, .flags = create_flags, .run = create_run,
         .doc = "Create jobs from flags or from a file",
         .examples = "chronos job create hello --http https://example.org/ --every 5m\n"
                     "chronos job create report --script ./report.sh --cron '30 2 * * *' --tz Europe/Berlin\n"
                     "chronos job create once --dummy --at +10m\n"
                     "chronos job create -f jobs.yaml"},
        {.name = "list", .alias = "ls", .args = "", .flags = list_flags, .run = list_run, .doc = "List jobs",
         .examples = "chronos job list --status FAILED\nchronos job list --tag billing -o name\n"
                     "chronos job list --all -o jsonl"},
        {.name = "get", ONE_JOB, .run = get_run, .doc = "Show one job, by name or id",
         .examples = "chronos job get hello\nchronos job get hello -o yaml > hello.yaml"},
        {.name = "edit", ONE_JOB, .flags = edit_flags, .run = edit_run,
         .doc = "Change a job: in $EDITOR, from a file, or by flags",
         .examples = "chronos job edit hello\nchronos job edit hello --every 10m --retries 3\n"
                     "chronos job edit hello -f hello.yaml"},
        {.name = "delete", .alias = "rm", JOBS, .run = delete_run, .doc = "Delete jobs",
         .examples = "chronos job delete hello\nchronos job list --tag old -o name | xargs chronos job delete"},
        {.name = "explain", ONE_JOB, .flags = explain_flags, .run = explain_run, .doc = "Tell why it runs or does not",
         .examples = "chronos job explain hello\nchronos job explain hello --at 2030-01-31T08:00:00Z"},
        {.name = "pause", JOBS, .run = pause_run, .doc = "Stop following the schedule",
         .examples = "chronos job pause hello\nchronos job resume hello"},
        {.name = "resume", JOBS, .run = resume_run, .doc = "Follow the schedule again",
         .examples = "chronos job resume hello"},
        {.name = "cancel", JOBS, .run = cancel_run, .doc = "Stop the schedule and end active runs",
         .examples = "chronos job cancel hello"},
        {.name = "run", ONE_JOB, .flags = run_flags, .run = run_run, .doc = "Start a job now",
         .examples = "chronos job run hello --wait\nchronos job run hello --logs\n"
                     "chronos job run report --param month=2027-03"},
        {.name = "ping-url", ONE_JOB, .run = ping_url_run, .doc = "Show where the work that a MONITOR watches pings",
         .examples = "chronos job ping-url nightly-backup"},
        {.name = "stats", ONE_JOB, .flags = job_stats_flags, .run = job_stats_run,
         .doc = "Show how a job fares: durations, delays, rhythm, drift",
         .examples = "chronos job stats hello\nchronos job stats hello --last 200 -o json"},
        {.name = "types", .args = "[TYPE]", .args_max = 1, .run = job_types_run,
         .doc = "Show what jobs can do here: all types, or one with its fields and examples",
         .examples = "chronos job types\nchronos job types HTTP\nchronos job types SCRIPT -o json"},
        {0}}};
