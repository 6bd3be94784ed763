// SPDX-License-Identifier: Apache-2.0
// DB_TO_KAFKA between its files: the payload, one run, and the batches that its rows travel in.
//
//     query ──rows──► batch A ──begin──► Kafka ──acknowledged──► position kept
//                     batch B  (filled while A travels, and so on in turn)
#ifndef JOBS_DB_TO_KAFKA_H
#define JOBS_DB_TO_KAFKA_H

#include "base/sbuf.h"
#include "jobs/database_link.h"
#include "jobs/database_params.h"
#include "jobs/db_position.h"
#include "net/kafka.h"

enum {
    MOVE_BATCHES = 2,
    MOVE_BATCH_BYTES = 8 * 1024 * 1024,                    // a batch is full with it, however few rows
    MOVE_BYTES_MAX = MOVE_BATCH_BYTES + 160 * 1024 * 1024, // with one row of the largest size behind that
    MOVE_HEADERS_MAX = 28,
    MOVE_FIELDS_MAX = 2000,
};

struct move_payload {
    struct str url, username, password, query, parameters;
    struct str topic, key_field, dead_letter_topic, bootstrap_servers;
    struct str_map headers, config, mappings;
    struct strs exclude;
    struct str offset_field, last_value;                              // last_value: JSON
    int64_t batch_size, max_records, max_retries, connect_s, query_s; // the last two perhaps FIELD_ABSENT
    bool metadata, skip_on_error;
};
struct move_kafka { // of kafkaConfig
    struct str brokers, mechanism, username, password, ca_file;
    int security; // −1: as the rest says
    bool tls;
};
extern const struct fields move_kafka_fields;

// What becomes of a column.
struct move_column {
    bool excluded;
    struct str prefix; // ,"name":
};
struct move_shape {
    struct move_column *columns; // in the attempt's arena
    size_t n, key, offset;       // n: there is none
    struct str metadata;         // ,"_metadata":{…,"row": without its end; absent: not wanted
};

struct move_record {
    size_t key, key_n, value, value_n; // places in the batch's bytes; key_n SIZE_MAX: no key
    bool dead;                         // goes to the dead letters
};
enum move_state { MOVE_EMPTY, MOVE_TRAVELS, MOVE_AGAIN };
struct move_batch {
    struct sbuf bytes;
    struct move_record *records; // batch_size
    struct kafka_message *v;     // likewise
    size_t n, unsent;            // unsent: of n, dead letters and rows left out
    enum move_state state;
    struct sbuf position; // to be kept once all of it is acknowledged; empty: none
};

struct move {
    struct database_link link;
    const struct move_payload *p;
    struct move_kafka kafka;
    struct query_text text;
    struct database_params params;
    struct move_shape shape;
    struct kafka_producer *producer;
    struct str kafka_target; // for the breaker
    struct str memo;         // name of the position
    struct str_map headers;
    struct db_position position;
    struct move_batch batches[MOVE_BATCHES];
    bool kafka_failed, enough;
    bool started_before; // a position was kept
    int64_t read, taken, sent, known, dead, skipped, rejects_said;
    struct mono next_word; // of progress
    struct instant began;
};

// ---- db_to_kafka_row.c
// The columns of the result that has begun. False: a named one is not there.
bool move_shape_make(struct move *m);
// Appends the present row; *ret_hash is of what it says. false in *ret_fits: it is too large for a message.
void move_row_write(struct move *m, struct move_batch *b, struct move_record *ret, uint64_t *ret_hash,
                    bool *ret_fits);
// Puts a dead letter in the place of a record's value.
void move_row_bury(struct move *m, struct move_batch *b, struct move_record *r, const char *why);

// ---- db_to_kafka_send.c
// Gives a batch on its way. What goes wrong shows when it is settled.
void move_batch_begin(struct move *m, struct move_batch *b);
// Waits for it, sends again what failed, keeps the position.
bool move_batch_settle(struct move *m, struct move_batch *b);
// Counts a row that cannot be sent, or fails the run.
bool move_reject(struct move *m, const char *why);
bool move_kafka_failed(struct move *m, const struct err *err);

#endif
