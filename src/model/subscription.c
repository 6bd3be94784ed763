// SPDX-License-Identifier: Apache-2.0
// Field tables of subscriptions and deliveries, and what one subscription alone can break.
#include "model/subscription.h"

const char *const delivery_state_names[] = {"PENDING", "SENT", "REFUSED", "GIVEN_UP", "DROPPED", NULL};

enum {
    REPEAT_H_DEFAULT = 24,
    GROUP_S_DEFAULT = 30,
    FLAPS_DEFAULT = 4,
    FLAPS_MAX = 60,
    WALL_TEXT_MAX = 5,
    TAG_CHARS_MAX = 64,
    ZONE_CHARS_MAX = 64,
    CHANNEL_CHARS_MAX = 32,
    REASON_MAX = 400,
    TEXT_MAX = 160 * 1024,
};

#define T struct quiet_hours
static const struct field quiet_rows[] = {
    FIELD_STR(T, from, "from", .max = WALL_TEXT_MAX, .doc = "First minute, \"22:00\"."),
    FIELD_STR(T, to, "to", .max = WALL_TEXT_MAX, .doc = "First minute after them, \"07:00\"."),
    FIELD_STR(T, timezone, "timezone", .max = ZONE_CHARS_MAX, .doc = "IANA zone of both; UTC when absent."),
};
#undef T
static const struct fields quiet_fields =
    FIELDS("QuietHours", struct quiet_hours, quiet_rows, .doc = "Hours in which messages are held back, not dropped.");

#define T struct notice_templates
static const struct field template_rows[] = {
    FIELD_STR(T, subject, "subject", .max = TEMPLATE_SUBJECT_MAX, .doc = "Subject or title, with {{names}}."),
    FIELD_STR(T, text, "text", .max = TEMPLATE_TEXT_MAX, .doc = "Text, with {{names}}."),
};
#undef T
static const struct fields template_fields = FIELDS("NotificationTemplates", struct notice_templates, template_rows,
                                                    .doc = "Words to use instead of the channel's own.");

#define T struct subscription
static const struct field subscription_rows[] = {
    FIELD_ID(T, id, "id", .flags = FIELD_READ_ONLY, .doc = "Identifier."),
    FIELD_ID(T, owner_id, "ownerId", .flags = FIELD_READ_ONLY, .doc = "User who is told."),
    FIELD_ID(T, job_id, "jobId", .flags = FIELD_READ_ONLY, .doc = "The one job; absent with \"tag\" and \"all\"."),
    FIELD_STR(T, tag, "tag", .max = TAG_CHARS_MAX, .doc = "Every job with this tag that the owner may see."),
    FIELD_BOOL(T, all, "all", FIELD_DEFAULT(false), .doc = "Every job that the owner may see."),
    FIELD_STR(T, channel, "channel", .flags = FIELD_REQUIRED, .min = 1, .max = CHANNEL_CHARS_MAX,
              .doc = "Way to tell, for example EMAIL or WEBHOOK."),
    FIELD_JSON(T, config, "config", FIELD_IS_OBJECT, .max = SUBSCRIPTION_CONFIG_MAX,
               .doc = "Settings of the channel; secret members are shown as \"***\"."),
    FIELD_STR(T, sealed, "sealed", .flags = FIELD_HIDDEN, .max = 4 * SUBSCRIPTION_CONFIG_MAX),
    FIELD_STRS(T, events, "events", .max = NOTICE_EVENTS,
               .doc = "failed, recovered, dead, missed, slow, overdue, started, succeeded, paused, node_down; failed "
                      "and recovered when absent."),
    FIELD_I64(T, after, "after", .min = 1, .max = SUBSCRIPTION_AFTER_MAX, FIELD_DEFAULT(1),
              .doc = "Tell of failures from the so-manieth on, in a row or of ofLast."),
    FIELD_I64(T, of_last, "ofLast", .min = 1, .max = SUBSCRIPTION_OF_LAST_MAX,
              .doc = "Count failures among so many outcomes; in a row when absent."),
    FIELD_I64(T, repeat_hours, "repeatHours", .min = 1, .max = SUBSCRIPTION_REPEAT_H_MAX,
              FIELD_DEFAULT(REPEAT_H_DEFAULT), .doc = "The same failure is told again after so many hours."),
    FIELD_I64(T, group_seconds, "groupSeconds", .min = 0, .max = SUBSCRIPTION_GROUP_S_MAX,
              FIELD_DEFAULT(GROUP_S_DEFAULT),
              .doc = "After a message, what happens within so many seconds is told together."),
    FIELD_I64(T, flaps_per_hour, "flapsPerHour", .min = 0, .max = FLAPS_MAX, FIELD_DEFAULT(FLAPS_DEFAULT),
              .doc = "A job that changes between good and bad so often within an hour makes one digest; 0: never."),
    FIELD_OBJECT(T, quiet_hours, "quietHours", struct quiet_hours, &quiet_fields,
                 .doc = "When messages are held back until the end of the quiet hours."),
    FIELD_OBJECT(T, templates, "templates", struct notice_templates, &template_fields, .doc = "Own words."),
    FIELD_BOOL(T, enabled, "enabled", FIELD_DEFAULT(true), .doc = "Whether it tells anything."),
    FIELD_STR(T, off_reason, "offReason", .flags = FIELD_READ_ONLY, .max = REASON_MAX,
              .doc = "Why it was turned off by itself."),
    FIELD_I64(T, version, "version", .flags = FIELD_READ_ONLY, .min = 0, .max = INT64_MAX, FIELD_DEFAULT(0),
              .doc = "Counts up with every change."),
    FIELD_INSTANT(T, created_at, "createdAt", .flags = FIELD_READ_ONLY, .doc = "When it was created."),
    FIELD_INSTANT(T, updated_at, "updatedAt", .flags = FIELD_READ_ONLY, .doc = "When it last changed."),
};
#undef T
const struct fields subscription_fields =
    FIELDS("Subscription", struct subscription, subscription_rows, .doc = "Who is told what, and how.");

