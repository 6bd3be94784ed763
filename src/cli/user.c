// SPDX-License-Identifier: Apache-2.0
// Accounts, for administrators: make, list, change, disable, delete, reset the password. Never a password on the
// command line.
#include "cli/account.h"
#include "cli/commands.h"
#include "cli/list.h"

enum { QUERY_MAX = 1024 };

static const struct column list_columns[] = {
    {"ID", "id", COLUMN_TEXT},           {"EMAIL", "email", COLUMN_TEXT},     {"ROLES", "roles", COLUMN_LIST},
    {"ENABLED", "enabled", COLUMN_TEXT}, {"CREATED", "createdAt", COLUMN_TIME}, {NULL, NULL, COLUMN_TEXT}};
static const struct column record_columns[] = {{"id", "id", COLUMN_TEXT},
                                               {"email", "email", COLUMN_TEXT},
                                               {"roles", "roles", COLUMN_LIST},
                                               {"enabled", "enabled", COLUMN_TEXT},
                                               {"must change password", "mustChangePassword", COLUMN_TEXT},
                                               {"created", "createdAt", COLUMN_TIME},
                                               {NULL, NULL, COLUMN_TEXT}};

static int list_run(struct cli *c)
{
    struct sbuf query;
    sbuf_init(&query, &c->arena, QUERY_MAX);
    query_flag(c, &query, "email", "email");
    query_flag(c, &query, "role", "role");
    if (flag_on(c, "disabled"))
        query_add(&query, "enabled", STR("false"));
    return list_show(c, &(struct list){.path = STR(API_BASE "/users"), .query = sbuf_str(&query),
                                       .columns = list_columns, .name_key = "email"});
}

// The account as it is now, and the password that was made for it.
static void show_made(struct cli *c, const struct reply *r)
{
    struct str once = json_str(json_object_get(r->json, "oneTimePassword"));
    output_object(&c->out, record_columns, "email", r->json, r->body, &c->arena);
    if (c->out.form == OUTPUT_TABLE && once.n > 0)
        fprintf(c->out.out, "one-time password: %.*s\n", STR_ARG(text_printable(once, &c->arena)));
    if (once.n > 0)
        output_done(&c->out, "  → good for 72 hours and one sign-in, which changes it; it is not shown again");
}

// Puts the password of --password-file or, with --prompt, of the terminal into the body.
static bool password_put(struct cli *c, json_t *body, struct err *err)
{
    struct str password;
    if (!flag_str(c, "password-file").p && !flag_on(c, "prompt"))
        return true;
    if (!cli_password(c, true, &password, err))
        return false;
    return json_object_set_new(body, "password", json_stringn(password.p, password.n)) == 0 ||
           ERR(err, ERR_INVALID, "the password is not UTF-8");
}

static int send_body(struct client *cl, const char *method, struct str path, const json_t *body, struct reply *ret)
{
    const struct call call = {.method = method, .path = path, .body = body_of(cl->cli, body)};
    return client_call(cl, &call, ret);
}

static int create_run(struct cli *c)
{
    CLEANUP_REPLY struct reply r = {0};
    CLEANUP_JSON json_t *body = json_object();
    struct client cl;
    struct err err;
    struct str email = line_arg(c, 0);
    if (!client_open(c, &cl, &err) || !password_put(c, body, &err))
        return cli_fail(c, &err);
    if (json_object_set_new(body, "email", json_stringn(email.p, email.n)) != 0 || !words_put(c, body, "roles", "role"))
        return cli_usage(c, "the address or a role is not UTF-8");
    int code = send_body(&cl, "POST", STR(API_BASE "/users"), body, &r);
    if (code == CLI_OK)
        show_made(c, &r);
    return code;
}

static int get_run(struct cli *c)
{
    CLEANUP_REPLY struct reply r = {0};
    struct client cl;
    struct err err;
    struct str id;
    if (!client_open(c, &cl, &err))
        return cli_fail(c, &err);
    int code = user_resolve(&cl, line_arg(c, 0), &id);
    if (code != CLI_OK)
        return code;
    const struct call call = {.method = "GET", .path = client_path(&c->arena, "users", id, "")};
    code = client_call(&cl, &call, &r);
    if (code == CLI_OK)
        output_object(&c->out, record_columns, "email", r.json, r.body, &c->arena);
    return code;
}

static int edit(struct cli *c, const json_t *body)
{
    CLEANUP_REPLY struct reply r = {0};
    struct client cl;
    struct err err;
    struct str id;
    if (!client_open(c, &cl, &err))
        return cli_fail(c, &err);
    int code = user_resolve(&cl, line_arg(c, 0), &id);
    if (code == CLI_OK)
        code = send_body(&cl, "PATCH", client_path(&c->arena, "users", id, ""), body, &r);
    if (code == CLI_OK)
        output_object(&c->out, record_columns, "email", r.json, r.body, &c->arena);
    return code;
}

static int edit_run(struct cli *c)
{
    CLEANUP_JSON json_t *body = json_object();
    if (!words_put(c, body, "roles", "role") || json_object_size(body) == 0)
        return cli_usage(c, "what is to change? Give --role, as often as the user is to have roles");
    return edit(c, body);
}

