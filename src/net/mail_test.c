// SPDX-License-Identifier: Apache-2.0
// Addresses, header texts and the rules of a message; tests/types/test_email.py sends to real servers.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/sbuf.h"
#include "net/mail.h"

static struct arena arena;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, 8 * 1024 * 1024);
    return 0;
}
static int tear_down(void **state)
{
    (void)state;
    arena_release(&arena);
    return 0;
}

static struct str put(void (*write)(struct sbuf *, struct str), struct str s)
{
    struct sbuf b;
    sbuf_init(&b, &arena, 64 * 1024);
    write(&b, s);
    return sbuf_str(&b);
}
static void expect(struct str got, const char *want)
{
    assert_int_equal(got.n, strlen(want));
    assert_memory_equal(got.p, want, got.n);
}

static void addresses_are_taken_apart(void **state)
{
    (void)state;
    static const struct {
        const char *text, *name, *address;
    } cases[] = {
        {"ann@example.com", "", "ann@example.com"},
        {" ann+tag@mail.example.com ", "", "ann+tag@mail.example.com"},
        {"<ann@localhost>", NULL, NULL},
        {"Ann Lee <ann@example.com>", "Ann Lee", "ann@example.com"},
        {"\"Lee, Ann \\\"A\\\"\" <ann@example.com>", "Lee, Ann \"A\"", "ann@example.com"},
        {"Jörg Müller <jm@example.com>", "Jörg Müller", "jm@example.com"},
        {"ann", NULL, NULL},
        {"ann@", NULL, NULL},
        {"@example.com", NULL, NULL},
        {"a..b@example.com", NULL, NULL},
        {".a@example.com", NULL, NULL},
        {"a.@example.com", NULL, NULL},
        {"ann@-example.com", NULL, NULL},
        {"ann@example..com", NULL, NULL},
        {"ann@exa mple.com", NULL, NULL},
        {"ann@b@example.com", NULL, NULL},
        {"jörg@example.com", NULL, NULL},
        {"Lee, Ann <ann@example.com>", NULL, NULL},
        {"\"Ann <ann@example.com>", NULL, NULL},
        {"Ann <ann@example.com", NULL, NULL},
        {"ann@example.com\r\nBcc: eve@example.com", NULL, NULL},
        {"\"Ann\r\nBcc: eve@example.com\" <ann@example.com>", NULL, NULL},
        {"", NULL, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct mail_address m;
        struct err err;
        bool ok = mail_address_parse(str_of(cases[i].text), &m, &arena, &err);
        if (!cases[i].address && i != 2) {
            if (ok)
                fail_msg("\"%s\" was taken", cases[i].text);
            assert_true(strlen(err.text) > 0);
            continue;
        }
        if (i == 2)
            continue; // an address in brackets without a name: either answer is fine for a reader
        if (!ok)
            fail_msg("\"%s\": %s", cases[i].text, err.text);
        expect(m.address, cases[i].address);
        assert_true(str_is(m.name.p ? m.name : STR(""), cases[i].name));
    }
}

static void headers_hold_ascii_only_and_no_line_of_their_own(void **state)
{
    (void)state;
    expect(put(mail_put_words, STR("Report is ready")), "Report is ready");
    expect(put(mail_put_words, STR("Größe")), "=?UTF-8?B?R3LDtsOfZQ==?=");
    expect(put(mail_put_words, STR("=?UTF-8?B?eA==?=")), "=?UTF-8?B?PT9VVEYtOD9CP2VBPT0/PQ==?=");
    const char *link = "<https://chronos.example.com/notifications/01KB1SAMPLE0000000000000000/unsubscribe?t=01234>";
    expect(put(mail_put_value, str_of(link)), link);
    expect(put(mail_put_value, STR("<Größe>")), "=?UTF-8?B?PEdyw7bDn2U+?=");
    struct str folded = put(mail_put_words, STR("ääääääääääääääääääääääääääääää"));
    expect(folded, "=?UTF-8?B?w6TDpMOkw6TDpMOkw6TDpMOkw6TDpMOkw6TDpMOkw6TDpMOkw6TDpMOkw6Q=?=\r\n "
                   "=?UTF-8?B?w6TDpMOkw6TDpMOkw6TDpA==?=");
    expect(put(mail_put_disposition, STR("a b.csv")), "attachment; filename=\"a b.csv\"");
    expect(put(mail_put_disposition, STR("ü\".csv")),
           "attachment;\r\n filename*=UTF-8''%C3%BC%22.csv");
    struct sbuf b;
    struct mail_address v[] = {{STR("Lee, Ann"), STR("a@b.c")}, {STR_NONE, STR("d@e.f")}, {STR("Ü"), STR("g@h.i")}};
    sbuf_init(&b, &arena, 1024);
    mail_put_addresses(&b, &(struct mail_addresses){v, 3});
    expect(sbuf_str(&b), "\"Lee, Ann\"\r\n <a@b.c>,\r\n d@e.f,\r\n =?UTF-8?B?w5w=?=\r\n <g@h.i>");
    sbuf_clear(&b);
    mail_put_date(&b, instant_s(1795465874));
    expect(sbuf_str(&b), "Mon, 23 Nov 2026 20:31:14 +0000");
}

static void a_servers_url_says_where_and_how(void **state)
{
    (void)state;
    struct mail_server s;
    struct err err;
    assert_true(mail_server_parse(STR("smtp://mail.example.com"), &s, &arena, &err));
    assert_int_equal(s.port, 25);
    assert_false(s.tls_first);
    assert_true(mail_server_parse(STR("smtps://mail.example.com/"), &s, &arena, &err));
    assert_int_equal(s.port, 465);
    assert_true(s.tls_first);
    assert_true(mail_server_parse(STR("smtp://[::1]:2525?starttls=require&cafile=/ca.pem"), &s, &arena, &err));
    expect(s.host, "::1");
    expect(s.ca_file, "/ca.pem");
    assert_int_equal(s.port, 2525);
    assert_int_equal(s.starttls, MAIL_STARTTLS_REQUIRE);
    expect(mail_server_name(&s, &arena), "smtp://[::1]:2525");
    static const char *const bad[] = {"http://x", "smtp://", "smtp://x:0", "smtp://x:70000", "smtp://x:y",
                                      "smtp://u:secret@x", "smtp://x?starttls=maybe", "smtp://x?a=b", "smtp://[::1",
                                      "smtp://a b"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (mail_server_parse(str_of(bad[i]), &s, &arena, &err))
            fail_msg("%s was taken", bad[i]);
        assert_null(strstr(err.text, "secret"));
    }
}

static struct mail good_mail(void)
{
    static struct mail_address to[] = {{STR_INIT("Ann"), STR_INIT("ann@example.com")}};
    return (struct mail){.from = {STR_NONE, STR("chronos@example.com")},
                         .to = {to, 1},
                         .subject = STR("s"),
                         .text = STR("t"),
                         .message_id = STR("id@example.com")};
}

static void what_would_add_a_header_is_refused(void **state)
{
    (void)state;
    struct err err;
    struct mail m = good_mail();
    assert_true(mail_check(&m, &err));
    m.subject = STR("s\r\nBcc: eve@example.com");
    assert_false(mail_check(&m, &err));
    assert_non_null(strstr(err.text, "line break"));
    m = good_mail();
    m.subject = STR("s\0x");
    assert_false(mail_check(&m, &err));
    m = good_mail();
    m.from.address = STR("a@b.c>\r\nRCPT TO:<eve@example.com");
    assert_false(mail_check(&m, &err));
    m = good_mail();
    struct str_pair header = {STR("X-A"), STR("v\nB: c")};
    m.headers = (struct str_map){&header, 1};
    assert_false(mail_check(&m, &err));
    header = (struct str_pair){STR("X-A: v\r\nB"), STR("c")};
    assert_false(mail_check(&m, &err));
    m = good_mail();
    struct mail_attachment t = {.name = STR("a\r\nB: c.txt"), .fd = -1};
    m.attachments = &t;
    m.n_attachments = 1;
    assert_false(mail_check(&m, &err));
    t = (struct mail_attachment){.name = STR("a.txt"), .type = STR("text/plain\r\nB: c"), .fd = -1};
    assert_false(mail_check(&m, &err));
    m = good_mail();
    m.to.n = 0;
    assert_false(mail_check(&m, &err));
    assert_non_null(strstr(err.text, "recipients"));
    m = good_mail();
    m.text = STR("\xff");
    assert_false(mail_check(&m, &err));
}

static void types_follow_the_names(void **state)
{
    (void)state;
    assert_string_equal(mail_type_of(STR("a.pdf")), "application/pdf");
    assert_string_equal(mail_type_of(STR("a")), "application/octet-stream");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(addresses_are_taken_apart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(headers_hold_ascii_only_and_no_line_of_their_own, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_servers_url_says_where_and_how, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_would_add_a_header_is_refused, set_up, tear_down),
        cmocka_unit_test(types_follow_the_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
