// SPDX-License-Identifier: Apache-2.0
// The promises of semantics.md §1, checked after the quiet period against the journal of real starts and the
// store's rows. Due instants are computed here by plain arithmetic from what the users were promised.
#include "base/mem.h"
#include "tests/sim/hosts.h"

enum { WINDOW_S = 3, TROUBLE_BEFORE_S = 90, OVERDUE_S = 60 };

struct checker {
    struct sim *s;
    struct run *rows;  // by run key and attempt
    size_t n_rows, cap_rows;
    struct start **starts; // by run id
    struct map dead;   // run key → dead letter
};

static void take_row(void *ctx, const struct run *r)
{
    struct checker *c = ctx;
    if (c->n_rows == c->cap_rows) {
        c->cap_rows = c->cap_rows ? 2 * c->cap_rows : 4096;
        c->rows = mem_resize(c->rows, c->cap_rows, sizeof *c->rows);
    }
    c->rows[c->n_rows++] = *r;
}

static void take_dead(void *ctx, const struct dead_letter *d)
{
    struct checker *c = ctx;
    char key[ULID_TEXT_MAX];
    if (map_put(&c->dead, d->run_key, (void *)(uintptr_t)d))
        sim_violation(c->s, "rule 6: occurrence %s has two dead letters", ulid_format(d->run_key, key));
    if (d->reason.n == 0)
        sim_violation(c->s, "rule 6: dead letter of %s has no reason", ulid_format(d->run_key, key));
}

static int by_key_and_attempt(const void *a, const void *b)
{
    const struct run *x = a, *y = b;
    int c = ulid_cmp(x->run_key, y->run_key);
    return c ? c : (x->attempt > y->attempt) - (x->attempt < y->attempt);
}

static int by_run_id(const void *a, const void *b)
{
    return ulid_cmp((*(struct start *const *)a)->run_id, (*(struct start *const *)b)->run_id);
}

static struct start *find_start(const struct checker *c, struct ulid id)
{
    struct start probe = {.run_id = id}, *at = &probe;
    struct start **found = c->s->n_starts == 0
                               ? NULL
                               : bsearch(&at, c->starts, c->s->n_starts, sizeof(struct start *), by_run_id);
    return found ? *found : NULL;
}

static bool trouble_between(const struct sim *s, int64_t from_us, int64_t to_us)
{
    for (size_t i = 0; i < s->n_troubles; i++)
        if (s->troubles[i].us >= from_us && s->troubles[i].us <= to_us)
            return true;
    return false;
}

// ---- rules 2, 3, 4: what ran against what is recorded --------------------------------------------

static void check_start_unique(struct checker *c)
{
    char id[ULID_TEXT_MAX];
    for (size_t i = 1; i < c->s->n_starts; i++)
        if (ulid_eq(c->starts[i]->run_id, c->starts[i - 1]->run_id) &&
            !check_forgotten(c->s, c->starts[i]->run_id)) // its claim was forgotten: it had to be started again
            sim_violation(c->s, "rule 3: run %s was started twice", ulid_format(c->starts[i]->run_id, id));
}

static void check_result(struct checker *c, const struct run *r)
{
    char id[ULID_TEXT_MAX];
    if (check_forgotten(c->s, r->id))
        return;
    const struct start *j = find_start(c, r->id);
    bool ran = r->status == RUN_SUCCEEDED || r->status == RUN_FAILED || r->status == RUN_TIMED_OUT;
    (void)ulid_format(r->id, id);
    if (ran && !j)
        sim_violation(c->s, "rule 2: run %s is recorded %s but never started", id, run_status_names[r->status]);
    if (j && (r->status == RUN_SUCCEEDED || r->status == RUN_FAILED) && j->status != r->status)
        sim_violation(c->s, "rule 4: run %s is recorded %s but ended otherwise", id, run_status_names[r->status]);
    if (j && (r->status == RUN_SKIPPED || r->status == RUN_MISSED))
        sim_violation(c->s, "rule 1: run %s started although it is %s", id, run_status_names[r->status]);
    int told = (int)(uintptr_t)map_get(&c->s->told, r->id);
    if (told > 0 && told - 1 != r->status)
        sim_violation(c->s, "rule 5: run %s was told to be %s and is %s", id, run_status_names[told - 1],
                      run_status_names[r->status]);
}

