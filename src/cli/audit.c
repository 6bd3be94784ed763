// SPDX-License-Identifier: Apache-2.0
// The audit trail: look, and verify it on the data store or through a server.
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/list.h"

static const struct column list_columns[] = {{"AT", "at", COLUMN_TIME},
                                             {"ACTOR", "actor", COLUMN_TEXT},
                                             {"ACTION", "action", COLUMN_TEXT},
                                             {"ON", "entityType", COLUMN_TEXT},
                                             {"NAME", "entityName", COLUMN_TEXT},
                                             {"ID", "entityId", COLUMN_TEXT},
                                             {"OUTCOME", "outcome", COLUMN_STATUS},
                                             {"ADDRESS", "address", COLUMN_TEXT},
                                             {NULL, NULL, COLUMN_TEXT}};
static const struct column verdict_columns[] = {{"intact", "intact", COLUMN_TEXT},
                                                {"records", "records", COLUMN_TEXT},
                                                {"first", "first", COLUMN_TEXT},
                                                {"last", "last", COLUMN_TEXT},
                                                {"not sealed", "unsealed", COLUMN_TEXT},
                                                {"breaks at", "at", COLUMN_TEXT},
                                                {"record", "recordId", COLUMN_TEXT},
                                                {"problem", "problem", COLUMN_TEXT},
                                                {NULL, NULL, COLUMN_TEXT}};

enum { QUERY_MAX = 4096 };

static int list_run(struct cli *c)
{
    static const char *const flags[][2] = {
        {"entity-type", "entityType"}, {"entity-id", "entityId"}, {"action", "action"}, {"actor", "actor"},
        {"outcome", "outcome"},        {"from", "from"},          {"to", "to"},         {"size", "size"},
        {"cursor", "cursor"}};
    CLEANUP_REPLY struct reply r = {0};
    struct sbuf query;
    sbuf_init(&query, &c->arena, QUERY_MAX);
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
        if (flag_str(c, flags[i][0]).p)
            query_add(&query, flags[i][1], flag_str(c, flags[i][0]));
    struct str path = arena_fmt(&c->arena, API_BASE "/audit%.*s", STR_ARG(sbuf_str(&query)));
    int code = client_once(c, &(struct call){.method = "GET", .path = path}, &r);
    if (code == CLI_OK)
        output_list(&c->out, list_columns, "id", r.json, r.body, &c->arena);
    return code;
}

static int verify_online(struct cli *c)
{
    CLEANUP_REPLY struct reply r = {0};
    int code = client_once(c, &(struct call){.method = "GET", .path = STR(API_BASE "/audit:verify")}, &r);
    if (code != CLI_OK)
        return code;
    output_object(&c->out, verdict_columns, "last", r.json, r.body, &c->arena);
    return json_is_true(json_object_get(r.json, "intact")) ? CLI_OK : CLI_FAILURE;
}

static int verify_run(struct cli *c)
{
    enum { TEXT_MAX = 65536 };
    struct config config;
    struct err err;
    struct sbuf out;
    if (flag_on(c, "online"))
        return verify_online(c);
    sbuf_init(&out, &c->arena, TEXT_MAX);
    if (!cli_config(c, &config))
        return CLI_USAGE;
    if (!c->hooks->audit_verify) {
        fputs("chronos: this build cannot verify without a server: use --online\n", c->out.err);
        return CLI_FAILURE;
    }
    if (!c->hooks->audit_verify(&config, &out, &err)) {
        (void)cli_fail(c, &err);
        return CLI_FAILURE;
    }
    fputs(sbuf_str(&out).p, c->out.out);
    return CLI_OK;
}

static const struct cli_flag list_flags[] = {
    {"entity-type", 0, "TYPE", "job, run, user, secret, …"},
    {"entity-id", 0, "ID", "what it was done to; with --entity-type"},
    {"action", 0, "WORD", "job.update, session.login, …"},
    {"actor", 0, "EMAIL", "who did it"},
    {"outcome", 0, "WORD", "DONE, REFUSED or FAILED"},
    {"from", 0, "TIME", "not before"},
    {"to", 0, "TIME", "before"},
    {"size", 0, "N", "at most so many, newest first"},
    {"cursor", 0, "TEXT", "nextCursor of the page before"},
    {NULL, 0, NULL, NULL}};
static const struct cli_flag verify_flags[] = {
    {"online", 0, NULL, "ask a server instead of opening its data"}, {NULL, 0, NULL, NULL}};

const struct cli_command command_audit = {
    "audit", NULL, "Who did what, and proof that nothing was changed since",
    (const struct cli_verb[]){{.name = "list",
                               .alias = "ls",
                               .args = "",
                               .doc = "Lists records, newest first",
                               .flags = list_flags,
                               .run = list_run,
                               .examples = "chronos audit list --action job.update\n"},
                              {.name = "verify",
                               .args = "",
                               .doc = "Verifies the whole trail; exit code 1 names the place where it breaks",
                               .flags = verify_flags,
                               .run = verify_run,
                               .examples = "chronos audit verify\nchronos audit verify --online\n"},
                              {.run = NULL}}};
