// SPDX-License-Identifier: Apache-2.0
// Records out of use cases, on the memory store with a virtual clock.
#include "app/audit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/audit_trail.h"
#include "store/memory/store_memory.h"

enum { ARENA_BUDGET = 4 << 20, LIST = 50 };

struct fixture {
    struct clock_virtual clock;
    struct token_key *key;
    struct app app;
    struct arena a;
    struct caller caller;
    struct audit_record *v;
    size_t n;
};

static int open_fixture(void **state)
{
    static const uint8_t secret[TOKEN_KEY_BYTES] = "a key for tests, 32 bytes long..";
    struct fixture *f = test_calloc(1, sizeof *f);
    arena_init(&f->a, ARENA_BUDGET);
    clock_virtual_init(&f->clock, instant_s(INT64_C(1798761600)));
    f->key = token_key_new(secret);
    struct app_parts parts = {.store = store_memory_new(), .clock = &f->clock.base, .key = f->key};
    app_settings_init(&parts.settings);
    app_init(&f->app, &parts);
    f->caller = (struct caller){.signed_in = true,
                                .way = WAY_TOKEN,
                                .user_id = {{7}},
                                .email = STR("ada@example.org"),
                                .remote = STR("10.0.0.1"),
                                .request_id = STR("r1")};
    *state = f;
    return 0;
}

static int close_fixture(void **state)
{
    struct fixture *f = *state;
    struct store *s = f->app.store;
    app_release(&f->app);
    s->ops->free(s);
    token_key_free(f->key);
    arena_release(&f->a);
    test_free(f);
    return 0;
}

static void list(struct fixture *f)
{
    struct audit_filter any = {.outcome = -1};
    struct page p = {.size = LIST, .ascending = true};
    struct page_result result;
    struct err err;
    assert_true(f->app.store->ops->audit_list(f->app.store, &any, &p, &f->v, &f->n, &result, &f->a, &err));
}

static struct audit_note note_of(const char *name)
{
    return (struct audit_note){.action = "test.do", .entity_type = "thing", .entity_name = str_of(name)};
}

static bool put(struct fixture *f, const char *key)
{
    struct err err;
    return f->app.store->ops->setting_put(f->app.store, str_of(key), STR("v"), &err);
}

static void a_record_goes_with_the_next_write(void **state)
{
    struct fixture *f = *state;
    struct audit_note n = note_of("a");
    uint8_t mac[AUDIT_MAC_BYTES];
    audit_with(&f->app, &f->caller, &n, &f->a);
    list(f);
    assert_int_equal(f->n, 0);
    assert_true(put(f, "x") && put(f, "y"));
    list(f);
    assert_int_equal(f->n, 1);
    assert_true(str_is(f->v->actor, "ada@example.org") && str_is(f->v->way, "TOKEN"));
    assert_true(str_is(f->v->address, "10.0.0.1") && str_is(f->v->request_id, "r1"));
    assert_true(str_is(f->v->entity_id, "a"));
    audit_record_mac(audit_trail_key(f->app.audit), f->v, mac);
    assert_memory_equal(mac, f->v->mac, sizeof mac);
}

static void what_is_dropped_goes_nowhere(void **state)
{
    struct fixture *f = *state;
    struct audit_note n = note_of("a");
    audit_with(&f->app, &f->caller, &n, &f->a);
    audit_drop(&f->app);
    assert_true(put(f, "x"));
    list(f);
    assert_int_equal(f->n, 0);
}

static void alone_and_by_the_system(void **state)
{
    struct fixture *f = *state;
    struct audit_note n = note_of("a");
    n.outcome = AUDIT_REFUSED;
    n.detail = STR("because");
    audit_alone(&f->app, NULL, &n, &f->a);
    audit_system(&f->app, "CLI", &n, &f->a);
    assert_true(put(f, "x"));
    list(f);
    assert_int_equal(f->n, 2);
    assert_true(str_is(f->v[0].actor, "system") && str_is(f->v[0].detail, "because"));
    assert_null(f->v[0].way.p);
    assert_true(str_is(f->v[1].way, "CLI"));
}

static void any_text_is_one_record(void **state)
{
    struct fixture *f = *state;
    static const char *const texts[] = {"a\r\nINJECTED", "\x1B[31mred",  "\xE2\x80\xA8line",
                                        "\"},{\"x\":\"", "\xFF\xFE bad", "{{secret.x}}"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct audit_note n = note_of(texts[i]);
        n.detail = str_of(texts[i]);
        audit_with(&f->app, &f->caller, &n, &f->a);
        assert_true(put(f, "x"));
    }
    struct audit_note zero = note_of("");
    zero.entity_name = (struct str){"a\0b", 3};
    audit_alone(&f->app, &f->caller, &zero, &f->a);
    list(f);
    assert_int_equal(f->n, sizeof texts / sizeof texts[0] + 1);
    for (size_t i = 0; i < f->n; i++) {
        struct sbuf out;
        json_t *v = NULL;
        struct err err;
        sbuf_init(&out, NULL, FIELD_MAX_DEFAULT);
        field_encode(&audit_record_fields, &f->v[i], FIELD_ENCODE_API, &out);
        assert_true(json_parse(sbuf_str(&out), &v, &err));
        assert_null(memchr(out.p, '\n', out.n));
        assert_null(memchr(f->v[i].entity_name.p, '\0', f->v[i].entity_name.n));
        json_decref(v);
        sbuf_release(&out);
    }
}

static void long_texts_fit_their_columns(void **state)
{
    struct fixture *f = *state;
    char text[4 * AUDIT_NAME_MAX];
    memset(text, 'x', sizeof text);
    struct audit_note n = {.action = "test.do",
                           .entity_type = "thing",
                           .entity_name = {text, sizeof text},
                           .detail = {text, sizeof text}};
    struct caller c = {
        .email = {text, sizeof text}, .remote = {text, sizeof text}, .request_id = {text, sizeof text}};
    audit_alone(&f->app, &c, &n, &f->a);
    list(f);
    assert_int_equal(f->n, 1);
    assert_int_equal(f->v->entity_id.n, AUDIT_ID_MAX);
    assert_int_equal(f->v->entity_name.n, AUDIT_NAME_MAX);
    assert_int_equal(f->v->detail.n, AUDIT_DETAIL_MAX);
    assert_int_equal(f->v->actor.n, AUDIT_ACTOR_MAX);
    assert_int_equal(f->v->address.n, AUDIT_WORD_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_record_goes_with_the_next_write, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(what_is_dropped_goes_nowhere, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(alone_and_by_the_system, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(any_text_is_one_record, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(long_texts_fit_their_columns, open_fixture, close_fixture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
