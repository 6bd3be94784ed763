// SPDX-License-Identifier: Apache-2.0
// Words and tries of a message, see app/delivery.h.
#include "app/delivery.h"

#include "app/audit.h"
#include "app/figures.h"
#include "base/json.h"
#include "base/log.h"
#include "notify/template.h"

enum { LOG_PAGE = 500, LOG_PAGES_MAX = 40, LOG_TAIL_MAX = 8 * 1024, DIGEST_MAX = 16 * 1024, OFF_REASON_MAX = 400 };

static const struct str config_name = STR_INIT("notification");

bool subscription_config_open(struct app *app, const struct subscription *s, struct str *ret, struct arena *a,
                              struct err *err)
{
    if (!app->vault)
        return ERR(err, ERR_CONFIG, "this server has no key for secrets (secrets.key)");
    return vault_open(app->vault, s->id, config_name, s->sealed, ret, a, err);
}

bool channel_config_read(const struct channel *c, struct str text, bool stored, struct str base, void **ret,
                         struct faults *faults, struct arena *a)
{
    json_t *v CLEANUP_JSON = NULL;
    struct err why = {0};
    void *config = arena_alloc(a, c->config_size);
    if (!config || !json_parse(text.p ? text : STR("{}"), &v, &why) || !json_is_object(v)) {
        faults_add(faults, base, "must be an object with the settings of %s", c->name);
        return false;
    }
    if (!field_decode(c->config, v, stored ? FIELD_DECODE_STORED : FIELD_DECODE_STRICT, base, config, a, faults))
        return false;
    *ret = config;
    return true;
}

// ---- words -------------------------------------------------------------------------------------

static struct str id_text(struct ulid id, struct arena *a)
{
    char text[ULID_TEXT_MAX];
    return ulid_is_zero(id) ? STR_NONE : arena_str(a, str_of(ulid_format(id, text)));
}

static struct str link(const struct notify_env *env, struct ulid job_id, struct ulid run_id, bool of_run,
                       struct arena *a)
{
    char id[ULID_TEXT_MAX];
    if (!env->public_url.p)
        return STR_NONE;
    if (of_run)
        return arena_fmt(a, "%.*s/runs/%s", STR_ARG(env->public_url), ulid_format(run_id, id));
    if (!ulid_is_zero(job_id))
        return arena_fmt(a, "%.*s/jobs/%s", STR_ARG(env->public_url), ulid_format(job_id, id));
    return env->public_url;
}

// The last lines of a run's log, which were masked when they were written. A log that is very long gives what stands
// where the reading stops.
static struct str log_tail(struct app *app, struct ulid run_id, struct arena *a)
{
    struct str lines[CHANNEL_LOG_TAIL_LINES] = {{0}};
    size_t total = 0, n = LOG_PAGE;
    struct store *s = app->store;
    int64_t after = INT64_MIN;
    for (int page = 0; page < LOG_PAGES_MAX && n == LOG_PAGE; page++) {
        struct log_line *v;
        struct err ignored = {0};
        if (!s->ops->logs_read(s, run_id, after, LOG_PAGE, &v, &n, a, &ignored))
            break;
        for (size_t i = 0; i < n; i++)
            lines[total++ % CHANNEL_LOG_TAIL_LINES] = v[i].message;
        after = n > 0 ? v[n - 1].id : after;
    }
    struct sbuf out;
    sbuf_init(&out, a, LOG_TAIL_MAX);
    size_t shown = total < CHANNEL_LOG_TAIL_LINES ? total : CHANNEL_LOG_TAIL_LINES;
    for (size_t i = total - shown; i < total; i++) {
        struct str line = lines[i % CHANNEL_LOG_TAIL_LINES];
        line.n = str_utf8_cut(line, LOG_TAIL_MAX / CHANNEL_LOG_TAIL_LINES - 1);
        sbuf_put(&out, line);
        sbuf_putc(&out, '\n');
    }
    return total > 0 && sbuf_ok(&out) ? sbuf_str(&out) : STR_NONE;
}

