// SPDX-License-Identifier: Apache-2.0
// Records of the audit trail that a thread wants its next write to take along (audit_take of store.h). They belong to
// the thread until that write collects them; from then on they travel with the write, whichever thread carries it out.
#ifndef STORE_NOTES_H
#define STORE_NOTES_H

#include "store/store.h"

struct note {
    struct audit_record *record; // own copy
    struct note *next;
};
// In the order in which they were noted.
struct notes {
    struct note *first;
    size_t n;
};

void notes_add(struct store *s, const struct audit_record *v, size_t n);
// What this thread has noted for the store; the caller's from now on, to be freed with notes_free.
struct notes notes_collect(struct store *s);
void notes_drop(struct store *s);
void notes_free(struct notes *v);

// A write that decided nothing says so from inside, on the thread that carries it out; who carries it out asks
// afterwards, which forgets the answer.
void write_was_idle(void);
bool write_idle_ask(void);

#endif
