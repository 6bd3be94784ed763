// SPDX-License-Identifier: Apache-2.0
// One flush under construction.
#include "engine/batch.h"

#include "base/mem.h"
#include "model/chain.h"

enum {
    BATCH_ARENA_BUDGET = 64 * 1024 * 1024,
    LOG_LINES_PER_ROW = 4,          // log lines per flush, as a multiple of the rows
    LOG_BYTES_MAX = 2 * 1024 * 1024, // and their text
    CHANGES_PER_ROW = 3,
    NOTICES_FIRST = 16,
};

// Of finishes, and of the runs they start: the last finish may start CHAIN_LINKS_MAX beyond.
static size_t changes_max(const struct batch *b) { return (CHANGES_PER_ROW + 1) * b->max + CHAIN_LINKS_MAX; }

void batch_init(struct batch *b, size_t max)
{
    *b = (struct batch){.max = max, .rows_max = 2 * max};
    arena_init(&b->arena, BATCH_ARENA_BUDGET);
    b->flush.fires = mem_array(max, sizeof *b->flush.fires);
    b->flush.claims = mem_array(max, sizeof *b->flush.claims);
    b->flush.finishes = mem_array(max, sizeof *b->flush.finishes);
    b->planned = mem_array(max, sizeof(struct entry *));
    b->started = mem_array(max, sizeof(struct task **));
    b->claimed = mem_array(max, sizeof(struct task *));
    b->finished = mem_array(max, sizeof(struct task *));
    b->changes = mem_array(changes_max(b), sizeof(struct change));
    b->flush.changes = b->changes;
}

void batch_release(struct batch *b)
{
    mem_free(b->flush.fires);
    mem_free(b->flush.claims);
    mem_free(b->flush.finishes);
    mem_free((void *)b->planned);
    mem_free((void *)b->started);
    mem_free((void *)b->claimed);
    mem_free((void *)b->finished);
    mem_free(b->changes);
    arena_release(&b->arena);
}

void batch_clear(struct batch *b)
{
    b->flush.n_fires = b->flush.n_claims = b->flush.n_finishes = b->flush.n_logs = 0;
    b->flush.n_changes = b->flush.n_notices = b->notices_cap = 0;
    b->flush.notices = b->notices = NULL;
    b->flush.node_token = 0;
    b->flush.logs = NULL;
    b->logs = NULL;
    b->rows = b->starts = 0;
    arena_reset(&b->arena);
}

bool batch_empty(const struct batch *b)
{
    const struct flush *f = &b->flush;
    return f->n_fires + f->n_claims + f->n_finishes + f->n_logs == 0;
}

bool batch_open(const struct batch *b)
{
    return b->flush.n_fires < b->max && b->flush.n_claims < b->max && b->rows < b->rows_max;
}

bool batch_open_finishes(const struct batch *b)
{
    return b->flush.n_finishes < b->max && b->starts < b->max;
}

struct fire *batch_fire(struct batch *b, struct entry *p, size_t runs_max)
{
    struct run *runs = arena_new_array(&b->arena, struct run, runs_max);
    struct task **started = arena_new_array(&b->arena, struct task *, runs_max);
    if (!runs || !started)
        return NULL;
    b->planned[b->flush.n_fires] = p;
    b->started[b->flush.n_fires] = started;
    struct fire *f = &b->flush.fires[b->flush.n_fires++];
    *f = (struct fire){.job_id = p->job_id, .expect_version = p->version, .expect_next = p->next_fire, .runs = runs};
    return f;
}

struct run *batch_fire_run(struct batch *b, const struct run *r, struct task *task)
{
    size_t last = b->flush.n_fires - 1;
    struct fire *f = &b->flush.fires[last];
    b->started[last][f->n_runs] = task;
    f->runs[f->n_runs] = *r;
    b->rows++;
    return &f->runs[f->n_runs++];
}

struct claim *batch_claim(struct batch *b, struct task *t)
{
    struct run *r = arena_new(&b->arena, struct run);
    if (!r)
        return NULL;
    b->claimed[b->flush.n_claims] = t;
    struct claim *c = &b->flush.claims[b->flush.n_claims++];
    *c = (struct claim){.run = r};
    return c;
}

struct finish *batch_finish(struct batch *b, struct task *t)
{
    struct run *r = arena_new(&b->arena, struct run);
    if (!r)
        return NULL;
    b->finished[b->flush.n_finishes] = t;
    struct finish *f = &b->flush.finishes[b->flush.n_finishes++];
    *f = (struct finish){.run = r, .plan_next = INSTANT_NEVER};
    return f;
}

void batch_notice(struct batch *b, enum flush_part part, size_t at, const struct notice *n)
{
    size_t have = b->flush.n_notices;
    if (have == b->notices_cap) {
        size_t cap = have ? 2 * have : NOTICES_FIRST;
        struct flush_notice *v = arena_new_array(&b->arena, struct flush_notice, cap);
        if (!v)
            return;
        if (have > 0)
            memcpy(v, b->notices, have * sizeof *v);
        b->flush.notices = b->notices = v;
        b->notices_cap = cap;
    }
    b->notices[have] = (struct flush_notice){.part = (int)part, .at = at, .notice = *n};
    b->flush.n_notices++;
}

void batch_change(struct batch *b, enum change_kind kind, struct ulid subject)
{
    must(b->flush.n_changes < changes_max(b));
    b->changes[b->flush.n_changes++] = (struct change){.kind = (int)kind, .subject = subject};
}

void batch_logs(struct batch *b, struct log_buffer *logs)
{
    size_t n = 0, bytes = 0, left = logs->n - logs->sent;
    const struct log_line *v = logs->v + logs->sent;
    while (n < left && n < LOG_LINES_PER_ROW * b->max && bytes < LOG_BYTES_MAX) {
        bytes += v[n].message.n + v[n].context.n;
        n++;
    }
    b->logs = logs;
    b->flush.logs = v;
    b->flush.n_logs = n;
}
