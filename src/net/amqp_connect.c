// SPDX-License-Identifier: Apache-2.0
// Loading librabbitmq, connecting, and what its errors mean.
//
// The library closes its socket when it likes. What another thread shuts down is therefore a copy of the
// descriptor that only amqp_free closes: a number that was given to somebody else meanwhile can never be hit.
#include "net/amqp_impl.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/library.h"
#include "base/mem.h"
#include "base/sync.h"
#include "net/dial.h"

enum { FRAME_BYTES = 128 * 1024, HEARTBEAT_S = 30, CLOSE_OK = 200, TEXT_MAX = 1024 };
static const char system_authorities[] = "/etc/ssl/certs/ca-certificates.crt";

struct amqp_library amqp_lib;
#define SYMBOL(fn) LIBRARY_SYMBOL(amqp_lib, fn)
static const struct library_symbol symbols[] = {
    SYMBOL(amqp_new_connection),
    SYMBOL(amqp_destroy_connection),
    SYMBOL(amqp_tcp_socket_new),
    SYMBOL(amqp_tcp_socket_set_sockfd),
    SYMBOL(amqp_ssl_socket_new),
    SYMBOL(amqp_ssl_socket_set_cacert),
    SYMBOL(amqp_ssl_socket_set_verify_peer),
    SYMBOL(amqp_ssl_socket_set_verify_hostname),
    SYMBOL(amqp_socket_open_noblock),
    SYMBOL(amqp_get_sockfd),
    SYMBOL(amqp_set_handshake_timeout),
    SYMBOL(amqp_set_rpc_timeout),
    SYMBOL(amqp_login_with_properties),
    SYMBOL(amqp_get_rpc_reply),
    SYMBOL(amqp_error_string2),
    SYMBOL(amqp_channel_open),
    SYMBOL(amqp_confirm_select),
    SYMBOL(amqp_queue_declare),
    SYMBOL(amqp_queue_purge),
    SYMBOL(amqp_basic_qos),
    SYMBOL(amqp_basic_consume),
    SYMBOL(amqp_basic_cancel),
    SYMBOL(amqp_basic_publish),
    SYMBOL(amqp_basic_ack),
    SYMBOL(amqp_basic_nack),
    SYMBOL(amqp_simple_wait_frame_noblock),
    SYMBOL(amqp_maybe_release_buffers),
    SYMBOL(amqp_send_method),
};
static struct library rabbitmq = LIBRARY("librabbitmq.so.4", "librabbitmq4", symbols);

// ---- errors ----

static const struct {
    int code;
    const char *name;
} names[] = {
    {AMQP_CONTENT_TOO_LARGE, "CONTENT_TOO_LARGE"},
    {AMQP_NO_ROUTE, "NO_ROUTE"},
    {AMQP_NO_CONSUMERS, "NO_CONSUMERS"},
    {AMQP_ACCESS_REFUSED, "ACCESS_REFUSED"},
    {AMQP_NOT_FOUND, "NOT_FOUND"},
    {AMQP_RESOURCE_LOCKED, "RESOURCE_LOCKED"},
    {AMQP_PRECONDITION_FAILED, "PRECONDITION_FAILED"},
    {AMQP_CONNECTION_FORCED, "CONNECTION_FORCED"},
    {AMQP_INVALID_PATH, "INVALID_PATH"},
    {AMQP_FRAME_ERROR, "FRAME_ERROR"},
    {AMQP_SYNTAX_ERROR, "SYNTAX_ERROR"},
    {AMQP_COMMAND_INVALID, "COMMAND_INVALID"},
    {AMQP_CHANNEL_ERROR, "CHANNEL_ERROR"},
    {AMQP_UNEXPECTED_FRAME, "UNEXPECTED_FRAME"},
    {AMQP_RESOURCE_ERROR, "RESOURCE_ERROR"},
    {AMQP_NOT_ALLOWED, "NOT_ALLOWED"},
    {AMQP_NOT_IMPLEMENTED, "NOT_IMPLEMENTED"},
    {AMQP_INTERNAL_ERROR, "INTERNAL_ERROR"},
    {AMQP_NACK, "NACK"},
};

