// SPDX-License-Identifier: Apache-2.0
// Events of the audit trail that wait to be written. Under one lock: a list, and a table of addresses that
// were refused in this second.
#include "app/audit_trail.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/sync.h"

enum { WAITING_MAX = 4096, ADDRESSES_MAX = 64, BATCH = 200, COUNT_WORDS = 80 };

struct waiting {
    struct audit_record *record;
    struct waiting *next;
};

struct refused {
    struct audit_record *first; // NULL: the slot is free
    int64_t second, others;
};

struct audit_trail {
    struct audit_key key;      // constant
    struct store *store;       // constant
    const struct clock *clock; // constant
    struct mutex lock;
    // under lock:
    struct waiting *first, **last;
    size_t n;
    int64_t lost; // did not fit since they were last told of
    struct refused refused[ADDRESSES_MAX];
    int64_t elsewhere; // refusals from addresses that had no place
};

struct audit_trail *audit_trail_new(const struct token_key *key, struct store *store,
                                    const struct clock *clock)
{
    struct audit_trail *t = mem_new(struct audit_trail);
    audit_key_of(key, &t->key);
    t->store = store;
    t->clock = clock;
    t->last = &t->first;
    mutex_init(&t->lock, LOCK_APP_AUDIT);
    return t;
}

const struct audit_key *audit_trail_key(const struct audit_trail *t) { return &t->key; }

static void list_free(struct waiting *w)
{
    for (struct waiting *next; w; w = next) {
        next = w->next;
        mem_free(w->record);
        mem_free(w);
    }
}

void audit_trail_free(struct audit_trail *t)
{
    struct err err = {0};
    if (!t)
        return;
    if (!audit_trail_flush(t, true, &err))
        LOG_ERROR("audit records are lost", LOG_INT("records", (int64_t)t->n), LOG_ERROR_FIELD(&err));
    list_free(t->first);
    mutex_release(&t->lock);
    mem_free(t);
}

// Takes the record over. Lock held.
static bool wait_in_line(struct audit_trail *t, struct audit_record *r)
{
    if (t->n == WAITING_MAX) {
        t->lost++;
        mem_free(r);
        return false;
    }
    struct waiting *w = mem_new(struct waiting);
    w->record = r;
    *t->last = w;
    t->last = &w->next;
    t->n++;
    return true;
}

bool audit_trail_later(struct audit_trail *t, const struct audit_record *r)
{
    WITH_LOCK(&t->lock);
    return wait_in_line(t, audit_record_copy(r));
}

// ---- refusals ------------------------------------------------------------------------------------

// The record of a second that is over, with the number of those it stands for. Lock held.
static void refusals_end(struct audit_trail *t, struct refused *f)
{
    char text[AUDIT_DETAIL_MAX];
    struct audit_record r = *f->first;
    if (f->others > 0) {
        size_t room = sizeof text - COUNT_WORDS;
        (void)snprintf(text, sizeof text, "%.*s (and %lld more from this address within a second)",
                       (int)str_utf8_cut(r.detail, room), r.detail.p ? r.detail.p : "", (long long)f->others);
        r.detail = str_of(text);
    }
    audit_record_mac(&t->key, &r, r.mac);
    (void)wait_in_line(t, audit_record_copy(&r));
    mem_free(f->first);
    *f = (struct refused){0};
}

static void refusals_end_before(struct audit_trail *t, int64_t second)
{
    for (size_t i = 0; i < ADDRESSES_MAX; i++)
        if (t->refused[i].first && t->refused[i].second < second)
            refusals_end(t, &t->refused[i]);
}

void audit_trail_refusal(struct audit_trail *t, const struct audit_record *r)
{
    int64_t second = r->at.us / US_PER_S;
    struct refused *place = NULL;
    WITH_LOCK(&t->lock);
    refusals_end_before(t, second);
    for (size_t i = 0; i < ADDRESSES_MAX; i++) {
        struct refused *f = &t->refused[i];
        if (f->first && str_eq(f->first->address, r->address)) {
            f->others++;
            return;
        }
        if (!f->first && !place)
            place = f;
    }
    if (place)
        *place = (struct refused){.first = audit_record_copy(r), .second = second};
    else
        t->elsewhere++;
}

// ---- writing -------------------------------------------------------------------------------------

// A record about the trail itself. Lock held.
static void tell(struct audit_trail *t, const char *action, const char *what, int64_t n,
                 const struct audit_record *like)
{
    char text[AUDIT_DETAIL_MAX];
    struct rng rng;
    rng_init_random(&rng);
    struct instant now = clock_now(t->clock);
    (void)snprintf(text, sizeof text, "%lld %s", (long long)n, what);
    struct audit_record r = {.id = ulid_new(now, &rng),
                             .at = now,
                             .actor = STR("system"),
                             .node = like->node,
                             .action = str_of(action),
                             .entity_type = STR("audit"),
                             .entity_id = STR("trail"),
                             .outcome = AUDIT_FAILED,
                             .detail = str_of(text)};
    audit_record_mac(&t->key, &r, r.mac);
    (void)wait_in_line(t, audit_record_copy(&r));
}

// The first of the line, at most a batch; they stay in it until they are written.
static size_t batch_take(struct audit_trail *t, bool all, struct audit_record *ret)
{
    size_t n = 0;
    WITH_LOCK(&t->lock);
    refusals_end_before(t, all ? INT64_MAX : clock_now(t->clock).us / US_PER_S);
    if (t->first && t->n < WAITING_MAX && (t->lost || t->elsewhere)) {
        int64_t lost = t->lost, elsewhere = t->elsewhere;
        t->lost = t->elsewhere = 0;
        if (lost)
            tell(t, "audit.overflow", "events came faster than they could be written and are not recorded",
                 lost, t->first->record);
        if (elsewhere)
            tell(t, "request.refuse", "more requests were refused, from many addresses", elsewhere,
                 t->first->record);
    }
    for (struct waiting *w = t->first; w && n < BATCH; w = w->next)
        ret[n++] = *w->record;
    return n;
}

static void batch_done(struct audit_trail *t, size_t n)
{
    struct waiting *gone = NULL;
    WITH_LOCK(&t->lock);
    while (n-- > 0) {
        struct waiting *w = t->first;
        t->first = w->next;
        t->n--;
        w->next = gone;
        gone = w;
    }
    if (!t->first)
        t->last = &t->first;
    list_free(gone);
}

// A record that is there already was written by a try whose end nobody heard of.
static bool write_each(struct audit_trail *t, const struct audit_record *v, size_t n, struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        struct err why = {0};
        if (!t->store->ops->audit_append(t->store, &v[i], 1, &why) && why.code != ERR_CONFLICT) {
            *err = why;
            return false;
        }
    }
    return true;
}

static bool write_batch(struct audit_trail *t, const struct audit_record *v, size_t n, struct err *err)
{
    struct err why = {0};
    if (t->store->ops->audit_append(t->store, v, n, &why))
        return true;
    if (why.code == ERR_CONFLICT)
        return write_each(t, v, n, err);
    *err = why;
    return false;
}

bool audit_trail_flush(struct audit_trail *t, bool all, struct err *err)
{
    struct audit_record *batch = mem_array(BATCH, sizeof *batch);
    size_t n;
    bool ok = true;
    while (ok && (n = batch_take(t, all, batch)) > 0) {
        ok = write_batch(t, batch, n, err);
        if (ok)
            batch_done(t, n);
    }
    mem_free(batch);
    return ok;
}
