// SPDX-License-Identifier: Apache-2.0
// Compiling schedules once per request, and looking ahead.
#include "app/schedule.h"

#define T struct preview_request
static const struct field preview_rows[] = {
    FIELD_OBJECT(T, schedule, "schedule", struct schedule_spec, &schedule_fields, .flags = FIELD_REQUIRED,
                 .doc = "The schedule to look at."),
    FIELD_INSTANT(T, from, "from", .doc = "Only fires after this instant; now when absent."),
    FIELD_I64(T, count, "count", .min = 1, .max = PREVIEW_COUNT_MAX, FIELD_DEFAULT(PREVIEW_COUNT_DEFAULT),
              .doc = "How many fires to tell."),
};
#undef T
const struct fields preview_request_fields =
    FIELDS("SchedulePreview", struct preview_request, preview_rows, .doc = "A look at what a schedule will do.");

void schedule_memo_init(struct schedule_memo *m, struct zones *zones) { *m = (struct schedule_memo){.zones = zones}; }

void schedule_memo_release(struct schedule_memo *m)
{
    for (size_t i = 0; i < SCHEDULE_MEMO_SLOTS; i++)
        schedule_unref(m->v[i].schedule);
    *m = (struct schedule_memo){0};
}

struct schedule_origin schedule_origin_of(const struct job *j)
{
    bool given = !instant_is_never(j->schedule.start_at);
    return (struct schedule_origin){.job_id = j->id, .anchor_at = given ? j->schedule.start_at : j->created_at};
}

const struct schedule *schedule_memo_get(struct schedule_memo *m, const struct schedule_spec *s,
                                         const struct schedule_origin *o, struct str base, struct faults *faults)
{
    uint64_t seed = schedule_seed(o->job_id);
    struct ulid key = schedule_key(s, o->anchor_at, seed);
    for (size_t i = 0; i < SCHEDULE_MEMO_SLOTS; i++)
        if (m->v[i].schedule && ulid_eq(m->v[i].key, key))
            return m->v[i].schedule;
    struct schedule *compiled;
    struct cron_fault where;
    struct err err = {0};
    if (!schedule_compile(m->zones, s, o->anchor_at, seed, &compiled, &where, &err)) {
        faults_add_err(faults, base, &err);
        return NULL;
    }
    struct schedule_memo_slot *slot = &m->v[m->next];
    m->next = (m->next + 1) % SCHEDULE_MEMO_SLOTS;
    schedule_unref(slot->schedule);
    *slot = (struct schedule_memo_slot){.key = key, .schedule = compiled};
    return compiled;
}

// What a clock change has to do with an occurrence.
static struct str clock_note(const struct zone *z, int64_t utc_s, const struct zone_span *span)
{
    struct wall w = zone_wall(z, utc_s + span->offset_s);
    if (w.kind == WALL_OVERLAP)
        return utc_s == w.first_s ? STR("this wall time exists twice; this is the first")
                                  : STR("this wall time exists twice; this is the second");
    if (span->begin_s == utc_s && span->offset_s > span->before_s)
        return STR("first instant after the clock was put forward");
    return STR_NONE;
}

static size_t look_ahead(const struct schedule *s, struct instant after, size_t count, struct occurrence *v)
{
    const struct zone *z = schedule_zone(s);
    uint32_t hint = 0;
    size_t n = 0;
    for (; n < count; n++) {
        after = schedule_next(s, after);
        if (instant_is_never(after))
            break;
        v[n] = (struct occurrence){.at = after};
        if (!z)
            continue;
        int64_t utc_s = after.us / US_PER_S;
        struct zone_span span = zone_span_at(z, utc_s, &hint);
        v[n].offset_s = span.offset_s;
        v[n].note = clock_note(z, utc_s, &span);
    }
    return n;
}

bool app_schedule_preview(struct app *app, const struct caller *c, const struct preview_request *r,
                          struct occurrence **ret, size_t *ret_n, struct faults *faults, struct arena *a,
                          struct err *err)
{
    enum reach reach;
    if (!app_authorize(c, ACTION_SCHEDULE_PREVIEW, &reach, err))
        return false;
    struct instant now = clock_now(app->clock);
    struct instant after = instant_is_never(r->from) ? now : r->from;
    struct schedule_origin o = {.anchor_at = instant_is_never(r->schedule.start_at) ? after : r->schedule.start_at};
    schedule_check(&r->schedule, STR("/schedule"), faults);
    if (faults_any(faults))
        return ERR(err, ERR_INVALID, "the schedule has faults");
    struct schedule_memo memo;
    schedule_memo_init(&memo, app->zones);
    const struct schedule *s = schedule_memo_get(&memo, &r->schedule, &o, STR("/schedule"), faults);
    struct occurrence *v = s ? arena_new_array(a, struct occurrence, (size_t)r->count) : NULL;
    size_t n = v ? look_ahead(s, after, (size_t)r->count, v) : 0;
    schedule_memo_release(&memo);
    if (!s)
        return ERR(err, ERR_INVALID, "the schedule has faults");
    if (!v)
        return ERR(err, ERR_TOO_LARGE, "the request needs more memory than one request may have");
    *ret = v;
    *ret_n = n;
    return true;
}

size_t app_job_occurrences(struct app *app, const struct job *j, struct instant after, size_t count,
                           struct occurrence **ret, struct arena *a)
{
    struct schedule_origin o = schedule_origin_of(j);
    struct faults faults;
    faults_init(&faults, a);
    struct schedule_memo memo;
    schedule_memo_init(&memo, app->zones);
    const struct schedule *s = schedule_memo_get(&memo, &j->schedule, &o, STR("/schedule"), &faults);
    struct occurrence *v = s ? arena_new_array(a, struct occurrence, count) : NULL;
    size_t n = v ? look_ahead(s, after, count, v) : 0;
    schedule_memo_release(&memo);
    *ret = v;
    return n;
}
