// SPDX-License-Identifier: Apache-2.0
// Audit records: copies of their own, and what of them is shown.
#include "model/audit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"

static struct audit_record sample(void)
{
    return (struct audit_record){.id = {{1}},
                                 .seq = 7,
                                 .at = instant_s(1),
                                 .actor = STR("ada@example.org"),
                                 .node = STR("n1"),
                                 .action = STR("job.update"),
                                 .entity_type = STR("job"),
                                 .entity_id = STR("x"),
                                 .entity_name = STR(""),
                                 .detail = STR("a\nb\xE2\x80\xA8\x1B[31m\"}"),
                                 .changes = STR("{\"name\":{\"before\":1,\"after\":2}}"),
                                 .mac = {0xAA}};
}

static void a_copy_stands_alone(void **state)
{
    (void)state;
    char actor[] = "ada@example.org";
    struct audit_record r = sample();
    r.actor = str_of(actor);
    struct audit_record *own = audit_record_copy(&r);
    memset(actor, 'x', sizeof actor - 1);
    assert_true(str_is(own->actor, "ada@example.org"));
    assert_true(str_eq(own->changes, r.changes));
    assert_null(own->way.p);
    assert_non_null(own->entity_name.p); // empty is not absent
    assert_int_equal(own->entity_name.n, 0);
    assert_memory_equal(own->mac, r.mac, sizeof r.mac);
    mem_free(own);
}

static void whatever_it_holds_it_is_one_line_of_json(void **state)
{
    (void)state;
    struct audit_record r = sample();
    struct sbuf out;
    json_t *v = NULL;
    struct err err;
    sbuf_init(&out, NULL, FIELD_MAX_DEFAULT);
    field_encode(&audit_record_fields, &r, FIELD_ENCODE_API, &out);
    assert_true(sbuf_ok(&out) && json_parse(sbuf_str(&out), &v, &err));
    assert_null(memchr(out.p, '\n', out.n));
    assert_null(memchr(out.p, '\x1B', out.n));
    assert_null(memmem(out.p, out.n, "\xE2\x80\xA8", 3));
    assert_true(str_eq(json_str(json_object_get(v, "detail")), r.detail));
    assert_true(json_is_object(json_object_get(v, "changes")));
    assert_null(json_object_get(v, "mac"));
    json_decref(v);
    sbuf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_copy_stands_alone),
        cmocka_unit_test(whatever_it_holds_it_is_one_line_of_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
