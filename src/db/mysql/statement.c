// SPDX-License-Identifier: Apache-2.0
// Prepared statements. A result is read whole before its first row is given out, so that other statements may
// run in between; statements therefore limit their rows. Parameters keep their values until they are bound
// again.
#include <errmsg.h>
#include <mysqld_error.h>

#include "base/mem.h"
#include "base/sync.h"
#include "db/mysql/impl.h"
#include "db/mysql/text.h"

// Buffers that have grown past this are given back when the statement is done.
enum { BUFFER_KEPT_MAX = 64 * 1024, ROWS_BYTES_MAX = 64 * 1024 * 1024, FIRST_BUFFER = 32 };

struct value {
    enum enum_field_types type; // also of a NULL, as it was last: a new type makes MySQL prepare again
    my_bool null;
    int64_t i;
    double f;
    const char *p;
    unsigned long n;
};
enum kind { INTEGER, REAL, BYTES };
struct column {
    enum kind kind;
    my_bool null;
    int64_t i;
    double f;
    char *p;
    unsigned long n, cap;
};
struct statement {
    struct db_stmt base; // first
    MYSQL_STMT *h;
    bool or_nothing, open; // open: a result is there
    bool wrong, too_large; // what was bound: no such parameter; does not fit
    size_t n_values, n_places, n_columns;
    uint8_t *place; // place[k] = parameter (from 1)
    struct value *values;
    MYSQL_BIND *in, *out;
    struct column *columns;
    struct sbuf rows; // JSON of bind_rows
};

static struct statement *of(struct db_stmt *s) { return (struct statement *)s; }

// ---- life --------------------------------------------------------------------------------------

static void build(struct statement *s, const struct mysql_text *t)
{
    s->or_nothing = t->or_nothing;
    s->n_places = t->places;
    for (size_t i = 0; i < t->places; i++)
        s->n_values = t->place[i] > s->n_values ? t->place[i] : s->n_values;
    s->n_columns = mysql_stmt_field_count(s->h);
    s->place = mem_array(s->n_places, sizeof *s->place);
    s->values = mem_array(s->n_values, sizeof *s->values);
    s->in = mem_array(s->n_places, sizeof *s->in);
    s->out = mem_array(s->n_columns, sizeof *s->out);
    s->columns = mem_array(s->n_columns, sizeof *s->columns);
    sbuf_init(&s->rows, NULL, ROWS_BYTES_MAX);
    memcpy(s->place, t->place, t->places);
    for (size_t i = 0; i < s->n_values; i++)
        s->values[i] = (struct value){.type = MYSQL_TYPE_STRING, .null = 1};
    my_bool on = 1; // so that buffers can be made large enough before the first row
    (void)mysql_stmt_attr_set(s->h, STMT_ATTR_UPDATE_MAX_LENGTH, &on);
}

bool maria_prepare(struct db *d, struct str sql, struct db_stmt **ret, struct err *err)
{
    struct maria *m = maria_of(d);
    struct mysql_text t;
    struct statement *s = mem_new(struct statement);
    s->base.db = d;
    bool ok = mysql_text_of(sql, &t, err) && (!m->lost || maria_failed(m, CR_SERVER_GONE_ERROR, "", err));
    if (ok) {
        s->h = mysql_stmt_init(m->h);
        must(s->h);
        struct str text = sbuf_str(&t.sql);
        ok = mysql_stmt_prepare(s->h, text.p, text.n) == 0 ||
             maria_failed(m, mysql_stmt_errno(s->h), mysql_stmt_error(s->h), err);
    }
    if (ok) {
        must(mysql_stmt_param_count(s->h) == t.places);
        build(s, &t);
        *ret = &s->base;
    } else {
        maria_finalize(&s->base);
    }
    mysql_text_release(&t);
    return ok;
}

void maria_finalize(struct db_stmt *base)
{
    struct statement *s = of(base);
    if (s->h)
        (void)mysql_stmt_close(s->h);
    for (size_t i = 0; i < s->n_columns; i++)
        mem_free(s->columns[i].p);
    sbuf_release(&s->rows);
    mem_free(s->place);
    mem_free(s->values);
    mem_free(s->in);
    mem_free(s->out);
    mem_free(s->columns);
    mem_free(s);
}

// ---- parameters --------------------------------------------------------------------------------

