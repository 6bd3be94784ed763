// SPDX-License-Identifier: Apache-2.0
// Reads a topic of requests and does them one after another, as one user.
//
// A request counts as done to the brokers only after the store's commit. One that can never be done goes to the dead
// letter topic with the reason; while the store cannot answer, the partition waits where it is.
#ifndef STREAM_REQUESTS_H
#define STREAM_REQUESTS_H

#include "app/app.h"
#include "net/kafka.h"

struct requests_config {
    struct app *app;
    const struct kafka_options *kafka; // without stop; with it must outlive the requests
    struct str topic, dead_letter_topic, group;
    struct str user; // e-mail
};

struct requests;

// NULL with *err set when Kafka's settings are refused.
struct requests *requests_new(const struct requests_config *c, struct err *err);
void requests_free(struct requests *r); // NULL is fine; ends the thread, leaves the group
void requests_start(struct requests *r);

#endif
