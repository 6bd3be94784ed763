// SPDX-License-Identifier: Apache-2.0
// Memos in memory.
#include "base/mem.h"
#include "store/memory/memory.h"

struct memo {
    struct ulid job_id;
    struct str name, value;
};

static struct ulid memo_key(struct ulid job_id, struct str name)
{
    char bytes[sizeof job_id.b + MEMO_NAME_MAX];
    must(name.n <= MEMO_NAME_MAX);
    memcpy(bytes, job_id.b, sizeof job_id.b);
    memcpy(bytes + sizeof job_id.b, name.p, name.n);
    return map_key(bytes, sizeof job_id.b + name.n);
}

bool mem_memo_get(struct store *s, struct ulid job_id, struct str name, struct str *ret, struct arena *a,
                  struct err *err)
{
    (void)a; // texts of this store never change
    struct mem_call c;
    if (!call_begin(&c, s, "memo_get", false, err))
        return false;
    const struct memo *v = map_get(&c.m->memos, memo_key(job_id, name));
    *ret = v ? v->value : STR_NONE;
    return call_end(&c, true, err);
}

static void row_put(struct mem *m, struct ulid job_id, struct str name, struct str value)
{
    struct ulid key = memo_key(job_id, name);
    struct memo *own = map_get(&m->memos, key);
    if (!own) {
        own = mem_take(m, 1, sizeof *own);
        *own = (struct memo){.job_id = job_id, .name = mem_text(m, name)};
        (void)map_put(&m->memos, key, own);
    }
    own->value = mem_text(m, value);
}

static bool put(struct mem *m, struct ulid run_id, int64_t token, struct str name, struct str value,
                struct err *err)
{
    const struct run_row *r = map_get(&m->runs, run_id);
    if (!r || r->r.status != RUN_RUNNING || r->r.token != token || !job_live(m, r->r.job_id))
        return ERR(err, ERR_STALE, "the run has another owner by now, or its job was deleted");
    row_put(m, r->r.job_id, name, value);
    return true;
}

bool mem_memo_put(struct store *s, struct ulid run_id, int64_t token, struct str name, struct str value,
                  struct err *err)
{
    struct mem_call c;
    return call_begin(&c, s, "memo_put", true, err) &&
           call_end(&c, put(c.m, run_id, token, name, value, err), err);
}

static bool set(struct mem *m, struct ulid job_id, struct str name, struct str value, struct err *err)
{
    char text[ULID_TEXT_MAX];
    if (!job_live(m, job_id))
        return ERR(err, ERR_NOT_FOUND, "job \"%s\" does not exist", ulid_format(job_id, text));
    row_put(m, job_id, name, value);
    change_add(m, CHANGE_PING, job_id, 0);
    return true;
}

bool mem_memo_set(struct store *s, struct ulid job_id, struct str name, struct str value, struct err *err)
{
    struct mem_call c;
    return call_begin(&c, s, "memo_set", true, err) && call_end(&c, set(c.m, job_id, name, value, err), err);
}

// Starts again after each, because removing moves slots.
void memos_remove(struct mem *m, struct ulid job_id)
{
    void *v;
    for (size_t i = 0; (i = map_next(&m->memos, i, &v));) {
        const struct memo *one = v;
        if (!ulid_eq(one->job_id, job_id))
            continue;
        (void)map_remove(&m->memos, memo_key(one->job_id, one->name));
        i = 0;
    }
}
