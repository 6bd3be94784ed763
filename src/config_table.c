// SPDX-License-Identifier: Apache-2.0
// The settings table and what can be told from a row alone.
// To add a setting: a member in config.h, a row here, CONFIG_SETTINGS + 1.
#include "config.h"
#include "jobs/blocking.h"
#include "net/kafka.h"
#include "store/sign_on.h"

enum {
    TEXT_MAX = 4096,
    NAME_MAX_CHARS = 64,
    EMAIL_MAX_CHARS = 254,
    TOPIC_MAX_CHARS = KAFKA_TOPIC_MAX,
    PASSWORD_MAX_CHARS = 1024,
    KEY_MIN_CHARS = 32,
    KEY_MAX_CHARS = 1024,
    PREFIX_MAX_CHARS = 64,
    THREADS_MAX = 256,
    BODY_MIN = 1024,
    BODY_MAX = 64 << 20,
    SOCKETS_MAX = 1000000,
    RATE_MAX_SETTING = 1000000, // RATE_MAX
    JOBS_MAX_SETTING = 1000000000,
    ATTEMPTS_MAX = 1000000,
    HOUR_S = 3600,
    DAY_S = 86400,
    YEAR_S = 365 * DAY_S,
};

static const char *const profile_words[] = {"development", "staging", "production", NULL};
static const char *const registration_words[] = {"closed", "open", NULL};
static const char *const sandbox_words[] = {"none", "restricted", "strict", NULL};
static const char *const durability_words[] = {"full", "normal", NULL};
static const char *const mechanism_words[] = {"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", NULL};
static const char *const log_level_words[] = {"debug", "info", "warn", "error", NULL};
static const char *const log_format_words[] = {"auto", "json", "text", NULL};

// A row whose kind does not match the member's C type does not compile.
#define CTYPE_CONFIG_STR     struct str
#define CTYPE_CONFIG_I64     int64_t
#define CTYPE_CONFIG_SECONDS int64_t
#define CTYPE_CONFIG_SIZE    int64_t
#define CTYPE_CONFIG_BOOL    bool
#define CTYPE_CONFIG_ENUM    int
#define CTYPE_CONFIG_LIST    struct strs
#define MEMBER_AT(m, ctype)                                                                                  \
    (offsetof(struct config, m) +                                                                            \
     0 * sizeof(char[__builtin_types_compatible_p(__typeof__(((struct config *)0)->m), ctype) ? 1 : -1]))
