// SPDX-License-Identifier: Apache-2.0
// Events for readers outside, in memory.
#include "store/memory/memory.h"

static struct outbox_event *event_add(struct mem *m)
{
    struct outbox_event *e = mem_rows_add(&m->outbox);
    *e = (struct outbox_event){.seq = ++m->outbox.seq,
                               .at = clock_now(m->clock),
                               .scheduled = INSTANT_NEVER,
                               .start = INSTANT_NEVER,
                               .end = INSTANT_NEVER,
                               .exit_code = FIELD_ABSENT};
    return e;
}

void event_add_job(struct mem *m, int what, struct ulid job_id, int64_t version)
{
    if (!m->events)
        return;
    struct outbox_event *e = event_add(m);
    e->of = OUTBOX_JOB;
    e->what = what;
    e->job_id = job_id;
    e->job_version = version;
}

void event_add_run(struct mem *m, const struct run *r)
{
    if (!m->events)
        return;
    struct outbox_event *e = event_add(m);
    e->of = OUTBOX_RUN;
    e->what = r->status;
    e->job_id = r->job_id;
    e->run_id = r->id;
    e->run_key = r->run_key;
    e->job_version = r->job_version;
    e->attempt = r->attempt;
    e->scheduled = r->scheduled;
    e->start = r->start;
    e->end = r->end;
    e->exit_code = r->exit_code;
    e->worker = mem_text(m, r->worker);
    e->error_class = mem_text(m, r->error_class);
    e->error_message = mem_text(m, r->error_message);
}

void mem_events_enable(struct store *s, bool on)
{
    struct mem *m = (struct mem *)s;
    WITH_LOCK(&m->lock);
    m->events = on;
}

bool mem_events_read(struct store *s, size_t max, struct outbox_event **ret, size_t *ret_n, struct arena *a,
                     struct err *err)
{
    struct mem_call c;
    if (!call_begin(&c, s, "events_read", false, err))
        return false;
    size_t n = c.m->outbox.n < max ? c.m->outbox.n : max;
    struct outbox_event *v = arena_new_array(a, struct outbox_event, n);
    if (!v)
        return call_end(&c, ERR(err, ERR_UNAVAILABLE, "no memory for the events"), err);
    if (n)
        memcpy(v, c.m->outbox.v, n * sizeof *v);
    *ret = v;
    *ret_n = n;
    return call_end(&c, true, err);
}

bool mem_events_remove(struct store *s, const int64_t *seqs, size_t n, struct err *err)
{
    struct mem_call c;
    if (!call_begin(&c, s, "events_remove", true, err))
        return false;
    for (size_t i = 0; i < n; i++) {
        const struct outbox_event *v = c.m->outbox.v;
        size_t at = 0;
        while (at < c.m->outbox.n && v[at].seq != seqs[i])
            at++;
        if (at < c.m->outbox.n)
            mem_rows_remove(&c.m->outbox, at, 1);
    }
    return call_end(&c, true, err);
}
