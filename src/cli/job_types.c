// SPDX-License-Identifier: Apache-2.0
// What jobs can do on the server: all types, or one with its fields and examples.
#include "cli/commands.h"
#include "cli/job_types.h"

static const struct column list_columns[] = {{"NAME", "name", COLUMN_TEXT},
                                             {"HERE", "available", COLUMN_TEXT},
                                             {"DESCRIPTION", "description", COLUMN_TEXT},
                                             {NULL, NULL, COLUMN_TEXT}};

static const struct column record_columns[] = {{"name", "name", COLUMN_TEXT},
                                               {"description", "description", COLUMN_TEXT},
                                               {"can run here", "available", COLUMN_TEXT},
                                               {"why not", "unavailableReason", COLUMN_TEXT},
                                               {"failures", "failureClasses", COLUMN_LIST},
                                               {NULL, NULL, COLUMN_TEXT}};

static void fields_print(const struct cli *c, struct arena *a, const json_t *schema)
{
    const char *name;
    json_t *field;
    fputs("fields:\n", c->out.out);
    json_object_foreach(json_object_get(schema, "properties"), name, field)
        fprintf(c->out.out, "  %-18s %.*s\n", name,
                STR_ARG(text_printable(json_str(json_object_get(field, "description")), a)));
}

static void examples_print(const struct cli *c, struct arena *a, const json_t *examples)
{
    size_t i;
    json_t *one;
    json_array_foreach(examples, i, one)
    {
        struct sbuf text;
        sbuf_init(&text, a, CLI_INPUT_MAX);
        json_write(one, &text);
        fprintf(c->out.out, "example payload: %.*s\n", STR_ARG(text_printable(sbuf_str(&text), a)));
    }
}

int job_types_run(struct cli *c)
{
    CLEANUP_REPLY struct reply r = {0};
    bool one = c->line.args_n > 0;
    struct str path =
        one ? client_path(&c->arena, "job-types", line_arg(c, 0), "") : STR(API_BASE "/job-types");
    int code = client_once(c, &(struct call){.method = "GET", .path = path}, &r);
    if (code != CLI_OK)
        return code;
    if (!one) {
        output_list(&c->out, list_columns, "name", r.json, r.body, &c->arena);
        return code;
    }
    output_object(&c->out, record_columns, "name", r.json, r.body, &c->arena);
    if (c->out.form == OUTPUT_TABLE) {
        fields_print(c, &c->arena, json_object_get(r.json, "payloadSchema"));
        examples_print(c, &c->arena, json_object_get(r.json, "examples"));
    }
    return code;
}
