// SPDX-License-Identifier: Apache-2.0
// The audit trail: records share the transaction of the write they tell of, the chain has one sealer at a
// time.
#include <stdio.h>

#include "conformance.h"

enum { WRITERS = 8, WRITES = 25, LIST = 200, SEALERS = 4, RECORDS = 40 };

static struct audit_record record_make(struct world *w, const char *action, const char *entity)
{
    struct audit_record r = {.id = id_new(w),
                             .at = at_s(w->tick),
                             .actor_id = w->owner,
                             .actor = STR("ada@example.org"),
                             .way = STR("TOKEN"),
                             .node = STR("n1"),
                             .action = arena_str(&w->a, str_of(action)),
                             .entity_type = STR("job"),
                             .entity_id = arena_str(&w->a, str_of(entity)),
                             .entity_name = STR(""),
                             .outcome = AUDIT_DONE,
                             .detail = STR("caf\xC3\xA9 \xE2\x80\xA8 \"'\\;--"),
                             .changes = STR("{\"a\":{\"after\":1}}"),
                             .mac = {1, 2, 0, 3}};
    return r;
}

static void take(struct world *w, struct store *s, const char *action, const char *entity)
{
    struct audit_record r = record_make(w, action, entity);
    s->ops->audit_take(s, &r, 1);
}

static struct audit_record append(struct world *w, const char *action, const char *entity)
{
    struct audit_record r = record_make(w, action, entity);
    assert_ok(w, w->s->ops->audit_append(w->s, &r, 1, &w->err));
    return r;
}

static size_t list(struct world *w, const struct audit_filter *f, struct audit_record **ret)
{
    struct page p = page_of(LIST);
    struct page_result page;
    size_t n = 0;
    assert_ok(w, w->s->ops->audit_list(w->s, f, &p, ret, &n, &page, &w->a, &w->err));
    assert_int_equal(page.total, n);
    return n;
}

static size_t count(struct world *w)
{
    struct audit_filter any = {.outcome = -1};
    struct audit_record *v;
    return list(w, &any, &v);
}

static void put(struct world *w, struct store *s, const char *key)
{
    assert_ok(w, s->ops->setting_put(s, str_of(key), STR("v"), &w->err));
}

// ---- notes ---------------------------------------------------------------------------------------

static void a_note_goes_with_the_next_write_only(void **state)
{
    struct world *w = *state;
    struct audit_record back, *v;
    struct audit_filter any = {.outcome = -1};
    take(w, w->s, "job.create", "one");
    take(w, w->s, "job.create", "two");
    assert_int_equal(count(w), 0);
    put(w, w->s, "a");
    assert_int_equal(count(w), 2);
    put(w, w->s, "b");
    assert_int_equal(count(w), 2);
    world_reopen(w);
    assert_int_equal(list(w, &any, &v), 2);
    assert_text(v[0].entity_id, STR("two")); // newest first
    assert_ok(w, w->s->ops->audit_get(w->s, v[1].id, &back, &w->a, &w->err));
    struct audit_record like = record_make(w, "job.create", "one");
    assert_id(back.actor_id, w->owner);
    assert_text(back.actor, like.actor);
    assert_text(back.detail, like.detail);
    assert_text(back.changes, like.changes);
    assert_memory_equal(back.mac, like.mac, sizeof like.mac);
    assert_int_equal(back.at.us, v[1].at.us);
    assert_in_range(back.at.us, at_s(0).us, like.at.us);
    assert_int_equal(back.seq, 0);
    assert_non_null(back.entity_name.p); // empty, not absent
    assert_int_equal(back.entity_name.n, 0);
    assert_null(back.address.p);
    assert_err(w, w->s->ops->audit_get(w->s, w->owner, &back, &w->a, &w->err), ERR_NOT_FOUND);
}

static void a_refused_write_leaves_no_note(void **state)
{
    struct world *w = *state;
    struct plan p = job_add(w, "a");
    struct job j = job_read(w, p.job_id);
    take(w, w->s, "job.update", "a");
    j.version = 8;
    p.version = 8;
    assert_err(w, w->s->ops->job_update(w->s, &j, &p, 7, &w->err), ERR_STALE);
    put(w, w->s, "a");
    take(w, w->s, "secret.delete", "x");
    assert_err(w, w->s->ops->secret_delete(w->s, w->owner, STR("nothing"), &w->err), ERR_NOT_FOUND);
    put(w, w->s, "b");
    assert_int_equal(count(w), 0);
}

