// SPDX-License-Identifier: Apache-2.0
// Column tables of runs, plans and dead letters, and the checks on rows read back: a row that breaks the
// rules of the model is reported as damaged instead of spreading.
#include "store/sql/columns.h"

#define COLUMN(T, k, m)                                                                                      \
    {                                                                                                        \
        .kind = (k), .offset = offsetof(T, m)                                                                \
    }
#define COLUMN_LIKE(T, m, other)                                                                             \
    {                                                                                                        \
        .kind = COLUMN_INSTANT_LIKE, .offset = offsetof(T, m), .like = offsetof(T, other)                    \
    }
#define COLUMNS(rows)                                                                                        \
    {                                                                                                        \
        (rows), sizeof(rows) / sizeof((rows)[0])                                                             \
    }

#define T struct run
static const struct column run_rows[] = {
    COLUMN(T, COLUMN_ID, id),
    COLUMN(T, COLUMN_ID, job_id),
    COLUMN(T, COLUMN_I64, job_version),
    COLUMN(T, COLUMN_INT, status),
    COLUMN(T, COLUMN_MOMENT, scheduled),
    COLUMN_LIKE(T, first_scheduled, scheduled),
    COLUMN_LIKE(T, due, scheduled),
    COLUMN(T, COLUMN_INSTANT, start),
    COLUMN(T, COLUMN_INSTANT, end),
    COLUMN(T, COLUMN_I64, token),
    COLUMN(T, COLUMN_I64, attempt),
    COLUMN(T, COLUMN_I64, occurrences),
    COLUMN(T, COLUMN_I64, lost_count),
    COLUMN(T, COLUMN_INT, trigger),
    COLUMN(T, COLUMN_INT, priority),
    COLUMN(T, COLUMN_BOOL, cancel_requested),
    COLUMN(T, COLUMN_I64_OPTIONAL, exit_code),
    COLUMN(T, COLUMN_TEXT, worker),
    COLUMN(T, COLUMN_TEXT, error_class),
    COLUMN(T, COLUMN_TEXT, error_message),
    COLUMN(T, COLUMN_TEXT, inputs),
    COLUMN(T, COLUMN_ID, run_key),
    COLUMN(T, COLUMN_ID, prev_run),
    COLUMN(T, COLUMN_ID, blocked_by),
};
#undef T
const struct columns run_columns = COLUMNS(run_rows);

// The first ones are table plans, the others plan_specs. The packed options stand between state and
// anchor_at; plan_read and plan_spec_bind handle them.
#define T struct plan
enum { PLAN_SPEC_COLUMN = 5, PLAN_OPTIONS_COLUMN = 7 };
static const struct column plan_rows[] = {
    COLUMN(T, COLUMN_ID, job_id),
    COLUMN(T, COLUMN_I64, version),
    COLUMN(T, COLUMN_MOMENT, next_fire),
    COLUMN(T, COLUMN_ID, last_run),
    COLUMN(T, COLUMN_I64, run_count),
    COLUMN(T, COLUMN_BOOL, enabled),
    COLUMN(T, COLUMN_INT, state),
    COLUMN(T, COLUMN_INT, state), // the place of options
    COLUMN(T, COLUMN_INSTANT, anchor_at),
    COLUMN(T, COLUMN_DURATION, timeout),
    COLUMN(T, COLUMN_TEXT, type),
    COLUMN(T, COLUMN_I64_OPTIONAL, schedule.interval_seconds),
    COLUMN(T, COLUMN_I64_OPTIONAL, schedule.interval_ms),
    COLUMN(T, COLUMN_TEXT, schedule.cron_expression),
    COLUMN(T, COLUMN_TEXT, schedule.timezone),
    COLUMN(T, COLUMN_I64_OPTIONAL, schedule.jitter_seconds),
    COLUMN(T, COLUMN_I64_OPTIONAL, schedule.misfire_threshold_seconds),
    COLUMN(T, COLUMN_I64_OPTIONAL, schedule.max_catch_up),
    COLUMN(T, COLUMN_INSTANT, schedule.run_at),
    COLUMN(T, COLUMN_INSTANT, schedule.start_at),
    COLUMN(T, COLUMN_INSTANT, schedule.end_at),
    COLUMN(T, COLUMN_TEXT, schedule.rrule),
    COLUMN(T, COLUMN_INSTANT, schedule.dtstart),
};
#undef T
const struct columns plan_columns = COLUMNS(plan_rows);

