// SPDX-License-Identifier: Apache-2.0
// The built-in reports: what they ask, and the tables they make of it.
//
// A table whose rows are runs is written while they come; its figures follow behind it. Tables of figures need all
// runs first, of which only the figures are kept.
#include "jobs/report_job.h"
#include "jobs/report_stats.h"
#include "jobs/services.h"

enum { CELLS_MAX = 16, LABEL_MAX = 24, DETAIL_MAX = 1500 };

// A row being filled.
struct row {
    struct document_cell v[CELLS_MAX];
    size_t n;
    char ids[2][ULID_TEXT_MAX];
    size_t n_ids;
};

struct builder {
    struct report_run *r;
    struct stats stats;
    struct class_count {
        char name[64];
        int64_t n;
    } class_v[64];
    size_t n_classes;
};

static void put_text(struct row *row, struct str s)
{
    row->v[row->n++] = s.p ? (struct document_cell){.kind = DOCUMENT_TEXT, .text = s}
                           : (struct document_cell){.kind = DOCUMENT_NONE};
}
static void put_i64(struct row *row, int64_t v)
{
    row->v[row->n++] = v == FIELD_ABSENT ? (struct document_cell){.kind = DOCUMENT_NONE}
                                         : (struct document_cell){.kind = DOCUMENT_INTEGER, .i = v};
}
static void put_rate(struct row *row, double v)
{
    enum { HUNDREDTHS = 100 };
    row->v[row->n++] = v < 0 ? (struct document_cell){.kind = DOCUMENT_NONE}
                             : (struct document_cell){.kind = DOCUMENT_NUMBER,
                                                      .f = (double)(int64_t)(v * HUNDREDTHS + 0.5) / HUNDREDTHS};
}
static void put_instant(struct row *row, struct instant t)
{
    row->v[row->n++] = instant_is_never(t) ? (struct document_cell){.kind = DOCUMENT_NONE}
                                           : (struct document_cell){.kind = DOCUMENT_INSTANT, .i = t.us};
}
static void put_id(struct row *row, struct ulid id)
{
    put_text(row, str_of(ulid_format(id, row->ids[row->n_ids++])));
}

#define COLUMN(k, t, kind_) {STR_INIT(k), STR_INIT(t), DOCUMENT_##kind_, 0}
#define NARROW(k, t) {STR_INIT(k), STR_INIT(t), DOCUMENT_TEXT, 1} // words of our own
static const struct document_column run_columns[] = {
    COLUMN("job", "Job", TEXT),          COLUMN("scheduledTime", "Scheduled", INSTANT),
    COLUMN("startTime", "Started", INSTANT), COLUMN("endTime", "Ended", INSTANT),
    COLUMN("attempt", "Attempt", INTEGER), NARROW("trigger", "Trigger"),
    NARROW("status", "Status"),    COLUMN("durationMs", "Duration ms", INTEGER),
    COLUMN("startDelayMs", "Start delay ms", INTEGER), COLUMN("exitCode", "Exit code", INTEGER),
    NARROW("errorClass", "Error class"), COLUMN("errorMessage", "Error", TEXT),
    NARROW("worker", "Node"),      COLUMN("runId", "Run", TEXT),
};
static const struct document_column summary_columns[] = {
    COLUMN("job", "Job", TEXT),          NARROW("type", "Type"),
    NARROW("status", "Status"),    COLUMN("nextFireTime", "Next", INSTANT),
    COLUMN("lastStart", "Last start", INSTANT), COLUMN("runs", "Runs", INTEGER),
    COLUMN("succeeded", "Succeeded", INTEGER), COLUMN("failed", "Failed", INTEGER),
    COLUMN("timedOut", "Timed out", INTEGER), COLUMN("cancelled", "Cancelled", INTEGER),
    COLUMN("lost", "Lost", INTEGER),     COLUMN("skipped", "Skipped", INTEGER),
    COLUMN("missed", "Missed", INTEGER), COLUMN("successRate", "Success %", NUMBER),
    COLUMN("averageMs", "Average ms", INTEGER), COLUMN("jobId", "Job id", TEXT),
};
static const struct document_column sla_columns[] = {
    COLUMN("job", "Job", TEXT),          COLUMN("runs", "Runs", INTEGER),
    COLUMN("successRate", "Success %", NUMBER), COLUMN("delayP50Ms", "Delay p50 ms", INTEGER),
    COLUMN("delayP95Ms", "Delay p95 ms", INTEGER), COLUMN("delayP99Ms", "Delay p99 ms", INTEGER),
    COLUMN("delayMaxMs", "Delay max ms", INTEGER), COLUMN("durationP50Ms", "Duration p50 ms", INTEGER),
    COLUMN("durationP95Ms", "Duration p95 ms", INTEGER), COLUMN("durationP99Ms", "Duration p99 ms", INTEGER),
    COLUMN("durationMaxMs", "Duration max ms", INTEGER),
};
static const struct document_column class_columns[] = {
    COLUMN("errorClass", "Error class", TEXT), COLUMN("failures", "Failures", INTEGER)};
