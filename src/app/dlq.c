// SPDX-License-Identifier: Apache-2.0
// Dead letters: looking, replaying, resolving. Rules: app/dlq.h.
#include "app/dlq.h"

#include "app/feature.h"
#include "app/audit.h"
#include "app/job.h"
#include "app/payload.h"
#include "app/run.h"
#include "base/json.h"
#include "model/trace.h"

const char *const replay_version_names[] = {"recorded", "current", NULL};

#define T struct replay_all
static const struct field replay_all_rows[] = {
    FIELD_I64(T, matched, "matched", .flags = FIELD_READ_ONLY, .max = INT64_MAX,
              .doc = "Unresolved dead letters that matched, before the first was replayed."),
    FIELD_I64(T, replayed, "replayed", .flags = FIELD_READ_ONLY, .max = INT64_MAX, .doc = "Runs started."),
    FIELD_I64(T, failed, "failed", .flags = FIELD_READ_ONLY, .max = INT64_MAX,
              .doc = "Dead letters that could not be replayed: resolved meanwhile, or their job is gone."),
    FIELD_BOOL(T, more, "more", .flags = FIELD_READ_ONLY, .doc = "Whether others are left; ask again."),
};
#undef T
const struct fields replay_all_fields =
    FIELDS("ReplayAll", struct replay_all, replay_all_rows, .doc = "What a replay of all dead letters did.");

static bool no_such_letter(struct ulid id, struct err *err)
{
    char text[ULID_TEXT_MAX];
    return ERR(err, ERR_NOT_FOUND, "dead letter \"%s\" does not exist", ulid_format(id, text));
}

static bool dlq_read(struct app *app, const struct caller *c, enum action action, struct ulid id,
                     struct dead_letter *ret, struct arena *a, struct err *err)
{
    enum reach reach;
    if (!app_authorize(c, action, &reach, err))
        return false;
    struct dead_letter d;
    struct err why = {0};
    if (!app->store->ops->dlq_get(app->store, id, &d, a, &why) ||
        !app_job_reachable(app, c, action, d.job_id, a, &why)) {
        if (why.code == ERR_NOT_FOUND)
            return no_such_letter(id, err);
        *err = why;
        return false;
    }
    *ret = d;
    return true;
}

bool app_dlq_get(struct app *app, const struct caller *c, struct ulid id, struct dead_letter *ret, struct arena *a,
                 struct err *err)
{
    return dlq_read(app, c, ACTION_DLQ_READ, id, ret, a, err);
}

bool app_dlq_list(struct app *app, const struct caller *c, struct dlq_filter *f, const struct page *p,
                  struct dead_letter **ret, size_t *ret_n, struct page_result *ret_page, struct arena *a,
                  struct err *err)
{
    enum reach reach;
    if (!app_authorize(c, ACTION_DLQ_READ, &reach, err))
        return false;
    f->owner_id = app_owner_filter(c, reach);
    f->teams = c->teams;
    f->n_teams = c->n_teams;
    return app->store->ops->dlq_list(app->store, f, p, ret, ret_n, ret_page, a, err);
}

// ---- replay ----

static bool recorded_job(const struct dead_letter *d, const struct job *now, struct job *ret, struct arena *a,
                         struct err *err)
{
    CLEANUP_JSON json_t *v = NULL;
    struct faults *faults = arena_new(a, struct faults);
    if (!faults)
        return ERR(err, ERR_TOO_LARGE, "the request needs more memory than one request may have");
    faults_init(faults, a);
    if (d->definition.n == 0 || !json_parse(d->definition, &v, err) ||
        !field_decode(&job_fields, v, FIELD_DECODE_STORED, STR(""), ret, a, faults))
        return ERR(err, ERR_CONFLICT, "what ran was not recorded; replay it with version \"current\"");
    ret->id = now->id;
    ret->owner_id = now->owner_id;
    ret->team_id = now->team_id;
    return true;
}

static bool payload_edit(struct app *app, struct job *j, const struct dlq_replay *how, struct arena *a, struct err *err)
{
    CLEANUP_JSON json_t *payload = NULL;
    CLEANUP_JSON json_t *patch = NULL;
    struct job before = *j;
    struct sbuf text;
    struct err why;
    if (!json_parse(how->payload, &patch, &why) || !json_is_object(patch)) {
        faults_add(how->faults, STR("/payload"), "must be an object with the members to change");
        return true;
    }
    if (j->payload.n == 0 || !json_parse(j->payload, &payload, &why))
        payload = json_object();
    json_merge_patch(&payload, patch);
    sbuf_init(&text, a, JOB_PAYLOAD_MAX);
    json_write(payload, &text);
    if (!sbuf_ok(&text)) {
        faults_add(how->faults, STR("/payload"), "must have at most %d bytes afterwards", JOB_PAYLOAD_MAX);
        return true;
    }
    j->payload = sbuf_str(&text);
    payload_keep_secrets(&before, j, a);
    return app_job_check(app, j, how->faults, a, err);
}