// NULL for one behind the last.
static struct value *value_at(struct db_stmt *s, int at)
{
    if (at >= 1 && (size_t)at <= of(s)->n_values)
        return &of(s)->values[at - 1];
    of(s)->wrong = true;
    return NULL;
}

void maria_bind_null(struct db_stmt *s, int at)
{
    struct value *v = value_at(s, at);
    if (v)
        v->null = 1;
}

void maria_bind_i64(struct db_stmt *s, int at, int64_t i)
{
    struct value *v = value_at(s, at);
    if (v)
        *v = (struct value){.type = MYSQL_TYPE_LONGLONG, .i = i};
}

void maria_bind_f64(struct db_stmt *s, int at, double f)
{
    struct value *v = value_at(s, at);
    if (v)
        *v = (struct value){.type = MYSQL_TYPE_DOUBLE, .f = f};
}

static void bind_bytes(struct db_stmt *s, int at, enum enum_field_types type, const char *p, size_t n)
{
    struct value *v = value_at(s, at);
    if (!p)
        maria_bind_null(s, at);
    else if (v)
        *v = (struct value){.type = type, .p = p, .n = n};
}

void maria_bind_text(struct db_stmt *s, int at, struct str v)
{
    bind_bytes(s, at, MYSQL_TYPE_STRING, v.p, v.n);
}
void maria_bind_blob(struct db_stmt *s, int at, const void *p, size_t n)
{
    bind_bytes(s, at, MYSQL_TYPE_BLOB, p, n);
}

static void put_hex(struct sbuf *b, struct str bytes)
{
    static const char digits[] = "0123456789ABCDEF";
    sbuf_putc(b, '"');
    for (size_t i = 0; i < bytes.n; i++) {
        uint8_t c = (uint8_t)bytes.p[i];
        char two[2] = {digits[c >> 4], digits[c & 0xF]};
        sbuf_put(b, (struct str){two, sizeof two});
    }
    sbuf_putc(b, '"');
}

static void put_cell(struct sbuf *b, const struct db_cell *c)
{
    if (c->kind == DB_CELL_I64)
        sbuf_i64(b, c->i);
    else if (c->kind == DB_CELL_NULL || !c->bytes.p)
        sbuf_puts(b, "null");
    else if (c->kind == DB_CELL_TEXT)
        sbuf_json(b, c->bytes);
    else
        put_hex(b, c->bytes);
}

void maria_bind_rows(struct db_stmt *base, const struct db_cell *cells, size_t rows, size_t columns)
{
    struct statement *s = of(base);
    struct sbuf *b = &s->rows;
    sbuf_clear(b);
    sbuf_putc(b, '[');
    for (size_t r = 0; r < rows; r++) {
        sbuf_puts(b, r ? ",[" : "[");
        for (size_t c = 0; c < columns; c++) {
            if (c > 0)
                sbuf_putc(b, ',');
            put_cell(b, &cells[r * columns + c]);
        }
        sbuf_putc(b, ']');
    }
    sbuf_putc(b, ']');
    s->too_large = !sbuf_ok(b);
    maria_bind_text(base, 1, sbuf_str(b));
}

// ---- steps -------------------------------------------------------------------------------------

static void send_values(struct statement *s)
{
    for (size_t i = 0; i < s->n_places; i++) {
        struct value *v = &s->values[s->place[i] - 1];
        void *p = v->type == MYSQL_TYPE_LONGLONG ? (void *)&v->i
                  : v->type == MYSQL_TYPE_DOUBLE ? (void *)&v->f
                                                 : (void *)(uintptr_t)v->p;
        s->in[i] = (MYSQL_BIND){
            .buffer_type = v->type, .buffer = p, .is_null = &v->null, .length = &v->n, .buffer_length = v->n};
    }
    if (s->n_places > 0)
        must(mysql_stmt_bind_param(s->h, s->in) == 0);
}

static enum kind kind_of(enum enum_field_types type)
{
    switch (type) {
    case MYSQL_TYPE_TINY:
    case MYSQL_TYPE_SHORT:
    case MYSQL_TYPE_INT24:
    case MYSQL_TYPE_LONG:
    case MYSQL_TYPE_LONGLONG:
    case MYSQL_TYPE_YEAR:
        return INTEGER;
    case MYSQL_TYPE_FLOAT:
    case MYSQL_TYPE_DOUBLE:
        return REAL;
    default:
        return BYTES; // decimals too: their digits
    }
}

