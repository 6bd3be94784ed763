// SPDX-License-Identifier: Apache-2.0
// Notices with the rows they tell of, subscriptions, what the rules remember, and messages.
#include "conformance.h"

static struct subscription sub_make(struct world *w, struct ulid job_id, const char *event)
{
    static struct str events[NOTICE_EVENTS];
    static size_t used;
    struct subscription s;
    field_defaults(&subscription_fields, &s);
    s.id = id_new(w);
    s.owner_id = w->owner;
    s.job_id = job_id;
    s.all = ulid_is_zero(job_id);
    s.channel = STR("WEBHOOK");
    s.config = STR("{\"url\":\"https://h\303\266st/\"}");
    s.sealed = STR("v1.x.y");
    s.version = 1;
    s.created_at = s.updated_at = at_s(1);
    if (event) {
        events[used % NOTICE_EVENTS] = str_of(event);
        s.events = (struct strs){&events[used++ % NOTICE_EVENTS], 1};
    }
    return s;
}

static struct subscription sub_add(struct world *w, struct ulid job_id, const char *event)
{
    struct subscription s = sub_make(w, job_id, event);
    assert_ok(w, w->s->ops->subscription_put(w->s, &s, 0, &w->err));
    return s;
}

static struct notice *notices(struct world *w, size_t *ret_n)
{
    struct notice *v;
    assert_ok(w, w->s->ops->notices_read(w->s, 100, &v, ret_n, &w->a, &w->err));
    return v;
}

static void settle_marks(struct world *w, const struct notice_mark *v, size_t n)
{
    struct settlement one = {.marks = v, .n_marks = n};
    assert_ok(w, w->s->ops->notices_settle(w->s, &one, &w->err));
}

static struct delivery message(struct world *w, struct ulid subscription_id, struct instant due)
{
    return (struct delivery){.id = id_new(w), .subscription_id = subscription_id, .owner_id = w->owner,
                             .event = NOTICE_FAILED, .channel = STR("WEBHOOK"), .created_at = at_s(1), .due = due,
                             .code = FIELD_ABSENT, .ended_at = INSTANT_NEVER, .body = STR("{\"x\":\"\303\266\"}")};
}

static void send(struct world *w, const struct delivery *v, size_t n)
{
    struct settlement one = {.deliveries = v, .n_deliveries = n};
    assert_ok(w, w->s->ops->notices_settle(w->s, &one, &w->err));
}

// ---- notices -----------------------------------------------------------------------------------

static void told_only_of_what_was_won(void **state)
{
    struct world *w = *state;
    struct plan p = job_add(w, "a");
    struct run r = fire_one(w, &p, RUN_RUNNING, 7), stale = r;
    struct finish ends[2] = {finish_make(&r, RUN_FAILED), finish_make(&stale, RUN_FAILED)};
    stale.token = 8;
    struct flush_notice told[3] = {
        {.part = PART_FINISH, .at = 1, .notice = {.event = NOTICE_MISSED, .at = at_s(5), .job_id = p.job_id}},
        {.part = PART_FINISH, .at = 0,
         .notice = {.event = NOTICE_DEAD, .at = at_s(6), .job_id = p.job_id, .run_id = r.id,
                    .error_class = STR("TIMEOUT"), .message = STR("l\303\244nger")}},
        {.part = PART_FINISH, .at = 0, .notice = {.event = NOTICE_SLOW, .at = at_s(7)}},
    };
    struct flush f = {.finishes = ends, .n_finishes = 2, .notices = told, .n_notices = 3};
    assert_ok(w, w->s->ops->flush(w->s, &f, &w->err));
    size_t n;
    const struct notice *v = notices(w, &n);
    assert_int_equal(n, 2);
    assert_int_equal(v[0].event, NOTICE_DEAD);
    assert_int_equal(v[0].at.us, at_s(6).us);
    assert_id(v[0].job_id, p.job_id);
    assert_id(v[0].run_id, r.id);
    assert_text(v[0].error_class, STR("TIMEOUT"));
    assert_text(v[0].message, STR("l\303\244nger"));
    assert_int_equal(v[1].event, NOTICE_SLOW);
    assert_true(ulid_is_zero(v[1].job_id) && ulid_is_zero(v[1].run_id) && !v[1].message.p);
    assert_true(v[1].seq > v[0].seq);
}

