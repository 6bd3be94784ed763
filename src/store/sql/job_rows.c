// SPDX-License-Identifier: Apache-2.0
// Many new jobs on a server: one statement a table, whatever their number.
#include "base/mem.h"
#include "store/sql/job.h"
#include "store/sql/sql.h"

enum { JOB_COLUMNS = 8, PLAN_COLUMNS = 5, SPEC_COLUMNS = 19, CELLS_BUDGET = 64 * 1024 * 1024 };

static struct db_cell id_cell(const struct ulid *id)
{
    return (struct db_cell){.kind = DB_CELL_BLOB, .bytes = {(const char *)id->b, sizeof id->b}};
}
static struct db_cell i64_cell(int64_t v) { return (struct db_cell){.kind = DB_CELL_I64, .i = v}; }
static struct db_cell text_cell(struct str v) { return (struct db_cell){.kind = DB_CELL_TEXT, .bytes = v}; }

static void job_cells(const struct job *j, struct str text, struct db_cell *c)
{
    c[0] = id_cell(&j->id);
    c[1] = id_cell(&j->owner_id);
    c[2] = text_cell(j->name);
    c[3] = text_cell(j->type);
    c[4] = i64_cell(j->version);
    c[5] = i64_cell(j->created_at.us);
    c[6] = i64_cell(j->updated_at.us);
    c[7] = text_cell(text);
}

static void plan_cells(const struct plan *p, struct db_cell *c)
{
    c[0] = id_cell(&p->job_id);
    c[1] = i64_cell(p->version);
    c[2] = i64_cell(p->next_fire.us);
    c[3] = (struct db_cell){.kind = DB_CELL_NULL}; // nothing has run yet
    c[4] = i64_cell(0);
}

static bool put(struct db *d, enum store_query q, const struct db_cell *cells, size_t n, size_t columns,
                struct err *err)
{
    struct db_stmt *s;
    if (!sql_query(d, q, &s, err))
        return false;
    db_put_rows(s, cells, n, columns);
    return db_later(s, err);
}

// Waits for the answer: an id that exists must show here.
static bool put_jobs(struct db *d, const struct db_cell *cells, size_t n, struct err *err)
{
    struct db_stmt *s;
    if (!sql_query(d, STORE_JOB_PUT_ROWS, &s, err))
        return false;
    db_put_rows(s, cells, n, JOB_COLUMNS);
    if (db_run(s, err))
        return true;
    return err->code == ERR_CONFLICT ? ERR(err, ERR_CONFLICT, "one of the jobs exists already") : false;
}

bool jobs_put_rows(struct db *d, const struct job *jobs, const struct plan *plans, const struct str *texts, size_t n,
                   struct err *err)
{
    struct arena a CLEANUP(arena_release);
    arena_init(&a, CELLS_BUDGET);
    struct db_cell *of_jobs = arena_new_array(&a, struct db_cell, n * JOB_COLUMNS);
    struct db_cell *of_plans = arena_new_array(&a, struct db_cell, n * PLAN_COLUMNS);
    struct db_cell *of_specs = arena_new_array(&a, struct db_cell, n * SPEC_COLUMNS);
    if (!of_jobs || !of_plans || !of_specs)
        return ERR(err, ERR_TOO_LARGE, "these are too many jobs at once: send fewer");
    for (size_t i = 0; i < n; i++) {
        job_cells(&jobs[i], texts[i], of_jobs + i * JOB_COLUMNS);
        plan_cells(&plans[i], of_plans + i * PLAN_COLUMNS);
        must(plan_spec_cells(&plans[i], of_specs + i * SPEC_COLUMNS) == SPEC_COLUMNS);
    }
    return put_jobs(d, of_jobs, n, err) && put(d, STORE_PLAN_PUT_ROWS, of_plans, n, PLAN_COLUMNS, err) &&
           put(d, STORE_SPEC_PUT_ROWS, of_specs, n, SPEC_COLUMNS, err);
}
