// SPDX-License-Identifier: Apache-2.0
// Who is told what: add, list, test, turn on and off, delete; and the log of messages with replay. The settings of a
// channel hold secrets, so they come from a file or standard input and never from the command line.
#include "cli/commands.h"
#include "cli/list.h"
#include "model/subscription.h"

enum { BODY_MAX = 4 * SUBSCRIPTION_CONFIG_MAX, QUERY_MAX = 1024, NUMBER_MAX = 100000 };

static const struct column columns[] = {
    {"ID", "id", COLUMN_TEXT},           {"CHANNEL", "channel", COLUMN_TEXT}, {"JOB", "jobId", COLUMN_TEXT},
    {"TAG", "tag", COLUMN_TEXT},         {"EVENTS", "events", COLUMN_TEXT},   {"ENABLED", "enabled", COLUMN_TEXT},
    {"OFF", "offReason", COLUMN_TEXT},   {NULL, NULL, COLUMN_TEXT}};
static const struct column delivery_columns[] = {
    {"CREATED", "createdAt", COLUMN_TIME}, {"EVENT", "event", COLUMN_TEXT},   {"CHANNEL", "channel", COLUMN_TEXT},
    {"STATUS", "status", COLUMN_STATUS},   {"TRIES", "tries", COLUMN_TEXT},   {"NEXT TRY", "nextTryAt", COLUMN_TIME},
    {"ANSWER", "answer", COLUMN_TEXT},     {"ID", "id", COLUMN_TEXT},         {NULL, NULL, COLUMN_TEXT}};

// ---- add ---------------------------------------------------------------------------------------

static bool put_number(struct cli *c, json_t *body, const char *flag, const char *member, struct err *err)
{
    int64_t v;
    if (!flag_i64(c, flag, 0, NUMBER_MAX, -1, &v, err))
        return false;
    if (v >= 0)
        json_object_set_new(body, member, json_integer(v));
    return true;
}

static json_t *text_of(struct str s) { return json_stringn(s.p, s.n); }

// "22:00-07:00"
static void put_quiet(struct cli *c, json_t *body)
{
    struct str to, quiet = flag_str(c, "quiet"), zone = flag_str(c, "timezone");
    if (!quiet.p)
        return;
    struct str from = str_split(quiet, '-', &to);
    json_t *hours = json_pack("{s:o}", "from", text_of(from));
    if (to.p)
        json_object_set_new(hours, "to", text_of(to));
    if (zone.p)
        json_object_set_new(hours, "timezone", text_of(zone));
    json_object_set_new(body, "quietHours", hours);
}

static bool put_config(struct cli *c, json_t *body, struct err *err)
{
    json_t *config;
    struct str text;
    if (!cli_read(c, flag_str(c, "settings"), SUBSCRIPTION_CONFIG_MAX, &text, err))
        return false;
    if (!json_parse(text, &config, err))
        return err_wrap(err, "--settings");
    json_object_set_new(body, "config", config);
    return true;
}

static bool body_make(struct cli *c, json_t *body, struct err *err)
{
    struct str v;
    size_t i = 0;
    json_t *events = json_array();
    while (flag_each(c, "event", &i, &v))
        json_array_append_new(events, text_of(v));
    json_object_set_new(body, "events", events);
    json_object_set_new(body, "channel", text_of(flag_str(c, "channel")));
    if (flag_str(c, "tag").p)
        json_object_set_new(body, "tag", text_of(flag_str(c, "tag")));
    if (flag_on(c, "all"))
        json_object_set_new(body, "all", json_true());
    put_quiet(c, body);
    return put_config(c, body, err) && put_number(c, body, "after", "after", err) &&
           put_number(c, body, "of-last", "ofLast", err) && put_number(c, body, "group", "groupSeconds", err) &&
           put_number(c, body, "repeat", "repeatHours", err);
}

static int path_of_job(struct client *cl, struct str name, struct str *ret)
{
    struct str id;
    *ret = STR(API_BASE "/notifications");
    if (!name.p)
        return CLI_OK;
    int code = job_resolve(cl, name, &id);
    if (code == CLI_OK)
        *ret = client_path(&cl->cli->arena, "jobs", id, "/notifications");
    return code;
}