#define T struct dead_letter
static const struct column dead_letter_rows[] = {
    COLUMN(T, COLUMN_ID, id),
    COLUMN(T, COLUMN_ID, job_id),
    COLUMN(T, COLUMN_TEXT, job_name),
    COLUMN(T, COLUMN_ID, last_run_id),
    COLUMN(T, COLUMN_ID, run_key),
    COLUMN(T, COLUMN_INSTANT, scheduled),
    COLUMN(T, COLUMN_TEXT, reason),
    COLUMN(T, COLUMN_TEXT, error_class),
    COLUMN(T, COLUMN_I64, attempts),
    COLUMN(T, COLUMN_I64, job_version),
    COLUMN(T, COLUMN_TEXT, inputs),
    COLUMN(T, COLUMN_INSTANT, created_at),
    COLUMN(T, COLUMN_BOOL, resolved),
    COLUMN(T, COLUMN_INSTANT, resolved_at),
    COLUMN(T, COLUMN_TEXT, resolved_by),
    COLUMN(T, COLUMN_TEXT, resolution),
    COLUMN(T, COLUMN_ID, replay_run_id),
    COLUMN(T, COLUMN_TEXT, definition),
    COLUMN(T, COLUMN_TEXT, replay_definition),
};
#undef T
const struct columns dead_letter_columns = COLUMNS(dead_letter_rows);

void bind_instant(struct db_stmt *s, int at, struct instant t)
{
    if (instant_is_never(t))
        db_null(s, at);
    else
        db_put_i64(s, at, t.us);
}

void bind_optional_id(struct db_stmt *s, int at, const struct ulid *id)
{
    if (ulid_is_zero(*id))
        db_null(s, at);
    else
        db_put_id(s, at, id);
}

void bind_teams(struct db_stmt *s, int first, const struct ulid *owner, const struct ulid *teams, size_t n)
{
    must(n <= USER_TEAMS_MAX);
    for (size_t i = 0; i < USER_TEAMS_MAX; i++)
        bind_optional_id(s, first + (int)i, i < n ? &teams[i] : owner);
}

struct instant read_instant(struct db_stmt *s, int col)
{
    return db_is_null(s, col) ? INSTANT_NEVER : (struct instant){db_i64(s, col)};
}

static struct db_cell cell_id(const struct ulid *v)
{
    if (ulid_is_zero(*v))
        return (struct db_cell){.kind = DB_CELL_NULL};
    return (struct db_cell){.kind = DB_CELL_BLOB, .bytes = {(const char *)v->b, sizeof v->b}};
}

static struct db_cell cell_i64(int64_t v, bool absent)
{
    return (struct db_cell){.kind = absent ? DB_CELL_NULL : DB_CELL_I64, .i = v};
}

static struct db_cell cell_text(struct str v)
{
    return (struct db_cell){.kind = v.p ? DB_CELL_TEXT : DB_CELL_NULL, .bytes = v};
}

static struct db_cell cell_of(const struct column *c, const void *row)
{
    const void *v = (const char *)row + c->offset;
    const int64_t *i = v, *like = (const void *)((const char *)row + c->like);
    switch (c->kind) {
    case COLUMN_ID:
        return cell_id(v);
    case COLUMN_INSTANT:
        return cell_i64(*i, instant_is_never(*(const struct instant *)v));
    case COLUMN_INSTANT_LIKE:
        return cell_i64(*i, *i == *like);
    case COLUMN_I64_OPTIONAL:
        return cell_i64(*i, *i == FIELD_ABSENT);
    case COLUMN_INT:
        return cell_i64(*(const int *)v, false);
    case COLUMN_BOOL:
        return cell_i64(*(const bool *)v, false);
    case COLUMN_TEXT:
        return cell_text(*(const struct str *)v);
    case COLUMN_MOMENT:
    case COLUMN_DURATION:
    case COLUMN_I64:
        break;
    }
    return cell_i64(*i, false);
}

void columns_cells(const struct columns *t, const void *row, struct db_cell *ret)
{
    for (int k = 0; k < t->n; k++)
        ret[k] = cell_of(&t->v[k], row);
}

static void bind_cell(struct db_stmt *s, int at, struct db_cell c)
{
    if (c.kind == DB_CELL_NULL)
        db_null(s, at);
    else if (c.kind == DB_CELL_I64)
        db_put_i64(s, at, c.i);
    else if (c.kind == DB_CELL_TEXT)
        db_put_text(s, at, c.bytes);
    else
        db_put_blob(s, at, c.bytes.p, c.bytes.n);
}

// Binds columns from … to − 1 to the parameters from at on.
static void bind_range(const struct columns *t, int from, int to, struct db_stmt *s, int at, const void *row)
{
    for (int k = from; k < to; k++)
        bind_cell(s, at + k - from, cell_of(&t->v[k], row));
}

void columns_bind(const struct columns *t, struct db_stmt *s, const void *row)
{
    bind_range(t, 0, t->n, s, 1, row);
}

static bool read_text(struct db_stmt *s, int col, struct str *ret, struct arena *a)
{
    struct str v = db_bytes(s, col);
    *ret = v.p ? arena_str(a, v) : STR_NONE;
    return !v.p || ret->p;
}

