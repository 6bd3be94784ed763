// SPDX-License-Identifier: Apache-2.0
// Subscriptions of notifications and the log of their messages over REST: below a job, or by tag and of all jobs.
#include "app/subscription.h"

#include "api/handlers.h"
#include "app/message_preview.h"

enum { SUBSCRIPTION_TEXT_MAX = 128 * 1024 };

// Paths below a job name it first; others name no job.
static bool ids(struct call *c, struct ulid *ret_job, struct ulid *ret_id, struct err *err)
{
    bool of_job = str_starts(str_of(c->route->path), STR("/jobs/"));
    *ret_job = ULID_ZERO;
    return (!of_job || call_id(c, 0, ret_job, err)) && (!ret_id || call_id(c, of_job ? 1 : 0, ret_id, err));
}

static void answer(struct call *c, const struct subscription *s)
{
    call_etag(c, s->version);
    call_one(c, &subscription_fields, s);
}

bool api_notification_create(struct call *c, struct err *err)
{
    struct subscription s;
    struct ulid job_id;
    if (!ids(c, &job_id, NULL, err) || !call_decode(c, &s, err))
        return false;
    s.job_id = job_id;
    if (!app_subscription_create(c->app, &c->caller, &s, &c->faults, c->a, err))
        return false;
    answer(c, &s);
    return true;
}

bool api_notification_get(struct call *c, struct err *err)
{
    struct subscription s;
    struct ulid job_id, id;
    if (!ids(c, &job_id, &id, err) ||
        !app_subscription_get(c->app, &c->caller, ACTION_NOTIFY_READ, job_id, id, &s, c->a, err))
        return false;
    answer(c, &s);
    return true;
}

bool api_notifications_list(struct call *c, struct err *err)
{
    struct ulid job_id;
    struct subscription *v;
    size_t n = 0;
    struct page p = {.cursor = query_str(c, "cursor"),
                     .size = query_i64(c, "size", 1, PAGE_SIZE_MAX, PAGE_SIZE_DEFAULT)};
    struct page shown = {.size = p.size};
    struct page_result r = {0};
    if (!call_faulty(c, err) || !ids(c, &job_id, NULL, err) ||
        !app_subscriptions_list(c->app, &c->caller, job_id, &p, &v, &n, &r, c->a, err))
        return false;
    list_begin(c);
    for (size_t i = 0; i < n; i++) {
        list_next(c, i);
        call_one(c, &subscription_fields, &v[i]);
    }
    list_end(c, &shown, &r);
    return true;
}

// What a patch is laid over: the members that may be changed. The configuration is shown with its secrets masked and
// cannot be changed in parts.
static void drop_fixed(json_t *v)
{
    for (size_t i = 0; i < subscription_fields.n; i++)
        if (subscription_fields.v[i].flags & (FIELD_READ_ONLY | FIELD_HIDDEN))
            (void)json_object_del(v, subscription_fields.v[i].name);
    (void)json_object_del(v, "config");
}

bool api_notification_patch(struct call *c, struct err *err)
{
    struct subscription old, new;
    struct ulid job_id, id;
    struct sbuf text;
    int64_t version = call_if_match(c);
    CLEANUP_JSON json_t *patch = NULL, *v = NULL;
    if (!ids(c, &job_id, &id, err) || !call_json(c, &patch, err) ||
        !app_subscription_get(c->app, &c->caller, ACTION_NOTIFY_WRITE, job_id, id, &old, c->a, err))
        return false;
    if (version != 0 && version != old.version)
        return ERR(err, ERR_STALE, "the notification has version %lld by now; read it again", (long long)old.version);
    sbuf_init(&text, c->a, SUBSCRIPTION_TEXT_MAX);
    field_encode(&subscription_fields, &old, FIELD_ENCODE_STORED, &text);
    if (!sbuf_ok(&text) || !json_parse(sbuf_str(&text), &v, err))
        return sbuf_ok(&text) ? false : ERR(err, ERR_TOO_LARGE, "the notification is too large to be patched");
    drop_fixed(v);
    json_merge_patch(&v, patch);
    (void)field_decode(&subscription_fields, v, FIELD_DECODE_STRICT, STR(""), &new, c->a, &c->faults);
    if (!call_faulty(c, err) ||
        !app_subscription_change(c->app, &c->caller, job_id, &old, &new, &c->faults, c->a, err))
        return false;
    answer(c, &new);
    return true;
}

bool api_notification_delete(struct call *c, struct err *err)
{
    struct ulid job_id, id;
    return ids(c, &job_id, &id, err) && app_subscription_delete(c->app, &c->caller, job_id, id, c->a, err);
}

bool api_notification_test(struct call *c, struct err *err)
{
    struct ulid job_id, id;
    struct delivery d;
    if (!ids(c, &job_id, &id, err) || !app_subscription_test(c->app, &c->caller, job_id, id, &d, c->a, err))
        return false;
    call_one(c, &delivery_fields, &d);
    return true;
}

static void member(struct sbuf *out, const char *name, struct str value, bool *first)
{
    if (!value.p)
        return;
    sbuf_fmt(out, "%s\"%s\":", *first ? "" : ",", name);
    sbuf_json(out, value);
    *first = false;
}

bool api_notification_preview(struct call *c, struct err *err)
{
    struct message_draft d;
    struct template_preview p;
    if (!call_decode(c, &d, err) || !app_message_preview(c->app, &c->caller, &d, &p, &c->faults, c->a, err))
        return false;
    struct sbuf *out = call_out(c);
    bool first = true;
    sbuf_putc(out, '{');
    member(out, "subject", p.subject, &first);
    member(out, "text", p.text, &first);
    member(out, "message", p.message, &first);
    sbuf_putc(out, '}');
    return true;
}

// ---- messages ----------------------------------------------------------------------------------

bool api_deliveries_list(struct call *c, struct err *err)
{
    struct delivery_filter f = {.job_id = query_id(c, "jobId"),
                                .subscription_id = query_id(c, "subscriptionId"),
                                .state = query_enum(c, "status", delivery_state_names)};
    struct page p;
    struct page_result r;
    struct delivery *v;
    size_t n = 0;
    query_page(c, &delivery_fields, &p);
    if (!call_faulty(c, err) || !app_deliveries_list(c->app, &c->caller, &f, &p, &v, &n, &r, c->a, err))
        return false;
    list_begin(c);
    for (size_t i = 0; i < n; i++) {
        list_next(c, i);
        call_one(c, &delivery_fields, &v[i]);
    }
    list_end(c, &p, &r);
    return true;
}

bool api_delivery_get(struct call *c, struct err *err)
{
    struct ulid id;
    struct delivery d;
    if (!call_id(c, 0, &id, err) || !app_delivery_get(c->app, &c->caller, ACTION_NOTIFY_READ, id, &d, c->a, err))
        return false;
    call_one(c, &delivery_fields, &d);
    return true;
}

bool api_delivery_replay(struct call *c, struct err *err)
{
    struct ulid id;
    struct delivery d;
    if (!call_id(c, 0, &id, err) || !app_delivery_replay(c->app, &c->caller, id, &d, c->a, err))
        return false;
    call_one(c, &delivery_fields, &d);
    return true;
}
