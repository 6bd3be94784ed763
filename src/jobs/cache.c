// SPDX-License-Identifier: Apache-2.0
// CACHE: WARM, INVALIDATE, SYNC and STATS on Redis. A region is the prefix "region:" of keys.
//
// Here are the payload, its rules and the connection; the operations are in cache_*.c. Everything goes in
// pipelines of a bounded size, and keys are looked for with SCAN, so that neither side is held up by a large
// region.
#include "jobs/cache.h"

#include <stdarg.h>

#include "jobs/template.h"
#include "jobs/user_map.h"
#include "net/http.h"

enum {
    CONFIG_MAX = 64,
    HEADERS_MAX = 100,
    DATABASE_MAX = 9999,
    HOST_MAX = 253,
    SECRET_MAX = 1000,
    PORT_MAX = 65535,
    QUERY_MAX = 64 * 1024,
    URL_MAX = 8192,
    FIELD_NAME_MAX = 200,
    TIMEOUT_S_DEFAULT = 30,
    TIMEOUT_S_MAX = 600,
    YEAR_S = 366 * 86400,
    SCRATCH_BUDGET = 72 << 20, // more than SYNC reads at once
    PAGE_BUDGET = 16 << 20,
    BODY_MAX = 8 << 20,
    SAY_MAX = 1000,
};

static const char *const operation_words[] = {"WARM", "INVALIDATE", "SYNC", "STATS", NULL};
static const char *const type_words[] = {"REDIS", NULL};

#define T struct cache_payload
static const struct field payload_rows[] = {
    FIELD_ENUM(T, operation, "operation", operation_words, FIELD_ALIASES("operationType"),
               .flags = FIELD_REQUIRED, .doc = "What is to be done."),
    FIELD_STR(T, region, "region", FIELD_ALIASES("cacheRegion"), .min = 1, .max = CACHE_REGION_MAX,
              .doc = "Keys that begin with \"region:\"; STATS takes none for all keys."),
    FIELD_STRS(T, keys, "cacheKeys", FIELD_ALIASES("keys"), .max = CACHE_KEYS_MAX,
               .doc = "INVALIDATE and SYNC: keys below the region, and patterns of them (* ? [a-z])."),
    FIELD_STR(T, source_region, "sourceRegion", .min = 1, .max = CACHE_REGION_MAX,
              .doc = "SYNC: copied from."),
    FIELD_I64(T, ttl_s, "timeToLiveSeconds", FIELD_ALIASES("ttlSeconds"), .min = 1, .max = YEAR_S,
              .doc = "WARM: when the entries expire. SYNC: instead of what is left of their time."),
    FIELD_MAP(
        T, config, "cacheConfig", .flags = FIELD_REQUIRED, .min = 1, .max = CONFIG_MAX,
        .doc =
            "type (REDIS), host, port, username, password, database, timeoutSeconds; SYNC also sourceHost …"),
    FIELD_BOOL(T, skip_if_exists, "skipIfExists", FIELD_DEFAULT(false),
               .doc = "WARM and SYNC: what is there already stays as it is."),
    FIELD_BOOL(T, async, "async", FIELD_DEFAULT(false),
               .doc = "Has no meaning: a run is in the background anyway."),
    FIELD_MAP(T, entries, "entries", FIELD_ALIASES("values"), .max = CACHE_ENTRIES_MAX,
              .doc = "WARM: key and value."),
    FIELD_STR(T, url, "httpUrl", FIELD_ALIASES("url"), .min = 1, .max = URL_MAX,
              .doc = "WARM: the entries are the JSON answer to a GET: an object, or a list of objects."),
    FIELD_MAP(T, http_headers, "httpHeaders", FIELD_ALIASES("headers"), .max = HEADERS_MAX,
              .doc = "WARM: of that request."),
    FIELD_STR(T, database_url, "databaseUrl", .min = 1, .max = URL_MAX,
              .doc = "WARM: the entries are the rows of a query: mysql:, mariadb:, postgresql:, sqlite:."),
    FIELD_STR(T, database_username, "databaseUsername", .max = SECRET_MAX,
              .doc = "Else as databaseUrl says."),
    FIELD_STR(T, database_password, "databasePassword", .flags = FIELD_SECRET, .max = SECRET_MAX,
              .doc = "Use {{secret.NAME}}."),
    FIELD_STR(T, query, "query", .min = 1, .max = QUERY_MAX, .doc = "WARM: one statement that reads."),
    FIELD_JSON(T, query_parameters, "queryParameters", .json = "\"type\":[\"object\",\"array\"]", .max = QUERY_MAX,
               .doc = "WARM: of the query, by name or in order."),
    FIELD_STR(T, items, "itemsField", .min = 1, .max = FIELD_NAME_MAX,
              .doc = "WARM: member of the answer that holds the entries, \"data.items\"."),
    FIELD_STR(T, key_field, "keyField", .min = 1, .max = FIELD_NAME_MAX,
              .doc = "WARM: member (or column) that is the key."),
    FIELD_STR(T, value_field, "valueField", .min = 1, .max = FIELD_NAME_MAX,
              .doc = "WARM: member (or column) that is the value; all of it as JSON when absent."),
};
#undef T
static const struct fields payload_fields =
    FIELDS("CachePayload", struct cache_payload, payload_rows, .doc = "Entries of a cache.");

