// SPDX-License-Identifier: Apache-2.0
// Rounds of the desk. What a round changes is collected and written at its end, so that a round that fails has done
// nothing; a message's id follows from what it tells, so that a round that is done twice tells it once.
#include "app/notice_desk.h"

#include "app/owner.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"

enum {
    SUBS_ARENA = 256 * 1024 * 1024,
    ROUND_ARENA = 128 * 1024 * 1024,
    SUBS_PAGE = 200,
};

struct desk_sub {
    struct subscription s;
    struct zone *zone; // of the quiet hours; NULL: UTC, because there are none
    bool asked, found; // the owner, who is
    struct caller owner;
};

struct desk {
    struct app *app;
    struct arena a; // of the subscriptions
    struct desk_sub *subs;
    size_t n_subs;
    uint32_t wanted;
};

// What a round changes of a subscription and a job, or of the subscription alone.
struct desk_mark {
    struct ulid subscription_id, job_id;
    const struct desk_sub *sub;
    struct str body; // as it was
    bool touched;
    struct job_memory *job;     // of a job,
    struct told_memory *group; // or of the subscription
    struct desk_mark *next;
};
struct desk_job {
    struct ulid id;
    bool found;
    struct job job;
    struct desk_job *next;
};
struct round {
    struct desk *d;
    struct arena a;
    struct instant now;
    struct desk_mark *marks;
    struct desk_job *jobs;
    struct map mark_by_key, marks_read; // the latter: jobs whose marks were read
    struct delivery *deliveries;
    size_t n_deliveries, cap_deliveries;
    struct err *err;
};

// ---- subscriptions -----------------------------------------------------------------------------

struct desk *desk_new(struct app *app)
{
    struct desk *d = mem_new(struct desk);
    d->app = app;
    arena_init(&d->a, SUBS_ARENA);
    return d;
}

static void subs_release(struct desk_sub *v, size_t n, struct arena *a)
{
    for (size_t i = 0; i < n; i++)
        zone_unref(v[i].zone);
    arena_release(a);
}

void desk_free(struct desk *d)
{
    if (!d)
        return;
    subs_release(d->subs, d->n_subs, &d->a);
    mem_free(d);
}

static bool subs_read(struct desk *d, struct desk_sub *v, size_t *ret_n, struct arena *a, struct err *err)
{
    struct ulid after = ULID_ZERO;
    for (size_t n = SUBS_PAGE; n == SUBS_PAGE && *ret_n + SUBS_PAGE <= SUBSCRIPTIONS_MAX + SUBS_PAGE;) {
        struct subscription *page;
        if (!d->app->store->ops->subscriptions_page(d->app->store, ULID_ZERO, after, SUBS_PAGE, &page, &n, a, err))
            return false;
        for (size_t i = 0; i < n && *ret_n < SUBSCRIPTIONS_MAX; i++) {
            struct desk_sub *sub = &v[*ret_n];
            struct err ignored = {0}; // a zone that is gone: the hours are UTC's
            sub->s = page[i];
            if (sub->s.quiet_hours.from.p &&
                !zones_get(d->app->zones, sub->s.quiet_hours.timezone, &sub->zone, &ignored))
                sub->zone = zone_utc();
            ++*ret_n;
        }
        after = n > 0 ? page[n - 1].id : after;
    }
    return true;
}

static void interest_tell(struct desk *d)
{
    struct interest *v = mem_array(d->n_subs + 1, sizeof *v);
    uint32_t all = 0;
    size_t n = 0;
    d->wanted = 0;
    for (size_t i = 0; i < d->n_subs; i++) {
        const struct subscription *s = &d->subs[i].s;
        uint32_t events = subscription_interest(s);
        d->wanted |= events;
        if (ulid_is_zero(s->job_id)) // tags are not known to the engine: the desk leaves out what nobody meant
            all |= events;
        else
            v[n++] = (struct interest){s->job_id, events};
    }
    if (d->app->engine)
        engine_take_interest(d->app->engine, all, v, n);
    mem_free(v);
}

bool desk_load(struct desk *d, struct err *err)
{
    struct arena a;
    size_t n = 0;
    arena_init(&a, SUBS_ARENA);
    struct desk_sub *v = arena_new_array(&a, struct desk_sub, SUBSCRIPTIONS_MAX);
    bool ok = v ? subs_read(d, v, &n, &a, err) : ERR(err, ERR_UNAVAILABLE, "no memory for the subscriptions");
    if (!ok) {
        subs_release(v, n, &a);
        return false;
    }
    subs_release(d->subs, d->n_subs, &d->a);
    d->a = a;
    d->subs = v;
    d->n_subs = n;
    interest_tell(d);
    return true;
}

size_t desk_size(const struct desk *d) { return d->n_subs; }

