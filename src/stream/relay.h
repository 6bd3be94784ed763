// SPDX-License-Identifier: Apache-2.0
// Passes the events of the store's outbox on, at least once, those of one job in their order.
//
// One node of a cluster does it: the holder of a duty. An event leaves the outbox only when it was delivered and every
// earlier one of its job was too; whatever fails is sent again, with all of the job behind it. While nothing can be
// delivered the outbox grows. Two holders at once (one that has paused and does not know yet) repeat events and change
// no order.
#ifndef STREAM_RELAY_H
#define STREAM_RELAY_H

#include "net/kafka.h"
#include "store/store.h"

enum {
    RELAY_BATCH_MAX = 1000,
    RELAY_IDLE_MS = 200,
    RELAY_BACKOFF_MAX_MS = 5000,
    RELAY_DUTY_LEASE_S = 30,
};

struct relay_config {
    struct store *store;
    const struct clock *clock;
    struct str topic, source; // must outlive the relay
    // Sends all in order; ret_delivered of each tells which. False: not all, *err says why.
    bool (*send)(void *ctx, struct kafka_message *v, size_t n, struct err *err);
    void *send_ctx;
    // Token of this node; NULL: nobody else uses the store.
    int64_t (*node_token)(void *ctx);
    void *token_ctx;
};

struct relay;

struct relay *relay_new(const struct relay_config *c);
void relay_start(struct relay *r);
// Tells the thread to end, which empties the outbox first unless that fails. False: it has not ended within at_most.
bool relay_stop(struct relay *r, struct duration at_most);
// Whether the last batch was passed on, or there was none; else why not. Any thread.
enum { RELAY_WHY_MAX = 200 };
bool relay_works(struct relay *r, char why[static RELAY_WHY_MAX]);
void relay_free(struct relay *r); // NULL is fine; waits for the thread

enum relay_result { RELAY_IDLE, RELAY_MORE, RELAY_FAILED };
// One look at the outbox. The thread's work; tests call it instead of starting one.
enum relay_result relay_pass(struct relay *r);

#endif
