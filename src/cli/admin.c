// SPDX-License-Identifier: Apache-2.0
// Commands that work on this machine without a server's answer: server, admin, setup-link, db. What they do is
// behind hooks; here are their words, their settings and their passwords.
#include "cli/commands.h"

enum { HOOK_TEXT_MAX = 1 << 20 };

static int hook_missing(const struct cli *c)
{
    fprintf(c->out.err, "chronos: this build has no \"%s\"\n", c->line.command->name);
    return CLI_FAILURE;
}

static int server_run(struct cli *c)
{
    struct config config;
    if (!cli_config(c, &config))
        return CLI_USAGE;
    if (!c->hooks->server)
        return hook_missing(c);
    return c->hooks->server(&config);
}

// Prints what the hook said, or why it failed.
static int hook_end(struct cli *c, bool ok, const struct sbuf *out, const struct err *err)
{
    struct str text = sbuf_str(out);
    fwrite(text.p, 1, text.n, c->out.out);
    if (text.n > 0 && text.p[text.n - 1] != '\n')
        fputc('\n', c->out.out);
    if (ok)
        return CLI_OK;
    int code = cli_fail(c, err);
    return code == CLI_USAGE && err->code == ERR_INVALID ? CLI_FAILURE : code;
}

typedef bool (*account_hook)(const struct config *, struct str, struct str, struct sbuf *, struct err *);
typedef bool (*plain_hook)(const struct config *, struct sbuf *, struct err *);

static int account_run(struct cli *c, account_hook hook)
{
    struct config config;
    struct err err;
    struct str password, email = line_arg(c, 0);
    struct sbuf out;
    sbuf_init(&out, &c->arena, HOOK_TEXT_MAX);
    if (!cli_config(c, &config))
        return CLI_USAGE;
    if (!hook)
        return hook_missing(c);
    if (str_find(email, '@') == email.n)
        return cli_usage(c, "\"%.*s\" is not an e-mail address", STR_ARG(email));
    if (!cli_password(c, true, &password, &err))
        return cli_fail(c, &err);
    bool ok = hook(&config, email, password, &out, &err);
    return hook_end(c, ok, &out, &err);
}

static int plain_run(struct cli *c, plain_hook hook)
{
    struct config config;
    struct err err;
    struct sbuf out;
    sbuf_init(&out, &c->arena, HOOK_TEXT_MAX);
    if (!cli_config(c, &config))
        return CLI_USAGE;
    if (!hook)
        return hook_missing(c);
    bool ok = hook(&config, &out, &err);
    return hook_end(c, ok, &out, &err);
}

static int admin_create_run(struct cli *c) { return account_run(c, c->hooks->admin_create); }
static int admin_reset_run(struct cli *c) { return account_run(c, c->hooks->admin_reset_password); }
static int setup_link_run(struct cli *c) { return plain_run(c, c->hooks->setup_link); }
static int forget_secrets_run(struct cli *c) { return plain_run(c, c->hooks->forget_secrets); }
static int forget_key_run(struct cli *c) { return plain_run(c, c->hooks->forget_key); }
static int db_migrate_run(struct cli *c) { return plain_run(c, c->hooks->db_migrate); }
static int db_check_run(struct cli *c) { return plain_run(c, c->hooks->db_check); }

static int rotate_key_run(struct cli *c)
{
    struct config config;
    struct err err;
    struct sbuf out;
    sbuf_init(&out, &c->arena, HOOK_TEXT_MAX);
    if (!cli_config(c, &config))
        return CLI_USAGE;
    if (!c->hooks->rotate_key)
        return hook_missing(c);
    bool ok = c->hooks->rotate_key(&config, flag_on(c, "revoke"), &out, &err);
    return hook_end(c, ok, &out, &err);
}

static void tell_line(void *ctx, struct str line)
{
    const struct cli *c = ctx;
    fprintf(c->out.err, "%.*s\n", STR_ARG(line));
    fflush(c->out.err);
}

