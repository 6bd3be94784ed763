// SPDX-License-Identifier: Apache-2.0
// What other nodes hear of: one row per change, in its transaction; nothing in a store that nobody else can
// use.
#include "conformance.h"

enum { READ_MAX = 1000, TOKEN = 77, WAIT_S = 60 };

static int64_t last_change(struct world *w)
{
    int64_t seq;
    assert_ok(w, w->s->ops->changes_last(w->s, &seq, &w->err));
    return seq;
}

// Changes since; the answer is in the world's arena.
static size_t changes_since(struct world *w, int64_t after, struct change **ret)
{
    size_t n;
    struct store *s = world_other(w);
    assert_ok(w, s->ops->changes_read(s, after, READ_MAX, ret, &n, &w->a, &w->err));
    return n;
}

static void expect_one(struct world *w, int64_t after, int kind, struct ulid subject)
{
    struct change *v;
    size_t n = changes_since(w, after, &v);
    if (w->s->exclusive) {
        assert_int_equal(n, 0);
        return;
    }
    assert_int_equal(n, 1);
    assert_true(v[0].seq > after);
    assert_int_equal(v[0].kind, kind);
    assert_id(v[0].subject, subject);
    assert_true(v[0].at.us > 0);
}

static void job_operations_are_told(void **state)
{
    struct world *w = *state;
    struct job j;
    struct plan p;
    job_make(w, "told", &j, &p);
    int64_t seq = last_change(w);
    assert_ok(w, w->s->ops->jobs_insert(w->s, &j, &p, 1, &w->err));
    expect_one(w, seq, CHANGE_JOB, j.id);
    j.version = p.version = 2;
    seq = last_change(w);
    assert_ok(w, w->s->ops->job_update(w->s, &j, &p, 1, &w->err));
    expect_one(w, seq, CHANGE_JOB, j.id);
    seq = last_change(w);
    assert_ok(w, w->s->ops->job_set_state(w->s, j.id, JOB_STATE_PAUSED, INSTANT_NEVER, at_s(3), &w->err));
    expect_one(w, seq, CHANGE_JOB, j.id);
    seq = last_change(w);
    assert_ok(w, w->s->ops->job_delete(w->s, j.id, 0, at_s(4), &w->err));
    expect_one(w, seq, CHANGE_JOB, j.id);
}

static void many_jobs_are_told_each(void **state)
{
    enum { MANY = 50 };
    struct world *w = *state;
    struct job j[MANY];
    struct plan p[MANY];
    struct change *v;
    for (int i = 0; i < MANY; i++)
        job_make(w, "one of many", &j[i], &p[i]);
    int64_t seq = last_change(w);
    assert_ok(w, w->s->ops->jobs_insert(w->s, j, p, MANY, &w->err));
    size_t n = changes_since(w, seq, &v);
    assert_int_equal(n, w->s->exclusive ? 0 : MANY);
    for (size_t i = 0; i < n; i++) {
        assert_id(v[i].subject, j[i].id);
        assert_true(i == 0 || v[i].seq > v[i - 1].seq);
    }
}

static void run_operations_are_told(void **state)
{
    struct world *w = *state;
    struct plan p = job_add(w, "a");
    struct run queued = run_make(&p, at_s(30), 1, RUN_QUEUED, 0);
    enum run_cancel_result end;
    int64_t seq = last_change(w);
    assert_ok(w, w->s->ops->run_insert(w->s, &queued, &w->err));
    expect_one(w, seq, CHANGE_RUN, queued.id);
    seq = last_change(w);
    assert_ok(w, w->s->ops->run_cancel(w->s, queued.id, at_s(31), &end, &w->err));
    assert_int_equal(end, CANCEL_DONE);
    expect_one(w, seq, CHANGE_RUN, queued.id);
    struct run running = fire_one(w, &p, RUN_RUNNING, 4);
    seq = last_change(w);
    assert_ok(w, w->s->ops->run_cancel(w->s, running.id, at_s(61), &end, &w->err));
    assert_int_equal(end, CANCEL_REQUESTED);
    expect_one(w, seq, CHANGE_CANCEL, running.id);
    seq = last_change(w);
    assert_ok(w, w->s->ops->run_cancel(w->s, queued.id, at_s(62), &end, &w->err));
    assert_int_equal(end, CANCEL_ALREADY_FINAL);
    assert_int_equal(last_change(w), seq);
}

