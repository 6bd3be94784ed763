// SPDX-License-Identifier: Apache-2.0
// What waits for somebody, as figures and health are told.
#include "conformance.h"

static struct store_backlog backlog(struct world *w)
{
    struct store_backlog b = {.dead_letters = -1};
    assert_ok(w, w->s->ops->backlog(w->s, &b, &w->err));
    return b;
}

static void nothing_waits_in_a_new_store(void **state)
{
    struct world *w = *state;
    struct store_backlog b = backlog(w);
    assert_int_equal(b.dead_letters, 0);
    assert_int_equal(b.outbox, 0);
    assert_true(instant_is_never(b.outbox_oldest));
    assert_int_equal(b.audit_unsealed, 0);
    assert_int_equal(b.messages, 0);
    assert_true(instant_is_never(b.messages_due));
}

static void open_dead_letters_wait_and_resolved_ones_do_not(void **state)
{
    struct world *w = *state;
    struct plan p = job_add(w, "a");
    struct run r = fire_one(w, &p, RUN_RUNNING, 7), other = fire_one(w, &p, RUN_RUNNING, 7);
    struct finish f = finish_make(&r, RUN_FAILED), g = finish_make(&other, RUN_FAILED);
    struct dead_letter d = letter_make(w, &r, "gave up"), e = letter_make(w, &other, "gave up");
    f.dead = &d;
    g.dead = &e;
    assert_true(finish(w, &f) && finish(w, &g));
    assert_int_equal(backlog(w).dead_letters, 2);
    assert_ok(w,
              w->s->ops->dlq_resolve(w->s, d.id, STR("me"), STR("done"), NULL, STR_NONE, at_s(600), &w->err));
    assert_int_equal(backlog(w).dead_letters, 1);
}

static void events_wait_until_they_are_passed_on(void **state)
{
    struct world *w = *state;
    w->s->ops->events_enable(w->s, true);
    struct plan p = job_add(w, "a");
    (void)fire_one(w, &p, RUN_RUNNING, 7);
    struct outbox_event *v;
    size_t n;
    assert_ok(w, w->s->ops->events_read(w->s, 10, &v, &n, &w->a, &w->err));
    struct store_backlog b = backlog(w);
    assert_int_equal(b.outbox, n);
    assert_int_equal(b.outbox_oldest.us, v[0].at.us);
    assert_ok(w, w->s->ops->events_remove(w->s, &v[0].seq, 1, &w->err));
    assert_int_equal(backlog(w).outbox, n - 1);
}

static void records_wait_until_they_are_sealed(void **state)
{
    struct world *w = *state;
    struct audit_record v[2];
    for (size_t i = 0; i < 2; i++)
        v[i] = (struct audit_record){.id = id_new(w), .at = at_s(1), .actor_id = w->owner, .actor = STR("a"),
                                     .way = STR("TOKEN"), .node = STR("n1"), .action = STR("job.create"),
                                     .entity_type = STR("job"), .entity_id = STR("x"), .entity_name = STR("x"),
                                     .outcome = AUDIT_DONE, .detail = STR("x"), .changes = STR("{}")};
    assert_ok(w, w->s->ops->audit_append(w->s, v, 2, &w->err));
    assert_int_equal(backlog(w).audit_unsealed, 2);
    v[0].seq = 1;
    struct audit_seal seal = {.records = v, .n = 1, .head = {.kind = AUDIT_HEAD, .seq = 1, .at = at_s(2)}};
    assert_ok(w, w->s->ops->audit_seal(w->s, &seal, &w->err));
    assert_int_equal(backlog(w).audit_unsealed, 1);
}

static void messages_wait_until_they_have_ended(void **state)
{
    struct world *w = *state;
    struct delivery v[3];
    struct subscription s;
    field_defaults(&subscription_fields, &s);
    s.owner_id = w->owner;
    s.all = true;
    s.channel = STR("WEBHOOK");
    s.sealed = STR("v1.x.y");
    s.version = 1;
    for (size_t i = 0; i < 3; i++) { // one each: the first of all is not the first of each
        s.id = id_new(w);
        assert_ok(w, w->s->ops->subscription_put(w->s, &s, 0, &w->err));
        v[i] = (struct delivery){.id = id_new(w), .subscription_id = s.id, .owner_id = w->owner,
                                 .event = NOTICE_FAILED, .channel = STR("WEBHOOK"), .created_at = at_s(1),
                                 .due = at_s(90 - (int64_t)i), .code = FIELD_ABSENT, .ended_at = INSTANT_NEVER,
                                 .body = STR("{}")};
    }
    v[2].due = INSTANT_NEVER; // this one has ended
    struct settlement one = {.deliveries = v, .n_deliveries = 3};
    assert_ok(w, w->s->ops->notices_settle(w->s, &one, &w->err));
    struct store_backlog b = backlog(w);
    assert_int_equal(b.messages, 2);
    assert_int_equal(b.messages_due.us, at_s(89).us);
}

static const struct CMUnitTest rows[] = {
    CASE("nothing waits in a new store", nothing_waits_in_a_new_store),
    CASE("open dead letters wait and resolved ones do not", open_dead_letters_wait_and_resolved_ones_do_not),
    CASE("events wait until they are passed on", events_wait_until_they_are_passed_on),
    CASE("records of the audit trail wait until they are sealed", records_wait_until_they_are_sealed),
    CASE("messages wait until they have ended", messages_wait_until_they_have_ended),
};
const struct cases backlog_cases = CASES(rows);
