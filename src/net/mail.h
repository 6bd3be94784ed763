// SPDX-License-Identifier: Apache-2.0
// Sending one mail: addresses, header texts, and the SMTP exchange by libcurl. Blocking: for threads that may wait.
//
// Nothing that is put into a header can add a line to it: control characters are refused, other characters than ASCII
// are encoded (RFC 2047, RFC 2231). Certificates are verified. What the server answers is not an `err`: it is a result
// with a class and a sentence, because the caller records it as the outcome of a run. No sentence holds a password.
#ifndef NET_MAIL_H
#define NET_MAIL_H

#include "base/sbuf.h"
#include "base/time.h"
#include "net/egress.h"

enum {
    MAIL_LOCAL_PART_MAX = 64,
    MAIL_ADDRESS_MAX = 254,
    MAIL_NAME_MAX = 200,       // bytes of a display name, and of a file's name
    MAIL_HEADER_MAX = 998,     // bytes of a header's value
    MAIL_RECIPIENTS_MAX = 100, // to, cc and bcc together
    MAIL_ATTACHMENTS_MAX = 50,
    MAIL_TEXT_MAX = 1024 * 1024,
    MAIL_BYTES_MAX = 50 * 1024 * 1024, // of all attachments, as files
    MAIL_CONNECT_S = 15,
    MAIL_TIMEOUT_S_DEFAULT = 120, // of the whole exchange
};

struct mail_address {
    struct str name;    // display name, or absent
    struct str address; // addr-spec
};
struct mail_addresses {
    struct mail_address *v;
    size_t n;
};

enum mail_starttls { MAIL_STARTTLS_DEFAULT, MAIL_STARTTLS_REQUIRE, MAIL_STARTTLS_TRY, MAIL_STARTTLS_OFF };

struct mail_server {
    bool tls_first;         // smtps
    int starttls;           // enum mail_starttls; default: require when a password goes along, else try
    struct str host;        // without the brackets of an IPv6 address
    int64_t port;
    struct str ca_file;     // PEM bundle instead of the system's; absent = the system's
    struct str user, password; // absent: none; not part of the URL
};

struct mail_attachment {
    struct str name; // as the reader sees it
    struct str type; // media type; absent: by the name's ending
    int fd;          // read from its start by position; −1: `bytes`
    struct str bytes;
};

// All texts are UTF-8 and stay the caller's until mail_send returns.
struct mail {
    struct mail_address from;
    struct mail_addresses to, cc, bcc;
    struct str subject, text, html; // text or html may be absent
    const struct mail_attachment *attachments;
    size_t n_attachments;
    struct str_map headers;  // further ones ("Chronos-Run-Key")
    struct str message_id;   // without brackets: "unique@domain"
    struct instant date;
    struct duration timeout; // 0 = default
    const struct egress *egress;
    bool (*stop)(void *ctx); // asked about once a second; true ends the exchange. May be NULL
    void *ctx;
};

enum mail_error {
    MAIL_SENT,
    MAIL_BAD_MESSAGE,       // it breaks a rule above; nothing was sent
    MAIL_CONNECTION_ERROR,  // name not found, refused, closed, not SMTP
    MAIL_TIMEOUT,
    MAIL_TLS_ERROR,         // certificate, handshake, or STARTTLS is not offered
    MAIL_EGRESS_DENIED,
    MAIL_AUTH_REFUSED,
    MAIL_SENDER_REFUSED,
    MAIL_RECIPIENT_REFUSED, // nobody got the message
    MAIL_MESSAGE_REFUSED,
    MAIL_STOPPED,
    MAIL_CLIENT_ERROR,      // out of memory or files on our side
};
extern const char *const mail_error_names[]; // "SENT", …, NULL-terminated

struct mail_result {
    enum mail_error error;
    int code;            // SMTP reply that decided, or 0
    char sentence[320];  // fit for a user; "" when sent
};

// smtp://host[:port] or smtps://host[:port], with ?starttls=require|try|off and &cafile=/path. User and password are
// settings of their own, never part of the URL.
bool mail_server_parse(struct str url, struct mail_server *ret, struct arena *a, struct err *err)
    __attribute__((warn_unused_result));
// "smtp://host:port", fit for logs and as the name of a target.
struct str mail_server_name(const struct mail_server *s, struct arena *a);
// user@domain, Name <user@domain> or "Name" <user@domain>. The local part is a dot-atom, all of it ASCII.
bool mail_address_parse(struct str text, struct mail_address *ret, struct arena *a, struct err *err)
    __attribute__((warn_unused_result));
// A value without control characters, valid UTF-8, at most MAIL_HEADER_MAX bytes.
bool mail_header_check(const char *what, struct str value, struct err *err) __attribute__((warn_unused_result));

void mail_send(const struct mail_server *s, const struct mail *m, struct mail_result *ret);

// ---- for net/mail.c and tests ----

// RFC 2047: ASCII stays as it is, else folded encoded words.
void mail_put_words(struct sbuf *out, struct str text);
// The same, but identifiers and addresses in <> ("<a@b>, <https://…>") stay as they are whatever their length.
void mail_put_value(struct sbuf *out, struct str value);
// `Name <a@b>, c@d`, folded after each.
void mail_put_addresses(struct sbuf *out, const struct mail_addresses *v);
void mail_put_date(struct sbuf *out, struct instant t); // RFC 5322, UTC
// Content-Disposition of an attachment, also for names that are not ASCII (RFC 2231).
void mail_put_disposition(struct sbuf *out, struct str name);
const char *mail_type_of(struct str name); // media type by the name's ending
// Every rule that one message can break.
bool mail_check(const struct mail *m, struct err *err) __attribute__((warn_unused_result));

#endif
