// SPDX-License-Identifier: Apache-2.0
// The certificate that the server shows (GnuTLS). It may be replaced while connections are open: a handshake
// gets a copy of what is current, and connections that are open keep what they have.
//
// Lock: LOCK_HTTPD_TLS, inside; held while a copy is made. At most one identity is open in a process, because
// the HTTP library tells the callback of a handshake nothing of ours.
#ifndef HTTPD_TLS_H
#define HTTPD_TLS_H

#include "base/err.h"
#include "base/time.h"

struct tls;

// Protocols and ciphers: TLS 1.2 and 1.3, authenticated encryption with forward secrecy only.
extern const char tls_priorities[];

// Reads the chain of certificates and the key (PEM). The key must be readable by nobody else. ERR_CONFIG
// names the setting and what to do.
bool tls_open(struct str certificate, struct str key, struct tls **ret, struct err *err)
    __attribute__((warn_unused_result));
void tls_close(struct tls *t); // after the last handshake; NULL is fine
// Reads the files again when they changed, or in any case. When they are bad, what was read before stays in
// use.
bool tls_reload(struct tls *t, bool always, bool *ret_changed, struct err *err)
    __attribute__((warn_unused_result));
// When the first certificate of the chain expires.
struct instant tls_expires(struct tls *t);
// What the HTTP library is to be given as its callback for certificates
// (gnutls_certificate_retrieve_function3).
void *tls_retrieve(void);

#endif
