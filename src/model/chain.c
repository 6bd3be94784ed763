// SPDX-License-Identifier: Apache-2.0
// Reading and checking lists of links, and filling in what a started run is told.
#include "model/chain.h"

#include "base/json.h"
#include "model/trace.h"

enum { NAME_SHOWN_MAX = 128, VALUE_MAX = 16 * 1024 };

#define T struct chain_link
static const struct field link_rows[] = {
    FIELD_ID(T, job, "job", FIELD_ALIASES("jobId"), .flags = FIELD_REQUIRED, .doc = "Job to start."),
    FIELD_MAP(T, parameters, "parameters", .max = CHAIN_PARAMETERS_MAX,
              .doc = "Parameters of the started run; may hold {{run.id}}, {{run.output}} and the like."),
};
#undef T
const struct fields chain_link_fields =
    FIELDS("ChainLink", struct chain_link, link_rows, .doc = "A job that the end of a run starts.");

// ---- templates ----

enum name {
    NAME_RUN_ID,
    NAME_RUN_KEY,
    NAME_STATUS,
    NAME_OUTCOME,
    NAME_EXIT_CODE,
    NAME_ERROR_CLASS,
    NAME_ERROR_MESSAGE,
    NAME_ATTEMPT,
    NAME_SCHEDULED,
    NAME_OUTPUT,
    NAME_JOB_ID,
    NAME_JOB_NAME,
    NAME_PARAM,
    NAME_UNKNOWN
};
static const char *const names[] = {
    "run.id",         "run.key",          "run.status",  "run.outcome",       "run.exitCode",
    "run.errorClass", "run.errorMessage", "run.attempt", "run.scheduledTime", "run.output",
    "job.id",         "job.name",         NULL};

static enum name name_find(struct str name)
{
    for (int i = 0; names[i]; i++)
        if (str_is(name, names[i]))
            return (enum name)i;
    return str_starts(name, STR("param.")) && name.n > sizeof "param." - 1 ? NAME_PARAM : NAME_UNKNOWN;
}

enum piece { PIECE_END, PIECE_TEXT, PIECE_NAME, PIECE_UNFINISHED };

// Takes the next piece off *rest: text, or what stands between braces, without blanks.
static enum piece piece_next(struct str *rest, struct str *ret)
{
    struct str s = *rest;
    if (s.n == 0)
        return PIECE_END;
    const char *open = memmem(s.p, s.n, "{{", 2);
    size_t before = open ? (size_t)(open - s.p) : s.n;
    if (open && before > 0 && open[-1] == '\\') { // text up to the backslash, then the braces themselves
        size_t skip = before == 1 ? 1 : 0, n = before == 1 ? 2 : before - 1;
        *ret = (struct str){s.p + skip, n};
        *rest = (struct str){s.p + skip + n, s.n - skip - n};
        return PIECE_TEXT;
    }
    if (before > 0) {
        *ret = (struct str){s.p, before};
        *rest = (struct str){s.p + before, s.n - before};
        return PIECE_TEXT;
    }
    const char *close = memmem(s.p + 2, s.n - 2, "}}", 2);
    *ret = str_trim((struct str){s.p + 2, close ? (size_t)(close - s.p) - 2 : s.n - 2});
    *rest = close ? (struct str){close + 2, s.n - (size_t)(close + 2 - s.p)} : STR_NONE;
    return close ? PIECE_NAME : PIECE_UNFINISHED;
}

static void value_check(struct str text, struct str pointer, struct faults *faults)
{
    struct str piece;
    for (enum piece kind; (kind = piece_next(&text, &piece)) != PIECE_END;)
        if (kind == PIECE_UNFINISHED)
            faults_add(faults, pointer, "has \"{{\" without \"}}\"; write \\{{ for plain braces");
        else if (kind == PIECE_NAME && name_find(piece) == NAME_UNKNOWN)
            faults_add(
                faults, pointer,
                "uses the unknown name {{%.*s}}: known are run.id, run.key, run.status, run.outcome, "
                "run.exitCode, run.errorClass, run.errorMessage, run.attempt, run.scheduledTime, run.output, "
                "job.id, job.name, param.NAME; write \\{{ for plain braces",
                (int)str_utf8_cut(piece, NAME_SHOWN_MAX), piece.p);
}

// ---- reading ----