static const struct document_column audit_columns[] = {
    COLUMN("at", "At", INSTANT),         COLUMN("who", "Who", TEXT),
    COLUMN("action", "Action", TEXT),    COLUMN("job", "Job", TEXT),
    COLUMN("detail", "Detail", TEXT),    COLUMN("id", "Id", TEXT),
};
#define TABLE(r, name, columns) \
    document_table((r)->doc, (name), (columns), sizeof(columns) / sizeof((columns)[0]), &(r)->err)

// ---- asking ----

static bool stop_asked(void *ctx)
{
    const struct builder *b = ctx;
    return attempt_cancel_asked(b->r->a) >= 0;
}

static bool row_write(struct builder *b, const struct row *row, struct err *err)
{
    b->r->rows++;
    return document_row(b->r->doc, row->v, err);
}

static bool room(struct builder *b)
{
    b->r->cut = b->r->cut || b->r->rows >= b->r->s.rows_max;
    return !b->r->cut;
}

static bool ask(struct builder *b, int subject, struct report_sink sink)
{
    struct report_run *r = b->r;
    const struct job_services *s = r->a->env->services;
    if (!s || !s->report)
        return ERR(&r->err, ERR_UNAVAILABLE, "this server has no data for reports");
    struct report_query q = {.subject = subject, .from = r->s.from, .to = r->s.to, .job_id = r->s.job_id};
    struct job job = r->a->job;
    job.id = r->a->job_id;
    sink.ctx = b;
    sink.stop = stop_asked;
    return s->report(s->ctx, &job, &q, &sink, &r->err);
}

static bool on_run_count(void *ctx, const struct run *run, struct err *err)
{
    struct builder *b = ctx;
    (void)err;
    stats_add(&b->stats, run);
    return true;
}

// ---- figures ----

static bool paragraph(struct builder *b, struct str text)
{
    return document_paragraph(b->r->doc, text, &b->r->err);
}

static bool period_write(struct builder *b)
{
    char from[INSTANT_TEXT_MAX], to[INSTANT_TEXT_MAX];
    return paragraph(b, arena_fmt(&b->r->a->arena, "From %s to %s.", instant_format(b->r->s.from, from),
                                  instant_format(b->r->s.to, to)));
}

static bool totals_write(struct builder *b)
{
    const struct job_stats *s = &b->stats.all;
    char rate[32] = "none";
    if (stats_success_rate(s) >= 0)
        (void)snprintf(rate, sizeof rate, "%.2f %%", stats_success_rate(s));
    if (b->stats.left_out > 0 &&
        !paragraph(b, arena_fmt(&b->r->a->arena, "%lld runs belong to further jobs, which are not listed.",
                                (long long)b->stats.left_out)))
        return false;
    return paragraph(b, arena_fmt(&b->r->a->arena,
                                  "Runs ended: %lld. Succeeded: %lld. Failed: %lld. Cancelled: %lld. Skipped: %lld. "
                                  "Missed: %lld. Success: %s.",
                                  (long long)stats_runs(s), (long long)s->by_status[RUN_SUCCEEDED],
                                  (long long)stats_failed(s), (long long)s->by_status[RUN_CANCELLED],
                                  (long long)s->by_status[RUN_SKIPPED], (long long)s->by_status[RUN_MISSED], rate));
}

static bool chart_write(struct builder *b)
{
    struct stats *s = &b->stats;
    struct arena *a = &b->r->a->arena;
    struct str *labels = arena_new_array(a, struct str, s->slots);
    double *good = arena_new_array(a, double, s->slots), *bad = arena_new_array(a, double, s->slots);
    if (!labels || !good || !bad)
        return ERR(&b->r->err, ERR_TOO_LARGE, "no memory for a chart");
    for (size_t i = 0; i < s->slots; i++) {
        char label[LABEL_MAX];
        stats_slot_label(s, i, label, sizeof label);
        labels[i] = arena_str(a, str_of(label));
        good[i] = (double)s->good[i];
        bad[i] = (double)s->bad[i];
    }
    const struct document_series series[] = {{STR("Succeeded"), good}, {STR("Failed"), bad}};
    return document_chart(b->r->doc, &(struct document_chart){STR("Runs"), labels, s->slots, series, 2, false},
                          &b->r->err);
}

// ---- JOB_SUMMARY ----

