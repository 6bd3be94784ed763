// SPDX-License-Identifier: Apache-2.0
// Teams: make, list, rename, delete; who is in them.
#include "cli/account.h"
#include "cli/commands.h"
#include "cli/list.h"

enum { QUERY_MAX = 1024 };

static const struct column list_columns[] = {{"ID", "id", COLUMN_TEXT},
                                             {"NAME", "name", COLUMN_TEXT},
                                             {"MEMBERS", "memberCount", COLUMN_TEXT},
                                             {"DESCRIPTION", "description", COLUMN_TEXT},
                                             {NULL, NULL, COLUMN_TEXT}};
static const struct column member_columns[] = {{"USER", "userId", COLUMN_TEXT},
                                               {"EMAIL", "email", COLUMN_TEXT},
                                               {"ROLE", "role", COLUMN_TEXT},
                                               {NULL, NULL, COLUMN_TEXT}};

static int list_run(struct cli *c)
{
    struct sbuf query;
    sbuf_init(&query, &c->arena, QUERY_MAX);
    if (flag_on(c, "mine"))
        query_add(&query, "mine", STR("true"));
    return list_show(c, &(struct list){.path = STR(API_BASE "/teams"), .query = sbuf_str(&query),
                                       .columns = list_columns, .name_key = "name"});
}

static int create_run(struct cli *c)
{
    CLEANUP_REPLY struct reply r = {0};
    CLEANUP_JSON json_t *body = json_object();
    struct str name = line_arg(c, 0), text = flag_str(c, "description");
    if (json_object_set_new(body, "name", json_stringn(name.p, name.n)) != 0 ||
        (text.p && json_object_set_new(body, "description", json_stringn(text.p, text.n)) != 0))
        return cli_usage(c, "the name or the description is not UTF-8");
    const struct call call = {.method = "POST", .path = STR(API_BASE "/teams"), .body = body_of(c, body)};
    int code = client_once(c, &call, &r);
    if (code == CLI_OK)
        output_object(&c->out, list_columns, "name", r.json, r.body, &c->arena);
    return code;
}

// Opens the client and finds the team of the first argument.
static int open_team(struct cli *c, struct client *cl, struct str *ret_id)
{
    struct err err;
    if (!client_open(c, cl, &err))
        return cli_fail(c, &err);
    return team_resolve(cl, line_arg(c, 0), ret_id);
}

static int edit_run(struct cli *c)
{
    CLEANUP_REPLY struct reply r = {0};
    CLEANUP_JSON json_t *body = json_object();
    struct client cl;
    struct str id, name = flag_str(c, "name"), text = flag_str(c, "description");
    if ((name.p && json_object_set_new(body, "name", json_stringn(name.p, name.n)) != 0) ||
        (text.p && json_object_set_new(body, "description", json_stringn(text.p, text.n)) != 0))
        return cli_usage(c, "the name or the description is not UTF-8");
    if (json_object_size(body) == 0)
        return cli_usage(c, "what is to change? Give --name or --description");
    int code = open_team(c, &cl, &id);
    if (code != CLI_OK)
        return code;
    const struct call call = {.method = "PATCH", .path = client_path(&c->arena, "teams", id, ""),
                              .body = body_of(c, body)};
    code = client_call(&cl, &call, &r);
    if (code == CLI_OK)
        output_object(&c->out, list_columns, "name", r.json, r.body, &c->arena);
    return code;
}

static int delete_run(struct cli *c)
{
    CLEANUP_REPLY struct reply r = {0};
    struct client cl;
    struct str id, query;
    int code = open_team(c, &cl, &id);
    if (code == CLI_OK)
        code = transfer_query(&cl, &query);
    if (code != CLI_OK)
        return code;
    struct str path = client_path(&c->arena, "teams", id, "");
    const struct call call = {.method = "DELETE",
                              .path = arena_fmt(&c->arena, "%.*s%.*s", STR_ARG(path), STR_ARG(query))};
    code = client_call(&cl, &call, &r);
    if (code == CLI_OK)
        output_done(&c->out, "deleted %.*s", STR_ARG(text_printable(line_arg(c, 0), &c->arena)));
    return code;
}

static int members_run(struct cli *c)
{
    CLEANUP_REPLY struct reply r = {0};
    struct client cl;
    struct str id;
    int code = open_team(c, &cl, &id);
    if (code != CLI_OK)
        return code;
    const struct call call = {.method = "GET", .path = client_path(&c->arena, "teams", id, "/members")};
    code = client_call(&cl, &call, &r);
    if (code == CLI_OK)
        output_list(&c->out, member_columns, "email", r.json, r.body, &c->arena);
    return code;
}

