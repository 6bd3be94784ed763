// SPDX-License-Identifier: Apache-2.0
// Values on the wire. Parameters and columns are binary where we know the type, so that identifiers cost 16
// bytes and numbers no conversion; a parameter of another type goes as text and the server reads it.
#include <endian.h>
#include <inttypes.h>

#include "base/mem.h"
#include "db/postgres/pg.h"

// Of the catalogue; fixed for ever (src/include/catalog/pg_type.dat).
enum type {
    TYPE_BOOL = 16,
    TYPE_BYTEA = 17,
    TYPE_NAME = 19,
    TYPE_I64 = 20,
    TYPE_I16 = 21,
    TYPE_I32 = 23,
    TYPE_TEXT = 25,
    TYPE_OID = 26,
    TYPE_F64 = 701,
    TYPE_VARCHAR = 1043,
    TYPE_VOID = 2278,
};
static const struct {
    Oid array, element;
} arrays[] = {{1000, TYPE_BOOL}, {1001, TYPE_BYTEA},   {1005, TYPE_I16}, {1007, TYPE_I32},
              {1009, TYPE_TEXT}, {1015, TYPE_VARCHAR}, {1016, TYPE_I64}, {1022, TYPE_F64}};

enum { NUMBER_TEXT_MAX = 32 };

bool pg_type_readable(Oid type)
{
    switch (type) {
    case TYPE_BOOL:
    case TYPE_BYTEA:
    case TYPE_NAME:
    case TYPE_I64:
    case TYPE_I16:
    case TYPE_I32:
    case TYPE_TEXT:
    case TYPE_OID:
    case TYPE_F64:
    case TYPE_VARCHAR:
    case TYPE_VOID:
        return true;
    default:
        return false;
    }
}

// ---- out ---------------------------------------------------------------------------------------

static void put(struct sbuf *b, const void *p, size_t n) { sbuf_put(b, str_of_n(p, n)); }
static void put_u32(struct sbuf *b, uint32_t v)
{
    v = htobe32(v);
    put(b, &v, sizeof v);
}
static void put_u64(struct sbuf *b, uint64_t v)
{
    v = htobe64(v);
    put(b, &v, sizeof v);
}
static void put_f64(struct sbuf *b, double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    put_u64(b, bits);
}

// PostgreSQL's text holds every character but NUL.
static void put_text(struct sbuf *b, struct str v)
{
    for (size_t at; (at = str_find(v, '\0')) < v.n;) {
        put(b, v.p, at);
        sbuf_puts(b, "\xEF\xBF\xBD");
        v = str_of_n(v.p + at + 1, v.n - at - 1);
    }
    put(b, v.p, v.n);
}

// *ret_format 1: binary. False: the number does not fit.
static bool put_number(struct sbuf *b, Oid type, int64_t v, int *ret_format)
{
    *ret_format = 1;
    switch (type) {
    case TYPE_I64:
        put_u64(b, (uint64_t)v);
        return true;
    case TYPE_I32:
        put_u32(b, (uint32_t)v);
        return v >= INT32_MIN && v <= INT32_MAX;
    case TYPE_I16: {
        uint16_t small = htobe16((uint16_t)v);
        put(b, &small, sizeof small);
        return v >= INT16_MIN && v <= INT16_MAX;
    }
    case TYPE_BOOL:
        sbuf_putc(b, (char)(v != 0));
        return true;
    case TYPE_F64:
        put_f64(b, (double)v);
        return true;
    default:
        *ret_format = 0;
        sbuf_fmt(b, "%" PRId64, v);
        return true;
    }
}

static bool put_param(struct sbuf *b, Oid type, const struct pg_param *p, int *ret_format)
{
    switch (p->kind) {
    case PARAM_I64:
        return put_number(b, type, p->i, ret_format);
    case PARAM_F64:
        *ret_format = type == TYPE_F64;
        if (type == TYPE_F64)
            put_f64(b, p->f);
        else
            sbuf_f64(b, p->f);
        return true;
    case PARAM_TEXT:
        *ret_format = type == TYPE_TEXT || type == TYPE_VARCHAR || type == TYPE_BYTEA;
        put_text(b, p->bytes);
        return true;
    case PARAM_BLOB:
        *ret_format = 1;
        put(b, p->bytes.p, p->bytes.n);
        return true;
    default:
        return true;
    }
}

static Oid element_of(Oid array)
{
    for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++)
        if (arrays[i].array == array)
            return arrays[i].element;
    return 0;
}