uint32_t desk_wanted(const struct desk *d) { return d->wanted; }

bool desk_wants(const struct desk *d, struct ulid job_id, int event)
{
    for (size_t i = 0; i < d->n_subs; i++) {
        const struct subscription *s = &d->subs[i].s;
        if ((ulid_is_zero(s->job_id) || ulid_eq(s->job_id, job_id)) && (subscription_events(s) & notice_bit(event)))
            return true;
    }
    return false;
}

static const struct desk_sub *sub_find(const struct desk *d, struct ulid id)
{
    for (size_t i = 0; i < d->n_subs; i++)
        if (ulid_eq(d->subs[i].s.id, id))
            return &d->subs[i];
    return NULL;
}

// ---- what is meant -----------------------------------------------------------------------------

static bool has_tag(const struct job *j, struct str tag)
{
    for (size_t i = 0; i < j->tags.n; i++)
        if (str_eq(j->tags.v[i], tag))
            return true;
    return false;
}

// The owner of the subscription may see the job now. *err when that cannot be known.
static bool owner_sees(struct desk *d, struct desk_sub *sub, const struct job *j, bool *ret, struct err *err)
{
    if (!sub->asked) {
        if (!owner_as_caller(d->app, sub->s.owner_id, &sub->found, &sub->owner, &d->a, err))
            return false;
        sub->asked = true;
    }
    enum action action = j ? ACTION_JOB_READ : ACTION_METRICS_READ;
    *ret = sub->found && (policy_reach(sub->owner.roles, action) == REACH_ALL ||
                          (j && caller_owns(&sub->owner, j->owner_id)));
    return true;
}

static bool is_meant(struct desk *d, struct desk_sub *sub, const struct notice *n, const struct job *j, bool *ret,
                     struct err *err)
{
    const struct subscription *s = &sub->s;
    uint32_t interest = subscription_interest(s);
    *ret = false;
    if (interest & notice_bit(NOTICE_RECOVERED)) // a success that somebody else counts may be a recovery
        interest |= notice_bit(NOTICE_SUCCEEDED);
    if (!(interest & notice_bit(n->event)) ||
        (!ulid_is_zero(s->job_id) && !ulid_eq(s->job_id, n->job_id)) || (s->tag.p && !(j && has_tag(j, s->tag))))
        return true;
    return owner_sees(d, sub, j, ret, err);
}

// ---- the round's memory ------------------------------------------------------------------------

static bool no_memory(struct err *err) { return ERR(err, ERR_UNAVAILABLE, "no memory for a round of notices"); }

static struct ulid mark_key(struct ulid subscription_id, struct ulid job_id)
{
    struct ulid both[2] = {subscription_id, job_id};
    return map_key(both, sizeof both);
}

static struct desk_mark *mark_add(struct round *r, struct ulid subscription_id, struct ulid job_id, struct str body)
{
    struct ulid key = mark_key(subscription_id, job_id);
    struct desk_mark *m = map_get(&r->mark_by_key, key);
    if (m)
        return m;
    m = arena_new(&r->a, struct desk_mark);
    if (!m)
        return NULL;
    *m = (struct desk_mark){.subscription_id = subscription_id, .job_id = job_id, .body = body, .next = r->marks,
                            .sub = sub_find(r->d, subscription_id)};
    r->marks = m;
    (void)map_put(&r->mark_by_key, key, m);
    return m;
}

// Everything that is remembered of the job, and of the subscriptions alone, is known to the round then.
static bool marks_of(struct round *r, struct ulid job_id)
{
    struct notice_mark *v;
    size_t n;
    struct store *s = r->d->app->store;
    if (map_get(&r->marks_read, job_id))
        return true;
    if (!s->ops->marks_of(s, job_id, &v, &n, &r->a, r->err))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!mark_add(r, v[i].subscription_id, v[i].job_id, v[i].body))
            return no_memory(r->err);
    (void)map_put(&r->marks_read, job_id, r);
    return true;
}

static struct job_memory *job_memory_of(struct round *r, struct desk_mark *m)
{
    if (!m->job && (m->job = arena_new(&r->a, struct job_memory)) != NULL)
        job_memory_read(m->body, m->job, &r->a);
    return m->job;
}

static struct told_memory *told_memory_of(struct round *r, struct desk_mark *m)
{
    if (!m->group && (m->group = arena_new(&r->a, struct told_memory)) != NULL)
        told_memory_read(m->body, m->group, &r->a);
    return m->group;
}

