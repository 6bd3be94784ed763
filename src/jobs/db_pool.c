// SPDX-License-Identifier: Apache-2.0
// A short list in the order of giving: the first is the oldest. Connections are closed outside the lock,
// because that may wait for a server.
#include "jobs/db_pool.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/sync.h"

struct idle {
    struct ulid key;
    struct query *q;
    struct mono until;
};
struct db_pool {
    const struct clock *clock;
    struct mutex lock;
    struct cond changed;
    struct idle v[DB_POOL_MAX]; // under lock, as the next two
    size_t n;
    bool closing;
    pthread_t closer;
};

// Under the lock.
static struct query *remove_at(struct db_pool *p, size_t i)
{
    struct query *q = p->v[i].q;
    memmove(&p->v[i], &p->v[i + 1], (p->n - i - 1) * sizeof p->v[0]);
    p->n--;
    return q;
}

static void *closer_main(void *arg)
{
    struct db_pool *p = arg;
    mutex_lock(&p->lock);
    while (!p->closing) {
        struct mono now = clock_mono(p->clock);
        if (p->n > 0 && now.us >= p->v[0].until.us) {
            struct query *q = remove_at(p, 0);
            mutex_unlock(&p->lock);
            query_close(q);
            mutex_lock(&p->lock);
        } else if (p->n > 0) {
            (void)cond_wait_for(&p->changed, &p->lock, mono_since(p->v[0].until, now));
        } else {
            cond_wait(&p->changed, &p->lock);
        }
    }
    mutex_unlock(&p->lock);
    return NULL;
}

struct db_pool *db_pool_new(const struct clock *clock)
{
    struct db_pool *p = mem_new(struct db_pool);
    p->clock = clock;
    mutex_init(&p->lock, LOCK_DB_POOL);
    cond_init(&p->changed);
    p->closer = thread_start("db-pool", closer_main, p);
    return p;
}

void db_pool_free(struct db_pool *p)
{
    if (!p)
        return;
    mutex_lock(&p->lock);
    p->closing = true;
    cond_signal(&p->changed);
    mutex_unlock(&p->lock);
    must(pthread_join(p->closer, NULL) == 0);
    while (p->n > 0)
        query_close(remove_at(p, p->n - 1));
    cond_release(&p->changed);
    mutex_release(&p->lock);
    mem_free(p);
}

// The one given last: its server has the least reason to have ended it.
static struct query *take(struct db_pool *p, struct ulid key)
{
    WITH_LOCK(&p->lock);
    for (size_t i = p->n; i > 0; i--)
        if (ulid_eq(p->v[i - 1].key, key))
            return remove_at(p, i - 1);
    return NULL;
}

struct query *db_pool_take(struct db_pool *p, struct ulid key)
{
    struct query *q;
    while (p && (q = take(p, key)) != NULL) {
        if (query_alive(q))
            return q;
        query_close(q);
    }
    return NULL;
}

void db_pool_give(struct db_pool *p, struct ulid key, struct query *q)
{
    struct query *surplus = p ? NULL : q;
    if (p) {
        WITH_LOCK(&p->lock);
        size_t same = 0, oldest = 0;
        for (size_t i = p->n; i > 0; i--)
            if (ulid_eq(p->v[i - 1].key, key)) {
                same++;
                oldest = i - 1;
            }
        if (same == DB_POOL_PER_KEY_MAX || p->n == DB_POOL_MAX)
            surplus = remove_at(p, same == DB_POOL_PER_KEY_MAX ? oldest : 0);
        p->v[p->n++] = (struct idle){key, q, mono_add(clock_mono(p->clock), duration_s(DB_POOL_IDLE_S))};
        cond_signal(&p->changed);
    }
    query_close(surplus);
}