static void a_write_that_decides_nothing_leaves_no_note(void **state)
{
    struct world *w = *state;
    struct plan p = job_add(w, "a");
    struct run r = fire_one(w, &p, RUN_QUEUED, 0);
    enum run_cancel_result result;
    bool done;
    struct secret v = {.scope = w->owner, .name = STR("none"), .owner_id = w->owner, .sealed = STR("x")};
    take(w, w->s, "run.cancel", "first");
    assert_ok(w, w->s->ops->run_cancel(w->s, r.id, at_s(1), &result, &w->err));
    assert_int_equal(result, CANCEL_DONE);
    take(w, w->s, "run.cancel", "second");
    assert_ok(w, w->s->ops->run_cancel(w->s, r.id, at_s(1), &result, &w->err));
    assert_int_equal(result, CANCEL_ALREADY_FINAL);
    take(w, w->s, "secret.rotate", "none");
    assert_ok(w, w->s->ops->secret_reseal(w->s, &v, STR("y"), &done, &w->err));
    assert_false(done);
    put(w, w->s, "a");
    assert_int_equal(count(w), 1);
}

static void a_dropped_note_is_gone(void **state)
{
    struct world *w = *state;
    w->s->ops->audit_drop(w->s);
    take(w, w->s, "job.create", "a");
    w->s->ops->audit_drop(w->s);
    put(w, w->s, "a");
    assert_int_equal(count(w), 0);
}

struct writer {
    struct store *s;
    struct ulid owner;
    int number;
    bool ok;
};

// Every thread notes what it writes; each second write is refused.
static void *writer_main(void *arg)
{
    struct writer *me = arg;
    me->ok = true;
    for (int i = 0; i < WRITES; i++) {
        char name[32];
        struct err err;
        (void)snprintf(name, sizeof name, "race.%d.%d", me->number, i / 2);
        struct audit_record r = {.id = {{1, (uint8_t)me->number, (uint8_t)i}},
                                 .at = at_s(1),
                                 .actor = STR("a"),
                                 .node = STR("n"),
                                 .action = STR("setting.insert"),
                                 .entity_type = STR("setting"),
                                 .entity_id = str_of(name)};
        me->s->ops->audit_take(me->s, &r, 1);
        bool put = me->s->ops->setting_insert(me->s, str_of(name), STR("v"), &err);
        me->ok &= put == (i % 2 == 0);
    }
    return NULL;
}

static void notes_of_threads_do_not_mix(void **state)
{
    struct world *w = *state;
    struct writer v[WRITERS];
    pthread_t threads[WRITERS];
    struct audit_filter f = {.outcome = -1, .action = STR("setting.insert")};
    struct audit_record *found;
    for (int i = 0; i < WRITERS; i++) {
        v[i] = (struct writer){.s = w->s, .owner = w->owner, .number = i};
        threads[i] = thread_start("writer", writer_main, &v[i]);
    }
    for (int i = 0; i < WRITERS; i++) {
        (void)pthread_join(threads[i], NULL);
        assert_true(v[i].ok);
    }
    size_t n = list(w, &f, &found);
    assert_int_equal(n, WRITERS * ((WRITES + 1) / 2));
    for (size_t i = 0; i < n; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "race.%d.%d", found[i].id.b[1], found[i].id.b[2] / 2);
        assert_true(str_is(found[i].entity_id, name));
    }
}

// ---- lists ---------------------------------------------------------------------------------------

static void lists_by_what_one_asks(void **state)
{
    struct world *w = *state;
    struct audit_record *v;
    struct ulid other = id_new(w);
    for (int i = 0; i < 6; i++) {
        struct audit_record r = record_make(w, i % 2 ? "job.update" : "job.create", i < 3 ? "one" : "two");
        r.at = at_s(i);
        r.id = ulid_new(r.at, &w->rng);
        r.outcome = i == 5 ? AUDIT_REFUSED : AUDIT_DONE;
        if (i == 4) {
            r.actor_id = other;
            r.actor = STR("bob@example.org");
        }
        assert_ok(w, w->s->ops->audit_append(w->s, &r, 1, &w->err));
    }
    struct audit_filter rows[] = {
        {.outcome = -1},
        {.outcome = -1, .entity_type = STR("job"), .entity_id = STR("one")},
        {.outcome = -1, .entity_type = STR("run")},
        {.outcome = -1, .action = STR("job.update")},
        {.outcome = -1, .actor_id = other},
        {.outcome = -1, .actor = STR("bob@example.org")},
        {.outcome = AUDIT_REFUSED},
        {.outcome = -1, .from = at_s(2), .before = at_s(4)},
        {.outcome = -1, .from = at_s(2), .action = STR("job.create"), .actor_id = w->owner},
        {.outcome = -1, .entity_type = STR("job"), .entity_id = STR("two"), .action = STR("job.update")},
    };
    static const size_t expected[] = {6, 3, 0, 3, 1, 1, 1, 2, 1, 2};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(list(w, &rows[i], &v), expected[i]);
}

