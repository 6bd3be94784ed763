// SPDX-License-Identifier: Apache-2.0
// RabbitMQ (AMQP 0-9-1) for threads that may wait: one connection, one channel, publishing with confirms,
// consuming with explicit acknowledgement.
//
// librabbitmq is loaded when the first connection is made and stays behind this header. A connection belongs
// to one thread; amqp_interrupt alone may be called by another. Every wait ends after `at_most`. After a
// failure a connection is of no use any more. With TLS the library resolves the name itself: the address is
// judged before and, with the connection made and before the sign-in, again.
#ifndef NET_AMQP_H
#define NET_AMQP_H

#include "base/clock.h"
#include "net/egress.h"

enum {
    AMQP_BODY_BYTES_MAX = 1024 * 1024, // of a received message; what is longer comes without body
    AMQP_HEADER_COUNT_MAX = 64,        // of a received message; more are dropped
    AMQP_NAME_BYTES_MAX = 255,         // queue, exchange, routing key, message id
    AMQP_PREFETCH_MAX = 10000,
    AMQP_NEXT_ARENA = 2 << 20, // enough for one received message
    AMQP_PRIORITY_NONE = -1,
};

struct amqp;
struct amqp_options { // texts must outlive the connection
    const struct clock *clock;
    const struct egress *egress; // NULL: all addresses
    struct str host, vhost, username, password;
    int port;
    bool tls;
    struct str ca_file, client_name;
    struct duration at_most;
};

struct amqp_mail {
    struct str exchange, routing_key;
    struct str message_id, content_type, expiration_ms; // absent: none
    struct str_map headers;
    struct str body;
    int priority; // AMQP_PRIORITY_NONE: none
    bool persistent;
    // Received:
    uint64_t tag;
    bool redelivered, too_large;
    const void *properties; // of the library; valid until the next call of amqp_next. To publish as received
};

struct amqp_queue {
    bool make;          // else it must be there
    int64_t length_max; // FIELD-like: 0 = none, as is the next
    int64_t priority_max;
    bool refuse_overflow; // publishers get a nack instead of the oldest message being dropped
    struct str dead_exchange, dead_key, type; // absent: none
};

struct amqp *amqp_new(const struct amqp_options *o);
void amqp_free(struct amqp *q); // NULL is fine; says good-bye without waiting
// Ends the wait of the owning thread soon, and every later one. From any thread, until amqp_free is called.
void amqp_interrupt(struct amqp *q);

// What can go wrong below: ERR_DENIED by the egress guard; ERR_TIMEOUT; ERR_UNAVAILABLE without err->native:
// the connection; with it: the broker's answer, named by amqp_error_name.
const char *amqp_error_name(const struct err *err); // "ACCESS_REFUSED"; NULL when the broker said nothing
bool amqp_connect(struct amqp *q, struct err *err) __attribute__((warn_unused_result));
bool amqp_declare(struct amqp *q, struct str queue, const struct amqp_queue *how, int64_t *ret_messages,
                  struct err *err) __attribute__((warn_unused_result));
// True once the broker has taken responsibility. A message that no queue takes (NO_ROUTE) and one that a
// queue refuses (NACK) are failures.
bool amqp_publish(struct amqp *q, const struct amqp_mail *m, struct err *err)
    __attribute__((warn_unused_result));
bool amqp_consume(struct amqp *q, struct str queue, int prefetch, struct err *err)
    __attribute__((warn_unused_result));
// The broker sends no more messages. What has arrived and was not acknowledged goes back when the connection
// ends.
bool amqp_enough(struct amqp *q, struct err *err) __attribute__((warn_unused_result));
// The next message within the time; *ret_some tells whether there was one. Texts live in the arena.
bool amqp_next(struct amqp *q, struct duration at_most, struct amqp_mail *ret, bool *ret_some,
               struct arena *a, struct err *err) __attribute__((warn_unused_result));
bool amqp_ack(struct amqp *q, uint64_t tag, bool all_before, struct err *err)
    __attribute__((warn_unused_result));
bool amqp_give_back(struct amqp *q, uint64_t tag, struct err *err) __attribute__((warn_unused_result));
bool amqp_purge(struct amqp *q, struct str queue, int64_t *ret_n, struct err *err)
    __attribute__((warn_unused_result));

#endif
