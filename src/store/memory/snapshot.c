// SPDX-License-Identifier: Apache-2.0
// The memory store as it was a moment ago: a failover to a copy that had not heard of the last commits. Rows keep their
// places; what was written since is out of reach afterwards. Users, sessions, settings, secrets
// and memos are not taken back.
#include "base/mem.h"
#include "store/memory/memory.h"

// Rows by id and what was in them.
struct kept_rows {
    void **places;
    char *values;
    size_t n, size;
};

struct store_snapshot {
    struct kept_rows jobs, runs, dlq;
    struct row_list unfinished;
    struct mem_rows nodes, changes, duties, outbox;
};

static void *copy_of(const void *v, size_t n, size_t size)
{
    void *copy = mem_array(n + 1, size);
    if (n > 0)
        memcpy(copy, v, n * size);
    return copy;
}

static void rows_keep(struct kept_rows *k, const struct row_list *l, size_t size)
{
    *k = (struct kept_rows){
        .places = copy_of((const void *)l->v, l->n, sizeof *l->v), .n = l->n, .size = size};
    k->values = mem_array(l->n + 1, size);
    for (size_t i = 0; i < l->n; i++)
        memcpy(k->values + i * size, l->v[i], size);
}

static struct mem_rows mem_rows_copy(const struct mem_rows *r)
{
    struct mem_rows copy = *r;
    copy.v = copy_of(r->v, r->n, r->size);
    copy.cap = r->n + 1;
    return copy;
}

struct store_snapshot *store_memory_snapshot(struct store *s)
{
    struct mem *m = (struct mem *)s;
    struct store_snapshot *k = mem_new(struct store_snapshot);
    WITH_LOCK(&m->lock);
    rows_keep(&k->jobs, &m->jobs_by_id, sizeof(struct job_row));
    rows_keep(&k->runs, &m->runs_by_id, sizeof(struct run_row));
    rows_keep(&k->dlq, &m->dlq_by_id, sizeof(struct dead_letter));
    k->unfinished = (struct row_list){.v = copy_of((const void *)m->unfinished.v, m->unfinished.n, sizeof(void *)),
                                      .n = m->unfinished.n,
                                      .cap = m->unfinished.n + 1};
    k->nodes = mem_rows_copy(&m->nodes);
    k->changes = mem_rows_copy(&m->changes);
    k->duties = mem_rows_copy(&m->duties);
    k->outbox = mem_rows_copy(&m->outbox);
    return k;
}

void store_snapshot_free(struct store_snapshot *k)
{
    if (!k)
        return;
    struct kept_rows *rows[] = {&k->jobs, &k->runs, &k->dlq};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        mem_free((void *)rows[i]->places);
        mem_free(rows[i]->values);
    }
    struct mem_rows *lists[] = {&k->nodes, &k->changes, &k->duties, &k->outbox};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        mem_free(lists[i]->v);
    mem_free((void *)k->unfinished.v);
    mem_free(k);
}

// ---- going back ----------------------------------------------------------------------------------

static struct ulid id_of(const void *row)
{
    struct ulid id;
    memcpy(&id, row, sizeof id);
    return id;
}

static void rows_restore(const struct kept_rows *k, struct row_list *l, struct map *by_id)
{
    map_release(by_id);
    map_init(by_id);
    for (size_t i = 0; i < k->n; i++) {
        memcpy(k->places[i], k->values + i * k->size, k->size);
        (void)map_put(by_id, id_of(k->places[i]), k->places[i]);
    }
    must(k->n <= l->cap);
    if (k->n > 0)
        memcpy((void *)l->v, (const void *)k->places, k->n * sizeof *l->v);
    l->n = k->n;
}

// Runs that are another thing now than they were in the snapshot, or were not there.
static void tell_forgotten(struct mem *m, const struct store_snapshot *k,
                           void (*forgotten)(void *ctx, const struct run *r), void *ctx)
{
    size_t at = 0;
    for (size_t i = 0; i < m->runs_by_id.n; i++) {
        const struct run_row *now = m->runs_by_id.v[i];
        while (at < k->runs.n && ulid_cmp(id_of(k->runs.places[at]), now->r.id) < 0)
            at++;
        const struct run_row *then =
            at < k->runs.n && k->runs.places[at] == (const void *)now
                ? (const struct run_row *)(const void *)(k->runs.values + at * k->runs.size)
                : NULL;
        if (!then || then->r.status != now->r.status || then->r.token != now->r.token ||
            then->r.cancel_requested != now->r.cancel_requested)
            forgotten(ctx, &now->r);
    }
}

void store_memory_restore(struct store *s, struct store_snapshot *k, void (*forgotten)(void *ctx, const struct run *r),
                          void *ctx)
{
    struct mem *m = (struct mem *)s;
    WITH_LOCK(&m->lock);
    tell_forgotten(m, k, forgotten, ctx);
    rows_restore(&k->jobs, &m->jobs_by_id, &m->jobs);
    rows_restore(&k->runs, &m->runs_by_id, &m->runs);
    rows_restore(&k->dlq, &m->dlq_by_id, &m->dlq);
    mem_free((void *)m->unfinished.v);
    m->unfinished = k->unfinished;
    k->unfinished = (struct row_list){.v = NULL};
    struct mem_rows *to[] = {&m->nodes, &m->changes, &m->duties, &m->outbox};
    struct mem_rows *from[] = {&k->nodes, &k->changes, &k->duties, &k->outbox};
    for (size_t i = 0; i < sizeof to / sizeof to[0]; i++) {
        mem_free(to[i]->v);
        *to[i] = *from[i];
        from[i]->v = NULL;
    }
}
