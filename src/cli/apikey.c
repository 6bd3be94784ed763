// SPDX-License-Identifier: Apache-2.0
// API keys: make, list, revoke. A new key goes to standard output alone, so that it can be piped into a vault.
#include "cli/account.h"
#include "cli/commands.h"
#include "cli/list.h"

enum { QUERY_MAX = 1024, DAYS_MAX = 3650, HOURS_PER_DAY = 24 };

static const struct column columns[] = {
    {"ID", "id", COLUMN_TEXT},          {"NAME", "name", COLUMN_TEXT},         {"SCOPES", "scopes", COLUMN_LIST},
    {"CREATED", "createdAt", COLUMN_TIME}, {"EXPIRES", "expiresAt", COLUMN_TIME},
    {"LAST USED", "lastUsedAt", COLUMN_TIME},
    {NULL, NULL, COLUMN_TEXT}};

static bool expiry_put(struct cli *c, json_t *body, struct err *err)
{
    int64_t days;
    char text[INSTANT_TEXT_MAX];
    if (!flag_str(c, "days").p)
        return true;
    if (!flag_i64(c, "days", 1, DAYS_MAX, 1, &days, err))
        return false;
    struct instant at = instant_add(clock_now(c->clock), duration_s(days * HOURS_PER_DAY * 3600));
    (void)json_object_set_new(body, "expiresAt", json_string(instant_format(at, text)));
    return true;
}

static int create_run(struct cli *c)
{
    CLEANUP_REPLY struct reply r = {0};
    CLEANUP_JSON json_t *body = json_object();
    struct client cl;
    struct err err;
    struct str name = line_arg(c, 0);
    if (!client_open(c, &cl, &err) || !expiry_put(c, body, &err))
        return cli_fail(c, &err);
    if (json_object_set_new(body, "name", json_stringn(name.p, name.n)) != 0 || !words_put(c, body, "scopes", "scope"))
        return cli_usage(c, "the name or a scope is not UTF-8");
    if (!json_object_get(body, "scopes"))
        return cli_usage(c, "what may the key do? Give --scope, such as --scope job.read, or --scope '*'");
    const struct call call = {.method = "POST", .path = STR(API_BASE "/api-keys"), .body = body_of(c, body)};
    int code = client_call(&cl, &call, &r);
    if (code != CLI_OK)
        return code;
    if (c->out.form == OUTPUT_TABLE)
        fprintf(c->out.out, "%.*s\n", STR_ARG(text_printable(json_str(json_object_get(r.json, "token")), &c->arena)));
    else
        output_object(&c->out, columns, "id", r.json, r.body, &c->arena);
    output_done(&c->out, "  → this key is not shown again; programs send it as CHRONOS_TOKEN or "
                         "\"Authorization: Bearer\"");
    return code;
}

static int list_run(struct cli *c)
{
    struct sbuf query;
    struct client cl;
    struct err err;
    struct str id;
    sbuf_init(&query, &c->arena, QUERY_MAX);
    if (flag_on(c, "everybody"))
        query_add(&query, "all", STR("true"));
    if (flag_str(c, "owner").p) {
        if (!client_open(c, &cl, &err))
            return cli_fail(c, &err);
        int code = user_resolve(&cl, flag_str(c, "owner"), &id);
        if (code != CLI_OK)
            return code;
        query_add(&query, "ownerId", id);
    }
    return list_show(c, &(struct list){.path = STR(API_BASE "/api-keys"), .query = sbuf_str(&query),
                                       .columns = columns, .name_key = "id"});
}

static int delete_run(struct cli *c)
{
    int worst = CLI_OK;
    for (size_t i = 0; i < c->line.args_n; i++) {
        CLEANUP_REPLY struct reply r = {0};
        const struct call call = {.method = "DELETE", .path = client_path(&c->arena, "api-keys", line_arg(c, i), "")};
        int code = client_once(c, &call, &r);
        if (code == CLI_OK)
            output_done(&c->out, "revoked %.*s", STR_ARG(text_printable(line_arg(c, i), &c->arena)));
        worst = code != CLI_OK ? code : worst;
    }
    return worst;
}

#define NO_FLAG                                                                                              \
    {                                                                                                        \
        NULL, 0, NULL, NULL                                                                                  \
    }
static const struct cli_flag create_flags[] = {
    {"scope", 's', "ACTION", "What it may do: job.read, job.run, …, or '*'; may be repeated"},
    {"days", 'd', "N", "How many days it is good for (default: it does not expire)"},
    NO_FLAG};
static const struct cli_flag list_flags[] = {{"owner", 0, "USER", "Those of this user; administrators only"},
                                             {"everybody", 0, NULL, "Those of all users; administrators only"},
                                             LIST_FLAGS,
                                             NO_FLAG};

const struct cli_command command_apikey = {
    "apikey", "apikeys", "API keys: what programs sign in with",
    (const struct cli_verb[]){
        {.name = "create", .args = "NAME", .args_min = 1, .args_max = 1, .flags = create_flags, .run = create_run,
         .doc = "Make an API key; it is printed this once",
         .examples = "chronos apikey create deploy --scope job.read --scope job.run --days 90\n"
                     "CHRONOS_TOKEN=$(chronos apikey create backup --scope '*') chronos job list"},
        {.name = "list", .alias = "ls", .args = "", .flags = list_flags, .run = list_run,
         .doc = "List API keys and when they were last used", .examples = "chronos apikey list"},
        {.name = "delete", .alias = "rm", .args = "ID…", .args_min = 1, .args_max = CLI_ARGS_ANY, .run = delete_run,
         .doc = "Revoke API keys, at once", .examples = "chronos apikey delete 01JD4Y8Q9T5W0V7N3M2K1H6G8F"},
        {0}}};