// Makes room for the longest value of every column of the result that was read.
static void place_columns(struct statement *s)
{
    const MYSQL_FIELD *field = mariadb_stmt_fetch_fields(s->h);
    for (size_t i = 0; i < s->n_columns; i++) {
        struct column *c = &s->columns[i];
        c->kind = kind_of(field[i].type);
        if (c->kind == BYTES && (!c->p || c->cap < field[i].max_length)) {
            c->cap = field[i].max_length > FIRST_BUFFER ? field[i].max_length : FIRST_BUFFER;
            c->p = mem_resize(c->p, c->cap, 1);
        }
        s->out[i] = (MYSQL_BIND){.is_null = &c->null, .length = &c->n};
        s->out[i].buffer_type = c->kind == INTEGER ? MYSQL_TYPE_LONGLONG
                                : c->kind == REAL  ? MYSQL_TYPE_DOUBLE
                                                   : MYSQL_TYPE_BLOB;
        s->out[i].buffer = c->kind == INTEGER ? (void *)&c->i
                           : c->kind == REAL  ? (void *)&c->f
                                              : (void *)c->p;
        s->out[i].buffer_length = c->kind == BYTES ? c->cap : sizeof c->i;
    }
    must(mysql_stmt_bind_result(s->h, s->out) == 0);
}

static bool failed(struct statement *s, struct err *err)
{
    bool ok = maria_failed(maria_of(s->base.db), mysql_stmt_errno(s->h), mysql_stmt_error(s->h), err);
    maria_reset(&s->base);
    return ok;
}

static bool execute(struct statement *s, struct err *err)
{
    struct maria *m = maria_of(s->base.db);
    bool wrong = s->wrong, too_large = s->too_large;
    s->wrong = s->too_large = false;
    if (wrong)
        return ERR(err, ERR_INTERNAL,
                   "data store: a value was given for a parameter that the statement does not have");
    if (too_large)
        return ERR(err, ERR_TOO_LARGE, "too many rows at once for the data store: write fewer");
    if (m->lost)
        return maria_failed(m, CR_SERVER_GONE_ERROR, "", err);
    if (!m->in_transaction && !maria_set_autocommit(m, true, err))
        return false;
    send_values(s);
    bool ok = mysql_stmt_execute(s->h) == 0;
    bool nothing = !ok && s->or_nothing && mysql_stmt_errno(s->h) == ER_DUP_ENTRY;
    if (!ok && !nothing)
        return failed(s, err);
    if (s->n_columns == 0) {
        m->changes = nothing ? 0 : (int64_t)mysql_stmt_affected_rows(s->h);
        m->changes_total += m->changes;
        return true;
    }
    if (mysql_stmt_store_result(s->h) != 0)
        return failed(s, err);
    place_columns(s);
    s->open = true;
    return true;
}

bool maria_step(struct db_stmt *base, bool *ret_row, struct err *err)
{
    struct statement *s = of(base);
    if (!s->open && !execute(s, err))
        return false;
    int end = s->open ? mysql_stmt_fetch(s->h) : MYSQL_NO_DATA;
    if (end != 0 && end != MYSQL_NO_DATA && end != MYSQL_DATA_TRUNCATED)
        return failed(s, err);
    must(end != MYSQL_DATA_TRUNCATED);
    if (end == MYSQL_NO_DATA)
        maria_reset(base);
    *ret_row = end == 0;
    return true;
}

void maria_reset(struct db_stmt *base)
{
    struct statement *s = of(base);
    if (s->open)
        (void)mysql_stmt_free_result(s->h);
    s->open = false;
    for (size_t i = 0; i < s->n_columns; i++) {
        struct column *c = &s->columns[i];
        if (c->cap > BUFFER_KEPT_MAX) {
            mem_free(c->p);
            c->p = NULL;
            c->cap = 0;
        }
    }
    if (s->rows.cap > BUFFER_KEPT_MAX) {
        maria_bind_null(base, 1); // it points into the buffer
        sbuf_release(&s->rows);
    }
}

// ---- arrays ------------------------------------------------------------------------------------

// A node of Galera that must give up a transaction while an array runs rolls it back and answers OK all the
// same: MariaDB puts the error in the place of that answer for other statements only. What follows would be a
// transaction of its own, and COMMIT of nothing succeeds. The flags of the answer show it.
static bool rolled_back(const struct maria *m)
{
    return m->in_transaction && (m->h->server_status & SERVER_STATUS_IN_TRANS) == 0;
}

