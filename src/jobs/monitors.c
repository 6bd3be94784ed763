// SPDX-License-Identifier: Apache-2.0
// A map from job to its waiting runs. A message to a loop carries a number, so that one that comes late finds nothing.
#include "jobs/monitors.h"

#include "base/map.h"
#include "base/mem.h"
#include "base/sync.h"
#include "net/loop.h"

struct monitors {
    struct mutex lock;
    struct map by_job; // struct monitor_wait: the first of a list
    struct map by_number;
    int64_t last;
};

static struct ulid key_of(int64_t number)
{
    struct ulid key = ULID_ZERO;
    memcpy(key.b, &number, sizeof number);
    return key;
}

struct monitors *monitors_new(void)
{
    struct monitors *m = mem_new(struct monitors);
    mutex_init(&m->lock, LOCK_MONITORS);
    map_init(&m->by_job);
    map_init(&m->by_number);
    return m;
}

void monitors_free(struct monitors *m)
{
    if (!m)
        return;
    must(m->by_number.n == 0);
    map_release(&m->by_job);
    map_release(&m->by_number);
    mutex_release(&m->lock);
    mem_free(m);
}

void monitors_add(struct monitors *m, struct monitor_wait *w)
{
    WITH_LOCK(&m->lock);
    w->number = ++m->last;
    w->next = map_get(&m->by_job, w->job_id);
    (void)map_put(&m->by_job, w->job_id, w);
    (void)map_put(&m->by_number, key_of(w->number), w);
}

void monitors_remove(struct monitors *m, struct monitor_wait *w)
{
    WITH_LOCK(&m->lock);
    must(map_remove(&m->by_number, key_of(w->number)) == w);
    struct monitor_wait *first = map_get(&m->by_job, w->job_id), **at = &first;
    while (*at != w)
        at = &(*at)->next;
    *at = w->next;
    if (first)
        (void)map_put(&m->by_job, w->job_id, first);
    else
        (void)map_remove(&m->by_job, w->job_id);
}

// On the loop of the wait, under the lock: what is found is not removed meanwhile.
static void tell(void *arg, uint64_t number)
{
    struct monitors *m = arg;
    WITH_LOCK(&m->lock);
    struct monitor_wait *w = map_get(&m->by_number, key_of((int64_t)number));
    if (w)
        w->woken(w);
}

void monitors_wake(struct monitors *m, struct ulid job_id)
{
    WITH_LOCK(&m->lock);
    for (struct monitor_wait *w = map_get(&m->by_job, job_id); w; w = w->next)
        if (!loop_post(w->loop, tell, m, (uint64_t)w->number))
            return; // stopping or drowning: the runs end by their deadlines, which read too
}
