// SPDX-License-Identifier: Apache-2.0
// The settings: every source, their order, and every fault with its remedy.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <unistd.h>

#include "config.h"
#include "config_value.h"

enum { ARENA_BYTES = 8 << 20, SETS_MAX = 4 };

struct world {
    struct arena a;
    struct faults faults, warnings;
    struct config c;
    char path[64];
};

static int set_up(void **state)
{
    static struct world w;
    w = (struct world){0};
    arena_init(&w.a, ARENA_BYTES);
    faults_init(&w.faults, &w.a);
    faults_init(&w.warnings, &w.a);
    *state = &w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    if (w->path[0])
        unlink(w->path);
    arena_release(&w->a);
    return 0;
}

static const char *file_with(struct world *w, const char *text)
{
    snprintf(w->path, sizeof w->path, "/tmp/chronos-config-XXXXXX");
    int fd = mkstemp(w->path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    return w->path;
}

static bool load(struct world *w, const char *text, const char *const *env, const char *set)
{
    struct str sets[SETS_MAX] = {str_of(set)};
    const struct config_inputs in = {.file = text ? file_with(w, text) : NULL, .env = env, .sets = sets,
                                     .sets_n = set ? 1 : 0};
    return config_load(&in, &w->c, &w->faults, &w->warnings, &w->a);
}

static const char *value(struct world *w, const char *name)
{
    int row = config_find(str_of(name));
    assert_true(row >= 0);
    return arena_cstr(&w->a, config_value_text(&w->c, &config_settings[row], &w->a));
}

static const char *origin(struct world *w, const char *name)
{
    return arena_cstr(&w->a, config_origin_text(&w->c.origin[config_find(str_of(name))], &w->a));
}

static void every_row_has_a_name_a_doc_and_a_default_that_is_valid(void **state)
{
    struct world *w = *state;
    assert_true(load(w, NULL, NULL, NULL));
    for (int i = 0; i < CONFIG_SETTINGS; i++) {
        assert_non_null(config_settings[i].name);
        assert_true(strlen(config_settings[i].doc) > 10);
        assert_int_equal(config_find(str_of(config_settings[i].name)), i);
    }
    assert_string_equal(value(w, "http.listen"), "127.0.0.1:8080");
    assert_string_equal(value(w, "http.bodyMaxBytes"), "1048576");
    assert_string_equal(value(w, "auth.accessTokenSeconds"), "900");
    assert_string_equal(value(w, "auth.refreshTokenSeconds"), "2592000");
    assert_string_equal(origin(w, "http.listen"), "default");
}

static void a_stronger_source_wins_and_is_named(void **state)
{
    struct world *w = *state;
    const char *const env[] = {"CHRONOS_HTTP_THREADS=5", "CHRONOS_HTTP_WORKERS=6", NULL};
    assert_true(load(w, "http:\n  threads: 3\n  workers: 4\nlog:\n  level: WARN\n", env, "http.workers=7"));
    assert_string_equal(value(w, "http.threads"), "5");
    assert_string_equal(value(w, "http.workers"), "7");
    assert_int_equal(w->c.log_level, LOG_LEVEL_WARN);
    assert_string_equal(origin(w, "http.threads"), "environment CHRONOS_HTTP_THREADS");
    assert_string_equal(origin(w, "http.workers"), "flag --set");
    assert_non_null(strstr(origin(w, "log.level"), "line 5"));
}

static void a_wrong_value_that_is_overridden_does_no_harm(void **state)
{
    const char *const env[] = {"CHRONOS_HTTP_THREADS=5", NULL};
    assert_true(load(*state, "http.threads: many\n", env, NULL));
}

static void the_profile_decides_registration_and_scripts(void **state)
{
    struct world *w = *state;
    assert_true(load(w, "profile: production\n", NULL, NULL));
    assert_int_equal(w->c.auth_registration, REGISTRATION_CLOSED);
    assert_false(w->c.script_enabled);
    assert_int_equal(w->c.script_sandbox, SCRIPTS_RESTRICTED);
    assert_true(load(w, NULL, NULL, "profile=staging"));
    assert_int_equal(w->c.script_sandbox, SCRIPTS_OPEN);
    assert_int_equal(w->c.auth_registration, REGISTRATION_OPEN);
    assert_true(w->c.script_enabled);
    const char *const env[] = {"CHRONOS_PROFILE=production", "CHRONOS_SCRIPT_ENABLED=yes",
                               "CHRONOS_AUTH_REGISTRATION=open", NULL};
    assert_true(load(w, NULL, env, NULL));
    assert_int_equal(w->c.auth_registration, REGISTRATION_OPEN);
    assert_true(w->c.script_enabled);
}

static void nodes_outside_development_share_a_key(void **state)
{
    struct world *w = *state;
    const char *const url = "CHRONOS_DB_URL=postgresql://u:p@db.example/chronos";
    const char *const alone[] = {url, NULL};
    const char *const secret[] = {url, "CHRONOS_AUTH_KEY=0123456789abcdef0123456789abcdef", NULL};
    assert_true(load(w, NULL, alone, NULL));
    assert_false(load(w, "profile: production\n", alone, NULL));
    assert_true(load(w, "profile: production\n", NULL, NULL));
    assert_true(load(w, "profile: production\n", secret, NULL));
    assert_string_equal(value(w, "auth.key"), "***");
    const char *const weak[] = {"CHRONOS_AUTH_KEY=too short", NULL};
    assert_false(load(w, NULL, weak, NULL));
}

static void the_settings_of_kafka_fit_together(void **state)
{
    struct world *w = *state;
    const char *const wrong[] = {"CHRONOS_KAFKA_BROKERS=a:1", "CHRONOS_KAFKA_REQUESTSTOPIC=a topic",
                                 "CHRONOS_KAFKA_SECURITY_PROTOCOL=sasl_ssl", NULL};
    const char *const right[] = {"CHRONOS_KAFKA_BROKERS=a:1, b:2", "CHRONOS_KAFKA_REQUESTSTOPIC=asked",
                                 "CHRONOS_KAFKA_REQUESTSUSER=robot@example.org", NULL};
    assert_false(load(w, NULL, wrong, NULL));
    assert_int_equal(w->faults.n, 4); // the topic, its dead letters, the user, the sign-in
    assert_true(load(w, NULL, right, NULL));
    assert_int_equal(w->c.kafka.brokers.n, 2);
    assert_true(str_is(w->c.kafka.events_topic, "chronos.events"));
    assert_true(str_is(w->c.kafka.dead_letter_topic, "asked.dead"));
}

static void the_address_of_redis_is_a_secret(void **state)
{
    struct world *w = *state;
    const char *const env[] = {"CHRONOS_REDIS_URL=redis://:word@127.0.0.1/0", NULL};
    assert_true(load(w, NULL, NULL, NULL));
    assert_null(w->c.redis_url.p);
    assert_true(load(w, NULL, env, NULL));
    assert_true(str_is(w->c.redis_url, "redis://:word@127.0.0.1/0"));
    assert_string_equal(value(w, "redis.url"), "***");
    assert_string_equal(value(w, "redis.prefix"), "chronos:");
}

static void the_database_follows_the_data_folder(void **state)
{
    struct world *w = *state;
    const char *const env[] = {"CHRONOS_DATA_DIR=/srv/c", NULL};
    assert_true(load(w, NULL, env, NULL));
    assert_string_equal(value(w, "db.url"), "sqlite:/srv/c/chronos.db");
    assert_true(str_is(w->c.db_path, "/srv/c/chronos.db"));
}

static void lists_come_from_a_sequence_or_from_commas(void **state)
{
    struct world *w = *state;
    const char *const env[] = {"CHRONOS_EGRESS_ALLOW=10.0.0.0/8 , example.org,", NULL};
    assert_true(load(w, "egress:\n  deny: [10.1.0.0/16, \"bad.example\"]\n", env, NULL));
    assert_string_equal(value(w, "egress.deny"), "10.1.0.0/16, bad.example");
    assert_int_equal(w->c.egress_allow.n, 2);
    assert_true(str_is(w->c.egress_allow.v[1], "example.org"));
}

static void secrets_come_from_files_and_are_masked(void **state)
{
    struct world *w = *state;
    char var[128];
    const char *path = file_with(w, "correct horse battery\n");
    snprintf(var, sizeof var, "CHRONOS_ADMIN_PASSWORD_FILE=%s", path);
    const char *const env[] = {"CHRONOS_ADMIN_EMAIL=a@example.org", var, NULL};
    assert_true(load(w, NULL, env, NULL));
    assert_true(str_is(w->c.admin_password, "correct horse battery"));
    assert_string_equal(value(w, "admin.password"), "***");
    assert_string_equal(origin(w, "admin.password"), "file named by CHRONOS_ADMIN_PASSWORD_FILE");
}

static void the_password_inside_a_url_is_masked(void **state)
{
    struct world *w = *state;
    assert_false(load(w, NULL, NULL, "db.url=mysql://me:secret@db.example:3306/x"));
    assert_string_equal(value(w, "db.url"), "mysql://me:***@db.example:3306/x");
}

static void the_listen_address_is_taken_apart(void **state)
{
    struct world *w = *state;
    assert_true(load(w, NULL, NULL, "http.listen=[::1]:0"));
    assert_true(str_is(w->c.http_host, "::1"));
    assert_int_equal(w->c.http_port, 0);
}

static void unknown_variables_warn_and_those_of_the_client_do_not(void **state)
{
    struct world *w = *state;
    const char *const env[] = {"CHRONOS_HTTP_LISTN=:1", "CHRONOS_URL=http://x", "CHRONOS_TOKEN=t",
                               "CHRONOS_OUTPUT=json", "NO_COLOR=1", "CHRONOS_DB_URL=", "PATH=/bin", NULL};
    assert_true(load(w, NULL, env, NULL));
    assert_int_equal(w->warnings.n, 1);
    assert_true(str_is(w->warnings.v[0].pointer, "CHRONOS_HTTP_LISTN"));
    assert_true(str_contains(w->warnings.v[0].detail, STR("did you mean \"CHRONOS_HTTP_LISTEN\"?")));
}

static void a_setting_cannot_be_given_directly_and_as_a_file(void **state)
{
    struct world *w = *state;
    const char *const env[] = {"CHRONOS_ADMIN_EMAIL=a@example.org", "CHRONOS_ADMIN_PASSWORD=x",
                               "CHRONOS_ADMIN_PASSWORD_FILE=/nowhere", NULL};
    assert_false(load(w, NULL, env, NULL));
    assert_int_equal(w->faults.n, 1);
    assert_true(str_contains(w->faults.v[0].detail, STR("directly and as a file")));
}

static void all_faults_are_told_at_once_with_lines(void **state)
{
    struct world *w = *state;
    assert_false(load(w, "# comment\nhttp:\n  listn: x\n  threads: many\nlog: {level: loud}\nauth: 5\n", NULL,
                      "egress.denny=x"));
    assert_int_equal(w->faults.n, 5);
    assert_true(str_is(w->faults.v[0].pointer, "http.listn"));
    assert_true(str_is(w->faults.v[0].detail, "unknown setting (line 3); did you mean \"http.listen\"?"));
    assert_true(str_contains(w->faults.v[1].detail, STR("unknown setting (line 6)")));
    assert_true(str_contains(w->faults.v[2].detail, STR("did you mean \"egress.deny\"?")));
    assert_true(str_contains(w->faults.v[3].detail, STR("\"many\" is not a whole number")));
    assert_true(str_contains(w->faults.v[3].detail, STR("line 4")));
    assert_true(str_contains(w->faults.v[4].detail, STR("debug | info | warn | error")));
}

// One wrong --set each: the setting, its text, a part of the answer.
static const struct { const char *set, *pointer, *part; } bad_sets[] = {
    {"http.listen=8080", "http.listen", "127.0.0.1:8080"},
    {"http.listen=host:99999", "http.listen", "port"},
    {"http.listen=::1:80", "http.listen", "brackets"},
    {"http.threads=0", "http.threads", "1 to 256"},
    {"http.threads=2x", "http.threads", "whole number"},
    {"http.bodyMaxBytes=2 MB", "http.bodyMaxBytes", "512KiB"},
    {"auth.accessTokenSeconds=1h30", "auth.accessTokenSeconds", "15m"},
    {"auth.accessTokenSeconds=-1", "auth.accessTokenSeconds", "seconds"},
    {"auth.refreshTokenSeconds=10m", "auth.refreshTokenSeconds", "shorter"},
    {"script.enabled=maybe", "script.enabled", "true or false"},
    {"profile=prod", "profile", "development | staging | production"},
    {"db.url=postgresql://h", "db.url", "names no database"},
    {"db.url=mysql://me:hidden@h/d", "db.url", "CHRONOS_DB_URL_FILE"},
    {"cluster.heartbeatSeconds=11", "cluster.heartbeatSeconds", "a third"},
    {"db.url=oracle:x", "db.url", "sqlite:PATH"},
    {"db.url=sqlite:", "db.url", "path is missing"},
    {"data.dir=", "data.dir", "too short"},
    {"node.name=a b", "node.name", "blanks"},
    {"node.name=a:1", "node.name", "colons"},
    {"admin.email=nobody", "admin.email", "e-mail"},
    {"admin.email=a@b", "admin.password", "CHRONOS_ADMIN_PASSWORD_FILE"},
    {"admin.password=x", "admin.password", "never given as a flag"},
    {"admin.passwordFile=/nowhere/at/all", "admin.passwordFile", "readable file"},
    {"http.listen", "http.listen", "name=value"},
    {"http.nonsenseLongName=1", "http.nonsenseLongName", "unknown setting"},
};

static void each_wrong_value_is_refused_with_a_remedy(void **state)
{
    struct world *w = *state;
    for (size_t i = 0; i < sizeof bad_sets / sizeof bad_sets[0]; i++) {
        faults_init(&w->faults, &w->a);
        assert_false(load(w, NULL, NULL, bad_sets[i].set));
        bool found = false;
        for (size_t j = 0; j < w->faults.n; j++)
            found |= str_is(w->faults.v[j].pointer, bad_sets[i].pointer) &&
                str_contains(w->faults.v[j].detail, str_of(bad_sets[i].part));
        if (!found)
            fail_msg("%s: %.*s", bad_sets[i].set, STR_ARG(w->faults.v[0].detail));
    }
}

static void a_file_that_is_no_mapping_or_not_there_is_refused(void **state)
{
    struct world *w = *state;
    assert_false(load(w, "- a\n- b\n", NULL, NULL));
    assert_true(str_contains(w->faults.v[0].detail, STR("mapping")));
    unlink(w->path);
    const struct config_inputs in = {.file = "/nowhere/chronos.yaml"};
    assert_false(config_load(&in, &w->c, &w->faults, &w->warnings, &w->a));
    assert_true(str_contains(w->faults.v[1].detail, STR("does not exist")));
}

static void a_file_of_comments_and_empty_sections_changes_nothing(void **state)
{
    struct world *w = *state;
    assert_true(load(w, "# nothing\n", NULL, NULL));
    unlink(w->path);
    assert_true(load(w, "egress:\n  deny:\nhttp: {}\nlog:\n", NULL, NULL));
    assert_string_equal(origin(w, "egress.deny"), "default");
}

static void durations_and_sizes_take_units(void **state)
{
    (void)state;
    int64_t n;
    assert_true(config_seconds_parse(STR("1h30m"), &n) && n == 5400);
    assert_true(config_seconds_parse(STR("0"), &n) && n == 0);
    assert_true(config_seconds_parse(STR("30d"), &n) && n == 2592000);
    assert_false(config_seconds_parse(STR(""), &n));
    assert_false(config_seconds_parse(STR("5 m"), &n));
    assert_false(config_seconds_parse(STR("99999999999999999999s"), &n));
    assert_false(config_seconds_parse(STR("9223372036854775807d"), &n));
    assert_true(config_size_parse(STR("64K"), &n) && n == 65536);
    assert_true(config_size_parse(STR("1GiB"), &n) && n == 1073741824);
    assert_false(config_size_parse(STR("1MB"), &n));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_row_has_a_name_a_doc_and_a_default_that_is_valid),
        TEST(a_stronger_source_wins_and_is_named),
        TEST(a_wrong_value_that_is_overridden_does_no_harm),
        TEST(the_profile_decides_registration_and_scripts),
        TEST(nodes_outside_development_share_a_key),
        TEST(the_settings_of_kafka_fit_together),
        TEST(the_address_of_redis_is_a_secret),
        TEST(the_database_follows_the_data_folder),
        TEST(lists_come_from_a_sequence_or_from_commas),
        TEST(secrets_come_from_files_and_are_masked),
        TEST(the_password_inside_a_url_is_masked),
        TEST(the_listen_address_is_taken_apart),
        TEST(unknown_variables_warn_and_those_of_the_client_do_not),
        TEST(a_setting_cannot_be_given_directly_and_as_a_file),
        TEST(all_faults_are_told_at_once_with_lines),
        TEST(each_wrong_value_is_refused_with_a_remedy),
        TEST(a_file_that_is_no_mapping_or_not_there_is_refused),
        TEST(a_file_of_comments_and_empty_sections_changes_nothing),
        TEST(durations_and_sizes_take_units),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
