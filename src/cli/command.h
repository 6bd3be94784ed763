// SPDX-License-Identifier: Apache-2.0
// What a command is to the dispatcher: a noun with verbs, each verb with its flags, help and function.
// One file per noun defines one const struct cli_command; cli.c holds the one list of them.
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include "base/clock.h"
#include "cli/cli.h"
#include "cli/output.h"

struct cli;

struct cli_flag {
    const char *name; // without dashes
    char letter;      // 'o' for -o, or 0
    const char *arg;  // what stands behind it ("FILE"); NULL = a switch
    const char *doc;
};

enum { CLI_ARGS_ANY = 10000 };
struct cli_verb {
    const char *name; // NULL: the noun alone
    const char *alias; // or NULL
    const char *args; // "JOB [FILE]" for the usage line, "" when none
    const char *doc;
    int args_min, args_max;
    const struct cli_flag *flags; // ended by a name of NULL; or NULL
    int (*run)(struct cli *c);
    const char *examples; // lines, each a whole command
};
struct cli_command {
    const char *name;
    const char *alias;
    const char *doc;
    const struct cli_verb *verbs; // ended by a run of NULL
};
extern const struct cli_command *const cli_commands[]; // NULL-terminated
extern const struct cli_flag cli_global_flags[];

struct cli_given {
    const struct cli_flag *flag;
    struct str value; // absent for a switch
};
enum { CLI_GIVEN_MAX = 256 };

// A parsed command line.
struct cli_line {
    const struct cli_command *command;
    const struct cli_verb *verb; // NULL with help or without a verb
    struct cli_given given[CLI_GIVEN_MAX];
    size_t given_n;
    struct str *args;
    size_t args_n;
    bool help;
};

// Finds noun, verb, flags (before, between and after them) and arguments. ERR_INVALID says what is wrong, with the
// nearest known word. "--" ends the flags; "-" alone is an argument.
bool line_parse(int argc, char **argv, struct cli_line *ret, struct arena *a, struct err *err)
    __attribute__((warn_unused_result));
// Nearest of the words when it is near enough to be a slip, or NULL. words is NULL-terminated.
const char *word_nearest(struct str got, const char *const *words);

// One call of the program.
struct cli {
    struct arena arena;
    struct cli_line line;
    const struct cli_hooks *hooks;
    const struct clock *clock;
    struct output out;
    const char *const *env;
};

const struct cli_command *command_find(struct str name);
const struct cli_verb *verb_find(const struct cli_command *command, struct str name);

// Flags as given; the last one counts.
bool flag_on(const struct cli *c, const char *name);
struct str flag_str(const struct cli *c, const char *name); // absent when not given
// Whole number in a range; def when not given. ERR_INVALID names the flag.
bool flag_i64(const struct cli *c, const char *name, int64_t min, int64_t max, int64_t def, int64_t *ret,
              struct err *err) __attribute__((warn_unused_result));
// Values of a flag that may be repeated: `for (size_t i = 0; flag_each(c, "tag", &i, &v);)`.
bool flag_each(const struct cli *c, const char *name, size_t *i, struct str *ret);
struct str line_arg(const struct cli *c, size_t i); // absent past the end
// Value of an environment variable; absent when unset or empty.
struct str cli_env(const struct cli *c, const char *name);

// "chronos: text" on standard error; returns the exit code that belongs to err->code.
int cli_fail(const struct cli *c, const struct err *err);
int cli_usage(const struct cli *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
// Loads the server's settings from --config, the environment and --set; tells all faults. False = exit with CLI_USAGE.
bool cli_config(struct cli *c, struct config *ret);
// Adds the values of --param NAME=VALUE to an object.
bool cli_parameters(const struct cli *c, json_t *map, struct err *err) __attribute__((warn_unused_result));
// Whole file, or standard input for "-".
bool cli_read(struct cli *c, struct str path, size_t max, struct str *ret, struct err *err)
    __attribute__((warn_unused_result));
// A password from --password-file, standard input (when it is no terminal) or a prompt without echo, asked twice when
// `confirm`. Never from a flag. One trailing line end is dropped.
bool cli_password(struct cli *c, bool confirm, struct str *ret, struct err *err) __attribute__((warn_unused_result));
// One line typed at a prompt of the terminal without echo.
bool cli_hidden(struct cli *c, const char *question, struct str *ret, struct err *err)
    __attribute__((warn_unused_result));

enum { CLI_INPUT_MAX = 64 << 20, CLI_ARENA_BYTES = 512 << 20 };

#endif
