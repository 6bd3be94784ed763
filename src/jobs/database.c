// SPDX-License-Identifier: Apache-2.0
// DATABASE: runs statements of SQL on MariaDB, MySQL, PostgreSQL or a file of SQLite, in one transaction.
//
// Values come as parameters, never as a part of the text: templates with run-time parameters are refused
// there. Rows are read one by one; the first maxRows of them are written into the log.
#include "jobs/database_link.h"
#include "jobs/database_params.h"
#include "jobs/database_table.h"
#include "jobs/template.h"

enum {
    URL_MAX = DB_URL_BYTES_MAX,
    ACCOUNT_MAX = 1000,
    PARAMETERS_BYTES_MAX = 256 * 1024,
    MAX_ROWS_DEFAULT = 1000,
    MAX_ROWS_MAX = 100000,
    MESSAGE_MAX = 200,
};

struct database_payload {
    struct str url, username, password, query, parameters;
    int isolation;
    int64_t timeout_s, max_rows, connect_s;
    bool read_only;
};

static const char *const isolation_words[] = {"DEFAULT",         "READ_UNCOMMITTED", "READ_COMMITTED",
                                              "REPEATABLE_READ", "SERIALIZABLE",     NULL};

#define T struct database_payload
static const struct field database_rows[] = {
    FIELD_STR(T, url, "databaseUrl", FIELD_ALIASES("url", "jdbcUrl"), .flags = FIELD_REQUIRED, .min = 1,
              .max = URL_MAX, .doc = "mysql:, mariadb:, postgresql: or sqlite:, also with jdbc: in front."),
    FIELD_STR(T, username, "username", FIELD_ALIASES("databaseUsername", "user"), .max = ACCOUNT_MAX,
              .doc = "Who signs in; else as databaseUrl says."),
    FIELD_STR(T, password, "password", FIELD_ALIASES("databasePassword"), .flags = FIELD_SECRET,
              .max = ACCOUNT_MAX, .doc = "Of the user; use {{secret.NAME}}."),
    FIELD_STR(T, query, "query", FIELD_ALIASES("sql"), .flags = FIELD_REQUIRED, .min = 1,
              .max = JOB_PAYLOAD_MAX,
              .doc = "One or several statements, with :name or ? where a parameter goes."),
    FIELD_JSON(T, parameters, "parameters", .json = "\"type\":[\"object\",\"array\"]", .max = PARAMETERS_BYTES_MAX,
               .doc = "Values by name, or a list of values in order."),
    FIELD_ENUM(T, isolation, "transactionIsolation", isolation_words, FIELD_DEFAULT(0),
               .doc = "Isolation of the transaction; the database's default."),
    FIELD_I64(T, timeout_s, "queryTimeoutSeconds", .min = 1, .max = JOB_TIMEOUT_S_MAX,
              .doc = "Longest time of each statement; the server ends it."),
    FIELD_I64(T, max_rows, "maxRows", .min = 0, .max = MAX_ROWS_MAX, FIELD_DEFAULT(MAX_ROWS_DEFAULT),
              .doc = "Rows of each result that are written into the log; further ones are counted."),
    FIELD_BOOL(T, read_only, "readOnly", FIELD_DEFAULT(false),
               .doc = "The database itself refuses every change."),
    FIELD_I64(T, connect_s, "connectionTimeoutSeconds", .min = 1, .max = DATABASE_CONNECT_S_MAX,
              .doc = "Longest time to connect; else as databaseUrl says, or 10."),
};
#undef T
static const struct fields database_fields =
    FIELDS("DatabasePayload", struct database_payload, database_rows, .doc = "Statements for a database.");

struct work {
    struct database_link link;
    const struct database_payload *p;
    struct query_text text;
    struct database_params params;
    int64_t rows, affected; // of all statements
    bool any_rows, any_changes;
};

// ---- checking ----

static struct str at(struct str base, const char *name, struct arena *a)
{
    return arena_fmt(a, "%.*s/%s", STR_ARG(base), name);
}

// Rules of the text that hold on every engine, and those of the engine when it is known.
static void statements_check(const struct database_payload *p, enum query_kind kind,
                             const struct query_text *t, struct str pointer, struct faults *faults)
{
    for (size_t i = 0; i < t->n; i++) {
        const struct query_statement *s = &t->v[i];
        if (query_statement_controls(s))
            faults_add(faults, pointer,
                       "must not hold %.*s …: all statements run in one transaction of the job's own; "
                       "see transactionIsolation, readOnly and queryTimeoutSeconds",
                       STR_ARG(s->verb));
        else if (p->read_only && kind == QUERY_MYSQL && !query_statement_reads(s))
            faults_add(faults, pointer, "must not hold %.*s … while readOnly is set", STR_ARG(s->verb));
    }
}