static bool on_job_summary(void *ctx, const struct job *j, struct err *err)
{
    static const struct job_stats none = {.last = {INT64_MAX}};
    struct builder *b = ctx;
    struct row row = {.n = 0};
    const struct job_stats *s = map_get(&b->stats.by_job, j->id);
    s = s ? s : &none;
    if (!room(b) || (!ulid_is_zero(b->r->s.job_id) && !ulid_eq(j->id, b->r->s.job_id)))
        return true;
    put_text(&row, j->name);
    put_text(&row, j->type);
    put_text(&row, str_of(job_status_names[j->status]));
    put_instant(&row, j->next_fire_time);
    put_instant(&row, s->last);
    put_i64(&row, stats_runs(s));
    static const int statuses[] = {RUN_SUCCEEDED, RUN_FAILED, RUN_TIMED_OUT, RUN_CANCELLED, RUN_LOST, RUN_SKIPPED,
                                   RUN_MISSED};
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++)
        put_i64(&row, s->by_status[statuses[i]]);
    put_rate(&row, stats_success_rate(s));
    put_i64(&row, s->durations > 0 ? s->duration_ms / s->durations : FIELD_ABSENT);
    put_id(&row, j->id);
    return row_write(b, &row, err);
}

static bool job_summary(struct builder *b)
{
    struct report_run *r = b->r;
    return ask(b, REPORT_RUNS, (struct report_sink){.run = on_run_count}) && period_write(b) && totals_write(b) &&
           chart_write(b) && TABLE(r, STR("Jobs"), summary_columns) &&
           ask(b, REPORT_JOBS, (struct report_sink){.job = on_job_summary}) && document_table_end(r->doc, &r->err);
}

// ---- RUN_HISTORY and FAILURES ----

static bool run_write(struct builder *b, const struct run *run, struct err *err)
{
    struct row row = {.n = 0};
    bool ended = !instant_is_never(run->end);
    put_text(&row, run->job_name);
    put_instant(&row, run->scheduled);
    put_instant(&row, run->start);
    put_instant(&row, run->end);
    put_i64(&row, run->attempt);
    put_text(&row, str_of(run_trigger_names[run->trigger]));
    put_text(&row, str_of(run_status_names[run->status]));
    put_i64(&row, ended ? run->duration_ms : FIELD_ABSENT);
    put_i64(&row, instant_is_never(run->start) ? FIELD_ABSENT : run->start_delay_ms);
    put_i64(&row, run->exit_code);
    put_text(&row, run->error_class);
    put_text(&row, run->error_message);
    put_text(&row, run->worker);
    put_id(&row, run->id);
    return row_write(b, &row, err);
}

static bool on_run_history(void *ctx, const struct run *run, struct err *err)
{
    return on_run_count(ctx, run, err) && (!room(ctx) || run_write(ctx, run, err));
}

static void class_add(struct builder *b, struct str name)
{
    size_t most = sizeof b->class_v / sizeof b->class_v[0];
    name = name.n > 0 ? name : STR("UNKNOWN");
    for (size_t i = 0; i < b->n_classes; i++)
        if (str_is(name, b->class_v[i].name) || i == most - 1) {
            b->class_v[i].n++;
            return;
        }
    struct class_count *c = &b->class_v[b->n_classes++];
    (void)snprintf(c->name, sizeof c->name, "%.*s", STR_ARG(b->n_classes == most ? STR("(others)") : name));
    c->n = 1;
}

static bool on_run_failure(void *ctx, const struct run *run, struct err *err)
{
    if (!on_run_count(ctx, run, err))
        return false;
    if (!run_status_failed(run->status))
        return true;
    class_add(ctx, run->error_class);
    return !room(ctx) || run_write(ctx, run, err);
}

static bool history(struct builder *b, bool (*on_run)(void *, const struct run *, struct err *), struct str name)
{
    struct report_run *r = b->r;
    return period_write(b) && TABLE(r, name, run_columns) && ask(b, REPORT_RUNS, (struct report_sink){.run = on_run}) &&
           document_table_end(r->doc, &r->err) && totals_write(b) && chart_write(b);
}

static bool failures(struct builder *b)
{
    struct report_run *r = b->r;
    if (!history(b, on_run_failure, STR("Failures")) || !document_heading(r->doc, STR("By class"), &r->err) ||
        !TABLE(r, STR("By class"), class_columns))
        return false;
    for (size_t i = 0; i < b->n_classes; i++) {
        struct row row = {.n = 0};
        put_text(&row, str_of(b->class_v[i].name));
        put_i64(&row, b->class_v[i].n);
        if (!document_row(r->doc, row.v, &r->err))
            return false;
    }
    return document_table_end(r->doc, &r->err);
}

// ---- SLA ----