// A job or an owner that is gone leaves its fields empty; false: the store could not be asked.
static bool add_job(struct app *app, struct ulid id, struct notification *n, struct arena *a, struct err *err)
{
    struct job j;
    struct user u;
    if (!app->store->ops->job_get(app->store, id, &j, a, err))
        return err->code == ERR_NOT_FOUND;
    n->job_name = j.name;
    n->job_type = j.type;
    n->tags = j.tags;
    n->next_fire = j.next_fire_time;
    n->timezone = j.schedule.timezone;
    if (!app->store->ops->user_get(app->store, j.owner_id, &u, a, err))
        return err->code == ERR_NOT_FOUND;
    n->owner = u.email;
    return true;
}

static void add_run(struct app *app, const struct run *r, struct notification *n, struct arena *a)
{
    n->run_id = r->id;
    n->scheduled = r->scheduled;
    n->started = r->start;
    n->ended = r->end;
    n->attempt = r->attempt;
    n->exit_code = r->exit_code;
    n->status = str_of(run_status_names[r->status]);
    n->run_key = id_text(r->run_key, a);
    n->node = r->worker;
    if (run_status_failed(r->status)) {
        n->error_class = r->error_class;
        n->error_message = r->error_message;
    }
    n->log_tail = log_tail(app, r->id, a);
}

static void digest_line(const struct notice_item *item, struct sbuf *out)
{
    char at[INSTANT_TEXT_MAX];
    bool flaps = item->event == NOTICE_DIGEST;
    sbuf_fmt(out, "%s %s", instant_format(item->at, at), flaps ? "flapping" : notice_event_names[item->event]);
    if (item->job_name.p)
        sbuf_fmt(out, ": %.*s", STR_ARG(item->job_name));
    if (flaps)
        sbuf_puts(out, " changes between good and bad; the next message comes when it is calm");
    if (item->error_class.p && item->event != NOTICE_RECOVERED)
        sbuf_fmt(out, " (%.*s)", STR_ARG(item->error_class));
    if (item->event == NOTICE_NODE_DOWN)
        sbuf_fmt(out, ": %.*s", STR_ARG(item->message));
    sbuf_putc(out, '\n');
}

static struct str digest_text(const struct told_memory *g, struct arena *a)
{
    struct sbuf out;
    sbuf_init(&out, a, DIGEST_MAX);
    for (size_t i = 0; i < g->n; i++)
        digest_line(&g->items[i], &out);
    if (g->more > 0)
        sbuf_fmt(&out, "and %lld more\n", (long long)g->more);
    return sbuf_str(&out);
}

static void add_single(struct app *app, const struct notify_env *env, const struct notice_item *item,
                       struct notification *n, struct arena *a)
{
    struct run r;
    struct err ignored = {0};
    n->at = item->at;
    n->job_id = item->job_id;
    n->job_name = item->job_name;
    n->streak = item->streak;
    n->error_class = item->error_class;
    n->error_message = item->message;
    n->incident = id_text(ulid_is_zero(item->incident) ? item->run_id : item->incident, a);
    if (item->event == NOTICE_NODE_DOWN)
        n->node = item->message;
    if (!ulid_is_zero(item->job_id))
        (void)add_job(app, item->job_id, n, a, &ignored); // better fewer words than no message
    if (!ulid_is_zero(item->run_id) && app->store->ops->run_get(app->store, item->run_id, &r, a, &ignored))
        add_run(app, &r, n, a);
    if (!n->incident.p)
        n->incident = id_text(item->job_id, a);
    n->url = link(env, n->job_id, n->run_id, !ulid_is_zero(n->run_id), a);
}

