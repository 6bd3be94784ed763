// SPDX-License-Identifier: Apache-2.0
// Subscriptions and deliveries, see app/subscription.h.
#include "app/subscription.h"

#include "app/audit.h"
#include "app/job.h"
#include "app/notifier.h"
#include "base/json.h"
#include "notify/template.h"

enum { PAGE = 200, CONFIG_TEXT_MAX = 2 * SUBSCRIPTION_CONFIG_MAX };

void app_set_notifier(struct app *app, struct notifier *n) { app->notifier = n; }

static bool no_such_subscription(struct ulid id, struct err *err)
{
    char text[ULID_TEXT_MAX];
    return ERR(err, ERR_NOT_FOUND, "notification \"%s\" does not exist", ulid_format(id, text));
}

static void changed(struct app *app)
{
    if (app->notifier)
        notifier_reload(app->notifier);
    app_wake_others(app);
}

static bool have_vault(const struct app *app, struct err *err)
{
    return app->vault ||
           ERR(err, ERR_CONFLICT,
               "this server has no key for secrets, which configurations are sealed with: name a file with one in "
               "CHRONOS_SECRETS_KEY_FILE, the same on every node");
}

// What an audit record may show.
static struct subscription shown(const struct subscription *s)
{
    struct subscription v = *s;
    v.sealed = STR_NONE;
    return v;
}

static void note(struct app *app, const struct caller *c, const char *action, const struct subscription *before,
                 const struct subscription *after, struct arena *a)
{
    const struct subscription *s = after ? after : before;
    struct subscription old = before ? shown(before) : *s, new = after ? shown(after) : *s;
    struct audit_note v = {.action = action, .entity_type = "notification", .entity_id = s->id,
                           .entity_name = s->channel, .outcome = AUDIT_DONE, .fields = &subscription_fields,
                           .before = before ? &old : NULL, .after = after ? &new : NULL};
    audit_with(app, c, &v, a);
}

// ---- checks ------------------------------------------------------------------------------------

static void check_zone(struct app *app, const struct quiet_hours *q, struct faults *f)
{
    struct zone *z = NULL;
    struct err why = {0};
    if (q->from.p && !zones_get(app->zones, q->timezone, &z, &why))
        faults_add(f, STR("/quietHours/timezone"), "%s", why.text);
    zone_unref(z);
}

struct notify_env app_notify_env(struct app *app)
{
    return app->notifier ? *notifier_env(app->notifier)
                         : (struct notify_env){.channel = {.clock = app->clock, .zones = app->zones}};
}

void subscription_templates_check(struct app *app, const struct notice_templates *t, struct faults *f)
{
    struct channel_env env = app_notify_env(app).channel;
    struct err why = {0};
    if (t->subject.p && !notify_template_check(&env, t->subject, &why))
        faults_add(f, STR("/templates/subject"), "%s", why.text);
    if (t->text.p && !notify_template_check(&env, t->text, &why))
        faults_add(f, STR("/templates/text"), "%s", why.text);
}

static bool seal(struct app *app, const struct channel *ch, const void *config, struct subscription *s,
                 struct arena *a, struct err *err)
{
    struct sbuf whole, masked;
    sbuf_init(&whole, a, CONFIG_TEXT_MAX);
    sbuf_init(&masked, a, CONFIG_TEXT_MAX);
    field_encode(ch->config, config, FIELD_ENCODE_STORED, &whole);
    field_encode(ch->config, config, FIELD_ENCODE_API, &masked);
    s->config = sbuf_str(&masked);
    s->sealed = sbuf_ok(&whole) && sbuf_ok(&masked)
                    ? vault_seal(app->vault, s->id, STR("notification"), sbuf_str(&whole), a)
                    : STR_NONE;
    return s->sealed.p || ERR(err, ERR_TOO_LARGE, "the configuration needs more memory than one request may have");
}

const struct channel *subscription_channel(struct str name, struct faults *f)
{
    const struct channel *ch = channel_find(name);
    if (!ch)
        faults_add(f, STR("/channel"), "is no channel of this server: it has EMAIL, WEBHOOK, SLACK and others, see "
                                       "docs/how-to/notifications.md");
    return ch;
}

