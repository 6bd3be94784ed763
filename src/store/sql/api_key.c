// SPDX-License-Identifier: Apache-2.0
// API keys, of which only hashes are kept.
#include "store/sql/account.h"

enum { SCOPES_TEXT_MAX = 4096 };
enum { COL_ID, COL_OWNER, COL_NAME, COL_SCOPES, COL_CREATED, COL_EXPIRES, COL_USED, COL_HASH };

static bool insert_write(struct db *d, void *arg, struct err *err)
{
    const struct api_key *k = *(const struct api_key **)arg;
    char scopes[SCOPES_TEXT_MAX];
    struct db_stmt *s;
    if (!sql_query(d, STORE_API_KEY_PUT, &s, err))
        return false;
    db_put_id(s, 1, &k->id);
    db_put_id(s, 2, &k->owner_id);
    db_put_text(s, 3, k->name);
    db_put_blob(s, 4, k->hash, sizeof k->hash);
    db_put_text(s, 5, words_join(&k->scopes, scopes, sizeof scopes));
    db_put_i64(s, 6, k->created_at.us);
    bind_instant(s, 7, k->expires_at);
    bind_instant(s, 8, k->last_used_at);
    if (!db_run(s, err))
        return false;
    return db_changes(d) == 1 || ERR(err, ERR_CONFLICT, "this API key exists already");
}

bool sql_key_insert(struct store *s, const struct api_key *k, struct err *err)
{
    return sql_write(s, insert_write, &k, 1, err);
}

static bool row_read(struct db_stmt *s, struct api_key *ret, struct arena *a, struct err *err)
{
    struct str scopes = arena_str(a, db_bytes(s, COL_SCOPES)), hash = db_bytes(s, COL_HASH);
    struct api_key k = {
        .id = db_id(s, COL_ID),
        .owner_id = db_id(s, COL_OWNER),
        .name = arena_str(a, db_bytes(s, COL_NAME)),
        .created_at.us = db_i64(s, COL_CREATED),
        .expires_at = read_instant(s, COL_EXPIRES),
        .last_used_at = read_instant(s, COL_USED),
    };
    if (!k.name.p || !scopes.p || !words_split(scopes, &k.scopes, a))
        return sql_no_memory(err);
    if (hash.n == sizeof k.hash)
        memcpy(k.hash, hash.p, sizeof k.hash);
    *ret = k;
    return true;
}

static bool no_such_key(struct err *err) { return ERR(err, ERR_NOT_FOUND, "there is no such API key"); }

bool sql_key_by_hash(struct store *s, const uint8_t hash[API_KEY_HASH_BYTES], struct api_key *ret, struct arena *a,
                     struct err *err)
{
    struct sql_read r;
    bool row;
    if (!sql_read(&r, s, STORE_API_KEY_BY_HASH, err))
        return false;
    db_put_blob(r.s, 1, hash, API_KEY_HASH_BYTES);
    bool ok = db_step(r.s, &row, err) && (row ? row_read(r.s, ret, a, err) : no_such_key(err));
    sql_read_end(&r);
    return ok;
}

// ---- list ----

static bool count(struct store *st, const struct ulid *owner, struct page_result *ret, struct err *err)
{
    struct sql_read r;
    if (!sql_read(&r, st, STORE_API_KEYS_COUNT, err))
        return false;
    bind_optional_id(r.s, 1, owner);
    db_put_i64(r.s, 2, TOTAL_EXACT_MAX + 1);
    bool ok = list_total(&r, ret, err);
    sql_read_end(&r);
    return ok;
}

static bool list(struct store *st, const struct ulid *owner, struct cursor *at, struct pager *pager,
                 struct api_key *out, struct arena *a, struct err *err)
{
    struct sql_read r;
    struct ulid from = at->id;
    bool ok = true, row;
    if (!sql_read(&r, st, at->ascending ? STORE_API_KEYS_LIST_ASC : STORE_API_KEYS_LIST_DESC, err))
        return false;
    bind_optional_id(r.s, 1, owner);
    db_put_id(r.s, 2, &from);
    db_put_i64(r.s, 3, pager->skip + pager->size + 1);
    while (ok && (ok = db_step(r.s, &row, err)) && row)
        if (pager_next(pager) == PAGE_TAKE) {
            ok = row_read(r.s, &out[pager->n - 1], a, err);
            at->id = out[pager->n - 1].id;
        }
    sql_read_end(&r);
    return ok;
}

bool sql_keys_list(struct store *s, struct ulid owner, const struct page *p, struct api_key **ret, size_t *ret_n,
                   struct page_result *ret_page, struct arena *a, struct err *err)
{
    struct cursor at;
    struct page_result result;
    bool given;
    if (!page_open(p, 'k', id_sorts, &at, &given, a, err))
        return false;
    struct pager pager = {.skip = given ? 0 : p->offset, .size = p->size};
    struct api_key *out = arena_new_array(a, struct api_key, (size_t)p->size);
    if (!out)
        return sql_no_memory(err);
    if (!list(s, &owner, &at, &pager, out, a, err) || !count(s, &owner, &result, err))
        return false;
    result.next_cursor = pager.more ? cursor_write(&at, a) : STR_NONE;
    *ret = out;
    *ret_n = pager.n;
    *ret_page = result;
    return true;
}

// ---- use and end ----

struct key_removal {
    struct ulid id, owner;
    struct api_key *ret;
    struct arena *a;
};

// Run again for each try of the transaction: what an earlier one left in the arena is lost with the request.
static bool removal_write(struct db *d, void *arg, struct err *err)
{
    struct key_removal *w = arg;
    struct db_stmt *s;
    bool row;
    if (!sql_query(d, STORE_API_KEY_GET, &s, err))
        return false;
    db_put_id(s, 1, &w->id);
    if (!db_step(s, &row, err))
        return false;
    bool ok = row && row_read(s, w->ret, w->a, err);
    if (row)
        db_reset(s);
    if (row && !ok)
        return false;
    if (!row || (!ulid_is_zero(w->owner) && !ulid_eq(w->owner, w->ret->owner_id)))
        return no_such_key(err);
    if (!run_with_id(d, STORE_API_KEY_REMOVE, &w->id, err))
        return false;
    return db_changes(d) == 1 || no_such_key(err);
}

bool sql_key_delete(struct store *s, struct ulid id, struct ulid owner, struct api_key *ret, struct arena *a,
                    struct err *err)
{
    struct api_key k;
    struct key_removal w = {id, owner, &k, a};
    if (!sql_write(s, removal_write, &w, 1, err))
        return false;
    *ret = k;
    return true;
}

struct key_use {
    struct ulid id;
    struct instant at;
};

static bool use_write(struct db *d, void *arg, struct err *err)
{
    const struct key_use *w = arg;
    struct db_stmt *s;
    if (!sql_query(d, STORE_API_KEY_USED, &s, err))
        return false;
    db_put_id(s, 1, &w->id);
    db_put_i64(s, 2, w->at.us);
    return db_run(s, err);
}

bool sql_key_used(struct store *s, struct ulid id, struct instant at, struct err *err)
{
    struct key_use w = {id, at};
    return sql_write(s, use_write, &w, 1, err);
}
