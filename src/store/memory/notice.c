// SPDX-License-Identifier: Apache-2.0
// Notices, subscriptions, what the rules remember and messages on their way, in memory.
#include "store/memory/memory.h"

enum { TEXT_BUDGET = 256 * 1024 };

static bool no_memory(struct err *err) { return ERR(err, ERR_UNAVAILABLE, "no memory for the answer"); }

// ---- notices -----------------------------------------------------------------------------------

static void notice_add(struct mem *m, const struct notice *v)
{
    struct notice *own = mem_rows_add(&m->notices);
    *own = *v;
    own->seq = ++m->notices.seq;
    own->error_class = mem_text(m, v->error_class);
    own->message = mem_text(m, v->message);
}

void notices_of_flush(struct mem *m, const struct flush *f)
{
    for (size_t i = 0; i < f->n_notices; i++) {
        const struct flush_notice *v = &f->notices[i];
        bool won = v->part == PART_FIRE    ? f->fires[v->at].ret_won
                   : v->part == PART_CLAIM ? f->claims[v->at].ret_won
                                           : f->finishes[v->at].ret_recorded;
        if (won)
            notice_add(m, &v->notice);
    }
}

void notice_of_pause(struct mem *m, struct ulid job_id, struct instant now)
{
    const struct subscription_row *v = m->subscriptions.v;
    for (size_t i = 0; i < m->subscriptions.n; i++)
        if ((v[i].wants & notice_bit(NOTICE_PAUSED)) &&
            (ulid_is_zero(v[i].job_id) || ulid_eq(v[i].job_id, job_id))) {
            notice_add(m, &(struct notice){.event = NOTICE_PAUSED, .at = now, .job_id = job_id});
            return;
        }
}

bool mem_notices_put(struct store *s, const struct notice *v, size_t n, struct err *err)
{
    struct mem_call c;
    if (!call_begin(&c, s, "notices_put", true, err))
        return false;
    for (size_t i = 0; i < n; i++)
        notice_add(c.m, &v[i]);
    return call_end(&c, true, err);
}

bool mem_notices_read(struct store *s, size_t max, struct notice **ret, size_t *ret_n, struct arena *a,
                      struct err *err)
{
    struct mem_call c;
    if (!call_begin(&c, s, "notices_read", false, err))
        return false;
    size_t n = c.m->notices.n < max ? c.m->notices.n : max;
    struct notice *v = arena_new_array(a, struct notice, n);
    if (!v)
        return call_end(&c, no_memory(err), err);
    if (n > 0)
        memcpy(v, c.m->notices.v, n * sizeof *v);
    *ret = v;
    *ret_n = n;
    return call_end(&c, true, err);
}

// ---- subscriptions -----------------------------------------------------------------------------

static struct subscription_row *find(struct mem *m, struct ulid id)
{
    struct subscription_row *v = m->subscriptions.v;
    for (size_t i = 0; i < m->subscriptions.n; i++)
        if (ulid_eq(v[i].id, id))
            return &v[i];
    return NULL;
}

static bool no_such_subscription(struct ulid id, struct err *err)
{
    char text[ULID_TEXT_MAX];
    return ERR(err, ERR_NOT_FOUND, "subscription \"%s\" does not exist", ulid_format(id, text));
}

static bool put(struct mem *m, const struct subscription *v, int64_t expect, struct str body, struct err *err)
{
    char text[ULID_TEXT_MAX];
    struct subscription_row *own = find(m, v->id);
    if (expect == 0 && own)
        return ERR(err, ERR_CONFLICT, "subscription \"%s\" exists already", ulid_format(v->id, text));
    if (expect != 0 && !own)
        return no_such_subscription(v->id, err);
    if (own && own->version != expect)
        return ERR(err, ERR_STALE, "subscription \"%s\" was changed meanwhile", ulid_format(v->id, text));
    own = own ? own : mem_rows_add(&m->subscriptions);
    *own = (struct subscription_row){.id = v->id,
                                     .job_id = v->job_id,
                                     .version = v->version,
                                     .wants = subscription_events(v),
                                     .body = mem_text(m, body)};
    change_add(m, CHANGE_SUBSCRIPTION, v->id, 0);
    return true;
}

