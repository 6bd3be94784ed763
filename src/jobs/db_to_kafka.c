// SPDX-License-Identifier: Apache-2.0
// DB_TO_KAFKA: streams the rows of a query to a topic, in bounded memory, each at least once.
//
// With offsetField only rows behind the last run's are read: the query is put into one that asks for them in
// order, unless it has :offset itself and so says where. See docs/how-to/database-to-kafka.md.
#include "jobs/db_to_kafka.h"

#include "base/mem.h"
#include "jobs/services.h"
#include "jobs/template.h"
#include "jobs/user_map.h"

enum {
    ACCOUNT_MAX = 1000,
    PARAMETERS_BYTES_MAX = 256 * 1024,
    NAME_BYTES_MAX = 128, // of a column: the name of the position holds it
    BROKERS_MAX = 2000,
    CONFIG_MAX = 64,
    BATCH_DEFAULT = 5000,
    BATCH_MAX = 20000,
    RETRIES_DEFAULT = 3,
    RETRIES_MAX = 100,
    WORD_S = 5,
    STOP_EVERY = 64, // rows between two looks whether the run is still wanted
    SUMMARY_MAX = 400,
};

#define T struct move_payload
static const struct field move_rows[] = {
    FIELD_STR(T, url, "databaseUrl", FIELD_ALIASES("jdbcUrl"), .flags = FIELD_REQUIRED, .min = 1,
              .max = DB_URL_BYTES_MAX,
              .doc = "mysql:, mariadb:, postgresql: or sqlite:, also with jdbc: in front."),
    FIELD_STR(T, username, "username", FIELD_ALIASES("databaseUsername"), .max = ACCOUNT_MAX,
              .doc = "Who signs in to the database; else as databaseUrl says."),
    FIELD_STR(T, password, "password", FIELD_ALIASES("databasePassword"), .flags = FIELD_SECRET,
              .max = ACCOUNT_MAX, .doc = "Of the user; use {{secret.NAME}}."),
    FIELD_STR(T, query, "query", FIELD_ALIASES("sql"), .flags = FIELD_REQUIRED, .min = 1,
              .max = JOB_PAYLOAD_MAX,
              .doc = "One statement that reads, with :name or ? where a parameter goes."),
    FIELD_JSON(T, parameters, "queryParameters", .json = "\"type\":[\"object\",\"array\"]",
               FIELD_ALIASES("parameters"), .max = PARAMETERS_BYTES_MAX,
               .doc = "Values by name, or a list of values in order."),
    FIELD_STR(T, topic, "kafkaTopic", FIELD_ALIASES("topic"), .flags = FIELD_REQUIRED, .min = 1,
              .max = KAFKA_TOPIC_MAX, .doc = "Where the rows go."),
    FIELD_STR(T, bootstrap_servers, "bootstrapServers", FIELD_ALIASES("brokers"), .max = BROKERS_MAX,
              .doc = "\"host:port,host:port\"; else as kafkaConfig says, or the server's own brokers."),
    FIELD_MAP(T, config, "kafkaConfig", .max = CONFIG_MAX,
              .doc = "bootstrapServers, security, saslMechanism, username, password, caFile, tls."),
    FIELD_STR(T, key_field, "kafkaKeyField", .min = 1, .max = NAME_BYTES_MAX,
              .doc = "Column whose value is the message's key."),
    FIELD_MAP(T, headers, "kafkaHeaders", .max = MOVE_HEADERS_MAX, .doc = "Headers of every message."),
    FIELD_I64(T, batch_size, "batchSize", .min = 1, .max = BATCH_MAX, FIELD_DEFAULT(BATCH_DEFAULT),
              .doc = "Rows that are acknowledged, and whose position is kept, together."),
    FIELD_I64(T, max_records, "maxRecords", .min = 1, .doc = "Rows of one run; all when absent."),
    FIELD_STR(T, offset_field, "offsetField", .min = 1, .max = NAME_BYTES_MAX,
              .doc = "Column that only grows: later runs go on behind the last value."),
    FIELD_JSON(T, last_value, "lastProcessedValue", .max = DB_POSITION_VALUE_MAX,
               .doc = "The first run reads rows behind this value of offsetField."),
    FIELD_MAP(T, mappings, "fieldMappings", .max = MOVE_FIELDS_MAX, .doc = "Other names for columns."),
    FIELD_STRS(T, exclude, "excludeFields", .max = MOVE_FIELDS_MAX, .doc = "Columns that are left out."),
    FIELD_BOOL(T, metadata, "includeMetadata", FIELD_DEFAULT(false),
               .doc = "Adds _metadata with job, run, source, time and number of the row."),
    FIELD_STR(T, dead_letter_topic, "deadLetterTopic", .min = 1, .max = KAFKA_TOPIC_MAX,
              .doc = "Where rows go that cannot be sent."),
    FIELD_BOOL(T, skip_on_error, "skipOnError", FIELD_DEFAULT(false),
               .doc = "Rows that cannot be sent are left out instead of failing the run."),
    FIELD_I64(T, max_retries, "maxRetries", .min = 0, .max = RETRIES_MAX, FIELD_DEFAULT(RETRIES_DEFAULT),
              .doc = "How often a batch is sent again when the brokers do not take it."),
    FIELD_I64(T, connect_s, "connectionTimeoutSeconds", .min = 1, .max = DATABASE_CONNECT_S_MAX,
              .doc = "Longest time to connect to the database, and to Kafka."),
    FIELD_I64(T, query_s, "queryTimeoutSeconds", .min = 1, .max = JOB_TIMEOUT_S_MAX,
              .doc = "Longest time of the query with the reading of all its rows."),
};
#undef T
static const struct fields move_fields = FIELDS("DbToKafkaPayload", struct move_payload, move_rows,
                                                .doc = "Rows of a query for a topic of Kafka.");

