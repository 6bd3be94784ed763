// SPDX-License-Identifier: Apache-2.0
// Kafka for jobs: one batch sent with the guarantees its user chose, and what may be done with a topic as a
// whole.
//
// Beside kafka_produce, whose guarantees are fixed. Each call belongs to one thread, returns within `at_most`
// and a little, and soon after options->stop was set.
#ifndef NET_KAFKA_SEND_H
#define NET_KAFKA_SEND_H

#include "net/kafka.h"

enum kafka_acks { KAFKA_ACKS_ALL, KAFKA_ACKS_LEADER, KAFKA_ACKS_NONE };
extern const char *const kafka_acks_words[]; // "all", "1", "0", NULL-terminated
extern const char
    *const kafka_compression_words[]; // "none", "gzip", "snappy", "lz4", "zstd", NULL-terminated
enum { KAFKA_PARTITION_ANY = -1, KAFKA_TRANSACTION_ID_MAX = 255 };

struct kafka_guarantees {
    int acks; // enum kafka_acks; what is not ALL excludes the next two
    bool idempotent;
    struct str transaction_id; // absent: no transaction
    int compression;           // of kafka_compression_words
    int32_t partition;         // KAFKA_PARTITION_ANY: as the key says
};

// Sends all in their order and waits for what `acks` asks for; in one transaction when there is an id. The
// first one that fails decides: with a transaction none of them counts then. Errors as those of
// kafka_produce.
bool kafka_send(const struct kafka_options *o, const struct kafka_guarantees *g, struct kafka_message *v,
                size_t n, struct duration at_most, struct err *err) __attribute__((warn_unused_result));

// Removes everything that is in the topic now. *ret_n counts the messages, as far as offsets tell.
bool kafka_purge(const struct kafka_options *o, struct str topic, struct duration at_most, int64_t *ret_n,
                 int32_t *ret_partitions, struct err *err) __attribute__((warn_unused_result));

#endif