static void told_of_starts(void **state)
{
    struct world *w = *state;
    struct plan p = job_add(w, "a");
    struct run waiting = fire_one(w, &p, RUN_QUEUED, 0);
    struct run runs[1] = {run_make(&p, p.next_fire, 1, RUN_RUNNING, 3)};
    struct fire fires[1] = {{.job_id = p.job_id, .expect_version = p.version, .expect_next = p.next_fire,
                             .new_next = instant_add(p.next_fire, duration_s(60)), .runs = runs, .n_runs = 1}};
    struct claim claims[1] = {{.run = &waiting}};
    waiting.token = 3;
    waiting.start = at_s(9);
    struct flush_notice told[2] = {
        {.part = PART_FIRE, .at = 0, .notice = {.event = NOTICE_STARTED, .at = at_s(1), .run_id = runs[0].id}},
        {.part = PART_CLAIM, .at = 0, .notice = {.event = NOTICE_STARTED, .at = at_s(2), .run_id = waiting.id}},
    };
    struct flush f = {.fires = fires, .n_fires = 1, .claims = claims, .n_claims = 1, .notices = told, .n_notices = 2};
    assert_ok(w, w->s->ops->flush(w->s, &f, &w->err));
    size_t n;
    (void)notices(w, &n);
    assert_int_equal(n, 2);
    assert_ok(w, w->s->ops->flush(w->s, &f, &w->err)); // decided already
    (void)notices(w, &n);
    assert_int_equal(n, 2);
}

static void told_of_a_pause_if_somebody_wants_it(void **state)
{
    struct world *w = *state;
    struct plan a = job_add(w, "a"), b = job_add(w, "b");
    size_t n;
    (void)sub_add(w, b.job_id, "paused");
    (void)sub_add(w, ULID_ZERO, "failed");
    assert_ok(w, w->s->ops->job_set_state(w->s, a.job_id, JOB_STATE_PAUSED, INSTANT_NEVER, at_s(2), &w->err));
    (void)notices(w, &n);
    assert_int_equal(n, 0);
    assert_ok(w, w->s->ops->job_set_state(w->s, b.job_id, JOB_STATE_PAUSED, INSTANT_NEVER, at_s(3), &w->err));
    assert_ok(w, w->s->ops->job_set_state(w->s, b.job_id, JOB_STATE_ACTIVE, INSTANT_NEVER, at_s(4), &w->err));
    const struct notice *v = notices(w, &n);
    assert_int_equal(n, 1);
    assert_int_equal(v[0].event, NOTICE_PAUSED);
    assert_id(v[0].job_id, b.job_id);
    assert_int_equal(v[0].at.us, at_s(3).us);
    (void)sub_add(w, ULID_ZERO, "paused");
    assert_ok(w, w->s->ops->job_set_state(w->s, a.job_id, JOB_STATE_PAUSED, INSTANT_NEVER, at_s(5), &w->err));
    (void)notices(w, &n);
    assert_int_equal(n, 2);
}

static void settled_in_one_step(void **state)
{
    struct world *w = *state;
    struct notice put[3] = {{.event = NOTICE_SLOW, .at = at_s(1)},
                            {.event = NOTICE_OVERDUE, .at = at_s(2), .message = STR("")},
                            {.event = NOTICE_NODE_DOWN, .at = at_s(3), .message = STR("n1")}};
    struct subscription s = sub_add(w, ULID_ZERO, NULL);
    assert_ok(w, w->s->ops->notices_put(w->s, put, 3, &w->err));
    size_t n;
    const struct notice *v = notices(w, &n);
    assert_int_equal(n, 3);
    struct notice_mark mark = {.subscription_id = s.id, .due = at_s(50), .body = STR("{}")};
    struct delivery d = message(w, s.id, at_s(10)), back, *due;
    struct settlement out = {.seqs = (int64_t[]){v[0].seq, v[2].seq}, .n_seqs = 2, .marks = &mark, .n_marks = 1,
                             .deliveries = &d, .n_deliveries = 1};
    assert_ok(w, w->s->ops->notices_settle(w->s, &out, &w->err));
    v = notices(w, &n);
    assert_int_equal(n, 1);
    assert_int_equal(v[0].event, NOTICE_OVERDUE);
    d.body = STR("other");
    out.n_seqs = out.n_marks = 0;
    assert_ok(w, w->s->ops->notices_settle(w->s, &out, &w->err)); // decided before: stays as it was
    assert_ok(w, w->s->ops->delivery_get(w->s, d.id, &back, &w->a, &w->err));
    assert_text(back.body, STR("{\"x\":\"\303\266\"}"));
    assert_ok(w, w->s->ops->deliveries_due(w->s, at_s(10), 10, &due, &n, &w->a, &w->err));
    assert_int_equal(n, 1);
}