// The channel, and its configuration when there is one to be put.
static bool check_channel(struct app *app, struct subscription *s, bool sealed, struct faults *f, struct arena *a,
                          struct err *err)
{
    void *config = NULL;
    const struct channel *ch = subscription_channel(s->channel, f);
    if (!ch || sealed)
        return true;
    if (!channel_config_read(ch, s->config, false, STR("/config"), &config, f, a))
        return true;
    if (ch->check)
        ch->check(config, STR("/config"), f, a);
    return f->n > 0 || seal(app, ch, config, s, a, err);
}

static bool check(struct app *app, struct subscription *s, bool sealed, struct faults *f, struct arena *a,
                  struct err *err)
{
    static struct str usual[] = {STR_INIT("failed"), STR_INIT("recovered")};
    if (s->events.n == 0)
        s->events = (struct strs){usual, sizeof usual / sizeof usual[0]};
    subscription_check(s, f);
    check_zone(app, &s->quiet_hours, f);
    subscription_templates_check(app, &s->templates, f);
    if (!check_channel(app, s, sealed, f, a, err))
        return false;
    return f->n == 0 || ERR(err, ERR_INVALID, "the notification has faults");
}

// ---- one ---------------------------------------------------------------------------------------

// The job's own rights decide about the job's subscriptions; else they are their owner's.
static bool may(struct app *app, const struct caller *c, enum action action, enum reach reach,
                const struct subscription *s, bool *ret, struct arena *a, struct err *err)
{
    struct job j;
    struct err why = {0};
    *ret = true;
    if (reach == REACH_ALL || ulid_eq(s->owner_id, c->user_id))
        return true;
    *ret = !ulid_is_zero(s->job_id) && app_job_get(app, c, action, s->job_id, &j, a, &why);
    if (*ret || why.code == ERR_NONE || why.code == ERR_NOT_FOUND)
        return true;
    *err = why;
    return false;
}

bool app_subscription_get(struct app *app, const struct caller *c, enum action action, struct ulid job_id,
                          struct ulid id, struct subscription *ret, struct arena *a, struct err *err)
{
    enum reach reach;
    struct subscription s;
    struct err why = {0};
    bool allowed;
    if (!app_authorize(c, action, &reach, err))
        return false;
    if (!app->store->ops->subscription_get(app->store, id, &s, a, &why)) {
        if (why.code == ERR_NOT_FOUND)
            return no_such_subscription(id, err);
        *err = why;
        return false;
    }
    if (!may(app, c, action, reach, &s, &allowed, a, err))
        return false;
    if (!allowed || (!ulid_is_zero(job_id) && !ulid_eq(job_id, s.job_id)))
        return no_such_subscription(id, err);
    *ret = s;
    return true;
}

// One page and one row: more than there may be are too many.
static bool room(struct app *app, struct err *err)
{
    return !app->notifier || notifier_subscriptions(app->notifier) < SUBSCRIPTIONS_MAX ||
           ERR(err, ERR_CONFLICT, "there are %d notifications already, which is the most: delete one first",
               SUBSCRIPTIONS_MAX);
}

bool app_subscription_create(struct app *app, const struct caller *c, struct subscription *s, struct faults *faults,
                             struct arena *a, struct err *err)
{
    enum reach reach;
    struct job j;
    if (!app_authorize(c, ACTION_NOTIFY_WRITE, &reach, err) ||
        (!ulid_is_zero(s->job_id) && !app_job_get(app, c, ACTION_NOTIFY_WRITE, s->job_id, &j, a, err)) ||
        !have_vault(app, err) || !room(app, err))
        return false;
    s->id = app_id(app);
    s->owner_id = c->user_id;
    s->version = 1;
    s->created_at = s->updated_at = clock_now(app->clock);
    if (!check(app, s, false, faults, a, err))
        return false;
    note(app, c, "notification.create", NULL, s, a);
    if (!app->store->ops->subscription_put(app->store, s, 0, err)) {
        audit_drop(app);
        return false;
    }
    changed(app);
    return true;
}

