// SPDX-License-Identifier: Apache-2.0
// One SMTP exchange on a libcurl easy handle. libcurl writes the message; we watch the conversation, because its
// result codes do not tell a refused recipient from a refused message.
//
// Of the conversation only the kind of the last command, the recipient it names and the last refusal are kept: the
// lines of AUTH carry the password.
#include "net/mail.h"

#include <netdb.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/http_exchange.h"

enum {
    MAIL_ARENA_MAX = 1024 * 1024,
    REPLY_SHOWN_MAX = 160,
    HELO_MAX = 64,
    GRACE_MS = 5000, // of libcurl's own limit after ours
    REPLY_REFUSED = 400,  // from here on
    REPLY_AUTH_NEEDED = 530,
};

enum stage { AT_GREETING, AT_STARTTLS, AT_AUTH, AT_SENDER, AT_RECIPIENT, AT_MESSAGE, AT_END };

struct post {
    const struct mail *m;
    const struct mail_server *s;
    struct mail_result *ret;
    struct arena arena;
    CURL *easy;
    struct curl_slist *recipients, *headers;
    curl_mime *mime;
    enum stage stage;
    enum stage refused_stage;
    int refused_code;
    char refused_text[REPLY_SHOWN_MAX], recipient[MAIL_ADDRESS_MAX + 1];
    bool greeted, denied, stopped, late;
    int socket; // −1: none was opened
    struct mono deadline;
    char denied_address[64], detail[CURL_ERROR_SIZE];
};

static void __attribute__((format(printf, 3, 4))) result(struct post *p, enum mail_error error,
                                                            const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    p->ret->error = error;
    (void)vsnprintf(p->ret->sentence, sizeof p->ret->sentence, fmt, args);
    p->ret->sentence[str_utf8_cut(str_of(p->ret->sentence), sizeof p->ret->sentence - 1)] = '\0';
    va_end(args);
}

// ---- what libcurl calls ----

static curl_socket_t on_open(void *ctx, curlsocktype purpose, struct curl_sockaddr *a)
{
    struct post *p = ctx;
    (void)purpose;
    p->denied = p->m->egress && !egress_permits(p->m->egress, &a->addr);
    if (!p->denied) {
        p->socket = socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
        return p->socket;
    }
    if (getnameinfo(&a->addr, a->addrlen, p->denied_address, sizeof p->denied_address, NULL, 0,
                    NI_NUMERICHOST) != 0)
        (void)snprintf(p->denied_address, sizeof p->denied_address, "of family %d", a->family);
    return CURL_SOCKET_BAD;
}

static int on_progress(void *ctx, curl_off_t dl_total, curl_off_t dl, curl_off_t ul_total, curl_off_t ul)
{
    struct post *p = ctx;
    (void)dl_total;
    (void)dl;
    (void)ul_total;
    (void)ul;
    p->late = p->late || mono_since(clock_mono(clock_real()), p->deadline).us > 0;
    p->stopped = p->stopped || (p->m->stop && p->m->stop(p->m->ctx));
    // libcurl says QUIT whenever it gives up, and waits for an answer that need not come.
    if ((p->stopped || p->late) && p->socket >= 0)
        (void)shutdown(p->socket, SHUT_RDWR);
    return p->stopped || p->late;
}

static int on_close(void *ctx, curl_socket_t fd)
{
    struct post *p = ctx;
    if (p->socket == fd)
        p->socket = -1;
    return close(fd);
}

static size_t on_answer(char *at, size_t size, size_t count, void *ctx)
{
    (void)at;
    (void)ctx;
    return size * count; // nothing of it is wanted; the conversation is watched below
}

static void command_note(struct post *p, struct str line)
{
    static const struct {
        const char *word;
        enum stage stage;
    } words[] = {{"STARTTLS", AT_STARTTLS}, {"AUTH", AT_AUTH},    {"MAIL", AT_SENDER},
                 {"RCPT", AT_RECIPIENT},    {"DATA", AT_MESSAGE}, {"QUIT", AT_END}};
    struct str rest, word = str_split(str_trim(line), ' ', &rest);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (str_is(word, words[i].word))
            p->stage = words[i].stage;
    if (p->stage == AT_RECIPIENT && rest.p) {
        size_t from = str_find(rest, '<'), to = str_find(rest, '>');
        if (from < to && to < rest.n && to - from <= MAIL_ADDRESS_MAX) {
            memcpy(p->recipient, rest.p + from + 1, to - from - 1);
            p->recipient[to - from - 1] = '\0';
        }
    }
}

