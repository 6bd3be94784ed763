// SPDX-License-Identifier: Apache-2.0
// Proving the audit trail. It ends at the first place that does not fit: behind it nothing can be said.
#include "app/audit_verify.h"

#include "app/audit_trail.h"
#include "base/sync.h"

enum { PAGE = 500, PAGE_ARENA = 128 * 1024 * 1024 };

#define ANSWER .flags = FIELD_READ_ONLY
#define T      struct audit_verdict
static const struct field rows[] = {
    FIELD_BOOL(T, intact, "intact", ANSWER, .doc = "Whether every record is there and as it was written."),
    FIELD_I64(T, records, "records", ANSWER, .max = INT64_MAX, .doc = "Sealed records that hold."),
    FIELD_I64(T, unsealed, "unsealed", ANSWER, .max = INT64_MAX,
              .doc = "Records of the last moment that hold and have no place in the chain yet."),
    FIELD_I64(T, first, "first", ANSWER, .max = INT64_MAX, .doc = "Place where the chain begins."),
    FIELD_I64(T, last, "last", ANSWER, .max = INT64_MAX, .doc = "Last place that holds."),
    FIELD_I64(T, at, "at", ANSWER, .max = INT64_MAX,
              .doc = "Place where it breaks; 0: nowhere, or outside the chain."),
    FIELD_ID(T, id, "recordId", .flags = FIELD_READ_ONLY | FIELD_NULLABLE, .doc = "The record there."),
    FIELD_STR(T, problem, "problem", .flags = FIELD_READ_ONLY | FIELD_NULLABLE,
              .doc = "What is wrong there."),
};
#undef T
const struct fields audit_verdict_fields = FIELDS(
    "AuditVerdict", struct audit_verdict, rows, .doc = "Whether the audit trail holds, and where it breaks.");

struct check {
    struct store *store;
    const struct audit_key *key;
    struct str outside;
    void (*progress)(void *ctx, int64_t done, int64_t of);
    void *ctx;
    struct audit_verdict v;
    struct audit_mark head, at, point; // where we are; the next checkpoint of the store, seq 0: none
    struct arena *a;                   // of the answer
};

static bool broken(struct check *c, int64_t at, struct ulid id, struct str why)
{
    c->v.at = at;
    c->v.id = id;
    c->v.problem = why.p ? why : STR("the audit trail does not hold");
    return false;
}

static bool one_mark(struct check *c, int kind, int64_t after, struct audit_mark *ret, struct err *err)
{
    struct arena a CLEANUP(arena_release);
    struct audit_mark *v;
    size_t n = 0;
    arena_init(&a, PAGE_ARENA);
    if (!c->store->ops->audit_marks(c->store, kind, after, 1, &v, &n, &a, err))
        return false;
    *ret = n ? v[0] : (struct audit_mark){.kind = kind};
    return true;
}

static bool mark_fits(struct check *c, const struct audit_mark *m)
{
    return m->seq == 0 || audit_mark_holds(c->key, m);
}

// One record of the chain. False: verdict or, with *ret_failed, the store's error.
static bool record_fits(struct check *c, const struct audit_record *r, bool *ret_failed, struct err *err)
{
    uint8_t mac[AUDIT_MAC_BYTES], chain[AUDIT_MAC_BYTES];
    int64_t place = c->at.seq + 1;
    if (r->seq != place)
        return broken(c, place, ULID_ZERO,
                      arena_fmt(c->a, "record %lld is missing: the next one there is %lld", (long long)place,
                                (long long)r->seq));
    audit_record_mac(c->key, r, mac);
    if (!audit_mac_eq(mac, r->mac))
        return broken(c, place, r->id, arena_fmt(c->a, "record %lld was changed", (long long)place));
    audit_chain_next(c->key, place, mac, c->at.chain, chain);
    if (!audit_mac_eq(chain, r->chain))
        return broken(
            c, place, r->id,
            arena_fmt(c->a, "record %lld does not continue the chain: it, or one before it, was exchanged",
                      (long long)place));
    c->at.seq = place;
    memcpy(c->at.chain, chain, sizeof chain);
    c->v.records++;
    c->v.last = place;
    if (c->point.seq != place)
        return true;
    if (!audit_mark_holds(c->key, &c->point) || !audit_mac_eq(c->point.chain, chain))
        return broken(c, place, ULID_ZERO,
                      arena_fmt(c->a, "the checkpoint at %lld is forged", (long long)place));
    *ret_failed = !one_mark(c, AUDIT_CHECKPOINT, place, &c->point, err);
    return !*ret_failed;
}

static bool chain_fits(struct check *c, bool *ret_failed, struct err *err)
{
    for (size_t n = PAGE; n == PAGE;) {
        struct arena a CLEANUP(arena_release);
        struct audit_record *v;
        arena_init(&a, PAGE_ARENA);
        *ret_failed = !c->store->ops->audit_chain(c->store, c->at.seq, PAGE, &v, &n, &a, err);
        for (size_t i = 0; !*ret_failed && i < n; i++)
            if (c->at.seq < c->head.seq && !record_fits(c, &v[i], ret_failed, err))
                return false;
        if (*ret_failed)
            return false;
        if (c->at.seq >= c->head.seq)
            break; // what was sealed since the head was read is for the next look
        if (c->progress)
            c->progress(c->ctx, c->v.records, c->head.seq);
    }
    return true;
}

