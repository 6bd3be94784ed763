// SPDX-License-Identifier: Apache-2.0
// Settings of Kafka.
#ifndef CONFIG_KAFKA_H
#define CONFIG_KAFKA_H

#include "base/arena.h"
#include "base/err.h"

struct config_kafka {
    struct strs brokers;          // none: Kafka is not used
    struct str events_topic;      // "" = no events
    struct str source;            // of events; absent: worked out from the store
    struct str requests_topic;    // "" = no requests
    struct str dead_letter_topic; // worked out from requests_topic when not given
    struct str group, requests_user;
    int protocol;  // index into kafka_security_words
    int mechanism; // enum kafka_mechanism
    struct str username, password, ca;
};
enum kafka_mechanism { KAFKA_PLAIN, KAFKA_SCRAM_256, KAFKA_SCRAM_512 };

// Defaults that follow from other settings, and the rules between them.
void config_kafka_check(struct config_kafka *k, struct faults *faults, struct arena *a);

#endif