static void replay_is_told(void **state)
{
    struct world *w = *state;
    struct plan p = job_add(w, "a");
    struct run r = fire_one(w, &p, RUN_RUNNING, 4);
    struct dead_letter letter = letter_make(w, &r, "gone");
    struct finish f = finish_make(&r, RUN_FAILED);
    f.dead = &letter;
    assert_true(finish(w, &f));
    struct run replay = run_make(&p, at_s(200), 1, RUN_QUEUED, 0);
    int64_t seq = last_change(w);
    assert_ok(w,
              w->s->ops->dlq_resolve(w->s, letter.id, STR("me"), STR("again"), &replay, STR_NONE, at_s(201), &w->err));
    expect_one(w, seq, CHANGE_RUN, replay.id);
}

static void refused_operation_tells_nothing(void **state)
{
    struct world *w = *state;
    struct job j;
    struct plan p;
    job_make(w, "told", &j, &p);
    assert_ok(w, w->s->ops->jobs_insert(w->s, &j, &p, 1, &w->err));
    int64_t seq = last_change(w);
    assert_err(w, w->s->ops->jobs_insert(w->s, &j, &p, 1, &w->err), ERR_CONFLICT);
    assert_err(w, w->s->ops->job_update(w->s, &j, &p, 9, &w->err), ERR_STALE);
    assert_err(w, w->s->ops->job_delete(w->s, j.id, 9, at_s(1), &w->err), ERR_STALE);
    assert_int_equal(last_change(w), seq);
}

static void flush_tells_what_it_is_given(void **state)
{
    struct world *w = *state;
    struct change told[] = {{.kind = CHANGE_RUN, .subject = id_new(w)},
                            {.kind = CHANGE_JOB, .subject = id_new(w)}};
    struct flush all = {.changes = told, .n_changes = 2, .node_token = TOKEN};
    struct node n = {.token = TOKEN, .name = STR("n")};
    struct change *v;
    assert_ok(w, w->s->ops->node_register(w->s, &n, duration_s(WAIT_S), &w->err));
    int64_t seq = last_change(w);
    assert_ok(w, w->s->ops->flush(w->s, &all, &w->err));
    size_t found = changes_since(w, seq, &v);
    assert_int_equal(found, w->s->exclusive ? 0 : 2);
    for (size_t i = 0; i < found; i++) {
        assert_int_equal(v[i].kind, told[i].kind);
        assert_id(v[i].subject, told[i].subject);
        assert_int_equal(v[i].sender, TOKEN);
    }
}

static void nodes_are_told(void **state)
{
    struct world *w = *state;
    struct node n = {.token = TOKEN, .name = STR("n")};
    struct change *v;
    int64_t seq = last_change(w);
    assert_ok(w, w->s->ops->node_register(w->s, &n, duration_s(WAIT_S), &w->err));
    expect_one(w, seq, CHANGE_NODES, ULID_ZERO);
    seq = last_change(w);
    assert_ok(w, w->s->ops->node_publish(w->s, TOKEN, NODE_ACTIVE, STR("4d"), &w->err));
    expect_one(w, seq, CHANGE_NODES, ULID_ZERO);
    assert_true(changes_since(w, seq, &v) == 0 || v[0].sender == TOKEN);
    seq = last_change(w);
    assert_ok(w, w->s->ops->node_want(w->s, STR("n"), true, &w->err));
    expect_one(w, seq, CHANGE_NODES, ULID_ZERO);
    seq = last_change(w);
    assert_ok(w, w->s->ops->node_renew(w->s, TOKEN, duration_s(WAIT_S), 0, 0, &w->err));
    assert_int_equal(last_change(w), seq);
    assert_ok(w, w->s->ops->node_leave(w->s, TOKEN, &w->err));
    expect_one(w, seq, CHANGE_NODES, ULID_ZERO);
    seq = last_change(w);
    assert_ok(w, w->s->ops->node_leave(w->s, TOKEN, &w->err));
    assert_int_equal(last_change(w), seq);
}

