// SPDX-License-Identifier: Apache-2.0
// The command line taken apart: noun, verb, flags and arguments.
//
// Flags may stand before the noun, between noun and verb, and after. Whether a flag takes a value must be known
// before the verb is, so a flag is first looked up in all verbs of the noun (a test checks that one name takes a
// value in all of them or in none) and checked against the verb at the end.
#include "cli/command.h"

enum { SUGGESTION_DISTANCE_MIN = 2, SUGGESTION_SHARE = 3, WORDS_MAX = 128 };

static size_t gap(size_t a, size_t b) { return a > b ? a - b : b - a; }

const char *word_nearest(struct str got, const char *const *words)
{
    const char *nearest = NULL;
    size_t best = got.n / SUGGESTION_SHARE;
    if (best < SUGGESTION_DISTANCE_MIN)
        best = SUGGESTION_DISTANCE_MIN;
    for (size_t i = 0; words[i]; i++) {
        size_t d = str_distance(got, str_of(words[i])), n = strlen(words[i]);
        // Between two of one distance the one of like length: swapped letters are the commonest slip.
        bool nearer = !nearest || d < best || (d == best && gap(n, got.n) < gap(strlen(nearest), got.n));
        // A two-letter word is "near" to every other one: something must be left of it.
        if (d < got.n && d < n && d <= best && nearer) {
            nearest = words[i];
            best = d;
        }
    }
    return nearest;
}

const struct cli_command *command_find(struct str name)
{
    for (size_t i = 0; cli_commands[i]; i++) {
        const struct cli_command *c = cli_commands[i];
        if (str_is(name, c->name) || (c->alias && str_is(name, c->alias)))
            return c;
    }
    return NULL;
}

const struct cli_verb *verb_find(const struct cli_command *command, struct str name)
{
    for (const struct cli_verb *v = command->verbs; v->run; v++) {
        if (v->name && (str_is(name, v->name) || (v->alias && str_is(name, v->alias))))
            return v;
    }
    return NULL;
}

static bool flag_is(const struct cli_flag *f, struct str name, bool letter)
{
    return letter ? f->letter && name.n == 1 && f->letter == name.p[0] : str_is(name, f->name);
}

static const struct cli_flag *flag_in(const struct cli_flag *flags, struct str name, bool letter)
{
    for (const struct cli_flag *f = flags; f && f->name; f++) {
        if (flag_is(f, name, letter))
            return f;
    }
    return NULL;
}

// Flag of the verb (or, without one, of any verb of the noun), else a global one.
static const struct cli_flag *flag_lookup(const struct cli_line *l, struct str name, bool letter)
{
    const struct cli_flag *f = NULL;
    if (l->verb)
        f = flag_in(l->verb->flags, name, letter);
    for (const struct cli_verb *v = l->command ? l->command->verbs : NULL; v && v->run && !l->verb && !f; v++)
        f = flag_in(v->flags, name, letter);
    return f ? f : flag_in(cli_global_flags, name, letter);
}

static size_t flag_words(const struct cli_flag *flags, const char **words, size_t n)
{
    for (const struct cli_flag *f = flags; f && f->name && n < WORDS_MAX - 1; f++)
        words[n++] = f->name;
    return n;
}

static bool unknown_flag(const struct cli_line *l, struct str name, bool letter, struct err *err)
{
    const char *words[WORDS_MAX];
    size_t n = flag_words(cli_global_flags, words, 0);
    for (const struct cli_verb *v = l->command ? l->command->verbs : NULL; v && v->run; v++)
        n = !l->verb || v == l->verb ? flag_words(v->flags, words, n) : n;
    words[n] = NULL;
    const char *nearest = letter ? NULL : word_nearest(name, words);
    return ERR(err, ERR_INVALID, "unknown flag \"%s%.*s\"%s%s%s", letter ? "-" : "--", STR_ARG(name),
               nearest ? "; did you mean \"--" : "", nearest ? nearest : "", nearest ? "\"?" : "");
}

static bool unknown_command(struct str word, struct err *err)
{
    const char *words[WORDS_MAX];
    size_t n = 0;
    for (size_t i = 0; cli_commands[i] && n < WORDS_MAX - 1; i++)
        words[n++] = cli_commands[i]->name;
    words[n] = NULL;
    const char *nearest = word_nearest(word, words);
    if (nearest)
        return ERR(err, ERR_INVALID, "unknown command \"%.*s\"; did you mean \"%s\"?", STR_ARG(word), nearest);
    return ERR(err, ERR_INVALID, "unknown command \"%.*s\"; see chronos help", STR_ARG(word));
}

static bool unknown_verb(const struct cli_command *c, struct str word, struct err *err)
{
    const char *words[WORDS_MAX];
    size_t n = 0;
    for (const struct cli_verb *v = c->verbs; v->run && n < WORDS_MAX - 1; v++)
        words[n++] = v->name;
    words[n] = NULL;
    const char *nearest = word_nearest(word, words);
    if (nearest)
        return ERR(err, ERR_INVALID, "\"%s\" has no \"%.*s\"; did you mean \"chronos %s %s\"?", c->name,
                   STR_ARG(word), c->name, nearest);
    return ERR(err, ERR_INVALID, "\"%s\" has no \"%.*s\"; see chronos %s -h", c->name, STR_ARG(word), c->name);
}

// A word that is no flag: the noun, the verb or an argument.
static bool take_word(struct cli_line *l, struct str word, struct err *err)
{
    if (!l->command) {
        l->command = command_find(word);
        if (!l->command)
            return unknown_command(word, err);
        if (!l->command->verbs[0].name) // the noun alone
            l->verb = &l->command->verbs[0];
        return true;
    }
    if (!l->verb) {
        l->verb = verb_find(l->command, word);
        return l->verb || unknown_verb(l->command, word, err);
    }
    l->args[l->args_n++] = word;
    return true;
}