#define ROW(label, k, m, d, lo, hi, text, ...)                                                               \
    {                                                                                                        \
        .name = (label), .kind = (k), .offset = MEMBER_AT(m, CTYPE_##k), .def = (d), .min = (lo),            \
        .max = (hi), .doc = (text), ##__VA_ARGS__                                                            \
    }

const struct setting config_settings[CONFIG_SETTINGS] = {
    ROW("data.dir", CONFIG_STR, data_dir, NULL, 1, TEXT_MAX,
        "Folder of the database, keys and working files. Default: /var/lib/chronos when this user may write "
        "there, else ./chronos-data"),
    ROW("profile", CONFIG_ENUM, profile, "development", 0, 0,
        "What the server is for; decides some defaults, which \"chronos config profiles\" lists",
        .names = profile_words),
    ROW("node.name", CONFIG_STR, node_name, NULL, 1, NAME_MAX_CHARS,
        "Name of this node in runs and in the cluster, another one for each node. Default: the host name"),
    ROW("node.address", CONFIG_STR, node_address, NULL, 1, TEXT_MAX,
        "Where people reach this node, shown in the list of nodes. Default: http:// and http.listen"),
    ROW("server.publicUrl", CONFIG_STR, public_url, NULL, 1, TEXT_MAX,
        "Address under which people reach this server, \"https://chronos.example.com\", for links in "
        "notifications"),
    ROW("http.listen", CONFIG_STR, http_listen, "127.0.0.1:8080", 2, TEXT_MAX,
        "Address and port of the API and the console: 127.0.0.1:8080, [::1]:8080, 0.0.0.0:8080; port 0 takes "
        "a free one"),
    ROW("http.threads", CONFIG_I64, http_threads, "2", 1, THREADS_MAX, "Threads that move bytes"),
    ROW("http.workers", CONFIG_I64, http_workers, "64", 1, THREADS_MAX,
        "Threads that answer requests; they wait for commits together"),
    ROW("http.bodyMaxBytes", CONFIG_SIZE, http_body_max, "1MiB", BODY_MIN, BODY_MAX,
        "Largest request body; a larger one is answered 413"),
    ROW("http.connectionsMax", CONFIG_I64, http_connections_max, "4096", 8, SOCKETS_MAX,
        "Open connections; more are refused"),
    ROW("http.streamsMax", CONFIG_I64, http_streams_max, "1000", 0, SOCKETS_MAX,
        "Open event streams; more are answered 503"),
    ROW("http.idleTimeoutSeconds", CONFIG_SECONDS, http_idle_timeout_s, "60", 1, HOUR_S,
        "A connection without traffic is closed after this time"),
    ROW("http.requestTimeoutSeconds", CONFIG_SECONDS, http_request_timeout_s, "30", 1, HOUR_S,
        "A request must have arrived whole within this time"),
    ROW("http.tls.certificate", CONFIG_STR, edge.tls_certificate, "", 0, TEXT_MAX,
        "File of the server's certificate and its issuers (PEM); read again on SIGHUP and when it changes. "
        "Default: no TLS"),
    ROW("http.tls.key", CONFIG_STR, edge.tls_key, "", 0, TEXT_MAX,
        "File of the certificate's key (PEM), which no other user may read"),
    ROW("http.plain", CONFIG_BOOL, edge.plain, NULL, 0, 0,
        "Whether to listen beyond this machine without TLS and without http.trustedProxies. Default: by "
        "profile"),
    ROW("http.trustedProxies", CONFIG_LIST, edge.trusted_proxies, "", 0, TEXT_MAX,
        "Addresses and networks (CIDR) of proxies in front, whose word on the client counts. Default: none"),
    ROW("http.forwardedHeader", CONFIG_ENUM, edge.forwarded, "x-forwarded", 0, 0,
        "What those proxies write: X-Forwarded-For and X-Forwarded-Proto, or Forwarded (RFC 7239)",
        .names = config_forwarded_words),
    ROW("http.cors.origins", CONFIG_LIST, edge.cors_origins, "", 0, TEXT_MAX,
        "Origins of pages elsewhere that may use the API in a browser: https://console.example.com. Default: "
        "none"),
    ROW("limits.requestsPerSecond", CONFIG_I64, edge.requests_per_s, NULL, 0, RATE_MAX_SETTING,
        "Requests of one caller (user or API key) in the long run, on each node; more are answered 429. 0: "
        "no bound. "
        "Default: by profile"),
    ROW("limits.burst", CONFIG_I64, edge.burst, "2000", 1, RATE_MAX_SETTING,
        "Requests of one caller at once, above limits.requestsPerSecond"),
    ROW("limits.anonymousPerSecond", CONFIG_I64, edge.anonymous_per_s, NULL, 0, RATE_MAX_SETTING,
        "Requests without a sign-in of one address, on each node. 0: no bound. Default: by profile"),
    ROW("limits.jobsPerOwner", CONFIG_I64, edge.jobs_per_owner, NULL, 0, JOBS_MAX_SETTING,
        "Jobs that one owner may have. 0: no bound. Default: by profile"),
    ROW("limits.runsPerSecond", CONFIG_I64, edge.runs_per_s, NULL, 0, RATE_MAX_SETTING,
        "Runs of one owner's jobs started by hand, on each node. 0: no bound. Default: by profile"),
    ROW("db.url", CONFIG_STR, db_url, NULL, 1, TEXT_MAX,
        "The store: sqlite:PATH, postgresql://USER:PASSWORD@HOST:PORT/NAME, mysql://… or mariadb://…; with a "
        "password "
        "give it as CHRONOS_DB_URL_FILE or in the environment. Default: sqlite:<data.dir>/chronos.db",
        .flags = CONFIG_URL),
    ROW("db.readers", CONFIG_I64, db_readers, "4", 1, THREADS_MAX,
        "Connections to a database server for reading, at most; for writing there are a few more"),
    ROW("db.timeoutSeconds", CONFIG_SECONDS, db_patience_s, "30", 1, HOUR_S,
        "A database server that does not answer for so long counts as lost"),
    ROW("cluster.leaseSeconds", CONFIG_SECONDS, cluster_lease_s, "30", 3, HOUR_S,
        "A node that cannot renew its lease for so long counts as gone, and others start its runs again"),
    ROW("cluster.heartbeatSeconds", CONFIG_SECONDS, cluster_heartbeat_s, "10", 1, HOUR_S,
        "How often the lease is renewed; at most a third of it"),
    ROW("db.strict", CONFIG_BOOL, db_strict, NULL, 0, 0,
        "Whether to refuse a database server that may lose what it acknowledged, while db.durability is "
        "full. Default: by "
        "profile"),
    ROW("keys.required", CONFIG_BOOL, keys_required, NULL, 0, 0,
        "Whether auth.key and secrets.key must be given with a database server, and are never kept in it. "
        "Default: by "
        "profile"),
    ROW("db.durability", CONFIG_ENUM, db_durability, "full", 0, 0,
        "full: what was acknowledged survives a power loss. normal: survives kill -9, may lose the last "
        "moments in a power loss, and is faster on slow disks",
        .names = durability_words),
    ROW("history.keepDays", CONFIG_I64, history_keep_days, "90", 0, 36500,
        "Runs, their logs and resolved dead letters older than this are removed, a little at a time; the "
        "last run of "
        "a job stays. 0 keeps everything"),
    ROW("audit.keepDays", CONFIG_I64, audit_keep_days, "400", 0, 36500,
        "Audit records older than this are removed, up to a checkpoint, so that the rest can still be "
        "proved. 0 keeps "
        "everything"),
    ROW("auth.registration", CONFIG_ENUM, auth_registration, NULL, 0, 0,
        "Whether anybody may register. Default: by profile", .names = registration_words),
    ROW("auth.accessTokenSeconds", CONFIG_SECONDS, auth_access_token_s, "15m", 30, DAY_S,
        "Life of an access token"),
    ROW("auth.refreshTokenSeconds", CONFIG_SECONDS, auth_refresh_token_s, "30d", 60, YEAR_S,
        "Life of a refresh token; each use gives a new one"),
    ROW("auth.browserIdleSeconds", CONFIG_SECONDS, auth_browser_idle_s, "8h", 60, YEAR_S,
        "A browser's session ends after this time without a request"),
    ROW("auth.browserMaxSeconds", CONFIG_SECONDS, auth_browser_max_s, "7d", 60, YEAR_S,
        "A browser's session ends after this time in any case"),
    ROW("oidc.issuer", CONFIG_STR, oidc.issuer, "", 0, IDENTITY_ISSUER_MAX,
        "OpenID provider that people sign in with, exactly as it names itself: https://login.example.com. "
        "Default: none"),
    ROW("oidc.clientId", CONFIG_STR, oidc.client_id, "", 0, TEXT_MAX, "Name of this server at the provider"),
    ROW("oidc.clientSecret", CONFIG_STR, oidc.client_secret, "", 0, PASSWORD_MAX_CHARS,
        "Secret of this server at the provider; empty: a public client", .flags = CONFIG_SECRET),
    ROW("oidc.redirectUrl", CONFIG_STR, oidc.redirect_url, "", 0, TEXT_MAX,
        "Where the provider sends browsers back to: https://chronos.example.com/api/v1/auth/oidc/callback"),
    ROW("oidc.scopes", CONFIG_STR, oidc.scopes, "openid email profile", 0, TEXT_MAX,
        "What the provider is asked for, with blanks between"),
    ROW("oidc.groupsClaim", CONFIG_STR, oidc.groups_claim, "groups", 1, TEXT_MAX,
        "Claim of the ID token that holds the groups; dots lead into objects: realm_access.roles"),
    ROW("oidc.roleMap", CONFIG_LIST, oidc.role_map, "", 0, TEXT_MAX,
        "Which group gives which role, at each sign-in: \"ops=OPERATOR, chronos-admins=ADMIN\""),
    ROW("oidc.defaultRole", CONFIG_STR, oidc.default_role, "", 0, NAME_MAX_CHARS,
        "Role of who is in none of those groups; empty: the sign-in is refused"),
    ROW("oidc.linkVerifiedEmail", CONFIG_BOOL, oidc.link_verified, "false", 0, 0,
        "Whether an e-mail address that the provider has verified takes over the account that has it; its "
        "password and "
        "sessions end"),
    ROW("auth.key", CONFIG_STR, auth_key, NULL, KEY_MIN_CHARS, KEY_MAX_CHARS,
        "Secret that all other keys are sealed with, the same on every node of a cluster: at least 32 "
        "characters by "
        "chance; \"new, old\" while it is replaced. Default: made once and kept in the data folder",
        .flags = CONFIG_SECRET),
    ROW("redis.url", CONFIG_STR, redis_url, NULL, 1, TEXT_MAX,
        "Redis that all nodes share as a cache and to wake each other: redis://user:password@host:6379/0. "
        "Default: "
        "none",
        .flags = CONFIG_SECRET),
    ROW("redis.prefix", CONFIG_STR, redis_prefix, "chronos:", 0, PREFIX_MAX_CHARS,
        "What every key in Redis begins with; one for each installation"),
    ROW("kafka.brokers", CONFIG_LIST, kafka.brokers, "", 0, TEXT_MAX,
        "Kafka that events are published to and requests are read from: host:port of some brokers. Default: "
        "none"),
    ROW("kafka.eventsTopic", CONFIG_STR, kafka.events_topic, "chronos.events", 0, TOPIC_MAX_CHARS,
        "Topic that gets every change of a run or job as a CloudEvent; empty: no events. The same on every "
        "node"),
    ROW("kafka.source", CONFIG_STR, kafka.source, "", 0, TEXT_MAX,
        "Source of the events, the same on every node. Default: /chronos/ and node.name, with a database "
        "server "
        "/chronos/cluster"),
    ROW("kafka.requestsTopic", CONFIG_STR, kafka.requests_topic, "", 0, TOPIC_MAX_CHARS,
        "Topic whose messages create and start jobs; empty: none"),
    ROW("kafka.deadLetterTopic", CONFIG_STR, kafka.dead_letter_topic, "", 0, TOPIC_MAX_CHARS,
        "Topic that gets the requests that cannot be done. Default: kafka.requestsTopic with .dead behind "
        "it"),
    ROW("kafka.group", CONFIG_STR, kafka.group, "chronos", 1, PREFIX_MAX_CHARS,
        "Consumer group of the nodes that read requests"),
    ROW("kafka.requestsUser", CONFIG_STR, kafka.requests_user, "", 0, EMAIL_MAX_CHARS,
        "E-mail address of the user on whose behalf requests act; needed with kafka.requestsTopic"),
    ROW("kafka.security.protocol", CONFIG_ENUM, kafka.protocol, "plaintext", 0, 0,
        "How to talk to the brokers; SASL signs in, SSL encrypts", .names = kafka_security_words),
    ROW("kafka.security.mechanism", CONFIG_ENUM, kafka.mechanism, "SCRAM-SHA-512", 0, 0, "How SASL signs in",
        .names = mechanism_words),
    ROW("kafka.security.username", CONFIG_STR, kafka.username, "", 0, NAME_MAX_CHARS * 4,
        "User name for SASL"),
    ROW("kafka.security.password", CONFIG_STR, kafka.password, "", 0, PASSWORD_MAX_CHARS, "Password for SASL",
        .flags = CONFIG_SECRET),
    ROW("kafka.security.ca", CONFIG_STR, kafka.ca, "", 0, TEXT_MAX,
        "File of the authorities that the brokers' certificates are checked with. Default: the system's"),
    ROW("admin.email", CONFIG_STR, admin_email, "", 0, EMAIL_MAX_CHARS,
        "First administrator, created at start while no admin exists"),
    ROW("admin.password", CONFIG_STR, admin_password, "", 0, PASSWORD_MAX_CHARS,
        "Password of the first administrator", .flags = CONFIG_SECRET),
    ROW("engine.runningMax", CONFIG_I64, engine_running_max, "10000", 1, ATTEMPTS_MAX,
        "Attempts in flight; due work beyond it waits"),
    ROW("engine.flushMax", CONFIG_I64, engine_flush_max, "500", 1, 10000,
        "Rows of one kind in one transaction"),
    ROW("engine.shutdownGraceSeconds", CONFIG_SECONDS, engine_shutdown_grace_s, "30", 0, HOUR_S,
        "How long running attempts may go on after SIGTERM"),
    ROW("script.enabled", CONFIG_BOOL, script_enabled, NULL, 0, 0,
        "Whether SCRIPT jobs may run. Default: by profile"),
    ROW("script.sandbox", CONFIG_ENUM, script_sandbox, NULL, 0, 0,
        "Least sandbox of every script; a job may ask for more. Default: by profile", .names = sandbox_words),
    ROW("runner.threads", CONFIG_I64, runner_threads, "2", 1, 16, "Threads that load and begin attempts"),
    ROW("runner.blockingThreads", CONFIG_I64, runner_blocking_threads, "32", 1, BLOCKING_THREADS_MAX,
        "Databases, brokers, files and mail that jobs may wait for at the same time; more wait their turn"),
    ROW("net.loops", CONFIG_I64, net_loops, "2", 1, 16, "Event loops for HTTP jobs and processes"),
    ROW("egress.deny", CONFIG_LIST, egress_deny, "", 0, TEXT_MAX,
        "Hosts and networks (CIDR) that jobs may not reach, besides link-local and metadata addresses"),
    ROW("egress.allow", CONFIG_LIST, egress_allow, "", 0, TEXT_MAX,
        "Hosts and networks (CIDR) that jobs may reach although they would be denied"),
    ROW("secrets.key", CONFIG_STR, secrets_key, NULL, KEY_MIN_CHARS, KEY_MAX_CHARS,
        "Key that secrets are encrypted with, the same on every node of a cluster: at least 32 characters by "
        "chance; "
        "\"new, old\" while secrets of an old one are carried over. Default: made once and kept in the data "
        "folder",
        .flags = CONFIG_SECRET),
    ROW("core.dumps", CONFIG_BOOL, core_dumps, "false", 0, 0,
        "Whether a crash may write the memory of the server, with keys and secrets in it, into a file"),
    ROW("files.roots", CONFIG_LIST, files_roots, "", 0, TEXT_MAX,
        "Folders below which jobs may read and write files. Default: the folder \"files\" in the data "
        "folder"),
    ROW("mail.url", CONFIG_STR, mail_url, NULL, 1, TEXT_MAX,
        "Server that takes mail: smtps://host:465 or smtp://host:587 (STARTTLS is insisted on once a "
        "password is set, else "
        "used where it is offered; ?starttls=require, try or off says otherwise). Default: none"),
    ROW("mail.user", CONFIG_STR, mail_user, NULL, 1, EMAIL_MAX_CHARS,
        "User name at the mail server. Default: none"),
    ROW("mail.password", CONFIG_STR, mail_password, NULL, 1, PASSWORD_MAX_CHARS,
        "Password at the mail server", .flags = CONFIG_SECRET),
    ROW("mail.from", CONFIG_STR, mail_from, NULL, 1, EMAIL_MAX_CHARS,
        "Sender of all mail. Default: chronos@ and the host name"),
    ROW("log.level", CONFIG_ENUM, log_level, "info", 0, 0, "Least important level that is written",
        .names = log_level_words),
    ROW("log.access", CONFIG_BOOL, edge.access_log, "false", 0, 0,
        "Whether every request is logged: method, route, status, time, user and address; no query, no token"),
    ROW("log.format", CONFIG_ENUM, log_format, "auto", 0, 0, "auto: text on a terminal, JSON lines elsewhere",
        .names = log_format_words),
    ROW("metrics.public", CONFIG_BOOL, metrics_public, "true", 0, 0,
        "Whether /metrics answers without a token"),
    ROW("metrics.jobs", CONFIG_I64, metrics_jobs, "0", 0, 500,
        "How many jobs, the oldest first, get metrics of their own (next fire, last success), with their "
        "names. 0: none"),
    ROW("otel.endpoint", CONFIG_STR, otel_endpoint, NULL, 1, TEXT_MAX,
        "Where spans of runs are sent to, as OTLP over HTTP with JSON: http://collector:4318. Default: none"),
    ROW("otel.headers", CONFIG_STR, otel_headers, NULL, 1, TEXT_MAX,
        "Headers sent along to otel.endpoint: \"name=value,name=value\"", .flags = CONFIG_SECRET),
    ROW("otel.sampleRatio", CONFIG_STR, otel_sample_ratio, "1", 1, NAME_MAX_CHARS,
        "Share of the traces that begin here and are sent, from 0 to 1; what comes with a trace follows its "
        "flag"),
};

int config_find(struct str name)
{
    for (int i = 0; i < CONFIG_SETTINGS; i++) {
        if (str_is(name, config_settings[i].name))
            return i;
    }
    return -1;
}

struct str config_env_name(const struct setting *s, struct arena *a)
{
    struct str text = arena_fmt(a, "CHRONOS_%s", s->name);
    char *p = text.p ? arena_cstr(a, text) : NULL;
    for (size_t i = 0; p && i < text.n; i++)
        p[i] = p[i] == '.' ? '_' : p[i] >= 'a' && p[i] <= 'z' ? (char)(p[i] - 'a' + 'A') : p[i];
    return p ? str_of_n(p, text.n) : STR_NONE;
}

struct str config_origin_text(const struct config_origin *o, struct arena *a)
{
    switch (o->source) {
    case CONFIG_FILE:
        return o->line > 0 ? arena_fmt(a, "file %.*s line %d", STR_ARG(o->detail), o->line)
                           : arena_fmt(a, "file %.*s", STR_ARG(o->detail));
    case CONFIG_ENV:
        return arena_fmt(a, "environment %.*s", STR_ARG(o->detail));
    case CONFIG_ENV_FILE:
        return arena_fmt(a, "file named by %.*s", STR_ARG(o->detail));
    case CONFIG_FLAG:
        return STR("flag --set");
    case CONFIG_DEFAULT:
        break;
    }
    return STR("default");
}