static bool sla_row(struct builder *b, struct str name, const struct job_stats *s)
{
    static const double shares[] = {0.5, 0.95, 0.99};
    const struct histogram *both[] = {&s->delay, &s->duration};
    struct row row = {.n = 0};
    put_text(&row, name);
    put_i64(&row, stats_runs(s));
    put_rate(&row, stats_success_rate(s));
    for (size_t k = 0; k < 2; k++) {
        for (size_t i = 0; i < sizeof shares / sizeof shares[0]; i++)
            put_i64(&row, both[k]->n > 0 ? histogram_at(both[k], shares[i]) : FIELD_ABSENT);
        put_i64(&row, both[k]->n > 0 ? both[k]->most : FIELD_ABSENT);
    }
    return row_write(b, &row, &b->r->err);
}

static bool sla(struct builder *b)
{
    struct report_run *r = b->r;
    if (!ask(b, REPORT_RUNS, (struct report_sink){.run = on_run_count}) || !period_write(b) || !totals_write(b) ||
        !chart_write(b) ||
        !paragraph(b, STR("Percentiles are rounded up by at most a sixteenth. Delay: from the scheduled instant to the "
                          "start.")) ||
        !TABLE(r, STR("Service levels"), sla_columns) || !sla_row(b, STR("All jobs"), &b->stats.all))
        return false;
    for (size_t i = 0; i < b->stats.n && room(b); i++)
        if (!sla_row(b, str_of(b->stats.v[i]->name), b->stats.v[i]))
            return false;
    return document_table_end(r->doc, &r->err);
}

// ---- AUDIT ----

static bool audit_row(struct builder *b, struct instant at, struct str who, const char *action, struct str job,
                      struct str detail, struct ulid id, struct err *err)
{
    struct row row = {.n = 0};
    detail.n = str_utf8_cut(detail, DETAIL_MAX);
    put_instant(&row, at);
    put_text(&row, who);
    put_text(&row, str_of(action));
    put_text(&row, job);
    put_text(&row, detail);
    put_id(&row, id);
    return !room(b) || row_write(b, &row, err);
}

static bool on_dead_audit(void *ctx, const struct dead_letter *d, struct err *err)
{
    return !d->resolved || audit_row(ctx, d->resolved_at, d->resolved_by, "dead letter resolved", d->job_name,
                                     d->resolution, d->id, err);
}

static bool on_run_audit(void *ctx, const struct run *run, struct err *err)
{
    if (run->trigger == TRIGGER_MANUAL || run->trigger == TRIGGER_API)
        return audit_row(ctx, run->scheduled, STR_NONE, "run started by hand", run->job_name, STR_NONE, run->id, err);
    if (run->trigger == TRIGGER_REPLAY)
        return audit_row(ctx, run->scheduled, STR_NONE, "run repeated", run->job_name, STR_NONE, run->id, err);
    return true;
}

static bool on_job_audit(void *ctx, const struct job *j, struct err *err)
{
    struct builder *b = ctx;
    bool changed = j->version > 1 && j->updated_at.us >= b->r->s.from.us && j->updated_at.us < b->r->s.to.us;
    bool made = j->created_at.us >= b->r->s.from.us && j->created_at.us < b->r->s.to.us;
    if (!ulid_is_zero(b->r->s.job_id) && !ulid_eq(j->id, b->r->s.job_id))
        return true;
    if (changed && !audit_row(ctx, j->updated_at, STR_NONE, "job changed", j->name,
                              arena_fmt(&b->r->a->arena, "now version %lld", (long long)j->version), j->id, err))
        return false;
    return !made || audit_row(ctx, j->created_at, STR_NONE, "job created", j->name, STR_NONE, j->id, err);
}

static bool audit(struct builder *b)
{
    struct report_run *r = b->r;
    return period_write(b) &&
           paragraph(b, STR("This is what jobs, runs and dead letters tell of what people did. It is no audit trail: "
                            "who started a run or changed a job, and what was changed, is not kept there.")) &&
           TABLE(r, STR("Actions"), audit_columns) &&
           ask(b, REPORT_DEAD_LETTERS, (struct report_sink){.dead = on_dead_audit}) &&
           ask(b, REPORT_RUNS, (struct report_sink){.run = on_run_audit}) &&
           ask(b, REPORT_JOBS, (struct report_sink){.job = on_job_audit}) && document_table_end(r->doc, &r->err);
}

bool report_tables(struct report_run *r)
{
    struct builder *b = mem_new(struct builder);
    bool ok = false;
    b->r = r;
    stats_init(&b->stats, r->s.from, r->s.to);
    switch (r->p->type) {
    case REPORT_JOB_SUMMARY:
        ok = job_summary(b);
        break;
    case REPORT_RUN_HISTORY:
        ok = history(b, on_run_history, STR("Runs"));
        break;
    case REPORT_FAILURES:
        ok = failures(b);
        break;
    case REPORT_SLA:
        ok = sla(b);
        break;
    default:
        ok = audit(b);
        break;
    }
    stats_release(&b->stats);
    mem_free(b);
    return ok;
}
