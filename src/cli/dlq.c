// SPDX-License-Identifier: Apache-2.0
// Dead letters: look, replay, resolve.
#include "cli/commands.h"
#include "cli/follow.h"
#include "cli/list.h"

enum { QUERY_MAX = 16 << 10, BODY_MAX = 512 << 10 };

static const struct column list_columns[] = {
    {"ID", "id", COLUMN_TEXT},            {"JOB", "jobName", COLUMN_TEXT},
    {"CLASS", "errorClass", COLUMN_TEXT}, {"ATTEMPTS", "attempts", COLUMN_TEXT},
    {"CREATED", "createdAt", COLUMN_TIME}, {"RESOLVED", "resolved", COLUMN_TEXT},
    {"REASON", "reason", COLUMN_TEXT},    {NULL, NULL, COLUMN_TEXT}};

static const struct column record_columns[] = {
    {"id", "id", COLUMN_TEXT},
    {"job", "jobName", COLUMN_TEXT},
    {"job id", "jobId", COLUMN_TEXT},
    {"reason", "reason", COLUMN_TEXT},
    {"error class", "errorClass", COLUMN_TEXT},
    {"attempts", "attempts", COLUMN_TEXT},
    {"last run", "lastRunId", COLUMN_TEXT},
    {"run key", "runKey", COLUMN_TEXT},
    {"created", "createdAt", COLUMN_TIME},
    {"resolved", "resolved", COLUMN_TEXT},
    {"resolved by", "resolvedBy", COLUMN_TEXT},
    {"resolution", "resolution", COLUMN_TEXT},
    {"replayed as", "replayRunId", COLUMN_TEXT},
    {NULL, NULL, COLUMN_TEXT}};

// Adds "jobId" of --job.
static int job_query(struct cli *c, struct client *cl, struct sbuf *query)
{
    struct str job = flag_str(c, "job"), id;
    if (!job.p)
        return CLI_OK;
    int code = job_resolve(cl, job, &id);
    if (code == CLI_OK)
        query_add(query, "jobId", id);
    return code;
}

static int list_run(struct cli *c)
{
    struct client cl;
    struct err err;
    struct sbuf query;
    sbuf_init(&query, &c->arena, QUERY_MAX);
    if (!client_open(c, &cl, &err))
        return cli_fail(c, &err);
    int code = job_query(c, &cl, &query);
    if (code != CLI_OK)
        return code;
    if (flag_str(c, "class").p)
        query_add(&query, "errorClass", flag_str(c, "class"));
    if (!flag_on(c, "any"))
        query_add(&query, "resolved", flag_on(c, "resolved") ? STR("true") : STR("false"));
    return list_show(c, &(struct list){.path = STR(API_BASE "/dlq"), .query = sbuf_str(&query),
                                       .columns = list_columns, .name_key = "id"});
}

static int get_run(struct cli *c)
{
    CLEANUP_REPLY struct reply r = {0};
    int code = client_once(c, &(struct call){.method = "GET",
                                             .path = client_path(&c->arena, "dlq", line_arg(c, 0), "")}, &r);
    if (code == CLI_OK)
        output_object(&c->out, record_columns, "id", r.json, r.body, &c->arena);
    return code;
}

static struct str body_text(struct cli *c, const json_t *body)
{
    struct sbuf text;
    if (json_object_size(body) == 0)
        return STR_NONE;
    sbuf_init(&text, &c->arena, BODY_MAX);
    json_write(body, &text);
    return sbuf_str(&text);
}

// A member of a flag's text; nothing without it.
static void member_add(const struct cli *c, json_t *body, const char *flag, const char *member)
{
    struct str text = flag_str(c, flag);
    if (text.p)
        json_object_set_new(body, member, json_stringn(text.p, text.n));
}

static bool number_add(const struct cli *c, json_t *body, const char *name, struct err *err)
{
    int64_t n;
    if (!flag_i64(c, name, 0, INT64_MAX, -1, &n, err))
        return false;
    if (n >= 0)
        json_object_set_new(body, name, json_integer(n));
    return true;
}

