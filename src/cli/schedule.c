// SPDX-License-Identifier: Apache-2.0
// What a schedule means, answered on this machine by the same functions that the engine plans with.
#include <unistd.h>

#include "cli/commands.h"
#include "cli/format.h"
#include "cli/schedule_lines.h"
#include "sched/preview.h"

enum { COUNT_DEFAULT = 5 };

// Index of the word of a flag; def when it is not given.
static bool flag_word(const struct cli *c, const char *flag, const char *const *words, int *ret, struct err *err)
{
    struct str given = flag_str(c, flag);
    if (!given.p)
        return true;
    int i = field_enum_find(words, given);
    struct str list = str_of(words[0]);
    for (size_t k = 1; words[k]; k++)
        list = arena_fmt((struct arena *)&c->arena, "%.*s, %s", STR_ARG(list), words[k]);
    if (i < 0)
        return ERR(err, ERR_INVALID, "--%s: \"%.*s\" is not one of %.*s", flag, STR_ARG(given), STR_ARG(list));
    *ret = i;
    return true;
}

static bool spec_of_flags(struct cli *c, struct instant from, struct schedule_spec *ret, struct err *err)
{
    struct str text = line_arg(c, 0), start = flag_str(c, "dtstart");
    bool rule = str_starts(text, STR("RRULE:")) || str_starts(text, STR("FREQ="));
    field_defaults(&schedule_fields, ret);
    ret->kind = rule ? SCHEDULE_RRULE : SCHEDULE_CRON;
    ret->start_at = ret->end_at = ret->run_at = INSTANT_NEVER;
    ret->dtstart = rule ? from : INSTANT_NEVER;
    *(rule ? &ret->rrule : &ret->cron_expression) = text;
    ret->timezone = flag_str(c, "tz");
    if (start.p && !instant_parse_relative(start, c->out.now, &ret->dtstart, err))
        return err_wrap(err, "--dtstart");
    if (start.p && !rule)
        return ERR(err, ERR_INVALID, "--dtstart belongs to an RRULE");
    return flag_word(c, "dialect", cron_dialect_names, &ret->dialect, err) &&
        flag_word(c, "dst-gap", dst_gap_names, &ret->dst_gap, err) &&
        flag_word(c, "dst-overlap", dst_overlap_names, &ret->dst_overlap, err) &&
        flag_word(c, "day-match", day_match_names, &ret->day_match, err);
}

// The fires as {"content":[{"at","zone","relative","note"}],"warnings":[…]}.
static json_t *fires_json(struct cli *c, const struct fires *fires, const struct strs *warnings)
{
    json_t *content = json_array(), *notes = json_array();
    for (size_t i = 0; i < fires->n; i++) {
        const struct fire *f = &fires->v[i];
        char local[INSTANT_TEXT_MAX], utc[INSTANT_TEXT_MAX];
        struct str away = instant_relative(f->at, c->out.now, &c->arena);
        json_array_append_new(content, json_pack("{s:s, s:s, s:s%, s:s%, s:s%}", "at",
                                                 instant_format_offset(f->at, f->offset_s, local), "utc",
                                                 instant_format(f->at, utc), "zone", f->abbr.p, f->abbr.n,
                                                 "relative", away.p, away.n, "note", f->note.p ? f->note.p : "",
                                                 f->note.n));
    }
    for (size_t i = 0; i < warnings->n; i++)
        json_array_append_new(notes, json_stringn(warnings->v[i].p, warnings->v[i].n));
    return json_pack("{s:o, s:o}", "content", content, "warnings", notes);
}

static int fires_show(struct cli *c, const struct fires *fires, const struct strs *warnings)
{
    static const struct column columns[] = {{"NEXT", "at", COLUMN_TEXT},
                                            {"ZONE", "zone", COLUMN_TEXT},
                                            {"", "relative", COLUMN_TEXT},
                                            {"NOTE", "note", COLUMN_TEXT},
                                            {NULL, NULL, COLUMN_TEXT}};
    struct sbuf body;
    sbuf_init(&body, &c->arena, CLI_INPUT_MAX);
    CLEANUP_JSON json_t *list = fires_json(c, fires, warnings);
    json_write(list, &body);
    for (size_t i = 0; i < warnings->n; i++)
        fprintf(c->out.err, "note: %.*s\n", STR_ARG(warnings->v[i]));
    if (fires->n == 0 && c->out.form == OUTPUT_TABLE)
        output_done(&c->out, "it never fires");
    else
        output_list(&c->out, columns, "at", list, sbuf_str(&body), &c->arena);
    return CLI_OK;
}