static int add_run(struct cli *c)
{
    CLEANUP_REPLY struct reply r = {0};
    CLEANUP_JSON json_t *body = json_object();
    struct client cl;
    struct err err;
    struct str path;
    struct sbuf text;
    if (!flag_str(c, "channel").p || !flag_str(c, "settings").p)
        return cli_usage(c, "say how: --channel WEBHOOK --settings FILE (or - for standard input)");
    if (!client_open(c, &cl, &err) || !body_make(c, body, &err))
        return cli_fail(c, &err);
    int code = path_of_job(&cl, flag_str(c, "job"), &path);
    if (code != CLI_OK)
        return code;
    sbuf_init(&text, &c->arena, BODY_MAX);
    json_write(body, &text);
    code = client_call(&cl, &(struct call){.method = "POST", .path = path, .body = sbuf_str(&text)}, &r);
    if (code == CLI_OK)
        output_object(&c->out, columns, "id", r.json, r.body, &c->arena);
    return code;
}

// ---- list --------------------------------------------------------------------------------------

static int list_run(struct cli *c)
{
    struct client cl;
    struct err err;
    struct list l = {.query = STR(""), .columns = columns, .name_key = "id"};
    if (!client_open(c, &cl, &err))
        return cli_fail(c, &err);
    int code = path_of_job(&cl, flag_str(c, "job"), &l.path);
    return code == CLI_OK ? list_show(c, &l) : code;
}

static int deliveries_run(struct cli *c)
{
    struct client cl;
    struct err err;
    struct sbuf query;
    struct str job = flag_str(c, "job"), id;
    if (!client_open(c, &cl, &err))
        return cli_fail(c, &err);
    sbuf_init(&query, &c->arena, QUERY_MAX);
    query_flag(c, &query, "status", "status");
    query_flag(c, &query, "subscriptionId", "notification");
    if (job.p) {
        int code = job_resolve(&cl, job, &id);
        if (code != CLI_OK)
            return code;
        query_add(&query, "jobId", id);
    }
    return list_show(c, &(struct list){.path = STR(API_BASE "/notifications/deliveries"), .query = sbuf_str(&query),
                                       .columns = delivery_columns, .name_key = "id"});
}

// ---- one by one ----------------------------------------------------------------------------------

// Does the call for every argument; the worst exit code.
static int each(struct cli *c, const char *method, const char *noun, const char *tail, struct str body,
                const struct column *shown)
{
    struct client cl;
    struct err err;
    int worst = CLI_OK;
    if (!client_open(c, &cl, &err))
        return cli_fail(c, &err);
    for (size_t i = 0; i < c->line.args_n; i++) {
        CLEANUP_REPLY struct reply r = {0};
        struct call call = {.method = method, .path = client_path(&c->arena, noun, line_arg(c, i), tail), .body = body};
        int code = client_call(&cl, &call, &r);
        if (code == CLI_OK && shown)
            output_object(&c->out, shown, "id", r.json, r.body, &c->arena);
        worst = code == CLI_OK ? worst : code;
    }
    return worst;
}

static int show_run(struct cli *c) { return each(c, "GET", "notifications", "", STR_NONE, columns); }
static int delete_run(struct cli *c) { return each(c, "DELETE", "notifications", "", STR_NONE, NULL); }
static int test_run(struct cli *c)
{
    return each(c, "POST", "notifications", ":test", STR_NONE, delivery_columns);
}
static int enable_run(struct cli *c)
{
    return each(c, "PATCH", "notifications", "", STR("{\"enabled\":true}"), columns);
}
static int disable_run(struct cli *c)
{
    return each(c, "PATCH", "notifications", "", STR("{\"enabled\":false}"), columns);
}
static int replay_run(struct cli *c)
{
    return each(c, "POST", "notifications/deliveries", ":replay", STR_NONE, delivery_columns);
}

