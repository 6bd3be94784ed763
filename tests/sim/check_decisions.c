// SPDX-License-Identifier: Apache-2.0
// Rule 1: one decision per due instant; and the concurrency policy, seen from the journal of real starts.
#include "base/mem.h"
#include "tests/sim/hosts.h"

enum { GIVE_UP_S = 30, BEGIN_LATE_S = 1 }; // an attempt begins after its time has begun to count

// Decisions of one job: rows of first attempts that a schedule made.
struct decisions {
    struct sim *s;
    const struct sim_job *job;
    const struct run **v; // by first occurrence
    size_t n;
};

static bool is_decision(const struct run *r)
{
    return r->attempt == 1 && (r->trigger == TRIGGER_SCHEDULE || r->trigger == TRIGGER_CATCH_UP);
}

static int by_job_and_first(const void *a, const void *b)
{
    const struct run *x = *(const struct run *const *)a, *y = *(const struct run *const *)b;
    int c = ulid_cmp(x->job_id, y->job_id);
    return c ? c : (x->first_scheduled.us > y->first_scheduled.us) - (x->first_scheduled.us < y->first_scheduled.us);
}

// How many rows decide t. Rows that cover a range do so for every occurrence in it.
static int deciders(const struct decisions *d, struct instant t)
{
    int n = 0;
    size_t low = 0, high = d->n; // first row that begins after t
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (d->v[middle]->first_scheduled.us <= t.us)
            low = middle + 1;
        else
            high = middle;
    }
    bool again = d->job->rewound;
    for (size_t i = low; i-- > 0;) {
        n += d->v[i]->scheduled.us >= t.us;
        if (!again && i + 2 < low)
            break; // ranges do not overlap: looking back two rows finds any double decision
    }
    return again && n > 1 ? 1 : n; // what was rewound may be covered by a range once more, but never start again
}

// It was decided, and started; a failover forgot the record of it while its owner went on.
static bool record_forgotten(const struct decisions *d, struct instant t)
{
    struct ulid job = d->job->job.id;
    return check_forgotten(d->s, run_id_of(job, t, run_key_of(job, t), 1));
}

static void check_era(const struct decisions *d, const struct era *e, struct instant end)
{
    char id[ULID_TEXT_MAX], at[INSTANT_TEXT_MAX];
    bool ignored = d->job->job.schedule.misfire_policy == MISFIRE_IGNORE;
    for (struct instant t = e->from; t.us < end.us && t.us <= sim_wall(d->s).us;) {
        int n = deciders(d, t);
        if (n != 1 && !(n == 0 && (ignored || record_forgotten(d, t))))
            sim_violation(d->s, "rule 1: job %s at %s has %d decisions", ulid_format(d->job->job.id, id),
                          instant_format(t, at), n);
        if (e->step.us == 0)
            break;
        t.us += e->step.us;
    }
}

static bool promised(const struct sim_job *j, struct instant t)
{
    for (size_t i = 0; i < j->n_eras; i++) {
        const struct era *e = &j->eras[i];
        if (t.us == e->from.us && t.us < e->to.us)
            return true;
        if (t.us > e->from.us && t.us < e->to.us && e->step.us > 0 && (t.us - e->from.us) % e->step.us == 0)
            return true;
    }
    return false;
}

static void check_job(const struct decisions *d, struct instant next_fire)
{
    char id[ULID_TEXT_MAX], at[INSTANT_TEXT_MAX];
    if (d->job->kind == SIM_AFTER_END)
        return; // its instants follow from the ends of its runs
    for (size_t i = 0; i < d->job->n_eras; i++) {
        const struct era *e = &d->job->eras[i];
        check_era(d, e, e->to.us < next_fire.us ? e->to : next_fire);
    }
    for (size_t i = 0; i < d->n && !d->job->rewound; i++) // a rewound plan's eras end before what was decided
        if (!promised(d->job, d->v[i]->scheduled))
            sim_violation(d->s, "rule 1: job %s was decided at %s, which is no occurrence of it",
                          ulid_format(d->job->job.id, id), instant_format(d->v[i]->scheduled, at));
}

struct next_fires {
    struct map by_job; // next fire + 1, as a pointer
};

static void take_next(void *ctx, const struct job_row *row)
{
    struct next_fires *f = ctx;
    struct instant next = row->deleted ? INSTANT_NEVER : row->plan.next_fire;
    (void)map_put(&f->by_job, row->id, (void *)(uintptr_t)next.us);
}

void check_decisions(struct sim *s, const struct run *rows, size_t n)
{
    const struct run **v = mem_array(n + 1, sizeof *v);
    struct next_fires next;
    size_t k = 0;
    map_init(&next.by_job);
    store_memory_each_job(s->store, take_next, &next);
    for (size_t i = 0; i < n; i++)
        if (is_decision(&rows[i]))
            v[k++] = &rows[i];
    qsort(v, k, sizeof *v, by_job_and_first);
    for (int i = 0; i < s->o.jobs; i++) {
        struct decisions d = {.s = s, .job = &s->jobs[i]};
        struct run probe = {.job_id = d.job->job.id, .first_scheduled = {INT64_MIN}};
        size_t low = 0, high = k;
        while (low < high) {
            size_t middle = (low + high) / 2;
            const struct run *p = &probe;
            if (by_job_and_first(&v[middle], &p) < 0)
                low = middle + 1;
            else
                high = middle;
        }
        d.v = v + low;
        while (low + d.n < k && ulid_eq(v[low + d.n]->job_id, probe.job_id))
            d.n++;
        check_job(&d, (struct instant){(int64_t)(uintptr_t)map_get(&next.by_job, probe.job_id)});
    }
    map_release(&next.by_job);
    mem_free((void *)v);
}

// ---- concurrency --------------------------------------------------------------------------------

// The owner of the earlier one was lost, or gave it up, or a claim was forgotten.
static bool excused_overlap(const struct sim *s, const struct start *a, const struct start *b)
{
    int64_t patience = duration_s(s->jobs[a->job].job.timeout_seconds + GIVE_UP_S - BEGIN_LATE_S).us;
    const struct tenure *t = tenure_of(s, a->token);
    return !t || t->until.us <= b->at.us || b->at.us - a->at.us >= patience || check_forgotten(s, a->run_id) ||
           check_forgotten(s, b->run_id) || check_forgotten(s, a->run_key);
}

static bool excused(const struct sim *s, const struct start *a, const struct start *b)
{
    if (s->cluster)
        return excused_overlap(s, a, b);
    int64_t patience = duration_s(s->jobs[a->job].job.timeout_seconds + GIVE_UP_S).us;
    return a->proc != b->proc || b->at.us - a->at.us >= patience; // lost owner, or given up
}

void check_overlaps(struct sim *s)
{
    // The journal is in order of time. Per job: the start that lasts longest so far.
    const struct start **last = mem_array((size_t)s->o.jobs, sizeof *last);
    char a[ULID_TEXT_MAX], b[ULID_TEXT_MAX];
    for (size_t i = 0; i < s->n_starts; i++) {
        const struct start *now = &s->starts[i], *before = last[now->job];
        bool alone = s->jobs[now->job].job.concurrency_policy != CONCURRENCY_ALLOW;
        if (alone && before && before->end.us > now->at.us && !excused(s, before, now))
            sim_violation(s, "runs %s and %s of one job overlap against its policy", ulid_format(before->run_id, a),
                          ulid_format(now->run_id, b));
        if (!before || now->end.us >= before->end.us)
            last[now->job] = now;
    }
    mem_free((void *)last);
}
