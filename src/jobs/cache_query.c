// SPDX-License-Identifier: Apache-2.0
// CACHE, WARM from a query: each row is an entry, written while the next rows are read.
#include "jobs/cache.h"
#include "jobs/database_params.h"
#include "jobs/template.h"

enum { VALUE_BYTES_MAX = REDIS_DATA_SEND_MAX / 2 };

static struct str at(struct str base, const char *name, struct arena *a)
{
    return arena_fmt(a, "%.*s/%s", STR_ARG(base), name);
}

// One statement that reads, and its parameters.
static bool read_query(const struct cache_payload *p, enum query_kind kind, struct attempt *attempt,
                       struct str base, struct query_text *ret_text, struct database_params *ret_params,
                       struct arena *a, struct faults *f)
{
    struct str query_at = at(base, "query", f->a), params_at = at(base, "queryParameters", f->a);
    size_t before = f->n;
    struct err err;
    if (!query_text_read(p->query, kind, ret_text, a, &err))
        faults_add(f, query_at, "%s", err.text);
    else if (ret_text->n != 1 || !query_statement_reads(&ret_text->v[0]))
        faults_add(f, query_at, "must be one statement that reads");
    else if (database_params_read(p->query_parameters, params_at, attempt, ret_params, a, f))
        database_params_match(ret_params, ret_text, NULL, params_at, f);
    return f->n == before;
}

void cache_query_check(const struct cache_payload *p, struct str base, struct faults *f,
                       struct arena *scratch)
{
    struct query_text text;
    struct database_params params;
    int kind;
    database_url_check(p->database_url, at(base, "databaseUrl", f->a), &kind, f);
    if (!p->query.p)
        faults_add(f, at(base, "query", f->a), "is required with databaseUrl");
    if (!p->key_field.p)
        faults_add(f, at(base, "keyField", f->a), "is required with databaseUrl: the column that is the key");
    if (p->query.p && template_uses(p->query, "param."))
        faults_add(f, at(base, "query", f->a),
                   "must not hold {{param.…}}, which would become SQL: write :name and give \"name\": "
                   "\"{{param.…}}\" in "
                   "queryParameters");
    else if (p->query.p && kind >= 0 && !template_uses(p->query, ""))
        (void)read_query(p, (enum query_kind)kind, NULL, base, &text, &params, scratch, f);
}

bool cache_query_open(struct cache *c)
{
    const struct cache_payload *p = c->p;
    struct database_link *l = &c->link;
    const struct database_login login = {p->database_url, p->database_username, p->database_password,
                                         FIELD_ABSENT};
    const struct query_session session = {duration_s(c->c.timeout_s), true};
    struct query_err err = {.code = ""};
    *l = (struct database_link){.a = c->a, .folder = -1};
    if (!database_link_open(l, &login, &session))
        return false;
    if (!query_begin(l->q, QUERY_ISOLATION_DEFAULT, &err))
        return database_link_failed(l, &err);
    return true;
}

// What went wrong with the database becomes the run's failure.
static bool fail(struct cache *c)
{
    struct database_link *l = &c->link;
    c->err = l->err.e;
    bool late = l->err.e.code == ERR_TIMEOUT;
    if (l->target.kind != QUERY_SQLITE) // named again: what follows is about it
        must(attempt_target(c->a, query_target_server(&l->target, &c->a->arena)));
    return cache_fail(c, late ? "TIMEOUT" : l->error_class, l->err.code[0] ? l->err.code : NULL);
}

static bool bad_rows(struct cache *c, const char *why, struct str name)
{
    return ERR(&c->err, ERR_INVALID, "%s \"%.*s\"", why, STR_ARG(name)) ||
           cache_fail(c, "DEFINITION_ERROR", NULL);
}

static bool column_find(struct cache *c, struct str name, size_t *ret)
{
    const struct query *q = c->link.q;
    for (size_t i = 0; i < q->n_columns; i++)
        if (str_eq_nocase(q->columns[i].name, name)) {
            *ret = i;
            return true;
        }
    return bad_rows(c, "the query has no column", name);
}

