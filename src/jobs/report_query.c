// SPDX-License-Identifier: Apache-2.0
// A report of what a database says: one statement that reads, its rows as they come.
#include <fcntl.h>
#include <unistd.h>

#include "base/sync.h"
#include "db/query.h"
#include "jobs/report_job.h"
#include "jobs/services.h"
#include "net/dial.h"

enum { CONNECT_S = 15, KEY_MAX = 80, STORE_FILES = 3 };

struct asked {
    struct report_run *r;
    struct query_target target;
    struct query_text text;
    struct query *query;
    _Atomic bool stop;
    bool interruptible;
    int folder; // of a file
    struct document_cell *cells;
};

static bool query_failed(struct report_run *r, const struct query_err *err)
{
    r->err = err->e;
    r->error_class = err->e.code == ERR_UNAVAILABLE || err->e.code == ERR_DENIED ? "CONNECTION_ERROR" : "DATABASE_ERROR";
    struct str code = arena_str(&r->a->arena, str_of(err->code));
    r->error_code = code.n > 0 ? code.p : NULL;
    return false;
}

static bool refuse(struct report_run *r)
{
    r->error_class = "DEFINITION_ERROR";
    return false;
}

// ---- what is asked ----

static bool prepare(struct asked *q)
{
    struct report_run *r = q->r;
    struct arena *a = &r->a->arena;
    if (!query_target_parse(r->s.database_url, &q->target, a, &r->err) ||
        !query_text_read(r->s.query, q->target.kind, &q->text, a, &r->err))
        return refuse(r);
    if (q->text.n != 1 || !query_statement_reads(&q->text.v[0]))
        return ERR(&r->err, ERR_INVALID, "the query of a report is one statement that reads") || refuse(r);
    return true;
}

static bool bind(struct asked *q, struct query_value **ret)
{
    struct report_run *r = q->r;
    const struct query_statement *s = &q->text.v[0];
    struct query_value *v = arena_new_array(&r->a->arena, struct query_value, s->n);
    if (!v)
        return ERR(&r->err, ERR_TOO_LARGE, "no memory for the query's parameters");
    for (size_t i = 0; i < s->n; i++) {
        v[i] = (struct query_value){.type = QUERY_NULL};
        for (size_t k = 0; k < r->s.others.n; k++)
            if (s->places[i].name.p && str_eq(r->s.others.v[k].key, s->places[i].name))
                v[i] = (struct query_value){.type = QUERY_TEXT, .text = r->s.others.v[k].value};
        if (v[i].type == QUERY_NULL)
            return ERR(&r->err, ERR_INVALID,
                       "the query wants parameter \"%.*s\", which parameters does not give; write :name in the query",
                       STR_ARG(s->places[i].name)) || refuse(r);
        int64_t number;
        if (str_to_i64(v[i].text, &number)) {
            v[i].type = QUERY_I64;
            v[i].i = number;
        }
    }
    *ret = v;
    return true;
}

// ---- where ----

static void interrupt(void *ctx)
{
    struct asked *q = ctx;
    atomic_store(&q->stop, true);
    if (q->query)
        query_interrupt(q->query);
}

// The server's own data.
static bool own_files(struct attempt *a, struct strs *ret, struct err *err)
{
    static const char *const endings[STORE_FILES] = {"", "-wal", "-shm"};
    const struct job_settings *set = a->env->settings;
    struct str *v = arena_new_array(&a->arena, struct str, STORE_FILES);
    for (size_t i = 0; v && i < STORE_FILES; i++)
        v[i] = arena_fmt(&a->arena, "%.*s/chronos.db%s", STR_ARG(set ? set->data_dir : STR_NONE), endings[i]);
    if (!v || a->arena.exhausted)
        return ERR(err, ERR_TOO_LARGE, "no memory for the name of a file");
    *ret = (struct strs){v, STORE_FILES};
    return true;
}

// The folder and the name of a database that is a file; never the server's own.
static bool file_find(struct asked *q, struct query_options *o)
{
    struct report_run *r = q->r;
    struct roots roots;
    struct place place;
    o->folder = -1;
    if (q->target.kind != QUERY_SQLITE || str_is(q->target.path, ":memory:"))
        return true;
    if (!mailing_roots_open(r->a, &roots, &r->err))
        return false;
    bool ok = place_find(&roots, q->target.path, &place, &r->a->arena, &r->err) &&
              place_open_parent(&place, false, &q->folder, &r->err);
    if (ok) {
        o->folder = q->folder;
        o->file = place_name(&place);
        ok = own_files(r->a, &o->refused, &r->err);
    }
    roots_close(&roots);
    r->error_class = ok ? r->error_class : "FILE_ERROR";
    return ok;
}