const char *amqp_error_name(const struct err *err)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i].code == err->native)
            return names[i].name;
    return err->native ? "BROKER_ERROR" : NULL;
}

bool amqp_fail_close(const amqp_method_t *m, const char *what, struct err *err)
{
    int code = AMQP_INTERNAL_ERROR;
    struct str text = STR("the channel was closed");
    if (m->id == AMQP_CHANNEL_CLOSE_METHOD) {
        const amqp_channel_close_t *c = m->decoded;
        code = c->reply_code;
        text = amqp_str_of(c->reply_text);
    } else if (m->id == AMQP_CONNECTION_CLOSE_METHOD) {
        const amqp_connection_close_t *c = m->decoded;
        code = c->reply_code;
        text = amqp_str_of(c->reply_text);
    }
    (void)ERR(err, ERR_UNAVAILABLE, "rabbitmq: %s: %.*s", what, STR_ARG(text));
    err->native = code;
    return false;
}

bool amqp_fail_status(struct amqp *q, int status, const char *what, struct err *err)
{
    if (atomic_load(&q->interrupted))
        return ERR(err, ERR_UNAVAILABLE, "rabbitmq: %s: stopped", what);
    if (q->blocked[0])
        return ERR(err, ERR_TIMEOUT, "rabbitmq: %s: the broker takes no messages now: %s", what, q->blocked);
    if (status == AMQP_STATUS_TIMEOUT)
        return ERR(err, ERR_TIMEOUT, "rabbitmq: %s: no answer within %lld s", what,
                   (long long)(q->options.at_most.us / US_PER_S));
    return ERR(err, ERR_UNAVAILABLE, "rabbitmq: %s: %s", what, amqp_lib.amqp_error_string2(status));
}

bool amqp_fail_reply(struct amqp *q, amqp_rpc_reply_t r, const char *what, struct err *err)
{
    if (r.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION)
        return amqp_fail_close(&r.reply, what, err);
    return amqp_fail_status(
        q, r.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION ? r.library_error : AMQP_STATUS_CONNECTION_CLOSED,
        what, err);
}

// ---- connecting ----

struct amqp *amqp_new(const struct amqp_options *o)
{
    struct amqp *q = mem_new(struct amqp);
    q->options = *o;
    q->guard = -1;
    return q;
}

void amqp_interrupt(struct amqp *q)
{
    atomic_store(&q->interrupted, true);
    int fd = __atomic_load_n(&q->guard, __ATOMIC_ACQUIRE);
    if (fd >= 0)
        (void)shutdown(fd, SHUT_RDWR);
}

static struct timeval timeval_of(struct duration d)
{
    return (struct timeval){.tv_sec = d.us / US_PER_S, .tv_usec = d.us % US_PER_S};
}

// From here on amqp_interrupt has something to interrupt. A peer that stops reading ends the connection in
// time, too: the library itself waits for it without a limit.
static bool guard(struct amqp *q, int fd, struct err *err)
{
    unsigned ms = (unsigned)(q->options.at_most.us / US_PER_MS);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof ms);
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (copy < 0)
        return ERR_ERRNO(err, "a socket cannot be opened");
    __atomic_store_n(&q->guard, copy, __ATOMIC_RELEASE);
    if (atomic_load(&q->interrupted))
        return ERR(err, ERR_UNAVAILABLE, "rabbitmq: stopped while connecting");
    return true;
}

static bool open_plain(struct amqp *q, const struct dial *d, struct err *err)
{
    int fd;
    if (!dial(d, &fd, err))
        return false;
    amqp_socket_t *s = amqp_lib.amqp_tcp_socket_new(q->state);
    must(s != NULL);
    amqp_lib.amqp_tcp_socket_set_sockfd(s, fd); // the library's from now on
    return guard(q, fd, err);
}