// Keeps the first refusal that counts; what the server says is shown without anything that is not plain text.
static void reply_note(struct post *p, struct str line)
{
    int64_t code;
    size_t n = 0;
    line = str_trim(line);
    p->greeted = true;
    if (line.n < 3 || !str_to_i64((struct str){line.p, 3}, &code) || code < REPLY_REFUSED || p->stage == AT_END ||
        p->refused_code > 0)
        return;
    p->refused_code = (int)code;
    p->refused_stage = p->stage;
    line.n = str_utf8_cut(line, REPLY_SHOWN_MAX - 1);
    for (; n < line.n; n++)
        p->refused_text[n] = (unsigned char)line.p[n] < ' ' || line.p[n] == 0x7f ? ' ' : line.p[n];
    p->refused_text[str_utf8_valid((struct str){line.p, n}) ? n : 3] = '\0';
}

static int on_conversation(CURL *easy, curl_infotype what, char *at, size_t n, void *ctx)
{
    (void)easy;
    if (what == CURLINFO_HEADER_OUT)
        command_note(ctx, (struct str){at, n});
    else if (what == CURLINFO_HEADER_IN)
        reply_note(ctx, (struct str){at, n});
    return 0;
}

// ---- attachments ----

struct file_part {
    int fd;
    off_t at, size;
};

static size_t on_file_read(char *buffer, size_t size, size_t count, void *ctx)
{
    struct file_part *f = ctx;
    size_t want = size * count, left = (size_t)(f->size - f->at);
    ssize_t n = pread(f->fd, buffer, want < left ? want : left, f->at);
    if (n < 0 || (n == 0 && left > 0)) // it shrank meanwhile: half a file must not look whole
        return CURL_READFUNC_ABORT;
    f->at += n;
    return (size_t)n;
}

static int on_file_seek(void *ctx, curl_off_t offset, int origin)
{
    struct file_part *f = ctx;
    if (origin != SEEK_SET || offset < 0 || offset > f->size)
        return CURL_SEEKFUNC_FAIL;
    f->at = (off_t)offset;
    return CURL_SEEKFUNC_OK;
}

static bool attach_data(struct post *p, curl_mimepart *part, const struct mail_attachment *t, size_t *total)
{
    struct stat st;
    size_t n = t->bytes.n;
    if (t->fd >= 0 && (fstat(t->fd, &st) != 0 || !S_ISREG(st.st_mode))) {
        result(p, MAIL_BAD_MESSAGE, "attachment \"%.*s\" is not a regular file", STR_ARG(t->name));
        return false;
    }
    n = t->fd >= 0 ? (size_t)st.st_size : n;
    *total += n < MAIL_BYTES_MAX ? n : MAIL_BYTES_MAX;
    if (n > MAIL_BYTES_MAX || *total > MAIL_BYTES_MAX) {
        result(p, MAIL_BAD_MESSAGE, "the attachments have more than %d MiB together; send a link instead",
               MAIL_BYTES_MAX / (1024 * 1024));
        return false;
    }
    if (t->fd < 0)
        return curl_mime_data(part, t->bytes.n > 0 ? t->bytes.p : "", t->bytes.n) == CURLE_OK;
    struct file_part *f = arena_new(&p->arena, struct file_part);
    if (!f)
        return false;
    *f = (struct file_part){.fd = t->fd, .size = st.st_size};
    return curl_mime_data_cb(part, (curl_off_t)st.st_size, on_file_read, on_file_seek, NULL, f) == CURLE_OK;
}

static bool attach(struct post *p, const struct mail_attachment *t, size_t *total)
{
    struct sbuf line;
    curl_mimepart *part = curl_mime_addpart(p->mime);
    sbuf_init(&line, &p->arena, MAIL_ARENA_MAX);
    sbuf_puts(&line, "Content-Disposition: ");
    mail_put_disposition(&line, t->name);
    struct curl_slist *headers = sbuf_ok(&line) ? curl_slist_append(NULL, sbuf_str(&line).p) : NULL;
    const char *type = t->type.n > 0 ? arena_cstr(&p->arena, t->type) : mail_type_of(t->name);
    if (!part || !headers || !type || curl_mime_headers(part, headers, 1) != CURLE_OK) {
        curl_slist_free_all(headers);
        return false;
    }
    return attach_data(p, part, t, total) && curl_mime_type(part, type) == CURLE_OK &&
           curl_mime_encoder(part, "base64") == CURLE_OK;
}

