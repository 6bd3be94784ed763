// SPDX-License-Identifier: Apache-2.0
// What comes from the user besides the command line: files, standard input, passwords typed without echo.
// Nothing here ever asks when there is no terminal.
#include <termios.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/command.h"

enum { PASSWORD_FILE_MAX = 4096 };

static bool stdin_read(size_t max, struct str *ret, struct arena *a, struct err *err)
{
    char buf[4096];
    size_t n;
    struct sbuf text;
    sbuf_init(&text, a, max + 1); // the NUL behind it counts
    sbuf_puts(&text, "");
    while ((n = fread(buf, 1, sizeof buf, stdin)) > 0)
        sbuf_put(&text, (struct str){buf, n});
    if (ferror(stdin))
        return ERR_ERRNO(err, "read standard input");
    if (!sbuf_ok(&text))
        return ERR(err, ERR_TOO_LARGE, "standard input is larger than %zu bytes", max);
    *ret = sbuf_str(&text);
    return true;
}

bool cli_read(struct cli *c, struct str path, size_t max, struct str *ret, struct err *err)
{
    if (str_is(path, "-"))
        return stdin_read(max, ret, &c->arena, err);
    return file_read(arena_cstr(&c->arena, path), max, ret, &c->arena, err);
}

static struct str line_end_drop(struct str s)
{
    if (s.n > 0 && s.p[s.n - 1] == '\n')
        s.n--;
    if (s.n > 0 && s.p[s.n - 1] == '\r')
        s.n--;
    return s;
}

// One line from the terminal; the echo comes back whatever happens.
static bool prompt_hidden(struct cli *c, const char *question, struct str *ret, struct err *err)
{
    struct termios shown, hidden;
    if (tcgetattr(STDIN_FILENO, &shown) != 0)
        return ERR_ERRNO(err, "read the terminal's mode");
    hidden = shown;
    hidden.c_lflag &= ~(tcflag_t)ECHO;
    if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden) != 0)
        return ERR_ERRNO(err, "switch the terminal's echo off");
    fputs(question, c->out.err); // only now: what was typed before is thrown away
    fflush(c->out.err);
    char line[PASSWORD_FILE_MAX];
    bool got = fgets(line, sizeof line, stdin) != NULL;
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
    fputc('\n', c->out.err);
    if (!got)
        return ERR(err, ERR_INVALID, "nothing was typed");
    *ret = line_end_drop(arena_str(&c->arena, str_of(line)));
    explicit_bzero(line, sizeof line);
    return true;
}

bool cli_hidden(struct cli *c, const char *question, struct str *ret, struct err *err)
{
    return prompt_hidden(c, question, ret, err);
}

bool cli_password(struct cli *c, bool confirm, struct str *ret, struct err *err)
{
    struct str file = flag_str(c, "password-file"), text, again;
    if (file.p || !isatty(STDIN_FILENO)) {
        if (!cli_read(c, file.p ? file : STR("-"), PASSWORD_FILE_MAX, &text, err))
            return false;
        text = line_end_drop(text);
    } else {
        if (!prompt_hidden(c, "Password: ", &text, err) ||
            (confirm && !prompt_hidden(c, "Again: ", &again, err)))
            return false;
        if (confirm && !str_eq(text, again))
            return ERR(err, ERR_INVALID, "the two passwords differ");
    }
    if (text.n == 0)
        return ERR(err, ERR_INVALID, "the password is empty: give it in --password-file, on standard input or at "
                   "the prompt of a terminal");
    *ret = text;
    return true;
}

bool cli_parameters(const struct cli *c, json_t *map, struct err *err)
{
    struct str pair;
    for (size_t i = 0; flag_each(c, "param", &i, &pair);) {
        struct str value = STR_NONE;
        struct str name = str_split(pair, '=', &value);
        if (!value.p || name.n == 0)
            return ERR(err, ERR_INVALID, "--param: \"%.*s\" is not NAME=VALUE", STR_ARG(pair));
        if (json_object_setn_new(map, name.p, name.n, json_stringn(value.p, value.n)) != 0)
            return ERR(err, ERR_INVALID, "--param: \"%.*s\" is not UTF-8", STR_ARG(name));
    }
    return true;
}