#define T struct cache_config
static const struct field config_rows[] = {
    FIELD_ENUM(T, type, "type", type_words, FIELD_DEFAULT(0), .doc = "Kind of the cache."),
    FIELD_STR(T, host, "host", .min = 1, .max = HOST_MAX, .doc = "Name or address."),
    FIELD_I64(T, port, "port", .min = 1, .max = PORT_MAX, FIELD_DEFAULT(CACHE_PORT),
              .doc = "6379 when absent."),
    FIELD_STR(T, username, "username", FIELD_ALIASES("user"), .max = SECRET_MAX, .doc = "Who signs in."),
    FIELD_STR(T, password, "password", .flags = FIELD_SECRET, .max = SECRET_MAX,
              .doc = "Use {{secret.NAME}}."),
    FIELD_I64(T, database, "database", FIELD_ALIASES("db"), .min = 0, .max = DATABASE_MAX, FIELD_DEFAULT(0),
              .doc = "Number of the database."),
    FIELD_I64(T, timeout_s, "timeoutSeconds", .min = 1, .max = TIMEOUT_S_MAX,
              FIELD_DEFAULT(TIMEOUT_S_DEFAULT), .doc = "Longest wait for one answer."),
    FIELD_STR(T, source_host, "sourceHost", .min = 1, .max = HOST_MAX, .doc = "SYNC from another server."),
    FIELD_I64(T, source_port, "sourcePort", .min = 1, .max = PORT_MAX, FIELD_DEFAULT(CACHE_PORT),
              .doc = "Of it."),
    FIELD_STR(T, source_username, "sourceUsername", .max = SECRET_MAX, .doc = "Of it."),
    FIELD_STR(T, source_password, "sourcePassword", .flags = FIELD_SECRET, .max = SECRET_MAX,
              .doc = "Of it."),
    FIELD_I64(T, source_database, "sourceDatabase", .min = 0, .max = DATABASE_MAX, FIELD_DEFAULT(0),
              .doc = "Of it."),
};
#undef T
const struct fields cache_config_fields =
    FIELDS("CacheConfig", struct cache_config, config_rows, .doc = "Of a cache.");

// ---- checking ----

static void fault(struct faults *f, struct str base, const char *field, const char *text)
{
    faults_add(f, arena_fmt(f->a, "%.*s/%s", STR_ARG(base), field), "%s", text);
}

static void warm_check(const struct cache_payload *p, struct str base, struct faults *f,
                       struct arena *scratch)
{
    struct err err;
    int sources = (p->entries.n > 0) + (p->url.p != NULL) + (p->database_url.p != NULL);
    if (sources != 1)
        fault(f, base, "entries", "give one source: entries, httpUrl or databaseUrl");
    if (p->database_url.p)
        cache_query_check(p, base, f, scratch);
    if (p->url.p && !template_uses(p->url, "") && !http_url_check(p->url, &err))
        fault(f, base, "httpUrl", err.text);
    for (size_t i = 0; i < p->http_headers.n; i++)
        if (!http_header_check(p->http_headers.v[i].key, p->http_headers.v[i].value, &err))
            faults_add(
                f, arena_fmt(f->a, "%.*s/httpHeaders/%.*s", STR_ARG(base), STR_ARG(p->http_headers.v[i].key)),
                "%s", err.text);
}

static void rules_check(const struct cache_payload *p, const struct cache_config *c, struct str base,
                        struct faults *f, struct arena *scratch)
{
    if (!c->host.p)
        fault(f, base, "cacheConfig/host", "is required");
    if (!p->region.p && p->operation != CACHE_STATS)
        fault(f, base, "region", "is required");
    if (p->operation == CACHE_WARM)
        warm_check(p, base, f, scratch);
    if (p->operation == CACHE_INVALIDATE && p->keys.n == 0)
        fault(f, base, "cacheKeys", "is required for INVALIDATE; [\"*\"] removes the whole region");
    if (p->operation == CACHE_SYNC && !p->source_region.p)
        fault(f, base, "sourceRegion", "is required for SYNC");
    if (p->operation == CACHE_SYNC && str_eq(p->source_region, p->region) && !c->source_host.p)
        fault(f, base, "sourceRegion",
              "must be another than region, or on another server (cacheConfig.sourceHost)");
}