static bool same_definition(struct app *app, const struct dead_letter *d, bool *ret, struct arena *a, struct err *err)
{
    struct str text;
    int64_t version;
    if (!app->store->ops->job_definition(app->store, d->job_id, &text, &version, a, err))
        return false;
    *ret = str_eq(text, d->definition);
    return true;
}

// What the replay runs: *ret_text absent when that is the job as it is.
static bool definition_choose(struct app *app, const struct dead_letter *d, const struct dlq_replay *how,
                              const struct job *now, struct job *ret, struct str *ret_text, struct arena *a,
                              struct err *err)
{
    bool edited = how->payload.p != NULL, same = true;
    struct sbuf text;
    *ret = *now;
    *ret_text = STR_NONE;
    if (how->version == REPLAY_RECORDED &&
        (!recorded_job(d, now, ret, a, err) || !same_definition(app, d, &same, a, err)))
        return false;
    if (!edited) {
        *ret_text = same ? STR_NONE : d->definition;
        return true;
    }
    if (!payload_edit(app, ret, how, a, err))
        return false;
    if (faults_any(how->faults))
        return ERR(err, ERR_INVALID, "the replay has %zu fault%s", how->faults->n, how->faults->n == 1 ? "" : "s");
    sbuf_init(&text, a, 2 * JOB_PAYLOAD_MAX);
    field_encode(&job_fields, ret, FIELD_ENCODE_STORED, &text);
    *ret_text = sbuf_str(&text);
    return sbuf_ok(&text) || ERR(err, ERR_TOO_LARGE, "the edited job is too large");
}

static bool inputs_choose(const struct dead_letter *d, const struct dlq_replay *how, const struct job *j,
                          bool override, struct str *ret, struct arena *a, struct err *err)
{
    struct run_start s = {.inputs = how->parameters, .faults = how->faults};
    struct replay_mark mark = {.letter = d->id, .job_version = d->job_version, .edited = how->payload.p != NULL};
    struct str inputs = d->inputs;
    if (how->parameters.n > RUN_INPUTS_MAX || (how->parameters.p && how->parameters.p[0] != '{')) {
        faults_add(how->faults, STR("/parameters"), "must be an object of at most %d bytes", RUN_INPUTS_MAX);
        return ERR(err, ERR_INVALID, "the replay has 1 fault");
    }
    if (how->parameters.p && !run_inputs_take(j, &s, &inputs, a, err))
        return false;
    *ret = replay_inputs(inputs, override ? &mark : NULL, a);
    return !a->exhausted || ERR(err, ERR_TOO_LARGE, "the request needs more memory than one request may have");
}

static bool replay_job(struct app *app, const struct caller *c, const struct dead_letter *d,
                       const struct dlq_replay *how, struct job *ret, struct arena *a, struct err *err)
{
    struct err why = {0};
    bool edits = how->payload.p != NULL;
    if (app_job_get(app, c, ACTION_DLQ_WRITE, d->job_id, ret, a, &why))
        return !edits || app_job_get(app, c, ACTION_JOB_WRITE, d->job_id, ret, a, err);
    if (why.code == ERR_NOT_FOUND)
        return ERR(err, ERR_CONFLICT, "the job of this dead letter was deleted; resolve it instead");
    *err = why;
    return false;
}

static void letter_noted(struct app *app, const struct caller *c, const char *action, const struct dead_letter *d,
                         struct str detail, struct arena *a)
{
    struct audit_note note = {.action = action,
                              .entity_type = "dead_letter",
                              .entity_id = d->id,
                              .entity_name = d->job_name,
                              .detail = detail};
    audit_with(app, c, &note, a);
}

static bool replay(struct app *app, const struct caller *c, const struct dead_letter *d, const struct dlq_replay *how,
                   struct run *ret, struct arena *a, struct err *err)
{
    struct job now, j;
    struct str text, inputs;
    if (d->resolved)
        return ERR(err, ERR_CONFLICT, "the dead letter is resolved already");
    if (!replay_job(app, c, d, how, &now, a, err) || !definition_choose(app, d, how, &now, &j, &text, a, err) ||
        !inputs_choose(d, how, &j, text.p != NULL, &inputs, a, err) ||
        !app_feature_want(app, FEATURE_RUN_NOW, err))
        return false;
    struct run r;
    struct instant at = clock_now(app->clock);
    run_make(app, &now, TRIGGER_REPLAY, at, trace_inputs(inputs, c->trace_parent, c->trace_state, a), &r);
    if (text.p && how->version == REPLAY_RECORDED)
        r.job_version = d->job_version;
    struct str done = text.p && how->payload.p ? STR("replayed with edits") : STR("replayed");
    letter_noted(app, c, "dlq.replay", d, done, a);
    if (!app->store->ops->dlq_resolve(app->store, d->id, c->email, done, &r, text, at, err))
        return false;
    app_poke_run(app, r.id);
    topic_run_changed(app->topic, r.id, r.job_id, RUN_QUEUED);
    *ret = r;
    return true;
}