static void pages_follow_each_other(void **state)
{
    struct world *w = *state;
    struct audit_filter any = {.outcome = -1};
    for (int i = 0; i < 7; i++)
        (void)append(w, "job.create", "x");
    for (int ascending = 0; ascending < 2; ascending++) {
        struct page p = page_of(3);
        struct ulid last = ULID_ZERO;
        size_t seen = 0, n;
        p.ascending = ascending;
        do {
            struct audit_record *v;
            struct page_result page;
            assert_ok(w, w->s->ops->audit_list(w->s, &any, &p, &v, &n, &page, &w->a, &w->err));
            for (size_t i = 0; i < n; i++, seen++) {
                assert_true(seen == 0 || (ulid_cmp(v[i].id, last) > 0) == ascending);
                last = v[i].id;
            }
            p.cursor = page.next_cursor;
        } while (p.cursor.p);
        assert_int_equal(seen, 7);
    }
}

// ---- the chain -----------------------------------------------------------------------------------

static struct audit_mark mark_make(int kind, int64_t seq)
{
    return (struct audit_mark){
        .kind = kind, .seq = seq, .at = at_s(seq), .chain = {(uint8_t)seq, 9}, .mac = {(uint8_t)seq, 7}};
}

static size_t marks(struct world *w, int kind, int64_t after, struct audit_mark **ret)
{
    size_t n = 0;
    assert_ok(w, w->s->ops->audit_marks(w->s, kind, after, LIST, ret, &n, &w->a, &w->err));
    return n;
}

// Seals what is not sealed, behind the head that is expected.
static bool seal(struct world *w, struct store *s, int64_t head, bool checkpoint)
{
    struct audit_record *v;
    size_t n = 0;
    assert_ok(w, s->ops->audit_unsealed(s, ULID_ZERO, LIST, &v, &n, &w->a, &w->err));
    for (size_t i = 0; i < n; i++) {
        v[i].seq = head + 1 + (int64_t)i;
        v[i].chain[0] = (uint8_t)v[i].seq;
    }
    struct audit_mark point = mark_make(AUDIT_CHECKPOINT, head + (int64_t)n);
    struct audit_seal work = {.records = v,
                              .n = n,
                              .expect = head ? mark_make(AUDIT_HEAD, head) : (struct audit_mark){0},
                              .head = mark_make(AUDIT_HEAD, head + (int64_t)n),
                              .checkpoint = checkpoint ? &point : NULL};
    return s->ops->audit_seal(s, &work, &w->err);
}

static void records_get_their_places(void **state)
{
    struct world *w = *state;
    struct audit_record *v;
    struct audit_mark *m;
    size_t n = 0;
    for (int i = 0; i < 3; i++)
        (void)append(w, "job.create", "x");
    assert_int_equal(marks(w, AUDIT_HEAD, 0, &m), 0);
    assert_ok(w, seal(w, w->s, 0, false));
    (void)append(w, "job.delete", "x");
    assert_ok(w, seal(w, w->s, 3, true));
    world_reopen(w);
    assert_ok(w, w->s->ops->audit_chain(w->s, 1, LIST, &v, &n, &w->a, &w->err));
    assert_int_equal(n, 3);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(v[i].seq, 2 + (int64_t)i);
        assert_int_equal(v[i].chain[0], v[i].seq);
    }
    assert_text(v[2].action, STR("job.delete"));
    assert_int_equal(marks(w, AUDIT_HEAD, 0, &m), 1);
    assert_int_equal(m->seq, 4);
    assert_int_equal(m->at.us, at_s(4).us);
    assert_int_equal(m->chain[0], 4);
    assert_int_equal(m->mac[1], 7);
    assert_int_equal(marks(w, AUDIT_CHECKPOINT, 0, &m), 1);
    assert_int_equal(marks(w, AUDIT_CHECKPOINT, 4, &m), 0);
    assert_ok(w, w->s->ops->audit_unsealed(w->s, ULID_ZERO, LIST, &v, &n, &w->a, &w->err));
    assert_int_equal(n, 0);
}

static void another_head_seals_nothing(void **state)
{
    struct world *w = *state;
    struct audit_record *v;
    size_t n = 0;
    (void)append(w, "job.create", "x");
    assert_ok(w, seal(w, w->s, 0, false));
    (void)append(w, "job.create", "y");
    assert_err(w, seal(w, w->s, 0, true), ERR_STALE); // believes there is no head
    assert_err(w, seal(w, w->s, 7, true), ERR_STALE); // believes in another place
    assert_ok(w, w->s->ops->audit_unsealed(w->s, ULID_ZERO, LIST, &v, &n, &w->a, &w->err));
    assert_int_equal(n, 1);
    struct audit_mark *m;
    assert_int_equal(marks(w, AUDIT_CHECKPOINT, 0, &m), 0);
    assert_ok(w, seal(w, w->s, 1, false));
}

struct sealer {
    struct store *s;
    int won;
    bool ok;
};