bool mem_subscription_put(struct store *s, const struct subscription *v, int64_t expect, struct err *err)
{
    struct mem_call c;
    struct str body;
    struct arena a CLEANUP(arena_release);
    arena_init(&a, TEXT_BUDGET);
    return subscription_text_write(v, &body, &a, err) && call_begin(&c, s, "subscription_put", true, err) &&
           call_end(&c, put(c.m, v, expect, body, err), err);
}

static bool row_answer(const struct subscription_row *row, struct subscription *ret, struct arena *a,
                       struct err *err)
{
    struct subscription v;
    if (!subscription_text_read(row->body, &v, a, err))
        return false;
    v.id = row->id;
    v.job_id = row->job_id;
    v.version = row->version;
    *ret = v;
    return true;
}

bool mem_subscription_get(struct store *s, struct ulid id, struct subscription *ret, struct arena *a,
                          struct err *err)
{
    struct mem_call c;
    if (!call_begin(&c, s, "subscription_get", false, err))
        return false;
    const struct subscription_row *row = find(c.m, id);
    return call_end(&c, row ? row_answer(row, ret, a, err) : no_such_subscription(id, err), err);
}

static const struct subscription_row *next_row(struct mem *m, struct ulid job_id, struct ulid after)
{
    const struct subscription_row *v = m->subscriptions.v, *next = NULL;
    for (size_t i = 0; i < m->subscriptions.n; i++)
        if (ulid_cmp(v[i].id, after) > 0 && (ulid_is_zero(job_id) || ulid_eq(v[i].job_id, job_id)) &&
            (!next || ulid_cmp(v[i].id, next->id) < 0))
            next = &v[i];
    return next;
}

bool mem_subscriptions_page(struct store *s, struct ulid job_id, struct ulid after, size_t max,
                            struct subscription **ret, size_t *ret_n, struct arena *a, struct err *err)
{
    struct mem_call c;
    size_t n = 0;
    const struct subscription_row *row;
    struct subscription *v = arena_new_array(a, struct subscription, max);
    if (!v)
        return no_memory(err);
    if (!call_begin(&c, s, "subscriptions_page", false, err))
        return false;
    for (; n < max && (row = next_row(c.m, job_id, after)) != NULL; after = row->id)
        if (!row_answer(row, &v[n++], a, err))
            return call_end(&c, false, err);
    *ret = v;
    *ret_n = n;
    return call_end(&c, true, err);
}

static void drop_deliveries(struct mem *m, struct ulid subscription_id, struct instant now)
{
    struct delivery *v = m->deliveries.v;
    for (size_t i = 0; i < m->deliveries.n; i++)
        if (ulid_eq(v[i].subscription_id, subscription_id) && !instant_is_never(v[i].due)) {
            v[i].state = DELIVERY_DROPPED;
            v[i].due = INSTANT_NEVER;
            v[i].ended_at = now;
        }
}

static void forget_marks(struct mem *m, struct ulid subscription_id, struct ulid job_id)
{
    const struct notice_mark *v = m->marks.v;
    for (size_t i = m->marks.n; i-- > 0;)
        if (ulid_eq(v[i].subscription_id, subscription_id) ||
            (!ulid_is_zero(job_id) && ulid_eq(v[i].job_id, job_id)))
            mem_rows_remove(&m->marks, i, 1);
}