// The library's handshake cannot be interrupted before it is over. A thread of its own makes it, and is left
// behind with the connection when nobody waits for it any more.
struct handshake {
    _Atomic int users; // the thread and who waits for it
    _Atomic bool wanted;
    int done; // eventfd
    amqp_connection_state_t state;
    amqp_socket_t *socket;
    char host[DIAL_HOST_MAX + 1];
    int port, status;
    struct timeval at_most;
};

static void handshake_drop(struct handshake *h)
{
    if (atomic_fetch_sub(&h->users, 1) > 1)
        return;
    if (!atomic_load(&h->wanted))
        (void)amqp_lib.amqp_destroy_connection(h->state);
    close(h->done);
    mem_free(h);
}

static void *handshake_main(void *arg)
{
    struct handshake *h = arg;
    h->status = amqp_lib.amqp_socket_open_noblock(h->socket, h->host, h->port, &h->at_most);
    (void)eventfd_write(h->done, 1);
    handshake_drop(h);
    return NULL;
}

// Takes the connection away from q when it is given up.
static bool handshake(struct amqp *q, amqp_socket_t *s, const struct dial *d, int *ret_status)
{
    struct handshake *h = mem_new(struct handshake);
    *h = (struct handshake){.users = 2, .wanted = true, .state = q->state, .socket = s, .port = d->port};
    h->at_most = timeval_of(q->options.at_most);
    memcpy(h->host, d->host.p, d->host.n);
    h->done = eventfd(0, EFD_CLOEXEC);
    must(h->done >= 0);
    must(pthread_detach(thread_start("handshake", handshake_main, h)) == 0);
    struct pollfd p = {.fd = h->done, .events = POLLIN};
    bool done = false;
    while (!done && !atomic_load(&q->interrupted))
        done = poll(&p, 1, DIAL_SLICE_MS) > 0;
    if (done) {
        *ret_status = h->status;
    } else {
        atomic_store(&h->wanted, false);
        q->state = NULL;
    }
    handshake_drop(h);
    return done;
}

static bool open_tls(struct amqp *q, const struct dial *d, struct err *err)
{
    char ca[TEXT_MAX], address[DIAL_ADDRESS_MAX];
    struct str file = q->options.ca_file.n ? q->options.ca_file : str_of(system_authorities);
    if (!dial_address(d, address, err)) // judges the address
        return false;
    if (file.n >= sizeof ca)
        return ERR(err, ERR_INVALID, "the name of the file of authorities is too long");
    memcpy(ca, file.p, file.n);
    ca[file.n] = '\0';
    amqp_socket_t *s = amqp_lib.amqp_ssl_socket_new(q->state);
    must(s != NULL);
    if (amqp_lib.amqp_ssl_socket_set_cacert(s, ca) != AMQP_STATUS_OK)
        return ERR(err, ERR_INVALID, "the file of authorities \"%s\" cannot be read: give PEM in \"caFile\"",
                   ca);
    amqp_lib.amqp_ssl_socket_set_verify_peer(s, 1);
    amqp_lib.amqp_ssl_socket_set_verify_hostname(s, 1);
    int status = AMQP_STATUS_OK;
    if (!handshake(q, s, d, &status))
        return ERR(err, ERR_UNAVAILABLE, "rabbitmq: stopped while connecting");
    if (status != AMQP_STATUS_OK)
        return amqp_fail_status(q, status, "connect by TLS", err);
    if (!dial_peer_permitted(amqp_lib.amqp_get_sockfd(q->state), d->egress))
        return ERR(err, ERR_DENIED, "the address of \"%.*s\" is refused by the egress guard",
                   STR_ARG(d->host));
    return guard(q, amqp_lib.amqp_get_sockfd(q->state), err);
}