static void put_value(struct sbuf *out, const struct query_value *v, bool json)
{
    switch (v->type) {
    case QUERY_NULL:
        sbuf_puts(out, json ? "null" : "");
        break;
    case QUERY_BOOL:
        sbuf_puts(out, v->i ? "true" : "false");
        break;
    case QUERY_I64:
        sbuf_i64(out, v->i);
        break;
    case QUERY_F64:
        sbuf_f64(out, v->f);
        break;
    case QUERY_DECIMAL:
    case QUERY_JSON:
        sbuf_put(out, v->text);
        break;
    default:
        if (json)
            sbuf_json(out, v->text);
        else
            sbuf_put(out, v->text);
    }
}

// The row as an object; numbers that JSON cannot hold are texts in every database we know.
static void put_row(struct sbuf *out, struct query *q)
{
    sbuf_putc(out, '{');
    for (size_t i = 0; i < q->n_columns; i++) {
        struct query_value v = query_value(q, i);
        sbuf_puts(out, i > 0 ? "," : "");
        sbuf_json(out, q->columns[i].name);
        sbuf_putc(out, ':');
        put_value(out, &v, true);
    }
    sbuf_putc(out, '}');
}

struct columns {
    size_t key, value;
};

static bool take_row(struct cache *c, const struct columns *at_columns)
{
    struct query *q = c->link.q;
    struct arena *a = &c->page;
    struct sbuf key, value;
    arena_reset(a);
    sbuf_init(&key, a, VALUE_BYTES_MAX);
    sbuf_init(&value, a, VALUE_BYTES_MAX);
    struct query_value k = query_value(q, at_columns->key);
    if (k.type == QUERY_NULL)
        return bad_rows(c, "a row has no value in the key's column", c->p->key_field);
    put_value(&key, &k, false);
    if (c->p->value_field.p) {
        struct query_value v = query_value(q, at_columns->value);
        if (v.type == QUERY_NULL) {
            c->skipped_null++;
            return true;
        }
        put_value(&value, &v, false);
    } else {
        put_row(&value, q);
    }
    if (!sbuf_ok(&key) || !sbuf_ok(&value))
        return ERR(&c->err, ERR_TOO_LARGE, "a row has more than %d bytes", VALUE_BYTES_MAX) ||
               cache_fail(c, "CACHE_ERROR", "TOO_LARGE");
    return cache_put(c, sbuf_str(&key), sbuf_str(&value));
}

static bool bind(struct cache *c, struct query_text *ret_text, struct query_value **ret)
{
    struct attempt *a = c->a;
    struct database_params params;
    struct faults *f = arena_new(&a->arena, struct faults);
    if (!f)
        return bad_rows(c, "no memory for the query of region", c->p->region);
    faults_init(f, &a->arena);
    if (!read_query(c->p, c->link.target.kind, a, STR(""), ret_text, &params, &a->arena, f))
        return ERR(&c->err, ERR_INVALID, "%.*s %.*s", STR_ARG(f->v[0].pointer), STR_ARG(f->v[0].detail)) ||
               cache_fail(c, "DEFINITION_ERROR", NULL);
    *ret = database_params_bind(&params, &ret_text->v[0], NULL, &a->arena);
    return *ret || bad_rows(c, "no memory for the query of region", c->p->region);
}

bool cache_warm_query(struct cache *c)
{
    struct query *q = c->link.q;
    struct query_text text;
    struct query_value *v = NULL;
    struct query_err err = {.code = ""};
    struct columns found = {0, 0};
    bool row = true, known = false;
    if (!bind(c, &text, &v))
        return false;
    if (!query_start(q, text.v[0].sql, v, text.v[0].n, &err))
        return database_link_failed(&c->link, &err) || fail(c);
    while (!cache_stopping(c)) {
        if (!query_next(q, &row, &err))
            return database_link_failed(&c->link, &err) || fail(c);
        if (!row)
            break;
        if (!known && (!column_find(c, c->p->key_field, &found.key) ||
                       (c->p->value_field.p && !column_find(c, c->p->value_field, &found.value))))
            return false;
        known = true;
        if (!take_row(c, &found))
            return false;
    }
    return cache_warm_told(c);
}
