// SPDX-License-Identifier: Apache-2.0
// Finds what would keep the server from working on this machine, with the exact remedy for each finding. Looks
// only: nothing is created, changed or started.
#include "cli/doctor.h"

#include "cli/commands.h"

static const char *const state_words[] = {"PASS", "WARN", "FAIL"};
static const char *const state_colors[] = {"32", "33", "31"};

static void check_json(void *ctx, enum cli_check_state state, const char *name, struct str detail, struct str fix)
{
    struct checkup *d = ctx;
    d->failed |= state == CLI_CHECK_FAIL;
    json_array_append_new(d->json, json_pack("{s:s, s:s, s:s%, s:s%}", "state", state_words[state], "name", name,
                                             "detail", detail.p ? detail.p : "", detail.n, "fix", fix.p ? fix.p : "",
                                             fix.n));
}

static void check_text(void *ctx, enum cli_check_state state, const char *name, struct str detail, struct str fix)
{
    struct checkup *d = ctx;
    const struct output *o = &d->cli->out;
    d->failed |= state == CLI_CHECK_FAIL;
    if (o->color)
        fprintf(o->out, "\033[%sm%s\033[0m", state_colors[state], state_words[state]);
    else
        fputs(state_words[state], o->out);
    fprintf(o->out, " %s — %.*s\n", name, STR_ARG(text_printable(detail, &d->cli->arena)));
    if (fix.n)
        fprintf(o->out, "     → %.*s\n", STR_ARG(text_printable(fix, &d->cli->arena)));
}

static void check_settings(struct checkup *d)
{
    struct cli *c = d->cli;
    struct faults faults, warnings;
    struct str sets[CLI_GIVEN_MAX], file = flag_str(c, "config");
    size_t n = 0;
    faults_init(&faults, &c->arena);
    faults_init(&warnings, &c->arena);
    for (size_t i = 0; n < CLI_GIVEN_MAX && flag_each(c, "set", &i, &sets[n]);)
        n++;
    const struct config_inputs in = {.file = file.p, .env = c->env, .sets = sets, .sets_n = n};
    d->config_ok = config_load(&in, &d->config, &faults, &warnings, &c->arena);
    for (size_t i = 0; i < faults.n; i++)
        d->check(d, CLI_CHECK_FAIL, "settings",
                 arena_fmt(&c->arena, "%.*s: %.*s", STR_ARG(faults.v[i].pointer), STR_ARG(faults.v[i].detail)),
                 STR("correct it; chronos config show tells where each value comes from"));
    for (size_t i = 0; i < warnings.n; i++)
        d->check(d, CLI_CHECK_WARN, "settings",
                 arena_fmt(&c->arena, "%.*s: %.*s", STR_ARG(warnings.v[i].pointer), STR_ARG(warnings.v[i].detail)),
                 STR("correct or unset the variable"));
    if (d->config_ok)
        d->check(d, CLI_CHECK_PASS, "settings", arena_fmt(&c->arena, "%d settings are good", CONFIG_SETTINGS),
                 STR_NONE);
}

static int doctor_run(struct cli *c)
{
    bool json = flag_on(c, "json") || c->out.form != OUTPUT_TABLE;
    CLEANUP_JSON json_t *checks = json_array();
    struct checkup d = {.cli = c, .check = json ? check_json : check_text, .json = checks};
    check_settings(&d);
    if (d.config_ok) {
        doctor_server(&d);
        doctor_machine(&d);
        if (c->hooks->doctor)
            c->hooks->doctor(&d.config, d.check, &d);
    }
    if (json) {
        static const struct column columns[] = {{"STATE", "state", COLUMN_TEXT}, {NULL, NULL, COLUMN_TEXT}};
        CLEANUP_JSON json_t *whole = json_pack("{s:b, s:O}", "ok", !d.failed, "checks", checks);
        struct sbuf body;
        sbuf_init(&body, &c->arena, CLI_INPUT_MAX);
        json_write(whole, &body);
        if (c->out.form == OUTPUT_TABLE)
            c->out.form = OUTPUT_JSON;
        output_object(&c->out, columns, "ok", whole, sbuf_str(&body), &c->arena);
    }
    return d.failed ? CLI_FAILURE : CLI_OK;
}

static int healthcheck_run(struct cli *c)
{
    struct client cl;
    struct err err;
    CLEANUP_REPLY struct reply r = {0};
    enum { TIMEOUT_S = 5 };
    if (!client_open(c, &cl, &err))
        return cli_fail(c, &err);
    const struct call call = {.method = "GET", .path = STR("/readyz"), .anonymous = true, .own_server = true,
                              .timeout = duration_s(TIMEOUT_S)};
    return client_call(&cl, &call, &r);
}

const struct cli_command command_doctor = {
    "doctor", NULL, "Find what would keep the server from working",
    (const struct cli_verb[]){
        {.args = "", .doc = "Check settings, port, data folder, disk, limits, time zones, clock and store",
         .flags = (const struct cli_flag[]){{"json", 0, NULL, "The same as -o json"}, {NULL, 0, NULL, NULL}},
         .run = doctor_run,
         .examples = "chronos doctor\nchronos doctor --config /etc/chronos/chronos.yaml\nchronos doctor --json"},
        {0}}};

const struct cli_command command_healthcheck = {
    "healthcheck", NULL, "Exit code 0 when the server is ready (for containers)",
    (const struct cli_verb[]){
        {.args = "", .doc = "Ask the server whether it is ready; exit code 0 when it is", .run = healthcheck_run,
         .examples = "chronos healthcheck\nchronos healthcheck --url http://127.0.0.1:9090"},
        {0}}};
