// SPDX-License-Identifier: Apache-2.0
// The parser of command lines, and rules that the tables of all commands must keep.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/command.h"

enum { ARENA_BYTES = 1 << 20, WORDS_MAX = 16 };

struct world {
    struct arena a;
    struct cli c;
    struct err err;
};

static int set_up(void **state)
{
    static struct world w;
    w = (struct world){0};
    arena_init(&w.a, ARENA_BYTES);
    *state = &w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    arena_release(&w->a);
    return 0;
}

// Words are separated by one blank.
static bool parse(struct world *w, const char *text)
{
    char *argv[WORDS_MAX] = {arena_cstr(&w->a, STR("chronos"))};
    int argc = 1;
    struct str rest = str_of(text);
    while (rest.p && argc < WORDS_MAX)
        argv[argc++] = arena_cstr(&w->a, str_split(rest, ' ', &rest));
    return line_parse(argc, argv, &w->c.line, &w->a, &w->err);
}

static void assert_flag(struct world *w, const char *name, const char *value)
{
    assert_true(str_is(flag_str(&w->c, name), value));
}

static void flags_stand_before_between_and_after(void **state)
{
    struct world *w = *state;
    static const char *const lines[] = {
        "-o json job list --tag x", "job -o json --tag x list", "job list --output=json --tag=x",
        "jobs ls -ojson --tag x", "--tag x job list -o json"};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0] - 1; i++) {
        assert_true(parse(w, lines[i]));
        assert_string_equal(w->c.line.command->name, "job");
        assert_string_equal(w->c.line.verb->name, "list");
        assert_flag(w, "output", "json");
        assert_flag(w, "tag", "x");
    }
    // A flag of a noun cannot be told before the noun.
    assert_false(parse(w, lines[4]));
}

static void repeated_flags_are_all_kept_and_the_last_one_counts(void **state)
{
    struct world *w = *state;
    struct str v;
    size_t n = 0;
    assert_true(parse(w, "job create x --tag a --tag b --priority LOW --priority HIGH"));
    for (size_t i = 0; flag_each(&w->c, "tag", &i, &v); n++)
        assert_true(str_is(v, n ? "b" : "a"));
    assert_int_equal(n, 2);
    assert_flag(w, "priority", "HIGH");
    assert_false(flag_on(&w->c, "dummy"));
}

static void two_dashes_end_the_flags(void **state)
{
    struct world *w = *state;
    assert_true(parse(w, "job get -- --odd"));
    assert_true(str_is(line_arg(&w->c, 0), "--odd"));
    assert_null(line_arg(&w->c, 1).p);
    assert_true(parse(w, "job create -f -"));
    assert_flag(w, "file", "-");
}

static void mistakes_are_named_with_the_nearest_word(void **state)
{
    struct world *w = *state;
    static const struct { const char *line, *part; } rows[] = {
        {"jbo", "did you mean \"job\"?"},
        {"x", "unknown command \"x\"; see chronos help"},
        {"job creat", "did you mean \"chronos job create\"?"},
        {"job zzzzzz", "see chronos job -h"},
        {"job list --limt 3", "did you mean \"--limit\"?"},
        {"job list --every 5m", "unknown flag \"--every\""},
        {"job list -z", "unknown flag \"-z\""},
        {"job list --all=yes", "takes no value"},
        {"job list --tag", "--tag TAG"},
        {"job get", "chronos job get JOB"},
        {"job get a b", "\"b\" is too much"},
        {"version x", "\"x\" is too much"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_false(parse(w, rows[i].line));
        assert_int_equal(w->err.code, ERR_INVALID);
        if (!strstr(w->err.text, rows[i].part))
            fail_msg("%s: %s", rows[i].line, w->err.text);
    }
}

static void help_needs_no_arguments(void **state)
{
    struct world *w = *state;
    assert_true(parse(w, "job get -h"));
    assert_true(w->c.line.help);
    assert_true(parse(w, "-h"));
    assert_null(w->c.line.command);
}

static void numbers_are_checked_against_their_range(void **state)
{
    struct world *w = *state;
    int64_t n;
    assert_true(parse(w, "job list -n 7"));
    assert_true(flag_i64(&w->c, "limit", 1, 200, 20, &n, &w->err) && n == 7);
    assert_false(flag_i64(&w->c, "limit", 8, 200, 20, &n, &w->err));
    assert_non_null(strstr(w->err.text, "8 to 200"));
    assert_true(parse(w, "job list"));
    assert_true(flag_i64(&w->c, "limit", 1, 200, 20, &n, &w->err) && n == 20);
}

static void no_word_is_near_to_everything(void **state)
{
    (void)state;
    static const char *const words[] = {"ls", "list", "get", NULL};
    assert_string_equal(word_nearest(STR("lits"), words), "list");
    assert_string_equal(word_nearest(STR("gett"), words), "get");
    assert_null(word_nearest(STR("zz"), words));
    assert_null(word_nearest(STR("completely"), words));
}

static const struct cli_flag *find(const struct cli_flag *flags, const char *name)
{
    for (const struct cli_flag *f = flags; f && f->name; f++) {
        if (strcmp(f->name, name) == 0)
            return f;
    }
    return NULL;
}

// What line.c relies on: within a noun, and against the global flags, one name (and one letter) takes a value or not.
static void one_name_of_a_flag_means_one_arity_within_a_noun(void **state)
{
    (void)state;
    for (size_t i = 0; cli_commands[i]; i++) {
        for (const struct cli_verb *v = cli_commands[i]->verbs; v->run; v++) {
            for (const struct cli_flag *f = v->flags; f && f->name; f++) {
                assert_null(find(cli_global_flags, f->name));
                for (const struct cli_flag *g = cli_global_flags; g->name; g++)
                    assert_true(!f->letter || f->letter != g->letter);
                for (const struct cli_verb *o = cli_commands[i]->verbs; o->run; o++) {
                    const struct cli_flag *same = find(o->flags, f->name);
                    assert_true(!same || !same->arg == !f->arg);
                    for (const struct cli_flag *x = o->flags; x && x->name; x++)
                        assert_true(!f->letter || x->letter != f->letter || !x->arg == !f->arg);
                }
            }
        }
    }
}

static void every_verb_has_words_examples_and_sound_bounds(void **state)
{
    (void)state;
    for (size_t i = 0; cli_commands[i]; i++) {
        const struct cli_command *c = cli_commands[i];
        assert_ptr_equal(command_find(str_of(c->name)), c);
        assert_true(strlen(c->doc) > 3);
        for (const struct cli_verb *v = c->verbs; v->run; v++) {
            assert_non_null(v->args);
            assert_true(strlen(v->doc) > 5);
            assert_true(str_starts(str_of(v->examples), STR("chronos ")));
            assert_true(v->args_min <= v->args_max);
            assert_true(!v->name || verb_find(c, str_of(v->name)) == v);
        }
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(flags_stand_before_between_and_after),
        TEST(repeated_flags_are_all_kept_and_the_last_one_counts),
        TEST(two_dashes_end_the_flags),
        TEST(mistakes_are_named_with_the_nearest_word),
        TEST(help_needs_no_arguments),
        TEST(numbers_are_checked_against_their_range),
        TEST(no_word_is_near_to_everything),
        TEST(one_name_of_a_flag_means_one_arity_within_a_noun),
        TEST(every_verb_has_words_examples_and_sound_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