#define T struct message_draft
static const struct field draft_rows[] = {
    FIELD_STR(T, channel, "channel", .flags = FIELD_REQUIRED, .min = 1, .max = CHANNEL_CHARS_MAX,
              .doc = "Way it would go: it decides how values are escaped."),
    FIELD_JSON(T, config, "config", FIELD_IS_OBJECT, .max = SUBSCRIPTION_CONFIG_MAX,
               .doc = "Settings of the channel; with them the whole message is shown."),
    FIELD_ENUM(T, event, "event", notice_event_names, FIELD_DEFAULT(NOTICE_FAILED), .doc = "What it would tell."),
    FIELD_ID(T, run_id, "runId", .doc = "Run to tell of; a made-up one when absent."),
    FIELD_OBJECT(T, templates, "templates", struct notice_templates, &template_fields, .doc = "Words to look at."),
};
#undef T
const struct fields message_draft_fields =
    FIELDS("MessageDraft", struct message_draft, draft_rows, .doc = "Words of a notification that is not saved.");

#define T struct delivery
static const struct field delivery_rows[] = {
    FIELD_ID(T, id, "id", .flags = FIELD_READ_ONLY, .doc = "Identifier; webhooks carry it as webhook-id."),
    FIELD_ID(T, subscription_id, "subscriptionId", .flags = FIELD_READ_ONLY, .doc = "Whose message it is."),
    FIELD_ID(T, job_id, "jobId", .flags = FIELD_READ_ONLY, .doc = "The job it tells of; absent: of several, or none."),
    FIELD_ID(T, run_id, "runId", .flags = FIELD_READ_ONLY, .doc = "The run it tells of."),
    FIELD_ENUM(T, event, "event", notice_event_names, .flags = FIELD_READ_ONLY, .doc = "What it tells."),
    FIELD_STR(T, channel, "channel", .flags = FIELD_READ_ONLY, .doc = "Way it goes."),
    FIELD_ENUM(T, state, "status", delivery_state_names, .flags = FIELD_READ_ONLY, .doc = "What became of it."),
    FIELD_INSTANT(T, created_at, "createdAt", .flags = FIELD_READ_ONLY, .doc = "When it was decided to tell it."),
    FIELD_INSTANT(T, due, "nextTryAt", .flags = FIELD_READ_ONLY, .doc = "When it is tried (again)."),
    FIELD_I64(T, tries, "tries", .flags = FIELD_READ_ONLY, .max = INT64_MAX, .doc = "How often it was tried."),
    FIELD_I64(T, code, "code", .flags = FIELD_READ_ONLY, .max = INT64_MAX,
              .doc = "HTTP status or SMTP reply of the last try."),
    FIELD_STR(T, sentence, "answer", .flags = FIELD_READ_ONLY, .doc = "What came of the last try, in words."),
    FIELD_INSTANT(T, ended_at, "endedAt", .flags = FIELD_READ_ONLY, .doc = "When that was settled."),
};
#undef T
const struct fields delivery_fields =
    FIELDS("Delivery", struct delivery, delivery_rows, .doc = "One message on its way to one target.");

// ---- checks ------------------------------------------------------------------------------------

