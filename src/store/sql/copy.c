// SPDX-License-Identifier: Apache-2.0
// Copying table by table. A page is read in the order of the key, summed, and written in one transaction;
// afterwards every table of the target is read back the same way and its sum compared. Sums add up hashes of
// rows, because databases sort texts differently.
#include "store/sql/copy.h"

#include <inttypes.h>

#include "base/rng.h"
#include "store/sql/copy_queries.h"
#include "store/sql/sql.h"

enum {
    PAGE_ROWS = 1000,
    PAGE_BYTES = 4 * 1024 * 1024, // a page ends after the row that passes it
    ROW_BYTES_MAX = 64 * 1024 * 1024,
    ARENA_BYTES = PAGE_BYTES + ROW_BYTES_MAX + 1024 * 1024,
    COLUMNS_MAX = 32,
    WORD_BYTES_MAX = 4096,
};

// Setting of a target whose copy has not come to its end.
static const char incomplete[] = "copy.incomplete";

struct table {
    const char *name;
    enum copy_query read, put, count;
    const char *kinds; // of the columns in the order of copy.sql: b = blob, t = text, i = integer
    int keys;          // the first columns are the key
    int numbers;       // of them, those that the target gives anew
};
// clang-format off
#define TABLE(text, WORD, columns, n, ...) \
    {text, COPY_READ_##WORD, COPY_PUT_##WORD, COPY_COUNT_##WORD, columns, n, ##__VA_ARGS__}
// clang-format on
static const struct table tables[STORE_COPY_TABLES] = {
    TABLE("users", USERS, "btttiiii", 1),
    TABLE("sessions", SESSIONS, "bbbiii", 1),
    TABLE("identities", IDENTITIES, "bttbi", 1),
    TABLE("one_time_passwords", ONE_TIME_PASSWORDS, "bi", 1),
    TABLE("api_keys", API_KEYS, "bbtbtiii", 1),
    TABLE("teams", TEAMS, "btti", 1),
    TABLE("team_members", TEAM_MEMBERS, "bbi", 2),
    TABLE("jobs", JOBS, "bbttiiiibit", 1),
    TABLE("plans", PLANS, "biibi", 1),
    TABLE("plan_specs", PLAN_SPECS, "biiiiitiittiiiiiiti", 1),
    TABLE("runs", RUNS, "bbiiiiiiiiiiiiiiittttbbb", 1),
    TABLE("run_logs", RUN_LOGS, "biiiitt", 2),
    TABLE("dead_letters", DEAD_LETTERS, "bbtbbittiitiiittbtt", 1),
    TABLE("outbox", OUTBOX, "iiiibbbiiiiiittt", 1, .numbers = 1),
    TABLE("subscriptions", SUBSCRIPTIONS, "bbiit", 1),
    TABLE("notices", NOTICES, "iiibbtt", 1, .numbers = 1),
    TABLE("notice_marks", NOTICE_MARKS, "bbit", 2),
    TABLE("deliveries", DELIVERIES, "bbbbbitiiiiitit", 1),
    TABLE("secrets", SECRETS, "btbtii", 2),
    TABLE("memos", MEMOS, "btt", 2),
    TABLE("requests_once", REQUESTS_ONCE, "bbbiiiitt", 1),
    TABLE("audit", AUDIT, "biibtttttttttittbb", 1),
    TABLE("audit_marks", AUDIT_MARKS, "iiiibb", 2),
    TABLE("settings", SETTINGS, "tt", 1),
};

struct page_rows {
    const struct table *table;
    struct db_cell *cells; // row by row
    size_t rows, columns;
};

static bool prepare(struct db *d, enum copy_query q, struct db_stmt **ret, struct err *err)
{
    return d->ops->prepare(d, copy_sql[d->dialect][q], ret, err);
}

static void finalize(struct db_stmt *s) { s->db->ops->finalize(s); }

static void cell_bind(struct db_stmt *s, int at, const struct db_cell *c)
{
    switch (c->kind) {
    case DB_CELL_NULL:
        db_null(s, at);
        break;
    case DB_CELL_I64:
        db_put_i64(s, at, c->i);
        break;
    case DB_CELL_TEXT:
        db_put_text(s, at, c->bytes);
        break;
    case DB_CELL_BLOB:
        db_put_blob(s, at, c->bytes.p, c->bytes.n);
        break;
    }
}

static bool cell_read(struct db_stmt *s, int col, char kind, struct db_cell *ret, struct arena *a)
{
    if (db_is_null(s, col)) {
        *ret = (struct db_cell){.kind = DB_CELL_NULL};
        return true;
    }
    if (kind == 'i') {
        *ret = (struct db_cell){.kind = DB_CELL_I64, .i = db_i64(s, col)};
        return true;
    }
    *ret = (struct db_cell){.kind = kind == 't' ? DB_CELL_TEXT : DB_CELL_BLOB,
                            .bytes = arena_str(a, db_bytes(s, col))};
    return ret->bytes.p != NULL;
}

// ---- sums --------------------------------------------------------------------------------------

// Each cell as its kind, its length and its bytes, so that no two rows give the same text.
static uint64_t row_hash(const struct page_rows *page, size_t row, struct sbuf *scratch)
{
    static const uint8_t key[16] = "chronos-copy-sum"; // fixed: both sides compute the same
    const struct db_cell *cells = page->cells + row * page->columns;
    sbuf_clear(scratch);
    for (size_t i = (size_t)page->table->numbers; i < page->columns; i++) {
        const struct db_cell *c = &cells[i];
        bool number = c->kind == DB_CELL_I64;
        int64_t head[2] = {c->kind, number ? c->i : (int64_t)c->bytes.n};
        sbuf_put(scratch, (struct str){(const char *)head, sizeof head});
        if (!number && c->bytes.n > 0)
            sbuf_put(scratch, c->bytes);
    }
    return hash_bytes(key, scratch->p, scratch->n);
}

// ---- pages -------------------------------------------------------------------------------------

// Before the first key of any table.
static void key_first(const struct table *t, struct db_cell key[static COLUMNS_MAX])
{
    static const char zeros[sizeof(struct ulid)];
    for (int i = 0; i < t->keys; i++)
        key[i] = t->kinds[i] == 'i' ? (struct db_cell){.kind = DB_CELL_I64, .i = INT64_MIN}
                 : t->kinds[i] == 't'
                     ? (struct db_cell){.kind = DB_CELL_TEXT, .bytes = STR("")}
                     : (struct db_cell){.kind = DB_CELL_BLOB, .bytes = {zeros, sizeof zeros}};
}

static bool page_read(struct db_stmt *s, const struct db_cell *key, struct page_rows *page, struct arena *a,
                      struct err *err)
{
    const struct table *t = page->table;
    bool row = true;
    for (int i = 0; i < t->keys; i++)
        cell_bind(s, i + 1, &key[i]);
    db_put_i64(s, t->keys + 1, PAGE_ROWS);
    for (page->rows = 0; page->rows < PAGE_ROWS && a->used < PAGE_BYTES; page->rows++) {
        struct db_cell *cells = page->cells + page->rows * page->columns;
        if (!db_step(s, &row, err))
            return false;
        if (!row)
            return true;
        for (size_t i = 0; i < page->columns; i++)
            if (!cell_read(s, (int)i, t->kinds[i], &cells[i], a)) {
                db_reset(s);
                return ERR(err, ERR_TOO_LARGE, "a row is larger than %d bytes", ROW_BYTES_MAX);
            }
    }
    db_reset(s);
    return true;
}

typedef bool (*page_fn)(void *ctx, const struct page_rows *page, struct err *err);

// Reads a whole table, page by page; on_page may be NULL. Fills rows and sum.
static bool table_walk(struct store *from, const struct table *t, page_fn on_page, void *ctx,
                       struct store_copy_table *ret, struct err *err)
{
    struct arena a CLEANUP(arena_release);
    struct sbuf scratch CLEANUP(sbuf_release);
    struct arena key_arena CLEANUP(arena_release);
    struct db_cell key[COLUMNS_MAX];
    struct page_rows page = {.table = t, .columns = strlen(t->kinds)};
    struct store_copy_table sum = {.name = t->name};
    struct db_stmt *s = NULL;
    arena_init(&a, ARENA_BYTES);
    arena_init(&key_arena, ROW_BYTES_MAX);
    sbuf_init(&scratch, NULL, ROW_BYTES_MAX);
    key_first(t, key);
    struct db *d = sql_reader(from, err);
    bool ok = d && prepare(d, t->read, &s, err);
    for (bool more = true; ok && more;) {
        arena_reset(&a);
        page.cells = arena_new_array(&a, struct db_cell, PAGE_ROWS * page.columns);
        ok = page.cells ? page_read(s, key, &page, &a, err) : sql_no_memory(err);
        more = ok && page.rows > 0;
        for (size_t i = 0; more && i < page.rows; i++)
            sum.sum += row_hash(&page, i, &scratch);
        if (!more)
            break;
        sum.rows += (int64_t)page.rows;
        arena_reset(&key_arena);
        for (int i = 0; i < t->keys; i++) {
            key[i] = page.cells[(page.rows - 1) * page.columns + (size_t)i];
            key[i].bytes = arena_str(&key_arena, key[i].bytes);
        }
        ok = !on_page || on_page(ctx, &page, err);
    }
    if (s)
        finalize(s);
    if (d)
        sql_reader_done(from, d);
    if (ok && !sbuf_ok(&scratch))
        ok = ERR(err, ERR_TOO_LARGE, "a row is larger than %d bytes", ROW_BYTES_MAX);
    if (ok)
        *ret = sum;
    return ok || err_wrap(err, "table \"%s\"", t->name);
}

static bool page_put(struct db *d, void *arg, struct err *err)
{
    const struct page_rows *page = arg;
    size_t first = (size_t)page->table->numbers;
    struct db_stmt *s;
    if (!prepare(d, page->table->put, &s, err))
        return false;
    bool ok = true;
    for (size_t r = 0; ok && r < page->rows; r++) {
        for (size_t i = first; i < page->columns; i++)
            cell_bind(s, (int)(i - first) + 1, &page->cells[r * page->columns + i]);
        // The last one is waited for, so that the statement has no more to do when it ends.
        ok = r + 1 < page->rows ? db_later(s, err) : db_run(s, err);
    }
    finalize(s);
    return ok;
}

// ---- one copy ----------------------------------------------------------------------------------

struct work {
    const struct store_copy *copy;
    const struct table *table;
    bool verifying;
    int64_t done, of;
};

static bool on_page(void *ctx, const struct page_rows *page, struct err *err)
{
    struct work *w = ctx;
    if (!w->verifying && !sql_write(w->copy->to, page_put, (void *)page, page->rows, err))
        return false;
    w->done += (int64_t)page->rows;
    if (w->copy->progress)
        w->copy->progress(w->copy->ctx, w->table->name, w->verifying, w->done, w->of);
    return true;
}

static bool count(struct store *s, const struct table *t, int64_t *ret, struct err *err)
{
    struct db_stmt *q = NULL;
    struct db *d = sql_reader(s, err);
    bool ok = d && prepare(d, t->count, &q, err) && sql_only_row(q, err, "table", t->name);
    if (ok) {
        *ret = db_i64(q, 0);
        db_reset(q);
    }
    if (q)
        finalize(q);
    if (d)
        sql_reader_done(s, d);
    return ok;
}

static bool unused(struct store *s, const char *which, struct err *err)
{
    struct arena a CLEANUP(arena_release);
    struct node *v;
    struct instant now;
    size_t n = 0;
    arena_init(&a, ARENA_BYTES);
    if (s->exclusive || !s->ops->nodes_list)
        return true; // that we could open it proves that nobody else uses it
    if (!s->ops->nodes_list(s, &v, &n, &now, &a, err))
        return false;
    for (size_t i = 0; i < n; i++)
        if (v[i].state != NODE_DEAD)
            return ERR(
                err, ERR_BUSY,
                "server \"%.*s\" uses the %s: stop every server on it first; after a kill wait until its "
                "lease has ended",
                STR_ARG(v[i].name), which);
    return true;
}

// Users and jobs would mix; settings of a database that was only opened are replaced.
static bool empty(struct store *s, struct err *err)
{
    for (size_t i = 0; i < STORE_COPY_TABLES; i++) {
        int64_t rows = 0;
        if (!count(s, &tables[i], &rows, err))
            return false;
        if (rows > 0 && tables[i].put != COPY_PUT_SETTINGS)
            return ERR(err, ERR_CONFLICT,
                       "the target is not empty: table \"%s\" has %" PRId64 " rows; give an empty database",
                       tables[i].name, rows);
    }
    return true;
}

static bool forget_page(void *ctx, const struct page_rows *page, struct err *err)
{
    struct store *s = ctx;
    for (size_t i = 0; i < page->rows; i++)
        if (!s->ops->setting_put(s, page->cells[i * page->columns].bytes, STR_NONE, err))
            return false;
    return true;
}

static bool begin(const struct store_copy *c, struct err *err)
{
    const struct table *settings = &tables[STORE_COPY_TABLES - 1];
    struct store_copy_table ignored;
    if (!store_whole(c->from, err))
        return err_wrap(err, "the source");
    return unused(c->from, "source", err) && unused(c->to, "target", err) &&
           (store_whole(c->to, err) || err_wrap(err, "the target")) && empty(c->to, err) &&
           c->to->ops->setting_put(c->to, str_of(incomplete), STR("a copy was begun"), err) &&
           table_walk(c->to, settings, forget_page, c->to, &ignored, err);
}

static bool move(const struct store_copy *c, struct store_copy_table *ret, struct err *err)
{
    for (size_t i = 0; i < STORE_COPY_TABLES; i++) {
        struct work w = {.copy = c, .table = &tables[i]};
        if (!count(c->from, &tables[i], &w.of, err) ||
            !table_walk(c->from, &tables[i], on_page, &w, &ret[i], err))
            return err_wrap(err, "copy");
    }
    return true;
}

static bool verify(const struct store_copy *c, const struct store_copy_table *moved, struct err *err)
{
    for (size_t i = 0; i < STORE_COPY_TABLES; i++) {
        struct work w = {.copy = c, .table = &tables[i], .verifying = true, .of = moved[i].rows};
        struct store_copy_table back;
        if (!table_walk(c->to, &tables[i], on_page, &w, &back, err))
            return err_wrap(err, "verify");
        if (back.rows != moved[i].rows || back.sum != moved[i].sum)
            return ERR(err, ERR_CORRUPT,
                       "table \"%s\" differs: %" PRId64 " rows with sum %016" PRIx64 " were read, %" PRId64
                       " with sum %016" PRIx64 " are in the target: copy again into an empty database",
                       tables[i].name, moved[i].rows, moved[i].sum, back.rows, back.sum);
    }
    return true;
}

bool store_copy(const struct store_copy *c, struct store_copy_table ret[static STORE_COPY_TABLES],
                struct err *err)
{
    struct store_copy_table moved[STORE_COPY_TABLES];
    if (!begin(c, err) || !move(c, moved, err) || !verify(c, moved, err))
        return false;
    // Somebody may have started a server on the source meanwhile.
    if (!unused(c->from, "source", err) || !c->to->ops->setting_put(c->to, str_of(incomplete), STR_NONE, err))
        return false;
    memcpy(ret, moved, sizeof moved);
    return true;
}

bool store_whole(struct store *s, struct err *err)
{
    struct arena a CLEANUP(arena_release);
    struct str value;
    struct err why = {0};
    arena_init(&a, WORD_BYTES_MAX);
    if (s->ops->setting_get(s, str_of(incomplete), &value, &a, &why))
        return ERR(err, ERR_CONFIG,
                   "the database holds an interrupted copy: empty it and run chronos db copy again");
    if (why.code == ERR_NOT_FOUND)
        return true;
    *err = why;
    return false;
}
