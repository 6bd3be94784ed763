// SPDX-License-Identifier: Apache-2.0
// Why a job runs or does not run.
#include "cli/job_explain.h"

#include "cli/commands.h"

int job_explain_show(struct cli *c, struct client *cl, struct str id)
{
    CLEANUP_REPLY struct reply r = {0};
    struct str at = flag_str(c, "at"), path = client_path(&c->arena, "jobs", id, ":explain");
    if (at.p) {
        struct sbuf query;
        sbuf_init(&query, &c->arena, CLI_INPUT_MAX);
        sbuf_put(&query, path);
        sbuf_puts(&query, "?at=");
        sbuf_url(&query, at);
        path = sbuf_str(&query);
    }
    int code = client_call(cl, &(struct call){.method = "GET", .path = path}, &r);
    if (code != CLI_OK)
        return code;
    if (c->out.form != OUTPUT_TABLE) {
        output_object(&c->out, NULL, "summary", r.json, r.body, &c->arena);
        return CLI_OK;
    }
    size_t i;
    json_t *s;
    json_array_foreach(json_object_get(r.json, "steps"), i, s)
    {
        struct str verdict = json_str(json_object_get(s, "verdict")),
                   remedy = json_str(json_object_get(s, "remedy"));
        fprintf(c->out.out, "%-4.*s %-12.*s %.*s\n", STR_ARG(verdict),
                STR_ARG(json_str(json_object_get(s, "step"))),
                STR_ARG(text_printable(json_str(json_object_get(s, "detail")), &c->arena)));
        if (remedy.n > 0)
            fprintf(c->out.out, "%18s→ %.*s\n", "", STR_ARG(text_printable(remedy, &c->arena)));
    }
    fprintf(c->out.out, "%.*s\n",
            STR_ARG(text_printable(json_str(json_object_get(r.json, "summary")), &c->arena)));
    return CLI_OK;
}
