// SPDX-License-Identifier: Apache-2.0
// Runs: look, read the log, wait, cancel, start again.
#include "cli/commands.h"
#include "cli/follow.h"
#include "cli/format.h"
#include "cli/list.h"

enum { QUERY_MAX = 16 << 10, LOG_PAGE = 1000 };

static const struct column list_columns[] = {
    {"RUN", "id", COLUMN_TEXT},           {"JOB", "jobName", COLUMN_TEXT},
    {"STATUS", "status", COLUMN_STATUS},  {"SCHEDULED", "scheduledTime", COLUMN_TIME},
    {"DELAY", "startDelayMs", COLUMN_DURATION_MS}, {"DURATION", "durationMs", COLUMN_DURATION_MS},
    {"ATTEMPT", "attempt", COLUMN_TEXT},  {"TRIGGER", "trigger", COLUMN_TEXT},
    {"ERROR", "errorMessage", COLUMN_TEXT}, {NULL, NULL, COLUMN_TEXT}};

static int list_run(struct cli *c)
{
    struct client cl;
    struct err err;
    struct sbuf query;
    struct str job = line_arg(c, 0).p ? line_arg(c, 0) : flag_str(c, "job"), id;
    struct list l = {.path = STR(API_BASE "/runs"), .columns = list_columns, .name_key = "id"};
    sbuf_init(&query, &c->arena, QUERY_MAX);
    query_flag(c, &query, "status", "status");
    if (job.p) {
        if (!client_open(c, &cl, &err))
            return cli_fail(c, &err);
        int code = job_resolve(&cl, job, &id);
        if (code != CLI_OK)
            return code;
        l.path = client_path(&c->arena, "jobs", id, "/runs");
    }
    l.query = sbuf_str(&query);
    return list_show(c, &l);
}

static int get_run(struct cli *c)
{
    CLEANUP_REPLY struct reply r = {0};
    int code = client_once(c, &(struct call){.method = "GET",
                                             .path = client_path(&c->arena, "runs", line_arg(c, 0), "")}, &r);
    if (code == CLI_OK)
        output_object(&c->out, run_record_columns, "id", r.json, r.body, &c->arena);
    return code;
}

// One page of lines after a sequence number; *ret_last gets the last one's, *ret_n how many came.
static int logs_page(struct client *cl, struct str path, json_int_t *last, size_t *ret_n)
{
    struct cli *c = cl->cli;
    CLEANUP_REPLY struct reply r = {0};
    const struct call call = {.method = "GET", .path = arena_fmt(&c->arena, "%.*s?after=%lld&size=%d", STR_ARG(path),
                                                                 (long long)*last, LOG_PAGE)};
    int code = client_call(cl, &call, &r);
    if (code != CLI_OK)
        return code;
    size_t i;
    json_t *line;
    const json_t *content = json_object_get(r.json, "content");
    *ret_n = json_array_size(content);
    if (c->out.form == OUTPUT_TABLE) {
        json_array_foreach(content, i, line)
            log_line_print(c, line);
    } else if (*ret_n > 0 || *last == 0) {
        output_list(&c->out, list_columns, "message", r.json, r.body, &c->arena);
    }
    json_int_t newest = json_integer_value(json_object_get(json_array_get(content, *ret_n - 1), "id"));
    if (*ret_n > 0 && newest <= *last) // a server that does not go forward would hold us here for ever
        *ret_n = 0;
    *last = newest;
    return CLI_OK;
}

static int logs_run(struct cli *c)
{
    struct client cl;
    struct err err;
    struct str id = line_arg(c, 0);
    CLEANUP_REPLY struct reply r = {0};
    if (!client_open(c, &cl, &err))
        return cli_fail(c, &err);
    if (flag_on(c, "follow")) {
        int code = follow_run(&cl, &(struct follow){.run_id = id, .print = true});
        return code == CLI_RUN_FAILED ? CLI_OK : code; // reading succeeded, whatever the run did
    }
    int code = client_call(&cl, &(struct call){.method = "GET", .path = client_path(&c->arena, "runs", id, "")}, &r);
    struct str job_id = code == CLI_OK ? json_str(json_object_get(r.json, "jobId")) : STR_NONE;
    struct sbuf path;
    sbuf_init(&path, &c->arena, QUERY_MAX);
    sbuf_put(&path, client_path(&c->arena, "jobs", job_id, "/runs/"));
    sbuf_url(&path, id);
    sbuf_puts(&path, "/logs");
    json_int_t last = 0;
    size_t n = LOG_PAGE;
    while (code == CLI_OK && n == LOG_PAGE)
        code = logs_page(&cl, sbuf_str(&path), &last, &n);
    return code;
}