static void cache_check(const void *payload, struct str base, struct faults *faults, struct arena *scratch)
{
    const struct cache_payload *p = payload;
    struct cache_config c;
    struct str ignored, below = arena_fmt(scratch, "%.*s/cacheConfig", STR_ARG(base));
    (void)user_map_read(&cache_config_fields, &p->config, below, true, &c, &ignored, scratch, faults);
    rules_check(p, &c, base, faults, scratch);
}

// ---- what the operations share ----

bool cache_fail(struct cache *c, const char *error_class, const char *code)
{
    c->error_class = error_class;
    c->error_code = code ? arena_str(&c->a->arena, str_of(code)).p : NULL;
    return false;
}

bool cache_fail_redis(struct cache *c, const struct redis_data *r)
{
    switch (c->err.code) {
    case ERR_CONFLICT:
        return cache_fail(c, "CACHE_ERROR", redis_data_code(r));
    case ERR_DENIED:
        return cache_fail(c, "EGRESS_DENIED", NULL);
    case ERR_TIMEOUT:
        return cache_fail(c, "TIMEOUT", NULL);
    case ERR_UNAVAILABLE:
        return cache_fail(c, "CONNECTION_ERROR", NULL);
    default:
        return cache_fail(c, "CACHE_ERROR", err_code_name(c->err.code));
    }
}

void cache_say(struct cache *c, const char *fmt, ...)
{
    char text[SAY_MAX];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    attempt_log(c->a, LOG_LINE_INFO, STREAM_SYSTEM, str_of(text), STR_NONE);
}

bool cache_run(struct cache *c, struct redis_data *r, const char *what, struct redis_value ***ret,
               size_t *ret_n)
{
    if (!redis_data_run(r, (struct duration){0}, ret, ret_n, &c->scratch, &c->err)) {
        (void)err_wrap(&c->err, "%s", what);
        return cache_fail_redis(c, r);
    }
    return true;
}

// ---- running ----

// False: the attempt has been ended.
static bool prepare(struct cache *c)
{
    struct attempt *a = c->a;
    struct str ignored;
    struct faults *f = arena_new(&a->arena, struct faults);
    if (!f) {
        attempt_fail(a, "DEFINITION_ERROR", "no memory for the payload");
        return false;
    }
    faults_init(f, &a->arena);
    if (user_map_read(&cache_config_fields, &c->p->config, STR("/cacheConfig"), false, &c->c, &ignored,
                      &a->arena, f))
        rules_check(c->p, &c->c, STR(""), f, &a->arena);
    if (faults_any(f)) {
        attempt_fail(a, "DEFINITION_ERROR", "%.*s %.*s", STR_ARG(f->v[0].pointer), STR_ARG(f->v[0].detail));
        return false;
    }
    if (ignored.p)
        attempt_log(
            a, LOG_LINE_WARN, STREAM_SYSTEM,
            arena_fmt(&a->arena, "cacheConfig without meaning for CACHE is ignored: %.*s", STR_ARG(ignored)),
            STR_NONE);
    if (c->p->async)
        attempt_log(a, LOG_LINE_WARN, STREAM_SYSTEM,
                    STR("async has no meaning and is ignored: a run is in the background anyway"), STR_NONE);
    return true;
}

static void interrupt(void *ctx)
{
    struct cache *c = ctx;
    redis_data_interrupt(c->r);
    atomic_store(&c->link.stop, true);
    if (c->link.q)
        query_interrupt(c->link.q);
    if (c->source != c->r)
        redis_data_interrupt(c->source);
}

static void open_both(struct cache *c)
{
    const struct cache_config *g = &c->c;
    struct redis_data_options o = {
        .clock = c->a->clock,
        .egress = c->a->env->egress,
        .host = g->host,
        .port = (int)g->port,
        .username = g->username,
        .password = g->password,
        .database = (int)g->database,
        .at_most = duration_s(g->timeout_s),
    };
    c->r = c->source = redis_data_new(&o);
    if (c->p->operation != CACHE_SYNC || !g->source_host.p)
        return;
    o.host = g->source_host;
    o.port = (int)g->source_port;
    o.username = g->source_username;
    o.password = g->source_password;
    o.database = (int)g->source_database;
    c->source = redis_data_new(&o);
}