// The library connects to the address that was judged, not to the name.
static bool address_find(struct asked *q, struct query_options *o)
{
    struct report_run *r = q->r;
    const struct dial d = {.clock = r->a->clock, .host = q->target.url.host, .port = (int)q->target.url.port,
                           .egress = r->a->env->egress, .at_most = duration_s(CONNECT_S), .stop = &q->stop};
    char address[DIAL_ADDRESS_MAX];
    r->error_class = "CONNECTION_ERROR";
    if (!dial_address(&d, address, &r->err)) {
        r->err.code = r->err.code == ERR_TIMEOUT ? ERR_UNAVAILABLE : r->err.code;
        return false;
    }
    o->address = arena_str(&r->a->arena, str_of(address));
    r->error_class = "DATABASE_ERROR";
    return true;
}

static bool connect_to(struct asked *q)
{
    struct report_run *r = q->r;
    struct query_err err = {.code = ""};
    struct query_options o = {.target = &q->target, .application = "chronos report", .patience = duration_s(CONNECT_S),
                              .stop = &q->stop};
    if (!file_find(q, &o))
        return false;
    if (o.folder < 0 && q->target.kind != QUERY_SQLITE &&
        !attempt_target(r->a, query_target_server(&q->target, &r->a->arena))) {
        r->ended = true;
        return false;
    }
    struct query *query = NULL;
    attempt_interruptible(r->a, interrupt, q);
    q->interruptible = true;
    if (q->target.kind != QUERY_SQLITE && !address_find(q, &o))
        return false;
    if (!query_open(&o, &query, &err))
        return query_failed(r, &err);
    attempt_uninterruptible(r->a); // nobody looks at it while it changes
    q->query = query;
    attempt_interruptible(r->a, interrupt, q);
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
    size_t n = q->query->n_columns;
    struct document_column *v = arena_new_array(a, struct document_column, n);
    q->cells = arena_new_array(a, struct document_cell, n);
    if (!v || !q->cells)
        return ERR(&r->err, ERR_TOO_LARGE, "no memory for the columns of the query");
    for (size_t i = 0; i < n; i++) {
        struct str name = arena_str(a, q->query->columns[i].name);
        v[i] = (struct document_column){key_of(v, i, name, a), name, kind_of(q->query->columns[i].type), 0};
    }
    return document_table(r->doc, r->s.title, v, n, &r->err);
}

static bool row_write(struct asked *q)
{
    struct report_run *r = q->r;
    for (size_t i = 0; i < q->query->n_columns; i++) {
        struct query_value v = query_value(q->query, i);
        q->cells[i] = (struct document_cell){.kind = kind_of(v.type), .i = v.i, .f = v.f, .text = v.text};
    }
    r->rows++;
    return document_row(r->doc, q->cells, &r->err);
}

static bool rows_write(struct asked *q)
{
    struct report_run *r = q->r;
    struct query_err err = {.code = ""};
    bool row = true;
    if (!table_begin(q))
        return false;
    while (!r->cut) {
        if (!query_next(q->query, &row, &err))
            return query_failed(r, &err);
        if (!row)
            break;
        r->cut = r->rows >= r->s.rows_max;
        if (!r->cut && !row_write(q))
            return false;
    }
    return document_table_end(r->doc, &r->err);
}

static bool run(struct asked *q)
{
    struct report_run *r = q->r;
    struct query_err err = {.code = ""};
    struct query_value *v = NULL;
    const struct query_session session = {.statement_time = duration_s(r->s.query_timeout_s), .read_only = true};
    if (!prepare(q) || !bind(q, &v) || !connect_to(q))
        return false;
    if (!query_session(q->query, &session, &err) || !query_start(q->query, q->text.v[0].sql, v, q->text.v[0].n, &err))
        return query_failed(r, &err);
    return rows_write(q);
}

bool report_query_table(struct report_run *r)
{
    struct asked q = {.r = r, .folder = -1};
    bool ok = run(&q);
    if (q.interruptible)
        attempt_uninterruptible(r->a);
    query_close(q.query);
    if (q.folder >= 0)
        (void)close(q.folder);
    return ok;
}