#define T struct move_kafka
static const struct field kafka_rows[] = {
    FIELD_STR(T, brokers, "bootstrapServers", FIELD_ALIASES("brokers", "bootstrap.servers"), .min = 1,
              .max = BROKERS_MAX, .doc = "\"host:port,host:port\"."),
    FIELD_ENUM(T, security, "security", kafka_security_words,
               FIELD_ALIASES("securityProtocol", "security.protocol"),
               .doc = "plaintext, ssl, sasl_plaintext, sasl_ssl."),
    FIELD_STR(T, mechanism, "saslMechanism", FIELD_ALIASES("sasl.mechanism"), .max = ACCOUNT_MAX,
              .doc = "PLAIN, SCRAM-…."),
    FIELD_STR(T, username, "username", FIELD_ALIASES("sasl.username"), .max = ACCOUNT_MAX,
              .doc = "Who signs in."),
    FIELD_STR(T, password, "password", FIELD_ALIASES("sasl.password"), .flags = FIELD_SECRET,
              .max = ACCOUNT_MAX, .doc = "Use {{secret.NAME}}."),
    FIELD_STR(T, ca_file, "caFile", FIELD_ALIASES("ssl.ca.location"), .max = BROKERS_MAX,
              .doc = "PEM of the authorities."),
    FIELD_BOOL(T, tls, "tls", FIELD_ALIASES("ssl"), FIELD_DEFAULT(false),
               .doc = "The same as security ssl or sasl_ssl."),
};
#undef T
const struct fields move_kafka_fields =
    FIELDS("DbToKafkaConfig", struct move_kafka, kafka_rows, .doc = "Kafka.");

// ---- checking ----

static struct str at(struct str base, const char *name, struct arena *a)
{
    return arena_fmt(a, "%.*s/%s", STR_ARG(base), name);
}

static bool has_template(struct str s) { return s.n >= 2 && memmem(s.p, s.n, "{{", 2) != NULL; }

static bool uses_offset(const struct query_text *t)
{
    for (size_t i = 0; i < t->v[0].n; i++)
        if (str_is(t->v[0].places[i].name, "offset"))
            return true;
    return false;
}

static void topic_check(struct str topic, struct str pointer, struct faults *faults)
{
    struct err err;
    if (topic.p && !has_template(topic) && !kafka_topic_check(topic, &err))
        faults_add(faults, pointer, "%s", err.text);
}