static int replay_all(struct cli *c)
{
    struct client cl;
    struct err err;
    struct str job = flag_str(c, "job"), id;
    CLEANUP_REPLY struct reply r = {0};
    CLEANUP_JSON json_t *body = json_object();
    if (flag_str(c, "param").p || flag_str(c, "payload").p)
        return cli_usage(c, "--param and --payload go with the id of one dead letter");
    if (!number_add(c, body, "limit", &err) || !number_add(c, body, "expect", &err) || !client_open(c, &cl, &err))
        return cli_fail(c, &err);
    int code = job.p ? job_resolve(&cl, job, &id) : CLI_OK;
    if (code != CLI_OK)
        return code;
    if (job.p)
        json_object_set_new(body, "jobId", json_stringn(id.p, id.n));
    member_add(c, body, "class", "errorClass");
    member_add(c, body, "before", "before");
    if (flag_on(c, "current"))
        json_object_set_new(body, "version", json_string("current"));
    const struct call call = {.method = "POST", .idempotent_key = true, .path = STR(API_BASE "/dlq:replay-all"),
                              .body = body_text(c, body)};
    static const struct column columns[] = {{"matched", "matched", COLUMN_TEXT},
                                            {"replayed", "replayed", COLUMN_TEXT},
                                            {"failed", "failed", COLUMN_TEXT},
                                            {"more are left", "more", COLUMN_TEXT},
                                            {NULL, NULL, COLUMN_TEXT}};
    code = client_call(&cl, &call, &r);
    if (code == CLI_OK)
        output_object(&c->out, columns, "replayed", r.json, r.body, &c->arena);
    return code;
}

// {"version", "parameters", "payload"} of the flags; absent without any.
static bool replay_body(struct cli *c, struct str *ret, struct err *err)
{
    CLEANUP_JSON json_t *body = json_object();
    CLEANUP_JSON json_t *map = json_object();
    struct str file = flag_str(c, "payload"), text;
    json_t *patch;
    if (!cli_parameters(c, map, err))
        return false;
    if (json_object_size(map) > 0)
        json_object_set(body, "parameters", map);
    if (flag_on(c, "current"))
        json_object_set_new(body, "version", json_string("current"));
    if (file.p) {
        if (!cli_read(c, file, BODY_MAX, &text, err) || !json_parse(text, &patch, err))
            return err_wrap(err, "--payload \"%.*s\"", STR_ARG(file));
        json_object_set_new(body, "payload", patch);
    }
    *ret = body_text(c, body);
    return true;
}

static int replay_run(struct cli *c)
{
    int worst = CLI_OK;
    struct str body;
    struct err err;
    if (flag_on(c, "all") == (c->line.args_n > 0))
        return cli_usage(c, "which ones? Give ids, or --all");
    if (flag_on(c, "all"))
        return replay_all(c);
    if (!replay_body(c, &body, &err))
        return cli_fail(c, &err);
    for (size_t i = 0; i < c->line.args_n; i++) {
        CLEANUP_REPLY struct reply r = {0};
        const struct call call = {.method = "POST", .idempotent_key = true, .body = body,
                                  .path = client_path(&c->arena, "dlq", line_arg(c, i), ":replay")};
        int code = client_once(c, &call, &r);
        if (code == CLI_OK && c->out.form == OUTPUT_TABLE)
            fprintf(c->out.out, "replayed %.*s as run %.*s\n", STR_ARG(text_printable(line_arg(c, i), &c->arena)),
                    STR_ARG(text_printable(json_str(json_object_get(r.json, "id")), &c->arena)));
        else if (code == CLI_OK)
            output_object(&c->out, run_record_columns, "id", r.json, r.body, &c->arena);
        worst = code != CLI_OK ? code : worst;
    }
    return worst;
}