// By the clock of the node that started it.
static void check_window(struct checker *c, const struct run *r, const struct start *j, struct duration late)
{
    struct mono due = {j->at.us - late.us};
    char id[ULID_TEXT_MAX];
    if (check_forgotten(c->s, r->id))
        return;
    if (late.us < 0 && excused_late(c->s, j->at, mono_add(j->at, duration_s(WINDOW_S))))
        sim_violation(c->s, "run %s started early", ulid_format(r->id, id));
    if (late.us > 0 && !excused_late(c->s, due, j->at))
        sim_violation(c->s, "rule 2: run %s started %lld ms late without trouble", ulid_format(r->id, id),
                      (long long)(late.us / US_PER_MS));
}

static void check_on_time(struct checker *c, const struct run *r)
{
    const struct start *j = find_start(c, r->id);
    const struct sim_job *job = users_job(c->s, r->job_id);
    char id[ULID_TEXT_MAX];
    bool waits = job->job.concurrency_policy == CONCURRENCY_QUEUE || job->job.concurrency_policy == CONCURRENCY_REPLACE;
    if (!j || r->trigger != TRIGGER_SCHEDULE || r->attempt > 1 || waits || job->rewound || c->s->narrow)
        return;
    struct duration late = instant_since(j->wall, r->scheduled);
    if (c->s->cluster) {
        check_window(c, r, j, late);
        return;
    }
    if (late.us < 0)
        sim_violation(c->s, "run %s started early", ulid_format(r->id, id));
    if (late.us > duration_s(WINDOW_S).us &&
        !trouble_between(c->s, j->at.us - late.us - duration_s(TROUBLE_BEFORE_S).us, j->at.us))
        sim_violation(c->s, "rule 2: run %s (schedule kind %d) started %lld ms late without trouble",
                      ulid_format(r->id, id), (int)job->kind, (long long)(late.us / US_PER_MS));
}

// ---- the attempts of one occurrence --------------------------------------------------------------

static void check_attempt_follows(struct checker *c, const struct run *before, const struct run *r)
{
    char id[ULID_TEXT_MAX];
    if (check_forgotten(c->s, r->run_key))
        return;
    (void)ulid_format(r->id, id);
    if (r->attempt == before->attempt)
        sim_violation(c->s, "rule 1: attempt %lld of %s exists twice", (long long)r->attempt, id);
    else if (r->attempt != before->attempt + 1)
        sim_violation(c->s, "attempt %lld of %s follows %lld", (long long)r->attempt, id, (long long)before->attempt);
    if (!run_status_failed(before->status))
        sim_violation(c->s, "rule 4: %s is a further attempt although the one before is %s", id,
                      run_status_names[before->status]);
    if (r->lost_count != before->lost_count + (before->status == RUN_LOST))
        sim_violation(c->s, "lost attempts of %s are not counted", id);
}

static void check_last_attempt(struct checker *c, const struct run *r)
{
    char id[ULID_TEXT_MAX];
    if (check_forgotten(c->s, r->run_key))
        return;
    const struct sim_job *j = users_job(c->s, r->job_id);
    bool dead = map_get(&c->dead, r->run_key) != NULL, failed = run_status_failed(r->status);
    (void)ulid_format(r->id, id);
    if (failed && !dead && !j->deleted)
        sim_violation(c->s, "run %s ended %s: no further attempt, no dead letter", id, run_status_names[r->status]);
    if (dead && !failed)
        sim_violation(c->s, "run %s is %s and has a dead letter", id, run_status_names[r->status]);
    int64_t max = j->job.retry_policy.max_attempts > 1 ? j->job.retry_policy.max_attempts : 1;
    if (r->attempt - r->lost_count > max)
        sim_violation(c->s, "run %s is attempt %lld of at most %lld", id, (long long)(r->attempt - r->lost_count),
                      (long long)max);
}

static void check_occurrences(struct checker *c)
{
    for (size_t i = 0; i < c->n_rows; i++) {
        const struct run *r = &c->rows[i];
        bool first = i == 0 || !ulid_eq(r->run_key, c->rows[i - 1].run_key);
        bool last = i + 1 == c->n_rows || !ulid_eq(r->run_key, c->rows[i + 1].run_key);
        check_result(c, r);
        check_on_time(c, r);
        if (!first)
            check_attempt_follows(c, &c->rows[i - 1], r);
        else if (r->attempt != 1)
            sim_violation(c->s, "an occurrence begins with attempt %lld", (long long)r->attempt);
        if (last)
            check_last_attempt(c, r);
    }
}

