// SPDX-License-Identifier: Apache-2.0
// SCRIPT: runs a text as a program, in a process of its own (net/process.h).
//
// Nothing of a job is ever given to a shell to interpret but the script itself: arguments are arguments.
// Run-time parameters come as variables, and may not be put into the script's text, where they would be
// code.
#include <math.h>
#include <signal.h>
#include <stdio.h>

#include "base/json.h"
#include "jobs/runner.h"
#include "jobs/script_limits.h"
#include "jobs/script_output.h"
#include "jobs/template.h"
#include "net/process.h"

enum {
    ARGS_MAX = 200,
    ENVIRONMENT_MAX = 200,
    PATH_BYTES_MAX = 4096,
    WORDS_MAX = 16, // of an interpreter
    OWN_VARIABLES = 8,
    NAME_BYTES_MAX = 128,
};

struct script_payload {
    struct str script;
    struct str interpreter;
    struct strs args;
    struct str_map environment;
    struct str working_directory;
    int64_t timeout_seconds;
    struct script_limits limits;
};

#define T struct script_payload
static const struct field script_rows[] = {
    FIELD_STR(T, script, "script", .flags = FIELD_REQUIRED | FIELD_NO_SECRETS, .min = 1, .max = JOB_PAYLOAD_MAX,
              .doc = "The program's text; its first line may be #!interpreter."),
    FIELD_STR(T, interpreter, "interpreter", .flags = FIELD_NO_SECRETS, .max = PATH_BYTES_MAX,
              .doc = "Program that reads the script, with options separated by blanks; else the #! line, "
                      "else /bin/sh."),
    FIELD_STRS(T, args, "args", .flags = FIELD_NO_SECRETS, .max = ARGS_MAX, .doc = "Arguments, each passed as it is."),
    FIELD_MAP(T, environment, "environment", .max = ENVIRONMENT_MAX, .doc = "Environment variables."),
    FIELD_STR(T, working_directory, "workingDirectory", .flags = FIELD_NO_SECRETS, .max = PATH_BYTES_MAX,
              .doc = "Absolute path; else a private folder that is removed afterwards."),
    FIELD_I64(T, timeout_seconds, "timeoutSeconds", .min = 1, .max = JOB_TIMEOUT_S_MAX,
              .doc = "Longest time; the job's own timeoutSeconds holds as well."),
    FIELD_OBJECT(T, limits, "limits", struct script_limits, &script_limit_fields, .doc = "What it may use and touch."),
};
#undef T
static const struct fields script_fields = FIELDS("ScriptPayload", struct script_payload, script_rows,
                                                  .doc = "A program in a script language.");

struct running {
    struct attempt *attempt;
    uint64_t id;
    struct script_output out, err;
};

// ---- checking ----

static struct str at(struct str base, const char *name, struct arena *a)
{
    return arena_fmt(a, "%.*s/%s", STR_ARG(base), name);
}

static bool variable_ok(struct str name)
{
    if (name.n == 0 || name.n > NAME_BYTES_MAX || (name.p[0] >= '0' && name.p[0] <= '9'))
        return false;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'))
            return false;
    }
    return true;
}

static void environment_check(const struct str_map *m, struct str base, struct faults *faults)
{
    for (size_t i = 0; i < m->n; i++) {
        struct str name = m->v[i].key;
        struct str pointer = arena_fmt(faults->a, "%.*s/environment/%.*s", STR_ARG(base), STR_ARG(name));
        if (!variable_ok(name))
            faults_add(faults, pointer, "must be a variable's name: letters, digits and _, no digit first");
        else if (str_starts(name, STR("CHRONOS_")))
            faults_add(faults, pointer, "names starting with CHRONOS_ are set by Chronos itself");
    }
}