bool mem_subscription_delete(struct store *s, struct ulid id, struct instant now, struct err *err)
{
    struct mem_call c;
    if (!call_begin(&c, s, "subscription_delete", true, err))
        return false;
    const struct subscription_row *row = find(c.m, id);
    if (!row)
        return call_end(&c, no_such_subscription(id, err), err);
    mem_rows_remove(&c.m->subscriptions, (size_t)(row - (const struct subscription_row *)c.m->subscriptions.v), 1);
    forget_marks(c.m, id, ULID_ZERO);
    drop_deliveries(c.m, id, now);
    change_add(c.m, CHANGE_SUBSCRIPTION, id, 0);
    return call_end(&c, true, err);
}

void mem_subscriptions_forget(struct mem *m, struct ulid job_id, struct instant now)
{
    const struct subscription_row *v = m->subscriptions.v;
    for (size_t i = m->subscriptions.n; i-- > 0;)
        if (ulid_eq(v[i].job_id, job_id)) {
            drop_deliveries(m, v[i].id, now);
            mem_rows_remove(&m->subscriptions, i, 1);
        }
    forget_marks(m, job_id, job_id); // no subscription has the id of a job
}

// ---- marks and settling --------------------------------------------------------------------------

static bool marks_answer(struct mem *m, struct ulid job_id, struct instant due, size_t max, struct notice_mark **ret,
                         size_t *ret_n, struct arena *a, struct err *err)
{
    size_t n = 0;
    const struct notice_mark *v = m->marks.v;
    struct notice_mark *out = arena_new_array(a, struct notice_mark, m->marks.n + 1);
    if (!out)
        return no_memory(err);
    for (size_t i = 0; i < m->marks.n && n < max; i++) {
        bool of = ulid_is_zero(v[i].job_id) || ulid_eq(v[i].job_id, job_id);
        if (instant_is_never(due) ? of : v[i].due.us <= due.us)
            out[n++] = v[i];
    }
    *ret = out;
    *ret_n = n;
    return true;
}

bool mem_marks_of(struct store *s, struct ulid job_id, struct notice_mark **ret, size_t *ret_n, struct arena *a,
                  struct err *err)
{
    struct mem_call c;
    return call_begin(&c, s, "marks_of", false, err) &&
           call_end(&c, marks_answer(c.m, job_id, INSTANT_NEVER, SIZE_MAX, ret, ret_n, a, err), err);
}

bool mem_marks_due(struct store *s, struct instant now, size_t max, struct notice_mark **ret, size_t *ret_n,
                   struct arena *a, struct err *err)
{
    struct mem_call c;
    return call_begin(&c, s, "marks_due", false, err) &&
           call_end(&c, marks_answer(c.m, ULID_ZERO, now, max, ret, ret_n, a, err), err);
}

static void mark_put(struct mem *m, const struct notice_mark *mark)
{
    struct notice_mark *v = m->marks.v, *own = NULL;
    for (size_t i = 0; i < m->marks.n && !own; i++)
        if (ulid_eq(v[i].subscription_id, mark->subscription_id) && ulid_eq(v[i].job_id, mark->job_id))
            own = &v[i];
    if (!mark->body.p) {
        if (own)
            mem_rows_remove(&m->marks, (size_t)(own - v), 1);
        return;
    }
    own = own ? own : mem_rows_add(&m->marks);
    *own = *mark;
    own->body = mem_text(m, mark->body);
}

static struct delivery *delivery_find(struct mem *m, struct ulid id)
{
    struct delivery *v = m->deliveries.v;
    for (size_t i = 0; i < m->deliveries.n; i++)
        if (ulid_eq(v[i].id, id))
            return &v[i];
    return NULL;
}

static void delivery_put(struct mem *m, const struct delivery *d)
{
    if (delivery_find(m, d->id))
        return;
    struct delivery *own = mem_rows_add(&m->deliveries);
    *own = *d;
    own->channel = mem_text(m, d->channel);
    own->sentence = mem_text(m, d->sentence);
    own->body = mem_text(m, d->body);
}

