// SPDX-License-Identifier: Apache-2.0
// PROCESS with CSV_TRANSFORM: picks and renames columns, keeps the records that a filter lets through.
//
//     filter = condition { " and " condition }      condition = column op value      op = = != < <= > >=
//     contains
//
// Where both sides are numbers they are compared as numbers. Columns of a file without header are called 1,
// 2, 3, …
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/sync.h"
#include "fs/csv.h"
#include "jobs/file_system.h"

enum { CONDITIONS_MAX = 16, NUMBER_TEXT_MAX = 64, ASK_EVERY = 1024 };

enum op { OP_NE, OP_LE, OP_GE, OP_EQ2, OP_EQ, OP_LT, OP_GT, OP_CONTAINS };
static const char *const op_words[] = {"!=", "<=", ">=", "==", "=", "<", ">", " contains "};

struct condition {
    struct str column, value;
    enum op op;
    size_t at; // of the column
};

struct transform {
    struct file_job *job;
    struct condition conditions[CONDITIONS_MAX];
    size_t n_conditions;
    size_t picks[CSV_FIELDS_MAX];
    size_t n_picks;
    struct str out[CSV_FIELDS_MAX];
    int64_t records, kept;
};

// ---- the filter ----

static struct str unquote(struct str s)
{
    s = str_trim(s);
    bool quoted = s.n >= 2 && (s.p[0] == '\'' || s.p[0] == '"') && s.p[s.n - 1] == s.p[0];
    return quoted ? (struct str){s.p + 1, s.n - 2} : s;
}

// The operator that stands first; of two at one place the longer, which the table has first.
static bool condition_parse(struct str text, struct condition *ret, struct err *err)
{
    const char *first = NULL;
    for (size_t i = 0; i < sizeof op_words / sizeof op_words[0]; i++) {
        size_t n = strlen(op_words[i]);
        const char *at = text.n > 0 ? memmem(text.p, text.n, op_words[i], n) : NULL;
        if (!at || (first && at >= first))
            continue;
        first = at;
        ret->op = (enum op)i;
        ret->column = unquote((struct str){text.p, (size_t)(at - text.p)});
        ret->value = unquote((struct str){at + n, text.n - (size_t)(at - text.p) - n});
    }
    if (first && ret->column.n > 0)
        return true;
    return ERR(err, ERR_INVALID,
               "filter has no condition in \"%.*s\"; write column = value, with = != < <= > >= or "
               "contains",
               STR_ARG(text));
}

static bool filter_parse(struct transform *t, struct str text, struct err *err)
{
    static const char between[] = " and ";
    while (text.n > 0) {
        const char *at = memmem(text.p, text.n, between, sizeof between - 1);
        struct str one = {text.p, at ? (size_t)(at - text.p) : text.n};
        if (t->n_conditions == CONDITIONS_MAX)
            return ERR(err, ERR_INVALID, "filter has more than %d conditions", (int)CONDITIONS_MAX);
        if (!condition_parse(one, &t->conditions[t->n_conditions++], err))
            return false;
        size_t skip = one.n + (at ? sizeof between - 1 : 0);
        text = (struct str){text.p + skip, text.n - skip};
    }
    return true;
}

static bool number_of(struct str s, double *ret)
{
    char text[NUMBER_TEXT_MAX], *end;
    s = str_trim(s);
    if (s.n == 0 || s.n >= sizeof text)
        return false;
    memcpy(text, s.p, s.n);
    text[s.n] = '\0';
    *ret = strtod(text, &end);
    return *end == '\0' && isfinite(*ret);
}

static bool holds(const struct condition *c, struct str value)
{
    double a, b;
    if (c->op == OP_CONTAINS)
        return c->value.n == 0 || str_contains(value, c->value);
    int order =
        number_of(value, &a) && number_of(c->value, &b) ? (a > b) - (a < b) : str_cmp(value, c->value);
    switch (c->op) {
    case OP_NE:
        return order != 0;
    case OP_LE:
        return order <= 0;
    case OP_GE:
        return order >= 0;
    case OP_LT:
        return order < 0;
    case OP_GT:
        return order > 0;
    default:
        return order == 0;
    }
}

static bool passes(const struct transform *t, const struct strs *record)
{
    for (size_t i = 0; i < t->n_conditions; i++) {
        const struct condition *c = &t->conditions[i];
        if (!holds(c, c->at < record->n ? record->v[c->at] : STR("")))
            return false;
    }
    return true;
}

// ---- columns ----

static bool column_find(struct transform *t, const struct strs *names, struct str name, size_t *ret,
                        struct err *err)
{
    int64_t number;
    for (size_t i = 0; t->job->params.header && i < names->n; i++)
        if (str_eq(str_trim(names->v[i]), name)) {
            *ret = i;
            return true;
        }
    if (!t->job->params.header && str_to_i64(name, &number) && number >= 1 && (size_t)number <= names->n) {
        *ret = (size_t)number - 1;
        return true;
    }
    t->job->error_code = "NO_SUCH_COLUMN";
    return ERR(err, ERR_INVALID, "the file has no column \"%.*s\"; %s", STR_ARG(name),
               t->job->params.header ? "its first line names those it has"
                                     : "without a header they are called 1, 2, 3, …");
}