static amqp_table_entry_t entry_str(const char *key, struct str value)
{
    return (amqp_table_entry_t){.key = amqp_bytes_of(str_of(key)),
                                .value = {.kind = AMQP_FIELD_KIND_UTF8, .value.bytes = amqp_bytes_of(value)}};
}

static bool copy_text(struct str s, char *ret, size_t size, const char *what, struct err *err)
{
    if (s.n >= size || (s.n && memchr(s.p, '\0', s.n)))
        return ERR(err, ERR_INVALID, "\"%s\" is too long or holds a NUL", what);
    if (s.n)
        memcpy(ret, s.p, s.n);
    ret[s.n] = '\0';
    return true;
}

static bool sign_in(struct amqp *q, struct err *err)
{
    char vhost[TEXT_MAX], user[TEXT_MAX], password[TEXT_MAX];
    const struct amqp_options *o = &q->options;
    if (!copy_text(o->vhost, vhost, sizeof vhost, "vhost", err) ||
        !copy_text(o->username, user, sizeof user, "username", err) ||
        !copy_text(o->password, password, sizeof password, "password", err))
        return false;
    amqp_table_entry_t can = {.key = amqp_bytes_of(STR("connection.blocked")),
                              .value = {.kind = AMQP_FIELD_KIND_BOOLEAN, .value.boolean = 1}};
    amqp_table_entry_t cancel = can;
    cancel.key = amqp_bytes_of(STR("consumer_cancel_notify"));
    amqp_table_entry_t capabilities[] = {can, cancel};
    amqp_table_entry_t entries[] = {
        {.key = amqp_bytes_of(STR("capabilities")),
         .value = {.kind = AMQP_FIELD_KIND_TABLE, .value.table = {2, capabilities}}},
        entry_str("connection_name", o->client_name),
    };
    amqp_table_t properties = {2, entries};
    amqp_rpc_reply_t r = amqp_lib.amqp_login_with_properties(
        q->state, vhost, 0, FRAME_BYTES, HEARTBEAT_S, &properties, AMQP_SASL_METHOD_PLAIN, user, password);
    explicit_bzero(password, sizeof password);
    return r.reply_type == AMQP_RESPONSE_NORMAL || amqp_fail_reply(q, r, "sign in", err);
}

bool amqp_connect(struct amqp *q, struct err *err)
{
    const struct amqp_options *o = &q->options;
    struct dial d = {.clock = o->clock,
                     .host = o->host,
                     .port = o->port,
                     .egress = o->egress,
                     .at_most = o->at_most,
                     .stop = &q->interrupted};
    struct timeval tv = timeval_of(o->at_most);
    if (!library_need(&rabbitmq, err))
        return false;
    must((q->state = amqp_lib.amqp_new_connection()) != NULL);
    must(amqp_lib.amqp_set_handshake_timeout(q->state, &tv) == AMQP_STATUS_OK);
    must(amqp_lib.amqp_set_rpc_timeout(q->state, &tv) == AMQP_STATUS_OK);
    if (!(o->tls ? open_tls(q, &d, err) : open_plain(q, &d, err)) || !sign_in(q, err))
        return false;
    if (!amqp_lib.amqp_channel_open(q->state, AMQP_CHANNEL))
        return amqp_fail_reply(q, amqp_lib.amqp_get_rpc_reply(q->state), "open a channel", err);
    return true;
}

void amqp_free(struct amqp *q)
{
    if (!q)
        return;
    if (q->state) {
        amqp_connection_close_t bye = {.reply_code = CLOSE_OK};
        if (q->guard >= 0 && !atomic_load(&q->interrupted))
            (void)amqp_lib.amqp_send_method(q->state, 0, AMQP_CONNECTION_CLOSE_METHOD, &bye);
        (void)amqp_lib.amqp_destroy_connection(q->state);
    }
    if (q->guard >= 0)
        close(q->guard);
    mem_free(q);
}
