// SPDX-License-Identifier: Apache-2.0
// Certificate and key of the server. See tls.h.
//
// A handshake is given copies that the library frees by itself: so nobody needs to know when the last
// handshake with an old certificate has ended.
#include "httpd/tls.h"

#include <errno.h>
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/sync.h"

const char tls_priorities[] =
    "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-RSA:-DHE-RSA:-CIPHER-ALL:+AES-256-GCM:"
    "+CHACHA20-POLY1305:+AES-128-GCM:-MAC-ALL:+AEAD:%SERVER_PRECEDENCE";

enum { CHAIN_MAX = 16, FILE_BYTES_MAX = 256 * 1024, ARENA_BYTES = 2 * 1024 * 1024, KEY_ID_MAX = 64 };

// What tells that a file is another one than before.
struct stamp {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec changed;
};

// One certificate with its key.
struct identity {
    gnutls_x509_crt_t *chain;
    unsigned chain_n;
    gnutls_x509_privkey_t key;
    struct instant expires;
    struct stamp certificate_stamp, key_stamp;
};

struct tls {
    struct arena a;
    const char *certificate, *key; // paths
    struct mutex lock;
    struct identity now; // under lock
};

static _Atomic(struct tls *) current;

static void identity_release(struct identity *id)
{
    for (unsigned i = 0; i < id->chain_n; i++)
        gnutls_x509_crt_deinit(id->chain[i]);
    gnutls_free(id->chain);
    if (id->key)
        gnutls_x509_privkey_deinit(id->key);
    *id = (struct identity){.chain = NULL};
}

static bool stamp_of(const char *path, struct stamp *ret, mode_t *ret_mode)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return false;
    *ret = (struct stamp){st.st_dev, st.st_ino, st.st_size, st.st_mtim};
    *ret_mode = st.st_mode;
    return true;
}