// ---- the message ----

// Line ends as mail wants them: the encoder takes a lone LF for a byte of the text.
static bool put_text(struct post *p, curl_mime *mime, struct str text, const char *type)
{
    struct sbuf b;
    curl_mimepart *part = curl_mime_addpart(mime);
    sbuf_init(&b, NULL, (size_t)2 * MAIL_TEXT_MAX + 2);
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '\n' && (i == 0 || text.p[i - 1] != '\r'))
            sbuf_putc(&b, '\r');
        sbuf_putc(&b, text.p[i]);
    }
    if (text.n == 0 || text.p[text.n - 1] != '\n')
        sbuf_puts(&b, "\r\n");
    bool ok = part && sbuf_ok(&b) && curl_mime_data(part, sbuf_str(&b).p, b.n) == CURLE_OK &&
              curl_mime_type(part, type) == CURLE_OK && curl_mime_encoder(part, "quoted-printable") == CURLE_OK;
    sbuf_release(&b);
    (void)p;
    return ok;
}

static bool body_build(struct post *p)
{
    const struct mail *m = p->m;
    size_t total = 0;
    bool both = m->text.n > 0 && m->html.n > 0;
    curl_mime *texts = NULL;
    p->mime = curl_mime_init(p->easy);
    if (!p->mime)
        return false;
    if (both) {
        curl_mimepart *part = curl_mime_addpart(p->mime);
        texts = curl_mime_init(p->easy);
        if (!part || !texts || curl_mime_subparts(part, texts) != CURLE_OK) {
            curl_mime_free(texts);
            return false;
        }
        if (curl_mime_type(part, "multipart/alternative") != CURLE_OK)
            return false;
    }
    curl_mime *into = both ? texts : p->mime;
    if ((m->text.n > 0 || m->html.n == 0) && !put_text(p, into, m->text, "text/plain; charset=utf-8"))
        return false;
    if (m->html.n > 0 && !put_text(p, into, m->html, "text/html; charset=utf-8"))
        return false;
    for (size_t i = 0; i < m->n_attachments; i++)
        if (!attach(p, &m->attachments[i], &total))
            return false;
    return true;
}

static bool list_add(struct curl_slist **list, const char *text)
{
    struct curl_slist *grown = text ? curl_slist_append(*list, text) : NULL;
    if (grown)
        *list = grown;
    return grown != NULL;
}

static bool header_line(struct post *p, const char *name, struct sbuf *value)
{
    if (!sbuf_ok(value))
        return false;
    return list_add(&p->headers, arena_fmt(&p->arena, "%s: %.*s", name, STR_ARG(sbuf_str(value))).p);
}

static bool headers_build(struct post *p)
{
    const struct mail *m = p->m;
    struct sbuf b;
    bool ok = true;
    sbuf_init(&b, &p->arena, MAIL_ARENA_MAX);
#define HEADER(name, put)                                                                                         \
    do {                                                                                                          \
        sbuf_clear(&b);                                                                                           \
        put;                                                                                                      \
        ok = ok && header_line(p, name, &b);                                                                      \
    } while (0)
    HEADER("Date", mail_put_date(&b, m->date));
    HEADER("From", mail_put_addresses(&b, &(struct mail_addresses){(struct mail_address *)&m->from, 1}));
    if (m->to.n > 0)
        HEADER("To", mail_put_addresses(&b, &m->to));
    else
        HEADER("To", sbuf_puts(&b, "undisclosed-recipients:;"));
    if (m->cc.n > 0)
        HEADER("Cc", mail_put_addresses(&b, &m->cc));
    HEADER("Subject", mail_put_words(&b, m->subject));
    HEADER("Message-ID", sbuf_fmt(&b, "<%.*s>", STR_ARG(m->message_id)));
    HEADER("Auto-Submitted", sbuf_puts(&b, "auto-generated"));
    for (size_t i = 0; ok && i < m->headers.n; i++) {
        const char *name = arena_cstr(&p->arena, m->headers.v[i].key);
        ok = name != NULL;
        HEADER(name, mail_put_value(&b, m->headers.v[i].value));
    }
#undef HEADER
    return ok;
}

static bool recipients_build(struct post *p)
{
    const struct mail_addresses *all[] = {&p->m->to, &p->m->cc, &p->m->bcc};
    for (size_t k = 0; k < sizeof all / sizeof all[0]; k++)
        for (size_t i = 0; i < all[k]->n; i++)
            if (!list_add(&p->recipients,
                          arena_fmt(&p->arena, "<%.*s>", STR_ARG(all[k]->v[i].address)).p))
                return false;
    return true;
}