static void links_decode(const json_t *list, struct str base, struct chain *ret, struct arena *a,
                         struct faults *faults)
{
    size_t n = json_array_size(list);
    ret->v = arena_new_array(a, struct chain_link, n);
    for (size_t i = 0; ret->v && i < n; i++)
        if (field_decode(&chain_link_fields, json_array_get(list, i), FIELD_DECODE_STRICT,
                         arena_fmt(faults->a, "%.*s/%zu", STR_ARG(base), i), &ret->v[ret->n], a, faults))
            ret->n++;
    if (!ret->v && n > 0)
        faults_add(faults, base, "needs more memory than there is");
}

bool chain_read(struct str text, struct str base, struct chain *ret, struct arena *a, struct faults *faults)
{
    json_t *list = NULL;
    struct err err;
    size_t before = faults->n;
    *ret = (struct chain){0};
    if (text.n == 0 || str_is(text, "null"))
        return true;
    if (!json_parse(text, &list, &err) || !json_is_array(list))
        faults_add(faults, base, "must be a list such as [{\"job\":\"01KA3V5J8M2C0000000000000X\"}]");
    else if (json_array_size(list) > CHAIN_LINKS_MAX)
        faults_add(faults, base, "must have at most %d entries", CHAIN_LINKS_MAX);
    else
        links_decode(list, base, ret, a, faults);
    json_decref(list);
    return faults->n == before;
}

static bool named_before(const struct chain *c, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (ulid_eq(c->v[k].job, c->v[i].job))
            return true;
    return false;
}

void chain_check(struct str text, struct str base, struct ulid own, struct faults *faults)
{
    struct chain c;
    if (!chain_read(text, base, &c, faults->a, faults))
        return;
    for (size_t i = 0; i < c.n; i++) {
        const struct str_map *map = &c.v[i].parameters;
        struct str at = arena_fmt(faults->a, "%.*s/%zu", STR_ARG(base), i);
        struct str job = arena_fmt(faults->a, "%.*s/job", STR_ARG(at));
        if (ulid_eq(c.v[i].job, own))
            faults_add(faults, job, "is this job itself: it would start itself for ever");
        if (named_before(&c, i))
            faults_add(faults, job, "is listed twice; one run starts a job once");
        for (size_t k = 0; k < map->n; k++) {
            struct str pointer =
                arena_fmt(faults->a, "%.*s/parameters/%.*s", STR_ARG(at), STR_ARG(map->v[k].key));
            if (str_is(map->v[k].key, CHAIN_CAUSE))
                faults_add(faults, pointer, "is filled in by Chronos; choose another name");
            value_check(map->v[k].value, pointer, faults);
        }
    }
}

// ---- filling in ----

static struct str param_value(const json_t *inputs, struct str name, struct arena *a)
{
    const json_t *v = json_object_getn(inputs, name.p, name.n);
    if (!v || json_is_string(v))
        return json_str(v);
    struct sbuf b;
    sbuf_init(&b, a, VALUE_MAX);
    json_write(v, &b);
    return sbuf_str(&b);
}

static struct str id_text(struct ulid id, struct arena *a)
{
    char text[ULID_TEXT_MAX];
    return arena_str(a, str_of(ulid_format(id, text)));
}

static struct str instant_text(struct instant t, struct arena *a)
{
    char text[INSTANT_TEXT_MAX];
    return arena_str(a, str_of(instant_format(t, text)));
}

static struct str outcome_of(const struct run *r)
{
    return str_of(run_outcome_names[r->status == RUN_SUCCEEDED ? OUTCOME_SUCCESS : OUTCOME_FAILURE]);
}

static struct str name_value(struct str name, const struct chain_cause *c, const json_t *inputs,
                             struct arena *a)
{
    const struct run *r = c->run;
    switch (name_find(name)) {
    case NAME_RUN_ID:
        return id_text(r->id, a);
    case NAME_RUN_KEY:
        return id_text(r->run_key, a);
    case NAME_STATUS:
        return str_of(run_status_names[r->status]);
    case NAME_OUTCOME:
        return outcome_of(r);
    case NAME_EXIT_CODE:
        return r->exit_code == FIELD_ABSENT ? STR_NONE : arena_fmt(a, "%lld", (long long)r->exit_code);
    case NAME_ERROR_CLASS:
        return r->error_class;
    case NAME_ERROR_MESSAGE:
        return r->error_message;
    case NAME_ATTEMPT:
        return arena_fmt(a, "%lld", (long long)r->attempt);
    case NAME_SCHEDULED:
        return instant_text(r->scheduled, a);
    case NAME_OUTPUT:
        return c->output;
    case NAME_JOB_ID:
        return id_text(r->job_id, a);
    case NAME_JOB_NAME:
        return c->job_name;
    case NAME_PARAM:
        return param_value(inputs, str_of_n(name.p + 6, name.n - 6), a);
    case NAME_UNKNOWN:
        break;
    }
    return STR_NONE;
}