static int enabled_run(struct cli *c, bool on)
{
    CLEANUP_JSON json_t *body = json_object();
    (void)json_object_set_new(body, "enabled", json_boolean(on));
    return edit(c, body);
}

static int disable_run(struct cli *c) { return enabled_run(c, false); }
static int enable_run(struct cli *c) { return enabled_run(c, true); }

static int delete_run(struct cli *c)
{
    CLEANUP_REPLY struct reply r = {0};
    struct client cl;
    struct err err;
    struct str id, query;
    if (!client_open(c, &cl, &err))
        return cli_fail(c, &err);
    int code = user_resolve(&cl, line_arg(c, 0), &id);
    if (code == CLI_OK)
        code = transfer_query(&cl, &query);
    if (code != CLI_OK)
        return code;
    struct str path = client_path(&c->arena, "users", id, "");
    const struct call call = {.method = "DELETE",
                              .path = arena_fmt(&c->arena, "%.*s%.*s", STR_ARG(path), STR_ARG(query))};
    code = client_call(&cl, &call, &r);
    if (code == CLI_OK)
        output_done(&c->out, "deleted %.*s", STR_ARG(text_printable(line_arg(c, 0), &c->arena)));
    return code;
}

static int reset_run(struct cli *c)
{
    CLEANUP_REPLY struct reply r = {0};
    CLEANUP_JSON json_t *body = json_object();
    struct client cl;
    struct err err;
    struct str id;
    if (!client_open(c, &cl, &err))
        return cli_fail(c, &err);
    int code = user_resolve(&cl, line_arg(c, 0), &id);
    if (code != CLI_OK)
        return code;
    if (!password_put(c, body, &err))
        return cli_fail(c, &err);
    code = send_body(&cl, "POST", client_path(&c->arena, "users", id, ":reset-password"), body, &r);
    if (code == CLI_OK)
        show_made(c, &r);
    return code;
}

#define NO_FLAG                                                                                              \
    {                                                                                                        \
        NULL, 0, NULL, NULL                                                                                  \
    }
#define ROLE_FLAG {"role", 'r', "ROLE", "ADMIN, OPERATOR, USER, VIEWER or AUDITOR; may be repeated"}
#define PASSWORD_FLAGS                                                                                       \
    {"password-file", 0, "FILE", "Read the password from a file, - for standard input (default: one is made)"}, \
    {"prompt", 0, NULL, "Ask for the password"}
static const struct cli_flag list_flags[] = {{"email", 'e', "PART", "Part of the address"},
                                             {"role", 'r', "ROLE", "Who have this role"},
                                             {"disabled", 0, NULL, "Who may not sign in"},
                                             LIST_FLAGS,
                                             NO_FLAG};
static const struct cli_flag create_flags[] = {ROLE_FLAG, PASSWORD_FLAGS, NO_FLAG};
static const struct cli_flag edit_flags[] = {ROLE_FLAG, NO_FLAG};
static const struct cli_flag reset_flags[] = {PASSWORD_FLAGS, NO_FLAG};
static const struct cli_flag delete_flags[] = {
    {"transfer-to", 0, "USER", "Who gets the jobs: an address, an id, or team:NAME"}, NO_FLAG};

const struct cli_command command_user = {
    "user", "users", "Accounts, for administrators",
    (const struct cli_verb[]){
        {.name = "list", .alias = "ls", .args = "", .flags = list_flags, .run = list_run, .doc = "List accounts",
         .examples = "chronos user list --role ADMIN"},
        {.name = "create", .args = "EMAIL", .args_min = 1, .args_max = 1, .flags = create_flags, .run = create_run,
         .doc = "Make an account; without a password it gets one for one sign-in, shown once",
         .examples = "chronos user create ada@example.org\n"
                     "chronos user create ops@example.org --role OPERATOR --password-file ./password"},
        {.name = "get", .alias = "show", .args = "USER", .args_min = 1, .args_max = 1, .run = get_run,
         .doc = "Show an account, by address or id", .examples = "chronos user get ada@example.org"},
        {.name = "edit", .args = "USER", .args_min = 1, .args_max = 1, .flags = edit_flags, .run = edit_run,
         .doc = "Give other roles; every session of the user ends",
         .examples = "chronos user edit ada@example.org --role USER --role AUDITOR"},
        {.name = "disable", .args = "USER", .args_min = 1, .args_max = 1, .run = disable_run,
         .doc = "Lock an account at once; its jobs go on", .examples = "chronos user disable ada@example.org"},
        {.name = "enable", .args = "USER", .args_min = 1, .args_max = 1, .run = enable_run,
         .doc = "Let somebody sign in again", .examples = "chronos user enable ada@example.org"},
        {.name = "delete", .alias = "rm", .args = "USER", .args_min = 1, .args_max = 1, .flags = delete_flags,
         .run = delete_run, .doc = "Delete an account with its keys and secrets; its history stays",
         .examples = "chronos user delete ada@example.org --transfer-to team:billing"},
        {.name = "reset-password", .args = "USER", .args_min = 1, .args_max = 1, .flags = reset_flags,
         .run = reset_run, .doc = "Give a password that must be changed at the next sign-in",
         .examples = "chronos user reset-password ada@example.org"},
        {0}}};