// Believes what it read last, like a node that held the duty a moment ago.
static void *sealer_main(void *arg)
{
    struct sealer *me = arg;
    struct arena a CLEANUP(arena_release);
    struct err err = {0};
    arena_init(&a, ARENA_BUDGET);
    me->ok = true;
    for (size_t n = 1; me->ok && n > 0;) {
        struct audit_record *v;
        struct audit_mark *m;
        size_t heads = 0;
        me->ok = me->s->ops->audit_marks(me->s, AUDIT_HEAD, 0, 1, &m, &heads, &a, &err) &&
                 me->s->ops->audit_unsealed(me->s, ULID_ZERO, 3, &v, &n, &a, &err);
        if (!me->ok || n == 0)
            break;
        int64_t head = heads ? m->seq : 0;
        for (size_t i = 0; i < n; i++)
            v[i].seq = head + 1 + (int64_t)i;
        struct audit_seal work = {.records = v,
                                  .n = n,
                                  .expect = heads ? *m : (struct audit_mark){0},
                                  .head = mark_make(AUDIT_HEAD, head + (int64_t)n)};
        bool won = me->s->ops->audit_seal(me->s, &work, &err);
        me->won += won;
        me->ok = won || err.code == ERR_STALE || err.code == ERR_BUSY || err.code == ERR_CONFLICT;
    }
    return NULL;
}

static void sealers_never_fork_the_chain(void **state)
{
    struct world *w = *state;
    struct sealer v[SEALERS];
    pthread_t threads[SEALERS];
    struct audit_record *found;
    size_t n = 0;
    struct store *other = world_other(w);
    for (int i = 0; i < RECORDS; i++)
        (void)append(w, "job.create", "x");
    for (int i = 0; i < SEALERS; i++) {
        v[i] = (struct sealer){.s = i % 2 ? other : w->s};
        threads[i] = thread_start("sealer", sealer_main, &v[i]);
    }
    for (int i = 0; i < SEALERS; i++) {
        (void)pthread_join(threads[i], NULL);
        assert_true(v[i].ok);
    }
    assert_ok(w, w->s->ops->audit_chain(w->s, 0, LIST, &found, &n, &w->a, &w->err));
    assert_int_equal(n, RECORDS);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(found[i].seq, 1 + (int64_t)i);
}

static void the_oldest_go_up_to_an_anchor(void **state)
{
    struct world *w = *state;
    struct audit_record *v;
    struct audit_mark *m;
    size_t n = 0;
    int64_t head = 0;
    for (int i = 0; i < 3; i++, head += 2) {
        (void)append(w, "job.create", "x");
        (void)append(w, "job.create", "x");
        assert_ok(w, seal(w, w->s, head, true));
    }
    (void)append(w, "job.create", "not sealed");
    struct audit_mark none = {0}, first = mark_make(AUDIT_ANCHOR, 2), second = mark_make(AUDIT_ANCHOR, 4);
    assert_ok(w, w->s->ops->audit_trim(w->s, &none, &first, &w->err));
    assert_err(w, w->s->ops->audit_trim(w->s, &none, &second, &w->err), ERR_STALE);
    assert_ok(w, w->s->ops->audit_trim(w->s, &first, &second, &w->err));
    assert_ok(w, w->s->ops->audit_chain(w->s, 0, LIST, &v, &n, &w->a, &w->err));
    assert_int_equal(n, 2);
    assert_int_equal(v[0].seq, 5);
    assert_int_equal(count(w), 3);
    assert_int_equal(marks(w, AUDIT_ANCHOR, 0, &m), 1);
    assert_int_equal(m->seq, 4);
    assert_int_equal(marks(w, AUDIT_CHECKPOINT, 0, &m), 2);
    assert_int_equal(m[0].seq, 4);
}

static const struct CMUnitTest rows[] = {
    CASE("audit: a note goes with the next write of its thread, and with no other",
         a_note_goes_with_the_next_write_only),
    CASE("audit: a refused write leaves no note", a_refused_write_leaves_no_note),
    CASE("audit: a write that decides nothing leaves no note", a_write_that_decides_nothing_leaves_no_note),
    CASE("audit: a dropped note is gone", a_dropped_note_is_gone),
    CASE("audit: notes of threads that share commits do not mix", notes_of_threads_do_not_mix),
    CASE("audit: lists by entity, action, actor, outcome and time", lists_by_what_one_asks),
    CASE("audit: pages follow each other both ways", pages_follow_each_other),
    CASE("audit: records get their places, head and checkpoints with them", records_get_their_places),
    CASE("audit: who expects another head seals nothing", another_head_seals_nothing),
    CASE("audit: sealers at the same time never fork the chain", sealers_never_fork_the_chain),
    CASE("audit: the oldest go up to an anchor", the_oldest_go_up_to_an_anchor),
};
const struct cases audit_cases = CASES(rows);
