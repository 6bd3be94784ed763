// SPDX-License-Identifier: Apache-2.0
// A row as a JSON object. Numbers stay numbers with all their digits, JSON columns are put in as they are,
// bytes become base64, dates and times ISO 8601.
#include <sodium.h>

#include "base/rng.h"
#include "jobs/db_to_kafka.h"

enum { DEAD_SHOWN_MAX = 64 * 1024, PREFIX_MAX = 8 * 1024, DATE_LEN = 10, SHORT_ZONE = 3 };

// ---- columns ----

static bool name_is(struct str name, struct str wanted) { return str_eq_nocase(name, wanted); }

static size_t column_find(const struct query *q, struct str name)
{
    for (size_t i = 0; i < q->n_columns; i++)
        if (str_eq(q->columns[i].name, name))
            return i;
    for (size_t i = 0; i < q->n_columns; i++)
        if (name_is(q->columns[i].name, name))
            return i;
    return q->n_columns;
}

static struct str mapped(const struct move_payload *p, struct str name)
{
    for (size_t i = 0; i < p->mappings.n; i++)
        if (name_is(p->mappings.v[i].key, name))
            return p->mappings.v[i].value;
    return name;
}

static bool is_excluded(const struct move_payload *p, struct str name)
{
    for (size_t i = 0; i < p->exclude.n; i++)
        if (name_is(p->exclude.v[i], name))
            return true;
    return false;
}

static bool named_there(struct move *m, const char *field, struct str name)
{
    return !name.p || column_find(m->link.q, name) < m->link.q->n_columns ||
           database_link_refuse(&m->link, "DATABASE_ERROR",
                                "%s names \"%.*s\", which is no column of the query", field, STR_ARG(name));
}

static bool all_there(struct move *m)
{
    const struct move_payload *p = m->p;
    bool ok = named_there(m, "kafkaKeyField", p->key_field) && named_there(m, "offsetField", p->offset_field);
    for (size_t i = 0; ok && i < p->mappings.n; i++)
        ok = named_there(m, "fieldMappings", p->mappings.v[i].key);
    for (size_t i = 0; ok && i < p->exclude.n; i++)
        ok = named_there(m, "excludeFields", p->exclude.v[i]);
    return ok;
}

static struct str metadata_make(struct move *m)
{
    struct attempt *a = m->link.a;
    char time[INSTANT_TEXT_MAX], job[ULID_TEXT_MAX], run[ULID_TEXT_MAX], key[ULID_TEXT_MAX];
    struct sbuf b;
    sbuf_init(&b, &a->arena, PREFIX_MAX);
    sbuf_fmt(&b, ",\"_metadata\":{\"jobId\":\"%s\",\"runId\":\"%s\",\"runKey\":\"%s\",\"jobName\":",
             ulid_format(a->job_id, job), ulid_format(a->run_id, run), ulid_format(a->run_key, key));
    sbuf_json(&b, a->job.name);
    sbuf_puts(&b, ",\"source\":");
    sbuf_json(&b, query_target_shown(&m->link.target, &a->arena));
    sbuf_fmt(&b, ",\"extractedAt\":\"%s\",\"row\":", instant_format(m->began, time));
    return sbuf_str(&b);
}

bool move_shape_make(struct move *m)
{
    const struct query *q = m->link.q;
    struct arena *a = &m->link.a->arena;
    struct move_shape *s = &m->shape;
    if (q->n_columns == 0 || q->n_columns > MOVE_FIELDS_MAX)
        return database_link_refuse(&m->link, "DATABASE_ERROR",
                                    "the query gives no rows, or more than %d columns", MOVE_FIELDS_MAX);
    if (!all_there(m))
        return false;
    s->n = q->n_columns;
    s->columns = arena_new_array(a, struct move_column, s->n);
    s->key = m->p->key_field.p ? column_find(q, m->p->key_field) : s->n;
    s->offset = m->p->offset_field.p ? column_find(q, m->p->offset_field) : s->n;
    for (size_t i = 0; s->columns && i < s->n; i++) {
        struct sbuf b;
        sbuf_init(&b, a, PREFIX_MAX);
        sbuf_json(&b, mapped(m->p, q->columns[i].name));
        sbuf_putc(&b, ':');
        s->columns[i] = (struct move_column){is_excluded(m->p, q->columns[i].name), sbuf_str(&b)};
    }
    if (m->p->metadata)
        s->metadata = metadata_make(m);
    return !a->exhausted ||
           database_link_refuse(&m->link, "DATABASE_ERROR", "the query has too many columns");
}

// ---- values ----

static void put_base64(struct sbuf *b, struct str bytes)
{
    enum { CHUNK = 3 * 1024 }; // whole groups of three
    char text[sodium_base64_ENCODED_LEN(CHUNK, sodium_base64_VARIANT_ORIGINAL)];
    sbuf_putc(b, '"');
    for (size_t i = 0; i < bytes.n; i += CHUNK) {
        size_t n = bytes.n - i < CHUNK ? bytes.n - i : CHUNK;
        sbuf_puts(b, sodium_bin2base64(text, sizeof text, (const unsigned char *)bytes.p + i, n,
                                       sodium_base64_VARIANT_ORIGINAL));
    }
    sbuf_putc(b, '"');
}

