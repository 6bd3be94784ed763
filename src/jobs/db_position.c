// SPDX-License-Identifier: Apache-2.0
// Kept as {"type":"int","value":"42","rows":["00a1…", …]}; without rows the ties are not known.
#include "jobs/db_position.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/sync.h"
#include "jobs/database_params.h"

static const char *const type_words[] = {
    [QUERY_NULL] = "null",   [QUERY_BOOL] = "bool",           [QUERY_I64] = "int",
    [QUERY_F64] = "float",   [QUERY_DECIMAL] = "decimal",     [QUERY_TEXT] = "text",
    [QUERY_BYTES] = "bytes", [QUERY_JSON] = "json",           [QUERY_DATE] = "date",
    [QUERY_TIME] = "time",   [QUERY_TIMESTAMP] = "timestamp", NULL,
};

void db_position_release(struct db_position *p)
{
    mem_free(p->before);
    p->before = NULL;
    p->n_before = 0;
}

static bool value_keep(struct db_position *p, const struct query_value *v)
{
    bool texts = v->type != QUERY_I64 && v->type != QUERY_F64 && v->type != QUERY_BOOL;
    if (v->type == QUERY_NULL || v->type == QUERY_BYTES || (texts && v->text.n > sizeof p->text))
        return false;
    p->v = *v;
    if (texts) {
        memcpy(p->text, v->text.p, v->text.n);
        p->v.text = str_of_n(p->text, v->text.n);
    }
    return true;
}

static bool same(const struct query_value *a, const struct query_value *b)
{
    if (a->type != b->type)
        return false;
    if (a->type == QUERY_I64 || a->type == QUERY_BOOL)
        return a->i == b->i;
    return a->type == QUERY_F64 ? a->f == b->f : str_eq(a->text, b->text);
}

// Only where the order of the database is certainly that of the bytes.
static bool is_before(const struct query_value *a, const struct query_value *b)
{
    enum { DATE_LEN = 10 };
    if (a->type != b->type)
        return false;
    if (a->type == QUERY_I64)
        return a->i < b->i;
    if (a->type == QUERY_F64)
        return a->f < b->f;
    bool zoned = false;
    for (size_t i = DATE_LEN; i < a->text.n; i++)
        zoned |= a->text.p[i] == '+' || a->text.p[i] == '-';
    bool plain = a->type == QUERY_DATE || (a->type == QUERY_TIMESTAMP && !zoned);
    return plain && a->text.n >= DATE_LEN && b->text.n >= DATE_LEN && str_cmp(a->text, b->text) < 0;
}

static void tie_add(struct db_position *p, uint64_t hash)
{
    if (p->n == DB_POSITION_TIES_MAX)
        p->exact = false;
    if (p->exact)
        p->ties[p->n++] = hash;
}

static bool take_before(struct db_position *p, uint64_t hash)
{
    for (size_t i = 0; i < p->n_before; i++)
        if (p->before[i] == hash) {
            p->before[i] = p->before[--p->n_before];
            return true;
        }
    return false;
}

enum db_position_step db_position_move(struct db_position *p, const struct query_value *v, uint64_t hash)
{
    if (p->known && same(&p->v, v)) {
        if (take_before(p, hash))
            return DB_POSITION_GONE_BEFORE;
        tie_add(p, hash);
        return DB_POSITION_NEW;
    }
    if (p->known && is_before(v, &p->v))
        return DB_POSITION_BACKWARDS;
    if (!value_keep(p, v))
        return DB_POSITION_NO_VALUE;
    p->known = p->exact = true;
    p->n = p->n_before = 0;
    tie_add(p, hash);
    return DB_POSITION_NEW;
}

// ---- texts ----

void db_position_write(const struct db_position *p, struct sbuf *out)
{
    sbuf_puts(out, "{\"type\":");
    sbuf_json(out, str_of(type_words[p->v.type]));
    sbuf_puts(out, ",\"value\":");
    if (p->v.type == QUERY_I64 || p->v.type == QUERY_BOOL)
        sbuf_fmt(out, "\"%lld\"", (long long)p->v.i);
    else if (p->v.type == QUERY_F64)
        sbuf_fmt(out, "\"%.17g\"", p->v.f);
    else
        sbuf_json(out, p->v.text);
    for (size_t i = 0; p->exact && i < p->n; i++)
        sbuf_fmt(out, "%s\"%016llx\"", i > 0 ? "," : ",\"rows\":[", (unsigned long long)p->ties[i]);
    sbuf_puts(out, p->exact && p->n > 0 ? "]}" : "}");
}

static uint64_t hash_of(struct str hex)
{
    enum { HASH_DIGITS = 16, BASE = 16 };
    char text[HASH_DIGITS + 1] = "";
    if (hex.n == HASH_DIGITS)
        memcpy(text, hex.p, HASH_DIGITS);
    return strtoull(text, NULL, BASE);
}

bool db_position_read(struct db_position *p, struct str text, struct err *err)
{
    struct arena a CLEANUP(arena_release);
    json_t *json CLEANUP_JSON = NULL;
    json_t *rows, *row;
    struct query_value v;
    const char *wrong;
    size_t i;
    arena_init(&a, DB_POSITION_TEXT_MAX);
    if (!json_parse(text, &json, err))
        return err_wrap(err, "the position kept of this job");
    rows = json_incref(json_object_get(json, "rows"));
    (void)json_object_del(json, "rows");
    bool ok = database_value_read(json, &v, &wrong, &a) && value_keep(p, &v);
    p->known = ok;
    p->exact = json_array_size(rows) > 0;
    p->n = p->n_before = 0;
    p->before = mem_array(DB_POSITION_TIES_MAX, sizeof *p->before);
    json_array_foreach(rows, i, row) if (p->n < DB_POSITION_TIES_MAX)
    {
        p->ties[p->n++] = hash_of(json_str(row));
        p->before[p->n_before++] = p->ties[p->n - 1];
    }
    json_decref(rows);
    return ok || ERR(err, ERR_CORRUPT, "the position kept of this job cannot be read");
}

bool db_position_start(struct db_position *p, struct str json, struct arena *a, struct err *err)
{
    json_t *v CLEANUP_JSON = NULL;
    struct query_value value;
    const char *wrong = "must be a value";
    if (!json_parse(json, &v, err))
        return false;
    if (!database_value_read(v, &value, &wrong, a))
        return ERR(err, ERR_INVALID, "lastProcessedValue %s", wrong);
    p->known = value_keep(p, &value);
    p->exact = true;
    return p->known || ERR(err, ERR_INVALID, "lastProcessedValue must be a number, a text, a date or a time");
}