// ---- subscriptions -----------------------------------------------------------------------------

static void a_subscription_is_as_it_was_put(void **state)
{
    struct world *w = *state;
    struct plan p = job_add(w, "a");
    struct subscription s = sub_make(w, p.job_id, "dead"), back;
    s.quiet_hours = (struct quiet_hours){STR("22:00"), STR("07:00"), STR("Europe/Berlin")};
    s.templates.text = STR("{{job.name}}");
    s.of_last = 9;
    assert_ok(w, w->s->ops->subscription_put(w->s, &s, 0, &w->err));
    assert_err(w, w->s->ops->subscription_put(w->s, &s, 0, &w->err), ERR_CONFLICT);
    world_reopen(w);
    assert_ok(w, w->s->ops->subscription_get(w->s, s.id, &back, &w->a, &w->err));
    assert_id(back.job_id, p.job_id);
    assert_id(back.owner_id, w->owner);
    assert_text(back.config, s.config);
    assert_text(back.sealed, s.sealed);
    assert_text(back.quiet_hours.timezone, s.quiet_hours.timezone);
    assert_text(back.templates.text, s.templates.text);
    assert_int_equal(back.of_last, 9);
    assert_int_equal(back.version, 1);
    assert_int_equal(subscription_events(&back), notice_bit(NOTICE_DEAD));
    assert_err(w, w->s->ops->subscription_get(w->s, id_new(w), &back, &w->a, &w->err), ERR_NOT_FOUND);
}

static void only_the_known_version_is_replaced(void **state)
{
    struct world *w = *state;
    struct subscription s = sub_add(w, ULID_ZERO, NULL), back;
    s.version = 2;
    s.enabled = false;
    assert_ok(w, w->s->ops->subscription_put(w->s, &s, 1, &w->err));
    assert_err(w, w->s->ops->subscription_put(w->s, &s, 1, &w->err), ERR_STALE);
    assert_ok(w, w->s->ops->subscription_get(w->s, s.id, &back, &w->a, &w->err));
    assert_false(back.enabled);
    assert_int_equal(back.version, 2);
    s.id = id_new(w);
    assert_err(w, w->s->ops->subscription_put(w->s, &s, 1, &w->err), ERR_NOT_FOUND);
}

static void pages_of_subscriptions(void **state)
{
    struct world *w = *state;
    struct plan p = job_add(w, "a");
    struct subscription a = sub_add(w, p.job_id, NULL), b = sub_add(w, ULID_ZERO, NULL),
                        c = sub_add(w, p.job_id, NULL), *v;
    size_t n;
    assert_ok(w, w->s->ops->subscriptions_page(w->s, ULID_ZERO, ULID_ZERO, 2, &v, &n, &w->a, &w->err));
    assert_int_equal(n, 2);
    assert_id(v[0].id, a.id);
    assert_id(v[1].id, b.id);
    assert_ok(w, w->s->ops->subscriptions_page(w->s, ULID_ZERO, b.id, 2, &v, &n, &w->a, &w->err));
    assert_int_equal(n, 1);
    assert_ok(w, w->s->ops->subscriptions_page(w->s, p.job_id, ULID_ZERO, 9, &v, &n, &w->a, &w->err));
    assert_int_equal(n, 2);
    assert_id(v[1].id, c.id);
}

static size_t marks_of(struct world *w, struct ulid job_id)
{
    struct notice_mark *v;
    size_t n;
    assert_ok(w, w->s->ops->marks_of(w->s, job_id, &v, &n, &w->a, &w->err));
    return n;
}

