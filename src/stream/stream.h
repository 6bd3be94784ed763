// SPDX-License-Identifier: Apache-2.0
// Kafka beside the server: events out, requests in. Each direction has a thread of its own, and either may be absent.
#ifndef STREAM_STREAM_H
#define STREAM_STREAM_H

#include "app/app.h"
#include "net/kafka.h"

struct stream_config {
    struct kafka_options kafka;  // clock and stop are filled here
    struct str node_name;        // who we are to the brokers
    struct str source;           // of events: "/chronos/<installation>", the same on every node
    struct str events_topic;     // empty: no events
    struct str requests_topic;   // empty: no requests
    struct str dead_letter_topic, group, requests_user;
    int64_t (*node_token)(void *ctx); // NULL: nobody else uses the store
    void *token_ctx;
};

struct stream;
enum { STREAM_WHY_MAX = 200 };

// Starts the threads. The store's events were turned on before the engine began. App and its store must outlive it, as
// must the texts. NULL with *err set when the settings are refused; brokers that cannot be reached are no reason.
struct stream *stream_open(const struct stream_config *c, struct app *app, struct err *err);
// Whether events reach the brokers; else why not. True without events.
bool stream_works(struct stream *s, char why[static STREAM_WHY_MAX]);
// Ends both. What cannot be published now stays in the outbox for the next start. NULL is fine.
void stream_close(struct stream *s);

#endif
