// SPDX-License-Identifier: Apache-2.0
// A transaction that arrives late: the connection was lost with all of it on the way, the node has asked what became of
// it and gone on, and then the store gets it after all.
#include "base/mem.h"
#include "tests/sim/hosts.h"

struct late_flush {
    struct arena arena;
    struct flush flush;
    int host;
};

static struct str text(struct arena *a, struct str s) { return s.p ? arena_str(a, s) : STR_NONE; }

static void *copy_of(struct arena *a, const void *v, size_t n, size_t size)
{
    void *copy = arena_array(a, n, size);
    must(copy);
    if (n > 0)
        memcpy(copy, v, n * size);
    return copy;
}

static void run_texts(struct arena *a, struct run *r)
{
    struct str *texts[] = {&r->job_name, &r->error_class, &r->error_message, &r->worker, &r->inputs};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        *texts[i] = text(a, *texts[i]);
}

static struct run *runs_of(struct arena *a, const struct run *v, size_t n)
{
    struct run *copy = copy_of(a, v, n, sizeof *v);
    for (size_t i = 0; i < n; i++)
        run_texts(a, &copy[i]);
    return copy;
}

static struct dead_letter *dead_of(struct arena *a, const struct dead_letter *v)
{
    struct dead_letter *d = copy_of(a, v, 1, sizeof *v);
    struct str *texts[] = {&d->job_name, &d->reason,      &d->error_class, &d->definition,
                           &d->inputs,   &d->resolved_by, &d->resolution};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        *texts[i] = text(a, *texts[i]);
    return d;
}

static void flush_copy(struct arena *a, struct flush *to, const struct flush *f)
{
    *to = *f;
    to->fires = copy_of(a, f->fires, f->n_fires, sizeof *f->fires);
    to->claims = copy_of(a, f->claims, f->n_claims, sizeof *f->claims);
    to->finishes = copy_of(a, f->finishes, f->n_finishes, sizeof *f->finishes);
    to->changes = copy_of(a, f->changes, f->n_changes, sizeof *f->changes);
    to->logs = NULL; // a line more or less
    to->n_logs = 0;
    for (size_t i = 0; i < f->n_fires; i++)
        to->fires[i].runs = runs_of(a, f->fires[i].runs, f->fires[i].n_runs);
    for (size_t i = 0; i < f->n_claims; i++)
        to->claims[i].run = runs_of(a, f->claims[i].run, 1);
    for (size_t i = 0; i < f->n_finishes; i++) {
        struct finish *t = &to->finishes[i];
        t->run = runs_of(a, t->run, 1);
        t->retry = t->retry ? runs_of(a, t->retry, 1) : NULL;
        t->dead = t->dead ? dead_of(a, t->dead) : NULL;
        t->starts = runs_of(a, t->starts, t->n_starts);
    }
}

struct late_flush *late_flush_new(const struct flush *f, int host)
{
    struct late_flush *l = mem_new(struct late_flush);
    arena_init(&l->arena, SIZE_MAX);
    flush_copy(&l->arena, &l->flush, f);
    l->host = host;
    return l;
}

void late_flush_arrive(struct sim *s, struct late_flush *l)
{
    struct err err = {0};
    if (s->store->ops->flush(s->store, &l->flush, &err)) // else its lease is over
        check_flush(s, &s->cluster->hosts[l->host].link, &l->flush);
    late_flush_free(l);
}

void late_flush_free(struct late_flush *l)
{
    if (!l)
        return;
    arena_release(&l->arena);
    mem_free(l);
}
