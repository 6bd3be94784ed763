// SPDX-License-Identifier: Apache-2.0
// What the files of net/amqp share: the loaded library, the connection and its errors. Inside of net/.
#ifndef NET_AMQP_IMPL_H
#define NET_AMQP_IMPL_H

#include <stdatomic.h>

#include <amqp.h>
#include <amqp_ssl_socket.h>
#include <amqp_tcp_socket.h>

#include "net/amqp.h"

enum {
    AMQP_CHANNEL = 1,
    AMQP_NACK = 10000
}; // AMQP_NACK: beside the reply codes of the protocol, for err.native

struct amqp_library {
    amqp_connection_state_t (*amqp_new_connection)(void);
    int (*amqp_destroy_connection)(amqp_connection_state_t);
    amqp_socket_t *(*amqp_tcp_socket_new)(amqp_connection_state_t);
    void (*amqp_tcp_socket_set_sockfd)(amqp_socket_t *, int);
    amqp_socket_t *(*amqp_ssl_socket_new)(amqp_connection_state_t);
    int (*amqp_ssl_socket_set_cacert)(amqp_socket_t *, const char *);
    void (*amqp_ssl_socket_set_verify_peer)(amqp_socket_t *, amqp_boolean_t);
    void (*amqp_ssl_socket_set_verify_hostname)(amqp_socket_t *, amqp_boolean_t);
    int (*amqp_socket_open_noblock)(amqp_socket_t *, const char *, int, const struct timeval *);
    int (*amqp_get_sockfd)(amqp_connection_state_t);
    int (*amqp_set_handshake_timeout)(amqp_connection_state_t, const struct timeval *);
    int (*amqp_set_rpc_timeout)(amqp_connection_state_t, const struct timeval *);
    amqp_rpc_reply_t (*amqp_login_with_properties)(amqp_connection_state_t, char const *, int, int, int,
                                                   const amqp_table_t *, amqp_sasl_method_enum, ...);
    amqp_rpc_reply_t (*amqp_get_rpc_reply)(amqp_connection_state_t);
    const char *(*amqp_error_string2)(int);
    amqp_channel_open_ok_t *(*amqp_channel_open)(amqp_connection_state_t, amqp_channel_t);
    amqp_confirm_select_ok_t *(*amqp_confirm_select)(amqp_connection_state_t, amqp_channel_t);
    amqp_queue_declare_ok_t *(*amqp_queue_declare)(amqp_connection_state_t, amqp_channel_t, amqp_bytes_t,
                                                   amqp_boolean_t, amqp_boolean_t, amqp_boolean_t,
                                                   amqp_boolean_t, amqp_table_t);
    amqp_queue_purge_ok_t *(*amqp_queue_purge)(amqp_connection_state_t, amqp_channel_t, amqp_bytes_t);
    amqp_basic_qos_ok_t *(*amqp_basic_qos)(amqp_connection_state_t, amqp_channel_t, uint32_t, uint16_t,
                                           amqp_boolean_t);
    amqp_basic_consume_ok_t *(*amqp_basic_consume)(amqp_connection_state_t, amqp_channel_t, amqp_bytes_t,
                                                   amqp_bytes_t, amqp_boolean_t, amqp_boolean_t,
                                                   amqp_boolean_t, amqp_table_t);
    amqp_basic_cancel_ok_t *(*amqp_basic_cancel)(amqp_connection_state_t, amqp_channel_t, amqp_bytes_t);
    int (*amqp_basic_publish)(amqp_connection_state_t, amqp_channel_t, amqp_bytes_t, amqp_bytes_t,
                              amqp_boolean_t, amqp_boolean_t, struct amqp_basic_properties_t_ const *,
                              amqp_bytes_t);
    int (*amqp_basic_ack)(amqp_connection_state_t, amqp_channel_t, uint64_t, amqp_boolean_t);
    int (*amqp_basic_nack)(amqp_connection_state_t, amqp_channel_t, uint64_t, amqp_boolean_t, amqp_boolean_t);
    int (*amqp_simple_wait_frame_noblock)(amqp_connection_state_t, amqp_frame_t *, const struct timeval *);
    void (*amqp_maybe_release_buffers)(amqp_connection_state_t);
    int (*amqp_send_method)(amqp_connection_state_t, amqp_channel_t, amqp_method_number_t, void *);
};
extern struct amqp_library amqp_lib;

struct amqp {
    struct amqp_options options;
    amqp_connection_state_t state; // NULL: not connected
    int guard;                     // a copy of the socket's descriptor, for amqp_interrupt; −1: none yet
    _Atomic bool interrupted;
    uint64_t published;                    // tag of the last publish
    bool confirms;                         // are on
    char blocked[AMQP_NAME_BYTES_MAX + 1]; // why the broker takes no messages now; "" = it does
};

static inline amqp_bytes_t amqp_bytes_of(struct str s)
{
    return (amqp_bytes_t){.len = s.n, .bytes = (void *)(uintptr_t)s.p};
}
static inline struct str amqp_str_of(amqp_bytes_t b) { return str_of_n(b.bytes ? b.bytes : "", b.len); }

// All return false with *err.
bool amqp_fail_reply(struct amqp *q, amqp_rpc_reply_t r, const char *what, struct err *err);
bool amqp_fail_status(struct amqp *q, int status, const char *what,
                      struct err *err); // enum amqp_status_enum_
bool amqp_fail_close(const amqp_method_t *m, const char *what,
                     struct err *err); // channel.close, connection.close

#endif