bool mem_notices_settle(struct store *s, const struct settlement *v, struct err *err)
{
    struct mem_call c;
    if (!call_begin(&c, s, "notices_settle", true, err))
        return false;
    for (size_t i = 0; i < v->n_seqs; i++) {
        const struct notice *rows = c.m->notices.v;
        size_t at = 0;
        while (at < c.m->notices.n && rows[at].seq != v->seqs[i])
            at++;
        if (at < c.m->notices.n)
            mem_rows_remove(&c.m->notices, at, 1);
    }
    for (size_t i = 0; i < v->n_marks; i++)
        mark_put(c.m, &v->marks[i]);
    for (size_t i = 0; i < v->n_deliveries; i++)
        delivery_put(c.m, &v->deliveries[i]);
    return call_end(&c, true, err);
}

// ---- deliveries ----------------------------------------------------------------------------------

bool mem_delivery_get(struct store *s, struct ulid id, struct delivery *ret, struct arena *a, struct err *err)
{
    (void)a; // texts of this store never change
    struct mem_call c;
    char text[ULID_TEXT_MAX];
    if (!call_begin(&c, s, "delivery_get", false, err))
        return false;
    const struct delivery *d = delivery_find(c.m, id);
    if (!d)
        return call_end(&c, ERR(err, ERR_NOT_FOUND, "delivery \"%s\" does not exist", ulid_format(id, text)), err);
    *ret = *d;
    return call_end(&c, true, err);
}

bool mem_delivery_update(struct store *s, const struct delivery *v, int64_t expect, struct err *err)
{
    struct mem_call c;
    char text[ULID_TEXT_MAX];
    if (!call_begin(&c, s, "delivery_update", true, err))
        return false;
    struct delivery *d = delivery_find(c.m, v->id);
    if (!d || d->tries != expect)
        return call_end(
            &c, ERR(err, ERR_STALE, "delivery \"%s\" was tried by somebody else", ulid_format(v->id, text)), err);
    d->state = v->state;
    d->due = v->due;
    d->tries = v->tries;
    d->code = v->code;
    d->sentence = mem_text(c.m, v->sentence);
    d->ended_at = v->ended_at;
    return call_end(&c, true, err);
}

static int by_id(const void *a, const void *b)
{
    const struct delivery *x = a, *y = b;
    return ulid_cmp(x->id, y->id);
}

static int by_due(const void *a, const void *b)
{
    const struct delivery *x = a, *y = b;
    return x->due.us != y->due.us ? (x->due.us > y->due.us) - (x->due.us < y->due.us) : ulid_cmp(x->id, y->id);
}

// All of them in an order.
static struct delivery *sorted(struct mem *m, int (*order)(const void *, const void *), struct arena *a)
{
    struct delivery *v = arena_new_array(a, struct delivery, m->deliveries.n + 1);
    if (v && m->deliveries.n > 0) {
        memcpy(v, m->deliveries.v, m->deliveries.n * sizeof *v);
        qsort(v, m->deliveries.n, sizeof *v, order);
    }
    return v;
}

static bool matches(const struct delivery *d, const struct delivery_filter *f)
{
    return (f->state < 0 || d->state == f->state) &&
           (ulid_is_zero(f->job_id) || ulid_eq(f->job_id, d->job_id)) &&
           (ulid_is_zero(f->owner_id) || ulid_eq(f->owner_id, d->owner_id)) &&
           (ulid_is_zero(f->subscription_id) || ulid_eq(f->subscription_id, d->subscription_id));
}

