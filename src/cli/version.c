// SPDX-License-Identifier: Apache-2.0
// What this binary is.
#include "cli/commands.h"

static int version_run(struct cli *c)
{
    static const struct column columns[] = {{"chronos", "version", COLUMN_TEXT}, {NULL, NULL, COLUMN_TEXT}};
    struct sbuf body;
    sbuf_init(&body, &c->arena, CLI_INPUT_MAX);
    sbuf_puts(&body, "{\"name\":\"chronos\",\"version\":");
    sbuf_json(&body, str_of(c->hooks->version ? c->hooks->version : "unknown"));
    sbuf_puts(&body, ",\"compiler\":");
    sbuf_json(&body, STR(__VERSION__));
    sbuf_puts(&body, "}");
    CLEANUP_JSON json_t *v = NULL;
    struct err err;
    if (!json_parse(sbuf_str(&body), &v, &err))
        return cli_fail(c, &err);
    output_object(&c->out, columns, "version", v, sbuf_str(&body), &c->arena);
    return CLI_OK;
}

const struct cli_command command_version = {
    "version", NULL, "Version of this binary",
    (const struct cli_verb[]){
        {.args = "", .doc = "Version of this binary", .run = version_run,
         .examples = "chronos version\nchronos version -o json"},
        {0}}};
