// SPDX-License-Identifier: Apache-2.0
// Circuit breakers: look, close again.
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/list.h"

static const struct column list_columns[] = {{"TARGET", "target", COLUMN_TEXT},
                                             {"STATE", "state", COLUMN_STATUS},
                                             {"SINCE", "since", COLUMN_TIME},
                                             {"FAILURES", "failures", COLUMN_TEXT},
                                             {"NEXT PROBE", "nextProbe", COLUMN_TIME},
                                             {"NODE", "node", COLUMN_TEXT},
                                             {"ID", "id", COLUMN_TEXT},
                                             {NULL, NULL, COLUMN_TEXT}};

static int list_run(struct cli *c)
{
    CLEANUP_REPLY struct reply r = {0};
    int code = client_once(c, &(struct call){.method = "GET", .path = STR(API_BASE "/breakers")}, &r);
    if (code == CLI_OK)
        output_list(&c->out, list_columns, "id", r.json, r.body, &c->arena);
    return code;
}

// The id of a target in a list; what is not there is taken for an id.
static struct str id_of(const json_t *list, struct str target)
{
    size_t i;
    json_t *one;
    json_array_foreach(json_object_get(list, "content"), i, one)
    {
        if (str_eq_nocase(json_str(json_object_get(one, "target")), target))
            return json_str(json_object_get(one, "id"));
    }
    return target;
}

static int reset_one(struct client *cl, const json_t *list, struct str target)
{
    struct cli *c = cl->cli;
    CLEANUP_REPLY struct reply r = {0};
    const struct call call = {.method = "POST",
                              .path = client_path(&c->arena, "breakers", id_of(list, target), ":reset")};
    int code = client_call(cl, &call, &r);
    if (code == CLI_OK && c->out.form == OUTPUT_TABLE)
        fprintf(c->out.out, "circuit breaker of %.*s is closed\n",
                STR_ARG(text_printable(json_str(json_object_get(r.json, "target")), &c->arena)));
    else if (code == CLI_OK)
        output_object(&c->out, list_columns, "id", r.json, r.body, &c->arena);
    return code;
}

static int reset_run(struct cli *c)
{
    struct client cl;
    struct err err;
    CLEANUP_REPLY struct reply r = {0};
    if (!client_open(c, &cl, &err))
        return cli_fail(c, &err);
    int worst = client_call(&cl, &(struct call){.method = "GET", .path = STR(API_BASE "/breakers")}, &r);
    for (size_t i = 0; worst == CLI_OK && i < c->line.args_n; i++)
        worst = reset_one(&cl, r.json, line_arg(c, i));
    return worst;
}

const struct cli_command command_breaker = {
    "breaker", "breakers", "Circuit breakers: targets that failed too often",
    (const struct cli_verb[]){{.name = "list",
                               .alias = "ls",
                               .args = "",
                               .run = list_run,
                               .doc = "List targets, and whether calls to them are held back",
                               .examples = "chronos breaker list\nchronos breaker list -o json"},
                              {.name = "reset",
                               .args = "TARGET…",
                               .args_min = 1,
                               .args_max = CLI_ARGS_ANY,
                               .run = reset_run,
                               .doc = "Let calls through again on every node; by target or id",
                               .examples = "chronos breaker reset https://api.example.com:443"},
                              {0}}};
