// SPDX-License-Identifier: Apache-2.0
// Reading certificate and key, made by the test itself, and taking over new ones. Handshakes:
// tests/guard/test_tls.py.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <gnutls/x509.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "httpd/tls.h"

enum { PATH_CHARS = 128, BUDGET = 1 << 16, PRIVATE = 0600, FOR_ALL = 0644 };
static const int64_t made_s = 1790000000, expires_s = 1890000000;

static struct {
    char dir[PATH_CHARS / 2], certificate[PATH_CHARS], key[PATH_CHARS];
    struct err err;
} f;

static void file_put(const char *path, gnutls_datum_t *text, unsigned mode)
{
    struct err err;
    assert_true(file_write(path, str_of_n((const char *)text->data, text->size), mode, &err));
    gnutls_free(text->data);
}

// A certificate that signs itself, and its key.
static void make(int64_t expires)
{
    gnutls_x509_privkey_t key;
    gnutls_x509_crt_t c;
    gnutls_datum_t text;
    const unsigned char serial[] = {1};
    assert_int_equal(gnutls_x509_privkey_init(&key), 0);
    assert_int_equal(gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
                                                  GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0),
                     0);
    assert_int_equal(gnutls_x509_crt_init(&c), 0);
    assert_int_equal(gnutls_x509_crt_set_version(c, 3), 0);
    assert_int_equal(gnutls_x509_crt_set_serial(c, serial, sizeof serial), 0);
    assert_int_equal(gnutls_x509_crt_set_activation_time(c, made_s), 0);
    assert_int_equal(gnutls_x509_crt_set_expiration_time(c, expires), 0);
    assert_int_equal(gnutls_x509_crt_set_dn(c, "CN=localhost", NULL), 0);
    assert_int_equal(gnutls_x509_crt_set_key(c, key), 0);
    assert_int_equal(gnutls_x509_crt_sign2(c, c, key, GNUTLS_DIG_SHA256, 0), 0);
    assert_int_equal(gnutls_x509_crt_export2(c, GNUTLS_X509_FMT_PEM, &text), 0);
    file_put(f.certificate, &text, FOR_ALL);
    assert_int_equal(
        gnutls_x509_privkey_export2_pkcs8(key, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN, &text), 0);
    file_put(f.key, &text, PRIVATE);
    gnutls_x509_crt_deinit(c);
    gnutls_x509_privkey_deinit(key);
}

static int folder_make(void **state)
{
    (void)state;
    (void)snprintf(f.dir, sizeof f.dir, "/tmp/chronos-tls-XXXXXX");
    assert_non_null(mkdtemp(f.dir));
    (void)snprintf(f.certificate, sizeof f.certificate, "%s/c.pem", f.dir);
    (void)snprintf(f.key, sizeof f.key, "%s/k.pem", f.dir);
    f.err = (struct err){0};
    make(expires_s);
    return 0;
}

static int folder_remove(void **state)
{
    (void)state;
    (void)unlink(f.certificate);
    (void)unlink(f.key);
    return rmdir(f.dir);
}

static bool open_it(struct tls **ret) { return tls_open(str_of(f.certificate), str_of(f.key), ret, &f.err); }

static void a_good_pair_is_taken(void **state)
{
    (void)state;
    struct tls *t;
    assert_true(open_it(&t));
    assert_true(tls_expires(t).us == instant_s(expires_s).us);
    tls_close(t);
}

static void a_key_that_others_can_read_is_refused(void **state)
{
    (void)state;
    struct tls *t;
    assert_int_equal(chmod(f.key, FOR_ALL), 0);
    assert_false(open_it(&t));
    assert_int_equal(f.err.code, ERR_CONFIG);
    assert_non_null(strstr(f.err.text, "chmod 600"));
}

static void what_is_no_pair_is_refused_by_name(void **state)
{
    (void)state;
    struct tls *t;
    struct err err;
    char other[PATH_CHARS];
    (void)snprintf(other, sizeof other, "%s/other.pem", f.dir);
    assert_int_equal(rename(f.key, other), 0);
    assert_false(open_it(&t));
    assert_non_null(strstr(f.err.text, "http.tls.key"));
    make(expires_s); // another key: the certificate is put back from the first pair by renaming
    assert_int_equal(rename(other, f.key), 0);
    assert_false(open_it(&t));
    assert_non_null(strstr(f.err.text, "is not the key of"));
    assert_true(file_write(f.certificate, STR("hello\n"), FOR_ALL, &err));
    assert_false(open_it(&t));
    assert_non_null(strstr(f.err.text, "http.tls.certificate"));
}

static void new_files_are_taken_over_and_bad_ones_are_not(void **state)
{
    (void)state;
    struct tls *t;
    bool changed = true;
    assert_true(open_it(&t));
    assert_true(tls_reload(t, false, &changed, &f.err));
    assert_false(changed);
    make(expires_s + 1);
    assert_true(tls_reload(t, false, &changed, &f.err));
    assert_true(changed);
    assert_true(tls_expires(t).us == instant_s(expires_s + 1).us);
    struct err err;
    assert_true(file_write(f.certificate, STR("hello\n"), FOR_ALL, &err));
    assert_false(tls_reload(t, false, &changed, &f.err));
    assert_true(tls_expires(t).us == instant_s(expires_s + 1).us);
    tls_close(t);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, folder_make, folder_remove)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_good_pair_is_taken),
        TEST(a_key_that_others_can_read_is_refused),
        TEST(what_is_no_pair_is_refused_by_name),
        TEST(new_files_are_taken_over_and_bad_ones_are_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