// The rules of the query that need no server. *ret_own: it has :offset itself.
static void text_check(const struct move_payload *p, const struct query_text *t, struct str base,
                       bool *ret_own, struct faults *faults)
{
    struct str pointer = at(base, "query", faults->a);
    *ret_own = uses_offset(t);
    if (t->n != 1 || !query_statement_reads(&t->v[0]) || query_statement_controls(&t->v[0]))
        faults_add(faults, pointer, "must be one statement that reads: SELECT or WITH");
    if (*ret_own && !p->offset_field.p)
        faults_add(faults, pointer,
                   "has :offset, which needs offsetField: the column whose last value it is");
    if (*ret_own && !p->last_value.p)
        faults_add(faults, at(base, "lastProcessedValue", faults->a),
                   "must be given with :offset in the query: what the first run puts there");
}

static void brokers_check(const struct move_payload *p, struct str base, struct faults *faults,
                          struct arena *scratch)
{
    struct move_kafka k;
    struct str ignored;
    bool fine = user_map_read(&move_kafka_fields, &p->config, at(base, "kafkaConfig", faults->a), true, &k,
                              &ignored, scratch, faults);
    bool own = job_settings_at_save && job_settings_at_save->kafka_brokers.n > 0;
    if (fine && job_settings_at_save && !own && p->bootstrap_servers.n == 0 && k.brokers.n == 0)
        faults_add(faults, at(base, "bootstrapServers", faults->a),
                   "must be given: this server has no brokers of its own (setting kafka.brokers)");
}

static void move_check(const void *payload, struct str base, struct faults *faults, struct arena *scratch)
{
    const struct move_payload *p = payload;
    struct str params_at = at(base, "queryParameters", faults->a);
    struct database_params params;
    struct query_text text;
    struct err err;
    int kind;
    bool own;
    database_url_check(p->url, at(base, "databaseUrl", faults->a), &kind, faults);
    topic_check(p->topic, at(base, "kafkaTopic", faults->a), faults);
    topic_check(p->dead_letter_topic, at(base, "deadLetterTopic", faults->a), faults);
    brokers_check(p, base, faults, scratch);
    if (p->last_value.p && !p->offset_field.p)
        faults_add(faults, at(base, "lastProcessedValue", faults->a),
                   "needs offsetField: the column of that value");
    if (p->last_value.p && !has_template(p->last_value)) {
        struct db_position *unused = arena_new(scratch, struct db_position);
        if (unused && !db_position_start(unused, p->last_value, scratch, &err))
            faults_add(faults, at(base, "lastProcessedValue", faults->a), "%s", err.text);
    }
    bool fine = database_params_read(p->parameters, params_at, true, &params, scratch, faults);
    if (template_uses(p->query, "param."))
        faults_add(faults, at(base, "query", faults->a),
                   "must not hold {{param.…}}, which would become SQL: write "
                   ":name and give \"name\": \"{{param.…}}\" in queryParameters");
    else if (kind >= 0 && !template_uses(p->query, "")) {
        if (!query_text_read(p->query, (enum query_kind)kind, &text, scratch, &err)) {
            faults_add(faults, at(base, "query", faults->a), "%s", err.text);
            return;
        }
        text_check(p, &text, base, &own, faults);
        if (fine)
            database_params_match(&params, &text, "offset", params_at, faults);
    }
}

// ---- preparing ----

static bool refuse_first(struct move *m, const struct faults *f)
{
    return database_link_refuse(&m->link, "DEFINITION_ERROR", "%.*s %.*s", STR_ARG(f->v[0].pointer),
                                STR_ARG(f->v[0].detail));
}

static bool position_find(struct move *m, struct err *err)
{
    struct attempt *a = m->link.a;
    const struct job_services *s = a->env->services;
    struct str text = STR_NONE;
    if (!m->p->offset_field.p)
        return true;
    if (!s || !s->memo_get)
        return ERR(err, ERR_UNAVAILABLE, "this server keeps no positions");
    m->memo = arena_fmt(&a->arena, "offset:%.*s", STR_ARG(m->p->offset_field));
    if (!s->memo_get(s->ctx, a->job_id, m->memo, &text, &a->arena, err))
        return err_wrap(err, "the position of the last run");
    m->started_before = text.p != NULL;
    if (text.p)
        return db_position_read(&m->position, text, err);
    return !m->p->last_value.p || db_position_start(&m->position, m->p->last_value, &a->arena, err);
}