// One column of the rows, as the library wants it: values, lengths and what is NULL, an array each.
static bool array_bind(MYSQL_BIND *b, const struct db_cell *cells, size_t rows, size_t columns, struct arena *a)
{
    enum db_cell_kind kind = DB_CELL_NULL;
    for (size_t i = 0; kind == DB_CELL_NULL && i < rows; i++)
        kind = cells[i * columns].kind;
    int64_t *numbers = kind == DB_CELL_I64 ? arena_new_array(a, int64_t, rows) : NULL;
    const char **texts = kind != DB_CELL_I64 ? arena_new_array(a, const char *, rows) : NULL;
    unsigned long *lengths = arena_new_array(a, unsigned long, rows);
    char *absent = arena_new_array(a, char, rows);
    if ((!numbers && !texts) || !lengths || !absent)
        return false;
    for (size_t i = 0; i < rows; i++) {
        const struct db_cell *c = &cells[i * columns];
        absent[i] = c->kind == DB_CELL_NULL ? STMT_INDICATOR_NULL : STMT_INDICATOR_NONE;
        lengths[i] = c->bytes.n;
        if (numbers)
            numbers[i] = c->i;
        else
            texts[i] = c->bytes.p ? c->bytes.p : "";
    }
    *b = (MYSQL_BIND){.buffer_type = numbers                  ? MYSQL_TYPE_LONGLONG
                                     : kind == DB_CELL_BLOB ? MYSQL_TYPE_BLOB
                                                            : MYSQL_TYPE_STRING,
                      .buffer = numbers ? (void *)numbers : (void *)texts,
                      .length = lengths,
                      .u.indicator = absent};
    return true;
}

bool maria_run_each(struct db_stmt *base, const struct db_cell *cells, size_t rows, size_t columns, struct err *err)
{
    struct statement *s = of(base);
    struct maria *m = maria_of(base->db);
    struct arena a CLEANUP(arena_release);
    unsigned n = (unsigned)rows;
    bool ok = columns == s->n_values;
    arena_init(&a, ROWS_BYTES_MAX);
    if (m->lost)
        return maria_failed(m, CR_SERVER_GONE_ERROR, "", err);
    for (size_t i = 0; ok && i < s->n_places; i++)
        ok = array_bind(&s->in[i], cells + s->place[i] - 1, rows, columns, &a);
    if (!ok)
        return ERR(err, ERR_TOO_LARGE, "too many rows at once for the data store: write fewer");
    if (!m->in_transaction && !maria_set_autocommit(m, true, err))
        return false;
    must(mysql_stmt_attr_set(s->h, STMT_ATTR_ARRAY_SIZE, &n) == 0 && mysql_stmt_bind_param(s->h, s->in) == 0);
    if (mysql_stmt_execute(s->h) != 0)
        return failed(s, err);
    if (rolled_back(m))
        return maria_failed(m, ER_LOCK_DEADLOCK, "", err);
    m->changes = (int64_t)mysql_stmt_affected_rows(s->h);
    m->changes_total += m->changes;
    return true;
}

// ---- columns -----------------------------------------------------------------------------------

static struct column *column_at(struct db_stmt *s, int col)
{
    must(of(s)->open && col >= 0 && (size_t)col < of(s)->n_columns);
    return &of(s)->columns[col];
}

bool maria_is_null(struct db_stmt *s, int col) { return column_at(s, col)->null; }

int64_t maria_i64(struct db_stmt *s, int col)
{
    const struct column *c = column_at(s, col);
    int64_t n = 0;
    if (c->null)
        return 0;
    if (c->kind == BYTES)
        return str_to_i64((struct str){c->p, c->n}, &n) ? n : 0;
    return c->kind == INTEGER ? c->i : (int64_t)c->f;
}

double maria_f64(struct db_stmt *s, int col)
{
    enum { NUMBER_MAX = 64 };
    const struct column *c = column_at(s, col);
    if (c->null)
        return 0;
    if (c->kind != BYTES)
        return c->kind == REAL ? c->f : (double)c->i;
    char text[NUMBER_MAX] = "";
    memcpy(text, c->p, c->n < NUMBER_MAX ? c->n : NUMBER_MAX - 1);
    return strtod(text, NULL);
}

struct str maria_bytes(struct db_stmt *s, int col)
{
    const struct column *c = column_at(s, col);
    return c->null || c->kind != BYTES ? STR_NONE : (struct str){c->p, c->n};
}
