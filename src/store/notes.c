// SPDX-License-Identifier: Apache-2.0
// Noted records: one list for each thread. A thread that ends with notes it never used loses them.
#include "store/notes.h"

#include "base/mem.h"

struct pending {
    struct store *store;
    struct notes notes;
    struct note *last;
};
static _Thread_local struct pending pending;
static _Thread_local bool idle;

static struct note *note_of(const struct audit_record *v)
{
    struct note *n = mem_new(struct note);
    n->record = audit_record_copy(v);
    return n;
}

void notes_free(struct notes *v)
{
    for (struct note *n = v->first, *next; n; n = next) {
        next = n->next;
        mem_free(n->record);
        mem_free(n);
    }
    *v = (struct notes){0};
}

void notes_add(struct store *s, const struct audit_record *v, size_t n)
{
    if (pending.store != s)
        notes_drop(pending.store);
    pending.store = s;
    for (size_t i = 0; i < n; i++) {
        struct note *one = note_of(&v[i]);
        if (pending.last)
            pending.last->next = one;
        else
            pending.notes.first = one;
        pending.last = one;
        pending.notes.n++;
    }
}

struct notes notes_collect(struct store *s)
{
    struct notes v = {0};
    if (pending.store != s)
        return v;
    v = pending.notes;
    pending = (struct pending){0};
    return v;
}

void notes_drop(struct store *s)
{
    struct notes v = notes_collect(s);
    notes_free(&v);
}

void write_was_idle(void) { idle = true; }

bool write_idle_ask(void)
{
    bool was = idle;
    idle = false;
    return was;
}
