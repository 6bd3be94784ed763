// SPDX-License-Identifier: Apache-2.0
// The settings as this machine would use them: show, check, env, profiles. Secrets are masked in every form.
#include "cli/commands.h"

static json_t *text_json(struct str s) { return json_stringn(s.p ? s.p : "", s.n); }

static json_t *setting_json(const struct config *config, int i, struct arena *a)
{
    const struct setting *s = &config_settings[i];
    json_t *v = json_object();
    json_object_set_new(v, "name", json_string(s->name));
    json_object_set_new(v, "variable", text_json(config_env_name(s, a)));
    json_object_set_new(v, "type", text_json(config_kind_text(s, a)));
    json_object_set_new(v, "default", s->def ? json_string(s->def) : json_null());
    json_object_set_new(v, "value", text_json(config_value_text(config, s, a)));
    json_object_set_new(v, "origin", text_json(config_origin_text(&config->origin[i], a)));
    json_object_set_new(v, "secret", json_boolean(s->flags & CONFIG_SECRET));
    json_object_set_new(v, "doc", json_string(s->doc));
    return v;
}

static int table_show(struct cli *c, const struct column *columns, const char *name_key)
{
    struct config config;
    bool ok = cli_config(c, &config);
    struct sbuf body;
    sbuf_init(&body, &c->arena, CLI_INPUT_MAX);
    CLEANUP_JSON json_t *list = json_pack("{s:[]}", "content");
    for (int i = 0; i < CONFIG_SETTINGS; i++)
        json_array_append_new(json_object_get(list, "content"), setting_json(&config, i, &c->arena));
    json_write(list, &body);
    output_list(&c->out, columns, name_key, list, sbuf_str(&body), &c->arena);
    return ok ? CLI_OK : CLI_USAGE;
}

static int show_run(struct cli *c)
{
    static const struct column columns[] = {{"SETTING", "name", COLUMN_TEXT},
                                            {"VALUE", "value", COLUMN_TEXT},
                                            {"FROM", "origin", COLUMN_TEXT},
                                            {NULL, NULL, COLUMN_TEXT}};
    return table_show(c, columns, "name");
}

static int env_run(struct cli *c)
{
    static const struct column columns[] = {{"VARIABLE", "variable", COLUMN_TEXT},
                                            {"TYPE", "type", COLUMN_TEXT},
                                            {"DEFAULT", "default", COLUMN_TEXT},
                                            {"VALUE", "value", COLUMN_TEXT},
                                            {"FROM", "origin", COLUMN_TEXT},
                                            {"MEANING", "doc", COLUMN_TEXT},
                                            {NULL, NULL, COLUMN_TEXT}};
    return table_show(c, columns, "variable");
}

static int profiles_run(struct cli *c)
{
    static const struct column columns[] = {{"SETTING", "name", COLUMN_TEXT},
                                            {"DEVELOPMENT", "development", COLUMN_TEXT},
                                            {"STAGING", "staging", COLUMN_TEXT},
                                            {"PRODUCTION", "production", COLUMN_TEXT},
                                            {"WHY", "why", COLUMN_TEXT},
                                            {NULL, NULL, COLUMN_TEXT}};
    struct sbuf body;
    sbuf_init(&body, &c->arena, CLI_INPUT_MAX);
    CLEANUP_JSON json_t *list = json_pack("{s:[]}", "content");
    for (size_t i = 0; i < profile_defaults_n; i++) {
        const struct profile_default *p = &profile_defaults[i];
        json_array_append_new(json_object_get(list, "content"),
                              json_pack("{s:s, s:s, s:s, s:s, s:s}", "name", p->setting, "development",
                                        p->value[PROFILE_DEVELOPMENT], "staging", p->value[PROFILE_STAGING],
                                        "production", p->value[PROFILE_PRODUCTION], "why", p->why));
    }
    json_write(list, &body);
    output_list(&c->out, columns, "name", list, sbuf_str(&body), &c->arena);
    return CLI_OK;
}

static int check_run(struct cli *c)
{
    struct config config;
    if (!cli_config(c, &config))
        return CLI_USAGE;
    output_done(&c->out, "the settings are good; changes need a restart of the server");
    return CLI_OK;
}

const struct cli_command command_config = {
    "config", NULL, "Settings of the server on this machine",
    (const struct cli_verb[]){
        {.name = "show", .args = "", .run = show_run, .doc = "Show every setting with its value and where it came from",
         .examples = "chronos config show --config /etc/chronos/chronos.yaml\nchronos config show -o json\n"
                     "chronos config env"},
        {.name = "check", .args = "", .run = check_run, .doc = "Check the settings; exit code 2 when one is wrong",
         .examples = "chronos config check --config ./chronos.yaml"},
        {.name = "env", .args = "", .run = env_run,
         .doc = "List every environment variable with type, default and value",
         .examples = "chronos config env\nchronos config env -o json"},
        {.name = "profiles", .args = "", .run = profiles_run,
         .doc = "List the settings whose default differs between development, staging and production",
         .examples = "chronos config profiles\nchronos config profiles -o json"},
        {0}}};