static bool columns_find(struct transform *t, const struct strs *names, struct err *err)
{
    const struct strs *wanted = &t->job->params.columns;
    t->n_picks = wanted->n > 0 ? wanted->n : names->n;
    if (t->n_picks > CSV_FIELDS_MAX)
        return ERR(err, ERR_INVALID, "columns names more than %d", (int)CSV_FIELDS_MAX);
    for (size_t i = 0; i < t->n_picks; i++) {
        t->picks[i] = i;
        if (wanted->n > 0 && !column_find(t, names, wanted->v[i], &t->picks[i], err))
            return false;
    }
    for (size_t i = 0; i < t->n_conditions; i++)
        if (!column_find(t, names, t->conditions[i].column, &t->conditions[i].at, err))
            return false;
    size_t ignored;
    for (size_t i = 0; i < t->job->params.rename.n; i++)
        if (!column_find(t, names, t->job->params.rename.v[i].key, &ignored, err))
            return false;
    return true;
}

static struct strs picked(struct transform *t, const struct strs *record)
{
    // Without a wish for columns a record keeps all it has, also more than the header.
    size_t n = t->job->params.columns.n > 0 ? t->n_picks : record->n;
    for (size_t i = 0; i < n; i++) {
        size_t at = t->job->params.columns.n > 0 ? t->picks[i] : i;
        t->out[i] = at < record->n ? record->v[at] : STR("");
    }
    return (struct strs){t->out, n};
}

static struct strs renamed(struct transform *t, const struct strs *names)
{
    struct strs head = picked(t, names);
    const struct str_map *m = &t->job->params.rename;
    for (size_t i = 0; i < head.n; i++)
        for (size_t k = 0; k < m->n; k++)
            if (str_eq(str_trim(head.v[i]), m->v[k].key)) {
                head.v[i] = m->v[k].value;
                break;
            }
    return head;
}

// ---- the file ----

static bool records_copy(struct transform *t, struct csv_reader *in, struct csv_writer *out, struct err *err)
{
    struct strs record;
    bool end, first = true;
    for (;;) {
        if (t->records % ASK_EVERY == 0 && fs_stopped(&t->job->stop, err))
            return false;
        if (!csv_read(in, &record, &end, err))
            return false;
        if (end)
            return true;
        if (first) {
            struct strs head;
            first = false;
            if (!columns_find(t, &record, err))
                return false;
            if (t->job->params.header) {
                head = renamed(t, &record);
                if (!csv_write(out, &head, err))
                    return false;
                continue;
            }
        }
        t->records++;
        if (!passes(t, &record))
            continue;
        struct strs kept = picked(t, &record);
        t->kept++;
        if (!csv_write(out, &kept, err))
            return false;
    }
}

static bool transform_file(struct transform *t, int fd, struct str shown, struct fresh *to, struct err *err)
{
    const struct file_params *p = &t->job->params;
    char delimiter = p->delimiter.p[0];
    struct csv_reader *in = csv_reader_new(fd, delimiter, shown);
    struct csv_writer *out = csv_writer_new(to, p->output_delimiter.p ? p->output_delimiter.p[0] : delimiter,
                                            str_eq_nocase(p->line_ending, STR("CRLF")));
    bool ok = records_copy(t, in, out, err) && csv_flush(out, err);
    csv_reader_free(in);
    csv_writer_free(out);
    return ok;
}

static bool transform(struct file_job *j, struct transform *t, struct err *err)
{
    struct place from, to;
    struct stat st;
    CLEANUP(cleanup_fd) int fd = -1;
    CLEANUP(fresh_drop) struct fresh fresh = {.fd = -1};
    const struct fresh_options o = {j->p->overwrite, j->p->create_directories, 0};
    if (!filter_parse(t, j->params.filter, err) || !file_source(j, &from, &fd, &st, err) ||
        !file_target(j, place_name(&from), &to, err))
        return false;
    if (j->params.dry_run) {
        file_say(j, "would write \"%.*s\"", STR_ARG(to.shown));
        return true;
    }
    if (!fresh_open(&to, &o, &fresh, err) || !transform_file(t, fd, from.shown, &fresh, err) ||
        !fresh_commit(&fresh, err))
        return false;
    file_say(j, "wrote \"%.*s\": %lld of %lld records", STR_ARG(to.shown), (long long)t->kept,
             (long long)t->records);
    j->files++;
    j->bytes += st.st_size;
    return true;
}

bool file_csv(struct file_job *j, struct err *err)
{
    struct transform *t = mem_new(struct transform);
    t->job = j;
    bool ok = transform(j, t, err);
    mem_free(t);
    return ok;
}