// The fault with a mark under the place it is at.
static int fault_show(struct cli *c, const struct err *err, const struct cron_fault *fault)
{
    struct str text = line_arg(c, 0);
    int code = cli_fail(c, err);
    if (fault->field && fault->position <= text.n)
        fprintf(c->out.err, "  %.*s\n  %*s^\n", STR_ARG(text_printable(text, &c->arena)),
                (int)text_width((struct str){text.p, fault->position}), "");
    return code;
}

static int next_run(struct cli *c)
{
    struct err err;
    struct schedule_spec spec;
    struct instant from = c->out.now;
    struct str since = flag_str(c, "from"), dir = cli_env(c, "TZDIR");
    int64_t count;
    if (flag_on(c, "jsonl"))
        return schedule_lines(c, STDIN_FILENO, STDOUT_FILENO);
    if (line_arg(c, 0).n == 0)
        return cli_usage(c, "which schedule? chronos schedule next '30 2 * * *' --tz Europe/Berlin");
    if ((since.p && !instant_parse_relative(since, from, &from, &err)) ||
        !flag_i64(c, "count", 1, PREVIEW_MAX, COUNT_DEFAULT, &count, &err) || !spec_of_flags(c, from, &spec, &err))
        return cli_fail(c, &err);
    struct zones *zones = zones_new(dir.p);
    struct schedule *s = NULL;
    struct cron_fault fault = {0};
    struct fires fires;
    int code;
    if (!schedule_compile(zones, &spec, from, 0, &s, &fault, &err)) {
        code = fault_show(c, &err, &fault);
    } else if (!schedule_preview(s, from, (size_t)count, &fires, &c->arena, &err)) {
        code = cli_fail(c, &err);
    } else {
        struct strs warnings = schedule_warnings(s, from, &c->arena);
        code = fires_show(c, &fires, &warnings);
    }
    schedule_unref(s);
    zones_free(zones);
    return code;
}

static const struct cli_flag next_flags[] = {
    {"tz", 0, "ZONE", "IANA time zone (default UTC)"},
    {"from", 0, "TIME", "After this instant (default now): RFC 3339, or +10m"},
    {"count", 'n', "N", "How many (default 5)"},
    {"dtstart", 0, "TIME", "Start of an RRULE (default: --from)"},
    {"dialect", 0, "NAME", "AUTO, UNIX, QUARTZ or SPRING"},
    {"dst-gap", 0, "RULE", "RUN, SKIP or SHIFT: a wall time that does not exist"},
    {"dst-overlap", 0, "RULE", "AUTO, FIRST or BOTH: a wall time that exists twice"},
    {"day-match", 0, "RULE", "AUTO, OR or AND: day of month and day of week both given"},
    {"jsonl", 0, NULL, "Answer one JSON request per line of standard input"},
    {NULL, 0, NULL, NULL}};

const struct cli_command command_schedule = {
    "schedule", NULL, "Schedules: when would it fire?",
    (const struct cli_verb[]){
        {.name = "next", .args = "\"EXPR\"", .args_max = 1, .flags = next_flags, .run = next_run,
         .doc = "Show the next fires of a cron expression or RRULE, without a server",
         .examples = "chronos schedule next '30 2 * * *' --tz Europe/Berlin\n"
                     "chronos schedule next '0 0 12 ? * MON-FRI' -n 10 --from 2027-03-01T00:00:00Z\n"
                     "chronos schedule next 'FREQ=MONTHLY;BYDAY=-1FR' -o json\n"
                     "chronos schedule next --jsonl < requests.jsonl"},
        {0}}};