// One element with its length in front; the length is known when it has been written.
static bool put_element(struct sbuf *b, Oid type, const struct db_cell *c)
{
    static const int kinds[] = {[DB_CELL_NULL] = PARAM_NULL,
                                [DB_CELL_I64] = PARAM_I64,
                                [DB_CELL_TEXT] = PARAM_TEXT,
                                [DB_CELL_BLOB] = PARAM_BLOB};
    struct pg_param p = {.kind = kinds[c->kind], .i = c->i, .bytes = c->bytes};
    if (c->kind == DB_CELL_NULL) {
        put_u32(b, UINT32_MAX);
        return true;
    }
    size_t at = b->n;
    int format;
    put_u32(b, 0);
    if (!put_param(b, type, &p, &format))
        return false;
    if (!sbuf_ok(b))
        return true; // too large: noticed at the end
    uint32_t n = htobe32((uint32_t)(b->n - at - sizeof n));
    memcpy(b->p + at, &n, sizeof n);
    return format == 1 || type == TYPE_TEXT || type == TYPE_VARCHAR;
}

// Column `col` of the rows as a one-dimensional array.
static bool put_array(struct sbuf *b, const struct pg_stmt *s, int col)
{
    Oid type = element_of(s->types[col]);
    const struct db_cell *c = s->cells + col;
    bool nulls = false, ok = type != 0;
    for (size_t i = 0; i < s->rows; i++)
        nulls = nulls || c[i * s->columns].kind == DB_CELL_NULL;
    put_u32(b, s->rows > 0); // dimensions
    put_u32(b, nulls);
    put_u32(b, type);
    if (s->rows > 0) {
        put_u32(b, (uint32_t)s->rows);
        put_u32(b, 1); // the first index
    }
    for (size_t i = 0; ok && i < s->rows; i++)
        ok = put_element(b, type, &c[i * s->columns]);
    return ok;
}

static void make_room(struct pg *q, size_t n)
{
    if (n <= q->room)
        return;
    q->offsets = mem_resize(q->offsets, n, sizeof *q->offsets);
    q->pointers = mem_resize(q->pointers, n, sizeof *q->pointers);
    q->lengths = mem_resize(q->lengths, n, sizeof *q->lengths);
    q->formats = mem_resize(q->formats, n, sizeof *q->formats);
    q->room = n;
}

static bool is_array(const struct pg_stmt *s, int at) { return s->cells && at < (int)s->columns; }

bool pg_values(struct pg *q, const struct pg_stmt *s, struct err *err)
{
    struct sbuf *b = &q->values;
    make_room(q, (size_t)s->n_params);
    sbuf_clear(b);
    for (int i = 0; i < s->n_params; i++) {
        q->offsets[i] = b->n;
        q->formats[i] = 1;
        if (is_array(s, i) ? !put_array(b, s, i) : !put_param(b, s->types[i], &s->params[i], &q->formats[i]))
            return ERR(err, ERR_INTERNAL, "data store: parameter %d of a statement takes no such value",
                       i + 1);
        q->lengths[i] = (int)(b->n - q->offsets[i]);
        sbuf_putc(b, '\0'); // ends a value that goes as text
    }
    if (!sbuf_ok(b))
        return ERR(err, ERR_TOO_LARGE, "the values of one statement are too large for the data store");
    for (int i = 0; i < s->n_params; i++)
        q->pointers[i] = is_array(s, i) || s->params[i].kind != PARAM_NULL ? b->p + q->offsets[i] : NULL;
    return true;
}

// ---- in ----------------------------------------------------------------------------------------

static uint64_t read_bytes(const PGresult *r, int row, int col)
{
    const unsigned char *p = (const unsigned char *)PQgetvalue(r, row, col);
    uint64_t v = 0;
    for (int i = 0; i < PQgetlength(r, row, col); i++)
        v = v << 8 | p[i];
    return v;
}

double pg_f64(const PGresult *r, int row, int col)
{
    double v;
    if (PQftype(r, col) != TYPE_F64 || PQgetisnull(r, row, col))
        return (double)pg_i64(r, row, col);
    uint64_t bits = read_bytes(r, row, col);
    memcpy(&v, &bits, sizeof v);
    return v;
}

int64_t pg_i64(const PGresult *r, int row, int col)
{
    if (PQgetisnull(r, row, col))
        return 0;
    switch (PQftype(r, col)) {
    case TYPE_I64:
    case TYPE_OID:
    case TYPE_BOOL:
        return (int64_t)read_bytes(r, row, col);
    case TYPE_I32:
        return (int32_t)read_bytes(r, row, col);
    case TYPE_I16:
        return (int16_t)read_bytes(r, row, col);
    case TYPE_F64:
        return (int64_t)pg_f64(r, row, col);
    default:
        return 0;
    }
}
