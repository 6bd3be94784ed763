// SPDX-License-Identifier: Apache-2.0
// The dispatcher: the one list of commands, the flags they all take, and one call from argv to exit code.
#include "cli/cli.h"

#include <stdarg.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/help.h"

extern char **environ;

const struct cli_command *const cli_commands[] = {&command_server,       &command_job,
                                                  &command_run,          &command_dlq,
                                                  &command_secret,       &command_user,
                                                  &command_apikey,       &command_team,
                                                  &command_breaker,      &command_audit,
                                                  &command_notification, &command_feature,
                                                  &command_node,         &command_schedule,
                                                  &command_login,        &command_logout,
                                                  &command_whoami,       &command_admin,
                                                  &command_setup_link,   &command_db,
                                                  &command_config,       &command_doctor,
                                                  &command_healthcheck,  &command_version,
                                                  &command_help,         NULL};

const struct cli_flag cli_global_flags[] = {
    {"help", 'h', NULL, "Help with examples"},
    {"output", 'o', "FORM", "table, json, yaml, jsonl or name (CHRONOS_OUTPUT)"},
    {"url", 0, "URL", "Address of the server (CHRONOS_URL; default http://127.0.0.1:8080)"},
    {"utc", 0, NULL, "Show times as instants instead of \"5 m ago\""},
    {"no-headers", 0, NULL, "Leave the titles of tables out"},
    {"color", 0, "WHEN", "auto, always or never (NO_COLOR)"},
    {"config", 'c', "FILE", "Settings file, for commands that work on this machine (CHRONOS_CONFIG)"},
    {"set", 0, "NAME=VALUE", "One setting, may be repeated, for commands that work on this machine"},
    {NULL, 0, NULL, NULL}};

struct str cli_env(const struct cli *c, const char *name)
{
    size_t n = strlen(name);
    for (size_t i = 0; c->env && c->env[i]; i++) {
        if (strncmp(c->env[i], name, n) == 0 && c->env[i][n] == '=' && c->env[i][n + 1])
            return str_of(c->env[i] + n + 1);
    }
    return STR_NONE;
}

int cli_fail(const struct cli *c, const struct err *err)
{
    fprintf(c->out.err, "chronos: %s\n", err->text);
    return problem_exit_of(err->code);
}

int cli_usage(const struct cli *c, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fputs("chronos: ", c->out.err);
    vfprintf(c->out.err, fmt, args);
    fputc('\n', c->out.err);
    va_end(args);
    return CLI_USAGE;
}

// Colour of one stream: --color, then what the environment says, then whether it is a terminal.
static bool color_wanted(const struct cli *c, struct str when, bool terminal)
{
    if (str_is(when, "always") || str_is(when, "never"))
        return str_is(when, "always");
    if (cli_env(c, "NO_COLOR").p || cli_env(c, "CHRONOS_NO_COLOR").p || str_is(cli_env(c, "TERM"), "dumb"))
        return false;
    return terminal || cli_env(c, "CLICOLOR_FORCE").p;
}

static int word_index(const char *const *words, struct str word)
{
    for (int i = 0; words[i]; i++) {
        if (str_is(word, words[i]))
            return i;
    }
    return -1;
}

static bool output_choose(struct cli *c, struct err *err)
{
    struct str when = flag_str(c, "color"), form = flag_str(c, "output");
    static const char *const whens[] = {"auto", "always", "never", NULL};
    bool by_flag = form.p != NULL;
    if (!by_flag)
        form = cli_env(c, "CHRONOS_OUTPUT");
    int i = form.p ? word_index(output_form_names, form) : OUTPUT_TABLE;
    if (i < 0)
        return ERR(err, ERR_INVALID, "%s: \"%.*s\" is not table, json, yaml, jsonl or name",
                   by_flag ? "--output" : "CHRONOS_OUTPUT", STR_ARG(form));
    if (when.p && word_index(whens, when) < 0)
        return ERR(err, ERR_INVALID, "--color: \"%.*s\" is not auto, always or never", STR_ARG(when));
    c->out.form = (enum output_form)i;
    c->out.terminal = isatty(STDOUT_FILENO) == 1;
    c->out.color = color_wanted(c, when, c->out.terminal);
    c->out.color_err = color_wanted(c, when, isatty(STDERR_FILENO) == 1);
    c->out.headers = !flag_on(c, "no-headers");
    c->out.utc = flag_on(c, "utc");
    return true;
}

bool cli_config(struct cli *c, struct config *ret)
{
    struct faults faults, warnings;
    struct str sets[CLI_GIVEN_MAX], file = flag_str(c, "config");
    size_t n = 0;
    faults_init(&faults, &c->arena);
    faults_init(&warnings, &c->arena);
    for (size_t i = 0; n < CLI_GIVEN_MAX && flag_each(c, "set", &i, &sets[n]);)
        n++;
    const struct config_inputs in = {.file = file.p, .env = c->env, .sets = sets, .sets_n = n};
    bool ok = config_load(&in, ret, &faults, &warnings, &c->arena);
    for (size_t i = 0; i < warnings.n; i++)
        fprintf(c->out.err, "chronos: warning: %.*s: %.*s\n", STR_ARG(warnings.v[i].pointer),
                STR_ARG(warnings.v[i].detail));
    for (size_t i = 0; i < faults.n; i++)
        fprintf(c->out.err, "chronos: setting %.*s: %.*s\n", STR_ARG(faults.v[i].pointer),
                STR_ARG(faults.v[i].detail));
    return ok;
}

static int run_line(struct cli *c, int argc, char **argv)
{
    struct err err;
    if (!line_parse(argc, argv, &c->line, &c->arena, &err)) {
        int code = cli_fail(c, &err);
        fputs("  → see: chronos help\n", c->out.err);
        return code;
    }
    if (!output_choose(c, &err))
        return cli_fail(c, &err);
    if (c->line.help || !c->line.command) {
        help_print(c->out.out, c->line.command, c->line.verb);
        return CLI_OK;
    }
    if (!c->line.verb) {
        help_print(c->out.err, c->line.command, NULL);
        return CLI_USAGE;
    }
    return c->line.verb->run(c);
}

int cli_main(int argc, char **argv, const struct cli_hooks *hooks)
{
    static char version[] = "version";
    struct cli c = {.hooks = hooks, .clock = clock_real(), .env = (const char *const *)environ};
    arena_init(&c.arena, CLI_ARENA_BYTES);
    c.out = (struct output){.out = stdout, .err = stderr, .headers = true, .now = clock_now(c.clock)};
    if (argc == 2 && (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0))
        argv[1] = version;
    int code = run_line(&c, argc, argv);
    // Output that never arrived (disk full) must not look like success; a closed pipe ends us by SIGPIPE.
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fputs("chronos: standard output could not be written\n", stderr);
        code = code == CLI_OK ? CLI_FAILURE : code;
    }
    arena_release(&c.arena);
    return code;
}