static void script_check(const void *payload, struct str base, struct faults *faults, struct arena *scratch)
{
    const struct script_payload *p = payload;
    (void)scratch;
    if (template_uses(p->script, "param."))
        faults_add(faults, at(base, "script", faults->a),
                   "must not hold {{param.…}}, which would become code: use the variable CHRONOS_PARAM_NAME "
                   "or args");
    if (p->interpreter.p && str_trim(p->interpreter).n == 0)
        faults_add(faults, at(base, "interpreter", faults->a), "must not be blank");
    if (p->working_directory.p && !str_starts(p->working_directory, STR("/")) &&
        !template_uses(p->working_directory, ""))
        faults_add(faults, at(base, "workingDirectory", faults->a), "must be an absolute path");
    environment_check(&p->environment, base, faults);
    script_limits_check(&p->limits, at(base, "limits", faults->a), faults);
}

// ---- the command ----

static void add(struct strs *list, struct str s)
{
    list->v[list->n++] = s;
}

// Words separated by blanks.
static void add_words(struct strs *list, struct str text)
{
    for (struct str word, rest = str_trim(text); rest.n > 0 && list->n < WORDS_MAX; rest = str_trim(rest)) {
        word = str_split(rest, ' ', &rest);
        add(list, word);
    }
}

// As the kernel reads it: an interpreter and at most one argument, which may hold blanks.
static void add_hash_bang(struct strs *list, struct str script)
{
    struct str line = {script.p + 2, str_find(script, '\n') - 2}, argument;
    line = str_trim(line);
    struct str program = str_split(line, ' ', &argument);
    add(list, program);
    if (str_trim(argument).n > 0)
        add(list, str_trim(argument));
}

static bool argv_make(const struct script_payload *p, struct process_spec *spec, struct arena *a)
{
    struct strs v = {.v = arena_new_array(a, struct str, WORDS_MAX + p->args.n)};
    if (!v.v)
        return false;
    bool hash_bang = str_starts(p->script, STR("#!")) && str_trim((struct str){p->script.p + 2,
                                                                     str_find(p->script, '\n') - 2}).n > 0;
    if (p->interpreter.p)
        add_words(&v, p->interpreter);
    else if (hash_bang)
        add_hash_bang(&v, p->script);
    else
        add(&v, STR("/bin/sh"));
    spec->script = p->script;
    spec->script_at = v.n;
    for (size_t i = 0; i < p->args.n; i++)
        add(&v, p->args.v[i]);
    spec->argv = v;
    return true;
}

// ---- the environment ----

static void add_variable(struct strs *env, struct arena *a, const char *name, struct str value)
{
    add(env, arena_fmt(a, "%s=%.*s", name, STR_ARG(value)));
}

static void add_id(struct strs *env, struct arena *a, const char *name, struct ulid id)
{
    char text[ULID_TEXT_MAX];
    add_variable(env, a, name, str_of(ulid_format(id, text)));
}

static bool named_by_user(const struct script_payload *p, const char *name)
{
    for (size_t i = 0; i < p->environment.n; i++)
        if (str_is(p->environment.v[i].key, name))
            return true;
    return false;
}