bool app_subscription_change(struct app *app, const struct caller *c, struct ulid job_id,
                             const struct subscription *old, struct subscription *new, struct faults *faults,
                             struct arena *a, struct err *err)
{
    struct subscription now;
    if (!app_subscription_get(app, c, ACTION_NOTIFY_WRITE, job_id, old->id, &now, a, err) || !have_vault(app, err))
        return false;
    if (now.version != old->version)
        return ERR(err, ERR_STALE, "the notification was changed meanwhile; read it again");
    bool keeps = !new->config.p;
    new->id = old->id;
    new->owner_id = old->owner_id;
    new->job_id = old->job_id;
    new->created_at = old->created_at;
    new->updated_at = clock_now(app->clock);
    new->version = old->version + 1;
    new->off_reason = new->enabled ? STR_NONE : old->off_reason;
    if (keeps && !str_eq(new->channel, old->channel))
        faults_add(faults, STR("/config"), "belongs to the channel: give the new one's together with \"channel\"");
    if (keeps) {
        new->config = old->config;
        new->sealed = old->sealed;
    }
    if (!check(app, new, keeps, faults, a, err))
        return false;
    note(app, c, "notification.update", old, new, a);
    if (!app->store->ops->subscription_put(app->store, new, old->version, err)) {
        audit_drop(app);
        return false;
    }
    changed(app);
    return true;
}

bool app_subscription_delete(struct app *app, const struct caller *c, struct ulid job_id, struct ulid id,
                             struct arena *a, struct err *err)
{
    struct subscription s;
    if (!app_subscription_get(app, c, ACTION_NOTIFY_WRITE, job_id, id, &s, a, err))
        return false;
    note(app, c, "notification.delete", &s, NULL, a);
    if (!app->store->ops->subscription_delete(app->store, id, clock_now(app->clock), err)) {
        audit_drop(app);
        return false;
    }
    changed(app);
    return true;
}

// ---- list --------------------------------------------------------------------------------------

static bool cursor_of(struct str text, struct ulid *ret, struct err *err)
{
    *ret = ULID_ZERO;
    return !text.p || ulid_parse(text, ret) ||
           ERR(err, ERR_INVALID, "\"cursor\" is not one of this list: take nextCursor of the page before");
}

bool app_subscriptions_list(struct app *app, const struct caller *c, struct ulid job_id, const struct page *p,
                            struct subscription **ret, size_t *ret_n, struct page_result *ret_page, struct arena *a,
                            struct err *err)
{
    enum reach reach;
    struct job j;
    struct ulid after;
    char id[ULID_TEXT_MAX];
    size_t n = 0, found = PAGE, size = (size_t)p->size;
    bool of_job = !ulid_is_zero(job_id), more = false;
    if (!app_authorize(c, ACTION_NOTIFY_READ, &reach, err) || !cursor_of(p->cursor, &after, err) ||
        (of_job && !app_job_get(app, c, ACTION_NOTIFY_READ, job_id, &j, a, err)))
        return false;
    struct subscription *out = arena_new_array(a, struct subscription, size);
    if (!out)
        return ERR(err, ERR_UNAVAILABLE, "the answer is too large for its memory: ask for fewer rows");
    while (found == PAGE && !more) {
        struct subscription *v;
        if (!app->store->ops->subscriptions_page(app->store, job_id, after, PAGE, &v, &found, a, err))
            return false;
        for (size_t i = 0; i < found && !more; i++) {
            if (!of_job && reach != REACH_ALL && !ulid_eq(v[i].owner_id, c->user_id))
                continue;
            more = n == size;
            if (!more)
                out[n++] = v[i];
        }
        after = found > 0 ? v[found - 1].id : after;
    }
    *ret_page = (struct page_result){.total = (int64_t)n, .total_is_estimate = more || p->cursor.p};
    if (more)
        ret_page->next_cursor = arena_str(a, str_of(ulid_format(out[n - 1].id, id)));
    *ret = out;
    *ret_n = n;
    return true;
}

// ---- messages ----------------------------------------------------------------------------------