static bool connect_both(struct cache *c)
{
    if (c->source != c->r && !redis_data_connect(c->source, &c->err))
        return err_wrap(&c->err, "source") || cache_fail_redis(c, c->source);
    return redis_data_connect(c->r, &c->err) || cache_fail_redis(c, c->r);
}

static bool work(struct cache *c, struct str fetched)
{
    if (!connect_both(c))
        return false;
    switch (c->p->operation) {
    case CACHE_WARM:
        return c->link.q ? cache_warm_query(c) : fetched.p ? cache_warm_json(c, fetched) : cache_warm(c);
    case CACHE_INVALIDATE:
        return cache_invalidate(c);
    case CACHE_SYNC:
        return cache_sync(c);
    default:
        return cache_stats(c);
    }
}

static void end(struct cache *c, bool ok)
{
    struct attempt *a = c->a;
    if (attempt_ended_by_cancel(a))
        return;
    if (ok) {
        attempt_succeed(a, FIELD_ABSENT);
        return;
    }
    if (c->error_code)
        a->result.error_code = str_of(c->error_code);
    bool told = !c->error_code || str_contains(str_of(c->err.text), str_of(c->error_code));
    if (str_is(str_of(c->error_class), "TIMEOUT"))
        attempt_timed_out(a, "%s", c->err.text);
    else if (told)
        attempt_fail(a, c->error_class, "%s", c->err.text);
    else
        attempt_fail(a, c->error_class, "%s (%s)", c->err.text, c->error_code);
}

static bool target(struct attempt *a, struct str host, int64_t port)
{
    return attempt_target(a, arena_fmt(&a->arena, "redis://%.*s:%lld", STR_ARG(host), (long long)port));
}

// What comes from elsewhere is there before the cache is reached for. False: the attempt has been ended.
static bool source_open(struct cache *c, struct sbuf *fetched)
{
    const struct cache_payload *p = c->p;
    if (p->operation != CACHE_WARM)
        return true;
    if (p->url.p && !attempt_target(c->a, cache_origin(c)))
        return false;
    if (p->url.p && !cache_fetch(c, fetched)) {
        end(c, false);
        return false;
    }
    if (p->database_url.p && !cache_query_open(c)) {
        database_link_close(&c->link, false);
        database_link_end(&c->link);
        return false;
    }
    return target(c->a, c->c.host, c->c.port); // named again: what follows is about it
}

static void body(struct attempt *a)
{
    struct cache c = {.a = a, .p = a->payload, .link = {.a = a, .folder = -1}};
    struct sbuf fetched;
    if (attempt_ended_by_cancel(a) || !prepare(&c) || !target(a, c.c.host, c.c.port))
        return;
    sbuf_init(&fetched, NULL, BODY_MAX);
    if (source_open(&c, &fetched)) {
        arena_init(&c.scratch, SCRATCH_BUDGET);
        arena_init(&c.page, PAGE_BUDGET);
        open_both(&c);
        attempt_interruptible(a, interrupt, &c); // instead of the database's own
        bool ok = work(&c, c.p->url.p ? sbuf_str(&fetched) : STR_NONE);
        attempt_uninterruptible(a);
        if (c.source != c.r)
            redis_data_free(c.source);
        redis_data_free(c.r);
        database_link_close(&c.link, ok && !cache_stopping(&c));
        arena_release(&c.scratch);
        arena_release(&c.page);
        end(&c, ok);
    }
    sbuf_release(&fetched);
}

static void cache_start(struct attempt *a) { attempt_block(a, body); }

static const char *const examples[] = {
    "{\"operation\":\"WARM\",\"region\":\"rates\",\"entries\":{\"eur\":\"1.08\"},"
    "\"timeToLiveSeconds\":600,\"cacheConfig\":{\"type\":\"REDIS\",\"host\":\"redis.internal\"}}",
    "{\"operation\":\"INVALIDATE\",\"region\":\"users\",\"cacheKeys\":[\"user:*\"],"
    "\"cacheConfig\":{\"type\":\"REDIS\",\"host\":\"redis.internal\"}}",
    NULL};
static const char *const classes[] = {"CACHE_ERROR", "CONNECTION_ERROR", "DATABASE_ERROR", "HTTP_4XX",
                                      "HTTP_5XX", "EGRESS_DENIED", NULL};

const struct job_type job_type_cache = {
    .name = "CACHE",
    .doc = "Fills, empties, copies and looks at regions of a Redis cache.",
    .payload = &payload_fields,
    .check = cache_check,
    .start = cache_start,
    .cancel = attempt_block_cancel,
    .examples = examples,
    .failure_classes = classes,
};
