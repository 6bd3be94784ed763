// SPDX-License-Identifier: Apache-2.0
// Chains: whatever crashed, froze or was lost, each end that is to start another job has started it once, and
// nothing else has.
#include "model/chain.h"
#include "tests/sim/hosts.h"

struct search {
    struct sim *s;
    const struct run *rows; // by run key and attempt
    size_t n;
    struct map expected; // keys of started runs
};

static bool exists(const struct search *c, struct ulid key)
{
    size_t low = 0, high = c->n;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (ulid_cmp(c->rows[mid].run_key, key) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low < c->n && ulid_eq(c->rows[low].run_key, key);
}

static void check_end(struct search *c, const struct run *r, const struct sim_job *target)
{
    char id[ULID_TEXT_MAX];
    struct ulid key = chain_run_key(target->job.id, r);
    (void)map_put(&c->expected, key, c);
    bool forgotten = check_forgotten(c->s, r->id) || check_forgotten(c->s, r->run_key) ||
                     check_forgotten(c->s, run_id_of(target->job.id, r->scheduled, key, 1));
    if (!target->deleted && !forgotten && !exists(c, key))
        sim_violation(c->s, "chains: run %s ended %s and has not started what follows",
                      ulid_format(r->id, id), run_status_names[r->status]);
}

static void check_start_has_cause(struct search *c, const struct run *r)
{
    char id[ULID_TEXT_MAX];
    if (r->trigger == TRIGGER_CHAIN && !map_get(&c->expected, r->run_key) && !check_forgotten(c->s, r->id))
        sim_violation(c->s, "chains: run %s was started by the end of nothing", ulid_format(r->id, id));
}

void check_chains(struct sim *s, const struct run *rows, size_t n, const struct map *dead)
{
    struct search c = {.s = s, .rows = rows, .n = n};
    map_init(&c.expected);
    for (size_t i = 0; i < n; i++) {
        const struct sim_job *j = users_job(s, rows[i].job_id);
        bool last = i + 1 == n || !ulid_eq(rows[i].run_key, rows[i + 1].run_key);
        if (j->on_success && rows[i].status == RUN_SUCCEEDED)
            check_end(&c, &rows[i], j->on_success);
        if (j->on_failure && last && run_status_failed(rows[i].status) && map_get(dead, rows[i].run_key))
            check_end(&c, &rows[i], j->on_failure);
    }
    for (size_t i = 0; i < n; i++)
        check_start_has_cause(&c, &rows[i]);
    map_release(&c.expected);
}
