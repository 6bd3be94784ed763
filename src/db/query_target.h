// SPDX-License-Identifier: Apache-2.0
// Where a user's SQL runs: the address as it stands in a payload, with the parameters that JDBC drivers know.
//
//     jdbc:mysql://host/db?useSSL=true&connectTimeout=5000   postgresql://u:p@host/db?currentSchema=a   sqlite:file.db
#ifndef DB_QUERY_TARGET_H
#define DB_QUERY_TARGET_H

#include "base/time.h"
#include "db/query_text.h"
#include "db/url.h"

enum query_tls { QUERY_TLS_PREFER, QUERY_TLS_OFF, QUERY_TLS_REQUIRE, QUERY_TLS_CA, QUERY_TLS_VERIFY };
extern const char *const query_kind_names[]; // by kind: "sqlite", "postgresql", "mysql"

struct query_target {
    enum query_kind kind;
    struct db_url url;   // a server; port always set; user and password also from parameters
    struct str path;     // a file: as it is written; ":memory:" for none
    enum query_tls tls;
    struct str ca;       // file of authorities
    struct str schema;   // currentSchema: where names are looked up
    struct duration connect_time, answer_time; // connectTimeout, socketTimeout; 0: not given
    struct str ignored;  // names of parameters without meaning here, "a, b"; absent: none
};

// ERR_CONFIG; the text says what is wrong and shows nothing of the address. Parts with "{{" pass.
bool query_target_parse(struct str text, struct query_target *ret, struct arena *a, struct err *err)
    __attribute__((warn_unused_result));
// For people and as a name of the target: "postgresql://host:port/name", "sqlite:path".
struct str query_target_shown(const struct query_target *t, struct arena *a);
// Without the name of the database: "postgresql://host:port".
struct str query_target_server(const struct query_target *t, struct arena *a);

#endif