static int resolve_run(struct cli *c)
{
    int worst = CLI_OK;
    struct str reason = flag_str(c, "reason");
    struct sbuf body;
    sbuf_init(&body, &c->arena, QUERY_MAX);
    if (reason.n == 0)
        return cli_usage(c, "why is nothing left to do? Give --reason TEXT");
    sbuf_puts(&body, "{\"reason\":");
    sbuf_json(&body, reason);
    sbuf_puts(&body, "}");
    for (size_t i = 0; i < c->line.args_n; i++) {
        CLEANUP_REPLY struct reply r = {0};
        const struct call call = {.method = "POST", .body = sbuf_str(&body),
                                  .path = client_path(&c->arena, "dlq", line_arg(c, i), ":resolve")};
        int code = client_once(c, &call, &r);
        if (code == CLI_OK && c->out.form == OUTPUT_TABLE)
            fprintf(c->out.out, "resolved %.*s\n", STR_ARG(text_printable(line_arg(c, i), &c->arena)));
        else if (code == CLI_OK)
            output_object(&c->out, record_columns, "id", r.json, r.body, &c->arena);
        worst = code != CLI_OK ? code : worst;
    }
    return worst;
}

#define IDS .args = "ID…", .args_max = CLI_ARGS_ANY
#define NO_FLAG {NULL, 0, NULL, NULL}
static const struct cli_flag list_flags[] = {
    {"job", 'j', "JOB", "Those of this job, by name or id"},
    {"class", 0, "CLASS", "Those that failed with this class, such as HTTP_5XX"},
    {"resolved", 0, NULL, "Those that are closed"},
    {"any", 0, NULL, "Open and closed ones"},
    LIST_FLAGS,
    NO_FLAG};
static const struct cli_flag replay_flags[] = {
    {"current", 0, NULL, "Run the job as it is now, not as it was when it failed"},
    {"param", 0, "NAME=VALUE", "Parameter instead of the recorded ones, may be repeated"},
    {"payload", 0, "FILE", "JSON object with members of the payload to change; - reads standard input"},
    {"all", 0, NULL, "Every open one that matches"},
    {"job", 'j', "JOB", "With --all: those of this job"},
    {"class", 0, "CLASS", "With --all: those that failed with this class"},
    {"before", 0, "TIME", "With --all: those created before, such as 2027-01-31T08:00:00Z"},
    {"limit", 0, "N", "With --all: at most so many, oldest first"},
    {"expect", 0, "N", "With --all: only when exactly so many match"},
    NO_FLAG};
static const struct cli_flag resolve_flags[] = {{"reason", 'r', "TEXT", "Why nothing is left to do"}, NO_FLAG};

const struct cli_command command_dlq = {
    "dlq", "dead", "Dead letters: occurrences that used up their attempts",
    (const struct cli_verb[]){
        {.name = "list", .alias = "ls", .args = "", .flags = list_flags, .run = list_run,
         .doc = "List open dead letters", .examples = "chronos dlq list\nchronos dlq list --job hello --any"},
        {.name = "get", .args = "ID", .args_min = 1, .args_max = 1, .run = get_run, .doc = "Show one dead letter",
         .examples = "chronos dlq get 01KA3V5J8M2C0000000000000X"},
        {.name = "replay", IDS, .flags = replay_flags, .run = replay_run,
         .doc = "Run them again as new occurrences",
         .examples = "chronos dlq replay 01KA3V5J8M2C0000000000000X\n"
                     "chronos dlq replay 01KA3V5J8M2C0000000000000X --param day=monday --payload changes.json\n"
                     "chronos dlq replay --all --job hello --class HTTP_5XX --expect 12"},
        {.name = "resolve", IDS, .args_min = 1, .flags = resolve_flags, .run = resolve_run,
         .doc = "Close them without running",
         .examples = "chronos dlq resolve 01KA3V5J8M2C0000000000000X --reason 'done by hand'"},
        {0}}};