// ---- options ----

#define SET(option, value) ok = ok && curl_easy_setopt(easy, (option), (value)) == CURLE_OK

// The name we greet with is the path of libcurl's URL.
static const char *url_of(struct post *p)
{
    char helo[HELO_MAX] = "";
    struct str name = gethostname(helo, sizeof helo - 1) == 0 ? str_of(helo) : STR("");
    bool ok = name.n > 0;
    for (size_t i = 0; i < name.n; i++)
        ok = ok && (strchr(".-", name.p[i]) || (name.p[i] >= '0' && name.p[i] <= '9') ||
                    ((name.p[i] | ' ') >= 'a' && (name.p[i] | ' ') <= 'z'));
    return arena_fmt(&p->arena, "%.*s/%s", STR_ARG(mail_server_name(p->s, &p->arena)), ok ? helo : "localhost").p;
}

// A password goes over TLS only, unless the URL says otherwise: whoever stands between could hide the offer.
static long tls_wanted(const struct mail_server *s)
{
    int starttls = s->starttls != MAIL_STARTTLS_DEFAULT ? s->starttls
                   : s->password.n > 0                  ? MAIL_STARTTLS_REQUIRE
                                                        : MAIL_STARTTLS_TRY;
    return starttls == MAIL_STARTTLS_REQUIRE ? CURLUSESSL_ALL
           : starttls == MAIL_STARTTLS_TRY   ? CURLUSESSL_TRY
                                             : CURLUSESSL_NONE;
}

static bool guard_set(struct post *p)
{
    CURL *easy = p->easy;
    struct duration timeout = p->m->timeout.us > 0 ? p->m->timeout : duration_s(MAIL_TIMEOUT_S_DEFAULT);
    const long timeout_ms = (long)((timeout.us + US_PER_MS - 1) / US_PER_MS);
    p->deadline = mono_add(clock_mono(clock_real()), timeout); // looked at first: it ends the wait for QUIT too
    const long connect_ms = timeout_ms < MAIL_CONNECT_S * 1000L ? timeout_ms : MAIL_CONNECT_S * 1000L;
    bool ok = true;
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_QUICK_EXIT, 1L); // else a stopped one waits for its name look-up
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    SET(CURLOPT_TIMEOUT_MS, timeout_ms + GRACE_MS);
    SET(CURLOPT_CONNECTTIMEOUT_MS, connect_ms);
    SET(CURLOPT_OPENSOCKETFUNCTION, on_open);
    SET(CURLOPT_OPENSOCKETDATA, p);
    SET(CURLOPT_CLOSESOCKETFUNCTION, on_close);
    SET(CURLOPT_CLOSESOCKETDATA, p);
    SET(CURLOPT_NOPROGRESS, 0L);
    SET(CURLOPT_XFERINFOFUNCTION, on_progress);
    SET(CURLOPT_XFERINFODATA, p);
    SET(CURLOPT_VERBOSE, 1L);
    SET(CURLOPT_DEBUGFUNCTION, on_conversation);
    SET(CURLOPT_DEBUGDATA, p);
    SET(CURLOPT_WRITEFUNCTION, on_answer);
    SET(CURLOPT_ERRORBUFFER, p->detail);
    SET(CURLOPT_USE_SSL, tls_wanted(p->s));
    if (p->s->ca_file.n > 0)
        SET(CURLOPT_CAINFO, arena_cstr(&p->arena, p->s->ca_file));
    return ok;
}

static bool options_set(struct post *p)
{
    CURL *easy = p->easy;
    bool ok = guard_set(p);
    SET(CURLOPT_URL, url_of(p));
    if (p->s->user.n > 0) {
        SET(CURLOPT_USERNAME, arena_cstr(&p->arena, p->s->user));
        SET(CURLOPT_PASSWORD, arena_cstr(&p->arena, p->s->password));
    }
    SET(CURLOPT_MAIL_FROM, arena_fmt(&p->arena, "<%.*s>", STR_ARG(p->m->from.address)).p);
    SET(CURLOPT_MAIL_RCPT, p->recipients);
    SET(CURLOPT_HTTPHEADER, p->headers);
    SET(CURLOPT_MIMEPOST, p->mime);
    return ok && !p->arena.exhausted;
}

// ---- result ----

