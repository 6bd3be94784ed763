// SPDX-License-Identifier: Apache-2.0
// Definitions out of files, and what of an answer may be sent back. Flags are covered by tests/cli/test_jobs.py.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/job_flags.h"

static void every_form_of_a_file_gives_its_jobs(void **state)
{
    (void)state;
    static const struct { const char *text; size_t n; } rows[] = {
        {"name: a", 1}, {"{\"name\":\"a\"}", 1}, {"---\nname: a\n---\nname: b\n", 2}, {"- {name: a}\n- {name: b}", 2},
        {"[{\"name\":\"a\"},{\"name\":\"b\"}]", 2}, {"{\"jobs\":[{},{}]}", 2}, {"content: [{}, {}]", 2},
        {"jobs: [{}]\n---\nname: x", 2}, {"---\n---\nname: a\n", 1}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CLEANUP_JSON json_t *jobs = NULL;
        struct err err;
        if (!jobs_from_text(str_of(rows[i].text), &jobs, &err))
            fail_msg("%s: %s", rows[i].text, err.text);
        assert_int_equal(json_array_size(jobs), rows[i].n);
    }
}

static void what_holds_no_job_is_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {"", "# only a remark", "words", "5", "{", "[1]", "jobs: []", "[]"};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        json_t *jobs;
        struct err err;
        assert_false(jobs_from_text(str_of(rows[i]), &jobs, &err));
        assert_true(err.text[0] != '\0');
    }
}

static void only_what_the_server_says_is_taken_out(void **state)
{
    (void)state;
    CLEANUP_JSON json_t *job = json_pack("{s:s, s:s, s:i, s:s, s:{}, s:[]}", "id", "1", "status", "PAUSED",
                                         "version", 3, "name", "n", "schedule", "warnings");
    job_strip(job);
    assert_int_equal(json_object_size(job), 2);
    assert_non_null(json_object_get(job, "name"));
    assert_non_null(json_object_get(job, "schedule"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_of_a_file_gives_its_jobs),
        cmocka_unit_test(what_holds_no_job_is_refused),
        cmocka_unit_test(only_what_the_server_says_is_taken_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