static struct str filled(struct str text, const struct chain_cause *c, const json_t *inputs, size_t most,
                         struct arena *a)
{
    struct sbuf b;
    struct str piece, value;
    sbuf_init(&b, a, most + 1);
    for (enum piece kind; b.n < most && (kind = piece_next(&text, &piece)) != PIECE_END;) {
        value = kind == PIECE_NAME ? name_value(piece, c, inputs, a) : piece;
        size_t room = most - b.n;
        sbuf_put(&b, (struct str){value.p, value.n > room ? str_utf8_cut(value, room) : value.n});
        if (value.n > room)
            break;
    }
    return sbuf_str(&b);
}

static void cause_write(const struct chain_cause *c, struct sbuf *b, struct arena *a)
{
    const struct run *r = c->run;
    char id[ULID_TEXT_MAX], time[INSTANT_TEXT_MAX], parent[TRACE_TEXT_MAX];
    struct run_trace trace;
    trace_of_run(c->inputs, r->run_key, r->id, &trace, a);
    trace_format(&trace.own, parent);
    sbuf_fmt(b, "\"" CHAIN_CAUSE "\":{\"runId\":\"%s\"", ulid_format(r->id, id));
    sbuf_fmt(b, ",\"jobId\":\"%s\",\"status\":\"%s\"", ulid_format(r->job_id, id),
             run_status_names[r->status]);
    if (r->error_class.n > 0) {
        sbuf_puts(b, ",\"errorClass\":");
        sbuf_json(b, r->error_class);
    }
    sbuf_fmt(b, ",\"scheduledTime\":\"%s\",\"traceparent\":\"%s\",\"depth\":%lld}",
             instant_format(r->scheduled, time), parent, (long long)c->depth);
}

static struct str inputs_write(const struct chain_link *l, const struct chain_cause *c, const json_t *inputs,
                               size_t most, struct arena *a)
{
    struct sbuf b;
    sbuf_init(&b, a, CHAIN_INPUTS_MAX);
    sbuf_putc(&b, '{');
    for (size_t i = 0; i < l->parameters.n; i++) {
        sbuf_json(&b, l->parameters.v[i].key);
        sbuf_putc(&b, ':');
        sbuf_json(&b, filled(l->parameters.v[i].value, c, inputs, most, a));
        sbuf_putc(&b, ',');
    }
    cause_write(c, &b, a);
    sbuf_putc(&b, '}');
    return sbuf_ok(&b) ? sbuf_str(&b) : STR_NONE;
}

struct str chain_inputs(const struct chain_link *l, const struct chain_cause *c, struct arena *a)
{
    json_t *inputs = NULL;
    struct err err;
    struct str text = STR_NONE;
    if (c->inputs.n > 0 && !json_parse(c->inputs, &inputs, &err))
        inputs = NULL; // its parameters are empty texts then
    for (size_t most = VALUE_MAX; !text.p && most > 0;
         most /= 2) // escapes make a text longer by an unknown factor
        text = inputs_write(l, c, inputs, most, a);
    json_decref(inputs);
    return a->exhausted ? STR_NONE : text;
}

int64_t chain_depth(struct str inputs)
{
    json_t *v = NULL;
    struct err err;
    if (inputs.n == 0 || !str_contains(inputs, STR("\"" CHAIN_CAUSE "\"")) || !json_parse(inputs, &v, &err))
        return 0;
    int64_t depth = json_integer_value(json_object_get(json_object_get(v, CHAIN_CAUSE), "depth"));
    json_decref(v);
    return depth > 0 ? depth : 0;
}

struct ulid chain_run_key(struct ulid job, const struct run *cause)
{
    // A constant key: whoever derives it, it must be the same.
    static const uint8_t salt[16] = "chronos chain...";
    struct {
        struct ulid job, cause;
    } input = {job, cause->id};
    return ulid_derive(cause->scheduled, salt, &input, sizeof input);
}
