// SPDX-License-Identifier: Apache-2.0
// CACHE between its files: the payload, one run, and the connection to Redis that its operations share.
#ifndef JOBS_CACHE_H
#define JOBS_CACHE_H

#include "base/field.h"
#include "jobs/blocking.h"
#include "jobs/database_link.h"
#include "net/redis_data.h"

enum cache_operation { CACHE_WARM, CACHE_INVALIDATE, CACHE_SYNC, CACHE_STATS };
enum {
    CACHE_KEYS_MAX = 1000,
    CACHE_ENTRIES_MAX = 1000,
    CACHE_PIPELINE = 500,           // commands that are sent at once …
    CACHE_PIPELINE_BYTES = 4 << 20, // … or fewer, when they are long
    CACHE_REGION_MAX = 200,
    CACHE_PORT = 6379,
};

struct cache_payload {
    int operation;
    struct str region, source_region;
    struct strs keys;
    int64_t ttl_s; // FIELD_ABSENT: none
    bool skip_if_exists, async;
    struct str_map config;
    // WARM: one source
    struct str_map entries;
    struct str url, database_url, database_username, database_password, query, query_parameters;
    struct str_map http_headers;
    struct str items, key_field, value_field;
};

struct cache_config { // of cacheConfig
    int type;
    struct str host, username, password;
    int64_t port, database, timeout_s;
    // SYNC: where sourceRegion is; as the target when absent
    struct str source_host, source_username, source_password;
    int64_t source_port, source_database;
};
extern const struct fields cache_config_fields;

// One run. Its blocking thread owns it.
struct cache {
    struct attempt *a;
    const struct cache_payload *p;
    struct cache_config c;
    struct redis_data *r, *source; // source may be r itself
    struct arena scratch;          // of one pipeline
    struct arena page;             // of the keys that cache_scan tells
    size_t commands, bytes;        // waiting in r
    int64_t written, skipped, skipped_null;
    struct database_link link;            // WARM from a query
    const char *error_class, *error_code; // of the failure in err
    struct err err;
};

static inline bool cache_stopping(const struct cache *c) { return attempt_cancel_asked(c->a) >= 0; }

// The operations; false with c->err, c->error_class and perhaps c->error_code.
bool cache_warm(struct cache *c);
bool cache_invalidate(struct cache *c);
bool cache_sync(struct cache *c);
bool cache_stats(struct cache *c);

// WARM from an HTTP answer, before the connection is made: where it comes from, and its body.
struct str cache_origin(struct cache *c);
bool cache_fetch(struct cache *c, struct sbuf *ret_body);
// WARM from a query: its rules at save; the connection to the database (false: c->link says why); the rows.
void cache_query_check(const struct cache_payload *p, struct str base, struct faults *f,
                       struct arena *scratch);
bool cache_query_open(struct cache *c);
bool cache_warm_query(struct cache *c);
// Writes the entries of a JSON document.
bool cache_warm_json(struct cache *c, struct str text);
// Puts a value below the region; sends when enough are waiting.
bool cache_put(struct cache *c, struct str key, struct str value);
bool cache_put_end(struct cache *c);
bool cache_warm_told(struct cache *c); // sends the last ones and says how many there were

// Calls `page` with the keys that match below the region, page by page; what it is given lives in c->scratch
// until it returns. A key may come twice. Stops when the run is to end.
typedef bool (*cache_page)(struct cache *c, struct redis_value *const *keys, size_t n);
bool cache_scan(struct cache *c, struct redis_data *r, struct str region, struct str pattern,
                cache_page page);
bool cache_is_pattern(struct str key);

// Sets the failure. cache_fail_redis: from c->err as a function of redis_data left it.
bool cache_fail(struct cache *c, const char *error_class, const char *code);
bool cache_fail_redis(struct cache *c, const struct redis_data *r);
void cache_say(struct cache *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
// Sends what was put into r and waits; what the server answers to a command may be an error.
bool cache_run(struct cache *c, struct redis_data *r, const char *what, struct redis_value ***ret,
               size_t *ret_n);

#endif