bool columns_read(const struct columns *t, struct db_stmt *s, void *row, struct arena *a)
{
    for (int i = 0; i < t->n; i++) {
        const struct column *c = &t->v[i];
        void *v = (char *)row + c->offset;
        const struct instant *like = (const void *)((const char *)row + c->like);
        switch (c->kind) {
        case COLUMN_ID:
            *(struct ulid *)v = db_id(s, i);
            break;
        case COLUMN_INSTANT:
            *(struct instant *)v = read_instant(s, i);
            break;
        case COLUMN_INSTANT_LIKE:
            *(struct instant *)v = db_is_null(s, i) ? *like : (struct instant){db_i64(s, i)};
            break;
        case COLUMN_MOMENT:
        case COLUMN_DURATION:
        case COLUMN_I64:
            *(int64_t *)v = db_i64(s, i);
            break;
        case COLUMN_I64_OPTIONAL:
            *(int64_t *)v = db_is_null(s, i) ? FIELD_ABSENT : db_i64(s, i);
            break;
        case COLUMN_INT:
            *(int *)v = (int)db_i64(s, i);
            break;
        case COLUMN_BOOL:
            *(bool *)v = db_i64(s, i) != 0;
            break;
        case COLUMN_TEXT:
            if (!read_text(s, i, v, a))
                return false;
            break;
        }
    }
    return true;
}

static bool no_room(struct err *err)
{
    return ERR(err, ERR_UNAVAILABLE, "the answer is too large for its memory: ask for fewer rows");
}

bool run_read(struct db_stmt *s, struct run *ret, struct arena *a, struct err *err)
{
    struct run r = {.id = ULID_ZERO};
    if (!columns_read(&run_columns, s, &r, a))
        return no_room(err);
    bool sound = !ulid_is_zero(r.id) && !ulid_is_zero(r.job_id) && r.status >= RUN_QUEUED &&
                 r.status <= RUN_MISSED && r.trigger >= TRIGGER_SCHEDULE && r.trigger <= TRIGGER_CHAIN &&
                 r.priority >= PRIORITY_LOW && r.priority <= PRIORITY_CRITICAL && r.attempt >= 0;
    if (!sound)
        return ERR(err, ERR_CORRUPT, "a stored run cannot be read: restore a backup or delete its row");
    run_derive(&r);
    *ret = r;
    return true;
}

static bool plan_is_sound(const struct plan *p)
{
    return !ulid_is_zero(p->job_id) && p->version >= 1 && p->state >= JOB_STATE_ACTIVE &&
           p->state <= JOB_STATE_CANCELLED && p->schedule.kind <= SCHEDULE_MANUAL &&
           p->schedule.misfire_policy <= MISFIRE_IGNORE && p->schedule.dst_gap <= DST_GAP_SHIFT &&
           p->schedule.dst_overlap <= DST_OVERLAP_BOTH && p->schedule.day_match <= DAY_MATCH_AND;
}

bool plan_read(struct db_stmt *s, struct plan *ret, struct arena *a, struct err *err)
{
    struct plan p = {.version = 0};
    if (!columns_read(&plan_columns, s, &p, a))
        return no_room(err);
    p.state = (int)db_i64(s, PLAN_OPTIONS_COLUMN - 1);
    plan_options_unpack(db_i64(s, PLAN_OPTIONS_COLUMN), &p);
    if (!plan_is_sound(&p))
        return ERR(err, ERR_CORRUPT, "a stored plan cannot be read: edit its job or restore a backup");
    *ret = p;
    return true;
}

void plan_bind(struct db_stmt *s, const struct plan *p)
{
    bind_range(&plan_columns, 0, PLAN_SPEC_COLUMN, s, 1, p);
}

int plan_spec_cells(const struct plan *p, struct db_cell *ret)
{
    ret[0] = cell_of(&plan_columns.v[0], p);
    for (int k = PLAN_SPEC_COLUMN; k < plan_columns.n; k++)
        ret[1 + k - PLAN_SPEC_COLUMN] = cell_of(&plan_columns.v[k], p);
    ret[1 + PLAN_OPTIONS_COLUMN - PLAN_SPEC_COLUMN] =
        (struct db_cell){.kind = DB_CELL_I64, .i = plan_options_pack(p)};
    return 1 + plan_columns.n - PLAN_SPEC_COLUMN;
}

void plan_spec_bind(struct db_stmt *s, const struct plan *p)
{
    db_put_id(s, 1, &p->job_id);
    bind_range(&plan_columns, PLAN_SPEC_COLUMN, plan_columns.n, s, 2, p);
    db_put_i64(s, 2 + PLAN_OPTIONS_COLUMN - PLAN_SPEC_COLUMN, plan_options_pack(p));
}