// CHRONOS_PARAM_ and the name in capitals; what no variable's name may hold becomes _.
static void add_param(struct strs *env, struct attempt *a, const json_t *inputs, const char *key)
{
    char name[sizeof "CHRONOS_PARAM_" + TEMPLATE_PARAM_NAME_MAX];
    int n = snprintf(name, sizeof name, "CHRONOS_PARAM_%s", key);
    if (n < 0 || (size_t)n >= sizeof name)
        return;
    for (char *c = name; *c; c++) {
        if (*c >= 'a' && *c <= 'z')
            *c = (char)(*c - 'a' + 'A');
        else if (!((*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9')))
            *c = '_';
    }
    add_variable(env, &a->arena, name, template_param(inputs, str_of(key), &a->arena));
}

static bool env_make(struct attempt *a, const struct script_payload *p, struct strs *ret)
{
    char time[INSTANT_TEXT_MAX];
    json_t *inputs CLEANUP_JSON = NULL;
    struct err err;
    if (a->inputs.n > 0 && !json_parse(a->inputs, &inputs, &err))
        return false;
    struct strs env = {0};
    size_t most = OWN_VARIABLES + p->environment.n + json_object_size(inputs);
    env.v = arena_new_array(&a->arena, struct str, most);
    if (!env.v)
        return false;
    if (!named_by_user(p, "PATH"))
        add(&env, STR("PATH=/usr/local/bin:/usr/bin:/bin"));
    if (!named_by_user(p, "LANG"))
        add(&env, STR("LANG=C.UTF-8"));
    add_id(&env, &a->arena, "CHRONOS_RUN_ID", a->run_id);
    add_id(&env, &a->arena, "CHRONOS_RUN_KEY", a->run_key);
    add_id(&env, &a->arena, "CHRONOS_JOB_ID", a->job_id);
    add_variable(&env, &a->arena, "CHRONOS_JOB_NAME", a->job.name);
    add_variable(&env, &a->arena, "CHRONOS_SCHEDULED_TIME", str_of(instant_format(a->scheduled, time)));
    add(&env, arena_fmt(&a->arena, "CHRONOS_ATTEMPT=%lld", (long long)a->number));
    for (size_t i = 0; i < p->environment.n; i++)
        add(&env, arena_fmt(&a->arena, "%.*s=%.*s", STR_ARG(p->environment.v[i].key),
                            STR_ARG(p->environment.v[i].value)));
    const char *key;
    json_t *value;
    json_object_foreach(inputs, key, value)
        add_param(&env, a, inputs, key);
    *ret = env;
    return !a->arena.exhausted;
}

static bool spec_make(struct attempt *a, const struct script_payload *p, struct process_spec *spec)
{
    spec->cwd = p->working_directory;
    spec->timeout = duration_s(p->timeout_seconds == FIELD_ABSENT ? 0 : p->timeout_seconds);
    return argv_make(p, spec, &a->arena) && env_make(a, p, &spec->env) &&
           script_limits_apply(a, &p->limits, spec, &a->arena);
}

// ---- running ----

static void on_stdout_line(void *ctx, struct str line)
{
    attempt_log(ctx, LOG_LINE_INFO, STREAM_STDOUT, line, STR_NONE);
}

static void on_stderr_line(void *ctx, struct str line)
{
    attempt_log(ctx, LOG_LINE_INFO, STREAM_STDERR, line, STR_NONE);
}

static void on_output(void *ctx, enum process_stream stream, struct str bytes)
{
    struct running *r = ctx;
    script_output_feed(stream == PROCESS_STDOUT ? &r->out : &r->err, bytes);
}

// "script ended with exit code 3", "script was killed by signal 9 (KILL)".
static struct str ending(struct attempt *a, const struct process_exit *e)
{
    if (e->signal == 0)
        return arena_fmt(&a->arena, "script ended with exit code %d", e->code);
    const char *name = sigabbrev_np(e->signal);
    return arena_fmt(&a->arena, "script was killed by signal %d (%s)", e->signal, name ? name : "unknown");
}

static void end_log(struct attempt *a, const struct process_exit *e, struct str text)
{
    bool fine = e->code == 0 && e->signal == 0;
    if (e->note[0])
        attempt_log(a, LOG_LINE_WARN, STREAM_SYSTEM,
                    arena_fmt(&a->arena, "run with less than was asked for (bestEffort): %s", e->note), STR_NONE);
    struct duration took = instant_since(clock_now(a->clock), a->started);
    struct str context = arena_fmt(
        &a->arena, "{\"exitCode\":%d,\"signal\":%d,\"durationMs\":%lld,\"cpuMs\":%lld,"
        "\"peakMemoryBytes\":%lld}", e->code, e->signal, (long long)(took.us / US_PER_MS),
        (long long)(e->cpu.us / US_PER_MS),
        (long long)e->max_rss_bytes);
    attempt_log(a, fine ? LOG_LINE_INFO : LOG_LINE_ERROR, STREAM_SYSTEM, text, context);
}

static void failed(struct attempt *a, const struct process_exit *e, struct str text)
{
    a->result.exit_code = e->signal == 0 ? e->code : FIELD_ABSENT;
    a->result.error_code = e->signal == 0 ? arena_fmt(&a->arena, "EXIT_%d", e->code)
                                          : arena_fmt(&a->arena, "SIGNAL_%d", e->signal);
    attempt_fail(a, "SCRIPT_ERROR", "%.*s", STR_ARG(text));
}

static void unavailable(struct attempt *a, struct str text)
{
    a->result.error_code = STR("SANDBOX_UNAVAILABLE");
    attempt_fail(a, "SCRIPT_ERROR", "%.*s: ask for less in limits, set limits.bestEffort, or see chronos doctor",
                 STR_ARG(text));
}

static void on_exited(void *ctx, const struct process_exit *e)
{
    struct running *r = ctx;
    struct attempt *a = r->attempt;
    const struct script_payload *p = a->payload;
    int why = attempt_cancel_asked(a);
    script_output_end(&r->out);
    script_output_end(&r->err);
    struct str text = e->text[0] ? arena_str(&a->arena, str_of(e->text)) : ending(a, e);
    end_log(a, e, text);
    if (why >= 0)
        attempt_cancelled(a, (enum cancel_why)why);
    else if (e->timed_out)
        attempt_timed_out(a, "the script took longer than %lld s", (long long)p->timeout_seconds);
    else if (e->lost)
        attempt_fail(a, "LOST", "%.*s", STR_ARG(text));
    else if (e->unavailable)
        unavailable(a, text);
    else if (e->text[0])
        attempt_fail(a, "SCRIPT_ERROR", "%.*s", STR_ARG(text));
    else if (e->code == 0 && e->signal == 0)
        attempt_succeed(a, 0);
    else
        failed(a, e, text);
}

static void script_start(struct attempt *a)
{
    const struct script_payload *p = a->payload;
    const struct process_handlers handlers = {on_output, on_exited};
    struct process_spec spec = {0};
    struct err err;
    if (atomic_load(&a->env->scripts_held)) {
        attempt_fail(a, "SCRIPT_ERROR", "an administrator has turned scripts off for now (feature \"scripts\")");
        return;
    }
    if (!a->env->scripts_enabled || !a->env->processes) {
        attempt_fail(a, "SCRIPT_ERROR", "scripts are switched off on this server (setting script.enabled)");
        return;
    }
    struct running *r = arena_new(&a->arena, struct running);
    if (p->working_directory.p && !str_starts(p->working_directory, STR("/"))) {
        attempt_fail(a, "DEFINITION_ERROR", "workingDirectory must be an absolute path");
        return;
    }
    if (!r || !spec_make(a, p, &spec)) {
        attempt_fail(a, "DEFINITION_ERROR", "no memory for the script's arguments and environment");
        return;
    }
    r->attempt = a;
    a->state = r;
    script_output_init(&r->out, on_stdout_line, a);
    script_output_init(&r->err, on_stderr_line, a);
    if (process_start(a->env->processes, &spec, &handlers, r, &r->id, &err))
        return;
    script_output_end(&r->out);
    script_output_end(&r->err);
    attempt_fail(a, "SCRIPT_ERROR", "the script cannot be started: %s", err.text);
}

static void script_cancel(struct attempt *a, enum cancel_why why)
{
    const struct running *r = a->state;
    (void)why; // kept in a->cancel
    process_kill(a->env->processes, r->id, false);
}

static bool script_available(const struct job_env *env, struct err *err)
{
    return (env->scripts_enabled && env->processes) ||
           ERR(err, ERR_UNAVAILABLE, "scripts are switched off on this server (setting script.enabled)");
}

static const char *const examples[] = {
    "{\"script\":\"#!/bin/sh\\necho hello from $CHRONOS_JOB_NAME\\n\"}",
    "{\"script\":\"import sys\\nprint(sys.argv[1])\\n\",\"interpreter\":\"/usr/bin/python3\",\"args\":[\"{{run.id}}\"],"
    "\"limits\":{\"sandbox\":\"STRICT\",\"cpuSeconds\":60,\"memoryBytes\":268435456}}",
    NULL};
static const char *const classes[] = {"SCRIPT_ERROR", NULL};

const struct job_type job_type_script = {
    .name = "SCRIPT",
    .doc = "Runs a script in a process of its own.",
    .payload = &script_fields,
    .check = script_check,
    .start = script_start,
    .cancel = script_cancel,
    .examples = examples,
    .failure_classes = classes,
    .available = script_available,
};