// The statement that is run: the query's own, or around it one that asks for rows in order.
static bool text_find(struct move *m, enum query_kind kind, bool own, struct err *err)
{
    struct arena *a = &m->link.a->arena;
    const struct move_payload *p = m->p;
    const char *after = !m->position.known ? NULL : m->started_before ? ">=" : ">";
    bool by_position = m->text.positions > 0;
    if (!p->offset_field.p || own)
        return true;
    struct str sql = query_text_in_order(p->query, kind, p->offset_field, after, by_position, a);
    if (!sql.p || !query_text_read(sql, kind, &m->text, a, err))
        return sql.p ? false : ERR(err, ERR_TOO_LARGE, "the query is too long");
    if (!after || !by_position)
        return true;
    struct database_param *v = arena_new_array(a, struct database_param, m->params.n + 1);
    if (!v)
        return ERR(err, ERR_TOO_LARGE, "no memory for the parameters");
    memcpy(v, m->params.v, m->params.n * sizeof *v);
    v[m->params.n] = (struct database_param){.v = m->position.v};
    m->params = (struct database_params){v, m->params.n + 1};
    return true;
}

static bool query_prepare(struct move *m)
{
    struct attempt *a = m->link.a;
    struct faults *faults = arena_new(&a->arena, struct faults);
    struct query_target target;
    struct err err;
    bool own = false;
    if (!faults)
        return database_link_refuse(&m->link, "DEFINITION_ERROR", "no memory for the query");
    faults_init(faults, &a->arena);
    if (!query_target_parse(m->p->url, &target, &a->arena, &err))
        return database_link_refuse(&m->link, "DEFINITION_ERROR", "%s", err.text);
    if (!query_text_read(m->p->query, target.kind, &m->text, &a->arena, &err))
        return database_link_refuse(&m->link, "DEFINITION_ERROR", "the query %s", err.text);
    text_check(m->p, &m->text, STR(""), &own, faults);
    if (!faults_any(faults) &&
        database_params_read(m->p->parameters, STR("queryParameters"), false, &m->params, &a->arena, faults))
        database_params_match(&m->params, &m->text, "offset", STR("queryParameters"), faults);
    if (faults_any(faults))
        return refuse_first(m, faults);
    if (!position_find(m, &err))
        return database_link_refuse(&m->link, "POSITION_ERROR", "%s", err.text);
    return text_find(m, target.kind, own, &err) ||
           database_link_refuse(&m->link, "DEFINITION_ERROR", "%s", err.text);
}

static bool kafka_config(struct move *m)
{
    struct attempt *a = m->link.a;
    struct faults *faults = arena_new(&a->arena, struct faults);
    struct str ignored = STR_NONE;
    const struct job_settings *s = a->env->settings;
    if (!faults)
        return database_link_refuse(&m->link, "DEFINITION_ERROR", "no memory for kafkaConfig");
    faults_init(faults, &a->arena);
    if (!user_map_read(&move_kafka_fields, &m->p->config, STR("kafkaConfig"), false, &m->kafka, &ignored,
                       &a->arena, faults))
        return refuse_first(m, faults);
    if (ignored.p)
        attempt_log(
            a, LOG_LINE_WARN, STREAM_SYSTEM,
            arena_fmt(&a->arena, "kafkaConfig without meaning here is ignored: %.*s", STR_ARG(ignored)),
            STR_NONE);
    if (m->p->bootstrap_servers.n > 0)
        m->kafka.brokers = m->p->bootstrap_servers;
    if (m->kafka.brokers.n == 0 && s)
        m->kafka.brokers = s->kafka_brokers;
    struct str first = str_split(m->kafka.brokers, ',', &(struct str){0});
    m->kafka_target = arena_fmt(&a->arena, "kafka://%.*s", STR_ARG(str_trim(first)));
    return m->kafka.brokers.n > 0 ||
           database_link_refuse(&m->link, "DEFINITION_ERROR",
                                "bootstrapServers must be given: this server has no brokers "
                                "of its own (setting kafka.brokers)");
}

static struct str id_text(struct ulid id, struct arena *a)
{
    char text[ULID_TEXT_MAX];
    return arena_str(a, str_of(ulid_format(id, text)));
}

