// SPDX-License-Identifier: Apache-2.0
// Secrets: put from a file, standard input or a prompt; list; delete; seal all again. Never a value on the
// command line.
#include <unistd.h>

#include "cli/commands.h"
#include "cli/list.h"
#include "model/secret.h"

enum { BODY_MAX = 8 * SECRET_VALUE_MAX, QUERY_MAX = 1024 };

static const struct column columns[] = {
    {"NAME", "name", COLUMN_TEXT},         {"SHARED", "shared", COLUMN_TEXT},
    {"OWNER", "ownerId", COLUMN_TEXT},     {"CREATED", "createdAt", COLUMN_TIME},
    {"UPDATED", "updatedAt", COLUMN_TIME}, {NULL, NULL, COLUMN_TEXT}};

static bool value_read(struct cli *c, struct str *ret, struct err *err)
{
    struct str file = flag_str(c, "value-file"), text;
    if (!file.p && isatty(STDIN_FILENO))
        return cli_hidden(c, "Value: ", ret, err);
    if (!cli_read(c, file.p ? file : STR("-"), SECRET_VALUE_MAX, &text, err))
        return false;
    if (!flag_on(c, "keep-newline") && text.n > 0 && text.p[text.n - 1] == '\n')
        text.n -= 1 + (text.n > 1 && text.p[text.n - 2] == '\r');
    *ret = text;
    return true;
}

static int set_run(struct cli *c)
{
    CLEANUP_REPLY struct reply r = {0};
    struct err err;
    struct str value;
    struct sbuf body;
    sbuf_init(&body, &c->arena, BODY_MAX);
    if (!value_read(c, &value, &err))
        return cli_fail(c, &err);
    if (value.n < SECRET_VALUE_MIN)
        return cli_usage(
            c,
            "the value is shorter than %d characters: give it in --value-file, on standard input or at "
            "the prompt of a terminal",
            SECRET_VALUE_MIN);
    sbuf_puts(&body, "{\"value\":");
    sbuf_json(&body, value);
    sbuf_puts(&body, flag_on(c, "shared") ? ",\"shared\":true}" : "}");
    const struct call call = {.method = "PUT",
                              .body = sbuf_str(&body),
                              .path = client_path(&c->arena, "secrets", line_arg(c, 0), "")};
    int code = client_once(c, &call, &r);
    if (code == CLI_OK && c->out.form == OUTPUT_TABLE)
        fprintf(c->out.out, "secret %.*s is set; jobs use it as {{secret.%.*s}}\n",
                STR_ARG(text_printable(line_arg(c, 0), &c->arena)),
                STR_ARG(text_printable(line_arg(c, 0), &c->arena)));
    else if (code == CLI_OK)
        output_object(&c->out, columns, "name", r.json, r.body, &c->arena);
    return code;
}

static int list_run(struct cli *c)
{
    return list_show(
        c, &(struct list){
               .path = STR(API_BASE "/secrets"), .query = STR(""), .columns = columns, .name_key = "name"});
}

static int delete_run(struct cli *c)
{
    int worst = CLI_OK;
    struct sbuf query;
    sbuf_init(&query, &c->arena, QUERY_MAX);
    if (flag_on(c, "shared"))
        query_add(&query, "shared", STR("true"));
    query_flag(c, &query, "ownerId", "owner");
    struct str tail = query.n ? arena_fmt(&c->arena, "?%.*s", STR_ARG(sbuf_str(&query))) : STR("");
    for (size_t i = 0; i < c->line.args_n; i++) {
        CLEANUP_REPLY struct reply r = {0};
        struct str path = client_path(&c->arena, "secrets", line_arg(c, i), "");
        const struct call call = {.method = "DELETE",
                                  .path = arena_fmt(&c->arena, "%.*s%.*s", STR_ARG(path), STR_ARG(tail))};
        int code = client_once(c, &call, &r);
        if (code == CLI_OK)
            fprintf(c->out.out, "deleted %.*s\n", STR_ARG(text_printable(line_arg(c, i), &c->arena)));
        worst = code != CLI_OK ? code : worst;
    }
    return worst;
}

static int rotate_run(struct cli *c)
{
    struct client cl;
    struct err err;
    int64_t resealed = 0;
    if (!client_open(c, &cl, &err))
        return cli_fail(c, &err);
    for (bool more = true; more;) {
        CLEANUP_REPLY struct reply r = {0};
        const struct call call = {.method = "POST", .path = STR(API_BASE "/secrets:rotate")};
        int code = client_call(&cl, &call, &r);
        if (code != CLI_OK)
            return code;
        resealed += json_integer_value(json_object_get(r.json, "resealed"));
        int64_t total = json_integer_value(json_object_get(r.json, "total"));
        int64_t failed = json_integer_value(json_object_get(r.json, "failed"));
        more = json_is_true(json_object_get(r.json, "more"));
        fprintf(c->out.err, "%lld looked at, %lld sealed again\n", (long long)total, (long long)resealed);
        if (!more && failed > 0) {
            fprintf(c->out.err,
                    "chronos: %lld secrets were sealed with keys this server does not have: add those to "
                    "secrets.key, "
                    "or set the secrets again; the server's log names them\n",
                    (long long)failed);
            return CLI_FAILURE;
        }
    }
    fputs("every secret is sealed with the first key; older keys may be taken out of secrets.key\n",
          c->out.out);
    return CLI_OK;
}

#define NO_FLAG                                                                                              \
    {                                                                                                        \
        NULL, 0, NULL, NULL                                                                                  \
    }
static const struct cli_flag set_flags[] = {
    {"value-file", 'f', "FILE", "Read the value from a file (default: prompt, or standard input)"},
    {"keep-newline", 0, NULL, "Keep the line end behind the value"},
    {"shared", 0, NULL, "For the jobs of every user; administrators only"},
    NO_FLAG};
static const struct cli_flag delete_flags[] = {
    {"shared", 0, NULL, "The shared one"},
    {"owner", 0, "ID", "The one of this user; administrators only"},
    NO_FLAG};
static const struct cli_flag list_flags[] = {
    {"limit", 'n', "N", "Rows at most, 1 to 200 (default 20)"},
    {"cursor", 0, "CURSOR", "Go on after an earlier answer's nextCursor"},
    {"all", 0, NULL, "Every row, page after page (not with -o json and yaml)"},
    NO_FLAG};

const struct cli_command command_secret = {
    "secret", "secrets", "Secrets: values that jobs use and nobody can read back",
    (const struct cli_verb[]){{.name = "set",
                               .alias = "put",
                               .args = "NAME",
                               .args_min = 1,
                               .args_max = 1,
                               .flags = set_flags,
                               .run = set_run,
                               .doc = "Set the value of a secret",
                               .examples = "chronos secret set db.password --value-file ./password\n"
                                           "pass show db | chronos secret set db.password\n"
                                           "chronos secret set proxy.token --shared < token"},
                              {.name = "list",
                               .alias = "ls",
                               .args = "",
                               .flags = list_flags,
                               .run = list_run,
                               .doc = "List names, owners and dates",
                               .examples = "chronos secret list --all"},
                              {.name = "delete",
                               .alias = "rm",
                               .args = "NAME…",
                               .args_min = 1,
                               .args_max = CLI_ARGS_ANY,
                               .flags = delete_flags,
                               .run = delete_run,
                               .doc = "Delete secrets; jobs that use them fail from then on",
                               .examples = "chronos secret delete db.password"},
                              {.name = "rotate",
                               .args = "",
                               .run = rotate_run,
                               .doc = "Seal every secret again with the first key of secrets.key",
                               .examples = "chronos secret rotate"},
                              {0}}};