static struct notification nothing_said(const struct notify_env *env, struct ulid id, int event, struct instant at,
                                        struct arena *a)
{
    return (struct notification){.id = id_text(id, a), .event = event, .at = at, .source = env->source,
                                 .scheduled = INSTANT_NEVER, .started = INSTANT_NEVER, .ended = INSTANT_NEVER,
                                 .next_fire = INSTANT_NEVER, .attempt = FIELD_ABSENT, .exit_code = FIELD_ABSENT};
}

struct notification *notification_of_run(struct app *app, const struct notify_env *env, const struct run *r, int event,
                                         struct arena *a, struct err *err)
{
    struct notification *n = arena_new(a, struct notification);
    if (!n) {
        ERR(err, ERR_TOO_LARGE, "the run needs more memory than one request may have");
        return NULL;
    }
    *n = nothing_said(env, r->id, event, clock_now(app->clock), a);
    n->job_id = r->job_id;
    if (!add_job(app, r->job_id, n, a, err))
        return NULL;
    add_run(app, r, n, a);
    n->incident = id_text(r->id, a);
    n->url = link(env, r->job_id, r->id, true, a);
    return n;
}

static void words(struct app *app, const struct notify_env *env, const struct delivery *d, struct notification *n,
                  struct arena *a)
{
    struct told_memory *g = arena_new(a, struct told_memory);
    *n = nothing_said(env, d->id, d->event, d->created_at, a);
    if (!g)
        return;
    told_memory_read(d->body, g, a);
    if (g->n == 1 && g->more == 0)
        add_single(app, env, &g->items[0], n, a);
    else
        n->url = link(env, ULID_ZERO, ULID_ZERO, false, a);
    if (d->event == NOTICE_DIGEST)
        n->digest = digest_text(g, a);
    if (!n->incident.p)
        n->incident = n->id;
}

// A template that cannot be filled in leaves the channel its own words.
static void own_words(const struct notify_env *env, const struct channel *c, const struct subscription *s,
                      struct notification *n, struct arena *a)
{
    struct str subject = STR_NONE, text = STR_NONE;
    struct err why = {0};
    if (!notify_subject_fill(&env->channel, s->templates.subject, n, &subject, a, &why) ||
        !notify_template_fill(&env->channel, s->templates.text, c->escape, n, &text, a, &why))
        LOG_WARN("templates of a subscription cannot be filled in, its channel's own words are used",
                 LOG_ID("subscription", s->id), LOG_ERROR_FIELD(&why));
    n->subject = subject;
    n->text = text;
}

// ---- a try -------------------------------------------------------------------------------------

static void refuse(struct channel_result *ret, const char *sentence)
{
    *ret = (struct channel_result){.verdict = CHANNEL_REFUSED, .code = FIELD_ABSENT};
    (void)snprintf(ret->sentence, sizeof ret->sentence, "%s", sentence);
}

static void hand_over(struct app *app, const struct notify_env *env, const struct subscription *s,
                      const struct delivery *d, struct channel_result *ret, struct arena *a)
{
    const struct channel *c = channel_find(s->channel);
    struct faults *faults = arena_new(a, struct faults);
    struct notification *n = arena_new(a, struct notification);
    struct str text;
    void *config = NULL;
    struct err why = {0};
    if (!c || !faults || !n) {
        refuse(ret, c ? "no memory for the message" : "this server knows no such channel");
        return;
    }
    faults_init(faults, a);
    if (!subscription_config_open(app, s, &text, a, &why)) {
        refuse(ret, why.text);
        return;
    }
    if (!channel_config_read(c, text, true, STR("/config"), &config, faults, a)) {
        refuse(ret, "the configuration does not fit this version of the channel: put it again");
        return;
    }
    words(app, env, d, n, a);
    own_words(env, c, s, n, a);
    *ret = (struct channel_result){.verdict = CHANNEL_AGAIN, .code = FIELD_ABSENT};
    c->send(&env->channel, config, n, ret, a);
}

