// SPDX-License-Identifier: Apache-2.0
// What the audit trail shows of a change, and what it hides.
#include "app/audit_diff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/audit.h"
#include "model/job.h"
#include "model/user.h"

enum { ROOM = 2 * AUDIT_CHANGES_MAX, ARENA_BUDGET = 8 << 20 };

struct fixture {
    struct arena a;
    struct sbuf out;
    json_t *v;
};

static int open_fixture(void **state)
{
    struct fixture *f = test_calloc(1, sizeof *f);
    arena_init(&f->a, ARENA_BUDGET);
    sbuf_init(&f->out, NULL, ROOM);
    *state = f;
    return 0;
}

static int close_fixture(void **state)
{
    struct fixture *f = *state;
    json_decref(f->v);
    sbuf_release(&f->out);
    arena_release(&f->a);
    test_free(f);
    return 0;
}

static json_t *diff(struct fixture *f, const struct fields *t, const void *before, const void *after)
{
    struct err err;
    json_decref(f->v);
    f->v = NULL;
    sbuf_clear(&f->out);
    if (!audit_diff(t, before, after, &f->a, &f->out))
        return NULL;
    assert_true(sbuf_ok(&f->out));
    if (!json_parse(sbuf_str(&f->out), &f->v, &err))
        fail_msg("%s in %s", err.text, f->out.p);
    return f->v;
}

static struct str side(const json_t *v, const char *member, const char *which)
{
    return json_str(json_object_get(json_object_get(v, member), which));
}

static struct job job_new(void)
{
    struct job j;
    field_defaults(&job_fields, &j);
    j.name = STR("report");
    j.type = STR("HTTP");
    j.schedule.cron_expression = STR("0 1 * * *");
    j.payload = STR("{\"httpUrl\":\"http://a/\",\"password\":\"CANARY-1\",\"body\":\"x\"}");
    return j;
}

static void only_what_differs_by_member(void **state)
{
    struct fixture *f = *state;
    struct job before = job_new(), after = job_new();
    assert_null(diff(f, &job_fields, &before, &after));
    after.schedule.cron_expression = STR("0 2 * * *");
    after.version = 9;
    after.priority = PRIORITY_HIGH;
    json_t *v = diff(f, &job_fields, &before, &after);
    assert_int_equal(json_object_size(v), 2);
    assert_true(str_is(side(v, "schedule.cronExpression", "before"), "0 1 * * *"));
    assert_true(str_is(side(v, "schedule.cronExpression", "after"), "0 2 * * *"));
    assert_true(str_is(side(v, "priority", "before"), "MEDIUM"));
}

static void a_changed_secret_is_told_and_not_shown(void **state)
{
    struct fixture *f = *state;
    struct job before = job_new(), after = job_new();
    struct user u = {.password_hash = STR("CANARY-2")}, w = {.password_hash = STR("CANARY-3")};
    after.payload = STR("{\"httpUrl\":\"http://ada:CANARY@b/?q=CANARI\",\"password\":\"CANARY-9\",\"body\":\"x\"}");
    json_t *v = diff(f, &job_fields, &before, &after);
    assert_null(memmem(f->out.p, f->out.n, "CANARY", 6));
    assert_true(str_is(side(v, "payload.password", "after"), "***"));
    assert_true(str_is(side(v, "payload.httpUrl", "after"), "http://ada:***@b/?q=CANARI"));
    assert_null(json_object_get(v, "payload.body"));
    v = diff(f, &user_fields, &u, &w);
    assert_null(memmem(f->out.p, f->out.n, "CANARY", 6));
    assert_true(str_is(side(v, "passwordHash", "before"), "***"));
}

static void what_was_created_or_is_gone_is_shown_once(void **state)
{
    struct fixture *f = *state;
    struct job j = job_new();
    json_t *v = diff(f, &job_fields, NULL, &j);
    assert_true(str_is(side(v, "name", "after"), "report"));
    assert_null(json_object_get(json_object_get(v, "name"), "before"));
    assert_null(memmem(f->out.p, f->out.n, "CANARY", 6));
    v = diff(f, &job_fields, &j, NULL);
    assert_true(str_is(side(v, "name", "before"), "report"));
    assert_null(memmem(f->out.p, f->out.n, "CANARY", 6));
}

static void long_values_are_cut_and_say_so(void **state)
{
    struct fixture *f = *state;
    struct job before = job_new(), after = job_new();
    enum { LONG = 100000 };
    static char body[LONG + 1];
    memset(body, 'x', LONG);
    after.payload = arena_fmt(&f->a, "{\"httpUrl\":\"http://a/\",\"body\":\"%s\"}", body);
    json_t *v = diff(f, &job_fields, &before, &after);
    struct str cut = side(v, "payload.body", "after");
    assert_in_range(cut.n, 1, AUDIT_VALUE_MAX);
    assert_true(str_contains(cut, STR("(cut; 100002 bytes in all)")));
    assert_in_range(f->out.n, 1, AUDIT_CHANGES_MAX);
}

static void looks_give_secrets_away(void **state)
{
    struct fixture *f = *state;
    static const struct { const char *in, *out; } rows[] = {
        {"{\"Authorization\":\"Bearer x\"}", "{\"Authorization\":\"***\"}"},
        {"{\"Authorization\":\"{{secret.a}}\"}", "{\"Authorization\":\"{{secret.a}}\"}"},
        {"{\"X-Api-Key\":\"k\",\"a\":\"b\"}", "{\"X-Api-Key\":\"***\",\"a\":\"b\"}"},
        {"[\"postgresql://u:p\\\"@h/db\"]", "[\"postgresql://u:p\\\"@h/db\"]"},
        {"\"amqp://u:p:q@w@h:1/x\"", "\"amqp://u:***@h:1/x\""},
        {"\"http://h:80/a@b\"", "\"http://h:80/a@b\""},
        {"{\"password\":1}", "{\"password\":1}"},
        {"\"", "\""},
        {"\"\\", "\"\\"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        sbuf_clear(&f->out);
        audit_mask(str_of(rows[i].in), &f->out);
        if (!str_is(sbuf_str(&f->out), rows[i].out))
            fail_msg("%s → %s", rows[i].in, f->out.p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(only_what_differs_by_member, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(a_changed_secret_is_told_and_not_shown, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(what_was_created_or_is_gone_is_shown_once, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(long_values_are_cut_and_say_so, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(looks_give_secrets_away, open_fixture, close_fixture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