// ---- rule 6: nothing without an owner or a due time -----------------------------------------------

static bool proc_has(const struct proc *p, struct ulid run_id, struct ulid job_id)
{
    for (const struct flight *f = p ? p->flights : NULL; f; f = f->next)
        if (ulid_eq(f->attempt->run_id, run_id) || ulid_eq(f->attempt->job_id, job_id))
            return true;
    return false;
}

static bool anybody_has(const struct sim *s, struct ulid run_id, struct ulid job_id)
{
    for (int i = 0; s->cluster && i < s->cluster->n; i++)
        if (proc_has(s->cluster->hosts[i].proc, run_id, job_id))
            return true;
    return proc_has(s->now, run_id, job_id);
}

static bool in_flight(const struct sim *s, struct ulid id) { return anybody_has(s, id, ULID_ZERO); }

static bool job_busy(const struct checker *c, struct ulid job_id) { return anybody_has(c->s, ULID_ZERO, job_id); }

static void check_unfinished(struct checker *c)
{
    char id[ULID_TEXT_MAX];
    for (size_t i = 0; i < c->n_rows; i++) {
        const struct run *r = &c->rows[i];
        (void)ulid_format(r->id, id);
        bool fresh = r->start.us > sim_wall(c->s).us - duration_s(WINDOW_S).us; // its owner is about to hear of it
        if (r->status == RUN_RUNNING && !in_flight(c->s, r->id) && !fresh)
            sim_violation(c->s, "rule 6: run %s is RUNNING and nobody has it", id);
        if (r->status == RUN_QUEUED && r->due.us < sim_wall(c->s).us - duration_s(OVERDUE_S).us &&
            !job_busy(c, r->job_id) && !c->s->narrow)
            sim_violation(c->s, "rule 6: run %s is QUEUED, due, and nobody starts it", id);
    }
}

static bool job_has_unfinished(const struct checker *c, struct ulid job_id)
{
    for (size_t i = 0; i < c->n_rows; i++)
        if (ulid_eq(c->rows[i].job_id, job_id) && !run_status_final(c->rows[i].status))
            return true;
    return false;
}

static void check_job(void *ctx, const struct job_row *row)
{
    struct checker *c = ctx;
    const struct sim_job *j = users_job(c->s, row->id);
    const struct plan *p = &row->plan;
    char id[ULID_TEXT_MAX];
    (void)ulid_format(row->id, id);
    if (row->deleted != j->deleted)
        sim_violation(c->s, "rule 5: job %s: the acknowledged deletion is %s", id, row->deleted ? "extra" : "lost");
    if (row->deleted || j->deleted)
        return;
    if (p->version != j->job.version || (p->state == JOB_STATE_PAUSED) != j->paused)
        sim_violation(c->s, "rule 5: job %s: an acknowledged change is lost", id);
    if (j->paused)
        return;
    if (p->next_fire.us < sim_wall(c->s).us - duration_s(OVERDUE_S).us && !c->s->narrow)
        sim_violation(c->s, "rule 6: job %s is due and nobody decides", id);
    if (j->kind == SIM_AFTER_END && instant_is_never(p->next_fire) && !job_has_unfinished(c, row->id))
        sim_violation(c->s, "rule 6: job %s waits for the end of nothing", id);
}

void check_all(struct sim *s)
{
    struct checker c = {.s = s};
    map_init(&c.dead);
    store_memory_each_run(s->store, take_row, &c);
    store_memory_each_dead_letter(s->store, take_dead, &c);
    if (c.n_rows > 0)
        qsort(c.rows, c.n_rows, sizeof *c.rows, by_key_and_attempt);
    c.starts = mem_array(s->n_starts + 1, sizeof *c.starts);
    for (size_t i = 0; i < s->n_starts; i++)
        c.starts[i] = &s->starts[i];
    qsort(c.starts, s->n_starts, sizeof *c.starts, by_run_id);
    check_start_unique(&c);
    check_occurrences(&c);
    check_unfinished(&c);
    store_memory_each_job(s->store, check_job, &c);
    check_decisions(s, c.rows, c.n_rows);
    check_overlaps(s);
    check_chains(s, c.rows, c.n_rows, &c.dead);
    map_release(&c.dead);
    mem_free(c.rows);
    mem_free((void *)c.starts);
}