static bool is_tls(CURLcode rc)
{
    return rc == CURLE_SSL_CONNECT_ERROR || rc == CURLE_PEER_FAILED_VERIFICATION || rc == CURLE_SSL_CIPHER ||
           rc == CURLE_SSL_CERTPROBLEM || rc == CURLE_SSL_CACERT_BADFILE || rc == CURLE_SSL_ISSUER_ERROR ||
           rc == CURLE_SSL_INVALIDCERTSTATUS || rc == CURLE_USE_SSL_FAILED;
}

static void refused(struct post *p, const char *server)
{
    p->ret->code = p->refused_code;
    if (p->refused_stage == AT_AUTH || p->refused_code == REPLY_AUTH_NEEDED)
        // The words of the server are left out: they may repeat what we said.
        result(p, MAIL_AUTH_REFUSED, "mail server \"%s\" refused user name or password (%d)", server,
               p->refused_code);
    else if (p->refused_stage == AT_SENDER)
        result(p, MAIL_SENDER_REFUSED, "mail server \"%s\" refused the sender \"%.*s\": %s", server,
               STR_ARG(p->m->from.address), p->refused_text);
    else if (p->refused_stage == AT_RECIPIENT)
        result(p, MAIL_RECIPIENT_REFUSED, "mail server \"%s\" refused the recipient \"%s\": %s", server,
               p->recipient, p->refused_text);
    else if (p->refused_stage == AT_MESSAGE)
        result(p, MAIL_MESSAGE_REFUSED, "mail server \"%s\" refused the message: %s", server, p->refused_text);
    else
        result(p, MAIL_CONNECTION_ERROR, "mail server \"%s\" does not want to talk: %s", server, p->refused_text);
}

static void outcome(struct post *p, CURLcode rc)
{
    const char *server = mail_server_name(p->s, &p->arena).p;
    const char *detail = p->detail[0] ? p->detail : curl_easy_strerror(rc);
    server = server ? server : "";
    if (rc == CURLE_OK)
        p->ret->error = MAIL_SENT;
    else if (p->stopped)
        result(p, MAIL_STOPPED, "sending to \"%s\" was stopped", server);
    else if (p->denied)
        result(p, MAIL_EGRESS_DENIED, "address %s is not allowed by the egress rules (asked for by \"%s\")",
               p->denied_address, server);
    else if (p->late || rc == CURLE_OPERATION_TIMEDOUT)
        result(p, MAIL_TIMEOUT, "mail server \"%s\" did not answer in time", server);
    else if (is_tls(rc))
        result(p, MAIL_TLS_ERROR, "no trusted TLS connection to \"%s\": %s", server, detail);
    else if (p->refused_code > 0)
        refused(p, server);
    else if (rc == CURLE_LOGIN_DENIED)
        result(p, MAIL_AUTH_REFUSED, "mail server \"%s\" offers no way to sign in that we know", server);
    else if (rc == CURLE_ABORTED_BY_CALLBACK || rc == CURLE_READ_ERROR)
        result(p, MAIL_CLIENT_ERROR, "an attachment cannot be read to its end; is it being written?");
    else if (rc == CURLE_OUT_OF_MEMORY || rc == CURLE_FAILED_INIT)
        result(p, MAIL_CLIENT_ERROR, "no memory for the mail");
    else
        result(p, MAIL_CONNECTION_ERROR, "mail server \"%s\" %s: %s", server,
               p->greeted ? "ended the conversation" : "cannot be reached", detail);
}

void mail_send(const struct mail_server *s, const struct mail *m, struct mail_result *ret)
{
    struct post p = {.m = m, .s = s, .ret = ret, .socket = -1};
    struct err err;
    *ret = (struct mail_result){.error = MAIL_CLIENT_ERROR};
    if (!mail_check(m, &err)) {
        result(&p, MAIL_BAD_MESSAGE, "%s", err.text);
        return;
    }
    arena_init(&p.arena, MAIL_ARENA_MAX);
    p.easy = http_library_start(&err) ? curl_easy_init() : NULL;
    if (p.easy && recipients_build(&p) && headers_build(&p) && body_build(&p) && options_set(&p))
        outcome(&p, curl_easy_perform(p.easy));
    else if (ret->sentence[0] == '\0')
        result(&p, MAIL_CLIENT_ERROR, "no memory for the mail");
    curl_easy_cleanup(p.easy); // before what it points at
    curl_mime_free(p.mime);
    curl_slist_free_all(p.headers);
    curl_slist_free_all(p.recipients);
    arena_release(&p.arena);
}