static bool headers_make(struct move *m)
{
    struct attempt *a = m->link.a;
    const struct str_map *own = &m->p->headers;
    enum { OURS = 2 };
    m->headers.v = arena_new_array(&a->arena, struct str_pair, own->n + OURS);
    if (!m->headers.v)
        return database_link_refuse(&m->link, "DEFINITION_ERROR", "no memory for the headers");
    for (size_t i = 0; i < own->n; i++) {
        if (own->v[i].key.n > KAFKA_HEADER_NAME_MAX || own->v[i].value.n > KAFKA_HEADER_BYTES_MAX)
            return database_link_refuse(&m->link, "DEFINITION_ERROR",
                                        "kafkaHeaders holds a name over %d or a value over "
                                        "%d bytes",
                                        KAFKA_HEADER_NAME_MAX, KAFKA_HEADER_BYTES_MAX);
        m->headers.v[m->headers.n++] = own->v[i];
    }
    m->headers.v[m->headers.n++] = (struct str_pair){STR("Chronos-Run-Key"), id_text(a->run_key, &a->arena)};
    m->headers.v[m->headers.n++] = (struct str_pair){STR("Chronos-Job-Id"), id_text(a->job_id, &a->arena)};
    return true;
}

static struct duration connect_time(const struct move_payload *p)
{
    return duration_s(p->connect_s == FIELD_ABSENT ? DATABASE_CONNECT_S_DEFAULT : p->connect_s);
}

static void stop_kafka(void *ctx)
{
    struct move *m = ctx;
    atomic_store(&m->link.stop, true);
}

static bool kafka_open_producer(struct move *m)
{
    const struct move_kafka *k = &m->kafka;
    bool sasl = k->username.n > 0;
    struct err err;
    struct kafka_options o = {
        .clock = m->link.a->clock,
        .brokers = k->brokers,
        .client_id = STR("chronos-job"),
        .mechanism = k->mechanism.p ? k->mechanism : STR("PLAIN"),
        .username = k->username,
        .password = k->password,
        .ca_file = k->ca_file,
        .stop = &m->link.stop,
        .egress = m->link.a->env->egress,
        .security = k->security >= 0 ? k->security
                    : k->tls         ? (sasl ? KAFKA_SASL_SSL : KAFKA_SSL)
                    : sasl           ? KAFKA_SASL_PLAINTEXT
                                     : KAFKA_PLAINTEXT,
    };
    if (!(m->producer = kafka_producer_new(&o, &err)))
        return database_link_refuse(&m->link, "DEFINITION_ERROR", "%s", err.text);
    if (!attempt_target(m->link.a, m->kafka_target)) {
        m->link.ended = true;
        return false;
    }
    attempt_interruptible(m->link.a, stop_kafka, m);
    bool ok = kafka_reach(m->producer, connect_time(m->p), &err);
    attempt_uninterruptible(m->link.a);
    return ok || move_kafka_failed(m, &err);
}

// ---- moving ----

enum more { MORE, ENOUGH, NO_MORE, BROKEN };

static enum more backwards(struct move *m)
{
    (void)database_link_refuse(&m->link, "DATABASE_ERROR",
                               "row %lld has a smaller \"%.*s\" than the one before: end the "
                               "query with ORDER BY that column",
                               (long long)m->read, STR_ARG(m->p->offset_field));
    return BROKEN;
}