static bool cut_off(struct check *c, int64_t known, const char *who)
{
    return broken(c, c->at.seq + 1, ULID_ZERO,
                  arena_fmt(c->a, "the tail was cut off: %s says %lld, the last record there is %lld", who,
                            (long long)known, (long long)c->at.seq));
}

// Checkpoints from outside must lie on the chain; only those at its end can be compared without walking it
// again, and those are the ones that tell of a tail.
static bool outside_fits(struct check *c)
{
    for (struct str rest = c->outside; rest.p && rest.n > 0;) {
        struct audit_mark m;
        struct str line = str_split(rest, '\n', &rest);
        if (!audit_mark_read(line, &m) || !audit_mark_holds(c->key, &m))
            continue; // a line half written, or of another installation
        if (m.seq > c->at.seq)
            return cut_off(c, m.seq, "a checkpoint outside of the store");
        if (m.seq == c->at.seq && !audit_mac_eq(m.chain, c->at.chain))
            return broken(c, m.seq, ULID_ZERO,
                          STR("the chain is another one than a checkpoint outside of the store"));
    }
    return true;
}

static bool ends_fit(struct check *c)
{
    if (c->at.seq < c->head.seq)
        return cut_off(c, c->head.seq, "the head");
    if (c->head.seq != 0 && !audit_mac_eq(c->head.chain, c->at.chain))
        return broken(c, c->head.seq, ULID_ZERO, STR("the head does not belong to the last record"));
    if (c->point.seq > c->at.seq)
        return cut_off(c, c->point.seq, "a checkpoint");
    return outside_fits(c);
}

static bool unsealed_fit(struct check *c, bool *ret_failed, struct err *err)
{
    struct ulid after = ULID_ZERO;
    for (size_t n = PAGE; n == PAGE;) {
        struct arena a CLEANUP(arena_release);
        struct audit_record *v;
        uint8_t mac[AUDIT_MAC_BYTES];
        arena_init(&a, PAGE_ARENA);
        *ret_failed = !c->store->ops->audit_unsealed(c->store, after, PAGE, &v, &n, &a, err);
        if (*ret_failed)
            return false;
        for (size_t i = 0; i < n; i++, c->v.unsealed++) {
            after = v[i].id;
            audit_record_mac(c->key, &v[i], mac);
            if (!audit_mac_eq(mac, v[i].mac))
                return broken(c, 0, v[i].id, STR("a record that is not sealed yet was changed"));
        }
    }
    return true;
}

static bool all_fits(struct check *c, bool *ret_failed, struct err *err)
{
    struct audit_mark anchor;
    *ret_failed = !one_mark(c, AUDIT_ANCHOR, 0, &anchor, err) || !one_mark(c, AUDIT_HEAD, 0, &c->head, err) ||
                  !one_mark(c, AUDIT_CHECKPOINT, anchor.seq, &c->point, err);
    if (*ret_failed)
        return false;
    if (!mark_fits(c, &anchor))
        return broken(c, anchor.seq, ULID_ZERO, STR("the anchor is forged, or this is not its key"));
    if (!mark_fits(c, &c->head))
        return broken(c, c->head.seq, ULID_ZERO, STR("the head is forged, or this is not its key"));
    c->at = anchor;
    c->v.last = anchor.seq;
    c->v.first = anchor.seq + 1;
    return chain_fits(c, ret_failed, err) && ends_fit(c) && unsealed_fit(c, ret_failed, err);
}

bool audit_verify(struct store *s, const struct audit_key *key, struct str checkpoints,
                  void (*progress)(void *ctx, int64_t done, int64_t of), void *ctx, struct audit_verdict *ret,
                  struct arena *a, struct err *err)
{
    struct check c = {
        .store = s, .key = key, .outside = checkpoints, .progress = progress, .ctx = ctx, .a = a};
    bool failed = false;
    c.v.intact = all_fits(&c, &failed, err);
    if (failed)
        return false;
    *ret = c.v;
    return true;
}

bool app_audit_verify(struct app *app, const struct caller *c, struct audit_verdict *ret, struct arena *a,
                      struct err *err)
{
    enum reach reach;
    if (!app_authorize(c, ACTION_AUDIT_READ, &reach, err))
        return false;
    if (!app->audit)
        return ERR(err, ERR_UNAVAILABLE, "this server has no key, so nothing is recorded");
    return audit_verify(app->store, audit_trail_key(app->audit), STR_NONE, NULL, NULL, ret, a, err);
}

bool app_audit_list(struct app *app, const struct caller *c, const struct audit_filter *f,
                    const struct page *p, struct audit_record **ret, size_t *ret_n,
                    struct page_result *ret_page, struct arena *a, struct err *err)
{
    enum reach reach;
    return app_authorize(c, ACTION_AUDIT_READ, &reach, err) &&
           app->store->ops->audit_list(app->store, f, p, ret, ret_n, ret_page, a, err);
}