static void database_check(const void *payload, struct str base, struct faults *faults, struct arena *scratch)
{
    const struct database_payload *p = payload;
    struct str query_at = at(base, "query", faults->a), params_at = at(base, "parameters", faults->a);
    struct query_text text;
    struct database_params params;
    struct err err;
    int kind;
    database_url_check(p->url, at(base, "databaseUrl", faults->a), &kind, faults);
    bool params_fine = database_params_read(p->parameters, params_at, true, &params, scratch, faults);
    if (template_uses(p->query, "param."))
        faults_add(faults, query_at,
                   "must not hold {{param.…}}, which would become SQL: write :name and give "
                   "\"name\": \"{{param.…}}\" in parameters");
    else if (kind >= 0 && !template_uses(p->query, "")) {
        if (!query_text_read(p->query, (enum query_kind)kind, &text, scratch, &err)) {
            faults_add(faults, query_at, "%s", err.text);
            return;
        }
        statements_check(p, (enum query_kind)kind, &text, query_at, faults);
        if (params_fine)
            database_params_match(&params, &text, NULL, params_at, faults);
    }
}

// ---- running ----

static bool first_fault(struct work *w, const struct faults *f)
{
    return database_link_refuse(&w->link, "DEFINITION_ERROR", "%.*s %.*s", STR_ARG(f->v[0].pointer),
                                STR_ARG(f->v[0].detail));
}

static bool prepare(struct work *w)
{
    struct attempt *a = w->link.a;
    struct faults *faults = arena_new(&a->arena, struct faults);
    struct query_target target;
    struct err err;
    if (!faults)
        return database_link_refuse(&w->link, "DEFINITION_ERROR", "no memory for the query");
    faults_init(faults, &a->arena);
    if (!query_target_parse(w->p->url, &target, &a->arena, &err))
        return database_link_refuse(&w->link, "DEFINITION_ERROR", "%s", err.text);
    if (!query_text_read(w->p->query, target.kind, &w->text, &a->arena, &err))
        return database_link_refuse(&w->link, "DEFINITION_ERROR", "the query %s", err.text);
    statements_check(w->p, target.kind, &w->text, STR("query"), faults);
    if (!faults_any(faults) &&
        database_params_read(w->p->parameters, STR("parameters"), false, &w->params, &a->arena, faults))
        database_params_match(&w->params, &w->text, NULL, STR("parameters"), faults);
    return !faults_any(faults) || first_fault(w, faults);
}

