// SPDX-License-Identifier: Apache-2.0
// Feature flags: look, turn on and off.
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/list.h"

#define FEATURES_PATH "/actuator/features"

static const struct column columns[] = {{"FEATURE", "name", COLUMN_TEXT},
                                        {"ENABLED", "enabled", COLUMN_TEXT},
                                        {"MEANING", "description", COLUMN_TEXT},
                                        {NULL, NULL, COLUMN_TEXT}};

static int list_run(struct cli *c)
{
    CLEANUP_REPLY struct reply r = {0};
    int code = client_once(c, &(struct call){.method = "GET", .path = STR(FEATURES_PATH)}, &r);
    if (code == CLI_OK)
        output_list(&c->out, columns, "name", r.json, r.body, &c->arena);
    return code;
}

static struct str path_of(struct str name, struct arena *a)
{
    struct sbuf out;
    sbuf_init(&out, a, CLI_INPUT_MAX);
    sbuf_puts(&out, FEATURES_PATH "/");
    sbuf_url(&out, name);
    return sbuf_str(&out);
}

static int set(struct cli *c, bool enabled)
{
    struct client cl;
    struct err err;
    int worst = CLI_OK;
    if (!client_open(c, &cl, &err))
        return cli_fail(c, &err);
    for (size_t i = 0; worst == CLI_OK && i < c->line.args_n; i++) {
        CLEANUP_REPLY struct reply r = {0};
        const struct call call = {.method = "PUT",
                                  .path = path_of(line_arg(c, i), &c->arena),
                                  .body = enabled ? STR("{\"enabled\":true}") : STR("{\"enabled\":false}")};
        worst = client_call(&cl, &call, &r);
        if (worst == CLI_OK && c->out.form == OUTPUT_TABLE)
            fprintf(c->out.out, "%.*s is %s\n",
                    STR_ARG(text_printable(json_str(json_object_get(r.json, "name")), &c->arena)),
                    enabled ? "on" : "off");
        else if (worst == CLI_OK)
            output_object(&c->out, columns, "name", r.json, r.body, &c->arena);
    }
    return worst;
}

static int enable_run(struct cli *c) { return set(c, true); }
static int disable_run(struct cli *c) { return set(c, false); }

const struct cli_command command_feature = {
    "feature", "features", "Parts of the server that can be turned off while it runs",
    (const struct cli_verb[]){
        {.name = "list",
         .alias = "ls",
         .args = "",
         .run = list_run,
         .doc = "List the flags and whether they are on",
         .examples = "chronos feature list\nchronos feature list -o json"},
        {.name = "enable",
         .args = "FEATURE…",
         .args_min = 1,
         .args_max = CLI_ARGS_ANY,
         .run = enable_run,
         .doc = "Turn parts on, on every node",
         .examples = "chronos feature enable schedule"},
        {.name = "disable",
         .args = "FEATURE…",
         .args_min = 1,
         .args_max = CLI_ARGS_ANY,
         .run = disable_run,
         .doc = "Turn parts off, on every node, until they are turned on again",
         .examples = "chronos feature disable schedule\nchronos feature disable scripts run-now"},
        {0}}};