static bool job_find(struct round *r, struct ulid id, struct desk_job **ret)
{
    struct err why = {0};
    struct store *s = r->d->app->store;
    for (struct desk_job *j = r->jobs; j; j = j->next)
        if (ulid_eq(j->id, id)) {
            *ret = j;
            return true;
        }
    struct desk_job *j = arena_new(&r->a, struct desk_job);
    if (!j)
        return no_memory(r->err);
    j->id = id;
    j->found = s->ops->job_get(s, id, &j->job, &r->a, &why);
    if (!j->found && why.code != ERR_NOT_FOUND) {
        *r->err = why;
        return false;
    }
    j->next = r->jobs;
    r->jobs = j;
    *ret = j;
    return true;
}

// ---- messages ----------------------------------------------------------------------------------

static struct ulid delivery_id(const struct desk_sub *sub, const struct told_memory *g)
{
    static const uint8_t key[16] = "chronos messages"; // fixed: every node derives the same
    struct {
        struct ulid subscription;
        struct {
            struct ulid job, run;
            int64_t event, at;
        } items[TOLD_ITEMS_MAX];
    } told = {.subscription = sub->s.id};
    for (size_t i = 0; i < g->n; i++) {
        told.items[i].job = g->items[i].job_id;
        told.items[i].run = g->items[i].run_id;
        told.items[i].event = g->items[i].event;
        told.items[i].at = g->items[i].at.us;
    }
    return ulid_derive(g->items[0].at, key, &told, sizeof told);
}

static bool deliver(struct round *r, const struct desk_sub *sub, const struct told_memory *g)
{
    if (r->n_deliveries == r->cap_deliveries) {
        size_t cap = r->cap_deliveries ? 2 * r->cap_deliveries : SUBS_PAGE;
        struct delivery *v = arena_new_array(&r->a, struct delivery, cap);
        if (!v)
            return no_memory(r->err);
        if (r->n_deliveries > 0)
            memcpy(v, r->deliveries, r->n_deliveries * sizeof *v);
        r->deliveries = v;
        r->cap_deliveries = cap;
    }
    bool single = g->n == 1 && g->more == 0;
    struct delivery *d = &r->deliveries[r->n_deliveries];
    *d = (struct delivery){.id = delivery_id(sub, g), .subscription_id = sub->s.id, .owner_id = sub->s.owner_id,
                           .event = single ? g->items[0].event : NOTICE_DIGEST, .channel = sub->s.channel,
                           .created_at = r->now, .due = r->now, .code = FIELD_ABSENT, .ended_at = INSTANT_NEVER,
                           .body = told_memory_write(g, &r->a)};
    if (single) {
        d->job_id = g->items[0].job_id;
        d->run_id = g->items[0].run_id;
    }
    r->n_deliveries++;
    return d->body.p || no_memory(r->err);
}

static bool release(struct round *r, struct desk_mark *m)
{
    struct told_memory *out = arena_new(&r->a, struct told_memory);
    struct told_memory *g = told_memory_of(r, m);
    if (!out || !g)
        return no_memory(r->err);
    m->touched = true;
    while (told_release(&m->sub->s, m->sub->zone, g, r->now, out))
        if (!deliver(r, m->sub, out))
            return false;
    return true;
}

static bool tell(struct round *r, const struct desk_sub *sub, struct notice_item *item, const struct job *j)
{
    struct desk_mark *m = mark_add(r, sub->s.id, ULID_ZERO, STR_NONE);
    struct told_memory *g = m ? told_memory_of(r, m) : NULL;
    if (!g)
        return no_memory(r->err);
    item->job_name = j ? j->name : STR_NONE;
    m->touched = true;
    told_add(g, item);
    return sub->s.group_seconds > 0 || release(r, m);
}

// ---- one notice --------------------------------------------------------------------------------

static bool notice_for(struct round *r, struct desk_sub *sub, const struct notice *n, const struct job *j)
{
    struct notice_item item;
    struct desk_mark *m = mark_add(r, sub->s.id, n->job_id, STR_NONE);
    struct job_memory own, *memory = &own;
    if (!m)
        return no_memory(r->err);
    if (ulid_is_zero(n->job_id)) { // of no job: nothing is remembered
        job_memory_init(&own);
    } else {
        if (!(memory = job_memory_of(r, m)))
            return no_memory(r->err);
        m->touched = true;
    }
    return !noise_take(&sub->s, memory, n, &item) || tell(r, sub, &item, j);
}

static bool take(struct round *r, const struct notice *n)
{
    struct desk_job *j = NULL;
    bool of_job = !ulid_is_zero(n->job_id);
    if (n->event < 0 || n->event >= NOTICE_WANTABLE)
        return true;
    if (of_job && !job_find(r, n->job_id, &j))
        return false;
    if (j && !j->found)
        return true; // deleted: nobody is left to look after it
    for (size_t i = 0; i < r->d->n_subs; i++) {
        bool meant;
        struct desk_sub *sub = &r->d->subs[i];
        if (!is_meant(r->d, sub, n, j ? &j->job : NULL, &meant, r->err))
            return false;
        if (meant && (!marks_of(r, n->job_id) || !notice_for(r, sub, n, j ? &j->job : NULL)))
            return false;
    }
    return true;
}

