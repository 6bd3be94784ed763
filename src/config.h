// SPDX-License-Identifier: Apache-2.0
// Settings of the server: one table row per setting (config.c), filled from rising sources:
// default < file (YAML) < environment < --set. Every fault of every source is reported at once.
//
// A setting has one name in the file ("http.listen": nested or dotted keys), one in the environment
// (CHRONOS_HTTP_LISTEN: dots become underscores, upper case) and, with _FILE behind it, one whose value is
// the path of a file that holds the value. Secrets take the latter in the file too ("admin.passwordFile").
// An empty variable counts as not set. Not here: settings of the client (cli/client.h).
// Read-only after config_load. Strings live in the arena given there and are NUL-terminated.
#ifndef CONFIG_H
#define CONFIG_H

#include <stdio.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/log.h"
#include "config_edge.h"
#include "config_kafka.h"
#include "config_oidc.h"

enum config_profile { PROFILE_DEVELOPMENT, PROFILE_STAGING, PROFILE_PRODUCTION };
enum config_registration { REGISTRATION_CLOSED, REGISTRATION_OPEN };
enum config_sandbox { SCRIPTS_OPEN, SCRIPTS_RESTRICTED, SCRIPTS_STRICT }; // as enum sandbox_level
enum config_durability { DURABILITY_FULL, DURABILITY_NORMAL };

enum config_kind {
    CONFIG_STR,     // struct str
    CONFIG_I64,     // int64_t, a count
    CONFIG_BOOL,    // bool: true, false, yes, no, on, off, 1, 0
    CONFIG_SECONDS, // int64_t: 900, 15m, 12h, 30d
    CONFIG_SIZE,    // int64_t bytes: 1048576, 512KiB, 1MiB, 2GiB
    CONFIG_ENUM,    // int, index into names
    CONFIG_LIST,    // struct strs: "a, b" or a YAML sequence
};
enum {
    CONFIG_SECRET = 1 << 0, // never shown
    CONFIG_URL = 1 << 1,    // the password inside is never shown
};

enum config_source { CONFIG_DEFAULT, CONFIG_FILE, CONFIG_ENV, CONFIG_ENV_FILE, CONFIG_FLAG };
struct config_origin {
    enum config_source source;
    struct str detail; // path of the file or name of the variable
    int line;          // in the file, 0 = unknown
};

// One row of the table.
struct setting {
    const char *name;
    enum config_kind kind;
    unsigned flags;
    size_t offset;            // in struct config
    const char *def;          // as text; NULL = worked out after loading (doc says how)
    int64_t min, max;         // numbers: range; text: length
    const char *const *names; // CONFIG_ENUM, NULL-terminated
    const char *doc;          // sentences without a full stop at the end
};

enum { CONFIG_SETTINGS = 90 };
extern const struct setting config_settings[CONFIG_SETTINGS];

struct config {
    struct str data_dir;
    int profile; // enum config_profile
    struct str node_name;
    struct str http_listen;
    struct str http_host; // from http_listen, without brackets; "" = every address
    int64_t http_port;    // from http_listen; 0 = any free one
    int64_t http_threads, http_workers;
    int64_t http_body_max, http_connections_max, http_streams_max;
    int64_t http_idle_timeout_s, http_request_timeout_s;
    struct config_edge edge;
    struct str db_url;
    struct str db_path;  // of a "sqlite:" URL; absent for a server
    struct str db_shown; // db_url without password
    int64_t db_readers, db_patience_s;
    struct str node_address; // for people; from http_listen when not given
    int64_t cluster_lease_s, cluster_heartbeat_s;
    int64_t history_keep_days; // 0 = for ever
    int64_t audit_keep_days;   // 0 = for ever
    int db_durability;  // enum config_durability
    bool db_strict, keys_required;
    int auth_registration; // enum config_registration
    int64_t auth_access_token_s, auth_refresh_token_s, auth_browser_idle_s, auth_browser_max_s;
    struct config_oidc oidc;
    struct str auth_key;                // absent = not given
    struct str redis_url, redis_prefix; // url absent = not used
    struct config_kafka kafka;
    struct str admin_email;    // absent = not given
    struct str admin_password; // absent = not given
    int64_t engine_running_max, engine_flush_max, engine_shutdown_grace_s;
    bool script_enabled;
    int script_sandbox; // enum config_sandbox
    int64_t runner_threads, runner_blocking_threads, net_loops;
    struct str secrets_key; // absent = not given
    bool core_dumps;
    struct strs files_roots;
    struct str mail_url, mail_user, mail_password, mail_from; // absent = not given
    struct strs egress_deny, egress_allow;
    int log_level;  // enum log_level
    int log_format; // enum log_format
    struct str public_url; // no slash at the end; absent: not known
    bool metrics_public;
    int64_t metrics_jobs;
    struct str otel_endpoint, otel_headers, otel_sample_ratio; // absent = not given, but the ratio
    struct config_origin origin[CONFIG_SETTINGS];
};

struct config_inputs {
    const char *file;         // path given with --config; NULL = CHRONOS_CONFIG, else no file
    const char *const *env;   // NULL-terminated "NAME=value", as environ
    const struct str *sets;   // "name=value" of each --set
    size_t sets_n;
};

// Loads, checks and completes. False when *faults got an entry (pointer = setting, variable or file; detail
// with the remedy); *ret is then partly filled and fit for showing only. Warnings (unknown CHRONOS_*
// variables) do not fail. Both lists must be initialised.
bool config_load(const struct config_inputs *in, struct config *ret, struct faults *faults,
                 struct faults *warnings, struct arena *a) __attribute__((warn_unused_result));

// Row number of a name, or -1.
int config_find(struct str name);
// "CHRONOS_HTTP_LISTEN" for "http.listen".
struct str config_env_name(const struct setting *s, struct arena *a);
// Effective value as text; secrets as "***" ("" when absent), passwords inside URLs as "***".
struct str config_value_text(const struct config *c, const struct setting *s, struct arena *a);
// "default", "file /etc/chronos.yaml line 3", "environment CHRONOS_HTTP_LISTEN", …
struct str config_origin_text(const struct config_origin *o, struct arena *a);
// "text", "number", "true or false", "seconds", "bytes", "development | staging | production", "list".
struct str config_kind_text(const struct setting *s, struct arena *a);
// Splits "host:port", "[v6]:port" or ":port". ERR_CONFIG names the text.
bool config_listen_parse(struct str s, struct str *ret_host, int64_t *ret_port, struct err *err)
    __attribute__((warn_unused_result));

#endif