static bool list_answer(struct mem *m, const struct delivery_filter *f, const struct page *p, const struct cursor *at,
                        bool given, struct delivery **ret, size_t *ret_n, struct page_result *ret_page,
                        struct arena *a, struct err *err)
{
    struct delivery *all = sorted(m, by_id, a), *out = arena_new_array(a, struct delivery, (size_t)p->size);
    if (!all || !out)
        return no_memory(err);
    struct pager pager = {.skip = given ? 0 : p->offset, .size = p->size};
    struct cursor last = *at;
    int64_t total = 0;
    for (size_t i = 0, n = m->deliveries.n; i < n; i++) {
        const struct delivery *d = &all[p->ascending ? i : n - 1 - i];
        if (!matches(d, f))
            continue;
        total++;
        int order = ulid_cmp(d->id, at->id);
        bool past = !given || (p->ascending ? order > 0 : order < 0);
        if (past && !pager.more && pager_next(&pager) == PAGE_TAKE) {
            out[pager.n - 1] = *d;
            last.id = d->id;
        }
    }
    page_total(ret_page, total, true);
    ret_page->next_cursor = pager.more ? cursor_write(&last, a) : STR_NONE;
    *ret = out;
    *ret_n = pager.n;
    return true;
}

bool mem_deliveries_list(struct store *s, const struct delivery_filter *f, const struct page *p,
                         struct delivery **ret, size_t *ret_n, struct page_result *ret_page, struct arena *a,
                         struct err *err)
{
    struct cursor at;
    bool given;
    struct mem_call c;
    if (!page_open(p, 'n', dlq_sorts, &at, &given, a, err) || !call_begin(&c, s, "deliveries_list", false, err))
        return false;
    return call_end(&c, list_answer(c.m, f, p, &at, given, ret, ret_n, ret_page, a, err), err);
}

static bool earlier_of_subscription(const struct delivery *v, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (ulid_eq(v[i].subscription_id, v[at].subscription_id))
            return true;
    return false;
}

bool mem_deliveries_due(struct store *s, struct instant now, size_t max, struct delivery **ret, size_t *ret_n,
                        struct arena *a, struct err *err)
{
    struct mem_call c;
    size_t n = 0;
    if (!call_begin(&c, s, "deliveries_due", false, err))
        return false;
    struct delivery *all = sorted(c.m, by_due, a), *out = arena_new_array(a, struct delivery, max);
    if (!all || !out)
        return call_end(&c, no_memory(err), err);
    for (size_t i = 0; i < c.m->deliveries.n && all[i].due.us <= now.us && n < max; i++)
        if (find(c.m, all[i].subscription_id) && !earlier_of_subscription(all, i))
            out[n++] = all[i];
    *ret = out;
    *ret_n = n;
    return call_end(&c, true, err);
}

bool mem_deliveries_trim(struct store *s, struct instant before, size_t max, size_t *ret_n, struct err *err)
{
    struct mem_call c;
    size_t n = 0;
    struct ulid bound = trim_bound(before);
    if (!call_begin(&c, s, "deliveries_trim", true, err))
        return false;
    const struct delivery *v = c.m->deliveries.v;
    for (size_t i = c.m->deliveries.n; i-- > 0 && n < max;)
        if (ulid_cmp(v[i].id, bound) < 0 && instant_is_never(v[i].due)) {
            mem_rows_remove(&c.m->deliveries, i, 1);
            n++;
        }
    *ret_n = n;
    return call_end(&c, true, err);
}

bool mem_plans_overdue(struct store *s, struct instant before, size_t max, struct plan **ret, size_t *ret_n,
                       struct arena *a, struct err *err)
{
    struct mem_call c;
    size_t n = 0;
    struct plan *v = arena_new_array(a, struct plan, max);
    if (!v)
        return no_memory(err);
    if (!call_begin(&c, s, "plans_overdue", false, err))
        return false;
    for (size_t i = 0; i < c.m->jobs_by_id.n && n < max; i++) {
        const struct job_row *j = c.m->jobs_by_id.v[i];
        if (!j->deleted && j->plan.enabled && j->plan.state == JOB_STATE_ACTIVE && j->plan.next_fire.us < before.us)
            v[n++] = j->plan;
    }
    *ret = v;
    *ret_n = n;
    return call_end(&c, true, err);
}