// Its target said that it is gone for good.
static bool turn_off(struct app *app, struct subscription *s, const char *sentence, struct arena *a, struct err *err)
{
    int64_t version = s->version++;
    struct subscription before = *s;
    before.version = version;
    s->enabled = false;
    s->off_reason = arena_fmt(a, "the target is gone: %s", sentence);
    s->off_reason.n = str_utf8_cut(s->off_reason, OFF_REASON_MAX);
    s->updated_at = clock_now(app->clock);
    struct audit_note note = {.action = "notification.turnOff", .entity_type = "notification", .entity_id = s->id,
                              .entity_name = s->channel, .outcome = AUDIT_DONE, .detail = s->off_reason,
                              .fields = &subscription_fields, .before = &before, .after = s};
    audit_system(app, NULL, &note, a);
    LOG_WARN("a subscription was turned off: its target is gone", LOG_ID("subscription", s->id),
             LOG_STR("channel", s->channel), LOG_CSTR("answer", sentence));
    struct err why = {0};
    if (app->store->ops->subscription_put(app->store, s, version, &why))
        return true;
    audit_drop(app);
    *err = why;
    return why.code == ERR_STALE || why.code == ERR_NOT_FOUND; // it was changed meanwhile: its owner knows better
}

static void record(const struct channel_result *r, struct instant now, double jitter, struct delivery *d)
{
    d->code = r->code;
    d->sentence = str_of(r->sentence);
    d->tries++;
    d->due = INSTANT_NEVER;
    d->ended_at = now;
    switch (r->verdict) {
    case CHANNEL_SENT: d->state = DELIVERY_SENT; break;
    case CHANNEL_REFUSED:
    case CHANNEL_GONE: d->state = DELIVERY_REFUSED; break;
    default:
        d->due = delivery_next_try(d->tries, now, r->retry_after, jitter);
        d->state = instant_is_never(d->due) ? DELIVERY_GIVEN_UP : DELIVERY_PENDING;
        if (d->state == DELIVERY_PENDING)
            d->ended_at = INSTANT_NEVER;
    }
    figure_notification(d->channel, d->state == DELIVERY_SENT      ? FIGURE_SENT
                                    : d->state == DELIVERY_PENDING ? FIGURE_RETRIED
                                                                   : FIGURE_FAILED);
    if (d->state == DELIVERY_REFUSED || d->state == DELIVERY_GIVEN_UP)
        LOG_WARN("a message could not be delivered", LOG_ID("delivery", d->id), LOG_STR("channel", d->channel),
                 LOG_STR("answer", d->sentence));
}

bool delivery_try(struct app *app, const struct notify_env *env, const struct delivery *given, double jitter,
                  struct duration *ret_waited, struct arena *a, struct err *err)
{
    struct subscription s;
    struct delivery d = *given;
    struct channel_result r = {.code = FIELD_ABSENT};
    struct err why = {0};
    struct mono begun = clock_mono(app->clock);
    if (!app->store->ops->subscription_get(app->store, d.subscription_id, &s, a, &why)) {
        *err = why;
        return why.code == ERR_NOT_FOUND; // its messages went with it
    }
    if (s.enabled || d.event == NOTICE_TEST) {
        hand_over(app, env, &s, &d, &r, a);
        record(&r, clock_now(app->clock), jitter, &d);
    } else {
        d.state = DELIVERY_DROPPED;
        d.due = INSTANT_NEVER;
        d.ended_at = clock_now(app->clock);
        d.sentence = STR("its subscription is turned off");
    }
    *ret_waited = mono_since(clock_mono(app->clock), begun);
    if (r.verdict == CHANNEL_GONE && s.enabled && !turn_off(app, &s, r.sentence, a, err))
        return false;
    if (app->store->ops->delivery_update(app->store, &d, given->tries, &why) || why.code == ERR_STALE)
        return true;
    *err = why;
    return false;
}