static void changes_are_read_in_pages(void **state)
{
    struct world *w = *state;
    int64_t seq = last_change(w), from = seq;
    struct change *v;
    size_t n, total = 0;
    for (int i = 0; i < 5; i++)
        (void)job_add(w, "a");
    do {
        assert_ok(w, w->s->ops->changes_read(w->s, seq, 2, &v, &n, &w->a, &w->err));
        assert_true(n <= 2);
        for (size_t i = 0; i < n; i++) {
            assert_true(v[i].seq > seq);
            seq = v[i].seq;
        }
        total += n;
    } while (n > 0);
    assert_int_equal(total, w->s->exclusive ? 0 : 5);
    assert_int_equal(last_change(w), w->s->exclusive ? from : seq);
}

static void old_changes_are_trimmed(void **state)
{
    struct world *w = *state;
    int64_t seq = last_change(w);
    struct change *v;
    struct instant now, first = {0};
    struct node *nodes;
    size_t n;
    (void)job_add(w, "a");
    assert_ok(w, w->s->ops->changes_trim(w->s, duration_s(WAIT_S), &w->err));
    assert_int_equal(changes_since(w, seq, &v), w->s->exclusive ? 0 : 1);
    world_pass(w, duration_ms(10));
    do { // until its age is seen to be 10 ms
        assert_ok(w, w->s->ops->nodes_list(w->s, &nodes, &n, &now, &w->a, &w->err));
        first = first.us ? first : w->s->exclusive ? (struct instant){1} : v[0].at;
    } while (instant_since(now, first).us < 10 * US_PER_MS);
    assert_ok(w, w->s->ops->changes_trim(w->s, duration_ms(10), &w->err));
    assert_int_equal(changes_since(w, seq, &v), 0);
    seq = last_change(w);
    (void)job_add(w, "b");
    assert_int_equal(changes_since(w, seq, &v), w->s->exclusive ? 0 : 1);
}

static void waiting_ends_with_a_change(void **state)
{
    struct world *w = *state;
    struct store *other = world_other(w);
    if (!w->s->ops->changes_wait)
        return; // such a store is asked again and again
    assert_ok(w, other->ops->changes_wait(other, duration_ms(1), &w->err));
    (void)job_add(w, "a");
    struct mono start = clock_mono(clock_real());
    assert_ok(w, other->ops->changes_wait(other, duration_s(WAIT_S), &w->err));
    assert_true(mono_since(clock_mono(clock_real()), start).us < WAIT_S * US_PER_S / 2);
    assert_ok(w, other->ops->changes_wait(other, duration_ms(1), &w->err));
}

static const struct CMUnitTest rows[] = {
    CASE("inserting, editing, pausing and deleting a job is told", job_operations_are_told),
    CASE("of many jobs inserted at once each is told", many_jobs_are_told_each),
    CASE("queueing and cancelling a run is told", run_operations_are_told),
    CASE("the replay of a dead letter is told", replay_is_told),
    CASE("a refused operation tells nothing", refused_operation_tells_nothing),
    CASE("a flush tells what it is given, with its node as the sender", flush_tells_what_it_is_given),
    CASE("nodes that come, change and leave are told, renewals are not", nodes_are_told),
    CASE("changes are read in pages", changes_are_read_in_pages),
    CASE("old changes are trimmed", old_changes_are_trimmed),
    CASE("waiting for changes ends with one", waiting_ends_with_a_change),
};
const struct cases change_cases = CASES(rows);
