// SPDX-License-Identifier: Apache-2.0
// What every store does alike: the stored text of a job, filters, and pages with opaque cursors.
#ifndef STORE_ROWS_H
#define STORE_ROWS_H

#include "store/store.h"

// The definition as text, FIELD_ENCODE_STORED, without what changes while the definition does not (status,
// version, updatedAt, nextFireTime, lastRunId, runCount: columns hold them). ERR_TOO_LARGE when the arena has
// no room.
bool job_text_write(const struct job *j, struct str *ret, struct arena *a, struct err *err)
    __attribute__((warn_unused_result));
// Back into *ret; what columns hold (id, owner, version, …) is the caller's to set. ERR_CORRUPT.
bool job_text_read(struct str text, struct job *ret, struct arena *a, struct err *err)
    __attribute__((warn_unused_result));
// True when the definition has the tag (exact word).
bool job_text_has_tag(struct str text, struct str tag);
// Whether a filter for an owner (zero: any) and teams lets the objects of `of` through.
bool owner_among(struct ulid owner, const struct ulid *teams, size_t n, struct ulid of);
// Contains, letters of ASCII alike in both cases; an absent part is in everything.
bool text_has_part(struct str text, struct str part);
// A run as a store writes it: the state after cancelling a QUEUED one.
void run_end_cancelled(struct run *r, struct instant now, bool job_deleted);
bool node_gone(struct err *err); // ERR_STALE: the lease has ended
extern const struct str run_cancelled_class, run_cancelled_text, run_job_deleted_class, run_job_deleted_text;

// Whether a run is what the filter asks for, its owner apart; narrow: more than owner and job are asked for.
bool run_filter_fits(const struct run_filter *f, int status, struct instant scheduled, int trigger, struct str worker,
                     struct str error_class);
bool run_filter_narrow(const struct run_filter *f);

// ---- retention ---------------------------------------------------------------------------------

// A run that may be old enough to go.
struct trim_row {
    struct ulid id, prev;
    bool prev_exists, final, newest; // newest: of a job that is not deleted
    bool remove;                     // the answer
};
// Ids of runs scheduled before an instant are below this one (but for the last millisecond).
struct ulid trim_bound(struct instant before);
// Which of some runs in id order go. A run goes after the ones behind it in the chain of its job, so that a
// chain is only ever cut at its old end.
void trim_choose(struct trim_row *v, size_t n);

// ---- pages -------------------------------------------------------------------------------------

// The sort fields of a list; place 0 is the default. createdAt is the order of ids: an id starts with its
// instant.
enum job_sort { JOB_SORT_ID, JOB_SORT_CREATED, JOB_SORT_UPDATED, JOB_SORT_NEXT_FIRE, JOB_SORT_NAME };
enum run_sort { RUN_SORT_ID, RUN_SORT_SCHEDULED }; // the same order: an id starts with its instant

// Position in an ordered list: the sort key of the last row seen, and its id.
struct cursor {
    char list; // which list: 'j' jobs, 'r' runs, 'c' chain, 'd' dead letters, 'a' audit
    int sort;
    bool ascending;
    int64_t number;  // key when it is a number,
    struct str text; // or a text
    struct ulid id;
};
// Checks size, offset and sort against the names (NULL-terminated), and reads the cursor. Without one,
// *ret_at is the place before the first row. Errors: ERR_INVALID with field "/size", "/page", "/sort" or
// "/cursor".
bool page_open(const struct page *p, char list, const char *const *sorts, struct cursor *ret_at,
               bool *ret_given, struct arena *a, struct err *err) __attribute__((warn_unused_result));
struct str cursor_write(const struct cursor *c, struct arena *a);
// < 0, 0, > 0: order of a and b in the direction of their list.
int cursor_cmp(const struct cursor *a, const struct cursor *b);
extern const char *const job_sorts[], *const run_sorts[], *const dlq_sorts[], *const audit_sorts[];
extern const char *const id_sorts[]; // of lists in the order of ids

// Collects one page out of rows that match, in order: skips the offset, keeps `size`, notices one more.
struct pager {
    int64_t skip, size;
    size_t n;
    bool more;
};
enum page_step { PAGE_SKIP, PAGE_TAKE, PAGE_FULL };
static inline enum page_step pager_next(struct pager *p)
{
    if (p->skip > 0) {
        p->skip--;
        return PAGE_SKIP;
    }
    if ((int64_t)p->n == p->size) {
        p->more = true;
        return PAGE_FULL;
    }
    p->n++;
    return PAGE_TAKE;
}
// counted rows; complete: all were looked at. Past TOTAL_EXACT_MAX it is that number and an estimate.
void page_total(struct page_result *r, int64_t counted, bool complete);

#endif