static int db_copy_run(struct cli *c)
{
    struct config config;
    struct err err;
    struct sbuf out;
    const struct cli_copy what = {
        .from = flag_str(c, "from"), .to = flag_str(c, "to"), .tell = tell_line, .ctx = c};
    sbuf_init(&out, &c->arena, HOOK_TEXT_MAX);
    if (!what.to.n)
        return cli_usage(c, "where to? Give --to with sqlite:PATH, postgresql://…, mysql://… or @FILE");
    if (!cli_config(c, &config))
        return CLI_USAGE;
    if (!c->hooks->db_copy)
        return hook_missing(c);
    bool ok = c->hooks->db_copy(&config, &what, &out, &err);
    return hook_end(c, ok, &out, &err);
}

static const struct cli_flag copy_flags[] = {
    {"from", 0, "URL", "Database to read, or @FILE that holds its address (default: the setting db.url)"},
    {"to", 0, "URL", "Empty database to fill, or @FILE that holds its address"},
    {NULL, 0, NULL, NULL}};
static const struct cli_flag password_flags[] = {
    {"password-file", 0, "FILE", "Read the password from a file (default: prompt, or standard input)"},
    {NULL, 0, NULL, NULL}};

const struct cli_command command_server = {
    "server", NULL, "Run the server",
    (const struct cli_verb[]){
        {.args = "", .doc = "Run the server until SIGTERM", .run = server_run,
         .examples = "chronos server\n"
                     "chronos server --config /etc/chronos/chronos.yaml\n"
                     "chronos server --set data.dir=./var --set http.listen=127.0.0.1:9090"},
        {0}}};

const struct cli_command command_admin = {
    "admin", NULL, "Administrators, on the data store itself, without a server",
    (const struct cli_verb[]){
        {.name = "create", .args = "EMAIL", .doc = "Create an administrator", .args_min = 1, .args_max = 1,
         .flags = password_flags, .run = admin_create_run,
         .examples = "chronos admin create me@example.org\n"
                     "chronos admin create me@example.org --password-file ./secret\n"
                     "chronos admin reset-password me@example.org"},
        {.name = "reset-password", .args = "EMAIL", .doc = "Set a new password and end all sessions", .args_min = 1,
         .args_max = 1, .flags = password_flags, .run = admin_reset_run,
         .examples = "chronos admin reset-password me@example.org"},
        {.name = "forget-secrets", .args = "", .run = forget_secrets_run,
         .doc = "Delete every secret, when their key is lost; stop the servers first",
         .examples = "chronos admin forget-secrets"},
        {.name = "rotate-key", .args = "", .run = rotate_key_run,
         .flags = (const struct cli_flag[]){
             {"revoke", 0, NULL, "End every access token of the old keys at once: one of them is known to others"},
             {NULL, 0, NULL, NULL}},
         .doc = "Make a new key that signs access tokens; nobody has to sign in again",
         .examples = "chronos admin rotate-key\nchronos admin rotate-key --revoke"},
        {.name = "forget-key", .args = "", .run = forget_key_run,
         .doc = "Give up all keys, when auth.key is lost; stop the servers first",
         .examples = "chronos admin forget-key"},
        {0}}};

const struct cli_command command_setup_link = {
    "setup-link", NULL, "Print a new one-time link for the first administrator",
    (const struct cli_verb[]){
        {.args = "", .doc = "Print a new one-time link for the first administrator (valid one hour)",
         .run = setup_link_run, .examples = "chronos setup-link"},
        {0}}};

const struct cli_command command_db = {
    "db", NULL, "The data store",
    (const struct cli_verb[]){
        {.name = "migrate", .args = "", .doc = "Bring the tables to this version", .run = db_migrate_run,
         .examples = "chronos db migrate\nchronos db check --config /etc/chronos/chronos.yaml"},
        {.name = "check", .args = "", .doc = "Check that the store can be opened and is sound", .run = db_check_run,
         .examples = "chronos db check"},
        {.name = "copy", .args = "", .flags = copy_flags, .run = db_copy_run,
         .doc = "Move everything into another database, while no server runs",
         .examples = "chronos db copy --from sqlite:/var/lib/chronos/chronos.db --to @/etc/chronos/db-url\n"
                     "chronos db copy --from @old-url --to sqlite:./chronos.db"},
        {0}}};