static bool stamp_same(const struct stamp *a, const struct stamp *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

static bool no_file(const char *setting, const char *path, struct err *err)
{
    return ERR(err, ERR_CONFIG, "%s: \"%s\" cannot be read (%s): name a file that this user may read",
               setting, path, strerror(errno));
}

static bool chain_read(const struct tls *t, struct identity *id, struct arena *a, struct err *err)
{
    struct str text;
    mode_t mode;
    if (!stamp_of(t->certificate, &id->certificate_stamp, &mode))
        return no_file("http.tls.certificate", t->certificate, err);
    if (!file_read(t->certificate, FILE_BYTES_MAX, &text, a, err))
        return err_wrap(err, "http.tls.certificate");
    const gnutls_datum_t pem = {(unsigned char *)(uintptr_t)text.p, (unsigned)text.n};
    int rc = gnutls_x509_crt_list_import2(&id->chain, &id->chain_n, &pem, GNUTLS_X509_FMT_PEM,
                                          GNUTLS_X509_CRT_LIST_FAIL_IF_UNSORTED);
    if (rc < 0) {
        id->chain = NULL; // the library has freed it
        id->chain_n = 0;
        return ERR(err, ERR_CONFIG,
                   "http.tls.certificate: \"%s\" holds no chain of certificates (%s): give a PEM file, "
                   "the server's own certificate first and each issuer behind it",
                   t->certificate, gnutls_strerror(rc));
    }
    if (id->chain_n > CHAIN_MAX)
        return ERR(err, ERR_CONFIG,
                   "http.tls.certificate: \"%s\" holds %u certificates; at most %d make a chain",
                   t->certificate, id->chain_n, CHAIN_MAX);
    id->expires = instant_s((int64_t)gnutls_x509_crt_get_expiration_time(id->chain[0]));
    return true;
}

static bool key_read(const struct tls *t, struct identity *id, struct arena *a, struct err *err)
{
    struct str text;
    mode_t mode;
    if (!stamp_of(t->key, &id->key_stamp, &mode))
        return no_file("http.tls.key", t->key, err);
    if (mode & (S_IRWXO | S_IWGRP))
        return ERR(err, ERR_CONFIG,
                   "http.tls.key: \"%s\" can be read or changed by other users: chmod 600 it", t->key);
    if (!file_read(t->key, FILE_BYTES_MAX, &text, a, err))
        return err_wrap(err, "http.tls.key");
    const gnutls_datum_t pem = {(unsigned char *)(uintptr_t)text.p, (unsigned)text.n};
    must(gnutls_x509_privkey_init(&id->key) == GNUTLS_E_SUCCESS);
    int rc = gnutls_x509_privkey_import2(id->key, &pem, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN);
    explicit_bzero((char *)(uintptr_t)text.p, text.n);
    return rc >= 0 ||
           ERR(err, ERR_CONFIG, "http.tls.key: \"%s\" holds no key (%s): give a PEM file without a password",
               t->key, gnutls_strerror(rc));
}

static bool key_fits(const struct tls *t, const struct identity *id, struct err *err)
{
    unsigned char of_key[KEY_ID_MAX], of_certificate[KEY_ID_MAX];
    size_t key_n = sizeof of_key, certificate_n = sizeof of_certificate;
    bool ok = gnutls_x509_privkey_get_key_id(id->key, GNUTLS_KEYID_USE_SHA256, of_key, &key_n) >= 0 &&
              gnutls_x509_crt_get_key_id(id->chain[0], GNUTLS_KEYID_USE_SHA256, of_certificate,
                                         &certificate_n) >= 0 &&
              key_n == certificate_n && memcmp(of_key, of_certificate, key_n) == 0;
    return ok ||
           ERR(err, ERR_CONFIG, "http.tls.key: \"%s\" is not the key of the first certificate in \"%s\"",
               t->key, t->certificate);
}

static bool identity_read(const struct tls *t, struct identity *ret, struct err *err)
{
    struct identity id = {.chain = NULL};
    struct arena a;
    arena_init(&a, ARENA_BYTES);
    bool ok = chain_read(t, &id, &a, err) && key_read(t, &id, &a, err) && key_fits(t, &id, err);
    arena_release(&a);
    if (ok)
        *ret = id;
    else
        identity_release(&id);
    return ok;
}

bool tls_open(struct str certificate, struct str key, struct tls **ret, struct err *err)
{
    struct tls *t = mem_new(struct tls);
    arena_init(&t->a, ARENA_BYTES);
    t->certificate = arena_cstr(&t->a, certificate);
    t->key = arena_cstr(&t->a, key);
    mutex_init(&t->lock, LOCK_HTTPD_TLS);
    must(t->certificate && t->key && !atomic_load(&current));
    if (!identity_read(t, &t->now, err)) {
        tls_close(t);
        return false;
    }
    atomic_store(&current, t);
    *ret = t;
    return true;
}

void tls_close(struct tls *t)
{
    if (!t)
        return;
    if (atomic_load(&current) == t)
        atomic_store(&current, NULL);
    identity_release(&t->now);
    mutex_release(&t->lock);
    arena_release(&t->a);
    mem_free(t);
}

static bool files_changed(struct tls *t)
{
    struct stamp certificate, key;
    mode_t mode;
    // A file that is away for a moment is being replaced: the next look sees the new one.
    if (!stamp_of(t->certificate, &certificate, &mode) || !stamp_of(t->key, &key, &mode))
        return false;
    WITH_LOCK(&t->lock);
    return !stamp_same(&certificate, &t->now.certificate_stamp) || !stamp_same(&key, &t->now.key_stamp);
}

bool tls_reload(struct tls *t, bool always, bool *ret_changed, struct err *err)
{
    struct identity fresh, old;
    if (!always && !files_changed(t)) {
        *ret_changed = false;
        return true;
    }
    if (!identity_read(t, &fresh, err))
        return false;
    mutex_lock(&t->lock);
    old = t->now;
    t->now = fresh;
    mutex_unlock(&t->lock);
    identity_release(&old);
    *ret_changed = true;
    return true;
}

struct instant tls_expires(struct tls *t)
{
    WITH_LOCK(&t->lock);
    return t->now.expires;
}

static bool chain_copy(const struct identity *id, gnutls_pcert_st **ret)
{
    gnutls_pcert_st *v = gnutls_calloc(id->chain_n, sizeof *v);
    if (!v)
        return false;
    for (unsigned i = 0; i < id->chain_n; i++)
        if (gnutls_pcert_import_x509(&v[i], id->chain[i], 0) < 0) {
            while (i-- > 0)
                gnutls_pcert_deinit(&v[i]);
            gnutls_free(v);
            return false;
        }
    *ret = v;
    return true;
}

static bool key_copy(const struct identity *id, gnutls_privkey_t *ret)
{
    gnutls_privkey_t key;
    if (gnutls_privkey_init(&key) < 0)
        return false;
    if (gnutls_privkey_import_x509(key, id->key, GNUTLS_PRIVKEY_IMPORT_COPY) >= 0) {
        *ret = key;
        return true;
    }
    gnutls_privkey_deinit(key);
    return false;
}

// Called in every handshake, on the connection's thread.
static int retrieve(gnutls_session_t session, const struct gnutls_cert_retr_st *info,
                    gnutls_pcert_st **ret_chain, unsigned *ret_chain_n, gnutls_ocsp_data_st **ret_ocsp,
                    unsigned *ret_ocsp_n, gnutls_privkey_t *ret_key, unsigned *ret_flags)
{
    (void)session, (void)info;
    struct tls *t = atomic_load(&current);
    must(t);
    WITH_LOCK(&t->lock);
    gnutls_privkey_t key;
    if (!key_copy(&t->now, &key))
        return -1;
    if (!chain_copy(&t->now, ret_chain)) {
        gnutls_privkey_deinit(key);
        return -1;
    }
    *ret_chain_n = t->now.chain_n;
    *ret_ocsp = NULL;
    *ret_ocsp_n = 0;
    *ret_key = key;
    *ret_flags = GNUTLS_CERT_RETR_DEINIT_ALL;
    return 0;
}

void *tls_retrieve(void)
{
    gnutls_certificate_retrieve_function3 *f = retrieve;
    return (void *)f;
}
