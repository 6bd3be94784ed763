// SPDX-License-Identifier: Apache-2.0
// Help texts, made of the tables of commands; and the topics that belong to no single command.
#include "cli/help.h"

#include "cli/commands.h"

enum { PAD_WORDS = 26, PAD_FLAGS = 26, FLAG_TEXT_MAX = 80 };

static const struct { const char *name, *text; } topics[] = {
    {"exit-codes",
     "0  done\n1  failure\n2  wrong usage or settings\n3  not found\n4  not signed in, or not allowed\n"
     "5  conflict: exists already, or not possible in this state\n6  server unreachable, or it cannot answer now\n"
     "7  the awaited run failed\n"},
    {"environment",
     "Client:\n"
     "  CHRONOS_URL         address of the server\n"
     "  CHRONOS_TOKEN       access token (CHRONOS_TOKEN_FILE: a file that holds it)\n"
     "  CHRONOS_OUTPUT      form of the output: table, json, yaml, jsonl, name\n"
     "  NO_COLOR            no colours\n"
     "  EDITOR              editor of job edit\n"
     "Server: every setting has a variable; see: chronos config env\n"},
    {"formats",
     "-o table   for people; times relative, --utc for instants\n"
     "-o json    the answer of the API, unchanged\n"
     "-o yaml    the same as YAML\n"
     "-o jsonl   one line for each element of a list\n"
     "-o name    names only, for xargs and loops\n"
     "Data goes to standard output, messages to standard error.\n"},
    {"schedules",
     "--every 5m                     elapsed time: 500ms, 30s, 5m, 1h30m, 2d\n"
     "--cron '0 2 * * 1-5' --tz Z    5 fields (Sunday 0 or 7), or 6 and 7 with seconds first (Sunday 1)\n"
     "--at 2027-03-28T02:30:00+02:00 once; also +10m from now\n"
     "Try one: chronos schedule next '30 2 * * *' --tz Europe/Berlin\n"}};

static void flags_print(FILE *to, const struct cli_flag *flags)
{
    for (const struct cli_flag *f = flags; f && f->name; f++) {
        char text[FLAG_TEXT_MAX];
        snprintf(text, sizeof text, "%s%c%s--%s%s%s", f->letter ? "-" : " ", f->letter ? f->letter : ' ',
                 f->letter ? ", " : "  ", f->name, f->arg ? " " : "", f->arg ? f->arg : "");
        fprintf(to, "  %-*s  %s\n", PAD_FLAGS, text, f->doc);
    }
}

static void examples_print(FILE *to, const char *examples)
{
    struct str rest = str_of(examples ? examples : ""), line;
    if (rest.n > 0)
        fputs("Examples:\n", to);
    while (rest.n > 0) {
        line = str_split(rest, '\n', &rest);
        fprintf(to, "  %.*s\n", STR_ARG(line));
    }
}

static void verb_print(FILE *to, const struct cli_command *command, const struct cli_verb *verb)
{
    examples_print(to, verb->examples);
    fprintf(to, "\n%s.\n\nUsage: chronos %s%s%s%s%s [flags]\n", verb->doc, command->name, verb->name ? " " : "",
            verb->name ? verb->name : "", verb->args[0] ? " " : "", verb->args);
    if (verb->flags) {
        fputs("\nFlags:\n", to);
        flags_print(to, verb->flags);
    }
    fputs("\nFlags of every command:\n", to);
    flags_print(to, cli_global_flags);
}

static void command_print(FILE *to, const struct cli_command *command)
{
    examples_print(to, command->verbs[0].examples);
    fprintf(to, "\n%s.\n\nUsage: chronos %s VERB [flags]\n\nVerbs:\n", command->doc, command->name);
    for (const struct cli_verb *v = command->verbs; v->run; v++) {
        char text[FLAG_TEXT_MAX];
        snprintf(text, sizeof text, "%s%s%s", v->name, v->args[0] ? " " : "", v->args);
        fprintf(to, "  %-*s  %s\n", PAD_WORDS, text, v->doc);
    }
    fprintf(to, "\nMore: chronos %s VERB -h\n", command->name);
}

static void program_print(FILE *to)
{
    fputs("Chronos runs jobs at the right time.\n\n", to);
    examples_print(to, "chronos server\n"
                       "chronos job create hello --http https://example.org/ --every 5m\n"
                       "chronos run list\n"
                       "chronos schedule next '30 2 * * *' --tz Europe/Berlin");
    fputs("\nCommands:\n", to);
    for (size_t i = 0; cli_commands[i]; i++)
        fprintf(to, "  %-14s  %s\n", cli_commands[i]->name, cli_commands[i]->doc);
    fputs("\nTopics (chronos help TOPIC):\n ", to);
    for (size_t i = 0; i < sizeof topics / sizeof topics[0]; i++)
        fprintf(to, " %s", topics[i].name);
    fputs("\n\nFlags of every command, before or after it:\n", to);
    flags_print(to, cli_global_flags);
}

void help_print(FILE *to, const struct cli_command *command, const struct cli_verb *verb)
{
    if (!command)
        program_print(to);
    else if (verb)
        verb_print(to, command, verb);
    else if (!command->verbs[0].name)
        verb_print(to, command, command->verbs);
    else
        command_print(to, command);
}

static int help_run(struct cli *c)
{
    struct str word = line_arg(c, 0), second = line_arg(c, 1);
    for (size_t i = 0; word.p && i < sizeof topics / sizeof topics[0]; i++) {
        if (str_is(word, topics[i].name)) {
            fputs(topics[i].text, c->out.out);
            return CLI_OK;
        }
    }
    const struct cli_command *command = word.p ? command_find(word) : NULL;
    if (word.p && !command)
        return cli_usage(c, "no help about \"%.*s\"; see chronos help", STR_ARG(word));
    const struct cli_verb *verb = command && second.p ? verb_find(command, second) : NULL;
    if (second.p && !verb)
        return cli_usage(c, "\"%s\" has no \"%.*s\"; see chronos %s -h", command->name, STR_ARG(second), command->name);
    help_print(c->out.out, command, verb);
    return CLI_OK;
}

const struct cli_command command_help = {
    "help", NULL, "Help about a command or a topic",
    (const struct cli_verb[]){
        {.args = "[COMMAND [VERB] | TOPIC]", .doc = "Help about a command or a topic", .args_max = 2, .run = help_run,
         .examples = "chronos help job create\nchronos help exit-codes"},
        {0}}};