#define NO_FLAG {NULL, 0, NULL, NULL}
static const struct cli_flag add_flags[] = {
    {"job", 0, "JOB", "Tell about this job"},
    {"tag", 0, "TAG", "Tell about the jobs with this tag"},
    {"all", 0, NULL, "Tell about every job you may see"},
    {"channel", 0, "CHANNEL", "EMAIL, WEBHOOK, SLACK and others"},
    {"settings", 0, "FILE", "Settings of the channel as a JSON object, or - for standard input"},
    {"event", 0, "EVENT", "failed, recovered, dead, missed, slow, overdue, …; may be repeated"},
    {"after", 0, "N", "Tell of failures from the Nth on"},
    {"of-last", 0, "N", "Count failures among so many outcomes, not in a row"},
    {"group", 0, "SECONDS", "Tell together what happens within so many seconds after a message"},
    {"repeat", 0, "HOURS", "Tell the same failure again after so long"},
    {"quiet", 0, "FROM-TO", "Hold messages back, \"22:00-07:00\""},
    {"timezone", 0, "ZONE", "Of the quiet hours"},
    NO_FLAG};
static const struct cli_flag list_flags[] = {
    {"job", 0, "JOB", "Of this job"},
    {"limit", 'n', "N", "Rows at most, 1 to 200 (default 20)"},
    {"cursor", 0, "CURSOR", "Go on after an earlier answer's nextCursor"},
    {"all", 0, NULL, "Every row, page after page (not with -o json and yaml)"},
    NO_FLAG};
static const struct cli_flag deliveries_flags[] = {
    {"job", 0, "JOB", "About this job"},
    {"status", 's', "STATUS", "PENDING, SENT, REFUSED, GIVEN_UP or DROPPED"},
    {"notification", 0, "ID", "Of this notification"},
    LIST_FLAGS,
    NO_FLAG};

#define VERB(n, f, d, e)                                                                                     \
    {                                                                                                        \
        .name = (n), .args = "ID…", .args_min = 1, .args_max = CLI_ARGS_ANY, .run = (f), .doc = (d),         \
        .examples = (e)                                                                                      \
    }
const struct cli_command command_notification = {
    "notification", "notifications", "Notifications: who is told when jobs fail, recover or are late",
    (const struct cli_verb[]){
        {.name = "add",
         .args = "",
         .flags = add_flags,
         .run = add_run,
         .doc = "Tell somebody about a job, the jobs with a tag, or all",
         .examples = "chronos notification add --job nightly-export --channel EMAIL --settings mail.json\n"
                     "chronos notification add --tag billing --channel SLACK --settings - --event failed --event "
                     "recovered --after 2 < slack.json\n"
                     "chronos notification add --all --channel WEBHOOK --settings hook.json --quiet 22:00-07:00 "
                     "--timezone Europe/Berlin"},
        {.name = "list",
         .alias = "ls",
         .args = "",
         .flags = list_flags,
         .run = list_run,
         .doc = "List who is told what",
         .examples = "chronos notification list\nchronos notification list --job nightly-export"},
        VERB("show", show_run, "Show one; secrets are masked", "chronos notification show 01J… -o yaml"),
        VERB("test", test_run, "Send a test message", "chronos notification test 01J…"),
        VERB("enable", enable_run, "Turn on, also one that turned itself off", "chronos notification enable 01J…"),
        VERB("disable", disable_run, "Turn off; waiting messages are dropped", "chronos notification disable 01J…"),
        {.name = "delete",
         .alias = "rm",
         .args = "ID…",
         .args_min = 1,
         .args_max = CLI_ARGS_ANY,
         .run = delete_run,
         .doc = "Delete; waiting messages are dropped",
         .examples = "chronos notification delete 01J…"},
        {.name = "deliveries",
         .alias = "log",
         .args = "",
         .flags = deliveries_flags,
         .run = deliveries_run,
         .doc = "List messages and what became of them",
         .examples = "chronos notification deliveries --status REFUSED"},
        VERB("replay", replay_run, "Send messages once more, under the same id", "chronos notification replay 01J…"),
        {0}}};