// One row of the result into the batch, unless it went before or cannot be sent.
static enum more row_take(struct move *m, struct move_batch *b)
{
    struct move_record r;
    uint64_t hash;
    bool fits;
    size_t begin = b->bytes.n;
    m->read++;
    move_row_write(m, b, &r, &hash, &fits);
    if (m->shape.offset < m->shape.n) {
        struct query_value v = query_value(m->link.q, m->shape.offset);
        enum db_position_step step = db_position_move(&m->position, &v, hash);
        if (step == DB_POSITION_BACKWARDS)
            return backwards(m);
        if (step == DB_POSITION_GONE_BEFORE) {
            m->known++;
            b->bytes.n = begin;
            return MORE;
        }
        if (step == DB_POSITION_NO_VALUE) {
            (void)database_link_refuse(&m->link, "DATABASE_ERROR",
                                       "row %lld has no \"%.*s\", or one that cannot be a "
                                       "position",
                                       (long long)m->read, STR_ARG(m->p->offset_field));
            return BROKEN;
        }
    }
    m->taken++;
    if (!fits) {
        enum { MEGABYTE = 1000000 };
        static const char why[] = "is larger than a message of Kafka may be (1 MB)";
        if (!sbuf_ok(&b->bytes) || !move_reject(m, why))
            return sbuf_ok(&b->bytes) ? BROKEN
                                      : (database_link_refuse(&m->link, "DATABASE_ERROR",
                                                              "row %lld is too large to be "
                                                              "handled",
                                                              (long long)m->read),
                                         BROKEN);
        if (!m->p->dead_letter_topic.p) {
            b->bytes.n = begin;
            return MORE;
        }
        move_row_bury(m, b, &r, why);
        b->unsent++;
    }
    b->records[b->n++] = r;
    return m->p->max_records != FIELD_ABSENT && m->taken >= m->p->max_records ? ENOUGH : MORE;
}

// Fills a batch from the result.
static enum more batch_fill(struct move *m, struct move_batch *b)
{
    struct query_err err = {.code = ""};
    enum more more = MORE;
    b->n = b->unsent = 0;
    sbuf_clear(&b->bytes);
    sbuf_clear(&b->position);
    while (more == MORE && b->n < (size_t)m->p->batch_size && b->bytes.n < MOVE_BATCH_BYTES) {
        bool row;
        if (m->read % STOP_EVERY == 0 && database_link_stopped(&m->link))
            return BROKEN;
        if (!query_next(m->link.q, &row, &err)) {
            (void)database_link_failed(&m->link, &err);
            return BROKEN;
        }
        if (!m->shape.columns && !move_shape_make(m))
            return BROKEN;
        more = row ? row_take(m, b) : NO_MORE;
    }
    if (m->p->offset_field.p && m->position.known && m->taken > 0)
        db_position_write(&m->position, &b->position);
    return more;
}

// The reading broke: what travels has arrived all the same, and need not be read again.
static bool broken(struct move *m, struct move_batch *other)
{
    const struct query_err err = m->link.err;
    const char *error_class = m->link.error_class;
    if (!database_link_stopped(&m->link))
        (void)move_batch_settle(m, other);
    m->link.err = err;
    m->link.error_class = error_class;
    m->kafka_failed = false;
    return false;
}

static bool move_all(struct move *m)
{
    enum more more = MORE;
    for (size_t i = 0; more == MORE; i = (i + 1) % MOVE_BATCHES) {
        struct move_batch *b = &m->batches[i], *other = &m->batches[(i + 1) % MOVE_BATCHES];
        more = batch_fill(m, b);
        if (more == BROKEN)
            return broken(m, other);
        if (b->n > 0 || b->position.n > 0)
            move_batch_begin(m, b);
        if (!move_batch_settle(m, other))
            return false;
        if (more != MORE && !move_batch_settle(m, b))
            return false;
        m->enough = more == ENOUGH;
    }
    return true;
}

static bool query_begin_reading(struct move *m)
{
    struct database_link *l = &m->link;
    const struct move_payload *p = m->p;
    const struct database_login login = {p->url, p->username, p->password, p->connect_s};
    const struct query_session session = {duration_s(p->query_s == FIELD_ABSENT ? 0 : p->query_s), true};
    const struct query_statement *s = &m->text.v[0];
    const struct database_param offset = {STR("offset"), m->position.v};
    struct query_value *v =
        database_params_bind(&m->params, s, m->position.known ? &offset : NULL, &l->a->arena);
    struct query_err err = {.code = ""};
    if (!v)
        return database_link_refuse(l, "DEFINITION_ERROR", "no memory for the parameters");
    if (!database_link_open(l, &login, &session))
        return false;
    return (query_begin(l->q, QUERY_ISOLATION_DEFAULT, &err) && query_start(l->q, s->sql, v, s->n, &err)) ||
           database_link_failed(l, &err);
}

