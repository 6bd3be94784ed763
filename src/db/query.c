// SPDX-License-Identifier: Apache-2.0
// What is the same for the engines of query.h: dispatch, errors, the memory of columns.
#include "db/query_impl.h"

#include <stdarg.h>

#include "base/mem.h"

bool query_fail(struct query_err *err, enum err_code code, const char *sqlstate, const char *fmt, ...)
{
    char text[ERR_TEXT_MAX];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    struct str s = str_of(text);
    s.n = str_utf8_cut(s, s.n);
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)text[i] < ' ')
            text[i] = ' ';
    (void)snprintf(err->code, sizeof err->code, "%s", sqlstate ? sqlstate : "");
    return ERR(&err->e, code, "%.*s", STR_ARG(s));
}

void query_columns_new(struct query *q, size_t n)
{
    query_columns_free(q);
    q->columns = mem_array(n, sizeof *q->columns);
    q->n_columns = n;
}

void query_column_name(struct query *q, size_t i, struct str name)
{
    char *copy = mem_array(name.n + 1, 1);
    memcpy(copy, name.p ? name.p : "", name.n);
    q->columns[i].name = str_of_n(copy, name.n);
}

void query_columns_free(struct query *q)
{
    for (size_t i = 0; i < q->n_columns; i++)
        mem_free((void *)(uintptr_t)q->columns[i].name.p);
    mem_free(q->columns);
    q->columns = NULL;
    q->n_columns = 0;
}

bool query_open(const struct query_options *o, struct query **ret, struct query_err *err)
{
    switch (o->target->kind) {
    case QUERY_SQLITE:
        return query_open_sqlite(o, ret, err);
    case QUERY_POSTGRES:
        return query_open_postgres(o, ret, err);
    case QUERY_MYSQL:
        break;
    }
    return query_open_mysql(o, ret, err);
}

void query_close(struct query *q)
{
    if (!q)
        return;
    query_columns_free(q);
    q->ops->close(q);
}

bool query_session(struct query *q, const struct query_session *s, struct query_err *err)
{
    return q->ops->session(q, s, err);
}

bool query_begin(struct query *q, enum query_isolation isolation, struct query_err *err)
{
    return q->ops->begin(q, isolation, err);
}

bool query_commit(struct query *q, struct query_err *err) { return q->ops->commit(q, err); }

bool query_start(struct query *q, struct str sql, const struct query_value *v, size_t n,
                 struct query_err *err)
{
    query_columns_free(q);
    q->affected = -1;
    return q->ops->start(q, sql, v, n, err);
}

bool query_next(struct query *q, bool *ret_row, struct query_err *err)
{
    return q->ops->next(q, ret_row, err);
}

struct query_value query_value(struct query *q, size_t column)
{
    must(column < q->n_columns);
    return q->ops->value(q, column);
}

void query_interrupt(struct query *q)
{
    atomic_store(&q->interrupted, true);
    if (q->ops->interrupt)
        q->ops->interrupt(q);
}

bool query_reset(struct query *q)
{
    query_columns_free(q);
    return !query_stopped(q) && q->ops->reset(q);
}

bool query_alive(struct query *q) { return !query_stopped(q) && q->ops->alive(q); }