int64_t wall_time_s(struct str text)
{
    enum { HOURS = 24, MINUTES = 60, DIGITS = 2 };
    struct str minutes, hours = str_split(text, ':', &minutes);
    int64_t h, m;
    if (hours.n != DIGITS || minutes.n != DIGITS || !str_to_i64(hours, &h) || !str_to_i64(minutes, &m) || h < 0 ||
        m < 0 || h >= HOURS || m >= MINUTES)
        return -1;
    return (h * MINUTES + m) * MINUTES;
}

static int event_find(struct str word)
{
    for (int i = 0; i < NOTICE_WANTABLE; i++)
        if (str_eq_nocase(word, str_of(notice_event_names[i])))
            return i;
    return -1;
}

static void check_events(const struct subscription *s, struct faults *f)
{
    for (size_t i = 0; i < s->events.n; i++)
        if (event_find(s->events.v[i]) < 0)
            faults_add(f, arena_fmt(f->a, "/events/%zu", i),
                       "must be failed, recovered, dead, missed, slow, overdue, started, succeeded, paused or "
                       "node_down");
        else if (event_find(s->events.v[i]) == NOTICE_NODE_DOWN && !s->all)
            faults_add(f, arena_fmt(f->a, "/events/%zu", i),
                       "node_down belongs to no job: ask for it together with \"all\"");
}

static void check_quiet(const struct quiet_hours *q, struct faults *f)
{
    if (!q->from.p && !q->to.p)
        return;
    if (!q->from.p || wall_time_s(q->from) < 0)
        faults_add(f, STR("/quietHours/from"), "must be a wall time such as \"22:00\"");
    if (!q->to.p || wall_time_s(q->to) < 0)
        faults_add(f, STR("/quietHours/to"), "must be a wall time such as \"07:00\"");
    else if (q->from.p && str_eq(q->from, q->to))
        faults_add(f, STR("/quietHours/to"), "must differ from \"from\": messages would be held for ever");
}

void subscription_check(const struct subscription *s, struct faults *f)
{
    int of = !ulid_is_zero(s->job_id) + (s->tag.p != NULL) + s->all;
    if (of > 1)
        faults_add(f, s->all ? STR("/all") : STR("/tag"), "only one of the job, \"tag\" and \"all\" can be meant");
    else if (of == 0)
        faults_add(f, STR("/tag"), "say which jobs: \"tag\", or \"all\": true");
    if (s->of_last != FIELD_ABSENT && s->of_last < s->after)
        faults_add(f, STR("/ofLast"), "must not be less than \"after\"");
    check_events(s, f);
    check_quiet(&s->quiet_hours, f);
}

uint32_t subscription_events(const struct subscription *s)
{
    uint32_t events = 0;
    if (!s->enabled)
        return 0;
    if (s->events.n == 0)
        return notice_bit(NOTICE_FAILED) | notice_bit(NOTICE_RECOVERED);
    for (size_t i = 0; i < s->events.n; i++) {
        int event = event_find(s->events.v[i]);
        events |= event < 0 ? 0 : notice_bit(event);
    }
    return events;
}

uint32_t subscription_interest(const struct subscription *s)
{
    const uint32_t bad = notice_bit(NOTICE_FAILED) | notice_bit(NOTICE_DEAD);
    const uint32_t outcomes = bad | notice_bit(NOTICE_RECOVERED);
    uint32_t events = subscription_events(s);
    if (!(events & outcomes))
        return events;
    // Failures are counted until a success; k of n needs every success.
    return events | outcomes | (s->of_last != FIELD_ABSENT ? notice_bit(NOTICE_SUCCEEDED) : 0);
}

// ---- stored ------------------------------------------------------------------------------------

bool subscription_text_write(const struct subscription *s, struct str *ret, struct arena *a, struct err *err)
{
    struct sbuf out;
    sbuf_init(&out, a, TEXT_MAX);
    field_encode(&subscription_fields, s, FIELD_ENCODE_STORED, &out);
    if (!sbuf_ok(&out))
        return ERR(err, ERR_TOO_LARGE, "the subscription is too large: shorten its templates");
    *ret = sbuf_str(&out);
    return true;
}

bool subscription_text_read(struct str text, struct subscription *ret, struct arena *a, struct err *err)
{
    json_t *v CLEANUP_JSON = NULL;
    struct err why;
    struct subscription s;
    struct faults faults;
    if (!json_parse(text, &v, &why))
        return ERR(err, ERR_CORRUPT, "a stored subscription cannot be read: %s", why.text);
    faults_init(&faults, a);
    if (!field_decode(&subscription_fields, v, FIELD_DECODE_STORED, STR(""), &s, a, &faults))
        return ERR(err, ERR_CORRUPT, "a stored subscription cannot be read: \"%.*s\" %.*s",
                   STR_ARG(faults.v[0].pointer), STR_ARG(faults.v[0].detail));
    *ret = s;
    return true;
}