// "2024-02-29 12:34:56+00" as "2024-02-29T12:34:56+00:00".
static void put_timestamp(struct sbuf *b, struct str s)
{
    bool plain = s.n > DATE_LEN && s.p[DATE_LEN] == ' ';
    char sign = s.n > SHORT_ZONE ? s.p[s.n - SHORT_ZONE] : ' ';
    if (!plain) { // infinity, a year BC
        sbuf_json(b, s);
        return;
    }
    sbuf_putc(b, '"');
    sbuf_put(b, str_of_n(s.p, DATE_LEN));
    sbuf_putc(b, 'T');
    sbuf_put(b, str_of_n(s.p + DATE_LEN + 1, s.n - DATE_LEN - 1));
    sbuf_puts(b, sign == '+' || sign == '-' ? ":00\"" : "\"");
}

// The digits as they are, where JSON can say them: "NaN" and "Infinity" are texts there.
static void put_decimal(struct sbuf *b, struct str s)
{
    bool number = s.n > 0 && s.p[s.n - 1] >= '0' && s.p[s.n - 1] <= '9';
    if (number)
        sbuf_put(b, s);
    else
        sbuf_json(b, s);
}

static void put_f64(struct sbuf *b, double f)
{
    if (f - f == 0)
        sbuf_f64(b, f);
    else
        sbuf_puts(b, f != f ? "\"NaN\"" : f > 0 ? "\"Infinity\"" : "\"-Infinity\"");
}

static void put_value(struct sbuf *b, const struct query_value *v)
{
    switch (v->type) {
    case QUERY_NULL:
        sbuf_puts(b, "null");
        return;
    case QUERY_BOOL:
        sbuf_puts(b, v->i ? "true" : "false");
        return;
    case QUERY_I64:
        sbuf_i64(b, v->i);
        return;
    case QUERY_F64:
        put_f64(b, v->f);
        return;
    case QUERY_DECIMAL:
        put_decimal(b, v->text);
        return;
    case QUERY_JSON:
        sbuf_put(b, v->text);
        return;
    case QUERY_BYTES:
        put_base64(b, v->text);
        return;
    case QUERY_TIMESTAMP:
        put_timestamp(b, v->text);
        return;
    case QUERY_TEXT:
    case QUERY_DATE:
    case QUERY_TIME:
        sbuf_json(b, v->text);
        return;
    }
}

// The key as a text without quotes.
static void put_key(struct sbuf *b, const struct query_value *v)
{
    if (v->type == QUERY_TEXT || v->type == QUERY_BYTES || v->type == QUERY_JSON || v->type == QUERY_DATE ||
        v->type == QUERY_TIME || v->type == QUERY_TIMESTAMP)
        sbuf_put(b, v->text);
    else
        put_value(b, v);
}

// ---- rows ----

void move_row_write(struct move *m, struct move_batch *b, struct move_record *ret, uint64_t *ret_hash,
                    bool *ret_fits)
{
    static const uint8_t key[16] = "row-of-a-query.";
    const struct move_shape *s = &m->shape;
    struct sbuf *out = &b->bytes;
    struct move_record r = {.key_n = SIZE_MAX, .value = out->n};
    bool first = true;
    sbuf_putc(out, '{');
    for (size_t i = 0; i < s->n; i++) {
        if (s->columns[i].excluded)
            continue;
        struct query_value v = query_value(m->link.q, i);
        if (!first)
            sbuf_putc(out, ',');
        sbuf_put(out, s->columns[i].prefix);
        put_value(out, &v);
        first = false;
    }
    *ret_hash = hash_bytes(key, out->p + r.value, out->n - r.value);
    if (s->metadata.p) {
        sbuf_put(out, first ? str_of_n(s->metadata.p + 1, s->metadata.n - 1) : s->metadata);
        sbuf_i64(out, m->read);
        sbuf_putc(out, '}');
    }
    sbuf_putc(out, '}');
    r.value_n = out->n - r.value;
    struct query_value k =
        s->key < s->n ? query_value(m->link.q, s->key) : (struct query_value){.type = QUERY_NULL};
    if (k.type != QUERY_NULL) {
        r.key = out->n;
        put_key(out, &k);
        r.key_n = out->n - r.key;
    }
    *ret_fits = sbuf_ok(out) && r.value_n + (r.key_n == SIZE_MAX ? 0 : r.key_n) <= KAFKA_PRODUCE_MAX;
    *ret = r;
}

void move_row_bury(struct move *m, struct move_batch *b, struct move_record *r, const char *why)
{
    struct sbuf letter;
    struct str row = str_of_n(b->bytes.p + r->value, r->value_n);
    size_t shown = row.n <= DEAD_SHOWN_MAX ? row.n : str_utf8_cut(row, DEAD_SHOWN_MAX);
    sbuf_init(&letter, NULL, MOVE_BYTES_MAX);
    sbuf_puts(&letter, "{\"error\":");
    sbuf_json(&letter, str_of(why));
    sbuf_puts(&letter, ",\"topic\":");
    sbuf_json(&letter, m->p->topic);
    sbuf_fmt(&letter, ",\"bytes\":%zu,\"%s\":", row.n, shown == row.n ? "row" : "rowStart");
    if (shown == row.n)
        sbuf_put(&letter, row);
    else
        sbuf_json(&letter, str_of_n(row.p, shown));
    sbuf_putc(&letter, '}');
    r->value = b->bytes.n;
    r->value_n = letter.n;
    r->dead = true;
    if (r->key_n != SIZE_MAX && r->key_n > KAFKA_KEY_MAX)
        r->key_n = KAFKA_KEY_MAX;
    sbuf_put(&b->bytes, sbuf_str(&letter));
    sbuf_release(&letter);
}
