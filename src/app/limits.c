// SPDX-License-Identifier: Apache-2.0
// Limits of callers and owners. The jobs of an owner are counted by the store, at most every RECOUNT_S for
// each owner and always before a refusal; between two counts what this node creates is added. So a creation
// costs no count, and a refusal is never older than the jobs that were deleted meanwhile.
//
// Lock: counts_lock (LOCK_APP_QUOTA) guards the counts; never held while the store is asked.
#include "app/limits.h"

#include "base/mem.h"
#include "base/sync.h"

enum { OWNERS = 1024, RECOUNT_S = 10, BURST_SECONDS = 2 };

struct owner_count {
    struct ulid owner; // zero: never used
    int64_t jobs;
    struct mono counted;
};

struct limits {
    struct limits_config config;
    struct rate *callers, *addresses, *runs;
    struct mutex counts_lock;
    struct owner_count counts[OWNERS]; // under counts_lock; an owner has one place, the last one there wins
};

static struct rate *bucket(int64_t per_second, int64_t burst)
{
    if (burst < 1)
        burst = per_second > 0 ? per_second * BURST_SECONDS : 1;
    return rate_new(&(struct rate_terms){per_second, burst < RATE_MAX ? burst : RATE_MAX});
}

struct limits *limits_new(const struct limits_config *c)
{
    struct limits *l = mem_new(struct limits);
    l->config = *c;
    l->callers = bucket(c->requests_per_s, c->burst);
    l->addresses = bucket(c->anonymous_per_s, 0);
    l->runs = bucket(c->runs_per_s, 0);
    mutex_init(&l->counts_lock, LOCK_APP_QUOTA);
    return l;
}

void limits_free(struct limits *l)
{
    if (!l)
        return;
    rate_free(l->callers);
    rate_free(l->addresses);
    rate_free(l->runs);
    mutex_release(&l->counts_lock);
    mem_free(l);
}

static struct str id_key(const struct ulid *id) { return str_of_n((const char *)id->b, sizeof id->b); }

struct limit_answer limits_request(struct limits *l, const struct caller *c, struct mono now)
{
    struct limit_answer a = {.what = c->signed_in ? "caller" : "address"};
    char site[THROTTLE_SITE_MAX];
    struct rate *r = c->signed_in ? l->callers : l->addresses;
    struct str key = !c->signed_in ? throttle_site(c->remote, site)
                                   : id_key(ulid_is_zero(c->key_id) ? &c->user_id : &c->key_id);
    a.terms = *rate_terms_of(r);
    a.rate = rate_take(r, key, 1, now);
    return a;
}

static struct owner_count *place_of(struct limits *l, struct ulid owner)
{
    uint64_t h;
    memcpy(&h, owner.b + sizeof owner.b - sizeof h, sizeof h); // the random end of the identifier
    return &l->counts[h % OWNERS];
}

// False: not known lately.
static bool count_known(struct limits *l, struct ulid owner, struct mono now, int64_t *ret)
{
    WITH_LOCK(&l->counts_lock);
    const struct owner_count *p = place_of(l, owner);
    if (!ulid_eq(p->owner, owner) || mono_since(now, p->counted).us > RECOUNT_S * US_PER_S)
        return false;
    *ret = p->jobs;
    return true;
}

static bool recount(struct app *app, struct ulid owner, int64_t *ret, struct err *err)
{
    struct limits *l = app->limits;
    struct mono now = clock_mono(app->clock);
    int64_t n;
    if (!app->store->ops->accounts->jobs_owned(app->store, owner, &n, err))
        return false;
    WITH_LOCK(&l->counts_lock);
    *place_of(l, owner) = (struct owner_count){owner, n, now};
    *ret = n;
    return true;
}

bool app_limit_jobs(struct app *app, struct ulid owner, int64_t n, struct err *err)
{
    struct limits *l = app->limits;
    int64_t jobs;
    if (!l || l->config.jobs_per_owner == 0)
        return true;
    bool known = count_known(l, owner, clock_mono(app->clock), &jobs);
    if (known && jobs + n <= l->config.jobs_per_owner)
        return true;
    if (!recount(app, owner, &jobs, err))
        return false;
    return jobs + n <= l->config.jobs_per_owner ||
           ERR(err, ERR_THROTTLED,
               "an owner may have %lld jobs (limits.jobsPerOwner), this one has %lld: delete some, or "
               "ask an administrator",
               (long long)l->config.jobs_per_owner, (long long)jobs);
}

void app_limit_jobs_made(struct app *app, struct ulid owner, int64_t n)
{
    struct limits *l = app->limits;
    if (!l || l->config.jobs_per_owner == 0)
        return;
    WITH_LOCK(&l->counts_lock);
    struct owner_count *p = place_of(l, owner);
    if (ulid_eq(p->owner, owner))
        p->jobs += n;
}

bool app_limit_run(struct app *app, struct ulid owner, struct err *err)
{
    struct limits *l = app->limits;
    if (!l)
        return true;
    return rate_take(l->runs, id_key(&owner), 1, clock_mono(app->clock)).ok ||
           ERR(err, ERR_THROTTLED,
               "the jobs of one owner may be started by hand %lld times a second "
               "(limits.runsPerSecond); wait and try again",
               (long long)l->config.runs_per_s);
}