bool app_subscription_test(struct app *app, const struct caller *c, struct ulid job_id, struct ulid id,
                           struct delivery *ret, struct arena *a, struct err *err)
{
    struct subscription s;
    struct instant now = clock_now(app->clock);
    struct told_memory *g = arena_new(a, struct told_memory);
    if (!app_subscription_get(app, c, ACTION_NOTIFY_WRITE, job_id, id, &s, a, err))
        return false;
    if (!g)
        return ERR(err, ERR_UNAVAILABLE, "no memory for a message");
    told_memory_init(g);
    told_add(g, &(struct notice_item){.event = NOTICE_TEST, .at = now, .job_id = s.job_id,
                                       .message = STR("somebody pressed the test button")});
    struct delivery d = {.id = app_id(app), .subscription_id = s.id, .job_id = s.job_id, .owner_id = s.owner_id,
                         .event = NOTICE_TEST, .channel = s.channel, .created_at = now, .due = now,
                         .code = FIELD_ABSENT, .ended_at = INSTANT_NEVER, .body = told_memory_write(g, a)};
    if (!d.body.p)
        return ERR(err, ERR_UNAVAILABLE, "no memory for a message");
    struct settlement one = {.deliveries = &d, .n_deliveries = 1};
    note(app, c, "notification.test", &s, &s, a);
    if (!app->store->ops->notices_settle(app->store, &one, err)) {
        audit_drop(app);
        return false;
    }
    if (app->notifier)
        notifier_wake(app->notifier, false);
    *ret = d;
    return true;
}

bool app_deliveries_list(struct app *app, const struct caller *c, struct delivery_filter *f, const struct page *p,
                         struct delivery **ret, size_t *ret_n, struct page_result *ret_page, struct arena *a,
                         struct err *err)
{
    enum reach reach;
    if (!app_authorize(c, ACTION_NOTIFY_READ, &reach, err))
        return false;
    f->owner_id = app_owner_filter(c, reach);
    return app->store->ops->deliveries_list(app->store, f, p, ret, ret_n, ret_page, a, err);
}

bool app_delivery_get(struct app *app, const struct caller *c, enum action action, struct ulid id,
                      struct delivery *ret, struct arena *a, struct err *err)
{
    enum reach reach;
    struct delivery d;
    struct err why = {0};
    char text[ULID_TEXT_MAX];
    if (!app_authorize(c, action, &reach, err))
        return false;
    bool found = app->store->ops->delivery_get(app->store, id, &d, a, &why);
    if (!found && why.code != ERR_NOT_FOUND) {
        *err = why;
        return false;
    }
    if (!found || (reach != REACH_ALL && !ulid_eq(d.owner_id, c->user_id)))
        return ERR(err, ERR_NOT_FOUND, "delivery \"%s\" does not exist", ulid_format(id, text));
    *ret = d;
    return true;
}

bool app_delivery_replay(struct app *app, const struct caller *c, struct ulid id, struct delivery *ret,
                         struct arena *a, struct err *err)
{
    struct delivery d;
    struct subscription s;
    if (!app_delivery_get(app, c, ACTION_NOTIFY_WRITE, id, &d, a, err) ||
        !app_subscription_get(app, c, ACTION_NOTIFY_WRITE, ULID_ZERO, d.subscription_id, &s, a, err))
        return false;
    struct audit_note v = {.action = "notification.replay", .entity_type = "delivery", .entity_id = id,
                           .entity_name = d.channel, .outcome = AUDIT_DONE};
    int64_t tries = d.tries;
    d.state = DELIVERY_PENDING;
    d.due = clock_now(app->clock);
    d.tries = 0;
    d.ended_at = INSTANT_NEVER;
    audit_with(app, c, &v, a);
    if (!app->store->ops->delivery_update(app->store, &d, tries, err)) {
        audit_drop(app);
        return err->code == ERR_STALE ? ERR(err, ERR_CONFLICT, "the message is being tried just now") : false;
    }
    if (app->notifier)
        notifier_wake(app->notifier, false);
    *ret = d;
    return true;
}