static void what_goes_with_a_subscription(void **state)
{
    struct world *w = *state;
    struct subscription a = sub_add(w, ULID_ZERO, NULL), b = sub_add(w, ULID_ZERO, NULL);
    struct delivery v[2] = {message(w, a.id, at_s(1)), message(w, b.id, at_s(1))}, back;
    struct notice_mark marks[2] = {{.subscription_id = a.id, .due = at_s(9), .body = STR("{}")},
                                   {.subscription_id = b.id, .due = at_s(9), .body = STR("{}")}};
    struct change *told;
    int64_t last;
    size_t n;
    send(w, v, 2);
    settle_marks(w, marks, 2);
    assert_ok(w, w->s->ops->changes_last(w->s, &last, &w->err));
    assert_ok(w, w->s->ops->subscription_delete(w->s, a.id, at_s(20), &w->err));
    assert_err(w, w->s->ops->subscription_delete(w->s, a.id, at_s(20), &w->err), ERR_NOT_FOUND);
    assert_int_equal(marks_of(w, ULID_ZERO), 1);
    assert_ok(w, w->s->ops->delivery_get(w->s, v[0].id, &back, &w->a, &w->err));
    assert_int_equal(back.state, DELIVERY_DROPPED);
    assert_true(instant_is_never(back.due));
    assert_int_equal(back.ended_at.us, at_s(20).us);
    assert_ok(w, w->s->ops->delivery_get(w->s, v[1].id, &back, &w->a, &w->err));
    assert_int_equal(back.state, DELIVERY_PENDING);
    assert_ok(w, w->s->ops->changes_read(w->s, last, 10, &told, &n, &w->a, &w->err));
    assert_int_equal(n, w->s->exclusive ? 0 : 1);
    if (n == 1)
        assert_int_equal(told[0].kind, CHANGE_SUBSCRIPTION);
}

static void what_goes_with_a_job(void **state)
{
    struct world *w = *state;
    struct plan p = job_add(w, "a"), other = job_add(w, "b");
    struct subscription s = sub_add(w, p.job_id, NULL), all = sub_add(w, ULID_ZERO, NULL), back;
    struct delivery d = message(w, s.id, at_s(1)), sent;
    struct notice_mark marks[3] = {
        {.subscription_id = s.id, .job_id = p.job_id, .due = INSTANT_NEVER, .body = STR("{}")},
        {.subscription_id = all.id, .job_id = p.job_id, .due = INSTANT_NEVER, .body = STR("{}")},
        {.subscription_id = all.id, .job_id = other.job_id, .due = INSTANT_NEVER, .body = STR("{}")}};
    send(w, &d, 1);
    settle_marks(w, marks, 3);
    assert_ok(w, w->s->ops->job_delete(w->s, p.job_id, 0, at_s(30), &w->err));
    assert_err(w, w->s->ops->subscription_get(w->s, s.id, &back, &w->a, &w->err), ERR_NOT_FOUND);
    assert_ok(w, w->s->ops->subscription_get(w->s, all.id, &back, &w->a, &w->err));
    assert_ok(w, w->s->ops->delivery_get(w->s, d.id, &sent, &w->a, &w->err));
    assert_int_equal(sent.state, DELIVERY_DROPPED);
    assert_int_equal(marks_of(w, p.job_id), 0);
    assert_int_equal(marks_of(w, other.job_id), 1);
}

// ---- marks -------------------------------------------------------------------------------------

static void marks_are_replaced_and_forgotten(void **state)
{
    struct world *w = *state;
    struct plan p = job_add(w, "a"), q = job_add(w, "b");
    struct subscription s = sub_add(w, ULID_ZERO, NULL);
    struct notice_mark marks[3] = {
        {.subscription_id = s.id, .job_id = p.job_id, .due = INSTANT_NEVER, .body = STR("{\"a\":1}")},
        {.subscription_id = s.id, .job_id = q.job_id, .due = at_s(20), .body = STR("{}")},
        {.subscription_id = s.id, .due = at_s(10), .body = STR("{\"g\":1}")}};
    struct notice_mark *v;
    size_t n;
    settle_marks(w, marks, 3);
    assert_int_equal(marks_of(w, p.job_id), 2); // its own, and the subscription's
    assert_ok(w, w->s->ops->marks_due(w->s, at_s(19), 10, &v, &n, &w->a, &w->err));
    assert_int_equal(n, 1);
    assert_true(ulid_is_zero(v[0].job_id));
    assert_id(v[0].subscription_id, s.id);
    assert_int_equal(v[0].due.us, at_s(10).us);
    assert_text(v[0].body, STR("{\"g\":1}"));
    marks[1].due = at_s(5);
    marks[2].body = STR_NONE;
    settle_marks(w, marks, 3);
    assert_ok(w, w->s->ops->marks_due(w->s, at_s(19), 10, &v, &n, &w->a, &w->err));
    assert_int_equal(n, 1);
    assert_id(v[0].job_id, q.job_id);
    assert_int_equal(marks_of(w, p.job_id), 1);
}