static int wait_run(struct cli *c)
{
    struct client cl;
    struct err err;
    struct str timeout = flag_str(c, "timeout");
    struct follow f = {.run_id = line_arg(c, 0), .attempts = !flag_on(c, "this-attempt")};
    if ((timeout.p && !duration_parse(timeout, &f.timeout, &err)) || !client_open(c, &cl, &err))
        return cli_fail(c, &err);
    return follow_run(&cl, &f);
}

static int cancel_run(struct cli *c)
{
    int worst = CLI_OK;
    for (size_t i = 0; i < c->line.args_n; i++) {
        CLEANUP_REPLY struct reply r = {0};
        const struct call call = {.method = "POST", .path = client_path(&c->arena, "runs", line_arg(c, i), ":cancel")};
        int code = client_once(c, &call, &r);
        if (code == CLI_OK && c->out.form == OUTPUT_TABLE)
            fprintf(c->out.out, "run %.*s is asked to end (%.*s)\n",
                    STR_ARG(text_printable(line_arg(c, i), &c->arena)),
                    STR_ARG(text_printable(json_str(json_object_get(r.json, "status")), &c->arena)));
        else if (code == CLI_OK)
            output_object(&c->out, run_record_columns, "id", r.json, r.body, &c->arena);
        worst = code != CLI_OK ? code : worst;
    }
    return worst;
}

static int retry_run(struct cli *c)
{
    struct client cl;
    struct err err;
    CLEANUP_REPLY struct reply r = {0};
    if (!client_open(c, &cl, &err))
        return cli_fail(c, &err);
    const struct call call = {.method = "POST", .idempotent_key = true,
                              .path = client_path(&c->arena, "runs", line_arg(c, 0), ":retry")};
    int code = client_call(&cl, &call, &r);
    if (code != CLI_OK)
        return code;
    struct follow f = {.run_id = arena_str(&c->arena, json_str(json_object_get(r.json, "id"))), .attempts = true};
    if (flag_on(c, "wait"))
        return follow_run(&cl, &f);
    if (c->out.form == OUTPUT_TABLE)
        fprintf(c->out.out, "started run %.*s\n", STR_ARG(text_printable(f.run_id, &c->arena)));
    else
        output_object(&c->out, run_record_columns, "id", r.json, r.body, &c->arena);
    return CLI_OK;
}

#define ONE_RUN .args = "RUN", .args_min = 1, .args_max = 1
#define NO_FLAG {NULL, 0, NULL, NULL}
static const struct cli_flag list_flags[] = {
    {"job", 'j', "JOB", "Runs of this job, by name or id"},
    {"status", 0, "STATUS", "QUEUED, RUNNING, SUCCEEDED, FAILED, TIMED_OUT, CANCELLED, LOST, SKIPPED or MISSED"},
    LIST_FLAGS,
    NO_FLAG};
static const struct cli_flag logs_flags[] = {{"follow", 'f', NULL, "Go on while it runs"}, NO_FLAG};
static const struct cli_flag wait_flags[] = {
    {"timeout", 0, "DURATION", "Wait at most so long; exit code 6 then"},
    {"this-attempt", 0, NULL, "Do not wait for further attempts of the same occurrence"},
    NO_FLAG};
static const struct cli_flag retry_flags[] = {
    {"wait", 'w', NULL, "Wait for its end; exit code 7 when it failed"}, NO_FLAG};

const struct cli_command command_run = {
    "run", "runs", "Runs: what was done, and how it ended",
    (const struct cli_verb[]){
        {.name = "list", .alias = "ls", .args = "[JOB]", .args_max = 1, .flags = list_flags, .run = list_run,
         .doc = "List runs, newest first",
         .examples = "chronos run list\nchronos run list hello --status FAILED\nchronos run list --all -o jsonl"},
        {.name = "get", ONE_RUN, .run = get_run, .doc = "Show one run",
         .examples = "chronos run get 01KA3V5J8M2C0000000000000X"},
        {.name = "logs", .alias = "log", ONE_RUN, .flags = logs_flags, .run = logs_run, .doc = "Print the log of a run",
         .examples = "chronos run logs 01KA3V5J8M2C0000000000000X\nchronos run logs -f 01KA3V5J8M2C0000000000000X"},
        {.name = "wait", ONE_RUN, .flags = wait_flags, .run = wait_run,
         .doc = "Wait for the end, retries included; exit code 7 when it failed",
         .examples = "chronos run wait 01KA3V5J8M2C0000000000000X --timeout 10m"},
        {.name = "cancel", .args = "RUN…", .args_min = 1, .args_max = CLI_ARGS_ANY, .run = cancel_run,
         .doc = "Ask runs to end", .examples = "chronos run cancel 01KA3V5J8M2C0000000000000X"},
        {.name = "retry", ONE_RUN, .flags = retry_flags, .run = retry_run,
         .doc = "Start a new run with the inputs of an ended one",
         .examples = "chronos run retry 01KA3V5J8M2C0000000000000X --wait"},
        {0}}};
