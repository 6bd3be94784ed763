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

struct strs schedule_memo_warnings(struct schedule_memo *m, const struct schedule *s, struct instant from,
                                   struct arena *a)
{
    for (size_t i = 0; i < SCHEDULE_MEMO_SLOTS; i++) {
        struct schedule_memo_slot *slot = &m->v[i];
        if (slot->schedule != s)
            continue;
        if (!slot->warned)
            slot->warnings = preview_warnings(s, from, a);
        slot->warned = true;
        return slot->warnings;
    }
    return (struct strs){0};
}

bool app_schedule_preview(struct app *app, const struct caller *c, const struct preview_request *r,
                          struct preview *ret, struct faults *faults, struct arena *a, struct err *err)
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
    struct preview p = {0};
    if (s) {
        p.n = preview_occurrences(s, after, (size_t)r->count, &p.v, a);
        p.warnings = preview_warnings(s, after, a);
    }
    schedule_memo_release(&memo);
    if (!s)
        return ERR(err, ERR_INVALID, "the schedule has faults");
    if (!p.v)
        return ERR(err, ERR_TOO_LARGE, "the request needs more memory than one request may have");
    *ret = p;
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
    struct occurrence *v = NULL;
    size_t n = s ? preview_occurrences(s, after, count, &v, a) : 0;
    schedule_memo_release(&memo);
    *ret = v;
    return n;
}