// ---- messages ----------------------------------------------------------------------------------

static void one_message_of_each_subscription_is_due(void **state)
{
    struct world *w = *state;
    struct subscription a = sub_add(w, ULID_ZERO, NULL), b = sub_add(w, ULID_ZERO, NULL);
    struct delivery v[4] = {message(w, a.id, at_s(30)), message(w, a.id, at_s(10)), message(w, b.id, at_s(20)),
                            message(w, id_new(w), at_s(1))}; // the last one's subscription is gone
    struct delivery *due;
    size_t n;
    send(w, v, 4);
    assert_ok(w, w->s->ops->deliveries_due(w->s, at_s(9), 10, &due, &n, &w->a, &w->err));
    assert_int_equal(n, 0);
    assert_ok(w, w->s->ops->deliveries_due(w->s, at_s(40), 10, &due, &n, &w->a, &w->err));
    assert_int_equal(n, 2);
    assert_id(due[0].id, v[1].id);
    assert_id(due[1].id, v[2].id);
    assert_text(due[0].body, v[1].body);
    assert_ok(w, w->s->ops->deliveries_due(w->s, at_s(40), 1, &due, &n, &w->a, &w->err));
    assert_int_equal(n, 1);
}

static void a_try_is_recorded_once(void **state)
{
    struct world *w = *state;
    struct subscription s = sub_add(w, ULID_ZERO, NULL);
    struct delivery d = message(w, s.id, at_s(1)), back, *due;
    size_t n;
    send(w, &d, 1);
    d.tries = 1;
    d.due = at_s(6);
    d.code = 503;
    d.sentence = STR("busy");
    assert_ok(w, w->s->ops->delivery_update(w->s, &d, 0, &w->err));
    assert_err(w, w->s->ops->delivery_update(w->s, &d, 0, &w->err), ERR_STALE);
    assert_ok(w, w->s->ops->deliveries_due(w->s, at_s(5), 10, &due, &n, &w->a, &w->err));
    assert_int_equal(n, 0);
    d.tries = 2;
    d.state = DELIVERY_SENT;
    d.due = INSTANT_NEVER;
    d.code = FIELD_ABSENT;
    d.ended_at = at_s(7);
    assert_ok(w, w->s->ops->delivery_update(w->s, &d, 1, &w->err));
    assert_ok(w, w->s->ops->delivery_get(w->s, d.id, &back, &w->a, &w->err));
    assert_int_equal(back.state, DELIVERY_SENT);
    assert_int_equal(back.tries, 2);
    assert_true(back.code == FIELD_ABSENT);
    assert_text(back.sentence, STR("busy"));
    assert_int_equal(back.ended_at.us, at_s(7).us);
    assert_ok(w, w->s->ops->deliveries_due(w->s, at_s(99999), 10, &due, &n, &w->a, &w->err));
    assert_int_equal(n, 0);
}