// ---- what is due by itself -----------------------------------------------------------------------

static bool look_again(struct round *r, struct desk_mark *m)
{
    struct notice_item item;
    struct desk_job *j;
    m->touched = true;
    if (!m->sub || ulid_is_zero(m->job_id))
        return true; // forgotten, or released at the end of the round
    struct job_memory *memory = job_memory_of(r, m);
    if (!memory)
        return no_memory(r->err);
    if (!noise_calm(&m->sub->s, memory, r->now, m->job_id, &item))
        return true;
    if (!job_find(r, m->job_id, &j))
        return false;
    return !j->found || tell(r, m->sub, &item, &j->job);
}

static bool take_due(struct round *r, size_t *ret_n)
{
    struct notice_mark *v;
    struct store *s = r->d->app->store;
    if (!s->ops->marks_due(s, r->now, DESK_MARKS_MAX, &v, ret_n, &r->a, r->err))
        return false;
    for (size_t i = 0; i < *ret_n; i++) {
        if (!ulid_is_zero(v[i].job_id) && !marks_of(r, v[i].job_id)) // what is held of the subscription, too
            return false;
        struct desk_mark *m = mark_add(r, v[i].subscription_id, v[i].job_id, v[i].body);
        if (!m)
            return no_memory(r->err);
        if (!look_again(r, m))
            return false;
    }
    return true;
}

// ---- the end of a round --------------------------------------------------------------------------

static bool release_all(struct round *r)
{
    for (struct desk_mark *m = r->marks; m; m = m->next)
        if (m->touched && m->sub && ulid_is_zero(m->job_id) && !release(r, m))
            return false;
    return true;
}

// What is to be remembered; an absent body: nothing.
static struct notice_mark mark_of(struct round *r, const struct desk_mark *m, bool *ret_full)
{
    struct notice_mark out = {.subscription_id = m->subscription_id, .job_id = m->job_id, .due = INSTANT_NEVER};
    bool keep = false;
    if (m->sub && m->group) {
        out.due = m->group->until;
        keep = !instant_is_never(out.due);
        out.body = keep ? told_memory_write(m->group, &r->a) : STR_NONE;
    } else if (m->sub && m->job) {
        out.due = noise_due(&m->sub->s, m->job);
        keep = !job_memory_is_new(m->job);
        out.body = keep ? job_memory_write(m->job, &r->a) : STR_NONE;
    }
    *ret_full = keep && !out.body.p;
    return out;
}

static bool settle(struct round *r, const struct notice *v, size_t n)
{
    struct settlement out = {.deliveries = r->deliveries, .n_deliveries = r->n_deliveries, .n_seqs = n};
    size_t n_marks = 0;
    bool full = false;
    for (const struct desk_mark *m = r->marks; m; m = m->next)
        n_marks += m->touched;
    int64_t *seqs = arena_new_array(&r->a, int64_t, n);
    struct notice_mark *marks = arena_new_array(&r->a, struct notice_mark, n_marks);
    if (!seqs || !marks)
        return no_memory(r->err);
    for (size_t i = 0; i < n; i++)
        seqs[i] = v[i].seq;
    for (const struct desk_mark *m = r->marks; m && !full; m = m->next)
        if (m->touched) {
            struct notice_mark mark = mark_of(r, m, &full);
            if (mark.body.p || m->body.p) // else there is no row, and there will be none
                marks[out.n_marks++] = mark;
        }
    if (full)
        return no_memory(r->err);
    out.seqs = seqs;
    out.marks = marks;
    struct store *s = r->d->app->store;
    return s->ops->notices_settle(s, &out, r->err);
}

static bool round_run(struct round *r, bool *ret_more)
{
    struct notice *v;
    size_t n, due;
    struct store *s = r->d->app->store;
    if (!s->ops->notices_read(s, DESK_NOTICES_MAX, &v, &n, &r->a, r->err) || !take_due(r, &due))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!take(r, &v[i]))
            return false;
    *ret_more = n == DESK_NOTICES_MAX || due == DESK_MARKS_MAX;
    return release_all(r) && settle(r, v, n);
}

bool desk_round(struct desk *d, bool *ret_more, struct err *err)
{
    struct round r = {.d = d, .now = clock_now(d->app->clock), .err = err};
    arena_init(&r.a, ROUND_ARENA);
    map_init(&r.mark_by_key);
    map_init(&r.marks_read);
    bool ok = round_run(&r, ret_more);
    map_release(&r.mark_by_key);
    map_release(&r.marks_read);
    arena_release(&r.a);
    return ok;
}
