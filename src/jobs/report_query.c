// SPDX-License-Identifier: Apache-2.0
// A report of what a database says: one statement that reads, its rows as they come.
#include "jobs/database_link.h"
#include "jobs/report_job.h"

enum { KEY_MAX = 80 };

struct asked {
    struct report_run *r;
    struct database_link link;
    struct query_text text;
    struct query_value *values;
    struct document_cell *cells;
    bool own; // what failed was the document, not the database: r->err
};

static bool own(struct asked *q, bool ok)
{
    q->own = q->own || !ok;
    return ok;
}

// ---- what is asked ----

bool report_query_read(struct str text, enum query_kind kind, struct query_text *ret, struct arena *a, struct err *err)
{
    struct query_text t;
    if (!query_text_read(text, kind, &t, a, err))
        return false;
    if (t.n != 1 || !query_statement_reads(&t.v[0]))
        return ERR(err, ERR_INVALID, "the query of a report is one statement that reads");
    *ret = t;
    return true;
}

static bool prepare(struct asked *q)
{
    struct report_run *r = q->r;
    struct arena *a = &r->a->arena;
    struct query_target target;
    struct err err;
    if (!query_target_parse(r->s.database_url, &target, a, &err) ||
        !report_query_read(r->s.query, target.kind, &q->text, a, &err))
        return database_link_refuse(&q->link, "DEFINITION_ERROR", "%s", err.text);
    return true;
}

// A text that is a whole number is bound as one.
static struct query_value value_of(struct str text)
{
    int64_t number;
    if (str_to_i64(text, &number))
        return (struct query_value){.type = QUERY_I64, .i = number};
    return (struct query_value){.type = QUERY_TEXT, .text = text};
}

static bool bind(struct asked *q)
{
    const struct query_statement *s = &q->text.v[0];
    const struct str_map *given = &q->r->s.others;
    q->values = arena_new_array(&q->r->a->arena, struct query_value, s->n);
    if (!q->values)
        return database_link_refuse(&q->link, "DEFINITION_ERROR", "no memory for the query's parameters");
    for (size_t i = 0; i < s->n; i++) {
        size_t k = 0;
        while (k < given->n && !(s->places[i].name.p && str_eq(given->v[k].key, s->places[i].name)))
            k++;
        if (k == given->n)
            return database_link_refuse(&q->link, "DEFINITION_ERROR",
                                        "the query wants parameter \"%.*s\", which \"parameters\" does not give; it is "
                                        "written :name in the query", STR_ARG(s->places[i].name));
        q->values[i] = value_of(given->v[k].value);
    }
    return true;
}

// ---- rows ----

static int kind_of(enum query_type t)
{
    switch (t) {
    case QUERY_BOOL:
        return DOCUMENT_BOOLEAN;
    case QUERY_I64:
        return DOCUMENT_INTEGER;
    case QUERY_F64:
        return DOCUMENT_NUMBER;
    case QUERY_DECIMAL:
        return DOCUMENT_DECIMAL;
    case QUERY_NULL:
        return DOCUMENT_NONE;
    default:
        return DOCUMENT_TEXT;
    }
}

// Two columns of one name get a number behind it, so that JSON keeps both.
static struct str key_of(const struct document_column *v, size_t n, struct str name, struct arena *a)
{
    struct str key = name.n > 0 ? arena_str(a, name) : arena_fmt(a, "column%zu", n + 1);
    for (size_t i = 0; i < n; i++)
        if (str_eq(v[i].key, key))
            return arena_fmt(a, "%.*s_%zu", (int)(key.n < KEY_MAX ? str_utf8_cut(key, KEY_MAX) : key.n), key.p, n + 1);
    return key;
}

static bool table_begin(struct asked *q)
{
    struct report_run *r = q->r;
    struct arena *a = &r->a->arena;
    size_t n = q->link.q->n_columns;
    struct document_column *v = arena_new_array(a, struct document_column, n);
    q->cells = arena_new_array(a, struct document_cell, n);
    if (!v || !q->cells)
        return own(q, ERR(&r->err, ERR_TOO_LARGE, "no memory for the columns of the query"));
    for (size_t i = 0; i < n; i++) {
        struct str name = arena_str(a, q->link.q->columns[i].name);
        v[i] = (struct document_column){key_of(v, i, name, a), name, kind_of(q->link.q->columns[i].type), 0};
    }
    return own(q, document_table(r->doc, r->s.title, v, n, &r->err));
}

static bool row_write(struct asked *q)
{
    struct report_run *r = q->r;
    for (size_t i = 0; i < q->link.q->n_columns; i++) {
        struct query_value v = query_value(q->link.q, i);
        q->cells[i] = (struct document_cell){.kind = kind_of(v.type), .i = v.i, .f = v.f, .text = v.text};
    }
    r->rows++;
    return own(q, document_row(r->doc, q->cells, &r->err));
}

static bool rows_write(struct asked *q)
{
    struct report_run *r = q->r;
    struct query_err err = {.code = ""};
    bool row = true;
    if (!table_begin(q))
        return false;
    while (!r->cut) {
        if (!query_next(q->link.q, &row, &err))
            return database_link_failed(&q->link, &err);
        if (!row)
            break;
        r->cut = r->rows >= r->s.rows_max;
        if (!r->cut && !row_write(q))
            return false;
    }
    return own(q, document_table_end(r->doc, &r->err));
}

static bool run(struct asked *q)
{
    struct report_run *r = q->r;
    struct query_err err = {.code = ""};
    const struct database_login login = {.url = r->s.database_url, .connect_s = FIELD_ABSENT};
    const struct query_session session = {.statement_time = duration_s(r->s.query_timeout_s), .read_only = true};
    if (!prepare(q) || !bind(q) || !database_link_open(&q->link, &login, &session))
        return false;
    if (!query_start(q->link.q, q->text.v[0].sql, q->values, q->text.v[0].n, &err))
        return database_link_failed(&q->link, &err);
    return rows_write(q);
}

bool report_query_table(struct report_run *r)
{
    struct asked q = {.r = r, .link = {.a = r->a, .folder = -1}};
    bool ok = run(&q);
    database_link_close(&q.link, ok && !r->cut); // a result that was not read to its end stands in the way
    if (!ok && !q.own) {
        database_link_end(&q.link);
        r->ended = true;
    }
    return ok;
}