static void lists_of_messages(void **state)
{
    struct world *w = *state;
    struct plan p = job_add(w, "a");
    struct delivery v[3] = {message(w, id_new(w), at_s(1)), message(w, id_new(w), at_s(2)),
                            message(w, id_new(w), at_s(3))};
    struct delivery *out;
    struct page_result r;
    size_t n;
    v[1].job_id = p.job_id;
    v[2].owner_id = id_new(w);
    v[2].state = DELIVERY_SENT;
    send(w, v, 3);
    struct delivery_filter f = {.state = -1};
    struct page one = page_of(2);
    assert_ok(w, w->s->ops->deliveries_list(w->s, &f, &one, &out, &n, &r, &w->a, &w->err));
    assert_int_equal(n, 2);
    assert_int_equal(r.total, 3);
    assert_id(out[0].id, v[2].id);
    one.cursor = r.next_cursor;
    assert_ok(w, w->s->ops->deliveries_list(w->s, &f, &one, &out, &n, &r, &w->a, &w->err));
    assert_int_equal(n, 1);
    assert_id(out[0].id, v[0].id);
    assert_false(r.next_cursor.p);
    const struct delivery_filter each[] = {{.state = DELIVERY_SENT},
                                           {.state = -1, .job_id = p.job_id},
                                           {.state = -1, .owner_id = v[2].owner_id},
                                           {.state = -1, .subscription_id = v[0].subscription_id}};
    const size_t places[] = {2, 1, 2, 0};
    for (size_t i = 0; i < sizeof each / sizeof each[0]; i++) {
        struct page all = page_of(10);
        assert_ok(w, w->s->ops->deliveries_list(w->s, &each[i], &all, &out, &n, &r, &w->a, &w->err));
        assert_int_equal(n, 1);
        assert_int_equal(r.total, 1);
        assert_id(out[0].id, v[places[i]].id);
    }
}

static void old_messages_go_when_they_have_ended(void **state)
{
    struct world *w = *state;
    struct delivery v[2] = {message(w, id_new(w), at_s(1)), message(w, id_new(w), INSTANT_NEVER)}, back;
    size_t n;
    v[1].state = DELIVERY_SENT;
    send(w, v, 2);
    assert_ok(w, w->s->ops->deliveries_trim(w->s, instant_add(ulid_time(v[0].id), duration_s(-1)), 10, &n, &w->err));
    assert_int_equal(n, 0);
    assert_ok(w, w->s->ops->deliveries_trim(w->s, instant_add(ulid_time(v[1].id), duration_s(60)), 10, &n, &w->err));
    assert_int_equal(n, 1);
    assert_ok(w, w->s->ops->delivery_get(w->s, v[0].id, &back, &w->a, &w->err));
    assert_err(w, w->s->ops->delivery_get(w->s, v[1].id, &back, &w->a, &w->err), ERR_NOT_FOUND);
}

static void overdue_plans(void **state)
{
    struct world *w = *state;
    struct plan late = job_add(w, "late"), paused = job_add(w, "paused"), *v;
    size_t n;
    assert_ok(w, w->s->ops->job_set_state(w->s, paused.job_id, JOB_STATE_PAUSED, INSTANT_NEVER, at_s(2), &w->err));
    assert_ok(w, w->s->ops->plans_overdue(w->s, late.next_fire, 10, &v, &n, &w->a, &w->err));
    assert_int_equal(n, 0);
    struct instant after = instant_add(late.next_fire, duration_s(1));
    assert_ok(w, w->s->ops->plans_overdue(w->s, after, 10, &v, &n, &w->a, &w->err));
    assert_int_equal(n, 1);
    assert_id(v[0].job_id, late.job_id);
    assert_int_equal(v[0].next_fire.us, late.next_fire.us);
}

static const struct CMUnitTest rows[] = {
    CASE("notices are written with what was won, and only with that", told_only_of_what_was_won),
    CASE("starts are told once", told_of_starts),
    CASE("a pause is told if somebody wants it", told_of_a_pause_if_somebody_wants_it),
    CASE("notices, marks and messages are settled in one step", settled_in_one_step),
    CASE("a subscription is as it was put", a_subscription_is_as_it_was_put),
    CASE("only the known version of a subscription is replaced", only_the_known_version_is_replaced),
    CASE("subscriptions page by page", pages_of_subscriptions),
    CASE("marks and waiting messages go with a subscription", what_goes_with_a_subscription),
    CASE("subscriptions go with their job", what_goes_with_a_job),
    CASE("marks are replaced and forgotten", marks_are_replaced_and_forgotten),
    CASE("one message of each subscription is due", one_message_of_each_subscription_is_due),
    CASE("a try is recorded once", a_try_is_recorded_once),
    CASE("messages are listed by filter", lists_of_messages),
    CASE("old messages go when they have ended", old_messages_go_when_they_have_ended),
    CASE("plans that are overdue", overdue_plans),
};
const struct cases notice_cases = CASES(rows);