// Path of a membership; the second argument is a user.
static int member_path(struct cli *c, struct client *cl, struct str *ret)
{
    struct str team, user;
    int code = open_team(c, cl, &team);
    if (code == CLI_OK)
        code = user_resolve(cl, line_arg(c, 1), &user);
    if (code == CLI_OK)
        *ret = arena_fmt(&c->arena, "%.*s/%.*s", STR_ARG(client_path(&c->arena, "teams", team, "/members")),
                         STR_ARG(user));
    return code;
}

static int add_run(struct cli *c)
{
    CLEANUP_REPLY struct reply r = {0};
    struct client cl;
    struct str path;
    int code = member_path(c, &cl, &path);
    if (code != CLI_OK)
        return code;
    const struct call call = {.method = "PUT", .path = path,
                              .body = flag_on(c, "manager") ? STR("{\"role\":\"MANAGER\"}")
                                                            : STR("{\"role\":\"MEMBER\"}")};
    code = client_call(&cl, &call, &r);
    if (code == CLI_OK)
        output_object(&c->out, member_columns, "email", r.json, r.body, &c->arena);
    return code;
}

static int remove_run(struct cli *c)
{
    CLEANUP_REPLY struct reply r = {0};
    struct client cl;
    struct str path;
    int code = member_path(c, &cl, &path);
    if (code != CLI_OK)
        return code;
    code = client_call(&cl, &(struct call){.method = "DELETE", .path = path}, &r);
    if (code == CLI_OK)
        output_done(&c->out, "%.*s is out of %.*s", STR_ARG(text_printable(line_arg(c, 1), &c->arena)),
                    STR_ARG(text_printable(line_arg(c, 0), &c->arena)));
    return code;
}

#define NO_FLAG                                                                                              \
    {                                                                                                        \
        NULL, 0, NULL, NULL                                                                                  \
    }
static const struct cli_flag list_flags[] = {{"mine", 'm', NULL, "Only those you are in"}, LIST_FLAGS, NO_FLAG};
static const struct cli_flag create_flags[] = {{"description", 0, "TEXT", "What the team does"}, NO_FLAG};
static const struct cli_flag edit_flags[] = {
    {"name", 0, "NAME", "New name"}, {"description", 0, "TEXT", "What the team does"}, NO_FLAG};
static const struct cli_flag delete_flags[] = {
    {"transfer-to", 0, "USER", "Who gets the jobs: an address, an id, or team:NAME"}, NO_FLAG};
static const struct cli_flag add_flags[] = {{"manager", 0, NULL, "May take others in and out"}, NO_FLAG};

const struct cli_command command_team = {
    "team", "teams", "Teams: people who own jobs and secrets together",
    (const struct cli_verb[]){
        {.name = "list", .alias = "ls", .args = "", .flags = list_flags, .run = list_run,
         .doc = "List your teams; administrators: all", .examples = "chronos team list"},
        {.name = "create", .args = "NAME", .args_min = 1, .args_max = 1, .flags = create_flags, .run = create_run,
         .doc = "Make a team; administrators only", .examples = "chronos team create billing"},
        {.name = "edit", .args = "TEAM", .args_min = 1, .args_max = 1, .flags = edit_flags, .run = edit_run,
         .doc = "Change name or description", .examples = "chronos team edit billing --name invoices"},
        {.name = "members", .args = "TEAM", .args_min = 1, .args_max = 1, .run = members_run,
         .doc = "List who is in a team", .examples = "chronos team members billing"},
        {.name = "add", .args = "TEAM USER", .args_min = 2, .args_max = 2, .flags = add_flags, .run = add_run,
         .doc = "Take a user in, by id or, for administrators, by address",
         .examples = "chronos team add billing ada@example.org --manager"},
        {.name = "remove", .args = "TEAM USER", .args_min = 2, .args_max = 2, .run = remove_run,
         .doc = "Take a user out: access ends at once", .examples = "chronos team remove billing ada@example.org"},
        {.name = "delete", .alias = "rm", .args = "TEAM", .args_min = 1, .args_max = 1, .flags = delete_flags,
         .run = delete_run, .doc = "Delete a team with its secrets",
         .examples = "chronos team delete billing --transfer-to team:invoices"},
        {0}}};