static bool give(struct cli_line *l, const struct cli_flag *f, struct str value, struct err *err)
{
    if (str_is(str_of(f->name), "help")) {
        l->help = true;
        return true;
    }
    if (l->given_n == CLI_GIVEN_MAX)
        return ERR(err, ERR_INVALID, "more than %d flags are given", CLI_GIVEN_MAX);
    l->given[l->given_n++] = (struct cli_given){f, value};
    return true;
}

// One flag at argv[*i]; may take the next word as its value.
static bool take_flag(struct cli_line *l, int argc, char **argv, int *i, struct err *err)
{
    struct str word = str_of(argv[*i]), value = STR_NONE, name;
    bool letter = word.p[1] != '-';
    if (letter) {
        name = (struct str){word.p + 1, 1};
        if (word.n > 2) // "-ojson", "-n5"
            value = (struct str){word.p + 2, word.n - 2};
    } else {
        name = str_split((struct str){word.p + 2, word.n - 2}, '=', &value);
    }
    const struct cli_flag *f = flag_lookup(l, name, letter);
    if (!f)
        return unknown_flag(l, name, letter, err);
    if (!f->arg && value.p && !letter)
        return ERR(err, ERR_INVALID, "flag \"--%s\" takes no value", f->name);
    if (!f->arg && value.p) { // "-fn": several letters in one word
        for (size_t k = 1; k < word.n; k++) {
            const struct cli_flag *one = flag_lookup(l, (struct str){word.p + k, 1}, true);
            if (!one || one->arg)
                return unknown_flag(l, (struct str){word.p + 1, word.n - 1}, true, err);
            if (!give(l, one, STR_NONE, err))
                return false;
        }
        return true;
    }
    if (f->arg && !value.p) {
        if (*i + 1 >= argc)
            return ERR(err, ERR_INVALID, "flag \"--%s\" needs a value: --%s %s", f->name, f->name, f->arg);
        value = str_of(argv[++*i]);
    }
    return give(l, f, value, err);
}

// Flags given before the verb was known belong to it, too; their rows are taken from the verb's own table.
static bool check_flags(struct cli_line *l, struct err *err)
{
    for (size_t i = 0; l->verb && i < l->given_n; i++) {
        const struct cli_flag *f = flag_lookup(l, str_of(l->given[i].flag->name), false);
        if (!f)
            return unknown_flag(l, str_of(l->given[i].flag->name), false, err);
        l->given[i].flag = f;
    }
    return true;
}

static bool check_args(const struct cli_line *l, struct err *err)
{
    const struct cli_verb *v = l->verb;
    if (!v || l->help)
        return true;
    const char *verb = v->name ? v->name : "", *blank = v->name ? " " : "";
    if ((int)l->args_n < v->args_min)
        return ERR(err, ERR_INVALID, "something is missing: chronos %s%s%s %s", l->command->name, blank, verb, v->args);
    if ((int)l->args_n > v->args_max)
        return ERR(err, ERR_INVALID, "\"%.*s\" is too much: chronos %s%s%s %s", STR_ARG(l->args[v->args_max]),
                   l->command->name, blank, verb, v->args);
    for (size_t i = 0; i < l->args_n; i++)
        if (l->args[i].n == 0) // what a shell makes of "$(command that printed nothing)"
            return ERR(err, ERR_INVALID, "argument %zu is empty: chronos %s%s%s %s", i + 1, l->command->name, blank,
                       verb, v->args);
    return true;
}

bool line_parse(int argc, char **argv, struct cli_line *ret, struct arena *a, struct err *err)
{
    struct cli_line l = {.args = arena_new_array(a, struct str, (size_t)argc + 1)};
    bool flags = true;
    for (int i = 1; i < argc; i++) {
        struct str word = str_of(argv[i]);
        if (flags && str_is(word, "--"))
            flags = false;
        else if (flags && word.n > 1 && word.p[0] == '-') {
            if (!take_flag(&l, argc, argv, &i, err))
                return false;
        } else if (!take_word(&l, word, err)) {
            return false;
        }
    }
    if (!check_flags(&l, err) || !check_args(&l, err))
        return false;
    *ret = l;
    return true;
}

// ---- looking at it ----

bool flag_each(const struct cli *c, const char *name, size_t *i, struct str *ret)
{
    for (; *i < c->line.given_n; (*i)++) {
        if (strcmp(c->line.given[*i].flag->name, name) == 0) {
            *ret = c->line.given[(*i)++].value;
            return true;
        }
    }
    return false;
}

bool flag_on(const struct cli *c, const char *name)
{
    struct str value;
    size_t i = 0;
    return flag_each(c, name, &i, &value);
}

struct str flag_str(const struct cli *c, const char *name)
{
    struct str value = STR_NONE;
    for (size_t i = 0; flag_each(c, name, &i, &value);)
        continue;
    return value;
}

bool flag_i64(const struct cli *c, const char *name, int64_t min, int64_t max, int64_t def, int64_t *ret,
              struct err *err)
{
    struct str text = flag_str(c, name);
    int64_t n = def;
    if (text.p && (!str_to_i64(text, &n) || n < min || n > max))
        return ERR(err, ERR_INVALID, "--%s: \"%.*s\" is not a whole number from %lld to %lld", name, STR_ARG(text),
                   (long long)min, (long long)max);
    *ret = n;
    return true;
}

struct str line_arg(const struct cli *c, size_t i)
{
    return i < c->line.args_n ? c->line.args[i] : STR_NONE;
}