static void say(struct work *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void say(struct work *w, const char *fmt, ...)
{
    char text[MESSAGE_MAX];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    attempt_log(w->link.a, LOG_LINE_INFO, STREAM_SYSTEM, str_of(text), STR_NONE);
}

static const char *plural(int64_t n) { return n == 1 ? "" : "s"; }

static void statement_done(struct work *w, size_t i, int64_t rows, bool result)
{
    const struct query *q = w->link.q;
    int64_t affected = q->affected;
    if (w->text.n > 1)
        say(w, "statement %zu of %zu:", i + 1, w->text.n);
    if (result && rows > w->p->max_rows)
        say(w, "%lld rows, of which %lld are shown", (long long)rows, (long long)w->p->max_rows);
    else if (result)
        say(w, "%lld row%s", (long long)rows, plural(rows));
    if (affected >= 0)
        say(w, "%lld row%s affected", (long long)affected, plural(affected));
    w->rows += rows;
    w->affected += affected > 0 ? affected : 0;
    w->any_rows |= result;
    w->any_changes |= affected >= 0;
}

static bool statement_run(struct work *w, size_t i)
{
    const struct query_statement *s = &w->text.v[i];
    struct database_link *l = &w->link;
    struct query_value *v = database_params_bind(&w->params, s, NULL, &l->a->arena);
    struct database_table table;
    struct query_err err = {.code = ""};
    int64_t rows = 0;
    bool ok = true, row = true;
    if (!v)
        return database_link_refuse(l, "DEFINITION_ERROR", "no memory for the parameters");
    if (!query_start(l->q, s->sql, v, s->n, &err))
        return database_link_failed(l, &err);
    for (bool begun = false; ok; rows++) {
        ok = query_next(l->q, &row, &err);
        if (ok && !begun && l->q->n_columns > 0)
            database_table_begin(&table, l->a, l->q);
        begun |= ok && l->q->n_columns > 0;
        if (ok && row && rows < w->p->max_rows)
            database_table_row(&table, l->q);
        if (begun && (!ok || !row))
            database_table_end(&table);
        if (!row)
            break;
    }
    if (!ok)
        return database_link_failed(l, &err);
    statement_done(w, i, rows, l->q->n_columns > 0);
    return true;
}

// A single statement that needs neither isolation nor protection is its own transaction: some may be in none.
static bool run(struct work *w)
{
    const struct database_payload *p = w->p;
    struct database_link *l = &w->link;
    struct query_err err = {.code = ""};
    const struct database_login login = {p->url, p->username, p->password, p->connect_s};
    const struct query_session session = {duration_s(p->timeout_s == FIELD_ABSENT ? 0 : p->timeout_s),
                                          p->read_only};
    bool transaction = w->text.n > 1 || p->read_only || p->isolation != QUERY_ISOLATION_DEFAULT;
    if (!database_link_open(l, &login, &session))
        return false;
    if (transaction && !query_begin(l->q, (enum query_isolation)p->isolation, &err))
        return database_link_failed(l, &err);
    for (size_t i = 0; i < w->text.n; i++)
        if (!statement_run(w, i)) {
            if (w->text.n > 1)
                (void)err_wrap(&l->err.e, "statement %zu", i + 1);
            return false;
        }
    return !transaction || query_commit(l->q, &err) || database_link_failed(l, &err);
}

static void summary(struct work *w)
{
    struct attempt *a = w->link.a;
    struct str shown = query_target_shown(&w->link.target, &a->arena);
    struct sbuf b, context;
    sbuf_init(&b, &a->arena, DB_URL_BYTES_MAX + MESSAGE_MAX);
    sbuf_fmt(&b, "%zu statement%s on ", w->text.n, w->text.n == 1 ? "" : "s");
    sbuf_put(&b, shown);
    sbuf_puts(&b, ":");
    if (w->any_rows)
        sbuf_fmt(&b, " %lld row%s read", (long long)w->rows, plural(w->rows));
    if (w->any_changes)
        sbuf_fmt(&b, "%s %lld affected", w->any_rows ? "," : "", (long long)w->affected);
    if (!w->any_rows && !w->any_changes)
        sbuf_puts(&b, " done");
    sbuf_init(&context, &a->arena, MESSAGE_MAX);
    sbuf_fmt(&context, "{\"statements\":%zu,\"rows\":%lld,\"affected\":%lld}", w->text.n, (long long)w->rows,
             (long long)w->affected);
    attempt_log(a, LOG_LINE_INFO, STREAM_SYSTEM, sbuf_str(&b), sbuf_str(&context));
}

static void database_body(struct attempt *a)
{
    struct work w = {.link = {.a = a, .folder = -1}, .p = a->payload};
    bool ok = !attempt_ended_by_cancel(a);
    if (!ok)
        return;
    ok = prepare(&w) && run(&w);
    database_link_close(&w.link, ok);
    if (!ok) {
        database_link_end(&w.link);
        return;
    }
    summary(&w);
    attempt_succeed(a, FIELD_ABSENT);
}

static void database_start(struct attempt *a) { attempt_block(a, database_body); }

static const char *const examples[] = {
    "{\"databaseUrl\":\"postgresql://reports@db.internal/shop\","
    "\"query\":\"select count(*) from orders where day = :day\","
    "\"parameters\":{\"day\":\"2026-01-31\"},\"readOnly\":true}",
    "{\"databaseUrl\":\"sqlite:shop.db\",\"query\":\"delete from visits where at < ?\","
    "\"parameters\":[1700000000]}",
    NULL};
static const char *const classes[] = {"DATABASE_ERROR", "CONNECTION_ERROR", "FILE_ERROR", "EGRESS_DENIED",
                                      NULL};

const struct job_type job_type_database = {
    .name = "DATABASE",
    .doc = "Runs SQL on MariaDB, MySQL, PostgreSQL or SQLite.",
    .payload = &database_fields,
    .check = database_check,
    .start = database_start,
    .cancel = attempt_block_cancel,
    .examples = examples,
    .failure_classes = classes,
};