static void batches_open(struct move *m)
{
    for (size_t i = 0; i < MOVE_BATCHES; i++) {
        struct move_batch *b = &m->batches[i];
        sbuf_init(&b->bytes, NULL, MOVE_BYTES_MAX);
        sbuf_init(&b->position, NULL, DB_POSITION_TEXT_MAX);
        b->records = mem_array((size_t)m->p->batch_size, sizeof *b->records);
        b->v = mem_array((size_t)m->p->batch_size, sizeof *b->v);
    }
}

static void batches_close(struct move *m)
{
    for (size_t i = 0; i < MOVE_BATCHES; i++) {
        struct move_batch *b = &m->batches[i];
        sbuf_release(&b->bytes);
        sbuf_release(&b->position);
        mem_free(b->records);
        mem_free(b->v);
    }
}

static void summary(struct move *m, bool ok)
{
    struct attempt *a = m->link.a;
    struct sbuf b, context;
    sbuf_init(&b, &a->arena, SUMMARY_MAX + KAFKA_TOPIC_MAX);
    sbuf_fmt(&b, "%lld row%s sent to topic \"%.*s\"", (long long)m->sent, m->sent == 1 ? "" : "s",
             STR_ARG(m->p->topic));
    if (m->dead > 0)
        sbuf_fmt(&b, ", %lld to the dead letters", (long long)m->dead);
    if (m->skipped > 0)
        sbuf_fmt(&b, ", %lld left out", (long long)m->skipped);
    if (m->known > 0)
        sbuf_fmt(&b, ", %lld had gone before", (long long)m->known);
    if (!ok)
        sbuf_puts(&b, " before it ended");
    sbuf_init(&context, &a->arena, SUMMARY_MAX);
    sbuf_fmt(&context,
             "{\"read\":%lld,\"sent\":%lld,\"deadLetters\":%lld,\"skipped\":%lld,\"goneBefore\":%lld}",
             (long long)m->read, (long long)m->sent, (long long)m->dead, (long long)m->skipped,
             (long long)m->known);
    attempt_log(a, LOG_LINE_INFO, STREAM_SYSTEM, sbuf_str(&b), sbuf_str(&context));
}

static void move_end(struct move *m, bool ok)
{
    struct attempt *a = m->link.a;
    if (m->link.ended)
        return;
    if (m->shape.columns)
        summary(m, ok);
    if (ok)
        attempt_succeed(a, FIELD_ABSENT);
    else if (!m->kafka_failed ||
             attempt_target(a, m->kafka_target)) // the breaker is told whose failure it is
        database_link_end(&m->link);
}

static void move_body(struct attempt *a)
{
    if (attempt_ended_by_cancel(a))
        return;
    struct move *m = mem_new(struct move);
    m->link = (struct database_link){.a = a, .folder = -1};
    m->p = a->payload;
    m->began = clock_now(a->clock);
    m->next_word = mono_add(clock_mono(a->clock), duration_s(WORD_S));
    batches_open(m);
    bool ok = query_prepare(m) && kafka_config(m) && headers_make(m) && kafka_open_producer(m) &&
              query_begin_reading(m) && move_all(m);
    database_link_close(&m->link, ok && !m->enough);
    kafka_producer_free(m->producer);
    batches_close(m);
    db_position_release(&m->position);
    move_end(m, ok);
    mem_free(m);
}

static void move_start(struct attempt *a) { attempt_block(a, move_body); }

static const char *const examples[] = {
    "{\"databaseUrl\":\"postgresql://reader@db.internal/shop\",\"query\":\"SELECT id,"
    " total FROM orders\",\"kafkaTopic\":\"orders\",\"bootstrapServers\":\"kafka.internal:9092\","
    "\"offsetField\":\"id\",\"kafkaKeyField\":\"id\"}",
    NULL};
static const char *const classes[] = {"DATABASE_ERROR", "KAFKA_ERROR", "POSITION_ERROR",
                                      "CONNECTION_ERROR", "EGRESS_DENIED", NULL};

const struct job_type job_type_db_to_kafka = {
    .name = "DB_TO_KAFKA",
    .doc = "Streams the rows of a query to a topic of Kafka.",
    .payload = &move_fields,
    .check = move_check,
    .start = move_start,
    .cancel = attempt_block_cancel,
    .examples = examples,
    .failure_classes = classes,
};