bool app_dlq_replay(struct app *app, const struct caller *c, struct ulid id, const struct dlq_replay *how,
                    struct run *ret, struct arena *a, struct err *err)
{
    struct dead_letter d;
    return dlq_read(app, c, ACTION_DLQ_WRITE, id, &d, a, err) && replay(app, c, &d, how, ret, a, err);
}

bool app_dlq_resolve(struct app *app, const struct caller *c, struct ulid id, struct str reason,
                     struct dead_letter *ret, struct arena *a, struct err *err)
{
    struct dead_letter d;
    if (!dlq_read(app, c, ACTION_DLQ_WRITE, id, &d, a, err))
        return false;
    if (str_trim(reason).n == 0 || reason.n > DLQ_RESOLUTION_MAX) {
        (void)ERR(err, ERR_INVALID, "\"reason\" must say in 1 to %d characters why nothing is left to do",
                  DLQ_RESOLUTION_MAX);
        return err_at(err, "/reason");
    }
    letter_noted(app, c, "dlq.resolve", &d, reason, a);
    if (!app->store->ops->dlq_resolve(app->store, id, c->email, reason, NULL, STR_NONE, clock_now(app->clock), err))
        return false;
    return dlq_read(app, c, ACTION_DLQ_READ, id, ret, a, err);
}

static bool count_matches(struct app *app, const struct dlq_filter *f, int64_t *ret, struct arena *a, struct err *err)
{
    struct page one = {.size = 1, .ascending = true};
    struct page_result page = {0};
    struct dead_letter *v;
    size_t n;
    if (!app->store->ops->dlq_list(app->store, f, &one, &v, &n, &page, a, err))
        return false;
    *ret = page.total;
    return true;
}

// One page of them; *page goes on to the next.
static bool replay_page(struct app *app, const struct caller *c, const struct dlq_filter *f, struct page *p,
                        const struct replay_filter *want, struct replay_all *done, struct arena *a, struct err *err)
{
    struct dead_letter *v;
    size_t n = 0;
    struct page_result page = {0};
    if (!app->store->ops->dlq_list(app->store, f, p, &v, &n, &page, a, err))
        return false;
    for (size_t i = 0; i < n; i++) {
        struct run r;
        struct err why = {0};
        struct dlq_replay how = {.version = want->version};
        if (replay(app, c, &v[i], &how, &r, a, &why)) {
            done->replayed++;
        } else if (why.code == ERR_CONFLICT || why.code == ERR_NOT_FOUND) {
            done->failed++;
        } else {
            *err = why;
            return err_wrap(err, "after %lld replays", (long long)done->replayed);
        }
    }
    p->cursor = page.next_cursor;
    return true;
}

bool app_dlq_replay_all(struct app *app, const struct caller *c, const struct replay_filter *want,
                        struct replay_all *ret, struct arena *a, struct err *err)
{
    enum reach reach;
    if (!app_authorize(c, ACTION_DLQ_WRITE, &reach, err))
        return false;
    struct dlq_filter f = {.owner_id = app_owner_filter(c, reach), .teams = c->teams, .n_teams = c->n_teams,
                           .job_id = want->job_id,
                           .error_class = want->error_class,
                           .before = instant_is_never(want->before) ? (struct instant){0} : want->before,
                           .resolved = 0};
    struct page p = {.ascending = true};
    struct replay_all done = {0};
    if (!count_matches(app, &f, &done.matched, a, err))
        return false;
    if (want->expect != FIELD_ABSENT && want->expect != done.matched)
        return ERR(err, ERR_CONFLICT, "%lld dead letters match, not %lld; nothing was replayed",
                   (long long)done.matched, (long long)want->expect);
    for (;;) {
        int64_t left = want->limit - done.replayed - done.failed;
        p.size = left < PAGE_SIZE_MAX ? left : PAGE_SIZE_MAX;
        if (left == 0)
            break;
        if (!replay_page(app, c, &f, &p, want, &done, a, err))
            return false;
        if (!p.cursor.p)
            break;
    }
    done.more = p.cursor.p != NULL;
    *ret = done;
    return true;
}
